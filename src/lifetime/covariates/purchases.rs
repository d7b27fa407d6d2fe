//! Models of purchases with covariates: fit, likelihood, posterior.

use super::WithCovariates;
use super::base::PurchaseBase;
use super::groups::Groups;
use super::options::{Coefficients, CovariateOptions, Plan};
use super::search::{self, Data, Task};
use crate::error::{DataError, Error};
use crate::lifetime::fit::{FitOptions, Fitted};
use crate::lifetime::interval::Interval;
use crate::lifetime::posterior::{self, Posterior, PosteriorOptions};
use crate::lifetime::{BgCnbd, MbgCnbd, Regularity};
use crate::summary::{Covariates, Histories};

impl<M: PurchaseBase<Choice = ()>> WithCovariates<M> {
    /// Fits by maximum (penalised) likelihood; the histories' rows are the covariates' customers
    /// ([`Covariates::aligned_with`]).
    ///
    /// The report has the base's parameters, then `trans.NAME` for each covariate of buying, `life.NAME`
    /// for each of leaving, and `constr.NAME` for those held equal. The log-likelihood is without the
    /// penalty, standard errors are with it.
    ///
    /// Data without a best model in the interior (nobody of some channel repeats, nobody leaves) are no
    /// error: see [`FitStatus::Boundary`](crate::lifetime::FitStatus::Boundary).
    ///
    /// # Errors
    /// Those of the base's fit; [`Error::Data`] for covariates that are not those of the histories or
    /// names that are no columns; [`Error::Config`] for options out of range;
    /// [`FitError::Covariate`](crate::error::FitError::Covariate) for a covariate that does not vary, or
    /// that others make up.
    pub fn fit(
        histories: &Histories,
        covariates: &Covariates,
        options: &CovariateOptions,
    ) -> Result<Fitted<Self>, Error> {
        fit(histories, covariates, (), options)
    }
}

impl<M: PurchaseBase<Choice = Regularity> + Regular> WithCovariates<M> {
    /// As `fit` of the other models, with a given regularity k or the one that fits best: from the best
    /// one without covariates, k goes up or down as long as the likelihood rises.
    ///
    /// # Errors
    /// As those of `fit`, and of the base's.
    pub fn fit_regular(
        histories: &Histories,
        covariates: &Covariates,
        regularity: Regularity,
        options: &CovariateOptions,
    ) -> Result<Fitted<Self>, Error> {
        if let Regularity::Fixed(_) = regularity {
            return fit(histories, covariates, regularity, options);
        }
        let search = without_start(&options.search);
        let without = M::fit_without(histories, regularity, &search)?;
        let first = without.regularity();
        let at = |k| fit::<M>(histories, covariates, Regularity::Fixed(k), options);
        let mut best = at(first)?;
        for up in [true, false] {
            let mut k = first;
            loop {
                k = if up { k + 1 } else { k - 1 };
                if Regularity::check(k).is_err() {
                    break;
                }
                let next = at(k)?;
                if next.report.log_likelihood <= best.report.log_likelihood {
                    break;
                }
                best = next;
            }
        }
        Ok(best)
    }
}

fn fit<M: PurchaseBase>(
    histories: &Histories,
    covariates: &Covariates,
    choice: M::Choice,
    options: &CovariateOptions,
) -> Result<Fitted<WithCovariates<M>>, Error> {
    covariates.check_aligned_with(histories)?;
    let plan = Plan::from(options);
    let without = M::fit_without(histories, choice, &without_start(&options.search))?;
    let coefficients = plan.coefficients::<M>(covariates)?;
    let Coefficients { columns, free, .. } = &coefficients;
    let (groups, distinct) = arrange(&without.model, histories, covariates, columns)?;
    let task = Task {
        groups: &groups,
        without: &without.model,
        report: &without.report,
        mean_time: histories.age().iter().sum::<f64>() / histories.len() as f64,
        distinct,
    };
    let found = if histories.frequency().iter().all(|&x| x == 0) {
        search::without_effect(&task, &coefficients)
    } else {
        let mut found = search::maximise(&task, covariates, &coefficients, &plan)?;
        found.report.log_likelihood += without.constant(histories);
        found
    };
    Ok(Fitted {
        model: WithCovariates::of_values(&without.model, columns, free, &found.values),
        report: found.report,
    })
}

fn without_start(search: &FitOptions) -> FitOptions {
    FitOptions {
        start: None,
        ..search.clone()
    }
}

/// The customers by their covariates, and how many distinct histories there are within the groups.
fn arrange<M: PurchaseBase>(
    form: &M,
    histories: &Histories,
    covariates: &Covariates,
    columns: &[String],
) -> Result<(Groups<M>, usize), Error> {
    let groups = covariates.groups(columns)?;
    let mut arranged = Groups {
        data: Vec::with_capacity(groups.len()),
        values: Vec::with_capacity(groups.len() * columns.len()),
    };
    let mut distinct = 0;
    for group in groups {
        let alike = histories.select(&group.rows).distinct();
        distinct += alike.len();
        arranged.data.push(form.arrange(&alike)?);
        arranged.values.extend(group.values);
    }
    Ok((arranged, distinct))
}

impl<M: PurchaseBase> WithCovariates<M> {
    /// The log-likelihood of all customers, without any penalty.
    ///
    /// # Errors
    /// [`DataError`] for covariates that are not those of the histories or lack a column.
    pub fn log_likelihood_of(
        &self,
        histories: &Histories,
        covariates: &Covariates,
    ) -> Result<f64, Error> {
        covariates.check_aligned_with(histories)?;
        let columns = self.columns();
        let (groups, _) = arrange(&self.base, histories, covariates, &columns)?;
        let value = search::log_likelihood_of(self, &columns, &groups);
        Ok(value + self.base.constant(histories))
    }
}

impl<M: PurchaseBase> Fitted<WithCovariates<M>> {
    /// Draws from the posterior of parameters and coefficients, given what the model was fitted to; see
    /// [`interval`](crate::lifetime::interval). The prior is flat in the logarithms of the parameters and
    /// in the coefficients; a penalty of the fit is no part of it.
    ///
    /// # Errors
    /// [`Error::Config`] for 0 draws;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary, which has no covariance; [`Error::Data`] for covariates that are not those of the
    /// histories.
    pub fn posterior(
        &self,
        histories: &Histories,
        covariates: &Covariates,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<WithCovariates<M>>, Error> {
        let options = PosteriorOptions::around_maximum(draws, seed);
        self.posterior_with(histories, covariates, &options)
    }

    /// Draws from the posterior under a stated prior, also where the fit ended on the boundary when the
    /// prior is proper; that of a coefficient is then normal around 0.
    ///
    /// # Errors
    /// As [`posterior`](Self::posterior), and [`Error::Config`] for options out of range.
    pub fn posterior_with(
        &self,
        histories: &Histories,
        covariates: &Covariates,
        options: &PosteriorOptions,
    ) -> Result<Posterior<WithCovariates<M>>, Error> {
        covariates.check_aligned_with(histories)?;
        let (groups, _) = arrange(&self.base, histories, covariates, &self.columns())?;
        let mean_age = histories.age().iter().sum::<f64>() / histories.len() as f64;
        posterior::draw(self, options, &Data::new(self, groups, mean_age))
    }
}

impl<M: PurchaseBase> Posterior<WithCovariates<M>> {
    /// The interval of an answer for each row, under the row's own covariates.
    ///
    /// As [`Posterior::intervals`]; `answer` is a batch method of the base model.
    ///
    /// # Errors
    /// As there and of [`WithCovariates::bind`]; [`Error::Data`] for covariates that are not those of
    /// the histories.
    pub fn intervals_with(
        &self,
        histories: &Histories,
        covariates: &Covariates,
        level: f64,
        answer: impl Fn(&M, &Histories, &mut [f64]) -> Result<(), DataError>,
    ) -> Result<Vec<Interval>, Error> {
        covariates.check_aligned_with(histories)?;
        let columns = self.draws().first().map(WithCovariates::columns);
        let columns = columns.unwrap_or_default();
        let mut intervals = vec![Interval::NOTHING; histories.len()];
        for group in covariates.groups(&columns)? {
            let of_group = self.try_map(|model| model.at_values(&columns, &group.values))?;
            let part = histories.select(&group.rows);
            let found = of_group.intervals(&part, level, &answer)?;
            for (&row, interval) in group.rows.iter().zip(found) {
                if let Some(place) = intervals.get_mut(row as usize) {
                    *place = interval;
                }
            }
        }
        Ok(intervals)
    }
}

/// A model that has a regularity k.
pub trait Regular {
    fn regularity(&self) -> u32;
}

impl Regular for BgCnbd {
    fn regularity(&self) -> u32 {
        self.k()
    }
}

impl Regular for MbgCnbd {
    fn regularity(&self) -> u32 {
        self.k()
    }
}
