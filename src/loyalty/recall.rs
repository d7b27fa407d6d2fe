//! The history of a store in memory: all entries as bytes, and where each command is told of.

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::ahead::Ahead;
use super::deed::Deed;
use super::entry::{Change, Entry};
use super::journal::{Entries, deed_of, entry_at};
use super::names::CommandId;
use super::sheet::{Sheet, Telling, Told};
use super::slots::{Slot, Slots};

/// So many bytes of entries are a chunk.
const CHUNK: usize = 1 << 20;

/// All entries: a few hundred bytes a command, decoded when they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    chunks: Vec<Chunk>,
    /// The latest entries.
    open: Sheet,
    /// Where the latest entries begin: bytes and entries before them.
    begins: (u64, u64),
    commands: Slots,
    /// Where the last amendment of a command is, by where the command was carried out.
    amended: HashMap<u64, u64, RandomState>,
    hasher: RandomState,
    ahead: Ahead<u32>,
}

/// Entries that are complete.
#[derive(Debug)]
struct Chunk {
    begins: (u64, u64),
    bytes: Vec<u8>,
}

impl Recall {
    /// Where the next entries are to be written.
    pub(crate) fn sheet(&mut self) -> &mut Sheet {
        &mut self.open
    }

    /// How many entries there are.
    pub(crate) fn count(&self) -> u64 {
        self.begins.1 + self.open.count as u64
    }

    /// The version of a command and its deed, if it was carried out.
    pub(crate) fn find(&self, id: &CommandId) -> Option<(u64, Arc<Deed>)> {
        self.find_by(id, hash(id, &self.hasher))
    }

    /// The same, of the command whose turn it is.
    pub(crate) fn own(&mut self, id: &CommandId) -> Option<(u64, Arc<Deed>)> {
        let hash = self.ahead.own(|| hash(id, &self.hasher));
        self.find_by(id, hash)
    }

    fn find_by(&self, id: &CommandId, hash: u32) -> Option<(u64, Arc<Deed>)> {
        self.commands.of(hash).find_map(|slot| {
            let deed = deed_of(id, self.entry(slot.first)?, self.amendment(slot))?;
            Some((u64::from(slot.version), deed))
        })
    }

    /// Looks at where the commands are found that are next.
    pub(crate) fn warm<'a>(&mut self, ids: impl Iterator<Item = &'a CommandId>) {
        self.ahead.begin(ids.map(|id| hash(id, &self.hasher)));
        let glances = self.ahead.keys().iter();
        let glances = glances.map(|hash| self.commands.glance(*hash));
        black_box(glances.fold(0, |seen, glance| seen ^ glance));
    }

    /// Notes what the latest entries tell of commands; then it is the next one's turn.
    pub(crate) fn note(&mut self, mut other: impl FnMut(Told)) {
        let mut tellings = std::mem::take(&mut self.open.tellings);
        for Telling { offset, what } in tellings.drain(..) {
            let position = self.begins.0 + offset as u64;
            match what {
                Told::Done(id) => {
                    self.commands.insert(Slot {
                        first: position,
                        hash: self.ahead.own(|| hash(&id, &self.hasher)),
                        version: 1,
                    });
                }
                Told::Amended(id) => self.amend(&id, position),
                what => other(what),
            }
        }
        self.open.tellings = tellings;
        self.open.changed.clear();
        self.ahead.next();
        self.turn_over();
    }

    /// Appends entries of commands that are kept elsewhere.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        entries.iter().for_each(|entry| self.open.write(entry));
        self.open.tellings.clear();
        self.turn_over();
    }

    /// Shows all entries from a number on.
    pub(crate) fn scan(&self, from: u64, visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>) {
        let after = |chunk: &Chunk| chunk.begins.1 < from;
        let skip = self.chunks.partition_point(after).saturating_sub(1);
        let chunks = self.chunks.iter().skip(skip);
        let chunks = chunks.map(|chunk| (chunk.begins.1, &chunk.bytes));
        for (before, bytes) in chunks.chain([(self.begins.1, &self.open.bytes)]) {
            // Whatever is here was encoded here.
            let entries = Entries::new(bytes).map_while(Result::ok);
            for (number, (_, entry)) in (before + 1..).zip(entries) {
                if number >= from && visit(number, &entry).is_break() {
                    return;
                }
            }
        }
    }

    /// Shows all commands.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(CommandId, Arc<Deed>) -> ControlFlow<()>) {
        for slot in self.commands.iter() {
            let Some(entry) = self.entry(slot.first) else {
                continue;
            };
            let Change::Done { id, .. } = &entry.change else {
                continue;
            };
            let id = id.clone();
            if let Some(deed) = deed_of(&id, entry, self.amendment(slot))
                && visit(id, deed).is_break()
            {
                return;
            }
        }
    }

    fn amend(&mut self, id: &CommandId, position: u64) {
        let hash = hash(id, &self.hasher);
        let is_it = |slot: &&Slot| {
            let change = self.entry(slot.first).map(|entry| entry.change);
            matches!(change, Some(Change::Done { id: found, .. }) if found == *id)
        };
        let Some(first) = self.commands.of(hash).find(is_it).map(|slot| slot.first) else {
            return;
        };
        self.amended.insert(first, position);
        self.commands.told_again(hash, first);
    }

    fn amendment(&self, slot: &Slot) -> Option<Entry> {
        match slot.version {
            1 => None,
            _ => self.entry(*self.amended.get(&slot.first)?),
        }
    }

    fn entry(&self, position: u64) -> Option<Entry> {
        let (begins, bytes) = if position >= self.begins.0 {
            (self.begins.0, &self.open.bytes)
        } else {
            let after = |chunk: &Chunk| chunk.begins.0 <= position;
            let chunk = self.chunks.partition_point(after).checked_sub(1)?;
            let chunk = self.chunks.get(chunk)?;
            (chunk.begins.0, &chunk.bytes)
        };
        let offset = usize::try_from(position - begins).ok()?;
        entry_at(bytes.get(offset..)?).ok()
    }

    /// Begins a new chunk when the present one is full.
    fn turn_over(&mut self) {
        if self.open.bytes.len() < CHUNK {
            return;
        }
        let room = Vec::with_capacity(CHUNK + (CHUNK >> 4));
        let bytes = std::mem::replace(&mut self.open.bytes, room);
        let begins = self.begins;
        self.begins = (begins.0 + bytes.len() as u64, self.count());
        self.open.count = 0;
        self.chunks.push(Chunk { begins, bytes });
    }
}

/// By what a command is found.
fn hash(id: &CommandId, hasher: &RandomState) -> u32 {
    (id.hash_in(hasher) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Timestamp;
    use crate::loyalty::book::Book;
    use crate::loyalty::deed::{Digest, Subject};
    use crate::loyalty::receipt::Receipt;
    use crate::loyalty::states::States;

    fn deed(number: u8) -> Deed {
        Deed {
            at: Timestamp::EPOCH,
            digest: Digest([number; Digest::BYTES]),
            receipt: Receipt::Noted {},
            subject: Subject::None,
        }
    }

    fn amended(id: &CommandId, size: usize) -> (Entry, Subject) {
        let account = "a".repeat(size).as_str().into();
        let part = crate::loyalty::deed::Part {
            account,
            lot: crate::loyalty::lot::LotNumber(1),
            points: crate::loyalty::points::Points(1),
        };
        let subject = Subject::Redemption { parts: vec![part] };
        let change = Change::Amended {
            deed: id.clone(),
            subject: Box::new(subject.clone()),
        };
        let entry = Entry {
            at: Timestamp::EPOCH,
            command: Some("later".into()),
            change,
        };
        (entry, subject)
    }

    proptest! {
        /// Against a list of entries and a map of deeds, over many chunks.
        #[test]
        fn what_was_written_is_recalled(steps in proptest::collection::vec((any::<bool>(), 0_u8..30, 0_usize..400_000, any::<bool>()), 0..40)) {
            let (mut recall, mut journal) = (Recall::default(), Vec::new());
            let mut deeds: HashMap<CommandId, (u64, Deed)> = HashMap::new();
            for (amends, number, size, undone) in steps {
                let id = CommandId::from(format!("command-{number}"));
                let before = recall.sheet().written();
                match deeds.get_mut(&id) {
                    None if amends => {}
                    None => {
                        recall.sheet().done(&mut States::new(), &id, &deed(number));
                        if !undone {
                            let new = deed(number);
                            journal.push(Entry {
                                at: new.at,
                                command: Some(id.clone()),
                                change: Change::Done { id: id.clone(), deed: Arc::new(new.clone()) },
                            });
                            deeds.insert(id, (1, new));
                        }
                    }
                    Some((version, deed)) => {
                        let (entry, subject) = amended(&id, size);
                        recall.sheet().enter(entry.clone());
                        if !undone {
                            journal.push(entry);
                            (*version, deed.subject) = (*version + 1, subject);
                        }
                    }
                }
                if undone {
                    recall.sheet().forget(before);
                }
                recall.note(|_| {});
            }
            prop_assert_eq!(recall.count(), journal.len() as u64);
            for number in 0..30 {
                let id = CommandId::from(format!("command-{number}"));
                let found = recall.find(&id).map(|(version, deed)| (version, (*deed).clone()));
                prop_assert_eq!(found.as_ref(), deeds.get(&id));
            }
            let mut all = HashMap::new();
            recall.each(&mut |id, deed| {
                all.insert(id, deed);
                ControlFlow::Continue(())
            });
            prop_assert_eq!(all.len(), deeds.len());
            prop_assert!(all.iter().all(|(id, deed)| deeds.get(id).is_some_and(|(_, own)| *own == **deed)));
            for from in [0, 1, 2, journal.len() as u64 / 2, journal.len() as u64, u64::MAX] {
                let mut shown = Vec::new();
                recall.scan(from, &mut |number, entry| {
                    shown.push((number, entry.clone()));
                    ControlFlow::Continue(())
                });
                let expected = (1..).zip(journal.iter().cloned());
                let expected: Vec<_> = expected.filter(|(number, _)| *number >= from).collect();
                prop_assert_eq!(shown, expected);
            }
        }
    }
}
