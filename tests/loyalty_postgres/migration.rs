//! From nothing to the newest version of the schema, and what is refused.

use std::collections::BTreeMap;

use tenure::loyalty::{Ledger, Points, PostgresError, PostgresOptions, PostgresStore, StoreError};

use super::schema::Schema;
use super::shared::{check, client, gift, instant, ledger, rules, schema};

#[test]
fn a_schema_is_made_once_and_found_again() {
    let Some(schema) = schema() else { return };
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| schema.open());
        }
    });
    ledger(&schema).submit(gift("one", "ann")).unwrap();
    assert!(ledger(&schema).submit(gift("one", "ann")).unwrap().replayed);
    check(&schema.open(), &BTreeMap::new());
    let versions = format!("select count(*) from {}.migration", schema.name);
    assert_eq!(
        client(&schema)
            .query_one(&versions, &[])
            .unwrap()
            .get::<_, i64>(0),
        2
    );
}

/// What version 1 made of an empty database.
fn make_version_1(schema: &Schema) {
    let script = concat!(
        "create schema @; create table @.migration (version integer primary key, form integer not null, \
         applied_at timestamptz not null default now());",
        include_str!("../../src/loyalty/postgres/schema_1.sql"),
        "insert into @.migration values (1, 1);"
    );
    client(schema)
        .batch_execute(&script.replace('@', &schema.name))
        .unwrap();
}

/// Books the last commit of one ledger in another as a writer of version 1 does: of the records that it changed those
/// with a version above 1 were there.
fn book_as_version_1(from: &Schema, to: &Schema, changed: &[&str]) {
    let names = changed.join("', '");
    let columns = |there: &str, columns: &str| {
        let column = |column: &str| {
            format!(
                "coalesce(array_agg({column} order by key) filter (where version {there} 1), '{{}}')"
            )
        };
        columns
            .split(", ")
            .map(column)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let book = format!(
        "select {to}.commit(0, false, {there}, {new}, '{{}}', '{{}}', '{{}}', j.entries, j.token, j.body, j.postings::text) \
         from {from}.record r, (select * from {from}.journal order by last desc limit 1) j where r.key in ('{names}') \
         group by j.entries, j.token, j.body, j.postings::text",
        to = to.name,
        from = from.name,
        there = columns(">", "key, version - 1, r.body, available, debt"),
        new = columns("=", "key, long_key, account, r.body, available, debt"),
    );
    client(to).query_one(&book, &[]).unwrap();
}

#[test]
fn a_schema_of_version_1_is_brought_up_to_date_while_its_writers_go_on() {
    let (Some(old), Some(now)) = (schema(), schema()) else {
        return;
    };
    make_version_1(&old);
    let newer = ledger(&now);
    newer.submit(gift("one", "ann")).unwrap();
    book_as_version_1(&now, &old, &["mann", "done"]);

    let store = old.open();
    assert_eq!(store.verify(None).unwrap().commits, 1);
    newer.submit(gift("two", "ann")).unwrap();
    book_as_version_1(&now, &old, &["mann", "dtwo"]);
    let taken = format!("select setval('{}.lot_number', 1000)", old.name);
    client(&old).execute(&taken, &[]).unwrap();

    assert_eq!(store.verify(None).unwrap().commits, 2);
    let ledger = Ledger::new(store, rules());
    assert!(ledger.submit(gift("two", "ann")).unwrap().replayed);
    let batch = [gift("three", "ann"), gift("four", "bob")];
    assert!(
        ledger
            .submit_batch(&batch)
            .unwrap()
            .iter()
            .all(Result::is_ok)
    );
    let ann = ledger.account(&"ann".into(), instant()).unwrap();
    assert_eq!(ann.available, Points(30));
    check(ledger.store(), &BTreeMap::new());
}

#[test]
fn a_newer_schema_is_refused() {
    let Some(schema) = schema() else { return };
    drop(schema.open());
    let newer = format!("insert into {}.migration values (7, 1)", schema.name);
    client(&schema).batch_execute(&newer).unwrap();
    let error = PostgresStore::open(&schema.url, schema.options()).unwrap_err();
    assert!(
        matches!(
            error,
            PostgresError::Newer {
                found: 7,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains(&schema.name), "{error}");
}

#[test]
fn another_form_of_records_is_refused() {
    let Some(schema) = schema() else { return };
    drop(schema.open());
    let other = format!("update {}.migration set form = 99", schema.name);
    client(&schema).batch_execute(&other).unwrap();
    let error = PostgresStore::open(&schema.url, schema.options()).unwrap_err();
    assert!(
        matches!(error, PostgresError::Form { found: 99, .. }),
        "{error}"
    );
}

/// A role that may only use the tables works with a schema that is there, and cannot make one.
#[test]
fn a_writer_needs_no_right_to_make_anything() {
    let Some(schema) = schema() else { return };
    drop(schema.open());
    let (name, role) = (&schema.name, format!("{}_writer", schema.name));
    let grants = format!(
        "create role {role} login; grant usage on schema {name} to {role}; \
         grant select on {name}.migration to {role}; grant select, insert on {name}.journal to {role}; \
         grant select, insert, update, delete on {name}.record, {name}.person to {role}; \
         grant select, update on all sequences in schema {name} to {role};"
    );
    client(&schema).batch_execute(&grants).unwrap();
    let open = |options| {
        let mut config: postgres::Config = schema.url.parse().unwrap();
        config.user(&role);
        PostgresStore::open_with(move || Ok(config.connect(postgres::NoTls)?), options)
    };
    let store = open(schema.options()).unwrap();
    let ledger = Ledger::new(store, rules());
    ledger.submit(gift("one", "ann")).unwrap();
    ledger.store().verify(None).unwrap();
    let elsewhere = PostgresOptions {
        schema: format!("{name}_elsewhere"),
        ..schema.options()
    };
    let error = open(elsewhere).unwrap_err();
    assert!(matches!(error, PostgresError::Database { .. }), "{error}");
    drop(ledger);
    let drop = format!("drop owned by {role}; drop role {role}");
    client(&schema).batch_execute(&drop).unwrap();
}

#[test]
fn a_store_says_what_it_needs() {
    let Some(schema) = schema() else { return };
    let bad = |options| PostgresStore::open(&schema.url, options).unwrap_err();
    for name in [
        "",
        "Robert\"); drop table students;--",
        "pg_catalog",
        "nul\0",
    ] {
        let error = bad(PostgresOptions {
            schema: name.to_owned(),
            ..schema.options()
        });
        assert!(
            matches!(
                error,
                PostgresError::Setting {
                    setting: "schema",
                    ..
                }
            ),
            "{error}"
        );
    }
    let error = PostgresStore::open("host=127.0.0.1 port=1 user=nobody", schema.options());
    assert!(matches!(error, Err(PostgresError::Database { .. })));
    assert!(PostgresStore::open("nonsense", schema.options()).is_err());

    // With one connection a visitor cannot ask the same store; it waits, and then it is told.
    let store = PostgresStore::open(
        &schema.url,
        PostgresOptions {
            connections: 1,
            statement_ms_max: 300,
            ..schema.options()
        },
    )
    .unwrap();
    let ledger = Ledger::new(store, rules());
    ledger.submit(gift("one", "ann")).unwrap();
    let mut answer = None;
    let store = ledger.store();
    tenure::loyalty::Store::records(store, &mut |key, _| {
        answer = Some(tenure::loyalty::Store::load(
            store,
            std::slice::from_ref(key),
        ));
        std::ops::ControlFlow::Break(())
    })
    .unwrap();
    let error = answer.unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Postgres(PostgresError::Busy { connections: 1, .. })
        ),
        "{error}"
    );
    ledger.submit(gift("two", "ann")).unwrap();
}
