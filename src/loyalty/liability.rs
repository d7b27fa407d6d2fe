//! Deferred revenue: what the shop has been paid for points that are not redeemed yet.

use serde::{Deserialize, Serialize};

use super::member::Member;
use super::points::Points;
use super::rational::{Rational, Rounding};

/// The deferred revenue of all sales' points (IFRS 15, B39–B43 and Illustrative Example 52).
///
/// A sale's money is shared between the goods and the points by their stand-alone prices; the part
/// of the points is recognised as they are redeemed, in proportion to what is expected to be redeemed
/// at all. A new expectation is caught up with at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liability {
    /// Money of all sales that belongs to their points, in minor units.
    pub allocated: i64,
    /// Points issued, less those taken back.
    pub points_issued_net: i64,
    /// Points redeemed, less those restored; fees are among them.
    pub redeemed_net: i64,
    /// Points that are expected to be redeemed in all.
    pub expected_redeemed: i64,
    /// Revenue so far, in minor units.
    pub recognised: i64,
    /// Revenue still to come: what is owed to the members, in minor units.
    pub deferred: i64,
}

/// The sums over members from which the liability is made; their order does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LiabilityTotals {
    allocated: i128,
    issued: i128,
    redeemed: i128,
    left: i128,
}

impl LiabilityTotals {
    pub(crate) fn add(&mut self, member: &Member) {
        let sum = |column: fn(&super::lot::Lot) -> Points| -> i128 {
            member.lots().map(|lot| i128::from(column(&lot).0)).sum()
        };
        self.allocated += i128::from(member.more().allocated);
        self.issued += i128::from(member.more().issued);
        self.redeemed += sum(|lot| lot.spent);
        self.left += sum(|lot| lot.free) + sum(|lot| lot.held);
    }

    /// `None` when a number leaves 64 bits.
    pub(crate) fn liability(self, urr: Rational) -> Option<Liability> {
        let narrow = |wide: i128| i64::try_from(wide).ok();
        let (allocated, issued) = (narrow(self.allocated)?, narrow(self.issued)?);
        let redeemed = narrow(self.redeemed)?;
        let wide = i128::from;
        let expected = Rounding::HalfEven
            .round(wide(issued) * wide(urr.num()), wide(urr.den()))?
            .max(redeemed);
        let recognised = if self.left == 0 {
            allocated
        } else if expected <= 0 {
            0
        } else {
            let num = wide(allocated) * wide(redeemed);
            Rounding::HalfEven.round(num, wide(expected))?
        };
        Some(Liability {
            allocated,
            points_issued_net: issued,
            redeemed_net: redeemed,
            expected_redeemed: expected,
            recognised,
            deferred: allocated.checked_sub(recognised)?,
        })
    }
}
