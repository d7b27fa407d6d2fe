//! Intervals of parameters, and tests between nested models.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

use super::fit::{Estimate, FitReport, Support};
use crate::error::ConfigError;

impl Estimate {
    /// The Wald interval of the parameter. Of a positive one value · exp(± z · standard error /
    /// value), so that it is as symmetric as the likelihood is in the logarithm, and never negative; of a
    /// coefficient, which may have either sign, value ± z · standard error.
    ///
    /// `None` without a standard error.
    ///
    /// ```
    /// use tenure::lifetime::{BgNbd, FitOptions};
    /// # use tenure::summary::{Histories, HistoryColumns, TimeUnit};
    /// # let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
    /// #     frequency: [2, 1, 0, 0, 7, 0, 1, 0, 3, 0].repeat(20),
    /// #     recency: [30.4, 1.7, 0.0, 0.0, 29.4, 0.0, 5.0, 0.0, 35.7, 0.0].repeat(20),
    /// #     age: [38.9, 38.9, 38.9, 38.9, 38.9, 38.7, 38.7, 38.7, 38.6, 38.6].repeat(20),
    /// #     ..HistoryColumns::default()
    /// # })?;
    /// let fit = BgNbd::fit(&histories, &FitOptions::default())?;
    /// for estimate in &fit.report.parameters {
    ///     if let Some((lower, upper)) = estimate.interval(0.95)? {
    ///         assert!(0.0 < lower && lower < estimate.value && estimate.value < upper);
    ///     }
    /// }
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1.
    pub fn interval(&self, level: f64) -> Result<Option<(f64, f64)>, ConfigError> {
        if !(level > 0.0 && level < 1.0) {
            return Err(ConfigError::OutOfRange {
                setting: "level",
                value: level.to_string(),
                expected: "between 0 and 1, such as 0.95",
            });
        }
        let z = Normal::standard().inverse_cdf(0.5 + level / 2.0);
        Ok(self.standard_error.map(|error| match self.support {
            Support::Positive => {
                let factor = (z * error / self.value).exp();
                (self.value / factor, self.value * factor)
            }
            Support::Real => (self.value - z * error, self.value + z * error),
        }))
    }
}

/// Whether a model explains the same data better than a restricted form of itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LikelihoodRatio {
    /// 2 (log-likelihood of the full model − that of the restricted one); not negative.
    pub statistic: f64,
    /// Parameters that the full model has more.
    pub degrees: u32,
    /// How probable so large a statistic would be if the restricted model were right (Wilks 1938). Too
    /// large, and so cautious, where the restriction lies on the boundary of the full model.
    pub p_value: f64,
}

impl FitReport {
    /// Tests this fit against that of a model nested in it, on the same customers.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless this model has more parameters and both were fitted on as many
    /// customers.
    pub fn likelihood_ratio(&self, restricted: &Self) -> Result<LikelihoodRatio, ConfigError> {
        let (have, want) = (restricted.parameters.len(), self.parameters.len());
        let bad = |value: String, expected| {
            let setting = "restricted";
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        if have >= want {
            let value = format!("a model of {have} parameters");
            return bad(value, "a fit with fewer parameters than this one");
        }
        if restricted.customers != self.customers {
            let value = format!("a fit on {} customers", restricted.customers);
            return bad(value, "a fit on the same customers as this one");
        }
        let statistic = (2.0 * (self.log_likelihood - restricted.log_likelihood)).max(0.0);
        // A model has a handful of parameters.
        let degrees = (want - have) as u32;
        let Ok(law) = ChiSquared::new(f64::from(degrees)) else {
            return bad(
                have.to_string(),
                "a fit with fewer parameters than this one",
            );
        };
        Ok(LikelihoodRatio {
            statistic,
            degrees,
            p_value: law.sf(statistic),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::{BgNbd, FitOptions};
    use crate::simulate::{Retailer, RetailerConfig};
    use crate::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds, TimeUnit};
    use approx::assert_relative_eq;

    fn report() -> FitReport {
        let log = Retailer::new(RetailerConfig::cdnow_like(500, 3)).unwrap();
        let log = log.transactions().unwrap();
        let options = PurchaseOptions {
            grain: Grain::Instant,
            zone: crate::event::Zone::UTC,
            refunds: Refunds::Ignore,
        };
        let summary = PurchaseSummary::collect(&log, &options).unwrap();
        let purchases = summary.into_purchases().unwrap();
        let histories = purchases.histories(log.end().unwrap(), TimeUnit::Week);
        let fit = BgNbd::fit(&histories.unwrap(), &FitOptions::default());
        fit.unwrap().report
    }

    #[test]
    fn an_interval_is_symmetric_in_the_logarithm() {
        let estimate = Estimate {
            name: "r".into(),
            value: 2.0,
            standard_error: Some(0.5),
            support: Support::Positive,
        };
        // 2 exp(1.959963984540054 / 4), where the number is the 97.5% point of the normal law.
        let (lower, upper) = estimate.interval(0.95).unwrap().unwrap();
        assert_relative_eq!(upper, 3.264_603_045_733_369, max_relative = 1e-9);
        assert_relative_eq!(lower * upper, 4.0, max_relative = 1e-12);
        assert!(estimate.interval(1.0).is_err() && estimate.interval(f64::NAN).is_err());
        let coefficient = Estimate {
            value: -0.25,
            support: Support::Real,
            ..estimate
        };
        let (lower, upper) = coefficient.interval(0.95).unwrap().unwrap();
        assert_relative_eq!(upper - lower, 1.959_963_984_540_054, max_relative = 1e-9);
        assert_relative_eq!(lower + upper, -0.5, max_relative = 1e-12);
    }

    #[test]
    fn the_usual_critical_values_are_found() {
        let full = report();
        for (dropped, critical) in [(1, 3.841_458_820_694_124), (2, 5.991_464_547_107_979)] {
            let mut restricted = full.clone();
            restricted.parameters.truncate(4 - dropped);
            restricted.log_likelihood -= critical / 2.0;
            let test = full.likelihood_ratio(&restricted).unwrap();
            assert_eq!(test.degrees as usize, dropped);
            assert_relative_eq!(test.p_value, 0.05, max_relative = 1e-9);
        }
    }

    #[test]
    fn fits_that_cannot_be_compared_are_refused() {
        let full = report();
        assert!(full.likelihood_ratio(&full).is_err());
        let mut other = full.clone();
        other.parameters.truncate(2);
        other.customers += 1;
        let error = full.likelihood_ratio(&other).unwrap_err().to_string();
        assert!(error.contains("a fit on 501 customers"), "{error}");
    }
}
