//! Half a step of ALS: the customers' factors, the items' given; scores and explanations from them.

use serde_json::Value;
use tenure::recommend::{FoldIn, Weighting};

use super::tally::Tally;

pub fn evaluate(json: &Value, section: &Value, tally: &mut Tally) {
    let tolerance = json["tolerance"].as_f64().expect("a tolerance");
    let baskets: Vec<Vec<(u32, f32)>> = matrix(&json["interactions"])
        .into_iter()
        .map(|row| {
            (0..)
                .zip(row)
                .filter(|(_, w)| *w > 0.0)
                .map(|(i, w)| (i, w as f32))
                .collect()
        })
        .collect();
    let items = matrix(&section["item_factors"]);
    for (entry, expected) in section.as_object().into_iter().flatten() {
        let number = |name: &str| {
            expected[name]
                .as_f64()
                .unwrap_or_else(|| panic!("{entry}: {name}"))
        };
        let weighting = match entry.as_str() {
            "item_factors" => continue,
            "rendle" => Weighting::Rendle {
                alpha0: number("alpha0"),
                lambda: number("lambda"),
                nu: number("nu"),
            },
            "hu_koren" => Weighting::HuKoren {
                alpha: number("alpha"),
                lambda: number("reg"),
            },
            other => {
                tally.unsupported_tree(&format!("als_half_step {other}"), expected);
                continue;
            }
        };
        let entry = format!("als_half_step {entry}");
        let model = FoldIn::new(weighting, items[0].len(), items.concat()).expect("factors");
        for (quantity, expected) in expected.as_object().into_iter().flatten() {
            let customers = baskets
                .iter()
                .map(|basket| model.factors(basket).expect("a solution"));
            match quantity.as_str() {
                "formula" | "alpha0" | "lambda" | "nu" | "alpha" | "reg" => {}
                "user_factors" => {
                    for (u, factors) in customers.enumerate() {
                        tally.list(
                            &entry,
                            &format!("{quantity}[{u}]"),
                            &factors,
                            &expected[u],
                            tolerance,
                        );
                    }
                }
                "scores" => {
                    for (u, x) in customers.enumerate() {
                        let score = |y: &Vec<f64>| x.iter().zip(y).map(|(x, y)| x * y).sum();
                        let scores: Vec<f64> = items.iter().map(score).collect();
                        tally.list(
                            &entry,
                            &format!("{quantity}[{u}]"),
                            &scores,
                            &expected[u],
                            tolerance,
                        );
                    }
                }
                "explain_user0" => explained(&model, &baskets[0], expected, tally, tolerance),
                other => tally.unsupported(&entry, other, expected, true),
            }
        }
    }
}

fn explained(
    model: &FoldIn,
    basket: &[(u32, f32)],
    expected: &Value,
    tally: &mut Tally,
    tolerance: f64,
) {
    let entry = "als_half_step hu_koren explain_user0";
    let target = expected["target"].as_u64().expect("an item") as u32;
    let why = model.explain(basket, target).expect("a solution");
    let parts = &why.contributions;
    let wanted = expected["contributions"].as_array().expect("contributions");
    for (item, wanted) in (0..).zip(wanted) {
        let part = parts.iter().find(|part| part.item == item);
        let contribution = part.map_or(0.0, |part| part.amount);
        tally.close(
            entry,
            &format!("contributions[{item}]"),
            contribution,
            wanted,
            tolerance,
        );
    }
    let sum = parts.iter().map(|part| part.amount).sum();
    tally.close(entry, "score", sum, &expected["score"], tolerance);
}

fn matrix(json: &Value) -> Vec<Vec<f64>> {
    let row = |row: &Value| {
        let row = row.as_array().expect("a row");
        row.iter()
            .map(|number| number.as_f64().expect("a number"))
            .collect()
    };
    json.as_array().expect("rows").iter().map(row).collect()
}
