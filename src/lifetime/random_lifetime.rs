//! Customers who leave at a random moment, whether they buy or not: what Pareto/NBD and GG/NBD share.
//!
//! Such a customer fell silent in one of two ways: leaving came before the next purchase, or the next
//! purchase would have come first, but only after T. So everything follows from which of the two comes
//! first for somebody alive at a moment t after x purchases.

mod distribution;
#[cfg(test)]
pub(super) mod examples;
mod future;
mod likelihood;

pub(super) use self::distribution::{Density, bend, probabilities};
pub(super) use self::future::{Ahead, FOREVER};
pub(super) use self::likelihood::{Likelihood, Place, Term};

use super::{Schedule, check_places};
use crate::error::DataError;
use crate::numeric::gamma::ln_gamma_ratio;
use crate::numeric::pareto_race::Lomax;
use crate::summary::{Histories, History, Numbering};

/// A model whose purchases come at a rate λ ~ Gamma(r, rate α) during a lifetime that does not depend on
/// them.
pub(super) trait RandomLifetime {
    /// r and α.
    fn purchase_rates(&self) -> (f64, f64);

    /// −ln of the probability to stay from the moment `from` for another `time`, for one alive then.
    fn leaving(&self, from: f64, time: f64) -> f64;

    /// The probability that leaving comes before the next purchase, for a customer alive at `t` after
    /// `frequency` purchases.
    fn left_first(&self, frequency: u32, t: f64) -> f64;

    /// The probability that the next purchase comes before leaving.
    fn bought_first(&self, frequency: u32, t: f64) -> f64;

    /// How much of the `horizon` after `age` a customer alive then is expected to stay.
    fn expected_stay(&self, age: f64, horizon: f64) -> f64;

    /// The time to the next purchase of a customer who has made `frequency` until `t`.
    fn next_purchase(&self, frequency: u32, t: f64) -> Lomax {
        let (r, alpha) = self.purchase_rates();
        Lomax {
            shape: r + f64::from(frequency),
            scale: alpha + t,
        }
    }

    /// ln of the likelihood of one history: of the purchases until t_x and no leaving, times the
    /// probability of the silence after it.
    fn ln_likelihood(&self, history: &History) -> f64 {
        let (r, alpha) = self.purchase_rates();
        let x = f64::from(history.frequency);
        let left_first = self.left_first(history.frequency, history.recency);
        let bought_first = self.bought_first(history.frequency, history.age);
        let until = history.recency;
        let silent = left_first + self.silence(history).exp() * bought_first;
        ln_gamma_ratio(r, x)
            - r * (until / alpha).ln_1p()
            - x * (alpha + until).ln()
            - self.leaving(0.0, until)
            + silent.max(f64::MIN_POSITIVE).ln()
    }

    /// ln of the probability to have stayed and not bought between t_x and T, for a customer alive at
    /// t_x.
    fn silence(&self, history: &History) -> f64 {
        let since = history.age - history.recency;
        let next = self.next_purchase(history.frequency, history.recency);
        let not_bought = (since / next.scale).ln_1p();
        -next.shape * not_bought - self.leaving(history.recency, since)
    }

    /// P(alive) of one history.
    fn alive(&self, history: &History) -> f64 {
        let last = self.last(history.frequency, history.recency);
        let end = self.end(history.frequency, history.age);
        self.alive_between(history, &last, &end)
    }

    /// P(alive), given what is known of the moments t_x and T: a silence is made up of having left in
    /// it, and of having stayed and not bought, after which leaving or a purchase comes first.
    fn alive_between(&self, history: &History, last: &Moment, end: &Moment) -> f64 {
        // The difference of two small exponents has the digits of the difference of the times.
        let silence = if end.exponent < SMALL_EXPONENT {
            last.exponent - end.exponent
        } else {
            self.silence(history)
        };
        let stayed = silence.exp();
        let silent = last.first + stayed * end.first;
        (stayed / silent.max(f64::MIN_POSITIVE)).min(1.0)
    }

    /// What P(alive) needs of the last purchase.
    fn last(&self, frequency: u32, t: f64) -> Moment {
        Moment {
            exponent: self.exponent(frequency, t),
            first: self.left_first(frequency, t),
        }
    }

    /// What P(alive) needs of the end of the observation.
    fn end(&self, frequency: u32, t: f64) -> Moment {
        Moment {
            exponent: self.exponent(frequency, t),
            first: self.bought_first(frequency, t),
        }
    }

    /// (r + x) ln(1 + t/α), less the logarithm of the probability to stay until t.
    fn exponent(&self, frequency: u32, t: f64) -> f64 {
        let (r, alpha) = self.purchase_rates();
        let bought = (r + f64::from(frequency)) * (t / alpha).ln_1p();
        bought + self.leaving(0.0, t)
    }

    /// Expected purchases of a customer known to be alive at T: rate (r + x) / (α + T) times the
    /// expected time to stay.
    fn expected_if_alive(&self, frequency: u32, age: f64, horizon: f64) -> f64 {
        self.purchases_in(frequency, age, self.expected_stay(age, horizon))
    }

    /// Expected purchases in a time, at the rate that the history lets expect.
    fn purchases_in(&self, frequency: u32, age: f64, stay: f64) -> f64 {
        let next = self.next_purchase(frequency, age);
        (next.shape / next.scale * stay).min(f64::MAX)
    }

    /// Weighted expected purchases of a customer known to be alive at T.
    fn scheduled_if_alive(&self, frequency: u32, age: f64, schedule: &Schedule) -> f64 {
        schedule.iter().fold(0.0, |sum, (horizon, weight)| {
            sum + weight * self.expected_if_alive(frequency, age, horizon)
        })
    }

    /// `if_alive` of each row's (x, T) times the row's P(alive); what depends on (x, T) or (x, t_x)
    /// only is computed once for each.
    fn times_alive(
        &self,
        histories: &Histories,
        out: &mut [f64],
        mut if_alive: impl FnMut(u32, f64) -> f64,
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        // Customers without a repeat purchase, often the most, share the moment of the first.
        let first = self.last(0, 0.0);
        let mut at_last = Known::new();
        let mut at_end = Known::new();
        for (place, history) in out.iter_mut().zip(histories.iter()) {
            let (x, recency, age) = (history.frequency, history.recency, history.age);
            let last = match x {
                0 => first,
                _ => at_last.get(x, recency, || self.last(x, recency)),
            };
            let (end, expected) = at_end.get(x, age, || (self.end(x, age), if_alive(x, age)));
            *place = self.alive_between(&history, &last, &end) * expected;
        }
        Ok(())
    }
}

/// Below this the rounding of an exponent is far below 1e-13.
const SMALL_EXPONENT: f64 = 64.0;

/// A customer alive at a time t after x purchases.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    exponent: f64,
    /// The probability of what comes first: leaving at the last purchase, buying at the end.
    first: f64,
}

/// What is known of a frequency and a time, by their number.
pub(super) struct Known<T> {
    numbering: Numbering<(u32, u64)>,
    values: Vec<T>,
}

impl<T: Copy> Known<T> {
    pub(super) fn new() -> Self {
        Self {
            numbering: Numbering::new(),
            values: Vec::new(),
        }
    }

    pub(super) fn get(&mut self, frequency: u32, time: f64, value: impl FnOnce() -> T) -> T {
        let number = self.numbering.number((frequency, time.to_bits()));
        match self.values.get(number as usize) {
            Some(&known) => known,
            None => {
                let new = value();
                self.values.push(new);
                new
            }
        }
    }
}
