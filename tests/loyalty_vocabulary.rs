//! The words of a programme and the verbs of a ledger, one by one, with results worked out by hand.

#[path = "../examples/loyalty_replay/scenario.rs"]
mod scenario;

use std::sync::Arc;

use serde_json::{Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{
    Action, Command, Earn, EarnRule, Ledger, LedgerError, Member, MemoryStore, Points, Programme,
    Receipt, Rules,
};

/// Runs steps (`[id, day and time in 2025 or a full instant, verb, arguments, result]`) upon a
/// programme that gives one point for each minor unit unless it says otherwise.
fn run(mut programme: Value, steps: &[Value]) -> Ledger<MemoryStore> {
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
fn at_text(short: &str) -> String {
    match short.len() {
        5 => format!("2025-{short}T00:00:00Z"),
        10 => format!("{short}T00:00:00Z"),
        14 => format!("2025-{short}Z"),
        _ => short.to_owned(),
    }
}

fn at(short: &str) -> Timestamp {
    at_text(short).parse().unwrap()
}

/// One value of the state at an instant, by its JSON pointer.
fn state(ledger: &Ledger<MemoryStore>, when: &str, pointer: &str) -> Value {
    let state = serde_json::to_value(ledger.snapshot(at(when)).unwrap()).unwrap();
    state
        .pointer(pointer)
        .cloned()
        .unwrap_or_else(|| panic!("no {pointer} in {state}"))
}

fn earned(points: i64, lot: u64) -> Value {
    json!({"points": points, "lot": lot, "capped": 0})
}

fn error(code: &str) -> Value {
    json!({"error": code})
}

fn earn(id: &str, when: &str, account: &str, money: i64, lot: u64) -> Value {
    json!([id, when, "earn", {"account": account, "money": money}, earned(money, lot)])
}

#[test]
fn every_kind_of_expiry() {
    for (expiry, pending, expected) in [
        (json!({"kind": "never"}), 0, json!(null)),
        (
            json!({"kind": "days", "n": 30}),
            14,
            json!("2025-03-02T10:00:00Z"),
        ),
        (
            json!({"kind": "days", "n": 30, "from": "available"}),
            14,
            json!("2025-03-16T10:00:00Z"),
        ),
        (
            json!({"kind": "months_end", "n": 0}),
            0,
            json!("2025-02-01T00:00:00Z"),
        ),
        (
            json!({"kind": "months_exact", "n": 1}),
            0,
            json!("2025-02-28T10:00:00Z"),
        ),
        (
            json!({"kind": "end_of_next_year"}),
            0,
            json!("2027-01-01T00:00:00Z"),
        ),
        (
            json!({"kind": "fixed_date", "at": "2026-05-05T05:05:05Z"}),
            0,
            json!("2026-05-05T05:05:05Z"),
        ),
        (
            json!({"kind": "inactivity", "n": 13}),
            0,
            json!("2026-02-28T10:00:00Z"),
        ),
    ] {
        let programme = json!({"expiry": expiry, "pending_days": pending});
        let ledger = run(programme, &[earn("o", "01-31T10:00:00", "ann", 9, 1)]);
        let lot = "/accounts/ann/lots/0/expires_at";
        assert_eq!(state(&ledger, "01-31T10:00:00", lot), expected, "{expiry}");
    }
}

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

#[test]
fn a_soft_landing_loses_one_tier_a_year() {
    for (soft, tiers) in [(true, [3, 3, 2, 1, 0]), (false, [3, 3, 0, 0, 0])] {
        let programme = json!({"tiers": {"kind": "calendar_year", "unit": "money", "thresholds": [100, 200, 300], "soft_landing": soft}});
        let ledger = run(programme, &[earn("o", "12-31", "ann", 300, 1)]);
        for (year, tier) in (2025..).zip(tiers) {
            let when = format!("{year}-12-31");
            assert_eq!(
                state(&ledger, &when, "/accounts/ann/tier"),
                tier,
                "{soft} {year}"
            );
        }
    }
}

#[test]
fn a_lifetime_tier_counts_everything_that_qualifies_and_stays_refunded() {
    let programme = json!({"tiers": {"kind": "lifetime", "unit": "money", "thresholds": [100]},
        "earn_rules": [{"rate": [1, 1], "tier": 0}, {"rate": [2, 1], "tier": 1}]});
    let ledger = run(
        programme,
        &[
            json!(["1", "01-01", "earn", {"account": "ann", "money": 500, "non_qualifying": true}, earned(500, 1)]),
            earn("2", "01-02", "ann", 100, 2),
            json!(["3", "01-03", "earn", {"account": "ann", "money": 10}, earned(20, 3)]),
        ],
    );
    assert_eq!(state(&ledger, "2035-01-01", "/accounts/ann/tier"), 1);
    let refund = Action::Refund {
        order: "2".into(),
        money: Some(11),
    };
    ledger
        .submit(Command::new("f", at("02-01"), refund))
        .unwrap();
    assert_eq!(state(&ledger, "02-01", "/accounts/ann/tier"), 0);
    let refund = Action::Refund {
        order: "1".into(),
        money: None,
    };
    ledger
        .submit(Command::new("g", at("02-01"), refund))
        .unwrap();
    assert_eq!(state(&ledger, "02-01", "/accounts/ann/tier"), 0);
}

#[test]
fn an_anniversary_tier_must_be_earned_again_within_its_term() {
    let programme =
        json!({"tiers": {"kind": "anniversary", "unit": "points", "thresholds": [100, 200]}});
    let ledger = run(
        programme,
        &[
            earn("1", "03-01", "ann", 250, 1),
            // Strictly after the raising order: it counts for the next term.
            earn("2", "03-02", "ann", 150, 2),
        ],
    );
    for (when, tier) in [
        ("2026-02-28T23:59:59Z", 2),
        ("2026-03-01", 1),
        ("2027-02-28T23:59:59Z", 1),
        ("2027-03-01", 0),
    ] {
        assert_eq!(state(&ledger, when, "/accounts/ann/tier"), tier, "{when}");
    }
}

#[test]
fn points_that_return_after_their_time_are_issued_again() {
    let programme = json!({"expiry": {"kind": "days", "n": 10}, "restore_expired": {"kind": "grace", "days": 5}});
    let ledger = run(
        programme,
        &[
            earn("o", "01-01", "ann", 40, 1),
            json!(["r", "01-09", "redeem", {"account": "ann", "points": 30}, {"consumed": [[1, 30]]}]),
            json!(["v", "01-12", "reverse_redeem", {"ref": "r", "points": 20}, {"restored": [[2, 20, "reissued"]]}]),
        ],
    );
    assert_eq!(state(&ledger, "01-12", "/accounts/ann/lots/0/granted"), 20);
    assert_eq!(state(&ledger, "01-12", "/accounts/ann/granted"), 40);
    assert_eq!(
        state(&ledger, "01-12", "/accounts/ann/lots/1/expires_at"),
        "2025-01-17T00:00:00Z"
    );
    assert_eq!(state(&ledger, "01-16", "/accounts/ann/available"), 20);
    assert_eq!(state(&ledger, "01-17", "/accounts/ann/expired"), 30);
}

#[test]
fn the_three_ways_to_claw_back() {
    for (clawback, clawed, debt, written_off, available) in [
        (
            "own_lot_then_others_then_debt",
            json!([[1, 10], [2, 15]]),
            75,
            0,
            -75,
        ),
        // The debt is repaid at once by the usable points of the other lot.
        ("own_lot_then_debt", json!([[1, 10]]), 90, 0, -75),
        ("own_lot_then_write_off", json!([[1, 10]]), 0, 90, 15),
    ] {
        let ledger = run(
            json!({"clawback": clawback}),
            &[
                earn("1", "01-01", "ann", 100, 1),
                earn("2", "01-02", "ann", 15, 2),
                json!(["r", "01-03", "redeem", {"account": "ann", "points": 90}, {"consumed": [[1, 90]]}]),
                json!(["f", "01-04", "refund", {"ref": "1"},
                {"clawed": clawed, "absorbed_by_expiry": 0, "debt_added": debt, "written_off": written_off}]),
                json!(["g", "01-04", "refund", {"ref": "1"}, error("exceeds_refundable")]),
            ],
        );
        assert_eq!(
            state(&ledger, "01-04", "/accounts/ann/available"),
            available,
            "{clawback}"
        );
        assert_eq!(
            state(&ledger, "01-04", "/accounts/ann/written_off"),
            written_off,
            "{clawback}"
        );
    }
}

#[test]
fn for_points_that_expired_unspent_nothing_is_owed_but_once() {
    let programme = json!({"expiry": {"kind": "days", "n": 10}});
    run(
        programme,
        &[
            earn("1", "01-01", "ann", 100, 1),
            json!(["r", "01-02", "redeem", {"account": "ann", "points": 40}, {"consumed": [[1, 40]]}]),
            json!(["f", "02-01", "refund", {"ref": "1", "money": 50},
            {"clawed": [], "absorbed_by_expiry": 50, "debt_added": 0, "written_off": 0}]),
            json!(["g", "02-01", "refund", {"ref": "1", "money": 50},
            {"clawed": [], "absorbed_by_expiry": 10, "debt_added": 40, "written_off": 0}]),
        ],
    );
}

#[test]
fn a_debt_is_repaid_by_whatever_becomes_usable() {
    let owe = |account: &str| json!(["owe", "01-01", "adjust", {"account": account, "points": -30, "allow_negative": true}, {"consumed": []}]);
    let pending = run(
        json!({"pending_days": 10}),
        &[owe("ann"), earn("o", "01-02", "ann", 20, 1)],
    );
    assert_eq!(
        state(&pending, "01-11T23:59:59", "/accounts/ann/available"),
        -30
    );
    assert_eq!(state(&pending, "01-12", "/accounts/ann/available"), -10);
    assert_eq!(
        state(&pending, "01-12", "/accounts/ann/lots/0/clawed_back"),
        20
    );

    let received = run(
        json!({}),
        &[
            owe("bob"),
            earn("o", "01-02", "ann", 50, 1),
            json!(["t", "01-03", "transfer", {"from": "ann", "to": "bob", "points": 40},
            {"moved": [[1, 40]], "received": [[2, 40]], "fee": []}]),
        ],
    );
    assert_eq!(state(&received, "01-03", "/accounts/bob/available"), 10);

    let released = run(
        json!({}),
        &[
            earn("o", "01-01", "ann", 20, 1),
            json!(["h", "01-01", "hold", {"account": "ann", "ttl_s": 86400}, {"reserved": [[1, 20]]}]),
            owe("ann"),
        ],
    );
    assert_eq!(state(&released, "01-01", "/accounts/ann/available"), -30);
    assert_eq!(state(&released, "01-02", "/accounts/ann/available"), -10);
}

#[test]
fn the_oldest_lot_goes_first_when_the_programme_says_so() {
    run(
        json!({"consume": "oldest_first"}),
        &[
            earn("1", "01-01", "ann", 10, 1),
            json!(["2", "01-02", "earn", {"account": "ann", "points": 10, "expires_at": "2025-02-01T00:00:00Z"}, earned(10, 2)]),
            json!(["r", "01-03", "redeem", {"account": "ann", "points": 15}, {"consumed": [[1, 10], [2, 5]]}]),
        ],
    );
}

#[test]
fn what_never_expires_goes_last() {
    run(
        json!({}),
        &[
            earn("1", "01-01", "ann", 10, 1),
            json!(["2", "01-02", "earn", {"account": "ann", "points": 10, "expires_at": "2025-02-01T00:00:00Z"}, earned(10, 2)]),
            json!(["r", "01-03", "redeem", {"account": "ann", "points": 15}, {"consumed": [[2, 10], [1, 5]]}]),
        ],
    );
}

#[test]
fn a_capture_does_not_revive_what_its_hold_shielded() {
    let ledger = run(
        json!({"expiry": {"kind": "inactivity", "n": 1}}),
        &[
            earn("1", "01-01", "ann", 10, 1),
            json!(["h", "01-20", "hold", {"account": "ann"}, {"reserved": [[1, 10]]}]),
            json!(["c", "02-10", "capture", {"hold": "h", "points": 6}, {"consumed": [[1, 6]], "released": 4}]),
        ],
    );
    assert_eq!(state(&ledger, "02-10", "/accounts/ann/expired"), 4);
}

#[test]
fn a_pool_is_held_captured_released_and_times_out_as_one() {
    let accounts = json!(["ann", "bob"]);
    let ledger = run(
        json!({"expiry": {"kind": "days", "n": 30}}),
        &[
            earn("1", "01-01", "bob", 20, 1),
            earn("2", "01-02", "ann", 20, 2),
            json!(["h", "01-03", "hold", {"accounts": accounts, "points": 30}, {"reserved": [[1, 20], [2, 10]]}]),
            json!(["x", "01-03", "hold", {"accounts": accounts, "points": 11}, error("insufficient_available")]),
            json!(["y", "01-03", "capture", {"hold": "h", "points": 31}, error("exceeds_hold")]),
            json!(["c", "01-04", "capture", {"hold": "h", "points": 25}, {"consumed": [[1, 20], [2, 5]], "released": 5}]),
            json!(["k", "01-05", "hold", {"accounts": accounts, "ttl_s": 60}, {"reserved": [[2, 15]]}]),
            json!(["z", "01-05T00:01:00", "release", {"hold": "k"}, error("hold_closed")]),
            json!(["l", "01-06", "hold", {"accounts": accounts, "points": 3}, {"reserved": [[2, 3]]}]),
            json!(["m", "01-06", "release", {"hold": "l"}, {"released": 3}]),
            json!(["n", "01-06", "release", {"hold": "nobody"}, error("unknown_hold")]),
            json!(["o", "01-06", "release", {"hold": "1"}, error("unknown_hold")]),
            // A capture is a redemption, and can be undone.
            json!(["v", "01-07", "reverse_redeem", {"ref": "c", "points": 6}, {"restored": [[2, 5, "restored"], [1, 1, "restored"]]}]),
            json!(["w", "01-07", "redeem", {"accounts": ["ann", "bob", "ann"]}, error("same_account")]),
        ],
    );
    assert_eq!(state(&ledger, "01-07", "/accounts/ann/available"), 20);
    assert_eq!(state(&ledger, "01-07", "/accounts/bob/available"), 1);
}

#[test]
fn all_that_is_left_is_transferred_with_its_fee() {
    let ledger = run(
        json!({"transfer_fee": [1, 20]}),
        &[
            earn("1", "01-01", "ann", 100, 1),
            json!(["s", "01-02", "transfer", {"from": "ann", "to": "ann", "points": 1}, error("same_account")]),
            // 95 with a fee of 4.75, rounded up, are 100.
            json!(["t", "01-02", "transfer", {"from": "ann", "to": "bob"},
            {"moved": [[1, 95]], "received": [[2, 95]], "fee": [[1, 5]]}]),
            json!(["u", "01-02", "transfer", {"from": "ann", "to": "bob"}, error("insufficient_available")]),
        ],
    );
    assert_eq!(state(&ledger, "01-02", "/accounts/ann/spent"), 5);
}

#[test]
fn a_team_forms_or_fails() {
    let ledger = run(
        json!({"group": {"size": 3, "seconds": 3600, "deposit": 10}}),
        &[
            earn("1", "01-01", "ann", 10, 1),
            earn("2", "01-01", "bob", 20, 2),
            earn("3", "01-01", "cho", 20, 3),
            json!(["x", "01-02", "group_open", {"account": "dee"}, error("insufficient_available")]),
            json!(["g", "01-02", "group_open", {"account": "ann"}, {"state": "open", "members": 1}]),
            json!(["j", "01-02", "group_join", {"account": "bob", "group": "g"}, {"state": "open", "members": 2}]),
            json!(["k", "01-02", "group_join", {"account": "cho", "group": "g"}, {"state": "formed", "members": 3}]),
            json!(["l", "01-02", "group_join", {"account": "dee", "group": "g"}, error("group_full")]),
            json!(["m", "01-02", "group_join", {"account": "dee", "group": "1"}, error("unknown_group")]),
            json!(["h", "01-03", "group_open", {"account": "bob"}, {"state": "open", "members": 1}]),
            json!(["n", "01-03T01:00:00", "group_join", {"account": "cho", "group": "h"}, error("group_deadline_passed")]),
        ],
    );
    assert_eq!(state(&ledger, "01-03", "/accounts/bob/held"), 10);
    assert_eq!(
        state(&ledger, "01-03T01:00:00", "/accounts/bob/available"),
        10
    );
    assert_eq!(
        state(&ledger, "01-03T01:00:00", "/groups/h/state"),
        "failed"
    );
    assert_eq!(
        state(&ledger, "01-03T01:00:00", "/groups/g/state"),
        "formed"
    );
}

#[test]
fn a_card_may_end_below_no_stamps() {
    run(
        json!({"stamp_card": {"size": 3}}),
        &[
            json!(["1", "01-01", "stamp", {"account": "ann", "count": 7}, {"stamps": 1, "rewards": 2, "new_rewards": 2}]),
            json!(["2", "01-01", "unstamp", {"account": "ann", "count": 9}, {"stamps": -2, "rewards": 0}]),
            json!(["3", "01-01", "stamp", {"account": "ann", "count": 4}, {"stamps": 2, "rewards": 0, "new_rewards": 0}]),
            json!(["4", "01-01", "stamp", {"account": "ann", "count": 0}, error("invalid_amount")]),
        ],
    );
    run(
        json!({}),
        &[
            json!(["1", "01-01", "stamp", {"account": "ann", "count": 1}, error("not_in_programme")]),
        ],
    );
}

#[test]
fn any_activity_moves_the_expiry_of_both_sides() {
    let ledger = run(
        json!({"expiry": {"kind": "inactivity", "n": 1}}),
        &[
            earn("1", "01-01", "ann", 10, 1),
            earn("2", "01-10", "bob", 10, 2),
            json!(["t", "01-20", "transfer", {"from": "ann", "to": "bob", "points": 4},
            {"moved": [[1, 4]], "received": [[3, 4]], "fee": []}]),
            json!(["a", "01-25", "adjust", {"account": "bob", "points": 1}, {"lot": 4}]),
        ],
    );
    for lot in [
        "/accounts/ann/lots/0",
        "/accounts/bob/lots/0",
        "/accounts/bob/lots/1",
    ] {
        let expires_at = format!("{lot}/expires_at");
        assert_eq!(
            state(&ledger, "01-25", &expires_at),
            "2025-02-20T00:00:00Z",
            "{lot}"
        );
    }
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

#[test]
fn an_expiry_in_the_past_takes_the_points_at_once() {
    let ledger = run(
        json!({}),
        &[
            json!(["1", "01-02", "earn", {"account": "ann", "points": 5, "expires_at": "2025-01-02T00:00:00Z"}, earned(5, 1)]),
        ],
    );
    assert_eq!(state(&ledger, "01-02", "/accounts/ann/expired"), 5);
    assert_eq!(state(&ledger, "01-02", "/accounts/ann/available"), 0);
}

/// Both fall due together when they are at one instant, and when a member who was away comes back after both.
#[test]
fn what_expires_before_it_matures_or_with_it_is_never_usable() {
    for expires_at in ["01-11", "01-12", "01-05"] {
        let order = json!({"account": "ann", "money": 50, "expires_at": at_text(expires_at)});
        let ledger = run(
            json!({"pending_days": 10}),
            &[
                json!(["e", "01-02", "earn", order, earned(50, 1)]),
                json!(["f", "01-03", "earn", {"account": "ann", "money": 7}, earned(7, 2)]),
                json!(["r", "01-12", "redeem", {"account": "ann", "points": 1}, error("insufficient_available")]),
            ],
        );
        for (when, available) in [("01-12", 0), ("01-12T23:59:59", 0), ("01-13", 7)] {
            assert_eq!(
                state(&ledger, when, "/accounts/ann/available"),
                available,
                "{expires_at} {when}"
            );
        }
        let lot = |column: &str| state(&ledger, "01-13", &format!("/accounts/ann/lots/0/{column}"));
        assert_eq!((lot("expired"), lot("free")), (json!(50), json!(0)));
    }
}

#[test]
fn time_never_goes_back_for_an_account() {
    let ledger = run(json!({}), &[earn("1", "01-02", "ann", 5, 1)]);
    let refused = |account: &str| {
        let command = Command::new("2", at("01-01"), Earn::money(account, 5));
        match ledger.submit(command) {
            Err(LedgerError::Refused(refusal)) => Some(refusal.code()),
            _ => None,
        }
    };
    assert_eq!(refused("ann"), Some("time_goes_back"));
    assert_eq!(refused("bob"), None);
    // A past state is asked of the journal.
    assert!(ledger.snapshot(at("01-01")).is_err());
    assert!(ledger.account(&"ann".into(), at("01-01")).is_err());
    let then = ledger.as_of(at("01-01")).unwrap();
    assert_eq!(then.member(&"ann".into()).available(), Points(0));
    assert_eq!(then.member(&"bob".into()).available(), Points(5));
}

#[test]
fn what_cannot_be_referred_to_is_named() {
    run(
        json!({}),
        &[
            earn("1", "01-01", "ann", 5, 1),
            json!(["2", "01-01", "refund", {"ref": "none"}, error("unknown_reference")]),
            json!(["3", "01-01", "reverse_redeem", {"ref": "1"}, error("unknown_reference")]),
            json!(["4", "01-01", "redeem", {"account": "ann", "points": 0}, error("invalid_amount")]),
            json!(["5", "01-01", "redeem", {"account": "zed"}, error("insufficient_available")]),
            json!(["6", "01-01", "redeem", {"account": "ann"}, {"consumed": [[1, 5]]}]),
            json!(["7", "01-01", "refund", {"ref": "6"}, error("unknown_reference")]),
            json!(["8", "01-01", "reverse_redeem", {"ref": "6", "points": 6}, error("exceeds_reversible")]),
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
fn what_expires_soon_and_where_it_went() {
    let ledger = run(
        json!({"expiry": {"kind": "days", "n": 10}}),
        &[
            earn("1", "01-01", "ann", 10, 1),
            earn("2", "01-05", "ann", 20, 2),
            json!(["r", "01-06", "redeem", {"account": "ann", "points": 4}, {"consumed": [[1, 4]]}]),
        ],
    );
    let ann = "ann".into();
    let soon = ledger.expiring(&ann, at("01-06"), at("01-15")).unwrap();
    assert_eq!(
        soon.iter()
            .map(|lot| (lot.number.0, lot.free.0))
            .collect::<Vec<_>>(),
        [(1, 6)]
    );
    assert!(
        ledger
            .expiring(&ann, at("01-11"), at("01-15"))
            .unwrap()
            .is_empty()
    );
    assert_eq!(ledger.tick(at("01-20")).unwrap(), 2);
    let running: Vec<i64> = ledger
        .statement(&ann)
        .unwrap()
        .iter()
        .map(|line| line.available.0)
        .collect();
    assert_eq!(running, [10, 30, 26, 20, 0]);
}
