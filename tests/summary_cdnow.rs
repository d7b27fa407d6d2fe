//! Purchase histories and hold-outs equal the published ones, customer by customer.

use std::collections::HashMap;
use std::path::PathBuf;

use tenure::event::{Decimals, Ids, Period, Timestamp, Transactions, Zone};
use tenure::summary::{
    Grain, Histories, PurchaseOptions, PurchaseSummary, Purchases, Refunds, TimeUnit,
};

/// Logarithms of other libraries differ in the last place; a history has up to 170 of them.
const LOG_TOLERANCE: f64 = 1e-12;

/// Where a data file is: shipped, or among the files that `TENURE_DATA_DIR` holds.
fn find(name: &str) -> Option<PathBuf> {
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/lifetime");
    let local = std::env::var_os("TENURE_DATA_DIR").map(|dir| PathBuf::from(dir).join("lifetime"));
    [Some(shipped), local]
        .into_iter()
        .flatten()
        .map(|dir| dir.join(name))
        .find(|path| path.exists())
}

/// The rows of a file, each by column name.
fn rows(path: PathBuf) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// Some files write an amount as the nearest binary number: 118.22999999999999.
fn cents(text: &str) -> i64 {
    let nearest = || (text.parse::<f64>().unwrap() * 100.0).round() as i64;
    Decimals::TWO.parse(text).unwrap_or_else(nearest)
}

struct Case {
    name: &'static str,
    expected: &'static str,
    columns: [&'static str; 2],
    amount: Option<&'static str>,
    end: &'static str,
    until: &'static str,
}

fn purchases(case: &Case, path: PathBuf) -> (Purchases, Ids<String>) {
    let log = rows(path).into_iter().map(|mut row| {
        let [customer, time] = case.columns.map(|column| row.remove(column).unwrap());
        let amount = case.amount.map_or(0, |column| cents(&row[column]));
        (customer, time.parse().unwrap(), amount)
    });
    let (log, customers) = Transactions::from_rows(Decimals::TWO, log).unwrap();
    let options = PurchaseOptions {
        grain: Grain::Period(Period::Day),
        zone: Zone::UTC,
        refunds: Refunds::Ignore,
    };
    let summary = PurchaseSummary::collect(&log, &options).unwrap();
    (summary.purchases().unwrap(), customers)
}

/// Compares every customer of the file of expectations; returns how many there were.
fn check(case: &Case) -> Option<usize> {
    let (log, expected) = (find(case.name)?, find(case.expected)?);
    let (purchases, customers) = purchases(case, log);
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let days: Histories = purchases.histories(at(case.end), TimeUnit::Day).unwrap();
    let weeks = purchases.histories(at(case.end), TimeUnit::Week).unwrap();
    let holdout = purchases
        .holdout(&days, at(case.end), at(case.until))
        .unwrap();
    let row_of: HashMap<u32, usize> = days.customer().iter().copied().zip(0..).collect();

    let expected = rows(expected);
    for row in &expected {
        let id = &row["id"];
        let number = |column: &str| row[column].parse::<f64>().unwrap();
        let at = row_of[&customers.get(id.as_str()).unwrap()];
        let (day, week) = (days.get(at).unwrap(), weeks.get(at).unwrap());
        assert_eq!(f64::from(day.frequency), number("x"), "x of {id}");
        assert_eq!(day.recency, number("t_x_days"), "t_x of {id}");
        assert_eq!(day.age, number("T_days"), "T of {id}");
        assert_eq!(week.frequency, day.frequency);
        assert!((week.recency * 7.0 - day.recency).abs() < 1e-9);
        let litt = number("litt_weeks");
        assert!(
            (week.log_gaps - litt).abs() <= LOG_TOLERANCE * litt.abs().max(1.0),
            "log gaps of {id}: {} for {litt}",
            week.log_gaps
        );
        if row.contains_key("mean_repeat_spend") {
            let (found, mean) = (day.mean_spend, number("mean_repeat_spend"));
            // Written with many more digits than a cent's share among the purchases.
            assert!(
                (found - mean).abs() < 1e-9,
                "spend of {id}: {found} for {mean}"
            );
        }
        if row.contains_key("x_hold") {
            let held = holdout.purchases[at];
            assert_eq!(f64::from(held), number("x_hold"), "hold-out of {id}");
        }
        if row.contains_key("spend_hold") {
            let found = Decimals::TWO.to_major(holdout.spend_minor[at]);
            let spend = number("spend_hold");
            assert!(
                (found - spend).abs() < 1e-9,
                "hold-out spend of {id}: {found} for {spend}"
            );
        }
    }
    assert_eq!(expected.len(), days.len());
    Some(expected.len())
}

fn cdnow(name: &'static str, expected: &'static str) -> Case {
    Case {
        name,
        expected,
        columns: ["cust", "date"],
        amount: Some("sales"),
        end: "1997-09-30",
        until: "1998-06-30",
    }
}

#[test]
fn the_cdnow_sample_is_the_published_one() {
    let case = cdnow("cdnow_sample_elog.csv", "cdnow_sample_cbs.csv");
    assert_eq!(check(&case), Some(2_357));
}

#[test]
fn all_of_cdnow_is_the_published_one() {
    let case = cdnow("cdnow_master_elog.csv", "cdnow_master_cbs.csv");
    assert_eq!(check(&case), Some(23_570));
}

#[test]
fn the_simulated_example_is_the_published_one() {
    let customers = check(&Case {
        name: "example_transactions_elog.csv",
        expected: "example_transactions_cbs.csv",
        columns: ["id", "date"],
        amount: None,
        end: "2014-12-08",
        until: "2014-12-31",
    });
    assert_eq!(customers, Some(5_000));
}

#[test]
fn the_grocer_and_the_apparel_shop_are_the_published_ones_where_they_are() {
    let grocer = check(&Case {
        name: "grocery_elog.csv",
        expected: "grocery_cbs.csv",
        columns: ["cust", "date"],
        amount: None,
        end: "2006-12-31",
        until: "2007-12-30",
    });
    let apparel = check(&Case {
        name: "apparel_elog.csv",
        expected: "apparel_cbs_104w.csv",
        columns: ["Id", "Date"],
        amount: Some("Price"),
        end: "2006-12-31",
        until: "2010-12-20",
    });
    assert!(matches!(grocer, None | Some(1_525)), "{grocer:?}");
    assert!(matches!(apparel, None | Some(600)), "{apparel:?}");
}

#[test]
fn repeat_purchases_by_week_add_up_to_calibration_and_hold_out() {
    let case = cdnow("cdnow_sample_elog.csv", "cdnow_sample_cbs.csv");
    let (purchases, _) = purchases(&case, find(case.name).unwrap());
    let end = |day: &str| day.parse::<Timestamp>().unwrap();
    let weeks = purchases
        .repeat_purchases_by_period(7, end(case.until))
        .unwrap();
    assert_eq!(weeks.len(), 78);
    // 39 weeks from 1997-01-01 end on the last day of the calibration.
    let calibration: u64 = weeks[..39].iter().sum();
    let histories = purchases.histories(end(case.end), TimeUnit::Week).unwrap();
    let repeats: u64 = histories.frequency().iter().map(|&x| u64::from(x)).sum();
    assert_eq!(calibration, repeats);
    assert_eq!(weeks[39..].iter().sum::<u64>(), 1_882);

    let firsts = purchases.first_purchase_days();
    let customers: u32 = firsts.iter().map(|&(_, customers)| customers).sum();
    assert_eq!(customers, 2_357);
    // They all came in the first twelve weeks.
    assert!(firsts.last().unwrap().0 - firsts[0].0 < 84);
}
