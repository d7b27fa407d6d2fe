//! Runs: parts of the index of commands on disk, sorted and never changed.
//!
//! A run is derived from the frames between two places and can always be made again. Its file has pages of
//! 4,096 bytes: first a head, then the slots of the commands in the order of their hashes, 127 to a page,
//! each page with its CRC-32; then the fences (the first hash of each page, its first 8 bytes) and a Bloom
//! filter of 10 bits a command. Fences and filter stay in memory.

use std::sync::Arc;

use super::error::{Corruption, Fault, JournalError};
use super::files::{Blob, Files};
use super::frame::{Hash, Place};
use super::payload::IdHash;

/// Where the entries of a command are, as far as the frames between two places tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Position of the entry that carried it out; [`Slot::NOWHERE`] when that is in earlier frames.
    pub(crate) first: u64,
    /// Position of the last entry that tells of it.
    pub(crate) last: u64,
    /// How many frames tell of it.
    pub(crate) frames: u32,
}

impl Slot {
    /// No position: all are below.
    pub(crate) const NOWHERE: u64 = (1 << 48) - 1;

    /// What two stretches of frames tell, the second one later.
    pub(crate) fn then(self, later: Slot) -> Slot {
        let first = match self.first {
            Self::NOWHERE => later.first,
            first => first,
        };
        Slot {
            first,
            last: later.last,
            frames: self.frames.saturating_add(later.frames),
        }
    }
}

const MAGIC: [u8; 8] = *b"TENUREI\0";
const VERSION: u32 = 1;
const PAGE: usize = 4096;
const SLOT: usize = 32;
const SLOTS: usize = 127;
const SUFFIX: &str = ".index";

/// A part of the index on disk.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) from: u64,
    pub(crate) to: Place,
    pub(crate) slots: u64,
    blob: Arc<dyn Blob>,
    fences: Vec<u64>,
    filter: Filter,
}

impl Run {
    /// The names of the runs in a folder.
    pub(crate) fn names(files: &dyn Files) -> Result<Vec<String>, JournalError> {
        let mut names = files.names().map_err(JournalError::io("listing", ""))?;
        names.retain(|name| name.ends_with(SUFFIX));
        Ok(names)
    }

    /// Writes a run of slots in ascending order of their hashes, at most `most` of them.
    pub(crate) fn write(
        files: &dyn Files,
        (from, to): (u64, Place),
        most: usize,
        slots: impl Iterator<Item = Result<(IdHash, Slot), JournalError>>,
    ) -> Result<Self, JournalError> {
        let name = format!("{from:016}-{:016}{SUFFIX}", to.position);
        let draft = format!("{name}.new");
        let failed = |source| JournalError::io("writing", &draft)(source);
        let blob = files.create(&draft).map_err(failed)?;
        let mut filter = Filter::new(most);
        let mut fences = Vec::new();
        let mut buffer = Vec::with_capacity(64 * PAGE);
        let (mut count, mut in_page, mut at) = (0_u64, 0, PAGE as u64);
        let close = |buffer: &mut Vec<u8>| {
            let start = buffer.len() / PAGE * PAGE;
            buffer.resize(start + SLOTS * SLOT, 0);
            let crc = crc32fast::hash(buffer.get(start..).unwrap_or_default());
            buffer.extend_from_slice(&crc.to_le_bytes());
            buffer.resize(start + PAGE, 0);
        };
        for slot in slots {
            let (id, slot) = slot?;
            if in_page == SLOTS {
                close(&mut buffer);
                in_page = 0;
                if buffer.len() >= 64 * PAGE {
                    blob.write_at(at, &buffer).map_err(failed)?;
                    at += buffer.len() as u64;
                    buffer.clear();
                }
            }
            if in_page == 0 {
                fences.push(prefix(&id));
            }
            filter.insert(&id);
            buffer.extend_from_slice(&id);
            buffer.extend_from_slice(&slot.first.to_le_bytes()[..6]);
            buffer.extend_from_slice(&slot.last.to_le_bytes()[..6]);
            buffer.extend_from_slice(&slot.frames.to_le_bytes());
            in_page += 1;
            count += 1;
        }
        if in_page > 0 {
            close(&mut buffer);
        }
        blob.write_at(at, &buffer).map_err(failed)?;
        let mut run = Self {
            name,
            from,
            to,
            slots: count,
            blob,
            fences,
            filter,
        };
        let memory = run.memory();
        let head = run.head(&memory);
        let after = run.after_pages();
        run.blob.write_at(after, &memory).map_err(failed)?;
        run.blob.write_at(0, &head).map_err(failed)?;
        run.blob.sync().map_err(failed)?;
        files.rename(&draft, &run.name).map_err(failed)?;
        files.sync().map_err(failed)?;
        let opened = files.open(&run.name);
        run.blob = opened.map_err(JournalError::io("opening", &run.name))?;
        Ok(run)
    }

    /// Opens a run; the pages are checked when they are read.
    pub(crate) fn open(files: &dyn Files, name: &str) -> Result<Self, JournalError> {
        let failed = |source| JournalError::io("opening", name)(source);
        let blob = files.open(name).map_err(failed)?;
        let mut head = [0; PAGE];
        let damage = || damage(name, 0, Fault::Checksum);
        if blob.read_at(0, &mut head).map_err(failed)? < head.len() || head[..8] != MAGIC {
            return Err(damage());
        }
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
        if word(8) > VERSION {
            return Err(JournalError::Version {
                file: name.to_owned(),
                found: word(8),
                known: VERSION,
            });
        }
        let to = Place {
            position: number(24),
            entry: number(32),
            chain: std::array::from_fn(|i| head[40 + i]),
        };
        let (slots, lines) = (number(72), number(80));
        let pages = slots.div_ceil(SLOTS as u64);
        let length = blob.length().map_err(failed)?;
        let after = pages
            .checked_add(1)
            .and_then(|n| n.checked_mul(PAGE as u64));
        let memory = pages
            .checked_mul(8)
            .zip(lines.checked_mul(64))
            .and_then(|(fences, filter)| fences.checked_add(filter));
        let (Some(after), Some(memory)) = (after, memory) else {
            return Err(damage());
        };
        if length.checked_sub(after) != Some(memory) {
            return Err(damage());
        }
        let mut bytes = vec![0; usize::try_from(memory).map_err(|_| damage())?];
        if blob.read_at(after, &mut bytes).map_err(failed)? < bytes.len() {
            return Err(damage());
        }
        let words: Vec<u64> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .collect();
        let (fences, filter) = words.split_at_checked(pages as usize).ok_or_else(damage)?;
        let run = Self {
            name: name.to_owned(),
            from: number(16),
            to,
            slots,
            blob,
            fences: fences.to_vec(),
            filter: Filter {
                lines: filter.as_chunks().0.to_vec(),
            },
        };
        if run.head(&bytes) == head {
            Ok(run)
        } else {
            Err(damage())
        }
    }

    /// What the run tells of a command.
    pub(crate) fn find(&self, id: &IdHash) -> Result<Option<Slot>, JournalError> {
        if !self.filter.may_have(id) {
            return Ok(None);
        }
        let wanted = prefix(id);
        let after = self.fences.partition_point(|fence| *fence <= wanted);
        // Hashes that begin alike may lie on both sides of a fence.
        for page in (0..after).rev() {
            let slots = self.page(page as u64)?;
            if let Ok(at) = slots.binary_search_by(|(found, _)| found.cmp(id)) {
                return Ok(slots.get(at).map(|(_, slot)| *slot));
            }
            if self.fences.get(page) != Some(&wanted) {
                break;
            }
        }
        Ok(None)
    }

    /// All slots, in the order of their hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<(IdHash, Slot), JournalError>> {
        let pages = 0..self.fences.len() as u64;
        pages.flat_map(|page| {
            let (slots, error) = match self.page(page) {
                Ok(slots) => (slots, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            slots.into_iter().map(Ok).chain(error)
        })
    }

    fn page(&self, page: u64) -> Result<Vec<(IdHash, Slot)>, JournalError> {
        let offset = (page + 1) * PAGE as u64;
        let mut bytes = [0; PAGE];
        let read = self.blob.read_at(offset, &mut bytes);
        let read = read.map_err(JournalError::io("reading", &self.name))?;
        let crc = u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[SLOTS * SLOT + i]));
        let zeros = bytes[SLOTS * SLOT + 4..].iter().all(|byte| *byte == 0);
        if read < PAGE || !zeros || crc32fast::hash(&bytes[..SLOTS * SLOT]) != crc {
            return Err(damage(&self.name, offset, Fault::Checksum));
        }
        let before = page * SLOTS as u64;
        let count = usize::try_from(self.slots - before).unwrap_or(SLOTS);
        let slots = bytes.as_chunks::<SLOT>().0.iter().take(count.min(SLOTS));
        Ok(slots.map(read_slot).collect())
    }

    fn after_pages(&self) -> u64 {
        (self.fences.len() as u64 + 1) * PAGE as u64
    }

    /// Fences and filter.
    fn memory(&self) -> Vec<u8> {
        let lines = self.filter.lines.iter().flatten();
        let words = self.fences.iter().chain(lines);
        words.flat_map(|word| word.to_le_bytes()).collect()
    }

    fn head(&self, memory: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; PAGE];
        let mut put = |at: usize, part: &[u8]| {
            if let Some(to) = bytes.get_mut(at..at + part.len()) {
                to.copy_from_slice(part);
            }
        };
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(16, &self.from.to_le_bytes());
        put(24, &self.to.position.to_le_bytes());
        put(32, &self.to.entry.to_le_bytes());
        put(40, &self.to.chain);
        put(72, &self.slots.to_le_bytes());
        put(80, &(self.filter.lines.len() as u64).to_le_bytes());
        let mut hash = blake3::Hasher::new();
        hash.update(bytes.get(..88).unwrap_or_default());
        hash.update(memory);
        let hash: Hash = *hash.finalize().as_bytes();
        if let Some(to) = bytes.get_mut(96..128) {
            to.copy_from_slice(&hash);
        }
        bytes
    }
}

fn damage(name: &str, offset: u64, fault: Fault) -> JournalError {
    JournalError::Corrupt(Corruption {
        file: name.to_owned(),
        offset,
        entry: 0,
        fault,
    })
}

fn prefix(id: &IdHash) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|at| id[at]))
}

fn read_slot(bytes: &[u8; SLOT]) -> (IdHash, Slot) {
    let position = |at: usize| {
        let byte = |i: usize| if i < 6 { bytes[at + i] } else { 0 };
        u64::from_le_bytes(std::array::from_fn(byte))
    };
    let slot = Slot {
        first: position(16),
        last: position(22),
        frames: u32::from_le_bytes([28, 29, 30, 31].map(|at| bytes[at])),
    };
    (std::array::from_fn(|at| bytes[at]), slot)
}

/// Merges runs that follow one another, the earliest first, into one.
pub(crate) fn merge(files: &dyn Files, runs: &[Arc<Run>]) -> Result<Option<Run>, JournalError> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return Ok(None);
    };
    let most = runs.iter().map(|run| run.slots as usize).sum();
    let mut heads: Vec<_> = runs.iter().map(|run| run.iter().peekable()).collect();
    let merged = std::iter::from_fn(move || {
        // An error is the smallest, so that it is taken first.
        let ids = heads.iter_mut().filter_map(|head| match head.peek()? {
            Ok((id, _)) => Some(Some(*id)),
            Err(_) => Some(None),
        });
        let smallest = ids.min()?;
        let mut whole: Option<(IdHash, Slot)> = None;
        for head in &mut heads {
            let here = head.next_if(|next| next.as_ref().ok().map(|(id, _)| *id) == smallest);
            match here {
                None => {}
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok((id, slot))) => {
                    whole = Some((id, whole.map_or(slot, |(_, before)| before.then(slot))));
                }
            }
        }
        whole.map(Ok)
    });
    Run::write(files, (first.from, last.to), most, merged).map(Some)
}

/// A Bloom filter of lines of 64 bytes: a command sets bits of one line only.
#[derive(Debug)]
struct Filter {
    lines: Vec<[u64; 8]>,
}

impl Filter {
    fn new(commands: usize) -> Self {
        let lines = (commands * 10).div_ceil(512).max(1);
        Self {
            lines: vec![[0; 8]; lines],
        }
    }

    /// The line of a hash and its six bits there.
    fn bits(&self, id: &IdHash) -> (usize, u64) {
        let low = u64::from_le_bytes(std::array::from_fn(|at| id[at + 8]));
        let line = (u128::from(low) * self.lines.len() as u128) >> 64;
        // The fences used up the first bytes of the hash, but bits need not be independent of them.
        (line as usize, prefix(id))
    }

    fn insert(&mut self, id: &IdHash) {
        let (line, bits) = self.bits(id);
        if let Some(line) = self.lines.get_mut(line) {
            for at in each_bit(bits) {
                line[at / 64] |= 1 << (at % 64);
            }
        }
    }

    fn may_have(&self, id: &IdHash) -> bool {
        let (line, bits) = self.bits(id);
        self.lines
            .get(line)
            .is_some_and(|line| each_bit(bits).all(|at| line[at / 64] >> (at % 64) & 1 == 1))
    }
}

/// Six numbers below 512.
fn each_bit(bits: u64) -> impl Iterator<Item = usize> {
    (0..6).map(move |turn| (bits >> (turn * 9)) as usize % 512)
}
