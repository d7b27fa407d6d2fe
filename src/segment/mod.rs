//! Who are the customers, where does each belong, and how do they move?
//!
//! ```
//! use tenure::event::{Decimals, Timestamp, Transactions, Zone};
//! use tenure::segment::{Binning, Rfm, RfmConfig, RfmFeatures, RuleSet, Segmenter};
//! use tenure::summary::{Refunds, RfmSummary};
//!
//! let day = |month, d| Timestamp::from_civil(2024, month, d).unwrap();
//! let (log, customers) = Transactions::from_rows(Decimals::TWO, [
//!     ("ann", day(1, 5), 40_00), ("ann", day(2, 7), 60_00), ("ann", day(3, 9), 80_00),
//!     ("bob", day(1, 2), 15_00), ("cat", day(3, 1), 20_00), ("dan", day(2, 20), 90_00),
//! ])?;
//! let summary = RfmSummary::collect(&log, &Zone::UTC, Refunds::Net)?;
//! let features = RfmFeatures::from_summary(summary.columns()?, Zone::UTC.day(day(3, 31)))?;
//! let rfm = Rfm::fit(&features, &RfmConfig::quintiles(Binning::Quantile))?;
//! let ann = rfm.score(&features.get(0).unwrap());
//! assert_eq!(rfm.code(ann), 555);
//! assert_eq!(RuleSet::standard().explain(&ann), "Champions: recency 5, frequency 5, monetary 5");
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! # Which to choose
//!
//! | you want | take | it looks at |
//! |---|---|---|
//! | a picture of the base in ten names that marketing knows | [`Rfm`] and [`RuleSet::standard`] | when last, how often, how much |
//! | segments of your own on the same scores | [`Rfm`] and [`RuleSet::new`] | the same |
//! | every combination of scores as a cell | [`Rfm`] alone, a [`Segmenter`] itself | the same |
//! | who is slipping away now, each by their own pace | [`Lifecycle::from_rhythm`] | the gaps between purchases |
//! | the same, by one rule that everybody understands | [`Lifecycle::by_windows`] | days since the last purchase |
//!
//! RFM compares customers with each other: in quintiles a fifth of them always scores 1, in the best of
//! years too. To see whether the base as a whole gets better, keep the fitted [`Rfm`] and score later dates
//! with it, or give cuts of your own ([`Binning::Cuts`]); [`Binning`] tells the binnings apart.
//! A lifecycle compares customers with themselves: three weeks of silence are nothing for who buys once a
//! season and alarming for who came every Saturday. [`Transitions`] counts who moved where between two
//! dates, [`SegmentTable`] what each segment amounts to.
//!
//! # What it assumes
//!
//! That the past tells, and that the analysis date is given: nothing here reads a clock. RFM takes a purchase as
//! a row of the log ([`RfmFeatures::from_summary`]) or as a day or other period with rows
//! ([`RfmFeatures::from_purchases`]). A rhythm assumes a usual gap, which a customer of one season a
//! year does not have; there, take windows longer than the season. None of these predicts: the
//! probability that a silent customer is still one comes from a purchase model.
//!
//! # What it costs
//!
//! Fitting RFM is a few passes over three columns, scoring a few comparisons a customer: together some 20 ms a
//! million customers. A rule set is one table look-up a customer when many are assigned at once. Fitting
//! a rhythm reads every gap twice, staging reads three purchases a customer. Everything is a whole number or
//! added up in the order of customers, so that results do not depend on threads.
//!
//! # Where it comes from
//!
//! * RFM: Hughes, *Strategic Database Marketing* (1994); quantiles: Hyndman & Fan, "Sample quantiles in
//!   statistical packages", *The American Statistician* 50 (1996), type 7; bins and standard rules: R's
//!   package rfm.
//! * Rhythm: Bühlmann, "Experience rating and credibility", *ASTIN Bulletin* 4 (1967); Bühlmann & Straub,
//!   "Glaubwürdigkeit für Schadensätze" (1970); exponential gaps: Ehrenberg, "The pattern of consumer
//!   purchases", *Applied Statistics* 8 (1959).

mod binning;
mod features;
mod lifecycle;
mod rfm;
mod rhythm;
mod rules;
mod selection;
mod stage;
mod table;
mod timeline;
mod transitions;
mod wording;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use binning::{Binning, Thresholds};
pub use features::{RfmFeatureColumns, RfmFeatures, RfmValues};
pub use lifecycle::{Lifecycle, LifecycleRule};
pub use rfm::{BINS_MAX, Rfm, RfmConfig, RfmScore};
pub use rhythm::{Multiples, Rhythm};
pub use rules::{Rule, RuleSet};
pub use stage::{Stage, Windows};
pub use table::{SegmentRow, SegmentTable};
pub use timeline::Timeline;
pub use transitions::Transitions;

/// The number of a segment within its [`Segmenter`], from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId(pub u32);

impl SegmentId {
    /// The number as an index into [`Segmenter::names`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where does this customer belong, and why?
///
/// Each implementation names what it looks at: a [`RuleSet`] at an [`RfmScore`], [`Rfm`] at
/// [`RfmValues`], a [`Lifecycle`] at a [`Timeline`]. The trait is object-safe for a given kind of
/// features: your own segmenter of scores stands wherever a `&dyn Segmenter<Features = RfmScore>` does.
///
/// ```
/// use std::borrow::Cow;
/// use tenure::segment::{RfmScore, RuleSet, SegmentId, Segmenter};
///
/// struct BigSpenders;
///
/// impl Segmenter for BigSpenders {
///     type Features = RfmScore;
///     fn assign(&self, score: &RfmScore) -> SegmentId {
///         SegmentId(u32::from(score.monetary == 5))
///     }
///     fn names(&self) -> Vec<Cow<'_, str>> {
///         vec!["Others".into(), "Big spenders".into()]
///     }
///     fn explain(&self, score: &RfmScore) -> String {
///         format!("{}: monetary {}", self.names()[self.assign(score).index()], score.monetary)
///     }
/// }
///
/// let score = RfmScore { recency: 5, frequency: 5, monetary: 5 };
/// let segmenters: [&dyn Segmenter<Features = RfmScore>; 2] = [&BigSpenders, &RuleSet::standard()];
/// let why: Vec<String> = segmenters.iter().map(|s| s.explain(&score)).collect();
/// assert_eq!(why, ["Big spenders: monetary 5", "Champions: recency 5, frequency 5, monetary 5"]);
/// ```
pub trait Segmenter {
    /// What the segmenter looks at.
    type Features: ?Sized;

    /// The segment of a customer. Every customer has exactly one, and equal features have the same.
    fn assign(&self, features: &Self::Features) -> SegmentId;

    /// The names of all segments, each once, in the order of their numbers.
    fn names(&self) -> Vec<Cow<'_, str>>;

    /// The rule that put the customer there, in words that begin with the segment's name.
    fn explain(&self, features: &Self::Features) -> String;
}
