//! Items as bits: what is in stock, what is forbidden.

use super::{ItemFilter, Query};

/// A set of items, one bit for each: as a filter it allows what it holds.
///
/// The stock of a shop is such a set. It changes while the shop is open: keep it behind a lock, or replace it.
///
/// ```
/// use tenure::recommend::ItemSet;
///
/// let pieces = [3, 0, 7];
/// let in_stock = (0..).zip(pieces).filter(|&(_, pieces)| pieces > 0).map(|(item, _)| item);
/// let mut stock: ItemSet = in_stock.collect();
/// assert!(stock.contains(2) && !stock.contains(1));
/// stock.remove(2);
/// stock.insert(1);
/// assert_eq!(stock.iter().collect::<Vec<_>>(), [0, 1]);
/// ```
///
/// # Cost
/// A bit for each number up to the largest item held: 125 kB for a million items, 512 MiB if somebody
/// inserts the largest number there is.
#[derive(Debug, Clone, Default)]
pub struct ItemSet {
    words: Vec<u64>,
}

impl ItemSet {
    /// No item yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an item.
    pub fn insert(&mut self, item: u32) {
        let (word, bit) = place(item);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    /// Takes an item out.
    pub fn remove(&mut self, item: u32) {
        let (word, bit) = place(item);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Whether an item is in the set.
    pub fn contains(&self, item: u32) -> bool {
        let (word, bit) = place(item);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        let ones = self.words.iter().map(|word| word.count_ones() as usize);
        ones.sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The items, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let words = (0..).step_by(64).zip(&self.words);
        words.flat_map(|(first, &word)| {
            let held = (0..64).filter(move |bit| word >> bit & 1 == 1);
            held.map(move |bit| first + bit)
        })
    }
}

/// An item's word, and its bit there.
fn place(item: u32) -> (usize, u64) {
    (item as usize / 64, 1 << (item % 64))
}

impl FromIterator<u32> for ItemSet {
    fn from_iter<I: IntoIterator<Item = u32>>(items: I) -> Self {
        let mut set = Self::new();
        items.into_iter().for_each(|item| set.insert(item));
        set
    }
}

impl PartialEq for ItemSet {
    /// Which numbers there were once does not count.
    fn eq(&self, other: &Self) -> bool {
        let same = self.words.iter().zip(&other.words).all(|(a, b)| a == b);
        same && self.len() == other.len()
    }
}

impl Eq for ItemSet {}

impl ItemFilter for ItemSet {
    fn allows(&self, _: &Query<'_>, item: u32) -> bool {
        self.contains(item)
    }
}
