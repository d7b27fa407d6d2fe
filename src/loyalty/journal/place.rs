//! Deciding in place: commands are found wherever they lie, their entries go straight to the next frame.

use std::sync::Arc;

use super::cache::Cache;
use super::error::JournalError;
use super::index::Index;
use super::payload::{IdHash, Touch, entry_at, hash_of};
use super::read::{damage_at, deed_from, read_at};
use super::run::Slot;
use super::segment::Segment;
use super::shelf::Shelf;
use crate::loyalty::ahead::Ahead;
use crate::loyalty::command::Command;
use crate::loyalty::deed::Deed;
use crate::loyalty::entry::Entry;
use crate::loyalty::journal::Fault;
use crate::loyalty::names::CommandId;
use crate::loyalty::sheet::{Sheet, Telling, Told};
use crate::loyalty::store::{Deeds, InPlace, StoreError};

impl Shelf {
    /// Lets `work` decide upon the members themselves.
    ///
    /// When it fails and has changed something, nothing more is acknowledged: what is in memory is ahead
    /// of the journal.
    pub(super) fn decide(
        &mut self,
        work: &mut dyn FnMut(&mut InPlace<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let begins = self.payload_begins();
        let mut desk = Desk {
            index: &mut self.index,
            cache: &mut self.cache,
            segments: &self.segments,
            parts: [
                (self.flying.as_ref()).map(|(from, bytes)| (*from, bytes.as_slice())),
                Some((self.queue_from.position, self.queue.as_slice())),
            ],
            sheet: &mut self.sheet,
            begins,
            lots_used: &mut self.lots_used,
            books_changed: &mut self.books_changed,
            ahead: Ahead::default(),
        };
        let done = work(&mut InPlace {
            states: &mut self.states,
            deeds: &mut desk,
            last_lot: &mut self.lots,
        });
        done.inspect_err(|error| {
            if self.sheet.count > 0 {
                self.sheet.clear();
                let first = match error {
                    StoreError::Journal(error) => error.clone(),
                    other => {
                        let source = std::io::Error::other(other.to_string());
                        JournalError::io("deciding upon", "")(source)
                    }
                };
                self.failed = Some(Arc::new(first));
            }
        })
    }
}

/// A shelf but for its members, while they are decided upon.
struct Desk<'s> {
    index: &'s mut Index,
    cache: &'s mut Cache,
    segments: &'s [Segment],
    /// Frames in memory, each with its position: those that are being written, and those that wait.
    parts: [Option<(u64, &'s [u8])>; 2],
    sheet: &'s mut Sheet,
    /// Where the sheet will lie.
    begins: u64,
    lots_used: &'s mut u64,
    books_changed: &'s mut bool,
    ahead: Ahead<IdHash>,
}

impl Desk<'_> {
    /// The entry at a position.
    fn entry(&self, position: u64) -> Result<Entry, JournalError> {
        let here = [Some((self.begins, self.sheet.bytes.as_slice()))];
        let mut parts = self.parts.into_iter().chain(here).flatten();
        // They follow one another: the last one that begins before it has it.
        let part = parts.rfind(|(from, _)| *from <= position);
        let Some((from, bytes)) = part else {
            return read_at(self.segments, position);
        };
        let offset = usize::try_from(position - from).unwrap_or(usize::MAX);
        let bytes = bytes.get(offset..).unwrap_or_default();
        entry_at(bytes).map_err(|reason| {
            let fault = Fault::Content { reason };
            damage_at(self.segments, position, 0, fault).into()
        })
    }

    fn find_by(&mut self, id: &CommandId, hash: &IdHash) -> Result<Option<Arc<Deed>>, StoreError> {
        let Some(slot) = self.index.find(hash)? else {
            return Ok(None);
        };
        if let Some((_, deed)) = self.cache.get(id) {
            return Ok(Some(Arc::clone(deed)));
        }
        let deed = self.deed(id, &slot)?;
        let version = u64::from(slot.frames);
        self.cache.insert(id.clone(), version, Arc::clone(&deed));
        Ok(Some(deed))
    }

    fn deed(&self, id: &CommandId, slot: &Slot) -> Result<Arc<Deed>, JournalError> {
        deed_from(self.segments, id, slot, |position| self.entry(position))
    }
}

impl Deeds for Desk<'_> {
    fn own(&mut self, id: &CommandId) -> Result<Option<Arc<Deed>>, StoreError> {
        let hash = self.ahead.own(|| hash_of(id));
        self.find_by(id, &hash)
    }

    fn find(&mut self, id: &CommandId) -> Result<Option<Arc<Deed>>, StoreError> {
        self.find_by(id, &hash_of(id))
    }

    fn sheet(&mut self) -> &mut Sheet {
        self.sheet
    }

    fn warm(&mut self, commands: &[Command]) {
        let ids = commands.iter().map(|command| &command.id);
        self.ahead.begin(ids.map(hash_of));
        self.index.warm(self.ahead.keys().iter());
    }

    fn note(&mut self) {
        let mut tellings = std::mem::take(&mut self.sheet.tellings);
        for Telling { offset, what } in tellings.drain(..) {
            let (hash, done) = match what {
                Told::Done(id) => (self.ahead.own(|| hash_of(&id)), true),
                Told::Amended(id) => {
                    self.cache.remove(&id);
                    (hash_of(&id), false)
                }
                Told::Opened(lot) => {
                    *self.lots_used = (*self.lots_used).max(lot.0);
                    continue;
                }
                Told::Expected => {
                    *self.books_changed = true;
                    continue;
                }
            };
            let touch = Touch {
                id: hash,
                // A payload's limit is far below.
                offset: offset as u32,
                done,
            };
            self.index.add(self.begins, &[touch]);
        }
        self.sheet.tellings = tellings;
        self.ahead.next();
    }
}
