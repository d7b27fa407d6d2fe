//! Where the ledgers of the scenarios are kept.

use std::error::Error;
use std::path::PathBuf;

use tenure::loyalty::{JournalStore, MemoryStore, Store};

/// A kind of store, and where.
pub enum Place {
    Memory,
    /// A folder, in which each scenario gets one of its own.
    Journal(PathBuf),
}

impl Place {
    /// From `memory` or `journal:DIR`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Place::Memory),
            Some(("journal", folder)) if !folder.is_empty() => Ok(Place::Journal(folder.into())),
            _ => Err(format!("no store `{text}`; there are: memory, journal:DIR")),
        }
    }

    /// An empty store for the scenario of a number.
    pub fn open(&self, scenario: usize) -> Result<Box<dyn Store>, Box<dyn Error>> {
        match self {
            Place::Memory => Ok(Box::new(MemoryStore::new())),
            Place::Journal(folder) => {
                let folder = folder.join(format!("scenario-{scenario}"));
                if folder.exists() {
                    let folder = folder.display();
                    return Err(
                        format!("{folder} is there already: name a folder without it").into(),
                    );
                }
                Ok(Box::new(JournalStore::open(folder)?))
            }
        }
    }
}
