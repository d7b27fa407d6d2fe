//! The likelihood of contracts, which all retention curves share.
//!
//! A contract that ended after t periods contributes ln P(T = t) = ln S(t − 1) + ln(1 − r(t)) with
//! the retention rate r(t) = S(t) / S(t − 1); one that still runs after t renewals ln S(t).

use std::marker::PhantomData;

use super::fit::{FitOptions, FitReport, Fitted, Maximum, Problem};
use super::jet::Jet;
use super::posterior::Target;
use crate::error::{Error, FitError};
use crate::numeric::optimise::Evaluation;
use crate::summary::{RenewalSummary, Subscription};

/// A curve of N parameters, with the derivatives in them.
pub(super) trait Curve<const N: usize>: Sized {
    const NAMES: [&'static str; N];

    /// From parameters that are positive and finite.
    fn from_valid(parameters: [f64; N]) -> Self;

    fn parameters(&self) -> [f64; N];

    /// ln S(t).
    fn ln_survival(&self, t: f64) -> Jet<N>;

    /// ln r(t) for t ≥ 1, which keeps its digits however near to 0.
    fn ln_retention(&self, t: f64) -> Jet<N>;
}

/// The log-likelihood with its derivatives in the logarithms of the parameters.
pub(super) fn evaluate<const N: usize>(curve: &impl Curve<N>, data: &RenewalSummary) -> Evaluation {
    let mut sum = Jet::ZERO;
    for (contract, customers) in data.iter() {
        sum.add(customers as f64, &of_contract(curve, contract));
    }
    sum.in_logarithms(&curve.parameters())
}

/// Contracts as the data of the posterior of a curve of N parameters.
pub(super) struct Contracts<'a, C, const N: usize> {
    data: &'a RenewalSummary,
    curve: PhantomData<C>,
}

impl<'a, C: Curve<N>, const N: usize> Contracts<'a, C, N> {
    pub(super) fn new(data: &'a RenewalSummary) -> Self {
        let curve = PhantomData;
        Self { data, curve }
    }
}

impl<C: Curve<N> + Copy + Send + Sync, const N: usize> Target for Contracts<'_, C, N> {
    type Model = C;

    fn model(&self, parameters: &[f64]) -> Option<C> {
        let valid = parameters.iter().all(|p| *p > 0.0 && p.is_finite());
        valid.then(|| Some(C::from_valid(parameters.try_into().ok()?)))?
    }

    fn evaluate(&self, model: &C) -> Evaluation {
        evaluate(model, self.data)
    }

    fn units(&self) -> Vec<f64> {
        vec![1.0; N]
    }
}

/// Fits a curve; `starts` are best guesses first.
pub(super) fn fit<C: Curve<N>, const N: usize>(
    data: &RenewalSummary,
    options: &FitOptions,
    starts: &[[f64; N]],
) -> Result<Fitted<C>, Error> {
    check_identified(data, N)?;
    let problem = Problem {
        names: C::NAMES,
        units: [1.0; N],
        starts,
    };
    let maximum = problem.maximise(options, |at| evaluate(&C::from_valid(*at), data))?;
    Ok(fitted(
        C::from_valid(maximum.parameters),
        data,
        &maximum,
        C::NAMES,
    ))
}

pub(super) fn fitted<C, const N: usize>(
    model: C,
    data: &RenewalSummary,
    maximum: &Maximum<N>,
    names: [&'static str; N],
) -> Fitted<C> {
    // The summary holds at most 2^53 customers.
    let report = FitReport::new(names, maximum, data.customers() as usize, data.distinct());
    Fitted { model, report }
}

/// A curve of some parameters needs as many different renewals to be seen.
pub(super) fn check_identified(data: &RenewalSummary, parameters: usize) -> Result<(), FitError> {
    let have = data.last_renewal() as usize;
    if data.customers() > 0 && have >= parameters {
        return Ok(());
    }
    Err(FitError::TooFew {
        what: "renewals that somebody came up for",
        have,
        need: parameters,
    })
}

/// How many renewals were decided, and how many of them against.
pub(super) fn decisions(data: &RenewalSummary) -> (f64, f64) {
    data.iter()
        .fold((0.0, 0.0), |(all, left), (contract, customers)| {
            let customers = customers as f64;
            let here = if contract.active { 0.0 } else { customers };
            (all + customers * f64::from(contract.periods), left + here)
        })
}

fn of_contract<const N: usize>(curve: &impl Curve<N>, contract: Subscription) -> Jet<N> {
    let t = f64::from(contract.periods);
    if contract.active {
        return curve.ln_survival(t);
    }
    let mut ln_probability = curve.ln_survival(t - 1.0);
    ln_probability += ln_one_minus_exp(curve.ln_retention(t));
    ln_probability
}

/// ln(1 − eʸ) of a y < 0.
fn ln_one_minus_exp<const N: usize>(y: Jet<N>) -> Jet<N> {
    let left = -y.value.exp_m1();
    // f′ = −eʸ / (1 − eʸ), f″ = −eʸ / (1 − eʸ)².
    let first = -y.value.exp() / left;
    y.map([left.ln(), first, first / left])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::jet::derivatives_agree;
    use crate::lifetime::{Bdw, Sbg};
    use proptest::prelude::*;

    fn data() -> RenewalSummary {
        let cohorts = [&[1000, 631, 468, 382, 326, 326, 320][..], &[50, 40], &[7]];
        let mut data = RenewalSummary::from_cohorts(cohorts).unwrap();
        for (periods, active) in [(60, false), (120, true)] {
            data.push(Subscription { periods, active }).unwrap();
        }
        data
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_the_value(
            logs in [-3.0..3.0f64, -3.0..3.0f64, -1.0..1.0f64],
        ) {
            let data = data();
            derivatives_agree(logs, |at| evaluate(&Bdw::from_valid(at.map(f64::exp)), &data));
            let [alpha, beta, _] = logs;
            derivatives_agree([alpha, beta], |at| {
                evaluate(&Sbg::from_valid(at.map(f64::exp)), &data)
            });
        }

        #[test]
        fn the_likelihood_is_made_of_the_curve(
            logs in [-3.0..3.0f64, -3.0..3.0f64, -1.0..1.0f64],
        ) {
            use crate::lifetime::RetentionCurve;
            let [alpha, beta, c] = logs.map(f64::exp);
            let bdw = Bdw::new(alpha, beta, c).unwrap();
            let sbg = Sbg::new(alpha, beta).unwrap();
            let of_curve = |curve: &dyn RetentionCurve| -> f64 {
                let ln_probability = |(contract, n): (Subscription, u64)| {
                    let survival = |t| curve.survival(t);
                    let probability = if contract.active {
                        survival(contract.periods)
                    } else {
                        survival(contract.periods - 1) - survival(contract.periods)
                    };
                    n as f64 * probability.ln()
                };
                data().iter().map(ln_probability).sum()
            };
            for (found, curve) in [
                (bdw.log_likelihood_of(&data()), &bdw as &dyn RetentionCurve),
                (sbg.log_likelihood_of(&data()), &sbg),
            ] {
                let expected = of_curve(curve);
                prop_assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
            }
        }
    }
}
