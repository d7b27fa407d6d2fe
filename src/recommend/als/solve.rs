//! Half a step: all rows of one side, the other side fixed.
//!
//! A row's system is A x = b with A = base + Σ w y yᵀ and b = Σ l y, where `base` (the unobserved weight times the
//! Gram matrix of the other side, plus the regularisation) is the same for all rows but for a multiple of I.
//! In the basis of the Gram matrix's eigenvectors it is diagonal. Scores do not depend on the basis, hence both
//! sides stay in it, and a row of n < d entries needs a system of n instead of d unknowns (Woodbury).

use std::array;

use super::{Solver, Weighting, fold_in};
use crate::numeric::cholesky;
use crate::numeric::gathered::add_weighted;
use crate::numeric::lanes::{LANES, Level, padded};
use crate::numeric::reduce::write_rows;
use crate::numeric::tiles::{Left, Part, Right, Shape, add_product};
use crate::summary::InteractionMatrix;

/// Rows that one thread solves before it looks for others to help.
const PIECE: usize = 64;
/// Entries that are added to a system at a time; the cancel token is asked as often.
pub(super) const GATHERED: usize = 256;

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
            Solver::Subspace { block } if !work.suits_subspace(block) => work.dual(self, x),
            Solver::Subspace { block } => work.subspace(self, block, x)?,
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

pub(super) fn fixed_row(fixed: &[f32], row: u32, width: usize) -> &[f32] {
    let begin = row as usize * width;
    fixed.get(begin..begin + width).unwrap_or_default()
}

/// What one row needs, used again for the next.
pub(super) struct Workspace {
    pub(super) width: usize,
    pub(super) rows: Vec<u32>,
    /// w and l of the entries.
    pub(super) quadratic: Vec<f32>,
    pub(super) linear: Vec<f32>,
    /// The part of the objective that does not depend on x.
    constant: f64,
    regularization: f64,
    /// The diagonal of the base; 1 past the last factor.
    pub(super) base: Vec<f32>,
    pub(super) gathered: Vec<f32>,
    pub(super) other: Vec<f32>,
    pub(super) system: Vec<f32>,
    pub(super) vectors: Vec<f32>,
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
    pub(super) fn suits_dual(&self) -> bool {
        self.rows.len() <= self.width && self.quadratic.iter().all(|&w| w >= 1e-3)
    }

    /// (I + G Gᵀ) t = r, x = base^(−1/2) Gᵀ t, where row i of G is √wᵢ base^(−1/2) yᵢ and rᵢ = lᵢ / √wᵢ. Gives bᵀx.
    fn dual(&mut self, step: &HalfStep<'_>, x: &mut [f32]) -> Option<f64> {
        let (width, n) = (self.width, self.rows.len());
        let stride = padded(n);
        self.vectors.clear();
        self.vectors.resize(width + 3 * stride, 0.0);
        let (scale, rest) = self.vectors.split_at_mut(width);
        let (r, rest) = rest.split_at_mut(stride);
        let (t, roots) = rest.split_at_mut(stride);
        for (scale, base) in scale.iter_mut().zip(&self.base) {
            *scale = 1.0 / base.sqrt();
        }
        for (root, w) in roots.iter_mut().zip(&self.quadratic) {
            *root = w.sqrt();
        }
        self.other.resize(width * stride, 0.0);
        let blocks = self.rows.chunks(LANES).zip(roots.as_chunks().0);
        for (block, (rows, roots)) in blocks.enumerate() {
            let first = rows.first().copied().unwrap_or(0);
            // Past the last entry any row will do: its root is 0.
            let picked: [&[f32]; LANES] = array::from_fn(|lane| {
                let row = rows.get(lane).copied().unwrap_or(first);
                fixed_row(step.fixed, row, width)
            });
            let other = self.other.get_mut(block * LANES..).unwrap_or_default();
            write_columns(&picked, roots, scale, other, stride);
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
            numbers: &self.other,
            row: 1,
            step: stride,
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
        for (root, t) in roots.iter_mut().zip(&*t) {
            *root *= t;
        }
        // The entries' vectors are still at hand; Gᵀ is only laid out for the product.
        self.gathered.clear();
        self.gathered.resize(n + width, 0.0);
        let (slope, zero) = self.gathered.split_at(n);
        add_weighted(step.level, step.fixed, &self.rows, roots, slope, zero, x);
        for (x, scale) in x.iter_mut().zip(&*scale) {
            *x *= scale * scale;
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

/// Writes sixteen rows as sixteen columns, scaled by row and column: number k of row l to `out[k · stride + l]`.
fn write_columns(
    rows: &[&[f32]; LANES],
    by_row: &[f32; LANES],
    by_column: &[f32],
    out: &mut [f32],
    stride: usize,
) {
    let mut columns = out.chunks_mut(stride);
    for (block, scales) in by_column.as_chunks::<LANES>().0.iter().enumerate() {
        let tile: [&[f32; LANES]; LANES] = rows.map(|row| {
            let (blocks, _) = row.as_chunks::<LANES>();
            blocks.get(block).unwrap_or(&[0.0; LANES])
        });
        for (k, (scale, column)) in scales.iter().zip(&mut columns).enumerate() {
            if let Some(places) = column.first_chunk_mut::<LANES>() {
                for l in 0..LANES {
                    // `k` and `l` are below 16, the lengths of the arrays.
                    places[l] = tile[l][k] * (scale * by_row[l]);
                }
            }
        }
    }
}

/// Sixteen sums side by side, so that the machine can keep them in one register.
pub(super) fn dot(left: &[f32], right: &[f32]) -> f32 {
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
