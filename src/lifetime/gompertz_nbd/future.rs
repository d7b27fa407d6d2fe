//! What a customer will do next.
//!
//! Who is alive at T after x purchases buys on at a rate λ ~ Gamma(r + x, α + T), and the lifetime that is
//! left has the same b and s and the scale 1 + (β − 1) exp(−b T): a new customer of the same model with other
//! parameters.

use super::GompertzGammaNbd;
use crate::lifetime::FuturePurchases;
use crate::lifetime::random_lifetime::Ahead;
use crate::summary::History;

impl FuturePurchases for GompertzGammaNbd {
    /// P(alive) times the share of those alive at T who stay for another `delay`.
    fn probability_alive_after(&self, history: &History, delay: f64) -> f64 {
        self.alive_after(history, delay)
    }

    /// Costs some 500 exponentials for each place.
    fn future_purchase_probabilities(&self, history: &History, t: f64, out: &mut [f64]) {
        self.counts_ahead(history, t, out);
    }

    /// Always finite, but as large as 1 / (b s) where hardly anyone leaves.
    fn mean_time_to_purchase(&self, history: &History) -> f64 {
        let (left, next) = self.ahead(history).race(0, 0.0);
        (left.mean_purchase(next) / self.b).min(f64::MAX)
    }

    fn probability_of_purchase(&self, history: &History, t: f64) -> f64 {
        self.buys_by(history, t)
    }

    fn probability_of_any_purchase(&self, history: &History) -> f64 {
        self.buys_ever(history)
    }

    fn time_to_purchase(&self, history: &History, probability: f64) -> Option<f64> {
        self.time_ahead(history, probability)
    }
}

impl Ahead for GompertzGammaNbd {
    fn ahead(&self, history: &History) -> Self {
        let (_, left) = self.at(history.age);
        Self {
            r: self.r + f64::from(history.frequency),
            alpha: self.alpha + history.age,
            beta: left.scale,
            ..*self
        }
    }
}
