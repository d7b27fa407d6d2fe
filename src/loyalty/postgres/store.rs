//! The store.

use std::error::Error;
use std::ops::{ControlFlow, Range};
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use postgres::{Client, Config, NoTls};
use smol_str::SmolStr;

use super::commit::Call;
use super::error::{Damage, Place, PostgresError};
use super::migrate::migrate;
use super::names::RowKey;
use super::options::PostgresOptions;
use super::places::Places;
use super::pool::{Pool, Query, Session};
use super::retry::{Attempts, Fault, Jitter};
use super::scan;
use crate::loyalty::{Batch, CommitError, Entry, Key, Record, Store, StoreError, Versioned, wire};

/// How many lot numbers are taken from the database at once.
const LOTS: u64 = 1024;

/// A points ledger in PostgreSQL, shared by any number of threads and processes.
///
/// ```no_run
/// use tenure::loyalty::{Command, Earn, Ledger, PostgresOptions, PostgresStore, Programme, Rules};
///
/// let store = PostgresStore::open("host=localhost user=shop dbname=shop", PostgresOptions::default())?;
/// let ledger = Ledger::new(store, Rules::new(Programme::default())?);
/// ledger.submit(Command::new("order-1", "2025-01-06".parse()?, Earn::money("ann", 12_99)))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PostgresStore {
    pub(super) pool: Pool,
    jitter: Jitter,
    /// The highest number of an entry that this store has seen.
    seen: AtomicI64,
    /// Eight random bytes of the server, and a counter: the tokens of commits.
    session: [u8; 8],
    commits: AtomicU64,
    lots: Mutex<Range<u64>>,
    places: Places,
}

impl PostgresStore {
    /// Opens the ledger in a schema of a database, and makes or updates the schema when it must.
    ///
    /// `url` is a connection string, `host=… user=… dbname=…` or `postgres://…`. The connections are
    /// **not encrypted**: for a server on the same machine or in a network that you trust; else use
    /// [`PostgresStore::open_with`]. Where the string does not say otherwise, connecting takes at most
    /// 10 s, and a connection whose other end is silent is given up after `statement_ms_max` and 10 s more.
    ///
    /// # Errors
    /// [`PostgresError::Setting`] for a setting out of its range, [`PostgresError::Newer`] for a schema that a later version
    /// of this crate made, [`PostgresError::Database`] when the database cannot be reached or refuses.
    pub fn open(url: &str, options: PostgresOptions) -> Result<Self, PostgresError> {
        options.check()?;
        let mut config = Config::from_str(url).map_err(|error| PostgresError::Database {
            doing: "reading the connection string",
            source: error.into(),
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_tcp_user_timeout().is_none() {
            let limit_ms = u64::from(options.statement_ms_max) + 10_000;
            config.tcp_user_timeout(Duration::from_millis(limit_ms));
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_idle(Duration::from_secs(30));
            config.keepalives_interval(Duration::from_secs(10));
        }
        Self::open_with(move || Ok(config.connect(NoTls)?), options)
    }

    /// The same with connections of your own making: with TLS, a password from a vault, or whatever
    /// else it takes.
    ///
    /// The closure is called for each new connection, also after one was lost, and from several threads. Its
    /// `Client` is that of the [`postgres`] crate, version 0.19: the one place where this crate shows a
    /// dependency that is not at 1.0, because TLS connectors are made for that crate.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub fn open_with(
        connect: impl Fn() -> Result<Client, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
        options: PostgresOptions,
    ) -> Result<Self, PostgresError> {
        options.check()?;
        let pool = Pool::new(Box::new(connect), options);
        let begin = |session: &mut Session| {
            migrate(&mut session.client, pool.options())?;
            let numbers = "select case when is_called then last_value else 0 end, \
                           substring(uuid_send(gen_random_uuid()) from 9) from @.entry_number";
            let numbers = pool.options().statement(numbers);
            let row = session.client.query_one(&numbers, &[]);
            row.and_then(|row| Ok((row.try_get(0)?, row.try_get::<_, Vec<u8>>(1)?)))
                .map_err(|error| Fault::of("opening the ledger", error))
        };
        let (seen, random) = pool
            .with("opening the ledger", begin)
            .map_err(Fault::into_error)?;
        Ok(Self {
            jitter: Jitter::new(pool.options().seed),
            pool,
            seen: AtomicI64::new(seen),
            session: random.first_chunk().copied().unwrap_or_default(),
            commits: AtomicU64::new(0),
            lots: Mutex::new(0..0),
            places: Places::default(),
        })
    }

    /// Does some work that changes nothing when it is done twice, again and again until it succeeds or its time is over.
    pub(super) fn repeat<T>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(&mut Session) -> Result<T, Fault>,
    ) -> Result<T, PostgresError> {
        let mut attempts = self.attempts();
        loop {
            match self.pool.with(doing, &mut work) {
                Ok(done) => return Ok(done),
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Again(error) | Fault::Lost(error)) => {
                    self.pool.clear();
                    if !attempts.again() {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn attempts(&self) -> Attempts<'_> {
        Attempts::new(&self.jitter, self.pool.options().retry_ms_max)
    }

    /// A token that no other commit has.
    fn token(&self) -> Vec<u8> {
        let count = self.commits.fetch_add(1, Ordering::Relaxed);
        [self.session, count.to_be_bytes()].concat()
    }

    /// Writes a batch once, whatever happens to connections meanwhile; the number of its last entry, or `None` when a
    /// record has moved.
    fn write(&self, call: &Call) -> Result<Option<i64>, PostgresError> {
        const DOING: &str = "committing";
        // Numbers are given in the order of time: if a lost attempt was carried out, its number is above this one.
        let floor = self.seen.load(Ordering::Acquire);
        let mut uncertain = false;
        let mut attempts = self.attempts();
        loop {
            let error = match self.pool.with(DOING, |session| call.send(session)) {
                Ok(None) if uncertain => {
                    // It may be this very batch that moved the records.
                    let token: &[u8] = call.token();
                    return self.repeat("looking for a commit", |session| {
                        let rows = session.query(Query::Find, &[&floor, &token]);
                        let row = rows.map(|rows| rows.into_iter().next());
                        row.and_then(|row| row.map(|row| row.try_get(0)).transpose())
                            .map_err(|error| Fault::of("looking for a commit", error))
                    });
                }
                Ok(last) => return Ok(last),
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Again(error)) => error,
                Err(Fault::Lost(error)) => {
                    uncertain = true;
                    error
                }
            };
            self.pool.clear();
            if !attempts.again() {
                return Err(error);
            }
        }
    }

    /// The first record of a batch that has another version than expected.
    fn moved(&self, batch: &Batch) -> Result<Option<CommitError>, StoreError> {
        let keys: Vec<Key> = batch.expected.iter().map(|(key, _)| key.clone()).collect();
        let found = self.load(&keys)?;
        let both = batch.expected.iter().zip(found);
        Ok(both
            .filter(|((_, expected), found)| *expected != found.version)
            .map(|((key, expected), found)| CommitError::Moved {
                key: key.clone(),
                found: found.version,
                expected: *expected,
            })
            .next())
    }

    fn take_lots(&self, count: u64) -> Result<Range<u64>, StoreError> {
        let wanted = i64::try_from(count).ok();
        let taken: Result<Option<i64>, i64> = self.repeat("taking lot numbers", |session| {
            let failed = |error| Fault::of("taking lot numbers", error);
            let mut ask = |query, parameters: &[&(dyn postgres::types::ToSql + Sync)]| {
                let rows = session.query(query, parameters).map_err(failed)?;
                let row = rows.into_iter().next();
                row.map_or(Ok(None), |row| row.try_get::<_, Option<i64>>(0))
                    .map_err(failed)
            };
            if let Some(wanted) = wanted
                && let Some(last) = ask(Query::TakeLots, &[&wanted])?
            {
                return Ok(Ok(Some(last)));
            }
            Ok(Err(ask(Query::LastLot, &[])?.unwrap_or(0)))
        })?;
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        match taken {
            Ok(last) => {
                let end = number(last.unwrap_or(0)) + 1;
                Ok(end.saturating_sub(count)..end)
            }
            Err(last) => Err(StoreError::LotsExhausted { last: number(last) }),
        }
    }
}

impl Store for PostgresStore {
    fn load(&self, keys: &[Key]) -> Result<Vec<Versioned>, StoreError> {
        let rows: Vec<RowKey> = keys.iter().map(RowKey::of).collect();
        let names: Vec<&[u8]> = rows.iter().map(|row| row.key.as_slice()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.repeat("loading records", |session| {
            session
                .query(Query::Load, &[&names])
                .map_err(|error| Fault::of("loading records", error))
        })?;
        let absent = || Versioned {
            version: 0,
            record: None,
        };
        let mut loaded: Vec<Versioned> = keys.iter().map(|_| absent()).collect();
        let mut places = Vec::with_capacity(found.len());
        for row in found {
            let failed = |error| Fault::of("loading records", error).into_error();
            let number: i64 = row.try_get(0).map_err(failed)?;
            let version: i64 = row.try_get(1).map_err(failed)?;
            let body: Option<&[u8]> = row.try_get(2).map_err(failed)?;
            let place: &str = row.try_get(3).map_err(failed)?;
            // They count from 1.
            let number = usize::try_from(number - 1).unwrap_or(usize::MAX);
            let (Some(slot), Some(key)) = (loaded.get_mut(number), keys.get(number)) else {
                continue;
            };
            if let (Some(body), Ok(version @ 1..)) = (body, u64::try_from(version)) {
                let record = Some(record(key, body)?);
                *slot = Versioned { version, record };
                places.push((key.clone(), version, SmolStr::new(place)));
            }
        }
        self.places.note(places.into_iter());
        Ok(loaded)
    }

    fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        let count = batch.entries.len() as u64;
        let places = self.places.take(&batch);
        let call = Call::of(&batch, self.token(), &places);
        let mut call = call.map_err(StoreError::from)?;
        loop {
            if let Some(last) = self.write(&call).map_err(StoreError::from)? {
                self.seen.fetch_max(last, Ordering::AcqRel);
                return Ok(u64::try_from(last).unwrap_or(0) + 1 - count);
            }
            if let Some(moved) = self.moved(&batch)? {
                return Err(moved);
            }
            // What stood in the way is gone: a batch that was rolled back; or the table was rewritten, and its rows
            // lie elsewhere.
            call.forget_places();
        }
    }

    fn scan(
        &self,
        from: u64,
        visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(scan::entries(self, from, visit)?)
    }

    fn records(
        &self,
        visit: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(scan::records(self, visit)?)
    }

    fn reserve_lots(&self, count: u64) -> Result<Range<u64>, StoreError> {
        let mut lots = self.lots.lock().unwrap_or_else(PoisonError::into_inner);
        let left = lots.end - lots.start;
        if left < count {
            let taken = self.take_lots(count.max(LOTS))?;
            // Where another process took numbers in between, the rest of the block before is given up.
            *lots = if taken.start == lots.end {
                lots.start..taken.end
            } else {
                taken
            };
        }
        let given = lots.start..lots.start + count;
        lots.start = given.end;
        Ok(given)
    }
}

/// A record from its bytes; of the kind that its name promises.
pub(super) fn record(key: &Key, body: &[u8]) -> Result<Record, PostgresError> {
    let damaged = |what| PostgresError::Damaged {
        place: Place::Record {
            key: format!("{key:?}"),
        },
        what,
    };
    let record = wire::decode_record(body).map_err(|error| damaged(Damage::Bytes(error)))?;
    match (key, &record) {
        (Key::Member(_), Record::Member(_))
        | (Key::Deed(_), Record::Deed(_))
        | (Key::Books, Record::Books(_)) => Ok(record),
        _ => Err(damaged(Damage::Name)),
    }
}
