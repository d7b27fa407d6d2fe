//! Customer retention in one process.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod error;
pub mod event;
mod numeric;
#[cfg(feature = "report")]
pub mod report;
pub mod summary;

pub use error::Error;
