//! Segments: the files in which the frames lie, one after the other.

use std::io;
use std::sync::Arc;

use super::error::{Corruption, Fault, JournalError};
use super::files::{Blob, Files};
use super::frame::{HEADER, Hash, Header, MAGIC, Place};
use super::mark;
use crate::loyalty::wire;

/// The version of the format that is written.
pub(crate) const VERSION: u32 = 1;

/// Bytes of a segment before its first frame: `TENUREJ` and a zero byte, version, version of the wire form,
/// the place at which it begins (position, number of the next entry, chain), and the blake3 of all that.
/// Every later version begins so, too.
pub(crate) const PREFACE: u64 = 96;

const SEGMENT_MAGIC: [u8; 8] = *b"TENUREJ\0";
const SUFFIX: &str = ".journal";

/// A segment that was opened.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) name: String,
    /// The position of its first frame.
    pub(crate) base: u64,
    pub(crate) blob: Arc<dyn Blob>,
}

impl Segment {
    /// Makes a segment that begins at a place; it is there for good when this returns.
    pub(crate) fn create(files: &dyn Files, at: &Place) -> Result<Self, JournalError> {
        let name = segment_name(at.position);
        let doing = "making the segment";
        let blob = files
            .create(&name)
            .map_err(JournalError::io(doing, &name))?;
        let write = || {
            blob.write_at(0, &preface(at))?;
            blob.sync()?;
            files.sync()
        };
        write().map_err(JournalError::io(doing, &name))?;
        Ok(Self {
            name,
            base: at.position,
            blob,
        })
    }

    /// The segments of a folder, in their order.
    pub(crate) fn list(files: &dyn Files) -> Result<Vec<Self>, JournalError> {
        let names = files.names().map_err(JournalError::io("listing", ""))?;
        let mut segments = Vec::new();
        for name in names {
            let Some(base) = name.strip_suffix(SUFFIX).and_then(|base| base.parse().ok()) else {
                continue;
            };
            if segment_name(base) == name {
                let open = files.open(&name);
                let blob = open.map_err(JournalError::io("opening", &name))?;
                segments.push(Self { name, base, blob });
            }
        }
        segments.sort_by_key(|segment| segment.base);
        Ok(segments)
    }

    /// Where in the file a position is.
    pub(crate) fn offset(&self, position: u64) -> u64 {
        position - self.base + PREFACE
    }

    /// The place at which it begins.
    pub(crate) fn place(&self) -> Result<Place, JournalError> {
        let begins = self.begins()?;
        begins.map_err(|fault| self.damage(0, 0, fault).into())
    }

    /// The place at which the segment says that it begins.
    fn begins(&self) -> Result<Result<Place, Fault>, JournalError> {
        let mut bytes = [0; PREFACE as usize];
        let read = self.blob.read_at(0, &mut bytes);
        let read = read.map_err(JournalError::io("reading", &self.name))?;
        if read < bytes.len() {
            let missing = (bytes.len() - read) as u64;
            return Ok(Err(Fault::Short { missing }));
        }
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let sealed = bytes[64..] == *blake3::hash(&bytes[..64]).as_bytes();
        let versions = [(word(8), VERSION), (word(12), wire::FORMAT)];
        for (found, known) in versions {
            if sealed && bytes[..8] == SEGMENT_MAGIC && found > known {
                let file = self.name.clone();
                return Err(JournalError::Version { file, found, known });
            }
        }
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let place = Place {
            position: number(16),
            entry: number(24),
            chain: std::array::from_fn(|i| bytes[32 + i]),
        };
        if bytes == preface(&place) && place.position == self.base {
            Ok(Ok(place))
        } else {
            Ok(Err(Fault::Checksum))
        }
    }

    fn length(&self) -> Result<u64, JournalError> {
        let length = self.blob.length();
        length.map_err(JournalError::io("measuring", &self.name))
    }

    fn damage(&self, offset: u64, entry: u64, fault: Fault) -> Corruption {
        Corruption {
            file: self.name.clone(),
            offset,
            entry,
            fault,
        }
    }
}

pub(crate) fn segment_name(base: u64) -> String {
    format!("{base:016}{SUFFIX}")
}

fn preface(at: &Place) -> [u8; PREFACE as usize] {
    let mut bytes = [0; PREFACE as usize];
    bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&wire::FORMAT.to_le_bytes());
    bytes[16..24].copy_from_slice(&at.position.to_le_bytes());
    bytes[24..32].copy_from_slice(&at.entry.to_le_bytes());
    bytes[32..64].copy_from_slice(&at.chain);
    let hash: Hash = *blake3::hash(&bytes[..64]).as_bytes();
    bytes[64..].copy_from_slice(&hash);
    bytes
}

/// A walk over the frames from a place on, in their order, that believes nothing.
pub(crate) struct Walk<'s> {
    segments: &'s [Segment],
    /// The segment that holds the next frame, if there is one.
    at: usize,
    /// Whether its preface was checked.
    entered: bool,
    place: Place,
    window: Window,
}

/// A frame of a walk.
pub(crate) struct Found<'w> {
    pub(crate) header: Header,
    pub(crate) payload: &'w [u8],
    /// The place before it.
    pub(crate) place: Place,
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    pub(crate) place: Place,
    /// What is after the last whole frame, and was never acknowledged: an unfinished one.
    pub(crate) torn: Option<Corruption>,
}

/// A step of a walk.
pub(crate) enum Step<'w> {
    Frame(Found<'w>),
    End(End),
}

impl<'s> Walk<'s> {
    /// A walk over all frames from a place on, which must be a boundary.
    pub(crate) fn new(segments: &'s [Segment], from: Place) -> Result<Self, JournalError> {
        let after = segments.partition_point(|segment| segment.base <= from.position);
        let Some(at) = after.checked_sub(1) else {
            let file = segments
                .first()
                .map_or_else(String::new, |s| s.name.clone());
            let fault = Fault::Gap {
                position: from.position,
            };
            return Err(JournalError::Corrupt(Corruption {
                file,
                offset: 0,
                entry: from.entry,
                fault,
            }));
        };
        Ok(Self {
            segments,
            at,
            entered: false,
            place: from,
            window: Window::default(),
        })
    }

    /// Where it is: before the next frame.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The next frame, or the end.
    pub(crate) fn step(&mut self) -> Result<Step<'_>, JournalError> {
        loop {
            let Some(segment) = self.segments.get(self.at) else {
                return Ok(Step::End(self.end(None)));
            };
            let last = self.at + 1 == self.segments.len();
            if !self.entered {
                match self.enter(segment, last)? {
                    None => {}
                    Some(end) => return Ok(Step::End(end)),
                }
            }
            let offset = segment.offset(self.place.position);
            match self.judge(segment, offset)? {
                Judged::Whole(header) => {
                    let place = self.place;
                    self.place = place.after(&header);
                    let start = offset + HEADER as u64;
                    let payload = self.window.get(segment, start, header.length as usize)?;
                    return Ok(Step::Frame(Found {
                        header,
                        payload,
                        place,
                    }));
                }
                Judged::Nothing if last => return Ok(Step::End(self.end(None))),
                Judged::Nothing => self.leave(segment, offset)?,
                Judged::Bad(fault) => {
                    // The seal does not cover the chain: a torn write can leave a frame that has all but that.
                    let unfinished = last && matches!(fault, Fault::Torn | Fault::Chain);
                    if unfinished && !self.is_synced_past(segment, offset)? {
                        let torn = segment.damage(offset, self.place.entry, Fault::Torn);
                        return Ok(Step::End(self.end(Some(torn))));
                    }
                    let fault = match fault {
                        Fault::Torn => Fault::Checksum,
                        other => other,
                    };
                    return Err(segment.damage(offset, self.place.entry, fault).into());
                }
            }
        }
    }

    fn end(&self, torn: Option<Corruption>) -> End {
        End {
            place: self.place,
            torn,
        }
    }

    /// Checks the preface of a segment; an end when it is one whose making was interrupted.
    fn enter(&mut self, segment: &Segment, last: bool) -> Result<Option<End>, JournalError> {
        let begins = segment.begins()?;
        let readable = begins.is_ok();
        let fault = match begins {
            // A walk that begins inside of a segment has a chain of its own to compare with.
            Ok(begins) if begins == self.place || self.place.position > segment.base => {
                self.entered = true;
                return Ok(None);
            }
            Ok(_) => Fault::Chain,
            Err(fault) => fault,
        };
        let damage = segment.damage(0, self.place.entry, fault);
        // The preface is synced before the first frame is written behind it.
        if last
            && !readable
            && segment.base == self.place.position
            && self.window.is_zero(segment, PREFACE)?
        {
            return Ok(Some(self.end(Some(damage))));
        }
        Err(damage.into())
    }

    /// Goes on to the next segment.
    fn leave(&mut self, segment: &Segment, offset: u64) -> Result<(), JournalError> {
        self.at += 1;
        self.entered = false;
        self.window = Window::default();
        match self.segments.get(self.at) {
            Some(next) if next.base != self.place.position => {
                let fault = Fault::Gap {
                    position: self.place.position,
                };
                Err(segment.damage(offset, self.place.entry, fault).into())
            }
            _ => Ok(()),
        }
    }

    fn judge(&mut self, segment: &Segment, offset: u64) -> Result<Judged, JournalError> {
        let bytes = self.window.get(segment, offset, HEADER)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(if self.window.is_zero(segment, offset)? {
                Judged::Nothing
            } else {
                Judged::Bad(Fault::Torn)
            });
        }
        let Some(header) = Header::read(bytes) else {
            return Ok(Judged::Bad(Fault::Torn));
        };
        let left = segment.length()?.saturating_sub(offset);
        if header.size() > left {
            return Ok(Judged::Bad(Fault::Torn));
        }
        let start = offset + HEADER as u64;
        let payload = self.window.get(segment, start, header.length as usize)?;
        let Some(seal) = header.check(payload) else {
            return Ok(Judged::Bad(Fault::Torn));
        };
        Ok(if header.first != self.place.entry {
            Judged::Bad(Fault::Number {
                found: header.first,
                expected: self.place.entry,
            })
        } else if !header.follows(&self.place.chain, &seal) {
            Judged::Bad(Fault::Chain)
        } else {
            Judged::Whole(header)
        })
    }

    /// Whether a frame further on proves that a sync ended after the bad one was written: the bad one is
    /// then no unfinished one, it was damaged later.
    fn is_synced_past(&mut self, segment: &Segment, offset: u64) -> Result<bool, JournalError> {
        let length = segment.length()?;
        let mut at = offset + 1;
        while at + HEADER as u64 <= length {
            let some = usize::try_from(length - at)
                .unwrap_or(usize::MAX)
                .min(1 << 16);
            let bytes = self.window.get(segment, at, some)?;
            let found = bytes.windows(4).position(|four| four == MAGIC);
            let Some(found) = found else {
                at += some.saturating_sub(3).max(1) as u64;
                continue;
            };
            at += found as u64;
            let position = segment.base + at - PREFACE;
            if let Some(header) = Header::read(self.window.get(segment, at, HEADER)?)
                && position.saturating_sub(u64::from(header.back)) > self.place.position
                && header.size() <= length - at
            {
                let start = at + HEADER as u64;
                let payload = self.window.get(segment, start, header.length as usize)?;
                if header.check(payload).is_some() {
                    return Ok(true);
                }
            }
            at += 1;
        }
        Ok(false)
    }
}

enum Judged {
    Whole(Header),
    /// Zeros up to the end of the file.
    Nothing,
    Bad(Fault),
}

/// A part of a file in memory.
#[derive(Default)]
struct Window {
    at: u64,
    bytes: Vec<u8>,
}

impl Window {
    const SIZE: usize = 1 << 18;

    /// Some bytes of a segment; fewer at its end.
    fn get(&mut self, segment: &Segment, at: u64, count: usize) -> Result<&[u8], JournalError> {
        let inside = at.checked_sub(self.at).and_then(|skip| {
            let skip = usize::try_from(skip).ok()?;
            (skip + count <= self.bytes.len()).then_some(skip)
        });
        let skip = match inside {
            Some(skip) => skip,
            None => {
                let left = segment.length()?.saturating_sub(at);
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                self.bytes.resize(count.max(Self::SIZE).min(left), 0);
                let read = segment.blob.read_at(at, &mut self.bytes);
                let read = read.map_err(JournalError::io("reading", &segment.name))?;
                self.bytes.truncate(read);
                self.at = at;
                0
            }
        };
        let end = self.bytes.len().min(skip + count);
        Ok(self.bytes.get(skip..end).unwrap_or_default())
    }

    /// Whether a segment holds nothing but zeros from an offset on.
    fn is_zero(&mut self, segment: &Segment, mut at: u64) -> Result<bool, JournalError> {
        loop {
            let bytes = self.get(segment, at, Self::SIZE)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += bytes.len() as u64;
        }
    }
}

/// Where the next group of frames goes.
#[derive(Debug)]
pub(crate) struct Writer {
    files: Arc<dyn Files>,
    segment: Segment,
    /// Bytes of the file that are written, with zeros or frames, and synced: a frame within them is synced
    /// without a change of the file's length.
    filled: u64,
    limit: u64,
}

/// Small groups are written together with zeros up to the next multiple of this many bytes.
const FILL: u64 = 1 << 20;

impl Writer {
    /// A writer that goes on after the last frame of a segment.
    pub(crate) fn new(files: Arc<dyn Files>, segment: Segment, limit: u64) -> io::Result<Self> {
        let filled = segment.blob.length()?;
        Ok(Self {
            files,
            segment,
            filled,
            limit,
        })
    }

    /// Writes a group of frames that begins at a place, and syncs it. The segment if it is a new one.
    pub(crate) fn write(
        &mut self,
        at: &Place,
        group: &[u8],
    ) -> Result<Option<Segment>, JournalError> {
        let mut new = None;
        if self.segment.offset(at.position) >= self.limit && at.position > self.segment.base {
            self.rotate(at)?;
            new = Some(self.segment.clone());
        }
        let offset = self.segment.offset(at.position);
        let end = offset + group.len() as u64;
        let blob = &self.segment.blob;
        let mut write = || {
            if end > self.filled {
                self.filled = end;
                // A large group pays for its own change of the length; small ones share one.
                if (group.len() as u64) < FILL / 4 && self.limit >= FILL {
                    self.filled = end.next_multiple_of(FILL);
                    let zeros = usize::try_from(self.filled - end).unwrap_or(0);
                    blob.write_at(end, &vec![0; zeros])?;
                }
            }
            blob.write_at(offset, group)?;
            blob.sync()
        };
        write().map_err(JournalError::io("writing", &self.segment.name))?;
        Ok(new)
    }

    /// The end of the segment is where its last frame ends: what was filled in advance is cut off.
    pub(crate) fn trim(&mut self, at: &Place) -> Result<(), JournalError> {
        let end = self.segment.offset(at.position);
        if self.filled > end {
            let blob = &self.segment.blob;
            let cut = blob.truncate(end).and_then(|()| blob.sync());
            cut.map_err(JournalError::io("cutting", &self.segment.name))?;
            self.filled = end;
        }
        Ok(())
    }

    fn rotate(&mut self, at: &Place) -> Result<(), JournalError> {
        self.trim(at)?;
        // All groups before this one are synced.
        mark::write(&*self.files, at)?;
        self.segment = Segment::create(&*self.files, at)?;
        self.filled = PREFACE;
        Ok(())
    }
}
