//! What is each customer worth: purchases to come, spend, lifetime value, with intervals.
//!
//! A shop without contracts never hears that a customer has left; it only notices a silence. The
//! models here read each customer's purchase [`History`] (how many repeat
//! purchases, when the last, how long ago the first) against those of all the others, and answer:
//! is this customer still alive, how many purchases will follow, of what value?
//!
//! ```
//! use tenure::lifetime::{BgNbd, CustomerValue, Discount, FitOptions, GammaGamma, Horizon};
//! use tenure::lifetime::PurchaseModel;
//! # use tenure::summary::{Histories, HistoryColumns, TimeUnit};
//! # let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
//! #     frequency: vec![2, 1, 0, 0, 7, 0, 1, 0, 3, 0],
//! #     recency: vec![30.4, 1.7, 0.0, 0.0, 29.4, 0.0, 5.0, 0.0, 35.7, 0.0],
//! #     age: vec![38.9, 38.9, 38.9, 38.9, 38.9, 38.7, 38.7, 38.7, 38.6, 38.6],
//! #     mean_spend: vec![22.3, 11.8, 0.0, 0.0, 73.7, 0.0, 15.0, 0.0, 33.1, 0.0],
//! #     ..HistoryColumns::default()
//! # })?;
//! let purchases = BgNbd::fit(&histories, &FitOptions::default())?;
//! let spend = GammaGamma::fit(&histories, &FitOptions::default())?;
//! let regular = histories.get(4).unwrap();
//! assert!(purchases.probability_alive(&regular) > 0.5);
//! let value = CustomerValue::new(&*purchases, &*spend, Discount::annual(0.10)?);
//! let a_year_ahead = value.over(&histories, Horizon::months(12))?;
//! assert_eq!(a_year_ahead.len(), histories.len());
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! # Which to choose
//!
//! | question | take |
//! |---|---|
//! | who is alive, how many purchases will follow | [`BgNbd`] |
//! | the same, where customers may leave without a repeat purchase | [`ParetoNbd`] |
//! | the same, where the risk of leaving grows with time | [`GompertzGammaNbd`] |
//! | the same, where season and campaigns move purchases or departures | [`DynamicParetoNbd`] |
//! | the same, where many customers never come back | [`MbgNbd`] |
//! | the same, where customers buy regularly, as of groceries | [`MbgCnbd`], or [`BgCnbd`] |
//! | the same as if nobody left: a baseline | [`Nbd`] |
//! | what will a purchase be worth | [`GammaGamma`] |
//! | the same, where amounts vary by factors, or Gamma-Gamma has no finite mean | [`LognormalSpend`] |
//! | whether spend depends on how often customers buy, which both rule out | [`SpendIndependence`] |
//! | the two together, discounted | [`CustomerValue`] |
//! | how many purchases will a cohort make, week by week | [`forecast`] |
//! | when will a customer buy next, how many purchases will it be, who is alive in a year | [`FuturePurchases`] |
//! | how sure is that | [`interval`] |
//! | any of these (and [`Sbg`]), where the channel, the age or another trait of the customers plays a part | [`WithCovariates`] |
//! | which of these models, with covariates or without, predicts my customers best | [`compare`] |
//! | purchases on set occasions (a yearly appeal, a monthly box) | [`BgBb`] |
//! | contracts: who will still be there, for how long | [`Sbg`] |
//! | contracts whose retention first falls, or a better fit of the first renewals | [`Bdw`] |
//! | contracts: the baseline that the two must beat | [`Geometric`] |
//! | contracts: what the renewals of a paid membership are worth | [`Membership`] |
//! | a model of your own | implement [`PurchaseModel`], [`SpendModel`] or [`RetentionCurve`], test it with [`laws`] |
//!
//! # What they assume
//!
//! While alive a customer buys at random (in [`MbgCnbd`] and [`BgCnbd`]: regularly), at a rate that
//! does not change (no season, but in [`DynamicParetoNbd`]); rates differ between customers, and so
//! does the readiness to leave. What a customer spends does not depend on how often. Each model's page says how it puts that into
//! formulas, and what the formulas cost.
//!
//! Where there are contracts ([`RetentionCurve`]) the shop does hear of every end, and the question is
//! how many will renew, for how long.
//!
//! # What it costs
//!
//! A fit passes over the *distinct* histories
//! ([`Histories::distinct`](crate::summary::Histories::distinct)), not over the customers; a million
//! customers take about a tenth of a CPU second. Batch answers take some 50 ns a customer.
//!
//! # Sources
//!
//! Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way, *Marketing Science* 24(2);
//! Fader, Hardie and Lee (2005), RFM and CLV: Using Iso-Value Curves for Customer Base Analysis,
//! *Journal of Marketing Research* 42(4); Batislam, Denizel and Filiztekin (2007), Empirical
//! Validation and Comparison of Models for Customer Base Analysis, *International Journal of Research
//! in Marketing* 24(3); Fader and Hardie (2007), How to Project Customer Retention, *Journal of
//! Interactive Marketing* 21(1); Fader, Hardie and Shang (2010), Customer-Base Analysis in a
//! Discrete-Time Noncontractual Setting, *Marketing Science* 29(6); Reutterer, Platzer and Schröder
//! (2020), Leveraging Purchase Regularity for Predicting Customer Behavior the Easy Way, *International
//! Journal of Research in Marketing* 38(1); Bemmaor and Glady (2012), Modeling Purchasing Behavior with
//! Sudden "Death", *Management Science* 58(5).

mod bdw;
mod beta_geometric;
mod bg_bb;
mod bg_cnbd;
mod bg_nbd;
pub mod compare;
mod covariates;
mod dynamic_pareto_nbd;
mod family;
mod fit;
pub mod forecast;
mod future;
mod gamma_gamma;
mod geometric;
mod gompertz_nbd;
mod inference;
pub mod interval;
mod jet;
pub mod laws;
mod lognormal_spend;
mod mbg_cnbd;
mod mbg_nbd;
mod membership;
mod nbd;
mod pareto_nbd;
mod posterior;
mod random_lifetime;
mod rates;
mod renewal;
mod sbg;
mod spend_independence;
mod value;

pub use bdw::Bdw;
pub use beta_geometric::Regularity;
pub use bg_bb::BgBb;
pub use bg_cnbd::BgCnbd;
pub use bg_nbd::BgNbd;
pub use covariates::{
    Bound, Coefficient, ContractCovariateOptions, CovariateOptions, WithCovariates,
};
pub use dynamic_pareto_nbd::{DynamicCovariates, DynamicParetoNbd, Effect};
pub use family::Family;
pub use fit::{Drift, Estimate, FitOptions, FitReport, FitStatus, Fitted, Limit, Support};
pub use future::FuturePurchases;
pub use gamma_gamma::GammaGamma;
pub use geometric::Geometric;
pub use gompertz_nbd::GompertzGammaNbd;
pub use inference::LikelihoodRatio;
pub use lognormal_spend::LognormalSpend;
pub use mbg_cnbd::MbgCnbd;
pub use mbg_nbd::MbgNbd;
pub use membership::{CohortValue, MemberStage, Membership, MembershipTerms, Span};
pub use nbd::Nbd;
pub use pareto_nbd::ParetoNbd;
pub use sbg::Sbg;
pub use spend_independence::{Correlation, Dependence, SpendIndependence};
pub use value::{CustomerValue, Discount, Horizon, Schedule, UnitSpend};

use crate::error::DataError;
use crate::numeric::quadrature::half_line;
use crate::numeric::reduce::map_into;
use crate::summary::{Histories, History};

/// Predicts a customer's purchases from the history.
///
/// Two methods are required; the others follow from them. A model that can do better for many
/// customers at once, or in closed form, overrides them. Times are in the unit of the histories
/// that the model was made for.
///
/// Every model keeps the laws that [`laws::check`] tests.
///
/// ```
/// use tenure::lifetime::{PurchaseModel, laws};
/// use tenure::summary::History;
///
/// /// Everybody stays, and buys as often as so far, with a year's worth of doubt.
/// struct Steady;
///
/// impl PurchaseModel for Steady {
///     fn probability_alive(&self, _: &History) -> f64 {
///         1.0
///     }
///     fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
///         f64::from(history.frequency) / (history.age + 52.0) * horizon.max(0.0)
///     }
/// }
/// laws::check(&Steady).unwrap();
/// ```
pub trait PurchaseModel: Send + Sync {
    /// The probability that the customer is still alive at the end of the observation.
    fn probability_alive(&self, history: &History) -> f64;

    /// The expected number of purchases in the `horizon` after the end of the observation. A
    /// horizon that is not positive holds none. Of a new customer, whose first purchase was just now, it is that of
    /// [`History::new`]`(0, 0.0, 0.0)`.
    fn expected_purchases(&self, history: &History, horizon: f64) -> f64;

    /// The expected purchases over several horizons, weighted and added up: what remains of a
    /// discounted value once the discounts are put into the weights.
    fn scheduled_purchases(&self, history: &History, schedule: &Schedule) -> f64 {
        let terms = schedule.iter();
        terms.fold(0.0, |sum, (horizon, weight)| {
            sum + weight * self.expected_purchases(history, horizon)
        })
    }

    /// The expected purchases of the customer's whole remaining life, each discounted to the end
    /// of the observation by exp(−`rate` · time): discounted expected residual transactions (DERT).
    ///
    /// The continuous `rate` is per unit of time and positive. By default
    /// δ ∫ exp(−δ t) E[X(T, T + t)] dt (the discounted flow, integrated by parts), by numerical
    /// integration to about 1e-12.
    fn discounted_residual_purchases(&self, history: &History, rate: f64) -> f64 {
        half_line(1e-12, |u| {
            let left = (-u).exp();
            if left == 0.0 {
                return 0.0;
            }
            left * self.expected_purchases(history, u / rate)
        })
        .value
    }

    /// [`probability_alive`](Self::probability_alive) of every row.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn probability_alive_batch(
        &self,
        histories: &Histories,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        for (place, history) in out.iter_mut().zip(histories.iter()) {
            *place = self.probability_alive(&history);
        }
        Ok(())
    }

    /// [`expected_purchases`](Self::expected_purchases) of every row over one horizon.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn expected_purchases_batch(
        &self,
        histories: &Histories,
        horizon: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        for (place, history) in out.iter_mut().zip(histories.iter()) {
            *place = self.expected_purchases(&history, horizon);
        }
        Ok(())
    }

    /// [`probability_alive`](Self::probability_alive) and [`expected_purchases`](Self::expected_purchases) of every row
    /// together: models that meet the one on the way to the other override it.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in each of `alive` and `purchases` for each row.
    fn alive_and_purchases_batch(
        &self,
        histories: &Histories,
        horizon: f64,
        alive: &mut [f64],
        purchases: &mut [f64],
    ) -> Result<(), DataError> {
        self.probability_alive_batch(histories, alive)?;
        self.expected_purchases_batch(histories, horizon, purchases)
    }

    /// [`scheduled_purchases`](Self::scheduled_purchases) of every row.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn scheduled_purchases_batch(
        &self,
        histories: &Histories,
        schedule: &Schedule,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        for (place, history) in out.iter_mut().zip(histories.iter()) {
            *place = self.scheduled_purchases(&history, schedule);
        }
        Ok(())
    }

    /// [`discounted_residual_purchases`](Self::discounted_residual_purchases) of every row, by default once for each
    /// distinct (x, t_x, T).
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn discounted_residual_purchases_batch(
        &self,
        histories: &Histories,
        rate: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        of_distinct(histories, out, |history| {
            self.discounted_residual_purchases(history, rate)
        })
    }
}

/// Knows how many purchases a new customer makes, not only how many on average.
pub trait PurchaseDistribution: PurchaseModel {
    /// P(X(t) = n) for n = 0, 1, …: a customer's repeat purchases in the time `t` after the first
    /// purchase, as many probabilities as `out` has places.
    fn purchase_probabilities(&self, t: f64, out: &mut [f64]);
}

/// Predicts what a customer's purchases will be worth.
pub trait SpendModel: Send + Sync {
    /// The expected value of one of the customer's future purchases, in major units of money.
    fn expected_spend(&self, history: &History) -> f64;

    /// [`expected_spend`](Self::expected_spend) of every row.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn expected_spend_batch(
        &self,
        histories: &Histories,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        for (place, history) in out.iter_mut().zip(histories.iter()) {
            *place = self.expected_spend(&history);
        }
        Ok(())
    }
}

/// Predicts how long contracts are renewed.
///
/// One method is required; the others follow from it. Time is counted in renewal periods since the
/// start of the contract; a customer's `tenure` is the number of renewals made. Every curve keeps the
/// laws that [`laws::check_curve`] tests.
///
/// A paid membership with a fee and a cost of its benefits for each period is worth
/// (fee − cost) × [`discounted_residual_lifetime`](Self::discounted_residual_lifetime) just before
/// a renewal falls due; [`Membership`] values it at any time and over any span.
///
/// ```
/// use tenure::lifetime::{RetentionCurve, laws};
///
/// /// A tenth leaves at the first renewal, nobody after it.
/// struct Faithful;
///
/// impl RetentionCurve for Faithful {
///     fn survival(&self, t: u32) -> f64 {
///         if t == 0 { 1.0 } else { 0.9 }
///     }
/// }
/// laws::check_curve(&Faithful).unwrap();
/// assert_eq!(Faithful.retention_rate(2), 1.0);
/// // A fee of 50, benefits of 20, money at 10% a period: 30 × 0.9 × 1.1 / 0.1.
/// let worth = (50.0 - 20.0) * Faithful.discounted_residual_lifetime(0, 0.1);
/// assert!((worth - 297.0).abs() < 1e-9);
/// ```
pub trait RetentionCurve: Send + Sync {
    /// S(t), the probability that a customer renews at least `t` times: the share of a cohort that
    /// is left after `t` renewals.
    fn survival(&self, t: u32) -> f64;

    /// r(t) = S(t) / S(t − 1), the share of those who come up for renewal number `t` who renew; 1
    /// for `t` = 0, and 0 where nobody comes up for it.
    fn retention_rate(&self, t: u32) -> f64 {
        match t.checked_sub(1).map(|before| self.survival(before)) {
            None => 1.0,
            Some(before) if before > 0.0 => self.survival(t) / before,
            Some(_) => 0.0,
        }
    }

    /// How many of the next `horizon` renewals a customer who has made `tenure` renewals is
    /// expected to make: Σ S(`tenure` + k) / S(`tenure`) over k = 1 to `horizon`.
    ///
    /// Costs one survival for each period of the horizon.
    fn residual_lifetime(&self, tenure: u32, horizon: u32) -> f64 {
        let alive = self.survival(tenure);
        if alive <= 0.0 {
            return 0.0;
        }
        let survivors = (1..=horizon).map(|ahead| self.survival(tenure.saturating_add(ahead)));
        survivors.map(|survivors| survivors / alive).sum()
    }

    /// How many renewals a customer who has made `tenure` renewals, the next of which is due now, is
    /// still good for, each discounted by 1 + `rate` a period: discounted expected residual lifetime
    /// (DERL), Σ S(`tenure` + k) / S(`tenure`) · (1 + `rate`)^(1 − k) over k from 1.
    ///
    /// Right after a renewal, when the next is a period away, it is 1 / (1 + `rate`) times that. A
    /// rate that is not positive gives NaN: the sum may be infinite.
    ///
    /// By default the terms are added up, some 40 / `rate` of them; after a million, the last
    /// retention rate is taken to hold for ever.
    fn discounted_residual_lifetime(&self, tenure: u32, rate: f64) -> f64 {
        const NOTHING: f64 = 1e-16;
        const MOST_TERMS: u32 = 1_000_000;
        if rate.is_nan() || rate <= 0.0 {
            return f64::NAN;
        }
        let alive = self.survival(tenure);
        if alive <= 0.0 {
            return 0.0;
        }
        let (mut sum, mut term, mut discount) = (0.0, 0.0, 1.0);
        for ahead in 1..=MOST_TERMS {
            term = self.survival(tenure.saturating_add(ahead)) / alive * discount;
            sum += term;
            // Survival does not rise: the rest is at most a geometric series.
            if term <= NOTHING * rate * sum {
                return sum;
            }
            discount /= 1.0 + rate;
        }
        let last = self.retention_rate(tenure.saturating_add(MOST_TERMS));
        sum + term * last / (1.0 - last + rate)
    }
}

/// Answers each row by one answer for each distinct (x, t_x, T), for answers that cost more than telling histories apart.
fn of_distinct(
    histories: &Histories,
    out: &mut [f64],
    answer: impl Fn(&History) -> f64 + Sync,
) -> Result<(), DataError> {
    check_places(histories, out)?;
    let distinct = histories.distinct();
    let each: Vec<History> = distinct.iter().map(|(history, _)| history).collect();
    let mut answers = vec![0.0; each.len()];
    map_into(&each, &mut answers, answer);
    for (place, &number) in out.iter_mut().zip(distinct.of_row()) {
        *place = answers[number as usize];
    }
    Ok(())
}

/// Refuses an output that does not have one place for each row.
///
/// A model that overrides a batch method calls it first.
///
/// # Errors
/// [`DataError::Length`] when the lengths differ.
pub fn check_places(histories: &Histories, out: &[f64]) -> Result<(), DataError> {
    if out.len() == histories.len() {
        return Ok(());
    }
    Err(DataError::Length {
        column: "out",
        found: out.len(),
        reference: "histories",
        expected: histories.len(),
    })
}
