//! Corrections and goodwill.

use super::super::command::Adjust;
use super::super::deed::Subject;
use super::super::entry::Change;
use super::super::lot::Pot;
use super::super::points::Points;
use super::super::receipt::Receipt;
use super::super::refusal::Refusal;
use super::draft::{Draft, NewLot, takes};

pub(super) fn adjust(
    draft: &mut Draft<'_>,
    adjust: &Adjust,
) -> Result<(Receipt, Subject), Refusal> {
    let account = &adjust.account;
    if adjust.points.0 == 0 {
        return Err(Refusal::InvalidAmount {
            what: "points",
            value: 0,
            expected: "above or below 0",
        });
    }
    draft.join(account)?;
    let receipt = if adjust.points.0 > 0 {
        give(draft, adjust)?
    } else {
        take(draft, adjust)?
    };
    if draft.programme.liability.is_some() {
        draft.post(Change::Deferred {
            account: account.clone(),
            allocated: 0,
            issued: adjust.points.0,
        })?;
    }
    Ok((receipt, Subject::None))
}

fn give(draft: &mut Draft<'_>, adjust: &Adjust) -> Result<Receipt, Refusal> {
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
    let lot = draft.open_lot(&adjust.account, lot)?;
    Ok(Receipt::Given { lot })
}

fn take(draft: &mut Draft<'_>, adjust: &Adjust) -> Result<Receipt, Refusal> {
    let needed = adjust.points.0.checked_neg().ok_or(Refusal::Overflow {
        what: "points to take",
    })?;
    let accounts = std::slice::from_ref(&adjust.account);
    if !adjust.allow_negative {
        draft.require(accounts, Points(needed))?;
    }
    let parts = draft.consume(accounts, Points(needed), Pot::ClawedBack)?;
    let taken: i64 = parts.iter().map(|part| part.points.0).sum();
    if taken < needed {
        draft.post(Change::Owed {
            account: adjust.account.clone(),
            by: Pot::Debt,
            points: Points(needed - taken),
        })?;
    }
    Ok(Receipt::Taken {
        consumed: takes(&parts),
    })
}
