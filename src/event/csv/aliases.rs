//! Alias tables from a CSV stream.

use std::io::Read;

use super::fields::Table;
use super::{AliasColumns, CsvOptions, Rejected};
use crate::error::DataError;
use crate::event::AliasTable;

impl AliasTable<String> {
    /// Reads the links of a table from CSV text with a header, by the rules of
    /// [`AliasTable::from_links`]; those of the text are in [`event::csv`](crate::event::csv).
    ///
    /// Only `delimiter` and `on_error` of the options apply.
    ///
    /// ```
    /// use tenure::event::csv::{AliasColumns, CsvOptions};
    /// use tenure::event::{AliasTable, Decimals, Zone};
    ///
    /// let file = "other,belongs_to\ncard-17,ann@example.org\nann@example.org,ann\n";
    /// let (aliases, _) = AliasTable::from_csv(
    ///     file.as_bytes(),
    ///     &AliasColumns { alias: "other", customer: "belongs_to" },
    ///     &CsvOptions::new(Decimals::ZERO, Zone::UTC),
    /// )?;
    /// assert_eq!(aliases.resolve("card-17"), "ann");
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transactions::from_csv`](crate::event::Transactions::from_csv).
    pub fn from_csv(
        reader: impl Read,
        columns: &AliasColumns<'_>,
        options: &CsvOptions<'_>,
    ) -> Result<(Self, Rejected), DataError> {
        let table = Table::open(reader, options)?;
        let alias = table.column(columns.alias, "alias")?;
        let customer = table.column(columns.customer, "customer")?;
        let mut links = Vec::new();
        let rejected = table.read(|record| {
            let (alias, customer) = (alias.key(record)?, customer.key(record)?);
            links.push((alias.to_owned(), customer.to_owned()));
            Ok(())
        })?;
        Ok((Self::from_links(links)?, rejected))
    }
}
