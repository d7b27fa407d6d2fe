//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use tenure::event::{Decimals, Timestamp, Zone};
use tenure::lifetime::Family;
use tenure::summary::TimeUnit;

pub const HELP: &str = "\
lifetime_value: what each customer is worth

    lifetime_value [OPTIONS]                                   on the shipped CDNOW log (1/10 sample)
    lifetime_value --transactions FILE [COLUMNS] [OPTIONS]     on a CSV file with one row a purchase
    lifetime_value --summary FILE [OPTIONS]                    on a CSV file with one row a customer: columns
        x, t_x_days, T_days, and where known mean_repeat_spend, litt_weeks (the sum of ln(weeks between
        purchases)), x_hold (purchases in the hold-out), id

COLUMNS, by their names in the file's header:
    --customer COL        the customer's key                        [customer]
    --time COL            when it was: 2006-12-31, or a date-time   [time]
    --amount COL          how much was paid; refunds are negative   [amount; `none` if there is no such column]

OPTIONS:
    --model NAME              nbd, bg_nbd, mbg_nbd, bg_cnbd, mbg_cnbd, pareto_nbd, gompertz_gamma_nbd, or `compare`
                              to fit them all on a calibration period and rank them on the rest   [bg_nbd]
    --calibration-end DATE    what the models may see; the rest is the hold-out of `compare`
                              [1997-09-30 for CDNOW; two thirds of your file's days with `compare`, else all]
    --covariate-columns A,B   columns of numbers that act on buying and on leaving, with one model; with --summary
                              they are further columns of its file, otherwise of the file --covariates
    --covariates FILE         a CSV file with one row for each customer of the log
    --dynamic-covariates FILE a CSV file with one row for each customer and period, of what changes in time: for
                              pareto_nbd and compare on a log; given again, the file's rows are added, such as those
                              of the time to come, which must reach as far as the hold-out and the horizon
    --dynamic-columns A,B     its columns of numbers that act on buying and on leaving
    --dynamic-leaving A,B     those of them that act on leaving, or `none`         [all]
    --dynamic-time COL        the day from which the row's values hold             [time]
    --dynamic-days N          days of a period                                     [7]
    --covariate-key COL       the customer's key in the files of covariates        [customer]
    --spend MODEL             gamma_gamma or lognormal                             [gamma_gamma]
    --holdout-days N          length of the hold-out behind the column x_hold of --summary
    --horizon MONTHS          how far ahead purchases and value are expected       [12]
    --discount-annual RATE    what a year takes off a value: 0.10 is ten percent   [0.10]
    --unit UNIT               unit of time of the parameters: day, week, month, year     [week]
    --zone NAME               where days begin, an IANA name                       [UTC]
    --decimals N              decimal places of the amounts                        [2]
    --customers-out FILE      one row a customer: P(alive), expected purchases, value, the probability of any further
                              purchase, and the time and date by which half of those who buy again have done so;
                              the last three are empty with covariates, the date for a summary, too
                              with `compare` one row a model and customer: P(alive), expected and actual purchases of
                              the hold-out, and the probability that the model gave to what came
    --json                    print one JSON object instead of tables";

/// What was asked for.
pub struct Args {
    pub source: Source,
    pub model: Choice,
    pub calibration_end: Option<Timestamp>,
    pub holdout_days: Option<f64>,
    /// The covariates' columns; none without covariates.
    pub covariates: Vec<String>,
    /// The file of covariates of a log, and the column of its customers.
    pub covariate_file: Option<(PathBuf, String)>,
    /// Covariates that change in time.
    pub dynamic: Option<Dynamic>,
    pub spend: SpendChoice,
    pub horizon_months: u32,
    pub discount_annual: f64,
    pub unit: TimeUnit,
    pub zone: Zone,
    pub decimals: Decimals,
    pub customers_out: Option<PathBuf>,
    pub json: bool,
}

/// Where the customers are from.
pub enum Source {
    Shipped,
    Transactions {
        path: PathBuf,
        customer: String,
        time: String,
        amount: Option<String>,
    },
    Summary(PathBuf),
}

/// Files of covariates that change in time.
pub struct Dynamic {
    pub files: Vec<PathBuf>,
    /// The columns of the customer and of the time.
    pub key: String,
    pub time: String,
    /// The columns that act on buying, and those that act on leaving.
    pub buying: Vec<String>,
    pub leaving: Vec<String>,
    /// Of a period.
    pub days: u32,
}

/// Which model.
#[derive(Clone, Copy)]
pub enum Choice {
    One(Family),
    Compare,
}

/// Which model of spend.
#[derive(Clone, Copy)]
pub enum SpendChoice {
    GammaGamma,
    Lognormal,
}

impl Args {
    /// `None` when help was asked for.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self {
            source: Source::Shipped,
            model: Choice::One(Family::BgNbd),
            calibration_end: None,
            holdout_days: None,
            covariates: Vec::new(),
            covariate_file: None,
            dynamic: None,
            spend: SpendChoice::GammaGamma,
            horizon_months: 12,
            discount_annual: 0.10,
            unit: TimeUnit::Week,
            zone: Zone::UTC,
            decimals: Decimals::TWO,
            customers_out: None,
            json: false,
        };
        let (mut transactions, mut summary) = (None, None);
        let (mut customer, mut time, mut amount) = (None, None, None);
        let (mut covariates, mut key) = (None, None);
        let mut dynamic = DynamicWords::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => args.json = true,
                "--transactions" => transactions = Some(PathBuf::from(value()?)),
                "--summary" => summary = Some(PathBuf::from(value()?)),
                "--customer" => customer = Some(value()?),
                "--time" => time = Some(value()?),
                "--amount" => amount = Some(value()?),
                "--model" => args.model = choice(&value()?)?,
                "--calibration-end" => args.calibration_end = Some(read(&word, &value()?)?),
                "--holdout-days" => args.holdout_days = Some(read(&word, &value()?)?),
                "--covariates" => covariates = Some(PathBuf::from(value()?)),
                "--covariate-key" => key = Some(value()?),
                "--covariate-columns" => args.covariates = columns(&word, &value()?)?,
                "--dynamic-covariates" => dynamic.files.push(value()?.into()),
                "--dynamic-columns" => dynamic.columns = Some(columns(&word, &value()?)?),
                "--dynamic-leaving" => dynamic.leaving = Some(columns(&word, &value()?)?),
                "--dynamic-time" => dynamic.time = Some(value()?),
                "--dynamic-days" => dynamic.days = Some(read(&word, &value()?)?),
                "--spend" => args.spend = spend(&value()?)?,
                "--horizon" => args.horizon_months = read(&word, &value()?)?,
                "--discount-annual" => args.discount_annual = read(&word, &value()?)?,
                "--unit" => args.unit = unit(&value()?)?,
                "--zone" => args.zone = Zone::named(&value()?).map_err(|e| e.to_string())?,
                "--decimals" => {
                    args.decimals =
                        Decimals::new(read(&word, &value()?)?).map_err(|e| e.to_string())?;
                }
                "--customers-out" => args.customers_out = Some(value()?.into()),
                other => return Err(format!("unknown option {other}")),
            }
        }
        args.source = source(transactions, summary, [customer, time, amount])?;
        if covariates.is_none() && dynamic.files.is_empty() && key.is_some() {
            return Err("--covariate-key goes with --covariates".to_owned());
        }
        let key = key.unwrap_or_else(|| "customer".to_owned());
        args.dynamic = dynamic.read(&key)?;
        args.covariate_file = covariates.map(|file| (file, key));
        args.check()?;
        Ok(Some(args))
    }

    fn check(&self) -> Result<(), String> {
        let summary = matches!(self.source, Source::Summary(_));
        if summary && self.calibration_end.is_some() {
            return Err("--calibration-end is for a log; a summary has its end already".to_owned());
        }
        if !summary && self.holdout_days.is_some() {
            return Err("--holdout-days goes with --summary".to_owned());
        }
        if summary && self.covariate_file.is_some() {
            let message =
                "--covariates is for a log; with --summary the covariates are columns of its file";
            return Err(message.to_owned());
        }
        if self.covariate_file.is_some() && self.covariates.is_empty() {
            return Err(
                "--covariates needs --covariate-columns: which of its columns act".to_owned(),
            );
        }
        if !summary && self.covariate_file.is_none() && !self.covariates.is_empty() {
            return Err(
                "--covariate-columns of a log needs --covariates: the file that has them"
                    .to_owned(),
            );
        }
        if self.dynamic.is_some() {
            if summary {
                return Err(
                    "--dynamic-covariates is for a log: a summary has no calendar".to_owned(),
                );
            }
            match self.model {
                Choice::Compare => {}
                Choice::One(Family::ParetoNbd) if self.covariates.is_empty() => {}
                Choice::One(Family::ParetoNbd) => {
                    let message = "--covariates beside --dynamic-covariates: only compare takes both; what does not \
                                   change may stand in the file of what does";
                    return Err(message.to_owned());
                }
                Choice::One(family) => {
                    return Err(format!(
                        "--dynamic-covariates is for --model pareto_nbd or compare, not {}",
                        family.name()
                    ));
                }
            }
        }
        if self.horizon_months == 0 {
            return Err("--horizon 0: at least 1 month is needed".to_owned());
        }
        Ok(())
    }
}

/// What was said of covariates that change in time.
#[derive(Default)]
struct DynamicWords {
    files: Vec<PathBuf>,
    columns: Option<Vec<String>>,
    leaving: Option<Vec<String>>,
    time: Option<String>,
    days: Option<u32>,
}

impl DynamicWords {
    fn read(self, key: &str) -> Result<Option<Dynamic>, String> {
        let Self {
            files,
            columns,
            leaving,
            time,
            days,
        } = self;
        if files.is_empty() {
            return match columns.is_some() || leaving.is_some() || time.is_some() || days.is_some()
            {
                true => Err("--dynamic-… goes with --dynamic-covariates".to_owned()),
                false => Ok(None),
            };
        }
        let needs = "--dynamic-covariates needs --dynamic-columns: which of its columns act";
        let buying = columns.ok_or(needs)?;
        let leaving = match leaving {
            None => buying.clone(),
            Some(names) if names == ["none"] => Vec::new(),
            Some(names) => names,
        };
        if let Some(name) = leaving.iter().find(|name| !buying.contains(name)) {
            return Err(format!(
                "--dynamic-leaving {name}: it is none of --dynamic-columns"
            ));
        }
        Ok(Some(Dynamic {
            files,
            key: key.to_owned(),
            time: time.unwrap_or_else(|| "time".to_owned()),
            buying,
            leaving,
            days: days.unwrap_or(7),
        }))
    }
}

fn source(
    transactions: Option<PathBuf>,
    summary: Option<PathBuf>,
    columns: [Option<String>; 3],
) -> Result<Source, String> {
    if transactions.is_none() && columns.iter().any(Option::is_some) {
        return Err("--customer, --time and --amount go with --transactions".to_owned());
    }
    let [customer, time, amount] = columns;
    match (transactions, summary) {
        (Some(_), Some(_)) => Err("--transactions and --summary exclude each other".to_owned()),
        (Some(path), None) => Ok(Source::Transactions {
            path,
            customer: customer.unwrap_or_else(|| "customer".to_owned()),
            time: time.unwrap_or_else(|| "time".to_owned()),
            amount: match amount {
                Some(name) if name == "none" => None,
                Some(name) => Some(name),
                None => Some("amount".to_owned()),
            },
        }),
        (None, Some(path)) => Ok(Source::Summary(path)),
        (None, None) => Ok(Source::Shipped),
    }
}

fn choice(name: &str) -> Result<Choice, String> {
    if name == "compare" {
        return Ok(Choice::Compare);
    }
    let family = name
        .parse()
        .map_err(|error| format!("{error}, or compare"))?;
    Ok(Choice::One(family))
}

fn spend(name: &str) -> Result<SpendChoice, String> {
    match name {
        "gamma_gamma" => Ok(SpendChoice::GammaGamma),
        "lognormal" => Ok(SpendChoice::Lognormal),
        _ => Err(format!("--spend {name}: gamma_gamma or lognormal")),
    }
}

fn columns(option: &str, names: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = names
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    if names.iter().any(String::is_empty) {
        return Err(format!(
            "{option} {}: names with commas between them",
            names.join(",")
        ));
    }
    Ok(names)
}

fn unit(name: &str) -> Result<TimeUnit, String> {
    match name {
        "day" => Ok(TimeUnit::Day),
        "week" => Ok(TimeUnit::Week),
        "month" => Ok(TimeUnit::Month),
        "year" => Ok(TimeUnit::Year),
        _ => Err(format!("--unit {name}: day, week, month or year")),
    }
}

fn read<T: FromStr<Err: std::fmt::Display>>(option: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error| format!("{option} {text}: {error}"))
}
