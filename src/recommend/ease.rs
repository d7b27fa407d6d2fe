//! EASE: what each item says of each other, in closed form.

mod fit;

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::Scorer;
use super::item_weights::{ItemWeights, Linear, by_items_taken, counted};
use super::saved::{SavedPart, SavedWeights, bits, saved_by_items_taken, wrong};
use super::taken::Taken;
use crate::error::{ConfigError, DataError, Error, FitError};
use crate::summary::{InteractionMatrix, ItemGram};

/// In how many bits the weights are computed and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// `f32`: half the memory and time; the lists are the same but for ties.
    Single,
    /// `f64`.
    Double,
}

/// How [`Ease`] is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EaseConfig {
    /// λ, what is added to the diagonal of the item–item counts: the larger, the less a rare pair counts. Positive;
    /// hundreds are usual, more with more customers. Choose it on held-out data.
    pub lambda: f64,
    /// In how many bits.
    pub precision: Precision,
    /// The most items that a fit takes on: it needs items² numbers, 6.4 GB for 40,000 in single precision, and
    /// items³ operations.
    pub items_max: u32,
}

/// EASE, the embarrassingly shallow autoencoder: score(t) = Σ B[j, t] over the items j that were taken, where B best
/// foretells each item from all others.
///
/// How much of an item was taken does not count, only that it was. An item can speak against another: weights may be
/// negative.
///
/// ```
/// use tenure::recommend::{Ease, EaseConfig, Explainer, Precision, Query, Scratch, Unseen, recommend};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (customer, item) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0)] {
///     log.push(customer, item, 1.0)?;
/// }
/// let matrix = log.matrix();
/// let config = EaseConfig { lambda: 0.5, precision: Precision::Single, items_max: 20_000 };
/// let model = Ease::fit(&matrix, &config)?;
///
/// let customer = Query::Customer(3);
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&model, &customer, 1, &Unseen(&matrix), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 1);
/// let why = model.explain(&customer, 1)?;
/// assert_eq!(why.reasons(1)[0].item, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// items³ operations and items² numbers, whatever the number of customers; threads share the work and give the same
/// bits. Where there are clearly fewer customers than items, single precision takes customers³ operations and
/// customers + items for each entry instead, and customers² numbers more: the same weights but for rounding, by an identity of
/// Woodbury. A query adds up a row of weights for each item taken.
///
/// # Source
/// Steck (2019), *Embarrassingly shallow autoencoders for sparse data*: P = (XᵀX + λI)⁻¹, B = −P[i, j] / P[j, j] with
/// a diagonal of 0 (equation 8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "SavedWeights<EaseConfig, DenseWeights>",
    into = "SavedWeights<EaseConfig, DenseWeights>"
)]
pub struct Ease {
    config: EaseConfig,
    linear: Linear<DenseWeights>,
}

impl Ease {
    /// Fits.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a λ that is not positive and finite, and for more items than `items_max`: leave
    /// out the rarest items, or take a model whose weights are sparse. [`FitError::NotIdentified`] for a λ so small
    /// that the precision does not tell the items apart.
    pub fn fit(matrix: &InteractionMatrix, config: &EaseConfig) -> Result<Self, Error> {
        Self::fit_until(matrix, config, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true; it is asked every few million operations, by any thread.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`].
    pub fn fit_until(
        matrix: &InteractionMatrix,
        config: &EaseConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, Error> {
        config.check(matrix.columns())?;
        // Once true it stays so, or work that was left out would be taken for done.
        let stopped = AtomicBool::new(false);
        let stop = || {
            if cancelled() {
                stopped.store(true, Ordering::Relaxed);
            }
            stopped.load(Ordering::Relaxed)
        };
        let taken = Taken::new(matrix);
        let weights = match config.precision {
            Precision::Single => {
                let lambda = config.lambda as f32;
                let weights = match fit::few_customers(&taken) {
                    true => fit::by_customers(&taken, lambda, &stop),
                    false => fit::by_items(&taken, lambda, &stop),
                };
                weights.map(DenseWeights::Single)
            }
            Precision::Double => {
                fit::by_items(&taken, config.lambda, &stop).map(DenseWeights::Double)
            }
        };
        // What half of the work came to says nothing of the data.
        if stopped.load(Ordering::Relaxed) {
            return Err(FitError::Cancelled { iterations: 0 }.into());
        }
        let weights = weights?;
        Ok(Self {
            config: *config,
            linear: Linear {
                seen: matrix.clone(),
                weights,
                binary: true,
            },
        })
    }

    /// As [`fit`](Self::fit), from counts that were merged: the same weights to the last bit (in single precision up to 2²⁴
    /// customers of an item, and up to rounding where [`fit`](Self::fit) takes the shorter way for few customers).
    ///
    /// `seen` says who took what, for queries by customer; a matrix of nothing is enough for baskets and items.
    ///
    /// ```
    /// use tenure::recommend::{Ease, EaseConfig, Precision};
    /// use tenure::summary::{InteractionSummary, ItemGram};
    ///
    /// let mut counts = ItemGram::new();
    /// counts.add(&[0, 1])?;
    /// let mut next_day = ItemGram::new();
    /// next_day.add(&[1, 2])?;
    /// counts.merge(next_day);
    /// let config = EaseConfig { lambda: 0.5, precision: Precision::Double, items_max: 20_000 };
    /// let model = Ease::fit_gram(&counts, &InteractionSummary::new().matrix(), &config)?;
    /// assert!(model.weight(0, 1) > model.weight(0, 2));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`DataError::Mismatch`] for customers who took items that were not counted.
    pub fn fit_gram(
        gram: &ItemGram,
        seen: &InteractionMatrix,
        config: &EaseConfig,
    ) -> Result<Self, Error> {
        config.check(gram.items())?;
        let seen = counted(gram, seen)?;
        let weights = match config.precision {
            Precision::Single => {
                let counts = fit::counted(gram, |count| count as f32);
                let lambda = config.lambda as f32;
                DenseWeights::Single(fit::of_counts(counts, lambda, &|| false)?)
            }
            Precision::Double => {
                let counts = fit::counted(gram, |count| count as f64);
                DenseWeights::Double(fit::of_counts(counts, config.lambda, &|| false)?)
            }
        };
        Ok(Self {
            config: *config,
            linear: Linear {
                seen,
                weights,
                binary: true,
            },
        })
    }

    /// How the model was fitted.
    pub fn config(&self) -> &EaseConfig {
        &self.config
    }

    /// B: what having taken one item adds to the score of another; `None` for an item that is unknown.
    pub fn weight(&self, from: u32, to: u32) -> Option<f64> {
        let known = from.max(to) < self.items();
        known.then(|| self.linear.weights.weight(from, to))
    }
}

by_items_taken!(Ease);
saved_by_items_taken!(
    Ease {
        config: EaseConfig,
        binary: true
    },
    DenseWeights,
    EaseConfig::check
);

impl EaseConfig {
    fn check(&self, items: u32) -> Result<(), ConfigError> {
        if !(self.lambda > 0.0 && self.lambda.is_finite()) {
            return Err(ConfigError::OutOfRange {
                setting: "lambda",
                value: self.lambda.to_string(),
                expected: "a positive finite number",
            });
        }
        if items > self.items_max {
            return Err(ConfigError::OutOfRange {
                setting: "items_max",
                value: format!("{} and there are {items} items", self.items_max),
                expected: "at least the number of items; or leave out the rarest of them",
            });
        }
        Ok(())
    }
}

/// Weights of which hardly any is 0, item after item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DenseWeights {
    Single(Vec<f32>),
    Double(#[serde(with = "bits")] Vec<f64>),
}

impl DenseWeights {
    fn len(&self) -> usize {
        match self {
            Self::Single(weights) => weights.len(),
            Self::Double(weights) => weights.len(),
        }
    }

    fn row<T>(weights: &[T], item: u32) -> &[T] {
        let items = weights.len().isqrt();
        let start = item as usize * items;
        weights.get(start..start + items).unwrap_or_default()
    }
}

impl ItemWeights for DenseWeights {
    fn items(&self) -> u32 {
        self.len().isqrt() as u32
    }

    fn add_row(&self, from: u32, by: f32, sums: &mut [f32]) {
        match self {
            Self::Single(weights) => {
                for (sum, &weight) in sums.iter_mut().zip(Self::row(weights, from)) {
                    *sum += by * weight;
                }
            }
            Self::Double(weights) => {
                for (sum, &weight) in sums.iter_mut().zip(Self::row(weights, from)) {
                    *sum += by * weight as f32;
                }
            }
        }
    }

    fn weight(&self, from: u32, to: u32) -> f64 {
        let to = to as usize;
        let weight = match self {
            Self::Single(weights) => Self::row(weights, from).get(to).copied().map(f64::from),
            Self::Double(weights) => Self::row(weights, from).get(to).copied(),
        };
        weight.unwrap_or(0.0)
    }
}

impl SavedPart for DenseWeights {
    fn check(&self, items: u32) -> Result<(), DataError> {
        let (length, items) = (self.len(), items as usize);
        if Some(length) != items.checked_mul(items) {
            let found = format!("of length {length} for {items} items");
            let expected = "as many numbers as there are pairs of items";
            return Err(wrong("weights", found, expected));
        }
        let finite = match self {
            Self::Single(weights) => weights.iter().all(|weight| weight.is_finite()),
            Self::Double(weights) => weights.iter().all(|weight| weight.is_finite()),
        };
        if !finite {
            return Err(wrong("weights", "not finite", "finite numbers"));
        }
        Ok(())
    }
}
