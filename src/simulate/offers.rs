//! Offers, who gets them, and what they do.

use std::fmt;
use std::sync::Arc;

use super::config::within;
use super::sampling::Stream;
use crate::error::ConfigError;
use crate::event::{DAY_S, Timestamp};

/// Offers at regular intervals, whose effect on each customer is known.
///
/// Every offer is decided for every customer who has bought by then, whether or not the customer
/// has dropped out since (the retailer cannot know). For `window_days` after an offer that a customer
/// got, the customer's rate of repeat purchases is multiplied by a factor that depends on the
/// customer's [`Response`].
#[derive(Debug, Clone)]
pub struct Offers {
    /// The day of the first offer, counted from the start.
    pub first_day: u32,
    /// Days from one offer to the next; at least 1.
    pub every_days: u32,
    /// How many days an offer works: from 1 to `every_days`.
    pub window_days: u32,
    /// Share of customers who buy more for an offer; from 0 to 1.
    pub persuadable_share: f64,
    /// The factor on their rate: from 1 to 100.
    pub persuadable_factor: f64,
    /// Share of customers whom an offer drives away; with the persuadable at most 1.
    pub sleeping_dog_share: f64,
    /// The factor on their rate: from 0 to 1.
    pub sleeping_dog_factor: f64,
    /// Who gets an offer.
    pub assignment: Assignment,
}

/// Who gets an offer.
#[derive(Clone)]
#[non_exhaustive]
pub enum Assignment {
    /// Everybody with the same probability: a randomised experiment. From 0 to 1.
    Propensity(f64),
    /// Each with the probability that a rule gives for what the retailer knows; 0 and 1 decide
    /// outright. A value outside [0, 1] is held at its ends, NaN means 0.
    Rule(Arc<dyn Fn(&OfferContext) -> f64 + Send + Sync>),
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Assignment::Propensity(p) => f.debug_tuple("Propensity").field(p).finish(),
            Assignment::Rule(_) => f.write_str("Rule(..)"),
        }
    }
}

/// What the retailer knows of a customer when an offer is decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfferContext {
    /// The customer.
    pub customer: u64,
    /// The number of the offer, counted from 0.
    pub offer: u32,
    /// When it is decided.
    pub time: Timestamp,
    /// Purchases before that, the first included; at least 1.
    pub purchases: u64,
    /// Days since the last of them.
    pub days_since_purchase: f64,
}

/// What an offer does to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Response {
    /// Buys more during the window.
    Persuadable,
    /// Buys the same: those who would buy anyway, and those who would not in any case.
    Indifferent,
    /// Buys less during the window.
    SleepingDog,
}

/// An offer that was decided, as a retailer would log it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfferDecision {
    /// The number of the offer, counted from 0.
    pub offer: u32,
    /// When it was decided.
    pub time: Timestamp,
    /// The probability with which the customer got it.
    pub propensity: f64,
    /// Whether the customer got it.
    pub treated: bool,
}

impl Offers {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let every = f64::from(self.every_days);
        within("every_days", every, 1.0, f64::MAX, "at least 1")?;
        let expected = "from 1 to `every_days`";
        within(
            "window_days",
            f64::from(self.window_days),
            1.0,
            every,
            expected,
        )?;
        let share = self.persuadable_share;
        within("persuadable_share", share, 0.0, 1.0, "from 0 to 1")?;
        let expected = "from 0 to 1 less `persuadable_share`";
        within(
            "sleeping_dog_share",
            self.sleeping_dog_share,
            0.0,
            1.0 - share,
            expected,
        )?;
        let factor = self.persuadable_factor;
        within("persuadable_factor", factor, 1.0, 100.0, "from 1 to 100")?;
        let factor = self.sleeping_dog_factor;
        within("sleeping_dog_factor", factor, 0.0, 1.0, "from 0 to 1")?;
        match self.assignment {
            Assignment::Propensity(p) => within("propensity", p, 0.0, 1.0, "from 0 to 1"),
            Assignment::Rule(_) => Ok(()),
        }
    }

    pub(super) fn draw_response(&self, stream: &mut Stream) -> Response {
        let u = stream.uniform();
        if u < self.persuadable_share {
            Response::Persuadable
        } else if u < self.persuadable_share + self.sleeping_dog_share {
            Response::SleepingDog
        } else {
            Response::Indifferent
        }
    }

    pub(super) fn factor(&self, response: Response) -> f64 {
        match response {
            Response::Persuadable => self.persuadable_factor,
            Response::Indifferent => 1.0,
            Response::SleepingDog => self.sleeping_dog_factor,
        }
    }

    pub(super) fn window_s(&self) -> i64 {
        i64::from(self.window_days) * DAY_S
    }

    /// The number of the first offer after an instant, `since_start_s` after the start.
    pub(super) fn first_after(&self, since_start_s: i64) -> i64 {
        let since_first_s = since_start_s - i64::from(self.first_day) * DAY_S;
        (since_first_s.div_euclid(i64::from(self.every_days) * DAY_S) + 1).max(0)
    }

    /// Seconds from the start to an offer.
    pub(super) fn after_start_s(&self, offer: i64) -> i64 {
        (i64::from(self.first_day) + offer * i64::from(self.every_days)) * DAY_S
    }

    pub(super) fn decide(&self, context: &OfferContext, stream: &mut Stream) -> OfferDecision {
        let propensity = match &self.assignment {
            Assignment::Propensity(p) => *p,
            Assignment::Rule(rule) => rule(context),
        };
        // `max` turns NaN into 0; `clamp` would keep it.
        let propensity = f64::min(propensity.max(0.0), 1.0);
        OfferDecision {
            offer: context.offer,
            time: context.time,
            propensity,
            treated: stream.uniform() < propensity,
        }
    }
}
