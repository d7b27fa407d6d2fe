//! What may be shown.

mod availability;
mod customer_lists;
mod item_set;
mod price_range;

pub use availability::{Availability, AvailableAt};
pub use customer_lists::{AllowList, CustomerLists, DenyList};
pub use item_set::ItemSet;
pub use price_range::PriceRange;

use super::Query;
use crate::summary::InteractionMatrix;

/// Says which items may be shown.
///
/// | the rule | the filter |
/// |---|---|
/// | what was taken is not shown again | [`Unseen`] |
/// | only what is in stock; only these | [`ItemSet`] |
/// | never these | [`Except`] an [`ItemSet`] |
/// | for this customer only these, never those | [`AllowList`], [`DenyList`] |
/// | within a range of prices | [`PriceRange`] |
/// | from a day on, until a day | [`Availability::at`] |
/// | a rule of your own | a function of the item's number, or [`Rule`] |
/// | all of these | [`and`](Self::and), or [`AllOf`] for a list that is made at run time |
/// | at most n of a category | no filter, it depends on the list: a [`Cap`](super::Cap) |
///
/// A filter is asked about an item only when its score could enter the list, so that a slow one costs little.
///
/// A function of the item's number is a filter, too:
///
/// ```
/// use tenure::recommend::{ItemFilter, Query};
///
/// let stock = [3, 0, 7];
/// let in_stock = |item: u32| stock.get(item as usize).is_some_and(|&pieces| pieces > 0);
/// let not_the_first = |item: u32| item != 0;
/// let both = in_stock.and(not_the_first);
/// let allowed: Vec<u32> = (0..3).filter(|&item| both.allows(&Query::Customer(0), item)).collect();
/// assert_eq!(allowed, [2]);
/// ```
pub trait ItemFilter: Send + Sync {
    /// Whether this query may be answered with this item. The same query gets the same answer.
    fn allows(&self, query: &Query<'_>, item: u32) -> bool;

    /// What both filters allow.
    fn and<F: ItemFilter>(self, other: F) -> Both<Self, F>
    where
        Self: Sized,
    {
        Both(self, other)
    }
}

impl<F: Fn(u32) -> bool + Send + Sync> ItemFilter for F {
    fn allows(&self, _: &Query<'_>, item: u32) -> bool {
        self(item)
    }
}

/// A rule of your own that depends on who asks.
///
/// ```
/// use tenure::recommend::{ItemFilter, Query, Rule};
///
/// // Item 7 is for customers, not for visitors.
/// let members_only = Rule(|query: &Query<'_>, item: u32| item != 7 || matches!(query, Query::Customer(_)));
/// assert!(members_only.allows(&Query::Customer(0), 7));
/// assert!(!members_only.allows(&Query::Basket(&[]), 7));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Rule<F>(
    /// Whether the query may be answered with the item.
    pub F,
);

impl<F: Fn(&Query<'_>, u32) -> bool + Send + Sync> ItemFilter for Rule<F> {
    fn allows(&self, query: &Query<'_>, item: u32) -> bool {
        (self.0)(query, item)
    }
}

/// What two filters allow.
#[derive(Debug, Clone, Copy)]
pub struct Both<A, B>(A, B);

impl<A: ItemFilter, B: ItemFilter> ItemFilter for Both<A, B> {
    fn allows(&self, query: &Query<'_>, item: u32) -> bool {
        self.0.allows(query, item) && self.1.allows(query, item)
    }
}

/// What all filters of a list allow; everything when there are none.
///
/// ```
/// use tenure::recommend::{AllOf, Except, ItemFilter, ItemSet, Query};
///
/// let (stock, recalled) = (ItemSet::from_iter([1, 2, 3]), Except(ItemSet::from_iter([2])));
/// let mut rules: Vec<&dyn ItemFilter> = vec![&stock];
/// rules.push(&recalled);
/// let may = AllOf(&rules);
/// let shown: Vec<u32> = (0..5).filter(|&item| may.allows(&Query::Customer(0), item)).collect();
/// assert_eq!(shown, [1, 3]);
/// ```
#[derive(Clone, Copy)]
pub struct AllOf<'a>(
    /// They are asked in this order, until one refuses: the fastest, or strictest, comes first.
    pub &'a [&'a dyn ItemFilter],
);

impl ItemFilter for AllOf<'_> {
    fn allows(&self, query: &Query<'_>, item: u32) -> bool {
        self.0.iter().all(|filter| filter.allows(query, item))
    }
}

/// What a filter does not allow.
#[derive(Debug, Clone, Copy)]
pub struct Except<F>(
    /// What is refused.
    pub F,
);

impl<F: ItemFilter> ItemFilter for Except<F> {
    fn allows(&self, query: &Query<'_>, item: u32) -> bool {
        !self.0.allows(query, item)
    }
}

/// Everything is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Allowed;

impl ItemFilter for Allowed {
    fn allows(&self, _: &Query<'_>, _: u32) -> bool {
        true
    }
}

/// What the customer, or the basket, does not have yet; for an item, every other one.
#[derive(Debug, Clone, Copy)]
pub struct Unseen<'a>(
    /// Who took what.
    pub &'a InteractionMatrix,
);

impl ItemFilter for Unseen<'_> {
    fn allows(&self, query: &Query<'_>, item: u32) -> bool {
        match *query {
            Query::Customer(customer) => self.0.row(customer).0.binary_search(&item).is_err(),
            Query::Basket(basket) => basket.iter().all(|&(seen, _)| seen != item),
            Query::Item(same) => same != item,
        }
    }
}
