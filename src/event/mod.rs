//! Facts: what happened, as columns that are checked once and trusted after it.
//!
//! Everything in the crate starts here. A [`Transactions`] log says who paid how much and when; an
//! [`Interactions`] log says who did something with which item. Both are structs of equal-length
//! columns, so that a database, a file and a `Vec` all become one without a copy per row. Inside,
//! customers and items are dense `u32` numbers; [`Ids`] translates between them and your own keys.
//!
//! ```
//! use tenure::event::{Decimals, Timestamp, Transactions};
//!
//! let day = |d| Timestamp::from_civil(1997, 1, d).unwrap();
//! let (log, customers) = Transactions::from_rows(
//!     Decimals::TWO,
//!     [("ann", day(1), 2933), ("bob", day(2), 1177), ("ann", day(18), 2973)],
//! )?;
//! assert_eq!(customers.get("bob"), Some(1));
//! assert_eq!(log.amount(), [2933, 1177, 2973]);
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! Time is whole seconds UTC ([`Timestamp`]); which calendar day an instant falls on depends on a
//! [`Zone`], which is always given and never guessed. Money is whole minor units ([`Decimals`]):
//! sums of integers do not depend on their order.
//!
//! # Which to choose
//!
//! | you have | take |
//! |---|---|
//! | payments, orders, baskets | [`Transactions`] |
//! | views, plays, ratings, purchases of items to recommend from | [`Interactions`] |
//! | either, and only *when* somebody was there matters | [`Events`], borrowed from either |
//! | a CSV file | `Transactions::from_csv`, `Interactions::from_csv` (feature `csv`) |
//! | columns of a database or a data frame | [`Transactions::from_columns`], with [`Ids::number`] for integer keys |
//! | rows of any other kind | [`Transactions::from_rows`] |
//!
//! # What is decided where
//!
//! Facts stay as they happened. What they mean is chosen later, once, and in one place:
//!
//! * **Refunds** are rows with a negative amount. A log keeps them; a CSV file may also be told to
//!   reject them (`csv::Negative`). Whether they count is chosen when purchases are
//!   [summarised](crate::summary).
//! * **Several rows on one day** are kept apart here, duplicates included. Which rows make one
//!   purchase (the same second, day, week) is likewise for the [summary](crate::summary) to say.
//! * **Zones** come in twice, and need not be the same. Reading a date needs the zone in which it
//!   was written ([`Timestamp::parse`]); after that an instant is an instant. Telling its calendar
//!   day needs the zone in which the shop counts its days ([`Zone::day`]).
//! * **Several keys of one person** (devices, e-mail addresses, cards) become one customer through an
//!   [`AliasTable`], while a file is read or afterwards. Where the table contradicts itself nobody is
//!   merged, and the conflict is listed.
//!
//! ```
//! use tenure::event::{AliasTable, Decimals, Timestamp, Transactions, Zone};
//!
//! // Ann bought by card, then by telephone, and sent the second thing back the same evening.
//! let paris = Zone::named("Europe/Paris").unwrap();
//! let at = |text| Timestamp::parse(text, &paris).unwrap();
//! let (log, keys) = Transactions::from_rows(
//!     Decimals::TWO,
//!     [
//!         ("card-17", at("2024-05-01"), 2_000),
//!         ("phone-3", at("2024-05-02 00:30:00"), 900),
//!         ("phone-3", at("2024-05-02 21:00:00"), -900),
//!     ],
//! )?;
//! assert_eq!((log.len(), log.customers()), (3, 2));
//!
//! let aliases = AliasTable::from_links([("card-17", "ann"), ("phone-3", "ann")])?;
//! let (log, keys) = aliases.merge_transactions(log, &keys)?;
//! assert_eq!((log.len(), keys.keys()), (3, &["ann"][..]));
//!
//! // Half past midnight in Paris is still the day before in UTC.
//! let bought = log.time()[1];
//! assert_eq!(paris.day(bought) - Zone::UTC.day(bought), 1);
//! # Ok::<(), tenure::Error>(())
//! ```

mod aliases;
mod covariates;
#[cfg(feature = "csv")]
pub mod csv;
mod events;
mod ids;
mod interactions;
mod money;
mod time;
mod transactions;

pub use aliases::{AliasTable, Conflict};
pub use covariates::CovariateRows;
pub use events::Events;
pub use ids::Ids;
pub use interactions::{InteractionColumns, Interactions};
pub use money::{AMOUNT_MAX, Decimals};
pub(crate) use time::ZoneCursor;
pub use time::{DAY_S, Period, Timestamp, Weekday, Zone};
pub use transactions::{TransactionColumns, Transactions};
