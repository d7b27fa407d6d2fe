//! The points ledger in PostgreSQL, in turn with tables that know nothing of points: `TENURE_POSTGRES_URL` names a
//! database that may be filled.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use postgres::{Client, NoTls};
use serde_json::{Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{
    Command, Earn, Ledger, Points, PostgresOptions, PostgresStore, Programme, Redeem, Rules,
};

use crate::Setting;
use crate::measure::{Measured, cpu_s, peak_rss_mb};
use crate::raw_postgres::RawTables;
use crate::splitmix::uniform;

const MEMBERS: u64 = 100_000;
const SCHEMA: &str = "tenure_bench";
const BATCH: u64 = 1000;
const CONNECTIONS: usize = 16;
/// Ledger and tables are written in turn, so that a disk that is busy for a while is busy for both.
const SLICES: u64 = 10;

/// 100 batches of 1,000 commands on 100,000 members, one connection.
pub fn b1000(setting: &Setting) -> Result<Measured, String> {
    in_turn(setting, 100 * BATCH, Way::Batches)
}

/// 40,000 commands, one at a time, by 16 threads with a connection each.
pub fn c16(setting: &Setting) -> Result<Measured, String> {
    in_turn(setting, 40_000, Way::Connections)
}

/// How commands come to the ledger, and entries to the tables.
#[derive(Debug, Clone, Copy)]
enum Way {
    Batches,
    Connections,
}

/// Seconds that passed, of this process, and of the server's processes where they are on this machine.
#[derive(Default)]
struct Spent {
    wall_s: f64,
    cpu_s: f64,
    server_cpu_s: Option<f64>,
}

#[derive(Default)]
struct Run {
    ledger: Spent,
    raw: Spent,
    check: Value,
}

fn in_turn(setting: &Setting, count: u64, way: Way) -> Result<Measured, String> {
    let url = std::env::var("TENURE_POSTGRES_URL")
        .map_err(|_| "TENURE_POSTGRES_URL names no database".to_owned())?;
    let mut best: Option<Run> = None;
    for _ in 0..setting.repeat {
        let run = run(&url, count, way)?;
        let cpu_s = |run: &Run| run.ledger.cpu_s + run.ledger.server_cpu_s.unwrap_or_default();
        if best.as_ref().is_none_or(|best| cpu_s(&run) < cpu_s(best)) {
            best = Some(run);
        }
    }
    let mut best = best.ok_or("a job runs at least once")?;
    let (ledger, raw) = (&best.ledger, &best.raw);
    let each_second = |spent: &Spent| (count as f64 / spent.wall_s).round();
    let both = |spent: &Spent| Some(spent.cpu_s + spent.server_cpu_s?);
    best.check["commands_per_s"] = json!(each_second(ledger));
    best.check["raw_per_s"] = json!(each_second(raw));
    best.check["of_raw"] = json!(raw.wall_s / ledger.wall_s);
    best.check["server_cpu_s"] = json!(ledger.server_cpu_s);
    best.check["raw_cpu_s"] = json!(raw.cpu_s);
    best.check["raw_server_cpu_s"] = json!(raw.server_cpu_s);
    let ratio = both(raw).zip(both(ledger)).map(|(raw, own)| raw / own);
    best.check["of_raw_by_cpu"] = json!(ratio);
    Ok(Measured {
        wall_s: ledger.wall_s,
        cpu_s: ledger.cpu_s,
        peak_rss_mb: peak_rss_mb(),
        n: usize::try_from(count).map_err(|error| error.to_string())?,
        check: best.check,
    })
}

/// Runs a job on new schemas, the ledger's members with a lot each; making them is not timed.
fn run(url: &str, count: u64, way: Way) -> Result<Run, String> {
    let text = |error: postgres::Error| error.to_string();
    let mut beside = Client::connect(url, NoTls).map_err(text)?;
    let drop = format!("drop schema if exists {SCHEMA} cascade");
    beside.batch_execute(&drop).map_err(text)?;
    let connections = match way {
        Way::Batches => 1,
        Way::Connections => CONNECTIONS,
    };
    let ledger = members(url)?;
    let mut tables = RawTables::create(url, connections).map_err(text)?;
    // What was filled just now is written out before, and not while, the work is timed.
    beside.batch_execute("checkpoint").map_err(text)?;
    let mut run = Run::default();
    let slice = count / SLICES;
    for first in (0..count).step_by(slice as usize) {
        run.ledger
            .time(&mut beside, || way.submit(&ledger, first..first + slice))?;
        run.raw.time(&mut beside, || {
            way.write(&mut tables, slice)
                .map_err(|error| error.to_string())
        })?;
    }
    run.check = verified(&ledger)?;
    beside.batch_execute(&drop).map_err(text)?;
    Ok(run)
}

impl Spent {
    /// Does some work and adds what it took.
    fn time(
        &mut self,
        beside: &mut Client,
        work: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        let server = server_cpu_s(beside)?;
        let (wall, cpu) = (Instant::now(), cpu_s());
        work()?;
        self.wall_s += wall.elapsed().as_secs_f64();
        self.cpu_s += cpu_s() - cpu;
        let server = server_cpu_s(beside)?.zip(server);
        if let Some((after, before)) = server {
            *self.server_cpu_s.get_or_insert_default() += after - before;
        }
        Ok(())
    }
}

/// User and system time of all processes of the server that are there, if they are on this machine.
fn server_cpu_s(beside: &mut Client) -> Result<Option<f64>, String> {
    /// What `/proc` counts in on Linux.
    const TICKS_PER_S: f64 = 100.0;
    let rows = beside.query("select pid from pg_stat_activity", &[]);
    let rows = rows.map_err(|error| error.to_string())?;
    let ticks = rows.iter().map(|row| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", row.get::<_, i32>(0))).ok()?;
        let (name, numbers) = stat.rsplit_once(')')?;
        let mut numbers = numbers.split_whitespace();
        let user: f64 = numbers.nth(11)?.parse().ok()?;
        let system: f64 = numbers.next()?.parse().ok()?;
        name.contains("postgres").then_some(user + system)
    });
    Ok(ticks.sum::<Option<f64>>().map(|ticks| ticks / TICKS_PER_S))
}

impl Way {
    /// Submits the commands of some numbers.
    fn submit(
        self,
        ledger: &Ledger<PostgresStore>,
        numbers: std::ops::Range<u64>,
    ) -> Result<(), String> {
        match self {
            Way::Batches => {
                let commands: Vec<Command> = numbers.map(command).collect();
                commands
                    .chunks(BATCH as usize)
                    .try_for_each(|batch| submit_all(ledger, batch))
            }
            Way::Connections => {
                let next = AtomicU64::new(numbers.start);
                let work = || {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= numbers.end {
                            return Ok(());
                        }
                        ledger
                            .submit(command(number))
                            .map_err(|error| error.to_string())?;
                    }
                };
                std::thread::scope(|scope| {
                    let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
                    let done = threads
                        .into_iter()
                        .map(|thread| thread.join().map_err(|_| "a thread failed".to_owned())?);
                    done.collect()
                })
            }
        }
    }

    /// Writes as many entries to the tables, in the same way.
    fn write(self, tables: &mut RawTables, count: u64) -> Result<(), postgres::Error> {
        match self {
            Way::Batches => (0..count / BATCH).try_for_each(|_| tables.unnest(BATCH)),
            Way::Connections => tables.post_each(count),
        }
    }
}

fn submit_all(ledger: &Ledger<PostgresStore>, batch: &[Command]) -> Result<(), String> {
    let results = ledger
        .submit_batch(batch)
        .map_err(|error| error.to_string())?;
    match results.into_iter().find_map(Result::err) {
        None => Ok(()),
        Some(refusal) => Err(refusal.to_string()),
    }
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
    for first in (0..MEMBERS).step_by(BATCH as usize) {
        let gift = |m| {
            let earn = Earn::points(format!("m{m}"), Points(100));
            Command::new(format!("gift {m}"), Timestamp::EPOCH, earn)
        };
        let gifts: Vec<Command> = (first..first + BATCH).map(gift).collect();
        submit_all(&ledger, &gifts)?;
    }
    Ok(ledger)
}

/// Everything is there.
fn verified(ledger: &Ledger<PostgresStore>) -> Result<Value, String> {
    let verified = ledger
        .store()
        .verify(None)
        .map_err(|error| error.to_string())?;
    Ok(
        json!({"commits": verified.commits, "entries": verified.entries, "records": verified.records}),
    )
}
