//! Who the customers of a shop are, how it keeps them, what they are worth and who is leaving.
//!
//! Runs on the shipped CDNOW log, or on a CSV file of your own:
//!
//! ```text
//! cargo run --release --example retention_report
//! cargo run --release --example retention_report -- --full
//! cargo run --release --example retention_report -- --transactions orders.csv \
//!     --customer id --time date --amount total --calibration-end 2024-06-30 --out report
//! ```
//!
//! Writes `report.html`, `customers.csv` and `summary.json` into the folder of `--out`, and tables to the terminal.

mod analysis;
mod args;
mod calibration;
mod files;
#[path = "../shared/fits.rs"]
mod fits;
mod outlook;
mod page;
mod people;
#[path = "../shared/progress.rs"]
mod progress;
mod terminal;

use std::error::Error;
use std::process::ExitCode;

use analysis::Analysis;
use args::Args;

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
            eprintln!("retention_report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let shop = files::load(args)?;
    let analysis = Analysis::new(shop, args)?;
    terminal::print(&analysis);
    files::write(&analysis, args)?;
    if let Some(peak) = progress::peak_memory_mb() {
        println!(
            "\nPeak memory of this run: {peak} MB ({})",
            analysis.memory_note()
        );
    }
    Ok(())
}
