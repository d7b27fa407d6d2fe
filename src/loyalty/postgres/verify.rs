//! Is everything there, and as it was written?

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use postgres::{IsolationLevel, Transaction};
use sha2::{Digest, Sha256};

use super::error::{Damage, Place, PostgresError};
use super::names::RowKey;
use super::retry::Fault;
use super::rows;
use super::scan::{
    CLOSE_GATE, JOURNAL_PAGE, JournalRow, OPEN_GATE, PAGE, RECORD_PAGE, RecordRow, record_pages,
};
use super::store::PostgresStore;
use crate::loyalty::{Key, Record, States, apply};

type Hash = [u8; 32];

const NO_HEAD: Hash = [0; 32];

/// What stands for a journal up to one of its entries. Kept where nobody who can write to the database
/// can write, it proves that the journal up to there is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seal {
    /// The number of the last entry.
    pub last: u64,
    /// The hash over the hashes of all commits up to it.
    pub hash: [u8; 32],
}

/// What a verification found, when it found nothing wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many commits there are.
    pub commits: u64,
    /// How many entries.
    pub entries: u64,
    /// How many records: members, commands, and the books once they were written.
    pub records: u64,
    /// Numbers below the last that no entry has: of commits that got a number and then failed, which takes a lost
    /// connection or server in that very moment. Not an error, but worth a look when there are many.
    pub missing: u64,
    /// What to keep, for a later verification.
    pub seal: Seal,
}

impl PostgresStore {
    /// Recomputes all hashes, chains, records, balances and postings from the entries of the journal, as of one instant,
    /// while the ledger goes on working; with a seal of an earlier time, also whether the journal up to
    /// there is the same.
    ///
    /// Takes as much memory as all records. What it proves: a row that was altered, dropped, added or moved by
    /// whoever did not recompute every hash after it is found and named. Against somebody who can
    /// write to all tables, and does recompute them, only a [`Seal`] that is kept elsewhere helps.
    ///
    /// # Errors
    /// [`PostgresError::Damaged`] with the first bad row of the journal, else the first bad record;
    /// [`PostgresError::Database`] when the database cannot be read.
    pub fn verify(&self, kept: Option<&Seal>) -> Result<Verified, PostgresError> {
        const DOING: &str = "verifying";
        let failed = |error| Fault::of(DOING, error);
        let options = self.pool.options();
        let [close, open, journal, records] = [CLOSE_GATE, OPEN_GATE, JOURNAL_PAGE, RECORD_PAGE]
            .map(|template| options.statement(template));
        let verified = self.pool.with(DOING, |session| {
            // No commit is under way when the snapshot is taken, so no number below the last comes later.
            session.client.batch_execute(&close).map_err(failed)?;
            let transaction = session.client.build_transaction();
            let transaction = transaction
                .isolation_level(IsolationLevel::RepeatableRead)
                .read_only(true)
                .start();
            let mut transaction = transaction.map_err(failed)?;
            transaction.batch_execute(&open).map_err(failed)?;
            let mut replay = Replay::new(kept.copied());
            let checked = replay
                .journal(&mut transaction, &journal)
                .and_then(|()| replay.records(&mut transaction, &records));
            checked.map_err(Fault::Final)?;
            transaction.rollback().map_err(failed)?;
            Ok(replay.verified)
        });
        verified.map_err(Fault::into_error)
    }
}

/// The state of a verification.
struct Replay {
    states: States,
    /// The ends of the chains of all records.
    heads: HashMap<Key, Hash, RandomState>,
    kept: Option<Seal>,
    verified: Verified,
}

impl Replay {
    fn new(kept: Option<Seal>) -> Self {
        Self {
            states: States::new(),
            heads: HashMap::default(),
            // A seal of an empty journal asks for nothing.
            kept: kept.filter(|seal| seal.last > 0),
            verified: Verified {
                commits: 0,
                entries: 0,
                records: 0,
                missing: 0,
                seal: Seal {
                    last: 0,
                    hash: NO_HEAD,
                },
            },
        }
    }

    fn journal(
        &mut self,
        transaction: &mut Transaction<'_>,
        page: &str,
    ) -> Result<(), PostgresError> {
        let failed = |error| Fault::of("reading the journal", error).into_error();
        let page = transaction.prepare(page).map_err(failed)?;
        let mut before = 0;
        loop {
            let rows = transaction
                .query(&page, &[&before, &i64::MAX, &PAGE])
                .map_err(failed)?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let row = JournalRow::read(row)?;
                self.commit(&row, before)
                    .map_err(|what| damaged(&row, what))?;
                before = row.last;
            }
        }
        match self.kept {
            None => Ok(()),
            // The sealed entry is gone.
            Some(seal) => Err(PostgresError::Damaged {
                place: Place::Journal {
                    last: i64::try_from(seal.last).unwrap_or(i64::MAX),
                },
                what: Damage::Missing,
            }),
        }
    }

    fn commit(&mut self, row: &JournalRow, before: i64) -> Result<(), Damage> {
        let first = row.first();
        if first <= before || row.entries.is_empty() {
            return Err(Damage::Number { first, before });
        }
        let digest: Hash = Sha256::digest(&row.body).into();
        let hash = hash(&[&row.last.to_be_bytes(), &digest]);
        if row.hash != hash {
            return Err(Damage::Hash);
        }
        if row.postings != rows::postings(&row.entries) {
            return Err(Damage::Postings);
        }
        let mut changed: Vec<Key> = Vec::new();
        for (number, entry) in (first..).zip(&row.entries) {
            apply(&mut self.states, entry).map_err(|_| Damage::Misfit {
                number: unsigned(number),
            })?;
            changed.push(entry.key());
        }
        changed.sort_unstable();
        changed.dedup();
        for key in changed {
            // Of a new record, and of the books before the first time, the head is empty.
            let head = self.heads.entry(key).or_default();
            *head = match *head {
                NO_HEAD => self::hash(&[&digest]),
                head => self::hash(&[&head, &digest]),
            };
        }
        let verified = &mut self.verified;
        verified.commits += 1;
        verified.entries += row.entries.len() as u64;
        verified.missing += unsigned(first - before - 1);
        verified.seal = Seal {
            last: unsigned(row.last),
            hash: self::hash(&[&verified.seal.hash, &hash]),
        };
        match self.kept {
            Some(seal) if seal.last <= verified.seal.last => {
                self.kept = None;
                if seal == verified.seal {
                    Ok(())
                } else {
                    Err(Damage::Seal)
                }
            }
            _ => Ok(()),
        }
    }

    fn records(
        &mut self,
        transaction: &mut Transaction<'_>,
        page: &str,
    ) -> Result<(), PostgresError> {
        let mut check = |row: RecordRow| {
            let key = row.key.clone();
            self.record(row).map_err(|what| PostgresError::Damaged {
                place: place(&key),
                what,
            })?;
            Ok(ControlFlow::Continue(()))
        };
        record_pages(transaction, page, &mut check)?;
        // What is left has no row.
        let missing: BTreeMap<RowKey, &Key> = self
            .heads
            .keys()
            .map(|key| (RowKey::of(key), key))
            .collect();
        match missing.into_values().next() {
            None => Ok(()),
            Some(key) => Err(PostgresError::Damaged {
                place: place(key),
                what: Damage::Missing,
            }),
        }
    }

    fn record(&mut self, row: RecordRow) -> Result<(), Damage> {
        let Some(record) = row.record else {
            // The books before anybody wrote them.
            let untouched = row.key == Key::Books && !self.heads.contains_key(&row.key);
            return if untouched && row.head.is_empty() {
                Ok(())
            } else {
                Err(Damage::State)
            };
        };
        let head = self.heads.remove(&row.key);
        // Without an entry that changes it, only the books have a state.
        if head.is_none() || self.states.get(&row.key).as_ref() != Some(&record) {
            return Err(Damage::State);
        }
        if head.is_none_or(|head| row.head != head) {
            return Err(Damage::Chain);
        }
        let balance = match &record {
            Record::Member(member) => (Some(member.available().0), Some(member.debt().0)),
            _ => (None, None),
        };
        if (row.available, row.debt) != balance {
            return Err(Damage::Balance);
        }
        self.verified.records += 1;
        Ok(())
    }
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn damaged(row: &JournalRow, what: Damage) -> PostgresError {
    PostgresError::Damaged {
        place: Place::Journal { last: row.last },
        what,
    }
}

fn place(key: &Key) -> Place {
    Place::Record {
        key: format!("{key:?}"),
    }
}
