//! The search for the best parameters, with Pareto/NBD as the limit of b → 0 and β → 0.

use std::borrow::Cow;

use super::{GompertzGammaNbd, NAMES};
use crate::error::Error;
use crate::lifetime::ParetoNbd;
use crate::lifetime::fit::{Drift, FitOptions, FitStatus, Limit, Maximum, Problem};
use crate::lifetime::random_lifetime::Likelihood;
use crate::numeric::optimise::Evaluation;

/// b times the mean age: below this the hazard does not grow in any time that was seen.
const HARDLY_GROWS: f64 = 1e-5;
/// b times the mean age of a model that stands for the limit.
const AT_LIMIT: f64 = 1e-8;
/// What the likelihood must gain to be above that of the limit.
const GAIN: f64 = 1e-7;

/// Where the likelihood of customers of whom some repeat is largest.
pub(super) fn maximum(data: &Likelihood, options: &FitOptions) -> Result<Maximum<5>, Error> {
    options.check(NAMES.len())?;
    let age = data.counts().mean_age();
    let without_start = FitOptions {
        start: None,
        ..options.clone()
    };
    let pareto = ParetoNbd::maximum(data, &without_start)?;
    let [early, at_its_time, hardly_any] = starts(data);
    let search = |starts: &[[f64; 5]], floor| {
        let problem = Problem {
            names: NAMES,
            units: [1.0, age, 1.0 / age, 1.0, 1.0],
            starts,
        };
        problem.maximise_above(floor, options, |at| evaluate(at, data))
    };
    // A penalty holds b away from 0, and where Pareto/NBD has no maximum there is no one limit.
    if options.penalty > 0.0 || pareto.status != FitStatus::Interior {
        return search(&[early, at_its_time, hardly_any], None);
    }
    let near = |b: f64| {
        let [r, alpha, s, beta] = pareto.parameters;
        [r, alpha, b / age, s, b / age * beta]
    };
    let floor = Some((2, HARDLY_GROWS));
    let found = if rises(&evaluate(&near(HARDLY_GROWS), data)) {
        search(&[near(0.1), at_its_time, early], floor)
    } else {
        // The limit is a maximum, and most starts lead there: all but one among lifetimes with a mode.
        search(&[at_its_time], floor)
    }?;
    let iterations = pareto.iterations + found.iterations;
    if found.log_likelihood > pareto.log_likelihood + GAIN {
        return Ok(Maximum {
            iterations,
            ..found
        });
    }
    let parameters = near(AT_LIMIT);
    let drift = |parameter| Drift {
        parameter: Cow::Borrowed(parameter),
        limit: Limit::Zero,
    };
    Ok(Maximum {
        parameters,
        log_likelihood: evaluate(&parameters, data).value,
        covariance: None,
        status: FitStatus::Boundary {
            drift: vec![drift("b"), drift("beta")],
        },
        iterations,
    })
}

fn evaluate(at: &[f64; 5], data: &Likelihood) -> Evaluation {
    GompertzGammaNbd::from_valid(*at).evaluate(data)
}

/// Most of those who leave do so early; they do when the time has come; hardly anyone.
fn starts(data: &Likelihood) -> [[f64; 5]; 3] {
    let age = data.counts().mean_age();
    let (r, alpha) = data.counts().start();
    [
        [r, alpha, 1.0 / age, 0.6, 0.4],
        [0.5 * r, 0.5 * alpha, 4.0 / age, 1.0, 20.0],
        [4.0 * r, 4.0 * alpha, 0.1 / age, 0.1, 0.1],
    ]
}

/// Whether the likelihood rises from the limit, where β grows with b: from the best parameters of
/// Pareto/NBD the others have no part in it.
fn rises(beside_limit: &Evaluation) -> bool {
    beside_limit.gradient[2] + beside_limit.gradient[4] > 0.0
}
