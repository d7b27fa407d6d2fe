//! A table of commands by the hashes of their names.
//!
//! Linear probing: the line of memory in which a command is looked for is the one that will take it, so that
//! whoever looks at some commands together pays for one line each. (A table that keeps its tags apart from its
//! slots waits for a second line at every insertion.)

/// A command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    /// Where it was carried out.
    pub(crate) first: u64,
    /// Of its name.
    pub(crate) hash: u32,
    /// How often it was told of; 0 only where no command is.
    pub(crate) version: u32,
}

impl Slot {
    const EMPTY: Slot = Slot {
        first: 0,
        hash: 0,
        version: 0,
    };

    fn is_empty(&self) -> bool {
        self.version == 0
    }
}

/// Slots in about the order of their hashes; at most three of four places are taken.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// None, or a power of two.
    places: Vec<Slot>,
    taken: usize,
}

/// As few places as are worth a table.
const PLACES_MIN: usize = 16;

impl Slots {
    /// The slots of a hash: one, or that of another name with the same hash, too.
    pub(crate) fn of(&self, hash: u32) -> impl Iterator<Item = &Slot> {
        self.chain(hash).filter(move |slot| slot.hash == hash)
    }

    /// Reads something of the place where a hash is looked for first.
    pub(crate) fn glance(&self, hash: u32) -> u64 {
        self.chain(hash).next().map_or(0, |slot| slot.first)
    }

    /// Adds a command.
    pub(crate) fn insert(&mut self, slot: Slot) {
        if self.taken >= self.places.len() / 4 * 3 {
            self.grow();
        }
        self.taken += 1;
        self.settle(slot);
    }

    /// One more telling of the command that was carried out at a position.
    pub(crate) fn told_again(&mut self, hash: u32, first: u64) {
        let start = self.start(hash);
        let (before, after) = self.places.split_at_mut(start);
        let chain = after.iter_mut().chain(before);
        let mut chain = chain.take_while(|slot| !slot.is_empty());
        if let Some(slot) = chain.find(|slot| slot.hash == hash && slot.first == first) {
            slot.version = slot.version.saturating_add(1);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.places.iter().filter(|slot| !slot.is_empty())
    }

    /// The slots from the first place of a hash on, up to the next empty one.
    fn chain(&self, hash: u32) -> impl Iterator<Item = &Slot> {
        let (before, after) = self.places.split_at(self.start(hash));
        let chain = after.iter().chain(before);
        chain.take_while(|slot| !slot.is_empty())
    }

    /// The first place of a hash: the same share of all places as the hash is of all hashes.
    fn start(&self, hash: u32) -> usize {
        ((u128::from(hash) * self.places.len() as u128) >> 32) as usize
    }

    /// Puts a slot at the first empty place of its hash; there is one.
    fn settle(&mut self, slot: Slot) {
        let start = self.start(slot.hash);
        let (before, after) = self.places.split_at_mut(start);
        let mut chain = after.iter_mut().chain(before);
        if let Some(empty) = chain.find(|slot| slot.is_empty()) {
            *empty = slot;
        }
    }

    /// Twice the places. The order of hashes stays, so that memory is read and written from one end to the other.
    fn grow(&mut self) {
        let more = (self.places.len() * 2).max(PLACES_MIN);
        let old = std::mem::replace(&mut self.places, vec![Slot::EMPTY; more]);
        for slot in old.into_iter().filter(|slot| !slot.is_empty()) {
            self.settle(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a map, with hashes that meet at both ends of the table.
        #[test]
        fn what_was_inserted_is_found(
            hashes in proptest::collection::vec(prop_oneof![0..4_u32, u32::MAX - 3..=u32::MAX, any::<u32>()], 0..200),
            again in proptest::collection::vec(0_usize..200, 0..100)
        ) {
            let (mut slots, mut map) = (Slots::default(), BTreeMap::new());
            prop_assert_eq!(slots.glance(7), 0);
            for (first, &hash) in (1..).zip(&hashes) {
                slots.insert(Slot { first, hash, version: 1 });
                map.insert((hash, first), 1);
            }
            for place in again {
                let first = place as u64 + 1;
                let hash = hashes.get(place).copied().unwrap_or(5);
                slots.told_again(hash, first);
                if let Some(version) = map.get_mut(&(hash, first)) {
                    *version += 1;
                }
            }
            let all: BTreeMap<_, _> = slots.iter().map(|s| ((s.hash, s.first), s.version)).collect();
            prop_assert_eq!(&all, &map);
            for hash in hashes.into_iter().chain(0..8) {
                let found: BTreeMap<_, _> = slots.of(hash).map(|s| ((s.hash, s.first), s.version)).collect();
                let expected = map.range((hash, 0)..=(hash, u64::MAX));
                prop_assert_eq!(found, expected.map(|(key, version)| (*key, *version)).collect());
            }
        }
    }
}
