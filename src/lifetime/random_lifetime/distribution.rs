//! How many purchases a new customer makes.
//!
//! P(X(t) = n) is a negative binomial probability over the time that the customer stays, t or less
//! (for Pareto/NBD: Fader and Hardie 2005, section 6, before the integral is written with
//! hypergeometric functions of alternating sign): two positive terms.

use std::sync::LazyLock;

use super::RandomLifetime;
use crate::lifetime::rates::ln_coefficients;
use crate::numeric::quadrature::GaussLegendre;

static RULE: LazyLock<GaussLegendre> = LazyLock::new(|| GaussLegendre::new(16));

/// The logarithm of what is lost below the smallest scale of time is nothing.
const DEPTH: f64 = 42.0;
/// The widest panel in the logarithm of time; singularities are π off the real line.
const WIDEST: f64 = 2.0;
/// In standard deviations of a hill.
const WIDTH: f64 = 4.0;
/// By how much the logarithm of the integrand may change linearly within a panel.
const STEEPEST: f64 = 10.0;
/// A panel at a distance from the end t: what falls off too fast for it has become nothing.
const WIDENING: f64 = 0.25;

/// What the distribution needs of the lifetime beyond the probability to stay.
pub(in crate::lifetime) trait Density: RandomLifetime {
    /// ln of the density of leaving at `time` for one alive then, per unit of its logarithm.
    fn ln_hazard(&self, time: f64) -> f64;

    /// Before this hardly anybody leaves.
    fn first_leaves(&self) -> f64;

    /// After this nobody is left, to the smallest number there is.
    fn last_leaves(&self) -> f64;

    /// The largest curvature of the logarithm of the density of leaving, as a function of the
    /// logarithm of time, between two such logarithms.
    fn curvature(&self, from: f64, to: f64) -> f64;

    /// The widest panel in the logarithm of time that ends at `to`, for singularities other than those
    /// π off the real line.
    fn room(&self, to: f64) -> f64;
}

/// P(X(t) = n) for n = 0, 1, …, as many as `out` has places.
pub(in crate::lifetime) fn probabilities(model: &impl Density, t: f64, out: &mut [f64]) {
    let (r, alpha) = model.purchase_rates();
    let coefficients: Vec<f64> = ln_coefficients(r).take(out.len()).collect();
    out.fill(0.0);
    // NaN is no time either: max() prefers the number.
    let t = t.max(0.0);
    if t == 0.0 {
        if let Some(none) = out.first_mut() {
            *none = 1.0;
        }
        return;
    }
    let t = t.min(f64::MAX);
    let mut add = |ln_weight: f64, time: f64| {
        let ln_none = ln_weight - r * (time / alpha).ln_1p();
        let ln_share = -(alpha / time).ln_1p();
        let mut n = 0.0;
        for (place, coefficient) in out.iter_mut().zip(&coefficients) {
            *place += (coefficient + ln_none + n * ln_share).exp();
            n += 1.0;
        }
    };
    let stays = |time: f64| -model.leaving(0.0, time);
    add(stays(t), t);
    panels(model, t, coefficients.len() as f64, |time, width| {
        add(width.ln() + model.ln_hazard(time) + stays(time), time);
    });
}

/// Nodes and weights in the logarithm of time from the end `t` down to where nothing is left, for
/// up to `places` purchases.
fn panels(model: &impl Density, t: f64, places: f64, mut node: impl FnMut(f64, f64)) {
    let (r, alpha) = model.purchase_rates();
    let end = t.min(model.last_leaves()).ln();
    let first_events = (alpha / (1.0 + r)).min(model.first_leaves());
    let lowest = end.min(first_events.ln()) - DEPTH;
    let steepest = 1.0 + places / (1.0 + t / alpha);
    let mut from = end;
    while from > lowest {
        // The largest curvature of the integrand's logarithm within the widest panel.
        let of_purchases = bend(alpha.ln(), r + places, from - WIDEST, from);
        let curvature = of_purchases + model.curvature(from - WIDEST, from);
        let graded = STEEPEST / steepest + WIDENING * (end - from);
        let hill = (WIDTH / f64::sqrt(curvature)).min(model.room(from.exp()));
        let width = hill.min(graded).min(WIDEST);
        for (ln_time, weight) in RULE.points(from - width, from) {
            node(ln_time.exp(), weight);
        }
        from -= width;
    }
}

/// The largest curvature of power · ln(1 + e^(u − turn)) for u between `from` and `to`.
pub(in crate::lifetime) fn bend(turn: f64, power: f64, from: f64, to: f64) -> f64 {
    let nearest = turn.clamp(from, to);
    let odds = (nearest - turn).exp();
    power * odds / ((1.0 + odds) * (1.0 + odds))
}
