//! Where rows lie, remembered from loading them to changing them, so that the server does not look them up twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use crate::loyalty::{Batch, Key};

/// So many places are remembered; what is only read is never asked for again.
const MOST: usize = 32_768;

/// The places of the rows that were loaded lately, each for one version of its row.
///
/// A row has one place for as long as it has one version, but for a table that is rewritten. A wrong place does no harm: the
/// server looks at name and version.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<Key, (u64, SmolStr), RandomState>>);

impl Places {
    /// Remembers where some rows lie.
    pub(super) fn note(&self, rows: impl Iterator<Item = (Key, u64, SmolStr)>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() > MOST {
            places.clear();
        }
        places.extend(rows.map(|(key, version, place)| (key, (version, place))));
    }

    /// Gives out, and forgets, what is known of the records of a batch in the versions that it expects.
    pub(super) fn take<'b>(&self, batch: &'b Batch) -> HashMap<&'b Key, SmolStr, RandomState> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = batch.expected.iter().filter_map(|(key, expected)| {
            let (version, place) = places.remove(key)?;
            (version == *expected).then_some((key, place))
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loyalty::AccountId;

    fn batch(expected: &[(&str, u64)]) -> Batch {
        let member = |name: &str| Key::Member(name.into());
        Batch {
            expected: (expected.iter())
                .map(|(name, version)| (member(name), *version))
                .collect(),
            changed: vec![],
            entries: vec![],
        }
    }

    #[test]
    fn a_place_is_given_once_and_for_its_version() {
        let places = Places::default();
        let rows = [
            ("ann", 1, "(0,1)"),
            ("bob", 2, "(0,2)"),
            ("ann", 3, "(7,1)"),
        ];
        let row = |(name, version, place)| {
            (
                Key::Member(AccountId::from(name)),
                version,
                SmolStr::new(place),
            )
        };
        places.note(rows.into_iter().map(row));
        assert!(places.take(&batch(&[("bob", 1), ("cho", 1)])).is_empty());
        assert!(places.take(&batch(&[("bob", 2)])).is_empty());
        let wanted = batch(&[("ann", 3)]);
        let taken = places.take(&wanted);
        assert_eq!(taken.into_values().collect::<Vec<_>>(), ["(7,1)"]);
        assert!(places.take(&wanted).is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let places = Places::default();
        for n in 0..200_000 {
            let key = Key::Member(AccountId::from(format!("m{n}")));
            places.note(std::iter::once((key, 1, SmolStr::new_inline("(0,1)"))));
        }
        assert!(places.0.lock().unwrap().len() <= MOST + 1);
    }
}
