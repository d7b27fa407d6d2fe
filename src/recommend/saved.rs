//! What is written beside a saved model, and checked when it is read.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The format version of something saved: written as a number, and only that number is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format<const VERSION: u32>;

impl<const VERSION: u32> Serialize for Format<VERSION> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de, const VERSION: u32> Deserialize<'de> for Format<VERSION> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u32::deserialize(deserializer)?;
        if found == VERSION {
            return Ok(Self);
        }
        Err(serde::de::Error::custom(format_args!(
            "format version {found} is unknown; this version of the crate reads version {VERSION}"
        )))
    }
}
