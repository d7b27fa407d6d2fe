//! How often, and how much, each item was taken.

use super::{Summary, check_table};
use crate::error::DataError;
use crate::event::Interactions;

/// Rows and weights of each item, mergeable: what is popular.
///
/// ```
/// use tenure::event::{Interactions, Timestamp};
/// use tenure::summary::ItemSummary;
///
/// let now = Timestamp::from_civil(2024, 5, 1).unwrap();
/// let (log, _, items) = Interactions::from_rows([
///     ("ann", "tea", 1.0, now), ("bob", "tea", 2.5, now), ("bob", "jam", 1.0, now),
/// ])?;
/// let summary = ItemSummary::collect(&log)?;
/// let tea = items.get("tea").unwrap();
/// assert_eq!((summary.rows(tea), summary.weight(tea)), (2, 3.5));
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// 56 bytes an item number, whatever the number of rows. Weights are added up exactly and rounded
/// once when read, so that neither the order of the rows nor their split shows in the last digit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemSummary {
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Item {
    rows: u64,
    weight: ExactSum,
}

impl ItemSummary {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The summary of a whole log.
    ///
    /// # Errors
    /// [`DataError::TooLarge`] when the log claims more items than
    /// [`TABLE_BYTES_MAX`](super::TABLE_BYTES_MAX) has room for.
    pub fn collect(log: &Interactions) -> Result<Self, DataError> {
        let mut summary = Self::new();
        summary.make_room(log.items())?;
        for (&item, &weight) in log.item().iter().zip(log.weight()) {
            if let Some(item) = summary.items.get_mut(item as usize) {
                item.rows += 1;
                item.weight.add(weight);
            }
        }
        Ok(summary)
    }

    /// Adds one row.
    ///
    /// # Errors
    /// [`DataError::Value`] for a weight that is negative, NaN or infinite, [`DataError::TooLarge`]
    /// for an item number beyond the bound of [`TABLE_BYTES_MAX`](super::TABLE_BYTES_MAX). The
    /// summary is then as before.
    pub fn push(&mut self, item: u32, weight: f32) -> Result<(), DataError> {
        if !(weight.is_finite() && weight >= 0.0) {
            return Err(DataError::Value {
                row: 1,
                column: "weight".to_owned(),
                value: weight.to_string(),
                expected: "a finite number that is not negative",
            });
        }
        self.make_room(item.saturating_add(1))?;
        if let Some(item) = self.items.get_mut(item as usize) {
            item.rows += 1;
            item.weight.add(weight);
        }
        Ok(())
    }

    /// Adds all that another summary holds.
    pub fn merge(&mut self, other: Self) {
        if self.items.len() < other.items.len() {
            self.items.resize(other.items.len(), Item::default());
        }
        for (item, added) in self.items.iter_mut().zip(other.items) {
            item.rows += added.rows;
            item.weight.merge(added.weight);
        }
    }

    /// How many item numbers there are: one more than the largest seen.
    pub fn items(&self) -> u32 {
        self.items.len() as u32
    }

    /// How many rows an item has.
    pub fn rows(&self, item: u32) -> u64 {
        self.items.get(item as usize).map_or(0, |item| item.rows)
    }

    /// The sum of an item's weights, rounded once.
    pub fn weight(&self, item: u32) -> f64 {
        self.items
            .get(item as usize)
            .map_or(0.0, |item| item.weight.to_f64())
    }

    fn make_room(&mut self, items: u32) -> Result<(), DataError> {
        if items as usize > self.items.len() {
            check_table("table of items", items, size_of::<Item>() as u64)?;
            self.items.resize(items as usize, Item::default());
        }
        Ok(())
    }
}

impl Summary for ItemSummary {
    type Fact = (u32, f32);

    fn empty(&self) -> Self {
        Self::new()
    }

    fn push_fact(&mut self, (item, weight): Self::Fact) -> Result<(), DataError> {
        self.push(item, weight)
    }

    fn merge(&mut self, other: Self) -> Result<(), DataError> {
        Self::merge(self, other);
        Ok(())
    }
}

/// A sum of `f32` that are not negative, without rounding: a whole number of 2⁻¹⁴⁹, the smallest
/// positive `f32`. The largest is below 2¹²⁸, so 384 bits hold 2¹⁰⁷ of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct ExactSum([u64; 6]);

impl ExactSum {
    fn add(&mut self, value: f32) {
        let bits = value.to_bits();
        let (exponent, fraction) = (bits >> 23 & 0xff, u64::from(bits & 0x007f_ffff));
        // A subnormal number has no hidden bit and the scale of the smallest normal one.
        let (shift, mantissa) = match exponent {
            0 => (0, fraction),
            exponent => (exponent - 1, fraction | 1 << 23),
        };
        let wide = u128::from(mantissa) << (shift % 64);
        let (low, high) = (wide as u64, (wide >> 64) as u64);
        let at = shift as usize / 64;
        let mut carry = 0_u128;
        for (limb, part) in self.0.iter_mut().skip(at).zip([low, high, 0, 0, 0, 0]) {
            let sum = u128::from(*limb) + u128::from(part) + carry;
            (*limb, carry) = (sum as u64, sum >> 64);
        }
    }

    fn merge(&mut self, other: Self) {
        let mut carry = 0_u128;
        for (limb, part) in self.0.iter_mut().zip(other.0) {
            let sum = u128::from(*limb) + u128::from(part) + carry;
            (*limb, carry) = (sum as u64, sum >> 64);
        }
    }

    /// The nearest `f64`, but for a tie in the last place decided by the 65th digit or below.
    fn to_f64(self) -> f64 {
        let Some(top) = self.0.iter().rposition(|&limb| limb != 0) else {
            return 0.0;
        };
        let mut limbs = self.0.iter().take(top + 1).rev();
        let mut wide = 0_u128;
        for _ in 0..2 {
            wide = wide << 64 | u128::from(limbs.next().copied().unwrap_or(0));
        }
        // A sticky bit stands for all that lies below, so that the one rounding is right.
        wide |= u128::from(limbs.any(|&limb| limb != 0));
        let low_limb = top as i32 - 1;
        scale(wide as f64, 64 * low_limb - 149)
    }
}

/// value × 2^exponent; in two steps, as 2^exponent alone may be out of range.
fn scale(value: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    value * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}
