//! Steps of a scenario, run and looked at.

use serde_json::{Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{Ledger, MemoryStore};

use super::scenario;

/// Runs steps (`[id, day and time in 2025 or a full instant, verb, arguments, result]`) upon a
/// programme that gives one point for each minor unit unless it says otherwise.
pub fn run(mut programme: Value, steps: &[Value]) -> Ledger<MemoryStore> {
    if programme["earn"].is_null() {
        programme["earn"] = json!({"rounding": "floor", "round_scope": "order"});
    }
    if programme["earn_rules"].is_null() {
        programme["earn_rules"] = json!([{"rate": [1, 1]}]);
    }
    let ledger = scenario::open(MemoryStore::new(), &programme).unwrap();
    for step in steps {
        let [id, at, op, arguments, result] = step.as_array().unwrap().as_slice() else {
            panic!("{step}")
        };
        let mut command = arguments.clone();
        command["id"] = id.clone();
        command["op"] = op.clone();
        command["at"] = at_text(at.as_str().unwrap()).into();
        let played = scenario::play(&ledger, &command).unwrap();
        assert_eq!(&played.result, result, "{step}");
        assert_eq!(played.state, played.replayed, "{step}");
    }
    ledger
}

/// `01-31` and `01-31T10:00:00` are in 2025.
pub fn at_text(short: &str) -> String {
    match short.len() {
        5 => format!("2025-{short}T00:00:00Z"),
        10 => format!("{short}T00:00:00Z"),
        14 => format!("2025-{short}Z"),
        _ => short.to_owned(),
    }
}

pub fn at(short: &str) -> Timestamp {
    at_text(short).parse().unwrap()
}

/// One value of the state at an instant, by its JSON pointer.
pub fn state(ledger: &Ledger<MemoryStore>, when: &str, pointer: &str) -> Value {
    let state = serde_json::to_value(ledger.snapshot(at(when)).unwrap()).unwrap();
    state
        .pointer(pointer)
        .cloned()
        .unwrap_or_else(|| panic!("no {pointer} in {state}"))
}

pub fn earned(points: i64, lot: u64) -> Value {
    json!({"points": points, "lot": lot, "capped": 0})
}

pub fn error(code: &str) -> Value {
    json!({"error": code})
}

pub fn earn(id: &str, when: &str, account: &str, money: i64, lot: u64) -> Value {
    json!([id, when, "earn", {"account": account, "money": money}, earned(money, lot)])
}
