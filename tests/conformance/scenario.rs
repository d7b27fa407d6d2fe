//! Scenario files of the points ledger: one step at a time.

use serde_json::{Map, Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{Command, Ledger, LedgerError, MemoryStore, Programme, Rules, Snapshot};

/// A ledger for a scenario's programme.
pub fn open(programme: &Value) -> Ledger<MemoryStore> {
    let programme: Programme = serde_json::from_value(programme.clone()).unwrap();
    Ledger::new(MemoryStore::new(), Rules::new(programme).unwrap())
}

/// The instant of a step.
pub fn instant(step: &Value) -> Timestamp {
    step["at"].as_str().unwrap().parse().unwrap()
}

/// Carries one step out; its result in the words of the scenario files.
pub fn carry_out(ledger: &Ledger<MemoryStore>, step: &Value) -> Value {
    if step["op"] == "look" {
        ledger.tick(instant(step)).unwrap();
        return json!({});
    }
    let command: Command = serde_json::from_value(step.clone()).unwrap();
    match ledger.submit(command) {
        Ok(submitted) => {
            let receipt = serde_json::to_value(&submitted.receipt).unwrap();
            let mut result: Map<String, Value> = serde_json::from_value(receipt).unwrap();
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

/// The whole state at an instant, in the words of the scenario files.
pub fn state(ledger: &Ledger<MemoryStore>, now: Timestamp) -> Value {
    serde_json::to_value(ledger.snapshot(now).unwrap()).unwrap()
}

/// The same, from a replay of the journal.
pub fn replayed(ledger: &Ledger<MemoryStore>, now: Timestamp) -> Value {
    let states = ledger.as_of(now).unwrap();
    serde_json::to_value(Snapshot::of(&states, ledger.rules(), now).unwrap()).unwrap()
}
