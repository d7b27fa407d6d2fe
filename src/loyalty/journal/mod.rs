//! The ledger on this machine's disk: a journal in a folder, with no server.
//!
//! ```
//! use tenure::loyalty::{Command, Earn, JournalStore, Ledger, Points, Programme, Redeem, Rules};
//!
//! # let folder = std::env::temp_dir().join(format!("tenure-doc-{}", std::process::id()));
//! let programme: Programme = serde_json::from_str(r#"{
//!     "earn": {"rounding": "floor", "round_scope": "order"},
//!     "earn_rules": [{"rate": [1, 100]}],
//!     "expiry": {"kind": "days", "n": 365}
//! }"#)?;
//! let now = "2025-01-06".parse()?;
//!
//! let ledger = Ledger::new(JournalStore::open(&folder)?, Rules::new(programme)?);
//! ledger.submit(Command::new("order-1", now, Earn::money("ann", 12_99)))?;
//! // The power may fail from here on: the order is on the disk.
//! assert_eq!(ledger.account(&"ann".into(), now)?.available, Points(12));
//!
//! let backup = folder.with_extension("backup");
//! # let _ = std::fs::remove_dir_all(&backup);
//! ledger.store().backup(&backup)?;
//! let verified = JournalStore::verify(&backup)?;
//! assert!(verified.damages.is_empty());
//! # drop(ledger);
//! # std::fs::remove_dir_all(&folder)?;
//! # std::fs::remove_dir_all(&backup)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is in the folder
//!
//! | file | what | without it |
//! |---|---|---|
//! | `0000000000000000.journal`, … | segments: all entries there ever were, named by the bytes before them | the books are gone: back these up |
//! | `people` | who is behind the accounts, see [`Directory`](super::Directory) | nobody knows whose account is whose |
//! | `….snapshot` | the members' states at a place of the journal; the two latest | opening replays more |
//! | `….index` | where each command is in the journal | opening reads all of it and makes the index anew |
//! | `mark` | where the journal ended when it was last closed | the loss of the end of the journal is not noticed |
//! | `lock` | locked while a store has the folder open for writing; its presence means nothing | made when needed |
//!
//! A batch is one *frame* of a segment: its length, the number of its first entry, a checksum, and a BLAKE3
//! hash of the hash before it and of its content. So an entry that is changed, dropped or moved breaks the
//! chain there, and the last hash stands for all of the books: [`Verification::chain`], written down
//! elsewhere, proves later that nobody wrote them anew.
//!
//! # What a crash can do, and what it cannot
//!
//! A command is acknowledged when its frame is synced. Threads that wait for that share one sync: one of them
//! writes the frames of all. Whatever happens then (the process is killed, the power fails, a write is torn or
//! its sectors land in any order), the next opening finds every acknowledged command, in whole. At the end of
//! the journal there may be commands that nobody was told of: those that are whole are kept, an unfinished
//! rest is cut off, and [`Opening::cut`] says so.
//!
//! A bad frame before a later sync is no leftover of a crash, it is damage: the journal does not open for
//! writing, and the error says which record of which file it is.
//!
//! When a write or a sync fails (a disk that breaks, a full one), the commands that wait for it fail, and
//! every later one, too: after a failed sync nobody knows what is on the disk. Make room, open the journal
//! again, and send again what failed; a command that was carried out gives its first receipt.
//!
//! A disk that says it has synced and has not can lose what was acknowledged; no software can help that. If
//! what is left ends before the mark or a snapshot, or has a hole after the last one, opening says so;
//! a hole before the last snapshot is found by [`JournalStore::verify`].
//!
//! # For the operator
//!
//! *Back up* with [`JournalStore::backup`], while commands go on, into a new folder each time; keep it on another
//! disk. Copying the folder is as good when no store has it open. A person who was forgotten since is still in
//! older backups: delete these in time.
//!
//! *Verify* each backup with [`JournalStore::verify`]: it computes all balances and the chain anew from the first entry.
//!
//! *Restore* with [`JournalStore::restore`] into an empty folder, which is verified at once, and open that.
//!
//! *Report* from another process with [`JournalStore::open_read_only`]: it takes no lock and changes nothing.
//!
//! When verify complains, the first of [`Verification::damages`] tells what to do:
//!
//! | the damage is in | do |
//! |---|---|
//! | a `.snapshot`, an `.index`, the `mark` | close the store, delete the file, open again: it is made anew |
//! | the last `.journal`, as [`Fault::Torn`] | an unfinished command, or damage to the last one: compare with the last receipts, then open; it is cut off |
//! | a `.journal` | stop writing; keep the folder as it is; restore the last backup that verifies, and send the commands since then again (the orders are in the shop's own records, the entries after the damage in the old folder) |
//! | `people` | restore that file from a backup, and link again who joined since |
//!
//! And replace the disk: a sound one does not change bytes.
//!
//! # What it costs
//!
//! All members are in memory, commands are not: 10 bits of a filter for each, and the latest ones
//! ([`JournalOptions`]). A command takes one write and a share of one sync. A few bytes are written twice or three
//! times more, when the index is merged: with the thread that happens to be there, some milliseconds for each
//! 100,000 commands. Opening reads the last snapshot and what came after it.
//!
//! # Which to use when
//!
//! One process that owns its data: this. Several processes that write, or a database that is there anyway and is
//! backed up: PostgreSQL. Tests and simulations: [`MemoryStore`](super::MemoryStore).
//!
//! # Where it comes from
//!
//! Write-ahead logging and group commit are those of Gray & Reuter (*Transaction Processing*, 1993, chapters 9 and
//! 10); why a failed sync ends all writing: Rebello et al., *Can Applications Recover from fsync Failures?* (USENIX ATC
//! 2020). The index is a log-structured merge tree (O'Neil et al., 1996) that its journal can always make anew.

mod backup;
mod blocks;
mod cache;
mod error;
mod files;
mod frame;
mod index;
mod mark;
mod open;
mod payload;
mod people;
mod place;
mod read;
mod run;
mod segment;
mod shelf;
mod snapshot;
mod store;
mod upkeep;
mod verify;

pub(super) use blocks::push_varint;
pub(super) use payload::{Entries, deed_of, entry_at};

pub use error::{Corruption, Fault, JournalError};
pub use files::{Blob, Files, Folder};
pub use store::{JournalOptions, JournalStore, Opening};
pub use verify::Verification;
