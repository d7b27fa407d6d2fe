//! One epoch of stochastic steps whose bits do not depend on the threads.
//!
//! Customers are cut into groups, and items, dealt anew in each epoch, into as many. A cell is what one group of
//! customers took of one group of items. Cells that share neither customers nor items touch different numbers: as many
//! of them as there are groups are worked on at once, and the next round pairs the groups anew, until every
//! customer group has met every item group. The result is that of the cells one after the other, whoever works on them
//! (Gemulla, Nijkamp, Haas and Sismanis 2011, *Large-scale matrix factorization with distributed stochastic gradient
//! descent*). The item that a step compares with comes from the cell's own group; as groups are dealt anew,
//! every pair of items meets with the same chance.

use std::ops::Range;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

use super::group::Items;
use super::rule::{Moved, Rule};
use crate::numeric::lanes::Level;
use crate::numeric::reduce::each_block;
use crate::summary::InteractionMatrix;

/// As many cells at once at most.
const GROUPS_MAX: usize = 16;
/// A group is worth having from so many items or customers on.
const GROUP_MIN: usize = 64;
/// The cancel token is asked after so many steps.
const ASKED: usize = 64;
/// Streams of random numbers below this are not used by cells.
const STREAMS: u64 = 1 << 32;

/// A number below `n`, which is positive; the bias is n / 2³².
pub(super) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize
}

/// What is trained: vectors and biases.
pub(super) struct Trained {
    pub(super) width: usize,
    pub(super) customers: Vec<f32>,
    pub(super) items: Vec<f32>,
    pub(super) biases: Vec<f32>,
}

/// What stays the same in all epochs.
pub(super) struct Strata<'a> {
    level: Level,
    matrix: &'a InteractionMatrix,
    rule: &'a Rule,
    seed: u64,
    /// The customers of each group.
    groups: Vec<Range<u32>>,
}

/// A group of customers in an epoch: their vectors, and what they took, by group of items.
struct Customers<'a> {
    first: u32,
    rows: &'a mut [f32],
    /// Customer and item, by their places in the groups.
    entries: Vec<(u32, u32)>,
    /// Where the entries of each group of items end.
    ends: Vec<usize>,
}

impl<'a> Strata<'a> {
    pub(super) fn new(matrix: &'a InteractionMatrix, rule: &'a Rule, seed: u64) -> Self {
        let smaller = matrix.rows().min(matrix.columns()) as usize;
        let count = (smaller / GROUP_MIN).clamp(1, GROUPS_MAX);
        Self {
            level: Level::detect(),
            matrix,
            rule,
            seed,
            groups: even_groups(matrix, count),
        }
    }

    /// Takes every entry once; what the steps say, in a fixed order. `None` once stopped.
    pub(super) fn epoch(
        &self,
        trained: &mut Trained,
        epoch: u32,
        rate: f32,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Option<Moved> {
        let (mut items, place) = self.deal(trained, epoch);
        let mut groups = self.meet(&mut trained.customers, trained.width, &place, items.len());
        let count = items.len();
        let mut total = Moved::default();
        for round in 0..count {
            let mut pairs: Vec<(&mut Customers<'_>, &mut Items, Moved)> = groups
                .iter_mut()
                .zip(&mut items)
                .map(|(customers, items)| (customers, items, Moved::default()))
                .collect();
            each_block(&mut pairs, 1, |group, pair| {
                for (customers, items, moved) in pair {
                    let cell = (u64::from(epoch) * count as u64 + round as u64) * count as u64;
                    let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                    rng.set_stream(STREAMS + cell + group as u64);
                    let with = (group + round) % count;
                    *moved = self.cell(customers, items, with, rate, &mut rng, stop);
                }
            });
            for (.., moved) in &pairs {
                total = total.and(moved);
            }
            if stop() {
                return None;
            }
            items.rotate_left(1);
        }
        let width = trained.width;
        for group in &items {
            let rows = group.rows.chunks_exact(width).zip(&group.biases);
            for (&number, (row, &bias)) in group.numbers.iter().zip(rows) {
                let at = number as usize;
                let place = trained.items.get_mut(at * width..(at + 1) * width);
                place.unwrap_or_default().copy_from_slice(row);
                if let Some(place) = trained.biases.get_mut(at) {
                    *place = bias;
                }
            }
        }
        Some(total)
    }

    /// Deals the items; the groups, and of each item its group and its place there.
    fn deal(&self, trained: &Trained, epoch: u32) -> (Vec<Items>, Vec<(u32, u32)>) {
        let count = self.groups.len();
        let total = self.matrix.columns() as usize;
        let mut order: Vec<u32> = (0..self.matrix.columns()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(1 + u64::from(epoch));
        for at in (1..total).rev() {
            order.swap(at, below(&mut rng, at + 1));
        }
        let size = total.div_ceil(count).max(1);
        let mut place = vec![(0, 0); total];
        for (at, &item) in order.iter().enumerate() {
            if let Some(place) = place.get_mut(item as usize) {
                *place = ((at / size) as u32, (at % size) as u32);
            }
        }
        let mut items: Vec<Items> = (0..count)
            .map(|group| {
                let end = ((group + 1) * size).min(total);
                Items {
                    numbers: order.get(group * size..end).unwrap_or_default().to_vec(),
                    rows: Vec::new(),
                    biases: Vec::new(),
                    tickets: Vec::new(),
                }
            })
            .collect();
        let width = trained.width;
        each_block(&mut items, 1, |_, group| {
            for group in group {
                for &item in &group.numbers {
                    let begin = item as usize * width;
                    let row = trained.items.get(begin..begin + width);
                    group.rows.extend_from_slice(row.unwrap_or_default());
                    let bias = trained.biases.get(item as usize);
                    group.biases.push(bias.copied().unwrap_or(0.0));
                }
            }
        });
        if self.rule.by_popularity() {
            for (columns, weights) in self.matrix.iter() {
                for (&item, _) in columns.iter().zip(weights).filter(|(_, w)| **w > 0.0) {
                    if let Some(&(group, at)) = place.get(item as usize)
                        && let Some(group) = items.get_mut(group as usize)
                    {
                        group.tickets.push(at);
                    }
                }
            }
        }
        (items, place)
    }

    /// The groups of customers, with what they took sorted by group of items.
    fn meet<'b>(
        &self,
        customers: &'b mut [f32],
        width: usize,
        place: &[(u32, u32)],
        count: usize,
    ) -> Vec<Customers<'b>> {
        let mut rest = customers;
        let mut groups: Vec<Customers<'b>> = Vec::with_capacity(self.groups.len());
        for range in &self.groups {
            let (rows, after) = std::mem::take(&mut rest).split_at_mut(range.len() * width);
            rest = after;
            groups.push(Customers {
                first: range.start,
                rows,
                entries: Vec::new(),
                ends: vec![0; count],
            });
        }
        each_block(&mut groups, 1, |number, group| {
            let range = self.groups.get(number).cloned().unwrap_or_default();
            for group in group {
                let taken = || {
                    range.clone().zip(0_u32..).flat_map(|(customer, local)| {
                        let (items, weights) = self.matrix.row(customer);
                        let taken = items.iter().zip(weights).filter(|(_, w)| **w > 0.0);
                        taken.filter_map(move |(&item, _)| {
                            place
                                .get(item as usize)
                                .map(|&(group, at)| (group, local, at))
                        })
                    })
                };
                for (with, ..) in taken() {
                    if let Some(end) = group.ends.get_mut(with as usize) {
                        *end += 1;
                    }
                }
                let mut total = 0;
                for end in &mut group.ends {
                    (total, *end) = (total + *end, total);
                }
                group.entries.resize(total, (0, 0));
                for (with, local, at) in taken() {
                    if let Some(end) = group.ends.get_mut(with as usize) {
                        if let Some(entry) = group.entries.get_mut(*end) {
                            *entry = (local, at);
                        }
                        *end += 1;
                    }
                }
            }
        });
        groups
    }

    fn cell(
        &self,
        customers: &mut Customers<'_>,
        items: &mut Items,
        with: usize,
        rate: f32,
        rng: &mut ChaCha8Rng,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Moved {
        let begin = with.checked_sub(1).and_then(|w| customers.ends.get(w));
        let begin = begin.copied().unwrap_or(0);
        let end = customers.ends.get(with).copied().unwrap_or(0);
        let entries = customers.entries.get_mut(begin..end).unwrap_or_default();
        let mut total = Moved::default();
        if items.numbers.len() < 2 {
            return total;
        }
        let width = items.rows.len() / items.numbers.len();
        for at in 0..entries.len() {
            if at % ASKED == 0 && stop() {
                break;
            }
            let other = at + below(rng, entries.len() - at);
            entries.swap(at, other);
            let Some(&(local, near)) = entries.get(at) else {
                break;
            };
            let row = local as usize * width;
            let Some(x) = customers.rows.get_mut(row..row + width) else {
                break;
            };
            let (taken, _) = self.matrix.row(customers.first + local);
            let others = (self.matrix.columns() as usize).saturating_sub(taken.len());
            let taken = |item: u32| taken.binary_search(&item).is_ok();
            let how = (self.rule, self.level, rate);
            let moved = items.step(how, x, near as usize, (&taken, others), rng);
            total = total.and(&moved);
        }
        total
    }
}

/// Consecutive customers with about as many entries in each group.
fn even_groups(matrix: &InteractionMatrix, count: usize) -> Vec<Range<u32>> {
    let mut groups = Vec::with_capacity(count);
    let (mut begin, mut passed) = (0, 0);
    for (customer, (items, _)) in (0..).zip(matrix.iter()) {
        passed += items.len();
        // In 128 bits no product overflows.
        let due = (passed as u128 * count as u128) / (matrix.len() as u128).max(1);
        if due > groups.len() as u128 && groups.len() + 1 < count {
            groups.push(begin..customer + 1);
            begin = customer + 1;
        }
    }
    groups.push(begin..matrix.rows());
    groups.resize(count, matrix.rows()..matrix.rows());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::InteractionSummary;

    #[test]
    fn groups_cover_all_customers_and_are_even() {
        let mut log = InteractionSummary::new();
        for customer in 0..500_u32 {
            for item in 0..1 + customer % 7 {
                log.push(customer, item, 1.0).unwrap();
            }
        }
        let matrix = log.matrix();
        for count in [1, 2, 7, 16] {
            let groups = even_groups(&matrix, count);
            assert_eq!(groups.len(), count);
            let all: Vec<u32> = groups.iter().cloned().flatten().collect();
            assert!(all.into_iter().eq(0..500));
            let entries = |group: &Range<u32>| -> usize {
                group.clone().map(|row| matrix.row(row).0.len()).sum()
            };
            let fair = matrix.len() / count;
            assert!(
                groups
                    .iter()
                    .all(|group| entries(group).abs_diff(fair) <= 14)
            );
        }
    }

    #[test]
    fn one_customer_with_everything_leaves_other_groups_empty() {
        let mut log = InteractionSummary::new();
        for item in 0..200 {
            log.push(9, item, 1.0).unwrap();
        }
        let groups = even_groups(&log.matrix(), 4);
        assert!(groups.iter().cloned().flatten().eq(0..10));
    }
}
