//! Sums and maps whose bits do not depend on the number of threads.
//!
//! Floating-point addition is not associative, so the order of a sum has to be part of its
//! definition: a range is halved until a piece is at most [`CHUNK`] long, each piece is folded in
//! order by the caller, and halves are combined left before right. Threads decide who computes a
//! half, never which halves there are. Without the feature `parallel` the same tree is walked by
//! one thread.

use std::ops::Range;

/// The longest piece that is folded in order. Small enough to share a few thousand distinct
/// histories among threads, large enough that a piece outweighs handing it over.
pub(crate) const CHUNK: usize = 512;

/// Folds the range `0..n` in pieces and combines them pairwise in a fixed order.
///
/// `fold` gets each piece once; for `n` = 0 it gets the empty range. `combine(left, right)` joins
/// neighbouring results.
pub(crate) fn sum_chunks<T: Send>(
    n: usize,
    fold: impl Fn(Range<usize>) -> T + Sync,
    combine: impl Fn(T, T) -> T + Sync,
) -> T {
    sum_tree(0..n, &fold, &combine)
}

/// Writes `f` of each input to the output at the same place.
///
/// The slices are of equal length; were they not, the excess of the longer is left alone.
pub(crate) fn map_into<I: Sync, O: Send>(
    inputs: &[I],
    outputs: &mut [O],
    f: impl Fn(&I) -> O + Sync,
) {
    debug_assert_eq!(inputs.len(), outputs.len());
    map_tree(inputs, outputs, &f);
}

/// Calls `f` with each block of `length` values (the last may be shorter) and its number. Blocks are
/// worked on apart, on all threads.
pub(crate) fn each_block<T: Send>(
    values: &mut [T],
    length: usize,
    f: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        let blocks = values.par_chunks_mut(length).enumerate();
        blocks.for_each(|(number, block)| f(number, block));
    }
    #[cfg(not(feature = "parallel"))]
    for (number, block) in values.chunks_mut(length).enumerate() {
        f(number, block);
    }
}

/// Writes rows of `width` numbers, at most `piece` rows at a time, and combines what the pieces say.
///
/// `write` gets the number of a piece's first row, and the piece; results are combined pairwise in a fixed order. For
/// no rows it gets the empty piece.
pub(crate) fn write_rows<T: Send>(
    rows: &mut [f32],
    width: usize,
    piece: usize,
    write: impl Fn(usize, &mut [f32]) -> T + Sync,
    combine: impl Fn(T, T) -> T + Sync,
) -> T {
    write_tree(rows, 0, (width.max(1), piece.max(1)), &write, &combine)
}

fn write_tree<T: Send>(
    rows: &mut [f32],
    first: usize,
    (width, piece): (usize, usize),
    write: &(impl Fn(usize, &mut [f32]) -> T + Sync),
    combine: &(impl Fn(T, T) -> T + Sync),
) -> T {
    let pieces = rows.len().div_ceil(width).div_ceil(piece);
    if pieces <= 1 {
        return write(first, rows);
    }
    let middle = pieces.div_ceil(2) * piece;
    let (left, right) = rows.split_at_mut(middle * width);
    let (left, right) = join(
        || write_tree(left, first, (width, piece), write, combine),
        || write_tree(right, first + middle, (width, piece), write, combine),
    );
    combine(left, right)
}

fn sum_tree<T: Send>(
    range: Range<usize>,
    fold: &(impl Fn(Range<usize>) -> T + Sync),
    combine: &(impl Fn(T, T) -> T + Sync),
) -> T {
    if range.len() <= CHUNK {
        return fold(range);
    }
    let middle = range.start + half(range.len());
    let (left, right) = join(
        || sum_tree(range.start..middle, fold, combine),
        || sum_tree(middle..range.end, fold, combine),
    );
    combine(left, right)
}

fn map_tree<I: Sync, O: Send>(inputs: &[I], outputs: &mut [O], f: &(impl Fn(&I) -> O + Sync)) {
    let length = inputs.len().min(outputs.len());
    if length <= CHUNK {
        for (input, output) in inputs.iter().zip(outputs) {
            *output = f(input);
        }
        return;
    }
    let (inputs_left, inputs_right) = inputs.split_at(half(length));
    let (outputs_left, outputs_right) = outputs.split_at_mut(half(length));
    join(
        || map_tree(inputs_left, outputs_left, f),
        || map_tree(inputs_right, outputs_right, f),
    );
}

/// Half of a length in whole chunks, so that all pieces but the last are full.
fn half(length: usize) -> usize {
    length.div_ceil(CHUNK).div_ceil(2) * CHUNK
}

#[cfg(feature = "parallel")]
fn join<A: Send, B: Send>(
    left: impl FnOnce() -> A + Send,
    right: impl FnOnce() -> B + Send,
) -> (A, B) {
    rayon::join(left, right)
}

#[cfg(not(feature = "parallel"))]
fn join<A, B>(left: impl FnOnce() -> A, right: impl FnOnce() -> B) -> (A, B) {
    (left(), right())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values of mixed magnitude and sign, whose sum depends on the order of addition.
    fn rough(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| {
                let u = (i as f64 * 0.618_033_988_749_894_9).fract();
                (u - 0.5) * 10f64.powi((i % 13) as i32)
            })
            .collect()
    }

    fn sum(values: &[f64]) -> f64 {
        sum_chunks(
            values.len(),
            |r| values[r].iter().sum::<f64>(),
            |a, b| a + b,
        )
    }

    fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(work)
    }

    #[test]
    fn the_order_of_these_values_matters() {
        let values = rough(20_000);
        let backwards: f64 = values.iter().rev().sum();
        assert_ne!(values.iter().sum::<f64>().to_bits(), backwards.to_bits());
    }

    #[test]
    fn same_bits_at_any_number_of_threads() {
        for n in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK, 20_000, 100_003] {
            let values = rough(n);
            let alone = with_threads(1, || sum(&values));
            for threads in [2, 8] {
                let shared = with_threads(threads, || sum(&values));
                assert_eq!(
                    alone.to_bits(),
                    shared.to_bits(),
                    "{n} values, {threads} threads"
                );
            }
        }
    }

    #[test]
    fn the_tree_is_the_documented_one() {
        let n = 5 * CHUNK + 7;
        let shape = sum_chunks(
            n,
            |r| format!("{}", r.len()),
            |left, right| format!("({left} {right})"),
        );
        assert_eq!(shape, format!("((({c} {c}) {c}) (({c} {c}) 7))", c = CHUNK));
    }

    #[test]
    fn an_empty_range_is_folded_once() {
        assert_eq!(
            sum_chunks(0, |r| vec![r], |_, _| unreachable!()),
            vec![0..0]
        );
    }

    proptest! {
        #[test]
        fn every_index_is_folded_once_and_in_order(n in 0usize..10_000) {
            let indices = sum_chunks(n, |r| r.collect::<Vec<_>>(), |mut left, right| {
                left.extend(right);
                left
            });
            prop_assert!(indices.into_iter().eq(0..n));
        }

        #[test]
        fn every_row_is_written_once(n in 0usize..300, width in 1usize..5, piece in 1usize..70) {
            let mut rows = vec![0.0; n * width];
            let seen = write_rows(&mut rows, width, piece, |first, rows| {
                for (row, numbers) in (first..).zip(rows.chunks_exact_mut(width)) {
                    numbers.iter_mut().for_each(|number| *number += row as f32);
                }
                Vec::from_iter(first..first + rows.len() / width)
            }, |mut left, right| {
                left.extend(right);
                left
            });
            prop_assert!(seen.into_iter().eq(0..n));
            prop_assert!(rows.iter().enumerate().all(|(i, number)| *number == (i / width) as f32));
        }

        #[test]
        fn map_into_maps_each_in_place(n in 0usize..10_000, threads in 1usize..5) {
            let inputs: Vec<usize> = (0..n).collect();
            let mut outputs = vec![0; n];
            with_threads(threads, || map_into(&inputs, &mut outputs, |i| i * i));
            prop_assert!(outputs.iter().enumerate().all(|(i, o)| *o == i * i));
        }
    }
}
