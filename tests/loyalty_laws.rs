//! The laws of the points ledger, over random programmes and random commands, valid and not.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;
use tenure::event::Timestamp;
use tenure::loyalty::{
    AccountId, Action, Adjust, Change, Command, CommandId, Consume, Earn, Entry, Expiry, Hold, Key,
    Ledger, LedgerError, Line, Lot, MemoryStore, Points, Pot, Programme, Purse, Receipt, Record,
    Redeem, Refusal, Rules, Snapshot, Store, Submitted, decide, needs, wire,
};

const NAMES: [&str; 3] = ["ann", "bob", "cho"];

/// Programmes that between them use every kind of rule.
const PROGRAMMES: [&str; 8] = [
    r#"{"earn_rules": [{"rate": [1, 4]}], "expiry": {"kind": "days", "n": 30}, "transfer_fee": [1, 20],
        "group": {"size": 2, "seconds": 9000000, "deposit": 2}}"#,
    r#"{"earn_rules": [{"rate": [1, 7]}], "expiry": {"kind": "months_end", "n": 1}, "pending_days": 5,
        "extend_on_activity": {"months": 1}, "consume": "oldest_first",
        "tiers": {"kind": "anniversary", "unit": "points", "thresholds": [50, 400]}}"#,
    r#"{"earn_rules": [{"rate": [1, 10]}, {"rate": [3, 200], "category": "a"}], "expiry": {"kind": "inactivity", "n": 2},
        "restore_expired": {"kind": "grace", "days": 20}, "group": {"size": 2, "seconds": 9000000, "deposit": 1}}"#,
    r#"{"earn_rules": [{"rate": [1, 3]}], "clawback": "own_lot_then_debt", "pending_days": 20,
        "cap": {"kind": "sliding", "seconds": 2000000, "points": 5000},
        "liability": {"point_value": [1, 3], "urr": [9, 10]}}"#,
    r#"{"earn_rules": [{"rate": [1, 9], "tier": 0}, {"rate": [2, 9], "tier": 1}], "clawback": "own_lot_then_write_off",
        "expiry": {"kind": "months_exact", "n": 2}, "refund_keep_rounding": "half_even",
        "tiers": {"kind": "calendar_year", "unit": "money", "thresholds": [500, 4000], "soft_landing": true}}"#,
    r#"{"earn_rules": [{"rate": [1, 2]}], "expiry": {"kind": "days", "n": 12, "from": "available"}, "pending_days": 9,
        "restore_expired": {"kind": "grace", "days": 3}, "velocity": {"max_redemptions": 2, "seconds": 300000}}"#,
    r#"{"earn_rules": [{"rate": [5, 4]}], "expiry": {"kind": "fixed_date", "at": "2025-03-01T00:00:00Z"},
        "redeem_min": 10, "redeem_step": 5, "refund_keep_rounding": "ceil", "stamp_card": {"size": 4}}"#,
    r#"{"earn_rules": [{"rate": [1, 50]}], "expiry": {"kind": "end_of_next_year"},
        "cap": {"kind": "calendar_month", "points": 300},
        "tiers": {"kind": "lifetime", "unit": "points", "thresholds": [20]}, "liability": {"point_value": [2, 1], "urr": [1, 2]}}"#,
];

fn programme(which: usize) -> Programme {
    let mut json: serde_json::Value = serde_json::from_str(PROGRAMMES[which]).unwrap();
    json["earn"] = serde_json::json!({"rounding": "half_up", "round_scope": "order"});
    if json["group"].is_null() {
        json["group"] = serde_json::json!({"size": 3, "seconds": 9_000_000, "deposit": 1});
    }
    serde_json::from_value(json).unwrap()
}

fn ledger(which: usize) -> Ledger<MemoryStore> {
    Ledger::new(MemoryStore::new(), Rules::new(programme(which)).unwrap())
}

/// The raw material of a command: which verb, who, how much, after how long, upon which earlier command.
type Raw = (u8, usize, usize, i64, i64, usize);

fn raw() -> impl Strategy<Value = Raw> {
    let amount = prop_oneof![8 => 1_i64..200, 4 => 200_i64..5000, 1 => -3_i64..1];
    let delay = prop_oneof![2 => Just(0_i64), 4 => 1_i64..90_000, 3 => 90_000_i64..3_000_000];
    (
        any::<u8>(),
        0..3_usize,
        0..3_usize,
        amount,
        delay,
        any::<usize>(),
    )
}

fn script(length: usize) -> impl Strategy<Value = Vec<Raw>> {
    proptest::collection::vec(raw(), 1..length)
}

/// The commands of a script, in the order of time.
fn commands(script: &[Raw]) -> Vec<Command> {
    let mut at = "2025-01-01".parse::<Timestamp>().unwrap();
    let mut commands: Vec<Command> = Vec::new();
    for raw in script {
        at = at.saturating_add_s(raw.4);
        let action = action(&commands, *raw);
        commands.push(Command::new(format!("c{}", commands.len()), at, action));
    }
    commands
}

/// An earlier command that a verb can refer to, if there is one; sometimes any other.
fn earlier_one(commands: &[Command], verb: u8, earlier: usize) -> CommandId {
    let fits = |command: &&Command| match verb % 26 {
        10 | 11 => matches!(command.action, Action::Redeem(_) | Action::Capture { .. }),
        12 | 13 => matches!(command.action, Action::Earn(_)),
        15 | 16 | 24 => matches!(command.action, Action::Hold(_)),
        _ => matches!(command.action, Action::GroupOpen { .. }),
    };
    let fitting: Vec<&Command> = match earlier % 8 {
        0 => commands.iter().collect(),
        _ => commands.iter().filter(fits).collect(),
    };
    match fitting.len() {
        0 => "nobody".into(),
        n => fitting[earlier / 8 % n].id.clone(),
    }
}

fn action(commands: &[Command], (verb, who, other, amount, _, earlier): Raw) -> Action {
    let account = AccountId::from(NAMES[who]);
    let points = Points(amount);
    let some = (amount % 3 != 0).then_some(points);
    let reference = earlier_one(commands, verb, earlier);
    let purse = if amount % 4 == 0 {
        Purse::Pool(NAMES.map(AccountId::from).to_vec())
    } else {
        Purse::Single(account.clone())
    };
    match verb % 26 {
        0..=4 => Action::Earn(Earn {
            non_qualifying: amount % 5 == 0,
            ..Earn::money(account, amount)
        }),
        5 => Action::Earn(Earn::lines(
            account,
            vec![
                Line {
                    money: amount,
                    category: Some("a".into()),
                },
                Line {
                    money: 7,
                    category: None,
                },
            ],
        )),
        6 => Action::Earn(Earn {
            pending_days: Some(0),
            expires_at: (amount % 2 == 0).then(|| "2025-02-20".parse().unwrap()),
            ..Earn::points(account, points)
        }),
        7..=9 => Action::Redeem(Redeem {
            purse,
            points: some,
        }),
        10 | 11 => Action::ReverseRedeem {
            redemption: reference,
            points: some,
        },
        12 | 13 => Action::Refund {
            order: reference,
            money: some.map(|p| p.0),
        },
        14 | 22 | 23 => Action::Hold(Hold {
            purse,
            points: (amount % 3 != 0).then_some(Points(amount % 100)),
            ttl_s: (amount % 2 == 0).then_some(amount * 40_000),
        }),
        15 | 24 => Action::Capture {
            hold: reference,
            points: (amount % 2 == 0).then_some(Points(amount % 20)),
        },
        16 => Action::Release { hold: reference },
        17 => Action::Adjust(Adjust {
            allow_negative: amount % 2 == 0,
            ..Adjust::points(account, if verb < 128 { points } else { Points(-amount) })
        }),
        18 => Action::Transfer {
            from: account,
            to: NAMES[other].into(),
            points: some,
        },
        19 | 25 => Action::GroupOpen { account },
        20 => Action::GroupJoin {
            account,
            group: reference,
        },
        _ if verb < 128 => Action::Stamp {
            account,
            count: amount,
        },
        _ => Action::Unstamp {
            account,
            count: amount,
        },
    }
}

fn submit(ledger: &Ledger<MemoryStore>, command: &Command) -> Result<Submitted, Refusal> {
    match ledger.submit(command.clone()) {
        Ok(submitted) => Ok(submitted),
        Err(LedgerError::Refused(refusal)) => {
            assert!(
                !matches!(refusal, Refusal::Misfit(_)),
                "{command:?}: {refusal}"
            );
            Err(refusal)
        }
        Err(error) => panic!("{error}"),
    }
}

fn journal(ledger: &Ledger<MemoryStore>) -> Vec<Entry> {
    let mut entries = Vec::new();
    ledger
        .store()
        .scan(1, &mut |_, entry| {
            entries.push(entry.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    entries
}

/// The balance of every pot of an account, from the journal alone.
fn pots(entries: &[Entry], account: &AccountId) -> BTreeMap<Pot, i64> {
    let mut pots: BTreeMap<Pot, i64> = Pot::ALL.map(|pot| (pot, 0)).into();
    for entry in entries.iter().filter(|e| e.account() == Some(account)) {
        if let Some((from, to, points)) = entry.posting() {
            *pots.get_mut(&from).unwrap() -= points.0;
            *pots.get_mut(&to).unwrap() += points.0;
        }
    }
    pots
}

fn books_balance(ledger: &Ledger<MemoryStore>, now: Timestamp) {
    ledger.tick(now).unwrap();
    let snapshot = ledger.snapshot(now).unwrap();
    let entries = journal(ledger);
    let mut on_the_way = 0;
    for (name, account) in &snapshot.accounts {
        for lot in &account.lots {
            let columns = [
                lot.free,
                lot.held,
                lot.spent,
                lot.expired,
                lot.clawed_back,
                lot.moved_out,
            ];
            assert!(columns.iter().all(|points| points.0 >= 0), "{lot:?}");
            assert_eq!(
                columns.iter().map(|points| points.0).sum::<i64>(),
                lot.granted.0,
                "{lot:?}"
            );
            assert!(
                lot.free.0 == 0 || lot.expires_at.is_none_or(|at| now < at),
                "free points outlived their expiry: {lot:?}"
            );
        }
        let pot = pots(&entries, name);
        assert_eq!(pot.values().sum::<i64>(), 0);
        assert_eq!(pot[&Pot::Available] + pot[&Pot::Debt], account.available.0);
        assert_eq!(pot[&Pot::Pending], account.pending.0);
        assert_eq!(pot[&Pot::Held], account.held.0);
        assert_eq!(pot[&Pot::Redeemed], account.spent.0);
        assert_eq!(pot[&Pot::Expired], account.expired.0);
        assert_eq!(-pot[&Pot::Debt], account.debt.0);
        assert_eq!(-pot[&Pot::WrittenOff], account.written_off.0);
        let taken = pot[&Pot::ClawedBack] + pot[&Pot::Debt] + pot[&Pot::WrittenOff];
        assert_eq!(taken, account.clawed_back.0);
        assert_eq!(
            account.moved_out.0 - pot[&Pot::Issued] - pot[&Pot::Transfer],
            account.granted.0
        );
        on_the_way += pot[&Pot::Transfer];
        // Below 0 only when nothing usable is left: a debt and usable points do not last together.
        assert!(
            account.debt.0 == 0 || account.available.0 == -account.debt.0,
            "{account:?}"
        );
        let statement = ledger.statement(name).unwrap();
        assert_eq!(
            statement.last().map_or(Points::ZERO, |line| line.available),
            account.available
        );
    }
    assert_eq!(on_the_way, 0);
    for (_, member) in ledger.as_of(now).unwrap().members() {
        let open = |lot: &Lot| lot.free.0 > 0 || lot.held.0 > 0 || lot.pending;
        assert!(member.open_lots().eq(member.lots().filter(open)));
    }
}

/// What a redemption consumes, one point at a time.
fn naive_consumption(
    ledger: &Ledger<MemoryStore>,
    command: &Command,
    points: i64,
) -> Vec<(u64, i64)> {
    let states = ledger.as_of(command.at).unwrap();
    let Action::Redeem(redeem) = &command.action else {
        unreachable!()
    };
    let mut lots: Vec<_> = redeem
        .purse
        .accounts()
        .iter()
        .flat_map(|account| states.member(account).lots().collect::<Vec<_>>())
        .filter(|lot| lot.available_at <= command.at)
        .collect();
    let programme = ledger.rules().at(command.at).unwrap();
    let mut consumed: Vec<(u64, i64)> = Vec::new();
    for _ in 0..points {
        let first = lots
            .iter_mut()
            .filter(|lot| lot.free.0 > 0)
            .min_by_key(|lot| {
                let expires = match programme.consume {
                    Consume::ExpiryFirst => lot.expires_at.map_or(i64::MAX, Timestamp::unix_s),
                    Consume::OldestFirst => 0,
                };
                (expires, lot.earned_at, lot.number)
            })
            .unwrap();
        first.free.0 -= 1;
        match consumed.last_mut() {
            Some((number, taken)) if *number == first.number.0 => *taken += 1,
            _ => consumed.push((first.number.0, 1)),
        }
    }
    consumed
}

/// What happened to each account, whatever it was booked with.
fn histories(ledger: &Ledger<MemoryStore>) -> BTreeMap<AccountId, Vec<(Timestamp, Change)>> {
    let mut histories: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in journal(ledger) {
        if let Some(account) = entry.account() {
            histories
                .entry(account.clone())
                .or_default()
                .push((entry.at, entry.change.clone()));
        }
    }
    histories
}

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

/// As [`commands`], for amounts that a time-out could not be made of.
fn large_commands(script: &[Raw]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut at = "2025-01-01".parse::<Timestamp>().unwrap();
    for raw in script {
        at = at.saturating_add_s(raw.4);
        let &(verb, who, other, amount, delay, earlier) = raw;
        let small = (verb, who, other, amount % 1_000_003, delay, earlier);
        let mut action = action(&commands, small);
        match &mut action {
            Action::Earn(earn) => *earn = Earn::money(NAMES[who], amount),
            Action::Redeem(redeem) => redeem.points = Some(Points(amount)),
            Action::Hold(hold) => (hold.points, hold.ttl_s) = (Some(Points(amount)), Some(amount)),
            Action::Adjust(adjust) => adjust.points = Points(amount),
            Action::Refund { money, .. } => *money = Some(amount),
            Action::ReverseRedeem { points, .. }
            | Action::Capture { points, .. }
            | Action::Transfer { points, .. } => *points = Some(Points(amount)),
            Action::Stamp { count, .. } | Action::Unstamp { count, .. } => *count = amount,
            _ => {}
        }
        commands.push(Command::new(format!("c{}", commands.len()), at, action));
    }
    commands
}

/// A ledger that holds the given states and nothing else, made from the journal's prefix.
fn replica(
    ledger: &Ledger<MemoryStore>,
    before: &tenure::loyalty::States,
    which: usize,
) -> Ledger<MemoryStore> {
    let prefix: Vec<Entry> = journal(ledger)
        .into_iter()
        .scan(tenure::loyalty::States::new(), |states, entry| {
            if states == before {
                return None;
            }
            tenure::loyalty::apply(states, &entry).unwrap();
            Some(entry)
        })
        .collect();
    let store = MemoryStore::new();
    store
        .commit(tenure::loyalty::Batch {
            expected: vec![],
            changed: vec![],
            entries: prefix,
        })
        .unwrap();
    Ledger::new(store, Rules::new(programme(which)).unwrap())
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
