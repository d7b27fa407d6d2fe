//! The lots of one member: all that there ever were, and which of them are open.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lot::{Lot, LotNumber};

/// Lots of a chunk that is full; a later one begins the next chunk.
const CHUNK: usize = 32;

/// All lots of a member in the order of their numbers, in chunks that copies share.
///
/// A member who buys every day has thousands of lots, nearly all of them used up. A copy of the
/// member shares all chunks but those that are changed, and what is asked at every command is asked of
/// the open lots only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Lot>", into = "Vec<Lot>")]
pub(crate) struct Lots {
    /// No chunk is empty.
    chunks: Vec<Arc<Vec<Lot>>>,
    /// Ascending.
    open: Vec<LotNumber>,
}

impl Lots {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            open: Vec::new(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Lot> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Those that have free or held points, or have not matured.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Lot> {
        self.open.iter().filter_map(|number| self.get(*number))
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn get(&self, number: LotNumber) -> Option<&Lot> {
        let chunk = self.chunks.get(self.chunk_of(number)?)?;
        let at = chunk.binary_search_by_key(&number, |lot| lot.number).ok()?;
        chunk.get(at)
    }

    /// A lot to be changed; [`Lots::changed`] must follow.
    pub(crate) fn get_mut(&mut self, number: LotNumber) -> Option<&mut Lot> {
        let chunk = self.chunk_of(number)?;
        let chunk = self.chunks.get_mut(chunk)?;
        let at = chunk.binary_search_by_key(&number, |lot| lot.number).ok()?;
        Arc::make_mut(chunk).get_mut(at)
    }

    /// Notes whether a lot is open after a change.
    pub(crate) fn changed(&mut self, number: LotNumber) {
        let open = self.get(number).is_some_and(is_open);
        match (self.open.binary_search(&number), open) {
            (Ok(at), false) => {
                self.open.remove(at);
            }
            (Err(at), true) => self.open.insert(at, number),
            _ => {}
        }
    }

    /// Adds a lot whose number is new.
    pub(crate) fn insert(&mut self, lot: Lot) {
        let number = lot.number;
        let last = self.chunks.len().checked_sub(1);
        let chunk = self.chunk_of(number).or(last.map(|_| 0));
        match chunk.and_then(|at| self.chunks.get(at).map(|chunk| (at, chunk))) {
            Some((at, chunk)) if !(Some(at) == last && is_full_before(chunk, number)) => {
                if let Some(chunk) = self.chunks.get_mut(at) {
                    let chunk = Arc::make_mut(chunk);
                    let place = chunk.partition_point(|lot| lot.number < number);
                    chunk.insert(place, lot);
                }
            }
            _ => self.chunks.push(Arc::new(vec![lot])),
        }
        self.changed(number);
    }

    /// Changes those lots of which `wanted` is true; they stay open or closed as they are.
    pub(crate) fn change_where(
        &mut self,
        wanted: impl Fn(&Lot) -> bool,
        change: impl Fn(&mut Lot),
    ) {
        for chunk in &mut self.chunks {
            if chunk.iter().any(&wanted) {
                let lots = Arc::make_mut(chunk).iter_mut();
                lots.filter(|lot| wanted(lot)).for_each(&change);
            }
        }
    }

    /// The chunk in which a number lies or would lie; none when it is below all numbers.
    fn chunk_of(&self, number: LotNumber) -> Option<usize> {
        let starts_by = |chunk: &Arc<Vec<Lot>>| chunk.first().is_some_and(|l| l.number <= number);
        self.chunks.partition_point(starts_by).checked_sub(1)
    }
}

fn is_open(lot: &Lot) -> bool {
    lot.free.0 > 0 || lot.held.0 > 0 || lot.pending
}

fn is_full_before(chunk: &[Lot], number: LotNumber) -> bool {
    chunk.len() >= CHUNK && chunk.last().is_some_and(|last| last.number < number)
}

impl PartialEq for Lots {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Lots {}

impl From<Vec<Lot>> for Lots {
    fn from(lots: Vec<Lot>) -> Self {
        let mut all = Self::new();
        for lot in lots {
            all.insert(lot);
        }
        all
    }
}

impl From<Lots> for Vec<Lot> {
    fn from(lots: Lots) -> Self {
        lots.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::loyalty::points::Points;
    use proptest::prelude::*;

    fn lot(number: u64) -> Lot {
        Lot {
            number: LotNumber(number),
            granted: Points(1),
            free: Points(1),
            held: Points(0),
            spent: Points(0),
            expired: Points(0),
            clawed_back: Points(0),
            moved_out: Points(0),
            earned_at: Timestamp::EPOCH,
            available_at: Timestamp::EPOCH,
            expires_at: None,
            pending: false,
        }
    }

    fn numbers<'a>(lots: impl Iterator<Item = &'a Lot>) -> Vec<u64> {
        lots.map(|lot| lot.number.0).collect()
    }

    proptest! {
        #[test]
        fn lots_are_found_whatever_the_order_in_which_they_came(
            came in proptest::collection::hash_set(0_u64..500, 0..200), spend in proptest::collection::vec(0_u64..500, 0..100)
        ) {
            let mut lots = Lots::new();
            came.iter().for_each(|&number| lots.insert(lot(number)));
            let mut sorted: Vec<u64> = came.iter().copied().collect();
            sorted.sort_unstable();
            prop_assert_eq!(numbers(lots.iter()), sorted.clone());
            for number in (0..500).map(LotNumber) {
                prop_assert_eq!(lots.get(number).is_some(), came.contains(&number.0));
            }
            let copy = lots.clone();
            for number in spend.iter().copied().map(LotNumber) {
                if let Some(lot) = lots.get_mut(number) {
                    lot.free = Points(0);
                    lots.changed(number);
                }
            }
            // The copy is as it was.
            prop_assert_eq!(numbers(copy.open()), sorted.clone());
            sorted.retain(|number| !spend.contains(number));
            prop_assert_eq!(numbers(lots.open()), sorted);
            let loaded: Lots = Vec::from(lots.clone()).into();
            prop_assert_eq!(loaded.open().count(), lots.open_count());
            prop_assert_eq!(loaded, lots);
        }
    }

    #[test]
    fn a_copy_shares_what_is_not_changed() {
        let lots: Lots = (0..320).map(lot).collect::<Vec<_>>().into();
        assert_eq!(lots.chunks.len(), 10);
        let mut copy = lots.clone();
        copy.get_mut(LotNumber(50)).unwrap().free = Points(0);
        copy.change_where(|lot| lot.number.0 == 300, |lot| lot.free = Points(0));
        let shared = lots.chunks.iter().zip(&copy.chunks);
        assert_eq!(shared.filter(|(a, b)| Arc::ptr_eq(a, b)).count(), 8);
    }
}
