//! Products of a vector with many rows of a byte or two a number.
//!
//! Plain loops that the compiler turns into the widest instructions that the level has; as no multiplication is fused
//! with an addition, the bits are the same at every level.
#![allow(
    unsafe_code,
    reason = "calls of functions compiled for what the level has; compared with the portable form"
)]

use super::lanes::{Lanes, Level, dispatch};

/// Rows whose products are computed together.
pub(crate) const BLOCK: usize = 128;

/// A number of less than four bytes.
pub(crate) trait Compact: Copy {
    fn widen(self) -> f32;
}

impl Compact for i8 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from(self)
    }
}

/// A finite number of IEEE 754 half precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Half(pub(crate) u16);

impl Half {
    /// The largest.
    pub(crate) const MAX: f32 = 65_504.0;

    /// The nearest, ties to even; numbers past [`MAX`](Self::MAX) become it.
    pub(crate) fn nearest(number: f32) -> Self {
        let sign = if number.is_sign_negative() { 0x8000 } else { 0 };
        let size = number.abs().min(Self::MAX);
        // Below 2⁻¹⁴ the steps are 2⁻²⁴ wide, above it 2⁻¹⁰ of the power of two.
        let bits = if size < 6.103_515_6e-5 {
            libm::rintf(size * 16_777_216.0) as u32
        } else {
            let bits = size.to_bits() - (112 << 23);
            let odd = bits >> 13 & 1;
            (bits + 0x0fff + odd) >> 13
        };
        Self(sign | bits as u16)
    }
}

impl Compact for Half {
    #[inline(always)]
    fn widen(self) -> f32 {
        let bits = u32::from(self.0);
        // The exponents' biases differ by 112; the product is exact, for the smallest numbers too.
        let size = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((112 + 127) << 23);
        f32::from_bits(size.to_bits() | (bits & 0x8000) << 16)
    }
}

/// For each of [`BLOCK`] rows Σ x[k] · row[k], where the k-th numbers of all rows lie together.
pub(crate) fn products<T: Compact>(level: Level, x: &[f32], rows: &[T], out: &mut [f32; BLOCK]) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2<T: Compact>(x: &[f32], rows: &[T], out: &mut [f32; BLOCK]) {
        sums(x, rows, out);
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx2,fma")]
    fn avx512<T: Compact>(x: &[f32], rows: &[T], out: &mut [f32; BLOCK]) {
        sums(x, rows, out);
    }
    match level {
        Level::Portable => sums(x, rows, out),
        // SAFETY: a level other than the portable one comes from `Level::detect`.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2(x, rows, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512(x, rows, out) },
    }
}

#[inline(always)]
fn sums<T: Compact>(x: &[f32], rows: &[T], out: &mut [f32; BLOCK]) {
    const LANES: usize = 64;
    for (half, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let mut sums = [0.0_f32; LANES];
        for (x, numbers) in x.iter().zip(rows.as_chunks::<BLOCK>().0) {
            let (halves, _) = numbers.as_chunks::<LANES>();
            if let Some(numbers) = halves.get(half) {
                for (sum, number) in sums.iter_mut().zip(numbers) {
                    *sum += x * number.widen();
                }
            }
        }
        *out = sums;
    }
}

/// As [`products`], of `f32` in double precision.
pub(crate) fn wide_products(level: Level, x: &[f64], rows: &[f32], out: &mut [f64; BLOCK]) {
    dispatch!(level, wide_sums(x: &[f64], rows: &[f32], out: &mut [f64; BLOCK]));
}

/// # Safety
/// The machine has the instructions of `V`, which says no more than what is compiled for.
#[inline(always)]
unsafe fn wide_sums<V: Lanes>(x: &[f64], rows: &[f32], out: &mut [f64; BLOCK]) {
    const LANES: usize = 32;
    for (part, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let mut sums = [0.0_f64; LANES];
        for (x, numbers) in x.iter().zip(rows.as_chunks::<BLOCK>().0) {
            let (parts, _) = numbers.as_chunks::<LANES>();
            if let Some(numbers) = parts.get(part) {
                for (sum, &number) in sums.iter_mut().zip(numbers) {
                    *sum += x * f64::from(number);
                }
            }
        }
        *out = sums;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_half_survives_and_known_ones_are_known() {
        for bits in (0..=0x7bff_u16).flat_map(|bits| [bits, bits | 0x8000]) {
            assert_eq!(Half::nearest(Half(bits).widen()), Half(bits));
        }
        for (bits, number) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65_504.0),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(Half(bits).widen(), number);
        }
        assert_eq!(Half::nearest(1e9), Half(0x7bff));
        // Halfway between 1 and its successor: to the even one.
        assert_eq!(Half::nearest(1.000_488_3), Half(0x3c00));
        assert_eq!(Half::nearest(1.001_464_8), Half(0x3c02));
    }

    proptest! {
        #[test]
        fn a_half_is_the_nearest(number in -70_000.0_f32..70_000.0, scale in -24_i32..0) {
            let number = number * 2_f32.powi(scale);
            let error = (Half::nearest(number).widen() - number).abs();
            let step = (number.abs() / 1_024.0).max(2_f32.powi(-24));
            prop_assert!(error <= step / 2.0 || number.abs() > Half::MAX);
        }

        #[test]
        fn wide_products_are_those_in_order_at_every_level(
            x in proptest::collection::vec(-2.0_f64..2.0, 0..20), salt in 0_usize..1_000,
        ) {
            let number = |i: usize| ((i * 37 + salt) % 255) as f32 / 7.0 - 18.0;
            let rows: Vec<f32> = (0..x.len() * BLOCK).map(number).collect();
            for level in Level::available() {
                let mut out = [1.0; BLOCK];
                wide_products(level, &x, &rows, &mut out);
                for (c, out) in out.iter().enumerate() {
                    let terms = x.iter().enumerate().map(|(k, x)| x * f64::from(rows[k * BLOCK + c]));
                    prop_assert_eq!(*out, terms.fold(0.0, |sum, term| sum + term));
                }
            }
        }

        #[test]
        fn products_are_those_by_hand_at_every_level(
            x in proptest::collection::vec(-2.0_f32..2.0, 1..20), salt in 0_usize..1_000,
        ) {
            let bytes: Vec<i8> = (0..x.len() * BLOCK).map(|i| ((i * 37 + salt) % 255) as u8 as i8).collect();
            let halves: Vec<Half> = bytes.iter().map(|&b| Half::nearest(f32::from(b) / 7.0)).collect();
            let (mut first, mut second) = ([0.0; BLOCK], [0.0; BLOCK]);
            products(Level::Portable, &x, &bytes, &mut first);
            products(Level::Portable, &x, &halves, &mut second);
            for c in 0..BLOCK {
                let byte: f64 = x.iter().enumerate().map(|(k, x)| f64::from(*x) * f64::from(bytes[k * BLOCK + c])).sum();
                let half: f64 = x.iter().enumerate().map(|(k, x)| f64::from(*x) * f64::from(halves[k * BLOCK + c].widen())).sum();
                prop_assert!((f64::from(first[c]) - byte).abs() < 1e-2 && (f64::from(second[c]) - half).abs() < 1e-2);
            }
            for level in Level::available() {
                let mut out = [1.0; BLOCK];
                products(level, &x, &bytes, &mut out);
                prop_assert_eq!(out, first);
                products(level, &x, &halves, &mut out);
                prop_assert_eq!(out, second);
            }
        }
    }
}
