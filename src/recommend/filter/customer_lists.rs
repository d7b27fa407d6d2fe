//! Items that one customer may, or may not, be shown.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{ItemFilter, Query};

/// Lists of items, one for each customer who has one.
///
/// What they mean is said by the filter that reads them: only these ([`AllowList`]), or none of these
/// ([`DenyList`]).
///
/// ```
/// use tenure::recommend::{AllowList, CustomerLists, DenyList, ItemFilter, Query};
///
/// let mut lists = CustomerLists::new();
/// lists.set(5, [3, 1]);
/// let (customer, nobody) = (Query::Customer(5), Query::Customer(6));
/// assert!(AllowList(&lists).allows(&customer, 1) && !AllowList(&lists).allows(&customer, 2));
/// assert!(DenyList(&lists).allows(&customer, 2) && !DenyList(&lists).allows(&customer, 1));
/// // Who has no list may be shown everything.
/// assert!(AllowList(&lists).allows(&nobody, 2) && DenyList(&lists).allows(&nobody, 1));
/// ```
#[derive(Debug, Clone, Default)]
pub struct CustomerLists {
    /// Ascending, each item once.
    items: HashMap<u32, Box<[u32]>, RandomState>,
}

impl CustomerLists {
    /// Nobody has a list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a customer a list, instead of the one that they had. An empty list is one, too.
    pub fn set(&mut self, customer: u32, items: impl IntoIterator<Item = u32>) {
        let mut items: Vec<u32> = items.into_iter().collect();
        items.sort_unstable();
        items.dedup();
        self.items.insert(customer, items.into_boxed_slice());
    }

    /// Takes a customer's list away.
    pub fn remove(&mut self, customer: u32) {
        self.items.remove(&customer);
    }

    /// A customer's list, ascending; `None` without one.
    pub fn get(&self, customer: u32) -> Option<&[u32]> {
        self.items.get(&customer).map(|items| &**items)
    }

    /// Whether the item is on the list of the query's customer; `None` where there is no list.
    fn holds(&self, query: &Query<'_>, item: u32) -> Option<bool> {
        let Query::Customer(customer) = *query else {
            return None;
        };
        let items = self.get(customer)?;
        Some(items.binary_search(&item).is_ok())
    }
}

/// Only what is on the customer's list. Whoever has none, a basket and an item, may be answered with anything.
#[derive(Debug, Clone, Copy)]
pub struct AllowList<'a>(
    /// Who may be shown what.
    pub &'a CustomerLists,
);

impl ItemFilter for AllowList<'_> {
    fn allows(&self, query: &Query<'_>, item: u32) -> bool {
        self.0.holds(query, item).unwrap_or(true)
    }
}

/// Nothing that is on the customer's list.
#[derive(Debug, Clone, Copy)]
pub struct DenyList<'a>(
    /// Who is not to be shown what.
    pub &'a CustomerLists,
);

impl ItemFilter for DenyList<'_> {
    fn allows(&self, query: &Query<'_>, item: u32) -> bool {
        !self.0.holds(query, item).unwrap_or(false)
    }
}
