//! Copies of a journal: made while it is written, checked before they are used.

use std::path::Path;

use super::error::JournalError;
use super::files::{Files, Folder};
use super::mark;
use super::people;
use super::segment::Segment;
use super::snapshot;
use super::store::JournalStore;
use super::verify::Verification;
use crate::loyalty::store::StoreError;

impl JournalStore {
    /// Copies the journal as of now into an empty folder, while commands go on; how many entries the copy has.
    ///
    /// The copy is a journal itself: all commands that were acknowledged before the call, the latest snapshot
    /// and the directory of persons. It can be opened and verified where it is. A person who is forgotten
    /// later is still known in it: backups must have an end.
    ///
    /// # Errors
    /// [`JournalError::NotEmpty`] for a folder that has a journal; [`StoreError::Journal`] when something
    /// cannot be read or written, the copy is then of no use.
    pub fn backup(&self, folder: impl AsRef<Path>) -> Result<u64, StoreError> {
        let name = folder.as_ref().display().to_string();
        let folder = Folder::create(folder).map_err(JournalError::io("opening", name))?;
        self.backup_to(&folder)
    }

    /// [`JournalStore::backup`] wherever the files of the copy are.
    ///
    /// # Errors
    /// As [`JournalStore::backup`].
    pub fn backup_to(&self, to: &dyn Files) -> Result<u64, StoreError> {
        must_be_empty(to)?;
        // No snapshot is removed meanwhile.
        let upkeep = super::store::lock(&self.upkeep);
        let (segments, end) = {
            let shelf = self.shelf();
            let end = shelf.end;
            let shelf = self.wait(shelf, end.position)?;
            (shelf.segments.clone(), end)
        };
        for (at, segment) in segments.iter().enumerate() {
            let next = segments.get(at + 1).map_or(end.position, |next| next.base);
            if segment.base <= end.position {
                let length = segment.offset(next.min(end.position));
                copy(&*self.files, to, &segment.name, Some(length))?;
            }
        }
        let mut snapshots = snapshot::names(&*self.files)?.into_iter();
        if let Some((_, name)) = snapshots.find(|(position, _)| *position <= end.position) {
            copy(&*self.files, to, &name, None)?;
        }
        drop(upkeep);
        let people = self.people();
        people.usable()?;
        if people.is_kept() {
            copy(&*self.files, to, people::NAME, None)?;
        }
        drop(people);
        mark::write(to, &end)?;
        Ok(end.entry - 1)
    }

    /// Copies a backup into an empty folder, from which it can be opened, and verifies the copy.
    ///
    /// A copy with damages is left where it is, to be looked at; [`Verification::damages`] names them, and a
    /// journal among whose damages is one of a segment does not open.
    ///
    /// # Errors
    /// [`JournalError::NotEmpty`] for a folder that has a journal, [`JournalError::Missing`] for a backup that
    /// is none; [`JournalError::Io`].
    pub fn restore(
        backup: impl AsRef<Path>,
        folder: impl AsRef<Path>,
    ) -> Result<Verification, JournalError> {
        let name = backup.as_ref().display().to_string();
        let from = Folder::read_only(backup).map_err(JournalError::io("opening", name))?;
        let name = folder.as_ref().display().to_string();
        let to = Folder::create(folder).map_err(JournalError::io("opening", name))?;
        must_be_empty(&to)?;
        let segments = Segment::list(&from)?
            .into_iter()
            .map(|segment| segment.name);
        let segments: Vec<String> = segments.collect();
        if segments.is_empty() {
            return Err(JournalError::Missing);
        }
        let snapshots = snapshot::names(&from)?.into_iter().map(|(_, name)| name);
        let beside = from.names().map_err(JournalError::io("listing", ""))?;
        let beside = beside
            .into_iter()
            .filter(|name| [mark::NAME, people::NAME].contains(&name.as_str()));
        for name in segments.into_iter().chain(snapshots).chain(beside) {
            copy(&from, &to, &name, None)?;
        }
        JournalStore::verify_with(&to)
    }
}

fn must_be_empty(folder: &dyn Files) -> Result<(), JournalError> {
    let mut names = folder.names().map_err(JournalError::io("listing", ""))?;
    names.retain(|name| name != "lock");
    names.sort_unstable();
    match names.into_iter().next() {
        Some(file) => Err(JournalError::NotEmpty { file }),
        None => Ok(()),
    }
}

/// Copies a file, or its beginning; the copy is there for good when this returns.
fn copy(
    from: &dyn Files,
    to: &dyn Files,
    name: &str,
    length: Option<u64>,
) -> Result<(), JournalError> {
    let source = from.open(name).map_err(JournalError::io("opening", name))?;
    let target = to.create(name).map_err(JournalError::io("making", name))?;
    let length = match length {
        Some(length) => length,
        None => source
            .length()
            .map_err(JournalError::io("measuring", name))?,
    };
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while at < length {
        let some = usize::try_from(length - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        let part = buffer.get_mut(..some).unwrap_or_default();
        let read = source
            .read_at(at, part)
            .map_err(JournalError::io("reading", name))?;
        if read == 0 {
            break;
        }
        let part = part.get(..read).unwrap_or_default();
        let write = target.write_at(at, part);
        write.map_err(JournalError::io("writing", name))?;
        at += read as u64;
    }
    let sync = target.sync().and_then(|()| to.sync());
    sync.map_err(JournalError::io("syncing", name))
}
