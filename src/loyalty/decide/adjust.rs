//! Corrections and goodwill.

use super::super::command::Adjust;
use super::super::deed::Subject;
use super::super::entry::Change;
use super::super::lot::Pot;
use super::super::points::Points;
use super::super::receipt::Receipt;
use super::super::refusal::Refusal;
use super::draft::{Draft, NewLot, Who, takes};

pub(super) fn adjust(
    draft: &mut Draft<'_>,
    adjust: &Adjust,
) -> Result<(Receipt, Subject), Refusal> {
    if adjust.points.0 == 0 {
        return Err(Refusal::InvalidAmount {
            what: "points",
            value: 0,
            expected: "above or below 0",
        });
    }
    let who = draft.who(&adjust.account);
    draft.join(who)?;
    let receipt = if adjust.points.0 > 0 {
        give(draft, who, adjust)?
    } else {
        take(draft, who, adjust)?
    };
    if draft.programme.liability.is_some() {
        draft.post(who, |account| Change::Deferred {
            account,
            allocated: 0,
            issued: adjust.points.0,
        })?;
    }
    Ok((receipt, Subject::None))
}

fn give(draft: &mut Draft<'_>, who: Who, adjust: &Adjust) -> Result<Receipt, Refusal> {
    let now = draft.now;
    let expires_at = match adjust.expires_at {
        Some(expires_at) => Some(expires_at),
        None => draft.expiry(now)?,
    };
    let lot = NewLot {
        from: Pot::Issued,
        points: adjust.points,
        earned_at: now,
        available_at: now,
        expires_at,
    };
    let lot = draft.open_lot(who, lot)?;
    Ok(Receipt::Given { lot })
}

fn take(draft: &mut Draft<'_>, who: Who, adjust: &Adjust) -> Result<Receipt, Refusal> {
    let needed = adjust.points.0.checked_neg().ok_or(Refusal::Overflow {
        what: "points to take",
    })?;
    if !adjust.allow_negative {
        draft.require(&[who], Points(needed))?;
    }
    let parts = draft.consume(&[who], Points(needed), Pot::ClawedBack)?;
    let taken: i64 = parts.iter().map(|part| part.points.0).sum();
    if taken < needed {
        draft.post(who, |account| Change::Owed {
            account,
            by: Pot::Debt,
            points: Points(needed - taken),
        })?;
    }
    Ok(Receipt::Taken {
        consumed: takes(&parts),
    })
}
