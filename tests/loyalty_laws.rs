//! The laws of the points ledger, over random programmes and random commands, valid and not.

#[path = "loyalty_laws/books.rs"]
mod books;
#[path = "loyalty_laws/scripts.rs"]
mod scripts;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;
use tenure::event::Timestamp;
use tenure::loyalty::{
    AccountId, Action, Command, Earn, Entry, Expiry, Key, LedgerError, Points, Purse, Receipt,
    Record, Redeem, Refusal, Rules, Snapshot, Store, Submitted, decide, needs, wire,
};

use books::{books_balance, histories, journal, naive_consumption, replica, submit};
use scripts::{NAMES, Raw, commands, large_commands, ledger, programme, script};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn books_balance_after_every_command(which in 0..8_usize, script in script(40)) {
        let ledger = ledger(which);
        for command in commands(&script) {
            let _ = submit(&ledger, &command);
            books_balance(&ledger, command.at);
        }
        let end = commands(&script).last().unwrap().at.saturating_add_s(90_000_000);
        books_balance(&ledger, end);
    }

    #[test]
    fn nobody_owes_points_where_refunds_are_written_off(script in script(50)) {
        let ledger = ledger(4);
        for mut command in commands(&script) {
            if let Action::Adjust(adjust) = &mut command.action {
                adjust.allow_negative = false;
            }
            let _ = submit(&ledger, &command);
            for (name, account) in ledger.snapshot(command.at).unwrap().accounts {
                prop_assert!(account.debt.0 == 0 && account.available.0 >= 0, "{} {:?}", name, account);
            }
        }
    }

    #[test]
    fn points_are_consumed_as_a_naive_reader_of_the_rules_would(which in 0..8_usize, script in script(40)) {
        let ledger = ledger(which);
        for command in commands(&script) {
            ledger.tick(command.at).unwrap();
            let before = ledger.as_of(command.at).unwrap();
            let result = submit(&ledger, &command);
            if let (Action::Redeem(_), Ok(Submitted { receipt: Receipt::Redeemed { consumed }, .. })) =
                (&command.action, &result)
            {
                // Upon the state before the command: a ledger of its own that ends there.
                let points = consumed.iter().map(|take| take.points.0).sum();
                let prefix = replica(&ledger, &before, which);
                let expected = naive_consumption(&prefix, &command, points);
                let consumed: Vec<_> = consumed.iter().map(|t| (t.lot.0, t.points.0)).collect();
                prop_assert_eq!(consumed, expected);
            }
        }
    }

    #[test]
    fn one_long_tick_is_many_short_ones(
        which in 0..8_usize, script in script(40), rest in 0_i64..40_000_000, parts in 2_i64..9
    ) {
        let (lazy, eager) = (ledger(which), ledger(which));
        let mut last = None::<Timestamp>;
        for command in commands(&script) {
            if let Some(last) = last {
                let step = (command.at.unix_s() - last.unix_s()) / parts;
                for n in 1..=parts {
                    eager.tick(last.saturating_add_s(n * step)).unwrap();
                }
            }
            prop_assert_eq!(submit(&lazy, &command), submit(&eager, &command));
            last = Some(command.at);
        }
        let end = last.unwrap().saturating_add_s(rest);
        for n in (1..=parts).rev() {
            eager.tick(end.saturating_add_s(-rest / parts * (n - 1))).unwrap();
        }
        lazy.tick(end).unwrap();
        prop_assert_eq!(lazy.snapshot(end).unwrap(), eager.snapshot(end).unwrap());
        prop_assert_eq!(histories(&lazy), histories(&eager));
        prop_assert_eq!(eager.tick(end).unwrap(), 0);
    }

    #[test]
    fn a_replayed_name_changes_nothing_and_another_body_conflicts(which in 0..8_usize, script in script(40)) {
        let ledger = ledger(which);
        let commands = commands(&script);
        let end = commands.last().unwrap().at;
        let mut done = Vec::new();
        for command in &commands {
            if let Ok(submitted) = submit(&ledger, command) {
                prop_assert!(!submitted.replayed);
                done.push((command.clone(), submitted.receipt));
            }
        }
        let (snapshot, entries) = (ledger.snapshot(end).unwrap(), journal(&ledger));
        for (command, receipt) in done {
            let again = Command { at: end, ..command.clone() };
            prop_assert_eq!(submit(&ledger, &again), Ok(Submitted { receipt, replayed: true }));
            let other = Command::new(&command.id, end, Earn::points("dee", Points(1)));
            prop_assert_eq!(submit(&ledger, &other), Err(Refusal::IdempotencyConflict { id: command.id }));
        }
        prop_assert_eq!(ledger.snapshot(end).unwrap(), snapshot);
        prop_assert_eq!(journal(&ledger), entries);
    }

    #[test]
    fn redeeming_and_undoing_it_at_once_restores_everything(
        which in 0..8_usize, script in script(40), pool in any::<bool>(), splits in proptest::collection::vec(1_i64..60, 0..4)
    ) {
        // Under inactivity a redemption moves the expiry: that is what it is for.
        prop_assume!(!matches!(programme(which).expiry, Expiry::Inactivity { .. }));
        let ledger = ledger(which);
        let commands = commands(&script);
        let end = commands.last().unwrap().at;
        for command in &commands {
            let _ = submit(&ledger, command);
        }
        let before = ledger.snapshot(end).unwrap();
        let accounts: Vec<AccountId> = NAMES.map(AccountId::from).to_vec();
        let purse = if pool { Purse::Pool(accounts) } else { Purse::Single("ann".into()) };
        let redeem = Command::new("r", end, Redeem { purse, points: None });
        if submit(&ledger, &redeem).is_ok() {
            for (n, points) in splits.iter().map(|p| Some(Points(*p))).chain([None]).enumerate() {
                let undo = Action::ReverseRedeem { redemption: "r".into(), points };
                let _ = submit(&ledger, &Command::new(format!("u{n}"), end, undo));
            }
            let mut after = ledger.snapshot(end).unwrap();
            // The pool makes members of those whom it names.
            after.accounts.retain(|name, _| before.accounts.contains_key(name));
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn partial_refunds_are_one_refund_of_their_sum(
        which in 0..8_usize, script in script(30), money in 1_i64..9000,
        parts in proptest::collection::vec(1_i64..3000, 1..5), spend in 0_i64..400
    ) {
        let (one, many) = (ledger(which), ledger(which));
        let commands = commands(&script);
        let at = commands.last().unwrap().at;
        let total: i64 = parts.iter().sum();
        for ledger in [&one, &many] {
            for command in &commands {
                let _ = submit(ledger, command);
            }
            submit(ledger, &Command::new("order", at, Earn::money("ann", money.max(total)))).unwrap();
            let _ = submit(ledger, &Command::new("spend", at, Redeem::points("ann", Points(spend))));
        }
        let refund = |id: String, money| {
            Command::new(id, at, Action::Refund { order: "order".into(), money: Some(money) })
        };
        submit(&one, &refund("f".into(), total)).unwrap();
        for (n, part) in parts.iter().enumerate() {
            submit(&many, &refund(format!("f{n}"), *part)).unwrap();
        }
        prop_assert_eq!(one.snapshot(at).unwrap(), many.snapshot(at).unwrap());
    }

    #[test]
    fn as_of_an_instant_is_what_was_seen_then(which in 0..8_usize, script in script(40)) {
        let ledger = ledger(which);
        let mut seen: BTreeMap<Timestamp, Snapshot> = BTreeMap::new();
        for command in commands(&script) {
            let _ = submit(&ledger, &command);
            seen.insert(command.at, ledger.snapshot(command.at).unwrap());
        }
        for (instant, snapshot) in seen {
            let states = ledger.as_of(instant).unwrap();
            prop_assert_eq!(Snapshot::of(&states, ledger.rules(), instant).unwrap(), snapshot);
        }
    }

    #[test]
    fn a_batch_is_its_commands_one_by_one(which in 0..8_usize, script in script(40), size in 1_usize..20) {
        let (single, batched) = (ledger(which), ledger(which));
        let commands = commands(&script);
        let one_by_one: Vec<_> = commands.iter().map(|command| submit(&single, command)).collect();
        let at_once: Vec<_> = commands
            .chunks(size)
            .flat_map(|chunk| batched.submit_batch(chunk).unwrap())
            .collect();
        prop_assert_eq!(one_by_one, at_once);
        prop_assert_eq!(journal(&single), journal(&batched));
    }

    #[test]
    fn everything_that_a_store_keeps_can_be_saved_and_loaded(which in 0..8_usize, script in script(40)) {
        let ledger = ledger(which);
        for command in commands(&script) {
            let text = serde_json::to_string(&command).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Command>(&text).unwrap(), &command);
            let _ = submit(&ledger, &command);
        }
        for entry in journal(&ledger) {
            let text = serde_json::to_string(&entry).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Entry>(&text).unwrap(), &entry);
            let mut bytes = Vec::new();
            wire::encode_entry(&entry, &mut bytes);
            prop_assert_eq!(wire::decode_entry(&bytes), Ok(entry));
        }
        let mut records = Vec::new();
        let keep = &mut |_: &Key, record: &Record| {
            records.push(record.clone());
            ControlFlow::Continue(())
        };
        ledger.store().records(keep).unwrap();
        for record in records {
            let text = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Record>(&text).unwrap(), &record);
            let mut bytes = Vec::new();
            wire::encode_record(&record, &mut bytes);
            prop_assert_eq!(wire::decode_record(&bytes), Ok(record));
        }
    }

    #[test]
    fn records_and_journal_tell_the_same(which in 0..8_usize, script in script(40)) {
        let ledger = ledger(which);
        for command in commands(&script) {
            let _ = submit(&ledger, &command);
        }
        let mut kept = tenure::loyalty::States::new();
        let keep = &mut |key: &Key, record: &Record| {
            kept.insert(key.clone(), record.clone());
            ControlFlow::Continue(())
        };
        ledger.store().records(keep).unwrap();
        prop_assert_eq!(ledger.as_of(Timestamp::MAX).unwrap(), kept);
    }

    #[test]
    fn no_number_is_too_large_to_be_refused(
        which in 0..8_usize, script in script(25), large in proptest::collection::vec(0..6_usize, 25)
    ) {
        const LARGE: [i64; 6] = [i64::MAX, i64::MIN, i64::MAX / 2 + 1, 1 << 62, -1, 0];
        let ledger = ledger(which);
        let script: Vec<Raw> = script
            .iter()
            .zip(&large)
            .map(|(&raw, &n)| if raw.3 % 2 == 0 { (raw.0, raw.1, raw.2, LARGE[n], raw.4, raw.5) } else { raw })
            .collect();
        for command in large_commands(&script) {
            match ledger.submit(command.clone()) {
                Ok(_) | Err(LedgerError::Refused(_)) => {}
                Err(error) => panic!("{error}"),
            }
            if let Ok(snapshot) = ledger.snapshot(command.at) {
                for account in snapshot.accounts.values() {
                    prop_assert!(account.lots.iter().all(|lot| lot.free.0 >= 0 && lot.granted.0 >= 0));
                }
            }
        }
    }
}

#[test]
fn a_decision_needs_no_more_than_it_says() {
    let rules = Rules::new(programme(0)).unwrap();
    let at = Timestamp::EPOCH;
    let states = tenure::loyalty::States::new();
    let command = Command::new("o", at, Earn::money("ann", 5000));
    assert_eq!(needs(&command, &states).len(), 3);
    let outcome = decide(&states, &rules, &command, &[tenure::loyalty::LotNumber(9)]).unwrap();
    assert_eq!(outcome.lots_used, 1);
    assert_eq!(
        outcome
            .states
            .member(&"ann".into())
            .lots()
            .next()
            .unwrap()
            .number
            .0,
        9
    );
    // The states that were given are as they were.
    assert!(states.member(&"ann".into()).lots().next().is_none());
    assert!(matches!(
        decide(&states, &rules, &command, &[]),
        Err(Refusal::Overflow { .. })
    ));
}

#[test]
fn many_threads_lose_and_double_nothing() {
    const THREADS: usize = 8;
    const EACH: usize = 60;
    let ledger = ledger(0);
    let at = "2025-01-01".parse().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let ledger = &ledger;
            scope.spawn(move || {
                for n in 0..EACH {
                    let id = format!("{thread}-{n}");
                    let to = NAMES[n % 3];
                    let action = if n % 4 == 3 {
                        let from = NAMES[(n + 1) % 3].into();
                        Action::Transfer {
                            from,
                            to: to.into(),
                            points: Some(Points(3)),
                        }
                    } else {
                        Earn::points(to, Points(10)).into()
                    };
                    let command = Command::new(id, at, action);
                    let first = submit(ledger, &command);
                    if first.is_ok() {
                        assert!(submit(ledger, &command).unwrap().replayed);
                    }
                }
            });
        }
    });
    books_balance(&ledger, at);
    let snapshot = ledger.snapshot(at).unwrap();
    let earned = THREADS * EACH * 3 / 4 * 10;
    let left: i64 = snapshot
        .accounts
        .values()
        .map(|a| a.available.0 + a.spent.0)
        .sum();
    assert_eq!(left, earned as i64);
    let mut numbers: Vec<u64> = snapshot
        .accounts
        .values()
        .flat_map(|account| account.lots.iter().map(|lot| lot.lot.0))
        .collect();
    let lots = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), lots);
}

/// The random scripts reach every verb, with and without success.
#[test]
fn every_verb_is_carried_out_and_refused_in_the_scripts() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut counts: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for which in (0..8).cycle().take(480) {
        let ledger = ledger(which);
        let script = script(60).new_tree(&mut runner).unwrap().current();
        for command in commands(&script) {
            let json = serde_json::to_value(&command).unwrap();
            let count = counts
                .entry(json["op"].as_str().unwrap().to_owned())
                .or_default();
            match submit(&ledger, &command) {
                Ok(_) => count.0 += 1,
                Err(_) => count.1 += 1,
            }
        }
    }
    assert_eq!(counts.len(), 13, "{counts:?}");
    for (verb, (done, refused)) in counts {
        assert!(
            done >= 10 && refused >= 10,
            "{verb}: {done} carried out, {refused} refused"
        );
    }
}
