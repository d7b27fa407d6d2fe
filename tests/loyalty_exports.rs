//! Exports of the points ledger, read back by other programs.

#[path = "common/loyalty_stream.rs"]
mod loyalty_stream;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::{Command as Process, Stdio};

use loyalty_stream::Stream;
use serde_json::Value;
use tenure::event::Timestamp;
use tenure::loyalty::{
    Account, Action, Command, Earn, Entry, ExportError, Ledger, MemoryStore, Points, Redeem, Scope,
    Snapshot, Store,
};

/// Names that mean something to a spreadsheet, a parser of plain-text journals, or nobody.
const HARD_NAMES: [&str; 14] = [
    "",
    "a:b",
    "a  b ; c",
    "(virtual)",
    "=1+1",
    "+1",
    "-1",
    "@cmd",
    "'quoted'",
    "a,\"b\"\r\nc",
    "\tTab",
    "日本 ä",
    "%20",
    "a%3Ab",
];

/// A ledger with a thousand commands of all kinds, and hard names; the instant after all of it.
fn busy_ledger() -> (Ledger<MemoryStore>, Timestamp) {
    let ledger = Ledger::new(MemoryStore::new(), loyalty_stream::rules(0));
    let mut stream = Stream::new(7, 25, 1000);
    for command in stream.by_ref().take(1000) {
        let _ = ledger.submit(command);
    }
    let mut now = stream.now();
    for (n, name) in HARD_NAMES.iter().enumerate() {
        let earn = Earn::points(*name, Points(100 + n as i64));
        ledger.submit(Command::new(*name, now, earn)).unwrap();
        let spend = Redeem::points(*name, Points(1));
        let id = format!("spend {name}");
        ledger.submit(Command::new(id, now, spend)).unwrap();
    }
    now = now.saturating_add_s(86_400);
    ledger.tick(now).unwrap();
    (ledger, now)
}

fn text(
    ledger: &Ledger<MemoryStore>,
    write: impl Fn(&Ledger<MemoryStore>, &mut Vec<u8>) -> Result<(), ExportError>,
) -> String {
    let mut out = Vec::new();
    write(ledger, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The account of a snapshot's column in the plain-text journal, for all columns.
fn expected_balances(snapshot: &Snapshot) -> BTreeMap<String, i64> {
    let mut balances = BTreeMap::new();
    let mut add = |account: String, points: i64| *balances.entry(account).or_default() += points;
    let total = |column: fn(&Account) -> i64| snapshot.accounts.values().map(column).sum::<i64>();
    for (name, account) in &snapshot.accounts {
        let own = |pot: &str| format!("members:{}:{pot}", escaped(name.as_str()));
        add(own("available"), account.available.0 + account.debt.0);
        add(own("pending"), account.pending.0);
        add(own("held"), account.held.0);
        add(own("debt"), -account.debt.0);
    }
    add("programme:redeemed".into(), total(|a| a.spent.0));
    add("programme:expired".into(), total(|a| a.expired.0));
    add("programme:written_off".into(), -total(|a| a.written_off.0));
    // Points owed or written off are taken back without having been there.
    let clawed = total(|a| a.clawed_back.0 + a.debt.0 + a.written_off.0);
    add("programme:clawed_back".into(), clawed);
    add(
        "programme:issued".into(),
        total(|a| a.moved_out.0 - a.granted.0),
    );
    balances.retain(|_, points| *points != 0);
    balances
}

/// A name with everything but ASCII letters and digits as hexadecimal numbers, as a URL has it.
fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    match name {
        "" => "%".to_owned(),
        name => name
            .bytes()
            .map(|byte| match plain(byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect(),
    }
}

/// The balances of a plain-text journal; every transaction must balance by itself.
fn read_plain_text(text: &str) -> BTreeMap<String, i64> {
    let mut balances: BTreeMap<String, i64> = BTreeMap::new();
    let mut open = 0_i128;
    assert!(text.is_ascii());
    for line in text.lines() {
        if let Some(posting) = line.strip_prefix("    ") {
            let posting = posting.split("  ;").next().unwrap();
            let (account, amount) = posting.split_once("  ").unwrap();
            let points: i64 = amount.strip_suffix(" points").unwrap().parse().unwrap();
            *balances.entry(account.to_owned()).or_default() += points;
            open += i128::from(points);
        } else {
            assert_eq!(open, 0, "before {line:?}");
            let date = line.get(..10).unwrap_or_default();
            let dated = date.parse::<jiff::civil::Date>().is_ok();
            assert!(
                line.is_empty() || dated || line == "commodity 1000. points",
                "{line:?}"
            );
        }
    }
    assert_eq!(open, 0);
    balances.retain(|_, points| *points != 0);
    balances
}

/// What `hledger` says to a journal, or `None` where it is not installed.
fn hledger(journal: &str, arguments: &[&str]) -> Option<String> {
    let process = Process::new("hledger")
        .args(["-f", "-"])
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = match process {
        Ok(process) => process,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: hledger is not on the PATH");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(journal.as_bytes()).unwrap();
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "hledger {arguments:?}: {stderr}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The balances that `hledger` finds in a journal.
fn hledger_balances(journal: &str) -> Option<BTreeMap<String, i64>> {
    hledger(journal, &["check"])?;
    let table = hledger(journal, &["balance", "--flat", "-N", "-O", "csv"])?;
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let points = row[1].strip_suffix(" points").unwrap().parse().unwrap();
        (row[0].to_owned(), points)
    });
    Some(rows.collect())
}

#[test]
fn the_plain_text_journal_balances_as_the_books_do() {
    let (ledger, now) = busy_ledger();
    let journal = text(&ledger, |l, out| l.journal_hledger(&Scope::default(), out));
    let expected = expected_balances(&ledger.snapshot(now).unwrap());
    assert!(expected.len() > 40);
    assert_eq!(read_plain_text(&journal), expected);
    if let Some(balances) = hledger_balances(&journal) {
        assert_eq!(balances, expected);
    }
}

#[test]
fn a_plain_text_journal_ends_where_it_is_told_and_begins_with_what_was_before() {
    let (ledger, now) = busy_ledger();
    let start: Timestamp = "2025-01-01".parse().unwrap();
    let middle = start.saturating_add_s((now.unix_s() - start.unix_s()) / 2);
    let until = Scope::as_of(middle);
    let journal = text(&ledger, |l, out| l.journal_hledger(&until, out));
    // Everything is booked: the last tick was after the middle, at the instants at which it was due.
    let expected = expected_balances(&ledger.snapshot_as_of(middle).unwrap());
    assert_eq!(read_plain_text(&journal), expected);

    let after = Scope {
        from: until.until,
        ..Scope::default()
    };
    let journal = text(&ledger, |l, out| l.journal_hledger(&after, out));
    assert!(journal.contains(" opening balances  ; at:"));
    let expected = expected_balances(&ledger.snapshot(now).unwrap());
    assert_eq!(read_plain_text(&journal), expected);
    if let Some(balances) = hledger_balances(&journal) {
        assert_eq!(balances, expected);
    }
    let one = Scope {
        account: Some("a:b".into()),
        ..after
    };
    let journal = text(&ledger, |l, out| l.journal_hledger(&one, out));
    let own = [
        ("members:a%3Ab:available", 100),
        ("programme:issued", -101),
        ("programme:redeemed", 1),
    ];
    let own = own.map(|(account, points)| (account.to_owned(), points));
    assert_eq!(read_plain_text(&journal), own.into());
}

#[test]
fn a_command_is_one_transaction_at_each_instant() {
    let (ledger, _) = busy_ledger();
    let journal = text(&ledger, |l, out| l.journal_hledger(&Scope::default(), out));
    let commands = journal.lines().filter(|line| {
        let dated = line.starts_with("20");
        dated && !line.contains("(tick)")
    });
    let mut seen = std::collections::BTreeSet::new();
    for line in commands {
        assert!(seen.insert(line.to_owned()), "{line}");
    }
    assert!(seen.len() > 300);
}

#[test]
fn json_lines_are_the_journal() {
    let (ledger, _) = busy_ledger();
    let lines = text(&ledger, |l, out| {
        l.journal_json_lines(&Scope::default(), out)
    });
    let mut lines = lines.lines();
    let mut compare = |number: u64, entry: &Entry| {
        let line: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!(line["number"], number);
        assert_eq!(line["at"], entry.at.to_string());
        let whole = serde_json::to_value(entry).unwrap();
        for (field, value) in whole["change"].as_object().unwrap() {
            assert_eq!(line[field], *value, "{field}");
        }
        assert_eq!(line["command"], whole["command"]);
        ControlFlow::Continue(())
    };
    ledger.store().scan(1, &mut compare).unwrap();
    assert_eq!(lines.next(), None);
}

#[test]
fn tables_tell_what_the_ledger_tells() {
    let (ledger, now) = busy_ledger();
    let snapshot = ledger.snapshot(now).unwrap();
    let table = text(&ledger, |l, out| l.balances_csv(now, out));
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let mut names = Vec::new();
    for (row, (name, account)) in rows.records().zip(&snapshot.accounts) {
        let row = row.unwrap();
        let cell = row[0].strip_prefix('\'').unwrap_or(&row[0]);
        assert_eq!(cell, name.as_str());
        assert!(!row[0].starts_with(['=', '+', '-', '@', '\t', '\r']));
        let columns = [
            account.available,
            account.pending,
            account.held,
            account.debt,
        ];
        let cells: Vec<i64> = (1..5).map(|n| row[n].parse().unwrap()).collect();
        assert_eq!(cells, columns.map(|points| points.0), "{name}");
        names.push(name.as_str().to_owned());
    }
    assert_eq!(names.len(), snapshot.accounts.len());
    assert!(
        HARD_NAMES
            .iter()
            .all(|name| names.contains(&(*name).to_owned()))
    );

    let lots = text(&ledger, |l, out| l.lots_csv(now, out));
    let lots = csv::Reader::from_reader(lots.as_bytes());
    let count: usize = snapshot.accounts.values().map(|a| a.lots.len()).sum();
    assert_eq!(lots.into_records().map(Result::unwrap).count(), count);

    let journal = text(&ledger, |l, out| l.journal_csv(&Scope::default(), out));
    let mut moved: BTreeMap<String, i64> = BTreeMap::new();
    for row in csv::Reader::from_reader(journal.as_bytes()).into_records() {
        let row = row.unwrap();
        if let Ok(points) = row[8].parse::<i64>() {
            *moved.entry(row[6].to_owned()).or_default() -= points;
            *moved.entry(row[7].to_owned()).or_default() += points;
        }
    }
    let spent: i64 = snapshot.accounts.values().map(|a| a.spent.0).sum();
    assert_eq!(moved["redeemed"], spent);
    assert_eq!(moved.values().sum::<i64>(), 0);

    let accounts = text(&ledger, |l, out| l.accounts_json_lines(now, out));
    for (line, (name, account)) in accounts.lines().zip(&snapshot.accounts) {
        let mut line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["account"], name.as_str());
        line.as_object_mut().unwrap().remove("account");
        assert_eq!(line, serde_json::to_value(account).unwrap());
    }
}

#[test]
fn statements_end_with_the_balance_in_every_form() {
    let (ledger, now) = busy_ledger();
    let all = text(&ledger, |l, out| l.statements_csv(&Scope::default(), out));
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for row in csv::Reader::from_reader(all.as_bytes()).into_records() {
        let row = row.unwrap();
        last.insert(row[0].to_owned(), row[7].parse().unwrap());
    }
    for (name, account) in &ledger.snapshot(now).unwrap().accounts {
        let scope = Scope::of(name);
        let own = text(&ledger, |l, out| l.statements_json_lines(&scope, out));
        let line: Value = serde_json::from_str(own.lines().last().unwrap()).unwrap();
        assert_eq!(line["available"], account.available.0);
        assert_eq!(line["account"], name.as_str());
        let known = last.get(name.as_str()).or(last.get(&format!("'{name}")));
        assert_eq!(known, Some(&account.available.0), "{name}");
        assert_eq!(own.lines().count(), ledger.statement(name).unwrap().len());
    }
}

#[test]
fn parts_of_a_statement_are_the_whole() {
    let (ledger, now) = busy_ledger();
    let start: Timestamp = "2025-01-01".parse().unwrap();
    let whole = ledger.statement(&"member-1".into()).unwrap();
    let mut parts = Vec::new();
    let mut from = None;
    for n in 1..=6 {
        let end = start.saturating_add_s((now.unix_s() - start.unix_s() + 1) * n / 6);
        let scope = Scope {
            from,
            until: Some(end),
            ..Scope::of("member-1")
        };
        let mut add = |_: &_, line: &tenure::loyalty::StatementLine| {
            parts.push(line.clone());
            ControlFlow::Continue(())
        };
        ledger.statement_lines(&scope, &mut add).unwrap();
        from = scope.until;
    }
    assert!(whole.len() > 20);
    assert_eq!(parts, whole);
}

#[test]
fn accounts_as_of_an_instant_are_what_was_seen_then() {
    let ledger = Ledger::new(MemoryStore::new(), loyalty_stream::rules(1));
    let mut stream = Stream::new(11, 6, 300);
    let mut seen = Vec::new();
    for n in 0..300 {
        let command = stream.next().unwrap();
        // Time that goes back for one account would change what was seen of the others.
        if command.at >= stream.now() {
            let _ = ledger.submit(command);
        }
        if n % 25 == 0 {
            let now = stream.now();
            seen.push((now, ledger.snapshot(now).unwrap()));
            while stream.now() == now {
                stream.next();
            }
        }
    }
    for (at, then) in seen {
        assert_eq!(ledger.snapshot_as_of(at).unwrap(), then);
        let mut accounts = BTreeMap::new();
        let mut add = |name: &tenure::loyalty::AccountId, account: &Account| {
            accounts.insert(name.clone(), account.clone());
            ControlFlow::Continue(())
        };
        ledger.accounts_as_of(at, &mut add).unwrap();
        assert_eq!(accounts, then.accounts);
        for (name, account) in &then.accounts {
            assert_eq!(ledger.account_as_of(name, at).unwrap(), *account);
            let soon = at.saturating_add_s(40 * 86_400);
            let expiring = ledger.expiring_as_of(name, at, soon).unwrap();
            let expected = account.lots.iter().filter(|lot| lot.free.0 > 0);
            let expected = expected.filter(|lot| lot.expires_at.is_some_and(|at| at < soon));
            assert_eq!(expiring.len(), expected.count());
        }
    }
}

#[test]
fn a_writer_that_fails_ends_the_export() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (ledger, now) = busy_ledger();
    let scope = Scope::default();
    for room in [0, 10, 100, 5000] {
        let full = &mut Full(room);
        let results = [
            ledger.journal_csv(&scope, full),
            ledger.journal_json_lines(&scope, full),
            ledger.journal_hledger(&scope, full),
            ledger.statements_csv(&scope, full),
            ledger.statements_json_lines(&scope, full),
            ledger.accounts_json_lines(now, full),
            ledger.balances_csv(now, full),
            ledger.lots_csv(now, full),
        ];
        for result in results {
            assert!(matches!(result, Err(ExportError::Write(_))), "{result:?}");
        }
    }
    let early = Command::new(
        "early",
        Timestamp::MIN,
        Action::Earn(Earn::points("old", Points(1))),
    );
    ledger.submit(early).unwrap();
    let error = ledger.journal_hledger(&scope, &mut io::sink()).unwrap_err();
    assert!(matches!(error, ExportError::Write(_)));
}
