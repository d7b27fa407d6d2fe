//! Exact rates, and the one rounding that turns them into whole numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// An exact rate: a whole numerator over a whole denominator above 0.
///
/// Written `[num, den]` in a programme: `[1, 100]` is one point per 100 minor units of money.
///
/// ```
/// use tenure::loyalty::Rational;
///
/// let five_per_cent = Rational::new(1, 20)?;
/// assert_eq!((five_per_cent.num(), five_per_cent.den()), (1, 20));
/// assert!(Rational::new(1, 0).is_err());
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "(i64, i64)", into = "(i64, i64)")]
pub struct Rational {
    num: i64,
    den: i64,
}

impl Rational {
    /// `num` / `den`.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] when the denominator is not above 0.
    pub fn new(num: i64, den: i64) -> Result<Self, ConfigError> {
        if den > 0 {
            Ok(Self { num, den })
        } else {
            Err(ConfigError::OutOfRange {
                setting: "denominator",
                value: den.to_string(),
                expected: "above 0",
            })
        }
    }

    /// The numerator.
    pub const fn num(self) -> i64 {
        self.num
    }

    /// The denominator; above 0.
    pub const fn den(self) -> i64 {
        self.den
    }
}

impl TryFrom<(i64, i64)> for Rational {
    type Error = ConfigError;

    fn try_from((num, den): (i64, i64)) -> Result<Self, ConfigError> {
        Self::new(num, den)
    }
}

impl From<Rational> for (i64, i64) {
    fn from(rate: Rational) -> (i64, i64) {
        (rate.num, rate.den)
    }
}

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

/// How an exact amount becomes whole points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Down, towards −∞: 2.9 becomes 2.
    #[default]
    Floor,
    /// Up, towards +∞: 2.1 becomes 3.
    Ceil,
    /// To the nearest, a half up: 2.5 becomes 3.
    HalfUp,
    /// To the nearest, a half to the even neighbour: 2.5 becomes 2, 3.5 becomes 4.
    HalfEven,
}

impl Rounding {
    /// The whole number for `num` / `den`; `den` is above 0. `None` beyond 64 bits.
    pub(crate) fn round(self, num: i128, den: i128) -> Option<i64> {
        let (floor, rest) = match (i64::try_from(num), i64::try_from(den)) {
            // Division in 64 bits takes a tenth of the time, and nearly all amounts fit.
            (Ok(num), Ok(den)) => (
                i128::from(num.checked_div_euclid(den)?),
                i128::from(num.checked_rem_euclid(den)?),
            ),
            _ => (num.checked_div_euclid(den)?, num.checked_rem_euclid(den)?),
        };
        // Compared without doubling, which could overflow.
        let to_half = rest.cmp(&(den - rest));
        let up = match self {
            Rounding::Floor => false,
            Rounding::Ceil => rest > 0,
            Rounding::HalfUp => to_half.is_ge(),
            Rounding::HalfEven => to_half.is_gt() || (to_half.is_eq() && floor % 2 != 0),
        };
        i64::try_from(floor.checked_add(i128::from(up))?).ok()
    }
}

/// An exact sum of rates times amounts, rounded once at the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExactSum {
    num: i128,
    den: i128,
}

impl ExactSum {
    pub(crate) const ZERO: ExactSum = ExactSum { num: 0, den: 1 };

    /// Adds `amount` × `rate`; `None` when the exact sum leaves 128 bits.
    pub(crate) fn plus(self, rate: Rational, amount: i64) -> Option<Self> {
        let (num, den) = (
            i128::from(rate.num) * i128::from(amount),
            i128::from(rate.den),
        );
        // The first term, and others of the same rate, need no common denominator: no division in 128 bits.
        if self.den == 1 || self.den == den {
            let ours = match self.den {
                1 => self.num.checked_mul(den)?,
                _ => self.num,
            };
            let num = ours.checked_add(num)?;
            return Some(Self { num, den });
        }
        let common = gcd(self.den, den);
        let left = self.num.checked_mul(den / common)?;
        let right = num.checked_mul(self.den / common)?;
        Some(Self {
            num: left.checked_add(right)?,
            den: self.den.checked_mul(den / common)?,
        })
    }

    pub(crate) fn round(self, rounding: Rounding) -> Option<i64> {
        rounding.round(self.num, self.den)
    }
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_four_roundings_at_and_beside_a_half() {
        for (num, den, floor, ceil, half_up, half_even) in [
            (5, 2, 2, 3, 3, 2),
            (7, 2, 3, 4, 4, 4),
            (24, 10, 2, 3, 2, 2),
            (26, 10, 2, 3, 3, 3),
            (-5, 2, -3, -2, -2, -2),
            (4, 2, 2, 2, 2, 2),
            (0, 1, 0, 0, 0, 0),
        ] {
            let all = [
                Rounding::Floor,
                Rounding::Ceil,
                Rounding::HalfUp,
                Rounding::HalfEven,
            ]
            .map(|rounding| rounding.round(num, den));
            assert_eq!(
                all,
                [floor, ceil, half_up, half_even].map(Some),
                "{num}/{den}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(Rounding::HalfUp.round(i128::MAX, i128::MAX), Some(1));
        assert_eq!(Rounding::Floor.round(i128::MAX, 1), None);
        assert_eq!(Rounding::Floor.round(i128::MIN, 1), None);
        let large = Rational::new(i64::MAX, i64::MAX).unwrap();
        let other = Rational::new(i64::MAX, i64::MAX - 1).unwrap();
        let sum = ExactSum::ZERO.plus(large, i64::MAX).unwrap();
        assert!(sum.plus(other, i64::MAX).is_none());
    }

    proptest! {
        #[test]
        fn an_exact_sum_does_not_depend_on_its_order(
            terms in proptest::collection::vec((0_i64..1000, 1_i64..1000, 0_i64..100_000), 1..5)
        ) {
            let sum = |terms: &[(i64, i64, i64)]| terms.iter().try_fold(ExactSum::ZERO, |sum, &(n, d, m)| {
                sum.plus(Rational::new(n, d).unwrap(), m)
            }).unwrap();
            let mut reversed = terms.clone();
            reversed.reverse();
            for rounding in [Rounding::Floor, Rounding::Ceil, Rounding::HalfUp, Rounding::HalfEven] {
                prop_assert_eq!(sum(&terms).round(rounding), sum(&reversed).round(rounding));
            }
        }
    }
}
