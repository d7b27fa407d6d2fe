//! Transactions from a CSV stream.

use std::io::Read;

use super::fields::Table;
use super::keys::KeyIndex;
use super::{Columns, CsvOptions, Loaded};
use crate::error::DataError;
use crate::event::{TransactionColumns, Transactions};

impl Transactions {
    /// Reads a log from CSV text with a header; rules and limits are those of
    /// [`event::csv`](crate::event::csv).
    ///
    /// Without an amount column every row has the amount 0: a log of visits or of orders whose
    /// value nobody wrote down. Customers, orders and items are numbered in the order of the good
    /// rows.
    ///
    /// ```
    /// use tenure::event::csv::{Columns, CsvOptions};
    /// use tenure::event::{Decimals, Transactions, Zone};
    ///
    /// let file = "id,date,total\n00001,1997-01-01,11.77\n00002,1997-01-12,12.00\n";
    /// let loaded = Transactions::from_csv(
    ///     file.as_bytes(),
    ///     &Columns { amount: Some("total"), ..Columns::new("id", "date") },
    ///     &CsvOptions::new(Decimals::TWO, Zone::UTC),
    /// )?;
    /// assert_eq!(loaded.facts.amount(), [1177, 1200]);
    /// assert_eq!(loaded.customers.keys(), ["00001", "00002"]);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Empty`] without a header, [`DataError::MissingColumn`] and
    /// [`DataError::AmbiguousColumn`] for a name that does not stand in it once, [`DataError::Read`]
    /// when the reader fails, [`DataError::TooMany`] for more than 2³² − 1 distinct keys; and under
    /// [`OnError::Stop`](super::OnError) the first [`DataError::Value`] or [`DataError::Fields`].
    pub fn from_csv(
        reader: impl Read,
        columns: &Columns<'_>,
        options: &CsvOptions<'_>,
    ) -> Result<Loaded<Self>, DataError> {
        let table = Table::open(reader, options)?;
        let customer = table.column(columns.customer, "customer")?;
        let time = table.column(columns.time, "time")?;
        let amount = table.optional(columns.amount, "amount")?;
        let order = table.optional(columns.order, "order")?;
        let item = table.optional(columns.item, "item")?;

        let mut customers = KeyIndex::default();
        let mut orders = order.as_ref().map(|_| KeyIndex::default());
        let mut items = item.as_ref().map(|_| KeyIndex::default());
        let mut facts = TransactionColumns {
            order: order.as_ref().map(|_| Vec::new()),
            item: item.as_ref().map(|_| Vec::new()),
            ..TransactionColumns::default()
        };
        let rejected = table.read(|record| {
            // The whole row is checked before any key of it gets a number.
            let key = options.resolve(customer.key(record)?);
            let instant = time.time(record, options.time_format, &options.zone)?;
            let minor = match &amount {
                Some(column) => column.amount(record, options.decimals, options.negative)?,
                None => 0,
            };
            let order = order.as_ref().map(|c| c.key(record)).transpose()?;
            let item = item.as_ref().map(|c| c.key(record)).transpose()?;

            facts.customer.push(customers.intern(key)?);
            facts.time.push(instant);
            facts.amount.push(minor);
            append(&mut facts.order, &mut orders, order)?;
            append(&mut facts.item, &mut items, item)
        })?;
        let customers = customers.finish();
        facts.customers = customers.len();
        Ok(Loaded {
            facts: Self::from_columns(options.decimals, facts)?,
            customers,
            items: items.map(KeyIndex::finish),
            orders: orders.map(KeyIndex::finish),
            rejected,
        })
    }
}

/// Numbers the key of an optional column.
fn append(
    column: &mut Option<Vec<u32>>,
    ids: &mut Option<KeyIndex>,
    key: Option<&str>,
) -> Result<(), DataError> {
    if let (Some(column), Some(ids), Some(key)) = (column, ids, key) {
        column.push(ids.intern(key)?);
    }
    Ok(())
}
