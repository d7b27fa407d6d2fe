//! Public types can be sent to and shared between threads, and survive a panic elsewhere.

use std::panic::{RefUnwindSafe, UnwindSafe};

use tenure::error::{ConfigError, DataError, Error, FitError};
use tenure::event::{
    AliasTable, CovariateRows, Decimals, Ids, Interactions, Period, Timestamp, Transactions, Zone,
};
use tenure::lifetime::compare::{Candidate, Comparison};
use tenure::lifetime::interval::{Interval, Posterior};
use tenure::lifetime::{
    Bdw, BgBb, BgNbd, Bound, Discount, DynamicParetoNbd, FitReport, Fitted, GammaGamma, Geometric,
    GompertzGammaNbd, Horizon, LognormalSpend, Membership, Sbg, Schedule, SpendIndependence,
    WithCovariates,
};
use tenure::recommend::{
    Als, Availability, Bpr, Buyers, ContentCosine, CustomerLists, FoldIn, ItemGroups, ItemSet,
    Popularity, PriceRange, Quantised, Scratch, SessionKnn, TopLists, Warp,
};
use tenure::report::{ReportData, RetentionReport};
use tenure::retention::{CohortMatrix, PeriodChurn, RevenueRetention};
use tenure::segment::{Lifecycle, Rfm, RfmFeatures, RuleSet, SegmentTable, Transitions};
use tenure::simulate::Retailer;
use tenure::summary::{
    ActivitySummary, CovariatePaths, Covariates, DistinctHistories, Histories, History,
    InteractionMatrix, InteractionSummary, ItemGram, ItemSummary, OccasionHistory, OccasionSummary,
    PathHistories, PurchaseSummary, Purchases, RenewalSummary, RfmSummary,
};

fn thread_safe<T: Send + Sync>() {}
fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

macro_rules! every {
    ($check:ident: $($kind:ty),+ $(,)?) => { $($check::<$kind>();)+ };
}

#[test]
fn facts_summaries_and_models_go_anywhere() {
    every!(thread_safe:
        Error, ConfigError, DataError, FitError,
        Transactions, Interactions, Ids<String>, AliasTable<String>, Timestamp, Zone, Period, Decimals,
        PurchaseSummary, Purchases, ActivitySummary, RfmSummary, ItemSummary, InteractionSummary, InteractionMatrix, Histories, History, DistinctHistories,
        Rfm, RfmFeatures, RuleSet, Lifecycle, SegmentTable, Transitions,
        CohortMatrix, PeriodChurn, RevenueRetention,
        BgNbd, GammaGamma, Fitted<BgNbd>, FitReport, Discount, Horizon, Schedule, Posterior<BgNbd>, Interval, Candidate<'static>, Comparison<'static>,
        GompertzGammaNbd, LognormalSpend, SpendIndependence, Membership<'static>,
        WithCovariates<BgNbd>, Bound<BgNbd>, Covariates, DynamicParetoNbd, CovariatePaths, PathHistories<'static>, CovariateRows, Sbg, Bdw, Geometric, BgBb, RenewalSummary, OccasionSummary, OccasionHistory,
        Als, Bpr, Warp, Quantised, FoldIn, TopLists, Buyers<'static>, ContentCosine, SessionKnn, Popularity, Scratch, ItemGram,
        ItemSet, ItemGroups, CustomerLists, Availability, PriceRange<'static>,
        Retailer, ReportData, RetentionReport,
    );
    every!(unwind_safe:
        Error, Transactions, Interactions, Timestamp, Zone, PurchaseSummary, Purchases, Histories, Rfm, RuleSet,
        Lifecycle, CohortMatrix, BgNbd, GammaGamma, Fitted<BgNbd>, Posterior<BgNbd>, ReportData, RetentionReport,
    );
}
