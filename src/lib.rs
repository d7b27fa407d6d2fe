//! Customer retention in one process: who the customers of a shop are, how it keeps them, what they
//! are worth and who is leaving.
//!
//! *Tenure* is the field's word for how long somebody has been a customer. Retailers that keep their
//! customers run one loop, and the crate is that loop:
//!
//! > observe → understand → predict → act → prove → (observe)
//!
//! | step | module | the question it answers |
//! |---|---|---|
//! | observe | [`event`] | what happened: orders, visits, what was bought |
//! | | [`summary`] | what of it must be remembered per customer, item and cohort |
//! | understand | [`segment`] | who are they: RFM, rules, lifecycle stages |
//! | | [`retention`] | how are we doing: cohorts, repeat rate, churn rate, activity, revenue |
//! | predict | [`lifetime`] | what is each one worth: purchases, spend, value, with intervals |
//! | | [`recommend`] | what does each one want next, and why |
//! | act | [`loyalty`] | what have they earned: programmes, and the points ledger |
//! | border | `report` (feature) | the same answers as one page with pictures |
//! | | [`simulate`] | a retailer whose truth is known, to test and size all of the above |
//!
//! # A tour
//!
//! ```
//! use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
//! use tenure::lifetime::{BgNbd, CustomerValue, Discount, FitOptions, GammaGamma, Horizon, PurchaseModel};
//! use tenure::simulate::{Retailer, RetailerConfig};
//! use tenure::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds, TimeUnit};
//!
//! // observe: any log of (customer, time, amount); here that of a simulated shop
//! let log: Transactions = Retailer::new(RetailerConfig::cdnow_like(2_000, 7))?.transactions()?;
//!
//! // summarise: all rows of a day are one purchase
//! let options = PurchaseOptions {
//!     grain: Grain::Period(Period::Day),
//!     zone: Zone::UTC,
//!     refunds: Refunds::Net,
//! };
//! let purchases = PurchaseSummary::collect(&log, &options)?.into_purchases()?;
//! let today = log.end().unwrap();
//! let histories = purchases.histories(today, TimeUnit::Week)?;
//!
//! // predict: who is still there, and what is each worth over the next year
//! let model = BgNbd::fit(&histories, &FitOptions::default())?;
//! let spend = GammaGamma::fit(&histories, &FitOptions::default())?;
//! let first = histories.get(0).unwrap();
//! assert!((0.0..=1.0).contains(&model.probability_alive(&first)));
//! let value = CustomerValue::new(&*model, &*spend, Discount::annual(0.10)?);
//! let year = value.over(&histories, Horizon::months(12))?;
//! assert_eq!(year.len(), histories.len());
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! # Four kinds of thing
//!
//! 1. **Facts** are what happened: columns of equal length, checked once and trusted after it. Time is
//!    whole seconds UTC, money whole minor units.
//! 2. **Summaries** are what must be remembered. Each is a commutative monoid
//!    ([`Summary`](summary::Summary)): any split of the facts, in any order, merged in any way, gives
//!    the same summary. That one law gives streaming, threads, partial files and daily increments.
//! 3. **Models** answer questions. Fitted from summaries, then immutable, `Send + Sync`, serialisable,
//!    and behind a small trait that names the question. Your own model enters by implementing one.
//! 4. **Decisions** change the world, and are exact.
//!
//! # Laws that hold everywhere
//!
//! * Same inputs, same bits, at any number of threads. A random choice takes a seed from the caller.
//! * Valid input never gives NaN, infinity or a panic. Invalid input gives an [`error`] that says which
//!   value, where, and what would be right.
//! * A fit whose likelihood has no interior maximum says so.
//! * No clock, no file, no network and no thread pool of its own inside a model.
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | `csv` | facts and alias tables from CSV streams (`event::csv`); the points ledger's exports as CSV | no |
//! | `json` | the points ledger's exports as JSON lines | no |
//! | `parallel` | threads (rayon) for fits and batch answers; the results stay the same | no |
//! | `postgres` | a points ledger in PostgreSQL (`loyalty::postgres`) | no |
//! | `report` | the page (`report`) | no |
#![deny(missing_docs)]

pub mod error;
pub mod event;
pub mod lifetime;
pub mod loyalty;
mod numeric;
pub mod recommend;
#[cfg(feature = "report")]
pub mod report;
pub mod retention;
pub mod segment;
pub mod simulate;
pub mod summary;

pub use error::Error;

#[cfg(all(doctest, feature = "csv"))]
#[doc = include_str!("../README.md")]
mod readme {}
