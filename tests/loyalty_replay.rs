//! Scenario files on every store, and what is said of the first difference.

#[path = "../examples/loyalty_replay/replay.rs"]
mod replay;
#[path = "../examples/loyalty_replay/scenario.rs"]
mod scenario;
#[path = "common/stores.rs"]
mod stores;

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tenure::loyalty::MemoryStore;

fn scenarios() -> Value {
    let shipped = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    let folder = env::var_os("TENURE_GOLDEN_DIR").map_or_else(shipped, PathBuf::from);
    let text = fs::read_to_string(folder.join("loyalty.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_store_plays_every_scenario_as_written() {
    let file = scenarios();
    stores::on_each(|name, make| {
        // A place for each scenario; all of them live until the end.
        let mut places = Vec::new();
        let open = |_| {
            let mut place = make();
            let store = place.open();
            places.push(place);
            Ok(store)
        };
        let outcome = replay::run(&file, open, |_| {}).unwrap();
        if let Some(difference) = outcome.difference {
            let replay::Difference {
                scenario,
                step,
                what,
                expected,
                actual,
            } = difference;
            panic!("{name}: {scenario}, step {step}: another {what}: {expected} {actual}");
        }
        let steps = file["scenarios"].as_array().unwrap().iter();
        let steps: usize = steps.map(|s| s["steps"].as_array().unwrap().len()).sum();
        assert_eq!(outcome.steps, steps);
        let given = &file["scenarios"];
        assert_eq!(outcome.scenarios, given.as_array().unwrap().len());
        assert_eq!(outcome.document["scenarios"], *given);
    });
}

#[test]
fn the_first_difference_is_named_and_ends_the_run() {
    let mut file = scenarios();
    let step = &mut file["scenarios"][2]["steps"][1];
    let state = step["state"].clone();
    step["state"]["accounts"]["nobody"] = json!({"available": 1});
    let mut told = 0;
    let tell = |step: &replay::Step<'_>| {
        let scenario = file["scenarios"].as_array().unwrap().iter();
        let mut scenario = scenario.filter(|s| s["id"] == step.scenario);
        let scenario = scenario.next().unwrap();
        let given = &scenario["steps"][step.number - 1];
        assert_eq!(
            (step.title.into(), step.action, step.result),
            (scenario["title"].clone(), &given["do"], &given["result"])
        );
        told += 1;
    };
    let outcome = replay::run(&file, |_| Ok(MemoryStore::new()), tell).unwrap();
    let difference = outcome.difference.unwrap();
    let name = file["scenarios"][2]["id"].as_str().unwrap();
    assert_eq!(
        (
            difference.scenario.as_str(),
            difference.step,
            difference.what
        ),
        (name, 2, "state")
    );
    assert_eq!(difference.actual, state);
    assert_eq!((outcome.scenarios, outcome.steps), (3, told));
    let last = &outcome.document["scenarios"][2]["steps"];
    assert_eq!(last.as_array().unwrap().len(), 2);
}

#[test]
fn what_a_scenario_does_not_say_is_not_compared() {
    let file = json!({"scenarios": [{
        "id": "own",
        "programme": {"earn": {"rounding": "floor", "round_scope": "order"}, "earn_rules": [{"rate": [1, 100]}]},
        "steps": [{"do": {"op": "earn", "id": "o-1", "at": "2025-01-01T00:00:00Z", "account": "ann", "money": 1299}}]
    }]});
    let outcome = replay::run(&file, |_| Ok(MemoryStore::new()), |_| {}).unwrap();
    assert!(outcome.difference.is_none());
    let step = &outcome.document["scenarios"][0]["steps"][0];
    assert_eq!(step["result"]["points"], 12);
    assert_eq!(step["state"]["accounts"]["ann"]["available"], 12);
}

#[test]
fn what_cannot_be_run_says_where() {
    let step = |step: Value| {
        json!({"scenarios": [{
            "id": "X", "programme": {"earn": {"rounding": "floor", "round_scope": "order"}},
            "steps": [{"do": step}]
        }]})
    };
    for (file, expected) in [
        (json!({}), "`scenarios`"),
        (
            json!({"scenarios": [{"id": "X", "programme": {"earnn": 1}}]}),
            "X",
        ),
        (step(json!({"op": "earn"})), "`at`"),
        (
            step(json!({"op": "dance", "id": "1", "at": "2025-01-01T00:00:00Z"})),
            "step 1",
        ),
        (step(json!({"op": "look", "at": "yesterday"})), "yesterday"),
    ] {
        let error = replay::run(&file, |_| Ok(MemoryStore::new()), |_| {});
        let error = error.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
