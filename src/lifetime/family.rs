//! Purchase models by name: to choose one at run time.

use std::fmt;
use std::str::FromStr;

use super::covariates::PurchaseBase;
use super::{
    BgCnbd, BgNbd, Bound, CovariateOptions, FitOptions, Fitted, FuturePurchases, GompertzGammaNbd,
    MbgCnbd, MbgNbd, Nbd, ParetoNbd, Regularity, WithCovariates,
};
use crate::error::{ConfigError, Error};
use crate::summary::{Covariates, Histories};

/// The kinds of purchase models that are fitted to histories, for a choice that is made at run time.
///
/// ```
/// use tenure::lifetime::{Family, FitOptions, PurchaseModel};
/// # use tenure::summary::{Histories, HistoryColumns, TimeUnit};
/// # let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
/// #     frequency: [2, 1, 0, 0, 7, 0, 1, 0, 3, 0].repeat(20),
/// #     recency: [30.4, 1.7, 0.0, 0.0, 29.4, 0.0, 5.0, 0.0, 35.7, 0.0].repeat(20),
/// #     age: [38.9, 38.9, 38.9, 38.9, 38.9, 38.7, 38.7, 38.7, 38.6, 38.6].repeat(20),
/// #     ..HistoryColumns::default()
/// # })?;
/// let family: Family = "mbg_nbd".parse()?;
/// let fitted = family.fit(&histories, &FitOptions::default())?;
/// assert!(fitted.model.probability_alive(&histories.get(4).unwrap()) > 0.5);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// [`Nbd`]: nobody leaves.
    Nbd,
    /// [`BgNbd`].
    BgNbd,
    /// [`MbgNbd`].
    MbgNbd,
    /// [`BgCnbd`], its regularity chosen by likelihood.
    BgCnbd,
    /// [`MbgCnbd`], its regularity chosen by likelihood.
    MbgCnbd,
    /// [`ParetoNbd`].
    ParetoNbd,
    /// [`GompertzGammaNbd`].
    GompertzGammaNbd,
}

impl Family {
    /// All of them, from the simplest on.
    pub const ALL: &'static [Self] = &[
        Self::Nbd,
        Self::BgNbd,
        Self::MbgNbd,
        Self::BgCnbd,
        Self::MbgCnbd,
        Self::ParetoNbd,
        Self::GompertzGammaNbd,
    ];

    /// The name for programs: `bg_nbd`, `pareto_nbd`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Nbd => "nbd",
            Self::BgNbd => "bg_nbd",
            Self::MbgNbd => "mbg_nbd",
            Self::BgCnbd => "bg_cnbd",
            Self::MbgCnbd => "mbg_cnbd",
            Self::ParetoNbd => "pareto_nbd",
            Self::GompertzGammaNbd => "gompertz_gamma_nbd",
        }
    }

    /// Fits a model of this kind by maximum likelihood.
    ///
    /// [`BgCnbd`] and [`MbgCnbd`] need histories with gaps between purchases (those of
    /// [`Purchases::histories`](crate::summary::Purchases::histories) have them).
    ///
    /// # Errors
    /// Those of the model's own `fit`.
    pub fn fit(
        self,
        histories: &Histories,
        options: &FitOptions,
    ) -> Result<Fitted<Box<dyn FuturePurchases>>, Error> {
        let by_likelihood = Regularity::ByLikelihood;
        Ok(match self {
            Self::Nbd => boxed(Nbd::fit(histories, options)?),
            Self::BgNbd => boxed(BgNbd::fit(histories, options)?),
            Self::MbgNbd => boxed(MbgNbd::fit(histories, options)?),
            Self::BgCnbd => boxed(BgCnbd::fit(histories, by_likelihood, options)?),
            Self::MbgCnbd => boxed(MbgCnbd::fit(histories, by_likelihood, options)?),
            Self::ParetoNbd => boxed(ParetoNbd::fit(histories, options)?),
            Self::GompertzGammaNbd => boxed(GompertzGammaNbd::fit(histories, options)?),
        })
    }

    /// Fits a model of this kind with covariates, and binds it to these customers: see
    /// [`WithCovariates`] and [`Bound`].
    ///
    /// # Errors
    /// Those of [`WithCovariates::fit`](WithCovariates) and [`WithCovariates::bind`].
    pub fn fit_with_covariates(
        self,
        histories: &Histories,
        covariates: &Covariates,
        options: &CovariateOptions,
    ) -> Result<Fitted<Box<dyn FuturePurchases>>, Error> {
        let by_likelihood = Regularity::ByLikelihood;
        let (h, c, o) = (histories, covariates, options);
        match self {
            Self::Nbd => bound(WithCovariates::<Nbd>::fit(h, c, o)?, c),
            Self::BgNbd => bound(WithCovariates::<BgNbd>::fit(h, c, o)?, c),
            Self::MbgNbd => bound(WithCovariates::<MbgNbd>::fit(h, c, o)?, c),
            Self::BgCnbd => {
                let fitted = WithCovariates::<BgCnbd>::fit_regular(h, c, by_likelihood, o)?;
                bound(fitted, c)
            }
            Self::MbgCnbd => {
                let fitted = WithCovariates::<MbgCnbd>::fit_regular(h, c, by_likelihood, o)?;
                bound(fitted, c)
            }
            Self::ParetoNbd => bound(WithCovariates::<ParetoNbd>::fit(h, c, o)?, c),
            Self::GompertzGammaNbd => bound(WithCovariates::<GompertzGammaNbd>::fit(h, c, o)?, c),
        }
    }
}

fn bound<M: PurchaseBase + FuturePurchases + 'static>(
    fitted: Fitted<WithCovariates<M>>,
    covariates: &Covariates,
) -> Result<Fitted<Box<dyn FuturePurchases>>, Error> {
    let model: Bound<M> = fitted.model.bind(covariates)?;
    Ok(Fitted {
        model: Box::new(model),
        report: fitted.report,
    })
}

fn boxed<M: FuturePurchases + 'static>(fitted: Fitted<M>) -> Fitted<Box<dyn FuturePurchases>> {
    Fitted {
        model: Box::new(fitted.model),
        report: fitted.report,
    }
}

/// As the field writes it: "BG/NBD", "MBG/CNBD-k".
impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nbd => "NBD",
            Self::BgNbd => "BG/NBD",
            Self::MbgNbd => "MBG/NBD",
            Self::BgCnbd => "BG/CNBD-k",
            Self::MbgCnbd => "MBG/CNBD-k",
            Self::ParetoNbd => "Pareto/NBD",
            Self::GompertzGammaNbd => "GG/NBD",
        })
    }
}

/// From [`Family::name`].
impl FromStr for Family {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, ConfigError> {
        let found = Self::ALL.iter().find(|family| family.name() == name);
        found.copied().ok_or_else(|| ConfigError::OutOfRange {
            setting: "model",
            value: name.to_owned(),
            expected: "one of nbd, bg_nbd, mbg_nbd, bg_cnbd, mbg_cnbd, pareto_nbd, gompertz_gamma_nbd",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_and_is_in_the_message() {
        let message = "no_such".parse::<Family>().unwrap_err().to_string();
        for family in Family::ALL {
            assert_eq!(family.name().parse::<Family>().unwrap(), *family);
            assert!(message.contains(family.name()), "{message}");
        }
    }
}
