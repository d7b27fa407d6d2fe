//! The rival of a ledger in PostgreSQL: keys, entries and balances in three tables that know nothing of points, written
//! as fast as one knows how. The same tables and calls as in `../shared/peers/loyalty/pgbench`.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, NoTls};

use super::splitmix::uniform;

const ACCOUNTS: f64 = 100_000.0;
/// What an entry holds besides its number, account and amount.
const VALUE: [u8; 96] = [7; 96];

const TABLES: &str = "
    drop schema if exists tenure_bench_raw cascade;
    create schema tenure_bench_raw;
    set search_path = tenure_bench_raw;
    create table entry (number bigint primary key, account bigint not null, amount bigint not null, value bytea not null);
    create index on entry (account, number);
    create table key (id uuid primary key, number bigint not null);
    create table balance (account bigint primary key, points bigint not null, version bigint not null);
    create function post(p_id uuid, p_number bigint, p_account bigint, p_amount bigint, p_value bytea) returns bigint
    language plpgsql as $$
    declare v_points bigint;
    begin
      insert into key values (p_id, p_number) on conflict do nothing;
      if not found then
        select -number into v_points from key where id = p_id;
        return v_points;
      end if;
      insert into balance values (p_account, p_amount, 1) on conflict (account)
        do update set points = balance.points + excluded.points, version = balance.version + 1
        returning points into v_points;
      insert into entry values (p_number, p_account, p_amount, p_value);
      return v_points;
    end $$";

/// Three tables in a schema of their own, and connections to them.
pub struct RawTables {
    clients: Vec<Client>,
    next: AtomicU64,
}

impl RawTables {
    /// Empty tables, and so many connections.
    pub fn create(url: &str, connections: usize) -> Result<Self, postgres::Error> {
        let mut clients = Vec::new();
        for number in 0..connections {
            let mut client = Client::connect(url, NoTls)?;
            match number {
                0 => client.batch_execute(TABLES)?,
                _ => client.batch_execute("set search_path = tenure_bench_raw")?,
            }
            clients.push(client);
        }
        Ok(Self {
            clients,
            next: AtomicU64::new(1),
        })
    }

    /// Writes a batch by `unnest` of arrays: keys, entries, and the balances of all accounts, in one transaction.
    pub fn unnest(&mut self, count: u64) -> Result<(), postgres::Error> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        let numbers: Vec<i64> = (first..first + count).map(u64::cast_signed).collect();
        let ids: Vec<Uuid> = (first..first + count).map(Uuid::of).collect();
        let accounts: Vec<i64> = (first..first + count).map(account).collect();
        let (amounts, values) = (vec![1_i64; numbers.len()], vec![&VALUE[..]; numbers.len()]);
        let Some(client) = self.clients.first_mut() else {
            return Ok(());
        };
        let mut transaction = client.transaction()?;
        transaction.execute(
            "insert into key select * from unnest($1::uuid[], $2::bigint[])",
            &[&ids, &numbers],
        )?;
        transaction.execute(
            "insert into entry select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[])",
            &[&numbers, &accounts, &amounts, &values],
        )?;
        transaction.execute(
            "insert into balance select account, sum(amount), count(*) \
             from unnest($1::bigint[], $2::bigint[]) as q (account, amount) group by account order by account \
             on conflict (account) do update \
             set points = balance.points + excluded.points, version = balance.version + excluded.version",
            &[&accounts, &amounts],
        )?;
        transaction.commit()
    }

    /// Calls the function so many times, one commit each, on all connections at once.
    pub fn post_each(&mut self, count: u64) -> Result<(), postgres::Error> {
        let next = &self.next;
        let end = next.load(Ordering::Relaxed) + count;
        let post = |client: &mut Client| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return Ok(());
                }
                client.execute(
                    "select post($1, $2, $3, $4, $5)",
                    &[
                        &Uuid::of(number),
                        &number.cast_signed(),
                        &account(number),
                        &1_i64,
                        &&VALUE[..],
                    ],
                )?;
            }
        };
        std::thread::scope(|scope| {
            let post = &post;
            let threads: Vec<_> = (self.clients.iter_mut())
                .map(|client| scope.spawn(move || post(client)))
                .collect();
            let mut posted = threads
                .into_iter()
                .map(|thread| thread.join().expect("a thread that calls a function"));
            posted.try_for_each(|posted| posted)
        })
    }
}

impl Drop for RawTables {
    fn drop(&mut self) {
        // Nothing depends on it: the next run drops what is there.
        if let Some(client) = self.clients.first_mut() {
            let _ = client.batch_execute("drop schema tenure_bench_raw cascade");
        }
    }
}

fn account(number: u64) -> i64 {
    (uniform(2, number) * ACCOUNTS) as i64
}

/// Sixteen bytes as PostgreSQL's own type of that size.
#[derive(Debug)]
struct Uuid([u8; 16]);

impl Uuid {
    fn of(number: u64) -> Self {
        let half = |seed| (uniform(seed, number) * 2f64.powi(53)) as u64;
        let [high, low] = [3, 4].map(half);
        Self((u128::from(high) << 75 | u128::from(low)).to_be_bytes())
    }
}

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::UUID
    }

    to_sql_checked!();
}
