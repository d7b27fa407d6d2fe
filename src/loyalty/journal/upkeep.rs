//! What a store does besides committing: the index goes to disk, runs are merged, snapshots are written.

use std::sync::{MutexGuard, TryLockError};

use super::error::JournalError;
use super::run;
use super::shelf::Shelf;
use super::snapshot::{self, Summary};
use super::store::{JournalStore, lock};
use crate::loyalty::store::StoreError;

/// What the upkeep remembers.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    /// The position of the last snapshot, and its size.
    snapshot: (u64, u64),
    /// So many commits pass before it is tried again after a failure.
    pause: u32,
}

impl Upkeep {
    /// After an opening from a snapshot at a position, of a size.
    pub(crate) fn after(position: u64, size: u64) -> Self {
        Self {
            snapshot: (position, size),
            pause: 0,
        }
    }
}

/// Commits between two attempts at an upkeep that failed.
const PAUSE: u32 = 4096;

impl JournalStore {
    /// Writes a snapshot of the members, so that the next opening replays nothing.
    ///
    /// A store writes snapshots by itself, see [`JournalOptions::snapshot_bytes`](super::JournalOptions::snapshot_bytes).
    ///
    /// # Errors
    /// [`StoreError::Journal`] when it cannot be written.
    pub fn snapshot(&self) -> Result<(), StoreError> {
        self.must_be_writable()?;
        let mut upkeep = lock(&self.upkeep);
        self.flush_index()?;
        Ok(self.write_snapshot(&mut upkeep)?)
    }

    /// Does what is due. One thread at a time does it; the others go on.
    pub(crate) fn keep_up(&self, shelf: MutexGuard<'_, Shelf>) {
        let (fresh, position) = (shelf.index.fresh(), shelf.durable);
        let many = self.options.commands_indexed.max(1);
        if fresh < many && position < shelf.snapshot_from {
            return;
        }
        drop(shelf);
        let mut upkeep = match self.upkeep.try_lock() {
            Ok(upkeep) => upkeep,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if upkeep.pause > 0 {
            upkeep.pause -= 1;
            return;
        }
        let (at, size) = upkeep.snapshot;
        let step = self.options.snapshot_bytes.max(size.saturating_mul(2));
        let mut result = Ok(());
        if fresh >= many {
            result = self.flush_index();
        }
        if position.saturating_sub(at) >= step {
            result = result.and_then(|()| self.write_snapshot(&mut upkeep));
        }
        if result.is_ok() {
            self.shelf().snapshot_from = upkeep.snapshot.0.saturating_add(step);
        }
        // The command is there for good, whatever becomes of what is only derived from it. Without a new run
        // or snapshot the next opening takes longer.
        if result.is_err() {
            upkeep.pause = PAUSE;
        }
    }

    /// Writes the latest part of the index to disk and merges what should be one.
    fn flush_index(&self) -> Result<(), JournalError> {
        let frozen = {
            let mut shelf = self.shelf();
            // After a failed decision the index tells of commands that no frame will have.
            shelf.usable()?;
            let end = shelf.end;
            let frozen = shelf.index.freeze(end);
            // A run tells of durable frames only.
            drop(self.wait(shelf, end.position)?);
            frozen
        };
        let Some(frozen) = frozen else { return Ok(()) };
        let run = frozen.write(&*self.files)?;
        self.shelf().index.thaw(run);
        loop {
            let Some(old) = self.shelf().index.to_merge() else {
                return Ok(());
            };
            let Some(new) = run::merge(&*self.files, &old)? else {
                return Ok(());
            };
            let names = self.shelf().index.merged(&old, new);
            for name in names {
                let removed = self.files.remove(&name);
                removed.map_err(JournalError::io("removing", &name))?;
            }
        }
    }

    fn write_snapshot(&self, upkeep: &mut Upkeep) -> Result<(), JournalError> {
        let (summary, members) = {
            let mut shelf = self.shelf();
            // After a failed decision the members are ahead of the journal for ever.
            shelf.usable()?;
            let members: Vec<_> = shelf.members().collect();
            let summary = Summary {
                place: shelf.end,
                lots: shelf.lots_used,
                books: (shelf.books_version, shelf.states.books()),
                members: members.len() as u64,
            };
            // A snapshot tells of durable frames only.
            drop(self.wait(shelf, summary.place.position)?);
            (summary, members)
        };
        if summary.place.position == 0 {
            return Ok(());
        }
        let each = members.iter();
        let each = each.map(|(account, version, member)| (account, *version, member));
        let written = snapshot::write(&*self.files, &summary, each);
        drop(members);
        self.take_back();
        let size = written?;
        upkeep.snapshot = (summary.place.position, size);
        Ok(())
    }
}
