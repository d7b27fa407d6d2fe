//! Scenarios of the points ledger, one step at a time. The conformance tests run this very code.

use std::error::Error;

use serde_json::{Map, Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{Command, Ledger, LedgerError, Programme, Rules, Snapshot, Store};

/// What a step came to, in the words of the scenario files.
pub struct Played {
    /// The step's result.
    pub result: Value,
    /// The whole state after it.
    pub state: Value,
    /// The same, from a replay of the journal.
    pub replayed: Value,
}

/// A ledger for a scenario's programme, upon an empty store.
pub fn open<S: Store>(store: S, programme: &Value) -> Result<Ledger<S>, Box<dyn Error>> {
    let programme: Programme = serde_json::from_value(programme.clone())?;
    Ok(Ledger::new(store, Rules::new(programme)?))
}

/// Carries out one step: its `do`.
pub fn play<S: Store>(ledger: &Ledger<S>, step: &Value) -> Result<Played, Box<dyn Error>> {
    let at = step["at"].as_str().ok_or("a step needs an instant `at`")?;
    let now: Timestamp = at.parse()?;
    let result = carry_out(ledger, step, now)?;
    let replayed = Snapshot::of(&ledger.as_of(now)?, ledger.rules(), now)?;
    Ok(Played {
        result,
        state: serde_json::to_value(ledger.snapshot(now)?)?,
        replayed: serde_json::to_value(replayed)?,
    })
}

fn carry_out<S: Store>(
    ledger: &Ledger<S>,
    step: &Value,
    now: Timestamp,
) -> Result<Value, Box<dyn Error>> {
    if step["op"] == "look" {
        ledger.tick(now)?;
        return Ok(json!({}));
    }
    let command: Command = serde_json::from_value(step.clone())?;
    match ledger.submit(command) {
        Ok(submitted) => {
            let receipt = serde_json::to_value(&submitted.receipt)?;
            let mut result: Map<String, Value> = serde_json::from_value(receipt)?;
            // The kind of the receipt; the operation tells it already.
            result.remove("receipt");
            if submitted.replayed {
                result.insert("replayed".to_owned(), true.into());
            }
            Ok(result.into())
        }
        Err(LedgerError::Refused(refusal)) => Ok(json!({"error": refusal.code()})),
        Err(error) => Err(error.into()),
    }
}
