//! GG/NBD in `lifetime.json`.

use serde_json::Value;
use tenure::lifetime::{FitOptions, FuturePurchases, GompertzGammaNbd};

use super::data::Table;
use super::lifetime::{FitFigures, argument, check_purchase_answers, figures, histories};
use super::lifetime_pareto::parameters;
use super::tally::Tally;

pub fn fit(table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = histories(table, days_per_unit);
    let options = FitOptions::default();
    let fit = GompertzGammaNbd::fit(&histories, &options).expect("the golden fit succeeds");
    figures(&fit.report)
}

pub fn check(entry: &Value, tally: &mut Tally) {
    let [r, alpha, b, s, beta] = parameters(entry, ["r", "alpha", "b", "s", "beta"]);
    let model = GompertzGammaNbd::new(r, alpha, b, s, beta)
        .unwrap_or_else(|e| panic!("{}: {e}", entry["id"]));
    let alive_later = |history: &_, quantity: &str| {
        let delay = argument(quantity, "p_alive_at_T_plus_")?;
        Some(model.probability_alive_after(history, delay))
    };
    let log_likelihood = |history: &_| model.log_likelihood(history);
    check_purchase_answers(entry, &model, alive_later, log_likelihood, tally);
}
