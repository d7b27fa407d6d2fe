//! What is known of each customer besides the purchases.

#[cfg(feature = "csv")]
mod csv;

#[cfg(feature = "csv")]
pub use csv::CovariateColumns;

use super::history::Histories;
use super::numbering::Numbering;
use crate::error::DataError;

/// Static covariates: numbers that are known of each customer and do not change, such as the channel
/// of the first purchase (0 or 1) or the age in decades.
///
/// Columns have names; rows have customers, ascending in nothing but in the order of the
/// [`Histories`] that they go with. A category of several values becomes one column of 0 and 1 for
/// each value but one.
///
/// ```
/// use tenure::summary::Covariates;
///
/// let covariates = Covariates::from_columns(vec![], [
///     ("online", vec![0.0, 1.0, 1.0]),
///     ("decades", vec![3.2, 4.1, 2.8]),
/// ])?;
/// assert_eq!(covariates.names(), ["online", "decades"]);
/// assert_eq!(covariates.customer(), [0, 1, 2]);
/// assert_eq!(covariates.value(1, "decades"), Some(4.1));
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// Where a table holds more customers than the histories, or another order,
/// [`aligned_with`](Self::aligned_with) picks and sorts.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariates {
    customer: Vec<u32>,
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
}

/// The rows of a table that agree in some columns.
#[derive(Debug, Clone, PartialEq)]
pub struct CovariateGroup {
    /// The common values, in the order of the columns asked for.
    pub values: Vec<f64>,
    /// The rows, ascending.
    pub rows: Vec<u32>,
}

impl Covariates {
    /// Takes columns over, without copying them; `customer` has the number of each row's customer, or
    /// is empty for 0, 1, 2, …
    ///
    /// # Errors
    /// [`DataError::Empty`] without a column or for one without a name;
    /// [`DataError::AmbiguousColumn`] for a name that comes twice; [`DataError::ColumnLength`] for
    /// columns of different length; [`DataError::Value`] for a value that is not finite and for a
    /// customer who comes twice; [`DataError::TooMany`] for more rows than `u32` can number.
    pub fn from_columns<N: Into<String>>(
        mut customer: Vec<u32>,
        columns: impl IntoIterator<Item = (N, Vec<f64>)>,
    ) -> Result<Self, DataError> {
        let (names, columns): (Vec<String>, Vec<Vec<f64>>) = columns
            .into_iter()
            .map(|(name, column)| (name.into(), column))
            .unzip();
        let Some(first) = columns.first() else {
            return Err(DataError::Empty {
                what: "covariates",
                expected: "at least one column is needed",
            });
        };
        check_names(&names)?;
        let limit = u32::MAX;
        let rows = u32::try_from(first.len()).map_err(|_| DataError::TooMany {
            what: "customers",
            limit: limit.into(),
        })?;
        if customer.is_empty() {
            customer = (0..rows).collect();
        }
        let lengths = names
            .iter()
            .zip(&columns)
            .map(|(name, c)| (name.as_str(), c.len()));
        for (column, found) in lengths.chain([("customer", customer.len())]) {
            if found != first.len() {
                return Err(DataError::ColumnLength {
                    column: column.to_owned(),
                    found,
                    expected: first.len(),
                });
            }
        }
        for (name, column) in names.iter().zip(&columns) {
            if let Some(row) = column.iter().position(|value| !value.is_finite()) {
                return Err(DataError::Value {
                    row: row as u64 + 1,
                    column: name.clone(),
                    value: column.get(row).copied().unwrap_or(f64::NAN).to_string(),
                    expected: "a finite number",
                });
            }
        }
        let covariates = Self {
            customer,
            names,
            columns,
        };
        covariates.by_customer()?;
        Ok(covariates)
    }

    /// How many customers there are.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.customer.is_empty()
    }

    /// The columns' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The customer of each row.
    pub fn customer(&self) -> &[u32] {
        &self.customer
    }

    /// A column by its name.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`] when there is none of that name.
    pub fn column(&self, name: &str) -> Result<&[f64], DataError> {
        let mut columns = self.names.iter().zip(&self.columns);
        match columns.find(|(other, _)| *other == name) {
            Some((_, column)) => Ok(column),
            None => Err(DataError::MissingColumn {
                column: name.to_owned(),
                role: "covariate",
                available: self.names.clone(),
            }),
        }
    }

    /// One value, or `None` where there is no such row or column.
    pub fn value(&self, row: usize, name: &str) -> Option<f64> {
        self.column(name).ok()?.get(row).copied()
    }

    /// The same covariates with the rows of these histories, in their order.
    ///
    /// Customers without a history are left out.
    ///
    /// # Errors
    /// [`DataError::Value`] for a customer of the histories who has no covariates.
    pub fn aligned_with(&self, histories: &Histories) -> Result<Self, DataError> {
        let rows = self.by_customer()?;
        let of_customer = |(row, customer): (u64, &u32)| {
            let found = rows.get(*customer as usize).copied().flatten();
            found.ok_or_else(|| DataError::Value {
                row,
                column: "customer".to_owned(),
                value: customer.to_string(),
                expected: "a customer who has a row of covariates",
            })
        };
        let picked: Vec<u32> = (1..)
            .zip(histories.customer())
            .map(of_customer)
            .collect::<Result<_, _>>()?;
        let pick = |column: &Vec<f64>| {
            let values = picked.iter().filter_map(|&row| column.get(row as usize));
            values.copied().collect()
        };
        Ok(Self {
            customer: histories.customer().to_vec(),
            names: self.names.clone(),
            columns: self.columns.iter().map(pick).collect(),
        })
    }

    /// Refuses histories of other customers, or of the same in another order.
    ///
    /// # Errors
    /// [`DataError::Length`] for another number of rows, [`DataError::Value`] for the first row whose
    /// customer differs.
    pub fn check_aligned_with(&self, histories: &Histories) -> Result<(), DataError> {
        check_aligned(&self.customer, histories)
    }

    /// The rows by their values in some columns, in the order in which the values first appear.
    ///
    /// A model with covariates is one model for each group; with histories taken by
    /// [`Histories::select`], each group can be handled apart.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`] for a name that is no column's.
    pub fn groups<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<CovariateGroup>, DataError> {
        let columns = names.iter().map(|name| self.column(name.as_ref()));
        let columns: Vec<&[f64]> = columns.collect::<Result<_, _>>()?;
        let mut of_row = vec![0; self.customer.len()];
        for column in &columns {
            // Rows that agree in the columns before and in this one.
            let mut numbering = Numbering::new();
            for (group, value) in of_row.iter_mut().zip(*column) {
                // Adding 0 turns −0 into 0, which is the same value.
                *group = numbering.number((*group, (value + 0.0).to_bits()));
            }
        }
        let mut groups: Vec<CovariateGroup> = Vec::new();
        for (row, group) in (0..).zip(of_row) {
            match groups.get_mut(group as usize) {
                Some(group) => group.rows.push(row),
                None => groups.push(CovariateGroup {
                    values: columns
                        .iter()
                        .filter_map(|column| Some(column.get(row as usize)? + 0.0))
                        .collect(),
                    rows: vec![row],
                }),
            }
        }
        Ok(groups)
    }

    /// The row of each customer number.
    fn by_customer(&self) -> Result<Vec<Option<u32>>, DataError> {
        let most = self
            .customer
            .iter()
            .copied()
            .max()
            .map_or(0, |c| c as usize + 1);
        let mut rows = vec![None; most];
        for (row, &customer) in (0..).zip(&self.customer) {
            if let Some(place) = rows.get_mut(customer as usize)
                && place.replace(row).is_some()
            {
                return Err(DataError::Value {
                    row: u64::from(row) + 1,
                    column: "customer".to_owned(),
                    value: customer.to_string(),
                    expected: "each customer once",
                });
            }
        }
        Ok(rows)
    }
}

/// Refuses histories whose customers are not these.
pub(crate) fn check_aligned(customer: &[u32], histories: &Histories) -> Result<(), DataError> {
    if histories.len() != customer.len() {
        return Err(DataError::Length {
            column: "covariates",
            found: customer.len(),
            reference: "histories",
            expected: histories.len(),
        });
    }
    let mut pairs = (1..).zip(customer.iter().zip(histories.customer()));
    match pairs.find(|(_, (of_covariates, of_history))| of_covariates != of_history) {
        None => Ok(()),
        Some((row, (of_covariates, _))) => Err(DataError::Value {
            row,
            column: "customer".to_owned(),
            value: of_covariates.to_string(),
            expected: "the customer of the same row of the histories (`aligned_with` sorts)",
        }),
    }
}

fn check_names(names: &[String]) -> Result<(), DataError> {
    for name in names {
        if name.is_empty() {
            return Err(DataError::Empty {
                what: "name of a covariate",
                expected: "each column needs one",
            });
        }
        let times = names.iter().filter(|other| *other == name).count();
        if times > 1 {
            return Err(DataError::AmbiguousColumn {
                column: name.clone(),
                times,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{HistoryColumns, TimeUnit};

    fn histories(customer: Vec<u32>) -> Histories {
        let n = customer.len();
        let columns = HistoryColumns {
            customer,
            frequency: vec![0; n],
            recency: vec![0.0; n],
            age: vec![1.0; n],
            ..HistoryColumns::default()
        };
        Histories::from_columns(TimeUnit::Week, columns).unwrap()
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let two = |z: f64| vec![0.0, z];
        for (customer, columns, message) in [
            (
                vec![],
                vec![],
                "no covariates: at least one column is needed",
            ),
            (
                vec![],
                vec![("", two(0.0))],
                "no name of a covariate: each column needs one",
            ),
            (
                vec![],
                vec![("a", two(0.0)), ("a", two(1.0))],
                "the column `a` stands 2 times in the header; it must stand once",
            ),
            (
                vec![],
                vec![("a", two(0.0)), ("b", vec![1.0])],
                "column `b` has 1 rows, expected 2 as in the columns before it",
            ),
            (
                vec![4],
                vec![("a", two(0.0))],
                "column `customer` has 1 rows, expected 2 as in the columns before it",
            ),
            (
                vec![],
                vec![("a", two(f64::NAN))],
                "row 2, column `a`: found `NaN`, expected a finite number",
            ),
            (
                vec![4, 4],
                vec![("a", two(0.0))],
                "row 2, column `customer`: found `4`, expected each customer once",
            ),
        ] {
            let error = Covariates::from_columns(customer, columns).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn rows_are_picked_by_customer() {
        let column = [("z", vec![1.5, 2.5, 3.5])];
        let covariates = Covariates::from_columns(vec![7, 2, 5], column).unwrap();
        let aligned = covariates.aligned_with(&histories(vec![2, 7])).unwrap();
        assert_eq!(aligned.column("z").unwrap(), [2.5, 1.5]);
        aligned.check_aligned_with(&histories(vec![2, 7])).unwrap();
        let error = covariates.aligned_with(&histories(vec![2, 3])).unwrap_err();
        let unknown = "row 2, column `customer`: found `3`, expected a customer who has a row of";
        assert!(error.to_string().starts_with(unknown), "{error}");
        let error = covariates
            .check_aligned_with(&histories(vec![7, 5, 2]))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("row 2, column `customer`: found `2`"),
            "{error}"
        );
        let error = covariates
            .check_aligned_with(&histories(vec![7]))
            .unwrap_err();
        let lengths = "column `covariates` has 3 rows, expected 1 as in `histories`";
        assert_eq!(error.to_string(), lengths);
    }

    #[test]
    fn groups_hold_each_row_once() {
        let columns = [
            ("a", vec![1.0, -0.0, 1.0, 0.0]),
            ("b", vec![5.0, 5.0, 6.0, 5.0]),
        ];
        let covariates = Covariates::from_columns(vec![], columns).unwrap();
        let rows = |names: &[&str]| -> Vec<Vec<u32>> {
            let groups = covariates.groups(names).unwrap();
            groups.into_iter().map(|group| group.rows).collect()
        };
        assert_eq!(rows(&["a", "b"]), [vec![0], vec![1, 3], vec![2]]);
        assert_eq!(rows(&["b"]), [vec![0, 1, 3], vec![2]]);
        assert_eq!(rows(&[]), [vec![0, 1, 2, 3]]);
        let error = covariates.groups(&["c"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "no column `c` (it holds the covariate); the columns are: a, b"
        );
    }
}
