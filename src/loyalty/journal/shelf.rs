//! What changes when a batch is committed: members, the place of every command, frames that wait.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::cache::Cache;
use super::error::JournalError;
use super::frame::{HEADER, Header, Place};
use super::index::Index;
use super::payload::{Payload, hash_of};
use super::segment::Segment;
use crate::loyalty::member::Member;
use crate::loyalty::names::{AccountId, CommandId};
use crate::loyalty::states::{Books, Key, Record};

/// All that changes when a batch is committed.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) members: HashMap<AccountId, (u64, Arc<Member>), RandomState>,
    pub(crate) books: (u64, Books),
    /// The highest lot number that was given.
    pub(super) lots: u64,
    /// The highest lot number that is in an entry.
    pub(crate) lots_used: u64,
    pub(crate) index: Index,
    pub(super) cache: Cache,
    pub(crate) segments: Arc<Vec<Segment>>,
    /// After the last frame that was committed.
    pub(crate) end: Place,
    /// Frames that nobody is writing yet, and where they begin.
    pub(super) queue: Vec<u8>,
    pub(super) queue_from: Place,
    /// An emptied buffer.
    pub(super) spare: Vec<u8>,
    /// Up to here the journal is there for good.
    pub(crate) durable: u64,
    pub(super) writing: bool,
    pub(super) failed: Option<Arc<JournalError>>,
}

impl Shelf {
    pub(super) fn usable(&self) -> Result<(), JournalError> {
        match &self.failed {
            Some(source) => Err(JournalError::Poisoned {
                source: Arc::clone(source),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn version(&self, key: &Key) -> Result<u64, JournalError> {
        Ok(match key {
            Key::Member(account) => self.members.get(account).map_or(0, |(version, _)| *version),
            Key::Books => self.books.0,
            Key::Deed(id) => match self.cache.get(id) {
                Some((version, _)) => *version,
                None => {
                    let slot = self.index.find(&hash_of(id))?;
                    slot.map_or(0, |slot| u64::from(slot.frames))
                }
            },
        })
    }

    pub(super) fn queue_frame(&mut self, payload: &Payload, count: u32) {
        let at = self.end;
        // Both are bounded by the queue's and a payload's limit.
        let back = (at.position - self.queue_from.position) as u32;
        let length = payload.bytes.len() as u32;
        let header = Header::new(&at, back, length, count, &payload.digest);
        self.queue.extend_from_slice(&header.write());
        self.queue.extend_from_slice(&payload.bytes);
        let begins = at.position + HEADER as u64;
        self.index.add(begins, &payload.touches);
        self.end = at.after(&header);
    }

    /// Puts a record under its name. Deeds that are not in the cache had those versions before.
    pub(super) fn put(
        &mut self,
        key: Key,
        record: Record,
        uncached: &HashMap<CommandId, u64, RandomState>,
    ) {
        match (key, record) {
            (Key::Member(account), Record::Member(member)) => {
                let place = self.members.entry(account);
                let (version, state) = place.or_insert_with(|| (0, Arc::clone(&member)));
                *version += 1;
                *state = member;
            }
            (Key::Books, Record::Books(books)) => self.books = (self.books.0 + 1, books),
            (Key::Deed(id), Record::Deed(deed)) => {
                let before = uncached.get(&id).copied();
                let before = before.or_else(|| Some(self.cache.get(&id)?.0));
                // What is not known here is read from the journal when it is asked for.
                if let Some(before) = before {
                    self.cache.insert(id, before + 1, deed);
                }
            }
            _ => {}
        }
    }
}
