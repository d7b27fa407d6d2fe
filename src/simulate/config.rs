//! A retailer's settings, checked once.

use super::assortment::Assortment;
use super::offers::{Assignment, Offers};
use super::purchase::PurchaseProcess;
use super::sampling::CUSTOMERS_MAX;
use super::season::Season;
use super::spend::Spend;
use crate::error::ConfigError;
use crate::event::{DAY_S, Decimals, Timestamp};
use crate::summary::TimeUnit;

/// Everything that makes a retailer; [`Retailer::new`](super::Retailer::new) checks it.
///
/// Start from a preset and change what the question needs:
///
/// ```
/// use tenure::simulate::{PurchaseProcess, Retailer, RetailerConfig};
///
/// let retailer = Retailer::new(RetailerConfig {
///     days: 2 * 365,
///     purchase: PurchaseProcess::pareto_nbd(0.55, 10.6, 0.61, 11.7),
///     ..RetailerConfig::cdnow_like(1_000, 42)
/// })?;
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RetailerConfig {
    /// How many customers: at most 2⁴⁸.
    pub customers: u64,
    /// The same seed gives the same retailer, on every machine and with any number of threads.
    pub seed: u64,
    /// The first instant simulated.
    pub start: Timestamp,
    /// How many days of 24 hours are simulated: from 1 to 36,525 (a century).
    pub days: u32,
    /// First purchases fall evenly over this many days from the start; 0 puts them all at the start.
    /// At most `days`.
    pub acquisition_days: u32,
    /// The unit of time of the purchase process.
    pub unit: TimeUnit,
    /// When customers buy and when they stop.
    pub purchase: PurchaseProcess,
    /// How much they spend.
    pub spend: Spend,
    /// What they buy; `None` for a log without items.
    pub assortment: Option<Assortment>,
    /// When the shop is busy; `None` for an even rate.
    pub season: Option<Season>,
    /// Offers and their effects; `None` for no offers.
    pub offers: Option<Offers>,
}

impl RetailerConfig {
    /// A shop like CDNOW: eighteen months from 1997-01-01, customers won in the first twelve weeks,
    /// who buy seldom and soon stop. No items, no season, no offers.
    ///
    /// BG/NBD in weeks with r 0.243, α 4.414, a 0.793, b 2.426 (Fader, Hardie and Lee 2005, table 2)
    /// and Gamma-Gamma with p 6.25, q 3.74, v 15.44 (Fader and Hardie 2013).
    pub fn cdnow_like(customers: u64, seed: u64) -> Self {
        Self {
            customers,
            seed,
            start: Timestamp::EPOCH.saturating_add_s(9_862 * DAY_S),
            days: 546,
            acquisition_days: 84,
            unit: TimeUnit::Week,
            purchase: PurchaseProcess::bg_nbd(0.243, 4.414, 0.793, 2.426),
            spend: Spend {
                p: 6.25,
                q: 3.74,
                v: 15.44,
                decimals: Decimals::TWO,
            },
            assortment: None,
            season: None,
            offers: None,
        }
    }

    /// A grocer with everything: two years from 2023-01-01, customers won throughout the first year,
    /// who buy about every eight days and regularly so, in baskets of about six of 2,000 items.
    ///
    /// * MBG/CNBD-2 in weeks with r 2.5, α 1.4, a 0.6, b 20: a mean rate of 0.89 purchases a week,
    ///   and one customer in 34 stops after a purchase, averaged over customers.
    /// * Gamma-Gamma with p 4, q 6, v 40: 32.00 a basket on average.
    /// * 8 groups of taste, Zipf exponent 0.9, concentration 2.
    /// * Saturdays twice as busy as Mondays; December 1.4 times an ordinary month.
    /// * From day 28, every four weeks, an offer to half the customers at random that works for seven
    ///   days: it doubles the rate of 3 in 10 customers and halves that of 1 in 10.
    pub fn grocery_like(customers: u64, seed: u64) -> Self {
        Self {
            customers,
            seed,
            start: Timestamp::EPOCH.saturating_add_s(19_358 * DAY_S),
            days: 730,
            acquisition_days: 365,
            unit: TimeUnit::Week,
            purchase: PurchaseProcess::mbg_cnbd(2, 2.5, 1.4, 0.6, 20.0),
            spend: Spend {
                p: 4.0,
                q: 6.0,
                v: 40.0,
                decimals: Decimals::TWO,
            },
            assortment: Some(Assortment {
                items: 2_000,
                groups: 8,
                zipf: 0.9,
                concentration: 2.0,
                basket: 6.0,
            }),
            season: Some(Season {
                weekday: [0.8, 0.8, 0.8, 0.9, 1.2, 1.6, 0.9],
                month: [0.9, 0.9, 0.95, 1.0, 1.0, 1.0, 0.95, 0.9, 1.0, 1.0, 1.0, 1.4],
            }),
            offers: Some(Offers {
                first_day: 28,
                every_days: 28,
                window_days: 7,
                persuadable_share: 0.3,
                persuadable_factor: 2.0,
                sleeping_dog_share: 0.1,
                sleeping_dog_factor: 0.5,
                assignment: Assignment::Propensity(0.5),
            }),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.customers > CUSTOMERS_MAX {
            return Err(ConfigError::OutOfRange {
                setting: "customers",
                value: self.customers.to_string(),
                expected: "at most 2^48",
            });
        }
        let days = f64::from(self.days);
        within("days", days, 1.0, 36_525.0, "from 1 to 36525")?;
        let acquisition = f64::from(self.acquisition_days);
        within("acquisition_days", acquisition, 0.0, days, "at most `days`")?;
        if self.end() == Timestamp::MAX {
            return Err(ConfigError::OutOfRange {
                setting: "start",
                value: self.start.to_string(),
                expected: "so early that `days` more days are before the year 9999 ends",
            });
        }
        self.purchase.check(days / self.unit.days())?;
        self.spend.check()?;
        self.assortment.iter().try_for_each(Assortment::check)?;
        self.season.iter().try_for_each(Season::check)?;
        self.offers.iter().try_for_each(Offers::check)
    }

    /// The first instant that is no longer simulated.
    pub(super) fn end(&self) -> Timestamp {
        self.start.saturating_add_s(i64::from(self.days) * DAY_S)
    }
}

/// `value` must be a number from `low` to `high`.
pub(super) fn within(
    setting: &'static str,
    value: f64,
    low: f64,
    high: f64,
    expected: &'static str,
) -> Result<(), ConfigError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        setting,
        value: value.to_string(),
        expected,
    })
}

/// `value` must be positive and finite.
pub(super) fn positive(setting: &'static str, value: f64) -> Result<(), ConfigError> {
    let expected = "positive and finite";
    within(setting, value, f64::MIN_POSITIVE, f64::MAX, expected)
}
