//! Many writers, in one process and in two.

use std::collections::BTreeMap;
use std::sync::Mutex;

use postgres::Client;
use tenure::loyalty::{
    Action, Batch, Command, CommandId, Earn, Key, Ledger, LedgerError, Points, PostgresStore,
    Purse, Rational, Receipt, Redeem, Store,
};

use super::schema::Schema;
use super::shared::{check, client, gift, instant, ledger, rules, schema};

/// A stream of random numbers, the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

fn command(id: String, random: &mut Random, members: u64) -> Command {
    let mut who = || format!("member {}", random.below(members));
    let (one, other) = (who(), who());
    let points = Points(1 + random.below(40) as i64);
    let action = match random.below(20) {
        0..=8 => Action::Earn(Earn::points(one.as_str(), points)),
        9..=13 => Action::Redeem(Redeem::points(one.as_str(), points)),
        14..=15 => Action::Redeem(Redeem {
            purse: Purse::Pool(vec![one.as_str().into(), other.as_str().into()]),
            points: Some(points),
        }),
        16..=18 => Action::Transfer {
            from: one.as_str().into(),
            to: other.as_str().into(),
            points: Some(points),
        },
        _ => Action::SetUrr {
            urr: Rational::new(points.0, 100).unwrap(),
        },
    };
    Command::new(id, instant(), action)
}

/// 16 threads upon some stores on one schema: what they come to is one serial order.
fn sixteen_writers(stores: usize, members: u64, each: u64) {
    let Some(schema) = schema() else { return };
    let ledgers: Vec<Ledger<PostgresStore>> = (0..stores).map(|_| ledger(&schema)).collect();
    let acknowledged: Mutex<BTreeMap<CommandId, Receipt>> = Mutex::default();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (ledger, acknowledged) = (&ledgers[thread % stores], &acknowledged);
            scope.spawn(move || {
                let mut random = Random(thread as u64);
                for n in 0..each {
                    let batch: Vec<Command> = (0..1 + n % 3)
                        .map(|k| command(format!("{thread}-{n}-{k}"), &mut random, members))
                        .collect();
                    let results = ledger.submit_batch(&batch).unwrap();
                    let mut acknowledged = acknowledged.lock().unwrap();
                    for (command, result) in batch.into_iter().zip(results) {
                        if let Ok(submitted) = result {
                            assert!(!submitted.replayed);
                            acknowledged.insert(command.id, submitted.receipt);
                        }
                    }
                }
            });
        }
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() > each as usize);
    let store = ledgers[0].store();
    check(store, &acknowledged);

    // What people read says the same.
    let mut client = client(&schema);
    let name = &schema.name;
    let sums = format!(
        "select (select sum(available)::bigint from {name}.account), \
         (select sum(case when to_pot in ('available', 'debt') then points else 0 end \
                   - case when from_pot in ('available', 'debt') then points else 0 end)::bigint from {name}.posting)"
    );
    let row = client.query_one(&sums, &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), row.get::<_, i64>(1));
    assert!(row.get::<_, i64>(0) > 0);
}

#[test]
fn sixteen_writers_on_ten_hot_members_equal_some_serial_order() {
    sixteen_writers(1, 10, 40);
}

#[test]
fn sixteen_writers_on_many_members_equal_some_serial_order() {
    sixteen_writers(1, 100_000, 60);
}

#[test]
fn two_stores_on_one_schema_equal_some_serial_order() {
    sixteen_writers(2, 10, 25);
    sixteen_writers(2, 1_000, 40);
}

#[test]
fn one_command_in_many_hands_is_carried_out_once() {
    let Some(schema) = schema() else { return };
    let ledgers = [ledger(&schema), ledger(&schema)];
    let first: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let ledger = &ledgers[thread % 2];
                scope.spawn(move || {
                    let submit = |n: u32| ledger.submit(gift(&format!("same-{n}"), "ann")).unwrap();
                    (0..20).filter(|&n| !submit(n).replayed).count()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(first, 20);
    check(ledgers[0].store(), &BTreeMap::new());
}

/// Two batches, each of which reads as absent the member that the other one makes: one of them must see the other.
#[test]
fn what_is_read_as_absent_stays_absent() {
    let Some(schema) = schema() else { return };
    let ledgers = [ledger(&schema), ledger(&schema)];
    let start = std::sync::Barrier::new(2);
    for round in 0..40 {
        let names = [format!("left {round}"), format!("right {round}")];
        let refused: usize = std::thread::scope(|scope| {
            let threads = [0, 1].map(|side| {
                let (ledger, names, start) = (&ledgers[side], &names, &start);
                scope.spawn(move || {
                    let spend = Redeem::points(names[1 - side].as_str(), Points(1));
                    let spend = Command::new(format!("spend {round} {side}"), instant(), spend);
                    let earn = gift(&format!("earn {round} {side}"), &names[side]);
                    start.wait();
                    let results = ledger.submit_batch(&[spend, earn]).unwrap();
                    results.iter().filter(|result| result.is_err()).count()
                })
            });
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(refused, 1, "round {round}");
    }
    let rows = format!(
        "select count(*) from {}.record where version = 0",
        schema.name
    );
    // The books, which nobody wrote.
    assert_eq!(
        client(&schema)
            .query_one(&rows, &[])
            .unwrap()
            .get::<_, i64>(0),
        1
    );
    check(ledgers[0].store(), &BTreeMap::new());
}

/// Lays all records anew, those of members at the first places and in the order of our choice: what a server may do at any
/// time, but does when it sees fit and no other transaction looks on.
fn lay(client: &mut Client, schema: &Schema, order: &str) {
    let record = format!("{}.record", schema.name);
    let statements = format!(
        "begin; \
         lock table {record} in access exclusive mode; \
         create temporary table laid on commit drop as select * from {record}; \
         truncate {record}; \
         insert into {record} select * from laid order by key like 'm%' desc, {order}; \
         commit"
    );
    client.batch_execute(&statements).unwrap();
}

/// The versions and the places of the records of some members, by name.
fn lie(client: &mut Client, schema: &Schema) -> (Vec<i64>, Vec<String>) {
    let rows = format!(
        "select array_agg(version order by key), array_agg(ctid::text order by key) \
         from {}.record where key like 'm%'",
        schema.name
    );
    let row = client.query_one(&rows, &[]).unwrap();
    (row.get(0), row.get(1))
}

/// Where rows lie is remembered from loading to committing; meanwhile somebody may have moved all of them.
#[test]
fn rows_that_lie_elsewhere_by_now_are_found() {
    let Some(schema) = schema() else { return };
    let store = schema.open();
    let ledger = Ledger::new(&store, rules());
    let members = ["ann", "bob", "cho"];
    let keys: Vec<Key> = members
        .iter()
        .map(|name| Key::Member((*name).into()))
        .collect();
    let deeds = |n: usize| members.map(|name| gift(&format!("{name} {n}"), name));
    for n in 0..3 {
        assert!(
            ledger
                .submit_batch(&deeds(n))
                .unwrap()
                .iter()
                .all(Result::is_ok)
        );
    }
    let mut beside = client(&schema);
    lay(&mut beside, &schema, "key");
    let loaded = store.load(&keys).unwrap();
    // Ann and Cho, of one version, lie where the other one lay.
    let (versions, mut places) = lie(&mut beside, &schema);
    lay(&mut beside, &schema, "key desc");
    places.reverse();
    assert_eq!(lie(&mut beside, &schema), (versions, places));

    // The states as they are, at a higher version.
    let changed = keys.iter().zip(&loaded);
    let changed = changed.map(|(key, found)| (key.clone(), found.record.clone().unwrap()));
    let batch = Batch {
        expected: keys
            .iter()
            .cloned()
            .zip(loaded.iter().map(|found| found.version))
            .collect(),
        changed: changed.collect(),
        entries: vec![],
    };
    store.commit(batch).unwrap();
    let found = store.load(&keys).unwrap();
    for (found, before) in found.iter().zip(&loaded) {
        assert_eq!(
            (found.version, &found.record),
            (before.version + 1, &before.record)
        );
    }
}

/// The server uses a place again: a later version of the same row may lie where an earlier one lay.
#[test]
fn a_place_of_another_version_is_not_the_row() {
    let Some(schema) = schema() else { return };
    let ledger = ledger(&schema);
    let change = |n: usize| {
        let batch = [gift(&format!("a{n}"), "ann"), gift(&format!("b{n}"), "bob")];
        assert!(
            ledger
                .submit_batch(&batch)
                .unwrap()
                .iter()
                .all(Result::is_ok)
        );
    };
    let mut beside = client(&schema);
    change(0);
    lay(&mut beside, &schema, "key");
    let (versions, places) = lie(&mut beside, &schema);
    let name = &schema.name;
    let commit = format!(
        "select {name}.commit(0, false, '{{mann,mbob}}', $1, $2::text[]::tid[], '{{x,x}}', '{{0,0}}', '{{0,0}}', \
         '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', 1, 'token', 'body', '[]')"
    );
    let mut stale = client(&schema);
    for n in 1..4 {
        change(n);
        lay(&mut beside, &schema, "key");
        let (now, at) = lie(&mut beside, &schema);
        assert!(now > versions);
        assert_eq!(at, places);
        let error = stale.query_one(&commit, &[&versions, &places]).unwrap_err();
        assert_eq!(error.code().unwrap().code(), "TN001", "{error}");
    }
    check(ledger.store(), &BTreeMap::new());
}

#[test]
fn a_visitor_can_use_the_store() {
    let Some(schema) = schema() else { return };
    let ledger = Ledger::new(schema.open(), rules());
    ledger.submit(gift("one", "ann")).unwrap();
    assert_eq!(ledger.tick("2025-06-01".parse().unwrap()).unwrap(), 0);
    assert!(ledger.tick("2026-06-01".parse().unwrap()).unwrap() > 0);
    let late = ledger.submit(gift("two", "ann"));
    assert!(matches!(late, Err(LedgerError::Refused(_))));
}
