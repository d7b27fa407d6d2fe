//! Customer retention in one process.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod error;
pub mod event;
pub mod lifetime;
pub mod loyalty;
mod numeric;
#[cfg(feature = "report")]
pub mod report;
pub mod retention;
pub mod segment;
pub mod simulate;
pub mod summary;

pub use error::Error;
