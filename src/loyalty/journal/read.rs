//! Reading entries back from the segments.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::blocks::Fields;
use super::error::{Corruption, Fault, JournalError};
use super::frame::{HEADER, PAYLOAD_MAX, Place};
use super::payload::{Entries, deed_of, entry_size, read_entry};
use super::run::Slot;
use super::segment::{Segment, Step, Walk};
use crate::loyalty::deed::Deed;
use crate::loyalty::entry::Entry;
use crate::loyalty::names::CommandId;

/// Shows the entries from a number on, up to a position, each with its position.
pub(crate) fn scan(
    segments: &[Segment],
    durable: u64,
    from: u64,
    visit: &mut dyn FnMut(u64, u64, &Entry) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let mut start = Place::START;
    for segment in segments.iter().rev() {
        start = segment.place()?;
        if start.entry <= from {
            break;
        }
    }
    let mut walk = Walk::new(segments, start)?;
    // A look beyond what is durable would judge what is being written.
    while walk.place().position < durable {
        let Step::Frame(frame) = walk.step()? else {
            break;
        };
        let begins = frame.place.position + HEADER as u64;
        let last = frame.header.first + u64::from(frame.header.count);
        if last <= from {
            continue;
        }
        for (number, entry) in (frame.header.first..).zip(Entries::new(frame.payload)) {
            let (offset, entry) = match entry {
                Ok(entry) => entry,
                Err(reason) => {
                    let fault = Fault::Content { reason };
                    return Err(damage_at(segments, begins, number, fault).into());
                }
            };
            let position = begins + u64::from(offset);
            if number >= from && visit(number, position, &entry).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A damage at a position of the journal.
pub(crate) fn damage_at(
    segments: &[Segment],
    position: u64,
    entry: u64,
    fault: Fault,
) -> Corruption {
    let after = segments.partition_point(|segment| segment.base <= position);
    let segment = after.checked_sub(1).and_then(|at| segments.get(at));
    Corruption {
        file: segment.map_or_else(String::new, |segment| segment.name.clone()),
        offset: segment.map_or(0, |segment| segment.offset(position)),
        entry,
        fault,
    }
}

/// The deed of a command, from the entries that a slot points to.
pub(crate) fn read_deed(
    segments: &[Segment],
    id: &CommandId,
    slot: &Slot,
) -> Result<Arc<Deed>, JournalError> {
    deed_from(segments, id, slot, |position| read_at(segments, position))
}

/// The same, wherever the entries are read from.
pub(crate) fn deed_from(
    segments: &[Segment],
    id: &CommandId,
    slot: &Slot,
    read: impl Fn(u64) -> Result<Entry, JournalError>,
) -> Result<Arc<Deed>, JournalError> {
    let first = read(slot.first)?;
    let last = match slot.last == slot.first {
        true => None,
        false => Some(read(slot.last)?),
    };
    deed_of(id, first, last).ok_or_else(|| {
        let what = "an entry of another command is where the index says";
        let fault = Fault::Disagrees { what };
        damage_at(segments, slot.last, 0, fault).into()
    })
}

/// The entry at a position.
pub(crate) fn read_at(segments: &[Segment], position: u64) -> Result<Entry, JournalError> {
    let damage = |fault| JournalError::from(damage_at(segments, position, 0, fault));
    let after = segments.partition_point(|segment| segment.base <= position);
    let segment = after.checked_sub(1).and_then(|at| segments.get(at));
    let Some(segment) = segment else {
        return Err(damage(Fault::Gap { position }));
    };
    let offset = segment.offset(position);
    let failed = |source| JournalError::io("reading", &segment.name)(source);
    let mut bytes = vec![0; 512];
    let read = segment.blob.read_at(offset, &mut bytes).map_err(failed)?;
    bytes.truncate(read);
    if let Some(size) = entry_size(&bytes).filter(|size| *size > bytes.len())
        && size <= PAYLOAD_MAX
        && read == 512
    {
        bytes.resize(size, 0);
        let read = segment.blob.read_at(offset, &mut bytes).map_err(failed)?;
        bytes.truncate(read);
    }
    read_entry(&mut Fields(&bytes)).map_err(|reason| damage(Fault::Content { reason }))
}
