//! Where the entries of decisions go.

use std::sync::Arc;

use super::command::Action;
use super::deed::{Deed, Digest};
use super::entry::{Change, Entry};
use super::names::CommandId;
use super::states::States;

/// Takes the entries of decisions, in their order.
pub(crate) trait Book {
    /// How far it is written.
    fn written(&self) -> Written;

    /// Forgets all that was written since.
    fn forget(&mut self, since: Written);

    /// Takes an entry; not one that a command was carried out.
    fn enter(&mut self, entry: Entry);

    /// Takes the last entry of a command; gives the deed to the states unless it keeps it itself.
    fn done(&mut self, states: &mut States, id: &CommandId, deed: &Deed);

    /// A decision that will not be undone changed the member at a place.
    fn changed(&mut self, place: usize);

    /// What stands for an action.
    fn digest(&mut self, action: &Action) -> Digest {
        action.digest()
    }
}

/// A point to which a book can go back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

impl Book for Vec<Entry> {
    fn written(&self) -> Written {
        Written {
            entries: self.len(),
            bytes: 0,
        }
    }

    fn forget(&mut self, since: Written) {
        self.truncate(since.entries);
    }

    fn enter(&mut self, entry: Entry) {
        self.push(entry);
    }

    fn done(&mut self, states: &mut States, id: &CommandId, deed: &Deed) {
        let deed = Arc::new(deed.clone());
        states.deeds.insert(id.clone(), Arc::clone(&deed));
        self.push(Entry {
            at: deed.at,
            command: Some(id.clone()),
            change: Change::Done {
                id: id.clone(),
                deed,
            },
        });
    }

    fn changed(&mut self, _: usize) {}
}
