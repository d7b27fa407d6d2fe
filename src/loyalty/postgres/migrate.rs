//! The versions of the schema.

use postgres::Client;

use super::error::PostgresError;
use super::options::PostgresOptions;
use super::retry::Fault;
use crate::loyalty::wire;

/// What makes each version of the one before; the first of nothing.
const MIGRATIONS: &[&str] = &[include_str!("schema_1.sql"), include_str!("schema_2.sql")];

const DOING: &str = "making the schema";

/// Brings the schema to the version that is known here. A schema that has it already is only read.
pub(super) fn migrate(client: &mut Client, options: &PostgresOptions) -> Result<(), Fault> {
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    if version(client, options)? == known {
        return Ok(());
    }
    // Two processes that start together make the schema one after the other; the second finds it made. The lock comes
    // before the transaction: what was made while it was waited for is surely seen after its begin only.
    let lock = lock_key(&options.schema);
    client
        .execute("select pg_advisory_lock($1)", &[&lock])
        .and_then(|_| client.batch_execute("begin"))
        .map_err(|error| Fault::of(DOING, error))?;
    let found = version(client, options)?;
    let mut script = String::new();
    if found == 0 {
        let there = client
            .query(
                "select from pg_namespace where nspname = $1",
                &[&options.schema],
            )
            .map_err(|error| Fault::of(DOING, error))?;
        if there.is_empty() {
            script.push_str("create schema @;");
        }
        script.push_str(
            "create table @.migration (version integer primary key, form integer not null, \
             applied_at timestamptz not null default now());",
        );
    }
    let steps = (1..=known).zip(MIGRATIONS);
    for (number, step) in steps.filter(|(number, _)| *number > found) {
        script.push_str(step);
        let form = wire::FORMAT;
        script.push_str(&format!(
            "insert into @.migration values ({number}, {form});"
        ));
    }
    client
        .batch_execute(&options.statement(&script))
        .and_then(|()| client.batch_execute("commit"))
        .and_then(|()| client.execute("select pg_advisory_unlock($1)", &[&lock]))
        .map(drop)
        .map_err(|error| Fault::of(DOING, error))
}

/// The version of the schema, 0 when there is none.
fn version(client: &mut Client, options: &PostgresOptions) -> Result<i32, Fault> {
    let failed = |error| Fault::of("reading the version of the schema", error);
    // Reading it as text needs no right on a schema that is not there.
    let table = options.statement("@.migration");
    let there = client.query_one("select to_regclass($1) is not null", &[&table]);
    if !there.and_then(|row| row.try_get(0)).map_err(failed)? {
        return Ok(0);
    }
    let newest = "select version, form from @.migration order by version desc limit 1";
    let newest = client.query_opt(&options.statement(newest), &[]);
    let Some(row) = newest.map_err(failed)? else {
        return Ok(0);
    };
    let found: i32 = row.try_get(0).map_err(failed)?;
    let form: i32 = row.try_get(1).map_err(failed)?;
    let schema = || options.schema.clone();
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    if found > known {
        return Err(Fault::Final(PostgresError::Newer {
            schema: schema(),
            found,
            known,
        }));
    }
    let known = i32::try_from(wire::FORMAT).unwrap_or(i32::MAX);
    if form != known {
        return Err(Fault::Final(PostgresError::Form {
            schema: schema(),
            found: form,
            known,
        }));
    }
    Ok(found)
}

/// Of all programs that take advisory locks in this database, and of all ledgers in it, this one.
fn lock_key(schema: &str) -> i64 {
    let digest = blake3::hash(format!("tenure migration {schema}").as_bytes());
    digest
        .as_bytes()
        .first_chunk()
        .map_or(0, |eight| i64::from_be_bytes(*eight))
}
