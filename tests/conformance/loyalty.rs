//! Scenario files: every step's result and the whole state after it, exactly.

use serde_json::Value;

use super::data::DataFolder;
use super::scenario;
use super::tally::Tally;

pub fn evaluate(json: &Value, _: &DataFolder, tally: &mut Tally) {
    for scenario in json["scenarios"].as_array().into_iter().flatten() {
        let name = scenario["id"].as_str().unwrap_or("(scenario without id)");
        let ledger = scenario::open(&scenario["programme"]);
        for (number, step) in (1..).zip(scenario["steps"].as_array().into_iter().flatten()) {
            let (command, expected) = (&step["do"], &step["state"]);
            let mut check = |what: &str, actual: Value, expected: &Value| {
                tally.equal(name, &format!("step {number}: {what}"), actual, expected);
            };
            let result = scenario::carry_out(&ledger, command);
            check("result", result, &step["result"]);
            let now = scenario::instant(command);
            check("state", scenario::state(&ledger, now), expected);
            check("replay", scenario::replayed(&ledger, now), expected);
        }
    }
}
