//! Whether customers who buy more often spend more each time: what the spend models rule out.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::statistics::{Data, OrderStatistics, RankTieBreaker};

use crate::error::{ConfigError, Error, FitError};
use crate::summary::Histories;

/// How a customer's mean spend goes with the number of repeat purchases.
///
/// [`GammaGamma`](super::GammaGamma) and [`LognormalSpend`](super::LognormalSpend) take the two to be
/// independent, and [`CustomerValue`](super::CustomerValue) multiplies what they say. Where frequent
/// buyers spend more each time, the product undervalues them, and the total with them.
///
/// ```
/// use tenure::lifetime::{Dependence, SpendIndependence};
/// # use tenure::summary::{Histories, HistoryColumns, TimeUnit};
/// # let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
/// #     frequency: [1, 1, 1, 2, 2, 3, 5, 8, 0, 0].repeat(30),
/// #     recency: [9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 0.0, 0.0].repeat(30),
/// #     age: vec![38.0; 300],
/// #     mean_spend: [12.0, 31.0, 18.0, 22.0, 25.0, 20.0, 40.0, 70.0, 0.0, 0.0].repeat(30),
/// #     ..HistoryColumns::default()
/// # })?;
/// let check = SpendIndependence::of(&histories, 0.95)?;
/// if check.dependence == Dependence::Relevant {
///     println!("frequent buyers spend more: r = {:.2}", check.pearson.estimate);
///     println!("total spend is {:+.0}% off", 100.0 * check.total_spend_excess);
/// }
/// # assert_eq!(check.dependence, Dependence::Relevant);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Which of the two correlations to believe
///
/// Pearson's is 0 when the two are independent, however the amounts are distributed, but a few very large
/// customers can make it up. Spearman's does not know large from very large, but is above 0 even
/// for independent spend, because amounts are skewed: a mean of few is most often below the mean that it
/// estimates, a mean of many is not. In simulated shops like CDNOW with independent Gamma-Gamma spend it
/// averages .05 for p = 6, .07 for p = 4, .11 for p = 2 and .16 for p = 1. So the verdict takes it seriously
/// only where its interval lies above .1, or below 0.
///
/// What to do about dependence: fit the spend model to segments of like frequency, or value a segment's
/// customers by what they spend in a period rather than by the product.
///
/// CDNOW has a correlation of .11, which may be chance (from .00 to .23 at 95%), and one of .21 of the ranks,
/// which is not: frequent buyers spend more, and all together 11% more than independence would have it.
///
/// Sources: Fader, Hardie and Lee (2005), RFM and CLV, *Journal of Marketing Research* 42(4), who take the .11
/// for small; Fisher (1921) for the transformation; DiCiccio and Romano (2017),
/// Robust Permutation Tests for Correlation and Regression Coefficients, *Journal of the American
/// Statistical Association* 112(519), for a standard error that also holds when means of few purchases
/// vary more than those of many, which they do; Bonett and Wright (2000), Sample Size Requirements for
/// Estimating Pearson, Kendall and Spearman Correlations, *Psychometrika* 65(1), for Spearman's interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SpendIndependence {
    /// Customers with a repeat purchase, who are those that say something.
    pub customers: usize,
    /// The correlation of the number of repeat purchases with their mean value.
    pub pearson: Correlation,
    /// The correlation of the ranks, ties being given the mean of theirs.
    pub spearman: Correlation,
    /// By which share the total spend of these customers is larger than their mean number of purchases
    /// times their mean spend would make it: 0.1 says that independence undervalues them by 10% in all.
    pub total_spend_excess: f64,
    /// What follows from them.
    pub dependence: Dependence,
}

/// A correlation, how sure it is, and whether it could be chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// From −1 to 1.
    pub estimate: f64,
    /// The lower end of the interval of the level asked for.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// How probable so large a correlation, of either sign, would be without any.
    pub p_value: f64,
}

/// What correlations say of the independence of spend and frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Dependence {
    /// Pearson's interval holds 0, and Spearman's some of the correlations from 0 to 0.1 that skewed
    /// amounts make by themselves.
    NotSeen,
    /// One of the intervals does not, but such a correlation does not reach ±0.2: the models can be used.
    /// With many customers the smallest correlation is seen.
    Weak,
    /// One of the intervals does not, and its correlation reaches ±0.2: a warning.
    Relevant,
}

/// From here on a correlation is no longer weak.
const RELEVANT: f64 = 0.2;
/// What skewed amounts can do to Spearman's correlation.
const SKEW: f64 = 0.1;
/// 1 − r² below this is rounding.
const PERFECT: f64 = 1e-12;

impl SpendIndependence {
    /// Correlates frequency and mean spend over the customers with a repeat purchase, with intervals of a
    /// level such as 0.95. Costs a sort.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1; [`FitError::TooFew`] with fewer than four
    /// such customers; [`FitError::NotIdentified`] when all of them have the same frequency or the same
    /// mean spend.
    pub fn of(histories: &Histories, level: f64) -> Result<Self, Error> {
        if !(level > 0.0 && level < 1.0) {
            return Err(ConfigError::OutOfRange {
                setting: "level",
                value: level.to_string(),
                expected: "between 0 and 1, such as 0.95",
            }
            .into());
        }
        let repeaters = histories.iter().filter(|history| history.frequency > 0);
        let (frequency, spend): (Vec<f64>, Vec<f64>) = repeaters
            .map(|history| (f64::from(history.frequency), history.mean_spend))
            .unzip();
        let customers = frequency.len();
        if customers < 4 {
            return Err(FitError::TooFew {
                what: "customers with a repeat purchase",
                have: customers,
                need: 4,
            }
            .into());
        }
        let z = Normal::standard().inverse_cdf(0.5 + 0.5 * level);
        let plain = Pairs::new(&frequency, &spend)?;
        let ranks = Pairs::new(&ranks(&frequency), &ranks(&spend))?;
        let (pearson, spearman) = (plain.pearson(z), ranks.spearman(z));
        Ok(Self {
            customers,
            pearson,
            spearman,
            total_spend_excess: plain.excess(),
            dependence: Dependence::of(&pearson, &spearman),
        })
    }
}

impl Dependence {
    fn of(pearson: &Correlation, spearman: &Correlation) -> Self {
        let seen = |c: &Correlation, by_itself| c.lower > by_itself || c.upper < 0.0;
        let pearson = seen(pearson, 0.0).then(|| pearson.estimate.abs());
        let spearman = seen(spearman, SKEW).then(|| spearman.estimate.abs());
        match pearson.into_iter().chain(spearman).reduce(f64::max) {
            None => Self::NotSeen,
            Some(largest) if largest < RELEVANT => Self::Weak,
            Some(_) => Self::Relevant,
        }
    }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    Data::new(values.to_vec()).ranks(RankTieBreaker::Average)
}

/// Two columns, standardised to mean 0 and variance 1.
struct Pairs {
    columns: Vec<(f64, f64)>,
    /// The standard deviation of each column over its mean.
    variation: (f64, f64),
    r: f64,
}

impl Pairs {
    fn new(left: &[f64], right: &[f64]) -> Result<Self, FitError> {
        let constant = |reason| FitError::NotIdentified {
            parameter: "the correlation of frequency and spend",
            reason,
        };
        let same_frequency = "all customers have the same number of repeat purchases";
        let (left, left_variation) = standardised(left).ok_or(constant(same_frequency))?;
        let same_spend = "all customers have the same mean spend";
        let (right, right_variation) = standardised(right).ok_or(constant(same_spend))?;
        let columns: Vec<(f64, f64)> = left.into_iter().zip(right).collect();
        let products = columns.iter().map(|(a, b)| a * b);
        let r = products.sum::<f64>() / columns.len() as f64;
        Ok(Self {
            columns,
            variation: (left_variation, right_variation),
            r: r.clamp(-1.0, 1.0),
        })
    }

    /// Mean of the product over the product of the means, less 1.
    fn excess(&self) -> f64 {
        self.r * self.variation.0 * self.variation.1
    }

    /// With the standard error by which the correlation answers to each pair, whatever their
    /// distribution.
    fn pearson(&self, z: f64) -> Correlation {
        let rest = 1.0 - self.r * self.r;
        let answers = self.columns.iter().map(|(a, b)| {
            let answer = a * b - 0.5 * self.r * (a * a + b * b);
            answer * answer
        });
        let n = self.columns.len() as f64;
        if rest < PERFECT {
            return self.perfect();
        }
        let error = answers.sum::<f64>().sqrt() / n / rest;
        let (lower, upper) = self.interval(z * error);
        // No pair answers where each column varies only where the other does not.
        let distance = if error > 0.0 {
            self.r.atanh().abs() / error
        } else {
            0.0
        };
        Correlation {
            estimate: self.r,
            lower,
            upper,
            p_value: 2.0 * Normal::standard().sf(distance),
        }
    }

    /// Of ranks: Student's t for chance, Bonett and Wright's standard error for the interval.
    fn spearman(&self, z: f64) -> Correlation {
        let (n, rest) = (self.columns.len() as f64, 1.0 - self.r * self.r);
        let degrees = StudentsT::new(0.0, 1.0, n - 2.0);
        let (Ok(chance), true) = (degrees, rest >= PERFECT) else {
            return self.perfect();
        };
        let error = ((1.0 + 0.5 * self.r * self.r) / (n - 3.0)).sqrt();
        let (lower, upper) = self.interval(z * error);
        let t = self.r.abs() * ((n - 2.0) / rest).sqrt();
        Correlation {
            estimate: self.r,
            lower,
            upper,
            p_value: 2.0 * chance.sf(t),
        }
    }

    /// By Fisher's transformation, from half the interval's width there.
    fn interval(&self, half: f64) -> (f64, f64) {
        let middle = self.r.atanh();
        ((middle - half).tanh(), (middle + half).tanh())
    }

    fn perfect(&self) -> Correlation {
        Correlation {
            estimate: self.r,
            lower: self.r,
            upper: self.r,
            p_value: 0.0,
        }
    }
}

/// The values less their mean over their standard deviation, and the latter over the former; `None`
/// where they do not vary.
fn standardised(values: &[f64]) -> Option<(Vec<f64>, f64)> {
    let n = values.len() as f64;
    let largest = values.iter().copied().fold(0.0, f64::max);
    if largest <= 0.0 {
        return None;
    }
    // In units of the largest no square overflows.
    let mean = values.iter().map(|value| value / largest).sum::<f64>() / n;
    let off = |value: &f64| value / largest - mean;
    let deviation = (values.iter().map(|v| off(v) * off(v)).sum::<f64>() / n).sqrt();
    if deviation <= f64::EPSILON * mean {
        return None;
    }
    let standard = values.iter().map(|value| off(value) / deviation);
    Some((standard.collect(), deviation / mean))
}
