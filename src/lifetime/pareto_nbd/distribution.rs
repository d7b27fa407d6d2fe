//! How many purchases a new customer makes.
//!
//! P(X(t) = n) is a negative binomial probability over the time that the customer stays, t or less
//! (Fader and Hardie 2005, section 6, before the integral is written with hypergeometric
//! functions of alternating sign): two positive terms.

use std::sync::LazyLock;

use super::ParetoNbd;
use crate::lifetime::PurchaseDistribution;
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

impl PurchaseDistribution for ParetoNbd {
    /// Costs some 400 exponentials for each place.
    fn purchase_probabilities(&self, t: f64, out: &mut [f64]) {
        let coefficients: Vec<f64> = ln_coefficients(self.r).take(out.len()).collect();
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
            let ln_none = ln_weight - self.r * (time / self.alpha).ln_1p();
            let ln_share = -(self.alpha / time).ln_1p();
            let mut n = 0.0;
            for (place, coefficient) in out.iter_mut().zip(&coefficients) {
                *place += (coefficient + ln_none + n * ln_share).exp();
                n += 1.0;
            }
        };
        let stays = |time: f64| -self.s * (time / self.beta).ln_1p();
        add(stays(t), t);
        self.panels(t, coefficients.len() as f64, |time, width| {
            // The density of leaving at `time`, per unit of its logarithm.
            let ln_hazard = self.s.ln() - (self.beta / time).ln_1p();
            add(width.ln() + ln_hazard + stays(time), time);
        });
    }
}

impl ParetoNbd {
    /// Nodes and weights in the logarithm of time from the end `t` down to where nothing is left, for
    /// up to `places` purchases.
    fn panels(&self, t: f64, places: f64, mut node: impl FnMut(f64, f64)) {
        let scales = [
            (self.alpha.ln(), self.r + places),
            (self.beta.ln(), self.s + 1.0),
        ];
        let end = t.ln();
        let first_events = (self.alpha / (1.0 + self.r)).min(self.beta / (1.0 + self.s));
        let lowest = end.min(first_events.ln()) - DEPTH;
        let steepest = 1.0 + places / (1.0 + t / self.alpha);
        let mut from = end;
        while from > lowest {
            // The largest curvature of the integrand's logarithm within the widest panel.
            let curvature = scales.iter().fold(0.0, |sum, &(turn, power)| {
                let nearest = turn.clamp(from - WIDEST, from);
                let odds = (nearest - turn).exp();
                sum + power * odds / ((1.0 + odds) * (1.0 + odds))
            });
            let graded = STEEPEST / steepest + WIDENING * (end - from);
            let width = (WIDTH / f64::sqrt(curvature)).min(graded).min(WIDEST);
            for (ln_time, weight) in RULE.points(from - width, from) {
                node(ln_time.exp(), weight);
            }
            from -= width;
        }
    }
}
