//! The customers' CSV.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use tenure::lifetime::compare::Comparison;
use tenure::summary::History;

use super::input::Shop;
use super::valuation::{Answers, Prediction, Valuation};

/// What is known of a customer beforehand.
const KNOWN: [&str; 4] = ["customer", "x", "t_x", "T"];

fn known(key: &str, history: &History) -> [String; 4] {
    [
        key.to_owned(),
        history.frequency.to_string(),
        history.recency.to_string(),
        history.age.to_string(),
    ]
}

/// One row a customer, in the order of the input.
pub fn customers(shop: &Shop, found: &Valuation, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut out = csv::Writer::from_writer(File::create(path)?);
    let answers = [
        "p_alive",
        "expected_purchases",
        "value",
        "p_any_purchase",
        "median_next_purchase",
        "median_next_purchase_date",
    ];
    out.write_record(KNOWN.iter().chain(&answers))?;
    let Answers {
        alive,
        expected,
        value,
        ..
    } = &found.purchases;
    let answers = alive.iter().zip(expected).zip(value);
    let rows = shop.histories.iter().zip(&shop.keys).zip(answers);
    for (row, ((history, key), ((alive, expected), value))) in rows.enumerate() {
        let next = found.purchases.next.as_ref().and_then(|next| next.get(row));
        let median = next.and_then(|next| next.median);
        let unit = shop.histories.unit();
        let instant = shop.end.zip(median);
        let instant = instant.and_then(|(end, median)| unit.later(end, median));
        let answers = [
            format!("{alive:.9}"),
            format!("{expected:.9}"),
            format!("{value:.6}"),
            next.map_or(String::new(), |next| format!("{:.9}", next.ever)),
            median.map_or(String::new(), |median| format!("{median:.6}")),
            instant.map_or(String::new(), |instant| instant.to_string()),
        ];
        out.write_record(known(key, &history).iter().chain(&answers))?;
    }
    out.flush()?;
    Ok(())
}

/// One row a customer and model, the best model first: what it said of the hold-out, and what came.
pub fn predictions(shop: &Shop, found: &Comparison<'_>, path: &Path) -> Result<(), Box<dyn Error>> {
    let after = shop.holdout.as_ref().ok_or("there is no hold-out")?;
    let mut out = csv::Writer::from_writer(File::create(path)?);
    let answers = [
        "p_alive",
        "expected_purchases",
        "actual_purchases",
        "p_actual",
    ];
    out.write_record(["model"].iter().chain(&KNOWN).chain(&answers))?;
    for contender in &found.ranked {
        let model = contender.candidate.name();
        let Prediction {
            alive,
            expected,
            of_actual,
        } = Prediction::of(contender, shop, after)?;
        let answers = alive.iter().zip(&expected).zip(&of_actual);
        let rows = shop.histories.iter().zip(&shop.keys);
        let rows = rows.zip(&after.purchases.purchases).zip(answers);
        for (((history, key), actual), ((alive, expected), of_actual)) in rows {
            let answers = [
                format!("{alive:.9}"),
                format!("{expected:.9}"),
                actual.to_string(),
                format!("{of_actual:e}"),
            ];
            let known = known(key, &history);
            out.write_record([&model].into_iter().chain(&known).chain(&answers))?;
        }
    }
    out.flush()?;
    Ok(())
}
