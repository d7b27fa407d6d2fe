//! Commands: what a ledger can be asked to do.

use std::slice::from_ref;

use serde::{Deserialize, Serialize};

use super::calendar;
use super::names::{AccountId, CommandId};
use super::points::Points;
use super::rational::Rational;
use crate::event::Timestamp;

/// Something to do, at an instant, under a name of its own.
///
/// The same name with the same action gives the first result again, however often it is sent; the
/// same name with another action is refused. In JSON a command is one flat object:
///
/// ```
/// use tenure::loyalty::{Command, Earn};
///
/// let command: Command = serde_json::from_str(
///     r#"{"op": "earn", "id": "o-1", "at": "2025-01-01T00:00:00Z", "account": "ann", "money": 1299}"#,
/// )?;
/// let at = "2025-01-01T00:00:00Z".parse()?;
/// assert_eq!(command, Command::new("o-1", at, Earn::money("ann", 1299)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// The command's name, unique over the ledger.
    pub id: CommandId,
    /// When: all due events up to this instant happen first. For one account time never goes back.
    #[serde(with = "calendar::text")]
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub action: Action,
}

impl Command {
    /// A command.
    pub fn new(id: impl Into<CommandId>, at: Timestamp, action: impl Into<Action>) -> Self {
        Self {
            id: id.into(),
            at,
            action: action.into(),
        }
    }
}

/// What a ledger can be asked to do. Points or money that are left out mean all that is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Points for an order, or as a gift.
    Earn(Earn),
    /// Spends points.
    Redeem(Redeem),
    /// Undoes a redemption or a capture: points go back to their lots, last consumed first.
    ReverseRedeem {
        /// The redemption or the capture.
        #[serde(rename = "ref")]
        redemption: CommandId,
        /// How many points.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        points: Option<Points>,
    },
    /// Money of an order goes back, and the points that it no longer deserves.
    Refund {
        /// The order.
        #[serde(rename = "ref")]
        order: CommandId,
        /// How much, in minor units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        money: Option<i64>,
    },
    /// Reserves points.
    Hold(Hold),
    /// Spends reserved points and releases the rest; the hold is closed.
    Capture {
        /// The hold.
        hold: CommandId,
        /// How many points.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        points: Option<Points>,
    },
    /// Gives all reserved points back; the hold is closed.
    Release {
        /// The hold.
        hold: CommandId,
    },
    /// A correction or a goodwill.
    Adjust(Adjust),
    /// Points go to another member, with their expiry.
    Transfer {
        /// From whom.
        from: AccountId,
        /// To whom.
        to: AccountId,
        /// How many points arrive; a fee comes on top.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        points: Option<Points>,
    },
    /// Opens a team purchase and joins it.
    GroupOpen {
        /// Who.
        account: AccountId,
    },
    /// Joins a team purchase.
    GroupJoin {
        /// Who.
        account: AccountId,
        /// The command that opened it.
        group: CommandId,
    },
    /// Adds stamps to a card.
    Stamp {
        /// Whose.
        account: AccountId,
        /// How many; above 0.
        count: i64,
    },
    /// Takes stamps from a card, breaking rewards where they run out.
    Unstamp {
        /// Whose.
        account: AccountId,
        /// How many; above 0.
        count: i64,
    },
    /// From now on another share of all points is expected to be redeemed.
    SetUrr {
        /// The ultimate redemption rate, 0 to 1.
        urr: Rational,
    },
}

/// Points for an order, or as a gift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Earn {
    /// Whose.
    pub account: AccountId,
    /// For what.
    #[serde(flatten)]
    pub basis: Basis,
    /// The category of an order without lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Tags of the order: campaigns, channels, stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When the points expire, instead of the programme's expiry.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "calendar::optional_text"
    )]
    pub expires_at: Option<Timestamp>,
    /// Days until the points can be used, instead of the programme's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_days: Option<u32>,
    /// Does not count towards tiers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub non_qualifying: bool,
}

/// For what points are earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// An order of that much money, in minor units; not negative.
    Money(i64),
    /// An order, line by line.
    Lines(Vec<Line>),
    /// A number of points, whatever the rules say; not negative.
    Points(Points),
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// In minor units; not negative.
    pub money: i64,
    /// What was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}

impl Earn {
    /// Points for an order of that much money, in minor units.
    pub fn money(account: impl Into<AccountId>, minor: i64) -> Self {
        Self::new(account, Basis::Money(minor))
    }

    /// Points for an order, line by line.
    pub fn lines(account: impl Into<AccountId>, lines: Vec<Line>) -> Self {
        Self::new(account, Basis::Lines(lines))
    }

    /// Points as a gift, whatever the rules for orders say.
    pub fn points(account: impl Into<AccountId>, points: Points) -> Self {
        Self::new(account, Basis::Points(points))
    }

    fn new(account: impl Into<AccountId>, basis: Basis) -> Self {
        Self {
            account: account.into(),
            basis,
            category: None,
            tags: Vec::new(),
            expires_at: None,
            pending_days: None,
            non_qualifying: false,
        }
    }
}

/// Whose points are spent or reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purse {
    /// Those of one member.
    #[serde(rename = "account")]
    Single(AccountId),
    /// Those of several members together (a household), in consumption order.
    #[serde(rename = "accounts")]
    Pool(Vec<AccountId>),
}

impl Purse {
    /// The accounts.
    pub fn accounts(&self) -> &[AccountId] {
        match self {
            Purse::Single(account) => from_ref(account),
            Purse::Pool(accounts) => accounts,
        }
    }
}

/// Spends points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeem {
    /// Whose.
    #[serde(flatten)]
    pub purse: Purse,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Points>,
}

impl Redeem {
    /// Spends points of one member.
    pub fn points(account: impl Into<AccountId>, points: Points) -> Self {
        Self {
            purse: Purse::Single(account.into()),
            points: Some(points),
        }
    }
}

/// Reserves points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Whose.
    #[serde(flatten)]
    pub purse: Purse,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Points>,
    /// Seconds until the hold times out; above 0. Without it the hold stays until it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<i64>,
}

impl Hold {
    /// Reserves points of one member, with or without a time-out.
    pub fn points(account: impl Into<AccountId>, points: Points, ttl_s: Option<i64>) -> Self {
        Self {
            purse: Purse::Single(account.into()),
            points: Some(points),
            ttl_s,
        }
    }
}

/// A correction or a goodwill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjust {
    /// Whose.
    pub account: AccountId,
    /// How many points; negative to take some.
    pub points: Points,
    /// When given points expire, instead of the programme's expiry.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "calendar::optional_text"
    )]
    pub expires_at: Option<Timestamp>,
    /// Taken points may become a debt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_negative: bool,
}

impl Adjust {
    /// Gives points, or takes them when negative.
    pub fn points(account: impl Into<AccountId>, points: Points) -> Self {
        Self {
            account: account.into(),
            points,
            expires_at: None,
            allow_negative: false,
        }
    }
}

macro_rules! action {
    ($($name:ident),*) => {$(
        impl From<$name> for Action {
            fn from(action: $name) -> Action {
                Action::$name(action)
            }
        }
    )*};
}

action!(Earn, Redeem, Hold, Adjust);

impl Action {
    /// The accounts that the action names.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        let (first, second): (&[AccountId], &[AccountId]) = match self {
            Action::Earn(Earn { account, .. })
            | Action::Adjust(Adjust { account, .. })
            | Action::GroupOpen { account }
            | Action::GroupJoin { account, .. }
            | Action::Stamp { account, .. }
            | Action::Unstamp { account, .. } => (from_ref(account), &[]),
            Action::Redeem(Redeem { purse, .. }) | Action::Hold(Hold { purse, .. }) => {
                (purse.accounts(), &[])
            }
            Action::Transfer { from, to, .. } => (from_ref(from), from_ref(to)),
            Action::ReverseRedeem { .. }
            | Action::Refund { .. }
            | Action::Capture { .. }
            | Action::Release { .. }
            | Action::SetUrr { .. } => (&[], &[]),
        };
        first.iter().chain(second)
    }

    /// The earlier command that the action refers to: its accounts are touched, too.
    pub fn reference(&self) -> Option<&CommandId> {
        match self {
            Action::ReverseRedeem { redemption, .. } => Some(redemption),
            Action::Refund { order, .. } => Some(order),
            Action::Capture { hold, .. } | Action::Release { hold } => Some(hold),
            Action::GroupJoin { group, .. } => Some(group),
            _ => None,
        }
    }
}
