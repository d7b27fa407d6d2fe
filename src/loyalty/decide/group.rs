//! Team purchases: open, join, form.

use super::super::deed::{Group, GroupState, Subject};
use super::super::lot::Pot;
use super::super::names::{AccountId, CommandId};
use super::super::programme::GroupRules;
use super::super::receipt::Receipt;
use super::super::refusal::Refusal;
use super::draft::{Draft, Who};
use super::hold::reserve;
use crate::event::Timestamp;

pub(super) fn open(
    draft: &mut Draft<'_>,
    account: &AccountId,
) -> Result<(Receipt, Subject), Refusal> {
    let rules = rules(draft)?;
    let deadline = draft.now.unix_s().checked_add(rules.seconds);
    let deadline = deadline
        .and_then(|s| Timestamp::from_unix_s(s).ok())
        .ok_or(Refusal::Overflow {
            what: "deadline of the group",
        })?;
    let mut group = Group {
        deadline,
        members: Vec::new(),
        formed: false,
    };
    let who = draft.who(account);
    commit(draft, who, &mut group, rules)?;
    Ok((joined(&group, draft.now), Subject::Group(group)))
}

pub(super) fn join(
    draft: &mut Draft<'_>,
    account: &AccountId,
    id: &CommandId,
) -> Result<(Receipt, Subject), Refusal> {
    let rules = rules(draft)?;
    let Some(Subject::Group(group)) = draft.states().deed(id).map(|deed| &deed.subject) else {
        return Err(Refusal::UnknownGroup { group: id.clone() });
    };
    let mut group = group.clone();
    if draft.now >= group.deadline {
        return Err(Refusal::GroupDeadlinePassed {
            group: id.clone(),
            deadline: group.deadline,
        });
    }
    if group.formed {
        return Err(Refusal::GroupFull { group: id.clone() });
    }
    if group.members.iter().any(|(member, _)| member == account) {
        return Err(Refusal::AlreadyMember {
            account: account.clone(),
            group: id.clone(),
        });
    }
    let who = draft.who(account);
    commit(draft, who, &mut group, rules)?;
    if group.members.len() >= rules.size as usize {
        form(draft, &mut group)?;
    }
    let receipt = joined(&group, draft.now);
    draft.amend(id, Subject::Group(group))?;
    Ok((receipt, Subject::None))
}

fn rules(draft: &Draft<'_>) -> Result<GroupRules, Refusal> {
    draft
        .programme
        .group
        .ok_or(Refusal::NotInProgramme { rules: "group" })
}

/// A member commits the deposit until the deadline.
fn commit(
    draft: &mut Draft<'_>,
    who: Who,
    group: &mut Group,
    rules: GroupRules,
) -> Result<(), Refusal> {
    draft.join(who)?;
    if rules.deposit.0 > 0 {
        reserve(draft, &[who], rules.deposit, Some(group.deadline))?;
    }
    if let Some(id) = draft.id() {
        group.members.push((draft.account(who).clone(), id.clone()));
    }
    Ok(())
}

/// The team is complete: every deposit is spent.
fn form(draft: &mut Draft<'_>, group: &mut Group) -> Result<(), Refusal> {
    group.formed = true;
    for (account, hold) in &group.members {
        let who = draft.who(account);
        let holds = &draft.member(who).more().holds;
        let held = holds.iter().any(|share| share.hold == *hold);
        if held {
            draft.close_share(who, hold, draft.now, Pot::Redeemed)?;
            draft.activity(who)?;
        }
    }
    Ok(())
}

fn joined(group: &Group, now: Timestamp) -> Receipt {
    let state: GroupState = group.state(now);
    Receipt::Joined {
        state,
        members: u32::try_from(group.members.len()).unwrap_or(u32::MAX),
    }
}
