//! Finding the parameters of Pareto/NBD with time-varying covariates.

use std::borrow::Cow;

use nalgebra::{DMatrix, DVector};

use super::design::{Columns, Design};
use super::likelihood::{Point, evaluate};
use super::{DynamicParetoNbd, Effect};
use crate::error::{ConfigError, Error, FitError};
use crate::lifetime::covariates::EQUAL;
use crate::lifetime::fit::{Ending, Support, Verdict, search};
use crate::lifetime::pareto_nbd::NAMES;
use crate::lifetime::rates::Counts;
use crate::lifetime::{FitOptions, FitReport, FitStatus, Fitted, ParetoNbd};
use crate::numeric::optimise::{Evaluation, Limits};
use crate::summary::PathHistories;

/// What is to be fitted.
pub(super) struct Request<'a> {
    pub(super) trans: &'a [&'a str],
    pub(super) life: &'a [&'a str],
    /// Covariates of both whose two coefficients are one parameter.
    pub(super) equal: &'a [String],
    /// λ of each coefficient of buying, and of leaving.
    pub(super) penalties: [f64; 2],
    pub(super) search: &'a FitOptions,
}

pub(super) fn fit(
    data: &PathHistories<'_>,
    request: &Request<'_>,
) -> Result<Fitted<DynamicParetoNbd>, Error> {
    let (trans, life, options) = (request.trans, request.life, request.search);
    let columns = Columns::find(data.paths(), trans.iter().copied(), life.iter().copied())?;
    let free = Free::new(request)?;
    let supports = free.supports();
    options.check_supports(&supports)?;
    let design = Design::new(data, &columns)?;
    check_identified(&design, request)?;

    let distinct = data.histories().distinct();
    let counts = Counts::new(&distinct)?;
    let without = FitOptions {
        start: None,
        ..options.clone()
    };
    let plain = ParetoNbd::fit_distinct(&distinct, &without)?;
    let customers = data.histories().len();
    if counts.nobody_repeats() {
        let mut values = vec![plain.r(), plain.alpha(), plain.s(), plain.beta()];
        values.resize(supports.len(), 0.0);
        let ending = Ending {
            covariance: None,
            log_likelihood: plain.report.log_likelihood,
            status: plain.report.status.clone(),
            iterations: 0,
        };
        let report = FitReport::of_estimates(free.named(&values), ending, customers, customers);
        let model = model(
            &free.expand(&values),
            trans.iter().copied(),
            life.iter().copied(),
        )?;
        return Ok(Fitted { model, report });
    }

    let units = units(&design, &free, counts.mean_age());
    let penalties = free.penalties(options.penalty);
    let mut objective = |x: &DVector<f64>| {
        let at = free.expand(&parameters(x, &units));
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
        let whole = evaluate(&design, &counts, &point);
        penalised(free.fold(whole), x, &units, &penalties)
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
            FitStatus::along(free.named(&steps))
        }
    };
    let covariance = match status {
        FitStatus::Interior => covariance(&optimum.hessian, &optimum.gradient, &values, &units),
        _ => None,
    };
    let ending = Ending {
        covariance: covariance.as_ref(),
        log_likelihood: penalty(&optimum.x, &units, &penalties) - optimum.value,
        status,
        iterations: end.iterations,
    };
    let report = FitReport::of_estimates(free.named(&values), ending, customers, customers);
    Ok(Fitted {
        model: model(
            &free.expand(&values),
            trans.iter().copied(),
            life.iter().copied(),
        )?,
        report,
    })
}

/// The coefficients that are searched for, of which one may stand for two of the model.
pub(super) struct Free {
    pub(super) names: Vec<String>,
    /// Which of them each coefficient of the model is, of buying and then of leaving.
    of: Vec<usize>,
    /// λ of each.
    weights: Vec<f64>,
}

impl Free {
    pub(super) fn new(request: &Request<'_>) -> Result<Self, ConfigError> {
        let sides = [("trans", request.trans), ("life", request.life)];
        for (i, name) in request.equal.iter().enumerate() {
            let in_both = sides
                .iter()
                .all(|(_, names)| names.contains(&name.as_str()));
            if !in_both || request.equal.iter().skip(i + 1).any(|other| other == name) {
                return Err(ConfigError::OutOfRange {
                    setting: "equal",
                    value: name.clone(),
                    expected: "a covariate of both processes, once",
                });
            }
        }
        let [buying, leaving] = request.penalties;
        let held = |name: &str| request.equal.iter().any(|equal| equal == name);
        let (mut names, mut weights): (Vec<String>, Vec<f64>) = (Vec::new(), Vec::new());
        for ((prefix, side), weight) in sides.into_iter().zip([buying, leaving]) {
            for name in side.iter().filter(|name| !held(name)) {
                names.push(format!("{prefix}.{name}"));
                weights.push(weight);
            }
        }
        for name in request.equal {
            names.push(format!("{EQUAL}.{name}"));
            weights.push(buying + leaving);
        }
        let mut of = Vec::new();
        for (prefix, side) in sides {
            for name in side {
                let prefix = if held(name) { EQUAL } else { prefix };
                let wanted = format!("{prefix}.{name}");
                of.extend(names.iter().position(|name| *name == wanted));
            }
        }
        Ok(Self { names, of, weights })
    }

    /// λ of each parameter, given that of the logarithms of the base's.
    fn penalties(&self, of_base: f64) -> Vec<f64> {
        let base = [of_base; 4];
        base.into_iter()
            .chain(self.weights.iter().copied())
            .collect()
    }

    /// Which values each parameter can take.
    pub(super) fn supports(&self) -> Vec<Support> {
        let coefficients = self.names.iter().map(|_| Support::Real);
        [Support::Positive; 4]
            .into_iter()
            .chain(coefficients)
            .collect()
    }

    /// Where a parameter of the model stands among those searched for.
    fn place(&self, parameter: usize) -> usize {
        match parameter.checked_sub(4) {
            Some(coefficient) => 4 + self.of.get(coefficient).copied().unwrap_or_default(),
            None => parameter,
        }
    }

    /// The parameters of the model.
    pub(super) fn expand(&self, values: &[f64]) -> Vec<f64> {
        let places = (0..4 + self.of.len()).map(|parameter| self.place(parameter));
        places
            .filter_map(|place| values.get(place).copied())
            .collect()
    }

    /// The derivatives in the parameters searched for, from those in the model's.
    pub(super) fn fold(&self, whole: Evaluation) -> Evaluation {
        let (all, free) = (4 + self.of.len(), 4 + self.names.len());
        let mut gradient = DVector::zeros(free);
        let mut hessian = DMatrix::zeros(free, free);
        for i in 0..all {
            let place = self.place(i);
            gradient[place] += whole.gradient[i];
            for j in 0..all {
                hessian[(place, self.place(j))] += whole.hessian[(i, j)];
            }
        }
        Evaluation {
            value: whole.value,
            gradient,
            hessian,
        }
    }

    /// Values of the parameters searched for, with their names.
    fn named<'v>(
        &self,
        values: &'v [f64],
    ) -> impl Iterator<Item = (Cow<'static, str>, f64, Support)> + Clone + use<'v> {
        let base = NAMES.map(|name| (Cow::Borrowed(name), Support::Positive));
        let coefficients = self.names.iter().cloned();
        let coefficients = coefficients.map(|name| (Cow::Owned(name), Support::Real));
        let names: Vec<_> = base.into_iter().chain(coefficients).collect();
        names
            .into_iter()
            .zip(values)
            .map(|((name, support), &value)| (name, value, support))
    }
}

/// The model of these parameters: those of Pareto/NBD, then the coefficients of buying and of leaving.
pub(super) fn model<'n>(
    values: &[f64],
    trans: impl Iterator<Item = &'n str>,
    life: impl Iterator<Item = &'n str>,
) -> Result<DynamicParetoNbd, ConfigError> {
    let ([r, alpha, s, beta], coefficients) = split(values);
    let mut coefficients = coefficients.iter();
    let effect = |(name, &coefficient): (&str, &f64)| Effect {
        name: name.to_owned(),
        coefficient,
    };
    let trans = trans.zip(coefficients.by_ref()).map(effect).collect();
    let life = life.zip(coefficients).map(effect).collect();
    DynamicParetoNbd::new(ParetoNbd::new(r, alpha, s, beta)?, trans, life)
}

/// The parameters of Pareto/NBD, and the coefficients behind them.
fn split(values: &[f64]) -> ([f64; 4], &[f64]) {
    match values.split_first_chunk() {
        Some((&base, coefficients)) => (base, coefficients),
        None => ([1.0; 4], &[]),
    }
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
    fn weight(self) -> f64 {
        match self {
            Self::Log(_) => 1.0,
            Self::Linear(unit) => unit * unit,
        }
    }
}

/// Times relative to the mean age, coefficients to what makes the largest covariate 1.
fn units(design: &Design, free: &Free, mean_age: f64) -> Vec<Unit> {
    let mut largest = vec![0.0_f64; free.names.len()];
    for values in design.levels() {
        for (&place, value) in free.of.iter().zip(values) {
            largest[place] = largest[place].max(value.abs());
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
fn penalised(
    mut at: Evaluation,
    x: &DVector<f64>,
    units: &[Unit],
    penalties: &[f64],
) -> Evaluation {
    at.value = penalty(x, units, penalties) - at.value;
    let scale = |unit: &Unit| match *unit {
        Unit::Log(_) => 1.0,
        Unit::Linear(unit) => unit,
    };
    for (i, (unit, penalty)) in units.iter().zip(penalties).enumerate() {
        let pull = penalty * unit.weight();
        at.gradient[i] = pull * x[i] - at.gradient[i] * scale(unit);
        for (j, other) in units.iter().enumerate() {
            at.hessian[(i, j)] *= -scale(unit) * scale(other);
        }
        at.hessian[(i, i)] += pull;
    }
    at
}

/// Σ ½ λ of the squares.
fn penalty(x: &DVector<f64>, units: &[Unit], penalties: &[f64]) -> f64 {
    let terms = x.iter().zip(units).zip(penalties);
    let terms = terms.map(|((x, unit), penalty)| penalty * unit.weight() * x * x);
    0.5 * terms.sum::<f64>()
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

/// Refuses covariates of one rate of which one is constant or follows from the others, unless a penalty tells
/// them apart: along it nothing would change but the names of the parameters.
fn check_identified(design: &Design, request: &Request<'_>) -> Result<(), FitError> {
    let column = |column: usize| design.levels().filter_map(move |level| level.get(column));
    let sides = [(request.trans, 0), (request.life, design.trans)];
    for ((names, first), penalty) in sides.into_iter().zip(request.penalties) {
        if penalty > 0.0 {
            continue;
        }
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
