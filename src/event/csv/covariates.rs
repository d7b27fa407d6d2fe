//! Covariates from a CSV stream.

use std::io::Read;

use super::fields::Table;
use super::{CsvOptions, Rejected};
use crate::error::DataError;
use crate::event::{CovariateRows, Ids};

/// Which columns of a file hold covariates, by their names in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathColumns<'a> {
    /// The customer's key.
    pub customer: &'a str,
    /// From when on the row's values hold.
    pub time: &'a str,
    /// The covariates: columns of numbers.
    pub covariates: &'a [&'a str],
}

/// Covariates that were read, for customers who already had numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedCovariates {
    /// The good rows of these customers, in the order of the file.
    pub rows: CovariateRows,
    /// How many good rows were of other customers, and left out.
    pub strangers: u64,
    /// What was left out: nothing under [`OnError::Stop`](super::OnError::Stop).
    pub rejected: Rejected,
}

impl CovariateRows {
    /// Reads covariates from CSV text with a header, for the customers of a log; rules and limits are
    /// those of [`event::csv`](crate::event::csv).
    ///
    /// Values are decimal numbers (`0`, `-1.5`, `2e3`). Rows of customers without a number are counted
    /// and left out. `decimals` and `negative` of the options do not apply. Read dates with
    /// [`Zone::UTC`](crate::event::Zone::UTC) for the calendar days of a
    /// [`PeriodGrid`](crate::summary::PeriodGrid).
    ///
    /// ```
    /// use tenure::event::csv::{PathColumns, CsvOptions};
    /// use tenure::event::{CovariateRows, Decimals, Ids, Zone};
    ///
    /// let mut customers = Ids::new();
    /// customers.intern("ann".to_owned())?;
    /// let file = "id,week,season\nann,2005-01-02,0\nann,2005-01-09,1\nzoe,2005-01-02,0\n";
    /// let columns = PathColumns { customer: "id", time: "week", covariates: &["season"] };
    /// let options = CsvOptions::new(Decimals::ZERO, Zone::UTC);
    /// let loaded = CovariateRows::from_csv(file.as_bytes(), &columns, &customers, &options)?;
    /// assert_eq!(loaded.rows.values(), [[0.0, 1.0]]);
    /// assert_eq!(loaded.strangers, 1);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transactions::from_csv`](crate::event::Transactions::from_csv).
    pub fn from_csv(
        reader: impl Read,
        columns: &PathColumns<'_>,
        customers: &Ids<String>,
        options: &CsvOptions<'_>,
    ) -> Result<LoadedCovariates, DataError> {
        let table = Table::open(reader, options)?;
        let key = table.column(columns.customer, "customer")?;
        let time = table.column(columns.time, "time")?;
        let covariates = columns.covariates.iter();
        let covariates = covariates.map(|name| table.column(name, "covariate"));
        let covariates = covariates.collect::<Result<Vec<_>, _>>()?;

        let (mut customer, mut from) = (Vec::new(), Vec::new());
        let mut values = vec![Vec::new(); covariates.len()];
        let mut row = vec![0.0; covariates.len()];
        let mut strangers = 0;
        let rejected = table.read(|record| {
            let number = customers.get(options.resolve(key.key(record)?));
            let instant = time.time(record, options.time_format, &options.zone)?;
            for (value, column) in row.iter_mut().zip(&covariates) {
                *value = column.number(record)?;
            }
            let Some(number) = number else {
                strangers += 1;
                return Ok(());
            };
            customer.push(number);
            from.push(instant);
            for (column, &value) in values.iter_mut().zip(&row) {
                column.push(value);
            }
            Ok(())
        })?;
        let names = columns.covariates.iter().map(|name| (*name).to_owned());
        let columns = names.zip(values).collect();
        Ok(LoadedCovariates {
            rows: Self::from_columns(customers.len(), customer, from, columns)?,
            strangers,
            rejected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::csv::OnError;
    use crate::event::{Decimals, Zone};

    fn load(file: &str, on_error: OnError) -> Result<LoadedCovariates, DataError> {
        let mut customers = Ids::new();
        for key in ["ann", "bob"] {
            customers.intern(key.to_owned())?;
        }
        let columns = PathColumns {
            customer: "id",
            time: "week",
            covariates: &["price", "season"],
        };
        let options = CsvOptions {
            on_error,
            ..CsvOptions::new(Decimals::ZERO, Zone::UTC)
        };
        CovariateRows::from_csv(file.as_bytes(), &columns, &customers, &options)
    }

    #[test]
    fn bad_rows_are_named_and_can_be_left_out() {
        let file = "season,week,id,price\n0,2005-01-02,bob,-1.5\n1,2005-01-09,bob,dear\n\
                    1,2005-01-09,zoe,2\n1,2005-01-16,ann,NaN\n0,2005-01-02,ann,2e1\n";
        let error = load(file, OnError::Stop).unwrap_err().to_string();
        let start = "row 3, column `price`: found `dear`, expected a finite number";
        assert!(error.starts_with(start), "{error}");
        let loaded = load(file, OnError::Collect).unwrap();
        assert_eq!(loaded.rejected.count(), 2);
        assert_eq!(loaded.strangers, 1);
        assert_eq!(loaded.rows.customer(), [1, 0]);
        assert_eq!(loaded.rows.values(), [[-1.5, 20.0], [0.0, 0.0]]);
        let missing = load("id,week,price\n", OnError::Collect).unwrap_err();
        assert!(missing.to_string().contains("season"), "{missing}");
    }
}
