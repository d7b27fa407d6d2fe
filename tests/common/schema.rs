//! A new schema in the PostgreSQL database that `TENURE_POSTGRES_URL` names; it goes with the value.

use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, NoTls};
use tenure::loyalty::{PostgresOptions, PostgresStore};

pub struct Schema {
    pub url: String,
    pub name: String,
}

impl Schema {
    /// A name that no other test has; nothing is made yet. Why there is none here, if there is none.
    pub fn new() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("TENURE_POSTGRES_URL")
            .map_err(|_| "TENURE_POSTGRES_URL names no database".to_owned())?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tenure_test_{}_{count}", std::process::id());
        Ok(Self { url, name })
    }

    /// Options with this schema, and little patience.
    pub fn options(&self) -> PostgresOptions {
        PostgresOptions {
            schema: self.name.clone(),
            ..PostgresOptions::default()
        }
    }

    pub fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.url, self.options()).unwrap()
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let drop = format!("drop schema if exists {} cascade", self.name);
        if let Ok(mut client) = Client::connect(&self.url, NoTls) {
            let _ = client.batch_execute(&drop);
        }
    }
}
