//! Transfers between members.

use super::super::deed::Subject;
use super::super::lot::{Pot, Take};
use super::super::names::AccountId;
use super::super::points::Points;
use super::super::rational::{Rational, Rounding};
use super::super::receipt::Receipt;
use super::super::refusal::Refusal;
use super::draft::{Draft, NewLot, takes};
use super::redeem::positive;

pub(super) fn transfer(
    draft: &mut Draft<'_>,
    from: &AccountId,
    to: &AccountId,
    points: Option<Points>,
) -> Result<(Receipt, Subject), Refusal> {
    if from == to {
        return Err(Refusal::SameAccount {
            account: from.clone(),
        });
    }
    positive(points)?;
    let [from, to] = [from, to].map(|account| draft.who(account));
    let sender = &[from];
    let overflow = || Refusal::Overflow {
        what: "points and fee of the transfer",
    };
    let rate = draft.programme.transfer_fee;
    let points = match points {
        Some(points) => points,
        None => all_but_fee(draft.available(sender), rate).ok_or_else(overflow)?,
    };
    let fee = fee(points, rate).ok_or_else(overflow)?;
    if points.0 <= 0 {
        let available = draft.available(sender);
        return Err(Refusal::InsufficientAvailable {
            needed: points,
            available,
        });
    }
    draft.require(sender, points.checked_add(fee).ok_or_else(overflow)?)?;
    let moved = draft.consume(sender, points, Pot::Transfer)?;
    let fee = draft.consume(sender, fee, Pot::Redeemed)?;
    draft.join(from)?;
    draft.join(to)?;
    let now = draft.now;
    let mut received = Vec::with_capacity(moved.len());
    for part in &moved {
        let lot = draft.member(from).lot(part.lot);
        let lot = NewLot {
            from: Pot::Transfer,
            points: part.points,
            earned_at: lot.map_or(now, |lot| lot.earned_at),
            available_at: now,
            expires_at: lot.and_then(|lot| lot.expires_at),
        };
        received.push(Take {
            lot: draft.open_lot(to, lot)?,
            points: part.points,
        });
    }
    draft.activity(from)?;
    draft.activity(to)?;
    let receipt = Receipt::Transferred {
        moved: takes(&moved),
        received,
        fee: takes(&fee),
    };
    Ok((receipt, Subject::None))
}

fn fee(points: Points, rate: Option<Rational>) -> Option<Points> {
    let Some(rate) = rate else {
        return Some(Points::ZERO);
    };
    let num = i128::from(points.0) * i128::from(rate.num());
    Rounding::Ceil
        .round(num, i128::from(rate.den()))
        .map(Points)
}

/// The most points that can be transferred with their fee: p + ⌈p·n/d⌉ ≤ a for p = ⌊a·d/(d + n)⌋.
fn all_but_fee(available: Points, rate: Option<Rational>) -> Option<Points> {
    let Some(rate) = rate else {
        return Some(available);
    };
    let (n, d) = (i128::from(rate.num()), i128::from(rate.den()));
    Rounding::Floor
        .round(i128::from(available.0) * d, d + n)
        .map(Points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_that_is_left_is_the_most_that_the_fee_allows(
            available in 1_i64..10_000, num in 0_i64..50, den in 1_i64..50
        ) {
            let rate = Some(Rational::new(num, den).unwrap());
            let most = all_but_fee(Points(available), rate).unwrap();
            let cost = |p: i64| p + fee(Points(p), rate).unwrap().0;
            prop_assert!(cost(most.0) <= available);
            prop_assert!(cost(most.0 + 1) > available);
        }
    }
}
