//! The lots of one member: all that there ever were, and which of them are open.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lot::{Lot, LotNumber};
use super::row::Row;
use crate::event::Timestamp;

/// So many lots lie in the member itself, and so many in each chunk of the past.
const CHUNK: usize = 32;

/// All lots of a member in the order of their numbers.
///
/// A member who buys every day has thousands of lots, nearly all of them used up. The newest lie in the
/// member, older ones in chunks that copies of the member share but for those that are changed; and what
/// is asked at every command is asked of the open lots only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Lot>", into = "Vec<Lot>")]
pub(crate) struct Lots {
    recent: Vec<Row>,
    /// Numbers below all recent ones.
    past: Option<Arc<Past>>,
    /// The earliest instant at which free points expire or a lot matures.
    due: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct Past {
    /// No chunk is empty.
    chunks: Vec<Arc<Vec<Row>>>,
    /// Ascending.
    open: Vec<LotNumber>,
}

impl Lots {
    pub(crate) const fn new() -> Self {
        Self {
            recent: Vec::new(),
            past: None,
            due: None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Lot> {
        let past = self.past.iter().flat_map(|past| &past.chunks);
        let past = past.flat_map(|chunk| chunk.iter());
        past.chain(&self.recent).map(Row::lot)
    }

    /// Those that have free or held points, or have not matured.
    pub(crate) fn open(&self) -> impl Iterator<Item = Lot> {
        self.open_rows().map(Row::lot)
    }

    fn open_rows(&self) -> impl Iterator<Item = &Row> {
        let past = self.past.iter().flat_map(|past| past.open_rows());
        past.chain(self.recent.iter().filter(|row| row.is_open()))
    }

    /// Shows those with usable points.
    pub(crate) fn each_usable(&self, mut visit: impl FnMut(&Lot)) {
        self.each_open_row(|row| {
            if row.has_usable() {
                visit(&row.lot());
            }
        });
    }

    /// Shows those whose free points expire, or that mature, up to an instant.
    pub(crate) fn each_due(&self, at: Timestamp, mut visit: impl FnMut(&Lot)) {
        if self.due.is_none_or(|due| due > at) {
            return;
        }
        self.each_open_row(|row| {
            if row.next_due().is_some_and(|due| due <= at) {
                visit(&row.lot());
            }
        });
    }

    /// Shows the rows of all open lots, and some more.
    fn each_open_row(&self, mut visit: impl FnMut(&Row)) {
        if let Some(past) = &self.past {
            past.open_rows().for_each(&mut visit);
        }
        self.recent.iter().for_each(visit);
    }

    pub(crate) fn open_count(&self) -> usize {
        let past = self.past.as_ref().map_or(0, |past| past.open.len());
        past + self.recent.iter().filter(|row| row.is_open()).count()
    }

    /// The earliest instant at which free points expire or a lot matures.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due
    }

    pub(crate) fn get(&self, number: LotNumber) -> Option<Lot> {
        self.row(number).map(Row::lot)
    }

    /// Reads something of every second recent lot: there are two to a line of the processor's caches.
    pub(crate) fn glance(&self) -> u64 {
        let lines = self.recent.iter().step_by(2);
        lines.fold(0, |seen, row| seen ^ row.number().0)
    }

    /// A lot as it lies here.
    pub(crate) fn row(&self, number: LotNumber) -> Option<&Row> {
        if self.is_past(number) {
            self.past.as_ref()?.get(number)
        } else {
            find(&self.recent, number)
        }
    }

    /// Changes a lot, unless the change says no; `None` when there is no such lot.
    pub(crate) fn change<E>(
        &mut self,
        number: LotNumber,
        change: impl FnOnce(&mut Lot) -> Result<(), E>,
    ) -> Option<Result<(), E>> {
        if self.is_past(number) {
            let mut lot = self.get(number)?;
            if let Err(no) = change(&mut lot) {
                return Some(Err(no));
            }
            self.put(Row::from(lot));
            return Some(Ok(()));
        }
        let at = place(&self.recent, number).ok()?;
        let row = self.recent.get_mut(at)?;
        let (mut lot, before) = (row.lot(), row.next_due());
        if let Err(no) = change(&mut lot) {
            return Some(Err(no));
        }
        *row = Row::from(lot);
        let after = row.next_due();
        self.turned(before, after);
        Some(Ok(()))
    }

    /// Puts a lot in the place of the one of its number, or adds it.
    pub(crate) fn put(&mut self, row: Row) {
        let number = row.number();
        let before = self.row(number).and_then(Row::next_due);
        let after = row.next_due();
        if self.is_past(number) {
            if let Some(past) = &mut self.past {
                Arc::make_mut(past).put(row);
            }
        } else {
            match place(&self.recent, number) {
                Ok(at) => self.recent[at] = row,
                Err(at) => {
                    self.room();
                    self.recent.insert(at, row);
                }
            }
        }
        self.turned(before, after);
    }

    /// Adds a lot whose number is new.
    pub(crate) fn insert(&mut self, lot: Lot) {
        let newest = |last: &Row| last.number() < lot.number;
        if !self.recent.last().is_some_and(newest) {
            return self.put(Row::from(lot));
        }
        if self.recent.len() >= CHUNK {
            let past = self.past.get_or_insert_default();
            Arc::make_mut(past).push(std::mem::take(&mut self.recent));
        }
        self.push(Row::from(lot));
    }

    /// Adds a lot that is newer than all others.
    fn push(&mut self, row: Row) {
        self.due = sooner(self.due, row.next_due());
        self.room();
        self.recent.push(row);
    }

    /// Memory for a third more than there is, which is little: members are many, and lots come slowly.
    fn room(&mut self) {
        let lots = self.recent.len();
        if lots == self.recent.capacity() {
            let more = (lots / 2).max(2).min(CHUNK.saturating_sub(lots).max(1));
            self.recent.reserve_exact(more);
        }
    }

    /// Takes a lot out again.
    pub(crate) fn remove(&mut self, number: LotNumber) {
        let before = self.row(number).and_then(Row::next_due);
        if self.is_past(number) {
            if let Some(past) = &mut self.past {
                let past = Arc::make_mut(past);
                past.remove(number);
                if past.chunks.is_empty() {
                    self.past = None;
                }
            }
        } else if let Ok(at) = place(&self.recent, number) {
            self.recent.remove(at);
        }
        self.turned(before, None);
    }

    /// One lot fell due at an instant and falls due at another one now.
    fn turned(&mut self, before: Option<Timestamp>, after: Option<Timestamp>) {
        self.due = if before.is_some() && before == self.due && before != after {
            self.earliest()
        } else {
            sooner(self.due, after)
        };
    }

    fn earliest(&self) -> Option<Timestamp> {
        let mut earliest = None;
        self.each_open_row(|row| earliest = sooner(earliest, row.next_due()));
        earliest
    }

    /// Changes those lots of which `wanted` is true; they stay open or closed as they are.
    pub(crate) fn change_where(
        &mut self,
        wanted: impl Fn(&Lot) -> bool,
        change: impl Fn(&mut Lot),
    ) {
        let change_rows = |rows: &mut [Row]| {
            for row in rows {
                let mut lot = row.lot();
                if wanted(&lot) {
                    change(&mut lot);
                    *row = Row::from(lot);
                }
            }
        };
        change_rows(&mut self.recent);
        let any = |chunk: &[Row]| chunk.iter().any(|row| wanted(&row.lot()));
        if let Some(past) = &mut self.past
            && past.chunks.iter().any(|chunk| any(chunk))
        {
            for chunk in &mut Arc::make_mut(past).chunks {
                if any(chunk) {
                    change_rows(Arc::make_mut(chunk).as_mut_slice());
                }
            }
        }
        self.due = self.earliest();
    }

    fn is_past(&self, number: LotNumber) -> bool {
        match (&self.past, self.recent.first()) {
            (None, _) => false,
            (Some(past), None) => past.last().is_some_and(|last| number <= last),
            (Some(_), Some(first)) => number < first.number(),
        }
    }
}

impl Past {
    fn open_rows(&self) -> impl Iterator<Item = &Row> {
        self.open.iter().filter_map(|number| self.get(*number))
    }

    fn last(&self) -> Option<LotNumber> {
        Some(self.chunks.last()?.last()?.number())
    }

    fn get(&self, number: LotNumber) -> Option<&Row> {
        find(self.chunks.get(self.chunk_of(number))?, number)
    }

    /// Replaces a lot, or adds it.
    fn put(&mut self, row: Row) {
        let (number, open) = (row.number(), row.is_open());
        let chunk = self.chunk_of(number);
        if let Some(chunk) = self.chunks.get_mut(chunk) {
            let chunk = Arc::make_mut(chunk);
            match place(chunk, number) {
                Ok(at) => {
                    if let Some(present) = chunk.get_mut(at) {
                        *present = row;
                    }
                }
                Err(at) => chunk.insert(at, row),
            }
        }
        match (self.open.binary_search(&number), open) {
            (Ok(at), false) => {
                self.open.remove(at);
            }
            (Err(at), true) => self.open.insert(at, number),
            _ => {}
        }
    }

    fn remove(&mut self, number: LotNumber) {
        let chunk = self.chunk_of(number);
        if let Some(chunk) = self.chunks.get_mut(chunk)
            && let Ok(at) = place(chunk, number)
        {
            Arc::make_mut(chunk).remove(at);
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        if let Ok(at) = self.open.binary_search(&number) {
            self.open.remove(at);
        }
    }

    /// Adds lots with higher numbers.
    fn push(&mut self, rows: Vec<Row>) {
        let open = rows.iter().filter(|row| row.is_open());
        self.open.extend(open.map(Row::number));
        self.chunks.push(Arc::new(rows));
    }

    /// The chunk in which a number lies or would lie.
    fn chunk_of(&self, number: LotNumber) -> usize {
        let starts_by = |chunk: &Arc<Vec<Row>>| chunk.first().is_some_and(|l| l.number() <= number);
        self.chunks.partition_point(starts_by).saturating_sub(1)
    }
}

/// The earlier of two instants, where `None` is never.
fn sooner(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn place(rows: &[Row], number: LotNumber) -> Result<usize, usize> {
    // Most that is new comes last.
    if rows.last().is_none_or(|last| last.number() < number) {
        return Err(rows.len());
    }
    rows.binary_search_by_key(&number, Row::number)
}

fn find(rows: &[Row], number: LotNumber) -> Option<&Row> {
    rows.get(place(rows, number).ok()?)
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
        lots.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    fn numbers(lots: impl Iterator<Item = Lot>) -> Vec<u64> {
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
                let spent = lots.change(number, |lot| {
                    (lot.free, lot.spent) = (Points(0), Points(1));
                    Ok::<(), ()>(())
                });
                prop_assert_eq!(spent.is_some(), came.contains(&number.0));
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

    fn due(lots: &Lots) -> Option<Timestamp> {
        let lots = lots.iter();
        let due = |lot: Lot| {
            let expires = lot.expires_at.filter(|_| lot.free.0 > 0);
            expires
                .into_iter()
                .chain(lot.pending.then_some(lot.available_at))
        };
        lots.flat_map(due).min()
    }

    proptest! {
        #[test]
        fn what_is_due_next_is_known_and_whatever_was_done_can_be_undone(
            steps in proptest::collection::vec((0_u8..5, 0_u64..120, 0_i64..50, any::<bool>()), 0..250), start in 0_usize..200
        ) {
            let instant = |s: i64| Timestamp::EPOCH.saturating_add_s(1_000_000 + s);
            let mut lots = Lots::new();
            let mut undo: Vec<(LotNumber, Option<Row>)> = Vec::new();
            let mut before = Lots::new();
            for (step, (what, number, s, pending)) in steps.into_iter().enumerate() {
                if step == start {
                    (before, undo) = (lots.clone(), Vec::new());
                }
                let number = LotNumber(number);
                let row = lots.row(number).cloned();
                let known = row.is_some();
                undo.push((number, row));
                match what {
                    0 | 1 if !known => {
                        let expires_at = (s > 5).then(|| instant(s));
                        let available_at = instant(s / 2);
                        lots.insert(Lot { expires_at, available_at, pending, ..lot(number.0) });
                    }
                    2 => lots.remove(number),
                    3 => {
                        let spend = |lot: &mut Lot| {
                            (lot.free, lot.spent) = (Points(0), Points(1));
                            Ok::<(), ()>(())
                        };
                        lots.change(number, spend);
                    }
                    _ => {
                        let mature = |lot: &mut Lot| {
                            lot.pending = false;
                            Ok::<(), ()>(())
                        };
                        lots.change(number, mature);
                    }
                }
                prop_assert_eq!(lots.next_due(), due(&lots));
            }
            for (number, row) in undo.into_iter().rev() {
                match row {
                    Some(row) => lots.put(row),
                    None => lots.remove(number),
                }
                prop_assert_eq!(lots.next_due(), due(&lots));
            }
            prop_assert_eq!(lots.open_count(), lots.open().count());
            prop_assert_eq!(lots, before);
        }
    }

    #[test]
    fn a_copy_shares_what_is_not_changed() {
        let lots: Lots = (0..330).map(lot).collect::<Vec<_>>().into();
        let chunks = |lots: &Lots| lots.past.as_ref().unwrap().chunks.clone();
        assert_eq!((chunks(&lots).len(), lots.recent.len()), (10, 10));
        let mut copy = lots.clone();
        let spend = |lot: &mut Lot| (lot.free, lot.spent) = (Points(0), Points(1));
        let spent = copy.change(LotNumber(50), |lot| {
            spend(lot);
            Ok::<(), ()>(())
        });
        assert_eq!(spent, Some(Ok(())));
        copy.change_where(
            |lot| lot.number.0 == 300,
            |lot| lot.expires_at = Some(Timestamp::MAX),
        );
        let both = chunks(&lots).into_iter().zip(chunks(&copy));
        assert_eq!(both.filter(|(a, b)| Arc::ptr_eq(a, b)).count(), 8);
        assert_eq!(numbers(copy.open()).len(), 329);
    }

    #[test]
    fn a_change_that_says_no_changes_nothing() {
        let mut lots: Lots = vec![lot(1)].into();
        let no = lots.change(LotNumber(1), |lot| {
            lot.free = Points(0);
            Err(())
        });
        assert_eq!(no, Some(Err(())));
        assert_eq!(lots.get(LotNumber(1)), Some(lot(1)));
        assert_eq!(lots.change(LotNumber(2), |_| Ok::<(), ()>(())), None);
    }
}
