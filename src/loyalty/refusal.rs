//! Refusals: why a command was not carried out.

use thiserror::Error;

use super::apply::Misfit;
use super::names::{AccountId, CommandId};
use super::points::Points;
use crate::event::Timestamp;

/// Why a command was not carried out. It left no trace; its name may be used again.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not enough usable points.
    #[error("{needed} points are needed, {available} are available")]
    InsufficientAvailable {
        /// What the command needs.
        needed: Points,
        /// What there is, less debts.
        available: Points,
    },
    /// Fewer points than the programme's `redeem_min`.
    #[error("{points} points are below the minimum of {minimum}")]
    BelowMinimum {
        /// What was asked for.
        points: Points,
        /// The programme's minimum.
        minimum: Points,
    },
    /// Not a multiple of the programme's `redeem_step`.
    #[error("{points} points are not a multiple of {step}")]
    NotAMultiple {
        /// What was asked for.
        points: Points,
        /// The programme's step.
        step: Points,
    },
    /// Too many redemptions in the programme's stretch of time.
    #[error("account `{account}` already redeemed {redemptions} times in {seconds} seconds")]
    VelocityLimit {
        /// Whose limit.
        account: AccountId,
        /// Redemptions in the stretch.
        redemptions: u32,
        /// The stretch.
        seconds: i64,
    },
    /// No order or redemption of that name.
    #[error("there is no command `{reference}` that this one could refer to")]
    UnknownReference {
        /// What was referred to.
        reference: CommandId,
    },
    /// More points than are left of the redemption.
    #[error("{points} points were to be restored; {left} are left")]
    ExceedsReversible {
        /// What was asked for.
        points: Points,
        /// What is left.
        left: Points,
    },
    /// More money than is left of the order.
    #[error("{money} minor units were to be refunded; {left} are left")]
    ExceedsRefundable {
        /// What was asked for.
        money: i64,
        /// What is left.
        left: i64,
    },
    /// No hold of that name.
    #[error("there is no hold `{hold}`")]
    UnknownHold {
        /// What was referred to.
        hold: CommandId,
    },
    /// The hold was captured or released, or timed out.
    #[error("the hold `{hold}` is closed")]
    HoldClosed {
        /// The hold.
        hold: CommandId,
    },
    /// More points than the hold has.
    #[error("{points} points were to be captured; the hold has {held}")]
    ExceedsHold {
        /// What was asked for.
        points: Points,
        /// What is held.
        held: Points,
    },
    /// Another command of that name was carried out.
    #[error("another command was carried out under the name `{id}`")]
    IdempotencyConflict {
        /// The name.
        id: CommandId,
    },
    /// The team's deadline has passed.
    #[error("the deadline of the group `{group}` was {deadline}")]
    GroupDeadlinePassed {
        /// The group.
        group: CommandId,
        /// Its deadline.
        deadline: Timestamp,
    },
    /// The team is complete.
    #[error("the group `{group}` is complete")]
    GroupFull {
        /// The group.
        group: CommandId,
    },
    /// The account is in the team.
    #[error("account `{account}` is a member of the group `{group}`")]
    AlreadyMember {
        /// Who.
        account: AccountId,
        /// The group.
        group: CommandId,
    },
    /// No team of that name.
    #[error("there is no group `{group}`")]
    UnknownGroup {
        /// What was referred to.
        group: CommandId,
    },
    /// An account stands where another one is needed.
    #[error("account `{account}` is named twice")]
    SameAccount {
        /// Which.
        account: AccountId,
    },
    /// A number that makes no sense there.
    #[error("the {what} is {value}; it must be {expected}")]
    InvalidAmount {
        /// Which number.
        what: &'static str,
        /// What was given.
        value: i64,
        /// What would be right.
        expected: &'static str,
    },
    /// The programme has no rules for this.
    #[error("the programme has no `{rules}`")]
    NotInProgramme {
        /// The missing rules, as the programme's field is named.
        rules: &'static str,
    },
    /// No version of the programme rules at that instant.
    #[error("no version of the programme rules at {at}")]
    NoProgramme {
        /// When.
        at: Timestamp,
    },
    /// The account has entries of a later instant.
    #[error("the command is of {at}, but account `{account}` has entries of {as_of}")]
    TimeGoesBack {
        /// The account.
        account: AccountId,
        /// The command's instant.
        at: Timestamp,
        /// The account's.
        as_of: Timestamp,
    },
    /// A number would leave 64 bits, or an instant the calendar.
    #[error("the {what} would leave its range")]
    Overflow {
        /// Which number.
        what: &'static str,
    },
    /// The entries that the command asks for do not fit the books.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

impl Refusal {
    /// The refusal's short name, for programs: `insufficient_available`.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::InsufficientAvailable { .. } => "insufficient_available",
            Refusal::BelowMinimum { .. } => "below_minimum",
            Refusal::NotAMultiple { .. } => "not_a_multiple",
            Refusal::VelocityLimit { .. } => "velocity_limit",
            Refusal::UnknownReference { .. } => "unknown_reference",
            Refusal::ExceedsReversible { .. } => "exceeds_reversible",
            Refusal::ExceedsRefundable { .. } => "exceeds_refundable",
            Refusal::UnknownHold { .. } => "unknown_hold",
            Refusal::HoldClosed { .. } => "hold_closed",
            Refusal::ExceedsHold { .. } => "exceeds_hold",
            Refusal::IdempotencyConflict { .. } => "idempotency_conflict",
            Refusal::GroupDeadlinePassed { .. } => "group_deadline_passed",
            Refusal::GroupFull { .. } => "group_full",
            Refusal::AlreadyMember { .. } => "already_member",
            Refusal::UnknownGroup { .. } => "unknown_group",
            Refusal::SameAccount { .. } => "same_account",
            Refusal::InvalidAmount { .. } => "invalid_amount",
            Refusal::NotInProgramme { .. } => "not_in_programme",
            Refusal::NoProgramme { .. } => "no_programme",
            Refusal::TimeGoesBack { .. } => "time_goes_back",
            Refusal::Overflow { .. } | Refusal::Misfit(Misfit::Overflow { .. }) => "overflow",
            Refusal::Misfit(_) => "misfit",
        }
    }
}
