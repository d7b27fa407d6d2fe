//! The BG/BB likelihood of all customers, with its derivatives.
//!
//! A customer bought x times up to occasion t_x and then was silent until n: either left after one
//! of the occasions t_x, …, n − 1, or stayed. Relative to leaving right after t_x, whose probability is
//!
//! T = B(α+x, β+t_x−x) / B(α, β) · B(γ+1, δ+t_x) / B(γ, δ),
//!
//! to leave i occasions later has the weight wᵢ = Π_{j<i} (β+t_x−x+j)/(α+β+t_x+j) · (δ+t_x+j)/(γ+δ+t_x+j+1),
//! and to stay w_m (γ+δ+n)/γ with m = n − t_x. The logarithm of the likelihood is ln T + ln Σ w: a
//! sum of positive terms, none above the first but the last.

use super::BgBb;
use crate::lifetime::jet::Jet;
use crate::numeric::gamma::{digamma_diff, trigamma_diff};
use crate::numeric::optimise::Evaluation;
use crate::numeric::reduce::sum_chunks;
use crate::summary::{OccasionHistory, OccasionSummary};

/// The distinct histories with their numbers of customers.
pub(super) struct Likelihood {
    histories: Vec<(OccasionHistory, f64)>,
}

impl Likelihood {
    pub(super) fn new(histories: &OccasionSummary) -> Self {
        let counted = histories.iter();
        Self {
            histories: counted.map(|(history, n)| (history, n as f64)).collect(),
        }
    }

    /// Σ n over the customers.
    pub(super) fn occasions(&self) -> f64 {
        self.sum_of(OccasionHistory::occasions)
    }

    /// Σ t_x over the customers.
    pub(super) fn occasions_until_last(&self) -> f64 {
        self.sum_of(OccasionHistory::recency)
    }

    /// Σ x over the customers.
    pub(super) fn purchases(&self) -> f64 {
        self.sum_of(OccasionHistory::frequency)
    }

    fn sum_of(&self, field: fn(&OccasionHistory) -> u32) -> f64 {
        let histories = self.histories.iter();
        histories.map(|(h, n)| n * f64::from(field(h))).sum()
    }

    /// The log-likelihood.
    pub(super) fn value(&self, model: &BgBb) -> f64 {
        let terms = self.histories.iter();
        terms.map(|(h, n)| n * model.log_likelihood(h)).sum()
    }

    /// The log-likelihood with its derivatives in ln α, ln β, ln γ, ln δ.
    pub(super) fn evaluate(&self, model: &BgBb) -> Evaluation {
        let sum = sum_chunks(
            self.histories.len(),
            |range| {
                let mut sum = Jet::ZERO;
                for (history, customers) in &self.histories[range] {
                    let mut term = until_last_purchase(model, history);
                    term += silence(model, history);
                    sum.add(*customers, &term);
                }
                sum
            },
            |mut left, right| {
                left += right;
                left
            },
        );
        sum.in_logarithms(&[model.alpha, model.beta, model.gamma, model.delta])
    }
}

/// ln T.
fn until_last_purchase(model: &BgBb, history: &OccasionHistory) -> Jet<4> {
    let &BgBb {
        alpha,
        beta,
        gamma,
        delta,
    } = model;
    let (x, t_x) = (f64::from(history.frequency()), f64::from(history.recency()));
    let missed = t_x - x;
    let (bought_or_not, leaves_or_stays) = (alpha + beta, gamma + delta);
    let occasions = digamma_diff(bought_or_not, t_x);
    let departures = digamma_diff(leaves_or_stays, t_x + 1.0);
    let of_occasions = -trigamma_diff(bought_or_not, t_x);
    let of_departures = -trigamma_diff(leaves_or_stays, t_x + 1.0);
    let mut jet = Jet::ZERO;
    jet.value = model.ln_until_last_purchase(history);
    jet.slope = [
        digamma_diff(alpha, x) - occasions,
        digamma_diff(beta, missed) - occasions,
        1.0 / gamma - departures,
        digamma_diff(delta, t_x) - departures,
    ];
    jet.curve[0][0] = trigamma_diff(alpha, x) + of_occasions;
    jet.curve[1][1] = trigamma_diff(beta, missed) + of_occasions;
    jet.curve[2][2] = of_departures - 1.0 / (gamma * gamma);
    jet.curve[3][3] = trigamma_diff(delta, t_x) + of_departures;
    for (i, j, mixed) in [(0, 1, of_occasions), (2, 3, of_departures)] {
        jet.curve[i][j] = mixed;
        jet.curve[j][i] = mixed;
    }
    jet
}

/// ln Σ w.
fn silence(model: &BgBb, history: &OccasionHistory) -> Jet<4> {
    let &BgBb {
        alpha,
        beta,
        gamma,
        delta,
    } = model;
    let (x, t_x) = (f64::from(history.frequency()), f64::from(history.recency()));
    let mut mixture = Mixture::default();
    let mut weight = 1.0;
    // ln wᵢ with its derivatives, without the value.
    let mut ln_weight = Jet::ZERO;
    for i in 0..history.occasions() - history.recency() {
        mixture.add(weight, &ln_weight);
        let i = f64::from(i);
        let missed = beta + (t_x - x) + i;
        let bought_or_not = alpha + beta + t_x + i;
        let stays = delta + t_x + i;
        let leaves_or_stays = gamma + delta + t_x + i + 1.0;
        add_quotient(&mut ln_weight, 0, alpha + x, missed, bought_or_not);
        add_quotient(&mut ln_weight, 2, gamma + 1.0, stays, leaves_or_stays);
        weight *= missed / bought_or_not * (stays / leaves_or_stays);
    }
    let all = gamma + delta + f64::from(history.occasions());
    weight *= all / gamma;
    // ln (γ + δ + n) − ln γ.
    let (of_all, of_gamma) = (1.0 / all, 1.0 / gamma);
    ln_weight.slope[2] -= (delta + f64::from(history.occasions())) * of_all * of_gamma;
    ln_weight.slope[3] += of_all;
    for (i, j) in [(2, 2), (2, 3), (3, 2), (3, 3)] {
        ln_weight.curve[i][j] -= of_all * of_all;
    }
    ln_weight.curve[2][2] += of_gamma * of_gamma;
    mixture.add(weight, &ln_weight);
    mixture.ln()
}

/// Adds ln(part / whole), whole = part + rest, where the parameter at `first` is in the whole only and
/// the one after it in both.
fn add_quotient(jet: &mut Jet<4>, first: usize, rest: f64, part: f64, whole: f64) {
    let (of_part, of_whole) = (1.0 / part, 1.0 / whole);
    let second = first + 1;
    jet.slope[first] -= of_whole;
    jet.slope[second] += rest * of_part * of_whole;
    let curve = of_whole * of_whole;
    jet.curve[first][first] += curve;
    jet.curve[first][second] += curve;
    jet.curve[second][first] += curve;
    jet.curve[second][second] -= rest * (part + whole) * of_part * of_part * curve;
}

/// Σ w with its derivatives, from those of the ln w.
#[derive(Default)]
struct Mixture {
    total: f64,
    slope: [f64; 4],
    curve: [[f64; 4]; 4],
}

impl Mixture {
    fn add(&mut self, weight: f64, ln_weight: &Jet<4>) {
        self.total += weight;
        for i in 0..4 {
            let slope = weight * ln_weight.slope[i];
            self.slope[i] += slope;
            for j in 0..4 {
                self.curve[i][j] += weight * ln_weight.curve[i][j] + slope * ln_weight.slope[j];
            }
        }
    }

    fn ln(&self) -> Jet<4> {
        let sum = Jet {
            value: self.total,
            slope: self.slope,
            curve: self.curve,
        };
        let inverse = 1.0 / self.total;
        sum.map([self.total.ln(), inverse, -inverse * inverse])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::jet::derivatives_agree;
    use proptest::prelude::*;

    fn data() -> Likelihood {
        let mut summary = OccasionSummary::new();
        for (x, t_x, n, count) in [
            (0, 0, 6, 30),
            (0, 0, 0, 4),
            (1, 1, 6, 11),
            (1, 6, 6, 2),
            (2, 4, 9, 5),
            (5, 6, 6, 7),
            (6, 6, 6, 12),
            (20, 40, 60, 1),
        ] {
            let history = OccasionHistory::new(x, t_x, n).unwrap();
            summary.add(history, count).unwrap();
        }
        Likelihood::new(&summary)
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_the_value(logs in [-3.0..3.0f64, -3.0..3.0f64, -3.0..3.0f64, -3.0..3.0f64]) {
            let data = data();
            let at = |logs: &[f64; 4]| BgBb::from_valid(logs.map(f64::exp));
            derivatives_agree(logs, |logs| data.evaluate(&at(logs)));
            let (value, sum) = (data.value(&at(&logs)), data.evaluate(&at(&logs)).value);
            prop_assert!((value - sum).abs() < 1e-12 * value.abs(), "{value} {sum}");
        }
    }
}
