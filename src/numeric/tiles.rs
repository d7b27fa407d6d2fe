//! Products of small dense matrices of `f32`, the one loop that factor models spend their time in.
#![allow(
    unsafe_code,
    reason = "pointers into checked slices; compared with the portable form and the sum by hand"
)]

use super::lanes::{LANES, Lanes, Level, dispatch};

/// The left matrix: element (r, k) is `numbers[r · row + k · step]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

/// The right matrix: element (k, c) is `numbers[k · row + c]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) row: usize,
}

/// The size of a product: `rows` × `columns`, each element a sum over `depth`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    /// A multiple of [`LANES`].
    pub(crate) columns: usize,
    pub(crate) depth: usize,
}

/// Which elements of a product are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// Those on and right of the diagonal; others may be left as they are.
    Upper,
}

/// Adds left · right to `out`, whose element (r, c) is `out[r · out_row + c]`.
///
/// Each element is one chain of fused multiply-adds over the depth in order: how the work is cut into tiles
/// does not show in the bits.
pub(crate) fn add_product(
    level: Level,
    shape: Shape,
    left: Left<'_>,
    right: Right<'_>,
    part: Part,
    out: &mut [f32],
    out_row: usize,
) {
    let Shape {
        rows,
        columns,
        depth,
    } = shape;
    if rows == 0 || columns == 0 || depth == 0 {
        return;
    }
    // The kernel reads and writes through pointers; these are its bounds.
    assert!(
        columns.is_multiple_of(LANES)
            && (rows - 1) * left.row + (depth - 1) * left.step < left.numbers.len()
            && (depth - 1) * right.row + columns <= right.numbers.len()
            && (rows - 1) * out_row + columns <= out.len()
            && columns <= out_row.max(columns * usize::from(rows == 1)),
        "a product outside its matrices"
    );
    dispatch!(level, product(
        shape: Shape, left: Left<'_>, right: Right<'_>, part: Part, out: &mut [f32], out_row: usize,
    ));
}

/// # Safety
/// The bounds that [`add_product`] checks.
#[inline(always)]
unsafe fn product<V: Lanes>(
    shape: Shape,
    left: Left<'_>,
    right: Right<'_>,
    part: Part,
    out: &mut [f32],
    out_row: usize,
) {
    let mut row = 0;
    while row < shape.rows {
        let here = tile_rows::<V>(shape.rows - row);
        let mut column = match part {
            Part::All => 0,
            Part::Upper => row / LANES * LANES,
        };
        while column < shape.columns {
            let wide = column + 2 * LANES <= shape.columns;
            // SAFETY: rows `row..row + here` and columns up to `column + 32` (or 16) lie inside all three.
            unsafe {
                let a = left.numbers.as_ptr().add(row * left.row);
                let b = right.numbers.as_ptr().add(column);
                let c = out.as_mut_ptr().add(row * out_row + column);
                let place = Place {
                    left,
                    right_row: right.row,
                    out_row,
                    depth: shape.depth,
                };
                match (here, wide) {
                    (8, true) => tile::<V, 8, 2>(a, b, c, place),
                    (8, false) => tile::<V, 8, 1>(a, b, c, place),
                    (4, true) => tile::<V, 4, 2>(a, b, c, place),
                    (4, false) => tile::<V, 4, 1>(a, b, c, place),
                    (3, true) => tile::<V, 3, 2>(a, b, c, place),
                    (3, false) => tile::<V, 3, 1>(a, b, c, place),
                    (_, true) => tile::<V, 1, 2>(a, b, c, place),
                    (_, false) => tile::<V, 1, 1>(a, b, c, place),
                }
            }
            column += if wide { 2 * LANES } else { LANES };
        }
        row += here;
    }
}

/// How many rows the next tile has.
#[inline(always)]
fn tile_rows<V: Lanes>(left: usize) -> usize {
    match V::TILE_ROWS {
        8 if left >= 8 => 8,
        8 if left >= 4 => 4,
        3 if left >= 3 => 3,
        _ => 1,
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    left: Left<'a>,
    right_row: usize,
    out_row: usize,
    depth: usize,
}

/// # Safety
/// `R` rows of `depth` behind `a`, `depth` rows of `16 · W` behind `b`, `R` rows of `16 · W` behind `c`.
#[inline(always)]
unsafe fn tile<V: Lanes, const R: usize, const W: usize>(
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    place: Place<'_>,
) {
    // SAFETY: every offset is one of those that the caller vouches for.
    unsafe {
        let mut sums = [[V::splat(0.0); W]; R];
        for (r, sums) in sums.iter_mut().enumerate() {
            for (w, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(c.add(r * place.out_row + w * LANES));
            }
        }
        for k in 0..place.depth {
            let mut columns = [V::splat(0.0); W];
            for (w, column) in columns.iter_mut().enumerate() {
                *column = V::load(b.add(k * place.right_row + w * LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let factor = V::splat(*a.add(r * place.left.row + k * place.left.step));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = factor.mul_add(column, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (w, sum) in sums.iter().enumerate() {
                sum.store(c.add(r * place.out_row + w * LANES));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rough(length: usize, seed: u32) -> Vec<f32> {
        let number = |i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) as f32;
        (0..length as u32)
            .map(|i| number(i) / 8_388_608.0 - 1.0)
            .collect()
    }

    proptest! {
        #[test]
        fn a_product_is_the_sum_by_hand_at_every_level(
            rows in 0_usize..20, blocks in 0_usize..5, depth in 0_usize..40,
            transposed: bool, seed: u32, upper: bool,
        ) {
            let columns = blocks * LANES;
            let (a, b) = (rough(rows * depth, seed), rough(depth * columns, !seed));
            let start = rough(rows * columns, seed ^ 7);
            let (row, step) = if transposed { (1, rows) } else { (depth, 1) };
            let part = if upper { Part::Upper } else { Part::All };
            let mut bits = Vec::new();
            for level in Level::available() {
                let mut out = start.clone();
                let shape = Shape { rows, columns, depth };
                let left = Left { numbers: &a, row, step };
                add_product(level, shape, left, Right { numbers: &b, row: columns }, part, &mut out, columns);
                for r in 0..rows {
                    for c in (if upper { r } else { 0 })..columns {
                        let exact: f64 = (0..depth)
                            .map(|k| f64::from(a[r * row + k * step]) * f64::from(b[k * columns + c]))
                            .sum::<f64>() + f64::from(start[r * columns + c]);
                        let near = (f64::from(out[r * columns + c]) - exact).abs() < 1e-5;
                        prop_assert!(near, "{:?}: row {}, column {}", level, r, c);
                    }
                }
                // Below the diagonal anything may be left.
                if level != Level::Portable && !upper {
                    bits.push(out);
                }
            }
            prop_assert!(bits.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }
}
