//! What a list got right.

use serde::{Deserialize, Serialize};

/// How well the first k items of a list match what its customer took: each from 0 to 1, larger is better.
///
/// With the hits the items of the list that were taken, and T all that were taken:
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ListMetrics {
    /// hits / k.
    pub precision: f64,
    /// hits / |T|.
    pub recall: f64,
    /// hits / min(k, |T|): 1 is within reach for everybody.
    pub recall_truncated: f64,
    /// 1 if there is a hit.
    pub hit: f64,
    /// Σ over hits of 1 / log2(rank + 1), divided by what a perfect list has: the same sum over the ranks 1 to
    /// min(k, |T|).
    pub ndcg: f64,
    /// Average precision: Σ over hits of the precision at their rank, divided by min(k, |T|). Its mean over customers is MAP.
    pub map: f64,
    /// 1 / rank of the first hit, or 0.
    pub mrr: f64,
}

impl ListMetrics {
    /// Of the first `k` items of a list, best first and each once, for a customer who took `truth`, in
    /// ascending order. `None` when `k` is 0 or nothing was taken: there is nothing to get right.
    ///
    /// ```
    /// use tenure::recommend::evaluate::ListMetrics;
    ///
    /// let metrics = ListMetrics::of(&[3, 2, 7], &[1, 2, 5], 3).unwrap();
    /// assert_eq!((metrics.recall, metrics.mrr), (1.0 / 3.0, 0.5));
    /// ```
    pub fn of(list: &[u32], truth: &[u32], k: usize) -> Option<Self> {
        let gains = Gains::new(k.min(list.len().max(truth.len())));
        let mut metrics = None;
        if !truth.is_empty() {
            at_cuts(list.iter().copied(), truth, &[k], &gains, |found| {
                metrics = Some(found);
            });
        }
        metrics.filter(|_| k > 0)
    }

    /// The one that a [`Metric`] names.
    pub fn get(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Precision => self.precision,
            Metric::Recall => self.recall,
            Metric::RecallTruncated => self.recall_truncated,
            Metric::Hit => self.hit,
            Metric::Ndcg => self.ndcg,
            Metric::Map => self.map,
            Metric::Mrr => self.mrr,
        }
    }

    /// The mean, each metric summed in order; all 0 of none.
    pub(super) fn mean<'a>(all: impl ExactSizeIterator<Item = &'a Self>) -> Self {
        let customers = all.len().max(1) as f64;
        let mut sum = Self::default();
        for one in all {
            for (sum, value) in sum.fields().into_iter().zip(one.clone().fields()) {
                *sum += *value;
            }
        }
        for value in sum.fields() {
            *value /= customers;
        }
        sum
    }

    fn fields(&mut self) -> [&mut f64; 7] {
        [
            &mut self.precision,
            &mut self.recall,
            &mut self.recall_truncated,
            &mut self.hit,
            &mut self.ndcg,
            &mut self.map,
            &mut self.mrr,
        ]
    }
}

/// The name of one of [`ListMetrics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// [`ListMetrics::precision`].
    Precision,
    /// [`ListMetrics::recall`].
    Recall,
    /// [`ListMetrics::recall_truncated`].
    RecallTruncated,
    /// [`ListMetrics::hit`].
    Hit,
    /// [`ListMetrics::ndcg`].
    Ndcg,
    /// [`ListMetrics::map`].
    Map,
    /// [`ListMetrics::mrr`].
    Mrr,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Precision,
        Self::Recall,
        Self::RecallTruncated,
        Self::Hit,
        Self::Ndcg,
        Self::Map,
        Self::Mrr,
    ];

    /// Its name, as the field of [`ListMetrics`] is spelled.
    pub fn name(self) -> &'static str {
        match self {
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::RecallTruncated => "recall_truncated",
            Self::Hit => "hit",
            Self::Ndcg => "ndcg",
            Self::Map => "map",
            Self::Mrr => "mrr",
        }
    }
}

/// What a hit is worth by its rank, and a perfect list by its length.
pub(super) struct Gains {
    gain: Vec<f64>,
    ideal: Vec<f64>,
}

impl Gains {
    /// For ranks and lengths of at most `most`.
    pub(super) fn new(most: usize) -> Self {
        let gain: Vec<f64> = (0..most)
            .map(|before| 1.0 / libm::log2((before + 2) as f64))
            .collect();
        let mut sum = 0.0;
        let ideal = gain.iter().map(|gain| {
            sum += gain;
            sum
        });
        Self {
            ideal: ideal.collect(),
            gain,
        }
    }

    fn of(&self, before: usize) -> f64 {
        self.gain.get(before).copied().unwrap_or(0.0)
    }

    fn ideal(&self, length: usize) -> f64 {
        let last = length.checked_sub(1).and_then(|last| self.ideal.get(last));
        last.copied().unwrap_or(1.0)
    }
}

/// Shows the metrics of a list at each cut; the cuts ascend and are positive, and the truth ascends and is not empty.
pub(super) fn at_cuts(
    list: impl Iterator<Item = u32>,
    truth: &[u32],
    cuts: &[usize],
    gains: &Gains,
    mut visit: impl FnMut(ListMetrics),
) {
    let (mut hits, mut gain, mut precisions, mut first) = (0_usize, 0.0, 0.0, 0.0);
    let mut list = list.enumerate();
    let mut seen = 0;
    for &cut in cuts {
        for (before, item) in list.by_ref().take(cut - seen) {
            if truth.binary_search(&item).is_err() {
                continue;
            }
            hits += 1;
            let rank = (before + 1) as f64;
            gain += gains.of(before);
            precisions += hits as f64 / rank;
            if hits == 1 {
                first = 1.0 / rank;
            }
        }
        seen = cut;
        let within_reach = cut.min(truth.len());
        visit(ListMetrics {
            precision: hits as f64 / cut as f64,
            recall: hits as f64 / truth.len() as f64,
            recall_truncated: hits as f64 / within_reach as f64,
            hit: f64::from(u8::from(hits > 0)),
            ndcg: gain / gains.ideal(within_reach),
            map: precisions / within_reach as f64,
            mrr: first,
        });
    }
}

/// The probability that a taken item scores above one that was not, a tie counting half: the area under the ROC curve.
/// `None` when either kind is missing. `taken` is sorted here.
pub(super) fn auc(taken: &mut [f32], others: impl Iterator<Item = f32>) -> Option<f64> {
    taken.sort_unstable_by(f32::total_cmp);
    // A negative zero ties with a zero, which `total_cmp` would not see.
    let (mut pairs, mut count) = (0_u128, 0_u128);
    for score in others {
        let below = taken.partition_point(|&taken| taken < score);
        let not_above = taken.partition_point(|&taken| taken <= score);
        // In halves, so that the sum is exact.
        pairs += (2 * (taken.len() - not_above) + (not_above - below)) as u128;
        count += 1;
    }
    let all = 2 * count * taken.len() as u128;
    (all > 0).then(|| pairs as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_get_right_has_no_metrics() {
        assert_eq!(ListMetrics::of(&[1, 2], &[], 2), None);
        assert_eq!(ListMetrics::of(&[1, 2], &[1], 0), None);
        assert_eq!(
            ListMetrics::of(&[], &[1], usize::MAX),
            Some(ListMetrics::default())
        );
    }

    #[test]
    fn a_perfect_list_has_ones_but_for_what_its_length_forbids() {
        let list: Vec<u32> = (0..10).collect();
        let metrics = ListMetrics::of(&list, &[0, 1, 2, 3], 10).unwrap();
        let wanted = ListMetrics {
            precision: 0.4,
            recall: 1.0,
            recall_truncated: 1.0,
            hit: 1.0,
            ndcg: 1.0,
            map: 1.0,
            mrr: 1.0,
        };
        assert_eq!(metrics, wanted);
        let cut = ListMetrics::of(&list, &[0, 1, 2, 3], 2).unwrap();
        assert_eq!((cut.recall, cut.recall_truncated), (0.5, 1.0));
    }

    #[test]
    fn every_name_is_that_of_its_field() {
        let metrics = ListMetrics::of(&[9, 1, 8, 2], &[1, 2, 3], 4).unwrap();
        let json = serde_json::to_value(metrics).unwrap();
        assert_eq!(json.as_object().unwrap().len(), Metric::ALL.len());
        for metric in Metric::ALL {
            assert_eq!(json[metric.name()].as_f64(), Some(metrics.get(metric)));
        }
    }

    #[test]
    fn the_area_counts_pairs_and_half_of_ties() {
        let area = |taken: &[f32], others: &[f32]| auc(&mut taken.to_vec(), others.iter().copied());
        assert_eq!(area(&[2.0, 3.0], &[1.0, 0.0]), Some(1.0));
        assert_eq!(area(&[2.0], &[3.0, 1.0]), Some(0.5));
        assert_eq!(area(&[-0.0], &[0.0]), Some(0.5));
        assert_eq!(area(&[1.0, 2.0], &[1.0, 2.0, 3.0]), Some(0.25 + 1.0 / 12.0));
        assert_eq!((area(&[], &[1.0]), area(&[1.0], &[])), (None, None));
    }
}
