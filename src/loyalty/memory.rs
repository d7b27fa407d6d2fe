//! A store in memory.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::command::Command;
use super::deed::Deed;
use super::entry::Entry;
use super::member::Member;
use super::names::{AccountId, CommandId};
use super::people::People;
use super::privacy::Directory;
use super::recall::Recall;
use super::sheet::{Sheet, Told};
use super::states::{Key, Record, States};
use super::store::{Batch, CommitError, Deeds, InPlace, Store, StoreError, Versioned};

/// A store in memory: for tests, simulations, what-ifs, and programmes that keep their own journal.
///
/// Nothing is written anywhere; what it holds ends with it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    shelf: Mutex<Shelf>,
    people: Mutex<People>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// A member's version is its revision. Of the commands only those at hand.
    states: States,
    history: History,
    last_lot: u64,
}

#[derive(Debug, Default)]
struct History {
    recall: Recall,
    /// Commands that came in a batch, with their versions.
    brought: HashMap<CommandId, (u64, Arc<Deed>), RandomState>,
    books_version: u64,
}

impl History {
    fn find(&self, id: &CommandId) -> Option<(u64, Arc<Deed>)> {
        self.brought(id).or_else(|| self.recall.find(id))
    }

    fn brought(&self, id: &CommandId) -> Option<(u64, Arc<Deed>)> {
        // Mostly there are none.
        match self.brought.is_empty() {
            true => None,
            false => self.brought.get(id).cloned(),
        }
    }
}

impl Deeds for History {
    fn own(&mut self, id: &CommandId) -> Result<Option<Arc<Deed>>, StoreError> {
        let found = self.brought(id).or_else(|| self.recall.own(id));
        Ok(found.map(|(_, deed)| deed))
    }

    fn find(&mut self, id: &CommandId) -> Result<Option<Arc<Deed>>, StoreError> {
        Ok(History::find(self, id).map(|(_, deed)| deed))
    }

    fn sheet(&mut self) -> &mut Sheet {
        self.recall.sheet()
    }

    fn warm(&mut self, commands: &[Command]) {
        self.recall.warm(commands.iter().map(|command| &command.id));
    }

    fn note(&mut self) {
        self.recall
            .note(|told| self.books_version += u64::from(matches!(told, Told::Expected)));
    }
}

impl Shelf {
    fn get(&self, key: &Key) -> Versioned {
        let found = match key {
            Key::Member(account) => {
                let member = self.states.members.shared(account);
                member.map(|m| (m.revision, Record::Member(m)))
            }
            Key::Deed(id) => {
                let found = self.history.find(id);
                found.map(|(version, deed)| (version, Record::Deed(deed)))
            }
            Key::Books => Some((self.history.books_version, Record::Books(self.states.books))),
        };
        let (version, record) = found.filter(|(version, _)| *version > 0).unzip();
        Versioned {
            version: version.unwrap_or(0),
            record,
        }
    }

    /// Puts a record under its name, at a higher version; one of another kind than its name is ignored.
    fn put(&mut self, key: Key, record: Record) {
        let version = self.get(&key).version;
        match (key, record) {
            (Key::Member(account), Record::Member(mut member)) => {
                if member.revision <= version {
                    Arc::make_mut(&mut member).revision = version + 1;
                }
                self.states.members.insert(account, member);
            }
            (Key::Deed(id), Record::Deed(deed)) => {
                self.history.brought.insert(id, (version + 1, deed));
            }
            (Key::Books, Record::Books(books)) => {
                self.states.books = books;
                self.history.books_version += 1;
            }
            _ => {}
        }
    }

    fn in_place(&mut self) -> InPlace<'_> {
        // Whatever was looked at was left in the middle.
        self.history.recall.warm([].into_iter());
        InPlace {
            states: &mut self.states,
            deeds: &mut self.history,
            last_lot: &mut self.last_lot,
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Whoever panicked changed nothing: `commit` changes after all checks, and a draft of a decision
        // undoes what it did.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self, keys: &[Key]) -> Result<Vec<Versioned>, StoreError> {
        let shelf = self.shelf();
        Ok(keys.iter().map(|key| shelf.get(key)).collect())
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        let mut shelf = self.shelf();
        for (key, expected) in &batch.expected {
            let found = shelf.get(key).version;
            if found != *expected {
                return Err(CommitError::Moved {
                    key: key.clone(),
                    found,
                    expected: *expected,
                });
            }
        }
        for (key, record) in batch.changed {
            shelf.put(key, record);
        }
        let first = shelf.history.recall.count() + 1;
        shelf.history.recall.append(&batch.entries);
        Ok(first)
    }

    fn scan(
        &self,
        from: u64,
        visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.shelf().history.recall.scan(from, visit);
        Ok(())
    }

    fn records(
        &self,
        visit: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let shelf = self.shelf();
        let brought = &shelf.history.brought;
        let members = shelf.states.members().map(|(account, member)| {
            let copy = Record::Member(Arc::new(member.clone()));
            (Key::Member(account.clone()), copy)
        });
        let deeds = brought.iter();
        let deeds =
            deeds.map(|(id, (_, deed))| (Key::Deed(id.clone()), Record::Deed(deed.clone())));
        let books = shelf.get(&Key::Books).record;
        let books = books.map(|books| (Key::Books, books));
        for (key, record) in members.chain(deeds).chain(books) {
            if visit(&key, &record).is_break() {
                return Ok(());
            }
        }
        shelf.history.recall.each(&mut |id, deed| {
            if brought.contains_key(&id) {
                return ControlFlow::Continue(());
            }
            visit(&Key::Deed(id), &Record::Deed(deed))
        });
        Ok(())
    }

    fn members(
        &self,
        visit: &mut dyn FnMut(&AccountId, &Member) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let shelf = self.shelf();
        for (account, member) in shelf.states.members() {
            if visit(account, member).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn reserve_lots(&self, count: u64) -> Result<Range<u64>, StoreError> {
        self.shelf().in_place().reserve_lots(count)
    }

    fn in_place(
        &self,
        work: &mut dyn FnMut(&mut InPlace<'_>) -> Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        work(&mut self.shelf().in_place())?;
        Ok(true)
    }
}

impl Directory for MemoryStore {
    fn account_of(&self, person: &str) -> Result<Option<AccountId>, StoreError> {
        Ok(self.people().account_of(person))
    }

    fn person_of(&self, account: &AccountId) -> Result<Option<String>, StoreError> {
        Ok(self.people().person_of(account))
    }

    fn link(&self, person: &str) -> Result<AccountId, StoreError> {
        self.people().link(person)
    }

    fn unlink(&self, person: &str) -> Result<Option<AccountId>, StoreError> {
        Ok(self.people().unlink(person))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::loyalty::states::Books;
    use crate::loyalty::{
        Action, Basis, Command, Earn, EarnRule, Hold, Ledger, Points, Redeem, Rules,
    };
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn batch(expected: u64) -> Batch {
        Batch {
            expected: vec![(Key::Books, expected)],
            changed: vec![(Key::Books, Record::Books(Books::default()))],
            entries: vec![],
        }
    }

    #[test]
    fn of_two_batches_upon_one_version_the_second_is_turned_away() {
        let store = MemoryStore::new();
        assert_eq!(store.load(&[Key::Books]).unwrap()[0].version, 0);
        store.commit(batch(0)).unwrap();
        let error = store.commit(batch(0)).unwrap_err();
        assert!(
            matches!(
                error,
                CommitError::Moved {
                    found: 1,
                    expected: 0,
                    ..
                }
            ),
            "{error}"
        );
        store.commit(batch(1)).unwrap();
        assert_eq!(store.load(&[Key::Books]).unwrap()[0].version, 2);
    }

    #[test]
    fn lot_numbers_are_given_once() {
        let store = MemoryStore::new();
        assert_eq!(store.reserve_lots(3).unwrap(), 1..4);
        assert_eq!(store.reserve_lots(1).unwrap(), 4..5);
        assert!(store.reserve_lots(u64::MAX).is_err());
        assert_eq!(store.reserve_lots(0).unwrap(), 5..5);
    }

    struct Panics;

    impl EarnRule for Panics {
        fn points(&self, order: &Earn, _: &Member, _: Timestamp) -> Points {
            assert!(order.basis != Basis::Money(13), "13");
            Points(order.tags.len() as i64)
        }
    }

    fn ledger() -> Ledger<MemoryStore> {
        let programme = r#"{"earn": {"rounding": "floor", "round_scope": "order"},
            "earn_rules": [{"rate": [1, 1]}], "expiry": {"kind": "days", "n": 10}}"#;
        let rules = Rules::new(serde_json::from_str(programme).unwrap()).unwrap();
        Ledger::new(MemoryStore::new(), rules.with_earn_rule(Arc::new(Panics)))
    }

    fn journal(ledger: &Ledger<MemoryStore>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut push = |_, entry: &Entry| {
            entries.push(entry.clone());
            ControlFlow::Continue(())
        };
        ledger.store().scan(1, &mut push).unwrap();
        entries
    }

    fn command(id: &str, day: i64, action: impl Into<Action>) -> Command {
        let at = Timestamp::EPOCH.saturating_add_s(day * crate::event::DAY_S);
        Command::new(id, at, action)
    }

    #[test]
    fn every_decision_raises_the_versions_of_what_it_changes() {
        let ledger = ledger();
        let versions = || {
            let keys = [Key::Member("ann".into()), Key::Deed("h".into()), Key::Books];
            let found = ledger.store().load(&keys).unwrap();
            [0, 1, 2].map(|at: usize| found[at].version)
        };
        assert_eq!(versions(), [0, 0, 0]);
        ledger
            .submit(command("e", 0, Earn::money("ann", 50)))
            .unwrap();
        let [earned, ..] = versions();
        assert!(earned > 0);
        ledger
            .submit(command("h", 1, Hold::points("ann", Points(5), None)))
            .unwrap();
        let [held, hold, _] = versions();
        assert!(held > earned);
        assert_eq!(hold, 1);
        // Refused after its points have expired: nothing is written.
        ledger
            .submit(command("r", 20, Redeem::points("ann", Points(1))))
            .unwrap_err();
        assert_eq!(versions(), [held, 1, 0]);
        let capture = Action::Capture {
            hold: "h".into(),
            points: None,
        };
        ledger.submit(command("c", 2, capture)).unwrap();
        let [captured, hold, books] = versions();
        assert!(captured > held);
        assert_eq!((hold, books), (2, 0));
    }

    #[test]
    fn a_panic_in_a_rule_changes_nothing() {
        let ledger = ledger();
        ledger
            .submit(command("e", 0, Earn::money("ann", 50)))
            .unwrap();
        let entries = journal(&ledger);
        // The points of the first order have expired, which is booked before the rule is asked.
        let unlucky = command("f", 20, Earn::money("ann", 13));
        let panicked = catch_unwind(AssertUnwindSafe(|| ledger.submit(unlucky)));
        panicked.unwrap_err();
        assert_eq!(journal(&ledger), entries);
        let account = ledger.account(&"ann".into(), Timestamp::EPOCH).unwrap();
        assert_eq!(account.available, Points(50));
        ledger
            .submit(command("g", 20, Earn::money("ann", 7)))
            .unwrap();
    }

    #[test]
    fn a_batch_that_was_left_in_the_middle_leaves_nothing_to_the_next_command() {
        let ledger = ledger();
        let earn = |id| command(id, 0, Earn::money("ann", 50));
        let redeem = || command("r", 0, Redeem::points("ann", Points(1)));
        ledger.submit(earn("a")).unwrap();
        assert!(!ledger.submit(redeem()).unwrap().replayed);
        // One number is left.
        ledger.store().reserve_lots(u64::MAX - 3).unwrap();
        ledger.submit_batch(&["b", "c", "d"].map(earn)).unwrap_err();
        // It is not looked for by the name of one that was to be next.
        assert!(ledger.submit(redeem()).unwrap().replayed);
    }
}
