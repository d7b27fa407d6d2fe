//! The distinct (x, T) among histories.

use crate::summary::{Histories, Numbering};

/// What expected purchases depend on besides P(alive).
pub(super) struct Pairs {
    /// Ascending.
    pub(super) distinct: Vec<(u32, f64)>,
    /// Which of them each row has.
    pub(super) of_row: Vec<u32>,
}

impl Pairs {
    pub(super) fn of(histories: &Histories) -> Self {
        let rows = || {
            histories
                .frequency()
                .iter()
                .copied()
                .zip(pairs_age(histories))
        };
        if rows().is_sorted() {
            return Self::of_sorted(rows());
        }
        let mut numbering = Numbering::new();
        let mut of_row: Vec<u32> = rows().map(|pair| numbering.number(pair)).collect();
        let keys = numbering.into_keys();
        let mut order: Vec<((u32, u64), u32)> = keys.into_iter().zip(0..).collect();
        order.sort_unstable();
        let mut place = vec![0; order.len()];
        for (&(_, number), new) in order.iter().zip(0..) {
            place[number as usize] = new;
        }
        for number in &mut of_row {
            *number = place[*number as usize];
        }
        let times = order.into_iter();
        Self {
            distinct: times
                .map(|((x, age), _)| (x, f64::from_bits(age)))
                .collect(),
            of_row,
        }
    }

    /// As distinct histories are, for which hashing each row would cost more than what is shared.
    fn of_sorted(rows: impl ExactSizeIterator<Item = (u32, u64)>) -> Self {
        let mut distinct = Vec::with_capacity(rows.len());
        let mut of_row = Vec::with_capacity(rows.len());
        let mut last = None;
        // The number of the next.
        let mut next = 0;
        for pair in rows {
            if last != Some(pair) {
                distinct.push((pair.0, f64::from_bits(pair.1)));
                last = Some(pair);
                next += 1;
            }
            of_row.push(next - 1);
        }
        Self { distinct, of_row }
    }
}

/// The bits of the ages: these are not negative, so that their bits order as they do.
fn pairs_age(histories: &Histories) -> impl ExactSizeIterator<Item = u64> {
    // Adding 0 turns −0 into 0, which is the same time.
    histories.age().iter().map(|age| (age + 0.0).to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{HistoryColumns, TimeUnit};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_finds_its_pair(
            mut rows in proptest::collection::vec((0u32..4, 0u32..4), 0..60),
            sorted in any::<bool>(),
        ) {
            if sorted {
                rows.sort_unstable();
            }
            let columns = HistoryColumns {
                frequency: rows.iter().map(|row| row.0).collect(),
                recency: vec![0.0; rows.len()],
                age: rows.iter().map(|row| f64::from(row.1)).collect(),
                ..HistoryColumns::default()
            };
            let pairs = Pairs::of(&Histories::from_columns(TimeUnit::Day, columns).unwrap());
            prop_assert!(pairs.distinct.is_sorted_by(|left, right| left < right));
            prop_assert_eq!(pairs.of_row.len(), rows.len());
            for (&(x, age), &number) in rows.iter().zip(&pairs.of_row) {
                prop_assert_eq!(pairs.distinct[number as usize], (x, f64::from(age)));
            }
        }
    }
}
