//! Items that are there for some time only.

use std::ops::Range;

use super::{ItemFilter, Query};
use crate::error::DataError;
use crate::event::Timestamp;

/// From when, and until when, items may be shown.
///
/// An item may have several times; it may be shown in any of them, from the instant at which one begins (included) until that
/// at which it ends (excluded). An item without a time may always be shown. [`Timestamp::MIN`] and [`Timestamp::MAX`]
/// leave a time open at one end.
///
/// ```
/// use tenure::event::Timestamp;
/// use tenure::recommend::{Availability, ItemFilter, Query};
///
/// let day = |month, day| Timestamp::from_civil(2024, month, day).unwrap();
/// // Item 1 is sold in December, item 2 from February on.
/// let season = Availability::new([(1, day(12, 1)..day(12, 27)), (2, day(2, 1)..Timestamp::MAX)])?;
/// let shown = |now| (0..3).filter(|&item| season.at(now).allows(&Query::Customer(0), item)).collect::<Vec<u32>>();
/// assert_eq!(shown(day(1, 31)), [0]);
/// assert_eq!(shown(day(12, 1)), [0, 1, 2]);
/// assert_eq!(shown(day(12, 27)), [0, 2]);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// A binary search among the times for each item that is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Availability {
    /// By item.
    times: Vec<(u32, Range<Timestamp>)>,
}

impl Availability {
    /// Of items and the times at which they may be shown, in any order.
    ///
    /// # Errors
    /// [`DataError::Value`] for a time that ends before it begins; one that ends as it begins is a time at which
    /// the item is not shown.
    pub fn new(
        times: impl IntoIterator<Item = (u32, Range<Timestamp>)>,
    ) -> Result<Self, DataError> {
        let mut times: Vec<(u32, Range<Timestamp>)> = times.into_iter().collect();
        for (row, (_, time)) in (1..).zip(&times) {
            if time.end < time.start {
                return Err(DataError::Value {
                    row,
                    column: "until".to_owned(),
                    value: time.end.to_string(),
                    expected: "not before the instant from which the item is shown",
                });
            }
        }
        times.sort_by_key(|&(item, _)| item);
        Ok(Self { times })
    }

    /// What may be shown at an instant: that of the query. The crate has no clock of its own.
    pub fn at(&self, now: Timestamp) -> AvailableAt<'_> {
        AvailableAt { times: self, now }
    }

    /// Whether an item may be shown at an instant.
    pub fn is_available(&self, item: u32, now: Timestamp) -> bool {
        let begin = self.times.partition_point(|(other, _)| *other < item);
        let rest = self.times.get(begin..).unwrap_or_default();
        let mut own = rest.iter().take_while(|(other, _)| *other == item);
        match own.next() {
            Some((_, first)) => first.contains(&now) || own.any(|(_, time)| time.contains(&now)),
            None => true,
        }
    }
}

/// What may be shown at an instant: [`Availability::at`].
#[derive(Debug, Clone, Copy)]
pub struct AvailableAt<'a> {
    times: &'a Availability,
    now: Timestamp,
}

impl ItemFilter for AvailableAt<'_> {
    fn allows(&self, _: &Query<'_>, item: u32) -> bool {
        self.times.is_available(item, self.now)
    }
}
