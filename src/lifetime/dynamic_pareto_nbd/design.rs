//! The data of a model with time-varying covariates, arranged for passing over them many times.

use std::ops::Range;

use crate::error::{ConfigError, DataError};
use crate::summary::{CovariatePaths, Numbering, PathHistories, Stretch};

/// The most that |γ · z| may be: rates that differ by a factor of e²⁰⁰ either way are none.
const EXPONENT_MAX: f64 = 200.0;

/// Which columns of the paths work on purchases, and which on leaving.
pub(super) struct Columns {
    pub(super) trans: Vec<usize>,
    pub(super) life: Vec<usize>,
}

impl Columns {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a name that the paths do not have, and for one named twice.
    pub(super) fn find<'n>(
        paths: &CovariatePaths,
        trans: impl Iterator<Item = &'n str>,
        life: impl Iterator<Item = &'n str>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            trans: positions("trans", paths, trans)?,
            life: positions("life", paths, life)?,
        })
    }

    fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.trans.iter().chain(&self.life).copied()
    }
}

fn positions<'n>(
    setting: &'static str,
    paths: &CovariatePaths,
    names: impl Iterator<Item = &'n str>,
) -> Result<Vec<usize>, ConfigError> {
    let mut found = Vec::new();
    for name in names {
        let position = paths.position(name).filter(|p| !found.contains(p));
        let position = position.ok_or_else(|| ConfigError::OutOfRange {
            setting,
            value: format!("`{name}`"),
            expected: "the name of one of the covariates, each at most once",
        })?;
        found.push(position);
    }
    Ok(found)
}

/// The factors that covariates put on the rates of purchase and of leaving.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    pub(super) buy: f64,
    pub(super) leave: f64,
}

impl Rates {
    /// The factors of one level of the covariates; `None` beyond all sense.
    pub(super) fn new(
        trans: (&[f64], impl Iterator<Item = f64>),
        life: (&[f64], impl Iterator<Item = f64>),
    ) -> Option<Self> {
        Some(Self {
            buy: factor(trans)?,
            leave: factor(life)?,
        })
    }
}

fn factor((coefficients, values): (&[f64], impl Iterator<Item = f64>)) -> Option<f64> {
    let terms = coefficients.iter().zip(values);
    let exponent: f64 = terms.map(|(coefficient, value)| coefficient * value).sum();
    (exponent.abs() <= EXPONENT_MAX).then(|| exponent.exp())
}

/// A time during which a customer's covariates stay at one level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) length: f64,
    pub(super) level: u32,
}

/// A customer: x, and the segments before and after the last purchase and after the observation.
pub(super) struct Row {
    pub(super) purchases: f64,
    before: Range<usize>,
    after: Range<usize>,
    ahead: Range<usize>,
}

/// Customers as segments of few distinct levels of their covariates.
pub(super) struct Design {
    pub(super) trans: usize,
    pub(super) life: usize,
    pub(super) rows: Vec<Row>,
    segments: Vec<Segment>,
    /// Each level's covariates of the purchases, then those of leaving.
    levels: Vec<f64>,
    /// The sums of the covariates of the purchases over all repeat purchases of all customers.
    pub(super) sums: Vec<f64>,
}

impl Design {
    /// All rows, with nothing ahead.
    ///
    /// # Errors
    /// [`DataError::Uncovered`], which [`PathHistories`] has ruled out.
    pub(super) fn new(data: &PathHistories<'_>, columns: &Columns) -> Result<Self, DataError> {
        Self::of_rows(data, columns, 0..data.histories().len(), 0.0)
    }

    /// Some rows, with what lies ahead of them within a horizon.
    ///
    /// # Errors
    /// [`DataError::Uncovered`] where a customer has no value in the horizon.
    pub(super) fn of_rows(
        data: &PathHistories<'_>,
        columns: &Columns,
        rows: Range<usize>,
        horizon: f64,
    ) -> Result<Self, DataError> {
        let mut levels = Levels::new(columns);
        let mut design = Self {
            trans: columns.trans.len(),
            life: columns.life.len(),
            rows: Vec::with_capacity(rows.len()),
            segments: Vec::new(),
            levels: Vec::new(),
            sums: vec![0.0; columns.trans.len()],
        };
        let histories = data.histories();
        let customers = histories.customer().iter().zip(histories.frequency());
        let customers = customers.enumerate().skip(rows.start).take(rows.len());
        for (row, (&customer, &frequency)) in customers {
            let (before, after) = data.stretches(row);
            let start = design.segments.len();
            for stretch in before {
                let segment = levels.segment(data.paths(), customer, stretch)?;
                design.segments.push(segment);
            }
            // The order before the last purchase does not matter.
            if let Some(before) = design.segments.get_mut(start..) {
                before.sort_unstable_by_key(|segment| segment.level);
            }
            join_equal(&mut design.segments, start);
            let last = design.segments.len();
            for stretch in after {
                let segment = levels.segment(data.paths(), customer, stretch)?;
                design.segments.push(segment);
            }
            join_equal(&mut design.segments, last);
            let end = design.segments.len();
            let mut reached = 0.0;
            for stretch in data.since(data.end()) {
                if reached >= horizon {
                    break;
                }
                let segment = levels.segment(data.paths(), customer, stretch)?;
                reached += segment.length;
                design.segments.push(segment);
            }
            join_equal(&mut design.segments, end);
            design.rows.push(Row {
                purchases: f64::from(frequency),
                before: start..last,
                after: last..end,
                ahead: end..design.segments.len(),
            });
            let sums = data.covariate_sums(row);
            for (sum, &column) in design.sums.iter_mut().zip(&columns.trans) {
                *sum += sums.get(column).copied().unwrap_or_default();
            }
        }
        design.levels = levels.values;
        Ok(design)
    }

    pub(super) fn before(&self, row: &Row) -> &[Segment] {
        self.segments.get(row.before.clone()).unwrap_or_default()
    }

    pub(super) fn after(&self, row: &Row) -> &[Segment] {
        self.segments.get(row.after.clone()).unwrap_or_default()
    }

    /// The last segment may reach beyond the horizon.
    pub(super) fn ahead(&self, row: &Row) -> &[Segment] {
        self.segments.get(row.ahead.clone()).unwrap_or_default()
    }

    /// A level's covariates of the purchases and of leaving.
    pub(super) fn level(&self, level: u32) -> (&[f64], &[f64]) {
        let width = self.trans + self.life;
        let start = level as usize * width;
        let values = self.levels.get(start..start + width).unwrap_or_default();
        values.split_at(self.trans.min(values.len()))
    }

    /// The levels' covariates, level by level.
    pub(super) fn levels(&self) -> impl Iterator<Item = &[f64]> {
        // Without a covariate there is one level of no values.
        self.levels.chunks_exact((self.trans + self.life).max(1))
    }

    /// The factors at each level; `None` when one is beyond all sense.
    pub(super) fn rates(&self, trans: &[f64], life: &[f64]) -> Option<Vec<Rates>> {
        if self.trans + self.life == 0 {
            return Some(vec![Rates {
                buy: 1.0,
                leave: 1.0,
            }]);
        }
        self.levels()
            .map(|values| {
                let (of_trans, of_life) = values.split_at(self.trans);
                Rates::new(
                    (trans, of_trans.iter().copied()),
                    (life, of_life.iter().copied()),
                )
            })
            .collect()
    }
}

/// The distinct levels of the covariates, numbered column by column: a number for the values of the
/// columns so far and that of the next column make the number of both.
struct Levels<'c> {
    columns: &'c Columns,
    pairs: Vec<Numbering<(u32, u64)>>,
    values: Vec<f64>,
    known: u32,
}

impl<'c> Levels<'c> {
    fn new(columns: &'c Columns) -> Self {
        Self {
            columns,
            pairs: columns.all().map(|_| Numbering::new()).collect(),
            values: Vec::new(),
            known: 0,
        }
    }

    fn segment(
        &mut self,
        paths: &CovariatePaths,
        customer: u32,
        stretch: Stretch,
    ) -> Result<Segment, DataError> {
        let mut level = 0;
        for (column, pairs) in self.columns.all().zip(&mut self.pairs) {
            let value = paths.known(column, customer, stretch.period)?;
            level = pairs.number((level, (value + 0.0).to_bits()));
        }
        if level >= self.known {
            self.known = level + 1;
            for column in self.columns.all() {
                self.values
                    .push(paths.known(column, customer, stretch.period)?);
            }
        }
        Ok(Segment {
            length: stretch.length,
            level,
        })
    }
}

/// Joins neighbours of one level, from a place on.
fn join_equal(segments: &mut Vec<Segment>, from: usize) {
    let mut kept = from;
    for at in from..segments.len() {
        let segment = segments[at];
        match segments.get_mut(from..kept).and_then(<[_]>::last_mut) {
            Some(last) if last.level == segment.level => last.length += segment.length,
            _ => {
                segments[kept] = segment;
                kept += 1;
            }
        }
    }
    segments.truncate(kept);
}
