//! Revenue retention: what the customers of one period spend in a later one.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::window::{Windows, check_pair};
use crate::error::ConfigError;
use crate::summary::{Purchase, Purchases};

/// How the revenue of one period becomes that of a later one, in minor units, exactly.
///
/// `after = before + expansion − contraction − churned + new + resurrected`. A customer of a period
/// is one with a purchase in it.
///
/// ```
/// use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
/// use tenure::retention::RevenueRetention;
/// use tenure::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds};
///
/// let on = |month| Timestamp::from_civil(1997, month, 5).unwrap();
/// let (log, _) = Transactions::from_rows(Decimals::TWO, [
///     ("ann", on(1), 100_00), ("ann", on(2), 130_00), // spends 30 more
///     ("bob", on(1), 100_00), ("bob", on(2), 60_00),  // spends 40 less
///     ("cyd", on(1), 50_00),                          // does not come back
///     ("dan", on(2), 20_00),                          // is new
/// ])?;
/// let grain = Grain::Period(Period::Month);
/// let options = PurchaseOptions { grain, zone: Zone::UTC, refunds: Refunds::Net };
/// let purchases = PurchaseSummary::collect(&log, &options)?.into_purchases()?;
///
/// let january = purchases.period_of(on(1));
/// let kept = RevenueRetention::between(&purchases, january..january + 1, january + 1..january + 2)?;
/// assert_eq!((kept.before_minor, kept.after_minor), (250_00, 210_00));
/// assert_eq!(kept.net(), Some(190.0 / 250.0));
/// assert_eq!(kept.gross(), Some(160.0 / 250.0));
/// assert_eq!(kept.quick_ratio(), Some(50.0 / 90.0));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RevenueRetention {
    /// Revenue of the earlier period.
    pub before_minor: i128,
    /// Revenue of the later period.
    pub after_minor: i128,
    /// What customers of both spent more in the later one.
    pub expansion_minor: i128,
    /// What customers of both spent less in the later one; not negative.
    pub contraction_minor: i128,
    /// What customers of the earlier period alone had spent in it; not negative.
    pub churned_minor: i128,
    /// What customers spent in the later period whose first purchase lies in it.
    pub new_minor: i128,
    /// What customers spent in the later period who bought nothing in the earlier one, but at some
    /// time before the later one.
    pub resurrected_minor: i128,
}

impl RevenueRetention {
    /// Compares two stretches of periods, numbered as [`Purchase::period`] (ends excluded).
    ///
    /// Both must be over; of a stretch that is not, the revenue that is yet to come looks lost.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for an empty range or one that begins before the other ends.
    pub fn between(
        purchases: &Purchases,
        before: Range<i64>,
        after: Range<i64>,
    ) -> Result<Self, ConfigError> {
        check_pair(&before, &after)?;
        let mut total = Self::default();
        for run in purchases.iter() {
            let (earlier, later) = (spend_in(run, &before), spend_in(run, &after));
            if let Some(spend) = earlier {
                total.leave(spend, later);
            }
            if let Some(spend) = later {
                let first = run.first().is_some_and(|p| after.contains(&p.period));
                total.arrive(spend, earlier.is_some(), first);
            }
        }
        Ok(total)
    }

    /// Cuts the periods `observed` into windows of `length` periods and compares each with the
    /// next; what is left at the end and fills no window is left out. Entry i compares window i
    /// with i + 1.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a length of 0, an empty range or more than 2²³ windows.
    pub fn series(
        purchases: &Purchases,
        observed: Range<i64>,
        length: u32,
    ) -> Result<Vec<Self>, ConfigError> {
        let windows = Windows::new(observed, length)?;
        let mut series = vec![Self::default(); windows.pairs()];
        let mut spent: Vec<(usize, i128)> = Vec::new();
        for run in purchases.iter() {
            spend_by_window(run, &windows, &mut spent);
            let first = run.first().and_then(|purchase| windows.of(purchase.period));
            for (i, &(window, spend)) in spent.iter().enumerate() {
                let earlier = i.checked_sub(1).map(|i| spent[i].0);
                if let Some(pair) = window.checked_sub(1).and_then(|i| series.get_mut(i)) {
                    let was = earlier.is_some_and(|earlier| earlier + 1 == window);
                    pair.arrive(spend, was, first == Some(window));
                }
                if let Some(pair) = series.get_mut(window) {
                    let next = spent.get(i + 1).filter(|next| next.0 == window + 1);
                    pair.leave(spend, next.map(|next| next.1));
                }
            }
        }
        Ok(series)
    }

    /// Net revenue retention: what the earlier period's customers spend in the later one, for each
    /// unit they spent before. Above 1 when those who stay more than make up for those who leave.
    /// `None` when the earlier period had no revenue.
    pub fn net(self) -> Option<f64> {
        let lost = self.contraction_minor + self.churned_minor;
        ratio(
            self.before_minor + self.expansion_minor - lost,
            self.before_minor,
        )
    }

    /// Gross revenue retention: as [`net`](Self::net), but nobody counts for more than before, Σ
    /// min(before, after) / Σ before. From 0 to 1; it cannot be made good by a few who spend more.
    pub fn gross(self) -> Option<f64> {
        let lost = self.contraction_minor + self.churned_minor;
        ratio(self.before_minor - lost, self.before_minor)
    }

    /// `(new + resurrected + expansion) / (contraction + churned)`: above 1 revenue grows. `None`
    /// when nothing was lost.
    pub fn quick_ratio(self) -> Option<f64> {
        let gained = self.new_minor + self.resurrected_minor + self.expansion_minor;
        ratio(gained, self.contraction_minor + self.churned_minor)
    }

    /// Counts a customer of the earlier period, who spends `later` in the later one or is not
    /// there.
    fn leave(&mut self, spend: i128, later: Option<i128>) {
        self.before_minor += spend;
        match later {
            Some(later) => {
                self.expansion_minor += (later - spend).max(0);
                self.contraction_minor += (spend - later).max(0);
            }
            None => self.churned_minor += spend,
        }
    }

    /// Counts a customer of the later period.
    fn arrive(&mut self, spend: i128, was_there: bool, first: bool) {
        self.after_minor += spend;
        if !was_there {
            let source = if first {
                &mut self.new_minor
            } else {
                &mut self.resurrected_minor
            };
            *source += spend;
        }
    }
}

/// What was spent in a range of periods, or `None` without a purchase in it.
fn spend_in(run: &[Purchase], periods: &Range<i64>) -> Option<i128> {
    let from = run.partition_point(|purchase| purchase.period < periods.start);
    let to = run.partition_point(|purchase| purchase.period < periods.end);
    let inside = run.get(from..to).filter(|inside| !inside.is_empty())?;
    Some(
        inside
            .iter()
            .map(|purchase| i128::from(purchase.amount_minor))
            .sum(),
    )
}

/// Fills `spent` with the windows in which there are purchases and what was spent in them.
fn spend_by_window(run: &[Purchase], windows: &Windows, spent: &mut Vec<(usize, i128)>) {
    spent.clear();
    for purchase in run {
        let Some(window) = windows.of(purchase.period) else {
            continue;
        };
        let amount_minor = i128::from(purchase.amount_minor);
        match spent.last_mut() {
            Some((last, sum)) if *last == window => *sum += amount_minor,
            _ => spent.push((window, amount_minor)),
        }
    }
}

/// The nearest `f64`, or `None` for a whole of 0.
fn ratio(part_minor: i128, whole_minor: i128) -> Option<f64> {
    (whole_minor != 0).then(|| part_minor as f64 / whole_minor as f64)
}
