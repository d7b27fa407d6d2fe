//! The ledger for other programs: the journal, statements and accounts as text, streamed.

#[cfg(feature = "csv")]
mod csv;
mod hledger;
#[cfg(feature = "json")]
mod json;

use std::io;
use std::ops::ControlFlow;

use thiserror::Error;

#[cfg(feature = "csv")]
use super::entry::Change;
use super::ledger::LedgerError;
use super::lot::Pot;
use super::store::StoreError;

/// An export ended before its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The text could not be written.
    #[error("the export could not be written")]
    Write(#[from] io::Error),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

/// Keeps the first failure of a writer and ends the visit with it.
struct Writing(io::Result<()>);

impl Writing {
    fn new() -> Self {
        Self(Ok(()))
    }

    fn go_on(&mut self, written: io::Result<()>) -> ControlFlow<()> {
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.0 = Err(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// The word for a change, as in the serialised entry.
#[cfg(feature = "csv")]
fn word(change: &Change) -> &'static str {
    match change {
        Change::Joined { .. } => "joined",
        Change::Opened { .. } => "opened",
        Change::Moved { .. } => "moved",
        Change::Matured { .. } => "matured",
        Change::Owed { .. } => "owed",
        Change::Redated { .. } => "redated",
        Change::HoldOpened { .. } => "hold_opened",
        Change::HoldClosed { .. } => "hold_closed",
        Change::Counted { .. } => "counted",
        Change::Limited { .. } => "limited",
        Change::Qualified { .. } => "qualified",
        Change::Ranked { .. } => "ranked",
        Change::Deferred { .. } => "deferred",
        Change::Stamped { .. } => "stamped",
        Change::Expected { .. } => "expected",
        Change::Amended { .. } => "amended",
        Change::Done { .. } => "done",
    }
}

/// The word for a pot, as in the serialised entry.
pub(super) fn pot(pot: Pot) -> &'static str {
    match pot {
        Pot::Issued => "issued",
        Pot::Pending => "pending",
        Pot::Available => "available",
        Pot::Held => "held",
        Pot::Redeemed => "redeemed",
        Pot::Expired => "expired",
        Pot::ClawedBack => "clawed_back",
        Pot::Transfer => "transfer",
        Pot::Debt => "debt",
        Pot::WrittenOff => "written_off",
    }
}
