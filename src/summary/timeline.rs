//! Each customer's purchases in the order of time: what models, segments and cohorts read.

use super::history::{Histories, HistoryColumns, TimeUnit};
use super::purchases::{Grain, PurchaseOptions, Refunds};
use super::runs::Runs;
use crate::error::{ConfigError, DataError};
use crate::event::{DAY_S, Decimals, Timestamp};

/// One purchase: all that a customer bought in one period of the [`Grain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    /// The number of the period (as [`Period::index_of_day`](crate::event::Period::index_of_day)
    /// counts); with [`Grain::Instant`] the second, counted from 1970-01-01T00:00:00 UTC.
    pub period: i64,
    /// What was paid, in minor units; not negative.
    pub amount_minor: i64,
}

impl Purchase {
    pub(super) const NONE: Self = Self {
        period: 0,
        amount_minor: 0,
    };
}

/// The purchases of each customer in the order of time, refunds settled.
///
/// Made by [`PurchaseSummary::purchases`](super::PurchaseSummary::purchases); immutable.
#[derive(Debug, Clone, PartialEq)]
pub struct Purchases {
    options: PurchaseOptions,
    decimals: Decimals,
    runs: Runs,
    unmatched: UnmatchedRefunds,
}

/// What was refunded beyond all that was bought before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnmatchedRefunds {
    /// How many customers have such a refund.
    pub customers: u32,
    /// What could not be taken off a purchase, in minor units; not negative.
    pub amount_minor: i128,
}

/// What customers did after the end of their [`Histories`], row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdout {
    /// Purchases of each row's customer.
    pub purchases: Vec<u32>,
    /// What they paid for these, in minor units.
    pub spend_minor: Vec<i64>,
}

impl Purchases {
    /// Settles refunds and checks that no customer's total leaves the range of 64 bits.
    pub(super) fn settle(
        options: PurchaseOptions,
        decimals: Decimals,
        mut runs: Runs,
    ) -> Result<Self, DataError> {
        for (customer, run) in (0..).zip(runs.iter()) {
            check_sums(customer, run)?;
        }
        let mut unmatched = UnmatchedRefunds {
            customers: 0,
            amount_minor: 0,
        };
        if options.refunds == Refunds::Net {
            let mut open = Vec::new();
            runs.rewrite(|run| {
                let (length, left_minor) = settle_run(run, &mut open);
                unmatched.customers += u32::from(left_minor > 0);
                unmatched.amount_minor += left_minor;
                length
            });
        }
        Ok(Self {
            options,
            decimals,
            runs,
            unmatched,
        })
    }

    /// How many customer numbers there are, those without a purchase included.
    pub fn customers(&self) -> u32 {
        self.runs.customers() as u32
    }

    /// A customer's purchases in the order of time; none for a number that is not in use.
    pub fn of(&self, customer: u32) -> &[Purchase] {
        self.runs.of(customer as usize)
    }

    /// The purchases of all customers, from customer 0 on; a customer may have none.
    pub fn iter(&self) -> impl Iterator<Item = &[Purchase]> {
        self.runs.iter()
    }

    /// How many purchases there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are no purchases.
    pub fn is_empty(&self) -> bool {
        self.runs.len() == 0
    }

    /// A customer's first purchase, or `None` without one.
    pub fn first(&self, customer: u32) -> Option<Purchase> {
        self.of(customer).first().copied()
    }

    /// A customer's last purchase, or `None` without one.
    pub fn last(&self, customer: u32) -> Option<Purchase> {
        self.of(customer).last().copied()
    }

    /// The options under which rows became purchases.
    pub fn options(&self) -> &PurchaseOptions {
        &self.options
    }

    /// The decimal places of the amounts.
    pub fn decimals(&self) -> Decimals {
        self.decimals
    }

    /// What was refunded beyond all purchases before it; nothing under [`Refunds::Ignore`].
    pub fn unmatched_refunds(&self) -> UnmatchedRefunds {
        self.unmatched
    }

    /// The period that holds an instant, numbered as [`Purchase::period`].
    pub fn period_of(&self, instant: Timestamp) -> i64 {
        period_of(&self.options, instant)
    }

    /// When a period begins, in days since 1970-01-01; whole unless the grain is
    /// [`Grain::Instant`].
    pub fn days(&self, period: i64) -> f64 {
        day_of(self.options.grain, period)
    }

    /// The times between a customer's purchases in days, in order.
    pub fn gaps(&self, customer: u32) -> impl Iterator<Item = f64> {
        let run = self.of(customer);
        let later = run.iter().skip(1);
        later
            .zip(run)
            .map(|(b, a)| days_between(self.options.grain, a.period, b.period))
    }

    /// The purchase histories at the end of an observation (of a calibration time, say).
    ///
    /// Counted are the purchases in periods up to and including that of `end`. Customers whose first
    /// purchase is later, or who have none, have no row; rows ascend by customer number, which
    /// [`Histories::customer`] tells. Times run from the first day of a period to the first day of
    /// another, and the age to that of the period of `end`. With refunds netted, prefer
    /// [`PurchaseSummary::purchases_as_of`](super::PurchaseSummary::purchases_as_of): here a refund
    /// after `end` reaches back.
    ///
    /// # Errors
    /// [`DataError::TooMany`] when one customer made more purchases than `u32` can count.
    pub fn histories(&self, end: Timestamp, unit: TimeUnit) -> Result<Histories, DataError> {
        let end = self.period_of(end);
        let grain = self.options.grain;
        let mut columns = HistoryColumns::default();
        for (customer, run) in (0..).zip(self.iter()) {
            let seen = run.partition_point(|purchase| purchase.period <= end);
            let Some((first, repeats)) = run.get(..seen).and_then(<[_]>::split_first) else {
                continue;
            };
            let last = repeats.last().unwrap_or(first);
            let since = |period| days_between(grain, first.period, period) / unit.days();
            let spend: i64 = repeats.iter().map(|purchase| purchase.amount_minor).sum();
            let gaps = repeats.iter().zip(run);
            columns.customer.push(customer);
            columns.frequency.push(count(repeats.len())?);
            columns.recency.push(since(last.period));
            columns.age.push(since(end));
            columns.log_gaps.push(
                gaps.map(|(b, a)| (days_between(grain, a.period, b.period) / unit.days()).ln())
                    .sum(),
            );
            columns
                .mean_spend
                .push(self.decimals.to_major(spend) / repeats.len().max(1) as f64);
        }
        Histories::from_columns(unit, columns)
    }

    /// What the customers of `histories` bought in the periods after that of `after`, up to and
    /// including that of `until`; row by row.
    ///
    /// # Errors
    /// [`DataError::TooMany`] when one customer made more purchases than `u32` can count.
    pub fn holdout(
        &self,
        histories: &Histories,
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Holdout, DataError> {
        let (after, until) = (self.period_of(after), self.period_of(until));
        let mut holdout = Holdout {
            purchases: Vec::with_capacity(histories.len()),
            spend_minor: Vec::with_capacity(histories.len()),
        };
        for &customer in histories.customer() {
            let run = self.of(customer);
            let from = run.partition_point(|purchase| purchase.period <= after);
            let to = run.partition_point(|purchase| purchase.period <= until);
            let held = run.get(from..to).unwrap_or_default();
            holdout.purchases.push(count(held.len())?);
            holdout
                .spend_minor
                .push(held.iter().map(|purchase| purchase.amount_minor).sum());
        }
        Ok(holdout)
    }

    /// Repeat purchases of all customers in each step of `step_days` days, counted from the day of
    /// the first purchase of all up to and including the period of `until`: the curve that a
    /// forecast is tracked against. The last step may be cut short by `until`.
    ///
    /// Empty when there is no purchase up to `until`.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for steps of 0 days.
    pub fn repeat_purchases_by_period(
        &self,
        step_days: u32,
        until: Timestamp,
    ) -> Result<Vec<u64>, ConfigError> {
        if step_days == 0 {
            return Err(ConfigError::OutOfRange {
                setting: "step_days",
                value: step_days.to_string(),
                expected: "at least 1",
            });
        }
        let until = self.period_of(until);
        let grain = self.options.grain;
        let first = self
            .iter()
            .filter_map(|run| run.first())
            .map(|purchase| purchase.period)
            .min();
        let Some(first) = first.filter(|&first| first <= until) else {
            return Ok(Vec::new());
        };
        let start = day_of(grain, first).floor();
        // Not negative and at most 7.4 million: the days that a `Timestamp` spans.
        let step_of = |period| ((day_of(grain, period) - start) / f64::from(step_days)) as usize;
        let mut counts = vec![0; step_of(until) + 1];
        for run in self.iter() {
            for purchase in run.iter().skip(1).take_while(|p| p.period <= until) {
                if let Some(count) = counts.get_mut(step_of(purchase.period)) {
                    *count += 1;
                }
            }
        }
        Ok(counts)
    }

    /// On which days how many customers bought first: (day since 1970-01-01, customers), ascending.
    ///
    /// For aggregate forecasts. A period counts as its first day, an instant as its day in UTC.
    pub fn first_purchase_days(&self) -> Vec<(i64, u32)> {
        let grain = self.options.grain;
        let mut days: Vec<i64> = self
            .iter()
            .filter_map(|run| run.first())
            .map(|purchase| day_of(grain, purchase.period).floor() as i64)
            .collect();
        days.sort_unstable();
        days.chunk_by(|a, b| a == b)
            .filter_map(|day| Some((*day.first()?, day.len() as u32)))
            .collect()
    }
}

pub(super) fn period_of(options: &PurchaseOptions, instant: Timestamp) -> i64 {
    match options.grain {
        Grain::Instant => instant.unix_s(),
        Grain::Period(period) => period.index_of_day(options.zone.day(instant)).into(),
    }
}

/// When a period begins, in days since 1970-01-01.
fn day_of(grain: Grain, period: i64) -> f64 {
    match grain {
        Grain::Instant => period as f64 / DAY_S as f64,
        // Period numbers come from `index_of_day` and fit.
        Grain::Period(kind) => kind.first_day(period as i32) as f64,
    }
}

/// When a period begins, in seconds since 1970-01-01.
pub(super) fn second_of(grain: Grain, period: i64) -> i64 {
    match grain {
        Grain::Instant => period,
        // Period numbers come from `index_of_day` and fit.
        Grain::Period(kind) => kind.first_day(period as i32) * DAY_S,
    }
}

/// Exact where both are whole days; otherwise the seconds are subtracted before the division.
fn days_between(grain: Grain, from: i64, to: i64) -> f64 {
    match grain {
        Grain::Instant => (to - from) as f64 / DAY_S as f64,
        Grain::Period(_) => day_of(grain, to) - day_of(grain, from),
    }
}

fn count(purchases: usize) -> Result<u32, DataError> {
    u32::try_from(purchases).map_err(|_| DataError::TooMany {
        what: "purchases of a customer",
        limit: u32::MAX.into(),
    })
}

/// The end of the range stands for every sum past it.
fn check_sums(customer: u32, run: &[Purchase]) -> Result<(), DataError> {
    let overflow = |what| Err(DataError::Overflow { what, customer });
    let spent = run
        .iter()
        .map(|entry| entry.amount_minor.max(0))
        .fold(0_i64, i64::saturating_add);
    if spent == i64::MAX {
        return overflow("purchases");
    }
    if run.iter().any(|entry| entry.amount_minor == i64::MIN) {
        return overflow("refunds");
    }
    Ok(())
}

/// Takes refunds off the latest purchases before them; returns how many entries are left, moved to
/// the front, and what found no purchase. `open` is scratch.
fn settle_run(run: &mut [Purchase], open: &mut Vec<usize>) -> (usize, i128) {
    if run.iter().all(|entry| entry.amount_minor >= 0) {
        return (run.len(), 0);
    }
    open.clear();
    let mut unmatched = 0;
    for at in 0..run.len() {
        let mut amount = run[at].amount_minor;
        if amount > 0 {
            open.push(at);
        }
        while amount < 0 {
            let Some(&latest) = open.last() else {
                unmatched -= i128::from(amount);
                break;
            };
            let paid = run[latest].amount_minor;
            amount += paid;
            run[latest].amount_minor = amount.max(0);
            if amount <= 0 {
                // Refunded in full: marked as a refund is, to be swept with the refunds below.
                run[latest].amount_minor = -1;
                open.pop();
            }
        }
    }
    let mut length = 0;
    for at in 0..run.len() {
        if run[at].amount_minor >= 0 {
            run[length] = run[at];
            length += 1;
        }
    }
    (length, unmatched)
}
