//! What a crash can do to a journal, and what it cannot.
//!
//! Every run takes samples; with `TENURE_CRASH_FULL` set every byte is tried, which wants a release build:
//! `TENURE_CRASH_FULL=1 cargo test --release --test loyalty_journal --test loyalty_journal_crash`.

#[path = "common/fault_files.rs"]
mod fault_files;
#[path = "common/shop.rs"]
mod shop;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fault_files::{FaultFiles, Faults};
use shop::{Expected, commands, entries, records, rules};
use tenure::event::Timestamp;
use tenure::loyalty::journal::{JournalError, JournalOptions, JournalStore};
use tenure::loyalty::{Action, Command, Earn, Entry, Ledger, LedgerError, MemoryStore, StoreError};

/// What a segment begins with, before its first frame. A new one without it, or with a part of it, is torn.
const SEGMENT_HEAD: usize = 96;

fn is_full() -> bool {
    std::env::var_os("TENURE_CRASH_FULL").is_some()
}

/// Everything happens often: segments end, snapshots are written, the index goes to disk and is merged.
fn busy() -> JournalOptions {
    JournalOptions {
        segment_bytes: 16 << 10,
        snapshot_bytes: 8 << 10,
        commands_cached: 8,
        commands_indexed: 16,
    }
}

fn open(files: &FaultFiles) -> Result<JournalStore, JournalError> {
    JournalStore::open_with(Arc::new(files.clone()), busy())
}

fn ledger(files: &FaultFiles) -> Ledger<JournalStore> {
    Ledger::new(open(files).unwrap(), rules())
}

/// Opens what a crash left: the commands that were carried out are there from the first one to one that is
/// at least the last acknowledged one and not after the last that was sent, in whole; how many.
fn recovers(files: &FaultFiles, expected: &Expected, acknowledged: usize, sent: usize) -> usize {
    let store = open(files).unwrap();
    let found = store.opening().entries as usize;
    let there = expected.after.binary_search(&found);
    let there = there.unwrap_or_else(|_| panic!("{found} entries: a command is there in part"));
    assert!(
        there >= acknowledged,
        "{there} of {acknowledged} acknowledged commands"
    );
    assert!(there <= sent, "{there} commands, {sent} were sent");
    assert_eq!(entries(&store), expected.entries[..found]);
    there
}

/// All records are those of a ledger in memory that carried out so many commands, and their versions those
/// of a journal that did so without a crash.
fn has_states_of(files: &FaultFiles, done: &[Command], versions: Versions) {
    let memory = Ledger::new(MemoryStore::new(), rules());
    let uncrashed = ledger(&FaultFiles::new());
    for command in done {
        memory.submit(command.clone()).unwrap();
        if versions == Versions::Exact {
            uncrashed.submit(command.clone()).unwrap();
        }
    }
    let (found, expected) = (records(&open(files).unwrap()), records(memory.store()));
    assert!(found.keys().eq(expected.keys()));
    for (key, (_, record)) in &expected {
        assert_eq!(found[key].1, *record, "{key:?}");
    }
    if versions == Versions::Exact {
        assert_eq!(found, records(uncrashed.store()));
    }
}

/// Whether the versions count single commands, or batches of unknown sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    Exact,
    Any,
}

#[test]
fn a_journal_cut_at_every_byte_has_every_acknowledged_command() {
    let (count, step) = if is_full() { (2_600, 1) } else { (500, 97) };
    let commands = commands(1, count, 40);
    let expected = Expected::of(&commands);
    let live = FaultFiles::new();
    let ledger = ledger(&live);
    let mut before = live.image();
    let (mut done, mut cuts) = (0, 0);
    for command in &commands {
        if ledger.submit(command.clone()).is_err() {
            continue;
        }
        done += 1;
        let after = live.image();
        for (name, bytes) in after.all() {
            let began_here = before.get(&name).is_none();
            let old = before.get(&name).unwrap_or_default();
            if !name.ends_with(".journal") || old == bytes {
                continue;
            }
            // As it is while the command is being written: everything else is as it was before.
            for cut in (old.len()..bytes.len()).filter(|cut| (cut * 31 + done) % step == 0) {
                let crashed = before.image();
                crashed.put(&name, Arc::new(bytes[..cut].to_vec()));
                let store = open(&crashed).unwrap();
                assert_eq!(store.opening().entries as usize, expected.after[done - 1]);
                let torn = cut != if began_here { SEGMENT_HEAD } else { old.len() };
                assert_eq!(store.opening().cut.is_some(), torn, "{name} cut at {cut}");
                drop(store);
                cuts += 1;
                if cuts % 997 == 0 {
                    recovers(&crashed, &expected, done - 1, done - 1);
                    has_states_of(&crashed, &expected.done[..done - 1], Versions::Exact);
                }
            }
        }
        if done % 20 == 0 {
            ledger.store().snapshot().unwrap();
        }
        before = live.image();
    }
    assert!(!is_full() || done > 2_000, "{done} commands");
    println!("{done} commands, {cuts} cuts");
}

#[test]
fn torn_and_reordered_sectors_lose_nothing_that_was_acknowledged() {
    let (count, seeds) = if is_full() { (400, 40) } else { (120, 4) };
    let mut torn = 0;
    for seed in 0..seeds {
        let commands = commands(seed, count, 9);
        let expected = Expected::of(&commands);
        let live = FaultFiles::new();
        let ledger = ledger(&live);
        let acknowledged = Arc::new(AtomicU64::new(0));
        live.crash_at_each_sync(seed, Arc::clone(&acknowledged));
        // Batches of several sectors, and single commands.
        let mut rest = &expected.done[..];
        let mut ends = BTreeSet::from([0]);
        while !rest.is_empty() {
            let size = rest.len().min(1 + rest.len() * 7 % 11);
            let (batch, later) = rest.split_at(size);
            for done in ledger.submit_batch(batch).unwrap() {
                done.unwrap();
            }
            let done = expected.done.len() - later.len();
            acknowledged.store(done as u64, Ordering::SeqCst);
            ends.insert(done);
            rest = later;
        }
        for (acknowledged, image) in live.crashes() {
            let acknowledged = acknowledged as usize;
            let next = ends.range(acknowledged + 1..).next();
            let sent = next.copied().unwrap_or(acknowledged);
            let opened = open(&image).unwrap();
            torn += u32::from(opened.opening().cut.is_some());
            drop(opened);
            let there = recovers(&image, &expected, acknowledged, sent);
            assert!(
                there == acknowledged || there == sent,
                "a batch is there in part"
            );
            if acknowledged.is_multiple_of(8) {
                has_states_of(&image, &expected.done[..there], Versions::Any);
            }
            // It can be written on, and that stays.
            let goes_on = self::ledger(&image);
            for command in &expected.done[there..] {
                goes_on.submit(command.clone()).unwrap();
            }
            drop(goes_on);
            recovers(&image, &expected, expected.done.len(), expected.done.len());
        }
    }
    assert!(torn > 20, "{torn} crashes left something torn");
}

/// The seal of a frame covers all of it but the hash that chains it to the one before.
#[test]
fn a_frame_whose_chain_was_not_written_is_cut_off() {
    let expected = Expected::of(&commands(10, 12, 3));
    let live = FaultFiles::new();
    let ledger = ledger(&live);
    let mut before = live.image();
    for (done, command) in expected.done.iter().enumerate() {
        ledger.submit(command.clone()).unwrap();
        let name = "0000000000000000.journal";
        let whole = live.get(name).unwrap();
        let frame = before.get(name).unwrap().len();
        for torn in 32..64 {
            let crashed = before.image();
            let mut bytes = whole.to_vec();
            bytes[frame + torn..frame + 64].fill(0);
            crashed.put(name, Arc::new(bytes));
            assert!(open(&crashed).unwrap().opening().cut.is_some());
            recovers(&crashed, &expected, done, done);
        }
        before = live.image();
    }
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let commands = commands(5, 60, 5);
    let expected = Expected::of(&commands);
    for failing_from in 3..60 {
        let live = FaultFiles::new();
        live.set_faults(Faults {
            failing_from: Some(failing_from),
            ..Faults::default()
        });
        let ledger = ledger(&live);
        let mut acknowledged = 0;
        let mut failed = false;
        for command in &expected.done {
            match ledger.submit(command.clone()) {
                Ok(_) => {
                    assert!(!failed, "acknowledged after a failed sync");
                    acknowledged += 1;
                }
                Err(LedgerError::Store(StoreError::Journal(_))) => failed = true,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(failed);
        let account = ledger.account(&"m1".into(), "2026-01-01".parse().unwrap());
        assert!(account.is_err(), "a balance that may be lost was told");
        drop(ledger);
        for seed in 0..4 {
            let image = live.crash(seed);
            recovers(&image, &expected, acknowledged, acknowledged + 1);
        }
    }
}

/// After a failure the ledger carries out nothing more, tells no balance and derives nothing from what it
/// has in memory; it says what happened first and what to do. What is there for good can still be read.
fn refuses_everything(ledger: &Ledger<JournalStore>, there: &[Entry], first: &str) {
    let now: Timestamp = "2026-01-01".parse().unwrap();
    let order = Command::new("later", now, Earn::money("m1", 500));
    let poisoned = |error: StoreError| {
        let StoreError::Journal(error) = error else {
            panic!("{error}");
        };
        assert!(error.to_string().contains("open the journal again"));
        let JournalError::Poisoned { source } = error else {
            panic!("{error}");
        };
        let mut causes = source.to_string();
        let mut cause = std::error::Error::source(&*source);
        while let Some(deeper) = cause {
            causes = format!("{causes}: {deeper}");
            cause = deeper.source();
        }
        assert!(causes.contains(first), "{causes}");
    };
    let untold = |error: LedgerError| match error {
        LedgerError::Store(error) => poisoned(error),
        other => panic!("{other}"),
    };
    poisoned(
        ledger
            .submit_batch(std::slice::from_ref(&order))
            .unwrap_err(),
    );
    untold(ledger.submit(order).unwrap_err());
    untold(ledger.tick(now).unwrap_err());
    untold(ledger.account(&"m1".into(), now).unwrap_err());
    untold(ledger.expiring(&"m1".into(), now, now).unwrap_err());
    untold(ledger.snapshot(now).unwrap_err());
    poisoned(ledger.store().snapshot().unwrap_err());
    assert_eq!(entries(ledger.store()), there);
}

/// A command in the middle of a batch cannot be read from the disk: the ones before it in the batch were
/// decided upon the members themselves, and are not written.
#[test]
fn a_batch_that_fails_in_the_middle_leaves_nothing() {
    let expected = Expected::of(&commands(12, 260, 5));
    let live = FaultFiles::new();
    let ledger = ledger(&live);
    // Two orders can be decided without the disk.
    let is_order = |command: &Command| matches!(command.action, Action::Earn(_));
    let mut pairs = expected.done.windows(2);
    let begin = pairs.rposition(|pair| pair.iter().all(is_order)).unwrap();
    let (first, batch) = expected.done.split_at(begin);
    for command in first {
        ledger.submit(command.clone()).unwrap();
    }
    let there = &expected.entries[..expected.after[begin]];
    live.set_faults(Faults {
        unreadable: true,
        ..Faults::default()
    });
    // By its first command alone a batch fails before anything was decided, and only the read is in vain.
    let old = std::slice::from_ref(&first[0]);
    let error = ledger.submit_batch(old).unwrap_err();
    assert!(
        matches!(error, StoreError::Journal(JournalError::Io { .. })),
        "{error}"
    );
    live.set_faults(Faults::default());
    assert!(ledger.submit(first[0].clone()).unwrap().replayed);

    // The command is in an index on the disk, and has left the cache.
    let mut torn = batch[..2].to_vec();
    torn.push(first[40].clone());
    torn.extend_from_slice(&batch[2..]);
    live.set_faults(Faults {
        unreadable: true,
        ..Faults::default()
    });
    let error = ledger.submit_batch(&torn).unwrap_err();
    assert!(
        matches!(error, StoreError::Journal(JournalError::Io { .. })),
        "{error}"
    );
    // Also when the disk is well again: the members in memory are ahead of the journal.
    live.set_faults(Faults::default());
    refuses_everything(&ledger, there, "the disk cannot be read");
    let backup = FaultFiles::new();
    ledger.store().backup_to(&backup).unwrap();
    drop(ledger);
    for files in [backup, live.crash(1), live.image()] {
        assert_eq!(JournalStore::verify_with(&files).unwrap().damages, []);
        recovers(&files, &expected, begin, begin);
        has_states_of(&files, first, Versions::Exact);
    }
    // Nobody was told of the batch; sent again it is carried out.
    let ledger = self::ledger(&live);
    let results = ledger.submit_batch(&torn).unwrap();
    let replayed = results.iter().filter(|r| r.as_ref().unwrap().replayed);
    assert_eq!(replayed.count(), 1);
    drop(ledger);
    let all = expected.done.len();
    recovers(&live, &expected, all, all);
    has_states_of(&live, &expected.done, Versions::Any);
}

/// The frame of a batch is written in part, or its sync fails.
#[test]
fn a_batch_that_could_not_be_written_is_there_in_whole_or_not_at_all() {
    let expected = Expected::of(&commands(13, 160, 5));
    let (first, batch) = expected.done.split_at(60);
    let there = &expected.entries[..expected.after[60]];
    let roomy = || {
        let live = FaultFiles::new();
        let store = JournalStore::open_with(Arc::new(live.clone()), JournalOptions::default());
        let ledger = Ledger::new(store.unwrap(), rules());
        for command in first {
            ledger.submit(command.clone()).unwrap();
        }
        let used: usize = live.all().values().map(|bytes| bytes.len()).sum();
        (live, ledger, used as u64)
    };
    let (live, ledger, used) = roomy();
    ledger.submit_batch(batch).unwrap();
    let whole = live.all().values().map(|bytes| bytes.len() as u64).sum();
    let step = if is_full() { 17 } else { 397 };
    let short = (used..whole).step_by(step).map(|capacity| Faults {
        capacity: Some(capacity),
        ..Faults::default()
    });
    let unsynced = Faults {
        failing_from: Some(0),
        ..Faults::default()
    };
    let (mut none, mut all) = (0, 0);
    for (seed, faults) in (0..).zip(short.chain(std::iter::repeat_n(unsynced, 12))) {
        let (live, ledger, _) = roomy();
        let first_error = match faults.capacity {
            Some(_) => "no storage space",
            None => "the disk failed",
        };
        live.set_faults(faults);
        let error = ledger.submit_batch(batch).unwrap_err();
        assert!(
            matches!(error, StoreError::Journal(JournalError::Io { .. })),
            "{error}"
        );
        live.set_faults(Faults::default());
        refuses_everything(&ledger, there, first_error);
        drop(ledger);
        // As the process leaves it, and as a crash of the machine may.
        for files in [live.image(), live.crash(seed)] {
            let found = recovers(&files, &expected, 60, expected.done.len());
            let whole = found == expected.done.len();
            assert!(whole || found == 60, "{found}: the batch is there in part");
            has_states_of(&files, &expected.done[..found], Versions::Any);
            *(if whole { &mut all } else { &mut none }) += 1;
        }
    }
    assert!(none > 0 && all > 0, "{none} times nothing, {all} times all");
}

#[test]
fn a_lying_sync_loses_the_end_or_is_found() {
    let commands = commands(6, 200, 5);
    let expected = Expected::of(&commands);
    let (mut opened, mut found) = (0, 0);
    for seed in 0..60 {
        let live = FaultFiles::new();
        live.set_faults(Faults {
            lying_from: Some(seed * 3),
            ..Faults::default()
        });
        let ledger = ledger(&live);
        for command in &expected.done[..100 + seed as usize] {
            ledger.submit(command.clone()).unwrap();
        }
        let image = live.crash(seed);
        match open(&image) {
            Ok(store) => {
                drop(store);
                // A hole before the last snapshot is found by who looks there.
                let damages = JournalStore::verify_with(&image).unwrap().damages;
                if damages.is_empty() {
                    recovers(&image, &expected, 0, expected.done.len());
                    opened += 1;
                } else {
                    found += 1;
                }
            }
            Err(JournalError::Corrupt(_)) => found += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(opened > 0 && found > 0, "{opened} opened, {found} found");
}

#[test]
fn a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_room() {
    let commands = commands(7, 150, 5);
    let expected = Expected::of(&commands);
    for capacity in (1_000..30_000).step_by(if is_full() { 97 } else { 977 }) {
        let live = FaultFiles::new();
        live.set_faults(Faults {
            capacity: Some(capacity),
            ..Faults::default()
        });
        let ledger = ledger(&live);
        let acknowledged = expected
            .done
            .iter()
            .take_while(|command| ledger.submit((*command).clone()).is_ok())
            .count();
        drop(ledger);
        recovers(&live, &expected, acknowledged, acknowledged + 1);
        live.set_faults(Faults::default());
        let ledger = self::ledger(&live);
        for command in &expected.done {
            ledger.submit(command.clone()).unwrap();
        }
        drop(ledger);
        let all = expected.done.len();
        recovers(&live, &expected, all, all);
        has_states_of(&live, &expected.done, Versions::Exact);
    }
}

#[test]
fn a_snapshot_and_the_rest_equal_a_full_replay() {
    let last = if is_full() { 48 } else { 10 };
    (8..last).for_each(snapshot_and_rest);
}

fn snapshot_and_rest(seed: u64) {
    let commands = commands(seed, 400, 12);
    let expected = Expected::of(&commands);
    let live = FaultFiles::new();
    let ledger = ledger(&live);
    for command in &expected.done {
        ledger.submit(command.clone()).unwrap();
    }
    let before = records(ledger.store());
    drop(ledger);
    let from_snapshot = open(&live).unwrap();
    let (name, replayed) = {
        let opening = from_snapshot.opening();
        (opening.snapshot.clone().unwrap(), opening.replayed)
    };
    assert!(replayed < from_snapshot.opening().entries / 2);
    assert_eq!(records(&from_snapshot), before);
    drop(from_snapshot);

    // A damaged snapshot is passed over for the one before it; without any all is replayed.
    let damaged = live.image();
    let mut bytes = live.get(&name).unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    damaged.put(&name, Arc::new(bytes));
    let store = open(&damaged).unwrap();
    assert_eq!(store.opening().passed_over[0].file, name);
    assert!(
        store
            .opening()
            .snapshot
            .as_ref()
            .is_some_and(|other| *other != name)
    );
    assert_eq!(records(&store), before);

    let bare = FaultFiles::new();
    for (name, bytes) in live.all() {
        if name.ends_with(".journal") {
            bare.put(&name, bytes);
        }
    }
    let store = open(&bare).unwrap();
    assert_eq!(store.opening().replayed, store.opening().entries);
    assert_eq!(records(&store), before);
}

#[test]
fn any_flipped_byte_is_found_and_named() {
    let expected = Expected::of(&commands(9, 60, 5));
    let live = FaultFiles::new();
    let ledger = ledger(&live);
    for person in ["ann", "bob"] {
        tenure::loyalty::Directory::link(ledger.store(), person).unwrap();
    }
    let (first, rest) = expected.done.split_at(30);
    ledger.submit_batch(first).unwrap();
    for command in rest {
        ledger.submit(command.clone()).unwrap();
    }
    ledger.store().snapshot().unwrap();
    drop(ledger);
    let sound = JournalStore::verify_with(&live).unwrap();
    assert_eq!(sound.damages, []);
    assert_eq!(sound.entries as usize, expected.entries.len());
    assert_eq!(sound.commands as usize, expected.done.len());
    let step = if is_full() { 1 } else { 97 };
    for (name, bytes) in live.all() {
        for at in (0..bytes.len()).step_by(step) {
            let image = live.image();
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1 << (at % 8);
            image.put(&name, Arc::new(bytes));
            let damages = JournalStore::verify_with(&image).unwrap().damages;
            let found = damages
                .first()
                .unwrap_or_else(|| panic!("{name} byte {at}"));
            assert_eq!(found.file, name, "byte {at}: {found}");
            assert!(found.offset <= at as u64, "byte {at}: {found}");
            // Opening reads from the last snapshot on, so it may not see it; it never panics.
            let _ = open(&image);
        }
    }
}
