//! The purchases of many customers, as a summary that can be merged.

use super::calendar::{DayReader, PeriodReader, day_at, span_of};
use super::runs::Runs;
use super::timeline::{Purchase, Purchases};
use super::{Summary, check_table, same};
use crate::error::DataError;
use crate::event::{AMOUNT_MAX, Decimals, Period, Timestamp, Transactions, Zone, ZoneCursor};

/// Which rows of a log are one purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// Rows of the same second. Times between purchases are exact to the second.
    Instant,
    /// Rows of the same calendar period; [`Period::Day`] is the field's custom. Times between
    /// purchases are counted between the first days of their periods.
    Period(Period),
}

/// What a refund (a row with a negative amount) means.
///
/// A row of amount 0 is a purchase like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refunds {
    /// Nothing: the row neither counts nor changes what was spent.
    Ignore,
    /// It is taken off the customer's latest purchase at or before it, what is left of it off the
    /// purchase before that, and so on. A purchase refunded in full no longer counts. What exceeds
    /// all purchases is dropped and counted ([`Purchases::unmatched_refunds`]).
    ///
    /// "At or before" is told at the grain: a refund also meets a purchase later in its own period.
    Net,
}

/// How rows become purchases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseOptions {
    /// Which rows are one purchase.
    pub grain: Grain,
    /// Where days begin; without effect for [`Grain::Instant`].
    pub zone: Zone,
    /// What a refund means.
    pub refunds: Refunds,
}

/// The purchases of many customers, one entry a customer and period, mergeable.
///
/// Push the rows of a log in any order, or [collect](Self::collect) a whole log; summaries of parts
/// of a log [merge](Self::merge) into the summary of the whole. [`Purchases`] reads it.
///
/// ```
/// use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
/// use tenure::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds, TimeUnit};
///
/// let day = |month, d| Timestamp::from_civil(1997, month, d).unwrap();
/// let (log, _) = Transactions::from_rows(Decimals::TWO, [
///     ("ann", day(1, 1), 2933), ("ann", day(1, 18), 2973), ("ann", day(8, 2), 1496),
///     ("bob", day(1, 4), 1177), ("bob", day(1, 4), 850),
/// ])?;
/// let options = PurchaseOptions {
///     grain: Grain::Period(Period::Day),
///     zone: Zone::UTC,
///     refunds: Refunds::Ignore,
/// };
/// let purchases = PurchaseSummary::collect(&log, &options)?.into_purchases()?;
/// let histories = purchases.histories(day(9, 30), TimeUnit::Day)?;
/// let ann = histories.get(0).unwrap();
/// assert_eq!((ann.frequency, ann.recency, ann.age), (2, 213.0, 272.0));
/// assert!((ann.mean_spend - 22.345).abs() < 1e-12);
/// assert_eq!(histories.get(1).unwrap().frequency, 0); // two rows of one day are one purchase
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// 16 bytes a customer and period with a purchase, and 8 bytes a customer number up to the largest
/// one. [Collecting](Self::collect) sorts by counting: O(rows), 16 bytes a row while it works. Rows
/// that are pushed wait in 24 bytes each until they are as many as the entries that are sorted.
#[derive(Debug, Clone)]
pub struct PurchaseSummary {
    options: PurchaseOptions,
    decimals: Decimals,
    cursor: ZoneCursor,
    customers: u32,
    sorted: Runs,
    recent: Vec<(u32, Purchase)>,
}

/// Rows that may wait unsorted, whatever the size of the rest.
const RECENT_MIN: usize = 1 << 16;

impl PurchaseSummary {
    /// No purchases yet, of amounts with the given decimal places.
    pub fn new(options: &PurchaseOptions, decimals: Decimals) -> Self {
        Self {
            options: options.clone(),
            decimals,
            cursor: ZoneCursor::new(&options.zone),
            customers: 0,
            sorted: Runs::empty(),
            recent: Vec::new(),
        }
    }

    /// The summary of a whole log.
    ///
    /// # Errors
    /// [`DataError::TooLarge`] when the log claims more customers than [`TABLE_BYTES_MAX`] has room
    /// for. Sums that leave their range are reported by [`PurchaseSummary::purchases`].
    ///
    /// [`TABLE_BYTES_MAX`]: super::TABLE_BYTES_MAX
    pub fn collect(log: &Transactions, options: &PurchaseOptions) -> Result<Self, DataError> {
        let mut summary = Self::new(options, log.decimals());
        summary.make_room(log.customers())?;
        let days = DayReader::new(&options.zone, log.time());
        let (customers, refunds) = (log.customers() as usize, options.refunds);
        summary.sorted = match (options.grain, days.fixed_offset_s(), span_of(log.time())) {
            (_, _, None) => return Ok(summary),
            (Grain::Instant, ..) => collect_by(customers, log, refunds, Timestamp::unix_s),
            (Grain::Period(Period::Day), Some(offset_s), _) => {
                collect_by(customers, log, refunds, |t| day_at(t, offset_s).into())
            }
            (Grain::Period(period), _, Some(span)) => {
                let periods = PeriodReader::new(period, &days, span);
                collect_by(customers, log, refunds, |t| {
                    periods.period(days.day(t)).into()
                })
            }
        };
        Ok(summary)
    }

    /// Adds one row: an amount in minor units, negative for a refund.
    ///
    /// # Errors
    /// [`DataError::Value`] for an amount beyond [`AMOUNT_MAX`], [`DataError::TooLarge`] for a
    /// customer number beyond the bound of [`TABLE_BYTES_MAX`](super::TABLE_BYTES_MAX). The summary
    /// is then as before.
    pub fn push(
        &mut self,
        customer: u32,
        time: Timestamp,
        amount_minor: i64,
    ) -> Result<(), DataError> {
        super::check_amount(amount_minor)?;
        self.make_room(customer.saturating_add(1))?;
        if amount_minor < 0 && self.options.refunds == Refunds::Ignore {
            return Ok(());
        }
        let period = match self.options.grain {
            Grain::Instant => time.unix_s(),
            Grain::Period(period) => period.index_of_day(self.cursor.day(time)).into(),
        };
        self.append(
            customer,
            Purchase {
                period,
                amount_minor,
            },
        );
        Ok(())
    }

    /// Adds all that another summary holds.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] unless both were made with the same options and decimal places.
    pub fn merge(&mut self, other: Self) -> Result<(), DataError> {
        same("grain", &self.options.grain, &other.options.grain)?;
        same("zone", &self.options.zone, &other.options.zone)?;
        same("refunds", &self.options.refunds, &other.options.refunds)?;
        same("decimals", &self.decimals, &other.decimals)?;
        self.customers = self.customers.max(other.customers);
        if self.sorted.len() == 0 {
            self.sorted = other.sorted;
        } else {
            self.recent.extend(other.sorted.entries());
        }
        self.recent.extend(other.recent);
        self.sort_when_due();
        Ok(())
    }

    /// How many customer numbers there are: one more than the largest seen.
    pub fn customers(&self) -> u32 {
        self.customers
    }

    /// The options.
    pub fn options(&self) -> &PurchaseOptions {
        &self.options
    }

    /// The decimal places of the amounts.
    pub fn decimals(&self) -> Decimals {
        self.decimals
    }

    /// The purchases of each customer, refunds settled.
    ///
    /// # Errors
    /// [`DataError::Overflow`] when what one customer spent leaves the range of 64 bits.
    pub fn purchases(&self) -> Result<Purchases, DataError> {
        self.clone().into_purchases()
    }

    /// As [`PurchaseSummary::purchases`], in the memory that the summary had.
    ///
    /// # Errors
    /// As [`PurchaseSummary::purchases`].
    pub fn into_purchases(mut self) -> Result<Purchases, DataError> {
        self.sort();
        Purchases::settle(self.options, self.decimals, self.sorted)
    }

    /// As [`PurchaseSummary::purchases`], from the rows in periods up to and including that of
    /// `end`: what was known then. A later refund does not reach back.
    ///
    /// # Errors
    /// As [`PurchaseSummary::purchases`].
    pub fn purchases_as_of(&self, end: Timestamp) -> Result<Purchases, DataError> {
        let mut summary = self.clone();
        summary.sort();
        let end = super::timeline::period_of(&self.options, end);
        summary
            .sorted
            .rewrite(|run| run.partition_point(|entry| entry.period <= end));
        Purchases::settle(summary.options, summary.decimals, summary.sorted)
    }

    fn make_room(&mut self, customers: u32) -> Result<(), DataError> {
        check_table(
            "purchases of customers",
            customers,
            size_of::<usize>() as u64,
        )?;
        self.customers = self.customers.max(customers);
        Ok(())
    }

    fn append(&mut self, customer: u32, entry: Purchase) {
        self.recent.push((customer, entry));
        self.sort_when_due();
    }

    fn sort_when_due(&mut self) {
        if self.recent.len() >= self.sorted.len().max(RECENT_MIN) {
            self.sort();
        }
    }

    /// Afterwards no row waits, and every customer has a run.
    fn sort(&mut self) {
        let customers = self.customers as usize;
        if self.recent.is_empty() && self.sorted.customers() == customers {
            return;
        }
        let rows = self.sorted.entries().chain(self.recent.iter().copied());
        let keys = self.sorted.entries().map(|(customer, _)| customer);
        let keys = keys.chain(self.recent.iter().map(|&(customer, _)| customer));
        self.sorted = Runs::build(customers, keys, rows);
        self.recent = Vec::new();
    }
}

impl PartialEq for PurchaseSummary {
    /// Whether both hold the same facts under the same options; the order of the facts is forgotten.
    fn eq(&self, other: &Self) -> bool {
        let sorted = |summary: &Self| {
            let mut summary = summary.clone();
            summary.sort();
            summary.sorted
        };
        self.options == other.options
            && self.decimals == other.decimals
            && self.customers == other.customers
            && sorted(self) == sorted(other)
    }
}

impl Summary for PurchaseSummary {
    type Fact = (u32, Timestamp, i64);

    fn empty(&self) -> Self {
        Self::new(&self.options, self.decimals)
    }

    fn push_fact(&mut self, (customer, time, amount_minor): Self::Fact) -> Result<(), DataError> {
        self.push(customer, time, amount_minor)
    }

    fn merge(&mut self, other: Self) -> Result<(), DataError> {
        Self::merge(self, other)
    }
}

fn collect_by(
    customers: usize,
    log: &Transactions,
    refunds: Refunds,
    period_of: impl Fn(Timestamp) -> i64,
) -> Runs {
    let least = match refunds {
        Refunds::Ignore => 0,
        Refunds::Net => -AMOUNT_MAX,
    };
    let keys = log.customer().iter().zip(log.amount());
    let keys = keys
        .filter(|&(_, &amount_minor)| amount_minor >= least)
        .map(|(&customer, _)| customer);
    let facts = log.time().iter().zip(log.amount());
    let rows = log.customer().iter().zip(facts);
    let rows = rows
        .filter(|&(_, (_, &amount_minor))| amount_minor >= least)
        .map(|(&customer, (&time, &amount_minor))| {
            let period = period_of(time);
            let purchase = Purchase {
                period,
                amount_minor,
            };
            (customer, purchase)
        });
    Runs::build(customers, keys, rows)
}
