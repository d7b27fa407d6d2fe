//! What can go wrong with a database.

use std::error::Error;

use thiserror::Error;

use crate::loyalty::wire::WireError;

/// A ledger in PostgreSQL could not do its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// A setting is out of its range.
    #[error("{setting} is {value:?}, expected {expected}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The database, or the way to it, failed.
    #[error("the database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why; of the `postgres` crate, or of the caller's connector.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The schema was made by a later version of this crate.
    #[error(
        "schema `{schema}` has version {found}, this program knows versions up to {known}: run a newer one"
    )]
    Newer {
        /// The schema.
        schema: String,
        /// Its version.
        found: i32,
        /// The last version that is known here.
        known: i32,
    },
    /// The records and entries in the schema are written in another form.
    #[error("schema `{schema}` has records of form {found}, this program knows form {known}")]
    Form {
        /// The schema.
        schema: String,
        /// The form of what it holds.
        found: i32,
        /// The form that is known here.
        known: i32,
    },
    /// All connections were in use for too long.
    #[error(
        "none of {connections} connections became free within {waited_ms} ms: let the store have more of them"
    )]
    Busy {
        /// How many there may be.
        connections: usize,
        /// How long was waited.
        waited_ms: u32,
    },
    /// What lies in the database is not what a ledger wrote there.
    #[error("{place}: {what}")]
    Damaged {
        /// The row.
        place: Place,
        /// What is wrong with it.
        what: Damage,
    },
    /// A batch changes a record without expecting a version of it.
    #[error("the batch changes the record {key} and expects no version of it")]
    Unexpected {
        /// The record.
        key: String,
    },
}

/// A row of a ledger's schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Place {
    /// A row of the journal.
    #[error("journal row with last entry {last}")]
    Journal {
        /// Its column `last`.
        last: i64,
    },
    /// A row of the records.
    #[error("record {key}")]
    Record {
        /// The name of the record.
        key: String,
    },
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// The bytes are no entry, or no record.
    #[error(transparent)]
    Bytes(#[from] WireError),
    /// The lengths of the entries do not add up.
    #[error("its body has not the {expected} entries that it should have")]
    Entries {
        /// How many entries the row says there are.
        expected: i32,
    },
    /// Two rows of the journal have the same number.
    #[error("its first entry {first} is not after entry {before} of the row before it")]
    Number {
        /// Its first entry's number.
        first: i64,
        /// The last number of the row before.
        before: i64,
    },
    /// The hash is not that of the body.
    #[error("its hash is not that of its body")]
    Hash,
    /// The column that people read says something else than the entries.
    #[error("its postings are not those of its entries")]
    Postings,
    /// An entry does not fit the ones before it.
    #[error("entry {number} does not fit the ones before it")]
    Misfit {
        /// The entry's number.
        number: u64,
    },
    /// The record is not what the journal makes of it.
    #[error("it is not what the entries of the journal make of it")]
    State,
    /// The columns that people read say something else than the record.
    #[error("its columns `available` and `debt` are not those of its body")]
    Balance,
    /// The chain of the record ends otherwise than the journal's: a commit was altered, dropped or moved.
    #[error(
        "its chain does not end as the journal's does: a commit was altered, dropped or reordered"
    )]
    Chain,
    /// The journal makes it, and it is not there.
    #[error("the journal makes it, and it is not there")]
    Missing,
    /// The journal up to the kept seal is not the one that was sealed.
    #[error("the journal up to here is not the one that was sealed")]
    Seal,
    /// The name of the record is no name.
    #[error("its name is none that a ledger writes")]
    Name,
}
