//! The cohort matrix and its cells, whose type says whether they are finished.

use serde::{Deserialize, Serialize};

use super::share::Share;
use crate::event::Period;

/// One cell of a [`CohortMatrix`]: how many of a cohort were active, and whether that is final.
///
/// Only a complete cell is comparable with the cells of other cohorts. A partial one grows until
/// its time is over, so that its share is too low today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cell {
    /// Every customer of the cohort was observable for the whole of the cell's offsets.
    Complete {
        /// Customers of the cohort who were active.
        active: u32,
        /// Customers of the cohort.
        size: u32,
    },
    /// The offsets have begun for some customer, but are not over for all.
    Partial {
        /// Customers of the cohort who were active so far.
        active: u32,
        /// Customers of the cohort.
        size: u32,
    },
    /// The observation ended before the offsets began for anybody.
    Unobserved {
        /// Customers of the cohort.
        size: u32,
    },
}

impl Cell {
    /// The retention rate of a complete cell; `None` for the others.
    ///
    /// ```
    /// use tenure::retention::Cell;
    ///
    /// assert_eq!(Cell::Complete { active: 1, size: 4 }.rate(), Some(0.25));
    /// assert_eq!(Cell::Partial { active: 1, size: 4 }.rate(), None);
    /// ```
    pub fn rate(self) -> Option<f64> {
        match self {
            Cell::Complete { active, size } => Share {
                part: active.into(),
                whole: size.into(),
            }
            .rate(),
            Cell::Partial { .. } | Cell::Unobserved { .. } => None,
        }
    }

    /// Customers who were active so far, whether or not that is final.
    pub fn active(self) -> u32 {
        match self {
            Cell::Complete { active, .. } | Cell::Partial { active, .. } => active,
            Cell::Unobserved { .. } => 0,
        }
    }

    /// Customers of the cohort.
    pub fn size(self) -> u32 {
        match self {
            Cell::Complete { size, .. }
            | Cell::Partial { size, .. }
            | Cell::Unobserved { size } => size,
        }
    }

    /// Whether every customer of the cohort was observable for the whole of the cell's offsets.
    pub fn is_complete(self) -> bool {
        matches!(self, Cell::Complete { .. })
    }
}

/// The offsets from a customer's first event that a column of a [`CohortMatrix`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Offsets {
    /// Active at exactly this offset.
    Exactly(u32),
    /// Active at this offset or a later one. The cell is complete as soon as the offset itself is
    /// over: a customer who comes back later still moves it up.
    FromOn(u32),
    /// Active at any offset from the first to the last, both included.
    Between(u32, u32),
}

impl Offsets {
    /// The first offset that counts, and the last that must be over before the cell is complete.
    fn span(self) -> (u32, u32) {
        match self {
            Offsets::Exactly(k) | Offsets::FromOn(k) => (k, k),
            Offsets::Between(first, last) => (first, last),
        }
    }
}

/// The customers whose first event fell into one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort {
    /// The number of that period; see [`Period::label`].
    pub period: i32,
    /// How many customers.
    pub size: u32,
    /// So many offsets (from 0) were over for every customer when the observation ended.
    pub complete_offsets: u32,
    /// So many offsets (from 0) had begun for at least one customer when the observation ended.
    pub begun_offsets: u32,
}

/// How many customers of each cohort were active at each offset from their first event.
///
/// Rows are the cohorts that have customers, by time; columns are [`Offsets`]. Made by
/// [`CohortMatrix::calendar`] and [`CohortMatrix::rolling`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortMatrix {
    period: Period,
    cohorts: Vec<Cohort>,
    columns: Vec<Offsets>,
    /// Row by row; `cohorts.len() * columns.len()` counts.
    active: Vec<u32>,
}

impl CohortMatrix {
    pub(super) fn from_counts(
        period: Period,
        cohorts: Vec<Cohort>,
        columns: Vec<Offsets>,
        active: Vec<u32>,
    ) -> Self {
        debug_assert_eq!(active.len(), cohorts.len() * columns.len());
        Self {
            period,
            cohorts,
            columns,
            active,
        }
    }

    /// The period by which the cohorts are formed.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The rows: cohorts that have customers, by time.
    pub fn cohorts(&self) -> &[Cohort] {
        &self.cohorts
    }

    /// The columns.
    pub fn columns(&self) -> &[Offsets] {
        &self.columns
    }

    /// The cell of a row and a column, or `None` outside the matrix.
    pub fn cell(&self, row: usize, column: usize) -> Option<Cell> {
        let (cohort, offsets) = (self.cohorts.get(row)?, self.columns.get(column)?);
        let active = self.active.get(row * self.columns.len() + column)?;
        Some(cell_of(cohort, *offsets, *active))
    }

    /// Each cohort with its cells.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&Cohort, impl Iterator<Item = Cell>)> {
        // A matrix without columns is never made, so that the chunks are not empty.
        let width = self.columns.len().max(1);
        let counts = self.active.chunks_exact(width);
        self.cohorts.iter().zip(counts).map(|(cohort, counts)| {
            let cells = self.columns.iter().zip(counts);
            (
                cohort,
                cells.map(|(offsets, active)| cell_of(cohort, *offsets, *active)),
            )
        })
    }

    /// For each column the share of active customers over the complete cells alone: the mean of
    /// their rates, weighted by the size of the cohorts. A column without a complete cell has a
    /// whole of 0 and hence no rate.
    pub fn averages(&self) -> Vec<Share> {
        let mut averages = vec![Share::default(); self.columns.len()];
        for (_, cells) in self.rows() {
            for (average, cell) in averages.iter_mut().zip(cells) {
                if let Cell::Complete { active, size } = cell {
                    average.part += u64::from(active);
                    average.whole += u64::from(size);
                }
            }
        }
        averages
    }
}

fn cell_of(cohort: &Cohort, offsets: Offsets, active: u32) -> Cell {
    let (first, last) = offsets.span();
    let size = cohort.size;
    if last < cohort.complete_offsets {
        Cell::Complete { active, size }
    } else if first < cohort.begun_offsets {
        Cell::Partial { active, size }
    } else {
        Cell::Unobserved { size }
    }
}
