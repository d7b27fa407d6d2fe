//! Cholesky factors of small matrices, in place and without allocation.
#![allow(
    unsafe_code,
    reason = "pointers into checked slices; compared with the f64 form"
)]

use super::lanes::{LANES, Lanes, Level, dispatch};

/// Solves A x = b for a positive definite A of `f32`; false when a pivot is not positive.
///
/// `a` holds the lower triangle by columns, element (i, j) at `a[j · stride + i]`, and is overwritten by its
/// factor; `x` holds b and then x. `stride` is a multiple of [`LANES`] that is at least `n`, and `x` has `stride` places,
/// those from `n` on 0.
pub(crate) fn solve(level: Level, a: &mut [f32], stride: usize, n: usize, x: &mut [f32]) -> bool {
    // The kernel reads and writes through pointers; these are its bounds.
    assert!(
        stride.is_multiple_of(LANES) && n <= stride && n * stride <= a.len() && x.len() >= stride,
        "a system outside its matrix"
    );
    dispatch!(level, solve_with(a: &mut [f32], stride: usize, n: usize, x: &mut [f32]) -> bool)
}

/// # Safety
/// The bounds that [`solve`] checks.
#[inline(always)]
unsafe fn solve_with<V: Lanes>(a: &mut [f32], stride: usize, n: usize, x: &mut [f32]) -> bool {
    let (a, x) = (a.as_mut_ptr(), x.as_mut_ptr());
    let rows = n.next_multiple_of(LANES);
    // SAFETY: column j < n begins at j · stride and is `stride` ≥ `rows` long; x is `stride` long.
    unsafe {
        for j in 0..n {
            let column = a.add(j * stride);
            let first = j / LANES * LANES;
            let mut block = first;
            while block < rows {
                if block + 4 * LANES <= rows {
                    subtract::<V, 4>(a, stride, j, block);
                    block += 4 * LANES;
                } else if block + 2 * LANES <= rows {
                    subtract::<V, 2>(a, stride, j, block);
                    block += 2 * LANES;
                } else {
                    subtract::<V, 1>(a, stride, j, block);
                    block += LANES;
                }
            }
            let pivot = *column.add(j);
            // Not `<=`: a NaN is no pivot either.
            if !(pivot > 0.0 && pivot.is_finite()) {
                return false;
            }
            let scale = V::splat(1.0 / pivot.sqrt());
            for block in (first..rows).step_by(LANES) {
                let zero = V::splat(0.0);
                V::load(column.add(block))
                    .mul_add(scale, zero)
                    .store(column.add(block));
            }
            // The loops below go over whole vectors: what is right of the diagonal must not count.
            for i in first..j {
                *column.add(i) = 0.0;
            }
            // The forward substitution, while the column is at hand.
            let solved = *x.add(j) / *column.add(j);
            let factor = V::splat(-solved);
            for block in (first..rows).step_by(LANES) {
                let rest = V::load(column.add(block)).mul_add(factor, V::load(x.add(block)));
                rest.store(x.add(block));
            }
            *x.add(j) = solved;
        }
        for j in (0..n).rev() {
            let column = a.add(j * stride);
            let solved = *x.add(j);
            *x.add(j) = 0.0;
            let mut sum = V::splat(0.0);
            for block in (j / LANES * LANES..rows).step_by(LANES) {
                sum = V::load(column.add(block)).mul_add(V::load(x.add(block)), sum);
            }
            *x.add(j) = (solved - sum.sum()) / *column.add(j);
        }
    }
    true
}

/// Takes the columns before `j` out of `B` blocks of column `j`.
///
/// # Safety
/// `B` · 16 rows from `block` on in columns 0 ..= j.
#[inline(always)]
unsafe fn subtract<V: Lanes, const B: usize>(a: *mut f32, stride: usize, j: usize, block: usize) {
    // SAFETY: all offsets are rows from `block` on, or row `j`, of columns 0 ..= j.
    unsafe {
        let mut sums = [V::splat(0.0); B];
        for (b, sum) in sums.iter_mut().enumerate() {
            *sum = V::load(a.add(j * stride + block + b * LANES));
        }
        for k in 0..j {
            let column = a.add(k * stride);
            let factor = V::splat(-*column.add(j));
            for (b, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(column.add(block + b * LANES)).mul_add(factor, *sum);
            }
        }
        for (b, sum) in sums.iter().enumerate() {
            sum.store(a.add(j * stride + block + b * LANES));
        }
    }
}

/// Solves A x = b in `f64`; false when a pivot is not positive.
///
/// `a` holds all of A by rows (n × n) and is overwritten; `x` holds b and then x.
pub(crate) fn solve_f64(a: &mut [f64], x: &mut [f64]) -> bool {
    let n = x.len();
    for j in 0..n {
        let (done, rest) = a.split_at_mut((j * n).min(a.len()));
        let Some(row) = rest.get_mut(..n) else {
            return false;
        };
        for (k, other) in done.chunks_exact(n).enumerate() {
            let product: f64 = row.iter().zip(other).take(k).map(|(a, b)| a * b).sum();
            if let (Some(at), Some(&diagonal)) = (row.get_mut(k), other.get(k)) {
                *at = (*at - product) / diagonal;
            }
        }
        let square: f64 = row.iter().take(j).map(|l| l * l).sum();
        let product: f64 = row.iter().zip(&*x).take(j).map(|(l, x)| l * x).sum();
        let Some(pivot) = row.get_mut(j) else {
            return false;
        };
        let left = *pivot - square;
        if !(left > 0.0 && left.is_finite()) {
            return false;
        }
        *pivot = left.sqrt();
        if let Some(at) = x.get_mut(j) {
            *at = (*at - product) / *pivot;
        }
    }
    for j in (0..n).rev() {
        let (before, from) = x.split_at_mut(j);
        if let (Some(at), Some(row)) = (from.first_mut(), a.chunks_exact(n).nth(j)) {
            *at /= row.get(j).copied().unwrap_or(1.0);
            for (other, l) in before.iter_mut().zip(row) {
                *other -= *at * l;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};
    use proptest::prelude::*;

    fn system(n: usize, seed: u64) -> (DMatrix<f64>, DVector<f64>) {
        let number = |i: usize, j: usize| {
            let mixed =
                (i as u64 * 7_919 + j as u64 * 104_729 + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed >> 40) as f64 / 16_777_216.0 - 0.5
        };
        let half = DMatrix::from_fn(n, n + 3, number);
        let a = &half * half.transpose() + DMatrix::identity(n, n);
        (a, DVector::from_fn(n, |i, _| number(i, n + 5)))
    }

    proptest! {
        #[test]
        fn both_forms_solve_what_nalgebra_solves(n in 1_usize..90, seed: u32) {
            let (a, b) = system(n, u64::from(seed));
            let expected = a.clone().cholesky().unwrap().solve(&b);
            let largest = expected.amax();
            let mut rows: Vec<f64> = a.iter().copied().collect();
            let mut x: Vec<f64> = b.iter().copied().collect();
            prop_assert!(solve_f64(&mut rows, &mut x));
            for (x, expected) in x.iter().zip(&expected) {
                prop_assert!((x - expected).abs() <= 1e-10 * largest);
            }
            let stride = n.next_multiple_of(LANES);
            for level in Level::available() {
                // Whatever is above the diagonal must not matter.
                let mut columns = vec![f32::NAN; n * stride];
                for j in 0..n {
                    for i in j..n {
                        columns[j * stride + i] = a[(i, j)] as f32;
                    }
                    columns[j * stride + n..(j + 1) * stride].fill(0.0);
                }
                let mut x = vec![0.0; stride];
                for (x, &b) in x.iter_mut().zip(&b) {
                    *x = b as f32;
                }
                prop_assert!(solve(level, &mut columns, stride, n, &mut x));
                for (x, expected) in x.iter().zip(&expected) {
                    let error = (f64::from(*x) - expected).abs();
                    prop_assert!(error <= 1e-3 * largest, "{:?}: {} for {}", level, x, expected);
                }
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        for level in Level::available() {
            for pivot in [0.0, -1.0, f32::NAN, f32::INFINITY] {
                let mut a = vec![0.0; LANES];
                a[0] = pivot;
                assert!(
                    !solve(level, &mut a, LANES, 1, &mut [0.0; LANES]),
                    "{level:?}: {pivot}"
                );
            }
        }
        assert!(!solve_f64(&mut [1.0, 2.0, 2.0, 1.0], &mut [1.0, 1.0]));
        assert!(!solve_f64(&mut [f64::NAN], &mut [1.0]));
    }
}
