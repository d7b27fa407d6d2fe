//! What a customer will do next.
//!
//! Who is alive at T after x purchases is a new customer of the same model with other parameters.

use super::{Density, probabilities};
use crate::lifetime::PurchaseModel;
use crate::summary::History;

/// Times beyond this are as good as for ever, and leave room to be added to.
pub(in crate::lifetime) const FOREVER: f64 = 1e300;

/// A step this small, of the time, is no step any more.
const REST: f64 = 1e-14;
/// Each step gains a factor of the odds at least: no time needs as many.
const MOST_STEPS: u32 = 2_000;

/// A model in which what comes after T has the form of what comes after the first purchase.
pub(in crate::lifetime) trait Ahead: Density + PurchaseModel + Sized {
    /// What a customer who is alive is like from now on.
    fn ahead(&self, history: &History) -> Self;

    fn alive_after(&self, history: &History, delay: f64) -> f64 {
        let leaves = self.leaving(history.age, delay.max(0.0));
        self.probability_alive(history) * (-leaves).exp()
    }

    fn counts_ahead(&self, history: &History, t: f64, out: &mut [f64]) {
        let alive = self.probability_alive(history);
        probabilities(&self.ahead(history), t, out);
        for place in out.iter_mut() {
            *place = (*place * alive).min(1.0);
        }
        if let Some(none) = out.first_mut() {
            *none = (*none + (1.0 - alive)).min(1.0);
        }
    }

    fn buys_by(&self, history: &History, t: f64) -> f64 {
        let now = self.ahead(history);
        let ever = now.bought_first(0, 0.0);
        self.probability_alive(history) * now.bought_by(t, ever)
    }

    /// Of new customers, those who buy before they leave, less those who would do so later than `t`.
    fn bought_by(&self, t: f64, ever: f64) -> f64 {
        let t = t.clamp(0.0, FOREVER);
        let silent = (-self.exponent(0, t)).exp();
        (ever - silent * self.bought_first(0, t)).clamp(0.0, ever)
    }

    /// By Newton's method: the density of the time to a purchase falls, so that no step goes too far.
    fn time_ahead(&self, history: &History, probability: f64) -> Option<f64> {
        let now = self.ahead(history);
        let (alive, ever) = (self.probability_alive(history), now.bought_first(0, 0.0));
        if probability.is_nan() || probability >= alive * ever {
            return None;
        }
        let (share, (r, alpha)) = ((probability / alive).max(0.0), now.purchase_rates());
        let mut t = 0.0;
        for _ in 0..MOST_STEPS {
            let density = r / (alpha + t) * (-now.exponent(0, t)).exp();
            let step = (share - now.bought_by(t, ever)) / density;
            if step.is_nan() || step <= REST * t {
                return Some(t);
            }
            t += step;
            if t > FOREVER {
                return None;
            }
        }
        Some(t)
    }

    fn buys_ever(&self, history: &History) -> f64 {
        self.probability_alive(history) * self.ahead(history).bought_first(0, 0.0)
    }
}
