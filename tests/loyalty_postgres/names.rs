//! Names that would break a statement that was put together from texts.

use std::collections::BTreeMap;

use tenure::loyalty::{Ledger, MemoryStore, Points};

use super::shared::{check, client, gift, instant, ledger, rules, schema};

#[test]
fn every_name_is_a_name() {
    let Some(schema) = schema() else { return };
    let long = "x".repeat(50_000);
    let longer = format!("{long}y");
    let names = [
        "",
        "'; drop schema public cascade; --",
        "\"quoted\"",
        "$1",
        "back\\slash",
        "nul\0nul",
        "line\r\nbreak",
        "\u{1F600}",
        "null",
        &"k".repeat(199),
        &"k".repeat(200),
        &long,
        &longer,
    ];
    let (database, memory) = (ledger(&schema), Ledger::new(MemoryStore::new(), rules()));
    for (n, account) in names.iter().enumerate() {
        for id in [format!("{account} {n}"), format!("again {n} {account}")] {
            let command = gift(&id, account);
            let receipt = database.submit(command.clone()).unwrap();
            assert_eq!(
                receipt,
                memory.submit(command.clone()).unwrap(),
                "{account:?}"
            );
            assert!(database.submit(command).unwrap().replayed);
        }
    }
    for name in names {
        let account = database.account(&name.into(), instant()).unwrap();
        assert_eq!(account, memory.account(&name.into(), instant()).unwrap());
        assert_eq!(account.available, Points(20));
    }
    let snapshot = database.snapshot(instant()).unwrap();
    assert!(snapshot == memory.snapshot(instant()).unwrap());
    check(database.store(), &BTreeMap::new());

    let people = format!(
        "select count(*), count(distinct p.account), sum(p.points)::bigint from {0}.posting p \
         join {0}.account a on a.account = p.account",
        schema.name
    );
    let row = client(&schema).query_one(&people, &[]).unwrap();
    let counts = (
        row.get::<_, i64>(0),
        row.get::<_, i64>(1),
        row.get::<_, i64>(2),
    );
    assert_eq!(
        counts,
        (
            2 * names.len() as i64,
            names.len() as i64,
            20 * names.len() as i64
        )
    );
}
