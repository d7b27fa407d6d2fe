//! Stamp cards.

use super::super::deed::Subject;
use super::super::entry::Change;
use super::super::member::Card;
use super::super::names::AccountId;
use super::super::receipt::Receipt;
use super::super::refusal::Refusal;
use super::draft::{Draft, Who};

pub(super) fn stamp(
    draft: &mut Draft<'_>,
    account: &AccountId,
    count: i64,
) -> Result<(Receipt, Subject), Refusal> {
    let who = draft.who(account);
    let (card, size) = card(draft, who, count)?;
    let overflow = Refusal::Overflow {
        what: "number of stamps",
    };
    let stamps = card.stamps.checked_add(count).ok_or(overflow.clone())?;
    let new_rewards = (stamps / size).max(0);
    let card = Card {
        stamps: stamps - new_rewards * size,
        rewards: card.rewards.checked_add(new_rewards).ok_or(overflow)?,
    };
    write(draft, who, card)?;
    let receipt = Receipt::Stamped {
        stamps: card.stamps,
        rewards: card.rewards,
        new_rewards,
    };
    Ok((receipt, Subject::None))
}

pub(super) fn unstamp(
    draft: &mut Draft<'_>,
    account: &AccountId,
    count: i64,
) -> Result<(Receipt, Subject), Refusal> {
    let who = draft.who(account);
    let (card, size) = card(draft, who, count)?;
    let stamps = card.stamps.checked_sub(count).ok_or(Refusal::Overflow {
        what: "number of stamps",
    })?;
    // Rewards are broken until the stamps suffice, or as long as there are any.
    let needed = if stamps < 0 {
        let missing = stamps.unsigned_abs().div_ceil(size.unsigned_abs());
        i64::try_from(missing).unwrap_or(i64::MAX)
    } else {
        0
    };
    let broken = needed.min(card.rewards);
    // Between `stamps`, which is negative then, and `size`.
    let stamps = i128::from(stamps) + i128::from(broken) * i128::from(size);
    let card = Card {
        stamps: i64::try_from(stamps).map_err(|_| Refusal::Overflow {
            what: "number of stamps",
        })?,
        rewards: card.rewards - broken,
    };
    write(draft, who, card)?;
    let receipt = Receipt::Unstamped {
        stamps: card.stamps,
        rewards: card.rewards,
    };
    Ok((receipt, Subject::None))
}

/// The card before the command, and the size of a full one.
fn card(draft: &Draft<'_>, who: Who, count: i64) -> Result<(Card, i64), Refusal> {
    let rules = draft.programme.stamp_card.ok_or(Refusal::NotInProgramme {
        rules: "stamp_card",
    })?;
    if count <= 0 {
        return Err(Refusal::InvalidAmount {
            what: "number of stamps",
            value: count,
            expected: "above 0",
        });
    }
    let none = Card {
        stamps: 0,
        rewards: 0,
    };
    Ok((draft.member(who).card().unwrap_or(none), rules.size))
}

fn write(draft: &mut Draft<'_>, who: Who, card: Card) -> Result<(), Refusal> {
    draft.post(who, |account| Change::Stamped { account, card })
}
