//! What customers buy.

use super::config::within;
use super::sampling::Stream;
use crate::error::ConfigError;

/// The most groups that an assortment may have; a customer's taste is held without an allocation.
pub const GROUPS_MAX: u32 = 16;

/// The items, how popular they are, and how much customers' tastes differ.
///
/// Item 0 is the most popular: the popularity of item i is proportional to (i + 1)^(−`zipf`). Item i
/// is in group i mod `groups`. A customer's taste is a share for each group, drawn from a Dirichlet
/// distribution whose means are the groups' popularity and whose sum of parameters is
/// `concentration`; an item is drawn by taking a group by the customer's taste and an item of it by
/// popularity. So a customer's probability of an item has rank `groups`, and its mean over customers
/// is the popularity exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assortment {
    /// How many items there are: at least `groups`, at most 10⁷.
    pub items: u32,
    /// How many groups of taste there are: from 1 to [`GROUPS_MAX`].
    pub groups: u32,
    /// The exponent of the popularity: 0 makes all items alike, 1 is Zipf's law. From 0 to 5.
    pub zipf: f64,
    /// The larger, the more alike tastes are; a fraction of 1 makes customers love one or two groups.
    /// From 10⁻³ to 10⁶.
    pub concentration: f64,
    /// Mean number of items in a basket, which is 1 plus a geometric number. From 1 to 1,000. An item
    /// can be in a basket more than once.
    pub basket: f64,
}

/// A customer's taste: the share of each group, adding up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taste {
    shares: [f64; GROUPS_MAX as usize],
    groups: usize,
}

impl Taste {
    /// The share of each group; empty for a retailer without an assortment.
    pub fn shares(&self) -> &[f64] {
        self.shares.get(..self.groups).unwrap_or(&[])
    }

    pub(super) const NONE: Taste = Taste {
        shares: [0.0; GROUPS_MAX as usize],
        groups: 0,
    };
}

impl Assortment {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let groups = f64::from(self.groups);
        within("groups", groups, 1.0, f64::from(GROUPS_MAX), "from 1 to 16")?;
        let expected = "from the number of groups to 10^7";
        within("items", f64::from(self.items), groups, 1e7, expected)?;
        within("zipf", self.zipf, 0.0, 5.0, "from 0 to 5")?;
        let expected = "from 10^-3 to 10^6";
        within("concentration", self.concentration, 1e-3, 1e6, expected)?;
        within("basket", self.basket, 1.0, 1e3, "from 1 to 1000")
    }
}

/// An assortment with its tables: one sum per item.
#[derive(Debug, Clone)]
pub(super) struct Shelves {
    assortment: Assortment,
    /// Per group, the running sum of popularity over its items, most popular first.
    sums: Vec<Vec<f64>>,
    /// Each group's share of all popularity.
    shares: Vec<f64>,
}

impl Shelves {
    pub(super) fn new(assortment: &Assortment) -> Self {
        let sums: Vec<Vec<f64>> = (0..assortment.groups)
            .map(|group| {
                let mut sum = 0.0;
                (group..assortment.items)
                    .step_by(assortment.groups as usize)
                    .map(|item| {
                        sum += libm::pow(f64::from(item) + 1.0, -assortment.zipf);
                        sum
                    })
                    .collect()
            })
            .collect();
        let totals = sums.iter().map(|sums| sums.last().map_or(0.0, |&sum| sum));
        let total: f64 = totals.clone().sum();
        let shares = totals.map(|sum| sum / total).collect();
        Self {
            assortment: *assortment,
            sums,
            shares,
        }
    }

    pub(super) fn items(&self) -> u32 {
        self.assortment.items
    }

    pub(super) fn draw_taste(&self, stream: &mut Stream) -> Taste {
        let mut taste = Taste {
            groups: self.shares.len(),
            ..Taste::NONE
        };
        // Over logarithms, so that small parameters do not make every share 0.
        let mut largest = f64::NEG_INFINITY;
        for (share, &mean) in taste.shares.iter_mut().zip(&self.shares) {
            *share = stream.ln_gamma(self.assortment.concentration * mean);
            largest = largest.max(*share);
        }
        let mut sum = 0.0;
        for share in taste.shares.iter_mut().take(taste.groups) {
            *share = libm::exp(*share - largest);
            sum += *share;
        }
        for share in taste.shares.iter_mut().take(taste.groups) {
            *share /= sum;
        }
        taste
    }

    /// The number of items in a basket.
    pub(super) fn draw_basket(&self, stream: &mut Stream) -> u32 {
        let items = stream.geometric(1.0 / self.assortment.basket);
        u32::try_from(items).unwrap_or(u32::MAX)
    }

    pub(super) fn draw_item(&self, taste: &Taste, stream: &mut Stream) -> u32 {
        let mut left = stream.uniform();
        // Rounding can leave a crumb beyond the last share: it goes to the last group that has any.
        let mut chosen = 0;
        for (group, &share) in taste.shares().iter().enumerate() {
            if share > 0.0 {
                chosen = group;
                if left < share {
                    break;
                }
            }
            left -= share;
        }
        let sums = self.sums.get(chosen).map_or(&[][..], Vec::as_slice);
        let target = stream.uniform() * sums.last().map_or(0.0, |&sum| sum);
        let rank = sums.partition_point(|&sum| sum <= target);
        let rank = rank.min(sums.len().saturating_sub(1));
        // Both are below the number of items, which is a `u32`.
        (rank * self.sums.len() + chosen) as u32
    }

    /// The probability that an item drawn for this taste is `item`.
    pub(super) fn probability(&self, taste: &Taste, item: u32) -> Option<f64> {
        if item >= self.assortment.items {
            return None;
        }
        let (item, groups) = (item as usize, self.sums.len());
        let sums = self.sums.get(item % groups)?;
        let rank = item / groups;
        let below = match rank.checked_sub(1) {
            Some(before) => *sums.get(before)?,
            None => 0.0,
        };
        let within_group = (sums.get(rank)? - below) / sums.last()?;
        Some(taste.shares().get(item % groups)? * within_group)
    }
}
