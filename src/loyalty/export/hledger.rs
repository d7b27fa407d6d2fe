//! A plain-text double-entry journal.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;

use super::super::calendar;
use super::super::entry::{Change, Entry};
use super::super::history::Scope;
use super::super::ledger::Ledger;
use super::super::lot::{LotNumber, Pot};
use super::super::names::{AccountId, CommandId};
use super::super::points::Points;
use super::super::store::Store;
use super::{ExportError, Writing, pot};
use crate::event::Timestamp;

impl<S: Store> Ledger<S> {
    /// The movements of points as a plain-text double-entry journal, as `hledger` reads it: one
    /// transaction for each command and instant, whose postings sum to zero, and one for what a tick
    /// booked for an account at an instant.
    ///
    /// What a member has lies in `members:ID:available`, `…:pending`, `…:held` and `…:debt`; where
    /// points come from and where they end in `programme:issued`, `:redeemed`, `:expired`,
    /// `:clawed_back`, `:transfer` and `:written_off`. The commodity is `points`. A transaction's
    /// description is the name of the command, or the code `(tick)`; comments give the instant and, for each posting, the
    /// number of the journal's entry and of the lot.
    ///
    /// Names are written in the letters, digits and `-_.@+` of ASCII; every other byte of their UTF-8,
    /// the blank and the percent sign too, as `%` and two hexadecimal digits, and a name without text as
    /// a single `%`. So two names are never one account, whatever is in them.
    ///
    /// With [`Scope::from`] the balances before that instant come first, as one transaction; with
    /// [`Scope::account`] only the postings of that account's entries are there.
    ///
    /// ```
    /// use tenure::loyalty::{Command, Earn, Ledger, MemoryStore, Points, Programme, Rules, Scope};
    ///
    /// let ledger = Ledger::new(MemoryStore::new(), Rules::new(Programme::default())?);
    /// ledger.submit(Command::new("gift-1", "2025-01-31".parse()?, Earn::points("ann", Points(5))))?;
    /// let mut text = Vec::new();
    /// ledger.journal_hledger(&Scope::default(), &mut text)?;
    /// let text = String::from_utf8(text)?;
    /// assert!(text.contains("\n2025-01-31 gift-1  ; at:2025-01-31T00:00:00Z\n"));
    /// assert!(text.contains("\n    members:ann:available  5 points  ; entry:2, lot:1\n"));
    /// assert!(text.contains("\n    programme:issued  -5 points  ; entry:2, lot:1\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ExportError`]; an instant outside the years 0 to 9999 cannot be written.
    pub fn journal_hledger(&self, scope: &Scope, out: &mut impl Write) -> Result<(), ExportError> {
        writeln!(out, "commodity 1000. points")?;
        if let Some(from) = scope.from {
            self.write_opening(scope, from, out)?;
        }
        let mut writing = Writing::new();
        let mut command = Open::default();
        self.read_journal(&mut |number, entry| {
            let Some(movement) = Movement::of(number, entry) else {
                return writing.go_on(Ok(()));
            };
            if !scope.covers(entry.at) || !scope.is_about(&movement.account) {
                return writing.go_on(Ok(()));
            }
            let written = if command.takes(entry) {
                Ok(())
            } else {
                command.write(out)
            };
            command.push(entry, movement);
            writing.go_on(written)
        })?;
        writing.0?;
        Ok(command.write(out)?)
    }

    /// One transaction with what all pots held before an instant.
    fn write_opening(
        &self,
        scope: &Scope,
        from: Timestamp,
        out: &mut impl Write,
    ) -> Result<(), ExportError> {
        let mut balances: BTreeMap<(Option<AccountId>, Pot), i128> = BTreeMap::new();
        self.read_journal(&mut |number, entry| {
            if let Some(movement) = Movement::of(number, entry)
                && entry.at < from
                && scope.is_about(&movement.account)
            {
                let points = i128::from(movement.points.0);
                for (pot, change) in [(movement.to, points), (movement.from, -points)] {
                    let owner = is_members(pot).then(|| movement.account.clone());
                    *balances.entry((owner, pot)).or_default() += change;
                }
            }
            ControlFlow::Continue(())
        })?;
        balances.retain(|_, points| *points != 0);
        if balances.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{} opening balances  ; at:{from}", Day::of(from)?)?;
        for ((owner, pot), points) in &balances {
            writeln!(out, "    {}  {points} points", Name(owner.as_ref(), *pot))?;
        }
        Ok(())
    }
}

/// Points on their way from one pot to another.
struct Movement {
    number: u64,
    at: Timestamp,
    account: AccountId,
    lot: Option<LotNumber>,
    from: Pot,
    to: Pot,
    points: Points,
}

impl Movement {
    fn of(number: u64, entry: &Entry) -> Option<Self> {
        let (from, to, points) = entry.posting()?;
        let lot = match &entry.change {
            Change::Opened { lot, .. }
            | Change::Moved { lot, .. }
            | Change::Matured { lot, .. } => Some(*lot),
            _ => None,
        };
        Some(Self {
            number,
            at: entry.at,
            account: entry.account()?.clone(),
            lot,
            from,
            to,
            points,
        })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let points = i128::from(self.points.0);
        for (pot, points) in [(self.to, points), (self.from, -points)] {
            let owner = is_members(pot).then_some(&self.account);
            write!(
                out,
                "    {}  {points} points  ; entry:{}",
                Name(owner, pot),
                self.number
            )?;
            match self.lot {
                Some(lot) => writeln!(out, ", lot:{lot}")?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }
}

/// The command whose entries are being read; what a tick books is one for each account.
#[derive(Default)]
struct Open {
    command: Option<CommandId>,
    movements: Vec<Movement>,
}

impl Open {
    fn takes(&self, entry: &Entry) -> bool {
        self.movements.last().is_some_and(|last| {
            let same_account = || entry.account() == Some(&last.account);
            self.command == entry.command && (self.command.is_some() || same_account())
        })
    }

    fn push(&mut self, entry: &Entry, movement: Movement) {
        if self.movements.is_empty() {
            self.command.clone_from(&entry.command);
        }
        self.movements.push(movement);
    }

    /// Writes one transaction for each instant, and is empty then.
    fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        // What fell due for one account of a pool stands before that of the next one.
        self.movements.sort_by_key(|movement| movement.at);
        let mut last = None;
        for movement in self.movements.drain(..) {
            if last.replace(movement.at) != Some(movement.at) {
                write!(out, "\n{} ", Day::of(movement.at)?)?;
                match &self.command {
                    Some(command) => write!(out, "{}", Escaped(command.as_str()))?,
                    None => write!(out, "(tick)")?,
                }
                writeln!(out, "  ; at:{}", movement.at)?;
            }
            movement.write(out)?;
        }
        Ok(())
    }
}

/// The account of a pot in the plain-text journal.
struct Name<'a>(Option<&'a AccountId>, Pot);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pot = pot(self.1);
        match self.0 {
            Some(account) => write!(f, "members:{}:{pot}", Escaped(account.as_str())),
            None => write!(f, "programme:{pot}"),
        }
    }
}

/// Whether what is in a pot is the member's, rather than a flow of the programme.
fn is_members(pot: Pot) -> bool {
    matches!(pot, Pot::Pending | Pot::Available | Pot::Held | Pot::Debt)
}

/// A name of which every byte that could mean something in a plain-text journal is `%` and two digits.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("%");
        }
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// A day of the years that a plain-text journal can name.
struct Day(jiff::civil::Date);

impl Day {
    fn of(instant: Timestamp) -> io::Result<Self> {
        let date = calendar::civil(instant).map(|civil| civil.date());
        let date = date.filter(|date| date.year() >= 0);
        let outside = || {
            let text = format!("{instant} is outside the years 0 to 9999");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        };
        date.map(Self).ok_or_else(outside)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.0;
        write!(
            f,
            "{:04}-{:02}-{:02}",
            date.year(),
            date.month(),
            date.day()
        )
    }
}
