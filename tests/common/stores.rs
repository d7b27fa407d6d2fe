//! All stores of the crate, for the tests that each of them must pass.

#[cfg(feature = "postgres")]
#[path = "schema.rs"]
mod schema;

use std::sync::Arc;

use tenure::loyalty::{Directory, MemoryStore, Store};

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
