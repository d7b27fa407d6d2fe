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
/// use tenure::segment::{Binning, Rfm, RfmColumns, RfmConfig, RfmFeatures, RfmValues};
///
/// let features = RfmFeatures::from_columns(RfmColumns {
///     recency_days: vec![2, 10, 40, 90, 300],
///     frequency: vec![9, 4, 2, 2, 1],
///     monetary_minor: vec![800_00, 90_00, 120_00, 30_00, 10_00],
///     ..RfmColumns::default()
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
