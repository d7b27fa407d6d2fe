//! MBG/NBD, BG/CNBD-k and MBG/CNBD-k. A fit's entry carries k in its model's name (`mbgcnbd_k2`), an answer's
//! in its parameters.

use serde_json::Value;
use tenure::lifetime::{BgCnbd, FitOptions, FuturePurchases, MbgCnbd, MbgNbd, Regularity};
use tenure::summary::{Histories, History, HistoryColumns, TimeUnit};

use super::super::data::Table;
use super::super::tally::Tally;
use super::{
    FitFigures, argument, check_purchase_answers, figures, histories, no_more, numbers, text,
};

type Fit = fn(&Table, f64) -> FitFigures;

const BG_CNBD: [Fit; 12] = [
    bg_cnbd::<1>,
    bg_cnbd::<2>,
    bg_cnbd::<3>,
    bg_cnbd::<4>,
    bg_cnbd::<5>,
    bg_cnbd::<6>,
    bg_cnbd::<7>,
    bg_cnbd::<8>,
    bg_cnbd::<9>,
    bg_cnbd::<10>,
    bg_cnbd::<11>,
    bg_cnbd::<12>,
];
const MBG_CNBD: [Fit; 12] = [
    mbg_cnbd::<1>,
    mbg_cnbd::<2>,
    mbg_cnbd::<3>,
    mbg_cnbd::<4>,
    mbg_cnbd::<5>,
    mbg_cnbd::<6>,
    mbg_cnbd::<7>,
    mbg_cnbd::<8>,
    mbg_cnbd::<9>,
    mbg_cnbd::<10>,
    mbg_cnbd::<11>,
    mbg_cnbd::<12>,
];

pub fn is_claimed(model: &str) -> bool {
    ["bgcnbd_k", "mbgcnbd_k"].contains(&model) || fit_of(model).is_some()
}

pub fn fit_of(model: &str) -> Option<Fit> {
    if model == "mbgnbd" {
        return Some(mbg_nbd);
    }
    let (name, k) = model.split_once("_k")?;
    let fits = match name {
        "bgcnbd" => BG_CNBD,
        "mbgcnbd" => MBG_CNBD,
        _ => return None,
    };
    fits.get(k.parse::<usize>().ok()?.checked_sub(1)?).copied()
}

fn mbg_nbd(table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = histories(table, days_per_unit);
    let fit = MbgNbd::fit(&histories, &FitOptions::default()).expect("the golden fit succeeds");
    figures(&fit.report)
}

fn bg_cnbd<const K: u32>(table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = with_gaps(table, days_per_unit);
    let fit = BgCnbd::fit(&histories, Regularity::Fixed(K), &FitOptions::default());
    figures(&fit.expect("the golden fit succeeds").report)
}

fn mbg_cnbd<const K: u32>(table: &Table, days_per_unit: f64) -> FitFigures {
    let histories = with_gaps(table, days_per_unit);
    let fit = MbgCnbd::fit(&histories, Regularity::Fixed(K), &FitOptions::default());
    figures(&fit.expect("the golden fit succeeds").report)
}

/// The histories with the sums of the logarithms of gaps, in the unit of the fit: a file's are in
/// weeks, and each of the x gaps is 7 / `days_per_unit` times as long in the unit.
fn with_gaps(table: &Table, days_per_unit: f64) -> Histories {
    let of_table = histories(table, days_per_unit);
    let (name, gaps) = table
        .numbers(&["litt_weeks", "litt"])
        .expect("a column of the logarithms of gaps");
    let per_unit = match name.as_str() {
        "litt_weeks" => (7.0 / days_per_unit).ln(),
        _ => 0.0,
    };
    let rows = gaps.iter().zip(of_table.frequency());
    let columns = HistoryColumns {
        log_gaps: rows
            .map(|(gaps, &x)| gaps + f64::from(x) * per_unit)
            .collect(),
        frequency: of_table.frequency().to_vec(),
        recency: of_table.recency().to_vec(),
        age: of_table.age().to_vec(),
        ..HistoryColumns::default()
    };
    Histories::from_columns(TimeUnit::Week, columns).expect("golden data are valid")
}

pub fn check_answers(entry: &Value, tally: &mut Tally) {
    let id = text(entry, "id");
    let params = numbers(&entry["params"]);
    let param = |name: &str| params.get(name).copied().unwrap_or(f64::NAN);
    let (r, alpha, a, b) = (param("r"), param("alpha"), param("a"), param("b"));
    let k = param("k") as u32;
    match text(entry, "model") {
        "mbgnbd" => {
            let model = MbgNbd::new(r, alpha, a, b).unwrap_or_else(|e| panic!("{id}: {e}"));
            let later = |history: &History, quantity: &str| {
                let delay = argument(quantity, "p_alive_at_T_plus_")?;
                Some(model.probability_alive_after(history, delay))
            };
            check_purchase_answers(entry, &model, later, |h| model.log_likelihood(h), tally);
        }
        "bgcnbd_k" => {
            let model = BgCnbd::new(k, r, alpha, a, b).unwrap_or_else(|e| panic!("{id}: {e}"));
            check_purchase_answers(entry, &model, no_more, |h| model.log_likelihood(h), tally);
        }
        _ => {
            let model = MbgCnbd::new(k, r, alpha, a, b).unwrap_or_else(|e| panic!("{id}: {e}"));
            check_purchase_answers(entry, &model, no_more, |h| model.log_likelihood(h), tally);
        }
    }
}
