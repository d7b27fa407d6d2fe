//! Taking back what a decision did: before a member is changed, what brings it back is noted.
//!
//! A copy of each member would do the same and cost more than the decision: most change a lot or two and a few
//! numbers of one size.

use std::sync::Arc;

use smallvec::SmallVec;

use super::super::deed::Deed;
use super::super::entry::Change;
use super::super::lot::{LotNumber, Pot};
use super::super::lots::Lots;
use super::super::member::{Core, Member, More};
use super::super::names::{AccountId, CommandId};
use super::super::row::Row;
use super::super::states::{Books, States};

/// What a decision did, in the order in which it did it.
pub(super) type Steps = SmallVec<[Undo; 4]>;

/// A member that is decided upon.
pub(super) struct Working {
    pub(super) account: AccountId,
    /// Where it is among the states; `None` for somebody new whom no entry has changed.
    pub(super) place: Option<usize>,
    before: Before,
}

/// A member as it was before the first entry that changed it.
enum Before {
    Unchanged,
    /// Not there.
    New,
    /// Somebody else has it, too: the one that was changed is a copy.
    Shared(Arc<Member>),
    /// Changed where it is; its lots and the rest are brought back by what is to be undone.
    Core(Core),
    /// The same, and all besides the lots.
    More(Core, Option<Box<More>>),
}

/// What brings a record back to what it was.
pub(super) enum Undo {
    /// The member at a place had this lot.
    Lot(usize, Row),
    /// It had no lot of that number.
    NoLot(usize, LotNumber),
    /// It had these lots.
    Lots(usize, Lots),
    Deed(CommandId, Arc<Deed>),
    Books(Books),
}

impl Working {
    /// A member that no entry has changed yet.
    pub(super) fn new(account: &AccountId, states: &States) -> Self {
        Self {
            account: account.clone(),
            place: states.members.place(account),
            before: Before::Unchanged,
        }
    }

    pub(super) fn is_unchanged(&self) -> bool {
        matches!(self.before, Before::Unchanged)
    }

    /// The member itself, to be changed; notes what brings it back.
    pub(super) fn change<'s>(
        &mut self,
        states: &'s mut States,
        undo: &mut Steps,
        change: &Change,
    ) -> &'s mut Member {
        let place = match self.place {
            Some(place) => place,
            None => {
                self.before = Before::New;
                let place = states.members.push(self.account.clone());
                *self.place.insert(place)
            }
        };
        let (member, others) = states.members.alone(place);
        if let Before::Unchanged = self.before {
            self.before = others.map_or_else(|| Before::Core(member.core()), Before::Shared);
        }
        if let Before::Core(_) | Before::More(..) = self.before {
            self.note(place, member, undo, change);
        }
        member
    }

    /// Notes what a change is about to change of a member besides its core.
    fn note(&mut self, place: usize, member: &Member, undo: &mut Steps, change: &Change) {
        match change {
            Change::Opened { lot, .. }
            | Change::Moved { lot, .. }
            | Change::Matured { lot, .. } => {
                let row = member.lots.row(*lot).cloned();
                let before = row.map_or(Undo::NoLot(place, *lot), |row| Undo::Lot(place, row));
                undo.push(before);
            }
            Change::Redated { .. } => undo.push(Undo::Lots(place, member.lots.clone())),
            _ => {}
        }
        let lots_only = match change {
            Change::Joined { .. } | Change::Opened { .. } | Change::Matured { .. } => true,
            Change::Moved { to, .. } => *to != Pot::Debt,
            Change::Redated { .. } => true,
            _ => false,
        };
        if let (Before::Core(core), false) = (&self.before, lots_only) {
            self.before = Before::More(*core, member.more.clone());
        }
    }
}

/// Brings the records back to what they were before all steps.
pub(super) fn restore(states: &mut States, undo: &mut Steps, working: &mut SmallVec<[Working; 2]>) {
    let members = &mut states.members;
    while let Some(step) = undo.pop() {
        match step {
            Undo::Lot(place, row) => members.at_mut(place).lots.put(row),
            Undo::NoLot(place, number) => members.at_mut(place).lots.remove(number),
            Undo::Lots(place, before) => members.at_mut(place).lots = before,
            Undo::Deed(id, deed) => {
                states.deeds.insert(id, deed);
            }
            Undo::Books(books) => states.books = books,
        }
    }
    for working in working.drain(..) {
        let Some(place) = working.place else { continue };
        match working.before {
            Before::Unchanged => {}
            // All that are new came after all others.
            Before::New => members.pop(),
            Before::Shared(before) => members.put(place, before),
            Before::Core(core) => members.at_mut(place).set_core(core),
            Before::More(core, more) => {
                let member = members.at_mut(place);
                member.set_core(core);
                member.more = more;
            }
        }
    }
}
