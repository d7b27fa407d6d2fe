//! A retailer: all customers, one at a time or as a log.

use std::io::{self, Write};
use std::ops::Range;

use super::assortment::Shelves;
use super::config::RetailerConfig;
use super::customer::{Line, SimulatedCustomer, Truth};
use super::sampling::{self, Part, Stream};
use super::season::DailyFactors;
use crate::error::{ConfigError, DataError};
use crate::event::{
    DAY_S, InteractionColumns, Interactions, Timestamp, TransactionColumns, Transactions,
};

/// Customers whose rows are made by one thread before they are put in order.
const CHUNK: u64 = 4_096;

/// Chunks that are in memory at once when rows are made by several threads.
#[cfg(feature = "parallel")]
const CHUNKS_AT_ONCE: usize = 16;

/// A retailer whose truth is known.
///
/// ```
/// use tenure::simulate::{Retailer, RetailerConfig};
///
/// let retailer = Retailer::new(RetailerConfig::cdnow_like(10_000_000, 42))?;
/// let customer = retailer.customer(7_654_321).expect("there are ten million");
/// let purchases: Vec<_> = customer.purchases().collect();
/// assert_eq!(purchases[0].time, customer.first());
/// assert!(customer.truth().mean_spend > 0.0);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Retailer {
    config: RetailerConfig,
    key: [u8; 32],
    shelves: Option<Shelves>,
    season: Option<DailyFactors>,
}

impl Retailer {
    /// Checks the settings and prepares the tables: memory for one number per item and per day.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a setting outside the range that its field states.
    pub fn new(config: RetailerConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let season = config.season.as_ref();
        Ok(Self {
            key: sampling::key(config.seed),
            shelves: config.assortment.as_ref().map(Shelves::new),
            season: season.map(|season| DailyFactors::new(season, config.start, config.end())),
            config,
        })
    }

    /// The settings.
    pub fn config(&self) -> &RetailerConfig {
        &self.config
    }

    /// The first instant that is no longer simulated.
    pub fn end(&self) -> Timestamp {
        self.config.end()
    }

    /// One customer, the same whatever else was drawn, or `None` when there are not that many.
    pub fn customer(&self, number: u64) -> Option<SimulatedCustomer<'_>> {
        (number < self.config.customers).then(|| SimulatedCustomer::draw(self, number))
    }

    /// All customers by number, drawn one at a time.
    pub fn customers(&self) -> impl Iterator<Item = SimulatedCustomer<'_>> {
        self.range(0..self.config.customers)
    }

    /// What a customer really is, or `None` when there are not that many.
    pub fn truth(&self, customer: u64) -> Option<Truth> {
        self.customer(customer).map(|customer| *customer.truth())
    }

    /// The probability that an item in the basket of a customer is `item`; `None` for an item that
    /// there is not.
    pub fn item_probability(&self, truth: &Truth, item: u32) -> Option<f64> {
        self.shelves.as_ref()?.probability(&truth.taste, item)
    }

    /// All rows of the log, drawn one at a time: the customer's number and a line of it; customers by
    /// number, each one's rows by time.
    pub fn rows(&self) -> impl Iterator<Item = (u64, Line)> {
        self.rows_of(0..self.config.customers)
    }

    /// The whole log as columns, in the order of [`Retailer::rows`]. With an assortment a row is an
    /// item of a purchase, and the columns for orders and items are filled.
    ///
    /// # Errors
    /// [`DataError::TooMany`] for more than 2³² − 1 customers or orders.
    pub fn transactions(&self) -> Result<Transactions, DataError> {
        let mut log = TransactionColumns {
            customers: dense(self.config.customers, "customers")?,
            ..TransactionColumns::default()
        };
        let (mut order, mut item) = (Vec::new(), Vec::new());
        let (mut orders, mut open) = (0_u64, None);
        self.in_chunks(
            |range| self.rows_of(range).collect::<Vec<_>>(),
            |rows| {
                for (customer, line) in rows {
                    log.customer.push(dense(customer, "customers")?);
                    log.time.push(line.time);
                    log.amount.push(line.amount_minor);
                    let Some(of) = line.item else { continue };
                    if open.replace((customer, line.order)) != Some((customer, line.order)) {
                        orders += 1;
                    }
                    order.push(dense(orders - 1, "orders")?);
                    item.push(of);
                }
                Ok(())
            },
        )?;
        if self.shelves.is_some() {
            (log.order, log.item) = (Some(order), Some(item));
        }
        Transactions::from_columns(self.config.spend.decimals, log)
    }

    /// Who bought which item when, with weight 1 a row, in the order of [`Retailer::rows`].
    ///
    /// # Errors
    /// [`DataError::Empty`] for a retailer without an assortment, [`DataError::TooMany`] for more than
    /// 2³² − 1 customers.
    pub fn interactions(&self) -> Result<Interactions, DataError> {
        let Some(shelves) = &self.shelves else {
            let expected = "a retailer with an assortment";
            return Err(DataError::Empty {
                what: "items",
                expected,
            });
        };
        let mut log = InteractionColumns {
            customers: dense(self.config.customers, "customers")?,
            items: shelves.items(),
            ..InteractionColumns::default()
        };
        self.in_chunks(
            |range| self.rows_of(range).collect::<Vec<_>>(),
            |rows| {
                for (customer, line) in rows {
                    let Some(item) = line.item else { continue };
                    log.customer.push(dense(customer, "customers")?);
                    log.item.push(item);
                    log.weight.push(1.0);
                    log.time.push(line.time);
                }
                Ok::<(), DataError>(())
            },
        )?;
        Interactions::from_columns(log)
    }

    /// Writes the log as CSV in the order of [`Retailer::rows`] and returns the number of rows, the
    /// header not counted. Memory does not grow with the log.
    ///
    /// The columns are `customer,time,amount`, with an assortment also `order,item`; the order is
    /// counted within the customer. Times are written as `1997-01-18T12:30:00Z`, amounts in major
    /// units.
    ///
    /// # Errors
    /// What the writer returns.
    pub fn write_csv(&self, mut writer: impl Write) -> io::Result<u64> {
        let items = self.shelves.is_some();
        writer.write_all(b"customer,time,amount")?;
        writer.write_all(if items { b",order,item\n" } else { b"\n" })?;
        let mut rows = 0;
        self.in_chunks(
            |range| self.csv_of(range),
            |chunk| {
                let (text, count) = chunk?;
                rows += count;
                writer.write_all(&text)
            },
        )?;
        writer.flush()?;
        Ok(rows)
    }

    fn csv_of(&self, customers: Range<u64>) -> io::Result<(Vec<u8>, u64)> {
        let (mut text, mut rows) = (Vec::new(), 0);
        for (customer, line) in self.rows_of(customers) {
            let amount = self.config.spend.decimals.display(line.amount_minor);
            write!(text, "{customer},{},{amount}", line.time)?;
            match line.item {
                Some(item) => writeln!(text, ",{},{item}", line.order)?,
                None => text.push(b'\n'),
            }
            rows += 1;
        }
        Ok((text, rows))
    }

    fn rows_of(&self, customers: Range<u64>) -> impl Iterator<Item = (u64, Line)> {
        self.range(customers)
            .flat_map(|customer| customer.lines().map(move |line| (customer.number(), line)))
    }

    fn range(&self, customers: Range<u64>) -> impl Iterator<Item = SimulatedCustomer<'_>> {
        customers.map(|number| SimulatedCustomer::draw(self, number))
    }

    /// Runs `work` over all customers in chunks, side by side where the feature `parallel` is on, and
    /// hands the results to `take` in the order of the customers.
    fn in_chunks<T: Send, E>(
        &self,
        work: impl Fn(Range<u64>) -> T + Sync,
        mut take: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let customers = self.config.customers;
        let mut chunks = (0..customers.div_ceil(CHUNK))
            .map(|chunk| chunk * CHUNK..customers.min((chunk + 1) * CHUNK));
        #[cfg(feature = "parallel")]
        loop {
            use rayon::prelude::*;
            let batch: Vec<_> = chunks.by_ref().take(CHUNKS_AT_ONCE).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let done: Vec<T> = batch.into_par_iter().map(&work).collect();
            done.into_iter().try_for_each(&mut take)?;
        }
        #[cfg(not(feature = "parallel"))]
        chunks.try_for_each(|chunk| take(work(chunk)))
    }

    pub(super) fn stream(&self, customer: u64, part: Part) -> Stream {
        Stream::open(self.key, customer, part)
    }

    pub(super) fn shelves(&self) -> Option<&Shelves> {
        self.shelves.as_ref()
    }

    pub(super) fn season(&self) -> Option<&DailyFactors> {
        self.season.as_ref()
    }

    /// Seconds in the unit of time of the purchase process.
    pub(super) fn unit_s(&self) -> f64 {
        self.config.unit.days() * DAY_S as f64
    }
}

fn dense(number: u64, what: &'static str) -> Result<u32, DataError> {
    u32::try_from(number)
        .ok()
        .filter(|&number| number < u32::MAX)
        .ok_or(DataError::TooMany {
            what,
            limit: u64::from(u32::MAX),
        })
}
