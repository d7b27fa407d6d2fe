//! Purchases sorted by customer: one column and where each customer's run in it ends.

use super::timeline::Purchase;

/// For each customer the run of its entries, ascending by period; of a period first the purchases
/// (amount not negative), then the refunds (amount negative), each added up.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Runs {
    /// Where each customer's run ends; it begins where the one before ends.
    ends: Vec<usize>,
    entries: Vec<Purchase>,
}

impl Runs {
    pub(super) fn empty() -> Self {
        Self {
            ends: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Sorts entries by customer (a counting sort), then each run by period, and adds up.
    ///
    /// `keys` are the customers of `rows`, in the same order, each below `customers`.
    pub(super) fn build(
        customers: usize,
        keys: impl Iterator<Item = u32>,
        rows: impl Iterator<Item = (u32, Purchase)>,
    ) -> Self {
        // Slot c + 1 counts customer c, so that the running sum leaves in slot c where its run
        // begins, and filling the run moves that to where it ends.
        let mut ends = vec![0_usize; customers + 1];
        for customer in keys {
            if let Some(count) = ends.get_mut(customer as usize + 1) {
                *count += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        let mut entries = vec![Purchase::NONE; total];
        for (customer, entry) in rows {
            if let Some(next) = ends.get_mut(customer as usize) {
                if let Some(slot) = entries.get_mut(*next) {
                    *slot = entry;
                }
                *next += 1;
            }
        }
        ends.pop();
        let mut runs = Self { ends, entries };
        runs.rewrite(add_up);
        runs
    }

    pub(super) fn customers(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn of(&self, customer: usize) -> &[Purchase] {
        let Some(&end) = self.ends.get(customer) else {
            return &[];
        };
        let begin = customer.checked_sub(1).and_then(|c| self.ends.get(c));
        self.entries
            .get(begin.copied().unwrap_or(0)..end)
            .unwrap_or_default()
    }

    /// The runs of all customers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[Purchase]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| {
            let run = self.entries.get(begin..end).unwrap_or_default();
            begin = end;
            run
        })
    }

    /// All entries with their customers.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, Purchase)> {
        (0..)
            .zip(self.iter())
            .flat_map(|(customer, run)| run.iter().map(move |&entry| (customer, entry)))
    }

    /// Lets `shorten` rework every run in place; it returns how many entries of the run to keep.
    pub(super) fn rewrite(&mut self, mut shorten: impl FnMut(&mut [Purchase]) -> usize) {
        let (mut begin, mut kept) = (0, 0);
        for end in &mut self.ends {
            let length = self.entries.get_mut(begin..*end).map_or(0, &mut shorten);
            if kept != begin {
                self.entries.copy_within(begin..begin + length, kept);
            }
            begin = *end;
            kept += length;
            *end = kept;
        }
        self.entries.truncate(kept);
    }
}

/// Sorts a run and adds up the amounts that share a period and a sign; sums stay in range, where
/// the end of the range stands for everything past it.
fn add_up(run: &mut [Purchase]) -> usize {
    let key = |entry: &Purchase| (entry.period, entry.amount_minor < 0);
    run.sort_unstable_by_key(key);
    let mut length = 0_usize;
    for at in 0..run.len() {
        let entry = run[at];
        match length.checked_sub(1).map(|last| &mut run[last]) {
            Some(last) if key(last) == key(&entry) => {
                last.amount_minor = last.amount_minor.saturating_add(entry.amount_minor);
            }
            _ => {
                run[length] = entry;
                length += 1;
            }
        }
    }
    length
}
