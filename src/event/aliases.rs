//! Several keys of one person.

use std::borrow::Borrow;
use std::hash::Hash;

use super::ids::Ids;
use super::interactions::Interactions;
use super::transactions::Transactions;
use crate::error::DataError;

/// Which keys belong to one customer: devices, e-mail addresses, cards, and the customer numbers that
/// they stand for.
///
/// The table holds what is known, and guesses nothing. Links are transitive: a card that belongs to an
/// e-mail address that belongs to a customer belongs to the customer. All keys that links connect are
/// one *group*, and each key of it resolves to one key:
///
/// | the group has | its keys resolve to |
/// |---|---|
/// | one declared customer | that customer |
/// | no declared customer | the smallest of its keys |
/// | two declared customers or more: a *conflict* | each to itself |
///
/// In a conflict nobody is merged, because any merge might give one person's purchases to another;
/// [`AliasTable::conflicts`] lists who must be asked about. The answers do not depend on the order in
/// which links and customers were entered.
///
/// ```
/// use tenure::event::AliasTable;
///
/// let mut aliases = AliasTable::new();
/// aliases.declare_customer("ann")?;
/// aliases.link("card-17", "ann@example.org")?;
/// aliases.link("ann@example.org", "ann")?;
/// assert_eq!(aliases.resolve("card-17"), "ann");
/// assert_eq!(aliases.resolve("never seen"), "never seen");
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// A link costs nearly constant time, and a look-up one hashing and a few steps.
#[derive(Debug, Clone)]
pub struct AliasTable<K> {
    keys: Ids<K>,
    /// The parent of each key in the forest of groups; a root is its own parent.
    parent: Vec<u32>,
    declared: Vec<bool>,
    /// What is known of the group, valid at its root.
    group: Vec<Group>,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    keys: u32,
    customers: u32,
    /// The declared customer when there is one, the smallest key when there is none.
    representative: u32,
}

/// A group of keys with two declared customers or more; see [`AliasTable::conflicts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict<'a, K> {
    /// The declared customers, ascending: at least two.
    pub customers: Vec<&'a K>,
    /// The other keys, ascending: each could belong to any of the customers.
    pub ambiguous: Vec<&'a K>,
}

impl<K> Default for AliasTable<K> {
    /// Every key is its own.
    fn default() -> Self {
        Self {
            keys: Ids::default(),
            parent: Vec::new(),
            declared: Vec::new(),
            group: Vec::new(),
        }
    }
}

impl<K: Hash + Eq + Ord> AliasTable<K> {
    /// Every key is its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters links (alias, what it belongs to) that do not say which keys are customers.
    ///
    /// A key is a declared customer when a link leads to it and none leads away from it, or when it is
    /// linked to itself. So the table that most shops have, a row for each alias with its customer,
    /// can be taken as it is, and an alias may also lead to another alias.
    ///
    /// ```
    /// use tenure::event::AliasTable;
    ///
    /// let links = [("card-17", "ann"), ("phone-3", "ann"), ("phone-3", "bob")];
    /// let aliases = AliasTable::from_links(links)?;
    /// assert_eq!(aliases.conflicts()[0].customers, [&"ann", &"bob"]);
    /// assert_eq!(aliases.conflicts()[0].ambiguous, [&"card-17", &"phone-3"]);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::TooMany`] for more than 2³² − 1 keys.
    pub fn from_links(links: impl IntoIterator<Item = (K, K)>) -> Result<Self, DataError> {
        let mut table = Self::new();
        let mut roles: Vec<Role> = Vec::new();
        for (alias, key) in links {
            let (from, to) = (table.enter(alias)?, table.enter(key)?);
            roles.resize(table.parent.len(), Role::default());
            if let Some(role) = roles.get_mut(from as usize) {
                role.owner |= from == to;
                role.alias |= from != to;
            }
            if let Some(role) = roles.get_mut(to as usize) {
                role.target = true;
            }
            table.unite(from, to);
        }
        for (number, role) in (0..).zip(roles) {
            if role.owner || role.target && !role.alias {
                table.declare(number);
            }
        }
        Ok(table)
    }

    /// Says that a key is a customer's own. Saying it twice changes nothing.
    ///
    /// # Errors
    /// [`DataError::TooMany`] for more than 2³² − 1 keys.
    pub fn declare_customer(&mut self, key: K) -> Result<(), DataError> {
        let number = self.enter(key)?;
        self.declare(number);
        Ok(())
    }

    /// Says that two keys belong to one person. Which of the two is called the alias makes no
    /// difference: what counts is which keys are declared customers.
    ///
    /// # Errors
    /// As [`AliasTable::declare_customer`].
    pub fn link(&mut self, alias: K, key: K) -> Result<(), DataError> {
        let (alias, key) = (self.enter(alias)?, self.enter(key)?);
        self.unite(alias, key);
        Ok(())
    }

    /// The key of the person to whom a key belongs; a key that the table does not know is its own.
    pub fn resolve<'a, Q>(&'a self, key: &'a Q) -> &'a Q
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(number) = self.keys.get(key) else {
            return key;
        };
        match self.group_of(number) {
            Some(group) if group.customers <= 1 => self
                .keys
                .key(group.representative)
                .map_or(key, |representative| representative.borrow()),
            _ => key,
        }
    }

    /// The groups with two declared customers or more, in the order of their smallest customers.
    ///
    /// Costs one pass over the table.
    pub fn conflicts(&self) -> Vec<Conflict<'_, K>> {
        let mut members: Vec<(u32, bool, &K)> = (0..)
            .zip(self.keys.keys().iter().zip(&self.declared))
            .map(|(number, (key, &declared))| (self.root(number), !declared, key))
            .filter(|&(root, ..)| {
                self.group
                    .get(root as usize)
                    .is_some_and(|g| g.customers > 1)
            })
            .collect();
        members.sort_unstable();
        let mut conflicts: Vec<_> = members
            .chunk_by(|left, right| left.0 == right.0)
            .map(|group| {
                let of = |alias: bool| {
                    let members = group.iter().filter(move |member| member.1 == alias);
                    members.map(|member| member.2).collect()
                };
                Conflict {
                    customers: of(false),
                    ambiguous: of(true),
                }
            })
            .collect();
        conflicts.sort_unstable_by(|left, right| left.customers.cmp(&right.customers));
        conflicts
    }

    /// Merges the customers of a log that was loaded under several keys a person: the log under its
    /// new numbers, and the keys of those.
    ///
    /// The same as resolving each key while loading. Numbers follow the first appearance of a person
    /// among `customers`, the keys of the log.
    ///
    /// ```
    /// use tenure::event::{AliasTable, Decimals, Timestamp, Transactions};
    ///
    /// let rows = [("card-17", Timestamp::MIN, 500), ("ann", Timestamp::MAX, 700)];
    /// let (log, keys) = Transactions::from_rows(Decimals::TWO, rows)?;
    /// let aliases = AliasTable::from_links([("card-17", "ann")])?;
    /// let (log, keys) = aliases.merge_transactions(log, &keys)?;
    /// assert_eq!((log.customer(), keys.keys()), (&[0, 0][..], &["ann"][..]));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Length`] when `customers` has not one key for each customer of the log.
    pub fn merge_transactions(
        &self,
        log: Transactions,
        customers: &Ids<K>,
    ) -> Result<(Transactions, Ids<K>), DataError>
    where
        K: Clone,
    {
        let (numbers, merged) = self.merge(log.customers(), customers)?;
        let decimals = log.decimals();
        let mut columns = log.into_columns();
        columns.customers = merged.len();
        renumber(&mut columns.customer, &numbers);
        Ok((Transactions::from_columns(decimals, columns)?, merged))
    }

    /// As [`AliasTable::merge_transactions`], for interactions.
    ///
    /// # Errors
    /// As [`AliasTable::merge_transactions`].
    pub fn merge_interactions(
        &self,
        log: Interactions,
        customers: &Ids<K>,
    ) -> Result<(Interactions, Ids<K>), DataError>
    where
        K: Clone,
    {
        let (numbers, merged) = self.merge(log.customers(), customers)?;
        let mut columns = log.into_columns();
        columns.customers = merged.len();
        renumber(&mut columns.customer, &numbers);
        Ok((Interactions::from_columns(columns)?, merged))
    }

    /// How many keys the table knows.
    pub fn len(&self) -> u32 {
        self.keys.len()
    }

    /// Whether the table knows no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The new number of each old one, and the keys of the new ones.
    fn merge(&self, expected: u32, customers: &Ids<K>) -> Result<(Vec<u32>, Ids<K>), DataError>
    where
        K: Clone,
    {
        if customers.len() != expected {
            return Err(DataError::Length {
                column: "customers",
                found: customers.len() as usize,
                reference: "the log",
                expected: expected as usize,
            });
        }
        let mut merged = Ids::new();
        let numbers = customers
            .keys()
            .iter()
            .map(|key| merged.intern_ref(self.resolve(key)))
            .collect::<Result<_, _>>()?;
        Ok((numbers, merged))
    }

    fn enter(&mut self, key: K) -> Result<u32, DataError> {
        let number = self.keys.intern(key)?;
        if self.parent.len() < self.keys.len() as usize {
            self.parent.push(number);
            self.declared.push(false);
            self.group.push(Group {
                keys: 1,
                customers: 0,
                representative: number,
            });
        }
        Ok(number)
    }

    fn declare(&mut self, number: u32) {
        let root = self.root(number);
        let (Some(declared), Some(group)) = (
            self.declared.get_mut(number as usize),
            self.group.get_mut(root as usize),
        ) else {
            return;
        };
        if !*declared {
            *declared = true;
            group.customers += 1;
            group.representative = number;
        }
    }

    fn unite(&mut self, left: u32, right: u32) {
        let (left, right) = (self.root(left), self.root(right));
        let (Some(&a), Some(&b)) = (
            self.group.get(left as usize),
            self.group.get(right as usize),
        ) else {
            return;
        };
        if left == right {
            return;
        }
        // The smaller tree goes below the larger one, so that paths stay as long as the logarithm.
        let (below, above) = if a.keys < b.keys {
            (left, right)
        } else {
            (right, left)
        };
        let representative = match (a.customers, b.customers) {
            (0, 0) => self.smaller(a.representative, b.representative),
            (0, _) => b.representative,
            _ => a.representative,
        };
        if let Some(parent) = self.parent.get_mut(below as usize) {
            *parent = above;
        }
        if let Some(group) = self.group.get_mut(above as usize) {
            *group = Group {
                keys: a.keys + b.keys,
                customers: a.customers + b.customers,
                representative,
            };
        }
    }

    fn smaller(&self, left: u32, right: u32) -> u32 {
        if self.keys.key(left) <= self.keys.key(right) {
            left
        } else {
            right
        }
    }

    fn group_of(&self, number: u32) -> Option<&Group> {
        self.group.get(self.root(number) as usize)
    }

    fn root(&self, mut number: u32) -> u32 {
        while let Some(&parent) = self.parent.get(number as usize) {
            if parent == number {
                break;
            }
            number = parent;
        }
        number
    }
}

fn renumber(column: &mut [u32], numbers: &[u32]) {
    for number in column {
        if let Some(&new) = numbers.get(*number as usize) {
            *number = new;
        }
    }
}

/// What the links say of a key.
#[derive(Debug, Clone, Copy, Default)]
struct Role {
    /// Linked to itself.
    owner: bool,
    /// A link leads away from it.
    alias: bool,
    /// A link leads to it.
    target: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Decimals, Timestamp};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const KEYS: u8 = 8;

    /// The customers and the other keys of a group.
    type Sides = (Vec<u8>, Vec<u8>);

    #[derive(Debug, Clone, Copy)]
    enum Fact {
        Link(u8, u8),
        Customer(u8),
    }

    fn fact() -> impl Strategy<Value = Fact> {
        prop_oneof![
            3 => (0..KEYS, 0..KEYS).prop_map(|(a, b)| Fact::Link(a, b)),
            1 => (0..KEYS).prop_map(Fact::Customer),
        ]
    }

    fn table(facts: &[Fact]) -> AliasTable<u8> {
        let mut table = AliasTable::new();
        for fact in facts {
            match *fact {
                Fact::Link(a, b) => table.link(a, b).unwrap(),
                Fact::Customer(key) => table.declare_customer(key).unwrap(),
            }
        }
        table
    }

    /// All keys that a walk along the links reaches.
    fn reached(facts: &[Fact], from: u8) -> BTreeSet<u8> {
        let mut seen = BTreeSet::from([from]);
        let mut waiting = vec![from];
        while let Some(key) = waiting.pop() {
            for fact in facts {
                let next = match *fact {
                    Fact::Link(a, b) if a == key => b,
                    Fact::Link(a, b) if b == key => a,
                    _ => continue,
                };
                if seen.insert(next) {
                    waiting.push(next);
                }
            }
        }
        seen
    }

    /// What a key resolves to and the conflict that it is part of, read off the graph.
    fn walked(facts: &[Fact], key: u8) -> (u8, Option<Sides>) {
        let is_customer = |key: &u8| {
            facts
                .iter()
                .any(|f| matches!(f, Fact::Customer(c) if c == key))
        };
        let group = reached(facts, key);
        let (customers, others): (Vec<u8>, Vec<u8>) = group.iter().partition(|&k| is_customer(k));
        match customers.as_slice() {
            [] => (*group.first().unwrap(), None),
            [customer] => (*customer, None),
            _ => (key, Some((customers, others))),
        }
    }

    proptest! {
        #[test]
        fn answers_are_those_of_a_walk_along_the_links_in_any_order(
            (facts, shuffled) in prop::collection::vec(fact(), 0..16)
                .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()))
        ) {
            let table = table(&facts);
            let other = self::table(&shuffled);
            let mut conflicts = BTreeSet::new();
            for key in 0..KEYS {
                let (expected, conflict) = walked(&facts, key);
                prop_assert_eq!(*table.resolve(&key), expected);
                prop_assert_eq!(*other.resolve(&key), expected);
                conflicts.extend(conflict);
            }
            let listed: Vec<Sides> = table.conflicts().iter()
                .map(|c| (c.customers.iter().map(|k| **k).collect(), c.ambiguous.iter().map(|k| **k).collect()))
                .collect();
            prop_assert_eq!(listed, conflicts.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(table.conflicts(), other.conflicts());
        }

        #[test]
        fn links_alone_declare_the_keys_at_their_ends(
            (links, shuffled) in prop::collection::vec((0..KEYS, 0..KEYS), 0..12)
                .prop_flat_map(|links| (Just(links.clone()), Just(links).prop_shuffle()))
        ) {
            let mut facts: Vec<Fact> = links.iter().map(|&(a, b)| Fact::Link(a, b)).collect();
            for key in 0..KEYS {
                let owner = links.contains(&(key, key));
                let ends = links.iter().any(|l| l.1 == key) && !links.iter().any(|l| l.0 == key);
                if owner || ends {
                    facts.push(Fact::Customer(key));
                }
            }
            let expected = table(&facts);
            for links in [links, shuffled] {
                let table = AliasTable::from_links(links).unwrap();
                for key in 0..KEYS {
                    prop_assert_eq!(table.resolve(&key), expected.resolve(&key));
                }
                prop_assert_eq!(table.conflicts(), expected.conflicts());
            }
        }
    }

    #[test]
    fn a_long_chain_resolves_to_its_end() {
        let links = (0..100_000_u32).map(|n| (n, n + 1));
        let table = AliasTable::from_links(links).unwrap();
        assert_eq!(table.resolve(&0), &100_000);
        assert_eq!(table.resolve(&77_777), &100_000);
        assert_eq!((table.len(), table.conflicts().len()), (100_001, 0));
    }

    #[test]
    fn interactions_are_merged_and_keys_that_do_not_fit_the_log_are_an_error() {
        let table = AliasTable::from_links([("card", "ann")]).unwrap();
        let t = Timestamp::MIN;
        let rows = [
            ("bob", "tea", 1.0, t),
            ("card", "tea", 1.0, t),
            ("ann", "milk", 1.0, t),
        ];
        let (log, keys, _) = Interactions::from_rows(rows).unwrap();
        let (merged, merged_keys) = table.merge_interactions(log, &keys).unwrap();
        assert_eq!(merged.customer(), [0, 1, 1]);
        assert_eq!(
            (merged.customers(), merged_keys.keys()),
            (2, &["bob", "ann"][..])
        );

        let (log, _) = Transactions::from_rows(Decimals::TWO, [("ann", t, 1)]).unwrap();
        let error = table.merge_transactions(log, &keys).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column `customers` has 3 rows, expected 1 as in `the log`"
        );
    }
}
