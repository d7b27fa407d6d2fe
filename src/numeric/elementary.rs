//! Exponentials and logarithms of many numbers.
//!
//! Without a table and without a branch, so that the compiler computes as many at a time as the machine's vectors
//! hold. No multiplication is fused with an addition: the bits are the same at every level, and those of one
//! number alone.
#![allow(
    unsafe_code,
    reason = "calls of functions compiled for what the level has; compared with the portable form"
)]

use super::lanes::{Level, at_level};

/// ln 2 in two parts. The first ends in zeros, so that its product with an exponent is exact.
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
/// 1.5 · 2⁵²: what is added to it is rounded to a whole number, which its lowest bits then hold.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// 2⁵².
const WHOLE: f64 = 4_503_599_627_370_496.0;
const MANTISSA: u64 = (1 << 52) - 1;
const ONE: u64 = 1.0_f64.to_bits();
/// Below this the exponential is taken for 0, above [`LARGEST`] for infinite: 2ⁿ would not be a normal number.
const SMALLEST: f64 = -708.0;
const LARGEST: f64 = 709.0;

/// eˣ to a unit in the last place; 0 for x < −708, infinite for x > 709.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    // 1/k!: the first that is left out adds less than 5e-18.
    const OVER_FACTORIAL: [f64; 12] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    // Not `clamp`, which asks whether its limits are in order.
    let within = if x < SMALLEST { SMALLEST } else { x };
    let within = if within > LARGEST { LARGEST } else { within };
    let rounded = within * std::f64::consts::LOG2_E + ROUNDER;
    let n = rounded - ROUNDER;
    let rest = (within - n * LN_2[0]) - n * LN_2[1];
    let mut series = 0.0;
    for coefficient in OVER_FACTORIAL {
        series = series * rest + coefficient;
    }
    let small = 1.0 + (rest + rest * rest * series);
    let two_to_n = f64::from_bits((rounded.to_bits() << 52).wrapping_add(ONE));
    let result = small * two_to_n;
    let result = if x < SMALLEST { 0.0 } else { result };
    if x > LARGEST { f64::INFINITY } else { result }
}

/// ln(1 + y) to two units in the last place, for y ≥ 0 (an infinite one counts as the largest number).
#[inline(always)]
pub(crate) fn ln_1p(y: f64) -> f64 {
    // ln m = f − s (f − R) with f = m − 1, s = f / (2 + f), R = 2 Σ s²ᵏ / (2 k + 1), k from 1: the first that is
    // left out adds less than 1e-18.
    const TWO_OVER_ODD: [f64; 10] = [
        2.0 / 21.0,
        2.0 / 19.0,
        2.0 / 17.0,
        2.0 / 15.0,
        2.0 / 13.0,
        2.0 / 11.0,
        2.0 / 9.0,
        2.0 / 7.0,
        2.0 / 5.0,
        2.0 / 3.0,
    ];
    const ROOT_HALF: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    let y = if y > f64::MAX { f64::MAX } else { y };
    // The sum and what its rounding lost.
    let sum = 1.0 + y;
    let added = sum - 1.0;
    let lost = (1.0 - (sum - added)) + (y - added);
    // sum = 2ⁿ m with m between √½ and √2.
    let shifted = sum.to_bits().wrapping_add(ONE - ROOT_HALF);
    let n = f64::from_bits((shifted >> 52) | WHOLE.to_bits()) - (WHOLE + 1_023.0);
    let m = f64::from_bits((shifted & MANTISSA).wrapping_add(ROOT_HALF));
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let mut series = 0.0;
    for coefficient in TWO_OVER_ODD {
        series = series * square + coefficient;
    }
    let half = 0.5 * f * f;
    let correction = s * (half + square * series) + (n * LN_2[1] + lost / sum);
    n * LN_2[0] - ((half - correction) - f)
}

/// [`exp`] of each.
pub(crate) fn exp_all(level: Level, values: &mut [f64]) {
    #[inline(always)]
    fn each(values: &mut [f64]) {
        for value in values {
            *value = exp(*value);
        }
    }
    at_level!(level, each(values: &mut [f64]));
}

/// [`ln_1p`] of each.
pub(crate) fn ln_1p_all(level: Level, values: &mut [f64]) {
    #[inline(always)]
    fn each(values: &mut [f64]) {
        for value in values {
            *value = ln_1p(*value);
        }
    }
    at_level!(level, each(values: &mut [f64]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The distance in units of the last place of what is right.
    fn units(found: f64, right: f64) -> f64 {
        let unit = f64::from_bits(right.abs().to_bits() + 1) - right.abs();
        (found - right).abs() / unit
    }

    #[test]
    fn ends() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-708.1), 0.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(709.1), f64::INFINITY);
        assert_eq!(exp(f64::INFINITY), f64::INFINITY);
        assert!(exp(f64::NAN).is_nan());
        assert!(units(exp(-708.0), (-708.0_f64).exp()) <= 1.0);
        assert!(units(exp(709.0), 709.0_f64.exp()) <= 1.0);
        assert_eq!(ln_1p(0.0), 0.0);
        assert_eq!(ln_1p(f64::MIN_POSITIVE), f64::MIN_POSITIVE);
        assert_eq!(ln_1p(f64::INFINITY), f64::MAX.ln());
        assert!(ln_1p(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn exponentials(x in prop_oneof![-708.0..709.0_f64, -1.0..1.0_f64, -1e-9..1e-9_f64]) {
            prop_assert!(units(exp(x), libm::exp(x)) <= 1.0, "{x:e}");
        }

        #[test]
        fn logarithms(exponent in -300.0..300.0_f64, near in 0.0..3.0_f64) {
            for y in [10.0_f64.powf(exponent), near] {
                prop_assert!(units(ln_1p(y), libm::log1p(y)) <= 2.0, "{y:e}");
            }
        }

        #[test]
        fn all_have_the_bits_of_each_at_every_level(
            values in proptest::collection::vec(-750.0..750.0_f64, 0..40),
        ) {
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            let sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
            for level in Level::available() {
                let (mut powers, mut logarithms) = (values.clone(), sizes.clone());
                exp_all(level, &mut powers);
                ln_1p_all(level, &mut logarithms);
                let each: Vec<f64> = values.iter().map(|value| exp(*value)).collect();
                prop_assert_eq!(bits(&powers), bits(&each));
                let each: Vec<f64> = sizes.iter().map(|value| ln_1p(*value)).collect();
                prop_assert_eq!(bits(&logarithms), bits(&each));
            }
        }
    }
}
