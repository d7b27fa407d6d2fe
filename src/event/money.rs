//! Money: whole minor units, read and written exactly.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// How many decimal places the minor unit of a currency stands behind the major one.
///
/// Amounts are `i64` counts of minor units: with two decimals `12.99` is 1299. Sums of integers do
/// not depend on their order, so that a sum over threads or partial files is exact.
///
/// ```
/// use tenure::event::Decimals;
///
/// let cents = Decimals::new(2).unwrap();
/// assert_eq!(cents.parse("12.9"), Some(1290));
/// assert_eq!(cents.parse("-0.05"), Some(-5));
/// assert_eq!(cents.parse("12.999"), None); // would lose a tenth of a cent
/// assert_eq!(cents.display(1290).to_string(), "12.90");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Decimals(u8);

/// The largest amount of one transaction, either way: 10¹⁵ minor units.
///
/// It leaves room to add up thousands of the largest amounts in 64 bits.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

impl Decimals {
    /// Whole units only (yen, won, or points).
    pub const ZERO: Decimals = Decimals(0);
    /// Hundredths (cents, pence, fen): most currencies.
    pub const TWO: Decimals = Decimals(2);

    /// `places` decimal places.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] beyond 9.
    pub fn new(places: u8) -> Result<Self, ConfigError> {
        if places <= 9 {
            Ok(Self(places))
        } else {
            Err(ConfigError::OutOfRange {
                setting: "decimals",
                value: places.to_string(),
                expected: "from 0 to 9",
            })
        }
    }

    /// The number of decimal places.
    pub const fn places(self) -> u8 {
        self.0
    }

    /// Minor units in one major unit: 100 for two decimals.
    pub const fn minor_per_major(self) -> i64 {
        10_i64.pow(self.0 as u32)
    }

    /// An amount in major units, for models: 1299 minor units are 12.99.
    ///
    /// The nearest `f64`; exact to 15 digits.
    pub fn to_major(self, minor: i64) -> f64 {
        minor as f64 / self.minor_per_major() as f64
    }

    /// Reads a decimal number (`12.99`, `-5`, `+.50`) as minor units.
    ///
    /// `None` for any other text (currency signs, thousands separators and exponents among them), for an
    /// amount that the decimal places cannot hold exactly, and beyond [`AMOUNT_MAX`].
    pub fn parse(self, text: &str) -> Option<i64> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (whole, fraction) = match digits.iter().position(|&b| b == b'.') {
            Some(point) => (digits.get(..point)?, digits.get(point + 1..)?),
            None => (digits, &[][..]),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let kept = fraction.len().min(usize::from(self.0));
        let (fraction, dropped) = fraction.split_at(kept);
        if dropped.iter().any(|&b| b != b'0') {
            return None;
        }
        let zeros = usize::from(self.0) - kept;
        let minor = whole
            .iter()
            .chain(fraction)
            .chain(std::iter::repeat_n(&b'0', zeros))
            .try_fold(0_i64, |n, b| {
                let digit = b.is_ascii_digit().then(|| i64::from(b - b'0'))?;
                Some(n * 10 + digit).filter(|&n| n <= AMOUNT_MAX)
            })?;
        Some(if negative { -minor } else { minor })
    }

    /// Writes minor units as a decimal number in major units.
    pub fn display(self, minor: i64) -> impl fmt::Display {
        Amount {
            minor,
            decimals: self,
        }
    }
}

impl TryFrom<u8> for Decimals {
    type Error = ConfigError;

    fn try_from(places: u8) -> Result<Self, ConfigError> {
        Self::new(places)
    }
}

impl From<Decimals> for u8 {
    fn from(decimals: Decimals) -> u8 {
        decimals.0
    }
}

struct Amount {
    minor: i64,
    decimals: Decimals,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.decimals.minor_per_major().unsigned_abs();
        let (whole, rest) = (
            self.minor.unsigned_abs() / unit,
            self.minor.unsigned_abs() % unit,
        );
        let sign = if self.minor < 0 { "-" } else { "" };
        match usize::from(self.decimals.0) {
            0 => write!(f, "{sign}{whole}"),
            places => write!(f, "{sign}{whole}.{rest:0places$}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_exact_decimal_numbers_are_read() {
        let cents = Decimals::TWO;
        for (text, expected) in [
            ("0", Some(0)),
            (".5", Some(50)),
            ("7.", Some(700)),
            ("+1.10", Some(110)),
            ("11.7700", Some(1177)),
            ("10000000000000.00", Some(AMOUNT_MAX)),
            ("10000000000000.01", None),
            ("99999999999999999999999999", None),
            ("", None),
            (".", None),
            ("-", None),
            ("1,50", None),
            ("1e3", None),
            ("NaN", None),
            ("inf", None),
            ("--1", None),
            ("$1", None),
            ("1.2.3", None),
            (" 1", None),
        ] {
            assert_eq!(cents.parse(text), expected, "{text:?}");
        }
        assert_eq!(Decimals::ZERO.parse("12.00"), Some(12));
        assert!(Decimals::new(10).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(minor in -AMOUNT_MAX..=AMOUNT_MAX, places in 0_u8..=9) {
            let decimals = Decimals::new(places).unwrap();
            prop_assert_eq!(decimals.parse(&decimals.display(minor).to_string()), Some(minor));
        }
    }
}
