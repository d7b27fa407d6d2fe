//! Lists for many customers at once.

use std::ops::Range;

use super::graph::{Lane, TOGETHER, Workspace};
use super::{GraphFilter, PANEL, Query, TopLists, low_pass};
use crate::numeric::lanes::Level;
use crate::numeric::reduce::sum_chunks;
use crate::recommend::way::{Rules, Ways};

/// Groups of customers that share a panel of the low pass.
const GROUPS: usize = 4;
const CUSTOMERS: usize = GROUPS * TOGETHER;

/// The list of each customer.
pub(super) fn best(model: &GraphFilter, customers: Range<u32>, rules: Rules<'_>) -> TopLists {
    sum_chunks(
        customers.len(),
        |range| {
            let mut pass = Pass::new(model);
            let mut doubles = vec![0.0; model.factors.work(CUSTOMERS)];
            let mut low = model.factors.split(CUSTOMERS, &mut doubles);
            let mut lists = TopLists::default();
            for first in range.clone().step_by(CUSTOMERS) {
                let here = CUSTOMERS.min(range.end - first);
                let first = customers.start + first as u32;
                pass.ways.begin(here, &rules);
                if rules.k > 0 {
                    pass.sum(first, here, &mut low);
                }
                while !pass.ways.open().is_empty() {
                    pass.select(first, &rules, &mut low);
                    pass.ways.walk(&rules);
                }
                pass.ways.write(&mut lists);
            }
            lists
        },
        TopLists::append,
    )
}

/// Working memory of some customers' lists.
struct Pass<'a> {
    model: &'a GraphFilter,
    /// The polynomial's scores, group by group.
    sums: Vec<Lane<TOGETHER>>,
    now: Vec<Lane<TOGETHER>>,
    customers: Vec<Lane<TOGETHER>>,
    now_of_one: Vec<Lane<1>>,
    customers_of_one: Vec<Lane<1>>,
    ways: Ways,
}

impl<'a> Pass<'a> {
    fn new(model: &'a GraphFilter) -> Self {
        let (customers, items) = (model.graph.customers(), model.graph.items());
        Self {
            model,
            sums: vec![[0.0; TOGETHER]; GROUPS * items],
            now: vec![[0.0; TOGETHER]; items],
            customers: vec![[0.0; TOGETHER]; customers],
            now_of_one: vec![[0.0]; items],
            customers_of_one: vec![[0.0]; customers],
            ways: Ways::default(),
        }
    }

    /// The polynomial's scores, and what the rows have along the singular vectors.
    fn sum(&mut self, first: u32, here: usize, low: &mut low_pass::Work<'_>) {
        let model = self.model;
        let items = model.graph.items().max(1);
        let groups = self.sums.chunks_mut(items).enumerate();
        for (group, sums) in groups.take(here.div_ceil(TOGETHER)) {
            for lane in 0..TOGETHER.min(here - group * TOGETHER) {
                let row = group * TOGETHER + lane;
                let query = Query::Customer(first + row as u32);
                let taken = query.taken(&model.seen);
                model.factors.project(taken.clone(), low, row);
                let mut work = Workspace {
                    customers: &mut self.customers_of_one,
                    now: &mut self.now_of_one,
                };
                model.begin(taken, &mut work, sums, lane);
                for (lanes, [number]) in self.now.iter_mut().zip(&self.now_of_one) {
                    if let Some(place) = lanes.get_mut(lane) {
                        *place = *number;
                    }
                }
            }
            let mut work = Workspace {
                customers: &mut self.customers,
                now: &mut self.now,
            };
            let rest = model.polynomial.get(2..).unwrap_or_default();
            model.graph.add_powers(rest, &mut work, sums);
        }
    }

    /// Offers all items to the customers whose lists are not done.
    fn select(&mut self, first: u32, rules: &Rules<'_>, low: &mut low_pass::Work<'_>) {
        let (model, level) = (self.model, Level::detect());
        let items = model.graph.items();
        let open = self.ways.open().to_vec();
        let here = open.last().map_or(0, |row| row + 1);
        let mut numbers = Vec::with_capacity(PANEL);
        for (panel, begin) in (0..items).step_by(PANEL).enumerate() {
            let known = PANEL.min(items - begin);
            numbers.clear();
            numbers.extend(begin as u32..(begin + known) as u32);
            let added = model.factors.products(level, panel, here, low);
            for &row in &open {
                let (group, lane) = (row / TOGETHER, row % TOGETHER);
                let from = group * items + begin;
                let sums = self.sums.get(from..from + known).unwrap_or_default();
                let added = added.get(row * PANEL..).unwrap_or_default();
                let mut scores = [f32::NEG_INFINITY; PANEL];
                for ((place, sum), added) in scores.iter_mut().zip(sums).zip(added) {
                    let sum = sum.get(lane).copied().unwrap_or(0.0);
                    *place = (sum + added) as f32;
                }
                let query = Query::Customer(first + row as u32);
                self.ways
                    .offer(level, (row, &query), (&scores, &numbers), rules);
            }
        }
    }
}
