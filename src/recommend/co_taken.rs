//! Products of columns of who took what: what items have in common by their customers, the largest of each kept.

use std::ops::Range;

use super::item_weights::SparseWeights;
use crate::numeric::reduce::sum_chunks;
use crate::summary::InteractionMatrix;

/// Item by item, Σ_u left(i, u) · right(u, j) over the customers that both have; no term is negative.
pub(super) struct CoTaken<'a> {
    pub(super) matrix: &'a InteractionMatrix,
    pub(super) transposed: &'a InteractionMatrix,
    /// Of the matrix's entries, in their order.
    pub(super) right: &'a [f64],
    /// Whether an item is its own neighbour.
    pub(super) with_itself: bool,
    /// The most that an item keeps: at the same product those of the lower number.
    pub(super) neighbours: usize,
}

impl CoTaken<'_> {
    /// The rows of all items; `left` is asked for an item, a customer and the weight of their entry. `None` when cancelled.
    pub(super) fn rows(
        &self,
        left: impl Fn(u32, u32, f32) -> f64 + Sync,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Option<SparseWeights> {
        let mut end = 0;
        let row_ends = self.matrix.iter().map(|(items, _)| {
            end += items.len();
            end
        });
        let ends: Vec<usize> = row_ends.collect();
        sum_chunks(
            self.transposed.rows() as usize,
            |items| self.some_rows(items, &ends, &left, cancelled),
            |left, right| {
                let mut rows = left?;
                rows.append(right?);
                Some(rows)
            },
        )
    }

    fn some_rows(
        &self,
        items: Range<usize>,
        ends: &[usize],
        left: &(impl Fn(u32, u32, f32) -> f64 + Sync),
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Option<SparseWeights> {
        let mut rows = SparseWeights::default();
        let mut sums = vec![0.0_f64; self.transposed.rows() as usize];
        let mut touched: Vec<u32> = Vec::new();
        for item in items.start as u32..items.end as u32 {
            if cancelled() {
                return None;
            }
            let (customers, weights) = self.transposed.row(item);
            for (&customer, &weight) in customers.iter().zip(weights) {
                let by = left(item, customer, weight);
                self.add_customer(customer, ends, by, &mut sums, &mut touched);
            }
            if !self.with_itself {
                touched.retain(|&other| other != item);
                if let Some(sum) = sums.get_mut(item as usize) {
                    *sum = 0.0;
                }
            }
            let sum_of = |item: u32| sums.get(item as usize).copied().unwrap_or(0.0);
            if touched.len() > self.neighbours {
                touched.select_nth_unstable_by(self.neighbours, |&left, &right| {
                    let by_sum = sum_of(right).total_cmp(&sum_of(left));
                    by_sum.then(left.cmp(&right))
                });
            }
            let kept = touched.len().min(self.neighbours);
            let (kept, _) = touched.split_at_mut(kept);
            kept.sort_unstable();
            rows.item.extend_from_slice(kept);
            rows.weight.extend(kept.iter().map(|&item| sum_of(item)));
            rows.ends.push(rows.item.len());
            for item in touched.drain(..) {
                if let Some(sum) = sums.get_mut(item as usize) {
                    *sum = 0.0;
                }
            }
        }
        Some(rows)
    }

    /// Adds a multiple of a customer's numbers. No term is negative, so that a sum of 0 was not touched.
    fn add_customer(
        &self,
        customer: u32,
        ends: &[usize],
        by: f64,
        sums: &mut [f64],
        touched: &mut Vec<u32>,
    ) {
        let (items, _) = self.matrix.row(customer);
        let end = ends.get(customer as usize).copied().unwrap_or(0);
        let right = self.right.get(end - items.len()..end).unwrap_or_default();
        for (&item, &number) in items.iter().zip(right) {
            let term = by * number;
            if let Some(sum) = sums.get_mut(item as usize)
                && term > 0.0
            {
                if *sum == 0.0 {
                    touched.push(item);
                }
                *sum += term;
            }
        }
    }
}
