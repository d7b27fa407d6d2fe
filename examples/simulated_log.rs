//! A CSV log of a simulated shop on the standard output: data of any size whose truth is known.
//!
//! ```text
//! cargo run --release --example simulated_log -- cdnow 3400000 1 > cdnow_10m.csv      # ten million rows
//! cargo run --release --example simulated_log -- grocery 1000 1 > grocery.csv         # with orders and items
//! ```
//!
//! The words are the kind of shop, the number of customers, and the seed; the same words give the same bytes.

use std::error::Error;
use std::io::{BufWriter, stdout};
use std::process::ExitCode;

use tenure::simulate::{Retailer, RetailerConfig};

const USAGE: &str = "usage: simulated_log cdnow|grocery CUSTOMERS SEED";

fn main() -> ExitCode {
    match run() {
        Ok(rows) => {
            eprintln!("{rows} rows");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("simulated_log: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<u64, Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [shop, customers, seed] = words.as_slice() else {
        return Err(USAGE.into());
    };
    let number = |text: &String| {
        text.parse::<u64>()
            .map_err(|e| format!("{text}: {e}; {USAGE}"))
    };
    let (customers, seed) = (number(customers)?, number(seed)?);
    let config = match shop.as_str() {
        "cdnow" => RetailerConfig::cdnow_like(customers, seed),
        "grocery" => RetailerConfig::grocery_like(customers, seed),
        other => return Err(format!("no shop is called {other}; {USAGE}").into()),
    };
    Ok(Retailer::new(config)?.write_csv(BufWriter::new(stdout().lock()))?)
}
