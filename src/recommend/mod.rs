//! What does each customer want next? Items ranked for a customer, a basket or another item.
//!
//! A model learns from who took what ([`InteractionMatrix`](crate::summary::InteractionMatrix)) and gives every
//! item a score; the best are shown, with every rule of the shop kept.
//!
//! ```
//! use tenure::event::{Interactions, Timestamp};
//! use tenure::recommend::{Popularity, Query, Scratch, Unseen, recommend};
//! use tenure::summary::InteractionSummary;
//!
//! let now = Timestamp::from_civil(2024, 5, 1)?;
//! let (log, customers, items) = Interactions::from_rows([
//!     ("ann", "tea", 1.0, now), ("bob", "tea", 1.0, now), ("bob", "jam", 1.0, now), ("eve", "pie", 1.0, now),
//!     ("eve", "jam", 1.0, now),
//! ])?;
//! let matrix = InteractionSummary::collect(&log)?.matrix();
//! let model = Popularity::of(&matrix);
//!
//! let ann = Query::Customer(customers.get("ann").unwrap());
//! let (mut scratch, mut best) = (Scratch::new(), Vec::new());
//! recommend(&model, &ann, 2, &Unseen(&matrix), &mut scratch, &mut best)?;
//! let best: Vec<&str> = best.iter().map(|scored| *items.key(scored.item).unwrap()).collect();
//! assert_eq!(best, ["jam", "pie"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which to choose
//!
//! | you want | take |
//! |---|---|
//! | a list for somebody of whom nothing is known, and the baseline that every model must beat | [`Popularity`] |
//! | the taste of customers, learnt from who took what, at any size: the model to begin with | [`Als`] |
//! | lists of your own that need no tuning, "similar to this", a model that is fitted in a second | [`ItemKnn`] |
//! | better lists than neighbours give, for up to some ten thousand items | [`Ease`] |
//! | the best lists that need no training, at some tens of thousands of items too | [`GraphFilter`] |
//! | to say why | an [`Explainer`] |
//! | to know how good the lists are, and whether one model is better than another | [`evaluate`] |
//! | a model of your own | implement [`Scorer`], test it with [`laws`] |
//! | to hold back what was taken, what is out of stock, … | an [`ItemFilter`], several with [`ItemFilter::and`] |
//! | to order the list for more than the score | a [`Reranker`] |
//!
//! # What it assumes
//!
//! Customers and items are dense numbers. To take an item is to like it: what was not taken is not disliked,
//! it may be unknown.
//!
//! # What it costs
//!
//! A query costs the model's scores and one comparison an item. It allocates nothing: the caller lends a
//! [`Scratch`] and the list, which grow to what they need and stay so.

mod als;
mod ease;
mod error;
pub mod evaluate;
mod explain;
mod factors;
mod filter;
mod graph_filter;
mod item_knn;
mod item_weights;
pub mod laws;
mod lists;
mod popularity;
mod query;
mod saved;
mod taken;
mod top;

pub use als::{Als, AlsConfig, AlsFit, AlsReport, FoldIn, Solver, Weighting};
pub use ease::{Ease, EaseConfig, Precision};
pub use error::QueryError;
pub use explain::{Contribution, Explainer, Explanation};
pub use filter::{Allowed, Both, ItemFilter, Unseen};
pub use graph_filter::{
    Blurring, GraphFilter, GraphFilterConfig, GraphFilterFit, GraphFilterReport, LowPass,
    OdeMethod, Sharpening,
};
pub use item_knn::{ItemKnn, ItemSimilarity};
pub use lists::TopLists;
pub use popularity::Popularity;
pub use query::{Query, Scratch};
pub use top::{Scored, recommend};

use std::ops::Range;

/// Says how much an item is wanted.
///
/// Two methods are required; [`scan`](Self::scan) follows from them, and a model that scores many items at
/// once overrides it. Only the order of the scores of one query means something: larger is wanted more.
///
/// Every model keeps the laws that [`laws::check`] tests.
pub trait Scorer: Send + Sync {
    /// How many items the model knows: their numbers are below it.
    fn items(&self) -> u32;

    /// The scores of some items, each finite, in their order.
    ///
    /// # Errors
    /// [`QueryError`] for a customer or an item that the model does not know, or when `out` has not one
    /// place for each item.
    fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError>;

    /// Shows the scores of all items, in blocks of consecutive items: the number of a block's first
    /// item, and the scores from it on. The blocks ascend and leave no item out.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    fn scan(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        const BLOCK: u32 = 256;
        let mut scores = [0.0; BLOCK as usize];
        let mut numbers = [0; BLOCK as usize];
        let mut first = 0;
        while first < self.items() {
            let length = (self.items() - first).min(BLOCK) as usize;
            for (number, item) in numbers.iter_mut().zip(first..) {
                *number = item;
            }
            // `length` is at most the size of both arrays.
            if let (Some(numbers), Some(scores)) = (numbers.get(..length), scores.get_mut(..length))
            {
                self.score(query, numbers, scratch, scores)?;
                visit(first, scores);
            }
            first += length as u32;
        }
        Ok(())
    }

    /// The lists of [`recommend`] for consecutive customers, all at once; the first list is that of the first
    /// of them. By several threads with the feature `parallel`.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    fn lists(
        &self,
        customers: Range<u32>,
        k: usize,
        filter: &dyn ItemFilter,
    ) -> Result<TopLists, QueryError> {
        lists::by_query(self, customers, k, filter, |customer, _| {
            Some(Query::Customer(customer))
        })
    }
}

/// Orders candidates for more than their score: for diversity, for margin, for what must be sold.
pub trait Reranker: Send + Sync {
    /// Writes at most `k` of the candidates, best first. The candidates come ordered by score.
    fn rerank(&self, candidates: &[Scored], k: usize, out: &mut Vec<Scored>);
}

/// Refuses an output that has not one place for each item. A [`Scorer`] calls it first.
///
/// # Errors
/// [`QueryError::Places`] when the lengths differ.
pub fn check_places(items: &[u32], out: &[f32]) -> Result<(), QueryError> {
    if out.len() == items.len() {
        return Ok(());
    }
    Err(QueryError::Places {
        places: out.len(),
        items: items.len(),
    })
}
