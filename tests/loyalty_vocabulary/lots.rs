//! When points mature and expire, and in which order they are consumed.

use serde_json::json;
use tenure::loyalty::{Command, Earn, LedgerError, Points};

use super::steps::{at, at_text, earn, earned, error, run, state};

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
