//! The section `retention` of the golden file: every figure, exactly.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::Value;
use tenure::event::{
    DAY_S, Decimals, Events, Period, Timestamp, TransactionColumns, Transactions, Zone,
};
use tenure::retention::{
    Activity, CohortMatrix, Measure, PeriodChurn, RepeatPurchases, Rolling, Share,
};
use tenure::summary::{
    ActivitySummary, Grain, PurchaseOptions, PurchaseSummary, Purchases, Refunds,
};

struct Golden {
    entry: Value,
    log: Transactions,
    until: Timestamp,
}

impl Golden {
    fn load() -> Self {
        let folder = std::env::var_os("TENURE_GOLDEN_DIR").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
            PathBuf::from,
        );
        let text = std::fs::read_to_string(folder.join("segment.json")).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let entry = file["retention"].clone();
        let mut numbers = BTreeMap::new();
        let mut columns = TransactionColumns::default();
        for event in entry["events"].as_array().unwrap() {
            let key = event[0].as_str().unwrap().to_owned();
            let next = numbers.len() as u32;
            columns.customer.push(*numbers.entry(key).or_insert(next));
            columns.time.push(at(event[1].as_i64().unwrap()));
            columns.amount.push(0);
        }
        columns.customers = numbers.len() as u32;
        let log = Transactions::from_columns(Decimals::ZERO, columns).unwrap();
        let until = at((entry["last_day"].as_i64().unwrap() + 1) * DAY_S);
        Self { entry, log, until }
    }

    fn days(&self) -> ActivitySummary {
        ActivitySummary::collect(&Events::from(&self.log), Period::Day, &Zone::UTC).unwrap()
    }

    fn observed(&self) -> std::ops::Range<i32> {
        0..(self.until.unix_s() / DAY_S) as i32
    }

    fn purchases(&self, grain: Grain) -> Purchases {
        let (zone, refunds) = (Zone::UTC, Refunds::Ignore);
        let options = PurchaseOptions {
            grain,
            zone,
            refunds,
        };
        let summary = PurchaseSummary::collect(&self.log, &options).unwrap();
        summary.into_purchases().unwrap()
    }

    fn counts(&self, path: &str) -> Vec<u32> {
        numbers(&self.entry[path])
    }

    fn check_cohorts(&self, name: &str, matrix_of: impl Fn(&Measure<'_>) -> CohortMatrix) {
        let golden = &self.entry[name];
        let table = |path: &str| -> Vec<Vec<u32>> {
            golden[path]
                .as_array()
                .unwrap()
                .iter()
                .map(numbers)
                .collect()
        };
        let n_day = table("n_day_counts");
        let offsets = n_day[0].len() as u32;
        let ranges: Vec<RangeInclusive<u32>> = table("bracket_ranges_inclusive")
            .iter()
            .map(|range| range[0]..=range[1])
            .collect();

        let n_period = matrix_of(&Measure::NPeriod { offsets });
        let unbounded = matrix_of(&Measure::Unbounded { offsets });
        let brackets = matrix_of(&Measure::Brackets(&ranges));
        for matrix in [&n_period, &unbounded, &brackets] {
            let cohorts = matrix.cohorts();
            let first: Vec<u32> = cohorts.iter().map(|c| c.period as u32).collect();
            let size: Vec<u32> = cohorts.iter().map(|c| c.size).collect();
            assert_eq!(first, numbers(&golden["cohort_first_day"]));
            assert_eq!(size, numbers(&golden["size"]));
        }
        assert_eq!(active(&n_period), n_day, "{name}");
        assert_eq!(active(&unbounded), table("unbounded_counts"), "{name}");
        assert_eq!(active(&brackets), table("bracket_counts"), "{name}");
        for matrix in [&n_period, &unbounded] {
            let complete: Vec<Vec<bool>> = matrix
                .rows()
                .map(|(_, cells)| cells.map(|cell| cell.is_complete()).collect())
                .collect();
            assert_eq!(serde_json::json!(complete), golden["complete"], "{name}");
        }
        for (matrix, path) in [
            (&n_period, "weighted_average_n_day_complete_cells"),
            (&unbounded, "weighted_average_unbounded_complete_cells"),
        ] {
            let averages: Vec<f64> = matrix.averages().iter().filter_map(|a| a.rate()).collect();
            assert_eq!(serde_json::json!(averages), golden[path], "{name} {path}");
        }
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(seconds).unwrap()
}

fn numbers(list: &Value) -> Vec<u32> {
    let number = |n: &Value| n.as_u64().unwrap() as u32;
    list.as_array().unwrap().iter().map(number).collect()
}

fn active(matrix: &CohortMatrix) -> Vec<Vec<u32>> {
    matrix
        .rows()
        .map(|(_, cells)| cells.map(|cell| cell.active()).collect())
        .collect()
}

#[test]
fn calendar_cohorts() {
    let golden = Golden::load();
    let days = golden.days();
    golden.check_cohorts("calendar", |measure| {
        CohortMatrix::calendar(&days, measure, golden.until).unwrap()
    });
}

#[test]
fn rolling_cohorts() {
    let golden = Golden::load();
    let clock = Rolling {
        period: Period::Day,
        zone: Zone::UTC,
        length_s: DAY_S,
    };
    golden.check_cohorts("rolling_24h", |measure| {
        let events = Events::from(&golden.log);
        CohortMatrix::rolling(&events, &clock, measure, golden.until).unwrap()
    });
}

#[test]
fn activity() {
    let golden = Golden::load();
    let days = golden.days();
    let activity = Activity::new(&days, golden.observed()).unwrap();
    assert_eq!(activity.active(), golden.counts("dau"));
    assert_eq!(
        activity.trailing(7).unwrap(),
        golden.counts("wau_trailing7")
    );
    assert_eq!(
        activity.stickiness(7).unwrap(),
        golden.entry["stickiness_dau_over_wau_mean_full_windows"].as_f64()
    );
    assert_eq!(
        activity.customers_by_active_periods(),
        golden.counts("stickiness_users_by_days_active")
    );
    let lifecycle: Vec<Value> = activity
        .lifecycle()
        .iter()
        .map(|l| {
            serde_json::json!({
                "day": l.period, "new": l.new, "returning": l.returning,
                "resurrecting": l.resurrecting, "dormant": l.dormant,
            })
        })
        .collect();
    assert_eq!(Value::from(lifecycle), golden.entry["lifecycle"]);
    assert_eq!(
        activity.quick_ratio(),
        golden.entry["quick_ratio_total"]["value"].as_f64()
    );
}

#[test]
fn repeat_purchases() {
    let golden = Golden::load();
    let purchases = golden.purchases(Grain::Instant);
    let repeat = RepeatPurchases::new(&purchases, golden.until);
    assert_eq!(
        repeat.rate().rate(),
        golden.entry["repeat_rate"]["value"].as_f64()
    );
    assert_eq!(
        repeat.median_gap_s(),
        golden.entry["median_gap_seconds_type7"].as_f64()
    );
    assert_eq!(
        repeat.mean_purchases(),
        golden.entry["mean_events_per_user"].as_f64()
    );

    let purchases = golden.purchases(Grain::Period(Period::Day));
    let by_day = RepeatPurchases::new(&purchases, golden.until);
    assert_eq!(
        by_day.rate().rate(),
        golden.entry["repeat_rate_distinct_days"].as_f64()
    );
}

#[test]
fn period_churn() {
    let golden = Golden::load();
    let expected = &golden.entry["period_churn"];
    let churn = PeriodChurn::between(&golden.days(), 0..5, 5..10).unwrap();
    assert_eq!(Some(u64::from(churn.before)), expected["p1"].as_u64());
    assert_eq!(Some(u64::from(churn.after)), expected["p2"].as_u64());
    assert_eq!(
        Some(u64::from(churn.retained)),
        expected["retained"].as_u64()
    );
    assert_eq!(churn.churn().rate(), expected["churn_rate"].as_f64());
    assert_eq!(churn.retention(), Share { part: 6, whole: 8 });
}
