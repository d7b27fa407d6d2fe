//! The expected number of purchases before dropout, for models in which a customer flips a coin
//! after each purchase (BG/NBD, MBG/NBD).
//!
//! While alive a customer purchases at a rate λ ~ Gamma(A, rate β); after each purchase the
//! customer leaves with probability p ~ Beta(a, b). Over a time t, with w = t/β, the expected
//! number of purchases is
//!
//! K(A, a, b, w) = E[(1 − (1 + w p)^(−A)) / p] over p ~ Beta(a, b),
//!
//! because n purchases that would have been made without dropout, n ~ NegativeBinomial, become
//! Σ_{j<n} (1 − p)^j = (1 − (1 − p)^n) / p. The papers write the same number as
//!
//! K = (C / (a − 1)) [1 − ₂F₁(A, a − 1; C; −w)], C = a + b − 1
//!
//! (Fader, Hardie and Lee 2005, equation 10, after Pfaff's transformation), which is 0/0 at a = 1,
//! changes the sign of C at a + b = 1 and loses all digits for small w. Neither is in the function,
//! only in that way of writing it. Here it is a sum of positive terms, Σ_n P(n) M_n with
//! M_n = Σ_{j<n} (b)_j / (a + b)_j, or for very many purchases the integral over p.
//!
//! For a customer with x repeat purchases who is alive at T: A = r + x, β = α + T, dropout
//! a, and b + x for BG/NBD (Fader, Hardie and Lee) or b + x + 1 for MBG/NBD (Batislam, Denizel and
//! Filiztekin 2007).

use super::euler_integral::{EulerIntegral, Shape};
use super::purchase_series::{Coefficients, Series, suits};

/// Terms that cost as much as the integral.
const MOST_TERMS: f64 = 4_000.0;
/// A share of the sum below which a term may be the last.
const TAIL: f64 = 1e-15;
/// The share of the sum that the terms left out may reach.
const BOUND: f64 = 1e-13;
/// Sums beyond this are scaled down; only their quotient matters.
const LARGE: f64 = 1e250;

/// Beyond this an integrand changes nowhere that the weight could tell.
pub(super) const STEEPEST: f64 = 1e280;

/// K(A, a, b, w) as defined above, for `shape` A > 0, `leave` a > 0, `stay` b > 0 and w ≥ 0.
///
/// Relative error below 1e-12 for parameters between 1e-6 and 1e4 and w up to 1e9 (5e-14 measured).
/// Costs about 40 (1 + w) + A w terms of a few nanoseconds, and never more than about 0.1 ms.
pub(crate) fn expected_before_dropout(shape: f64, leave: f64, stay: f64, w: f64) -> f64 {
    of_w(shape, leave, stay, w, |z| {
        Coefficients::new(shape, leave, stay, 1, 0).once(z)
    })
}

/// [`expected_before_dropout`] for many w, with the same bits: where these lead to sums of some hundred
/// terms at most, their coefficients are computed once, and a further w costs some 40 ns.
#[derive(Debug, Clone)]
pub(crate) struct BeforeDropout {
    shape: f64,
    leave: f64,
    stay: f64,
    series: Series,
}

impl BeforeDropout {
    pub(crate) fn new(shape: f64, leave: f64, stay: f64) -> Self {
        Self {
            shape,
            leave,
            stay,
            series: Series::new(Coefficients::new(shape, leave, stay, 1, 0)),
        }
    }

    pub(crate) fn at(&mut self, w: f64) -> f64 {
        of_w(self.shape, self.leave, self.stay, w, |z| self.series.at(z))
    }
}

/// By the `series` in z = w / (1 + w) where that is short.
fn of_w(shape: f64, leave: f64, stay: f64, w: f64, series: impl FnOnce(f64) -> f64) -> f64 {
    let mean = shape * w;
    let terms = mean + 9.0 * (mean * (1.0 + w)).sqrt() + 40.0 * (1.0 + w);
    if suits(shape, terms) {
        series(w / (1.0 + w))
    } else if terms < MOST_TERMS {
        over_counts(shape, leave, stay, w)
    } else {
        over_probabilities(shape, leave, stay, w)
    }
}

/// Σ P(n) M_n / Σ P(n) term by term, whatever the shape: dividing by the sum of the probabilities spares P(0) = (1 + w)^(−A), and
/// with it the rounding of a large exponent.
fn over_counts(shape: f64, leave: f64, stay: f64, w: f64) -> f64 {
    let z = w / (1.0 + w);
    let both = leave + stay;
    let mut probability = 1.0;
    let mut total = 1.0;
    let mut survived = 1.0;
    let mut purchases = 0.0;
    let mut sum = 0.0;
    let mut n = 0.0;
    loop {
        let next = n + 1.0;
        // One division serves both quotients.
        let inverse = 1.0 / (next * (both + n));
        probability *= (shape + n) * z * (both + n) * inverse;
        purchases += survived;
        survived *= (stay + n) * next * inverse;
        let term = probability * purchases;
        total += probability;
        sum += term;
        n = next;
        // From here on P falls by at most the larger of its next quotient and its limit z, and
        // M grows by at most 1/n a step: the rest is below 2 term / (1 − quotient)².
        if term <= TAIL * sum {
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
fn over_probabilities(shape: f64, leave: f64, stay: f64, w: f64) -> f64 {
    let steepness = (shape * w).min(STEEPEST);
    let beta = EulerIntegral::new(leave, stay, 0.0, 0.0);
    let shape_of = Shape {
        near_zero: steepness + w.min(STEEPEST),
        near_one: 1.0 + shape,
        range: steepness.ln_1p(),
    };
    let [total, sum] = beta.integrate(&shape_of, |p, _| {
        [1.0, -(-shape * (w * p).ln_1p()).exp_m1() / p]
    });
    sum / total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::close;
    use crate::numeric::hypergeometric::ln_hyp2f1;
    use proptest::prelude::*;

    // (A, a, b, w, K): python-flint, ball arithmetic with at least 20 proven digits, from
    // (C / (a - 1)) (1 - hypgeom_2f1(A, a - 1, C, -w)), C = a + b - 1, of the exact doubles; where
    // that is 0/0, with a moved by 2^-300.
    const KERNEL: &[(f64, f64, f64, f64, f64)] = &[
        (0.242594, 0.79293, 2.42591, 0.9, 0.19453940031034192),
        (0.242594, 0.79293, 2.42591, 1e-12, 2.4259399999996286e-13),
        (29.242594, 0.79293, 31.42591, 0.001, 0.029231717582563172),
        (7.5, 1.0, 4.25, 0.5, 2.732587836254843),
        (7.5, 1.0000000001, 4.25, 0.5, 2.732587836185625),
        (0.5, 1.0, 0.75, 1000000.0, 9.704295038748237),
        (0.25, 0.25, 0.75, 3.0, 0.5856633416700894),
        (0.25, 0.2, 0.3, 40.0, 3.9889156334123745),
        (0.01, 0.001, 0.002, 1000000000.0, 6536395.159436672),
        (5000.0, 1e-06, 1000.0, 1e-12, 5e-09),
        (5000.0, 1e-06, 1000.0, 0.01, 49.9999987700702),
        (5000.0, 1e-06, 1000.0, 7.0, 34999.90597564756),
        (5000.0, 1e-06, 1000.0, 1000000000.0, 4999893334621.1),
        (5000.25, 0.8, 5002.5, 0.7, 2799.3884860442267),
        (10000.0, 10000.0, 10000.0, 0.25, 2.0001000100010002),
        (10000.0, 10000.0, 10000.0, 1000000000.0, 2.0001000100010002),
        (1e-06, 1e-06, 1e-06, 1000000000.0, 499.99014882702716),
        (1e-06, 10000.0, 1e-06, 0.5, 4.0546502591441187e-07),
        (3.0, 2.0, 5.0, 150.0, 5.902475854228007),
        (12.5, 0.5, 10000.0, 300.0, 3434.920557415551),
        (0.01, 1e-06, 10000.0, 100000.0, 999.9986193658889),
        (2.5, 40.0, 1.5, 1000.0, 1.0384615023092354),
    ];

    #[test]
    fn table() {
        for &(shape, leave, stay, w, expected) in KERNEL {
            close(
                expected_before_dropout(shape, leave, stay, w),
                expected,
                5e-14,
                0.0,
            );
        }
    }

    #[test]
    fn sum_and_integral_agree() {
        for &(shape, leave, stay, w, _) in KERNEL {
            if shape * w < 5000.0 && w < 200.0 {
                let sum = over_counts(shape, leave, stay, w);
                close(over_probabilities(shape, leave, stay, w), sum, 1e-13, 0.0);
            }
        }
    }

    #[test]
    fn series_and_sum_agree() {
        for &(shape, leave, stay, w, _) in KERNEL {
            let terms = 60.0 * (1.0 + w) + 2.0 * shape * w;
            if suits(shape, terms) {
                let series = Coefficients::new(shape, leave, stay, 1, 0).once(w / (1.0 + w));
                close(series, over_counts(shape, leave, stay, w), 1e-14, 0.0);
            }
        }
    }

    #[test]
    fn no_time_no_purchases() {
        assert_eq!(expected_before_dropout(0.25, 0.8, 2.4, 0.0), 0.0);
    }

    fn parameter() -> impl Strategy<Value = f64> {
        (1e-6f64.ln()..1e4f64.ln()).prop_map(f64::exp)
    }

    fn horizon() -> impl Strategy<Value = f64> {
        (1e-12f64.ln()..1e9f64.ln()).prop_map(f64::exp)
    }

    proptest! {
        #[test]
        fn many_times_have_the_bits_of_each(
            shape in 1e-3..200.0f64,
            a in parameter(),
            b in parameter(),
            times in proptest::collection::vec(horizon(), 1..6),
        ) {
            let mut many = BeforeDropout::new(shape, a, b);
            for w in times {
                let alone = expected_before_dropout(shape, a, b, w);
                prop_assert_eq!(many.at(w).to_bits(), alone.to_bits());
            }
        }

        /// Beta(a, b) is the mixture of Beta(a, b + 1) and Beta(a + 1, b) with weights b and a.
        #[test]
        fn mixture(shape in parameter(), a in parameter(), b in parameter(), w in horizon()) {
            let stayed = expected_before_dropout(shape, a, b + 1.0, w);
            let left = expected_before_dropout(shape, a + 1.0, b, w);
            let mixed = (b * stayed + a * left) / (a + b);
            close(expected_before_dropout(shape, a, b, w), mixed, 1e-12, 0.0);
        }

        /// One more purchase seen adds w E[(1 + w p)^(-A - 1)].
        #[test]
        fn next_shape(shape in parameter(), a in parameter(), b in parameter(), w in horizon()) {
            // b as the sum remembers it.
            let b = (a + b) - a;
            prop_assume!(b > 0.0);
            let more = w * ln_hyp2f1(shape + 1.0, a, a + b, -w).exp();
            let here = expected_before_dropout(shape, a, b, w);
            close(here + more, expected_before_dropout(shape + 1.0, a, b, w), 2e-12, 0.0);
        }

        #[test]
        fn between_its_bounds(shape in parameter(), a in parameter(), b in parameter(), w in horizon()) {
            let here = expected_before_dropout(shape, a, b, w);
            let rounding = 1.0 + 1e-12;
            prop_assert!(here > 0.0 && here <= shape * w * rounding);
            prop_assert!(here <= expected_before_dropout(shape, a, b, 1.5 * w) * rounding);
            if a > 1.0 {
                prop_assert!(here <= (1.0 + b / (a - 1.0)) * rounding);
            }
        }
    }
}
