//! Connections: opened when needed, kept, and closed at the first doubt.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postgres::types::ToSql;
use postgres::{Client, Row, Statement};

use super::error::PostgresError;
use super::options::PostgresOptions;
use super::retry::Fault;

/// What opens a connection.
pub(super) type Connect = dyn Fn() -> Result<Client, Box<dyn Error + Send + Sync>> + Send + Sync;

/// The statements that are prepared once a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Query {
    Load,
    Commit,
    Find,
    TakeLots,
    LastLot,
    AccountOf,
    PersonOf,
    Link,
    Unlink,
}

impl Query {
    const COUNT: usize = 9;

    /// Its text, with `@` for the schema. Inner joins by `lateral … offset 0` can be carried out in one way only:
    /// name by name, with the index.
    fn template(self) -> &'static str {
        match self {
            Query::Load => {
                "select k.number, r.version, r.body, r.place from unnest($1::bytea[]) with ordinality k (key, number) \
                 cross join lateral (select version, body, ctid::text as place from @.record where key = k.key offset 0) r"
            }
            Query::Commit => {
                "select @.commit($1,$2,$3,$4,$5::text[]::tid[],$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21)"
            }
            Query::Find => "select last from @.journal where last > $1 and token = $2",
            Query::TakeLots => "select @.take('@.lot_number', $1)",
            Query::LastLot => {
                "select case when is_called then last_value else 0 end from @.lot_number"
            }
            Query::AccountOf => "select number from @.person where key = $1",
            Query::PersonOf => "select key, long_key from @.person where number = $1",
            Query::Link => {
                "insert into @.person (key, long_key, number) values ($1, $2, nextval('@.account_number')) \
                 on conflict (key) do nothing returning number"
            }
            Query::Unlink => "delete from @.person where key = $1 returning number",
        }
    }
}

/// A connection and what is prepared on it.
pub(super) struct Session {
    pub(super) client: Client,
    options: Arc<PostgresOptions>,
    statements: [Option<Statement>; Query::COUNT],
}

impl Session {
    /// The rows of a statement, which is prepared at its first use.
    pub(super) fn query(
        &mut self,
        query: Query,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, postgres::Error> {
        let slot = self.statements.get_mut(query as usize);
        let statement = match &slot {
            Some(Some(statement)) => statement.clone(),
            _ => {
                let text = self.options.statement(query.template());
                let statement = self.client.prepare(&text)?;
                if let Some(slot) = slot {
                    *slot = Some(statement.clone());
                }
                statement
            }
        };
        self.client.query(&statement, parameters)
    }
}

/// The connections of a store.
pub(super) struct Pool {
    connect: Box<Connect>,
    options: Arc<PostgresOptions>,
    shelf: Mutex<Shelf>,
    freed: Condvar,
}

#[derive(Default)]
struct Shelf {
    idle: Vec<Session>,
    /// All connections, those in use among them.
    open: usize,
}

/// A place among the connections that may be open: given back with a connection or without.
struct Seat<'a> {
    pool: &'a Pool,
    kept: Option<Session>,
}

impl Pool {
    pub(super) fn new(connect: Box<Connect>, options: PostgresOptions) -> Self {
        Self {
            connect,
            options: Arc::new(options),
            shelf: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    pub(super) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    /// Does some work with a connection. After an error the connection is closed: it may be left with a lock, in a
    /// transaction, or dead.
    pub(super) fn with<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Session) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (mut seat, idle) = self.seat().map_err(Fault::Final)?;
        let mut session = match idle {
            Some(session) => session,
            // Nothing was sent yet, so whatever went wrong can be tried again.
            None => self.open_session(doing)?,
        };
        let done = work(&mut session)?;
        seat.kept = Some(session);
        Ok(done)
    }

    /// Closes all connections that nobody uses: after one was lost the others are probably lost, too.
    pub(super) fn clear(&self) {
        let mut shelf = self.shelf();
        let idle = std::mem::take(&mut shelf.idle);
        shelf.open -= idle.len();
        drop(shelf);
        self.freed.notify_all();
    }

    fn seat(&self) -> Result<(Seat<'_>, Option<Session>), PostgresError> {
        let wait_ms = self.options.statement_ms_max;
        let until = Instant::now() + Duration::from_millis(wait_ms.into());
        let mut shelf = self.shelf();
        loop {
            let idle = shelf.idle.pop();
            if idle.is_some() || shelf.open < self.options.connections {
                shelf.open += usize::from(idle.is_none());
                let seat = Seat {
                    pool: self,
                    kept: None,
                };
                return Ok((seat, idle));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(PostgresError::Busy {
                    connections: self.options.connections,
                    waited_ms: wait_ms,
                });
            }
            let waited = self.freed.wait_timeout(shelf, left);
            shelf = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn open_session(&self, doing: &'static str) -> Result<Session, Fault> {
        let mut client = (self.connect)().map_err(|source| Fault::connecting(doing, source))?;
        let limit = self.options.statement_ms_max;
        client
            .batch_execute(&format!("set statement_timeout = {limit}; {SETTINGS}"))
            .map_err(|error| Fault::connecting(doing, error.into()))?;
        Ok(Session {
            client,
            options: Arc::clone(&self.options),
            statements: Default::default(),
        })
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let kept = self
            .kept
            .take()
            .filter(|session| !session.client.is_closed());
        let mut shelf = self.pool.shelf();
        match kept {
            Some(session) => shelf.idle.push(session),
            None => shelf.open -= 1,
        }
        drop(shelf);
        self.pool.freed.notify_one();
    }
}

/// What a store's statements rely upon, whatever the server's or the role's defaults are: the isolation level; plans
/// that look names up by the index, also in a table that was small when they were made; and a
/// commit that is on the disk before it is acknowledged.
const SETTINGS: &str = "set default_transaction_isolation = 'read committed'; \
    set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off; set enable_mergejoin = off; \
    set plan_cache_mode = force_generic_plan; set jit = off; \
    select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'";

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connector may hold a password.
        let shelf = self.shelf();
        f.debug_struct("Pool")
            .field("options", &self.options)
            .field("open", &shelf.open)
            .field("idle", &shelf.idle.len())
            .finish_non_exhaustive()
    }
}
