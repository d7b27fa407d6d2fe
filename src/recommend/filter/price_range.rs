//! Items within a range of prices.

use std::ops::RangeInclusive;

use super::{ItemFilter, Query};

/// Items whose price lies in a range, both ends included.
///
/// Prices are whole minor units (cents), one for each item. An item without a price is not shown, and no
/// item is when the range ends before it begins.
///
/// ```
/// use tenure::recommend::{ItemFilter, PriceRange, Query};
///
/// let prices = [5_00, 12_99, 80_00];
/// let affordable = PriceRange::new(&prices, 10_00..=80_00);
/// let shown: Vec<u32> = (0..5).filter(|&item| affordable.allows(&Query::Customer(0), item)).collect();
/// assert_eq!(shown, [1, 2]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRange<'a> {
    prices_minor: &'a [i64],
    least: i64,
    most: i64,
}

impl<'a> PriceRange<'a> {
    /// Of the prices of all items, by their number.
    pub fn new(prices_minor: &'a [i64], range: RangeInclusive<i64>) -> Self {
        let (least, most) = range.into_inner();
        Self {
            prices_minor,
            least,
            most,
        }
    }
}

impl ItemFilter for PriceRange<'_> {
    fn allows(&self, _: &Query<'_>, item: u32) -> bool {
        let price = self.prices_minor.get(item as usize);
        price.is_some_and(|price| (self.least..=self.most).contains(price))
    }
}
