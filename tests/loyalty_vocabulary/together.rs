//! Holds, pools, transfers, teams and cards.

use serde_json::json;

use super::steps::{earn, error, run, state};

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
