//! Entries make states: the one place where a state changes.

use std::collections::hash_map::Entry as Slot;

use thiserror::Error;

use super::deed::Subject;
use super::entry::{Change, Entry};
use super::lot::{Lot, LotNumber, Pot};
use super::member::{HoldShare, Member};
use super::names::{AccountId, CommandId};
use super::points::Points;
use super::states::{Books, States};
use crate::event::Timestamp;

/// An entry that does not fit the state that it is applied to: no ledger wrote it there.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Misfit {
    /// A sum leaves 64 bits.
    #[error("the {what} of account `{account}` would leave the range of 64 bits")]
    Overflow {
        /// Whose.
        account: AccountId,
        /// Which sum.
        what: &'static str,
    },
    /// A pot of a lot has too few points.
    #[error("lot {lot} of account `{account}` has fewer than {points} points in {pot:?}")]
    Short {
        /// Whose.
        account: AccountId,
        /// The lot.
        lot: LotNumber,
        /// The pot.
        pot: Pot,
        /// What should have been taken.
        points: Points,
    },
    /// The account has no such lot, or already has one of that number.
    #[error("account `{account}`: lot {lot} is not where the entry needs it")]
    Lot {
        /// Whose.
        account: AccountId,
        /// The lot.
        lot: LotNumber,
    },
    /// No such command was carried out, or one of that name was.
    #[error("command `{id}` is not as the entry needs it")]
    Deed {
        /// The command.
        id: CommandId,
    },
}

/// Books an entry: the state after it. Deterministic, without clock or input; the whole history of a
/// ledger is its entries, applied in their order to [`States::new`].
///
/// # Errors
/// [`Misfit`] for an entry that does not belong there; the state is then as it was, but for a
/// possible new empty member.
pub fn apply(states: &mut States, entry: &Entry) -> Result<(), Misfit> {
    match &entry.change {
        Change::Expected { urr } => {
            states.books = Books { urr: Some(*urr) };
            Ok(())
        }
        Change::Amended { deed: id, subject } => amend(states, id, subject),
        Change::Done { id, deed } => {
            match states.deeds.entry(id.clone()) {
                Slot::Occupied(_) => return Err(Misfit::Deed { id: id.clone() }),
                Slot::Vacant(place) => place.insert(deed.clone()),
            };
            Ok(())
        }
        _ => match entry.account() {
            Some(account) => apply_to(states.member_mut(account), account, entry),
            None => Ok(()),
        },
    }
}

/// Books an entry that has an account upon the account's member.
pub(super) fn apply_to(
    member: &mut Member,
    account: &AccountId,
    entry: &Entry,
) -> Result<(), Misfit> {
    change_member(member, entry.at, account, &entry.change)?;
    member.as_of = member.as_of.max(entry.at);
    member.revision += 1;
    Ok(())
}

fn amend(states: &mut States, id: &CommandId, subject: &Subject) -> Result<(), Misfit> {
    let deed = states
        .deeds
        .get_mut(id)
        .ok_or_else(|| Misfit::Deed { id: id.clone() })?;
    std::sync::Arc::make_mut(deed).subject = subject.clone();
    Ok(())
}

fn change_member(
    member: &mut Member,
    at: Timestamp,
    account: &AccountId,
    change: &Change,
) -> Result<(), Misfit> {
    match change {
        Change::Joined { .. } => member.joined = member.joined.or(Some(at)),
        Change::Opened { .. } => open(member, at, account, change)?,
        Change::Moved {
            lot,
            from,
            to,
            points,
            ..
        } => move_points(member, account, *lot, (*from, *to), *points)?,
        Change::Matured { lot, points, .. } => {
            let overflow = || overflow(account, "available points");
            let available = member.available.checked_add(*points).ok_or_else(overflow)?;
            change_lot(member, account, *lot, |lot| {
                lot.pending = false;
                Ok(())
            })?;
            member.available = available;
        }
        Change::Owed { by, points, .. } => {
            let sum = match by {
                Pot::WrittenOff => &mut member.more_mut().written_off,
                _ => &mut member.more_mut().debt,
            };
            *sum = sum
                .checked_add(*points)
                .ok_or_else(|| overflow(account, "debt"))?;
        }
        Change::Redated {
            expires_at,
            only_later,
            ..
        } => redate(member, at, *expires_at, *only_later),
        Change::HoldOpened {
            hold, until, parts, ..
        } => member.more_mut().holds.push(HoldShare {
            hold: hold.clone(),
            until: *until,
            parts: parts.clone(),
        }),
        Change::HoldClosed { hold, .. } => {
            let holds = &mut member.more_mut().holds;
            holds.retain(|share| share.hold != *hold);
            member.tidy();
        }
        Change::Counted { points, since, .. } => {
            let grants = &mut member.more_mut().recent_grants;
            grants.retain(|(then, _)| then >= since);
            grants.push((at, *points));
        }
        Change::Limited { since, .. } => {
            let redemptions = &mut member.more_mut().recent_redemptions;
            redemptions.retain(|then| then >= since);
            redemptions.push(at);
        }
        Change::Qualified {
            period,
            amount,
            since,
            ..
        } => qualify(member, account, *period, *amount, *since)?,
        Change::Ranked { term, .. } => member.more_mut().term = *term,
        Change::Deferred {
            allocated, issued, ..
        } => {
            let overflow = || overflow(account, "deferred revenue");
            let more = member.more_mut();
            let sum = more.allocated.checked_add(*allocated);
            let sum = sum.ok_or_else(overflow)?;
            more.issued = more.issued.checked_add(*issued).ok_or_else(overflow)?;
            more.allocated = sum;
        }
        Change::Stamped { card, .. } => member.more_mut().card = Some(*card),
        Change::Expected { .. } | Change::Amended { .. } | Change::Done { .. } => {}
    }
    Ok(())
}

fn open(
    member: &mut Member,
    at: Timestamp,
    account: &AccountId,
    change: &Change,
) -> Result<(), Misfit> {
    let Change::Opened {
        lot: number,
        points,
        earned_at,
        available_at,
        expires_at,
        ..
    } = change
    else {
        return Ok(());
    };
    let overflow = || overflow(account, "granted points");
    if points.0 < 0 || member.lots.get(*number).is_some() {
        return Err(Misfit::Lot {
            account: account.clone(),
            lot: *number,
        });
    }
    let pending = *available_at > at;
    let granted = member.granted.checked_add(*points).ok_or_else(overflow)?;
    if !pending {
        // Never more than was granted.
        member.available = member.available.checked_add(*points).ok_or_else(overflow)?;
    }
    member.granted = granted;
    let lot = Lot {
        number: *number,
        granted: *points,
        free: *points,
        held: Points::ZERO,
        spent: Points::ZERO,
        expired: Points::ZERO,
        clawed_back: Points::ZERO,
        moved_out: Points::ZERO,
        earned_at: *earned_at,
        available_at: *available_at,
        expires_at: *expires_at,
        pending,
    };
    member.lots.insert(lot);
    Ok(())
}

fn move_points(
    member: &mut Member,
    account: &AccountId,
    number: LotNumber,
    (from, to): (Pot, Pot),
    points: Points,
) -> Result<(), Misfit> {
    let short = |pot| Misfit::Short {
        account: account.clone(),
        lot: number,
        pot,
        points,
    };
    let overflow = || overflow(account, "points of a lot");
    let enough = |have: Points| have.checked_sub(points).filter(|rest| rest.0 >= 0);
    let mut sums = (member.available, member.debt(), member.granted);
    change_lot(member, account, number, |lot| {
        let (available, debt, granted) = &mut sums;
        let free = matches!(from, Pot::Pending | Pot::Available);
        if points.0 < 0 || (free && lot.pending != (from == Pot::Pending)) {
            return Err(short(from));
        }
        *available = match (from, to) {
            (Pot::Available, _) => enough(*available).ok_or_else(|| short(from))?,
            (_, Pot::Available) => available.checked_add(points).ok_or_else(overflow)?,
            _ => *available,
        };
        if to == Pot::Debt {
            *debt = enough(*debt).ok_or_else(|| short(to))?;
        }
        let column = lot.column(from).ok_or_else(|| short(from))?;
        *column = enough(*column).ok_or_else(|| short(from))?;
        if to == Pot::Issued {
            // Points go back to where they were issued: the lot was never that large.
            lot.granted = enough(lot.granted).ok_or_else(|| short(from))?;
            *granted = granted.checked_sub(points).ok_or_else(overflow)?;
        } else {
            let column = lot.column(to).ok_or_else(|| short(to))?;
            *column = column.checked_add(points).ok_or_else(overflow)?;
        }
        Ok(())
    })?;
    let (available, debt, granted) = sums;
    (member.available, member.granted) = (available, granted);
    if to == Pot::Debt {
        member.more_mut().debt = debt;
    }
    Ok(())
}

fn redate(member: &mut Member, now: Timestamp, expires_at: Timestamp, only_later: bool) {
    let moves = |lot: &Lot| {
        let later = lot.expires_at.is_some_and(|present| present < expires_at);
        !lot.is_expired(now) && (later || !only_later)
    };
    let lots = &mut member.lots;
    lots.change_where(moves, |lot| lot.expires_at = Some(expires_at));
}

fn qualify(
    member: &mut Member,
    account: &AccountId,
    period: Timestamp,
    amount: i64,
    since: Timestamp,
) -> Result<(), Misfit> {
    let qualified = &mut member.more_mut().qualified;
    let place = qualified.partition_point(|(then, _)| *then < period);
    match qualified.get_mut(place) {
        Some((then, total)) if *then == period => {
            *total = total
                .checked_add(amount)
                .ok_or_else(|| overflow(account, "total for tiers"))?;
        }
        _ => qualified.insert(place, (period, amount)),
    }
    qualified.retain(|(then, _)| *then >= since);
    Ok(())
}

fn change_lot(
    member: &mut Member,
    account: &AccountId,
    number: LotNumber,
    change: impl FnOnce(&mut Lot) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    let changed = member.lots.change(number, change);
    changed.unwrap_or_else(|| {
        Err(Misfit::Lot {
            account: account.clone(),
            lot: number,
        })
    })
}

fn overflow(account: &AccountId, what: &'static str) -> Misfit {
    Misfit::Overflow {
        account: account.clone(),
        what,
    }
}
