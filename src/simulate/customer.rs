//! One customer: the truth, and what the retailer sees of it.

use super::assortment::{Shelves, Taste};
use super::offers::{OfferContext, OfferDecision, Offers, Response};
use super::purchase::Lifespan;
use super::retailer::Retailer;
use super::sampling::{Part, Stream};
use crate::event::{DAY_S, Timestamp};

/// What a customer really is: the quantities that models estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Purchases per unit of time while the customer stays, before season and offers.
    pub rate: f64,
    /// How long the customer stays.
    pub lifespan: Lifespan,
    /// Mean spend per purchase in major units of money.
    pub mean_spend: f64,
    /// The share of each group of items in what the customer buys.
    pub taste: Taste,
    /// What an offer does; [`Response::Indifferent`] for a retailer without offers.
    pub response: Response,
    /// The factor of an offer on the rate, while it works; 1 for the indifferent.
    pub offer_factor: f64,
}

/// A customer of a [`Retailer`].
///
/// Small, and made in a fraction of a microsecond; the events are drawn as they are asked for, the
/// same each time.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedCustomer<'a> {
    retailer: &'a Retailer,
    number: u64,
    first: Timestamp,
    truth: Truth,
}

/// A purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    /// When.
    pub time: Timestamp,
    /// Minor units, for the whole basket; at least 1, and at least as many as there are items.
    pub amount_minor: i64,
    /// How many items; 0 for a retailer without an assortment.
    pub items: u32,
}

/// What the retailer sees of a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The customer bought.
    Purchase(Purchase),
    /// An offer was decided; the customer got it or not.
    Offer(OfferDecision),
}

/// One row of a log of transactions: an item of a purchase, or a whole purchase where there are no
/// items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub time: Timestamp,
    /// The number of the purchase among the customer's, counted from 0.
    pub order: u64,
    /// The item; `None` for a retailer without an assortment.
    pub item: Option<u32>,
    /// Minor units; at least 1.
    pub amount_minor: i64,
}

impl<'a> SimulatedCustomer<'a> {
    pub(super) fn draw(retailer: &'a Retailer, number: u64) -> Self {
        let config = retailer.config();
        let mut character = retailer.stream(number, Part::Character);
        let window_s = f64::from(config.acquisition_days) * DAY_S as f64;
        // The cast cuts the fraction.
        let first = config
            .start
            .saturating_add_s((character.uniform() * window_s) as i64);
        let rate = config.purchase.draw_rate(&mut character) / f64::from(config.purchase.k);
        let lifespan = config.purchase.draw_lifespan(&mut character);
        let mean_spend = config.spend.draw_mean(&mut character);
        let taste = retailer.shelves().map_or(Taste::NONE, |shelves| {
            shelves.draw_taste(&mut retailer.stream(number, Part::Taste))
        });
        let response = config
            .offers
            .as_ref()
            .map_or(Response::Indifferent, |offers| {
                offers.draw_response(&mut retailer.stream(number, Part::Response))
            });
        let offers = config.offers.as_ref();
        let truth = Truth {
            rate,
            lifespan,
            mean_spend,
            taste,
            response,
            offer_factor: offers.map_or(1.0, |offers| offers.factor(response)),
        };
        Self {
            retailer,
            number,
            first,
            truth,
        }
    }

    /// The customer's number, counted from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When the first purchase happens.
    pub fn first(&self) -> Timestamp {
        self.first
    }

    /// What the customer really is.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Purchases and offers in the order of time; at the same second the offer comes first.
    ///
    /// The first event is the first purchase.
    pub fn events(&self) -> Events<'a> {
        Events::new(self)
    }

    /// Purchases in the order of time; there is at least one.
    pub fn purchases(&self) -> impl Iterator<Item = Purchase> + use<'a> {
        self.events().filter_map(|event| match event {
            Event::Purchase(purchase) => Some(purchase),
            Event::Offer(_) => None,
        })
    }

    /// The rows of a log of transactions: each purchase split evenly over its items, the first of
    /// them taking what does not divide, one minor unit each.
    pub fn lines(&self) -> Lines<'a> {
        Lines {
            events: self.events(),
            items: self
                .retailer
                .shelves()
                .map(|shelves| (shelves, self.retailer.stream(self.number, Part::Items))),
            orders: 0,
            open: None,
        }
    }

    /// When the customer dropped out, or `None` when that is after the time simulated.
    ///
    /// Where customers drop out after a purchase, the purchases are drawn to find it.
    pub fn dropout(&self) -> Option<Timestamp> {
        match self.truth.lifespan {
            Lifespan::Endless => None,
            Lifespan::Purchases(last) => {
                let last = usize::try_from(last.checked_sub(1)?).ok()?;
                self.purchases().nth(last).map(|purchase| purchase.time)
            }
            Lifespan::Time(life) => {
                let after_s = whole_seconds(life * self.retailer.unit_s());
                let end = self.first.saturating_add_s(after_s);
                Some(end).filter(|&end| end < self.retailer.end())
            }
        }
    }
}

/// Purchases and offers of one customer in the order of time.
///
/// Repeat purchases are drawn by thinning (Lewis and Shedler 1979): candidates at the largest rate
/// that the customer ever has, of which each is kept with the share that the rate has at its moment.
/// Whether an offer was made changes only what is kept, never a candidate: so two retailers that
/// differ in their assignment alone show the same customer with and without the offer.
#[derive(Debug)]
pub struct Events<'a> {
    retailer: &'a Retailer,
    number: u64,
    truth: Truth,
    times: Stream,
    amounts: Stream,
    first_s: i64,
    end_s: i64,
    /// Stages per unit of time among the candidates.
    candidate_rate: f64,
    /// The largest factor on the rate; `None` when the rate never changes.
    largest_factor: Option<f64>,
    /// The candidate's time in units since the first purchase, and as an instant.
    candidate: f64,
    candidate_s: i64,
    /// Stages passed since the last purchase.
    stages: u32,
    purchases: u64,
    last_s: i64,
    offers: Option<Schedule<'a>>,
}

/// Where a customer stands among the offers.
#[derive(Debug)]
struct Schedule<'a> {
    offers: &'a Offers,
    assignment: Stream,
    next: i64,
    next_s: i64,
    /// The offer that was made last works until then.
    works_until_s: i64,
}

impl<'a> Events<'a> {
    fn new(customer: &SimulatedCustomer<'a>) -> Self {
        let SimulatedCustomer {
            retailer,
            number,
            first,
            truth,
        } = *customer;
        let config = retailer.config();
        let (first_s, start_s) = (first.unix_s(), config.start.unix_s());
        let season = retailer.season().map_or(1.0, |season| season.largest);
        let largest = season * truth.offer_factor.max(1.0);
        let varies = retailer.season().is_some() || truth.offer_factor != 1.0;
        let offers = config.offers.as_ref().map(|offers| {
            let next = offers.first_after(first_s - start_s);
            Schedule {
                offers,
                assignment: retailer.stream(number, Part::Assignment),
                next,
                next_s: start_s + offers.after_start_s(next),
                works_until_s: i64::MIN,
            }
        });
        Self {
            retailer,
            number,
            truth,
            times: retailer.stream(number, Part::Times),
            amounts: retailer.stream(number, Part::Amounts),
            first_s,
            end_s: retailer.end().unix_s(),
            candidate_rate: truth.rate * f64::from(config.purchase.k) * largest,
            largest_factor: varies.then_some(largest),
            candidate: 0.0,
            candidate_s: first_s,
            stages: 0,
            purchases: 0,
            last_s: first_s,
            offers,
        }
    }

    /// Moves on to the next candidate.
    fn advance(&mut self) {
        self.candidate += self.times.exponential() / self.candidate_rate;
        let gone = match self.truth.lifespan {
            Lifespan::Endless => false,
            Lifespan::Purchases(last) => self.purchases >= last,
            Lifespan::Time(life) => self.candidate > life,
        };
        self.candidate_s = if gone {
            i64::MAX
        } else {
            let after_s = whole_seconds(self.candidate * self.retailer.unit_s());
            self.first_s.saturating_add(after_s)
        };
    }

    /// Whether the candidate is kept.
    fn keeps(&mut self) -> bool {
        let Some(largest) = self.largest_factor else {
            return true;
        };
        let now_s = self.candidate_s;
        let season = self
            .retailer
            .season()
            .map_or(1.0, |season| season.at(now_s));
        let offer = match &self.offers {
            Some(schedule) if now_s < schedule.works_until_s => self.truth.offer_factor,
            _ => 1.0,
        };
        self.times.uniform() * largest < season * offer
    }

    fn purchase(&mut self) -> Event {
        self.last_s = self.candidate_s;
        self.purchases += 1;
        let spend = &self.retailer.config().spend;
        let amount = spend.draw(self.truth.mean_spend, &mut self.amounts);
        let items = self
            .retailer
            .shelves()
            .map_or(0, |shelves| shelves.draw_basket(&mut self.amounts));
        let purchase = Purchase {
            time: self.instant(self.candidate_s),
            amount_minor: amount.max(i64::from(items)),
            items,
        };
        self.advance();
        Event::Purchase(purchase)
    }

    /// The next offer, when it is not later than `until_s`.
    fn offer(&mut self, until_s: i64) -> Option<Event> {
        let now_s = self
            .offers
            .as_ref()
            .map(|schedule| schedule.next_s)
            .filter(|&next_s| next_s <= until_s)?;
        let time = self.instant(now_s);
        let start_s = self.retailer.config().start.unix_s();
        let schedule = self.offers.as_mut()?;
        let context = OfferContext {
            customer: self.number,
            // A century of daily offers is below 2^16.
            offer: u32::try_from(schedule.next).unwrap_or(u32::MAX),
            time,
            purchases: self.purchases,
            days_since_purchase: (now_s - self.last_s) as f64 / DAY_S as f64,
        };
        let decision = schedule.offers.decide(&context, &mut schedule.assignment);
        if decision.treated {
            schedule.works_until_s = now_s + schedule.offers.window_s();
        }
        schedule.next += 1;
        schedule.next_s = start_s + schedule.offers.after_start_s(schedule.next);
        Some(Event::Offer(decision))
    }

    fn instant(&self, unix_s: i64) -> Timestamp {
        let start = self.retailer.config().start;
        start.saturating_add_s(unix_s.saturating_sub(start.unix_s()))
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.purchases == 0 {
            return Some(self.purchase());
        }
        loop {
            if let Some(offer) = self.offer(self.candidate_s.min(self.end_s - 1)) {
                return Some(offer);
            }
            if self.candidate_s >= self.end_s {
                return None;
            }
            self.stages += u32::from(self.keeps());
            if self.stages == self.retailer.config().purchase.k {
                self.stages = 0;
                return Some(self.purchase());
            }
            self.advance();
        }
    }
}

/// The rows of one customer's log of transactions.
#[derive(Debug)]
pub struct Lines<'a> {
    events: Events<'a>,
    items: Option<(&'a Shelves, Stream)>,
    orders: u64,
    /// The purchase whose items are being listed, and how many of them are left.
    open: Option<(Purchase, u32)>,
}

impl Lines<'_> {
    fn next_item(&mut self) -> Option<Line> {
        let (purchase, left) = self.open.filter(|&(_, left)| left > 0)?;
        let (shelves, stream) = self.items.as_mut()?;
        self.open = Some((purchase, left - 1));
        let items = i64::from(purchase.items);
        let (each, rest) = (purchase.amount_minor / items, purchase.amount_minor % items);
        let listed = items - i64::from(left);
        Some(Line {
            time: purchase.time,
            order: self.orders - 1,
            item: Some(shelves.draw_item(&self.events.truth.taste, stream)),
            amount_minor: each + i64::from(listed < rest),
        })
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if let Some(line) = self.next_item() {
            return Some(line);
        }
        let purchase = self.events.find_map(|event| match event {
            Event::Purchase(purchase) => Some(purchase),
            Event::Offer(_) => None,
        })?;
        self.orders += 1;
        if purchase.items > 0 {
            self.open = Some((purchase, purchase.items));
            return self.next_item();
        }
        Some(Line {
            time: purchase.time,
            order: self.orders - 1,
            item: None,
            amount_minor: purchase.amount_minor,
        })
    }
}

/// Cuts the fraction; beyond the range of integers (∞ too) it stays at the end.
fn whole_seconds(seconds: f64) -> i64 {
    seconds as i64
}
