//! At most n of a kind: the best list under caps, exactly.

use std::hash::Hash;
use std::mem;

use super::top::Best;
use super::{ItemFilter, Query, QueryError, Scored, Scorer, Scratch, recommend};
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

/// As [`recommend`], with at most so many items of each category, of each brand, ….
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
/// That of [`recommend`] for a list of 4 k items while these fill the list. Where they do not, the items are scored
/// again for the next ones, those of full groups left out, twice as many each time. A number for each group.
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
    if caps.is_empty() {
        return recommend(scorer, query, k, filter, scratch, out);
    }
    out.clear();
    let k = k.min(scorer.items() as usize);
    if k == 0 {
        return Ok(());
    }
    // The model needs the scratch meanwhile.
    let (mut pool, mut counts) = (mem::take(&mut scratch.pool), mem::take(&mut scratch.counts));
    let mut walk = Walk {
        scorer,
        query,
        filter,
        room: Room::new(caps, &mut counts),
        pool: &mut pool,
    };
    let walked = walk.run(k, scratch, out);
    (scratch.pool, scratch.counts) = (pool, counts);
    walked
}

/// The way through the allowed items, best first.
struct Walk<'a> {
    scorer: &'a dyn Scorer,
    query: &'a Query<'a>,
    filter: &'a dyn ItemFilter,
    room: Room<'a>,
    /// The next items of the way.
    pool: &'a mut Vec<Scored>,
}

impl Walk<'_> {
    fn run(
        &mut self,
        k: usize,
        scratch: &mut Scratch,
        out: &mut Vec<Scored>,
    ) -> Result<(), QueryError> {
        let mut most = k.saturating_mul(4).max(32);
        let mut last = None;
        loop {
            self.next_items(most, last, scratch)?;
            for scored in &*self.pool {
                if self.room.take(scored.item) {
                    out.push(*scored);
                }
                if out.len() == k {
                    return Ok(());
                }
            }
            if self.pool.len() < most {
                return Ok(());
            }
            last = self.pool.last().copied();
            most = most.saturating_mul(2);
        }
    }

    /// The best items after the last one seen, but for those of full groups: a group that is full stays so.
    fn next_items(
        &mut self,
        most: usize,
        last: Option<Scored>,
        scratch: &mut Scratch,
    ) -> Result<(), QueryError> {
        self.pool.clear();
        let mut best = Best {
            k: most,
            heap: &mut *self.pool,
        };
        let (query, filter, room) = (self.query, self.filter, &self.room);
        self.scorer.scan(query, scratch, &mut |first, scores| {
            for (item, &score) in (first..).zip(scores) {
                // A negative zero is a zero, as in `recommend`.
                let scored = Scored {
                    item,
                    score: score + 0.0,
                };
                let is_next = last.is_none_or(|last| Scored::best_first(&last, &scored).is_lt());
                if is_next
                    && best.would_take(&scored)
                    && room.is_for(item)
                    && filter.allows(query, item)
                {
                    best.take(scored);
                }
            }
        })?;
        self.pool.sort_unstable_by(Scored::best_first);
        Ok(())
    }
}

/// How many items of each group of each cap are in the list.
struct Room<'a> {
    caps: &'a [Cap<'a>],
    /// One cap's groups after the other's.
    counts: &'a mut [u32],
}

impl<'a> Room<'a> {
    fn new(caps: &'a [Cap<'a>], counts: &'a mut Vec<u32>) -> Self {
        let groups = caps.iter().map(|cap| cap.groups.groups() as usize);
        counts.clear();
        counts.resize(groups.sum(), 0);
        Self { caps, counts }
    }

    /// Of each cap that counts the item, where its group is counted, and how many there may be.
    fn places(caps: &[Cap<'_>], item: u32) -> impl Iterator<Item = (usize, u32)> {
        let mut begin = 0;
        caps.iter().filter_map(move |cap| {
            let first = begin;
            begin += cap.groups.groups() as usize;
            let group = cap.groups.group(item)?;
            Some((first + group as usize, cap.most))
        })
    }

    fn is_for(&self, item: u32) -> bool {
        Self::places(self.caps, item)
            .all(|(at, most)| self.counts.get(at).is_some_and(|&count| count < most))
    }

    /// Counts the item, if every cap has room for it.
    fn take(&mut self, item: u32) -> bool {
        let free = self.is_for(item);
        if free {
            for (at, _) in Self::places(self.caps, item) {
                if let Some(count) = self.counts.get_mut(at) {
                    *count += 1;
                }
            }
        }
        free
    }
}
