//! The store: members in memory, everything in the journal, acknowledged when it is synced.

use std::collections::HashMap;
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::cache::Cache;
use super::error::{Corruption, JournalError};
use super::files::{Files, Folder};
use super::frame::PAYLOAD_MAX;
use super::mark;
use super::open;
use super::payload::{hash_of, touches};
use super::people::People;
use super::read::{read_deed, scan};
use super::segment::Writer;
use super::shelf::Shelf;
use super::upkeep::Upkeep;
use crate::loyalty::deed::Deed;
use crate::loyalty::entry::{Change, Entry};
use crate::loyalty::member::Member;
use crate::loyalty::names::{AccountId, CommandId};
use crate::loyalty::privacy::Directory;
use crate::loyalty::sheet::Sheet;
use crate::loyalty::states::{Key, Record};
use crate::loyalty::store::{Batch, CommitError, InPlace, Store, StoreError, Versioned};

/// Bytes that may wait to be written before a commit waits, too.
const QUEUE_MAX: usize = 1 << 28;

/// So many members are taken back while others wait.
const TAKEN_BACK: usize = 1 << 12;

type VersionedDeed = (u64, Arc<Deed>);

/// How a journal is kept. The defaults suit a shop; nothing of it is part of the format, so it may differ
/// from one opening to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    /// After so many bytes a segment is followed by the next one.
    pub segment_bytes: u64,
    /// A snapshot of the members is written when the journal has grown by so many bytes since the last one,
    /// and by at least twice the last one's size. Opening replays at most about that much.
    pub snapshot_bytes: u64,
    /// How many commands that were asked for lately are kept in memory besides the index, for refunds and
    /// repeated commands.
    pub commands_cached: usize,
    /// How many of the latest commands are indexed in memory (about 60 bytes each); the others are on disk,
    /// with a filter of 10 bits each in memory.
    pub commands_indexed: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            snapshot_bytes: 64 << 20,
            commands_cached: 1 << 16,
            commands_indexed: 1 << 18,
        }
    }
}

/// What was found when a journal was opened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Opening {
    /// How many entries the journal has.
    pub entries: u64,
    /// How many of them were replayed, because they are after the snapshot.
    pub replayed: u64,
    /// The snapshot that was used, by the name of its file.
    pub snapshot: Option<String>,
    /// What was cut off at the end of the journal: commands that were never acknowledged. For a journal that
    /// was opened for reading only, nothing is cut: somebody may be writing it just now.
    pub cut: Option<Corruption>,
    /// Damaged files that nothing depends on: snapshots and parts of the index. They were passed over.
    pub passed_over: Vec<Corruption>,
}

/// A store in a folder on this machine's disk; see the [module documentation](super).
pub struct JournalStore {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) options: JournalOptions,
    shelf: Mutex<Shelf>,
    /// An emptied sheet for the next batch.
    scratch: Mutex<Sheet>,
    /// Something became durable, or failed.
    turned: Condvar,
    /// None when it is open for reading only.
    writer: Option<Mutex<Writer>>,
    people: Mutex<People>,
    pub(crate) upkeep: Mutex<Upkeep>,
    opening: Opening,
    _lock: Option<Box<dyn Send + Sync>>,
}

impl JournalStore {
    /// Opens the journal of a folder, for this process alone; a new one if the folder is empty or not there.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when it is open for writing elsewhere, [`JournalError::Corrupt`] with the
    /// first bad record, [`JournalError::Version`] for one that a later version wrote.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, JournalError> {
        let name = folder.as_ref().display().to_string();
        let folder = Folder::create(folder).map_err(JournalError::io("opening", name))?;
        Self::open_with(Arc::new(folder), JournalOptions::default())
    }

    /// Opens a journal wherever its files are, with options.
    ///
    /// # Errors
    /// As [`JournalStore::open`].
    pub fn open_with(files: Arc<dyn Files>, options: JournalOptions) -> Result<Self, JournalError> {
        open::for_writing(files, options)
    }

    /// Opens the journal of a folder for reading, also while another process writes it: balances,
    /// statements and exports as of now. What that process acknowledges later is not seen.
    ///
    /// # Errors
    /// [`JournalError::Missing`] when there is no journal, and as [`JournalStore::open`].
    pub fn open_read_only(folder: impl AsRef<Path>) -> Result<Self, JournalError> {
        let name = folder.as_ref().display().to_string();
        let folder = Folder::read_only(folder).map_err(JournalError::io("opening", name))?;
        open::for_reading(Arc::new(folder), JournalOptions::default())
    }

    /// What was found when the journal was opened.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    pub(crate) fn assemble(
        (files, options): (Arc<dyn Files>, JournalOptions),
        loaded: open::Loaded,
        writer: Option<Writer>,
        (people, upkeep): (People, Upkeep),
        lock: Option<Box<dyn Send + Sync>>,
    ) -> Self {
        let shelf = Shelf {
            states: loaded.states,
            versions: loaded.versions,
            books_version: loaded.books_version,
            lots: loaded.lots,
            lots_used: loaded.lots,
            sheet: Sheet::default(),
            books_changed: false,
            index: loaded.index,
            cache: Cache::new(options.commands_cached),
            segments: Arc::new(loaded.segments),
            end: loaded.end,
            queue: Vec::new(),
            queue_from: loaded.end,
            flying: None,
            spare: Vec::new(),
            durable: loaded.end.position,
            snapshot_from: 0,
            writing: false,
            failed: None,
        };
        Self {
            files,
            options,
            shelf: Mutex::new(shelf),
            scratch: Mutex::default(),
            turned: Condvar::new(),
            writer: writer.map(Mutex::new),
            people: Mutex::new(people),
            upkeep: Mutex::new(upkeep),
            opening: loaded.opening,
            _lock: lock,
        }
    }

    pub(crate) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        let mut shelf = lock(&self.shelf);
        // Where a rule in code panicked, what was decided before it is committed now.
        shelf.seal();
        shelf
    }

    /// Members that somebody was given are in the table alone again, some at a time, so that nobody waits for all.
    pub(crate) fn take_back(&self) {
        let parts = (0..).step_by(TAKEN_BACK);
        for start in parts {
            let members = &mut lock(&self.shelf).states.members;
            if !members.take_back(start..start + TAKEN_BACK) {
                return;
            }
        }
    }

    pub(crate) fn people(&self) -> MutexGuard<'_, People> {
        lock(&self.people)
    }

    pub(crate) fn must_be_writable(&self) -> Result<(), JournalError> {
        match self.writer {
            Some(_) => Ok(()),
            None => Err(JournalError::ReadOnly),
        }
    }

    /// Waits until the journal is there for good up to a position. Of those who wait one writes what is
    /// queued and syncs it, for all of them.
    pub(crate) fn wait<'s>(
        &'s self,
        mut shelf: MutexGuard<'s, Shelf>,
        position: u64,
    ) -> Result<MutexGuard<'s, Shelf>, JournalError> {
        loop {
            if shelf.durable >= position {
                return Ok(shelf);
            }
            shelf.usable()?;
            if shelf.writing {
                let waited = self.turned.wait(shelf);
                shelf = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let Some(writer) = &self.writer else {
                return Err(JournalError::ReadOnly);
            };
            shelf.writing = true;
            let spare = std::mem::take(&mut shelf.spare);
            let group = Arc::new(std::mem::replace(&mut shelf.queue, spare));
            let (from, to) = (shelf.queue_from, shelf.end);
            shelf.queue_from = to;
            shelf.flying = Some((from.position, Arc::clone(&group)));
            drop(shelf);
            let written = lock(writer).write(&from, &group);
            shelf = self.shelf();
            shelf.writing = false;
            shelf.flying = None;
            match written {
                Ok(new) => {
                    shelf.durable = to.position;
                    if let Some(segment) = new {
                        Arc::make_mut(&mut shelf.segments).push(segment);
                    }
                    let mut group = Arc::into_inner(group).unwrap_or_default();
                    group.clear();
                    // A buffer that one large batch made large is given back.
                    if group.capacity() <= 1 << 24 {
                        shelf.spare = group;
                    }
                    self.turned.notify_all();
                }
                Err(error) => {
                    // What was written is unknown from here on: nothing more is acknowledged.
                    shelf.failed = Some(Arc::new(error.clone()));
                    self.turned.notify_all();
                    return Err(error);
                }
            }
        }
    }

    /// The deed of a command with its version, from the cache or the journal.
    fn deed<'s>(
        &'s self,
        mut shelf: MutexGuard<'s, Shelf>,
        id: &CommandId,
    ) -> Result<(MutexGuard<'s, Shelf>, Option<VersionedDeed>), JournalError> {
        loop {
            if let Some(found) = shelf.cache.get(id) {
                let found = found.clone();
                return Ok((shelf, Some(found)));
            }
            let Some(slot) = shelf.index.find(&hash_of(id))? else {
                return Ok((shelf, None));
            };
            if slot.last >= shelf.durable {
                let end = shelf.end.position;
                shelf = self.wait(shelf, end)?;
                continue;
            }
            let deed = read_deed(&shelf.segments, id, &slot)?;
            let version = u64::from(slot.frames);
            shelf.cache.insert(id.clone(), version, Arc::clone(&deed));
            return Ok((shelf, Some((version, deed))));
        }
    }

    fn append(&self, batch: Batch) -> Result<u64, CommitError> {
        self.must_be_writable().map_err(StoreError::from)?;
        let mut sheet = std::mem::take(&mut *lock(&self.scratch));
        batch.entries.iter().for_each(|entry| sheet.write(entry));
        let touches = touches(&sheet.tellings);
        let digest = *blake3::hash(&sheet.bytes).as_bytes();
        let limit = match (sheet.bytes.len() > PAYLOAD_MAX, batch.entries.is_empty()) {
            (true, _) => Some("a batch has at most 1 GiB"),
            (_, true) if !batch.changed.is_empty() => Some("records change by entries only"),
            _ => None,
        };
        if let Some(limit) = limit {
            let (entries, bytes) = (batch.entries.len(), sheet.bytes.len());
            let error = JournalError::Batch {
                entries,
                bytes,
                limit,
            };
            return Err(StoreError::from(error).into());
        }
        let mut shelf = self.shelf();
        if shelf.queue.len() > QUEUE_MAX {
            let end = shelf.end.position;
            shelf = self.wait(shelf, end).map_err(StoreError::from)?;
        }
        shelf.usable().map_err(StoreError::from)?;
        let mut uncached = HashMap::with_hasher(RandomState::default());
        for (key, expected) in &batch.expected {
            let found = match key {
                Key::Deed(id) if shelf.cache.get(id).is_none() => {
                    let found = shelf.version(key).map_err(StoreError::from)?;
                    uncached.insert(id.clone(), found);
                    found
                }
                key => shelf.version(key).map_err(StoreError::from)?,
            };
            if found != *expected {
                return Err(CommitError::Moved {
                    key: key.clone(),
                    found,
                    expected: *expected,
                });
            }
        }
        let first = shelf.end.entry;
        if batch.entries.is_empty() {
            return Ok(first);
        }
        shelf.index(&touches);
        shelf.queue_frame(&sheet, &digest);
        self.recycle(sheet);
        for entry in &batch.entries {
            if let Change::Opened { lot, .. } = entry.change {
                shelf.lots_used = shelf.lots_used.max(lot.0);
            }
        }
        for (key, record) in batch.changed {
            shelf.put(key, record, &uncached);
        }
        let end = shelf.end.position;
        drop(self.wait(shelf, end).map_err(StoreError::from)?);
        Ok(first)
    }

    /// Keeps an emptied sheet; one that a large batch made large is given back.
    fn recycle(&self, mut sheet: Sheet) {
        if sheet.bytes.capacity() <= 1 << 24 {
            sheet.clear();
            *lock(&self.scratch) = sheet;
        }
    }
}

impl Store for JournalStore {
    fn load(&self, keys: &[Key]) -> Result<Vec<Versioned>, StoreError> {
        let mut shelf = self.shelf();
        shelf.usable()?;
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            let found = match key {
                Key::Member(account) => {
                    let member = shelf.states.members.shared(account).map(Record::Member);
                    member.map(|member| (shelf.version(key).unwrap_or(0), member))
                }
                Key::Books => match shelf.books_version {
                    0 => None,
                    version => Some((version, Record::Books(shelf.states.books()))),
                },
                Key::Deed(id) => {
                    let (same, found) = self.deed(shelf, id)?;
                    shelf = same;
                    found.map(|(version, deed)| (version, Record::Deed(deed)))
                }
            };
            let (version, record) = found.unzip();
            all.push(Versioned {
                version: version.unwrap_or(0),
                record,
            });
        }
        Ok(all)
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        let first = self.append(batch)?;
        self.keep_up(self.shelf());
        Ok(first)
    }

    fn scan(
        &self,
        from: u64,
        visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (segments, durable) = {
            let shelf = self.shelf();
            (Arc::clone(&shelf.segments), shelf.durable)
        };
        Ok(scan(&segments, durable, from, &mut |number, _, entry| {
            visit(number, entry)
        })?)
    }

    fn records(
        &self,
        visit: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (members, books, segments, end) = {
            let shelf = self.shelf();
            let end = shelf.end.position;
            let mut shelf = self.wait(shelf, end)?;
            shelf.usable()?;
            let members: Vec<_> = shelf.members().collect();
            let books = (shelf.books_version, shelf.states.books());
            (members, books, Arc::clone(&shelf.segments), end)
        };
        let books = (books.0 > 0).then_some((Key::Books, Record::Books(books.1)));
        let members = members
            .into_iter()
            .map(|(account, _, member)| (Key::Member(account), Record::Member(member)));
        let mut all = books.into_iter().chain(members);
        let goes_on = all.all(|(key, record)| visit(&key, &record).is_continue());
        drop(all);
        self.take_back();
        if !goes_on {
            return Ok(());
        }
        let mut failed = None;
        scan(&segments, end, 1, &mut |_, _, entry| {
            let Change::Done { id, .. } = &entry.change else {
                return ControlFlow::Continue(());
            };
            match self.deed(self.shelf(), id) {
                Ok((shelf, Some((_, deed)))) => {
                    drop(shelf);
                    visit(&Key::Deed(id.clone()), &Record::Deed(deed))
                }
                Ok((_, None)) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        Ok(failed.map_or(Ok(()), Err)?)
    }

    fn members(
        &self,
        visit: &mut dyn FnMut(&AccountId, &Member) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let members: Vec<_> = {
            let mut shelf = self.shelf();
            shelf.usable()?;
            shelf.members().collect()
        };
        let mut all = members.iter();
        let _ = all.all(|(account, _, member)| visit(account, member).is_continue());
        drop(members);
        self.take_back();
        Ok(())
    }

    fn reserve_lots(&self, count: u64) -> Result<Range<u64>, StoreError> {
        self.must_be_writable()?;
        let mut shelf = self.shelf();
        let exhausted = StoreError::LotsExhausted { last: shelf.lots };
        let first = shelf.lots.checked_add(1);
        let range = first.and_then(|first| Some(first..first.checked_add(count)?));
        let range = range.ok_or(exhausted)?;
        shelf.lots = range.end - 1;
        Ok(range)
    }

    fn in_place(
        &self,
        work: &mut dyn FnMut(&mut InPlace<'_>) -> Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        if self.writer.is_none() {
            return Ok(false);
        }
        let mut shelf = self.shelf();
        if shelf.queue.len() > QUEUE_MAX {
            let end = shelf.end.position;
            shelf = self.wait(shelf, end)?;
        }
        shelf.usable()?;
        shelf.decide(work)?;
        shelf.seal();
        // Also what was only told, a first receipt or a refusal, may stand upon what is not yet there for good.
        let end = shelf.end.position;
        let shelf = self.wait(shelf, end)?;
        self.keep_up(shelf);
        Ok(true)
    }

    fn settle(&self) -> Result<(), StoreError> {
        let shelf = self.shelf();
        let end = shelf.end.position;
        drop(self.wait(shelf, end)?);
        Ok(())
    }
}

impl Directory for JournalStore {
    fn account_of(&self, person: &str) -> Result<Option<AccountId>, StoreError> {
        let people = self.people();
        people.usable()?;
        Ok(people.account_of(person))
    }

    fn person_of(&self, account: &AccountId) -> Result<Option<String>, StoreError> {
        let people = self.people();
        people.usable()?;
        Ok(people.person_of(account).map(str::to_owned))
    }

    fn link(&self, person: &str) -> Result<AccountId, StoreError> {
        self.must_be_writable()?;
        let linked = self.people().link(&*self.files, person)?;
        linked.ok_or(StoreError::AccountsExhausted { last: u64::MAX })
    }

    fn unlink(&self, person: &str) -> Result<Option<AccountId>, StoreError> {
        self.must_be_writable()?;
        Ok(self.people().unlink(&*self.files, person)?)
    }
}

impl Drop for JournalStore {
    /// Writes what nobody waits for any more, and leaves a mark where the journal ends.
    fn drop(&mut self) {
        let Some(writer) = &self.writer else { return };
        let shelf = self.shelf();
        let end = shelf.end;
        // Nobody can be told of a failure here; opening finds out what is there.
        if self.wait(shelf, end.position).is_ok() && lock(writer).trim(&end).is_ok() {
            let _ = mark::write(&*self.files, &end);
        }
    }
}

impl fmt::Debug for JournalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalStore")
            .field("files", &self.files)
            .field("options", &self.options)
            .field("opening", &self.opening)
            .finish_non_exhaustive()
    }
}

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Changes of the shelf happen after all that can fail; a visitor that panicked changed nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
