//! Records: the units that are loaded, versioned and committed.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::deed::Deed;
use super::member::Member;
use super::members::Members;
use super::names::{AccountId, CommandId};
use super::rational::Rational;

/// The name of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// A member's state.
    Member(AccountId),
    /// A command that was carried out; its existence is the idempotency key.
    Deed(CommandId),
    /// What belongs to no member.
    Books,
}

/// A record, shared: a copy costs one counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A member's state.
    #[serde(with = "shared")]
    Member(Arc<Member>),
    /// A command that was carried out.
    #[serde(with = "shared")]
    Deed(Arc<Deed>),
    /// What belongs to no member.
    Books(Books),
}

/// What belongs to no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Books {
    /// The redemption rate that is expected now; `None` until a command sets one, then it replaces the programme's.
    pub urr: Option<Rational>,
}

/// Some or all of the records of a ledger: what [`decide`](super::decide()) reads and
/// [`apply`](super::apply) changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct States {
    pub(crate) members: Members,
    pub(crate) deeds: HashMap<CommandId, Arc<Deed>, RandomState>,
    pub(crate) books: Books,
}

impl States {
    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a record under its name. A record under a name of another kind is ignored.
    pub fn insert(&mut self, key: Key, record: Record) {
        match (key, record) {
            (Key::Member(account), Record::Member(member)) => {
                self.members.insert(account, member);
            }
            (Key::Deed(id), Record::Deed(deed)) => {
                self.deeds.insert(id, deed);
            }
            (Key::Books, Record::Books(books)) => self.books = books,
            _ => {}
        }
    }

    /// The record of a name, if there is one.
    pub fn get(&self, key: &Key) -> Option<Record> {
        match key {
            Key::Member(account) => self.members.shared(account).map(Record::Member),
            Key::Deed(id) => self.deeds.get(id).cloned().map(Record::Deed),
            Key::Books => Some(Record::Books(self.books)),
        }
    }

    /// The same, shared from now on: without a copy.
    pub(crate) fn share(&mut self, key: &Key) -> Option<Record> {
        match key {
            Key::Member(account) => self.members.share(account).map(Record::Member),
            _ => self.get(key),
        }
    }

    /// A member's state; the state of nobody when there is none.
    pub fn member(&self, account: &AccountId) -> &Member {
        self.members.get(account).unwrap_or(Member::nobody())
    }

    /// The command of that name, if it was carried out.
    pub fn deed(&self, id: &CommandId) -> Option<&Deed> {
        self.deeds.get(id).map(|deed| &**deed)
    }

    /// All members, in no particular order.
    pub fn members(&self) -> impl Iterator<Item = (&AccountId, &Member)> {
        self.members.iter()
    }

    /// All commands that were carried out, in no particular order.
    pub fn deeds(&self) -> impl Iterator<Item = (&CommandId, &Deed)> {
        self.deeds.iter().map(|(id, deed)| (id, &**deed))
    }

    /// What belongs to no member.
    pub fn books(&self) -> Books {
        self.books
    }

    /// Makes room for so many more members and as many commands.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.members.reserve(count);
        self.deeds.reserve(count);
    }

    /// The records of some names, as states of their own.
    pub(crate) fn subset(&self, keys: &[Key]) -> Self {
        let mut subset = Self::new();
        for key in keys {
            if let Some(record) = self.get(key) {
                subset.insert(key.clone(), record);
            }
        }
        subset
    }

    pub(crate) fn member_mut(&mut self, account: &AccountId) -> &mut Member {
        self.members.entry(account)
    }
}

/// Serde of what is shared: the value itself.
pub(super) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        T::serialize(value, serializer)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}
