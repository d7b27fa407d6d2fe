//! BG/NBD: customers buy at random and may leave after any repeat purchase.

mod likelihood;

use serde::{Deserialize, Serialize};

use self::likelihood::Likelihood;
use super::fit::{
    Drift, FitOptions, FitReport, FitStatus, Fitted, Format, Limit, Maximum, Problem, positive,
};
use super::posterior::{self, Parameters, Posterior};
use super::{PurchaseDistribution, PurchaseModel, Schedule, check_places};
use crate::error::{ConfigError, DataError, Error, FitError};
use crate::numeric::before_dropout::expected_before_dropout;
use crate::numeric::beta::ln_beta_ratio;
use crate::numeric::gamma::ln_gamma_ratio;
use crate::numeric::hypergeometric::ln_hyp2f1;
use crate::summary::{DistinctHistories, Histories, History, Numbering};

/// The BG/NBD model of Fader, Hardie and Lee (2005): the usual first choice.
///
/// While alive, a customer buys at random at a rate λ; after each repeat purchase the customer
/// leaves for good with probability p. Rates differ between customers as λ ~ Gamma(`r`, rate `alpha`), the
/// readiness to leave as p ~ Beta(`a`, `b`).
///
/// * mean rate r / α per unit of time; small r: customers differ much;
/// * mean probability of leaving a / (a + b) after each repeat purchase;
/// * a customer without a repeat purchase is alive by definition (nothing happened after which to
///   leave).
///
/// ```
/// use tenure::lifetime::{BgNbd, PurchaseModel};
/// use tenure::summary::History;
///
/// // CDNOW, in weeks: two repeat purchases, the last after 30.43 weeks of 38.86.
/// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426)?;
/// let history = History::new(2, 30.43, 38.86)?;
/// assert!((model.probability_alive(&history) - 0.7266).abs() < 1e-4);
/// assert!((model.expected_purchases(&history, 39.0) - 1.226).abs() < 1e-3);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Formulas: Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the
/// Pareto/NBD Model, *Marketing Science* 24(2), 275–284; named by their equation numbers below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct BgNbd {
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

const NAMES: [&str; 4] = ["r", "alpha", "a", "b"];

impl BgNbd {
    /// A model with given parameters; `alpha` is a time, in the unit of the histories.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(r: f64, alpha: f64, a: f64, b: f64) -> Result<Self, ConfigError> {
        Ok(Self {
            r: positive("r", r)?,
            alpha: positive("alpha", alpha)?,
            a: positive("a", a)?,
            b: positive("b", b)?,
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

    /// First parameter of the readiness to leave, whose mean is a / (a + b).
    pub fn a(&self) -> f64 {
        self.a
    }

    /// Second parameter of the readiness to leave.
    pub fn b(&self) -> f64 {
        self.b
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
    /// alike) are no error: see [`FitStatus::Boundary`].
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range; [`FitError::TooFew`] without customers;
    /// [`FitError::NotIdentified`] when nobody was observed for any time.
    pub fn fit_distinct(
        histories: &DistinctHistories,
        options: &FitOptions,
    ) -> Result<Fitted<Self>, Error> {
        let (customers, distinct) = (histories.customers(), histories.len());
        if customers == 0 {
            return Err(too_few_customers());
        }
        let data = Likelihood::new(histories);
        if data.total_age() <= 0.0 {
            return Err(FitError::NotIdentified {
                parameter: "the purchase rate",
                reason: "nobody was observed for any time after the first purchase",
            }
            .into());
        }
        let mean_age = data.total_age() / customers as f64;
        let problem = Problem {
            names: NAMES,
            units: [1.0, mean_age, 1.0, 1.0],
            starts: &starts(&data, customers as f64),
        };
        let maximum = if data.repeats() == 0.0 {
            nobody_repeats(&data, mean_age)
        } else {
            problem.maximise(options, |at| data.evaluate(&Self::from_valid(*at)))?
        };
        let report = FitReport::new(NAMES, &maximum, customers, distinct);
        Ok(Fitted {
            model: Self::from_valid(maximum.parameters),
            report,
        })
    }

    /// The log-likelihood of one customer's history (equation 6).
    pub fn log_likelihood(&self, history: &History) -> f64 {
        let x = f64::from(history.frequency);
        let age = history.age;
        let never_left = ln_gamma_ratio(self.r, x) + ln_beta_ratio(self.a, self.b, x)
            - self.r * (age / self.alpha).ln_1p()
            - x * (self.alpha + age).ln();
        match self.log_odds_left(history) {
            Some(odds) => never_left + softplus(odds),
            None => never_left,
        }
    }

    /// The log-likelihood of all customers: the sum of [`log_likelihood`](Self::log_likelihood)
    /// over the distinct histories times their counts.
    pub fn log_likelihood_of(&self, histories: &DistinctHistories) -> f64 {
        Likelihood::new(histories).value(self)
    }

    /// ln of P(left) / P(alive), or nothing for a customer who cannot have left:
    /// a / (b + x − 1) · ((α + T) / (α + t_x))^(r + x).
    fn log_odds_left(&self, history: &History) -> Option<f64> {
        let more = f64::from(history.frequency.checked_sub(1)?);
        let silence = (history.age - history.recency) / (self.alpha + history.recency);
        let dropout = self.a.ln() - (self.b + more).ln();
        Some(dropout + (self.r + (more + 1.0)) * silence.ln_1p())
    }

    /// Expected purchases of a customer known to be alive at T (equation 10 over equation 11's
    /// P(alive)); depends on the history through x and T only.
    fn expected_if_alive(&self, frequency: u32, age: f64, horizon: f64) -> f64 {
        let x = f64::from(frequency);
        // NaN is no time either: max() prefers the number.
        let w = (horizon.max(0.0) / (self.alpha + age)).min(f64::MAX);
        expected_before_dropout(self.r + x, self.a, self.b + x, w)
    }

    fn scheduled_if_alive(&self, frequency: u32, age: f64, schedule: &Schedule) -> f64 {
        schedule.iter().fold(0.0, |sum, (horizon, weight)| {
            sum + weight * self.expected_if_alive(frequency, age, horizon)
        })
    }

    /// `if_alive` of each row's (x, T) times the row's P(alive); computed once for each (x, T).
    fn times_alive(
        &self,
        histories: &Histories,
        out: &mut [f64],
        if_alive: impl Fn(u32, f64) -> f64,
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        let mut numbering = Numbering::new();
        let mut known: Vec<f64> = Vec::new();
        for (place, history) in out.iter_mut().zip(histories.iter()) {
            let number = numbering.number((history.frequency, history.age.to_bits())) as usize;
            let expected = match known.get(number) {
                Some(&expected) => expected,
                None => {
                    let expected = if_alive(history.frequency, history.age);
                    known.push(expected);
                    expected
                }
            };
            *place = self.probability_alive(&history) * expected;
        }
        Ok(())
    }

    fn from_valid([r, alpha, a, b]: [f64; 4]) -> Self {
        Self { r, alpha, a, b }
    }
}

impl Fitted<BgNbd> {
    /// Draws from the posterior of the parameters, given the histories that the model was fitted
    /// to; see [`interval`](super::interval).
    ///
    /// # Errors
    /// [`Error::Config`] for 0 draws; [`FitError::NotIdentified`] for a fit that ended on the
    /// boundary, which has no covariance.
    pub fn posterior(
        &self,
        histories: &DistinctHistories,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<BgNbd>, Error> {
        let data = Likelihood::new(histories);
        posterior::draw(self, draws, seed, |model| data.value(model))
    }
}

impl Parameters for BgNbd {
    fn from_parameters(parameters: &[f64]) -> Option<Self> {
        let &[r, alpha, a, b] = parameters else {
            return None;
        };
        Self::new(r, alpha, a, b).ok()
    }
}

impl PurchaseModel for BgNbd {
    /// P(alive | x, t_x, T): 1 without a repeat purchase.
    fn probability_alive(&self, history: &History) -> f64 {
        match self.log_odds_left(history) {
            Some(odds) => 1.0 / (1.0 + odds.exp()),
            None => 1.0,
        }
    }

    fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
        let if_alive = self.expected_if_alive(history.frequency, history.age, horizon);
        self.probability_alive(history) * if_alive
    }

    fn scheduled_purchases(&self, history: &History, schedule: &Schedule) -> f64 {
        let if_alive = self.scheduled_if_alive(history.frequency, history.age, schedule);
        self.probability_alive(history) * if_alive
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

impl PurchaseDistribution for BgNbd {
    /// Equation 8: either alive throughout, or left after the n-th purchase.
    fn purchase_probabilities(&self, t: f64, out: &mut [f64]) {
        let (counts, mut at_least) = self.counts_without_dropout(t.max(0.0), out.len());
        for (n, (place, &count)) in out.iter_mut().zip(&counts).enumerate().rev() {
            at_least += count;
            let x = n as f64;
            let stays = ln_beta_ratio(self.a, self.b, x).exp();
            *place = stays * count;
            if n > 0 {
                *place += stays * self.a / (self.b + (x - 1.0)) * at_least;
            }
        }
    }
}

impl BgNbd {
    /// P(N = n) for n < `places` and P(N ≥ `places`), N the purchases in a time t if nobody left: a
    /// negative binomial count.
    fn counts_without_dropout(&self, t: f64, places: usize) -> (Vec<f64>, f64) {
        let ln_z = t.ln() - (self.alpha + t).ln();
        let mut ln_count = -self.r * (t / self.alpha).ln_1p();
        let mut counts = Vec::with_capacity(places);
        let mut n = 0.0;
        for _ in 0..places {
            counts.push(ln_count.exp());
            ln_count += ((self.r + n) / (n + 1.0)).ln() + ln_z;
            n += 1.0;
        }
        if places == 0 || t == 0.0 {
            return (counts, if places == 0 { 1.0 } else { 0.0 });
        }
        // What the others leave is exact to some 1e-15: good for a tail that is not small. A small one
        // would lose its digits in the difference:
        // Σ_{j ≥ n} P(N = j) = P(N = n) ₂F₁(1, r + n; n + 1; z).
        const SMALL: f64 = 1e-3;
        const ROUNDING: f64 = 1e-14;
        let left = (1.0 - counts.iter().sum::<f64>()).max(0.0);
        if left > SMALL {
            return (counts, left);
        }
        let z = (t / (self.alpha + t)).min(1.0 - f64::EPSILON);
        let beyond = (ln_count + ln_hyp2f1(1.0, self.r + n, n + 1.0, z)).exp();
        (counts, beyond.min(left + ROUNDING))
    }
}

/// ln(1 + eˣ), for x of any size.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn too_few_customers() -> Error {
    let (have, need) = (0, 1);
    let what = "customers";
    FitError::TooFew { what, have, need }.into()
}

/// Where to begin: rates from the moments of the counts as if nobody left, the readiness to leave
/// first at what retailers commonly see, then far from it.
fn starts(data: &Likelihood, customers: f64) -> [[f64; 4]; 3] {
    let mean = data.repeats() / customers;
    let excess = data.repeats_squared() / customers - mean * mean - mean;
    let r = (mean * mean / excess.max(1e-3 * mean)).clamp(0.05, 20.0);
    let alpha = r * data.total_age() / data.repeats();
    [
        [r, alpha, 0.8, 2.5],
        [0.5 * r, 0.5 * alpha, 3.0, 3.0],
        [4.0 * r, 4.0 * alpha, 0.1, 1.0],
    ]
}

/// Without a repeat purchase the likelihood is (α / (α + T))^r: the best rate is none, and
/// nothing is known of a and b.
fn nobody_repeats(data: &Likelihood, mean_age: f64) -> Maximum<4> {
    let parameters = [1e-9, mean_age, 1.0, 1.0];
    Maximum {
        log_likelihood: data.value(&BgNbd::from_valid(parameters)),
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

/// The parameters as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

impl TryFrom<Saved> for BgNbd {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.r, saved.alpha, saved.a, saved.b)
    }
}

impl From<BgNbd> for Saved {
    fn from(model: BgNbd) -> Self {
        let BgNbd { r, alpha, a, b } = model;
        Self {
            format: Format,
            r,
            alpha,
            a,
            b,
        }
    }
}
