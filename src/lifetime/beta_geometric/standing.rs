//! Who is still alive: 1 / (1 + eᵘ), u the logarithm of the odds of having left.
#![allow(
    unsafe_code,
    reason = "a call of a function compiled for what the level has; batches are compared with each history alone"
)]

use super::BetaGeometric;
use super::stages::Stages;
use crate::numeric::elementary::{exp, ln_1p};
use crate::numeric::lanes::{Level, at_level};
use crate::summary::{Histories, History};

/// What customers with the same number of repeat purchases have in common.
#[derive(Clone, Copy)]
pub(super) struct OfFrequency {
    pub(super) frequency: u32,
    /// R.
    exponent: f64,
    /// ln(a / (b + c − 1)); −∞ for customers who cannot have left.
    ln_dropout: f64,
}

impl OfFrequency {
    pub(super) fn new(model: &BetaGeometric, frequency: u32) -> Self {
        let tosses = model.form.tosses(frequency);
        Self {
            frequency,
            exponent: model.r + model.form.stages(frequency),
            ln_dropout: match tosses > 0.0 {
                true => model.a.ln() - (model.b + (tosses - 1.0)).ln(),
                false => f64::NEG_INFINITY,
            },
        }
    }

    /// P(alive) of one of them, and for k > 1 how far a customer who is alive may have come.
    pub(super) fn standing(
        &self,
        model: &BetaGeometric,
        history: &History,
    ) -> (f64, Option<Stages>) {
        let stages = (model.form.k > 1).then(|| model.stages(history));
        let ln_stages = stages.as_ref().map_or(0.0, |stages| stages.ln_total);
        let odds = self.log_odds_left(model, history, ln_stages);
        (probability_alive(odds), stages)
    }

    /// ln of P(left) / P(alive), given ln S.
    pub(super) fn log_odds_left(
        &self,
        model: &BetaGeometric,
        history: &History,
        ln_stages: f64,
    ) -> f64 {
        let odds = log_odds_left(
            model.alpha,
            self.exponent,
            self.ln_dropout,
            history.recency,
            history.age,
        );
        odds - ln_stages
    }
}

/// ln(a / (b + c − 1) · ((α + T) / (α + t_x))^R).
#[inline(always)]
fn log_odds_left(alpha: f64, exponent: f64, ln_dropout: f64, recency: f64, age: f64) -> f64 {
    ln_dropout + exponent * ln_1p((age - recency) / (alpha + recency))
}

/// 1 / (1 + eᵘ), by the exponential that does not overflow.
#[inline(always)]
fn probability_alive(odds: f64) -> f64 {
    let e = exp(-odds.abs());
    (if odds > 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// P(alive) of each row, for k = 1, written to `out`, which has a place for each.
pub(super) fn probabilities_alive(model: &BetaGeometric, histories: &Histories, out: &mut [f64]) {
    const TOGETHER: usize = 128;
    let level = Level::detect();
    let mut alike = OfFrequency::new(model, 0);
    let times = histories
        .recency()
        .chunks(TOGETHER)
        .zip(histories.age().chunks(TOGETHER));
    let rows = histories.frequency().chunks(TOGETHER).zip(times);
    let (mut exponents, mut ln_dropouts) = ([0.0; TOGETHER], [0.0; TOGETHER]);
    for (out, (frequencies, (recencies, ages))) in out.chunks_mut(TOGETHER).zip(rows) {
        let places = exponents.iter_mut().zip(&mut ln_dropouts);
        for (&frequency, (exponent, ln_dropout)) in frequencies.iter().zip(places) {
            if frequency != alike.frequency {
                alike = OfFrequency::new(model, frequency);
            }
            (*exponent, *ln_dropout) = (alike.exponent, alike.ln_dropout);
        }
        let rows = Rows {
            alpha: model.alpha,
            exponents: &exponents,
            ln_dropouts: &ln_dropouts,
            recencies,
            ages,
        };
        at_level!(level, each_alive(rows: Rows<'_>, out: &mut [f64]));
    }
}

/// What P(alive) of some rows is made of.
struct Rows<'a> {
    alpha: f64,
    exponents: &'a [f64],
    ln_dropouts: &'a [f64],
    recencies: &'a [f64],
    ages: &'a [f64],
}

#[inline(always)]
fn each_alive(rows: Rows<'_>, out: &mut [f64]) {
    let common = rows.exponents.iter().zip(rows.ln_dropouts);
    let times = rows.recencies.iter().zip(rows.ages);
    for (place, ((&exponent, &ln_dropout), (&recency, &age))) in
        out.iter_mut().zip(common.zip(times))
    {
        let odds = log_odds_left(rows.alpha, exponent, ln_dropout, recency, age);
        *place = probability_alive(odds);
    }
}
