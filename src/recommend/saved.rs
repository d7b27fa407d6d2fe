//! What is written beside a saved model, and checked when it is read.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::DataError;

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

/// An error that names a field of something saved.
pub(super) fn wrong(field: &str, value: impl ToString, expected: &'static str) -> DataError {
    DataError::Field {
        field: field.to_owned(),
        value: value.to_string(),
        expected,
    }
}

/// Refuses numbers that are not whole rows of `width`, not finite, or larger than `most`.
pub(super) fn check_rows(
    field: &str,
    numbers: &[f32],
    width: usize,
    (most, expected): (f32, &'static str),
) -> Result<(), DataError> {
    let whole = numbers.len().is_multiple_of(width.max(1));
    if !whole || numbers.len() / width.max(1) > u32::MAX as usize {
        let value = format!("{} numbers", numbers.len());
        return Err(wrong(field, value, "whole rows of `factors` numbers"));
    }
    // A NaN is in no range.
    let bad = (0..)
        .zip(numbers)
        .find(|(_, number)| !(-most..=most).contains(*number));
    match bad {
        Some((at, number)) => Err(wrong(&format!("{field}[{at}]"), number, expected)),
        None => Ok(()),
    }
}

/// FNV-1a over words: for accidents, not against forgery.
pub(super) fn checksum(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |sum, word| {
        (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Numbers as the words of a [`checksum`].
pub(super) fn words(numbers: &[f32]) -> impl Iterator<Item = u64> {
    numbers.iter().map(|number| u64::from(number.to_bits()))
}
