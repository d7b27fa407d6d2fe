//! Which of two Pareto times ends first: the special function of Pareto/NBD.
//!
//! An exponential time whose rate λ ~ Gamma(a, rate A) varies between customers has the Pareto
//! (Lomax) survival (A / (A + t))^a. Of two such times, of shapes a and b and scales A and B, the
//! first ends first with probability E[λ / (λ + μ)]. With σ = A/B, substituting
//! u = ln((A + t) / A),
//!
//! P = a ∫ exp(−a u) (1 − σ + σ eᵘ)^(−b) du over u > 0, the integral being K(a, b, σ);
//!
//! with u = ln((B + t) / B) it is P = a σ K(b − 1, a + 1, 1/σ). One of the two has its σ ≤ 1, where
//! nothing cancels. The papers write the same number as a / (a + b) ₂F₁(b, 1; a + b + 1; 1 − σ)
//! (Fader and Hardie 2005, "A Note on Deriving the Pareto/NBD Model"), a function of *four*
//! parameters that differ by constants: so it has derivatives in a, b and σ that share its cost,
//! and those in σ are algebraic.
//!
//! Method: for K(p, q + 2, σ) the hypergeometric series in 1 − σ, of positive terms, or where it
//! would be long Gauss–Legendre panels; then two steps down of
//! (p + q) K(q) = 1 + q (1 − σ) K(q + 1), sums of positive numbers too. What is integrated at
//! q + 2 falls off faster than e⁻ᵘ, and what the derivatives in σ are made of is at hand.

use super::quadrature::GaussLegendre;
use std::sync::LazyLock;

static RULE: LazyLock<GaussLegendre> = LazyLock::new(|| GaussLegendre::new(16));
/// Where the integrand hardly changes, as over a week of several years.
static SHORT_RULE: LazyLock<GaussLegendre> = LazyLock::new(|| GaussLegendre::new(7));
static SHORTEST_RULE: LazyLock<GaussLegendre> = LazyLock::new(|| GaussLegendre::new(5));

/// The most terms of a series, which cost as much as the panels.
const MOST_TERMS: f64 = 256.0;
/// The quotient of terms at which that many reach the last digit.
const QUOTIENT: f64 = 0.866;
/// The share of the sum at which a series ends.
const TAIL: f64 = 1e-17;
/// The logarithm of what is lost below the highest point is nothing.
const DEPTH: f64 = 42.0;
/// By how much the logarithm of the integrand may change linearly within a panel.
const STEEPEST: f64 = 10.0;
/// The widest panel beside the singularity, which is π off the real line.
const WIDEST: f64 = 2.0;
/// No integrand needs as many: a bound for parameters beyond all sense.
const MOST_PANELS: u32 = 2_000;
/// Beyond this a probability is computed from the other one.
const NEARLY_SURE: f64 = 0.9;

/// A time with survival (scale / (scale + t))^shape, both positive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lomax {
    pub(crate) shape: f64,
    pub(crate) scale: f64,
}

/// The logarithm of a probability with its derivatives in the shape a of the first time, the shape b
/// of the second, and l = ln(A/B), the logarithm of the quotient of their scales.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LnProbability {
    pub(crate) ln: f64,
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) l: f64,
    pub(crate) aa: f64,
    pub(crate) ab: f64,
    pub(crate) al: f64,
    pub(crate) bb: f64,
    pub(crate) bl: f64,
    pub(crate) ll: f64,
}

/// The probabilities that the first time ends first and that the second does, which sum to 1.
///
/// Each to a relative error of 1e-13 for shapes and quotients of scales between 1e-6 and 1e6.
pub(crate) fn race(first: Lomax, second: Lomax) -> (f64, f64) {
    let of_slower = |slower, faster| {
        let wins = ln_wins::<false>(slower, faster).ln.exp();
        let loses = if wins <= NEARLY_SURE {
            1.0 - wins
        } else {
            ln_wins::<false>(faster, slower).ln.exp()
        };
        (wins, loses)
    };
    if is_slower(first, second) {
        of_slower(first, second)
    } else {
        let (loses, wins) = of_slower(second, first);
        (wins, loses)
    }
}

/// The moments of the moment at which the first time ends before the second and before a limit.
///
/// Weighed with the density of that, the coordinates are ln(1 + t/A), A / (A + t), ln(1 + t/B) and
/// B / (B + t), with A and B the scales of the two.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RaceMoments {
    /// The probability itself.
    pub(crate) whole: f64,
    pub(crate) means: [f64; 4],
    /// Of products, as [`RaceMoments::product`] finds them.
    products: [f64; 10],
}

impl RaceMoments {
    /// All that happens at one place, with probability `whole`.
    pub(crate) fn at(whole: f64, place: [f64; 4]) -> Self {
        let mut moments = Self::default();
        moments.add(whole, place);
        moments
    }

    /// The moment of the product of two coordinates.
    pub(crate) fn product(&self, i: usize, j: usize) -> f64 {
        let (low, high) = (i.min(j), i.max(j));
        self.products
            .get(high * (high + 1) / 2 + low)
            .copied()
            .unwrap_or_default()
    }

    fn add(&mut self, weight: f64, place: [f64; 4]) {
        self.whole += weight;
        let mut k = 0;
        for (i, left) in place.into_iter().enumerate() {
            let weighed = weight * left;
            self.means[i] += weighed;
            for right in &place[..=i] {
                self.products[k] += weighed * right;
                k += 1;
            }
        }
    }
}

/// The probability that the first time ends before the second and before `limit`, and with `SLOPES`
/// its moments.
///
/// To a relative error of 1e-13 as [`race`], which is its limit for `limit` to infinity.
pub(crate) fn race_until<const SLOPES: bool>(
    first: Lomax,
    second: Lomax,
    limit: f64,
) -> RaceMoments {
    let mut moments = RaceMoments::default();
    let mut take = |weight: f64, by_first: f64, by_second: f64| {
        if SLOPES {
            let place = [by_first, (-by_first).exp(), by_second, (-by_second).exp()];
            moments.add(weight, place);
        } else {
            moments.whole += weight;
        }
    };
    let (a, b) = (first.shape, second.shape);
    if first.scale <= second.scale {
        let (sigma, rest) = parts(first.scale, second.scale);
        let hill = Hill {
            p: a,
            q: b,
            sigma,
            rest,
        };
        let until = (limit / first.scale).ln_1p();
        walk(hill, until, |node| {
            take(a * node.weight, node.u, node.power)
        });
    } else {
        let (sigma, rest) = parts(second.scale, first.scale);
        let hill = Hill {
            p: b - 1.0,
            q: a + 1.0,
            sigma,
            rest,
        };
        let until = (limit / second.scale).ln_1p();
        walk(hill, until, |node| {
            take(a * sigma * node.weight, node.power, node.u);
        });
    }
    moments
}

/// The logarithms of both probabilities of [`race`], with their derivatives.
pub(crate) fn ln_race(first: Lomax, second: Lomax) -> (LnProbability, LnProbability) {
    let of_slower = |slower, faster| {
        let wins = ln_wins::<true>(slower, faster);
        let probability = wins.ln.exp();
        let loses = if probability <= NEARLY_SURE {
            wins.complement(probability)
        } else {
            ln_wins::<true>(faster, slower).swapped()
        };
        (wins, loses)
    };
    if is_slower(first, second) {
        of_slower(first, second)
    } else {
        let (loses, wins) = of_slower(second, first);
        (wins.swapped(), loses.swapped())
    }
}

/// Whether the first time is the less likely to end first, judged by the mean rates.
fn is_slower(first: Lomax, second: Lomax) -> bool {
    first.shape / first.scale <= second.shape / second.scale
}

/// The logarithm of the probability that the first time ends first, and the derivatives if asked
/// for.
fn ln_wins<const SLOPES: bool>(first: Lomax, second: Lomax) -> LnProbability {
    let (a, b) = (first.shape, second.shape);
    let direct = first.scale <= second.scale;
    let (sigma, rest) = if direct {
        parts(first.scale, second.scale)
    } else {
        parts(second.scale, first.scale)
    };
    let (p, q) = if direct { (a, b) } else { (b - 1.0, a + 1.0) };
    let k = Kernel::new::<SLOPES>(p, q, a + b, sigma, rest);
    let ln = if direct {
        (a * k.here.value).ln()
    } else {
        (a * sigma * k.here.value).ln()
    };
    if !SLOPES {
        return LnProbability {
            ln,
            ..LnProbability::default()
        };
    }
    let k = k.of_logarithm();
    if direct {
        LnProbability {
            ln,
            a: 1.0 / a + k.a,
            aa: k.aa - 1.0 / (a * a),
            ..k
        }
    } else {
        // Here p goes with b, q with a, and the logarithm of σ is −l.
        LnProbability {
            ln,
            a: 1.0 / a + k.b,
            b: k.a,
            l: -1.0 - k.l,
            aa: k.bb - 1.0 / (a * a),
            al: -k.bl,
            bb: k.aa,
            bl: -k.al,
            ..k
        }
    }
}

/// σ = small/large and 1 − σ.
fn parts(small: f64, large: f64) -> (f64, f64) {
    ((small / large).max(1e-280), (large - small) / large)
}

impl LnProbability {
    /// The logarithm of 1 − P, given P.
    fn complement(&self, p: f64) -> Self {
        let odds = p / (1.0 - p);
        let second = |ij: f64, i: f64, j: f64| -odds * (ij + (1.0 + odds) * i * j);
        Self {
            ln: (-p).ln_1p(),
            a: -odds * self.a,
            b: -odds * self.b,
            l: -odds * self.l,
            aa: second(self.aa, self.a, self.a),
            ab: second(self.ab, self.a, self.b),
            al: second(self.al, self.a, self.l),
            bb: second(self.bb, self.b, self.b),
            bl: second(self.bl, self.b, self.l),
            ll: second(self.ll, self.l, self.l),
        }
    }

    /// The same with the derivatives in the order of the two times exchanged.
    fn swapped(self) -> Self {
        Self {
            a: self.b,
            b: self.a,
            l: -self.l,
            aa: self.bb,
            al: -self.bl,
            bb: self.aa,
            bl: -self.al,
            ..self
        }
    }
}

/// A number that depends on p and q, with its derivatives.
#[derive(Clone, Copy, Debug, Default)]
struct Jet {
    value: f64,
    p: f64,
    q: f64,
    pp: f64,
    pq: f64,
    qq: f64,
}

/// K(p, q, σ), and as `next` and `beyond` the same at q + 1 and q + 2.
struct Kernel {
    q: f64,
    here: Jet,
    next: Jet,
    beyond: f64,
}

impl Kernel {
    /// `sum` is p + q, which may be small beside both; `rest` is 1 − σ.
    fn new<const SLOPES: bool>(p: f64, q: f64, sum: f64, sigma: f64, rest: f64) -> Self {
        let top = q + 2.0;
        let quotient = rest * (top + MOST_TERMS) / (sum + 2.0 + MOST_TERMS);
        let beyond = if quotient <= QUOTIENT {
            series::<SLOPES>(sum + 2.0, top, rest)
        } else {
            panels::<SLOPES>(p, top, sigma, rest)
        };
        let next = beyond.step_down(sum + 1.0, q + 1.0, rest);
        Self {
            q,
            here: next.step_down(sum, q, rest),
            next,
            beyond: beyond.value,
        }
    }

    /// ln K with its derivatives in p (as `a`), q (as `b`) and ln σ (as `l`).
    fn of_logarithm(&self) -> LnProbability {
        let Self { q, here, next, .. } = *self;
        let inverse = 1.0 / here.value;
        let (fall, next_fall) = (here.value - next.value, next.value - self.beyond);
        let a = here.p * inverse;
        let b = here.q * inverse;
        let l = -q * fall * inverse;
        LnProbability {
            ln: here.value.ln(),
            a,
            b,
            l,
            aa: here.pp * inverse - a * a,
            ab: here.pq * inverse - a * b,
            al: -q * (here.p - next.p) * inverse - a * l,
            bb: here.qq * inverse - b * b,
            bl: -(fall + q * (here.q - next.q)) * inverse - b * l,
            ll: q * (q * fall - (q + 1.0) * next_fall) * inverse - l * l,
        }
    }
}

impl Jet {
    /// (1 + q z K(q + 1)) / (p + q), where `self` is K(q + 1) and `sum` is p + q.
    fn step_down(&self, sum: f64, q: f64, z: f64) -> Self {
        let inverse = 1.0 / sum;
        let (qz, above) = (q * z, self);
        let value = (1.0 + qz * above.value) * inverse;
        let of_p = (qz * above.p - value) * inverse;
        let of_q = (z * above.value + qz * above.q - value) * inverse;
        Self {
            value,
            p: of_p,
            q: of_q,
            pp: (qz * above.pp - 2.0 * of_p) * inverse,
            pq: (z * above.p + qz * above.pq - of_p - of_q) * inverse,
            qq: (2.0 * z * above.q + qz * above.qq - 2.0 * of_q) * inverse,
        }
    }
}

/// K = Σ (q)ₖ / (c)ₖ₊₁ zᵏ with c = p + q, term by term with the derivatives.
fn series<const SLOPES: bool>(c: f64, q: f64, z: f64) -> Jet {
    let mut inverse = 1.0 / c;
    let mut term = inverse;
    // Of the logarithm of the term: first and second derivatives in q and in c, each at the other
    // fixed.
    let (mut of_q, mut of_qq) = (0.0, 0.0);
    let (mut of_c, mut of_cc) = (-inverse, inverse * inverse);
    let mut sum = 0.0;
    let (mut sum_q, mut sum_c, mut sum_qq, mut sum_qc, mut sum_cc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let enough = TAIL * (1.0 - z);
    let mut k = 0.0;
    while k <= 2.0 * MOST_TERMS {
        sum += term;
        if SLOPES {
            sum_q += term * of_q;
            sum_c += term * of_c;
            sum_qq += term * (of_q * of_q + of_qq);
            sum_qc += term * of_q * of_c;
            sum_cc += term * (of_c * of_c + of_cc);
        }
        if term <= enough * sum {
            break;
        }
        inverse = 1.0 / (c + k + 1.0);
        term *= z * (q + k) * inverse;
        if SLOPES {
            let of_numerator = 1.0 / (q + k);
            of_q += of_numerator;
            of_qq -= of_numerator * of_numerator;
            of_c -= inverse;
            of_cc += inverse * inverse;
        }
        k += 1.0;
    }
    Jet {
        value: sum,
        p: sum_c,
        q: sum_c + sum_q,
        pp: sum_cc,
        pq: sum_cc + sum_qc,
        qq: sum_cc + 2.0 * sum_qc + sum_qq,
    }
}

/// K by integration in u, for q ≥ 2 and p > −1: one hill, whose right flank falls at least like e⁻ᵘ.
fn panels<const SLOPES: bool>(p: f64, q: f64, sigma: f64, rest: f64) -> Jet {
    let mut sums = Jet::default();
    walk(Hill { p, q, sigma, rest }, f64::INFINITY, |node| {
        let (term, u, power) = (node.weight, node.u, node.power);
        sums.value += term;
        if SLOPES {
            sums.p -= term * u;
            sums.q -= term * power;
            sums.pp += term * u * u;
            sums.pq += term * u * power;
            sums.qq += term * power * power;
        }
    });
    sums
}

/// exp(−p u) (1 − σ + σ eᵘ)^(−q), with `rest` = 1 − σ.
#[derive(Clone, Copy, Debug)]
struct Hill {
    p: f64,
    q: f64,
    sigma: f64,
    rest: f64,
}

/// A node of an integration.
#[derive(Clone, Copy, Debug)]
struct Node {
    u: f64,
    /// ln(1 − σ + σ eᵘ).
    power: f64,
    /// The integrand times the weight of the rule.
    weight: f64,
}

/// Hands over the nodes of ∫ exp(−p u) (1 − σ + σ eᵘ)^(−q) du from 0 to `until`, as far as the
/// integrand is not lost beside its highest point.
fn walk(hill: Hill, until: f64, mut take: impl FnMut(Node)) {
    let Hill { p, q, sigma, rest } = hill;
    // The singularity lies π beside `turn`; well before `fall` the power of q is 1.
    let turn = (rest / sigma).ln();
    let fall = turn - q.max(1.0).ln();
    let exponent = |u: f64| {
        let power = (sigma * u.exp_m1()).ln_1p();
        (p * u + q * power, power)
    };
    let mut lowest = 0.0_f64;
    let mut from = 0.0;
    for _ in 0..MOST_PANELS {
        let (depth, power) = exponent(from);
        lowest = lowest.min(depth);
        let share = sigma * (from - power).exp();
        let slope = p + q * share;
        if slope > 0.0 && depth - lowest > DEPTH {
            break;
        }
        let room = (fall - WIDEST - from).max(from - turn).max(0.0);
        let width = (WIDEST + 0.7 * room).min(STEEPEST / (p.abs() + q * share));
        let last = from + width >= until;
        let to = if last { until } else { from + width };
        let rule = if last {
            // The share of the power may grow on the way, but not beyond 1.
            let steepness = p.abs() + q * (share * (to - from).exp()).min(1.0);
            short_rule(to - from, (to - from) * steepness)
        } else {
            &RULE
        };
        for (u, weight) in rule.points(from, to) {
            let (depth, power) = exponent(u);
            let weight = weight * (-depth).exp();
            take(Node { u, power, weight });
        }
        if last {
            break;
        }
        from = to;
    }
}

/// The smallest rule for a panel on which the logarithm of the integrand changes by `change`.
fn short_rule(width: f64, change: f64) -> &'static GaussLegendre {
    if width <= 0.1 && change <= 0.25 {
        &SHORTEST_RULE
    } else if width <= 0.5 && change <= 1.0 {
        &SHORT_RULE
    } else {
        &RULE
    }
}

#[cfg(test)]
mod tests;
