//! What can be wrong with a journal.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::loyalty::apply::Misfit;
use crate::loyalty::lot::LotNumber;
use crate::loyalty::names::AccountId;

/// A journal could not do its work.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The system failed.
    #[error("the journal failed while {doing} `{file}`")]
    Io {
        /// What it was doing.
        doing: &'static str,
        /// To which file; empty for the folder.
        file: String,
        /// Why.
        source: Arc<io::Error>,
    },
    /// Another process, or another store of this one, has the journal open for writing.
    #[error("the journal is open for writing elsewhere; close it there, or open it read-only here")]
    Locked,
    /// The folder holds no journal.
    #[error("the folder holds no journal")]
    Missing,
    /// The folder in which a journal or a backup should be made holds one.
    #[error("the folder holds a journal already (`{file}`); an empty folder is needed")]
    NotEmpty {
        /// A file of it.
        file: String,
    },
    /// The journal was written by a later version of this crate.
    #[error(
        "`{file}` has format version {found}, this crate reads up to {known}; a newer `tenure` reads it"
    )]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// The last one that is known.
        known: u32,
    },
    /// The journal is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// A write or a sync failed earlier: what was not acknowledged then may be there or not. Open the journal again.
    #[error("an earlier write failed, so nothing more is written; open the journal again")]
    Poisoned {
        /// The first failure.
        source: Arc<JournalError>,
    },
    /// The journal is open for reading only.
    #[error("the journal is open for reading only")]
    ReadOnly,
    /// A batch is too large, or changes records that its entries do not.
    #[error("a batch of {entries} entries and {bytes} bytes cannot be written: {limit}")]
    Batch {
        /// Its entries.
        entries: usize,
        /// Its bytes, encoded.
        bytes: usize,
        /// Which limit it breaks.
        limit: &'static str,
    },
}

/// A damage: where it is and what is wrong there.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("`{file}` is damaged at byte {offset} (entry {entry}): {fault}")]
pub struct Corruption {
    /// The file.
    pub file: String,
    /// Where in the file the damaged record begins.
    pub offset: u64,
    /// The number of the first entry that is in the damaged record; in a file that is no segment 0.
    pub entry: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a record of a journal.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are not those that were written.
    #[error("the checksum does not fit the bytes")]
    Checksum,
    /// The record is whole, but does not follow the ones before it: one of them was changed, dropped or moved.
    #[error("the hash chain does not lead here")]
    Chain,
    /// The entries are not numbered on.
    #[error("the first entry has number {found}, {expected} would be right")]
    Number {
        /// The number that stands there.
        found: u64,
        /// The one after the last entry.
        expected: u64,
    },
    /// The file or the record ends too early.
    #[error("it ends {missing} bytes too early")]
    Short {
        /// How many bytes are missing, at least.
        missing: u64,
    },
    /// A record that was once there for good is gone.
    #[error("the journal ends here, but it once went on to position {durable}")]
    Lost {
        /// The position up to which it was durable.
        durable: u64,
    },
    /// There is no file with the entries that follow the ones before.
    #[error("the segment that begins at position {position} is not there")]
    Gap {
        /// The position at which it would begin.
        position: u64,
    },
    /// An unfinished or damaged record at the end: what a crash leaves of a command that was not acknowledged.
    #[error("the last record is unfinished or damaged")]
    Torn,
    /// The checksum fits, the content is none that this version of the crate writes.
    #[error("the content cannot be read: {reason}")]
    Content {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry does not fit the states before it.
    #[error("the entry does not fit the ones before it")]
    Misfit(#[from] Misfit),
    /// The points of a lot do not add up.
    #[error("the points of lot {lot} of account `{account}` do not add up to what was granted")]
    Unbalanced {
        /// Whose.
        account: AccountId,
        /// The lot.
        lot: LotNumber,
    },
    /// A later version of this crate wrote the file; or its version was damaged.
    #[error("it has version {found}, this crate reads up to {known}")]
    Version {
        /// Its version.
        found: u32,
        /// The last one that is known.
        known: u32,
    },
    /// A snapshot or an index says otherwise than the journal.
    #[error("it does not agree with the journal: {what}")]
    Disagrees {
        /// In what.
        what: &'static str,
    },
}

impl JournalError {
    /// For `map_err`: what the journal was doing, and to which file.
    pub(crate) fn io(
        doing: &'static str,
        file: impl Into<String>,
    ) -> impl FnOnce(io::Error) -> JournalError {
        move |source| JournalError::Io {
            doing,
            file: file.into(),
            source: Arc::new(source),
        }
    }
}
