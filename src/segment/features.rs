//! What RFM looks at: recency, frequency and monetary value of each customer.

use super::timeline::days_between;
use crate::error::DataError;
use crate::event::Timestamp;
use crate::summary::{Purchases, RfmColumns};

/// One customer's recency, frequency and monetary value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RfmValues {
    /// The customer's number. It only settles ties in [`Binning::EqualCount`](super::Binning::EqualCount).
    pub customer: u32,
    /// Days from the last purchase to the analysis date; 0 for a purchase on that date.
    pub recency_days: i32,
    /// Purchases up to the analysis date; at least 1.
    pub frequency: u32,
    /// Their sum in minor units of money; refunds can make it negative.
    pub monetary_minor: i64,
}

/// Recency, frequency and monetary value of many customers, as columns of equal length.
///
/// ```
/// use tenure::segment::{RfmFeatureColumns, RfmFeatures};
///
/// let features = RfmFeatures::from_columns(RfmFeatureColumns {
///     recency_days: vec![3, 120],
///     frequency: vec![7, 1],
///     monetary_minor: vec![310_00, 25_00],
///     ..RfmFeatureColumns::default()
/// })?;
/// assert_eq!(features.get(1).unwrap().recency_days, 120);
/// assert_eq!(features.customer(), [0, 1]);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RfmFeatures {
    columns: RfmFeatureColumns,
}

/// The columns of [`RfmFeatures`]; see [`RfmValues`] for what each means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RfmFeatureColumns {
    /// The customer's number, each once; when empty, the rows are customers 0, 1, 2, …
    pub customer: Vec<u32>,
    /// Days from the last purchase to the analysis date; not negative.
    pub recency_days: Vec<i32>,
    /// Purchases; at least 1.
    pub frequency: Vec<u32>,
    /// Sum of the amounts in minor units of money.
    pub monetary_minor: Vec<i64>,
}

impl RfmFeatures {
    /// Takes columns over, without copying them.
    ///
    /// # Errors
    /// [`DataError::Length`] when columns differ in length; [`DataError::Value`] for a negative recency
    /// (the analysis date lies before the last purchase) or a frequency of 0;
    /// [`DataError::TooMany`] for more rows than `u32` can number.
    pub fn from_columns(mut columns: RfmFeatureColumns) -> Result<Self, DataError> {
        let rows = columns.recency_days.len();
        let limit = u32::MAX;
        let count = u32::try_from(rows).map_err(|_| DataError::TooMany {
            what: "customers",
            limit: limit.into(),
        })?;
        if columns.customer.is_empty() {
            columns.customer = (0..count).collect();
        }
        for (column, found) in [
            ("customer", columns.customer.len()),
            ("frequency", columns.frequency.len()),
            ("monetary_minor", columns.monetary_minor.len()),
        ] {
            if found != rows {
                return Err(DataError::Length {
                    column,
                    found,
                    reference: "recency_days",
                    expected: rows,
                });
            }
        }
        let bad = |index: usize, column: &str, value: String, expected| DataError::Value {
            row: index as u64 + 1,
            column: column.to_owned(),
            value,
            expected,
        };
        if let Some(i) = columns.recency_days.iter().position(|&days| days < 0) {
            let value = columns.recency_days[i].to_string();
            let expected =
                "days that are not negative: the analysis date is not before the last purchase";
            return Err(bad(i, "recency_days", value, expected));
        }
        if let Some(i) = columns.frequency.iter().position(|&count| count == 0) {
            return Err(bad(i, "frequency", "0".to_owned(), "at least 1 purchase"));
        }
        Ok(Self { columns })
    }

    /// As seen on a day (counted from 1970-01-01), from the last day, rows and sum of each customer; the
    /// columns are taken over. A row of the log is a purchase, as in R's package rfm.
    ///
    /// The day is the analysis date, in the zone of the summary; no purchase may lie after it. For an
    /// earlier date, summarise the facts up to it, or use [`from_purchases`](Self::from_purchases).
    ///
    /// ```
    /// use tenure::event::{Decimals, Timestamp, Transactions, Zone};
    /// use tenure::segment::RfmFeatures;
    /// use tenure::summary::{Refunds, RfmSummary};
    ///
    /// let day = |d| Timestamp::from_civil(1997, 1, d).unwrap();
    /// let (log, _) = Transactions::from_rows(
    ///     Decimals::TWO,
    ///     [("ann", day(18), 2973), ("bob", day(2), 1177), ("ann", day(1), 2933)],
    /// )?;
    /// let summary = RfmSummary::collect(&log, &Zone::UTC, Refunds::Ignore)?;
    /// let features = RfmFeatures::from_summary(summary.columns()?, Zone::UTC.day(day(31)))?;
    /// assert_eq!(features.recency_days(), [13, 29]);
    /// assert_eq!(features.frequency(), [2, 1]);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Value`] for a last purchase after the day; [`DataError::Length`] when columns differ
    /// in length.
    pub fn from_summary(summary: RfmColumns, as_of_day: i32) -> Result<Self, DataError> {
        let RfmColumns {
            customer,
            last_day,
            rows,
            amount_minor,
        } = summary;
        let mut recency_days = last_day;
        for (row, day) in (1..).zip(&mut recency_days) {
            let days = as_of_day.checked_sub(*day).filter(|days| *days >= 0);
            *day = days.ok_or_else(|| DataError::Value {
                row,
                column: "last_day".to_owned(),
                value: day.to_string(),
                expected: "a day up to the analysis date and at most 2^31 days before it",
            })?;
        }
        Self::from_columns(RfmFeatureColumns {
            customer,
            recency_days,
            frequency: rows,
            monetary_minor: amount_minor,
        })
    }

    /// As seen at `as_of`, from the purchases in periods up to and including that of `as_of`. Customers
    /// without one have no row.
    ///
    /// Recency is the whole days between the first days of the two periods. Frequency counts purchases
    /// at the grain of the log: two orders of one day are one purchase where a day is.
    ///
    /// # Errors
    /// [`DataError::Overflow`] when a customer has more purchases than `u32` can count.
    pub fn from_purchases(purchases: &Purchases, as_of: Timestamp) -> Result<Self, DataError> {
        let as_of = purchases.period_of(as_of);
        let mut columns = RfmFeatureColumns::default();
        for (customer, run) in (0..).zip(purchases.iter()) {
            let until = run.partition_point(|purchase| purchase.period <= as_of);
            let Some((last, seen)) = run.get(..until).and_then(|seen| Some((seen.last()?, seen)))
            else {
                continue;
            };
            let overflow = DataError::Overflow {
                what: "purchases",
                customer,
            };
            columns.customer.push(customer);
            // A `Timestamp` spans 7.3 million days.
            columns
                .recency_days
                .push(days_between(purchases, last.period, as_of) as i32);
            columns
                .frequency
                .push(u32::try_from(seen.len()).map_err(|_| overflow)?);
            columns
                .monetary_minor
                .push(seen.iter().map(|purchase| purchase.amount_minor).sum());
        }
        Self::from_columns(columns)
    }

    /// How many customers there are.
    pub fn len(&self) -> usize {
        self.columns.recency_days.len()
    }

    /// Whether there are no customers.
    pub fn is_empty(&self) -> bool {
        self.columns.recency_days.is_empty()
    }

    /// The values in a row, or `None` past the end.
    pub fn get(&self, row: usize) -> Option<RfmValues> {
        let c = &self.columns;
        Some(RfmValues {
            customer: *c.customer.get(row)?,
            recency_days: *c.recency_days.get(row)?,
            frequency: *c.frequency.get(row)?,
            monetary_minor: *c.monetary_minor.get(row)?,
        })
    }

    /// All values in the order of the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RfmValues> + Clone + '_ {
        let c = &self.columns;
        let who = c.customer.iter().zip(&c.recency_days);
        let what = c.frequency.iter().zip(&c.monetary_minor);
        who.zip(what).map(
            |((&customer, &recency_days), (&frequency, &monetary_minor))| RfmValues {
                customer,
                recency_days,
                frequency,
                monetary_minor,
            },
        )
    }

    /// The customer of each row.
    pub fn customer(&self) -> &[u32] {
        &self.columns.customer
    }

    /// Days from the last purchase to the analysis date, of each row.
    pub fn recency_days(&self) -> &[i32] {
        &self.columns.recency_days
    }

    /// Purchases of each row.
    pub fn frequency(&self) -> &[u32] {
        &self.columns.frequency
    }

    /// Sum of the amounts of each row, in minor units of money.
    pub fn monetary_minor(&self) -> &[i64] {
        &self.columns.monetary_minor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_summaries_see_the_same_customers() {
        use crate::event::{Decimals, Period, Transactions, Zone};
        use crate::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds, RfmSummary};
        let day = |d| Timestamp::from_civil(2024, 3, d).unwrap();
        let rows = [
            ("a", day(1), 500),
            ("b", day(20), 70),
            ("a", day(9), 250),
            ("c", day(30), 1),
        ];
        let (log, _) = Transactions::from_rows(Decimals::TWO, rows).unwrap();
        let options = PurchaseOptions {
            grain: Grain::Period(Period::Day),
            zone: Zone::UTC,
            refunds: Refunds::Ignore,
        };
        let purchases = PurchaseSummary::collect(&log, &options)
            .unwrap()
            .purchases()
            .unwrap();
        let summary = RfmSummary::collect(&log, &Zone::UTC, Refunds::Ignore).unwrap();

        let features = RfmFeatures::from_purchases(&purchases, day(31)).unwrap();
        assert_eq!(features.recency_days(), [22, 11, 1]);
        assert_eq!(features.frequency(), [2, 1, 1]);
        assert_eq!(features.monetary_minor(), [750, 70, 1]);
        let as_of = Zone::UTC.day(day(31));
        let same = RfmFeatures::from_summary(summary.columns().unwrap(), as_of).unwrap();
        assert_eq!(same, features);

        let earlier = RfmFeatures::from_purchases(&purchases, day(9)).unwrap();
        assert_eq!(
            (earlier.customer(), earlier.recency_days()),
            (&[0][..], &[0][..])
        );
        let as_of = Zone::UTC.day(day(29));
        let error = RfmFeatures::from_summary(summary.columns().unwrap(), as_of).unwrap_err();
        assert!(
            error.to_string().starts_with("row 3, column `last_day`"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_is_named_with_its_row() {
        let columns = RfmFeatureColumns {
            recency_days: vec![0, 5],
            frequency: vec![1, 2],
            monetary_minor: vec![100, -5],
            ..RfmFeatureColumns::default()
        };
        assert!(RfmFeatures::from_columns(columns.clone()).is_ok());
        let message = |columns| RfmFeatures::from_columns(columns).unwrap_err().to_string();
        assert_eq!(
            message(RfmFeatureColumns {
                recency_days: vec![0, -1],
                ..columns.clone()
            }),
            "row 2, column `recency_days`: found `-1`, expected days that are not negative: \
             the analysis date is not before the last purchase"
        );
        assert_eq!(
            message(RfmFeatureColumns {
                frequency: vec![0, 1],
                ..columns.clone()
            }),
            "row 1, column `frequency`: found `0`, expected at least 1 purchase"
        );
        assert_eq!(
            message(RfmFeatureColumns {
                customer: vec![7],
                ..columns
            }),
            "column `customer` has 1 rows, expected 2 as in `recency_days`"
        );
    }
}
