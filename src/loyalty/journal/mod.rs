//! wip

mod blocks;
mod cache;
mod error;
mod files;
mod frame;
mod index;
mod mark;
mod open;
mod payload;
mod people;
mod run;
mod segment;
mod snapshot;
mod store;
mod upkeep;

pub use error::{Corruption, Fault, JournalError};
pub use files::{Blob, Files, Folder};
pub use store::{JournalOptions, JournalStore, Opening};
