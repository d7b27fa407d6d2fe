//! Tiers by the calendar year, by anniversaries, and for life.

use serde_json::json;
use tenure::loyalty::{Action, Command};

use super::steps::{at, earn, earned, run, state};

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
