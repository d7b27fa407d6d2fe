//! Gamma-Gamma: what a customer spends on a purchase.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::SpendModel;
use super::fit::{FitOptions, FitReport, Fitted, Format, Problem, positive};
use super::posterior::{self, Posterior, PosteriorOptions, Target};
use crate::error::{ConfigError, Error, FitError};
use crate::numeric::gamma::{digamma_diff, ln_gamma, ln_gamma_ratio, trigamma, trigamma_diff};
use crate::numeric::optimise::Evaluation;
use crate::numeric::reduce::sum_chunks;
use crate::summary::{Histories, History, Numbering};

/// The Gamma-Gamma model of spend.
///
/// A customer's purchases vary around the customer's own mean as z ~ Gamma(`p`, rate ν), and the
/// customers' means vary as ν ~ Gamma(`q`, rate `v`). It takes spend to be independent of how often the
/// customer buys; check that with [`SpendIndependence`](super::SpendIndependence) before you rely on it.
///
/// * the mean over all customers is p v / (q − 1), infinite for q ≤ 1;
/// * a customer's expected spend lies between that and the customer's own mean so far, the
///   nearer to the latter the more purchases there were.
///
/// ```
/// use tenure::lifetime::{GammaGamma, SpendModel};
/// use tenure::summary::History;
///
/// let model = GammaGamma::new(6.25, 3.74, 15.44)?;
/// let one = History::new(1, 1.71, 38.86)?.with_mean_spend(11.77)?;
/// assert!((model.expected_spend(&one) - 18.92).abs() < 0.01);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Source: Fader, Hardie and Lee (2005), RFM and CLV, *Journal of Marketing Research* 42(4); Fader and
/// Hardie (2013), The Gamma-Gamma Model of Monetary Value, whose equation numbers are used here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct GammaGamma {
    p: f64,
    q: f64,
    v: f64,
}

const NAMES: [&str; 3] = ["p", "q", "v"];

impl GammaGamma {
    /// A model with given parameters; `v` is an amount of money, in major units.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a parameter that is not positive and finite.
    pub fn new(p: f64, q: f64, v: f64) -> Result<Self, ConfigError> {
        Ok(Self {
            p: positive("p", p)?,
            q: positive("q", q)?,
            v: positive("v", v)?,
        })
    }

    /// Shape of a customer's purchases around the customer's mean: the larger, the more alike.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// Shape of the customers' rates: the larger, the more alike the customers; their means have
    /// a finite mean for q > 1 and a finite variance for q > 2.
    pub fn q(&self) -> f64 {
        self.q
    }

    /// Rate parameter of the customers' rates, an amount of money.
    pub fn v(&self) -> f64 {
        self.v
    }

    /// The mean spend over all customers, p v / (q − 1); `None` where it is infinite (q ≤ 1).
    pub fn population_mean(&self) -> Option<f64> {
        (self.q > 1.0).then(|| self.p * self.v / (self.q - 1.0))
    }

    /// Fits by maximum likelihood to the customers with a repeat purchase and a positive mean
    /// spend; the others say nothing about spend and are left out.
    ///
    /// Customers hardly ever share a mean spend, so the cost goes with their number: one logarithm
    /// each for every step.
    ///
    /// # Errors
    /// [`Error::Config`] for options out of range; [`FitError::TooFew`] with fewer than two such
    /// customers.
    pub fn fit(histories: &Histories, options: &FitOptions) -> Result<Fitted<Self>, Error> {
        let data = Likelihood::new(histories);
        let customers = data.customers.len();
        if customers < 2 {
            return Err(FitError::TooFew {
                what: "customers with a repeat purchase and a positive mean spend",
                have: customers,
                need: 2,
            }
            .into());
        }
        let mean = data.mean_spend();
        let problem = Problem {
            names: NAMES,
            units: [1.0, 1.0, mean],
            starts: &[[4.0, 4.0, 0.75 * mean], [1.0, 2.0, mean]],
        };
        let maximum = problem.maximise(options, |&[p, q, v]| data.evaluate(&Self { p, q, v }))?;
        let [p, q, v] = maximum.parameters;
        Ok(Fitted {
            model: Self { p, q, v },
            report: FitReport::new(NAMES, &maximum, customers, customers),
        })
    }

    /// The log-likelihood of the mean spend of one customer's repeat purchases (equation 1a); 0, which says
    /// nothing, without a repeat purchase or without spend.
    pub fn log_likelihood(&self, history: &History) -> f64 {
        let Some(customer) = Customer::new(history) else {
            return 0.0;
        };
        let px = self.p * customer.x;
        let (below, above) = customer.shares(self.v);
        ln_gamma_ratio(px, self.q)
            - ln_gamma(self.q)
            - self.q * below
            - px * above
            - history.mean_spend.ln()
    }

    /// The log-likelihood of all customers.
    pub fn log_likelihood_of(&self, histories: &Histories) -> f64 {
        Likelihood::new(histories).evaluate(self).value
    }
}

impl Fitted<GammaGamma> {
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
        histories: &Histories,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<GammaGamma>, Error> {
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
        histories: &Histories,
        options: &PosteriorOptions,
    ) -> Result<Posterior<GammaGamma>, Error> {
        posterior::draw(self, options, &Likelihood::new(histories))
    }
}

impl Target for Likelihood {
    type Model = GammaGamma;

    fn model(&self, parameters: &[f64]) -> Option<GammaGamma> {
        let &[p, q, v] = parameters else {
            return None;
        };
        GammaGamma::new(p, q, v).ok()
    }

    fn evaluate(&self, model: &GammaGamma) -> Evaluation {
        self.evaluate(model)
    }

    fn units(&self) -> Vec<f64> {
        vec![1.0, 1.0, self.mean_spend()]
    }
}

impl SpendModel for GammaGamma {
    /// p (v + m x) / (p x + q − 1) (equation 5): without a repeat purchase the mean over all
    /// customers. Infinity where p x + q ≤ 1, because there the mean is infinite.
    fn expected_spend(&self, history: &History) -> f64 {
        let x = f64::from(history.frequency);
        let pull = self.p * x + (self.q - 1.0);
        if pull <= 0.0 {
            return f64::INFINITY;
        }
        self.p / pull * self.v + self.p * x / pull * history.mean_spend
    }
}

/// The customers that say something, arranged by what each term of the likelihood depends on.
///
/// With s = x m the total spend, equation 1a is
/// −lnB(p x, q) − q ln(1 + s/v) − p x ln(1 + v/s) − ln m.
struct Likelihood {
    customers: Vec<Customer>,
    /// Distinct (x, customers).
    frequencies: Vec<(f64, f64)>,
    ln_means: f64,
}

struct Customer {
    x: f64,
    total: f64,
    ln_total: f64,
}

impl Customer {
    fn new(history: &History) -> Option<Self> {
        if history.frequency == 0 || history.mean_spend <= 0.0 {
            return None;
        }
        let x = f64::from(history.frequency);
        let total = x * history.mean_spend;
        Some(Self {
            x,
            total,
            ln_total: x.ln() + history.mean_spend.ln(),
        })
    }

    /// ln(1 + s/v) and ln(1 + v/s), the small one to full precision.
    fn shares(&self, v: f64) -> (f64, f64) {
        self.shares_at(v, v.ln())
    }

    fn shares_at(&self, v: f64, ln_v: f64) -> (f64, f64) {
        let ln_quotient = self.ln_total - ln_v;
        let quotient = if self.total < v {
            self.total / v
        } else {
            v / self.total
        };
        let small = quotient.ln_1p();
        (
            small + ln_quotient.max(0.0),
            small + (-ln_quotient).max(0.0),
        )
    }
}

impl Likelihood {
    fn new(histories: &Histories) -> Self {
        let mut numbering = Numbering::new();
        let mut counts: Vec<f64> = Vec::new();
        let mut ln_means = 0.0;
        let mut customers = Vec::new();
        for history in histories.iter() {
            let Some(customer) = Customer::new(&history) else {
                continue;
            };
            ln_means += history.mean_spend.ln();
            customers.push(customer);
            match counts.get_mut(numbering.number(history.frequency) as usize) {
                Some(count) => *count += 1.0,
                None => counts.push(1.0),
            }
        }
        let distinct = numbering.keys().iter().map(|&x| f64::from(x));
        Self {
            customers,
            frequencies: distinct.zip(counts).collect(),
            ln_means,
        }
    }

    fn mean_spend(&self) -> f64 {
        let means = self.customers.iter().map(|c| c.total / c.x);
        means.sum::<f64>() / self.customers.len() as f64
    }

    /// The log-likelihood with its derivatives in ln p, ln q, ln v.
    fn evaluate(&self, model: &GammaGamma) -> Evaluation {
        let &GammaGamma { p, q, v } = model;
        let ln_v = v.ln();
        let spend = sum_chunks(
            self.customers.len(),
            |range| self.of_customers(range, v, ln_v),
            Spend::plus,
        );
        let mut value = -q * spend.below - p * spend.x_above - self.ln_means;
        let mut slope = [-spend.x_above, -spend.below];
        let (mut pp, mut pq, mut qq) = (0.0, 0.0, 0.0);
        for &(x, n) in &self.frequencies {
            let px = p * x;
            value += n * (ln_gamma_ratio(px, q) - ln_gamma(q));
            slope[0] += n * x * digamma_diff(px, q);
            slope[1] += n * digamma_diff(q, px);
            pp += n * x * x * trigamma_diff(px, q);
            pq += n * x * trigamma(px + q);
            qq += n * trigamma_diff(q, px);
        }
        let gradient = [
            p * slope[0],
            q * slope[1],
            q * spend.part - p * spend.x_rest,
        ];
        let (p_v, q_v) = (-p * spend.x_rest, q * spend.part);
        let v_v = -q * spend.curve - p * spend.x_curve;
        let (pp, pq, qq) = (
            p * slope[0] + p * p * pp,
            p * q * pq,
            q * slope[1] + q * q * qq,
        );
        Evaluation {
            value,
            gradient: DVector::from_column_slice(&gradient),
            hessian: DMatrix::from_row_slice(3, 3, &[pp, pq, p_v, pq, qq, q_v, p_v, q_v, v_v]),
        }
    }

    fn of_customers(&self, range: Range<usize>, v: f64, ln_v: f64) -> Spend {
        let mut sums = Spend::default();
        for customer in &self.customers[range] {
            let x = customer.x;
            let (below, above) = customer.shares_at(v, ln_v);
            let inverse = 1.0 / (v + customer.total);
            let (part, rest) = (customer.total * inverse, v * inverse);
            sums.below += below;
            sums.x_above += x * above;
            sums.part += part;
            sums.x_rest += x * rest;
            sums.curve += part * rest;
            sums.x_curve += x * part * rest;
        }
        sums
    }
}

/// Sums over customers at one v: of ln(1 + s/v), x ln(1 + v/s), s/(v + s), x v/(v + s), and the last
/// two's slopes.
#[derive(Default)]
struct Spend {
    below: f64,
    x_above: f64,
    part: f64,
    x_rest: f64,
    curve: f64,
    x_curve: f64,
}

impl Spend {
    fn plus(mut self, other: Self) -> Self {
        self.below += other.below;
        self.x_above += other.x_above;
        self.part += other.part;
        self.x_rest += other.x_rest;
        self.curve += other.curve;
        self.x_curve += other.x_curve;
        self
    }
}

/// The parameters as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    p: f64,
    q: f64,
    v: f64,
}

impl TryFrom<Saved> for GammaGamma {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        Self::new(saved.p, saved.q, saved.v)
    }
}

impl From<GammaGamma> for Saved {
    fn from(model: GammaGamma) -> Self {
        let GammaGamma { p, q, v } = model;
        Self {
            format: Format,
            p,
            q,
            v,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::optimise::assert_derivatives;
    use crate::summary::{HistoryColumns, TimeUnit};
    use proptest::prelude::*;

    fn data() -> Histories {
        let columns = HistoryColumns {
            frequency: vec![1, 2, 7, 10, 1, 3, 0, 2],
            recency: vec![0.0; 8],
            age: vec![1.0; 8],
            mean_spend: vec![11.77, 22.35, 73.74, 35.33, 0.99, 299.63, 0.0, 0.0],
            ..HistoryColumns::default()
        };
        Histories::from_columns(TimeUnit::Week, columns).unwrap()
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_the_value(
            logs in [-2.0..3.0f64, -2.0..3.0f64, -1.0..5.0f64],
        ) {
            let data = Likelihood::new(&data());
            assert_derivatives(logs, |logs| {
                let [p, q, v] = logs.map(f64::exp);
                data.evaluate(&GammaGamma { p, q, v })
            });
        }
    }

    #[test]
    fn customers_without_spend_say_nothing() {
        let model = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
        assert_eq!(Likelihood::new(&data()).customers.len(), 6);
        let each: f64 = data().iter().map(|h| model.log_likelihood(&h)).sum();
        let all = model.log_likelihood_of(&data());
        assert!((each - all).abs() < 1e-12 * all.abs(), "{each} {all}");
    }

    #[test]
    fn a_mean_that_does_not_exist_is_said_to_be_infinite() {
        let model = GammaGamma::new(0.3, 0.5, 10.0).unwrap();
        assert_eq!(model.population_mean(), None);
        let new = History::new(0, 0.0, 1.0).unwrap();
        assert_eq!(model.expected_spend(&new), f64::INFINITY);
        let known = History::new(2, 1.0, 1.0)
            .unwrap()
            .with_mean_spend(20.0)
            .unwrap();
        // 0.3 (10 + 40) / (0.6 − 0.5)
        assert!((model.expected_spend(&known) - 150.0).abs() < 1e-9);
    }

    #[test]
    fn one_customer_is_too_few() {
        let columns = HistoryColumns {
            frequency: vec![1, 0],
            recency: vec![0.5, 0.0],
            age: vec![1.0, 1.0],
            mean_spend: vec![5.0, 0.0],
            ..HistoryColumns::default()
        };
        let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
        let error = GammaGamma::fit(&histories, &FitOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "1 customers with a repeat purchase and a positive mean spend, but at least 2 are needed"
        );
    }
}
