//! What a ledger remembers of a command that was carried out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::calendar;
use super::lot::LotNumber;
use super::names::{AccountId, CommandId};
use super::points::Points;
use super::receipt::Receipt;
use crate::error::ConfigError;
use crate::event::Timestamp;

/// A command that was carried out: its digest and first receipt, and what later commands do to it.
///
/// There is at most one for a [`CommandId`]: that is what makes a command safe to send twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// When the command was carried out.
    #[serde(with = "calendar::text")]
    pub at: Timestamp,
    /// What was commanded, as far as it must be known again: see [`Action::digest`](super::Action::digest).
    pub digest: Digest,
    /// What it came to.
    pub receipt: Receipt,
    /// What later commands can refer to.
    pub subject: Subject,
}

/// What stands for an action where it is only to be compared. Written as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; Digest::BYTES]);

impl Digest {
    /// How many bytes it has.
    pub const BYTES: usize = 16;
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::OutOfRange {
            setting: "digest",
            value: text.clone(),
            expected: "32 hexadecimal digits in lower case",
        };
        let value = |digit: &u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut digest = [0; Self::BYTES];
        if pairs.len() != digest.len() || !rest.is_empty() {
            return Err(wrong());
        }
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            let digits = value(high).zip(value(low));
            let (high, low) = digits.ok_or_else(wrong)?;
            *byte = high << 4 | low;
        }
        Ok(Self(digest))
    }
}

/// What of a command later commands can refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// Nothing.
    None,
    /// An order that earned points.
    Order(Order),
    /// A redemption or a capture.
    Redemption {
        /// What was consumed, in that order.
        parts: Vec<Part>,
    },
    /// A hold.
    Hold {
        /// What was reserved, in consumption order.
        parts: Vec<Part>,
        /// When it times out.
        #[serde(with = "calendar::optional_text")]
        until: Option<Timestamp>,
        /// Whether it was captured or released.
        closed: bool,
    },
    /// A team purchase.
    Group(Group),
}

/// An order that earned points, and what was refunded of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Whose.
    pub account: AccountId,
    /// What was paid, in minor units.
    pub money: i64,
    /// What of it was refunded.
    pub refunded: i64,
    /// Points granted.
    pub points: Points,
    /// Points that the order still deserves.
    pub kept: Points,
    /// Its lot, if it got points.
    pub lot: Option<LotNumber>,
    /// Points that expired unspent and made up for points owed.
    pub absorbed: Points,
    /// Whether it counts towards tiers.
    pub qualifying: bool,
    /// The part of the money that belongs to the points, at the sale.
    pub allocated_first: i64,
    /// The same after refunds.
    pub allocated: i64,
}

/// Points of one lot in a redemption or a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Whose.
    pub account: AccountId,
    /// The lot.
    pub lot: LotNumber,
    /// Points that are still consumed or reserved: reversals lower them.
    pub points: Points,
}

/// A team purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// From this instant on nobody can join.
    #[serde(with = "calendar::text")]
    pub deadline: Timestamp,
    /// Members, with the command by which each one came.
    pub members: Vec<(AccountId, CommandId)>,
    /// Whether the team became complete.
    pub formed: bool,
}

/// Where a team purchase stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// Members can join.
    Open,
    /// It became complete in time.
    Formed,
    /// The deadline passed first.
    Failed,
}

impl Group {
    /// Where the team stands at an instant; the deadline itself is too late.
    pub fn state(&self, now: Timestamp) -> GroupState {
        if self.formed {
            GroupState::Formed
        } else if now >= self.deadline {
            GroupState::Failed
        } else {
            GroupState::Open
        }
    }
}

impl Deed {
    /// Shows the accounts that a command which refers to this one will touch, some of them repeatedly.
    pub(crate) fn each_account<'d>(&'d self, visit: impl FnMut(&'d AccountId)) {
        self.subject.each_account(visit);
    }

    /// Whether an account takes part in it.
    pub(crate) fn is_about(&self, account: &AccountId) -> bool {
        self.subject.is_about(account)
    }
}

impl Subject {
    /// Whether an account takes part in it.
    pub(crate) fn is_about(&self, account: &AccountId) -> bool {
        let mut found = false;
        self.each_account(|other| found |= other == account);
        found
    }

    /// Shows the accounts that take part in it, some of them repeatedly.
    fn each_account<'d>(&'d self, mut visit: impl FnMut(&'d AccountId)) {
        match self {
            Subject::None => {}
            Subject::Order(order) => visit(&order.account),
            Subject::Redemption { parts } | Subject::Hold { parts, .. } => {
                parts.iter().for_each(|part| visit(&part.account));
            }
            Subject::Group(group) => group.members.iter().for_each(|(account, _)| visit(account)),
        }
    }
}
