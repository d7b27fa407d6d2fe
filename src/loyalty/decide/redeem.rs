//! Redeeming, and undoing it.

use super::super::calendar;
use super::super::command::{Purse, Redeem};
use super::super::deed::{Part, Subject};
use super::super::entry::Change;
use super::super::lot::Pot;
use super::super::names::CommandId;
use super::super::points::Points;
use super::super::programme::RestoreExpired;
use super::super::receipt::{Receipt, Restoration, Restored};
use super::super::refusal::Refusal;
use super::draft::{Draft, NewLot, Pool, Who, takes};

pub(super) fn redeem(
    draft: &mut Draft<'_>,
    redeem: &Redeem,
) -> Result<(Receipt, Subject), Refusal> {
    let pool = distinct(draft, &redeem.purse)?;
    let points = redeem.points.unwrap_or_else(|| draft.available(&pool));
    let programme = draft.programme;
    if let Some(minimum) = programme.redeem_min.filter(|&minimum| points < minimum) {
        return Err(Refusal::BelowMinimum { points, minimum });
    }
    if let Some(step) = programme.redeem_step.filter(|step| points.0 % step.0 != 0) {
        return Err(Refusal::NotAMultiple { points, step });
    }
    positive(redeem.points)?;
    check_velocity(draft, &pool)?;
    draft.require(&pool, points)?;
    let parts = draft.consume(&pool, points, Pot::Redeemed)?;
    for who in pool {
        draft.join(who)?;
        count_for_velocity(draft, who)?;
        draft.activity(who)?;
    }
    let receipt = Receipt::Redeemed {
        consumed: takes(&parts),
    };
    Ok((receipt, Subject::Redemption { parts }))
}

pub(super) fn reverse(
    draft: &mut Draft<'_>,
    redemption: &CommandId,
    points: Option<Points>,
) -> Result<(Receipt, Subject), Refusal> {
    let Some(Subject::Redemption { parts }) = draft.states().deed(redemption).map(|d| &d.subject)
    else {
        return Err(Refusal::UnknownReference {
            reference: redemption.clone(),
        });
    };
    let mut parts = parts.clone();
    // A redemption never has more than what was available, which fits into 64 bits.
    let left = Points(
        parts
            .iter()
            .fold(0_i64, |sum, p| sum.saturating_add(p.points.0)),
    );
    let points = points.unwrap_or(left);
    if points.0 <= 0 || points > left {
        return Err(Refusal::ExceedsReversible { points, left });
    }
    let mut open = points.0;
    let mut restored = Vec::new();
    for part in parts.iter_mut().rev() {
        let back = Points(open.min(part.points.0));
        if back.0 == 0 {
            continue;
        }
        open -= back.0;
        part.points = Points(part.points.0 - back.0);
        restored.push(restore(draft, part, back)?);
    }
    draft.amend(redemption, Subject::Redemption { parts })?;
    Ok((Receipt::Reversed { restored }, Subject::None))
}

/// Brings points back to their lot, or to what the programme says when the lot's time has passed.
fn restore(draft: &mut Draft<'_>, part: &Part, points: Points) -> Result<Restored, Refusal> {
    let now = draft.now;
    let who = draft.who(&part.account);
    let lot = draft.member(who).lot(part.lot);
    let expired = lot.is_some_and(|lot| lot.is_expired(now));
    let earned_at = lot.map_or(now, |lot| lot.earned_at);
    let (to, how) = match (expired, draft.programme.restore_expired) {
        (false, _) => (Pot::Available, Restoration::Restored),
        (true, RestoreExpired::Expire) => (Pot::Expired, Restoration::Expired),
        (true, RestoreExpired::Grace { .. }) => (Pot::Issued, Restoration::Reissued),
    };
    draft.move_points(who, part.lot, (Pot::Redeemed, to), points)?;
    let mut lot = part.lot;
    if let (true, RestoreExpired::Grace { days }) = (expired, draft.programme.restore_expired) {
        let expires_at = calendar::days_later(now, i64::from(days)).ok_or(Refusal::Overflow {
            what: "expiry of the points",
        })?;
        let new = NewLot {
            from: Pot::Issued,
            points,
            earned_at,
            available_at: now,
            expires_at: Some(expires_at),
        };
        lot = draft.open_lot(who, new)?;
    }
    Ok(Restored { lot, points, how })
}

/// The members of a purse, each named once.
pub(super) fn distinct(draft: &mut Draft<'_>, purse: &Purse) -> Result<Pool, Refusal> {
    let accounts = purse.accounts();
    for (position, account) in accounts.iter().enumerate() {
        if accounts.iter().take(position).any(|other| other == account) {
            return Err(Refusal::SameAccount {
                account: account.clone(),
            });
        }
    }
    Ok(draft.all(accounts))
}

/// Points that were given must be above 0.
pub(super) fn positive(points: Option<Points>) -> Result<(), Refusal> {
    match points {
        Some(points) if points.0 <= 0 => Err(Refusal::InvalidAmount {
            what: "points",
            value: points.0,
            expected: "above 0",
        }),
        _ => Ok(()),
    }
}

fn check_velocity(draft: &Draft<'_>, pool: &[Who]) -> Result<(), Refusal> {
    let Some(velocity) = draft.programme.velocity else {
        return Ok(());
    };
    let since = draft.now.saturating_add_s(1 - velocity.seconds);
    for who in pool {
        let recent = &draft.member(*who).more().recent_redemptions;
        let redemptions = recent.iter().filter(|then| **then >= since).count();
        if redemptions >= velocity.max_redemptions as usize {
            return Err(Refusal::VelocityLimit {
                account: draft.account(*who).clone(),
                redemptions: u32::try_from(redemptions).unwrap_or(u32::MAX),
                seconds: velocity.seconds,
            });
        }
    }
    Ok(())
}

fn count_for_velocity(draft: &mut Draft<'_>, who: Who) -> Result<(), Refusal> {
    let Some(velocity) = draft.programme.velocity else {
        return Ok(());
    };
    // Strictly later than now − seconds.
    let since = draft.now.saturating_add_s(1 - velocity.seconds);
    draft.post(who, |account| Change::Limited { account, since })
}
