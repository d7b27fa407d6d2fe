//! JSON lines: one object a line.

use std::io::{self, Write};

use serde::Serialize;

use super::super::calendar;
use super::super::entry::Change;
use super::super::history::Scope;
use super::super::ledger::{Ledger, StatementLine};
use super::super::names::{AccountId, CommandId};
use super::super::snapshot::Account;
use super::super::store::Store;
use super::{ExportError, Writing};
use crate::event::Timestamp;

#[derive(Serialize)]
struct JournalLine<'a> {
    number: u64,
    #[serde(with = "calendar::text")]
    at: Timestamp,
    command: Option<&'a CommandId>,
    #[serde(flatten)]
    change: &'a Change,
}

#[derive(Serialize)]
struct OfAccount<'a, T: Serialize> {
    account: &'a AccountId,
    #[serde(flatten)]
    what: &'a T,
}

impl<S: Store> Ledger<S> {
    /// Every entry of the journal in a scope as one line of JSON: its `number`, `at`, `command` (null
    /// for what a tick booked), `change` with the word for it, and that change's fields. Nothing of an
    /// entry is left out. With [`Scope::account`] only the entries that belong to that account.
    ///
    /// ```
    /// use tenure::loyalty::{Command, Earn, Ledger, MemoryStore, Points, Programme, Rules, Scope};
    ///
    /// let ledger = Ledger::new(MemoryStore::new(), Rules::new(Programme::default())?);
    /// ledger.submit(Command::new("gift-1", "2025-01-31".parse()?, Earn::points("ann", Points(5))))?;
    /// let mut text = Vec::new();
    /// ledger.journal_json_lines(&Scope::default(), &mut text)?;
    /// let second = std::str::from_utf8(&text)?.lines().nth(1).unwrap();
    /// let second: serde_json::Value = serde_json::from_str(second)?;
    /// assert_eq!((&second["change"], &second["points"]), (&"opened".into(), &5.into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn journal_json_lines(
        &self,
        scope: &Scope,
        out: &mut impl Write,
    ) -> Result<(), ExportError> {
        let mut writing = Writing::new();
        self.read_journal(&mut |number, entry| {
            if !scope.covers(entry.at) || !scope.has(entry) {
                return writing.go_on(Ok(()));
            }
            let line = JournalLine {
                number,
                at: entry.at,
                command: entry.command.as_ref(),
                change: &entry.change,
            };
            writing.go_on(write_line(out, &line))
        })?;
        Ok(writing.0?)
    }

    /// The lines of statements in a scope as JSON: `account` and the fields of [`StatementLine`].
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn statements_json_lines(
        &self,
        scope: &Scope,
        out: &mut impl Write,
    ) -> Result<(), ExportError> {
        let mut writing = Writing::new();
        self.statement_lines(scope, &mut |account, line: &StatementLine| {
            let what = line;
            writing.go_on(write_line(out, &OfAccount { account, what }))
        })?;
        Ok(writing.0?)
    }

    /// All accounts as they were at an instant, from the journal, in the order of their names: `account`
    /// and the fields of [`Account`], lots among them.
    ///
    /// # Errors
    /// [`ExportError`], as for [`Ledger::snapshot_as_of`].
    pub fn accounts_json_lines(
        &self,
        instant: Timestamp,
        out: &mut impl Write,
    ) -> Result<(), ExportError> {
        let mut writing = Writing::new();
        self.accounts_as_of(instant, &mut |account, what: &Account| {
            writing.go_on(write_line(out, &OfAccount { account, what }))
        })?;
        Ok(writing.0?)
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
