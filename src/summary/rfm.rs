//! Last day, number and sum of each customer's rows.

use super::calendar::{DayReader, span_of};
use super::purchases::Refunds;
use super::{Summary, check_amount, check_table, same};
use crate::error::DataError;
use crate::event::{Decimals, Timestamp, Transactions, Zone, ZoneCursor};

/// Recency, frequency and monetary value of many customers in the raw: the day of the last row, how
/// many rows, and their sum; mergeable.
///
/// Unlike a [`PurchaseSummary`](super::PurchaseSummary) it counts rows, not days with a purchase,
/// as RFM does where an order is a row; and it is a table of 32 bytes a customer, whatever the
/// number of rows.
///
/// ```
/// use tenure::event::{Decimals, Timestamp, Transactions, Zone};
/// use tenure::summary::{Refunds, RfmSummary};
///
/// let day = |d| Timestamp::from_civil(1997, 1, d).unwrap();
/// let (log, _) = Transactions::from_rows(
///     Decimals::TWO,
///     [("ann", day(18), 2973), ("bob", day(2), 1177), ("ann", day(1), 2933)],
/// )?;
/// let rfm = RfmSummary::collect(&log, &Zone::UTC, Refunds::Ignore)?.columns()?;
/// assert_eq!(rfm.customer, [0, 1]);
/// assert_eq!(rfm.rows, [2, 1]);
/// assert_eq!(rfm.amount_minor, [5906, 1177]);
/// assert_eq!(rfm.last_day[0] - rfm.last_day[1], 16);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RfmSummary {
    zone: Zone,
    refunds: Refunds,
    decimals: Decimals,
    cursor: ZoneCursor,
    customers: Vec<Row>,
}

/// What is known of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    /// 128 bits hold the sum of 2^64 of the largest amounts: the order of adding never matters.
    amount_minor: i128,
    rows: u64,
    last_day: i32,
}

const NO_ROW: Row = Row {
    amount_minor: 0,
    rows: 0,
    last_day: i32::MIN,
};

/// The customers with a purchase, as columns of equal length; rows ascend by customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RfmColumns {
    /// The customer's number.
    pub customer: Vec<u32>,
    /// The day of the last purchase, counted from 1970-01-01.
    pub last_day: Vec<i32>,
    /// How many purchases; each row of the log is one.
    pub rows: Vec<u32>,
    /// Sum of the amounts in minor units, less the refunds where they are netted.
    pub amount_minor: Vec<i64>,
}

impl RfmSummary {
    /// No rows yet; days begin as in `zone`, amounts have the given decimal places.
    ///
    /// [`Refunds::Net`] takes a refund off the sum; either way it neither counts as a purchase nor
    /// moves the last day.
    pub fn new(zone: &Zone, refunds: Refunds, decimals: Decimals) -> Self {
        Self {
            zone: zone.clone(),
            refunds,
            decimals,
            cursor: ZoneCursor::new(zone),
            customers: Vec::new(),
        }
    }

    /// The summary of a whole log.
    ///
    /// # Errors
    /// [`DataError::TooLarge`] when the log claims more customers than
    /// [`TABLE_BYTES_MAX`](super::TABLE_BYTES_MAX) has room for.
    pub fn collect(log: &Transactions, zone: &Zone, refunds: Refunds) -> Result<Self, DataError> {
        let mut summary = Self::new(zone, refunds, log.decimals());
        summary.make_room(log.customers())?;
        let Some(span) = span_of(log.time()) else {
            return Ok(summary);
        };
        let reader = DayReader::new(zone, span);
        let facts = log.time().iter().zip(log.amount());
        for (&customer, (&time, &amount)) in log.customer().iter().zip(facts) {
            if let Some(row) = summary.customers.get_mut(customer as usize) {
                row.add(reader.day(time), amount, refunds);
            }
        }
        Ok(summary)
    }

    /// Adds one row: an amount in minor units, negative for a refund.
    ///
    /// # Errors
    /// [`DataError::Value`] for an amount beyond [`AMOUNT_MAX`](crate::event::AMOUNT_MAX),
    /// [`DataError::TooLarge`] for a customer number beyond the bound of
    /// [`TABLE_BYTES_MAX`](super::TABLE_BYTES_MAX). The summary is then as before.
    pub fn push(
        &mut self,
        customer: u32,
        time: Timestamp,
        amount_minor: i64,
    ) -> Result<(), DataError> {
        check_amount(amount_minor)?;
        self.make_room(customer.saturating_add(1))?;
        let day = self.cursor.day(time);
        if let Some(row) = self.customers.get_mut(customer as usize) {
            row.add(day, amount_minor, self.refunds);
        }
        Ok(())
    }

    /// Adds all that another summary holds.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] unless both were made with the same settings.
    pub fn merge(&mut self, other: Self) -> Result<(), DataError> {
        same("zone", &self.zone, &other.zone)?;
        same("refunds", &self.refunds, &other.refunds)?;
        same("decimals", &self.decimals, &other.decimals)?;
        if self.customers.len() < other.customers.len() {
            self.customers.resize(other.customers.len(), NO_ROW);
        }
        for (row, added) in self.customers.iter_mut().zip(other.customers) {
            row.amount_minor += added.amount_minor;
            row.rows += added.rows;
            row.last_day = row.last_day.max(added.last_day);
        }
        Ok(())
    }

    /// How many customer numbers there are: one more than the largest seen.
    pub fn customers(&self) -> u32 {
        self.customers.len() as u32
    }

    /// The decimal places of the amounts.
    pub fn decimals(&self) -> Decimals {
        self.decimals
    }

    /// The customers with a purchase.
    ///
    /// # Errors
    /// [`DataError::Overflow`] when a customer's sum leaves the range of 64 bits or the number of
    /// rows that of 32.
    pub fn columns(&self) -> Result<RfmColumns, DataError> {
        let mut columns = RfmColumns::default();
        for (customer, row) in (0..).zip(&self.customers) {
            if row.rows == 0 {
                continue;
            }
            let overflow = |what| DataError::Overflow { what, customer };
            let rows = u32::try_from(row.rows).map_err(|_| overflow("rows"))?;
            let amount = i64::try_from(row.amount_minor).map_err(|_| overflow("amounts"))?;
            columns.customer.push(customer);
            columns.last_day.push(row.last_day);
            columns.rows.push(rows);
            columns.amount_minor.push(amount);
        }
        Ok(columns)
    }

    fn make_room(&mut self, customers: u32) -> Result<(), DataError> {
        if customers as usize > self.customers.len() {
            check_table("table of customers", customers, size_of::<Row>() as u64)?;
            self.customers.resize(customers as usize, NO_ROW);
        }
        Ok(())
    }
}

impl Row {
    #[inline]
    fn add(&mut self, day: i32, amount_minor: i64, refunds: Refunds) {
        if amount_minor >= 0 {
            self.rows += 1;
            self.last_day = self.last_day.max(day);
        } else if refunds == Refunds::Ignore {
            return;
        }
        self.amount_minor += i128::from(amount_minor);
    }
}

impl PartialEq for RfmSummary {
    /// Whether both hold the same facts under the same settings.
    fn eq(&self, other: &Self) -> bool {
        self.zone == other.zone
            && self.refunds == other.refunds
            && self.decimals == other.decimals
            && self.customers == other.customers
    }
}

impl Summary for RfmSummary {
    type Fact = (u32, Timestamp, i64);

    fn empty(&self) -> Self {
        Self::new(&self.zone, self.refunds, self.decimals)
    }

    fn push_fact(&mut self, (customer, time, amount_minor): Self::Fact) -> Result<(), DataError> {
        self.push(customer, time, amount_minor)
    }

    fn merge(&mut self, other: Self) -> Result<(), DataError> {
        Self::merge(self, other)
    }
}
