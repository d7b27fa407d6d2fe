//! The expected number of purchases before dropout where a purchase takes several stages
//! (BG/CNBD-k, MBG/CNBD-k).
//!
//! As in [`before_dropout`](super::before_dropout), but every k-th event is a purchase, and n < k
//! events of the first have already happened: with M events in the time, M ~ NegativeBinomial,
//! there would be ⌊(n + M) / k⌋ purchases without dropout, and there are
//!
//! K_n = E[(1 − (1 − p)^⌊(n + M)/k⌋) / p] over p ~ Beta(a, b) and M.
//!
//! The literature has no closed form (Reutterer, Platzer and Schröder 2020 take K of BG/NBD with kα
//! for α instead). Here it is computed as it stands: a sum of positive terms over M or, for very
//! many events, the integral over p, for which the distribution of M is summed in closed form. With
//! q = 1 − p and the k roots yₗ = q^(1/k) ωˡ, ω = e^(2πi/k),
//!
//! E q^⌊(n + M)/k⌋ = p / (q k) Σₗ yₗ^(n + 1) / (1 − yₗ) · (1 + w (1 − yₗ))^(−A),
//!
//! because the generating function of M is (1 + w (1 − y))^(−A), and Σₗ ω^(l (N − c)) / k picks the
//! N = n + M that leave a rest of c modulo k.

use std::f64::consts::TAU;

use super::before_dropout::STEEPEST;
use super::euler_integral::{EulerIntegral, Shape};
use super::purchase_series::{Coefficients, Series, suits};

/// Terms that cost as much as the integral.
const MOST_TERMS: f64 = 20_000.0;
/// The largest k.
const MOST_STAGES: usize = 12;
/// A share of the sum below which a term may be the last.
const TAIL: f64 = 1e-15;
/// The share of the sum that the terms left out may reach.
const BOUND: f64 = 1e-13;
/// Sums beyond this are scaled down; only their quotient matters.
const LARGE: f64 = 1e250;
/// Below this q the sum over the roots would cancel, and the first terms of the sum over M suffice.
const FEW_SURVIVE: f64 = 0.02;
/// Powers of [`FEW_SURVIVE`] down to rounding.
const FEW_PURCHASES: usize = 9;

/// K_n for n = 0, 1, …, k − 1, k the length of `out` (2 to 12): the n-th for M of the shape
/// `shape` + n, as which it is distributed when it is given that n events have passed.
///
/// `shape` > 0, `leave` a > 0, `stay` b > 0 and w ≥ 0 as in
/// [`expected_before_dropout`](super::before_dropout::expected_before_dropout). Error below 1e-11 of
/// the value + 1e-15 for parameters between 1e-6 and 1e4 (1e-12 measured). Costs about 40 (1 + w) +
/// A w terms of a few nanoseconds for each n, and never more than a few milliseconds.
pub(crate) fn expected_before_dropout_by_stage(
    shape: f64,
    leave: f64,
    stay: f64,
    w: f64,
    out: &mut [f64],
) {
    let stages = out.len();
    of_w(shape, leave, stay, w, out, |z, out| {
        for (passed, place) in out.iter_mut().enumerate() {
            *place = coefficients(shape, leave, stay, stages, passed).once(z);
        }
    });
}

/// [`expected_before_dropout_by_stage`] for many w, with the same bits, as
/// [`BeforeDropout`](super::before_dropout::BeforeDropout) is for single events.
#[derive(Debug, Clone)]
pub(crate) struct BeforeDropoutByStage {
    shape: f64,
    leave: f64,
    stay: f64,
    /// Of a customer who has passed n stages.
    series: Vec<Series>,
}

impl BeforeDropoutByStage {
    pub(crate) fn new(shape: f64, leave: f64, stay: f64, stages: usize) -> Self {
        let series = |passed| Series::new(coefficients(shape, leave, stay, stages, passed));
        Self {
            shape,
            leave,
            stay,
            series: (0..stages).map(series).collect(),
        }
    }

    /// `out` has a place for each stage.
    pub(crate) fn at(&mut self, w: f64, out: &mut [f64]) {
        of_w(self.shape, self.leave, self.stay, w, out, |z, out| {
            for (series, place) in self.series.iter_mut().zip(out) {
                *place = series.at(z);
            }
        });
    }
}

fn coefficients(shape: f64, leave: f64, stay: f64, stages: usize, passed: usize) -> Coefficients {
    Coefficients::new(shape + passed as f64, leave, stay, stages, passed)
}

/// By the `series` in z = w / (1 + w) where these are short.
fn of_w(
    shape: f64,
    leave: f64,
    stay: f64,
    w: f64,
    out: &mut [f64],
    series: impl FnOnce(f64, &mut [f64]),
) {
    let stages = out.len();
    let largest = shape + stages as f64;
    let mean = largest * w;
    let terms = stages as f64 + mean + 9.0 * (mean * (1.0 + w)).sqrt() + 40.0 * (1.0 + w);
    if suits(largest, terms) {
        series(w / (1.0 + w), out);
    } else if terms < MOST_TERMS {
        let mut shape = shape;
        for (n, place) in out.iter_mut().enumerate() {
            *place = over_counts(shape, leave, stay, w, stages, n);
            shape += 1.0;
        }
    } else {
        over_probabilities(shape, leave, stay, w, out);
    }
}

/// Σ P(M) M' / Σ P(M), M' = Σ (b)_j / (a + b)_j over the purchases j that M events would make.
fn over_counts(shape: f64, leave: f64, stay: f64, w: f64, stages: usize, passed: usize) -> f64 {
    let z = w / (1.0 + w);
    let both = leave + stay;
    let mut probability = 1.0;
    let mut total = 1.0;
    let mut survived = 1.0;
    let mut purchases = 0.0;
    let mut made = 0.0;
    let mut sum = 0.0;
    let mut n = 0.0;
    let mut stage = passed;
    loop {
        probability *= (shape + n) * z / (n + 1.0);
        n += 1.0;
        stage += 1;
        if stage == stages {
            stage = 0;
            purchases += survived;
            survived *= (stay + made) / (both + made);
            made += 1.0;
        }
        let term = probability * purchases;
        total += probability;
        sum += term;
        // As for single events, of which M' is a step function: the rest is below
        // 2 term / (1 − quotient)², or nothing at all.
        if made > 0.0 && term <= TAIL * sum {
            let gap = (n + 1.0) - z * (shape + n).max(n + 1.0);
            if gap > 0.0 && 2.0 * term * (n + 1.0) * (n + 1.0) <= BOUND * sum * gap * gap {
                return sum / total;
            }
        }
        if total > LARGE {
            probability /= LARGE;
            total /= LARGE;
            sum /= LARGE;
        }
    }
}

/// The expectation over p, over the integral of the Beta density by the same nodes.
fn over_probabilities(shape: f64, leave: f64, stay: f64, w: f64, out: &mut [f64]) {
    let kernel = Kernel::new(shape, w, out.len());
    let beta = EulerIntegral::new(leave, stay, 0.0, 0.0);
    let steepness = (shape * w).min(STEEPEST);
    let shape_of = Shape {
        near_zero: steepness + w.min(STEEPEST),
        near_one: 1.0 + shape,
        range: steepness.ln_1p(),
    };
    let sums: [f64; MOST_STAGES + 1] = beta.integrate(&shape_of, |p, q| kernel.at(p, q));
    let (parts, total) = (&sums[..MOST_STAGES], sums[MOST_STAGES]);
    for (place, part) in out.iter_mut().zip(parts) {
        *place = part / total;
    }
}

/// E[(1 − q^⌊(n + M)/k⌋) / p | p] for each n.
struct Kernel {
    shape: f64,
    w: f64,
    stages: usize,
    /// P(⌊(n + M)/k⌋ = m) of the first m, for each n.
    few: [[f64; FEW_PURCHASES]; MOST_STAGES],
}

impl Kernel {
    fn new(shape: f64, w: f64, stages: usize) -> Self {
        let mut few = [[0.0; FEW_PURCHASES]; MOST_STAGES];
        let ln_z = -(1.0 / w).ln_1p();
        let mut passed = shape;
        for (n, of_stage) in few.iter_mut().take(stages).enumerate() {
            let mut ln_event = -passed * w.ln_1p();
            let mut events = 0.0;
            for place in n..FEW_PURCHASES * stages {
                of_stage[place / stages] += ln_event.exp();
                ln_event += ((passed + events) / (events + 1.0)).ln() + ln_z;
                events += 1.0;
            }
            passed += 1.0;
        }
        Self {
            shape,
            w,
            stages,
            few,
        }
    }

    /// The numbers of the stages, and in the last place the 1 that the weight itself integrates.
    fn at(&self, p: f64, q: f64) -> [f64; MOST_STAGES + 1] {
        let mut values = [0.0; MOST_STAGES + 1];
        values[MOST_STAGES] = 1.0;
        if q < FEW_SURVIVE {
            for (value, few) in values.iter_mut().zip(&self.few).take(self.stages) {
                let left_after = few.iter().rev().fold(0.0, |sum, chance| sum * q + chance);
                *value = (1.0 - left_after) / p;
            }
        } else {
            self.over_roots(p, q, &mut values[..self.stages]);
        }
        values
    }

    /// With shape 0 nothing happens, so that 1 − E is the sum of the roots' shares in 1 times what their
    /// powers of 1 + w (1 − y) lack of 1: small where the answer is.
    fn over_roots(&self, p: f64, q: f64, values: &mut [f64]) {
        let k = self.stages as f64;
        let ln_q = if p < 0.5 { (-p).ln_1p() } else { q.ln() };
        let (ln_y, y) = (ln_q / k, (ln_q / k).exp());
        let short = -ln_y.exp_m1();
        let ln_grown = (self.w * short).ln_1p();
        let (mut shape, mut power) = (self.shape, 1.0);
        for value in values.iter_mut() {
            let share = p / (q * k * short) * (power * ln_y).exp();
            *value = -share * (-shape * ln_grown).exp_m1() / p;
            shape += 1.0;
            power += 1.0;
        }
        // The others come in conjugate pairs; −1 alone is its own.
        for root in 1..=self.stages / 2 {
            let both = if 2 * root == self.stages { 1.0 } else { 2.0 };
            let angle = TAU * root as f64 / k;
            let (sin, cos) = angle.sin_cos();
            let (right, up) = (1.0 - y * cos, -y * sin);
            let (distance, turn) = (right.hypot(up), up.atan2(right));
            let (right, up) = (1.0 + self.w * right, self.w * up);
            let (ln_size, spin) = (right.hypot(up).ln(), up.atan2(right));
            let (mut shape, mut power) = (self.shape, 1.0);
            for value in values.iter_mut() {
                let size = both * (power * ln_y).exp() / (distance * q * k);
                let (im_share, re_share) = (power * angle - turn).sin_cos();
                // 1 − e^(fall − i swing), each part without a difference.
                let (fall, swing) = (-shape * ln_size, shape * spin);
                let half = (0.5 * swing).sin();
                let re_lack = 2.0 * half * half - fall.exp_m1() * swing.cos();
                let im_lack = fall.exp() * swing.sin();
                *value += size * (re_share * re_lack - im_share * im_lack);
                shape += 1.0;
                power += 1.0;
            }
        }
        for value in values {
            *value = value.max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::before_dropout::expected_before_dropout;
    use crate::numeric::close;
    use proptest::prelude::*;

    // (k, n, A, a, b, w, K_n): mpmath, 60 digits, from the exact doubles, as the sum over the
    // purchases that are made, Σ_{j ≥ 1} E[(1 − p)^(j − 1)] P(M ≥ k j − n).
    const KERNEL: &[(usize, usize, f64, f64, f64, f64, f64)] = &[
        (2, 0, 0.359, 0.523, 2.785, 0.75, 0.06307547240223879),
        (2, 1, 0.359, 0.523, 2.785, 0.75, 0.6592702724207169),
        (3, 0, 1.3, 0.45, 0.84, 1e-06, 1.6444946964987434e-18),
        (3, 2, 1.3, 0.45, 0.84, 1e-06, 3.2999929050125346e-06),
        (4, 1, 7.5, 1.0, 4.25, 0.5, 0.890492339524309),
        (12, 0, 0.25, 0.25, 0.75, 3.0, 0.003360030914155689),
        (12, 11, 0.25, 0.25, 0.75, 3.0, 2.5493616169878366),
        (2, 1, 60.25, 0.8, 31.5, 0.7, 17.467545951861577),
        (5, 3, 1000.5, 40.0, 1.5, 2.0, 1.0384615384615385),
        (3, 0, 0.01, 1e-06, 1000.0, 20.0, 0.05591912389619824),
        (2, 0, 1e-06, 10000.0, 1e-06, 0.5, 7.21318277292969e-08),
        (12, 5, 1e-06, 1e-06, 1e-06, 100.0, 21.312435147927076),
        (3, 1, 30.5, 0.5, 2.5, 1000.0, 303.13558977940716),
        (12, 0, 30.5, 0.5, 2.5, 1000.0, 147.11710619014602),
        (2, 0, 0.5, 2.0, 0.001, 2000.0, 0.9673982546016799),
        (7, 6, 0.001, 0.3, 40.0, 1000.0, 438.68802997703176),
        (6, 2, 5000.0, 0.001, 10.0, 7.0, 5803.975598609575),
    ];

    fn by_stage(k: usize, shape: f64, a: f64, b: f64, w: f64) -> Vec<f64> {
        let mut out = vec![0.0; k];
        expected_before_dropout_by_stage(shape, a, b, w, &mut out);
        out
    }

    #[test]
    fn table() {
        for &(k, n, shape, a, b, w, expected) in KERNEL {
            close(by_stage(k, shape, a, b, w)[n], expected, 2e-13, 0.0);
        }
    }

    #[test]
    fn sum_and_integral_agree_on_the_table() {
        for &(k, n, shape, a, b, w, expected) in KERNEL {
            let mut out = vec![0.0; k];
            over_probabilities(shape, a, b, w, &mut out);
            // Where hardly anything is expected the integral knows it to rounding only.
            close(out[n], expected, 1e-12, 1e-15);
        }
    }

    fn parameter() -> impl Strategy<Value = f64> {
        (1e-6f64.ln()..1e4f64.ln()).prop_map(f64::exp)
    }

    proptest! {
        #[test]
        fn series_and_sum_agree(
            k in 2usize..=12, passed in 0usize..12, shape in 1e-3..120.0f64, a in parameter(), b in parameter(),
            w in (1e-12f64.ln()..2f64.ln()).prop_map(f64::exp),
        ) {
            let passed = passed % k;
            let series = coefficients(shape, a, b, k, passed).once(w / (1.0 + w));
            let sum = over_counts(shape + passed as f64, a, b, w, k, passed);
            close(series, sum, 1e-13, 1e-300);
        }

        #[test]
        fn many_times_have_the_bits_of_each(
            k in 2usize..=12, shape in 1e-3..200.0f64, a in parameter(), b in parameter(),
            times in proptest::collection::vec((1e-12f64.ln()..1e3f64.ln()).prop_map(f64::exp), 1..5),
        ) {
            let mut many = BeforeDropoutByStage::new(shape, a, b, k);
            for w in times {
                let mut out = vec![0.0; k];
                many.at(w, &mut out);
                prop_assert_eq!(out, by_stage(k, shape, a, b, w));
            }
        }

        #[test]
        fn sum_and_integral_agree(
            k in 2usize..=12, shape in parameter(), a in parameter(), b in parameter(), w in 0.01..150.0f64,
        ) {
            prop_assume!(shape * w < 15_000.0);
            let mut integral = vec![0.0; k];
            over_probabilities(shape, a, b, w, &mut integral);
            for (n, integral) in integral.into_iter().enumerate() {
                let sum = over_counts(shape + n as f64, a, b, w, k, n);
                close(integral, sum, 1e-11, 1e-15);
            }
        }

        /// Beta(a, b) is the mixture of Beta(a, b + 1) and Beta(a + 1, b) with weights b and a.
        #[test]
        fn mixture(
            k in 2usize..=12, shape in parameter(), a in parameter(), b in parameter(),
            w in (1e-12f64.ln()..1e9f64.ln()).prop_map(f64::exp),
        ) {
            let stayed = by_stage(k, shape, a, b + 1.0, w);
            let left = by_stage(k, shape, a + 1.0, b, w);
            for (n, here) in by_stage(k, shape, a, b, w).into_iter().enumerate() {
                let mixed = (b * stayed[n] + a * left[n]) / (a + b);
                close(here, mixed, 1e-9, 1e-300);
            }
        }

        /// Events that nobody leaves after are k times as many as purchases, but for those begun:
        /// between one purchase too many and one too few.
        #[test]
        fn close_to_a_share_of_single_events(
            k in 2usize..=12, shape in parameter(), b in parameter(),
            w in (1e-6f64.ln()..1e9f64.ln()).prop_map(f64::exp),
        ) {
            let (a, b) = (1e-9, 1.0 + b);
            prop_assume!(shape * w < 1e5);
            let mut events = shape;
            for (n, here) in by_stage(k, shape, a, b, w).into_iter().enumerate() {
                let all = expected_before_dropout(events, a, b, w);
                let share = (all + n as f64) / k as f64;
                prop_assert!(here <= share * (1.0 + 1e-3) && here >= (share - 1.0) * (1.0 - 1e-3));
                events += 1.0;
            }
        }
    }

    #[test]
    fn horizons_without_end_are_answered() {
        for w in [1e100, 1e300, f64::MAX] {
            for shape in [1e-6, 0.5, 1e6] {
                let expected = by_stage(3, shape, 2.0, 3.0, w);
                assert!(
                    expected.iter().all(|k| k.is_finite() && *k >= 0.0),
                    "{expected:?}"
                );
                let single = expected_before_dropout(shape, 2.0, 3.0, w);
                assert!(single.is_finite() && single >= 0.0, "{single}");
            }
        }
    }

    #[test]
    fn no_time_no_purchases() {
        assert_eq!(by_stage(12, 0.25, 0.8, 2.4, 0.0), [0.0; 12]);
    }
}
