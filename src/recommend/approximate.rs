//! Nearly the best items of a factor model, found without scoring all of them.

use std::sync::Arc;

use feox_ann::{AnnConfig, AnnIndex, AnnQuery};

use super::caps::list_of;
use super::error::out_of_range;
use super::saved::wrong;
use super::way::Rules;
use super::{Als, Bpr, Cap, ItemFilter, Query, QueryError, Scored, Scorer, Scratch, Warp};
use crate::error::{ConfigError, Error, FitError};
use sealed::Factors;

/// Items that are put into the index together: the same at any number of threads, and few enough to ask often whether to stop.
const TOGETHER: u32 = 128;

/// To follow links costs so many times what it costs to score the next item of all: more candidates than
/// this part of the items are not worth looking for.
const SCANNED_INSTEAD: usize = 64;

/// How an [`Approximate`] search is made.
///
/// | field | range | default |
/// |---|---|---|
/// | `links` | 2 to 256 | 16 |
/// | `breadth` | `links` to 65,536 | 128 |
/// | `candidates` | at least 1 | 512 |
/// | `items_min` | any | 1,000,000 |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApproximateConfig {
    /// To how many others an item is linked; twice as many where all items are.
    pub links: usize,
    /// Among how many near items the links of a new one are chosen: the better the index, the longer it takes.
    pub breadth: usize,
    /// How many items a query looks for; the better half of them is scored exactly, for among the worst much is missed. A list of k
    /// takes at least 4 k.
    pub candidates: usize,
    /// A smaller catalogue is refused: all its items are scored in as little time, and nothing is missed.
    pub items_min: u32,
}

impl Default for ApproximateConfig {
    fn default() -> Self {
        Self {
            links: 16,
            breadth: 128,
            candidates: 512,
            items_min: 1_000_000,
        }
    }
}

impl ApproximateConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if !(2..=256).contains(&self.links) {
            return Err(out_of_range("links", self.links, "from 2 to 256"));
        }
        if !(self.links..=65_536).contains(&self.breadth) {
            let expected = "from `links` to 65536";
            return Err(out_of_range("breadth", self.breadth, expected));
        }
        if self.candidates == 0 {
            return Err(out_of_range("candidates", 0, "at least 1"));
        }
        Ok(())
    }
}

/// A factor model that an [`Approximate`] search can be made of: [`Als`], [`Bpr`], [`Warp`], and references to them.
pub trait FactorModel: Scorer + Factors {}

mod sealed {
    use crate::recommend::{Query, QueryError, Scratch};

    pub trait Factors {
        /// How many numbers the vectors have.
        fn width(&self) -> usize;

        /// An item's vector.
        fn row(&self, item: u32) -> impl Iterator<Item = f32> + Clone;

        /// The vector whose products with the items' are the scores of a customer or a basket.
        fn vector<'a>(
            &self,
            query: &Query<'_>,
            scratch: &'a mut Scratch,
        ) -> Result<&'a [f32], QueryError>;
    }
}

/// A factor model that answers from a graph of its items, for catalogues of millions.
///
/// Candidates come from a graph of near items (HNSW); they are scored exactly, and the list keeps every rule as that
/// of [`recommend_capped`](super::recommend_capped): **exactly k items while k are allowed**, none that a filter refuses, no cap
/// exceeded. Where the candidates do not fill the list, more are looked for, and in the end all items are scored. Approximate is
/// only which items are compared: an item may be missed that is better than those shown. On a simulated catalogue of a million items,
/// 64 factors, 1.4% of the ten best were missed at the defaults and 5.7% with half the candidates, at 10 and 21 times the queries
/// of the exact search in a CPU second (`cargo bench --bench jobs -- recommend.approximate:1m`; at a tenth of the items the two are even).
/// Measure it on your own model, by asking the model itself.
///
/// ```
/// use tenure::recommend::{Allowed, Als, AlsConfig, Approximate, ApproximateConfig, Query, Scratch, Weighting};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for customer in 0..60 {
///     (customer % 3..90).step_by(3).try_for_each(|item| log.push(customer, item, 1.0))?;
/// }
/// let weighting = Weighting::Rendle { alpha0: 0.1, lambda: 0.01, nu: 1.0 };
/// let model = Als::fit(&log.matrix(), &AlsConfig::new(weighting, 4, 7))?.model;
/// // A toy; the default refuses fewer than a million items.
/// let search = Approximate::new(&model, &ApproximateConfig { items_min: 0, ..Default::default() })?;
///
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// search.recommend(&Query::Customer(4), 10, &Allowed, &[], &mut scratch, &mut best)?;
/// assert!(best.len() == 10 && best.iter().all(|scored| scored.item % 3 == 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Queries
/// A customer and a basket are answered from the graph. An item (its likeness is a cosine, the score a product) and a
/// customer whose scores are all 0 are answered exactly, by scoring all items.
///
/// # Cost
/// To make it: of the order of `breadth` · `links` products an item, by several threads with the feature `parallel`; 280 CPU seconds for
/// that million. Memory: the items' factors once more, and about 500 bytes an item. A query: of the order of `candidates` · `links`
/// products, and unlike the exact ones some allocations. [`Scorer::lists`] of the model answers all customers at once exactly
/// and fast; this is for single queries.
///
/// The same model and settings give the same graph at any number of threads, on one kind of processor. It has no saved form: it is
/// made again of the model that was read.
///
/// # Source
/// Malkov and Yashunin (2020), *Efficient and robust approximate nearest neighbor search using hierarchical navigable small world
/// graphs*, by the crate `feox-ann`. The largest product becomes the smallest angle by one more number of each item, which
/// makes all of them equally long: Bachrach et al. (2014), *Speeding up the Xbox recommender system using a Euclidean transformation
/// for inner-product spaces*, section 3.
#[derive(Clone)]
pub struct Approximate<M> {
    model: M,
    index: AnnIndex,
    candidates: usize,
}

impl<M> std::fmt::Debug for Approximate<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Approximate")
            .field("items", &self.index.len())
            .field("candidates", &self.candidates)
            .finish_non_exhaustive()
    }
}

impl<M: FactorModel> Approximate<M> {
    /// Makes the graph of a model's items.
    ///
    /// # Errors
    /// [`ConfigError`] for a setting that cannot be used, [`DataError::Field`](crate::error::DataError::Field) for fewer items than
    /// [`items_min`](ApproximateConfig::items_min).
    pub fn new(model: M, config: &ApproximateConfig) -> Result<Self, Error> {
        Self::new_until(model, config, &|| false)
    }

    /// As [`new`](Self::new), until `cancelled` says true; it is asked every 128 items.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`FitError::Cancelled`].
    pub fn new_until(
        model: M,
        config: &ApproximateConfig,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, Error> {
        config.check()?;
        let items = model.items();
        if items < config.items_min {
            let expected = "at least `items_min`: the items of a smaller catalogue are all scored in as little time";
            return Err(wrong("items", items, expected).into());
        }
        let mut index = AnnIndex::new(AnnConfig {
            dimensions: model.width() + 1,
            max_neighbors: config.links,
            max_base_neighbors: 2 * config.links,
            ef_construction: config.breadth,
            ef_search: config.candidates,
            max_level: 16,
        })
        .map_err(|_| out_of_range("links", config.links, "settings that the index accepts"))?;
        let longest = longest(&model);
        for first in (0..items).step_by(TOGETHER as usize) {
            if cancelled() {
                return Err(FitError::Cancelled { iterations: 0 }.into());
            }
            let last = first.saturating_add(TOGETHER).min(items);
            let rows =
                (first..last).map(|item| (item.to_string(), direction(&model, item, longest)));
            index
                .bulk_load(rows, threads())
                .map_err(|_| wrong("items", items, "items with finite factors"))?;
        }
        Ok(Self {
            model,
            index,
            candidates: config.candidates,
        })
    }

    /// The model that was searched.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Changes how many items a query looks for, at least 1: the more, the better the lists and the slower.
    pub fn set_candidates(&mut self, candidates: usize) {
        self.candidates = candidates.max(1);
    }

    /// Nearly the best `k` items that the filter and the caps allow, best first: exactly `k` of them while so many are allowed.
    ///
    /// The scores are those of the model, up to rounding the same as in its own lists; at the same score the item of the lower number is
    /// better.
    ///
    /// # Errors
    /// Those of the model.
    pub fn recommend(
        &self,
        query: &Query<'_>,
        k: usize,
        filter: &dyn ItemFilter,
        caps: &[Cap<'_>],
        scratch: &mut Scratch,
        out: &mut Vec<Scored>,
    ) -> Result<(), QueryError> {
        let rules = Rules::new(k, self.model.items(), filter, caps);
        let items = self.model.items() as usize;
        let mut candidates = self.candidates.max(rules.k.saturating_mul(4));
        if let Some(direction) = self.asked(query, scratch)? {
            while candidates <= items / SCANNED_INSTEAD {
                self.list_from(candidates, &direction, query, &rules, scratch, out)?;
                if out.len() == rules.k {
                    return Ok(());
                }
                candidates = candidates.saturating_mul(4);
            }
        }
        list_of(&self.model, query, &rules, scratch, out)
    }

    /// Where the query's best items lie; `None` when the graph does not know.
    fn asked(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Vec<f32>>, QueryError> {
        let vector = self.model.vector(query, scratch)?;
        let length = length(vector.iter().copied());
        if matches!(query, Query::Item(_)) || length == 0.0 {
            return Ok(None);
        }
        let unit = vector.iter().map(|&x| (f64::from(x) / length) as f32);
        Ok(Some(unit.chain([0.0]).collect()))
    }

    /// The list under the rules of the better half of so many candidates; shorter than wanted where it does not suffice.
    fn list_from(
        &self,
        candidates: usize,
        direction: &[f32],
        query: &Query<'_>,
        rules: &Rules<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<Scored>,
    ) -> Result<(), QueryError> {
        let found = self.index.query(AnnQuery {
            vector: direction,
            top_k: candidates.div_ceil(2),
            ef_search: Some(candidates),
            filter: None,
        });
        let mut numbers: Vec<u32> = Vec::new();
        for candidate in found.unwrap_or_default() {
            numbers.extend(candidate.id.parse::<u32>());
        }
        numbers.retain(|&item| rules.filter.allows(query, item));
        let mut scores = vec![0.0; numbers.len()];
        self.model.score(query, &numbers, scratch, &mut scores)?;
        let scored = numbers.iter().zip(&scores).map(|(&item, &score)| Scored {
            item,
            // A negative zero is a zero, as in `recommend`.
            score: score + 0.0,
        });
        out.clear();
        scratch.way.begin();
        scratch.way.pool.extend(scored);
        scratch.way.walk(usize::MAX, rules, out);
        Ok(())
    }
}

fn length(numbers: impl Iterator<Item = f32>) -> f64 {
    let square: f64 = numbers.map(|x| f64::from(x) * f64::from(x)).sum();
    square.sqrt()
}

/// The length of the longest item's vector.
fn longest(model: &impl FactorModel) -> f64 {
    (0..model.items()).fold(0.0, |most, item| length(model.row(item)).max(most))
}

/// An item's vector, made as long as the longest by one more number, in units of it.
fn direction(model: &impl FactorModel, item: u32, longest: f64) -> Vec<f32> {
    let row = model.row(item);
    let unit = |number: f64| if longest > 0.0 { number / longest } else { 0.0 };
    let rest = 1.0 - unit(length(row.clone())).powi(2);
    let own = row.map(|y| unit(f64::from(y)) as f32);
    own.chain([rest.max(0.0).sqrt() as f32]).collect()
}

/// Of the caller's pool.
fn threads() -> usize {
    #[cfg(feature = "parallel")]
    {
        rayon::current_num_threads()
    }
    #[cfg(not(feature = "parallel"))]
    {
        1
    }
}

macro_rules! factor_models {
    ($($Model:ty),+) => {$(
        impl FactorModel for $Model {}

        impl Factors for $Model {
            fn width(&self) -> usize {
                self.latent().width()
            }

            fn row(&self, item: u32) -> impl Iterator<Item = f32> + Clone {
                self.latent().items().row(item)
            }

            fn vector<'a>(
                &self,
                query: &Query<'_>,
                scratch: &'a mut Scratch,
            ) -> Result<&'a [f32], QueryError> {
                Self::vector(self, query, scratch)
            }
        }
    )+};
}

factor_models!(Als, Bpr, Warp);

macro_rules! pointers {
    ($($pointer:ty),+) => {$(
        impl<M: FactorModel> FactorModel for $pointer {}

        impl<M: FactorModel> Factors for $pointer {
            fn width(&self) -> usize {
                (**self).width()
            }

            fn row(&self, item: u32) -> impl Iterator<Item = f32> + Clone {
                (**self).row(item)
            }

            fn vector<'a>(
                &self,
                query: &Query<'_>,
                scratch: &'a mut Scratch,
            ) -> Result<&'a [f32], QueryError> {
                Factors::vector(&**self, query, scratch)
            }
        }
    )+};
}

pointers!(&M, Arc<M>);
