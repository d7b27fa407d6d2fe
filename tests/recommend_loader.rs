//! Saved models that were damaged: an error or a model, never a panic.

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use tenure::event::{Interactions, Timestamp};
use tenure::recommend::{
    Allowed, Als, AlsConfig, ContentCosine, Ease, EaseConfig, ItemKnn, ItemSimilarity, Popularity,
    Precision, Query, Scorer, Scratch, SessionKnn, SessionKnnConfig, Weighting, recommend,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

fn log() -> Interactions {
    let rows = (0..60_u32).map(|row| {
        let time = Timestamp::from_unix_s(i64::from(row)).unwrap();
        (row % 7, row * 5 % 11, 1.0 + (row % 3) as f32, time)
    });
    Interactions::from_rows(rows).unwrap().0
}

fn matrix() -> InteractionMatrix {
    InteractionSummary::collect(&log()).unwrap().matrix()
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Damage {
    /// Characters of a number are put for others, from a place on.
    Digits(prop::sample::Index, String),
    Cut(prop::sample::Index),
    Lose(prop::sample::Index, usize),
    Twice(prop::sample::Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), "[-0-9.e]{1,6}").prop_map(|(at, text)| Damage::Digits(at, text)),
        1 => at().prop_map(Damage::Cut),
        2 => (at(), 1..9_usize).prop_map(|(at, length)| Damage::Lose(at, length)),
        2 => (at(), 1..40_usize).prop_map(|(at, length)| Damage::Twice(at, length)),
    ]
}

impl Damage {
    fn done_to(&self, saved: &str) -> String {
        let bytes = saved.as_bytes();
        let end = |at: usize, length: usize| (at + length).min(bytes.len());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match self {
            Self::Digits(at, digits) => {
                // From a digit on, so that most files are still ones of numbers.
                let start = at.index(bytes.len());
                let digit = bytes.iter().skip(start).position(u8::is_ascii_digit);
                let at = start + digit.unwrap_or(0);
                text(
                    [
                        &bytes[..at],
                        digits.as_bytes(),
                        &bytes[end(at, digits.len())..],
                    ]
                    .concat(),
                )
            }
            Self::Cut(at) => text(bytes[..at.index(bytes.len())].to_vec()),
            Self::Lose(at, length) => {
                let at = at.index(bytes.len());
                text([&bytes[..at], &bytes[end(at, *length)..]].concat())
            }
            Self::Twice(at, length) => {
                let at = at.index(bytes.len());
                text([&bytes[..end(at, *length)], &bytes[at..]].concat())
            }
        }
    }
}

/// Reads the file, and asks the model, if it is one.
fn asked<M: Scorer + DeserializeOwned>(file: &str) {
    let Ok(model) = serde_json::from_str::<M>(file) else {
        return;
    };
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    for query in [
        Query::Customer(0),
        Query::Item(0),
        Query::Basket(&[(0, 1.0), (3, 1.0)]),
    ] {
        if recommend(&model, &query, 3, &Allowed, &mut scratch, &mut list).is_ok() {
            assert_eq!(list.len(), model.items().min(3) as usize);
        }
    }
}

fn saved(model: &impl serde::Serialize) -> String {
    serde_json::to_string(model).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_file_is_an_error_or_a_model(damage in damage()) {
        let ease = EaseConfig { lambda: 1.0, precision: Precision::Single, items_max: 20 };
        let sessions = SessionKnnConfig { latest: 3, neighbours: 2, idf_weighting: 1.0 };
        let als = AlsConfig::new(Weighting::HuKoren { alpha: 2.0, lambda: 1.0 }, 2, 1);
        let als = Als::fit(&matrix(), &AlsConfig { iterations: 1, ..als }).unwrap().model;
        let content = ContentCosine::new(&matrix(), 2, (0..22).map(f64::from).collect()).unwrap();
        asked::<Popularity>(&damage.done_to(&saved(&Popularity::of(&matrix()))));
        asked::<ItemKnn>(&damage.done_to(&saved(&ItemKnn::fit(&matrix(), ItemSimilarity::Cosine, 4).unwrap())));
        asked::<Ease>(&damage.done_to(&saved(&Ease::fit(&matrix(), &ease).unwrap())));
        asked::<ContentCosine>(&damage.done_to(&saved(&content)));
        asked::<SessionKnn>(&damage.done_to(&saved(&SessionKnn::fit(&log(), &sessions).unwrap())));
        asked::<Als>(&damage.done_to(&saved(&als)));
    }
}
