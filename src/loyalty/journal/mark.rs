//! The mark: a place up to which the journal was once there for good.
//!
//! A journal that ends before its mark lost what was acknowledged. The mark is written when a segment is
//! full and when a store is closed; nothing waits for it.

use super::blocks::{Appender, Blocks, Fields, Kind};
use super::error::{Fault, JournalError};
use super::files::Files;
use super::frame::Place;
use super::snapshot::{place_bytes, read_place};

const KIND: Kind = Kind {
    magic: *b"TENUREM\0",
    version: 1,
};
pub(crate) const NAME: &str = "mark";

pub(crate) fn write(files: &dyn Files, place: &Place) -> Result<(), JournalError> {
    let draft = "mark.new";
    let failed = |source| JournalError::io("writing", draft)(source);
    let mut file = Appender::begin(files.create(draft).map_err(failed)?, draft, KIND)?;
    file.push(&place_bytes(place))?;
    file.sync()?;
    files.rename(draft, NAME).map_err(failed)?;
    files.sync().map_err(failed)
}

/// The mark of a folder, if there is one.
pub(crate) fn read(files: &dyn Files) -> Result<Option<Place>, JournalError> {
    let blob = match files.open(NAME) {
        Ok(blob) => blob,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("opening", NAME)(error)),
    };
    let mut blocks = Blocks::open(blob, NAME, KIND)?;
    let place = match blocks.next()? {
        Some((_, bytes)) => read_place(&mut Fields(bytes)),
        None => None,
    };
    let reason = "the place ends too early";
    match place {
        Some(place) => Ok(Some(place)),
        None => Err(blocks.damage(Fault::Content { reason }).into()),
    }
}
