//! One stream of commands gives the same receipts, refusals, states and journal on every store, and in
//! the hands of somebody who only has the two pure functions.
//!
//! `TENURE_STREAM=N` sets how many commands; the ignored test runs a million of them:
//! `cargo test --release --test loyalty_stream -- --ignored --nocapture`.

#[path = "common/loyalty_stream.rs"]
mod loyalty_stream;
#[path = "common/stores.rs"]
mod stores;

use std::collections::BTreeMap;
use std::env;
use std::ops::ControlFlow;

use loyalty_stream::{PROGRAMMES, SplitMix, Stream};
use tenure::event::Timestamp;
use tenure::loyalty::{
    AccountId, Command, Entry, Key, Ledger, LedgerError, LotNumber, Refusal, Rules, Snapshot,
    States, Store, Submitted, apply, decide, fall_due, lots_at_most, needs,
};

const SMALL: u64 = 6_000;
const FULL: u64 = 1_000_000;

/// A ledger made of `decide` and `apply` alone.
struct Naive {
    states: States,
    rules: Rules,
    journal: Vec<Entry>,
    lots: u64,
}

impl Naive {
    fn new(rules: Rules) -> Self {
        Self {
            states: States::new(),
            rules,
            journal: Vec::new(),
            lots: 0,
        }
    }

    fn submit(&mut self, command: &Command) -> Result<Submitted, Refusal> {
        let states = self.pick(&needs(command, &self.states));
        let offered = lots_at_most(command, &states) as u64;
        let numbers: Vec<LotNumber> = (self.lots + 1..=self.lots + offered)
            .map(LotNumber)
            .collect();
        let outcome = decide(&states, &self.rules, command, &numbers)?;
        self.lots += outcome.lots_used as u64;
        self.book(outcome.entries);
        Ok(outcome.submitted)
    }

    fn tick(&mut self, now: Timestamp) {
        let late = |account: &AccountId| self.states.member(account).as_of() > now;
        let accounts = self.states.members().map(|(account, _)| account.clone());
        let mut accounts: Vec<AccountId> = accounts.filter(|account| !late(account)).collect();
        accounts.sort();
        for account in accounts {
            let states = self.pick(&[Key::Member(account.clone())]);
            let (entries, _) = fall_due(&states, &self.rules, &account, now).unwrap();
            self.book(entries);
        }
    }

    fn pick(&self, keys: &[Key]) -> States {
        let mut picked = States::new();
        for key in keys {
            if let Some(record) = self.states.get(key) {
                picked.insert(key.clone(), record);
            }
        }
        picked
    }

    fn book(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            apply(&mut self.states, entry).unwrap();
        }
        self.journal.extend(entries);
    }
}

/// How often each result came, to see that the stream reaches all of them.
type Tally = BTreeMap<String, u64>;

fn count(tally: &mut Tally, command: &Command, result: &Result<Submitted, Refusal>) {
    let op = serde_json::to_value(&command.action).unwrap()["op"].clone();
    let what = match result {
        Ok(submitted) if submitted.replayed => "replayed",
        Ok(_) => "done",
        Err(refusal) => refusal.code(),
    };
    *tally
        .entry(format!("{what}: {}", op.as_str().unwrap()))
        .or_default() += 1;
}

/// Runs a stream on a store and on the naive ledger, in batches of all sizes and with ticks between.
fn compare(store: &dyn Store, which: usize, commands: u64, tally: &mut Tally) {
    let rules = || loyalty_stream::rules(which);
    let ledger = Ledger::new(store, rules());
    let mut naive = Naive::new(rules());
    let members = 20 + commands / 200;
    let mut stream = Stream::new(1000 + which as u64, members, commands);
    let mut shape = SplitMix(which as u64);
    let mut left = commands;
    while left > 0 {
        let size = match shape.below(4) {
            0 => 1 + shape.below(100),
            1 => 1 + shape.below(8),
            _ => 1,
        };
        let batch: Vec<Command> = stream.by_ref().take(size.min(left) as usize).collect();
        left -= batch.len() as u64;
        let results = match batch.as_slice() {
            [single] => vec![ledger.submit(single.clone()).map_err(refusal)],
            batch => ledger.submit_batch(batch).unwrap(),
        };
        assert_eq!(results.len(), batch.len());
        for (command, result) in batch.iter().zip(results) {
            let misfit = matches!(&result, Err(refusal) if refusal.code() == "misfit");
            assert!(!misfit, "{command:?}: {result:?}");
            assert_eq!(naive.submit(command), result, "{command:?}");
            count(tally, command, &result);
        }
        if shape.below(1 + members) == 0 {
            let now = stream.now();
            ledger.tick(now).unwrap();
            naive.tick(now);
        }
    }
    same_contents(&ledger, &naive, stream.now());
}

fn refusal(error: LedgerError) -> Refusal {
    match error {
        LedgerError::Refused(refusal) => refusal,
        error => panic!("{error}"),
    }
}

fn same_contents<S: Store>(ledger: &Ledger<S>, naive: &Naive, now: Timestamp) {
    let mut entries = naive.journal.iter();
    let mut same = |number: u64, entry: &Entry| {
        assert_eq!(entries.next(), Some(entry), "entry {number}");
        ControlFlow::Continue(())
    };
    ledger.store().scan(1, &mut same).unwrap();
    assert_eq!(entries.next(), None);

    let mut records = 0;
    let mut same = |key: &Key, record: &tenure::loyalty::Record| {
        assert_eq!(naive.states.get(key).as_ref(), Some(record), "{key:?}");
        records += usize::from(*key != Key::Books);
        ControlFlow::Continue(())
    };
    ledger.store().records(&mut same).unwrap();
    let expected = naive.states.members().count() + naive.states.deeds().count();
    assert_eq!(records, expected);

    // At the end of the stream, a member may be ahead of it by a command that came in out of order.
    let members = naive.states.members();
    let last = members.map(|(_, member)| member.as_of()).max();
    let now = last.map_or(now, |last| last.max(now));
    let expected = Snapshot::of(&naive.states, &naive.rules, now);
    // Amounts beyond all measure can make a sum over all members leave 64 bits.
    let snapshot = ledger.snapshot(now).map_err(refusal);
    assert_eq!(snapshot, expected);
}

/// A twentieth of the commands where each of them is a round trip.
fn share(kind: &str, commands: u64) -> u64 {
    match kind {
        "postgres" => commands / 20,
        _ => commands,
    }
}

fn on_every_store(commands: u64) {
    stores::on_each(|kind, make| {
        let mut tally = Tally::new();
        let mut ran = 0;
        for which in 0..PROGRAMMES {
            let mut place = make();
            let commands = share(kind, commands) / PROGRAMMES as u64;
            compare(&*place.open(), which, commands, &mut tally);
            ran += commands;
        }
        println!("{ran} commands on {kind}: {tally:#?}");
        if ran >= SMALL {
            reaches_everything(&tally);
        }
    });
}

/// All 14 verbs are carried out, and every refusal that a caller can bring about is met.
fn reaches_everything(tally: &Tally) {
    let of = |what: &str| -> Vec<&String> {
        let keys = tally.keys();
        keys.filter(|key| key.starts_with(&format!("{what}: ")))
            .collect()
    };
    assert_eq!(of("done").len(), 14, "{tally:#?}");
    assert!(of("replayed").len() >= 5, "{tally:#?}");
    for refusal in [
        "insufficient_available",
        "below_minimum",
        "not_a_multiple",
        "velocity_limit",
        "unknown_reference",
        "exceeds_reversible",
        "exceeds_refundable",
        "unknown_hold",
        "hold_closed",
        "exceeds_hold",
        "idempotency_conflict",
        "group_deadline_passed",
        "group_full",
        "already_member",
        "unknown_group",
        "same_account",
        "time_goes_back",
        "overflow",
    ] {
        assert!(!of(refusal).is_empty(), "{refusal} in {tally:#?}");
    }
}

#[test]
fn a_stream_of_commands_is_the_same_on_every_store() {
    let commands = env::var("TENURE_STREAM").ok();
    let commands = commands.map_or(SMALL, |n| n.parse().expect("TENURE_STREAM is a number"));
    on_every_store(commands);
}

#[test]
#[ignore = "a million commands: minutes, in release"]
fn a_million_commands_are_the_same_on_every_store() {
    on_every_store(FULL);
}
