//! A whole file of scenarios, up to the first difference.

use std::error::Error;

use serde_json::{Value, json};
use tenure::loyalty::Store;

use super::scenario;

/// A step that was carried out.
pub struct Step<'a> {
    /// The scenario's name and title.
    pub scenario: &'a str,
    pub title: &'a str,
    /// From 1.
    pub number: usize,
    /// What was to be done.
    pub action: &'a Value,
    /// What came of it.
    pub result: &'a Value,
}

/// Something came out otherwise than the file says.
pub struct Difference {
    pub scenario: String,
    pub step: usize,
    /// `result`, `state`, or `replay` for the state that the journal alone gives.
    pub what: &'static str,
    pub expected: Value,
    pub actual: Value,
}

/// How a file went.
pub struct Outcome {
    /// The file again, with the results and states that came out; up to the first difference.
    pub document: Value,
    pub scenarios: usize,
    pub steps: usize,
    pub difference: Option<Difference>,
}

/// Runs all scenarios, each upon a store of its own that `open` gives for its number.
///
/// A step without a `result` or a `state` is carried out and not compared: a scenario can be written
/// as a list of operations, and what comes out is what it lacks.
pub fn run<S: Store>(
    file: &Value,
    mut open: impl FnMut(usize) -> Result<S, Box<dyn Error>>,
    mut tell: impl FnMut(&Step<'_>),
) -> Result<Outcome, Box<dyn Error>> {
    let scenarios = file["scenarios"].as_array();
    let scenarios = scenarios.ok_or("no list `scenarios` in the file")?;
    let mut outcome = Outcome {
        document: json!({"scenarios": []}),
        scenarios: 0,
        steps: 0,
        difference: None,
    };
    for (index, given) in scenarios.iter().enumerate() {
        let name = given["id"].as_str().unwrap_or("(without id)");
        let place = |error: Box<dyn Error>| format!("scenario {name}: {error}");
        let store = open(index + 1).map_err(place)?;
        let ledger = scenario::open(store, &given["programme"]).map_err(place)?;
        outcome.scenarios += 1;
        let mut played = Vec::new();
        for (number, step) in (1..).zip(given["steps"].as_array().into_iter().flatten()) {
            let action = &step["do"];
            let came = scenario::play(&ledger, action)
                .map_err(|error| format!("scenario {name}, step {number}: {error}"))?;
            outcome.steps += 1;
            tell(&Step {
                scenario: name,
                title: given["title"].as_str().unwrap_or_default(),
                number,
                action,
                result: &came.result,
            });
            let compared = [
                ("result", &step["result"], &came.result),
                ("state", &step["state"], &came.state),
                ("replay", &step["state"], &came.replayed),
            ];
            let differs = compared
                .iter()
                .find(|(_, expected, actual)| !expected.is_null() && expected != actual);
            outcome.difference = differs.map(|&(what, expected, actual)| Difference {
                scenario: name.to_owned(),
                step: number,
                what,
                expected: expected.clone(),
                actual: actual.clone(),
            });
            played.push(json!({"do": action, "result": came.result, "state": came.state}));
            if outcome.difference.is_some() {
                break;
            }
        }
        let mut given = given.clone();
        given["steps"] = played.into();
        if let Some(list) = outcome.document["scenarios"].as_array_mut() {
            list.push(given);
        }
        if outcome.difference.is_some() {
            break;
        }
    }
    Ok(outcome)
}
