//! What the journal tells: accounts and statements as of any instant.

use std::collections::HashMap;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;

use super::apply::apply;
use super::decide::fall_due;
use super::entry::Entry;
use super::ledger::{Ledger, LedgerError, StatementLine};
use super::lot::{Lot, Pot};
use super::names::AccountId;
use super::points::Points;
use super::refusal::Refusal;
use super::snapshot::{Account, Snapshot};
use super::states::{Key, States};
use super::store::{Store, StoreError};
use crate::event::Timestamp;

/// Which part of the journal is asked for; the default is all of it.
///
/// ```
/// use tenure::loyalty::Scope;
///
/// let january = Scope {
///     from: Some("2025-01-01".parse()?),
///     until: Some("2025-02-01".parse()?),
///     ..Scope::default()
/// };
/// assert!(january.covers("2025-01-31T23:59:59Z".parse()?));
/// assert!(!january.covers("2025-02-01".parse()?));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// One account only.
    pub account: Option<AccountId>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

impl Scope {
    /// Everything about one account.
    pub fn of(account: impl Into<AccountId>) -> Self {
        Self {
            account: Some(account.into()),
            ..Self::default()
        }
    }

    /// Everything up to an instant, the instant included.
    pub fn as_of(instant: Timestamp) -> Self {
        Self {
            until: (instant < Timestamp::MAX).then(|| instant.saturating_add_s(1)),
            ..Self::default()
        }
    }

    /// Whether an instant is in it.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether an entry belongs to the account that is asked for.
    #[cfg(any(feature = "csv", feature = "json"))]
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        self.account.is_none() || self.account.as_ref() == entry.account()
    }

    /// Whether the account is asked for.
    pub(crate) fn is_about(&self, account: &AccountId) -> bool {
        self.account.as_ref().is_none_or(|only| only == account)
    }
}

impl<S: Store> Ledger<S> {
    /// One account as it was at an instant, from the journal: its balances and lots, everything due up
    /// to then having happened. Keeps nothing of other accounts in memory.
    ///
    /// # Errors
    /// [`LedgerError::Journal`] for a journal that no ledger wrote; otherwise as [`Ledger::account`].
    pub fn account_as_of(
        &self,
        account: &AccountId,
        instant: Timestamp,
    ) -> Result<Account, LedgerError> {
        let states = self.own_states(account, instant)?;
        let programme = self.rules().at(instant);
        let programme = programme.ok_or(Refusal::NoProgramme { at: instant })?;
        Ok(Account::of(states.member(account), programme, instant)?)
    }

    /// The lots of an account that had free points at an instant and were to expire before another,
    /// soonest first: [`Ledger::expiring`], as of any instant.
    ///
    /// # Errors
    /// As [`Ledger::account_as_of`].
    pub fn expiring_as_of(
        &self,
        account: &AccountId,
        instant: Timestamp,
        before: Timestamp,
    ) -> Result<Vec<Lot>, LedgerError> {
        Ok(soonest(
            &self.own_states(account, instant)?,
            account,
            before,
        ))
    }

    /// Everything as it was at an instant, from the journal.
    ///
    /// # Errors
    /// As [`Ledger::as_of`] and [`Ledger::snapshot`].
    pub fn snapshot_as_of(&self, instant: Timestamp) -> Result<Snapshot, LedgerError> {
        Ok(Snapshot::of(&self.as_of(instant)?, self.rules(), instant)?)
    }

    /// Shows all accounts as they were at an instant, from the journal, in the order of their names, until
    /// the visitor breaks: as [`Ledger::snapshot_as_of`], one account at a time.
    ///
    /// # Errors
    /// As [`Ledger::snapshot_as_of`].
    pub fn accounts_as_of(
        &self,
        instant: Timestamp,
        visit: &mut dyn FnMut(&AccountId, &Account) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let states = self.as_of(instant)?;
        let programme = self.rules().at(instant);
        let programme = programme.ok_or(Refusal::NoProgramme { at: instant })?;
        let mut names: Vec<&AccountId> = states.members().map(|(name, _)| name).collect();
        names.sort_unstable();
        for name in names {
            let own = states.subset(&[Key::Member(name.clone())]);
            let (_, own) = fall_due(&own, self.rules(), name, instant)?;
            let member = own.member(name);
            if member.joined().is_some()
                && visit(name, &Account::of(member, programme, instant)?).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Every movement of an account's points that is in the journal, with the running balance.
    ///
    /// What is due and was not booked yet is not there: [`Ledger::tick`] books it.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn statement(&self, account: &AccountId) -> Result<Vec<StatementLine>, LedgerError> {
        let mut lines = Vec::new();
        self.statement_lines(&Scope::of(account), &mut |_, line| {
            lines.push(line.clone());
            ControlFlow::Continue(())
        })?;
        Ok(lines)
    }

    /// Shows the lines of statements, in the order of the journal, each with the balance of its account
    /// after it, until the visitor breaks. What lies before the scope is in the balances.
    ///
    /// Memory grows with the accounts, not with the journal.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use tenure::loyalty::{Command, Earn, Ledger, MemoryStore, Points, Programme, Rules, Scope};
    ///
    /// let ledger = Ledger::new(MemoryStore::new(), Rules::new(Programme::default())?);
    /// ledger.submit(Command::new("g-1", "2025-01-31".parse()?, Earn::points("ann", Points(5))))?;
    /// ledger.submit(Command::new("g-2", "2025-02-01".parse()?, Earn::points("ann", Points(3))))?;
    /// let february = Scope { from: Some("2025-02-01".parse()?), ..Scope::of("ann") };
    /// let mut balances = Vec::new();
    /// ledger.statement_lines(&february, &mut |_account, line| {
    ///     balances.push(line.available);
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(balances, [Points(8)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`LedgerError::Store`]; [`Refusal::Overflow`] for a journal that no ledger wrote.
    pub fn statement_lines(
        &self,
        scope: &Scope,
        visit: &mut dyn FnMut(&AccountId, &StatementLine) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let mut balances: HashMap<AccountId, i64, RandomState> = HashMap::default();
        let mut overflow = None;
        self.read_journal(&mut |number, entry| {
            let (Some((from, to, points)), Some(account)) = (entry.posting(), entry.account())
            else {
                return ControlFlow::Continue(());
            };
            if !scope.is_about(account) {
                return ControlFlow::Continue(());
            }
            let change = counted(to, points) - counted(from, points);
            let known = balances.get(account).copied().unwrap_or(0);
            let Some(available) = i64::try_from(i128::from(known) + change).ok() else {
                overflow = Some(Refusal::Overflow {
                    what: "balance of the statement",
                });
                return ControlFlow::Break(());
            };
            match balances.get_mut(account) {
                Some(balance) => *balance = available,
                None => {
                    balances.insert(account.clone(), available);
                }
            }
            if !scope.covers(entry.at) {
                return ControlFlow::Continue(());
            }
            let line = StatementLine {
                number,
                at: entry.at,
                command: entry.command.clone(),
                from,
                to,
                points,
                available: Points(available),
            };
            visit(account, &line)
        })?;
        overflow.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Shows the journal from its first entry on.
    pub(crate) fn read_journal(
        &self,
        visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.store().scan(1, visit)
    }

    /// The states of one account only, at an instant by which everything due has happened.
    fn own_states(&self, account: &AccountId, instant: Timestamp) -> Result<States, LedgerError> {
        let mut states = States::new();
        let mut misfit = None;
        self.read_journal(&mut |number, entry| {
            if entry.at <= instant
                && entry.account() == Some(account)
                && let Err(source) = apply(&mut states, entry)
            {
                misfit = Some(LedgerError::Journal { number, source });
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        match misfit {
            Some(misfit) => Err(misfit),
            None => Ok(fall_due(&states, self.rules(), account, instant)?.1),
        }
    }
}

/// The lots with free points that expire before an instant, soonest first.
pub(crate) fn soonest(states: &States, account: &AccountId, before: Timestamp) -> Vec<Lot> {
    let lots = states.member(account).open_lots();
    let mut lots: Vec<Lot> = lots
        .filter(|lot| lot.free.0 > 0 && lot.expires_at.is_some_and(|at| at < before))
        .collect();
    lots.sort_by_key(|lot| (lot.expires_at, lot.number));
    lots
}

/// How many of the points count for the balance when they are in a pot.
fn counted(pot: Pot, points: Points) -> i128 {
    match pot {
        Pot::Available | Pot::Debt => points.0.into(),
        _ => 0,
    }
}
