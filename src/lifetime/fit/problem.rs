//! The likelihood of a model with a fixed number of positive parameters, and its maximum.

use std::borrow::Cow;

use nalgebra::{DMatrix, DVector};

use super::{Drift, End, FitOptions, FitStatus, Limit, Support, Verdict, search};
use crate::numeric::optimise::{Evaluation, Limits, Optimum};

/// What is to be maximised.
pub(in crate::lifetime) struct Problem<'a, const N: usize> {
    pub(in crate::lifetime) names: [&'static str; N],
    /// The unit of each parameter: the search runs in ln(parameter / unit).
    pub(in crate::lifetime) units: [f64; N],
    /// Where to begin, best guess first; the others are tried when it ends badly.
    pub(in crate::lifetime) starts: &'a [[f64; N]],
}

/// Where the likelihood is largest.
pub(in crate::lifetime) struct Maximum<const N: usize> {
    pub(in crate::lifetime) parameters: [f64; N],
    pub(in crate::lifetime) log_likelihood: f64,
    pub(in crate::lifetime) covariance: Option<DMatrix<f64>>,
    pub(in crate::lifetime) status: FitStatus,
    pub(in crate::lifetime) iterations: u32,
}

impl<const N: usize> Maximum<N> {
    /// A supremum that was found without a search: one parameter at its limit, and nothing known
    /// of the others.
    pub(in crate::lifetime) fn at_limit(
        parameters: [f64; N],
        log_likelihood: f64,
        parameter: &'static str,
        limit: Limit,
    ) -> Self {
        Self {
            parameters,
            log_likelihood,
            covariance: None,
            status: FitStatus::Boundary {
                drift: vec![Drift {
                    parameter: Cow::Borrowed(parameter),
                    limit,
                }],
            },
            iterations: 0,
        }
    }
}

impl<const N: usize> Problem<'_, N> {
    /// Maximises a log-likelihood, given at the parameters with its derivatives in their
    /// logarithms.
    pub(in crate::lifetime) fn maximise(
        &self,
        options: &FitOptions,
        log_likelihood: impl FnMut(&[f64; N]) -> Evaluation,
    ) -> Result<Maximum<N>, crate::Error> {
        self.maximise_above(None, options, log_likelihood)
    }

    /// As [`maximise`](Self::maximise); a parameter, by its place, that falls below `floor` units has run
    /// away.
    pub(in crate::lifetime) fn maximise_above(
        &self,
        floor: Option<(usize, f64)>,
        options: &FitOptions,
        mut log_likelihood: impl FnMut(&[f64; N]) -> Evaluation,
    ) -> Result<Maximum<N>, crate::Error> {
        options.check(N)?;
        let limits = Limits {
            iterations: options.max_iterations,
            gradient: options.tolerance,
            floor: floor.map(|(place, units)| (place, units.ln())),
            ..Limits::LOG_PARAMETERS
        };
        let mut objective = |x: &DVector<f64>| {
            let mut at = log_likelihood(&self.parameters(x));
            at.value = -at.value + 0.5 * options.penalty * x.norm_squared();
            at.gradient = x * options.penalty - at.gradient;
            at.hessian = -at.hessian;
            for i in 0..x.len() {
                at.hessian[(i, i)] += options.penalty;
            }
            at
        };
        let given = options.start.iter().map(Vec::as_slice);
        let starts = given.chain(self.starts.iter().map(|s| s.as_slice()));
        let relative = |start: &[f64]| {
            let logs = start
                .iter()
                .zip(self.units)
                .map(|(s, unit)| (s / unit).ln());
            DVector::from_iterator(N, logs)
        };
        let end = search(starts.map(relative), &limits, &mut objective)?;
        let (optimum, iterations) = (&end.optimum, end.iterations);
        let parameters = self.parameters(&optimum.x);
        let status = self.status(&end);
        let covariance = match status {
            FitStatus::Interior => covariance(optimum, &parameters),
            _ => None,
        };
        Ok(Maximum {
            log_likelihood: 0.5 * options.penalty * optimum.x.norm_squared() - optimum.value,
            parameters,
            covariance,
            status,
            iterations,
        })
    }

    fn parameters(&self, x: &DVector<f64>) -> [f64; N] {
        let mut parameters = self.units;
        for (parameter, x) in parameters.iter_mut().zip(x) {
            *parameter *= x.exp();
        }
        parameters
    }

    fn status(&self, end: &End) -> FitStatus {
        match end.verdict() {
            Verdict::Interior => FitStatus::Interior,
            Verdict::Unfinished { slope } => FitStatus::Unfinished { slope },
            Verdict::RanAway(direction) => {
                let named = self.names.into_iter().map(Cow::Borrowed).zip(&direction);
                FitStatus::along(named.map(|(name, &step)| (name, step, Support::Positive)))
            }
        }
    }
}

/// The inverse of the information in the parameters themselves:
/// ∂²/∂θᵢ∂θⱼ = (∂²/∂xᵢ∂xⱼ − δᵢⱼ ∂/∂xᵢ) / (θᵢ θⱼ) for x = ln θ.
fn covariance(optimum: &Optimum, parameters: &[f64]) -> Option<DMatrix<f64>> {
    // Inverted in the logarithms, where the entries are of one size, then scaled.
    let mut information = optimum.hessian.clone();
    for (i, g) in optimum.gradient.iter().enumerate() {
        information[(i, i)] -= g;
    }
    let mut covariance = information.cholesky()?.inverse();
    for (i, &left) in parameters.iter().enumerate() {
        for (j, &right) in parameters.iter().enumerate() {
            covariance[(i, j)] *= left * right;
        }
    }
    Some(covariance)
}
