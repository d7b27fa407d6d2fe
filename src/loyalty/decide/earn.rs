//! Earning: rates, the one rounding, the cap, the new lot.

use super::super::calendar;
use super::super::command::{Basis, Earn, Line};
use super::super::deed::{Order, Subject};
use super::super::entry::Change;
use super::super::lot::Pot;
use super::super::points::Points;
use super::super::programme::{Cap, RateRule, RoundScope, TierUnit};
use super::super::rational::{ExactSum, Rounding};
use super::super::receipt::Receipt;
use super::super::refusal::Refusal;
use super::draft::{Draft, NewLot, Who};
use super::tier;

pub(super) fn earn(draft: &mut Draft<'_>, earn: &Earn) -> Result<(Receipt, Subject), Refusal> {
    let who = draft.who(&earn.account);
    let money = money(earn)?;
    let before_cap = match earn.basis {
        Basis::Points(points) => not_negative("points", points.0).map(Points)?,
        Basis::Money(_) | Basis::Lines(_) => for_order(draft, who, earn)?,
    };
    draft.join(who)?;
    let points = before_cap.min(room(draft, who)?);
    let now = draft.now;
    let pending_days = earn.pending_days.unwrap_or(draft.programme.pending_days);
    let Some(available_at) = calendar::days_later(now, i64::from(pending_days)) else {
        let what = "end of the pending time";
        return Err(Refusal::Overflow { what });
    };
    let expires_at = match earn.expires_at {
        Some(expires_at) => Some(expires_at),
        None => draft.expiry(available_at)?,
    };
    let lot = if points.0 > 0 {
        let lot = NewLot {
            from: Pot::Issued,
            points,
            earned_at: now,
            available_at,
            expires_at,
        };
        Some(draft.open_lot(who, lot)?)
    } else {
        None
    };
    count_for_cap(draft, who, points)?;
    let qualifying = !earn.non_qualifying;
    if let (Some(tiers), true) = (&draft.programme.tiers, qualifying) {
        let amount = match tiers.unit {
            TierUnit::Money => money,
            TierUnit::Points => points.0,
        };
        tier::qualify(draft, who, amount, now)?;
    }
    let allocated = allocate(draft, money, points)?;
    if draft.programme.liability.is_some() {
        draft.post(who, |account| Change::Deferred {
            account,
            allocated,
            issued: points.0,
        })?;
    }
    extend(draft, who)?;
    draft.activity(who)?;
    let order = Order {
        account: earn.account.clone(),
        money,
        refunded: 0,
        points,
        kept: points,
        lot,
        absorbed: Points::ZERO,
        qualifying,
        allocated_first: allocated,
        allocated,
    };
    let receipt = Receipt::Earned {
        points,
        lot,
        // Both are between 0 and i64::MAX.
        capped: Points(before_cap.0 - points.0),
    };
    Ok((receipt, Subject::Order(order)))
}

/// The money of an order; 0 for points without one.
fn money(earn: &Earn) -> Result<i64, Refusal> {
    match &earn.basis {
        Basis::Points(_) => Ok(0),
        Basis::Money(money) => not_negative("money", *money),
        Basis::Lines(lines) => lines.iter().try_fold(0_i64, |sum, line| {
            let money = not_negative("money of a line", line.money)?;
            sum.checked_add(money).ok_or(Refusal::Overflow {
                what: "money of the order",
            })
        }),
    }
}

fn not_negative(what: &'static str, value: i64) -> Result<i64, Refusal> {
    if value >= 0 {
        Ok(value)
    } else {
        Err(Refusal::InvalidAmount {
            what,
            value,
            expected: "not negative",
        })
    }
}

/// The points of an order by the programme's rates and the rules in code.
fn for_order(draft: &Draft<'_>, who: Who, earn: &Earn) -> Result<Points, Refusal> {
    let overflow = || Refusal::Overflow {
        what: "points of the order",
    };
    let Some(earning) = draft.programme.earn else {
        return Err(Refusal::NotInProgramme { rules: "earn" });
    };
    let member = draft.member(who);
    let tiers = draft.programme.tiers.as_ref();
    let tier = tiers.map_or(0, |tiers| tier::held(member, tiers, draft.now));
    let single;
    let lines = match &earn.basis {
        Basis::Lines(lines) => lines.as_slice(),
        Basis::Money(money) => {
            single = [Line {
                money: *money,
                category: earn.category.clone(),
            }];
            &single
        }
        Basis::Points(points) => return Ok(*points),
    };
    let mut whole = 0_i64;
    let mut exact = ExactSum::ZERO;
    for line in lines {
        let category = line.category.as_ref().or(earn.category.as_ref());
        let matching =
            || {
                draft.programme.earn_rules.iter().filter(|rule| {
                    rule_matches(rule, draft, earn, category.map(String::as_str), tier)
                })
            };
        let sum = match matching().find(|rule| rule.exclusive) {
            Some(only) => exact.plus(only.rate, line.money),
            None => matching().try_fold(exact, |sum, rule| sum.plus(rule.rate, line.money)),
        };
        exact = sum.ok_or_else(overflow)?;
        if earning.round_scope == RoundScope::Line {
            let points = exact.round(earning.rounding).ok_or_else(overflow)?;
            whole = whole.checked_add(points).ok_or_else(overflow)?;
            exact = ExactSum::ZERO;
        }
    }
    let rest = exact.round(earning.rounding).ok_or_else(overflow)?;
    whole = whole.checked_add(rest).ok_or_else(overflow)?;
    for rule in draft.rules.earn_rules() {
        let more = rule.points(earn, member, draft.now).0;
        let more = not_negative("points of an earn rule", more)?;
        whole = whole.checked_add(more).ok_or_else(overflow)?;
    }
    Ok(Points(whole))
}

fn rule_matches(
    rule: &RateRule,
    draft: &Draft<'_>,
    earn: &Earn,
    category: Option<&str>,
    tier: u32,
) -> bool {
    let of_category = rule
        .category
        .as_deref()
        .is_none_or(|wanted| category == Some(wanted));
    let tagged = rule.tag.as_ref().is_none_or(|tag| earn.tags.contains(tag));
    of_category
        && tagged
        && rule.tier.is_none_or(|wanted| wanted == tier)
        && rule.from.is_none_or(|from| from <= draft.now)
        && rule.to.is_none_or(|to| draft.now < to)
}

/// The first instant that counts for the cap, and the cap.
fn cap(draft: &Draft<'_>) -> Result<Option<(crate::event::Timestamp, Points)>, Refusal> {
    Ok(match draft.programme.cap {
        None => None,
        Some(Cap::CalendarMonth { points }) => {
            let since = calendar::start_of_month(draft.now);
            let overflow = Refusal::Overflow {
                what: "month of the cap",
            };
            Some((since.ok_or(overflow)?, points))
        }
        // Strictly later than now − seconds.
        Some(Cap::Sliding { seconds, points }) => {
            Some((draft.now.saturating_add_s(1 - seconds), points))
        }
    })
}

/// How many points the cap still allows.
fn room(draft: &Draft<'_>, who: Who) -> Result<Points, Refusal> {
    let Some((since, most)) = cap(draft)? else {
        return Ok(Points(i64::MAX));
    };
    let granted = draft
        .member(who)
        .more()
        .recent_grants
        .iter()
        .filter(|(then, _)| *then >= since)
        .fold(0_i64, |sum, (_, points)| sum.saturating_add(points.0));
    Ok(Points(most.0.saturating_sub(granted).max(0)))
}

fn count_for_cap(draft: &mut Draft<'_>, who: Who, points: Points) -> Result<(), Refusal> {
    match cap(draft)? {
        Some((since, _)) if points.0 > 0 => draft.post(who, |account| Change::Counted {
            account,
            points,
            since,
        }),
        _ => Ok(()),
    }
}

/// The part of a sale's money that belongs to its points: by relative stand-alone selling prices
/// (IFRS 15, 74), half to even.
fn allocate(draft: &Draft<'_>, money: i64, points: Points) -> Result<i64, Refusal> {
    let Some(liability) = draft.programme.liability else {
        return Ok(0);
    };
    let urr = draft.states().books().urr.unwrap_or(liability.urr);
    let value = liability.point_value;
    let wide = i128::from;
    // P = points × value × urr = a / b; allocated = M·P / (M + P) = M·a / (M·b + a).
    let a = wide(points.0)
        .checked_mul(wide(value.num()))
        .and_then(|a| a.checked_mul(wide(urr.num())));
    let b = wide(value.den()).checked_mul(wide(urr.den()));
    let parts = a.zip(b).and_then(|(a, b)| {
        let num = wide(money).checked_mul(a)?;
        let den = wide(money).checked_mul(b)?.checked_add(a)?;
        Some((num, den))
    });
    let (num, den) = parts.ok_or(Refusal::Overflow {
        what: "deferred revenue of the order",
    })?;
    if den == 0 {
        return Ok(0);
    }
    Rounding::HalfEven.round(num, den).ok_or(Refusal::Overflow {
        what: "deferred revenue of the order",
    })
}

/// Under `extend_on_activity` every live lot lasts at least to the end of a later month.
fn extend(draft: &mut Draft<'_>, who: Who) -> Result<(), Refusal> {
    let Some(extension) = draft.programme.extend_on_activity else {
        return Ok(());
    };
    let until = calendar::month_end(draft.now, i64::from(extension.months));
    let expires_at = until.ok_or(Refusal::Overflow {
        what: "expiry of the points",
    })?;
    draft.post(who, |account| Change::Redated {
        account,
        expires_at,
        only_later: true,
    })
}
