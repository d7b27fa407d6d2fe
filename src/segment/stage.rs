//! The stages of a lifecycle, and their limits in days.

use serde::{Deserialize, Serialize};

use super::SegmentId;
use crate::error::ConfigError;

/// Where a customer stands in the life of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Bought for the first time not long ago.
    New,
    /// Buys as usual.
    Active,
    /// Quiet for longer than usual.
    AtRisk,
    /// Quiet for so long that they would count as come back if they bought again.
    Dormant,
    /// Quiet for so long that they are not expected to return by themselves.
    Lost,
    /// Was dormant or lost until the last purchase, and bought again.
    Resurrected,
}

impl Stage {
    /// All stages, in the order of their [`SegmentId`]s.
    pub const ALL: [Stage; 6] = [
        Stage::New,
        Stage::Active,
        Stage::AtRisk,
        Stage::Dormant,
        Stage::Lost,
        Stage::Resurrected,
    ];

    /// The stage's name: `AtRisk`.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::New => "New",
            Stage::Active => "Active",
            Stage::AtRisk => "AtRisk",
            Stage::Dormant => "Dormant",
            Stage::Lost => "Lost",
            Stage::Resurrected => "Resurrected",
        }
    }

    /// The stage's number among [`Stage::ALL`].
    pub const fn id(self) -> SegmentId {
        SegmentId(self as u32)
    }
}

/// How long a silence makes a stage, in days that are the same for every customer.
///
/// A rule that everybody understands, right where all customers buy at one pace (a subscription,
/// a season ticket), wrong where some buy weekly and others yearly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// A customer is new for fewer than so many days after the first purchase; from 1 to `dormant_days`.
    pub new_days: u32,
    /// At risk from so many days after the last purchase; at least 1.
    pub at_risk_days: u32,
    /// Dormant from so many days after the last purchase; more than `at_risk_days`.
    pub dormant_days: u32,
    /// Lost from so many days after the last purchase; more than `dormant_days`.
    pub lost_days: u32,
}

impl Windows {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let bad = |setting, value: u32, expected| {
            let value = value.to_string();
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        if self.at_risk_days == 0 {
            return bad("at_risk_days", 0, "at least 1");
        }
        if self.dormant_days <= self.at_risk_days {
            return bad(
                "dormant_days",
                self.dormant_days,
                "more than `at_risk_days`",
            );
        }
        if self.lost_days <= self.dormant_days {
            return bad("lost_days", self.lost_days, "more than `dormant_days`");
        }
        if self.new_days == 0 || self.new_days > self.dormant_days {
            return bad("new_days", self.new_days, "from 1 to `dormant_days`");
        }
        Ok(())
    }
}
