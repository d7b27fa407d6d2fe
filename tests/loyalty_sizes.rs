//! How much memory a member and a command take, and how many bytes an entry.
#![allow(
    unsafe_code,
    reason = "an allocator that counts is unsafe by its trait"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tenure::event::Timestamp;
use tenure::loyalty::journal::JournalStore;
use tenure::loyalty::{
    Action, Command, CommandId, Earn, Hold, Key, Ledger, MemoryStore, Points, Record, Redeem,
    Rules, States, Store, wire,
};

/// The system's allocator, and how many bytes are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Held by each test here: what another one allocates would be counted, too.
static ALONE: Mutex<()> = Mutex::new(());

const MEMBERS: u64 = 5_000;
/// Of each one: earn, earn, redeem, hold, capture, earn, hold, release, earn, earn.
const COMMANDS: u64 = 10;

fn action(account: &str, step: u64, before: CommandId) -> Action {
    match step {
        2 => Redeem::points(account, Points(25)).into(),
        3 | 6 => Hold::points(account, Points(10), Some(86_400 * 60)).into(),
        4 => Action::Capture {
            hold: before,
            points: None,
        },
        7 => Action::Release { hold: before },
        _ => Earn::money(account, 2_000 + 117 * step.cast_signed()).into(),
    }
}

/// The commands of a step, one of each of so many members.
fn commands(step: u64, members: u64) -> Vec<Command> {
    let id = |step: u64, member: u64| CommandId::from(format!("c-{step}-{member:07}"));
    let command = |member| {
        let before = id(step.saturating_sub(1), member);
        let at = Timestamp::EPOCH
            .saturating_add_s(1_700_000_000 + (36 * 86_400 * step + 17 * member).cast_signed());
        let account = format!("m{member}");
        Command::new(id(step, member), at, action(&account, step, before))
    };
    (0..members).map(command).collect()
}

/// A year of some members, in batches of so many commands.
fn ledger<S: Store>(store: S, members: u64, batch: usize) -> Ledger<S> {
    let programme = r#"{"earn": {"rounding": "floor", "round_scope": "order"},
        "earn_rules": [{"rate": [1, 100]}], "expiry": {"kind": "days", "n": 200}}"#;
    let rules = Rules::new(serde_json::from_str(programme).unwrap()).unwrap();
    let ledger = Ledger::new(store, rules);
    for step in 0..COMMANDS {
        for commands in commands(step, members).chunks(batch) {
            for result in ledger.submit_batch(commands).unwrap() {
                result.unwrap();
            }
        }
    }
    ledger
}

#[test]
fn members_and_commands_are_small() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = IN_USE.load(Ordering::Relaxed);
    let ledger = ledger(MemoryStore::new(), MEMBERS, 5_000);
    let commands = usize::try_from(MEMBERS * COMMANDS).unwrap();
    let each = (IN_USE.load(Ordering::Relaxed) - before) / commands;
    println!("{each} bytes in memory a command, its share of the members included");
    assert!(each <= 250, "{each} bytes");

    let mut members: Vec<(Key, Vec<u8>)> = Vec::new();
    ledger
        .store()
        .records(&mut |key, record| {
            if matches!(record, Record::Member(_)) {
                let mut bytes = Vec::new();
                wire::encode_record(record, &mut bytes);
                members.push((key.clone(), bytes));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    drop(ledger);
    let before = IN_USE.load(Ordering::Relaxed);
    let mut states = States::new();
    for (key, bytes) in &members {
        states.insert(key.clone(), wire::decode_record(bytes).unwrap());
    }
    let in_use = IN_USE.load(Ordering::Relaxed) - before;
    assert_eq!(states.members().count(), members.len());
    let lots = states.members().map(|(_, member)| member.lots().count());
    assert_eq!(lots.sum::<usize>(), 5 * members.len());
    assert!(in_use <= 400 * members.len(), "{in_use} bytes");
    println!("{} bytes a member", in_use / members.len());
}

/// All files that a journal leaves: segments, index, snapshot and mark.
#[test]
fn entries_are_small_on_disk() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("tenure-sizes-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    for (batch, members) in [(1, 300), (1000, 5_000)] {
        let store = JournalStore::open(&folder).unwrap();
        let ledger = ledger(store, members, batch);
        ledger.store().snapshot().unwrap();
        let mut entries = 0;
        let mut last = |number, _: &_| {
            entries = number;
            ControlFlow::Continue(())
        };
        ledger.store().scan(1, &mut last).unwrap();
        drop(ledger);
        let files = std::fs::read_dir(&folder).unwrap();
        let bytes: u64 = files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(entries > 2 * members * COMMANDS);
        let each = bytes / entries;
        println!("{each} bytes on disk an entry, in batches of {batch}");
        assert!(each <= 150, "{each} bytes an entry in batches of {batch}");
    }
}
