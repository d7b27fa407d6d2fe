//! ln B and its differences.
//!
//! With lnB(a, b + n) − lnB(a, b) ≤ 0 free of cancellation, so is every step of both arguments:
//! lnB(a + m, b + n) − lnB(a, b) is the step in b at a plus the step in a at b + n, two numbers of
//! one sign. Arguments are positive and finite.

use super::gamma::{
    ASYMPTOTIC, STIRLING, WHOLE_STEPS, ln_gamma, ln_gamma_ratio, odd_divided_difference,
    stirling_remainder, trigamma,
};

/// Both steps below this, a second difference of ln Γ is its second derivative between them.
const INFINITESIMAL: f64 = 1e-6;

/// Stirling's remainder without its first term.
const STIRLING_TAIL: [f64; 8] = {
    let mut tail = STIRLING;
    tail[0] = 0.0;
    tail
};

/// ½ ln 2π.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// ln B(a, b) = lnΓ(a) + lnΓ(b) − lnΓ(a + b).
///
/// Relative error below 1e-13, for arguments of any size and any ratio, where the value is not
/// itself near zero; there the absolute error is below 1e-14.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if small < ASYMPTOTIC {
        return ln_gamma(small) - ln_gamma_ratio(large, small);
    }
    // Stirling's series of the three terms, arranged so that all large parts are negative.
    let ratio = small / large;
    let leading = -(small - 0.5) * (large / small).ln_1p() - large * ratio.ln_1p();
    leading + HALF_LN_TWO_PI - 0.5 * large.ln() + stirling_excess(small, large)
}

/// ln B(a, b + n) − ln B(a, b) ≤ 0 for n ≥ 0, whole or not. Symmetric in a and n.
///
/// Relative error below 1e-13 everywhere, also where the value is tiny because a ≪ b.
pub(crate) fn ln_beta_ratio(a: f64, b: f64, n: f64) -> f64 {
    // B(a,b)/B(a,b+n) = Π (1 + a n / ((b+i) (a+b+n+i))) over all i ≥ 0; over whole n it is the
    // finite product Π (1 + a/(b+i)). Kept as 1 + excess, sums of positive terms.
    if n <= WHOLE_STEPS && n.fract() == 0.0 {
        return -ln_product((0..n as u32).map(|i| a / (b + f64::from(i))));
    }
    let steps = (ASYMPTOTIC - b).ceil().max(0.0);
    let lowered = ln_product((0..steps as u32).map(|i| {
        let base = b + f64::from(i);
        a / base * (n / (a + base + n))
    }));
    let base = b + steps;
    second_difference(base, a, n) - lowered
}

/// Σ ln(1 + uᵢ) of non-negative terms, with few logarithms.
fn ln_product(terms: impl Iterator<Item = f64>) -> f64 {
    const FLUSH: f64 = 1e100;
    let mut sum = 0.0;
    let mut excess = 0.0;
    for term in terms {
        if term > FLUSH {
            sum += term.ln_1p();
            continue;
        }
        excess += term * (1.0 + excess);
        if excess > FLUSH {
            sum += f64::ln_1p(excess);
            excess = 0.0;
        }
    }
    sum + f64::ln_1p(excess)
}

/// ln B(a, b + n) − ln B(a, b) by Stirling's series, for b ≥ [`ASYMPTOTIC`].
fn second_difference(b: f64, a: f64, n: f64) -> f64 {
    let (short, long) = if a < n { (a, n) } else { (n, a) };
    if long < INFINITESIMAL {
        return -short * long * trigamma(b + 0.5 * (short + long));
    }
    let total = short + long + b;
    let leading = (b - 0.5) * (short / b * (long / total)).ln_1p()
        - short * (long / (b + short)).ln_1p()
        - long * (short / (b + long)).ln_1p();
    // The remainders pair up over the shorter step, which they share as a factor. The two halves
    // of the first coefficient are subtracted in closed form: they cancel when both steps are
    // small.
    let (p, q, s, t) = (1.0 / b, 1.0 / (b + short), 1.0 / (b + long), 1.0 / total);
    let first = STIRLING[0] * p * q * (long * s) * (t * (2.0 * b + short + long));
    let rest = |p: f64, q: f64| p * q * odd_divided_difference(&STIRLING_TAIL, p, q);
    leading - short * (first + rest(p, q) - rest(s, t))
}

/// R(a) + R(b) − R(a + b) of Stirling's remainder R.
pub(super) fn stirling_excess(a: f64, b: f64) -> f64 {
    stirling_remainder(a) + (stirling_remainder(b) - stirling_remainder(a + b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::close;
    use proptest::prelude::*;

    // Tables: mpmath, 700 digits, from the exact doubles of the arguments; loggamma(a) + loggamma(b) -
    // loggamma(a + b) and its differences.
    const LN_BETA: &[(f64, f64, f64)] = &[
        (1e-300, 1e-300, 691.4686750787737),
        (1e-06, 1000.0, 13.815503073494236),
        (1e-06, 1e-06, 14.508657738522574),
        (0.5, 0.5, 1.1447298858494002),
        (1.0, 1.0, 0.0),
        (0.79, 2.43, -0.5069521965724403),
        (1.0, 1000000000000.0, -27.631021115928547),
        (3.0, 4.0, -4.0943445622221),
        (9.5, 1000000000.0, -185.18169207056863),
        (9.999, 10.0, -13.73551042868422),
        (10.0, 10.0, -13.736229227036555),
        (11.0, 1000000000000000.0, -364.8221277709421),
        (1000.0, 1000000000.0, -14818.045913237063),
        (10000.0, 10000.0, -13866.28325676141),
        (1000000.0, 2000000.0, -1909548.290968533),
        (10000000000.0, 10000000000.0, -13862943621.44632),
        (1000000000000000.0, 1e-15, 34.53877639491065),
        (1000000000000.0, 20.5, -525.6044319022043),
    ];

    const LN_BETA_RATIO: &[(f64, f64, f64, f64)] = &[
        (1.0, 2.43, 0.0, 0.0),
        (1.0, 1.0, 1e200, -460.51701859880914),
        (0.5, 2.5, 1e160, -183.79834312943663),
        (3.25, 0.75, 1e290, -2168.5979716290913),
        (0.79, 2.43, 1.0, -0.28149010220385984),
        (0.79, 2.43, 29.0, -2.0523239645417117),
        (1e-06, 1000.0, 5000.0, -1.792176216496322e-06),
        (1e-06, 3e-06, 1.0, -0.2876820724517809),
        (1e-12, 0.5, 40.0, -5.652415518952202e-12),
        (1e-12, 10000.0, 3.5, -3.4995625874808638e-16),
        (1e-10, 10.0, 1e-10, -1.0516633568058078e-21),
        (5000.0, 1e-06, 17.0, -127.96310145785135),
        (10000.0, 10000.0, 10000.0, -5232.625281459482),
        (100000000.0, 200000000.0, 1.0, -0.4054651081081644),
        (100000000.0, 100000000.0, 100.0, -69.31469330600684),
        (10000000000.0, 3.0, 1000000.0, -10210355.605988756),
        (0.3, 1000000000000000.0, 1000000.0, -2.999999998500001e-10),
        (2.0, 7.5, 0.25, -0.06177735969624316),
        (1e-300, 3e-300, 1000000.0, -0.2876820724517809),
        (1e+100, 1e-100, 1.5, -575.7670554861467),
        (1000000.0, 0.001, 1000000.0, -1386306.8974194438),
        (44.0, 9.99, 0.001, -0.0017287656201585347),
    ];

    #[test]
    fn table_of_ln_beta() {
        for &(a, b, expected) in LN_BETA {
            close(ln_beta(a, b), expected, 1e-14, 0.0);
            close(ln_beta(b, a), expected, 1e-14, 0.0);
        }
    }

    #[test]
    fn table_of_ln_beta_ratio() {
        for &(a, b, n, expected) in LN_BETA_RATIO {
            close(ln_beta_ratio(a, b, n), expected, 1e-14, 0.0);
        }
    }

    fn positive() -> impl Strategy<Value = f64> {
        (-15.0f64..25.0).prop_map(f64::exp)
    }

    proptest! {
        #[test]
        fn one_step_is_a_quotient(a in positive(), b in positive()) {
            close(ln_beta_ratio(a, b, 1.0), -(a / b).ln_1p(), 1e-15, 0.0);
        }

        #[test]
        fn symmetric_in_a_and_n(a in positive(), b in positive(), n in positive()) {
            close(ln_beta_ratio(a, b, n), ln_beta_ratio(n, b, a), 3e-14, 0.0);
        }

        #[test]
        fn whole_steps_join_the_series(a in positive(), b in positive(), n in 1u32..=16) {
            let n = f64::from(n);
            let last = (a / (b + n)).ln_1p();
            close(ln_beta_ratio(a, b, n) - last, ln_beta_ratio(a, b, n + 1.0), 1e-14, 0.0);
        }

        #[test]
        fn is_the_difference_of_two(a in 1e-3f64..1e3, b in 1e-3f64..1e3, n in 0.0f64..1e3) {
            let scale = ln_beta(a, b).abs() + ln_beta(a, b + n).abs();
            close(ln_beta_ratio(a, b, n), ln_beta(a, b + n) - ln_beta(a, b), 0.0, 1e-13 * (1.0 + scale));
        }
    }
}
