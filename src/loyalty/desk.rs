//! The records upon which a batch is decided, and what came of them.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::command::Command;
use super::decide::each_need;
use super::entry::{Change, Entry};
use super::lot::LotNumber;
use super::names::AccountId;
use super::states::{Key, Record, States};
use super::store::{Batch, Store, StoreError, Versioned};

/// Records that were loaded, changed in place; the entries that changed them; lot numbers.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) states: States,
    pub(super) entries: Vec<Entry>,
    /// Lot numbers taken for this desk.
    pub(super) numbers: Vec<LotNumber>,
    /// How many of them have become lots, from the first.
    pub(super) numbers_used: usize,
    loaded: Vec<Loaded>,
    known: HashSet<Key, RandomState>,
}

/// A record as the store gave it.
struct Loaded {
    key: Key,
    version: u64,
    record: Option<Record>,
}

impl Desk {
    /// Loads what some commands need, each record once: first what they name, then what the commands name
    /// that they refer to. What one of them will refer to of another one here, they both name.
    pub(super) fn fetch_for(
        &mut self,
        store: &impl Store,
        commands: &[Command],
    ) -> Result<(), StoreError> {
        // One member and one command each is usual, one of them referring to another.
        self.known.reserve(2 * commands.len() + 1);
        self.loaded.reserve(2 * commands.len() + 1);
        self.states.reserve(commands.len());
        self.entries.reserve(3 * commands.len());
        let referring = |command: &&Command| command.action.reference().is_some();
        self.load_for(store, commands.iter())?;
        self.load_for(store, commands.iter().filter(referring))
    }

    /// Loads members, each named once.
    pub(super) fn fetch_members(
        &mut self,
        store: &impl Store,
        accounts: &[AccountId],
    ) -> Result<(), StoreError> {
        self.load(store, accounts.iter().cloned().map(Key::Member).collect())
    }

    /// Loads what some commands need as far as the records at hand tell.
    fn load_for<'c>(
        &mut self,
        store: &impl Store,
        commands: impl Iterator<Item = &'c Command>,
    ) -> Result<(), StoreError> {
        let mut missing = Vec::new();
        for command in commands {
            each_need(command, &self.states, |key| {
                if self.known.insert(key.clone()) {
                    missing.push(key);
                }
            });
        }
        self.load(store, missing)
    }

    fn load(&mut self, store: &impl Store, keys: Vec<Key>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let found = store.load(&keys)?;
        for (key, Versioned { version, record }) in keys.into_iter().zip(found) {
            if let Some(record) = &record {
                self.states.insert(key.clone(), record.clone());
            }
            self.loaded.push(Loaded {
                key,
                version,
                record,
            });
        }
        Ok(())
    }

    /// What is to be committed.
    pub(super) fn into_batch(mut self) -> Batch {
        let books_changed = |entry: &Entry| matches!(entry.change, Change::Expected { .. });
        let books_changed = self.entries.iter().any(books_changed);
        let mut changed = Vec::with_capacity(self.loaded.len());
        let mut expected = Vec::with_capacity(self.loaded.len());
        for Loaded {
            key,
            version,
            record,
        } in self.loaded
        {
            let now = match &key {
                Key::Books if !books_changed => None,
                key => self.states.share(key),
            };
            if let Some(now) = now.filter(|now| !record.is_some_and(|was| is_same(&was, now))) {
                changed.push((key.clone(), now));
            }
            expected.push((key, version));
        }
        Batch {
            expected,
            changed,
            entries: self.entries,
        }
    }
}

/// Whether a record is the very one that was loaded: one that was changed has been copied before.
fn is_same(was: &Record, now: &Record) -> bool {
    match (was, now) {
        (Record::Member(was), Record::Member(now)) => Arc::ptr_eq(was, now),
        (Record::Deed(was), Record::Deed(now)) => Arc::ptr_eq(was, now),
        _ => false,
    }
}
