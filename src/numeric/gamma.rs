//! ln Γ, ψ, ψ′ and their differences.
//!
//! A likelihood of counts is made of differences such as lnΓ(r + x) − lnΓ(r). Subtracting two
//! values of ln Γ loses every digit once r is large, which is where an optimiser wanders when the
//! customers are nearly alike. The differences here are formed before anything is rounded away.
//!
//! Method: below [`ASYMPTOTIC`] the argument is raised with the recurrence, then Stirling's series
//! (DLMF 5.11.1, 5.11.2, 5.15.8) is differenced term by term. Arguments are positive and finite.

/// From here on eight terms of Stirling's series are exact to rounding.
pub(super) const ASYMPTOTIC: f64 = 10.0;

/// Up to this many whole steps a difference is the plain product or sum of its factors.
pub(super) const WHOLE_STEPS: f64 = 16.0;

/// B₂ₖ / (2k (2k − 1)): ln Γ(z) = (z − ½) ln z − z + ½ ln 2π + Σ cₖ z^(1 − 2k).
pub(super) const STIRLING: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
    -3617.0 / 122_400.0,
];

/// −B₂ₖ / 2k: ψ(z) = ln z − 1/(2z) + Σ cₖ z^(−2k).
const DIGAMMA: [f64; 9] = [
    0.0,
    -1.0 / 12.0,
    1.0 / 120.0,
    -1.0 / 252.0,
    1.0 / 240.0,
    -1.0 / 132.0,
    691.0 / 32_760.0,
    -1.0 / 12.0,
    3617.0 / 8160.0,
];

/// B₂ₖ: ψ′(z) = 1/(2z²) + Σ B₂ₖ z^(−2k − 1).
const TRIGAMMA: [f64; 9] = [
    1.0,
    1.0 / 6.0,
    -1.0 / 30.0,
    1.0 / 42.0,
    -1.0 / 30.0,
    5.0 / 66.0,
    -691.0 / 2730.0,
    7.0 / 6.0,
    -3617.0 / 510.0,
];

/// ln Γ(x) for x > 0.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ln Γ(a + n) − ln Γ(a) for a > 0 and n ≥ 0, whole or not.
///
/// Relative error below 1e-14 where the value is not itself near zero; there (a + n and a on the
/// two sides of the minimum of Γ) the absolute error is below 1e-14 · n.
pub(crate) fn ln_gamma_ratio(a: f64, n: f64) -> f64 {
    if n == 0.0 {
        return 0.0;
    }
    if n <= WHOLE_STEPS && n.fract() == 0.0 && a < 1e18 {
        return rising_factorial(a, n).ln();
    }
    // Γ(a+n)/Γ(a) = Γ(a+m+n)/Γ(a+m) · Π (a+i)/(a+n+i); the product is kept as 1 + excess, whose
    // terms are all positive, so that a tiny n keeps its digits.
    let mut base = a;
    let mut lowered = 0.0;
    if base < ASYMPTOTIC {
        lowered = ln_one_plus_quotient(n, base);
        base += 1.0;
        let mut excess = 0.0;
        while base < ASYMPTOTIC {
            excess += (n / base) * (1.0 + excess);
            base += 1.0;
        }
        lowered += f64::ln_1p(excess);
    }
    let growth = (n / base).ln_1p();
    let top = base + n;
    n * top.ln() + (base * growth - n) - 0.5 * growth + stirling_difference(base, n) - lowered
}

/// ψ(x), the derivative of ln Γ, for x > 0.
pub(crate) fn digamma(x: f64) -> f64 {
    let mut z = x;
    let mut lowered = 0.0;
    while z < ASYMPTOTIC {
        lowered += 1.0 / z;
        z += 1.0;
    }
    let p = 1.0 / z;
    z.ln() - 0.5 * p + horner(&DIGAMMA, p * p) - lowered
}

/// ψ′(x), the second derivative of ln Γ, for x > 0.
pub(crate) fn trigamma(x: f64) -> f64 {
    let mut z = x;
    let mut lowered = 0.0;
    while z < ASYMPTOTIC {
        lowered += 1.0 / (z * z);
        z += 1.0;
    }
    let p = 1.0 / z;
    p * horner(&TRIGAMMA, p * p) + 0.5 * p * p + lowered
}

/// ψ(a + n) − ψ(a) ≥ 0 for a > 0 and n ≥ 0: the derivative of [`ln_gamma_ratio`] in a.
///
/// Relative error below 1e-14 everywhere.
pub(crate) fn digamma_diff(a: f64, n: f64) -> f64 {
    if n <= WHOLE_STEPS && n.fract() == 0.0 {
        return steps(a, n).map(|z| 1.0 / z).sum();
    }
    let mut base = a;
    let mut lowered = 0.0;
    while base < ASYMPTOTIC {
        lowered += n / base / (base + n);
        base += 1.0;
    }
    let (p, q) = (1.0 / base, 1.0 / (base + n));
    let fall = n * p * q;
    let (_, slope) = divided_difference(&DIGAMMA, p * p, q * q);
    (n / base).ln_1p() + 0.5 * fall - fall * (p + q) * slope + lowered
}

/// ψ′(a + n) − ψ′(a) ≤ 0 for a > 0 and n ≥ 0: the second derivative of [`ln_gamma_ratio`] in a.
///
/// Relative error below 1e-14 everywhere.
pub(crate) fn trigamma_diff(a: f64, n: f64) -> f64 {
    if n <= WHOLE_STEPS && n.fract() == 0.0 {
        return -steps(a, n).map(|z| 1.0 / (z * z)).sum::<f64>();
    }
    let mut base = a;
    let mut lowered = 0.0;
    while base < ASYMPTOTIC {
        let (p, q) = (1.0 / base, 1.0 / (base + n));
        lowered += n * p * q * (p + q);
        base += 1.0;
    }
    let (p, q) = (1.0 / base, 1.0 / (base + n));
    let fall = n * p * q;
    -fall * (odd_divided_difference(&TRIGAMMA, p, q) + 0.5 * (p + q)) - lowered
}

/// ln Γ(z) less its leading terms (z − ½) ln z − z + ½ ln 2π, for z ≥ [`ASYMPTOTIC`].
pub(super) fn stirling_remainder(z: f64) -> f64 {
    let p = 1.0 / z;
    p * horner(&STIRLING, p * p)
}

/// Stirling's remainder at a + n less that at a, for a ≥ [`ASYMPTOTIC`].
fn stirling_difference(a: f64, n: f64) -> f64 {
    let (p, q) = (1.0 / a, 1.0 / (a + n));
    -n * p * q * odd_divided_difference(&STIRLING, p, q)
}

/// a (a + 1) … (a + n − 1) for a whole n.
fn rising_factorial(a: f64, n: f64) -> f64 {
    steps(a, n).product()
}

/// a, a + 1, …, a + n − 1 for a whole n of at most [`WHOLE_STEPS`].
fn steps(a: f64, n: f64) -> impl Iterator<Item = f64> {
    (0..n as u32).map(move |i| a + f64::from(i))
}

/// ln(1 + n/a), also where n/a overflows.
fn ln_one_plus_quotient(n: f64, a: f64) -> f64 {
    let quotient = n / a;
    if quotient.is_finite() {
        quotient.ln_1p()
    } else {
        n.ln() - a.ln()
    }
}

fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// (P(u), (P(v) − P(u)) / (v − u)) of a polynomial, without subtracting: synthetic division by
/// x − u, the quotient evaluated at v.
fn divided_difference(coefficients: &[f64], u: f64, v: f64) -> (f64, f64) {
    let mut value = 0.0;
    let mut slope = 0.0;
    for c in coefficients.iter().rev() {
        slope = slope * v + value;
        value = value * u + c;
    }
    (value, slope)
}

/// (R(q) − R(p)) / (q − p) of the odd function R(p) = p · S(p²).
pub(super) fn odd_divided_difference(coefficients: &[f64], p: f64, q: f64) -> f64 {
    let (value, slope) = divided_difference(coefficients, p * p, q * q);
    value + q * (p + q) * slope
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::close;
    use proptest::prelude::*;

    // Tables: mpmath, 60 digits, from the exact doubles of the arguments; loggamma and psi and their
    // differences.
    const LN_GAMMA: &[(f64, f64)] = &[
        (1e-300, 690.7755278982137),
        (1e-08, 18.42068073818021),
        (0.1, 2.252712651734206),
        (0.5, 0.5723649429247001),
        (0.999999, 5.772164873855652e-07),
        (1.0000001, -5.772155829918507e-08),
        (1.4616321449683622, -0.12148629053584961),
        (1.9999999, -4.2278430309861296e-08),
        (2.0000003, 1.268353295317493e-07),
        (3.7, 1.428072326665388),
        (9.999, 12.799575780077413),
        (10.0, 12.801827480081469),
        (57.25, 173.36191283062723),
        (10000.0, 82099.71749644238),
        (100000000.0, 1742068066.1038346),
        (1000000000000000.0, 3.3538776394910668e+16),
    ];

    const LN_GAMMA_RATIO: &[(f64, f64, f64)] = &[
        (1e-300, 1.0, -690.7755278982137),
        (1e-300, 1000000.0, 12814813.793619713),
        (1e-06, 3.0, -13.122361877404954),
        (1e-06, 0.001, -6.9093311712697725),
        (1e-06, 10000.0, 82085.90199567191),
        (0.2426, 7.0, 5.718266669957285),
        (0.2426, 40.0, 106.2045952433828),
        (0.5, 1e-09, -1.9635100235540225e-09),
        (0.9, 1000000.0, 12815516.93673083),
        (1.0, 1e-12, -5.772156649007103e-13),
        (2.5, 0.75, 0.6511190606358062),
        (3.3, 16.0, 36.28613316163166),
        (3.3, 17.0, 39.2462382575425),
        (9.99, 123.5, 505.5068409512832),
        (11.0, 1.0, 2.3978952727983707),
        (12.0, 1e-14, 2.4426616799758126e-14),
        (47.0, 100000.0, 1051695.8747037996),
        (1000.0, 1.0, 6.907755278982137),
        (10000.0, 5000.0, 47133.47574617155),
        (1000000.0, 3.0, 41.44653467389032),
        (1000000.0, 20.0, 276.31040115805047),
        (100000000.0, 1000000.0, 18425664.155147176),
        (100000000.0, 0.5, 9.210340370726183),
        (1000000000000.0, 31.0, 856.56165459425),
        (1000000000000000.0, 1000000.0, 34538776.39541069),
        (1e+17, 2.0, 78.28789316179756),
    ];

    const DIGAMMA: &[(f64, f64)] = &[
        (1e-10, -10000000000.577215),
        (0.001, -1000.5755719318103),
        (0.2426, -4.358361853222514),
        (0.5, -1.9635100260214235),
        (1.0, -0.5772156649015329),
        (1.5, 0.03648997397857652),
        (2.0, 0.42278433509846713),
        (3.75, 1.1825373886117962),
        (9.999, 2.2516474172057355),
        (10.0, 2.251752589066721),
        (31.0, 3.4177714660188583),
        (1000.0, 6.907255195648812),
        (1000000.0, 13.815510057964191),
        (1000000000000.0, 27.63102111592805),
    ];

    const TRIGAMMA: &[(f64, f64)] = &[
        (1e-10, 1e+20),
        (0.001, 1000001.6425331958),
        (0.2426, 18.198210324240314),
        (0.5, 4.934802200544679),
        (1.0, 1.6449340668482264),
        (1.5, 0.9348022005446793),
        (2.0, 0.6449340668482264),
        (3.75, 0.3053398526902531),
        (9.999, 0.10517738667672887),
        (10.0, 0.10516633568168575),
        (31.0, 0.032783949246628835),
        (1000.0, 0.0010005001666666333),
        (1000000.0, 1.0000005000001667e-06),
        (1000000000000.0, 1.0000000000005e-12),
    ];

    const DIGAMMA_DIFF: &[(f64, f64, f64)] = &[
        (1e-06, 3.0, 1000001.49999875),
        (1e-06, 0.001, 999001.0006447297),
        (1e-06, 10000.0, 1000009.7875043913),
        (0.2426, 7.0, 6.267720475669335),
        (0.2426, 40.0, 8.040811890634416),
        (0.5, 1e-09, 4.934802192130281e-09),
        (0.9, 1000000.0, 14.570437907911288),
        (1.0, 1e-12, 1.6449340668470244e-12),
        (2.5, 0.75, 0.3138342704229358),
        (3.3, 16.0, 1.8991522114315071),
        (3.3, 17.0, 1.9509656829340978),
        (9.99, 123.5, 2.6395759204376557),
        (11.0, 1.0, 0.09090909090909091),
        (12.0, 1e-14, 8.690187287176835e-16),
        (47.0, 100000.0, 7.673918775810822),
        (1000.0, 1.0, 0.001),
        (10000.0, 5000.0, 0.405481775237794),
        (1000000.0, 3.0, 2.999997000005e-06),
        (1000000.0, 20.0, 1.9999810002469964e-05),
        (100000000.0, 1000000.0, 0.009950330902673034),
        (100000000.0, 0.5, 5.0000000125e-09),
        (1000000000000.0, 31.0, 3.0999999999535e-11),
        (1000000000000000.0, 1000000.0, 9.999999995000004e-10),
        (1e+17, 2.0, 2e-17),
    ];

    const TRIGAMMA_DIFF: &[(f64, f64, f64)] = &[
        (1e-06, 3.0, -1000000000001.2501),
        (1e-06, 0.001, -999999001997.0065),
        (1e-06, 10000.0, -1000000000001.6449),
        (0.2426, 7.0, -18.050169380505896),
        (0.2426, 40.0, -18.17304973455787),
        (0.5, 1e-09, -1.6828796595529776e-08),
        (0.9, 1000000.0, -1.9225389594776034),
        (1.0, 1e-12, -2.4041138063159417e-12),
        (2.5, 0.75, -0.130559465790655),
        (3.3, 16.0, -0.3003225814642327),
        (3.3, 17.0, -0.3030072172933824),
        (9.99, 123.5, -0.09775762321870536),
        (11.0, 1.0, -0.008264462809917356),
        (12.0, 1e-14, -7.547205368998906e-17),
        (47.0, 100000.0, -0.021494552306659705),
        (1000.0, 1.0, -1e-06),
        (10000.0, 5000.0, -3.333611122839506e-05),
        (1000000.0, 3.0, -2.999994000015e-12),
        (1000000.0, 20.0, -1.9999620007409854e-11),
        (100000000.0, 1000000.0, -9.900990197529655e-11),
        (100000000.0, 0.5, -5.000000025e-17),
        (1000000000000.0, 31.0, -3.099999999907e-23),
        (1000000000000000.0, 1000000.0, -9.99999999000001e-25),
        (1e+17, 2.0, -2e-34),
    ];

    #[test]
    fn single_values() {
        for &(x, expected) in LN_GAMMA {
            close(ln_gamma(x), expected, 1e-15, 0.0);
        }
        for &(x, expected) in DIGAMMA {
            close(digamma(x), expected, 2e-15, 1e-15);
        }
        for &(x, expected) in TRIGAMMA {
            close(trigamma(x), expected, 2e-15, 0.0);
        }
    }

    #[test]
    fn differences() {
        for &(a, n, expected) in LN_GAMMA_RATIO {
            close(ln_gamma_ratio(a, n), expected, 5e-15, 0.0);
        }
        for &(a, n, expected) in DIGAMMA_DIFF {
            close(digamma_diff(a, n), expected, 3e-15, 0.0);
        }
        for &(a, n, expected) in TRIGAMMA_DIFF {
            close(trigamma_diff(a, n), expected, 5e-15, 0.0);
        }
    }

    fn positive() -> impl Strategy<Value = f64> {
        (-15.0f64..30.0).prop_map(f64::exp)
    }

    /// Multiples of 2⁻²⁰, whose sums are exact.
    fn exact() -> impl Strategy<Value = f64> {
        (0u32..45, 0.0f64..1.0)
            .prop_map(|(bits, u)| f64::from(bits).exp2().mul_add(u, 1.0).floor() / 20f64.exp2())
    }

    proptest! {
        #[test]
        fn reflection(x in 0.001f64..0.999) {
            let sine = (std::f64::consts::PI * x).sin();
            close(ln_gamma(x) + ln_gamma(1.0 - x), (std::f64::consts::PI / sine).ln(), 1e-13, 1e-13);
            let tangent = (std::f64::consts::PI * x).tan();
            close(digamma(1.0 - x) - digamma(x), std::f64::consts::PI / tangent, 1e-12, 1e-13);
        }

        #[test]
        fn recurrence(x in positive()) {
            close(digamma_diff(x, 1.0), 1.0 / x, 1e-15, 0.0);
            close(trigamma_diff(x, 1.0), -1.0 / (x * x), 1e-15, 0.0);
            close(digamma(x) + 1.0 / x, digamma(x + 1.0), 1e-14, 1e-14 / x);
        }

        #[test]
        fn steps_add_up(a in exact(), m in exact(), n in exact()) {
            let middle = a + m;
            // The roots of ln Γ(a+n) − ln Γ(a) are the only places with an absolute error.
            let scale = 1.0 + ln_gamma_ratio(a, m).abs() + ln_gamma_ratio(middle, n).abs();
            close(
                ln_gamma_ratio(a, m) + ln_gamma_ratio(middle, n),
                ln_gamma_ratio(a, m + n),
                0.0,
                1e-14 * scale,
            );
            close(digamma_diff(a, m) + digamma_diff(middle, n), digamma_diff(a, m + n), 1e-13, 0.0);
            close(
                trigamma_diff(a, m) + trigamma_diff(middle, n),
                trigamma_diff(a, m + n),
                1e-13,
                0.0,
            );
        }

        #[test]
        fn whole_steps_join_the_series(a in positive(), n in 1u32..=16) {
            let n = f64::from(n);
            close(ln_gamma_ratio(a, n), ln_gamma_ratio(a, n + 1.0) - (a + n).ln(), 1e-14, 1e-13 * n);
        }
    }
}
