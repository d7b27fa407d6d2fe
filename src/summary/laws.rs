//! The law of every summary, as a check that runs on any of them and on yours.
//!
//! A summary is a commutative monoid over its facts: however the facts are split, in whatever order
//! they come, and however the parts are merged, the result is equal. That is what makes it fit for
//! threads, partial files, daily increments and distributed engines alike.
//!
//! ```
//! use tenure::event::{Period, Timestamp, Zone};
//! use tenure::summary::{ActivitySummary, laws};
//!
//! let day = |d| Timestamp::from_civil(2024, 1, d).unwrap();
//! let facts = [(0, day(3)), (1, day(9)), (0, day(30)), (0, day(3))];
//! let empty = ActivitySummary::new(Period::ISO_WEEK, &Zone::UTC);
//! laws::check(&empty, &facts, 42)?;
//! # Ok::<(), tenure::summary::laws::Broken>(())
//! ```

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use thiserror::Error;

use super::Summary;

/// A law that did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Broken {
    /// Merging with the summary of nothing changed something.
    #[error("merging with an empty summary changes the summary")]
    Identity,
    /// The same facts in another order gave another summary.
    #[error("the summary depends on the order of the facts")]
    Order,
    /// Merging a with b and b with a gave different summaries.
    #[error("merging a with b differs from merging b with a")]
    Commutativity,
    /// Parts of the facts, merged, gave another summary than all the facts.
    #[error("the summary depends on how the facts are split and merged")]
    Split,
}

/// Tries the laws on some facts: order, identity, commutativity, and random splits merged in random
/// trees, of which associativity is a part.
///
/// `seed` chooses the orders and splits; the same seed tries the same ones. Where facts cannot be
/// summarised (a sum leaves its range, say), every way must fail.
///
/// # Errors
/// The first law that is [`Broken`].
pub fn check<S: Summary>(empty: &S, facts: &[S::Fact], seed: u64) -> Result<(), Broken> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let whole = summarise(empty, facts);
    let mut facts = facts.to_vec();
    for _ in 0..4 {
        facts.shuffle(&mut rng);
        expect(summarise(empty, &facts) == whole, Broken::Order)?;

        let (left, right) = facts.split_at(rng.random_range(0..=facts.len()));
        let (left, right) = (summarise(empty, left), summarise(empty, right));
        let (ab, ba) = (
            merged(left.clone(), right.clone()),
            merged(right, left.clone()),
        );
        expect(ab == ba, Broken::Commutativity)?;
        expect(ab == whole, Broken::Split)?;
        for (a, b) in [
            (left.clone(), Some(empty.empty())),
            (Some(empty.empty()), left.clone()),
        ] {
            expect(merged(a, b) == left, Broken::Identity)?;
        }

        expect(
            in_random_parts(empty, &facts, &mut rng) == whole,
            Broken::Split,
        )?;
    }
    Ok(())
}

fn expect(holds: bool, law: Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(law) }
}

/// `None` when a fact is refused.
fn summarise<S: Summary>(empty: &S, facts: &[S::Fact]) -> Option<S> {
    let mut summary = empty.empty();
    facts
        .iter()
        .try_for_each(|&fact| summary.push_fact(fact))
        .ok()?;
    Some(summary)
}

fn merged<S: Summary>(left: Option<S>, right: Option<S>) -> Option<S> {
    let mut left = left?;
    left.merge(right?).ok()?;
    Some(left)
}

/// Facts dealt out to parts, some of them empty, and the parts merged two by two.
fn in_random_parts<S: Summary>(empty: &S, facts: &[S::Fact], rng: &mut ChaCha8Rng) -> Option<S> {
    let mut parts = vec![Some(empty.empty()); rng.random_range(1..=8)];
    for &fact in facts {
        let at = rng.random_range(0..parts.len());
        if let Some(slot) = parts.get_mut(at) {
            let mut part = slot.take();
            *slot = match part.as_mut().map(|part| part.push_fact(fact)) {
                Some(Ok(())) => part,
                _ => None,
            };
        }
    }
    while parts.len() > 1 {
        let right = parts.swap_remove(rng.random_range(0..parts.len()));
        let at = rng.random_range(0..parts.len());
        if let Some(slot) = parts.get_mut(at) {
            *slot = merged(slot.take(), right);
        }
    }
    parts.pop().flatten()
}
