//! How many customers share each of a few distinct facts.

use std::collections::BTreeMap;

use crate::error::DataError;

/// The most customers that one table counts: 2^53, up to which a count is exact as an `f64`.
const CUSTOMERS_MAX: u64 = 1 << 53;

/// Distinct keys, ascending, with their numbers of customers (never 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted<K> {
    counts: BTreeMap<K, u64>,
    customers: u64,
}

impl<K: Copy + Ord> Counted<K> {
    pub(super) const fn new() -> Self {
        Self {
            counts: BTreeMap::new(),
            customers: 0,
        }
    }

    /// Counts some customers; on an error nothing is counted.
    pub(super) fn add(&mut self, key: K, customers: u64) -> Result<(), DataError> {
        if customers == 0 {
            return Ok(());
        }
        self.customers = self.total_with(customers)?;
        *self.counts.entry(key).or_insert(0) += customers;
        Ok(())
    }

    /// Counts all that another table counts; on an error nothing is counted.
    pub(super) fn merge(&mut self, other: Self) -> Result<(), DataError> {
        self.customers = self.total_with(other.customers)?;
        for (key, customers) in other.counts {
            *self.counts.entry(key).or_insert(0) += customers;
        }
        Ok(())
    }

    pub(super) fn customers(&self) -> u64 {
        self.customers
    }

    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (K, u64)> + ExactSizeIterator {
        self.counts
            .iter()
            .map(|(&key, &customers)| (key, customers))
    }

    fn total_with(&self, more: u64) -> Result<u64, DataError> {
        let total = self.customers.saturating_add(more);
        if total <= CUSTOMERS_MAX {
            return Ok(total);
        }
        Err(DataError::Field {
            field: "customers".to_owned(),
            value: total.to_string(),
            expected: "at most 2^53 in all",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_are_refused_and_nothing_is_counted() {
        let mut counted = Counted::new();
        counted.add(7, CUSTOMERS_MAX - 1).unwrap();
        let before = counted.clone();
        assert!(counted.add(3, 2).is_err());
        assert!(counted.add(3, u64::MAX).is_err());
        assert_eq!(counted, before);
        let mut other = Counted::new();
        other.add(3, 2).unwrap();
        let error = counted.merge(other).unwrap_err().to_string();
        assert_eq!(
            error,
            "the field `customers` is 9007199254740993; it must be at most 2^53 in all"
        );
        assert_eq!(counted, before);
        counted.add(3, 1).unwrap();
        assert_eq!(counted.customers(), CUSTOMERS_MAX);
        assert_eq!(
            counted.iter().collect::<Vec<_>>(),
            [(3, 1), (7, CUSTOMERS_MAX - 1)]
        );
    }
}
