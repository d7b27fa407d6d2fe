//! The calendar days and periods of whole columns of instants.

use crate::event::{DAY_S, Period, Timestamp, Zone, ZoneCursor};

/// A longer span is computed row by row: 2^16 days are 179 years, or 256 kB.
const TABLE_DAYS: i64 = 1 << 16;

/// Stands in a table of offsets for a day on which the offset changes.
const CHANGES: i32 = i32::MIN;

/// Reads the calendar days of the instants of a column, in any order, at the same speed.
pub(super) struct DayReader {
    /// When each stretch of constant offset from UTC begins, and the offset, in seconds.
    stretches: Vec<(i64, i64)>,
    /// The offset of each day of UTC from `first_utc_day` on, or [`CHANGES`].
    offsets: Vec<i32>,
    first_utc_day: i64,
}

impl DayReader {
    /// For the instants of `times`.
    pub(super) fn new(zone: &Zone, times: &[Timestamp]) -> Self {
        let mut cursor = ZoneCursor::new(zone);
        let mut reader = Self {
            stretches: Vec::new(),
            offsets: Vec::new(),
            first_utc_day: 0,
        };
        if let Some(offset_s) = cursor.fixed_offset_s() {
            reader.stretches.push((i64::MIN, offset_s));
        } else if let Some((from, until)) = span_of(times) {
            reader.stretches = cursor.stretches(from, until);
            reader.first_utc_day = from.unix_s().div_euclid(DAY_S);
            let last_utc_day = until.unix_s().div_euclid(DAY_S);
            if last_utc_day - reader.first_utc_day < TABLE_DAYS {
                reader.offsets = (reader.first_utc_day..=last_utc_day)
                    .map(|day| reader.offset_of_utc_day(day))
                    .collect();
            }
        }
        reader
    }

    /// The offset when it is the same for all instants: then [`day_at`] reads them fastest.
    pub(super) fn fixed_offset_s(&self) -> Option<i64> {
        match self.stretches.as_slice() {
            [(_, offset_s)] => Some(*offset_s),
            _ => None,
        }
    }

    /// The calendar day, counted from 1970-01-01.
    #[inline]
    pub(super) fn day(&self, instant: Timestamp) -> i32 {
        // A negative difference wraps to a number past the table's end.
        let slot = instant.unix_s().div_euclid(DAY_S) - self.first_utc_day;
        let offset_s = match self.offsets.get(slot as usize) {
            Some(&offset_s) if offset_s != CHANGES => i64::from(offset_s),
            _ => self.offset_s(instant.unix_s()),
        };
        day_at(instant, offset_s)
    }

    fn offset_s(&self, seconds: i64) -> i64 {
        let next = self
            .stretches
            .partition_point(|&(begin, _)| begin <= seconds);
        let stretch = self.stretches.get(next.saturating_sub(1));
        stretch.map_or(0, |&(_, offset_s)| offset_s)
    }

    fn offset_of_utc_day(&self, day: i64) -> i32 {
        let (first, last) = (day * DAY_S, day * DAY_S + DAY_S - 1);
        if self
            .stretches
            .iter()
            .any(|&(begin, _)| (first + 1..=last).contains(&begin))
        {
            return CHANGES;
        }
        // At most 26 hours either way.
        self.offset_s(last) as i32
    }

    /// The first and the last day of all instants of a span.
    ///
    /// A clock that is set back may show an earlier day at a later instant, so every stretch is
    /// asked for its ends.
    fn bounds(&self, (from, until): (Timestamp, Timestamp)) -> (i32, i32) {
        let day = |seconds: i64| (seconds + self.offset_s(seconds)).div_euclid(DAY_S) as i32;
        let begins = self.stretches.iter().map(|&(begin, _)| begin);
        begins
            .filter(|&begin| begin > from.unix_s())
            .flat_map(|begin| [begin - 1, begin])
            .chain([from.unix_s(), until.unix_s()])
            .map(day)
            .fold((i32::MAX, i32::MIN), |(low, high), day| {
                (low.min(day), high.max(day))
            })
    }
}

/// The calendar day of an instant, counted from 1970-01-01, at an offset from UTC in seconds.
#[inline]
pub(super) fn day_at(instant: Timestamp, offset_s: i64) -> i32 {
    // A `Timestamp` spans 7.3 million days.
    (instant.unix_s() + offset_s).div_euclid(DAY_S) as i32
}

/// Reads the periods of days that lie in a known span.
pub(super) struct PeriodReader {
    period: Period,
    first_day: i32,
    last_day: i32,
    /// The periods of the days from `first_day` on; empty when the span is too long for a table.
    periods: Vec<i32>,
}

impl PeriodReader {
    /// For the days that `days` reads of the instants of `span`.
    pub(super) fn new(period: Period, days: &DayReader, span: (Timestamp, Timestamp)) -> Self {
        let (first_day, last_day) = days.bounds(span);
        let periods = if i64::from(last_day) - i64::from(first_day) < TABLE_DAYS {
            (first_day..=last_day)
                .map(|day| period.index_of_day(day))
                .collect()
        } else {
            Vec::new()
        };
        Self {
            period,
            first_day,
            last_day,
            periods,
        }
    }

    /// The first and the last period of all days of the span.
    pub(super) fn bounds(&self) -> (i32, i32) {
        let period = |day| self.period.index_of_day(day);
        (period(self.first_day), period(self.last_day))
    }

    /// The number of the period that holds a day.
    #[inline]
    pub(super) fn period(&self, day: i32) -> i32 {
        // A negative difference wraps to a number past the table's end.
        let slot = day.wrapping_sub(self.first_day) as u32;
        match self.periods.get(slot as usize) {
            Some(&period) => period,
            None => self.period.index_of_day(day),
        }
    }
}

/// The first and the last of some instants.
pub(super) fn span_of(times: &[Timestamp]) -> Option<(Timestamp, Timestamp)> {
    let first = *times.first()?;
    Some(times.iter().fold((first, first), |(low, high), &time| {
        (low.min(time), high.max(time))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: &[i64]) -> Vec<Timestamp> {
        let instants = seconds.iter().map(|&s| Timestamp::from_unix_s(s));
        instants.collect::<Result<_, _>>().unwrap()
    }

    fn check(zone: &Zone, times: &[Timestamp], period: Period) {
        let days = DayReader::new(zone, times);
        let periods = PeriodReader::new(period, &days, span_of(times).unwrap());
        let (first, last) = periods.bounds();
        let mut seen = (i32::MAX, i32::MIN);
        for &time in times {
            let day = zone.day(time);
            assert_eq!(days.day(time), day, "{time}");
            assert_eq!(periods.period(days.day(time)), period.index_of_day(day));
            seen = (
                seen.0.min(period.index_of_day(day)),
                seen.1.max(period.index_of_day(day)),
            );
        }
        assert!(
            first <= seen.0 && seen.1 <= last,
            "{seen:?} in {first}..={last}"
        );
    }

    #[test]
    fn extreme_spans_are_read() {
        for zone in ["UTC", "America/New_York", "Pacific/Apia"] {
            let zone = Zone::named(zone).unwrap();
            let times = [Timestamp::MIN, Timestamp::MAX, at(&[0])[0]];
            for period in [Period::Day, Period::Month] {
                check(&zone, &times, period);
            }
        }
    }

    #[test]
    fn days_that_a_zone_skips_or_repeats_are_read() {
        // Samoa had no 2011-12-30; Alaska had 1867-10-18 twice.
        for (zone, seconds) in [
            ("Pacific/Apia", 1_325_239_200),
            ("America/Juneau", -3_225_169_588),
        ] {
            let around: Vec<i64> = (-72..72).map(|hour| seconds + hour * 3_600).collect();
            check(&Zone::named(zone).unwrap(), &at(&around), Period::Day);
        }
    }

    proptest! {
        #[test]
        fn a_column_is_read_as_one_by_one(
            seconds in proptest::collection::vec(-5_000_000_000_i64..5_000_000_000, 1..40),
            offset_s in -50_400..50_400,
            hours in 1_i64..2_000_000,
        ) {
            let near: Vec<i64> = seconds.iter().map(|s| s % (hours * 3_600)).collect();
            for zone in [Zone::fixed(offset_s).unwrap(), Zone::named("Europe/Paris").unwrap()] {
                check(&zone, &at(&near), Period::ISO_WEEK);
                check(&zone, &at(&seconds), Period::Quarter);
            }
        }
    }
}
