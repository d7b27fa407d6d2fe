//! A table of commands by the hashes of their names.
//!
//! Linear probing: the line of memory in which a command is looked for is the one that will take it, so that
//! whoever looks at some commands together pays for one line each, at times for the next one, too. (A table that
//! keeps its tags apart from its slots waits for a second line elsewhere at every insertion.)

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

/// Slots in the order of their hashes; at most three of four places are taken.
///
/// Where a hash is looked for first is the same share of all places as the hash is of all hashes. What does
/// not find its place empty lies further on, still in order, so that a look ends at the first higher hash.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// [`Slots::first_places`] of them, and a few behind for what found no place before.
    places: Vec<Slot>,
    /// 0 or a power of two.
    first_places: usize,
    taken: usize,
}

/// As few places as are worth a table.
const PLACES_MIN: usize = 16;

/// Memory for so many places behind the first ones is taken at a time: more than are ever needed, as a rule.
const BEHIND: usize = 64;

impl Slots {
    /// The slots of a hash: one, or that of another name with the same hash, too.
    pub(crate) fn of(&self, hash: u32) -> impl Iterator<Item = &Slot> {
        let from = self.places.get(self.start(hash)..).unwrap_or_default();
        let lower = move |slot: &&Slot| !slot.is_empty() && slot.hash < hash;
        let own = move |slot: &&Slot| !slot.is_empty() && slot.hash == hash;
        from.iter().skip_while(lower).take_while(own)
    }

    /// Reads something of the places where a hash is looked for first: of the line of the processor's caches in
    /// which the first one lies, and of the next line.
    pub(crate) fn glance(&self, hash: u32) -> u64 {
        let start = self.start(hash);
        let first = |place: usize| self.places.get(place).map_or(0, |slot| slot.first);
        first(start) ^ first(start + 4)
    }

    /// Adds a command.
    pub(crate) fn insert(&mut self, slot: Slot) {
        if self.taken >= self.first_places / 4 * 3 {
            self.grow();
        }
        self.taken += 1;
        let start = self.start(slot.hash);
        let from = self.places.get(start..).unwrap_or_default();
        let later = |present: &Slot| present.is_empty() || present.hash > slot.hash;
        let place = from.iter().position(later).unwrap_or(from.len());
        let later = from.get(place..).unwrap_or_default();
        let shift = later.iter().position(Slot::is_empty);
        match shift {
            Some(shift) => {
                if let Some(moved) = self.places.get_mut(start + place..=start + place + shift) {
                    moved.rotate_right(1);
                    moved[0] = slot;
                }
            }
            None => {
                if self.places.len() == self.places.capacity() {
                    self.places.reserve_exact(BEHIND);
                }
                self.places.insert(start + place, slot);
            }
        }
    }

    /// One more telling of the command that was carried out at a position.
    pub(crate) fn told_again(&mut self, hash: u32, first: u64) {
        let start = self.start(hash);
        let from = self.places.get_mut(start..).unwrap_or_default();
        let mut chain = from.iter_mut().take_while(|slot| !slot.is_empty());
        if let Some(slot) = chain.find(|slot| slot.hash == hash && slot.first == first) {
            slot.version = slot.version.saturating_add(1);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.places.iter().filter(|slot| !slot.is_empty())
    }

    /// The place where a hash is looked for first.
    fn start(&self, hash: u32) -> usize {
        ((u128::from(hash) * self.first_places as u128) >> 32) as usize
    }

    /// Twice the places. The order stays, so that memory is read and written from one end to the other.
    fn grow(&mut self) {
        self.first_places = (self.first_places * 2).max(PLACES_MIN);
        let mut new = Vec::with_capacity(self.first_places + BEHIND);
        new.resize(self.first_places, Slot::EMPTY);
        let old = std::mem::replace(&mut self.places, new);
        let mut free = 0;
        for slot in old.into_iter().filter(|slot| !slot.is_empty()) {
            let place = self.start(slot.hash).max(free);
            match self.places.get_mut(place) {
                Some(empty) => *empty = slot,
                None => self.places.push(slot),
            }
            free = place + 1;
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
