//! Rows of a matrix picked by number: the product of a sparse row with dense factors.
#![allow(
    unsafe_code,
    reason = "pointers into checked slices; compared with the sum by hand"
)]

use super::lanes::{LANES, Lanes, Level, dispatch};

/// Adds Σ (`constant`ᵢ + `slope`ᵢ · (yᵢ · `vector`)) yᵢ to `out`, over the rows yᵢ of `factors` that `rows` picks.
///
/// Gives Σ `constant`ᵢ · (yᵢ · `vector`).
///
/// A row is `vector.len()` long, a multiple of [`LANES`]; `out` is as long. Rows that are not there, and those past the
/// shortest of `rows`, `constant` and `slope`, add nothing.
pub(crate) fn add_weighted(
    level: Level,
    factors: &[f32],
    rows: &[u32],
    constant: &[f32],
    slope: &[f32],
    vector: &[f32],
    out: &mut [f32],
) -> f64 {
    // The kernel reads and writes through pointers; these are its bounds, and each row is checked there.
    assert!(
        vector.len().is_multiple_of(LANES) && out.len() == vector.len(),
        "rows that are not whole vectors"
    );
    dispatch!(level, weighted(
        factors: &[f32], rows: &[u32], constant: &[f32], slope: &[f32], vector: &[f32], out: &mut [f32],
    ) -> f64)
}

/// # Safety
/// `vector` and `out` are of one length, a multiple of 16.
#[inline(always)]
unsafe fn weighted<V: Lanes>(
    factors: &[f32],
    rows: &[u32],
    constant: &[f32],
    slope: &[f32],
    vector: &[f32],
    out: &mut [f32],
) -> f64 {
    let entries = rows.iter().zip(constant).zip(slope);
    let entries = entries.map(|((&row, &constant), &slope)| (row, constant, slope));
    // SAFETY: the widths are those of the arms; what the caller vouches for is passed on.
    unsafe {
        match vector.len() {
            32 => in_registers::<V, 2>(factors, entries, vector, out),
            64 => in_registers::<V, 4>(factors, entries, vector, out),
            128 => in_registers::<V, 8>(factors, entries, vector, out),
            _ => in_memory::<V>(factors, entries, vector, out),
        }
    }
}

/// # Safety
/// `vector` and `out` are `W` · 16 long.
#[inline(always)]
unsafe fn in_registers<V: Lanes, const W: usize>(
    factors: &[f32],
    entries: impl Iterator<Item = (u32, f32, f32)>,
    vector: &[f32],
    out: &mut [f32],
) -> f64 {
    let width = W * LANES;
    // SAFETY: the offsets stay below `width` in the vector, in the sum and in a row that was found.
    unsafe {
        let mut direction = [V::splat(0.0); W];
        let mut sums = [V::splat(0.0); W];
        for w in 0..W {
            direction[w] = V::load(vector.as_ptr().add(w * LANES));
            sums[w] = V::load(out.as_ptr().add(w * LANES));
        }
        let mut total = 0.0;
        for (row, constant, slope) in entries {
            let begin = row as usize * width;
            let Some(row) = factors.get(begin..begin + width) else {
                continue;
            };
            let mut numbers = [V::splat(0.0); W];
            let mut product = V::splat(0.0);
            for w in 0..W {
                numbers[w] = V::load(row.as_ptr().add(w * LANES));
                product = numbers[w].mul_add(direction[w], product);
            }
            let product = product.sum();
            total += f64::from(constant) * f64::from(product);
            let factor = V::splat(slope * product + constant);
            for w in 0..W {
                sums[w] = numbers[w].mul_add(factor, sums[w]);
            }
        }
        for (w, sum) in sums.iter().enumerate() {
            sum.store(out.as_mut_ptr().add(w * LANES));
        }
        total
    }
}

/// # Safety
/// `vector` and `out` are of one length, a multiple of 16.
#[inline(always)]
unsafe fn in_memory<V: Lanes>(
    factors: &[f32],
    entries: impl Iterator<Item = (u32, f32, f32)>,
    vector: &[f32],
    out: &mut [f32],
) -> f64 {
    let width = vector.len();
    let mut total = 0.0;
    for (row, constant, slope) in entries {
        let begin = row as usize * width;
        let Some(row) = factors.get(begin..begin + width) else {
            continue;
        };
        // SAFETY: every offset is below `width`, in steps of 16.
        unsafe {
            let mut product = V::splat(0.0);
            for at in (0..width).step_by(LANES) {
                let number = V::load(row.as_ptr().add(at));
                product = number.mul_add(V::load(vector.as_ptr().add(at)), product);
            }
            let product = product.sum();
            total += f64::from(constant) * f64::from(product);
            let factor = V::splat(slope * product + constant);
            for at in (0..width).step_by(LANES) {
                let sum = V::load(out.as_ptr().add(at));
                let sum = V::load(row.as_ptr().add(at)).mul_add(factor, sum);
                sum.store(out.as_mut_ptr().add(at));
            }
        }
    }
    total
}

/// Writes the sum of the rows of `matrix`, `width` long, that `rows` picks, as many of its numbers as `out` has places. Rows
/// that are not there add nothing.
pub(crate) fn write_sum(level: Level, matrix: &[f32], width: usize, rows: &[u32], out: &mut [f32]) {
    assert!(out.len() <= width, "more places than a row has numbers");
    dispatch!(level, sum_of_rows(matrix: &[f32], width: usize, rows: &[u32], out: &mut [f32]));
}

/// # Safety
/// `out` is at most `width` long.
#[inline(always)]
unsafe fn sum_of_rows<V: Lanes>(matrix: &[f32], width: usize, rows: &[u32], out: &mut [f32]) {
    const WIDE: usize = 8;
    let mut at = 0;
    // SAFETY: there are as many places from `at` on as each of the calls writes.
    unsafe {
        while at + WIDE * LANES <= out.len() {
            sum_of_parts::<V, WIDE>(matrix, width, rows, at, out.as_mut_ptr().add(at));
            at += WIDE * LANES;
        }
        while at + LANES <= out.len() {
            sum_of_parts::<V, 1>(matrix, width, rows, at, out.as_mut_ptr().add(at));
            at += LANES;
        }
    }
    for (at, place) in out.iter_mut().enumerate().skip(at) {
        let numbers = rows
            .iter()
            .map(|&row| matrix.get(row as usize * width + at));
        *place = numbers.flatten().fold(0.0, |sum, number| sum + number);
    }
}

/// # Safety
/// `W` · 16 places behind `out`.
#[inline(always)]
unsafe fn sum_of_parts<V: Lanes, const W: usize>(
    matrix: &[f32],
    width: usize,
    rows: &[u32],
    at: usize,
    out: *mut f32,
) {
    // SAFETY: the offsets stay below `W` · 16 in the places and in a row that was found.
    unsafe {
        let mut sums = [V::splat(0.0); W];
        for &row in rows {
            let begin = row as usize * width + at;
            let Some(row) = matrix.get(begin..begin + W * LANES) else {
                continue;
            };
            for (w, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(row.as_ptr().add(w * LANES)).mul_add(V::splat(1.0), *sum);
            }
        }
        for (w, sum) in sums.iter().enumerate() {
            sum.store(out.add(w * LANES));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sum_of_rows_is_that_in_order_at_every_level(
            width in 1_usize..300,
            short in 0_usize..20,
            rows in proptest::collection::vec(0_u32..9, 0..20),
        ) {
            // Seven rows: two of the numbers that may be drawn are not there.
            let matrix: Vec<f32> = (0..7 * width).map(|i| ((i * 37 % 101) as f32 - 50.3) / 7.0).collect();
            let mut expected = vec![0.0; width.saturating_sub(short)];
            for row in rows.iter().filter_map(|&row| matrix.chunks_exact(width).nth(row as usize)) {
                expected.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
            }
            for level in Level::available() {
                let mut out = vec![f32::NAN; expected.len()];
                write_sum(level, &matrix, width, &rows, &mut out);
                prop_assert_eq!(&out, &expected, "{:?}", level);
            }
        }

        #[test]
        fn the_sum_is_that_by_hand_at_every_level(
            blocks in 1_usize..10,
            entries in proptest::collection::vec((0_u32..12, -1.0_f32..1.0, -1.0_f32..1.0), 0..30),
        ) {
            let width = blocks * LANES;
            // Ten rows: two of the numbers that may be drawn are not there.
            let factors: Vec<f32> = (0..10 * width).map(|i| ((i * 37 % 101) as f32 - 50.0) / 200.0).collect();
            let vector: Vec<f32> = (0..width).map(|i| ((i * 13 % 29) as f32 - 14.0) / 50.0).collect();
            let mut expected: Vec<f64> = (0..width).map(|i| i as f64 / 100.0).collect();
            let mut products = 0.0;
            for &(row, constant, slope) in entries.iter().filter(|entry| entry.0 < 10) {
                let row = &factors[row as usize * width..][..width];
                let product: f64 = row.iter().zip(&vector).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                products += f64::from(constant) * product;
                for (sum, &number) in expected.iter_mut().zip(row) {
                    *sum += (f64::from(constant) + f64::from(slope) * product) * f64::from(number);
                }
            }
            let rows: Vec<u32> = entries.iter().map(|entry| entry.0).collect();
            let constant: Vec<f32> = entries.iter().map(|entry| entry.1).collect();
            let slope: Vec<f32> = entries.iter().map(|entry| entry.2).collect();
            for level in Level::available() {
                let mut out: Vec<f32> = (0..width).map(|i| i as f32 / 100.0).collect();
                let total = add_weighted(level, &factors, &rows, &constant, &slope, &vector, &mut out);
                prop_assert!((total - products).abs() < 1e-4, "{:?}", level);
                for (out, expected) in out.iter().zip(&expected) {
                    prop_assert!((f64::from(*out) - expected).abs() < 1e-4, "{:?}", level);
                }
            }
        }
    }
}
