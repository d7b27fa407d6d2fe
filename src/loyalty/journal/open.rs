//! Opening: what is there, up to the last whole frame, as the states that it makes.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::error::{Corruption, Fault, JournalError};
use super::files::Files;
use super::frame::{HEADER, Place};
use super::index::Index;
use super::mark;
use super::payload::{Entries, Touch, touch};
use super::people::People;
use super::read::damage_at;
use super::run::Run;
use super::segment::{End, Segment, Step, Walk, Writer};
use super::shelf::Version;
use super::snapshot::{self, Summary};
use super::store::{JournalOptions, JournalStore, Opening};
use super::upkeep::Upkeep;
use crate::loyalty::apply::apply;
use crate::loyalty::entry::{Change, Entry};
use crate::loyalty::names::AccountId;
use crate::loyalty::states::States;

/// How often an opening for reading begins anew when a file that it looked for was removed meanwhile.
const ATTEMPTS: u32 = 8;

/// What a store begins with.
pub(crate) struct Loaded {
    pub(crate) states: States,
    pub(crate) versions: Vec<Version>,
    pub(crate) books_version: u64,
    pub(crate) lots: u64,
    pub(crate) index: Index,
    pub(crate) segments: Vec<Segment>,
    pub(crate) end: Place,
    pub(crate) opening: Opening,
}

pub(crate) fn for_writing(
    files: Arc<dyn Files>,
    options: JournalOptions,
) -> Result<JournalStore, JournalError> {
    let lock = files.lock().map_err(JournalError::io("locking", ""))?;
    let lock = lock.ok_or(JournalError::Locked)?;
    remove_drafts(&*files)?;
    let mut segments = Segment::list(&*files)?;
    if segments.is_empty() {
        must_be_new(&*files)?;
        segments.push(Segment::create(&*files, &Place::START)?);
    }
    let mut found = load(&*files, segments)?;
    let loaded = &mut found.loaded;
    if let Some(cut) = &loaded.opening.cut {
        cut_off(&*files, &mut loaded.segments, cut)?;
    }
    if loaded.segments.is_empty() {
        // The making of the first segment was interrupted.
        let first = Segment::create(&*files, &Place::START)?;
        loaded.segments.push(first);
    }
    for name in &found.useless {
        let removed = files.remove(name);
        removed.map_err(JournalError::io("removing", name))?;
    }
    let people = People::open(&*files)?;
    people.mend()?;
    let last = loaded.segments.last().cloned();
    let writer = last.map(|segment| {
        let name = segment.name.clone();
        let writer = Writer::new(Arc::clone(&files), segment, options.segment_bytes);
        writer.map_err(JournalError::io("measuring", name))
    });
    let writer = writer.transpose()?;
    let from = (files, options);
    let people = (people, found.upkeep);
    Ok(JournalStore::assemble(
        from,
        found.loaded,
        writer,
        people,
        Some(lock),
    ))
}

pub(crate) fn for_reading(
    files: Arc<dyn Files>,
    options: JournalOptions,
) -> Result<JournalStore, JournalError> {
    let mut attempt = 1;
    let (found, people) = loop {
        let read = || {
            let segments = Segment::list(&*files)?;
            if segments.is_empty() {
                return Err(JournalError::Missing);
            }
            Ok((load(&*files, segments)?, People::open(&*files)?))
        };
        match read() {
            Ok(found) => break found,
            // The writer merged a part of the index, removed an old snapshot, or was just writing.
            Err(JournalError::Io { source, .. })
                if source.kind() == ErrorKind::NotFound && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    };
    // The writer may not have synced yet what was read here; what it holds is a fact after this.
    if let Some(segment) = found.loaded.segments.last() {
        let sync = segment.blob.sync();
        sync.map_err(JournalError::io("syncing", &segment.name))?;
    }
    let from = (files, options);
    let people = (people, found.upkeep);
    Ok(JournalStore::assemble(
        from,
        found.loaded,
        None,
        people,
        None,
    ))
}

struct FoundFiles {
    loaded: Loaded,
    upkeep: Upkeep,
    /// Files that nothing depends on any more.
    useless: Vec<String>,
}

fn load(files: &dyn Files, segments: Vec<Segment>) -> Result<FoundFiles, JournalError> {
    let mut passed_over = Vec::new();
    let mut base = Base::read(files, &mut passed_over)?;
    let (runs, mut useless) = runs(files, &mut passed_over)?;
    let marked = match mark::read(files) {
        Ok(mark) => mark,
        Err(JournalError::Corrupt(damage)) => {
            passed_over.push(damage);
            None
        }
        Err(error) => return Err(error),
    };
    let start = base.summary.map_or(Place::START, |summary| summary.place);
    let index_end = runs.last().map_or(Place::START, |run| run.to);
    let from = match index_end.position < start.position {
        true => index_end,
        false => start,
    };
    let mut index = Index::new(runs);
    let mut walk = Walk::new(&segments, from)?;
    let end = loop {
        let frame = match walk.step()? {
            Step::Frame(frame) => frame,
            Step::End(end) => break end,
        };
        let begins = frame.place.position + HEADER as u64;
        let apply = frame.place.position >= start.position;
        let mut touches = Vec::new();
        for (number, entry) in (frame.header.first..).zip(Entries::new(frame.payload)) {
            let damage = |fault| damage_at(&segments, begins, number, fault);
            let (offset, entry) = entry.map_err(|reason| damage(Fault::Content { reason }))?;
            touches.extend(touch(&entry, offset));
            if apply {
                base.apply(&entry).map_err(damage)?;
            }
        }
        if frame.place.position >= index_end.position {
            index.add(begins, &touches);
        }
        base.frame_ends();
    };
    let End { place: end, torn } = end;
    // What was once there for good must still be there.
    let least = [marked, base.summary.map(|summary| summary.place)];
    if let Some(lost) = least
        .into_iter()
        .flatten()
        .find(|l| l.position > end.position)
    {
        let fault = Fault::Lost {
            durable: lost.position,
        };
        return Err(damage_at(&segments, end.position, end.entry, fault).into());
    }
    if index_end.position > end.position {
        // Runs that tell of more than there is: a sync that was none. The index is made anew.
        let names = index.runs().iter().map(|run| run.name.clone());
        useless.extend(names);
        index = reindex(&segments, end)?;
    }
    let opening = Opening {
        entries: end.entry - 1,
        replayed: end.entry - start.entry,
        snapshot: base.name.take(),
        cut: torn,
        passed_over,
    };
    let upkeep = Upkeep::after(start.position, base.size);
    let loaded = Loaded {
        books_version: base.books,
        lots: base.lots,
        versions: base.each_version().map(Version::new).collect(),
        states: base.states,
        index,
        segments,
        end,
        opening,
    };
    Ok(FoundFiles {
        loaded,
        upkeep,
        useless,
    })
}

/// States with the versions of their records.
pub(crate) struct Base {
    pub(crate) summary: Option<Summary>,
    name: Option<String>,
    size: u64,
    pub(crate) states: States,
    pub(crate) versions: HashMap<AccountId, u64, RandomState>,
    pub(crate) books: u64,
    pub(crate) lots: u64,
    /// What the present frame changed so far.
    changed: HashSet<AccountId, RandomState>,
    books_changed: bool,
}

impl Base {
    /// The states before the first entry.
    pub(crate) fn empty() -> Self {
        Self {
            summary: None,
            name: None,
            size: 0,
            states: States::new(),
            versions: HashMap::default(),
            books: 0,
            lots: 0,
            changed: HashSet::default(),
            books_changed: false,
        }
    }

    /// The states of the latest snapshot that can be read.
    fn read(files: &dyn Files, passed_over: &mut Vec<Corruption>) -> Result<Self, JournalError> {
        for (_, name) in snapshot::names(files)? {
            match Self::read_one(files, &name) {
                Ok(base) => return Ok(base),
                Err(JournalError::Corrupt(damage)) => passed_over.push(damage),
                Err(error) => return Err(error),
            }
        }
        Ok(Self::empty())
    }

    pub(crate) fn read_one(files: &dyn Files, name: &str) -> Result<Self, JournalError> {
        let mut base = Self::empty();
        let summary = snapshot::read(files, name, &mut |(account, version, member)| {
            base.versions.insert(account.clone(), version);
            base.states.members.insert(account, member);
        })?;
        base.size = files
            .open(name)
            .and_then(|file| file.length())
            .map_err(JournalError::io("measuring", name))?;
        base.states.books = summary.books.1;
        base.books = summary.books.0;
        base.lots = summary.lots;
        base.name = Some(name.to_owned());
        base.summary = Some(summary);
        Ok(base)
    }

    /// Takes an entry in; deeds are not kept.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<(), Fault> {
        match &entry.change {
            Change::Done { .. } | Change::Amended { .. } => return Ok(()),
            Change::Opened { lot, .. } => self.lots = self.lots.max(lot.0),
            Change::Expected { .. } => self.books_changed = true,
            _ => {}
        }
        apply(&mut self.states, entry)?;
        if let Some(account) = entry.account()
            && !self.changed.contains(account)
        {
            self.changed.insert(account.clone());
        }
        Ok(())
    }

    /// The versions of the members, in the order of their places.
    fn each_version(&self) -> impl Iterator<Item = u64> {
        let members = self.states.members.iter();
        members.map(|(account, _)| self.versions.get(account).copied().unwrap_or(0))
    }

    /// Raises the versions of what a frame changed.
    pub(crate) fn frame_ends(&mut self) {
        for account in self.changed.drain() {
            *self.versions.entry(account).or_insert(0) += 1;
        }
        self.books += u64::from(std::mem::take(&mut self.books_changed));
    }
}

/// The runs that follow one another from the first frame on, and the names of all other ones.
fn runs(
    files: &dyn Files,
    passed_over: &mut Vec<Corruption>,
) -> Result<(Vec<Run>, Vec<String>), JournalError> {
    let mut found = Vec::new();
    let mut useless = Vec::new();
    for name in Run::names(files)? {
        match Run::open(files, &name) {
            Ok(run) => found.push(run),
            Err(JournalError::Corrupt(damage)) => {
                passed_over.push(damage);
                useless.push(name);
            }
            Err(error) => return Err(error),
        }
    }
    // Of two that begin together the longer one is the merged one.
    found.sort_by_key(|run| (run.from, std::cmp::Reverse(run.to.position)));
    let mut runs: Vec<Run> = Vec::new();
    for run in found {
        if run.from == runs.last().map_or(0, |last| last.to.position) {
            runs.push(run);
        } else {
            useless.push(run.name);
        }
    }
    Ok((runs, useless))
}

/// An index of all frames up to a place, in memory.
fn reindex(segments: &[Segment], end: Place) -> Result<Index, JournalError> {
    let mut index = Index::new(Vec::new());
    let mut walk = Walk::new(segments, Place::START)?;
    while walk.place().position < end.position {
        let Step::Frame(frame) = walk.step()? else {
            break;
        };
        let begins = frame.place.position + HEADER as u64;
        let entries = Entries::new(frame.payload).map_while(Result::ok);
        let touches: Vec<Touch> = entries
            .filter_map(|(at, entry)| touch(&entry, at))
            .collect();
        index.add(begins, &touches);
    }
    Ok(index)
}

/// Drafts of files that were never finished.
fn remove_drafts(files: &dyn Files) -> Result<(), JournalError> {
    for name in files.names().map_err(JournalError::io("listing", ""))? {
        if name.ends_with(".new") {
            let removed = files.remove(&name);
            removed.map_err(JournalError::io("removing", &name))?;
        }
    }
    Ok(())
}

/// A folder without segments must not have what is only made after the first one.
fn must_be_new(files: &dyn Files) -> Result<(), JournalError> {
    let snapshots = snapshot::names(files)?.into_iter().map(|(_, name)| name);
    let mut later = snapshots.chain(Run::names(files)?);
    let later = later.next().or_else(|| {
        let mark = files.open(mark::NAME);
        mark.is_ok().then(|| mark::NAME.to_owned())
    });
    match later {
        None => Ok(()),
        Some(file) => Err(JournalError::Corrupt(Corruption {
            file,
            offset: 0,
            entry: 1,
            fault: Fault::Gap { position: 0 },
        })),
    }
}

/// Cuts off what was never acknowledged.
fn cut_off(
    files: &dyn Files,
    segments: &mut Vec<Segment>,
    cut: &Corruption,
) -> Result<(), JournalError> {
    let Some(segment) = segments.last() else {
        return Ok(());
    };
    let name = segment.name.clone();
    let failed = JournalError::io("cutting", &name);
    if cut.offset == 0 {
        // A segment whose making was interrupted.
        segments.pop();
        return files
            .remove(&name)
            .and_then(|()| files.sync())
            .map_err(failed);
    }
    let blob = &segment.blob;
    blob.truncate(cut.offset)
        .and_then(|()| blob.sync())
        .map_err(failed)
}
