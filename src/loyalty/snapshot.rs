//! Everything a ledger knows at an instant, for people and for comparison.

use std::collections::BTreeMap;

use serde::Serialize;

use super::calendar;
use super::decide::{fall_due, tier};
use super::deed::{Group, GroupState, Subject};
use super::liability::{Liability, LiabilityTotals};
use super::lot::{Lot, LotNumber};
use super::member::{Card, Member};
use super::names::{AccountId, CommandId};
use super::points::Points;
use super::programme::Programme;
use super::refusal::Refusal;
use super::rules::Rules;
use super::states::{Key, States};
use crate::event::Timestamp;

/// Everything at an instant, all due events up to it having happened.
///
/// Serialised it has the form of the states in scenario files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// All accounts with points, by name.
    pub accounts: BTreeMap<AccountId, Account>,
    /// All team purchases, by the command that opened them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<CommandId, GroupStanding>,
    /// All stamp cards.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stamps: BTreeMap<AccountId, Card>,
    /// The deferred revenue; `None` when the programme has no rules for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liability: Option<Liability>,
}

/// One account at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Usable points less the debt.
    pub available: Points,
    /// Points that will be usable.
    pub pending: Points,
    /// Points in open holds.
    pub held: Points,
    /// Points owed.
    pub debt: Points,
    /// Points redeemed or paid as fees.
    pub spent: Points,
    /// Points expired.
    pub expired: Points,
    /// Points taken back.
    pub clawed_back: Points,
    /// Points given to other members.
    pub moved_out: Points,
    /// Points that were not asked back.
    pub written_off: Points,
    /// All points ever granted.
    pub granted: Points,
    /// All lots ever, by number.
    pub lots: Vec<LotStanding>,
    /// The tier; `None` when the programme has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<u32>,
}

/// One lot at an instant; see [`Lot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the columns of `Lot`, which explains them")]
pub struct LotStanding {
    pub lot: LotNumber,
    pub granted: Points,
    pub free: Points,
    pub held: Points,
    pub spent: Points,
    pub expired: Points,
    pub clawed_back: Points,
    pub moved_out: Points,
    #[serde(with = "calendar::text")]
    pub available_at: Timestamp,
    #[serde(with = "calendar::optional_text")]
    pub expires_at: Option<Timestamp>,
}

/// A team purchase at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GroupStanding {
    /// Where it stands.
    pub state: GroupState,
    /// Its members.
    pub members: u32,
}

impl Snapshot {
    /// Everything in some states at an instant that is not before their last entry.
    ///
    /// # Errors
    /// [`Refusal`] when no programme rules then, or a sum leaves 64 bits.
    pub fn of(states: &States, rules: &Rules, now: Timestamp) -> Result<Self, Refusal> {
        let programme = rules.at(now).ok_or(Refusal::NoProgramme { at: now })?;
        let mut accounts = BTreeMap::new();
        let mut stamps = BTreeMap::new();
        let mut totals = LiabilityTotals::default();
        for (name, _) in states.members() {
            let own = states.subset(&[Key::Member(name.clone())]);
            let (_, own) = fall_due(&own, rules, name, now)?;
            let member = own.member(name);
            totals.add(member);
            if member.joined().is_some() {
                accounts.insert(name.clone(), Account::of(member, programme, now)?);
            }
            if let Some(card) = member.card() {
                stamps.insert(name.clone(), card);
            }
        }
        let groups = states.deeds().filter_map(|(id, deed)| match &deed.subject {
            Subject::Group(group) => Some((id.clone(), GroupStanding::of(group, now))),
            _ => None,
        });
        let liability = match programme.liability {
            None => None,
            Some(rules) => {
                let urr = states.books().urr.unwrap_or(rules.urr);
                let overflow = Refusal::Overflow {
                    what: "deferred revenue",
                };
                Some(totals.liability(urr).ok_or(overflow)?)
            }
        };
        Ok(Self {
            accounts,
            groups: groups.collect(),
            stamps,
            liability,
        })
    }
}

impl GroupStanding {
    pub(crate) fn of(group: &Group, now: Timestamp) -> Self {
        Self {
            state: group.state(now),
            members: u32::try_from(group.members.len()).unwrap_or(u32::MAX),
        }
    }
}

impl Account {
    /// A member at an instant by which everything due has happened.
    pub(crate) fn of(
        member: &Member,
        programme: &Programme,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let sum = |column: fn(&Lot) -> i64| {
            member
                .lots()
                .try_fold(0_i64, |sum, lot| sum.checked_add(column(&lot)))
                .map(Points)
                .ok_or(Refusal::Overflow {
                    what: "points of the account",
                })
        };
        Ok(Self {
            available: member.available(),
            pending: sum(|lot| if lot.pending { lot.free.0 } else { 0 })?,
            held: sum(|lot| lot.held.0)?,
            debt: member.debt(),
            spent: sum(|lot| lot.spent.0)?,
            expired: sum(|lot| lot.expired.0)?,
            clawed_back: sum(|lot| lot.clawed_back.0)?,
            moved_out: sum(|lot| lot.moved_out.0)?,
            written_off: member.written_off(),
            granted: sum(|lot| lot.granted.0)?,
            lots: member.lots().map(LotStanding::from).collect(),
            tier: programme
                .tiers
                .as_ref()
                .map(|tiers| tier::held(member, tiers, now)),
        })
    }
}

impl From<Lot> for LotStanding {
    fn from(lot: Lot) -> Self {
        Self {
            lot: lot.number,
            granted: lot.granted,
            free: lot.free,
            held: lot.held,
            spent: lot.spent,
            expired: lot.expired,
            clawed_back: lot.clawed_back,
            moved_out: lot.moved_out,
            available_at: lot.available_at,
            expires_at: lot.expires_at,
        }
    }
}
