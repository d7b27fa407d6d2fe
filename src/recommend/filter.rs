//! What may be shown.

use super::Query;
use crate::summary::InteractionMatrix;

/// Says which items may be shown.
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

/// What two filters allow.
#[derive(Debug, Clone, Copy)]
pub struct Both<A, B>(A, B);

impl<A: ItemFilter, B: ItemFilter> ItemFilter for Both<A, B> {
    fn allows(&self, query: &Query<'_>, item: u32) -> bool {
        self.0.allows(query, item) && self.1.allows(query, item)
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
