//! A programme that has been checked, in all its versions.

use std::fmt;
use std::sync::Arc;

use super::command::Earn;
use super::member::Member;
use super::points::Points;
use super::programme::{Cap, Expiry, ExpiryFrom, Programme, RestoreExpired, TierKind};
use crate::error::ConfigError;
use crate::event::Timestamp;

/// Points that a programme's data cannot express.
///
/// Called once for each order that is earned by money; what it returns is added after the rounding
/// and before the cap. It must be a pure function of its arguments, or a replay of the same commands
/// will not give the same points.
///
/// ```
/// use std::sync::Arc;
/// use tenure::loyalty::{Earn, EarnRule, Member, Points, Programme, Rules};
/// use tenure::event::Timestamp;
///
/// /// 100 points for the first order.
/// struct Welcome;
///
/// impl EarnRule for Welcome {
///     fn points(&self, _order: &Earn, member: &Member, _now: Timestamp) -> Points {
///         Points(if member.joined().is_none() { 100 } else { 0 })
///     }
/// }
///
/// let rules = Rules::new(Programme::default())?.with_earn_rule(Arc::new(Welcome));
/// # Ok::<(), tenure::Error>(())
/// ```
pub trait EarnRule: Send + Sync {
    /// The additional points of an order, given the member before it; not negative.
    fn points(&self, order: &Earn, member: &Member, now: Timestamp) -> Points;
}

/// A checked programme, in all its versions: each rules from an instant until the next one.
#[derive(Clone)]
pub struct Rules {
    versions: Vec<(Timestamp, Programme)>,
    earn_rules: Vec<Arc<dyn EarnRule>>,
}

impl Rules {
    /// One programme, for all time.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting that is out of range or contradicts another.
    pub fn new(programme: Programme) -> Result<Self, ConfigError> {
        Self::versions(vec![(Timestamp::MIN, programme)])
    }

    /// Several versions, each with the instant from which it rules; ascending.
    ///
    /// What was granted under one version stays as it was granted: expiries are fixed when the lot is
    /// created, and a refund is judged by the points that the order got.
    ///
    /// # Errors
    /// As [`Rules::new`], and for versions out of order, none at all, or tiers that change what is
    /// counted (the totals that members have would lose their meaning).
    pub fn versions(versions: Vec<(Timestamp, Programme)>) -> Result<Self, ConfigError> {
        if versions.is_empty() {
            return Err(ConfigError::OutOfRange {
                setting: "versions",
                value: "empty".to_owned(),
                expected: "at least one version",
            });
        }
        for (_, programme) in &versions {
            check(programme)?;
        }
        for pair in versions.windows(2) {
            let [(earlier, before), (later, after)] = pair else {
                continue;
            };
            if earlier >= later {
                return Err(ConfigError::OutOfRange {
                    setting: "versions",
                    value: format!("{later} after {earlier}"),
                    expected: "in ascending order of their instants",
                });
            }
            let counted = |p: &Programme| p.tiers.as_ref().map(|t| (t.kind, t.unit));
            if counted(before).is_some()
                && counted(after).is_some()
                && counted(before) != counted(after)
            {
                return Err(ConfigError::Conflict {
                    setting: "tiers",
                    other: "tiers of an earlier version",
                    reason: "kind and unit must stay the same",
                });
            }
        }
        Ok(Self {
            versions,
            earn_rules: Vec::new(),
        })
    }

    /// Adds a rule in code; rules add up.
    #[must_use]
    pub fn with_earn_rule(mut self, rule: Arc<dyn EarnRule>) -> Self {
        self.earn_rules.push(rule);
        self
    }

    /// The programme that rules at an instant; `None` before the first version.
    pub fn at(&self, now: Timestamp) -> Option<&Programme> {
        let after = self.versions.partition_point(|(from, _)| *from <= now);
        self.versions
            .get(after.checked_sub(1)?)
            .map(|(_, programme)| programme)
    }

    pub(crate) fn earn_rules(&self) -> &[Arc<dyn EarnRule>] {
        &self.earn_rules
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("versions", &self.versions)
            .field("earn_rules", &self.earn_rules.len())
            .finish()
    }
}

/// Every contradiction in a programme.
fn check(programme: &Programme) -> Result<(), ConfigError> {
    check_earning(programme)?;
    check_expiry(programme)?;
    check_limits(programme)?;
    check_tiers(programme)?;
    if let Some(card) = programme.stamp_card {
        at_least("stamp_card.size", card.size, 1, "at least 1")?;
    }
    if let Some(group) = programme.group {
        at_least("group.size", i64::from(group.size), 2, "at least 2")?;
        at_least("group.seconds", group.seconds, 1, "at least 1")?;
        at_least("group.deposit", group.deposit.0, 0, "not negative")?;
    }
    if let Some(liability) = programme.liability {
        at_least(
            "liability.point_value",
            liability.point_value.num(),
            1,
            "above 0",
        )?;
        check_urr(liability.urr)?;
    }
    Ok(())
}

/// A redemption rate is a share.
pub(crate) fn check_urr(urr: super::rational::Rational) -> Result<(), ConfigError> {
    if (0..=urr.den()).contains(&urr.num()) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange {
            setting: "urr",
            value: urr.to_string(),
            expected: "from 0 to 1",
        })
    }
}

fn check_earning(programme: &Programme) -> Result<(), ConfigError> {
    if programme.earn.is_none() && !programme.earn_rules.is_empty() {
        return Err(ConfigError::Conflict {
            setting: "earn_rules",
            other: "earn",
            reason: "rules that give points for money need a rounding",
        });
    }
    let tiers = programme.tiers.as_ref().map_or(0, |t| t.thresholds.len());
    for (position, rule) in (1..).zip(&programme.earn_rules) {
        let wrong = |setting, value: String, expected| ConfigError::Rule {
            position,
            name: rule
                .category
                .as_ref()
                .or(rule.tag.as_ref())
                .map_or_else(|| rule.rate.to_string(), Clone::clone),
            setting,
            value,
            expected,
        };
        if rule.rate.num() < 0 {
            return Err(wrong("rate", rule.rate.to_string(), "not negative"));
        }
        if let Some(tier) = rule.tier
            && tier as usize > tiers
        {
            return Err(wrong("tier", tier.to_string(), "0 or the number of a tier"));
        }
        if let (Some(from), Some(to)) = (rule.from, rule.to)
            && from >= to
        {
            return Err(wrong("to", to.to_string(), "later than `from`"));
        }
    }
    Ok(())
}

fn check_expiry(programme: &Programme) -> Result<(), ConfigError> {
    let n = match programme.expiry {
        Expiry::Days { n, .. } | Expiry::MonthsExact { n } | Expiry::Inactivity { n } => n,
        Expiry::Never
        | Expiry::MonthsEnd { .. }
        | Expiry::EndOfNextYear
        | Expiry::FixedDate { .. } => 1,
    };
    at_least("expiry.n", i64::from(n), 1, "at least 1")?;
    if let Expiry::Days {
        n,
        from: ExpiryFrom::Earned,
    } = programme.expiry
        && n <= programme.pending_days
    {
        return Err(ConfigError::Conflict {
            setting: "expiry",
            other: "pending_days",
            reason: "points would expire before they can be used",
        });
    }
    if matches!(programme.expiry, Expiry::Inactivity { .. })
        && programme.extend_on_activity.is_some()
    {
        return Err(ConfigError::Conflict {
            setting: "extend_on_activity",
            other: "expiry",
            reason: "inactivity already moves the expiry of all lots",
        });
    }
    if let RestoreExpired::Grace { days } = programme.restore_expired {
        at_least("restore_expired.days", i64::from(days), 1, "at least 1")?;
    }
    Ok(())
}

fn check_limits(programme: &Programme) -> Result<(), ConfigError> {
    match programme.cap {
        Some(Cap::CalendarMonth { points }) => {
            at_least("cap.points", points.0, 0, "not negative")?;
        }
        Some(Cap::Sliding { seconds, points }) => {
            at_least("cap.points", points.0, 0, "not negative")?;
            at_least("cap.seconds", seconds, 1, "at least 1")?;
        }
        None => {}
    }
    if let Some(velocity) = programme.velocity {
        let most = i64::from(velocity.max_redemptions);
        at_least("velocity.max_redemptions", most, 1, "at least 1")?;
        at_least("velocity.seconds", velocity.seconds, 1, "at least 1")?;
    }
    if let Some(least) = programme.redeem_min {
        at_least("redeem_min", least.0, 1, "at least 1")?;
    }
    if let Some(step) = programme.redeem_step {
        at_least("redeem_step", step.0, 1, "at least 1")?;
    }
    if let Some(fee) = programme.transfer_fee {
        at_least("transfer_fee", fee.num(), 0, "not negative")?;
    }
    Ok(())
}

fn check_tiers(programme: &Programme) -> Result<(), ConfigError> {
    let Some(tiers) = &programme.tiers else {
        return Ok(());
    };
    let ascending = tiers.thresholds.is_sorted_by(|a, b| a < b);
    let positive = tiers.thresholds.first().is_some_and(|&first| first > 0);
    if !ascending || !positive || u32::try_from(tiers.thresholds.len()).is_err() {
        return Err(ConfigError::OutOfRange {
            setting: "tiers.thresholds",
            value: format!("{:?}", tiers.thresholds),
            expected: "one or more, ascending, above 0",
        });
    }
    if tiers.soft_landing && tiers.kind != TierKind::CalendarYear {
        return Err(ConfigError::Conflict {
            setting: "tiers.soft_landing",
            other: "tiers.kind",
            reason: "only tiers of calendar years fall by one a year",
        });
    }
    Ok(())
}

fn at_least(
    setting: &'static str,
    value: i64,
    least: i64,
    expected: &'static str,
) -> Result<(), ConfigError> {
    if value >= least {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange {
            setting,
            value: value.to_string(),
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> ConfigError {
        Rules::new(serde_json::from_str(json).unwrap()).unwrap_err()
    }

    #[test]
    fn every_contradiction_is_named() {
        for (json, named) in [
            (r#"{"earn_rules": [{"rate": [1, 100]}]}"#, "earn_rules"),
            (
                r#"{"earn": {"rounding": "floor", "round_scope": "order"}, "earn_rules": [{"rate": [-1, 100]}]}"#,
                "rate",
            ),
            (
                r#"{"earn": {"rounding": "floor", "round_scope": "order"}, "earn_rules": [{"rate": [1, 100], "tier": 1}]}"#,
                "tier",
            ),
            (
                r#"{"earn": {"rounding": "floor", "round_scope": "line"}, "earn_rules":
                    [{"rate": [1, 100], "from": "2025-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}]}"#,
                "later than `from`",
            ),
            (r#"{"expiry": {"kind": "days", "n": 0}}"#, "expiry.n"),
            (
                r#"{"expiry": {"kind": "days", "n": 14}, "pending_days": 14}"#,
                "pending_days",
            ),
            (
                r#"{"expiry": {"kind": "inactivity", "n": 18}, "extend_on_activity": {"months": 6}}"#,
                "extend_on_activity",
            ),
            (
                r#"{"restore_expired": {"kind": "grace", "days": 0}}"#,
                "restore_expired",
            ),
            (
                r#"{"cap": {"kind": "calendar_month", "points": -1}}"#,
                "cap.points",
            ),
            (
                r#"{"cap": {"kind": "sliding", "seconds": 0, "points": 5}}"#,
                "cap.seconds",
            ),
            (
                r#"{"velocity": {"max_redemptions": 0, "seconds": 60}}"#,
                "velocity",
            ),
            (r#"{"redeem_min": 0}"#, "redeem_min"),
            (r#"{"redeem_step": 0}"#, "redeem_step"),
            (r#"{"transfer_fee": [-1, 20]}"#, "transfer_fee"),
            (
                r#"{"tiers": {"kind": "lifetime", "unit": "money", "thresholds": []}}"#,
                "thresholds",
            ),
            (
                r#"{"tiers": {"kind": "lifetime", "unit": "money", "thresholds": [5, 5]}}"#,
                "thresholds",
            ),
            (
                r#"{"tiers": {"kind": "lifetime", "unit": "money", "thresholds": [0, 5]}}"#,
                "thresholds",
            ),
            (
                r#"{"tiers": {"kind": "anniversary", "unit": "money", "thresholds": [5], "soft_landing": true}}"#,
                "soft_landing",
            ),
            (r#"{"stamp_card": {"size": 0}}"#, "stamp_card"),
            (
                r#"{"group": {"size": 1, "seconds": 60, "deposit": 0}}"#,
                "group.size",
            ),
            (
                r#"{"liability": {"point_value": [1, 1], "urr": [101, 100]}}"#,
                "urr",
            ),
            (
                r#"{"liability": {"point_value": [0, 1], "urr": [1, 1]}}"#,
                "point_value",
            ),
        ] {
            let error = refused(json).to_string();
            assert!(error.contains(named), "{json}: {error}");
        }
    }

    #[test]
    fn what_the_format_does_not_know_is_not_read() {
        for json in [
            r#"{"expires": {"kind": "never"}}"#,
            r#"{"expiry": {"kind": "sometime"}}"#,
            r#"{"transfer_fee": [1, 0]}"#,
            r#"{"expiry": {"kind": "fixed_date", "at": "soon"}}"#,
        ] {
            assert!(serde_json::from_str::<Programme>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn each_version_rules_from_its_instant() {
        let named = |n| Programme {
            pending_days: n,
            ..Programme::default()
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let rules = Rules::versions(vec![
            (at("2025-01-01"), named(1)),
            (at("2026-01-01"), named(2)),
        ])
        .unwrap();
        assert!(rules.at(at("2024-12-31T23:59:59Z")).is_none());
        assert_eq!(rules.at(at("2025-01-01")).unwrap().pending_days, 1);
        assert_eq!(
            rules.at(at("2025-12-31T23:59:59Z")).unwrap().pending_days,
            1
        );
        assert_eq!(rules.at(at("2026-01-01")).unwrap().pending_days, 2);
        assert!(Rules::versions(vec![]).is_err());
        assert!(
            Rules::versions(vec![
                (at("2026-01-01"), named(1)),
                (at("2026-01-01"), named(2))
            ])
            .is_err()
        );
    }
}
