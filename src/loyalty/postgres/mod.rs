//! A points ledger in PostgreSQL, shared by many processes: the same commands, receipts and journal as in memory.
//!
//! ```no_run
//! use tenure::loyalty::{Command, Earn, Ledger, PostgresOptions, PostgresStore, Programme, Rules};
//!
//! let url = "host=localhost user=shop password=secret dbname=shop";
//! let store = PostgresStore::open(url, PostgresOptions::default())?;
//! let ledger = Ledger::new(store, Rules::new(Programme::default())?);
//! ledger.submit(Command::new("order-1", "2025-01-06".parse()?, Earn::money("ann", 12_99)))?;
//!
//! let verified = ledger.store().verify(None)?;
//! println!("{} entries; keep {:?} in a safe", verified.entries, verified.seal);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which to use when
//!
//! A database where several processes or machines write to one ledger, or where operations know PostgreSQL. For one
//! process on one machine a journal on its own disk is faster and needs no server. Send many commands in
//! one [`submit_batch`](super::Ledger::submit_batch) where they come together: a batch is one statement
//! and one commit.
//!
//! # What lies in the schema
//!
//! One ledger lives in one schema ([`PostgresOptions::schema`]), in a database whose encoding is UTF-8, on a server
//! of version 13 or later.
//!
//! | relation | what it holds |
//! |---|---|
//! | `journal` | a row for each commit: all its entries as bytes ([`wire`](super::wire)), their hash, and the points that moved as JSON; written once, never changed |
//! | `record` | a row for each member and each command: the state as bytes, a version, the end of its chain; for members also `available` and `debt` |
//! | `person` | whose account is whose ([`Directory`](super::Directory)) |
//! | `migration` | the versions of the schema |
//! | `account` (view) | `account`, `available`, `debt` |
//! | `posting` (view) | `number`, `at`, `account`, `command`, `change`, `from_pot`, `to_pot`, `points`: the double-entry books |
//!
//! States and entries are bytes because they are read by nobody but the ledger, and a third as long as JSON; what people
//! ask for is in plain columns beside them, which [`PostgresStore::verify`] compares:
//!
//! ```sql
//! select sum(available) from tenure.account;
//! select date_trunc('month', at), sum(points) from tenure.posting where to_pot = 'redeemed' group by 1;
//! ```
//!
//! `account.available` is as of the account's last entry: what fell due since is booked with its next command, or by
//! [`Ledger::tick`](super::Ledger::tick). The postings have no index: for more than an occasional
//! question copy the view into a table. A character of code 0 in a name is shown as `␀`.
//!
//! # Migrations, and the rights that it takes
//!
//! [`PostgresStore::open`] makes the schema, or brings it to its own version, in one transaction under an advisory lock, so
//! any number of processes can start together. Back up before the first process of a new version starts: an older one
//! refuses the schema then ([`PostgresError::Newer`]). To make or to migrate takes a role that may create
//! in the database, and owns the schema. To write to a schema that is up to date takes less:
//!
//! ```sql
//! grant usage on schema tenure to shop;
//! grant select on tenure.migration to shop;
//! grant select, insert on tenure.journal to shop;
//! grant select, insert, update, delete on tenure.record, tenure.person to shop;
//! grant select, update on all sequences in schema tenure to shop;
//! ```
//!
//! So the program that writes cannot change an entry, and analysts need `usage` on the schema and `select` on the two views.
//!
//! # What happens when things break
//!
//! * A commit is acknowledged when the server has it on its disk; a role with `synchronous_commit = off` is
//!   overruled. What a failover keeps is up to your replication: with asynchronous standbys the last
//!   acknowledged commits may be lost with the machine, with synchronous ones they are not.
//! * Deadlocks, lost connections, restarts and failovers are waited out and tried again for
//!   [`PostgresOptions::retry_ms_max`]. When a connection dies in the middle of a commit nobody knows whether it was carried
//!   out. It is sent again: either it is written now, or its records have moved, and then a token in the
//!   journal tells whether it was this very commit that moved them. Nothing is lost, nothing is there twice.
//! * When the time for retries is over the command's fate may be unknown ([`StoreError`](super::StoreError)): send it again,
//!   its name makes that safe.
//! * With several hosts in the connection string add `target_session_attrs=read-write`, so that a standby is passed over.
//! * A statement that takes longer than [`PostgresOptions::statement_ms_max`] is rolled back and not tried again.
//! * Poolers in front of the server must pool sessions: settings and prepared statements belong to a session.
//!
//! # Backup
//!
//! `pg_dump --schema=tenure` while the ledger works, or any physical backup; restore under the same schema name, then
//! [`PostgresStore::verify`] with the last [`Seal`] that you kept. A person who was forgotten is still in older
//! backups and in archived write-ahead logs; the deleted row's bytes leave the data files with `vacuum full tenure.person`.
//!
//! # How it works
//!
//! A batch is one call of a function: it checks the books' version behind a gate that commits pass together, updates the
//! records whose versions are the expected ones, in the order of their names, inserts the new ones (a
//! command's name is a primary key), takes the next numbers and writes the journal row. A version that moved
//! rolls everything back, and the ledger decides again.
//!
//! * **Numbers** of entries are taken under a lock that is held for a moment, when all records of the batch are locked already.
//!   So the order of the numbers is a serial order of all commands, for each account and over all of them. A number
//!   can be missing, where a connection died just after it was given. [`Store::scan`](super::Store::scan) first waits for the
//!   commits that have a number, so it shows no entry while one with a lower number is yet to come.
//! * **Lot numbers** are taken in blocks of 1,024; what is left of a block when a process ends is skipped.
//! * **Chains**: the head of a record is SHA-256 over its head before and the digest of the commit's entries, updated with
//!   the row that is locked anyway, so writers of different members do not wait for each other. Verification
//!   replays the journal, recomputes all hashes, chains, records and balances, and names the first row that differs. An unkeyed
//!   chain cannot stop somebody who may write to all tables from recomputing all of it; a [`Seal`] that is kept elsewhere does.
//! * **Places**: where a row lies (`ctid`) is remembered from loading it to changing it, so that it is not looked up twice; name
//!   and version are compared there. When rows lie elsewhere by then, as after `vacuum full`, they are looked up.
//!
//! # What it costs
//!
//! Two round trips a command or batch: one that loads, one that commits. The library needs about 50 more crates, none of
//! which is compiled without the feature `postgres`.

mod commit;
mod directory;
mod error;
mod migrate;
mod names;
mod options;
mod places;
mod pool;
mod retry;
mod rows;
mod scan;
mod store;
mod verify;

pub use error::{Damage, Place, PostgresError};
pub use options::PostgresOptions;
pub use store::PostgresStore;
pub use verify::{Seal, Verified};
