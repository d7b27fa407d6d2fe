//! Receipts: what a command came to.

use serde::{Deserialize, Serialize};

use super::deed::GroupState;
use super::lot::{LotNumber, Take};
use super::points::Points;

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "receipt", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Receipt {
    /// Points were earned.
    Earned {
        /// How many.
        points: Points,
        /// Their lot; none when there are no points.
        lot: Option<LotNumber>,
        /// Points that the cap refused.
        capped: Points,
    },
    /// Points were spent.
    Redeemed {
        /// In the order of consumption.
        consumed: Vec<Take>,
    },
    /// Points of a redemption came back.
    Reversed {
        /// Last consumed first.
        restored: Vec<Restored>,
    },
    /// Money of an order went back.
    Refunded {
        /// Points taken back.
        clawed: Vec<Take>,
        /// Points that had expired unspent, for which nothing is owed.
        absorbed_by_expiry: Points,
        /// Points that the member now owes.
        debt_added: Points,
        /// Points that were not asked back.
        written_off: Points,
    },
    /// Points were reserved.
    Held {
        /// In the order of consumption.
        reserved: Vec<Take>,
    },
    /// Reserved points were spent.
    Captured {
        /// In the order of consumption.
        consumed: Vec<Take>,
        /// How many were not spent.
        released: Points,
    },
    /// Reserved points were given back.
    Released {
        /// How many.
        released: Points,
    },
    /// Points were given.
    Given {
        /// Their lot.
        lot: LotNumber,
    },
    /// Points were taken.
    Taken {
        /// In the order of consumption.
        consumed: Vec<Take>,
    },
    /// Points went to another member.
    Transferred {
        /// From the sender's lots.
        moved: Vec<Take>,
        /// To the receiver's new lots.
        received: Vec<Take>,
        /// Paid by the sender on top.
        fee: Vec<Take>,
    },
    /// A team purchase was opened or joined.
    Joined {
        /// Where it stands.
        state: GroupState,
        /// Its members.
        members: u32,
    },
    /// Stamps were added.
    Stamped {
        /// Stamps on the card.
        stamps: i64,
        /// Rewards of full cards.
        rewards: i64,
        /// Rewards that these stamps completed.
        new_rewards: i64,
    },
    /// Stamps were taken.
    Unstamped {
        /// Stamps on the card.
        stamps: i64,
        /// Rewards that are left.
        rewards: i64,
    },
    /// It was noted.
    Noted {},
}

/// Points that came back, written `[lot, points, how]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "(LotNumber, Points, Restoration)",
    into = "(LotNumber, Points, Restoration)"
)]
pub struct Restored {
    /// The lot that has them now: the original one, or the new one when they were issued again.
    pub lot: LotNumber,
    /// How many.
    pub points: Points,
    /// What became of them.
    pub how: Restoration,
}

/// What became of points that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restoration {
    /// They are in their lot again.
    Restored,
    /// Their lot's time has passed: they expired at once.
    Expired,
    /// Their lot's time has passed: they were issued again.
    Reissued,
}

impl From<(LotNumber, Points, Restoration)> for Restored {
    fn from((lot, points, how): (LotNumber, Points, Restoration)) -> Self {
        Self { lot, points, how }
    }
}

impl From<Restored> for (LotNumber, Points, Restoration) {
    fn from(restored: Restored) -> Self {
        (restored.lot, restored.points, restored.how)
    }
}

/// A receipt, and whether the command had been carried out before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The receipt of the first time.
    pub receipt: Receipt,
    /// Whether this was a repetition, which changed nothing.
    pub replayed: bool,
}
