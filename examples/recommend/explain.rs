//! One customer's list, and why.

use std::error::Error;

use comfy_table::{Table, presets};
use serde_json::json;
use tenure::recommend::{Query, Scratch, recommend};

use super::args::Args;
use super::input::Data;
use super::models::{Model, Settings};
use super::progress;

pub fn customer(
    data: &Data,
    model: &'static Model,
    key: &str,
    args: &Args,
) -> Result<(), Box<dyn Error>> {
    let customer = data
        .customers
        .get(key)
        .ok_or_else(|| format!("no customer {key} in {}", data.name))?;
    let settings = Settings::of(model, &args.settings);
    let fitted = progress::step(model.about, || (model.fit)(&data.training(), &settings))?;
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    let k = args.cuts.first().copied().unwrap_or(0);
    let query = Query::Customer(customer);
    recommend(
        fitted.scorer(),
        &query,
        k,
        &*data.filter(),
        &mut scratch,
        &mut list,
    )?;
    let name = |item: u32| data.items.key(item).map_or("?", String::as_str);
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header(["rank", "item", "score", "because of"]);
    let mut rows = Vec::new();
    for (rank, scored) in (1..).zip(&list) {
        let reasons = fitted.reasons(&data.matrices.train, customer, scored.item)?;
        let because: Vec<String> = reasons
            .iter()
            .map(|reason| format!("{} ({:+.4})", name(reason.item), reason.amount))
            .collect();
        table.add_row([
            format!("{rank}"),
            name(scored.item).to_owned(),
            format!("{:.4}", scored.score),
            because.join(", "),
        ]);
        let reasons = reasons
            .iter()
            .map(|reason| json!({"item": name(reason.item), "amount": reason.amount}));
        rows.push(json!({
            "rank": rank,
            "item": name(scored.item),
            "score": scored.score,
            "because": reasons.collect::<Vec<_>>(),
        }));
    }
    if args.json {
        println!(
            "{:#}",
            json!({"customer": key, "model": model.name, "list": rows})
        );
        return Ok(());
    }
    let taken = data.matrices.train.row(customer).0.len();
    println!(
        "{}: customer {key}, who took {taken} items; {}",
        data.name, model.about
    );
    println!("{table}");
    Ok(())
}
