//! The weights, from the items' side or from the customers'.

use crate::error::FitError;
use crate::numeric::gathered::write_sum;
use crate::numeric::inverse::{Element, NoInverse, invert, scale_columns};
use crate::numeric::lanes::Level;
use crate::numeric::reduce::each_block;
use crate::recommend::taken::{Lists, Taken};
use crate::summary::ItemGram;

/// Asked whether the fit is wanted no more; once true it stays so.
pub(super) type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// How many items the customers' side works on together: their part of Z stays in cache.
const TOGETHER: usize = 128;

const DEGENERATE: FitError = FitError::NotIdentified {
    parameter: "the weights of the items",
    reason: "lambda is too small for the precision, increase it",
};
const STOPPED: FitError = FitError::Cancelled { iterations: 0 };

/// Whether the customers' side is less work: the inverse of a matrix of their number, and for each entry two sums, one as long
/// as there are customers and one as there are items. A sum takes some four times as long as a part of an inverse.
pub(super) fn few_customers(taken: &Taken) -> bool {
    let (customers, items) = (taken.customers.count() as f64, taken.items.count() as f64);
    let sums = 4.0 * taken.customers.total() as f64 * (customers + items);
    customers.powi(3) + sums < items.powi(3)
}

/// B from XᵀX.
pub(super) fn by_items<T: Element>(
    taken: &Taken,
    lambda: T,
    stop: Stop<'_>,
) -> Result<Vec<T>, FitError> {
    of_counts(common(&taken.items, &taken.customers, stop), lambda, stop)
}

/// B from XXᵀ: (XᵀX + λI)⁻¹ = (I − M) / λ with M = Xᵀ (XXᵀ + λI)⁻¹ X (Woodbury), hence B[i, j] = M[i, j] / (1 − M[j, j]).
pub(super) fn by_customers(
    taken: &Taken,
    lambda: f32,
    stop: Stop<'_>,
) -> Result<Vec<f32>, FitError> {
    let level = Level::detect();
    let (customers, items) = (taken.customers.count(), taken.items.count());
    let mut inverse = common(&taken.customers, &taken.items, stop);
    invert_with(&mut inverse, lambda, stop)?;
    if !scale_columns(&mut inverse, &vec![-1.0; customers], stop) {
        return Err(STOPPED);
    }
    let mut result = vec![0.0; items * items];
    let mut sums = vec![0.0; TOGETHER * customers];
    let mut turned = vec![0.0; customers * TOGETHER];
    for first in (0..items).step_by(TOGETHER) {
        let here = TOGETHER.min(items - first);
        // Z = (XXᵀ + λI)⁻¹ X, of these items: a row of sums for each, and turned round.
        each_block(&mut sums, customers.max(1), |item, sums| {
            if !stop() {
                let row = taken.items.row(first + item);
                write_sum(level, &inverse, customers, row, sums);
            }
        });
        each_block(&mut turned, TOGETHER, |customer, row| {
            let column = sums[customer..].iter().step_by(customers);
            for (place, &sum) in row.iter_mut().zip(column) {
                *place = sum;
            }
        });
        each_block(&mut result, items, |item, row| {
            if item < first + here && !stop() {
                let row = &mut row[first..first + here];
                write_sum(level, &turned, TOGETHER, taken.items.row(item), row);
            }
        });
    }
    for value in result.iter_mut().step_by(items + 1) {
        *value -= 1.0;
    }
    divided_by_diagonal(result, stop)
}

/// How many each two of the rows have in common, row by row, on and right of the diagonal; `turned` are the same entries by column.
fn common<T: Element>(rows: &Lists, turned: &Lists, stop: Stop<'_>) -> Vec<T> {
    let n = rows.count();
    let mut counts = vec![T::zero(); n * n];
    each_block(&mut counts, n.max(1), |at, counts| {
        if stop() {
            return;
        }
        for &column in rows.row(at) {
            let others = turned.row(column as usize);
            let from = others.partition_point(|&other| (other as usize) < at);
            for &other in others.iter().skip(from) {
                counts[other as usize] += T::one();
            }
        }
    });
    counts
}

/// The upper triangle of XᵀX, row by row, of pairs that were counted.
pub(super) fn counted<T: Element>(gram: &ItemGram, number: impl Fn(u64) -> T) -> Vec<T> {
    let items = gram.items() as usize;
    let mut counts = vec![T::zero(); items * items];
    for (left, right, count) in gram.pairs() {
        if let Some(place) = counts.get_mut(left as usize * items + right as usize) {
            *place = number(count);
        }
    }
    counts
}

/// B of XᵀX, of which only the upper triangle is read.
pub(super) fn of_counts<T: Element>(
    mut counts: Vec<T>,
    lambda: T,
    stop: Stop<'_>,
) -> Result<Vec<T>, FitError> {
    invert_with(&mut counts, lambda, stop)?;
    divided_by_diagonal(counts, stop)
}

/// As [`invert`], with λ on the diagonal.
fn invert_with<T: Element>(counts: &mut [T], lambda: T, stop: Stop<'_>) -> Result<(), FitError> {
    let n = counts.len().isqrt();
    for count in counts.iter_mut().step_by(n + 1) {
        *count += lambda;
    }
    invert(counts, n, stop).map_err(|none| match none {
        NoInverse::NotPositiveDefinite => DEGENERATE,
        NoInverse::Cancelled => STOPPED,
    })
}

/// B of −P, or of a multiple: −P[i, j] / P[j, j], and 0 on the diagonal. Only the upper triangle is read, all is written.
fn divided_by_diagonal<T: Element>(
    mut negative: Vec<T>,
    stop: Stop<'_>,
) -> Result<Vec<T>, FitError> {
    let n = negative.len().isqrt();
    let diagonal = negative.iter().step_by(n + 1);
    let scale: Vec<T> = diagonal.map(|&value| -T::one() / value).collect();
    if !scale_columns(&mut negative, &scale, stop) {
        return Err(STOPPED);
    }
    for value in negative.iter_mut().step_by(n + 1) {
        *value = T::zero();
    }
    // Whole chunks without a way out are many numbers at a time.
    let finite = |chunk: &[T]| {
        chunk
            .iter()
            .fold(true, |all, value| all & value.is_finite())
    };
    let positive = scale.iter().all(|&value| value > T::zero());
    if positive && negative.chunks(1024).all(finite) {
        return Ok(negative);
    }
    Err(DEGENERATE)
}
