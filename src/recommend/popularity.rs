//! What everybody takes.

use serde::{Deserialize, Serialize};

use super::item_weights::finite;
use super::saved::{Format, Sealed, bits, sealed, wrong};
use super::{Query, QueryError, Scorer, Scratch, check_places};
use crate::error::{ConfigError, DataError, Error};
use crate::event::{Interactions, Timestamp};
use crate::summary::{InteractionMatrix, check_table};

/// The same for everybody: what most customers took, or what was taken of late.
///
/// ```
/// use tenure::event::{Interactions, Timestamp};
/// use tenure::recommend::Popularity;
///
/// let day = |d| Timestamp::from_civil(2024, 5, d).unwrap();
/// let (log, _, items) = Interactions::from_rows([
///     ("ann", "tea", 1.0, day(1)), ("bob", "tea", 1.0, day(1)), ("eve", "ice", 1.0, day(15)),
/// ])?;
/// let now = Popularity::decayed(&log, day(15), 7 * 86_400)?;
/// // Two that were taken fourteen days ago are worth half of one.
/// assert_eq!(now.score_of(items.get("tea").unwrap()), Some(0.5));
/// assert_eq!(now.score_of(items.get("ice").unwrap()), Some(1.0));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Popularity {
    scores: Vec<f64>,
}

impl Popularity {
    /// By the number of customers who took an item.
    pub fn of(matrix: &InteractionMatrix) -> Self {
        let mut customers = vec![0_u32; matrix.columns() as usize];
        for (items, _) in matrix.iter() {
            for &item in items {
                if let Some(count) = customers.get_mut(item as usize) {
                    *count += 1;
                }
            }
        }
        Self {
            scores: customers.into_iter().map(f64::from).collect(),
        }
    }

    /// By rows, each worth 2^(−age / half-life): Σ weight · 2^(−(`now` − time) / `half_life_s`). Rows
    /// later than `now` are left out.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a half-life that is not positive; [`DataError::TooLarge`] when the log claims more
    /// items than [`TABLE_BYTES_MAX`](crate::summary::TABLE_BYTES_MAX) has room for.
    pub fn decayed(log: &Interactions, now: Timestamp, half_life_s: u32) -> Result<Self, Error> {
        if half_life_s == 0 {
            return Err(ConfigError::OutOfRange {
                setting: "half_life_s",
                value: "0".to_owned(),
                expected: "at least 1 second",
            }
            .into());
        }
        check_table("table of items", log.items(), size_of::<f64>() as u64)?;
        let mut scores = vec![0.0; log.items() as usize];
        let rows = log.item().iter().zip(log.weight()).zip(log.time());
        for ((&item, &weight), &time) in rows.filter(|(_, time)| **time <= now) {
            let age_s = now.unix_s() as f64 - time.unix_s() as f64;
            if let Some(sum) = scores.get_mut(item as usize) {
                *sum += f64::from(weight) * libm::exp2(-age_s / f64::from(half_life_s));
            }
        }
        Ok(Self { scores })
    }

    /// An item's score; `None` for one that is unknown.
    pub fn score_of(&self, item: u32) -> Option<f64> {
        self.scores.get(item as usize).copied()
    }
}

impl Scorer for Popularity {
    fn items(&self) -> u32 {
        self.scores.len() as u32
    }

    /// Whoever asks.
    fn score(
        &self,
        _: &Query<'_>,
        items: &[u32],
        _: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        check_places(items, out)?;
        for (place, &item) in out.iter_mut().zip(items) {
            let score = self.score_of(item).ok_or(QueryError::UnknownItem {
                item,
                items: self.items(),
            })?;
            *place = finite(score as f32);
        }
        Ok(())
    }
}

/// The model as it is saved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<2>,
    #[serde(with = "bits")]
    scores: Vec<f64>,
    checksum: u64,
}

sealed!(Saved);

impl From<Popularity> for Saved {
    fn from(model: Popularity) -> Self {
        let saved = Self {
            format: Format::LATEST,
            scores: model.scores,
            checksum: 0,
        };
        saved.sealed()
    }
}

impl TryFrom<Saved> for Popularity {
    type Error = DataError;

    fn try_from(mut saved: Saved) -> Result<Self, DataError> {
        let mut scores = saved.scores.iter().enumerate();
        if let Some((at, score)) = scores.find(|(_, score)| !(score.is_finite() && **score >= 0.0))
        {
            let expected = "a finite number that is not negative";
            return Err(wrong(&format!("scores[{at}]"), score, expected));
        }
        saved.check_seal()?;
        Ok(Self {
            scores: saved.scores,
        })
    }
}
