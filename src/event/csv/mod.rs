//! Facts from CSV files: `Transactions::from_csv`, `Interactions::from_csv`,
//! `CovariateRows::from_csv` and `AliasTable::from_csv` (feature `csv`).
//!
//! You say which columns hold what, by the names in the file's first line, and what the file cannot
//! say itself: the decimal places of its money and the zone of its dates. The file is read as a
//! stream, in memory for the columns and the distinct keys only.
//!
//! ```
//! use tenure::event::csv::{Columns, CsvOptions, OnError};
//! use tenure::event::{Decimals, Transactions, Zone};
//!
//! let file = "cust,date,cds,sales\n\
//!             00001,1997-01-01,1,11.77\n\
//!             00002,1997-01-12,1,twelve\n\
//!             00002,1997-01-12,5,77.00\n";
//! let loaded = Transactions::from_csv(
//!     file.as_bytes(),
//!     &Columns { amount: Some("sales"), ..Columns::new("cust", "date") },
//!     &CsvOptions {
//!         on_error: OnError::Collect,
//!         ..CsvOptions::new(Decimals::TWO, Zone::UTC)
//!     },
//! )?;
//! assert_eq!(loaded.facts.amount(), [1177, 7700]);
//! assert_eq!(loaded.rejected.count(), 1);
//! let error = loaded.rejected.errors()[0].to_string();
//! assert!(error.starts_with("row 3, column `sales`: found `twelve`, expected a decimal number"));
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! # What is read, and how
//!
//! * **Lines** end in LF, CRLF or CR. Blank lines are skipped. A byte-order mark is left out. The
//!   row of an error is the line on which its record begins, the header being on line 1 (a lone CR
//!   inside quotes does not count as a line).
//! * **Quotes** follow RFC 4180: a field may be quoted, and holds a quote as two. A quote inside an
//!   unquoted field stands for itself; what follows a closing quote is part of the field. When the
//!   file ends inside a quoted field, the record that was being read is a bad row.
//! * **Spaces** around names and values are left out, inside quotes too.
//! * **Names** of columns are compared exactly, case included. A name that is asked for must stand
//!   in the header once. Other columns may hold anything, in any encoding.
//! * **Keys** are text, never numbers: `00001` and `1` are two customers, and `4294967296` costs no
//!   more than `7`. A key is UTF-8, not empty, without NUL, and at most [`KEY_BYTES_MAX`] bytes long.
//! * **Amounts** are decimal numbers, read exactly; see
//!   [`Decimals::parse`]. Negative ones are refunds, or
//!   errors: see [`Negative`].
//! * **Times** are read as [`TimeFormat`] says.
//! * **Duplicate and unsorted rows** are kept as they stand: what is one purchase is for the
//!   [summary](crate::summary) to say.
//!
//! A file with a header alone is an empty log; a file without even that is
//! [`DataError::Empty`].
//!
//! # What is wrong, and then
//!
//! A bad row is [`DataError::Value`] or [`DataError::Fields`], by the line, the column, the value
//! (shortened to 40 characters) and what was expected; of several wrong values the first in the
//! order customer, time, amount, order, item (or customer, item, weight, time) is named. [`OnError`]
//! says whether the first one ends the reading or all are counted and the good rows kept. Anything
//! else that is wrong (a column that is missing, a reader that fails) ends the reading either way.
//!
//! # What it costs
//!
//! About 0.3 to 0.5 CPU seconds a million rows of key, date and amount; with many customers most of
//! it is the wait for memory while their keys are looked up. Memory: 20 bytes a row, 4 more for
//! each of order and item, about 100 bytes a distinct key while reading, and the spare room of
//! growing vectors; plus buffers of at most 20 MiB for one record, which is why a row of
//! [`RECORD_BYTES_MAX`] bytes or more is a bad row.

mod aliases;
mod covariates;
pub(crate) mod fields;
mod interactions;
mod keys;
mod records;
mod transactions;

use crate::error::DataError;
use crate::event::{AliasTable, Decimals, Ids, Zone};

pub use covariates::{LoadedCovariates, PathColumns};

/// The longest key: 4 KiB.
pub const KEY_BYTES_MAX: usize = 4 << 10;

/// A row, its line end included, is shorter than this: 1 MiB.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Which columns of a file hold a log of transactions, by their names in its header.
///
/// ```
/// use tenure::event::csv::Columns;
///
/// let columns = Columns { amount: Some("total"), ..Columns::new("id", "date") };
/// assert_eq!((columns.customer, columns.order), ("id", None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns<'a> {
    /// The customer's key.
    pub customer: &'a str,
    /// When it happened.
    pub time: &'a str,
    /// How much was paid, in major units; without it every amount is 0.
    pub amount: Option<&'a str>,
    /// The key of the order that the row is part of.
    pub order: Option<&'a str>,
    /// The key of the item that the row is for.
    pub item: Option<&'a str>,
}

impl<'a> Columns<'a> {
    /// Customer and time alone.
    pub const fn new(customer: &'a str, time: &'a str) -> Self {
        Self {
            customer,
            time,
            amount: None,
            order: None,
            item: None,
        }
    }
}

/// Which columns of a file hold a log of interactions, by their names in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairColumns<'a> {
    /// The customer's key.
    pub customer: &'a str,
    /// The item's key.
    pub item: &'a str,
    /// How much the row counts; without it every row weighs 1.
    pub weight: Option<&'a str>,
    /// When it happened; without it every row stands at 1970-01-01T00:00:00Z.
    pub time: Option<&'a str>,
}

impl<'a> PairColumns<'a> {
    /// Customer and item alone.
    pub const fn new(customer: &'a str, item: &'a str) -> Self {
        Self {
            customer,
            item,
            weight: None,
            time: None,
        }
    }
}

/// Which columns of a file hold the links of an [`AliasTable`], by their names in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AliasColumns<'a> {
    /// The other key: a device, an e-mail address, a card.
    pub alias: &'a str,
    /// What it belongs to: a customer, or another alias.
    pub customer: &'a str,
}

/// How a file is to be read.
///
/// | field | [`CsvOptions::new`] | meaning |
/// |---|---|---|
/// | `decimals` | as given | decimal places of the amounts |
/// | `zone` | as given | zone of dates and of date-times without an offset |
/// | `time_format` | [`TimeFormat::Iso`] | how times are written |
/// | `delimiter` | [`Delimiter::Comma`] | what stands between fields |
/// | `negative` | [`Negative::Refund`] | what an amount below zero is |
/// | `on_error` | [`OnError::Stop`] | what a bad row does |
/// | `aliases` | `None` | other keys of the same customers |
#[derive(Debug, Clone)]
pub struct CsvOptions<'a> {
    /// The decimal places of the amounts.
    pub decimals: Decimals,
    /// The zone of dates, and of date-times that do not say theirs.
    pub zone: Zone,
    /// How times are written.
    pub time_format: TimeFormat,
    /// What stands between the fields of a row.
    pub delimiter: Delimiter,
    /// What an amount below zero is.
    pub negative: Negative,
    /// What a bad row does.
    pub on_error: OnError,
    /// Turns each customer key into that of the person it belongs to, while the rows are read.
    pub aliases: Option<&'a AliasTable<String>>,
}

impl<'a> CsvOptions<'a> {
    /// ISO 8601 times, commas, refunds kept, stop at the first bad row, no aliases.
    pub const fn new(decimals: Decimals, zone: Zone) -> Self {
        Self {
            decimals,
            zone,
            time_format: TimeFormat::Iso,
            delimiter: Delimiter::Comma,
            negative: Negative::Refund,
            on_error: OnError::Stop,
            aliases: None,
        }
    }

    pub(crate) fn resolve<'k>(&'k self, key: &'k str) -> &'k str {
        self.aliases.map_or(key, |aliases| aliases.resolve(key))
    }
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// A date (`2006-12-31`, the start of that day in the zone of the options) or a date-time
    /// (`2006-12-31T18:00:00Z`, `2006-12-31 18:00:00`); see
    /// [`Timestamp::parse`](crate::event::Timestamp::parse).
    Iso,
    /// Whole seconds since 1970-01-01T00:00:00Z.
    EpochSeconds,
    /// Whole milliseconds since 1970-01-01T00:00:00Z; the part of a second is cut.
    EpochMilliseconds,
}

/// What stands between the fields of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// `,`
    Comma,
    /// `;`, where the comma is the decimal sign.
    Semicolon,
    /// A tabulator.
    Tab,
    /// `|`
    Pipe,
}

impl Delimiter {
    const fn byte(self) -> u8 {
        match self {
            Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Tab => b'\t',
            Delimiter::Pipe => b'|',
        }
    }
}

/// What an amount below zero is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negative {
    /// A refund: a fact like any other. What it does to the purchases before it is chosen when they
    /// are summarised.
    Refund,
    /// An error of the file: the row is bad.
    Reject,
}

/// What a bad row does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The first bad row ends the reading with its error.
    Stop,
    /// Bad rows are left out and counted, and the first [`Rejected::KEPT`] of their errors kept.
    Collect,
}

/// A log that was read, with the keys of what is numbered in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<T> {
    /// The good rows, in the order of the file.
    pub facts: T,
    /// The customers' keys; after the aliases, if there are any.
    pub customers: Ids<String>,
    /// The items' keys, if an item column was read.
    pub items: Option<Ids<String>>,
    /// The orders' keys, if an order column was read.
    pub orders: Option<Ids<String>>,
    /// What was left out: nothing under [`OnError::Stop`].
    pub rejected: Rejected,
}

/// The rows of a file that were left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rejected {
    errors: Vec<DataError>,
    count: u64,
}

impl Rejected {
    /// How many errors are kept: 1,000.
    pub const KEPT: usize = 1_000;

    /// The errors of the first bad rows, in the order of the file: at most [`Rejected::KEPT`].
    pub fn errors(&self) -> &[DataError] {
        &self.errors
    }

    /// How many rows were bad, those included whose error was not kept.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn push(&mut self, error: DataError) {
        if self.errors.len() < Self::KEPT {
            self.errors.push(error);
        }
        self.count += 1;
    }
}
