//! Why an item is recommended.

use super::{Query, QueryError, Scorer};

/// What an item that was taken adds to the score of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// The item that was taken.
    pub item: u32,
    /// What it adds; below 0 where it speaks against the other.
    pub amount: f64,
}

/// A score and where it comes from: "because you bought …".
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The score: the sum of the contributions, in their order.
    pub score: f64,
    /// One for each item taken, also where it adds nothing, in the order of the query's items.
    pub contributions: Vec<Contribution>,
}

impl Explanation {
    pub(super) fn of(contributions: Vec<Contribution>) -> Self {
        Self {
            score: contributions.iter().map(|reason| reason.amount).sum(),
            contributions,
        }
    }

    /// The contributions that speak most for the item, largest first, at most `most` of them; those
    /// that are not positive are left out.
    pub fn reasons(&self, most: usize) -> Vec<Contribution> {
        let mut reasons = self.contributions.clone();
        reasons.retain(|reason| reason.amount > 0.0);
        reasons.sort_by(|left, right| {
            let by_amount = right.amount.total_cmp(&left.amount);
            by_amount.then(left.item.cmp(&right.item))
        });
        reasons.truncate(most);
        reasons
    }
}

/// A model whose scores are sums over the items taken, and that shows the terms.
///
/// [`laws::check_reasons`](super::laws::check_reasons) tries that they sum to the score.
pub trait Explainer: Scorer {
    /// The score of an item, term by term.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    fn explain(&self, query: &Query<'_>, item: u32) -> Result<Explanation, QueryError>;
}
