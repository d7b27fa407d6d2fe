//! What a lifecycle looks at: when a customer bought, as seen at a date.

use crate::event::{DAY_S, Timestamp};
use crate::summary::{Grain, Purchase, Purchases};

/// When a customer bought, as seen at a date: of all purchases the first, the last and the one before, and
/// how many.
///
/// ```
/// use tenure::segment::Timeline;
///
/// let seen = Timeline::from_days(&[3, 10, 40, 90], 60).unwrap(); // day 90 is still to come
/// assert_eq!((seen.purchases(), seen.silence_days(), seen.last_gap_days()), (3, 20.0, Some(30.0)));
/// assert!(Timeline::from_days(&[3, 10], 2).is_none()); // not yet a customer
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timeline {
    purchases: u32,
    age_days: f64,
    silence_days: f64,
    last_gap_days: Option<f64>,
}

impl Timeline {
    /// From the days of a customer's purchases, in any order, up to and including `as_of_day`, all counted
    /// from the same day; later ones are not looked at. `None` without a purchase up to then.
    pub fn from_days(days: &[i32], as_of_day: i32) -> Option<Self> {
        let seen = || {
            days.iter()
                .map(|&day| i64::from(day))
                .filter(|&d| d <= as_of_day.into())
        };
        let (last_at, last) = seen().enumerate().max_by_key(|&(_, day)| day)?;
        let before = seen()
            .enumerate()
            .filter(|&(i, _)| i != last_at)
            .map(|(_, day)| day);
        let (first, as_of) = (seen().min()?, i64::from(as_of_day));
        Some(Self {
            purchases: u32::try_from(seen().count()).unwrap_or(u32::MAX),
            age_days: (as_of - first) as f64,
            silence_days: (as_of - last) as f64,
            last_gap_days: before.max().map(|day| (last - day) as f64),
        })
    }

    /// Of one customer of a purchase log, counting purchases in periods up to and including that of
    /// `as_of`. Times run between the first days of periods; with [`Grain::Instant`] they are exact to the
    /// second. `None` without a purchase up to then.
    pub fn of(purchases: &Purchases, customer: u32, as_of: Timestamp) -> Option<Self> {
        Self::of_run(
            purchases,
            purchases.of(customer),
            purchases.period_of(as_of),
        )
    }

    pub(super) fn of_run(purchases: &Purchases, run: &[Purchase], as_of: i64) -> Option<Self> {
        let seen = run.get(..run.partition_point(|purchase| purchase.period <= as_of))?;
        let (first, last) = (seen.first()?, seen.last()?);
        let before = seen.len().checked_sub(2).and_then(|i| seen.get(i));
        let days = |from: i64, to: i64| days_between(purchases, from, to);
        Some(Self {
            purchases: u32::try_from(seen.len()).unwrap_or(u32::MAX),
            age_days: days(first.period, as_of),
            silence_days: days(last.period, as_of),
            last_gap_days: before.map(|before| days(before.period, last.period)),
        })
    }

    /// Purchases up to the date; at least 1.
    pub fn purchases(&self) -> u32 {
        self.purchases
    }

    /// Days from the first purchase to the date.
    pub fn age_days(&self) -> f64 {
        self.age_days
    }

    /// Days from the last purchase to the date.
    pub fn silence_days(&self) -> f64 {
        self.silence_days
    }

    /// Days between the last two purchases; `None` with only one.
    pub fn last_gap_days(&self) -> Option<f64> {
        self.last_gap_days
    }

    /// Days from the first purchase to the last.
    pub fn span_days(&self) -> f64 {
        self.age_days - self.silence_days
    }
}

/// Days between two periods of a log; instants subtract as whole seconds first, so that nothing cancels.
pub(super) fn days_between(purchases: &Purchases, from: i64, to: i64) -> f64 {
    match purchases.options().grain {
        Grain::Instant => (to - from) as f64 / DAY_S as f64,
        Grain::Period(_) => purchases.days(to) - purchases.days(from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_may_come_in_any_order_and_twice() {
        let a = Timeline::from_days(&[40, 3, 90, 10], 60).unwrap();
        assert_eq!(a, Timeline::from_days(&[3, 10, 40], 60).unwrap());
        assert_eq!((a.age_days(), a.span_days()), (57.0, 37.0));
        let twice = Timeline::from_days(&[5, 5], 5).unwrap();
        assert_eq!((twice.purchases(), twice.last_gap_days()), (2, Some(0.0)));
        let far = Timeline::from_days(&[i32::MIN, i32::MAX], i32::MAX).unwrap();
        assert_eq!(far.last_gap_days(), Some(4_294_967_295.0));
        assert_eq!(Timeline::from_days(&[], 0), None);
    }
}
