//! Order statistics of whole numbers without sorting them.

/// A value at a rank of the sorted column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranked {
    pub value: i64,
    /// How many values of the column are smaller.
    pub below: usize,
}

/// Buckets of one level: about one a value, but no more than 2^16, whose counters stay in the second-level
/// cache. Money is skewed: with fewer buckets, most customers would share one with a wanted rank.
fn bucket_bits(values: usize) -> u32 {
    values.max(1).ilog2().clamp(8, 16)
}

/// Up to so many values are sorted, which is then quicker.
const SORTED_MAX: usize = 2_048;

/// The values at `ranks` (counted from 0, each below the number of values) of the sorted column.
///
/// Radix selection: the values are counted in buckets of equal width, and only the buckets that hold a wanted
/// rank are looked into, in the same way. Each level reads its values a few times and narrows the range
/// at least 256-fold, so that no input takes more than eight levels; quickselect would be slower for
/// several ranks, and has bad cases.
pub(super) fn at_ranks<I>(values: I, ranks: &[usize]) -> Vec<Ranked>
where
    I: ExactSizeIterator<Item = i64> + Clone,
{
    select(values, ranks, SORTED_MAX)
}

fn select<I>(values: I, ranks: &[usize], sorted_max: usize) -> Vec<Ranked>
where
    I: ExactSizeIterator<Item = i64> + Clone,
{
    let Some((min, max)) = range(values.clone()) else {
        return Vec::new();
    };
    let count = values.len();
    if count <= sorted_max {
        return sorted(values.collect(), ranks);
    }
    let width_bits = u64::BITS - max.abs_diff(min).leading_zeros();
    let shift = width_bits.saturating_sub(bucket_bits(count));
    // No value is below `min`, so that the wrapped difference is the true one, without a sign.
    let bucket = |value: i64| (value.wrapping_sub(min) as u64 >> shift) as usize;
    let mut below = vec![0_usize; bucket(max) + 2];
    for value in values.clone() {
        below[bucket(value) + 1] += 1;
    }
    for i in 1..below.len() {
        below[i] += below[i - 1];
    }
    let holder = |rank: usize| below.partition_point(|&b| b <= rank) - 1;
    if shift == 0 {
        let value = |bucket: usize| min.wrapping_add_unsigned(bucket as u64);
        let holders = ranks.iter().map(|&rank| holder(rank));
        return holders
            .map(|b| Ranked {
                value: value(b),
                below: below[b],
            })
            .collect();
    }

    let mut wanted: Vec<usize> = ranks.iter().map(|&rank| holder(rank)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let inside = gather(values, bucket, &wanted, &below);
    let mut answers: Vec<_> = wanted
        .iter()
        .zip(inside)
        .map(|(&b, inside)| {
            let here = ranks.iter().filter(|&&rank| holder(rank) == b);
            let here: Vec<usize> = here.map(|&rank| rank - below[b]).collect();
            select(inside.iter().copied(), &here, sorted_max).into_iter()
        })
        .collect();
    let next = |b: usize| {
        let slot = wanted.binary_search(&b).ok()?;
        let found = answers.get_mut(slot)?.next()?;
        Some(Ranked {
            below: below[b] + found.below,
            ..found
        })
    };
    ranks
        .iter()
        .map(|&rank| holder(rank))
        .filter_map(next)
        .collect()
}

/// The values in each of the wanted buckets.
fn gather(
    values: impl Iterator<Item = i64>,
    bucket: impl Fn(i64) -> usize,
    wanted: &[usize],
    below: &[usize],
) -> Vec<Vec<i64>> {
    let mut slot_of = vec![usize::MAX; below.len()];
    let mut inside: Vec<Vec<i64>> = Vec::with_capacity(wanted.len());
    for (slot, &b) in wanted.iter().enumerate() {
        slot_of[b] = slot;
        inside.push(Vec::with_capacity(below[b + 1] - below[b]));
    }
    for value in values {
        if let Some(slot) = inside.get_mut(slot_of[bucket(value)]) {
            slot.push(value);
        }
    }
    inside
}

fn sorted(mut values: Vec<i64>, ranks: &[usize]) -> Vec<Ranked> {
    values.sort_unstable();
    let at = ranks.iter().filter_map(|&rank| values.get(rank).copied());
    at.map(|value| Ranked {
        value,
        below: values.partition_point(|&v| v < value),
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
        proptest::collection::vec(value, 1..100)
    }

    proptest! {
        #[test]
        fn every_rank_is_the_one_of_the_sorted_column(
            values in values(),
            sorted_max in prop_oneof![Just(0_usize), Just(3), Just(SORTED_MAX)],
            reversed in any::<bool>(),
        ) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let mut ranks: Vec<usize> = (0..values.len()).collect();
            if reversed {
                ranks.reverse();
            }
            let expected: Vec<Ranked> = ranks
                .iter()
                .map(|&rank| sorted[rank])
                .map(|value| Ranked { value, below: sorted.partition_point(|&v| v < value) })
                .collect();
            prop_assert_eq!(select(values.iter().copied(), &ranks, sorted_max), expected);
        }
    }

    #[test]
    fn nothing_has_no_ranks() {
        assert_eq!(at_ranks(std::iter::empty(), &[]), []);
    }
}
