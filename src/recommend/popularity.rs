//! What everybody takes.

use serde::{Deserialize, Serialize};

use super::{Query, QueryError, Scorer, Scratch};
use crate::error::ConfigError;
use crate::event::{Interactions, Timestamp};
use crate::summary::InteractionMatrix;

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
#[serde(deny_unknown_fields)]
pub struct Popularity {
    scores: Vec<f32>,
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
        // Exact up to 2^24 customers, in the order of their numbers beyond that.
        let scores = customers.into_iter().map(|count| count as f32);
        Self {
            scores: scores.collect(),
        }
    }

    /// By rows, each worth 2^(−age / half-life): Σ weight · 2^(−(`now` − time) / `half_life_s`). Rows
    /// later than `now` are left out.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a half-life that is not positive.
    pub fn decayed(
        log: &Interactions,
        now: Timestamp,
        half_life_s: u32,
    ) -> Result<Self, ConfigError> {
        if half_life_s == 0 {
            return Err(ConfigError::OutOfRange {
                setting: "half_life_s",
                value: "0".to_owned(),
                expected: "at least 1 second",
            });
        }
        let mut sums = vec![0.0_f64; log.items() as usize];
        let rows = log.item().iter().zip(log.weight()).zip(log.time());
        for ((&item, &weight), &time) in rows.filter(|(_, time)| **time <= now) {
            let age_s = now.unix_s() as f64 - time.unix_s() as f64;
            if let Some(sum) = sums.get_mut(item as usize) {
                *sum += f64::from(weight) * libm::exp2(-age_s / f64::from(half_life_s));
            }
        }
        let scores = sums
            .into_iter()
            .map(|sum| sum.min(f64::from(f32::MAX)) as f32);
        Ok(Self {
            scores: scores.collect(),
        })
    }

    /// An item's score; `None` for one that is unknown.
    pub fn score_of(&self, item: u32) -> Option<f32> {
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
        super::check_places(items, out)?;
        for (place, &item) in out.iter_mut().zip(items) {
            *place = self.score_of(item).ok_or(QueryError::UnknownItem {
                item,
                items: self.items(),
            })?;
        }
        Ok(())
    }

    fn scan(
        &self,
        _: &Query<'_>,
        _: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        visit(0, &self.scores);
        Ok(())
    }
}
