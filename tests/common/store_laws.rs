//! What every store promises, told by batches that a ledger would commit.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::{Barrier, Mutex, PoisonError};

use tenure::event::Timestamp;
use tenure::loyalty::{
    Batch, Command, CommitError, Earn, Entry, Key, Ledger, Points, Programme, Record, Redeem,
    Rules, States, Store, StoreError, Versioned, apply,
};

use super::stores::Place;

/// All laws, in a place where nothing was ever written.
pub fn check(place: &mut dyn Place) {
    let store = place.open();
    an_empty_store_has_nothing(&*store);
    a_batch_is_there_in_whole(&*store);
    a_moved_version_changes_nothing(&*store);
    a_command_is_carried_out_once(&*store);
    entries_come_in_their_order(&*store);
    records_are_shown_once(&*store);
    of_many_committers_one_succeeds(&*store);
    many_ledgers_agree(&*store);
    lot_numbers_are_given_once(&*store);
    entries_make_the_records(&*store);
    let before = Contents::of(&*store);
    drop(store);
    what_was_written_stays(&*place.open(), &before);
}

fn rules() -> Rules {
    let programme = r#"{
        "earn": {"rounding": "floor", "round_scope": "order"},
        "earn_rules": [{"rate": [1, 100]}],
        "expiry": {"kind": "days", "n": 365}
    }"#;
    Rules::new(serde_json::from_str::<Programme>(programme).unwrap()).unwrap()
}

fn instant() -> Timestamp {
    "2025-01-01".parse().unwrap()
}

fn gift(id: &str, account: &str) -> Command {
    Command::new(id, instant(), Earn::points(account, Points(10)))
}

/// The batch that a ledger would commit for some commands; nothing is written.
pub fn batch(store: &dyn Store, commands: &[Command]) -> Batch {
    struct Scribe<'a> {
        store: &'a dyn Store,
        batch: Mutex<Option<Batch>>,
    }
    impl Store for Scribe<'_> {
        fn load(&self, keys: &[Key]) -> Result<Vec<Versioned>, StoreError> {
            self.store.load(keys)
        }
        fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
            *self.batch.lock().unwrap() = Some(batch);
            Ok(1)
        }
        fn scan(
            &self,
            from: u64,
            visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
        ) -> Result<(), StoreError> {
            self.store.scan(from, visit)
        }
        fn records(
            &self,
            visit: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>,
        ) -> Result<(), StoreError> {
            self.store.records(visit)
        }
        fn reserve_lots(&self, count: u64) -> Result<Range<u64>, StoreError> {
            self.store.reserve_lots(count)
        }
    }
    let scribe = Scribe {
        store,
        batch: Mutex::new(None),
    };
    let ledger = Ledger::new(scribe, rules());
    for result in ledger.submit_batch(commands).unwrap() {
        result.unwrap();
    }
    let batch = ledger.store().batch.lock();
    let batch = batch.unwrap_or_else(PoisonError::into_inner).take();
    batch.expect("the commands are new")
}

/// Everything that can be seen of a store.
#[derive(Debug, PartialEq)]
pub struct Contents {
    pub records: BTreeMap<Key, Record>,
    pub journal: Vec<Entry>,
}

impl Contents {
    pub fn of(store: &dyn Store) -> Self {
        let mut records = BTreeMap::new();
        let mut add = |key: &Key, record: &Record| {
            let twice = records.insert(key.clone(), record.clone());
            assert_eq!(twice, None, "{key:?} is shown twice");
            ControlFlow::Continue(())
        };
        store.records(&mut add).unwrap();
        Self {
            records,
            journal: journal(store, 1).into_iter().map(|(_, e)| e).collect(),
        }
    }
}

fn journal(store: &dyn Store, from: u64) -> Vec<(u64, Entry)> {
    let mut entries = Vec::new();
    let mut add = |number, entry: &Entry| {
        entries.push((number, entry.clone()));
        ControlFlow::Continue(())
    };
    store.scan(from, &mut add).unwrap();
    entries
}

fn version(store: &dyn Store, key: &Key) -> u64 {
    let found = store.load(std::slice::from_ref(key)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].version == 0, found[0].record.is_none());
    found[0].version
}

fn an_empty_store_has_nothing(store: &dyn Store) {
    let keys = [
        Key::Books,
        Key::Member("ann".into()),
        Key::Deed("ann".into()),
    ];
    assert_eq!(store.load(&[]).unwrap(), []);
    for found in store.load(&keys).unwrap() {
        assert_eq!((found.version, found.record), (0, None));
    }
    let contents = Contents::of(store);
    assert!(contents.records.is_empty() && contents.journal.is_empty());
}

fn a_batch_is_there_in_whole(store: &dyn Store) {
    let both = batch(store, &[gift("whole-1", "ann"), gift("whole-2", "bob")]);
    let first = store.commit(both.clone()).unwrap();
    assert_eq!(first, 1);
    let entries: Vec<_> = (1..).zip(both.entries).collect();
    assert_eq!(journal(store, 1), entries);
    let keys: Vec<Key> = both.changed.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys.len(), 4);
    for ((key, record), found) in both.changed.into_iter().zip(store.load(&keys).unwrap()) {
        assert!(found.version > 0, "{key:?}");
        assert_eq!(found.record, Some(record), "{key:?}");
    }

    // Records come in the order of the names, also of one that is not there or is asked twice.
    let asked = [&keys[1], &Key::Deed("none".into()), &keys[0], &keys[1]].map(Key::clone);
    let found = store.load(&asked).unwrap();
    let each: Vec<Versioned> = asked
        .iter()
        .flat_map(|key| store.load(std::slice::from_ref(key)).unwrap())
        .collect();
    assert_eq!(found, each);
    assert_eq!((found[1].version, found[3] == found[0]), (0, true));

    // Only what a batch changes gets another version.
    let (ann, bob) = (Key::Member("ann".into()), Key::Member("bob".into()));
    let before = (version(store, &ann), version(store, &bob));
    store
        .commit(batch(store, &[gift("whole-3", "ann")]))
        .unwrap();
    assert!(version(store, &ann) > before.0);
    assert_eq!(version(store, &bob), before.1);
}

fn a_moved_version_changes_nothing(store: &dyn Store) {
    let late = batch(store, &[gift("late-1", "cho"), gift("late-2", "ann")]);
    store.commit(batch(store, &[gift("early", "ann")])).unwrap();
    let ann = Key::Member("ann".into());
    let (before, now) = (Contents::of(store), version(store, &ann));
    // Wherever the moved record stands among the expected ones.
    for turn in 0..late.expected.len() {
        let mut turned = late.clone();
        turned.expected.rotate_left(turn);
        match store.commit(turned) {
            Err(CommitError::Moved {
                key,
                found,
                expected,
            }) => {
                assert_eq!((&key, found), (&ann, now));
                assert!(late.expected.contains(&(key, expected)));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(Contents::of(store), before);
    assert_eq!(version(store, &Key::Member("cho".into())), 0);

    // A record that was read and not changed counts, too.
    let mut reader = batch(store, &[gift("late-3", "dan")]);
    reader.expected.push((ann.clone(), now - 1));
    let error = store.commit(reader.clone()).unwrap_err();
    assert!(matches!(error, CommitError::Moved { .. }), "{error}");
    assert_eq!(Contents::of(store), before);
    reader.expected.pop();
    reader.expected.push((ann, now));
    store.commit(reader).unwrap();
}

fn a_command_is_carried_out_once(store: &dyn Store) {
    let [one, other] = ["eve", "fay"].map(|who| batch(store, &[gift("same-name", who)]));
    store.commit(one).unwrap();
    let before = Contents::of(store);
    let error = store.commit(other).unwrap_err();
    let name = Key::Deed("same-name".into());
    assert!(
        matches!(&error, CommitError::Moved { key, expected: 0, .. } if *key == name),
        "{error}"
    );
    assert_eq!(Contents::of(store), before);
}

fn entries_come_in_their_order(store: &dyn Store) {
    let all = journal(store, 1);
    assert!(all.len() > 8);
    assert!((1..).zip(&all).all(|(number, entry)| entry.0 == number));
    assert_eq!(journal(store, 0), all);
    assert_eq!(journal(store, 5), all[4..]);
    assert_eq!(journal(store, all.len() as u64), all[all.len() - 1..]);
    for beyond in [all.len() as u64 + 1, u64::MAX] {
        assert_eq!(journal(store, beyond), []);
    }
    let next = batch(store, &[gift("order", "ann")]);
    assert_eq!(store.commit(next).unwrap(), all.len() as u64 + 1);

    let mut seen = 0;
    let mut three = |_, _: &Entry| {
        seen += 1;
        match seen {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    store.scan(2, &mut three).unwrap();
    assert_eq!(seen, 3);
}

fn records_are_shown_once(store: &dyn Store) {
    let contents = Contents::of(store);
    let keys: Vec<Key> = contents.records.keys().cloned().collect();
    let loaded = store.load(&keys).unwrap().into_iter();
    let loaded: Vec<_> = loaded.map(|found| found.record.unwrap()).collect();
    assert_eq!(loaded, contents.records.into_values().collect::<Vec<_>>());

    let mut seen = 0;
    let mut two = |_: &Key, _: &Record| {
        seen += 1;
        match seen {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    store.records(&mut two).unwrap();
    assert_eq!(seen, 2);
}

/// Batches upon one version, at the same moment: one is written, the others leave no trace.
fn of_many_committers_one_succeeds(store: &dyn Store) {
    const THREADS: usize = 6;
    for round in 0..5 {
        let batches: Vec<Batch> = (0..THREADS)
            .map(|n| batch(store, &[gift(&format!("race-{round}-{n}"), "gil")]))
            .collect();
        let entries_before = journal(store, 1).len();
        let each = batches[0].entries.len();
        let start = Barrier::new(THREADS);
        let race = |batch: Batch| {
            start.wait();
            match store.commit(batch) {
                Ok(_) => 1,
                Err(CommitError::Moved { .. }) => 0,
                Err(error) => panic!("{error}"),
            }
        };
        let written: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = batches
                .into_iter()
                .map(|batch| scope.spawn(|| race(batch)))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(written, 1);
        assert_eq!(journal(store, 1).len(), entries_before + each);
    }
}

/// Ledgers of several threads upon one store, on hot and on cold members.
fn many_ledgers_agree(store: &dyn Store) {
    const THREADS: usize = 6;
    const EACH: usize = 25;
    let entries_before = journal(store, 1).len() as u64;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let ledger = Ledger::new(store, rules());
                for n in 0..EACH {
                    let id = format!("many-{thread}-{n}");
                    let cold = format!("cold-{thread}");
                    let who = if n % 3 == 0 { &cold } else { "hot" };
                    assert!(!ledger.submit(gift(&id, who)).unwrap().replayed);
                    assert!(ledger.submit(gift(&id, who)).unwrap().replayed);
                    let spend = Redeem::points(who, Points(4));
                    let spend = Command::new(format!("{id}-spent"), instant(), spend);
                    ledger.submit(spend).unwrap();
                }
            });
        }
    });
    let ledger = Ledger::new(store, rules());
    let hot = ledger.account(&"hot".into(), instant()).unwrap();
    let commands = (THREADS * (EACH - EACH.div_ceil(3))) as i64;
    assert_eq!((hot.available.0, hot.spent.0), (6 * commands, 4 * commands));
    assert_eq!(hot.lots.len() as i64, commands);

    // The entries of a commit stand together, the last of them says that the command is done.
    let mut open = None;
    for (_, entry) in journal(store, entries_before + 1) {
        let command = entry.command.clone().unwrap();
        assert!(open.is_none_or(|open| open == command), "{command}");
        open = (entry.key() != Key::Deed(command.clone())).then_some(command);
    }
    assert_eq!(open, None);
}

fn lot_numbers_are_given_once(store: &dyn Store) {
    let first = store.reserve_lots(3).unwrap();
    assert_eq!(first.end - first.start, 3);
    let none = store.reserve_lots(0).unwrap();
    assert!(none.is_empty());
    let error = store.reserve_lots(u64::MAX).unwrap_err();
    assert!(matches!(error, StoreError::LotsExhausted { .. }), "{error}");

    let ranges = std::thread::scope(|scope| {
        let reserve = || -> Vec<Range<u64>> {
            let counts = 1..20;
            counts.map(|n| store.reserve_lots(n).unwrap()).collect()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(reserve)).collect();
        let ranges = threads.into_iter().flat_map(|t| t.join().unwrap());
        ranges.collect::<Vec<_>>()
    });
    let mut given: Vec<u64> = ranges.into_iter().flatten().chain(first).collect();
    let count = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!((count, given.len()), (4 * 190 + 3, 4 * 190 + 3));
}

/// A replay of the journal gives the records: nothing is in one that is not in the other.
fn entries_make_the_records(store: &dyn Store) {
    let contents = Contents::of(store);
    let mut states = States::new();
    for entry in &contents.journal {
        apply(&mut states, entry).unwrap();
    }
    let mut recorded = States::new();
    for (key, record) in contents.records {
        recorded.insert(key, record);
    }
    assert!(states == recorded);
}

fn what_was_written_stays(store: &dyn Store, before: &Contents) {
    let now = Contents::of(store);
    assert_eq!(now.journal, before.journal);
    assert_eq!(now.records, before.records);
    // A lot number that an entry has is not given again, and work goes on.
    let highest = now.journal.iter().filter_map(|entry| match &entry.change {
        tenure::loyalty::Change::Opened { lot, .. } => Some(lot.0),
        _ => None,
    });
    let given = store.reserve_lots(2).unwrap();
    assert!(given.start > highest.max().unwrap());
    let next = batch(store, &[gift("after opening again", "ann")]);
    let number = before.journal.len() as u64 + 1;
    assert_eq!(store.commit(next).unwrap(), number);
    assert_eq!(journal(store, number).first().unwrap().0, number);
}
