//! Who took what, without how much.

use crate::summary::InteractionMatrix;

/// The entries of a matrix whose weight is positive, by customer and by item.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taken {
    pub(super) customers: Lists,
    pub(super) items: Lists,
}

/// Ascending numbers, row after row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lists {
    /// Where each row ends; it begins where the one before ends.
    ends: Vec<usize>,
    number: Vec<u32>,
}

impl Taken {
    pub(super) fn new(matrix: &InteractionMatrix) -> Self {
        Self {
            customers: Lists::new(matrix),
            items: Lists::new(&matrix.transposed()),
        }
    }
}

impl Lists {
    fn new(matrix: &InteractionMatrix) -> Self {
        let mut lists = Self {
            ends: Vec::with_capacity(matrix.rows() as usize),
            number: Vec::with_capacity(matrix.len()),
        };
        for (columns, weights) in matrix.iter() {
            let row = columns.iter().zip(weights);
            let taken = row.filter(|(_, weight)| **weight > 0.0);
            lists.number.extend(taken.map(|(&column, _)| column));
            lists.ends.push(lists.number.len());
        }
        lists
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// How many numbers there are in all.
    pub(super) fn total(&self) -> usize {
        self.number.len()
    }

    /// A row; nothing for one that is not there.
    pub(super) fn row(&self, row: usize) -> &[u32] {
        let end = self.ends.get(row).copied().unwrap_or(0);
        let begin = row.checked_sub(1).and_then(|before| self.ends.get(before));
        let range = begin.copied().unwrap_or(0)..end;
        self.number.get(range).unwrap_or_default()
    }
}
