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
//! # A list that keeps every rule, with reasons
//!
//! The model is chosen when the program runs, and may be yours. Ten candidates in stock that the customer does not have, at most two of a
//! category, then the four of them that are least alike, and why:
//!
//! ```
//! use tenure::recommend::{
//!     AllOf, Cap, Ease, EaseConfig, Explainer, ItemGroups, ItemKnn, ItemSet, ItemSimilarity, Mmr, Precision, Query,
//!     Reranker, Scratch, Unseen, recommend_capped,
//! };
//! # use tenure::summary::InteractionSummary;
//! # let mut log = InteractionSummary::new();
//! # for customer in 0..40_u32 {
//! #     (0..12).filter(|item| (customer * 7 + item * 5) % 11 < 5).try_for_each(|item| log.push(customer, item, 1.0))?;
//! # }
//! # let matrix = log.matrix();
//! # let model_name = "ease";
//! let model: Box<dyn Explainer> = match model_name {
//!     "ease" => {
//!         let config = EaseConfig { lambda: 10.0, precision: Precision::Single, items_max: 20_000 };
//!         Box::new(Ease::fit(&matrix, &config)?)
//!     }
//!     _ => Box::new(ItemKnn::fit(&matrix, ItemSimilarity::Cosine, 20)?),
//! };
//! let stock: ItemSet = (0..12).filter(|&item| item != 5).collect();
//! let categories = ItemGroups::of((0..12).map(|item| Some(item / 4)))?;
//! let (unseen, caps) = (Unseen(&matrix), [Cap { groups: &categories, most: 2 }]);
//! let rules = AllOf(&[&stock, &unseen]);
//!
//! let ann = Query::Customer(3);
//! let (mut scratch, mut candidates, mut list) = (Scratch::new(), Vec::new(), Vec::new());
//! recommend_capped(&model, &ann, 10, &rules, &caps, &mut scratch, &mut candidates)?;
//! let alike = |a: u32, b: u32| if categories.group(a) == categories.group(b) { 1.0 } else { 0.0 };
//! Mmr::new(0.8, alike)?.rerank(&candidates, 4, &mut scratch, &mut list);
//! assert_eq!(list.len(), 4);
//! for scored in &list {
//!     for reason in model.explain(&ann, scored.item)?.reasons(1) {
//!         println!("item {}, because of item {}", scored.item, reason.item);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which to choose
//!
//! | you want | take |
//! |---|---|
//! | a list for somebody of whom nothing is known, and the baseline that every model must beat | [`Popularity`] |
//! | the taste of customers, learnt from who took what, at any size: the model to begin with | [`Als`] |
//! | a model that is trained on the order of items itself, with small steps | [`Bpr`]; [`Warp`] when only the top of the list counts |
//! | lists of your own that need no tuning, "similar to this", a model that is fitted in a second | [`ItemKnn`] |
//! | the same, with popular items held back | [`Rp3Beta`] |
//! | few weights that are learnt and never negative: the shortest reasons | [`Slim`] |
//! | better lists than neighbours give, for up to some ten thousand items | [`Ease`] |
//! | what goes with a visit so far, by the order of its items | [`SessionKnn`] |
//! | items that nobody has taken yet, by what they are | [`ContentCosine`] |
//! | the best lists that need no training, at some tens of thousands of items too | [`GraphFilter`] |
//! | nearly those lists from a fit in seconds, where the pairs of items fit in memory | [`TurboCf`] |
//! | a model of factors in a quarter of the memory | [`Quantised`] |
//! | to say why | an [`Explainer`] |
//! | to know how good the lists are, and whether one model is better than another | [`evaluate`] |
//! | a model of your own | implement [`Scorer`], test it with [`laws`] |
//! | to hold back what was taken, what is out of stock, … | an [`ItemFilter`], several with [`ItemFilter::and`] |
//! | at most two of a category, three of a brand | [`recommend_capped`]; for all customers [`Scorer::lists_capped`] |
//! | a list whose items are not all alike | [`Mmr`] |
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
//!
//! # What is saved
//!
//! Every model is written and read by serde, with a format version (another than those that can be read is refused by name),
//! checked sizes and a checksum of all that is in it. What is read back answers with the same bits, through a text too:
//! weights of double precision stand there as the whole numbers of their bits.

mod als;
#[cfg(feature = "approximate")]
mod approximate;
mod bpr;
mod caps;
mod chosen;
mod co_taken;
mod content;
mod ease;
mod error;
pub mod evaluate;
mod explain;
mod factors;
mod filter;
mod graph_filter;
mod item_knn;
mod item_weights;
mod latent;
pub mod laws;
mod lists;
mod pairwise;
mod popularity;
mod quantised;
mod query;
mod rerank;
mod rp3_beta;
mod saved;
mod session_knn;
mod slim;
mod taken;
mod top;
mod turbo_cf;
mod warp;
mod way;

pub use als::{Als, AlsConfig, AlsFit, AlsReport, Buyers, FoldIn, Solver, Weighting};
#[cfg(feature = "approximate")]
pub use approximate::{Approximate, ApproximateConfig, FactorModel};
pub use bpr::{Bpr, BprConfig, BprFit};
pub use caps::{Cap, ItemGroups, recommend_capped};
pub use content::ContentCosine;
pub use ease::{Ease, EaseConfig, Precision};
pub use error::QueryError;
pub use explain::{Contribution, Explainer, Explanation};
pub use filter::{
    AllOf, AllowList, Allowed, Availability, AvailableAt, Both, CustomerLists, DenyList, Except,
    ItemFilter, ItemSet, PriceRange, Rule, Unseen,
};
pub use graph_filter::{
    Blurring, GraphFilter, GraphFilterConfig, GraphFilterFit, GraphFilterReport, LowPass,
    OdeMethod, Sharpening,
};
pub use item_knn::{ItemKnn, ItemSimilarity};
pub use lists::TopLists;
pub use pairwise::{Negatives, RankingReport};
pub use popularity::Popularity;
pub use quantised::{Compactness, Quantised};
pub use query::{Query, Scratch};
pub use rerank::{Mmr, Reranker};
pub use rp3_beta::{Rp3Beta, Rp3BetaConfig};
pub use session_knn::{SessionKnn, SessionKnnConfig, SimilarSession};
pub use slim::{Slim, SlimConfig, SlimFit, SlimReport};
pub use top::{Scored, recommend};
pub use turbo_cf::{PolynomialFilter, TurboCf, TurboCfConfig};
pub use warp::{Warp, WarpConfig, WarpFit};

use std::ops::Range;

use way::Rules;

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
        self.lists_capped(customers, k, filter, &[])
    }

    /// The lists of [`recommend_capped`] for consecutive customers, all at once: those of [`lists`](Self::lists) when there is
    /// no cap. A model that scores many customers at once overrides this.
    ///
    /// ```
    /// use tenure::recommend::{Als, AlsConfig, Cap, ItemGroups, Scorer, Unseen, Weighting};
    /// use tenure::summary::InteractionSummary;
    ///
    /// let mut log = InteractionSummary::new();
    /// for customer in 0..20 {
    ///     (customer % 3..12).step_by(3).try_for_each(|item| log.push(customer, item, 1.0))?;
    /// }
    /// let matrix = log.matrix();
    /// let weighting = Weighting::Rendle { alpha0: 0.1, lambda: 0.01, nu: 1.0 };
    /// let model = Als::fit(&matrix, &AlsConfig::new(weighting, 4, 7))?.model;
    /// let brands = ItemGroups::of((0..12).map(|item| Some(item / 4)))?;
    /// let one_each = [Cap { groups: &brands, most: 1 }];
    /// let lists = model.lists_capped(0..20, 5, &Unseen(&matrix), &one_each)?;
    /// // There are three brands.
    /// assert!(lists.iter().all(|list| list.len() == 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`score`](Self::score).
    fn lists_capped(
        &self,
        customers: Range<u32>,
        k: usize,
        filter: &dyn ItemFilter,
        caps: &[Cap<'_>],
    ) -> Result<TopLists, QueryError> {
        let rules = Rules::new(k, self.items(), filter, caps);
        lists::by_query(self, customers, rules, |customer, _| {
            Some(Query::Customer(customer))
        })
    }
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
