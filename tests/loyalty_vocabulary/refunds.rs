//! What is taken back, what is owed, and what cannot be referred to.

use serde_json::json;

use super::steps::{earn, error, run, state};

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
