//! The bytes of entries and records, for stores that write to a disk or a database.
//!
//! ```
//! use tenure::event::Timestamp;
//! use tenure::loyalty::{Change, Entry, wire};
//!
//! let change = Change::Joined { account: "ann".into() };
//! let entry = Entry { at: Timestamp::EPOCH, command: Some("c-1".into()), change };
//! let mut bytes = Vec::new();
//! wire::encode_entry(&entry, &mut bytes);
//! assert_eq!(bytes.len(), 11);
//! assert_eq!(wire::decode_entry(&bytes)?, entry);
//! # Ok::<(), wire::WireError>(())
//! ```
//!
//! # The form
//!
//! Version [`FORMAT`]. Nothing in the bytes tells it: a store writes it once, where it begins, and
//! hands on what it finds there to nobody who does not know it.
//!
//! * A number that has no sign is written seven bits to a byte, the lowest first; all bytes but the last
//!   have their highest bit set (LEB128). A number with a sign is zig-zag coded first: 0, −1, 1, −2, … become
//!   0, 1, 2, 3, …
//! * A text is its length in bytes and its UTF-8.
//! * A list is its length and its elements; what may be absent is 0, or 1 and the value; a choice is a
//!   tag of one byte and the fields of what was chosen, in the order of their declaration.
//! * An instant is its distance in seconds from another one: those of an entry from the entry's, those of a
//!   member from that of the last entry, those of a command from the command's. These themselves are
//!   counted from 1970, except for that of a command, which is counted from its entry.
//! * What follows from something else is left out: a lot's granted points, a member's usable ones.
//!
//! There is one encoding for a value, and decoding takes no other: equal bytes and equal values mean the
//! same. Bytes that nobody encoded give a [`WireError`], never a panic, and never more memory than
//! a constant times their length.

mod bytes;
mod forms;
mod lots;
mod member;

use thiserror::Error;

use super::command::Action;
use super::deed::{Deed, Digest};
use super::entry::Entry;
use super::names::CommandId;
use super::states::Record;
use bytes::{Reader, Wire, Writer};

/// The version of the form that is written here.
pub const FORMAT: u32 = 1;

/// Bytes that are no encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// They end too early.
    #[error("byte {at}: the value goes on after the last byte")]
    Ends {
        /// How many there are.
        at: usize,
    },
    /// They go on after the value.
    #[error("byte {at}: the value ends here, {left} bytes too early")]
    GoesOn {
        /// Where the value ends.
        at: usize,
        /// How many bytes are left.
        left: usize,
    },
    /// A tag is not one of those that there are.
    #[error("byte {at}: {found} is not the tag of a {of}")]
    Tag {
        /// After how many bytes.
        at: usize,
        /// The tag.
        found: u8,
        /// Of what it should be the tag.
        of: &'static str,
    },
    /// A value that no ledger writes, or not in this way.
    #[error("byte {at}: {what}")]
    Value {
        /// Before how many bytes it ends.
        at: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Appends the bytes of an entry.
pub fn encode_entry(entry: &Entry, to: &mut Vec<u8>) {
    entry.write(&mut Writer::new(to));
}

/// Appends the bytes of the last entry of a command.
pub(crate) fn encode_done(id: &CommandId, deed: &Deed, to: &mut Vec<u8>) {
    forms::write_done(deed.at, id, deed, &mut Writer::new(to));
}

/// The entry of some bytes, all of them.
///
/// # Errors
/// [`WireError`] for bytes that [`encode_entry`] does not write.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, WireError> {
    whole(bytes)
}

/// Appends the bytes of a record.
pub fn encode_record(record: &Record, to: &mut Vec<u8>) {
    record.write(&mut Writer::new(to));
}

/// The record of some bytes, all of them.
///
/// # Errors
/// [`WireError`] for bytes that [`encode_record`] does not write.
pub fn decode_record(bytes: &[u8]) -> Result<Record, WireError> {
    whole(bytes)
}

impl Action {
    /// What stands for the action where it is only to be compared: the first half of the BLAKE3 hash
    /// of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest_in(&mut Vec::with_capacity(64))
    }

    /// The same; the bytes are written behind those of a buffer and taken away again.
    pub(super) fn digest_in(&self, buffer: &mut Vec<u8>) -> Digest {
        let start = buffer.len();
        self.write(&mut Writer::new(buffer));
        let hash = blake3::hash(buffer.get(start..).unwrap_or_default());
        buffer.truncate(start);
        let bytes = hash.as_bytes();
        Digest(std::array::from_fn(|at| bytes[at]))
    }
}

fn whole<T: Wire>(bytes: &[u8]) -> Result<T, WireError> {
    let mut from = Reader::new(bytes);
    let value = T::read(&mut from)?;
    from.end()?;
    Ok(value)
}
