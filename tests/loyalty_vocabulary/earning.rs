//! What an order earns, by data and by code, and what it is worth in the books.

use std::sync::Arc;

use serde_json::json;
use tenure::event::Timestamp;
use tenure::loyalty::{
    Action, Command, Earn, EarnRule, Ledger, Member, MemoryStore, Points, Programme, Receipt, Rules,
};

use super::scenario;
use super::steps::{at, earn, earned, error, run, state};

#[test]
fn lines_are_rounded_one_by_one_or_together() {
    let programme = |scope| json!({"earn": {"rounding": "half_even", "round_scope": scope}, "earn_rules": [{"rate": [1, 100]}]});
    let lines = json!({"account": "ann", "lines": [{"money": 50}, {"money": 250}]});
    // 0.5 and 2.5 go to 0 and 2; together they are 3.
    run(
        programme("line"),
        &[json!(["o", "01-01", "earn", lines, earned(2, 1)])],
    );
    run(
        programme("order"),
        &[json!(["o", "01-01", "earn", lines, earned(3, 1)])],
    );
}

#[test]
fn rates_of_matching_rules_add_up_and_the_first_exclusive_one_rules_alone() {
    let programme = json!({"earn_rules": [
        {"rate": [1, 1], "category": "a"},
        {"rate": [2, 1], "tag": "web"},
        {"rate": [7, 1], "category": "b", "exclusive": true},
        {"rate": [9, 1], "category": "b", "exclusive": true},
        {"rate": [4, 1], "from": "2025-02-01T00:00:00Z", "to": "2025-03-01T00:00:00Z"}
    ]});
    run(
        programme,
        &[
            json!(["1", "01-01", "earn", {"account": "ann", "money": 10, "category": "a"}, earned(10, 1)]),
            json!(["2", "01-01", "earn", {"account": "ann", "money": 10, "category": "a", "tags": ["x", "web"]}, earned(30, 2)]),
            json!(["3", "01-01", "earn", {"account": "ann", "money": 10, "category": "b", "tags": ["web"]}, earned(70, 3)]),
            json!(["4", "01-31T23:59:59", "earn", {"account": "ann", "money": 10}, {"points": 0, "lot": null, "capped": 0}]),
            json!(["5", "02-01", "earn", {"account": "ann", "money": 10}, earned(40, 4)]),
            json!(["6", "03-01", "earn", {"account": "ann", "money": 10}, {"points": 0, "lot": null, "capped": 0}]),
            json!(["7", "03-01", "earn", {"account": "ann", "money": -10}, error("invalid_amount")]),
        ],
    );
}

#[test]
fn a_sliding_cap_forgets_after_its_seconds() {
    run(
        json!({"cap": {"kind": "sliding", "seconds": 100, "points": 10}}),
        &[
            earn("1", "01-01T00:00:00", "ann", 8, 1),
            json!(["2", "01-01T00:01:39", "earn", {"account": "ann", "money": 8}, {"points": 2, "lot": 2, "capped": 6}]),
            earn("3", "01-01T00:01:40", "ann", 8, 3),
            json!(["4", "01-01T00:01:40", "earn", {"account": "ann", "points": 1}, {"points": 0, "lot": null, "capped": 1}]),
        ],
    );
}

/// 100 points for the first order.
struct Welcome;

impl EarnRule for Welcome {
    fn points(&self, _order: &Earn, member: &Member, _now: Timestamp) -> Points {
        Points(if member.joined().is_none() { 100 } else { 0 })
    }
}

#[test]
fn a_rule_in_code_adds_to_the_rates_and_counts_for_the_cap() {
    let programme: Programme = serde_json::from_value(json!({
        "earn": {"rounding": "floor", "round_scope": "order"}, "earn_rules": [{"rate": [1, 1]}],
        "cap": {"kind": "calendar_month", "points": 105},
    }))
    .unwrap();
    let rules = Rules::new(programme)
        .unwrap()
        .with_earn_rule(Arc::new(Welcome));
    let ledger = Ledger::new(MemoryStore::new(), rules);
    let points = |id: &str| {
        let command = Command::new(id, at("01-01"), Earn::money("ann", 10));
        match ledger.submit(command).unwrap().receipt {
            Receipt::Earned { points, capped, .. } => (points.0, capped.0),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(points("1"), (105, 5));
    assert_eq!(points("2"), (0, 10));
}

#[test]
fn a_new_version_changes_what_is_granted_not_what_was() {
    let version = |rate: i64, days: u32| -> Programme {
        serde_json::from_value(json!({
            "earn": {"rounding": "floor", "round_scope": "order"}, "earn_rules": [{"rate": [rate, 1]}],
            "expiry": {"kind": "days", "n": days},
        }))
        .unwrap()
    };
    let versions = vec![
        (at("01-01"), version(2, 300)),
        (at("02-01"), version(1, 10)),
    ];
    let ledger = Ledger::new(MemoryStore::new(), Rules::versions(versions).unwrap());
    for (id, when) in [("1", "01-31T23:59:59"), ("2", "02-01")] {
        ledger
            .submit(Command::new(id, at(when), Earn::money("ann", 50)))
            .unwrap();
    }
    assert_eq!(state(&ledger, "02-01", "/accounts/ann/available"), 150);
    assert_eq!(state(&ledger, "02-11", "/accounts/ann/available"), 100);
    let refund = Action::Refund {
        order: "1".into(),
        money: Some(25),
    };
    ledger
        .submit(Command::new("f", at("03-01"), refund))
        .unwrap();
    assert_eq!(state(&ledger, "03-01", "/accounts/ann/available"), 50);
    let early = Command::new("e", at("2024-12-31"), Earn::money("ann", 50));
    assert!(ledger.submit(early).is_err());
}

#[test]
fn deferred_revenue_follows_refunds_and_ends_with_the_last_point() {
    // 100 points worth 1 each, all expected: 100·100 / 200 = 50 belong to them.
    let programme = json!({"liability": {"point_value": [1, 1], "urr": [1, 1]}});
    let ledger = run(
        programme,
        &[
            earn("1", "01-01", "ann", 100, 1),
            json!(["f", "01-02", "refund", {"ref": "1", "money": 50},
            {"clawed": [[1, 50]], "absorbed_by_expiry": 0, "debt_added": 0, "written_off": 0}]),
            json!(["u", "01-03", "set_urr", {"urr": [1, 2]}, {}]),
            json!(["e", "01-03", "set_urr", {"urr": [3, 2]}, error("invalid_amount")]),
            json!(["r", "01-04", "redeem", {"account": "ann", "points": 10}, {"consumed": [[1, 10]]}]),
        ],
    );
    let liability = state(&ledger, "01-04", "/liability");
    // 25 of the refunded sale; 10 of 25 expected points.
    assert_eq!(
        liability,
        json!({"allocated": 25, "points_issued_net": 50, "redeemed_net": 10,
        "expected_redeemed": 25, "recognised": 10, "deferred": 15})
    );
    let take = json!({"op": "adjust", "id": "a", "at": "2025-01-05T00:00:00Z", "account": "ann", "points": -40});
    scenario::play(&ledger, &take).unwrap();
    assert_eq!(state(&ledger, "01-05", "/liability/recognised"), 25);
}

#[test]
fn a_later_sale_is_rated_with_the_expectation_of_its_day() {
    let programme = json!({"liability": {"point_value": [1, 1], "urr": [1, 1]}});
    let ledger = run(
        programme,
        &[
            json!(["u", "01-01", "set_urr", {"urr": [1, 4]}, {}]),
            earn("1", "01-02", "ann", 100, 1),
        ],
    );
    // 100·25 / 125.
    assert_eq!(state(&ledger, "01-02", "/liability/allocated"), 20);
}
