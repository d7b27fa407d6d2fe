//! Every summary keeps the law, and says what a plainer computation says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use tenure::error::DataError;
use tenure::event::{
    AMOUNT_MAX, Decimals, Events, InteractionColumns, Interactions, Period, Timestamp,
    TransactionColumns, Transactions, Weekday, Zone,
};
use tenure::summary::{
    ActivitySummary, Grain, InteractionSummary, ItemSummary, PurchaseOptions, PurchaseSummary,
    Refunds, RfmSummary, TimeUnit, laws,
};

const DAY_S: i64 = 86_400;

type Row = (u32, Timestamp, i64);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(seconds).unwrap()
}

/// Some years of hours, with days that many rows share.
fn near() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        2 => (9_000_i64..9_040, 0_i64..24),
        1 => (-3_000_i64..9_000, 0_i64..24),
    ]
    .prop_map(|(day, hour)| at(day * DAY_S + hour * 3_600))
}

/// Now and then the ends of time.
fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        30 => near(),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
    ]
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0_i64..20, 2 => -30_i64..0, 1 => Just(AMOUNT_MAX), 1 => Just(-AMOUNT_MAX)]
}

fn zone() -> impl Strategy<Value = Zone> {
    prop_oneof![
        Just(Zone::UTC),
        (-50_000_i32..50_000).prop_map(|offset_s| Zone::fixed(offset_s).unwrap()),
        Just(Zone::named("America/New_York").unwrap()),
    ]
}

fn period() -> impl Strategy<Value = Period> {
    prop_oneof![
        Just(Period::Day),
        Just(Period::ISO_WEEK),
        Just(Period::Week(Weekday::Sunday)),
        Just(Period::Month),
        Just(Period::Year),
        (1_u32..50, -10_000_i32..10_000)
            .prop_map(|(length, anchor)| Period::Days { length, anchor }),
    ]
}

fn options() -> impl Strategy<Value = PurchaseOptions> {
    let grain = prop_oneof![1 => Just(Grain::Instant), 3 => period().prop_map(Grain::Period)];
    let refunds = prop_oneof![Just(Refunds::Ignore), Just(Refunds::Net)];
    (grain, zone(), refunds).prop_map(|(grain, zone, refunds)| PurchaseOptions {
        grain,
        zone,
        refunds,
    })
}

fn facts() -> impl Strategy<Value = Vec<Row>> {
    vec((0_u32..6, time(), amount()), 0..60)
}

fn near_facts() -> impl Strategy<Value = Vec<Row>> {
    vec((0_u32..6, near(), amount()), 0..60)
}

/// The log of some rows; as many customers as the largest number needs.
fn log(rows: &[Row]) -> Transactions {
    let columns = TransactionColumns {
        customers: rows.iter().map(|row| row.0 + 1).max().unwrap_or(0),
        customer: rows.iter().map(|row| row.0).collect(),
        time: rows.iter().map(|row| row.1).collect(),
        amount: rows.iter().map(|row| row.2).collect(),
        ..TransactionColumns::default()
    };
    Transactions::from_columns(Decimals::TWO, columns).unwrap()
}

fn period_of(options: &PurchaseOptions, time: Timestamp) -> i64 {
    match options.grain {
        Grain::Instant => time.unix_s(),
        Grain::Period(period) => period.index_of_day(options.zone.day(time)).into(),
    }
}

/// The first day of a period, or the fraction of a day of an instant.
fn days(options: &PurchaseOptions, period: i64) -> f64 {
    match options.grain {
        Grain::Instant => period as f64 / DAY_S as f64,
        Grain::Period(kind) => kind.first_day(period.try_into().unwrap()) as f64,
    }
}

/// What a customer bought by period, written as it is told: each period's refunds as one, walking back
/// through a map of what is left. Also what found no purchase.
fn oracle(rows: &[Row], options: &PurchaseOptions, customer: u32) -> (BTreeMap<i64, i64>, i64) {
    let mut paid: BTreeMap<i64, i64> = BTreeMap::new();
    let mut refunded: BTreeMap<i64, i64> = BTreeMap::new();
    for &(_, time, amount) in rows.iter().filter(|row| row.0 == customer) {
        let book = if amount < 0 { &mut refunded } else { &mut paid };
        *book.entry(period_of(options, time)).or_default() += amount;
    }
    let mut unmatched = 0;
    if options.refunds == Refunds::Net {
        for (period, refund) in refunded {
            let mut rest = -refund;
            let earlier: Vec<i64> = paid.range(..=period).rev().map(|(&p, _)| p).collect();
            for bought in earlier {
                let left = paid[&bought];
                if left > 0 && left <= rest {
                    paid.remove(&bought);
                } else if left > 0 {
                    paid.insert(bought, left - rest);
                }
                rest -= left.min(rest);
            }
            unmatched += rest;
        }
    }
    (paid, unmatched)
}

proptest! {
    #[test]
    fn purchases_keep_the_law(rows in facts(), options in options(), seed: u64) {
        let empty = PurchaseSummary::new(&options, Decimals::TWO);
        prop_assert_eq!(laws::check(&empty, &rows, seed), Ok(()));
    }

    #[test]
    fn rfm_keeps_the_law(rows in facts(), zone in zone(), net: bool, seed: u64) {
        let refunds = if net { Refunds::Net } else { Refunds::Ignore };
        let empty = RfmSummary::new(&zone, refunds, Decimals::TWO);
        prop_assert_eq!(laws::check(&empty, &rows, seed), Ok(()));
    }

    #[test]
    fn activity_keeps_the_law(rows in near_facts(), zone in zone(), period in period(), seed: u64) {
        let events: Vec<_> = rows.iter().map(|&(customer, time, _)| (customer, time)).collect();
        let empty = ActivitySummary::new(period, &zone);
        prop_assert_eq!(laws::check(&empty, &events, seed), Ok(()));
    }

    #[test]
    fn items_keep_the_law(
        rows in vec((0_u32..6, prop_oneof![0_f32..10.0, 0_f32..f32::MAX, Just(f32::from_bits(1)), Just(f32::MAX)]), 0..60),
        seed: u64,
    ) {
        prop_assert_eq!(laws::check(&ItemSummary::new(), &rows, seed), Ok(()));
    }

    #[test]
    fn interactions_keep_the_law(
        rows in vec((0_u32..5, 0_u32..4, prop_oneof![Just(0.1_f32), Just(-0.0), 0_f32..10.0, Just(f32::MAX)]), 0..80),
        seed: u64,
    ) {
        prop_assert_eq!(laws::check(&InteractionSummary::new(), &rows, seed), Ok(()));
        let mut summary = InteractionSummary::new();
        let mut sums = BTreeMap::<(u32, u32), f64>::new();
        for &(customer, item, weight) in &rows {
            summary.push(customer, item, weight).unwrap();
            *sums.entry((customer, item)).or_default() += f64::from(weight);
        }
        let matrix = summary.matrix();
        prop_assert_eq!(matrix.len(), sums.len());
        for (&(customer, item), &sum) in &sums {
            let (items, weights) = matrix.row(customer);
            let found = f64::from(weights[items.binary_search(&item).unwrap()]);
            prop_assert!((found - sum.min(f64::from(f32::MAX))).abs() <= 1e-6 * sum, "{} {}", found, sum);
        }
        prop_assert_eq!(matrix.transposed().transposed(), matrix);
    }

    #[test]
    fn a_collected_log_is_the_same_as_its_rows(rows in near_facts(), options in options(), period in period()) {
        let log = log(&rows);
        let mut purchases = PurchaseSummary::new(&options, Decimals::TWO);
        let mut rfm = RfmSummary::new(&options.zone, options.refunds, Decimals::TWO);
        let mut activity = ActivitySummary::new(period, &options.zone);
        for &(customer, time, amount) in &rows {
            purchases.push(customer, time, amount).unwrap();
            rfm.push(customer, time, amount).unwrap();
            activity.push(customer, time).unwrap();
        }
        prop_assert_eq!(purchases, PurchaseSummary::collect(&log, &options).unwrap());
        prop_assert_eq!(rfm, RfmSummary::collect(&log, &options.zone, options.refunds).unwrap());
        let events = Events::from(&log);
        prop_assert_eq!(activity, ActivitySummary::collect(&events, period, &options.zone).unwrap());
    }

    #[test]
    fn purchases_and_refunds_are_as_a_map_tells(rows in facts(), options in options()) {
        let purchases = PurchaseSummary::collect(&log(&rows), &options).unwrap().purchases().unwrap();
        let mut unmatched = (0, 0);
        for customer in 0..7 {
            let (expected, left) = oracle(&rows, &options, customer);
            let found: Vec<(i64, i64)> =
                purchases.of(customer).iter().map(|p| (p.period, p.amount_minor)).collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            unmatched.0 += u32::from(left > 0);
            unmatched.1 += i128::from(left);
        }
        let found = purchases.unmatched_refunds();
        prop_assert_eq!((found.customers, found.amount_minor), unmatched);
    }

    #[test]
    fn histories_and_hold_outs_are_as_a_map_tells(
        rows in facts(), options in options(), end in time(), later in 0_i64..5_000,
    ) {
        let until = end.saturating_add_s(later * DAY_S);
        let purchases = PurchaseSummary::collect(&log(&rows), &options).unwrap().purchases().unwrap();
        let histories = purchases.histories(end, TimeUnit::Day).unwrap();
        let holdout = purchases.holdout(&histories, end, until).unwrap();
        let (end, until) = (period_of(&options, end), period_of(&options, until));
        let mut row = 0;
        for customer in 0..7 {
            let (all, _) = oracle(&rows, &options, customer);
            let seen: Vec<(i64, i64)> = all.range(..=end).map(|(&p, &a)| (p, a)).collect();
            let Some(&(first, _)) = seen.first() else { continue };
            let history = histories.get(row).unwrap();
            prop_assert_eq!(histories.customer()[row], customer);
            prop_assert_eq!(history.frequency as usize, seen.len() - 1);
            let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
            let last = seen.last().unwrap().0;
            prop_assert!(near(history.recency, days(&options, last) - days(&options, first)));
            prop_assert!(near(history.age, days(&options, end) - days(&options, first)));
            // The product of the gaps instead of the sum of their logarithms would leave the range.
            let mut logs = 0.0;
            let mut spend = 0;
            for pair in seen.windows(2) {
                logs += (days(&options, pair[1].0) - days(&options, pair[0].0)).log2();
                spend += pair[1].1;
            }
            // Hours as fractions of the days since 1970 keep twelve digits.
            prop_assert!((history.log_gaps - logs / std::f64::consts::LOG2_E).abs() < 1e-6);
            let mean = spend as f64 / 100.0 / (seen.len() - 1).max(1) as f64;
            prop_assert!(near(history.mean_spend, mean));
            let held: Vec<i64> = all.iter().filter(|(p, _)| **p > end && **p <= until).map(|(_, &a)| a).collect();
            prop_assert_eq!(holdout.purchases[row] as usize, held.len());
            prop_assert_eq!(holdout.spend_minor[row], held.iter().sum::<i64>());
            row += 1;
        }
        prop_assert_eq!(row, histories.len());
    }

    #[test]
    fn what_was_known_at_an_end_is_what_the_rows_until_then_say(
        rows in facts(), options in options(), end in time(),
    ) {
        let all = PurchaseSummary::collect(&log(&rows), &options).unwrap();
        let known: Vec<Row> =
            rows.iter().copied().filter(|row| period_of(&options, row.1) <= period_of(&options, end)).collect();
        let known = PurchaseSummary::collect(&log(&known), &options).unwrap().purchases().unwrap();
        let as_of = all.purchases_as_of(end).unwrap();
        for customer in 0..7 {
            prop_assert_eq!(as_of.of(customer), known.of(customer));
        }
        prop_assert_eq!(as_of.unmatched_refunds(), known.unmatched_refunds());
    }

    #[test]
    fn the_tracking_curve_counts_every_repeat_purchase_in_its_step(
        rows in vec((0_u32..6, near(), 0_i64..9), 0..60), options in options(), step in 1_u32..40, until in near(),
    ) {
        let purchases = PurchaseSummary::collect(&log(&rows), &options).unwrap().purchases().unwrap();
        let curve = purchases.repeat_purchases_by_period(step, until).unwrap();
        let mut expected: BTreeMap<usize, u64> = BTreeMap::new();
        let until = period_of(&options, until);
        let bought: Vec<_> = (0..7).map(|customer| oracle(&rows, &options, customer).0).collect();
        let start = bought.iter().filter_map(|all| all.keys().next()).min().copied();
        for all in &bought {
            for &period in all.keys().skip(1).filter(|&&period| period <= until) {
                let since = days(&options, period) - days(&options, start.unwrap()).floor();
                *expected.entry((since / f64::from(step)) as usize).or_default() += 1;
            }
        }
        let found: BTreeMap<usize, u64> = (0..).zip(curve).filter(|&(_, count)| count > 0).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn activity_is_as_sets_tell(rows in near_facts(), zone in zone(), period in period(), from in -600_i32..600) {
        let log = log(&rows);
        let activity = ActivitySummary::collect(&Events::from(&log), period, &zone).unwrap();
        let mut sets: BTreeMap<u32, BTreeSet<i32>> = BTreeMap::new();
        for &(customer, time, _) in &rows {
            sets.entry(customer).or_default().insert(period.index_of_day(zone.day(time)));
        }
        let all: BTreeSet<i32> = sets.values().flatten().copied().collect();
        let range = activity.periods();
        prop_assert_eq!(
            (range.start, range.end),
            all.first().map_or((0, 0), |&first| (first, all.last().unwrap() + 1))
        );
        for customer in 0..7 {
            let set = sets.get(&customer).cloned().unwrap_or_default();
            prop_assert_eq!(activity.first(customer), set.first().copied());
            prop_assert_eq!(activity.last(customer), set.last().copied());
            prop_assert!(activity.active(customer).eq(set.iter().copied()));
            let middle = set.iter().nth(set.len() / 2).copied().unwrap_or(0);
            let window = middle.saturating_sub(from)..middle.saturating_add(70);
            prop_assert_eq!(
                activity.active_within(customer, window.clone()) as usize,
                set.iter().filter(|p| window.contains(p)).count()
            );
            for period in middle - 2..middle + 3 {
                prop_assert_eq!(activity.is_active(customer, period), set.contains(&period));
            }
        }
    }

    #[test]
    fn cohorts_are_as_a_map_tells(
        rows in vec((0_u32..30, 0_i64..400), 0..200), period in period(), zone in zone(),
    ) {
        let rows: Vec<Row> = rows.iter().map(|&(customer, day)| (customer, at(day * DAY_S), 1)).collect();
        let log = log(&rows);
        let activity = ActivitySummary::collect(&Events::from(&log), period, &zone).unwrap();
        let mut sets: BTreeMap<u32, BTreeSet<i32>> = BTreeMap::new();
        for &(customer, time, _) in &rows {
            sets.entry(customer).or_default().insert(period.index_of_day(zone.day(time)));
        }
        let cohorts = activity.cohort_counts().unwrap();
        let start = activity.periods().start;
        prop_assert_eq!(cohorts.len(), activity.periods().len());
        let mut counts: BTreeMap<(usize, usize), u32> = BTreeMap::new();
        for set in sets.values() {
            let first = *set.first().unwrap();
            for period in set {
                *counts.entry(((first - start) as usize, (period - first) as usize)).or_default() += 1;
            }
        }
        for cohort in 0..=cohorts.len() {
            for offset in 0..=cohorts.len() {
                let expected = (cohort + offset < cohorts.len())
                    .then(|| counts.get(&(cohort, offset)).copied().unwrap_or(0));
                prop_assert_eq!(cohorts.get(cohort, offset), expected);
            }
        }
        let active: Vec<usize> =
            activity.periods().map(|p| sets.values().filter(|set| set.contains(&p)).count()).collect();
        prop_assert!(activity.active_counts().iter().map(|&n| n as usize).eq(active));
    }

    #[test]
    fn rfm_is_as_a_map_tells(rows in facts(), zone in zone(), net: bool) {
        let refunds = if net { Refunds::Net } else { Refunds::Ignore };
        let columns = RfmSummary::collect(&log(&rows), &zone, refunds).unwrap().columns().unwrap();
        let mut found = BTreeMap::new();
        for row in 0..columns.customer.len() {
            let value = (columns.last_day[row], columns.rows[row], columns.amount_minor[row]);
            found.insert(columns.customer[row], value);
        }
        let mut expected = BTreeMap::new();
        for customer in 0..7 {
            let of: Vec<&Row> = rows.iter().filter(|row| row.0 == customer).collect();
            let bought = of.iter().filter(|row| row.2 >= 0);
            if let Some(last) = bought.clone().map(|row| zone.day(row.1)).max() {
                let sum = of.iter().filter(|row| net || row.2 >= 0).map(|row| row.2).sum::<i64>();
                expected.insert(customer, (last, bought.count() as u32, sum));
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn item_weights_are_the_exact_sums_rounded_once(
        rows in vec((0_u32..4, 0_u32..(1 << 24), 0_i32..40), 0..80),
    ) {
        // Whole numbers of 2^-20, so that 128 bits hold their sum exactly.
        let weight = |&(_, mantissa, exponent): &(u32, u32, i32)| mantissa as f32 * 2_f32.powi(exponent - 20);
        let columns = InteractionColumns {
            customers: 1,
            items: 4,
            customer: vec![0; rows.len()],
            item: rows.iter().map(|row| row.0).collect(),
            weight: rows.iter().map(weight).collect(),
            time: vec![at(0); rows.len()],
        };
        let summary = ItemSummary::collect(&Interactions::from_columns(columns).unwrap()).unwrap();
        for item in 0..5 {
            let of = rows.iter().filter(|row| row.0 == item);
            let sum: i128 = of.clone().map(|&(_, m, e)| i128::from(m) << e).sum();
            prop_assert_eq!(summary.rows(item), of.count() as u64);
            prop_assert_eq!(summary.weight(item), sum as f64 / 2_f64.powi(20));
        }
    }
}

fn by_day(refunds: Refunds) -> PurchaseOptions {
    PurchaseOptions {
        grain: Grain::Period(Period::Day),
        zone: Zone::UTC,
        refunds,
    }
}

#[test]
fn sums_that_leave_their_range_are_errors_in_any_order() {
    let limit = i64::MAX / AMOUNT_MAX;
    let rows = |count: i64, amount: i64| vec![(0, at(0), amount); count as usize];
    for (facts, what) in [
        (rows(limit + 1, AMOUNT_MAX), "purchases"),
        (
            [rows(limit + 1, -AMOUNT_MAX), rows(1, 5)].concat(),
            "refunds",
        ),
    ] {
        let empty = PurchaseSummary::new(&by_day(Refunds::Net), Decimals::TWO);
        assert_eq!(laws::check(&empty, &facts, 1), Ok(()));
        let summary = PurchaseSummary::collect(&log(&facts), &by_day(Refunds::Net)).unwrap();
        let overflow = DataError::Overflow { what, customer: 0 };
        assert_eq!(summary.purchases().unwrap_err(), overflow);
        assert_eq!(summary.purchases_as_of(at(0)).unwrap_err(), overflow);

        let empty = RfmSummary::new(&Zone::UTC, Refunds::Net, Decimals::TWO);
        assert_eq!(laws::check(&empty, &facts, 1), Ok(()));
        let summary = RfmSummary::collect(&log(&facts), &Zone::UTC, Refunds::Net).unwrap();
        let what = "amounts";
        let overflow = DataError::Overflow { what, customer: 0 };
        assert_eq!(summary.columns().unwrap_err(), overflow);
    }
    // A total over several days leaves the range although no day does.
    let days: Vec<Row> = (0..=limit)
        .map(|day| (3, at(day * DAY_S), AMOUNT_MAX))
        .collect();
    let summary = PurchaseSummary::collect(&log(&days), &by_day(Refunds::Ignore)).unwrap();
    assert!(matches!(
        summary.purchases(),
        Err(DataError::Overflow { customer: 3, .. })
    ));
    // What leaves the range on the way and comes back is no error, in any order.
    let there_and_back = [rows(limit + 1, AMOUNT_MAX), rows(2, -AMOUNT_MAX)].concat();
    let empty = RfmSummary::new(&Zone::UTC, Refunds::Net, Decimals::TWO);
    assert_eq!(laws::check(&empty, &there_and_back, 1), Ok(()));
    let summary = RfmSummary::collect(&log(&there_and_back), &Zone::UTC, Refunds::Net).unwrap();
    let columns = summary.columns().unwrap();
    assert_eq!(columns.amount_minor, [(limit - 1) * AMOUNT_MAX]);
}

#[test]
fn summaries_of_different_settings_do_not_merge() {
    let options = by_day(Refunds::Net);
    let mismatch = |error: DataError| match error {
        DataError::Mismatch { setting, .. } => setting,
        other => panic!("{other}"),
    };
    let tokyo = Zone::named("Asia/Tokyo").unwrap();
    let new = |options: &PurchaseOptions, decimals| PurchaseSummary::new(options, decimals);
    for (other, setting) in [
        (
            new(
                &PurchaseOptions {
                    grain: Grain::Instant,
                    ..options.clone()
                },
                Decimals::TWO,
            ),
            "grain",
        ),
        (
            new(
                &PurchaseOptions {
                    zone: tokyo.clone(),
                    ..options.clone()
                },
                Decimals::TWO,
            ),
            "zone",
        ),
        (new(&by_day(Refunds::Ignore), Decimals::TWO), "refunds"),
        (new(&options, Decimals::ZERO), "decimals"),
    ] {
        let mut summary = new(&options, Decimals::TWO);
        assert_eq!(mismatch(summary.merge(other).unwrap_err()), setting);
    }
    let rfm = |zone: &Zone, refunds, decimals| RfmSummary::new(zone, refunds, decimals);
    for (other, setting) in [
        (rfm(&tokyo, Refunds::Net, Decimals::TWO), "zone"),
        (rfm(&Zone::UTC, Refunds::Ignore, Decimals::TWO), "refunds"),
        (rfm(&Zone::UTC, Refunds::Net, Decimals::ZERO), "decimals"),
    ] {
        let mut summary = rfm(&Zone::UTC, Refunds::Net, Decimals::TWO);
        assert_eq!(mismatch(summary.merge(other).unwrap_err()), setting);
    }
    for (other, setting) in [
        (ActivitySummary::new(Period::Month, &Zone::UTC), "period"),
        (ActivitySummary::new(Period::Day, &tokyo), "zone"),
    ] {
        let mut summary = ActivitySummary::new(Period::Day, &Zone::UTC);
        assert_eq!(mismatch(summary.merge(other).unwrap_err()), setting);
    }
}

#[test]
fn numbers_and_amounts_out_of_bounds_are_refused_and_change_nothing() {
    let too_large = |result: Result<(), DataError>| {
        assert!(
            matches!(result, Err(DataError::TooLarge { .. })),
            "{result:?}"
        );
    };
    let mut purchases = PurchaseSummary::new(&by_day(Refunds::Net), Decimals::TWO);
    too_large(purchases.push(u32::MAX, at(0), 1));
    assert!(matches!(
        purchases.push(0, at(0), AMOUNT_MAX + 1),
        Err(DataError::Value { .. })
    ));
    assert!(purchases.push(0, at(0), i64::MIN).is_err());
    assert_eq!(
        purchases,
        PurchaseSummary::new(&by_day(Refunds::Net), Decimals::TWO)
    );

    let mut rfm = RfmSummary::new(&Zone::UTC, Refunds::Net, Decimals::TWO);
    too_large(rfm.push(u32::MAX, at(0), 1));
    assert!(rfm.push(0, at(0), -AMOUNT_MAX - 1).is_err());
    assert_eq!(
        rfm,
        RfmSummary::new(&Zone::UTC, Refunds::Net, Decimals::TWO)
    );

    let mut items = ItemSummary::new();
    too_large(items.push(u32::MAX, 1.0));
    assert!(items.push(0, f32::NAN).is_err() && items.push(0, -1.0).is_err());
    assert_eq!(items, ItemSummary::new());

    let mut activity = ActivitySummary::new(Period::Day, &Zone::UTC);
    too_large(activity.push(u32::MAX, at(0)));
    activity.push(99_999, at(0)).unwrap();
    let before = activity.clone();
    too_large(activity.push(0, Timestamp::MAX));
    too_large(activity.push(0, Timestamp::MIN));
    assert_eq!(activity, before);
    let mut far = ActivitySummary::new(Period::Day, &Zone::UTC);
    far.push(0, Timestamp::MAX).unwrap();
    too_large(activity.merge(far));
    assert_eq!(activity, before);

    let claimed = Transactions::from_columns(
        Decimals::TWO,
        TransactionColumns {
            customers: u32::MAX,
            ..TransactionColumns::default()
        },
    )
    .unwrap();
    assert!(PurchaseSummary::collect(&claimed, &by_day(Refunds::Net)).is_err());
    assert!(RfmSummary::collect(&claimed, &Zone::UTC, Refunds::Net).is_err());
    assert!(ActivitySummary::collect(&Events::from(&claimed), Period::Day, &Zone::UTC).is_err());
}

#[test]
fn activity_reaches_from_one_end_of_time_to_the_other() {
    let ends = [(0, Timestamp::MAX), (1, at(0)), (0, Timestamp::MIN)];
    for (period, cells) in [(Period::Day, None), (Period::Year, Some(19_999_usize))] {
        let empty = ActivitySummary::new(period, &Zone::UTC);
        assert_eq!(laws::check(&empty, &ends, 5), Ok(()));
        let mut activity = empty;
        for (customer, time) in ends {
            activity.push(customer, time).unwrap();
        }
        assert_eq!(activity.active(0).count(), 2);
        assert_eq!(activity.last(0), Some(activity.periods().end - 1));
        match (activity.cohort_counts(), cells) {
            (Ok(cohorts), Some(len)) => assert_eq!(cohorts.len(), len),
            (Err(DataError::TooLarge { .. }), None) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[test]
fn rows_beyond_those_that_may_wait_are_sorted_on_the_way() {
    let options = by_day(Refunds::Ignore);
    let rows: Vec<Row> = (0..150_000_u32)
        .map(|row| {
            (
                row.wrapping_mul(2_654_435_761) % 997,
                at(i64::from(row % 31) * DAY_S),
                7,
            )
        })
        .collect();
    let mut pushed = PurchaseSummary::new(&options, Decimals::TWO);
    for &(customer, time, amount) in &rows {
        pushed.push(customer, time, amount).unwrap();
    }
    assert_eq!(
        pushed,
        PurchaseSummary::collect(&log(&rows), &options).unwrap()
    );
    let purchases = pushed.into_purchases().unwrap();
    let spent: i64 = purchases.iter().flatten().map(|p| p.amount_minor).sum();
    assert_eq!(spent, 7 * 150_000);
}
