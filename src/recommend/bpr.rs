//! Bayesian personalised ranking.

use serde::{Deserialize, Serialize};

use super::pairwise::{Negatives, Pairwise, Plan, RankingReport, Rule, pairwise_model};
use crate::error::Error;
use crate::summary::InteractionMatrix;

/// How a [`Bpr`] model is trained.
///
/// | field | range | [`new`](Self::new) |
/// |---|---|---|
/// | `factors` | 1 to 1,024 | yours |
/// | `seed` | any | yours |
/// | `epochs` | at least 1 | 100 |
/// | `learning_rate` | above 0, at most 1 | 0.05 |
/// | `regularization` | 0 to 1 | 0.02 |
/// | `negatives` | see [`Negatives`] | [`Negatives::Uniform`] |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BprConfig {
    /// Length of the vectors, beside an item's bias.
    pub factors: usize,
    /// Of the first vectors and of every draw.
    pub seed: u64,
    /// How often every entry is visited.
    pub epochs: u32,
    /// Of the first epoch; it falls in a straight line.
    pub learning_rate: f32,
    /// λ of the paper, the same for customers, items and biases.
    pub regularization: f32,
    /// From where the items are drawn that an entry is compared with.
    pub negatives: Negatives,
}

impl BprConfig {
    /// A hundred epochs.
    pub fn new(factors: usize, seed: u64) -> Self {
        Self {
            factors,
            seed,
            epochs: 100,
            learning_rate: 0.05,
            regularization: 0.02,
            negatives: Negatives::Uniform,
        }
    }
}

/// BPR-MF: vectors whose products put what a customer took before what they did not (Rendle, Freudenthaler, Gantner and
/// Schmidt-Thieme 2009, *BPR: Bayesian personalized ranking from implicit feedback*), with a bias for each item.
///
/// That an item was taken counts, not how much of it; entries of weight 0 are neither taken nor compared with.
///
/// ```
/// use tenure::recommend::{Bpr, BprConfig, Query, Scratch, Unseen, recommend};
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
/// let fit = Bpr::fit(&matrix, &BprConfig { learning_rate: 0.2, ..BprConfig::new(8, 7) })?;
/// assert!(fit.report.ordered.last() > Some(&0.95));
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
pub struct Bpr(Pairwise);

/// A trained model and how the training went.
#[derive(Debug, Clone, PartialEq)]
pub struct BprFit {
    /// The model.
    pub model: Bpr,
    /// How the training went.
    pub report: RankingReport,
}

impl Bpr {
    /// Trains from who took what: `epochs` passes over the entries, in a random order, each compared with one item that
    /// the customer did not take.
    ///
    /// Several threads (feature `parallel`) work on customers and items that no other thread touches at that time, in an order
    /// that does not depend on their number: the same bits from 1, 2 or 8 (Gemulla et al. 2011).
    ///
    /// # Cost
    /// Some 10 · d operations an entry and epoch. Memory: the vectors twice, and 12 bytes an entry.
    ///
    /// # Errors
    /// [`ConfigError`](crate::error::ConfigError) for a setting that cannot be used, [`DataError::Empty`](crate::error::DataError::Empty)
    /// when nobody took anything, [`DataError::TooLarge`](crate::error::DataError::TooLarge) when the vectors need more than 2⁴⁰
    /// bytes, [`FitError::NotConverged`](crate::error::FitError::NotConverged) when the steps grow without bound.
    pub fn fit(matrix: &InteractionMatrix, config: &BprConfig) -> Result<BprFit, Error> {
        Self::fit_until(matrix, config, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true. It is asked every 64 steps, by any thread.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`](crate::error::FitError::Cancelled).
    pub fn fit_until(
        matrix: &InteractionMatrix,
        config: &BprConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<BprFit, Error> {
        let plan = Plan {
            rule: Rule::Bpr {
                regularization: config.regularization,
                negatives: config.negatives,
            },
            factors: config.factors,
            seed: config.seed,
            epochs: config.epochs,
            learning_rate: config.learning_rate,
        };
        let (model, report) = Pairwise::fit(matrix, plan, cancelled)?;
        Ok(BprFit {
            model: Self(model),
            report,
        })
    }
}

pairwise_model!(Bpr);
