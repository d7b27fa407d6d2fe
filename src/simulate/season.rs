//! When the whole shop is busy.

use super::config::within;
use crate::error::ConfigError;
use crate::event::{DAY_S, Period, Timestamp};

/// Factors on every customer's rate of repeat purchases, by the day of the week and by the month,
/// read in UTC.
///
/// The two multiply. Factors with mean 1 leave the number of purchases about as it is without a
/// season; a factor of 0 closes the shop. First purchases do not follow the season: they fall
/// evenly over the acquisition window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Season {
    /// Monday to Sunday; each from 0 to 100, not all 0.
    pub weekday: [f64; 7],
    /// January to December; each from 0 to 100, not all 0.
    pub month: [f64; 12],
}

impl Season {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_factors("weekday", &self.weekday)?;
        check_factors("month", &self.month)
    }
}

fn check_factors(setting: &'static str, factors: &[f64]) -> Result<(), ConfigError> {
    for &factor in factors {
        within(setting, factor, 0.0, 100.0, "factors from 0 to 100")?;
    }
    if factors.iter().any(|&factor| factor > 0.0) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        setting,
        value: "0 throughout".to_owned(),
        expected: "positive for some part of it",
    })
}

/// The factor of each day of the time simulated, looked up rather than worked out per candidate.
#[derive(Debug, Clone)]
pub(super) struct DailyFactors {
    first_day: i64,
    factors: Vec<f64>,
    /// The largest factor, to which thinning compares; 0 when the shop is closed on all days.
    pub(super) largest: f64,
}

impl DailyFactors {
    pub(super) fn new(season: &Season, start: Timestamp, end: Timestamp) -> Self {
        let day_of = |instant: Timestamp| instant.unix_s().div_euclid(DAY_S);
        let january = Period::Month.index_of_day(0);
        let factors: Vec<f64> = (day_of(start)..=day_of(end))
            .map(|day| {
                // A `Timestamp` spans 7.3 million days.
                let month = Period::Month.index_of_day(day as i32) - january;
                let weekday = (day + 3).rem_euclid(7); // 1970-01-01 was a Thursday
                season.month[month.rem_euclid(12) as usize] * season.weekday[weekday as usize]
            })
            .collect();
        Self {
            first_day: day_of(start),
            largest: factors.iter().copied().fold(0.0, f64::max),
            factors,
        }
    }

    /// The factor at an instant within the time simulated.
    pub(super) fn at(&self, unix_s: i64) -> f64 {
        usize::try_from(unix_s.div_euclid(DAY_S) - self.first_day)
            .ok()
            .and_then(|day| self.factors.get(day))
            .map_or(0.0, |&factor| factor)
    }
}
