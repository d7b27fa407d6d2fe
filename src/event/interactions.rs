//! What customers did with items: bought, viewed, rated.

use std::hash::Hash;

use super::ids::Ids;
use super::time::Timestamp;
use super::transactions::bad_value;
use crate::error::DataError;

/// A log of interactions between customers and items as columns of equal length.
///
/// The weight says how much a row counts: 1 for a purchase, the number of plays, a rating. The same
/// pair may stand in many rows; a model adds up or decays them as it needs.
///
/// ```
/// use tenure::event::{Interactions, Timestamp};
///
/// let now = Timestamp::from_civil(2024, 5, 1).unwrap();
/// let (log, customers, items) =
///     Interactions::from_rows([("ann", "tea", 1.0, now), ("bob", "tea", 2.0, now)])?;
/// assert_eq!((log.len(), customers.len(), items.len()), (2, 2, 1));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Interactions {
    customers: u32,
    items: u32,
    customer: Vec<u32>,
    item: Vec<u32>,
    weight: Vec<f32>,
    time: Vec<Timestamp>,
}

/// The columns of a log, for [`Interactions::from_columns`].
#[derive(Debug, Clone, Default)]
pub struct InteractionColumns {
    /// How many customers there are; every number in `customer` is smaller.
    pub customers: u32,
    /// How many items there are; every number in `item` is smaller.
    pub items: u32,
    /// The customer of each row.
    pub customer: Vec<u32>,
    /// The item of each row.
    pub item: Vec<u32>,
    /// How much each row counts: finite and not negative.
    pub weight: Vec<f32>,
    /// When each row happened.
    pub time: Vec<Timestamp>,
}

impl Interactions {
    /// Takes columns over, without copying them.
    ///
    /// # Errors
    /// [`DataError::Length`] when columns differ in length, [`DataError::Value`] for a number that
    /// is not below its count, or a weight that is negative, NaN or infinite.
    pub fn from_columns(columns: InteractionColumns) -> Result<Self, DataError> {
        let InteractionColumns {
            customers,
            items,
            customer,
            item,
            weight,
            time,
        } = columns;
        let expected = customer.len();
        for (column, found) in [
            ("item", item.len()),
            ("weight", weight.len()),
            ("time", time.len()),
        ] {
            if found != expected {
                return Err(DataError::Length {
                    column,
                    found,
                    reference: "customer",
                    expected,
                });
            }
        }
        for (row, ((&c, &i), &w)) in (1..).zip(customer.iter().zip(&item).zip(&weight)) {
            if c >= customers {
                let expected = "a customer number below the count of customers";
                return Err(bad_value(row, "customer", c, expected));
            }
            if i >= items {
                let expected = "an item number below the count of items";
                return Err(bad_value(row, "item", i, expected));
            }
            check_weight(row, w)?;
        }
        Ok(Self {
            customers,
            items,
            customer,
            item,
            weight,
            time,
        })
    }

    /// Gives the columns back, without copying them; the inverse of [`Interactions::from_columns`].
    pub fn into_columns(self) -> InteractionColumns {
        InteractionColumns {
            customers: self.customers,
            items: self.items,
            customer: self.customer,
            item: self.item,
            weight: self.weight,
            time: self.time,
        }
    }

    /// Collects rows of (customer key, item key, weight, time) and numbers customers and items.
    ///
    /// # Errors
    /// [`DataError::Value`] for a weight that is negative, NaN or infinite,
    /// [`DataError::TooMany`] for more than 2³² − 1 customers or items.
    pub fn from_rows<C: Hash + Eq, I: Hash + Eq>(
        rows: impl IntoIterator<Item = (C, I, f32, Timestamp)>,
    ) -> Result<(Self, Ids<C>, Ids<I>), DataError> {
        let (mut customers, mut items) = (Ids::new(), Ids::new());
        let mut columns = InteractionColumns::default();
        for (row, (customer, item, weight, time)) in (1..).zip(rows) {
            check_weight(row, weight)?;
            columns.customer.push(customers.intern(customer)?);
            columns.item.push(items.intern(item)?);
            columns.weight.push(weight);
            columns.time.push(time);
        }
        let InteractionColumns {
            customer,
            item,
            weight,
            time,
            ..
        } = columns;
        let log = Self {
            customers: customers.len(),
            items: items.len(),
            customer,
            item,
            weight,
            time,
        };
        Ok((log, customers, items))
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

    /// How many items there are, those without a row included.
    pub fn items(&self) -> u32 {
        self.items
    }

    /// The customer of each row.
    pub fn customer(&self) -> &[u32] {
        &self.customer
    }

    /// The item of each row.
    pub fn item(&self) -> &[u32] {
        &self.item
    }

    /// How much each row counts.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// When each row happened.
    pub fn time(&self) -> &[Timestamp] {
        &self.time
    }
}

fn check_weight(row: u64, weight: f32) -> Result<(), DataError> {
    if weight.is_finite() && weight >= 0.0 {
        return Ok(());
    }
    Err(bad_value(
        row,
        "weight",
        weight,
        "a finite number that is not negative",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_rows_are_named() {
        let t = Timestamp::MIN;
        for (weight, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (-1.0, "-1")] {
            let error = Interactions::from_rows([(1, 1, 1.0, t), (1, 2, weight, t)]).unwrap_err();
            let expected = "expected a finite number that is not negative";
            assert_eq!(
                error.to_string(),
                format!("row 2, column `weight`: found `{text}`, {expected}")
            );
        }
        let columns = InteractionColumns {
            customers: 1,
            items: 1,
            customer: vec![0],
            item: vec![1],
            weight: vec![1.0],
            time: vec![t],
        };
        let error = Interactions::from_columns(columns.clone()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("row 1, column `item`: found `1`"),
            "{error}"
        );
        let error = Interactions::from_columns(InteractionColumns {
            time: vec![],
            ..columns
        });
        assert!(matches!(
            error,
            Err(DataError::Length { column: "time", .. })
        ));
    }
}
