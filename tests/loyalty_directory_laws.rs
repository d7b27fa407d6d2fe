//! The laws of a directory of persons, on every store.

#[path = "common/directory_laws.rs"]
mod directory_laws;
#[path = "common/stores.rs"]
mod stores;

#[test]
fn every_store_keeps_and_forgets_persons() {
    stores::on_each(|_, make| {
        let mut place = make();
        directory_laws::check(&*place.open());
        directory_laws::check_reopened(&*place.open());
    });
}
