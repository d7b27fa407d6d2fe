//! The alternation: items, customers, items, …

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::axes::{gram, principal_axes, rotate};
use super::solve::{HalfStep, Stop};
use super::{Als, AlsConfig, AlsFit, AlsReport, Solver};
use crate::error::{ConfigError, Error, FitError};
use crate::numeric::lanes::{Level, padded};
use crate::numeric::reduce::sum_chunks;
use crate::recommend::latent::random_rows;
use crate::summary::InteractionMatrix;

/// Both sides of a fit, in the same axes.
pub(super) struct Sides<'a> {
    config: &'a AlsConfig,
    level: Level,
    width: usize,
    by_customer: &'a InteractionMatrix,
    by_item: InteractionMatrix,
    customers: Vec<f32>,
    items: Vec<f32>,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> Sides<'a> {
    pub(super) fn new(
        matrix: &'a InteractionMatrix,
        config: &'a AlsConfig,
        stop: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        let width = padded(config.factors);
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let customers = random_rows(&mut rng, matrix.rows(), config.factors, width);
        Self {
            config,
            level: Level::detect(),
            width,
            by_customer: matrix,
            by_item: matrix.transposed(),
            customers,
            items: vec![0.0; matrix.columns() as usize * width],
            stop,
        }
    }

    /// Begins with the items' factors of a model, and what the customers then have.
    pub(super) fn go_on_from(mut self, model: &Als) -> Result<Self, Error> {
        if model.factors() != self.config.factors {
            return Err(ConfigError::OutOfRange {
                setting: "factors",
                value: self.config.factors.to_string(),
                expected: "as many as the model has that is fitted again",
            }
            .into());
        }
        for (item, row) in (0..).zip(self.items.chunks_exact_mut(self.width)) {
            let known = model.item(item).into_iter().flatten();
            row.iter_mut().zip(known).for_each(|(place, y)| *place = y);
        }
        // Conjugate gradients start from what is there. The others keep their random numbers.
        let new = model.customers() as usize * self.width;
        for (customer, row) in (0..).zip(self.customers.chunks_exact_mut(self.width)) {
            let known = model.customer(customer).unwrap_or_default();
            row.iter_mut().zip(known).for_each(|(place, &x)| *place = x);
        }
        let random = self.customers.get(new..).unwrap_or_default().to_vec();
        self.solve_customers().map_err(|stop| failed(stop, 0))?;
        // Who took new items alone has factors of 0, as these have: from there neither would come away.
        let rows = self.customers.get_mut(new..).unwrap_or_default();
        let rows = rows.chunks_exact_mut(self.width);
        for (row, random) in rows.zip(random.chunks_exact(self.width)) {
            if row.iter().all(|&x| x == 0.0) {
                row.copy_from_slice(random);
            }
        }
        Ok(self)
    }

    pub(super) fn fit(mut self) -> Result<AlsFit, Error> {
        let mut objective = Vec::new();
        for done in 0..self.config.iterations as usize {
            let value = self.iterate().map_err(|stop| failed(stop, done))?;
            objective.push(value);
        }
        let AlsConfig {
            weighting, factors, ..
        } = *self.config;
        Ok(AlsFit {
            model: Als::assemble(weighting, factors, &self.customers, &self.items),
            report: AlsReport { objective },
        })
    }

    /// Solves the items and then the customers; the objective.
    fn iterate(&mut self) -> Result<f64, Stop> {
        let Self {
            config,
            level,
            width,
            stop,
            ..
        } = *self;
        half(
            config,
            (level, width, stop),
            &self.by_item,
            &mut self.customers,
            &mut self.items,
        )?;
        Ok(self.solve_customers()? + self.item_penalty())
    }

    fn solve_customers(&mut self) -> Result<f64, Stop> {
        half(
            self.config,
            (self.level, self.width, self.stop),
            self.by_customer,
            &mut self.items,
            &mut self.customers,
        )
    }

    /// Σ λ |y|² over the items; that of the customers is part of their systems.
    fn item_penalty(&self) -> f64 {
        let weighting = &self.config.weighting;
        sum_chunks(
            self.by_item.rows() as usize,
            |range| {
                let mut sum = 0.0;
                for row in range {
                    let (_, weights) = self.by_item.row(row as u32);
                    let entries = weights
                        .iter()
                        .filter(|&&weight| weighting.entry(weight).is_some());
                    let lambda =
                        weighting.row_regularization(entries.count(), self.by_item.columns());
                    let numbers = self.items.get(row * self.width..(row + 1) * self.width);
                    let squares = numbers.unwrap_or_default().iter();
                    let square: f64 = squares.map(|&y| f64::from(y) * f64::from(y)).sum();
                    sum += lambda * square;
                }
                sum
            },
            |left, right| left + right,
        )
    }
}

fn failed(stop: Stop, iterations: usize) -> FitError {
    match stop {
        Stop::Cancelled => FitError::Cancelled { iterations },
        Stop::Singular => FitError::NotIdentified {
            parameter: "the factors",
            reason: "the weights are so large that a system has no finite solution",
        },
    }
}

/// Turns the axes to those of the fixed side and solves the other.
fn half(
    config: &AlsConfig,
    (level, width, stop): (Level, usize, &(dyn Fn() -> bool + Sync)),
    matrix: &InteractionMatrix,
    fixed: &mut [f32],
    solved: &mut [f32],
) -> Result<f64, Stop> {
    let gram = gram(level, fixed, width, config.factors, stop);
    if stop() {
        return Err(Stop::Cancelled);
    }
    let axes = principal_axes(&gram, width, config.factors, stop);
    let (eigenvalues, axes) = axes.ok_or(Stop::Cancelled)?;
    rotate(level, fixed, width, &axes, stop);
    if config.solver != Solver::Cholesky {
        // The start of the other side must be in the same axes.
        rotate(level, solved, width, &axes, stop);
    }
    if stop() {
        return Err(Stop::Cancelled);
    }
    HalfStep {
        level,
        weighting: config.weighting,
        solver: config.solver,
        matrix,
        fixed,
        eigenvalues: &eigenvalues,
        cancelled: stop,
    }
    .run(solved)
}
