//! Recency, frequency, monetary value: three scores for each customer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::binning::{Binning, Thresholds, check_binning};
use super::features::{RfmFeatures, RfmValues};
use super::{SegmentId, Segmenter};
use crate::error::{ConfigError, Error, FitError};
use crate::event::Decimals;

/// The most bins a column can be cut into.
pub const BINS_MAX: u8 = 99;

/// How the three columns are cut: the settings of [`Rfm::fit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RfmConfig {
    /// Bins of each column, from 2 to 99; 5 (quintiles) as a rule.
    pub bins: u8,
    /// How recency in days is cut. Cuts are in days; the lowest days get the highest score.
    pub recency: Binning,
    /// How frequency is cut.
    pub frequency: Binning,
    /// How monetary value in minor units is cut.
    pub monetary: Binning,
}

impl RfmConfig {
    /// Five bins, all three columns cut alike.
    pub fn quintiles(binning: Binning) -> Self {
        Self {
            bins: 5,
            recency: binning.clone(),
            frequency: binning.clone(),
            monetary: binning,
        }
    }

    /// As R's package rfm does with a table whose money is in major units (dollars), where ours is
    /// in minor units of so many `decimals`. For whole amounts that is [`Decimals::ZERO`].
    pub fn r_compatible(bins: u8, decimals: Decimals) -> Self {
        let one = |one| Binning::RCompatible { one };
        Self {
            bins,
            recency: one(1),
            frequency: one(1),
            monetary: one(decimals.minor_per_major()),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_bins(self.bins)?;
        check_binning(&self.recency, "recency", self.bins)?;
        check_binning(&self.frequency, "frequency", self.bins)?;
        check_binning(&self.monetary, "monetary", self.bins)
    }
}

fn check_bins(bins: u8) -> Result<(), ConfigError> {
    if (2..=BINS_MAX).contains(&bins) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        setting: "bins",
        value: bins.to_string(),
        expected: "from 2 to 99",
    })
}

/// Three scores from 1 (worst) to the number of bins (best).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RfmScore {
    /// High for a recent last purchase.
    pub recency: u8,
    /// High for many purchases.
    pub frequency: u8,
    /// High for much money.
    pub monetary: u8,
}

/// Fitted RFM: the thresholds, with which any customer can be scored, also one who was not there.
///
/// ```
/// use tenure::segment::{Binning, Rfm, RfmFeatureColumns, RfmConfig, RfmFeatures, RfmValues};
///
/// let features = RfmFeatures::from_columns(RfmFeatureColumns {
///     recency_days: vec![2, 10, 40, 90, 300],
///     frequency: vec![9, 4, 2, 2, 1],
///     monetary_minor: vec![800_00, 90_00, 120_00, 30_00, 10_00],
///     ..RfmFeatureColumns::default()
/// })?;
/// let rfm = Rfm::fit(&features, &RfmConfig::quintiles(Binning::Quantile))?;
/// let codes: Vec<u32> = rfm.scores(&features).into_iter().map(|s| rfm.code(s)).collect();
/// assert_eq!(codes, [555, 443, 324, 222, 111]);
///
/// let new = RfmValues { customer: 5, recency_days: 0, frequency: 1, monetary_minor: 20_00 };
/// assert_eq!(rfm.code(rfm.score(&new)), 511);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Rfm {
    bins: u8,
    recency: Thresholds,
    frequency: Thresholds,
    monetary: Thresholds,
}

impl Rfm {
    /// Finds the thresholds of `features`, whose recency counts to the analysis date.
    ///
    /// Costs a few passes over each column; nothing is sorted.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for bins outside 2–99 and for cuts that do not ascend or are not one
    /// fewer than bins; [`FitError::TooFew`] without a customer.
    pub fn fit(features: &RfmFeatures, config: &RfmConfig) -> Result<Self, Error> {
        config.check()?;
        let empty = || FitError::TooFew {
            what: "customers",
            have: 0,
            need: 1,
        };
        let bins = config.bins;
        let who = || features.customer().iter().copied();
        let days = features.recency_days().iter().map(|&days| i64::from(days));
        let counts = features.frequency().iter().map(|&count| i64::from(count));
        let sums = features.monetary_minor().iter().copied();
        Ok(Self {
            bins,
            recency: Thresholds::fit(&config.recency, bins, days.zip(who())).ok_or_else(empty)?,
            frequency: Thresholds::fit(&config.frequency, bins, counts.zip(who()))
                .ok_or_else(empty)?,
            monetary: Thresholds::fit(&config.monetary, bins, sums.zip(who())).ok_or_else(empty)?,
        })
    }

    /// The number of bins of each column.
    pub fn bins(&self) -> u8 {
        self.bins
    }

    /// Where recency in days is cut. Its bin 1 (the lowest days) has the highest score.
    pub fn recency(&self) -> &Thresholds {
        &self.recency
    }

    /// Where frequency is cut; bins are scores.
    pub fn frequency(&self) -> &Thresholds {
        &self.frequency
    }

    /// Where monetary value in minor units is cut; bins are scores.
    pub fn monetary(&self) -> &Thresholds {
        &self.monetary
    }

    /// The scores of one customer.
    pub fn score(&self, values: &RfmValues) -> RfmScore {
        let who = values.customer;
        RfmScore {
            recency: self.bins + 1 - self.recency.bin(values.recency_days.into(), who),
            frequency: self.frequency.bin(values.frequency.into(), who),
            monetary: self.monetary.bin(values.monetary_minor, who),
        }
    }

    /// The scores of every row.
    pub fn scores(&self, features: &RfmFeatures) -> Vec<RfmScore> {
        let recency = self.recency.binner();
        let frequency = self.frequency.binner();
        let monetary = self.monetary.binner();
        let rows = features.iter();
        rows.map(|values| RfmScore {
            recency: self.bins + 1 - recency.bin(values.recency_days.into(), values.customer),
            frequency: frequency.bin(values.frequency.into(), values.customer),
            monetary: monetary.bin(values.monetary_minor, values.customer),
        })
        .collect()
    }

    /// The three scores as one number: 100 R + 10 F + M, `543` for instance.
    ///
    /// With more than 9 bins a score takes two digits: 10,000 R + 100 F + M.
    pub fn code(&self, score: RfmScore) -> u32 {
        let base = if self.bins <= 9 { 10 } else { 100 };
        let [r, f, m] = [score.recency, score.frequency, score.monetary].map(u32::from);
        (r * base + f) * base + m
    }
}

/// The grid of RFM: every combination of scores is a segment, named by its [`code`](Rfm::code).
///
/// Identifiers ascend with the code, from 0 for `111`.
impl Segmenter for Rfm {
    type Features = RfmValues;

    fn assign(&self, features: &RfmValues) -> SegmentId {
        let score = self.score(features);
        let bins = u32::from(self.bins);
        let [r, f, m] = [score.recency, score.frequency, score.monetary].map(u32::from);
        SegmentId(((r - 1) * bins + (f - 1)) * bins + (m - 1))
    }

    fn names(&self) -> Vec<Cow<'_, str>> {
        let all = || 1..=self.bins;
        let scores = all().flat_map(move |recency| {
            all().flat_map(move |frequency| {
                all().map(move |monetary| RfmScore {
                    recency,
                    frequency,
                    monetary,
                })
            })
        });
        scores
            .map(|score| self.code(score).to_string().into())
            .collect()
    }

    fn explain(&self, features: &RfmValues) -> String {
        let score = self.score(features);
        let RfmValues {
            recency_days,
            frequency,
            monetary_minor,
            ..
        } = features;
        format!(
            "{}: recency {} ({recency_days} days, in {}), frequency {} ({frequency} purchases, in {}), \
             monetary {} ({monetary_minor} minor units, in {})",
            self.code(score),
            score.recency,
            self.recency.describe(self.bins + 1 - score.recency),
            score.frequency,
            self.frequency.describe(score.frequency),
            score.monetary,
            self.monetary.describe(score.monetary),
        )
    }
}

/// The saved form, with its version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    bins: u8,
    recency: Thresholds,
    frequency: Thresholds,
    monetary: Thresholds,
}

const VERSION: u32 = 1;

impl From<Rfm> for Saved {
    fn from(rfm: Rfm) -> Self {
        let Rfm {
            bins,
            recency,
            frequency,
            monetary,
        } = rfm;
        Self {
            version: VERSION,
            bins,
            recency,
            frequency,
            monetary,
        }
    }
}

impl TryFrom<Saved> for Rfm {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        let Saved {
            version,
            bins,
            recency,
            frequency,
            monetary,
        } = saved;
        if version != VERSION {
            return Err(ConfigError::OutOfRange {
                setting: "version",
                value: version.to_string(),
                expected: "1, the only version of this format so far",
            });
        }
        check_bins(bins)?;
        recency.check("recency", bins)?;
        frequency.check("frequency", bins)?;
        monetary.check("monetary", bins)?;
        Ok(Self {
            bins,
            recency,
            frequency,
            monetary,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::RfmFeatureColumns;
    use proptest::prelude::*;

    fn table(rows: &[(i32, u32, i64)]) -> RfmFeatures {
        RfmFeatures::from_columns(RfmFeatureColumns {
            recency_days: rows.iter().map(|row| row.0).collect(),
            frequency: rows.iter().map(|row| row.1).collect(),
            monetary_minor: rows.iter().map(|row| row.2).collect(),
            ..RfmFeatureColumns::default()
        })
        .unwrap()
    }

    fn monetary_bins(values: &[i64], bins: u8, binning: Binning) -> (Vec<u8>, Vec<f64>) {
        let rows: Vec<_> = values.iter().map(|&value| (0, 1, value)).collect();
        let config = RfmConfig {
            bins,
            ..RfmConfig::quintiles(binning)
        };
        let rfm = Rfm::fit(&table(&rows), &config).unwrap();
        let scores = rfm.scores(&table(&rows));
        (
            scores.iter().map(|s| s.monetary).collect(),
            rfm.monetary().edges(),
        )
    }

    /// Expected bins from NumPy 2: `searchsorted(quantile(x, p) + one, x, "right") + 1`,
    /// `searchsorted(quantile(x, p), x, "left") + 1` and `rank · bins // n + 1` of a stable sort.
    #[test]
    fn the_three_binnings_cut_as_numpy_does() {
        let spread = [250, 1000, 990, 431, 5, 77, 640, 641, 642, 810];
        let r = |one| Binning::RCompatible { one };
        let (bins, edges) = monetary_bins(&spread, 4, r(1));
        assert_eq!(bins, [1, 4, 4, 2, 1, 1, 2, 2, 3, 4]);
        assert_eq!(edges, [5.0, 296.25, 641.5, 769.0, 1001.0]);
        let (bins, edges) = monetary_bins(&spread, 4, r(100));
        assert_eq!(bins, [1, 4, 4, 2, 1, 1, 2, 2, 2, 3]);
        assert_eq!(edges, [5.0, 395.25, 740.5, 868.0, 1100.0]);
        let (bins, edges) = monetary_bins(&spread, 4, Binning::Quantile);
        assert_eq!(bins, [1, 4, 4, 2, 1, 1, 2, 3, 3, 4]);
        assert_eq!(edges, [5.0, 295.25, 640.5, 768.0, 1000.0]);
        let (bins, edges) = monetary_bins(&spread, 4, Binning::EqualCount);
        assert_eq!(bins, [1, 4, 4, 2, 1, 1, 2, 3, 3, 3]);
        assert_eq!(edges, [5.0, 250.0, 640.0, 810.0, 1000.0]);

        let tied = [5, 1, 9, 3, 3, 7, 100, 2, 3, 8, 12];
        assert_eq!(
            monetary_bins(&tied, 5, r(1)).0,
            [3, 1, 4, 1, 1, 3, 5, 1, 1, 4, 5]
        );
        assert_eq!(
            monetary_bins(&tied, 5, Binning::Quantile).0,
            [3, 1, 4, 1, 1, 3, 5, 1, 1, 4, 5]
        );
        assert_eq!(
            monetary_bins(&tied, 5, Binning::EqualCount).0,
            [3, 1, 4, 1, 2, 3, 5, 1, 2, 4, 5]
        );

        let gaps = [1, 2, 3, 4, 10, 11, 12, 20];
        assert_eq!(monetary_bins(&gaps, 5, r(1)).0, [1, 1, 1, 2, 3, 3, 4, 5]);
        assert_eq!(
            monetary_bins(&gaps, 5, Binning::Quantile).0,
            [1, 1, 2, 3, 3, 4, 5, 5]
        );
        assert_eq!(
            monetary_bins(&gaps, 5, Binning::EqualCount).0,
            [1, 1, 2, 2, 3, 4, 4, 5]
        );
    }

    #[test]
    fn given_cuts_begin_the_bins_above_them() {
        let (bins, edges) = monetary_bins(&[4, 5, 9, 10, 11], 3, Binning::Cuts(vec![5, 10]));
        assert_eq!(bins, [1, 2, 2, 3, 3]);
        assert_eq!(edges, [4.0, 5.0, 10.0, 12.0]);
    }

    #[test]
    fn settings_that_contradict_are_named() {
        let rows = table(&[(1, 1, 1)]);
        let message = |config: RfmConfig| Rfm::fit(&rows, &config).unwrap_err().to_string();
        let with = |monetary| RfmConfig {
            monetary,
            ..RfmConfig::quintiles(Binning::Quantile)
        };
        assert_eq!(
            message(with(Binning::Cuts(vec![1, 2]))),
            "the setting `monetary` is 2 cuts; it must be one cut fewer than bins"
        );
        assert!(message(with(Binning::Cuts(vec![1, 2, 2, 3]))).contains("[1, 2, 2, 3]"));
        assert!(message(with(Binning::Cuts(vec![i64::MIN, 2, 3, 4]))).contains("smallest integer"));
        assert!(message(with(Binning::RCompatible { one: 0 })).contains("one: 0"));
        for bins in [0, 1, 100] {
            let config = RfmConfig {
                bins,
                ..RfmConfig::quintiles(Binning::Quantile)
            };
            assert!(message(config).contains("from 2 to 99"));
        }
        let none = Rfm::fit(&table(&[]), &RfmConfig::quintiles(Binning::Quantile));
        assert_eq!(
            none.unwrap_err().to_string(),
            "0 customers, but at least 1 are needed"
        );
    }

    #[test]
    fn the_grid_names_its_cells_and_gives_its_reasons() {
        let rows = table(&[
            (2, 9, 80_000),
            (10, 4, 9_000),
            (40, 2, 12_000),
            (90, 2, 3_000),
            (300, 1, 1_000),
        ]);
        let rfm = Rfm::fit(&rows, &RfmConfig::quintiles(Binning::Quantile)).unwrap();
        let names = rfm.names();
        assert_eq!(
            (names.len(), names[0].as_ref(), names[124].as_ref()),
            (125, "111", "555")
        );
        for values in rows.iter() {
            let code = rfm.code(rfm.score(&values)).to_string();
            assert_eq!(names[rfm.assign(&values).index()], code);
        }
        assert_eq!(
            rfm.explain(&rows.get(1).unwrap()),
            "443: recency 4 (10 days, in 9 to 28), frequency 4 (4 purchases, in 3 to 5), \
             monetary 3 (9000 minor units, in 6601 to 10200)"
        );
        let wide = RfmConfig {
            bins: 10,
            ..RfmConfig::quintiles(Binning::EqualCount)
        };
        let rfm = Rfm::fit(&rows, &wide).unwrap();
        let score = RfmScore {
            recency: 10,
            frequency: 1,
            monetary: 7,
        };
        assert_eq!(rfm.code(score), 100_107);
    }

    #[test]
    fn saved_and_loaded_is_the_same_and_loading_checks() {
        let rows = table(&[
            (2, 9, 800),
            (10, 4, 95),
            (40, 2, 120),
            (90, 2, 31),
            (300, 1, 10),
        ]);
        for binning in binnings() {
            let rfm = Rfm::fit(&rows, &RfmConfig::quintiles(binning)).unwrap();
            let json = serde_json::to_string(&rfm).unwrap();
            assert_eq!(serde_json::from_str::<Rfm>(&json).unwrap(), rfm);
            let damaged = json.replace("\"bins\":5", "\"bins\":6");
            assert!(serde_json::from_str::<Rfm>(&damaged).is_err());
            let newer = json.replace("\"version\":1", "\"version\":9");
            assert!(serde_json::from_str::<Rfm>(&newer).is_err());
        }
    }

    fn binnings() -> [Binning; 4] {
        [
            Binning::RCompatible { one: 1 },
            Binning::Quantile,
            Binning::EqualCount,
            Binning::Cuts(vec![2, 10, 100, 1_000]),
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<(i32, u32, i64)>> {
        let days = prop_oneof![0..30_i32, 0..=i32::MAX];
        let count = prop_oneof![1..6_u32, 1..=u32::MAX];
        let sum = prop_oneof![-50..50_i64, 0..100_000_i64, any::<i64>(), Just(i64::MAX)];
        proptest::collection::vec((days, count, sum), 1..60)
    }

    proptest! {
        #[test]
        fn a_better_value_never_scores_lower(rows in rows(), bins in 2_u8..=12) {
            for binning in &binnings()[..3] {
                let config = RfmConfig { bins, ..RfmConfig::quintiles(binning.clone()) };
                let features = table(&rows);
                let rfm = Rfm::fit(&features, &config).unwrap();
                let scores = rfm.scores(&features);
                prop_assert_eq!(scores.len(), rows.len());
                let ties_share = *binning != Binning::EqualCount;
                for (a, s) in rows.iter().zip(&scores) {
                    for score in [s.recency, s.frequency, s.monetary] {
                        prop_assert!((1..=bins).contains(&score));
                    }
                    for (b, t) in rows.iter().zip(&scores) {
                        prop_assert!(a.0 >= b.0 || s.recency >= t.recency);
                        prop_assert!(a.1 <= b.1 || s.frequency >= t.frequency);
                        prop_assert!(a.2 <= b.2 || s.monetary >= t.monetary);
                        prop_assert!(!ties_share || a.2 != b.2 || s.monetary == t.monetary);
                    }
                }
            }
        }

        #[test]
        fn equal_counts_differ_by_at_most_one(rows in rows(), bins in 2_u8..=12) {
            let config = RfmConfig { bins, ..RfmConfig::quintiles(Binning::EqualCount) };
            let features = table(&rows);
            let scores = Rfm::fit(&features, &config).unwrap().scores(&features);
            let columns: [fn(&RfmScore) -> u8; 3] = [|s| s.recency, |s| s.frequency, |s| s.monetary];
            for column in columns {
                let size = |bin| scores.iter().filter(|&s| column(s) == bin).count();
                let sizes: Vec<usize> = (1..=bins).map(size).collect();
                prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            }
        }

        #[test]
        fn the_order_of_the_rows_does_not_matter(rows in rows(), turn in 0_usize..60) {
            let shuffled = |mut order: Vec<usize>| {
                order.rotate_left(turn % rows.len());
                order.reverse();
                order
            };
            let order = shuffled((0..rows.len()).collect());
            let columns = RfmFeatureColumns {
                customer: order.iter().map(|&i| i as u32).collect(),
                recency_days: order.iter().map(|&i| rows[i].0).collect(),
                frequency: order.iter().map(|&i| rows[i].1).collect(),
                monetary_minor: order.iter().map(|&i| rows[i].2).collect(),
            };
            let other = RfmFeatures::from_columns(columns).unwrap();
            for binning in binnings() {
                let config = RfmConfig::quintiles(binning);
                let rfm = Rfm::fit(&table(&rows), &config).unwrap();
                prop_assert_eq!(&Rfm::fit(&other, &config).unwrap(), &rfm);
                let scores = rfm.scores(&table(&rows));
                let expected: Vec<RfmScore> = order.iter().map(|&i| scores[i]).collect();
                prop_assert_eq!(rfm.scores(&other), expected);
            }
        }

        #[test]
        fn one_at_a_time_scores_as_all_at_once(rows in rows()) {
            for binning in binnings() {
                let features = table(&rows);
                let rfm = Rfm::fit(&features, &RfmConfig::quintiles(binning)).unwrap();
                let single: Vec<RfmScore> = features.iter().map(|v| rfm.score(&v)).collect();
                prop_assert_eq!(rfm.scores(&features), single);
            }
        }
    }

    #[test]
    fn extremes_have_scores_too() {
        for binning in binnings() {
            let config = RfmConfig::quintiles(binning);
            for rows in [
                vec![(0, 1, i64::MIN)],
                vec![(i32::MAX, u32::MAX, i64::MAX); 7],
                vec![(0, 1, i64::MIN), (i32::MAX, u32::MAX, i64::MAX)],
            ] {
                let features = table(&rows);
                let rfm = Rfm::fit(&features, &config).unwrap();
                for score in rfm.scores(&features) {
                    assert!((1..=5).contains(&score.monetary));
                }
                assert!(rfm.monetary().edges().iter().all(|edge| edge.is_finite()));
            }
        }
    }
}
