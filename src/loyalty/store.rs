//! What a ledger needs of the place where it is kept.

use std::error::Error;
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use thiserror::Error;

use super::command::Command;
use super::deed::Deed;
use super::entry::Entry;
use super::journal::JournalError;
use super::member::Member;
use super::names::{AccountId, CommandId};
use super::sheet::Sheet;
use super::states::{Key, Record, States};

/// Where a ledger is kept: records with versions, and a journal that only grows.
///
/// A store knows nothing of points. It keeps records under their names, each with a version that
/// every commit of the record raises, and the entries of the journal in the order in which they were
/// committed, numbered from 1. What it must promise: a batch is there in whole or not at all; once
/// [`Store::commit`] has returned it is there for good; and of two batches that expect the same version
/// of a record and change it, one is turned away.
pub trait Store: Send + Sync {
    /// The records of some names, in their order, with their versions.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn load(&self, keys: &[Key]) -> Result<Vec<Versioned>, StoreError>;

    /// Writes a batch, in whole or not at all; returns the number of its first entry in the journal.
    ///
    /// # Errors
    /// [`CommitError::Moved`] names a record whose version is not the expected one; nothing was written.
    fn commit(&self, batch: Batch) -> Result<u64, CommitError>;

    /// Shows the entries of the journal from a number on, in their order, until the visitor breaks.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn scan(
        &self,
        from: u64,
        visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Shows all records, each as of one commit, in any order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn records(
        &self,
        visit: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Shows all members, each as of one commit, in any order; a store that does not keep them together
    /// with the commands does so without reading these.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn members(
        &self,
        visit: &mut dyn FnMut(&AccountId, &Member) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.records(&mut |key, record| match (key, record) {
            (Key::Member(account), Record::Member(member)) => visit(account, member),
            _ => ControlFlow::Continue(()),
        })
    }

    /// Numbers for new lots, never given before; consecutive, from 1 on.
    ///
    /// Numbers that are not used are no loss. A store that is opened again may give those once more
    /// that are in no entry of its journal.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    fn reserve_lots(&self, count: u64) -> Result<Range<u64>, StoreError>;

    /// Waits until all that [`Store::load`] and [`Store::records`] have shown is there for good.
    ///
    /// A store may show what another thread has committed before it is there for good, so that the next
    /// command can be decided upon it without waiting. Whoever tells it as a fact, without committing
    /// anything upon it, must wait.
    ///
    /// # Errors
    /// [`StoreError`] when it was lost: it must not be told.
    fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Lets `work` decide upon the records themselves, while nobody else can, if the store has them all
    /// in memory; `false` where it does not, as usual: then nothing was done.
    ///
    /// What `work` does is committed, one version on for each record that it changes.
    ///
    /// # Errors
    /// That of `work`, and [`StoreError`] when the store fails.
    fn in_place(
        &self,
        work: &mut dyn FnMut(&mut InPlace<'_>) -> Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        let _ = work;
        Ok(false)
    }
}

/// All records of a store in memory, to be decided upon without copies; made by stores of this crate.
pub struct InPlace<'a> {
    /// All members; of the commands those that are at hand.
    pub(super) states: &'a mut States,
    pub(super) deeds: &'a mut dyn Deeds,
    /// The last lot number that was given.
    pub(super) last_lot: &'a mut u64,
}

/// The commands of a store that decides in place, and its journal.
pub(super) trait Deeds {
    /// The command whose turn it is, if it was carried out before.
    fn own(&mut self, id: &CommandId) -> Result<Option<Arc<Deed>>, StoreError>;

    /// A command, if it was carried out.
    fn find(&mut self, id: &CommandId) -> Result<Option<Arc<Deed>>, StoreError>;

    /// Where entries are to be written.
    fn sheet(&mut self) -> &mut Sheet;

    /// Takes in what the entries of the command tell whose turn it is; then it is the next one's.
    fn note(&mut self);

    /// Looks at where some commands are found, all at once; see [`InPlace::warm`].
    fn warm(&mut self, commands: &[Command]);
}

impl InPlace<'_> {
    /// Has the commands at hand that a command needs.
    pub(super) fn fetch(&mut self, command: &Command) -> Result<(), StoreError> {
        self.states.deeds.clear();
        let mut put = |id: &CommandId, deed| {
            self.states.deeds.insert(id.clone(), deed);
        };
        if let Some(deed) = self.deeds.own(&command.id)? {
            put(&command.id, deed);
        }
        if let Some(id) = command.action.reference()
            && let Some(deed) = self.deeds.find(id)?
        {
            put(id, deed);
        }
        Ok(())
    }

    /// Looks at the records of some commands, all at once: memory that is not in a cache then comes
    /// together, and not one after the other when it is needed.
    pub(super) fn warm(&mut self, commands: &[Command]) {
        self.deeds.warm(commands);
        let accounts = commands.iter().flat_map(|c| c.action.accounts());
        self.states.members.warm(accounts);
    }

    /// Looks at the member of a single command. The way there is the longest: with this it is gone while the
    /// command itself is looked for.
    pub(super) fn glance(&self, command: &Command) {
        if let Some(account) = command.action.accounts().next() {
            self.states.members.glance(account);
        }
    }

    pub(super) fn reserve_lots(&mut self, count: u64) -> Result<Range<u64>, StoreError> {
        let last = *self.last_lot;
        let exhausted = || StoreError::LotsExhausted { last };
        let first = last.checked_add(1).ok_or_else(exhausted)?;
        let end = first.checked_add(count).ok_or_else(exhausted)?;
        *self.last_lot = end - 1;
        Ok(first..end)
    }
}

impl fmt::Debug for InPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InPlace").finish_non_exhaustive()
    }
}

/// A pointer to a store is a store: to share one, or to choose its kind at run time.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: Store + ?Sized> Store for $pointer {
            fn load(&self, keys: &[Key]) -> Result<Vec<Versioned>, StoreError> {
                (**self).load(keys)
            }

            fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
                (**self).commit(batch)
            }

            fn scan(
                &self,
                from: u64,
                visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
            ) -> Result<(), StoreError> {
                (**self).scan(from, visit)
            }

            fn records(
                &self,
                visit: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>,
            ) -> Result<(), StoreError> {
                (**self).records(visit)
            }

            fn reserve_lots(&self, count: u64) -> Result<Range<u64>, StoreError> {
                (**self).reserve_lots(count)
            }

            fn members(
                &self,
                visit: &mut dyn FnMut(&AccountId, &Member) -> ControlFlow<()>,
            ) -> Result<(), StoreError> {
                (**self).members(visit)
            }

            fn settle(&self) -> Result<(), StoreError> {
                (**self).settle()
            }

            fn in_place(
                &self,
                work: &mut dyn FnMut(&mut InPlace<'_>) -> Result<(), StoreError>,
            ) -> Result<bool, StoreError> {
                (**self).in_place(work)
            }
        }
    )*};
}

forward!(&S, Box<S>, Arc<S>);

/// A record and its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned {
    /// Raised by every commit that changes the record; 0 for one that is not there.
    pub version: u64,
    /// The record; `None` exactly when the version is 0.
    pub record: Option<Record>,
}

/// What is written together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The versions of all records that the batch was decided upon, changed or not. A record that must
    /// be new is expected at version 0: that is how a command's name is used once.
    pub expected: Vec<(Key, u64)>,
    /// The records after the batch, those only that it changes; each is among the expected ones.
    pub changed: Vec<(Key, Record)>,
    /// The journal entries, in their order.
    pub entries: Vec<Entry>,
}

/// A store could not do its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// What is below the store failed.
    #[error("the store failed while {doing}")]
    Failed {
        /// What it was doing.
        doing: &'static str,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The journal failed, or is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store has no more lot numbers.
    #[error("all lot numbers up to {last} are used")]
    LotsExhausted {
        /// The last one.
        last: u64,
    },
    /// A database failed.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] super::postgres::PostgresError),
    /// The directory has no more account numbers.
    #[error("all account numbers up to {last} are used")]
    AccountsExhausted {
        /// The last one.
        last: u64,
    },
}

/// A batch was not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A record has another version than expected: decide again upon the new one.
    #[error("the record {key:?} has version {found}, expected {expected}")]
    Moved {
        /// The record.
        key: Key,
        /// Its version.
        found: u64,
        /// The version that the batch was decided upon.
        expected: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
