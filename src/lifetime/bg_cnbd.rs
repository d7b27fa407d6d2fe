//! BG/CNBD-k: customers buy regularly and may leave after any repeat purchase.

use serde::{Deserialize, Serialize};

use super::beta_geometric::{SavedRegular, regular_beta_geometric_model};

/// The BG/CNBD-k model: [`BgNbd`](super::BgNbd) for customers who buy with some regularity.
///
/// The times between a customer's purchases are Erlang-`k` with a rate λ: the sum of k exponential
/// stages, with mean k / λ and coefficient of variation 1/√k. After each repeat purchase the
/// customer leaves for good with probability p. Rates differ between customers as λ ~ Gamma(`r`,
/// rate `alpha`), the readiness to leave as p ~ Beta(`a`, `b`). k = 1 is BG/NBD.
///
/// Regularity makes a silence speak: who bought every month and has not been seen for three is
/// gone. See [`MbgCnbd`](super::MbgCnbd), whose page says how expected purchases are computed, for
/// customers who may leave after the first purchase; it usually fits better.
///
/// ```
/// use tenure::lifetime::{BgCnbd, BgNbd, PurchaseModel};
/// use tenure::summary::History;
///
/// // Twenty repeat purchases in fifty weeks, then a silence of nine.
/// let history = History::new(20, 50.0, 59.0)?;
/// let random = BgNbd::new(0.349, 2.582, 0.504, 3.644)?;
/// let regular = BgCnbd::new(3, 0.360, 0.712, 0.554, 2.758)?;
/// assert!(random.probability_alive(&history) > 0.5);
/// assert!(regular.probability_alive(&history) < 0.35);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Formulas: Reutterer, Platzer and Schröder (2020, in print 2021), Leveraging Purchase Regularity for Predicting
/// Customer Behavior the Easy Way, *International Journal of Research in Marketing* 38(1), 194–215.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SavedRegular", into = "SavedRegular")]
pub struct BgCnbd {
    k: u32,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

regular_beta_geometric_model!(BgCnbd, at_first = 0);
