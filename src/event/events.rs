//! Who was there when: the part that all logs share.

use super::interactions::Interactions;
use super::time::Timestamp;
use super::transactions::Transactions;
use crate::error::DataError;

/// A borrowed log of (customer, time): all that activity and retention need of any kind of fact.
///
/// ```
/// use tenure::event::{Decimals, Events, Timestamp, Transactions};
///
/// let day = Timestamp::from_civil(1997, 1, 1).unwrap();
/// let (log, _) = Transactions::from_rows(Decimals::TWO, [("ann", day, 2933)])?;
/// let events = Events::from(&log);
/// assert_eq!(events.iter().collect::<Vec<_>>(), [(0, day)]);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Events<'a> {
    customers: u32,
    customer: &'a [u32],
    time: &'a [Timestamp],
}

impl<'a> Events<'a> {
    /// Borrows two columns of equal length; every customer number must be below `customers`.
    ///
    /// # Errors
    /// [`DataError::Length`] when the columns differ in length, [`DataError::Value`] for a customer
    /// number that is not below `customers`.
    pub fn new(
        customers: u32,
        customer: &'a [u32],
        time: &'a [Timestamp],
    ) -> Result<Self, DataError> {
        if time.len() != customer.len() {
            let (column, found) = ("time", time.len());
            let (reference, expected) = ("customer", customer.len());
            return Err(DataError::Length {
                column,
                found,
                reference,
                expected,
            });
        }
        super::transactions::check_customers(customers, customer)?;
        Ok(Self {
            customers,
            customer,
            time,
        })
    }

    /// How many customers there are, those without an event included.
    pub fn customers(&self) -> u32 {
        self.customers
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.customer.is_empty()
    }

    /// The customer of each event; every number is below [`Events::customers`].
    pub fn customer(&self) -> &'a [u32] {
        self.customer
    }

    /// The time of each event.
    pub fn time(&self) -> &'a [Timestamp] {
        self.time
    }

    /// All events in the order of the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, Timestamp)> + 'a {
        self.customer.iter().copied().zip(self.time.iter().copied())
    }
}

impl<'a> From<&'a Transactions> for Events<'a> {
    /// Refunds are events too: somebody was there.
    fn from(log: &'a Transactions) -> Self {
        Self {
            customers: log.customers(),
            customer: log.customer(),
            time: log.time(),
        }
    }
}

impl<'a> From<&'a Interactions> for Events<'a> {
    fn from(log: &'a Interactions) -> Self {
        Self {
            customers: log.customers(),
            customer: log.customer(),
            time: log.time(),
        }
    }
}
