//! What only a ledger in a database must show: many writers, lost connections, migrations, odd names, damage that is
//! found.
//!
//! The tests need a database that they may fill: `TENURE_POSTGRES_URL="host=… user=… dbname=…"`. Each makes schemas of
//! its own and drops them. Without the variable nothing is tested, and the output says so.

#[path = "loyalty_postgres/damage.rs"]
mod damage;
#[path = "loyalty_postgres/loss.rs"]
mod loss;
#[path = "loyalty_postgres/migration.rs"]
mod migration;
#[path = "loyalty_postgres/names.rs"]
mod names;
#[path = "common/schema.rs"]
mod schema;
#[path = "loyalty_postgres/shared.rs"]
mod shared;
#[path = "loyalty_postgres/writers.rs"]
mod writers;
