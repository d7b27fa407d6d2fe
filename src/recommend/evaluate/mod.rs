//! How good are the lists, and is one model better than another, or was it luck?
//!
//! Hold a part of the log out ([`HoldOut`]), fit on the rest, make everybody's list and compare it with what they took
//! in the part held out ([`Evaluation`]).
//!
//! ```
//! use tenure::recommend::evaluate::{Bootstrap, Comparison, Evaluation, HoldOut, Metric};
//! use tenure::recommend::{ItemKnn, ItemSimilarity, Popularity, Unseen};
//! use tenure::simulate::{Retailer, RetailerConfig};
//!
//! let log = Retailer::new(RetailerConfig::grocery_like(150, 7))?.interactions()?;
//! let split = HoldOut::Pairs { share: 0.2, seed: 1 }.split(&log)?.matrices()?;
//! let neighbours = ItemKnn::fit(&split.train, ItemSimilarity::Cosine, 100)?;
//!
//! let unseen = Unseen(&split.train);
//! let evaluation = Evaluation::new(&split.test, &unseen, &[10, 20]);
//! let ours = evaluation.of(&neighbours)?;
//! let baseline = evaluation.of(&Popularity::of(&split.train))?;
//! println!("NDCG@10 {:.3}, of the best sellers {:.3}", ours.mean(10)?.ndcg, baseline.mean(10)?.ndcg);
//!
//! // The same customers judge both: that tells far smaller differences apart than two intervals do.
//! let bootstrap = Bootstrap { resamples: 1_000, confidence: 0.95, seed: 1 };
//! let (left, right) = (ours.values(Metric::Ndcg, 10)?, baseline.values(Metric::Ndcg, 10)?);
//! let better = Comparison::of(&left, &right, &bootstrap)?;
//! assert!(better.difference.low <= better.difference.estimate && better.permutation_p <= 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which to choose
//!
//! | you want to know | hold out | look at |
//! |---|---|---|
//! | how a model will do once it is live | [`HoldOut::From`] a date | [`ListMetrics::recall`], [`ListMetrics::ndcg`] |
//! | how models compare, when the log has no times | [`HoldOut::Pairs`] | the same |
//! | what comes next, from short histories | [`HoldOut::Last`] | [`ListMetrics::hit`], [`ListMetrics::mrr`] |
//! | how new customers fare | [`HoldOut::ColdCustomers`] | the same, with [`Evaluation::given`] |
//! | how new items fare | [`HoldOut::ColdItems`] | the same, with a filter that allows only them |
//! | whether a few best sellers crowd out the rest | any | [`Exposure`] |
//! | whether a list is ten times the same | any | [`Evaluation::similarity`] |
//! | whether a difference is luck | any | [`Comparison`] |
//! | which settings are best | a second hold-out of the training part | [`search`] |
//!
//! # What it assumes
//!
//! What was not taken in the part held out counts as not wanted. It may have been unknown: the figures are therefore
//! lower than the truth, and kinder to models that repeat what everybody sees. They rank models; an
//! experiment says what a list is worth.
//!
//! # What it costs
//!
//! The lists of all customers; what is judged of them takes a few microseconds each. Customers are taken in blocks, so that
//! their lists are never in memory together; 56 bytes a customer and cut remain. [`Evaluation::auc`] adds a look
//! at every score.
//!
//! # Where it comes from
//!
//! Järvelin and Kekäläinen (2002), *Cumulated gain-based evaluation of IR techniques* (NDCG); Liang et al.
//! (2018), *Variational autoencoders for collaborative filtering* (the truncated recall, cold customers); Castells, Hurley
//! and Vargas (2015), *Novelty and diversity in recommender systems*; Efron (1987), *Better bootstrap confidence
//! intervals*.

mod beyond;
mod draw;
mod evaluation;
mod hold_out;
mod luck;
mod metrics;
pub mod search;

pub use beyond::{Exposure, ItemCosine, diversity};
pub use evaluation::{EvaluateError, Evaluation, Quality};
pub use hold_out::{HoldOut, Repeats, Split};
pub use luck::{Bootstrap, Comparison, Interval, IntervalKind};
pub use metrics::{ListMetrics, Metric};
