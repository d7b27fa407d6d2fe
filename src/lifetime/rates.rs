//! Purchase rates that differ between customers like a Gamma distribution: what NBD and the models
//! built on it share.

use super::fit::{Limit, Maximum};
use crate::error::{Error, FitError};
use crate::numeric::gamma::{digamma_diff, ln_gamma_ratio, trigamma_diff};
use crate::summary::DistinctHistories;

/// The counts of purchases of many customers.
pub(super) struct Counts {
    pub(super) customers: usize,
    pub(super) distinct: usize,
    repeats: f64,
    squares: f64,
    total_age: f64,
    /// (x, customers), ascending in x.
    frequencies: Vec<(f64, f64)>,
}

impl Counts {
    /// Of customers to whom a model is to be fitted.
    ///
    /// # Errors
    /// [`FitError::TooFew`] without customers; [`FitError::NotIdentified`] when nobody was observed
    /// for any time.
    pub(super) fn new(histories: &DistinctHistories) -> Result<Self, Error> {
        let counts = Self::of_any(histories);
        if counts.customers == 0 {
            let (what, have, need) = ("customers", 0, 1);
            return Err(FitError::TooFew { what, have, need }.into());
        }
        if counts.total_age <= 0.0 {
            return Err(FitError::NotIdentified {
                parameter: "the purchase rate",
                reason: "nobody was observed for any time after the first purchase",
            }
            .into());
        }
        Ok(counts)
    }

    /// Of some customers among others.
    pub(super) fn of_any(histories: &DistinctHistories) -> Self {
        let mut counts = Self {
            customers: histories.customers(),
            distinct: histories.len(),
            repeats: 0.0,
            squares: 0.0,
            total_age: 0.0,
            frequencies: Vec::new(),
        };
        for (history, count) in histories.iter() {
            let (x, n) = (f64::from(history.frequency), f64::from(count));
            counts.repeats += n * x;
            counts.squares += n * x * x;
            counts.total_age += n * history.age;
            match counts.frequencies.last_mut() {
                Some((last, customers)) if *last == x => *customers += n,
                _ => counts.frequencies.push((x, n)),
            }
        }
        counts
    }

    pub(super) fn mean_age(&self) -> f64 {
        self.total_age / self.customers as f64
    }

    pub(super) fn nobody_repeats(&self) -> bool {
        self.repeats == 0.0
    }

    /// r and α by the moments of the counts, as if nobody left.
    pub(super) fn start(&self) -> (f64, f64) {
        let customers = self.customers as f64;
        let mean = self.repeats / customers;
        let excess = self.squares / customers - mean * mean - mean;
        let r = (mean * mean / excess.max(1e-3 * mean)).clamp(0.05, 20.0);
        (r, r * self.total_age / self.repeats)
    }

    /// Σ lnΓ(r + x) − lnΓ(r) over the customers, with its first and second derivative in ln r.
    pub(super) fn rising(&self, r: f64) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for &(x, n) in &self.frequencies {
            let slope = r * digamma_diff(r, x);
            sums[0] += n * ln_gamma_ratio(r, x);
            sums[1] += n * slope;
            sums[2] += n * (slope + r * r * trigamma_diff(r, x));
        }
        sums
    }
}

/// Where the fit ends when nobody repeats: the best rate is none, and nothing is known of the rest.
pub(super) fn no_purchases<const N: usize>(
    parameters: [f64; N],
    log_likelihood: f64,
) -> Maximum<N> {
    Maximum::at_limit(parameters, log_likelihood, "r", Limit::Zero)
}

/// ln of Γ(r + n) / (Γ(r) n!) for n = 0, 1, …: what a negative binomial probability depends on
/// besides its time.
pub(super) fn ln_coefficients(r: f64) -> impl Iterator<Item = f64> {
    let mut n = 0.0;
    let mut ln = 0.0;
    std::iter::repeat_with(move || {
        let here = ln;
        ln += ((r + n) / (n + 1.0)).ln();
        n += 1.0;
        here
    })
}
