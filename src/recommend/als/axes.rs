//! The axes in which the fixed side's Gram matrix is diagonal.

use crate::numeric::eigen::symmetric_eigen;

use crate::numeric::lanes::Level;
use crate::numeric::reduce::{sum_chunks, write_rows};
use crate::numeric::tiles::{Left, Part, Right, Shape, add_product};

/// Rows that one thread turns before it looks for others to help.
const PIECE: usize = 64;

/// YᵀY of rows `width` long, of the first `factors` columns, by rows; pieces are summed in `f64`. Once stopped it means
/// nothing.
pub(super) fn gram(
    level: Level,
    rows: &[f32],
    width: usize,
    factors: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Vec<f64> {
    let mut gram = sum_chunks(
        rows.len() / width.max(1),
        |range| {
            let piece = rows.get(range.start * width..range.end * width);
            let piece = piece.unwrap_or_default();
            let mut products = vec![0.0; factors * width];
            if stop() {
                return vec![0.0; factors * factors];
            }
            let shape = Shape {
                rows: factors,
                columns: width,
                depth: range.len(),
            };
            let left = Left {
                numbers: piece,
                row: 1,
                step: width,
            };
            let right = Right {
                numbers: piece,
                row: width,
            };
            add_product(level, shape, left, right, Part::Upper, &mut products, width);
            let kept = products
                .chunks_exact(width)
                .flat_map(|row| row.iter().take(factors));
            kept.map(|&number| f64::from(number)).collect::<Vec<f64>>()
        },
        |mut left, right| {
            for (left, right) in left.iter_mut().zip(right) {
                *left += right;
            }
            left
        },
    );
    // The upper half was computed.
    for row in 0..factors {
        for column in 0..row {
            let mirrored = gram.get(column * factors + row).copied();
            if let (Some(at), Some(mirrored)) = (gram.get_mut(row * factors + column), mirrored) {
                *at = mirrored;
            }
        }
    }
    gram
}

/// Eigenvalues, descending and not negative, and their vectors as the columns of a matrix, by rows `width` long; `None` once it is
/// stopped.
pub(super) fn principal_axes(
    gram: &[f64],
    width: usize,
    factors: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<(Vec<f64>, Vec<f32>)> {
    let eigen = symmetric_eigen(gram.to_vec(), factors, &|| stop())?;
    let value = |at: usize| eigen.values.get(at).copied().unwrap_or(0.0);
    let mut order: Vec<usize> = (0..factors).collect();
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    let mut axes = vec![0.0; factors * width];
    for (row, numbers) in axes.chunks_exact_mut(width).enumerate() {
        for (number, &column) in numbers.iter_mut().zip(&order) {
            let part = eigen.vectors.get(column * factors + row);
            *number = part.map_or(0.0, |&part| part as f32);
        }
    }
    let values = order.iter().map(|&at| value(at).max(0.0));
    Some((values.collect(), axes))
}

/// Expresses rows in other axes, in place, until it is stopped.
pub(super) fn rotate(
    level: Level,
    rows: &mut [f32],
    width: usize,
    axes: &[f32],
    stop: &(dyn Fn() -> bool + Sync),
) {
    let factors = axes.len() / width.max(1);
    let write = |_, rows: &mut [f32]| {
        if stop() {
            return;
        }
        let mut turned = vec![0.0; rows.len()];
        let shape = Shape {
            rows: rows.len() / width,
            columns: width,
            depth: factors,
        };
        let left = Left {
            numbers: rows,
            row: width,
            step: 1,
        };
        let right = Right {
            numbers: axes,
            row: width,
        };
        add_product(level, shape, left, right, Part::All, &mut turned, width);
        rows.copy_from_slice(&turned);
    };
    write_rows(rows, width, PIECE, write, |(), ()| ());
}
