//! Refunds: the points that an order no longer deserves are taken back.

use super::super::deed::{Order, Subject};
use super::super::entry::Change;
use super::super::lot::{Pot, Take};
use super::super::names::CommandId;
use super::super::points::Points;
use super::super::programme::{Clawback, TierUnit};
use super::super::rational::Rounding;
use super::super::receipt::Receipt;
use super::super::refusal::Refusal;
use super::draft::{Draft, Who, takes};
use super::tier;
use crate::event::Timestamp;

pub(super) fn refund(
    draft: &mut Draft<'_>,
    id: &CommandId,
    money: Option<i64>,
) -> Result<(Receipt, Subject), Refusal> {
    let deed = draft.states().deed(id);
    let Some((Subject::Order(order), order_at)) = deed.map(|d| (&d.subject, d.at)) else {
        return Err(Refusal::UnknownReference {
            reference: id.clone(),
        });
    };
    let mut order = order.clone();
    // Both are between 0 and i64::MAX, and no more is refunded than was paid.
    let left = order.money - order.refunded;
    let money = money.unwrap_or(left);
    if money <= 0 || money > left {
        return Err(Refusal::ExceedsRefundable { money, left });
    }
    order.refunded += money;
    let remaining = order.money - order.refunded;
    let kept = scaled(
        order.points.0,
        remaining,
        order.money,
        draft.programme.refund_keep_rounding,
    )?;
    // What is kept only falls: it is a monotone rounding of less and less.
    let owed = Points(order.kept.0 - kept);
    order.kept = Points(kept);
    let who = draft.who(&order.account);
    let receipt = claw_back(draft, who, &mut order, owed)?;
    lower_tier(draft, who, &order, order_at, money, owed)?;
    if draft.programme.liability.is_some() {
        let first = order.allocated_first;
        let allocated = scaled(first, remaining, order.money, Rounding::HalfEven)?;
        let change = allocated - order.allocated;
        draft.post(who, |account| Change::Deferred {
            account,
            allocated: change,
            issued: -owed.0,
        })?;
        order.allocated = allocated;
    }
    draft.amend(id, Subject::Order(order))?;
    Ok((receipt, Subject::None))
}

/// Takes points back: own lot, what expired in it, then as the programme says.
fn claw_back(
    draft: &mut Draft<'_>,
    who: Who,
    order: &mut Order,
    owed: Points,
) -> Result<Receipt, Refusal> {
    let own = order.lot.and_then(|lot| draft.member(who).lot(lot));
    let mut open = owed.0;
    let mut clawed = Vec::new();
    let mut absorbed = 0;
    if let Some(own) = own {
        let number = own.number;
        let points = Points(open.min(own.free.0));
        let from = if own.pending {
            Pot::Pending
        } else {
            Pot::Available
        };
        absorbed = (open - points.0)
            .min(own.expired.0 - order.absorbed.0)
            .max(0);
        open -= points.0 + absorbed;
        if points.0 > 0 {
            draft.move_points(who, number, (from, Pot::ClawedBack), points)?;
            clawed.push(Take {
                lot: number,
                points,
            });
        }
    }
    order.absorbed = Points(order.absorbed.0 + absorbed);
    let clawback = draft.programme.clawback;
    if clawback == Clawback::OwnLotThenOthersThenDebt && open > 0 {
        let parts = draft.consume(&[who], Points(open), Pot::ClawedBack)?;
        open -= parts.iter().map(|part| part.points.0).sum::<i64>();
        clawed.extend(takes(&parts));
    }
    let (by, debt, written_off) = match clawback {
        Clawback::OwnLotThenWriteOff => (Pot::WrittenOff, 0, open),
        _ => (Pot::Debt, open, 0),
    };
    if open > 0 {
        draft.post(who, |account| Change::Owed {
            account,
            by,
            points: Points(open),
        })?;
    }
    Ok(Receipt::Refunded {
        clawed,
        absorbed_by_expiry: Points(absorbed),
        debt_added: Points(debt),
        written_off: Points(written_off),
    })
}

/// A refund lowers the total of the time in which the order counted.
fn lower_tier(
    draft: &mut Draft<'_>,
    who: Who,
    order: &Order,
    order_at: Timestamp,
    money: i64,
    owed: Points,
) -> Result<(), Refusal> {
    let Some(tiers) = draft.programme.tiers.as_ref().filter(|_| order.qualifying) else {
        return Ok(());
    };
    let amount = match tiers.unit {
        TierUnit::Money => money,
        TierUnit::Points => owed.0,
    };
    tier::qualify(draft, who, -amount, order_at)
}

/// `whole` × `part` / `of`, rounded once; `of` is above 0.
fn scaled(whole: i64, part: i64, of: i64, rounding: Rounding) -> Result<i64, Refusal> {
    rounding
        .round(i128::from(whole) * i128::from(part), i128::from(of))
        .ok_or(Refusal::Overflow {
            what: "points that are kept",
        })
}
