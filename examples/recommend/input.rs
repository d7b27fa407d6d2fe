//! Reading a log, and holding a part of it out.

use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tenure::event::csv::{CsvOptions, Loaded, PairColumns, TimeFormat};
use tenure::event::{Decimals, Ids, InteractionColumns, Interactions, Timestamp, Zone};
use tenure::recommend::evaluate::{HoldOut, Repeats, Split};
use tenure::recommend::{Allowed, ItemFilter, Unseen};
use tenure::simulate::{Retailer, RetailerConfig};
use tenure::summary::InteractionMatrix;

use super::args::{Args, Kind, Source};
use super::models::Training;
use super::progress;

/// Of a basket, the share that is shown of a customer who is held out.
const GIVEN: f64 = 0.8;

/// A log in parts.
pub struct Data {
    pub name: String,
    pub train: Interactions,
    pub matrices: Split<InteractionMatrix>,
    pub customers: Ids<String>,
    pub items: Ids<String>,
    repeats: bool,
    seed: u64,
}

impl Data {
    pub fn training(&self) -> Training<'_> {
        Training {
            log: &self.train,
            matrix: &self.matrices.train,
            seed: self.seed,
        }
    }

    /// What lists may show.
    pub fn filter(&self) -> Box<dyn ItemFilter + '_> {
        match self.repeats {
            true => Box::new(Allowed),
            false => Box::new(Unseen(&self.matrices.train)),
        }
    }

    /// The baskets of customers whom the models do not know; `None` when they know all.
    pub fn given(&self) -> Option<&InteractionMatrix> {
        Some(&self.matrices.given).filter(|given| !given.is_empty())
    }
}

pub fn load(args: &Args) -> Result<Data, Box<dyn Error>> {
    let (name, split, customers, items) = match &args.source {
        Source::Simulated { customers } => {
            let config = RetailerConfig::grocery_like(*customers, args.seed);
            let retailer = Retailer::new(config)?;
            let log = progress::step("Simulating", || retailer.interactions())?;
            let (customers, items) = (numbers(log.customers())?, numbers(log.items())?);
            let split = hold_out(&log, args)?;
            ("a simulated grocer".to_owned(), split, customers, items)
        }
        Source::Transactions(path) => {
            let loaded = read(path, args)?;
            let split = hold_out(&loaded.facts, args).map_err(|error| named(path, &error))?;
            let items = loaded.items.unwrap_or_default();
            (stem(path), split, loaded.customers, items)
        }
        Source::Parts { train, test } => {
            let name = stem(train);
            let (train, test) = (read(train, args)?, read(test, args)?);
            let (split, customers, items) = joined(train, test)?;
            (name, split, customers, items)
        }
    };
    Ok(Data {
        name,
        matrices: split.matrices()?,
        train: split.train,
        customers,
        items,
        repeats: args.repeats,
        seed: args.seed,
    })
}

fn hold_out(log: &Interactions, args: &Args) -> Result<Split<Interactions>, Box<dyn Error>> {
    let (share, seed) = (args.share, args.seed);
    let timed = log
        .time()
        .windows(2)
        .any(|pair| pair.first() != pair.last());
    let kind = args.hold_out.unwrap_or(match timed {
        true => Kind::Time,
        false => Kind::Pairs,
    });
    if !timed && kind == Kind::Time {
        return Err("the rows have no times, or all the same; choose another --hold-out".into());
    }
    let hold_out = match kind {
        Kind::Time => HoldOut::From {
            time: last_rows(log, share),
            repeats: match args.repeats {
                true => Repeats::Keep,
                false => Repeats::Drop,
            },
        },
        Kind::Last => HoldOut::Last { pairs: 1 },
        Kind::Pairs => HoldOut::Pairs { share, seed },
        Kind::Customers => HoldOut::ColdCustomers {
            share,
            given: GIVEN,
            seed,
        },
    };
    Ok(hold_out.split(log)?)
}

/// The instant from which on about this share of the rows lies.
fn last_rows(log: &Interactions, share: f64) -> Timestamp {
    let mut times = log.time().to_vec();
    times.sort_unstable();
    let before = (times.len() as f64 * (1.0 - share)) as usize;
    times.get(before).copied().unwrap_or(Timestamp::EPOCH)
}

fn read(path: &Path, args: &Args) -> Result<Loaded<Interactions>, Box<dyn Error>> {
    let file = File::open(path).map_err(|error| named(path, &error))?;
    let bytes = file.metadata().map_err(|error| named(path, &error))?.len();
    let file = progress::reading(file, bytes);
    let plain: Box<dyn Read> = match path.extension().is_some_and(|end| end == "gz") {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut plain = BufReader::new(plain);
    let (mut header, mut first) = (Vec::new(), Vec::new());
    for line in [&mut header, &mut first] {
        let read = plain.read_until(b'\n', line);
        read.map_err(|error| named(path, &error))?;
    }
    let columns = String::from_utf8_lossy(&header).into_owned();
    let columns: Vec<&str> = columns.trim().split(',').collect();
    let known = |asked: &Option<String>, usual: &str| {
        let usual = columns.contains(&usual).then(|| usual.to_owned());
        asked.clone().or(usual)
    };
    let asked = &args.columns;
    let (weight, time) = (known(&asked.weight, "weight"), known(&asked.time, "ts"));
    let options = CsvOptions {
        time_format: time_format(&columns, time.as_deref(), &first),
        ..CsvOptions::new(Decimals::ZERO, Zone::UTC)
    };
    let pairs = PairColumns {
        weight: weight.as_deref(),
        time: time.as_deref(),
        ..PairColumns::new(
            asked.user.as_deref().unwrap_or("user"),
            asked.item.as_deref().unwrap_or("item"),
        )
    };
    let whole = header.chain(first.chain(plain));
    let loaded = Interactions::from_csv(whole, &pairs, &options);
    let loaded = loaded.map_err(|error| named(path, &error))?;
    match loaded.facts.is_empty() {
        true => Err(named(path, &"no rows").into()),
        false => Ok(loaded),
    }
}

/// Seconds where the first row has a whole number.
fn time_format(columns: &[&str], time: Option<&str>, first: &[u8]) -> TimeFormat {
    let first = String::from_utf8_lossy(first);
    let at = columns.iter().position(|column| Some(*column) == time);
    let field = at.and_then(|at| first.trim().split(',').nth(at));
    match field.is_some_and(|field| field.parse::<i64>().is_ok()) {
        true => TimeFormat::EpochSeconds,
        false => TimeFormat::Iso,
    }
}

type Parts = (Split<Interactions>, Ids<String>, Ids<String>);

/// Two files with one numbering of customers and items.
fn joined(
    train: Loaded<Interactions>,
    test: Loaded<Interactions>,
) -> Result<Parts, Box<dyn Error>> {
    let mut customers = train.customers;
    let mut items = train.items.unwrap_or_default();
    let numbers = |into: &mut Ids<String>, from: &Ids<String>| {
        let keys = from.keys().iter();
        keys.map(|key| into.intern(key.clone()))
            .collect::<Result<Vec<u32>, _>>()
    };
    let customer_of = numbers(&mut customers, &test.customers)?;
    let item_of = numbers(&mut items, &test.items.unwrap_or_default())?;
    let sized = |columns: InteractionColumns| {
        Interactions::from_columns(InteractionColumns {
            customers: customers.len(),
            items: items.len(),
            ..columns
        })
    };
    let translated = |column: &[u32], to: &[u32]| -> Vec<u32> {
        column
            .iter()
            .filter_map(|&number| to.get(number as usize).copied())
            .collect()
    };
    let test = test.facts.into_columns();
    let split = Split {
        train: sized(train.facts.into_columns())?,
        given: sized(InteractionColumns::default())?,
        test: sized(InteractionColumns {
            customer: translated(&test.customer, &customer_of),
            item: translated(&test.item, &item_of),
            ..test
        })?,
    };
    Ok((split, customers, items))
}

fn numbers(count: u32) -> Result<Ids<String>, Box<dyn Error>> {
    let mut ids = Ids::new();
    for number in 0..count {
        ids.intern(number.to_string())?;
    }
    Ok(ids)
}

fn named(path: &Path, error: &dyn Display) -> String {
    format!("{}: {error}", path.display())
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}
