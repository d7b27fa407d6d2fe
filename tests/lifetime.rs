//! BG/NBD, Gamma-Gamma and what is built on them, against recorded numbers.

use serde_json::Value;
use tenure::lifetime::{
    BgNbd, CustomerValue, Discount, FitOptions, FitReport, FitStatus, GammaGamma, Horizon,
    PurchaseDistribution, PurchaseModel, SpendModel, UnitSpend, forecast,
};
use tenure::summary::{Histories, History, HistoryColumns, TimeUnit};

fn golden() -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lifetime.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Columns of a shipped data file, by name.
fn columns<const N: usize>(file: &str, names: [&str; N]) -> [Vec<f64>; N] {
    let path = format!("{}/tests/data/lifetime/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let places = names.map(|name| header.iter().position(|h| h == name).unwrap());
    let mut columns = [const { Vec::new() }; N];
    for record in reader.records() {
        let record = record.unwrap();
        for (column, place) in columns.iter_mut().zip(places) {
            column.push(record[place].parse().unwrap());
        }
    }
    columns
}

fn cdnow() -> Histories {
    let names = ["x", "t_x_days", "T_days", "mean_repeat_spend"];
    let [x, t_x, age, spend] = columns("cdnow_sample_cbs.csv", names);
    histories(&x, t_x, age, spend, 7.0)
}

fn histories(x: &[f64], t_x: Vec<f64>, age: Vec<f64>, spend: Vec<f64>, unit: f64) -> Histories {
    let divided = |times: Vec<f64>| times.into_iter().map(|t| t / unit).collect();
    let columns = HistoryColumns {
        frequency: x.iter().map(|&x| x as u32).collect(),
        recency: divided(t_x),
        age: divided(age),
        mean_spend: spend,
        ..HistoryColumns::default()
    };
    Histories::from_columns(TimeUnit::Week, columns).unwrap()
}

#[track_caller]
fn close(what: &str, actual: f64, expected: f64, tolerance: f64) {
    let error = (actual - expected).abs();
    assert!(
        error <= tolerance * expected.abs() || error <= 1e-300,
        "{what}: {actual:e} is not {expected:e}, relative error {:e}",
        error / expected.abs()
    );
}

fn number(value: &Value, name: &str) -> f64 {
    value[name]
        .as_f64()
        .unwrap_or_else(|| panic!("no number `{name}` in {value}"))
}

fn bg_nbd(case: &Value) -> BgNbd {
    let p = |name| number(&case["params"], name);
    BgNbd::new(p("r"), p("alpha"), p("a"), p("b")).unwrap()
}

#[test]
fn golden_fits() {
    let golden = golden();
    let fits = golden["mle"].as_array().unwrap();
    let fit = |id: &str| fits.iter().find(|f| f["id"] == id).unwrap();
    let options = FitOptions::default();

    let bg_nbd = BgNbd::fit(&cdnow(), &options).unwrap();
    check_fit(&bg_nbd.report, fit("mle/cdnow_sample/bgnbd"));
    assert_eq!(bg_nbd.report.distinct, 1016);

    let spend = GammaGamma::fit(&cdnow(), &options).unwrap();
    check_fit(&spend.report, fit("mle/cdnow_sample_cbs/gg"));

    let [x, t_x, age, spend] = columns(
        "cdnow_sample_summary_with_spend.csv",
        ["x", "t_x", "T", "zbar"],
    );
    let published = histories(&x, t_x, age, spend, 1.0);
    let spend = GammaGamma::fit(&published, &options).unwrap();
    check_fit(&spend.report, fit("mle/cdnow_sample/gg"));
}

fn check_fit(report: &FitReport, golden: &Value) {
    let (expected, tolerance) = (&golden["expected"], &golden["tolerance_rel"]);
    assert_eq!(report.status, FitStatus::Interior);
    let log_likelihood = number(expected, "loglik");
    close(
        "log-likelihood",
        report.log_likelihood,
        log_likelihood,
        number(tolerance, "loglik"),
    );
    for (i, estimate) in report.parameters.iter().enumerate() {
        let value = number(&expected["params"], &estimate.name);
        close(
            &estimate.name,
            estimate.value,
            value,
            number(tolerance, "params"),
        );
        let error = number(&expected["standard_errors"], &estimate.name);
        let tolerance = number(tolerance, "standard_errors");
        close(
            &estimate.name,
            estimate.standard_error.unwrap(),
            error,
            tolerance,
        );
        for (j, covariance) in report.covariance.as_ref().unwrap()[i].iter().enumerate() {
            let expected = expected["covariance"][i][j].as_f64().unwrap();
            close("covariance", *covariance, expected, tolerance);
        }
    }
    eprintln!("{}: {} iterations", golden["id"], report.iterations);
}

#[test]
fn golden_answers() {
    let golden = golden();
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap() {
        let tolerance = case["tolerance_rel"].as_f64().unwrap();
        let check = |what: &str, actual, expected: &Value| {
            let what = format!("{} {what}", case["id"]);
            close(&what, actual, expected.as_f64().unwrap(), tolerance);
        };
        match (
            case["model"].as_str().unwrap(),
            case["kind"].as_str().unwrap(),
        ) {
            ("bgnbd", "new_customer_expectation") => {
                let new = History::new(0, 0.0, 0.0).unwrap();
                let times = case["input"]["t"].as_array().unwrap();
                for (t, expected) in times.iter().zip(case["expected"].as_array().unwrap()) {
                    let t = t.as_f64().unwrap();
                    check("new", bg_nbd(case).expected_purchases(&new, t), expected);
                    checked += 1;
                }
            }
            ("bgnbd", "pmf_new_customer") => {
                let expected = case["expected"].as_array().unwrap();
                let mut probabilities = vec![0.0; expected.len()];
                bg_nbd(case)
                    .purchase_probabilities(number(&case["input"], "t"), &mut probabilities);
                for (actual, expected) in probabilities.into_iter().zip(expected) {
                    check("pmf", actual, expected);
                    checked += 1;
                }
            }
            ("bgnbd", _) => {
                let (model, input) = (bg_nbd(case), &case["input"]);
                let x = input["x"].as_u64().unwrap() as u32;
                let history = History::new(x, number(input, "t_x"), number(input, "T")).unwrap();
                for (quantity, expected) in case["expected"].as_object().unwrap() {
                    check(
                        quantity,
                        bg_nbd_answer(&model, &history, quantity),
                        expected,
                    );
                    checked += 1;
                }
            }
            ("gg", _) => {
                let p = |name| number(&case["params"], name);
                let model = GammaGamma::new(p("p"), p("q"), p("v")).unwrap();
                let x = case["input"]["x"].as_u64().unwrap() as u32;
                let spend = number(&case["input"], "m");
                let history = History::new(x, 0.0, 1.0)
                    .unwrap()
                    .with_mean_spend(spend)
                    .unwrap();
                for (quantity, expected) in case["expected"].as_object().unwrap() {
                    let actual = match quantity.as_str() {
                        "loglik" => model.log_likelihood(&history),
                        "expected_mean_spend" => model.expected_spend(&history),
                        other => panic!("unknown quantity {other}"),
                    };
                    check(quantity, actual, expected);
                    checked += 1;
                }
            }
            _ => {}
        }
    }
    assert!(checked > 100, "{checked}");
}

fn bg_nbd_answer(model: &BgNbd, history: &History, quantity: &str) -> f64 {
    let argument = |prefix: &str| quantity.strip_prefix(prefix)?.parse::<f64>().ok();
    if let Some(horizon) = argument("expected_transactions_t") {
        return model.expected_purchases(history, horizon);
    }
    if let Some(rate) = argument("dert_continuous_rate_") {
        return model.discounted_residual_purchases(history, rate);
    }
    match quantity {
        "loglik" => model.log_likelihood(history),
        "p_alive" => model.probability_alive(history),
        "clv_12_months_unit_margin" => {
            let discount = Discount::per_step(0.01).unwrap();
            CustomerValue::new(model, &UnitSpend, discount)
                .of(history, TimeUnit::Week, Horizon::steps(12, 4.345))
                .unwrap()
        }
        other => panic!("unknown quantity {other}"),
    }
}

#[test]
fn cdnow_hold_out_and_frequencies() {
    let histories = cdnow();
    let model = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
    let total = forecast::expected_total(&*model, &histories, 39.0).unwrap();
    assert!((total - 1653.4).abs() < 0.1, "{total}");
    let classes = forecast::frequency_fit(&*model, &histories, 7);
    let actual: Vec<u32> = classes.iter().map(|c| c.actual).collect();
    assert_eq!(actual, [1411, 439, 214, 100, 62, 38, 29, 64]);
    let expected: f64 = classes.iter().map(|c| c.expected).sum();
    close("customers", expected, 2357.0, 1e-12);
    // The published figure 2 of Fader, Hardie and Lee (2005) shows a close fit.
    for class in classes {
        let difference = (class.expected - f64::from(class.actual)).abs();
        assert!(difference < 25.0, "{class:?}");
    }
}
