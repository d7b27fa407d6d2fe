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
//!     println!("{:10} {:.3} {:+.1}%", row.candidate, row.score.mae, 100.0 * row.score.total_error());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each [`Candidate`] knows what else it needs: covariates of the customers ([`Candidate::Static`]), or their
//! paths through the calendar ([`Candidate::Dynamic`]), which must reach to the end of the hold-out:
//!
//! ```
//! use tenure::lifetime::compare::{self, Candidate, Comparison};
//! use tenure::lifetime::{CovariateOptions, Family, FitOptions};
//! # use tenure::Error;
//! # use tenure::summary::{Holdout, PathHistories};
//! # fn of(data: &PathHistories<'_>, holdout: &Holdout) -> Result<(), Error> {
//! let covariates = CovariateOptions::default();
//! let mut candidates: Vec<Candidate> = Family::ALL.iter().map(|&family| family.into()).collect();
//! candidates.push(Candidate::Dynamic(data, &covariates));
//! let (calibration, options) = (data.histories(), FitOptions::default());
//! let table = compare::compare(&candidates, calibration, holdout, 26.0, &options)?;
//! for row in &table.ranked {
//!     println!("{} {:.3}", row.candidate, row.score.mae);
//! }
//! # Ok(())
//! # }
//! ```

use std::fmt;

use super::{
    CovariateOptions, DynamicParetoNbd, Family, FitOptions, Fitted, FuturePurchases, PurchaseModel,
};
use crate::error::{ConfigError, DataError, Error};
use crate::summary::{Covariates, Histories, Holdout, PathHistories};

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

    /// Without a log score.
    fn of(expected: &[f64], holdout: &Holdout) -> Self {
        let (mut absolute, mut squared, mut actual) = (0.0, 0.0, 0.0);
        for (expected, &purchases) in expected.iter().zip(&holdout.purchases) {
            let error = expected - f64::from(purchases);
            absolute += error.abs();
            squared += error * error;
            actual += f64::from(purchases);
        }
        let customers = expected.len() as f64;
        Self {
            mae: absolute / customers,
            rmse: (squared / customers).sqrt(),
            expected: expected.iter().sum(),
            actual,
            log_score: None,
        }
    }

    /// With the log score of the probabilities of what happened.
    fn surprised_by(self, probabilities: &[f64]) -> Self {
        let surprise = |p: &f64| -p.max(f64::MIN_POSITIVE).ln();
        let total: f64 = probabilities.iter().map(surprise).sum();
        Self {
            log_score: Some(total / probabilities.len() as f64),
            ..self
        }
    }
}

/// A kind of model that may be tried, with what it needs beside the histories.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Candidate<'a> {
    /// Of customers of whom nothing else is known. A family may be given as such.
    Plain(Family),
    /// With covariates that do not change: [`Family::fit_with_covariates`].
    Static(Family, &'a Covariates, &'a CovariateOptions),
    /// [`DynamicParetoNbd`], with covariates that change in time, known to the end of the hold-out. The
    /// histories of the paths are those of the calibration.
    Dynamic(&'a PathHistories<'a>, &'a CovariateOptions),
}

impl Candidate<'_> {
    /// What kind of model it is, apart from covariates.
    pub fn family(&self) -> Family {
        match *self {
            Self::Plain(family) | Self::Static(family, ..) => family,
            Self::Dynamic(..) => Family::ParetoNbd,
        }
    }

    /// The name for programs: `pareto_nbd`, `pareto_nbd_static`, `pareto_nbd_dynamic`, …
    pub fn name(&self) -> String {
        let covariates = match self {
            Self::Plain(_) => "",
            Self::Static(..) => "_static",
            Self::Dynamic(..) => "_dynamic",
        };
        format!("{}{covariates}", self.family().name())
    }

    fn try_on(
        &self,
        calibration: &Histories,
        holdout: &Holdout,
        horizon: f64,
        options: &FitOptions,
    ) -> Result<(Fitted<Model>, Score), Error> {
        let of_histories = |fitted: Fitted<Box<dyn FuturePurchases>>| {
            let Fitted { model, report } = fitted;
            let score = score_distribution(&*model, calibration, holdout, horizon)?;
            let model = Model::Histories(model);
            Ok((Fitted { model, report }, score))
        };
        match *self {
            Self::Plain(family) => of_histories(family.fit(calibration, options)?),
            Self::Static(family, covariates, options) => {
                of_histories(family.fit_with_covariates(calibration, covariates, options)?)
            }
            Self::Dynamic(data, options) => {
                check_same(calibration, data.histories())?;
                let Fitted { model, report } = DynamicParetoNbd::fit_with(data, options)?;
                let score = score_dynamic(&model, data, holdout, horizon)?;
                let model = Model::Paths(model);
                Ok((Fitted { model, report }, score))
            }
        }
    }
}

impl From<Family> for Candidate<'_> {
    fn from(family: Family) -> Self {
        Self::Plain(family)
    }
}

/// As the field writes it: "Pareto/NBD", "Pareto/NBD static", "Pareto/NBD dynamic".
impl fmt::Display for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(family) => family.fmt(f),
            Self::Static(family, ..) => f.pad(&format!("{family} static")),
            Self::Dynamic(..) => f.pad(&format!("{} dynamic", self.family())),
        }
    }
}

/// A fitted model of either kind.
pub enum Model {
    /// That answers from histories, also with static covariates.
    Histories(Box<dyn FuturePurchases>),
    /// That answers from histories in the calendar.
    Paths(DynamicParetoNbd),
}

/// A model and how it did.
pub struct Contender<'a> {
    /// What kind of model it is, and what it was given.
    pub candidate: Candidate<'a>,
    /// The model and its fit to the calibration period.
    pub fitted: Fitted<Model>,
    /// How it did in the hold-out.
    pub score: Score,
}

/// Models ranked by how well they predicted.
pub struct Comparison<'a> {
    /// By mean absolute error, the best first; at the same error by root mean squared error.
    pub ranked: Vec<Contender<'a>>,
    /// Those that could not be fitted or did not know the time of the hold-out, and why not.
    pub failed: Vec<(Candidate<'a>, Error)>,
}

/// Fits models to a calibration period and ranks them by the hold-out that follows it.
///
/// `holdout` is aligned with `calibration` ([`Purchases::holdout`](crate::summary::Purchases::holdout));
/// its length `horizon` is in the unit of the histories. A model that cannot be fitted to these data is
/// listed as such and does not stop the others. `options` are those of candidates without options of
/// their own.
///
/// # Errors
/// [`DataError::Empty`] without customers; [`DataError::Length`] when the hold-out has not one row for
/// each history.
pub fn compare<'a, C: Copy + Into<Candidate<'a>>>(
    candidates: &[C],
    calibration: &Histories,
    holdout: &Holdout,
    horizon: f64,
    options: &FitOptions,
) -> Result<Comparison<'a>, DataError> {
    check(calibration, holdout)?;
    let (mut ranked, mut failed) = (Vec::new(), Vec::new());
    for &candidate in candidates {
        let candidate = candidate.into();
        match candidate.try_on(calibration, holdout, horizon, options) {
            Ok((fitted, score)) => ranked.push(Contender {
                candidate,
                fitted,
                score,
            }),
            Err(error) => failed.push((candidate, error)),
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
/// As [`compare`].
pub fn score(
    model: &dyn PurchaseModel,
    calibration: &Histories,
    holdout: &Holdout,
    horizon: f64,
) -> Result<Score, DataError> {
    check(calibration, holdout)?;
    let mut expected = vec![0.0; calibration.len()];
    model.expected_purchases_batch(calibration, horizon, &mut expected)?;
    Ok(Score::of(&expected, holdout))
}

/// Tries one model on a hold-out, by its expectations and its distribution.
///
/// Besides what [`score`] costs, the probabilities of 0 to the most purchases of each distinct history.
///
/// # Errors
/// As [`compare`].
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
    Ok(score.surprised_by(&probabilities))
}

/// Tries a model with time-varying covariates on a hold-out, by its expectations and its distribution along
/// the covariates of that time.
///
/// # Errors
/// As [`compare`] for the histories of the paths; else as [`DynamicParetoNbd::expected_purchases`].
pub fn score_dynamic(
    model: &DynamicParetoNbd,
    data: &PathHistories<'_>,
    holdout: &Holdout,
    horizon: f64,
) -> Result<Score, Error> {
    check(data.histories(), holdout)?;
    let score = Score::of(&model.expected_purchases(data, horizon)?, holdout);
    let probabilities = model.count_probabilities(data, horizon, &holdout.purchases)?;
    Ok(score.surprised_by(&probabilities))
}

fn check(calibration: &Histories, holdout: &Holdout) -> Result<(), DataError> {
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
    Ok(())
}

/// Models that saw different histories do not compare.
fn check_same(calibration: &Histories, of_paths: &Histories) -> Result<(), Error> {
    if calibration.unit() != of_paths.unit() {
        return Err(ConfigError::OutOfRange {
            setting: "paths",
            value: format!("in {}", of_paths.unit().plural()),
            expected: "in the unit of time of the calibration",
        }
        .into());
    }
    if calibration.len() != of_paths.len() {
        return Err(DataError::Length {
            column: "paths",
            found: of_paths.len(),
            reference: "calibration",
            expected: calibration.len(),
        }
        .into());
    }
    let known = |histories: &Histories, row: usize| {
        let customer = histories.customer().get(row).copied();
        let history = histories.get(row)?;
        Some((customer?, history.frequency, history.recency, history.age))
    };
    for row in 0..calibration.len() {
        let (left, right) = (known(calibration, row), known(of_paths, row));
        if let Some((customer, x, recency, age)) = right
            && left != right
        {
            return Err(DataError::Value {
                row: row as u64 + 1,
                column: "paths".to_owned(),
                value: format!("customer {customer}, x {x}, t_x {recency}, T {age}"),
                expected: "the customer and history of the same row of the calibration",
            }
            .into());
        }
    }
    Ok(())
}
