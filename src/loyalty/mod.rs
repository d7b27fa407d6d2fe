//! What have members earned? Points programmes, and a ledger that keeps points the way a bank keeps money.
//!
//! A member earns points for orders, the points lie in *lots* that expire together, and every change
//! is an entry of a journal that only grows.
//!
//! ```
//! use tenure::loyalty::{Command, Earn, Ledger, MemoryStore, Points, Programme, Redeem, Rules};
//!
//! // One point for each 1.00, to be used within six months.
//! let programme: Programme = serde_json::from_str(r#"{
//!     "earn": {"rounding": "floor", "round_scope": "order"},
//!     "earn_rules": [{"rate": [1, 100]}],
//!     "expiry": {"kind": "months_end", "n": 6}
//! }"#)?;
//! let ledger = Ledger::new(MemoryStore::new(), Rules::new(programme)?);
//!
//! let ordered = "2020-12-15T09:00:00Z".parse()?;
//! ledger.submit(Command::new("order-1", ordered, Earn::money("ann", 12_99)))?;
//! let last_second = "2021-06-30T23:59:59Z".parse()?;
//! ledger.submit(Command::new("reward-1", last_second, Redeem::points("ann", Points(5))))?;
//! let account = ledger.account(&"ann".into(), "2021-07-01".parse()?)?;
//! assert_eq!((account.spent, account.expired), (Points(5), Points(7)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which to use when
//!
//! | you want | use |
//! |---|---|
//! | a programme's rules as data | [`Programme`], checked by [`Rules`]; several versions with [`Rules::versions`] |
//! | a rule that data cannot express | an [`EarnRule`] |
//! | to carry commands out | [`Ledger::submit`], or [`Ledger::submit_batch`] for many in one commit |
//! | a balance, what expires soon, a statement | [`Ledger::account`], [`Ledger::expiring`], [`Ledger::statement`] |
//! | everything, now or at an earlier instant | [`Ledger::snapshot`], [`Ledger::snapshot_as_of`] |
//! | one account, or all one by one, at an earlier instant | [`Ledger::account_as_of`], [`Ledger::accounts_as_of`] |
//! | statements of a stretch of time | [`Ledger::statement_lines`] with a [`Scope`] |
//! | the rules alone, in your own machinery | [`decide()`] and [`apply()`], which are pure functions |
//! | account names that mean nothing outside, and to forget a person | a [`Directory`]; every store here is one |
//! | the journal, statements, balances or lots for other programs | [`Ledger::journal_hledger`], and under the features `csv` and `json` their siblings |
//! | everything that is held about one member | [`Ledger::dossier`]; to forget a person, [`Ledger::erase`] |
//! | to keep a ledger on this machine's disk | [`JournalStore`]; see [`journal`] for what an operator must know |
//! | to keep a ledger somewhere else | an implementation of [`Store`] |
//!
//! # How it works
//!
//! [`decide()`] looks at the states of the members, the rules and a command, and answers with journal
//! entries and a receipt, or with a [`Refusal`] that says why not. [`apply()`] books an entry: states
//! are made of entries and of nothing else, so a replay of the journal gives the same states, at any
//! earlier instant too. Neither reads a clock: time is in the command. What falls due by itself (a hold
//! that times out, a lot that expires or matures, a tier that ends) is booked at the instant at which
//! it was due, when the member's next command comes or at a [`Ledger::tick`]; the result is the same.
//!
//! Points are whole numbers, rates are exact ([`Rational`]), and there is one rounding where the
//! programme says so. What would leave 64 bits is refused. Every entry takes points from one [`Pot`] and
//! puts them into another; every [`Lot`] keeps
//! `granted = free + held + spent + expired + clawed_back + moved_out`.
//!
//! A command has a name ([`CommandId`]) and can be sent twice: the second time gives the first receipt.
//!
//! # What it assumes
//!
//! Calendar months and years are those of UTC. For one account time does not go back: a command before
//! the account's last entry is refused. Money has one currency, in minor units.
//!
//! Where programmes differ in what they take for granted, this one reads them so:
//!
//! * `redeem_min`, `redeem_step` and `velocity` bind redemptions, not holds and captures; in a pool the
//!   velocity limit of every account that is named binds, and each one's activity counts.
//! * A cap binds whatever is earned, gifts among it; corrections and transfers are outside of it.
//! * A live lot is one whose time has not passed, used up or not: activity moves its expiry, too. What has
//!   expired stays expired.
//! * A pool has the sum of what its accounts have, less the debts of each.
//! * A capture can be undone like a redemption; the deposits of a complete team cannot.
//! * A fee counts as redeemed in the deferred revenue, gifts and corrections count as issued.
//! * A part of a refund that leaves a debt is repaid at once when other lots have usable points,
//!   also under [`Clawback::OwnLotThenDebt`].
//!
//! # What it costs
//!
//! A command costs time in proportion to the open lots of the accounts that it touches (to all of them
//! where an activity moves every expiry). A ledger keeps one
//! record for each member and one for each command; the journal grows by two to six entries a command.
//!
//! # Where it comes from
//!
//! Double entry and immutable corrections are the bookkeeper's; authorise, capture and release are the
//! card schemes'. Deferred revenue follows IFRS 15, B39–B43 and Illustrative Example 52.

mod ahead;
mod apply;
mod book;
mod calendar;
mod combine;
mod command;
mod decide;
mod deed;
mod desk;
mod dossier;
mod entry;
mod export;
mod history;
pub mod journal;
mod ledger;
mod liability;
mod lot;
mod lots;
mod member;
mod members;
mod memory;
mod names;
mod people;
mod points;
#[cfg(feature = "postgres")]
pub mod postgres;
mod privacy;
mod programme;
mod rational;
mod recall;
mod receipt;
mod refusal;
mod row;
mod rules;
mod sheet;
mod slots;
mod snapshot;
mod states;
mod store;
pub mod wire;

pub use apply::{Misfit, apply};
pub use command::{Action, Adjust, Basis, Command, Earn, Hold, Line, Purse, Redeem};
pub use decide::{Outcome, decide, fall_due, lots_at_most, needs};
pub use deed::{Deed, Digest, Group, GroupState, Order, Part, Subject};
pub use dossier::{CarriedOut, Dossier, OpenHold, Qualified};
pub use entry::{Change, Entry};
pub use export::ExportError;
pub use history::Scope;
pub use journal::{JournalError, JournalStore};
pub use ledger::{Ledger, LedgerError, StatementLine};
pub use liability::Liability;
pub use lot::{Lot, LotNumber, Pot, Take};
pub use member::{Card, Member, Term};
pub use memory::MemoryStore;
pub use names::{AccountId, CommandId};
pub use points::Points;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresError, PostgresOptions, PostgresStore};
pub use privacy::Directory;
pub use programme::{
    Cap, Clawback, Consume, Earning, Expiry, ExpiryFrom, Extension, GroupRules, LiabilityRules,
    Programme, RateRule, RestoreExpired, RoundScope, StampCard, TierKind, TierUnit, Tiers,
    Velocity,
};
pub use rational::{Rational, Rounding};
pub use receipt::{Receipt, Restoration, Restored, Submitted};
pub use refusal::Refusal;
pub use rules::{EarnRule, Rules};
pub use snapshot::{Account, GroupStanding, LotStanding, Snapshot};
pub use states::{Books, Key, Record, States};
pub use store::{Batch, CommitError, InPlace, Store, StoreError, Versioned};
