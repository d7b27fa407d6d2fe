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

mod aliases;
#[cfg(feature = "csv")]
pub mod csv;
mod events;
mod ids;
mod interactions;
mod money;
mod time;
mod transactions;

pub use aliases::{AliasTable, Conflict};
pub use events::Events;
pub use ids::Ids;
pub use interactions::{InteractionColumns, Interactions};
pub use money::{AMOUNT_MAX, Decimals};
pub(crate) use time::ZoneCursor;
pub use time::{DAY_S, Period, Timestamp, Weekday, Zone};
pub use transactions::{TransactionColumns, Transactions};
