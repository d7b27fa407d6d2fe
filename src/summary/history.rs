//! What a purchase model needs to know of a customer: x, t_x and T.

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::event::{DAY_S, Timestamp};

/// The unit in which a model counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TimeUnit {
    /// 1 day.
    Day,
    /// 7 days.
    Week,
    /// A twelfth of a year: 30.4375 days.
    Month,
    /// 365.25 days.
    Year,
}

impl TimeUnit {
    /// The unit's length in days.
    pub const fn days(self) -> f64 {
        match self {
            TimeUnit::Day => 1.0,
            TimeUnit::Week => 7.0,
            TimeUnit::Month => 365.25 / 12.0,
            TimeUnit::Year => 365.25,
        }
    }

    /// The instant that lies some units after another one, to the second: the date of an expected purchase. `None` beyond the range
    /// of [`Timestamp`], and where `time` is not finite.
    ///
    /// ```
    /// use tenure::event::Timestamp;
    /// use tenure::lifetime::{BgNbd, FuturePurchases};
    /// use tenure::summary::{History, TimeUnit};
    ///
    /// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426)?; // weeks
    /// let ann = History::new(8, 30.0, 32.0)?; // observed until the end of September 1997
    /// let half = 0.5 * model.probability_of_any_purchase(&ann);
    /// let weeks = model.time_to_purchase(&ann, half).unwrap();
    /// let date = TimeUnit::Week.later(Timestamp::from_civil(1997, 9, 30)?, weeks).unwrap();
    /// assert!(Timestamp::from_civil(1997, 10, 7)? < date && date < Timestamp::from_civil(1997, 12, 1)?);
    /// assert_eq!(TimeUnit::Week.later(Timestamp::EPOCH, f64::INFINITY), None);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn later(self, from: Timestamp, time: f64) -> Option<Timestamp> {
        // All instants of the calendar are whole numbers far below this.
        const MOST: f64 = (1_u64 << 53) as f64;
        let seconds = (time * self.days() * DAY_S as f64).round();
        let seconds = (seconds.abs() < MOST).then_some(seconds as i64)?;
        Timestamp::from_unix_s(from.unix_s().checked_add(seconds)?).ok()
    }

    /// The unit's name in the plural, for headings: `weeks`.
    pub const fn plural(self) -> &'static str {
        match self {
            TimeUnit::Day => "days",
            TimeUnit::Week => "weeks",
            TimeUnit::Month => "months",
            TimeUnit::Year => "years",
        }
    }
}

/// One customer's purchase history: the sufficient statistics of the buy-till-you-die models.
///
/// Times are in the unit of the [`Histories`] that it comes from, counted from the first purchase.
///
/// ```
/// use tenure::summary::History;
///
/// // Two repeat purchases, the last 30.43 weeks after the first, observed for 38.86 weeks.
/// let history = History::new(2, 30.43, 38.86)?;
/// assert!(History::new(2, 40.0, 38.86).is_err()); // bought after the end of the observation
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Repeat purchases (x): purchases after the first.
    pub frequency: u32,
    /// Time from the first purchase to the last (t_x); 0 without a repeat purchase.
    pub recency: f64,
    /// Time from the first purchase to the end of the observation (T).
    pub age: f64,
    /// Σ ln of the times between purchases, for models of regular buying; 0 without a repeat purchase.
    pub log_gaps: f64,
    /// Mean value of the repeat purchases in major units of money; 0 without a repeat purchase.
    pub mean_spend: f64,
}

impl History {
    /// A history without spend and without the times between purchases (both 0).
    ///
    /// # Errors
    /// [`DataError::Value`] unless 0 ≤ `recency` ≤ `age` < ∞, with `recency` = 0 when `frequency` = 0.
    pub fn new(frequency: u32, recency: f64, age: f64) -> Result<Self, DataError> {
        let history = Self {
            frequency,
            recency,
            age,
            log_gaps: 0.0,
            mean_spend: 0.0,
        };
        history.check(1)?;
        Ok(history)
    }

    /// The same history with a mean spend of the repeat purchases, in major units of money.
    ///
    /// # Errors
    /// [`DataError::Value`] when it is negative, NaN or infinite.
    pub fn with_mean_spend(mut self, mean_spend: f64) -> Result<Self, DataError> {
        self.mean_spend = mean_spend;
        self.check(1)?;
        Ok(self)
    }

    fn check(&self, row: u64) -> Result<(), DataError> {
        let bad = |column: &str, value: f64, expected| {
            let (column, value) = (column.to_owned(), value.to_string());
            Err(DataError::Value {
                row,
                column,
                value,
                expected,
            })
        };
        if !(self.age.is_finite() && self.age >= 0.0) {
            return bad("age", self.age, "a finite time that is not negative");
        }
        if !(0.0..=self.age).contains(&self.recency) {
            return bad(
                "recency",
                self.recency,
                "a time from 0 to the customer's age",
            );
        }
        if self.frequency == 0 && self.recency != 0.0 {
            return bad(
                "recency",
                self.recency,
                "0 for a customer without a repeat purchase",
            );
        }
        if !self.log_gaps.is_finite() {
            return bad("log_gaps", self.log_gaps, "a finite sum of logarithms");
        }
        if !(self.mean_spend.is_finite() && self.mean_spend >= 0.0) {
            return bad(
                "mean_spend",
                self.mean_spend,
                "a finite amount that is not negative",
            );
        }
        Ok(())
    }
}

/// The purchase histories of many customers as columns of equal length.
///
/// ```
/// use tenure::summary::{Histories, HistoryColumns, TimeUnit};
///
/// let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
///     frequency: vec![2, 0],
///     recency: vec![30.43, 0.0],
///     age: vec![38.86, 38.86],
///     ..HistoryColumns::default()
/// })?;
/// assert_eq!(histories.get(0).unwrap().frequency, 2);
/// assert_eq!(histories.customer(), [0, 1]);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Histories {
    unit: TimeUnit,
    columns: HistoryColumns,
}

/// The columns of [`Histories`]; see [`History`] for what each means.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryColumns {
    /// The customer's number; when empty, the rows are customers 0, 1, 2, …
    pub customer: Vec<u32>,
    /// Repeat purchases (x).
    pub frequency: Vec<u32>,
    /// Time from the first purchase to the last (t_x).
    pub recency: Vec<f64>,
    /// Time from the first purchase to the end of the observation (T).
    pub age: Vec<f64>,
    /// Σ ln of the times between purchases; may be left empty (all 0).
    pub log_gaps: Vec<f64>,
    /// Mean value of the repeat purchases, major units; may be left empty (all 0).
    pub mean_spend: Vec<f64>,
}

impl Histories {
    /// Takes columns over, without copying them.
    ///
    /// # Errors
    /// [`DataError::Length`] when columns differ in length, [`DataError::Value`] for a row that is no
    /// history (see [`History::new`]), [`DataError::TooMany`] for more rows than `u32` can number.
    pub fn from_columns(unit: TimeUnit, mut columns: HistoryColumns) -> Result<Self, DataError> {
        let rows = columns.frequency.len();
        let limit = u32::MAX;
        let count = u32::try_from(rows).map_err(|_| DataError::TooMany {
            what: "customers",
            limit: limit.into(),
        })?;
        if columns.customer.is_empty() {
            columns.customer = (0..count).collect();
        }
        for column in [&mut columns.log_gaps, &mut columns.mean_spend] {
            if column.is_empty() {
                column.resize(rows, 0.0);
            }
        }
        for (column, found) in [
            ("customer", columns.customer.len()),
            ("recency", columns.recency.len()),
            ("age", columns.age.len()),
            ("log_gaps", columns.log_gaps.len()),
            ("mean_spend", columns.mean_spend.len()),
        ] {
            if found != rows {
                let (reference, expected) = ("frequency", rows);
                return Err(DataError::Length {
                    column,
                    found,
                    reference,
                    expected,
                });
            }
        }
        let histories = Self { unit, columns };
        for (row, history) in (1..).zip(histories.iter()) {
            history.check(row)?;
        }
        Ok(histories)
    }

    /// Columns that the crate made itself and knows to be complete and valid.
    pub(crate) fn from_valid_columns(unit: TimeUnit, columns: HistoryColumns) -> Self {
        debug_assert!(Self::from_columns(unit, columns.clone()).is_ok());
        Self { unit, columns }
    }

    /// Some of the rows, in the order asked for; numbers that are no row's are left out.
    pub fn select(&self, rows: &[u32]) -> Self {
        fn pick<T: Copy>(column: &[T], rows: &[u32]) -> Vec<T> {
            let places = rows.iter().filter_map(|&row| column.get(row as usize));
            places.copied().collect()
        }
        let c = &self.columns;
        Self {
            unit: self.unit,
            columns: HistoryColumns {
                customer: pick(&c.customer, rows),
                frequency: pick(&c.frequency, rows),
                recency: pick(&c.recency, rows),
                age: pick(&c.age, rows),
                log_gaps: pick(&c.log_gaps, rows),
                mean_spend: pick(&c.mean_spend, rows),
            },
        }
    }

    /// How many customers there are.
    pub fn len(&self) -> usize {
        self.columns.frequency.len()
    }

    /// Whether there are no customers.
    pub fn is_empty(&self) -> bool {
        self.columns.frequency.is_empty()
    }

    /// The unit of all times.
    pub fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// The history in a row, or `None` past the end.
    pub fn get(&self, row: usize) -> Option<History> {
        let c = &self.columns;
        Some(History {
            frequency: *c.frequency.get(row)?,
            recency: *c.recency.get(row)?,
            age: *c.age.get(row)?,
            log_gaps: *c.log_gaps.get(row)?,
            mean_spend: *c.mean_spend.get(row)?,
        })
    }

    /// All histories in the order of the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = History> + '_ {
        let c = &self.columns;
        let times = c.recency.iter().zip(&c.age);
        let sums = c.log_gaps.iter().zip(&c.mean_spend);
        c.frequency.iter().zip(times).zip(sums).map(
            |((&frequency, (&recency, &age)), (&log_gaps, &mean_spend))| History {
                frequency,
                recency,
                age,
                log_gaps,
                mean_spend,
            },
        )
    }

    /// The customer of each row.
    pub fn customer(&self) -> &[u32] {
        &self.columns.customer
    }

    /// Repeat purchases (x) of each row.
    pub fn frequency(&self) -> &[u32] {
        &self.columns.frequency
    }

    /// Time from the first purchase to the last (t_x) of each row.
    pub fn recency(&self) -> &[f64] {
        &self.columns.recency
    }

    /// Time from the first purchase to the end of the observation (T) of each row.
    pub fn age(&self) -> &[f64] {
        &self.columns.age
    }

    /// Σ ln of the times between purchases of each row.
    pub fn log_gaps(&self) -> &[f64] {
        &self.columns.log_gaps
    }

    /// Mean value of the repeat purchases of each row, in major units of money.
    pub fn mean_spend(&self) -> &[f64] {
        &self.columns.mean_spend
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_named_with_their_row() {
        for ((x, t_x, age), message) in [
            (
                (1, 3.0, 2.0),
                "row 2, column `recency`: found `3`, expected a time from 0 to the customer's age",
            ),
            (
                (0, 1.0, 2.0),
                "row 2, column `recency`: found `1`, expected 0 for a customer without a repeat purchase",
            ),
            (
                (0, 0.0, f64::INFINITY),
                "row 2, column `age`: found `inf`, expected a finite time that is not negative",
            ),
            (
                (0, f64::NAN, 1.0),
                "row 2, column `recency`: found `NaN`, expected a time from 0 to the customer's age",
            ),
        ] {
            let columns = HistoryColumns {
                frequency: vec![0, x],
                recency: vec![0.0, t_x],
                age: vec![0.0, age],
                ..HistoryColumns::default()
            };
            let error = Histories::from_columns(TimeUnit::Week, columns).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn columns_of_unequal_length_are_named() {
        let columns = HistoryColumns {
            frequency: vec![0],
            recency: vec![0.0],
            age: vec![1.0],
            mean_spend: vec![1.0, 2.0],
            ..HistoryColumns::default()
        };
        let error = Histories::from_columns(TimeUnit::Week, columns).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column `mean_spend` has 2 rows, expected 1 as in `frequency`"
        );
    }
}
