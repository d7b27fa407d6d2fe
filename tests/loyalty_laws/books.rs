//! What the laws are held against: the books, read in a plain way.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tenure::event::Timestamp;
use tenure::loyalty::{
    AccountId, Action, Batch, Change, Command, Consume, Entry, Ledger, LedgerError, Lot,
    MemoryStore, Points, Pot, Refusal, Rules, States, Store, Submitted, apply,
};

use super::scripts::programme;

pub fn submit(ledger: &Ledger<MemoryStore>, command: &Command) -> Result<Submitted, Refusal> {
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

pub fn journal(ledger: &Ledger<MemoryStore>) -> Vec<Entry> {
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

pub fn books_balance(ledger: &Ledger<MemoryStore>, now: Timestamp) {
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
pub fn naive_consumption(
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
pub fn histories(ledger: &Ledger<MemoryStore>) -> BTreeMap<AccountId, Vec<(Timestamp, Change)>> {
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

/// A ledger that holds the given states and nothing else, made from the journal's prefix.
pub fn replica(ledger: &Ledger<MemoryStore>, before: &States, which: usize) -> Ledger<MemoryStore> {
    let prefix: Vec<Entry> = journal(ledger)
        .into_iter()
        .scan(States::new(), |states, entry| {
            if states == before {
                return None;
            }
            apply(states, &entry).unwrap();
            Some(entry)
        })
        .collect();
    let store = MemoryStore::new();
    store
        .commit(Batch {
            expected: vec![],
            changed: vec![],
            entries: prefix,
        })
        .unwrap();
    Ledger::new(store, Rules::new(programme(which)).unwrap())
}
