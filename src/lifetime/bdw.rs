//! BdW: contracts whose readiness to leave differs between customers and changes as they stay.

mod residual;

use serde::{Deserialize, Serialize};

use super::RetentionCurve;
use super::fit::{FitOptions, Fitted, Format, positive};
use super::jet::Jet;
use super::posterior::{self, Posterior, PosteriorOptions};
use super::renewal::{self, Curve};
use super::sbg;
use crate::error::{ConfigError, Error};
use crate::numeric::beta::ln_beta_ratio;
use crate::numeric::gamma::{digamma_diff, trigamma, trigamma_diff};
use crate::summary::RenewalSummary;

/// The beta-discrete-Weibull model of Fader, Hardie, Liu, Davin and Steenburgh (2018): an
/// [`Sbg`](super::Sbg) in which a customer's own readiness to leave may change with time.
///
/// A customer survives t renewals with probability (1 − θ)^(t^c); the customers differ as
/// θ ~ Beta(`alpha`, `beta`).
///
/// * c = 1: nobody changes, as in [`Sbg`](super::Sbg);
/// * c > 1: each becomes readier to leave with time, and retention may fall before it rises;
/// * c < 1: each becomes more loyal with time.
///
/// ```
/// use tenure::lifetime::{Bdw, FitOptions, RetentionCurve};
/// use tenure::summary::RenewalSummary;
///
/// let survivors = [1000, 869, 743, 653, 593, 551, 517, 491];
/// let cohort = RenewalSummary::from_cohorts([&survivors[..]])?;
/// let model = Bdw::fit(&cohort, &FitOptions::default())?;
/// assert!(model.c() > 1.5); // retention fell from 87% to 85% before it rose
/// assert!(model.retention_rate(2) < model.retention_rate(1));
/// // Five renewals beyond the data: 394 were left.
/// assert!((1000.0 * model.survival(12) - 404.0).abs() < 0.5);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Formulas: Fader, Hardie, Liu, Davin and Steenburgh (2018), "How to Project Customer Retention"
/// Revisited: The Role of Duration Dependence, *Journal of Interactive Marketing* 43, 1–16.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Bdw {
    alpha: f64,
    beta: f64,
    c: f64,
}

/// The largest t^c that is still calculated with.
const FOREVER: f64 = 1e300;

impl Bdw {
    /// A model with given parameters.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(alpha: f64, beta: f64, c: f64) -> Result<Self, ConfigError> {
        Ok(Self {
            alpha: positive("alpha", alpha)?,
            beta: positive("beta", beta)?,
            c: positive("c", c)?,
        })
    }

    /// First parameter of the readiness to leave at the first renewal, whose mean is α / (α + β).
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Second parameter of the readiness to leave at the first renewal.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// How a customer's readiness to leave changes: above 1 it grows, below 1 it fades.
    pub fn c(&self) -> f64 {
        self.c
    }

    /// Fits by maximum likelihood to one or several cohorts, or to single contracts.
    ///
    /// Data without a best model in the interior are no error: see
    /// [`FitStatus::Boundary`](super::FitStatus::Boundary).
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range;
    /// [`FitError::TooFew`](crate::error::FitError::TooFew) unless somebody came up for three
    /// renewals: two retention rates do not tell three parameters.
    pub fn fit(renewals: &RenewalSummary, options: &FitOptions) -> Result<Fitted<Self>, Error> {
        let starts = sbg::starts(renewals);
        let mut change = [1.0, 1.5, 0.7].into_iter();
        let starts = starts.map(|[alpha, beta]| [alpha, beta, change.next().unwrap_or(1.0)]);
        renewal::fit(renewals, options, &starts)
    }

    /// The log-likelihood of all contracts.
    pub fn log_likelihood_of(&self, renewals: &RenewalSummary) -> f64 {
        renewal::evaluate(self, renewals).value
    }

    /// t^c, the time by which (1 − θ) has been applied.
    fn stretched(&self, t: f64) -> f64 {
        t.powf(self.c).min(FOREVER)
    }

    /// (t + more)^c − t^c, without the difference.
    fn stretched_gap(&self, t: f64, more: f64) -> f64 {
        if t == 0.0 {
            return self.stretched(more);
        }
        let start = self.stretched(t);
        let growth = (self.c * (more / t).ln_1p()).exp_m1();
        (start * growth).min(FOREVER - start)
    }

    /// ln of S(t + more) / S(t).
    fn ln_conditional(&self, t: f64, more: f64) -> f64 {
        // Survival falls like t^(−αc) where t^c would leave the range of numbers.
        let beyond = |t: f64| self.c * t.ln() - FOREVER.ln();
        if beyond(t) > 0.0 {
            return -self.alpha * self.c * (more / t).ln_1p();
        }
        let reached = self.beta + self.stretched(t);
        let rest = beyond(t + more).max(0.0);
        ln_beta_ratio(self.alpha, reached, self.stretched_gap(t, more)) - self.alpha * rest
    }
}

impl Fitted<Bdw> {
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
    ) -> Result<Posterior<Bdw>, Error> {
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
    ) -> Result<Posterior<Bdw>, Error> {
        posterior::draw(self, options, &renewal::Contracts::new(renewals))
    }
}

impl RetentionCurve for Bdw {
    /// B(α, β + t^c) / B(α, β).
    fn survival(&self, t: u32) -> f64 {
        self.ln_conditional(0.0, f64::from(t)).exp()
    }

    /// B(α, β + t^c) / B(α, β + (t − 1)^c).
    fn retention_rate(&self, t: u32) -> f64 {
        t.checked_sub(1).map_or(1.0, |before| {
            self.ln_conditional(f64::from(before), 1.0).exp()
        })
    }

    fn residual_lifetime(&self, tenure: u32, horizon: u32) -> f64 {
        let survived = |ahead| {
            self.ln_conditional(f64::from(tenure), f64::from(ahead))
                .exp()
        };
        (1..=horizon).map(survived).sum()
    }

    /// The sum itself while it is short; of a long one (rates below 2%) the smooth rest by
    /// Gregory's formula, to about 1e-12.
    fn discounted_residual_lifetime(&self, tenure: u32, rate: f64) -> f64 {
        residual::discounted(self, f64::from(tenure), rate)
    }
}

impl Curve<3> for Bdw {
    const NAMES: [&'static str; 3] = ["alpha", "beta", "c"];

    fn from_valid([alpha, beta, c]: [f64; 3]) -> Self {
        Self { alpha, beta, c }
    }

    fn parameters(&self) -> [f64; 3] {
        [self.alpha, self.beta, self.c]
    }

    fn ln_survival(&self, t: f64) -> Jet<3> {
        let &Self { alpha, beta, .. } = self;
        let y = self.stretched(t);
        // ∂y/∂c; at t = 0 and 1, c makes no difference.
        let ln_t = if t > 0.0 { t.ln() } else { 0.0 };
        let y_slope = y * ln_t;
        let (both, both_curve) = (
            digamma_diff(alpha + beta, y),
            trigamma_diff(alpha + beta, y),
        );
        let (in_y, in_y_twice) = (
            -digamma_diff(beta + y, alpha),
            -trigamma_diff(beta + y, alpha),
        );
        let alpha_c = -trigamma(alpha + beta + y) * y_slope;
        let beta_c = in_y_twice * y_slope;
        let beta_beta = trigamma_diff(beta, y) - both_curve;
        Jet {
            value: ln_beta_ratio(alpha, beta, y),
            slope: [-both, digamma_diff(beta, y) - both, in_y * y_slope],
            curve: [
                [-both_curve, -both_curve, alpha_c],
                [-both_curve, beta_beta, beta_c],
                [alpha_c, beta_c, (beta_c + in_y * ln_t) * y_slope],
            ],
        }
    }

    fn ln_retention(&self, t: f64) -> Jet<3> {
        let before = t - 1.0;
        let stays = self.beta + self.stretched(before);
        let gap = self.stretched_gap(before, 1.0);
        let both = digamma_diff(self.alpha + stays, gap);
        let mut step = self.ln_survival(t) - self.ln_survival(before);
        step.value = ln_beta_ratio(self.alpha, stays, gap);
        step.slope[0] = -both;
        step.slope[1] = digamma_diff(stays, gap) - both;
        step
    }
}

/// The parameters as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    alpha: f64,
    beta: f64,
    c: f64,
}

impl TryFrom<Saved> for Bdw {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.alpha, saved.beta, saved.c)
    }
}

impl From<Bdw> for Saved {
    fn from(model: Bdw) -> Self {
        let Bdw { alpha, beta, c } = model;
        Self {
            format: Format,
            alpha,
            beta,
            c,
        }
    }
}
