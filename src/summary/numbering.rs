//! Dense numbers for keys that repeat often.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Numbers keys 0, 1, 2, … in the order of their first appearance.
///
/// The keys stand in the table beside their numbers, so that a look-up touches one cache line.
#[derive(Clone)]
pub(crate) struct Numbering<K> {
    table: HashTable<(K, u32)>,
    keys: Vec<K>,
    state: FixedState,
}

impl<K: Copy + Eq + Hash> Numbering<K> {
    pub(crate) fn new() -> Self {
        Self {
            table: HashTable::new(),
            keys: Vec::new(),
            state: FixedState::default(),
        }
    }

    /// The key's number, a new one on its first appearance.
    ///
    /// Callers number rows of [`Histories`](super::Histories), of which there are fewer than 2^32.
    pub(crate) fn number(&mut self, key: K) -> u32 {
        let Self { table, keys, state } = self;
        let hash = state.hash_one(key);
        let entry = table.entry(
            hash,
            |(known, _)| *known == key,
            |(known, _)| state.hash_one(known),
        );
        match entry {
            Entry::Occupied(entry) => entry.get().1,
            Entry::Vacant(entry) => {
                let number = keys.len() as u32;
                keys.push(key);
                entry.insert((key, number));
                number
            }
        }
    }

    /// The keys in the order of their numbers.
    pub(crate) fn keys(&self) -> &[K] {
        &self.keys
    }

    /// The keys in the order of their numbers, without the means to look one up.
    pub(crate) fn into_keys(self) -> Vec<K> {
        self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_first_appearance() {
        let mut numbering = Numbering::new();
        let numbers: Vec<u32> = [7u64, 3, 7, 9, 3].map(|key| numbering.number(key)).into();
        assert_eq!(numbers, [0, 1, 0, 2, 1]);
        assert_eq!(numbering.keys(), [7, 3, 9]);
    }
}
