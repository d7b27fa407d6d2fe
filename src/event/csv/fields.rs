//! From the fields of a record to checked values, and what to say when they are none.

use std::io::Read;

use super::records::{Fault, Record, Records};
use super::{CsvOptions, KEY_BYTES_MAX, Negative, OnError, Rejected, TimeFormat};
use crate::error::DataError;
use crate::event::{Decimals, Timestamp, Zone};

/// How many characters of a bad value a message shows.
const SHOWN_CHARS: usize = 40;
/// How many columns a message lists.
const LISTED_COLUMNS: usize = 50;

/// A CSV stream after its header, and the rows of it that were rejected.
pub(crate) struct Table<R> {
    records: Records<R>,
    header: Vec<String>,
    on_error: OnError,
    rejected: Rejected,
}

/// A column that is read, by its place in the header.
pub(crate) struct Column {
    index: usize,
    name: String,
}

impl<R: Read> Table<R> {
    pub(crate) fn open(reader: R, options: &CsvOptions<'_>) -> Result<Self, DataError> {
        let mut records = Records::new(reader, options.delimiter.byte())?;
        let header = match records.next()? {
            None => {
                return Err(DataError::Empty {
                    what: "header",
                    expected: "the first line must hold the names of the columns",
                });
            }
            Some(record) => {
                check_whole(&record)?;
                (0..record.fields())
                    .map(|i| String::from_utf8_lossy(record.field(i).unwrap_or_default()))
                    .map(|name| name.trim().to_owned())
                    .collect()
            }
        };
        Ok(Self {
            records,
            header,
            on_error: options.on_error,
            rejected: Rejected::default(),
        })
    }

    /// Finds the column of a name; `role` says what it holds.
    pub(crate) fn column(&self, name: &str, role: &'static str) -> Result<Column, DataError> {
        let named = |other: &&String| other.as_str() == name;
        match self.header.iter().filter(named).count() {
            1 => {}
            0 => {
                return Err(DataError::MissingColumn {
                    column: shown(name.as_bytes()),
                    role,
                    available: listed(&self.header),
                });
            }
            times => {
                return Err(DataError::AmbiguousColumn {
                    column: shown(name.as_bytes()),
                    times,
                });
            }
        }
        let index = self.header.iter().position(|other| other == name);
        Ok(Column {
            index: index.unwrap_or_default(),
            name: shown(name.as_bytes()),
        })
    }

    /// As [`Table::column`], where a column may be left out.
    pub(super) fn optional(
        &self,
        name: Option<&str>,
        role: &'static str,
    ) -> Result<Option<Column>, DataError> {
        name.map(|name| self.column(name, role)).transpose()
    }

    /// Hands each whole row to `take`. A row that it refuses is rejected, or ends the reading,
    /// as the options say.
    pub(crate) fn read(
        mut self,
        mut take: impl FnMut(&Record<'_>) -> Result<(), DataError>,
    ) -> Result<Rejected, DataError> {
        let width = self.header.len();
        while let Some(record) = self.records.next()? {
            let outcome = check_whole(&record)
                .and_then(|()| check_width(&record, width))
                .and_then(|()| take(&record));
            match (outcome, self.on_error) {
                (Ok(()), _) => {}
                (Err(error), OnError::Collect) if concerns_one_row(&error) => {
                    self.rejected.push(error);
                }
                (Err(error), _) => return Err(error),
            }
        }
        Ok(self.rejected)
    }
}

impl Column {
    /// The field without the spaces around it.
    fn text<'r>(&self, record: &Record<'r>) -> Result<&'r str, DataError> {
        let field = record.field(self.index).unwrap_or_default();
        match std::str::from_utf8(field) {
            Ok(text) => Ok(text.trim()),
            Err(_) => Err(self.bad(record, "text in UTF-8")),
        }
    }

    /// A key: text that is there, not too long, and free of NUL.
    pub(crate) fn key<'r>(&self, record: &Record<'r>) -> Result<&'r str, DataError> {
        let text = self.text(record)?;
        if text.is_empty() {
            return Err(self.bad(record, "a key that is not empty"));
        }
        if text.len() > KEY_BYTES_MAX {
            return Err(self.bad(record, "a key of at most 4096 bytes"));
        }
        if text.as_bytes().contains(&0) {
            return Err(self.bad(record, "a key without NUL bytes"));
        }
        Ok(text)
    }

    pub(super) fn time(
        &self,
        record: &Record<'_>,
        format: TimeFormat,
        zone: &Zone,
    ) -> Result<Timestamp, DataError> {
        let text = self.text(record)?;
        let (time, expected) = match format {
            TimeFormat::Iso => (
                Timestamp::parse(text, zone),
                "a date (2006-12-31) or a date-time (2006-12-31T18:00:00Z)",
            ),
            TimeFormat::EpochSeconds => (
                text.parse().ok().and_then(instant),
                "whole seconds since 1970-01-01T00:00:00Z, between the years -9999 and 9999",
            ),
            TimeFormat::EpochMilliseconds => (
                text.parse::<i64>()
                    .ok()
                    .and_then(|ms| instant(ms.div_euclid(1_000))),
                "whole milliseconds since 1970-01-01T00:00:00Z, between the years -9999 and 9999",
            ),
        };
        time.ok_or_else(|| self.bad(record, expected))
    }

    pub(super) fn amount(
        &self,
        record: &Record<'_>,
        decimals: Decimals,
        negative: Negative,
    ) -> Result<i64, DataError> {
        match (decimals.parse(self.text(record)?), negative) {
            (Some(minor), Negative::Reject) if minor < 0 => {
                Err(self.bad(record, "an amount that is not negative"))
            }
            (Some(minor), _) => Ok(minor),
            (None, _) => Err(self.bad(
                record,
                "a decimal number such as 12.99, without signs of currency or thousands, \
                 exact in the decimal places chosen, at most 10^15 minor units",
            )),
        }
    }

    pub(super) fn weight(&self, record: &Record<'_>) -> Result<f32, DataError> {
        self.text(record)?
            .parse()
            .ok()
            .filter(|&weight: &f32| weight.is_finite() && weight >= 0.0)
            .ok_or_else(|| self.bad(record, "a finite number that is not negative"))
    }

    /// A finite number of either sign.
    pub(crate) fn number(&self, record: &Record<'_>) -> Result<f64, DataError> {
        let number = self.text(record)?.parse().ok();
        let finite = number.filter(|number: &f64| number.is_finite());
        finite.ok_or_else(|| self.bad(record, "a finite number"))
    }

    pub(crate) fn bad(&self, record: &Record<'_>, expected: &'static str) -> DataError {
        DataError::Value {
            row: record.row,
            column: self.name.clone(),
            value: shown(record.field(self.index).unwrap_or_default()),
            expected,
        }
    }
}

fn instant(unix_s: i64) -> Option<Timestamp> {
    Timestamp::from_unix_s(unix_s).ok()
}

fn concerns_one_row(error: &DataError) -> bool {
    matches!(error, DataError::Value { .. } | DataError::Fields { .. })
}

fn check_whole(record: &Record<'_>) -> Result<(), DataError> {
    let expected = match record.fault {
        None => return Ok(()),
        Some(Fault::Long) => "a row of less than 1 MiB (is a quote left open?)",
        Some(Fault::OpenQuote) => "a closing quote before the end of the file",
    };
    Err(DataError::Value {
        row: record.row,
        column: "(the whole row)".to_owned(),
        value: shown(record.head),
        expected,
    })
}

fn check_width(record: &Record<'_>, expected: usize) -> Result<(), DataError> {
    let (row, found) = (record.row, record.fields());
    if found == expected {
        return Ok(());
    }
    Err(DataError::Fields {
        row,
        found,
        expected,
    })
}

/// Text for a message: valid, on one line, and short.
fn shown(bytes: &[u8]) -> String {
    // A character takes at most four bytes.
    let head = bytes.get(..4 * (SHOWN_CHARS + 1)).unwrap_or(bytes);
    let text = String::from_utf8_lossy(head);
    let mut shown = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == SHOWN_CHARS {
            shown.push('…');
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn listed(header: &[String]) -> Vec<String> {
    let mut names: Vec<String> = header
        .iter()
        .take(LISTED_COLUMNS)
        .map(|name| shown(name.as_bytes()))
        .collect();
    if let Some(more) = header.len().checked_sub(LISTED_COLUMNS + 1) {
        names.push(format!("and {} more", more + 1));
    }
    names
}
