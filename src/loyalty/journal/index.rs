//! The index of commands: where in the journal each one is told of.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::error::JournalError;
use super::files::Files;
use super::frame::Place;
use super::payload::{IdHash, Touch};
use super::run::{Run, Slot};

/// How many runs of about one size are merged into one.
const FAN: usize = 4;

type Slots = HashMap<IdHash, Slot, BuildHasherDefault<FirstBytes>>;

/// Where the commands are: the latest in memory, all others in runs on disk.
#[derive(Debug)]
pub(crate) struct Index {
    fresh: Slots,
    /// Where the frames begin that `fresh` tells of.
    fresh_from: u64,
    /// Slots that are being written to a run.
    frozen: Option<Arc<Frozen>>,
    /// From the first frame on, without a gap.
    runs: Vec<Arc<Run>>,
}

/// Slots that change no more.
#[derive(Debug)]
pub(crate) struct Frozen {
    slots: Slots,
    from: u64,
    to: Place,
}

impl Index {
    /// An index with some runs, that follow one another from the first frame on.
    pub(crate) fn new(runs: Vec<Run>) -> Self {
        Self {
            fresh: Slots::default(),
            fresh_from: runs.last().map_or(0, |run| run.to.position),
            frozen: None,
            runs: runs.into_iter().map(Arc::new).collect(),
        }
    }

    /// What all frames tell of a command.
    pub(crate) fn find(&self, id: &IdHash) -> Result<Option<Slot>, JournalError> {
        let mut found = self.fresh.get(id).copied();
        let mut earlier = |slot: Option<Slot>| {
            if let Some(slot) = slot {
                found = Some(found.map_or(slot, |later| slot.then(later)));
            }
            // Nothing is told of a command before it was carried out.
            found.is_some_and(|slot| slot.first != Slot::NOWHERE)
        };
        let frozen = self.frozen.as_ref();
        if earlier(None) || earlier(frozen.and_then(|frozen| frozen.slots.get(id).copied())) {
            return Ok(found);
        }
        for run in self.runs.iter().rev() {
            if earlier(run.find(id)?) {
                break;
            }
        }
        Ok(found)
    }

    /// Looks at where the latest commands would be.
    pub(crate) fn warm<'a>(&self, ids: impl Iterator<Item = &'a IdHash>) {
        let found = ids.filter_map(|id| self.fresh.get(id));
        std::hint::black_box(found.fold(0, |seen, slot| seen ^ slot.first));
    }

    /// Notes what a frame tells of commands. Its payload begins at `payload`.
    pub(crate) fn add(&mut self, payload: u64, touches: &[Touch]) {
        for touch in touches {
            let position = payload + u64::from(touch.offset);
            let new = Slot {
                first: if touch.done { position } else { Slot::NOWHERE },
                last: position,
                frames: 1,
            };
            let slot = self.fresh.entry(touch.id);
            slot.and_modify(|slot| {
                let again = slot.last >= payload;
                *slot = slot.then(Slot {
                    frames: u32::from(!again),
                    ..new
                });
            })
            .or_insert(new);
        }
    }

    /// How many commands the latest frames tell of.
    pub(crate) fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// Puts the latest slots aside, to be written; those of the frames up to a place.
    pub(crate) fn freeze(&mut self, to: Place) -> Option<Arc<Frozen>> {
        // What could not be written before comes first.
        if let Some(frozen) = &self.frozen {
            return Some(Arc::clone(frozen));
        }
        if self.fresh.is_empty() {
            return None;
        }
        let room = Slots::with_capacity_and_hasher(self.fresh.len(), BuildHasherDefault::default());
        let frozen = Arc::new(Frozen {
            slots: std::mem::replace(&mut self.fresh, room),
            from: self.fresh_from,
            to,
        });
        self.fresh_from = to.position;
        self.frozen = Some(Arc::clone(&frozen));
        Some(frozen)
    }

    /// What was put aside is in a run.
    pub(crate) fn thaw(&mut self, run: Run) {
        self.frozen = None;
        self.runs.push(Arc::new(run));
    }

    /// The latest runs that should be one.
    pub(crate) fn to_merge(&self) -> Option<Vec<Arc<Run>>> {
        let start = self.runs.len().checked_sub(FAN)?;
        let last = self.runs.get(start..)?;
        let tier = |run: &Arc<Run>| run.slots.max(1).ilog(FAN as u64);
        let newest = last.last().map(tier)?;
        last.iter()
            .all(|run| tier(run) <= newest)
            .then(|| last.to_vec())
    }

    /// Some runs are one now; the names of their files.
    pub(crate) fn merged(&mut self, old: &[Arc<Run>], new: Run) -> Vec<String> {
        let start = self.runs.iter().position(|run| {
            let first = old.first();
            first.is_some_and(|first| Arc::ptr_eq(run, first))
        });
        if let Some(start) = start {
            let end = (start + old.len()).min(self.runs.len());
            self.runs.splice(start..end, [Arc::new(new)]);
        }
        old.iter().map(|run| run.name.clone()).collect()
    }

    /// All runs.
    pub(crate) fn runs(&self) -> &[Arc<Run>] {
        &self.runs
    }
}

impl Frozen {
    /// Writes the slots to a run.
    pub(crate) fn write(&self, files: &dyn Files) -> Result<Run, JournalError> {
        let mut slots: Vec<(IdHash, Slot)> = self.slots.iter().map(|(id, s)| (*id, *s)).collect();
        slots.sort_unstable_by_key(|(id, _)| *id);
        let most = slots.len();
        Run::write(files, (self.from, self.to), most, slots.into_iter().map(Ok))
    }
}

/// Takes the first bytes of what is a hash already.
#[derive(Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(bytes) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*bytes);
        }
    }

    // The length that an array of bytes brings along.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
