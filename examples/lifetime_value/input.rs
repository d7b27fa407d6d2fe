//! Reading a log or a summary.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use tenure::event::csv::{Columns, CsvOptions, PathColumns};
use tenure::event::{CovariateRows, Decimals, Ids, Period, Timestamp, Transactions, Zone};
use tenure::lifetime::CovariateOptions;
use tenure::summary::{
    CovariateColumns, CovariatePaths, Covariates, Grain, Histories, HistoryColumns, Holdout,
    PathHistories, PeriodGrid, PurchaseOptions, PurchaseSummary, Purchases, Refunds, TimeUnit,
};

use super::args::{Args, Choice, Dynamic, Source};
use super::progress;

const SHIPPED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/lifetime/cdnow_sample_elog.csv"
);

/// Customers, and what came after where that is known.
pub struct Shop {
    pub name: String,
    pub histories: Histories,
    /// When the histories end, where it is known.
    pub end: Option<Timestamp>,
    /// The customers' keys, row by row.
    pub keys: Vec<String>,
    pub has_spend: bool,
    pub holdout: Option<After>,
    pub covariates: Option<Covariates>,
    pub calendar: Option<Calendar>,
}

/// What is known of the customers that changes in time.
pub struct Calendar {
    purchases: Purchases,
    paths: CovariatePaths,
    end: Timestamp,
    unit: TimeUnit,
    pub acting: CovariateOptions,
}

impl Calendar {
    pub fn histories(&self) -> Result<PathHistories<'_>, tenure::Error> {
        PathHistories::new(&self.purchases, &self.paths, self.end, self.unit)
    }
}

/// The time after the histories' end.
pub struct After {
    pub purchases: Holdout,
    /// In the histories' unit.
    pub length: f64,
}

pub fn load(args: &Args) -> Result<Shop, Box<dyn Error>> {
    match &args.source {
        Source::Shipped => {
            let columns = Columns {
                amount: Some("sales"),
                ..Columns::new("cust", "date")
            };
            let end = args
                .calibration_end
                .map_or_else(|| "1997-09-30".parse(), Ok)?;
            log(Path::new(SHIPPED), &columns, Some(end), args)
        }
        Source::Transactions {
            path,
            customer,
            time,
            amount,
        } => {
            let columns = Columns {
                amount: amount.as_deref(),
                ..Columns::new(customer, time)
            };
            log(path, &columns, args.calibration_end, args)
        }
        Source::Summary(path) => {
            summary(path, args).map_err(|error| format!("{}: {error}", path.display()).into())
        }
    }
}

fn log(
    path: &Path,
    columns: &Columns<'_>,
    end: Option<Timestamp>,
    args: &Args,
) -> Result<Shop, Box<dyn Error>> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| named(&error))?;
    let bytes = file.metadata().map_err(|error| named(&error))?.len();
    let options_of_csv = CsvOptions::new(args.decimals, args.zone.clone());
    let loaded = Transactions::from_csv(progress::reading(file, bytes), columns, &options_of_csv)
        .map_err(|error| named(&error))?;
    let last = loaded.facts.end().ok_or_else(|| named(&"no purchases"))?;
    let end = match (end, args.model) {
        (Some(end), _) => end,
        (None, Choice::One(_)) => last,
        (None, Choice::Compare) => two_thirds(&loaded.facts, args)
            .ok_or_else(|| named(&"too few days to hold some of them out"))?,
    };
    let options = PurchaseOptions {
        grain: Grain::Period(Period::Day),
        zone: args.zone.clone(),
        refunds: Refunds::Net,
    };
    let summary = PurchaseSummary::collect(&loaded.facts, &options)?;
    let seen = summary.purchases_as_of(end)?;
    let histories = seen.histories(end, args.unit)?;
    let all = summary.purchases()?;
    let days = |instant| all.days(all.period_of(instant));
    let length = (days(last) - days(end)) / args.unit.days();
    let holdout = match length > 0.0 {
        true => Some(After {
            purchases: all.holdout(&histories, end, last)?,
            length,
        }),
        false => None,
    };
    let covariates = match &args.covariate_file {
        Some((path, key)) => Some(
            covariates(path, key, &options_of_csv, &loaded.customers, args)
                .and_then(|all| Ok(all.aligned_with(&histories)?))
                .map_err(|error| format!("{}: {error}", path.display()))?,
        ),
        None => None,
    };
    let calendar = match &args.dynamic {
        Some(dynamic) => Some(Calendar {
            paths: paths(dynamic, &loaded.customers)?,
            purchases: seen,
            end,
            unit: args.unit,
            acting: CovariateOptions {
                transaction: Some(dynamic.buying.clone()),
                lifetime: Some(dynamic.leaving.clone()),
                ..CovariateOptions::default()
            },
        }),
        None => None,
    };
    Ok(Shop {
        name: stem(path),
        end: Some(end),
        covariates,
        calendar,
        keys: keys(&histories, &loaded.customers),
        histories,
        has_spend: columns.amount.is_some(),
        holdout,
    })
}

fn covariates(
    path: &Path,
    key: &str,
    options: &CsvOptions<'_>,
    customers: &Ids<String>,
    args: &Args,
) -> Result<Covariates, Box<dyn Error>> {
    let names: Vec<&str> = args.covariates.iter().map(String::as_str).collect();
    let columns = CovariateColumns {
        customer: key,
        covariates: &names,
    };
    let (covariates, _) = Covariates::from_csv(File::open(path)?, &columns, options, customers)?;
    Ok(covariates)
}

/// The rows of all files, in periods from the first on.
fn paths(dynamic: &Dynamic, customers: &Ids<String>) -> Result<CovariatePaths, Box<dyn Error>> {
    let names: Vec<&str> = dynamic.buying.iter().map(String::as_str).collect();
    let columns = PathColumns {
        customer: &dynamic.key,
        time: &dynamic.time,
        covariates: &names,
    };
    // Periods begin at midnight in UTC, as the days of the purchases do.
    let options = CsvOptions::new(Decimals::ZERO, Zone::UTC);
    let mut all: Option<CovariateRows> = None;
    for path in &dynamic.files {
        let read = || -> Result<CovariateRows, Box<dyn Error>> {
            let file = File::open(path)?;
            Ok(CovariateRows::from_csv(file, &columns, customers, &options)?.rows)
        };
        let rows = read().map_err(|error| format!("{}: {error}", path.display()))?;
        match &mut all {
            Some(all) => all.append(rows)?,
            None => all = Some(rows),
        }
    }
    let rows = all.ok_or("no file of covariates")?;
    let times = || rows.time().iter();
    let (first, last) = times().min().zip(times().max()).ok_or("no covariates")?;
    let days = (last.unix_s() - first.unix_s()) / 86_400;
    let periods = days / i64::from(dynamic.days).max(1) + 1;
    let grid = PeriodGrid::days(*first, dynamic.days, periods.try_into()?)?;
    Ok(CovariatePaths::from_rows(grid, &rows)?)
}

/// The end of the day after two thirds of the log's days; `None` when that leaves no day on either side.
fn two_thirds(log: &Transactions, args: &Args) -> Option<Timestamp> {
    let (first, last) = (args.zone.day(log.start()?), args.zone.day(log.end()?));
    let days = last - first;
    (days >= 3).then(|| args.zone.start_of_day(i64::from(first + days * 2 / 3)))?
}

fn keys(histories: &Histories, ids: &Ids<String>) -> Vec<String> {
    let customers = histories.customer().iter();
    let keys = customers.map(|&customer| ids.key(customer).cloned().unwrap_or_default());
    keys.collect()
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}

/// One row a customer, as the example's help describes it.
fn summary(path: &PathBuf, args: &Args) -> Result<Shop, Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(path)?;
    let header = reader.headers()?.clone();
    let place = |name: &str| header.iter().position(|column| column.trim() == name);
    let needed = |name: &str| {
        place(name).ok_or_else(|| format!("no column `{name}`; needed are x, t_x_days, T_days"))
    };
    let (x, recency, age) = (needed("x")?, needed("t_x_days")?, needed("T_days")?);
    let (spend, gaps) = (place("mean_repeat_spend"), place("litt_weeks"));
    let (held, id) = (place("x_hold"), place("id"));
    let mut columns = HistoryColumns::default();
    let acting = args.covariates.iter().map(|name| match place(name) {
        Some(at) => Ok(at),
        None => Err(format!("no column `{name}` of --covariate-columns")),
    });
    let acting = acting.collect::<Result<Vec<_>, _>>()?;
    let mut traits = vec![Vec::new(); acting.len()];
    let mut holdout = Vec::new();
    let mut keys = Vec::new();
    let unit = args.unit.days();
    for (row, record) in (2_u64..).zip(reader.records()) {
        let record = record?;
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        let number = |at: usize| -> Result<f64, String> {
            let name = header.get(at).unwrap_or_default();
            let text = cell(at);
            text.parse()
                .map_err(|_| format!("line {row}, column `{name}`: `{text}` is no number"))
        };
        let whole = |at: usize| -> Result<u32, String> {
            let name = header.get(at).unwrap_or_default();
            let text = cell(at);
            text.parse()
                .map_err(|_| format!("line {row}, column `{name}`: `{text}` is no count"))
        };
        let frequency = whole(x)?;
        columns.frequency.push(frequency);
        columns.recency.push(number(recency)? / unit);
        columns.age.push(number(age)? / unit);
        if let Some(spend) = spend {
            columns.mean_spend.push(number(spend)?);
        }
        if let Some(gaps) = gaps {
            let to_unit = (TimeUnit::Week.days() / unit).ln() * f64::from(frequency);
            columns.log_gaps.push(number(gaps)? + to_unit);
        }
        if let Some(held) = held {
            holdout.push(whole(held)?);
        }
        for (values, &at) in traits.iter_mut().zip(&acting) {
            values.push(number(at)?);
        }
        keys.push(id.map_or_else(|| (row - 1).to_string(), |id| cell(id).to_owned()));
    }
    let after = args.holdout_days.zip(held).map(|(days, _)| After {
        purchases: Holdout {
            spend_minor: vec![0; holdout.len()],
            purchases: holdout,
        },
        length: days / unit,
    });
    let named = args.covariates.iter().cloned().zip(traits);
    let covariates = match acting.is_empty() {
        true => None,
        false => Some(Covariates::from_columns(Vec::new(), named)?),
    };
    Ok(Shop {
        name: stem(path),
        end: None,
        covariates,
        calendar: None,
        histories: Histories::from_columns(args.unit, columns)?,
        keys,
        has_spend: spend.is_some(),
        holdout: after,
    })
}
