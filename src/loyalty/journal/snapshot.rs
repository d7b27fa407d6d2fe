//! Snapshots: the states of all members at a place of the journal, so that opening needs not replay it all.
//!
//! A snapshot is written under a draft's name, synced and then renamed; the two latest are kept. One that is
//! damaged is passed over: what it holds can always be had from the journal.

use std::sync::Arc;

use super::blocks::{Appender, Blocks, Fields, Kind, push_sized, push_varint};
use super::error::{Fault, JournalError};
use super::files::Files;
use super::frame::Place;
use crate::loyalty::member::Member;
use crate::loyalty::names::AccountId;
use crate::loyalty::states::{Books, Record};
use crate::loyalty::wire;

const KIND: Kind = Kind {
    magic: *b"TENURES\0",
    version: 1,
};
const SUFFIX: &str = ".snapshot";
/// Members are written in blocks of about so many bytes.
const BLOCK: usize = 1 << 18;

/// What a snapshot holds besides the members.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) place: Place,
    /// The highest number of a lot.
    pub(crate) lots: u64,
    /// The version of the books, 0 for none, and the books.
    pub(crate) books: (u64, Books),
    pub(crate) members: u64,
}

/// A member with its version.
pub(crate) type Versioned = (AccountId, u64, Arc<Member>);

/// The names of the snapshots in a folder, the latest first.
pub(crate) fn names(files: &dyn Files) -> Result<Vec<(u64, String)>, JournalError> {
    let names = files.names().map_err(JournalError::io("listing", ""))?;
    let mut found: Vec<(u64, String)> = names
        .into_iter()
        .filter_map(|name| Some((name.strip_suffix(SUFFIX)?.parse().ok()?, name)))
        .filter(|(position, name)| name_at(*position) == *name)
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

fn name_at(position: u64) -> String {
    format!("{position:016}{SUFFIX}")
}

/// Writes a snapshot and removes all but the two latest; how many bytes it has.
pub(crate) fn write<'m>(
    files: &dyn Files,
    summary: &Summary,
    members: impl Iterator<Item = (&'m AccountId, u64, &'m Arc<Member>)>,
) -> Result<u64, JournalError> {
    let name = name_at(summary.place.position);
    let draft = format!("{name}.new");
    let failed = |source| JournalError::io("writing", &draft)(source);
    let mut file = Appender::begin(files.create(&draft).map_err(failed)?, &draft, KIND)?;
    file.push(&head(summary))?;
    let mut block = Vec::with_capacity(BLOCK + (BLOCK >> 2));
    let mut one = Vec::new();
    for (account, version, member) in members {
        push_sized(account.as_str().as_bytes(), &mut block);
        push_varint(version, &mut block);
        one.clear();
        wire::encode_record(&Record::Member(Arc::clone(member)), &mut one);
        push_sized(&one, &mut block);
        if block.len() >= BLOCK {
            file.push(&block)?;
            block.clear();
        }
    }
    if !block.is_empty() {
        file.push(&block)?;
    }
    file.sync()?;
    files.rename(&draft, &name).map_err(failed)?;
    files.sync().map_err(failed)?;
    for (_, old) in names(files)?.into_iter().skip(2) {
        let removed = files.remove(&old);
        removed.map_err(JournalError::io("removing", &old))?;
    }
    Ok(file.end)
}

/// Reads a snapshot; shows its members.
pub(crate) fn read(
    files: &dyn Files,
    name: &str,
    visit: &mut dyn FnMut(Versioned),
) -> Result<Summary, JournalError> {
    let opened = files
        .open(name)
        .map_err(JournalError::io("opening", name))?;
    let mut blocks = Blocks::open(opened, name, KIND)?;
    let content = |reason| Fault::Content { reason };
    let summary = match blocks.next()? {
        Some((_, head)) => read_head(head),
        None => None,
    };
    let short = content("the head ends too early");
    let summary = summary.ok_or_else(|| blocks.damage(short))?;
    let mut members = 0;
    while let Some((_, block)) = blocks.next()? {
        let mut fields = Fields(block);
        while !fields.0.is_empty() {
            let Some(member) = read_member(&mut fields) else {
                let fault = content("a member is in no known form");
                return Err(blocks.damage(fault).into());
            };
            visit(member);
            members += 1;
        }
    }
    if members != summary.members {
        let fault = content("members are missing");
        return Err(blocks.damage(fault).into());
    }
    Ok(summary)
}

fn read_member(fields: &mut Fields<'_>) -> Option<Versioned> {
    let account = std::str::from_utf8(fields.sized()?).ok()?;
    let version = fields.varint()?;
    match wire::decode_record(fields.sized()?).ok()? {
        Record::Member(member) => Some((account.into(), version, member)),
        _ => None,
    }
}

fn head(summary: &Summary) -> Vec<u8> {
    let mut bytes = place_bytes(&summary.place).to_vec();
    for number in [summary.lots, summary.members, summary.books.0] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    wire::encode_record(&Record::Books(summary.books.1), &mut bytes);
    bytes
}

fn read_head(bytes: &[u8]) -> Option<Summary> {
    let mut fields = Fields(bytes);
    let place = read_place(&mut fields)?;
    let (lots, members, version) = (fields.u64()?, fields.u64()?, fields.u64()?);
    match wire::decode_record(fields.0).ok()? {
        Record::Books(books) => Some(Summary {
            place,
            lots,
            books: (version, books),
            members,
        }),
        _ => None,
    }
}

/// Position, number of the next entry, chain.
pub(crate) fn place_bytes(place: &Place) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&place.position.to_le_bytes());
    bytes[8..16].copy_from_slice(&place.entry.to_le_bytes());
    bytes[16..].copy_from_slice(&place.chain);
    bytes
}

pub(crate) fn read_place(fields: &mut Fields<'_>) -> Option<Place> {
    Some(Place {
        position: fields.u64()?,
        entry: fields.u64()?,
        chain: *fields.bytes(32)?.first_chunk()?,
    })
}
