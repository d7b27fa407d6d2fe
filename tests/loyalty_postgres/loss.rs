//! Connections that die, before, while and after a commit is carried out.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use postgres::NoTls;
use tenure::loyalty::{
    Command, CommandId, Key, Ledger, PostgresError, PostgresOptions, PostgresStore, Receipt, Store,
    StoreError,
};

use super::schema::Schema;
use super::shared::{check, client, gift, instant, rules, schema};

/// Writers whose acknowledgements are kept: until each of them has done so much, and it is enough, which it must be in time.
fn write(
    ledger: &Ledger<PostgresStore>,
    threads: usize,
    each: usize,
    enough: impl Fn() -> bool + Sync,
) -> BTreeMap<CommandId, Receipt> {
    let acknowledged: Mutex<BTreeMap<CommandId, Receipt>> = Mutex::default();
    thread::scope(|scope| {
        for thread in 0..threads {
            let (acknowledged, enough) = (&acknowledged, &enough);
            scope.spawn(move || {
                for n in (0..100 * each).take_while(|&n| n < each || !enough()) {
                    let who = format!("member {}", (thread + n) % 5);
                    let command = gift(&format!("{thread}-{n}"), &who);
                    let submitted = ledger.submit(command.clone()).unwrap();
                    // Whatever happened to the connection: the first answer is that of the first time.
                    assert!(!submitted.replayed, "{thread}-{n}");
                    acknowledged
                        .lock()
                        .unwrap()
                        .insert(command.id, submitted.receipt);
                }
            });
        }
    });
    assert!(
        enough(),
        "{} commands were not enough",
        100 * each * threads
    );
    acknowledged.into_inner().unwrap()
}

/// Says that it is over, also where a test fails.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn killed_sessions_lose_and_duplicate_nothing() {
    let Some(schema) = schema() else { return };
    // Only the sessions of this store, which other tests do not share.
    let application = schema.name.clone();
    let url = format!("{} application_name={application}", schema.url);
    let options = PostgresOptions {
        connections: 8,
        ..schema.options()
    };
    let ledger = Ledger::new(PostgresStore::open(&url, options).unwrap(), rules());
    let (done, killed) = (AtomicBool::new(false), AtomicU32::new(0));
    let acknowledged = thread::scope(|scope| {
        let _end = AtEnd(&done);
        scope.spawn(|| {
            let mut killer = client(&schema);
            let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                        where application_name = $1 and random() < 0.3";
            while !done.load(Ordering::Relaxed) {
                let count: i64 = killer.query_one(kill, &[&application]).unwrap().get(0);
                killed.fetch_add(count as u32, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(7));
            }
        });
        write(&ledger, 8, 60, || killed.load(Ordering::Relaxed) > 20)
    });
    assert!(acknowledged.len() >= 8 * 60);
    check(ledger.store(), &acknowledged);
    let points: i64 = (0..5)
        .map(|n| {
            ledger
                .account(&format!("member {n}").as_str().into(), instant())
                .unwrap()
                .available
                .0
        })
        .sum();
    assert_eq!(points, acknowledged.len() as i64 * 10);
}

/// Hands bytes on between the store and the server, and cuts the line in the middle of a commit.
struct Proxy {
    port: u16,
    cuts: Arc<AtomicU32>,
}

/// When the line is cut.
#[derive(Clone, Copy)]
enum Cut {
    /// The request is gone, the server never gets it.
    Before,
    /// The server has the request; the line is cut at once, while it works.
    While,
    /// The server has answered; nobody hears it.
    After,
}

impl Proxy {
    fn new(schema: &Schema) -> Self {
        let config: postgres::Config = schema.url.parse().unwrap();
        let server = ("127.0.0.1", *config.get_ports().first().unwrap_or(&5432));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicU32::new(0));
        let (count, commits) = (Arc::clone(&cuts), Arc::new(AtomicU32::new(0)));
        thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), TcpStream::connect(server).unwrap());
                let (count, commits) = (Arc::clone(&count), Arc::clone(&commits));
                thread::spawn(move || hand_on(near, far, &commits, &count));
            }
        });
        Self { port, cuts }
    }

    /// A store whose connections go through it.
    fn open(&self, schema: &Schema, options: PostgresOptions) -> PostgresStore {
        let config: postgres::Config = schema.url.parse().unwrap();
        let mut through = postgres::Config::new();
        through
            .host("127.0.0.1")
            .port(self.port)
            .user(config.get_user().unwrap());
        through.dbname(config.get_dbname().unwrap_or("postgres"));
        if let Some(password) = config.get_password() {
            through.password(password);
        }
        PostgresStore::open_with(move || Ok(through.connect(NoTls)?), options).unwrap()
    }
}

/// All messages up to one that makes the server answer; the first one of a connection has no kind.
fn read_request(near: &mut TcpStream, begun: bool) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        let start = request.len();
        let length_at = start + usize::from(begun);
        request.resize(length_at + 4, 0);
        near.read_exact(&mut request[start..])?;
        let length = request[length_at..].try_into().unwrap();
        request.resize(length_at + u32::from_be_bytes(length) as usize, 0);
        near.read_exact(&mut request[length_at + 4..])?;
        // Sync, a simple query, a password, the end.
        if !begun || b"SQpX".contains(&request[start]) {
            return Ok(request);
        }
    }
}

fn hand_on(mut near: TcpStream, mut far: TcpStream, commits: &AtomicU32, cuts: &AtomicU32) {
    let deaf = Arc::new(AtomicBool::new(false));
    let (mut back, mut from, silent) = (
        near.try_clone().unwrap(),
        far.try_clone().unwrap(),
        Arc::clone(&deaf),
    );
    let answers = thread::spawn(move || {
        let mut bytes = [0; 65536];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if silent.load(Ordering::SeqCst) || back.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut begun = false;
    while let Ok(request) = read_request(&mut near, begun) {
        begun = true;
        // The entries of a command stand in its request: "Done" ends with the command's name; loads do not have an account
        // and a command's name in one message with its postings.
        let commit = request.windows(9).any(|window| window == b"\"opened\",");
        let number = if commit {
            commits.fetch_add(1, Ordering::Relaxed)
        } else {
            0
        };
        let cut = match number % 12 {
            3 => Some(Cut::Before),
            6 => Some(Cut::While),
            9 => Some(Cut::After),
            _ => None,
        };
        match cut {
            None => {
                if far.write_all(&request).is_err() {
                    break;
                }
                continue;
            }
            Some(Cut::Before) => {}
            Some(Cut::While) => far.write_all(&request).unwrap(),
            Some(Cut::After) => {
                deaf.store(true, Ordering::SeqCst);
                far.write_all(&request).unwrap();
                thread::sleep(Duration::from_millis(30));
            }
        }
        cuts.fetch_add(1, Ordering::Relaxed);
        break;
    }
    let _ = near.shutdown(Shutdown::Both);
    let _ = far.shutdown(Shutdown::Both);
    let _ = answers.join();
}

#[test]
fn cut_lines_lose_and_duplicate_nothing() {
    let Some(schema) = schema() else { return };
    let proxy = Proxy::new(&schema);
    let options = PostgresOptions {
        connections: 6,
        retry_ms_max: 30_000,
        ..schema.options()
    };
    let ledger = Ledger::new(proxy.open(&schema, options), rules());
    let acknowledged = write(&ledger, 6, 40, || proxy.cuts.load(Ordering::Relaxed) > 20);
    assert!(acknowledged.len() >= 6 * 40);
    // The proxy stays in the way of nobody who only reads.
    check(&schema.open(), &acknowledged);
}

/// The line is cut in the middle of a batch, and nothing is tried again: nobody knows what became of it. It is there
/// in whole or not at all, the ledger goes on without being opened again, and the batch sent again is carried out once.
#[test]
fn a_batch_that_nobody_heard_of_is_there_in_whole_or_not_at_all() {
    const COMMANDS: usize = 400;
    let Some(schema) = schema() else { return };
    let proxy = Proxy::new(&schema);
    let options = PostgresOptions {
        connections: 2,
        retry_ms_max: 0,
        ..schema.options()
    };
    let ledger = Ledger::new(proxy.open(&schema, options), rules());
    let direct = schema.open();
    let mut acknowledged = BTreeMap::new();
    let (mut none, mut whole) = (0, 0);
    for n in 0..30 {
        let gift = |k| gift(&format!("{n}-{k}"), &format!("member {}", k % 50));
        let batch: Vec<Command> = (0..COMMANDS).map(gift).collect();
        let results = ledger.submit_batch(&batch).or_else(|error| {
            assert!(matches!(error, StoreError::Postgres(_)), "{error}");
            let names: Vec<Key> = batch.iter().map(|c| Key::Deed(c.id.clone())).collect();
            let found = direct.load(&names).unwrap();
            let there = found.iter().filter(|found| found.record.is_some()).count();
            assert!(there == 0 || there == COMMANDS, "{there} of a batch");
            let again = ledger.submit_batch(&batch)?;
            let replayed = again.iter().filter(|r| r.as_ref().unwrap().replayed);
            match replayed.count() {
                // The server may have carried it out since.
                COMMANDS => whole += 1,
                0 if there == 0 => none += 1,
                count => panic!("{count} of a batch of which {there} were there"),
            }
            Ok::<_, StoreError>(again)
        });
        for (command, result) in batch.into_iter().zip(results.unwrap()) {
            acknowledged.insert(command.id, result.unwrap().receipt);
        }
    }
    assert!(none > 0 && whole > 0, "{none} times nothing, {whole} whole");
    check(&direct, &acknowledged);
}

/// A commit that the server gives up because it took too long is not there, and is not tried again.
#[test]
fn a_statement_that_takes_too_long_leaves_nothing() {
    let Some(schema) = schema() else { return };
    let options = PostgresOptions {
        statement_ms_max: 200,
        ..schema.options()
    };
    let ledger = Ledger::new(PostgresStore::open(&schema.url, options).unwrap(), rules());
    ledger.submit(gift("one", "ann")).unwrap();
    let mut beside = client(&schema);
    let mut transaction = beside.transaction().unwrap();
    let lock = format!(
        "select from {}.record where key = 'mann' for update",
        schema.name
    );
    transaction.execute(&lock, &[]).unwrap();
    let error = ledger.submit(gift("two", "ann")).unwrap_err();
    let error = match error {
        tenure::loyalty::LedgerError::Store(StoreError::Postgres(error)) => error,
        other => panic!("{other}"),
    };
    assert!(
        matches!(
            error,
            PostgresError::Database {
                doing: "committing",
                ..
            }
        ),
        "{error}"
    );
    transaction.rollback().unwrap();
    assert!(!ledger.submit(gift("two", "ann")).unwrap().replayed);
    check(ledger.store(), &BTreeMap::new());
}
