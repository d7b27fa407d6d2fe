//! Instants, time zones and calendar periods.

use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// Seconds in a day of 24 hours.
pub const DAY_S: i64 = 86_400;

/// An instant: whole seconds since 1970-01-01T00:00:00 UTC, leap seconds not counted.
///
/// Instants lie between the years −9999 and 9999, so that every calendar can name them.
///
/// ```
/// use tenure::event::Timestamp;
///
/// let first = Timestamp::from_civil(1997, 1, 1).unwrap();
/// let later: Timestamp = "1997-01-18T12:30:00Z".parse().unwrap();
/// assert_eq!(later.unix_s() - first.unix_s(), 17 * 86_400 + 12 * 3_600 + 30 * 60);
/// assert_eq!(first.to_string(), "1997-01-01T00:00:00Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant: −9999-01-02T01:59:59Z.
    pub const MIN: Timestamp = Timestamp(-377_705_023_201);
    /// The latest instant: 9999-12-30T22:00:00Z.
    pub const MAX: Timestamp = Timestamp(253_402_207_200);
    /// 1970-01-01T00:00:00Z, from which all instants are counted.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// The instant `unix_s` seconds after 1970-01-01T00:00:00 UTC.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] before [`Timestamp::MIN`] or after [`Timestamp::MAX`].
    pub fn from_unix_s(unix_s: i64) -> Result<Self, ConfigError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&unix_s) {
            Ok(Self(unix_s))
        } else {
            Err(ConfigError::OutOfRange {
                setting: "unix_s",
                value: unix_s.to_string(),
                expected: "an instant between the years -9999 and 9999",
            })
        }
    }

    /// Midnight UTC at the start of a calendar day.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] when there is no such day.
    pub fn from_civil(year: i16, month: i8, day: i8) -> Result<Self, ConfigError> {
        jiff::civil::Date::new(year, month, day)
            .ok()
            .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
            .and_then(|zoned| Self::from_unix_s(zoned.timestamp().as_second()).ok())
            .ok_or_else(|| ConfigError::OutOfRange {
                setting: "date",
                value: format!("{year:04}-{month:02}-{day:02}"),
                expected: "a day of the calendar",
            })
    }

    /// Seconds since 1970-01-01T00:00:00 UTC.
    pub const fn unix_s(self) -> i64 {
        self.0
    }

    /// The instant `seconds` later (earlier when negative), held at the ends of the range.
    #[must_use]
    pub fn saturating_add_s(self, seconds: i64) -> Self {
        Self(
            self.0
                .saturating_add(seconds)
                .clamp(Self::MIN.0, Self::MAX.0),
        )
    }

    /// Reads a date or a date-time; `zone` applies where the text has no offset of its own.
    ///
    /// A date (`2006-12-31`) is the start of that day. A date-time separates date and time with
    /// `T` or a space and may end in `Z` or an offset (`+02:00`); fractions of a second are cut.
    /// A local time that a change of the clocks skips or repeats is read as the later or the first of
    /// the two (the "compatible" rule of RFC 5545). Returns `None` for any other text.
    pub fn parse(text: &str, zone: &Zone) -> Option<Self> {
        if let Some(days) = plain_date(text.as_bytes()) {
            return zone.start_of_day(days);
        }
        let seconds = match text.parse::<jiff::Timestamp>() {
            Ok(instant) => floor_second(instant),
            Err(_) => {
                let local: jiff::civil::DateTime = text.parse().ok()?;
                floor_second(zone.0.to_jiff().to_timestamp(local).ok()?)
            }
        };
        Self::from_unix_s(seconds).ok()
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = ConfigError;

    fn try_from(unix_s: i64) -> Result<Self, ConfigError> {
        Self::from_unix_s(unix_s)
    }
}

impl From<Timestamp> for i64 {
    fn from(instant: Timestamp) -> i64 {
        instant.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "{} s", self.0),
        }
    }
}

impl std::str::FromStr for Timestamp {
    type Err = ConfigError;

    /// As [`Timestamp::parse`] with [`Zone::UTC`].
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text, &Zone::UTC).ok_or_else(|| ConfigError::OutOfRange {
            setting: "timestamp",
            value: text.to_owned(),
            expected: "a date (2006-12-31) or a date-time (2006-12-31T18:00:00Z)",
        })
    }
}

fn floor_second(instant: jiff::Timestamp) -> i64 {
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}

/// `YYYY-MM-DD` as days since 1970-01-01: the commonest text by far, read without a general parser.
fn plain_date(text: &[u8]) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i16, |n, d| {
            d.is_ascii_digit().then(|| n * 10 + i16::from(d - b'0'))
        })
    };
    let (year, month, day) = (
        number(&[y1, y2, y3, y4])?,
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    );
    jiff::civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    Some(days_from_civil(
        i64::from(year),
        i64::from(month),
        i64::from(day),
    ))
}

/// A time zone: which calendar day an instant falls on.
///
/// ```
/// use tenure::event::{Timestamp, Zone};
///
/// let tokyo = Zone::named("Asia/Tokyo").unwrap();
/// let instant: Timestamp = "2024-05-01T20:00:00Z".parse().unwrap();
/// assert_eq!(tokyo.day(instant) - Zone::UTC.day(instant), 1);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(ZoneKind);

#[derive(Clone, PartialEq, Eq)]
enum ZoneKind {
    Fixed(i32),
    Named(TimeZone),
}

impl ZoneKind {
    fn to_jiff(&self) -> TimeZone {
        match self {
            ZoneKind::Fixed(offset_s) => {
                jiff::tz::Offset::from_seconds(*offset_s).map_or(TimeZone::UTC, TimeZone::fixed)
            }
            ZoneKind::Named(zone) => zone.clone(),
        }
    }
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(ZoneKind::Fixed(0));

    /// A constant offset in seconds east of UTC.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] beyond 25 hours.
    pub fn fixed(offset_s: i32) -> Result<Self, ConfigError> {
        if offset_s.abs() <= 25 * 3_600 {
            Ok(Self(ZoneKind::Fixed(offset_s)))
        } else {
            Err(ConfigError::OutOfRange {
                setting: "offset_s",
                value: offset_s.to_string(),
                expected: "at most 25 hours (90000 seconds) east or west of UTC",
            })
        }
    }

    /// A zone of the IANA database, by name. The database is part of the crate: the same on every
    /// machine.
    ///
    /// # Errors
    /// [`ConfigError::UnknownZone`] when there is none of that name.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        match jiff::tz::db().get(name) {
            Ok(zone) if zone.iana_name() == Some("UTC") => Ok(Self::UTC),
            Ok(zone) => Ok(Self(ZoneKind::Named(zone))),
            Err(_) => Err(ConfigError::UnknownZone {
                name: name.to_owned(),
            }),
        }
    }

    /// The calendar day of an instant, counted from 1970-01-01.
    pub fn day(&self, instant: Timestamp) -> i32 {
        ZoneCursor::new(self).day(instant)
    }

    /// The first instant of a calendar day (counted from 1970-01-01), or `None` outside the range.
    pub fn start_of_day(&self, day: i64) -> Option<Timestamp> {
        let local = day.checked_mul(DAY_S)?;
        let seconds = match &self.0 {
            ZoneKind::Fixed(offset_s) => local.checked_sub(i64::from(*offset_s))?,
            ZoneKind::Named(zone) => {
                let midnight = TimeZone::UTC.to_datetime(jiff::Timestamp::from_second(local).ok()?);
                zone.to_timestamp(midnight).ok()?.as_second()
            }
        };
        Timestamp::from_unix_s(seconds).ok()
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ZoneKind::Fixed(0) => f.write_str("UTC"),
            ZoneKind::Fixed(offset_s) => {
                let (sign, s) = (if *offset_s < 0 { '-' } else { '+' }, offset_s.abs());
                write!(f, "UTC{sign}{:02}:{:02}", s / 3_600, s / 60 % 60)
            }
            ZoneKind::Named(zone) => f.write_str(zone.iana_name().unwrap_or("?")),
        }
    }
}

/// Reads the calendar days of many instants: remembers the stretch of constant offset that the last
/// one lay in.
#[derive(Debug, Clone)]
pub(crate) struct ZoneCursor {
    zone: TimeZoneOrFixed,
    from_s: i64,
    until_s: i64,
    offset_s: i64,
}

#[derive(Debug, Clone)]
enum TimeZoneOrFixed {
    Fixed,
    Named(TimeZone),
}

impl ZoneCursor {
    pub(crate) fn new(zone: &Zone) -> Self {
        match &zone.0 {
            ZoneKind::Fixed(offset_s) => Self {
                zone: TimeZoneOrFixed::Fixed,
                from_s: i64::MIN,
                until_s: i64::MAX,
                offset_s: i64::from(*offset_s),
            },
            ZoneKind::Named(zone) => Self {
                zone: TimeZoneOrFixed::Named(zone.clone()),
                from_s: 0,
                until_s: 0,
                offset_s: 0,
            },
        }
    }

    /// Seconds of local time since 1970-01-01T00:00:00 local.
    pub(crate) fn local_s(&mut self, instant: Timestamp) -> i64 {
        let seconds = instant.unix_s();
        if !(self.from_s..self.until_s).contains(&seconds) {
            self.move_to(seconds);
        }
        seconds + self.offset_s
    }

    /// The calendar day, counted from 1970-01-01. (A `Timestamp` spans 7.3 million days.)
    pub(crate) fn day(&mut self, instant: Timestamp) -> i32 {
        self.local_s(instant).div_euclid(DAY_S) as i32
    }

    /// The zone's offset from UTC in seconds, when it never changes.
    pub(crate) fn fixed_offset_s(&self) -> Option<i64> {
        matches!(self.zone, TimeZoneOrFixed::Fixed).then_some(self.offset_s)
    }

    /// The stretches of constant offset between two instants: the second on which each begins and
    /// its offset from UTC. The first one holds `from`.
    pub(crate) fn stretches(&mut self, from: Timestamp, until: Timestamp) -> Vec<(i64, i64)> {
        self.local_s(from);
        let mut stretches = vec![(self.from_s, self.offset_s)];
        while self.until_s <= until.unix_s() {
            self.move_to(self.until_s);
            stretches.push((self.from_s, self.offset_s));
        }
        stretches
    }

    fn move_to(&mut self, seconds: i64) {
        let TimeZoneOrFixed::Named(zone) = &self.zone else {
            return;
        };
        let Ok(instant) = jiff::Timestamp::from_second(seconds) else {
            return;
        };
        self.offset_s = i64::from(zone.to_offset(instant).seconds());
        let next_s = instant
            .checked_add(jiff::SignedDuration::from_secs(1))
            .unwrap_or(instant);
        self.from_s = zone
            .preceding(next_s)
            .next()
            .map_or(i64::MIN, |t| t.timestamp().as_second());
        self.until_s = zone
            .following(instant)
            .next()
            .map_or(i64::MAX, |t| t.timestamp().as_second());
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Weekday {
    /// The first day of an ISO 8601 week.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The last; the first in North American calendars.
    Sunday,
}

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Period {
    /// A calendar day.
    Day,
    /// Seven calendar days that begin on the given day of the week.
    Week(Weekday),
    /// A calendar month.
    Month,
    /// A quarter of a year, from January, April, July and October.
    Quarter,
    /// A calendar year.
    Year,
    /// `length` days, counted so that one begins on the day `anchor` (days since 1970-01-01).
    Days {
        /// How many days; at least 1.
        length: u32,
        /// A day on which a period begins, counted from 1970-01-01.
        anchor: i32,
    },
}

impl Period {
    /// A week that begins on Monday (ISO 8601).
    pub const ISO_WEEK: Period = Period::Week(Weekday::Monday);

    /// The number of the period that holds a day (days since 1970-01-01).
    ///
    /// Numbers of consecutive periods are consecutive; where the count starts is no part of the
    /// promise.
    pub fn index_of_day(self, day: i32) -> i32 {
        let civil = |months: i64| {
            let (year, month, _) = civil_from_days(i64::from(day));
            ((year * 12 + month - 1).div_euclid(months)) as i32
        };
        match self {
            Period::Day => day,
            Period::Week(start) => (day - first_day_of_week(start)).div_euclid(7),
            Period::Month => civil(1),
            Period::Quarter => civil(3),
            Period::Year => civil(12),
            Period::Days { length, anchor } => {
                let length = i64::from(length.max(1));
                // Counted from the first such day at or after 1970-01-01: the numbers stay small.
                let since = i64::from(day) - i64::from(anchor).rem_euclid(length);
                since.div_euclid(length) as i32
            }
        }
    }

    /// The first day (since 1970-01-01) of a period, given its number.
    pub fn first_day(self, index: i32) -> i64 {
        let index = i64::from(index);
        let civil = |months: i64| {
            let month = index * months;
            days_from_civil(month.div_euclid(12), month.rem_euclid(12) + 1, 1)
        };
        match self {
            Period::Day => index,
            Period::Week(start) => index * 7 + i64::from(first_day_of_week(start)),
            Period::Month => civil(1),
            Period::Quarter => civil(3),
            Period::Year => civil(12),
            Period::Days { length, anchor } => {
                let length = i64::from(length.max(1));
                index * length + i64::from(anchor).rem_euclid(length)
            }
        }
    }

    /// A period's name, given its number: `1997`, `1997 Q1`, `1997-03`, or its first day.
    pub fn label(self, index: i32) -> String {
        let (year, month, day) = civil_from_days(self.first_day(index));
        match self {
            Period::Year => format!("{year:04}"),
            Period::Quarter => format!("{year:04} Q{}", (month - 1) / 3 + 1),
            Period::Month => format!("{year:04}-{month:02}"),
            _ => format!("{year:04}-{month:02}-{day:02}"),
        }
    }
}

/// A day in the week of 1970-01-01 (a Thursday) on which a week begins, counted from that day.
fn first_day_of_week(start: Weekday) -> i32 {
    match start {
        Weekday::Monday => -3,
        Weekday::Tuesday => -2,
        Weekday::Wednesday => -1,
        Weekday::Thursday => 0,
        Weekday::Friday => 1,
        Weekday::Saturday => 2,
        Weekday::Sunday => 3,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (month 1–12).
///
/// Years are taken from March, so that the leap day ends them; 400 years have 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = (shifted + 2) % 12 + 1;
    let year = year_of_era + days.div_euclid(146_097) * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn reads_dates_and_date_times_with_and_without_zone() {
        let paris = Zone::named("Europe/Paris").unwrap();
        for (text, zone, expected) in [
            ("2014-03-08", &Zone::UTC, "2014-03-08T00:00:00Z"),
            ("2014-03-08 10:20:30", &Zone::UTC, "2014-03-08T10:20:30Z"),
            ("2014-03-08T10:20:30", &paris, "2014-03-08T09:20:30Z"),
            ("2014-07-08", &paris, "2014-07-07T22:00:00Z"),
            ("2014-07-08T10:20:30Z", &paris, "2014-07-08T10:20:30Z"),
            (
                "2014-07-08T10:20:30.999+02:00",
                &Zone::UTC,
                "2014-07-08T08:20:30Z",
            ),
            ("1969-12-31T23:59:59.5Z", &Zone::UTC, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(
                Timestamp::parse(text, zone).unwrap().to_string(),
                expected,
                "{text}"
            );
        }
        for text in [
            "",
            "2014-02-30",
            "2014-13-01",
            "08/03/2014",
            "tomorrow",
            "2014-03-08x",
            "２０１４",
        ] {
            assert_eq!(Timestamp::parse(text, &Zone::UTC), None, "{text}");
        }
    }

    #[test]
    fn a_skipped_midnight_starts_its_day_at_the_first_instant_there_is() {
        // Clocks in Cairo went from 00:00 to 01:00 on 2023-04-28.
        let cairo = Zone::named("Africa/Cairo").unwrap();
        let day = i64::from(Zone::UTC.day(at("2023-04-28")));
        let start = cairo.start_of_day(day).unwrap();
        assert_eq!(start.to_string(), "2023-04-27T22:00:00Z");
        assert_eq!(i64::from(cairo.day(start)), day);
        assert_eq!(i64::from(cairo.day(start.saturating_add_s(-1))), day - 1);
    }

    #[test]
    fn periods_know_their_names() {
        let day = Zone::UTC.day(at("1997-02-05"));
        for (period, name) in [
            (Period::Day, "1997-02-05"),
            (Period::ISO_WEEK, "1997-02-03"),
            (Period::Week(Weekday::Sunday), "1997-02-02"),
            (Period::Month, "1997-02"),
            (Period::Quarter, "1997 Q1"),
            (Period::Year, "1997"),
            (
                Period::Days {
                    length: 10,
                    anchor: day,
                },
                "1997-02-05",
            ),
        ] {
            assert_eq!(period.label(period.index_of_day(day)), name);
        }
    }

    proptest! {
        #[test]
        fn civil_days_agree_with_the_calendar_library(days in -4_000_000_i64..2_900_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
            let date = jiff::civil::date(1970, 1, 1)
                .checked_add(jiff::Span::new().days(days)).unwrap();
            prop_assert_eq!((year, month, day),
                (date.year().into(), date.month().into(), date.day().into()));
        }

        #[test]
        fn a_period_holds_the_days_from_its_first_to_the_next_one(
            day in -4_000_000_i32..2_900_000, which in 0_usize..6, length in 1_u32..400, anchor in -50_000_i32..50_000
        ) {
            let period = [Period::Day, Period::Week(Weekday::Saturday), Period::Month, Period::Quarter,
                Period::Year, Period::Days { length, anchor }][which];
            let index = period.index_of_day(day);
            prop_assert!(period.first_day(index) <= i64::from(day));
            prop_assert!(i64::from(day) < period.first_day(index + 1));
        }

        #[test]
        fn a_cursor_reads_the_same_day_as_the_library(
            seconds in proptest::collection::vec(-5_000_000_000_i64..5_000_000_000, 1..40)
        ) {
            let zone = Zone::named("America/New_York").unwrap();
            let mut cursor = ZoneCursor::new(&zone);
            for s in seconds {
                let date = jiff::Timestamp::from_second(s).unwrap()
                    .to_zoned(TimeZone::get("America/New_York").unwrap()).date();
                let day = days_from_civil(date.year().into(), date.month().into(), date.day().into());
                prop_assert_eq!(i64::from(cursor.day(Timestamp::from_unix_s(s).unwrap())), day);
            }
        }
    }
}
