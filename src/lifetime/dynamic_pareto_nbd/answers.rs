//! What the model answers: who is alive, how many purchases will follow.

use super::design::{Columns, Rates};
use super::likelihood::{Standing, standing};
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
        let standings = self.standings(data)?;
        Ok(standings.iter().map(|standing| standing.alive).collect())
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
        self.ahead(data, &[delay], |standing, reached| {
            standing.alive * reached.iter().fold(1.0, |_, reached| reached.stayed)
        })
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
        self.ahead(data, &[horizon], |standing, reached| {
            let purchases = reached.iter().map(|reached| reached.exposure);
            standing.alive * standing.rate * purchases.sum::<f64>()
        })
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
        let mut terms: Vec<(f64, f64)> = schedule.iter().collect();
        terms.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
        let horizons: Vec<f64> = terms.iter().map(|&(horizon, _)| horizon).collect();
        self.ahead(data, &horizons, |standing, reached| {
            let weighed = terms.iter().zip(reached);
            let weighed = weighed.map(|(&(_, weight), reached)| weight * reached.exposure);
            standing.alive * standing.rate * weighed.sum::<f64>()
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
        walk.check(first_purchase, horizon)?;
        let mut exposure = 0.0;
        let horizons = std::iter::once(horizon);
        walk.along(
            customer,
            first_purchase,
            self.base.beta(),
            horizons,
            |reached| {
                exposure = reached.exposure;
            },
        )?;
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
            walk.check(start, step * f64::from(steps))?;
            let rate = self.base.r() / self.base.alpha();
            for (&customer, &first) in data.histories().customer().iter().zip(&firsts) {
                let late = data.time_between(start, first);
                let ends = (1..=steps).map(|i| step * f64::from(i) - late);
                let mut sums = sums.iter_mut();
                walk.along(customer, first, self.base.beta(), ends, |reached| {
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

    fn standings(&self, data: &PathHistories<'_>) -> Result<Vec<Standing>, Error> {
        let (design, rates) = self.arranged(data)?;
        let coefficients = self.coefficients();
        let point = self.point(&coefficients);
        let rows = design.rows.iter();
        Ok(rows
            .map(|row| standing(&design, row, &rates, &point))
            .collect())
    }

    /// An answer for each row from where the customer stands, and what is reached at each horizon.
    fn ahead(
        &self,
        data: &PathHistories<'_>,
        horizons: &[f64],
        answer: impl Fn(&Outlook, &[Reached]) -> f64,
    ) -> Result<Vec<f64>, Error> {
        let walk = Walk::new(self, data)?;
        for &horizon in horizons {
            walk.check(data.end(), horizon)?;
        }
        let standings = self.standings(data)?;
        let histories = data.histories();
        let customers = histories.customer().iter().zip(histories.frequency());
        let mut reached = Vec::with_capacity(horizons.len());
        let answers = customers
            .zip(&standings)
            .map(|((&customer, &x), standing)| {
                reached.clear();
                let horizons = horizons.iter().copied();
                walk.along(customer, data.end(), standing.leave_clock, horizons, |at| {
                    reached.push(at);
                })?;
                let outlook = Outlook {
                    alive: standing.alive,
                    rate: (self.base.r() + f64::from(x)) / standing.buy_clock,
                };
                Ok(answer(&outlook, &reached))
            });
        answers.collect()
    }
}

/// A customer at the end of the observation.
struct Outlook {
    alive: f64,
    /// The expected rate of purchases without covariates, if alive.
    rate: f64,
}

/// What somebody alive at the start has reached at some time after it.
#[derive(Debug, Clone, Copy)]
struct Reached {
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
    shape: f64,
}

impl<'w, 'p> Walk<'w, 'p> {
    fn new(model: &DynamicParetoNbd, data: &'w PathHistories<'p>) -> Result<Self, ConfigError> {
        Ok(Self {
            data,
            columns: model.columns(data)?,
            coefficients: model.coefficients(),
            shape: model.base.s(),
        })
    }

    /// The covariates must reach as far as a time after an instant.
    fn check(&self, from: Timestamp, horizon: f64) -> Result<(), ConfigError> {
        // A horizon in months may miss the end by the rounding of a quotient.
        const ROUNDING: f64 = 1e-12;
        let grid = self.data.paths().grid();
        let covered = self.data.time_between(from, grid.end());
        let inside = grid.period_at(from).is_some() || from == grid.end();
        // NaN is no time, as everywhere.
        if horizon.max(0.0) <= 0.0 || (inside && horizon <= covered * (1.0 + ROUNDING)) {
            return Ok(());
        }
        let unit = self.data.histories().unit().plural();
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

    /// Calls `at` with what is reached at each of some ascending times after `from`, given where the
    /// clock of leaving (β + B) stands there.
    fn along(
        &self,
        customer: u32,
        from: Timestamp,
        leave_clock: f64,
        times: impl Iterator<Item = f64>,
        mut at: impl FnMut(Reached),
    ) -> Result<(), Error> {
        let mut stretches = self.data.since(from);
        let mut here: Option<(f64, Rates)> = None;
        // The time, the exposure and the clock of leaving at the start of the segment.
        let (mut begun, mut exposure, mut left) = (0.0, 0.0, 0.0);
        'times: for time in times {
            // A time that is not positive is none, and one past the end is so by a rounding.
            while time > begun {
                let (length, rates) = match here {
                    Some(segment) => segment,
                    None => match stretches.next() {
                        Some(stretch) => (stretch.length, self.rates(customer, stretch.period)?),
                        None => break,
                    },
                };
                here = Some((length, rates));
                let part = length.min(time - begun);
                let stays = time_to_stay(self.shape, (leave_clock + left) / rates.leave, part);
                let gained = self.stayed(left, leave_clock) * rates.buy * stays;
                let (exposed, gone) = (exposure + gained, left + rates.leave * part);
                if part < length {
                    at(self.reached(exposed, gone, leave_clock));
                    continue 'times;
                }
                (begun, exposure, left) = (begun + length, exposed, gone);
                here = None;
            }
            at(self.reached(exposure, left, leave_clock));
        }
        Ok(())
    }

    fn reached(&self, exposure: f64, left: f64, leave_clock: f64) -> Reached {
        Reached {
            exposure,
            stayed: self.stayed(left, leave_clock),
        }
    }

    fn stayed(&self, left: f64, leave_clock: f64) -> f64 {
        (-self.shape * (left / leave_clock).ln_1p()).exp()
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
