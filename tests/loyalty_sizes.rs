//! How much memory a member and a command take, and how many bytes an entry.
#![allow(
    unsafe_code,
    reason = "an allocator that counts is unsafe by its trait"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use tenure::event::Timestamp;
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

/// A year of all members, each command in a commit of its own.
fn ledger() -> Ledger<MemoryStore> {
    let programme = r#"{"earn": {"rounding": "floor", "round_scope": "order"},
        "earn_rules": [{"rate": [1, 100]}], "expiry": {"kind": "days", "n": 200}}"#;
    let rules = Rules::new(serde_json::from_str(programme).unwrap()).unwrap();
    let ledger = Ledger::new(MemoryStore::new(), rules);
    for step in 0..COMMANDS {
        let id = |step: u64, member: u64| CommandId::from(format!("c-{step}-{member:07}"));
        let commands: Vec<Command> = (0..MEMBERS)
            .map(|member| {
                let before = id(step.saturating_sub(1), member);
                let at = Timestamp::EPOCH.saturating_add_s(
                    1_700_000_000 + (36 * 86_400 * step + 17 * member).cast_signed(),
                );
                let account = format!("m{member}");
                Command::new(id(step, member), at, action(&account, step, before))
            })
            .collect();
        for result in ledger.submit_batch(&commands).unwrap() {
            result.unwrap();
        }
    }
    ledger
}

#[test]
fn members_commands_and_entries_are_small() {
    let before = IN_USE.load(Ordering::Relaxed);
    let ledger = ledger();
    let commands = usize::try_from(MEMBERS * COMMANDS).unwrap();
    let each = (IN_USE.load(Ordering::Relaxed) - before) / commands;
    println!("{each} bytes in memory a command, its share of the members included");
    assert!(each <= 250, "{each} bytes");
    let (mut entries, mut bytes) = (0, Vec::new());
    ledger
        .store()
        .scan(1, &mut |_, entry| {
            entries += 1;
            wire::encode_entry(entry, &mut bytes);
            ControlFlow::Continue(())
        })
        .unwrap();
    // A record of a journal has the entries of one command, 8 bytes before them and a hash of 32.
    let framed = bytes.len() + commands * 40;
    assert!(framed <= 150 * entries, "{framed} bytes, {entries} entries");

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
    println!(
        "{} bytes a member, {} an entry",
        in_use / members.len(),
        framed / entries
    );
}
