//! The bipartite graph of customers and items, as an operator on vectors of items.

use crate::numeric::reduce::each_block;
use crate::numeric::subspace::Operator;
use crate::recommend::taken::{Lists, Taken};
use crate::summary::InteractionMatrix;

/// Customers whose vectors are worked on side by side: their numbers of an item fill a cache line.
pub(super) const TOGETHER: usize = 8;

/// P̃ = R̃ᵀR̃ with R̃ = D_U^−½ R D_I^−½: one step from items to their customers and back. Symmetric, with eigenvalues
/// from 0 to 1, and never written down.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Graph {
    taken: Taken,
    /// 1 / degree; 0 for nobody's.
    customer: Vec<f64>,
    /// degree^−½; 0 for an item that nobody took.
    item: Vec<f64>,
}

/// One number of each of the vectors that are worked on together.
pub(super) type Lane<const L: usize> = [f64; L];

/// Working memory of an application: a lane for each customer and for each item.
pub(super) struct Workspace<'a, const L: usize> {
    pub(super) customers: &'a mut [Lane<L>],
    pub(super) now: &'a mut [Lane<L>],
}

impl Graph {
    pub(super) fn new(matrix: &InteractionMatrix) -> Self {
        let taken = Taken::new(matrix);
        let degrees = |lists: &Lists| -> Vec<f64> {
            let rows = (0..lists.count()).map(|row| lists.row(row).len() as f64);
            rows.collect()
        };
        let inverse = |degree: f64| if degree > 0.0 { 1.0 / degree } else { 0.0 };
        let customer = degrees(&taken.customers);
        let item = degrees(&taken.items);
        Self {
            customer: customer.into_iter().map(inverse).collect(),
            item: item.into_iter().map(|d| inverse(d.sqrt())).collect(),
            taken,
        }
    }

    pub(super) fn customers(&self) -> usize {
        self.customer.len()
    }

    pub(super) fn items(&self) -> usize {
        self.item.len()
    }

    /// degree^−½ of an item; 0 for one that nobody took.
    pub(super) fn scale(&self, item: usize) -> f64 {
        self.item.get(item).copied().unwrap_or(0.0)
    }

    /// P̃ of a vector of few entries, given as its items.
    pub(super) fn spread(
        &self,
        items: impl Iterator<Item = u32>,
        customers: &mut [Lane<1>],
        out: &mut [Lane<1>],
    ) {
        customers.fill([0.0]);
        for item in items {
            let scale = self.scale(item as usize);
            for &customer in self.taken.items.row(item as usize) {
                if let Some([sum]) = customers.get_mut(customer as usize) {
                    *sum += scale;
                }
            }
        }
        out.fill([0.0]);
        for (customer, [sum]) in customers.iter().enumerate() {
            if *sum == 0.0 {
                continue;
            }
            let by = sum * self.customer.get(customer).copied().unwrap_or(0.0);
            for &item in self.taken.customers.row(customer) {
                if let Some([sum]) = out.get_mut(item as usize) {
                    *sum += by;
                }
            }
        }
        for ([sum], scale) in out.iter_mut().zip(&self.item) {
            *sum *= scale;
        }
    }

    /// Adds multiples of P̃, P̃², … of the vectors in `work.now`, which are lost.
    pub(super) fn add_powers<const L: usize>(
        &self,
        coefficients: &[f64],
        work: &mut Workspace<'_, L>,
        sums: &mut [Lane<L>],
    ) {
        for by in coefficients {
            self.step(work);
            for (sum, lane) in sums.iter_mut().zip(&*work.now) {
                for (sum, number) in sum.iter_mut().zip(lane) {
                    *sum += by * number;
                }
            }
        }
    }

    /// P̃ of the vectors in `work.now`, in their place.
    fn step<const L: usize>(&self, work: &mut Workspace<'_, L>) {
        for (lane, scale) in work.now.iter_mut().zip(&self.item) {
            lane.iter_mut().for_each(|number| *number *= scale);
        }
        let by_customer = work.customers.iter_mut().zip(&self.customer).enumerate();
        for (customer, (lane, scale)) in by_customer {
            *lane = gathered(self.taken.customers.row(customer), work.now);
            lane.iter_mut().for_each(|number| *number *= scale);
        }
        for (item, (lane, scale)) in work.now.iter_mut().zip(&self.item).enumerate() {
            *lane = gathered(self.taken.items.row(item), work.customers);
            lane.iter_mut().for_each(|number| *number *= scale);
        }
    }
}

/// The sum of some lanes.
fn gathered<const L: usize>(rows: &[u32], lanes: &[Lane<L>]) -> Lane<L> {
    let mut sums = [0.0; L];
    for &row in rows {
        if let Some(lane) = lanes.get(row as usize) {
            for (sum, number) in sums.iter_mut().zip(lane) {
                *sum += number;
            }
        }
    }
    sums
}

/// The graph as an operator that can be stopped, for its leading eigenvectors.
pub(super) struct Stoppable<'a> {
    pub(super) graph: &'a Graph,
    pub(super) cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// Rows that are summed before the next question whether to stop.
const ROWS: usize = 256;

impl Operator for Stoppable<'_> {
    fn order(&self) -> usize {
        self.graph.items()
    }

    fn apply(&self, vectors: &[f64], width: usize, out: &mut [f64]) {
        let Graph {
            taken,
            customer,
            item,
        } = self.graph;
        let mut sums = vec![0.0; customer.len() * width];
        let add = |sums: &mut [f64], row: &[f64], by: f64| {
            for (sum, number) in sums.iter_mut().zip(row) {
                *sum += by * number;
            }
        };
        each_block(&mut sums, (ROWS * width).max(1), |block, sums| {
            let rows = sums.chunks_exact_mut(width.max(1));
            for (at, sums) in (block * ROWS..).zip(rows) {
                if self.is_cancelled() {
                    return;
                }
                for &other in taken.customers.row(at) {
                    let from = other as usize * width;
                    let row = vectors.get(from..from + width).unwrap_or_default();
                    add(sums, row, self.graph.scale(other as usize));
                }
            }
        });
        each_block(out, (ROWS * width).max(1), |block, out| {
            let rows = out.chunks_exact_mut(width.max(1));
            for (at, out) in (block * ROWS..).zip(rows) {
                if self.is_cancelled() {
                    return;
                }
                out.fill(0.0);
                for &other in taken.items.row(at) {
                    let from = other as usize * width;
                    let row = sums.get(from..from + width).unwrap_or_default();
                    add(
                        out,
                        row,
                        customer.get(other as usize).copied().unwrap_or(0.0),
                    );
                }
                let scale = item.get(at).copied().unwrap_or(0.0);
                out.iter_mut().for_each(|number| *number *= scale);
            }
        });
    }

    fn is_cancelled(&self) -> bool {
        (self.cancelled)()
    }
}
