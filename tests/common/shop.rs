//! A shop's commands, and a ledger in memory to compare with.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tenure::event::Timestamp;
use tenure::loyalty::{
    AccountId, Action, Command, CommandId, Earn, Entry, Hold, Key, Ledger, MemoryStore, Points,
    Programme, Purse, Record, Redeem, Rules, Store,
};

/// Rules under which all of [`commands`] can happen.
pub fn rules() -> Rules {
    let programme = r#"{
        "earn": {"rounding": "half_up", "round_scope": "order"},
        "earn_rules": [{"rate": [1, 10]}],
        "expiry": {"kind": "days", "n": 40},
        "clawback": "own_lot_then_debt",
        "tiers": {"kind": "anniversary", "unit": "points", "thresholds": [500, 4000]},
        "liability": {"point_value": [1, 2], "urr": [9, 10]},
        "stamp_card": {"size": 4}
    }"#;
    Rules::new(serde_json::from_str::<Programme>(programme).unwrap()).unwrap()
}

/// Some commands of some members; about one in ten is refused.
pub fn commands(seed: u64, count: usize, members: usize) -> Vec<Command> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut at = "2025-01-01".parse::<Timestamp>().unwrap();
    let mut orders: Vec<CommandId> = Vec::new();
    let mut spent: Vec<CommandId> = Vec::new();
    let mut holds: Vec<CommandId> = Vec::new();
    let mut all = Vec::new();
    for number in 0..count {
        at = at.saturating_add_s(rng.random_range(0..7_000));
        let id = CommandId::from(format!("c-{seed}-{number}"));
        let account = AccountId::from(format!("m{}", rng.random_range(1..=members)));
        let some = |ids: &[CommandId], rng: &mut Xoshiro256PlusPlus| match ids {
            [] => CommandId::from("nothing"),
            ids => ids[rng.random_range(ids.len() - ids.len().min(12)..ids.len())].clone(),
        };
        let points = Points(rng.random_range(1..40));
        let action = match rng.random_range(0..20) {
            0..=6 => {
                orders.push(id.clone());
                Action::Earn(Earn::money(account, rng.random_range(100..4_000)))
            }
            7..=9 => {
                spent.push(id.clone());
                Action::Redeem(Redeem {
                    purse: Purse::Single(account),
                    points: Some(points),
                })
            }
            10 | 11 => Action::Refund {
                order: some(&orders, &mut rng),
                money: Some(points.0 * 5),
            },
            12 => Action::ReverseRedeem {
                redemption: some(&spent, &mut rng),
                points: None,
            },
            13 | 14 => {
                holds.push(id.clone());
                Action::Hold(Hold {
                    purse: Purse::Single(account),
                    points: Some(points),
                    ttl_s: Some(90_000),
                })
            }
            15 => Action::Capture {
                hold: some(&holds, &mut rng),
                points: None,
            },
            16 => Action::Transfer {
                from: account,
                to: format!("m{}", rng.random_range(1..=members)).into(),
                points: Some(points),
            },
            _ => Action::Stamp {
                account,
                count: rng.random_range(1..3),
            },
        };
        all.push(Command::new(id, at, action));
    }
    all
}

/// What a ledger in memory makes of commands.
pub struct Expected {
    pub entries: Vec<Entry>,
    /// How many entries there are after so many commands that were carried out, from 0 on.
    pub after: Vec<usize>,
    /// The commands that were carried out.
    pub done: Vec<Command>,
}

impl Expected {
    pub fn of(commands: &[Command]) -> Self {
        let ledger = Ledger::new(MemoryStore::new(), rules());
        let mut after = vec![0];
        let mut done = Vec::new();
        for command in commands {
            let submitted = ledger.submit(command.clone());
            if submitted.is_ok_and(|submitted| !submitted.replayed) {
                done.push(command.clone());
                after.push(count(ledger.store()));
            }
        }
        let entries = entries(ledger.store());
        Self {
            entries,
            after,
            done,
        }
    }
}

fn count(store: &dyn Store) -> usize {
    let mut count = 0;
    let mut add = |_, _: &Entry| {
        count += 1;
        ControlFlow::Continue(())
    };
    store.scan(1, &mut add).unwrap();
    count
}

/// The journal of a store.
pub fn entries(store: &dyn Store) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |_, entry: &Entry| {
        entries.push(entry.clone());
        ControlFlow::Continue(())
    };
    store.scan(1, &mut add).unwrap();
    entries
}

/// All records of a store with their versions.
pub fn records(store: &dyn Store) -> BTreeMap<Key, (u64, Record)> {
    let mut records = BTreeMap::new();
    let mut add = |key: &Key, record: &Record| {
        records.insert(key.clone(), (0, record.clone()));
        ControlFlow::Continue(())
    };
    store.records(&mut add).unwrap();
    for (key, (version, record)) in &mut records {
        let found = store.load(std::slice::from_ref(key)).unwrap();
        assert_eq!(found[0].record.as_ref(), Some(&*record), "{key:?}");
        *version = found[0].version;
    }
    records
}
