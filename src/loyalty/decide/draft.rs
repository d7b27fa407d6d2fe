//! The working copy of a decision: states that change with every entry that is written.

use std::sync::Arc;

use smallvec::SmallVec;

use super::super::apply::{apply, apply_to};
use super::super::calendar;
use super::super::command::Command;
use super::super::deed::{Deed, Part, Subject};
use super::super::entry::{Change, Entry};
use super::super::lot::{Lot, LotNumber, Pot, Take};
use super::super::member::Member;
use super::super::names::{AccountId, CommandId};
use super::super::points::Points;
use super::super::programme::{Expiry, ExpiryFrom, Programme};
use super::super::refusal::Refusal;
use super::super::rules::Rules;
use super::super::states::{Books, Spare, States};
use crate::event::Timestamp;

/// States, rules and an instant, and the entries written so far.
pub(super) struct Draft<'a> {
    pub(super) rules: &'a Rules,
    pub(super) programme: &'a Programme,
    pub(super) now: Timestamp,
    command: Option<&'a CommandId>,
    states: &'a mut States,
    entries: &'a mut Vec<Entry>,
    /// How many entries there were before.
    written: usize,
    finished: bool,
    members: SmallVec<[Working; 2]>,
    before: Before,
    numbers: &'a [LotNumber],
    lots_used: usize,
}

/// A member while it is decided upon, taken out of the states.
struct Working {
    account: AccountId,
    member: Arc<Member>,
    /// Whether it has a place in the states.
    known: bool,
    before: MemberBefore,
}

/// A member as it was before the first entry that changed it.
enum MemberBefore {
    Unchanged,
    /// Somebody else has it, too: the working one is a copy.
    Shared(Arc<Member>),
    /// The working one was changed itself.
    Copied(Member),
}

impl Working {
    /// The member, to be changed; with memory for a copy.
    fn member_mut(&mut self, spare: &mut Spare) -> &mut Member {
        if matches!(self.before, MemberBefore::Unchanged) {
            self.before = match Arc::get_mut(&mut self.member) {
                Some(member) => MemberBefore::Copied(spare.copy(member)),
                None => MemberBefore::Shared(self.member.clone()),
            };
        }
        Arc::make_mut(&mut self.member)
    }
}

/// Other records as they were before the first entry that changed them.
#[derive(Default)]
struct Before {
    deeds: SmallVec<[(CommandId, Arc<Deed>); 1]>,
    books: Option<Books>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        states: &'a mut States,
        entries: &'a mut Vec<Entry>,
        rules: &'a Rules,
        programme: &'a Programme,
        command: &'a Command,
        numbers: &'a [LotNumber],
    ) -> Self {
        let mut draft = Self::tick(states, entries, rules, programme, command.at);
        draft.command = Some(&command.id);
        draft.numbers = numbers;
        draft
    }

    /// Without a command: only time passes.
    pub(super) fn tick(
        states: &'a mut States,
        entries: &'a mut Vec<Entry>,
        rules: &'a Rules,
        programme: &'a Programme,
        now: Timestamp,
    ) -> Self {
        Self {
            rules,
            programme,
            now,
            command: None,
            states,
            written: entries.len(),
            finished: false,
            entries,
            members: SmallVec::new(),
            before: Before::default(),
            numbers: &[],
            lots_used: 0,
        }
    }

    pub(super) fn states(&self) -> &States {
        self.states
    }

    pub(super) fn lots_used(&self) -> usize {
        self.lots_used
    }

    /// Puts the members into the states.
    pub(super) fn finish(mut self) {
        self.finished = true;
        for working in self.members.drain(..) {
            let changed = !matches!(working.before, MemberBefore::Unchanged);
            if let MemberBefore::Copied(copy) = working.before {
                self.states.spare.give(copy);
            }
            put_back(
                self.states,
                working.account,
                working.member,
                working.known,
                changed,
            );
        }
    }

    /// Keeps the record that an entry without an account is about to change. The last entry of a
    /// command is never undone.
    fn keep(&mut self, change: &Change) {
        match change {
            Change::Expected { .. } => {
                self.before.books.get_or_insert(self.states.books);
            }
            Change::Amended { deed: id, .. } => {
                let kept = &mut self.before.deeds;
                if let Some(deed) = self.states.deeds.get(id)
                    && !kept.iter().any(|(other, _)| other == id)
                {
                    kept.push((id.clone(), deed.clone()));
                }
            }
            _ => {}
        }
    }

    /// Has a member at hand that will be looked at again and again.
    pub(super) fn bring(&mut self, account: &AccountId) {
        self.working(account);
    }

    /// The place of the member of an account among those that are decided upon.
    fn working(&mut self, account: &AccountId) -> usize {
        let at = self.members.iter().position(|w| w.account == *account);
        at.unwrap_or_else(|| {
            let nobody = Member::nobody();
            let place = self.states.members.get_mut(account);
            let known = place.is_some();
            self.members.push(Working {
                account: account.clone(),
                member: place
                    .map_or_else(|| nobody.clone(), |m| std::mem::replace(m, nobody.clone())),
                known,
                before: MemberBefore::Unchanged,
            });
            self.members.len() - 1
        })
    }

    pub(super) fn member(&self, account: &AccountId) -> &Member {
        let working = self.members.iter().find(|w| w.account == *account);
        working.map_or_else(|| self.states.member(account), |w| &w.member)
    }

    /// The name of the command; there is one in every verb.
    pub(super) fn id(&self) -> Option<&'a CommandId> {
        self.command
    }

    /// Writes an entry of now.
    pub(super) fn post(&mut self, change: Change) -> Result<(), Refusal> {
        self.post_at(self.now, change)
    }

    /// Writes an entry of an instant.
    pub(super) fn post_at(&mut self, at: Timestamp, change: Change) -> Result<(), Refusal> {
        let entry = Entry {
            at,
            command: self.command.cloned(),
            change,
        };
        match entry.account() {
            Some(account) => {
                let at = self.working(account);
                if let Some(working) = self.members.get_mut(at) {
                    apply_to(working.member_mut(&mut self.states.spare), account, &entry)?;
                }
            }
            None => {
                self.keep(&entry.change);
                apply(self.states, &entry)?;
            }
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Moves points of one lot between pots.
    pub(super) fn move_points(
        &mut self,
        account: &AccountId,
        lot: LotNumber,
        (from, to): (Pot, Pot),
        points: Points,
    ) -> Result<(), Refusal> {
        self.post(Change::Moved {
            account: account.clone(),
            lot,
            from,
            to,
            points,
        })
    }

    /// Notes a member's first points command.
    pub(super) fn join(&mut self, account: &AccountId) -> Result<(), Refusal> {
        if self.member(account).joined().is_some() {
            return Ok(());
        }
        self.post(Change::Joined {
            account: account.clone(),
        })
    }

    /// Opens a lot with the next number.
    pub(super) fn open_lot(
        &mut self,
        account: &AccountId,
        lot: NewLot,
    ) -> Result<LotNumber, Refusal> {
        let number = *self.numbers.get(self.lots_used).ok_or(Refusal::Overflow {
            what: "number of lots",
        })?;
        self.lots_used += 1;
        self.post(Change::Opened {
            account: account.clone(),
            lot: number,
            from: lot.from,
            points: lot.points,
            earned_at: lot.earned_at,
            available_at: lot.available_at,
            expires_at: lot.expires_at,
        })?;
        Ok(number)
    }

    /// When points that are earned now expire by the programme's rule.
    pub(super) fn expiry(&self, available_at: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let now = self.now;
        let expires_at = match self.programme.expiry {
            Expiry::Never => return Ok(None),
            Expiry::Days { n, from } => {
                let start = match from {
                    ExpiryFrom::Earned => now,
                    ExpiryFrom::Available => available_at,
                };
                calendar::days_later(start, i64::from(n))
            }
            Expiry::MonthsEnd { n } => calendar::month_end(now, i64::from(n)),
            Expiry::MonthsExact { n } | Expiry::Inactivity { n } => {
                calendar::months_later(now, i64::from(n))
            }
            Expiry::EndOfNextYear => calendar::start_of_year(now, 2),
            Expiry::FixedDate { at } => Some(at),
        };
        expires_at.map(Some).ok_or(Refusal::Overflow {
            what: "expiry of the points",
        })
    }

    /// Notes an activity: under [`Expiry::Inactivity`] all lots get a new expiry.
    pub(super) fn activity(&mut self, account: &AccountId) -> Result<(), Refusal> {
        if !matches!(self.programme.expiry, Expiry::Inactivity { .. }) {
            return Ok(());
        }
        let Some(expires_at) = self.expiry(self.now)? else {
            return Ok(());
        };
        self.post(Change::Redated {
            account: account.clone(),
            expires_at,
            only_later: false,
        })
    }

    /// Usable points less debts, over all accounts; held at the ends of 64 bits.
    pub(super) fn available(&self, accounts: &[AccountId]) -> Points {
        Points(accounts.iter().fold(0_i64, |sum, account| {
            sum.saturating_add(self.member(account).available().0)
        }))
    }

    /// Refuses when there are fewer points than needed.
    pub(super) fn require(&self, accounts: &[AccountId], needed: Points) -> Result<(), Refusal> {
        let available = self.available(accounts);
        if needed.0 > 0 && needed <= available {
            Ok(())
        } else {
            Err(Refusal::InsufficientAvailable { needed, available })
        }
    }

    /// The usable points of some accounts, in the order in which they are consumed.
    pub(super) fn usable(&self, accounts: &[AccountId]) -> Vec<Part> {
        let mut lots: SmallVec<[_; 4]> = accounts
            .iter()
            .flat_map(|account| self.member(account).open_lots().map(move |l| (account, l)))
            .filter(|(_, lot): &(_, Lot)| lot.usable().0 > 0)
            .collect();
        lots.sort_by(|(_, a), (_, b)| a.consumption_order(b, self.programme.consume));
        lots.into_iter()
            .map(|(account, lot)| Part {
                account: account.clone(),
                lot: lot.number,
                points: lot.usable(),
            })
            .collect()
    }

    /// Takes up to `points` usable points into another pot; says which, in the order of consumption.
    pub(super) fn consume(
        &mut self,
        accounts: &[AccountId],
        points: Points,
        to: Pot,
    ) -> Result<Vec<Part>, Refusal> {
        let mut left = points.0;
        let mut parts = self.usable(accounts);
        for part in &mut parts {
            let taken = left.min(part.points.0);
            left -= taken;
            part.points = Points(taken);
        }
        parts.retain(|part| part.points.0 > 0);
        for part in &parts {
            self.move_points(&part.account, part.lot, (Pot::Available, to), part.points)?;
        }
        Ok(parts)
    }

    /// Replaces what later commands can refer to.
    pub(super) fn amend(&mut self, deed: &CommandId, subject: Subject) -> Result<(), Refusal> {
        self.post(Change::Amended {
            deed: deed.clone(),
            subject: Box::new(subject),
        })
    }

    /// The last entry: the command was carried out.
    pub(super) fn done(&mut self, deed: Deed) -> Result<(), Refusal> {
        let Some(id) = self.command else {
            return Ok(());
        };
        self.post(Change::Done {
            id: id.clone(),
            deed: Arc::new(deed),
        })
    }
}

impl Drop for Draft<'_> {
    /// Unless it was finished, brings the records back to what they were, and forgets the entries: also
    /// when a rule in code panics.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.entries.truncate(self.written);
        for working in self.members.drain(..) {
            let member = match working.before {
                MemberBefore::Unchanged => working.member,
                MemberBefore::Shared(before) => before,
                MemberBefore::Copied(before) => {
                    let mut member = working.member;
                    let changed = std::mem::replace(Arc::make_mut(&mut member), before);
                    self.states.spare.give(changed);
                    member
                }
            };
            put_back(self.states, working.account, member, working.known, false);
        }
        self.states.deeds.extend(self.before.deeds.drain(..));
        if let Some(books) = self.before.books {
            self.states.books = books;
        }
    }
}

/// Gives the states back what was taken out of them, and what is new.
fn put_back(
    states: &mut States,
    account: AccountId,
    member: Arc<Member>,
    known: bool,
    changed: bool,
) {
    if known {
        if let Some(place) = states.members.get_mut(&account) {
            *place = member;
        }
    } else if changed {
        states.members.insert(account, member);
    }
}

/// A lot to be opened.
pub(super) struct NewLot {
    pub(super) from: Pot,
    pub(super) points: Points,
    pub(super) earned_at: Timestamp,
    pub(super) available_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
}

/// The parts without their accounts, as receipts show them.
pub(super) fn takes(parts: &[Part]) -> Vec<Take> {
    parts
        .iter()
        .map(|part| Take {
            lot: part.lot,
            points: part.points,
        })
        .collect()
}
