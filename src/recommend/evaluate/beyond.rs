//! What a list is besides right: does it show the whole shop, the unknown, the different?

use crate::error::DataError;
use crate::summary::InteractionMatrix;

/// How often each item was shown.
///
/// ```
/// use tenure::recommend::evaluate::Exposure;
///
/// let mut shown = Exposure::new(4);
/// shown.add([0, 1]);
/// shown.add([0, 2]);
/// assert_eq!((shown.coverage(), shown.gini()), (0.75, 0.375));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    counts: Vec<u64>,
    shown: u64,
}

impl Exposure {
    /// Nothing shown yet, of a catalogue of so many items.
    pub fn new(items: u32) -> Self {
        Self {
            counts: vec![0; items as usize],
            shown: 0,
        }
    }

    /// Adds a list. Items outside the catalogue are left out.
    pub fn add(&mut self, list: impl IntoIterator<Item = u32>) {
        for item in list {
            if let Some(count) = self.counts.get_mut(item as usize) {
                *count += 1;
                self.shown += 1;
            }
        }
    }

    /// How often each item was shown.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The share of the items that were shown at all; 0 of no items.
    pub fn coverage(&self) -> f64 {
        let shown = self.counts.iter().filter(|count| **count > 0).count();
        shown as f64 / self.counts.len().max(1) as f64
    }

    /// The Gini index of the counts, from 0 (all items alike) to almost 1 (one item takes all): Σ (2j − n − 1) x_(j) / (n Σ x)
    /// with the n counts x in ascending order. 0 when nothing was shown.
    pub fn gini(&self) -> f64 {
        let mut counts = self.counts.clone();
        counts.sort_unstable();
        let n = counts.len() as i128;
        let weighted: i128 = (1..)
            .zip(&counts)
            .map(|(j, &count)| (2 * j - n - 1) * i128::from(count))
            .sum();
        let all = n * i128::from(self.shown);
        if all > 0 {
            weighted as f64 / all as f64
        } else {
            0.0
        }
    }

    /// Entropy of the shares of the items in what was shown, in nats: 0 when one item takes all, ln n when all are shown alike.
    pub fn entropy(&self) -> f64 {
        let shown = self.shown as f64;
        let shares = self.counts.iter().filter(|count| **count > 0);
        let sum: f64 = shares
            .map(|&count| count as f64 / shown)
            .map(|share| -share * libm::log(share))
            .sum();
        // One item alone has a negative zero.
        sum + 0.0
    }

    /// Mean over what was shown of −log2 of the share of the customers who had taken the item: the bits of surprise. An item that nobody
    /// had taken counts as taken by one. 0 when nothing was shown.
    ///
    /// # Errors
    /// [`DataError::Length`] when the matrix has another number of items.
    pub fn novelty(&self, train: &InteractionMatrix) -> Result<f64, DataError> {
        let mut takers = vec![0_u32; train.columns() as usize];
        for (items, _) in train.iter() {
            for &item in items {
                if let Some(count) = takers.get_mut(item as usize) {
                    *count += 1;
                }
            }
        }
        self.novelty_of(&takers, train.rows())
    }

    /// The same, from how many of the customers had taken each item.
    ///
    /// # Errors
    /// [`DataError::Length`] when there is not one number for each item.
    pub fn novelty_of(&self, takers: &[u32], customers: u32) -> Result<f64, DataError> {
        if takers.len() != self.counts.len() {
            return Err(DataError::Length {
                column: "takers",
                found: takers.len(),
                reference: "items",
                expected: self.counts.len(),
            });
        }
        let customers = f64::from(customers.max(1));
        let bits = self.counts.iter().zip(takers).map(|(&count, &takers)| {
            let share = (f64::from(takers.max(1)) / customers).min(1.0);
            -libm::log2(share) * count as f64
        });
        Ok(bits.sum::<f64>().max(0.0) / self.shown.max(1) as f64)
    }
}

/// Intra-list diversity: the mean over the pairs of a list of 1 − similarity (Ziegler et al. 2005). `None` for fewer than
/// two items.
///
/// ```
/// use tenure::recommend::evaluate::diversity;
///
/// // Items of one brand are alike.
/// let brand = |item: u32| item / 10;
/// let alike = |a, b| f64::from(u8::from(brand(a) == brand(b)));
/// assert_eq!(diversity([1, 2, 11].into_iter(), &alike), Some(2.0 / 3.0));
/// ```
pub fn diversity(
    list: impl Iterator<Item = u32> + Clone,
    similarity: &(dyn Fn(u32, u32) -> f64 + Sync),
) -> Option<f64> {
    let (mut sum, mut pairs) = (0.0, 0_u64);
    let mut rest = list;
    while let Some(item) = rest.next() {
        for other in rest.clone() {
            sum += 1.0 - similarity(item, other);
            pairs += 1;
        }
    }
    (pairs > 0).then(|| sum / pairs as f64)
}

/// How alike items are by who takes them: the cosine of their customers, whatever the weights. For [`diversity`] where no
/// features of the items are known.
///
/// ```
/// use tenure::recommend::evaluate::ItemCosine;
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (customer, item) in [(0, 0), (0, 1), (1, 0), (2, 2)] {
///     log.push(customer, item, 1.0)?;
/// }
/// let cosine = ItemCosine::new(&log.matrix());
/// assert!((cosine.of(0, 1) - 0.5_f64.sqrt()).abs() < 1e-15);
/// assert_eq!((cosine.of(0, 0), cosine.of(0, 2)), (1.0, 0.0));
/// # Ok::<(), tenure::error::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ItemCosine {
    /// Who took each item.
    takers: InteractionMatrix,
}

impl ItemCosine {
    /// From who took what.
    pub fn new(matrix: &InteractionMatrix) -> Self {
        Self {
            takers: matrix.transposed(),
        }
    }

    /// The cosine of two items, from 0 to 1; 0 for an item that nobody took. Time of the order of their customers.
    pub fn of(&self, left: u32, right: u32) -> f64 {
        let (left, right) = (self.takers.row(left).0, self.takers.row(right).0);
        let (mut both, mut rest) = (0_u64, right);
        for customer in left {
            let before = rest.iter().take_while(|other| *other < customer).count();
            rest = rest.get(before..).unwrap_or_default();
            both += u64::from(rest.first() == Some(customer));
        }
        let product = left.len() as f64 * right.len() as f64;
        if both > 0 {
            both as f64 / product.sqrt()
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::InteractionSummary;

    #[test]
    fn nothing_shown_has_finite_figures() {
        for items in [0, 3] {
            let shown = Exposure::new(items);
            assert_eq!(
                (shown.coverage(), shown.gini(), shown.entropy()),
                (0.0, 0.0, 0.0)
            );
            let takers = vec![0; items as usize];
            assert_eq!(shown.novelty_of(&takers, 0), Ok(0.0));
        }
    }

    #[test]
    fn one_item_that_takes_all_is_the_extreme() {
        let mut shown = Exposure::new(5);
        (0..7).for_each(|_| shown.add([3, 99]));
        assert_eq!((shown.coverage(), shown.entropy()), (0.2, 0.0));
        assert_eq!(shown.gini(), 0.8);
        assert!(shown.novelty(&InteractionSummary::new().matrix()).is_err());
        assert_eq!(shown.novelty_of(&[9, 9, 9, 2, 9], 8), Ok(2.0));
        assert_eq!(shown.novelty_of(&[9, 9, 9, 0, 9], 8), Ok(3.0));
    }

    #[test]
    fn one_item_has_no_pairs() {
        assert_eq!(diversity([1].into_iter(), &|_, _| 0.0), None);
        assert_eq!(diversity([1, 2].into_iter(), &|_, _| 0.25), Some(0.75));
    }
}
