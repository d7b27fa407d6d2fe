//! Finding the parameters of Pareto/NBD with time-varying covariates.

use std::borrow::Cow;

use nalgebra::{DMatrix, DVector};

use super::design::{Columns, Design};
use super::likelihood::{Point, evaluate};
use super::{DynamicCovariates, DynamicParetoNbd, Effect};
use crate::error::{Error, FitError};
use crate::lifetime::fit::{Ending, Support, Verdict, search};
use crate::lifetime::rates::Counts;
use crate::lifetime::{FitOptions, FitReport, FitStatus, Fitted, ParetoNbd};
use crate::numeric::optimise::{Evaluation, Limits};
use crate::summary::PathHistories;

pub(super) fn fit(
    data: &PathHistories<'_>,
    covariates: &DynamicCovariates<'_>,
    options: &FitOptions,
) -> Result<Fitted<DynamicParetoNbd>, Error> {
    let (trans, life) = (covariates.trans, covariates.life);
    let columns = Columns::find(data.paths(), trans.iter().copied(), life.iter().copied())?;
    let mut supports = vec![Support::Positive; 4];
    supports.resize(4 + trans.len() + life.len(), Support::Real);
    options.check_supports(&supports)?;
    let design = Design::new(data, &columns)?;
    if options.penalty == 0.0 {
        check_identified(&design, covariates)?;
    }

    let distinct = data.histories().distinct();
    let counts = Counts::new(&distinct)?;
    let without = FitOptions {
        start: None,
        ..options.clone()
    };
    let plain = ParetoNbd::fit_distinct(&distinct, &without)?;
    let customers = data.histories().len();
    let names = Names { trans, life };
    if counts.nobody_repeats() {
        let effects = |names: &[&str]| names.iter().map(|name| Effect::none(name)).collect();
        let model = DynamicParetoNbd::new(plain.model, effects(trans), effects(life))?;
        let values = values_of(&model);
        let ending = Ending {
            covariance: None,
            log_likelihood: plain.report.log_likelihood,
            status: plain.report.status.clone(),
            iterations: 0,
        };
        let named = names.with(&values);
        let report = FitReport::of_estimates(named, ending, customers, customers);
        return Ok(Fitted { model, report });
    }

    let units = units(&design, counts.mean_age());
    let mut objective = |x: &DVector<f64>| {
        let at = parameters(x, &units);
        let ([r, alpha, s, beta], coefficients) = split(&at);
        let (of_trans, of_life) = coefficients.split_at(design.trans);
        let point = Point {
            r,
            alpha,
            s,
            beta,
            trans: of_trans,
            life: of_life,
        };
        penalised(
            evaluate(&design, &counts, &point),
            x,
            &units,
            options.penalty,
        )
    };
    let limits = Limits {
        iterations: options.max_iterations,
        gradient: options.tolerance,
        ..Limits::LOG_PARAMETERS
    };
    let starts = starts(&plain, &counts, options, units.len());
    let starts = starts.iter().map(|start| position(start, &units));
    let end = search(starts, &limits, &mut objective)?;
    let optimum = &end.optimum;
    let values = parameters(&optimum.x, &units);
    let status = match end.verdict() {
        Verdict::Interior => FitStatus::Interior,
        Verdict::Unfinished { slope } => FitStatus::Unfinished { slope },
        Verdict::RanAway(direction) => {
            let steps: Vec<f64> = direction.iter().copied().collect();
            FitStatus::along(names.with(&steps))
        }
    };
    let covariance = match status {
        FitStatus::Interior => covariance(&optimum.hessian, &optimum.gradient, &values, &units),
        _ => None,
    };
    let penalty = 0.5 * options.penalty * penalty_weights(&optimum.x, &units);
    let ending = Ending {
        covariance: covariance.as_ref(),
        log_likelihood: penalty - optimum.value,
        status,
        iterations: end.iterations,
    };
    let report = FitReport::of_estimates(names.with(&values), ending, customers, customers);
    Ok(Fitted {
        model: model(&values, covariates)?,
        report,
    })
}

impl Effect {
    fn none(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            coefficient: 0.0,
        }
    }
}

/// The parameters' names in the order of the report.
struct Names<'a> {
    trans: &'a [&'a str],
    life: &'a [&'a str],
}

impl Names<'_> {
    fn with<'v>(
        &self,
        values: &'v [f64],
    ) -> impl Iterator<Item = (Cow<'static, str>, f64, Support)> + Clone + use<'v, '_> {
        let base = ["r", "alpha", "s", "beta"].map(|name| (Cow::Borrowed(name), Support::Positive));
        let of = |process: &'static str, names: &[&str]| -> Vec<_> {
            let named = names.iter().map(|name| format!("{process}.{name}"));
            named
                .map(|name| (Cow::Owned(name), Support::Real))
                .collect()
        };
        let coefficients = of("trans", self.trans)
            .into_iter()
            .chain(of("life", self.life));
        let names: Vec<_> = base.into_iter().chain(coefficients).collect();
        names
            .into_iter()
            .zip(values)
            .map(|((name, support), &value)| (name, value, support))
    }
}

fn model(values: &[f64], covariates: &DynamicCovariates<'_>) -> Result<DynamicParetoNbd, Error> {
    let (base, coefficients) = split(values);
    let [r, alpha, s, beta] = base;
    let (trans, life) = coefficients.split_at(covariates.trans.len().min(coefficients.len()));
    let effects = |names: &[&str], values: &[f64]| {
        let named = names.iter().zip(values);
        let effects = named.map(|(name, &coefficient)| Effect {
            name: (*name).to_owned(),
            coefficient,
        });
        effects.collect()
    };
    let base = ParetoNbd::new(r, alpha, s, beta)?;
    let (trans, life) = (
        effects(covariates.trans, trans),
        effects(covariates.life, life),
    );
    Ok(DynamicParetoNbd::new(base, trans, life)?)
}

/// The parameters of Pareto/NBD, and the coefficients behind them.
fn split(values: &[f64]) -> ([f64; 4], &[f64]) {
    match values.split_first_chunk() {
        Some((&base, coefficients)) => (base, coefficients),
        None => ([1.0; 4], &[]),
    }
}

fn values_of(model: &DynamicParetoNbd) -> Vec<f64> {
    let base = [
        model.base.r(),
        model.base.alpha(),
        model.base.s(),
        model.base.beta(),
    ];
    let effects = model.trans.iter().chain(&model.life);
    let coefficients = effects.map(|effect| effect.coefficient);
    base.into_iter().chain(coefficients).collect()
}

/// The scale of a parameter: the search runs in ln(parameter / unit), or in coefficient / unit.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Log(f64),
    Linear(f64),
}

impl Unit {
    fn parameter(self, x: f64) -> f64 {
        match self {
            Self::Log(unit) => unit * x.exp(),
            Self::Linear(unit) => unit * x,
        }
    }

    fn position(self, parameter: f64) -> f64 {
        match self {
            Self::Log(unit) => (parameter / unit).ln(),
            Self::Linear(unit) => parameter / unit,
        }
    }

    /// What the square of the position weighs in the penalty: coefficients are taken as they are.
    fn penalty(self) -> f64 {
        match self {
            Self::Log(_) => 1.0,
            Self::Linear(unit) => unit * unit,
        }
    }
}

/// Times relative to the mean age, coefficients to what makes the largest covariate 1.
fn units(design: &Design, mean_age: f64) -> Vec<Unit> {
    let mut largest = vec![0.0_f64; design.trans + design.life];
    for values in design.levels() {
        for (largest, value) in largest.iter_mut().zip(values) {
            *largest = largest.max(value.abs());
        }
    }
    let base = [1.0, mean_age, 1.0, mean_age].map(Unit::Log);
    let coefficients = largest.iter().map(|largest| Unit::Linear(1.0 / largest));
    base.into_iter().chain(coefficients).collect()
}

fn parameters(x: &DVector<f64>, units: &[Unit]) -> Vec<f64> {
    x.iter()
        .zip(units)
        .map(|(&x, unit)| unit.parameter(x))
        .collect()
}

fn position(parameters: &[f64], units: &[Unit]) -> DVector<f64> {
    let both = parameters.iter().zip(units);
    DVector::from_iterator(units.len(), both.map(|(&p, unit)| unit.position(p)))
}

/// Where to begin: as given, then at the plain fit if it is inside, then as the plain fit does, each
/// without effects.
fn starts(
    plain: &Fitted<ParetoNbd>,
    counts: &Counts,
    options: &FitOptions,
    parameters: usize,
) -> Vec<Vec<f64>> {
    let (r, alpha) = counts.start();
    let age = counts.mean_age();
    let fitted = [plain.r(), plain.alpha(), plain.s(), plain.beta()];
    let inside = plain.report.status == FitStatus::Interior;
    let bases = inside.then_some(fitted).into_iter().chain([
        [r, alpha, 0.6, 0.4 * age],
        [0.5 * r, 0.5 * alpha, 2.0, 5.0 * age],
    ]);
    let without_effects = bases.map(|base| {
        let mut start = base.to_vec();
        start.resize(parameters, 0.0);
        start
    });
    options
        .start
        .iter()
        .cloned()
        .chain(without_effects)
        .collect()
}

/// Turns the log-likelihood in ln θ and γ into what is minimised.
fn penalised(mut at: Evaluation, x: &DVector<f64>, units: &[Unit], penalty: f64) -> Evaluation {
    at.value = 0.5 * penalty * penalty_weights(x, units) - at.value;
    let scale = |unit: &Unit| match *unit {
        Unit::Log(_) => 1.0,
        Unit::Linear(unit) => unit,
    };
    for (i, unit) in units.iter().enumerate() {
        let pull = penalty * unit.penalty();
        at.gradient[i] = pull * x[i] - at.gradient[i] * scale(unit);
        for (j, other) in units.iter().enumerate() {
            at.hessian[(i, j)] *= -scale(unit) * scale(other);
        }
        at.hessian[(i, i)] += pull;
    }
    at
}

fn penalty_weights(x: &DVector<f64>, units: &[Unit]) -> f64 {
    x.iter()
        .zip(units)
        .map(|(x, unit)| unit.penalty() * x * x)
        .sum()
}

/// The inverse of the information in the parameters themselves, inverted where the entries are of
/// one size.
fn covariance(
    hessian: &DMatrix<f64>,
    gradient: &DVector<f64>,
    values: &[f64],
    units: &[Unit],
) -> Option<DMatrix<f64>> {
    let mut information = hessian.clone();
    let mut factors = Vec::with_capacity(units.len());
    for (i, (unit, &value)) in units.iter().zip(values).enumerate() {
        factors.push(match *unit {
            Unit::Log(_) => {
                information[(i, i)] -= gradient[i];
                value
            }
            Unit::Linear(unit) => unit,
        });
    }
    let mut covariance = information.cholesky()?.inverse();
    for (i, left) in factors.iter().enumerate() {
        for (j, right) in factors.iter().enumerate() {
            covariance[(i, j)] *= left * right;
        }
    }
    Some(covariance)
}

/// Refuses covariates of one rate of which one is constant or follows from the others: along it
/// nothing would change but the names of the parameters.
fn check_identified(design: &Design, covariates: &DynamicCovariates<'_>) -> Result<(), FitError> {
    let column = |column: usize| design.levels().filter_map(move |level| level.get(column));
    for (names, first) in [(covariates.trans, 0), (covariates.life, design.trans)] {
        // Orthonormal, beginning with the constant: that of which each column must not be made.
        let mut basis: Vec<Vec<f64>> = Vec::new();
        let constant = vec![1.0; design.levels().count()];
        remainder(constant, &mut basis);
        for (i, name) in names.iter().enumerate() {
            if !remainder(column(first + i).copied().collect(), &mut basis) {
                return Err(FitError::Covariate {
                    column: (*name).to_owned(),
                    reason: "it does not vary, or follows from the covariates before it",
                });
            }
        }
    }
    Ok(())
}

/// Adds to the basis what of a column is not in it; whether there is anything.
fn remainder(mut column: Vec<f64>, basis: &mut Vec<Vec<f64>>) -> bool {
    const NOTHING: f64 = 1e-10;
    let norm = |column: &[f64]| column.iter().map(|x| x * x).sum::<f64>().sqrt();
    let whole = norm(&column);
    // Twice, so that what remains is orthogonal to the last digit.
    for _ in 0..2 {
        for axis in basis.iter() {
            let along: f64 = column.iter().zip(axis).map(|(x, a)| x * a).sum();
            column
                .iter_mut()
                .zip(axis)
                .for_each(|(x, a)| *x -= along * a);
        }
    }
    let rest = norm(&column);
    if rest.is_nan() || rest <= NOTHING * whole {
        return false;
    }
    column.iter_mut().for_each(|x| *x /= rest);
    basis.push(column);
    true
}
