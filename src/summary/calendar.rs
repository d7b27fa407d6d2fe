//! The calendar days and periods of whole columns of instants.

use crate::event::{DAY_S, Period, Timestamp, Zone, ZoneCursor};

/// Reads the calendar days of instants that lie in a known span, in any order, at the same speed.
pub(super) struct DayReader {
    /// When each stretch of constant offset from UTC begins, and the offset, in seconds.
    stretches: Vec<(i64, i64)>,
}

impl DayReader {
    /// For instants from `from` to `until`, both included.
    pub(super) fn new(zone: &Zone, (from, until): (Timestamp, Timestamp)) -> Self {
        Self {
            stretches: ZoneCursor::new(zone).stretches(from, until),
        }
    }

    /// The first and the last day of all instants of a span.
    ///
    /// A clock that is set back may show an earlier day at a later instant, so every stretch is
    /// asked for its ends.
    fn bounds(&self, (from, until): (Timestamp, Timestamp)) -> (i32, i32) {
        let begins = self.stretches.iter().map(|&(begin, _)| begin);
        let begins = begins.filter(|&begin| begin > from.unix_s());
        begins
            .flat_map(|begin| [begin - 1, begin])
            .map(|seconds| self.day_of(seconds))
            .chain([self.day(until)])
            .fold((self.day(from), self.day(from)), |(low, high), day| {
                (low.min(day), high.max(day))
            })
    }

    /// The calendar day, counted from 1970-01-01.
    #[inline]
    pub(super) fn day(&self, instant: Timestamp) -> i32 {
        self.day_of(instant.unix_s())
    }

    #[inline]
    fn day_of(&self, seconds: i64) -> i32 {
        let next = self
            .stretches
            .partition_point(|&(begin, _)| begin <= seconds);
        let stretch = self.stretches.get(next.saturating_sub(1));
        (seconds + stretch.map_or(0, |&(_, offset_s)| offset_s)).div_euclid(DAY_S) as i32
    }
}

/// Reads the periods of instants that lie in a known span.
pub(super) struct PeriodReader {
    days: DayReader,
    period: Period,
    first_day: i32,
    last_day: i32,
    /// The periods of the days from `first_day` on; empty when the span is too long for a table.
    periods: Vec<i32>,
}

impl PeriodReader {
    /// A longer span is computed day by day: 2^16 days are 179 years, or 256 kB.
    const TABLE_DAYS: i64 = 1 << 16;

    /// For instants from `from` to `until`, both included.
    pub(super) fn new(period: Period, zone: &Zone, span: (Timestamp, Timestamp)) -> Self {
        let days = DayReader::new(zone, span);
        let (first_day, last_day) = days.bounds(span);
        let periods = if i64::from(last_day) - i64::from(first_day) < Self::TABLE_DAYS {
            (first_day..=last_day)
                .map(|day| period.index_of_day(day))
                .collect()
        } else {
            Vec::new()
        };
        Self {
            days,
            period,
            first_day,
            last_day,
            periods,
        }
    }

    /// The first and the last period of all instants of the span.
    pub(super) fn bounds(&self) -> (i32, i32) {
        let period = |day| self.period.index_of_day(day);
        (period(self.first_day), period(self.last_day))
    }

    /// The period's number.
    #[inline]
    pub(super) fn period(&self, instant: Timestamp) -> i32 {
        let day = self.days.day(instant);
        // A negative difference wraps to a number past the table's end.
        match self
            .periods
            .get(day.wrapping_sub(self.first_day) as u32 as usize)
        {
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
