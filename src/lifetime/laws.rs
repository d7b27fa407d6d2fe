//! The laws that every model keeps, as a check that any model can be put to.
//!
//! Run it in a test of your own model:
//!
//! ```
//! use tenure::lifetime::{BgNbd, GammaGamma, Sbg, laws};
//!
//! laws::check(&BgNbd::new(0.243, 4.414, 0.793, 2.426)?).unwrap();
//! laws::check_future(&BgNbd::new(0.243, 4.414, 0.793, 2.426)?).unwrap();
//! laws::check_spend(&GammaGamma::new(6.25, 3.74, 15.44)?).unwrap();
//! laws::check_curve(&Sbg::new(0.668, 3.806)?).unwrap();
//! # Ok::<(), tenure::Error>(())
//! ```

mod curve;
mod future;

pub use curve::{CurveViolation, check_curve};
pub use future::check_future;

use thiserror::Error;

use super::{PurchaseModel, Schedule, SpendModel};
use crate::error::DataError;
use crate::summary::{Histories, History, HistoryColumns, TimeUnit};

/// A law that a model breaks, where, and how.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "{law}: for {} repeat purchases, the last at {} of {}, {found}",
    history.frequency, history.recency, history.age
)]
pub struct Violation {
    /// The law.
    pub law: &'static str,
    /// The customer at whom it is broken.
    pub history: History,
    /// What the model answered.
    pub found: String,
}

/// Horizons in the unit of time, ascending.
const HORIZONS: [f64; 6] = [1e-3, 1.0, 10.0, 39.0, 500.0, 1e5];

/// Checks a purchase model on histories of all kinds:
///
/// * P(alive) is a probability, and does not rise while a silence lasts;
/// * expected purchases are finite, not negative, none at a horizon of 0, and do not fall as the
///   horizon grows;
/// * a schedule is the weighted sum of its horizons (to 1e-9);
/// * discounted residual purchases are finite, no fewer than those within a horizon discounted to its
///   end, and fewer at a higher rate;
/// * batch methods give the bits of the single ones.
///
/// # Errors
/// The first [`Violation`] found.
pub fn check(model: &dyn PurchaseModel) -> Result<(), Violation> {
    for (frequency, recency) in places() {
        let mut before = f64::INFINITY;
        for silence in [0.0, 0.01, 1.0, 7.0, 50.0, 400.0, 1e5] {
            let history = history(frequency, recency, recency + silence);
            let alive = model.probability_alive(&history);
            require(
                (0.0..=1.0).contains(&alive),
                "P(alive) lies between 0 and 1",
                &history,
                || format!("it is {alive}"),
            )?;
            require(
                alive <= before * (1.0 + 1e-12),
                "P(alive) does not rise while a silence lasts",
                &history,
                || format!("it rose from {before} to {alive}"),
            )?;
            before = alive;
            check_purchases(model, &history)?;
        }
    }
    // By numerical integration unless a model knows better: too much for all of them.
    for (frequency, recency, age) in [(0, 0.0, 38.86), (2, 30.43, 38.86)] {
        check_discounted(model, &history(frequency, recency, age))?;
    }
    check_batches(model)
}

/// Checks a spend model: expected spend is finite and not negative, and the batch method gives
/// the bits of the single one.
///
/// # Errors
/// The first [`Violation`] found.
pub fn check_spend(model: &dyn SpendModel) -> Result<(), Violation> {
    let histories = all_histories();
    let mut batch = vec![f64::NAN; histories.len()];
    let outcome = model.expected_spend_batch(&histories, &mut batch);
    for (history, batch) in histories.iter().zip(batch) {
        let spend = model.expected_spend(&history);
        require(
            spend.is_finite() && spend >= 0.0,
            "expected spend is finite and not negative",
            &history,
            || format!("it is {spend}"),
        )?;
        require(
            outcome.is_ok() && batch.to_bits() == spend.to_bits(),
            "batch methods give the bits of the single ones",
            &history,
            || format!("expected spend is {spend}, in the batch {batch} ({outcome:?})"),
        )?;
    }
    Ok(())
}

fn check_purchases(model: &dyn PurchaseModel, history: &History) -> Result<(), Violation> {
    let none = model.expected_purchases(history, 0.0);
    require(none == 0.0, "no purchases in no time", history, || {
        format!("at a horizon of 0 it expects {none}")
    })?;
    let mut before = 0.0;
    let mut weighted = 0.0;
    for horizon in HORIZONS {
        let expected = model.expected_purchases(history, horizon);
        require(
            expected.is_finite() && expected >= 0.0,
            "expected purchases are finite and not negative",
            history,
            || format!("at a horizon of {horizon} it expects {expected}"),
        )?;
        require(
            expected >= before * (1.0 - 1e-9),
            "expected purchases do not fall as the horizon grows",
            history,
            || format!("they fell from {before} to {expected} at a horizon of {horizon}"),
        )?;
        before = expected;
        weighted += 0.25 * expected;
    }
    let scheduled = model.scheduled_purchases(history, &schedule());
    require(
        // Sums of numbers below the smallest normal one have no digits to agree in.
        (scheduled - weighted).abs() <= (1e-9 * weighted).max(f64::MIN_POSITIVE),
        "a schedule is the weighted sum of its horizons",
        history,
        || format!("the schedule gives {scheduled}, the sum is {weighted}"),
    )
}

fn check_discounted(model: &dyn PurchaseModel, history: &History) -> Result<(), Violation> {
    let mut before = f64::INFINITY;
    for rate in [1e-3, 0.1] {
        let residual = model.discounted_residual_purchases(history, rate);
        require(
            (0.0..=before).contains(&residual) && residual.is_finite(),
            "discounted residual purchases are finite and fall as the rate rises",
            history,
            || format!("at a rate of {rate} they are {residual}, {before} at the one before"),
        )?;
        before = residual;
        for horizon in [1.0, 39.0, 500.0] {
            let expected = model.expected_purchases(history, horizon);
            let least = expected * (-rate * horizon).exp();
            require(
                residual >= least * (1.0 - 1e-9),
                "discounted residual purchases are no fewer than those within a horizon, discounted to its end",
                history,
                || {
                    format!(
                        "at a rate of {rate} they are {residual}, below {least} within {horizon}"
                    )
                },
            )?;
        }
    }
    Ok(())
}

fn check_batches(model: &dyn PurchaseModel) -> Result<(), Violation> {
    const RATE: f64 = 0.1;
    let histories = all_histories();
    let schedule = schedule();
    let mut batch = vec![f64::NAN; histories.len()];
    let compare = |outcome, batch: &[f64], what: &str, single: &dyn Fn(&History) -> f64| {
        same_bits(&histories, outcome, batch, what, single)
    };
    let outcome = model.probability_alive_batch(&histories, &mut batch);
    compare(outcome, &batch, "P(alive)", &|h| model.probability_alive(h))?;
    for horizon in HORIZONS {
        let outcome = model.expected_purchases_batch(&histories, horizon, &mut batch);
        let single = |h: &History| model.expected_purchases(h, horizon);
        compare(outcome, &batch, "the number of expected purchases", &single)?;
    }
    let mut alive = batch.clone();
    let outcome = model.alive_and_purchases_batch(&histories, HORIZONS[0], &mut alive, &mut batch);
    let single = |h: &History| model.expected_purchases(h, HORIZONS[0]);
    compare(outcome, &batch, "the number of expected purchases", &single)?;
    compare(Ok(()), &alive, "P(alive)", &|h| model.probability_alive(h))?;
    let outcome = model.scheduled_purchases_batch(&histories, &schedule, &mut batch);
    let single = |h: &History| model.scheduled_purchases(h, &schedule);
    compare(outcome, &batch, "the schedule", &single)?;
    let outcome = model.discounted_residual_purchases_batch(&histories, RATE, &mut batch);
    let single = |h: &History| model.discounted_residual_purchases(h, RATE);
    compare(
        outcome,
        &batch,
        "the number of discounted residual purchases",
        &single,
    )
}

/// Whether a batch has the bits of single answers.
fn same_bits(
    histories: &Histories,
    outcome: Result<(), DataError>,
    batch: &[f64],
    what: &str,
    single: &dyn Fn(&History) -> f64,
) -> Result<(), Violation> {
    for (history, batch) in histories.iter().zip(batch) {
        let single = single(&history);
        require(
            outcome.is_ok() && batch.to_bits() == single.to_bits(),
            "batch methods give the bits of the single ones",
            &history,
            || format!("{what} is {single}, in the batch {batch} ({outcome:?})"),
        )?;
    }
    Ok(())
}

fn require(
    holds: bool,
    law: &'static str,
    history: &History,
    found: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds {
        return Ok(());
    }
    Err(Violation {
        law,
        history: *history,
        found: found(),
    })
}

/// Numbers of repeat purchases with the times of the last.
fn places() -> impl Iterator<Item = (u32, f64)> {
    let recencies = [1e-3, 1.0, 30.43, 1000.0];
    let repeaters = [1, 2, 7, 40, 5000].into_iter();
    std::iter::once((0, 0.0)).chain(repeaters.flat_map(move |x| recencies.map(|t_x| (x, t_x))))
}

fn history(frequency: u32, recency: f64, age: f64) -> History {
    History {
        frequency,
        recency,
        age,
        log_gaps: 0.0,
        mean_spend: if frequency == 0 { 0.0 } else { 35.0 },
    }
}

/// Every place at three ages, each twice so that a batch meets what it has seen.
fn all_histories() -> Histories {
    let mut columns = HistoryColumns::default();
    let ages = |(x, t_x): (u32, f64)| [0.0, 8.5, 700.0, 0.0].map(|silence| (x, t_x, silence));
    for (customer, (frequency, recency, silence)) in (0..).zip(places().flat_map(ages)) {
        let history = history(frequency, recency, recency + silence);
        columns.customer.push(customer);
        columns.log_gaps.push(0.0);
        columns.frequency.push(frequency);
        columns.recency.push(recency);
        columns.age.push(history.age);
        columns.mean_spend.push(history.mean_spend);
    }
    Histories::from_valid_columns(TimeUnit::Week, columns)
}

fn schedule() -> Schedule {
    Schedule::from_valid_terms(HORIZONS.map(|horizon| (horizon, 0.25)))
}
