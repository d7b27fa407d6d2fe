//! Payloads: the entries of a batch as bytes, see [`sheet`](crate::loyalty::sheet).

use std::sync::Arc;

use super::blocks::Fields;
use crate::loyalty::deed::Deed;
use crate::loyalty::entry::{Change, Entry};
use crate::loyalty::names::CommandId;
use crate::loyalty::sheet::{Telling, Told};
use crate::loyalty::wire;

/// By what a command is found: the first half of the blake3 of its name.
pub(crate) type IdHash = [u8; 16];

pub(crate) fn hash_of(id: &CommandId) -> IdHash {
    let hash = blake3::hash(id.as_str().as_bytes());
    std::array::from_fn(|at| hash.as_bytes()[at])
}

/// A place in a payload that tells of a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) id: IdHash,
    /// Bytes of the payload before the entry.
    pub(crate) offset: u32,
    /// Whether the command was carried out here, not amended.
    pub(crate) done: bool,
}

/// What of a sheet tells of deeds.
pub(crate) fn touches(tellings: &[Telling]) -> Vec<Touch> {
    let touch = |telling: &Telling| {
        let (id, done) = match &telling.what {
            Told::Done(id) => (id, true),
            Told::Amended(id) => (id, false),
            _ => return None,
        };
        Some(Touch {
            id: hash_of(id),
            // A payload's limit is far below.
            offset: telling.offset as u32,
            done,
        })
    };
    tellings.iter().filter_map(touch).collect()
}

/// How an entry changes a deed, if it does.
pub(crate) fn touch(entry: &Entry, offset: u32) -> Option<Touch> {
    let (id, done) = match &entry.change {
        Change::Done { id, .. } => (id, true),
        Change::Amended { deed, .. } => (deed, false),
        _ => return None,
    };
    Some(Touch {
        id: hash_of(id),
        offset,
        done,
    })
}

/// The entries of a payload, each with the bytes before it; an error says why there are no more.
pub(crate) struct Entries<'p> {
    whole: usize,
    rest: Fields<'p>,
}

impl<'p> Entries<'p> {
    pub(crate) fn new(payload: &'p [u8]) -> Self {
        Self {
            whole: payload.len(),
            rest: Fields(payload),
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(u32, Entry), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.0.is_empty() {
            return None;
        }
        let offset = (self.whole - self.rest.0.len()) as u32;
        let entry = read_entry(&mut self.rest);
        if entry.is_err() {
            self.rest = Fields(&[]);
        }
        Some(entry.map(|entry| (offset, entry)))
    }
}

/// Takes an entry off the front of some bytes.
pub(crate) fn read_entry(from: &mut Fields<'_>) -> Result<Entry, &'static str> {
    let bytes = from.sized().ok_or("an entry ends too early")?;
    let entry = wire::decode_entry(bytes).map_err(|_| "an entry is in no known form")?;
    if matches!(entry.change, Change::Done { .. } | Change::Amended { .. }) {
        let crc = from.bytes(4).ok_or("an entry ends too early")?;
        if crc != crc32fast::hash(bytes).to_le_bytes() {
            return Err("the checksum of an entry does not fit");
        }
    }
    Ok(entry)
}

/// The entry with which some bytes begin.
pub(crate) fn entry_at(bytes: &[u8]) -> Result<Entry, &'static str> {
    read_entry(&mut Fields(bytes))
}

/// How many bytes an entry has that begins with these; `None` when they are too few to tell.
pub(crate) fn entry_size(begins: &[u8]) -> Option<usize> {
    let mut fields = Fields(begins);
    let length = usize::try_from(fields.varint()?).ok()?;
    let head = begins.len() - fields.0.len();
    length.checked_add(head + 4)
}

/// The deed of a command as its last amendment left it; `None` when the entries are not of that command.
pub(crate) fn deed_of(id: &CommandId, first: Entry, last: Option<Entry>) -> Option<Arc<Deed>> {
    let mut deed = match first.change {
        Change::Done { id: found, deed } if found == *id => deed,
        _ => return None,
    };
    match last.map(|entry| entry.change) {
        None => {}
        Some(Change::Amended {
            deed: found,
            subject,
        }) if found == *id => Arc::make_mut(&mut deed).subject = *subject,
        Some(_) => return None,
    }
    Some(deed)
}
