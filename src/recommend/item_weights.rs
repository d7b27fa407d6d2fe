//! Models whose score is a sum over the items taken: score(t) = Σ_j r_j W[j, t].
//!
//! They differ in how the weights W come about and are stored; queries and explanations are the same.

use serde::{Deserialize, Serialize};

use super::saved::{SavedPart, bits, wrong};
use super::{Contribution, Explanation, Query, QueryError, Scratch, check_places};
use crate::error::DataError;
use crate::summary::{InteractionMatrix, ItemGram};

/// What each item says of each other.
pub(super) trait ItemWeights: Send + Sync {
    /// How many items there are.
    fn items(&self) -> u32;

    /// Adds a multiple of what one item says of all; both are known, `sums` has a place for each item.
    fn add_row(&self, from: u32, by: f32, sums: &mut [f32]);

    /// What one item says of another; both are known.
    fn weight(&self, from: u32, to: u32) -> f64;
}

/// The part that all such models share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear<W> {
    /// What the customers took.
    pub(super) seen: InteractionMatrix,
    pub(super) weights: W,
    /// Whether an item counts as 1 however much of it was taken.
    pub(super) binary: bool,
}

impl<W: ItemWeights> Linear<W> {
    /// As [`Scorer::score`](super::Scorer::score): exact sums, each rounded once.
    pub(super) fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        check_places(items, out)?;
        self.check(query)?;
        for (place, &item) in out.iter_mut().zip(items) {
            self.check(&Query::Item(item))?;
            let mut sum = 0.0;
            self.each_taken(query, |from, by| {
                sum += f64::from(by) * self.weights.weight(from, item);
            });
            *place = finite(sum as f32);
        }
        Ok(())
    }

    /// As [`Scorer::scan`](super::Scorer::scan): one block, row upon row.
    pub(super) fn scan(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        self.check(query)?;
        let sums = scratch.zeros(self.weights.items() as usize);
        self.each_taken(query, |from, by| self.weights.add_row(from, by, sums));
        for sum in sums.iter_mut() {
            *sum = finite(*sum);
        }
        visit(0, sums);
        Ok(())
    }

    /// As [`Explainer::explain`](super::Explainer::explain).
    pub(super) fn explain(&self, query: &Query<'_>, item: u32) -> Result<Explanation, QueryError> {
        self.check(query)?;
        self.check(&Query::Item(item))?;
        let mut contributions = Vec::new();
        self.each_taken(query, |from, by| {
            let amount = f64::from(by) * self.weights.weight(from, item);
            contributions.push(Contribution { item: from, amount });
        });
        Ok(Explanation::of(contributions))
    }

    /// Refuses what the model does not know.
    pub(super) fn check(&self, query: &Query<'_>) -> Result<(), QueryError> {
        query.check(self.seen.rows(), self.weights.items())
    }

    /// Shows each item taken, and what it counts.
    pub(super) fn each_taken(&self, query: &Query<'_>, mut take: impl FnMut(u32, f32)) {
        let mut take = |item: u32, weight: f32| {
            let present = if weight > 0.0 { 1.0 } else { 0.0 };
            take(item, if self.binary { present } else { weight });
        };
        match *query {
            Query::Customer(customer) => {
                let (items, weights) = self.seen.row(customer);
                items
                    .iter()
                    .zip(weights)
                    .for_each(|(&item, &weight)| take(item, weight));
            }
            Query::Basket(basket) => basket.iter().for_each(|&(item, weight)| take(item, weight)),
            Query::Item(item) => take(item, 1.0),
        }
    }
}

/// Who took what, with the items of the counts.
pub(super) fn counted(
    gram: &ItemGram,
    seen: &InteractionMatrix,
) -> Result<InteractionMatrix, DataError> {
    if seen.columns() <= gram.items() {
        return Ok(seen.with_columns(gram.items()));
    }
    Err(DataError::Mismatch {
        setting: "items",
        left: format!("{} counted", gram.items()),
        right: format!("{} taken", seen.columns()),
    })
}

/// [`Scorer`](super::Scorer) and [`Explainer`](super::Explainer) of a model whose field `linear` is a [`Linear`].
macro_rules! by_items_taken {
    ($model:ty) => {
        impl $crate::recommend::Scorer for $model {
            fn items(&self) -> u32 {
                self.linear.seen.columns()
            }

            fn score(
                &self,
                query: &$crate::recommend::Query<'_>,
                items: &[u32],
                _: &mut $crate::recommend::Scratch,
                out: &mut [f32],
            ) -> Result<(), $crate::recommend::QueryError> {
                self.linear.score(query, items, out)
            }

            fn scan(
                &self,
                query: &$crate::recommend::Query<'_>,
                scratch: &mut $crate::recommend::Scratch,
                visit: &mut dyn FnMut(u32, &[f32]),
            ) -> Result<(), $crate::recommend::QueryError> {
                self.linear.scan(query, scratch, visit)
            }
        }

        impl $crate::recommend::Explainer for $model {
            fn explain(
                &self,
                query: &$crate::recommend::Query<'_>,
                item: u32,
            ) -> Result<$crate::recommend::Explanation, $crate::recommend::QueryError> {
                self.linear.explain(query, item)
            }
        }
    };
}
pub(super) use by_items_taken;

/// Weights of many orders of magnitude can leave the range of `f32`; a score stays a number.
pub(super) fn finite(score: f32) -> f32 {
    score.clamp(f32::MIN, f32::MAX)
}

/// Weights of which most are 0: compressed sparse rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SparseWeights {
    /// Where the row of each item ends; it begins where the one before ends.
    pub(super) ends: Vec<usize>,
    /// Ascending in each row.
    pub(super) item: Vec<u32>,
    #[serde(with = "bits")]
    pub(super) weight: Vec<f64>,
}

impl SparseWeights {
    /// Rows appended in order; the other's follow this one's.
    pub(super) fn append(&mut self, other: Self) {
        let before = self.item.len();
        self.ends
            .extend(other.ends.into_iter().map(|end| before + end));
        self.item.extend(other.item);
        self.weight.extend(other.weight);
    }

    /// Appends a row, ascending.
    pub(super) fn push(&mut self, row: &[(u32, f64)]) {
        self.item.extend(row.iter().map(|&(item, _)| item));
        self.weight.extend(row.iter().map(|&(_, weight)| weight));
        self.ends.push(self.item.len());
    }

    /// The items of a row, ascending, and their weights.
    pub(super) fn row(&self, item: u32) -> (&[u32], &[f64]) {
        let row = item as usize;
        let end = self.ends.get(row).copied().unwrap_or(0);
        let begin = row.checked_sub(1).and_then(|before| self.ends.get(before));
        let range = begin.copied().unwrap_or(0)..end;
        (
            self.item.get(range.clone()).unwrap_or_default(),
            self.weight.get(range).unwrap_or_default(),
        )
    }

    /// The items of a row, ascending, each with its weight.
    pub(super) fn entries(&self, item: u32) -> impl ExactSizeIterator<Item = (u32, f64)> {
        let (items, weights) = self.row(item);
        items.iter().copied().zip(weights.iter().copied())
    }

    /// Adds a multiple of a row; `sums` has a place for each item.
    pub(super) fn add_to(&self, item: u32, by: f64, sums: &mut [f64]) {
        if by == 0.0 {
            return;
        }
        for (other, weight) in self.entries(item) {
            if let Some(sum) = sums.get_mut(other as usize) {
                *sum += by * weight;
            }
        }
    }

    /// Rows and columns exchanged; as many of the one as of the other.
    pub(super) fn transposed(&self) -> Self {
        let items = self.ends.len();
        // One place more, so that a row's end becomes its begin while it is filled.
        let mut ends = vec![0_usize; items + 1];
        for &item in &self.item {
            if let Some(count) = ends.get_mut(item as usize + 1) {
                *count += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        let (mut item, mut weight) = (vec![0; total], vec![0.0; total]);
        for row in 0..items as u32 {
            for (column, value) in self.entries(row) {
                if let Some(next) = ends.get_mut(column as usize) {
                    if let (Some(i), Some(w)) = (item.get_mut(*next), weight.get_mut(*next)) {
                        (*i, *w) = (row, value);
                    }
                    *next += 1;
                }
            }
        }
        ends.pop();
        Self { ends, item, weight }
    }

    /// Divides the weights of each row, none of them negative, by their sum.
    pub(super) fn normalize(&mut self) {
        let mut begin = 0;
        for &end in &self.ends {
            let row = self.weight.get_mut(begin..end).unwrap_or_default();
            let sum: f64 = row.iter().sum();
            if sum > 0.0 {
                row.iter_mut().for_each(|weight| *weight /= sum);
            }
            begin = end;
        }
    }
}

impl ItemWeights for SparseWeights {
    fn items(&self) -> u32 {
        self.ends.len() as u32
    }

    fn add_row(&self, from: u32, by: f32, sums: &mut [f32]) {
        let (items, weights) = self.row(from);
        let by = f64::from(by);
        for (&item, &weight) in items.iter().zip(weights) {
            if let Some(sum) = sums.get_mut(item as usize) {
                // A weight can be too small for `f32` and its product not.
                *sum += (by * weight) as f32;
            }
        }
    }

    fn weight(&self, from: u32, to: u32) -> f64 {
        let (items, weights) = self.row(from);
        let place = items.binary_search(&to).ok();
        place
            .and_then(|place| weights.get(place))
            .copied()
            .unwrap_or(0.0)
    }
}

impl SavedPart for SparseWeights {
    fn check(&self, items: u32) -> Result<(), DataError> {
        let wrong = |field: &str, value: String, expected| {
            Err(wrong(&format!("weights.{field}"), value, expected))
        };
        if self.ends.len() != items as usize {
            let found = format!("of length {}", self.ends.len());
            return wrong("ends", found, "as long as there are items");
        }
        let entries = self.ends.last().copied().unwrap_or(0);
        if !self.ends.is_sorted() || entries != self.item.len() || entries != self.weight.len() {
            let expected = "ascending to the number of items and of weights";
            return wrong("ends", format!("up to {entries}"), expected);
        }
        for row in 0..items {
            let (columns, weights) = self.row(row);
            let ascends = columns.is_sorted_by(|left, right| left < right);
            if !ascends || columns.last().is_some_and(|&last| last >= items) {
                let expected = "known items, ascending in each row";
                return wrong("item", format!("{columns:?} in row {row}"), expected);
            }
            if let Some(weight) = weights.iter().find(|weight| !weight.is_finite()) {
                return wrong("weight", weight.to_string(), "a finite number");
            }
        }
        Ok(())
    }
}
