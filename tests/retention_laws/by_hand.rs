//! Cases worked out by hand or printed elsewhere, and the ends of calendars.

use std::ops::RangeInclusive;

use tenure::error::ConfigError;
use tenure::event::{DAY_S, Period, Timestamp, Zone};
use tenure::retention::{
    Activity, Cell, CohortMatrix, Measure, PeriodChurn, RepeatPurchases, RevenueRetention, Rolling,
    Share,
};
use tenure::summary::Grain;

use super::{START_S, at, free, purchases, summary, with_events};

/// Remission times of the 6-MP arm of Freireich et al. (1963), in weeks; the estimate and its
/// standard errors as printed in Kleinbaum and Klein, "Survival Analysis", and by R's `survfit`.
#[test]
fn the_curve_is_the_published_kaplan_meier_estimate() {
    let events = [6, 6, 6, 7, 10, 13, 16, 22, 23];
    let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
    let last_s = START_S + 60 * DAY_S;
    let mut rows = Vec::new();
    for (customer, weeks) in (0..).zip(events) {
        rows.extend([
            (customer, START_S, 0),
            (customer, START_S + weeks * DAY_S, 0),
        ]);
    }
    for (customer, weeks) in (9..).zip(censored) {
        rows.push((customer, last_s - weeks * DAY_S, 0));
    }
    let purchases = purchases(&rows, Grain::Instant);
    let curve = RepeatPurchases::new(&purchases, at(last_s + 1))
        .curve(2, DAY_S, 36)
        .unwrap();
    for (weeks, survival, standard_error, at_risk) in [
        (6, 0.857, 0.0764, 21),
        (7, 0.807, 0.0869, 17),
        (10, 0.753, 0.0963, 15),
        (13, 0.690, 0.1068, 12),
        (16, 0.627, 0.1141, 11),
        (22, 0.538, 0.1282, 7),
        (23, 0.448, 0.1346, 6),
        (35, 0.448, 0.1346, 1),
    ] {
        let point = curve[weeks];
        assert_eq!(point.at_risk, at_risk, "{weeks}");
        assert!(
            (1.0 - point.share.unwrap() - survival).abs() < 5e-4,
            "{point:?}"
        );
        assert!(
            (point.standard_error.unwrap() - standard_error).abs() < 5e-5,
            "{point:?}"
        );
    }
    assert_eq!(curve[36].share, None);
}

#[test]
fn days_of_23_and_25_hours_are_days() {
    let zone = "America/New_York";
    let clock = |text: &str| Timestamp::parse(text, &Zone::named(zone).unwrap()).unwrap();
    // Clocks go forward on 10 March and back on 3 November 2024.
    for (first, next, elapsed_s) in [
        ("2024-03-09 23:59:59", "2024-03-11 00:00:00", 23 * 3_600 + 1),
        ("2024-11-02 23:59:59", "2024-11-04 00:00:00", 25 * 3_600 + 1),
    ] {
        let rows = vec![(0, clock(first).unix_s()), (0, clock(next).unix_s())];
        assert_eq!(rows[1].1 - rows[0].1, elapsed_s);
        let measure = Measure::NPeriod { offsets: 3 };
        let until = at(rows[1].1 + 1);
        let activity = summary(&rows, Period::Day, zone);
        let calendar = CohortMatrix::calendar(&activity, &measure, until).unwrap();
        let active = |matrix: &CohortMatrix| -> Vec<u32> {
            (0..3)
                .map(|k| matrix.cell(0, k).unwrap().active())
                .collect()
        };
        assert_eq!(active(&calendar), [1, 0, 1]);
        let by_24_hours = Rolling {
            period: Period::Day,
            zone: Zone::named(zone).unwrap(),
            length_s: DAY_S,
        };
        let rolling = with_events(&rows, |events| {
            CohortMatrix::rolling(events, &by_24_hours, &measure, until).unwrap()
        });
        let expected = if elapsed_s < DAY_S {
            [1, 0, 0]
        } else {
            [1, 1, 0]
        };
        assert_eq!(active(&rolling), expected);
    }
}

#[test]
fn an_end_at_midnight_completes_the_day_before_it_in_its_own_zone() {
    let zone = Zone::named("America/New_York").unwrap();
    let noon = Timestamp::parse("2024-03-10 12:00:00", &zone).unwrap();
    let midnight = Timestamp::parse("2024-03-11", &zone).unwrap();
    let activity = summary(&vec![(0, noon.unix_s())], Period::Day, "America/New_York");
    let measure = Measure::NPeriod { offsets: 2 };
    let cells = |until| {
        let matrix = CohortMatrix::calendar(&activity, &measure, until).unwrap();
        [matrix.cell(0, 0).unwrap(), matrix.cell(0, 1).unwrap()]
    };
    let (active, size) = (1, 1);
    let complete = Cell::Complete { active, size };
    assert_eq!(cells(midnight), [complete, Cell::Unobserved { size }]);
    let earlier = cells(midnight.saturating_add_s(-1));
    assert_eq!(
        earlier,
        [Cell::Partial { active, size }, Cell::Unobserved { size }]
    );
    let later = cells(midnight.saturating_add_s(1));
    assert_eq!(later, [complete, Cell::Partial { active: 0, size }]);
}

#[test]
fn nothing_and_one_event() {
    let measure = Measure::Unbounded { offsets: 4 };
    let clock = Rolling {
        period: Period::Month,
        zone: Zone::UTC,
        length_s: 1,
    };
    for until in [Timestamp::MIN, at(START_S), Timestamp::MAX] {
        let none = summary(&vec![], Period::Day, "UTC");
        let matrix = CohortMatrix::calendar(&none, &measure, until).unwrap();
        assert_eq!((matrix.cohorts().len(), matrix.cell(0, 0)), (0, None));
        assert_eq!(matrix.averages(), [Share { part: 0, whole: 0 }; 4]);
        let matrix = with_events(&vec![], |events| {
            CohortMatrix::rolling(events, &clock, &measure, until).unwrap()
        });
        assert_eq!(matrix.rows().count(), 0);
        let nobody = purchases(&[], Grain::Instant);
        let repeat = RepeatPurchases::new(&nobody, until);
        assert_eq!(repeat.rate().rate(), None);
        assert_eq!(
            (repeat.mean_purchases(), repeat.median_gap_s()),
            (None, None)
        );
        assert_eq!(repeat.curve(2, 1, 1).unwrap()[1].share, None);
    }
    let one = vec![(11, START_S)];
    let matrix = with_events(&one, |events| {
        CohortMatrix::rolling(events, &clock, &measure, Timestamp::MAX).unwrap()
    });
    let cells: Vec<u32> = (0..4)
        .map(|k| matrix.cell(0, k).unwrap().active())
        .collect();
    assert_eq!(cells, [1, 0, 0, 0]);
    let single = summary(&one, Period::Day, "UTC");
    let day = single.first(11).unwrap();
    let activity = Activity::new(&single, day..day + 2).unwrap();
    assert_eq!(
        (activity.active(), activity.quick_ratio()),
        (vec![1, 0], Some(0.0))
    );
    assert_eq!(PeriodChurn::series(&single, day..day + 1, 1).unwrap(), []);
}

#[test]
fn a_hundred_years_by_day() {
    let years_100 = 36_525_i64;
    let rows = vec![
        (0, START_S),
        (0, START_S + years_100 * DAY_S),
        (1, START_S + DAY_S),
    ];
    let until = at(START_S + (years_100 + 1) * DAY_S);
    let offsets = years_100 as u32 + 1;
    let daily = summary(&rows, Period::Day, "UTC");
    let measure = Measure::Unbounded { offsets };
    let matrix = CohortMatrix::calendar(&daily, &measure, until).unwrap();
    let last = offsets as usize - 1;
    assert_eq!(
        matrix.cell(0, last),
        Some(Cell::Complete { active: 1, size: 1 })
    );
    assert_eq!(matrix.cell(1, last), Some(Cell::Unobserved { size: 1 }));
    let first = daily.first(0).unwrap();
    let activity = Activity::new(&daily, first..first + offsets as i32).unwrap();
    assert_eq!(activity.trailing(offsets).unwrap()[last], 2);
    assert_eq!(activity.lifecycle()[last].resurrecting, 1);

    let clock = Rolling {
        period: Period::Day,
        zone: Zone::UTC,
        length_s: 1,
    };
    let seconds = (years_100 * DAY_S) as u32;
    let matrix = with_events(&rows, |events| {
        let ranges = [1..=seconds - 1, seconds..=seconds, 1..=u32::MAX - 1];
        CohortMatrix::rolling(events, &clock, &Measure::Brackets(&ranges), until).unwrap()
    });
    let active: Vec<u32> = (0..3)
        .map(|column| matrix.cell(0, column).unwrap().active())
        .collect();
    assert_eq!(active, [0, 1, 1]);
}

#[test]
fn events_from_the_end_on_are_not_looked_at() {
    let rows = vec![
        (0, START_S),
        (0, START_S + 3 * DAY_S),
        (1, START_S + 2 * DAY_S),
    ];
    let until = at(START_S + 2 * DAY_S);
    let measure = Measure::Unbounded { offsets: 4 };
    let calendar =
        CohortMatrix::calendar(&summary(&rows, Period::Day, "UTC"), &measure, until).unwrap();
    let clock = Rolling {
        period: Period::Day,
        zone: Zone::UTC,
        length_s: DAY_S,
    };
    let rolling = with_events(&rows, |events| {
        CohortMatrix::rolling(events, &clock, &measure, until).unwrap()
    });
    for matrix in [calendar, rolling] {
        assert_eq!(matrix.cohorts().len(), 1);
        assert_eq!(
            matrix.cell(0, 1),
            Some(Cell::Complete { active: 0, size: 1 })
        );
    }
    let purchases = purchases(&free(&rows), Grain::Instant);
    let repeat = RepeatPurchases::new(&purchases, until);
    assert_eq!(repeat.rate(), Share { part: 0, whole: 1 });
}

#[test]
fn bad_settings_are_named() {
    let activity = summary(&vec![(0, START_S)], Period::Day, "UTC");
    let until = at(START_S);
    let setting = |error: ConfigError| match error {
        ConfigError::OutOfRange { setting, .. } => setting,
        other => panic!("{other}"),
    };
    let reversed = [RangeInclusive::new(3, 2)];
    for measure in [
        Measure::NPeriod { offsets: 0 },
        Measure::Unbounded { offsets: u32::MAX },
        Measure::Brackets(&[]),
        Measure::Brackets(&reversed),
        Measure::Brackets(&[0..=u32::MAX]),
    ] {
        let error = CohortMatrix::calendar(&activity, &measure, until).unwrap_err();
        assert_eq!(setting(error), "measure");
    }
    let clock = Rolling {
        period: Period::Day,
        zone: Zone::UTC,
        length_s: 0,
    };
    let measure = Measure::NPeriod { offsets: 1 };
    let error = with_events(&vec![], |events| {
        CohortMatrix::rolling(events, &clock, &measure, until).unwrap_err()
    });
    assert_eq!(setting(error), "length_s");
    assert_eq!(
        setting(Activity::new(&activity, 3..3).unwrap_err()),
        "observed"
    );
    assert_eq!(
        setting(Activity::new(&activity, i32::MIN..i32::MAX).unwrap_err()),
        "observed"
    );
    let whole = Activity::new(&activity, 0..3).unwrap();
    assert_eq!(setting(whole.trailing(0).unwrap_err()), "window");
    assert_eq!(
        setting(PeriodChurn::between(&activity, 0..2, 1..3).unwrap_err()),
        "after"
    );
    assert_eq!(
        setting(PeriodChurn::between(&activity, 2..2, 2..3).unwrap_err()),
        "before"
    );
    assert_eq!(
        setting(PeriodChurn::series(&activity, 0..2, 0).unwrap_err()),
        "length"
    );
    let nothing = purchases(&[], Grain::Instant);
    let series = RevenueRetention::series(&nothing, i64::MIN..i64::MAX, 1);
    assert_eq!(setting(series.unwrap_err()), "observed");
    let repeat = RepeatPurchases::new(&nothing, until);
    assert_eq!(setting(repeat.curve(1, 1, 1).unwrap_err()), "nth");
    assert_eq!(setting(repeat.curve(2, 0, 1).unwrap_err()), "step_s");
    assert_eq!(setting(repeat.curve(2, 1, u32::MAX).unwrap_err()), "steps");
    assert_eq!(
        setting(repeat.gap_quantile_s(f64::NAN).unwrap_err()),
        "probability"
    );
}
