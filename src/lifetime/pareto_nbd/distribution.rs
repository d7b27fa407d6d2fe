//! How many purchases a new customer makes.

use super::ParetoNbd;
use crate::lifetime::PurchaseDistribution;
use crate::lifetime::random_lifetime::{Density, bend, probabilities};

impl PurchaseDistribution for ParetoNbd {
    /// Costs some 400 exponentials for each place.
    fn purchase_probabilities(&self, t: f64, out: &mut [f64]) {
        probabilities(self, t, out);
    }
}

impl Density for ParetoNbd {
    fn ln_hazard(&self, time: f64) -> f64 {
        self.s.ln() - (self.beta / time).ln_1p()
    }

    fn first_leaves(&self) -> f64 {
        self.beta / (1.0 + self.s)
    }

    fn last_leaves(&self) -> f64 {
        f64::INFINITY
    }

    fn curvature(&self, from: f64, to: f64) -> f64 {
        bend(self.beta.ln(), self.s + 1.0, from, to)
    }

    fn room(&self, _: f64) -> f64 {
        f64::INFINITY
    }
}
