//! The fit that all members of the family share.

use super::{BetaGeometric, Form, Likelihood, MOST_STAGES};
use crate::error::{ConfigError, Error, FitError};
use crate::lifetime::fit::{Drift, FitOptions, FitReport, FitStatus, Limit, Maximum, Problem};
use crate::numeric::gamma::ln_gamma;
use crate::summary::{DistinctHistories, Histories};

const NAMES: [&str; 4] = ["r", "alpha", "a", "b"];

/// How regularly customers buy while they stay: the shape k of the Erlang distribution of the times
/// between purchases.
///
/// Their coefficient of variation is 1/√k: with k = 1 customers buy at random moments, with k = 4
/// the times between a customer's purchases scatter by half of their mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regularity {
    /// This k, from 1 to 12.
    Fixed(u32),
    /// Of k = 1, 2, …, 12 the one with the largest likelihood. Costs twelve fits, and needs the
    /// times between purchases, [`History::log_gaps`](crate::summary::History::log_gaps).
    ByLikelihood,
}

impl Regularity {
    /// Checks a k.
    pub(in crate::lifetime) fn check(k: u32) -> Result<u32, ConfigError> {
        if (1..=MOST_STAGES).contains(&k) {
            return Ok(k);
        }
        Err(ConfigError::OutOfRange {
            setting: "k",
            value: k.to_string(),
            expected: "from 1 to 12",
        })
    }
}

/// Maximises the likelihood; the report's leaves out the times between purchases.
pub(in crate::lifetime) fn maximise(
    histories: &DistinctHistories,
    form: Form,
    options: &FitOptions,
) -> Result<(BetaGeometric, FitReport), Error> {
    let (customers, distinct) = (histories.customers(), histories.len());
    if customers == 0 {
        return Err(too_few_customers());
    }
    let data = Likelihood::new(histories, form);
    if data.total_age() <= 0.0 {
        return Err(FitError::NotIdentified {
            parameter: "the purchase rate",
            reason: "nobody was observed for any time after the first purchase",
        }
        .into());
    }
    let units = data.units();
    let problem = Problem {
        names: NAMES,
        units,
        starts: &starts(&data, form.k, customers as f64),
    };
    let model = |at: [f64; 4]| BetaGeometric::new(form, at);
    let (repeats, _) = data.repeats();
    let maximum = if repeats == 0.0 {
        nobody_repeats(&data, form, units[1])
    } else {
        problem.maximise(options, |at| data.evaluate(&model(*at)))?
    };
    let report = FitReport::new(NAMES, &maximum, customers, distinct);
    Ok((model(maximum.parameters), report))
}

/// Maximises the likelihood with a given or the best k, times between purchases included.
pub(in crate::lifetime) fn choose(
    histories: &Histories,
    at_first: u32,
    regularity: Regularity,
    options: &FitOptions,
) -> Result<(BetaGeometric, FitReport), Error> {
    let distinct = histories.distinct();
    let fit = |k, options: &FitOptions| -> Result<(BetaGeometric, FitReport), Error> {
        let form = Form { k, at_first };
        let (model, mut report) = maximise(&distinct, form, options)?;
        report.log_likelihood += of_gaps(histories, k);
        Ok((model, report))
    };
    if let Regularity::Fixed(k) = regularity {
        return fit(Regularity::check(k)?, options);
    }
    if histories.frequency().iter().all(|&x| x == 0) {
        // Every k says the same of nobody's purchases.
        return fit(1, options);
    }
    if gaps_are_missing(histories) {
        return Err(FitError::NotIdentified {
            parameter: "the regularity k",
            reason: "the histories hold no times between purchases (`log_gaps`)",
        }
        .into());
    }
    let mut best = fit(1, options)?;
    let mut warm = options.clone();
    let mut before = best.clone();
    for k in 2..=MOST_STAGES {
        if before.1.status == FitStatus::Interior {
            // A purchase takes more stages, which therefore follow faster.
            let BetaGeometric { r, alpha, a, b, .. } = before.0;
            let faster = f64::from(k - 1) / f64::from(k);
            warm.start = Some(vec![r, alpha * faster, a, b]);
        }
        before = fit(k, &warm)?;
        if before.1.log_likelihood > best.1.log_likelihood {
            best = before.clone();
        }
    }
    Ok(best)
}

/// What the times between purchases add to the log-likelihood whatever the parameters.
pub(in crate::lifetime) fn of_gaps(histories: &Histories, k: u32) -> f64 {
    let gaps: f64 = histories.log_gaps().iter().sum();
    let repeats: f64 = histories.frequency().iter().copied().map(f64::from).sum();
    f64::from(k - 1) * gaps - repeats * ln_gamma(f64::from(k))
}

/// Whether all sums of logarithms are 0 as in histories that were made without them, although not
/// all gaps can have been 1.
fn gaps_are_missing(histories: &Histories) -> bool {
    let all_zero = histories.log_gaps().iter().all(|&gaps| gaps == 0.0);
    all_zero
        && histories
            .iter()
            .any(|history| history.recency != f64::from(history.frequency))
}

fn too_few_customers() -> Error {
    let (have, need) = (0, 1);
    let what = "customers";
    FitError::TooFew { what, have, need }.into()
}

/// Where to begin: rates from the moments of the counts as if nobody left, the readiness to leave
/// first at what retailers commonly see, then far from it.
fn starts(data: &Likelihood, k: u32, customers: f64) -> [[f64; 4]; 3] {
    let (repeats, squares) = data.repeats();
    let mean = repeats / customers;
    let excess = squares / customers - mean * mean - mean;
    let r = (mean * mean / excess.max(1e-3 * mean)).clamp(0.05, 20.0);
    let alpha = r * data.total_age() / (repeats * f64::from(k));
    [
        [r, alpha, 0.8, 2.5],
        [0.5 * r, 0.5 * alpha, 3.0, 3.0],
        [4.0 * r, 4.0 * alpha, 0.1, 1.0],
    ]
}

/// Without a repeat purchase nothing is likelier than that nobody ever buys, and nothing is known
/// of a and b.
fn nobody_repeats(data: &Likelihood, form: Form, mean_age: f64) -> Maximum<4> {
    let parameters = [1e-9, mean_age, 1.0, 1.0];
    Maximum {
        log_likelihood: data.value(&BetaGeometric::new(form, parameters)),
        parameters,
        covariance: None,
        status: FitStatus::Boundary {
            drift: vec![Drift {
                parameter: "r".into(),
                limit: Limit::Zero,
            }],
        },
        iterations: 0,
    }
}
