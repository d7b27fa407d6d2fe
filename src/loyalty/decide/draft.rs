//! The working copy of a decision: states that change with every entry that is written.

use std::sync::Arc;

use smallvec::SmallVec;

use super::super::apply::{apply, apply_to};
use super::super::book::{Book, Written};
use super::super::calendar;
use super::super::command::{Action, Command};
use super::super::deed::{Deed, Digest, Part, Subject};
use super::super::entry::{Change, Entry};
use super::super::lot::{ConsumptionOrder, LotNumber, Pot, Take};
use super::super::member::Member;
use super::super::names::{AccountId, CommandId};
use super::super::points::Points;
use super::super::programme::{Expiry, ExpiryFrom, Programme};
use super::super::rational::Rational;
use super::super::refusal::Refusal;
use super::super::rules::Rules;
use super::super::states::States;
use super::undo::{Steps, Undo, Working, restore};
use super::{each_touched, not_before};
use crate::event::Timestamp;

/// States, rules and an instant, and the entries written so far.
pub(super) struct Draft<'a> {
    pub(super) rules: &'a Rules,
    pub(super) programme: &'a Programme,
    pub(super) now: Timestamp,
    command: Option<&'a CommandId>,
    states: &'a mut States,
    book: &'a mut dyn Book,
    /// How far the book was written before.
    written: Written,
    finished: bool,
    members: SmallVec<[Working; 2]>,
    undo: Steps,
    numbers: &'a [LotNumber],
    lots_used: usize,
}

/// Which of the members that are decided upon: for looking a name up once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who(usize);

/// Members whose points count together, in the order in which a command names them.
pub(super) type Pool = SmallVec<[Who; 2]>;

impl<'a> Draft<'a> {
    pub(super) fn new(
        states: &'a mut States,
        book: &'a mut dyn Book,
        rules: &'a Rules,
        programme: &'a Programme,
        command: &'a Command,
        numbers: &'a [LotNumber],
    ) -> Self {
        let mut draft = Self::tick(states, book, rules, programme, command.at);
        draft.command = Some(&command.id);
        draft.numbers = numbers;
        draft
    }

    /// Without a command: only time passes.
    pub(super) fn tick(
        states: &'a mut States,
        book: &'a mut dyn Book,
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
            written: book.written(),
            finished: false,
            book,
            members: SmallVec::new(),
            undo: Steps::new(),
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

    /// Everything stays as it is now.
    pub(super) fn finish(mut self) {
        self.finished = true;
        for working in &self.members {
            if let (Some(place), false) = (working.place, working.is_unchanged()) {
                self.book.changed(place);
            }
        }
    }

    /// Has the members at hand that an action touches; refuses when one of them is ahead of now.
    pub(super) fn bring_all(&mut self, action: &Action) -> Result<(), Refusal> {
        let deed = action.reference().and_then(|id| self.states.deeds.get(id));
        let deed = deed.cloned();
        let mut brought = Ok(());
        each_touched(action, deed.as_deref(), |account| {
            if brought.is_ok() {
                brought = self.bring(account);
            }
        });
        brought
    }

    /// Has a member at hand that will be looked at again and again; refuses when it is ahead of now.
    pub(super) fn bring(&mut self, account: &AccountId) -> Result<(), Refusal> {
        let who = self.who(account);
        not_before(self.member(who), account, self.now)
    }

    /// All members at hand, in the order in which they were brought.
    pub(super) fn at_hand(&self) -> impl Iterator<Item = Who> + use<> {
        (0..self.members.len()).map(Who)
    }

    /// The member of an account.
    pub(super) fn who(&mut self, account: &AccountId) -> Who {
        let at = self.members.iter().position(|w| w.account == *account);
        Who(at.unwrap_or_else(|| {
            self.members.push(Working::new(account, self.states));
            self.members.len() - 1
        }))
    }

    /// The members of some accounts, in their order.
    pub(super) fn all(&mut self, accounts: &[AccountId]) -> Pool {
        accounts.iter().map(|account| self.who(account)).collect()
    }

    /// The account of a member.
    pub(super) fn account(&self, who: Who) -> &AccountId {
        &self.members[who.0].account
    }

    pub(super) fn member(&self, who: Who) -> &Member {
        let place = self.members[who.0].place;
        let member = place.and_then(|at| self.states.members.at(at));
        member.unwrap_or(Member::nobody())
    }

    /// The name of the command; there is one in every verb.
    pub(super) fn id(&self) -> Option<&'a CommandId> {
        self.command
    }

    /// Writes an entry of now about a member.
    pub(super) fn post(
        &mut self,
        who: Who,
        change: impl FnOnce(AccountId) -> Change,
    ) -> Result<(), Refusal> {
        self.post_at(self.now, who, change)
    }

    /// Writes an entry of an instant about a member.
    pub(super) fn post_at(
        &mut self,
        at: Timestamp,
        who: Who,
        change: impl FnOnce(AccountId) -> Change,
    ) -> Result<(), Refusal> {
        let change = change(self.account(who).clone());
        self.enter(at, who, change)
    }

    fn enter(&mut self, at: Timestamp, who: Who, change: Change) -> Result<(), Refusal> {
        let entry = self.entry(at, change);
        let working = &mut self.members[who.0];
        let member = working.change(self.states, &mut self.undo, &entry.change);
        apply_to(member, &working.account, &entry)?;
        self.book.enter(entry);
        Ok(())
    }

    fn entry(&self, at: Timestamp, change: Change) -> Entry {
        Entry {
            at,
            command: self.command.cloned(),
            change,
        }
    }

    /// Writes an entry of now that is about no member.
    fn post_alone(&mut self, change: Change, undo: Option<Undo>) -> Result<(), Refusal> {
        let entry = self.entry(self.now, change);
        self.undo.extend(undo);
        apply(self.states, &entry)?;
        self.book.enter(entry);
        Ok(())
    }

    /// Another redemption rate is expected.
    pub(super) fn set_urr(&mut self, urr: Rational) -> Result<(), Refusal> {
        let before = Undo::Books(self.states.books);
        self.post_alone(Change::Expected { urr }, Some(before))
    }

    /// Replaces what later commands can refer to.
    pub(super) fn amend(&mut self, id: &CommandId, subject: Subject) -> Result<(), Refusal> {
        let deed = self.states.deeds.get(id);
        let before = deed.map(|deed| Undo::Deed(id.clone(), Arc::clone(deed)));
        let change = Change::Amended {
            deed: id.clone(),
            subject: Box::new(subject),
        };
        self.post_alone(change, before)
    }

    /// Moves points of one lot between pots.
    pub(super) fn move_points(
        &mut self,
        who: Who,
        lot: LotNumber,
        (from, to): (Pot, Pot),
        points: Points,
    ) -> Result<(), Refusal> {
        self.move_points_at(self.now, who, lot, (from, to), points)
    }

    /// The same, at an instant.
    pub(super) fn move_points_at(
        &mut self,
        at: Timestamp,
        who: Who,
        lot: LotNumber,
        (from, to): (Pot, Pot),
        points: Points,
    ) -> Result<(), Refusal> {
        self.post_at(at, who, |account| Change::Moved {
            account,
            lot,
            from,
            to,
            points,
        })
    }

    /// Notes a member's first points command.
    pub(super) fn join(&mut self, who: Who) -> Result<(), Refusal> {
        if self.member(who).joined().is_some() {
            return Ok(());
        }
        self.post(who, |account| Change::Joined { account })
    }

    /// Opens a lot with the next number.
    pub(super) fn open_lot(&mut self, who: Who, lot: NewLot) -> Result<LotNumber, Refusal> {
        let Some(&number) = self.numbers.get(self.lots_used) else {
            let what = "number of lots";
            return Err(Refusal::Overflow { what });
        };
        self.lots_used += 1;
        self.post(who, |account| Change::Opened {
            account,
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
        match expires_at {
            Some(_) => Ok(expires_at),
            None => Err(Refusal::Overflow {
                what: "expiry of the points",
            }),
        }
    }

    /// Notes an activity: under [`Expiry::Inactivity`] all lots get a new expiry.
    pub(super) fn activity(&mut self, who: Who) -> Result<(), Refusal> {
        if !matches!(self.programme.expiry, Expiry::Inactivity { .. }) {
            return Ok(());
        }
        let Some(expires_at) = self.expiry(self.now)? else {
            return Ok(());
        };
        self.post(who, |account| Change::Redated {
            account,
            expires_at,
            only_later: false,
        })
    }

    /// Usable points less debts, over a pool; held at the ends of 64 bits.
    pub(super) fn available(&self, pool: &[Who]) -> Points {
        Points(pool.iter().fold(0_i64, |sum, who| {
            sum.saturating_add(self.member(*who).available().0)
        }))
    }

    /// Refuses when there are fewer points than needed.
    pub(super) fn require(&self, pool: &[Who], needed: Points) -> Result<(), Refusal> {
        let available = self.available(pool);
        if needed.0 > 0 && needed <= available {
            Ok(())
        } else {
            Err(Refusal::InsufficientAvailable { needed, available })
        }
    }

    /// The lots of a pool that have usable points, in the order in which they are consumed.
    pub(super) fn usable(&self, pool: &[Who]) -> SmallVec<[Usable; 4]> {
        let consume = self.programme.consume;
        let mut all: SmallVec<[Usable; 4]> = SmallVec::new();
        for &who in pool {
            self.member(who).lots.each_usable(|lot| {
                all.push(Usable {
                    order: lot.consumption_order(consume),
                    who,
                    lot: lot.number,
                    points: lot.free,
                });
            });
        }
        all.sort_unstable_by_key(|lot| lot.order);
        all
    }

    /// Takes up to `points` usable points into another pot; says which, in the order of consumption.
    pub(super) fn consume(
        &mut self,
        pool: &[Who],
        points: Points,
        to: Pot,
    ) -> Result<Vec<Part>, Refusal> {
        let mut left = points.0;
        let mut parts = Vec::new();
        for Usable {
            who, lot, points, ..
        } in self.usable(pool)
        {
            let points = Points(left.min(points.0));
            if points.0 <= 0 {
                break;
            }
            left -= points.0;
            self.move_points(who, lot, (Pot::Available, to), points)?;
            let account = self.account(who).clone();
            parts.push(Part {
                account,
                lot,
                points,
            });
        }
        Ok(parts)
    }

    pub(super) fn digest(&mut self, action: &Action) -> Digest {
        self.book.digest(action)
    }

    /// The last entry: the command was carried out. It is never undone.
    pub(super) fn done(&mut self, deed: &Deed) {
        if let Some(id) = self.command {
            self.book.done(self.states, id, deed);
        }
    }
}

impl Drop for Draft<'_> {
    /// Unless it was finished, brings the records back to what they were, and forgets the entries: also
    /// when a rule in code panics.
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.book.forget(self.written);
        restore(self.states, &mut self.undo, &mut self.members);
    }
}

/// A lot with usable points.
pub(super) struct Usable {
    order: ConsumptionOrder,
    pub(super) who: Who,
    pub(super) lot: LotNumber,
    pub(super) points: Points,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{decide, decide_on};
    use crate::event::Timestamp;
    use crate::loyalty::states::States;
    use crate::loyalty::{
        AccountId, Action, Adjust, Command, Earn, Hold, LotNumber, Points, Purse, Redeem, Rules,
    };

    fn rules() -> Rules {
        let programme = r#"{"earn": {"rounding": "floor", "round_scope": "order"}, "earn_rules": [{"rate": [1, 1]}],
            "expiry": {"kind": "inactivity", "n": 1}, "pending_days": 2, "clawback": "own_lot_then_debt",
            "cap": {"kind": "sliding", "seconds": 864000, "points": 60}, "velocity": {"max_redemptions": 3, "seconds": 864000},
            "tiers": {"kind": "anniversary", "unit": "points", "thresholds": [40, 90], "soft_landing": false}}"#;
        Rules::new(serde_json::from_str(programme).unwrap()).unwrap()
    }

    fn action((verb, points, who, to): (u8, i64, u8, usize)) -> Action {
        let account = |who: u8| AccountId::from(format!("m{who}"));
        let points = Points(points);
        let earlier = format!("c{to}").as_str().into();
        match verb {
            0..=3 => Earn::money(account(who), points.0).into(),
            4 => Redeem::points(account(who), points).into(),
            5 => Redeem {
                purse: Purse::Pool(vec![account(who), account(who + 1)]),
                points: Some(points),
            }
            .into(),
            6 => Hold::points(account(who), points, Some(200_000)).into(),
            7 => Action::Capture {
                hold: earlier,
                points: Some(points),
            },
            8 => Action::Refund {
                order: earlier,
                money: Some(points.0),
            },
            9 => Action::Transfer {
                from: account(who),
                to: account(who + 1),
                points: Some(points),
            },
            10 => Action::ReverseRedeem {
                redemption: earlier,
                points: Some(points),
            },
            // Leaves 64 bits half of the time, after all that was due.
            _ => Adjust::points(account(who), Points(i64::MAX - points.0)).into(),
        }
    }

    /// The same states, shared with nobody.
    fn alone(states: &States) -> States {
        let mut copy = States::new();
        copy.books = states.books;
        for (account, member) in states.members() {
            *copy.member_mut(account) = member.clone();
        }
        copy.deeds = states.deeds.clone();
        copy
    }

    proptest! {
        /// Decided in place, where a refusal is undone step by step, and upon a copy that is thrown away.
        #[test]
        fn a_decision_in_place_is_that_upon_a_copy(
            steps in proptest::collection::vec((0_u8..12, 1_i64..40, 0_u8..3, 0_usize..60), 1..60),
            pauses in proptest::collection::vec(0_i64..900_000, 60)
        ) {
            let rules = rules();
            let mut at = Timestamp::EPOCH;
            let (mut states, mut journal) = (States::new(), Vec::new());
            for (number, (step, pause)) in steps.into_iter().zip(pauses).enumerate() {
                at = at.saturating_add_s(pause);
                let command = Command::new(format!("c{number}"), at, action(step));
                let lots: Vec<LotNumber> = (0..200).map(|lot| LotNumber(1 + 200 * number as u64 + lot)).collect();
                let before = alone(&states);
                let revisions = |states: &States| -> Vec<u64> {
                    states.members().map(|(_, member)| member.revision).collect()
                };
                let expected = decide(&before, &rules, &command, &lots);
                let written = journal.len();
                let found = decide_on(&mut states, &mut journal, &rules, &command, &lots);
                match (found, expected) {
                    (Ok((submitted, used)), Ok(outcome)) => {
                        prop_assert_eq!(submitted, outcome.submitted);
                        prop_assert_eq!(used, outcome.lots_used);
                        prop_assert_eq!(&journal[written..], outcome.entries);
                        prop_assert_eq!(revisions(&states), revisions(&outcome.states));
                        prop_assert_eq!(&states, &outcome.states);
                    }
                    (Err(found), Err(expected)) => {
                        prop_assert_eq!(found, expected);
                        prop_assert_eq!(journal.len(), written);
                        prop_assert_eq!(revisions(&states), revisions(&before));
                        prop_assert_eq!(&states, &before);
                    }
                    (found, expected) => prop_assert!(false, "{found:?} {expected:?}"),
                }
            }
        }
    }
}
