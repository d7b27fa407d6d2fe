//! Customer retention in one process.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod error;
pub mod event;
mod numeric;
pub mod retention;
pub mod segment;
pub mod summary;

pub use error::Error;
