//! Gauss's hypergeometric function ₂F₁ where Euler's integral exists.
//!
//! ₂F₁(a, b; c; z) for z < 1 with c above b > 0 or above a > 0 is the expectation of
//! (1 − z s)^(−a) over s ~ Beta(b, c − b) (DLMF 15.6.1): positive, for every real a. That covers
//! the likelihood and P(alive) of Pareto/NBD. What BG/NBD needs of ₂F₁ outside of this range comes
//! without it from [`expected_before_dropout`](super::before_dropout::expected_before_dropout).
//!
//! Method: one of the linear transformations of Euler and Pfaff (DLMF 15.8.1) always gives a
//! series of positive terms in an argument between 0 and 1, so nothing cancels; where it would be
//! long, the integral takes over.

use super::euler_integral::{EulerIntegral, Shape};

/// Terms that cost as much as the integral.
const MOST_TERMS: f64 = 4_000.0;
/// Relative error at which a series ends.
const TAIL: f64 = 1e-16;
/// Partial sums beyond this are scaled down.
const LARGE: f64 = 1e250;

/// ln ₂F₁(a, b; c; z) for z < 1 and 0 < b < c or 0 < a < c; the other of a and b is any real.
///
/// Absolute error below 1e-12 + 1e-15 · |value| for parameters between 1e-6 and 1e4.
pub(crate) fn ln_hyp2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (a, b) = if 0.0 < b && b < c { (a, b) } else { (b, a) };
    debug_assert!(
        0.0 < b && b < c && z < 1.0,
        "no integral: {a}, {b}, {c}, {z}"
    );
    if z == 0.0 || a == 0.0 {
        return 0.0;
    }
    let ln_rest = (-z).ln_1p();
    // (exponent of 1 − z, first and second parameter, argument) of the two transforms.
    let (x, forms) = if z > 0.0 {
        (z, [(0.0, a, b), (c - a - b, c - a, c - b)])
    } else {
        (z / (z - 1.0), [(-a, a, c - b), (-b, c - a, b)])
    };
    let best = forms
        .into_iter()
        .filter(|&(_, first, _)| first >= 0.0)
        .min_by(|left, right| (left.1 + left.2).total_cmp(&(right.1 + right.2)));
    match best.and_then(|(power, a, b)| Some((power, ln_series(a, b, c, x)?))) {
        Some((power, ln_sum)) => power * ln_rest + ln_sum,
        None => ln_integral(a, b, c, z),
    }
}

/// ln Σ (a)_n (b)_n / ((c)_n n!) xⁿ of positive terms, or nothing where that takes too many.
fn ln_series(a: f64, b: f64, c: f64, x: f64) -> Option<f64> {
    // The terms grow up to the larger root of (a + n)(b + n) x = (c + n)(1 + n).
    let (linear, constant) = (c + 1.0 - x * (a + b), c - x * a * b);
    let open = 1.0 - x;
    let discriminant = (linear * linear - 4.0 * open * constant).max(0.0).sqrt();
    let summit = (0.5 * (discriminant - linear) / open).max(0.0);
    if summit + 9.0 * (summit / open).sqrt() + 40.0 / open > MOST_TERMS {
        return None;
    }
    let mut term = 1.0;
    let mut sum = 1.0;
    let mut ln_scale = 0.0;
    let mut n = 0.0;
    while n < 4.0 * MOST_TERMS {
        let quotient = (a + n) * (b + n) * x / ((c + n) * (1.0 + n));
        term *= quotient;
        sum += term;
        n += 1.0;
        // The quotient tends to x, from one side once past the summit.
        let gap = 1.0 - quotient.max(x);
        if quotient < 1.0 && n > summit && term <= TAIL * sum * gap {
            return Some(sum.ln() + ln_scale);
        }
        if sum > LARGE {
            term /= LARGE;
            sum /= LARGE;
            ln_scale += LARGE.ln();
        }
    }
    None
}

/// ln of Euler's integral over that of the Beta density.
fn ln_integral(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let beta = EulerIntegral::new(b, c - b, 0.0, z);
    let weight = EulerIntegral::new(b, c - b, a, z);
    let [whole] = beta.integrate(&Shape::CONSTANT, |_, _| [1.0]);
    let [part] = weight.integrate(&Shape::CONSTANT, |_, _| [1.0]);
    weight.ln_summit_over_plain(&beta) + (part / whole).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::close;
    use proptest::prelude::*;

    // (a, b, c, z, ln 2F1): python-flint, ball arithmetic with at least 20 proven digits, log of
    // hypgeom_2f1 of the exact doubles.
    const LN_HYP2F1: &[(f64, f64, f64, f64, f64)] = &[
        (10.25, 1.606, 11.25, 0.3, 0.5150048690592993),
        (10.25, 0.606, 11.25, 0.97, 1.5006049287929386),
        (0.553, 0.606, 2.159, -3.0, -0.2713603569755083),
        (0.553, 1.606, 2.159, 0.999999, 2.3690848055693206),
        (29.5, 1.6, 30.5, -1e-09, -1.5475409828560626e-09),
        (29.5, 1.6, 30.5, -1000000000.0, -33.101461766255284),
        (1000.5, 1.6, 1001.5, 0.99, 7.231682616030611),
        (10000.0, 2.5, 10001.0, -50.0, -9.829318954211033),
        (9000.0, 0.34, 1.34, 0.44, 5208.424034304539),
        (3225.27, 7.97472, 8.0327, 0.999999087792, 44853.95505784726),
        (-4.5, 0.06, 0.0601, 0.999993, -6.514119432233513),
        (-800.5, 30.0, 47.5, -20.0, 2383.773253521055),
        (1e-06, 1e-06, 2e-06, -1000000000.0, -1.0361686600304919e-05),
        (
            78.0903,
            0.000148772,
            2.444,
            0.99999999846062,
            1515.846798635918,
        ),
        (
            10000.0,
            10000.0,
            20000.0,
            -1000000000.0,
            -193365.98743766765,
        ),
        (2.0, 0.5, 10000.0, 0.9999, 0.00010000749983296132),
        (5.0, 3.0, 3.000001, 0.75, 6.9314699661803605),
    ];

    #[test]
    fn table() {
        for &(a, b, c, z, expected) in LN_HYP2F1 {
            close(ln_hyp2f1(a, b, c, z), expected, 2e-14, 2e-13);
            close(ln_hyp2f1(b, a, c, z), expected, 2e-14, 2e-13);
        }
    }

    #[test]
    fn logarithm_in_disguise() {
        for z in [-1e9, -3.0, -1e-3, 0.5, 0.999_999] {
            let expected = (-f64::ln_1p(-z) / z).ln();
            close(ln_hyp2f1(1.0, 1.0, 2.0, z), expected, 1e-13, 1e-15);
        }
    }

    /// The hill of the integral is flat at its summit and steep beside it. The logarithms are of mpmath with 40 digits.
    #[test]
    fn flat_summits() {
        let shapes = [
            (
                1468.8546762051128,
                1.0,
                607.0454807642805,
                0.440306442840047,
                6.67229849584013,
            ),
            (
                5604.901984941442,
                1.0,
                3996.4620793489044,
                0.720854893492173,
                6.479643678588471,
            ),
            (
                5802.334510555307,
                0.05374865257539659,
                1797.9170264367037,
                0.32169305423921046,
                0.6625172473457196,
            ),
        ];
        for (a, b, c, z, expected) in shapes {
            close(ln_integral(a, b, c, z), expected, 2e-14, 2e-13);
            close(ln_hyp2f1(a, b, c, z), expected, 2e-14, 2e-13);
        }
    }

    /// Arguments whose squares have no number. As above.
    #[test]
    fn far_arguments() {
        let far = [
            (0.97, 1.0, 10.0, -4.16e+155, -341.9535180524451),
            (5.5, 2.25, 7.5, -1e+200, -1035.2123155574586),
            (5.5, 2.25, 7.5, -1e+307, -1589.5596766957751),
            (0.5, 2.25, 7.5, -1e+200, -229.51266911056882),
            (-30.5, 2.0, 5.0, -1e+307, 21552.89982722789),
            (100.5, 0.001, 3.0, -1e+250, -0.5793288557587438),
            (-252535.75, 1.0, 20.0, -3e+292, 170070877.46279266),
        ];
        for (a, b, c, z, expected) in far {
            close(ln_hyp2f1(a, b, c, z), expected, 1e-14, 0.0);
        }
        // Here summits lie where numbers have few digits, and products with z have none.
        let farthest = [
            (1200000.0, 1e-06, 1.0, -1.7e+308, -0.0007243018850786883),
            (
                1200000.0,
                1e-06,
                1000000.0,
                -1.7e+308,
                -0.0007099091585333556,
            ),
            (1200000.0, 0.5, 2.0, -1e+305, -358.02236018883576),
            (10000.0, 1e-06, 1.0, -1e+298, -0.0006959578645706874),
            (-1200000.0, 1.0, 13.0, -1.7e+308, 851672056.285038),
        ];
        for (a, b, c, z, expected) in farthest {
            close(ln_hyp2f1(a, b, c, z), expected, 1e-14, 1e-14);
        }
    }

    #[test]
    fn zero_argument() {
        assert_eq!(ln_hyp2f1(2.0, 1.0, 3.0, 0.0), 0.0);
    }

    fn parameter() -> impl Strategy<Value = f64> {
        (1e-6f64.ln()..1e4f64.ln()).prop_map(f64::exp)
    }

    proptest! {
        #[test]
        fn series_and_integral_agree(
            a in parameter(), b in parameter(), more in parameter(), x in 1e-3f64..0.99,
        ) {
            let c = b + more;
            prop_assume!(c > b);
            if let Some(series) = ln_series(a, b, c, x) {
                close(ln_integral(a, b, c, x), series, 1e-14, 1e-12);
            }
        }

        /// Gauss: (c - b) F(b - 1) + (2b - c + (a - b) z) F + b (z - 1) F(b + 1) = 0.
        #[test]
        fn contiguous_in_b(
            a in -50.0f64..500.0, b in 1.01f64..50.0, more in 1.01f64..50.0, z in -100.0f64..0.999,
        ) {
            let c = b + more;
            let here = ln_hyp2f1(a, b, c, z);
            let lower = (c - b) * (ln_hyp2f1(a, b - 1.0, c, z) - here).exp();
            let upper = b * (z - 1.0) * (ln_hyp2f1(a, b + 1.0, c, z) - here).exp();
            let middle = 2.0 * b - c + (a - b) * z;
            let scale = lower.abs() + upper.abs() + middle.abs();
            close(lower + middle + upper, 0.0, 0.0, 1e-12 * scale);
        }

        #[test]
        fn euler_transformation(
            a in 1e-3f64..50.0, b in 1e-3f64..50.0, more in 1e-3f64..50.0, z in -1e6f64..0.99999,
        ) {
            let c = a.max(b) + more;
            let turned = (c - a - b) * (-z).ln_1p() + ln_hyp2f1(c - a, c - b, c, z);
            close(ln_hyp2f1(a, b, c, z), turned, 1e-13, 1e-11);
        }
    }
}
