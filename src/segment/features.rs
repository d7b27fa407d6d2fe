//! What RFM looks at: recency, frequency and monetary value of each customer.

use crate::error::DataError;

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
/// use tenure::segment::{RfmColumns, RfmFeatures};
///
/// let features = RfmFeatures::from_columns(RfmColumns {
///     recency_days: vec![3, 120],
///     frequency: vec![7, 1],
///     monetary_minor: vec![310_00, 25_00],
///     ..RfmColumns::default()
/// })?;
/// assert_eq!(features.get(1).unwrap().recency_days, 120);
/// assert_eq!(features.customer(), [0, 1]);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RfmFeatures {
    columns: RfmColumns,
}

/// The columns of [`RfmFeatures`]; see [`RfmValues`] for what each means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RfmColumns {
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
    pub fn from_columns(mut columns: RfmColumns) -> Result<Self, DataError> {
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
    fn what_cannot_be_is_named_with_its_row() {
        let columns = RfmColumns {
            recency_days: vec![0, 5],
            frequency: vec![1, 2],
            monetary_minor: vec![100, -5],
            ..RfmColumns::default()
        };
        assert!(RfmFeatures::from_columns(columns.clone()).is_ok());
        let message = |columns| RfmFeatures::from_columns(columns).unwrap_err().to_string();
        assert_eq!(
            message(RfmColumns {
                recency_days: vec![0, -1],
                ..columns.clone()
            }),
            "row 2, column `recency_days`: found `-1`, expected days that are not negative: \
             the analysis date is not before the last purchase"
        );
        assert_eq!(
            message(RfmColumns {
                frequency: vec![0, 1],
                ..columns.clone()
            }),
            "row 1, column `frequency`: found `0`, expected at least 1 purchase"
        );
        assert_eq!(
            message(RfmColumns {
                customer: vec![7],
                ..columns
            }),
            "column `customer` has 1 rows, expected 2 as in `recency_days`"
        );
    }
}
