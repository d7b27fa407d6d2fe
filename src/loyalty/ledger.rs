//! The ledger: decisions, made durable.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use smallvec::SmallVec;
use thiserror::Error;

use super::apply::{Misfit, apply};
use super::calendar;
use super::combine::{Combiner, Outcome};
use super::command::{Action, Command};
use super::decide::{decide_on, fall_due_on, lots_at_most};
use super::desk::Desk;
use super::history::soonest;
use super::lot::{Lot, LotNumber, Pot};
use super::names::{AccountId, CommandId};
use super::points::Points;
use super::receipt::Submitted;
use super::refusal::Refusal;
use super::rules::Rules;
use super::snapshot::{Account, Snapshot};
use super::states::States;
use super::store::{CommitError, InPlace, Store, StoreError};
use crate::event::Timestamp;

/// A points ledger: a programme's rules and a store. Shared by any number of threads.
///
/// ```
/// use tenure::loyalty::{Command, Earn, Ledger, MemoryStore, Points, Programme, Redeem, Rules};
///
/// let programme: Programme = serde_json::from_str(r#"{
///     "earn": {"rounding": "floor", "round_scope": "order"},
///     "earn_rules": [{"rate": [1, 100]}],
///     "expiry": {"kind": "days", "n": 365}
/// }"#)?;
/// let ledger = Ledger::new(MemoryStore::new(), Rules::new(programme)?);
///
/// let (monday, tuesday) = ("2025-01-06".parse()?, "2025-01-07".parse()?);
/// ledger.submit(Command::new("order-1", monday, Earn::money("ann", 12_99)))?;
/// ledger.submit(Command::new("reward-1", tuesday, Redeem::points("ann", Points(5))))?;
/// assert_eq!(ledger.account(&"ann".into(), tuesday)?.available, Points(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Ledger<S> {
    store: S,
    rules: Rules,
    /// Lot numbers that the store gave and no lot has.
    numbers: Mutex<BTreeSet<u64>>,
    combiner: Combiner,
}

/// So many members are booked in one commit of a tick.
const TICK_BATCH: usize = 1000;

/// The members of so many commands of a batch are brought into the processor's caches together.
const WARM: usize = 16;

/// Why a ledger did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The programme's rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed; whether the command was carried out is learnt by sending it again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry of the journal does not fit the ones before it.
    #[error("entry {number} of the journal does not fit the ones before it")]
    Journal {
        /// The entry's number.
        number: u64,
        /// In what it does not fit.
        source: Misfit,
    },
}

/// A line of a statement: points that moved, and what was available after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementLine {
    /// The entry's number in the journal.
    pub number: u64,
    /// When.
    #[serde(with = "calendar::text")]
    pub at: Timestamp,
    /// The command with which it was booked; `None` when time alone did it, at a tick.
    pub command: Option<CommandId>,
    /// From which pot.
    pub from: Pot,
    /// To which pot.
    pub to: Pot,
    /// How many points.
    pub points: Points,
    /// Usable points less the debt after it.
    pub available: Points,
}

impl<S: Store> Ledger<S> {
    /// A ledger upon a store, empty or not.
    pub fn new(store: S, rules: Rules) -> Self {
        Self {
            store,
            rules,
            numbers: Mutex::new(BTreeSet::new()),
            combiner: Combiner::default(),
        }
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Carries a command out; when this returns, the store has it.
    ///
    /// When another thread or process changes the same records meanwhile, the command is decided
    /// again; each time that happens, another command was carried out. Commands of several threads share
    /// commits where the store takes time for each.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] with the reason; [`LedgerError::Store`] when the store fails.
    pub fn submit(&self, command: Command) -> Result<Submitted, LedgerError> {
        let mut decided = None;
        let in_place = self.store.in_place(&mut |place| {
            place.glance(&command);
            decided = Some(self.decide_in(place, &mut self.numbers(), &command)?);
            Ok(())
        });
        if let (true, Some(decided)) = (in_place?, decided) {
            return Ok(decided?);
        }
        match self.combiner.run(&command, |all| self.decide_all(all)) {
            Outcome::Decided(decided) => Ok(decided?),
            Outcome::Failed(error) => Err(error.into()),
            Outcome::Alone => Ok(self.transact(|desk| {
                desk.fetch_for(&self.store, std::slice::from_ref(&command))?;
                self.decide_one(desk, &command)
            })??),
        }
    }

    /// Carries several commands out, one after the other, in one commit; a refused one leaves no trace
    /// and does not stop the next.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails; then none of them was carried out, or all.
    pub fn submit_batch(
        &self,
        commands: &[Command],
    ) -> Result<Vec<Result<Submitted, Refusal>>, StoreError> {
        let mut decided = Vec::with_capacity(commands.len());
        let in_place = self.store.in_place(&mut |place| {
            let mut free = self.numbers();
            for some in commands.chunks(WARM) {
                place.warm(some);
                for command in some {
                    decided.push(self.decide_in(place, &mut free, command)?);
                }
            }
            Ok(())
        });
        if in_place? {
            return Ok(decided);
        }
        self.decide_all(commands)
    }

    /// Books everything that is due up to an instant, for all members; returns the number of entries.
    ///
    /// Nobody needs to call this: what is due is booked with a member's next command, at the same
    /// instants and with the same result, and every answer of the ledger takes it into account.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub fn tick(&self, now: Timestamp) -> Result<usize, LedgerError> {
        let mut accounts = Vec::new();
        self.store.members(&mut |account, member| {
            if member.as_of() <= now {
                accounts.push(account.clone());
            }
            ControlFlow::Continue(())
        })?;
        accounts.sort_unstable();
        let mut booked = 0;
        for accounts in accounts.chunks(TICK_BATCH) {
            booked += self.transact(|desk| self.tick_some(desk, accounts, now))??;
        }
        Ok(booked)
    }

    /// One account at an instant that is not before its last entry.
    ///
    /// # Errors
    /// As [`Ledger::submit`]; an account that nobody knows is empty, not an error.
    pub fn account(&self, account: &AccountId, now: Timestamp) -> Result<Account, LedgerError> {
        let states = self.due_states(account, now)?;
        let programme = self.rules.at(now);
        let programme = programme.ok_or(Refusal::NoProgramme { at: now })?;
        Ok(Account::of(states.member(account), programme, now)?)
    }

    /// The lots of an account that expire before an instant and still have free points, soonest first.
    ///
    /// # Errors
    /// As [`Ledger::account`].
    pub fn expiring(
        &self,
        account: &AccountId,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<Vec<Lot>, LedgerError> {
        let states = self.due_states(account, now)?;
        Ok(soonest(&states, account, before))
    }

    /// Everything at an instant that is not before the last entry.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub fn snapshot(&self, now: Timestamp) -> Result<Snapshot, LedgerError> {
        let mut states = States::new();
        self.store.records(&mut |key, record| {
            states.insert(key.clone(), record.clone());
            ControlFlow::Continue(())
        })?;
        Ok(Snapshot::of(&states, &self.rules, now)?)
    }

    /// All records as they were at an instant, from the journal; see [`Snapshot::of`].
    ///
    /// # Errors
    /// [`LedgerError::Journal`] for a journal that no ledger wrote; [`LedgerError::Store`].
    pub fn as_of(&self, instant: Timestamp) -> Result<States, LedgerError> {
        let mut states = States::new();
        let mut misfit = None;
        self.store.scan(1, &mut |number, entry| {
            if entry.at <= instant
                && let Err(source) = apply(&mut states, entry)
            {
                misfit = Some(LedgerError::Journal { number, source });
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        misfit.map_or(Ok(states), Err)
    }

    /// Carries commands out in one commit.
    fn decide_all(
        &self,
        commands: &[Command],
    ) -> Result<Vec<Result<Submitted, Refusal>>, StoreError> {
        self.transact(|desk| {
            desk.fetch_for(&self.store, commands)?;
            // One lot for each of those that usually have one, in one go.
            let opening = |c: &&Command| matches!(c.action, Action::Earn(_) | Action::Adjust(_));
            self.take_numbers(desk, commands.iter().filter(opening).count())?;
            let decided = commands.iter().map(|c| self.decide_one(desk, c));
            decided.collect()
        })
    }

    /// Decides upon a command whose records are on the desk.
    fn decide_one(
        &self,
        desk: &mut Desk,
        command: &Command,
    ) -> Result<Result<Submitted, Refusal>, StoreError> {
        let at_most = lots_at_most(command, &desk.states);
        self.take_numbers(desk, at_most)?;
        let numbers = desk.numbers.get(desk.numbers_used..).unwrap_or_default();
        let (states, entries) = (&mut desk.states, &mut desk.entries);
        let decided = decide_on(states, entries, &self.rules, command, numbers);
        Ok(decided.map(|(submitted, lots)| {
            desk.numbers_used += lots;
            submitted
        }))
    }

    /// Decides upon a command and books it at once, upon the records themselves.
    fn decide_in(
        &self,
        place: &mut InPlace<'_>,
        free: &mut BTreeSet<u64>,
        command: &Command,
    ) -> Result<Result<Submitted, Refusal>, StoreError> {
        place.fetch(command)?;
        let at_most = lots_at_most(command, place.states);
        let mut numbers: SmallVec<[LotNumber; 4]> = SmallVec::new();
        if at_most > 0 {
            numbers.extend(lowest(free, at_most, |count| place.reserve_lots(count))?);
        }
        let (states, sheet) = (&mut *place.states, place.deeds.sheet());
        let decided = decide_on(states, sheet, &self.rules, command, &numbers);
        place.deeds.note();
        let used = decided.as_ref().map_or(0, |(_, used)| *used);
        free.extend(numbers.iter().skip(used).map(|number| number.0));
        Ok(decided.map(|(submitted, _)| submitted))
    }

    /// Books what is due for some accounts, until one of them cannot be booked.
    fn tick_some(
        &self,
        desk: &mut Desk,
        accounts: &[AccountId],
        now: Timestamp,
    ) -> Result<Result<usize, Refusal>, StoreError> {
        desk.fetch_members(&self.store, accounts)?;
        for account in accounts {
            if desk.states.member(account).as_of() > now {
                continue;
            }
            let (states, entries) = (&mut desk.states, &mut desk.entries);
            if let Err(refusal) = fall_due_on(states, entries, &self.rules, account, now) {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(desk.entries.len()))
    }

    /// Fills a desk and commits it; again, from the start, when a record moved meanwhile.
    fn transact<T>(
        &self,
        fill: impl Fn(&mut Desk) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            let mut desk = Desk::default();
            let filled = fill(&mut desk)?;
            if self.write(desk)? {
                return Ok(filled);
            }
        }
    }

    /// Commits what is on the desk; `false` when a record moved meanwhile.
    fn write(&self, mut desk: Desk) -> Result<bool, StoreError> {
        let numbers = std::mem::take(&mut desk.numbers);
        let (_, unused) = numbers.split_at(desk.numbers_used.min(numbers.len()));
        self.give_back(unused);
        if desk.entries.is_empty() {
            // A first receipt or a refusal may stand upon what another thread has only just committed.
            self.store.settle()?;
            return Ok(true);
        }
        match self.store.commit(desk.into_batch()) {
            Ok(_) => Ok(true),
            Err(CommitError::Moved { .. }) => {
                let used = numbers.len() - unused.len();
                self.give_back(numbers.get(..used).unwrap_or_default());
                Ok(false)
            }
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    pub(crate) fn due_states(
        &self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<States, LedgerError> {
        let mut desk = Desk::default();
        desk.fetch_members(&self.store, std::slice::from_ref(account))?;
        self.store.settle()?;
        let mut entries = Vec::new();
        fall_due_on(&mut desk.states, &mut entries, &self.rules, account, now)?;
        Ok(desk.states)
    }

    /// Sees to it that so many lot numbers are left on the desk: the lowest free ones.
    fn take_numbers(&self, desk: &mut Desk, count: usize) -> Result<(), StoreError> {
        let left = desk.numbers.len() - desk.numbers_used;
        if left >= count {
            return Ok(());
        }
        // The free ones are lower than all that were never given; the store is not asked meanwhile, as it
        // may be deciding in place and want the free ones itself.
        let mut missing = count - left;
        let none = |_| Ok(0..0);
        desk.numbers
            .extend(lowest(&mut self.numbers(), missing, none)?);
        missing = count - (desk.numbers.len() - desk.numbers_used);
        if missing > 0 {
            let new = self.store.reserve_lots(missing as u64)?;
            desk.numbers.extend(new.map(LotNumber));
        }
        Ok(())
    }

    fn give_back(&self, numbers: &[LotNumber]) {
        if !numbers.is_empty() {
            self.numbers().extend(numbers.iter().map(|number| number.0));
        }
    }

    fn numbers(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many of the lowest lot numbers that are free; new ones where there are too few.
fn lowest(
    free: &mut BTreeSet<u64>,
    count: usize,
    reserve: impl FnOnce(u64) -> Result<Range<u64>, StoreError>,
) -> Result<impl Iterator<Item = LotNumber>, StoreError> {
    let missing = count.saturating_sub(free.len());
    let new = match missing {
        0 => 0..0,
        _ => reserve(missing as u64)?,
    };
    let taken = (missing..count).filter_map(|_| free.pop_first());
    Ok(taken.chain(new).map(LotNumber))
}
