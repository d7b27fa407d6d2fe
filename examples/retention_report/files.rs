//! Reading the log; writing the page, the customers and the summary.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tenure::event::csv::{Columns, CsvOptions, OnError};
use tenure::event::{Decimals, Period, Timestamp, Transactions};
use tenure::report::RetentionReport;

use super::analysis::{Analysis, Shop};
use super::args::{Args, OwnFile};
use super::fits::fit;
use super::{page, progress};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/lifetime");

/// Reads the log that was asked for.
pub fn load(args: &Args) -> Result<Shop, Box<dyn Error>> {
    let cdnow = |file: &str, name: &str| {
        let path = PathBuf::from(SHIPPED).join(file);
        let columns = Columns {
            amount: Some("sales"),
            ..Columns::new("cust", "date")
        };
        read(&path, &columns, name, args)
    };
    let (mut shop, cut) = match &args.file {
        None if args.full => (
            cdnow("cdnow_master_elog.csv", "CDNOW")?,
            Some((1997, 9, 30)),
        ),
        None => (
            cdnow("cdnow_sample_elog.csv", "CDNOW, 1/10 sample")?,
            Some((1997, 9, 30)),
        ),
        Some(OwnFile {
            path,
            customer,
            time,
            amount,
        }) => {
            let columns = Columns {
                amount: amount.as_deref(),
                ..Columns::new(customer, time)
            };
            let name = path
                .file_stem()
                .unwrap_or(path.as_os_str())
                .to_string_lossy();
            (read(path, &columns, &name, args)?, None)
        }
    };
    let cut = cut
        .map(|(year, month, day)| Timestamp::from_civil(year, month, day))
        .transpose()?;
    shop.calibration_end = args
        .calibration_end
        .or(cut)
        .or_else(|| two_thirds(&shop.log, args));
    Ok(shop)
}

fn read(
    path: &Path,
    columns: &Columns<'_>,
    name: &str,
    args: &Args,
) -> Result<Shop, Box<dyn Error>> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| named(&error))?;
    let bytes = file.metadata().map_err(|error| named(&error))?.len();
    let mut options = CsvOptions::new(args.decimals, args.zone.clone());
    if args.skip_bad_rows {
        options.on_error = OnError::Collect;
    }
    let loaded = Transactions::from_csv(progress::reading(file, bytes), columns, &options)
        .map_err(|error| named(&error))?;
    for error in loaded.rejected.errors().iter().take(5) {
        eprintln!("left out: {error}");
    }
    let file = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    Ok(Shop {
        name: name.to_owned(),
        source: format!("{} rows of {file}", loaded.facts.len()),
        log: loaded.facts,
        keys: loaded.customers,
        rejected: loaded.rejected.count(),
        calibration_end: None,
    })
}

/// The end of the day after two thirds of the log's days; `None` when that leaves no day on either side.
fn two_thirds(log: &Transactions, args: &Args) -> Option<Timestamp> {
    let (first, last) = (args.zone.day(log.start()?), args.zone.day(log.end()?));
    let days = last - first;
    (days >= 3).then(|| args.zone.start_of_day(i64::from(first + days * 2 / 3)))?
}

/// Writes the three files of the report.
pub fn write(analysis: &Analysis, args: &Args) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(&args.out).map_err(|error| format!("{}: {error}", args.out.display()))?;
    let report = RetentionReport::new(page::data(analysis))?;
    let create = |name: &str| File::create(args.out.join(name)).map(BufWriter::new);
    let mut html = create("report.html")?;
    report.write_html(&mut html)?;
    html.flush()?;
    customers(analysis, create("customers.csv")?)?;
    let mut summary = create("summary.json")?;
    serde_json::to_writer_pretty(&mut summary, &summarise(analysis))?;
    summary.flush()?;
    println!(
        "\nWritten to {}: report.html, customers.csv, summary.json",
        args.out.display()
    );
    Ok(())
}

const HEADER: [&str; 18] = [
    "customer",
    "stage",
    "stage_rule",
    "recency_days",
    "purchases",
    "spent",
    "recency_score",
    "frequency_score",
    "monetary_score",
    "rfm",
    "segment",
    "p_alive",
    "expected_purchases",
    "value",
    "value_low_90",
    "value_high_90",
    "horizon_months",
    "as_of",
];

/// One row a customer, in the order of first appearance in the log.
fn customers(analysis: &Analysis, out: impl Write) -> Result<(), Box<dyn Error>> {
    let people = &analysis.people;
    let outlook = analysis.outlook.as_ref().ok();
    let value = outlook.and_then(|outlook| outlook.value.as_ref().ok());
    let intervals = value.and_then(|value| value.intervals.as_ref().ok());
    let number = |column: Option<&[f64]>, row: usize, places: usize| {
        let number = column.and_then(|column| column.get(row));
        number.map_or(String::new(), |number| format!("{number:.places$}"))
    };
    let places = usize::from(analysis.decimals.places());
    let as_of = Period::Day.label(analysis.last_day);
    let mut out = csv::Writer::from_writer(out);
    out.write_record(HEADER)?;
    for (row, (values, score)) in people.features.iter().zip(&people.scores).enumerate() {
        let interval = intervals.and_then(|intervals| intervals.of.get(row));
        let stages = people.stages.as_ref().ok();
        let why =
            stages.and_then(|s| s.why(&analysis.purchases, values.customer, analysis.as_of()));
        out.write_record([
            analysis.key(values.customer),
            people.stage(row).map_or("", |stage| stage.name()),
            &why.unwrap_or_default(),
            &values.recency_days.to_string(),
            &values.frequency.to_string(),
            &analysis.decimals.display(values.monetary_minor).to_string(),
            &score.recency.to_string(),
            &score.frequency.to_string(),
            &score.monetary.to_string(),
            &people.rfm.code(*score).to_string(),
            people.segment(row),
            &number(outlook.map(|o| o.alive.as_slice()), row, 6),
            &number(outlook.map(|o| o.expected.as_slice()), row, 6),
            &number(value.map(|v| v.of.as_slice()), row, places),
            &interval.map_or(String::new(), |interval| {
                format!("{:.places$}", interval.lower)
            }),
            &interval.map_or(String::new(), |interval| {
                format!("{:.places$}", interval.upper)
            }),
            &analysis.horizon_months.to_string(),
            &as_of,
        ])?;
    }
    out.flush()?;
    Ok(())
}

fn summarise(analysis: &Analysis) -> Json {
    let money = |minor: i128, decimals: Decimals| minor as f64 / decimals.minor_per_major() as f64;
    let segments = analysis.people.table.rows().iter().map(|row| {
        let revenue = money(row.revenue_minor.into(), analysis.decimals);
        json!({"name": row.name, "customers": row.customers, "orders": row.orders, "revenue": revenue})
    });
    let stages = page::stage_counts(analysis);
    let stages = stages
        .iter()
        .map(|(stage, count)| (stage.name().to_owned(), json!(count)));
    json!({
        "name": analysis.name,
        "source": analysis.source,
        "rows_left_out": analysis.rejected,
        "zone": analysis.zone.to_string(),
        "first_day": Period::Day.label(analysis.first_day),
        "as_of": Period::Day.label(analysis.last_day),
        "customers": analysis.people.features.len(),
        "purchases": analysis.purchases.len(),
        "revenue": money(analysis.revenue_minor(), analysis.decimals),
        "repeat_rate": analysis.repeat_rate.rate(),
        "median_days_between_purchases": analysis.median_gap_days,
        "calibration": calibration(analysis),
        "outlook": outlook(analysis),
        "segments": segments.collect::<Vec<_>>(),
        "stages": stages.collect::<serde_json::Map<_, _>>(),
        "crate_version": env!("CARGO_PKG_VERSION"),
    })
}

fn calibration(analysis: &Analysis) -> Json {
    match &analysis.calibration {
        Err(why) => json!({"missing": why}),
        Ok(c) => json!({
            "end": Period::Day.label(i32::try_from(c.end_day).unwrap_or(0)),
            "customers": c.customers,
            "bg_nbd": fit(&c.purchases.report),
            "gamma_gamma": c.spend.as_ref().map_or_else(|why| json!({"missing": why}), |s| fit(&s.report)),
            "holdout_weeks": c.holdout_weeks,
            "holdout_purchases_actual": c.holdout_actual,
            "holdout_purchases_expected": c.holdout_expected,
        }),
    }
}

fn outlook(analysis: &Analysis) -> Json {
    let outlook = match &analysis.outlook {
        Err(why) => return json!({"missing": why}),
        Ok(outlook) => outlook,
    };
    let value = match &outlook.value {
        Err(why) => json!({"missing": why}),
        Ok(value) => json!({
            "gamma_gamma": fit(&value.spend.report),
            "expected_value": value.of.iter().sum::<f64>(),
            "intervals": match &value.intervals {
                Err(why) => json!({"missing": why}),
                Ok(i) => json!({"level": super::outlook::LEVEL, "draws": i.draws, "seed": i.seed,
                    "effective_sample_sizes": i.effective.map(|(size, _)| size)}),
            },
        }),
    };
    json!({
        "horizon_months": analysis.horizon_months,
        "discount_annual": analysis.discount_annual,
        "bg_nbd": fit(&outlook.purchases.report),
        "expected_purchases": outlook.expected.iter().sum::<f64>(),
        "expected_alive": outlook.alive.iter().sum::<f64>(),
        "value": value,
    })
}
