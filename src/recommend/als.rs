//! Alternating least squares on implicit feedback.

mod axes;
mod config;
mod fit;
mod fold_in;
mod new_items;
mod saved;
mod solve;
mod subspace;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::factors::Panels;
use super::latent::{Latent, check_memory};
use super::{Cap, Explanation, ItemFilter, Query, QueryError, Scorer, Scratch, TopLists};
use crate::error::{DataError, Error};
use crate::numeric::lanes::{Level, padded};
use crate::summary::InteractionMatrix;
use config::Entry;
pub use config::{AlsConfig, Solver, Weighting};
pub use fold_in::FoldIn;
use fold_in::{Rows, System};
pub use new_items::Buyers;
use saved::Saved;

/// A vector for each customer and each item, whose product is the score.
///
/// ```
/// use tenure::recommend::{Als, AlsConfig, Query, Scratch, Unseen, Weighting, recommend};
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
/// let weighting = Weighting::Rendle { alpha0: 0.1, lambda: 0.01, nu: 1.0 };
/// let fit = Als::fit(&matrix, &AlsConfig::new(weighting, 4, 7))?;
/// assert!(fit.report.objective.windows(2).all(|pair| pair[1] <= pair[0]));
///
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&fit.model, &Query::Customer(3), 1, &Unseen(&matrix), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 3);
/// // Because of items 1, 5, 7, …: what they add is the score.
/// let basket: Vec<(u32, f32)> = [1, 5, 7, 9, 11].map(|item| (item, 1.0)).to_vec();
/// let because = fit.model.explain(&basket, 3)?;
/// let sum: f64 = because.contributions.iter().map(|part| part.amount).sum();
/// assert!((sum as f32 - best[0].score).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Queries
/// A customer: the product. A basket: the product with the factors that the basket's customer would have ([`fold_in`](Self::fold_in)).
/// An item: the cosine of the two items' factors, 0 for an item that nobody took.
///
/// # Saved form
/// Serde, with a format version, checked sizes, finite numbers and a checksum; what is read back answers with the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Als {
    weighting: Weighting,
    latent: Latent,
    /// YᵀY of the items.
    gram: Vec<f64>,
}

/// A fitted model and how the fit went.
#[derive(Debug, Clone, PartialEq)]
pub struct AlsFit {
    /// The model.
    pub model: Als,
    /// How the fit went.
    pub report: AlsReport,
}

/// How a fit went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlsReport {
    /// The objective of [`Weighting`] after each iteration.
    pub objective: Vec<f64>,
}

impl Als {
    /// Fits from who took what.
    ///
    /// The customers are solved last: each has the factors that [`fold_in`](Self::fold_in) gives to the same basket (up to the
    /// rounding of `f32`, with [`Solver::Cholesky`]).
    ///
    /// # Cost
    /// For each iteration and each row of n entries n · d · min(n, d) operations and a third of min(n, d)³ (Cholesky), or
    /// 4 · n · d a step (conjugate gradient), or n · d · block (subspaces). Memory: the matrix twice, and both sides' factors twice.
    ///
    /// # Errors
    /// [`ConfigError`](crate::error::ConfigError) for a setting that cannot be used, [`DataError::Empty`] for a matrix without entries,
    /// [`DataError::TooLarge`] when the factors need more than 2⁴⁰ bytes,
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) when weights are so large that a row's system has no finite solution.
    pub fn fit(matrix: &InteractionMatrix, config: &AlsConfig) -> Result<AlsFit, Error> {
        Self::fit_until(matrix, config, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true. It is asked every few hundred entries, by any thread.
    ///
    /// ```
    /// # use tenure::recommend::{Als, AlsConfig, Weighting};
    /// # use tenure::summary::InteractionSummary;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use tenure::error::{Error, FitError};
    ///
    /// # let mut log = InteractionSummary::new();
    /// # log.push(0, 0, 1.0)?;
    /// # let matrix = log.matrix();
    /// # let config = AlsConfig::new(Weighting::HuKoren { alpha: 10.0, lambda: 1.0 }, 2, 1);
    /// let stop = AtomicBool::new(true);
    /// let fit = Als::fit_until(&matrix, &config, &|| stop.load(Ordering::Relaxed));
    /// assert_eq!(fit.unwrap_err(), Error::Fit(FitError::Cancelled { iterations: 0 }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`](crate::error::FitError::Cancelled).
    pub fn fit_until(
        matrix: &InteractionMatrix,
        config: &AlsConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<AlsFit, Error> {
        Self::fit_from(None, matrix, config, cancelled)
    }

    /// Fits again, beginning with the factors that this model has: after new interactions a few iterations are enough.
    ///
    /// Merge what came with the [`InteractionSummary`](crate::summary::InteractionSummary) of what was there, and give the
    /// matrix of all; customers and items keep their numbers, new ones have numbers beyond those known. The weighting and the solver
    /// may be others than before. The seed is that of new customers of whom nothing known is taken.
    ///
    /// ```
    /// use tenure::recommend::{Als, AlsConfig, Weighting};
    /// use tenure::summary::InteractionSummary;
    ///
    /// let mut all = InteractionSummary::new();
    /// for customer in 0..20 {
    ///     (customer % 2..12).step_by(2).try_for_each(|item| all.push(customer, item, 1.0))?;
    /// }
    /// let weighting = Weighting::Rendle { alpha0: 0.1, lambda: 0.01, nu: 1.0 };
    /// let config = AlsConfig::new(weighting, 4, 7);
    /// let yesterday = Als::fit(&all.matrix(), &config)?.model;
    ///
    /// let mut today = InteractionSummary::new();
    /// [(20, 0), (20, 12), (1, 12)].iter().try_for_each(|&(customer, item)| today.push(customer, item, 1.0))?;
    /// all.merge(today);
    /// let few = AlsConfig { iterations: 2, ..config };
    /// let model = yesterday.refit(&all.matrix(), &few, &|| false)?.model;
    /// assert_eq!(model.customers(), 21);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit_until`](Self::fit_until), and [`ConfigError::OutOfRange`](crate::error::ConfigError::OutOfRange) unless `config` has as many
    /// factors as the model.
    pub fn refit(
        &self,
        matrix: &InteractionMatrix,
        config: &AlsConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<AlsFit, Error> {
        Self::fit_from(Some(self), matrix, config, cancelled)
    }

    fn fit_from(
        model: Option<&Self>,
        matrix: &InteractionMatrix,
        config: &AlsConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<AlsFit, Error> {
        config.check()?;
        if matrix.is_empty() {
            return Err(DataError::Empty {
                what: "interactions",
                expected: "at least one customer who took something",
            }
            .into());
        }
        check_memory(matrix, config.factors)?;
        // Once true it stays so, or half of a step would be done with the work of the other half left out.
        let stopped = AtomicBool::new(false);
        let stop = || {
            if cancelled() {
                stopped.store(true, Ordering::Relaxed);
            }
            stopped.load(Ordering::Relaxed)
        };
        let sides = fit::Sides::new(matrix, config, &stop);
        match model {
            Some(model) => sides.go_on_from(model)?.fit(),
            None => sides.fit(),
        }
    }

    /// How many customers the model knows: their numbers are below it.
    pub fn customers(&self) -> u32 {
        self.latent.customers()
    }

    /// How many factors a customer or an item has.
    pub fn factors(&self) -> usize {
        self.latent.width()
    }

    /// A customer's factors; `None` for one that is unknown.
    pub fn customer(&self, customer: u32) -> Option<&[f32]> {
        self.latent.customer(customer)
    }

    /// An item's factors; `None` for one that is unknown.
    pub fn item(&self, item: u32) -> Option<impl Iterator<Item = f32> + Clone> {
        let items = self.latent.items();
        (item < items.rows()).then(|| items.row(item))
    }

    /// The factors of a new or changed customer who took this: items, each once, and their weights.
    ///
    /// # Errors
    /// [`QueryError`] for an unknown item, for a weight that is none, and for weights so large that there is no
    /// finite answer.
    pub fn fold_in(&self, basket: &[(u32, f32)]) -> Result<Vec<f32>, QueryError> {
        let (mut a, mut b) = (self.gram.clone(), vec![0.0; self.factors()]);
        self.system().fold(basket, &mut a, &mut b)?;
        Ok(b.iter().map(|&number| number as f32).collect())
    }

    /// Why an item has its score: what each item of the basket adds to it, in the basket's order. The contributions sum to
    /// the score of the query [`Query::Basket`] (Hu, Koren and Volinsky 2008, section 5).
    ///
    /// For a known customer the basket is the row of the matrix that the model was fitted with.
    ///
    /// # Errors
    /// As [`fold_in`](Self::fold_in).
    pub fn explain(&self, basket: &[(u32, f32)], item: u32) -> Result<Explanation, QueryError> {
        let (mut a, mut b) = (self.gram.clone(), vec![0.0; self.factors()]);
        self.system().explain(basket, item, &mut a, &mut b)
    }

    /// The `k` best items of every customer: the lists of [`recommend`](super::recommend), for all at once.
    ///
    /// Items are visited by the length of their vectors, longest first; a customer is done as soon as no shorter
    /// one can reach the list (Cauchy–Schwarz, with a margin for rounding), so that nothing is lost.
    ///
    /// # Cost
    /// At most customers · items · d operations, by several threads with the feature `parallel`; the items' factors twice.
    pub fn recommend_all(&self, k: usize, filter: &dyn ItemFilter) -> TopLists {
        self.latent.all_lists(k, filter)
    }

    pub(super) fn latent(&self) -> &Latent {
        &self.latent
    }

    fn system(&self) -> System<'_, Panels> {
        System {
            weighting: self.weighting,
            items: self.latent.items(),
        }
    }

    /// From rows that are `padded(factors)` long.
    fn assemble(weighting: Weighting, factors: usize, customers: &[f32], items: &[f32]) -> Self {
        let customers = customers
            .chunks_exact(padded(factors))
            .flat_map(|row| row.iter().take(factors));
        Self::of(weighting, factors, customers.copied().collect(), items)
    }

    /// From rows that are `factors` long, of the items `padded(factors)`.
    fn of(weighting: Weighting, factors: usize, customers: Vec<f32>, items: &[f32]) -> Self {
        let width = padded(factors);
        Self {
            weighting,
            gram: axes::gram(Level::detect(), items, width, factors, &|| false),
            latent: Latent::new(factors, factors, customers, items.chunks_exact(width)),
        }
    }
}

impl Rows for Panels {
    fn count(&self) -> u32 {
        self.rows()
    }

    fn numbers(&self, row: u32) -> impl Iterator<Item = f64> + Clone {
        self.row(row).map(f64::from)
    }
}

impl Als {
    /// The vector whose products with the items' are the scores.
    pub(super) fn vector<'a>(
        &self,
        query: &Query<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<&'a [f32], QueryError> {
        query.check(self.customers(), self.latent.items().rows())?;
        let d = self.factors();
        let (vector, doubles) = scratch.zeros_and_doubles(d, d * d + d);
        if let Query::Basket(basket) = *query {
            let (a, b) = doubles.split_at_mut(d * d);
            a.copy_from_slice(&self.gram);
            self.system().fold(basket, a, b)?;
            for (number, &solved) in vector.iter_mut().zip(&*b) {
                *number = solved as f32;
            }
        } else {
            self.latent.write_vector(query, vector);
        }
        Ok(vector)
    }
}

impl Scorer for Als {
    fn items(&self) -> u32 {
        self.latent.items().rows()
    }

    fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        let vector = self.vector(query, scratch)?;
        self.latent.score(query, vector, items, out)
    }

    fn scan(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        let vector = self.vector(query, scratch)?;
        self.latent.scan(query, vector, visit);
        Ok(())
    }

    fn lists_capped(
        &self,
        customers: Range<u32>,
        k: usize,
        filter: &dyn ItemFilter,
        caps: &[Cap<'_>],
    ) -> Result<TopLists, QueryError> {
        self.latent.lists(customers, k, filter, caps)
    }
}
