//! SLIM: sparse weights between items, learnt and not negative.

use serde::{Deserialize, Serialize};

use super::co_taken::CoTaken;
use super::item_weights::{Linear, SparseWeights, by_items_taken};
use super::saved::{SavedWeights, saved_by_items_taken};
use crate::error::{ConfigError, Error, FitError};
use crate::numeric::reduce::sum_chunks;
use crate::summary::InteractionMatrix;

/// How [`Slim`] is fitted.
///
/// | field | range | a start |
/// |---|---|---|
/// | `lambda1` | at least 0 | 1 to 10: no weight to an item with fewer common customers |
/// | `lambda2` | at least 0 | 10 to 1,000, as λ of [`Ease`](super::Ease) |
/// | `candidates` | none, or at least 1 | `None`; 200 on catalogues of tens of thousands |
/// | `tolerance` | positive | 0.01 |
/// | `sweeps_max` | at least 1 | 100 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlimConfig {
    /// λ₁, of the sum of the weights: the larger, the fewer there are.
    pub lambda1: f64,
    /// λ₂, of half the sum of their squares: the larger, the more alike items share a weight.
    pub lambda2: f64,
    /// From how many items an item is foretold, at most: those with which it has most customers in common, at the same
    /// number those of the lower number. `None` for all, which is exact.
    pub candidates: Option<u32>,
    /// How far the optimality conditions may be off, in customers; see [`SlimReport::violation`].
    pub tolerance: f64,
    /// After how many sweeps over an item's candidates to stop in any case.
    pub sweeps_max: u32,
}

/// SLIM: score(t) = Σ W[j, t] over the items j that were taken, where W ≥ 0 best foretells each item from few others.
///
/// For each item t, W[·, t] minimises ½ |x_t − X w|² + ½ λ₂ |w|² + λ₁ Σ w over w ≥ 0 with w_t = 0, where X is who took what
/// (how much does not count). As in [`Ease`](super::Ease) items share what they explain together, but most weights are 0 and
/// none speaks against an item.
///
/// ```
/// use tenure::recommend::{Query, Scratch, Slim, SlimConfig, Unseen, recommend};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (customer, item) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0)] {
///     log.push(customer, item, 1.0)?;
/// }
/// let matrix = log.matrix();
/// let config = SlimConfig { lambda1: 0.1, lambda2: 0.5, candidates: None, tolerance: 1e-9, sweeps_max: 100 };
/// let fit = Slim::fit(&matrix, &config)?;
/// assert_eq!(fit.report.unconverged, 0);
///
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&fit.model, &Query::Customer(3), 1, &Unseen(&matrix), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 1);
/// // Two of the three customers of item 0 have item 1, and nobody has items 0 and 2: (2 − λ₁) / (3 + λ₂).
/// assert!((fit.model.weight(0, 1).unwrap() - 1.9 / 3.5).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// The counts of all pairs of items with a common customer, 12 bytes each, and for each change of a weight one pass over the
/// pairs of its item. Items are fitted apart, on all threads, with the same bits on any number of them.
///
/// # Source
/// Ning and Karypis (2011), *SLIM: sparse linear methods for top-n recommender systems*; coordinate descent on the Gram matrix:
/// Friedman, Hastie and Tibshirani (2010), *Regularization paths for generalized linear models via coordinate descent*.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "SavedWeights<SlimConfig, SparseWeights>",
    into = "SavedWeights<SlimConfig, SparseWeights>"
)]
pub struct Slim {
    config: SlimConfig,
    linear: Linear<SparseWeights>,
}

/// A fitted model and how the fit went.
#[derive(Debug, Clone, PartialEq)]
pub struct SlimFit {
    /// The model.
    pub model: Slim,
    /// How the fit went.
    pub report: SlimReport,
}

/// How a fit went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SlimReport {
    /// The most sweeps that an item took.
    pub sweeps: u32,
    /// The largest violation of the Karush–Kuhn–Tucker conditions. With the gradient
    /// g = (XᵀX w)_j − (XᵀX)_jt + λ₂ w_j + λ₁ it is |g| where w_j > 0, and −g where w_j = 0 and g < 0.
    pub violation: f64,
    /// How many items stopped at `sweeps_max` with a larger violation than the tolerance.
    pub unconverged: u32,
}

impl Slim {
    /// Fits.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a setting that cannot be used.
    pub fn fit(matrix: &InteractionMatrix, config: &SlimConfig) -> Result<SlimFit, Error> {
        Self::fit_until(matrix, config, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true; it is asked before each change of a weight, by any thread.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`].
    pub fn fit_until(
        matrix: &InteractionMatrix,
        config: &SlimConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<SlimFit, Error> {
        config.check()?;
        let stopped = FitError::Cancelled { iterations: 0 };
        let present = |weight: f32| if weight > 0.0 { 1.0 } else { 0.0 };
        let entries = matrix.iter().flat_map(|(_, weights)| weights.iter());
        let right: Vec<f64> = entries.map(|&weight| present(weight)).collect();
        let co_taken = CoTaken {
            matrix,
            transposed: &matrix.transposed(),
            right: &right,
            with_itself: true,
            neighbours: usize::MAX,
        };
        let counts = co_taken.rows(|_, _, weight| present(weight), cancelled);
        let gram = Gram {
            counts: counts.ok_or(stopped.clone())?,
            config,
            cancelled,
        };
        let columns = sum_chunks(
            matrix.columns() as usize,
            |items| gram.columns(items.start as u32..items.end as u32),
            |left, right| Some(left?.append(right?)),
        );
        let Columns { weights, report } = columns.ok_or(stopped)?;
        Ok(SlimFit {
            model: Self {
                config: *config,
                linear: Linear {
                    seen: matrix.clone(),
                    weights: weights.transposed(),
                    binary: true,
                },
            },
            report,
        })
    }

    /// How the model was fitted.
    pub fn config(&self) -> &SlimConfig {
        &self.config
    }

    /// W: what having taken one item adds to the score of another; `None` for an item that is unknown.
    pub fn weight(&self, from: u32, to: u32) -> Option<f64> {
        use super::item_weights::ItemWeights;
        let known = from.max(to) < self.linear.seen.columns();
        known.then(|| self.linear.weights.weight(from, to))
    }
}

by_items_taken!(Slim);
saved_by_items_taken!(
    Slim {
        config: SlimConfig,
        binary: true
    },
    SparseWeights,
    |config, _| config.check()
);

impl SlimConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |setting, value: String, expected| {
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        for (setting, value) in [("lambda1", self.lambda1), ("lambda2", self.lambda2)] {
            if !(value.is_finite() && value >= 0.0) {
                return wrong(setting, value.to_string(), "finite and not negative");
            }
        }
        if self.candidates == Some(0) {
            return wrong("candidates", "0".to_owned(), "at least 1, or none");
        }
        if !(self.tolerance.is_finite() && self.tolerance > 0.0) {
            let value = self.tolerance.to_string();
            return wrong("tolerance", value, "finite and positive");
        }
        if self.sweeps_max == 0 {
            return wrong("sweeps_max", "0".to_owned(), "at least 1");
        }
        Ok(())
    }
}

/// Fitted columns of W, one after the other.
struct Columns {
    weights: SparseWeights,
    report: SlimReport,
}

impl Columns {
    fn append(mut self, other: Self) -> Self {
        self.weights.append(other.weights);
        self.report = SlimReport {
            sweeps: self.report.sweeps.max(other.report.sweeps),
            violation: self.report.violation.max(other.report.violation),
            unconverged: self.report.unconverged + other.report.unconverged,
        };
        self
    }
}

/// XᵀX, of which a column's problem needs no more.
struct Gram<'a> {
    counts: SparseWeights,
    config: &'a SlimConfig,
    cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// A candidate of a column.
#[derive(Clone, Copy)]
struct Coordinate {
    item: u32,
    /// With the column's item in common.
    common: f64,
    /// Customers of its own.
    own: f64,
    weight: f64,
}

impl Gram<'_> {
    /// `None` when cancelled.
    fn columns(&self, items: std::ops::Range<u32>) -> Option<Columns> {
        let mut columns = Columns {
            weights: SparseWeights::default(),
            report: SlimReport {
                sweeps: 0,
                violation: 0.0,
                unconverged: 0,
            },
        };
        // XᵀX w, of all items.
        let mut products = vec![0.0; self.counts.ends.len()];
        for item in items {
            let mut coordinates = self.candidates(item);
            let (sweeps, violation) = self.descend(&mut coordinates, &mut products)?;
            let report = &mut columns.report;
            report.sweeps = report.sweeps.max(sweeps);
            report.violation = report.violation.max(violation);
            report.unconverged += u32::from(violation > self.config.tolerance);
            for coordinate in coordinates.iter().filter(|c| c.weight > 0.0) {
                columns.weights.item.push(coordinate.item);
                columns.weights.weight.push(coordinate.weight);
            }
            let end = columns.weights.item.len();
            columns.weights.ends.push(end);
            products.fill(0.0);
        }
        Some(columns)
    }

    /// Those that can have a weight: neither counts nor weights are negative, so that the gradient of an item with no more
    /// than λ₁ common customers is never below 0.
    fn candidates(&self, item: u32) -> Vec<Coordinate> {
        let others = self.counts.entries(item);
        let others =
            others.filter(|&(other, common)| other != item && common > self.config.lambda1);
        let mut coordinates: Vec<Coordinate> = others
            .map(|(other, common)| Coordinate {
                item: other,
                common,
                own: self.own(other),
                weight: 0.0,
            })
            .collect();
        if let Some(most) = self.config.candidates.map(|most| most as usize)
            && coordinates.len() > most
        {
            coordinates.sort_by(|a, b| b.common.total_cmp(&a.common).then(a.item.cmp(&b.item)));
            coordinates.truncate(most);
            coordinates.sort_by_key(|coordinate| coordinate.item);
        }
        coordinates
    }

    fn own(&self, item: u32) -> f64 {
        use super::item_weights::ItemWeights;
        self.counts.weight(item, item)
    }

    /// Sweeps until the conditions hold; how many sweeps, and how far the conditions are off. `None` when cancelled.
    fn descend(&self, coordinates: &mut [Coordinate], products: &mut [f64]) -> Option<(u32, f64)> {
        // Sweeps over the weights that are not 0 are cheap, and most of the way is theirs.
        const INNER: usize = 10;
        let mut violation = 0.0;
        for sweep in 1..=self.config.sweeps_max {
            self.sweep(coordinates, products, |_| true)?;
            for _ in 0..INNER {
                let off = self.sweep(coordinates, products, |c| c.weight > 0.0)?;
                if off <= self.config.tolerance {
                    break;
                }
            }
            let off = coordinates.iter().map(|c| self.violation(c, products));
            violation = off.fold(0.0, f64::max);
            if violation <= self.config.tolerance {
                return Some((sweep, violation));
            }
        }
        Some((self.config.sweeps_max, violation))
    }

    /// Solves for each coordinate in turn, the others fixed; the largest violation that was met.
    fn sweep(
        &self,
        coordinates: &mut [Coordinate],
        products: &mut [f64],
        chosen: impl Fn(&Coordinate) -> bool,
    ) -> Option<f64> {
        let mut most = 0.0_f64;
        for coordinate in coordinates.iter_mut().filter(|c| chosen(c)) {
            let violation = self.violation(coordinate, products);
            if violation == 0.0 {
                continue;
            }
            if (self.cancelled)() {
                return None;
            }
            most = most.max(violation);
            let step = self.gradient(coordinate, products) / (coordinate.own + self.config.lambda2);
            let weight = (coordinate.weight - step).max(0.0);
            let change = weight - coordinate.weight;
            coordinate.weight = weight;
            for (other, common) in self.counts.entries(coordinate.item) {
                if let Some(product) = products.get_mut(other as usize) {
                    *product += change * common;
                }
            }
        }
        Some(most)
    }

    fn gradient(&self, coordinate: &Coordinate, products: &[f64]) -> f64 {
        let product = products.get(coordinate.item as usize);
        let product = product.copied().unwrap_or(0.0);
        let SlimConfig {
            lambda1, lambda2, ..
        } = *self.config;
        product - coordinate.common + lambda2 * coordinate.weight + lambda1
    }

    fn violation(&self, coordinate: &Coordinate, products: &[f64]) -> f64 {
        let gradient = self.gradient(coordinate, products);
        if coordinate.weight > 0.0 {
            gradient.abs()
        } else {
            (-gradient).max(0.0)
        }
    }
}
