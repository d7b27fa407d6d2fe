//! Calendar arithmetic in UTC, and instants as text.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use crate::event::Timestamp;

/// The same day and time `months` calendar months later (earlier when negative), the day held at the
/// month's last. `None` outside the range of [`Timestamp`].
pub(crate) fn months_later(instant: Timestamp, months: i64) -> Option<Timestamp> {
    let span = Span::new().try_months(months).ok()?;
    to_instant(civil(instant)?.checked_add(span).ok()?)
}

/// The first instant of the calendar month after (the month of `instant` + `months`).
pub(crate) fn month_end(instant: Timestamp, months: i64) -> Option<Timestamp> {
    months_later(start_of_month(instant)?, months.checked_add(1)?)
}

/// The first instant of the calendar month.
pub(crate) fn start_of_month(instant: Timestamp) -> Option<Timestamp> {
    to_instant(civil(instant)?.date().first_of_month().at(0, 0, 0, 0))
}

/// The first instant of the calendar year that is `years` after the one of `instant`.
pub(crate) fn start_of_year(instant: Timestamp, years: i64) -> Option<Timestamp> {
    let first = civil(instant)?.date().first_of_year();
    let moved = first.checked_add(0.years().try_years(years).ok()?).ok()?;
    to_instant(moved.at(0, 0, 0, 0))
}

/// `instant` + `days` of 24 hours.
pub(crate) fn days_later(instant: Timestamp, days: i64) -> Option<Timestamp> {
    let seconds = days.checked_mul(crate::event::DAY_S)?;
    Timestamp::from_unix_s(instant.unix_s().checked_add(seconds)?).ok()
}

/// The date and time of an instant, in UTC.
pub(crate) fn civil(instant: Timestamp) -> Option<DateTime> {
    let instant = jiff::Timestamp::from_second(instant.unix_s()).ok()?;
    Some(TimeZone::UTC.to_datetime(instant))
}

fn to_instant(local: DateTime) -> Option<Timestamp> {
    let instant = TimeZone::UTC.to_timestamp(local).ok()?;
    Timestamp::from_unix_s(instant.as_second()).ok()
}

/// Serde of an instant: RFC 3339 text for people, seconds for machines.
pub(crate) mod text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::event::Timestamp;

    pub(crate) fn serialize<S: Serializer>(
        instant: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(instant)
        } else {
            instant.serialize(serializer)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            Timestamp::deserialize(deserializer)
        }
    }
}

/// As [`text`], for an instant that may be absent.
pub(crate) mod optional_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::event::Timestamp;

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Text(#[serde(with = "super::text")] Timestamp);

    pub(crate) fn serialize<S: Serializer>(
        instant: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        instant.map(Text).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_clamped_to_their_last_day() {
        for (from, months, to) in [
            ("2023-08-31T08:00:00Z", 18, "2025-02-28T08:00:00Z"),
            ("2024-02-29T00:00:00Z", 12, "2025-02-28T00:00:00Z"),
            ("2025-02-28T07:59:59Z", -12, "2024-02-28T07:59:59Z"),
        ] {
            assert_eq!(months_later(at(from), months), Some(at(to)), "{from}");
        }
    }

    #[test]
    fn the_ends_of_months_and_years() {
        let december = at("2020-12-15T09:00:00Z");
        assert_eq!(month_end(december, 6), Some(at("2021-07-01")));
        assert_eq!(month_end(december, 0), Some(at("2021-01-01")));
        assert_eq!(start_of_month(december), Some(at("2020-12-01")));
        assert_eq!(start_of_year(december, 2), Some(at("2022-01-01")));
    }

    #[test]
    fn the_end_of_time_is_none() {
        assert_eq!(months_later(Timestamp::MAX, 1), None);
        assert_eq!(months_later(Timestamp::EPOCH, i64::MAX), None);
        assert_eq!(month_end(Timestamp::EPOCH, i64::MAX), None);
        assert_eq!(start_of_year(Timestamp::MAX, 1), None);
        assert_eq!(start_of_year(Timestamp::MIN, 0), None);
        assert_eq!(days_later(Timestamp::EPOCH, i64::MAX), None);
    }
}
