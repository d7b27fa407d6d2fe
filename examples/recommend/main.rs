//! What does each customer want next? Fits a model, or compares or tunes all of them, and judges their lists.
//!
//! Runs on a simulated grocer, on a log of your own, or on a training and a test file:
//!
//! ```text
//! cargo run --release --example recommend                                  # all models on a simulated shop
//! cargo run --release --example recommend -- --transactions orders.csv --user customer --item sku --time date
//! cargo run --release --example recommend -- --train train.csv.gz --test test.csv.gz --model ials \
//!     --set lambda=0.03 --set factors=128 --k 10,20,100 --json
//! cargo run --release --example recommend -- --model tune --models ials,ease
//! cargo run --release --example recommend -- --model knn_bm25 --explain 17
//! ```

mod args;
mod explain;
mod input;
mod measure;
mod models;
mod output;
#[path = "../shared/progress.rs"]
mod progress;
mod tune;

use std::error::Error;
use std::process::ExitCode;

use args::{Args, Task};

/// The command line was wrong; wrong data end with 1.
const BAD_ARGUMENTS: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{}", args::help());
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("recommend: {message}\n\nrecommend --help lists the options");
            return ExitCode::from(BAD_ARGUMENTS);
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recommend: {error}");
            match error.downcast_ref() {
                Some(tenure::Error::Config(_)) => ExitCode::from(BAD_ARGUMENTS),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let data = input::load(args)?;
    match (&args.task, &args.explain) {
        (Task::One(model), Some(customer)) => explain::customer(&data, model, customer, args),
        (Task::One(_) | Task::Compare, _) => {
            let judged = measure::all(&data, args)?;
            output::judged(&data, &judged, args)
        }
        (Task::Tune, _) => {
            let found = tune::all(&data, args)?;
            output::tuned(&data, &found, args)
        }
    }
}
