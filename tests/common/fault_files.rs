//! A folder in memory that fails the way disks do.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use tenure::loyalty::journal::{Blob, Files};

/// Bytes that a disk writes in one piece, in any order with others; and it may break off within one.
const SECTOR: u64 = 512;

/// A folder in memory. Clones are the same folder; [`FaultFiles::image`] is another one.
#[derive(Debug, Clone, Default)]
pub struct FaultFiles {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    names: BTreeMap<String, Inode>,
    /// The names as of the last sync, and what happened to them since.
    synced_names: BTreeMap<String, Inode>,
    name_changes: Vec<NameChange>,
    locked: Arc<AtomicU64>,
    pub faults: Faults,
    syncs: u64,
    /// A crash at each sync, before it: taken with this generator.
    crashes: Option<Crashes>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, Inode),
    Rename(String, String),
    Remove(String),
}

/// What goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// From this sync of a file on, the first being 0, every one fails, and nothing is synced.
    pub failing_from: Option<u64>,
    /// From this sync on every one says that it is done, and nothing is synced.
    pub lying_from: Option<u64>,
    /// Bytes that all files together can have.
    pub capacity: Option<u64>,
    /// Every read of a file fails.
    pub unreadable: bool,
}

#[derive(Debug)]
struct Crashes {
    rng: Xoshiro256PlusPlus,
    acknowledged: Arc<AtomicU64>,
    images: Vec<(u64, FaultFiles)>,
}

type Inode = Arc<Mutex<Content>>;

#[derive(Debug, Clone, Default)]
struct Content {
    now: Arc<Vec<u8>>,
    synced: Arc<Vec<u8>>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl FaultFiles {
    pub fn new() -> Self {
        Self::default()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    pub fn set_faults(&self, faults: Faults) {
        self.disk().faults = faults;
    }

    /// At every sync from now on, what a crash just before it might leave, with the number of commands
    /// that were acknowledged by then.
    pub fn crash_at_each_sync(&self, seed: u64, acknowledged: Arc<AtomicU64>) {
        self.disk().crashes = Some(Crashes {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            acknowledged,
            images: Vec::new(),
        });
    }

    pub fn crashes(&self) -> Vec<(u64, FaultFiles)> {
        let crashes = self.disk().crashes.take();
        crashes.map(|crashes| crashes.images).unwrap_or_default()
    }

    /// A folder with the same files, as if all were synced.
    pub fn image(&self) -> FaultFiles {
        let image = FaultFiles::new();
        for (name, inode) in &self.disk().names {
            let now = Arc::clone(&inode.lock().unwrap().now);
            image.put(name, now);
        }
        image
    }

    pub fn put(&self, name: &str, bytes: Arc<Vec<u8>>) {
        let content = Content {
            now: Arc::clone(&bytes),
            synced: bytes,
            changes: Vec::new(),
        };
        let inode = Arc::new(Mutex::new(content));
        let mut disk = self.disk();
        disk.names.insert(name.to_owned(), Arc::clone(&inode));
        disk.synced_names.insert(name.to_owned(), inode);
    }

    pub fn get(&self, name: &str) -> Option<Arc<Vec<u8>>> {
        let disk = self.disk();
        let inode = disk.names.get(name)?;
        Some(Arc::clone(&inode.lock().unwrap().now))
    }

    /// All files.
    pub fn all(&self) -> BTreeMap<String, Arc<Vec<u8>>> {
        let disk = self.disk();
        let names = disk.names.iter();
        names
            .map(|(name, inode)| (name.clone(), Arc::clone(&inode.lock().unwrap().now)))
            .collect()
    }

    /// What a crash now might leave: of what was not synced any sectors, in part, and a first part of the
    /// changes of names.
    pub fn crash(&self, seed: u64) -> FaultFiles {
        self.disk()
            .crash(&mut Xoshiro256PlusPlus::seed_from_u64(seed))
    }
}

impl Disk {
    fn crash(&self, rng: &mut impl Rng) -> FaultFiles {
        let mut names = self.synced_names.clone();
        let survive = rng.random_range(0..=self.name_changes.len());
        for change in &self.name_changes[..survive] {
            change.carry_out(&mut names);
        }
        let image = FaultFiles::new();
        for (name, inode) in names {
            let left = inode.lock().unwrap().after_crash(rng);
            image.put(&name, Arc::new(left));
        }
        image
    }

    fn used(&self) -> u64 {
        let lengths = self.names.values();
        lengths
            .map(|inode| inode.lock().unwrap().now.len() as u64)
            .sum()
    }

    fn change_names(&mut self, change: NameChange) {
        change.carry_out(&mut self.names);
        self.name_changes.push(change);
    }
}

impl NameChange {
    fn carry_out(&self, names: &mut BTreeMap<String, Inode>) {
        match self {
            NameChange::Add(name, inode) => {
                names.insert(name.clone(), Arc::clone(inode));
            }
            NameChange::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            NameChange::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Content {
    fn after_crash(&self, rng: &mut impl Rng) -> Vec<u8> {
        let mut bytes = self.synced.to_vec();
        // Now and then all of it survives, or nothing.
        let mood = rng.random_range(0..4);
        for change in &self.changes {
            match change {
                Change::Truncate(length) => {
                    if mood == 0 || mood > 1 && rng.random() {
                        bytes.resize(*length as usize, 0);
                    }
                }
                Change::Write(offset, written) => {
                    let mut at = 0;
                    while at < written.len() {
                        let in_sector = SECTOR - (offset + at as u64) % SECTOR;
                        let end = written.len().min(at + in_sector as usize);
                        let survives = match mood {
                            0 => end - at,
                            1 => 0,
                            _ => match rng.random_range(0..3) {
                                0 => 0,
                                1 => end - at,
                                _ => rng.random_range(0..=end - at),
                            },
                        };
                        overwrite(&mut bytes, offset + at as u64, &written[at..at + survives]);
                        at = end;
                    }
                }
            }
        }
        bytes
    }
}

fn overwrite(bytes: &mut Vec<u8>, offset: u64, part: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + part.len());
    if part.is_empty() {
        return;
    }
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[start..end].copy_from_slice(part);
}

impl Files for FaultFiles {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.disk().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Blob>> {
        let inode = self.disk().names.get(name).cloned();
        let inode = inode.ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(FaultBlob {
            files: self.clone(),
            inode,
        }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn Blob>> {
        let inode = Inode::default();
        let add = NameChange::Add(name.to_owned(), Arc::clone(&inode));
        self.disk().change_names(add);
        Ok(Arc::new(FaultBlob {
            files: self.clone(),
            inode,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let rename = NameChange::Rename(from.to_owned(), to.to_owned());
        self.disk().change_names(rename);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk()
            .change_names(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.synced_names = disk.names.clone();
        disk.name_changes.clear();
        Ok(())
    }

    fn lock(&self) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let locked = Arc::clone(&self.disk().locked);
        let taken = locked.swap(1, Ordering::SeqCst);
        Ok((taken == 0).then(|| Box::new(Unlock(locked)) as Box<dyn Send + Sync>))
    }
}

struct Unlock(Arc<AtomicU64>);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct FaultBlob {
    files: FaultFiles,
    inode: Inode,
}

impl Blob for FaultBlob {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.files.disk().faults.unreadable {
            return Err(io::Error::other("the disk cannot be read"));
        }
        let content = self.inode.lock().unwrap();
        let rest = content.now.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut room = bytes.len();
        {
            let disk = self.files.disk();
            if let Some(capacity) = disk.faults.capacity {
                let length = self.inode.lock().unwrap().now.len() as u64;
                let grows = (offset + room as u64).saturating_sub(length);
                let missing = (disk.used() + grows).saturating_sub(capacity);
                room = room.saturating_sub(missing as usize);
            }
        }
        let mut content = self.inode.lock().unwrap();
        let part = &bytes[..room];
        overwrite(Arc::make_mut(&mut content.now), offset, part);
        content.changes.push(Change::Write(offset, part.to_vec()));
        if room < bytes.len() {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.inode.lock().unwrap().now.len() as u64)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut content = self.inode.lock().unwrap();
        Arc::make_mut(&mut content.now).resize(length as usize, 0);
        content.changes.push(Change::Truncate(length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.files.disk();
        if let Some(mut crashes) = disk.crashes.take() {
            let acknowledged = crashes.acknowledged.load(Ordering::SeqCst);
            let image = disk.crash(&mut crashes.rng);
            crashes.images.push((acknowledged, image));
            disk.crashes = Some(crashes);
        }
        let number = disk.syncs;
        disk.syncs += 1;
        let from = |start: Option<u64>| start.is_some_and(|start| number >= start);
        if from(disk.faults.failing_from) {
            return Err(io::Error::other("the disk failed"));
        }
        if from(disk.faults.lying_from) {
            return Ok(());
        }
        let mut content = self.inode.lock().unwrap();
        content.synced = Arc::clone(&content.now);
        content.changes.clear();
        Ok(())
    }
}
