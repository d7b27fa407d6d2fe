//! BG/NBD: customers buy at random and may leave after any repeat purchase.

use serde::{Deserialize, Serialize};

use super::beta_geometric::{Saved, beta_geometric_model};

/// The BG/NBD model of Fader, Hardie and Lee (2005): the usual first choice.
///
/// While alive, a customer buys at random at a rate λ; after each repeat purchase the customer
/// leaves for good with probability p. Rates differ between customers as λ ~ Gamma(`r`, rate `alpha`), the
/// readiness to leave as p ~ Beta(`a`, `b`).
///
/// * mean rate r / α per unit of time; small r: customers differ much;
/// * mean probability of leaving a / (a + b) after each repeat purchase;
/// * a customer without a repeat purchase is alive by definition (nothing happened after which to
///   leave).
///
/// ```
/// use tenure::lifetime::{BgNbd, PurchaseModel};
/// use tenure::summary::History;
///
/// // CDNOW, in weeks: two repeat purchases, the last after 30.43 weeks of 38.86.
/// let model = BgNbd::new(0.243, 4.414, 0.793, 2.426)?;
/// let history = History::new(2, 30.43, 38.86)?;
/// assert!((model.probability_alive(&history) - 0.7266).abs() < 1e-4);
/// assert!((model.expected_purchases(&history, 39.0) - 1.226).abs() < 1e-3);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Formulas: Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the
/// Pareto/NBD Model, *Marketing Science* 24(2), 275–284; the likelihood is its equation 6, the number of
/// purchases equation 8, expected purchases equation 10.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct BgNbd {
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

beta_geometric_model!(BgNbd, at_first = 0);
