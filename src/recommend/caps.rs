//! At most n of a kind: the best list under caps, exactly.

use std::hash::Hash;
use std::mem;

use super::top::{Best, best_of};
use super::way::{Rules, Way};
use super::{ItemFilter, Query, QueryError, Scored, Scorer, Scratch};
use crate::error::DataError;
use crate::event::Ids;

/// What an item counts as in a [`Cap`]: its category, its brand, ….
///
/// ```
/// use tenure::recommend::ItemGroups;
///
/// // Of four items; the third has no brand.
/// let brands = ItemGroups::of([Some("acme"), Some("best"), None, Some("acme")])?;
/// assert_eq!((brands.groups(), brands.group(0), brands.group(2)), (2, Some(0), None));
/// assert_eq!(brands.group(3), brands.group(0));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemGroups {
    /// [`NONE`](Self::NONE) for an item without one.
    group: Vec<u32>,
    groups: u32,
}

impl ItemGroups {
    /// Never a number of a group: there are fewer.
    const NONE: u32 = u32::MAX;

    /// From your own keys, one for each item in the order of their numbers; `None` for an item that belongs to no group.
    ///
    /// # Errors
    /// [`DataError::TooMany`] for more than 2³² − 1 groups.
    pub fn of<K: Hash + Eq>(keys: impl IntoIterator<Item = Option<K>>) -> Result<Self, DataError> {
        let mut ids = Ids::new();
        let numbers = keys.into_iter().map(|key| match key {
            Some(key) => ids.intern(key),
            None => Ok(Self::NONE),
        });
        let group = numbers.collect::<Result<_, _>>()?;
        Ok(Self {
            group,
            groups: ids.len(),
        })
    }

    /// How many groups there are.
    pub fn groups(&self) -> u32 {
        self.groups
    }

    /// An item's group, numbered in the order of first appearance; `None` for an item without one and for an unknown one.
    pub fn group(&self, item: u32) -> Option<u32> {
        let group = self.group.get(item as usize).copied();
        group.filter(|&group| group != Self::NONE)
    }
}

/// At most so many items of each group in one list. An item without a group is not counted.
#[derive(Debug, Clone, Copy)]
pub struct Cap<'a> {
    /// What the items count as.
    pub groups: &'a ItemGroups,
    /// How many of each group; at 0 only items without a group are shown.
    pub most: u32,
}

/// As [`recommend`](super::recommend), with at most so many items of each category, of each brand, ….
///
/// The list is the one that is made by going through *all* allowed items, best first (at the same score the lower
/// number first), and taking each one whose groups still have room in every cap, until there are `k`. So it has
/// fewer than `k` only when that walk comes to the end of the items; a cap never costs a place that another item could
/// have had. (Taking the best and striking out what is too much would.)
///
/// With several caps this is the list that a reader expects, not always the one with the largest sum of scores.
///
/// ```
/// use tenure::recommend::{Allowed, Cap, ItemGroups, Popularity, Query, Scratch, recommend_capped};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (item, customers) in [(0, 9), (1, 8), (2, 7), (3, 1)] {
///     (0..customers).try_for_each(|customer| log.push(customer, item, 1.0))?;
/// }
/// let model = Popularity::of(&log.matrix());
/// let categories = ItemGroups::of(["tea", "tea", "tea", "jam"].map(Some))?;
/// let caps = [Cap { groups: &categories, most: 2 }];
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend_capped(&model, &Query::Customer(0), 3, &Allowed, &caps, &mut scratch, &mut best)?;
/// assert_eq!(best.iter().map(|scored| scored.item).collect::<Vec<_>>(), [0, 1, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// That of [`recommend`](super::recommend) for a list of 4 k items while these fill the list. Where they do not, the items are scored
/// again for the next ones, those of full groups left out, twice as many each time. A number for each group in the list.
/// For all customers at once: [`Scorer::lists_capped`].
///
/// # Errors
/// Those of the model.
pub fn recommend_capped(
    scorer: &dyn Scorer,
    query: &Query<'_>,
    k: usize,
    filter: &dyn ItemFilter,
    caps: &[Cap<'_>],
    scratch: &mut Scratch,
    out: &mut Vec<Scored>,
) -> Result<(), QueryError> {
    let rules = Rules::new(k, scorer.items(), filter, caps);
    list_of(scorer, query, &rules, scratch, out)
}

/// As [`recommend_capped`], of a model whose type may be known.
pub(super) fn list_of<S: Scorer + ?Sized>(
    scorer: &S,
    query: &Query<'_>,
    rules: &Rules<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<Scored>,
) -> Result<(), QueryError> {
    if rules.caps.is_empty() {
        return best_of(scorer, query, rules.k, rules.filter, scratch, out);
    }
    out.clear();
    if rules.k == 0 {
        return Ok(());
    }
    // The model needs the scratch meanwhile.
    let mut way = mem::take(&mut scratch.way);
    way.begin();
    let walked = walk(scorer, query, rules, (&mut way, scratch), out);
    scratch.way = way;
    walked
}

/// Goes through the allowed items, best first, stretch by stretch, until the list is done.
fn walk<S: Scorer + ?Sized>(
    scorer: &S,
    query: &Query<'_>,
    rules: &Rules<'_>,
    (way, scratch): (&mut Way, &mut Scratch),
    out: &mut Vec<Scored>,
) -> Result<(), QueryError> {
    let mut most = rules.first_stretch();
    loop {
        let mut best = Best {
            k: most,
            heap: &mut way.pool,
        };
        scorer.scan(query, scratch, &mut |first, scores| {
            for (item, &score) in (first..).zip(scores) {
                // A negative zero is a zero, as in `recommend`.
                let scored = Scored {
                    item,
                    score: score + 0.0,
                };
                if best.would_take(&scored) && way.past.leads_to(&scored, query, rules) {
                    best.take(scored);
                }
            }
        })?;
        if way.walk(most, rules, out) {
            return Ok(());
        }
        most = most.saturating_mul(2);
    }
}
