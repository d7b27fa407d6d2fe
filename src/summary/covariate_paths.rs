//! What is known of customers that changes with the calendar: season, campaigns, prices.

use crate::error::{ConfigError, DataError};
use crate::event::{CovariateRows, DAY_S, Timestamp};

use super::TABLE_BYTES_MAX;

/// The calendar periods of [`CovariatePaths`]: as many as `count`, of equal length, from `first` on.
///
/// A period holds its first instant and not its last. Where purchases are counted by calendar days
/// ([`Grain::Period`](super::Grain::Period)), a day stands at its midnight in UTC, so that `first`
/// is [`Timestamp::from_civil`] of the first day, whatever the zone of the log.
///
/// ```
/// use tenure::event::Timestamp;
/// use tenure::summary::PeriodGrid;
///
/// let weeks = PeriodGrid::weeks(Timestamp::from_civil(2005, 1, 2)?, 104)?;
/// assert_eq!(weeks.period_at(Timestamp::from_civil(2005, 1, 9)?), Some(1));
/// assert_eq!(weeks.end(), Timestamp::from_civil(2006, 12, 31)?);
/// # Ok::<(), tenure::error::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodGrid {
    first_s: i64,
    length_s: i64,
    count: u32,
}

impl PeriodGrid {
    /// Periods of 7 days.
    ///
    /// # Errors
    /// As [`days`](Self::days).
    pub fn weeks(first: Timestamp, count: u32) -> Result<Self, ConfigError> {
        Self::days(first, 7, count)
    }

    /// Periods of a number of days.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for periods of 0 days, for none of them, and for some that reach
    /// beyond [`Timestamp::MAX`].
    pub fn days(first: Timestamp, length_days: u32, count: u32) -> Result<Self, ConfigError> {
        for (setting, value) in [("length_days", length_days), ("count", count)] {
            if value == 0 {
                return Err(ConfigError::OutOfRange {
                    setting,
                    value: value.to_string(),
                    expected: "at least 1",
                });
            }
        }
        let grid = Self {
            first_s: first.unix_s(),
            length_s: i64::from(length_days) * DAY_S,
            count,
        };
        match grid.length_s.checked_mul(count.into()) {
            Some(all) if all <= Timestamp::MAX.unix_s() - grid.first_s => Ok(grid),
            _ => Err(ConfigError::OutOfRange {
                setting: "count",
                value: count.to_string(),
                expected: "as many periods as end before the year 9999",
            }),
        }
    }

    /// How many periods there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The first instant of the first period.
    pub fn first(&self) -> Timestamp {
        Timestamp::EPOCH.saturating_add_s(self.first_s)
    }

    /// The first instant after the last period.
    pub fn end(&self) -> Timestamp {
        Timestamp::EPOCH.saturating_add_s(self.end_s())
    }

    /// The first instant of a period; for a number that is not in use, where it would begin.
    pub fn start_of(&self, period: u32) -> Timestamp {
        Timestamp::EPOCH.saturating_add_s(self.start_s(period))
    }

    /// The period that holds an instant, or `None` outside of all.
    pub fn period_at(&self, instant: Timestamp) -> Option<u32> {
        self.period_of_s(instant.unix_s())
    }

    pub(crate) fn period_of_s(&self, instant_s: i64) -> Option<u32> {
        let since = instant_s.checked_sub(self.first_s)?;
        let period = u32::try_from(since.div_euclid(self.length_s)).ok()?;
        (period < self.count).then_some(period)
    }

    pub(crate) fn start_s(&self, period: u32) -> i64 {
        let since = self.length_s.saturating_mul(period.into());
        self.first_s.saturating_add(since)
    }

    pub(crate) fn end_s(&self) -> i64 {
        self.start_s(self.count)
    }
}

/// The values of one covariate.
///
/// NaN stands for a value that is not known. It does no harm in a period in which nobody asks for
/// it, such as before the customer's first purchase.
#[derive(Debug, Clone, PartialEq)]
pub enum PathValues {
    /// The same for all customers, one value for each period: a season.
    Shared(Vec<f64>),
    /// The same at all times, one value for each customer: where the customer came from.
    Constant(Vec<f64>),
    /// Any: a value for each period of customer 0, then of customer 1, and so on: mailings received.
    Varying(Vec<f64>),
}

/// Covariates of customers that change from one calendar period to the next.
///
/// Customers are numbered as in the log of their purchases. Values that all customers share, or that
/// never change, are stored once.
///
/// ```
/// use tenure::event::Timestamp;
/// use tenure::summary::{CovariatePaths, PathValues, PeriodGrid};
///
/// let weeks = PeriodGrid::weeks(Timestamp::from_civil(2005, 1, 2)?, 3)?;
/// let paths = CovariatePaths::from_columns(weeks, 2, vec![
///     ("season".to_owned(), PathValues::Shared(vec![0.0, 0.0, 1.0])),
///     ("mailing".to_owned(), PathValues::Varying(vec![0.0, 1.0, 0.0, 1.0, 0.0, 0.0])),
/// ])?;
/// assert_eq!(paths.value("season", 1, 2), Some(1.0));
/// assert_eq!(paths.value("mailing", 1, 0), Some(1.0));
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// 8 bytes a period for a shared covariate, 8 a customer for a constant one, 8 a customer and period
/// for another; at most [`TABLE_BYTES_MAX`] together.
#[derive(Debug, Clone, PartialEq)]
pub struct CovariatePaths {
    grid: PeriodGrid,
    customers: u32,
    names: Vec<String>,
    columns: Vec<PathValues>,
}

impl CovariatePaths {
    /// Takes columns over, without copying them.
    ///
    /// # Errors
    /// [`DataError::Field`] for a column that has another length than its kind needs, for a value that
    /// is infinite, and for a name that is empty or there twice; [`DataError::TooLarge`] for more than
    /// [`TABLE_BYTES_MAX`]; [`DataError::Empty`] without a column.
    pub fn from_columns(
        grid: PeriodGrid,
        customers: u32,
        columns: Vec<(String, PathValues)>,
    ) -> Result<Self, DataError> {
        if columns.is_empty() {
            return Err(DataError::Empty {
                what: "covariates",
                expected: "at least one column",
            });
        }
        let mut paths = Self {
            grid,
            customers,
            names: Vec::with_capacity(columns.len()),
            columns: Vec::with_capacity(columns.len()),
        };
        let mut cells = 0_u64;
        for (name, values) in columns {
            cells = cells.saturating_add(paths.check(&name, &values)?);
            paths.names.push(name);
            paths.columns.push(values);
        }
        check_bytes(cells)?;
        Ok(paths)
    }

    /// From rows, each the values of one customer from some instant on, in any order: one row for
    /// each customer and period.
    ///
    /// A row belongs to the period that holds its instant. Periods without a row are not known. A
    /// covariate that turns out to be shared by all customers or never to change is stored as such.
    ///
    /// # Errors
    /// [`DataError::Field`] for a row outside of the periods, and for two rows of one customer and
    /// period; else as [`from_columns`](Self::from_columns).
    pub fn from_rows(grid: PeriodGrid, rows: &CovariateRows) -> Result<Self, DataError> {
        let (customers, periods) = (rows.customers() as usize, grid.count as usize);
        let width = (customers as u64).saturating_mul(periods as u64);
        check_bytes(width)?;
        let mut cells = vec![NO_ROW; customers * periods];
        for (row, (&customer, instant)) in (0..NO_ROW).zip(rows.customer().iter().zip(rows.time()))
        {
            let bad = |value: String, expected| {
                Err(DataError::Field {
                    field: format!("rows[{row}] (customer {customer})"),
                    value,
                    expected,
                })
            };
            let Some(period) = grid.period_at(*instant) else {
                return bad(instant.to_string(), "an instant within the periods");
            };
            let cell = customer as usize * periods + period as usize;
            if let Some(cell) = cells.get_mut(cell)
                && std::mem::replace(cell, row) != NO_ROW
            {
                let from = grid.start_of(period);
                let value = format!("a second row of period {period} (from {from})");
                return bad(value, "the only row of its customer and period");
            }
        }
        let named = rows.names().iter().zip(rows.values());
        let columns = named.map(|(name, values)| {
            let value = |row: &u32| values.get(*row as usize).copied();
            let varying = cells.iter().map(|row| value(row).unwrap_or(f64::NAN));
            (name.clone(), condensed(varying.collect(), periods))
        });
        Self::from_columns(grid, rows.customers(), columns.collect())
    }

    /// The periods.
    pub fn grid(&self) -> PeriodGrid {
        self.grid
    }

    /// How many customers there are.
    pub fn customers(&self) -> u32 {
        self.customers
    }

    /// The names of the covariates.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A covariate's value; `None` for a name, a customer or a period that there is not, and where it
    /// is not known.
    pub fn value(&self, name: &str, customer: u32, period: u32) -> Option<f64> {
        let column = self.position(name)?;
        let inside = customer < self.customers && period < self.grid.count;
        inside.then(|| self.at(column, customer, period)).flatten()
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// The value of a column, `None` where it is not known.
    pub(crate) fn at(&self, column: usize, customer: u32, period: u32) -> Option<f64> {
        let (customer, period) = (customer as usize, period as usize);
        let value = match self.columns.get(column)? {
            PathValues::Shared(values) => values.get(period),
            PathValues::Constant(values) => values.get(customer),
            PathValues::Varying(values) => values.get(customer * self.grid.count as usize + period),
        };
        value.copied().filter(|value| !value.is_nan())
    }

    /// As [`at`](Self::at), where there must be one.
    pub(crate) fn known(
        &self,
        column: usize,
        customer: u32,
        period: u32,
    ) -> Result<f64, DataError> {
        self.at(column, customer, period)
            .ok_or_else(|| DataError::Uncovered {
                customer,
                column: self.names.get(column).cloned().unwrap_or_default(),
                period,
                from: self.grid.start_of(period).to_string(),
            })
    }

    /// Checks a column against those before it; returns how many cells it has.
    fn check(&self, name: &str, values: &PathValues) -> Result<u64, DataError> {
        let bad = |value: String, expected| {
            Err(DataError::Field {
                field: format!("columns[{}] `{name}`", self.names.len()),
                value,
                expected,
            })
        };
        if name.is_empty() || self.position(name).is_some() {
            return bad("its name".to_owned(), "a name that no other column has");
        }
        let (customers, periods) = (u64::from(self.customers), u64::from(self.grid.count));
        let (cells, needed, expected) = match values {
            PathValues::Shared(values) => (values, periods, "one value for each period"),
            PathValues::Constant(values) => (values, customers, "one value for each customer"),
            PathValues::Varying(values) => (
                values,
                customers.saturating_mul(periods),
                "one value for each customer and period",
            ),
        };
        if cells.len() as u64 != needed {
            return bad(format!("{} values long", cells.len()), expected);
        }
        if let Some(place) = cells.iter().position(|value| value.is_infinite()) {
            return bad(
                format!("infinite at place {place}"),
                "finite, or NaN where it is not known",
            );
        }
        Ok(needed)
    }
}

/// Stands for a cell without a row. There are fewer cells than this, and so fewer rows without a
/// second one for some cell.
const NO_ROW: u32 = u32::MAX;

fn check_bytes(cells: u64) -> Result<(), DataError> {
    let bytes = cells.saturating_mul(8);
    if bytes <= TABLE_BYTES_MAX {
        return Ok(());
    }
    Err(DataError::TooLarge {
        what: "table of covariates",
        bytes,
        limit: TABLE_BYTES_MAX,
        instead: "give what customers share as `Shared`, or take parts of the customers apart",
    })
}

/// The same values in the smallest kind that holds them.
fn condensed(varying: Vec<f64>, periods: usize) -> PathValues {
    let mut paths = varying.chunks_exact(periods);
    let first = paths.next().unwrap_or_default();
    if varying.len() > periods && paths.all(|path| same(path, first)) {
        return PathValues::Shared(first.to_vec());
    }
    let mut paths = varying.chunks_exact(periods);
    let steady = |path: &[f64]| {
        let mut pairs = path.iter().zip(path.iter().skip(1));
        pairs.all(|(a, b)| a.to_bits() == b.to_bits())
    };
    if paths.all(steady) {
        let firsts = varying.chunks_exact(periods).filter_map(<[f64]>::first);
        return PathValues::Constant(firsts.copied().collect());
    }
    PathValues::Varying(varying)
}

fn same(left: &[f64], right: &[f64]) -> bool {
    let mut pairs = left.iter().zip(right);
    pairs.all(|(a, b)| a.to_bits() == b.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(count: u32) -> PeriodGrid {
        PeriodGrid::weeks(Timestamp::from_civil(2005, 1, 2).unwrap(), count).unwrap()
    }

    fn day(day: i8) -> Timestamp {
        Timestamp::from_civil(2005, 1, day).unwrap()
    }

    #[test]
    fn periods_are_half_open() {
        let grid = grid(2);
        assert_eq!(grid.period_at(day(1)), None);
        assert_eq!(grid.period_at(day(2)), Some(0));
        assert_eq!(grid.period_at(day(8)), Some(0));
        assert_eq!(grid.period_at(day(9).saturating_add_s(-1)), Some(0));
        assert_eq!(grid.period_at(day(9)), Some(1));
        assert_eq!(grid.period_at(day(16)), None);
        assert_eq!(grid.start_of(1), day(9));
        assert_eq!(grid.end(), day(16));
    }

    #[test]
    fn periods_that_cannot_be_are_named() {
        for (length, count, message) in [
            (0, 1, "`length_days` is 0"),
            (7, 0, "`count` is 0"),
            (u32::MAX, u32::MAX, "`count` is 4294967295"),
        ] {
            let error = PeriodGrid::days(day(1), length, count).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn columns_that_cannot_be_are_named() {
        let shared =
            |name: &str, values: &[f64]| (name.to_owned(), PathValues::Shared(values.to_vec()));
        for (columns, message) in [
            (
                vec![shared("a", &[1.0])],
                "columns[0] `a`` is 1 values long",
            ),
            (
                vec![shared("a", &[1.0, f64::INFINITY])],
                "is infinite at place 1",
            ),
            (
                vec![shared("a", &[1.0, 2.0]), shared("a", &[1.0, 2.0])],
                "columns[1] `a`",
            ),
            (
                vec![("b".to_owned(), PathValues::Constant(vec![1.0]))],
                "one value for each customer",
            ),
            (
                vec![("b".to_owned(), PathValues::Varying(vec![1.0; 5]))],
                "one value for each customer and period",
            ),
            (Vec::new(), "no covariates"),
        ] {
            let error = CovariatePaths::from_columns(grid(2), 3, columns).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    fn rows(table: &[(u32, i8, [f64; 3])]) -> CovariateRows {
        CovariateRows::from_columns(
            2,
            table.iter().map(|row| row.0).collect(),
            table.iter().map(|row| day(row.1)).collect(),
            ["season", "place", "mail"]
                .iter()
                .enumerate()
                .map(|(i, name)| ((*name).to_owned(), table.iter().map(|r| r.2[i]).collect()))
                .collect(),
        )
        .unwrap()
    }

    #[test]
    fn rows_find_their_places_and_what_is_shared_is_stored_once() {
        let paths = CovariatePaths::from_rows(
            grid(2),
            &rows(&[
                (1, 9, [1.0, 7.0, 0.0]),
                (0, 2, [0.0, 5.0, 1.0]),
                (1, 2, [0.0, 7.0, 0.0]),
                (0, 15, [1.0, 5.0, 2.0]),
            ]),
        )
        .unwrap();
        assert_eq!(paths.columns[0], PathValues::Shared(vec![0.0, 1.0]));
        assert_eq!(paths.columns[1], PathValues::Constant(vec![5.0, 7.0]));
        let mail = PathValues::Varying(vec![1.0, 2.0, 0.0, 0.0]);
        assert_eq!(paths.columns[2], mail);
    }

    #[test]
    fn a_missing_row_is_not_known_and_a_second_is_refused() {
        let all = [
            (0, 2, [0.0, 5.0, 1.0]),
            (0, 9, [1.0, 5.0, 2.0]),
            (1, 9, [1.0, 7.0, 0.0]),
        ];
        let paths = CovariatePaths::from_rows(grid(2), &rows(&all)).unwrap();
        assert_eq!(paths.value("season", 1, 0), None);
        assert_eq!(paths.value("season", 1, 1), Some(1.0));
        assert_eq!(paths.value("season", 2, 1), None);
        assert_eq!(paths.value("sun", 1, 1), None);
        let twice = [all[0], (0, 3, [0.0; 3])];
        let error = CovariatePaths::from_rows(grid(2), &rows(&twice)).unwrap_err();
        assert!(
            error.to_string().contains("rows[1] (customer 0)"),
            "{error}"
        );
        let outside = [(0, 20, [0.0; 3])];
        let error = CovariatePaths::from_rows(grid(2), &rows(&outside)).unwrap_err();
        assert!(error.to_string().contains("within the periods"), "{error}");
    }
}
