//! Last day, number and sum of each customer's rows.

use std::collections::BTreeMap;

use super::calendar::{DayReader, day_at};
use super::purchases::Refunds;
use super::{Summary, check_amount, check_table, same};
use crate::error::DataError;
use crate::event::{Decimals, Timestamp, Transactions, Zone, ZoneCursor};

/// Recency, frequency and monetary value of many customers in the raw: the day of the last row, how
/// many rows, and their sum; mergeable.
///
/// Unlike a [`PurchaseSummary`](super::PurchaseSummary) it counts rows, not days with a purchase,
/// as RFM does where an order is a row; and it is a table of 16 bytes a customer, whatever the
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
    /// What the numbers of a [`Row`] have no room for: the few customers, if any, whose numbers left
    /// their range. It is kept so that no order of adding can matter.
    carries: BTreeMap<u32, Carry>,
}

/// What is known of one customer: sums modulo 2^64 and 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    amount_minor: i64,
    rows: u32,
    last_day: i32,
}

/// How often the sums of a [`Row`] passed the end of their range, upwards less downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Carry {
    amount_minor: i64,
    rows: u64,
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
            carries: BTreeMap::new(),
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
        let days = DayReader::new(zone, log.time());
        match days.fixed_offset_s() {
            Some(offset_s) => summary.add_all(log, |t| day_at(t, offset_s)),
            None => summary.add_all(log, |t| days.day(t)),
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
        self.add(customer, day, amount_minor);
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
        for (customer, added) in (0..).zip(other.customers) {
            self.add_row(customer, added);
        }
        for (customer, carry) in other.carries {
            self.carry(customer, carry);
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
            if row.last_day == NO_ROW.last_day {
                continue;
            }
            if let Some(carry) = self.carries.get(&customer) {
                let what = if carry.rows == 0 { "amounts" } else { "rows" };
                return Err(DataError::Overflow { what, customer });
            }
            columns.customer.push(customer);
            columns.last_day.push(row.last_day);
            columns.rows.push(row.rows);
            columns.amount_minor.push(row.amount_minor);
        }
        Ok(columns)
    }

    fn add_all(&mut self, log: &Transactions, day_of: impl Fn(Timestamp) -> i32) {
        let facts = log.time().iter().zip(log.amount());
        for (&customer, (&time, &amount_minor)) in log.customer().iter().zip(facts) {
            self.add(customer, day_of(time), amount_minor);
        }
    }

    #[inline]
    fn add(&mut self, customer: u32, day: i32, amount_minor: i64) {
        let row = if amount_minor >= 0 {
            Row {
                amount_minor,
                rows: 1,
                last_day: day,
            }
        } else {
            Row {
                amount_minor: match self.refunds {
                    Refunds::Ignore => 0,
                    Refunds::Net => amount_minor,
                },
                ..NO_ROW
            }
        };
        self.add_row(customer, row);
    }

    #[inline]
    fn add_row(&mut self, customer: u32, added: Row) {
        let Some(row) = self.customers.get_mut(customer as usize) else {
            return;
        };
        let (amount_minor, amount_left) = row.amount_minor.overflowing_add(added.amount_minor);
        let (rows, rows_left) = row.rows.overflowing_add(added.rows);
        *row = Row {
            amount_minor,
            rows,
            last_day: row.last_day.max(added.last_day),
        };
        if amount_left || rows_left {
            let carry = Carry {
                amount_minor: i64::from(amount_left) * added.amount_minor.signum(),
                rows: rows_left.into(),
            };
            self.carry(customer, carry);
        }
    }

    #[cold]
    fn carry(&mut self, customer: u32, added: Carry) {
        let carry = self.carries.entry(customer).or_default();
        carry.amount_minor += added.amount_minor;
        carry.rows += added.rows;
        if *carry == Carry::default() {
            self.carries.remove(&customer);
        }
    }

    fn make_room(&mut self, customers: u32) -> Result<(), DataError> {
        if customers as usize > self.customers.len() {
            check_table("table of customers", customers, size_of::<Row>() as u64)?;
            self.customers.resize(customers as usize, NO_ROW);
        }
        Ok(())
    }
}

impl PartialEq for RfmSummary {
    /// Whether both hold the same facts under the same settings.
    fn eq(&self, other: &Self) -> bool {
        self.zone == other.zone
            && self.refunds == other.refunds
            && self.decimals == other.decimals
            && self.customers == other.customers
            && self.carries == other.carries
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
