//! The churn rate between two periods.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::share::Share;
use super::window::{Windows, check_pair};
use crate::error::ConfigError;
use crate::summary::ActivitySummary;

/// What became of the customers of one period in a later one, and who else was there.
///
/// `before = retained + churned` and `after = retained + new + reactivated`.
///
/// ```
/// use tenure::event::{Events, Period, Timestamp, Zone};
/// use tenure::retention::PeriodChurn;
/// use tenure::summary::ActivitySummary;
///
/// let on = |month, d| Timestamp::from_civil(1997, month, d).unwrap();
/// // Customers 0 and 1 in January; 0 and 2 in February.
/// let times = [on(1, 5), on(1, 9), on(2, 3), on(2, 28)];
/// let events = Events::new(3, &[0, 1, 0, 2], &times)?;
/// let activity = ActivitySummary::collect(&events, Period::Month, &Zone::UTC)?;
///
/// let january = Period::Month.index_of_day(Zone::UTC.day(on(1, 1)));
/// let churn = PeriodChurn::between(&activity, january..january + 1, january + 1..january + 2)?;
/// assert_eq!((churn.before, churn.after, churn.retained, churn.new), (2, 2, 1, 1));
/// assert_eq!(churn.churn().rate(), Some(0.5));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PeriodChurn {
    /// Customers active in the earlier period.
    pub before: u32,
    /// Customers active in the later period.
    pub after: u32,
    /// Active in both.
    pub retained: u32,
    /// Active in the earlier period, not in the later one.
    pub churned: u32,
    /// Active in the later period for the first time.
    pub new: u32,
    /// Active in the later period, not in the earlier one, but at some time before the later one.
    pub reactivated: u32,
}

impl PeriodChurn {
    /// Compares two stretches of periods (numbers as the summary's period counts them, ends
    /// excluded): 4 weeks and the 4 weeks after them, say.
    ///
    /// Both must be over; of a stretch that is not, the customers who have yet to come look lost.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for an empty range or one that begins before the other ends.
    pub fn between(
        activity: &ActivitySummary,
        before: Range<i32>,
        after: Range<i32>,
    ) -> Result<Self, ConfigError> {
        check_pair(&wide(&before), &wide(&after))?;
        let mut churn = Self::default();
        for customer in 0..activity.customers() {
            let (mut was, mut is, mut first) = (false, false, None);
            for period in activity.active(customer) {
                first = first.or(Some(period));
                was |= before.contains(&period);
                is |= after.contains(&period);
            }
            churn.before += u32::from(was);
            churn.after += u32::from(is);
            match (was, is) {
                (true, true) => churn.retained += 1,
                (true, false) => churn.churned += 1,
                (false, true) if first.is_some_and(|first| after.contains(&first)) => {
                    churn.new += 1;
                }
                (false, true) => churn.reactivated += 1,
                (false, false) => {}
            }
        }
        Ok(churn)
    }

    /// Cuts the periods `observed` into windows of `length` periods and compares each with the
    /// next; what is left at the end and fills no window is left out. Entry i compares window i
    /// with i + 1.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a length of 0, an empty range or more than 2²³ windows.
    pub fn series(
        activity: &ActivitySummary,
        observed: Range<i32>,
        length: u32,
    ) -> Result<Vec<Self>, ConfigError> {
        let windows = Windows::new(wide(&observed), length)?;
        let mut series = vec![Self::default(); windows.pairs()];
        let mut seen = Vec::new();
        for customer in 0..activity.customers() {
            seen.clear();
            let periods = activity.active(customer);
            seen.extend(periods.filter_map(|period| windows.of(period.into())));
            seen.dedup();
            let first = activity
                .first(customer)
                .and_then(|first| windows.of(first.into()));
            for (i, &window) in seen.iter().enumerate() {
                let earlier = i.checked_sub(1).map(|i| seen[i]);
                if let Some(pair) = window.checked_sub(1).and_then(|i| series.get_mut(i)) {
                    pair.after += 1;
                    match earlier {
                        Some(earlier) if earlier + 1 == window => pair.retained += 1,
                        _ if first == Some(window) => pair.new += 1,
                        _ => pair.reactivated += 1,
                    }
                }
                if let Some(pair) = series.get_mut(window) {
                    pair.before += 1;
                    pair.churned += u32::from(seen.get(i + 1) != Some(&(window + 1)));
                }
            }
        }
        Ok(series)
    }

    /// The churn rate: customers of the earlier period who were not there in the later one, of all
    /// of the earlier one. Who comes back later still counts as churned here.
    pub fn churn(self) -> Share {
        Share {
            part: self.churned.into(),
            whole: self.before.into(),
        }
    }

    /// The retention rate: the share of the others.
    pub fn retention(self) -> Share {
        self.churn().complement()
    }
}

fn wide(range: &Range<i32>) -> Range<i64> {
    range.start.into()..range.end.into()
}
