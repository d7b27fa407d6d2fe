//! How a column of whole numbers is cut into bins.

use serde::{Deserialize, Serialize};

use super::selection::{Ranked, at_ranks, range};
use crate::error::ConfigError;

/// Where a column is cut into bins. Whatever the rule, a larger value never gets a lower bin.
///
/// The three automatic binnings answer "what is high *here*" from the data; [`Binning::Cuts`] holds
/// your own answer, which does not move when the data do.
///
/// | binning | equal values | bin sizes | take it |
/// |---|---|---|---|
/// | [`Quantile`](Binning::Quantile) | share a bin | as equal as ties allow | as a rule |
/// | [`RCompatible`](Binning::RCompatible) | share a bin | as above, the lower bins a little larger | to reproduce a table made in R |
/// | [`EqualCount`](Binning::EqualCount) | may be parted | differ by at most one | where the share of each bin is promised, as in a test with quotas |
/// | [`Cuts`](Binning::Cuts) | share a bin | whatever comes | where a bin has a business meaning ("bought within 90 days"), or to compare dates |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// As `rfm_table_order` and `rfm_table_customer` of R's package rfm cut: at the type-7 quantile
    /// plus 1, and a value equal to that goes up.
    ///
    /// With integers, that sends values equal to the quantile down, like [`Binning::Quantile`]; where the
    /// quantile is a fraction, the next higher integer goes down too. Where two cuts coincide, the bin
    /// between them stays empty.
    ///
    /// The quantile is computed exactly. R's own, in floating point, can be off by its last bit, which
    /// decides where a value lies exactly on a cut.
    RCompatible {
        /// What R's user would have called 1, in the unit of our column: 1 for days and for purchases; for money
        /// in cents 100 if the table in R was in dollars. At least 1.
        one: i64,
    },
    /// At the type-7 quantiles (Hyndman & Fan 1996; the default of R, NumPy and pandas): what is
    /// above the quantile goes up, as in `pandas.qcut`.
    Quantile,
    /// By rank: of n values, the one of rank k (from 0) gets bin ⌊k·bins/n⌋ + 1. Equal values rank in the order
    /// of their customers' numbers, the lowest first.
    EqualCount,
    /// At these values, in ascending order, one fewer than bins: bin 2 begins with the first of them,
    /// bin 3 with the second, and so on.
    Cuts(Vec<i64>),
}

/// Where the bins of one column begin and end: what a [`Binning`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    binning: Binning,
    min: i64,
    max: i64,
    cuts: Vec<Cut>,
}

/// A cut between two bins, exact: `whole + part / bins`, and for ties the last customer below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cut {
    whole: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    part: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer: Option<u32>,
}

fn is_zero(part: &u8) -> bool {
    *part == 0
}

impl Thresholds {
    /// Cuts a column. `rows` are its values with the customers' numbers, at least one; the settings
    /// are checked before.
    pub(super) fn fit<I>(binning: &Binning, bins: u8, rows: I) -> Option<Self>
    where
        I: ExactSizeIterator<Item = (i64, u32)> + Clone,
    {
        let values = rows.clone().map(|(value, _)| value);
        let (min, max) = range(values.clone())?;
        let cuts = match binning {
            Binning::RCompatible { .. } | Binning::Quantile => quantiles(values, bins),
            Binning::EqualCount => last_of_equal_counts(rows, bins),
            Binning::Cuts(cuts) => cuts
                .iter()
                .map(|&whole| Cut {
                    whole,
                    part: 0,
                    customer: None,
                })
                .collect(),
        };
        Some(Self {
            binning: binning.clone(),
            min,
            max,
            cuts,
        })
    }

    /// The rule that made the cuts.
    pub fn binning(&self) -> &Binning {
        &self.binning
    }

    /// The number of bins.
    pub fn bins(&self) -> u8 {
        self.cuts.len() as u8 + 1
    }

    /// The smallest and the largest value that the cuts were fitted on.
    pub fn range(&self) -> (i64, i64) {
        (self.min, self.max)
    }

    /// The edges of the bins, one more than bins, in the unit of the column: bin i lies between the
    /// edges i − 1 and i.
    ///
    /// The first is the smallest value of the data. For [`Binning::RCompatible`] and [`Binning::Cuts`] an edge
    /// belongs to the bin above it and the last edge is the largest value plus 1 (`one`); for the others an edge
    /// belongs to the bin below it and the last is the largest value.
    pub fn edges(&self) -> Vec<f64> {
        let shift = match self.binning {
            Binning::RCompatible { one } => one,
            _ => 0,
        };
        let last = match self.binning {
            Binning::RCompatible { one } => self.max as f64 + one as f64,
            Binning::Cuts(_) => self.max as f64 + 1.0,
            _ => self.max as f64,
        };
        let bins = f64::from(self.bins());
        let inner = self.cuts.iter().map(|cut| {
            let whole = i128::from(cut.whole) + i128::from(shift);
            whole as f64 + f64::from(cut.part) / bins
        });
        let first = self.min as f64;
        std::iter::once(first)
            .chain(inner)
            .chain(std::iter::once(last))
            .collect()
    }

    /// The bin of a value, from 1 to [`bins`](Self::bins). The customer's number settles ties under
    /// [`Binning::EqualCount`] and does nothing under the others.
    pub fn bin(&self, value: i64, customer: u32) -> u8 {
        self.binner().bin(value, customer)
    }

    /// The bins of a bin's whole numbers in words: `at most 114`, `115 to 180`, `482 or more`; `no value` for
    /// a bin that two equal cuts leave empty or for a number that is no bin.
    pub fn describe(&self, bin: u8) -> String {
        let top = |bin: u8| {
            let index = usize::from(bin).checked_sub(1)?;
            self.cuts.get(index).map(|cut| self.last_below(cut))
        };
        if bin == 0 || bin > self.bins() {
            return "no value".to_owned();
        }
        let shared = i64::from(matches!(self.binning, Binning::EqualCount));
        let lowest = top(bin - 1).map(|last| last.saturating_add(1 - shared));
        match (lowest, top(bin)) {
            (None, None) => "any value".to_owned(),
            (None, Some(last)) => format!("at most {last}"),
            (Some(first), None) => format!("{first} or more"),
            (Some(first), Some(last)) if first > last => "no value".to_owned(),
            (Some(first), Some(last)) if first == last => first.to_string(),
            (Some(first), Some(last)) => format!("{first} to {last}"),
        }
    }

    /// The cuts in the form in which values are compared with them.
    pub(super) fn binner(&self) -> Binner {
        let last: Vec<i64> = self.cuts.iter().map(|cut| self.last_below(cut)).collect();
        let ties = self.cuts.iter().map(|cut| cut.customer.unwrap_or(u32::MAX));
        let ties: Vec<u32> = ties.collect();
        let mut binner = Binner {
            tied: matches!(self.binning, Binning::EqualCount),
            last: [i64::MAX; FIRST],
            ties: [u32::MAX; FIRST],
            more: last
                .iter()
                .copied()
                .zip(ties.iter().copied())
                .skip(FIRST)
                .collect(),
        };
        binner
            .last
            .iter_mut()
            .zip(last)
            .for_each(|(place, last)| *place = last);
        binner
            .ties
            .iter_mut()
            .zip(ties)
            .for_each(|(place, tie)| *place = tie);
        binner
    }

    /// The largest integer below a cut, where a bin ends. Saturation is right: nothing lies above
    /// `i64::MAX`.
    fn last_below(&self, cut: &Cut) -> i64 {
        match self.binning {
            Binning::RCompatible { one } => {
                let whole = cut.whole.saturating_add(one - 1);
                whole.saturating_add(i64::from(cut.part > 0))
            }
            Binning::Quantile | Binning::EqualCount => cut.whole,
            Binning::Cuts(_) => cut.whole.saturating_sub(1),
        }
    }

    /// Checks what was loaded: the cuts are as many as asked for and ascend.
    pub(super) fn check(&self, column: &'static str, bins: u8) -> Result<(), ConfigError> {
        check_binning(&self.binning, column, bins)?;
        let bad = |value: String, expected| ConfigError::OutOfRange {
            setting: column,
            value,
            expected,
        };
        if self.cuts.len() + 1 != usize::from(bins) {
            return Err(bad(
                format!("{} cuts", self.cuts.len()),
                "one cut fewer than bins",
            ));
        }
        let key = |cut: &Cut| (cut.whole, cut.part, cut.customer);
        let tied = matches!(self.binning, Binning::EqualCount);
        let sound = self
            .cuts
            .iter()
            .all(|cut| cut.part < bins && cut.customer.is_some() == tied);
        if !(self.cuts.is_sorted_by_key(key) && sound && self.min <= self.max) {
            return Err(bad(
                format!("{:?}", self.cuts),
                "ascending cuts of that binning",
            ));
        }
        if let Binning::Cuts(cuts) = &self.binning
            && !cuts.iter().eq(self.cuts.iter().map(|cut| &cut.whole))
        {
            return Err(bad(
                format!("{:?}", self.cuts),
                "the cuts that the binning gives",
            ));
        }
        Ok(())
    }
}

/// Compares values with cuts, without branches: the bin is 1 plus the number of cuts below a value.
///
/// The first cuts have a fixed number of places, so that the comparison unrolls; places that are not
/// needed hold the largest value, above which nothing lies.
#[derive(Debug, Clone)]
pub(super) struct Binner {
    tied: bool,
    last: [i64; FIRST],
    ties: [u32; FIRST],
    more: Vec<(i64, u32)>,
}

const FIRST: usize = 8;

impl Binner {
    #[inline]
    pub(super) fn bin(&self, value: i64, customer: u32) -> u8 {
        let above =
            |last: i64, tie: u32| u8::from((value > last) | ((value == last) & (customer > tie)));
        let first = if self.tied {
            let pairs = self.last.iter().zip(&self.ties);
            pairs.fold(1, |bin, (&last, &tie)| bin + above(last, tie))
        } else {
            self.last
                .iter()
                .fold(1, |bin, &last| bin + u8::from(value > last))
        };
        self.more
            .iter()
            .fold(first, |bin, &(last, tie)| bin + above(last, tie))
    }
}

/// Checks the settings of one column.
pub(super) fn check_binning(
    binning: &Binning,
    column: &'static str,
    bins: u8,
) -> Result<(), ConfigError> {
    let bad = |value: String, expected| {
        Err(ConfigError::OutOfRange {
            setting: column,
            value,
            expected,
        })
    };
    match binning {
        Binning::RCompatible { one } if *one < 1 => {
            bad(format!("one: {one}"), "at least 1 unit of the column")
        }
        Binning::Cuts(cuts) if cuts.len() + 1 != usize::from(bins) => {
            bad(format!("{} cuts", cuts.len()), "one cut fewer than bins")
        }
        Binning::Cuts(cuts) if !cuts.is_sorted_by(|a, b| a < b) => bad(
            format!("{cuts:?}"),
            "cuts that ascend, each larger than the one before",
        ),
        Binning::Cuts(cuts) if cuts.first() == Some(&i64::MIN) => bad(
            format!("{cuts:?}"),
            "cuts above the smallest integer: nothing lies below that",
        ),
        _ => Ok(()),
    }
}

/// Type-7 quantiles at i/bins, exact: of n sorted values x₀ … xₙ₋₁, position (n − 1)·i/bins = q + r/bins, value
/// x_q + r/bins·(x_{q+1} − x_q).
fn quantiles(values: impl ExactSizeIterator<Item = i64> + Clone, bins: u8) -> Vec<Cut> {
    let bins_wide = usize::from(bins);
    let last = values.len().saturating_sub(1);
    // (n − 1)·i could leave 64 bits, so that the quotient and the rest are scaled apart.
    let (quotient, rest) = (last / bins_wide, last % bins_wide);
    let positions: Vec<(usize, usize)> = (1..bins_wide)
        .map(|i| (quotient * i + rest * i / bins_wide, rest * i % bins_wide))
        .collect();
    let ranks: Vec<usize> = positions
        .iter()
        .flat_map(|&(q, r)| [q, q + usize::from(r > 0)])
        .collect();
    let found = at_ranks(values, &ranks);
    let pairs = found.chunks_exact(2).zip(&positions);
    pairs
        .map(|(pair, &(_, r))| {
            let (low, high) = (pair[0].value, pair[1].value);
            let scaled = u128::from(high.abs_diff(low)) * r as u128;
            let bins = u128::from(bins);
            Cut {
                whole: low.wrapping_add_unsigned((scaled / bins) as u64),
                part: (scaled % bins) as u8,
                customer: None,
            }
        })
        .collect()
}

/// The last value and customer of each lower part when ranks are shared out evenly: bin i + 1 begins
/// with rank ⌈i·n/bins⌉.
fn last_of_equal_counts<I>(rows: I, bins: u8) -> Vec<Cut>
where
    I: ExactSizeIterator<Item = (i64, u32)> + Clone,
{
    let (n, bins) = (rows.len() as u128, u128::from(bins));
    let ranks: Vec<usize> = (1..bins)
        .map(|i| ((i * n).div_ceil(bins) - 1) as usize)
        .collect();
    let found = at_ranks(rows.clone().map(|(value, _)| value), &ranks);

    let mut distinct: Vec<i64> = found.iter().map(|ranked| ranked.value).collect();
    distinct.dedup();
    let mut tied: Vec<Vec<u32>> = vec![Vec::new(); distinct.len()];
    for (value, customer) in rows {
        let slot = distinct.iter().position(|&d| d == value);
        if let Some(customers) = slot.and_then(|slot| tied.get_mut(slot)) {
            customers.push(customer);
        }
    }
    for customers in &mut tied {
        customers.sort_unstable();
    }
    let customer_at = |rank: usize, ranked: &Ranked| {
        let slot = distinct.iter().position(|&d| d == ranked.value)?;
        tied.get(slot)?.get(rank - ranked.below).copied()
    };
    let pairs = ranks.iter().zip(&found);
    pairs
        .map(|(&rank, ranked)| Cut {
            whole: ranked.value,
            part: 0,
            customer: customer_at(rank, ranked),
        })
        .collect()
}
