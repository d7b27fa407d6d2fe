//! NBD and Pareto/NBD in `lifetime.json`.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure::lifetime::{
    CustomerValue, Discount, FitOptions, Horizon, Nbd, ParetoNbd, PurchaseDistribution,
    PurchaseModel, UnitSpend,
};
use tenure::summary::{History, TimeUnit};

use super::data::Table;
use super::lifetime::{FitFigures, figures, histories, history, list};
use super::tally::Tally;

pub fn fit_pareto_nbd(table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = histories(table, days_per_unit);
    let fit = ParetoNbd::fit(&histories, &FitOptions::default()).expect("the golden fit succeeds");
    figures(&fit.report)
}

pub fn fit_nbd(table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = histories(table, days_per_unit);
    let fit = Nbd::fit(&histories, &FitOptions::default()).expect("the golden fit succeeds");
    figures(&fit.report)
}

/// An entry with answers of one model.
pub struct Case<'a> {
    pub id: &'a str,
    pub params: &'a BTreeMap<&'a str, f64>,
    pub entry: &'a Value,
    pub rel: f64,
}

impl Case<'_> {
    fn param(&self, name: &str) -> f64 {
        self.params.get(name).copied().unwrap_or(f64::NAN)
    }
}

pub fn check_nbd(case: &Case, tally: &mut Tally) {
    let model = Nbd::new(case.param("r"), case.param("alpha"))
        .unwrap_or_else(|e| panic!("{}: {e}", case.id));
    check(case, &model, tally, |history, quantity| match quantity {
        "loglik" => Some(model.log_likelihood(history)),
        _ => argument(quantity, "p_alive_at_T_plus_").map(|_| 1.0),
    });
}

pub fn check_pareto_nbd(case: &Case, tally: &mut Tally) {
    let param = |name: &str| case.param(name);
    let model = ParetoNbd::new(param("r"), param("alpha"), param("s"), param("beta"))
        .unwrap_or_else(|e| panic!("{}: {e}", case.id));
    check(case, &model, tally, |history, quantity| {
        if let Some(delay) = argument(quantity, "p_alive_at_T_plus_") {
            return Some(model.probability_alive_after(history, delay));
        }
        (quantity == "loglik").then(|| model.log_likelihood(history))
    });
}

/// Compares what `own` knows of a model, or else what every purchase model answers.
fn check(
    case: &Case,
    model: &dyn PurchaseDistribution,
    tally: &mut Tally,
    own: impl Fn(&History, &str) -> Option<f64>,
) {
    let Case { id, entry, rel, .. } = *case;
    let (input, expected) = (&entry["input"], &entry["expected"]);
    match entry["kind"].as_str() {
        Some("new_customer_expectation") => {
            let new_customer = History::new(0, 0.0, 0.0).expect("a new customer");
            let times = list(&input["t"]);
            let actual: Vec<f64> = times
                .iter()
                .map(|&t| model.expected_purchases(&new_customer, t))
                .collect();
            tally.list(id, "expected purchases", &actual, expected, rel);
        }
        Some("pmf_new_customer") => {
            let counts = list(&input["n"]);
            let most = counts.iter().copied().fold(0.0, f64::max) as usize;
            let mut all = vec![0.0; most + 1];
            model.purchase_probabilities(input["t"].as_f64().unwrap_or(f64::NAN), &mut all);
            let actual: Vec<f64> = counts.iter().map(|&n| all[n as usize]).collect();
            tally.list(id, "probability of n purchases", &actual, expected, rel);
        }
        _ => {
            let history = history(input);
            for (quantity, expected) in expected.as_object().into_iter().flatten() {
                let actual = own(&history, quantity);
                match actual.or_else(|| answer(model, &history, quantity)) {
                    Some(actual) => tally.close(id, quantity, actual, expected, rel),
                    None => tally.unsupported(id, quantity, expected, true),
                }
            }
        }
    }
}

fn answer(model: &dyn PurchaseModel, history: &History, quantity: &str) -> Option<f64> {
    if quantity == "p_alive" {
        return Some(model.probability_alive(history));
    }
    if let Some(horizon) = argument(quantity, "expected_transactions_t") {
        return Some(model.expected_purchases(history, horizon));
    }
    if let Some(rate) = argument(quantity, "dert_continuous_rate_") {
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

/// A quantity's name can carry its argument: `expected_transactions_t39` is a horizon of 39.
fn argument(quantity: &str, prefix: &str) -> Option<f64> {
    quantity.strip_prefix(prefix)?.parse().ok()
}
