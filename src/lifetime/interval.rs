//! Intervals: how sure a fitted model is of its answers.
//!
//! Parameters estimated from few customers are uncertain, and every answer with them. A
//! [`Posterior`] holds parameter sets that are all plausible given the data; the spread of an
//! answer over them is its interval.
//!
//! ```
//! use tenure::lifetime::{BgNbd, FitOptions, PurchaseModel};
//! # use tenure::summary::{Histories, HistoryColumns, TimeUnit};
//! # let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
//! #     frequency: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 6, 11].repeat(20),
//! #     recency: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 9.0, 20.0, 33.0, 18.0, 10.0, 35.0, 32.0, 37.0].repeat(20),
//! #     age: vec![38.0; 300],
//! #     ..HistoryColumns::default()
//! # })?;
//! let fitted = BgNbd::fit(&histories, &FitOptions::default())?;
//! let posterior = fitted.posterior(&histories.distinct(), 200, 1)?;
//! let alive = posterior.intervals(&histories, 0.9, |model, histories, out| {
//!     model.probability_alive_batch(histories, out)
//! })?;
//! let regular = alive[14];
//! assert!(regular.lower < regular.mean && regular.mean < regular.upper);
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! # What an interval means
//!
//! An interval of level 0.9 holds the answer (an *expected* value, a probability) with
//! probability 0.9, given the data, the model's form, and the [`Prior`]. It tells of uncertain
//! parameters only. It is no prediction of what one customer will do: with a million customers the
//! expected purchases of each are known almost exactly, while the purchases themselves stay as random
//! as ever. And it does not know whether the model is the right one.
//!
//! The intervals of customers do not add up to that of their total, because the parameters err for all
//! of them at once but not in the same way: ask for [`Posterior::portfolio`] or [`ValueIntervals::portfolio`].
//!
//! # Which prior
//!
//! | draws of | prior | refused |
//! |---|---|---|
//! | `posterior(data, draws, seed)` | flat in the logarithms of the parameters, [`Prior::Flat`]: density ∝ Π 1/θ | without a maximum in the interior |
//! | `posterior_with(data, &options)` | the one in the options; of [`PosteriorOptions::new`] log-normal with a spread of 3 | never, when it is proper |
//!
//! With thousands of customers the two hardly differ. With few, or where nothing fits best
//! ([`FitStatus::Boundary`](super::FitStatus::Boundary)), the flat prior leaves no proper posterior: a
//! likelihood that levels off as parameters run to infinity has infinite mass there. Then the
//! log-normal prior decides how far they run, and the answers should be read with that in mind. A
//! penalty of the fit is not part of the posterior.
//!
//! With covariates the answers need them too: [`Posterior::intervals_with`] of static ones, and the methods of
//! a posterior of [`DynamicParetoNbd`](super::DynamicParetoNbd) for those that change in time.
//!
//! # How it is made
//!
//! Parameter sets are proposed around the maximum (of the likelihood, or with a proper prior of the
//! posterior) by a multivariate t distribution (8 degrees of freedom, so that the tails are covered)
//! in the logarithms of the parameters, scaled by the inverse of the observed information: the Laplace
//! approximation. Each is weighted by the exact posterior over the proposal's density, the largest
//! weights are smoothed by a generalised Pareto distribution (Vehtari, Simpson, Gelman, Yao and Gabry 2024),
//! and as many as were asked for are drawn by systematic resampling (Rubin 1988; Gelman et al.,
//! *Bayesian Data Analysis*, third edition, section 10.4).
//!
//! The shape k̂ of that Pareto distribution and the effective sample size tell how well the proposals
//! fitted: see [`Diagnosis`]. Where they did not, `posterior_with` lets several chains of the No-U-Turn
//! sampler (Hoffman and Gelman 2014) walk the posterior by its gradient, and reports split-R̂ and the
//! effective sample size of these. [`Diagnosis::is_reliable`] has the thresholds; look at it before
//! trusting the ends of an interval.
//!
//! The ends of an interval lie where one more draw would be below, or above, with probability (1 − level) / 2:
//! were the truth one more draw, an interval would hold it with the probability `level` however few draws
//! there are, from 2 / (1 − level) − 1 of them (19 for 0.9). With fewer it reaches from the smallest to the largest, and holds less.
//!
//! # What it costs
//!
//! Two evaluations of the likelihood for each draw, some ten where chains walk; then one answer for
//! each draw and distinct history. The draws depend on the seed alone, not on the number of threads.

mod ends;

pub use super::posterior::{Chains, Diagnosis, Posterior, PosteriorOptions, Prior, Sampler};

use super::{Discount, Horizon, PurchaseModel, SpendModel};
use crate::error::{ConfigError, DataError, Error};
use crate::summary::{DistinctHistories, Histories, HistoryColumns};

/// The range of an answer over a posterior.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The answer is below this with probability (1 − level) / 2.
    pub lower: f64,
    /// The mean over the posterior.
    pub mean: f64,
    /// The answer is above this with probability (1 − level) / 2.
    pub upper: f64,
}

impl<M> Posterior<M> {
    /// The interval of one answer: of a customer, or of a total.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1.
    pub fn interval(
        &self,
        level: f64,
        answer: impl Fn(&M) -> f64,
    ) -> Result<Interval, ConfigError> {
        let tail = tail(level)?;
        let mut answers: Vec<f64> = self.draws().iter().map(answer).collect();
        Ok(Interval::of(&mut answers, tail))
    }

    /// The interval of an answer for each row of the histories.
    ///
    /// `answer` is a batch method; it is asked about distinct histories (x, t_x, T) without spend,
    /// so that a million customers cost what their distinct histories cost.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1; whatever error `answer` gives.
    pub fn intervals(
        &self,
        histories: &Histories,
        level: f64,
        answer: impl Fn(&M, &Histories, &mut [f64]) -> Result<(), DataError>,
    ) -> Result<Vec<Interval>, Error> {
        Ok(self.portfolio(histories, level, answer)?.customers)
    }

    /// As [`intervals`](Self::intervals), with that of the sum over all rows: of a portfolio, or of the part
    /// of it that the histories hold.
    ///
    /// ```
    /// use tenure::lifetime::{BgNbd, FitOptions, PurchaseModel};
    /// # use tenure::summary::{Histories, HistoryColumns, TimeUnit};
    /// # let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
    /// #     frequency: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 6, 11].repeat(20),
    /// #     recency: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 9.0, 20.0, 33.0, 18.0, 10.0, 35.0, 32.0, 37.0].repeat(20),
    /// #     age: vec![38.0; 300],
    /// #     ..HistoryColumns::default()
    /// # })?;
    /// let fitted = BgNbd::fit(&histories, &FitOptions::default())?;
    /// let posterior = fitted.posterior(&histories.distinct(), 200, 1)?;
    /// let a_year = posterior.portfolio(&histories, 0.9, |model, histories, out| {
    ///     model.expected_purchases_batch(histories, 52.0, out)
    /// })?;
    /// assert!(a_year.total.lower > 100.0 && a_year.total.lower < a_year.total.upper);
    /// // Their widths do not add up: a total is surer than its parts.
    /// let widths: f64 = a_year.customers.iter().map(|i| i.upper - i.lower).sum();
    /// assert!(a_year.total.upper - a_year.total.lower < widths);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`intervals`](Self::intervals).
    pub fn portfolio(
        &self,
        histories: &Histories,
        level: f64,
        answer: impl Fn(&M, &Histories, &mut [f64]) -> Result<(), DataError>,
    ) -> Result<Portfolio, Error> {
        let answers = |model: &M, histories: &Histories, [out]: [&mut [f64]; 1]| {
            answer(model, histories, out)
        };
        let [portfolio] = self.portfolios(histories, level, answers)?;
        Ok(portfolio)
    }

    /// The same for several answers that the model gives together.
    fn portfolios<const N: usize>(
        &self,
        histories: &Histories,
        level: f64,
        answers: impl Fn(&M, &Histories, [&mut [f64]; N]) -> Result<(), DataError>,
    ) -> Result<[Portfolio; N], Error> {
        let tail = tail(level)?;
        let distinct = histories.distinct();
        let mut of_distinct = [(); N].map(|()| Vec::with_capacity(distinct.len()));
        let mut totals = [(); N].map(|()| vec![0.0; self.draws().len()]);
        for_each_distinct(&distinct, self.draws(), answers, |number, answers| {
            let customers = distinct.count().get(number).copied().map_or(0.0, f64::from);
            let places = of_distinct.iter_mut().zip(&mut totals);
            for (answers, (of_distinct, totals)) in answers.into_iter().zip(places) {
                for (total, answer) in totals.iter_mut().zip(&*answers) {
                    *total += customers * *answer;
                }
                of_distinct.push(Interval::of(answers, tail));
            }
        })?;
        let mut totals = totals.into_iter();
        Ok(of_distinct.map(|of_distinct| {
            let rows = distinct.of_row().iter();
            let customers = rows.filter_map(|&number| of_distinct.get(number as usize).copied());
            Portfolio {
                customers: customers.collect(),
                total: Interval::of(&mut totals.next().unwrap_or_default(), tail),
            }
        }))
    }
}

/// The intervals of an answer for a portfolio of customers.
#[derive(Debug, Clone, PartialEq)]
pub struct Portfolio {
    /// For each row of the histories.
    pub customers: Vec<Interval>,
    /// For the sum over all rows.
    pub total: Interval,
}

/// The intervals of two answers that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Prospects {
    /// P(alive), and how many are alive.
    pub alive: Portfolio,
    /// Expected purchases.
    pub purchases: Portfolio,
}

impl<M: PurchaseModel> Posterior<M> {
    /// [`probability_alive`](Self::probability_alive) and [`expected_purchases`](Self::expected_purchases) in one go,
    /// which takes less time than both.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1.
    pub fn prospects(
        &self,
        histories: &Histories,
        horizon: f64,
        level: f64,
    ) -> Result<Prospects, Error> {
        let answers = |model: &M, histories: &Histories, [alive, purchases]: [&mut [f64]; 2]| {
            model.alive_and_purchases_batch(histories, horizon, alive, purchases)
        };
        let [alive, purchases] = self.portfolios(histories, level, answers)?;
        Ok(Prospects { alive, purchases })
    }

    /// Who is still alive, and how many of them all.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1.
    pub fn probability_alive(&self, histories: &Histories, level: f64) -> Result<Portfolio, Error> {
        self.portfolio(histories, level, |model, histories, out| {
            model.probability_alive_batch(histories, out)
        })
    }

    /// How many purchases each customer will make in the `horizon` after the end of the observation, and
    /// all of them together.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1.
    pub fn expected_purchases(
        &self,
        histories: &Histories,
        horizon: f64,
        level: f64,
    ) -> Result<Portfolio, Error> {
        self.portfolio(histories, level, |model, histories, out| {
            model.expected_purchases_batch(histories, horizon, out)
        })
    }
}

/// The interval of each customer's expected value, from the uncertainty of both models.
///
/// Likelihoods of purchases and of spend share no parameter, so their posteriors are independent,
/// and draws are paired as they come.
///
/// ```
/// use tenure::lifetime::interval::{Posterior, ValueIntervals};
/// use tenure::lifetime::{BgNbd, Discount, FitOptions, GammaGamma, Horizon};
/// # use tenure::summary::{Histories, HistoryColumns, TimeUnit};
/// # let histories = Histories::from_columns(TimeUnit::Week, HistoryColumns {
/// #     frequency: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 6, 11].repeat(20),
/// #     recency: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 9.0, 20.0, 33.0, 18.0, 10.0, 35.0, 32.0, 37.0].repeat(20),
/// #     age: vec![38.0; 300],
/// #     mean_spend: vec![25.0; 300],
/// #     ..HistoryColumns::default()
/// # })?;
/// let purchases = BgNbd::fit(&histories, &FitOptions::default())?;
/// let intervals = ValueIntervals {
///     purchases: &purchases.posterior(&histories.distinct(), 200, 1)?,
///     spend: &Posterior::certain(GammaGamma::new(6.25, 3.74, 15.44)?),
///     discount: Discount::annual(0.10)?,
///     margin: 1.0,
///     horizon: Horizon::months(12),
///     level: 0.9,
/// }
/// .over(&histories)?;
/// assert!(intervals[14].lower > 0.0 && intervals[14].lower < intervals[14].upper);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ValueIntervals<'a, P, S> {
    /// The purchase model's posterior.
    pub purchases: &'a Posterior<P>,
    /// The spend model's posterior.
    pub spend: &'a Posterior<S>,
    /// As in [`CustomerValue`](super::CustomerValue).
    pub discount: Discount,
    /// The share of the spend that is left as profit, from 0 to 1.
    pub margin: f64,
    /// How far ahead.
    pub horizon: Horizon,
    /// The probability that the interval holds, such as 0.9.
    pub level: f64,
}

impl<P: PurchaseModel, S: SpendModel> ValueIntervals<'_, P, S> {
    /// The interval for each row of the histories.
    ///
    /// # Errors
    /// [`Error::Config`] for a level, margin or horizon out of range; [`Error::Fit`] when the
    /// mean spend is infinite under some draw.
    pub fn over(&self, histories: &Histories) -> Result<Vec<Interval>, Error> {
        Ok(self.portfolio(histories)?.customers)
    }

    /// As [`over`](Self::over), with the interval of the value of all rows together: of a portfolio, or of
    /// the part of it that the histories hold.
    ///
    /// # Errors
    /// As [`over`](Self::over).
    pub fn portfolio(&self, histories: &Histories) -> Result<Portfolio, Error> {
        let tail = tail(self.level)?;
        let mut totals = vec![0.0; self.pairs()];
        let mut intervals = vec![Interval::NOTHING; histories.len()];
        self.for_each_value(histories, |rows, values| {
            let customers = rows.len() as f64;
            for (total, value) in totals.iter_mut().zip(&*values) {
                *total += customers * *value;
            }
            let interval = Interval::of(values, tail);
            for &row in rows {
                if let Some(place) = intervals.get_mut(row as usize) {
                    *place = interval;
                }
            }
        })?;
        Ok(Portfolio {
            customers: intervals,
            total: Interval::of(&mut totals, tail),
        })
    }

    fn pairs(&self) -> usize {
        self.purchases.draws().len().max(self.spend.draws().len())
    }

    /// Hands over rows whose history and spend are the same, with their values under all pairs of
    /// draws, in order.
    fn for_each_value(
        &self,
        histories: &Histories,
        mut with: impl FnMut(&[u32], &mut [f64]),
    ) -> Result<(), Error> {
        let schedule = self.horizon.schedule(histories.unit(), self.discount)?;
        super::value::check_margin(self.margin)?;
        let distinct = histories.distinct();
        let rows = RowsByDistinct::new(&distinct);
        let mut values = Vec::with_capacity(self.pairs());
        let mut infinite = false;
        let history = |row: &u32| histories.get(*row as usize);
        let spend = |row: &u32| history(row).map(|history| history.mean_spend.to_bits());
        for_each_distinct(
            &distinct,
            self.purchases.draws(),
            |model, part, [out]| model.scheduled_purchases_batch(part, &schedule, out),
            |number, [purchases]| {
                // Without a repeat purchase all rows of one history have the same spend.
                for same in rows
                    .of(number)
                    .chunk_by(|left, right| spend(left) == spend(right))
                {
                    let Some(history) = same.first().and_then(history) else {
                        continue;
                    };
                    let spends = self.spend.draws().iter().cycle();
                    let paired = purchases.iter().cycle().zip(spends).take(self.pairs());
                    values.clear();
                    values.extend(paired.map(|(purchases, model)| {
                        self.margin * purchases * model.expected_spend(&history)
                    }));
                    infinite |= values.iter().any(|value| !value.is_finite());
                    with(same, &mut values);
                }
            },
        )?;
        if infinite {
            return Err(super::value::infinite_spend().into());
        }
        Ok(())
    }
}

/// Hands each distinct history its answers under all draws, in order.
fn for_each_distinct<const N: usize, M>(
    distinct: &DistinctHistories,
    draws: &[M],
    answers: impl Fn(&M, &Histories, [&mut [f64]; N]) -> Result<(), DataError>,
    mut with: impl FnMut(usize, [&mut [f64]; N]),
) -> Result<(), DataError> {
    // Some hundred histories at a time: enough to share what their neighbours in order have in
    // common, few enough that the table of their answers stays in the cache.
    const TOGETHER: usize = 256;
    // Draws whose answers are written to the table at once, a cache line of them for each history.
    const ABREAST: usize = 8;
    let most = TOGETHER.min(distinct.len());
    let mut of_draws = [(); N].map(|()| vec![0.0; most * ABREAST]);
    let mut tables = [(); N].map(|()| vec![0.0; most * draws.len()]);
    let mut number = 0;
    while number < distinct.len() {
        let part = part(distinct, number, TOGETHER);
        let rows = part.len();
        for (i, models) in draws.chunks(ABREAST).enumerate() {
            for (j, model) in models.iter().enumerate() {
                let places = of_draws.each_mut();
                answers(
                    model,
                    &part,
                    places.map(|all| &mut all[j * rows..(j + 1) * rows]),
                )?;
            }
            for (table, of_draws) in tables.iter_mut().zip(&of_draws) {
                let of_rows = table.chunks_exact_mut(draws.len()).take(rows);
                for (j, answers) in of_rows.enumerate() {
                    let answers = answers.iter_mut().skip(i * ABREAST).take(models.len());
                    for (place, answer) in answers.zip(of_draws.iter().skip(j).step_by(rows)) {
                        *place = *answer;
                    }
                }
            }
        }
        for row in 0..rows {
            let (from, to) = (row * draws.len(), (row + 1) * draws.len());
            with(number, tables.each_mut().map(|table| &mut table[from..to]));
            number += 1;
        }
    }
    Ok(())
}

/// Some of the distinct histories as histories.
fn part(distinct: &DistinctHistories, from: usize, most: usize) -> Histories {
    let mut columns = HistoryColumns::default();
    for (customer, (history, _)) in (0..).zip(distinct.iter().skip(from).take(most)) {
        columns.customer.push(customer);
        columns.frequency.push(history.frequency);
        columns.recency.push(history.recency);
        columns.age.push(history.age);
        columns.log_gaps.push(0.0);
        columns.mean_spend.push(0.0);
    }
    Histories::from_valid_columns(distinct.unit(), columns)
}

/// A portfolio that is put together row by row.
#[derive(Clone)]
pub(super) struct Gathering {
    tail: f64,
    customers: Vec<Interval>,
    totals: Vec<f64>,
}

impl Gathering {
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1.
    pub(super) fn new(level: f64, draws: usize) -> Result<Self, ConfigError> {
        Ok(Self {
            tail: tail(level)?,
            customers: Vec::new(),
            totals: vec![0.0; draws],
        })
    }

    /// Adds a row's answers, one for each draw; their order is lost.
    pub(super) fn add(&mut self, answers: &mut [f64]) {
        for (total, answer) in self.totals.iter_mut().zip(&*answers) {
            *total += answer;
        }
        self.customers.push(Interval::of(answers, self.tail));
    }

    pub(super) fn portfolio(mut self) -> Portfolio {
        Portfolio {
            customers: self.customers,
            total: Interval::of(&mut self.totals, self.tail),
        }
    }
}

/// The rows of each distinct history.
struct RowsByDistinct {
    rows: Vec<u32>,
    ends: Vec<usize>,
}

impl RowsByDistinct {
    fn new(distinct: &DistinctHistories) -> Self {
        let mut ends: Vec<usize> = distinct
            .count()
            .iter()
            .scan(0, |start, &count| {
                let here = *start;
                *start += count as usize;
                Some(here)
            })
            .collect();
        let mut rows = vec![0; distinct.customers()];
        for (row, &number) in (0..).zip(distinct.of_row()) {
            let end = &mut ends[number as usize];
            rows[*end] = row;
            *end += 1;
        }
        Self { rows, ends }
    }

    fn of(&self, number: usize) -> &[u32] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.rows[start..self.ends[number]]
    }
}

impl Interval {
    pub(super) const NOTHING: Self = Self {
        lower: 0.0,
        mean: 0.0,
        upper: 0.0,
    };
}

fn tail(level: f64) -> Result<f64, ConfigError> {
    if level > 0.0 && level < 1.0 {
        return Ok(0.5 * (1.0 - level));
    }
    Err(ConfigError::OutOfRange {
        setting: "level",
        value: level.to_string(),
        expected: "a probability between 0 and 1, such as 0.9",
    })
}
