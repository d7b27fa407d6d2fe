//! Reading the whole journal and all records.

use std::ops::ControlFlow;

use postgres::{IsolationLevel, Transaction};

use super::error::{Damage, Place, PostgresError};
use super::names::RowKey;
use super::retry::Fault;
use super::rows;
use super::store::{PostgresStore, record};
use crate::loyalty::{Entry, Key, Record};

/// How many rows are read at once.
pub(super) const PAGE: i64 = 500;

pub(super) const JOURNAL_PAGE: &str = "select last, entries, hash, body, postings::text from @.journal \
     where last > $1 and last <= $2 order by last limit $3";

/// A row of the journal.
pub(super) struct JournalRow {
    pub(super) last: i64,
    pub(super) hash: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) postings: String,
    pub(super) entries: Vec<Entry>,
}

impl JournalRow {
    pub(super) fn read(row: &postgres::Row) -> Result<Self, PostgresError> {
        let failed = |error| Fault::of("reading the journal", error).into_error();
        let last = row.try_get(0).map_err(failed)?;
        let body: Vec<u8> = row.try_get(3).map_err(failed)?;
        let entries = rows::entries(&body, row.try_get(1).map_err(failed)?);
        Ok(Self {
            last,
            hash: row.try_get(2).map_err(failed)?,
            body,
            postings: row.try_get(4).map_err(failed)?,
            entries: entries.map_err(|what| PostgresError::Damaged {
                place: Place::Journal { last },
                what,
            })?,
        })
    }

    /// The number of its first entry.
    pub(super) fn first(&self) -> i64 {
        // A body in memory has fewer entries than 2⁶³.
        self.last - self.entries.len() as i64 + 1
    }
}

/// A row of the records.
pub(super) struct RecordRow {
    pub(super) key: Key,
    pub(super) record: Option<Record>,
    pub(super) head: Vec<u8>,
    pub(super) available: Option<i64>,
    pub(super) debt: Option<i64>,
}

impl RecordRow {
    pub(super) fn read(row: &postgres::Row) -> Result<Self, PostgresError> {
        let failed = |error| Fault::of("reading the records", error).into_error();
        let key: Vec<u8> = row.try_get(0).map_err(failed)?;
        let long: Option<Vec<u8>> = row.try_get(1).map_err(failed)?;
        let damaged = || PostgresError::Damaged {
            place: Place::Record {
                key: String::from_utf8_lossy(&key).into_owned(),
            },
            what: Damage::Name,
        };
        let name = RowKey::read(&key, long.as_deref()).ok_or_else(damaged)?;
        if RowKey::of(&name).key != key {
            return Err(damaged());
        }
        let body: Option<&[u8]> = row.try_get(2).map_err(failed)?;
        Ok(Self {
            record: body.map(|body| record(&name, body)).transpose()?,
            key: name,
            head: row.try_get(3).map_err(failed)?,
            available: row.try_get(4).map_err(failed)?,
            debt: row.try_get(5).map_err(failed)?,
        })
    }
}

/// Shows the entries from a number on, up to the last one that was given when the scan began.
pub(super) fn entries(
    store: &PostgresStore,
    from: u64,
    visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
) -> Result<(), PostgresError> {
    let Ok(from) = i64::try_from(from) else {
        return Ok(());
    };
    let from = from.max(1);
    let until = settled(store)?;
    let page = store.pool.options().statement(JOURNAL_PAGE);
    // The commits whose last entry is after this one.
    let mut after = from - 1;
    while after < until {
        let rows = store.repeat("reading the journal", |session| {
            let rows = session.client.query(&page, &[&after, &until, &PAGE]);
            rows.map_err(|error| Fault::of("reading the journal", error))
        })?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            let row = JournalRow::read(&row)?;
            for (number, entry) in (row.first()..).zip(&row.entries) {
                let shown = u64::try_from(number).unwrap_or(0);
                if number >= from && visit(shown, entry).is_break() {
                    return Ok(());
                }
            }
            after = row.last;
        }
    }
    Ok(())
}

/// The last number that was given, once every commit with a number up to it is there, or never will be.
fn settled(store: &PostgresStore) -> Result<i64, PostgresError> {
    let options = store.pool.options();
    // Whoever passed the gate before is done when it opens for this session; whoever comes later gets a higher number.
    let (close, open) = (options.statement(CLOSE_GATE), options.statement(OPEN_GATE));
    let last = "select case when is_called then last_value else 0 end from @.entry_number";
    let last = options.statement(last);
    store.repeat("reading the journal", |session| {
        let client = &mut session.client;
        let row = client
            .batch_execute(&close)
            .and_then(|()| client.query_one(&last, &[]));
        let row = row.and_then(|row| {
            client.batch_execute(&open)?;
            row.try_get(0)
        });
        row.map_err(|error| Fault::of("reading the journal", error))
    })
}

/// Session locks: a connection that is lost, or closed after an error, opens the gate.
pub(super) const CLOSE_GATE: &str =
    "select pg_advisory_lock('@.journal'::regclass::oid::integer, 1)";
pub(super) const OPEN_GATE: &str =
    "select pg_advisory_unlock('@.journal'::regclass::oid::integer, 1)";

/// Shows all records as of one instant.
pub(super) fn records(
    store: &PostgresStore,
    visit: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>,
) -> Result<(), PostgresError> {
    let mut show = |row: RecordRow| {
        Ok(row
            .record
            .map_or(ControlFlow::Continue(()), |record| visit(&row.key, &record)))
    };
    let options = store.pool.options();
    let done = store.pool.with("reading the records", |session| {
        let transaction = session.client.build_transaction();
        let transaction = transaction
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start();
        let failed = |error| Fault::of("reading the records", error);
        let mut transaction = transaction.map_err(failed)?;
        let page = options.statement(RECORD_PAGE);
        record_pages(&mut transaction, &page, &mut show).map_err(Fault::Final)?;
        transaction.rollback().map_err(failed)
    });
    done.map_err(Fault::into_error)
}

pub(super) const RECORD_PAGE: &str = "select key, long_key, body, head, available, debt from @.record \
     where key > $1 order by key limit $2";

/// Shows the rows of all records, in the order of their keys.
pub(super) fn record_pages(
    transaction: &mut Transaction<'_>,
    page: &str,
    show: &mut dyn FnMut(RecordRow) -> Result<ControlFlow<()>, PostgresError>,
) -> Result<(), PostgresError> {
    let failed = |error| Fault::of("reading the records", error).into_error();
    let page = transaction.prepare(page).map_err(failed)?;
    let mut after: Vec<u8> = Vec::new();
    loop {
        let rows = transaction.query(&page, &[&after, &PAGE]).map_err(failed)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.try_get(0).map_err(failed)?;
        for row in &rows {
            if show(RecordRow::read(row)?)?.is_break() {
                return Ok(());
            }
        }
    }
}
