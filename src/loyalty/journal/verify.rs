//! Verifying: everything is computed again from the journal and compared with what is there.

use std::collections::HashMap;
use std::path::Path;

use super::error::{Corruption, Fault, JournalError};
use super::files::{Files, Folder};
use super::frame::{HEADER, Place};
use super::mark;
use super::open::Base;
use super::payload::{Entries, IdHash, touch};
use super::people::People;
use super::read::damage_at;
use super::run::{Run, Slot};
use super::segment::{Segment, Step, Walk};
use super::snapshot;
use super::store::JournalStore;
use crate::loyalty::apply::Misfit;
use crate::loyalty::entry::{Change, Entry};
use crate::loyalty::lot::Lot;
use crate::loyalty::names::CommandId;

/// What [`JournalStore::verify`] found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// How many entries fit the ones before them.
    pub entries: u64,
    /// How many members they make.
    pub members: u64,
    /// How many commands they tell of.
    pub commands: u64,
    /// The hash of the last frame: as long as it stays the same, so do all entries before it. Written down
    /// elsewhere, it proves later that nobody wrote the books anew.
    pub chain: [u8; 32],
    /// What is wrong: first the first bad record of the journal, after which no entry can be judged, then
    /// the other files in the order of their names. Empty for a sound journal.
    pub damages: Vec<Corruption>,
}

impl JournalStore {
    /// Reads a folder and computes everything again: the hash chain, every member's lots and balances, the
    /// numbers of entries and commands; compares snapshots, index and marks with it. Changes nothing.
    ///
    /// A journal that is written at the moment may end in an unfinished record; verify a backup, or when the
    /// store is closed. Takes about as long as replaying the journal, and about 60 bytes of memory a command
    /// besides the members.
    ///
    /// # Errors
    /// [`JournalError`] when the folder cannot be read. Damages are no errors.
    pub fn verify(folder: impl AsRef<Path>) -> Result<Verification, JournalError> {
        let name = folder.as_ref().display().to_string();
        let folder = Folder::read_only(folder).map_err(JournalError::io("opening", name))?;
        Self::verify_with(&folder)
    }

    /// [`JournalStore::verify`] wherever the files are.
    ///
    /// # Errors
    /// As [`JournalStore::verify`].
    pub fn verify_with(files: &dyn Files) -> Result<Verification, JournalError> {
        let segments = Segment::list(files)?;
        if segments.is_empty() {
            return Err(JournalError::Missing);
        }
        let mut audit = Audit {
            base: Base::empty(),
            commands: HashMap::new(),
            place: Place::START,
            damages: Vec::new(),
        };
        let snapshots = snapshot::names(files)?;
        let journal = audit.replay(files, &segments, &snapshots);
        let whole = audit.damaged(journal)?.is_some();
        if whole {
            audit.balance();
        }
        audit.side_files(files, &snapshots, whole)?;
        Ok(Verification {
            entries: audit.place.entry - 1,
            members: audit.base.states.members().count() as u64,
            commands: audit.commands.len() as u64,
            chain: audit.place.chain,
            damages: audit.damages,
        })
    }
}

/// The journal, computed again.
struct Audit {
    base: Base,
    commands: HashMap<IdHash, Slot>,
    /// After the last frame that is sound.
    place: Place,
    damages: Vec<Corruption>,
}

impl Audit {
    /// Notes a damage and goes on; other errors are passed on.
    fn damaged<T>(&mut self, result: Result<T, JournalError>) -> Result<Option<T>, JournalError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(JournalError::Corrupt(damage)) => {
                self.damages.push(damage);
                Ok(None)
            }
            Err(JournalError::Version { file, found, known }) => {
                self.damages.push(Corruption {
                    file,
                    offset: 0,
                    entry: 0,
                    fault: Fault::Version { found, known },
                });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn replay(
        &mut self,
        files: &dyn Files,
        segments: &[Segment],
        snapshots: &[(u64, String)],
    ) -> Result<(), JournalError> {
        let mut walk = Walk::new(segments, Place::START)?;
        loop {
            let here = snapshots.iter().find(|(at, _)| *at == self.place.position);
            if let Some((_, name)) = here {
                self.compare(files, name)?;
            }
            let frame = match walk.step()? {
                Step::Frame(frame) => frame,
                Step::End(end) => {
                    self.damages.extend(end.torn);
                    return Ok(());
                }
            };
            let begins = frame.place.position + HEADER as u64;
            for (number, entry) in (frame.header.first..).zip(Entries::new(frame.payload)) {
                let unread = |reason| {
                    let fault = Fault::Content { reason };
                    damage_at(segments, begins, number, fault)
                };
                let (offset, entry) = entry.map_err(unread)?;
                let position = begins + u64::from(offset);
                self.enter(begins, position, &entry)
                    .map_err(|fault| damage_at(segments, position, number, fault))?;
            }
            self.base.frame_ends();
            self.place = frame.place.after(&frame.header);
        }
    }

    /// Takes an entry in.
    fn enter(&mut self, payload: u64, position: u64, entry: &Entry) -> Result<(), Fault> {
        if let Some(touch) = touch(entry, 0) {
            let strange = |id: &CommandId| Fault::Misfit(Misfit::Deed { id: id.clone() });
            match (&entry.change, self.commands.get_mut(&touch.id)) {
                (Change::Done { .. }, None) => {
                    let slot = Slot {
                        first: position,
                        last: position,
                        frames: 1,
                    };
                    self.commands.insert(touch.id, slot);
                }
                (Change::Amended { .. }, Some(slot)) => {
                    slot.frames += u32::from(slot.last < payload);
                    slot.last = position;
                }
                (Change::Done { id, .. } | Change::Amended { deed: id, .. }, _) => {
                    return Err(strange(id));
                }
                _ => {}
            }
        }
        self.base.apply(entry)
    }

    /// The law of the lots.
    fn balance(&mut self) {
        let members = self.base.states.members();
        let unbalanced = members.filter_map(|(account, member)| {
            let lot = member.lots().find(|lot| !adds_up(lot))?;
            Some((account.clone(), lot.number))
        });
        let mut unbalanced: Vec<_> = unbalanced.collect();
        unbalanced.sort_unstable();
        for (account, lot) in unbalanced {
            self.damages.push(Corruption {
                file: String::new(),
                offset: 0,
                entry: self.place.entry - 1,
                fault: Fault::Unbalanced { account, lot },
            });
        }
    }

    /// Compares a snapshot with the states at its place.
    fn compare(&mut self, files: &dyn Files, name: &str) -> Result<(), JournalError> {
        let Some(other) = self.damaged(Base::read_one(files, name))? else {
            return Ok(());
        };
        let (base, summary) = (&self.base, other.summary);
        let what = if summary.is_none_or(|summary| summary.place != self.place) {
            "the place"
        } else if other.states.books() != base.states.books() || other.books != base.books {
            "the books"
        } else if other.lots != base.lots {
            "the highest lot number"
        } else if other.versions != base.versions {
            "the versions of the members"
        } else if other.states.members != base.states.members {
            "the members"
        } else {
            return Ok(());
        };
        self.disagrees(name, what);
        Ok(())
    }

    fn disagrees(&mut self, name: &str, what: &'static str) {
        self.damages.push(Corruption {
            file: name.to_owned(),
            offset: 0,
            entry: 0,
            fault: Fault::Disagrees { what },
        });
    }

    /// All that is derived from the journal or lies beside it. When only a part of the journal could be
    /// judged, they are read, but not compared with it.
    fn side_files(
        &mut self,
        files: &dyn Files,
        snapshots: &[(u64, String)],
        whole: bool,
    ) -> Result<(), JournalError> {
        for name in Run::names(files)? {
            let opened = Run::open(files, &name);
            if let Some(run) = self.damaged(opened)? {
                let agrees = self.agrees(&run, whole);
                if self.damaged(agrees)? == Some(false) {
                    self.disagrees(&name, "where a command is told of");
                }
            }
        }
        if let Some(Some(mark)) = self.damaged(mark::read(files))?
            && whole
            && (mark.position > self.place.position
                || mark.position == self.place.position && mark != self.place)
        {
            self.disagrees(mark::NAME, "where it ended");
        }
        let people = self.damaged(People::open(files))?;
        self.damages.extend(people.and_then(|people| people.torn));
        for (position, name) in snapshots {
            if *position > self.place.position {
                let read = Base::read_one(files, name);
                if self.damaged(read)?.is_some() && whole {
                    self.disagrees(name, "where it ends");
                }
            }
        }
        Ok(())
    }

    /// Whether a run tells of the same commands as the journal.
    fn agrees(&self, run: &Run, whole: bool) -> Result<bool, JournalError> {
        let mut agrees = !whole || run.to.position <= self.place.position;
        for slot in run.iter() {
            let (id, slot) = slot?;
            let known = self.commands.get(&id);
            let fits = known.is_some_and(|known| {
                (slot.first == known.first || slot.first == Slot::NOWHERE)
                    && (run.from..=known.last).contains(&slot.last)
                    && slot.frames <= known.frames
            });
            agrees &= fits || !whole;
        }
        Ok(agrees)
    }
}

/// A lot's law, and that nothing is below 0.
fn adds_up(lot: &Lot) -> bool {
    let columns = [
        lot.free,
        lot.held,
        lot.spent,
        lot.expired,
        lot.clawed_back,
        lot.moved_out,
    ];
    let sum: i128 = columns.iter().map(|points| i128::from(points.0)).sum();
    sum == i128::from(lot.granted.0) && columns.iter().all(|points| points.0 >= 0)
}
