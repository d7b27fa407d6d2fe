//! The laws of a directory of persons, on every store.

#[path = "common/directory_laws.rs"]
mod directory_laws;
#[cfg(feature = "postgres")]
#[path = "common/schema.rs"]
mod schema;
#[path = "common/stores.rs"]
mod stores;

#[test]
fn every_store_keeps_and_forgets_persons() {
    stores::on_each(|place| {
        directory_laws::check(&*place.open());
        directory_laws::check_reopened(&*place.open());
    });
}
