//! Contracts (sBG, BdW, geometric) and discrete occasions (BG/BB).

use std::collections::BTreeMap;

use serde_json::Value;
use tenure::lifetime::{Bdw, BgBb, FitOptions, Geometric, RetentionCurve, Sbg};
use tenure::summary::{OccasionColumns, OccasionHistory, OccasionSummary, RenewalSummary};

use super::data::Table;
use super::lifetime::{FitFigures, figures, list, numbers};
use super::tally::Tally;

/// Fits a curve to `data`: {survivors, periods_fitted} of one cohort, or of each in a list.
pub fn fit_curve(entry: &Value) -> FitFigures {
    let data = &entry["data"];
    let mut renewals = RenewalSummary::new();
    let one = std::slice::from_ref(data);
    for cohort in data["cohorts"].as_array().map_or(one, Vec::as_slice) {
        let counts: Vec<u64> = list(&cohort["survivors"])
            .iter()
            .map(|&n| n as u64)
            .collect();
        let periods = cohort["periods_fitted"]
            .as_u64()
            .or(data["periods_fitted"].as_u64());
        let most = periods.map_or(counts.len(), |periods| periods as usize + 1);
        renewals
            .add_cohort(&counts[..most.min(counts.len())])
            .expect("golden survivors do not rise");
    }
    let options = FitOptions::default();
    let report = match entry["model"].as_str() {
        Some("sbg") => Sbg::fit(&renewals, &options).map(|fit| fit.report),
        Some("bdw") => Bdw::fit(&renewals, &options).map(|fit| fit.report),
        _ => Geometric::fit(&renewals)
            .map(|fit| fit.report)
            .map_err(Into::into),
    };
    figures(&report.expect("the golden fit succeeds"))
}

/// Fits BG/BB to a table of counted histories, or of one history a row.
pub fn fit_bg_bb(table: &Table, _: f64) -> FitFigures {
    let column = |names: &[&str]| {
        let (_, values) = table.numbers(names)?;
        Some(values.into_iter().map(|value| value as u32).collect())
    };
    let count = table.numbers(&["count", "custs"]);
    let columns = OccasionColumns {
        frequency: column(&["x", "frequency"]).expect("a column x"),
        recency: column(&["t_x", "recency"]).expect("a column t_x"),
        occasions: column(&["n", "n_cal", "periods"]).expect("a column n"),
        count: count.map_or_else(Vec::new, |(_, counts)| {
            counts.into_iter().map(|count| count as u64).collect()
        }),
    };
    let histories = OccasionSummary::from_columns(&columns).expect("golden data are valid");
    let fit = BgBb::fit(&histories, &FitOptions::default()).expect("the golden fit succeeds");
    figures(&fit.report)
}

/// Survival and retention at times, and `derl_rate_D` before the n-th renewal.
pub fn check_curve(entry: &Value, tally: &mut Tally) {
    let id = entry["id"].as_str().unwrap_or("?");
    let rel = entry["tolerance_rel"].as_f64().unwrap_or(1e-10);
    let params = numbers(&entry["params"]);
    let param = |name: &str| params.get(name).copied().unwrap_or(f64::NAN);
    let (alpha, beta) = (param("alpha"), param("beta"));
    let curve: Box<dyn RetentionCurve> = match entry["model"].as_str() {
        Some("sbg") => Box::new(Sbg::new(alpha, beta).expect("valid parameters")),
        Some("bdw") => Box::new(Bdw::new(alpha, beta, param("c")).expect("valid parameters")),
        _ => Box::new(Geometric::new(param("theta")).expect("a valid parameter")),
    };
    let times: Vec<u32> = list(&entry["input"]["t"])
        .iter()
        .map(|&t| t as u32)
        .collect();
    for (quantity, expected) in entry["expected"].as_object().into_iter().flatten() {
        let rate = quantity.strip_prefix("derl_rate_").map(str::parse::<f64>);
        match (quantity.as_str(), rate) {
            ("survival", _) => {
                let actual: Vec<f64> = times.iter().map(|&t| curve.survival(t)).collect();
                tally.list(id, quantity, &actual, expected, rel);
            }
            ("retention", _) => {
                let renewals = times.iter().filter(|&&t| t > 0);
                let actual: Vec<f64> = renewals.map(|&t| curve.retention_rate(t)).collect();
                tally.list(id, quantity, &actual, expected, rel);
            }
            (_, Some(Ok(rate))) => {
                for (name, expected) in expected.as_object().into_iter().flatten() {
                    let renewal = name.strip_prefix("derl_n").map(str::parse::<u32>);
                    let place = format!("{quantity} {name}");
                    match renewal {
                        // Before renewal n the customer has made n - 1.
                        Some(Ok(renewal)) => {
                            let actual = curve.discounted_residual_lifetime(renewal - 1, rate);
                            tally.close(id, &place, actual, expected, rel);
                        }
                        _ => tally.unsupported(id, &place, expected, true),
                    }
                }
            }
            _ => tally.unsupported(id, quantity, expected, true),
        }
    }
}

/// A quantity's name can carry its argument: `expected_transactions_next_5` are 5 occasions.
pub fn bg_bb_answers(
    params: &BTreeMap<&str, f64>,
    input: &Value,
) -> impl Fn(&str) -> Option<f64> + use<> {
    let param = |name: &str| params.get(name).copied().unwrap_or(f64::NAN);
    let [alpha, beta, gamma, delta] = ["alpha", "beta", "gamma", "delta"].map(param);
    let model = BgBb::new(alpha, beta, gamma, delta).expect("valid parameters");
    let [x, t_x, n] = ["x", "t_x", "n"].map(|key| input[key].as_u64().expect("a count") as u32);
    let history = OccasionHistory::new(x, t_x, n).expect("golden input is valid");
    move |quantity| {
        let occasions = |prefix: &str| quantity.strip_prefix(prefix)?.parse::<u32>().ok();
        if quantity == "loglik" {
            return Some(model.log_likelihood(&history));
        }
        if let Some(ahead) = occasions("p_alive_at_n_plus_") {
            return Some(model.probability_alive_at(&history, ahead));
        }
        if let Some(occasions) = occasions("expected_transactions_next_") {
            return Some(model.expected_purchases(&history, occasions));
        }
        let rate = quantity.strip_prefix("dert_period_rate_")?.parse().ok()?;
        Some(model.discounted_residual_purchases(&history, rate))
    }
}
