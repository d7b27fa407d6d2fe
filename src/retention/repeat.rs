//! Repeat purchases: how many come back, how soon, and how often.

use serde::{Deserialize, Serialize};

use super::share::Share;
use crate::error::ConfigError;
use crate::event::{DAY_S, Timestamp};
use crate::summary::{Grain, Purchase, Purchases};

/// What the purchases of a log say about coming back, up to the end of an observation.
///
/// What is one purchase is for the [`Grain`] of the purchases to say: with [`Grain::Period`] of a
/// day, a customer who buys twice on one day has not come back. Times between purchases are
/// seconds: exact ones with [`Grain::Instant`], else 86,400 for each calendar day from the first
/// day of a period to that of another.
///
/// ```
/// use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
/// use tenure::retention::{RepeatPurchases, Share};
/// use tenure::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds};
///
/// let day = |d| Timestamp::from_civil(1997, 1, d).unwrap();
/// let (log, _) = Transactions::from_rows(Decimals::TWO, [
///     ("ann", day(1), 2933), ("bob", day(5), 1177), ("ann", day(11), 2973), ("ann", day(14), 1496),
/// ])?;
/// let grain = Grain::Period(Period::Day);
/// let options = PurchaseOptions { grain, zone: Zone::UTC, refunds: Refunds::Ignore };
/// let purchases = PurchaseSummary::collect(&log, &options)?.into_purchases()?;
///
/// let repeat = RepeatPurchases::new(&purchases, day(21));
/// assert_eq!(repeat.rate(), Share { part: 1, whole: 2 });
/// assert_eq!(repeat.mean_purchases(), Some(2.0));
/// assert_eq!(repeat.median_gap_s(), Some(6.5 * 86_400.0)); // of 10 days and 3 days
///
/// // Who buys a second time within 10 days of the first time?
/// let curve = repeat.curve(2, 10 * 86_400, 1)?;
/// assert_eq!(curve[1].observed, Share { part: 1, whole: 2 });
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RepeatPurchases<'a> {
    purchases: &'a Purchases,
    /// The last period in which a purchase would have been seen.
    last_period: i64,
}

/// One point of a repeat-purchase curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RepeatPoint {
    /// Seconds after the first purchase.
    pub after_s: i64,
    /// The share of customers who have made the n-th purchase by then, after Kaplan and Meier:
    /// customers whose observation ended earlier count for as long as it lasted. `None` past the
    /// last moment at which a customer without the n-th purchase was under observation.
    pub share: Option<f64>,
    /// Greenwood's standard error of `share`.
    pub standard_error: Option<f64>,
    /// Customers without the n-th purchase whose observation reached this point, those who made it
    /// at this very point included.
    pub at_risk: u64,
    /// The plain share among those customers alone who were observed for so long. It leaves out
    /// what is known of the others, and as its whole shrinks from point to point, it can fall.
    pub observed: Share,
}

/// More points than a curve can show.
const POINTS_MAX: u32 = 1 << 20;

impl<'a> RepeatPurchases<'a> {
    /// Reads purchases up to the end of the observation, `until`: every purchase before it is
    /// known.
    ///
    /// Purchases from `until` on are not looked at. With [`Grain::Period`] the period of the last
    /// second before `until` counts as a whole; take the end of a period.
    pub fn new(purchases: &'a Purchases, until: Timestamp) -> Self {
        let last_period = purchases.period_of(until.saturating_add_s(-1));
        Self {
            purchases,
            last_period,
        }
    }

    /// Customers with at least one purchase.
    pub fn customers(&self) -> u64 {
        self.count(1)
    }

    /// Repeat-purchase rate: customers with two purchases or more, of those with at least one.
    ///
    /// Customers who came late had less time to come back, so that a shop that grows sees too low a
    /// rate; the [curve](Self::curve) corrects for that.
    pub fn rate(&self) -> Share {
        Share {
            part: self.count(2),
            whole: self.count(1),
        }
    }

    /// Purchases per customer, over those with at least one; `None` when nobody bought.
    pub fn mean_purchases(&self) -> Option<f64> {
        let part = self.by_customer().map(|seen| seen.len() as u64).sum();
        Share {
            part,
            whole: self.customers(),
        }
        .rate()
    }

    /// The median of the times from one purchase to the next, in seconds; `None` without a repeat
    /// purchase.
    ///
    /// All times of all customers count alike. Frequent customers have more of them, and long ones
    /// are cut off by the end of the observation: the median says what a typical *repeat purchase*
    /// waited for, not what a typical *customer* does. For that take the [curve](Self::curve).
    pub fn median_gap_s(&self) -> Option<f64> {
        quantile(&mut self.gaps_s(), 0.5)
    }

    /// A quantile of the times from one purchase to the next, in seconds (Hyndman and Fan 1996,
    /// type 7: linear between order statistics); `None` without a repeat purchase.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 ≤ `probability` ≤ 1.
    pub fn gap_quantile_s(&self, probability: f64) -> Result<Option<f64>, ConfigError> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(ConfigError::OutOfRange {
                setting: "probability",
                value: probability.to_string(),
                expected: "from 0 to 1",
            });
        }
        Ok(quantile(&mut self.gaps_s(), probability))
    }

    /// The share of customers who make their `nth` purchase within 0, 1, … `steps` steps of
    /// `step_s` seconds after the first one.
    ///
    /// A customer whose observation ends before the purchase is *censored*: whether it comes later
    /// is unknown. Kaplan and Meier (1958) let each count for as long as it was observed, which is
    /// right when early and late customers are of one kind; where they are not, compare
    /// [`RepeatPoint::observed`], and read cohorts instead.
    ///
    /// Costs a sort of the customers.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for `nth` below 2, `step_s` below 1 or more than 2²⁰ steps.
    pub fn curve(
        &self,
        nth: u32,
        step_s: i64,
        steps: u32,
    ) -> Result<Vec<RepeatPoint>, ConfigError> {
        let check = |good: bool, setting, value: i64, expected| {
            let value = value.to_string();
            if good {
                Ok(())
            } else {
                Err(ConfigError::OutOfRange {
                    setting,
                    value,
                    expected,
                })
            }
        };
        check(
            nth >= 2,
            "nth",
            nth.into(),
            "at least 2, the first repeat purchase",
        )?;
        check(step_s >= 1, "step_s", step_s, "at least 1 second")?;
        check(
            steps <= POINTS_MAX,
            "steps",
            steps.into(),
            "at most 2^20 points",
        )?;

        let waits = self.waits(nth);
        let observed = observed_shares(&waits, step_s, steps);
        let mut estimate = KaplanMeier::new(&waits);
        let points = (0_i64..).zip(observed).map(|(i, observed)| {
            let after_s = step_s.saturating_mul(i);
            let (share, standard_error, at_risk) = estimate.at(after_s);
            RepeatPoint {
                after_s,
                share,
                standard_error,
                at_risk,
                observed,
            }
        });
        Ok(points.collect())
    }

    /// The purchases of each customer that were seen; of some customers none.
    fn by_customer(&self) -> impl Iterator<Item = &'a [Purchase]> {
        let last_period = self.last_period;
        self.purchases.iter().map(move |all| {
            let seen = all.partition_point(|purchase| purchase.period <= last_period);
            all.get(..seen).unwrap_or_default()
        })
    }

    fn count(&self, purchases: usize) -> u64 {
        let customers = self.by_customer();
        customers.filter(|seen| seen.len() >= purchases).count() as u64
    }

    fn gaps_s(&self) -> Vec<i64> {
        let gaps = self.by_customer().flat_map(|seen| {
            let later = seen.iter().skip(1);
            later
                .zip(seen)
                .map(|(b, a)| self.start_s(b.period) - self.start_s(a.period))
        });
        gaps.collect()
    }

    fn waits(&self, nth: u32) -> Vec<Wait> {
        let end_s = self.start_s(self.last_period);
        let waits = self.by_customer().filter_map(|seen| {
            let first_s = self.start_s(seen.first()?.period);
            let nth = seen.get(nth as usize - 1);
            Some(Wait {
                bought_s: nth.map(|purchase| self.start_s(purchase.period) - first_s),
                observed_s: end_s - first_s,
            })
        });
        waits.collect()
    }

    /// When a period of the purchases begins, in seconds of a clock that is never changed.
    fn start_s(&self, period: i64) -> i64 {
        match self.purchases.options().grain {
            Grain::Instant => period,
            // The numbers of calendar periods fit 32 bits.
            Grain::Period(kind) => i32::try_from(period).map_or(0, |p| kind.first_day(p) * DAY_S),
        }
    }
}

/// One customer's wait for the n-th purchase, in seconds from the first.
struct Wait {
    bought_s: Option<i64>,
    /// How long a purchase would have been seen; never less than `bought_s`.
    observed_s: i64,
}

fn observed_shares(waits: &[Wait], step_s: i64, steps: u32) -> Vec<Share> {
    // A customer counts in the whole from point 0 to the last one observed, and in the part from
    // the first one at or after the purchase. Note where each begins and ends, then add up.
    let points = steps as usize + 1;
    let point = |i: i64| usize::try_from(i).map_or(points, |i| i.min(points));
    let mut enters = vec![0_u64; points + 1];
    let mut leaves = vec![(0_u64, 0_u64); points + 1];
    for wait in waits {
        let end = point(wait.observed_s / step_s + 1);
        leaves[end].1 += 1;
        if let Some(bought_s) = wait.bought_s {
            let begin = point(bought_s / step_s + i64::from(bought_s % step_s > 0));
            if begin < end {
                enters[begin] += 1;
                leaves[end].0 += 1;
            }
        }
    }
    let mut share = Share {
        part: 0,
        whole: waits.len() as u64,
    };
    let changes = enters.iter().zip(&leaves).take(points);
    let shares = changes.map(|(enter, leave)| {
        share.part = share.part + enter - leave.0;
        share.whole -= leave.1;
        share
    });
    shares.collect()
}

/// The product-limit estimate, read at ascending times.
struct KaplanMeier {
    /// When each customer leaves: (seconds, whether by purchase), ascending.
    leaves: Vec<(i64, bool)>,
    /// How many of them have left.
    left: usize,
    survival: f64,
    /// Greenwood's sum Σ d / (n (n − d)).
    variance_sum: f64,
}

impl KaplanMeier {
    fn new(waits: &[Wait]) -> Self {
        let leave = |wait: &Wait| match wait.bought_s {
            Some(bought_s) => (bought_s, true),
            None => (wait.observed_s, false),
        };
        let mut leaves: Vec<_> = waits.iter().map(leave).collect();
        leaves.sort_unstable();
        Self {
            leaves,
            left: 0,
            survival: 1.0,
            variance_sum: 0.0,
        }
    }

    /// The share who bought by `time_s`, its standard error, and how many were at risk there.
    fn at(&mut self, time_s: i64) -> (Option<f64>, Option<f64>, u64) {
        // Those who leave before this time, then those who leave at it.
        self.leave_while(|s| s < time_s);
        let at_risk = (self.leaves.len() - self.left) as u64;
        self.leave_while(|s| s <= time_s);
        if at_risk == 0 && self.survival > 0.0 {
            return (None, None, 0);
        }
        let standard_error = self.survival * self.variance_sum.sqrt();
        (Some(1.0 - self.survival), Some(standard_error), at_risk)
    }

    fn leave_while(&mut self, due: impl Fn(i64) -> bool) {
        while let Some(&(time_s, _)) = self.leaves.get(self.left).filter(|leave| due(leave.0)) {
            let rest = &self.leaves[self.left..];
            let leaving = rest.iter().take_while(|leave| leave.0 == time_s);
            let (leaving, bought) =
                leaving.fold((0, 0_u64), |(n, d), leave| (n + 1, d + u64::from(leave.1)));
            let (at_risk, bought) = (rest.len() as f64, bought as f64);
            self.survival *= (at_risk - bought) / at_risk;
            if at_risk > bought {
                self.variance_sum += bought / (at_risk * (at_risk - bought));
            }
            self.left += leaving;
        }
    }
}

fn quantile(values: &mut [i64], probability: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let position = last as f64 * probability;
    let below = (position.floor() as usize).min(last);
    let (_, &mut low, above) = values.select_nth_unstable(below);
    let high = above.iter().min().map_or(low, |&high| high);
    Some(low as f64 + (position - below as f64) * (high - low) as f64)
}
