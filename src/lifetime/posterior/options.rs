//! What is to be drawn, and how.

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// What is to be drawn from which posterior, and how.
///
/// ```
/// use tenure::lifetime::interval::{PosteriorOptions, Prior};
/// use tenure::lifetime::{BgNbd, FitOptions, FitStatus};
/// # use tenure::summary::{Histories, HistoryColumns, TimeUnit};
/// # let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
/// #     frequency: vec![0, 1, 1, 0, 1, 0],
/// #     recency: vec![0.0, 0.5, 3.0, 0.0, 0.2, 0.0],
/// #     age: vec![39.0; 6],
/// #     ..HistoryColumns::default()
/// # })?;
/// // Six customers, three of whom bought once more: no parameters fit best.
/// let fitted = BgNbd::fit(&histories, &FitOptions::default())?;
/// assert_ne!(fitted.report.status, FitStatus::Interior);
/// let options = PosteriorOptions::new(200, 1);
/// assert_eq!(options.prior, Prior::LogNormal { spread: 3.0 });
/// let posterior = fitted.posterior_with(&histories.distinct(), &options)?;
/// assert_eq!(posterior.draws().len(), 200);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorOptions {
    /// How many parameter sets to draw; from 1.
    pub draws: u32,
    /// Where the random numbers begin. The draws depend on nothing else.
    pub seed: u64,
    /// What is believed before the data are seen.
    pub prior: Prior,
    /// How to draw.
    pub sampler: Sampler,
}

/// What is believed of the parameters before the data are seen. A penalty of the fit
/// ([`FitOptions::penalty`](crate::lifetime::FitOptions::penalty)) is none of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Prior {
    /// Flat in the logarithms of the parameters: density ∝ Π 1/θ. Improper, and so is the posterior
    /// wherever the likelihood does not vanish as parameters go to 0 or infinity together; drawing
    /// around a maximum in the interior, far from there, one does not notice. Without such a maximum it
    /// is refused.
    Flat,
    /// Each ln(θ / unit) is normal around 0 with this standard deviation, independently of the others:
    /// proper. The unit of a time is the mean age of the customers, that of money their mean spend, that
    /// of other parameters 1. A fit with the penalty 1/`spread`² has its maximum where this posterior
    /// has.
    LogNormal {
        /// Positive. With 3, which is little to believe, 95% of the prior lie within a factor of 360 of the
        /// unit.
        spread: f64,
    },
}

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Sampler {
    /// By importance; where its diagnosis fails, by chains. (With [`Prior::Flat`] chains would have no
    /// end to walk to: then the weighted draws are handed out with their diagnosis.)
    Automatic,
    /// Proposals around the maximum, weighted: fast, and right where the posterior is nearly normal in
    /// the logarithms of the parameters.
    Importance,
    /// The No-U-Turn sampler: slower, and right for any smooth posterior. Needs a proper prior.
    Nuts(Chains),
}

/// How the chains of the No-U-Turn sampler run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chains {
    /// How many; from 2, so that they can be compared.
    pub chains: u32,
    /// Steps of each before its draws count, in which it learns the size and direction of its steps;
    /// from 100.
    pub warm_up: u32,
}

impl Default for Chains {
    /// 4 chains with a warm-up of 500 steps.
    fn default() -> Self {
        Self {
            chains: 4,
            warm_up: 500,
        }
    }
}

impl PosteriorOptions {
    /// A prior of log-normal parameters with a spread of 3, the sampler chosen by its diagnosis.
    pub const fn new(draws: u32, seed: u64) -> Self {
        Self {
            draws,
            seed,
            prior: Prior::LogNormal { spread: 3.0 },
            sampler: Sampler::Automatic,
        }
    }

    /// Flat, and around the maximum of the likelihood.
    pub(in crate::lifetime) const fn around_maximum(draws: u32, seed: u64) -> Self {
        Self {
            draws,
            seed,
            prior: Prior::Flat,
            sampler: Sampler::Importance,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let out_of_range = |setting, value: String, expected| {
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        if self.draws == 0 {
            return out_of_range("draws", "0".to_owned(), "at least 1");
        }
        if let Prior::LogNormal { spread } = self.prior
            && !(spread > 0.0 && spread.is_finite())
        {
            return out_of_range("spread", spread.to_string(), "a positive finite number");
        }
        let Sampler::Nuts(Chains { chains, warm_up }) = self.sampler else {
            return Ok(());
        };
        if self.prior == Prior::Flat {
            let expected = "a proper prior where chains walk, such as `Prior::LogNormal`";
            return out_of_range("prior", "Flat".to_owned(), expected);
        }
        if chains < 2 {
            return out_of_range("chains", chains.to_string(), "at least 2");
        }
        if warm_up < 100 {
            return out_of_range("warm_up", warm_up.to_string(), "at least 100");
        }
        Ok(())
    }
}
