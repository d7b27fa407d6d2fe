//! Golden files: every number is checked to its tolerance, or named as not supported.
//!
//! The files are read from `tests/golden`, or from the folder in `TENURE_GOLDEN_DIR`; the data that they name from
//! `tests/data`, or from the folder in `TENURE_DATA_DIR` (searched recursively). Any file in one of the four formats
//! will do, told by its name: `lifetime.json`, `loyalty.json`, `recommend.json`, `segment.json`.
//! With `TENURE_GOLDEN_NEED_DATA=1`, a number whose data file is missing is a failure.

#[path = "conformance/data.rs"]
mod data;
#[path = "conformance/lifetime.rs"]
mod lifetime;
#[path = "conformance/lifetime_contract.rs"]
mod lifetime_contract;
#[path = "conformance/lifetime_gompertz.rs"]
mod lifetime_gompertz;
#[path = "conformance/lifetime_pareto.rs"]
mod lifetime_pareto;
#[path = "conformance/lifetime_static.rs"]
mod lifetime_static;
#[path = "conformance/loyalty.rs"]
mod loyalty;
#[path = "conformance/recommend.rs"]
mod recommend;
#[path = "conformance/recommend_als.rs"]
mod recommend_als;
#[path = "conformance/recommend_evaluate.rs"]
mod recommend_evaluate;
#[path = "conformance/recommend_items.rs"]
mod recommend_items;
#[path = "conformance/recommend_logs.rs"]
mod recommend_logs;
#[path = "conformance/retention.rs"]
mod retention;
#[path = "conformance/rfm.rs"]
mod rfm;
#[path = "../examples/loyalty_replay/scenario.rs"]
mod scenario;
#[path = "conformance/segment.rs"]
mod segment;
#[path = "conformance/tally.rs"]
mod tally;

use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use data::DataFolder;
use tally::Tally;

const SHIPPED_GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
const SHIPPED_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// What evaluates a file of a given name; a file without an entry here is not a golden file.
type Evaluate = fn(&Value, &DataFolder, &mut Tally);
const FORMATS: &[(&str, Evaluate)] = &[
    ("lifetime.json", lifetime::evaluate),
    ("loyalty.json", loyalty::evaluate),
    ("recommend.json", recommend::evaluate),
    ("segment.json", segment::evaluate),
];

#[test]
fn every_golden_number_is_checked_or_named() {
    let folder = env::var_os("TENURE_GOLDEN_DIR").map(PathBuf::from);
    let shipped = folder.is_none();
    let folder = folder.unwrap_or_else(|| SHIPPED_GOLDENS.into());
    let data = DataFolder::new(
        env::var_os("TENURE_DATA_DIR").map_or_else(|| SHIPPED_DATA.into(), PathBuf::from),
    );
    let need_data = env::var("TENURE_GOLDEN_NEED_DATA").is_ok_and(|v| v == "1");

    let mut complaints = Vec::new();
    let mut files = 0;
    for (name, evaluate) in FORMATS {
        let path = folder.join(name);
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        files += 1;
        let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut tally = Tally::new(name);
        evaluate(&json, &data, &mut tally);
        // Past the test runner's capture, so that the counts are seen when all is well, too.
        let _ = write!(std::io::stderr(), "{tally}");
        complaints.extend(tally.complaints(shipped, need_data));
    }
    assert!(files > 0, "no golden file in {}", folder.display());
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
