//! How often somebody usually buys, told from few purchases.

use serde::{Deserialize, Serialize};

use super::timeline::{Timeline, days_between};
use crate::error::{ConfigError, FitError};
use crate::event::Timestamp;
use crate::summary::Purchases;

/// At how many times the usual gap a silence changes the stage.
///
/// The defaults speak in probabilities: of gaps that are exponentially distributed, as the NBD family of
/// purchase models has them (Ehrenberg 1959), a share e^(−c) is longer than c times their mean. 2 times is
/// exceeded by 13.5% of the gaps of a customer who is still there, 3 times by 5%, 5 times by 0.7%. Who buys
/// more regularly exceeds them more rarely still.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiples {
    /// At risk from so many times the usual gap; above 0. 2 by default.
    pub at_risk: f64,
    /// Dormant from so many times; more than `at_risk`. 3 by default.
    pub dormant: f64,
    /// Lost from so many times; more than `dormant` and finite. 5 by default.
    pub lost: f64,
}

impl Default for Multiples {
    fn default() -> Self {
        Self {
            at_risk: 2.0,
            dormant: 3.0,
            lost: 5.0,
        }
    }
}

impl Multiples {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Self {
            at_risk,
            dormant,
            lost,
        } = *self;
        // Comparisons with NaN are false, so that it is refused.
        let in_range = [
            ("at_risk", at_risk, at_risk > 0.0, "above 0"),
            ("dormant", dormant, dormant > at_risk, "more than `at_risk`"),
            (
                "lost",
                lost,
                lost > dormant && lost <= MULTIPLE_MAX,
                "more than `dormant`, at most 10^6",
            ),
        ];
        check_all(&in_range)
    }
}

/// How often customers usually buy: the rhythm of the population, and how soon a customer's own
/// gaps outweigh it.
///
/// The usual gap of a customer whose m gaps add up to s days is
///
/// > (k · g + s) / (k + m),
///
/// the credibility formula of Bühlmann (1967, *ASTIN Bulletin* 4): the mean of the own gaps, shrunk
/// toward the population's `usual_gap_days` g as if `weight` k more gaps of that length had been seen. For
/// exponential gaps with gamma-distributed rates it is the exact posterior mean of the gap (Jewell 1974). It is
/// never less than a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rhythm {
    /// The usual gap of somebody of whom nothing is known, in days (g); above 0, at most 10⁶.
    pub usual_gap_days: f64,
    /// The weight of that, in gaps (k); above 0, at most 10⁶.
    pub weight: f64,
    /// At how many times the usual gap a silence changes the stage.
    pub multiples: Multiples,
}

const WEIGHT_MIN: f64 = 1e-3;
const WEIGHT_MAX: f64 = 1e6;
const MULTIPLE_MAX: f64 = 1e6;
const GAP_MAX_DAYS: f64 = 1e6;

impl Rhythm {
    /// Estimates g and k from the gaps between purchases up to and including the period of `as_of`.
    ///
    /// k = σ²/τ² with the unbiased estimators of Bühlmann and Straub (1970): σ² is the variance of the gaps
    /// of one customer, pooled over customers; τ² the variance of the customers' true mean gaps, what
    /// is left of the variance of the observed means. g is the mean of the customers' means weighted by
    /// their credibility m/(m + k). Where customers do not differ measurably (τ² ≤ 0), k is 10⁶ and
    /// everybody has the population's gap; k is at least 10⁻³.
    ///
    /// Gaps that the date cuts off are not counted, so that a young log makes the usual gap short.
    ///
    /// # Errors
    /// [`FitError::TooFew`] unless two customers have bought twice and one of all three times.
    pub fn fit(
        purchases: &Purchases,
        as_of: Timestamp,
        multiples: Multiples,
    ) -> Result<Self, FitError> {
        let as_of = purchases.period_of(as_of);
        let customers = || {
            purchases.iter().filter_map(move |run| {
                let seen = run.get(..run.partition_point(|purchase| purchase.period <= as_of))?;
                let gaps = seen.iter().zip(seen.iter().skip(1));
                Own::of(gaps.map(|(a, b)| days_between(purchases, a.period, b.period)))
            })
        };
        let (usual_gap_days, weight) = credibility(customers)?;
        Ok(Self {
            usual_gap_days,
            weight,
            multiples,
        })
    }

    /// A customer's usual gap in days.
    pub fn usual_days(&self, timeline: &Timeline) -> f64 {
        self.shrunk(timeline.span_days(), timeline.purchases() - 1)
    }

    /// The usual gap in days as it was known before the last purchase; the population's with fewer than
    /// three purchases.
    pub(super) fn usual_days_before_last(&self, timeline: &Timeline) -> f64 {
        let span = timeline.span_days() - timeline.last_gap_days().unwrap_or(0.0);
        self.shrunk(span, timeline.purchases().saturating_sub(2))
    }

    fn shrunk(&self, span_days: f64, gaps: u32) -> f64 {
        let Self {
            usual_gap_days,
            weight,
            ..
        } = self;
        ((weight * usual_gap_days + span_days) / (weight + f64::from(gaps))).max(1.0)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Self {
            usual_gap_days: gap,
            weight,
            multiples,
        } = *self;
        let gap_fits = gap > 0.0 && gap <= GAP_MAX_DAYS;
        check_all(&[
            ("usual_gap_days", gap, gap_fits, "above 0 and at most 10^6"),
            (
                "weight",
                weight,
                weight > 0.0 && weight <= WEIGHT_MAX,
                "above 0 and at most 10^6",
            ),
        ])?;
        multiples.check()
    }
}

fn check_all(settings: &[(&'static str, f64, bool, &'static str)]) -> Result<(), ConfigError> {
    match settings.iter().find(|(_, _, fits, _)| !fits) {
        None => Ok(()),
        Some(&(setting, value, _, expected)) => {
            let value = value.to_string();
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        }
    }
}

/// What one customer's gaps say: how many, their mean, and the sum of squares around it.
struct Own {
    gaps: f64,
    mean: f64,
    squares: f64,
}

impl Own {
    fn of(gaps: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let (count, sum) = gaps
            .clone()
            .fold((0.0, 0.0), |(n, s), gap| (n + 1.0, s + gap));
        let mean = sum / count;
        let squares = gaps.map(|gap| (gap - mean).powi(2)).sum();
        (count > 0.0).then_some(Self {
            gaps: count,
            mean,
            squares,
        })
    }
}

/// g and k of Bühlmann and Straub.
fn credibility<I: Iterator<Item = Own>>(customers: impl Fn() -> I) -> Result<(f64, f64), FitError> {
    let (mut count, mut regulars) = (0_usize, 0_usize);
    let (mut all, mut all_squared, mut sum, mut within) = (0.0, 0.0, 0.0, 0.0);
    for own in customers() {
        count += 1;
        regulars += usize::from(own.gaps > 1.0);
        all += own.gaps;
        all_squared += own.gaps * own.gaps;
        sum += own.gaps * own.mean;
        within += own.squares;
    }
    if count < 2 {
        let what = "customers who bought twice";
        return Err(FitError::TooFew {
            what,
            have: count,
            need: 2,
        });
    }
    if regulars < 1 {
        let what = "customers who bought three times";
        return Err(FitError::TooFew {
            what,
            have: regulars,
            need: 1,
        });
    }
    let people = count as f64;
    let grand_mean = sum / all;
    let within = within / (all - people);
    let between: f64 = customers()
        .map(|own| own.gaps * (own.mean - grand_mean).powi(2))
        .sum();
    let between = (between - (people - 1.0) * within) / (all - all_squared / all);
    let weight = if between > 0.0 {
        (within / between).clamp(WEIGHT_MIN, WEIGHT_MAX)
    } else {
        WEIGHT_MAX
    };
    let (mut total, mut trust) = (0.0, 0.0);
    for own in customers() {
        let credibility = own.gaps / (own.gaps + weight);
        total += credibility * own.mean;
        trust += credibility;
    }
    // Gaps of a second at the grain of instants must leave a gap that can be multiplied.
    Ok(((total / trust).clamp(1.0, GAP_MAX_DAYS), weight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    fn fitted(gaps: &[&[f64]]) -> Result<(f64, f64), FitError> {
        credibility(|| gaps.iter().filter_map(|gaps| Own::of(gaps.iter().copied())))
    }

    /// The data of Hachemeister (1975) without weights. R's package actuar prints 1671, 72310 and 46040 for
    /// mean, variance between and variance within; the digits are from NumPy, with `var(ddof=1)`.
    #[test]
    fn credibility_agrees_with_the_classic_example() {
        let (mean, weight) = fitted(&[
            &[
                1738., 1642., 1794., 2051., 2079., 2234., 2032., 2035., 2115., 2262., 2267., 2517.,
            ],
            &[
                1364., 1408., 1597., 1444., 1342., 1675., 1470., 1448., 1464., 1831., 1612., 1471.,
            ],
            &[
                1759., 1685., 1479., 1763., 1674., 2103., 1502., 1622., 1828., 2155., 2233., 2059.,
            ],
            &[
                1223., 1146., 1010., 1257., 1426., 1532., 1953., 1123., 1343., 1243., 1762., 1306.,
            ],
            &[
                1456., 1499., 1609., 1741., 1482., 1572., 1606., 1735., 1607., 1573., 1613., 1690.,
            ],
        ])
        .unwrap();
        assert_relative_eq!(mean, 1671.0166666666669, max_relative = 1e-12);
        assert_relative_eq!(
            weight,
            46040.47121212121 / 72310.02462121216,
            max_relative = 1e-10
        );
    }

    /// From NumPy, with the estimators of Bühlmann and Straub written out.
    #[test]
    fn credibility_weighs_customers_with_unequal_gaps() {
        let gaps: [&[f64]; 4] = [&[10., 14., 9.], &[30.], &[5., 6., 5., 7., 5.], &[40., 20.]];
        let (usual_gap_days, weight) = fitted(&gaps).unwrap();
        assert_relative_eq!(usual_gap_days, 18.62374039072305, max_relative = 1e-12);
        assert_relative_eq!(weight, 0.2194750462107209, max_relative = 1e-12);
        let rhythm = Rhythm {
            usual_gap_days,
            weight,
            multiples: Multiples::default(),
        };
        let three_gaps = Timeline::from_days(&[0, 10, 24, 33], 40).unwrap();
        assert_relative_eq!(
            rhythm.usual_days(&three_gaps),
            11.519718510171973,
            max_relative = 1e-12
        );
    }

    #[test]
    fn customers_who_do_not_differ_have_the_usual_gap_of_all() {
        let (gap, weight) = fitted(&[&[10., 30.], &[30., 10.], &[20., 20.]]).unwrap();
        assert_relative_eq!(gap, 20.0, max_relative = 1e-12);
        assert_eq!(weight, WEIGHT_MAX);
        let (_, weight) = fitted(&[&[10., 10.], &[30., 30.]]).unwrap();
        assert_eq!(weight, WEIGHT_MIN);
        assert_eq!(fitted(&[&[1e-5, 2e-5], &[1e-5]]).unwrap().0, 1.0);
    }

    #[test]
    fn too_little_is_said_to_be_too_little() {
        let message = |gaps: &[&[f64]]| fitted(gaps).unwrap_err().to_string();
        assert_eq!(
            message(&[]),
            "0 customers who bought twice, but at least 2 are needed"
        );
        assert_eq!(
            message(&[&[3.], &[4.]]),
            "0 customers who bought three times, but at least 1 are needed"
        );
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let rhythm = Rhythm {
            usual_gap_days: 30.0,
            weight: 1.0,
            multiples: Multiples::default(),
        };
        assert!(rhythm.check().is_ok());
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                Rhythm {
                    usual_gap_days: bad,
                    ..rhythm
                }
                .check()
                .is_err()
            );
            assert!(
                Rhythm {
                    weight: bad,
                    ..rhythm
                }
                .check()
                .is_err()
            );
            let multiples = |at_risk, dormant, lost| {
                Multiples {
                    at_risk,
                    dormant,
                    lost,
                }
                .check()
            };
            assert!(multiples(bad, 3.0, 5.0).is_err());
            assert!(multiples(2.0, bad, 5.0).is_err());
            assert!(multiples(2.0, 3.0, bad).is_err());
        }
    }
}
