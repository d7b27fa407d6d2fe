//! GG/NBD: customers buy at random and leave at a moment whose risk changes with time.

mod distribution;
mod future;
mod likelihood;
mod search;

use serde::{Deserialize, Serialize};

use super::covariates::{Base, PurchaseBase, Side};
use super::fit::{FitOptions, FitReport, Fitted, Format, positive};
use super::posterior::{self, Posterior, PosteriorOptions, Target};
use super::random_lifetime::{Known, Likelihood, RandomLifetime};
use super::rates::{Counts, no_purchases};
use super::{PurchaseModel, Schedule};
use crate::error::{ConfigError, DataError, Error};
use crate::numeric::gompertz_race::GompertzGamma;
use crate::numeric::optimise::Evaluation;
use crate::numeric::pareto_race::Lomax;
use crate::summary::{DistinctHistories, Histories, History};

/// The Gamma/Gompertz/NBD model (GG/NBD, also "GGompertz") of Bemmaor and Glady (2012).
///
/// While alive, a customer buys at random at a rate λ, as in [`ParetoNbd`](super::ParetoNbd). The
/// lifetime follows a Gompertz distribution: the hazard of leaving is η b eᵇᵗ. Both levels differ
/// between customers: λ ~ Gamma(`r`, rate `alpha`), η ~ Gamma(`s`, rate `beta`). The share of customers
/// who stay for t is (β / (β − 1 + eᵇᵗ))ˢ.
///
/// * mean purchase rate r / α per unit of time; small r: customers differ much;
/// * β < 1: the share who leave falls from the beginning, as in Pareto/NBD; β > s + 1: it rises first,
///   so that lifetimes have a mode, at ln((β − 1) / s) / b, which Pareto/NBD cannot have;
/// * for b and β going to 0 together it becomes Pareto/NBD with the scale β / b. A fit to data that
///   want nothing else ends there, and says so:
///   [`FitStatus::Boundary`](super::FitStatus::Boundary) with b and β going to 0. Then take
///   [`ParetoNbd`](super::ParetoNbd).
///
/// ```
/// use tenure::lifetime::{FuturePurchases, GompertzGammaNbd, PurchaseModel};
/// use tenure::summary::History;
///
/// let model = GompertzGammaNbd::new(0.5531, 10.5758, 0.01, 0.6068, 0.12)?;
/// // In weeks: two repeat purchases, the last after 30.43 weeks of 38.86.
/// let history = History::new(2, 30.43, 38.86)?;
/// assert!((model.probability_alive(&history) - 0.8425).abs() < 1e-4);
/// assert!(model.probability_alive_after(&history, 10.0) < 0.75);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// What Pareto/NBD has as a series is an integral here, of one to several hundred terms for each distinct
/// (x, t_x) and (x, T), so that answers and each step of a fit cost a multiple of those of
/// [`ParetoNbd`](super::ParetoNbd). A fit begins with one of that model, and ends there when neither a
/// small b nor lifetimes with a mode do better. All integrals are to about 1e-13.
///
/// Source: Bemmaor and Glady (2012), Modeling Purchasing Behavior with Sudden "Death": A Flexible
/// Customer Lifetime Model, *Management Science* 58(5), 1012–1021; the order of the parameters is that of
/// the R package CLVTools.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct GompertzGammaNbd {
    r: f64,
    alpha: f64,
    b: f64,
    s: f64,
    beta: f64,
}

const NAMES: [&str; 5] = ["r", "alpha", "b", "s", "beta"];

impl GompertzGammaNbd {
    /// A model with given parameters; `alpha` is a time, in the unit of the histories, and `b` one over
    /// such a time.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(r: f64, alpha: f64, b: f64, s: f64, beta: f64) -> Result<Self, ConfigError> {
        Ok(Self {
            r: positive("r", r)?,
            alpha: positive("alpha", alpha)?,
            b: positive("b", b)?,
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

    /// How fast the hazard of leaving grows: e-fold in 1 / b of time.
    pub fn b(&self) -> f64 {
        self.b
    }

    /// Shape of the levels of the hazard.
    pub fn s(&self) -> f64 {
        self.s
    }

    /// Rate parameter of the levels of the hazard, a number: the mean level is s / β.
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
    /// alike, lifetimes as in Pareto/NBD) are no error: see
    /// [`FitStatus::Boundary`](super::FitStatus::Boundary).
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
        let counts = Counts::new(histories)?;
        let age = counts.mean_age();
        let data = Likelihood::new(histories, counts);
        let maximum = if data.counts().nobody_repeats() {
            let parameters = [1e-9, age, 1.0 / age, 1.0, 1.0];
            no_purchases(
                parameters,
                Self::from_valid(parameters).evaluate(&data).value,
            )
        } else {
            search::maximum(&data, options)?
        };
        let (customers, distinct) = (data.counts().customers, data.counts().distinct);
        Ok(Fitted {
            model: Self::from_valid(maximum.parameters),
            report: FitReport::new(NAMES, &maximum, customers, distinct),
        })
    }

    /// The log-likelihood of one customer's history (Bemmaor and Glady 2012, equation 7, by the two
    /// ways to fall silent).
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

    /// The lifetime, in units of 1 / b.
    fn life(&self) -> GompertzGamma {
        GompertzGamma {
            shape: self.s,
            scale: self.beta,
        }
    }

    /// A moment in units of 1 / b, and the lifetime that is left to one alive then.
    fn at(&self, t: f64) -> (f64, GompertzGamma) {
        let time = (self.b * t).min(f64::MAX);
        (time, self.life().after(time))
    }

    /// The race between leaving and the next purchase, in units of 1 / b.
    fn race(&self, frequency: u32, t: f64) -> (GompertzGamma, Lomax) {
        let mut next = self.next_purchase(frequency, t);
        next.scale *= self.b;
        (self.at(t).1, next)
    }

    fn from_valid([r, alpha, b, s, beta]: [f64; 5]) -> Self {
        Self {
            r,
            alpha,
            b,
            s,
            beta,
        }
    }
}

impl RandomLifetime for GompertzGammaNbd {
    fn purchase_rates(&self) -> (f64, f64) {
        (self.r, self.alpha)
    }

    fn leaving(&self, from: f64, time: f64) -> f64 {
        let (_, left) = self.at(from);
        let time = (self.b * time).min(f64::MAX);
        (self.s * left.ln_growth(time)).min(f64::MAX)
    }

    fn left_first(&self, frequency: u32, t: f64) -> f64 {
        let (left, next) = self.race(frequency, t);
        left.ends_first(next)
    }

    fn bought_first(&self, frequency: u32, t: f64) -> f64 {
        let (left, next) = self.race(frequency, t);
        left.outlasts(next)
    }

    fn expected_stay(&self, age: f64, horizon: f64) -> f64 {
        // NaN is no time either: max() prefers the number.
        let end = (self.b * horizon.max(0.0)).min(f64::MAX);
        self.at(age).1.stay(end, 0.0) / self.b
    }
}

impl Fitted<GompertzGammaNbd> {
    /// Draws from the posterior of the parameters, given the histories that the model was fitted
    /// to; see [`interval`](super::interval).
    ///
    /// # Errors
    /// [`Error::Config`] for 0 draws;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary, which has no covariance, and for histories without any time.
    pub fn posterior(
        &self,
        histories: &DistinctHistories,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<GompertzGammaNbd>, Error> {
        self.posterior_with(histories, &PosteriorOptions::around_maximum(draws, seed))
    }

    /// Draws from the posterior of the parameters under a stated prior, given the histories that the
    /// model was fitted to; with a proper prior also where the fit ended on the boundary.
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary when the prior is flat, and for histories without any time.
    pub fn posterior_with(
        &self,
        histories: &DistinctHistories,
        options: &PosteriorOptions,
    ) -> Result<Posterior<GompertzGammaNbd>, Error> {
        let data = Likelihood::new(histories, Counts::new(histories)?);
        posterior::draw(self, options, &Data(data))
    }
}

impl Base for GompertzGammaNbd {
    type Parameters = [f64; 5];
    type Data = Likelihood;

    const NAMES: &'static [&'static str] = &NAMES;
    const TIMES: &'static [usize] = &[1];
    const SIDES: [Side; 2] = [
        Side::new("trans", &[(1, -1.0)]),
        Side::new("life", &[(4, -1.0)]),
    ];

    fn parameters(&self) -> [f64; 5] {
        [self.r, self.alpha, self.b, self.s, self.beta]
    }

    fn with_parameters(&self, parameters: [f64; 5]) -> Self {
        Self::from_valid(parameters)
    }

    fn evaluate(&self, data: &Likelihood) -> Evaluation {
        self.evaluate(data)
    }
}

impl PurchaseBase for GompertzGammaNbd {
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
    type Model = GompertzGammaNbd;

    fn model(&self, parameters: &[f64]) -> Option<GompertzGammaNbd> {
        let &[r, alpha, b, s, beta] = parameters else {
            return None;
        };
        GompertzGammaNbd::new(r, alpha, b, s, beta).ok()
    }

    fn evaluate(&self, model: &GompertzGammaNbd) -> Evaluation {
        model.evaluate(&self.0)
    }

    fn units(&self) -> Vec<f64> {
        let age = self.0.counts().mean_age();
        vec![1.0, age, 1.0 / age, 1.0, 1.0]
    }
}

impl PurchaseModel for GompertzGammaNbd {
    fn probability_alive(&self, history: &History) -> f64 {
        self.alive(history)
    }

    fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
        let if_alive = self.expected_if_alive(history.frequency, history.age, horizon);
        self.probability_alive(history) * if_alive
    }

    fn scheduled_purchases(&self, history: &History, schedule: &Schedule) -> f64 {
        let stay = self.scheduled_stay(history.age, schedule);
        let if_alive = self.purchases_in(history.frequency, history.age, stay);
        self.probability_alive(history) * if_alive
    }

    /// P(alive) (r + x) / (α + T) ∫ exp(−δ t) S(T + t) / S(T) dt.
    fn discounted_residual_purchases(&self, history: &History, rate: f64) -> f64 {
        let stay = self.at(history.age).1.stay(f64::INFINITY, rate / self.b) / self.b;
        let if_alive = self.purchases_in(history.frequency, history.age, stay);
        self.probability_alive(history) * if_alive
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
        self.times_purchases_in(histories, out, |age| self.expected_stay(age, horizon))
    }

    fn scheduled_purchases_batch(
        &self,
        histories: &Histories,
        schedule: &Schedule,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.times_purchases_in(histories, out, |age| self.scheduled_stay(age, schedule))
    }
}

impl GompertzGammaNbd {
    /// The times to stay, weighted as in the schedule.
    fn scheduled_stay(&self, age: f64, schedule: &Schedule) -> f64 {
        schedule.iter().fold(0.0, |sum, (horizon, weight)| {
            sum + weight * self.expected_stay(age, horizon)
        })
    }

    /// The purchases of each row in a time that depends on the age only and is computed once for each.
    fn times_purchases_in(
        &self,
        histories: &Histories,
        out: &mut [f64],
        stay: impl Fn(f64) -> f64,
    ) -> Result<(), DataError> {
        let mut stays = Known::new();
        self.times_alive(histories, out, |frequency, age| {
            let stay = stays.get(0, age, || stay(age));
            self.purchases_in(frequency, age, stay)
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
    b: f64,
    s: f64,
    beta: f64,
}

impl TryFrom<Saved> for GompertzGammaNbd {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.r, saved.alpha, saved.b, saved.s, saved.beta)
    }
}

impl From<GompertzGammaNbd> for Saved {
    fn from(model: GompertzGammaNbd) -> Self {
        let GompertzGammaNbd {
            r,
            alpha,
            b,
            s,
            beta,
        } = model;
        Self {
            format: Format,
            r,
            alpha,
            b,
            s,
            beta,
        }
    }
}
