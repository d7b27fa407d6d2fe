//! Customer retention in one process.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod numeric;
