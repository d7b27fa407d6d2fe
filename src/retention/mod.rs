//! Retention: how well a shop keeps its customers.
//!
//! "What is our retention?" is several questions. Each has its own figure, and on one log they can
//! differ by a factor of two and more, so that a figure means something only with its definition:
//!
//! | the question | the figure | here |
//! |---|---|---|
//! | Of those who began together, how many are there k weeks later? | cohort matrix | [`CohortMatrix`] |
//! | How many customers do we have, and how often do they come? | active customers, stickiness | [`Activity`] |
//! | Do we grow because many come or because few leave? | growth accounting, quick ratio | [`Activity::lifecycle`] |
//! | Of last month's customers, how many were not there this month? | churn rate | [`PeriodChurn`] |
//! | How many buy a second time, and how soon? | repeat-purchase rate and curve | [`RepeatPurchases`] |
//! | Of last year's revenue, how much came back? | net and gross revenue retention | [`RevenueRetention`] |
//!
//! ```
//! use tenure::event::{Decimals, Events, Period, Timestamp, Transactions, Zone};
//! use tenure::retention::{Activity, CohortMatrix, Measure};
//! use tenure::summary::ActivitySummary;
//!
//! let on = |month, day| Timestamp::from_civil(1997, month, day).unwrap();
//! let (log, _) = Transactions::from_rows(Decimals::TWO, [
//!     ("ann", on(1, 1), 2933), ("ann", on(2, 18), 2973), ("ann", on(3, 2), 1496),
//!     ("bob", on(1, 4), 1177), ("cyd", on(2, 9), 999), ("cyd", on(3, 30), 999),
//! ])?;
//! let activity = ActivitySummary::collect(&Events::from(&log), Period::Month, &Zone::UTC)?;
//!
//! let matrix = CohortMatrix::calendar(&activity, &Measure::NPeriod { offsets: 3 }, on(4, 1))?;
//! for (cohort, cells) in matrix.rows() {
//!     // January 2 customers [Some(1.0), Some(0.5), Some(0.5)], then February 1 customer […]
//!     let rates: Vec<Option<f64>> = cells.map(|cell| cell.rate()).collect();
//!     println!("{} {} {rates:?}", matrix.period().label(cohort.period), cohort.size);
//! }
//! let average: Vec<_> = matrix.averages().iter().map(|share| share.rate()).collect();
//! assert_eq!(average, [Some(1.0), Some(2.0 / 3.0), Some(0.5)]);
//!
//! let months = Activity::new(&activity, activity.periods())?;
//! assert_eq!(months.active(), [2, 2, 2]);
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! # Which to choose
//!
//! * **Does the shop get better?** Cohorts: only they compare like with like. Totals of active
//!   customers rise as long as advertising does, however badly customers are kept.
//! * **Which measure of a cohort?** [`Measure::NPeriod`] when customers should come in every period
//!   (groceries by week). [`Measure::Brackets`] when they come at intervals that vary ("between
//!   week 2 and week 6"). [`Measure::Unbounded`] for "not lost yet".
//! * **Which period?** About the usual time between two purchases
//!   ([`RepeatPurchases::median_gap_s`]): by day a shop of monthly customers looks empty, by year
//!   every shop looks loyal.
//! * **[`calendar`](CohortMatrix::calendar) or [`rolling`](CohortMatrix::rolling)?** Calendar for
//!   reports: its columns are the weeks everybody knows. Rolling for the first days after a
//!   beginning, where the hours count: a customer who comes at 23:50 and again at 00:10 is "back
//!   the next day" in a calendar.
//! * **Retail without contracts?** Nobody says good-bye: a churn rate counts who was *not seen*,
//!   and somebody who buys every second month churns every other month. Prefer cohorts and the
//!   repeat-purchase curve here, and P(alive) of the models in `lifetime` for single customers.
//! * **Net or gross revenue?** Gross says what is kept, net what it grows to. A few customers who
//!   expand can hide that many leave, so show both.
//!
//! # Traps
//!
//! * **Unfinished cells.** This week's cell grows until Sunday. A mean that takes it in says that
//!   retention has just collapsed. The end of the observation is therefore an argument everywhere,
//!   a [`Cell`] says in its type whether it is complete, and [`CohortMatrix::averages`] takes
//!   complete ones alone, weighted by the size of their cohorts. A cell is complete when every
//!   customer of the cohort was observable for the whole of the offset.
//! * **The first cohort of a log** holds everybody who was a customer before the log began, and so
//!   does "new" in the first periods. Leave out the first cohorts, or begin the log with
//!   the shop.
//! * **The zone.** A day begins when it begins for the customer; a sale at 20:00 in New York is
//!   tomorrow in UTC. Days of 23 and 25 hours are days in the calendar measures; the rolling ones
//!   count seconds.
//! * **Censoring.** Late customers had less time for a second purchase. The plain
//!   [rate](RepeatPurchases::rate) of a growing shop is too low; [`RepeatPurchases::curve`]
//!   corrects for it.
//! * **What is an event?** Two receipts of one visit are no return. The calendar measures count
//!   periods, whatever happens in them; for the others choose the
//!   [`Grain`](crate::summary::Grain) of the purchases.
//!
//! # Exactness and cost
//!
//! Counts are whole numbers, whatever the order of the rows; a [`Share`] keeps both of its counts.
//! Revenue is whole minor units. All but [`CohortMatrix::rolling`] read a summary, never the log:
//! ten million events of a million customers by week are one small bitmap a customer,
//! and a matrix takes some hundredths of a second.
//!
//! # Sources
//!
//! Measures and their names as in the documentation of Mixpanel (on, on or after; calendar,
//! rolling; weighted averages), Amplitude (N-day, unbounded, bracket) and PostHog (new, returning,
//! resurrecting, dormant). Kaplan and Meier, *Nonparametric Estimation from Incomplete
//! Observations* (1958), with the variance of Greenwood (1926). Quantiles: Hyndman and Fan, *Sample
//! Quantiles in Statistical Packages* (1996), type 7.

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
