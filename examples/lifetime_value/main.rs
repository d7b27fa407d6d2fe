//! What is each customer worth? Fits a model of purchases and one of spend, or compares all models on a hold-out.
//!
//! Runs on the shipped CDNOW log, on a log of your own, or on a summary with one row a customer:
//!
//! ```text
//! cargo run --release --example lifetime_value
//! cargo run --release --example lifetime_value -- --model compare
//! cargo run --release --example lifetime_value -- --transactions orders.csv --customer id --time date \
//!     --amount total --model pareto_nbd --horizon 24 --customers-out customers.csv
//! cargo run --release --example lifetime_value -- --summary customers.csv --model mbg_cnbd --json
//! cargo run --release --example lifetime_value -- --transactions orders.csv --model compare \
//!     --dynamic-covariates weeks.csv --dynamic-columns season,mailings --dynamic-leaving mailings
//! ```

mod args;
#[path = "../shared/fits.rs"]
mod fits;
mod input;
mod output;
#[path = "../shared/progress.rs"]
mod progress;
mod rows;
mod valuation;

use std::error::Error;
use std::process::ExitCode;

use args::{Args, Choice};
use tenure::lifetime::CovariateOptions;

fn main() -> ExitCode {
    let result = match Args::parse(std::env::args().skip(1)) {
        Ok(Some(args)) => run(&args),
        Ok(None) => {
            println!("{}", args::HELP);
            Ok(())
        }
        Err(message) => Err(format!("{message}\n\n{}", args::HELP).into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lifetime_value: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let shop = input::load(args)?;
    match args.model {
        Choice::Compare => {
            let data = shop.calendar.as_ref().map(|calendar| calendar.histories());
            let (data, all) = (data.transpose()?, CovariateOptions::default());
            let candidates = valuation::candidates(&shop, data.as_ref(), &all);
            let table = valuation::compare(&shop, &candidates, args)?;
            output::comparison(&shop, &table, args)
        }
        Choice::One(family) => {
            let valuation = valuation::Valuation::new(&shop, family, args)?;
            output::valuation(&shop, &valuation, args)
        }
    }
}
