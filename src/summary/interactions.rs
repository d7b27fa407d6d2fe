//! Which customer took which item, how much: the matrix that recommendations are learnt from.

use serde::{Deserialize, Serialize};

use super::{Summary, check_table};
use crate::error::DataError;
use crate::event::Interactions;

/// Who took what, mergeable.
///
/// Rows of one customer and item add up when the summary is read, exactly and in an order of their
/// own, so that neither the order of the rows nor their split shows in the last digit.
///
/// ```
/// use tenure::event::{Interactions, Timestamp};
/// use tenure::summary::InteractionSummary;
///
/// let now = Timestamp::from_civil(2024, 5, 1)?;
/// let (log, customers, items) = Interactions::from_rows([
///     ("ann", "tea", 1.0, now), ("bob", "tea", 2.5, now), ("ann", "tea", 1.0, now), ("ann", "jam", 1.0, now),
/// ])?;
/// let matrix = InteractionSummary::collect(&log)?.matrix();
/// let ann = customers.get("ann").unwrap();
/// let (tea, jam) = (items.get("tea").unwrap(), items.get("jam").unwrap());
/// assert_eq!(matrix.row(ann), (&[tea, jam][..], &[2.0, 1.0][..]));
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// 24 bytes a distinct triple of customer, item and weight; sorting them when it is read.
#[derive(Debug, Clone, Default)]
pub struct InteractionSummary {
    customers: u32,
    items: u32,
    /// Ascending and distinct.
    settled: Vec<Row>,
    /// Not yet so.
    pending: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    customer: u32,
    item: u32,
    /// Of a weight that is not negative: their order is that of the weights.
    weight_bits: u32,
    times: u64,
}

impl Row {
    fn key(&self) -> (u32, u32, u32) {
        (self.customer, self.item, self.weight_bits)
    }
}

impl InteractionSummary {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The summary of a whole log.
    ///
    /// # Errors
    /// [`DataError::TooLarge`] when the log claims more customers or items than
    /// [`TABLE_BYTES_MAX`](super::TABLE_BYTES_MAX) has room for.
    pub fn collect(log: &Interactions) -> Result<Self, DataError> {
        check_numbers(log.customers(), log.items())?;
        let rows = log.customer().iter().zip(log.item()).zip(log.weight());
        let pending = rows.map(|((&customer, &item), &weight)| row(customer, item, weight));
        let mut summary = Self {
            customers: log.customers(),
            items: log.items(),
            settled: Vec::new(),
            pending: pending.collect(),
        };
        summary.settle();
        Ok(summary)
    }

    /// Adds one row.
    ///
    /// # Errors
    /// [`DataError::Value`] for a weight that is negative, NaN or infinite, [`DataError::TooLarge`]
    /// for a number beyond the bound of [`TABLE_BYTES_MAX`](super::TABLE_BYTES_MAX). The summary is
    /// then as before.
    pub fn push(&mut self, customer: u32, item: u32, weight: f32) -> Result<(), DataError> {
        if !(weight.is_finite() && weight >= 0.0) {
            return Err(DataError::Value {
                row: 1,
                column: "weight".to_owned(),
                value: weight.to_string(),
                expected: "a finite number that is not negative",
            });
        }
        let customers = self.customers.max(customer.saturating_add(1));
        let items = self.items.max(item.saturating_add(1));
        check_numbers(customers, items)?;
        (self.customers, self.items) = (customers, items);
        self.pending.push(row(customer, item, weight));
        if self.pending.len() > 1_024.max(self.settled.len()) {
            self.settle();
        }
        Ok(())
    }

    /// Adds all that another summary holds.
    pub fn merge(&mut self, other: Self) {
        self.customers = self.customers.max(other.customers);
        self.items = self.items.max(other.items);
        self.pending.extend(other.settled);
        self.pending.extend(other.pending);
        self.settle();
    }

    /// Rows as a matrix: the weights of each customer and item added up and rounded once.
    pub fn matrix(&self) -> InteractionMatrix {
        let unsettled;
        let rows = if self.pending.is_empty() {
            &self.settled
        } else {
            unsettled = self.settled();
            &unsettled
        };
        let mut matrix = Builder::new(self.customers, self.items, rows.len());
        for same in rows.chunk_by(|a, b| (a.customer, a.item) == (b.customer, b.item)) {
            // In ascending order of the weight, which is an order of the summary's own.
            let weights = same.iter().map(|row| {
                let weight = f64::from(f32::from_bits(row.weight_bits));
                weight * row.times as f64
            });
            let sum: f64 = weights.sum();
            if let Some(first) = same.first() {
                let most = f64::from(f32::MAX);
                matrix.push(first.customer, first.item, sum.min(most) as f32);
            }
        }
        matrix.finish()
    }

    fn settled(&self) -> Vec<Row> {
        let mut rows = [self.settled.as_slice(), self.pending.as_slice()].concat();
        rows.sort_unstable();
        rows.dedup_by(|next, kept| {
            let same = next.key() == kept.key();
            if same {
                kept.times += next.times;
            }
            same
        });
        rows
    }

    fn settle(&mut self) {
        self.settled = self.settled();
        self.pending.clear();
    }
}

fn row(customer: u32, item: u32, weight: f32) -> Row {
    Row {
        customer,
        item,
        // A negative zero is a zero.
        weight_bits: (weight + 0.0).to_bits(),
        times: 1,
    }
}

fn check_numbers(customers: u32, items: u32) -> Result<(), DataError> {
    let slot = size_of::<usize>() as u64;
    check_table("table of customers", customers, slot)?;
    check_table("table of items", items, slot)
}

impl PartialEq for InteractionSummary {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |summary: &Self| (summary.customers, summary.items);
        numbers(self) == numbers(other) && self.settled() == other.settled()
    }
}

impl Summary for InteractionSummary {
    type Fact = (u32, u32, f32);

    fn empty(&self) -> Self {
        Self::new()
    }

    fn push_fact(&mut self, (customer, item, weight): Self::Fact) -> Result<(), DataError> {
        self.push(customer, item, weight)
    }

    fn merge(&mut self, other: Self) -> Result<(), DataError> {
        Self::merge(self, other);
        Ok(())
    }
}

/// Customers by items, sparse: for each customer the items taken, ascending, and their weights.
///
/// Compressed sparse rows; [`transposed`](Self::transposed) has a row for each item instead. A weight of 0
/// is a row that was seen, and stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SavedMatrix")]
pub struct InteractionMatrix {
    columns: u32,
    /// Where each row ends; it begins where the one before ends.
    ends: Vec<usize>,
    column: Vec<u32>,
    weight: Vec<f32>,
}

impl InteractionMatrix {
    /// How many rows: customers (items once transposed).
    pub fn rows(&self) -> u32 {
        self.ends.len() as u32
    }

    /// How many columns: items (customers once transposed).
    pub fn columns(&self) -> u32 {
        self.columns
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.column.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.column.is_empty()
    }

    /// The columns of a row, ascending, and their weights; nothing for a row that is not there.
    pub fn row(&self, row: u32) -> (&[u32], &[f32]) {
        let row = row as usize;
        let end = self.ends.get(row).copied().unwrap_or(0);
        let begin = row.checked_sub(1).and_then(|before| self.ends.get(before));
        let range = begin.copied().unwrap_or(0)..end;
        (
            self.column.get(range.clone()).unwrap_or_default(),
            self.weight.get(range).unwrap_or_default(),
        )
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u32], &[f32])> {
        (0..self.rows()).map(|row| self.row(row))
    }

    /// The entries that `keep` says yes to, by row and column; as many rows and columns as before.
    pub fn filtered(&self, keep: impl Fn(u32, u32) -> bool) -> Self {
        let mut kept = Self {
            columns: self.columns,
            ends: Vec::with_capacity(self.ends.len()),
            column: Vec::new(),
            weight: Vec::new(),
        };
        for (row, (columns, weights)) in (0..).zip(self.iter()) {
            let entries = columns.iter().zip(weights);
            for (&column, &weight) in entries.filter(|(column, _)| keep(row, **column)) {
                kept.column.push(column);
                kept.weight.push(weight);
            }
            kept.ends.push(kept.column.len());
        }
        kept
    }

    /// The same entries, with at least so many columns.
    pub(crate) fn with_columns(&self, columns: u32) -> Self {
        Self {
            columns: self.columns.max(columns),
            ..self.clone()
        }
    }

    /// Rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        let mut ends = vec![0_usize; self.columns as usize + 1];
        for &column in &self.column {
            if let Some(count) = ends.get_mut(column as usize + 1) {
                *count += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        let (mut column, mut weight) = (vec![0; total], vec![0.0; total]);
        for (row, (columns, weights)) in (0..).zip(self.iter()) {
            for (&at, &value) in columns.iter().zip(weights) {
                if let Some(next) = ends.get_mut(at as usize) {
                    if let (Some(c), Some(w)) = (column.get_mut(*next), weight.get_mut(*next)) {
                        (*c, *w) = (row, value);
                    }
                    *next += 1;
                }
            }
        }
        ends.pop();
        Self {
            columns: self.rows(),
            ends,
            column,
            weight,
        }
    }
}

/// A matrix as it was saved, not checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedMatrix {
    columns: u32,
    ends: Vec<usize>,
    column: Vec<u32>,
    weight: Vec<f32>,
}

impl TryFrom<SavedMatrix> for InteractionMatrix {
    type Error = DataError;

    fn try_from(saved: SavedMatrix) -> Result<Self, DataError> {
        let wrong = |field: &str, value: String, expected| {
            Err(DataError::Field {
                field: field.to_owned(),
                value,
                expected,
            })
        };
        let rows = u32::try_from(saved.ends.len()).unwrap_or(u32::MAX);
        check_numbers(rows, saved.columns)?;
        let entries = saved.ends.last().copied().unwrap_or(0);
        let lengths = (saved.column.len(), saved.weight.len());
        if !saved.ends.is_sorted() || lengths != (entries, entries) {
            let expected = "ascending to the number of columns and of weights";
            return wrong("ends", format!("up to {entries}"), expected);
        }
        let matrix = Self {
            columns: saved.columns,
            ends: saved.ends,
            column: saved.column,
            weight: saved.weight,
        };
        for (columns, weights) in matrix.iter() {
            let ascends = columns.is_sorted_by(|left, right| left < right);
            if !ascends || columns.last().is_some_and(|&last| last >= matrix.columns) {
                let expected = "known columns, ascending in each row";
                return wrong("column", format!("{columns:?}"), expected);
            }
            let bad = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0));
            if let Some(weight) = bad {
                let expected = "a finite number that is not negative";
                return wrong("weight", weight.to_string(), expected);
            }
        }
        Ok(matrix)
    }
}

struct Builder {
    rows: usize,
    matrix: InteractionMatrix,
}

impl Builder {
    fn new(rows: u32, columns: u32, entries: usize) -> Self {
        Self {
            rows: rows as usize,
            matrix: InteractionMatrix {
                columns,
                ends: Vec::with_capacity(rows as usize),
                column: Vec::with_capacity(entries),
                weight: Vec::with_capacity(entries),
            },
        }
    }

    /// Entries come in ascending order.
    fn push(&mut self, row: u32, column: u32, weight: f32) {
        let matrix = &mut self.matrix;
        matrix.ends.resize(row as usize, matrix.column.len());
        matrix.column.push(column);
        matrix.weight.push(weight);
    }

    fn finish(mut self) -> InteractionMatrix {
        let entries = self.matrix.column.len();
        self.matrix.ends.resize(self.rows, entries);
        self.matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[(u32, u32, f32)]) -> InteractionMatrix {
        let mut summary = InteractionSummary::new();
        for &(customer, item, weight) in rows {
            summary.push(customer, item, weight).unwrap();
        }
        summary.matrix()
    }

    #[test]
    fn rows_are_sorted_and_add_up() {
        let matrix = matrix(&[
            (3, 1, 1.0),
            (0, 2, 0.5),
            (3, 0, 2.0),
            (3, 1, 0.25),
            (0, 2, 0.0),
        ]);
        assert_eq!((matrix.rows(), matrix.columns(), matrix.len()), (4, 3, 3));
        assert_eq!(matrix.row(0), (&[2][..], &[0.5][..]));
        assert_eq!(matrix.row(1), (&[][..], &[][..]));
        assert_eq!(matrix.row(3), (&[0, 1][..], &[2.0, 1.25][..]));
        assert_eq!(matrix.row(9), (&[][..], &[][..]));
        assert_eq!(matrix.iter().len(), 4);
    }

    #[test]
    fn a_transposed_matrix_has_every_entry_at_its_mirror_place() {
        let matrix = matrix(&[(3, 1, 1.0), (0, 2, 0.5), (3, 0, 2.0), (1, 1, 4.0)]);
        let transposed = matrix.transposed();
        assert_eq!((transposed.rows(), transposed.columns()), (3, 4));
        assert_eq!(transposed.row(0), (&[3][..], &[2.0][..]));
        assert_eq!(transposed.row(1), (&[1, 3][..], &[4.0, 1.0][..]));
        assert_eq!(transposed.transposed(), matrix);
    }

    #[test]
    fn a_saved_matrix_is_read_back_and_a_damaged_one_refused() {
        let matrix = matrix(&[(3, 1, 1.0), (0, 2, 0.5), (3, 0, 2.0)]);
        let saved = serde_json::to_string(&matrix).unwrap();
        assert_eq!(
            serde_json::from_str::<InteractionMatrix>(&saved).unwrap(),
            matrix
        );
        for (from, to, message) in [
            ("[1,1,1,3]", "[1,1,1,4]", "the field `ends`"),
            ("[1,1,1,3]", "[2,1,1,3]", "the field `ends`"),
            ("[2,0,1]", "[2,1,1]", "the field `column`"),
            ("[2,0,1]", "[3,0,1]", "the field `column`"),
            ("0.5", "-0.5", "the field `weight`"),
        ] {
            assert!(saved.contains(from), "{saved}");
            let damaged = saved.replacen(from, to, 1);
            let error = serde_json::from_str::<InteractionMatrix>(&damaged).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }

    #[test]
    fn nothing_is_a_matrix_without_rows() {
        let matrix = InteractionSummary::new().matrix();
        assert!(matrix.is_empty() && matrix.rows() == 0 && matrix.columns() == 0);
        assert_eq!(matrix.transposed(), matrix);
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let mut summary = InteractionSummary::new();
        for weight in [-1.0, f32::NAN, f32::INFINITY] {
            let error = summary.push(0, 0, weight).unwrap_err();
            assert!(error.to_string().contains("column `weight`"), "{error}");
        }
        let error = summary.push(u32::MAX, 0, 1.0).unwrap_err();
        assert!(error.to_string().contains("table of customers"), "{error}");
        assert_eq!(summary, InteractionSummary::new());
    }
}
