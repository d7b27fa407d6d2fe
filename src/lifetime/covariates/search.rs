//! The search for a base's parameters and the coefficients of its covariates.

use std::borrow::Cow;

use nalgebra::{DMatrix, DVector};

use super::WithCovariates;
use super::base::Base;
use super::groups::{Groups, Shape};
use super::options::{Coefficients, Plan, Scale};
use crate::error::{Error, FitError};
use crate::lifetime::fit::{
    End, Ending, FitReport, FitStatus, Fitted, Support, Verdict, search as search_from,
};
use crate::lifetime::posterior::Target;
use crate::numeric::optimise::{Evaluation, Limits};
use crate::summary::Covariates;

/// The maximum: the base's parameters at covariates of 0, then the coefficients.
pub(super) struct Found {
    pub(super) values: Vec<f64>,
    pub(super) report: FitReport,
}

/// The customers and what a fit without covariates made of them.
pub(super) struct Task<'a, M: Base> {
    pub(super) groups: &'a Groups<M>,
    pub(super) without: &'a M,
    pub(super) report: &'a FitReport,
    /// The unit of the parameters that are times.
    pub(super) mean_time: f64,
    /// Distinct histories within the groups.
    pub(super) distinct: usize,
}

/// Standardised coordinates y of the search: coefficients per spread of their covariate, and the
/// base's log-parameters as of a customer in the middle. x = B y are the natural ones: the
/// log-parameters, in their units, at covariates of 0, and the coefficients as they are.
struct Coordinates {
    ln_units: Vec<f64>,
    to_natural: DMatrix<f64>,
    from_natural: DMatrix<f64>,
    /// BᵀPB, where ½ xᵀPx is the penalty.
    penalty: DMatrix<f64>,
}

/// Maximises the penalised likelihood.
pub(super) fn maximise<M: Base>(
    task: &Task<'_, M>,
    covariates: &Covariates,
    coefficients: &Coefficients,
    plan: &Plan<'_>,
) -> Result<Found, Error> {
    let supports = supports::<M>(coefficients);
    plan.search.check_supports(&supports)?;
    let columns = coefficients.columns.iter();
    let scales = columns
        .map(|name| {
            let nothing = FitError::Covariate {
                column: name.clone(),
                reason: "it has the same value for all customers",
            };
            Scale::of(covariates.column(name)?).ok_or_else(|| nothing.into())
        })
        .collect::<Result<Vec<Scale>, Error>>()?;
    let shape = Shape::new(*task.without, scales.len(), coefficients.free.clone());
    let coordinates = Coordinates::new(&shape, &scales, coefficients, plan, task.mean_time);
    let standard: Vec<f64> = task
        .groups
        .values
        .iter()
        .zip(scales.iter().cycle())
        .map(|(&z, scale)| scale.standard(z))
        .collect();
    let limits = Limits {
        iterations: plan.search.max_iterations,
        gradient: plan.search.tolerance,
        ..Limits::LOG_PARAMETERS
    };
    let mut objective = |y: &DVector<f64>| {
        let at = coordinates.with_units(y);
        let mut here = shape.evaluate(&task.groups.data, &standard, at.as_slice());
        let pull = &coordinates.penalty * y;
        here.value = 0.5 * y.dot(&pull) - here.value;
        here.gradient = pull - here.gradient;
        here.hessian = &coordinates.penalty - here.hessian;
        here
    };
    let end = search_from(coordinates.starts(task, plan), &limits, &mut objective)?;
    report(task, coefficients, &coordinates, &end)
}

fn supports<M: Base>(coefficients: &Coefficients) -> Vec<Support> {
    let base = M::NAMES.iter().map(|_| Support::Positive);
    let all = base.chain(coefficients.free.iter().map(|_| Support::Real));
    all.collect()
}

/// The result of a fit in which there is nothing to search for: no effect of any covariate.
pub(super) fn without_effect<M: Base>(task: &Task<'_, M>, coefficients: &Coefficients) -> Found {
    let mut values = task.without.parameters().as_ref().to_vec();
    values.resize(values.len() + coefficients.free.len(), 0.0);
    let ending = Ending {
        covariance: None,
        log_likelihood: task.report.log_likelihood,
        status: task.report.status.clone(),
        iterations: task.report.iterations,
    };
    let report = estimates(task, coefficients, &values, ending);
    Found { values, report }
}

impl Coordinates {
    fn new<M: Base>(
        shape: &Shape<M>,
        scales: &[Scale],
        coefficients: &Coefficients,
        plan: &Plan<'_>,
        mean_time: f64,
    ) -> Self {
        let (n, p) = shape.loads().shape();
        let mut to_natural = DMatrix::identity(n + p, n + p);
        let mut from_natural = DMatrix::identity(n + p, n + p);
        for (j, free) in shape.free.iter().enumerate() {
            let Some(scale) = scales.get(free.column) else {
                continue;
            };
            for i in 0..n {
                let shift = shape.loads()[(i, j)] * scale.middle;
                to_natural[(i, n + j)] = -shift / scale.spread;
                from_natural[(i, n + j)] = shift;
            }
            to_natural[(n + j, n + j)] = 1.0 / scale.spread;
            from_natural[(n + j, n + j)] = scale.spread;
        }
        let of_base = std::iter::repeat_n(plan.search.penalty, n);
        let weights = of_base.chain(coefficients.penalties.iter().copied());
        let weights = DMatrix::from_diagonal(&DVector::from_iterator(n + p, weights));
        let penalty = to_natural.transpose() * weights * &to_natural;
        let unit = |at| {
            if M::TIMES.contains(&at) {
                mean_time
            } else {
                1.0
            }
        };
        Self {
            ln_units: (0..n).map(|at| unit(at).ln()).collect(),
            to_natural,
            from_natural,
            penalty,
        }
    }

    /// Log-parameters as they are, not in their units.
    fn with_units(&self, of_units: &DVector<f64>) -> DVector<f64> {
        let mut at = of_units.clone();
        for (at, ln_unit) in at.iter_mut().zip(&self.ln_units) {
            *at += ln_unit;
        }
        at
    }

    /// The start that was given; the fit without covariates, brought back when it ran away; and then
    /// nearer and nearer to one.
    fn starts<M: Base>(
        &self,
        task: &Task<'_, M>,
        plan: &Plan<'_>,
    ) -> impl Iterator<Item = DVector<f64>> {
        let (n, all) = (self.ln_units.len(), self.to_natural.nrows());
        let given = plan.search.start.as_ref().map(|start| {
            let mut natural = DVector::from_column_slice(start);
            for (at, ln_unit) in natural.iter_mut().zip(&self.ln_units) {
                *at = at.ln() - ln_unit;
            }
            &self.from_natural * natural
        });
        let nearest = match task.report.status {
            FitStatus::Interior => f64::INFINITY,
            _ => 3.0,
        };
        let mut without = DVector::zeros(all);
        for i in 0..n {
            without[i] = task.without.parameters().as_ref()[i].ln() - self.ln_units[i];
        }
        let clamped = [nearest, 1.0, 0.0];
        let clamped = clamped.map(|most| without.map(|x| x.clamp(-most, most)));
        given.into_iter().chain(clamped)
    }
}

fn report<M: Base>(
    task: &Task<'_, M>,
    coefficients: &Coefficients,
    coordinates: &Coordinates,
    end: &End,
) -> Result<Found, Error> {
    let n = M::NAMES.len();
    let y = &end.optimum.x;
    let natural = coordinates.with_units(&(&coordinates.to_natural * y));
    let mut values = natural.as_slice().to_vec();
    for value in values.iter_mut().take(n) {
        *value = value.exp();
    }
    if !values.iter().take(n).all(|v| v.is_finite() && *v > 0.0) {
        return Err(FitError::NotConverged {
            reason: "a parameter leaves the range of numbers where all covariates are 0 (subtract \
                     from each covariate its mean)",
            iterations: end.iterations as usize,
        }
        .into());
    }
    let status = match end.verdict() {
        Verdict::Interior => FitStatus::Interior,
        Verdict::Unfinished { slope } => FitStatus::Unfinished { slope },
        Verdict::RanAway(direction) => {
            // The base as of a customer whose covariates are 0; coefficients per spread, so that they
            // compare.
            let mut named = &coordinates.to_natural * &direction;
            named
                .rows_mut(n, y.len() - n)
                .copy_from(&direction.rows(n, y.len() - n));
            let named: Vec<_> = names::<M>(coefficients)
                .zip(&named)
                .map(|((name, support), &step)| (name, step, support))
                .collect();
            FitStatus::along(named.into_iter())
        }
    };
    let covariance = match status {
        FitStatus::Interior => covariance(&end.optimum.hessian, coordinates, &values),
        _ => None,
    };
    let penalty = 0.5 * y.dot(&(&coordinates.penalty * y));
    let ending = Ending {
        covariance: covariance.as_ref(),
        log_likelihood: penalty - end.optimum.value,
        status,
        iterations: task.report.iterations + end.iterations,
    };
    let report = estimates(task, coefficients, &values, ending);
    Ok(Found { values, report })
}

fn names<M: Base>(
    coefficients: &Coefficients,
) -> impl Iterator<Item = (Cow<'static, str>, Support)> {
    let base = M::NAMES
        .iter()
        .map(|&name| (name.into(), Support::Positive));
    let free = coefficients.free.iter();
    base.chain(free.map(|free| (free.name.clone().into(), Support::Real)))
}

fn estimates<M: Base>(
    task: &Task<'_, M>,
    coefficients: &Coefficients,
    values: &[f64],
    ending: Ending<'_>,
) -> FitReport {
    let named = names::<M>(coefficients).zip(values);
    FitReport::of_estimates(
        named.map(|((name, support), &value)| (name, value, support)),
        ending,
        task.report.customers,
        task.distinct,
    )
}

/// The inverse of the information, from the coordinates of the search to the parameters themselves. At
/// the maximum the slopes vanish, so the change of coordinates is linear.
fn covariance(
    information: &DMatrix<f64>,
    coordinates: &Coordinates,
    values: &[f64],
) -> Option<DMatrix<f64>> {
    let standard = information.clone().cholesky()?.inverse();
    let to = &coordinates.to_natural;
    let mut covariance = to * standard * to.transpose();
    let n = coordinates.ln_units.len();
    for (i, value) in values.iter().enumerate().take(n) {
        covariance.row_mut(i).scale_mut(*value);
        covariance.column_mut(i).scale_mut(*value);
    }
    Some(covariance)
}

/// The log-likelihood of these customers.
pub(super) fn log_likelihood_of<M: Base>(
    model: &WithCovariates<M>,
    columns: &[String],
    groups: &Groups<M>,
) -> f64 {
    let free = model.free(columns);
    let mut values = model.base().parameters().as_ref().to_vec();
    values.extend(free.iter().map(|free| model.value_of(columns, free)));
    let shape = Shape::new(*model.base(), columns.len(), free);
    let values = values.iter().enumerate();
    let at: Vec<f64> = values
        .map(|(i, &value)| match i < M::NAMES.len() {
            true => value.ln(),
            false => value,
        })
        .collect();
    shape.evaluate(&groups.data, &groups.values, &at).value
}

/// What the posterior is drawn from: the customers that a model was fitted to.
pub(super) struct Data<M: Base> {
    shape: Shape<M>,
    columns: Vec<String>,
    groups: Groups<M>,
    mean_time: f64,
}

impl<M: Base> Data<M> {
    pub(super) fn new(
        fitted: &Fitted<WithCovariates<M>>,
        groups: Groups<M>,
        mean_time: f64,
    ) -> Self {
        let (columns, shape) = fitted.shape();
        Self {
            shape,
            columns,
            groups,
            mean_time,
        }
    }
}

impl<M: Base> Target for Data<M> {
    type Model = WithCovariates<M>;

    fn model(&self, values: &[f64]) -> Option<WithCovariates<M>> {
        let Shape { form, free, .. } = &self.shape;
        let model = WithCovariates::of_values(form, &self.columns, free, values);
        // A parameter may have left the range of numbers.
        model.base().moved([0.0; 2]).ok()?;
        Some(model)
    }

    fn evaluate(&self, model: &WithCovariates<M>) -> Evaluation {
        let free = self.shape.free.iter();
        let logs = model.base().parameters();
        let logs = logs.as_ref().iter().map(|value| value.ln());
        let coefficients = free.map(|free| model.value_of(&self.columns, free));
        let at: Vec<f64> = logs.chain(coefficients).collect();
        let Groups { data, values } = &self.groups;
        self.shape.evaluate(data, values, &at)
    }

    fn units(&self) -> Vec<f64> {
        let base = (0..M::NAMES.len()).map(|at| match M::TIMES.contains(&at) {
            true => self.mean_time,
            false => 1.0,
        });
        base.chain(self.shape.free.iter().map(|_| 1.0)).collect()
    }

    fn supports(&self) -> Vec<Support> {
        let base = M::NAMES.iter().map(|_| Support::Positive);
        base.chain(self.shape.free.iter().map(|_| Support::Real))
            .collect()
    }
}
