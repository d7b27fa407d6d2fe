//! What is written beside a saved model, and checked when it is read.

mod digest;

use std::mem;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{DataError, Error};
use crate::summary::InteractionMatrix;

/// The format version of something saved: `LAST` is written as a number, and `FIRST` to `LAST` are read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format<const LAST: u32, const FIRST: u32 = LAST>(u32);

impl<const LAST: u32, const FIRST: u32> Format<LAST, FIRST> {
    /// What is written.
    pub(super) const LATEST: Self = Self(LAST);
}

impl<const LAST: u32, const FIRST: u32> Serialize for Format<LAST, FIRST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de, const LAST: u32, const FIRST: u32> Deserialize<'de> for Format<LAST, FIRST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u32::deserialize(deserializer)?;
        if (FIRST..=LAST).contains(&found) {
            return Ok(Self(found));
        }
        let read = if FIRST == LAST {
            format!("version {LAST}")
        } else {
            format!("versions {FIRST} to {LAST}")
        };
        Err(serde::de::Error::custom(format_args!(
            "format version {found} is unknown; this version of the crate reads {read}"
        )))
    }
}

/// Something saved with a checksum of all that is in it.
pub(super) trait Sealed: Serialize + Sized {
    /// Where the checksum stands.
    fn checksum(&mut self) -> &mut u64;

    /// The checksum of the rest.
    fn sum(&self) -> u64 {
        digest::of(self)
    }

    /// With its checksum.
    fn sealed(mut self) -> Self {
        *self.checksum() = 0;
        *self.checksum() = self.sum();
        self
    }

    /// Refuses what the checksum was not made of.
    fn check_seal(&mut self) -> Result<(), DataError> {
        let found = mem::take(self.checksum());
        // Who tries random files would never come past it, to what checks the content.
        if cfg!(fuzzing) || found == self.sum() {
            return Ok(());
        }
        Err(wrong("checksum", found, "the checksum of the content"))
    }
}

/// [`Sealed`] of a struct with the field `checksum`; where the format before had a sum of its own, with that.
macro_rules! sealed {
    ($saved:ty $(, before: $before:ident)?) => {
        impl $crate::recommend::saved::Sealed for $saved {
            fn checksum(&mut self) -> &mut u64 {
                &mut self.checksum
            }

            $(fn sum(&self) -> u64 {
                if self.format == $crate::recommend::saved::Format::LATEST {
                    return $crate::recommend::saved::digest_of(self);
                }
                self.$before()
            })?
        }
    };
}
pub(super) use sealed;

/// The sum that [`Sealed`] has by itself.
pub(super) fn digest_of(content: &impl Serialize) -> u64 {
    digest::of(content)
}

/// A part of something saved that can be told from one that no fit on so many items has made.
pub(super) trait SavedPart: Serialize {
    fn check(&self, items: u32) -> Result<(), DataError>;
}

/// A model of weights between items, as it is saved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedWeights<C, W> {
    format: Format<2>,
    config: C,
    seen: InteractionMatrix,
    weights: W,
    checksum: u64,
}

impl<C: Serialize, W: Serialize> Sealed for SavedWeights<C, W> {
    fn checksum(&mut self) -> &mut u64 {
        &mut self.checksum
    }
}

impl<C: Serialize, W: SavedPart> SavedWeights<C, W> {
    pub(super) fn new(config: C, seen: InteractionMatrix, weights: W) -> Self {
        let format = Format::LATEST;
        let saved = Self {
            format,
            config,
            seen,
            weights,
            checksum: 0,
        };
        saved.sealed()
    }

    /// What was saved, once it is checked.
    pub(super) fn open<E: Into<Error>>(
        mut self,
        check: impl FnOnce(&C, u32) -> Result<(), E>,
    ) -> Result<(C, InteractionMatrix, W), Error> {
        let items = self.seen.columns();
        check(&self.config, items).map_err(Into::into)?;
        self.weights.check(items)?;
        self.check_seal()?;
        Ok((self.config, self.seen, self.weights))
    }
}

/// The saved form of a model of a configuration and a [`Linear`](super::item_weights::Linear).
macro_rules! saved_by_items_taken {
    ($model:ident { $config:ident: $kind:ty, binary: $binary:literal }, $weights:ty, $check:expr) => {
        impl From<$model> for $crate::recommend::saved::SavedWeights<$kind, $weights> {
            fn from(model: $model) -> Self {
                Self::new(model.$config, model.linear.seen, model.linear.weights)
            }
        }

        impl TryFrom<$crate::recommend::saved::SavedWeights<$kind, $weights>> for $model {
            type Error = $crate::error::Error;

            fn try_from(
                saved: $crate::recommend::saved::SavedWeights<$kind, $weights>,
            ) -> Result<Self, Self::Error> {
                let ($config, seen, weights) = saved.open($check)?;
                Ok(Self {
                    $config,
                    linear: $crate::recommend::item_weights::Linear {
                        seen,
                        weights,
                        binary: $binary,
                    },
                })
            }
        }
    };
}
pub(super) use saved_by_items_taken;

/// Numbers of which no bit is lost on the way through a text: saved as whole numbers.
pub(super) mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::recommend) fn serialize<S: Serializer>(
        numbers: &[f64],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(numbers.iter().map(|number| number.to_bits()))
    }

    pub(in crate::recommend) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<f64>, D::Error> {
        let bits = Vec::<u64>::deserialize(deserializer)?;
        Ok(bits.into_iter().map(f64::from_bits).collect())
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

const CHECKSUM_START: u64 = 0xcbf2_9ce4_8422_2325;

/// One word more. A change of one word changes all sums after it.
fn add_word(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3)
}

/// FNV-1a over words: for accidents, not against forgery.
pub(super) fn checksum(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(CHECKSUM_START, add_word)
}

/// Numbers as the words of a [`checksum`].
pub(super) fn words(numbers: &[f32]) -> impl Iterator<Item = u64> {
    numbers.iter().map(|number| u64::from(number.to_bits()))
}
