//! Integrals over (0, 1) with the weight s^(p − 1) (1 − s)^(q − 1) (1 − y s)^(−α).
//!
//! The expectations of the dropout models and Euler's integral of ₂F₁ are of this form, with p and
//! q between 1e-6 and 1e4 and more: anything from a needle to two poles. With v = ln(s / (1 − s))
//! the weight becomes a single hill (its slope has one root) with exponential flanks. Panels of
//! Gauss–Legendre nodes go out from the summit, as wide as the hill is locally smooth; where
//! nothing but the exponential flank is left it is integrated in closed form.

use super::quadrature::GaussLegendre;
use std::sync::LazyLock;

static RULE: LazyLock<GaussLegendre> = LazyLock::new(|| GaussLegendre::new(16));

/// The logarithm of what is lost below the summit is nothing.
const DEPTH: f64 = 42.0;
/// Below this share of the smallest scale nothing changes any more.
const NOTHING: f64 = 1e-18;
/// The widest panel: the nearest singularity is π/2 off the real line or farther.
const WIDEST: f64 = 2.0;
/// In standard deviations of the hill.
const WIDTH: f64 = 4.0;
/// How much wider a panel may be than where it ends, and how often it is halved for that.
const STRETCH: f64 = 1.5;
const HALVINGS: u32 = 8;

/// A weight over (0, 1), positive p and q, y < 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct EulerIntegral {
    p: f64,
    q: f64,
    alpha: f64,
    y: f64,
    /// s and 1 − s at the summit, and 1 − y s.
    summit: f64,
    beyond: f64,
    kernel: f64,
}

/// How far an integrand beside the weight may vary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// It is constant for s well below 1 / `near_zero`, and for 1 − s well below 1 / `near_one`.
    pub(super) near_zero: f64,
    pub(super) near_one: f64,
    /// The logarithm of its largest over its smallest value.
    pub(super) range: f64,
}

impl Shape {
    pub(super) const CONSTANT: Self = Self {
        near_zero: 0.0,
        near_one: 0.0,
        range: 0.0,
    };
}

impl EulerIntegral {
    pub(super) fn new(p: f64, q: f64, alpha: f64, y: f64) -> Self {
        // The slope in v, p (1 − s) − q s + α y s (1 − s) / (1 − y s), times 1 − y s is the
        // quadratic c s² − b s + p, positive at 0 and negative at 1. All by a size where y is so large that a
        // square has no number.
        let size = if y < -1e100 { -y } else { 1.0 };
        let (slope, first) = (y / size, p / size);
        let c = slope * (p + q - alpha);
        let b = first + q / size + slope * (p - alpha);
        let root = (b * b - 4.0 * c * first).max(0.0).sqrt();
        let from_zero = if b > 0.0 {
            2.0 * first / (b + root)
        } else {
            (b - root) / (2.0 * c)
        };
        // The same in 1 − s, for its digits where s is nearly 1.
        let d = b - 2.0 * c;
        let rest = q * (1.0 / size - slope);
        let from_one = if d > 0.0 {
            2.0 * rest / (d + root)
        } else {
            (root - d) / (2.0 * c)
        };
        let (summit, beyond) = if from_zero < 0.5 {
            (from_zero, 1.0 - from_zero)
        } else {
            (1.0 - from_one, from_one)
        };
        Self {
            p,
            q,
            alpha,
            y,
            summit,
            beyond,
            kernel: beyond + (1.0 - y) * summit,
        }
    }

    /// The weight at the summit over that of `other` at its summit, as a logarithm, where the two
    /// differ in α and y only.
    pub(super) fn ln_summit_over_plain(&self, other: &Self) -> f64 {
        debug_assert!(other.alpha == 0.0);
        let rise = self.summit - other.summit;
        self.p * ln_of(self.summit / other.summit, rise / other.summit)
            + self.q * ln_of(self.beyond / other.beyond, -rise / other.beyond)
            - self.alpha * ln_of(self.kernel, -self.y * self.summit)
    }

    /// ∫ fᵢ(s, 1 − s) × weight ds for each i, over the weight s (1 − s) × weight at the summit.
    pub(super) fn integrate<const N: usize>(
        &self,
        shape: &Shape,
        f: impl Fn(f64, f64) -> [f64; N],
    ) -> [f64; N] {
        if !(self.summit > 0.0 && self.beyond > 0.0) {
            // It has no digits left: the way from it would not end.
            return [f64::NAN; N];
        }
        let mut sums = [0.0; N];
        let ln_odds = (self.summit / self.beyond).ln();
        let scale = (self.alpha * self.y).abs().min(f64::MAX);
        let lowest = NOTHING.ln() - (1.0 + self.q + scale + shape.near_zero).ln() - ln_odds;
        let scale = (self.alpha * (self.y / (1.0 - self.y))).abs();
        let highest = NOTHING.ln() - (1.0 + self.p + scale + shape.near_one).ln() + ln_odds;
        let depth = DEPTH + shape.range;
        for (direction, flank, limit) in [(-1.0, self.p, -lowest), (1.0, self.q, -highest)] {
            let mut from = 0.0;
            let mut width = f64::INFINITY;
            let mut here = self.at(0.0);
            loop {
                let (ln_weight, s, beyond) = here;
                let on_the_hill = from < limit && ln_weight >= -depth;
                if !on_the_hill {
                    let weight = ln_weight.exp() / flank;
                    add(&mut sums, weight, f(s, beyond));
                    break;
                }
                width = self.smooth(s, beyond).min(2.0 * width).min(WIDEST);
                here = self.at(direction * (from + width));
                // The hill may be flatter where the panel begins than where it ends.
                for _ in 0..HALVINGS {
                    let smooth = self.smooth(here.1, here.2);
                    if width <= STRETCH * smooth {
                        break;
                    }
                    width = smooth.max(0.5 * width);
                    here = self.at(direction * (from + width));
                }
                for (distance, weight) in RULE.points(from, from + width) {
                    let (ln_weight, s, beyond) = self.at(direction * distance);
                    add(&mut sums, weight * ln_weight.exp(), f(s, beyond));
                }
                from += width;
            }
        }
        sums
    }

    /// The logarithm of s (1 − s) × weight below the summit, s and 1 − s, at a distance in v.
    fn at(&self, distance: f64) -> (f64, f64, f64) {
        // Near the summit the quotients to its values are formed by their distance from one, far
        // from it by themselves.
        let (up, odds) = if distance.abs() < 0.5 {
            let up = distance.exp_m1();
            (up, up + 1.0)
        } else {
            let odds = distance.exp();
            (odds - 1.0, odds)
        };
        let (grown, growth) = (self.summit * up, self.beyond + self.summit * odds);
        let (shrunk, shrinkage) = (-self.beyond * up / odds, self.summit + self.beyond / odds);
        let (s, beyond) = (self.summit / shrinkage, self.beyond / growth);
        let mut ln_weight = -self.p * ln_of(shrinkage, shrunk) - self.q * ln_of(growth, grown);
        if self.alpha != 0.0 {
            // From s less the summit: far below it s has no digits left where the summit still has.
            let change = -self.y * (self.summit * (self.beyond * up / growth)) / self.kernel;
            ln_weight -= self.alpha * ln_of((beyond + (1.0 - self.y) * s) / self.kernel, change);
        }
        (ln_weight, s, beyond)
    }

    /// The width over which the hill is smooth, by the second derivative in v of its logarithm.
    fn smooth(&self, s: f64, beyond: f64) -> f64 {
        let spread = s * beyond;
        let kernel = beyond + (1.0 - self.y) * s;
        // In this order nothing is beyond all numbers where y nearly is.
        let bend = ((1.0 - 2.0 * s) / kernel + self.y * s * (s / kernel)) / kernel;
        let bend = self.alpha * (spread * (self.y * bend));
        let curvature = (bend - spread * (self.p + self.q)).abs();
        WIDTH / curvature.sqrt()
    }
}

/// ln x, given both x and x − 1.
fn ln_of(x: f64, less_one: f64) -> f64 {
    if less_one.abs() < 0.5 {
        less_one.ln_1p()
    } else {
        x.ln()
    }
}

fn add<const N: usize>(sums: &mut [f64; N], weight: f64, values: [f64; N]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::beta::ln_beta;
    use crate::numeric::close;
    use proptest::prelude::*;

    fn parameter() -> impl Strategy<Value = f64> {
        (1e-6f64.ln()..1e4f64.ln()).prop_map(f64::exp)
    }

    proptest! {
        #[test]
        fn plain_weight_is_the_beta_function(p in parameter(), q in parameter()) {
            let weight = EulerIntegral::new(p, q, 0.0, 0.0);
            let [integral] = weight.integrate(&Shape::CONSTANT, |_, _| [1.0]);
            let summit = p * weight.summit.ln() + q * weight.beyond.ln();
            // The summit's own coordinates are rounded, which the powers magnify.
            let rounding = 1e-13 + 1e-15 * (p + q);
            close(integral.ln() + summit, ln_beta(p, q), 1e-13, rounding);
        }

        #[test]
        fn moments_of_the_beta_distribution(p in parameter(), q in parameter()) {
            let weight = EulerIntegral::new(p, q, 0.0, 0.0);
            let shape = Shape { near_zero: 1.0, near_one: 1.0, range: 0.0 };
            let [whole, right, left] = weight.integrate(&shape, |s, beyond| [1.0, s, beyond]);
            close(right / whole, p / (p + q), 1e-12, 1e-18);
            close(left / whole, q / (p + q), 1e-12, 1e-18);
        }

        #[test]
        fn the_summit_is_the_highest_point(
            p in parameter(), q in parameter(), alpha in -1e3f64..1e4, y in -1e6f64..0.999_999,
        ) {
            let weight = EulerIntegral::new(p, q, alpha, y);
            for distance in [-20.0, -1.0, -0.1, 0.1, 1.0, 20.0] {
                let (ln_weight, s, beyond) = weight.at(distance);
                prop_assert!(ln_weight < 1e-9, "{distance}: {ln_weight}");
                close(s + beyond, 1.0, 1e-14, 0.0);
            }
        }
    }
}
