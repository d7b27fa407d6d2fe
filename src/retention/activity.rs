//! Activity: how many customers are there, how often, and where they come from and go to.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::share::Share;
use crate::error::ConfigError;
use crate::summary::ActivitySummary;

/// The activity of all customers in the periods of an observation.
///
/// The observation is explicit, as a range of period numbers: what lies outside it is not looked
/// at, and a period in it without any event counts as one with nobody there.
///
/// ```
/// use tenure::event::{Events, Period, Timestamp, Zone};
/// use tenure::retention::Activity;
/// use tenure::summary::ActivitySummary;
///
/// let day = |d| Timestamp::from_civil(1997, 1, d).unwrap();
/// // Customer 0 is there on the 1st, 2nd and 4th, customer 1 on the 1st alone.
/// let times = [day(1), day(1), day(2), day(4)];
/// let events = Events::new(2, &[0, 1, 0, 0], &times)?;
/// let summary = ActivitySummary::collect(&events, Period::Day, &Zone::UTC)?;
///
/// let first = Period::Day.index_of_day(Zone::UTC.day(day(1)));
/// let activity = Activity::new(&summary, first..first + 4)?;
/// assert_eq!(activity.active(), [2, 1, 0, 1]);
/// assert_eq!(activity.trailing(2)?, [2, 2, 1, 1]);
/// let lifecycle = activity.lifecycle();
/// assert_eq!((lifecycle[3].new, lifecycle[3].resurrecting), (0, 1));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Activity<'a> {
    summary: &'a ActivitySummary,
    observed: Range<i32>,
    periods: usize,
}

/// How the customers of one period stand to the periods before (growth accounting).
///
/// `new + returning + resurrecting` are the active customers of the period; `returning + dormant`
/// those of the period before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PeriodLifecycle {
    /// The period's number.
    pub period: i32,
    /// Active for the first time.
    pub new: u32,
    /// Active, as in the period before.
    pub returning: u32,
    /// Active, not in the period before, but in an earlier one.
    pub resurrecting: u32,
    /// Not active, but in the period before.
    pub dormant: u32,
}

impl PeriodLifecycle {
    /// The active customers of the period.
    pub fn active(self) -> u32 {
        self.new + self.returning + self.resurrecting
    }

    /// `(new + resurrecting) / dormant`: above 1 the number of active customers grows. `None` when
    /// nobody fell dormant.
    pub fn quick_ratio(self) -> Option<f64> {
        gained_over_lost(&[self])
    }
}

/// More periods than a calendar of 20,000 years has days.
const PERIODS_MAX: u32 = 1 << 23;

impl<'a> Activity<'a> {
    /// Looks at the periods `observed` (numbers as [`Period::index_of_day`] gives them), all of
    /// which the log covers as a whole.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for an empty range or more than 2²³ periods.
    ///
    /// [`Period::index_of_day`]: crate::event::Period::index_of_day
    pub fn new(summary: &'a ActivitySummary, observed: Range<i32>) -> Result<Self, ConfigError> {
        let periods = observed.end.abs_diff(observed.start);
        if observed.is_empty() || periods > PERIODS_MAX {
            return Err(ConfigError::OutOfRange {
                setting: "observed",
                value: format!("{observed:?}"),
                expected: "a range of 1 to 2^23 periods, the end excluded",
            });
        }
        Ok(Self {
            summary,
            observed,
            periods: periods as usize,
        })
    }

    /// The observed periods.
    pub fn observed(&self) -> Range<i32> {
        self.observed.clone()
    }

    /// Active customers in each period: daily actives (DAU) for days, weekly ones for weeks.
    pub fn active(&self) -> Vec<u32> {
        let mut active = vec![0; self.periods];
        self.for_each(|seen| {
            for &at in seen {
                active[at] += 1;
            }
        });
        active
    }

    /// For each period the distinct customers active in it or in the `window` − 1 periods before:
    /// trailing weekly actives (WAU) with days and a window of 7.
    ///
    /// The first `window` − 1 windows reach back past the observation and hold what there is.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a window of 0 periods.
    pub fn trailing(&self, window: u32) -> Result<Vec<u32>, ConfigError> {
        let window = checked_window(window)?;
        // Each activity keeps its customer in the windows up to `window` later; where the stretches
        // of a customer overlap they are one. Note where stretches begin and end, then add up.
        let mut enters = vec![0_u32; self.periods];
        let mut leaves = vec![0_u32; self.periods];
        self.for_each(|seen| {
            for (i, &at) in seen.iter().enumerate() {
                let end = at.saturating_add(window);
                let before = i.checked_sub(1).map(|i| seen[i].saturating_add(window));
                enters[at] += u32::from(before.is_none_or(|end| end < at));
                let next = seen.get(i + 1);
                if next.is_none_or(|&next| next > end)
                    && let Some(leave) = leaves.get_mut(end)
                {
                    *leave += 1;
                }
            }
        });
        let mut inside = 0;
        let changes = enters.iter().zip(&leaves);
        let trailing = changes.map(|(enter, leave)| {
            inside = inside + enter - leave;
            inside
        });
        Ok(trailing.collect())
    }

    /// Stickiness: the mean over all full windows of active / trailing active customers (DAU / WAU
    /// with days and a window of 7, DAU / MAU with 28 or 30).
    ///
    /// Windows in which nobody was active say nothing and are left out. `None` when no full
    /// window is left.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a window of 0 periods.
    pub fn stickiness(&self, window: u32) -> Result<Option<f64>, ConfigError> {
        let (active, trailing) = (self.active(), self.trailing(window)?);
        let full = active
            .iter()
            .zip(&trailing)
            .skip(checked_window(window)? - 1);
        let (mut sum, mut windows) = (0.0, 0_u32);
        for (&part, &whole) in full {
            let share = Share {
                part: part.into(),
                whole: whole.into(),
            };
            if let Some(rate) = share.rate() {
                sum += rate;
                windows += 1;
            }
        }
        Ok((windows > 0).then(|| sum / f64::from(windows)))
    }

    /// How many customers were active in exactly 1, 2, … periods, up to the number of observed
    /// ones: entry i counts those with i + 1.
    pub fn customers_by_active_periods(&self) -> Vec<u32> {
        let mut customers = vec![0; self.periods];
        self.for_each(|seen| {
            if let Some(last) = seen.len().checked_sub(1) {
                customers[last] += 1;
            }
        });
        customers
    }

    /// Where each period's customers come from, and where those of the period before went.
    pub fn lifecycle(&self) -> Vec<PeriodLifecycle> {
        let blank = |period| PeriodLifecycle {
            period,
            ..PeriodLifecycle::default()
        };
        let mut lifecycle: Vec<_> = self.observed().map(blank).collect();
        self.for_each(|seen| {
            for (i, &at) in seen.iter().enumerate() {
                match i.checked_sub(1).map(|i| seen[i]) {
                    None => lifecycle[at].new += 1,
                    Some(before) if before + 1 == at => lifecycle[at].returning += 1,
                    Some(_) => lifecycle[at].resurrecting += 1,
                }
                if seen.get(i + 1) != Some(&(at + 1))
                    && let Some(next) = lifecycle.get_mut(at + 1)
                {
                    next.dormant += 1;
                }
            }
        });
        lifecycle
    }

    /// `(new + resurrecting) / dormant` over all observed periods but the first, in which everybody
    /// is new and nobody can fall dormant; `None` when nobody fell dormant.
    pub fn quick_ratio(&self) -> Option<f64> {
        gained_over_lost(self.lifecycle().get(1..).unwrap_or_default())
    }

    /// Calls `visit` with each customer's active periods, counted from the first observed one,
    /// ascending.
    fn for_each(&self, mut visit: impl FnMut(&[usize])) {
        let mut seen = Vec::new();
        for customer in 0..self.summary.customers() {
            seen.clear();
            let periods = self.summary.active(customer);
            let observed = periods.filter(|period| self.observed.contains(period));
            seen.extend(observed.map(|period| period.abs_diff(self.observed.start) as usize));
            visit(&seen);
        }
    }
}

fn checked_window(window: u32) -> Result<usize, ConfigError> {
    if window > 0 {
        return Ok(window as usize);
    }
    Err(ConfigError::OutOfRange {
        setting: "window",
        value: window.to_string(),
        expected: "at least 1 period",
    })
}

fn gained_over_lost(lifecycle: &[PeriodLifecycle]) -> Option<f64> {
    let sum = |count: fn(&PeriodLifecycle) -> u64| lifecycle.iter().map(count).sum::<u64>();
    let gained = sum(|l| u64::from(l.new) + u64::from(l.resurrecting));
    let lost = sum(|l| l.dormant.into());
    Share {
        part: gained,
        whole: lost,
    }
    .rate()
}
