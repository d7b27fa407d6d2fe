//! Where the ledgers of the scenarios are kept.

use std::error::Error;

use tenure::loyalty::{MemoryStore, Store};

/// A kind of store, and where.
pub enum Place {
    Memory,
}

impl Place {
    /// From `memory`, …
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Place::Memory),
            _ => Err(format!("no store `{text}`; there is: memory")),
        }
    }

    /// An empty store for the scenario of a number.
    pub fn open(&self, _scenario: usize) -> Result<Box<dyn Store>, Box<dyn Error>> {
        match self {
            Place::Memory => Ok(Box::new(MemoryStore::new())),
        }
    }
}
