//! NBD and Pareto/NBD in `lifetime.json`.

use serde_json::Value;
use tenure::lifetime::{FitOptions, FuturePurchases, Nbd, ParetoNbd};

use super::data::Table;
use super::lifetime::{FitFigures, argument, check_purchase_answers, figures, histories, numbers};
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

pub fn check_nbd(entry: &Value, tally: &mut Tally) {
    let [r, alpha] = parameters(entry, ["r", "alpha"]);
    let model = Nbd::new(r, alpha).unwrap_or_else(|e| panic!("{}: {e}", entry["id"]));
    // Nobody leaves.
    let alive_later = |_: &_, quantity: &str| argument(quantity, "p_alive_at_T_plus_").map(|_| 1.0);
    check_purchase_answers(
        entry,
        &model,
        alive_later,
        |h| model.log_likelihood(h),
        tally,
    );
}

pub fn check_pareto_nbd(entry: &Value, tally: &mut Tally) {
    let [r, alpha, s, beta] = parameters(entry, ["r", "alpha", "s", "beta"]);
    let model =
        ParetoNbd::new(r, alpha, s, beta).unwrap_or_else(|e| panic!("{}: {e}", entry["id"]));
    let alive_later = |history: &_, quantity: &str| {
        let delay = argument(quantity, "p_alive_at_T_plus_")?;
        Some(model.probability_alive_after(history, delay))
    };
    check_purchase_answers(
        entry,
        &model,
        alive_later,
        |h| model.log_likelihood(h),
        tally,
    );
}

pub fn parameters<const N: usize>(entry: &Value, names: [&str; N]) -> [f64; N] {
    let given = numbers(&entry["params"]);
    names.map(|name| given.get(name).copied().unwrap_or(f64::NAN))
}
