//! From a user's own keys to dense `u32` indices and back.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::error::DataError;

/// The keys of customers, items or orders, numbered 0, 1, 2, … in the order of first appearance.
///
/// Everything inside the crate works on the numbers; the translation happens once, here.
/// Keys are anything that can be hashed and compared. How they are hashed differs from run to run
/// (which keeps hostile keys from piling up in one bucket); the numbering does not.
///
/// ```
/// use tenure::event::Ids;
///
/// let mut ids = Ids::new();
/// assert_eq!(ids.intern("ann").unwrap(), 0);
/// assert_eq!(ids.intern("bob").unwrap(), 1);
/// assert_eq!(ids.intern("ann").unwrap(), 0);
/// assert_eq!(ids.get("bob"), Some(1));
/// assert_eq!(ids.key(1), Some(&"bob"));
/// ```
#[derive(Debug, Clone)]
pub struct Ids<K> {
    keys: Vec<K>,
    /// Made when a key is first looked up: a log that is only read needs no more than the keys.
    numbers: OnceLock<HashTable<u32>>,
    hasher: RandomState,
}

impl<K> Default for Ids<K> {
    /// No keys yet.
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            numbers: OnceLock::new(),
            hasher: RandomState::default(),
        }
    }
}

impl<K: Eq> PartialEq for Ids<K> {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

impl<K: Hash + Eq> Ids<K> {
    /// The most keys there can be: 2³² − 1. The largest `u32` is never a number.
    pub const LIMIT: u32 = u32::MAX;

    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of a key; a new key gets the next number.
    ///
    /// # Errors
    /// [`DataError::TooMany`] when [`Ids::LIMIT`] keys have numbers and this one has none.
    pub fn intern(&mut self, key: K) -> Result<u32, DataError> {
        match self.get(&key) {
            Some(number) => Ok(number),
            None => self.append(key),
        }
    }

    /// As [`Ids::intern`], but makes an owned key only when the key is new.
    ///
    /// ```
    /// # use tenure::event::Ids;
    /// let mut ids: Ids<String> = Ids::new();
    /// assert_eq!(ids.intern_ref("ann").unwrap(), 0);
    /// assert_eq!(ids.intern_ref("ann").unwrap(), 0);
    /// ```
    ///
    /// # Errors
    /// As [`Ids::intern`].
    pub fn intern_ref<Q>(&mut self, key: &Q) -> Result<u32, DataError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        match self.get(key) {
            Some(number) => Ok(number),
            None => self.append(key.to_owned()),
        }
    }

    /// The number of a key, or `None` when it has none.
    pub fn get<Q>(&self, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.numbers()
            .find(self.hasher.hash_one(key), |&n| {
                self.keys.get(n as usize).is_some_and(|k| k.borrow() == key)
            })
            .copied()
    }

    /// The key of a number, or `None` when no key has it.
    pub fn key(&self, number: u32) -> Option<&K> {
        self.keys.get(number as usize)
    }

    /// All keys, in the order of their numbers.
    pub fn keys(&self) -> &[K] {
        &self.keys
    }

    /// How many keys there are.
    pub fn len(&self) -> u32 {
        self.keys.len() as u32
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes keys over of which no two are equal, and not more than [`Ids::LIMIT`].
    pub(super) fn from_distinct(keys: Vec<K>) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }

    fn append(&mut self, key: K) -> Result<u32, DataError> {
        let number = next_number(self.keys.len())?;
        self.numbers();
        let (keys, hasher) = (&self.keys, &self.hasher);
        if let Some(numbers) = self.numbers.get_mut() {
            numbers.insert_unique(hasher.hash_one(&key), number, |&n| {
                keys.get(n as usize).map_or(0, |k| hasher.hash_one(k))
            });
        }
        self.keys.push(key);
        Ok(number)
    }

    fn numbers(&self) -> &HashTable<u32> {
        self.numbers.get_or_init(|| {
            let hash = |key: &K| self.hasher.hash_one(key);
            let mut numbers = HashTable::with_capacity(self.keys.len());
            for (number, key) in (0..).zip(&self.keys) {
                numbers.insert_unique(hash(key), number, |&n| {
                    self.keys.get(n as usize).map_or(0, hash)
                });
            }
            numbers
        })
    }
}

impl Ids<i64> {
    /// Numbers a whole column of integer keys at once: the keys and the number of each row.
    ///
    /// The same as [`Ids::intern`] row by row, and several times faster when the keys lie close
    /// together (a range of at most four times the rows): then a table stands in for the hashing.
    ///
    /// ```
    /// use tenure::event::Ids;
    ///
    /// let (ids, rows) = Ids::number(&[70, 40, 70]).unwrap();
    /// assert_eq!(rows, [0, 1, 0]);
    /// assert_eq!(ids.keys(), [70, 40]);
    /// ```
    ///
    /// # Errors
    /// As [`Ids::intern`].
    pub fn number(column: &[i64]) -> Result<(Self, Vec<u32>), DataError> {
        const NONE: u32 = u32::MAX;
        let mut ids = Self::new();
        let (low, high) = column
            .iter()
            .fold((i64::MAX, i64::MIN), |(low, high), &key| {
                (low.min(key), high.max(key))
            });
        let slots = high
            .checked_sub(low)
            .and_then(|range| usize::try_from(range).ok());
        let Some(last) = slots.filter(|&last| last / 4 <= column.len()) else {
            let rows = column
                .iter()
                .map(|&key| ids.intern(key))
                .collect::<Result<_, _>>()?;
            return Ok((ids, rows));
        };
        let mut table = vec![NONE; last + 1];
        let mut rows = Vec::with_capacity(column.len());
        for &key in column {
            // In range: `low <= key <= high` and `last = high - low`.
            let slot = &mut table[(key - low) as usize];
            if *slot == NONE {
                *slot = next_number(ids.keys.len())?;
                ids.keys.push(key);
            }
            rows.push(*slot);
        }
        Ok((Self::from_distinct(ids.keys), rows))
    }
}

/// The number that follows those of `len` keys.
pub(super) fn next_number(len: usize) -> Result<u32, DataError> {
    u32::try_from(len)
        .ok()
        .filter(|&number| number < u32::MAX)
        .ok_or(DataError::TooMany {
            what: "keys",
            limit: u64::from(u32::MAX),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_number_is_never_given() {
        assert_eq!(next_number(u32::MAX as usize - 1), Ok(u32::MAX - 1));
        assert!(matches!(
            next_number(u32::MAX as usize),
            Err(DataError::TooMany { .. })
        ));
        assert!(next_number(usize::MAX).is_err());
    }

    #[test]
    fn far_apart_and_extreme_integers_are_numbered_without_a_table() {
        let (ids, rows) = Ids::number(&[i64::MAX, i64::MIN, 0, i64::MAX]).unwrap();
        assert_eq!(rows, [0, 1, 2, 0]);
        assert_eq!(ids.get(&0), Some(2));
        assert_eq!(Ids::number(&[]).unwrap().0.len(), 0);
    }

    proptest! {
        #[test]
        fn a_column_at_once_is_numbered_as_row_by_row(
            base in any::<i64>(), spread in 1_i64..200, steps in proptest::collection::vec(any::<u16>(), 0..60)
        ) {
            let column: Vec<i64> =
                steps.iter().map(|&s| base.saturating_add(i64::from(s) % spread)).collect();
            let (at_once, rows) = Ids::number(&column).unwrap();
            let mut one_by_one = Ids::new();
            for (key, row) in column.iter().zip(rows) {
                prop_assert_eq!(one_by_one.intern(*key).unwrap(), row);
                prop_assert_eq!(at_once.get(key), Some(row));
                prop_assert_eq!(at_once.key(row), Some(key));
            }
            prop_assert_eq!(at_once, one_by_one);
        }
    }
}
