//! Side files: a magic, a version, and blocks whose checksums depend on those before.

use std::sync::Arc;

use super::error::{Corruption, Fault, JournalError};
use super::files::Blob;

/// Bytes before the first block: magic, version of the file, version of the wire form.
pub(crate) const HEAD: u64 = 16;
/// Bytes of a block before its content: length and checksum.
pub(crate) const BLOCK: u64 = 8;
/// The most bytes of a block.
const BLOCK_MAX: u32 = 1 << 28;

/// What a side file is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) magic: [u8; 8],
    pub(crate) version: u32,
}

impl Kind {
    pub(crate) fn head(self) -> [u8; HEAD as usize] {
        let mut bytes = [0; HEAD as usize];
        bytes[..8].copy_from_slice(&self.magic);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..].copy_from_slice(&crate::loyalty::wire::FORMAT.to_le_bytes());
        bytes
    }
}

/// Writes blocks into a file, from its beginning or from where another one stopped.
#[derive(Debug)]
pub(crate) struct Appender {
    blob: Arc<dyn Blob>,
    name: String,
    /// The end of the file.
    pub(crate) end: u64,
    crc: u32,
}

impl Appender {
    /// Begins an empty file.
    pub(crate) fn begin(blob: Arc<dyn Blob>, name: &str, kind: Kind) -> Result<Self, JournalError> {
        let head = kind.head();
        let write = blob.write_at(0, &head);
        write.map_err(JournalError::io("writing", name))?;
        Ok(Self {
            blob,
            name: name.to_owned(),
            end: HEAD,
            crc: crc32fast::hash(&head),
        })
    }

    /// Appends a block.
    pub(crate) fn push(&mut self, content: &[u8]) -> Result<(), JournalError> {
        let length = content.len() as u32;
        let crc = checksum(self.crc, length, content);
        let mut bytes = Vec::with_capacity(content.len() + BLOCK as usize);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(content);
        let write = self.blob.write_at(self.end, &bytes);
        write.map_err(JournalError::io("writing", &self.name))?;
        self.end += bytes.len() as u64;
        self.crc = crc;
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        let sync = self.blob.sync();
        sync.map_err(JournalError::io("syncing", &self.name))
    }

    /// The file, to be overwritten.
    pub(crate) fn blob(&self) -> &Arc<dyn Blob> {
        &self.blob
    }
}

/// Reads blocks, from the beginning of a file on.
#[derive(Debug)]
pub(crate) struct Blocks {
    blob: Arc<dyn Blob>,
    name: String,
    at: u64,
    length: u64,
    crc: u32,
    content: Vec<u8>,
}

impl Blocks {
    /// Opens a file of a kind.
    pub(crate) fn open(blob: Arc<dyn Blob>, name: &str, kind: Kind) -> Result<Self, JournalError> {
        let length = blob.length().map_err(JournalError::io("measuring", name))?;
        let mut head = [0; HEAD as usize];
        let read = blob.read_at(0, &mut head);
        let read = read.map_err(JournalError::io("reading", name))?;
        let damage = |fault| Corruption {
            file: name.to_owned(),
            offset: 0,
            entry: 0,
            fault,
        };
        if read < head.len() {
            let missing = HEAD - read as u64;
            return Err(damage(Fault::Short { missing }).into());
        }
        let version = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| head[at + i]));
        let (found, wire) = (version(8), version(12));
        if head[..8] != kind.magic {
            return Err(damage(Fault::Checksum).into());
        }
        let known = [kind.version, crate::loyalty::wire::FORMAT];
        for (found, known) in [found, wire].into_iter().zip(known) {
            if found > known {
                let file = name.to_owned();
                return Err(JournalError::Version { file, found, known });
            }
        }
        Ok(Self {
            blob,
            name: name.to_owned(),
            at: HEAD,
            length,
            crc: crc32fast::hash(&head),
            content: Vec::new(),
        })
    }

    /// The next block with the offset at which it lies; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, &[u8])>, JournalError> {
        let left = self.length - self.at;
        if left == 0 {
            return Ok(None);
        }
        if left < BLOCK {
            let missing = BLOCK - left;
            return Err(self.damage(Fault::Short { missing }).into());
        }
        let mut head = [0; BLOCK as usize];
        self.read(self.at, &mut head)?;
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| head[at + i]));
        let (length, crc) = (word(0), word(4));
        if length > BLOCK_MAX {
            return Err(self.damage(Fault::Checksum).into());
        }
        if u64::from(length) > left - BLOCK {
            let missing = u64::from(length) - (left - BLOCK);
            return Err(self.damage(Fault::Short { missing }).into());
        }
        let mut content = std::mem::take(&mut self.content);
        content.resize(length as usize, 0);
        self.read(self.at + BLOCK, &mut content)?;
        self.content = content;
        if checksum(self.crc, length, &self.content) != crc {
            return Err(self.damage(Fault::Checksum).into());
        }
        let offset = self.at;
        self.crc = crc;
        self.at += BLOCK + u64::from(length);
        Ok(Some((offset, &self.content)))
    }

    /// What is wrong where the next block begins.
    pub(crate) fn damage(&self, fault: Fault) -> Corruption {
        Corruption {
            file: self.name.clone(),
            // The checksum of the first block is that of the head, too.
            offset: if self.at == HEAD { 0 } else { self.at },
            entry: 0,
            fault,
        }
    }

    /// The offset at which the next block begins.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Appends after the last block that was read.
    pub(crate) fn into_appender(self) -> Appender {
        Appender {
            blob: self.blob,
            name: self.name,
            end: self.at,
            crc: self.crc,
        }
    }

    fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), JournalError> {
        let read = self.blob.read_at(at, buffer);
        let read = read.map_err(JournalError::io("reading", &self.name))?;
        if read < buffer.len() {
            let missing = (buffer.len() - read) as u64;
            return Err(self.damage(Fault::Short { missing }).into());
        }
        Ok(())
    }
}

fn checksum(before: u32, length: u32, content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(before);
    crc.update(&length.to_le_bytes());
    crc.update(content);
    crc.finalize()
}

/// Takes numbers and texts off the front of a block.
pub(crate) struct Fields<'b>(pub(crate) &'b [u8]);

impl<'b> Fields<'b> {
    /// Eight bytes, little-endian.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    /// So many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A number of seven bits a byte, the lowest first, in as few bytes as it needs.
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return (byte != 0 || shift == 0).then_some(number);
            }
        }
        None
    }

    /// A length and so many bytes.
    pub(crate) fn sized(&mut self) -> Option<&'b [u8]> {
        let length = self.varint()?;
        self.bytes(usize::try_from(length).ok()?)
    }
}

/// Appends a number, seven bits a byte, the lowest first.
pub(crate) fn push_varint(mut number: u64, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push(number as u8 & 0x7f | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Appends a length and bytes.
pub(crate) fn push_sized(bytes: &[u8], to: &mut Vec<u8>) {
    push_varint(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_have_one_form() {
        for number in [0, 1, 127, 128, 300, 1 << 35, u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            push_varint(number, &mut bytes);
            let mut fields = Fields(&bytes);
            assert_eq!(fields.varint(), Some(number));
            assert!(fields.0.is_empty());
            assert_eq!(Fields(&bytes[..bytes.len() - 1]).varint(), None);
        }
        assert_eq!(Fields(&[0x80, 0]).varint(), None);
        assert_eq!(Fields(&[0xff; 10]).varint(), None);
        assert_eq!(Fields(&[5, 1, 2]).sized(), None);
    }
}
