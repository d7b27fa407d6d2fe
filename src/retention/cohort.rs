//! Cohort retention: who of those who began together came back, and when.

use std::ops::RangeInclusive;

use super::cohort_matrix::{Cohort, CohortMatrix, Offsets};
use crate::error::ConfigError;
use crate::event::{Events, Period, Timestamp, Zone, ZoneCursor};
use crate::summary::ActivitySummary;

/// What counts as retained: the columns of a [`CohortMatrix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure<'a> {
    /// Active at exactly offset k, for k from 0 to `offsets` − 1 ("N-day retention"). The strict
    /// measure, for things done at every offset: a feed, a weekly shop.
    NPeriod {
        /// How many columns; at least 1.
        offsets: u32,
    },
    /// Active at offset k or later, for k from 0 to `offsets` − 1: the customer is not lost by k as
    /// far as one can see. For purchases at irregular intervals. Young cohorts had less time to
    /// come back, so that even complete cells still grow; compare cohorts of the same age only.
    Unbounded {
        /// How many columns; at least 1.
        offsets: u32,
    },
    /// Active at any offset of a range, one column a range, both ends included; ranges may overlap.
    /// For rhythms that vary: "came back between day 3 and day 6".
    Brackets(&'a [RangeInclusive<u32>]),
}

/// How [`CohortMatrix::rolling`] forms cohorts and counts time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rolling {
    /// The period whose first events make a cohort.
    pub period: Period,
    /// The zone whose calendar the cohorts follow. Offsets do not depend on it.
    pub zone: Zone,
    /// The length of one offset in seconds; at least 1. Offset k is the seconds from k times the
    /// length (included) to k + 1 times (excluded) after the customer's first event.
    pub length_s: i64,
}

/// Counts beyond this are refused: at 4 bytes a cell, 512 MB.
const CELLS_MAX: usize = 1 << 27;

impl CohortMatrix {
    /// Cohorts by first period; offset = period of the event − period of the customer's first
    /// event.
    ///
    /// An event at 23:50 and one at 00:10 are one day apart here. `until` is the end of the
    /// observation: every event before it is known. Offset k of a cohort is complete when its
    /// period is over by then. Periods that begin at or after `until` are not looked at; of the
    /// period in which `until` lies everything in the summary counts, in cells that are partial
    /// anyway.
    ///
    /// Costs two passes over the activity bitmaps, and 4 bytes a cell.
    ///
    /// ```
    /// use tenure::event::{Events, Period, Timestamp, Zone};
    /// use tenure::retention::{Cell, CohortMatrix, Measure};
    /// use tenure::summary::ActivitySummary;
    ///
    /// let day = |d| Timestamp::from_civil(1997, 1, d).unwrap();
    /// // Customers 0 and 1 begin on the 1st; 0 is back on the 2nd, 1 on the 3rd.
    /// let times = [day(1), day(1), day(2), day(3)];
    /// let events = Events::new(2, &[0, 1, 0, 1], &times)?;
    /// let activity = ActivitySummary::collect(&events, Period::Day, &Zone::UTC)?;
    /// let end = day(4); // all of the 3rd is known
    ///
    /// let strict = CohortMatrix::calendar(&activity, &Measure::NPeriod { offsets: 4 }, end)?;
    /// assert_eq!(strict.cell(0, 1), Some(Cell::Complete { active: 1, size: 2 }));
    /// assert_eq!(strict.cell(0, 3), Some(Cell::Unobserved { size: 2 }));
    ///
    /// let so_far = CohortMatrix::calendar(&activity, &Measure::Unbounded { offsets: 4 }, end)?;
    /// assert_eq!(so_far.cell(0, 1), Some(Cell::Complete { active: 2, size: 2 }));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a measure without columns, a range that is empty or ends at
    /// `u32::MAX`, or a matrix of more than 2²⁷ cells.
    pub fn calendar(
        activity: &ActivitySummary,
        measure: &Measure<'_>,
        until: Timestamp,
    ) -> Result<Self, ConfigError> {
        let columns = measure.columns()?;
        let end = EndOfObservation::new(activity.period(), activity.zone(), until);
        let (cohorts, row_of) = calendar_cohorts(activity, end);
        let mut tally = Tally::new(measure, cohorts.len(), columns.len())?;
        let origin = activity.periods().start;
        for customer in 0..activity.customers() {
            let mut periods = activity.active(customer).take_while(|&p| p < end.begun);
            let Some(first) = periods.next() else {
                continue;
            };
            if let Some(&row) = row_of.get(first.abs_diff(origin) as usize) {
                let later = periods.map(|period| period.abs_diff(first));
                tally.add(row, std::iter::once(0).chain(later));
            }
        }
        let active = tally.finish();
        Ok(Self::from_counts(
            activity.period(),
            cohorts,
            columns,
            active,
        ))
    }

    /// Cohorts by first period; offset = ⌊(time − the customer's first time) / length⌋ in exact
    /// seconds, whatever the clocks on the wall did.
    ///
    /// `until` is the end of the observation: every event before it is known, and events from then
    /// on are not looked at. Offset k of a cohort is complete when it is over for the customer who
    /// began last. The first events of a cohort lie up to a period apart, so that a cell takes
    /// longer to complete than in [`CohortMatrix::calendar`].
    ///
    /// Costs a sort of each customer's events; 4 bytes an event and some 60 a customer while it
    /// works.
    ///
    /// ```
    /// use tenure::event::{Events, Period, Timestamp, Zone};
    /// use tenure::retention::{Cell, CohortMatrix, Measure, Rolling};
    ///
    /// let at = |text: &str| text.parse::<Timestamp>().unwrap();
    /// // One customer, back after 20 minutes (past midnight) and after 30 hours.
    /// let times = [at("2024-05-01T23:50:00Z"), at("2024-05-02T00:10:00Z"), at("2024-05-03T05:50:00Z")];
    /// let events = Events::new(1, &[0, 0, 0], &times)?;
    /// let by_24_hours = Rolling { period: Period::Day, zone: Zone::UTC, length_s: 86_400 };
    /// let measure = Measure::NPeriod { offsets: 3 };
    /// let matrix = CohortMatrix::rolling(&events, &by_24_hours, &measure, at("2024-05-04"))?;
    /// assert_eq!(matrix.cell(0, 0), Some(Cell::Complete { active: 1, size: 1 }));
    /// assert_eq!(matrix.cell(0, 1), Some(Cell::Complete { active: 1, size: 1 }));
    /// assert_eq!(matrix.cell(0, 2), Some(Cell::Partial { active: 0, size: 1 })); // ends 05-04T23:50
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] as for [`CohortMatrix::calendar`], and for a length below 1
    /// second.
    pub fn rolling(
        events: &Events<'_>,
        clock: &Rolling,
        measure: &Measure<'_>,
        until: Timestamp,
    ) -> Result<Self, ConfigError> {
        if clock.length_s < 1 {
            return Err(ConfigError::OutOfRange {
                setting: "length_s",
                value: clock.length_s.to_string(),
                expected: "at least 1 second",
            });
        }
        let columns = measure.columns()?;
        let first = first_times(events, until);
        let (cohorts, row_of) = rolling_cohorts(&first, clock, until);
        let mut tally = Tally::new(measure, cohorts.len(), columns.len())?;
        let by_customer = OffsetsByCustomer::collect(events, &first, clock.length_s, until);
        by_customer.for_each(|customer, offsets| {
            if row_of[customer] != NO_ROW {
                tally.add(row_of[customer], offsets.iter().copied());
            }
        });
        let active = tally.finish();
        Ok(Self::from_counts(clock.period, cohorts, columns, active))
    }
}

impl Measure<'_> {
    fn columns(&self) -> Result<Vec<Offsets>, ConfigError> {
        let columns: Vec<Offsets> = match *self {
            Measure::NPeriod { offsets } | Measure::Unbounded { offsets } => {
                if usize::try_from(offsets).is_ok_and(|n| n > CELLS_MAX) {
                    return Err(too_many_cells(1, offsets as usize));
                }
                let column = match self {
                    Measure::Unbounded { .. } => Offsets::FromOn,
                    _ => Offsets::Exactly,
                };
                (0..offsets).map(column).collect()
            }
            Measure::Brackets(ranges) => ranges.iter().map(bracket).collect::<Result<_, _>>()?,
        };
        if columns.is_empty() {
            return Err(ConfigError::OutOfRange {
                setting: "measure",
                value: "0 columns".to_owned(),
                expected: "at least one offset or one range of offsets",
            });
        }
        Ok(columns)
    }
}

fn bracket(range: &RangeInclusive<u32>) -> Result<Offsets, ConfigError> {
    let (&first, &last) = (range.start(), range.end());
    if first <= last && last < u32::MAX {
        return Ok(Offsets::Between(first, last));
    }
    Err(ConfigError::OutOfRange {
        setting: "measure",
        value: format!("{first}..={last}"),
        expected: "ranges from a first offset to a last one that is not smaller and below 2^32 - 1",
    })
}

fn too_many_cells(rows: usize, columns: usize) -> ConfigError {
    ConfigError::OutOfRange {
        setting: "measure",
        value: format!("{columns} columns for {rows} cohorts"),
        expected: "at most 2^27 cells; take a longer period or fewer offsets",
    }
}

/// The cells of a matrix while customer after customer is added.
struct Tally<'m> {
    measure: &'m Measure<'m>,
    columns: usize,
    active: Vec<u32>,
    /// The offsets of one customer, where they are read more than once.
    offsets: Vec<u32>,
}

impl<'m> Tally<'m> {
    fn new(measure: &'m Measure<'m>, rows: usize, columns: usize) -> Result<Self, ConfigError> {
        let cells = rows.checked_mul(columns).filter(|&n| n <= CELLS_MAX);
        let cells = cells.ok_or_else(|| too_many_cells(rows, columns))?;
        Ok(Self {
            measure,
            columns,
            active: vec![0; cells],
            offsets: Vec::new(),
        })
    }

    /// Adds one customer of a row; the offsets ascend and are distinct.
    fn add(&mut self, row: u32, offsets: impl Iterator<Item = u32>) {
        let begin = row as usize * self.columns;
        let Some(row) = self.active.get_mut(begin..begin + self.columns) else {
            return;
        };
        match *self.measure {
            Measure::NPeriod { .. } => {
                for k in offsets {
                    let Some(count) = row.get_mut(k as usize) else {
                        break;
                    };
                    *count += 1;
                }
            }
            Measure::Unbounded { .. } => {
                let end = row.len() - 1;
                if let Some(last) = offsets.last() {
                    row[end.min(last as usize)] += 1;
                }
            }
            Measure::Brackets(ranges) => {
                self.offsets.clear();
                self.offsets.extend(offsets);
                for (count, range) in row.iter_mut().zip(ranges) {
                    let next = self.offsets.partition_point(|k| k < range.start());
                    let inside = self.offsets.get(next).is_some_and(|k| k <= range.end());
                    *count += u32::from(inside);
                }
            }
        }
    }

    /// The counts, row by row.
    fn finish(mut self) -> Vec<u32> {
        if let Measure::Unbounded { .. } = self.measure {
            // So far each customer stands at the last offset alone.
            for row in self.active.chunks_exact_mut(self.columns.max(1)) {
                let mut from_here = 0;
                for count in row.iter_mut().rev() {
                    from_here += *count;
                    *count = from_here;
                }
            }
        }
        self.active
    }
}

/// Where an observation ends, in numbers of periods.
#[derive(Debug, Clone, Copy)]
struct EndOfObservation {
    /// Periods before this one are over.
    complete: i32,
    /// Periods before this one have begun.
    begun: i32,
}

impl EndOfObservation {
    fn new(period: Period, zone: &Zone, until: Timestamp) -> Self {
        let index = |instant| period.index_of_day(zone.day(instant));
        Self {
            complete: index(until),
            begun: index(until.saturating_add_s(-1)).saturating_add(1),
        }
    }
}

/// The cohorts by time, and the row of each period's cohort, counted from the first with activity.
fn calendar_cohorts(activity: &ActivitySummary, end: EndOfObservation) -> (Vec<Cohort>, Vec<u32>) {
    let origin = activity.periods().start;
    let mut sizes = vec![0_u32; activity.periods().len()];
    for customer in 0..activity.customers() {
        if let Some(first) = activity.first(customer).filter(|&first| first < end.begun) {
            sizes[first.abs_diff(origin) as usize] += 1;
        }
    }
    let mut cohorts = Vec::new();
    let mut row_of = Vec::with_capacity(sizes.len());
    for (period, size) in (origin..).zip(sizes) {
        row_of.push(cohorts.len() as u32);
        if size > 0 {
            let offsets_before = |end: i32| end.saturating_sub(period).max(0).unsigned_abs();
            cohorts.push(Cohort {
                period,
                size,
                complete_offsets: offsets_before(end.complete),
                begun_offsets: offsets_before(end.begun),
            });
        }
    }
    (cohorts, row_of)
}

/// Marks a customer without an event before the end of the observation: no event is before an end
/// and at the last instant there is.
const NEVER: Timestamp = Timestamp::MAX;

fn first_times(events: &Events<'_>, until: Timestamp) -> Vec<Timestamp> {
    let mut first = vec![NEVER; events.customers() as usize];
    for (customer, time) in events.iter().filter(|&(_, time)| time < until) {
        let first = &mut first[customer as usize];
        *first = time.min(*first);
    }
    first
}

/// Marks a customer without a row.
const NO_ROW: u32 = u32::MAX;

/// The cohorts by time, and the row of each customer.
fn rolling_cohorts(
    first: &[Timestamp],
    clock: &Rolling,
    until: Timestamp,
) -> (Vec<Cohort>, Vec<u32>) {
    let mut days = ZoneCursor::new(&clock.zone);
    let mut period_of = |first| clock.period.index_of_day(days.day(first));
    // By time, because the days of a zone are read fastest in their order. Periods still need the
    // sort that follows: clocks that are set back over midnight repeat the end of a day.
    let mut starts: Vec<(Timestamp, u32)> = (first.iter().copied().zip(0..))
        .filter(|&(first, _)| first != NEVER)
        .collect();
    starts.sort_unstable();
    let mut starts: Vec<(i32, Timestamp, u32)> = starts
        .into_iter()
        .map(|(first, customer)| (period_of(first), first, customer))
        .collect();
    starts.sort_by_key(|&(period, ..)| period);

    let mut row_of = vec![NO_ROW; first.len()];
    let mut cohorts = Vec::new();
    for (row, members) in (0..).zip(starts.chunk_by(|a, b| a.0 == b.0)) {
        for &(.., customer) in members {
            row_of[customer as usize] = row;
        }
        cohorts.extend(rolling_cohort(members, clock.length_s, until));
    }
    (cohorts, row_of)
}

/// The cohort of customers who share a period, given by (period, first time, customer) in the order
/// of their first times.
fn rolling_cohort(
    members: &[(i32, Timestamp, u32)],
    length_s: i64,
    until: Timestamp,
) -> Option<Cohort> {
    let (&(period, earliest, _), &(_, latest, _)) = (members.first()?, members.last()?);
    let whole_offsets = |seconds: i64| u32::try_from(seconds / length_s).unwrap_or(u32::MAX);
    let until_s = until.unix_s();
    Some(Cohort {
        period,
        size: u32::try_from(members.len()).unwrap_or(u32::MAX),
        complete_offsets: whole_offsets(until_s - latest.unix_s()),
        // Offset k has begun when k lengths lie before `until`, the end excluded.
        begun_offsets: whole_offsets(until_s - 1 - earliest.unix_s()).saturating_add(1),
    })
}

/// The distinct offsets of each customer, ascending.
struct OffsetsByCustomer {
    /// Where the offsets of each customer end; they begin where the ones before end.
    ends: Vec<usize>,
    offsets: Vec<u32>,
}

impl OffsetsByCustomer {
    fn collect(events: &Events<'_>, first: &[Timestamp], length_s: i64, until: Timestamp) -> Self {
        let seen = || events.iter().filter(|&(_, time)| time < until);
        let mut ends = vec![0_usize; first.len()];
        for (customer, _) in seen() {
            ends[customer as usize] += 1;
        }
        // First where each customer begins; filling moves it to where the customer ends.
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        let mut offsets = vec![0; total];
        for (customer, time) in seen() {
            let offset = (time.unix_s() - first[customer as usize].unix_s()) / length_s;
            let place = &mut ends[customer as usize];
            // No bounded column reaches 2^32 - 1, so that later offsets may be counted there.
            offsets[*place] = u32::try_from(offset).unwrap_or(u32::MAX);
            *place += 1;
        }
        Self { ends, offsets }
    }

    /// Calls `visit` with each customer's number and offsets.
    fn for_each(mut self, mut visit: impl FnMut(usize, &[u32])) {
        let mut begin = 0;
        for (customer, &end) in self.ends.iter().enumerate() {
            let offsets = &mut self.offsets[begin..end];
            offsets.sort_unstable();
            let distinct = distinct_prefix(offsets);
            visit(customer, distinct);
            begin = end;
        }
    }
}

/// Moves the distinct values of a sorted slice to its front.
fn distinct_prefix(sorted: &mut [u32]) -> &[u32] {
    let mut kept = 0;
    for i in 0..sorted.len() {
        if kept == 0 || sorted[i] != sorted[kept - 1] {
            sorted[kept] = sorted[i];
            kept += 1;
        }
    }
    &sorted[..kept]
}
