//! Members by the names of their accounts.

use std::fmt;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::member::Member;
use super::names::AccountId;

/// About as many as are looked at together.
type Few<T> = SmallVec<[T; 32]>;

/// Members in the order in which they came, and a table of their places.
///
/// A decision looks a name up once and goes on with the place, which stays the same for ever.
#[derive(Clone, Default)]
pub(crate) struct Members {
    places: HashTable<usize>,
    all: Vec<(AccountId, Arc<Member>)>,
    hasher: RandomState,
}

impl Members {
    /// Where the member of an account is.
    pub(crate) fn place(&self, account: &AccountId) -> Option<usize> {
        let is_it = |place: &usize| {
            self.all
                .get(*place)
                .is_some_and(|(name, _)| name == account)
        };
        let hash = self.hasher.hash_one(account);
        self.places.find(hash, is_it).copied()
    }

    pub(crate) fn get(&self, account: &AccountId) -> Option<&Arc<Member>> {
        self.at(self.place(account)?)
    }

    pub(crate) fn at(&self, place: usize) -> Option<&Arc<Member>> {
        self.all.get(place).map(|(_, member)| member)
    }

    /// Looks at some members: at each one's slot first, then at all that these tell of, and so on, so that
    /// no look waits for the one before it.
    pub(crate) fn warm<'a>(&self, accounts: impl Iterator<Item = &'a AccountId>) {
        let hashes: Few<u64> = accounts.map(|a| self.hasher.hash_one(a)).collect();
        // The first slot of a hash is the right one, but for one in a hundred.
        let places = hashes.iter();
        let places: Few<usize> = places
            .filter_map(|hash| self.places.find(*hash, |_| true).copied())
            .collect();
        let members: Few<&Member> = places
            .iter()
            .filter_map(|place| self.at(*place))
            .map(|member| &**member)
            .collect();
        let seen = members.iter().fold(0, |seen, member| seen ^ member.glance());
        let lots = members.iter();
        black_box(lots.fold(seen, |seen, member| seen ^ member.lots.glance()));
    }

    /// The member at a place that this table gave.
    pub(crate) fn at_mut(&mut self, place: usize) -> &mut Arc<Member> {
        &mut self.all[place].1
    }

    /// The same, to be changed: a copy where somebody else has it, too.
    pub(crate) fn make_mut(&mut self, place: usize) -> &mut Member {
        Arc::make_mut(self.at_mut(place))
    }

    /// The member of an account; somebody new where there is none.
    pub(crate) fn entry(&mut self, account: &AccountId) -> &mut Arc<Member> {
        let place = self.place(account);
        // The copied name shares its text.
        let new = || self.push(account.clone(), Arc::new(Member::unknown()));
        let place = place.unwrap_or_else(new);
        self.at_mut(place)
    }

    /// Adds a member whose name is new; its place.
    pub(crate) fn push(&mut self, account: AccountId, member: Arc<Member>) -> usize {
        let Self {
            places,
            all,
            hasher,
        } = self;
        let place = all.len();
        let hash = hasher.hash_one(&account);
        all.push((account, member));
        let hash_of = |place: &usize| all.get(*place).map_or(0, |(name, _)| hasher.hash_one(name));
        places.insert_unique(hash, place, hash_of);
        place
    }

    /// Takes the member away that came last.
    pub(crate) fn pop(&mut self) {
        let Some((account, _)) = self.all.pop() else {
            return;
        };
        let (hash, place) = (self.hasher.hash_one(&account), self.all.len());
        if let Ok(found) = self.places.find_entry(hash, |other| *other == place) {
            found.remove();
        }
    }

    /// Adds or replaces a member.
    pub(crate) fn insert(&mut self, account: AccountId, member: Arc<Member>) {
        match self.place(&account) {
            Some(place) => *self.at_mut(place) = member,
            None => {
                self.push(account, member);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AccountId, &Arc<Member>)> {
        self.all.iter().map(|(account, member)| (account, member))
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, count: usize) {
        let Self {
            places,
            all,
            hasher,
        } = self;
        all.reserve(count);
        places.reserve(count, |place| {
            all.get(*place).map_or(0, |(name, _)| hasher.hash_one(name))
        });
    }
}

impl PartialEq for Members {
    /// In whatever order they came.
    fn eq(&self, other: &Self) -> bool {
        let is_there =
            |(account, member): (&AccountId, &Arc<Member>)| other.get(account) == Some(member);
        self.len() == other.len() && self.iter().all(is_there)
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn member(revision: u64) -> Arc<Member> {
        let mut member = Member::unknown();
        member.granted = crate::loyalty::Points(revision.cast_signed());
        Arc::new(member)
    }

    proptest! {
        #[test]
        fn members_are_found_as_in_a_map(steps in proptest::collection::vec((0_u8..4, 0_u64..40), 0..300)) {
            let (mut members, mut map) = (Members::default(), HashMap::new());
            let mut came = Vec::new();
            for (number, (step, name)) in (0..).zip(steps) {
                let account = AccountId::from(format!("member-{name}-with-a-name-beyond-23-bytes"));
                match step {
                    0 if !came.is_empty() => {
                        members.pop();
                        map.remove(&came.pop().unwrap());
                    }
                    _ => {
                        if map.insert(account.clone(), member(number)).is_none() {
                            came.push(account.clone());
                        }
                        members.insert(account, member(number));
                    }
                }
                prop_assert_eq!(members.len(), map.len());
            }
            for name in 0..40 {
                let account = AccountId::from(format!("member-{name}-with-a-name-beyond-23-bytes"));
                prop_assert_eq!(members.get(&account), map.get(&account));
                let at = members.place(&account).and_then(|place| members.at(place));
                prop_assert_eq!(at, map.get(&account));
            }
            let order: Vec<AccountId> = members.iter().map(|(account, _)| account.clone()).collect();
            prop_assert_eq!(order, came);
            let mut turned = Members::default();
            turned.reserve(members.len());
            let all: Vec<_> = members.iter().map(|(a, m)| (a.clone(), m.clone())).collect();
            all.into_iter().rev().for_each(|(a, m)| turned.insert(a, m));
            prop_assert_eq!(&turned, &members);
            turned.insert("somebody else".into(), member(0));
            prop_assert_ne!(turned, members);
        }
    }
}
