//! The way through the allowed items, best first, on which a list takes what its caps have room for.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::lists::select;
use super::top::Best;
use super::{Cap, ItemFilter, Query, Scored, TopLists};
use crate::numeric::lanes::Level;

/// What a list must keep.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// How many items are wanted, at most as many as there are.
    pub(super) k: usize,
    pub(super) filter: &'a dyn ItemFilter,
    pub(super) caps: &'a [Cap<'a>],
}

impl<'a> Rules<'a> {
    /// Of a list of `k` of so many items.
    pub(super) fn new(
        k: usize,
        items: u32,
        filter: &'a dyn ItemFilter,
        caps: &'a [Cap<'a>],
    ) -> Self {
        let k = k.min(items as usize);
        Self { k, filter, caps }
    }

    /// How many items the first stretch of the way has: without caps it is the list.
    pub(super) fn first_stretch(&self) -> usize {
        match self.caps {
            [] => self.k,
            _ => self.k.saturating_mul(4).max(32),
        }
    }

    /// Of each cap that counts the item, where its group is counted, and how many there may be.
    fn places(&self, item: u32) -> impl Iterator<Item = (u64, u32)> {
        let mut begin = 0;
        self.caps.iter().filter_map(move |cap| {
            let first = begin;
            begin += u64::from(cap.groups.groups());
            let group = cap.groups.group(item)?;
            Some((first + u64::from(group), cap.most))
        })
    }
}

/// A query on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Way {
    /// The next stretch: a heap while it is looked for.
    pub(super) pool: Vec<Scored>,
    pub(super) past: Past,
}

/// How far a query has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// How many items of a group are in the list; one cap's groups after the other's.
    counts: HashMap<u64, u32, FixedState>,
    /// The end of the last stretch.
    last: Option<Scored>,
}

impl Way {
    pub(super) fn begin(&mut self) {
        self.pool.clear();
        self.past.counts.clear();
        self.past.last = None;
    }

    /// Goes through the stretch of at most `most` items and takes what there is room for; whether the list is done.
    pub(super) fn walk(&mut self, most: usize, rules: &Rules<'_>, list: &mut Vec<Scored>) -> bool {
        self.pool.sort_unstable_by(Scored::best_first);
        for scored in &self.pool {
            if list.len() == rules.k {
                return true;
            }
            if self.past.has_room(scored.item, rules) {
                for (place, _) in rules.places(scored.item) {
                    *self.past.counts.entry(place).or_default() += 1;
                }
                list.push(*scored);
            }
        }
        let is_last = self.pool.len() < most;
        self.past.last = self.pool.last().copied();
        self.pool.clear();
        is_last || list.len() == rules.k
    }
}

impl Past {
    /// Whether an item lies ahead and may still be taken: a group that is full stays so.
    pub(super) fn leads_to(&self, scored: &Scored, query: &Query<'_>, rules: &Rules<'_>) -> bool {
        let is_ahead = |last| Scored::best_first(last, scored).is_lt();
        self.last.as_ref().is_none_or(is_ahead)
            && self.has_room(scored.item, rules)
            && rules.filter.allows(query, scored.item)
    }

    fn has_room(&self, item: u32, rules: &Rules<'_>) -> bool {
        let mut places = rules.places(item);
        places.all(|(place, most)| self.counts.get(&place).copied().unwrap_or(0) < most)
    }
}

/// The ways of consecutive customers, side by side.
#[derive(Default)]
pub(super) struct Ways {
    ways: Vec<(Way, Vec<Scored>)>,
    /// Those whose lists are not done, ascending.
    open: Vec<usize>,
    /// The length of the stretch on which they are.
    most: usize,
}

impl Ways {
    /// Begins those of so many customers.
    pub(super) fn begin(&mut self, customers: usize, rules: &Rules<'_>) {
        self.ways.resize_with(customers, Default::default);
        for (way, list) in &mut self.ways {
            way.begin();
            list.clear();
        }
        self.open.clear();
        if rules.k > 0 {
            self.open.extend(0..customers);
        }
        self.most = rules.first_stretch();
    }

    /// The places of the customers whose lists are not done, ascending.
    pub(super) fn open(&self) -> &[usize] {
        &self.open
    }

    /// The score that an item must reach for a customer's next stretch; `None` while every item is taken.
    pub(super) fn least(&mut self, customer: usize) -> Option<f32> {
        let (way, _) = self.ways.get_mut(customer)?;
        let (k, heap) = (self.most, &mut way.pool);
        Best { k, heap }.least()
    }

    /// Offers items by their numbers to the stretch of the customer at a place, who asks with `query`.
    pub(super) fn offer(
        &mut self,
        level: Level,
        (customer, query): (usize, &Query<'_>),
        (scores, numbers): (&[f32], &[u32]),
        rules: &Rules<'_>,
    ) {
        let Some((Way { pool, past }, _)) = self.ways.get_mut(customer) else {
            return;
        };
        let (k, heap) = (self.most, pool);
        select(level, scores, numbers, Best { k, heap }, |scored| {
            past.leads_to(scored, query, rules)
        });
    }

    /// All items have been offered: goes on with a stretch twice as long for those whose lists are not done.
    pub(super) fn walk(&mut self, rules: &Rules<'_>) {
        let (ways, most) = (&mut self.ways, self.most);
        self.open.retain(|&customer| {
            let way = ways.get_mut(customer);
            way.is_some_and(|(way, list)| !way.walk(most, rules, list))
        });
        self.most = most.saturating_mul(2);
    }

    /// Adds the lists, customer after customer.
    pub(super) fn write(&self, lists: &mut TopLists) {
        for (_, list) in &self.ways {
            lists.push(list);
        }
    }
}
