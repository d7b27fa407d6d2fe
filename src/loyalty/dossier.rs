//! Persons of a ledger: everything that is held about one, and how one is forgotten.

use std::collections::BTreeMap;
use std::mem;
use std::ops::ControlFlow;

use serde::Serialize;

use super::calendar;
use super::deed::{Deed, Subject};
use super::entry::{Change, Entry};
use super::ledger::{Ledger, LedgerError, StatementLine};
use super::lot::Take;
use super::member::{Card, Term};
use super::names::{AccountId, CommandId};
use super::privacy::Directory;
use super::snapshot::{Account, GroupStanding};
use super::states::{Key, Record};
use super::store::Store;
use crate::event::Timestamp;

/// Everything that a ledger holds about one member, for the member: serialise it and hand it over.
///
/// Other members appear by the names of their accounts only, where they shared a pool, a transfer or a
/// team purchase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dossier {
    /// The personal key; `None` for an account that has none, or whose person was forgotten.
    pub person: Option<String>,
    /// The account.
    pub account: AccountId,
    /// The instant of the standing.
    #[serde(with = "calendar::text")]
    pub at: Timestamp,
    /// When the first points command came.
    #[serde(with = "calendar::optional_text")]
    pub joined: Option<Timestamp>,
    /// Balances, lots and tier.
    pub standing: Account,
    /// The stretch of time for which the tier is held, where tiers have one.
    pub term: Option<Term>,
    /// What counts towards tiers, and for which stretch of time (by its first instant).
    pub qualified: Vec<Qualified>,
    /// The stamp card.
    pub card: Option<Card>,
    /// Holds that are open.
    pub holds: Vec<OpenHold>,
    /// Team purchases in which the member takes part, by the command that opened each.
    pub teams: BTreeMap<CommandId, GroupStanding>,
    /// Every movement of points that is in the journal.
    pub statement: Vec<StatementLine>,
    /// Every command that touched the account, in the order of the journal.
    pub commands: Vec<CarriedOut>,
}

/// Money or points that count towards a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Qualified {
    /// The stretch of time for which they count, by its first instant.
    #[serde(with = "calendar::text")]
    pub period: Timestamp,
    /// How much.
    pub amount: i64,
}

/// The points of one member in an open hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenHold {
    /// The hold.
    pub hold: CommandId,
    /// When it times out.
    #[serde(with = "calendar::optional_text")]
    pub until: Option<Timestamp>,
    /// What is reserved of which lots.
    pub reserved: Vec<Take>,
}

/// A command that touched the account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CarriedOut {
    /// Its name.
    pub id: CommandId,
    /// Earlier commands that it referred to and changed: the order of a refund, the hold of a capture.
    pub refers_to: Vec<CommandId>,
    /// What the ledger remembers of it, later changes included.
    #[serde(flatten)]
    pub deed: Deed,
}

impl<S: Store + Directory> Ledger<S> {
    /// Everything that is held about a person, at an instant that is not before the account's last
    /// entry; `None` for a person without an account.
    ///
    /// # Errors
    /// As [`Ledger::account`].
    pub fn dossier(&self, person: &str, now: Timestamp) -> Result<Option<Dossier>, LedgerError> {
        let Some(account) = self.store().account_of(person)? else {
            return Ok(None);
        };
        let mut dossier = self.account_dossier(&account, now)?;
        dossier.person = Some(person.to_owned());
        Ok(Some(dossier))
    }

    /// Forgets a person for good, and says which account it was: the personal key is in no file or row
    /// of the store any more. The account stays, without a person: its points, its history and the
    /// chain of the journal are what they were, and its statement is still to be had by the account's
    /// name. To let the points lapse, book an [`Adjust`](super::Adjust) before or after.
    ///
    /// `None` for a person without an account. What a caller wrote into the names and tags of commands
    /// cannot be forgotten; see [`Directory`].
    ///
    /// ```
    /// use tenure::loyalty::{Command, Directory, Earn, Ledger, MemoryStore, Points, Programme, Rules};
    ///
    /// let ledger = Ledger::new(MemoryStore::new(), Rules::new(Programme::default())?);
    /// let account = ledger.store().link("ann@example.com")?;
    /// let at = "2025-01-01".parse()?;
    /// ledger.submit(Command::new("gift-1", at, Earn::points(&account, Points(5))))?;
    /// let dossier = ledger.dossier("ann@example.com", at)?.unwrap();
    /// assert_eq!(dossier.standing.available, Points(5));
    ///
    /// assert_eq!(ledger.erase("ann@example.com")?, Some(account.clone()));
    /// assert!(ledger.dossier("ann@example.com", at)?.is_none());
    /// assert_eq!(ledger.statement(&account)?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`LedgerError::Store`]; whether the person is forgotten is learnt by asking again.
    pub fn erase(&self, person: &str) -> Result<Option<AccountId>, LedgerError> {
        Ok(self.store().unlink(person)?)
    }
}

impl<S: Store> Ledger<S> {
    /// Everything that is held about an account, without a person: [`Ledger::dossier`] for a ledger
    /// whose accounts are not in a [`Directory`], and after a person was forgotten.
    ///
    /// # Errors
    /// As [`Ledger::account`].
    pub fn account_dossier(
        &self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Dossier, LedgerError> {
        let standing = self.account(account, now)?;
        let states = self.due_states(account, now)?;
        let member = states.member(account);
        let commands = self.commands_of(account)?;
        let holds = member.more().holds.iter().map(|share| OpenHold {
            hold: share.hold.clone(),
            until: share.until,
            reserved: share.parts.clone(),
        });
        let qualified = member.more().qualified.iter();
        Ok(Dossier {
            person: None,
            account: account.clone(),
            at: now,
            joined: member.joined(),
            standing,
            term: member.more().term,
            qualified: qualified
                .map(|&(period, amount)| Qualified { period, amount })
                .collect(),
            card: member.card(),
            holds: holds.collect(),
            teams: self.teams_of(account, &commands, now)?,
            statement: self.statement(account)?,
            commands,
        })
    }

    /// The team purchases among some commands and those that they refer to.
    fn teams_of(
        &self,
        account: &AccountId,
        commands: &[CarriedOut],
        now: Timestamp,
    ) -> Result<BTreeMap<CommandId, GroupStanding>, LedgerError> {
        let named = |command: &CarriedOut| {
            let own = std::iter::once(command.id.clone());
            own.chain(command.refers_to.clone()).map(Key::Deed)
        };
        let keys: Vec<Key> = commands.iter().flat_map(named).collect();
        let records = self.store().load(&keys)?;
        let mut teams = BTreeMap::new();
        for (key, found) in keys.into_iter().zip(records) {
            if let (Key::Deed(id), Some(Record::Deed(deed))) = (key, found.record)
                && let Subject::Group(group) = &deed.subject
                && deed.is_about(account)
            {
                teams.insert(id, GroupStanding::of(group, now));
            }
        }
        Ok(teams)
    }

    /// Every command that touched an account, as it is now.
    fn commands_of(&self, account: &AccountId) -> Result<Vec<CarriedOut>, LedgerError> {
        let mut found: Vec<(CommandId, Vec<CommandId>)> = Vec::new();
        let (mut touched, mut refers_to) = (false, Vec::new());
        self.read_journal(&mut |_, entry| {
            touched |= touches(entry, account);
            match &entry.change {
                Change::Amended { deed, .. } if !refers_to.contains(deed) => {
                    refers_to.push(deed.clone());
                }
                Change::Done { id, .. } => {
                    let referred = mem::take(&mut refers_to);
                    if mem::take(&mut touched) {
                        found.push((id.clone(), referred));
                    }
                }
                // A tick's entries are no command's.
                _ if entry.command.is_none() => touched = false,
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        let keys: Vec<Key> = found.iter().map(|(id, _)| Key::Deed(id.clone())).collect();
        let records = self.store().load(&keys)?;
        let deed = |((id, refers_to), record): ((CommandId, _), Option<Record>)| match record {
            Some(Record::Deed(deed)) => Some(CarriedOut {
                id,
                refers_to,
                deed: (*deed).clone(),
            }),
            _ => None,
        };
        let records = records.into_iter().map(|found| found.record);
        Ok(found.into_iter().zip(records).filter_map(deed).collect())
    }
}

/// Whether an entry is about an account, or about something that the account takes part in.
fn touches(entry: &Entry, account: &AccountId) -> bool {
    match &entry.change {
        Change::Amended { subject, .. } => subject.is_about(account),
        Change::Done { deed, .. } => deed.is_about(account),
        _ => entry.account() == Some(account),
    }
}
