//! Lifetimes of the Gompertz/Gamma kind, and their race with a purchase: the special functions of
//! GG/NBD.
//!
//! A lifetime whose hazard grows like eᵗ, at a level η ~ Gamma(s, rate B) that varies between customers,
//! has the survival (Bemmaor and Glady 2012, equation 4)
//!
//! S(t) = G(t)⁻ˢ, G(t) = 1 + (eᵗ − 1) / B.
//!
//! Time is counted in units of 1/b, the unit in which the hazard grows. Whoever is alive at t has a lifetime
//! of the same kind left, with the scale 1 + (B − 1) e⁻ᵗ. Against a purchase whose time has the
//! survival ((σ + t) / σ)⁻ᵃ,
//!
//! P(ends first) = s ∫ H(t) G(t)⁻ˢ (1 + t/σ)⁻ᵃ dt, H(t) = G′(t) / G(t) = eᵗ / (B + eᵗ − 1),
//! P(purchase first) = a/σ ∫ G(t)⁻ˢ (1 + t/σ)^(−a − 1) dt
//!
//! over t > 0, and the expected time to stay is ∫ G(t)⁻ˢ dt. There is no closed form. All three are
//! integrals of positive numbers whose logarithms have simple derivatives in a, ln σ, s and ln B, so
//! that the derivatives of the logarithms of the probabilities share their cost.
//!
//! Method: Gauss–Legendre panels from 0 upwards, as wide as the singularities at −σ and where
//! G = 0 and the steepness of the integrand allow, until nothing is left.

use super::pareto_race::Lomax;
use super::quadrature::GaussLegendre;
use std::sync::LazyLock;

static RULE: LazyLock<GaussLegendre> = LazyLock::new(|| GaussLegendre::new(16));

/// The share of the sum at which the panels end.
const NOTHING: f64 = 1e-19;
/// By how much the logarithm of the integrand may change within a panel.
const STEEPEST: f64 = 8.0;
/// The width of a panel over its distance from a singularity behind it.
const WIDENING: f64 = 1.5;
/// The widest panel beside a singularity, which is π off the real line.
const WIDEST: f64 = 2.0;
/// No integrand needs as many: a bound for parameters beyond all sense.
const MOST_PANELS: u32 = 2_000;

/// A lifetime with survival (1 + (eᵗ − 1) / scale)^−shape, both positive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GompertzGamma {
    pub(crate) shape: f64,
    pub(crate) scale: f64,
}

/// The logarithm of a probability with its derivatives in a, ln σ, s and ln B, in this order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LnOutcome {
    pub(crate) ln: f64,
    pub(crate) slope: [f64; 4],
    pub(crate) curve: [[f64; 4]; 4],
}

impl GompertzGamma {
    /// −ln S(t) / s = ln G(t).
    pub(crate) fn ln_growth(&self, t: f64) -> f64 {
        let growth = t.exp_m1() / self.scale;
        if growth < f64::INFINITY {
            growth.ln_1p()
        } else {
            t - self.scale.ln()
        }
    }

    /// What is left of the lifetime for one who has reached t.
    pub(crate) fn after(&self, t: f64) -> Self {
        Self {
            // Two positive terms: nothing cancels for B near 0.
            scale: self.scale * (-t).exp() - (-t).exp_m1(),
            ..*self
        }
    }

    /// −S′(t) / (s S(t)) = H(t).
    pub(crate) fn hazard(&self, t: f64) -> f64 {
        1.0 / self.after(t).scale
    }

    /// The probability that the lifetime ends before the purchase.
    pub(crate) fn ends_first(&self, purchase: Lomax) -> f64 {
        let [sum, ..] = self.hazard_before(purchase).sums::<false>(f64::INFINITY);
        (self.shape * sum).min(1.0)
    }

    /// The probability that the purchase comes before the end of the lifetime.
    pub(crate) fn outlasts(&self, purchase: Lomax) -> f64 {
        let [sum, ..] = self.purchase_before(purchase).sums::<false>(f64::INFINITY);
        (purchase.shape / purchase.scale * sum).min(1.0)
    }

    /// The logarithm of [`ends_first`](Self::ends_first), with its derivatives.
    pub(crate) fn ln_ends_first(&self, purchase: Lomax) -> LnOutcome {
        let mut outcome = self.hazard_before(purchase).ln_integral();
        outcome.ln += self.shape.ln();
        outcome.slope[2] += 1.0 / self.shape;
        outcome.curve[2][2] -= 1.0 / (self.shape * self.shape);
        outcome
    }

    /// The logarithm of [`outlasts`](Self::outlasts), with its derivatives.
    pub(crate) fn ln_outlasts(&self, purchase: Lomax) -> LnOutcome {
        let (a, sigma) = (purchase.shape, purchase.scale);
        let mut outcome = self.purchase_before(purchase).ln_integral();
        outcome.ln += (a / sigma).ln();
        outcome.slope[0] += 1.0 / a;
        outcome.curve[0][0] -= 1.0 / (a * a);
        outcome.slope[1] -= 1.0;
        outcome
    }

    /// ∫ S(t) e^(−discount · t) dt from 0 to `end`, which may be infinite.
    pub(crate) fn stay(&self, end: f64, discount: f64) -> f64 {
        let [sum, ..] = Integrand {
            life: *self,
            hazard: false,
            power: 0.0,
            sigma: 1.0,
            discount,
        }
        .sums::<false>(end);
        sum.min(end)
    }

    fn hazard_before(&self, purchase: Lomax) -> Integrand {
        Integrand {
            life: *self,
            hazard: true,
            power: purchase.shape,
            sigma: purchase.scale,
            discount: 0.0,
        }
    }

    fn purchase_before(&self, purchase: Lomax) -> Integrand {
        Integrand {
            life: *self,
            hazard: false,
            power: purchase.shape + 1.0,
            sigma: purchase.scale,
            discount: 0.0,
        }
    }
}

/// G(t)⁻ˢ (1 + t/σ)^−power e^(−discount · t), times H(t) if `hazard`.
struct Integrand {
    life: GompertzGamma,
    hazard: bool,
    power: f64,
    sigma: f64,
    discount: f64,
}

/// The first and second derivatives that are summed, after the value: a, ln σ, s, ln B; then the pairs.
const PAIRS: [(usize, usize); 10] = [
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (1, 1),
    (1, 2),
    (1, 3),
    (2, 2),
    (2, 3),
    (3, 3),
];
type Sums = [f64; 15];

impl Integrand {
    fn ln_integral(&self) -> LnOutcome {
        let [sum, rest @ ..] = self.sums::<true>(f64::INFINITY);
        let means = rest.map(|of| of / sum);
        let mut outcome = LnOutcome {
            ln: sum.ln(),
            slope: std::array::from_fn(|i| means[i]),
            curve: [[0.0; 4]; 4],
        };
        for (&(i, j), mean) in PAIRS.iter().zip(&means[4..]) {
            outcome.curve[i][j] = mean - means[i] * means[j];
            outcome.curve[j][i] = outcome.curve[i][j];
        }
        outcome
    }

    /// The integral from 0 to `end`; with `SLOPES`, those of its derivatives too.
    fn sums<const SLOPES: bool>(&self, end: f64) -> Sums {
        let mut sums = [0.0; 15];
        let turn = Turn::of(self.life.scale);
        // Until it has saturated the hazard can make up for what is lost.
        let saturated = if self.hazard { turn.place() } else { 0.0 };
        let mut from = 0.0;
        for _ in 0..MOST_PANELS {
            let width = self.width(from, &turn).min(end - from);
            let before = sums[0];
            for (t, weight) in RULE.points(from, from + width) {
                self.add::<SLOPES>(t, weight, &mut sums);
            }
            from += width;
            let gain = sums[0] - before;
            if from >= end || (gain <= NOTHING * sums[0] && from > saturated) {
                break;
            }
        }
        sums
    }

    fn add<const SLOPES: bool>(&self, t: f64, weight: f64, sums: &mut Sums) {
        let s = self.life.shape;
        let ln_growth = self.life.ln_growth(t);
        let ln_wait = (t / self.sigma).ln_1p();
        let exponent = s * ln_growth + self.power * ln_wait + self.discount * t;
        let mut term = weight * (-exponent).exp();
        if self.hazard {
            term *= self.life.hazard(t);
        }
        sums[0] += term;
        if !SLOPES || term == 0.0 {
            return;
        }
        // (eᵗ − 1) / (B + eᵗ − 1), and what is left of 1.
        let below = self.life.after(t).scale;
        let (grown, rest) = (-(-t).exp_m1() / below, self.life.scale * (-t).exp() / below);
        let (extra, of_hazard) = if self.hazard { (1.0, rest) } else { (0.0, 0.0) };
        let waited = t / (self.sigma + t);
        let slope = [
            -ln_wait,
            self.power * waited,
            -ln_growth,
            s * grown - of_hazard,
        ];
        for (sum, slope) in sums[1..5].iter_mut().zip(slope) {
            *sum += term * slope;
        }
        let mut curve = [0.0; 10];
        curve[1] = waited;
        curve[4] = -slope[1] * (self.sigma / (self.sigma + t));
        curve[8] = grown;
        curve[9] = -(s + extra) * grown * rest;
        for ((sum, curve), (i, j)) in sums[5..].iter_mut().zip(curve).zip(PAIRS) {
            *sum += term * (slope[i] * slope[j] + curve);
        }
    }

    /// How far the integrand is smooth from here on.
    fn width(&self, from: f64, turn: &Turn) -> f64 {
        let mut width = turn.room(from, self.life.shape);
        if self.power > 0.0 {
            width = width.min(WIDENING * (self.sigma + from));
        }
        let by_power = self.power / (self.sigma + from) + self.discount;
        // The hazard is largest at the end of the panel where it grows, at the beginning where it falls.
        let steepest = |width: f64| {
            let rises = self.life.scale > 1.0;
            let hazard = self.life.hazard(if rises { from + width } else { from });
            let own = if self.hazard {
                (1.0 - hazard).abs()
            } else {
                0.0
            };
            by_power + self.life.shape * hazard + own
        };
        for _ in 0..3 {
            width = width.min(STEEPEST / steepest(width));
        }
        width
    }
}

/// Where the singularity of G is: on the real line behind 0, or π beside it.
enum Turn {
    Behind(f64),
    Beside(f64),
}

impl Turn {
    fn of(scale: f64) -> Self {
        if scale > 1.0 {
            Self::Beside((scale - 1.0).ln())
        } else {
            Self::Behind(-(-scale).ln_1p())
        }
    }

    fn place(&self) -> f64 {
        match *self {
            Self::Behind(_) => 0.0,
            Self::Beside(place) => place.max(0.0),
        }
    }

    /// `shape` is the power of G, which makes itself felt well before the turn.
    fn room(&self, from: f64, shape: f64) -> f64 {
        match *self {
            Self::Behind(distance) => WIDENING * (distance + from),
            Self::Beside(place) => {
                let felt = place - shape.max(1.0).ln();
                WIDEST + 0.7 * (felt - WIDEST - from).max(from - place).max(0.0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
