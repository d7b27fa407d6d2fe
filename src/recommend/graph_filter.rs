//! Graph filters: a customer's row, smoothed over the graph of who took what, in closed form.

mod config;
mod graph;
mod lists;
mod low_pass;
mod saved;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::factors::PANEL;
use super::way::Rules;
use super::{
    Cap, Contribution, Explainer, Explanation, ItemFilter, Query, QueryError, Scorer, Scratch,
    TopLists, check_places,
};
use crate::error::{Error, FitError};
use crate::numeric::lanes::Level;
use crate::summary::InteractionMatrix;
pub use config::{Blurring, GraphFilterConfig, LowPass, OdeMethod, Sharpening};
use graph::{Graph, Lane, Workspace};
use low_pass::Factors;
use saved::Saved;

/// Graph filters: GF-CF, and blurring–sharpening.
///
/// Customers and items are the nodes of a graph, and who took what its edges. A customer's row of taken items is a
/// signal on the items; what neighbours in the graph agree on is its low frequencies, and they foretell what comes next.
/// With R̃ = D_U^−½ R D_I^−½ (R of zeros and ones, D the numbers of edges) and P̃ = R̃ᵀR̃, the scores are
///
/// sharpen( blur(r) + weight · r D_I^−½ Ū Ūᵀ D_I^½ )
///
/// with Ū the leading right singular vectors of R̃. Blurring and sharpening are polynomials of P̃ ([`GraphFilterConfig`]).
/// There is nothing to learn: a fit is the singular vectors.
///
/// ```
/// use tenure::recommend::{Explainer, GraphFilter, GraphFilterConfig, Query, Scratch, Unseen, recommend};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (customer, item) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0)] {
///     log.push(customer, item, 1.0)?;
/// }
/// let matrix = log.matrix();
/// let model = GraphFilter::fit(&matrix, &GraphFilterConfig::gf_cf(7))?.model;
///
/// let customer = Query::Customer(3);
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&model, &customer, 1, &Unseen(&matrix), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 1);
/// assert_eq!(model.explain(&customer, 1)?.reasons(1)[0].item, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Queries
/// How much of an item was taken does not count, only that it was. An item is answered as a basket of it.
///
/// # Cost
/// A fit: some fifty passes over the interactions for each singular vector, and four numbers of `f64` a vector and item
/// while it runs. The item–item matrix is never written down: the model keeps the interactions twice and two numbers of
/// `f32` a vector and item. A query: the interactions of all who share an item, rank · items operations,
/// and for each further power of P̃ (four for a Runge–Kutta step) all interactions twice.
/// [`lists`](Scorer::lists) shares most of that among customers.
///
/// # Source
/// Shen et al. (2021), *How powerful is graph convolution for recommendation?*, algorithm 1; Choi et al. (2023),
/// *Blurring–sharpening process models for collaborative filtering*, with early merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct GraphFilter {
    config: GraphFilterConfig,
    seen: InteractionMatrix,
    graph: Graph,
    /// Of the powers of P̃, from 0.
    polynomial: Vec<f64>,
    factors: Factors,
}

/// A fitted model and how the fit went.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphFilterFit {
    /// The model.
    pub model: GraphFilter,
    /// How the fit went.
    pub report: GraphFilterReport,
}

/// How a fit went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphFilterReport {
    /// Of the singular vectors, descending; the largest is 1. Empty without a low pass.
    pub singular_values: Vec<f64>,
    /// The longest |P̃ ū − σ² ū| of the singular vectors.
    pub residual: f64,
    /// Whether it is below the tolerance, 10⁻⁴; if not, the vectors were as good as sixteen rounds of iteration made them.
    pub converged: bool,
}

impl GraphFilter {
    /// Fits.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`](crate::error::ConfigError::OutOfRange) for a setting that cannot be used.
    pub fn fit(
        matrix: &InteractionMatrix,
        config: &GraphFilterConfig,
    ) -> Result<GraphFilterFit, Error> {
        Self::fit_until(matrix, config, &|| false)
    }

    /// As [`fit`](Self::fit), until `cancelled` says true. It is asked every few hundred entries, by any thread.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`FitError::Cancelled`].
    pub fn fit_until(
        matrix: &InteractionMatrix,
        config: &GraphFilterConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<GraphFilterFit, Error> {
        config.check()?;
        let graph = Graph::new(matrix);
        let (factors, report) = low_pass::fit(&graph, config, cancelled)
            .ok_or(FitError::Cancelled { iterations: 0 })?;
        Ok(GraphFilterFit {
            model: Self::assemble(*config, matrix.clone(), graph, factors),
            report,
        })
    }

    /// How the model was fitted.
    pub fn config(&self) -> &GraphFilterConfig {
        &self.config
    }

    fn assemble(
        config: GraphFilterConfig,
        seen: InteractionMatrix,
        graph: Graph,
        factors: Factors,
    ) -> Self {
        let (polynomial, _) = config.polynomials();
        Self {
            config,
            seen,
            graph,
            polynomial,
            factors,
        }
    }

    fn check(&self, query: &Query<'_>) -> Result<(), QueryError> {
        query.check(self.seen.rows(), self.seen.columns())
    }

    /// The polynomial's part of the scores of a row, in `sums`.
    fn polynomial(
        &self,
        taken: impl Iterator<Item = u32> + Clone,
        work: &mut Workspace<'_, 1>,
        sums: &mut [Lane<1>],
    ) {
        self.begin(taken, work, sums, 0);
        self.graph
            .add_powers(self.polynomial.get(2..).unwrap_or_default(), work, sums);
    }

    /// The first two terms of the polynomial, in a lane of `sums`; P̃ r stays in `work`.
    fn begin<const L: usize>(
        &self,
        taken: impl Iterator<Item = u32> + Clone,
        work: &mut Workspace<'_, 1>,
        sums: &mut [Lane<L>],
        lane: usize,
    ) {
        self.graph.spread(taken.clone(), work.customers, work.now);
        let by = |power: usize| self.polynomial.get(power).copied().unwrap_or(0.0);
        for (sum, [number]) in sums.iter_mut().zip(&*work.now) {
            if let Some(sum) = sum.get_mut(lane) {
                *sum = by(1) * number;
            }
        }
        for item in taken {
            let sum = sums.get_mut(item as usize);
            if let Some(sum) = sum.and_then(|sum| sum.get_mut(lane)) {
                *sum += by(0);
            }
        }
    }

    /// A query's working memory: of the polynomial, its sums, and of the low pass.
    fn split<'a>(
        &self,
        scratch: &'a mut Scratch,
    ) -> (Workspace<'a, 1>, &'a mut [Lane<1>], low_pass::Work<'a>) {
        let (customers, items) = (self.graph.customers(), self.graph.items());
        let length = customers + 2 * items + self.factors.work(1);
        let (_, doubles) = scratch.zeros_and_doubles(0, length);
        let (sums, doubles) = doubles.split_at_mut(items);
        let (now, doubles) = doubles.split_at_mut(items);
        let (customers, doubles) = doubles.split_at_mut(customers);
        let work = Workspace {
            customers: customers.as_chunks_mut().0,
            now: now.as_chunks_mut().0,
        };
        let low_pass = self.factors.split(1, doubles);
        (work, sums.as_chunks_mut().0, low_pass)
    }
}

impl Scorer for GraphFilter {
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
        for &item in items {
            self.check(&Query::Item(item))?;
        }
        let (mut work, sums, mut low) = self.split(scratch);
        self.polynomial(query.taken(&self.seen), &mut work, sums);
        self.factors.project(query.taken(&self.seen), &mut low, 0);
        for (place, &item) in out.iter_mut().zip(items) {
            let sum = sums.get(item as usize).map_or(0.0, |[sum]| *sum);
            *place = (sum + self.factors.score(&low, item)) as f32;
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
        let (mut work, sums, mut low) = self.split(scratch);
        self.polynomial(query.taken(&self.seen), &mut work, sums);
        self.factors.project(query.taken(&self.seen), &mut low, 0);
        let (mut scores, level) = ([0.0; PANEL], Level::detect());
        for (panel, sums) in sums.chunks(PANEL).enumerate() {
            let added = self.factors.products(level, panel, 1, &mut low);
            for (place, ([sum], added)) in scores.iter_mut().zip(sums.iter().zip(added)) {
                *place = (sum + added) as f32;
            }
            let known = scores.get(..sums.len()).unwrap_or_default();
            visit((panel * PANEL) as u32, known);
        }
        Ok(())
    }

    fn lists_capped(
        &self,
        customers: Range<u32>,
        k: usize,
        filter: &dyn ItemFilter,
        caps: &[Cap<'_>],
    ) -> Result<TopLists, QueryError> {
        if let Some(last) = customers.clone().last() {
            self.check(&Query::Customer(last))?;
        }
        let rules = Rules::new(k, self.items(), filter, caps);
        Ok(lists::best(self, customers, rules))
    }
}

impl Explainer for GraphFilter {
    /// The filter is linear: an item adds what it alone would score.
    fn explain(&self, query: &Query<'_>, item: u32) -> Result<Explanation, QueryError> {
        self.check(query)?;
        self.check(&Query::Item(item))?;
        // P̃ is symmetric: what all items say of this one is what this one says of them.
        let mut scratch = Scratch::new();
        let (mut work, sums, _) = self.split(&mut scratch);
        self.polynomial(std::iter::once(item), &mut work, sums);
        let contributions = query.taken(&self.seen).map(|from| Contribution {
            item: from,
            amount: sums.get(from as usize).map_or(0.0, |[sum]| *sum)
                + self.factors.weight(from, item),
        });
        Ok(Explanation::of(contributions.collect()))
    }
}
