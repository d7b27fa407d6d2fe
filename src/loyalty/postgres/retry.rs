//! What can be tried again, when, and for how long.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::error::PostgresError;

/// An attempt that failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing was done, and another attempt may succeed.
    Again(PostgresError),
    /// The connection is gone, and nobody knows what was done.
    Lost(PostgresError),
    /// Another attempt would end in the same way.
    Final(PostgresError),
}

impl Fault {
    /// What an error of a statement means for the next attempt.
    pub(super) fn of(doing: &'static str, error: postgres::Error) -> Self {
        let kind = match error.code() {
            Some(code) => kind(code),
            // Not the server's words. Its connection is closed, or the request could not be written or read, or the
            // parameters do not fit, which would happen again: the time for attempts then is lost, nothing else.
            None => Fault::Lost,
        };
        kind(PostgresError::Database {
            doing,
            source: error.into(),
        })
    }

    /// A connection that could not be opened.
    pub(super) fn connecting(doing: &'static str, source: Box<dyn Error + Send + Sync>) -> Self {
        let code = source
            .downcast_ref::<postgres::Error>()
            .and_then(postgres::Error::code);
        // A wrong password, a role or a database that is not there stay so.
        let stays =
            code.is_some_and(|code| matches!(code.code().get(..2), Some("28" | "3D" | "42")));
        let error = PostgresError::Database { doing, source };
        if stays {
            Fault::Final(error)
        } else {
            Fault::Again(error)
        }
    }

    pub(super) fn into_error(self) -> PostgresError {
        match self {
            Fault::Again(error) | Fault::Lost(error) | Fault::Final(error) => error,
        }
    }
}

fn kind(code: &SqlState) -> fn(PostgresError) -> Fault {
    match code.code() {
        // Serialization failure, deadlock, and a server that became a standby: all rolled back.
        "40001" | "40P01" | "25006" => Fault::Again,
        code => match code.get(..2) {
            // Connection exceptions, and a server or a session that is shut down: perhaps after the commit.
            Some("08") => Fault::Lost,
            Some("57") if code.starts_with("57P") => Fault::Lost,
            _ => Fault::Final,
        },
    }
}

/// The random waits of a store.
#[derive(Debug)]
pub(super) struct Jitter(Mutex<ChaCha8Rng>);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha8Rng::seed_from_u64(seed)))
    }

    fn up_to_ms(&self, most: u64) -> u64 {
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        random.random_range(0..=most)
    }
}

/// The attempts at one piece of work.
pub(super) struct Attempts<'a> {
    jitter: &'a Jitter,
    until: Instant,
    made: u32,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(jitter: &'a Jitter, retry_ms_max: u32) -> Self {
        Self {
            jitter,
            until: Instant::now() + Duration::from_millis(retry_ms_max.into()),
            made: 0,
        }
    }

    /// Waits for the next attempt: for a random time up to a bound that doubles each time, 2 ms at first and a second
    /// at last (full jitter). `false` when there is no time left for one.
    pub(super) fn again(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        let bound_ms = 1000.min(2_u64 << self.made.min(10));
        self.made += 1;
        std::thread::sleep(Duration::from_millis(self.jitter.up_to_ms(bound_ms)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rolled_back_is_not_uncertain() {
        let error = || PostgresError::Busy {
            connections: 1,
            waited_ms: 1,
        };
        let verdict = |code: &str| match kind(&SqlState::from_code(code))(error()) {
            Fault::Again(_) => "again",
            Fault::Lost(_) => "lost",
            Fault::Final(_) => "final",
        };
        for code in ["40001", "40P01", "25006"] {
            assert_eq!(verdict(code), "again", "{code}");
        }
        for code in ["08006", "08P01", "57P01", "57P02", "57P03"] {
            assert_eq!(verdict(code), "lost", "{code}");
        }
        // A statement that took too long, a missing table, a full disk.
        for code in ["57014", "42P01", "53100", "TN001", "TN002"] {
            assert_eq!(verdict(code), "final", "{code}");
        }
    }

    #[test]
    fn attempts_end() {
        let jitter = Jitter::new(1);
        assert!(!Attempts::new(&jitter, 0).again());
        let mut attempts = Attempts::new(&jitter, 20);
        let mut made = 0;
        while attempts.again() {
            made += 1;
        }
        assert!(made > 1);
    }
}
