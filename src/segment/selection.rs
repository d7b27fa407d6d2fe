//! Order statistics of whole numbers without sorting them.

/// A value at a rank of the sorted column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranked {
    pub value: i64,
    /// How many values of the column are smaller.
    pub below: usize,
}

/// Buckets of one level: 2^12 counters stay in the first-level cache.
const BUCKET_BITS: u32 = 12;

/// The values at `ranks` (counted from 0, each below the number of values) of the sorted column.
///
/// Radix selection: the values are counted in at most 4,096 buckets of equal width, and only the buckets
/// that hold a wanted rank are looked into, in the same way. Each level reads its values three
/// times and narrows the range 4,096-fold, so that no input takes more than six levels; quickselect
/// would be slower by a factor for several ranks, and has bad cases.
pub(super) fn at_ranks<I>(values: I, ranks: &[usize]) -> Vec<Ranked>
where
    I: Iterator<Item = i64> + Clone,
{
    let Some((min, max)) = range(values.clone()) else {
        return Vec::new();
    };
    let width_bits = u64::BITS - max.abs_diff(min).leading_zeros();
    let shift = width_bits.saturating_sub(BUCKET_BITS);
    let bucket = |value: i64| (value.abs_diff(min) >> shift) as usize;
    let mut below = vec![0_usize; bucket(max) + 2];
    for value in values.clone() {
        below[bucket(value) + 1] += 1;
    }
    for i in 1..below.len() {
        below[i] += below[i - 1];
    }
    let holder = |rank: usize| below.partition_point(|&b| b <= rank) - 1;
    if shift == 0 {
        return ranks
            .iter()
            .map(|&rank| Ranked {
                value: min.wrapping_add_unsigned(holder(rank) as u64),
                below: below[holder(rank)],
            })
            .collect();
    }

    let mut wanted: Vec<usize> = ranks.iter().map(|&rank| holder(rank)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut slot_of = vec![usize::MAX; below.len()];
    let mut held: Vec<Vec<i64>> = Vec::with_capacity(wanted.len());
    for (slot, &b) in wanted.iter().enumerate() {
        slot_of[b] = slot;
        held.push(Vec::with_capacity(below[b + 1] - below[b]));
    }
    for value in values {
        if let Some(slot) = held.get_mut(slot_of[bucket(value)]) {
            slot.push(value);
        }
    }
    ranks
        .iter()
        .flat_map(|&rank| {
            let b = holder(rank);
            let inside = at_ranks(held[slot_of[b]].iter().copied(), &[rank - below[b]]);
            inside.into_iter().map(move |found| (b, found))
        })
        .map(|(b, found)| Ranked {
            below: below[b] + found.below,
            ..found
        })
        .collect()
}

/// The smallest and the largest value.
pub(super) fn range(values: impl Iterator<Item = i64>) -> Option<(i64, i64)> {
    values.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((min, max)) => Some((value.min(min), value.max(max))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Vec<i64>> {
        let value = prop_oneof![
            any::<i64>(),
            -3_i64..3,
            0_i64..1_000_000,
            Just(i64::MIN),
            Just(i64::MAX),
        ];
        proptest::collection::vec(value, 1..300)
    }

    proptest! {
        #[test]
        fn every_rank_is_the_one_of_the_sorted_column(values in values()) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let ranks: Vec<usize> = (0..values.len()).collect();
            let expected: Vec<Ranked> = sorted
                .iter()
                .map(|&value| Ranked { value, below: sorted.partition_point(|&v| v < value) })
                .collect();
            prop_assert_eq!(at_ranks(values.iter().copied(), &ranks), expected);
        }
    }

    #[test]
    fn nothing_has_no_ranks() {
        assert_eq!(at_ranks(std::iter::empty(), &[]), []);
    }
}
