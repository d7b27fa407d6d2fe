//! Neighbouring items: what is taken by the same customers.

use serde::{Deserialize, Serialize};

use super::co_taken::CoTaken;
use super::item_weights::{Linear, SparseWeights, by_items_taken, counted};
use super::saved::{SavedWeights, saved_by_items_taken};
use crate::error::{ConfigError, Error, FitError};
use crate::summary::{InteractionMatrix, ItemGram};

/// How alike two items are: the inner product of their columns of weights.
///
/// With r the weight of customer u and item i, N the number of items, N_u those that the customer has, and
/// idf_u = ln N − ln(1 + N_u), which is small for a customer who takes everything:
///
/// | similarity | column of item i | choose it for |
/// |---|---|---|
/// | [`Cosine`](Self::Cosine) | r / ‖r‖ | items that are alike; popularity plays no part |
/// | [`TfIdf`](Self::TfIdf) | √r · idf_u, divided by its norm | the same, with less weight on customers who take everything |
/// | [`Bm25`](Self::Bm25) | idf_u · r (k1 + 1) / (k1 (1 − b + b L_i / L) + r) | recommendations: popular items keep some of their advantage |
///
/// L_i is the sum of the item's weights, L its mean over items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ItemSimilarity {
    /// The cosine between the columns.
    Cosine,
    /// The cosine between columns weighted by term frequency and inverse document frequency.
    TfIdf,
    /// Okapi BM25.
    Bm25 {
        /// How slowly a weight saturates, at least 0. 1.2 is usual; at 0 every weight counts the same.
        k1: f64,
        /// How much the weights of a popular item are damped, from 0 to 1. 0.75 is usual.
        b: f64,
    },
}

/// Item neighbours: score(t) = Σ r_j · similarity(j, t) over the items j that were taken.
///
/// Each item keeps its most similar ones, itself included. A fit has no randomness and no iterations, so this is
/// the model to begin with.
///
/// ```
/// use tenure::recommend::{Explainer, ItemKnn, ItemSimilarity, Query, Scratch, Unseen, recommend};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (customer, item) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0)] {
///     log.push(customer, item, 1.0)?;
/// }
/// let matrix = log.matrix();
/// let model = ItemKnn::fit(&matrix, ItemSimilarity::Cosine, 20)?;
///
/// let customer = Query::Customer(3);
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&model, &customer, 1, &Unseen(&matrix), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 1);
/// // Because of item 0, which two of its three customers share: 2 / √(3 · 3).
/// let why = model.explain(&customer, 1)?.reasons(1);
/// assert_eq!(why[0].item, 0);
/// assert!((why[0].amount - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// A fit takes Σ_u N_u² multiplications and 12 bytes a neighbour kept; rows are computed apart, on all threads,
/// with the same bits on any number of them. A query adds up one row for each item taken.
///
/// # Source
/// Sarwar et al. (2001), *Item-based collaborative filtering recommendation algorithms*; Robertson and Zaragoza
/// (2009), *The probabilistic relevance framework: BM25 and beyond*. Weights as in the library *implicit* 0.7.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "SavedWeights<ItemSimilarity, SparseWeights>",
    into = "SavedWeights<ItemSimilarity, SparseWeights>"
)]
pub struct ItemKnn {
    similarity: ItemSimilarity,
    linear: Linear<SparseWeights>,
}

impl ItemKnn {
    /// Fits; each item keeps its `neighbours` most similar items, itself included, at the same similarity those
    /// of the lower number. Items without a common customer are no neighbours.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no neighbours, for a `k1` that is negative or not finite, for a `b` outside
    /// 0 to 1.
    pub fn fit(
        matrix: &InteractionMatrix,
        similarity: ItemSimilarity,
        neighbours: u32,
    ) -> Result<Self, Error> {
        Self::fit_until(matrix, similarity, neighbours, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true; it is asked for each item, by any thread.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`].
    pub fn fit_until(
        matrix: &InteractionMatrix,
        similarity: ItemSimilarity,
        neighbours: u32,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, Error> {
        similarity.check()?;
        check_neighbours(neighbours)?;
        let columns = WeightedColumns::new(matrix, similarity);
        let weights = columns.similar(neighbours as usize, cancelled);
        let weights = weights.ok_or(FitError::Cancelled { iterations: 0 })?;
        let linear = Linear {
            seen: matrix.clone(),
            weights,
            binary: false,
        };
        Ok(Self { similarity, linear })
    }

    /// Fits from counts that were merged: the cosine of who took the items, whatever the weights (of which only the counts
    /// know nothing). Where every weight is 1 this is [`ItemSimilarity::Cosine`], up to rounding.
    ///
    /// `seen` says who took what, for queries by customer; a matrix of nothing is enough for baskets and items.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no neighbours, [`DataError::Mismatch`](crate::error::DataError::Mismatch) for customers who took items that were not counted.
    pub fn fit_gram(
        gram: &ItemGram,
        seen: &InteractionMatrix,
        neighbours: u32,
    ) -> Result<Self, Error> {
        check_neighbours(neighbours)?;
        let seen = counted(gram, seen)?;
        let mut rows: Vec<Vec<(u32, f64)>> = vec![Vec::new(); gram.items() as usize];
        let pairs = gram.pairs();
        let mut customers = vec![0.0; rows.len()];
        for &(item, _, count) in pairs.iter().filter(|(left, right, _)| left == right) {
            if let Some(customers) = customers.get_mut(item as usize) {
                *customers = count as f64;
            }
        }
        let of = |item: u32| customers.get(item as usize).copied().unwrap_or(0.0);
        for (left, right, count) in pairs {
            let similarity = count as f64 / (of(left) * of(right)).sqrt();
            // A fact that was pushed by itself may lack its items.
            if !similarity.is_finite() {
                continue;
            }
            for (from, to) in [(left, right), (right, left)]
                .into_iter()
                .take(1 + usize::from(left != right))
            {
                if let Some(row) = rows.get_mut(from as usize) {
                    row.push((to, similarity));
                }
            }
        }
        let mut weights = SparseWeights::default();
        for mut row in rows {
            row.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            row.truncate(neighbours as usize);
            row.sort_unstable_by_key(|&(item, _)| item);
            weights.push(&row);
        }
        Ok(Self {
            similarity: ItemSimilarity::Cosine,
            linear: Linear {
                seen,
                weights,
                binary: false,
            },
        })
    }

    /// How items were compared.
    pub fn similarity(&self) -> ItemSimilarity {
        self.similarity
    }

    /// An item's neighbours in the order of their numbers, and how similar they are; none of an unknown item.
    pub fn neighbours(&self, item: u32) -> impl ExactSizeIterator<Item = (u32, f64)> {
        self.linear.weights.entries(item)
    }
}

by_items_taken!(ItemKnn);
saved_by_items_taken!(
    ItemKnn {
        similarity: ItemSimilarity,
        binary: false
    },
    SparseWeights,
    |similarity, _| similarity.check()
);

impl ItemSimilarity {
    fn check(self) -> Result<(), ConfigError> {
        let Self::Bm25 { k1, b } = self else {
            return Ok(());
        };
        let (setting, value, expected) = if !(k1 >= 0.0 && k1.is_finite()) {
            ("k1", k1, "a finite number that is not negative")
        } else if !(0.0..=1.0).contains(&b) {
            ("b", b, "from 0 to 1")
        } else {
            return Ok(());
        };
        Err(ConfigError::OutOfRange {
            setting,
            value: value.to_string(),
            expected,
        })
    }
}

fn check_neighbours(neighbours: u32) -> Result<(), ConfigError> {
    if neighbours > 0 {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        setting: "neighbours",
        value: "0".to_owned(),
        expected: "at least 1; an item counts as its own neighbour",
    })
}

/// The columns of weights, by customer and by item.
struct WeightedColumns<'a> {
    matrix: &'a InteractionMatrix,
    transposed: InteractionMatrix,
    similarity: ItemSimilarity,
    /// idf_u; 1 where the similarity has none.
    customer: Vec<f64>,
    /// What a column is divided by (cosine, TF-IDF), or k1 (1 − b + b L_i / L).
    item: Vec<f64>,
    /// The weights of the matrix's entries, in their order.
    weight: Vec<f64>,
}

impl<'a> WeightedColumns<'a> {
    fn new(matrix: &'a InteractionMatrix, similarity: ItemSimilarity) -> Self {
        let ln_items = f64::from(matrix.columns()).ln();
        let customer = matrix.iter().map(|(items, _)| match similarity {
            ItemSimilarity::Cosine => 1.0,
            _ => ln_items - (items.len() as f64).ln_1p(),
        });
        let mut columns = Self {
            matrix,
            transposed: matrix.transposed(),
            similarity,
            customer: customer.collect(),
            item: vec![1.0; matrix.columns() as usize],
            weight: Vec::with_capacity(matrix.len()),
        };
        columns.item = match similarity {
            ItemSimilarity::Bm25 { k1, b } => columns.lengths(k1, b),
            _ => columns.norms(),
        };
        for (customer, (items, weights)) in (0..).zip(matrix.iter()) {
            let row = items.iter().zip(weights);
            let row = row.map(|(&item, &weight)| columns.weight_of(customer, item, weight));
            let row: Vec<f64> = row.collect();
            columns.weight.extend(row);
        }
        columns
    }

    fn norms(&self) -> Vec<f64> {
        let norms = (0..).zip(self.transposed.iter()).map(|(item, column)| {
            let squares = column.0.iter().zip(column.1).map(|(&customer, &weight)| {
                let weight = self.weight_of(customer, item, weight);
                weight * weight
            });
            let norm = squares.sum::<f64>().sqrt();
            // A column of zeros stays one.
            if norm > 0.0 { norm } else { 1.0 }
        });
        norms.collect()
    }

    fn lengths(&self, k1: f64, b: f64) -> Vec<f64> {
        let lengths = self.transposed.iter().map(|(_, weights)| {
            let weights = weights.iter().map(|&weight| f64::from(weight));
            weights.sum::<f64>()
        });
        let mut lengths: Vec<f64> = lengths.collect();
        let mean = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        for length in &mut lengths {
            let relative = if mean > 0.0 { *length / mean } else { 0.0 };
            *length = k1 * (1.0 - b + b * relative);
        }
        lengths
    }

    /// A weight of the column of an item; the item's own number is 1 while it is being computed.
    fn weight_of(&self, customer: u32, item: u32, weight: f32) -> f64 {
        let idf = self.customer.get(customer as usize).copied().unwrap_or(0.0);
        let own = self.item.get(item as usize).copied().unwrap_or(1.0);
        let weight = f64::from(weight);
        match self.similarity {
            ItemSimilarity::Cosine => weight / own,
            ItemSimilarity::TfIdf => weight.sqrt() * idf / own,
            ItemSimilarity::Bm25 { .. } if weight == 0.0 => 0.0,
            ItemSimilarity::Bm25 { k1, .. } => idf * weight * (k1 + 1.0) / (own + weight),
        }
    }

    /// Each item's most similar ones.
    /// `None` once it was cancelled.
    fn similar(
        &self,
        neighbours: usize,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Option<SparseWeights> {
        let co_taken = CoTaken {
            matrix: self.matrix,
            transposed: &self.transposed,
            right: &self.weight,
            with_itself: true,
            neighbours,
        };
        let left = |item, customer, weight| self.weight_of(customer, item, weight);
        co_taken.rows(left, cancelled)
    }
}
