//! Weighted approximate-rank pairwise loss.

use serde::{Deserialize, Serialize};

use super::pairwise::{Pairwise, Plan, RankingReport, Rule, pairwise_model};
use crate::error::Error;
use crate::summary::InteractionMatrix;

/// How a [`Warp`] model is trained.
///
/// | field | range | [`new`](Self::new) |
/// |---|---|---|
/// | `factors` | 1 to 1,024 | yours |
/// | `seed` | any | yours |
/// | `epochs` | at least 1 | 50 |
/// | `learning_rate` | above 0, at most 1 | 0.02 |
/// | `trials` | at least 1 | 50 |
/// | `length_max` | above 0, at most 10⁶ | 1.5 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarpConfig {
    /// Length of the vectors, beside an item's bias.
    pub factors: usize,
    /// Of the first vectors and of every draw.
    pub seed: u64,
    /// How often every entry is visited.
    pub epochs: u32,
    /// Of the first epoch; it falls in a straight line.
    pub learning_rate: f32,
    /// Items drawn for an entry at most until one comes within the margin of 1.
    pub trials: u32,
    /// C of the paper: longer vectors are cut to it. The smaller, the less is learnt by heart.
    pub length_max: f32,
}

impl WarpConfig {
    /// Fifty epochs.
    pub fn new(factors: usize, seed: u64) -> Self {
        Self {
            factors,
            seed,
            epochs: 50,
            learning_rate: 0.02,
            trials: 50,
            length_max: 1.5,
        }
    }
}

/// WARP: as [`Bpr`](super::Bpr), but an entry is compared with an item that stands too high, and the higher it is thought
/// to stand the larger the step, so that the top of the list counts most (Weston, Bengio and Usunier 2011, *WSABIE: scaling
/// up to large vocabulary image annotation*).
///
/// That an item was taken counts, not how much of it; entries of weight 0 are neither taken nor compared with.
///
/// ```
/// use tenure::recommend::{Query, Scratch, Unseen, Warp, WarpConfig, recommend};
/// use tenure::summary::InteractionSummary;
///
/// // Customers of even number take even items, the others odd ones; everybody lacks one.
/// let mut log = InteractionSummary::new();
/// for customer in 0..20 {
///     for item in (customer % 2..12).step_by(2).filter(|item| item / 2 != customer / 2 % 6) {
///         log.push(customer, item, 1.0)?;
///     }
/// }
/// let matrix = log.matrix();
/// let fit = Warp::fit(&matrix, &WarpConfig::new(8, 7))?;
///
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&fit.model, &Query::Customer(3), 1, &Unseen(&matrix), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Queries
/// A customer: the product. A basket: the product with the vector of [`fold_in`](Self::fold_in). An item: the cosine of the
/// two items' vectors, biases aside.
///
/// # Saved form
/// Serde, with a format version, checked sizes, numbers in range and a checksum; what is read back answers with the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Warp(Pairwise);

/// A trained model and how the training went.
#[derive(Debug, Clone, PartialEq)]
pub struct WarpFit {
    /// The model.
    pub model: Warp,
    /// How the training went.
    pub report: RankingReport,
}

impl Warp {
    /// Trains from who took what: `epochs` passes over the entries, in a random order. The bits do not depend on the number
    /// of threads, as with [`Bpr::fit`](super::Bpr::fit).
    ///
    /// # Cost
    /// Some 10 · d operations an entry and epoch, and 2 · d for each item drawn in vain: up to `trials` of them, the
    /// better the model the more. Memory: the vectors twice, and 12 bytes an entry.
    ///
    /// # Errors
    /// As [`Bpr::fit`](super::Bpr::fit).
    pub fn fit(matrix: &InteractionMatrix, config: &WarpConfig) -> Result<WarpFit, Error> {
        Self::fit_until(matrix, config, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true. It is asked every 64 steps, by any thread.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`](crate::error::FitError::Cancelled).
    pub fn fit_until(
        matrix: &InteractionMatrix,
        config: &WarpConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<WarpFit, Error> {
        let plan = Plan {
            rule: Rule::Warp {
                trials: config.trials,
                length_max: config.length_max,
            },
            factors: config.factors,
            seed: config.seed,
            epochs: config.epochs,
            learning_rate: config.learning_rate,
        };
        let (model, report) = Pairwise::fit(matrix, plan, cancelled)?;
        Ok(WarpFit {
            model: Self(model),
            report,
        })
    }
}

pairwise_model!(Warp);
