//! Discounted value of the purchases to come.

use serde::{Deserialize, Serialize};

use super::{PurchaseModel, SpendModel};
use crate::error::{ConfigError, Error, FitError};
use crate::summary::{Histories, History, TimeUnit};

/// What each customer's purchases over a horizon are worth today.
///
/// The value is margin × expected spend × Σᵢ (expected purchases in step i) × (discount at the end
/// of step i): Fader, Hardie and Lee (2005, *Journal of Marketing Research*), with the flow cut
/// into steps. The product of spend and purchases is right where the two are independent of each other:
/// ask [`SpendIndependence`](super::SpendIndependence) first.
///
/// ```
/// use tenure::lifetime::{BgNbd, CustomerValue, Discount, GammaGamma, Horizon};
/// use tenure::summary::{History, TimeUnit};
///
/// let purchases = BgNbd::new(0.243, 4.414, 0.793, 2.426)?;
/// let spend = GammaGamma::new(6.25, 3.74, 15.44)?;
/// let value = CustomerValue::new(&purchases, &spend, Discount::annual(0.10)?).margin(0.3)?;
/// let history = History::new(7, 29.43, 38.86)?.with_mean_spend(73.74)?;
/// let worth = value.of(&history, TimeUnit::Week, Horizon::months(12))?;
/// assert!((86.0..86.2).contains(&worth), "{worth}");
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct CustomerValue<'a> {
    purchases: &'a dyn PurchaseModel,
    spend: &'a dyn SpendModel,
    discount: Discount,
    margin: f64,
}

impl<'a> CustomerValue<'a> {
    /// Values purchases by spend at a margin of 1: revenue, not profit.
    pub fn new(
        purchases: &'a dyn PurchaseModel,
        spend: &'a dyn SpendModel,
        discount: Discount,
    ) -> Self {
        Self {
            purchases,
            spend,
            discount,
            margin: 1.0,
        }
    }

    /// The share of the spend that is left as profit, from 0 to 1.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a margin outside of that.
    pub fn margin(mut self, margin: f64) -> Result<Self, ConfigError> {
        check_margin(margin)?;
        self.margin = margin;
        Ok(self)
    }

    /// The value of one customer, whose history is in `unit`.
    ///
    /// # Errors
    /// As [`over`](Self::over).
    pub fn of(&self, history: &History, unit: TimeUnit, horizon: Horizon) -> Result<f64, Error> {
        let schedule = horizon.schedule(unit, self.discount)?;
        let purchases = self.purchases.scheduled_purchases(history, &schedule);
        let spend = finite(self.spend.expected_spend(history))?;
        Ok(self.margin * spend * purchases)
    }

    /// The value of each row of the histories.
    ///
    /// # Errors
    /// [`Error::Config`] for a horizon without steps; [`Error::Fit`] when the spend model has no
    /// finite mean (see [`GammaGamma`](super::GammaGamma)).
    pub fn over(&self, histories: &Histories, horizon: Horizon) -> Result<Vec<f64>, Error> {
        let schedule = horizon.schedule(histories.unit(), self.discount)?;
        let mut values = vec![0.0; histories.len()];
        let mut spend = vec![0.0; histories.len()];
        self.purchases
            .scheduled_purchases_batch(histories, &schedule, &mut values)?;
        self.spend.expected_spend_batch(histories, &mut spend)?;
        for (value, &spend) in values.iter_mut().zip(&spend) {
            *value *= self.margin * finite(spend)?;
        }
        Ok(values)
    }
}

pub(super) fn check_margin(margin: f64) -> Result<(), ConfigError> {
    if (0.0..=1.0).contains(&margin) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        setting: "margin",
        value: margin.to_string(),
        expected: "a share from 0 to 1",
    })
}

pub(super) fn infinite_spend() -> FitError {
    FitError::NotIdentified {
        parameter: "the expected spend",
        reason: "the spend model's mean is infinite (Gamma-Gamma with q of at most 1)",
    }
}

fn finite(spend: f64) -> Result<f64, FitError> {
    if spend.is_finite() {
        Ok(spend)
    } else {
        Err(infinite_spend())
    }
}

/// A spend model for counting: every purchase is worth 1, so that the value is a discounted
/// number of purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitSpend;

impl SpendModel for UnitSpend {
    fn expected_spend(&self, _: &History) -> f64 {
        1.0
    }
}

/// What a value loses by coming later; its unit is part of the name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedDiscount", into = "UncheckedDiscount")]
pub struct Discount(UncheckedDiscount);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum UncheckedDiscount {
    Annual(f64),
    PerStep(f64),
}

impl Discount {
    /// A year makes 1 + `rate` of 1: a step of a month discounts by (1 + `rate`)^(1/12).
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 ≤ `rate` < ∞ (0.10 is ten percent).
    pub fn annual(rate: f64) -> Result<Self, ConfigError> {
        UncheckedDiscount::Annual(rate).try_into()
    }

    /// Each step of the horizon discounts by 1 + `rate`, however long it is.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 ≤ `rate` < ∞.
    pub fn per_step(rate: f64) -> Result<Self, ConfigError> {
        UncheckedDiscount::PerStep(rate).try_into()
    }

    /// The rate of one period as long as the unit, which is one step.
    pub(super) fn of_period(self, unit: TimeUnit) -> f64 {
        match self.0 {
            UncheckedDiscount::PerStep(rate) => rate,
            UncheckedDiscount::Annual(rate) => {
                (rate.ln_1p() * (unit.days() / TimeUnit::Year.days())).exp_m1()
            }
        }
    }

    /// None: what comes later is worth as much.
    pub const fn none() -> Self {
        Self(UncheckedDiscount::PerStep(0.0))
    }
}

impl TryFrom<UncheckedDiscount> for Discount {
    type Error = ConfigError;

    fn try_from(discount: UncheckedDiscount) -> Result<Self, ConfigError> {
        let (UncheckedDiscount::Annual(rate) | UncheckedDiscount::PerStep(rate)) = discount;
        if rate >= 0.0 && rate.is_finite() {
            return Ok(Self(discount));
        }
        Err(ConfigError::OutOfRange {
            setting: "discount",
            value: rate.to_string(),
            expected: "a finite rate that is not negative, such as 0.10 for ten percent",
        })
    }
}

impl From<Discount> for UncheckedDiscount {
    fn from(discount: Discount) -> Self {
        discount.0
    }
}

/// How far ahead, and in which steps purchases are counted and discounted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Horizon {
    steps: u32,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Step {
    Calendar(TimeUnit),
    Units(f64),
}

impl Horizon {
    /// Steps of a twelfth of a year, whatever the unit of the histories.
    pub const fn months(steps: u32) -> Self {
        Self::of(steps, TimeUnit::Month)
    }

    /// Steps of a week.
    pub const fn weeks(steps: u32) -> Self {
        Self::of(steps, TimeUnit::Week)
    }

    /// Steps of a time unit.
    pub const fn of(steps: u32, unit: TimeUnit) -> Self {
        Self {
            steps,
            step: Step::Calendar(unit),
        }
    }

    /// Steps of a length in the unit of the histories: `Horizon::steps(12, 4.345)` are the months
    /// of other programs, in weeks.
    pub const fn steps(steps: u32, length: f64) -> Self {
        Self {
            steps,
            step: Step::Units(length),
        }
    }

    /// The horizons and weights that make a discounted sum of steps from expected purchases, for
    /// histories in `unit`.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] without a step, or with steps that have no positive length.
    pub fn schedule(self, unit: TimeUnit, discount: Discount) -> Result<Schedule, ConfigError> {
        let (length, years) = match self.step {
            Step::Calendar(step) => (
                step.days() / unit.days(),
                step.days() / TimeUnit::Year.days(),
            ),
            Step::Units(length) => (length, length * unit.days() / TimeUnit::Year.days()),
        };
        if self.steps == 0 {
            return Err(ConfigError::OutOfRange {
                setting: "steps",
                value: "0".to_owned(),
                expected: "at least 1",
            });
        }
        let per_step = match discount.0 {
            UncheckedDiscount::PerStep(rate) => rate.ln_1p(),
            UncheckedDiscount::Annual(rate) => rate.ln_1p() * years,
        };
        // Σ dᵢ (Eᵢ − Eᵢ₋₁) = Σ (dᵢ − dᵢ₊₁) Eᵢ, without a discount after the last step: weights
        // that are not negative, so nothing cancels.
        let of_step = |i: u32| (-per_step * f64::from(i)).exp();
        let lost = -(-per_step).exp_m1();
        Schedule::new((1..=self.steps).map(|i| {
            let weight = if i == self.steps {
                of_step(i)
            } else {
                of_step(i) * lost
            };
            (length * f64::from(i), weight)
        }))
    }
}

/// Horizons with weights: Σ weight · E[purchases within the horizon].
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    terms: Vec<(f64, f64)>,
}

impl Schedule {
    /// From (horizon, weight) pairs; terms of weight 0 are dropped.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a horizon that is not positive and finite or a weight that
    /// is negative or not finite.
    pub fn new(terms: impl IntoIterator<Item = (f64, f64)>) -> Result<Self, ConfigError> {
        let mut kept = Vec::new();
        for (horizon, weight) in terms {
            if !(horizon > 0.0 && horizon.is_finite()) {
                return Err(ConfigError::OutOfRange {
                    setting: "horizon",
                    value: horizon.to_string(),
                    expected: "a positive finite length of time",
                });
            }
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(ConfigError::OutOfRange {
                    setting: "weight",
                    value: weight.to_string(),
                    expected: "a finite number that is not negative",
                });
            }
            if weight > 0.0 {
                kept.push((horizon, weight));
            }
        }
        Ok(Self { terms: kept })
    }

    /// Terms that the crate made itself and knows to be valid.
    pub(super) fn from_valid_terms(terms: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            terms: terms.into_iter().collect(),
        }
    }

    /// The (horizon, weight) pairs.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (f64, f64)> + '_ {
        self.terms.iter().copied()
    }
}
