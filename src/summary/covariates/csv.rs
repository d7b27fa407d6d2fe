//! Covariates from a CSV stream.

use std::io::Read;

use super::Covariates;
use crate::error::DataError;
use crate::event::Ids;
use crate::event::csv::fields::Table;
use crate::event::csv::{CsvOptions, Rejected};

/// Which columns of a file hold the covariates, by their names in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CovariateColumns<'a> {
    /// The customer's key, as in the log of transactions.
    pub customer: &'a str,
    /// The covariates: columns of numbers.
    pub covariates: &'a [&'a str],
}

impl Covariates {
    /// Reads covariates from CSV text with a header, for the customers that a log has; the rules of
    /// the text are in [`event::csv`](crate::event::csv).
    ///
    /// Rows come out in the order of the customers' numbers. `delimiter`, `on_error` and `aliases` of
    /// the options apply.
    ///
    /// ```
    /// use tenure::event::csv::{Columns, CsvOptions};
    /// use tenure::event::{Decimals, Transactions, Zone};
    /// use tenure::summary::{CovariateColumns, Covariates};
    ///
    /// let options = CsvOptions::new(Decimals::TWO, Zone::UTC);
    /// let log = "id,date\nann,2024-01-01\nbob,2024-01-12\n";
    /// let log = Transactions::from_csv(log.as_bytes(), &Columns::new("id", "date"), &options)?;
    /// let file = "id,online,age\nbob,1,41\nann,0,32\n";
    /// let (covariates, _) = Covariates::from_csv(
    ///     file.as_bytes(),
    ///     &CovariateColumns { customer: "id", covariates: &["online"] },
    ///     &options,
    ///     &log.customers,
    /// )?;
    /// assert_eq!(covariates.column("online")?, [0.0, 1.0]);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transactions::from_csv`](crate::event::Transactions::from_csv) and
    /// [`from_columns`](Covariates::from_columns); [`DataError::Value`] for a customer whom the log
    /// does not have or whose row is not the first (bad rows, which the options may have collected), and
    /// [`DataError::UnknownKey`] for a customer of the log without a good row.
    pub fn from_csv(
        reader: impl Read,
        columns: &CovariateColumns<'_>,
        options: &CsvOptions<'_>,
        customers: &Ids<String>,
    ) -> Result<(Self, Rejected), DataError> {
        let table = Table::open(reader, options)?;
        let key = table.column(columns.customer, "customer")?;
        let named = columns.covariates.iter();
        let numbers = named.clone().map(|name| table.column(name, "covariate"));
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        let mut seen = vec![false; customers.len() as usize];
        let mut values = vec![vec![0.0; seen.len()]; numbers.len()];
        let mut row = Vec::with_capacity(numbers.len());
        let rejected = table.read(|record| {
            let found = customers.get(options.resolve(key.key(record)?));
            let Some(customer) = found.map(|number| number as usize) else {
                return Err(key.bad(record, "a customer of the log"));
            };
            row.clear();
            for column in &numbers {
                row.push(column.number(record)?);
            }
            match seen.get_mut(customer) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(key.bad(record, "each customer once")),
            }
            for (column, &number) in values.iter_mut().zip(&row) {
                if let Some(place) = column.get_mut(customer) {
                    *place = number;
                }
            }
            Ok(())
        })?;
        if let Some(missing) = seen.iter().position(|seen| !seen) {
            let key = customers.keys().get(missing).cloned();
            return Err(DataError::UnknownKey {
                what: "covariates",
                key: key.unwrap_or_default(),
            });
        }
        let columns = named.map(|name| (*name).to_owned()).zip(values);
        Ok((Self::from_columns(Vec::new(), columns)?, rejected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::csv::OnError;
    use crate::event::{Decimals, Zone};

    fn read(text: &str, on_error: OnError) -> Result<(Covariates, Rejected), DataError> {
        let mut customers = Ids::new();
        for key in ["ann", "bob"] {
            customers.intern_ref(key).unwrap();
        }
        let options = CsvOptions {
            on_error,
            ..CsvOptions::new(Decimals::ZERO, Zone::UTC)
        };
        let columns = CovariateColumns {
            customer: "id",
            covariates: &["z"],
        };
        Covariates::from_csv(text.as_bytes(), &columns, &options, &customers)
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        for (text, message) in [
            ("id,z\nann,1\n", "no covariates of `bob`"),
            (
                "id,z\nann,1\nbob,x\n",
                "row 3, column `z`: found `x`, expected a finite number",
            ),
            (
                "id,z\nann,1\nbob,inf\n",
                "row 3, column `z`: found `inf`, expected a finite number",
            ),
            (
                "id,z\nann,1\neve,2\nbob,2\n",
                "row 3, column `id`: found `eve`, expected a customer of the log",
            ),
            (
                "id,z\nann,1\nbob,1\nann,2\n",
                "row 4, column `id`: found `ann`, expected each customer once",
            ),
            (
                "id,y\nann,1\n",
                "no column `z` (it holds the covariate); the columns are: id, y",
            ),
        ] {
            let error = read(text, OnError::Stop).unwrap_err().to_string();
            assert_eq!(error, message);
        }
    }

    #[test]
    fn bad_rows_can_be_left_out() {
        let text = "id,z\nbob,-2.5e1\neve,7\nann,9\nann,4\n";
        let (covariates, rejected) = read(text, OnError::Collect).unwrap();
        assert_eq!(covariates.column("z").unwrap(), [9.0, -25.0]);
        assert_eq!(rejected.count(), 2);
    }
}
