//! Orders for more than the score.

mod mmr;

pub use mmr::Mmr;

use super::{Scored, Scratch};

/// Orders candidates for more than their score: for diversity, for margin, for what must be sold.
///
/// The candidates are a list of [`recommend`](super::recommend), or of
/// [`recommend_capped`](super::recommend_capped), a few times as long as the list wanted: what a filter refused is not
/// among them, and a choice from a list that keeps a cap keeps it, too.
pub trait Reranker: Send + Sync {
    /// Overwrites `out` with exactly `k` of the candidates, best first; with all of them where they are fewer. The candidates
    /// come ordered by score, each keeps its own.
    fn rerank(&self, candidates: &[Scored], k: usize, scratch: &mut Scratch, out: &mut Vec<Scored>);
}
