//! All stores of the crate, for the tests that each of them must pass.

#[cfg(feature = "postgres")]
#[path = "schema.rs"]
mod schema;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tenure::loyalty::{Directory, JournalStore, MemoryStore, Store};

/// A store that is also a directory: what every store of the crate is.
pub trait Kept: Store + Directory {}

impl<S: Store + Directory> Kept for S {}

/// A place that was empty when it was made, and in which one store can be opened again and again (the
/// one before is dropped first). Whatever the place needs (a folder, a schema) goes with it.
pub trait Place {
    fn open(&mut self) -> Box<dyn Kept>;
}

/// A kind of store: its name, and a new place for one, or why there is none here.
type Kind = (&'static str, fn() -> Result<Box<dyn Place>, String>);

/// Every kind of store.
const KINDS: &[Kind] = &[
    ("memory", memory),
    ("journal", journal),
    #[cfg(feature = "postgres")]
    ("postgres", postgres),
];

/// Runs a test on each kind of store, by its name and with what makes new places of it; says which kinds
/// are left out, and why.
pub fn on_each(test: impl Fn(&str, &dyn Fn() -> Box<dyn Place>)) {
    for (name, make) in KINDS {
        match make() {
            Ok(_) => {
                println!("on {name}");
                test(name, &|| make().unwrap());
            }
            Err(why) => println!("not on {name}: {why}"),
        }
    }
}

/// Memory keeps nothing; the place does.
struct Memory(Arc<MemoryStore>);

impl Place for Memory {
    fn open(&mut self) -> Box<dyn Kept> {
        Box::new(Arc::clone(&self.0))
    }
}

fn memory() -> Result<Box<dyn Place>, String> {
    Ok(Box::new(Memory(Arc::new(MemoryStore::new()))))
}

/// A folder of its own, removed at the end.
struct Journal(PathBuf);

impl Place for Journal {
    fn open(&mut self) -> Box<dyn Kept> {
        Box::new(JournalStore::open(&self.0).unwrap())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn journal() -> Result<Box<dyn Place>, String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("tenure-journal-{}-{number}", std::process::id());
    Ok(Box::new(Journal(std::env::temp_dir().join(name))))
}

/// A schema of its own, in the database that `TENURE_POSTGRES_URL` names.
#[cfg(feature = "postgres")]
struct Postgres(schema::Schema);

#[cfg(feature = "postgres")]
impl Place for Postgres {
    fn open(&mut self) -> Box<dyn Kept> {
        Box::new(self.0.open())
    }
}

#[cfg(feature = "postgres")]
fn postgres() -> Result<Box<dyn Place>, String> {
    Ok(Box::new(Postgres(schema::Schema::new()?)))
}
