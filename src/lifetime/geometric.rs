//! Geometric: contracts of customers who are all alike.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::RetentionCurve;
use super::fit::{FitStatus, Fitted, Format, Limit, Maximum};
use super::posterior::{self, Posterior, PosteriorOptions, Target};
use super::renewal;
use crate::error::{ConfigError, Error, FitError};
use crate::numeric::optimise::Evaluation;
use crate::summary::RenewalSummary;

/// The geometric model: at every renewal every customer leaves with the same probability.
///
/// It is the baseline that [`Sbg`](super::Sbg) and [`Bdw`](super::Bdw) must beat, and what a "churn
/// rate" extrapolated into the future silently assumes. On real cohorts it promises too few survivors
/// in the long run, because it does not know that those ready to leave leave first.
///
/// ```
/// use tenure::lifetime::{Geometric, RetentionCurve};
/// use tenure::summary::RenewalSummary;
///
/// let survivors = [1000, 869, 743, 653, 593, 551, 517, 491];
/// let cohort = RenewalSummary::from_cohorts([&survivors[..]])?;
/// let model = Geometric::fit(&cohort)?;
/// // 509 left in 4926 decisions.
/// assert!((model.theta() - 0.1033).abs() < 1e-4);
/// assert!(1000.0 * model.survival(12) < 300.0); // but 394 were left
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Geometric {
    theta: f64,
}

const NAMES: [&str; 1] = ["theta"];

impl Geometric {
    /// A model with a given probability of leaving at each renewal.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 ≤ `theta` ≤ 1.
    pub fn new(theta: f64) -> Result<Self, ConfigError> {
        if (0.0..=1.0).contains(&theta) {
            return Ok(Self { theta });
        }
        Err(ConfigError::OutOfRange {
            setting: "theta",
            value: theta.to_string(),
            expected: "a probability from 0 to 1",
        })
    }

    /// The probability of leaving at each renewal.
    pub fn theta(&self) -> f64 {
        self.theta
    }

    /// Fits by maximum likelihood, which is a division: those who left over those who decided.
    ///
    /// When nobody left or nobody renewed, θ is 0 or 1 and the status
    /// [`FitStatus::Boundary`].
    ///
    /// # Errors
    /// [`FitError::TooFew`] unless somebody came up for a renewal.
    pub fn fit(renewals: &RenewalSummary) -> Result<Fitted<Self>, FitError> {
        renewal::check_identified(renewals, 1)?;
        let (all, left) = renewal::decisions(renewals);
        let model = Self { theta: left / all };
        let log_likelihood = model.log_likelihood_of(renewals);
        let at_limit = |limit| Maximum::at_limit([model.theta], log_likelihood, NAMES[0], limit);
        let maximum = match model.theta {
            0.0 => at_limit(Limit::Zero),
            1.0 => at_limit(Limit::One),
            theta => Maximum {
                parameters: [theta],
                log_likelihood,
                covariance: Some(DMatrix::from_element(1, 1, theta * (1.0 - theta) / all)),
                status: FitStatus::Interior,
                iterations: 0,
            },
        };
        Ok(renewal::fitted(model, renewals, &maximum, NAMES))
    }

    /// The log-likelihood of all contracts.
    pub fn log_likelihood_of(&self, renewals: &RenewalSummary) -> f64 {
        let (all, left) = renewal::decisions(renewals);
        self.log_likelihood(all, left)
    }

    fn log_likelihood(&self, all: f64, left: f64) -> f64 {
        let times = |count: f64, ln: f64| if count == 0.0 { 0.0 } else { count * ln };
        times(left, self.theta.ln()) + times(all - left, (-self.theta).ln_1p())
    }
}

impl Fitted<Geometric> {
    /// Draws from the posterior of the parameters under a flat prior in their logarithms, around the
    /// maximum, given the contracts that the model was fitted to; see
    /// [`interval`](super::interval).
    ///
    /// # Errors
    /// [`Error::Config`] for 0 draws;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary, which has no covariance: see [`posterior_with`](Self::posterior_with).
    pub fn posterior(
        &self,
        renewals: &RenewalSummary,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<Geometric>, Error> {
        self.posterior_with(renewals, &PosteriorOptions::around_maximum(draws, seed))
    }

    /// Draws from the posterior of the parameters under a stated prior, given the contracts that the
    /// model was fitted to; with a proper prior also where the fit ended on the boundary.
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary when the prior is flat.
    pub fn posterior_with(
        &self,
        renewals: &RenewalSummary,
        options: &PosteriorOptions,
    ) -> Result<Posterior<Geometric>, Error> {
        posterior::draw(self, options, &Decisions::new(renewals))
    }
}

/// How many decided, and how many of them against a renewal.
struct Decisions {
    all: f64,
    left: f64,
}

impl Decisions {
    fn new(renewals: &RenewalSummary) -> Self {
        let (all, left) = renewal::decisions(renewals);
        Self { all, left }
    }
}

impl Target for Decisions {
    type Model = Geometric;

    fn model(&self, parameters: &[f64]) -> Option<Geometric> {
        let &[theta] = parameters else {
            return None;
        };
        Geometric::new(theta).ok()
    }

    fn evaluate(&self, model: &Geometric) -> Evaluation {
        let odds = model.theta / (1.0 - model.theta);
        let stayed = self.all - self.left;
        Evaluation {
            value: model.log_likelihood(self.all, self.left),
            gradient: DVector::from_element(1, self.left - stayed * odds),
            hessian: DMatrix::from_element(1, 1, -stayed * odds * (1.0 + odds)),
        }
    }

    fn units(&self) -> Vec<f64> {
        vec![1.0]
    }
}

impl RetentionCurve for Geometric {
    fn survival(&self, t: u32) -> f64 {
        (1.0 - self.theta).powf(f64::from(t))
    }

    fn retention_rate(&self, t: u32) -> f64 {
        if t == 0 { 1.0 } else { 1.0 - self.theta }
    }

    fn residual_lifetime(&self, _: u32, horizon: u32) -> f64 {
        let horizon = f64::from(horizon);
        if self.theta == 0.0 || horizon == 0.0 {
            return horizon;
        }
        let lost = -(horizon * (-self.theta).ln_1p()).exp_m1();
        (1.0 - self.theta) * (lost / self.theta)
    }

    fn discounted_residual_lifetime(&self, _: u32, rate: f64) -> f64 {
        if rate.is_nan() || rate <= 0.0 {
            return f64::NAN;
        }
        // (1 − θ)(1 + d) / (θ + d), also for a rate without bound.
        (1.0 - self.theta) * ((1.0 + 1.0 / rate) / (1.0 + self.theta / rate))
    }
}

/// The parameter as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    theta: f64,
}

impl TryFrom<Saved> for Geometric {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.theta)
    }
}

impl From<Geometric> for Saved {
    fn from(Geometric { theta }: Geometric) -> Self {
        let format = Format;
        Self { format, theta }
    }
}
