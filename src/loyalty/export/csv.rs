//! Tables as CSV.

use std::io::{self, Write};

use csv_core::{WriteResult, Writer};

use super::super::entry::{Change, Entry};
use super::super::history::Scope;
use super::super::ledger::{Ledger, StatementLine};
use super::super::snapshot::Account;
use super::super::store::Store;
use super::{ExportError, Writing, pot, word};
use crate::event::Timestamp;

impl<S: Store> Ledger<S> {
    /// The journal as a table: `number`, `at`, `command`, `change`, `account`, and for an entry that
    /// moves points `lot`, `from`, `to`, `points`; for a new lot `earned_at`, `available_at` and
    /// `expires_at`, too. Every entry of the scope is a row; what else an entry says is in the
    /// JSON lines only.
    ///
    /// # Cells
    /// Commas as separators, quotes where needed, RFC 4180's line ends, instants as RFC 3339 in UTC,
    /// points as whole numbers. A *text* (a name of an account or a command) that begins with one of
    /// `=`, `+`, `-`, `@`, a tab, a carriage return or an apostrophe is written with an apostrophe before
    /// it: a spreadsheet would take it for a formula otherwise. To get the text back, take one leading
    /// apostrophe away. Numbers are written as they are, also below 0.
    ///
    /// ```
    /// use tenure::loyalty::{Command, Earn, Ledger, MemoryStore, Points, Programme, Rules, Scope};
    ///
    /// let ledger = Ledger::new(MemoryStore::new(), Rules::new(Programme::default())?);
    /// ledger.submit(Command::new("gift-1", "2025-01-31".parse()?, Earn::points("=ann", Points(5))))?;
    /// let mut text = Vec::new();
    /// ledger.journal_csv(&Scope::default(), &mut text)?;
    /// let second = "2,2025-01-31T00:00:00Z,gift-1,opened,'=ann,1,issued,available,5,\
    ///     2025-01-31T00:00:00Z,2025-01-31T00:00:00Z,";
    /// assert_eq!(std::str::from_utf8(&text)?.lines().nth(2), Some(second));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn journal_csv(&self, scope: &Scope, out: &mut impl Write) -> Result<(), ExportError> {
        let mut table = Table::new(out);
        table.header(&[
            "number",
            "at",
            "command",
            "change",
            "account",
            "lot",
            "from",
            "to",
            "points",
            "earned_at",
            "available_at",
            "expires_at",
        ])?;
        let mut writing = Writing::new();
        self.read_journal(&mut |number, entry| {
            if !scope.covers(entry.at) || !scope.has(entry) {
                return writing.go_on(Ok(()));
            }
            writing.go_on(journal_row(&mut table, number, entry))
        })?;
        Ok(writing.0?)
    }

    /// The lines of statements as a table: `account`, `number`, `at`, `command`, `from`, `to`, `points`,
    /// `available`. Cells as in [`Ledger::journal_csv`].
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn statements_csv(&self, scope: &Scope, out: &mut impl Write) -> Result<(), ExportError> {
        let mut table = Table::new(out);
        table.header(&[
            "account",
            "number",
            "at",
            "command",
            "from",
            "to",
            "points",
            "available",
        ])?;
        let mut writing = Writing::new();
        self.statement_lines(scope, &mut |account, line: &StatementLine| {
            writing.go_on(
                table.row(&[
                    Cell::Text(account.as_str()),
                    Cell::Count(line.number),
                    Cell::Instant(line.at),
                    line.command
                        .as_ref()
                        .map_or(Cell::Empty, |c| Cell::Text(c.as_str())),
                    Cell::Word(pot(line.from)),
                    Cell::Word(pot(line.to)),
                    Cell::Number(line.points.0),
                    Cell::Number(line.available.0),
                ]),
            )
        })?;
        Ok(writing.0?)
    }

    /// The balances of all accounts as they were at an instant, from the journal, in the order of their
    /// names: the columns of [`Account`], without its lots. Cells as in [`Ledger::journal_csv`].
    ///
    /// # Errors
    /// [`ExportError`], as for [`Ledger::snapshot_as_of`].
    pub fn balances_csv(
        &self,
        instant: Timestamp,
        out: &mut impl Write,
    ) -> Result<(), ExportError> {
        let mut table = Table::new(out);
        table.header(&[
            "account",
            "available",
            "pending",
            "held",
            "debt",
            "spent",
            "expired",
            "clawed_back",
            "moved_out",
            "written_off",
            "granted",
            "tier",
        ])?;
        let mut writing = Writing::new();
        self.accounts_as_of(instant, &mut |name, account: &Account| {
            writing.go_on(
                table.row(&[
                    Cell::Text(name.as_str()),
                    Cell::Number(account.available.0),
                    Cell::Number(account.pending.0),
                    Cell::Number(account.held.0),
                    Cell::Number(account.debt.0),
                    Cell::Number(account.spent.0),
                    Cell::Number(account.expired.0),
                    Cell::Number(account.clawed_back.0),
                    Cell::Number(account.moved_out.0),
                    Cell::Number(account.written_off.0),
                    Cell::Number(account.granted.0),
                    account
                        .tier
                        .map_or(Cell::Empty, |tier| Cell::Count(tier.into())),
                ]),
            )
        })?;
        Ok(writing.0?)
    }

    /// All lots as they were at an instant, from the journal, by account and number: the columns of
    /// [`Lot`](super::super::Lot). Cells as in [`Ledger::journal_csv`].
    ///
    /// # Errors
    /// [`ExportError`], as for [`Ledger::snapshot_as_of`].
    pub fn lots_csv(&self, instant: Timestamp, out: &mut impl Write) -> Result<(), ExportError> {
        let mut table = Table::new(out);
        table.header(&[
            "account",
            "lot",
            "granted",
            "free",
            "held",
            "spent",
            "expired",
            "clawed_back",
            "moved_out",
            "available_at",
            "expires_at",
        ])?;
        let mut writing = Writing::new();
        self.accounts_as_of(instant, &mut |name, account: &Account| {
            writing.go_on(account.lots.iter().try_for_each(|lot| {
                table.row(&[
                    Cell::Text(name.as_str()),
                    Cell::Count(lot.lot.0),
                    Cell::Number(lot.granted.0),
                    Cell::Number(lot.free.0),
                    Cell::Number(lot.held.0),
                    Cell::Number(lot.spent.0),
                    Cell::Number(lot.expired.0),
                    Cell::Number(lot.clawed_back.0),
                    Cell::Number(lot.moved_out.0),
                    Cell::Instant(lot.available_at),
                    lot.expires_at.map_or(Cell::Empty, Cell::Instant),
                ])
            }))
        })?;
        Ok(writing.0?)
    }
}

fn journal_row(table: &mut Table<'_, impl Write>, number: u64, entry: &Entry) -> io::Result<()> {
    let posting = entry.posting();
    let lot = match &entry.change {
        Change::Opened { lot, .. } | Change::Moved { lot, .. } | Change::Matured { lot, .. } => {
            Cell::Count(lot.0)
        }
        _ => Cell::Empty,
    };
    let [earned_at, available_at, expires_at] = match &entry.change {
        Change::Opened {
            earned_at,
            available_at,
            expires_at,
            ..
        } => [
            Cell::Instant(*earned_at),
            Cell::Instant(*available_at),
            expires_at.map_or(Cell::Empty, Cell::Instant),
        ],
        _ => [const { Cell::Empty }; 3],
    };
    let command = entry.command.as_ref();
    table.row(&[
        Cell::Count(number),
        Cell::Instant(entry.at),
        command.map_or(Cell::Empty, |command| Cell::Text(command.as_str())),
        Cell::Word(word(&entry.change)),
        entry
            .account()
            .map_or(Cell::Empty, |account| Cell::Text(account.as_str())),
        lot,
        posting.map_or(Cell::Empty, |(from, ..)| Cell::Word(pot(from))),
        posting.map_or(Cell::Empty, |(_, to, _)| Cell::Word(pot(to))),
        posting.map_or(Cell::Empty, |(.., points)| Cell::Number(points.0)),
        earned_at,
        available_at,
        expires_at,
    ])
}

/// What stands in a cell.
enum Cell<'a> {
    Empty,
    /// A caller's text, which a spreadsheet must not take for a formula.
    Text(&'a str),
    /// One of our words.
    Word(&'static str),
    Number(i64),
    Count(u64),
    Instant(Timestamp),
}

/// Rows of cells; nothing is kept but one row.
struct Table<'a, W> {
    out: &'a mut W,
    writer: Writer,
    cell: Vec<u8>,
    buffer: [u8; 512],
}

impl<'a, W: Write> Table<'a, W> {
    fn new(out: &'a mut W) -> Self {
        Self {
            out,
            writer: csv_core::WriterBuilder::new()
                .terminator(csv_core::Terminator::CRLF)
                .build(),
            cell: Vec::new(),
            buffer: [0; 512],
        }
    }

    fn header(&mut self, names: &[&'static str]) -> io::Result<()> {
        let cells: Vec<Cell<'_>> = names.iter().map(|name| Cell::Word(name)).collect();
        self.row(&cells)
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (position, cell) in cells.iter().enumerate() {
            if position > 0 {
                self.emit(|writer, buffer| writer.delimiter(buffer))?;
            }
            self.cell.clear();
            match cell {
                Cell::Empty => {}
                Cell::Text(text) => {
                    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']) {
                        self.cell.push(b'\'');
                    }
                    self.cell.extend_from_slice(text.as_bytes());
                }
                Cell::Word(word) => self.cell.extend_from_slice(word.as_bytes()),
                Cell::Number(number) => write!(self.cell, "{number}")?,
                Cell::Count(number) => write!(self.cell, "{number}")?,
                Cell::Instant(instant) => write!(self.cell, "{instant}")?,
            }
            self.field()?;
        }
        self.emit(|writer, buffer| writer.terminator(buffer))
    }

    fn field(&mut self) -> io::Result<()> {
        let mut rest = self.cell.as_slice();
        loop {
            let (result, read, written) = self.writer.field(rest, &mut self.buffer);
            self.out
                .write_all(self.buffer.get(..written).unwrap_or(&[]))?;
            rest = rest.get(read..).unwrap_or(&[]);
            if matches!(result, WriteResult::InputEmpty) {
                return Ok(());
            }
        }
    }

    fn emit(
        &mut self,
        what: impl Fn(&mut Writer, &mut [u8]) -> (WriteResult, usize),
    ) -> io::Result<()> {
        loop {
            let (result, written) = what(&mut self.writer, &mut self.buffer);
            self.out
                .write_all(self.buffer.get(..written).unwrap_or(&[]))?;
            if matches!(result, WriteResult::InputEmpty) {
                return Ok(());
            }
        }
    }
}
