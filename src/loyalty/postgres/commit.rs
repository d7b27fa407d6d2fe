//! A batch as one statement.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use super::error::PostgresError;
use super::names::RowKey;
use super::pool::{Query, Session};
use super::retry::Fault;
use super::rows;
use crate::loyalty::{Batch, Key, Record, StoreError, wire};

/// The parameters of the statement that writes a batch: columns, sorted by key.
#[derive(Debug, Default)]
pub(super) struct Call {
    books: Option<i64>,
    books_change: bool,
    there: There,
    new: New,
    kept_keys: Vec<Vec<u8>>,
    kept_versions: Vec<i64>,
    absent_keys: Vec<Vec<u8>>,
    entries: i32,
    token: Vec<u8>,
    body: Vec<u8>,
    postings: String,
}

/// Records that are there and change.
#[derive(Debug, Default)]
struct There {
    keys: Vec<Vec<u8>>,
    versions: Vec<i64>,
    /// Where the rows lie, if that is known of all of them.
    places: Option<Vec<String>>,
    bodies: Vec<Vec<u8>>,
    available: Vec<Option<i64>>,
    debts: Vec<Option<i64>>,
}

/// Records that are not there: those that will be, and those, without a body, that must not come between.
#[derive(Debug, Default)]
struct New {
    keys: Vec<Vec<u8>>,
    long_keys: Vec<Option<Vec<u8>>>,
    accounts: Vec<Option<String>>,
    bodies: Vec<Option<Vec<u8>>>,
    available: Vec<Option<i64>>,
    debts: Vec<Option<i64>>,
}

impl Call {
    /// The statement for a batch, some of whose rows lie at places that are known.
    pub(super) fn of(
        batch: &Batch,
        token: Vec<u8>,
        places: &HashMap<&Key, SmolStr, RandomState>,
    ) -> Result<Self, PostgresError> {
        let mut changed: HashMap<&Key, &Record, RandomState> = HashMap::default();
        changed.extend(batch.changed.iter().map(|(key, record)| (key, record)));
        let mut expected: BTreeMap<RowKey, (&Key, u64)> = BTreeMap::new();
        for (key, version) in &batch.expected {
            expected.insert(RowKey::of(key), (key, *version));
        }
        let mut call = Self {
            entries: i32::try_from(batch.entries.len()).unwrap_or(i32::MAX),
            token,
            body: rows::body(&batch.entries),
            postings: rows::postings(&batch.entries),
            ..Self::default()
        };
        call.there.places = Some(Vec::new());
        for (row, (key, version)) in expected {
            // No record was committed so often; one that was would be found to have moved.
            let version = i64::try_from(version).unwrap_or(i64::MAX);
            let record = changed.remove(key);
            if *key == Key::Books {
                call.books = Some(version);
                call.books_change = record.is_some();
            }
            let there = call.there.keys.len();
            call.add(row, key, version, record);
            if call.there.keys.len() > there {
                call.there.places = (call.there.places.take()).and_then(|mut all| {
                    all.push(places.get(key)?.to_string());
                    Some(all)
                });
            }
        }
        match changed.into_keys().next() {
            None => Ok(call),
            Some(key) => Err(PostgresError::Unexpected {
                key: format!("{key:?}"),
            }),
        }
    }

    fn add(&mut self, row: RowKey, key: &Key, version: i64, record: Option<&Record>) {
        let body = record.map(|record| {
            let mut body = Vec::with_capacity(128);
            wire::encode_record(record, &mut body);
            body
        });
        let (available, debt) = match record {
            Some(Record::Member(member)) => (Some(member.available().0), Some(member.debt().0)),
            _ => (None, None),
        };
        // The books have a row from the beginning.
        let there = version > 0 || *key == Key::Books;
        match (there, body) {
            (true, Some(body)) => {
                self.there.keys.push(row.key);
                self.there.versions.push(version);
                self.there.bodies.push(body);
                self.there.available.push(available);
                self.there.debts.push(debt);
            }
            // The gate keeps the books as they are.
            (true, None) if *key == Key::Books => {}
            (true, None) => {
                self.kept_keys.push(row.key);
                self.kept_versions.push(version);
            }
            (false, body) => {
                if body.is_none() {
                    self.absent_keys.push(row.key.clone());
                }
                let account = match key {
                    Key::Member(account) => Some(rows::legible(account.as_str())),
                    _ => None,
                };
                self.new.keys.push(row.key);
                self.new.long_keys.push(row.long);
                self.new.accounts.push(account.filter(|_| body.is_some()));
                self.new.bodies.push(body);
                self.new.available.push(available);
                self.new.debts.push(debt);
            }
        }
    }

    /// Has the server look up where the rows lie.
    pub(super) fn forget_places(&mut self) {
        self.there.places = None;
    }

    /// By which the commit is known again.
    pub(super) fn token(&self) -> &[u8] {
        &self.token
    }

    /// Sends it: the number of the last entry, or `None` when a record has moved.
    pub(super) fn send(&self, session: &mut Session) -> Result<Option<i64>, Fault> {
        const DOING: &str = "committing";
        let (there, new) = (&self.there, &self.new);
        let rows = session.query(
            Query::Commit,
            &[
                &self.books,
                &self.books_change,
                &there.keys,
                &there.versions,
                &there.places,
                &there.bodies,
                &there.available,
                &there.debts,
                &new.keys,
                &new.long_keys,
                &new.accounts,
                &new.bodies,
                &new.available,
                &new.debts,
                &self.kept_keys,
                &self.kept_versions,
                &self.absent_keys,
                &self.entries,
                &self.token,
                &self.body,
                &self.postings,
            ],
        );
        match rows {
            Ok(rows) => {
                let row = rows.first().map(|row| row.try_get(0));
                row.transpose().map_err(|error| Fault::of(DOING, error))
            }
            // Raised by the function; everything is rolled back, and the connection is as before.
            Err(error) if has_moved(&error) => Ok(None),
            Err(error) if error.code().is_some_and(|code| code.code() == "TN002") => {
                let source = error.into();
                Err(Fault::Final(PostgresError::Database {
                    doing: "numbering entries",
                    source,
                }))
            }
            Err(error) => Err(Fault::of(DOING, error)),
        }
    }
}

/// Whether a record has another version than expected, or is there and was to be new.
fn has_moved(error: &postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else {
        return false;
    };
    match error.code().code() {
        "TN001" => true,
        "23505" => error.constraint() == Some("record_pkey"),
        _ => false,
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        fault.into_error().into()
    }
}
