//! Lists for all customers at once.

use std::ops::Range;

use super::caps::list_of;
use super::factors::{PANEL, Panels};
use super::top::Best;
use super::way::{Rules, Ways};
use super::{Query, QueryError, Scored, Scorer, Scratch};
use crate::numeric::lanes::{LANES, Level};
use crate::numeric::reduce::sum_chunks;
use crate::numeric::threshold::blocks_at_least;

/// Customers that share a pass over the items; with their vectors the first cache is half full.
const TOGETHER: usize = 64;
/// Customers whose scores are computed at a time.
const GROUP: usize = 8;

/// For each customer the best items, best first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopLists {
    scored: Vec<Scored>,
    ends: Vec<usize>,
}

impl TopLists {
    /// A customer's list; empty for one that is unknown.
    pub fn get(&self, customer: u32) -> &[Scored] {
        let at = customer as usize;
        let end = self.ends.get(at).copied().unwrap_or(0);
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let range = begin.copied().unwrap_or(0)..end;
        self.scored.get(range).unwrap_or_default()
    }

    /// How many customers have a list.
    pub fn customers(&self) -> u32 {
        self.ends.len() as u32
    }

    /// All lists, in the order of the customers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[Scored]> {
        (0..self.customers()).map(|customer| self.get(customer))
    }

    /// Adds the next customer's list.
    pub(super) fn push(&mut self, list: &[Scored]) {
        self.scored.extend_from_slice(list);
        self.ends.push(self.scored.len());
    }

    pub(super) fn append(mut self, other: Self) -> Self {
        let before = self.scored.len();
        self.scored.extend(other.scored);
        self.ends
            .extend(other.ends.into_iter().map(|end| before + end));
        self
    }
}

/// The lists of queries that are asked one by one; an empty one where `ask` has no query. It is lent a basket to fill.
pub(super) fn by_query<S: Scorer + ?Sized>(
    scorer: &S,
    customers: Range<u32>,
    rules: Rules<'_>,
    ask: impl for<'b> Fn(u32, &'b mut Vec<(u32, f32)>) -> Option<Query<'b>> + Sync,
) -> Result<TopLists, QueryError> {
    sum_chunks(
        customers.len(),
        |range| {
            let mut lists = TopLists::default();
            let (mut scratch, mut best, mut basket) = (Scratch::new(), Vec::new(), Vec::new());
            for customer in range {
                if let Some(query) = ask(customers.start + customer as u32, &mut basket) {
                    list_of(scorer, &query, &rules, &mut scratch, &mut best)?;
                    lists.scored.extend_from_slice(&best);
                }
                lists.ends.push(lists.scored.len());
            }
            Ok(lists)
        },
        |left, right| Ok(left?.append(right?)),
    )
}

/// The list of each customer from number `from` on; `customers` are their rows, of as many factors as the items have.
pub(super) fn best(from: u32, customers: &[f32], items: &Panels, rules: Rules<'_>) -> TopLists {
    let factors = items.factors();
    let catalogue = Catalogue::new(items);
    sum_chunks(
        customers.len() / factors,
        |range| {
            let mut lists = TopLists::default();
            let mut pass = Pass::new(factors);
            let rows = customers.get(range.start * factors..range.end * factors);
            let blocks = rows.unwrap_or_default().chunks(TOGETHER * factors);
            for (first, rows) in range.step_by(TOGETHER).zip(blocks) {
                pass.run(&catalogue, from + first as u32, rows, &rules);
                pass.ways.write(&mut lists);
            }
            lists
        },
        TopLists::append,
    )
}

/// The items, those of the longest vectors first.
struct Catalogue {
    level: Level,
    panels: Panels,
    /// Of each place, the item's number.
    numbers: Vec<u32>,
    /// Of each panel, an upper bound of its vectors' lengths.
    lengths: Vec<f64>,
}

impl Catalogue {
    fn new(items: &Panels) -> Self {
        let lengths: Vec<f64> = (0..items.rows())
            .map(|item| length(items.row(item)))
            .collect();
        let of = |item: u32| lengths.get(item as usize).copied().unwrap_or(0.0);
        let mut numbers: Vec<u32> = (0..items.rows()).collect();
        numbers.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
        let mut row = Vec::with_capacity(items.factors());
        let mut rows = Vec::with_capacity(numbers.len() * items.factors());
        for &item in &numbers {
            row.clear();
            row.extend(items.row(item));
            rows.extend_from_slice(&row);
        }
        Self {
            level: Level::detect(),
            lengths: numbers
                .iter()
                .step_by(PANEL)
                .map(|&item| of(item))
                .collect(),
            panels: Panels::new(items.factors(), rows.chunks_exact(items.factors())),
            numbers,
        }
    }
}

fn length(numbers: impl Iterator<Item = f32>) -> f64 {
    let square: f64 = numbers
        .map(|number| f64::from(number) * f64::from(number))
        .sum();
    square.sqrt()
}

/// Working memory of passes over the items.
struct Pass {
    factors: usize,
    /// The vectors of the customers that are not done, side by side.
    vectors: Vec<f32>,
    /// Which they are, and the lengths of their vectors.
    open: Vec<(usize, f64)>,
    ways: Ways,
}

impl Pass {
    fn new(factors: usize) -> Self {
        Self {
            factors,
            vectors: Vec::new(),
            open: Vec::new(),
            ways: Ways::default(),
        }
    }

    /// Passes over the items until all lists are done: once without caps, and mostly once with them.
    fn run(&mut self, catalogue: &Catalogue, first: u32, rows: &[f32], rules: &Rules<'_>) {
        let d = self.factors;
        self.ways.begin(rows.len() / d, rules);
        while !self.ways.open().is_empty() {
            self.vectors.clear();
            self.open.clear();
            for &customer in self.ways.open() {
                let row = rows.get(customer * d..(customer + 1) * d);
                let row = row.unwrap_or_default();
                self.vectors.extend_from_slice(row);
                self.open.push((customer, length(row.iter().copied())));
            }
            self.pass(catalogue, first, rules);
            self.ways.walk(rules);
        }
    }

    fn pass(&mut self, catalogue: &Catalogue, first: u32, rules: &Rules<'_>) {
        // A product of vectors in `f32`, fused or not, is off by less than 2 d units in the last place.
        let margin = 1.0 + (2 * self.factors + 8) as f64 * f64::from(f32::EPSILON);
        let mut scores = [0.0; GROUP * PANEL];
        for ((start, panel), &longest) in catalogue.panels.iter().zip(&catalogue.lengths) {
            self.close(longest * margin);
            let numbers = catalogue.numbers.get(start as usize..).unwrap_or_default();
            let groups = self.vectors.chunks(GROUP * self.factors);
            for (vectors, open) in groups.zip(self.open.chunks(GROUP)) {
                let places = scores.get_mut(..open.len() * PANEL).unwrap_or_default();
                catalogue
                    .panels
                    .products(catalogue.level, panel, vectors, places);
                for (scores, &(customer, _)) in places.chunks_exact(PANEL).zip(open) {
                    let query = Query::Customer(first + customer as u32);
                    let offer = (scores, numbers);
                    self.ways
                        .offer(catalogue.level, (customer, &query), offer, rules);
                }
            }
            if self.open.is_empty() {
                return;
            }
        }
    }

    /// Lets go of the customers whose stretch no vector of this length can enter.
    fn close(&mut self, longest: f64) {
        let d = self.factors;
        let mut at = 0;
        while let Some(&(customer, length)) = self.open.get(at) {
            let least = self.ways.least(customer);
            if !least.is_some_and(|least| length * longest < f64::from(least)) {
                at += 1;
                continue;
            }
            self.open.swap_remove(at);
            let last = self.open.len() * d;
            if at * d < last {
                self.vectors.copy_within(last..last + d, at * d);
            }
            self.vectors.truncate(last);
        }
    }
}

/// Puts what is good enough, and allowed, among the best; of whole blocks of scores those count that have a number.
pub(super) fn select(
    level: Level,
    scores: &[f32],
    numbers: &[u32],
    mut best: Best<'_>,
    allows: impl Fn(&Scored) -> bool,
) {
    let least = best.least().unwrap_or(f32::NEG_INFINITY);
    let mut blocks = blocks_at_least(level, scores, least);
    while blocks != 0 {
        let begin = blocks.trailing_zeros() as usize * LANES;
        blocks &= blocks - 1;
        let scores = scores.get(begin..begin + LANES).unwrap_or_default();
        // Past the last item there are no numbers.
        let numbers = numbers.get(begin..).unwrap_or_default();
        for (&score, &item) in scores.iter().zip(numbers) {
            // A negative zero is a zero, as in `recommend`.
            let scored = Scored {
                item,
                score: score + 0.0,
            };
            if best.would_take(&scored) && allows(&scored) {
                best.take(scored);
            }
        }
    }
}
