//! Journal entries: what happened, once and for all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::calendar;
use super::deed::{Deed, Subject};
use super::lot::{LotNumber, Pot, Take};
use super::member::{Card, Term};
use super::names::{AccountId, CommandId};
use super::points::Points;
use super::rational::Rational;
use super::states::{Key, shared};
use crate::event::Timestamp;

/// One line of the journal. States are made of entries, in their order, and of nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened: for what fell due, the instant at which it was due.
    #[serde(with = "calendar::text")]
    pub at: Timestamp,
    /// The command with which it was booked; `None` when time alone did it, at a tick.
    pub command: Option<CommandId>,
    /// What happened.
    pub change: Change,
}

/// What an entry changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// A member's first points command.
    Joined {
        /// Whose.
        account: AccountId,
    },
    /// A new lot.
    Opened {
        /// Whose.
        account: AccountId,
        /// Its number.
        lot: LotNumber,
        /// Where its points come from: [`Pot::Issued`] or [`Pot::Transfer`].
        from: Pot,
        /// How many.
        points: Points,
        /// When they were earned.
        #[serde(with = "calendar::text")]
        earned_at: Timestamp,
        /// From when they can be used.
        #[serde(with = "calendar::text")]
        available_at: Timestamp,
        /// When they expire.
        #[serde(with = "calendar::optional_text")]
        expires_at: Option<Timestamp>,
    },
    /// Points of a lot go from one pot to another.
    Moved {
        /// Whose.
        account: AccountId,
        /// The lot.
        lot: LotNumber,
        /// From where.
        from: Pot,
        /// To where.
        to: Pot,
        /// How many.
        points: Points,
    },
    /// A lot is no longer pending; its free points go from [`Pot::Pending`] to [`Pot::Available`].
    Matured {
        /// Whose.
        account: AccountId,
        /// The lot.
        lot: LotNumber,
        /// Its free points.
        points: Points,
    },
    /// Points should have been taken back, and there were none.
    Owed {
        /// Whose.
        account: AccountId,
        /// [`Pot::Debt`] or [`Pot::WrittenOff`].
        by: Pot,
        /// How many.
        points: Points,
    },
    /// All lots of the account that are not expired get another expiry.
    Redated {
        /// Whose.
        account: AccountId,
        /// The expiry.
        #[serde(with = "calendar::text")]
        expires_at: Timestamp,
        /// Whether a later expiry stays (and "never" with it).
        only_later: bool,
    },
    /// A hold took its points from this account (see the entries before it).
    HoldOpened {
        /// Whose.
        account: AccountId,
        /// The hold.
        hold: CommandId,
        /// When it times out.
        #[serde(with = "calendar::optional_text")]
        until: Option<Timestamp>,
        /// What is reserved.
        parts: Vec<Take>,
    },
    /// A hold has no more points of this account.
    HoldClosed {
        /// Whose.
        account: AccountId,
        /// The hold.
        hold: CommandId,
    },
    /// Points that count for the cap.
    Counted {
        /// Whose.
        account: AccountId,
        /// How many.
        points: Points,
        /// What was counted before this instant counts no more.
        #[serde(with = "calendar::text")]
        since: Timestamp,
    },
    /// A redemption that counts for the velocity limit.
    Limited {
        /// Whose.
        account: AccountId,
        /// What was counted before this instant counts no more.
        #[serde(with = "calendar::text")]
        since: Timestamp,
    },
    /// Money or points that count towards a tier.
    Qualified {
        /// Whose.
        account: AccountId,
        /// The stretch of time for which they count, by its first instant.
        #[serde(with = "calendar::text")]
        period: Timestamp,
        /// How much; negative in a refund.
        amount: i64,
        /// What counts for earlier times counts no more.
        #[serde(with = "calendar::text")]
        since: Timestamp,
    },
    /// A tier was reached, confirmed, lowered or lost.
    Ranked {
        /// Whose.
        account: AccountId,
        /// The tier and its validity; `None` for no tier.
        term: Option<Term>,
    },
    /// A sale's points change the deferred revenue.
    Deferred {
        /// Whose.
        account: AccountId,
        /// Change of the money allocated to points.
        allocated: i64,
        /// Change of the points issued, net.
        issued: i64,
    },
    /// The stamp card changed.
    Stamped {
        /// Whose.
        account: AccountId,
        /// The card after it.
        card: Card,
    },
    /// Another redemption rate is expected.
    Expected {
        /// The rate.
        urr: Rational,
    },
    /// A later command changed what can be referred to.
    Amended {
        /// Of which command.
        deed: CommandId,
        /// What there is now.
        subject: Box<Subject>,
    },
    /// A command was carried out. The last entry of each.
    Done {
        /// Which.
        id: CommandId,
        /// With what result; shared with the record.
        #[serde(with = "shared")]
        deed: Arc<Deed>,
    },
}

impl Entry {
    /// From which pot to which one how many points go; `None` for an entry that moves no points.
    ///
    /// The double entry: what leaves one pot arrives in another, so every entry sums to zero.
    pub fn posting(&self) -> Option<(Pot, Pot, Points)> {
        match &self.change {
            Change::Opened {
                from,
                points,
                available_at,
                ..
            } => {
                let pending = *available_at > self.at;
                let to = if pending {
                    Pot::Pending
                } else {
                    Pot::Available
                };
                Some((*from, to, *points))
            }
            Change::Moved {
                from, to, points, ..
            } => Some((*from, *to, *points)),
            Change::Matured { points, .. } => Some((Pot::Pending, Pot::Available, *points)),
            Change::Owed { by, points, .. } => Some((*by, Pot::ClawedBack, *points)),
            _ => None,
        }
    }

    /// The account that the entry belongs to, if it belongs to one.
    pub fn account(&self) -> Option<&AccountId> {
        self.change.account()
    }

    /// The record that the entry changes.
    pub fn key(&self) -> Key {
        match &self.change {
            Change::Expected { .. } => Key::Books,
            Change::Amended { deed, .. } => Key::Deed(deed.clone()),
            Change::Done { id, .. } => Key::Deed(id.clone()),
            // Every other change has an account.
            _ => self
                .account()
                .map_or(Key::Books, |account| Key::Member(account.clone())),
        }
    }
}

impl Change {
    pub(crate) fn account(&self) -> Option<&AccountId> {
        match self {
            Change::Joined { account }
            | Change::Opened { account, .. }
            | Change::Moved { account, .. }
            | Change::Matured { account, .. }
            | Change::Owed { account, .. }
            | Change::Redated { account, .. }
            | Change::HoldOpened { account, .. }
            | Change::HoldClosed { account, .. }
            | Change::Counted { account, .. }
            | Change::Limited { account, .. }
            | Change::Qualified { account, .. }
            | Change::Ranked { account, .. }
            | Change::Deferred { account, .. }
            | Change::Stamped { account, .. } => Some(account),
            Change::Expected { .. } | Change::Amended { .. } | Change::Done { .. } => None,
        }
    }
}
