//! MBG/CNBD-k: customers buy regularly and may leave after any purchase, the first included.

use serde::{Deserialize, Serialize};

use super::beta_geometric::{SavedRegular, regular_beta_geometric_model};

/// The MBG/CNBD-k model of Reutterer, Platzer and Schröder (2020): [`MbgNbd`](super::MbgNbd) for
/// customers who buy with some regularity, as of groceries.
///
/// The times between a customer's purchases are Erlang-`k` with a rate λ: the sum of k exponential
/// stages, with mean k / λ and coefficient of variation 1/√k. After each purchase, the first
/// included, the customer leaves for good with probability p. Rates differ between customers as λ ~
/// Gamma(`r`, rate `alpha`), the readiness to leave as p ~ Beta(`a`, `b`). k = 1 is MBG/NBD.
///
/// ```
/// use tenure::lifetime::{FitOptions, MbgCnbd, PurchaseModel, Regularity};
/// # use tenure::simulate::{PurchaseProcess, Retailer, RetailerConfig};
/// # use tenure::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds, TimeUnit};
/// # use tenure::event::{Period, Zone};
/// # let purchase = PurchaseProcess::mbg_cnbd(4, 1.5, 3.0, 0.6, 2.0);
/// # let log = Retailer::new(RetailerConfig { purchase, ..RetailerConfig::cdnow_like(1_000, 7) })?.transactions()?;
/// # let options = PurchaseOptions { grain: Grain::Period(Period::Day), zone: Zone::UTC, refunds: Refunds::Net };
/// # let purchases = PurchaseSummary::collect(&log, &options)?.into_purchases()?;
/// # let histories = purchases.histories(log.end().unwrap(), TimeUnit::Week)?;
/// // Histories of a shop in which k = 4; those of a purchase summary know the times between purchases.
/// let model = MbgCnbd::fit(&histories, Regularity::ByLikelihood, &FitOptions::default())?;
/// assert!((3..=5).contains(&model.k()));
/// let expected = model.expected_purchases(&histories.get(0).unwrap(), 12.0);
/// assert!(expected < 12.0);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Choosing k
///
/// [`Regularity::ByLikelihood`](super::Regularity::ByLikelihood) tries k = 1 to 12. Purchases of
/// one day count as one, which makes frequent buyers look more regular than they are; where customers
/// buy every few days, compare on a hold-out.
///
/// # Expected purchases are exact
///
/// There is no closed form for k > 1. The paper, and programs after it, take the formula of MBG/NBD
/// with kα in the place of α, which does not know how far on the way to the next purchase the
/// customer is, and correct the total by a factor that depends on which customers are asked about
/// together. Here the expectation is computed as the model defines it: over the stages of the next
/// purchase that may have passed since the last (given x, t_x, T), then over the number of stages
/// to come, a sum of positive terms. An answer is right to eleven digits. For k > 1 it therefore
/// differs from other programs' answers, and does not depend on the company it is asked in.
///
/// # Cost
///
/// A fit costs about twice one of MBG/NBD, that with k found twelve times as much. Answers cost a
/// few hundred terms for each stage and each distinct (x, T).
///
/// Formulas: Reutterer, Platzer and Schröder (2020, in print 2021), Leveraging Purchase Regularity for Predicting
/// Customer Behavior the Easy Way, *International Journal of Research in Marketing* 38(1), 194–215.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SavedRegular", into = "SavedRegular")]
pub struct MbgCnbd {
    k: u32,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

regular_beta_geometric_model!(MbgCnbd, at_first = 1);
