//! Customers with the same history, counted once.

use std::cmp::Ordering;

use super::history::{Histories, History, TimeUnit};
use super::numbering::Numbering;

/// The distinct histories (x, t_x, T) among many customers, each with its number of customers.
///
/// A purchase model learns nothing from a customer's name: its likelihood depends on the
/// customers only through how many have each (x, t_x, T). Where times are whole days or weeks, a
/// million customers share some ten thousand histories, and a fit costs what those cost.
///
/// The order is by frequency, then age, then recency, whatever the order of the rows. Spend and
/// the sums of logarithms of gaps are not part of a distinct history.
///
/// ```
/// use tenure::summary::{Histories, HistoryColumns, TimeUnit};
///
/// let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
///     frequency: vec![2, 0, 0],
///     recency: vec![30.43, 0.0, 0.0],
///     age: vec![38.86, 38.86, 38.86],
///     ..HistoryColumns::default()
/// })?;
/// let distinct = histories.distinct();
/// assert_eq!(distinct.count(), [2, 1]);
/// assert_eq!(distinct.of_row(), [1, 0, 0]);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DistinctHistories {
    unit: TimeUnit,
    frequency: Vec<u32>,
    recency: Vec<f64>,
    age: Vec<f64>,
    count: Vec<u32>,
    of_row: Vec<u32>,
}

impl Histories {
    /// The distinct (x, t_x, T) with their counts, and which of them each row is.
    ///
    /// One pass with a hash table over the rows, then a sort of the distinct histories: about
    /// 40 ns a row where most rows repeat a history that was seen before.
    pub fn distinct(&self) -> DistinctHistories {
        let mut numbering = Numbering::new();
        let mut of_row = Vec::with_capacity(self.len());
        for ((&frequency, &recency), &age) in
            self.frequency().iter().zip(self.recency()).zip(self.age())
        {
            of_row.push(numbering.number(Key::new(frequency, recency, age)));
        }
        let keys = numbering.into_keys();
        let mut order: Vec<(Key, u32)> = keys.into_iter().zip(0..).collect();
        order.sort_unstable_by(|(left, _), (right, _)| left.order(right));
        let mut place = vec![0; order.len()];
        for (&(_, number), new) in order.iter().zip(0..) {
            place[number as usize] = new;
        }
        let mut count = vec![0; order.len()];
        for number in &mut of_row {
            *number = place[*number as usize];
            count[*number as usize] += 1;
        }
        DistinctHistories {
            unit: self.unit(),
            frequency: order.iter().map(|(key, _)| key.frequency).collect(),
            recency: order.iter().map(|(key, _)| key.recency()).collect(),
            age: order.iter().map(|(key, _)| key.age()).collect(),
            count,
            of_row,
        }
    }
}

impl DistinctHistories {
    /// How many distinct histories there are.
    pub fn len(&self) -> usize {
        self.count.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count.is_empty()
    }

    /// How many customers there are: the sum of the counts.
    pub fn customers(&self) -> usize {
        self.of_row.len()
    }

    /// The unit of all times.
    pub fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// Repeat purchases (x) of each distinct history, ascending.
    pub fn frequency(&self) -> &[u32] {
        &self.frequency
    }

    /// Time from the first purchase to the last (t_x) of each distinct history.
    pub fn recency(&self) -> &[f64] {
        &self.recency
    }

    /// Time from the first purchase to the end of the observation (T) of each distinct history.
    pub fn age(&self) -> &[f64] {
        &self.age
    }

    /// How many customers have each distinct history.
    pub fn count(&self) -> &[u32] {
        &self.count
    }

    /// For each row of the [`Histories`], the position of its distinct history.
    pub fn of_row(&self) -> &[u32] {
        &self.of_row
    }

    /// Each distinct history, without spend and gaps, with its number of customers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (History, u32)> + '_ {
        let times = self.recency.iter().zip(&self.age);
        let rows = self.frequency.iter().zip(times).zip(&self.count);
        rows.map(|((&frequency, (&recency, &age)), &count)| {
            let history = History {
                frequency,
                recency,
                age,
                log_gaps: 0.0,
                mean_spend: 0.0,
            };
            (history, count)
        })
    }
}

/// A history by its bits; times are finite and not negative, so their bits order as they do.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    recency: u64,
    age: u64,
    frequency: u32,
}

impl Key {
    fn new(frequency: u32, recency: f64, age: f64) -> Self {
        // Adding 0 turns −0 into 0, which is the same time.
        Self {
            recency: (recency + 0.0).to_bits(),
            age: (age + 0.0).to_bits(),
            frequency,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        (self.frequency, self.age, self.recency).cmp(&(other.frequency, other.age, other.recency))
    }

    fn recency(&self) -> f64 {
        f64::from_bits(self.recency)
    }

    fn age(&self) -> f64 {
        f64::from_bits(self.age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::HistoryColumns;
    use proptest::prelude::*;

    fn histories(rows: &[(u32, f64, f64)]) -> Histories {
        let columns = HistoryColumns {
            frequency: rows.iter().map(|r| r.0).collect(),
            recency: rows.iter().map(|r| r.1).collect(),
            age: rows.iter().map(|r| r.2).collect(),
            ..HistoryColumns::default()
        };
        Histories::from_columns(TimeUnit::Day, columns).unwrap()
    }

    #[test]
    fn sorted_by_frequency_age_recency() {
        let rows = [
            (1, 4.0, 9.0),
            (1, 2.0, 10.0),
            (0, 0.0, 12.0),
            (1, 3.0, 9.0),
            (0, -0.0, 12.0),
        ];
        let distinct = histories(&rows).distinct();
        let listed: Vec<_> = distinct
            .iter()
            .map(|(h, n)| (h.frequency, h.recency, h.age, n))
            .collect();
        let expected = [
            (0, 0.0, 12.0, 2),
            (1, 3.0, 9.0, 1),
            (1, 4.0, 9.0, 1),
            (1, 2.0, 10.0, 1),
        ];
        assert_eq!(listed, expected);
        assert_eq!(distinct.of_row(), [2, 3, 0, 1, 0]);
        assert_eq!(distinct.customers(), 5);
    }

    #[test]
    fn nothing_has_no_distinct_histories() {
        assert!(histories(&[]).distinct().is_empty());
    }

    proptest! {
        #[test]
        fn every_row_finds_itself_and_counts_add_up(
            rows in proptest::collection::vec((0u32..4, 0u32..4, 0u32..4), 0..200),
        ) {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(x, gap, rest)| {
                    let t_x = if x == 0 { 0.0 } else { f64::from(gap) };
                    (x, t_x, t_x + f64::from(rest))
                })
                .collect();
            let distinct = histories(&rows).distinct();
            let tuples: Vec<_> = distinct.iter().map(|(h, _)| (h.frequency, h.recency, h.age)).collect();
            for (row, &number) in rows.iter().zip(distinct.of_row()) {
                prop_assert_eq!(row, &tuples[number as usize]);
            }
            prop_assert!(tuples.is_sorted_by(|l, r| (l.0, l.2, l.1) < (r.0, r.2, r.1)));
            prop_assert_eq!(distinct.count().iter().sum::<u32>() as usize, rows.len());
        }
    }
}
