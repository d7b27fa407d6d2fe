//! A retailer whose truth is known, to test and size everything else.
//!
//! Does a model find what is really there? How does it fare when the world is not as it assumes? How
//! long does it take for ten million customers? Real data do not say, since nobody knows who had
//! really left, or who would have bought without the coupon. Here everybody does: each customer has
//! a [`Truth`] (rate, lifespan, mean spend, taste, response to offers), and the log follows from it.
//!
//! ```
//! use tenure::simulate::{Retailer, RetailerConfig};
//!
//! let retailer = Retailer::new(RetailerConfig::cdnow_like(1_000, 42))?;
//! let log = retailer.transactions()?;
//! assert_eq!(log.customers(), 1_000);
//!
//! // How many customers have really gone, which the log does not say.
//! let gone = retailer.customers().filter(|c| c.dropout().is_some()).count();
//! assert!((200..600).contains(&gone));
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! # Which to choose
//!
//! | you want | take |
//! |---|---|
//! | a log to fit BG/NBD and Gamma-Gamma to, and get the parameters back | [`RetailerConfig::cdnow_like`] |
//! | items, seasons, offers, regular buyers | [`RetailerConfig::grocery_like`] |
//! | another way of buying or leaving | [`PurchaseProcess`] and its [`Dropout`] |
//! | tastes to recommend for, with the true probabilities | [`Assortment`], [`Retailer::item_probability`] |
//! | an experiment or a biased campaign, with the true effect | [`Offers`], [`Assignment`] |
//! | what would have happened otherwise | two retailers with one seed that differ in their [`Assignment`] |
//! | more customers than fit in memory | [`Retailer::customers`], [`Retailer::rows`], [`Retailer::write_csv`] |
//! | a log in memory | [`Retailer::transactions`], [`Retailer::interactions`] |
//!
//! # What it assumes
//!
//! A customer comes with a first purchase; repeat purchases follow a [`PurchaseProcess`] in continuous
//! time, down to the second, until the customer drops out or the time simulated ends. Spend, tastes
//! and responses are drawn independently of each other and of the rate. [`Season`] and [`Offers`] bend
//! the rate and nothing else. Purchases of one day are not joined: a model that counts days sees
//! slightly fewer purchases than happened.
//!
//! # Same seed, same bits
//!
//! Customer 7 is the same whether it is asked for alone or after ten million others, in one thread or
//! many, on any machine: each customer has random streams of their own (ChaCha8, keyed by the seed and
//! numbered by the customer), and only operations that IEEE 754 fixes to the last bit, or that come
//! from `libm`, turn them into variates. (Machines whose arithmetic is not IEEE 754, such as 32-bit x86
//! without SSE2, are the exception.) What a seed gives does not change between versions of the crate: a
//! test pins it. Each part has its own stream, so that adding an assortment or a season leaves
//! everybody's rate, lifespan and mean spend as they were.
//!
//! # What it costs
//!
//! A customer is held in a few hundred bytes while asked for, and nothing after. One of the CDNOW kind
//! takes one to two microseconds with its purchases, so that ten million take some twenty seconds on one
//! core; a grocery row takes a fifth of a microsecond. A log in memory costs its columns.
//!
//! # Where it comes from
//!
//! The purchase processes: see [`PurchaseProcess`]; spend: see [`Spend`]. Random numbers: Marsaglia and
//! Tsang (2000) for gamma, the polar method of Marsaglia and Bray (1964) for normal, inversion for
//! exponential and geometric variates. Changing rates: thinning, Lewis and Shedler (1979); with `k`
//! stages to a purchase each stage is thinned, which is the renewal process on the clock of the
//! changing rate.

mod assortment;
mod config;
mod customer;
mod offers;
mod purchase;
mod retailer;
mod sampling;
mod season;
mod spend;

pub use assortment::{Assortment, GROUPS_MAX, Taste};
pub use config::RetailerConfig;
pub use customer::{Event, Events, Line, Lines, Purchase, SimulatedCustomer, Truth};
pub use offers::{Assignment, OfferContext, OfferDecision, Offers, Response};
pub use purchase::{Dropout, Lifespan, PurchaseProcess};
pub use retailer::Retailer;
pub use season::Season;
pub use spend::Spend;
