//! In which periods each customer was active, one bit a period.

use std::ops::Range;

use super::calendar::{DayReader, PeriodReader, day_at, span_of};
use super::{Summary, TABLE_BYTES_MAX, same};
use crate::error::DataError;
use crate::event::{Events, Period, Timestamp, Zone, ZoneCursor};

/// In which periods each customer was active, mergeable: a bitmap of customers × periods.
///
/// ```
/// use tenure::event::{Decimals, Events, Period, Timestamp, Transactions, Zone};
/// use tenure::summary::ActivitySummary;
///
/// let day = |m, d| Timestamp::from_civil(2024, m, d).unwrap();
/// let (log, _) = Transactions::from_rows(Decimals::TWO, [
///     ("ann", day(1, 3), 500), ("ann", day(1, 9), 500), ("ann", day(3, 1), 500),
///     ("bob", day(2, 7), 500),
/// ])?;
/// let activity = ActivitySummary::collect(&Events::from(&log), Period::Month, &Zone::UTC)?;
/// let january = activity.first(0).unwrap();
/// assert!(activity.is_active(0, january) && !activity.is_active(0, january + 1));
/// assert_eq!(activity.active(0).collect::<Vec<_>>(), [january, january + 2]);
///
/// let cohorts = activity.cohort_counts()?;
/// assert_eq!(cohorts.get(0, 0), Some(1)); // one customer came first in January …
/// assert_eq!(cohorts.get(0, 2), Some(1)); // … and was there again two months later
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// 8 bytes a customer and 64 periods between the first and the last of all, whether active or not;
/// beyond [`TABLE_BYTES_MAX`] a [`DataError::TooLarge`] says what to change.
#[derive(Debug, Clone)]
pub struct ActivitySummary {
    period: Period,
    zone: Zone,
    cursor: ZoneCursor,
    customers: u32,
    /// Words a customer.
    width: usize,
    /// The period of the lowest bit of a customer's first word.
    origin: i32,
    /// The periods from the first to the last with activity.
    periods: Option<(i32, i32)>,
    /// Customers × width.
    words: Vec<u64>,
}

/// Distinct active customers by cohort and by periods since the cohort began.
///
/// A cohort is all customers whose first active period is the same; cohorts and offsets are
/// numbered from 0, the first cohort being that of the first period with activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortCounts {
    first: i32,
    len: usize,
    /// len × len, cohort by offset; zero where the offset leaves the periods observed.
    counts: Vec<u32>,
}

impl ActivitySummary {
    /// No activity yet.
    pub fn new(period: Period, zone: &Zone) -> Self {
        Self {
            period,
            zone: zone.clone(),
            cursor: ZoneCursor::new(zone),
            customers: 0,
            width: 0,
            origin: 0,
            periods: None,
            words: Vec::new(),
        }
    }

    /// The summary of a whole log.
    ///
    /// # Errors
    /// [`DataError::TooLarge`] when customers × periods would outgrow [`TABLE_BYTES_MAX`].
    pub fn collect(events: &Events<'_>, period: Period, zone: &Zone) -> Result<Self, DataError> {
        let mut summary = Self::new(period, zone);
        summary.make_room(events.customers(), None)?;
        let Some(span) = span_of(events.time()) else {
            return Ok(summary);
        };
        let days = DayReader::new(zone, events.time());
        let periods = PeriodReader::new(period, &days, span);
        summary.make_room(events.customers(), Some(periods.bounds()))?;
        match days.fixed_offset_s() {
            Some(offset_s) => summary.mark(events, |t| periods.period(day_at(t, offset_s))),
            None => summary.mark(events, |t| periods.period(days.day(t))),
        }
        Ok(summary)
    }

    /// Sets the bits of all events; there must be room for them.
    fn mark(&mut self, events: &Events<'_>, period_of: impl Fn(Timestamp) -> i32) {
        for (&customer, &time) in events.customer().iter().zip(events.time()) {
            let bit = i64::from(period_of(time)) - i64::from(self.origin);
            let word = customer as usize * self.width + (bit >> 6) as usize;
            if let Some(word) = self.words.get_mut(word) {
                *word |= 1 << (bit & 63);
            }
        }
        let mut union = vec![0; self.width];
        for row in self.iter_words() {
            or_shifted(&mut union, row, 0);
        }
        self.periods = first_bit(&union)
            .zip(last_bit(&union))
            .map(|(low, high)| (self.origin + low as i32, self.origin + high as i32));
    }

    /// Adds one event.
    ///
    /// # Errors
    /// [`DataError::TooLarge`] when customers × periods would outgrow [`TABLE_BYTES_MAX`]. The
    /// summary is then as before.
    pub fn push(&mut self, customer: u32, time: Timestamp) -> Result<(), DataError> {
        let period = self.period.index_of_day(self.cursor.day(time));
        self.make_room(
            customer.saturating_add(1).max(self.customers),
            Some(hull(self.periods, (period, period))),
        )?;
        self.periods = Some(hull(self.periods, (period, period)));
        let bit = i64::from(period) - i64::from(self.origin);
        let word = customer as usize * self.width + (bit >> 6) as usize;
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << (bit & 63);
        }
        Ok(())
    }

    /// Adds all that another summary holds.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] unless both were made with the same period and zone,
    /// [`DataError::TooLarge`] when customers × periods would outgrow [`TABLE_BYTES_MAX`].
    pub fn merge(&mut self, other: Self) -> Result<(), DataError> {
        same("period", &self.period, &other.period)?;
        same("zone", &self.zone, &other.zone)?;
        let periods = match other.periods {
            Some(added) => Some(hull(self.periods, added)),
            None => self.periods,
        };
        self.make_room(self.customers.max(other.customers), periods)?;
        self.periods = periods;
        if other.periods.is_some() {
            let shift = i64::from(other.origin) - i64::from(self.origin);
            for (customer, row) in (0..).zip(other.words.chunks_exact(other.width)) {
                let base = customer * self.width;
                if let Some(to) = self.words.get_mut(base..base + self.width) {
                    or_shifted(to, row, shift);
                }
            }
        }
        Ok(())
    }

    /// How many customer numbers there are: one more than the largest seen.
    pub fn customers(&self) -> u32 {
        self.customers
    }

    /// The kind of period.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The zone in which days begin.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The numbers of the periods from the first to the last with any activity; empty without.
    pub fn periods(&self) -> Range<i32> {
        // A period number is far from the largest `i32`: see `Timestamp::MAX`.
        self.periods
            .map_or(0..0, |(first, last)| first..last.saturating_add(1))
    }

    /// A customer's words: bit `b` of word `w` is the period [`origin`](Self::origin)` + 64 w + b`.
    ///
    /// Empty for a customer number that is not in use.
    pub fn words(&self, customer: u32) -> &[u64] {
        let base = customer as usize * self.width;
        self.words.get(base..base + self.width).unwrap_or_default()
    }

    /// The words of all customers, from customer 0 on.
    pub fn iter_words(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        // Without activity there are no words, whatever the width.
        self.words.chunks_exact(self.width.max(1))
    }

    /// The period of the lowest bit of every customer's first word.
    pub fn origin(&self) -> i32 {
        self.origin
    }

    /// A customer's first active period.
    pub fn first(&self, customer: u32) -> Option<i32> {
        first_bit(self.words(customer)).map(|bit| self.origin + bit as i32)
    }

    /// A customer's last active period.
    pub fn last(&self, customer: u32) -> Option<i32> {
        last_bit(self.words(customer)).map(|bit| self.origin + bit as i32)
    }

    /// Whether a customer was active in a period.
    pub fn is_active(&self, customer: u32, period: i32) -> bool {
        let bit = i64::from(period) - i64::from(self.origin);
        usize::try_from(bit >> 6)
            .ok()
            .and_then(|word| self.words(customer).get(word))
            .is_some_and(|word| word >> (bit & 63) & 1 == 1)
    }

    /// A customer's active periods, ascending.
    pub fn active(&self, customer: u32) -> impl Iterator<Item = i32> {
        bits(self.words(customer)).map(|bit| self.origin + bit as i32)
    }

    /// In how many of some periods a customer was active.
    pub fn active_within(&self, customer: u32, periods: Range<i32>) -> u32 {
        (0..)
            .zip(self.words(customer))
            .map(|(at, word)| {
                let base = i64::from(self.origin) + 64 * at;
                (word
                    & mask(
                        i64::from(periods.start) - base,
                        i64::from(periods.end) - base,
                    ))
                .count_ones()
            })
            .sum()
    }

    /// How many customers were active in each of [`periods`](Self::periods).
    pub fn active_counts(&self) -> Vec<u32> {
        let first = self.periods().start;
        let mut counts = vec![0; self.periods().len()];
        for row in self.iter_words() {
            for bit in bits(row) {
                let at = (self.origin - first) + bit as i32;
                if let Some(count) = counts.get_mut(at as usize) {
                    *count += 1;
                }
            }
        }
        counts
    }

    /// The cohort matrix: of the customers who came first in one period, how many were active 0, 1,
    /// 2, … periods later.
    ///
    /// # Errors
    /// [`DataError::TooLarge`] beyond 32,768 periods (89 years of days), where the matrix would
    /// outgrow [`TABLE_BYTES_MAX`].
    pub fn cohort_counts(&self) -> Result<CohortCounts, DataError> {
        let periods = self.periods();
        let len = periods.len();
        check_bytes("matrix of cohorts × periods", 4 * len as u128 * len as u128)?;
        let mut counts = vec![0_u32; len * len];
        let lead = (i64::from(periods.start) - i64::from(self.origin)) as usize;
        for row in self.iter_words() {
            let Some(first) = first_bit(row) else {
                continue;
            };
            let base = (first - lead) * len;
            if let Some(cohort) = counts.get_mut(base..base + len) {
                for bit in bits(row) {
                    if let Some(count) = cohort.get_mut(bit - first) {
                        *count += 1;
                    }
                }
            }
        }
        Ok(CohortCounts {
            first: periods.start,
            len,
            counts,
        })
    }

    /// Lets the table hold some customers and, when given, the periods from a first to a last.
    fn make_room(&mut self, customers: u32, periods: Option<(i32, i32)>) -> Result<(), DataError> {
        let customers = customers.max(self.customers);
        let (origin, width) = match periods {
            None => (self.origin, self.width),
            Some((first, last)) => self.layout(first, last),
        };
        check_bytes(
            "table of customers × periods",
            u128::from(customers) * 8 * width.max(1) as u128,
        )?;
        if width != self.width {
            let ahead = (i64::from(self.origin) - i64::from(origin)) as usize / 64;
            let mut words = vec![0; customers as usize * width];
            if self.width > 0 {
                let rows = self.words.chunks_exact(self.width);
                for (to, row) in words.chunks_exact_mut(width).zip(rows) {
                    for (to, &word) in to.iter_mut().skip(ahead).zip(row) {
                        *to = word;
                    }
                }
            }
            (self.words, self.width) = (words, width);
        } else {
            self.words.resize(customers as usize * width, 0);
        }
        self.origin = origin;
        self.customers = customers;
        Ok(())
    }

    /// The origin and the width that hold the periods from `first` to `last`; both grow by whole
    /// words, so that no bit changes its place in a word.
    fn layout(&self, first: i32, last: i32) -> (i32, usize) {
        let (first, last) = (i64::from(first), i64::from(last));
        if self.width == 0 {
            return (first as i32, ((last - first) / 64 + 1) as usize);
        }
        let origin = i64::from(self.origin);
        let ahead = (origin - first + 63).max(0) / 64;
        let behind = ((last - origin) / 64 + 1 - self.width as i64).max(0);
        // A period number is far from the smallest `i32`: see `Timestamp::MIN`.
        (
            (origin - 64 * ahead) as i32,
            self.width + (ahead + behind) as usize,
        )
    }
}

impl CohortCounts {
    /// The period of the first cohort.
    pub fn first_period(&self) -> i32 {
        self.first
    }

    /// How many periods, and so cohorts, there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there was no activity.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many customers of a cohort were active `offset` periods after it began, or `None` when
    /// that lies past the last period.
    pub fn get(&self, cohort: usize, offset: usize) -> Option<u32> {
        self.cohort(cohort)?.get(offset).copied()
    }

    /// A cohort's counts by offset, as far as the last period; the first is the cohort's size.
    pub fn cohort(&self, cohort: usize) -> Option<&[u32]> {
        let base = cohort.checked_mul(self.len)?;
        self.counts
            .get(base..base.checked_add(self.len.checked_sub(cohort)?)?)
    }

    /// The counts of all cohorts, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len).filter_map(|cohort| self.cohort(cohort))
    }
}

impl PartialEq for ActivitySummary {
    /// Whether both hold the same activity of the same customers under the same settings.
    fn eq(&self, other: &Self) -> bool {
        self.period == other.period
            && self.zone == other.zone
            && self.customers == other.customers
            && self.periods == other.periods
            && (0..self.customers).all(|c| self.active(c).eq(other.active(c)))
    }
}

impl Summary for ActivitySummary {
    type Fact = (u32, Timestamp);

    fn empty(&self) -> Self {
        Self::new(self.period, &self.zone)
    }

    fn push_fact(&mut self, (customer, time): Self::Fact) -> Result<(), DataError> {
        self.push(customer, time)
    }

    fn merge(&mut self, other: Self) -> Result<(), DataError> {
        Self::merge(self, other)
    }
}

fn check_bytes(what: &'static str, bytes: u128) -> Result<(), DataError> {
    if bytes <= u128::from(TABLE_BYTES_MAX) {
        return Ok(());
    }
    Err(DataError::TooLarge {
        what,
        bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        limit: TABLE_BYTES_MAX,
        instead: "take longer periods, fewer years or parts of the customers",
    })
}

fn hull(range: Option<(i32, i32)>, added: (i32, i32)) -> (i32, i32) {
    range.map_or(added, |(first, last)| {
        (first.min(added.0), last.max(added.1))
    })
}

fn first_bit(words: &[u64]) -> Option<usize> {
    let at = words.iter().position(|&word| word != 0)?;
    Some(at * 64 + words.get(at)?.trailing_zeros() as usize)
}

fn last_bit(words: &[u64]) -> Option<usize> {
    let at = words.iter().rposition(|&word| word != 0)?;
    Some(at * 64 + 63 - words.get(at)?.leading_zeros() as usize)
}

/// The numbers of the set bits, ascending.
fn bits(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(at, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                at * 64 + bit
            })
        })
    })
}

/// A word with the bits from `from` to before `until` set, as far as they lie in it.
fn mask(from: i64, until: i64) -> u64 {
    let below = |end: i64| match end {
        ..=0 => 0,
        64.. => u64::MAX,
        end => (1 << end) - 1,
    };
    below(until) & !below(from)
}

/// Sets in `to` the bits of `from`, each `shift` bits higher; those that leave `to` are not set.
fn or_shifted(to: &mut [u64], from: &[u64], shift: i64) {
    let (words, bits) = (shift.div_euclid(64), shift.rem_euclid(64));
    let mut or = |at: i64, word: u64| {
        if let Some(to) = usize::try_from(at).ok().and_then(|at| to.get_mut(at)) {
            *to |= word;
        }
    };
    for (at, &word) in (words..).zip(from) {
        or(at, word << bits);
        if bits > 0 {
            or(at + 1, word >> (64 - bits));
        }
    }
}
