//! Lots: points that were granted together and expire together.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::calendar;
use super::points::Points;
use super::programme::Consume;
use crate::event::Timestamp;

/// The number of a lot: from 1, in the order of creation, over all accounts of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LotNumber(pub u64);

impl fmt::Display for LotNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Points that were granted together: what became of each of them.
///
/// At every moment `granted = free + held + spent + expired + clawed_back + moved_out`, and none of
/// them is below 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The lot's number.
    #[serde(rename = "lot")]
    pub number: LotNumber,
    /// What was granted.
    pub granted: Points,
    /// What can still be used, or will be once the lot has matured.
    pub free: Points,
    /// What open holds have reserved.
    pub held: Points,
    /// What was redeemed, and what was paid as fees.
    pub spent: Points,
    /// What expired unspent.
    pub expired: Points,
    /// What refunds, corrections and debts took back.
    pub clawed_back: Points,
    /// What went to another member.
    pub moved_out: Points,
    /// When the points were earned; kept in a transfer.
    #[serde(with = "calendar::text")]
    pub earned_at: Timestamp,
    /// From when the points can be used.
    #[serde(with = "calendar::text")]
    pub available_at: Timestamp,
    /// The first instant at which the points are expired; `None` never.
    #[serde(with = "calendar::optional_text")]
    pub expires_at: Option<Timestamp>,
    /// Whether the free points are still pending; ended by the entry of the maturity.
    pub pending: bool,
}

impl Lot {
    /// Whether the lot's time has passed: the instant itself is expired.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| now >= expires_at)
    }

    /// Points that can be used at once.
    pub fn usable(&self) -> Points {
        if self.pending {
            Points::ZERO
        } else {
            self.free
        }
    }

    /// The column that holds the points of a pot, if a lot has one.
    pub(crate) fn column(&mut self, pot: Pot) -> Option<&mut Points> {
        match pot {
            Pot::Pending | Pot::Available => Some(&mut self.free),
            Pot::Held => Some(&mut self.held),
            Pot::Redeemed => Some(&mut self.spent),
            Pot::Expired => Some(&mut self.expired),
            Pot::ClawedBack | Pot::Debt => Some(&mut self.clawed_back),
            Pot::Transfer => Some(&mut self.moved_out),
            Pot::Issued | Pot::WrittenOff => None,
        }
    }

    /// What is lower is consumed first.
    pub(crate) fn consumption_order(&self, consume: Consume) -> ConsumptionOrder {
        let expires_at = match consume {
            Consume::OldestFirst => None,
            Consume::ExpiryFirst => self.expires_at,
        };
        // Never comes last.
        let expiry = (expires_at.is_none(), expires_at);
        (expiry, self.earned_at, self.number)
    }
}

/// Whether and when a lot expires, if that matters, when it was earned, and its number.
pub(crate) type ConsumptionOrder = ((bool, Option<Timestamp>), Timestamp, LotNumber);

/// The accounts of the double-entry books: every entry takes points from one and puts them into another.
///
/// Points come out of `Issued` (whose balance is therefore minus everything granted) and lie in one
/// of the others until the end of time; over all pots a member's points always sum to 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pot {
    /// Where points come from.
    Issued,
    /// Granted, not yet usable.
    Pending,
    /// Usable.
    Available,
    /// Reserved by an open hold.
    Held,
    /// Spent on rewards and fees.
    Redeemed,
    /// Expired unspent.
    Expired,
    /// Taken back by refunds and corrections.
    ClawedBack,
    /// On the way from one member to another; 0 over all members.
    Transfer,
    /// What the member owes: minus the debt.
    Debt,
    /// What was not asked back from the member: minus the amount.
    WrittenOff,
}

impl Pot {
    /// All pots.
    pub const ALL: [Pot; 10] = [
        Pot::Issued,
        Pot::Pending,
        Pot::Available,
        Pot::Held,
        Pot::Redeemed,
        Pot::Expired,
        Pot::ClawedBack,
        Pot::Transfer,
        Pot::Debt,
        Pot::WrittenOff,
    ];
}

/// Points of one lot, written `[lot, points]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(LotNumber, Points)", into = "(LotNumber, Points)")]
pub struct Take {
    /// The lot.
    pub lot: LotNumber,
    /// How many of its points.
    pub points: Points,
}

impl From<(LotNumber, Points)> for Take {
    fn from((lot, points): (LotNumber, Points)) -> Self {
        Self { lot, points }
    }
}

impl From<Take> for (LotNumber, Points) {
    fn from(take: Take) -> Self {
        (take.lot, take.points)
    }
}
