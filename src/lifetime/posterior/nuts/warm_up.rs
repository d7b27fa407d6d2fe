//! What a chain learns before its draws count: the length of its steps and its coordinates.

use nalgebra::{DMatrix, DVector};

use super::Laplace;

/// The acceptance probability that the length of the steps is set for.
const WANTED: f64 = 0.8;
/// Settings of the dual averaging: Hoffman and Gelman (2014), section 3.2.
const GAMMA: f64 = 0.05;
const DELAY: f64 = 10.0;
const FORGETTING: f64 = 0.75;

/// Dual averaging of the length of the steps, and new coordinates from the draws at three times: after 1/5,
/// 2/5 and 4/5 of the warm-up.
pub(super) struct WarmUp {
    scale: DMatrix<f64>,
    changes: [u32; 3],
    done: u32,
    /// Of the draws since the last change of coordinates.
    count: f64,
    mean: DVector<f64>,
    products: DMatrix<f64>,
    lengths: DualAveraging,
}

impl WarmUp {
    pub(super) fn new(laplace: &Laplace, steps: u32) -> Self {
        let dimensions = laplace.centre.len();
        Self {
            scale: laplace.scale.clone(),
            changes: [1, 2, 4].map(|fifths| fifths * (steps / 5)),
            done: 0,
            count: 0.0,
            mean: DVector::zeros(dimensions),
            products: DMatrix::zeros(dimensions, dimensions),
            // About where a standard normal distribution of few dimensions accepts as wanted.
            lengths: DualAveraging::new(0.8),
        }
    }

    pub(super) fn scale(&self) -> &DMatrix<f64> {
        &self.scale
    }

    pub(super) fn length(&self) -> f64 {
        libm::exp(self.lengths.ln_length)
    }

    /// The length for the rest of the chain.
    pub(super) fn settled(&self) -> f64 {
        libm::exp(self.lengths.ln_mean)
    }

    pub(super) fn learn(&mut self, logs: &DVector<f64>, acceptance: f64) {
        self.lengths.learn(acceptance);
        self.done += 1;
        self.count += 1.0;
        let before = logs - &self.mean;
        self.mean += &before / self.count;
        self.products += &before * (logs - &self.mean).transpose();
        if self.changes.contains(&self.done) {
            self.change_coordinates();
        }
    }

    /// The covariance of the draws so far, drawn a little towards the coordinates in use.
    fn change_coordinates(&mut self) {
        const PULL: f64 = 5.0;
        let weight = self.count / (self.count + PULL);
        let covariance = &self.products * (weight / (self.count - 1.0).max(1.0));
        let known = &self.scale * self.scale.transpose() * (1.0 - weight);
        if let Some(factor) = (covariance + known).cholesky() {
            self.scale = factor.unpack();
            self.lengths = DualAveraging::new(self.settled());
        }
        self.count = 0.0;
        self.mean.fill(0.0);
        self.products.fill(0.0);
    }
}

struct DualAveraging {
    /// Ten times the length at the beginning, towards which it is drawn.
    ln_target: f64,
    ln_length: f64,
    ln_mean: f64,
    error: f64,
    count: f64,
}

impl DualAveraging {
    fn new(length: f64) -> Self {
        let ln_length = libm::log(length);
        Self {
            ln_target: libm::log(10.0) + ln_length,
            ln_length,
            ln_mean: ln_length,
            error: 0.0,
            count: 0.0,
        }
    }

    fn learn(&mut self, acceptance: f64) {
        self.count += 1.0;
        let new = 1.0 / (self.count + DELAY);
        self.error += new * (WANTED - acceptance - self.error);
        self.ln_length = self.ln_target - self.count.sqrt() / GAMMA * self.error;
        let share = libm::pow(self.count, -FORGETTING);
        self.ln_mean += share * (self.ln_length - self.ln_mean);
    }
}
