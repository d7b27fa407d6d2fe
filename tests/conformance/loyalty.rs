//! Scenario files: every step's result and the whole state after it, exactly.

use serde_json::{Map, Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{Command, Ledger, LedgerError, MemoryStore, Programme, Rules};

use super::data::DataFolder;
use super::tally::Tally;

pub fn evaluate(json: &Value, _: &DataFolder, tally: &mut Tally) {
    for scenario in json["scenarios"].as_array().into_iter().flatten() {
        let name = scenario["id"].as_str().unwrap_or("(scenario without id)");
        let ledger = open(&scenario["programme"]);
        for (number, step) in (1..).zip(scenario["steps"].as_array().into_iter().flatten()) {
            let place = format!("step {number}");
            let at: Timestamp = step["do"]["at"].as_str().unwrap().parse().unwrap();
            let result = carry_out(&ledger, &step["do"]);
            tally.equal(name, &format!("{place}: result"), result, &step["result"]);
            let state = serde_json::to_value(ledger.snapshot(at).unwrap()).unwrap();
            tally.equal(name, &format!("{place}: state"), state, &step["state"]);
            let replayed = ledger.as_of(at).unwrap();
            let replayed = tenure::loyalty::Snapshot::of(&replayed, ledger.rules(), at).unwrap();
            let replayed = serde_json::to_value(replayed).unwrap();
            tally.equal(name, &format!("{place}: replay"), replayed, &step["state"]);
        }
    }
}

fn open(programme: &Value) -> Ledger<MemoryStore> {
    let programme: Programme = serde_json::from_value(programme.clone()).unwrap();
    Ledger::new(MemoryStore::new(), Rules::new(programme).unwrap())
}

/// One step, and its result in the words of the scenario files.
fn carry_out(ledger: &Ledger<MemoryStore>, step: &Value) -> Value {
    if step["op"] == "look" {
        ledger
            .tick(step["at"].as_str().unwrap().parse().unwrap())
            .unwrap();
        return json!({});
    }
    let command: Command = serde_json::from_value(step.clone()).unwrap();
    match ledger.submit(command) {
        Ok(submitted) => {
            let mut result: Map<String, Value> =
                serde_json::from_value(serde_json::to_value(&submitted.receipt).unwrap()).unwrap();
            result.remove("receipt");
            if submitted.replayed {
                result.insert("replayed".to_owned(), true.into());
            }
            result.into()
        }
        Err(LedgerError::Refused(refusal)) => json!({"error": refusal.code()}),
        Err(error) => panic!("{error}"),
    }
}
