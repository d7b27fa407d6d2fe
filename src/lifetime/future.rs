//! What a customer will do next, as a distribution.

use super::{PurchaseModel, check_places, of_distinct};
use crate::error::DataError;
use crate::summary::{Histories, History};

/// Knows the distribution of a customer's purchases to come, not only their expected number.
///
/// Times are in the unit of the histories and count from the end of the observation, T. Every model
/// keeps the laws that [`laws::check_future`](super::laws::check_future) tests.
///
/// When will the customer buy next? Perhaps never: so there are three answers, the probability of a
/// purchase by then ([`probability_of_purchase`](Self::probability_of_purchase)), the time by which
/// there was one with a given probability ([`time_to_purchase`](Self::time_to_purchase)), and the mean
/// time to it if there is one ([`mean_time_to_purchase`](Self::mean_time_to_purchase), which is often
/// infinite).
///
/// Each has a batch method, which [`Posterior::intervals`](super::interval::Posterior::intervals) takes for its ends.
///
/// ```
/// use tenure::lifetime::{BgNbd, FuturePurchases, PurchaseModel};
/// use tenure::summary::History;
///
/// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426)?;
/// let history = History::new(2, 30.43, 38.86)?;
/// let mut counts = [0.0; 3];
/// model.future_purchase_probabilities(&history, 39.0, &mut counts);
/// assert!((counts[0] - 0.4453).abs() < 1e-3);
/// // Half of such customers buy within 30 weeks; a quarter never do again.
/// let median = model.time_to_purchase(&history, 0.5).unwrap();
/// assert!((29.0..30.0).contains(&median));
/// let ever = model.probability_of_any_purchase(&history);
/// assert_eq!(ever, model.probability_alive(&history));
/// assert_eq!(model.time_to_purchase(&history, 0.9), None);
/// // Of those who do, half within 16 weeks.
/// let typical = model.time_to_purchase(&history, 0.5 * ever).unwrap();
/// assert!((15.0..16.0).contains(&typical));
/// # Ok::<(), tenure::Error>(())
/// ```
pub trait FuturePurchases: PurchaseModel {
    /// The probability that the customer is still alive some time after the end of the observation.
    /// A delay that is not positive is none.
    fn probability_alive_after(&self, history: &History, delay: f64) -> f64;

    /// P(X(T, T + t) = n | history) for n = 0, 1, …: how many purchases the customer makes in the time
    /// `t` after the end of the observation, as many probabilities as `out` has places.
    fn future_purchase_probabilities(&self, history: &History, t: f64, out: &mut [f64]);

    /// The probability of each row's number of purchases: P(X(T, T + t) = `counts`\[i\] | history i). Zero
    /// where it is below the smallest number there is.
    ///
    /// By default [`future_purchase_probabilities`](Self::future_purchase_probabilities) once for
    /// each distinct history.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there are one count and one place in `out` for each row.
    fn count_probabilities_batch(
        &self,
        histories: &Histories,
        t: f64,
        counts: &[u32],
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        check_counts(histories, counts)?;
        let mut rows: Vec<(History, u32, &mut f64)> = histories
            .iter()
            .zip(counts)
            .zip(out)
            .map(|((history, &count), place)| (history, count, place))
            .collect();
        let times = |history: &History| {
            (
                history.frequency,
                history.recency.to_bits(),
                history.age.to_bits(),
            )
        };
        rows.sort_by_key(|(history, count, _)| (times(history), *count));
        let mut probabilities = Vec::new();
        for alike in rows.chunk_by_mut(|(left, ..), (right, ..)| times(left) == times(right)) {
            let Some((history, most, _)) = alike.last() else {
                continue;
            };
            probabilities.clear();
            probabilities.resize(*most as usize + 1, 0.0);
            self.future_purchase_probabilities(history, t, &mut probabilities);
            for (_, count, place) in alike {
                **place = probabilities.get(*count as usize).copied().unwrap_or(0.0);
            }
        }
        Ok(())
    }

    /// The expected time from the end of the observation to the next purchase, given that there is one;
    /// infinite where that time has no mean, as for most customers without a repeat purchase.
    fn mean_time_to_purchase(&self, history: &History) -> f64;

    /// The probability that the customer buys at least once in the time `t` after the end of the
    /// observation.
    fn probability_of_purchase(&self, history: &History, t: f64) -> f64 {
        let mut none = [1.0];
        self.future_purchase_probabilities(history, t, &mut none);
        (1.0 - none[0]).max(0.0)
    }

    /// The probability that the customer buys ever again: what
    /// [`probability_of_purchase`](Self::probability_of_purchase) tends to. By default that within the
    /// largest number there is.
    fn probability_of_any_purchase(&self, history: &History) -> f64 {
        self.probability_of_purchase(history, f64::MAX)
    }

    /// The time after the end of the observation by which the customer has bought with the
    /// `probability`; `None` where that is never reached, 0 for a probability of 0.
    ///
    /// For the median time of those who do buy again ask for half of
    /// [`probability_of_any_purchase`](Self::probability_of_any_purchase). By default found by halving,
    /// in some 63 steps of [`probability_of_purchase`](Self::probability_of_purchase), to the last bit
    /// that this can tell.
    fn time_to_purchase(&self, history: &History, probability: f64) -> Option<f64> {
        let reached = |t: f64| self.probability_of_purchase(history, t) >= probability;
        // Positive numbers are ordered as their bits are.
        let (mut early, mut late) = (0_u64, f64::MAX.to_bits());
        if probability.is_nan()
            || probability >= self.probability_of_any_purchase(history)
            || !reached(f64::MAX)
        {
            return None;
        }
        if probability <= 0.0 {
            return Some(0.0);
        }
        while late - early > 1 {
            let middle = early + (late - early) / 2;
            if reached(f64::from_bits(middle)) {
                late = middle;
            } else {
                early = middle;
            }
        }
        Some(f64::from_bits(late))
    }

    /// [`probability_alive_after`](Self::probability_alive_after) of every row: like all batches here, once for each distinct
    /// (x, t_x, T).
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn probability_alive_after_batch(
        &self,
        histories: &Histories,
        delay: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        of_distinct(histories, out, |history| {
            self.probability_alive_after(history, delay)
        })
    }

    /// [`probability_of_purchase`](Self::probability_of_purchase) of every row.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn probability_of_purchase_batch(
        &self,
        histories: &Histories,
        t: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        of_distinct(histories, out, |history| {
            self.probability_of_purchase(history, t)
        })
    }

    /// [`time_to_purchase`](Self::time_to_purchase) of every row, infinite where the `probability` is never reached.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn time_to_purchase_batch(
        &self,
        histories: &Histories,
        probability: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        of_distinct(histories, out, |history| {
            self.time_to_purchase(history, probability)
                .unwrap_or(f64::INFINITY)
        })
    }

    /// [`mean_time_to_purchase`](Self::mean_time_to_purchase) of every row.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one place in `out` for each row.
    fn mean_time_to_purchase_batch(
        &self,
        histories: &Histories,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        of_distinct(histories, out, |history| {
            self.mean_time_to_purchase(history)
        })
    }
}

pub(super) fn check_counts(histories: &Histories, counts: &[u32]) -> Result<(), DataError> {
    if counts.len() == histories.len() {
        return Ok(());
    }
    Err(DataError::Length {
        column: "counts",
        found: counts.len(),
        reference: "histories",
        expected: histories.len(),
    })
}

/// When a customer buys who does so at a rate λ ~ Gamma(`shape`, rate `unit`) and stays until then.
pub(super) struct NextAtRandom {
    pub(super) shape: f64,
    pub(super) unit: f64,
}

impl NextAtRandom {
    /// 1 − (1 + t / unit)^(−shape).
    pub(super) fn probability(&self, t: f64) -> f64 {
        // NaN is no time either: max() prefers the number.
        let w = (t.max(0.0) / self.unit).min(f64::MAX);
        -(-self.shape * w.ln_1p()).exp_m1()
    }

    /// The inverse of [`probability`](Self::probability), for one below 1.
    pub(super) fn time(&self, probability: f64) -> f64 {
        let w = (-(-probability).ln_1p() / self.shape).exp_m1();
        (self.unit * w).min(f64::MAX)
    }

    /// Of the purchase after `purchases` − 1 others.
    pub(super) fn mean(&self, purchases: f64) -> f64 {
        if self.shape <= 1.0 {
            return f64::INFINITY;
        }
        purchases * (self.unit / (self.shape - 1.0))
    }
}
