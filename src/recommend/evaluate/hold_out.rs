//! What a model may see, and what it is judged by.

use serde::{Deserialize, Serialize};

use crate::error::{ConfigError, DataError, Error};
use crate::event::{InteractionColumns, Interactions, Timestamp};
use crate::summary::{InteractionMatrix, InteractionSummary};

/// Which part of a log is held out. The same log and settings give the same parts, on any machine.
///
/// But for [`Repeats::Keep`], no pair of customer and item is in two parts: all rows of a pair stay together.
///
/// ```
/// use tenure::event::{Interactions, Timestamp};
/// use tenure::recommend::evaluate::HoldOut;
///
/// let day = |d| Timestamp::from_civil(2024, 5, d).unwrap();
/// let (log, _, items) = Interactions::from_rows([
///     ("ann", "tea", 1.0, day(1)), ("ann", "jam", 1.0, day(9)), ("ann", "pie", 1.0, day(4)), ("bob", "tea", 1.0, day(2)),
/// ])?;
/// let split = HoldOut::Last { pairs: 1 }.split(&log)?;
/// // Bob keeps his only item: a customer of whom nothing is known is another question.
/// assert_eq!(split.test.item(), [items.get("jam").unwrap()]);
/// assert_eq!(split.train.len(), 3);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum HoldOut {
    /// Each pair of customer and item by its hash: about `share` of them.
    Pairs {
        /// Above 0 and below 1.
        share: f64,
        /// Another seed holds others out.
        seed: u64,
    },
    /// Of each customer the `pairs` items that were taken last (at the same instant those of the larger numbers), but one
    /// item at least stays in training. An item that was taken several times stands at the last of them.
    Last {
        /// At least 1.
        pairs: u32,
    },
    /// Whatever happened at an instant or later: what a model would meet that is fitted at that instant.
    From {
        /// The first instant that is held out.
        time: Timestamp,
        /// What becomes of pairs that were there before.
        repeats: Repeats,
    },
    /// Whole customers: of their pairs some are [`given`](Split::given), and the rest is held out.
    ColdCustomers {
        /// The share of the customers, above 0 and below 1.
        share: f64,
        /// The share of each one's pairs that is shown as their basket, from 0 to below 1; 0.8 is customary.
        given: f64,
        /// Another seed holds others out.
        seed: u64,
    },
    /// Whole items: nobody was seen to take them.
    ColdItems {
        /// The share of the items, above 0 and below 1.
        share: f64,
        /// Another seed holds others out.
        seed: u64,
    },
}

/// What becomes of a pair that is held out by time, and was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// It is left out of the test, for lists of what a customer does not have yet
    /// ([`Unseen`](crate::recommend::Unseen)).
    Drop,
    /// It stays, for lists that may show it again: groceries.
    Keep,
}

/// The parts of a log or a matrix. All number customers and items alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Split<T> {
    /// What the model is fitted with.
    pub train: T,
    /// What is shown of customers whom the model does not know; empty but for [`HoldOut::ColdCustomers`].
    pub given: T,
    /// What it is judged by.
    pub test: T,
}

impl HoldOut {
    /// Splits a log.
    ///
    /// # Cost
    /// Time of the order of the rows, of sorting them for [`Last`](Self::Last) and [`From`](Self::From); a copy of the log.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a share outside its range, or no pairs to hold out.
    pub fn split(&self, log: &Interactions) -> Result<Split<Interactions>, Error> {
        self.check()?;
        match *self {
            Self::Last { pairs } => {
                let last = last_pairs(log, pairs);
                in_parts(log, |row| {
                    Some(match last.binary_search(&row.pair) {
                        Ok(_) => Part::Test,
                        Err(_) => Part::Train,
                    })
                })
            }
            Self::From { time, repeats } => {
                let before = match repeats {
                    Repeats::Drop => pairs_before(log, time),
                    Repeats::Keep => Vec::new(),
                };
                in_parts(log, |row| {
                    if row.time < time {
                        return Some(Part::Train);
                    }
                    before.binary_search(&row.pair).err().map(|_| Part::Test)
                })
            }
            _ => in_parts(log, |row| self.part_of(row.pair)),
        }
    }

    /// Splits a matrix, which has no times.
    ///
    /// # Errors
    /// As [`split`](Self::split), and [`ConfigError::OutOfRange`] for [`Last`](Self::Last) and [`From`](Self::From).
    pub fn split_matrix(
        &self,
        matrix: &InteractionMatrix,
    ) -> Result<Split<InteractionMatrix>, ConfigError> {
        self.check()?;
        if matches!(self, Self::Last { .. } | Self::From { .. }) {
            return Err(out_of_range(
                "hold_out",
                format!("{self:?}"),
                "one that does not ask for times; a matrix has none",
            ));
        }
        let part =
            |part| matrix.filtered(|customer, item| self.part_of((customer, item)) == Some(part));
        Ok(Split {
            train: part(Part::Train),
            given: part(Part::Given),
            test: part(Part::Test),
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let between = |value: f64| {
            if value > 0.0 && value < 1.0 {
                return Ok(());
            }
            Err(out_of_range("share", value, "above 0 and below 1"))
        };
        match *self {
            Self::Pairs { share, .. } | Self::ColdItems { share, .. } => between(share),
            Self::ColdCustomers { share, given, .. } => {
                between(share)?;
                if (0.0..1.0).contains(&given) {
                    return Ok(());
                }
                Err(out_of_range("given", given, "from 0 to below 1"))
            }
            Self::Last { pairs: 0 } => Err(out_of_range("pairs", 0, "at least 1")),
            Self::Last { .. } | Self::From { .. } => Ok(()),
        }
    }

    /// The part of a pair; `None` where its numbers do not say.
    fn part_of(&self, (customer, item): (u32, u32)) -> Option<Part> {
        let pair = u64::from(customer) << 32 | u64::from(item);
        match *self {
            Self::Pairs { share, seed } => Some(match uniform(seed, 0, pair) < share {
                true => Part::Test,
                false => Part::Train,
            }),
            Self::ColdCustomers { share, given, seed } => {
                if uniform(seed, 1, u64::from(customer)) >= share {
                    return Some(Part::Train);
                }
                Some(match uniform(seed, 2, pair) < given {
                    true => Part::Given,
                    false => Part::Test,
                })
            }
            Self::ColdItems { share, seed } => {
                Some(match uniform(seed, 3, u64::from(item)) < share {
                    true => Part::Test,
                    false => Part::Train,
                })
            }
            Self::Last { .. } | Self::From { .. } => None,
        }
    }
}

impl Split<Interactions> {
    /// Each part as a matrix.
    ///
    /// # Errors
    /// As [`InteractionSummary::collect`].
    pub fn matrices(&self) -> Result<Split<InteractionMatrix>, DataError> {
        let matrix = |log| Ok::<_, DataError>(InteractionSummary::collect(log)?.matrix());
        Ok(Split {
            train: matrix(&self.train)?,
            given: matrix(&self.given)?,
            test: matrix(&self.test)?,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Given,
    Test,
}

struct Row {
    /// Customer and item.
    pair: (u32, u32),
    time: Timestamp,
}

fn rows(log: &Interactions) -> impl Iterator<Item = Row> {
    let pairs = log.customer().iter().zip(log.item());
    pairs
        .zip(log.time())
        .map(|((&customer, &item), &time)| Row {
            pair: (customer, item),
            time,
        })
}

/// Rows go to the part that `part` names, or nowhere.
fn in_parts(
    log: &Interactions,
    part: impl Fn(&Row) -> Option<Part>,
) -> Result<Split<Interactions>, Error> {
    let none = || InteractionColumns {
        customers: log.customers(),
        items: log.items(),
        ..InteractionColumns::default()
    };
    let (mut train, mut given, mut test) = (none(), none(), none());
    for (row, &weight) in rows(log).zip(log.weight()) {
        let columns = match part(&row) {
            Some(Part::Train) => &mut train,
            Some(Part::Given) => &mut given,
            Some(Part::Test) => &mut test,
            None => continue,
        };
        columns.customer.push(row.pair.0);
        columns.item.push(row.pair.1);
        columns.weight.push(weight);
        columns.time.push(row.time);
    }
    Ok(Split {
        train: Interactions::from_columns(train)?,
        given: Interactions::from_columns(given)?,
        test: Interactions::from_columns(test)?,
    })
}

/// Each customer's last pairs, ascending; all but one at most.
fn last_pairs(log: &Interactions, most: u32) -> Vec<(u32, u32)> {
    let mut pairs: Vec<_> = rows(log).map(|row| (row.pair, row.time)).collect();
    pairs.sort_unstable();
    // The latest row of each pair stands for it.
    pairs.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = next.1;
        }
        same
    });
    pairs.sort_unstable_by_key(|&((customer, item), time)| (customer, time, item));
    let mut last = Vec::new();
    for of_customer in pairs.chunk_by(|left, right| left.0.0 == right.0.0) {
        let few = (of_customer.len() - 1).min(most as usize);
        last.extend(of_customer.iter().rev().take(few).map(|&(pair, _)| pair));
    }
    last.sort_unstable();
    last
}

/// Pairs that were there before an instant, ascending.
fn pairs_before(log: &Interactions, time: Timestamp) -> Vec<(u32, u32)> {
    let before = rows(log).filter(|row| row.time < time).map(|row| row.pair);
    let mut before: Vec<_> = before.collect();
    before.sort_unstable();
    before.dedup();
    before
}

/// A number from 0 to below 1 that depends on nothing else: a hash with the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn uniform(seed: u64, purpose: u64, key: u64) -> f64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |number: u64| {
        let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    };
    let stream = mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(purpose.wrapping_mul(GOLDEN)));
    let hash = mix(stream.wrapping_add(mix(key.wrapping_add(GOLDEN))));
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

fn out_of_range(
    setting: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> ConfigError {
    ConfigError::OutOfRange {
        setting,
        value: value.to_string(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_spread_evenly_and_differ_by_seed_and_purpose() {
        for (seed, purpose) in [(0, 0), (1, 0), (0, 1), (u64::MAX, 3)] {
            let mut counts = [0_u32; 10];
            for key in 0..10_000 {
                counts[(uniform(seed, purpose, key) * 10.0) as usize] += 1;
            }
            // Five standard deviations of a count of 1,000.
            assert!(
                counts.iter().all(|count| (850..1_150).contains(count)),
                "{counts:?}"
            );
        }
        let same =
            |seed, purpose| (0..1_000).all(|k| uniform(0, 0, k) == uniform(seed, purpose, k));
        assert!(same(0, 0) && !same(1, 0) && !same(0, 1));
    }

    #[test]
    fn the_hash_is_the_one_that_earlier_versions_had() {
        assert_eq!(uniform(1, 0, 0), 0.08717474880387666);
        assert_eq!(uniform(u64::MAX, 3, u64::MAX), 0.024239804337335302);
    }
}
