//! NBD: customers buy at random and never leave.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::covariates::{Base, PurchaseBase, Side};
use super::fit::{FitOptions, FitReport, Fitted, Format, Problem, positive};
use super::future::NextAtRandom;
use super::posterior::{self, Posterior, PosteriorOptions, Target};
use super::rates::{Counts, ln_coefficients, no_purchases};
use super::{FuturePurchases, PurchaseDistribution, PurchaseModel};
use crate::error::{ConfigError, Error, FitError};
use crate::numeric::gamma::{ln_gamma, ln_gamma_ratio};
use crate::numeric::optimise::Evaluation;
use crate::summary::{DistinctHistories, Histories, History, Numbering};

/// The negative binomial model of Ehrenberg (1959): the baseline without dropout.
///
/// A customer buys at random at a rate λ for ever; rates differ between customers as λ ~ Gamma(`r`,
/// rate `alpha`). It sees how often somebody bought, not when: compare it with
/// [`ParetoNbd`](super::ParetoNbd) on the same customers to learn how much of the picture is people
/// leaving. The two likelihoods are not comparable: this one is of the count alone.
///
/// ```
/// use tenure::lifetime::{Nbd, PurchaseModel};
/// use tenure::summary::History;
///
/// let model = Nbd::new(0.385, 12.072)?;
/// let history = History::new(2, 30.43, 38.86)?;
/// assert_eq!(model.probability_alive(&history), 1.0);
/// assert!((model.expected_purchases(&history, 39.0) - 1.826).abs() < 1e-3);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Formulas: Ehrenberg (1959), The Pattern of Consumer Purchases, *Applied Statistics* 8(1), 26–41;
/// Morrison and Schmittlein (1988), Generalizing the NBD Model for Customer Purchases, *Journal of
/// Business and Economic Statistics* 6(2), 145–159.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Nbd {
    r: f64,
    alpha: f64,
}

const NAMES: [&str; 2] = ["r", "alpha"];

impl Nbd {
    /// A model with given parameters; `alpha` is a time, in the unit of the histories.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(r: f64, alpha: f64) -> Result<Self, ConfigError> {
        Ok(Self {
            r: positive("r", r)?,
            alpha: positive("alpha", alpha)?,
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

    /// Fits by maximum likelihood.
    ///
    /// # Errors
    /// As [`fit_distinct`](Self::fit_distinct).
    pub fn fit(histories: &Histories, options: &FitOptions) -> Result<Fitted<Self>, Error> {
        Self::fit_distinct(&histories.distinct(), options)
    }

    /// Fits by maximum likelihood to histories that are already counted.
    ///
    /// Data without a best model in the interior (nobody repeats; counts that vary no more than by
    /// chance, as of customers who are all alike) are no error: see
    /// [`FitStatus::Boundary`](super::FitStatus::Boundary).
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range;
    /// [`FitError::TooFew`](crate::error::FitError::TooFew) without customers;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) when nobody was observed
    /// for any time, or somebody bought in no time, which has no finite likelihood.
    pub fn fit_distinct(
        histories: &DistinctHistories,
        options: &FitOptions,
    ) -> Result<Fitted<Self>, Error> {
        let data = Likelihood::new(histories, Counts::new(histories)?)?;
        let age = data.counts.mean_age();
        let maximum = if data.counts.nobody_repeats() {
            let [r, alpha] = [1e-9, age];
            no_purchases([r, alpha], data.evaluate(&Self { r, alpha }).value)
        } else {
            let (r, alpha) = data.counts.start();
            let problem = Problem {
                names: NAMES,
                units: [1.0, age],
                starts: &[[r, alpha], [0.2 * r, 0.2 * alpha]],
            };
            problem.maximise(options, |&[r, alpha]| data.evaluate(&Self { r, alpha }))?
        };
        let [r, alpha] = maximum.parameters;
        let (customers, distinct) = (data.counts.customers, data.counts.distinct);
        Ok(Fitted {
            model: Self { r, alpha },
            report: FitReport::new(NAMES, &maximum, customers, distinct),
        })
    }

    /// The log-likelihood of one customer's number of purchases, ln P(X(T) = x).
    ///
    /// Minus infinity for purchases in no time.
    pub fn log_likelihood(&self, history: &History) -> f64 {
        let x = f64::from(history.frequency);
        ln_gamma_ratio(self.r, x) - ln_gamma(x + 1.0) + self.ln_power(x, history.age)
    }

    /// The log-likelihood of all customers: the sum of [`log_likelihood`](Self::log_likelihood)
    /// over the distinct histories times their counts.
    pub fn log_likelihood_of(&self, histories: &DistinctHistories) -> f64 {
        histories.iter().fold(0.0, |sum, (history, count)| {
            sum + f64::from(count) * self.log_likelihood(&history)
        })
    }

    /// ln (α / (α + t))^r (t / (α + t))^x.
    fn ln_power(&self, x: f64, t: f64) -> f64 {
        let none = -self.r * (t / self.alpha).ln_1p();
        if x == 0.0 {
            return none;
        }
        none - x * (self.alpha / t).ln_1p()
    }
}

/// The data, arranged by what each term of the likelihood depends on.
pub struct Likelihood {
    counts: Counts,
    ages: Vec<Age>,
    /// Σ x ln T − ln x! over the customers with a repeat purchase.
    constant: f64,
}

/// Customers of the same age.
struct Age {
    age: f64,
    customers: f64,
    purchases: f64,
}

impl Likelihood {
    fn new(histories: &DistinctHistories, counts: Counts) -> Result<Self, Error> {
        let mut numbering = Numbering::new();
        let mut ages: Vec<Age> = Vec::new();
        let mut constant = 0.0;
        for (history, count) in histories.iter() {
            let (x, customers) = (f64::from(history.frequency), f64::from(count));
            let (age, purchases) = (history.age, x * customers);
            if history.frequency > 0 {
                if age == 0.0 {
                    return Err(FitError::NotIdentified {
                        parameter: "the purchase rate",
                        reason: "a customer with repeat purchases was observed for no time (T = 0)",
                    }
                    .into());
                }
                constant += purchases * age.ln() - customers * ln_gamma(x + 1.0);
            }
            match ages.get_mut(numbering.number(age.to_bits()) as usize) {
                Some(known) => {
                    known.customers += customers;
                    known.purchases += purchases;
                }
                None => ages.push(Age {
                    age,
                    customers,
                    purchases,
                }),
            }
        }
        Ok(Self {
            counts,
            ages,
            constant,
        })
    }

    /// The log-likelihood with its derivatives in ln r, ln α.
    fn evaluate(&self, &Nbd { r, alpha }: &Nbd) -> Evaluation {
        let [rising, mut of_r, mut rr] = self.counts.rising(r);
        let mut value = rising + self.constant;
        let (mut of_alpha, mut r_alpha, mut alpha_alpha) = (0.0, 0.0, 0.0);
        let ln_alpha = alpha.ln();
        for at in &self.ages {
            let ln = (at.age / alpha).ln_1p();
            let part = at.age / (alpha + at.age);
            let rate = r * at.customers;
            value -= rate * ln + at.purchases * (ln_alpha + ln);
            of_r -= rate * ln;
            rr -= rate * ln;
            of_alpha += rate * part - at.purchases * (1.0 - part);
            r_alpha += rate * part;
            alpha_alpha -= (rate + at.purchases) * part * (1.0 - part);
        }
        Evaluation {
            value,
            gradient: DVector::from_column_slice(&[of_r, of_alpha]),
            hessian: DMatrix::from_row_slice(2, 2, &[rr, r_alpha, r_alpha, alpha_alpha]),
        }
    }
}

impl Fitted<Nbd> {
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
    ) -> Result<Posterior<Nbd>, Error> {
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
    ) -> Result<Posterior<Nbd>, Error> {
        let data = Likelihood::new(histories, Counts::new(histories)?)?;
        posterior::draw(self, options, &data)
    }
}

impl Target for Likelihood {
    type Model = Nbd;

    fn model(&self, parameters: &[f64]) -> Option<Nbd> {
        let &[r, alpha] = parameters else {
            return None;
        };
        Nbd::new(r, alpha).ok()
    }

    fn evaluate(&self, model: &Nbd) -> Evaluation {
        self.evaluate(model)
    }

    fn units(&self) -> Vec<f64> {
        vec![1.0, self.counts.mean_age()]
    }
}

impl PurchaseModel for Nbd {
    /// Always 1: nobody leaves.
    fn probability_alive(&self, _: &History) -> f64 {
        1.0
    }

    /// (r + x) / (α + T) × horizon.
    fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
        let rate = (self.r + f64::from(history.frequency)) / (self.alpha + history.age);
        // NaN is no time either: max() prefers the number.
        (rate * horizon.max(0.0)).min(f64::MAX)
    }

    /// (r + x) / (α + T) / rate.
    fn discounted_residual_purchases(&self, history: &History, rate: f64) -> f64 {
        (self.r + f64::from(history.frequency)) / (self.alpha + history.age) / rate
    }
}

impl FuturePurchases for Nbd {
    /// Always 1: nobody leaves.
    fn probability_alive_after(&self, _: &History, _: f64) -> f64 {
        1.0
    }

    fn future_purchase_probabilities(&self, history: &History, t: f64, out: &mut [f64]) {
        let NextAtRandom { shape, unit } = self.next(history);
        let from_now = Self {
            r: shape,
            alpha: unit,
        };
        from_now.purchase_probabilities(t, out);
    }

    /// (α + T) / (r + x − 1), infinite for r + x ≤ 1.
    fn mean_time_to_purchase(&self, history: &History) -> f64 {
        self.next(history).mean(1.0)
    }

    fn probability_of_purchase(&self, history: &History, t: f64) -> f64 {
        self.next(history).probability(t)
    }

    /// Always 1: everybody buys again, though perhaps late.
    fn probability_of_any_purchase(&self, _: &History) -> f64 {
        1.0
    }

    fn time_to_purchase(&self, history: &History, probability: f64) -> Option<f64> {
        (probability < 1.0).then(|| self.next(history).time(probability.max(0.0)))
    }
}

impl Nbd {
    fn next(&self, history: &History) -> NextAtRandom {
        NextAtRandom {
            shape: self.r + f64::from(history.frequency),
            unit: self.alpha + history.age,
        }
    }
}

impl PurchaseDistribution for Nbd {
    fn purchase_probabilities(&self, t: f64, out: &mut [f64]) {
        let mut x = 0.0;
        for (place, coefficient) in out.iter_mut().zip(ln_coefficients(self.r)) {
            *place = (coefficient + self.ln_power(x, t.max(0.0))).exp();
            x += 1.0;
        }
    }
}

impl Base for Nbd {
    type Parameters = [f64; 2];
    type Data = Likelihood;

    const NAMES: &'static [&'static str] = &NAMES;
    const TIMES: &'static [usize] = &[1];
    const SIDES: [Side; 2] = [Side::new("trans", &[(1, -1.0)]), Side::new("life", &[])];

    fn parameters(&self) -> [f64; 2] {
        [self.r, self.alpha]
    }

    fn with_parameters(&self, [r, alpha]: [f64; 2]) -> Self {
        Self { r, alpha }
    }

    fn evaluate(&self, data: &Likelihood) -> Evaluation {
        data.evaluate(self)
    }
}

impl PurchaseBase for Nbd {
    type Choice = ();

    fn fit_without(
        histories: &Histories,
        (): (),
        options: &FitOptions,
    ) -> Result<Fitted<Self>, Error> {
        Self::fit(histories, options)
    }

    fn arrange(&self, histories: &DistinctHistories) -> Result<Likelihood, Error> {
        Likelihood::new(histories, Counts::of_any(histories))
    }

    fn ln_likelihood_of_one(&self, history: &History) -> f64 {
        self.log_likelihood(history)
    }
}

/// The parameters as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    r: f64,
    alpha: f64,
}

impl TryFrom<Saved> for Nbd {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.r, saved.alpha)
    }
}

impl From<Nbd> for Saved {
    fn from(Nbd { r, alpha }: Nbd) -> Self {
        Self {
            format: Format,
            r,
            alpha,
        }
    }
}
