//! The leading eigenvectors of a large symmetric operator that is known by what it does to vectors.

use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

use super::eigen::symmetric_eigen;
use super::reduce::{each_block, sum_chunks};

/// Vectors that are iterated beyond those that are wanted: the error of the last wanted one falls with the gap
/// to the first that is left out.
const EXTRA: usize = 32;
/// The most that a filter may amplify the largest eigenvalue: beyond it the small ones drown in rounding.
const GAIN_MAX: f64 = 1e6;
const DEGREE_MAX: u32 = 12;
const ROUNDS_MAX: usize = 16;
/// Rows of a block that are multiplied at a time.
const ROWS: usize = 512;

/// A symmetric operator on vectors of length `n` whose eigenvalues lie from 0 to 1.
pub(crate) trait Operator: Sync {
    fn order(&self) -> usize;

    /// Applies it to `width` vectors that lie side by side: number i of vector j is `vectors[i · width + j]`.
    fn apply(&self, vectors: &[f64], width: usize, out: &mut [f64]);

    /// Whether to stop; asked before each step.
    fn is_cancelled(&self) -> bool;
}

/// Eigenvectors of the largest eigenvalues.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leading {
    /// Descending and positive: those that are 0 are left out.
    pub(crate) values: Vec<f64>,
    /// Number i of vector j is `vectors[i · values.len() + j]`.
    pub(crate) vectors: Vec<f64>,
    /// The longest |A v − λ v|.
    pub(crate) residual: f64,
    /// Whether `residual` is as small as was asked for.
    pub(crate) converged: bool,
}

/// The `count` leading eigenvectors; `None` when cancelled.
///
/// Subspace iteration from random vectors: each round applies a Chebyshev polynomial that is small on the part of the
/// spectrum that is not wanted, and then takes the best vectors of the subspace (Rayleigh–Ritz). Zhou, Saad, Tiago and
/// Chelikowsky (2006), *Self-consistent-field calculations using Chebyshev-filtered subspace iteration*.
pub(crate) fn leading(
    operator: &dyn Operator,
    count: usize,
    tolerance: f64,
    seed: u64,
) -> Option<Leading> {
    let n = operator.order();
    let count = count.min(n);
    let mut width = (count + EXTRA).min(n);
    let mut vectors = random(n * width, seed);
    let mut images = vec![0.0; n * width];
    let mut leading = Leading {
        values: Vec::new(),
        vectors: Vec::new(),
        residual: 0.0,
        converged: true,
    };
    if width == 0 {
        return Some(leading);
    }
    // Random vectors hold every eigenvector alike; three steps bring the leading ones forward.
    for _ in 0..if width < n { 3 } else { 0 } {
        if operator.is_cancelled() {
            return None;
        }
        operator.apply(&vectors, width, &mut images);
        std::mem::swap(&mut vectors, &mut images);
    }
    for round in 0..ROUNDS_MAX {
        if operator.is_cancelled() {
            return None;
        }
        operator.apply(&vectors, width, &mut images);
        let values = rayleigh_ritz(&mut vectors, &mut images, width, operator)?;
        // Where the operator has fewer dimensions than were asked for, the rest is gone.
        width = values.len();
        let wanted = &values[..count.min(width)];
        leading.residual = residual(&vectors, &images, &values, wanted.len());
        leading.converged = leading.residual <= tolerance;
        leading.values = wanted.to_vec();
        if leading.converged || round + 1 == ROUNDS_MAX {
            break;
        }
        filter(operator, &values, (&mut vectors, &mut images))?;
    }
    let kept = leading.values.len();
    let rows = vectors.chunks_exact(width.max(1));
    leading.vectors = rows
        .flat_map(|row| row.iter().take(kept).copied())
        .collect();
    Some(leading)
}

/// Uniform numbers from −1 to 1.
fn random(length: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let number = |_| f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0;
    (0..length).map(number).collect()
}

/// Turns `vectors` and their `images` to the Ritz vectors of the space that they span, largest value first; what is
/// dependent is dropped. `None` when cancelled.
fn rayleigh_ritz(
    vectors: &mut Vec<f64>,
    images: &mut Vec<f64>,
    width: usize,
    operator: &dyn Operator,
) -> Option<Vec<f64>> {
    let cancelled = || operator.is_cancelled();
    let mut gram = product(vectors, vectors, width, operator)?;
    // Columns of equal length keep the Gram matrix well conditioned.
    let lengths: Vec<f64> = (0..width).map(|j| gram[(j, j)].sqrt()).collect();
    let scale = DMatrix::from_fn(width, 1, |j, _| {
        let inverse = 1.0 / lengths[j];
        if inverse.is_finite() { inverse } else { 0.0 }
    });
    let scaled = |matrix: &mut DMatrix<f64>| {
        for column in 0..width {
            for row in 0..width {
                matrix[(row, column)] *= scale[row] * scale[column];
            }
        }
    };
    scaled(&mut gram);
    let gram = symmetric_eigen(gram.as_slice().to_vec(), width, &cancelled)?;
    let largest = gram
        .values
        .iter()
        .fold(0.0, |most: f64, &value| most.max(value));
    let independent: Vec<usize> = (0..width)
        .filter(|&j| gram.values[j] > 1e-13 * largest)
        .collect();
    let whitened = DMatrix::from_fn(width, independent.len(), |row, column| {
        let at = independent[column];
        scale[row] * gram.vectors[at * width + row] / gram.values[at].sqrt()
    });
    let between = product(vectors, images, width, operator)?;
    let half = whitened.transpose() * between;
    if operator.is_cancelled() {
        return None;
    }
    let projected = half * &whitened;
    let projected = (&projected + projected.transpose()) * 0.5;
    let kept = independent.len();
    let ritz = symmetric_eigen(projected.as_slice().to_vec(), kept, &cancelled)?;
    let mut order: Vec<usize> = (0..kept).filter(|&j| ritz.values[j] > 1e-9).collect();
    order.sort_by(|&a, &b| ritz.values[b].total_cmp(&ritz.values[a]));
    let turn = DMatrix::from_fn(kept, order.len(), |row, column| {
        ritz.vectors[order[column] * kept + row]
    });
    let turn = whitened * turn;
    *vectors = times(vectors, width, &turn, operator)?;
    *images = times(images, width, &turn, operator)?;
    Some(order.iter().map(|&j| ritz.values[j]).collect())
}

/// Xᵀ Y of blocks of `width` vectors side by side; `None` when cancelled.
fn product(
    left: &[f64],
    right: &[f64],
    width: usize,
    operator: &dyn Operator,
) -> Option<DMatrix<f64>> {
    sum_chunks(
        left.len() / width,
        |range| {
            if operator.is_cancelled() {
                return None;
            }
            let slice = range.start * width..range.end * width;
            let rows = range.len();
            let mut out = DMatrix::zeros(width, width);
            // Row upon row is the transposed matrix column upon column.
            let left = DMatrixView::from_slice(&left[slice.clone()], width, rows);
            let right = DMatrixView::from_slice_with_strides(&right[slice], rows, width, width, 1);
            out.gemm(1.0, &left, &right, 0.0);
            Some(out)
        },
        |left, right| Some(left? + right?),
    )
}

/// X · `turn`; `None` when cancelled.
fn times(
    vectors: &[f64],
    width: usize,
    turn: &DMatrix<f64>,
    operator: &dyn Operator,
) -> Option<Vec<f64>> {
    let (n, kept) = (vectors.len() / width, turn.ncols());
    let turn = turn.transpose();
    let mut out = vec![0.0; n * kept];
    each_block(&mut out, (ROWS * kept).max(1), |block, out| {
        if operator.is_cancelled() {
            return;
        }
        let rows = out.len() / kept.max(1);
        let from = block * ROWS * width;
        let left = DMatrixView::from_slice(&vectors[from..from + rows * width], width, rows);
        DMatrixViewMut::from_slice(out, kept, rows).gemm(1.0, &turn, &left, 0.0);
    });
    (!operator.is_cancelled()).then_some(out)
}

/// The longest |A v − λ v| of the first `wanted` vectors.
fn residual(vectors: &[f64], images: &[f64], values: &[f64], wanted: usize) -> f64 {
    let mut squares = vec![0.0; wanted];
    let width = values.len().max(1);
    let rows = vectors.chunks_exact(width).zip(images.chunks_exact(width));
    for (vector, image) in rows {
        for (square, ((v, image), value)) in
            squares.iter_mut().zip(vector.iter().zip(image).zip(values))
        {
            *square += (image - value * v) * (image - value * v);
        }
    }
    squares.into_iter().fold(0.0, f64::max).sqrt()
}

/// Applies the Chebyshev polynomial that stays within ±1 from 0 to the smallest Ritz value and grows beyond it;
/// `images` are those of the vectors. `None` when cancelled.
fn filter(
    operator: &dyn Operator,
    values: &[f64],
    (vectors, images): (&mut Vec<f64>, &mut Vec<f64>),
) -> Option<()> {
    let width = values.len();
    let (largest, smallest) = (values[0], values[width - 1]);
    // x ↦ 2 x / s − 1 takes 0..s to −1..1.
    let outside = 2.0 * largest / smallest - 1.0;
    let gain = |degree: u32| (f64::from(degree) * outside.max(1.0).acosh()).cosh();
    let degree = (2..=DEGREE_MAX)
        .rev()
        .find(|&degree| gain(degree) <= GAIN_MAX)
        .unwrap_or(2);
    let step = |images: &mut [f64], vectors: &[f64], before: Option<&[f64]>| {
        // T_{k+1} = 2 (2 A / s − 1) T_k − T_{k−1}, and the first step without the factor 2.
        let by = if before.is_some() { 2.0 } else { 1.0 };
        each_block(images, (ROWS * width).max(1), |block, images| {
            let from = block * ROWS * width;
            let vectors = vectors.get(from..from + images.len()).unwrap_or_default();
            let before = before.and_then(|before| before.get(from..from + images.len()));
            for (at, (image, vector)) in images.iter_mut().zip(vectors).enumerate() {
                let last = before.and_then(|before| before.get(at)).unwrap_or(&0.0);
                *image = by * (2.0 / smallest * *image - vector) - last;
            }
        });
    };
    let mut before = std::mem::take(vectors);
    step(images, &before, None);
    let mut now = std::mem::take(images);
    let mut next = vec![0.0; now.len()];
    for _ in 1..degree {
        if operator.is_cancelled() {
            return None;
        }
        operator.apply(&now, width, &mut next);
        step(&mut next, &now, Some(&before));
        std::mem::swap(&mut before, &mut now);
        std::mem::swap(&mut now, &mut next);
    }
    (*vectors, *images) = (now, next);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dense(DMatrix<f64>);

    impl Operator for Dense {
        fn order(&self) -> usize {
            self.0.nrows()
        }
        fn apply(&self, vectors: &[f64], width: usize, out: &mut [f64]) {
            let product = DMatrixView::from_slice(vectors, width, self.order()) * &self.0;
            out.copy_from_slice(product.as_slice());
        }
        fn is_cancelled(&self) -> bool {
            false
        }
    }

    /// A matrix of these eigenvalues and the reflection that its eigenvectors are the columns of.
    fn with_eigenvalues(values: &[f64]) -> (DMatrix<f64>, DMatrix<f64>) {
        let n = values.len();
        let axis = DMatrix::from_fn(n, 1, |i, _| ((i * 37 + 11) as f64 * 0.618).fract() - 0.4);
        let turn = DMatrix::identity(n, n) - &axis * axis.transpose() * (2.0 / axis.norm_squared());
        let diagonal = DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(values));
        (&turn * diagonal * &turn, turn)
    }

    #[test]
    fn the_leading_vectors_are_those_that_the_matrix_was_made_of() {
        let values: Vec<f64> = (0..400).map(|i| 1.0 / (1.0 + 0.05 * i as f64)).collect();
        let (matrix, vectors) = with_eigenvalues(&values);
        let found = leading(&Dense(matrix), 40, 1e-9, 3).unwrap();
        assert!(
            found.converged && found.residual <= 1e-9,
            "{}",
            found.residual
        );
        assert_eq!(found.values.len(), 40);
        for (j, value) in found.values.iter().enumerate() {
            assert!((value - values[j]).abs() < 1e-12, "value {j}: {value}");
            let along: f64 = (0..400)
                .map(|i| found.vectors[i * 40 + j] * vectors[(i, j)])
                .sum();
            assert!((along.abs() - 1.0).abs() < 1e-9, "vector {j}: {along}");
        }
    }

    #[test]
    fn a_matrix_of_low_rank_has_no_more_vectors_than_its_rank() {
        for (n, rank) in [(5, 2), (300, 7), (20, 20), (40, 0)] {
            let values: Vec<f64> = (0..n)
                .map(|i| if i < rank { 1.0 / (1 + i) as f64 } else { 0.0 })
                .collect();
            let found = leading(&Dense(with_eigenvalues(&values).0), 30, 1e-8, 1).unwrap();
            assert_eq!(found.values.len(), rank, "order {n}");
            assert!(found.converged);
        }
        let nothing = leading(&Dense(DMatrix::zeros(0, 0)), 3, 1e-8, 1).unwrap();
        assert!(nothing.values.is_empty() && nothing.converged);
    }
}
