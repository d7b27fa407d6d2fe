//! How many customers took two items: what item models are learnt from.

use super::{InteractionMatrix, Summary, check_table};
use crate::error::DataError;
use crate::numeric::reduce::sum_chunks;

/// For each pair of items the number of customers who took both, for each item the number who took it: XᵀX of who took what,
/// mergeable.
///
/// Models of items ([`Ease`](crate::recommend::Ease), [`ItemKnn`](crate::recommend::ItemKnn)) need no more to be fitted. Its size is
/// that of the catalogue, however many customers there are; the counts are whole numbers, so that counts merged from parts give the same
/// model as all customers at once.
///
/// The parts must be split *by customer*: who is in two of them is counted as two. When a customer takes something more,
/// [`remove`](Self::remove) the old basket and [`add`](Self::add) the new one.
///
/// ```
/// use tenure::summary::ItemGram;
///
/// let mut shop = ItemGram::new();
/// shop.add(&[0, 1, 2])?;
/// let mut other_shop = ItemGram::new();
/// other_shop.add(&[1, 2])?;
/// other_shop.add(&[2])?;
/// shop.merge(other_shop);
/// assert_eq!((shop.count(1, 2), shop.count(0, 2), shop.count(2, 2)), (2, 1, 3));
/// shop.remove(&[1, 2])?;
/// assert_eq!(shop.count(2, 1), 1);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// 16 bytes a pair that some customer took. A basket of n items is n (n + 1) / 2 pairs.
#[derive(Debug, Clone, Default)]
pub struct ItemGram {
    items: u32,
    /// Ascending and distinct, each count positive.
    settled: Vec<Pair>,
    /// Not yet so.
    pending: Vec<Pair>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    /// At most `right`.
    left: u32,
    right: u32,
    count: u64,
}

impl Pair {
    fn of(left: u32, right: u32) -> Self {
        Self {
            left: left.min(right),
            right: left.max(right),
            count: 1,
        }
    }

    fn key(&self) -> (u32, u32) {
        (self.left, self.right)
    }
}

impl ItemGram {
    /// Of no customer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of all customers of a matrix; entries of weight 0 are left out, other weights do not count.
    pub fn collect(matrix: &InteractionMatrix) -> Self {
        let by_item = matrix.transposed();
        let settled = sum_chunks(
            matrix.columns() as usize,
            |items| {
                let mut counts = vec![0_u64; matrix.columns() as usize];
                let mut pairs = Vec::new();
                for item in items.start as u32..items.end as u32 {
                    count_with(item, matrix, &by_item, &mut counts, &mut pairs);
                }
                pairs
            },
            |mut left, right| {
                left.extend(right);
                left
            },
        );
        Self {
            items: matrix.columns(),
            settled,
            pending: Vec::new(),
        }
    }

    /// Adds a customer who took these items; one that is named twice counts once.
    ///
    /// # Errors
    /// [`DataError::TooLarge`] for an item number beyond the bound of [`TABLE_BYTES_MAX`](super::TABLE_BYTES_MAX). The summary is
    /// then as before.
    pub fn add(&mut self, basket: &[u32]) -> Result<(), DataError> {
        if let Some(&most) = basket.iter().max() {
            self.make_room(most)?;
        }
        self.pending.extend(pairs(basket));
        self.settle_if_due();
        Ok(())
    }

    /// Takes a customer out who was added with these items.
    ///
    /// # Errors
    /// [`DataError::Value`] for items that no customer is left to have taken together. The summary is then as before.
    pub fn remove(&mut self, basket: &[u32]) -> Result<(), DataError> {
        self.settle();
        let mut places = Vec::new();
        for pair in pairs(basket) {
            let place = self.settled.binary_search_by_key(&pair.key(), Pair::key);
            places.push(place.map_err(|_| DataError::Value {
                row: 1,
                column: "basket".to_owned(),
                value: format!("items {} and {}", pair.left, pair.right),
                expected: "the items of a customer who was added before",
            })?);
        }
        // Each pair is there once in `places`, and counts at least 1.
        for place in places {
            if let Some(pair) = self.settled.get_mut(place) {
                pair.count -= 1;
            }
        }
        self.settled.retain(|pair| pair.count > 0);
        Ok(())
    }

    /// Adds all that another summary holds.
    pub fn merge(&mut self, other: Self) {
        self.items = self.items.max(other.items);
        self.pending.extend(other.settled);
        self.pending.extend(other.pending);
        self.settle();
    }

    /// How many item numbers there are: one more than the largest seen.
    pub fn items(&self) -> u32 {
        self.items
    }

    /// How many customers took both items; of one item and itself, how many took it.
    pub fn count(&self, left: u32, right: u32) -> u64 {
        let key = Pair::of(left, right).key();
        let settled = self.settled.binary_search_by_key(&key, Pair::key).ok();
        let settled = settled.and_then(|place| self.settled.get(place));
        let pending = self.pending.iter().filter(|pair| pair.key() == key);
        settled
            .into_iter()
            .chain(pending)
            .map(|pair| pair.count)
            .sum()
    }

    /// All pairs that some customer took, the lower number first, ascending, and how many did; an item with itself, too.
    pub fn pairs(&self) -> Vec<(u32, u32, u64)> {
        let pairs = self.settled().into_iter();
        pairs
            .map(|pair| (pair.left, pair.right, pair.count))
            .collect()
    }

    fn make_room(&mut self, item: u32) -> Result<(), DataError> {
        let items = self.items.max(item.saturating_add(1));
        check_table("table of items", items, size_of::<usize>() as u64)?;
        self.items = items;
        Ok(())
    }

    fn settle_if_due(&mut self) {
        if self.pending.len() > 1_024.max(self.settled.len()) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.settled = self.settled();
        self.pending.clear();
    }

    fn settled(&self) -> Vec<Pair> {
        let mut pairs = [self.settled.as_slice(), self.pending.as_slice()].concat();
        // Two ascending runs in the common case of a merge, which this sort finds.
        pairs.sort();
        pairs.dedup_by(|next, kept| {
            let same = next.key() == kept.key();
            if same {
                kept.count += next.count;
            }
            same
        });
        pairs
    }
}

/// Appends an item's pairs with itself and the items of larger number; `counts` is all 0 before and after.
fn count_with(
    item: u32,
    by_customer: &InteractionMatrix,
    by_item: &InteractionMatrix,
    counts: &mut [u64],
    pairs: &mut Vec<Pair>,
) {
    let begin = pairs.len();
    let (customers, weights) = by_item.row(item);
    let took = customers.iter().zip(weights);
    for (&customer, _) in took.filter(|(_, weight)| **weight > 0.0) {
        let (others, weights) = by_customer.row(customer);
        let from = others.partition_point(|&other| other < item);
        let others = others.iter().zip(weights).skip(from);
        for (&other, _) in others.filter(|(_, weight)| **weight > 0.0) {
            if let Some(count) = counts.get_mut(other as usize) {
                if *count == 0 {
                    pairs.push(Pair::of(item, other));
                }
                *count += 1;
            }
        }
    }
    let own = pairs.get_mut(begin..).unwrap_or_default();
    own.sort_unstable();
    for pair in own {
        if let Some(count) = counts.get_mut(pair.right as usize) {
            pair.count = *count;
            *count = 0;
        }
    }
}

/// Of a basket, each item once.
fn pairs(basket: &[u32]) -> Vec<Pair> {
    let mut items = basket.to_vec();
    items.sort_unstable();
    items.dedup();
    let mut pairs = Vec::with_capacity(items.len() * (items.len() + 1) / 2);
    let mut rights = items.as_slice();
    while let [left, rest @ ..] = rights {
        pairs.extend(rights.iter().map(|&right| Pair::of(*left, right)));
        rights = rest;
    }
    pairs
}

impl PartialEq for ItemGram {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items && self.settled() == other.settled()
    }
}

impl Summary for ItemGram {
    /// Two items that one customer took, or one item twice: that customer took it.
    type Fact = (u32, u32);

    fn empty(&self) -> Self {
        Self::new()
    }

    fn push_fact(&mut self, (left, right): Self::Fact) -> Result<(), DataError> {
        self.make_room(left.max(right))?;
        self.pending.push(Pair::of(left, right));
        self.settle_if_due();
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<(), DataError> {
        Self::merge(self, other);
        Ok(())
    }
}
