//! Turbo-CF: polynomial low-pass filters of a sharpened item–item graph.

use serde::{Deserialize, Serialize};

use super::co_taken::CoTaken;
use super::item_weights::{SparseWeights, finite};
use super::saved::SavedWeights;
use super::taken::Taken;
use super::{
    Contribution, Explainer, Explanation, Query, QueryError, Scorer, Scratch, check_places,
};
use crate::error::{ConfigError, Error, FitError};
use crate::summary::InteractionMatrix;

/// Weights that are raised to a power between two questions whether to stop.
const TOGETHER: usize = 1 << 16;

/// How [`TurboCf`] is fitted.
///
/// | field | range | published for *gowalla*, *yelp2018*, *amazon-book* |
/// |---|---|---|
/// | `alpha` | 0 to 1 | 0.6, 0.6, 0.5 |
/// | `power` | above 0 to 10 | 0.7, 1, 1.4 |
/// | `filter` | | linear, quadratic, linear |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurboCfConfig {
    /// How much of the normalisation is the customers' and how much, 1 − `alpha`, the items'.
    pub alpha: f64,
    /// s, the power of each similarity: above 1 the large ones stand out more, below 1 less.
    pub power: f64,
    /// Which polynomial of the graph.
    pub filter: PolynomialFilter,
}

/// A low-pass filter as a polynomial of P̄, the item–item graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolynomialFilter {
    /// P̄.
    Linear,
    /// 2 P̄ − P̄².
    Quadratic,
    /// P̄ + 0.01 (−P̄³ + 10 P̄² − 29 P̄), near an ideal low pass.
    Cubic,
}

/// Turbo-CF: score = r · f(P̄), where P̄ = (R̃ᵀR̃)^∘s is the graph of items with common customers, each similarity raised to a
/// power, R̃ = D_U^−α R D_I^(α−1), and f a polynomial.
///
/// No singular vectors are needed, but the item–item graph is written down: for a catalogue where most pairs of items have
/// a common customer take [`GraphFilter`](super::GraphFilter). How much of an item was taken does not count, only that it was.
///
/// ```
/// use tenure::recommend::{PolynomialFilter, Query, Scratch, TurboCf, TurboCfConfig, Unseen, recommend};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (customer, item) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0)] {
///     log.push(customer, item, 1.0)?;
/// }
/// let matrix = log.matrix();
/// let config = TurboCfConfig { alpha: 0.6, power: 0.7, filter: PolynomialFilter::Linear };
/// let model = TurboCf::fit(&matrix, &config)?;
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&model, &Query::Customer(3), 1, &Unseen(&matrix), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// A fit takes Σ_u N_u² multiplications and 12 bytes for each pair of items with a common customer, by all threads with the
/// same bits on any number of them. A query adds up one row for each item taken, and passes once over all pairs for each further
/// power of P̄.
///
/// # Source
/// Park, Shin and Shin (2024), *Turbo-CF: matrix decomposition-free graph filtering for fast recommendation*, equations 4 to 8.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "SavedWeights<TurboCfConfig, SparseWeights>",
    into = "SavedWeights<TurboCfConfig, SparseWeights>"
)]
pub struct TurboCf {
    config: TurboCfConfig,
    seen: InteractionMatrix,
    /// P̄, which is symmetric.
    weights: SparseWeights,
}

impl TurboCf {
    /// Fits.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a setting that cannot be used.
    pub fn fit(matrix: &InteractionMatrix, config: &TurboCfConfig) -> Result<Self, Error> {
        Self::fit_until(matrix, config, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true; it is asked for each item, by any thread.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`].
    pub fn fit_until(
        matrix: &InteractionMatrix,
        config: &TurboCfConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, Error> {
        config.check()?;
        let taken = Taken::new(matrix);
        let power = |degree: usize, exponent: f64| {
            let degree = if degree == 0 { 1.0 } else { degree as f64 };
            libm::pow(degree, exponent)
        };
        let items = 0..taken.items.count();
        let of_item: Vec<f64> = items
            .map(|item| power(taken.items.row(item).len(), config.alpha - 1.0))
            .collect();
        let at = |item: u32| of_item.get(item as usize).copied().unwrap_or(0.0);
        let mut right = Vec::with_capacity(matrix.len());
        for (customer, (items, weights)) in matrix.iter().enumerate() {
            let degree = taken.customers.row(customer).len();
            let by = power(degree, -2.0 * config.alpha);
            let row = items.iter().zip(weights);
            right.extend(row.map(|(&item, &weight)| {
                let present = if weight > 0.0 { 1.0 } else { 0.0 };
                present * by * at(item)
            }));
        }
        let co_taken = CoTaken {
            matrix,
            transposed: &matrix.transposed(),
            right: &right,
            with_itself: true,
            neighbours: usize::MAX,
        };
        let left = |item, _, weight| if weight > 0.0 { at(item) } else { 0.0 };
        let rows = co_taken.rows(left, cancelled);
        let mut weights = rows.ok_or(FitError::Cancelled { iterations: 0 })?;
        for weights in weights.weight.chunks_mut(TOGETHER) {
            if cancelled() {
                return Err(FitError::Cancelled { iterations: 0 }.into());
            }
            for weight in weights {
                *weight = libm::pow(*weight, config.power);
            }
        }
        Ok(Self {
            config: *config,
            seen: matrix.clone(),
            weights,
        })
    }

    /// How the model was fitted.
    pub fn config(&self) -> &TurboCfConfig {
        &self.config
    }

    /// The scores of a row, in `sums`.
    fn filtered<'a>(
        &self,
        taken: impl Iterator<Item = u32>,
        scratch: &'a mut Scratch,
    ) -> (&'a mut [f32], &'a mut [f64]) {
        let items = self.seen.columns() as usize;
        let (scores, doubles) = scratch.zeros_and_doubles(items, 3 * items);
        let (sums, doubles) = doubles.split_at_mut(items);
        let (mut now, mut next) = doubles.split_at_mut(items);
        taken.for_each(|item| self.weights.add_to(item, 1.0, now));
        let coefficients = self.config.filter.coefficients();
        for (power, by) in coefficients.iter().enumerate() {
            if power > 0 {
                next.fill(0.0);
                for (item, &by) in (0..).zip(&*now) {
                    self.weights.add_to(item, by, next);
                }
                std::mem::swap(&mut now, &mut next);
            }
            for (sum, number) in sums.iter_mut().zip(&*now) {
                *sum += by * number;
            }
        }
        (scores, sums)
    }

    fn check(&self, query: &Query<'_>) -> Result<(), QueryError> {
        query.check(self.seen.rows(), self.seen.columns())
    }
}

impl Scorer for TurboCf {
    fn items(&self) -> u32 {
        self.seen.columns()
    }

    fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        check_places(items, out)?;
        self.check(query)?;
        let (_, sums) = self.filtered(query.taken(&self.seen), scratch);
        for (place, &item) in out.iter_mut().zip(items) {
            self.check(&Query::Item(item))?;
            *place = finite(sums.get(item as usize).copied().unwrap_or(0.0) as f32);
        }
        Ok(())
    }

    fn scan(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        self.check(query)?;
        let (scores, sums) = self.filtered(query.taken(&self.seen), scratch);
        for (score, &sum) in scores.iter_mut().zip(&*sums) {
            *score = finite(sum as f32);
        }
        visit(0, scores);
        Ok(())
    }
}

impl Explainer for TurboCf {
    /// The filter is linear: an item adds what it alone would score.
    fn explain(&self, query: &Query<'_>, item: u32) -> Result<Explanation, QueryError> {
        self.check(query)?;
        self.check(&Query::Item(item))?;
        // P̄ is symmetric: what all items say of this one is what this one says of them.
        let mut scratch = Scratch::new();
        let (_, sums) = self.filtered(std::iter::once(item), &mut scratch);
        let contributions = query.taken(&self.seen).map(|from| Contribution {
            item: from,
            amount: sums.get(from as usize).copied().unwrap_or(0.0),
        });
        Ok(Explanation::of(contributions.collect()))
    }
}

impl TurboCfConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let (setting, value, expected) = if !(0.0..=1.0).contains(&self.alpha) {
            ("alpha", self.alpha, "from 0 to 1")
        } else if !(self.power > 0.0 && self.power <= 10.0) {
            ("power", self.power, "above 0 and at most 10")
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

impl PolynomialFilter {
    /// Of P̄, P̄², P̄³.
    fn coefficients(self) -> &'static [f64] {
        match self {
            Self::Linear => &[1.0],
            Self::Quadratic => &[2.0, -1.0],
            Self::Cubic => &[0.71, 0.1, -0.01],
        }
    }
}

impl From<TurboCf> for SavedWeights<TurboCfConfig, SparseWeights> {
    fn from(model: TurboCf) -> Self {
        Self::new(model.config, model.seen, model.weights)
    }
}

impl TryFrom<SavedWeights<TurboCfConfig, SparseWeights>> for TurboCf {
    type Error = Error;

    fn try_from(saved: SavedWeights<TurboCfConfig, SparseWeights>) -> Result<Self, Error> {
        let (config, seen, weights) = saved.open(|config: &TurboCfConfig, _| config.check())?;
        Ok(Self {
            config,
            seen,
            weights,
        })
    }
}
