//! What the model answers: who is alive, how many purchases will follow.

use std::convert::Infallible;

use super::design::{Columns, Design, Rates};
use super::likelihood::{at, standing};
use super::{Coefficients, DynamicParetoNbd, beyond_sense};
use crate::error::{ConfigError, Error};
use crate::event::Timestamp;
use crate::lifetime::forecast::Tracked;
use crate::lifetime::pareto_nbd::time_to_stay;
use crate::lifetime::value::infinite_spend;
use crate::lifetime::{Discount, Horizon, Schedule, SpendModel};
use crate::summary::PathHistories;

impl DynamicParetoNbd {
    /// The probability that each row's customer is still alive at the end of the observation.
    ///
    /// # Errors
    /// As [`log_likelihood_of`](Self::log_likelihood_of).
    pub fn probability_alive(&self, data: &PathHistories<'_>) -> Result<Vec<f64>, Error> {
        self.ahead(data, &[], |outlook, _| outlook.alive)
    }

    /// The probability that each row's customer is still alive some time after the end of the
    /// observation. A delay that is not positive is none.
    ///
    /// # Errors
    /// As [`expected_purchases`](Self::expected_purchases).
    pub fn probability_alive_after(
        &self,
        data: &PathHistories<'_>,
        delay: f64,
    ) -> Result<Vec<f64>, Error> {
        self.ahead(data, &[delay], alive_after)
    }

    /// The expected number of purchases of each row's customer in the `horizon` after the end of the
    /// observation, in the unit of the histories. A horizon that is not positive holds none.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a horizon beyond the end of the covariates
    /// ([`PathHistories::covered`]); [`DataError::Uncovered`](crate::error::DataError::Uncovered) where
    /// a customer has no value in the horizon; else as
    /// [`log_likelihood_of`](Self::log_likelihood_of).
    pub fn expected_purchases(
        &self,
        data: &PathHistories<'_>,
        horizon: f64,
    ) -> Result<Vec<f64>, Error> {
        self.ahead(data, &[horizon], purchases)
    }

    /// The expected purchases of all customers together in the `horizon` after the end of the
    /// observation.
    ///
    /// # Errors
    /// As [`expected_purchases`](Self::expected_purchases).
    pub fn expected_total(&self, data: &PathHistories<'_>, horizon: f64) -> Result<f64, Error> {
        Ok(self.expected_purchases(data, horizon)?.iter().sum())
    }

    /// The expected purchases of each row's customer over several horizons, weighted and added up.
    ///
    /// # Errors
    /// As [`expected_purchases`](Self::expected_purchases).
    pub fn scheduled_purchases(
        &self,
        data: &PathHistories<'_>,
        schedule: &Schedule,
    ) -> Result<Vec<f64>, Error> {
        let (horizons, weights) = in_order(schedule);
        self.ahead(data, &horizons, |outlook, reached| {
            outlook.weighed_purchases(&weights, reached)
        })
    }

    /// The expected purchases of each row's customer over a horizon, each discounted from the end of its
    /// step: times a margin and the expected spend, what the customer is worth.
    ///
    /// # Errors
    /// As [`expected_purchases`](Self::expected_purchases), and [`ConfigError::OutOfRange`] for a horizon
    /// without steps.
    pub fn discounted_purchases(
        &self,
        data: &PathHistories<'_>,
        discount: Discount,
        horizon: Horizon,
    ) -> Result<Vec<f64>, Error> {
        let schedule = horizon.schedule(data.histories().unit(), discount)?;
        self.scheduled_purchases(data, &schedule)
    }

    /// The discounted revenue of each row's customer over a horizon:
    /// [`discounted_purchases`](Self::discounted_purchases) times the expected spend.
    ///
    /// # Errors
    /// As [`discounted_purchases`](Self::discounted_purchases), and
    /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) when the spend model has no
    /// finite mean.
    pub fn value_over(
        &self,
        data: &PathHistories<'_>,
        spend: &dyn SpendModel,
        discount: Discount,
        horizon: Horizon,
    ) -> Result<Vec<f64>, Error> {
        let mut values = self.discounted_purchases(data, discount, horizon)?;
        let mut spends = vec![0.0; values.len()];
        spend.expected_spend_batch(data.histories(), &mut spends)?;
        if spends.iter().any(|spend| !spend.is_finite()) {
            return Err(infinite_spend().into());
        }
        for (value, spend) in values.iter_mut().zip(spends) {
            *value *= spend;
        }
        Ok(values)
    }

    /// The expected repeat purchases in the `horizon` after a first purchase, of somebody who has the
    /// covariates of a customer of the paths and of whom nothing else is known.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] when the covariates do not cover the horizon from that instant on;
    /// [`DataError::Uncovered`](crate::error::DataError::Uncovered) for a customer without a value in it.
    pub fn expected_purchases_of_new(
        &self,
        data: &PathHistories<'_>,
        customer: u32,
        first_purchase: Timestamp,
        horizon: f64,
    ) -> Result<f64, Error> {
        let walk = Walk::new(self, data)?;
        let horizon = horizon.max(0.0);
        check_covered(data, first_purchase, horizon)?;
        let mut exposure = 0.0;
        let horizons = std::iter::once(horizon);
        walk.along(customer, first_purchase, horizons, |reached| {
            exposure = reached.exposure;
        })?;
        Ok(self.base.r() / self.base.alpha() * exposure)
    }

    /// The repeat purchases that the model expects of the customers in `steps` steps of length `step`
    /// from the first purchase of all on, knowing of each only the covariates and when the first purchase
    /// was: to be laid over what happened
    /// ([`Purchases::repeat_purchases_by_period`](crate::summary::Purchases::repeat_purchases_by_period)).
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a step without positive length, and for steps beyond the end of the
    /// covariates; else as [`expected_purchases`](Self::expected_purchases).
    pub fn tracking(
        &self,
        data: &PathHistories<'_>,
        step: f64,
        steps: u32,
    ) -> Result<Vec<Tracked>, Error> {
        if !(step > 0.0 && step.is_finite()) {
            return Err(ConfigError::OutOfRange {
                setting: "step",
                value: step.to_string(),
                expected: "a positive finite length of time",
            }
            .into());
        }
        let rows = 0..data.histories().len();
        let firsts: Vec<Timestamp> = rows.filter_map(|row| data.first_purchase(row)).collect();
        let mut sums = vec![0.0; steps as usize];
        if let Some(&start) = firsts.iter().min() {
            let walk = Walk::new(self, data)?;
            check_covered(data, start, step * f64::from(steps))?;
            let rate = self.base.r() / self.base.alpha();
            for (&customer, &first) in data.histories().customer().iter().zip(&firsts) {
                let late = data.time_between(start, first);
                let ends = (1..=steps).map(|i| step * f64::from(i) - late);
                let mut sums = sums.iter_mut();
                walk.along(customer, first, ends, |reached| {
                    if let Some(sum) = sums.next() {
                        *sum += rate * reached.exposure;
                    }
                })?;
            }
        }
        let mut before = 0.0;
        let points = (1..=steps).zip(sums).map(|(i, cumulative)| {
            let incremental = cumulative - before;
            before = cumulative;
            Tracked {
                time: step * f64::from(i),
                incremental,
                cumulative,
            }
        });
        Ok(points.collect())
    }

    /// An answer for each row from where the customer stands, and what is reached at each of some
    /// ascending horizons.
    fn ahead<T>(
        &self,
        data: &PathHistories<'_>,
        horizons: &[f64],
        answer: impl Fn(&Outlook, &[Reached]) -> T,
    ) -> Result<Vec<T>, Error> {
        let longest = longest_covered(data, horizons)?;
        let rows = 0..data.histories().len();
        let design = Design::of_rows(data, &self.columns(data)?, rows, longest)?;
        Ok(self.answers(&design, horizons, answer)?)
    }

    /// The same of rows that are arranged already.
    pub(super) fn answers<T>(
        &self,
        design: &Design,
        horizons: &[f64],
        answer: impl Fn(&Outlook, &[Reached]) -> T,
    ) -> Result<Vec<T>, ConfigError> {
        let coefficients = self.coefficients();
        let rates = coefficients.rates(design)?;
        let point = self.point(&coefficients);
        let mut reached = Vec::with_capacity(horizons.len());
        let answers = design.rows.iter().map(|row| {
            let standing = standing(design, row, &rates, &point);
            let segments = design.ahead(row).iter();
            let segments = segments.map(|segment| (segment.length, at(&rates, segment.level)));
            reached.clear();
            let Ok(()) = along(
                (point.s, standing.leave_clock),
                segments.map(Ok::<_, Infallible>),
                horizons.iter().copied(),
                |at| reached.push(at),
            );
            let outlook = Outlook {
                alive: standing.alive,
                rate: (point.r + row.purchases) / standing.buy_clock,
            };
            answer(&outlook, &reached)
        });
        Ok(answers.collect())
    }
}

/// The longest of some horizons, of which all must be covered.
pub(super) fn longest_covered(
    data: &PathHistories<'_>,
    horizons: &[f64],
) -> Result<f64, ConfigError> {
    for &horizon in horizons {
        check_covered(data, data.end(), horizon)?;
    }
    Ok(horizons.iter().copied().fold(0.0, f64::max))
}

/// A schedule's horizons in ascending order, and their weights.
pub(super) fn in_order(schedule: &Schedule) -> (Vec<f64>, Vec<f64>) {
    let mut terms: Vec<(f64, f64)> = schedule.iter().collect();
    terms.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    terms.into_iter().unzip()
}

/// A customer at the end of the observation.
pub(super) struct Outlook {
    pub(super) alive: f64,
    /// The expected rate of purchases without covariates, if alive.
    rate: f64,
}

impl Outlook {
    /// The expected purchases until each of the times reached, weighted and added up.
    pub(super) fn weighed_purchases(&self, weights: &[f64], reached: &[Reached]) -> f64 {
        let weighed = weights.iter().zip(reached);
        let exposure: f64 = weighed.map(|(weight, at)| weight * at.exposure).sum();
        self.alive * self.rate * exposure
    }
}

/// P(alive) at the only time reached.
pub(super) fn alive_after(outlook: &Outlook, reached: &[Reached]) -> f64 {
    outlook.alive * reached.iter().fold(1.0, |_, reached| reached.stayed)
}

/// The expected purchases until the only time reached.
pub(super) fn purchases(outlook: &Outlook, reached: &[Reached]) -> f64 {
    outlook.weighed_purchases(&[1.0], reached)
}

/// What somebody alive at the start has reached at some time after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    /// The expected time on the clock of the purchases, spent alive.
    exposure: f64,
    /// The probability to be alive.
    stayed: f64,
}

/// Walks along the calendar with a customer's covariates.
struct Walk<'w, 'p> {
    data: &'w PathHistories<'p>,
    columns: Columns,
    coefficients: Coefficients,
    /// s and β.
    leaving: (f64, f64),
}

impl<'w, 'p> Walk<'w, 'p> {
    fn new(model: &DynamicParetoNbd, data: &'w PathHistories<'p>) -> Result<Self, ConfigError> {
        Ok(Self {
            data,
            columns: model.columns(data)?,
            coefficients: model.coefficients(),
            leaving: (model.base.s(), model.base.beta()),
        })
    }

    /// Calls `at` with what is reached at each of some ascending times after `from`, by a new customer.
    fn along(
        &self,
        customer: u32,
        from: Timestamp,
        times: impl Iterator<Item = f64>,
        at: impl FnMut(Reached),
    ) -> Result<(), Error> {
        let stretches = self.data.since(from);
        let segments =
            stretches.map(|stretch| Ok((stretch.length, self.rates(customer, stretch.period)?)));
        along(self.leaving, segments, times, at)
    }

    fn rates(&self, customer: u32, period: u32) -> Result<Rates, Error> {
        let paths = self.data.paths();
        let known = |columns: &[usize]| {
            let values = columns
                .iter()
                .map(|&column| paths.known(column, customer, period));
            values.collect::<Result<Vec<f64>, _>>()
        };
        let (trans, life) = (known(&self.columns.trans)?, known(&self.columns.life)?);
        let rates = Rates::new(
            (&self.coefficients.trans, trans.into_iter()),
            (&self.coefficients.life, life.into_iter()),
        );
        let place = || format!("for customer {customer} in period {period}");
        Ok(rates.ok_or_else(|| beyond_sense(place()))?)
    }
}

/// The covariates must reach as far as a time after an instant.
fn check_covered(
    data: &PathHistories<'_>,
    from: Timestamp,
    horizon: f64,
) -> Result<(), ConfigError> {
    // A horizon in months may miss the end by the rounding of a quotient.
    const ROUNDING: f64 = 1e-12;
    let grid = data.paths().grid();
    let covered = data.time_between(from, grid.end());
    let inside = grid.period_at(from).is_some() || from == grid.end();
    // NaN is no time, as everywhere.
    if horizon.max(0.0) <= 0.0 || (inside && horizon <= covered * (1.0 + ROUNDING)) {
        return Ok(());
    }
    let unit = data.histories().unit().plural();
    Err(ConfigError::OutOfRange {
        setting: "horizon",
        value: format!(
            "{horizon} {unit} from {from}, with covariates from {} to {}",
            grid.first(),
            grid.end()
        ),
        expected: "a time that the covariates cover: give their values for the time to come",
    })
}

/// Calls `at` with what is reached at each of some ascending times, given s, where the clock of leaving
/// (β + B) stands, and the segments to come.
fn along<E>(
    (shape, leave_clock): (f64, f64),
    mut segments: impl Iterator<Item = Result<(f64, Rates), E>>,
    times: impl Iterator<Item = f64>,
    mut at: impl FnMut(Reached),
) -> Result<(), E> {
    let stayed = |left: f64| (-shape * (left / leave_clock).ln_1p()).exp();
    let mut here: Option<(f64, Rates)> = None;
    // The time, the exposure and the clock of leaving at the start of the segment.
    let (mut begun, mut exposure, mut left) = (0.0, 0.0, 0.0);
    'times: for time in times {
        // A time that is not positive is none, and one past the end is so by a rounding.
        while time > begun {
            let (length, rates) = match here {
                Some(segment) => segment,
                None => match segments.next() {
                    Some(segment) => segment?,
                    None => break,
                },
            };
            here = Some((length, rates));
            let part = length.min(time - begun);
            let stays = time_to_stay(shape, (leave_clock + left) / rates.leave, part);
            let exposed = exposure + stayed(left) * rates.buy * stays;
            let gone = left + rates.leave * part;
            if part < length {
                at(Reached {
                    exposure: exposed,
                    stayed: stayed(gone),
                });
                continue 'times;
            }
            (begun, exposure, left) = (begun + length, exposed, gone);
            here = None;
        }
        at(Reached {
            exposure,
            stayed: stayed(left),
        });
    }
    Ok(())
}
