//! Factors of the items, laid out so that many of them are scored at once.

use crate::numeric::lanes::Level;
use crate::numeric::tiles::{Left, Part, Right, Shape, add_product};

/// Items that lie together; at 64 factors they fill the first cache.
pub(super) const PANEL: usize = 128;

/// Rows of factors in panels: for each panel, for each factor, the numbers of its [`PANEL`] rows (0 past the last).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panels {
    rows: u32,
    factors: usize,
    numbers: Vec<f32>,
}

impl Panels {
    /// Of rows that are `factors` long, or longer by what is left out.
    pub(super) fn new<'a>(factors: usize, rows: impl ExactSizeIterator<Item = &'a [f32]>) -> Self {
        let count = rows.len();
        let mut numbers = vec![0.0; count.div_ceil(PANEL) * PANEL * factors];
        for (at, row) in rows.enumerate() {
            let begin = at / PANEL * PANEL * factors + at % PANEL;
            let places = numbers.iter_mut().skip(begin).step_by(PANEL);
            for (place, &number) in places.zip(row.iter().take(factors)) {
                *place = number;
            }
        }
        Self {
            rows: count as u32,
            factors,
            numbers,
        }
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    pub(super) fn factors(&self) -> usize {
        self.factors
    }

    /// A row's numbers; none for one that is not there.
    pub(super) fn row(&self, row: u32) -> impl Iterator<Item = f32> + Clone {
        let at = row as usize;
        let begin = at / PANEL * PANEL * self.factors + at % PANEL;
        let known = if row < self.rows { self.factors } else { 0 };
        let numbers = self.numbers.get(begin..).unwrap_or_default();
        numbers.iter().step_by(PANEL).take(known).copied()
    }

    /// A panel's numbers; none of one that is not there.
    pub(super) fn panel(&self, number: usize) -> &[f32] {
        let length = PANEL * self.factors;
        let begin = number * length;
        self.numbers.get(begin..begin + length).unwrap_or_default()
    }

    /// Each panel's first row, and its numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[f32])> {
        let panels = self.numbers.chunks_exact((PANEL * self.factors).max(1));
        (0..self.rows).step_by(PANEL).zip(panels)
    }

    /// The products of `vectors` (by rows of `factors`) with a panel's rows, [`PANEL`] for each vector.
    pub(super) fn products(&self, level: Level, panel: &[f32], vectors: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        let shape = Shape {
            rows: vectors.len() / self.factors.max(1),
            columns: PANEL,
            depth: self.factors,
        };
        let left = Left {
            numbers: vectors,
            row: self.factors,
            step: 1,
        };
        let right = Right {
            numbers: panel,
            row: PANEL,
        };
        add_product(level, shape, left, right, Part::All, out, PANEL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_their_products_are_theirs() {
        let rows: Vec<Vec<f32>> = (0..300).map(|i| vec![i as f32, 1.0, -2.0, 99.0]).collect();
        let panels = Panels::new(3, rows.iter().map(Vec::as_slice));
        assert_eq!(panels.rows(), 300);
        assert!(panels.row(299).eq([299.0, 1.0, -2.0]));
        assert_eq!(panels.row(300).count(), 0);
        let mut scores = Vec::new();
        for (first, panel) in panels.iter() {
            assert_eq!(first as usize, scores.len());
            let mut out = [0.0; 2 * PANEL];
            panels.products(
                Level::detect(),
                panel,
                &[1.0, 0.5, 0.0, 0.0, 0.0, 1.0],
                &mut out,
            );
            scores.extend_from_slice(&out[..PANEL]);
            assert!(
                out[PANEL..]
                    .iter()
                    .zip(first..300)
                    .all(|(&score, _)| score == -2.0)
            );
        }
        assert!(
            scores
                .iter()
                .take(300)
                .enumerate()
                .all(|(i, &score)| score == i as f32 + 0.5)
        );
    }

    #[test]
    fn no_rows_have_no_panels() {
        let panels = Panels::new(3, std::iter::empty::<&[f32]>());
        assert_eq!((panels.rows(), panels.iter().count()), (0, 0));
    }
}
