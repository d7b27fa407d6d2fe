//! Retention: how well a shop keeps its customers.

mod activity;
mod churn_rate;
mod cohort;
mod cohort_matrix;
mod repeat;
mod revenue;
mod share;
mod window;

pub use activity::{Activity, PeriodLifecycle};
pub use churn_rate::PeriodChurn;
pub use cohort::{Measure, Rolling};
pub use cohort_matrix::{Cell, Cohort, CohortMatrix, Offsets};
pub use repeat::{RepeatPoint, RepeatPurchases};
pub use revenue::RevenueRetention;
pub use share::Share;
