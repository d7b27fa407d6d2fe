//! Pareto/NBD: customers buy at random and leave at a random moment.

mod distribution;
mod future;
mod likelihood;

use serde::{Deserialize, Serialize};

use super::covariates::{Base, PurchaseBase, Side};
use super::fit::{FitOptions, FitReport, Fitted, Format, Maximum, Problem, positive};
use super::posterior::{self, Posterior, PosteriorOptions, Target};
use super::random_lifetime::{Likelihood, RandomLifetime};
use super::rates::{Counts, no_purchases};
use super::{PurchaseModel, Schedule};
use crate::error::{ConfigError, DataError, Error};
use crate::numeric::optimise::Evaluation;
use crate::numeric::pareto_race::{Lomax, race};
use crate::numeric::quadrature::half_line;
use crate::summary::{DistinctHistories, Histories, History};

/// The Pareto/NBD model of Schmittlein, Morrison and Colombo (1987): the reference of the field.
///
/// While alive, a customer buys at random at a rate λ; the customer leaves for good at a random
/// moment, at a rate μ, whether buying or not. Both differ between customers: λ ~ Gamma(`r`, rate
/// `alpha`), μ ~ Gamma(`s`, rate `beta`).
///
/// * mean purchase rate r / α per unit of time; small r: customers differ much;
/// * mean rate of leaving s / β; half of the customers have left after β (2^(1/s) − 1);
/// * unlike in [`BgNbd`](super::BgNbd) a customer without a repeat purchase may have left, so that
///   one-time buyers are not all alive by definition.
///
/// ```
/// use tenure::lifetime::{FuturePurchases, ParetoNbd, PurchaseModel};
/// use tenure::summary::History;
///
/// // CDNOW, in weeks: two repeat purchases, the last after 30.43 weeks of 38.86.
/// let model = ParetoNbd::new(0.553, 10.578, 0.606, 11.669)?;
/// let history = History::new(2, 30.43, 38.86)?;
/// assert!((model.probability_alive(&history) - 0.8692).abs() < 1e-4);
/// assert!((model.probability_alive_after(&history, 10.0) - 0.7791).abs() < 1e-4);
/// assert!((model.expected_purchases(&history, 39.0) - 1.455).abs() < 1e-3);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// A fit costs about as much as that of [`BgNbd`](super::BgNbd) where many customers share their (x, t_x)
/// or (x, T), as with times in whole days, and several times as much where no two do. Answers cost
/// about twice as much.
///
/// Formulas: Schmittlein, Morrison and Colombo (1987), Counting Your Customers: Who Are They and What
/// Will They Do Next?, *Management Science* 33(1), 1–24; Fader and Hardie (2005), A Note on Deriving
/// the Pareto/NBD Model and Related Expressions; Fader, Hardie and Lee (2005), RFM and CLV, *Journal of
/// Marketing Research* 42(4), for the discounted purchases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct ParetoNbd {
    r: f64,
    alpha: f64,
    s: f64,
    beta: f64,
}

pub(super) const NAMES: [&str; 4] = ["r", "alpha", "s", "beta"];

impl ParetoNbd {
    /// A model with given parameters; `alpha` and `beta` are times, in the unit of the histories.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(r: f64, alpha: f64, s: f64, beta: f64) -> Result<Self, ConfigError> {
        Ok(Self {
            r: positive("r", r)?,
            alpha: positive("alpha", alpha)?,
            s: positive("s", s)?,
            beta: positive("beta", beta)?,
        })
    }

    /// Shape of the purchase rates: the smaller, the more customers differ.
    pub fn r(&self) -> f64 {
        self.r
    }

    /// Rate parameter of the purchase rates, a time: the mean rate is r / α.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Shape of the rates of leaving.
    pub fn s(&self) -> f64 {
        self.s
    }

    /// Rate parameter of the rates of leaving, a time: the mean rate is s / β.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// Fits by maximum likelihood.
    ///
    /// # Errors
    /// As [`fit_distinct`](Self::fit_distinct).
    pub fn fit(histories: &Histories, options: &FitOptions) -> Result<Fitted<Self>, Error> {
        Self::fit_distinct(&histories.distinct(), options)
    }

    /// Fits by maximum likelihood to histories that are already counted.
    ///
    /// Data without a best model in the interior (nobody repeats, nobody leaves, all customers
    /// alike) are no error: see [`FitStatus::Boundary`](super::FitStatus::Boundary).
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range;
    /// [`FitError::TooFew`](crate::error::FitError::TooFew) without customers;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) when nobody was observed
    /// for any time.
    pub fn fit_distinct(
        histories: &DistinctHistories,
        options: &FitOptions,
    ) -> Result<Fitted<Self>, Error> {
        let data = Likelihood::new(histories, Counts::new(histories)?);
        let maximum = if data.counts().nobody_repeats() {
            let age = data.counts().mean_age();
            let parameters = [1e-9, age, 1.0, age];
            no_purchases(
                parameters,
                Self::from_valid(parameters).evaluate(&data).value,
            )
        } else {
            Self::maximum(&data, options)?
        };
        let (customers, distinct) = (data.counts().customers, data.counts().distinct);
        Ok(Fitted {
            model: Self::from_valid(maximum.parameters),
            report: FitReport::new(NAMES, &maximum, customers, distinct),
        })
    }

    /// Where the likelihood of customers of whom some repeat is largest.
    pub(super) fn maximum(data: &Likelihood, options: &FitOptions) -> Result<Maximum<4>, Error> {
        let age = data.counts().mean_age();
        let (r, alpha) = data.counts().start();
        let problem = Problem {
            names: NAMES,
            units: [1.0, age, 1.0, age],
            // Half gone early, as retailers commonly see; slow and alike; hardly anyone.
            starts: &[
                [r, alpha, 0.6, 0.4 * age],
                [0.5 * r, 0.5 * alpha, 2.0, 5.0 * age],
                [4.0 * r, 4.0 * alpha, 0.1, 0.1 * age],
            ],
        };
        problem.maximise(options, |at| Self::from_valid(*at).evaluate(data))
    }

    /// The log-likelihood of one customer's history (Fader and Hardie 2005, equation 13, as the sum
    /// of its two positive terms).
    pub fn log_likelihood(&self, history: &History) -> f64 {
        self.ln_likelihood(history)
    }

    /// The log-likelihood of all customers: the sum of [`log_likelihood`](Self::log_likelihood)
    /// over the distinct histories times their counts.
    pub fn log_likelihood_of(&self, histories: &DistinctHistories) -> f64 {
        histories.iter().fold(0.0, |sum, (history, count)| {
            sum + f64::from(count) * self.log_likelihood(&history)
        })
    }

    /// For a customer alive at `t` after `frequency` purchases: the probabilities that leaving, or a
    /// purchase, comes first, E\[μ / (λ + μ)\] and E\[λ / (λ + μ)\].
    fn left_or_bought_first(&self, frequency: u32, t: f64) -> (f64, f64) {
        let leaves = Lomax {
            shape: self.s,
            scale: self.beta + t,
        };
        race(leaves, self.next_purchase(frequency, t))
    }

    fn from_valid([r, alpha, s, beta]: [f64; 4]) -> Self {
        Self { r, alpha, s, beta }
    }
}

impl RandomLifetime for ParetoNbd {
    fn purchase_rates(&self) -> (f64, f64) {
        (self.r, self.alpha)
    }

    fn leaving(&self, from: f64, time: f64) -> f64 {
        self.s * (time / (self.beta + from)).ln_1p()
    }

    /// E\[μ / (λ + μ)\].
    fn left_first(&self, frequency: u32, t: f64) -> f64 {
        self.left_or_bought_first(frequency, t).0
    }

    /// E\[λ / (λ + μ)\].
    fn bought_first(&self, frequency: u32, t: f64) -> f64 {
        self.left_or_bought_first(frequency, t).1
    }

    /// ∫ ((β + T) / (β + T + t))^s dt over the horizon.
    fn expected_stay(&self, age: f64, horizon: f64) -> f64 {
        time_to_stay(self.s, self.beta + age, horizon)
    }
}

/// The expected time to stay within a horizon, ∫ (scale / (scale + t))^shape dt.
pub(super) fn time_to_stay(shape: f64, scale: f64, horizon: f64) -> f64 {
    // NaN is no time either: max() prefers the number.
    let logs = (horizon.max(0.0) / scale).min(f64::MAX).ln_1p();
    // ∫ exp((1 − s) v) dv from 0 to `logs`, whatever the sign of 1 − s.
    let growth = (1.0 - shape) * logs;
    let stretch = if growth == 0.0 {
        1.0
    } else {
        growth.exp_m1() / growth
    };
    scale * (logs * stretch)
}

impl Fitted<ParetoNbd> {
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
        histories: &DistinctHistories,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<ParetoNbd>, Error> {
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
        histories: &DistinctHistories,
        options: &PosteriorOptions,
    ) -> Result<Posterior<ParetoNbd>, Error> {
        let data = Likelihood::new(histories, Counts::new(histories)?);
        posterior::draw(self, options, &Data(data))
    }
}

impl Base for ParetoNbd {
    type Parameters = [f64; 4];
    type Data = Likelihood;

    const NAMES: &'static [&'static str] = &NAMES;
    const TIMES: &'static [usize] = &[1, 3];
    const SIDES: [Side; 2] = [
        Side::new("trans", &[(1, -1.0)]),
        Side::new("life", &[(3, -1.0)]),
    ];

    fn parameters(&self) -> [f64; 4] {
        [self.r, self.alpha, self.s, self.beta]
    }

    fn with_parameters(&self, parameters: [f64; 4]) -> Self {
        Self::from_valid(parameters)
    }

    fn evaluate(&self, data: &Likelihood) -> Evaluation {
        self.evaluate(data)
    }
}

impl PurchaseBase for ParetoNbd {
    type Choice = ();

    fn fit_without(
        histories: &Histories,
        (): (),
        options: &FitOptions,
    ) -> Result<Fitted<Self>, Error> {
        Self::fit(histories, options)
    }

    fn arrange(&self, histories: &DistinctHistories) -> Result<Likelihood, Error> {
        Ok(Likelihood::new(histories, Counts::of_any(histories)))
    }

    fn ln_likelihood_of_one(&self, history: &History) -> f64 {
        self.log_likelihood(history)
    }
}

/// What the posterior is drawn from.
struct Data(Likelihood);

impl Target for Data {
    type Model = ParetoNbd;

    fn model(&self, parameters: &[f64]) -> Option<ParetoNbd> {
        let &[r, alpha, s, beta] = parameters else {
            return None;
        };
        ParetoNbd::new(r, alpha, s, beta).ok()
    }

    fn evaluate(&self, model: &ParetoNbd) -> Evaluation {
        model.evaluate(&self.0)
    }

    fn units(&self) -> Vec<f64> {
        let age = self.0.counts().mean_age();
        vec![1.0, age, 1.0, age]
    }
}

impl PurchaseModel for ParetoNbd {
    fn probability_alive(&self, history: &History) -> f64 {
        self.alive(history)
    }

    fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
        let if_alive = self.expected_if_alive(history.frequency, history.age, horizon);
        self.probability_alive(history) * if_alive
    }

    fn scheduled_purchases(&self, history: &History, schedule: &Schedule) -> f64 {
        let if_alive = self.scheduled_if_alive(history.frequency, history.age, schedule);
        self.probability_alive(history) * if_alive
    }

    /// P(alive) (r + x) / (α + T) ∫ exp(−δ t) ((β + T) / (β + T + t))^s dt: Fader, Hardie and Lee's
    /// equation 2 before it is written with the confluent hypergeometric function.
    fn discounted_residual_purchases(&self, history: &History, rate: f64) -> f64 {
        let unit = rate * (self.beta + history.age);
        let present = half_line(1e-13, |u| (-u - self.s * (u / unit).ln_1p()).exp()).value;
        let purchase_rate =
            (self.r + f64::from(history.frequency)) / (self.alpha + history.age) / rate;
        self.probability_alive(history) * (purchase_rate * present)
    }

    fn probability_alive_batch(
        &self,
        histories: &Histories,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.times_alive(histories, out, |_, _| 1.0)
    }

    fn expected_purchases_batch(
        &self,
        histories: &Histories,
        horizon: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.times_alive(histories, out, |frequency, age| {
            self.expected_if_alive(frequency, age, horizon)
        })
    }

    fn scheduled_purchases_batch(
        &self,
        histories: &Histories,
        schedule: &Schedule,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.times_alive(histories, out, |frequency, age| {
            self.scheduled_if_alive(frequency, age, schedule)
        })
    }
}

/// The parameters as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    r: f64,
    alpha: f64,
    s: f64,
    beta: f64,
}

impl TryFrom<Saved> for ParetoNbd {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.r, saved.alpha, saved.s, saved.beta)
    }
}

impl From<ParetoNbd> for Saved {
    fn from(model: ParetoNbd) -> Self {
        let ParetoNbd { r, alpha, s, beta } = model;
        Self {
            format: Format,
            r,
            alpha,
            s,
            beta,
        }
    }
}
