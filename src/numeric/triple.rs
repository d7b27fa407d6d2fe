//! A vector between two others: what a stochastic step on a pair of items reads and writes.
#![allow(
    unsafe_code,
    reason = "pointers into checked slices; compared with the sum by hand"
)]

use super::lanes::{LANES, Lanes, Level, dispatch};

/// x · y of two vectors of one length, a multiple of [`LANES`].
pub(crate) fn product(level: Level, x: &[f32], y: &[f32]) -> f32 {
    // The kernel reads through pointers; these are its bounds.
    assert!(
        x.len().is_multiple_of(LANES) && y.len() == x.len(),
        "vectors of two lengths"
    );
    dispatch!(level, product_of(x: &[f32], y: &[f32]) -> f32)
}

/// # Safety
/// Both are of one length, a multiple of 16.
#[inline(always)]
unsafe fn product_of<V: Lanes>(x: &[f32], y: &[f32]) -> f32 {
    // SAFETY: every offset is below the length, in steps of 16.
    unsafe {
        let mut sum = V::splat(0.0);
        for at in (0..x.len()).step_by(LANES) {
            sum = V::load(x.as_ptr().add(at)).mul_add(V::load(y.as_ptr().add(at)), sum);
        }
        sum.sum()
    }
}

/// Draws x to `near` and from `far`, and them likewise: with k = `keep` and s = `step`,
/// x ← k x + s (near − far), near ← k near + s x, far ← k far − s x, all from the old x.
///
/// All three are of one length, a multiple of [`LANES`].
pub(crate) fn draw(
    level: Level,
    x: &mut [f32],
    near: &mut [f32],
    far: &mut [f32],
    step: f32,
    keep: f32,
) {
    // The kernel reads and writes through pointers; these are its bounds.
    assert!(
        x.len().is_multiple_of(LANES) && near.len() == x.len() && far.len() == x.len(),
        "vectors of two lengths"
    );
    dispatch!(level, drawn(
        x: &mut [f32], near: &mut [f32], far: &mut [f32], step: f32, keep: f32,
    ));
}

/// # Safety
/// All are of one length, a multiple of 16.
#[inline(always)]
unsafe fn drawn<V: Lanes>(x: &mut [f32], near: &mut [f32], far: &mut [f32], step: f32, keep: f32) {
    // SAFETY: every offset is below the length, in steps of 16.
    unsafe {
        let zero = V::splat(0.0);
        let (back, step, keep) = (V::splat(-step), V::splat(step), V::splat(keep));
        for at in (0..x.len()).step_by(LANES) {
            let old = V::load(x.as_ptr().add(at));
            let i = V::load(near.as_ptr().add(at));
            let j = V::load(far.as_ptr().add(at));
            let moved = i.mul_add(step, old.mul_add(keep, zero));
            j.mul_add(back, moved).store(x.as_mut_ptr().add(at));
            old.mul_add(step, i.mul_add(keep, zero))
                .store(near.as_mut_ptr().add(at));
            old.mul_add(back, j.mul_add(keep, zero))
                .store(far.as_mut_ptr().add(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_and_steps_are_those_by_hand_at_every_level(
            blocks in 1_usize..6, step in -0.5_f32..0.5, keep in 0.9_f32..1.0,
        ) {
            let row = |by: usize| -> Vec<f32> {
                (0..blocks * LANES).map(|i| ((i * by % 101) as f32 - 50.0) / 50.0).collect()
            };
            let (x, near, far) = (row(37), row(13), row(71));
            let expected: f64 = x.iter().zip(&near).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            for level in Level::available() {
                prop_assert!((f64::from(product(level, &x, &near)) - expected).abs() < 1e-3);
                let (mut a, mut b, mut c) = (x.clone(), near.clone(), far.clone());
                draw(level, &mut a, &mut b, &mut c, step, keep);
                for at in 0..x.len() {
                    prop_assert!((a[at] - (x[at] * keep + step * (near[at] - far[at]))).abs() < 1e-5);
                    prop_assert!((b[at] - (near[at] * keep + step * x[at])).abs() < 1e-5);
                    prop_assert!((c[at] - (far[at] * keep - step * x[at])).abs() < 1e-5);
                }
            }
        }
    }
}
