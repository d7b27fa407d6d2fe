//! Ten million commands upon one journal, which is closed and opened again at random.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use serde_json::json;
use tenure::loyalty::{AccountId, Command, Entry, JournalStore, Ledger, Member, Pot, Store};

use super::Setting;
use super::loyalty::{Mix, rules, totals};
use super::measure::{Measured, cpu_s, peak_rss_mb, rss_mb};
use super::scratch::Scratch;
use super::splitmix::uniform;

/// Commands, lots, and the memory in MB just after the journal was opened and just before it was closed.
type Sample = (usize, usize, u64, u64);

const COMMANDS: usize = 10_000_000;
const BATCH: usize = 1000;
/// From one opening to the next, at most.
const BATCHES_MAX: f64 = 1000.0;

/// `TENURE_SOAK_COMMANDS` sets another number of commands. The line tells the memory before every closing
/// and after every opening; at the end the books of the journal must be those of the members.
pub fn soak(setting: &Setting) -> Result<Measured, String> {
    let count = match std::env::var("TENURE_SOAK_COMMANDS") {
        Ok(text) => text.parse().map_err(|error| format!("{text}: {error}"))?,
        Err(_) => COMMANDS,
    };
    let scratch = Scratch::new(&setting.data).map_err(|error| error.to_string())?;
    let folder = scratch.path().join("journal");
    let mut mix = Mix::new();
    let (wall, cpu) = (Instant::now(), cpu_s());
    let (mut done, mut refused, mut open_s_max) = (0, 0, 0_f64);
    let mut memory_mb: Vec<Sample> = Vec::new();
    while done < count {
        let opening = Instant::now();
        let store = JournalStore::open(&folder).map_err(|error| error.to_string())?;
        let open_s = opening.elapsed().as_secs_f64();
        open_s_max = open_s_max.max(open_s);
        let opened_mb = rss_mb();
        let ledger = Ledger::new(store, rules());
        let batches = 1.0 + uniform(51, memory_mb.len() as u64) * BATCHES_MAX;
        for _ in 0..batches as usize {
            let batch: Vec<Command> = mix.by_ref().take(BATCH.min(count - done)).collect();
            let results = ledger
                .submit_batch(&batch)
                .map_err(|error| error.to_string())?;
            refused += results.iter().filter(|result| result.is_err()).count();
            done += batch.len();
        }
        let lots = lots(ledger.store())?;
        memory_mb.push((done, lots, opened_mb, rss_mb()));
    }
    let (wall_s, cpu_s) = (wall.elapsed().as_secs_f64(), cpu_s() - cpu);
    let store = JournalStore::open(&folder).map_err(|error| error.to_string())?;
    let ledger = Ledger::new(store, rules());
    let mut check = totals(&ledger, count, refused);
    let (entries, pots) = pots(ledger.store())?;
    let members = ["available", "held", "spent", "expired"].map(|column| check[column].as_i64());
    let due = pots[&Pot::Available] + pots[&Pot::Held] + pots[&Pot::Expired];
    // What is due and not booked yet is expired in the snapshot and still available in the journal.
    let [available, held, spent, expired] = members.map(Option::unwrap_or_default);
    assert_eq!(due, available + held + expired, "the books balance");
    assert_eq!(pots[&Pot::Redeemed], spent, "the books balance");
    assert_eq!(pots.values().sum::<i64>(), 0, "every entry sums to zero");
    check["entries"] = json!(entries);
    check["open_s_max"] = json!(open_s_max);
    check["commands_lots_and_mb_opened_and_closed"] = json!(memory_mb);
    check["bytes_a_new_lot"] = json!(bytes_a_new_lot(&memory_mb, count));
    Ok(Measured {
        wall_s,
        cpu_s,
        peak_rss_mb: peak_rss_mb(),
        n: count,
        check,
    })
}

/// How many lots all members have, used up or not: they are a part of the members' states.
fn lots(store: &impl Store) -> Result<usize, String> {
    let mut lots = 0;
    let mut visit = |_: &AccountId, member: &Member| {
        lots += member.lots().count();
        ControlFlow::Continue(())
    };
    store
        .members(&mut visit)
        .map_err(|error| error.to_string())?;
    Ok(lots)
}

/// By how much memory grew for each lot that was added in the second half of the commands, just after openings: what
/// is more than a lot takes grows with something else than the members' states.
fn bytes_a_new_lot(samples: &[Sample], count: usize) -> Option<f64> {
    // A journal is opened with the lots of the sample before.
    let pairs = samples.windows(2).filter(|pair| pair[0].0 >= count / 2);
    let opened = |pair: &[Sample]| (pair[0].1 as f64, (pair[1].2 << 20) as f64);
    let mut opened = pairs.map(opened);
    let ((lots, bytes), (lots_after, bytes_after)) = (opened.next()?, opened.next_back()?);
    (lots_after > lots).then(|| (bytes_after - bytes) / (lots_after - lots))
}

/// The number of entries, and the balance of every pot over all members, from the journal alone.
fn pots(store: &impl Store) -> Result<(u64, BTreeMap<Pot, i64>), String> {
    let mut pots: BTreeMap<Pot, i64> = Pot::ALL.map(|pot| (pot, 0)).into();
    let mut entries = 0;
    let mut visit = |number, entry: &Entry| {
        entries = number;
        if let Some((from, to, points)) = entry.posting() {
            *pots.entry(from).or_default() -= points.0;
            *pots.entry(to).or_default() += points.0;
        }
        ControlFlow::Continue(())
    };
    store
        .scan(1, &mut visit)
        .map_err(|error| error.to_string())?;
    Ok((entries, pots))
}
