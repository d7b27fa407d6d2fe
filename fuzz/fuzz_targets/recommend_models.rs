//! Any bytes: reading a saved model never panics, and what is read answers within its own items, in finite numbers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use tenure::recommend::{
    Allowed, Als, Bpr, ContentCosine, Ease, GraphFilter, ItemKnn, Popularity, Quantised, Query,
    Rp3Beta, Scorer, Scratch, SessionKnn, Slim, TurboCf, Warp, recommend,
};

fn ask<M: Scorer + DeserializeOwned>(file: &[u8]) {
    let Ok(model) = serde_json::from_slice::<M>(file) else {
        return;
    };
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    for query in [
        Query::Customer(0),
        Query::Item(0),
        Query::Basket(&[(0, 1.0), (1, 2.0)]),
    ] {
        if recommend(&model, &query, 3, &Allowed, &mut scratch, &mut list).is_ok() {
            assert_eq!(list.len(), model.items().min(3) as usize);
            assert!(
                list.iter()
                    .all(|scored| scored.item < model.items() && scored.score.is_finite())
            );
        }
    }
}

fuzz_target!(|file: &[u8]| {
    ask::<Als>(file);
    ask::<Bpr>(file);
    ask::<ContentCosine>(file);
    ask::<Ease>(file);
    ask::<GraphFilter>(file);
    ask::<ItemKnn>(file);
    ask::<Popularity>(file);
    ask::<Quantised>(file);
    ask::<Rp3Beta>(file);
    ask::<SessionKnn>(file);
    ask::<Slim>(file);
    ask::<TurboCf>(file);
    ask::<Warp>(file);
});
