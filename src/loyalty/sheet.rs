//! Entries as bytes, one after the other.
//!
//! Each entry is its length and its wire form. One that tells of a deed is followed by the CRC-32 of
//! that form: a deed is read alone, long after, without what lies around it.

use super::book::{Book, Written};
use super::command::Action;
use super::deed::{Deed, Digest};
use super::entry::{Change, Entry};
use super::journal::push_varint;
use super::lot::LotNumber;
use super::names::CommandId;
use super::states::States;
use super::wire;

/// Entries that were written and not yet taken, and what of them a store must know.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) bytes: Vec<u8>,
    /// How many entries the bytes hold.
    pub(crate) count: usize,
    /// What the entries tell that is not about a member alone, in their order.
    pub(crate) tellings: Vec<Telling>,
    /// The places of the members that decisions changed, some of them repeatedly.
    pub(crate) changed: Vec<usize>,
}

/// What an entry tells.
#[derive(Debug)]
pub(crate) struct Telling {
    /// Bytes of the sheet before the entry.
    pub(crate) offset: usize,
    pub(crate) what: Told,
}

#[derive(Debug)]
pub(crate) enum Told {
    /// A command was carried out.
    Done(CommandId),
    /// What can be referred to of a command changed.
    Amended(CommandId),
    /// There is a lot of that number.
    Opened(LotNumber),
    /// Another redemption rate is expected.
    Expected,
}

impl Sheet {
    /// Appends an entry.
    pub(crate) fn write(&mut self, entry: &Entry) {
        let offset = self.bytes.len();
        let told = match &entry.change {
            Change::Done { id, .. } => Some(Told::Done(id.clone())),
            Change::Amended { deed, .. } => Some(Told::Amended(deed.clone())),
            Change::Opened { lot, .. } => Some(Told::Opened(*lot)),
            Change::Expected { .. } => Some(Told::Expected),
            _ => None,
        };
        let checked = matches!(told, Some(Told::Done(_) | Told::Amended(_)));
        self.append(checked, |to| wire::encode_entry(entry, to));
        self.tellings
            .extend(told.map(|what| Telling { offset, what }));
    }

    /// Empties it, for other entries.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.tellings.clear();
        self.changed.clear();
    }

    fn append(&mut self, checked: bool, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        // Room for the length; most need one byte.
        self.bytes.push(0);
        encode(&mut self.bytes);
        let length = self.bytes.len() - start - 1;
        let crc = crc32fast::hash;
        let crc = checked.then(|| crc(&self.bytes[start + 1..]));
        if length < 0x80 {
            self.bytes[start] = length as u8;
        } else {
            let mut head = Vec::with_capacity(10);
            push_varint(length as u64, &mut head);
            self.bytes.splice(start..=start, head);
        }
        if let Some(crc) = crc {
            self.bytes.extend_from_slice(&crc.to_le_bytes());
        }
        self.count += 1;
    }
}

impl Book for Sheet {
    fn written(&self) -> Written {
        Written {
            entries: self.count,
            bytes: self.bytes.len(),
        }
    }

    fn forget(&mut self, since: Written) {
        self.bytes.truncate(since.bytes);
        self.count = since.entries;
        let later = |telling: &Telling| telling.offset >= since.bytes;
        while self.tellings.last().is_some_and(later) {
            self.tellings.pop();
        }
    }

    fn enter(&mut self, entry: Entry) {
        self.write(&entry);
    }

    fn done(&mut self, _: &mut States, id: &CommandId, deed: &Deed) {
        let offset = self.bytes.len();
        self.append(true, |to| wire::encode_done(id, deed, to));
        let what = Told::Done(id.clone());
        self.tellings.push(Telling { offset, what });
    }

    fn changed(&mut self, place: usize) {
        self.changed.push(place);
    }

    fn digest(&mut self, action: &Action) -> Digest {
        action.digest_in(&mut self.bytes)
    }
}
