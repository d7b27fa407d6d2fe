//! Bayesian personalised ranking.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::latent::Latent;
use super::lists::{self, TopLists};
use super::pairwise::{Negatives, Pairwise, Plan, RankingReport, Rule};
use super::{ItemFilter, Query, QueryError, Scorer, Scratch};
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

impl Bpr {
    /// How many customers the model knows: their numbers are below it.
    pub fn customers(&self) -> u32 {
        self.0.latent().customers()
    }

    /// How many factors a customer or an item has.
    pub fn factors(&self) -> usize {
        self.0.factors()
    }

    /// A customer's factors; `None` for one that is unknown.
    pub fn customer(&self, customer: u32) -> Option<&[f32]> {
        let row = self.0.latent().customer(customer)?;
        row.get(..self.0.factors())
    }

    /// An item's factors, and its bias after them; `None` for one that is unknown.
    pub fn item(&self, item: u32) -> Option<impl Iterator<Item = f32> + Clone> {
        let items = self.0.latent().items();
        (item < items.rows()).then(|| items.row(item))
    }

    /// The factors of a new or changed customer who took this: the steps that a row of the training with this basket would
    /// have taken, the items held as they are. The same basket in the same order has the same factors.
    ///
    /// # Errors
    /// [`QueryError`] for an unknown item and for a weight that is none.
    pub fn fold_in(&self, basket: &[(u32, f32)]) -> Result<Vec<f32>, QueryError> {
        self.0.fold_in(basket)
    }

    /// The `k` best items of every customer, as [`Als::recommend_all`](super::Als::recommend_all) finds them.
    pub fn recommend_all(&self, k: usize, filter: &dyn ItemFilter) -> TopLists {
        let latent = self.0.latent();
        lists::best(0, latent.rows(), latent.items(), k, filter)
    }

    pub(super) fn latent(&self) -> &Latent {
        self.0.latent()
    }
}

impl Scorer for Bpr {
    fn items(&self) -> u32 {
        self.0.latent().items().rows()
    }

    fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        let vector = self.0.vector(query, scratch)?;
        self.0.latent().score(query, vector, items, out)
    }

    fn scan(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        let vector = self.0.vector(query, scratch)?;
        self.0.latent().scan(query, vector, visit);
        Ok(())
    }
    fn lists(
        &self,
        customers: Range<u32>,
        k: usize,
        filter: &dyn ItemFilter,
    ) -> Result<TopLists, QueryError> {
        self.0.latent().lists(customers, k, filter)
    }
}
