//! The whole analysis: facts → summaries → models → answers.

use std::error::Error;

use tenure::event::{DAY_S, Decimals, Events, Ids, Period, Timestamp, Transactions, Zone};
use tenure::retention::{CohortMatrix, Measure, RepeatPoint, RepeatPurchases, Share};
use tenure::summary::{
    ActivitySummary, Grain, PurchaseOptions, PurchaseSummary, Purchases, Refunds,
};

use super::args::Args;
use super::calibration::Calibration;
use super::outlook::Outlook;
use super::people::People;
use super::progress::step;

/// A log and what it is called.
pub struct Shop {
    pub name: String,
    /// Where the rows come from, for the page's provenance.
    pub source: String,
    pub log: Transactions,
    pub keys: Ids<String>,
    /// Bad rows that were left out.
    pub rejected: u64,
    /// The day up to which models are fitted before they are tried on the rest, if it is known.
    pub calibration_end: Option<Timestamp>,
}

/// What is known at the end.
pub struct Analysis {
    pub name: String,
    pub source: String,
    pub keys: Ids<String>,
    pub decimals: Decimals,
    pub currency: String,
    pub rows: usize,
    pub rejected: u64,
    pub zone: Zone,
    pub first_day: i32,
    pub last_day: i32,
    pub purchases: Purchases,
    pub repeat_rate: Share,
    pub median_gap_days: Option<f64>,
    pub repeat_curve: Vec<RepeatPoint>,
    pub cohorts: CohortMatrix,
    /// The models tried on what they had not seen, or why they were not.
    pub calibration: Result<Calibration, String>,
    /// What the models say from today on, or why they do not.
    pub outlook: Result<Outlook, String>,
    pub people: People,
    pub horizon_months: u32,
    pub discount_annual: f64,
}

/// A cohort is a week while the log is shorter than this, else a month.
const WEEKLY_UP_TO_DAYS: i32 = 120;
/// Weeks in which a second purchase is looked for.
const REPEAT_WEEKS_MAX: i32 = 104;

impl Analysis {
    pub fn new(shop: Shop, args: &Args) -> Result<Self, Box<dyn Error>> {
        let Shop {
            name,
            source,
            log,
            keys,
            rejected,
            calibration_end,
        } = shop;
        let (Some(start), Some(end)) = (log.start(), log.end()) else {
            return Err("the log has no rows: there is nobody to report on".into());
        };
        let zone = args.zone.clone();
        let (first_day, last_day) = (zone.day(start), zone.day(end));
        let day_after = zone
            .start_of_day(i64::from(last_day) + 1)
            .unwrap_or(Timestamp::MAX);
        let (rows, decimals) = (log.len(), log.decimals());

        let options = PurchaseOptions {
            grain: Grain::Period(Period::Day),
            zone: zone.clone(),
            refunds: Refunds::Net,
        };
        let activity = step("Finding who was there when", || {
            let period = match last_day - first_day {
                days if days <= WEEKLY_UP_TO_DAYS => Period::ISO_WEEK,
                _ => Period::Month,
            };
            ActivitySummary::collect(&Events::from(&log), period, &zone)
        })?;
        let summary = step("Sorting purchases", || {
            PurchaseSummary::collect(&log, &options)
        })?;
        drop(log); // The summaries remember what is needed.

        let offsets = u32::try_from(activity.periods().len())?.max(1);
        let cohorts = CohortMatrix::calendar(&activity, &Measure::NPeriod { offsets }, day_after)?;
        drop(activity);

        let calibration = step("Trying the models on a hold-out", || {
            let end = calibration_end.ok_or("the log spans too few days to hold any out")?;
            Calibration::new(&summary, end, end_of(&zone, last_day))
        });
        let purchases = summary.into_purchases()?;
        let repeat = RepeatPurchases::new(&purchases, day_after);
        let weeks = ((last_day - first_day) / 7).clamp(1, REPEAT_WEEKS_MAX);
        let outlook = Outlook::new(&purchases, end, args);
        let people = step("Telling segments and stages", || {
            People::new(&purchases, end)
        })?;
        Ok(Self {
            repeat_rate: repeat.rate(),
            median_gap_days: repeat.median_gap_s().map(|seconds| seconds / DAY_S as f64),
            repeat_curve: repeat.curve(2, 7 * DAY_S, weeks.unsigned_abs())?,
            name,
            source,
            keys,
            decimals,
            currency: args.currency.clone(),
            rows,
            rejected,
            zone,
            first_day,
            last_day,
            purchases,
            cohorts,
            calibration,
            outlook,
            people,
            horizon_months: args.horizon_months,
            discount_annual: args.discount_annual,
        })
    }

    /// The key of a customer's number.
    pub fn key(&self, customer: u32) -> &str {
        self.keys.key(customer).map_or("?", String::as_str)
    }

    /// The end of the last day: everything is said as of then.
    pub fn as_of(&self) -> Timestamp {
        end_of(&self.zone, self.last_day)
    }

    /// What was spent in all, in minor units.
    pub fn revenue_minor(&self) -> i128 {
        self.purchases
            .iter()
            .flatten()
            .map(|purchase| i128::from(purchase.amount_minor))
            .sum()
    }

    /// What the peak of memory is made of.
    pub fn memory_note(&self) -> String {
        let mb = |bytes: usize| bytes as f64 / 1e6;
        let columns = mb(self.rows * 20);
        format!(
            "the columns of {} rows take {columns:.0} MB at 20 bytes each until they are summarised; \
             the summary takes 16 bytes for each of {} purchases, and each customer some 200 bytes of keys, histories and answers",
            self.rows,
            self.purchases.len()
        )
    }
}

/// The last instant of a day.
fn end_of(zone: &Zone, day: i32) -> Timestamp {
    let next = zone
        .start_of_day(i64::from(day) + 1)
        .unwrap_or(Timestamp::MAX);
    next.saturating_add_s(-1)
}
