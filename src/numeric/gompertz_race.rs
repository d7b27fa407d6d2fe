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
//! Method: with t = σ (eᵛ − 1) the factor of the purchase is an exponential of v, and a lifetime that has
//! hardly begun to grow old a power of t is one too, so that many orders of magnitude of time take few
//! nodes. Gauss–Legendre panels in v from 0 upwards, as wide as the singularities where G = 0 and the
//! steepness of the integrand allow, until nothing is left.

use super::pareto_race::Lomax;
use super::quadrature::GaussLegendre;
use std::sync::LazyLock;

static RULE: LazyLock<GaussLegendre> = LazyLock::new(|| GaussLegendre::new(16));

/// The share of the sum at which the panels end.
const NOTHING: f64 = 1e-17;
/// By how much the logarithm of the integrand may change within a panel.
const STEEPEST: f64 = 11.0;
/// The width of a panel over its distance from a singularity behind it.
const WIDENING: f64 = 1.5;
/// The widest panel in v: singularities are nowhere nearer than where |Im v| = π/2.
const WIDEST: f64 = 2.5;
/// The widest panel in t beside a singularity that is π off the real line.
const BESIDE: f64 = 1.2;
/// How often a panel is halved before it is cut to size.
const HALVINGS: u32 = 4;
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

    /// The mean time of the purchase, of those that come before the end of the lifetime.
    pub(crate) fn mean_purchase(&self, purchase: Lomax) -> f64 {
        // ∫ t f(t) S(t) dt for the density f of the purchase is the derivative in ln σ of
        // ∫ S(t) (1 + t/σ)⁻ᵃ dt.
        let area = Integrand {
            power: purchase.shape,
            ..self.purchase_before(purchase)
        };
        let [_, _, of_sigma, ..] = area.sums::<true>(f64::INFINITY);
        (of_sigma / self.outlasts(purchase)).min(f64::MAX)
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
            sigma: self.scale.min(1.0),
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
        let end = (end / self.sigma).ln_1p();
        // Until it has saturated the hazard can make up for what is lost.
        let saturated = match self.hazard {
            true => (turn.place() / self.sigma).ln_1p(),
            false => 0.0,
        };
        let mut from = 0.0;
        for _ in 0..MOST_PANELS {
            let width = self.width(from, &turn).min(end - from);
            let before = sums[0];
            for (v, weight) in RULE.points(from, from + width) {
                self.add::<SLOPES>(v, weight, &mut sums);
            }
            from += width;
            let gain = sums[0] - before;
            if from >= end || (gain <= NOTHING * sums[0] && from > saturated) {
                break;
            }
        }
        sums
    }

    /// Adds what is at t = σ (eᵛ − 1).
    fn add<const SLOPES: bool>(&self, v: f64, weight: f64, sums: &mut Sums) {
        let (s, scale) = (self.life.shape, self.life.scale);
        let waited = v.exp_m1();
        let t = self.sigma * waited;
        let ln_growth = self.life.ln_growth(t);
        // The power of 1 more is dt = σ eᵛ dv.
        let exponent = s * ln_growth + (self.power - 1.0) * v + self.discount * t;
        let mut term = weight * self.sigma * (-exponent).exp();
        if !SLOPES {
            if self.hazard {
                term *= self.life.hazard(t);
            }
            sums[0] += term;
            return;
        }
        // (eᵗ − 1) / (B + eᵗ − 1), and what is left of 1.
        let (fallen, left) = (-(-t).exp_m1(), (-t).exp());
        let hazard = 1.0 / (scale * left + fallen);
        let (grown, rest) = (fallen * hazard, scale * left * hazard);
        let mut extra = 0.0;
        if self.hazard {
            term *= hazard;
            extra = 1.0;
        }
        sums[0] += term;
        let waited = waited / (1.0 + waited);
        let (by_a, by_sigma) = (-v, self.power * waited);
        let (by_s, by_scale) = (-ln_growth, s * grown - extra * rest);
        sums[1] += term * by_a;
        sums[2] += term * by_sigma;
        sums[3] += term * by_s;
        sums[4] += term * by_scale;
        sums[5] += term * (by_a * by_a);
        sums[6] += term * (by_a * by_sigma + waited);
        sums[7] += term * (by_a * by_s);
        sums[8] += term * (by_a * by_scale);
        sums[9] += term * (by_sigma * by_sigma - by_sigma * (-v).exp());
        sums[10] += term * (by_sigma * by_s);
        sums[11] += term * (by_sigma * by_scale);
        sums[12] += term * (by_s * by_s);
        sums[13] += term * (by_s * by_scale + grown);
        sums[14] += term * (by_scale * by_scale - (s + extra) * grown * rest);
    }

    /// How far the integrand is smooth from here on, in v.
    fn width(&self, from: f64, turn: &Turn) -> f64 {
        let t = self.sigma * from.exp_m1();
        let mut width = WIDEST.min(turn.room(t, from, self));
        // How fast the logarithm of the integrand changes.
        let steepness = |v: f64| {
            let hazard = self.life.hazard(self.sigma * v.exp_m1());
            let own = match self.hazard {
                true => (1.0 - hazard).abs(),
                false => 0.0,
            };
            let in_t = self.life.shape * hazard + own + self.discount;
            (self.power - 1.0).abs() + in_t * (self.sigma * v.exp())
        };
        let here = steepness(from);
        let steepest = |width: f64| here.max(steepness(from + width));
        for _ in 0..HALVINGS {
            let allowed = STEEPEST / steepest(width);
            if allowed >= width {
                return width;
            }
            width = allowed.max(0.5 * width);
        }
        width.min(STEEPEST / steepest(width))
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

    /// The widest panel in v from t on.
    fn room(&self, t: f64, from: f64, of: &Integrand) -> f64 {
        match *self {
            // Nearer than −σ it is behind in v too; farther away it is π beside the line.
            Self::Behind(distance) if distance < of.sigma => {
                WIDENING * (from - (-distance / of.sigma).ln_1p())
            }
            Self::Behind(_) => f64::INFINITY,
            // The power of G makes itself felt well before the turn.
            Self::Beside(place) => {
                let felt = place - of.life.shape.max(1.0).ln();
                let room = BESIDE + 0.5 * (felt - BESIDE - t).max(t - place).max(0.0);
                (room / (of.sigma + t)).ln_1p()
            }
        }
    }
}

#[cfg(test)]
mod tests;
