//! Tables for the terminal.

use comfy_table::{CellAlignment, Table, presets};
use tenure::event::Period;
use tenure::lifetime::FitReport;

use super::analysis::Analysis;
use super::calibration::Calibration;
use super::fits::status;
use super::outlook::Outlook;
use super::page::{stage_counts, to_save};

const CUSTOMERS_SHOWN: usize = 5;

pub fn print(analysis: &Analysis) {
    let (first, last) = (
        Period::Day.label(analysis.first_day),
        Period::Day.label(analysis.last_day),
    );
    println!(
        "{} · {} · {first} to {last}",
        analysis.name, analysis.source
    );
    if analysis.rejected > 0 {
        println!("{} bad rows were left out", analysis.rejected);
    }
    overview(analysis);
    match &analysis.calibration {
        Ok(calibration) => tried(calibration),
        Err(why) => println!("\nThe models were not tried on a hold-out: {why}"),
    }
    match &analysis.outlook {
        Ok(outlook) => ahead(analysis, outlook),
        Err(why) => println!("\nNo outlook: {why}"),
    }
    segments(analysis);
    worth_saving(analysis);
}

fn overview(analysis: &Analysis) {
    let purchases = analysis.purchases.len();
    let rate = analysis.repeat_rate.rate().map_or("–".to_owned(), percent);
    let gap = analysis
        .median_gap_days
        .map_or("–".to_owned(), |days| format!("{days:.0} days"));
    let mut table = new_table([
        "customers",
        "purchases",
        "revenue",
        "repeat rate",
        "median gap",
    ]);
    let revenue = analysis.revenue_minor() as f64 / analysis.decimals.minor_per_major() as f64;
    table.add_row([
        count(analysis.people.features.len() as u64),
        count(purchases as u64),
        money(analysis, revenue),
        rate,
        gap,
    ]);
    println!("\n{table}");
}

fn tried(calibration: &Calibration) {
    let end = Period::Day.label(i32::try_from(calibration.end_day).unwrap_or(0));
    println!(
        "\nTried on a hold-out: fitted on {} customers up to {end}",
        calibration.customers
    );
    let spend = calibration.spend.as_ref().map(|spend| &spend.report);
    fits([
        ("BG/NBD", Ok(&calibration.purchases.report)),
        ("Gamma-Gamma", spend),
    ]);
    let (actual, expected) = (calibration.holdout_actual, calibration.holdout_expected);
    print!(
        "expected hold-out purchases {expected:.1} against {actual} actual in {:.0} weeks",
        calibration.holdout_weeks
    );
    match actual {
        0 => println!(),
        _ => println!(" ({:+.1}%)", (expected / actual as f64 - 1.0) * 100.0),
    }
}

fn ahead(analysis: &Analysis, outlook: &Outlook) {
    println!(
        "\nFitted on everything, for the {} months ahead",
        analysis.horizon_months
    );
    let value = outlook.value.as_ref();
    fits([
        ("BG/NBD", Ok(&outlook.purchases.report)),
        ("Gamma-Gamma", value.map(|value| &value.spend.report)),
    ]);
    let expected: f64 = outlook.expected.iter().sum();
    print!("{expected:.0} purchases expected");
    match value {
        Ok(value) => println!(", worth {}", money(analysis, value.of.iter().sum())),
        Err(why) => println!("; no value: {why}"),
    }
}

fn fits<'a>(models: [(&str, Result<&'a FitReport, &'a String>); 2]) {
    let mut table = new_table([
        "model",
        "parameters (standard error)",
        "log-likelihood",
        "fit",
    ]);
    for (name, report) in models {
        let row = match report {
            Err(why) => [name.to_owned(), String::new(), String::new(), why.clone()],
            Ok(report) => {
                let parameters: Vec<String> = report
                    .parameters
                    .iter()
                    .map(|p| match p.standard_error {
                        Some(error) => format!("{} {:.6} ({error:.4})", p.name, p.value),
                        None => format!("{} {:.6}", p.name, p.value),
                    })
                    .collect();
                let log_likelihood = format!("{:.6}", report.log_likelihood);
                [
                    name.to_owned(),
                    parameters.join("  "),
                    log_likelihood,
                    status(&report.status),
                ]
            }
        };
        table.add_row(row);
    }
    println!("{table}");
}

fn segments(analysis: &Analysis) {
    let mut table = new_table(["segment", "customers", "orders", "revenue"]);
    for row in analysis
        .people
        .table
        .rows()
        .iter()
        .filter(|row| row.customers > 0)
    {
        let revenue = analysis.decimals.to_major(row.revenue_minor);
        table.add_row([
            row.name.clone(),
            count(row.customers),
            count(row.orders),
            money(analysis, revenue),
        ]);
    }
    println!("\n{table}");
    let stages: Vec<String> = stage_counts(analysis)
        .iter()
        .map(|(stage, customers)| format!("{} {}", stage.name(), count(*customers)))
        .collect();
    match &analysis.people.stages {
        Ok(_) => println!("Lifecycle: {}", stages.join(" · ")),
        Err(why) => println!("No lifecycle stages: {why}"),
    }
}

fn worth_saving(analysis: &Analysis) {
    let customers = to_save(analysis, CUSTOMERS_SHOWN);
    if customers.is_empty() {
        return;
    }
    println!("\nMost worth saving");
    let mut table = new_table(["customer", "P(alive)", "value", "why"]);
    for customer in customers {
        table.add_row([
            customer.customer,
            percent(customer.alive),
            money(analysis, customer.value),
            customer.reason,
        ]);
    }
    println!("{table}");
}

fn new_table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(header);
    for column in table.column_iter_mut().skip(1) {
        let last_is_text = header
            .last()
            .is_some_and(|name| matches!(*name, "fit" | "why"));
        if !last_is_text {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn money(analysis: &Analysis, major: f64) -> String {
    let sign = if major < 0.0 { "-" } else { "" };
    format!(
        "{sign}{}{}",
        analysis.currency,
        count(major.abs().round() as u64)
    )
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// With a comma before every third digit.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
