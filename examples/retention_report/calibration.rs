//! The models tried on what they had not seen: fitted up to a day, asked about the time after it.

use tenure::event::Timestamp;
use tenure::lifetime::forecast::{self, FrequencyClass};
use tenure::lifetime::{BgNbd, FitOptions, Fitted, GammaGamma, PurchaseModel};
use tenure::summary::{Histories, PurchaseSummary, TimeUnit};

/// Customers with so many repeat purchases or more share a class.
pub const LAST_CLASS: u32 = 7;

/// Models of the calibration period and how they did in the hold-out.
pub struct Calibration {
    pub end_day: i64,
    pub customers: usize,
    pub purchases: Fitted<BgNbd>,
    /// The spend model, or why there is none.
    pub spend: Result<Fitted<GammaGamma>, String>,
    /// Length of the hold-out in weeks.
    pub holdout_weeks: f64,
    pub holdout_actual: u64,
    pub holdout_expected: f64,
    pub classes: Vec<Class>,
    pub tracking: Vec<Week>,
    pub frequency_fit: Vec<FrequencyClass>,
}

/// Customers with one number of repeat purchases in the calibration period.
#[derive(Clone, Copy, Default)]
pub struct Class {
    pub customers: u64,
    /// Purchases in the hold-out, of all of them.
    pub actual: u64,
    pub expected: f64,
}

/// Cumulative repeat purchases of the calibration customers, by weeks since the first purchase of all.
pub struct Week {
    pub week: u32,
    pub actual: u64,
    pub expected: f64,
}

impl Calibration {
    pub fn new(
        summary: &PurchaseSummary,
        end: Timestamp,
        until: Timestamp,
    ) -> Result<Self, String> {
        Self::fit(summary, end, until).map_err(|error| error.to_string())
    }

    fn fit(
        summary: &PurchaseSummary,
        end: Timestamp,
        until: Timestamp,
    ) -> Result<Self, tenure::Error> {
        let known = summary.purchases_as_of(end)?;
        let histories = known.histories(end, TimeUnit::Week)?;
        let options = FitOptions::default();
        let purchases = BgNbd::fit(&histories, &options)?;
        let spend = GammaGamma::fit(&histories, &options).map_err(|error| error.to_string());

        let all = summary.purchases()?;
        let days = |instant| all.days(all.period_of(instant));
        let holdout_weeks = (days(until) - days(end)) / TimeUnit::Week.days();
        let holdout = all.holdout(&histories, end, until)?;
        let mut expected = vec![0.0; histories.len()];
        purchases.expected_purchases_batch(&histories, holdout_weeks, &mut expected)?;
        let mut classes = vec![Class::default(); LAST_CLASS as usize + 1];
        let rows = histories
            .frequency()
            .iter()
            .zip(&holdout.purchases)
            .zip(&expected);
        for ((&frequency, &actual), &expected) in rows {
            if let Some(class) = classes.get_mut(frequency.min(LAST_CLASS) as usize) {
                class.customers += 1;
                class.actual += u64::from(actual);
                class.expected += expected;
            }
        }
        Ok(Self {
            end_day: days(end) as i64,
            customers: histories.len(),
            tracking: track(&all, &histories, &purchases, until)?,
            frequency_fit: forecast::frequency_fit(&purchases.model, &histories, LAST_CLASS),
            spend,
            holdout_weeks,
            holdout_actual: holdout
                .purchases
                .iter()
                .map(|&count| u64::from(count))
                .sum(),
            holdout_expected: expected.iter().sum(),
            classes,
            purchases,
        })
    }
}

/// Actual and expected repeat purchases of the calibration customers, week by week.
fn track(
    all: &tenure::summary::Purchases,
    histories: &Histories,
    model: &BgNbd,
    until: Timestamp,
) -> Result<Vec<Week>, tenure::Error> {
    let start = histories
        .customer()
        .iter()
        .filter_map(|&customer| all.first(customer));
    let start = start
        .map(|purchase| all.days(purchase.period))
        .fold(f64::INFINITY, f64::min);
    let week_of = |period: i64| ((all.days(period) - start) / TimeUnit::Week.days()) as usize;
    let last = all.period_of(until);
    let mut counts = vec![0_u64; week_of(last) + 1];
    for &customer in histories.customer() {
        for purchase in all
            .of(customer)
            .iter()
            .skip(1)
            .take_while(|p| p.period <= last)
        {
            if let Some(count) = counts.get_mut(week_of(purchase.period)) {
                *count += 1;
            }
        }
    }
    let weeks = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    let expected = forecast::tracking(model, &forecast::first_purchases(histories), 1.0, weeks)?;
    let mut actual = 0;
    Ok((1..)
        .zip(counts.into_iter().zip(expected))
        .map(|(week, (count, expected))| {
            actual += count;
            Week {
                week,
                actual,
                expected: expected.cumulative,
            }
        })
        .collect())
}
