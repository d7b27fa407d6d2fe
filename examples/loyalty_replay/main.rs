//! Runs scenarios of the points ledger and compares what comes out with what the file says.
//!
//! ```text
//! cargo run --example loyalty_replay
//! cargo run --example loyalty_replay -- my_scenarios.json --store memory --json
//! ```
//!
//! The file is JSON: `scenarios`, each with an `id`, a `title`, a `programme` and `steps`; a step has an operation
//! `do`, and may have the `result` and the `state` that must come of it. See `tests/golden/loyalty.json`, which is
//! run when no file is named.

mod place;
mod replay;
mod scenario;

use std::error::Error;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use place::Place;
use replay::{Difference, Step};

const SHIPPED: &str = include_str!("../../tests/golden/loyalty.json");

const HELP: &str = "\
loyalty_replay: runs scenarios of the points ledger, up to the first one that ends otherwise than its file says

    loyalty_replay [FILE.json] [--store STORE] [--json]

    FILE.json       scenarios; without it, those that come with the crate
    --store STORE   memory, journal:DIR, or postgres:URL (with the feature `postgres`)   [memory]
    --json          print the file with the results and states that came out

Ends with 0 when all is as the file says, 1 at the first difference, 2 when it cannot run.";

/// What was asked for.
struct Args {
    file: Option<String>,
    place: Place,
    json: bool,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{message}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(difference)) => {
            tell_difference(&difference);
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
    let mut args = Args {
        file: None,
        place: Place::Memory,
        json: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => args.json = true,
            "--store" => {
                let store = words.next().ok_or("--store needs a store")?;
                args.place = Place::parse(&store)?;
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            file if args.file.is_none() => args.file = Some(file.to_owned()),
            second => return Err(format!("one file is enough: {second}")),
        }
    }
    Ok(Some(args))
}

fn run(args: &Args) -> Result<Option<Difference>, Box<dyn Error>> {
    let text = match &args.file {
        Some(path) => fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => SHIPPED.to_owned(),
    };
    let file = serde_json::from_str(&text)?;
    let open = |scenario| args.place.open(scenario);
    let tell = |step: &Step<'_>| {
        if !args.json {
            tell_step(step);
        }
    };
    let outcome = replay::run(&file, open, tell)?;
    if args.json {
        let mut out = BufWriter::new(io::stdout().lock());
        serde_json::to_writer_pretty(&mut out, &outcome.document)?;
        writeln!(out)?;
        out.flush()?;
    } else if outcome.difference.is_none() {
        let (scenarios, steps) = (outcome.scenarios, outcome.steps);
        println!("{scenarios} scenarios, {steps} steps: all as the file says");
    }
    Ok(outcome.difference)
}

fn tell_step(step: &Step<'_>) {
    if step.number == 1 {
        println!("{}  {}", step.scenario, step.title);
    }
    let word = |name: &str| step.action[name].as_str().unwrap_or_default();
    println!(
        "  {:>3}  {}  {:<15} {}",
        step.number,
        word("at"),
        word("op"),
        step.result
    );
}

fn tell_difference(difference: &Difference) {
    let Difference {
        scenario,
        step,
        what,
        expected,
        actual,
    } = difference;
    eprintln!("scenario {scenario}, step {step}: another {what}");
    eprintln!("  expected {expected}");
    eprintln!("  found    {actual}");
}
