//! Forecasts for whole cohorts: totals, tracking curves, and the fit to the counts.
//!
//! Four questions that tell whether a model can be trusted before any single customer is looked
//! at:
//!
//! * [`expected_total`]: how many purchases will all these customers make from now on;
//! * [`tracking`]: how many would the model have expected week by week since the first customer
//!   came, to be laid over what happened;
//! * [`frequency_fit`]: how many customers would it expect with 0, 1, 2, … repeat purchases, beside how
//!   many there are;
//! * [`conditional_expectations`]: what customers did in a hold-out by what they had done before, beside
//!   what was expected.
//!
//! ```
//! use tenure::lifetime::{BgNbd, forecast};
//! use tenure::summary::{Histories, HistoryColumns, TimeUnit};
//!
//! let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
//!     frequency: vec![2, 0],
//!     recency: vec![30.43, 0.0],
//!     age: vec![38.86, 37.0],
//!     ..HistoryColumns::default()
//! })?;
//! let model = BgNbd::new(0.243, 4.414, 0.793, 2.426)?;
//! let total = forecast::expected_total(&model, &histories, 39.0)?;
//! let since = forecast::first_purchases(&histories);
//! let curve = forecast::tracking(&model, &since, 1.0, 78)?;
//! assert_eq!(curve.len(), 78);
//! assert!(total > 1.0 && curve[77].cumulative > 2.0);
//! # Ok::<(), tenure::Error>(())
//! ```

use super::{PurchaseDistribution, PurchaseModel};
use crate::error::{ConfigError, DataError};
use crate::summary::{Histories, History, Numbering};

/// The expected purchases of all customers together in the `horizon` after the end of the
/// observation.
///
/// # Errors
/// [`DataError`] where the model's batch method fails.
pub fn expected_total(
    model: &dyn PurchaseModel,
    histories: &Histories,
    horizon: f64,
) -> Result<f64, DataError> {
    let mut expected = vec![0.0; histories.len()];
    model.expected_purchases_batch(histories, horizon, &mut expected)?;
    Ok(expected.iter().sum())
}

/// When each customer first bought, counted from the earliest first purchase among them: the
/// largest age less the customer's age.
pub fn first_purchases(histories: &Histories) -> Vec<f64> {
    let ages = histories.age();
    let oldest = ages.iter().copied().fold(0.0, f64::max);
    ages.iter().map(|age| oldest - age).collect()
}

/// One step of a tracking curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tracked {
    /// The end of the step.
    pub time: f64,
    /// Expected repeat purchases of the cohort in this step.
    pub incremental: f64,
    /// Expected repeat purchases of the cohort up to the end of this step.
    pub cumulative: f64,
}

/// The repeat purchases that a model expects of a cohort in `steps` steps of length `step` from
/// time 0, knowing of its customers only when each first bought: Σ E[X(t − first)] over those with
/// first < t.
///
/// Costs one expectation for each step and each distinct time of first purchase.
///
/// # Errors
/// [`ConfigError::OutOfRange`] for a step without positive length or a first purchase that is no
/// finite time.
pub fn tracking(
    model: &dyn PurchaseModel,
    first_purchases: &[f64],
    step: f64,
    steps: u32,
) -> Result<Vec<Tracked>, ConfigError> {
    if !(step > 0.0 && step.is_finite()) {
        return Err(ConfigError::OutOfRange {
            setting: "step",
            value: step.to_string(),
            expected: "a positive finite length of time",
        });
    }
    if let Some(first) = first_purchases.iter().find(|first| !first.is_finite()) {
        return Err(ConfigError::OutOfRange {
            setting: "first_purchases",
            value: first.to_string(),
            expected: "finite times",
        });
    }
    let starts = counted(first_purchases);
    let mut before = 0.0;
    let points = (1..=steps).map(|i| {
        let time = step * f64::from(i);
        let expected = starts.iter().map(|&(first, customers)| {
            customers * model.expected_purchases(&NEW_CUSTOMER, time - first)
        });
        let cumulative = expected.sum();
        let incremental = cumulative - before;
        before = cumulative;
        Tracked {
            time,
            incremental,
            cumulative,
        }
    });
    Ok(points.collect())
}

/// How many customers make a number of repeat purchases in their own age.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrequencyClass {
    /// The number of repeat purchases; in the last class, this many or more.
    pub purchases: u32,
    /// How many customers the model expects.
    pub expected: f64,
    /// How many there are.
    pub actual: u32,
}

/// Customers by number of repeat purchases, expected and actual: 0, 1, …, and `last` or more.
///
/// Costs one distribution for each distinct age.
pub fn frequency_fit(
    model: &dyn PurchaseDistribution,
    histories: &Histories,
    last: u32,
) -> Vec<FrequencyClass> {
    let mut classes: Vec<FrequencyClass> = (0..=last)
        .map(|purchases| FrequencyClass {
            purchases,
            expected: 0.0,
            actual: 0,
        })
        .collect();
    let Some((open, single)) = classes.split_last_mut() else {
        return classes;
    };
    let mut probabilities = vec![0.0; single.len()];
    for (age, customers) in counted(histories.age()) {
        model.purchase_probabilities(age, &mut probabilities);
        for (class, probability) in single.iter_mut().zip(&probabilities) {
            class.expected += customers * probability;
        }
        let rest = 1.0 - probabilities.iter().sum::<f64>();
        open.expected += customers * rest.max(0.0);
    }
    for &frequency in histories.frequency() {
        if let Some(class) = classes.get_mut(frequency.min(last) as usize) {
            class.actual += 1;
        }
    }
    classes
}

/// What customers who were alike so far did afterwards, beside what was expected of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConditionalClass {
    /// The number of repeat purchases so far; in the last class, this many or more.
    pub purchases: u32,
    /// How many customers made so many.
    pub customers: u32,
    /// How many purchases the model expects of them all in the hold-out.
    pub expected: f64,
    /// How many there were.
    pub actual: u64,
}

impl ConditionalClass {
    /// Expected purchases per customer; `None` without a customer.
    pub fn mean_expected(&self) -> Option<f64> {
        (self.customers > 0).then(|| self.expected / f64::from(self.customers))
    }

    /// Actual purchases per customer; `None` without a customer.
    pub fn mean_actual(&self) -> Option<f64> {
        // Exact below 2^53 purchases.
        (self.customers > 0).then(|| self.actual as f64 / f64::from(self.customers))
    }
}

/// Conditional expectations: the purchases of a hold-out of the length `horizon` by the number of repeat
/// purchases before it, 0, 1, …, and `last` or more, expected and actual (Fader, Hardie and Lee 2005,
/// figure 4).
///
/// `holdout` are each row's purchases in it.
///
/// ```
/// use tenure::lifetime::{BgNbd, forecast};
/// use tenure::summary::{Histories, HistoryColumns, TimeUnit};
///
/// let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
///     frequency: vec![2, 0, 9],
///     recency: vec![30.43, 0.0, 37.0],
///     age: vec![38.86; 3],
///     ..HistoryColumns::default()
/// })?;
/// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426)?;
/// let classes = forecast::conditional_expectations(&model, &histories, &[1, 0, 7], 39.0, 7)?;
/// assert_eq!((classes[7].customers, classes[7].actual), (1, 7));
/// assert!((classes[2].mean_expected().unwrap() - 1.226).abs() < 1e-3);
/// assert_eq!(classes[1].mean_actual(), None);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Errors
/// [`DataError::Length`] unless `holdout` has one number for each row; whatever the model's batch
/// method gives.
pub fn conditional_expectations(
    model: &dyn PurchaseModel,
    histories: &Histories,
    holdout: &[u32],
    horizon: f64,
    last: u32,
) -> Result<Vec<ConditionalClass>, DataError> {
    if holdout.len() != histories.len() {
        return Err(DataError::Length {
            column: "holdout",
            found: holdout.len(),
            reference: "histories",
            expected: histories.len(),
        });
    }
    let mut expected = vec![0.0; histories.len()];
    model.expected_purchases_batch(histories, horizon, &mut expected)?;
    let empty = |purchases| ConditionalClass {
        purchases,
        customers: 0,
        expected: 0.0,
        actual: 0,
    };
    let mut classes: Vec<ConditionalClass> = (0..=last).map(empty).collect();
    let rows = histories.frequency().iter().zip(expected).zip(holdout);
    for ((&frequency, expected), &actual) in rows {
        if let Some(class) = classes.get_mut(frequency.min(last) as usize) {
            class.customers += 1;
            class.expected += expected;
            class.actual += u64::from(actual);
        }
    }
    Ok(classes)
}

/// Nothing is known of a customer at the moment of the first purchase.
const NEW_CUSTOMER: History = History {
    frequency: 0,
    recency: 0.0,
    age: 0.0,
    log_gaps: 0.0,
    mean_spend: 0.0,
};

/// The distinct times, ascending, with their numbers of customers.
fn counted(times: &[f64]) -> Vec<(f64, f64)> {
    let mut numbering = Numbering::new();
    let mut counts: Vec<f64> = Vec::new();
    for time in times {
        match counts.get_mut(numbering.number((time + 0.0).to_bits()) as usize) {
            Some(count) => *count += 1.0,
            None => counts.push(1.0),
        }
    }
    let distinct = numbering.into_keys().into_iter().map(f64::from_bits);
    let mut counted: Vec<(f64, f64)> = distinct.zip(counts).collect();
    counted.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    counted
}
