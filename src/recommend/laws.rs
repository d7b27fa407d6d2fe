//! The laws that every [`Scorer`] keeps, ours and yours.
//!
//! ```
//! use tenure::recommend::{Popularity, Query, laws};
//! use tenure::summary::InteractionSummary;
//!
//! let mut log = InteractionSummary::new();
//! log.push(0, 2, 1.0)?;
//! laws::check(&Popularity::of(&log.matrix()), &[Query::Customer(0), Query::Item(2)])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use thiserror::Error;

use super::{Explainer, Query, QueryError, Scorer, Scratch};

/// A law that a model breaks.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Broken {
    /// A query that should have an answer has none.
    #[error("query {query} has no answer: {source}")]
    NoAnswer {
        /// The query's place in the list.
        query: usize,
        /// What the model said.
        source: QueryError,
    },
    /// A score is NaN or infinite.
    #[error("query {query}: the score of item {item} is {score}")]
    NotFinite {
        /// The query's place in the list.
        query: usize,
        /// The item.
        item: u32,
        /// Its score.
        score: f32,
    },
    /// Blocks of a scan leave items out, or come in another order.
    #[error("query {query}: the scan shows item {found} where item {expected} was due")]
    Scan {
        /// The query's place in the list.
        query: usize,
        /// The item that was shown.
        found: u32,
        /// The item that should have been.
        expected: u32,
    },
    /// An item has one score in a scan and another when asked for alone, or when asked again.
    #[error("query {query}: item {item} has the scores {left} and {right}")]
    Differs {
        /// The query's place in the list.
        query: usize,
        /// The item.
        item: u32,
        /// One score.
        left: f32,
        /// The other.
        right: f32,
    },
    /// An item that the model does not know has a score.
    #[error("query {query}: item {item} is unknown and has a score")]
    Unknown {
        /// The query's place in the list.
        query: usize,
        /// The item.
        item: u32,
    },
    /// The reasons given for a score do not sum to it.
    #[error("query {query}: the reasons for item {item} sum to {sum}, its score is {score}")]
    Reasons {
        /// The query's place in the list.
        query: usize,
        /// The item.
        item: u32,
        /// What the reasons sum to.
        sum: f64,
        /// The score.
        score: f64,
    },
}

/// Tries that reasons sum to the scores: exactly to that of the explanation, and up to rounding (1e-5 of the
/// sum of their sizes, and the least normal number) to that of the model.
///
/// # Errors
/// The first law found broken.
pub fn check_reasons(model: &dyn Explainer, queries: &[Query<'_>]) -> Result<(), Broken> {
    let mut scratch = Scratch::new();
    for (number, query) in queries.iter().enumerate() {
        let scores = scanned(model, number, query, &mut scratch)?;
        for (item, &score) in (0..).zip(&scores) {
            let why = model.explain(query, item);
            let why = why.map_err(|source| Broken::NoAnswer {
                query: number,
                source,
            })?;
            let amounts = || why.contributions.iter().map(|reason| reason.amount);
            let sum: f64 = amounts().sum();
            let size: f64 = amounts().map(f64::abs).sum();
            const TINY: f64 = f32::MIN_POSITIVE as f64;
            // A score beyond the range of `f32` is cut off there.
            let rounded = sum.clamp(f64::from(f32::MIN), f64::from(f32::MAX));
            let near = (rounded - f64::from(score)).abs() <= 1e-5 * size + TINY;
            if sum.to_bits() != why.score.to_bits() || !near {
                return Err(Broken::Reasons {
                    query: number,
                    item,
                    sum,
                    score: if near { why.score } else { f64::from(score) },
                });
            }
        }
    }
    Ok(())
}

/// Tries the laws on some queries: every score is finite; a scan shows every item once, in order; alone
/// and in a scan an item has the same score up to rounding (1e-5 of the largest of the query); a
/// second time the same bits; an unknown item is refused.
///
/// # Errors
/// The first law found broken.
pub fn check(scorer: &dyn Scorer, queries: &[Query<'_>]) -> Result<(), Broken> {
    let mut scratch = Scratch::new();
    for (number, query) in queries.iter().enumerate() {
        let first = scanned(scorer, number, query, &mut scratch)?;
        let again = scanned(scorer, number, query, &mut scratch)?;
        let largest = first
            .iter()
            .fold(0.0_f32, |most, score| most.max(score.abs()));
        for (item, (&left, &right)) in (0..).zip(first.iter().zip(&again)) {
            if !left.is_finite() {
                return Err(Broken::NotFinite {
                    query: number,
                    item,
                    score: left,
                });
            }
            let mut alone = [0.0];
            let answer = scorer.score(query, &[item], &mut scratch, &mut alone);
            answer.map_err(|source| Broken::NoAnswer {
                query: number,
                source,
            })?;
            let [alone] = alone;
            let near = (left - alone).abs() <= 1e-5 * largest + f32::MIN_POSITIVE;
            if left.to_bits() != right.to_bits() || !near {
                return Err(Broken::Differs {
                    query: number,
                    item,
                    left,
                    right: if near { right } else { alone },
                });
            }
        }
        let unknown = scorer.items();
        if unknown < u32::MAX
            && scorer
                .score(query, &[unknown], &mut scratch, &mut [0.0])
                .is_ok()
        {
            return Err(Broken::Unknown {
                query: number,
                item: unknown,
            });
        }
    }
    Ok(())
}

fn scanned(
    scorer: &dyn Scorer,
    number: usize,
    query: &Query<'_>,
    scratch: &mut Scratch,
) -> Result<Vec<f32>, Broken> {
    let mut scores = Vec::new();
    let mut disorder = None;
    let scan = scorer.scan(query, scratch, &mut |first, block| {
        let expected = scores.len() as u32;
        if first != expected && disorder.is_none() {
            disorder = Some((first, expected));
        }
        scores.extend_from_slice(block);
    });
    scan.map_err(|source| Broken::NoAnswer {
        query: number,
        source,
    })?;
    let shown = scores.len() as u32;
    let disorder = disorder.or((shown != scorer.items()).then_some((shown, scorer.items())));
    match disorder {
        Some((found, expected)) => Err(Broken::Scan {
            query: number,
            found,
            expected,
        }),
        None => Ok(scores),
    }
}
