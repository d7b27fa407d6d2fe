//! What a customer will do next.
//!
//! Who is alive at T after x purchases buys on at a rate λ ~ Gamma(r + x, α + T) and leaves at a rate
//! μ ~ Gamma(s, β + T): a new customer of the same model with other parameters.

use super::ParetoNbd;
use crate::lifetime::FuturePurchases;
use crate::lifetime::random_lifetime::{Ahead, FOREVER};
use crate::numeric::quadrature::half_line;
use crate::summary::History;

impl FuturePurchases for ParetoNbd {
    /// P(alive) ((β + T) / (β + T + `delay`))^s.
    fn probability_alive_after(&self, history: &History, delay: f64) -> f64 {
        self.alive_after(history, delay)
    }

    /// Costs some 400 exponentials for each place.
    fn future_purchase_probabilities(&self, history: &History, t: f64, out: &mut [f64]) {
        self.counts_ahead(history, t, out);
    }

    /// E\[λ / (λ + μ)²\] / E\[λ / (λ + μ)\] of a customer who is alive: the area above P(bought first, by
    /// t), by numerical integration in v with t = unit (exp(v / (r + x + s − 1)) − 1), in which the tail
    /// falls like exp(−v).
    fn mean_time_to_purchase(&self, history: &History) -> f64 {
        let now = self.ahead(history);
        let excess = now.r + now.s - 1.0;
        if excess <= 0.0 {
            return f64::INFINITY;
        }
        let unit = now.alpha.min(now.beta);
        let (_, ever) = now.left_or_bought_first(0, 0.0);
        let area = half_line(1e-12, |v| {
            let growth = v / excess;
            let t = (unit * growth.exp_m1()).min(FOREVER);
            let (_, later) = now.left_or_bought_first(0, t);
            // ln(1 + t / α) where t itself has left the range of numbers.
            let ln = |scale: f64| match t {
                FOREVER => growth + unit.ln() - scale.ln(),
                _ => (t / scale).ln_1p(),
            };
            later * (growth - now.r * ln(now.alpha) - now.s * ln(now.beta)).exp()
        });
        (area.value * (unit / excess) / ever).min(f64::MAX)
    }

    fn probability_of_purchase(&self, history: &History, t: f64) -> f64 {
        self.buys_by(history, t)
    }

    /// P(alive) E\[λ / (λ + μ)\].
    fn probability_of_any_purchase(&self, history: &History) -> f64 {
        self.buys_ever(history)
    }

    fn time_to_purchase(&self, history: &History, probability: f64) -> Option<f64> {
        self.time_ahead(history, probability)
    }
}

impl Ahead for ParetoNbd {
    fn ahead(&self, history: &History) -> Self {
        Self {
            r: self.r + f64::from(history.frequency),
            alpha: self.alpha + history.age,
            s: self.s,
            beta: self.beta + history.age,
        }
    }
}
