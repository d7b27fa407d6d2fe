//! Tiers: what was reached, and until when it lasts.

use super::super::calendar;
use super::super::entry::Change;
use super::super::member::{Member, Term};
use super::super::programme::{TierKind, Tiers};
use super::super::refusal::Refusal;
use super::draft::{Draft, Who};
use crate::event::{Period, Timestamp, Zone};

/// Months for which a tier of the kind [`TierKind::Anniversary`] lasts, and over which it is counted.
const TERM_MONTHS: i64 = 12;

/// The tier that a member holds at an instant, everything due by then having happened.
pub(crate) fn held(member: &Member, tiers: &Tiers, now: Timestamp) -> u32 {
    match tiers.kind {
        TierKind::Lifetime => tiers.level(total(member, |_| true)),
        TierKind::Anniversary => member
            .more()
            .term
            .filter(|term| now < term.until)
            .map_or(0, |term| term.tier),
        TierKind::CalendarYear => held_in_year(member, tiers, year(now)),
    }
}

/// Counts an amount towards the tiers for the time of `order_at`; a new amount may raise the tier.
pub(super) fn qualify(
    draft: &mut Draft<'_>,
    who: Who,
    amount: i64,
    order_at: Timestamp,
) -> Result<(), Refusal> {
    let Some(tiers) = &draft.programme.tiers else {
        return Ok(());
    };
    if amount == 0 {
        return Ok(());
    }
    let overflow = Refusal::Overflow {
        what: "time of a tier",
    };
    let now = draft.now;
    let year_ago = calendar::months_later(now, -TERM_MONTHS);
    let (period, since) = match tiers.kind {
        TierKind::Lifetime => (Some(Timestamp::EPOCH), Timestamp::MIN),
        TierKind::CalendarYear => (calendar::start_of_year(order_at, 0), Timestamp::MIN),
        TierKind::Anniversary => {
            let year_ago = year_ago.unwrap_or(Timestamp::MIN);
            let term = draft.member(who).more().term;
            let since = term.map_or(year_ago, |term| term.since.min(year_ago));
            (Some(order_at), since)
        }
    };
    let period = period.ok_or_else(|| overflow.clone())?;
    draft.post(who, |account| Change::Qualified {
        account,
        period,
        amount,
        since,
    })?;
    if tiers.kind != TierKind::Anniversary || amount < 0 {
        return Ok(());
    }
    let member = draft.member(who);
    let reached = tiers.level(total(member, |then| {
        year_ago.is_none_or(|year_ago| then > year_ago)
    }));
    if reached <= held(member, tiers, now) {
        return Ok(());
    }
    let term = Some(Term {
        tier: reached,
        since: now,
        until: calendar::months_later(now, TERM_MONTHS).ok_or(overflow)?,
    });
    draft.post(who, |account| Change::Ranked { account, term })
}

/// At the end of a term the tier must have been earned again, or it falls to what was.
pub(super) fn end_term(draft: &mut Draft<'_>, who: Who, at: Timestamp) -> Result<(), Refusal> {
    let member = draft.member(who);
    let Some(term) = member.more().term.filter(|term| term.until <= at) else {
        return Ok(());
    };
    let earned = total(member, |then| term.since < then && then < term.until);
    let next = match &draft.programme.tiers {
        Some(tiers) => term.tier.min(tiers.level(earned)),
        None => 0,
    };
    let term = match next {
        0 => None,
        tier => Some(Term {
            tier,
            since: term.until,
            until: calendar::months_later(term.until, TERM_MONTHS).ok_or(Refusal::Overflow {
                what: "time of a tier",
            })?,
        }),
    };
    draft.post_at(at, who, |account| Change::Ranked { account, term })
}

/// The tier in a calendar year: the one that it starts with, or what was reached in it.
fn held_in_year(member: &Member, tiers: &Tiers, now: i32) -> u32 {
    let level = |y| tiers.level(total(member, |then| year(then) == y));
    let first = member
        .more()
        .qualified
        .first()
        .map_or(now, |(then, _)| year(*then));
    let mut start = 0;
    // Without a soft landing only the last year matters.
    let from = if tiers.soft_landing {
        first
    } else {
        first.max(now - 1)
    };
    for y in from..now {
        let reached = level(y);
        start = if tiers.soft_landing {
            reached.max(start.max(reached).saturating_sub(1))
        } else {
            reached
        };
    }
    start.max(level(now))
}

fn total(member: &Member, counts: impl Fn(Timestamp) -> bool) -> i64 {
    member
        .more()
        .qualified
        .iter()
        .filter(|(then, _)| counts(*then))
        .fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
}

fn year(instant: Timestamp) -> i32 {
    Period::Year.index_of_day(Zone::UTC.day(instant))
}
