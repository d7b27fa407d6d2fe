//! Segments.

mod binning;
mod features;
mod lifecycle;
mod rfm;
mod rhythm;
mod rules;
mod selection;
mod table;
mod timeline;
mod transitions;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use binning::{Binning, Thresholds};
pub use features::{RfmFeatureColumns, RfmFeatures, RfmValues};
pub use lifecycle::{Lifecycle, LifecycleRule, Stage, Windows};
pub use rfm::{BINS_MAX, Rfm, RfmConfig, RfmScore};
pub use rhythm::{Multiples, Rhythm};
pub use rules::{Rule, RuleSet};
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
pub trait Segmenter {
    /// What the segmenter looks at.
    type Features: ?Sized;

    /// The segment of a customer. Every customer has exactly one.
    fn assign(&self, features: &Self::Features) -> SegmentId;

    /// The names of all segments, in the order of their numbers.
    fn names(&self) -> Vec<Cow<'_, str>>;

    /// The rule that put the customer there, in words that begin with the segment's name.
    fn explain(&self, features: &Self::Features) -> String;
}
