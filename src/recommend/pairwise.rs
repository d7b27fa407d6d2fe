//! Models that learn an order: what a customer took stands before what was not taken.

mod group;
mod rule;
mod saved;
mod strata;

use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::error::out_of_range;
use super::latent::{FACTORS_MAX, Latent, check_memory, random_rows};
use super::{Query, QueryError, Scratch};
use crate::error::{ConfigError, DataError, Error, FitError};
use crate::numeric::lanes::{Level, padded};
use crate::numeric::triple::{draw, product};
use crate::summary::InteractionMatrix;
pub use rule::Negatives;
pub(super) use rule::Rule;
use saved::Saved;
use strata::{Strata, Trained, below};

/// No number of a model is larger, so that no score leaves the range of `f32`.
const LARGEST: f32 = 1e15;

/// How a fit by stochastic steps went: it ends when its epochs are over, whatever it has reached.
///
/// Each entry is a mean over the steps of an epoch, each step judged before it was made. A loss that still falls
/// in the last epochs asks for more of them; one that does not fall from the first, for a smaller learning rate. What counts
/// is the order of items that were held back, which no loss shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankingReport {
    /// Of BPR −ln σ(difference of the scores), of WARP the rank-weighted hinge.
    pub loss: Vec<f64>,
    /// The share of pairs in the right order: what was taken before what was not.
    pub ordered: Vec<f64>,
}

/// What both models are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub(super) struct Pairwise {
    plan: Plan,
    /// `factors` numbers, and 1 for a customer, the bias for an item.
    latent: Latent,
    /// How often items up to this one were taken; only where the rule draws by popularity.
    passed: Vec<u64>,
}

/// How a model is trained, and a new customer after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) rule: Rule,
    pub(super) factors: usize,
    pub(super) seed: u64,
    pub(super) epochs: u32,
    pub(super) learning_rate: f32,
}

impl Plan {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let within = |setting, value: f32, good: bool, expected| {
            if good {
                return Ok(());
            }
            Err(out_of_range(setting, value, expected))
        };
        if !(1..=FACTORS_MAX).contains(&self.factors) {
            return Err(out_of_range("factors", self.factors, "from 1 to 1024"));
        }
        if self.epochs == 0 {
            return Err(out_of_range("epochs", 0, "at least 1"));
        }
        let rate = self.learning_rate;
        let good = rate > 0.0 && rate <= 1.0;
        within("learning_rate", rate, good, "above 0, at most 1")?;
        match self.rule {
            Rule::Bpr { regularization, .. } => {
                let good = (0.0..=1.0).contains(&regularization);
                within("regularization", regularization, good, "from 0 to 1")
            }
            Rule::Warp { trials: 0, .. } => Err(out_of_range("trials", 0, "at least 1")),
            Rule::Warp { length_max, .. } => {
                let good = length_max > 0.0 && length_max <= 1e6;
                within("length_max", length_max, good, "above 0, at most 1e6")
            }
        }
    }

    /// Falls in a straight line, to a last epoch of 1/epochs of the first.
    fn rate(&self, epoch: u32) -> f32 {
        let left = f64::from(self.epochs - epoch) / f64::from(self.epochs);
        (f64::from(self.learning_rate) * left) as f32
    }
}

impl Pairwise {
    pub(super) fn fit(
        matrix: &InteractionMatrix,
        plan: Plan,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Self, RankingReport), Error> {
        plan.check()?;
        let taken = |weights: &[f32]| weights.iter().any(|&weight| weight > 0.0);
        if !matrix.iter().any(|(_, weights)| taken(weights)) {
            return Err(DataError::Empty {
                what: "interactions",
                expected: "at least one customer who took something",
            }
            .into());
        }
        check_memory(matrix, plan.factors)?;
        // Once true it stays so.
        let stopped = AtomicBool::new(false);
        let stop = || {
            if cancelled() {
                stopped.store(true, Ordering::Relaxed);
            }
            stopped.load(Ordering::Relaxed)
        };
        let width = padded(plan.factors);
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let mut trained = Trained {
            width,
            customers: random_rows(&mut rng, matrix.rows(), plan.factors, width),
            items: random_rows(&mut rng, matrix.columns(), plan.factors, width),
            biases: vec![0.0; matrix.columns() as usize],
        };
        let strata = Strata::new(matrix, &plan.rule, plan.seed);
        let mut report = RankingReport {
            loss: Vec::new(),
            ordered: Vec::new(),
        };
        for epoch in 0..plan.epochs {
            let iterations = epoch as usize;
            let Some(moved) = strata.epoch(&mut trained, epoch, plan.rate(epoch), &stop) else {
                return Err(FitError::Cancelled { iterations }.into());
            };
            let steps = moved.steps.max(1.0);
            report.loss.push(moved.loss / steps);
            report.ordered.push(moved.ordered / steps);
            if !in_range(&trained) {
                return Err(FitError::NotConverged {
                    reason: "the steps grow without bound (take a smaller learning rate)",
                    iterations,
                }
                .into());
            }
        }
        Ok((Self::assemble(plan, matrix, &trained), report))
    }

    fn assemble(plan: Plan, matrix: &InteractionMatrix, trained: &Trained) -> Self {
        let with = |rows: &[f32], lasts: &mut dyn Iterator<Item = f32>| {
            let mut numbers = Vec::with_capacity(rows.len() / trained.width * (plan.factors + 1));
            for (row, last) in rows.chunks_exact(trained.width).zip(lasts) {
                numbers.extend(row.iter().take(plan.factors));
                numbers.push(last);
            }
            numbers
        };
        let customers = with(&trained.customers, &mut std::iter::repeat(1.0));
        let items = with(&trained.items, &mut trained.biases.iter().copied());
        let mut taken = Vec::new();
        if plan.rule.by_popularity() {
            taken.resize(matrix.columns() as usize, 0_u64);
            for (items, weights) in matrix.iter() {
                for (&item, _) in items.iter().zip(weights).filter(|(_, w)| **w > 0.0) {
                    if let Some(count) = taken.get_mut(item as usize) {
                        *count += 1;
                    }
                }
            }
        }
        Self::of(plan, customers, &items, &taken)
    }

    /// Of rows that are `factors + 1` long, and how often items were taken.
    fn of(plan: Plan, customers: Vec<f32>, items: &[f32], taken: &[u64]) -> Self {
        let width = plan.factors + 1;
        let mut passed = 0;
        let passed = taken.iter().map(|count| {
            passed += count;
            passed
        });
        Self {
            plan,
            passed: passed.collect(),
            latent: Latent::new(width, plan.factors, customers, items.chunks_exact(width)),
        }
    }

    pub(super) fn latent(&self) -> &Latent {
        &self.latent
    }

    pub(super) fn factors(&self) -> usize {
        self.plan.factors
    }

    /// Without the 1 at the end.
    pub(super) fn fold_in(&self, basket: &[(u32, f32)]) -> Result<Vec<f32>, QueryError> {
        let mut scratch = Scratch::new();
        let vector = self.vector(&Query::Basket(basket), &mut scratch)?;
        Ok(vector.iter().take(self.plan.factors).copied().collect())
    }

    /// The vector whose products with the items' are the scores.
    pub(super) fn vector<'a>(
        &self,
        query: &Query<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<&'a [f32], QueryError> {
        query.check(self.latent.customers(), self.latent.items().rows())?;
        let width = padded(self.plan.factors);
        let numbers = scratch.zeros(self.plan.factors + 1 + 3 * width);
        let (vector, room) = numbers.split_at_mut(self.plan.factors + 1);
        match *query {
            Query::Basket(basket) => self.train_row(basket, vector, room),
            _ => self.latent.write_vector(query, vector),
        }
        Ok(vector)
    }

    /// The steps that a row with this basket would have taken, the items held: as many epochs at the same rates.
    fn train_row(&self, basket: &[(u32, f32)], vector: &mut [f32], room: &mut [f32]) {
        let width = padded(self.plan.factors);
        let (x, rest) = room.split_at_mut(width);
        let (near, far) = rest.split_at_mut(width);
        let mut rng = ChaCha8Rng::seed_from_u64(self.plan.seed);
        let others = (self.latent.items().rows() as usize).saturating_sub(basket.len());
        for epoch in 0..self.plan.epochs {
            let rate = self.plan.rate(epoch);
            for &(item, _) in basket.iter().filter(|(_, weight)| *weight > 0.0) {
                self.train_entry(x, (near, far), (item, basket, others), rate, &mut rng);
            }
        }
        for (place, &number) in vector.iter_mut().zip(&*x) {
            *place = number;
        }
        if let Some(last) = vector.last_mut() {
            *last = 1.0;
        }
    }

    fn train_entry(
        &self,
        x: &mut [f32],
        (near, far): (&mut [f32], &mut [f32]),
        (item, basket, others): (u32, &[(u32, f32)], usize),
        rate: f32,
        rng: &mut ChaCha8Rng,
    ) {
        let (rule, level) = (&self.plan.rule, Level::detect());
        let bias = self.load(item, near);
        let score = product(level, x, near) + bias;
        for trial in 1..=rule.trials() {
            let taken = |item: u32| basket.iter().any(|&(other, _)| other == item);
            let Some(other) = self.draw(rng, taken) else {
                return;
            };
            let bias = self.load(other, far);
            let ahead = score - product(level, x, far) - bias;
            if let Some(push) = rule.judge(ahead, trial, others) {
                // What it does to the copies of the items is lost.
                draw(level, x, near, far, rate * push.weight, rule.keep(rate));
                rule.bound(level, [x, near, far]);
                return;
            }
        }
    }

    /// Copies an item's factors; its bias.
    fn load(&self, item: u32, row: &mut [f32]) -> f32 {
        let mut numbers = self.latent.items().row(item);
        for (place, y) in row.iter_mut().zip(numbers.by_ref().take(self.plan.factors)) {
            *place = y;
        }
        numbers.next().unwrap_or(0.0)
    }

    fn draw(&self, rng: &mut ChaCha8Rng, taken: impl Fn(u32) -> bool) -> Option<u32> {
        let items = self.latent.items().rows();
        for _ in 0..group::DRAWS_MAX {
            let item = match self.passed.last() {
                Some(&total) if total > 0 => {
                    let ticket = below(rng, usize::try_from(total).unwrap_or(usize::MAX)) as u64;
                    self.passed.partition_point(|&passed| passed <= ticket) as u32
                }
                _ => below(rng, items as usize) as u32,
            };
            if item < items && !taken(item) {
                return Some(item);
            }
        }
        None
    }
}

fn in_range(trained: &Trained) -> bool {
    let good = |numbers: &[f32]| numbers.iter().all(|number| number.abs() <= LARGEST);
    good(&trained.customers) && good(&trained.items) && good(&trained.biases)
}

/// What the models have in common that are a [`Pairwise`] and their rule.
macro_rules! pairwise_model {
    ($Model:ident) => {
        impl $Model {
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
            /// [`QueryError`](crate::recommend::QueryError) for an unknown item and for a weight that is none.
            pub fn fold_in(
                &self,
                basket: &[(u32, f32)],
            ) -> Result<Vec<f32>, $crate::recommend::QueryError> {
                self.0.fold_in(basket)
            }

            /// The `k` best items of every customer, as [`Als::recommend_all`](crate::recommend::Als::recommend_all) finds them.
            pub fn recommend_all(
                &self,
                k: usize,
                filter: &dyn $crate::recommend::ItemFilter,
            ) -> $crate::recommend::TopLists {
                self.0.latent().all_lists(k, filter)
            }

            pub(super) fn latent(&self) -> &$crate::recommend::latent::Latent {
                self.0.latent()
            }

            pub(super) fn vector<'a>(
                &self,
                query: &$crate::recommend::Query<'_>,
                scratch: &'a mut $crate::recommend::Scratch,
            ) -> Result<&'a [f32], $crate::recommend::QueryError> {
                self.0.vector(query, scratch)
            }
        }

        impl $crate::recommend::Scorer for $Model {
            fn items(&self) -> u32 {
                self.0.latent().items().rows()
            }

            fn score(
                &self,
                query: &$crate::recommend::Query<'_>,
                items: &[u32],
                scratch: &mut $crate::recommend::Scratch,
                out: &mut [f32],
            ) -> Result<(), $crate::recommend::QueryError> {
                let vector = self.vector(query, scratch)?;
                self.0.latent().score(query, vector, items, out)
            }

            fn scan(
                &self,
                query: &$crate::recommend::Query<'_>,
                scratch: &mut $crate::recommend::Scratch,
                visit: &mut dyn FnMut(u32, &[f32]),
            ) -> Result<(), $crate::recommend::QueryError> {
                let vector = self.vector(query, scratch)?;
                self.0.latent().scan(query, vector, visit);
                Ok(())
            }

            fn lists_capped(
                &self,
                customers: std::ops::Range<u32>,
                k: usize,
                filter: &dyn $crate::recommend::ItemFilter,
                caps: &[$crate::recommend::Cap<'_>],
            ) -> Result<$crate::recommend::TopLists, $crate::recommend::QueryError> {
                self.0.latent().lists(customers, k, filter, caps)
            }
        }
    };
}

pub(super) use pairwise_model;
