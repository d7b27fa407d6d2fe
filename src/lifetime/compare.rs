//! Which model predicts best? Several models, fitted on a calibration period and tried on what came after it.
//!
//! A likelihood says which model explains the past (and that of [`Nbd`](super::Nbd), of counts alone, does not
//! compare with the others', of times). What a shop wants to know is which one predicts: so the models see a *calibration period* only, and are asked about the *hold-out* after it.
//!
//! ```
//! use tenure::lifetime::{Family, FitOptions, compare};
//! # use tenure::simulate::{Retailer, RetailerConfig};
//! # use tenure::event::{Period, Zone};
//! # use tenure::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds, TimeUnit};
//! # let shop = Retailer::new(RetailerConfig::cdnow_like(300, 1))?;
//! # let (log, end) = (shop.transactions()?, shop.end());
//! # let cut = end.saturating_add_s(-26 * 7 * 86_400);
//! # let options = PurchaseOptions { grain: Grain::Period(Period::Day), zone: Zone::UTC, refunds: Refunds::Net };
//! let summary = PurchaseSummary::collect(&log, &options)?;
//! let calibration = summary.purchases_as_of(cut)?.histories(cut, TimeUnit::Week)?;
//! let holdout = summary.purchases()?.holdout(&calibration, cut, end)?;
//!
//! let families = [Family::BgNbd, Family::ParetoNbd];
//! let table = compare::compare(&families, &calibration, &holdout, 26.0, &FitOptions::default())?;
//! for row in &table.ranked {
//!     println!("{:10} {:.3} {:+.1}%", row.family, row.score.mae, 100.0 * row.score.total_error());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::{Family, FitOptions, Fitted, FuturePurchases, PurchaseModel};
use crate::error::{DataError, Error};
use crate::summary::{Histories, Holdout};

/// How a model's expectations met what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean absolute error of a customer's purchases.
    pub mae: f64,
    /// Root mean squared error of a customer's purchases.
    pub rmse: f64,
    /// The purchases that the model expected of all customers.
    pub expected: f64,
    /// The purchases that there were.
    pub actual: f64,
    /// Mean of −ln P(as many purchases as there were | history) over the customers: how surprised the model
    /// was, smaller is better. `None` of a model without a distribution
    /// ([`FuturePurchases`]). A probability below 1e-307 counts as
    /// that, so that one customer adds at most 708 and the score is always a number.
    ///
    /// Unlike a mean error it rewards a model that knows how unsure it is.
    pub log_score: Option<f64>,
}

impl Score {
    /// How much the total was missed by: 0.1 for ten percent too many, infinite when there was nothing to
    /// expect.
    pub fn total_error(&self) -> f64 {
        if self.expected == self.actual {
            return 0.0;
        }
        self.expected / self.actual - 1.0
    }
}

/// A model and how it did.
pub struct Contender {
    /// What kind of model it is.
    pub family: Family,
    /// The model and its fit to the calibration period.
    pub fitted: Fitted<Box<dyn FuturePurchases>>,
    /// How it did in the hold-out.
    pub score: Score,
}

/// Models ranked by how well they predicted.
pub struct Comparison {
    /// By mean absolute error, the best first; at the same error by root mean squared error.
    pub ranked: Vec<Contender>,
    /// Those that could not be fitted, and why not.
    pub failed: Vec<(Family, Error)>,
}

/// Fits models to a calibration period and ranks them by the hold-out that follows it.
///
/// `holdout` is aligned with `calibration` ([`Purchases::holdout`](crate::summary::Purchases::holdout));
/// its length `horizon` is in the unit of the histories. A model that cannot be fitted to these data is
/// listed as such and does not stop the others.
///
/// # Errors
/// As [`score`].
pub fn compare(
    families: &[Family],
    calibration: &Histories,
    holdout: &Holdout,
    horizon: f64,
    options: &FitOptions,
) -> Result<Comparison, DataError> {
    let (mut ranked, mut failed) = (Vec::new(), Vec::new());
    for &family in families {
        match family.fit(calibration, options) {
            Ok(fitted) => ranked.push(Contender {
                family,
                score: score_distribution(&*fitted.model, calibration, holdout, horizon)?,
                fitted,
            }),
            Err(error) => failed.push((family, error)),
        }
    }
    let key = |contender: &Contender| (contender.score.mae, contender.score.rmse);
    ranked.sort_by(|left, right| {
        let ((mae, rmse), (other_mae, other_rmse)) = (key(left), key(right));
        mae.total_cmp(&other_mae).then(rmse.total_cmp(&other_rmse))
    });
    Ok(Comparison { ranked, failed })
}

/// Tries one model, of whatever kind, on a hold-out, by its expectations alone: without a log score.
///
/// # Errors
/// [`DataError::Empty`] without customers; [`DataError::Length`] when the hold-out has not one row for
/// each history.
pub fn score(
    model: &dyn PurchaseModel,
    calibration: &Histories,
    holdout: &Holdout,
    horizon: f64,
) -> Result<Score, DataError> {
    if calibration.is_empty() {
        return Err(DataError::Empty {
            what: "customers",
            expected: "at least one history to predict from",
        });
    }
    if holdout.purchases.len() != calibration.len() {
        return Err(DataError::Length {
            column: "holdout.purchases",
            found: holdout.purchases.len(),
            reference: "calibration",
            expected: calibration.len(),
        });
    }
    let mut expected = vec![0.0; calibration.len()];
    model.expected_purchases_batch(calibration, horizon, &mut expected)?;
    let (mut absolute, mut squared, mut actual) = (0.0, 0.0, 0.0);
    for (expected, &purchases) in expected.iter().zip(&holdout.purchases) {
        let error = expected - f64::from(purchases);
        absolute += error.abs();
        squared += error * error;
        actual += f64::from(purchases);
    }
    let customers = calibration.len() as f64;
    Ok(Score {
        mae: absolute / customers,
        rmse: (squared / customers).sqrt(),
        expected: expected.iter().sum(),
        actual,
        log_score: None,
    })
}

/// Tries one model on a hold-out, by its expectations and its distribution.
///
/// Besides what [`score`] costs, the probabilities of 0 to the most purchases of each distinct history.
///
/// # Errors
/// As [`score`].
pub fn score_distribution(
    model: &dyn FuturePurchases,
    calibration: &Histories,
    holdout: &Holdout,
    horizon: f64,
) -> Result<Score, DataError> {
    let score = score(model, calibration, holdout, horizon)?;
    let mut probabilities = vec![0.0; calibration.len()];
    let counts = &holdout.purchases;
    model.count_probabilities_batch(calibration, horizon, counts, &mut probabilities)?;
    let surprise = |p: &f64| -p.max(f64::MIN_POSITIVE).ln();
    let total: f64 = probabilities.iter().map(surprise).sum();
    Ok(Score {
        log_score: Some(total / calibration.len() as f64),
        ..score
    })
}
