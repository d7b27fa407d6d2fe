//! The best k items, exactly, with every rule kept.

use std::cmp::Ordering;

use super::{ItemFilter, Query, QueryError, Scorer, Scratch};

/// An item and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The item.
    pub item: u32,
    /// How much it is wanted, against the others of the same query.
    pub score: f32,
}

impl Scored {
    /// Best first: by score, at the same score by number, the lower one first.
    pub fn best_first(left: &Self, right: &Self) -> Ordering {
        let by_score = right.score.total_cmp(&left.score);
        by_score.then(left.item.cmp(&right.item))
    }
}

/// The `k` best items that the filter allows, best first: exactly `k` of them while so many are allowed.
///
/// At the same score the item of the lower number is better. With `k` = 0, a model without items or a filter that leaves nothing
/// the list is empty. `out` is overwritten; it and `scratch` are lent,
/// and with them a query allocates nothing.
///
/// # Errors
/// Those of the model.
pub fn recommend(
    scorer: &dyn Scorer,
    query: &Query<'_>,
    k: usize,
    filter: &dyn ItemFilter,
    scratch: &mut Scratch,
    out: &mut Vec<Scored>,
) -> Result<(), QueryError> {
    best_of(scorer, query, k, filter, scratch, out)
}

/// As [`recommend`], of a model whose type may be known.
pub(super) fn best_of<S: Scorer + ?Sized>(
    scorer: &S,
    query: &Query<'_>,
    k: usize,
    filter: &dyn ItemFilter,
    scratch: &mut Scratch,
    out: &mut Vec<Scored>,
) -> Result<(), QueryError> {
    out.clear();
    let k = k.min(scorer.items() as usize);
    if k == 0 {
        return Ok(());
    }
    let mut best = Best { k, heap: out };
    scorer.scan(query, scratch, &mut |first, scores| {
        for (item, &score) in (first..).zip(scores) {
            // A negative zero is a zero: the two would not be the same score.
            let score = score + 0.0;
            let scored = Scored { item, score };
            // Most items fall here, before their filter is asked.
            if best.would_take(&scored) && filter.allows(query, item) {
                best.take(scored);
            }
        }
    })?;
    out.sort_unstable_by(Scored::best_first);
    Ok(())
}

/// A heap of the best so far, the worst of them on top.
pub(super) struct Best<'a> {
    /// Positive.
    pub(super) k: usize,
    pub(super) heap: &'a mut Vec<Scored>,
}

impl Best<'_> {
    /// The score that an item must reach; `None` while every item is taken.
    pub(super) fn least(&self) -> Option<f32> {
        let full = self.heap.len() == self.k;
        self.heap.first().filter(|_| full).map(|worst| worst.score)
    }

    pub(super) fn would_take(&self, scored: &Scored) -> bool {
        match self.heap.first() {
            Some(worst) if self.heap.len() == self.k => is_worse(worst, scored),
            _ => true,
        }
    }

    pub(super) fn take(&mut self, scored: Scored) {
        if self.heap.len() < self.k {
            self.heap.push(scored);
            self.rise();
        } else if let Some(worst) = self.heap.first_mut() {
            *worst = scored;
            self.sink();
        }
    }

    fn rise(&mut self) {
        let mut at = self.heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if !is_worse(&self.heap[at], &self.heap[parent]) {
                break;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    fn sink(&mut self) {
        let mut at = 0;
        loop {
            let children = (2 * at + 1..2 * at + 3).filter(|&child| child < self.heap.len());
            let worst = children.reduce(|left, right| {
                if is_worse(&self.heap[right], &self.heap[left]) {
                    right
                } else {
                    left
                }
            });
            match worst {
                Some(child) if is_worse(&self.heap[child], &self.heap[at]) => {
                    self.heap.swap(at, child);
                    at = child;
                }
                _ => return,
            }
        }
    }
}

fn is_worse(left: &Scored, right: &Scored) -> bool {
    Scored::best_first(left, right) == Ordering::Greater
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// The same scores for everybody.
    struct Fixed(Vec<f32>);

    impl Scorer for Fixed {
        fn items(&self) -> u32 {
            self.0.len() as u32
        }
        fn score(
            &self,
            _: &Query<'_>,
            items: &[u32],
            _: &mut Scratch,
            out: &mut [f32],
        ) -> Result<(), QueryError> {
            for (place, &item) in out.iter_mut().zip(items) {
                *place = self.0[item as usize];
            }
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn the_best_are_those_of_a_full_sort(
            scores in vec(prop_oneof![Just(0.0_f32), Just(-0.0), -3_f32..3.0], 0..600),
            k in 0_usize..40,
            step in 1_u32..5,
        ) {
            let allowed = |item: u32| item.is_multiple_of(step);
            let mut all: Vec<Scored> = (0..).zip(&scores)
                .map(|(item, &score)| Scored { item, score })
                .filter(|scored| allowed(scored.item))
                .collect();
            all.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap().then(a.item.cmp(&b.item)));
            all.truncate(k);
            let (mut scratch, mut out) = (Scratch::new(), Vec::new());
            recommend(&Fixed(scores), &Query::Customer(0), k, &allowed, &mut scratch, &mut out).unwrap();
            prop_assert_eq!(out, all);
        }
    }
}
