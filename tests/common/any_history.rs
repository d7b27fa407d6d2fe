//! Purchase histories of any kind.

use proptest::prelude::*;
use tenure::summary::History;

use super::sizes::any_size;

/// With no, few or very many repeat purchases, at any time.
pub fn any_history() -> impl Strategy<Value = History> {
    let frequency = prop_oneof![0u32..5, 0u32..100, 0u32..100_000];
    (frequency, 0.0..=1.0f64, any_size()).prop_map(|(x, share, age)| {
        History::new(x, if x == 0 { 0.0 } else { share * age }, age).unwrap()
    })
}
