//! A folder that goes when the job ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder beside the data, on the same disk.
    pub fn new(data: &Path) -> io::Result<Self> {
        let path = data.join(format!("tenure-bench-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The bytes of all files in a folder.
    pub fn bytes(folder: &Path) -> io::Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            bytes += match entry.file_type()?.is_dir() {
                true => Self::bytes(&entry.path())?,
                false => entry.metadata()?.len(),
            };
        }
        Ok(bytes)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it: at worst a folder stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}
