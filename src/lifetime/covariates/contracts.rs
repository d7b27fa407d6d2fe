//! sBG with covariates.

use super::WithCovariates;
use super::base::{Base, Side};
use super::groups::Groups;
use super::options::{ContractCovariateOptions, Plan};
use super::search::{self, Data, Task};
use crate::error::{DataError, Error};
use crate::lifetime::Sbg;
use crate::lifetime::fit::{FitOptions, Fitted};
use crate::lifetime::posterior::{self, Posterior, PosteriorOptions};
use crate::lifetime::renewal::{self, Curve};
use crate::numeric::optimise::Evaluation;
use crate::summary::{Covariates, RenewalSummary, Subscription};

impl Base for Sbg {
    type Parameters = [f64; 2];
    type Data = RenewalSummary;

    const NAMES: &'static [&'static str] = &["alpha", "beta"];
    const TIMES: &'static [usize] = &[];
    const SIDES: [Side; 2] = [
        Side::new("alpha", &[(0, -1.0)]),
        Side::new("beta", &[(1, -1.0)]),
    ];

    fn parameters(&self) -> [f64; 2] {
        Curve::parameters(self)
    }

    fn with_parameters(&self, parameters: [f64; 2]) -> Self {
        Self::from_valid(parameters)
    }

    fn evaluate(&self, data: &RenewalSummary) -> Evaluation {
        renewal::evaluate(self, data)
    }
}

impl WithCovariates<Sbg> {
    /// Fits to contracts, one for each row of the covariates: α_i = α exp(−γ_α·z), β_i = β exp(−γ_β·z).
    ///
    /// Two coefficients for each covariate, as in PyMC-Marketing's `ShiftedBetaGeoModel`
    /// (`dropout_coefficient_alpha` and `dropout_coefficient_beta`), after Fader and Hardie (2007): the mean
    /// readiness to leave, α_i / (α_i + β_i), has odds that are multiplied by exp(γ_β − γ_α) for each unit
    /// of the covariate. The report calls them `alpha.NAME` and `beta.NAME`.
    ///
    /// ```
    /// use tenure::lifetime::{ContractCovariateOptions, RetentionCurve, Sbg, WithCovariates};
    /// use tenure::summary::{Covariates, Subscription};
    ///
    /// // Two plans of 100 contracts each, of which so many end at each renewal.
    /// let (mut contracts, mut premium) = (Vec::new(), Vec::new());
    /// for (plan, ends) in [(0.0, [37, 16, 9, 38]), (1.0, [15, 10, 8, 67])] {
    ///     for (end, customers) in (1..).zip(ends) {
    ///         for _ in 0..customers {
    ///             // The last of the four still run after three renewals.
    ///             let (periods, active) = if end == 4 { (3, true) } else { (end, false) };
    ///             contracts.push(Subscription { periods, active });
    ///             premium.push(plan);
    ///         }
    ///     }
    /// }
    /// let covariates = Covariates::from_columns(vec![], [("premium", premium)])?;
    /// let options = ContractCovariateOptions::default();
    /// let fitted = WithCovariates::<Sbg>::fit(&contracts, &covariates, &options)?;
    /// let (basic, premium) = (fitted.at(&[("premium", 0.0)])?, fitted.at(&[("premium", 1.0)])?);
    /// assert!((basic.survival(1) - 0.63).abs() < 0.02 && (premium.survival(1) - 0.85).abs() < 0.02);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Sbg::fit`]; [`DataError::Length`] unless there is a contract for each row;
    /// [`Error::Data`] for names that are no columns; [`Error::Config`] for options out of range;
    /// [`FitError::Covariate`](crate::error::FitError::Covariate) for a covariate that does not vary, or
    /// that others make up.
    pub fn fit(
        contracts: &[Subscription],
        covariates: &Covariates,
        options: &ContractCovariateOptions,
    ) -> Result<Fitted<Self>, Error> {
        check_rows(contracts, covariates)?;
        let plan = Plan::from(options);
        let search = FitOptions {
            start: None,
            ..options.search.clone()
        };
        let without = Sbg::fit(&summarise(contracts.iter())?, &search)?;
        let coefficients = plan.coefficients::<Sbg>(covariates)?;
        let (groups, distinct) = arrange(contracts, covariates, &coefficients.columns)?;
        let task = Task {
            groups: &groups,
            without: &without.model,
            report: &without.report,
            mean_time: 1.0,
            distinct,
        };
        let found = search::maximise(&task, covariates, &coefficients, &plan)?;
        let (columns, free) = (&coefficients.columns, &coefficients.free);
        Ok(Fitted {
            model: Self::of_values(&without.model, columns, free, &found.values),
            report: found.report,
        })
    }

    /// The log-likelihood of all contracts, without any penalty.
    ///
    /// # Errors
    /// [`DataError`] unless there is a contract for each row, and for a covariate that is no column.
    pub fn log_likelihood_of(
        &self,
        contracts: &[Subscription],
        covariates: &Covariates,
    ) -> Result<f64, DataError> {
        check_rows(contracts, covariates)?;
        let columns = self.columns();
        let (groups, _) = arrange(contracts, covariates, &columns)?;
        Ok(search::log_likelihood_of(self, &columns, &groups))
    }
}

impl Fitted<WithCovariates<Sbg>> {
    /// Draws from the posterior of parameters and coefficients, given what the model was fitted to; see
    /// [`interval`](crate::lifetime::interval).
    ///
    /// # Errors
    /// [`Error::Config`] for 0 draws;
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on the
    /// boundary; [`Error::Data`] as of [`fit`](WithCovariates::<Sbg>::fit).
    pub fn posterior(
        &self,
        contracts: &[Subscription],
        covariates: &Covariates,
        draws: u32,
        seed: u64,
    ) -> Result<Posterior<WithCovariates<Sbg>>, Error> {
        check_rows(contracts, covariates)?;
        let (groups, _) = arrange(contracts, covariates, &self.columns())?;
        let options = PosteriorOptions::around_maximum(draws, seed);
        posterior::draw(self, &options, &Data::new(self, groups, 1.0))
    }
}

fn check_rows(contracts: &[Subscription], covariates: &Covariates) -> Result<(), DataError> {
    if contracts.len() == covariates.len() {
        return Ok(());
    }
    Err(DataError::Length {
        column: "covariates",
        found: covariates.len(),
        reference: "contracts",
        expected: contracts.len(),
    })
}

/// The contracts by their covariates, and how many distinct lengths there are within the groups.
fn arrange(
    contracts: &[Subscription],
    covariates: &Covariates,
    columns: &[String],
) -> Result<(Groups<Sbg>, usize), DataError> {
    let mut groups = Groups {
        data: Vec::new(),
        values: Vec::new(),
    };
    let mut distinct = 0;
    for group in covariates.groups(columns)? {
        let rows = group.rows.iter();
        let summary = summarise(rows.filter_map(|&row| contracts.get(row as usize)))?;
        distinct += summary.distinct();
        groups.data.push(summary);
        groups.values.extend(group.values);
    }
    Ok((groups, distinct))
}

fn summarise<'a>(
    contracts: impl Iterator<Item = &'a Subscription>,
) -> Result<RenewalSummary, DataError> {
    let mut summary = RenewalSummary::new();
    for &contract in contracts {
        summary.push(contract)?;
    }
    Ok(summary)
}
