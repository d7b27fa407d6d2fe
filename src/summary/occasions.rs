//! Purchases on discrete occasions: x, t_x and n.

use super::counted::Counted;
use super::{ActivitySummary, Summary};
use crate::error::DataError;

/// One customer's purchases on occasions that come for all alike: a yearly appeal, a monthly box, a
/// cruise season.
///
/// On each of the occasions since the first purchase the customer bought or did not. It is not the
/// same as a [`History`](super::History): time is counted in occasions, and on one occasion there is
/// at most one purchase.
///
/// ```
/// use tenure::summary::OccasionHistory;
///
/// // Of 6 occasions since the first purchase, bought on 2, the last time on the fourth.
/// let history = OccasionHistory::new(2, 4, 6)?;
/// assert_eq!(history.frequency(), 2);
/// assert!(OccasionHistory::new(5, 4, 6).is_err()); // five purchases on four occasions
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OccasionHistory {
    frequency: u32,
    recency: u32,
    occasions: u32,
}

impl OccasionHistory {
    /// A customer of whom nothing is known but the first purchase.
    pub const NEW: Self = Self {
        frequency: 0,
        recency: 0,
        occasions: 0,
    };

    /// Purchases on `frequency` (x) of the `occasions` (n) after the first purchase, the last on
    /// occasion `recency` (t_x), which is 0 without a repeat purchase.
    ///
    /// # Errors
    /// [`DataError::Value`] unless x ≤ t_x ≤ n, and t_x = 0 when x = 0.
    pub fn new(frequency: u32, recency: u32, occasions: u32) -> Result<Self, DataError> {
        let history = Self {
            frequency,
            recency,
            occasions,
        };
        history.check(1)?;
        Ok(history)
    }

    /// The history of a customer number of a summary of activity, whose periods are the occasions:
    /// those after the customer's first active period, up to and including the period `last`.
    ///
    /// `None` for a customer who was not active up to then.
    ///
    /// ```
    /// use tenure::event::{Decimals, Events, Period, Timestamp, Transactions, Zone};
    /// use tenure::summary::{ActivitySummary, OccasionHistory};
    ///
    /// let year = |y| Timestamp::from_civil(y, 5, 1).unwrap();
    /// let (log, _) = Transactions::from_rows(Decimals::TWO, [
    ///     ("ann", year(2001), 500), ("ann", year(2003), 500), ("bob", year(2006), 500),
    /// ])?;
    /// let activity = ActivitySummary::collect(&Events::from(&log), Period::Year, &Zone::UTC)?;
    /// let last = activity.periods().end - 1; // 2006
    /// let ann = OccasionHistory::from_activity(&activity, 0, last);
    /// assert_eq!(ann, Some(OccasionHistory::new(1, 2, 5)?));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn from_activity(activity: &ActivitySummary, customer: u32, last: i32) -> Option<Self> {
        let mut periods = activity.active(customer).take_while(|&at| at <= last);
        let first = periods.next()?;
        let (frequency, latest) = periods.fold((0, first), |(x, _), period| (x + 1, period));
        Some(Self {
            frequency,
            recency: latest.abs_diff(first),
            occasions: last.abs_diff(first),
        })
    }

    /// On how many occasions the customer bought (x), the first purchase apart.
    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    /// The occasion of the last purchase (t_x), counted from the first purchase; 0 without a repeat
    /// purchase.
    pub fn recency(&self) -> u32 {
        self.recency
    }

    /// How many occasions there have been since the first purchase (n).
    pub fn occasions(&self) -> u32 {
        self.occasions
    }

    fn check(&self, row: u64) -> Result<(), DataError> {
        let bad = |column: &str, value: u32, expected| {
            let (column, value) = (column.to_owned(), value.to_string());
            Err(DataError::Value {
                row,
                column,
                value,
                expected,
            })
        };
        if self.recency > self.occasions {
            let expected = "an occasion up to the number of occasions";
            return bad("recency", self.recency, expected);
        }
        if self.frequency > self.recency {
            let expected = "at most one purchase on each occasion up to the last";
            return bad("frequency", self.frequency, expected);
        }
        if self.frequency == 0 && self.recency != 0 {
            let expected = "0 for a customer without a repeat purchase";
            return bad("recency", self.recency, expected);
        }
        Ok(())
    }
}

/// How many customers have each distinct history of occasions: all that a model of discrete
/// occasions is fitted from.
///
/// ```
/// use tenure::summary::{OccasionHistory, OccasionSummary};
///
/// let mut donors = OccasionSummary::new();
/// donors.add(OccasionHistory::new(0, 0, 6)?, 3464)?;
/// donors.add(OccasionHistory::new(6, 6, 6)?, 1203)?;
/// donors.push(OccasionHistory::new(2, 4, 6)?)?;
/// assert_eq!((donors.distinct(), donors.customers()), (3, 4668));
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// Some 40 bytes for each distinct history, whatever the number of customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OccasionSummary {
    counted: Counted<OccasionHistory>,
}

/// A table of distinct histories of occasions, as a file holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OccasionColumns {
    /// Occasions with a purchase (x), the first purchase apart.
    pub frequency: Vec<u32>,
    /// The occasion of the last purchase (t_x).
    pub recency: Vec<u32>,
    /// Occasions since the first purchase (n).
    pub occasions: Vec<u32>,
    /// How many customers have this history; when empty, each row is one customer.
    pub count: Vec<u64>,
}

impl OccasionSummary {
    /// No customers yet.
    #[expect(
        clippy::new_without_default,
        reason = "a summary is begun by name, as all others are"
    )]
    pub const fn new() -> Self {
        Self {
            counted: Counted::new(),
        }
    }

    /// From columns of histories with their counts; a history may stand in several rows.
    ///
    /// # Errors
    /// [`DataError::Length`] when columns differ in length, [`DataError::Value`] for a row that is
    /// no history (see [`OccasionHistory::new`]), [`DataError::Field`] beyond 2^53 customers.
    pub fn from_columns(columns: &OccasionColumns) -> Result<Self, DataError> {
        let rows = columns.frequency.len();
        let counts = match columns.count.len() {
            0 => rows,
            given => given,
        };
        for (column, found) in [
            ("recency", columns.recency.len()),
            ("occasions", columns.occasions.len()),
            ("count", counts),
        ] {
            if found != rows {
                return Err(DataError::Length {
                    column,
                    found,
                    reference: "frequency",
                    expected: rows,
                });
            }
        }
        let mut summary = Self::new();
        let counts = columns.count.iter().copied().chain(std::iter::repeat(1));
        let times = columns.recency.iter().zip(&columns.occasions);
        let histories = columns.frequency.iter().zip(times);
        for (row, ((&frequency, (&recency, &occasions)), count)) in (1..).zip(histories.zip(counts))
        {
            let history = OccasionHistory {
                frequency,
                recency,
                occasions,
            };
            history.check(row)?;
            summary.add(history, count)?;
        }
        Ok(summary)
    }

    /// All customers of a summary of activity; see [`OccasionHistory::from_activity`].
    ///
    /// # Errors
    /// [`DataError::Field`] beyond 2^53 customers.
    pub fn from_activity(activity: &ActivitySummary, last: i32) -> Result<Self, DataError> {
        let mut summary = Self::new();
        for customer in 0..activity.customers() {
            if let Some(history) = OccasionHistory::from_activity(activity, customer, last) {
                summary.push(history)?;
            }
        }
        Ok(summary)
    }

    /// Adds one customer.
    ///
    /// # Errors
    /// [`DataError::Field`] beyond 2^53 customers.
    pub fn push(&mut self, history: OccasionHistory) -> Result<(), DataError> {
        self.add(history, 1)
    }

    /// Adds some customers of one history.
    ///
    /// # Errors
    /// [`DataError::Field`] beyond 2^53 customers.
    pub fn add(&mut self, history: OccasionHistory, customers: u64) -> Result<(), DataError> {
        self.counted.add(history, customers)
    }

    /// Adds all that another summary holds.
    ///
    /// # Errors
    /// [`DataError::Field`] beyond 2^53 customers.
    pub fn merge(&mut self, other: Self) -> Result<(), DataError> {
        self.counted.merge(other.counted)
    }

    /// How many customers there are.
    pub fn customers(&self) -> u64 {
        self.counted.customers()
    }

    /// How many distinct histories there are.
    pub fn distinct(&self) -> usize {
        self.counted.len()
    }

    /// The distinct histories, ascending in (x, t_x, n), with their numbers of customers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (OccasionHistory, u64)> + '_ {
        self.counted.iter()
    }
}

impl Summary for OccasionSummary {
    type Fact = OccasionHistory;

    fn empty(&self) -> Self {
        Self::new()
    }

    fn push_fact(&mut self, fact: OccasionHistory) -> Result<(), DataError> {
        self.push(fact)
    }

    fn merge(&mut self, other: Self) -> Result<(), DataError> {
        Self::merge(self, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Period, Timestamp, Zone};
    use crate::summary::laws;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_is_named() {
        let message = |x, t_x, n| OccasionHistory::new(x, t_x, n).unwrap_err().to_string();
        assert_eq!(
            message(1, 7, 6),
            "row 1, column `recency`: found `7`, expected an occasion up to the number of occasions"
        );
        assert!(message(3, 2, 6).contains("column `frequency`: found `3`"));
        assert!(message(0, 2, 6).contains("column `recency`: found `2`"));

        let columns = OccasionColumns {
            frequency: vec![0, 3],
            recency: vec![0, 2],
            occasions: vec![6, 6],
            count: vec![],
        };
        let error = OccasionSummary::from_columns(&columns).unwrap_err();
        assert!(error.to_string().starts_with("row 2"), "{error}");
        let short = OccasionColumns {
            count: vec![1],
            ..columns
        };
        let error = OccasionSummary::from_columns(&short).unwrap_err();
        assert!(matches!(
            error,
            DataError::Length {
                column: "count",
                ..
            }
        ));
    }

    #[test]
    fn rows_of_one_history_add_up() {
        let columns = OccasionColumns {
            frequency: vec![1, 0, 1, 0],
            recency: vec![2, 0, 2, 0],
            occasions: vec![6, 6, 6, 5],
            count: vec![5, 7, 1, 0],
        };
        let summary = OccasionSummary::from_columns(&columns).unwrap();
        let of = |x, t_x, n| OccasionHistory::new(x, t_x, n).unwrap();
        assert_eq!(
            summary.iter().collect::<Vec<_>>(),
            [(of(0, 0, 6), 7), (of(1, 2, 6), 6)]
        );
        assert_eq!(summary.customers(), 13);
    }

    #[test]
    fn occasions_follow_each_customers_first() {
        let mut activity = ActivitySummary::new(Period::Month, &Zone::UTC);
        let month = |m| Timestamp::from_civil(2024, m, 15).unwrap();
        for (customer, m) in [(0, 1), (0, 4), (0, 3), (1, 4), (3, 2), (3, 9)] {
            activity.push(customer, month(m)).unwrap();
        }
        let last = activity.periods().start + 5; // June
        let history = |customer| OccasionHistory::from_activity(&activity, customer, last);
        let of = |x, t_x, n| OccasionHistory::new(x, t_x, n).ok();
        assert_eq!(history(0), of(2, 3, 5));
        assert_eq!(history(1), of(0, 0, 2));
        assert_eq!(history(2), None);
        assert_eq!(history(3), of(0, 0, 4)); // September is beyond the end
        let summary = OccasionSummary::from_activity(&activity, last).unwrap();
        assert_eq!(summary.customers(), 3);
        assert_eq!(OccasionHistory::from_activity(&activity, 1, last - 3), None);
    }

    proptest! {
        #[test]
        fn order_and_parts_do_not_matter(
            facts in proptest::collection::vec((0u32..3, 0u32..3, 0u32..3), 0..60),
            seed: u64,
        ) {
            let valid = |(x, silent, after)| {
                let t_x = if x == 0 { 0 } else { x + silent };
                OccasionHistory::new(x, t_x, t_x + after).unwrap()
            };
            let facts: Vec<_> = facts.into_iter().map(valid).collect();
            laws::check(&OccasionSummary::new(), &facts, seed).unwrap();
        }
    }
}
