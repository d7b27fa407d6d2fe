//! Persons: what is held about one, and that one can be forgotten, on every store.

#[path = "common/stores.rs"]
mod stores;

use serde_json::{Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{
    AccountId, Action, Command, Directory, Earn, Hold, Ledger, Points, Programme, Purse, Redeem,
    Rules, States, Store, apply,
};

fn rules() -> Rules {
    let programme = json!({
        "earn": {"rounding": "floor", "round_scope": "order"},
        "earn_rules": [{"rate": [1, 100]}],
        "expiry": {"kind": "days", "n": 365},
        "group": {"size": 3, "seconds": 9_000_000, "deposit": 2},
        "stamp_card": {"size": 4},
        "tiers": {"kind": "anniversary", "unit": "money", "thresholds": [1000]},
        "liability": {"point_value": [1, 1], "urr": [9, 10]}
    });
    Rules::new(serde_json::from_value::<Programme>(programme).unwrap()).unwrap()
}

fn day(n: i64) -> Timestamp {
    let first: Timestamp = "2025-01-01".parse().unwrap();
    first.saturating_add_s(n * 86_400)
}

/// Two members with one of everything; their accounts.
fn shop<S: Store + Directory>(ledger: &Ledger<S>) -> [AccountId; 2] {
    let [ann, bob] =
        ["ann@example.com", "bob@example.com"].map(|p| ledger.store().link(p).unwrap());
    let pool = Redeem {
        purse: Purse::Pool(vec![ann.clone(), bob.clone()]),
        points: Some(Points(3)),
    };
    let actions: Vec<Action> = vec![
        Earn::money(&ann, 5000).into(),
        Earn::money(&bob, 900).into(),
        Redeem::points(&ann, Points(10)).into(),
        Action::Refund {
            order: "c0".into(),
            money: Some(1000),
        },
        Hold::points(&ann, Points(7), Some(90_000_000)).into(),
        Action::Stamp {
            account: ann.clone(),
            count: 5,
        },
        Action::GroupOpen {
            account: bob.clone(),
        },
        Action::GroupJoin {
            account: ann.clone(),
            group: "c6".into(),
        },
        pool.into(),
        Earn::money(&bob, 100).into(),
        Action::Transfer {
            from: ann.clone(),
            to: bob.clone(),
            points: Some(Points(2)),
        },
    ];
    for (n, action) in (0..).zip(actions) {
        let command = Command::new(format!("c{n}"), day(n), action);
        ledger.submit(command).unwrap();
    }
    [ann, bob]
}

#[test]
fn a_dossier_holds_everything_about_one_member_and_nothing_more() {
    stores::on_each(|_, make| {
        let mut place = make();
        let ledger = Ledger::new(place.open(), rules());
        let [ann, _] = shop(&ledger);
        assert!(
            ledger
                .dossier("cho@example.com", day(20))
                .unwrap()
                .is_none()
        );
        let dossier = ledger.dossier("ann@example.com", day(20)).unwrap().unwrap();
        let value = serde_json::to_value(&dossier).unwrap();
        assert_eq!(value["person"], "ann@example.com");
        assert_eq!(value["account"], ann.as_str());
        // 7 by the hold, 2 as the deposit of the team.
        assert_eq!(value["standing"]["held"], 9);
        assert_eq!(value["standing"]["tier"], 1);
        assert_eq!(value["card"], json!({"stamps": 1, "rewards": 1}));
        assert_eq!(
            value["teams"],
            json!({"c6": {"state": "open", "members": 2}})
        );
        assert_eq!(value["joined"], "2025-01-01T00:00:00Z");
        assert_eq!(value["holds"][0]["hold"], "c4");
        assert_eq!(value["holds"][0]["reserved"], json!([[1, 7]]));
        assert_eq!(value["qualified"][0]["amount"], 4000);
        let commands = value["commands"].as_array().unwrap();
        let ids: Vec<&str> = commands.iter().map(|c| c["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["c0", "c2", "c3", "c4", "c5", "c7", "c8", "c10"]);
        let refers = |n: usize| &commands[n]["refers_to"];
        assert_eq!((refers(2), refers(5)), (&json!(["c0"]), &json!(["c6"])));
        assert_eq!(commands[2]["receipt"]["receipt"], "refunded");
        let text = value.to_string();
        assert!(!text.contains("bob") && !text.contains("\"c1\""), "{text}");
        let statement = value["statement"].as_array().unwrap();
        let last: &Value = &statement.last().unwrap()["available"];
        assert_eq!(*last, value["standing"]["available"]);
    });
}

#[test]
fn a_person_is_forgotten_and_the_books_stay() {
    stores::on_each(|_, make| {
        let mut place = make();
        let ledger = Ledger::new(place.open(), rules());
        let [ann, bob] = shop(&ledger);
        let before = (
            ledger.snapshot(day(20)).unwrap(),
            ledger.statement(&ann).unwrap(),
        );
        assert_eq!(
            ledger.erase("ann@example.com").unwrap().as_ref(),
            Some(&ann)
        );
        assert_eq!(ledger.erase("ann@example.com").unwrap(), None);
        drop(ledger);

        let ledger = Ledger::new(place.open(), rules());
        assert!(
            ledger
                .dossier("ann@example.com", day(20))
                .unwrap()
                .is_none()
        );
        assert_eq!(ledger.store().person_of(&ann).unwrap(), None);
        assert_eq!(
            ledger.store().person_of(&bob).unwrap().as_deref(),
            Some("bob@example.com")
        );
        let after = (
            ledger.snapshot(day(20)).unwrap(),
            ledger.statement(&ann).unwrap(),
        );
        assert_eq!(after, before);
        let dossier = ledger.account_dossier(&ann, day(20)).unwrap();
        assert_eq!((dossier.person, dossier.commands.len()), (None, 8));
        assert!(dossier.standing == before.0.accounts[&ann]);

        // The journal still makes the records, and the account can still be used.
        let mut states = States::new();
        let mut visit = |_, entry: &tenure::loyalty::Entry| {
            apply(&mut states, entry).unwrap();
            std::ops::ControlFlow::Continue(())
        };
        ledger.store().scan(1, &mut visit).unwrap();
        let release = Action::Release { hold: "c4".into() };
        ledger
            .submit(Command::new("end", day(21), release))
            .unwrap();
        assert_ne!(ledger.store().link("ann@example.com").unwrap(), ann);
    });
}
