//! MBG/NBD: customers buy at random and may leave after any purchase, the first included.

use serde::{Deserialize, Serialize};

use super::beta_geometric::{Saved, beta_geometric_model};

/// The MBG/NBD model of Batislam, Denizel and Filiztekin (2007) and of Hoppe and Wagner (2007):
/// BG/NBD in which a customer may also leave right after the first purchase.
///
/// While alive, a customer buys at random at a rate λ; after each purchase the customer leaves for
/// good with probability p. Rates differ between customers as λ ~ Gamma(`r`, rate `alpha`), the
/// readiness to leave as p ~ Beta(`a`, `b`).
///
/// * mean rate r / α per unit of time; small r: customers differ much;
/// * mean probability of leaving a / (a + b) after each purchase;
/// * many customers never come back: here they may have left at once, and their P(alive) falls
///   while they are silent. For [`BgNbd`](super::BgNbd) they are all alive, and only seldom buy.
///
/// ```
/// use tenure::lifetime::{MbgNbd, PurchaseModel};
/// use tenure::summary::History;
///
/// // CDNOW, in weeks: two repeat purchases, the last after 30.43 weeks of 38.86.
/// let model = MbgNbd::new(0.525, 6.183, 0.891, 1.614)?;
/// let history = History::new(2, 30.43, 38.86)?;
/// assert!((model.probability_alive(&history) - 0.7062).abs() < 1e-4);
/// assert!((model.expected_purchases(&history, 39.0) - 1.263).abs() < 1e-3);
/// let never_back = History::new(0, 0.0, 38.86)?;
/// assert!((model.probability_alive(&never_back) - 0.3897).abs() < 1e-4);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Cost: as BG/NBD.
///
/// Formulas: Batislam, Denizel and Filiztekin (2007), Empirical Validation and Comparison of Models
/// for Customer Base Analysis, *International Journal of Research in Marketing* 24(3), 201–209,
/// appendix A; Hoppe and Wagner (2007), Customer Base Analysis: The Case for a Central Variant of
/// the Betageometric/NBD Model, *Marketing – Journal of Research and Management* 3(2), 75–90.
/// Expected purchases are written so that a = 1 and a + b = 1 are no exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct MbgNbd {
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

beta_geometric_model!(MbgNbd, at_first = 1);
