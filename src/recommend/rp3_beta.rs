//! RP3β: random walks of three steps over the graph of customers and items.

use serde::{Deserialize, Serialize};

use super::co_taken::CoTaken;
use super::item_weights::{Linear, SparseWeights, by_items_taken};
use super::saved::{SavedWeights, saved_by_items_taken};
use super::taken::Taken;
use crate::error::{ConfigError, Error, FitError};
use crate::summary::InteractionMatrix;

/// How [`Rp3Beta`] is fitted.
///
/// | field | range | a start |
/// |---|---|---|
/// | `alpha` | 0 to 10 | 1 |
/// | `beta` | 0 to 10 | 0.4; 0.2 to 0.8 is usual |
/// | `neighbours` | at least 1 | 100 to 400 |
/// | `normalized` | | `false` |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rp3BetaConfig {
    /// The power to which the probability of each step of the walk is raised.
    pub alpha: f64,
    /// How much popular items are held back: a weight is divided by the number of the item's customers to this power.
    pub beta: f64,
    /// How many items each item leads to, at most; at the same weight those of the lower number.
    pub neighbours: u32,
    /// Whether the weights of each item are divided by their sum.
    pub normalized: bool,
}

/// RP3β: score(t) = Σ W[j, t] over the items j that were taken, with W[j, t] the chance that a walker at j goes to one of
/// its customers and from there to t, the popular t held back.
///
/// With d the numbers of customers and of items, W[j, t] = d_t^−β Σ_u (1 / d_j)^α (1 / d_u)^α over the customers u whom both
/// have. Nearly as cheap as [`ItemKnn`](super::ItemKnn), and often the better of the two. How much of an item was taken
/// does not count, only that it was.
///
/// ```
/// use tenure::recommend::{Query, Rp3Beta, Rp3BetaConfig, Scratch, Unseen, recommend};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (customer, item) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0)] {
///     log.push(customer, item, 1.0)?;
/// }
/// let matrix = log.matrix();
/// let config = Rp3BetaConfig { alpha: 1.0, beta: 0.4, neighbours: 100, normalized: false };
/// let model = Rp3Beta::fit(&matrix, &config)?;
///
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&model, &Query::Customer(3), 1, &Unseen(&matrix), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 1);
/// // From item 0 to one of three customers, two of whom have two items each; three customers have item 1.
/// let chance = 1.0 / 3.0 * (1.0 / 2.0 + 1.0 / 2.0);
/// assert!((f64::from(best[0].score) - chance / 3.0_f64.powf(0.4)).abs() < 1e-7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// As [`ItemKnn`](super::ItemKnn): Σ_u N_u² multiplications, 12 bytes a weight kept, the same bits on any number of threads.
///
/// # Source
/// Paudel, Christoffel, Newell and Bernstein (2017), *Updatable, accurate, diverse, and scalable recommendations for
/// interactive applications*; normalisation and neighbours as in Dacrema, Cremonesi and Jannach (2019), *Are we really making
/// much progress?*
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "SavedWeights<Rp3BetaConfig, SparseWeights>",
    into = "SavedWeights<Rp3BetaConfig, SparseWeights>"
)]
pub struct Rp3Beta {
    config: Rp3BetaConfig,
    linear: Linear<SparseWeights>,
}

impl Rp3Beta {
    /// Fits.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a setting that cannot be used.
    pub fn fit(matrix: &InteractionMatrix, config: &Rp3BetaConfig) -> Result<Self, Error> {
        Self::fit_until(matrix, config, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true; it is asked for each item, by any thread.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`].
    pub fn fit_until(
        matrix: &InteractionMatrix,
        config: &Rp3BetaConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, Error> {
        config.check()?;
        let taken = Taken::new(matrix);
        let power = |degree: usize, exponent: f64| {
            let degree = if degree == 0 { 1.0 } else { degree as f64 };
            libm::pow(degree, -exponent)
        };
        let customers = &taken.customers;
        let of_customer: Vec<f64> = (0..customers.count())
            .map(|u| power(customers.row(u).len(), config.alpha))
            .collect();
        let degrees = || (0..taken.items.count()).map(|i| taken.items.row(i).len());
        let of_item: Vec<f64> = degrees().map(|d| power(d, config.alpha)).collect();
        let held_back: Vec<f64> = degrees().map(|d| power(d, config.beta)).collect();
        let at = |numbers: &[f64], at: u32| numbers.get(at as usize).copied().unwrap_or(0.0);
        let mut right = Vec::with_capacity(matrix.len());
        for ((items, weights), by) in matrix.iter().zip(&of_customer) {
            let row = items.iter().zip(weights);
            right.extend(row.map(|(&item, &weight)| {
                let present = if weight > 0.0 { 1.0 } else { 0.0 };
                present * by * at(&held_back, item)
            }));
        }
        let co_taken = CoTaken {
            matrix,
            transposed: &matrix.transposed(),
            right: &right,
            with_itself: false,
            neighbours: config.neighbours as usize,
        };
        let left = |item, _, weight| {
            if weight > 0.0 {
                at(&of_item, item)
            } else {
                0.0
            }
        };
        let rows = co_taken.rows(left, cancelled);
        let mut weights = rows.ok_or(FitError::Cancelled { iterations: 0 })?;
        if config.normalized {
            weights.normalize();
        }
        Ok(Self {
            config: *config,
            linear: Linear {
                seen: matrix.clone(),
                weights,
                binary: true,
            },
        })
    }

    /// How the model was fitted.
    pub fn config(&self) -> &Rp3BetaConfig {
        &self.config
    }

    /// The items that an item leads to, in the order of their numbers, and their weights; none of an unknown item.
    pub fn neighbours(&self, item: u32) -> impl ExactSizeIterator<Item = (u32, f64)> {
        self.linear.weights.entries(item)
    }
}

by_items_taken!(Rp3Beta);
saved_by_items_taken!(
    Rp3Beta {
        config: Rp3BetaConfig,
        binary: true
    },
    SparseWeights,
    |config, _| config.check()
);

impl Rp3BetaConfig {
    fn check(&self) -> Result<(), ConfigError> {
        for (setting, value) in [("alpha", self.alpha), ("beta", self.beta)] {
            if !(0.0..=10.0).contains(&value) {
                return Err(ConfigError::OutOfRange {
                    setting,
                    value: value.to_string(),
                    expected: "from 0 to 10",
                });
            }
        }
        if self.neighbours == 0 {
            return Err(ConfigError::OutOfRange {
                setting: "neighbours",
                value: "0".to_owned(),
                expected: "at least 1",
            });
        }
        Ok(())
    }
}
