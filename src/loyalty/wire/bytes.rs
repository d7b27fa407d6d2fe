//! Numbers, texts, lists and instants, as bytes.

use std::sync::Arc;

use super::WireError;
use crate::event::Timestamp;

/// Something that has one encoding.
pub(super) trait Wire: Sized {
    /// Appends it.
    fn write(&self, to: &mut Writer<'_>);

    /// Takes it from the front.
    fn read(from: &mut Reader<'_>) -> Result<Self, WireError>;
}

/// Where bytes go to.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    base_s: i64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, base_s: 0 }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.push((value & 0x7f) as u8);
    }

    pub(super) fn signed(&mut self, value: i64) {
        // Zig-zag: the sign goes to the lowest bit.
        self.unsigned(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    /// Writes an instant, and then `rest`, whose instants are counted from it.
    pub(super) fn counted_from(&mut self, base: Timestamp, rest: impl FnOnce(&mut Self)) {
        base.write(self);
        let outer = std::mem::replace(&mut self.base_s, base.unix_s());
        rest(self);
        self.base_s = outer;
    }
}

/// Where bytes come from.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    base_s: i64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            base_s: 0,
        }
    }

    pub(super) fn end(&self) -> Result<(), WireError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(WireError::GoesOn { at: self.at, left }),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        let byte = *self.bytes.get(self.at).ok_or(self.ends())?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(count).ok_or(self.ends())?;
        let bytes = self.bytes.get(self.at..end).ok_or(self.ends())?;
        self.at = end;
        Ok(bytes)
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(self.wrong("a number leaves 64 bits"));
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.wrong("a number has more bytes than it needs"));
                }
                return Ok(value);
            }
        }
        Err(self.wrong("a number leaves 64 bits"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, WireError> {
        let coded = self.unsigned()?;
        Ok((coded >> 1).cast_signed() ^ -((coded & 1).cast_signed()))
    }

    /// A number that is not negative; `what` is wrong otherwise.
    pub(super) fn not_negative(&mut self, what: &'static str) -> Result<i64, WireError> {
        i64::try_from(self.unsigned()?).map_err(|_| self.wrong(what))
    }

    /// How many elements follow; each has at least one byte.
    pub(super) fn count(&mut self) -> Result<usize, WireError> {
        let count = self.unsigned()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.bytes.len() - self.at => Ok(count),
            _ => Err(self.ends()),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        let length = self.count()?;
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong("a text is not UTF-8"))
    }

    /// An instant, and what `rest` reads, whose instants are counted from it.
    pub(super) fn counted_from<T>(
        &mut self,
        rest: impl FnOnce(&mut Self, Timestamp) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let base = Timestamp::read(self)?;
        let outer = std::mem::replace(&mut self.base_s, base.unix_s());
        let value = rest(self, base);
        self.base_s = outer;
        value
    }

    pub(super) fn wrong(&self, what: &'static str) -> WireError {
        WireError::Value { at: self.at, what }
    }

    /// The byte that was read last is none of the tags.
    pub(super) fn no_tag(&self, of: &'static str, found: u8) -> WireError {
        WireError::Tag {
            at: self.at.saturating_sub(1),
            found,
            of,
        }
    }

    fn ends(&self) -> WireError {
        WireError::Ends {
            at: self.bytes.len(),
        }
    }
}

impl Wire for Timestamp {
    fn write(&self, to: &mut Writer<'_>) {
        // Instants span far less than 64 bits.
        to.signed(self.unix_s().wrapping_sub(to.base_s));
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let unix_s = from.signed()?.checked_add(from.base_s);
        unix_s
            .and_then(|unix_s| Timestamp::from_unix_s(unix_s).ok())
            .ok_or(from.wrong("an instant lies outside of the calendar"))
    }
}

impl Wire for bool {
    fn write(&self, to: &mut Writer<'_>) {
        to.byte(u8::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(from.no_tag("yes or no", found)),
        }
    }
}

impl Wire for u64 {
    fn write(&self, to: &mut Writer<'_>) {
        to.unsigned(*self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.unsigned()
    }
}

impl Wire for u32 {
    fn write(&self, to: &mut Writer<'_>) {
        to.unsigned(u64::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let value = from.unsigned()?;
        Self::try_from(value).map_err(|_| from.wrong("a small number leaves 32 bits"))
    }
}

impl Wire for i64 {
    fn write(&self, to: &mut Writer<'_>) {
        to.signed(*self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.signed()
    }
}

impl Wire for String {
    fn write(&self, to: &mut Writer<'_>) {
        to.text(self);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.text().map(str::to_owned)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self, to: &mut Writer<'_>) {
        self.is_some().write(to);
        if let Some(value) = self {
            value.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        match bool::read(from)? {
            true => T::read(from).map(Some),
            false => Ok(None),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, to: &mut Writer<'_>) {
        to.unsigned(self.len() as u64);
        self.iter().for_each(|value| value.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        // Grows as it reads: a length alone reserves nothing.
        let count = from.count()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(T::read(from)?);
        }
        Ok(values)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn write(&self, to: &mut Writer<'_>) {
        self.0.write(to);
        self.1.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok((A::read(from)?, B::read(from)?))
    }
}

impl<T: Wire> Wire for Box<T> {
    fn write(&self, to: &mut Writer<'_>) {
        T::write(self, to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        T::read(from).map(Box::new)
    }
}

impl<T: Wire> Wire for Arc<T> {
    fn write(&self, to: &mut Writer<'_>) {
        T::write(self, to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        T::read(from).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<T: Wire>(bytes: &[u8]) -> Result<T, WireError> {
        super::super::whole(bytes)
    }

    #[test]
    fn numbers_at_their_borders() {
        for (value, bytes) in [
            (0_i64, &[0_u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (
                i64::MAX,
                &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ),
            (
                i64::MIN,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ),
        ] {
            let mut out = Vec::new();
            value.write(&mut Writer::new(&mut out));
            assert_eq!(out, bytes, "{value}");
            assert_eq!(read::<i64>(bytes), Ok(value));
        }
        for wrong in [
            &[][..],
            &[0x80],
            &[0x80, 0],
            &[0, 0],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            &[0xff; 11],
        ] {
            assert!(read::<u64>(wrong).is_err(), "{wrong:?}");
        }
        assert!(read::<u32>(&[0x80, 0x80, 0x80, 0x80, 0x10]).is_err());
        assert_eq!(read::<u32>(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
    }

    #[test]
    fn a_length_beyond_the_bytes_is_an_error_at_once() {
        let long = [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1];
        assert_eq!(read::<Vec<bool>>(&long), Err(WireError::Ends { at: 7 }));
        assert_eq!(read::<String>(&long), Err(WireError::Ends { at: 7 }));
    }

    proptest! {
        #[test]
        fn there_is_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(value) = read::<(u64, Option<i64>)>(&bytes) {
                let mut again = Vec::new();
                value.write(&mut Writer::new(&mut again));
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
