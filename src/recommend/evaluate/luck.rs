//! How sure a mean is, and whether one model is better than another.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

use super::draw::Draw;
use crate::error::{ConfigError, DataError, Error};
use crate::numeric::reduce::sum_chunks;

/// A mean and the interval in which it would lie with other customers of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean itself.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How intervals are read off the resampled means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalKind {
    /// Their quantiles.
    Percentile,
    /// Bias-corrected and accelerated (Efron 1987): better where the values are skewed, as metrics of lists are.
    Bca,
}

/// Resampling of customers with replacement.
///
/// Each resample has a random stream of its own, so that threads share the work and give the same bits.
///
/// ```
/// use tenure::recommend::evaluate::{Bootstrap, IntervalKind};
///
/// let hits: Vec<f64> = (0..400).map(|customer| f64::from(customer % 4 == 0)).collect();
/// let bootstrap = Bootstrap { resamples: 2_000, confidence: 0.95, seed: 7 };
/// let share = bootstrap.mean(&hits, IntervalKind::Bca)?;
/// assert_eq!(share.estimate, 0.25);
/// assert!((0.20..0.22).contains(&share.low) && (0.28..0.30).contains(&share.high));
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// `resamples` · customers random numbers, a few nanoseconds each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// At least 1; 2,000 are enough for two digits of an interval's ends.
    pub resamples: u32,
    /// How often the interval should hold, above 0 and below 1; 0.95 is customary.
    pub confidence: f64,
    /// Another seed draws others.
    pub seed: u64,
}

impl Bootstrap {
    /// The interval of a mean.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no resamples or a confidence outside its range, [`DataError::Empty`] for no values,
    /// [`DataError::Field`] for a value that is not finite.
    pub fn mean(&self, values: &[f64], kind: IntervalKind) -> Result<Interval, Error> {
        self.check(values)?;
        let estimate = mean(values);
        let mut means = self.resampled(|draw| {
            let n = values.len();
            let picked = (0..n).map(|_| values.get(draw.below(n)).copied().unwrap_or(0.0));
            picked.sum::<f64>() / n as f64
        });
        means.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.confidence) / 2.0;
        let (low, high) = match kind {
            IntervalKind::Percentile => (tail, 1.0 - tail),
            IntervalKind::Bca => accelerated(values, estimate, &means, tail),
        };
        Ok(Interval {
            estimate,
            low: quantile(&means, low),
            high: quantile(&means, high),
        })
    }

    fn check(&self, values: &[f64]) -> Result<(), Error> {
        let out_of_range = |setting, value: String, expected| ConfigError::OutOfRange {
            setting,
            value,
            expected,
        };
        if self.resamples == 0 {
            return Err(out_of_range("resamples", "0".to_owned(), "at least 1").into());
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            let value = self.confidence.to_string();
            return Err(out_of_range("confidence", value, "above 0 and below 1").into());
        }
        if values.is_empty() {
            return Err(DataError::Empty {
                what: "values",
                expected: "one for each customer",
            }
            .into());
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(DataError::Field {
                field: format!("values[{at}]"),
                value: values.get(at).map_or_else(String::new, f64::to_string),
                expected: "finite",
            }
            .into());
        }
        Ok(())
    }

    /// What each resample says, in their order.
    fn resampled(&self, of: impl Fn(&mut Draw) -> f64 + Sync) -> Vec<f64> {
        sum_chunks(
            self.resamples as usize,
            |range| {
                let numbers = range.map(|number| of(&mut Draw::new(self.seed, number as u64)));
                numbers.collect::<Vec<_>>()
            },
            |mut left, right| {
                left.extend(right);
                left
            },
        )
    }
}

/// Two models judged by the same customers.
///
/// ```
/// use tenure::recommend::evaluate::{Bootstrap, Comparison};
///
/// let left = [0.5, 0.75, 1.0, 0.25, 0.5, 1.0, 0.5, 0.75];
/// let right = [0.5, 0.5, 0.75, 0.25, 0.25, 0.5, 0.5, 0.5];
/// let bootstrap = Bootstrap { resamples: 1_000, confidence: 0.95, seed: 1 };
/// let comparison = Comparison::of(&left, &right, &bootstrap)?;
/// assert_eq!((comparison.better, comparison.worse, comparison.same), (5, 0, 3));
/// assert!((comparison.sign_p - 0.0625).abs() < 1e-12);
/// assert!(comparison.difference.low > 0.0);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Mean of left − right, with the interval [`IntervalKind::Bca`].
    pub difference: Interval,
    /// Customers for whom the left one is better.
    pub better: usize,
    /// Customers for whom the right one is better.
    pub worse: usize,
    /// Customers to whom both are the same.
    pub same: usize,
    /// Two-sided p-value of the paired permutation test: how often the mean difference is at least as far from 0 when a coin decides for each
    /// customer which model is which. Resampled, and never below 1 / (resamples + 1).
    pub permutation_p: f64,
    /// Two-sided p-value of the exact sign test: `better` against `worse`, whatever the size of the differences.
    pub sign_p: f64,
}

impl Comparison {
    /// Compares what the same customers, in the same order, say of two models.
    ///
    /// # Errors
    /// As [`Bootstrap::mean`], and [`DataError::Length`] when the lengths differ.
    pub fn of(left: &[f64], right: &[f64], bootstrap: &Bootstrap) -> Result<Self, Error> {
        if left.len() != right.len() {
            return Err(DataError::Length {
                column: "right",
                found: right.len(),
                reference: "left",
                expected: left.len(),
            }
            .into());
        }
        let differences: Vec<f64> = left.iter().zip(right).map(|(l, r)| l - r).collect();
        let difference = bootstrap.mean(&differences, IntervalKind::Bca)?;
        let better = differences.iter().filter(|d| **d > 0.0).count();
        let worse = differences.iter().filter(|d| **d < 0.0).count();
        Ok(Self {
            difference,
            better,
            worse,
            same: differences.len() - better - worse,
            permutation_p: permutation_p(&differences, bootstrap),
            sign_p: sign_p(better as u64, worse as u64),
        })
    }
}

fn permutation_p(differences: &[f64], bootstrap: &Bootstrap) -> f64 {
    let observed = differences.iter().sum::<f64>().abs();
    let size: f64 = differences.iter().map(|d| d.abs()).sum();
    // Sums of the same differences in other signs are equal but for rounding.
    let least = observed - size * 1e-12;
    // The streams of the resampled means have been used for the interval.
    let coins = Bootstrap {
        seed: !bootstrap.seed,
        ..*bootstrap
    };
    let sums = coins.resampled(|draw| {
        let signed = differences.chunks(64).map(|chunk| {
            let mut coins = draw.bits();
            let signed = chunk.iter().map(|difference| {
                let heads = coins & 1 == 1;
                coins >>= 1;
                if heads { *difference } else { -difference }
            });
            signed.sum::<f64>()
        });
        signed.sum()
    });
    let far = sums.iter().filter(|sum| sum.abs() >= least).count();
    (far + 1) as f64 / (sums.len() + 1) as f64
}

fn sign_p(better: u64, worse: u64) -> f64 {
    let both = better + worse;
    Binomial::new(0.5, both).map_or(1.0, |coin| (2.0 * coin.cdf(better.min(worse))).min(1.0))
}

/// The shares of the resampled means between which the interval lies: Efron 1987, equations 2.3 and 6.6. For a mean, the acceleration is that of
/// the jackknife: Σ (x − x̄)³ / (6 (Σ (x − x̄)²)^(3/2)).
fn accelerated(values: &[f64], estimate: f64, means: &[f64], tail: f64) -> (f64, f64) {
    let normal = Normal::standard();
    let below = means.iter().filter(|mean| **mean < estimate).count();
    let equal = means.iter().filter(|mean| **mean == estimate).count();
    let share = (below as f64 + equal as f64 / 2.0) / means.len() as f64;
    let squares: f64 = values.iter().map(|x| (x - estimate).powi(2)).sum();
    if squares <= 0.0 || share <= 0.0 || share >= 1.0 {
        // All values are the same, or too few resamples to tell the bias.
        return (tail, 1.0 - tail);
    }
    let cubes: f64 = values.iter().map(|x| (x - estimate).powi(3)).sum();
    let acceleration = cubes / (6.0 * squares * squares.sqrt());
    let bias = normal.inverse_cdf(share);
    let end = |share: f64| {
        let z = bias + normal.inverse_cdf(share);
        let scale = 1.0 - acceleration * z;
        if scale > 0.0 {
            normal.cdf(bias + z / scale)
        } else {
            share
        }
    };
    (end(tail), end(1.0 - tail))
}

/// Of ascending values, none of which is missing, with linear interpolation.
fn quantile(values: &[f64], share: f64) -> f64 {
    let last = values.len().saturating_sub(1);
    let at = share.clamp(0.0, 1.0) * last as f64;
    let value = |at: usize| values.get(at.min(last)).copied().unwrap_or(0.0);
    let (low, high) = (value(at as usize), value(at as usize + 1));
    low + (high - low) * at.fract()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
