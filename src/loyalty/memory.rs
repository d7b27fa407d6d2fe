//! A store in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::Hash;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::deed::Deed;
use super::entry::Entry;
use super::member::Member;
use super::names::{AccountId, CommandId};
use super::people::People;
use super::privacy::Directory;
use super::states::{Books, Key, Record};
use super::store::{Batch, CommitError, Store, StoreError, Versioned};

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
    members: HashMap<AccountId, (u64, Arc<Member>), RandomState>,
    deeds: HashMap<CommandId, (u64, Arc<Deed>), RandomState>,
    books: (u64, Books),
    journal: Vec<Entry>,
    lots: u64,
}

impl Shelf {
    fn version(&self, key: &Key) -> u64 {
        match key {
            Key::Member(account) => self.members.get(account).map_or(0, |(version, _)| *version),
            Key::Deed(id) => self.deeds.get(id).map_or(0, |(version, _)| *version),
            Key::Books => self.books.0,
        }
    }

    fn get(&self, key: &Key) -> Option<(u64, Record)> {
        match key {
            Key::Member(account) => {
                let (version, member) = self.members.get(account)?;
                Some((*version, Record::Member(member.clone())))
            }
            Key::Deed(id) => {
                let (version, deed) = self.deeds.get(id)?;
                Some((*version, Record::Deed(deed.clone())))
            }
            Key::Books => {
                let (version, books) = self.books;
                (version > 0).then_some((version, Record::Books(books)))
            }
        }
    }

    /// Puts a record under its name, one version on; one of another kind than its name is ignored.
    fn put(&mut self, key: Key, record: Record) {
        match (key, record) {
            (Key::Member(account), Record::Member(member)) => {
                raise(&mut self.members, account, member)
            }
            (Key::Deed(id), Record::Deed(deed)) => raise(&mut self.deeds, id, deed),
            (Key::Books, Record::Books(books)) => self.books = (self.books.0 + 1, books),
            _ => {}
        }
    }
}

fn raise<K: Eq + Hash, V>(records: &mut HashMap<K, (u64, V), RandomState>, key: K, value: V) {
    match records.entry(key) {
        Slot::Occupied(mut present) => {
            let version = present.get().0;
            present.insert((version + 1, value));
        }
        Slot::Vacant(place) => {
            place.insert((1, value));
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // A visitor that panicked changed nothing: changes happen in `commit`, after all checks.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self, keys: &[Key]) -> Result<Vec<Versioned>, StoreError> {
        let shelf = self.shelf();
        let find = |key| match shelf.get(key) {
            Some((version, record)) => Versioned {
                version,
                record: Some(record),
            },
            None => Versioned {
                version: 0,
                record: None,
            },
        };
        Ok(keys.iter().map(find).collect())
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        let mut shelf = self.shelf();
        for (key, expected) in &batch.expected {
            let found = shelf.version(key);
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
        let first = shelf.journal.len() as u64 + 1;
        shelf.journal.extend(batch.entries);
        Ok(first)
    }

    fn scan(
        &self,
        from: u64,
        visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let shelf = self.shelf();
        for (number, entry) in (1..).zip(&shelf.journal) {
            if number >= from && visit(number, entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn records(
        &self,
        visit: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let shelf = self.shelf();
        let members = shelf.members.keys().cloned().map(Key::Member);
        let deeds = shelf.deeds.keys().cloned().map(Key::Deed);
        for key in members.chain(deeds).chain([Key::Books]) {
            if let Some((_, record)) = shelf.get(&key)
                && visit(&key, &record).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn reserve_lots(&self, count: u64) -> Result<Range<u64>, StoreError> {
        let mut shelf = self.shelf();
        let first = shelf.lots + 1;
        let end = first
            .checked_add(count)
            .ok_or(StoreError::LotsExhausted { last: shelf.lots })?;
        shelf.lots = end - 1;
        Ok(first..end)
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
    use crate::loyalty::states::Books;

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
}
