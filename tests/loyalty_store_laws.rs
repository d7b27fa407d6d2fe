//! The laws of a store, on every store.

#[cfg(feature = "postgres")]
#[path = "common/schema.rs"]
mod schema;
#[path = "common/store_laws.rs"]
mod store_laws;
#[path = "common/stores.rs"]
mod stores;

#[test]
fn every_store_keeps_its_promises() {
    stores::on_each(|place| store_laws::check(place));
}
