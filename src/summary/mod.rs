//! Summaries: what must be remembered of the facts.

mod activity;
mod calendar;
mod distinct;
mod history;
mod items;
pub mod laws;
mod numbering;
mod purchases;
mod rfm;
mod runs;
mod timeline;

use std::fmt::Debug;

pub use activity::{ActivitySummary, CohortCounts};
pub use distinct::DistinctHistories;
pub use history::{Histories, History, HistoryColumns, TimeUnit};
pub use items::ItemSummary;
pub(crate) use numbering::Numbering;
pub use purchases::{Grain, PurchaseOptions, PurchaseSummary, Refunds};
pub use rfm::{RfmColumns, RfmSummary};
pub use timeline::{Holdout, Purchase, Purchases, UnmatchedRefunds};

use crate::error::DataError;
use crate::event::AMOUNT_MAX;

/// What a table with a row for each customer or item number may take: 4 GiB.
///
/// A number that would need more is refused with [`DataError::TooLarge`] rather than tried. Numbers
/// given by [`Ids`](crate::event::Ids) are dense, and then this is room for 128 million customers in
/// every summary.
pub const TABLE_BYTES_MAX: u64 = 1 << 32;

/// What all summaries have in common: a commutative monoid over their facts.
///
/// [`empty`](Summary::empty) is its neutral element, [`merge`](Summary::merge) its operation, and
/// any split of the facts, in any order, merged in any way, gives an equal summary. [`laws::check`]
/// tries that on any type that says so.
pub trait Summary: Clone + PartialEq {
    /// What is summarised.
    type Fact: Copy;

    /// A summary of nothing under the same settings.
    fn empty(&self) -> Self;

    /// Adds one fact.
    ///
    /// # Errors
    /// [`DataError`] for a fact that cannot be used; the summary is then as before.
    fn push_fact(&mut self, fact: Self::Fact) -> Result<(), DataError>;

    /// Adds all that another summary holds.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] unless the settings agree.
    fn merge(&mut self, other: Self) -> Result<(), DataError>;
}

/// Two settings must agree before summaries are merged.
fn same<T: PartialEq + Debug>(setting: &'static str, left: &T, right: &T) -> Result<(), DataError> {
    if left == right {
        return Ok(());
    }
    Err(DataError::Mismatch {
        setting,
        left: format!("{left:?}"),
        right: format!("{right:?}"),
    })
}

/// A table of `rows` rows must fit into its bound.
fn check_table(what: &'static str, rows: u32, row_bytes: u64) -> Result<(), DataError> {
    let bytes = u64::from(rows).saturating_mul(row_bytes);
    if bytes <= TABLE_BYTES_MAX {
        return Ok(());
    }
    Err(DataError::TooLarge {
        what,
        bytes,
        limit: TABLE_BYTES_MAX,
        instead: "number the keys densely from 0 (as `Ids` does), or summarise parts of them apart",
    })
}

fn check_amount(amount_minor: i64) -> Result<(), DataError> {
    if amount_minor.unsigned_abs() <= AMOUNT_MAX.unsigned_abs() {
        return Ok(());
    }
    Err(DataError::Value {
        row: 1,
        column: "amount_minor".to_owned(),
        value: amount_minor.to_string(),
        expected: "at most 10^15 minor units either way",
    })
}
