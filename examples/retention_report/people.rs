//! Who the customers are: RFM scores, segments, lifecycle stages.

use tenure::event::Timestamp;
use tenure::segment::{
    Binning, Lifecycle, Multiples, Rfm, RfmConfig, RfmFeatures, RfmScore, RuleSet, SegmentId,
    SegmentTable, Segmenter, Stage, Timeline,
};
use tenure::summary::Purchases;

/// Segments and stages, row by row of the features.
pub struct People {
    pub features: RfmFeatures,
    pub rfm: Rfm,
    pub scores: Vec<RfmScore>,
    pub rules: RuleSet,
    pub segments: Vec<SegmentId>,
    pub table: SegmentTable,
    /// The stages, or why there are none (nobody ever came back).
    pub stages: Result<Stages, String>,
}

pub struct Stages {
    pub lifecycle: Lifecycle,
    pub of: Vec<Stage>,
}

impl People {
    pub fn new(purchases: &Purchases, as_of: Timestamp) -> Result<Self, tenure::Error> {
        let features = RfmFeatures::from_purchases(purchases, as_of)?;
        let rfm = Rfm::fit(&features, &RfmConfig::quintiles(Binning::Quantile))?;
        let scores = rfm.scores(&features);
        let rules = RuleSet::standard();
        let segments = rules.assign_all(&scores);
        let table = SegmentTable::new(&rules.names(), &segments, &features)?;
        let stages = Stages::new(purchases, as_of).map_err(|error| error.to_string());
        Ok(Self {
            features,
            rfm,
            scores,
            rules,
            segments,
            table,
            stages,
        })
    }

    /// The name of a row's segment.
    pub fn segment(&self, row: usize) -> &str {
        let segment = self.segments.get(row).copied();
        segment
            .and_then(|segment| self.rules.name(segment))
            .unwrap_or("?")
    }

    /// A row's stage, where stages are known.
    pub fn stage(&self, row: usize) -> Option<Stage> {
        self.stages.as_ref().ok()?.of.get(row).copied()
    }
}

impl Stages {
    fn new(purchases: &Purchases, as_of: Timestamp) -> Result<Self, tenure::Error> {
        let lifecycle = Lifecycle::from_rhythm(purchases, as_of, Multiples::default())?;
        let ids = lifecycle.over(purchases, as_of);
        let of = ids
            .iter()
            .filter_map(|(_, id)| Stage::ALL.get(id.index()).copied())
            .collect();
        Ok(Self { lifecycle, of })
    }

    /// Why a customer is in a stage.
    pub fn why(&self, purchases: &Purchases, customer: u32, as_of: Timestamp) -> Option<String> {
        let timeline = Timeline::of(purchases, customer, as_of)?;
        Some(self.lifecycle.explain(&timeline))
    }
}
