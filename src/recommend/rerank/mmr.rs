//! Lists whose items are not all alike.

use super::Reranker;
use crate::error::ConfigError;
use crate::recommend::{Scored, Scratch};

/// Maximal marginal relevance: item after item, the one with the largest λ · score − (1 − λ) · the largest likeness
/// to an item already in the list.
///
/// How alike two items are is yours to say, as a function of their numbers: the cosine of their contents
/// ([`ContentCosine`](crate::recommend::ContentCosine)), 1 for the same brand, …. It and the scores should be of one size.
///
/// ```
/// use tenure::recommend::{Mmr, Reranker, Scored, Scratch};
///
/// // Items 0 and 1 are of one brand.
/// let same_brand = |left: u32, right: u32| if left.max(right) < 2 { 1.0 } else { 0.0 };
/// let diverse = Mmr::new(0.6, same_brand)?;
/// let by_score = [(0, 0.9), (1, 0.8), (2, 0.5)].map(|(item, score)| Scored { item, score });
/// let (mut scratch, mut list) = (Scratch::new(), Vec::new());
/// diverse.rerank(&by_score, 2, &mut scratch, &mut list);
/// let items: Vec<u32> = list.iter().map(|scored| scored.item).collect();
/// assert_eq!(items, [0, 2]);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// A likeness for each candidate and each place of the list; hand over a few times k candidates, not all items.
///
/// # Source
/// Carbonell and Goldstein (1998), *The use of MMR, diversity-based reranking for reordering documents and producing
/// summaries*, the definition in section 2.
#[derive(Debug, Clone, Copy)]
pub struct Mmr<F> {
    lambda: f64,
    likeness: F,
}

impl<F: Fn(u32, u32) -> f64 + Send + Sync> Mmr<F> {
    /// With λ from 0, only diversity, to 1, only the score. A likeness that is no finite number counts as 0.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for any other λ.
    pub fn new(lambda: f64, likeness: F) -> Result<Self, ConfigError> {
        if (0.0..=1.0).contains(&lambda) {
            return Ok(Self { lambda, likeness });
        }
        Err(ConfigError::OutOfRange {
            setting: "lambda",
            value: lambda.to_string(),
            expected: "from 0 to 1",
        })
    }

    /// The choice itself, from items and their scores in any order: the places of the chosen, best first, and the
    /// marginal relevance at which each was chosen. At the same relevance the earlier candidate is better.
    pub fn choose(&self, candidates: &[(u32, f64)], k: usize) -> Vec<(usize, f64)> {
        let mut chosen = Vec::with_capacity(k.min(candidates.len()));
        let mut nearest = vec![0.0; candidates.len()];
        self.each_chosen(
            candidates.iter().copied(),
            k,
            &mut nearest,
            |at, relevance| {
                chosen.push((at, relevance));
            },
        );
        chosen
    }

    /// `nearest` has a place for each candidate.
    fn each_chosen(
        &self,
        candidates: impl Iterator<Item = (u32, f64)> + Clone,
        k: usize,
        nearest: &mut [f64],
        mut choose: impl FnMut(usize, f64),
    ) {
        /// Of a candidate that was chosen.
        const GONE: f64 = f64::INFINITY;
        for chosen in 0..k.min(nearest.len()) {
            let mut best: Option<(usize, u32, f64)> = None;
            for (at, ((item, score), nearest)) in candidates.clone().zip(&*nearest).enumerate() {
                let relevance = self.lambda * score - (1.0 - self.lambda) * nearest;
                if *nearest < GONE && best.is_none_or(|(_, _, most)| relevance > most) {
                    best = Some((at, item, relevance));
                }
            }
            let Some((at, item, relevance)) = best else {
                return;
            };
            choose(at, relevance);
            for (place, ((other, _), nearest)) in candidates.clone().zip(&mut *nearest).enumerate()
            {
                let likeness = (self.likeness)(other, item);
                let likeness = if likeness.is_finite() { likeness } else { 0.0 };
                *nearest = match place == at {
                    true => GONE,
                    // To nothing, every candidate had been 0.
                    false if chosen == 0 => likeness,
                    false => nearest.max(likeness),
                };
            }
        }
    }
}

impl<F: Fn(u32, u32) -> f64 + Send + Sync> Reranker for Mmr<F> {
    fn rerank(
        &self,
        candidates: &[Scored],
        k: usize,
        scratch: &mut Scratch,
        out: &mut Vec<Scored>,
    ) {
        out.clear();
        let (_, nearest) = scratch.zeros_and_doubles(0, candidates.len());
        let scores = candidates
            .iter()
            .map(|scored| (scored.item, f64::from(scored.score)));
        self.each_chosen(scores, k, nearest, |at, _| {
            out.extend(candidates.get(at).copied());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn by_score() -> Vec<Scored> {
        let scores = [(4, 0.9), (1, 0.8), (2, 0.8), (0, 0.1)];
        scores.map(|(item, score)| Scored { item, score }).to_vec()
    }

    fn reranked(mmr: &dyn Reranker, k: usize) -> Vec<Scored> {
        let mut list = vec![Scored {
            item: 9,
            score: 9.0,
        }];
        mmr.rerank(&by_score(), k, &mut Scratch::new(), &mut list);
        list
    }

    #[test]
    fn with_lambda_one_the_order_stays() {
        let mmr = Mmr::new(1.0, |_, _| 1.0).unwrap();
        for k in 0..6 {
            assert_eq!(reranked(&mmr, k), by_score()[..k.min(4)]);
        }
    }

    #[test]
    fn with_lambda_zero_only_the_likeness_counts() {
        // Numbers that are near are alike.
        let near = |left: u32, right: u32| -f64::from(left.abs_diff(right));
        let list = reranked(&Mmr::new(0.0, near).unwrap(), 3);
        let items: Vec<u32> = list.iter().map(|scored| scored.item).collect();
        assert_eq!(items, [4, 0, 2]);
    }

    #[test]
    fn a_likeness_that_is_no_number_costs_no_place() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mmr = Mmr::new(0.5, move |_, _| bad).unwrap();
            assert_eq!(reranked(&mmr, 4), by_score());
        }
    }

    #[test]
    fn a_lambda_out_of_range_is_named() {
        for lambda in [-0.1, 1.1, f64::NAN] {
            let error = Mmr::new(lambda, |_, _| 0.0).err().unwrap();
            let expected = format!("the setting `lambda` is {lambda}; it must be from 0 to 1");
            assert_eq!(error.to_string(), expected);
        }
    }

    proptest! {
        /// Of what is left, nothing would have been better at its place.
        #[test]
        fn every_place_has_the_best_of_what_is_left(
            scores in vec(-2_f64..2.0, 0..30),
            likeness in vec(-1_f64..1.0, 900),
            lambda in 0_f64..=1.0,
            k in 0_usize..40,
        ) {
            let alike = |a: u32, b: u32| likeness[a.min(b) as usize * 30 + a.max(b) as usize];
            let candidates: Vec<(u32, f64)> = (0..).zip(scores).collect();
            let chosen = Mmr::new(lambda, alike).unwrap().choose(&candidates, k);
            prop_assert_eq!(chosen.len(), k.min(candidates.len()));
            for (place, &(at, relevance)) in chosen.iter().enumerate() {
                let before = &chosen[..place];
                let worth = |at: usize| {
                    let to = before.iter().map(|&(other, _)| alike(at as u32, other as u32));
                    let nearest = to.reduce(f64::max).unwrap_or(0.0);
                    lambda * candidates[at].1 - (1.0 - lambda) * nearest
                };
                prop_assert!((worth(at) - relevance).abs() < 1e-12);
                for other in (0..candidates.len()).filter(|at| !before.iter().any(|(b, _)| b == at)) {
                    prop_assert!(worth(other) <= relevance + 1e-12);
                }
            }
        }
    }
}
