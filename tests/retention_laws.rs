//! Retention against naive counts over sets, in zones whose clocks change, and at extremes.

#[path = "retention_laws/by_hand.rs"]
mod by_hand;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use proptest::prelude::*;
use tenure::event::{
    DAY_S, Decimals, Events, Period, Timestamp, TransactionColumns, Transactions, Zone,
};
use tenure::retention::{
    Activity, Cell, CohortMatrix, Measure, PeriodChurn, RepeatPurchases, RevenueRetention, Rolling,
    Share,
};
use tenure::summary::{
    ActivitySummary, Grain, PurchaseOptions, PurchaseSummary, Purchases, Refunds,
};

/// 2024-03-01: every zone below changes its clocks in the ten weeks that follow, but UTC.
const START_S: i64 = 1_709_251_200;
const ZONES: [&str; 4] = [
    "UTC",
    "America/New_York",
    "Africa/Cairo",
    "Australia/Lord_Howe",
];
const PERIODS: [Period; 4] = [
    Period::Day,
    Period::ISO_WEEK,
    Period::Month,
    Period::Days {
        length: 10,
        anchor: 3,
    },
];

type Rows = Vec<(u32, i64)>;

fn at(unix_s: i64) -> Timestamp {
    Timestamp::from_unix_s(unix_s).unwrap()
}

/// Events of up to 12 customers over ten weeks.
fn rows() -> impl Strategy<Value = Rows> {
    prop::collection::vec((0_u32..12, START_S..START_S + 70 * DAY_S), 0..60)
}

fn calendar() -> impl Strategy<Value = (Period, &'static str)> {
    (0..PERIODS.len(), 0..ZONES.len()).prop_map(|(period, zone)| (PERIODS[period], ZONES[zone]))
}

fn with_events<T>(rows: &Rows, read: impl FnOnce(&Events<'_>) -> T) -> T {
    let customer: Vec<u32> = rows.iter().map(|row| row.0).collect();
    let time: Vec<Timestamp> = rows.iter().map(|row| at(row.1)).collect();
    read(&Events::new(12, &customer, &time).unwrap())
}

fn summary(rows: &Rows, period: Period, zone: &str) -> ActivitySummary {
    let zone = Zone::named(zone).unwrap();
    with_events(rows, |events| {
        ActivitySummary::collect(events, period, &zone).unwrap()
    })
}

/// The period of an instant by the calendar library alone.
fn period_of(unix_s: i64, period: Period, zone: &str) -> i32 {
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let date = jiff::Timestamp::from_second(unix_s)
        .unwrap()
        .to_zoned(zone)
        .date();
    let since = date.since(jiff::civil::date(1970, 1, 1)).unwrap();
    period.index_of_day(since.get_days())
}

type Sets = BTreeMap<u32, BTreeSet<i32>>;

fn sets(rows: &Rows, period: Period, zone: &str) -> Sets {
    let mut sets = Sets::new();
    for &(customer, time) in rows {
        sets.entry(customer)
            .or_default()
            .insert(period_of(time, period, zone));
    }
    sets
}

/// Cohort → each member's offsets, from (cohort, offsets) of each customer.
fn by_cohort(
    members: impl Iterator<Item = (i32, BTreeSet<u32>)>,
) -> BTreeMap<i32, Vec<BTreeSet<u32>>> {
    let mut cohorts = BTreeMap::new();
    for (cohort, offsets) in members {
        cohorts.entry(cohort).or_insert_with(Vec::new).push(offsets);
    }
    cohorts
}

const OFFSETS: u32 = 9;
const RANGES: [RangeInclusive<u32>; 4] = [0..=0, 1..=2, 2..=7, 40..=60];

/// Checks the counts of all three measures.
fn check_counts(
    cohorts: &BTreeMap<i32, Vec<BTreeSet<u32>>>,
    matrix_of: impl Fn(&Measure<'_>) -> CohortMatrix,
) -> Result<(), TestCaseError> {
    type Holds = Box<dyn Fn(usize, &BTreeSet<u32>) -> bool>;
    let cases: [(Measure<'_>, Holds); 3] = [
        (
            Measure::NPeriod { offsets: OFFSETS },
            Box::new(|k, seen| seen.contains(&(k as u32))),
        ),
        (
            Measure::Unbounded { offsets: OFFSETS },
            Box::new(|k, seen| seen.iter().any(|&offset| offset >= k as u32)),
        ),
        (
            Measure::Brackets(&RANGES),
            Box::new(|k, seen| seen.iter().any(|offset| RANGES[k].contains(offset))),
        ),
    ];
    for (measure, holds) in cases {
        let matrix = matrix_of(&measure);
        prop_assert_eq!(matrix.cohorts().len(), cohorts.len());
        for ((cohort, cells), (&period, members)) in matrix.rows().zip(cohorts) {
            prop_assert_eq!(
                (cohort.period, cohort.size as usize),
                (period, members.len())
            );
            for (k, cell) in cells.enumerate() {
                let expected = members.iter().filter(|seen| holds(k, seen)).count();
                prop_assert_eq!(
                    cell.active() as usize,
                    expected,
                    "{:?} {} {}",
                    measure,
                    period,
                    k
                );
                prop_assert_eq!(cell.size(), cohort.size);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn calendar_cohorts_are_the_sets_counted(rows in rows(), (period, zone) in calendar(), end in 0_i64..80 * DAY_S) {
        let until = START_S + end;
        let seen: Rows = rows.into_iter().filter(|row| row.1 < until).collect();
        let activity = summary(&seen, period, zone);
        let offsets = |set: &BTreeSet<i32>| {
            let first = *set.first().unwrap();
            (first, set.iter().map(|p| (p - first) as u32).collect())
        };
        let cohorts = by_cohort(sets(&seen, period, zone).values().map(offsets));
        check_counts(&cohorts, |measure| {
            CohortMatrix::calendar(&activity, measure, at(until)).unwrap()
        })?;
    }

    #[test]
    fn a_calendar_cell_is_complete_when_no_later_instant_lies_in_it(
        rows in rows(), (period, zone) in calendar(), end in 0_i64..80 * DAY_S
    ) {
        let until = START_S + end;
        let matrix = CohortMatrix::calendar(
            &summary(&rows, period, zone), &Measure::NPeriod { offsets: OFFSETS }, at(until)).unwrap();
        // Two months ahead by half hours: long enough that the period of `until` ends within them.
        let to_come: BTreeSet<i32> = (0..60 * 48)
            .map(|half_hours| period_of(until + half_hours * 1_800, period, zone)).collect();
        let ahead = to_come.last().unwrap() + 1..;
        let began = period_of(until - 1, period, zone);
        for (cohort, cells) in matrix.rows() {
            for (k, cell) in (0..).zip(cells) {
                let column = cohort.period + k;
                let complete = !to_come.contains(&column) && !ahead.contains(&column);
                let partial = column <= began;
                let good = match cell {
                    Cell::Complete { .. } => complete,
                    Cell::Partial { .. } => !complete && partial,
                    Cell::Unobserved { .. } => !complete && !partial,
                };
                prop_assert!(good, "{cell:?} {column} {began}");
            }
        }
    }

    #[test]
    fn rolling_cohorts_are_the_sets_counted(
        rows in rows(), (period, zone) in calendar(), end in 0_i64..80 * DAY_S, length_s in 1_i64..20 * DAY_S
    ) {
        let until = START_S + end;
        let mut times: BTreeMap<u32, BTreeSet<i64>> = BTreeMap::new();
        for &(customer, time) in rows.iter().filter(|row| row.1 < until) {
            times.entry(customer).or_default().insert(time);
        }
        let cohorts = by_cohort(times.values().map(|times| {
            let first = *times.first().unwrap();
            let mut offsets = BTreeSet::new();
            for time in times {
                // Counted by stepping, as a person with a calendar would.
                let (mut k, mut end) = (0, first + length_s);
                while *time >= end && k < 100 {
                    (k, end) = (k + 1, end + length_s);
                }
                offsets.insert(k);
            }
            (period_of(first, period, zone), offsets)
        }));
        let clock = Rolling { period, zone: Zone::named(zone).unwrap(), length_s };
        check_counts(&cohorts, |measure| with_events(&rows, |events| {
            CohortMatrix::rolling(events, &clock, measure, at(until)).unwrap()
        }))?;

        let measure = Measure::NPeriod { offsets: OFFSETS };
        let matrix = with_events(&rows, |events| {
            CohortMatrix::rolling(events, &clock, &measure, at(until)).unwrap()
        });
        for (cohort, cells) in matrix.rows() {
            let firsts: Vec<i64> = times.values().map(|times| *times.first().unwrap())
                .filter(|&first| period_of(first, period, zone) == cohort.period).collect();
            for (k, cell) in (0..).zip(cells) {
                let last_second = |first: &i64| first + (k + 1) * length_s - 1;
                let complete = firsts.iter().all(|first| last_second(first) < until);
                let begun = firsts.iter().any(|first| first + k * length_s < until);
                prop_assert_eq!(cell.is_complete(), complete);
                prop_assert_eq!(matches!(cell, Cell::Unobserved { .. }), !begun);
            }
        }
    }

    #[test]
    fn averages_leave_incomplete_cells_out(rows in rows(), end in 0_i64..80 * DAY_S) {
        let activity = summary(&rows, Period::ISO_WEEK, "UTC");
        let measure = Measure::NPeriod { offsets: OFFSETS };
        let matrix = CohortMatrix::calendar(&activity, &measure, at(START_S + end)).unwrap();
        for (column, average) in matrix.averages().into_iter().enumerate() {
            let cells = (0..matrix.cohorts().len()).map(|row| matrix.cell(row, column).unwrap());
            let complete: Vec<Cell> = cells.filter(|cell| cell.rate().is_some()).collect();
            prop_assert_eq!(average.part, complete.iter().map(|c| u64::from(c.active())).sum::<u64>());
            prop_assert_eq!(average.whole, complete.iter().map(|c| u64::from(c.size())).sum::<u64>());
        }
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter(rows in rows(), seed in any::<u64>(), end in 0_i64..80 * DAY_S) {
        let mut shuffled = rows.clone();
        shuffled.sort_by_key(|row| (row.1 as u64 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let clock = Rolling { period: Period::Day, zone: Zone::UTC, length_s: DAY_S };
        let matrix = |rows: &Rows| with_events(rows, |events| {
            CohortMatrix::rolling(events, &clock, &Measure::Unbounded { offsets: 5 }, at(START_S + end)).unwrap()
        });
        prop_assert_eq!(matrix(&rows), matrix(&shuffled));
        let curve = |rows: &Rows| {
            let purchases = purchases(&free(rows), Grain::Instant);
            RepeatPurchases::new(&purchases, at(START_S + end)).curve(2, DAY_S, 20).unwrap()
        };
        prop_assert_eq!(curve(&rows), curve(&shuffled));
    }

    #[test]
    fn activity_is_the_sets_counted(
        rows in rows(), (period, zone) in calendar(), window in 1_u32..12, cut in 0_i32..12, length in 1_i32..80
    ) {
        let start = period_of(START_S, period, zone) + cut - 3;
        let observed = start..start + length;
        let activity = summary(&rows, period, zone);
        let activity = Activity::new(&activity, observed.clone()).unwrap();
        let mut sets = sets(&rows, period, zone);
        sets.values_mut().for_each(|set| set.retain(|period| observed.contains(period)));
        let count = |holds: &dyn Fn(&BTreeSet<i32>) -> bool| {
            sets.values().filter(|set| holds(set)).count() as u32
        };

        let trailing = activity.trailing(window).unwrap();
        let lifecycle = activity.lifecycle();
        let by_periods = activity.customers_by_active_periods();
        let mut active_before = 0;
        for (i, p) in observed.clone().enumerate() {
            let now = count(&|set| set.contains(&p));
            prop_assert_eq!(activity.active()[i], now);
            let back = p - window as i32 + 1..=p;
            prop_assert_eq!(trailing[i], count(&|set| set.range(back.clone()).count() > 0));
            prop_assert_eq!(by_periods[i], count(&|set| set.len() == i + 1));
            let l = lifecycle[i];
            prop_assert_eq!(l.new, count(&|set| set.first() == Some(&p)));
            prop_assert_eq!(l.dormant, count(&|set| set.contains(&(p - 1)) && !set.contains(&p)));
            prop_assert_eq!(l.returning + l.dormant, active_before);
            prop_assert_eq!(l.active(), now);
            active_before = now;
        }
        let full = (window as usize - 1..length as usize).filter(|&i| trailing[i] > 0);
        let ratios: Vec<f64> = full.map(|i| f64::from(activity.active()[i]) / f64::from(trailing[i])).collect();
        match activity.stickiness(window).unwrap() {
            None => prop_assert!(ratios.is_empty()),
            Some(mean) => prop_assert!((mean * ratios.len() as f64 - ratios.iter().sum::<f64>()).abs() < 1e-9),
        }
    }

    #[test]
    fn churn_is_a_difference_of_sets(
        rows in rows(), (period, zone) in calendar(), skip in 0_i32..5, length in 1_u32..6
    ) {
        let start = period_of(START_S, period, zone) + skip;
        let observed = start..start + 40;
        let activity = summary(&rows, period, zone);
        let sets = sets(&rows, period, zone);
        let there = |periods: &Range<i32>| -> BTreeSet<u32> {
            sets.iter().filter(|(_, set)| set.range(periods.clone()).count() > 0).map(|(&c, _)| c).collect()
        };
        let windows: Vec<Range<i32>> = observed.clone().step_by(length as usize)
            .map(|first| first..first + length as i32).filter(|window| window.end <= observed.end).collect();
        let series = PeriodChurn::series(&activity, observed.clone(), length).unwrap();
        prop_assert_eq!(series.len(), windows.len() - 1);
        for (pair, churn) in windows.windows(2).zip(series) {
            let between = PeriodChurn::between(&activity, pair[0].clone(), pair[1].clone()).unwrap();
            prop_assert_eq!(between, churn);
            let (p1, p2, ever) = (there(&pair[0]), there(&pair[1]), there(&(i32::MIN..pair[1].start)));
            prop_assert_eq!(churn.before as usize, p1.len());
            prop_assert_eq!(churn.after as usize, p2.len());
            prop_assert_eq!(churn.retained as usize, p1.intersection(&p2).count());
            prop_assert_eq!(churn.churned as usize, p1.difference(&p2).count());
            prop_assert_eq!(churn.new as usize, p2.difference(&ever).count());
            prop_assert_eq!(churn.before, churn.retained + churn.churned);
            prop_assert_eq!(churn.after, churn.retained + churn.new + churn.reactivated);
            prop_assert_eq!(churn.churn().part + churn.retention().part, u64::from(churn.before));
        }
    }

    #[test]
    fn revenue_adds_up(
        rows in prop::collection::vec((0_u32..12, START_S..START_S + 70 * DAY_S, -900_i64..2_000), 0..80),
        length in 1_u32..5
    ) {
        let purchases = purchases(&rows, Grain::Period(Period::ISO_WEEK));
        let start = i64::from(period_of(START_S, Period::ISO_WEEK, "UTC"));
        let series = RevenueRetention::series(&purchases, start..start + 10, length).unwrap();
        for (i, kept) in (0..).zip(&series) {
            let first = start + i * i64::from(length);
            let (before, after) = (first..first + i64::from(length), first + i64::from(length)..first + 2 * i64::from(length));
            prop_assert_eq!(RevenueRetention::between(&purchases, before.clone(), after.clone()).unwrap(), *kept);
            let spend = |customer: u32, periods: &Range<i64>| -> Option<i128> {
                let inside = purchases.of(customer).iter().filter(|p| periods.contains(&p.period));
                inside.map(|p| i128::from(p.amount_minor)).reduce(|a, b| a + b)
            };
            let (mut net, mut gross, mut whole, mut later, mut new) = (0, 0, 0, 0, 0);
            for customer in 0..12 {
                let (one, two) = (spend(customer, &before), spend(customer, &after));
                later += two.unwrap_or(0);
                if let Some(one) = one {
                    whole += one;
                    net += two.unwrap_or(0);
                    gross += one.min(two.unwrap_or(0));
                } else if spend(customer, &(0..after.start)).is_none() {
                    new += two.unwrap_or(0);
                }
            }
            prop_assert_eq!((kept.before_minor, kept.after_minor, kept.new_minor), (whole, later, new));
            prop_assert_eq!(kept.before_minor + kept.expansion_minor - kept.contraction_minor - kept.churned_minor, net);
            prop_assert_eq!(net + kept.new_minor + kept.resurrected_minor, later);
            let rate = |part: i128| (whole > 0).then(|| part as f64 / whole as f64);
            prop_assert_eq!(kept.net(), rate(net));
            prop_assert_eq!(kept.gross(), rate(gross));
        }
    }

    #[test]
    fn the_curve_meets_the_plain_share_where_nobody_is_censored(rows in rows()) {
        // Observed for long after the last event, so that everybody is observed for all steps.
        let until = at(START_S + 300 * DAY_S);
        let purchases = purchases(&free(&rows), Grain::Instant);
        let curve = RepeatPurchases::new(&purchases, until).curve(2, 5 * DAY_S, 30).unwrap();
        let mut times: BTreeMap<u32, BTreeSet<i64>> = BTreeMap::new();
        for &(customer, time) in &rows {
            times.entry(customer).or_default().insert(time);
        }
        for point in curve {
            let within = times.values().filter(|times| {
                times.iter().nth(1).is_some_and(|second| second - times.first().unwrap() <= point.after_s)
            });
            let expected = Share { part: within.count() as u64, whole: times.len() as u64 };
            prop_assert_eq!(point.observed, expected);
            match (point.share, expected.rate()) {
                (Some(share), Some(rate)) => prop_assert!((share - rate).abs() < 1e-12),
                (share, rate) => prop_assert_eq!((share, rate), (None, None)),
            }
        }
    }

    #[test]
    fn quantiles_of_gaps_stand_where_the_definition_says(rows in rows(), probability in 0.0_f64..=1.0) {
        let purchases = purchases(&free(&rows), Grain::Instant);
        let repeat = RepeatPurchases::new(&purchases, at(START_S + 100 * DAY_S));
        let mut gaps: Vec<i64> = (0..12)
            .flat_map(|c| purchases.of(c).windows(2).map(|p| p[1].period - p[0].period).collect::<Vec<_>>())
            .collect();
        gaps.sort_unstable();
        let quantile = repeat.gap_quantile_s(probability).unwrap();
        prop_assert_eq!(quantile.is_some(), !gaps.is_empty());
        if let Some(quantile) = quantile {
            // Type 7: of n values the k-th smallest is the quantile (k - 1) / (n - 1).
            let position = (gaps.len() - 1) as f64 * probability;
            let (low, high) = (gaps[position.floor() as usize], gaps[position.ceil() as usize]);
            prop_assert!((low as f64..=high as f64).contains(&quantile));
        }
    }
}

fn free(rows: &Rows) -> Vec<(u32, i64, i64)> {
    rows.iter()
        .map(|&(customer, time)| (customer, time, 0))
        .collect()
}

fn purchases(rows: &[(u32, i64, i64)], grain: Grain) -> Purchases {
    let columns = TransactionColumns {
        customers: 40,
        customer: rows.iter().map(|row| row.0).collect(),
        time: rows.iter().map(|row| at(row.1)).collect(),
        amount: rows.iter().map(|row| row.2).collect(),
        ..TransactionColumns::default()
    };
    let log = Transactions::from_columns(Decimals::TWO, columns).unwrap();
    let options = PurchaseOptions {
        grain,
        zone: Zone::UTC,
        refunds: Refunds::Net,
    };
    PurchaseSummary::collect(&log, &options)
        .unwrap()
        .into_purchases()
        .unwrap()
}
