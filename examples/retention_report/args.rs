//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use tenure::event::{Decimals, Timestamp, Zone};

pub const HELP: &str = "\
retention_report: who the customers of a shop are, how it keeps them, what they are worth, who is leaving

    retention_report [--full] [OPTIONS]                     on the shipped CDNOW log (1/10 sample, or all)
    retention_report --transactions FILE [COLUMNS] [OPTIONS]          on a CSV file of your own

COLUMNS, by their names in the file's header:
    --customer COL        the customer's key                        [customer]
    --time COL            when it was: 2006-12-31, or a date-time   [time]
    --amount COL          how much was paid; refunds are negative   [amount; `none` if there is no such column]

OPTIONS:
    --calibration-end DATE    models are fitted up to this day and tried on the rest
                              [1997-09-30 for CDNOW; two thirds of your file's days]
    --horizon MONTHS          how far ahead purchases and value are expected       [12]
    --discount-annual RATE    what a year takes off a value: 0.10 is ten percent   [0.10]
    --zone NAME               where days begin, an IANA name                       [UTC]
    --decimals N              decimal places of the amounts                        [2]
    --currency SYMBOL         what stands before an amount                         [$]
    --draws N                 posterior draws behind the 90% intervals; 0 for none
                              [400; 100 with more than 20,000 distinct histories]
    --seed N                  seed of these draws                                  [1]
    --skip-bad-rows           leave bad rows out and count them, instead of stopping at the first
    --out DIR                 folder for report.html, customers.csv, summary.json  [tenure-report]";

/// What was asked for.
pub struct Args {
    pub full: bool,
    pub file: Option<OwnFile>,
    pub calibration_end: Option<Timestamp>,
    pub horizon_months: u32,
    pub discount_annual: f64,
    pub zone: Zone,
    pub decimals: Decimals,
    pub currency: String,
    pub draws: Option<u32>,
    pub seed: u64,
    pub skip_bad_rows: bool,
    pub out: PathBuf,
}

/// A CSV file and the names of its columns.
pub struct OwnFile {
    pub path: PathBuf,
    pub customer: String,
    pub time: String,
    pub amount: Option<String>,
}

impl Args {
    /// `None` when help was asked for.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self {
            full: false,
            file: None,
            calibration_end: None,
            horizon_months: 12,
            discount_annual: 0.10,
            zone: Zone::UTC,
            decimals: Decimals::TWO,
            currency: "$".to_owned(),
            draws: None,
            seed: 1,
            skip_bad_rows: false,
            out: "tenure-report".into(),
        };
        let mut path = None;
        let (mut customer, mut time, mut amount) = (None, None, None);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--full" => args.full = true,
                "--skip-bad-rows" => args.skip_bad_rows = true,
                "--transactions" => path = Some(PathBuf::from(value()?)),
                "--customer" => customer = Some(value()?),
                "--time" => time = Some(value()?),
                "--amount" => amount = Some(value()?),
                "--calibration-end" => args.calibration_end = Some(read(&word, &value()?)?),
                "--horizon" => args.horizon_months = read(&word, &value()?)?,
                "--discount-annual" => args.discount_annual = read(&word, &value()?)?,
                "--zone" => args.zone = Zone::named(&value()?).map_err(|e| e.to_string())?,
                "--decimals" => {
                    args.decimals =
                        Decimals::new(read(&word, &value()?)?).map_err(|e| e.to_string())?;
                }
                "--currency" => args.currency = value()?,
                "--draws" => args.draws = Some(read(&word, &value()?)?),
                "--seed" => args.seed = read(&word, &value()?)?,
                "--out" => args.out = value()?.into(),
                other => return Err(format!("unknown option {other}")),
            }
        }
        if path.is_none() && (customer.is_some() || time.is_some() || amount.is_some()) {
            return Err("--customer, --time and --amount go with --transactions".to_owned());
        }
        args.file = path.map(|path| OwnFile {
            path,
            customer: customer.unwrap_or_else(|| "customer".to_owned()),
            time: time.unwrap_or_else(|| "time".to_owned()),
            amount: match amount {
                Some(name) if name == "none" => None,
                Some(name) => Some(name),
                None => Some("amount".to_owned()),
            },
        });
        if args.full && args.file.is_some() {
            return Err("--full is for the shipped log, not for --transactions".to_owned());
        }
        if args.horizon_months == 0 {
            return Err("--horizon 0: at least 1 month is needed".to_owned());
        }
        Ok(Some(args))
    }
}

fn read<T: FromStr<Err: std::fmt::Display>>(option: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error| format!("{option} {text}: {error}"))
}
