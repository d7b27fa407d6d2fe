//! Half a step: all rows of one side, the other side fixed.
//!
//! A row's system is A x = b with A = base + Σ w y yᵀ and b = Σ l y, where `base` (the unobserved weight times the
//! Gram matrix of the other side, plus the regularisation) is the same for all rows but for a multiple of I.
//! In the basis of the Gram matrix's eigenvectors it is diagonal. Scores do not depend on the basis, hence both
//! sides stay in it, and a row of n < d entries needs a system of n instead of d unknowns (Woodbury).

use nalgebra::{DMatrix, SymmetricEigen};

use super::{Solver, Weighting, fold_in};
use crate::numeric::cholesky;
use crate::numeric::gathered::add_weighted;
use crate::numeric::lanes::{LANES, Level, padded};
use crate::numeric::reduce::{sum_chunks, write_rows};
use crate::numeric::tiles::{Left, Part, Right, Shape, add_product};
use crate::summary::InteractionMatrix;

/// Rows that one thread solves before it looks for others to help.
const PIECE: usize = 64;
/// Entries that are added to a system at a time; the cancel token is asked as often.
const GATHERED: usize = 256;

/// Why a half step has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Cancelled,
    /// A row's system has no finite solution.
    Singular,
}

pub(super) struct HalfStep<'a> {
    pub(super) level: Level,
    pub(super) weighting: Weighting,
    pub(super) solver: Solver,
    /// The rows to be solved.
    pub(super) matrix: &'a InteractionMatrix,
    /// Of the other side: as many rows as `matrix` has columns, `padded(factors)` long.
    pub(super) fixed: &'a [f32],
    /// Of the other side's Gram matrix, which is diagonal.
    pub(super) eigenvalues: &'a [f64],
    pub(super) cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl HalfStep<'_> {
    /// Solves every row into `out` (the conjugate gradient starts from what is there); the sum of the
    /// rows' objectives.
    pub(super) fn run(&self, out: &mut [f32]) -> Result<f64, Stop> {
        let width = padded(self.eigenvalues.len());
        write_rows(
            out,
            width,
            PIECE,
            |first, rows| {
                let mut work = Workspace::new(width);
                let mut objective = 0.0;
                for (row, x) in (first..).zip(rows.chunks_exact_mut(width)) {
                    if (self.cancelled)() {
                        return Err(Stop::Cancelled);
                    }
                    objective += self.row(row as u32, x, &mut work)?;
                }
                Ok(objective)
            },
            |left, right| Ok(left? + right?),
        )
    }

    fn row(&self, row: u32, x: &mut [f32], work: &mut Workspace) -> Result<f64, Stop> {
        work.begin(self, row);
        if work.rows.is_empty() {
            x.fill(0.0);
            return Ok(0.0);
        }
        let gain = match self.solver {
            Solver::ConjugateGradient { steps } => Some(work.conjugate_gradient(self, steps, x)),
            Solver::Cholesky if work.suits_dual() => work.dual(self, x),
            Solver::Cholesky => work.primal(self, x)?,
        };
        let finite = |x: &[f32]| x.iter().all(|x| x.is_finite());
        let gain = match gain {
            Some(gain) if gain.is_finite() && finite(x) => gain,
            // Too ill-conditioned for `f32`.
            _ => {
                let gain = self.in_f64(row, x, work.regularization);
                gain.filter(|gain| gain.is_finite() && finite(x))
                    .ok_or(Stop::Singular)?
            }
        };
        Ok(work.constant - gain)
    }

    fn in_f64(&self, row: u32, x: &mut [f32], regularization: f64) -> Option<f64> {
        let factors = self.eigenvalues.len();
        let (mut a, mut b) = (vec![0.0; factors * factors], vec![0.0; factors]);
        for (at, value) in a.iter_mut().step_by(factors + 1).zip(self.eigenvalues) {
            *at = self.weighting.unobserved() * value + regularization;
        }
        let (columns, weights) = self.matrix.row(row);
        for (&column, &weight) in columns.iter().zip(weights) {
            if let Some(entry) = self.weighting.entry(weight) {
                let y = fixed_row(self.fixed, column, x.len());
                let y = y.iter().map(|&y| f64::from(y));
                fold_in::add_entry(&mut a, &mut b, &entry, y);
            }
        }
        let linear = b.clone();
        if !cholesky::solve_f64(&mut a, &mut b) {
            return None;
        }
        x.fill(0.0);
        for (x, &solved) in x.iter_mut().zip(&b) {
            *x = solved as f32;
        }
        Some(linear.iter().zip(&b).map(|(l, x)| l * x).sum())
    }
}

fn fixed_row(fixed: &[f32], row: u32, width: usize) -> &[f32] {
    let begin = row as usize * width;
    fixed.get(begin..begin + width).unwrap_or_default()
}

/// What one row needs, used again for the next.
struct Workspace {
    width: usize,
    rows: Vec<u32>,
    /// w and l of the entries.
    quadratic: Vec<f32>,
    linear: Vec<f32>,
    /// The part of the objective that does not depend on x.
    constant: f64,
    regularization: f64,
    /// The diagonal of the base; 1 past the last factor.
    base: Vec<f32>,
    gathered: Vec<f32>,
    other: Vec<f32>,
    system: Vec<f32>,
    vectors: Vec<f32>,
}

impl Workspace {
    fn new(width: usize) -> Self {
        Self {
            width,
            rows: Vec::new(),
            quadratic: Vec::new(),
            linear: Vec::new(),
            constant: 0.0,
            regularization: 0.0,
            base: vec![1.0; width],
            gathered: Vec::new(),
            other: Vec::new(),
            system: Vec::new(),
            vectors: Vec::new(),
        }
    }

    fn begin(&mut self, step: &HalfStep<'_>, row: u32) {
        self.rows.clear();
        self.quadratic.clear();
        self.linear.clear();
        self.constant = 0.0;
        let (columns, weights) = step.matrix.row(row);
        for (&column, &weight) in columns.iter().zip(weights) {
            if let Some(entry) = step.weighting.entry(weight) {
                self.rows.push(column);
                self.quadratic.push(entry.quadratic as f32);
                self.linear.push(entry.linear as f32);
                self.constant += entry.constant;
            }
        }
        let weighting = &step.weighting;
        self.regularization = weighting.row_regularization(self.rows.len(), step.matrix.columns());
        for (base, value) in self.base.iter_mut().zip(step.eigenvalues) {
            *base = (weighting.unobserved() * value + self.regularization) as f32;
        }
    }

    /// The smaller system pays up to here (measured), and needs weights that can be divided by.
    fn suits_dual(&self) -> bool {
        self.rows.len() <= self.width && self.quadratic.iter().all(|&w| w >= 1e-3)
    }

    /// (I + G Gᵀ) t = r, x = base^(−1/2) Gᵀ t, where row i of G is √wᵢ base^(−1/2) yᵢ and rᵢ = lᵢ / √wᵢ. Gives bᵀx.
    fn dual(&mut self, step: &HalfStep<'_>, x: &mut [f32]) -> Option<f64> {
        let (width, n) = (self.width, self.rows.len());
        let stride = padded(n);
        self.vectors.clear();
        self.vectors.resize(width + 2 * stride, 0.0);
        let (scale, rest) = self.vectors.split_at_mut(width);
        let (r, t) = rest.split_at_mut(stride);
        for (scale, base) in scale.iter_mut().zip(&self.base) {
            *scale = 1.0 / base.sqrt();
        }
        self.gathered.clear();
        self.other.clear();
        self.other.resize(width * stride, 0.0);
        for (i, (&row, &w)) in self.rows.iter().zip(&self.quadratic).enumerate() {
            let root = w.sqrt();
            let y = fixed_row(step.fixed, row, width).iter().zip(&*scale);
            self.gathered.extend(y.map(|(y, scale)| y * (scale * root)));
            let scaled = self.gathered.get(i * width..).unwrap_or_default();
            for (column, &number) in self.other.chunks_exact_mut(stride).zip(scaled) {
                if let Some(at) = column.get_mut(i) {
                    *at = number;
                }
            }
        }
        for ((r, l), w) in r.iter_mut().zip(&self.linear).zip(&self.quadratic) {
            *r = l / w.sqrt();
        }
        t.copy_from_slice(r);
        self.system.clear();
        self.system.resize(n * stride, 0.0);
        for one in self.system.iter_mut().step_by(stride + 1) {
            *one = 1.0;
        }
        let shape = Shape {
            rows: n,
            columns: stride,
            depth: width,
        };
        let left = Left {
            numbers: &self.gathered,
            row: width,
            step: 1,
        };
        let right = Right {
            numbers: &self.other,
            row: stride,
        };
        add_product(
            step.level,
            shape,
            left,
            right,
            Part::Upper,
            &mut self.system,
            stride,
        );
        if !cholesky::solve(step.level, &mut self.system, stride, n, t) {
            return None;
        }
        x.fill(0.0);
        let shape = Shape {
            rows: 1,
            columns: width,
            depth: n,
        };
        let left = Left {
            numbers: t,
            row: n,
            step: 1,
        };
        let right = Right {
            numbers: &self.gathered,
            row: width,
        };
        add_product(step.level, shape, left, right, Part::All, x, width);
        for (x, scale) in x.iter_mut().zip(&*scale) {
            *x *= scale;
        }
        // bᵀx = rᵀ G Gᵀ t = rᵀ(r − t).
        let gain = r.iter().zip(&*t);
        let gain = gain.map(|(&r, &t)| f64::from(r) * (f64::from(r) - f64::from(t)));
        Some(gain.sum())
    }

    /// A x = b as it stands. Gives bᵀx.
    fn primal(&mut self, step: &HalfStep<'_>, x: &mut [f32]) -> Result<Option<f64>, Stop> {
        let (width, factors) = (self.width, step.eigenvalues.len());
        self.system.clear();
        self.system.resize(width * width, 0.0);
        for (at, base) in self.system.iter_mut().step_by(width + 1).zip(&self.base) {
            *at = *base;
        }
        x.fill(0.0);
        let blocks = self
            .rows
            .chunks(GATHERED)
            .zip(self.quadratic.chunks(GATHERED));
        for ((rows, quadratic), linear) in blocks.zip(self.linear.chunks(GATHERED)) {
            if (step.cancelled)() {
                return Err(Stop::Cancelled);
            }
            self.gathered.clear();
            self.other.clear();
            for (&row, &w) in rows.iter().zip(quadratic) {
                let y = fixed_row(step.fixed, row, width);
                self.gathered.extend_from_slice(y);
                self.other.extend(y.iter().map(|y| w * y));
            }
            let depth = rows.len();
            let right = Right {
                numbers: &self.gathered,
                row: width,
            };
            let left = Left {
                numbers: &self.other,
                row: 1,
                step: width,
            };
            let shape = Shape {
                rows: factors,
                columns: width,
                depth,
            };
            add_product(
                step.level,
                shape,
                left,
                right,
                Part::Upper,
                &mut self.system,
                width,
            );
            let left = Left {
                numbers: linear,
                row: depth,
                step: 1,
            };
            let shape = Shape {
                rows: 1,
                columns: width,
                depth,
            };
            add_product(step.level, shape, left, right, Part::All, x, width);
        }
        self.vectors.clear();
        self.vectors.extend_from_slice(x);
        if !cholesky::solve(step.level, &mut self.system, width, factors, x) {
            return Ok(None);
        }
        let gain = self.vectors.iter().zip(&*x);
        Ok(Some(gain.map(|(&b, &x)| f64::from(b) * f64::from(x)).sum()))
    }

    /// Some steps from the x that is there, preconditioned by the base. Gives bᵀx + rᵀx, by which the
    /// objective falls short of its constant.
    fn conjugate_gradient(&mut self, step: &HalfStep<'_>, steps: u32, x: &mut [f32]) -> f64 {
        let width = self.width;
        self.vectors.clear();
        self.vectors.resize(3 * width, 0.0);
        let (r, rest) = self.vectors.split_at_mut(width);
        let (p, q) = rest.split_at_mut(width);
        // r = Σ (l − w yᵀx) y − base x
        self.other.clear();
        self.other.extend(self.quadratic.iter().map(|w| -w));
        for ((r, x), base) in r.iter_mut().zip(&*x).zip(&self.base) {
            *r = -base * x;
        }
        let (level, fixed) = (step.level, step.fixed);
        let start = add_weighted(level, fixed, &self.rows, &self.linear, &self.other, x, r);
        let mut gain = start + f64::from(dot(r, x));
        self.other.fill(0.0);
        for ((p, r), base) in p.iter_mut().zip(&*r).zip(&self.base) {
            *p = r / base;
        }
        let mut rho = dot(r, p);
        let enough = rho * 1e-12;
        for _ in 0..steps {
            if rho <= enough {
                break;
            }
            for ((q, p), base) in q.iter_mut().zip(&*p).zip(&self.base) {
                *q = base * p;
            }
            add_weighted(level, fixed, &self.rows, &self.other, &self.quadratic, p, q);
            let length = rho / dot(p, q);
            gain += f64::from(length) * f64::from(rho);
            for ((x, r), (p, q)) in x.iter_mut().zip(&mut *r).zip(p.iter().zip(&*q)) {
                *x += length * p;
                *r -= length * q;
            }
            for ((q, r), base) in q.iter_mut().zip(&*r).zip(&self.base) {
                *q = r / base;
            }
            let next = dot(r, q);
            let turn = next / rho;
            for (p, q) in p.iter_mut().zip(&*q) {
                *p = *q + turn * *p;
            }
            rho = next;
        }
        gain
    }
}

/// Sixteen sums side by side, so that the machine can keep them in one register.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let (left, _) = left.as_chunks::<LANES>();
    let (right, _) = right.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (left, right) in left.iter().zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
        }
    }
    sums.iter().sum()
}

/// YᵀY of rows `width` long, of the first `factors` columns, by rows; pieces are summed in `f64`. Once stopped it means
/// nothing.
pub(super) fn gram(
    level: Level,
    rows: &[f32],
    width: usize,
    factors: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Vec<f64> {
    let mut gram = sum_chunks(
        rows.len() / width.max(1),
        |range| {
            let piece = rows.get(range.start * width..range.end * width);
            let piece = piece.unwrap_or_default();
            let mut products = vec![0.0; factors * width];
            if stop() {
                return vec![0.0; factors * factors];
            }
            let shape = Shape {
                rows: factors,
                columns: width,
                depth: range.len(),
            };
            let left = Left {
                numbers: piece,
                row: 1,
                step: width,
            };
            let right = Right {
                numbers: piece,
                row: width,
            };
            add_product(level, shape, left, right, Part::Upper, &mut products, width);
            let kept = products
                .chunks_exact(width)
                .flat_map(|row| row.iter().take(factors));
            kept.map(|&number| f64::from(number)).collect::<Vec<f64>>()
        },
        |mut left, right| {
            for (left, right) in left.iter_mut().zip(right) {
                *left += right;
            }
            left
        },
    );
    // The upper half was computed.
    for row in 0..factors {
        for column in 0..row {
            let mirrored = gram.get(column * factors + row).copied();
            if let (Some(at), Some(mirrored)) = (gram.get_mut(row * factors + column), mirrored) {
                *at = mirrored;
            }
        }
    }
    gram
}

/// Eigenvalues, descending and not negative, and their vectors as the columns of a matrix, by rows `width` long.
pub(super) fn principal_axes(gram: &[f64], width: usize, factors: usize) -> (Vec<f64>, Vec<f32>) {
    let eigen = SymmetricEigen::new(DMatrix::from_row_slice(factors, factors, gram));
    let value = |at: usize| eigen.eigenvalues.get(at).copied().unwrap_or(0.0);
    let mut order: Vec<usize> = (0..factors).collect();
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    let mut axes = vec![0.0; factors * width];
    for (row, numbers) in axes.chunks_exact_mut(width).enumerate() {
        for (number, &column) in numbers.iter_mut().zip(&order) {
            let part = eigen.eigenvectors.get((row, column));
            *number = part.map_or(0.0, |&part| part as f32);
        }
    }
    (order.iter().map(|&at| value(at).max(0.0)).collect(), axes)
}

/// Expresses rows in other axes, in place, until it is stopped.
pub(super) fn rotate(
    level: Level,
    rows: &mut [f32],
    width: usize,
    axes: &[f32],
    stop: &(dyn Fn() -> bool + Sync),
) {
    let factors = axes.len() / width.max(1);
    let write = |_, rows: &mut [f32]| {
        if stop() {
            return;
        }
        let mut turned = vec![0.0; rows.len()];
        let shape = Shape {
            rows: rows.len() / width,
            columns: width,
            depth: factors,
        };
        let left = Left {
            numbers: rows,
            row: width,
            step: 1,
        };
        let right = Right {
            numbers: axes,
            row: width,
        };
        add_product(level, shape, left, right, Part::All, &mut turned, width);
        rows.copy_from_slice(&turned);
    };
    write_rows(rows, width, PIECE, write, |(), ()| ());
}
