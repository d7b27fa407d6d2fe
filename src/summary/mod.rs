//! Summaries: what must be remembered of the facts, so that the facts need not be.
//!
//! A log of ten million rows answers a question about a million customers; no model needs the rows.
//! A summary reads them once and keeps what the questions need. Every summary can be merged, and obeys
//! one [law](laws): however the facts are split, ordered and merged, the result is equal, to the last
//! bit. So one summary a file, a day, a thread or a machine can be made and merged later.
//!
//! ```
//! use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
//! use tenure::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds, TimeUnit};
//!
//! let day = |m, d| Timestamp::from_civil(1997, m, d).unwrap();
//! let (january, _) = Transactions::from_rows(Decimals::TWO, [("ann", day(1, 4), 2933)])?;
//! let (august, _) = Transactions::from_rows(Decimals::TWO, [("ann", day(8, 2), 1496)])?;
//! let grain = Grain::Period(Period::Day);
//! let options = PurchaseOptions { grain, zone: Zone::UTC, refunds: Refunds::Net };
//! let mut summary = PurchaseSummary::collect(&january, &options)?;
//! summary.merge(PurchaseSummary::collect(&august, &options)?)?;
//! let histories = summary.purchases()?.histories(day(9, 30), TimeUnit::Day)?;
//! let ann = histories.get(0).unwrap();
//! assert_eq!((ann.frequency, ann.recency, ann.age), (1, 210.0, 269.0));
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! (Both logs number their customers from 0; in earnest, one [`Ids`](crate::event::Ids) numbers those
//! of all parts.)
//!
//! # Which one
//!
//! | question | summary | read as | bytes |
//! |---|---|---|---|
//! | what will they buy, who is leaving, in what rhythm | [`PurchaseSummary`] | [`Purchases`], [`Histories`], [`Holdout`] | 16 a purchase, 8 a customer |
//! | who came back, when | [`ActivitySummary`] | its bits, [`CohortCounts`] | 8 a customer and 64 periods |
//! | how recent, how often, how much | [`RfmSummary`] | [`RfmColumns`] | 16 a customer |
//! | who renews a contract, how often | [`RenewalSummary`] | itself | 30 a distinct length |
//! | on which of a few set occasions do they buy | [`OccasionSummary`] | itself | 40 a distinct history |
//! | who took which item | [`InteractionSummary`] | [`InteractionMatrix`] | 24 a distinct triple |
//! | which items are taken by the same customers | [`ItemGram`] | itself | 16 a pair of items |
//! | what is popular | [`ItemSummary`] | itself | 56 an item |
//!
//! What is known of customers besides what they did ([`Covariates`]: channel, age) is no summary, but is
//! kept here, beside the histories that it goes with.
//!
//! What changes with the calendar beside the purchases (season, campaigns) is no summary of them:
//! [`CovariatePaths`] holds it, and [`PathHistories`] bring the two together.
//!
//! # What they assume
//!
//! Customers and items are dense numbers. A day is a calendar day of the [`Zone`](crate::event::Zone)
//! that you name. Whether rows of one day are one purchase ([`Grain`]) and what a refund means
//! ([`Refunds`]) is for you to say; two summaries that were told differently do not merge. The
//! customary reading of the purchase models is one purchase a day.
//!
//! # What they cost
//!
//! One pass over the columns (two for purchases, which are sorted by counting), no allocation a
//! customer, and memory as in the table above: it does not grow with the number of rows, but for
//! purchases, where it grows with those that are distinct.
//!
//! # Where they come from
//!
//! That frequency, recency and age suffice for the models of purchases is in Schmittlein, Morrison and
//! Colombo, "Counting Your Customers: Who Are They and What Will They Do Next?", Management Science 33
//! (1987); the calibration and the hold-out on the CDNOW log follow Fader, Hardie and Lee, "Counting
//! Your Customers the Easy Way: An Alternative to the Pareto/NBD Model", Marketing Science 24 (2005).

mod activity;
mod calendar;
mod counted;
mod covariate_paths;
mod covariates;
mod distinct;
mod history;
mod interactions;
mod item_gram;
mod items;
pub mod laws;
mod numbering;
mod occasions;
mod path_histories;
mod purchases;
mod renewals;
mod rfm;
mod runs;
mod timeline;

use std::fmt::Debug;

pub use activity::{ActivitySummary, CohortCounts};
pub use covariate_paths::{CovariatePaths, PathValues, PeriodGrid};
#[cfg(feature = "csv")]
pub use covariates::CovariateColumns;
pub(crate) use covariates::check_aligned;
pub use covariates::{CovariateGroup, Covariates};
pub use distinct::DistinctHistories;
pub use history::{Histories, History, HistoryColumns, TimeUnit};
pub use interactions::{InteractionMatrix, InteractionSummary};
pub use item_gram::ItemGram;
pub use items::ItemSummary;
pub(crate) use numbering::Numbering;
pub use occasions::{OccasionColumns, OccasionHistory, OccasionSummary};
pub use path_histories::PathHistories;
pub(crate) use path_histories::Stretch;
pub use purchases::{Grain, PurchaseOptions, PurchaseSummary, Refunds};
pub use renewals::{RenewalSummary, Renewals, Subscription};
pub use rfm::{RfmColumns, RfmSummary};
pub use timeline::{Holdout, Purchase, Purchases, UnmatchedRefunds};

use crate::error::DataError;
use crate::event::AMOUNT_MAX;

/// What a table with a row for each customer or item number may take: 4 GiB.
///
/// A number that would need more is refused with [`DataError::TooLarge`] rather than tried. Numbers
/// given by [`Ids`](crate::event::Ids) are dense, and then this is room for 268 million customers in
/// every summary of one table, and for 76 million items.
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
pub(crate) fn check_table(what: &'static str, rows: u32, row_bytes: u64) -> Result<(), DataError> {
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
