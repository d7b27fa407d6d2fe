//! For whom, or for what, items are wanted.

use super::QueryError;
use super::session_knn::Near;
use super::way::Way;
use crate::summary::InteractionMatrix;

/// For whom, or for what, items are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Query<'a> {
    /// A customer whom the model was fitted with.
    Customer(u32),
    /// Somebody new, or somebody's visit: items and their weights, each item once. For a model of sessions in the order of
    /// the visit, the last item last.
    Basket(&'a [(u32, f32)]),
    /// Items that go with this one.
    Item(u32),
}

impl<'a> Query<'a> {
    /// The items that were taken, whatever their weights, if not 0; for an item that one.
    pub(super) fn taken(
        &self,
        seen: &'a InteractionMatrix,
    ) -> impl Iterator<Item = u32> + Clone + 'a {
        let none = (&[][..], &[][..]);
        let (row, basket, item) = match *self {
            Query::Customer(customer) => (seen.row(customer), &[][..], None),
            Query::Basket(basket) => (none, basket, None),
            Query::Item(item) => (none, &[][..], Some(item)),
        };
        let row = row.0.iter().copied().zip(row.1.iter().copied());
        let entries = row.chain(basket.iter().copied());
        let present = entries.filter(|(_, weight)| *weight > 0.0);
        present.map(|(item, _)| item).chain(item)
    }

    /// Refuses what no model could answer: numbers that it does not know, weights that are none.
    ///
    /// A [`Scorer`](super::Scorer) calls it first. A model without customers of its own says so with
    /// `customers` = 0.
    ///
    /// # Errors
    /// [`QueryError::UnknownCustomer`], [`QueryError::UnknownItem`], [`QueryError::Weight`].
    pub fn check(&self, customers: u32, items: u32) -> Result<(), QueryError> {
        let known = |item| {
            if item < items {
                return Ok(());
            }
            Err(QueryError::UnknownItem { item, items })
        };
        match *self {
            Query::Customer(customer) if customer >= customers => {
                Err(QueryError::UnknownCustomer {
                    customer,
                    customers,
                })
            }
            Query::Customer(_) => Ok(()),
            Query::Basket(basket) => basket.iter().try_for_each(|&(item, weight)| {
                known(item)?;
                if weight.is_finite() && weight >= 0.0 {
                    return Ok(());
                }
                Err(QueryError::Weight { item })
            }),
            Query::Item(item) => known(item),
        }
    }
}

/// Working memory of queries, lent by the caller: one for each thread, used again and again.
///
/// It grows to what the largest query needed, and what it holds means nothing between two queries.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    numbers: Vec<f32>,
    doubles: Vec<f64>,
    /// The way through all items under caps.
    pub(super) way: Way,
    /// Sessions like a visit.
    pub(super) near: Near,
}

impl Scratch {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `length` numbers, all 0.
    pub fn zeros(&mut self, length: usize) -> &mut [f32] {
        self.numbers.clear();
        self.numbers.resize(length, 0.0);
        &mut self.numbers
    }

    /// `length` numbers of single and `doubles` of double precision, all 0.
    pub fn zeros_and_doubles(&mut self, length: usize, doubles: usize) -> (&mut [f32], &mut [f64]) {
        self.doubles.clear();
        self.doubles.resize(doubles, 0.0);
        self.numbers.clear();
        self.numbers.resize(length, 0.0);
        (&mut self.numbers, &mut self.doubles)
    }
}
