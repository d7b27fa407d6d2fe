//! Which of many numbers reach a bound.
#![allow(
    unsafe_code,
    reason = "pointers into a checked slice; compared with the plain comparison"
)]

use super::lanes::{LANES, Lanes, Level, dispatch};

/// One bit for each block of [`LANES`] numbers, the first block lowest: whether any of them is at least `least`.
///
/// Blocks past the 64th, and numbers past the last whole block, are left out.
pub(crate) fn blocks_at_least(level: Level, numbers: &[f32], least: f32) -> u64 {
    dispatch!(level, at_least(numbers: &[f32], least: f32) -> u64)
}

/// # Safety
/// None but that of [`Lanes`].
#[inline(always)]
unsafe fn at_least<V: Lanes>(numbers: &[f32], least: f32) -> u64 {
    let mut bits = 0;
    // SAFETY: a chunk is sixteen numbers.
    unsafe {
        let least = V::splat(least);
        for (block, numbers) in numbers.chunks_exact(LANES).take(64).enumerate() {
            let reached = V::load(numbers.as_ptr()).any_at_least(least);
            bits |= u64::from(reached) << block;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bit_says_whether_a_block_reaches_the_bound(
            numbers in proptest::collection::vec(-4_i8..4, 0..200), least in -5_i8..5,
        ) {
            let numbers: Vec<f32> = numbers.into_iter().map(f32::from).collect();
            for level in Level::available() {
                let bits = blocks_at_least(level, &numbers, f32::from(least));
                let blocks = numbers.len() / LANES;
                for block in 0..64 {
                    let any = block < blocks && numbers[block * LANES..][..LANES].iter().any(|&n| n >= f32::from(least));
                    prop_assert_eq!(bits >> block & 1 == 1, any, "{:?}: block {}", level, block);
                }
            }
        }
    }
}
