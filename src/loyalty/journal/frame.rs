//! Frames: one batch as it lies in a segment, sealed and chained.
//!
//! A frame is a header of 64 bytes and a payload. All numbers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `TnFr` |
//! | 4..8 | length of the payload |
//! | 8..12 | how many entries it holds |
//! | 12..16 | how far before this frame the first frame lies that was written together with it |
//! | 16..24 | the number of its first entry |
//! | 24..32 | the first 8 bytes of the seal: blake3 of bytes 0..24 and of the payload's blake3 |
//! | 32..64 | the chain: blake3 of the previous frame's chain and of the seal |

/// A blake3 hash.
pub(crate) type Hash = [u8; 32];

/// Bytes of a frame's header.
pub(crate) const HEADER: usize = 64;

/// The most bytes of a payload.
pub(crate) const PAYLOAD_MAX: usize = 1 << 30;

pub(crate) const MAGIC: [u8; 4] = *b"TnFr";

/// A boundary between frames: where the next one begins, what number its first entry has, what it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Bytes of all frames before it.
    pub(crate) position: u64,
    /// The number of the next entry.
    pub(crate) entry: u64,
    /// The chain of the frame before it.
    pub(crate) chain: Hash,
}

impl Place {
    /// Before the first frame.
    pub(crate) const START: Place = Place {
        position: 0,
        entry: 1,
        chain: [0; 32],
    };

    pub(crate) fn after(self, header: &Header) -> Place {
        Place {
            position: self.position + header.size(),
            entry: self.entry + u64::from(header.count),
            chain: header.chain,
        }
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) length: u32,
    pub(crate) count: u32,
    pub(crate) back: u32,
    pub(crate) first: u64,
    check: [u8; 8],
    pub(crate) chain: Hash,
}

impl Header {
    /// The header of a payload with that blake3 hash, at a place.
    pub(crate) fn new(at: &Place, back: u32, length: u32, count: u32, digest: &Hash) -> Self {
        let mut header = Self {
            length,
            count,
            back,
            first: at.entry,
            check: [0; 8],
            chain: [0; 32],
        };
        let seal = header.seal(digest);
        header.check.copy_from_slice(&seal[..8]);
        header.chain = link(&at.chain, &seal);
        header
    }

    /// Reads a header; `None` for bytes that do not begin like one.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let (first, rest) = bytes[16..].split_first_chunk::<8>()?;
        let (check, chain) = rest.split_first_chunk::<8>()?;
        (bytes[..4] == MAGIC).then_some(Self {
            length: word(4),
            count: word(8),
            back: word(12),
            first: u64::from_le_bytes(*first),
            check: *check,
            chain: *chain.first_chunk()?,
        })
    }

    pub(crate) fn write(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..24].copy_from_slice(&self.fields());
        bytes[24..32].copy_from_slice(&self.check);
        bytes[32..].copy_from_slice(&self.chain);
        bytes
    }

    /// Header and payload.
    pub(crate) fn size(&self) -> u64 {
        HEADER as u64 + u64::from(self.length)
    }

    /// The seal of a payload that is the one of this header.
    pub(crate) fn check(&self, payload: &[u8]) -> Option<Hash> {
        let seal = self.seal(blake3::hash(payload).as_bytes());
        (payload.len() == self.length as usize && seal[..8] == self.check).then_some(seal)
    }

    /// Whether a frame with that seal follows a chain.
    pub(crate) fn follows(&self, chain: &Hash, seal: &Hash) -> bool {
        link(chain, seal) == self.chain
    }

    fn fields(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.count.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.back.to_le_bytes());
        bytes[16..].copy_from_slice(&self.first.to_le_bytes());
        bytes
    }

    fn seal(&self, digest: &Hash) -> Hash {
        let mut bytes = [0; 56];
        bytes[..24].copy_from_slice(&self.fields());
        bytes[24..].copy_from_slice(digest);
        *blake3::hash(&bytes).as_bytes()
    }
}

fn link(chain: &Hash, seal: &Hash) -> Hash {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(chain);
    bytes[32..].copy_from_slice(seal);
    *blake3::hash(&bytes).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_breaks_the_seal_or_the_chain() {
        let payload = *b"some entries";
        let at = Place {
            position: 640,
            entry: 77,
            chain: [9; 32],
        };
        let digest = *blake3::hash(&payload).as_bytes();
        let header = Header::new(&at, 128, payload.len() as u32, 3, &digest);
        let whole = [&header.write()[..], &payload].concat();
        let good = |bytes: &[u8]| {
            Header::read(bytes).is_some_and(|header| {
                let seal = header.check(&bytes[HEADER..]);
                seal.is_some_and(|seal| header.follows(&at.chain, &seal))
            })
        };
        assert!(good(&whole));
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!good(&bytes), "bit {bit}");
        }
        let seal = header.check(&payload).unwrap();
        assert!(!header.follows(&[8; 32], &seal));
        assert_eq!(at.after(&header).position, 640 + 64 + 12);
        assert_eq!(at.after(&header).entry, 80);
    }
}
