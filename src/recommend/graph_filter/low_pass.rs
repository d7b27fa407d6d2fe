//! The ideal low pass, as two factors of low rank.

use super::graph::{Graph, Lane, Stoppable, TOGETHER, Workspace};
use super::{GraphFilterConfig, GraphFilterReport};
use crate::numeric::compact::{BLOCK, wide_products};
use crate::numeric::lanes::Level;
use crate::numeric::reduce::each_block;
use crate::numeric::subspace::leading;
use crate::recommend::factors::{PANEL, Panels};

// A panel is a block of the products.
const _: () = assert!(PANEL == BLOCK);

/// The longest residual of a singular vector.
const TOLERANCE: f64 = 1e-4;

/// weight · D_I^−½ Ū and Ūᵀ D_I^½ sharpen(P̃): what a row has along the singular vectors, and what that adds to each item.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Factors {
    pub(super) rank: usize,
    /// By rows of `rank`, a row for each item.
    pub(super) left: Vec<f32>,
    pub(super) right: Panels,
}

/// Working memory of some queries that are answered together.
pub(super) struct Work<'a> {
    /// `rank` numbers for each query.
    along: &'a mut [f64],
    /// [`PANEL`] numbers for each query.
    out: &'a mut [f64],
}

/// `None` when cancelled.
pub(super) fn fit(
    graph: &Graph,
    config: &GraphFilterConfig,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Option<(Factors, GraphFilterReport)> {
    let Some(low_pass) = config.low_pass else {
        let report = GraphFilterReport {
            singular_values: Vec::new(),
            residual: 0.0,
            converged: true,
        };
        let none = Factors::new(0, Vec::new(), graph.items(), &[]);
        return Some((none, report));
    };
    let operator = Stoppable { graph, cancelled };
    let found = leading(&operator, low_pass.rank, TOLERANCE, low_pass.seed)?;
    let rank = found.values.len();
    let (_, sharpened) = config.polynomials();
    let mut left = Vec::with_capacity(found.vectors.len());
    for (item, row) in found.vectors.chunks_exact(rank.max(1)).enumerate() {
        let by = low_pass.weight * graph.scale(item);
        left.extend(row.iter().map(|number| (by * number) as f32));
    }
    let right = sharpened_rows(graph, rank, &found.vectors, &sharpened, cancelled);
    let report = GraphFilterReport {
        singular_values: found.values.iter().map(|value| value.sqrt()).collect(),
        residual: found.residual,
        converged: found.converged,
    };
    (!cancelled()).then(|| (Factors::new(rank, left, graph.items(), &right), report))
}

/// Ūᵀ D_I^½ sharpen(P̃), a row for each item.
fn sharpened_rows(
    graph: &Graph,
    rank: usize,
    vectors: &[f64],
    sharpened: &[f64],
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Vec<f32> {
    let items = graph.items();
    let groups = rank.div_ceil(TOGETHER);
    let mut lanes: Vec<Lane<TOGETHER>> = vec![[0.0; TOGETHER]; groups * items];
    each_block(&mut lanes, items.max(1), |group, sums| {
        let mut now = vec![[0.0; TOGETHER]; items];
        let mut customers = vec![[0.0; TOGETHER]; graph.customers()];
        for (item, (lane, row)) in now
            .iter_mut()
            .zip(vectors.chunks_exact(rank.max(1)))
            .enumerate()
        {
            let scale = graph.scale(item);
            let by = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            let row = row.iter().skip(group * TOGETHER);
            for (number, v) in lane.iter_mut().zip(row) {
                *number = by * v;
            }
        }
        let constant = sharpened.first().copied().unwrap_or(0.0);
        for (sum, lane) in sums.iter_mut().zip(&now) {
            *sum = lane.map(|number| constant * number);
        }
        let mut work = Workspace {
            customers: &mut customers,
            now: &mut now,
        };
        for by in sharpened.iter().skip(1) {
            if cancelled() {
                return;
            }
            graph.add_powers(&[*by], &mut work, sums);
        }
    });
    let mut rows = vec![0.0; items * rank];
    for (item, row) in rows.chunks_exact_mut(rank.max(1)).enumerate() {
        let numbers = (0..groups).filter_map(|group| lanes.get(group * items + item));
        for (place, number) in row.iter_mut().zip(numbers.flatten()) {
            *place = *number as f32;
        }
    }
    rows
}

impl Factors {
    /// From rows of `rank` numbers, one for each of `items`.
    pub(super) fn new(rank: usize, left: Vec<f32>, items: usize, right: &[f32]) -> Self {
        let rows = if rank == 0 { 0 } else { items };
        let right = Panels::new(rank, right.chunks_exact(rank.max(1)).take(rows));
        Self { rank, left, right }
    }

    /// How many numbers [`split`](Self::split) takes for some queries.
    pub(super) fn work(&self, queries: usize) -> usize {
        (self.rank + PANEL) * queries
    }

    pub(super) fn split<'a>(&self, queries: usize, doubles: &'a mut [f64]) -> Work<'a> {
        let (along, out) = doubles.split_at_mut(self.rank * queries);
        Work { along, out }
    }

    /// What a query has along the singular vectors.
    pub(super) fn project(
        &self,
        taken: impl Iterator<Item = u32>,
        work: &mut Work<'_>,
        query: usize,
    ) {
        let along = work.along.chunks_exact_mut(self.rank.max(1)).nth(query);
        let along = along.unwrap_or_default();
        along.fill(0.0);
        for item in taken {
            for (sum, &number) in along.iter_mut().zip(self.left_row(item)) {
                *sum += f64::from(number);
            }
        }
    }

    /// What the low pass adds to an item's score for the first query.
    pub(super) fn score(&self, work: &Work<'_>, item: u32) -> f64 {
        let row = self.right.row(item).map(f64::from);
        let terms = work.along.iter().zip(row).map(|(&along, y)| along * y);
        terms.sum()
    }

    /// What one item adds to another's score.
    pub(super) fn weight(&self, from: u32, to: u32) -> f64 {
        let row = self.left_row(from).iter().zip(self.right.row(to));
        row.map(|(&x, y)| f64::from(x) * f64::from(y)).sum()
    }

    /// What the low pass adds to the scores of a panel's items, [`PANEL`] numbers for each of the first `queries`: the same bits
    /// for a query alone as among others. In double precision, or what cancels would not be what its reasons sum to.
    pub(super) fn products<'a>(
        &self,
        level: Level,
        panel: usize,
        queries: usize,
        work: &'a mut Work<'_>,
    ) -> &'a [f64] {
        let panel = self.right.panel(panel);
        let along = work.along.chunks_exact(self.rank.max(1)).take(queries);
        for (along, out) in along.zip(work.out.as_chunks_mut::<BLOCK>().0) {
            wide_products(level, along, panel, out);
        }
        work.out
    }

    fn left_row(&self, item: u32) -> &[f32] {
        let from = item as usize * self.rank;
        self.left.get(from..from + self.rank).unwrap_or_default()
    }
}
