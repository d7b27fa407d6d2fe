//! A programme's rules, as data.

use serde::{Deserialize, Serialize};

use super::calendar;
use super::points::Points;
use super::rational::{Rational, Rounding};
use crate::event::Timestamp;

/// The rules of a loyalty programme, as plain data.
///
/// What is left out is not in the programme: without `tiers` there are no tiers, without `expiry`
/// points never expire. [`Rules`](super::Rules) checks a programme before a ledger will have it.
///
/// ```
/// use tenure::loyalty::{Expiry, Programme, Rules};
///
/// let programme: Programme = serde_json::from_str(r#"{
///     "earn": {"rounding": "floor", "round_scope": "order"},
///     "earn_rules": [{"rate": [1, 100]}],
///     "expiry": {"kind": "months_end", "n": 6}
/// }"#)?;
/// assert_eq!(programme.expiry, Expiry::MonthsEnd { n: 6 });
/// let rules = Rules::new(programme)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Programme {
    /// How points for money are rounded; needed when there are `earn_rules`.
    pub earn: Option<Earning>,
    /// Points for money: the rates of all matching rules add up.
    pub earn_rules: Vec<RateRule>,
    /// When points expire.
    pub expiry: Expiry,
    /// Days of 24 hours after which earned points can be used.
    pub pending_days: u32,
    /// Earning moves the expiry of all live lots.
    pub extend_on_activity: Option<Extension>,
    /// Which lot is consumed first.
    pub consume: Consume,
    /// What becomes of points that return to a lot whose time has passed.
    pub restore_expired: RestoreExpired,
    /// How the points that a partly refunded order keeps are rounded.
    pub refund_keep_rounding: Rounding,
    /// From what a refund takes points back that are no longer in the order's lot.
    pub clawback: Clawback,
    /// The most points that can be earned in a stretch of time.
    pub cap: Option<Cap>,
    /// The most redemptions in a stretch of time.
    pub velocity: Option<Velocity>,
    /// The fewest points of one redemption.
    pub redeem_min: Option<Points>,
    /// Redemptions are multiples of this.
    pub redeem_step: Option<Points>,
    /// The fee of a transfer, in points per point, rounded up.
    pub transfer_fee: Option<Rational>,
    /// Levels that members reach.
    pub tiers: Option<Tiers>,
    /// A card of stamps.
    pub stamp_card: Option<StampCard>,
    /// Team purchases.
    pub group: Option<GroupRules>,
    /// What a sale's points are worth in the books of the shop.
    pub liability: Option<LiabilityRules>,
}

/// Where the one rounding happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earning {
    /// How.
    pub rounding: Rounding,
    /// Over what.
    pub round_scope: RoundScope,
}

/// What is added up exactly before it is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundScope {
    /// All lines of an order.
    Order,
    /// Each line for itself.
    Line,
}

/// Points per minor unit of money, for the lines and orders that match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateRule {
    /// Points per minor unit; not negative.
    pub rate: Rational,
    /// Only lines of this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Only orders with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only members of this tier; 0 is no tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<u32>,
    /// Only from this instant on.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "calendar::optional_text"
    )]
    pub from: Option<Timestamp>,
    /// Only before this instant.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "calendar::optional_text"
    )]
    pub to: Option<Timestamp>,
    /// The first exclusive rule that matches replaces all others for that line.
    #[serde(default)]
    pub exclusive: bool,
}

impl RateRule {
    /// A rule that matches every line of every order.
    pub fn everything(rate: Rational) -> Self {
        Self {
            rate,
            category: None,
            tag: None,
            tier: None,
            from: None,
            to: None,
            exclusive: false,
        }
    }
}

/// When a lot expires. All calendar arithmetic is in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Expiry {
    /// Never.
    #[default]
    Never,
    /// `n` days of 24 hours after the points were earned, or after they became available.
    Days {
        /// How many days; at least 1.
        n: u32,
        /// From which instant the days are counted.
        #[serde(default)]
        from: ExpiryFrom,
    },
    /// At the end of the `n`-th calendar month after the one in which the points were earned.
    MonthsEnd {
        /// How many months.
        n: u32,
    },
    /// On the same day and time `n` calendar months later.
    MonthsExact {
        /// How many months; at least 1.
        n: u32,
    },
    /// At the end of the calendar year after the one in which the points were earned.
    EndOfNextYear,
    /// At an instant.
    FixedDate {
        /// The instant.
        #[serde(with = "calendar::text")]
        at: Timestamp,
    },
    /// All lots of an account together, `n` calendar months after its last activity: earning,
    /// redeeming, capturing, transferring (both sides).
    Inactivity {
        /// How many months; at least 1.
        n: u32,
    },
}

/// From which instant the days of [`Expiry::Days`] are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryFrom {
    /// When the points were earned.
    #[default]
    Earned,
    /// When they became available.
    Available,
}

/// Each earning moves the expiry of every live lot to the end of a later month, if that is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Whole calendar months after the month of the activity.
    pub months: u32,
}

/// Which lot is consumed first; ties go to the lower lot number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consume {
    /// The one that expires first, then the one that was earned first.
    #[default]
    ExpiryFirst,
    /// The one that was earned first.
    OldestFirst,
}

/// What becomes of points that a reversal returns to a lot whose time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RestoreExpired {
    /// They expire at once.
    #[default]
    Expire,
    /// They are issued again, as a new lot.
    Grace {
        /// Days of 24 hours until the new lot expires; at least 1.
        days: u32,
    },
}

/// From what a refund takes points back. First always come the free points of the order's own
/// lot, then its expired ones, for which nothing is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clawback {
    /// From other usable lots, then as a debt.
    #[default]
    OwnLotThenOthersThenDebt,
    /// As a debt (which usable points repay at once).
    OwnLotThenDebt,
    /// Not at all.
    OwnLotThenWriteOff,
}

/// The most points that can be earned; what goes beyond is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cap {
    /// In a calendar month (UTC).
    CalendarMonth {
        /// At most; not negative.
        points: Points,
    },
    /// In any stretch of time.
    Sliding {
        /// The stretch; at least 1.
        seconds: i64,
        /// At most; not negative.
        points: Points,
    },
}

/// The most redemptions in any stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Velocity {
    /// At most; at least 1.
    pub max_redemptions: u32,
    /// The stretch; at least 1.
    pub seconds: i64,
}

/// Levels that members reach by what they buy or earn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// Over what time is counted and how long a tier lasts.
    pub kind: TierKind,
    /// What is counted.
    pub unit: TierUnit,
    /// What is needed for tier 1, 2, …; ascending, above 0.
    pub thresholds: Vec<i64>,
    /// A tier that is not reached again falls by one a year, not at once. Calendar years only.
    #[serde(default)]
    pub soft_landing: bool,
}

impl Tiers {
    /// The level of a total: the number of thresholds that it reaches.
    pub fn level(&self, total: i64) -> u32 {
        // At most as many as the thresholds, which fit into 32 bits (checked).
        self.thresholds.partition_point(|&needed| needed <= total) as u32
    }
}

/// Over what time a tier's total is counted, and how long the tier lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierKind {
    /// Over a calendar year (UTC); valid to the end of the next one.
    CalendarYear,
    /// Over the last 12 months; valid 12 months from the day it was reached.
    Anniversary,
    /// Over all time.
    Lifetime,
}

/// What counts towards a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierUnit {
    /// Minor units of money.
    Money,
    /// Points.
    Points,
}

/// A stamp card: a full card is a reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StampCard {
    /// Stamps of a full card; at least 1.
    pub size: i64,
}

/// Team purchases: members commit a deposit, which is spent when the team is complete in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRules {
    /// Members of a complete team; at least 2.
    pub size: u32,
    /// Seconds from the opening to the deadline; at least 1.
    pub seconds: i64,
    /// Points that each member commits; 0 for none.
    #[serde(default)]
    pub deposit: Points,
}

/// What a sale's points are worth in the books of the shop (IFRS 15, B39–B43).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiabilityRules {
    /// The stand-alone price of a point, in minor units of money; above 0.
    pub point_value: Rational,
    /// The ultimate redemption rate: the share of points that will be redeemed; 0 to 1.
    pub urr: Rational,
}
