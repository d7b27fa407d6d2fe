//! A journal from the outside: locks, processes, backups, versions, persons.

#[path = "common/shop.rs"]
mod shop;

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use shop::{Expected, commands, entries, records, rules};
use tenure::event::Timestamp;
use tenure::loyalty::journal::{Fault, JournalError, JournalStore};
use tenure::loyalty::{
    Action, Basis, Command, CommandId, CommitError, Directory, Earn, EarnRule, Hold, Key, Ledger,
    LedgerError, Member, Points, Refusal, Store, StoreError,
};

/// A folder of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("tenure-journal-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ledger(folder: &Path) -> Ledger<JournalStore> {
    Ledger::new(JournalStore::open(folder).unwrap(), rules())
}

/// A rule in code with a bug: it panics at an order of 13.
struct Unlucky;

impl EarnRule for Unlucky {
    fn points(&self, order: &Earn, _: &Member, _: Timestamp) -> Points {
        assert!(order.basis != Basis::Money(13), "13");
        Points(10)
    }
}

#[test]
fn a_batch_in_which_a_rule_panics_is_carried_out_up_to_there() {
    let scratch = Scratch::new();
    let open = || {
        let rules = rules().with_earn_rule(Arc::new(Unlucky));
        Ledger::new(JournalStore::open(&scratch.0).unwrap(), rules)
    };
    let now: Timestamp = "2025-01-01".parse().unwrap();
    let hold = |id: &str| Command::new(id, now, Hold::points("ann", Points(2), None));
    let release = |id: &str, hold: &str| {
        let hold = hold.into();
        Command::new(id, now, Action::Release { hold })
    };
    let ledger = open();
    let order = |id: &str, money| Command::new(id, now, Earn::money("ann", money));
    // What one command of a batch refers to may be another one of it.
    let batch = [
        order("o-1", 500),
        hold("h-1"),
        hold("h-2"),
        release("r-1", "h-1"),
    ];
    let results = ledger.submit_batch(&batch).unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let batch = [release("r-2", "h-2"), order("o-2", 13), order("o-3", 500)];
    let panicked = catch_unwind(AssertUnwindSafe(|| ledger.submit_batch(&batch)));
    panicked.unwrap_err();
    let again = ledger.submit(release("r-2", "h-2")).unwrap();
    assert!(again.replayed);
    let refused = ledger.submit(release("r-3", "h-2")).unwrap_err();
    assert!(
        matches!(refused, LedgerError::Refused(Refusal::HoldClosed { .. })),
        "{refused}"
    );
    ledger.submit(order("o-4", 500)).unwrap();
    let before = (records(ledger.store()), entries(ledger.store()));
    drop(ledger);
    let verified = JournalStore::verify(&scratch.0).unwrap();
    assert_eq!((verified.damages, verified.commands), (vec![], 6));
    let ledger = open();
    assert_eq!((records(ledger.store()), entries(ledger.store())), before);
    assert!(ledger.submit(order("o-1", 500)).unwrap().replayed);
}

#[test]
fn two_stores_cannot_write_one_journal() {
    let scratch = Scratch::new();
    let first = JournalStore::open(&scratch.0).unwrap();
    let second = JournalStore::open(&scratch.0).unwrap_err();
    assert!(matches!(second, JournalError::Locked), "{second}");
    drop(first);
    JournalStore::open(&scratch.0).unwrap();
}

/// A process that is being started has all files of its parent for a moment, the lock among them.
#[test]
fn the_lock_ends_with_its_store_whatever_processes_are_started_meanwhile() {
    let scratch = Scratch::new();
    let done = AtomicBool::new(false);
    let start = || {
        while !done.load(Ordering::Relaxed) {
            let mut command = Process::new(std::env::current_exe().unwrap());
            let command = command.arg("--list").stdout(Stdio::null());
            assert!(command.status().unwrap().success());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(start);
        }
        let opened = (0..300).map(|_| JournalStore::open(&scratch.0).map(drop));
        let opened = opened.collect::<Result<(), _>>();
        done.store(true, Ordering::Relaxed);
        opened.unwrap();
    });
}

/// Not a test by itself: the process that [`a_killed_writer_loses_nothing`] starts and kills.
#[test]
fn writer_process() {
    let Some(folder) = std::env::var_os("TENURE_TEST_WRITER") else {
        return;
    };
    let ledger = ledger(Path::new(&folder));
    let ledger = &ledger;
    let started = std::process::id();
    println!("open");
    std::thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                for number in 0.. {
                    let id = format!("{started}-{thread}-{number}");
                    let now = "2025-01-01".parse().unwrap();
                    let account = format!("m{}", number % 7);
                    let command = Command::new(&*id, now, Earn::points(&*account, Points(3)));
                    ledger.submit(command).unwrap();
                    println!("done {id}");
                }
            });
        }
    });
}

fn start_writer(folder: &Path) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args([
            "writer_process",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("TENURE_TEST_WRITER", folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_writer_loses_nothing() {
    let scratch = Scratch::new();
    let rounds = if std::env::var_os("TENURE_CRASH_FULL").is_some() {
        200
    } else {
        12
    };
    let mut all = 0;
    for round in 0..rounds {
        let mut child = start_writer(&scratch.0);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Before it has the lock it cannot be in the way.
        while !lines.next().unwrap().unwrap().contains("open") {}
        let other = JournalStore::open(&scratch.0).unwrap_err();
        assert!(matches!(other, JournalError::Locked), "{other}");
        let mut done: Vec<String> = Vec::new();
        while done.len() < 1 + round as usize % 5 {
            done.push(lines.next().unwrap().unwrap());
        }
        std::thread::sleep(Duration::from_micros(round * 7_919 % 9_000));
        // SIGKILL on Unix.
        child.kill().unwrap();
        child.wait().unwrap();
        done.extend(lines.map_while(Result::ok));
        let done: Vec<CommandId> = done
            .iter()
            .filter_map(|line| Some(line.strip_prefix("done ")?.into()))
            .collect();
        let store = JournalStore::open(&scratch.0).unwrap();
        // The last line may be cut, too.
        let whole = done.len().saturating_sub(1);
        for id in &done[..whole] {
            let found = store.load(&[Key::Deed(id.clone())]).unwrap();
            assert_eq!(found[0].version, 1, "{id} was acknowledged");
        }
        all += whole;
    }
    assert!(all > 0);
    let verified = JournalStore::verify(&scratch.0).unwrap();
    assert_eq!(verified.damages, []);
    assert!(verified.commands >= all as u64);
}

#[test]
fn a_backup_of_a_running_journal_restores() {
    let scratch = Scratch::new();
    let commands = commands(3, 600, 20);
    let expected = Expected::of(&commands);
    let ledger = ledger(&scratch.join("live"));
    let ann = ledger.store().link("ann@example.com").unwrap();
    let (first, rest) = expected.done.split_at(200);
    for command in first {
        ledger.submit(command.clone()).unwrap();
    }
    ledger.store().snapshot().unwrap();
    let backup = scratch.join("backup");
    let copied = std::thread::scope(|scope| {
        scope.spawn(|| {
            for command in rest {
                ledger.submit(command.clone()).unwrap();
            }
        });
        ledger.store().backup(&backup).unwrap() as usize
    });
    assert!(copied >= expected.after[200], "{copied}");
    let again = ledger.store().backup(&backup).unwrap_err();
    let full = JournalError::NotEmpty {
        file: "0000000000000000.journal".into(),
    };
    assert_eq!(again.to_string(), full.to_string());

    let verified = JournalStore::verify(&backup).unwrap();
    assert_eq!(
        (verified.entries as usize, verified.damages),
        (copied, vec![])
    );
    let restored = scratch.join("restored");
    assert_eq!(
        JournalStore::restore(&backup, &restored).unwrap().damages,
        []
    );
    let store = JournalStore::open(&restored).unwrap();
    assert_eq!(entries(&store), expected.entries[..copied]);
    assert_eq!(store.account_of("ann@example.com").unwrap(), Some(ann));
    let restored = Ledger::new(store, rules());
    for command in &expected.done {
        restored.submit(command.clone()).unwrap();
    }
    assert_eq!(records(restored.store()), records(ledger.store()));
    let nothing = JournalStore::restore(scratch.join("live").join(".."), scratch.join("new"));
    assert!(matches!(nothing, Err(JournalError::Missing)), "{nothing:?}");
}

#[test]
fn reports_read_while_a_store_writes() {
    let scratch = Scratch::new();
    let missing = JournalStore::open_read_only(&scratch.0).unwrap_err();
    assert!(matches!(missing, JournalError::Missing), "{missing}");
    let expected = Expected::of(&commands(4, 300, 10));
    let ledger = ledger(&scratch.0);
    let mut seen = 0;
    for (number, command) in expected.done.iter().enumerate() {
        ledger.submit(command.clone()).unwrap();
        if number % 50 == 49 {
            let report = JournalStore::open_read_only(&scratch.0).unwrap();
            assert_eq!(records(&report), records(ledger.store()));
            seen += 1;
        }
    }
    assert!(seen > 3);
    let report = Ledger::new(JournalStore::open_read_only(&scratch.0).unwrap(), rules());
    let at = expected.done.last().unwrap().at;
    let account = "m1".into();
    assert_eq!(
        report.account(&account, at).unwrap(),
        ledger.account(&account, at).unwrap()
    );
    let command = Command::new("new", at, Earn::points("m1", Points(1)));
    let refused = report.submit(command).unwrap_err();
    let LedgerError::Store(StoreError::Journal(refused)) = refused else {
        panic!("{refused}");
    };
    assert!(matches!(refused, JournalError::ReadOnly), "{refused}");
    assert!(report.store().link("ann").is_err());
}

#[test]
fn a_forgotten_person_is_in_no_file() {
    let scratch = Scratch::new();
    let store = JournalStore::open(&scratch.0).unwrap();
    for person in ["ann@example.com", "bob@example.com", "cho@example.com"] {
        store.link(person).unwrap();
    }
    let has = |text: &str| {
        std::fs::read_dir(&scratch.0).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
    };
    assert!(has("bob@example.com"));
    store.unlink("bob@example.com").unwrap();
    assert!(!has("bob@example.com") && has("ann@example.com"));
    drop(store);
    let store = JournalStore::open(&scratch.0).unwrap();
    assert_eq!(store.account_of("bob@example.com").unwrap(), None);
    assert_eq!(store.link("bob@example.com").unwrap(), "m4".into());
}

#[test]
fn a_batch_whose_records_no_entry_explains_is_turned_away() {
    use tenure::loyalty::{Batch, Books, Record};
    let scratch = Scratch::new();
    let store = JournalStore::open(&scratch.0).unwrap();
    let error = store.commit(Batch {
        expected: vec![(Key::Books, 0)],
        changed: vec![(Key::Books, Record::Books(Books::default()))],
        entries: vec![],
    });
    let error = error.unwrap_err();
    assert!(matches!(error, CommitError::Store(_)), "{error}");
}

/// The journal that version 1 of the format left, with what it must hold.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal_v1")
}

fn golden_commands() -> Vec<Command> {
    commands(11, 120, 6)
}

/// Writes the golden journal; run by hand, once for each version of the format.
#[test]
#[ignore = "writes into the source tree"]
fn write_golden() {
    let store = JournalStore::open(golden()).unwrap();
    store.link("ann@example.com").unwrap();
    let ledger = Ledger::new(store, rules());
    let expected = Expected::of(&golden_commands());
    let (first, rest) = expected.done.split_at(60);
    ledger.submit_batch(first).unwrap();
    ledger.store().snapshot().unwrap();
    for command in rest {
        ledger.submit(command.clone()).unwrap();
    }
    drop(ledger);
    std::fs::remove_file(golden().join("lock")).unwrap();
}

fn copy_of_golden(scratch: &Scratch) {
    for file in std::fs::read_dir(golden()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), scratch.0.join(file.file_name())).unwrap();
    }
}

#[test]
fn a_journal_of_format_1_opens() {
    let scratch = Scratch::new();
    copy_of_golden(&scratch);
    assert_eq!(JournalStore::verify(&scratch.0).unwrap().damages, []);
    let expected = Expected::of(&golden_commands());
    let ledger = ledger(&scratch.0);
    assert!(ledger.store().opening().snapshot.is_some());
    assert_eq!(entries(ledger.store()), expected.entries);
    let ann = ledger.store().account_of("ann@example.com").unwrap();
    assert_eq!(ann, Some("m1".into()));
    for command in &expected.done {
        assert!(ledger.submit(command.clone()).unwrap().replayed);
    }
}

#[test]
fn a_journal_of_a_later_format_says_so() {
    let scratch = Scratch::new();
    copy_of_golden(&scratch);
    let path = scratch.join("0000000000000000.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 2;
    // Damage, as long as the preface's own hash does not fit.
    std::fs::write(&path, &bytes).unwrap();
    let found = JournalStore::verify(&scratch.0).unwrap().damages;
    assert_eq!(found[0].fault, Fault::Checksum);
    let hash = *blake3::hash(&bytes[..64]).as_bytes();
    bytes[64..96].copy_from_slice(&hash);
    std::fs::write(&path, &bytes).unwrap();
    let error = JournalStore::open(&scratch.0).unwrap_err();
    let version = JournalError::Version {
        file: "0000000000000000.journal".into(),
        found: 2,
        known: 1,
    };
    assert_eq!(error.to_string(), version.to_string());
}
