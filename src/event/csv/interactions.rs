//! Interactions from a CSV stream.

use std::io::Read;

use super::fields::Table;
use super::keys::KeyIndex;
use super::{CsvOptions, Loaded, PairColumns};
use crate::error::DataError;
use crate::event::{InteractionColumns, Interactions, Timestamp};

/// The time of every row of a log without times: 1970-01-01T00:00:00Z.
const NO_TIME_S: i64 = 0;

impl Interactions {
    /// Reads a log from CSV text with a header; rules and limits are those of
    /// [`event::csv`](crate::event::csv).
    ///
    /// Without a weight column every row weighs 1. Without a time column every row stands at the
    /// same instant, 1970-01-01T00:00:00Z, so that nothing that decays with time tells them apart.
    /// `decimals` and `negative` of the options do not apply: a weight is no money, and a negative
    /// one is always an error.
    ///
    /// ```
    /// use tenure::event::csv::{CsvOptions, PairColumns};
    /// use tenure::event::{Decimals, Interactions, Zone};
    ///
    /// let file = "user;track;plays\nann;intro;3\nbob;intro;1\n";
    /// let loaded = Interactions::from_csv(
    ///     file.as_bytes(),
    ///     &PairColumns { weight: Some("plays"), ..PairColumns::new("user", "track") },
    ///     &CsvOptions {
    ///         delimiter: tenure::event::csv::Delimiter::Semicolon,
    ///         ..CsvOptions::new(Decimals::ZERO, Zone::UTC)
    ///     },
    /// )?;
    /// assert_eq!(loaded.facts.weight(), [3.0, 1.0]);
    /// assert_eq!(loaded.facts.items(), 1);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transactions::from_csv`](crate::event::Transactions::from_csv).
    pub fn from_csv(
        reader: impl Read,
        columns: &PairColumns<'_>,
        options: &CsvOptions<'_>,
    ) -> Result<Loaded<Self>, DataError> {
        let table = Table::open(reader, options)?;
        let customer = table.column(columns.customer, "customer")?;
        let item = table.column(columns.item, "item")?;
        let weight = table.optional(columns.weight, "weight")?;
        let time = table.optional(columns.time, "time")?;

        let (mut customers, mut items) = (KeyIndex::default(), KeyIndex::default());
        let mut facts = InteractionColumns::default();
        let no_time = Timestamp::MIN.saturating_add_s(NO_TIME_S - Timestamp::MIN.unix_s());
        let rejected = table.read(|record| {
            // The whole row is checked before any key of it gets a number.
            let customer = options.resolve(customer.key(record)?);
            let item = item.key(record)?;
            let weight = weight
                .as_ref()
                .map_or(Ok(1.0), |column| column.weight(record))?;
            let instant = time.as_ref().map_or(Ok(no_time), |column| {
                column.time(record, options.time_format, &options.zone)
            })?;

            facts.customer.push(customers.intern(customer)?);
            facts.item.push(items.intern(item)?);
            facts.weight.push(weight);
            facts.time.push(instant);
            Ok(())
        })?;
        let (customers, items) = (customers.finish(), items.finish());
        facts.customers = customers.len();
        facts.items = items.len();
        Ok(Loaded {
            facts: Self::from_columns(facts)?,
            customers,
            items: Some(items),
            orders: None,
            rejected,
        })
    }
}
