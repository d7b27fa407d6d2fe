//! Scenario files: every step's result and the whole state after it, exactly.

use serde_json::Value;
use tenure::loyalty::MemoryStore;

use super::data::DataFolder;
use super::scenario;
use super::tally::Tally;

pub fn evaluate(json: &Value, _: &DataFolder, tally: &mut Tally) {
    for scenario in json["scenarios"].as_array().into_iter().flatten() {
        let name = scenario["id"].as_str().unwrap_or("(scenario without id)");
        let ledger = scenario::open(MemoryStore::new(), &scenario["programme"]);
        let ledger = ledger.unwrap_or_else(|error| panic!("{name}: {error}"));
        for (number, step) in (1..).zip(scenario["steps"].as_array().into_iter().flatten()) {
            let played = scenario::play(&ledger, &step["do"]);
            let played = played.unwrap_or_else(|error| panic!("{name}, step {number}: {error}"));
            let mut check = |what: &str, actual: Value, expected: &Value| {
                tally.equal(name, &format!("step {number}: {what}"), actual, expected);
            };
            check("result", played.result, &step["result"]);
            check("state", played.state, &step["state"]);
            check("replay", played.replayed, &step["state"]);
        }
    }
}
