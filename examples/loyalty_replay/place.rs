//! Where the ledgers of the scenarios are kept.

use std::error::Error;
use std::path::PathBuf;

use tenure::loyalty::{JournalStore, MemoryStore, Store};
#[cfg(feature = "postgres")]
use tenure::loyalty::{PostgresOptions, PostgresStore};

/// A kind of store, and where.
pub enum Place {
    Memory,
    /// A folder, in which each scenario gets one of its own.
    Journal(PathBuf),
    /// A database; each scenario has a schema of its own, which is made anew.
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Place {
    /// From `memory`, `journal:DIR`, or `postgres:` and a connection string.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Place::Memory),
            Some(("journal", folder)) if !folder.is_empty() => Ok(Place::Journal(folder.into())),
            #[cfg(feature = "postgres")]
            Some(("postgres", url)) => Ok(Place::Postgres(url.to_owned())),
            _ => Err(format!(
                "no store `{text}`; there are: memory, journal:DIR, postgres:URL (with the feature `postgres`)"
            )),
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
            #[cfg(feature = "postgres")]
            Place::Postgres(url) => {
                let schema = format!("tenure_replay_{scenario}");
                let drop = format!("drop schema if exists {schema} cascade");
                postgres::Client::connect(url, postgres::NoTls)?.batch_execute(&drop)?;
                let options = PostgresOptions {
                    schema,
                    ..PostgresOptions::default()
                };
                Ok(Box::new(PostgresStore::open(url, options)?))
            }
        }
    }
}
