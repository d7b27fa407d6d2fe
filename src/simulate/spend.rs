//! How much customers spend.

use super::config::within;
use super::sampling::Stream;
use crate::error::ConfigError;
use crate::event::{AMOUNT_MAX, Decimals};

/// Spend per purchase: the Gamma-Gamma model of Fader and Hardie (2005), in major units of money.
///
/// A customer's ν is drawn from Gamma(shape `q`, rate `v`), and each purchase from Gamma(shape `p`,
/// rate ν): a customer's mean is `p`/ν, the mean over customers `p` · `v` / (`q` − 1) for `q` > 1. Each
/// amount is rounded to the nearest minor unit and held between 1 and [`AMOUNT_MAX`], and a customer's
/// mean is at most 10¹⁵: a small `q` would let it grow without bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spend {
    /// Shape of a customer's purchases: the larger, the more alike they are. From 10⁻³ to 10⁶.
    pub p: f64,
    /// Shape of ν over customers: the larger, the more alike customers are. From 10⁻³ to 10⁶.
    pub q: f64,
    /// Rate of ν over customers, in major units. From 10⁻⁶ to 10¹².
    pub v: f64,
    /// The decimal places of the amounts.
    pub decimals: Decimals,
}

/// The largest mean in major units; amounts are held at a smaller number.
const MEAN_MAX: f64 = 1e15;

impl Spend {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("p", self.p, 1e-3, 1e6, "from 10^-3 to 10^6")?;
        within("q", self.q, 1e-3, 1e6, "from 10^-3 to 10^6")?;
        within("v", self.v, 1e-6, 1e12, "from 10^-6 to 10^12")
    }

    /// A customer's mean spend in major units.
    pub(super) fn draw_mean(&self, stream: &mut Stream) -> f64 {
        (self.p * self.v / stream.gamma(self.q)).min(MEAN_MAX)
    }

    /// One amount in minor units.
    pub(super) fn draw(&self, mean: f64, stream: &mut Stream) -> i64 {
        let major = mean * (stream.gamma(self.p) / self.p);
        let minor = major * self.decimals.minor_per_major() as f64 + 0.5;
        // A cast from float to integer cuts the fraction and saturates.
        (minor as i64).clamp(1, AMOUNT_MAX)
    }
}
