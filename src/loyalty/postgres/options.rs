//! How a store uses its database.

use super::error::PostgresError;

/// How a store uses its database.
///
/// | field | default | |
/// |---|---|---|
/// | `schema` | `tenure` | the schema of the ledger: one ledger a schema |
/// | `connections` | 16 | the most at the same time |
/// | `statement_ms_max` | 30,000 | how long the server works on a statement, and how long a thread waits for a connection |
/// | `retry_ms_max` | 10,000 | how long work is tried again after a lost connection, a deadlock or a failover |
/// | `seed` | 0 | of the random waits between two attempts |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The schema of the ledger: 1 to 63 of `a`–`z`, `0`–`9` and `_`, no digit first, and not beginning with `pg_`.
    pub schema: String,
    /// The most connections at the same time; at least 1. They are opened when they are needed and kept.
    pub connections: usize,
    /// Milliseconds until the server gives up a statement, and until a thread gives up waiting for a
    /// connection; at least 1, at most 2,147,483,647.
    pub statement_ms_max: u32,
    /// Milliseconds for which work that can be tried again is tried again; 0 for one attempt.
    pub retry_ms_max: u32,
    /// The seed of the random waits between attempts. They change no result; give each process a
    /// seed of its own, so that all of them do not come back at the same moments.
    pub seed: u64,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "tenure".to_owned(),
            connections: 16,
            statement_ms_max: 30_000,
            retry_ms_max: 10_000,
            seed: 0,
        }
    }
}

impl PostgresOptions {
    pub(super) fn check(&self) -> Result<(), PostgresError> {
        let first = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let bytes = self.schema.as_bytes();
        let plain = bytes.first().is_some_and(|&byte| first(byte))
            && bytes.iter().all(|&b| first(b) || b.is_ascii_digit());
        if !plain || bytes.len() > 63 || self.schema.starts_with("pg_") {
            return Err(PostgresError::Setting {
                setting: "schema",
                value: self.schema.clone(),
                expected: "1 to 63 of a-z, 0-9 and _, no digit first, not beginning with pg_",
            });
        }
        if self.connections == 0 {
            return Err(PostgresError::Setting {
                setting: "connections",
                value: "0".to_owned(),
                expected: "at least 1",
            });
        }
        if self.statement_ms_max == 0 || i32::try_from(self.statement_ms_max).is_err() {
            return Err(PostgresError::Setting {
                setting: "statement_ms_max",
                value: self.statement_ms_max.to_string(),
                expected: "from 1 to 2147483647",
            });
        }
        Ok(())
    }

    /// A statement with the schema's name in the place of every `@`.
    pub(super) fn statement(&self, template: &str) -> String {
        template.replace('@', &format!("\"{}\"", self.schema))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_a_plain_name() {
        let check = |schema: &str| {
            let schema = schema.to_owned();
            PostgresOptions {
                schema,
                ..PostgresOptions::default()
            }
            .check()
        };
        for good in ["tenure", "_", "select", "shop_2", &"a".repeat(63)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "2",
            "Tenure",
            "a b",
            "a\"b",
            "a;b",
            "a@b",
            "pg_x",
            "ä",
            "a\0",
            &"a".repeat(64),
        ] {
            let error = check(bad).unwrap_err();
            assert!(
                matches!(
                    error,
                    PostgresError::Setting {
                        setting: "schema",
                        ..
                    }
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn nothing_is_done_with_no_connection_or_no_time() {
        let options = PostgresOptions::default();
        assert!(
            PostgresOptions {
                connections: 0,
                ..options.clone()
            }
            .check()
            .is_err()
        );
        for statement_ms_max in [0, 1 << 31] {
            assert!(
                PostgresOptions {
                    statement_ms_max,
                    ..options.clone()
                }
                .check()
                .is_err()
            );
        }
        assert!(
            PostgresOptions {
                retry_ms_max: 0,
                ..options
            }
            .check()
            .is_ok()
        );
    }
}
