//! A checksum of whatever can be serialised.

use std::fmt::{Display, Error};

use serde::ser::{self, Serialize, Serializer};

use super::{CHECKSUM_START, add_word};

/// FNV-1a over the words of a content: its numbers, the lengths of its lists and which variants it has. The names of fields do
/// not count.
///
/// An `f64` counts as the `f32` next to it: a text can lose its last digits on the way through a parser that is not exact. Where
/// all of them count they are saved as [`bits`](super::bits).
pub(super) fn of(content: &impl Serialize) -> u64 {
    let mut digest = Digest(CHECKSUM_START);
    // Nothing below gives an error, and what is saved has none of its own.
    let _ = content.serialize(&mut digest);
    digest.0
}

struct Digest(u64);

impl Digest {
    fn add(&mut self, word: u64) -> Result<(), Error> {
        self.0 = add_word(self.0, word);
        Ok(())
    }

    fn add_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.add(bytes.len() as u64)?;
        bytes.iter().try_for_each(|&byte| self.add(u64::from(byte)))
    }
}

/// Methods that take a number and add it as a word.
macro_rules! words {
    ($($method:ident: $number:ty, $word:expr;)*) => {
        $(fn $method(self, number: $number) -> Result<(), Error> {
            let word: fn($number) -> u64 = $word;
            self.add(word(number))
        })*
    };
}

impl Serializer for &mut Digest {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    words! {
        serialize_bool: bool, |value| u64::from(value);
        serialize_i8: i8, |value| i64::from(value).cast_unsigned();
        serialize_i16: i16, |value| i64::from(value).cast_unsigned();
        serialize_i32: i32, |value| i64::from(value).cast_unsigned();
        serialize_i64: i64, |value| value.cast_unsigned();
        serialize_u8: u8, |value| u64::from(value);
        serialize_u16: u16, |value| u64::from(value);
        serialize_u32: u32, |value| u64::from(value);
        serialize_u64: u64, |value| value;
        serialize_f32: f32, |value| u64::from(value.to_bits());
        serialize_f64: f64, |value| u64::from((value as f32).to_bits());
        serialize_char: char, |value| u64::from(u32::from(value));
    }

    fn serialize_i128(self, number: i128) -> Result<(), Error> {
        self.serialize_u128(number.cast_unsigned())
    }

    fn serialize_u128(self, number: u128) -> Result<(), Error> {
        self.add((number >> 64) as u64)?;
        self.add(number as u64)
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.add_bytes(text.as_bytes())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.add_bytes(bytes)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.add(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.add(1)?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &str, variant: u32, _: &str) -> Result<(), Error> {
        self.add(u64::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.add(u64::from(variant))?;
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Error> {
        self.add(length.map_or(u64::MAX, |length| length as u64))?;
        Ok(self)
    }

    fn serialize_tuple(self, length: usize) -> Result<Self, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Self, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        length: usize,
    ) -> Result<Self, Error> {
        self.add(u64::from(variant))?;
        self.serialize_seq(Some(length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, Error> {
        self.serialize_seq(length)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Error> {
        self.add(u64::from(variant))?;
        Ok(self)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.serialize_str(&value.to_string())
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Traits of things with parts: each part is serialised, and nothing comes at the end.
macro_rules! parts {
    ($($part:ident::$method:ident($($key:ty)?);)*) => {
        $(impl ser::$part for &mut Digest {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $key,)? value: &T) -> Result<(), Error> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Error> {
                Ok(())
            }
        })*
    };
}

parts! {
    SerializeSeq::serialize_element();
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(&'static str);
    SerializeStructVariant::serialize_field(&'static str);
}

impl ser::SerializeMap for &mut Digest {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use std::collections::BTreeMap;

    #[test]
    fn whatever_is_saved_counts() {
        #[derive(serde::Serialize)]
        enum Kind {
            Unit,
            New(f32),
            Two(u8, i64),
            Named { text: &'static str },
        }
        let sums = [
            of(&Kind::Unit),
            of(&Kind::New(0.0)),
            of(&Kind::New(-0.0)),
            of(&Kind::Two(1, -1)),
            of(&Kind::Two(1, -2)),
            of(&Kind::Named { text: "a" }),
            of(&Kind::Named { text: "b" }),
            of(&[[1_u32].as_slice(), &[]]),
            of(&[[].as_slice(), &[1_u32]]),
            of(&Some(1_u64)),
            of(&BTreeMap::from([('a', 1_u128 << 64)])),
            of(&BTreeMap::from([('a', 1_u128)])),
        ];
        for (at, sum) in sums.iter().enumerate() {
            assert_eq!(sums.iter().position(|other| other == sum), Some(at));
        }
        assert_ne!(of(&Some(0_u64)), of(&None::<u64>));
    }

    #[test]
    fn a_double_may_lose_its_last_digits() {
        assert_eq!(of(&0.1), of(&0.100_000_000_000_000_02));
        assert_ne!(of(&0.1), of(&0.100_000_1));
    }

    #[test]
    fn the_sum_is_the_same_in_every_version() {
        // 3, 1, 2, the bits of both numbers, 3 and the three letters, by another program.
        assert_eq!(of(&(1_u8, [0.5_f32, -2.0], "tea")), 0xd032_5866_fbb9_ed70);
    }
}
