//! Models with static covariates: `pnbd_static` and the like. A covariate's coefficient is named `trans.NAME` or
//! `life.NAME` among the parameters (`constr.NAME` when the two are held equal), its column in the data file, and its
//! value in a case's input, NAME.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure::lifetime::{
    BgNbd, Coefficient, CovariateOptions, FuturePurchases, MbgNbd, Nbd, ParetoNbd, WithCovariates,
};
use tenure::summary::Covariates;

use super::data::{DataFolder, Table};
use super::lifetime::{
    FitFigures, argument, check_purchase_answers, compare_with_data, figures, histories, no_more,
    numbers,
};
use super::tally::Tally;

const CLAIMED: [&str; 4] = ["nbd_static", "pnbd_static", "bgnbd_static", "mbgnbd_static"];

pub fn is_claimed(model: &str) -> bool {
    CLAIMED.contains(&model)
}

pub fn check_fit(entry: &Value, data: &DataFolder, tally: &mut Tally) {
    compare_with_data(entry, data, tally, |table, days| fit(entry, table, days));
}

/// Fits with the covariates that the expected parameters name.
fn fit(entry: &Value, table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = histories(table, days_per_unit);
    let expected = numbers(&entry["expected"]["params"]);
    let named = |prefix: &str| {
        let names = expected.keys().filter_map(|name| name.strip_prefix(prefix));
        let names: Vec<String> = names.map(str::to_owned).collect();
        names
    };
    let equal = named("constr.");
    let options = CovariateOptions {
        transaction: Some([named("trans."), equal.clone()].concat()),
        lifetime: Some([named("life."), equal.clone()].concat()),
        equal,
        ..CovariateOptions::default()
    };
    let mut names: Vec<String> = options.transaction.iter().flatten().cloned().collect();
    names.extend(options.lifetime.iter().flatten().cloned());
    names.sort();
    names.dedup();
    let columns = names.into_iter().map(|name| {
        let (_, column) = table
            .numbers(&[&name])
            .unwrap_or_else(|| panic!("a column {name}"));
        (name, column)
    });
    let covariates = Covariates::from_columns(Vec::new(), columns).expect("golden data are valid");
    macro_rules! fitted {
        ($Model:ty) => {
            WithCovariates::<$Model>::fit(&histories, &covariates, &options)
                .expect("the golden fit succeeds")
                .report
        };
    }
    figures(&match entry["model"].as_str() {
        Some("nbd_static") => fitted!(Nbd),
        Some("pnbd_static") => fitted!(ParetoNbd),
        Some("bgnbd_static") => fitted!(BgNbd),
        _ => fitted!(MbgNbd),
    })
}

pub fn check_answers(entry: &Value, tally: &mut Tally) {
    let params = numbers(&entry["params"]);
    let param = |name: &str| params.get(name).copied().unwrap_or(f64::NAN);
    let input = covariates_of(&entry["input"]);
    let coefficients = |prefix: &str| -> Vec<Coefficient> {
        let both = ["constr.", prefix];
        let named = params.iter().filter_map(|(name, &value)| {
            let covariate = both.iter().find_map(|prefix| name.strip_prefix(prefix))?;
            let covariate = covariate.to_owned();
            Some(Coefficient { covariate, value })
        });
        named.collect()
    };
    let (transaction, lifetime) = (coefficients("trans."), coefficients("life."));
    let used = transaction.iter().chain(&lifetime);
    let used: Vec<String> = used.map(|c| c.covariate.clone()).collect();
    let at: Vec<(&str, f64)> = used
        .iter()
        .map(|name| {
            let value = input.get(name.as_str()).copied();
            (name.as_str(), value.unwrap_or(f64::NAN))
        })
        .collect();
    // The model of the one customer whom the case is about.
    macro_rules! own {
        ($Model:ident, $($name:literal),+) => {{
            $Model::new($(param($name)),+)
                .and_then(|base| WithCovariates::<$Model>::new(base, transaction, lifetime))
                .map_err(tenure::Error::from)
                .and_then(|model| model.at(&at))
                .unwrap_or_else(|e| panic!("{}: {e}", entry["id"]))
        }};
    }
    macro_rules! check {
        ($own:expr) => {{
            let own = $own;
            let later = |history: &_, quantity: &str| {
                let delay = argument(quantity, "p_alive_at_T_plus_")?;
                Some(own.probability_alive_after(history, delay))
            };
            check_purchase_answers(entry, &own, later, |h| own.log_likelihood(h), tally);
        }};
    }
    match entry["model"].as_str() {
        Some("nbd_static") => {
            let own = own!(Nbd, "r", "alpha");
            check_purchase_answers(entry, &own, no_more, |h| own.log_likelihood(h), tally);
        }
        Some("pnbd_static") => check!(own!(ParetoNbd, "r", "alpha", "s", "beta")),
        Some("bgnbd_static") => check!(own!(BgNbd, "r", "alpha", "a", "b")),
        _ => check!(own!(MbgNbd, "r", "alpha", "a", "b")),
    }
}

/// Covariates stand beside x, t_x and T, or together in an object of any name.
fn covariates_of(input: &Value) -> BTreeMap<&str, f64> {
    let mut found = numbers(input);
    for object in input.as_object().into_iter().flat_map(|o| o.values()) {
        found.extend(numbers(object));
    }
    found
}

/// The shipped cases of the base models, with a part of their parameters moved into covariates.
#[test]
fn a_case_of_the_base_model_is_one_with_covariates() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lifetime.json");
    let text = std::fs::read_to_string(golden).expect("the shipped goldens");
    let golden: Value = serde_json::from_str(&text).expect("the shipped goldens are JSON");
    let mut tally = Tally::new("with covariates");
    let mut cases = 0;
    for case in golden["cases"].as_array().into_iter().flatten() {
        let leaving: &[(&str, f64)] = match case["model"].as_str() {
            Some("nbd") => &[],
            Some("pnbd") => &[("beta", 1.0)],
            Some("bgnbd" | "mbgnbd") => &[("a", -1.0), ("b", -1.0)],
            _ => continue,
        };
        let mut case = case.clone();
        case["model"] = format!("{}_static", case["model"].as_str().unwrap_or("?")).into();
        // γ·z is 0.25 for buying, and 0.5 or −0.25 for leaving.
        let mut move_by = |name: &str, by: f64| {
            let value = case["params"][name].as_f64().expect("a parameter");
            case["params"][name] = (value * by.exp()).into();
        };
        move_by("alpha", 0.25);
        for (name, sign) in leaving {
            move_by(name, sign * 0.5);
        }
        case["params"]["trans.Gender"] = (-0.5).into();
        case["params"]["trans.Channel"] = 0.25.into();
        if !leaving.is_empty() {
            case["params"]["life.Channel"] = 0.25.into();
        }
        case["input"]["Gender"] = 0.5.into();
        case["input"]["covariates"] = serde_json::json!({ "Channel": 2.0 });
        check_answers(&case, &mut tally);
        cases += 1;
    }
    assert!(cases > 30, "{cases}");
    let complaints = tally.complaints(true, false);
    assert!(complaints.is_empty(), "{complaints:#?}");
}
