//! A vector for each customer and each item: what all factor models keep, and how they answer with it.

use std::ops::Range;

use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::factors::{PANEL, Panels};
use super::lists::{self, TopLists};
use super::way::Rules;
use super::{Cap, ItemFilter, Query, QueryError, check_places};
use crate::error::DataError;
use crate::numeric::lanes::{Level, padded};
use crate::summary::InteractionMatrix;

/// More factors than any published model has.
pub(super) const FACTORS_MAX: usize = 1_024;

/// The most bytes that the factors of a model may need while it is fitted.
const FACTOR_BYTES_MAX: u64 = 1 << 40;

/// Refuses factors that no machine has room for.
pub(super) fn check_memory(matrix: &InteractionMatrix, factors: usize) -> Result<(), DataError> {
    let rows = u64::from(matrix.rows()) + u64::from(matrix.columns());
    let bytes = rows * 4 * padded(factors) as u64;
    if bytes <= FACTOR_BYTES_MAX {
        return Ok(());
    }
    Err(DataError::TooLarge {
        what: "factors",
        bytes,
        limit: FACTOR_BYTES_MAX,
        instead: "take fewer factors",
    })
}

/// The vectors of a fitted model. The score is their product.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Latent {
    width: usize,
    /// How many of a vector's numbers, the first ones, say what it is like; an item's bias may follow.
    likeness: usize,
    /// By rows of `width`.
    customers: Vec<f32>,
    items: Panels,
    /// 1 / |y| of the likeness, or 0.
    inverse_norms: Vec<f32>,
}

impl Latent {
    /// Customers by rows of `width`, items likewise (or longer by what is left out).
    pub(super) fn new<'a>(
        width: usize,
        likeness: usize,
        customers: Vec<f32>,
        items: impl ExactSizeIterator<Item = &'a [f32]> + Clone,
    ) -> Self {
        let norms = items.clone().map(|row| {
            let row = row.iter().take(likeness);
            let square: f64 = row.map(|&y| f64::from(y) * f64::from(y)).sum();
            let inverse = (1.0 / square.sqrt()) as f32;
            if inverse.is_finite() { inverse } else { 0.0 }
        });
        Self {
            width,
            likeness,
            customers,
            inverse_norms: norms.collect(),
            items: Panels::new(width, items),
        }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn likeness(&self) -> usize {
        self.likeness
    }

    pub(super) fn items(&self) -> &Panels {
        &self.items
    }

    /// All customers' vectors, by rows.
    pub(super) fn rows(&self) -> &[f32] {
        &self.customers
    }

    pub(super) fn customers(&self) -> u32 {
        (self.customers.len() / self.width) as u32
    }

    pub(super) fn customer(&self, customer: u32) -> Option<&[f32]> {
        let begin = customer as usize * self.width;
        self.customers.get(begin..begin + self.width)
    }

    /// The vector whose products with the items' are the scores for a customer, or (but for the other item's
    /// length) those for an item; a basket's is the model's own affair. `vector` holds zeros.
    pub(super) fn write_vector(&self, query: &Query<'_>, vector: &mut [f32]) {
        match *query {
            Query::Customer(customer) => {
                vector.copy_from_slice(self.customer(customer).unwrap_or_default());
            }
            Query::Item(item) => {
                let inverse = self.inverse_norm(item);
                let row = self.items.row(item).take(self.likeness);
                for (number, y) in vector.iter_mut().zip(row) {
                    *number = y * inverse;
                }
            }
            Query::Basket(_) => {}
        }
    }

    /// The scores of some items for the vector of a query.
    pub(super) fn score(
        &self,
        query: &Query<'_>,
        vector: &[f32],
        items: &[u32],
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        check_places(items, out)?;
        for (place, &item) in out.iter_mut().zip(items) {
            Query::Item(item).check(0, self.items.rows())?;
            let row = vector.iter().zip(self.items.row(item));
            let product: f32 = row.map(|(x, y)| *x * y).sum();
            *place = match query {
                Query::Item(_) => product * self.inverse_norm(item),
                _ => product,
            };
        }
        Ok(())
    }

    /// The scores of all items for the vector of a query, in blocks.
    pub(super) fn scan(
        &self,
        query: &Query<'_>,
        vector: &[f32],
        visit: &mut dyn FnMut(u32, &[f32]),
    ) {
        let level = Level::detect();
        let mut scores = [0.0; PANEL];
        for (first, panel) in self.items.iter() {
            self.items.products(level, panel, vector, &mut scores);
            let norms = self.inverse_norms.get(first as usize..).unwrap_or_default();
            if matches!(query, Query::Item(_)) {
                for (score, inverse) in scores.iter_mut().zip(norms) {
                    *score *= inverse;
                }
            }
            let known = norms.len().min(PANEL);
            visit(first, scores.get(..known).unwrap_or_default());
        }
    }

    /// The lists of consecutive customers.
    pub(super) fn lists(
        &self,
        customers: Range<u32>,
        k: usize,
        filter: &dyn ItemFilter,
        caps: &[Cap<'_>],
    ) -> Result<TopLists, QueryError> {
        if let Some(last) = customers.clone().last() {
            Query::Customer(last).check(self.customers(), self.items.rows())?;
        }
        let rows = customers.start as usize * self.width..customers.end as usize * self.width;
        let rows = self.customers.get(rows).unwrap_or_default();
        let rules = Rules::new(k, self.items.rows(), filter, caps);
        Ok(lists::best(customers.start, rows, &self.items, rules))
    }

    /// The lists of all customers, without caps.
    pub(super) fn all_lists(&self, k: usize, filter: &dyn ItemFilter) -> TopLists {
        let rules = Rules::new(k, self.items.rows(), filter, &[]);
        lists::best(0, &self.customers, &self.items, rules)
    }

    fn inverse_norm(&self, item: u32) -> f32 {
        let norm = self.inverse_norms.get(item as usize);
        norm.copied().unwrap_or(0.0)
    }
}

/// Rows of `factors` numbers, padded with zeros to `width`: uniform, with the deviation of Rendle et al., 0.1 / √d.
pub(super) fn random_rows(
    rng: &mut ChaCha8Rng,
    rows: u32,
    factors: usize,
    width: usize,
) -> Vec<f32> {
    let mut numbers = vec![0.0; rows as usize * width];
    let reach = 0.1 * (3.0 / factors as f64).sqrt();
    for row in numbers.chunks_exact_mut(width) {
        for number in row.iter_mut().take(factors) {
            let unit = f64::from(rng.next_u32()) / f64::from(u32::MAX);
            *number = (reach * (2.0 * unit - 1.0)) as f32;
        }
    }
    numbers
}
