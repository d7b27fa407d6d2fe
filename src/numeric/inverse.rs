//! The inverse of a large symmetric positive definite matrix.

use nalgebra::{Cholesky, DMatrix, DMatrixView, DMatrixViewMut, RealField};

use super::reduce::each_block;

/// Columns that are swept at a time: wide enough that nearly all work is multiplication of matrices.
const BLOCK: usize = 128;

/// Inverts in place a symmetric positive definite matrix of order `n`, of which only the lower triangle, column by
/// column, is read; both triangles of the inverse are written. Returns whether it could: a matrix that is not
/// positive definite to the precision of `T` is left in pieces.
///
/// The symmetric sweep (Goodnight 1979) in blocks: for each block of columns C with pivot D, A − C D⁻¹ Cᵀ elsewhere,
/// C D⁻¹ in the block, −D⁻¹ in the pivot; after the last block stands −A⁻¹. n³ operations in all, as many as a
/// Cholesky factorisation and its inversion, in one pass, and each block of columns is updated apart from the others:
/// the bits do not depend on the number of threads.
pub(crate) fn invert<T: RealField + Copy>(matrix: &mut [T], n: usize) -> bool {
    debug_assert_eq!(matrix.len(), n * n);
    let mut panel = vec![T::zero(); n * BLOCK];
    let mut swept = vec![T::zero(); n * BLOCK];
    for start in (0..n).step_by(BLOCK) {
        let width = BLOCK.min(n - start);
        let panel = &mut panel[..n * width];
        let swept = &mut swept[..n * width];
        gather(matrix, n, start, panel);
        let columns = DMatrixView::from_slice(panel, n, width);
        let pivot = columns.rows(start, width).into_owned();
        let Some(pivot) = Cholesky::new(pivot).map(|pivot| pivot.inverse()) else {
            return false;
        };
        DMatrixViewMut::from_slice(swept, n, width).gemm(T::one(), &columns, &pivot, T::zero());
        let swept = &*swept;
        let panel = &*panel;
        each_block(matrix, n * BLOCK, |block, target| {
            let first = block * BLOCK;
            if first == start {
                return;
            }
            let (rows, columns) = (n - first, target.len() / n);
            let mut target = DMatrixViewMut::from_slice_with_strides_mut(
                &mut target[first..],
                rows,
                columns,
                1,
                n,
            );
            let left = DMatrixView::from_slice_with_strides(&swept[first..], rows, width, 1, n);
            let right = DMatrixView::from_slice_with_strides(&panel[first..], width, columns, n, 1);
            target.gemm(-T::one(), &left, &right, T::one());
        });
        scatter(matrix, n, start, swept, &pivot);
    }
    finish(matrix, n);
    true
}

/// The columns of a block, whole, from the lower triangle.
fn gather<T: Copy>(matrix: &[T], n: usize, start: usize, panel: &mut [T]) {
    let width = panel.len() / n;
    for before in 0..start {
        for column in 0..width {
            panel[column * n + before] = matrix[before * n + start + column];
        }
    }
    for column in 0..width {
        for row in start..n {
            let at = start + column;
            // Above the diagonal, its mirror.
            let (low, high) = (row.min(at), row.max(at));
            panel[column * n + row] = matrix[low * n + high];
        }
    }
}

/// The columns of a block, swept, back into the lower triangle.
fn scatter<T: RealField + Copy>(
    matrix: &mut [T],
    n: usize,
    start: usize,
    swept: &[T],
    pivot: &DMatrix<T>,
) {
    let width = pivot.ncols();
    for before in 0..start {
        for column in 0..width {
            matrix[before * n + start + column] = swept[column * n + before];
        }
    }
    for column in 0..width {
        let at = (start + column) * n;
        for row in 0..width {
            matrix[at + start + row] = -pivot[(row, column)];
        }
        let after = start + width..n;
        matrix[at + start + width..at + n].copy_from_slice(&swept[column * n..][after]);
    }
}

/// Changes the sign of the lower triangle and mirrors it, tile by tile so that both sides stay in cache.
fn finish<T: RealField + Copy>(matrix: &mut [T], n: usize) {
    const TILE: usize = 32;
    for first in (0..n).step_by(TILE) {
        for below in (first..n).step_by(TILE) {
            for column in first..n.min(first + TILE) {
                for row in below.max(column)..n.min(below + TILE) {
                    let value = -matrix[column * n + row];
                    matrix[column * n + row] = value;
                    matrix[row * n + column] = value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A positive definite matrix without pattern: a Gram matrix and something on its diagonal.
    fn matrix(n: usize) -> DMatrix<f64> {
        let part = DMatrix::from_fn(n / 2 + 1, n, |row, column| {
            ((row * 37 + column * 101) as f64 * 0.618_033_988_749_894_9).fract() - 0.4
        });
        part.transpose() * &part + DMatrix::identity(n, n) * 0.5
    }

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity() {
        for n in [0, 1, 2, 127, 128, 129, 300] {
            let matrix = matrix(n);
            let mut inverse = matrix.clone();
            // The upper triangle is not read.
            inverse.fill_upper_triangle(f64::NAN, 1);
            assert!(invert(inverse.as_mut_slice(), n));
            let product = &matrix * &inverse;
            let error = (product - DMatrix::identity(n, n)).amax();
            assert!(n == 0 || error < 1e-10, "order {n}: {error:e}");
            assert_eq!(inverse, inverse.transpose(), "order {n}");
        }
    }

    #[test]
    fn single_precision_is_near() {
        let n = 200;
        let mut double = matrix(n);
        let mut single: Vec<f32> = double.iter().map(|&value| value as f32).collect();
        assert!(invert(&mut single, n) && invert(double.as_mut_slice(), n));
        let far = single.iter().zip(double.as_slice());
        let far = far.map(|(&single, double)| (f64::from(single) - double).abs());
        assert!(far.fold(0.0, f64::max) < 1e-3);
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        let mut matrix = matrix(150);
        matrix[(140, 140)] = -1.0;
        assert!(!invert(matrix.as_mut_slice(), 150));
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        let inverse = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let mut inverse = matrix(400);
            assert!(
                pool.unwrap()
                    .install(|| invert(inverse.as_mut_slice(), 400))
            );
            inverse
        };
        assert_eq!(inverse(1), inverse(2));
        assert_eq!(inverse(1), inverse(8));
    }
}
