//! What was known of customers at some instants, as rows.

use super::Timestamp;
use crate::error::DataError;

/// A table of covariates: each row holds what was known of one customer from one instant on.
///
/// ```
/// use tenure::event::{CovariateRows, Timestamp};
///
/// let week = |day| Timestamp::from_civil(2005, 1, day).unwrap();
/// let rows = CovariateRows::from_columns(
///     1,
///     vec![0, 0],
///     vec![week(2), week(9)],
///     vec![("mailing".to_owned(), vec![0.0, 1.0])],
/// )?;
/// assert_eq!(rows.len(), 2);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CovariateRows {
    customers: u32,
    customer: Vec<u32>,
    time: Vec<Timestamp>,
    names: Vec<String>,
    values: Vec<Vec<f64>>,
}

impl CovariateRows {
    /// Takes columns over, without copying them; customers are numbered below `customers`.
    ///
    /// # Errors
    /// [`DataError::Field`] for columns of different lengths, a customer that there is not, and a value
    /// that is not finite.
    pub fn from_columns(
        customers: u32,
        customer: Vec<u32>,
        time: Vec<Timestamp>,
        columns: Vec<(String, Vec<f64>)>,
    ) -> Result<Self, DataError> {
        let rows = customer.len();
        let bad = |field: String, value: String, expected| {
            Err(DataError::Field {
                field,
                value,
                expected,
            })
        };
        let long = |length: usize| format!("{length} values long");
        if time.len() != rows {
            let expected = "as long as `customer`";
            return bad("time".to_owned(), long(time.len()), expected);
        }
        if let Some(row) = customer.iter().position(|&number| number >= customers) {
            let value = customer.get(row).map_or(0, |&number| number).to_string();
            let expected = "a customer's number, below `customers`";
            return bad(format!("customer[{row}]"), value, expected);
        }
        for (name, values) in &columns {
            if values.len() != rows {
                let expected = "as long as `customer`";
                return bad(format!("columns `{name}`"), long(values.len()), expected);
            }
            let mut numbered = values.iter().enumerate();
            if let Some((row, value)) = numbered.find(|(_, value)| !value.is_finite()) {
                let field = format!("columns `{name}`[{row}]");
                return bad(field, value.to_string(), "a finite number");
            }
        }
        let (names, values) = columns.into_iter().unzip();
        Ok(Self {
            customers,
            customer,
            time,
            names,
            values,
        })
    }

    /// Adds the rows of another table of the same customers and covariates: those of the weeks to
    /// come, say.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] unless the names of the columns and the number of customers agree.
    pub fn append(&mut self, other: Self) -> Result<(), DataError> {
        let mismatch = |setting, left: String, right: String| {
            Err(DataError::Mismatch {
                setting,
                left,
                right,
            })
        };
        if self.names != other.names {
            return mismatch("names", self.names.join(", "), other.names.join(", "));
        }
        if self.customers != other.customers {
            let (left, right) = (self.customers.to_string(), other.customers.to_string());
            return mismatch("customers", left, right);
        }
        self.customer.extend(other.customer);
        self.time.extend(other.time);
        for (column, more) in self.values.iter_mut().zip(other.values) {
            column.extend(more);
        }
        Ok(())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.customer.is_empty()
    }

    /// How many customers are numbered, those without a row included.
    pub fn customers(&self) -> u32 {
        self.customers
    }

    /// Each row's customer.
    pub fn customer(&self) -> &[u32] {
        &self.customer
    }

    /// From when on each row's values hold.
    pub fn time(&self) -> &[Timestamp] {
        &self.time
    }

    /// The names of the covariates.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The values of each covariate, in the order of the names: one for each row.
    pub fn values(&self) -> &[Vec<f64>] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(customer: u32, value: f64, name: &str) -> Result<CovariateRows, DataError> {
        let columns = vec![(name.to_owned(), vec![value])];
        CovariateRows::from_columns(3, vec![customer], vec![Timestamp::EPOCH], columns)
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (rows, message) in [
            (table(3, 0.0, "a"), "the field `customer[0]` is 3"),
            (table(0, f64::NAN, "a"), "columns `a`[0]` is NaN"),
            (
                CovariateRows::from_columns(3, vec![0], Vec::new(), Vec::new()),
                "`time` is 0 values long",
            ),
        ] {
            let error = rows.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn tables_of_the_same_columns_are_joined() {
        let mut rows = table(0, 1.0, "a").unwrap();
        rows.append(table(2, 5.0, "a").unwrap()).unwrap();
        assert_eq!((rows.len(), rows.customer()), (2, [0, 2].as_slice()));
        assert_eq!(rows.values(), [[1.0, 5.0]]);
        assert!(rows.append(table(0, 1.0, "b").unwrap()).is_err());
    }
}
