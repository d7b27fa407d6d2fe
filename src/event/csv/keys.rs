//! Numbers for text keys while a file is read.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::error::DataError;
use crate::event::Ids;
use crate::event::ids::next_number;

/// The longest key that a slot holds whole.
const SHORT_BYTES: usize = 11;
/// The first byte of the tag of a longer key.
const LONG: u8 = u8::MAX;

/// Numbers text keys in the order of first appearance, as [`Ids`] does.
///
/// With a million customers each look-up waits for memory, and that wait is most of the loading. In
/// [`Ids`] it comes three times: for the slot, the key's address, and its text. Here a slot holds
/// the text of a short key itself, and the table is as [`Ids`] needs it only when it is finished.
#[derive(Default)]
pub(super) struct KeyIndex {
    slots: HashTable<Slot>,
    keys: Vec<String>,
    hasher: RandomState,
}

struct Slot {
    tag: Tag,
    number: u32,
}

/// Length and text of a short key, padded with zeros; of a longer one [`LONG`] and a hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Tag(u64, u32);

impl KeyIndex {
    /// The number of a key; a new key gets the next number.
    pub(super) fn intern(&mut self, key: &str) -> Result<u32, DataError> {
        let (tag, long) = self.tag(key.as_bytes());
        let hash = self.hasher.hash_one(tag);
        let keys = &self.keys;
        let same = |slot: &Slot| {
            slot.tag == tag && (!long || keys.get(slot.number as usize).is_some_and(|k| k == key))
        };
        if let Some(slot) = self.slots.find(hash, same) {
            return Ok(slot.number);
        }
        let number = next_number(self.keys.len())?;
        let hasher = &self.hasher;
        self.slots
            .insert_unique(hash, Slot { tag, number }, |slot| hasher.hash_one(slot.tag));
        self.keys.push(key.to_owned());
        Ok(number)
    }

    /// All keys under the numbers they got.
    pub(super) fn finish(self) -> Ids<String> {
        // The slots are freed before the table of the result is made.
        drop(self.slots);
        Ids::from_distinct(self.keys)
    }

    fn tag(&self, key: &[u8]) -> (Tag, bool) {
        let mut bytes = [0; SHORT_BYTES + 1];
        let long = key.len() > SHORT_BYTES;
        let (length, text) = bytes.split_at_mut(1);
        if long {
            length.fill(LONG);
            let hash = self.hasher.hash_one(key).to_le_bytes();
            text.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        } else {
            length.fill(key.len() as u8);
            text.iter_mut().zip(key).for_each(|(to, &from)| *to = from);
        }
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let tag = Tag(
            u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            u32::from_le_bytes(rest),
        );
        (tag, long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_that_differ_in_one_byte_are_told_apart_at_every_length() {
        let mut index = KeyIndex::default();
        for round in 0..2 {
            let mut next = 0;
            for length in 0..30 {
                for last in ["", "a", "b", "\0"] {
                    let key = "x".repeat(length) + last;
                    assert_eq!(
                        index.intern(&key).unwrap(),
                        next,
                        "{key:?} in round {round}"
                    );
                    next += 1;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn keys_are_numbered_as_by_ids(
            // Around the length that a slot holds, with NUL, which is also the padding.
            keys in prop::collection::vec("[a\0é]{0,14}", 0..60)
        ) {
            let mut index = KeyIndex::default();
            let mut ids: Ids<String> = Ids::new();
            for key in &keys {
                prop_assert_eq!(index.intern(key).unwrap(), ids.intern_ref(key.as_str()).unwrap());
            }
            let finished = index.finish();
            for key in &keys {
                prop_assert_eq!(finished.get(key.as_str()), ids.get(key.as_str()));
            }
            prop_assert_eq!(finished, ids);
        }
    }
}
