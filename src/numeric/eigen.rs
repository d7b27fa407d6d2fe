//! Eigenvalues and eigenvectors of a symmetric matrix, found in steps that ask whether to stop.
//!
//! Householder reflections to three diagonals, then the implicit QL method: Martin, Reinsch and Wilkinson (1968),
//! *Householder's tridiagonalization of a symmetric matrix*; Dubrulle, Martin and Wilkinson (1968), *The implicit QL algorithm*. A step
//! takes some n² operations, so that nobody waits long for an answer; by one thread, with the same bits always.

/// More than any eigenvalue was seen to need; two are usual.
const ROUNDS_MAX: u32 = 100;

/// Of a matrix of order n.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Eigen {
    /// In no order.
    pub(crate) values: Vec<f64>,
    /// Column upon column: number i of the vector of value j is `vectors[j · n + i]`.
    pub(crate) vectors: Vec<f64>,
}

/// Of a symmetric matrix, given column upon column (of which the rows may as well be said); `None` when cancelled.
pub(crate) fn symmetric_eigen(
    mut matrix: Vec<f64>,
    n: usize,
    cancelled: &dyn Fn() -> bool,
) -> Option<Eigen> {
    debug_assert_eq!(matrix.len(), n * n);
    if n == 0 {
        let (values, vectors) = (Vec::new(), Vec::new());
        return Some(Eigen { values, vectors });
    }
    let (mut off, scales) = reflect(&mut matrix, n, cancelled)?;
    let mut values: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    let mut vectors = reflections(&matrix, &scales, n, cancelled)?;
    for first in 0..n {
        for _ in 0..ROUNDS_MAX {
            let small =
                |i: usize| off[i].abs() <= f64::EPSILON * (values[i].abs() + values[i + 1].abs());
            let last = (first..n - 1).find(|&i| small(i)).unwrap_or(n - 1);
            if last == first {
                break;
            }
            if cancelled() {
                return None;
            }
            sweep((&mut values, &mut off), &mut vectors, first, last);
        }
    }
    Some(Eigen { values, vectors })
}

/// Reflects rows and columns one after another, until only the diagonal (left in the matrix) and its neighbours (returned) are
/// not 0. The reflections' vectors are left in the columns below the diagonal, the scale β of each I − β v vᵀ is returned.
fn reflect(
    matrix: &mut [f64],
    n: usize,
    cancelled: &dyn Fn() -> bool,
) -> Option<(Vec<f64>, Vec<f64>)> {
    let (mut off, mut scales) = (vec![0.0; n], vec![0.0; n]);
    let (mut image, mut vector) = (vec![0.0; n], vec![0.0; n]);
    for k in 0..n.saturating_sub(1) {
        if cancelled() {
            return None;
        }
        let below = k + 1..n;
        let (vector, image) = (&mut vector[below.clone()], &mut image[below.clone()]);
        vector.copy_from_slice(&matrix[k * n + k + 1..(k + 1) * n]);
        let length = dot(vector, vector).sqrt();
        off[k] = if vector[0] > 0.0 { -length } else { length };
        vector[0] -= off[k];
        let square = dot(vector, vector);
        if k + 2 == n || square == 0.0 {
            // One number below the diagonal is not reflected.
            off[k] = matrix[k * n + k + 1];
            continue;
        }
        let scale = 2.0 / square;
        image.fill(0.0);
        for (column, &v) in below.clone().zip(&*vector) {
            add(
                image,
                scale * v,
                &matrix[column * n + k + 1..(column + 1) * n],
            );
        }
        let half = 0.5 * scale * dot(image, vector);
        add(image, -half, vector);
        for (at, column) in below.clone().enumerate() {
            let numbers = &mut matrix[column * n + k + 1..(column + 1) * n];
            add(numbers, -image[at], vector);
            add(numbers, -vector[at], image);
        }
        matrix[k * n + k + 1..(k + 1) * n].copy_from_slice(vector);
        scales[k] = scale;
    }
    Some((off, scales))
}

/// The product of the reflections, column upon column.
fn reflections(
    matrix: &[f64],
    scales: &[f64],
    n: usize,
    cancelled: &dyn Fn() -> bool,
) -> Option<Vec<f64>> {
    let mut product = vec![0.0; n * n];
    (0..n).for_each(|i| product[i * n + i] = 1.0);
    for k in (0..n).rev().filter(|&k| scales[k] > 0.0) {
        if cancelled() {
            return None;
        }
        let vector = &matrix[k * n + k + 1..(k + 1) * n];
        for column in k + 1..n {
            let numbers = &mut product[column * n + k + 1..(column + 1) * n];
            let by = -scales[k] * dot(vector, numbers);
            add(numbers, by, vector);
        }
    }
    Some(product)
}

/// One implicit QL step on the rows from `first` to `last` of the diagonal and its neighbours.
fn sweep((values, off): (&mut [f64], &mut [f64]), vectors: &mut [f64], first: usize, last: usize) {
    let n = values.len();
    let shift = (values[first + 1] - values[first]) / (2.0 * off[first]);
    let root = libm::hypot(shift, 1.0).copysign(shift);
    let mut lead = values[last] - values[first] + off[first] / (shift + root);
    let (mut sine, mut cosine, mut moved) = (1.0, 1.0, 0.0);
    for i in (first..last).rev() {
        let (across, along) = (sine * off[i], cosine * off[i]);
        let length = libm::hypot(across, lead);
        off[i + 1] = length;
        if length == 0.0 {
            values[i + 1] -= moved;
            off[last] = 0.0;
            return;
        }
        (sine, cosine) = (across / length, lead / length);
        lead = values[i + 1] - moved;
        let turned = (values[i] - lead) * sine + 2.0 * cosine * along;
        moved = sine * turned;
        values[i + 1] = lead + moved;
        lead = cosine * turned - along;
        let (left, right) = vectors[i * n..(i + 2) * n].split_at_mut(n);
        for (left, right) in left.iter_mut().zip(right) {
            (*left, *right) = (
                cosine * *left - sine * *right,
                sine * *left + cosine * *right,
            );
        }
    }
    values[first] -= moved;
    off[first] = lead;
    off[last] = 0.0;
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    // Four sums, so that one does not wait for the other.
    let mut sums = [0.0; 4];
    let (left, right) = (left.chunks(4), right.chunks(4));
    for (left, right) in left.zip(right) {
        for ((sum, x), y) in sums.iter_mut().zip(left).zip(right) {
            *sum += x * y;
        }
    }
    sums.iter().sum()
}

fn add(to: &mut [f64], by: f64, numbers: &[f64]) {
    for (place, number) in to.iter_mut().zip(numbers) {
        *place += by * number;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use nalgebra::DMatrix;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn found(matrix: &DMatrix<f64>) -> (DMatrix<f64>, DMatrix<f64>) {
        let n = matrix.nrows();
        let eigen = symmetric_eigen(matrix.as_slice().to_vec(), n, &|| false).unwrap();
        let values = DMatrix::from_diagonal(&eigen.values.into());
        (values, DMatrix::from_vec(n, n, eigen.vectors))
    }

    /// A v = λ v for all, and the vectors are of length 1 and at right angles.
    fn check(matrix: &DMatrix<f64>) {
        let (values, vectors) = found(matrix);
        let size = matrix.amax().max(1e-300) * matrix.nrows() as f64;
        let off = (matrix * &vectors - &vectors * values).amax();
        assert!(off <= 1e-13 * size, "{off} of {size}");
        let off = (vectors.transpose() * &vectors
            - DMatrix::identity(matrix.nrows(), matrix.nrows()))
        .amax();
        assert!(off <= 1e-12, "{off}");
    }

    proptest! {
        #[test]
        fn the_vectors_are_eigenvectors(n in 0_usize..24, numbers in vec(-3.0_f64..3.0, 576), rank in 0_usize..24) {
            let block = DMatrix::from_fn(n, n, |i, j| numbers[i * 24 + j]);
            check(&(&block + block.transpose()));
            // Many values that are equal: 0.
            let tall = block.columns(0, rank.min(n)).into_owned();
            check(&(&tall * tall.transpose()));
        }
    }

    #[test]
    fn matrices_of_known_values() {
        for n in [1, 2, 3, 40] {
            check(&DMatrix::identity(n, n));
            check(&DMatrix::from_element(n, n, 1.0));
            check(&DMatrix::zeros(n, n));
        }
        // The second difference: 2 − 2 cos(π j / (n + 1)).
        let n = 60;
        let matrix = DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        });
        check(&matrix);
        let mut values = found(&matrix).0.diagonal().as_slice().to_vec();
        values.sort_by(f64::total_cmp);
        for (j, value) in (1..).zip(values) {
            let expected = 2.0 - 2.0 * (std::f64::consts::PI * f64::from(j) / (n + 1) as f64).cos();
            assert!((value - expected).abs() < 1e-13);
        }
        for size in [1e-150, 1e150] {
            check(&(&matrix * size));
        }
    }

    #[test]
    fn wherever_it_is_stopped_there_is_no_answer() {
        let matrix: Vec<f64> = (0..144)
            .map(|at| f64::from((at / 12 + 1) * (at % 12 + 1) % 7))
            .collect();
        let asked = Cell::new(0);
        let until = |most: u32| {
            asked.set(0);
            let ask = || {
                asked.set(asked.get() + 1);
                asked.get() > most
            };
            symmetric_eigen(matrix.clone(), 12, &ask)
        };
        assert!(until(u32::MAX).is_some());
        let questions = asked.get();
        assert!(questions > 24);
        assert!((0..questions).all(|most| until(most).is_none()));
    }
}
