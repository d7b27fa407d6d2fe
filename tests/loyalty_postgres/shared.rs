//! What the tests have in common.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use postgres::{Client, NoTls};
use tenure::event::Timestamp;
use tenure::loyalty::{
    Change, Command, CommandId, Earn, Entry, Ledger, Points, PostgresStore, Programme, Receipt,
    Rules, States, Store, apply,
};

use super::schema::Schema;

/// A schema for a test, or `None` after saying that there is no database.
pub fn schema() -> Option<Schema> {
    Schema::new()
        .inspect_err(|why| eprintln!("SKIPPED: {why}"))
        .ok()
}

pub fn rules() -> Rules {
    let programme = r#"{
        "earn": {"rounding": "floor", "round_scope": "order"},
        "earn_rules": [{"rate": [1, 100]}],
        "expiry": {"kind": "days", "n": 365},
        "liability": {"point_value": [1, 1], "urr": [1, 2]}
    }"#;
    Rules::new(serde_json::from_str::<Programme>(programme).unwrap()).unwrap()
}

pub fn instant() -> Timestamp {
    "2025-01-01".parse().unwrap()
}

pub fn gift(id: &str, account: &str) -> Command {
    Command::new(id, instant(), Earn::points(account, Points(10)))
}

pub fn ledger(schema: &Schema) -> Ledger<PostgresStore> {
    Ledger::new(schema.open(), rules())
}

/// A connection beside the store.
pub fn client(schema: &Schema) -> Client {
    Client::connect(&schema.url, NoTls).unwrap()
}

pub fn journal(store: &dyn Store) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut last = 0;
    let mut add = |number, entry: &Entry| {
        assert!(number > last, "{number} after {last}");
        last = number;
        entries.push(entry.clone());
        ControlFlow::Continue(())
    };
    store.scan(1, &mut add).unwrap();
    entries
}

/// The journal in its order is a serial order of all commands: it makes the records; every
/// acknowledged receipt is in it once; and nothing is wrong with the rows.
pub fn check(store: &PostgresStore, acknowledged: &BTreeMap<CommandId, Receipt>) {
    let mut states = States::new();
    let mut done = BTreeMap::new();
    for entry in journal(store) {
        apply(&mut states, &entry).unwrap();
        if let Change::Done { id, deed } = &entry.change {
            let twice = done.insert(id.clone(), deed.receipt.clone());
            assert_eq!(twice, None, "{id} is carried out twice");
        }
    }
    for (id, receipt) in acknowledged {
        assert_eq!(done.get(id), Some(receipt), "{id}");
    }
    let mut recorded = States::new();
    let mut add = |key: &_, record: &_| {
        recorded.insert(Clone::clone(key), Clone::clone(record));
        ControlFlow::Continue(())
    };
    store.records(&mut add).unwrap();
    assert!(recorded == states);
    for (account, member) in states.members() {
        for lot in member.lots() {
            let parts = [
                lot.free,
                lot.held,
                lot.spent,
                lot.expired,
                lot.clawed_back,
                lot.moved_out,
            ];
            assert_eq!(
                parts.iter().map(|p| p.0).sum::<i64>(),
                lot.granted.0,
                "{account}"
            );
        }
    }
    let verified = store.verify(None).unwrap();
    assert_eq!(verified.entries, journal(store).len() as u64);
}
