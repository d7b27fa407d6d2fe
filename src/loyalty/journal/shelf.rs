//! What changes when a batch is committed: members, the place of every command, frames that wait.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::cache::Cache;
use super::error::JournalError;
use super::frame::{HEADER, Hash, Header, PAYLOAD_MAX, Place};
use super::index::Index;
use super::payload::{Touch, hash_of};
use super::segment::Segment;
use crate::loyalty::member::Member;
use crate::loyalty::names::{AccountId, CommandId};
use crate::loyalty::sheet::Sheet;
use crate::loyalty::states::{Key, Record, States};

/// All that changes when a batch is committed.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// All members and the books; of the commands only those at hand.
    pub(crate) states: States,
    /// Of the members, in the order of their places.
    pub(crate) versions: Vec<Version>,
    pub(crate) books_version: u64,
    /// The highest lot number that was given.
    pub(super) lots: u64,
    /// The highest lot number that is in an entry.
    pub(crate) lots_used: u64,
    /// Entries of commands that were decided in place and are not in a frame yet.
    pub(super) sheet: Sheet,
    /// Whether one of them changes the books.
    pub(super) books_changed: bool,
    pub(crate) index: Index,
    pub(super) cache: Cache,
    pub(crate) segments: Arc<Vec<Segment>>,
    /// After the last frame that was committed.
    pub(crate) end: Place,
    /// Frames that nobody is writing yet, and where they begin.
    pub(super) queue: Vec<u8>,
    pub(super) queue_from: Place,
    /// Frames that are being written, and where they begin.
    pub(super) flying: Option<(u64, Arc<Vec<u8>>)>,
    /// An emptied buffer.
    pub(super) spare: Vec<u8>,
    /// Up to here the journal is there for good.
    pub(crate) durable: u64,
    /// Before this position no snapshot is due.
    pub(super) snapshot_from: u64,
    pub(super) writing: bool,
    pub(super) failed: Option<Arc<JournalError>>,
}

/// The version of a member.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Version {
    /// How many frames changed it.
    pub(crate) number: u64,
    /// The number of the first entry of the last of them.
    frame: u64,
}

impl Version {
    pub(super) fn new(number: u64) -> Self {
        Self { number, frame: 0 }
    }
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
            Key::Member(account) => {
                let place = self.states.members.place(account);
                let version = place.and_then(|place| self.versions.get(place));
                version.map_or(0, |version| version.number)
            }
            Key::Books => self.books_version,
            Key::Deed(id) => match self.cache.get(id) {
                Some((version, _)) => *version,
                None => {
                    let slot = self.index.find(&hash_of(id))?;
                    slot.map_or(0, |slot| u64::from(slot.frames))
                }
            },
        })
    }

    /// Puts the entries of a sheet into a frame that waits to be written.
    pub(super) fn queue_frame(&mut self, sheet: &Sheet, digest: &Hash) {
        let at = self.end;
        // Both are bounded by the queue's and a payload's limit.
        let back = (at.position - self.queue_from.position) as u32;
        let (length, count) = (sheet.bytes.len() as u32, sheet.count as u32);
        let header = Header::new(&at, back, length, count, digest);
        self.queue.extend_from_slice(&header.write());
        self.queue.extend_from_slice(&sheet.bytes);
        self.end = at.after(&header);
    }

    /// All members with their versions.
    pub(super) fn members(&mut self) -> impl Iterator<Item = (AccountId, u64, Arc<Member>)> {
        let versions = self.versions.iter().map(|version| version.number);
        let members = self.states.members.share_all().zip(versions);
        members.map(|((account, member), version)| (account.clone(), version, member))
    }

    /// Where the first entry of the next frame will lie.
    pub(super) fn payload_begins(&self) -> u64 {
        self.end.position + HEADER as u64
    }

    pub(super) fn index(&mut self, touches: &[Touch]) {
        self.index.add(self.payload_begins(), touches);
    }

    /// Puts what was decided in place into a frame.
    pub(super) fn seal(&mut self) {
        if self.sheet.count == 0 {
            return;
        }
        let sheet = std::mem::take(&mut self.sheet);
        let (entries, bytes) = (sheet.count, sheet.bytes.len());
        if bytes > PAYLOAD_MAX {
            // The members are ahead of the journal for ever.
            let limit = "a batch has at most 1 GiB";
            self.failed = Some(Arc::new(JournalError::Batch {
                entries,
                bytes,
                limit,
            }));
            return;
        }
        let frame = self.end.entry;
        let members = self.states.members.len();
        self.versions.resize(members, Version::default());
        for place in &sheet.changed {
            if let Some(version) = self.versions.get_mut(*place)
                && version.frame != frame
            {
                version.number += 1;
                version.frame = frame;
            }
        }
        self.books_version += u64::from(std::mem::take(&mut self.books_changed));
        let digest = *blake3::hash(&sheet.bytes).as_bytes();
        self.queue_frame(&sheet, &digest);
        self.recycle(sheet);
    }

    /// Keeps an emptied sheet; one that a large batch made large is given back.
    fn recycle(&mut self, mut sheet: Sheet) {
        if sheet.bytes.capacity() <= 1 << 24 {
            sheet.clear();
            self.sheet = sheet;
        }
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
                let place = self.states.members.insert(account, member);
                let members = self.states.members.len();
                self.versions.resize(members, Version::default());
                if let Some(version) = self.versions.get_mut(place) {
                    version.number += 1;
                }
            }
            (Key::Books, Record::Books(books)) => {
                self.states.books = books;
                self.books_version += 1;
            }
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
