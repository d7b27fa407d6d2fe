//! BG/BB: purchases on set occasions by customers who may leave between two of them.

mod likelihood;

use serde::{Deserialize, Serialize};

use self::likelihood::Likelihood;
use super::fit::{FitOptions, FitReport, Fitted, Format, Limit, Maximum, Problem, positive};
use super::posterior::{self, Posterior, PosteriorOptions, Target};
use super::renewal::Curve;
use super::{RetentionCurve, Sbg};
use crate::error::{ConfigError, DataError, Error, FitError};
use crate::numeric::beta::ln_beta_ratio;
use crate::numeric::optimise::Evaluation;
use crate::summary::{Numbering, OccasionHistory, OccasionSummary};

/// The BG/BB model of Fader, Hardie and Shang (2010), for purchases on set occasions: a yearly
/// appeal, a monthly box, a season.
///
/// Before each occasion a customer leaves for good with probability θ; on each occasion a customer
/// who has not left buys with probability p. The customers differ as p ~ Beta(`alpha`, `beta`) and
/// θ ~ Beta(`gamma`, `delta`), independently.
///
/// * mean probability of buying while alive α / (α + β);
/// * mean probability of leaving before the first occasion γ / (γ + δ).
///
/// ```
/// use tenure::lifetime::BgBb;
/// use tenure::summary::OccasionHistory;
///
/// // Donors to a radio station, over six yearly appeals.
/// let model = BgBb::new(1.204, 0.75, 0.657, 2.783)?;
/// let faithful = OccasionHistory::new(6, 6, 6)?;
/// let silent = OccasionHistory::new(3, 3, 6)?;
/// assert!((model.probability_alive(&faithful) - 0.93).abs() < 1e-2);
/// assert!((model.probability_alive(&silent) - 0.09).abs() < 1e-2);
/// assert!((model.expected_purchases(&faithful, 5) - 3.75).abs() < 1e-2);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # What it costs
/// One history takes as many steps as occasions have passed since its last purchase; a fit passes
/// over the distinct histories.
///
/// Formulas: Fader, Hardie and Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual
/// Setting, *Marketing Science* 29(6), 1086–1108.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct BgBb {
    alpha: f64,
    beta: f64,
    gamma: f64,
    delta: f64,
}

const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

impl BgBb {
    /// A model with given parameters.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(alpha: f64, beta: f64, gamma: f64, delta: f64) -> Result<Self, ConfigError> {
        Ok(Self {
            alpha: positive("alpha", alpha)?,
            beta: positive("beta", beta)?,
            gamma: positive("gamma", gamma)?,
            delta: positive("delta", delta)?,
        })
    }

    /// First parameter of the readiness to buy, whose mean is α / (α + β).
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Second parameter of the readiness to buy.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// First parameter of the readiness to leave, whose mean is γ / (γ + δ).
    pub fn gamma(&self) -> f64 {
        self.gamma
    }

    /// Second parameter of the readiness to leave.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// Fits by maximum likelihood.
    ///
    /// Data without a best model in the interior (nobody buys again, nobody leaves, all customers
    /// alike) are no error: see [`FitStatus::Boundary`](super::FitStatus::Boundary).
    ///
    /// ```
    /// use tenure::lifetime::{BgBb, FitOptions};
    /// use tenure::summary::{OccasionColumns, OccasionSummary};
    ///
    /// let columns = OccasionColumns {
    ///     frequency: vec![0, 1, 1, 2, 2, 2, 3],
    ///     recency: vec![0, 1, 3, 2, 3, 3, 3],
    ///     occasions: vec![3; 7],
    ///     count: vec![90, 40, 9, 25, 18, 12, 60],
    /// };
    /// let model = BgBb::fit(&OccasionSummary::from_columns(&columns)?, &FitOptions::default())?;
    /// assert_eq!(model.report.customers, 254);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range; [`FitError::TooFew`] without customers;
    /// [`FitError::NotIdentified`] when nobody met an occasion.
    pub fn fit(histories: &OccasionSummary, options: &FitOptions) -> Result<Fitted<Self>, Error> {
        if histories.customers() == 0 {
            let (what, have, need) = ("customers", 0, 1);
            return Err(FitError::TooFew { what, have, need }.into());
        }
        let data = Likelihood::new(histories);
        if data.occasions() == 0.0 {
            return Err(FitError::NotIdentified {
                parameter: "the readiness to buy",
                reason: "nobody met an occasion after the first purchase",
            }
            .into());
        }
        let problem = Problem {
            names: NAMES,
            units: [1.0; 4],
            starts: &starts(&data),
        };
        let maximum = if data.purchases() == 0.0 {
            nobody_buys(&data)
        } else {
            problem.maximise(options, |at| data.evaluate(&Self::from_valid(*at)))?
        };
        // The summary holds at most 2^53 customers.
        let customers = histories.customers() as usize;
        Ok(Fitted {
            model: Self::from_valid(maximum.parameters),
            report: FitReport::new(NAMES, &maximum, customers, histories.distinct()),
        })
    }

    /// The log-likelihood of one customer's history.
    pub fn log_likelihood(&self, history: &OccasionHistory) -> f64 {
        let silence = self.silence(history);
        self.ln_until_last_purchase(history) + silence.total().ln()
    }

    /// The log-likelihood of all customers.
    pub fn log_likelihood_of(&self, histories: &OccasionSummary) -> f64 {
        Likelihood::new(histories).value(self)
    }

    /// The probability that the customer has not left by the next occasion, the first after the end
    /// of the observation (n + 1).
    pub fn probability_alive(&self, history: &OccasionHistory) -> f64 {
        self.probability_alive_at(history, 1)
    }

    /// The probability that the customer has not left by the occasion `ahead` after the end of
    /// the observation (n + `ahead`); for 0, by the last occasion observed.
    pub fn probability_alive_at(&self, history: &OccasionHistory, ahead: u32) -> f64 {
        let stays = self.delta + f64::from(history.occasions());
        let survives = ln_beta_ratio(self.gamma, stays, f64::from(ahead)).exp();
        self.silence(history).share_stayed() * survives
    }

    /// The expected number of purchases on the next `occasions` occasions.
    pub fn expected_purchases(&self, history: &OccasionHistory, occasions: u32) -> f64 {
        self.purchases_now(history)
            * self
                .leaving()
                .residual_lifetime(history.occasions(), occasions)
    }

    /// The expected purchases on all occasions to come, that on the k-th from now divided by
    /// (1 + `rate`)^k: discounted expected residual transactions (DERT), with the `rate` per
    /// occasion.
    ///
    /// A rate that is not positive gives NaN: the sum may be infinite.
    pub fn discounted_residual_purchases(&self, history: &OccasionHistory, rate: f64) -> f64 {
        let leaving = self.leaving();
        let residual = leaving.discounted_residual_lifetime(history.occasions(), rate);
        self.purchases_now(history) * residual / (1.0 + rate)
    }

    /// [`probability_alive`](Self::probability_alive) of many customers, computed once for each
    /// distinct history.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each history.
    pub fn probability_alive_batch(
        &self,
        histories: &[OccasionHistory],
        out: &mut [f64],
    ) -> Result<(), DataError> {
        of_distinct(histories, out, |history| self.probability_alive(history))
    }

    /// [`expected_purchases`](Self::expected_purchases) of many customers, computed once for each
    /// distinct history.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each history.
    pub fn expected_purchases_batch(
        &self,
        histories: &[OccasionHistory],
        occasions: u32,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        of_distinct(histories, out, |history| {
            self.expected_purchases(history, occasions)
        })
    }

    /// P(X(n) = x) for x = 0, 1, …: on how many of the first `occasions` (n) occasions a new
    /// customer buys, as many probabilities as `out` has places.
    pub fn purchase_probabilities(&self, occasions: u32, out: &mut [f64]) {
        for (x, place) in (0..).zip(out) {
            *place = if x <= occasions {
                self.probability_of(x, occasions)
            } else {
                0.0
            };
        }
    }

    /// On how many of the next `occasions` the customer buys: P(X(n, n + n*) = x | history) for x = 0,
    /// 1, …, as many probabilities as `out` has places.
    ///
    /// Who is alive is like a new customer whose p ~ Beta(α + x, β + n − x) and θ ~ Beta(γ, δ + n).
    pub fn future_purchase_probabilities(
        &self,
        history: &OccasionHistory,
        occasions: u32,
        out: &mut [f64],
    ) {
        let (x, n) = (history.frequency(), history.occasions());
        let from_now = Self {
            alpha: self.alpha + f64::from(x),
            beta: self.beta + f64::from(n - x),
            gamma: self.gamma,
            delta: self.delta + f64::from(n),
        };
        let alive = self.silence(history).share_stayed();
        from_now.purchase_probabilities(occasions, out);
        for place in out.iter_mut() {
            *place *= alive;
        }
        if let Some(none) = out.first_mut() {
            *none = (*none + (1.0 - alive)).min(1.0);
        }
    }

    /// How customers leave, were they to buy or not.
    fn leaving(&self) -> Sbg {
        Sbg::from_valid([self.gamma, self.delta])
    }

    /// Expected purchases on one occasion from now, if nobody left any more.
    fn purchases_now(&self, history: &OccasionHistory) -> f64 {
        let (x, n) = (
            f64::from(history.frequency()),
            f64::from(history.occasions()),
        );
        let buys = (self.alpha + x) / (self.alpha + self.beta + n);
        self.silence(history).share_stayed() * buys
    }

    /// ln of the probability of the purchases up to the last, and of leaving right after it.
    fn ln_until_last_purchase(&self, history: &OccasionHistory) -> f64 {
        let (x, t_x) = (f64::from(history.frequency()), f64::from(history.recency()));
        let missed = t_x - x;
        ln_beta_ratio(self.alpha, self.beta, missed)
            + ln_beta_ratio(self.beta + missed, self.alpha, x)
            + self.ln_leaves_after(t_x)
    }

    /// ln B(γ + 1, δ + t) / B(γ, δ): leaves after t occasions.
    fn ln_leaves_after(&self, t: f64) -> f64 {
        -(self.delta / self.gamma).ln_1p() + ln_beta_ratio(self.gamma + 1.0, self.delta, t)
    }

    /// The ways in which the silence since the last purchase came about.
    fn silence(&self, history: &OccasionHistory) -> Silence {
        let (x, t_x) = (f64::from(history.frequency()), f64::from(history.recency()));
        let missed = self.beta + (t_x - x);
        let both = self.alpha + self.beta + t_x;
        let stays = self.delta + t_x;
        let leaves_or_stays = self.gamma + self.delta + t_x + 1.0;
        let (mut left, mut here) = (0.0, 1.0);
        for i in 0..history.occasions() - history.recency() {
            left += here;
            let i = f64::from(i);
            here *= (missed + i) / (both + i) * ((stays + i) / (leaves_or_stays + i));
        }
        let n = f64::from(history.occasions());
        Silence {
            left,
            stayed: here * ((self.gamma + self.delta + n) / self.gamma),
        }
    }

    /// P(X(n) = x): Σ over how many occasions i the customer stayed for, the terms relative to that
    /// of i = x.
    fn probability_of(&self, purchases: u32, occasions: u32) -> f64 {
        const LARGE: f64 = 1e250;
        let (x, n) = (f64::from(purchases), f64::from(occasions));
        let mut ln_scale = ln_beta_ratio(self.beta, self.alpha, x) + self.ln_leaves_after(x);
        let (mut left, mut here) = (0.0, 1.0);
        for i in purchases..occasions {
            left += here;
            let i = f64::from(i);
            let draws = (i + 1.0) / (i + 1.0 - x) * (self.beta + (i - x));
            let leaves = self.gamma + self.delta + i + 1.0;
            here *= draws / (self.alpha + self.beta + i) * ((self.delta + i) / leaves);
            if here > LARGE {
                (left, here) = (left / LARGE, here / LARGE);
                ln_scale += LARGE.ln();
            }
        }
        let stayed = here * ((self.gamma + self.delta + n) / self.gamma);
        (ln_scale + (left + stayed).ln()).exp()
    }

    fn from_valid([alpha, beta, gamma, delta]: [f64; 4]) -> Self {
        Self {
            alpha,
            beta,
            gamma,
            delta,
        }
    }
}

/// Probabilities of a silence, relative to that of leaving right after the last purchase.
struct Silence {
    /// That the customer left on the way.
    left: f64,
    /// That the customer stayed and did not buy.
    stayed: f64,
}

impl Silence {
    fn total(&self) -> f64 {
        self.left + self.stayed
    }

    fn share_stayed(&self) -> f64 {
        self.stayed / self.total()
    }
}

impl Fitted<BgBb> {
    /// Draws from the posterior of the parameters under a flat prior in their logarithms, around the
    /// maximum, given the histories that the model was fitted to; see
    /// [`interval`](super::interval).
    ///
    /// # Errors
    /// [`Error::Config`] for 0 draws;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary, which has no covariance: see [`posterior_with`](Self::posterior_with).
    pub fn posterior(
        &self,
        histories: &OccasionSummary,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<BgBb>, Error> {
        self.posterior_with(histories, &PosteriorOptions::around_maximum(draws, seed))
    }

    /// Draws from the posterior of the parameters under a stated prior, given the histories that the
    /// model was fitted to; with a proper prior also where the fit ended on the boundary.
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary when the prior is flat.
    pub fn posterior_with(
        &self,
        histories: &OccasionSummary,
        options: &PosteriorOptions,
    ) -> Result<Posterior<BgBb>, Error> {
        posterior::draw(self, options, &Likelihood::new(histories))
    }
}

impl Target for Likelihood {
    type Model = BgBb;

    fn model(&self, parameters: &[f64]) -> Option<BgBb> {
        let &[alpha, beta, gamma, delta] = parameters else {
            return None;
        };
        BgBb::new(alpha, beta, gamma, delta).ok()
    }

    fn evaluate(&self, model: &BgBb) -> Evaluation {
        self.evaluate(model)
    }

    fn units(&self) -> Vec<f64> {
        vec![1.0; NAMES.len()]
    }
}

/// `answer` of each history, computed once for each that is distinct.
fn of_distinct(
    histories: &[OccasionHistory],
    out: &mut [f64],
    answer: impl Fn(&OccasionHistory) -> f64,
) -> Result<(), DataError> {
    if out.len() != histories.len() {
        return Err(DataError::Length {
            column: "out",
            found: out.len(),
            reference: "histories",
            expected: histories.len(),
        });
    }
    let mut numbering = Numbering::new();
    let mut known: Vec<f64> = Vec::new();
    for (place, history) in out.iter_mut().zip(histories) {
        let number = numbering.number(*history) as usize;
        *place = match known.get(number) {
            Some(&known) => known,
            None => {
                let new = answer(history);
                known.push(new);
                new
            }
        };
    }
    Ok(())
}

/// Where to begin: the readiness to buy from the occasions up to the last purchase, the readiness
/// to leave first at what charities see, then far from it.
fn starts(data: &Likelihood) -> [[f64; 4]; 3] {
    let mean = (data.purchases() / data.occasions_until_last()).clamp(1e-3, 1.0 - 1e-3);
    let with = |both: f64, gamma, delta| [both * mean, both * (1.0 - mean), gamma, delta];
    [
        with(2.0, 0.6, 2.5),
        with(10.0, 2.0, 4.0),
        with(0.5, 0.1, 1.0),
    ]
}

/// Without a purchase the best readiness to buy is none, and nothing is known of who left.
fn nobody_buys(data: &Likelihood) -> Maximum<4> {
    let parameters = [1e-9, 1.0, 1.0, 1.0];
    let log_likelihood = data.value(&BgBb::from_valid(parameters));
    Maximum::at_limit(parameters, log_likelihood, NAMES[0], Limit::Zero)
}

/// The parameters as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    alpha: f64,
    beta: f64,
    gamma: f64,
    delta: f64,
}

impl TryFrom<Saved> for BgBb {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.alpha, saved.beta, saved.gamma, saved.delta)
    }
}

impl From<BgBb> for Saved {
    fn from(model: BgBb) -> Self {
        let BgBb {
            alpha,
            beta,
            gamma,
            delta,
        } = model;
        Self {
            format: Format,
            alpha,
            beta,
            gamma,
            delta,
        }
    }
}
