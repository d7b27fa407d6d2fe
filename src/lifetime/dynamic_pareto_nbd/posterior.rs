//! What is known of the parameters after the data: draws from the posterior.

use super::design::Design;
use super::fit::{Free, Request, model};
use super::likelihood::{evaluate, value};
use super::{DynamicParetoNbd, names};
use crate::error::{ConfigError, Error};
use crate::lifetime::covariates::EQUAL;
use crate::lifetime::fit::Support;
use crate::lifetime::pareto_nbd::NAMES;
use crate::lifetime::posterior::{self, Posterior, PosteriorOptions, Target};
use crate::lifetime::rates::Counts;
use crate::lifetime::{FitOptions, Fitted};
use crate::numeric::optimise::Evaluation;
use crate::summary::PathHistories;

impl Fitted<DynamicParetoNbd> {
    /// Draws from the posterior of parameters and coefficients, around the maximum, given the data that
    /// the model was fitted to; see [`interval`](crate::lifetime::interval). The prior is flat in the
    /// logarithms of the parameters and in the coefficients; a penalty of the fit is no part of it.
    /// Coefficients that were held equal are equal in every draw.
    ///
    /// ```
    /// # use tenure::Error;
    /// use tenure::lifetime::{CovariateOptions, DynamicParetoNbd};
    /// # use tenure::summary::PathHistories;
    /// # fn of(data: &PathHistories<'_>) -> Result<(), Error> {
    /// let fitted = DynamicParetoNbd::fit_with(data, &CovariateOptions::default())?;
    /// let posterior = fitted.posterior(data, 1_000, 1)?;
    /// assert!(posterior.diagnosis().is_reliable());
    /// // The purchases of the next half year, of each customer and of all.
    /// let purchases = posterior.expected_purchases(data, 26.0, 0.9)?;
    /// println!("{} to {}", purchases.total.lower, purchases.total.upper);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for 0 draws, and when the paths lack a covariate of the model;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary, which has no covariance: see [`posterior_with`](Self::posterior_with).
    pub fn posterior(
        &self,
        data: &PathHistories<'_>,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<DynamicParetoNbd>, Error> {
        self.posterior_with(data, &PosteriorOptions::around_maximum(draws, seed))
    }

    /// Draws from the posterior under a stated prior, also where the fit ended on the boundary when the
    /// prior is proper; that of a coefficient is then normal around 0.
    ///
    /// # Errors
    /// As [`posterior`](Self::posterior), and [`ConfigError::OutOfRange`] for options out of range.
    pub fn posterior_with(
        &self,
        data: &PathHistories<'_>,
        options: &PosteriorOptions,
    ) -> Result<Posterior<DynamicParetoNbd>, Error> {
        posterior::draw(self, options, &Data::new(self, data)?)
    }
}

/// What the posterior is drawn from: the customers that a model was fitted to.
struct Data<'f> {
    design: Design,
    counts: Counts,
    free: Free,
    /// Whose covariates the draws have.
    form: &'f DynamicParetoNbd,
}

impl<'f> Data<'f> {
    fn new(fitted: &'f Fitted<DynamicParetoNbd>, data: &PathHistories<'_>) -> Result<Self, Error> {
        Ok(Self {
            design: Design::new(data, &fitted.columns(data)?)?,
            counts: Counts::new(&data.histories().distinct())?,
            free: free(fitted)?,
            form: &fitted.model,
        })
    }
}

/// The coefficients as the report has them: those that were held equal are one.
fn free(fitted: &Fitted<DynamicParetoNbd>) -> Result<Free, ConfigError> {
    let estimates = fitted.report.parameters.iter();
    let reported: Vec<&str> = estimates.map(|estimate| estimate.name.as_ref()).collect();
    let held = reported.iter().filter_map(|name| name.split_once('.'));
    let held = held.filter(|(prefix, _)| *prefix == EQUAL);
    let equal: Vec<String> = held.map(|(_, name)| name.to_owned()).collect();
    let sides = [fitted.trans(), fitted.life()];
    let [trans, life] = sides.map(|effects| -> Vec<&str> { names(effects).collect() });
    let free = Free::new(&Request {
        trans: &trans,
        life: &life,
        equal: &equal,
        penalties: [0.0; 2],
        search: &FitOptions::default(),
    })?;
    let own = NAMES
        .into_iter()
        .chain(free.names.iter().map(String::as_str));
    if !own.eq(reported.iter().copied()) {
        return Err(ConfigError::OutOfRange {
            setting: "report",
            value: format!("of the parameters {}", reported.join(", ")),
            expected: "the report of this model's own fit",
        });
    }
    Ok(free)
}

impl Target for Data<'_> {
    type Model = DynamicParetoNbd;

    fn model(&self, parameters: &[f64]) -> Option<DynamicParetoNbd> {
        let values = self.free.expand(parameters);
        model(&values, names(&self.form.trans), names(&self.form.life)).ok()
    }

    fn evaluate(&self, model: &DynamicParetoNbd) -> Evaluation {
        let coefficients = model.coefficients();
        let whole = evaluate(&self.design, &self.counts, &model.point(&coefficients));
        self.free.fold(whole)
    }

    fn value(&self, model: &DynamicParetoNbd) -> f64 {
        let coefficients = model.coefficients();
        let rates = self.design.rates(&coefficients.trans, &coefficients.life);
        let point = model.point(&coefficients);
        // Rates beyond all sense have no density.
        rates.map_or(f64::NAN, |rates| {
            value(&self.design, &self.counts, &rates, &point)
        })
    }

    fn units(&self) -> Vec<f64> {
        let age = self.counts.mean_age();
        let mut units = vec![1.0, age, 1.0, age];
        units.resize(4 + self.free.names.len(), 1.0);
        units
    }

    fn supports(&self) -> Vec<Support> {
        self.free.supports()
    }
}
