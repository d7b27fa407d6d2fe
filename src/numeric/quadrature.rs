//! Numerical integration: Gauss–Legendre for smooth stretches, exp–sinh for half-lines.

use std::f64::consts::{FRAC_PI_2, PI};

/// The Gauss–Legendre rule of n nodes, exact for polynomials of degree 2n − 1.
#[derive(Clone, Debug)]
pub(crate) struct GaussLegendre {
    /// (node, weight) on (−1, 1), ascending.
    nodes: Box<[(f64, f64)]>,
}

impl GaussLegendre {
    /// Computes the rule; make it once and keep it. At least one node.
    pub(crate) fn new(n: u16) -> Self {
        Self {
            nodes: (0..n).map(|i| node(n, n - 1 - i)).collect(),
        }
    }

    /// ∫ f over (from, to).
    pub(crate) fn integrate(&self, from: f64, to: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
        self.points(from, to).map(|(x, weight)| weight * f(x)).sum()
    }

    /// ∫ f over (from, to), cut into panels of equal width.
    pub(crate) fn composite(
        &self,
        from: f64,
        to: f64,
        panels: u16,
        mut f: impl FnMut(f64) -> f64,
    ) -> f64 {
        let width = (to - from) / f64::from(panels);
        let edge = |i: u16| from + width * f64::from(i);
        (0..panels)
            .map(|i| self.integrate(edge(i), edge(i) + width, &mut f))
            .sum()
    }

    /// The nodes and weights for (from, to).
    pub(crate) fn points(&self, from: f64, to: f64) -> impl Iterator<Item = (f64, f64)> {
        let (centre, half) = (0.5 * (from + to), 0.5 * (to - from));
        self.nodes
            .iter()
            .map(move |&(x, weight)| (centre + half * x, half * weight))
    }
}

/// A value and a bound on its error, both finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    /// The change that the last halving of the step made.
    pub(crate) error: f64,
}

/// ∫ f over (0, ∞) by the double-exponential substitution x = exp(π/2 sinh u) (Takahasi and Mori
/// 1974), halving the step until two results agree to the relative tolerance, at most ten times.
///
/// `f` is smooth inside; at 0 and ∞ it may have an integrable singularity or any decay. Places
/// where f is not finite count as zero.
pub(crate) fn half_line(tolerance: f64, mut f: impl FnMut(f64) -> f64) -> Estimate {
    const HALVINGS: u32 = 10;
    let mut at = |u: f64| {
        let x = (FRAC_PI_2 * u.sinh()).exp();
        let term = f(x) * x * FRAC_PI_2 * u.cosh();
        if term.is_finite() { term } else { 0.0 }
    };
    // |u| ≤ 6 reaches from 1e-137 to 1e137.
    let mut step = 0.5;
    let mut points = 12_i32;
    let mut sum: f64 = (-points..=points).map(|i| at(f64::from(i) * step)).sum();
    let mut estimate = Estimate {
        value: sum * step,
        error: f64::MAX,
    };
    for _ in 0..HALVINGS {
        sum += (-points..points)
            .map(|i| at((f64::from(i) + 0.5) * step))
            .sum::<f64>();
        step *= 0.5;
        points *= 2;
        let value = sum * step;
        estimate = Estimate {
            value,
            error: (value - estimate.value).abs(),
        };
        if estimate.error <= tolerance * value.abs() {
            break;
        }
    }
    estimate
}

/// The i-th root of the Legendre polynomial of degree n from the right, and its weight.
fn node(n: u16, i: u16) -> (f64, f64) {
    let degree = f64::from(n);
    let mut x = (PI * (f64::from(i) + 0.75) / (degree + 0.5)).cos();
    // Newton doubles the digits of a start that is good to O(n⁻²); the weight needs the slope at
    // the final x.
    for _ in 0..6 {
        let (value, slope) = legendre(n, x);
        x -= value / slope;
    }
    let (_, slope) = legendre(n, x);
    (x, 2.0 / ((1.0 - x * x) * slope * slope))
}

/// The Legendre polynomial of degree n and its derivative, |x| < 1.
fn legendre(n: u16, x: f64) -> (f64, f64) {
    let (mut before, mut here) = (1.0, x);
    for k in 2..=n {
        let k = f64::from(k);
        (before, here) = (here, ((2.0 * k - 1.0) * x * here - (k - 1.0) * before) / k);
    }
    (here, f64::from(n) * (x * here - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::close;
    use proptest::prelude::*;

    #[test]
    fn five_nodes_in_closed_form() {
        let rule = GaussLegendre::new(5);
        let root = (10.0f64 / 7.0).sqrt();
        let outer = (5.0 + 2.0 * root).sqrt() / 3.0;
        let inner = (5.0 - 2.0 * root).sqrt() / 3.0;
        let (light, heavy) = (322.0 - 13.0 * 70f64.sqrt(), 322.0 + 13.0 * 70f64.sqrt());
        let expected = [
            (-outer, light / 900.0),
            (-inner, heavy / 900.0),
            (0.0, 128.0 / 225.0),
            (inner, heavy / 900.0),
            (outer, light / 900.0),
        ];
        for ((x, w), (node, weight)) in rule.points(-1.0, 1.0).zip(expected) {
            close(x, node, 1e-15, 1e-16);
            close(w, weight, 1e-15, 0.0);
        }
    }

    #[test]
    fn exact_for_polynomials_of_degree_2n_less_1() {
        for n in [1u16, 2, 7, 16, 64] {
            let rule = GaussLegendre::new(n);
            for degree in 0..i32::from(2 * n) {
                let integral = rule.integrate(0.0, 1.0, |x| x.powi(degree));
                close(integral, 1.0 / f64::from(degree + 1), 1e-13, 0.0);
            }
            let beyond = rule.integrate(0.0, 1.0, |x| x.powi(i32::from(2 * n)));
            if n < 16 {
                assert!((beyond * f64::from(2 * n + 1) - 1.0).abs() > 1e-12, "{n}");
            }
        }
    }

    #[test]
    fn composite_resolves_a_narrow_peak() {
        let rule = GaussLegendre::new(16);
        let peak = |x: f64| (-0.5 * (x / 0.01).powi(2)).exp();
        close(
            rule.composite(-1.0, 1.0, 64, peak),
            0.01 * (2.0 * PI).sqrt(),
            1e-13,
            0.0,
        );
    }

    #[test]
    fn half_lines_in_closed_form() {
        let expect = |f: fn(f64) -> f64, expected: f64| {
            let estimate = half_line(1e-13, f);
            close(estimate.value, expected, 1e-13, 0.0);
            assert!(estimate.error <= 1e-13 * expected);
        };
        expect(|x| (-x).exp(), 1.0);
        expect(|x| 1.0 / (1.0 + x * x), FRAC_PI_2);
        expect(|x| (-x * x).exp() / x.sqrt(), 0.5 * libm::tgamma(0.25));
    }

    proptest! {
        #[test]
        fn weights_sum_to_the_width(n in 1u16..120, from in -5.0f64..0.0, to in 0.0f64..5.0) {
            let sum: f64 = GaussLegendre::new(n).points(from, to).map(|p| p.1).sum();
            close(sum, to - from, 1e-13, 1e-15);
        }

        #[test]
        fn half_line_scales(rate in 1e-6f64..1e6) {
            let estimate = half_line(1e-12, |x| x * (-rate * x).exp());
            close(estimate.value, rate.powi(-2), 1e-12, 0.0);
        }
    }
}
