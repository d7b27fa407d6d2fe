//! Holds: reserve, capture, release.

use super::super::command::Hold;
use super::super::deed::{Part, Subject};
use super::super::entry::Change;
use super::super::lot::{Pot, Take};
use super::super::names::{AccountId, CommandId};
use super::super::points::Points;
use super::super::receipt::Receipt;
use super::super::refusal::Refusal;
use super::draft::{Draft, Pool, Who, takes};
use super::redeem::{distinct, positive};
use crate::event::Timestamp;

pub(super) fn hold(draft: &mut Draft<'_>, hold: &Hold) -> Result<(Receipt, Subject), Refusal> {
    let pool = distinct(draft, &hold.purse)?;
    positive(hold.points)?;
    let points = hold.points.unwrap_or_else(|| draft.available(&pool));
    let until = match hold.ttl_s {
        None => None,
        Some(ttl_s) if ttl_s > 0 => {
            let until = draft.now.unix_s().checked_add(ttl_s);
            let until = until.and_then(|s| Timestamp::from_unix_s(s).ok());
            Some(until.ok_or(Refusal::Overflow {
                what: "end of the hold",
            })?)
        }
        Some(ttl_s) => {
            return Err(Refusal::InvalidAmount {
                what: "ttl_s",
                value: ttl_s,
                expected: "above 0",
            });
        }
    };
    let parts = reserve(draft, &pool, points, until)?;
    let receipt = Receipt::Held {
        reserved: takes(&parts),
    };
    let subject = Subject::Hold {
        parts,
        until,
        closed: false,
    };
    Ok((receipt, subject))
}

/// Reserves points under the name of the command.
pub(super) fn reserve(
    draft: &mut Draft<'_>,
    pool: &[Who],
    points: Points,
    until: Option<Timestamp>,
) -> Result<Vec<Part>, Refusal> {
    draft.require(pool, points)?;
    let parts = draft.consume(pool, points, Pot::Held)?;
    let Some(id) = draft.id() else {
        return Ok(parts);
    };
    for &who in pool {
        draft.join(who)?;
        let own: Vec<Take> = takes_of(&parts, draft.account(who));
        if !own.is_empty() {
            draft.post(who, |account| Change::HoldOpened {
                account,
                hold: id.clone(),
                until,
                parts: own,
            })?;
        }
    }
    Ok(parts)
}

pub(super) fn capture(
    draft: &mut Draft<'_>,
    id: &CommandId,
    points: Option<Points>,
) -> Result<(Receipt, Subject), Refusal> {
    let (parts, until) = open_hold(draft, id)?;
    // A hold never has more than what was available, which fits into 64 bits.
    let held = Points(
        parts
            .iter()
            .fold(0_i64, |sum, p| sum.saturating_add(p.points.0)),
    );
    positive(points)?;
    let points = points.unwrap_or(held);
    if points > held {
        return Err(Refusal::ExceedsHold { points, held });
    }
    let mut open = points.0;
    let mut consumed = Vec::new();
    for part in &parts {
        let who = draft.who(&part.account);
        let taken = Points(open.min(part.points.0));
        let back = Points(part.points.0 - taken.0);
        open -= taken.0;
        for (to, points) in [(Pot::Redeemed, taken), (Pot::Available, back)] {
            if points.0 > 0 {
                draft.move_points(who, part.lot, (Pot::Held, to), points)?;
            }
        }
        if taken.0 > 0 {
            consumed.push(Part {
                points: taken,
                ..part.clone()
            });
        }
    }
    close(draft, id, parts, until)?;
    let receipt = Receipt::Captured {
        consumed: takes(&consumed),
        released: Points(held.0 - points.0),
    };
    Ok((receipt, Subject::Redemption { parts: consumed }))
}

pub(super) fn release(
    draft: &mut Draft<'_>,
    id: &CommandId,
) -> Result<(Receipt, Subject), Refusal> {
    let (parts, until) = open_hold(draft, id)?;
    let mut released = 0_i64;
    for part in &parts {
        released = released.saturating_add(part.points.0);
        let who = draft.who(&part.account);
        let pots = (Pot::Held, Pot::Available);
        draft.move_points(who, part.lot, pots, part.points)?;
    }
    for who in pool_of(draft, &parts) {
        end_share(draft, who, id)?;
    }
    amend_closed(draft, id, parts, until)?;
    let receipt = Receipt::Released {
        released: Points(released),
    };
    Ok((receipt, Subject::None))
}

/// The parts and the time-out of a hold that is open now.
fn open_hold(draft: &Draft<'_>, id: &CommandId) -> Result<(Vec<Part>, Option<Timestamp>), Refusal> {
    match draft.states().deed(id).map(|deed| &deed.subject) {
        Some(Subject::Hold {
            parts,
            until,
            closed,
        }) => {
            if *closed || until.is_some_and(|until| until <= draft.now) {
                return Err(Refusal::HoldClosed { hold: id.clone() });
            }
            Ok((parts.clone(), *until))
        }
        _ => Err(Refusal::UnknownHold { hold: id.clone() }),
    }
}

/// Closes a captured hold. The capture is an activity, which does not revive what has expired.
fn close(
    draft: &mut Draft<'_>,
    id: &CommandId,
    parts: Vec<Part>,
    until: Option<Timestamp>,
) -> Result<(), Refusal> {
    for who in pool_of(draft, &parts) {
        end_share(draft, who, id)?;
        draft.activity(who)?;
    }
    amend_closed(draft, id, parts, until)
}

fn end_share(draft: &mut Draft<'_>, who: Who, id: &CommandId) -> Result<(), Refusal> {
    draft.post(who, |account| Change::HoldClosed {
        account,
        hold: id.clone(),
    })
}

fn amend_closed(
    draft: &mut Draft<'_>,
    id: &CommandId,
    parts: Vec<Part>,
    until: Option<Timestamp>,
) -> Result<(), Refusal> {
    draft.amend(
        id,
        Subject::Hold {
            parts,
            until,
            closed: true,
        },
    )
}

/// The members of some parts, each once.
fn pool_of(draft: &mut Draft<'_>, parts: &[Part]) -> Pool {
    let mut pool = Pool::new();
    for part in parts {
        let who = draft.who(&part.account);
        if !pool.contains(&who) {
            pool.push(who);
        }
    }
    pool
}

fn takes_of(parts: &[Part], account: &AccountId) -> Vec<Take> {
    parts
        .iter()
        .filter(|part| part.account == *account)
        .map(|part| Take {
            lot: part.lot,
            points: part.points,
        })
        .collect()
}
