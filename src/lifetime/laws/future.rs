//! The laws of what customers do next.

use super::super::FuturePurchases;
use super::{Violation, history, places, require};
use crate::summary::History;

const TIMES: [f64; 4] = [0.0, 1.0, 39.0, 1e3];
/// What two ways to compute a number may be apart.
const ROUNDING: f64 = 1e-9;
/// Up to how many purchases are asked about.
const PLACES: usize = 12;

/// Checks a model of purchases to come on histories of all kinds:
///
/// * P(alive) later is that of now without a delay, and does not rise with the delay;
/// * purchases to come have probabilities, which sum to at most 1 and whose mean is at most the expected
///   number, and is it where nothing is left out; in no time there are none;
/// * the probability of a purchase is that of not none, does not fall with time, and does not exceed that
///   of any purchase, which in turn is at most P(alive);
/// * the time to a purchase is the inverse of that probability, and its mean does not contradict it
///   (Markov's inequality).
///
/// # Errors
/// The first [`Violation`] found.
pub fn check_future(model: &dyn FuturePurchases) -> Result<(), Violation> {
    for (frequency, recency) in places() {
        for silence in [0.0, 7.0, 400.0] {
            let history = history(frequency, recency, recency + silence);
            check_alive(model, &history)?;
            for t in TIMES {
                check_counts(model, &history, t)?;
            }
            check_times(model, &history)?;
        }
    }
    Ok(())
}

fn check_alive(model: &dyn FuturePurchases, history: &History) -> Result<(), Violation> {
    let mut before = model.probability_alive(history);
    let now = model.probability_alive_after(history, 0.0);
    require(
        (now - before).abs() <= ROUNDING,
        "P(alive) without a delay is P(alive)",
        history,
        || format!("it is {now}, not {before}"),
    )?;
    for delay in TIMES {
        let later = model.probability_alive_after(history, delay);
        require(
            (0.0..=before + 1e-12).contains(&later),
            "P(alive) does not rise with the delay",
            history,
            || format!("after {delay} it is {later}, {before} before"),
        )?;
        before = later;
    }
    Ok(())
}

fn check_counts(model: &dyn FuturePurchases, history: &History, t: f64) -> Result<(), Violation> {
    let mut counts = [f64::NAN; PLACES];
    model.future_purchase_probabilities(history, t, &mut counts);
    require(
        counts.iter().all(|p| (0.0..=1.0).contains(p)),
        "numbers of purchases to come have probabilities",
        history,
        || format!("in the time {t} they are {counts:?}"),
    )?;
    let total: f64 = counts.iter().sum();
    let mean: f64 = (0..).zip(counts).map(|(n, p)| f64::from(n) * p).sum();
    let expected = model.expected_purchases(history, t);
    require(
        total <= 1.0 + ROUNDING && (t > 0.0 || (counts[0] - 1.0).abs() <= ROUNDING),
        "probabilities sum to at most 1, and nobody buys in no time",
        history,
        || format!("in the time {t} they sum to {total}: {counts:?}"),
    )?;
    let complete = total >= 1.0 - 1e-12;
    require(
        mean <= expected + 1e-6 * (1.0 + expected)
            && (!complete || (mean - expected).abs() <= 1e-6 * (1.0 + expected)),
        "the mean number of purchases to come is the expected one",
        history,
        || format!("in the time {t} it is {mean}, expected are {expected}"),
    )?;
    let bought = model.probability_of_purchase(history, t);
    require(
        (bought - (1.0 - counts[0])).abs() <= ROUNDING,
        "the probability of a purchase is that of not none",
        history,
        || format!("in the time {t} it is {bought}, that of none {}", counts[0]),
    )
}

fn check_times(model: &dyn FuturePurchases, history: &History) -> Result<(), Violation> {
    let ever = model.probability_of_any_purchase(history);
    let alive = model.probability_alive(history);
    require(
        (0.0..=alive + ROUNDING).contains(&ever),
        "the probability of any purchase is at most P(alive)",
        history,
        || format!("it is {ever}, P(alive) {alive}"),
    )?;
    let mean = model.mean_time_to_purchase(history);
    require(
        mean >= 0.0,
        "the mean time to a purchase is a time",
        history,
        || format!("it is {mean}"),
    )?;
    let mut before = 0.0;
    for t in TIMES {
        let bought = model.probability_of_purchase(history, t);
        require(
            bought >= before - ROUNDING && bought <= ever + ROUNDING,
            "the probability of a purchase grows up to that of any",
            history,
            || format!("by {t} it is {bought}: {before} before, {ever} ever"),
        )?;
        before = bought;
        require(
            (ever - bought) * t <= mean * ever * (1.0 + 1e-6) + ROUNDING * t,
            "the mean time to a purchase agrees with the probabilities",
            history,
            || format!("it is {mean}, but by {t} only {bought} of {ever} have bought"),
        )?;
    }
    for probability in [1e-3, 0.05, 0.25, 0.5, 0.9, 0.5 * ever] {
        let time = model.time_to_purchase(history, probability);
        let agrees = match time {
            None => probability >= ever - ROUNDING,
            // Who buys after the end of all numbers is not seen to.
            Some(time) if time > 1e290 => true,
            Some(time) => {
                let reached = model.probability_of_purchase(history, time);
                (reached - probability).abs() <= 1e-8
            }
        };
        require(
            agrees,
            "the time to a purchase is the inverse of its probability",
            history,
            || format!("for {probability} of {ever} it is {time:?}"),
        )?;
    }
    Ok(())
}
