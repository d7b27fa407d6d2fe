//! The density that is drawn from, in the logarithms of the parameters (coefficients of covariates, which
//! may be negative, as they are).

use nalgebra::{DMatrix, DVector};

use super::Prior;
use crate::error::FitError;
use crate::lifetime::{Estimate, FitReport, Support};
use crate::numeric::optimise::{Evaluation, Limits, minimise};

/// A model's likelihood of given data, as a function of its parameters.
pub(in crate::lifetime) trait Target: Sync {
    type Model: Clone + Send + Sync;

    /// The model of these parameters, in the order of the fit's report; `None` when one is out of
    /// range.
    fn model(&self, parameters: &[f64]) -> Option<Self::Model>;

    /// The log-likelihood up to a constant, with its derivatives in the logarithms of the parameters
    /// that are positive, and in the others as they are.
    fn evaluate(&self, model: &Self::Model) -> Evaluation;

    /// The log-likelihood alone.
    fn value(&self, model: &Self::Model) -> f64 {
        self.evaluate(model).value
    }

    /// The unit of each parameter; 1 of those that are not positive.
    fn units(&self) -> Vec<f64>;

    /// Which values each parameter can take.
    fn supports(&self) -> Vec<Support> {
        vec![Support::Positive; self.units().len()]
    }
}

/// Likelihood times prior.
pub(super) struct Density<'a, T> {
    target: &'a T,
    supports: Vec<Support>,
    ln_units: Vec<f64>,
    /// 1 / spread², or 0.
    precision: f64,
}

/// The density at one place.
pub(super) struct At<M> {
    pub(super) model: M,
    /// Its logarithm up to a constant.
    pub(super) ln: f64,
    pub(super) slope: DVector<f64>,
}

impl<'a, T: Target> Density<'a, T> {
    pub(super) fn new(target: &'a T, prior: Prior) -> Self {
        Self {
            target,
            supports: target.supports(),
            ln_units: target.units().iter().map(|unit| libm::log(*unit)).collect(),
            precision: match prior {
                Prior::Flat => 0.0,
                Prior::LogNormal { spread } => 1.0 / (spread * spread),
            },
        }
    }

    /// `None` where the density is 0.
    pub(super) fn at(&self, logs: &[f64]) -> Option<At<T::Model>> {
        self.at_parameters(logs, &self.parameters(logs))
    }

    /// As [`at`](Self::at), without the slope: the model and the logarithm of its density.
    pub(super) fn value_at(&self, logs: &[f64]) -> Option<(T::Model, f64)> {
        let model = self.target.model(&self.parameters(logs))?;
        let away = logs.iter().zip(&self.ln_units).map(|(x, unit)| x - unit);
        let distance: f64 = away.map(|away| away * away).sum();
        let ln = self.target.value(&model) - 0.5 * self.precision * distance;
        ln.is_finite().then_some((model, ln))
    }

    fn parameters(&self, logs: &[f64]) -> Vec<f64> {
        let places = logs.iter().zip(&self.supports);
        places
            .map(|(&x, support)| match support {
                Support::Positive => libm::exp(x),
                Support::Real => x,
            })
            .collect()
    }

    /// As [`at`](Self::at), where the parameters are known.
    pub(super) fn at_parameters(&self, logs: &[f64], parameters: &[f64]) -> Option<At<T::Model>> {
        let model = self.target.model(parameters)?;
        let Evaluation {
            value,
            mut gradient,
            ..
        } = self.target.evaluate(&model);
        let mut ln = value;
        for ((slope, x), unit) in gradient.iter_mut().zip(logs).zip(&self.ln_units) {
            let away = x - unit;
            ln -= 0.5 * self.precision * away * away;
            *slope -= self.precision * away;
        }
        let finite = ln.is_finite() && gradient.iter().all(|slope| slope.is_finite());
        finite.then_some(At {
            model,
            ln,
            slope: gradient,
        })
    }

    /// The normal distribution around the density's maximum, which there is when the prior is proper.
    pub(super) fn maximise(&self, report: &FitReport) -> Result<Laplace, FitError> {
        // Where a likelihood without a maximum left its parameters the prior has nothing: a search
        // from there begins nearer to the units.
        const FAR: f64 = 3.0;
        let nearer = |by: f64| -> Vec<f64> {
            let estimates = report.parameters.iter().zip(&self.ln_units);
            let logs = estimates.map(|(e, unit)| unit + (place(e) - unit).clamp(-by, by));
            logs.collect()
        };
        let found = [nearer(f64::MAX), nearer(FAR), self.ln_units.clone()].map(|start| {
            let end = minimise(&start, &Limits::LOG_PARAMETERS, |x| self.negated(x))?;
            let scale = end.hessian.cholesky()?.inverse().cholesky()?.unpack();
            Some((
                end.value,
                Laplace {
                    centre: end.x,
                    scale,
                },
            ))
        });
        let best = found.into_iter().flatten();
        let best = best.min_by(|left, right| left.0.total_cmp(&right.0));
        best.map(|(_, laplace)| laplace)
            .ok_or(FitError::NotConverged {
                reason: "the posterior has no maximum that could be found",
                iterations: 0,
            })
    }

    fn negated(&self, x: &DVector<f64>) -> Evaluation {
        let parameters = self.parameters(x.as_slice());
        let Some(model) = self.target.model(&parameters) else {
            return Evaluation {
                value: f64::INFINITY,
                gradient: x.clone(),
                hessian: DMatrix::zeros(x.len(), x.len()),
            };
        };
        let mut at = self.target.evaluate(&model);
        at.value = -at.value;
        at.gradient.neg_mut();
        at.hessian.neg_mut();
        for (i, (x, unit)) in x.iter().zip(&self.ln_units).enumerate() {
            let away = x - unit;
            at.value += 0.5 * self.precision * away * away;
            at.gradient[i] += self.precision * away;
            at.hessian[(i, i)] += self.precision;
        }
        at
    }
}

/// Where an estimate lies: its logarithm, or itself.
fn place(estimate: &Estimate) -> f64 {
    match estimate.support {
        Support::Positive => libm::log(estimate.value),
        Support::Real => estimate.value,
    }
}

/// A normal distribution of the logarithms of the parameters.
pub(super) struct Laplace {
    pub(super) centre: DVector<f64>,
    /// The Cholesky factor of the covariance.
    pub(super) scale: DMatrix<f64>,
}

impl Laplace {
    /// Around the maximum of the likelihood; `None` where a fit has no covariance.
    pub(super) fn of_fit(report: &FitReport) -> Option<Self> {
        let covariance = report.covariance.as_ref()?;
        let units = report.parameters.iter().map(|e| match e.support {
            Support::Positive => e.value,
            Support::Real => 1.0,
        });
        let units: Vec<f64> = units.collect();
        let mut of_logs = DMatrix::zeros(units.len(), units.len());
        for (i, (row, left)) in covariance.iter().zip(&units).enumerate() {
            for (j, (entry, right)) in row.iter().zip(&units).enumerate() {
                of_logs[(i, j)] = entry / (left * right);
            }
        }
        Some(Self {
            centre: DVector::from_iterator(units.len(), report.parameters.iter().map(place)),
            scale: of_logs.cholesky()?.unpack(),
        })
    }

    /// The place at `z` standard deviations.
    pub(super) fn place(&self, z: &DVector<f64>) -> DVector<f64> {
        &self.centre + &self.scale * z
    }
}
