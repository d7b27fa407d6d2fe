//! A points ledger in PostgreSQL, shared by many processes.

mod commit;
mod directory;
mod error;
mod migrate;
mod names;
mod options;
mod pool;
mod retry;
mod rows;
mod scan;
mod store;
mod verify;

pub use error::{Damage, Place, PostgresError};
pub use options::PostgresOptions;
pub use store::PostgresStore;
pub use verify::{Seal, Verified};
