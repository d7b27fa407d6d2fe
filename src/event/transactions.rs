//! Purchases: who bought, when, for how much.

use std::hash::Hash;

use super::ids::Ids;
use super::money::{AMOUNT_MAX, Decimals};
use super::time::Timestamp;
use crate::error::DataError;

/// A log of transactions as columns of equal length, checked once and trusted after it.
///
/// A row is a payment, or a refund when its amount is negative. Rows may stand in any order; what
/// is one purchase (all rows of a day, say) and what a refund means is for the
/// [summary](crate::summary) to say, so that the facts stay as they happened.
///
/// ```
/// use tenure::event::{Decimals, Timestamp, Transactions};
///
/// let day = |d| Timestamp::from_civil(1997, 1, d).unwrap();
/// let (log, customers) = Transactions::from_rows(
///     Decimals::TWO,
///     [("ann", day(1), 2933), ("bob", day(2), 1177), ("ann", day(18), 2973)],
/// )?;
/// assert_eq!((log.len(), log.customers()), (3, 2));
/// assert_eq!(log.end().unwrap(), day(18));
/// assert_eq!(customers.key(log.customer()[2]), Some(&"ann"));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Transactions {
    customers: u32,
    decimals: Decimals,
    customer: Vec<u32>,
    time: Vec<Timestamp>,
    amount: Vec<i64>,
    order: Option<Vec<u32>>,
    item: Option<Vec<u32>>,
}

/// The columns of a log, for [`Transactions::from_columns`].
#[derive(Debug, Clone, Default)]
pub struct TransactionColumns {
    /// How many customers there are; every number in `customer` is smaller.
    pub customers: u32,
    /// The customer of each row.
    pub customer: Vec<u32>,
    /// When each row happened.
    pub time: Vec<Timestamp>,
    /// Minor units; negative for a refund; at most [`AMOUNT_MAX`] either way.
    pub amount: Vec<i64>,
    /// The order that each row is part of, where orders are known.
    pub order: Option<Vec<u32>>,
    /// The item that each row is for, where items are known.
    pub item: Option<Vec<u32>>,
}

impl Transactions {
    /// Takes columns over, without copying them.
    ///
    /// # Errors
    /// [`DataError::Length`] when columns differ in length, [`DataError::Value`] for a customer
    /// number that is not below `customers` or an amount beyond [`AMOUNT_MAX`].
    pub fn from_columns(
        decimals: Decimals,
        columns: TransactionColumns,
    ) -> Result<Self, DataError> {
        let TransactionColumns {
            customers,
            customer,
            time,
            amount,
            order,
            item,
        } = columns;
        let lengths = [
            ("time", Some(time.len())),
            ("amount", Some(amount.len())),
            ("order", order.as_ref().map(Vec::len)),
            ("item", item.as_ref().map(Vec::len)),
        ];
        for (column, found) in lengths {
            if let Some(found) = found.filter(|&found| found != customer.len()) {
                let expected = customer.len();
                return Err(DataError::Length {
                    column,
                    found,
                    reference: "customer",
                    expected,
                });
            }
        }
        check_customers(customers, &customer)?;
        for (row, &minor) in (1..).zip(&amount) {
            check_amount(row, minor)?;
        }
        Ok(Self {
            customers,
            decimals,
            customer,
            time,
            amount,
            order,
            item,
        })
    }

    /// Gives the columns back, without copying them; the inverse of [`Transactions::from_columns`].
    pub fn into_columns(self) -> TransactionColumns {
        TransactionColumns {
            customers: self.customers,
            customer: self.customer,
            time: self.time,
            amount: self.amount,
            order: self.order,
            item: self.item,
        }
    }

    /// Collects rows of (customer key, time, amount in minor units) and numbers the customers.
    ///
    /// # Errors
    /// [`DataError::Value`] for an amount beyond [`AMOUNT_MAX`], [`DataError::TooMany`] for more
    /// than 2³² − 1 customers.
    pub fn from_rows<K: Hash + Eq>(
        decimals: Decimals,
        rows: impl IntoIterator<Item = (K, Timestamp, i64)>,
    ) -> Result<(Self, Ids<K>), DataError> {
        let mut ids = Ids::new();
        let mut columns = TransactionColumns::default();
        for (row, (key, time, minor)) in (1..).zip(rows) {
            check_amount(row, minor)?;
            columns.customer.push(ids.intern(key)?);
            columns.time.push(time);
            columns.amount.push(minor);
        }
        let TransactionColumns {
            customer,
            time,
            amount,
            ..
        } = columns;
        let customers = ids.len();
        Ok((
            Self {
                customers,
                decimals,
                customer,
                time,
                amount,
                order: None,
                item: None,
            },
            ids,
        ))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.customer.is_empty()
    }

    /// How many customers there are, those without a row included.
    pub fn customers(&self) -> u32 {
        self.customers
    }

    /// The decimal places of the amounts.
    pub fn decimals(&self) -> Decimals {
        self.decimals
    }

    /// The customer of each row.
    pub fn customer(&self) -> &[u32] {
        &self.customer
    }

    /// When each row happened.
    pub fn time(&self) -> &[Timestamp] {
        &self.time
    }

    /// The amount of each row in minor units; negative for a refund.
    pub fn amount(&self) -> &[i64] {
        &self.amount
    }

    /// The order of each row, where orders are known.
    pub fn order(&self) -> Option<&[u32]> {
        self.order.as_deref()
    }

    /// The item of each row, where items are known.
    pub fn item(&self) -> Option<&[u32]> {
        self.item.as_deref()
    }

    /// The time of the first row, or `None` when there is none.
    pub fn start(&self) -> Option<Timestamp> {
        self.time.iter().copied().min()
    }

    /// The time of the last row, or `None` when there is none.
    pub fn end(&self) -> Option<Timestamp> {
        self.time.iter().copied().max()
    }
}

/// Every customer number must be below the count of customers.
pub(super) fn check_customers(customers: u32, column: &[u32]) -> Result<(), DataError> {
    match (1..).zip(column).find(|&(_, &number)| number >= customers) {
        None => Ok(()),
        Some((row, number)) => {
            let expected = "a customer number below the count of customers";
            Err(bad_value(row, "customer", number, expected))
        }
    }
}

fn check_amount(row: u64, minor: i64) -> Result<(), DataError> {
    if minor.unsigned_abs() <= AMOUNT_MAX.unsigned_abs() {
        return Ok(());
    }
    Err(bad_value(
        row,
        "amount",
        minor,
        "at most 10^15 minor units either way",
    ))
}

pub(super) fn bad_value(
    row: u64,
    column: &str,
    value: impl ToString,
    expected: &'static str,
) -> DataError {
    DataError::Value {
        row,
        column: column.to_owned(),
        value: value.to_string(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> TransactionColumns {
        TransactionColumns {
            customers: 2,
            customer: vec![0, 1],
            time: vec![Timestamp::MIN, Timestamp::MAX],
            amount: vec![AMOUNT_MAX, -AMOUNT_MAX],
            order: Some(vec![7, 8]),
            item: None,
        }
    }

    #[test]
    fn extreme_but_valid_columns_are_taken() {
        let log = Transactions::from_columns(Decimals::TWO, columns()).unwrap();
        assert_eq!(
            (log.start(), log.end()),
            (Some(Timestamp::MIN), Some(Timestamp::MAX))
        );
        assert_eq!(log.order(), Some(&[7, 8][..]));
    }

    #[test]
    fn bad_columns_are_named() {
        let check = |change: fn(&mut TransactionColumns), message: &str| {
            let mut columns = columns();
            change(&mut columns);
            let error = Transactions::from_columns(Decimals::TWO, columns).unwrap_err();
            assert_eq!(error.to_string(), message);
        };
        check(
            |c| c.time.truncate(1),
            "column `time` has 1 rows, expected 2 as in `customer`",
        );
        check(
            |c| c.order = Some(vec![]),
            "column `order` has 0 rows, expected 2 as in `customer`",
        );
        check(
            |c| c.customers = 1,
            "row 2, column `customer`: found `1`, expected a customer number below the count of customers",
        );
        check(
            |c| c.amount[0] += 1,
            "row 1, column `amount`: found `1000000000000001`, expected at most 10^15 minor units either way",
        );
    }

    #[test]
    fn a_bad_amount_among_rows_is_named() {
        let rows = [("a", Timestamp::MIN, 1), ("b", Timestamp::MIN, i64::MIN)];
        let error = Transactions::from_rows(Decimals::TWO, rows).unwrap_err();
        assert!(
            error.to_string().starts_with("row 2, column `amount`"),
            "{error}"
        );
    }
}
