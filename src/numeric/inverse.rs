//! The inverse of a large symmetric positive definite matrix.

use nalgebra::{DMatrixView, DMatrixViewMut, RealField};

use super::lanes::{LANES, Level};
use super::reduce::each_block;
use super::tiles;

/// Rows that are swept at a time: wide enough that nearly all work is multiplication of matrices, narrow enough that a
/// panel stays in the cache next to the processor.
const BLOCK: usize = 128;

/// Why there is no inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoInverse {
    /// To the precision at hand.
    NotPositiveDefinite,
    /// The caller wanted no more of it.
    Cancelled,
}

/// Replaces a symmetric positive definite matrix A of order `n` by −A⁻¹. Of both only the triangle on and right of the diagonal
/// counts, row by row; what is left of it is not read, and anything may be left there. When there is no inverse the matrix
/// is left in pieces.
///
/// `cancelled` is asked every few million operations, by any thread; once true it has to stay so.
///
/// The symmetric sweep (Goodnight 1979) in blocks: for each block of rows R with pivot D, A − Rᵀ D⁻¹ R elsewhere, D⁻¹ R in
/// the block, −D⁻¹ in the pivot. n³ operations in all, as many as a Cholesky factorisation and its inversion, in one pass, and
/// each block of rows is updated apart from the others: the bits do not depend on the number of threads.
pub(crate) fn invert<T: Element>(
    matrix: &mut [T],
    n: usize,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<(), NoInverse> {
    debug_assert_eq!(matrix.len(), n * n);
    sweep(Level::detect(), matrix, n, cancelled)
}

/// A number that is swept.
pub(crate) trait Element: RealField + Copy {
    /// How many columns are worked on together. [`BLOCK`] is a multiple of it.
    const PANEL: usize;

    /// Adds left · right to `out`, whose element (r, c) is `out[r · out_row + c]`.
    ///
    /// `right` has rows of [`PANEL`](Self::PANEL) numbers, as `out`; element (r, k) of the left matrix, which has `rows` rows, is
    /// `left[r · by_row + k · by_column]`.
    fn add_product(
        level: Level,
        rows: usize,
        left: (&[Self], usize, usize),
        right: &[Self],
        out: &mut [Self],
        out_row: usize,
    );
}

impl Element for f32 {
    const PANEL: usize = 2 * LANES;

    fn add_product(
        level: Level,
        rows: usize,
        left: (&[Self], usize, usize),
        right: &[Self],
        out: &mut [Self],
        out_row: usize,
    ) {
        if level == Level::Portable {
            return add_any_product(rows, left, right, out, out_row);
        }
        let (numbers, row, step) = left;
        let left = tiles::Left { numbers, row, step };
        let shape = tiles::Shape {
            rows,
            columns: Self::PANEL,
            depth: right.len() / Self::PANEL,
        };
        let right = tiles::Right {
            numbers: right,
            row: Self::PANEL,
        };
        tiles::add_product(level, shape, left, right, tiles::Part::All, out, out_row);
    }
}

impl Element for f64 {
    const PANEL: usize = BLOCK;

    fn add_product(
        _: Level,
        rows: usize,
        left: (&[Self], usize, usize),
        right: &[Self],
        out: &mut [Self],
        out_row: usize,
    ) {
        add_any_product(rows, left, right, out, out_row);
    }
}

fn add_any_product<T: Element>(
    rows: usize,
    (left, by_row, by_column): (&[T], usize, usize),
    right: &[T],
    out: &mut [T],
    out_row: usize,
) {
    let (depth, columns) = (right.len() / T::PANEL, T::PANEL);
    let left = DMatrixView::from_slice_with_strides(left, rows, depth, by_row, by_column);
    let right = DMatrixView::from_slice_with_strides(right, depth, columns, columns, 1);
    DMatrixViewMut::from_slice_with_strides_mut(out, rows, columns, out_row, 1).gemm(
        T::one(),
        &left,
        &right,
        T::one(),
    );
}

fn sweep<T: Element>(
    level: Level,
    matrix: &mut [T],
    n: usize,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<(), NoInverse> {
    if n <= T::PANEL {
        return sweep_small(matrix, n);
    }
    let block = if n > BLOCK { BLOCK } else { T::PANEL };
    let size = n.next_multiple_of(T::PANEL) * block;
    let (mut rows, mut swept) = (vec![T::zero(); size], vec![T::zero(); size]);
    let mut pivot = vec![T::zero(); block * block];
    for start in (0..n).step_by(block) {
        let width = block.min(n - start);
        let size = n.next_multiple_of(T::PANEL) * width;
        let (rows, swept) = (&mut rows[..size], &mut swept[..size]);
        let pivot = &mut pivot[..width * width];
        each_part(n, rows, T::PANEL * width, |panel, rows| {
            gather(matrix, n, start, panel * T::PANEL, rows);
        });
        for (row, pivot) in pivot.chunks_exact_mut(width).enumerate() {
            let at = (start + row) * n + start;
            pivot[row..].copy_from_slice(&matrix[at + row..at + width]);
        }
        sweep(level, pivot, width, cancelled)?;
        mirror(pivot, width);
        let (rows, pivot) = (&*rows, &*pivot);
        each_part(n, swept, T::PANEL * width, |panel, swept| {
            let rows = &rows[panel * T::PANEL * width..][..T::PANEL * width];
            swept.fill(T::zero());
            T::add_product(level, width, (pivot, width, 1), rows, swept, T::PANEL);
        });
        let step = Step {
            level,
            n,
            start,
            width,
            rows,
            swept,
            pivot,
        };
        each_part(n, matrix, n * block, |number, target| {
            step.update(number * block, target, cancelled);
        });
        if cancelled() {
            return Err(NoInverse::Cancelled);
        }
    }
    Ok(())
}

/// As [`each_block`], but for a matrix so small that it is no work for several threads.
fn each_part<T: Send>(
    n: usize,
    values: &mut [T],
    length: usize,
    f: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    if n > BLOCK {
        return each_block(values, length, f);
    }
    for (number, part) in values.chunks_mut(length).enumerate() {
        f(number, part);
    }
}

/// The columns from `first` on of the block of rows from `start` on, as a panel; beyond the matrix 0.
fn gather<T: Element>(matrix: &[T], n: usize, start: usize, first: usize, panel: &mut [T]) {
    let columns = T::PANEL.min(n - first);
    if first < start {
        // Left of the diagonal, its mirror.
        let rows = matrix[first * n..].chunks_exact(n).take(columns);
        for (column, row) in rows.enumerate() {
            let places = panel[column..].iter_mut().step_by(T::PANEL);
            for (place, &number) in places.zip(&row[start..]) {
                *place = number;
            }
        }
        return;
    }
    for (row, places) in (start..).zip(panel.chunks_exact_mut(T::PANEL)) {
        let (inside, outside) = places.split_at_mut(columns);
        outside.fill(T::zero());
        for (column, place) in (first..).zip(inside) {
            *place = matrix[row.min(column) * n + row.max(column)];
        }
    }
}

/// What sweeping a block of rows does to the matrix.
struct Step<'a, T> {
    level: Level,
    n: usize,
    /// Of the block.
    start: usize,
    width: usize,
    /// R, in panels.
    rows: &'a [T],
    /// −D⁻¹ R, in panels.
    swept: &'a [T],
    /// −D⁻¹.
    pivot: &'a [T],
}

impl<T: Element> Step<'_, T> {
    /// As many whole rows of the matrix as the blocks have, from `first` on.
    fn update(&self, first: usize, target: &mut [T], cancelled: &(dyn Fn() -> bool + Sync)) {
        if first == self.start {
            self.replace_block(target);
            return;
        }
        let n = self.n;
        for start in (first..n).step_by(T::PANEL) {
            if (self.start..self.start + self.width).contains(&start) {
                continue;
            }
            if cancelled() {
                return;
            }
            let columns = T::PANEL.min(n - start);
            if columns == T::PANEL {
                self.add_products(first, start, target, start, n);
                continue;
            }
            // A product has whole panels, and the matrix ends before.
            let mut edge = vec![T::zero(); target.len() / n * T::PANEL];
            let part = start..start + columns;
            for (edge, row) in edge.chunks_exact_mut(T::PANEL).zip(target.chunks_exact(n)) {
                edge[..columns].copy_from_slice(&row[part.clone()]);
            }
            self.add_products(first, start, &mut edge, 0, T::PANEL);
            for (edge, row) in edge.chunks_exact(T::PANEL).zip(target.chunks_exact_mut(n)) {
                row[part.clone()].copy_from_slice(&edge[..columns]);
            }
        }
        if first < self.start {
            for (at, row) in (first..).zip(target.chunks_exact_mut(n)) {
                let swept = self.panel(self.swept, at)[at % T::PANEL..].iter();
                let places = row[self.start..].iter_mut();
                for (place, &number) in places.zip(swept.step_by(T::PANEL)) {
                    *place = -number;
                }
            }
        }
    }

    /// Adds Rᵀ (−D⁻¹ R) to the rows from `first` on, in the panel of columns from `start` on.
    fn add_products(
        &self,
        first: usize,
        start: usize,
        out: &mut [T],
        out_start: usize,
        out_row: usize,
    ) {
        let right = self.panel(self.rows, start);
        let end = (first + out.len() / out_row).min(start + T::PANEL);
        for row in (first..end).step_by(T::PANEL) {
            let left = self.panel(self.swept, row);
            let out = &mut out[(row - first) * out_row + out_start..];
            let rows = T::PANEL.min(end - row);
            T::add_product(self.level, rows, (left, 1, T::PANEL), right, out, out_row);
        }
    }

    /// The block itself.
    fn replace_block(&self, target: &mut [T]) {
        let (start, after) = (self.start, self.start + self.width);
        for (k, row) in target.chunks_exact_mut(self.n).enumerate() {
            let pivot = &self.pivot[k * self.width..][..self.width];
            row[start..after].copy_from_slice(pivot);
            for (panel, places) in row[after..].chunks_mut(T::PANEL).enumerate() {
                let swept = &self.panel(self.swept, after + panel * T::PANEL)[k * T::PANEL..];
                for (place, &number) in places.iter_mut().zip(swept) {
                    *place = -number;
                }
            }
        }
    }

    /// The panel that holds a column.
    fn panel<'a>(&self, panels: &'a [T], column: usize) -> &'a [T] {
        let length = T::PANEL * self.width;
        &panels[column / T::PANEL * length..][..length]
    }
}

/// Row after row.
fn sweep_small<T: Element>(matrix: &mut [T], n: usize) -> Result<(), NoInverse> {
    mirror(matrix, n);
    let mut swept = vec![T::zero(); n];
    for k in 0..n {
        swept.copy_from_slice(&matrix[k * n..(k + 1) * n]);
        let pivot = swept[k];
        // Not `<=`: a NaN is no pivot either.
        if !(pivot > T::zero() && pivot.is_finite()) {
            return Err(NoInverse::NotPositiveDefinite);
        }
        let by = T::one() / pivot;
        swept.iter_mut().for_each(|number| *number *= by);
        swept[k] = -by;
        for (at, row) in matrix.chunks_exact_mut(n).enumerate() {
            if at == k {
                row.copy_from_slice(&swept);
                continue;
            }
            let factor = std::mem::replace(&mut row[k], T::zero());
            for (number, &swept) in row.iter_mut().zip(&swept) {
                *number -= factor * swept;
            }
        }
    }
    Ok(())
}

/// Writes left of the diagonal what is right of it.
fn mirror<T: Copy>(matrix: &mut [T], n: usize) {
    for row in 1..n {
        for column in 0..row {
            matrix[row * n + column] = matrix[column * n + row];
        }
    }
}

/// Multiplies the columns of a symmetric matrix, of which the triangle on and right of the diagonal is read and all is written,
/// each by its number. Whether it came to the end before it was cancelled.
pub(crate) fn scale_columns<T: Element>(
    matrix: &mut [T],
    scale: &[T],
    cancelled: &(dyn Fn() -> bool + Sync),
) -> bool {
    /// The side of a square that is turned round in the nearest cache.
    const TILE: usize = 32;
    let n = scale.len();
    let mut turned = [T::zero(); TILE * TILE];
    for (top, by_row) in (0..n).step_by(TILE).zip(scale.chunks(TILE)) {
        if cancelled() {
            return false;
        }
        let places = (top..n).step_by(TILE);
        for (left, by_column) in places.zip(scale[top..].chunks(TILE)) {
            for (at, &by_row) in by_row.iter().enumerate() {
                let row = &mut matrix[(top + at) * n + left..][..by_column.len()];
                let row = row.iter_mut().zip(by_column).enumerate();
                // On the diagonal's tile, what is right of it.
                for (column, (number, &by_column)) in row.skip(if left == top { at } else { 0 }) {
                    turned[column * TILE + at] = *number * by_row;
                    *number *= by_column;
                }
            }
            for (column, turned) in turned.chunks_exact(TILE).enumerate().take(by_column.len()) {
                let length = if left == top { column } else { by_row.len() };
                let start = (left + column) * n + top;
                matrix[start..start + length].copy_from_slice(&turned[..length]);
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    /// A positive definite matrix without pattern: a Gram matrix and something on its diagonal.
    fn matrix(n: usize) -> DMatrix<f64> {
        let part = DMatrix::from_fn(n / 2 + 1, n, |row, column| {
            ((row * 37 + column * 101) as f64 * 0.618_033_988_749_894_9).fract() - 0.4
        });
        part.transpose() * &part + DMatrix::identity(n, n) * 0.5
    }

    /// The inverse, both triangles, at a level.
    fn inverse<T: Element>(level: Level, matrix: &DMatrix<T>) -> Result<DMatrix<T>, NoInverse> {
        let n = matrix.nrows();
        // By columns the lower triangle is what counts: the other is not read.
        let mut inverse = matrix.clone();
        inverse.fill_upper_triangle(T::zero() / T::zero(), 1);
        sweep(level, inverse.as_mut_slice(), n, &|| false)?;
        let minus = vec![-T::one(); n];
        assert!(scale_columns(inverse.as_mut_slice(), &minus, &|| false));
        assert_eq!(inverse, inverse.transpose());
        Ok(inverse)
    }

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity() {
        for n in [0, 1, 2, 31, 32, 33, 100, 127, 128, 129, 160, 300, 513] {
            let matrix = matrix(n);
            let inverse = inverse(Level::detect(), &matrix).unwrap();
            let error = (&matrix * inverse - DMatrix::identity(n, n)).amax();
            assert!(n == 0 || error < 1e-10, "order {n}: {error:e}");
        }
    }

    #[test]
    fn single_precision_is_near_at_every_level() {
        for n in [1, 32, 33, 90, 128, 150, 300] {
            let double = matrix(n);
            let single = double.map(|number| number as f32);
            let double = inverse(Level::detect(), &double).unwrap();
            for level in Level::available() {
                let single = inverse(level, &single).unwrap().map(f64::from);
                let error = (single - &double).amax() / double.amax();
                assert!(error < 1e-3, "order {n}, {level:?}: {error:e}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        for (at, value) in [(0, -1.0), (140, -1.0), (140, f64::NAN), (3, f64::INFINITY)] {
            let mut matrix = matrix(150);
            matrix[(at, at)] = value;
            let single = matrix.map(|number| number as f32);
            let refused = Err(NoInverse::NotPositiveDefinite);
            assert_eq!(inverse(Level::detect(), &matrix).map(|_| ()), refused);
            for level in Level::available() {
                assert_eq!(inverse(level, &single).map(|_| ()), refused, "{level:?}");
            }
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        fn bits<T: Element>(matrix: &DMatrix<T>) {
            let inverse = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                pool.unwrap().install(|| inverse(Level::detect(), matrix))
            };
            assert_eq!(inverse(1), inverse(2));
            assert_eq!(inverse(1), inverse(8));
        }
        bits(&matrix(400));
        bits(&matrix(400).map(|number| number as f32));
    }

    #[test]
    fn columns_are_scaled_and_the_other_triangle_is_not_read() {
        for n in [0, 1, 31, 33, 70] {
            let whole = matrix(n);
            let mut scaled = whole.clone();
            scaled.fill_upper_triangle(f64::NAN, 1);
            let by = Vec::from_iter((0..n).map(|column| column as f64 - 7.5));
            assert!(scale_columns(scaled.as_mut_slice(), &by, &|| false));
            // Columns of what stands row by row.
            let expected = DMatrix::from_fn(n, n, |column, row| whole[(row, column)] * by[column]);
            assert_eq!(scaled, expected, "order {n}");
        }
    }

    #[test]
    fn who_cancels_is_obeyed() {
        let mut matrix = matrix(300);
        let stopped = invert(matrix.as_mut_slice(), 300, &|| true);
        assert_eq!(stopped, Err(NoInverse::Cancelled));
        assert!(!scale_columns(matrix.as_mut_slice(), &[1.0; 300], &|| true));
    }
}
