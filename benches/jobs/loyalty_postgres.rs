//! The points ledger in PostgreSQL: `TENURE_POSTGRES_URL` names a database that may be filled.

use std::sync::atomic::{AtomicU64, Ordering};

use postgres::{Client, NoTls};
use serde_json::json;
use tenure::event::Timestamp;
use tenure::loyalty::{
    Command, Earn, Ledger, Points, PostgresOptions, PostgresStore, Programme, Redeem, Rules,
};

use crate::Setting;
use crate::measure::{Measured, best_of};
use crate::splitmix::uniform;

const MEMBERS: u64 = 100_000;
const SCHEMA: &str = "tenure_bench";

/// 100 batches of 1,000 commands on 100,000 members, one connection.
pub fn b1000(setting: &Setting) -> Result<Measured, String> {
    const BATCHES: u64 = 100;
    let n = BATCHES * 1000;
    job(setting, n, |ledger| {
        for batch in 0..BATCHES {
            let numbers = batch * 1000..(batch + 1) * 1000;
            let commands: Vec<Command> = numbers.map(command).collect();
            let results = ledger
                .submit_batch(&commands)
                .map_err(|error| error.to_string())?;
            if let Some(refusal) = results.into_iter().find_map(Result::err) {
                return Err(refusal.to_string());
            }
        }
        Ok(())
    })
}

/// 40,000 commands, one a commit, by 16 threads with a connection each.
pub fn c16(setting: &Setting) -> Result<Measured, String> {
    const COMMANDS: u64 = 40_000;
    job(setting, COMMANDS, |ledger| {
        let next = AtomicU64::new(0);
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= COMMANDS {
                    return Ok(());
                }
                ledger
                    .submit(command(number))
                    .map_err(|error| error.to_string())?;
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(work)).collect();
            let done = threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| "a thread failed".to_owned())?);
            done.collect()
        })
    })
}

/// Four of five commands earn, the fifth redeems.
fn command(number: u64) -> Command {
    let account = format!("m{}", (uniform(1, number) * MEMBERS as f64) as u64);
    let id = format!("c{number}");
    match number % 5 {
        4 => Command::new(id, Timestamp::EPOCH, Redeem::points(account, Points(5))),
        _ => Command::new(id, Timestamp::EPOCH, Earn::money(account, 12_99)),
    }
}

/// Runs a job on a new schema, whose members have a lot each; making them is not timed.
fn job(
    setting: &Setting,
    n: u64,
    work: impl Fn(&Ledger<PostgresStore>) -> Result<(), String>,
) -> Result<Measured, String> {
    let url = std::env::var("TENURE_POSTGRES_URL")
        .map_err(|_| "TENURE_POSTGRES_URL names no database".to_owned())?;
    let mut beside = Client::connect(&url, NoTls).map_err(|error| error.to_string())?;
    let drop = format!("drop schema if exists {SCHEMA} cascade");
    let mut prepared = Ok(());
    let measured = best_of(
        setting.repeat,
        n as usize,
        || {
            let made = beside
                .batch_execute(&drop)
                .map_err(|error| error.to_string());
            made.and_then(|()| members(&url))
        },
        |ledger| Ok(ledger.and_then(|ledger| work(&ledger).map(|()| ledger))),
        |ledger| match ledger.and_then(|ledger| verified(&ledger)) {
            Ok(check) => check,
            Err(error) => {
                prepared = Err(error);
                serde_json::Value::Null
            }
        },
    )?;
    prepared?;
    beside
        .batch_execute(&drop)
        .map_err(|error| error.to_string())?;
    Ok(measured)
}

fn members(url: &str) -> Result<Ledger<PostgresStore>, String> {
    let options = PostgresOptions {
        schema: SCHEMA.to_owned(),
        ..PostgresOptions::default()
    };
    let store = PostgresStore::open(url, options).map_err(|error| error.to_string())?;
    let programme = r#"{
        "earn": {"rounding": "floor", "round_scope": "order"},
        "earn_rules": [{"rate": [1, 100]}],
        "expiry": {"kind": "days", "n": 365}
    }"#;
    let programme: Programme =
        serde_json::from_str(programme).map_err(|error| error.to_string())?;
    let rules = Rules::new(programme).map_err(|error| error.to_string())?;
    let ledger = Ledger::new(store, rules);
    for first in (0..MEMBERS).step_by(1000) {
        let gifts: Vec<Command> = (first..first + 1000)
            .map(|m| {
                Command::new(
                    format!("gift {m}"),
                    Timestamp::EPOCH,
                    Earn::points(format!("m{m}"), Points(100)),
                )
            })
            .collect();
        let results = ledger
            .submit_batch(&gifts)
            .map_err(|error| error.to_string())?;
        if let Some(refusal) = results.into_iter().find_map(Result::err) {
            return Err(refusal.to_string());
        }
    }
    Ok(ledger)
}

/// Everything is there.
fn verified(ledger: &Ledger<PostgresStore>) -> Result<serde_json::Value, String> {
    let verified = ledger
        .store()
        .verify(None)
        .map_err(|error| error.to_string())?;
    Ok(
        json!({"commits": verified.commits, "entries": verified.entries, "records": verified.records}),
    )
}
