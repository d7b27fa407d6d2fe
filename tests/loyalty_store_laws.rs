//! The laws of a store, on every store.

#[path = "common/store_laws.rs"]
mod store_laws;
#[path = "common/stores.rs"]
mod stores;

#[test]
fn every_store_keeps_its_promises() {
    stores::on_each(|_, make| store_laws::check(&mut *make()));
}
