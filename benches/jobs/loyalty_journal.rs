//! Jobs of the ledger in a journal, in turn with a log that does nothing but make bytes durable.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use tenure::loyalty::journal::JournalError;
use tenure::loyalty::{Command, JournalStore, Ledger, Store};

use super::Setting;
use super::loyalty::{Mix, rules, totals};
use super::measure::{Measured, cpu_s, peak_rss_mb};
use super::raw_log::{Payload, RawLog, payloads};
use super::scratch::Scratch;

/// Ledger and log work in turn, so that a disk that is busy for a while is busy for both.
const SLICES: usize = 10;

/// One command a commit.
pub fn b1(setting: &Setting) -> Result<Measured, String> {
    in_turn(setting, 20_000, Way::Batches(1))
}

/// A thousand commands a commit.
pub fn b1000(setting: &Setting) -> Result<Measured, String> {
    in_turn(setting, 1_000_000, Way::Batches(1000))
}

/// As many commands a commit as the largest batch of TigerBeetle.
pub fn b8189(setting: &Setting) -> Result<Measured, String> {
    in_turn(setting, 1_000_000, Way::Batches(8189))
}

/// Sixty-four threads, each with one command at a time.
pub fn t64(setting: &Setting) -> Result<Measured, String> {
    in_turn(setting, 200_000, Way::Threads(64))
}

/// Opening a journal of more than 10,000,000 entries: as it was closed, from its latest snapshot and what came after it; and
/// again right after a snapshot. Its files are in the system's cache, where they were just written.
pub fn open(setting: &Setting) -> Result<Measured, String> {
    const COMMANDS: usize = 4_300_000;
    const ENTRIES: u64 = 10_000_000;
    let text = |error: JournalError| error.to_string();
    let scratch = Scratch::new(&setting.data).map_err(|error| error.to_string())?;
    let folder = scratch.path().join("journal");
    let ledger = Ledger::new(JournalStore::open(&folder).map_err(text)?, rules());
    let (mut mix, mut left) = (Mix::new(), COMMANDS);
    while left > 0 {
        let batch: Vec<Command> = mix.by_ref().take(left.min(8189)).collect();
        let submitted = ledger.submit_batch(&batch);
        submitted.map_err(|error| error.to_string())?;
        left -= batch.len();
    }
    drop(ledger);
    let again = || -> Result<_, String> {
        let (wall, cpu) = (Instant::now(), cpu_s());
        let store = JournalStore::open(&folder).map_err(text)?;
        Ok((wall.elapsed().as_secs_f64(), cpu_s() - cpu, store))
    };
    let (wall_s, cpu_s, store) = again()?;
    let opening = store.opening();
    let mut check = json!({
        "entries": opening.entries, "replayed": opening.replayed, "snapshot": opening.snapshot,
    });
    if opening.entries < ENTRIES {
        return Err(format!("{} entries are too few", opening.entries));
    }
    store.snapshot().map_err(|error| error.to_string())?;
    drop(store);
    let (after_s, _, store) = again()?;
    check["after_snapshot_s"] = json!(after_s);
    check["after_snapshot_replayed"] = json!(store.opening().replayed);
    Ok(Measured {
        wall_s,
        cpu_s,
        peak_rss_mb: peak_rss_mb(),
        n: COMMANDS,
        check,
    })
}

/// How commands come to the ledger, and entries to the log.
#[derive(Clone, Copy)]
enum Way {
    Batches(usize),
    Threads(usize),
}

/// Seconds of the ledger and of the log.
#[derive(Default)]
struct Run {
    wall_s: f64,
    cpu_s: f64,
    raw_wall_s: f64,
    raw_cpu_s: f64,
    check: Value,
}

fn in_turn(setting: &Setting, count: usize, way: Way) -> Result<Measured, String> {
    let commands: Vec<Command> = Mix::new().take(count).collect();
    let mut best: Option<Run> = None;
    for _ in 0..setting.repeat {
        let run = run(&setting.data, &commands, way)?;
        if best.as_ref().is_none_or(|best| run.cpu_s < best.cpu_s) {
            best = Some(run);
        }
    }
    let mut best = best.ok_or("a job runs at least once")?;
    let each_second = |wall_s: f64| (count as f64 / wall_s).round();
    best.check["commands_per_s"] = json!(each_second(best.wall_s));
    best.check["raw_log_per_s"] = json!(each_second(best.raw_wall_s));
    best.check["raw_log_cpu_s"] = json!(best.raw_cpu_s);
    best.check["of_raw_log"] = json!(best.raw_wall_s / best.wall_s);
    Ok(Measured {
        wall_s: best.wall_s,
        cpu_s: best.cpu_s,
        peak_rss_mb: peak_rss_mb(),
        n: count,
        check: best.check,
    })
}

fn run(data: &Path, commands: &[Command], way: Way) -> Result<Run, String> {
    let scratch = Scratch::new(data).map_err(|error| error.to_string())?;
    let folder = scratch.path().join("journal");
    let store = JournalStore::open(&folder).map_err(|error| error.to_string())?;
    let ledger = Ledger::new(store, rules());
    let raw = scratch.path().join("raw");
    let log = RawLog::create(&raw, commands.len()).map_err(|error| error.to_string())?;
    let (mut run, mut refused) = (Run::default(), 0);
    let size = commands.len().div_ceil(SLICES);
    for (slice, first) in commands.chunks(size).zip((0..).step_by(size)) {
        let work = way.share(first, slice);
        let (wall, cpu) = (Instant::now(), cpu_s());
        refused += way.submit(&ledger, work)?;
        run.wall_s += wall.elapsed().as_secs_f64();
        run.cpu_s += cpu_s() - cpu;

        let entries = payloads(slice.len());
        let (wall, cpu) = (Instant::now(), cpu_s());
        way.write(&log, &entries)
            .map_err(|error| error.to_string())?;
        run.raw_wall_s += wall.elapsed().as_secs_f64();
        run.raw_cpu_s += cpu_s() - cpu;
    }
    run.check = totals(&ledger, commands.len(), refused);
    let entries = last_entry(ledger.store())?;
    drop(ledger);
    let bytes = Scratch::bytes(&folder).map_err(|error| error.to_string())?;
    run.check["entries"] = json!(entries);
    run.check["disk_bytes_per_entry"] = json!(bytes as f64 / entries as f64);
    run.check["disk_bytes_per_command"] = json!(bytes as f64 / commands.len() as f64);
    Ok(run)
}

impl Way {
    /// The commands of a slice, by who submits them together: a batch, or a thread's members.
    fn share(self, first: usize, slice: &[Command]) -> Vec<Vec<Command>> {
        match self {
            Way::Batches(size) => slice.chunks(size).map(<[Command]>::to_vec).collect(),
            Way::Threads(threads) => {
                let mut shares = vec![Vec::new(); threads];
                for (number, command) in (first..).zip(slice) {
                    if let Some(share) = shares.get_mut(Mix::member(number) % threads) {
                        share.push(command.clone());
                    }
                }
                shares
            }
        }
    }

    /// Submits a slice; how many commands were refused.
    fn submit(
        self,
        ledger: &Ledger<JournalStore>,
        work: Vec<Vec<Command>>,
    ) -> Result<usize, String> {
        let one_by_one = |commands: Vec<Command>| {
            let results = commands.into_iter().map(|command| ledger.submit(command));
            results.filter(Result::is_err).count()
        };
        match self {
            Way::Batches(1) => Ok(work.into_iter().map(one_by_one).sum()),
            Way::Batches(_) => {
                let mut refused = 0;
                for batch in &work {
                    let results = ledger
                        .submit_batch(batch)
                        .map_err(|error| error.to_string())?;
                    refused += results.iter().filter(|result| result.is_err()).count();
                }
                Ok(refused)
            }
            Way::Threads(_) => std::thread::scope(|scope| {
                let threads = work
                    .into_iter()
                    .map(|share| scope.spawn(|| one_by_one(share)));
                let threads: Vec<_> = threads.collect();
                let refused = threads.into_iter().map(|thread| thread.join());
                let refused = refused.sum::<Result<usize, _>>();
                refused.map_err(|_| "a thread panicked".to_owned())
            }),
        }
    }

    /// Writes as many entries to the log, in the same way.
    fn write(self, log: &RawLog, entries: &[Payload]) -> std::io::Result<()> {
        match self {
            Way::Batches(size) => entries.chunks(size).try_for_each(|batch| log.append(batch)),
            Way::Threads(threads) => std::thread::scope(|scope| {
                let shares = entries.chunks(entries.len().div_ceil(threads).max(1));
                let append_each = |share: &[Payload]| {
                    let mut entries = share.iter();
                    entries.try_for_each(|entry| log.append_with_others(entry))
                };
                let threads: Vec<_> = shares
                    .map(|share| scope.spawn(move || append_each(share)))
                    .collect();
                let panicked = || std::io::Error::other("a thread panicked");
                let mut results = threads.into_iter().map(|thread| thread.join());
                results.try_for_each(|result| result.unwrap_or_else(|_| Err(panicked())))
            }),
        }
    }
}

/// The number of the journal's last entry.
fn last_entry(store: &impl Store) -> Result<u64, String> {
    let mut last = 0;
    let mut visit = |number, _: &tenure::loyalty::Entry| {
        last = number;
        std::ops::ControlFlow::Continue(())
    };
    store
        .scan(1, &mut visit)
        .map_err(|error| error.to_string())?;
    Ok(last)
}
