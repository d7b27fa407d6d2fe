//! Customer retention in one process.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod error;
pub mod event;
pub mod lifetime;
mod numeric;
pub mod summary;

pub use error::Error;
