//! How a model is fitted, and what a fit says about itself.

use std::borrow::Cow;
use std::ops::Deref;

use nalgebra::DMatrix;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod problem;
mod search;

use crate::error::ConfigError;

pub(super) use self::problem::{Maximum, Problem};
pub(super) use self::search::{End, Verdict, search};

/// How to search for the maximum of a likelihood.
///
/// | field | default | range |
/// |---|---|---|
/// | `max_iterations` | 500 | from 1 |
/// | `tolerance` | 1e-10 | above 0 |
/// | `penalty` | 0 | from 0 |
/// | `start` | from the data | one number for each parameter, positive but for coefficients |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitOptions {
    /// The most steps that one search may take.
    pub max_iterations: u32,
    /// The search ends when the largest slope in a log-parameter, relative to the log-likelihood
    /// and to the log-parameter, is below this.
    pub tolerance: f64,
    /// Weight of the penalty ½ · `penalty` · Σ (ln θ)², subtracted from the log-likelihood. It holds
    /// the parameters of small data sets near one; parameters that carry a unit are taken
    /// relative to the data's mean (times to the mean age, money to the mean spend).
    pub penalty: f64,
    /// Where to begin, in the order of the model's parameters; from the data when `None`. To refresh a
    /// model see [`from_fit`](Self::from_fit).
    pub start: Option<Vec<f64>>,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            max_iterations: 500,
            tolerance: 1e-10,
            penalty: 0.0,
            start: None,
        }
    }
}

impl FitOptions {
    /// Options that begin where an earlier fit of the same model ended: to refresh it when new facts have
    /// come in. The rest is as by default; a model of another kind says that the start does not suit it.
    ///
    /// Summaries of facts merge, so that a refresh reads the new facts only, and takes fewer steps:
    ///
    /// ```
    /// use tenure::lifetime::{BgNbd, FitOptions};
    /// use tenure::summary::PurchaseSummary;
    /// # use tenure::event::{Period, Zone};
    /// # use tenure::simulate::{Retailer, RetailerConfig};
    /// # use tenure::summary::{Grain, PurchaseOptions, Refunds, TimeUnit};
    /// # let options = PurchaseOptions { grain: Grain::Period(Period::Day), zone: Zone::UTC, refunds: Refunds::Net };
    /// # let shop = Retailer::new(RetailerConfig::cdnow_like(3_000, 5))?;
    /// # let log = shop.transactions()?;
    /// # let (last_month, today) = (shop.end().saturating_add_s(-30 * 86_400), shop.end());
    /// # let empty = || PurchaseSummary::new(&options, log.decimals());
    /// # let (mut summary, mut new) = (empty(), empty());
    /// # for ((&customer, &time), &amount) in log.customer().iter().zip(log.time()).zip(log.amount()) {
    /// #     let facts = if time < last_month { &mut summary } else { &mut new };
    /// #     facts.push(customer, time, amount)?;
    /// # }
    ///
    /// // Last month, from all facts so far.
    /// let histories = summary.purchases()?.histories(last_month, TimeUnit::Week)?;
    /// let before = BgNbd::fit(&histories, &FitOptions::default())?;
    ///
    /// // Today: the summary of the new facts joins that of the old ones.
    /// summary.merge(new)?;
    /// let histories = summary.purchases()?.histories(today, TimeUnit::Week)?;
    /// let refreshed = BgNbd::fit(&histories, &FitOptions::from_fit(&before.report))?;
    /// let from_scratch = BgNbd::fit(&histories, &FitOptions::default())?;
    /// assert!(refreshed.report.iterations < from_scratch.report.iterations);
    /// assert!((refreshed.r() - from_scratch.r()).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_fit(report: &FitReport) -> Self {
        let values = report.parameters.iter().map(|estimate| estimate.value);
        Self {
            start: Some(values.collect()),
            ..Self::default()
        }
    }

    pub(super) fn check(&self, parameters: usize) -> Result<(), ConfigError> {
        self.check_supports(&vec![Support::Positive; parameters])
    }

    /// Checks the settings for parameters of these supports.
    pub(super) fn check_supports(&self, supports: &[Support]) -> Result<(), ConfigError> {
        let out_of_range = |setting, value: String, expected| {
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        if self.max_iterations == 0 {
            return out_of_range("max_iterations", "0".to_owned(), "at least 1");
        }
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            let value = self.tolerance.to_string();
            return out_of_range("tolerance", value, "a positive number");
        }
        if !(self.penalty >= 0.0 && self.penalty.is_finite()) {
            let value = self.penalty.to_string();
            return out_of_range("penalty", value, "a finite number that is not negative");
        }
        if let Some(start) = &self.start
            && !(start.len() == supports.len()
                && start
                    .iter()
                    .zip(supports)
                    .all(|(s, support)| s.is_finite() && (*s > 0.0 || *support == Support::Real)))
        {
            let expected = "one positive number for each parameter of the model, and any number \
                            for a covariate's coefficient";
            return out_of_range("start", format!("{start:?}"), expected);
        }
        Ok(())
    }
}

/// A model and how its fit went; it can be used like the model itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fitted<M> {
    /// The model at the maximum.
    pub model: M,
    /// How the fit went.
    pub report: FitReport,
}

impl<M> Deref for Fitted<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.model
    }
}

/// How a fit went.
///
/// Standard errors and covariance are the inverse of the observed information, in the parameters
/// themselves (not their logarithms).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedReport")]
#[non_exhaustive]
pub struct FitReport {
    format: Format<1>,
    /// The parameters in the model's order.
    pub parameters: Vec<Estimate>,
    /// Covariance of the estimates, row by row in the order of `parameters`; `None` where the
    /// maximum is not in the interior or not curved in every direction.
    pub covariance: Option<Vec<Vec<f64>>>,
    /// The log-likelihood at the estimates, without any penalty.
    pub log_likelihood: f64,
    /// How the search ended.
    pub status: FitStatus,
    /// Steps of all searches together.
    pub iterations: u32,
    /// Customers whose data entered the likelihood.
    pub customers: usize,
    /// Distinct histories among them: what the cost of the fit depends on.
    pub distinct: usize,
}

/// One estimated parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The parameter's name, as the model's constructor spells it.
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: f64,
    /// Its standard error; `None` where [`FitReport::covariance`] is.
    pub standard_error: Option<f64>,
    /// Which values it can take.
    #[serde(default = "Support::of_most")]
    pub support: Support,
}

/// Which values a parameter can take, and so on which scale its uncertainty is symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Support {
    /// Positive numbers: symmetric in the logarithm.
    Positive,
    /// All numbers, as the coefficient of a covariate: symmetric as it is.
    Real,
}

impl Support {
    /// Of the parameters in a file that does not say.
    fn of_most() -> Self {
        Self::Positive
    }
}

/// How the search for the maximum ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FitStatus {
    /// At a maximum in the interior: the ordinary case.
    Interior,
    /// The likelihood rises for ever, ever more slowly, as these parameters go to their limits
    /// together. The model is as near to the limit as makes no difference to its answers, but the
    /// parameters themselves mean nothing, only what they tend to.
    Boundary {
        /// The parameters that run away, and where to.
        drift: Vec<Drift>,
    },
    /// The search ended before it reached a maximum: out of iterations, or no progress.
    Unfinished {
        /// The largest slope left, measured as [`FitOptions::tolerance`] is.
        slope: f64,
    },
}

/// A parameter that has no finite best value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The parameter's name.
    pub parameter: Cow<'static, str>,
    /// What it tends to.
    pub limit: Limit,
}

/// Where a parameter without a finite best value tends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// To 0.
    Zero,
    /// To 1: a probability.
    One,
    /// To infinity.
    Infinity,
    /// To minus infinity: the coefficient of a covariate.
    NegativeInfinity,
}

impl FitStatus {
    /// On the boundary, along a direction given by name: of these, those that take a large part in it.
    pub(super) fn along(
        direction: impl Iterator<Item = (Cow<'static, str>, f64, Support)> + Clone,
    ) -> Self {
        let largest = direction
            .clone()
            .fold(0.0, |most, (_, step, _)| step.abs().max(most));
        let taking_part = direction.filter(|(_, step, _)| step.abs() > 0.3 * largest);
        let drift = taking_part.map(|(parameter, step, support)| Drift {
            parameter,
            limit: match support {
                _ if step > 0.0 => Limit::Infinity,
                Support::Positive => Limit::Zero,
                Support::Real => Limit::NegativeInfinity,
            },
        });
        Self::Boundary {
            drift: drift.collect(),
        }
    }
}

impl FitReport {
    /// A parameter's value by its name.
    pub fn value(&self, name: &str) -> Option<f64> {
        let estimate = self.parameters.iter().find(|e| e.name == name)?;
        Some(estimate.value)
    }

    /// Akaike's information criterion: 2 k − 2 ln L for k parameters. Smaller is better.
    pub fn aic(&self) -> f64 {
        2.0 * self.parameters.len() as f64 - 2.0 * self.log_likelihood
    }

    /// The Bayesian information criterion: k ln n − 2 ln L for n customers. Smaller is better.
    pub fn bic(&self) -> f64 {
        self.parameters.len() as f64 * (self.customers as f64).ln() - 2.0 * self.log_likelihood
    }

    /// Puts together the report of a finished search.
    pub(super) fn new<const N: usize>(
        names: [&'static str; N],
        maximum: &Maximum<N>,
        customers: usize,
        distinct: usize,
    ) -> Self {
        let named = names.into_iter().zip(maximum.parameters);
        let ending = Ending {
            covariance: maximum.covariance.as_ref(),
            log_likelihood: maximum.log_likelihood,
            status: maximum.status.clone(),
            iterations: maximum.iterations,
        };
        Self::of_estimates(
            named.map(|(name, value)| (name.into(), value, Support::Positive)),
            ending,
            customers,
            distinct,
        )
    }

    /// As [`new`](Self::new), of any number of parameters.
    pub(super) fn of_estimates(
        named: impl Iterator<Item = (Cow<'static, str>, f64, Support)>,
        ending: Ending<'_>,
        customers: usize,
        distinct: usize,
    ) -> Self {
        let covariance = ending.covariance;
        let estimates = named
            .enumerate()
            .map(|(i, (name, value, support))| Estimate {
                name,
                value,
                standard_error: covariance.map(|c| c[(i, i)].sqrt()),
                support,
            });
        let rows = |c: &DMatrix<f64>| {
            let rows = c.row_iter().map(|row| row.iter().copied().collect());
            rows.collect()
        };
        Self {
            format: Format,
            parameters: estimates.collect(),
            covariance: covariance.map(rows),
            log_likelihood: ending.log_likelihood,
            status: ending.status,
            iterations: ending.iterations,
            customers,
            distinct,
        }
    }
}

/// What a report says of the end of a search, besides where it is.
pub(super) struct Ending<'a> {
    pub(super) covariance: Option<&'a DMatrix<f64>>,
    pub(super) log_likelihood: f64,
    pub(super) status: FitStatus,
    pub(super) iterations: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedReport {
    format: Format<1>,
    parameters: Vec<Estimate>,
    covariance: Option<Vec<Vec<f64>>>,
    log_likelihood: f64,
    status: FitStatus,
    iterations: u32,
    customers: usize,
    distinct: usize,
}

impl TryFrom<UncheckedReport> for FitReport {
    type Error = ConfigError;

    fn try_from(report: UncheckedReport) -> Result<Self, ConfigError> {
        let k = report.parameters.len();
        if let Some(covariance) = &report.covariance
            && !(covariance.len() == k && covariance.iter().all(|row| row.len() == k))
        {
            return Err(ConfigError::OutOfRange {
                setting: "covariance",
                value: format!("a table of {} rows", covariance.len()),
                expected: "a square table with one row for each parameter",
            });
        }
        Ok(Self {
            format: report.format,
            parameters: report.parameters,
            covariance: report.covariance,
            log_likelihood: report.log_likelihood,
            status: report.status,
            iterations: report.iterations,
            customers: report.customers,
            distinct: report.distinct,
        })
    }
}

/// The format version of something saved: written as a number, and only that number is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format<const VERSION: u32>;

impl<const VERSION: u32> Serialize for Format<VERSION> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de, const VERSION: u32> Deserialize<'de> for Format<VERSION> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u32::deserialize(deserializer)?;
        if found == VERSION {
            return Ok(Self);
        }
        Err(serde::de::Error::custom(format_args!(
            "format version {found} is unknown; this version of the crate reads version {VERSION}"
        )))
    }
}

/// Refuses a parameter that is not a positive finite number.
pub(super) fn positive(setting: &'static str, value: f64) -> Result<f64, ConfigError> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(ConfigError::OutOfRange {
        setting,
        value: value.to_string(),
        expected: "a positive finite number",
    })
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::lifetime::{BgNbd, FitOptions, Fitted, GammaGamma};
    use crate::summary::{Histories, HistoryColumns, TimeUnit};

    fn histories() -> Histories {
        let columns = HistoryColumns {
            frequency: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 6, 11].repeat(20),
            recency: [
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 9.0, 20.0, 33.0, 18.0, 10.0, 35.0, 32.0, 37.0,
            ]
            .repeat(20),
            age: vec![38.0; 300],
            ..HistoryColumns::default()
        };
        Histories::from_columns(TimeUnit::Week, columns).unwrap()
    }

    fn fit(options: &FitOptions) -> Result<Fitted<BgNbd>, Error> {
        BgNbd::fit(&histories(), options)
    }

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        let fitted = fit(&FitOptions::default()).unwrap();
        let saved = serde_json::to_string(&fitted).unwrap();
        assert_eq!(
            serde_json::from_str::<Fitted<BgNbd>>(&saved).unwrap(),
            fitted
        );
    }

    #[test]
    fn what_cannot_be_is_not_loaded() {
        for (file, message) in [
            (
                r#"{"format":1,"r":-0.5,"alpha":4.0,"a":0.8,"b":2.4}"#,
                "the setting `r` is -0.5; it must be a positive finite number",
            ),
            (
                r#"{"format":2,"r":0.5,"alpha":4.0,"a":0.8,"b":2.4}"#,
                "format version 2 is unknown; this version of the crate reads version 1",
            ),
            (
                r#"{"format":1,"r":0.5,"alpha":4.0,"a":0.8,"b":2.4,"k":2}"#,
                "unknown field `k`",
            ),
        ] {
            let error = serde_json::from_str::<BgNbd>(file).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let spend = r#"{"format":1,"p":6.0,"q":3.7,"v":0.0}"#;
        assert!(serde_json::from_str::<GammaGamma>(spend).is_err());
    }

    #[test]
    fn options_out_of_range_are_named() {
        let given = FitOptions::default;
        for (options, setting) in [
            (
                FitOptions {
                    max_iterations: 0,
                    ..given()
                },
                "`max_iterations`",
            ),
            (
                FitOptions {
                    tolerance: 0.0,
                    ..given()
                },
                "`tolerance`",
            ),
            (
                FitOptions {
                    penalty: f64::NAN,
                    ..given()
                },
                "`penalty`",
            ),
            (
                FitOptions {
                    start: Some(vec![1.0, 2.0]),
                    ..given()
                },
                "`start`",
            ),
            (
                FitOptions {
                    start: Some(vec![1.0, 2.0, -1.0, 1.0]),
                    ..given()
                },
                "`start`",
            ),
        ] {
            let error = fit(&options).unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error}");
            assert!(error.to_string().contains(setting), "{error}");
        }
    }

    #[test]
    fn a_start_at_the_answer_takes_hardly_a_step() {
        let first = fit(&FitOptions::default()).unwrap();
        let values = first.report.parameters.iter().map(|e| e.value).collect();
        let again = fit(&FitOptions {
            start: Some(values),
            ..FitOptions::default()
        })
        .unwrap();
        assert!(again.report.iterations <= 1 && first.report.iterations > 2);
        assert!((again.r() - first.r()).abs() < 1e-12);
    }

    #[test]
    fn a_penalty_draws_parameters_towards_one() {
        let free = fit(&FitOptions::default()).unwrap();
        let held = fit(&FitOptions {
            penalty: 10.0,
            ..FitOptions::default()
        })
        .unwrap();
        assert!(held.a().ln().abs() < free.a().ln().abs());
        assert!(held.report.log_likelihood < free.report.log_likelihood);
        let recomputed = held.log_likelihood_of(&histories().distinct());
        assert!((held.report.log_likelihood - recomputed).abs() < 1e-9);
    }
}
