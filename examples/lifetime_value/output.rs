//! Tables for the terminal, and JSON.

use std::error::Error;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value as Json, json};
use tenure::lifetime::compare::{Comparison, Score};
use tenure::lifetime::{Dependence, FitReport, SpendIndependence};

use super::args::Args;
use super::fits::{fit, status};
use super::input::Shop;
use super::progress;
use super::rows;
use super::valuation::{Spend, Valuation};

pub fn valuation(shop: &Shop, found: &Valuation, args: &Args) -> Result<(), Box<dyn Error>> {
    if let Some(path) = &args.customers_out {
        let written = rows::customers(shop, found, path);
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if args.json {
        println!("{:#}", valuation_json(shop, found, args));
        return Ok(());
    }
    println!("{}: {} customers", shop.name, shop.histories.len());
    let mut table = table(&["parameter", "value", "standard error"]);
    let mut add = |report: &FitReport| {
        for estimate in &report.parameters {
            let error = estimate.standard_error;
            table.add_row([
                estimate.name.to_string(),
                format!("{:.6}", estimate.value),
                error.map_or("–".to_owned(), |error| format!("{error:.6}")),
            ]);
        }
    };
    add(&found.purchases.report);
    if let Ok(spend) = &found.spend {
        add(&spend.report);
    }
    println!("{table}");
    let report = &found.purchases.report;
    println!(
        "{}: {}; log-likelihood {:.4}, {} steps, {:.3} s; time in {}",
        found.title,
        status(&report.status),
        report.log_likelihood,
        report.iterations,
        found.seconds,
        args.unit.plural(),
    );
    match &found.spend {
        Ok(spend) => println!(
            "{}: {}; log-likelihood {:.4}",
            spend.name,
            status(&spend.report.status),
            spend.report.log_likelihood
        ),
        Err(why) => println!("No spend model ({why}): the value counts discounted purchases"),
    }
    if let Some(warning) = found.independence.as_ref().and_then(warning) {
        println!("{warning}");
    }
    if let Some(score) = &found.purchases.score {
        println!(
            "Hold-out: {:.1} purchases expected, {} actual ({:+.1}%), mean absolute error {:.4} a customer, \
             log score {}",
            score.expected,
            score.actual,
            100.0 * score.total_error(),
            score.mae,
            log_score(score),
        );
    }
    println!(
        "In {} months: {:.1} purchases expected, value {:.2} at {} a year",
        args.horizon_months,
        found.purchases.expected.iter().sum::<f64>(),
        found.purchases.value.iter().sum::<f64>(),
        args.discount_annual,
    );
    memory();
    Ok(())
}

/// What is wrong with multiplying purchases by spend, where something is.
fn warning(check: &SpendIndependence) -> Option<String> {
    let word = match check.dependence {
        Dependence::NotSeen => return None,
        Dependence::Weak => "Note: spend goes weakly with the number of purchases",
        _ => "Warning: spend goes with the number of purchases",
    };
    Some(format!(
        "{word} (r = {:.2}, ranks {:.2}); the spend model says it does not: total spend is {:+.0}% off",
        check.pearson.estimate,
        check.spearman.estimate,
        100.0 * check.total_spend_excess
    ))
}

fn log_score(score: &Score) -> String {
    score
        .log_score
        .map_or("–".to_owned(), |s| format!("{s:.4}"))
}

pub fn comparison(shop: &Shop, found: &Comparison<'_>, args: &Args) -> Result<(), Box<dyn Error>> {
    if let Some(path) = &args.customers_out {
        let written = rows::predictions(shop, found, path);
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if args.json {
        println!("{:#}", comparison_json(shop, found));
        return Ok(());
    }
    println!("{}: {} customers", shop.name, shop.histories.len());
    let mut table = table(&[
        "model",
        "MAE",
        "RMSE",
        "expected",
        "actual",
        "total error",
        "log score",
        "log-likelihood",
        "AIC",
        "BIC",
        "fit",
    ]);
    for contender in &found.ranked {
        let (score, report) = (&contender.score, &contender.fitted.report);
        table.add_row([
            contender.candidate.to_string(),
            format!("{:.4}", score.mae),
            format!("{:.4}", score.rmse),
            format!("{:.1}", score.expected),
            format!("{}", score.actual),
            format!("{:+.1}%", 100.0 * score.total_error()),
            log_score(score),
            format!("{:.2}", report.log_likelihood),
            format!("{:.2}", report.aic()),
            format!("{:.2}", report.bic()),
            status(&report.status),
        ]);
    }
    println!("{table}");
    println!("NBD's likelihood is of counts alone, the others' of times: it is in another scale.");
    for (candidate, error) in &found.failed {
        println!("{candidate}: {error}");
    }
    memory();
    Ok(())
}

fn memory() {
    if let Some(peak) = progress::peak_memory_mb() {
        println!("Peak memory of this run: {peak} MB");
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn valuation_json(shop: &Shop, found: &Valuation, args: &Args) -> Json {
    let mut purchases = fit(&found.purchases.report);
    if let Some(object) = purchases.as_object_mut() {
        object.insert("model".to_owned(), json!(found.name));
        object.insert("seconds".to_owned(), json!(found.seconds));
        object.insert("time_unit".to_owned(), json!(args.unit.plural()));
        object.insert("aic".to_owned(), json!(found.purchases.report.aic()));
        object.insert("bic".to_owned(), json!(found.purchases.report.bic()));
    }
    let spend = found.spend.as_ref();
    json!({
        "source": shop.name,
        "customers": shop.histories.len(),
        "purchases": purchases,
        "spend": spend.map_or_else(|why| json!({"missing": why}), spend_json),
        "spend_independence": found.independence,
        "warning": found.independence.as_ref().and_then(warning),
        "holdout": found.purchases.score.as_ref().map(score_json),
        "horizon_months": args.horizon_months,
        "discount_annual": args.discount_annual,
        "expected_alive": found.purchases.alive.iter().sum::<f64>(),
        "expected_purchases": found.purchases.expected.iter().sum::<f64>(),
        "expected_value": found.purchases.value.iter().sum::<f64>(),
    })
}

fn comparison_json(shop: &Shop, found: &Comparison<'_>) -> Json {
    let ranked = found.ranked.iter().map(|contender| {
        json!({
            "model": contender.candidate.name(),
            "holdout": score_json(&contender.score),
            "aic": contender.fitted.report.aic(),
            "bic": contender.fitted.report.bic(),
            "fit": fit(&contender.fitted.report),
        })
    });
    let failed = found.failed.iter();
    json!({
        "source": shop.name,
        "customers": shop.histories.len(),
        "ranked": ranked.collect::<Vec<_>>(),
        "failed": failed
            .map(|(candidate, error)| json!({"model": candidate.name(), "error": error.to_string()}))
            .collect::<Vec<_>>(),
    })
}

fn spend_json(spend: &Spend) -> Json {
    let mut json = fit(&spend.report);
    if let Some(object) = json.as_object_mut() {
        object.insert("model".to_owned(), json!(spend.name));
    }
    json
}

fn score_json(score: &Score) -> Json {
    json!({
        "mae": score.mae,
        "rmse": score.rmse,
        "expected": score.expected,
        "actual": score.actual,
        "total_error": score.total_error(),
        "log_score": score.log_score,
    })
}
