//! `lifetime.json`: maximum-likelihood fits and answers of purchase, spend and retention models.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tenure::lifetime::{
    BgNbd, CustomerValue, Discount, Estimate, FitOptions, FitReport, FuturePurchases, GammaGamma,
    Horizon, PurchaseDistribution, PurchaseModel, SpendModel, UnitSpend,
};
use tenure::summary::{Histories, History, HistoryColumns, TimeUnit};

use super::data::{DataFolder, Table};
use super::lifetime_contract;
use super::lifetime_gompertz;
use super::lifetime_pareto;
use super::lifetime_static;
use super::tally::Tally;

#[path = "lifetime_mbg.rs"]
mod mbg;

/// The models that the crate says it has: a quantity of theirs that is not supported is a failure.
const CLAIMED: &[&str] = &[
    "bgnbd",
    "gg",
    "nbd",
    "pnbd",
    "ggomnbd",
    "sbg",
    "bdw",
    "geometric",
    "bgbb",
];

fn is_claimed(model: &str) -> bool {
    CLAIMED.contains(&model) || mbg::is_claimed(model) || lifetime_static::is_claimed(model)
}

pub fn evaluate(json: &Value, data: &DataFolder, tally: &mut Tally) {
    for entry in json["mle"].as_array().into_iter().flatten() {
        check_fit(entry, data, tally);
    }
    for entry in json["cases"].as_array().into_iter().flatten() {
        check_answers(entry, tally);
    }
}

/// What a fit is compared by.
pub struct FitFigures {
    names: Vec<String>,
    values: Vec<f64>,
    log_likelihood: f64,
    standard_errors: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

fn check_fit(entry: &Value, data: &DataFolder, tally: &mut Tally) {
    let (id, model) = (text(entry, "id"), text(entry, "model"));
    let expected = &entry["expected"];
    let fit: fn(&Table, f64) -> FitFigures = match model {
        "bgnbd" => fit_bg_nbd,
        "gg" => fit_gamma_gamma,
        "nbd" => lifetime_pareto::fit_nbd,
        "pnbd" => lifetime_pareto::fit_pareto_nbd,
        "ggomnbd" => lifetime_gompertz::fit,
        "bgbb" => lifetime_contract::fit_bg_bb,
        _ if lifetime_static::is_claimed(model) => {
            return lifetime_static::check_fit(entry, data, tally);
        }
        "sbg" | "bdw" | "geometric" => {
            return compare(entry, &lifetime_contract::fit_curve(entry), tally);
        }
        _ => match mbg::fit_of(model) {
            Some(fit) => fit,
            None => return unsupported_all(tally, id, expected, is_claimed(model)),
        },
    };
    compare_with_data(entry, data, tally, fit);
}

/// Fits to the data file that the entry names.
pub fn compare_with_data(
    entry: &Value,
    data: &DataFolder,
    tally: &mut Tally,
    fit: impl Fn(&Table, f64) -> FitFigures,
) {
    let file = entry["data"]
        .as_str()
        .and_then(|d| d.split_whitespace().next())
        .unwrap_or("?");
    let Some(table) = data.table(file) else {
        return tally.without_data(text(entry, "id"), file, &entry["expected"]);
    };
    compare(entry, &fit(&table, days_per_unit(entry)), tally);
}

fn compare(entry: &Value, fit: &FitFigures, tally: &mut Tally) {
    let (id, model) = (text(entry, "id"), text(entry, "model"));
    let expected = &entry["expected"];
    let tolerance = |quantity: &str| match &entry["tolerance_rel"] {
        Value::Object(by_quantity) => by_quantity.get(quantity).and_then(Value::as_f64),
        all => all.as_f64(),
    };
    let at = |numbers: &[f64], name: &str| {
        fit.names
            .iter()
            .position(|n| n == name)
            .map_or(f64::NAN, |i| numbers[i])
    };
    for (quantity, expected) in expected.as_object().into_iter().flatten() {
        match (quantity.as_str(), expected) {
            ("loglik", expected) => {
                let rel = tolerance("loglik").unwrap_or(1e-11);
                tally.close(id, quantity, fit.log_likelihood, expected, rel);
            }
            ("params", Value::Object(params)) => {
                for (name, expected) in params {
                    let rel = tolerance("params").unwrap_or(1e-6);
                    tally.close(id, name, at(&fit.values, name), expected, rel);
                }
            }
            ("standard_errors", Value::Object(errors)) => {
                for (name, expected) in errors {
                    let rel = tolerance("standard_errors").unwrap_or(1e-4);
                    let place = format!("standard error of {name}");
                    tally.close(id, &place, at(&fit.standard_errors, name), expected, rel);
                }
            }
            ("covariance", Value::Array(rows)) => {
                // Its own tolerance, or twice that of the standard errors, of which it is a product.
                let errors = tolerance("standard_errors").unwrap_or(1e-4);
                let rel = tolerance("covariance").unwrap_or(2.0 * errors);
                check_covariance(id, fit, rows, rel, tally);
            }
            (other, value) => tally.unsupported(id, other, value, is_claimed(model)),
        }
    }
}

/// Off the diagonal an element may be near 0: what counts is its size beside the standard errors.
fn check_covariance(id: &str, fit: &FitFigures, rows: &[Value], rel: f64, tally: &mut Tally) {
    for (i, row) in rows.iter().enumerate() {
        for (j, expected) in row.as_array().into_iter().flatten().enumerate() {
            let scale = fit.standard_errors[i] * fit.standard_errors[j];
            let actual = fit.covariance.get(i).and_then(|row| row.get(j)).copied();
            let place = format!("covariance[{i}][{j}]");
            tally.within(
                id,
                &place,
                actual.unwrap_or(f64::NAN),
                expected,
                rel * scale,
                scale,
            );
        }
    }
}

fn fit_bg_nbd(table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = histories(table, days_per_unit);
    let fit = BgNbd::fit(&histories, &FitOptions::default()).expect("the golden fit succeeds");
    figures(&fit.report)
}

fn fit_gamma_gamma(table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = histories(table, days_per_unit);
    let fit = GammaGamma::fit(&histories, &FitOptions::default()).expect("the golden fit succeeds");
    figures(&fit.report)
}

pub fn figures(report: &FitReport) -> FitFigures {
    let error = |parameter: &Estimate| parameter.standard_error.unwrap_or(f64::NAN);
    FitFigures {
        names: report
            .parameters
            .iter()
            .map(|parameter| parameter.name.to_string())
            .collect(),
        values: report
            .parameters
            .iter()
            .map(|parameter| parameter.value)
            .collect(),
        log_likelihood: report.log_likelihood,
        standard_errors: report.parameters.iter().map(error).collect(),
        covariance: report.covariance.clone().unwrap_or_default(),
    }
}

fn check_answers(entry: &Value, tally: &mut Tally) {
    let (id, model) = (text(entry, "id"), text(entry, "model"));
    let claimed = is_claimed(model);
    let rel = entry["tolerance_rel"].as_f64().unwrap_or(1e-10);
    let (params, input) = (numbers(&entry["params"]), &entry["input"]);
    let param = |name: &str| params.get(name).copied().unwrap_or(f64::NAN);
    let by_name = |quantity: &dyn Fn(&str) -> Option<f64>, tally: &mut Tally| {
        for (name, expected) in entry["expected"].as_object().into_iter().flatten() {
            match quantity(name) {
                Some(actual) => tally.close(id, name, actual, expected, rel),
                None => tally.unsupported(id, name, expected, claimed),
            }
        }
    };
    match model {
        "bgnbd" => {
            let model = BgNbd::new(param("r"), param("alpha"), param("a"), param("b"))
                .unwrap_or_else(|e| panic!("{id}: {e}"));
            let later = |history: &History, quantity: &str| {
                let delay = argument(quantity, "p_alive_at_T_plus_")?;
                Some(model.probability_alive_after(history, delay))
            };
            check_purchase_answers(entry, &model, later, |h| model.log_likelihood(h), tally);
        }
        "gg" => {
            let model = GammaGamma::new(param("p"), param("q"), param("v"))
                .unwrap_or_else(|e| panic!("{id}: {e}"));
            by_name(
                &|name| match name {
                    "loglik" => Some(model.log_likelihood(&history(input))),
                    "expected_mean_spend" => Some(model.expected_spend(&history(input))),
                    _ => None,
                },
                tally,
            );
        }
        "nbd" => lifetime_pareto::check_nbd(entry, tally),
        "pnbd" => lifetime_pareto::check_pareto_nbd(entry, tally),
        "ggomnbd" => lifetime_gompertz::check(entry, tally),
        _ if mbg::is_claimed(model) => mbg::check_answers(entry, tally),
        _ if lifetime_static::is_claimed(model) => lifetime_static::check_answers(entry, tally),
        "sbg" | "bdw" | "geometric" => lifetime_contract::check_curve(entry, tally),
        "bgbb" => {
            let answer = lifetime_contract::bg_bb_answers(&params, input);
            by_name(&answer, tally);
        }
        _ => unsupported_all(tally, id, &entry["expected"], claimed),
    }
}

/// What `check_purchase_answers` needs of a model that answers nothing beyond its traits.
pub fn no_more(_: &History, _: &str) -> Option<f64> {
    None
}

/// Whatever a golden entry asks of a model of purchases; `more` is what the model answers beyond its traits.
pub fn check_purchase_answers(
    entry: &Value,
    model: &dyn PurchaseDistribution,
    more: impl Fn(&History, &str) -> Option<f64>,
    log_likelihood: impl Fn(&History) -> f64,
    tally: &mut Tally,
) {
    let (id, input) = (text(entry, "id"), &entry["input"]);
    let rel = entry["tolerance_rel"].as_f64().unwrap_or(1e-10);
    match text(entry, "kind") {
        "new_customer_expectation" => {
            let new_customer = History::new(0, 0.0, 0.0).expect("a new customer");
            let actual: Vec<f64> = list(&input["t"])
                .iter()
                .map(|&t| model.expected_purchases(&new_customer, t))
                .collect();
            tally.list(id, "expected purchases", &actual, &entry["expected"], rel);
        }
        "pmf_new_customer" => {
            let counts = list(&input["n"]);
            let most = counts.iter().copied().fold(0.0, f64::max) as usize;
            let mut all = vec![0.0; most + 1];
            let t = input["t"].as_f64().unwrap_or(f64::NAN);
            model.purchase_probabilities(t, &mut all);
            let actual: Vec<f64> = counts.iter().map(|&n| all[n as usize]).collect();
            let quantity = "probability of n purchases";
            tally.list(id, quantity, &actual, &entry["expected"], rel);
        }
        _ => {
            let history = history(input);
            for (name, expected) in entry["expected"].as_object().into_iter().flatten() {
                let answer = match name.as_str() {
                    "loglik" => Some(log_likelihood(&history)),
                    name => {
                        let answer = more(&history, name);
                        answer.or_else(|| purchase_answer(model, &history, name))
                    }
                };
                match answer {
                    Some(actual) => tally.close(id, name, actual, expected, rel),
                    None => tally.unsupported(id, name, expected, true),
                }
            }
        }
    }
}

/// A quantity's name can carry its argument: `expected_transactions_t39` is a horizon of 39.
pub fn argument(quantity: &str, prefix: &str) -> Option<f64> {
    quantity.strip_prefix(prefix)?.parse().ok()
}

fn purchase_answer(model: &dyn PurchaseModel, history: &History, quantity: &str) -> Option<f64> {
    let argument = |prefix| argument(quantity, prefix);
    if quantity == "p_alive" {
        return Some(model.probability_alive(history));
    }
    if let Some(horizon) = argument("expected_transactions_t") {
        return Some(model.expected_purchases(history, horizon));
    }
    if let Some(rate) = argument("dert_continuous_rate_") {
        return Some(model.discounted_residual_purchases(history, rate));
    }
    let months = quantity
        .strip_prefix("clv_")?
        .strip_suffix("_months_unit_margin")?;
    let discount = Discount::per_step(0.01).expect("a valid rate");
    // The peer's convention, stated in the file: a month is 4.345 weeks.
    let horizon = Horizon::steps(months.parse().ok()?, 4.345);
    CustomerValue::new(model, &UnitSpend, discount)
        .of(history, TimeUnit::Week, horizon)
        .ok()
}

fn unsupported_all(tally: &mut Tally, id: &str, expected: &Value, claimed: bool) {
    match expected {
        Value::Object(quantities) => {
            for (quantity, value) in quantities {
                tally.unsupported(id, quantity, value, claimed);
            }
        }
        all => tally.unsupported(id, "(all)", all, claimed),
    }
}

/// The customers of a data file, in whichever of the files' spellings its columns are.
pub fn histories(table: &Table, days_per_unit: f64) -> Histories {
    let time = |names: &[&str]| {
        let (name, values) = table.numbers(names)?;
        let days = name.ends_with("_days");
        let unit = if days { days_per_unit } else { 1.0 };
        Some(values.into_iter().map(|t| t / unit).collect::<Vec<_>>())
    };
    let (_, x) = table
        .numbers(&["x", "frequency"])
        .expect("a column of repeat purchases");
    let spend = table.numbers(&["mean_repeat_spend", "zbar", "monetary_value"]);
    let columns = HistoryColumns {
        recency: time(&["t_x_days", "t_x", "recency"]).expect("a column of t_x"),
        age: time(&["T_days", "T"]).expect("a column of T"),
        mean_spend: spend.map_or_else(Vec::new, |(_, values)| values),
        frequency: x.into_iter().map(|x| x as u32).collect(),
        ..HistoryColumns::default()
    };
    Histories::from_columns(TimeUnit::Week, columns).expect("golden data are valid")
}

pub fn history(input: &Value) -> History {
    let number = |key: &str| input[key].as_f64().unwrap_or(0.0);
    let x = input["x"]
        .as_u64()
        .and_then(|x| u32::try_from(x).ok())
        .expect("a count x");
    // A spend case has no times; any will do.
    let mut history = History::new(x, number("t_x"), number("T")).expect("golden input is valid");
    history.log_gaps = number("litt");
    history
        .with_mean_spend(number("m"))
        .expect("golden input is valid")
}

/// Data files count days; `time_unit` says by how many to divide (`days/7`).
fn days_per_unit(entry: &Value) -> f64 {
    let unit = entry["time_unit"]
        .as_str()
        .and_then(|unit| unit.split("days/").nth(1));
    unit.map_or(1.0, |days| days.trim().parse().expect("days per unit"))
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap_or("?")
}

pub fn list(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_f64)
        .collect()
}

pub fn numbers(value: &Value) -> BTreeMap<&str, f64> {
    let entries: Option<&Map<String, Value>> = value.as_object();
    let entries = entries.into_iter().flatten();
    entries
        .filter_map(|(k, v)| Some((k.as_str(), v.as_f64()?)))
        .collect()
}
