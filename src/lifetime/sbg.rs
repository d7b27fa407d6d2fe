//! sBG: contracts renewed with a probability that differs between customers but never changes.

use serde::{Deserialize, Serialize};

use super::RetentionCurve;
use super::fit::{FitOptions, Fitted, Format, positive};
use super::jet::Jet;
use super::posterior::{self, Posterior, PosteriorOptions};
use super::renewal::{self, Curve};
use crate::error::{ConfigError, Error};
use crate::numeric::beta::ln_beta_ratio;
use crate::numeric::gamma::{digamma_diff, trigamma_diff};
use crate::numeric::hypergeometric::ln_hyp2f1;
use crate::summary::RenewalSummary;

/// The shifted-beta-geometric model of Fader and Hardie (2007): the usual first choice for
/// contracts.
///
/// At each renewal a customer leaves with the own probability θ, which never changes; the
/// customers differ as θ ~ Beta(`alpha`, `beta`). The retention rate of a cohort then rises with its
/// age, not because customers become loyal but because those ready to leave have left.
///
/// * mean probability of leaving at the first renewal α / (α + β);
/// * retention rate at renewal t: (β + t − 1) / (α + β + t − 1);
/// * small α + β: customers differ much; large: hardly, as in [`Geometric`](super::Geometric).
///
/// ```
/// use tenure::lifetime::{FitOptions, RetentionCurve, Sbg};
/// use tenure::summary::RenewalSummary;
///
/// // Of 1000 customers 869 renewed once, 743 twice, …
/// let survivors = [1000, 869, 743, 653, 593, 551, 517, 491];
/// let cohort = RenewalSummary::from_cohorts([&survivors[..]])?;
/// let model = Sbg::fit(&cohort, &FitOptions::default())?;
/// assert!((model.alpha() - 0.668).abs() < 1e-3 && (model.beta() - 3.806).abs() < 1e-3);
/// // Five renewals beyond the data: 394 were left.
/// assert!((1000.0 * model.survival(12) - 378.0).abs() < 0.5);
/// // A customer about to renew for the first time is good for 5.4 discounted renewals.
/// assert!((model.discounted_residual_lifetime(0, 0.1) - 5.41).abs() < 0.01);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Formulas: Fader and Hardie (2007), How to Project Customer Retention, *Journal of Interactive
/// Marketing* 21(1), 76–90, equations 5 to 8; residual lifetime: Fader and Hardie (2010), Customer-Base
/// Valuation in a Contractual Setting: The Perils of Ignoring Heterogeneity, *Marketing Science* 29(1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Sbg {
    alpha: f64,
    beta: f64,
}

impl Sbg {
    /// A model with given parameters.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(alpha: f64, beta: f64) -> Result<Self, ConfigError> {
        Ok(Self {
            alpha: positive("alpha", alpha)?,
            beta: positive("beta", beta)?,
        })
    }

    /// First parameter of the readiness to leave, whose mean is α / (α + β).
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Second parameter of the readiness to leave.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// Fits by maximum likelihood to one or several cohorts, or to single contracts.
    ///
    /// Data without a best model in the interior (nobody leaves, all customers alike) are no error:
    /// see [`FitStatus::Boundary`](super::FitStatus::Boundary).
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range;
    /// [`FitError::TooFew`](crate::error::FitError::TooFew) unless somebody came up for two
    /// renewals: one retention rate does not tell two parameters.
    pub fn fit(renewals: &RenewalSummary, options: &FitOptions) -> Result<Fitted<Self>, Error> {
        renewal::fit(renewals, options, &starts(renewals))
    }

    /// The log-likelihood of all contracts.
    pub fn log_likelihood_of(&self, renewals: &RenewalSummary) -> f64 {
        renewal::evaluate(self, renewals).value
    }
}

impl Fitted<Sbg> {
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
    ) -> Result<Posterior<Sbg>, Error> {
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
    ) -> Result<Posterior<Sbg>, Error> {
        posterior::draw(self, options, &renewal::Contracts::new(renewals))
    }
}

impl RetentionCurve for Sbg {
    /// B(α, β + t) / B(α, β).
    fn survival(&self, t: u32) -> f64 {
        ln_beta_ratio(self.alpha, self.beta, f64::from(t)).exp()
    }

    /// Equation 8.
    fn retention_rate(&self, t: u32) -> f64 {
        let Some(before) = t.checked_sub(1) else {
            return 1.0;
        };
        let stays = self.beta + f64::from(before);
        stays / (self.alpha + stays)
    }

    fn residual_lifetime(&self, tenure: u32, horizon: u32) -> f64 {
        let mut stays = self.beta + f64::from(tenure);
        let mut survival = 1.0;
        let mut sum = 0.0;
        for _ in 0..horizon {
            survival *= stays / (self.alpha + stays);
            sum += survival;
            stays += 1.0;
        }
        sum
    }

    /// The closed form of Fader and Hardie (2010), after Pfaff's transformation:
    /// r (1 + d)/d · ₂F₁(1, α; α + β + n + 1; −1/d) after n renewals, r the next retention rate.
    fn discounted_residual_lifetime(&self, tenure: u32, rate: f64) -> f64 {
        if rate.is_nan() || rate <= 0.0 {
            return f64::NAN;
        }
        let stays = self.beta + f64::from(tenure);
        let both = self.alpha + stays;
        // For an α this large the second renewal makes no difference to the sum.
        if both + 1.0 <= self.alpha {
            return stays / both;
        }
        let longer = ln_hyp2f1(1.0, self.alpha, both + 1.0, -1.0 / rate);
        stays / both * ((1.0 + 1.0 / rate) * longer.exp()).max(1.0)
    }
}

impl Curve<2> for Sbg {
    const NAMES: [&'static str; 2] = ["alpha", "beta"];

    fn from_valid([alpha, beta]: [f64; 2]) -> Self {
        Self { alpha, beta }
    }

    fn parameters(&self) -> [f64; 2] {
        [self.alpha, self.beta]
    }

    fn ln_survival(&self, t: f64) -> Jet<2> {
        let &Self { alpha, beta } = self;
        let (both, both_curve) = (
            digamma_diff(alpha + beta, t),
            trigamma_diff(alpha + beta, t),
        );
        let stay_curve = trigamma_diff(beta, t) - both_curve;
        Jet {
            value: ln_beta_ratio(alpha, beta, t),
            slope: [-both, digamma_diff(beta, t) - both],
            curve: [[-both_curve, -both_curve], [-both_curve, stay_curve]],
        }
    }

    fn ln_retention(&self, t: f64) -> Jet<2> {
        let stays = self.beta + (t - 1.0);
        let both = self.alpha + stays;
        let (of_both, of_stays) = (1.0 / both, 1.0 / stays);
        let curve = of_both * of_both;
        Jet {
            value: -(self.alpha / stays).ln_1p(),
            // 1/stays − 1/both without the difference.
            slope: [-of_both, self.alpha * of_stays * of_both],
            curve: [
                [curve, curve],
                [
                    curve,
                    -self.alpha * (stays + both) * curve * of_stays * of_stays,
                ],
            ],
        }
    }
}

/// Where to begin: the mean readiness to leave as if customers were alike, then more and less
/// difference between them.
pub(super) fn starts(renewals: &RenewalSummary) -> [[f64; 2]; 3] {
    let (all, left) = renewal::decisions(renewals);
    let mean = (left / all).clamp(1e-6, 1.0 - 1e-6);
    [3.0, 0.5, 50.0].map(|both| [mean * both, (1.0 - mean) * both])
}

/// The parameters as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    alpha: f64,
    beta: f64,
}

impl TryFrom<Saved> for Sbg {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.alpha, saved.beta)
    }
}

impl From<Sbg> for Saved {
    fn from(model: Sbg) -> Self {
        let Sbg { alpha, beta } = model;
        Self {
            format: Format,
            alpha,
            beta,
        }
    }
}
