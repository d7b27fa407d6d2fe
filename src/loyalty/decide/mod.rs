//! Deciding: from states, rules and a command to entries, or to a refusal.

mod adjust;
mod draft;
mod due;
mod earn;
mod group;
mod hold;
mod redeem;
mod refund;
mod stamp;
pub(super) mod tier;
mod transfer;
mod undo;

use smallvec::SmallVec;

use super::book::Book;
use super::command::{Action, Command};
use super::deed::{Deed, Subject};
use super::entry::Entry;
use super::lot::LotNumber;
use super::member::Member;
use super::names::AccountId;
use super::receipt::{Receipt, Submitted};
use super::refusal::Refusal;
use super::rules::{self, Rules};
use super::states::{Key, States};
use crate::event::Timestamp;
use draft::Draft;

/// What a command comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The receipt.
    pub submitted: Submitted,
    /// What is to be written to the journal, in this order.
    pub entries: Vec<Entry>,
    /// The states after all entries.
    pub states: States,
    /// How many of the offered lot numbers were used, from the first.
    pub lots_used: usize,
}

/// Decides upon a command: pure, without clock or input. Due events come first, at their own instants.
///
/// `states` must hold every record of [`needs`]; `numbers` are lot numbers that nobody else uses, at
/// least [`lots_at_most`] of them.
///
/// ```
/// use tenure::loyalty::{decide, Command, Earn, LotNumber, Points, Programme, Receipt, Rules, States};
/// use tenure::event::Timestamp;
///
/// let rules = Rules::new(Programme::default())?;
/// let command = Command::new("gift", Timestamp::EPOCH, Earn::points("ann", Points(50)));
/// let outcome = decide(&States::new(), &rules, &command, &[LotNumber(1)])?;
/// assert_eq!(outcome.states.member(&"ann".into()).available(), Points(50));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Refusal`], which says why not. Nothing is written then, not even what fell due: it will fall due
/// at the next command, at the same instant.
pub fn decide(
    states: &States,
    rules: &Rules,
    command: &Command,
    numbers: &[LotNumber],
) -> Result<Outcome, Refusal> {
    let (mut states, mut entries) = (states.clone(), Vec::new());
    let (submitted, lots_used) = decide_on(&mut states, &mut entries, rules, command, numbers)?;
    Ok(Outcome {
        submitted,
        entries,
        states,
        lots_used,
    })
}

/// As [`decide`], in place: the states become those after the command, and its entries are appended.
/// After a refusal all is as it was. Returns how many lot numbers were used, too.
pub(super) fn decide_on(
    states: &mut States,
    book: &mut dyn Book,
    rules: &Rules,
    command: &Command,
    numbers: &[LotNumber],
) -> Result<(Submitted, usize), Refusal> {
    if let Some(deed) = states.deed(&command.id) {
        return replay(deed, command).map(|submitted| (submitted, 0));
    }
    let Some(programme) = rules.at(command.at) else {
        return Err(Refusal::NoProgramme { at: command.at });
    };
    let mut draft = Draft::new(states, book, rules, programme, command, numbers);
    match carry_out(&mut draft, command) {
        Ok(submitted) => {
            let lots_used = draft.lots_used();
            draft.finish();
            Ok((submitted, lots_used))
        }
        // The draft undoes what it did.
        Err(refusal) => Err(refusal),
    }
}

fn carry_out(draft: &mut Draft<'_>, command: &Command) -> Result<Submitted, Refusal> {
    draft.bring_all(&command.action)?;
    draft.all_fall_due()?;
    let (receipt, subject) = act(draft, &command.action)?;
    draft.all_fall_due()?;
    let deed = Deed {
        at: command.at,
        digest: draft.digest(&command.action),
        receipt,
        subject,
    };
    draft.done(&deed);
    Ok(Submitted {
        receipt: deed.receipt,
        replayed: false,
    })
}

/// What falls due for an account up to an instant, as entries, and the states after them.
///
/// # Errors
/// [`Refusal::TimeGoesBack`] before the account's last entry; [`Refusal`] when an instant leaves the
/// calendar, or the states are not those of a ledger.
pub fn fall_due(
    states: &States,
    rules: &Rules,
    account: &AccountId,
    now: Timestamp,
) -> Result<(Vec<Entry>, States), Refusal> {
    let (mut states, mut entries) = (states.clone(), Vec::new());
    fall_due_on(&mut states, &mut entries, rules, account, now)?;
    Ok((entries, states))
}

/// As [`fall_due`], in place. After a refusal all is as it was.
pub(super) fn fall_due_on(
    states: &mut States,
    book: &mut dyn Book,
    rules: &Rules,
    account: &AccountId,
    now: Timestamp,
) -> Result<(), Refusal> {
    let programme = rules.at(now).ok_or(Refusal::NoProgramme { at: now })?;
    let mut draft = Draft::tick(states, book, rules, programme, now);
    draft.bring(account)?;
    draft.all_fall_due()?;
    draft.finish();
    Ok(())
}

/// The records that [`decide`] reads for a command, as far as the records at hand tell.
///
/// A command that refers to an earlier one touches accounts which only that one's record names:
/// load, ask again, and load what is missing.
pub fn needs(command: &Command, at_hand: &States) -> Vec<Key> {
    let mut keys = Vec::new();
    each_need(command, at_hand, |key| keys.push(key));
    keys
}

/// Shows what [`needs`] returns.
pub(super) fn each_need(command: &Command, at_hand: &States, mut visit: impl FnMut(Key)) {
    visit(Key::Deed(command.id.clone()));
    visit(Key::Books);
    if let Some(reference) = command.action.reference() {
        visit(Key::Deed(reference.clone()));
    }
    for account in touched(at_hand, &command.action) {
        visit(Key::Member(account));
    }
}

/// The most lots that a command can create: one, or one for each lot that it draws on.
pub fn lots_at_most(command: &Command, states: &States) -> usize {
    match &command.action {
        Action::Earn(_) | Action::Adjust(_) => 1,
        Action::Transfer { from, .. } => states.member(from).lots.open_count(),
        Action::ReverseRedeem { redemption, .. } => {
            states
                .deed(redemption)
                .map_or(0, |deed| match &deed.subject {
                    Subject::Redemption { parts } => parts.len(),
                    _ => 0,
                })
        }
        _ => 0,
    }
}

fn replay(deed: &Deed, command: &Command) -> Result<Submitted, Refusal> {
    if deed.digest != command.action.digest() {
        return Err(Refusal::IdempotencyConflict {
            id: command.id.clone(),
        });
    }
    Ok(Submitted {
        receipt: deed.receipt.clone(),
        replayed: true,
    })
}

fn not_before(member: &Member, account: &AccountId, at: Timestamp) -> Result<(), Refusal> {
    let as_of = member.as_of();
    if at >= as_of {
        return Ok(());
    }
    Err(Refusal::TimeGoesBack {
        account: account.clone(),
        at,
        as_of,
    })
}

/// All accounts that a command touches, each once.
fn touched(states: &States, action: &Action) -> SmallVec<[AccountId; 2]> {
    let mut accounts: SmallVec<[AccountId; 2]> = SmallVec::new();
    let mut add = |account: &AccountId| {
        if !accounts.contains(account) {
            accounts.push(account.clone());
        }
    };
    let deed = action.reference().and_then(|id| states.deed(id));
    each_touched(action, deed, &mut add);
    accounts
}

/// Shows the accounts that an action touches which may refer to a deed, some of them repeatedly.
fn each_touched<'a>(
    action: &'a Action,
    deed: Option<&'a Deed>,
    mut visit: impl FnMut(&'a AccountId),
) {
    action.accounts().for_each(&mut visit);
    if let Some(deed) = deed {
        deed.each_account(visit);
    }
}

fn act(draft: &mut Draft<'_>, action: &Action) -> Result<(Receipt, Subject), Refusal> {
    match action {
        Action::Earn(earn) => earn::earn(draft, earn),
        Action::Redeem(redeem) => redeem::redeem(draft, redeem),
        Action::ReverseRedeem { redemption, points } => redeem::reverse(draft, redemption, *points),
        Action::Refund { order, money } => refund::refund(draft, order, *money),
        Action::Hold(hold) => hold::hold(draft, hold),
        Action::Capture { hold, points } => hold::capture(draft, hold, *points),
        Action::Release { hold } => hold::release(draft, hold),
        Action::Adjust(adjust) => adjust::adjust(draft, adjust),
        Action::Transfer { from, to, points } => transfer::transfer(draft, from, to, *points),
        Action::GroupOpen { account } => group::open(draft, account),
        Action::GroupJoin { account, group } => group::join(draft, account, group),
        Action::Stamp { account, count } => stamp::stamp(draft, account, *count),
        Action::Unstamp { account, count } => stamp::unstamp(draft, account, *count),
        Action::SetUrr { urr } => {
            if draft.programme.liability.is_none() {
                return Err(Refusal::NotInProgramme { rules: "liability" });
            }
            rules::check_urr(*urr).map_err(|_| Refusal::InvalidAmount {
                what: "redemption rate's numerator",
                value: urr.num(),
                expected: "from 0 to the denominator",
            })?;
            draft.set_urr(*urr)?;
            Ok((Receipt::Noted {}, Subject::None))
        }
    }
}
