//! Members by the names of their accounts.

use std::fmt;
use std::hint::black_box;
use std::ops::Range;
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
    all: Vec<Named>,
    hasher: RandomState,
}

/// A name and its member: two lines of the processor's caches with most of what a decision reads.
#[derive(Clone)]
#[repr(align(64))]
struct Named {
    name: AccountId,
    member: Held,
}

/// A member: usually here, since what is shared costs a look elsewhere and an atomic operation for each change.
#[derive(Clone)]
enum Held {
    Own(Member),
    /// As somebody asked for it and may still have it.
    Shared(Arc<Member>),
}

impl Held {
    fn get(&self) -> &Member {
        match self {
            Held::Own(member) => member,
            Held::Shared(member) => member,
        }
    }

    /// The member here, to be changed, and what others still have of it.
    fn alone(&mut self) -> (&mut Member, Option<Arc<Member>>) {
        let mut others = None;
        if matches!(self, Held::Shared(_))
            && let Held::Shared(shared) = std::mem::replace(self, Held::Own(Member::unknown()))
        {
            others = (Arc::strong_count(&shared) > 1).then(|| Arc::clone(&shared));
            *self = Held::Own(Arc::unwrap_or_clone(shared));
        }
        match self {
            Held::Own(member) => (member, others),
            Held::Shared(shared) => (Arc::make_mut(shared), others),
        }
    }

    /// The member, shared from now on.
    fn share(&mut self) -> Arc<Member> {
        if let Held::Own(member) = self {
            *self = Held::Shared(Arc::new(std::mem::replace(member, Member::unknown())));
        }
        self.shared()
    }

    /// The member, or a copy of it.
    fn shared(&self) -> Arc<Member> {
        match self {
            Held::Own(member) => Arc::new(member.clone()),
            Held::Shared(shared) => Arc::clone(shared),
        }
    }
}

impl Members {
    /// Where the member of an account is.
    pub(crate) fn place(&self, account: &AccountId) -> Option<usize> {
        let is_it = |place: &usize| {
            self.all
                .get(*place)
                .is_some_and(|named| named.name == *account)
        };
        let hash = account.hash_in(&self.hasher);
        self.places.find(hash, is_it).copied()
    }

    pub(crate) fn get(&self, account: &AccountId) -> Option<&Member> {
        self.at(self.place(account)?)
    }

    pub(crate) fn at(&self, place: usize) -> Option<&Member> {
        self.all.get(place).map(|named| named.member.get())
    }

    /// Looks at some members: at each one's slot first, then at all that these tell of, and so on, so that
    /// no look waits for the one before it.
    pub(crate) fn warm<'a>(&self, accounts: impl Iterator<Item = &'a AccountId>) {
        let hashes: Few<u64> = accounts.map(|a| a.hash_in(&self.hasher)).collect();
        // The first slot of a hash is the right one, but for one in a hundred.
        let slots = hashes
            .iter()
            .map(|hash| self.places.find(*hash, |_| true).copied());
        let places: Few<usize> = slots.flatten().collect();
        let members = places.iter().filter_map(|place| self.at(*place));
        let seen = members.clone().fold(0, |seen, m| seen ^ m.glance());
        black_box(members.fold(seen, |seen, m| seen ^ m.lots.glance()));
    }

    /// Looks at one member, and says nothing of it: nobody waits for what nobody asked for.
    pub(crate) fn glance(&self, account: &AccountId) {
        let hash = account.hash_in(&self.hasher);
        // The first slot of a hash is the right one, but for one in a hundred.
        let place = self.places.find(hash, |_| true);
        let member = place.and_then(|place| self.at(*place));
        black_box(member.map_or(0, |m| m.glance() ^ m.lots.glance()));
    }

    /// A member, or a copy of it, for somebody else.
    pub(crate) fn shared(&self, account: &AccountId) -> Option<Arc<Member>> {
        let named = self.all.get(self.place(account)?)?;
        Some(named.member.shared())
    }

    /// The same, without a copy.
    pub(crate) fn share(&mut self, account: &AccountId) -> Option<Arc<Member>> {
        let place = self.place(account)?;
        Some(self.all.get_mut(place)?.member.share())
    }

    /// All members, for somebody else, without copies. Each takes twice the memory until it is changed or
    /// [taken back](Members::take_back).
    pub(crate) fn share_all(&mut self) -> impl Iterator<Item = (&AccountId, Arc<Member>)> {
        let all = self.all.iter_mut();
        all.map(|named| (&named.name, named.member.share()))
    }

    /// Members at some places are here again if nobody else has them any more; whether there are any so far.
    pub(crate) fn take_back(&mut self, places: Range<usize>) -> bool {
        let end = places.end.min(self.len());
        let some = self.all.get_mut(places.start..end).unwrap_or_default();
        for named in &mut *some {
            if let Held::Shared(shared) = &mut named.member
                && Arc::get_mut(shared).is_some()
            {
                named.member.alone();
            }
        }
        !some.is_empty()
    }

    /// The member at a place that this table gave, to be changed, and what others still have of it.
    pub(crate) fn alone(&mut self, place: usize) -> (&mut Member, Option<Arc<Member>>) {
        self.all[place].member.alone()
    }

    /// The member at a place that this table gave, to be changed.
    pub(crate) fn at_mut(&mut self, place: usize) -> &mut Member {
        self.alone(place).0
    }

    /// Replaces the member at a place that this table gave.
    pub(crate) fn put(&mut self, place: usize, member: Arc<Member>) {
        self.all[place].member = Arc::try_unwrap(member).map_or_else(Held::Shared, Held::Own);
    }

    /// The member of an account, to be changed; somebody new where there is none.
    pub(crate) fn entry(&mut self, account: &AccountId) -> &mut Member {
        let place = self.place(account);
        // The copied name shares its text.
        let place = place.unwrap_or_else(|| self.push(account.clone()));
        self.at_mut(place)
    }

    /// Adds somebody new under a name that is not there; the place.
    pub(crate) fn push(&mut self, name: AccountId) -> usize {
        let Self {
            places,
            all,
            hasher,
        } = self;
        let place = all.len();
        if place == all.capacity() {
            // Memory for little more than there is.
            all.reserve_exact((place / 8).max(4));
        }
        let hash = name.hash_in(hasher);
        let member = Held::Own(Member::unknown());
        all.push(Named { name, member });
        let hash_of = |place: &usize| {
            all.get(*place)
                .map_or(0, |named| named.name.hash_in(hasher))
        };
        places.insert_unique(hash, place, hash_of);
        place
    }

    /// Takes the member away that came last.
    pub(crate) fn pop(&mut self) {
        let Some(Named { name, .. }) = self.all.pop() else {
            return;
        };
        let (hash, place) = (name.hash_in(&self.hasher), self.all.len());
        if let Ok(found) = self.places.find_entry(hash, |other| *other == place) {
            found.remove();
        }
    }

    /// Adds or replaces a member; its place.
    pub(crate) fn insert(&mut self, account: AccountId, member: Arc<Member>) -> usize {
        let place = self.place(&account);
        let place = place.unwrap_or_else(|| self.push(account));
        self.put(place, member);
        place
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AccountId, &Member)> {
        let all = self.all.iter();
        all.map(|named| (&named.name, named.member.get()))
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
            all.get(*place)
                .map_or(0, |named| named.name.hash_in(hasher))
        });
    }
}

impl PartialEq for Members {
    /// In whatever order they came.
    fn eq(&self, other: &Self) -> bool {
        let is_there =
            |(account, member): (&AccountId, &Member)| other.get(account) == Some(member);
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

    #[test]
    fn a_name_and_its_member_have_128_bytes() {
        assert_eq!(size_of::<Named>(), 128);
    }

    #[test]
    fn what_was_given_away_does_not_change() {
        let mut members = Members::default();
        let place = members.insert("ann".into(), member(1));
        // Nobody else has it.
        assert_eq!(members.alone(place).1, None);
        let copy = members.shared(&"ann".into()).unwrap();
        assert_eq!(members.alone(place).1, None);
        let given = members.share(&"ann".into()).unwrap();
        let again: Vec<_> = members.share_all().map(|(_, member)| member).collect();
        assert!(Arc::ptr_eq(&given, &again[0]));
        let (own, others) = members.alone(place);
        own.granted = crate::loyalty::Points(2);
        assert!(Arc::ptr_eq(&others.unwrap(), &given));
        assert_eq!(members.alone(place).1, None);
        assert_eq!([&*given, &*copy], [&*member(1), &*member(1)]);
        // Taken back when nobody has it.
        let is_here = |members: &Members| matches!(members.all[0].member, Held::Own(_));
        let shared = members.share(&"ann".into()).unwrap();
        assert!(members.take_back(0..9) && !is_here(&members));
        drop(shared);
        assert!(members.take_back(0..9) && is_here(&members));
        assert!(!members.take_back(1..9));
        assert_eq!(members.get(&"ann".into()), Some(&*member(2)));
        members.put(place, given);
        assert_eq!(members.get(&"ann".into()), Some(&*member(1)));
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
                let expected = map.get(&account).map(|member| &**member);
                prop_assert_eq!(members.get(&account), expected);
                let at = members.place(&account).and_then(|place| members.at(place));
                prop_assert_eq!(at, expected);
            }
            let order: Vec<AccountId> = members.iter().map(|(account, _)| account.clone()).collect();
            prop_assert_eq!(order, came);
            let mut turned = Members::default();
            turned.reserve(members.len());
            let all: Vec<_> = members.iter().map(|(a, m)| (a.clone(), Arc::new(m.clone()))).collect();
            for (account, member) in all.into_iter().rev() {
                turned.insert(account, member);
            }
            prop_assert_eq!(&turned, &members);
            turned.insert("somebody else".into(), member(0));
            prop_assert_ne!(turned, members);
        }
    }
}
