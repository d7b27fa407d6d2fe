//! Pareto/NBD with time-varying covariates on data that do not ship, where they are at hand
//! (`TENURE_DATA_DIR`): the apparel retailer of its authors' package, and a grocer.

use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tenure::event::csv::{Columns, CsvOptions, LoadedCovariates, PathColumns};
use tenure::event::{CovariateRows, Decimals, Ids, Period, Timestamp, Transactions, Zone};
use tenure::lifetime::compare::{Candidate, compare};
use tenure::lifetime::{
    CovariateOptions, DynamicCovariates, DynamicParetoNbd, Effect, Family, FitOptions, FitStatus,
    Limit, ParetoNbd, PurchaseModel,
};
use tenure::summary::{
    CovariatePaths, Grain, PathHistories, PathValues, PeriodGrid, PurchaseOptions, PurchaseSummary,
    Purchases, Refunds, TimeUnit,
};

const NAMES: [&str; 3] = ["High.Season", "Gender", "Channel"];

fn folder() -> Option<PathBuf> {
    let folder = Path::new(&std::env::var_os("TENURE_DATA_DIR")?).join("lifetime");
    folder.join("apparel_elog.csv").exists().then_some(folder)
}

fn day(year: i16, month: i8, day: i8) -> Timestamp {
    Timestamp::from_civil(year, month, day).unwrap()
}

fn log(file: &Path, columns: &Columns<'_>) -> (Purchases, Ids<String>) {
    let options = CsvOptions::new(Decimals::TWO, Zone::UTC);
    let loaded = Transactions::from_csv(File::open(file).unwrap(), columns, &options).unwrap();
    let options = PurchaseOptions {
        grain: Grain::Period(Period::Day),
        zone: Zone::UTC,
        refunds: Refunds::Ignore,
    };
    let summary = PurchaseSummary::collect(&loaded.facts, &options).unwrap();
    (summary.into_purchases().unwrap(), loaded.customers)
}

fn covariates(file: &Path, customers: &Ids<String>) -> CovariateRows {
    let columns = PathColumns {
        customer: "Id",
        time: "Cov.Date",
        covariates: &NAMES,
    };
    let file = GzDecoder::new(File::open(file).unwrap());
    let options = CsvOptions::new(Decimals::ZERO, Zone::UTC);
    let loaded = CovariateRows::from_csv(file, &columns, customers, &options).unwrap();
    let LoadedCovariates {
        rows, strangers, ..
    } = loaded;
    assert_eq!(strangers, 0);
    rows
}

/// Mean absolute error and relative error of the total in the hold-out.
fn errors(
    expected: &[f64],
    data: &PathHistories<'_>,
    purchases: &Purchases,
    until: Timestamp,
) -> (f64, f64) {
    let held = purchases
        .holdout(data.histories(), data.end(), until)
        .unwrap();
    let pairs = expected.iter().zip(&held.purchases);
    let absolute: f64 = pairs.map(|(e, &h)| (e - f64::from(h)).abs()).sum();
    let happened: u32 = held.purchases.iter().sum();
    let total: f64 = expected.iter().sum();
    (
        absolute / expected.len() as f64,
        total / f64::from(happened) - 1.0,
    )
}

fn plain_errors(
    plain: &ParetoNbd,
    data: &PathHistories<'_>,
    purchases: &Purchases,
    until: Timestamp,
) -> (f64, f64) {
    let mut expected = vec![0.0; data.histories().len()];
    let horizon = weeks(data, until);
    let histories = data.histories();
    plain
        .expected_purchases_batch(histories, horizon, &mut expected)
        .unwrap();
    errors(&expected, data, purchases, until)
}

fn weeks(data: &PathHistories<'_>, until: Timestamp) -> f64 {
    (until.unix_s() - data.end().unix_s()) as f64 / 604_800.0
}

fn effects(coefficients: [f64; 3]) -> Vec<Effect> {
    let named = NAMES.iter().zip(coefficients);
    let effects = named.map(|(name, coefficient)| Effect {
        name: (*name).to_owned(),
        coefficient,
    });
    effects.collect()
}

fn off((mae, total): (f64, f64), expected: (f64, f64)) {
    assert!((mae - expected.0).abs() < 5e-4, "MAE {mae}");
    assert!((total - expected.1).abs() < 5e-4, "total {total}");
}

/// CLVTools stops at a log-likelihood of -5752.9367, with the parameters below. The likelihood rises
/// further as `life.High.Season` goes to minus infinity: nobody is seen to leave in season.
#[test]
fn apparel() {
    let Some(folder) = folder() else { return };
    let (purchases, customers) = log(
        &folder.join("apparel_elog.csv"),
        &Columns::new("Id", "Date"),
    );
    let mut rows = covariates(&folder.join("apparel_dyn_cov.csv.gz"), &customers);
    let future = covariates(&folder.join("apparel_dyn_cov_future.csv.gz"), &customers);
    rows.append(future).unwrap();
    let grid = PeriodGrid::weeks(day(2005, 1, 2), 407).unwrap();
    let paths = CovariatePaths::from_rows(grid, &rows).unwrap();
    let data = PathHistories::new(&purchases, &paths, day(2006, 12, 31), TimeUnit::Week).unwrap();
    let until = day(2010, 12, 20);

    let theirs = DynamicParetoNbd::new(
        ParetoNbd::new(1.977706, 115.177940, 2.012683, 158.181797).unwrap(),
        effects([0.718314, 0.264898, 0.613721]),
        effects([-2.482678, -0.512544, 0.505730]),
    )
    .unwrap();
    // The parameters are rounded.
    let likelihood = theirs.log_likelihood_of(&data).unwrap();
    assert!((likelihood + 5752.93672).abs() < 1e-5, "{likelihood}");

    let plain = ParetoNbd::fit(data.histories(), &FitOptions::default()).unwrap();
    assert!((plain.report.log_likelihood + 5848.0978).abs() < 1e-3);
    off(
        plain_errors(&plain, &data, &purchases, until),
        (2.0396, 0.1052),
    );

    let fitted = |trans, life| {
        let covariates = DynamicCovariates { trans, life };
        DynamicParetoNbd::fit(&data, &covariates, &FitOptions::default()).unwrap()
    };
    let held_out = |model: &DynamicParetoNbd| {
        let expected = model
            .expected_purchases(&data, weeks(&data, until))
            .unwrap();
        errors(&expected, &data, &purchases, until)
    };
    let all = fitted(&NAMES, &NAMES);
    assert!((all.report.log_likelihood + 5752.6232).abs() < 1e-3);
    let FitStatus::Boundary { drift } = &all.report.status else {
        panic!("{:?}", all.report.status);
    };
    assert_eq!(drift.len(), 1);
    assert_eq!(drift[0].parameter, "life.High.Season");
    assert_eq!(drift[0].limit, Limit::NegativeInfinity);
    off(held_out(&all), (1.8771, -0.1064));

    // The season on purchases alone, the others on both.
    let inside = fitted(&NAMES, &NAMES[1..]);
    assert_eq!(inside.report.status, FitStatus::Interior);
    assert!((inside.report.log_likelihood + 5753.3257).abs() < 1e-3);
    off(held_out(&inside), (1.9015, -0.0361));
    let only = fitted(&NAMES, &[]);
    assert!((only.report.log_likelihood + 5760.2363).abs() < 1e-3);
    off(held_out(&only), (1.9239, -0.0084));

    // In one table with the model that does not know the calendar.
    let named = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let acting = CovariateOptions {
        transaction: named(&NAMES),
        lifetime: named(&NAMES[1..]),
        ..CovariateOptions::default()
    };
    let candidates = [
        Candidate::Plain(Family::ParetoNbd),
        Candidate::Dynamic(&data, &acting),
    ];
    let (calibration, horizon) = (data.histories(), weeks(&data, until));
    let held = purchases.holdout(calibration, data.end(), until).unwrap();
    let options = FitOptions::default();
    let table = compare(&candidates, calibration, &held, horizon, &options).unwrap();
    let rows = table.ranked.iter();
    let rows = rows.map(|row| (row.candidate.name(), row.score.log_score.unwrap()));
    for ((name, log_score), (expected, value)) in
        rows.zip([("pareto_nbd_dynamic", 1.4569), ("pareto_nbd", 1.4670)])
    {
        assert_eq!(name, expected);
        assert!((log_score - value).abs() < 5e-5, "{name}: {log_score}");
    }

    // How sure the total is.
    let posterior = inside.posterior(&data, 100, 1).unwrap();
    assert!(posterior.diagnosis().is_reliable());
    let ahead = posterior.expected_purchases(&data, horizon, 0.9).unwrap();
    let best = inside.expected_total(&data, horizon).unwrap();
    assert!(ahead.total.lower < best && best < ahead.total.upper);
}

/// What the calendar explains of the grocer's total, which Pareto/NBD expects 17.8% too high: not the
/// season of the one year that it was fitted to, but a trend.
#[test]
fn grocery() {
    let Some(folder) = folder() else { return };
    let (purchases, customers) = log(
        &folder.join("grocery_elog.csv"),
        &Columns::new("cust", "date"),
    );
    let grid = PeriodGrid::weeks(day(2006, 1, 1), 105).unwrap();
    let by_week = |of: &dyn Fn(f64) -> f64| {
        PathValues::Shared((0..105).map(|week| of(f64::from(week))).collect())
    };
    let angle = |week: f64| std::f64::consts::TAU * (7.0 * week + 3.5) / 365.25;
    let columns = vec![
        ("sine".to_owned(), by_week(&|week| angle(week).sin())),
        ("cosine".to_owned(), by_week(&|week| angle(week).cos())),
        // Along the year of the fit, and no further.
        ("trend".to_owned(), by_week(&|week| (week / 52.0).min(1.0))),
    ];
    let paths = CovariatePaths::from_columns(grid, customers.len(), columns).unwrap();
    let data = PathHistories::new(&purchases, &paths, day(2006, 12, 31), TimeUnit::Week).unwrap();
    let until = day(2007, 12, 30);
    let plain = ParetoNbd::fit(data.histories(), &FitOptions::default()).unwrap();
    assert!((plain.report.log_likelihood + 15782.3921).abs() < 1e-3);
    off(
        plain_errors(&plain, &data, &purchases, until),
        (1.5079, 0.1776),
    );
    for (trans, likelihood, expected) in [
        (&["sine", "cosine"][..], -15763.6627, (1.5700, 0.2392)),
        (&["trend"], -15762.0289, (1.5035, 0.0347)),
    ] {
        let covariates = DynamicCovariates { trans, life: &[] };
        let fit = DynamicParetoNbd::fit(&data, &covariates, &FitOptions::default()).unwrap();
        assert_eq!(fit.report.status, FitStatus::Interior);
        assert!((fit.report.log_likelihood - likelihood).abs() < 1e-3);
        let ahead = fit.expected_purchases(&data, weeks(&data, until)).unwrap();
        off(errors(&ahead, &data, &purchases, until), expected);
    }
}
