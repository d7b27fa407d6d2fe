//! Whatever is changed behind the ledger's back is found, and named.

use tenure::loyalty::postgres::{Damage, Place};
use tenure::loyalty::{Command, Earn, Points, PostgresError, PostgresStore, Redeem};

use super::schema::Schema;
use super::shared::{client, gift, instant, ledger, schema};

fn filled(schema: &Schema) -> PostgresStore {
    let ledger = ledger(schema);
    for n in 0..6 {
        ledger.submit(gift(&format!("a{n}"), "ann")).unwrap();
        ledger.submit(gift(&format!("b{n}"), "bob")).unwrap();
    }
    let spend = Redeem::points("ann", Points(15));
    ledger
        .submit(Command::new("spend", instant(), spend))
        .unwrap();
    drop(ledger);
    schema.open()
}

fn found(store: &PostgresStore) -> (Place, Damage) {
    match store.verify(None) {
        Err(PostgresError::Damaged { place, what }) => (place, what),
        other => panic!("{other:?}"),
    }
}

/// What each damage does to the rows, and what is said of it. The numbers of the entries: 3 for the first gift of each, 2 for
/// the later ones.
#[test]
fn damage_is_found_and_named() {
    let Some(schema) = schema() else { return };
    let store = filled(&schema);
    assert_eq!(store.verify(None).unwrap().commits, 13);
    let name = &schema.name;
    let mut beside = client(&schema);
    let rows = format!("select last from {name}.journal order by last");
    let lasts: Vec<i64> = beside
        .query(&rows, &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let journal = |n: usize| Place::Journal { last: lasts[n] };
    let at = |n: usize| lasts[n];
    let damages: Vec<(String, Place)> = vec![
        // A flipped bit of a body, of a hash; a row that is another's; other postings.
        (
            format!(
                "update {name}.journal set body = set_bit(body, 200, 1 - get_bit(body, 200)) where last = {}",
                at(4)
            ),
            journal(4),
        ),
        (
            format!(
                "update {name}.journal set hash = set_bit(hash, 5, 1 - get_bit(hash, 5)) where last = {}",
                at(4)
            ),
            journal(4),
        ),
        (
            format!(
                "update {name}.journal set postings = replace(postings::text, '10]', '11]')::json where last = {}",
                at(4)
            ),
            journal(4),
        ),
        (
            format!(
                "update {name}.journal set entries = entries + 1 where last = {}",
                at(4)
            ),
            journal(4),
        ),
        (
            format!(
                "update {name}.journal set last = last + 1000 where last = {}",
                at(4)
            ),
            Place::Journal { last: at(4) + 1000 },
        ),
        // A body and its hash, made to fit: the chain of the record does not.
        (
            format!(
                "update {name}.journal j set body = o.body, entries = o.entries, postings = o.postings, hash = sha256(int8send(j.last) || sha256(o.body)) \
                 from {name}.journal o where j.last = {} and o.last = {}",
                at(3),
                at(5)
            ),
            // The command of the later row is carried out twice.
            journal(5),
        ),
        // Another state, another balance, another end of the chain; records that are gone or too many.
        (
            format!(
                "update {name}.record r set body = o.body from {name}.record o where r.key = 'mann' and o.key = 'mbob'"
            ),
            record("Member(AccountId(\"ann\"))"),
        ),
        (
            format!("update {name}.record set available = available + 1 where key = 'mbob'"),
            record("Member(AccountId(\"bob\"))"),
        ),
        (
            format!("update {name}.record set head = sha256(head) where key = 'db3'"),
            record("Deed(CommandId(\"b3\"))"),
        ),
        (
            format!("delete from {name}.record where key = 'db3'"),
            record("Deed(CommandId(\"b3\"))"),
        ),
        (
            format!(
                "insert into {name}.record (key, version, body, head) select 'dzz', 1, body, head from {name}.record where key = 'db3'"
            ),
            record("Deed(CommandId(\"zz\"))"),
        ),
        (
            format!("update {name}.record set key = 'x' where key = 'db3'"),
            record("x"),
        ),
        // A commit that is gone: the first record in the order of keys that it changed.
        (
            format!("delete from {name}.journal where last = {}", at(11)),
            record("Deed(CommandId(\"b5\"))"),
        ),
    ];
    for (damage, expected) in damages {
        // The damage is there for as long as the transaction: a copy of the tables keeps the rest of the test apart.
        beside.batch_execute(&format!(
            "create table {name}.j as table {name}.journal; create table {name}.r as table {name}.record; {damage}"
        )).unwrap();
        let (place, what) = found(&store);
        assert_eq!(place, expected, "{damage}: {what}");
        beside.batch_execute(&format!(
            "truncate {name}.journal, {name}.record; insert into {name}.journal table {name}.j; insert into {name}.record table {name}.r; \
             drop table {name}.j, {name}.r"
        )).unwrap();
        store.verify(None).unwrap();
    }
}

fn record(key: &str) -> Place {
    Place::Record {
        key: key.to_owned(),
    }
}

#[test]
fn a_seal_finds_what_somebody_made_to_fit() {
    let Some(schema) = schema() else { return };
    let store = filled(&schema);
    let seal = store.verify(None).unwrap().seal;
    drop(store);
    let ledger = ledger(&schema);
    ledger.submit(gift("later", "ann")).unwrap();
    let verified = ledger.store().verify(Some(&seal)).unwrap();
    assert!(verified.seal.last > seal.last);

    // Another history, in which everything fits.
    let name = &schema.name;
    client(&schema)
        .batch_execute(&format!("drop schema {name} cascade"))
        .unwrap();
    let other = super::shared::ledger(&schema);
    for n in 0..20 {
        let gift = Command::new(format!("x{n}"), instant(), Earn::points("ann", Points(1)));
        other.submit(gift).unwrap();
    }
    other.store().verify(None).unwrap();
    let error = other.store().verify(Some(&seal)).unwrap_err();
    assert!(
        matches!(
            error,
            PostgresError::Damaged {
                what: Damage::Seal,
                ..
            }
        ),
        "{error}"
    );

    // A journal that ends before the seal.
    client(&schema)
        .batch_execute(&format!("drop schema {name} cascade"))
        .unwrap();
    let empty = schema.open();
    let error = empty.verify(Some(&seal)).unwrap_err();
    assert!(
        matches!(
            error,
            PostgresError::Damaged {
                what: Damage::Missing,
                ..
            }
        ),
        "{error}"
    );
}
