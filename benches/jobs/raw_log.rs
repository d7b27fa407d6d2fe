//! The rival of a journal: a log of 168-byte entries that knows nothing of points.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::splitmix::uniform;

/// What an entry holds: two keys of 16 bytes and a value of 128.
pub type Payload = [u8; 160];

/// Length, checksum and payload.
const FRAME: usize = 168;

/// Entries whose bytes do not compress.
pub fn payloads(count: usize) -> Vec<Payload> {
    let word = |n: usize| (uniform(41, n as u64) * 2f64.powi(53)) as u64;
    let payload = |entry: usize| {
        let mut payload = [0; 160];
        for (position, chunk) in payload.chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&word(entry * 20 + position).to_le_bytes());
        }
        payload
    };
    (0..count).map(payload).collect()
}

/// Frames of length, CRC-32 and payload, appended and synced.
pub struct RawLog {
    file: File,
    table: [u32; 256],
    waiting: Mutex<Waiting>,
    synced: Condvar,
}

/// The group commit: whoever finds nobody writing writes for all who wait.
#[derive(Default)]
struct Waiting {
    buffer: Vec<u8>,
    /// Bytes of the file that are used.
    end: u64,
    taken: u64,
    durable: u64,
    writing: bool,
}

impl RawLog {
    /// A log with room for so many entries: filled with zeros in advance and synced, so that no sync has
    /// to change the length of the file.
    pub fn create(path: &Path, entries: usize) -> io::Result<Self> {
        let mut table = [0; 256];
        for (byte, entry) in (0..).zip(&mut table) {
            *entry = (0..8).fold(byte, |crc: u32, _| match crc & 1 {
                1 => 0xEDB8_8320 ^ (crc >> 1),
                _ => crc >> 1,
            });
        }
        let mut file = File::options().create_new(true).write(true).open(path)?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..(entries * FRAME).div_ceil(zeros.len()) {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        Ok(Self {
            file,
            table,
            waiting: Mutex::default(),
            synced: Condvar::new(),
        })
    }

    /// Appends a batch and syncs it.
    pub fn append(&self, batch: &[Payload]) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(batch.len() * FRAME);
        batch
            .iter()
            .for_each(|entry| self.frame(entry, &mut buffer));
        let mut waiting = self.waiting();
        self.file.write_all_at(&buffer, waiting.end)?;
        waiting.end += buffer.len() as u64;
        self.file.sync_data()
    }

    /// Appends an entry among those of other threads; it is synced when this returns.
    pub fn append_with_others(&self, entry: &Payload) -> io::Result<()> {
        let mut waiting = self.waiting();
        self.frame(entry, &mut waiting.buffer);
        waiting.taken += 1;
        let mine = waiting.taken;
        while waiting.durable < mine {
            if waiting.writing {
                let turned = self.synced.wait(waiting);
                waiting = turned.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            waiting.writing = true;
            let buffer = std::mem::take(&mut waiting.buffer);
            let (up_to, at) = (waiting.taken, waiting.end);
            waiting.end += buffer.len() as u64;
            drop(waiting);
            let written = self.file.write_all_at(&buffer, at);
            let written = written.and_then(|()| self.file.sync_data());
            waiting = self.waiting();
            waiting.durable = up_to;
            waiting.writing = false;
            self.synced.notify_all();
            written?;
        }
        Ok(())
    }

    fn frame(&self, entry: &Payload, out: &mut Vec<u8>) {
        let crc = entry.iter().fold(!0_u32, |crc, byte| {
            let index = (crc ^ u32::from(*byte)) & 0xFF;
            self.table[index as usize] ^ (crc >> 8)
        });
        out.extend_from_slice(&(entry.len() as u32).to_le_bytes());
        out.extend_from_slice(&(!crc).to_le_bytes());
        out.extend_from_slice(entry);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
