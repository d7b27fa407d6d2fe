//! From nothing to the newest version of the schema, and what is refused.

use std::collections::BTreeMap;

use tenure::loyalty::{PostgresError, PostgresOptions, PostgresStore, StoreError};

use super::shared::{check, client, gift, ledger, schema};

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
        1
    );
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
                known: 1,
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
    let ledger = tenure::loyalty::Ledger::new(store, super::shared::rules());
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
    let ledger = tenure::loyalty::Ledger::new(store, super::shared::rules());
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
