//! Purchase histories together with the covariates that held at the time.

use super::timeline::second_of;
use super::{CovariatePaths, Histories, Purchases, TimeUnit};
use crate::error::{ConfigError, DataError, Error};
use crate::event::{DAY_S, Timestamp};

/// Purchase histories in the calendar, with the covariates that held at the time: all that a model
/// with time-varying covariates needs to know.
///
/// Beside x, t_x and T ([`Histories`]) that is when each customer first bought, and the sum of each
/// covariate over the instants of the repeat purchases.
///
/// ```
/// use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
/// use tenure::summary::{
///     CovariatePaths, Grain, PathHistories, PathValues, PeriodGrid, PurchaseOptions,
///     PurchaseSummary, Refunds, TimeUnit,
/// };
///
/// let day = |day| Timestamp::from_civil(2005, 1, day).unwrap();
/// let (log, _) = Transactions::from_rows(Decimals::TWO, [
///     ("ann", day(3), 2933), ("ann", day(10), 2973), ("bob", day(8), 1496),
/// ])?;
/// let grain = Grain::Period(Period::Day);
/// let options = PurchaseOptions { grain, zone: Zone::UTC, refunds: Refunds::Ignore };
/// let purchases = PurchaseSummary::collect(&log, &options)?.into_purchases()?;
///
/// let weeks = PeriodGrid::weeks(day(2), 3)?;
/// let season = ("season".to_owned(), PathValues::Shared(vec![0.0, 1.0, 1.0]));
/// let paths = CovariatePaths::from_columns(weeks, log.customers(), vec![season])?;
/// let data = PathHistories::new(&purchases, &paths, day(16), TimeUnit::Week)?;
/// assert_eq!(data.histories().len(), 2);
/// assert_eq!(data.first_purchase(1), Some(day(8)));
/// assert_eq!(data.covariate_sums(0), [1.0]); // ann came back once, in the season
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PathHistories<'a> {
    paths: &'a CovariatePaths,
    histories: Histories,
    first_s: Vec<i64>,
    last_s: Vec<i64>,
    end_s: i64,
    sums: Vec<f64>,
}

/// A stretch of one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) period: u32,
    /// Its length in the unit of the histories, positive.
    pub(crate) length: f64,
}

impl<'a> PathHistories<'a> {
    /// The histories at the end of an observation, as [`Purchases::histories`] makes them, beside the
    /// paths of the same customers.
    ///
    /// # Errors
    /// [`DataError::Uncovered`] for a customer without a value from the period of the first purchase to
    /// the end; [`ConfigError::OutOfRange`] when the periods begin after a customer's first purchase or
    /// end before `end`; [`DataError::Mismatch`] when there are more customers than paths; else as
    /// [`Purchases::histories`].
    pub fn new(
        purchases: &Purchases,
        paths: &'a CovariatePaths,
        end: Timestamp,
        unit: TimeUnit,
    ) -> Result<Self, Error> {
        if purchases.customers() > paths.customers() {
            let (left, right) = (purchases.customers(), paths.customers());
            return Err(DataError::Mismatch {
                setting: "customers",
                left: left.to_string(),
                right: right.to_string(),
            }
            .into());
        }
        let grain = purchases.options().grain;
        let last = purchases.period_of(end);
        let histories = purchases.histories(end, unit)?;
        let columns = paths.names().len();
        let mut data = Self {
            paths,
            first_s: Vec::with_capacity(histories.len()),
            last_s: Vec::with_capacity(histories.len()),
            end_s: second_of(grain, last),
            sums: Vec::with_capacity(histories.len() * columns),
            histories,
        };
        for &customer in data.histories.customer() {
            let run = purchases.of(customer);
            let seen = run.iter().take_while(|purchase| purchase.period <= last);
            let mut instants = seen.map(|purchase| second_of(grain, purchase.period));
            let Some(first_s) = instants.next() else {
                continue;
            };
            data.first_s.push(first_s);
            check_cover(paths, customer, first_s, data.end_s)?;
            let sums = data.sums.len();
            data.sums.resize(sums + columns, 0.0);
            let mut last_s = first_s;
            for instant in instants {
                last_s = instant;
                let period = paths.grid().period_of_s(instant);
                let period = period.ok_or_else(|| outside(paths, instant))?;
                for (column, sum) in data.sums.iter_mut().skip(sums).enumerate() {
                    *sum += paths.known(column, customer, period)?;
                }
            }
            data.last_s.push(last_s);
        }
        Ok(data)
    }

    /// The histories, row by row.
    pub fn histories(&self) -> &Histories {
        &self.histories
    }

    /// The covariates.
    pub fn paths(&self) -> &'a CovariatePaths {
        self.paths
    }

    /// The end of the observation: the first instant of its period of the grain.
    pub fn end(&self) -> Timestamp {
        Timestamp::EPOCH.saturating_add_s(self.end_s)
    }

    /// How long the covariates reach beyond the end of the observation, in the unit of the histories.
    pub fn covered(&self) -> f64 {
        self.length(self.paths.grid().end_s() - self.end_s)
    }

    /// When the customer of a row first bought, or `None` past the last row.
    pub fn first_purchase(&self, row: usize) -> Option<Timestamp> {
        let first_s = self.first_s.get(row)?;
        Some(Timestamp::EPOCH.saturating_add_s(*first_s))
    }

    /// The sum of each covariate over the repeat purchases of a row, in the order of
    /// [`CovariatePaths::names`]; empty past the last row.
    pub fn covariate_sums(&self, row: usize) -> &[f64] {
        let columns = self.paths.names().len();
        let sums = self.sums.get(row * columns..(row + 1) * columns);
        sums.unwrap_or_default()
    }

    /// The stretches from a row's first purchase to its last, and from there to the end.
    pub(crate) fn stretches(
        &self,
        row: usize,
    ) -> (
        impl Iterator<Item = Stretch> + '_,
        impl Iterator<Item = Stretch> + '_,
    ) {
        let at = |column: &[i64]| column.get(row).copied().unwrap_or(self.end_s);
        let (first_s, last_s) = (at(&self.first_s), at(&self.last_s));
        (
            self.between(first_s, last_s),
            self.between(last_s, self.end_s),
        )
    }

    /// The stretches from an instant to the end of the paths; none when it lies outside of them.
    pub(crate) fn since(&self, instant: Timestamp) -> impl Iterator<Item = Stretch> + '_ {
        self.between(instant.unix_s(), self.paths.grid().end_s())
    }

    fn between(&self, from_s: i64, to_s: i64) -> impl Iterator<Item = Stretch> + '_ {
        let grid = self.paths.grid();
        let first = grid.period_of_s(from_s).unwrap_or(grid.count());
        let periods = (first..grid.count()).take_while(move |&p| grid.start_s(p) < to_s);
        periods.filter_map(move |period| {
            let from_s = from_s.max(grid.start_s(period));
            let to_s = to_s.min(grid.start_s(period + 1));
            (from_s < to_s).then(|| Stretch {
                period,
                length: self.length(to_s - from_s),
            })
        })
    }

    /// The time between two instants, in the unit of the histories.
    pub(crate) fn time_between(&self, from: Timestamp, to: Timestamp) -> f64 {
        self.length(to.unix_s() - from.unix_s())
    }

    fn length(&self, seconds: i64) -> f64 {
        seconds as f64 / DAY_S as f64 / self.histories.unit().days()
    }
}

/// All covariates must be known from the first purchase to the end.
fn check_cover(
    paths: &CovariatePaths,
    customer: u32,
    first_s: i64,
    end_s: i64,
) -> Result<(), Error> {
    let grid = paths.grid();
    let first = grid.period_of_s(first_s);
    let first = first.ok_or_else(|| outside(paths, first_s))?;
    // What happens at `end_s` itself takes no time.
    let last = grid.period_of_s((end_s - 1).max(first_s));
    let last = last.ok_or_else(|| outside(paths, end_s))?;
    for period in first..=last {
        for column in 0..paths.names().len() {
            paths.known(column, customer, period)?;
        }
    }
    Ok(())
}

fn outside(paths: &CovariatePaths, instant_s: i64) -> ConfigError {
    let grid = paths.grid();
    let instant = Timestamp::EPOCH.saturating_add_s(instant_s);
    ConfigError::OutOfRange {
        setting: "paths",
        value: format!(
            "from {} to {}, which leaves out {instant}",
            grid.first(),
            grid.end()
        ),
        expected: "periods from the first purchase of all to the end of the observation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Decimals, Period, Transactions, Zone};
    use crate::summary::{
        Grain, PathValues, PeriodGrid, PurchaseOptions, PurchaseSummary, Refunds,
    };

    fn day(day: i8) -> Timestamp {
        Timestamp::from_civil(2005, 1, day).unwrap()
    }

    fn purchases() -> Purchases {
        let rows = [
            ("ann", day(5), 1),
            ("ann", day(9), 1),
            ("ann", day(16), 1),
            ("ann", day(17), 1),
            ("bob", day(16), 1),
            ("zoe", day(25), 1),
        ];
        let (log, _) = Transactions::from_rows(Decimals::TWO, rows).unwrap();
        let options = PurchaseOptions {
            grain: Grain::Period(Period::Day),
            zone: Zone::UTC,
            refunds: Refunds::Ignore,
        };
        let summary = PurchaseSummary::collect(&log, &options).unwrap();
        summary.into_purchases().unwrap()
    }

    fn paths(first: i8, values: &[f64]) -> CovariatePaths {
        let weeks = PeriodGrid::weeks(day(first), values.len() as u32).unwrap();
        let columns = vec![("season".to_owned(), PathValues::Shared(values.to_vec()))];
        CovariatePaths::from_columns(weeks, 3, columns).unwrap()
    }

    #[test]
    fn a_purchase_on_a_boundary_belongs_to_the_period_that_begins() {
        let paths = paths(2, &[1.0, 10.0, 100.0, f64::NAN]);
        let data = PathHistories::new(&purchases(), &paths, day(23), TimeUnit::Day).unwrap();
        assert_eq!(data.histories().len(), 2);
        // On the 9th, 16th and 17th.
        assert_eq!(data.covariate_sums(0), [210.0]);
        assert_eq!(data.covariate_sums(1), [0.0]);
        let lengths = |stretches: &mut dyn Iterator<Item = Stretch>| -> Vec<(u32, f64)> {
            stretches.map(|s| (s.period, s.length)).collect()
        };
        let (mut before, mut after) = data.stretches(0);
        assert_eq!(lengths(&mut before), [(0, 4.0), (1, 7.0), (2, 1.0)]);
        assert_eq!(lengths(&mut after), [(2, 6.0)]);
        assert_eq!(data.stretches(1).0.count(), 0);
        assert_eq!(lengths(&mut data.since(data.end())), [(3, 7.0)]);
        assert_eq!(data.since(day(1)).count(), 0);
        assert_eq!(data.covered(), 7.0);
    }

    #[test]
    fn what_is_missing_is_named() {
        let gap = paths(2, &[1.0, f64::NAN, 100.0, 0.0]);
        let late = paths(9, &[1.0, 1.0, 1.0]);
        let short = paths(2, &[1.0, 1.0]);
        for (paths, message) in [
            (
                &gap,
                "customer 0, period 1 (from 2005-01-09T00:00:00Z): no value of `season`",
            ),
            (&late, "which leaves out 2005-01-05"),
            (&short, "which leaves out 2005-01-23"),
        ] {
            let data = PathHistories::new(&purchases(), paths, day(23), TimeUnit::Day);
            let error = data.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        // Nobody bought before the 5th, and what begins at the end is not asked for.
        let enough = paths(2, &[1.0, 1.0, 1.0]);
        PathHistories::new(&purchases(), &enough, day(23), TimeUnit::Day).unwrap();
    }
}
