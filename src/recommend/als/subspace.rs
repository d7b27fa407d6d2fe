//! iALS++: some factors of a row at a time.

use super::solve::{GATHERED, HalfStep, Stop, Workspace, dot, fixed_row};
use crate::numeric::cholesky;
use crate::numeric::lanes::padded;
use crate::numeric::tiles::{Left, Part, Right, Shape, add_product};

impl Workspace {
    /// Blocks pay for rows of more entries than the dual system is worth, and for those that it does not suit.
    pub(super) fn suits_subspace(&self, block: u32) -> bool {
        let (n, d) = (self.rows.len(), self.width);
        let block = padded(block as usize).min(d);
        // n² d / 2 + n³ / 6 operations against n d block / 2 + d block² / 6, and 2 n d for the scores.
        !self.suits_dual()
            || n * n * d + n * n * n / 3 > d * (n * block + block * block / 3 + 4 * n)
    }

    /// One Newton step in each block of factors, the others as they are (Rendle et al. 2021, algorithm 2), from
    /// the x that is there. As the base is diagonal, blocks meet in the entries' scores alone. Gives bᵀx + rᵀx.
    pub(super) fn subspace(
        &mut self,
        step: &HalfStep<'_>,
        block: u32,
        x: &mut [f32],
    ) -> Result<Option<f64>, Stop> {
        let (width, n) = (self.width, self.rows.len());
        let block = padded(block as usize).min(width);
        // The entries' scores, and what a block's step adds to each factor.
        self.vectors.clear();
        self.vectors.resize(n + block, 0.0);
        let (scores, change) = self.vectors.split_at_mut(n);
        for (score, &row) in scores.iter_mut().zip(&self.rows) {
            *score = dot(fixed_row(step.fixed, row, width), x);
        }
        for begin in (0..width).step_by(block) {
            let end = (begin + block).min(width);
            let (change, base) = (change.get_mut(..end - begin), self.base.get(begin..end));
            let (Some(change), Some(base), Some(x)) = (change, base, x.get_mut(begin..end)) else {
                continue;
            };
            self.system.clear();
            self.system.resize(change.len() * change.len(), 0.0);
            let diagonal = self.system.iter_mut().step_by(change.len() + 1);
            for (((at, change), base), x) in diagonal.zip(&mut *change).zip(base).zip(&*x) {
                (*at, *change) = (*base, -base * x);
            }
            for from in (0..n).step_by(GATHERED) {
                if (step.cancelled)() {
                    return Err(Stop::Cancelled);
                }
                let part = from..(from + GATHERED).min(n);
                self.gathered.clear();
                self.other.clear();
                let weights = self.quadratic.get(part.clone()).unwrap_or_default();
                let rows = self.rows.get(part.clone()).unwrap_or_default();
                for (&row, &w) in rows.iter().zip(weights) {
                    let y = fixed_row(step.fixed, row, width).get(begin..end);
                    let y = y.unwrap_or_default();
                    self.gathered.extend_from_slice(y);
                    self.other.extend(y.iter().map(|y| w * y));
                }
                let shape = Shape {
                    rows: change.len(),
                    columns: change.len(),
                    depth: rows.len(),
                };
                let left = Left {
                    numbers: &self.other,
                    row: 1,
                    step: change.len(),
                };
                let right = Right {
                    numbers: &self.gathered,
                    row: change.len(),
                };
                let (level, system) = (step.level, &mut self.system);
                add_product(level, shape, left, right, Part::Upper, system, change.len());
                // The gradient: Σ (l − w s) y − base x.
                let linear = self.linear.get(part.clone()).unwrap_or_default();
                let scores = scores.get(part).unwrap_or_default();
                self.other.clear();
                let rests = linear.iter().zip(weights).zip(scores);
                self.other.extend(rests.map(|((l, w), s)| l - w * s));
                let shape = Shape { rows: 1, ..shape };
                let left = Left {
                    numbers: &self.other,
                    row: rows.len(),
                    step: 1,
                };
                add_product(level, shape, left, right, Part::All, change, change.len());
            }
            let solved = cholesky::solve(
                step.level,
                &mut self.system,
                change.len(),
                change.len(),
                change,
            );
            if !solved {
                return Ok(None);
            }
            for (x, change) in x.iter_mut().zip(&*change) {
                *x += change;
            }
            for (score, &row) in scores.iter_mut().zip(&self.rows) {
                let y = fixed_row(step.fixed, row, width).get(begin..end);
                *score += dot(y.unwrap_or_default(), change);
            }
        }
        // 2 bᵀx − xᵀAx.
        let entries = scores.iter().zip(&self.quadratic).zip(&self.linear);
        let taken = entries.map(|((&s, &w), &l)| {
            let s = f64::from(s);
            (2.0 * f64::from(l) - f64::from(w) * s) * s
        });
        let kept = x.iter().zip(&self.base);
        let kept = kept.map(|(&x, &base)| f64::from(base) * f64::from(x) * f64::from(x));
        Ok(Some(taken.sum::<f64>() - kept.sum::<f64>()))
    }
}
