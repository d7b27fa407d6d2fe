//! How many purchases a new customer makes.

use super::GompertzGammaNbd;
use crate::lifetime::PurchaseDistribution;
use crate::lifetime::random_lifetime::{Density, probabilities};

/// e^−800 is no number any more.
const NOBODY: f64 = 800.0;
/// The widest panel beside a singularity of the density, which is π off the real line.
const WIDEST: f64 = 2.0;

impl PurchaseDistribution for GompertzGammaNbd {
    /// Costs some 500 exponentials for each place.
    fn purchase_probabilities(&self, t: f64, out: &mut [f64]) {
        probabilities(self, t, out);
    }
}

impl Density for GompertzGammaNbd {
    fn ln_hazard(&self, time: f64) -> f64 {
        let (time, left) = self.at(time);
        (self.s * time / left.scale).ln()
    }

    fn first_leaves(&self) -> f64 {
        (self.beta / (1.0 + self.s)).ln_1p() / self.b
    }

    /// Where s ln G is [`NOBODY`].
    fn last_leaves(&self) -> f64 {
        let growth = NOBODY / self.s;
        let grown = self.beta * growth.exp_m1();
        let time = if grown < f64::INFINITY {
            grown.ln_1p()
        } else {
            growth + self.beta.ln()
        };
        (time / self.b).max(f64::MIN_POSITIVE)
    }

    /// A bound on s (h + h²/s) of the hazard h in the logarithm of time, where it still changes.
    fn curvature(&self, from: f64, to: f64) -> f64 {
        let (time, left) = self.at(to.exp());
        let (_, before) = self.at(from.exp());
        let change = (1.0 - 1.0 / before.scale).abs().min(1.0);
        (self.s + 1.0) * (time / left.scale) * (1.0 + time * change)
    }

    fn room(&self, to: f64) -> f64 {
        let time = self.b * to;
        if self.beta <= 1.0 {
            return f64::INFINITY;
        }
        let turn = (self.beta - 1.0).ln();
        (WIDEST + 0.4 * (time - turn).abs()) / time
    }
}
