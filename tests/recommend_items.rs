//! What holds for every model that scores by the items taken, whatever the data.

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tenure::error::{Error, FitError};
use tenure::event::{InteractionColumns, Interactions, Timestamp};
use tenure::recommend::{
    ContentCosine, Ease, EaseConfig, Explainer, ItemKnn, ItemSimilarity, PolynomialFilter,
    Popularity, Precision, Query, Rp3Beta, Rp3BetaConfig, Scored, Scratch, Slim, SlimConfig,
    TurboCf, TurboCfConfig, Unseen, laws, recommend,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

const SIMILARITIES: [ItemSimilarity; 3] = [
    ItemSimilarity::Cosine,
    ItemSimilarity::TfIdf,
    ItemSimilarity::Bm25 { k1: 1.2, b: 0.75 },
];

const RP3: Rp3BetaConfig = Rp3BetaConfig {
    alpha: 1.0,
    beta: 0.4,
    neighbours: 8,
    normalized: true,
};
const SLIM: SlimConfig = SlimConfig {
    lambda1: 0.5,
    lambda2: 1.0,
    candidates: None,
    tolerance: 1e-3,
    sweeps_max: 100,
};

const TURBO: [TurboCfConfig; 2] = [
    TurboCfConfig {
        alpha: 0.6,
        power: 0.7,
        filter: PolynomialFilter::Linear,
    },
    TurboCfConfig {
        alpha: 0.4,
        power: 1.2,
        filter: PolynomialFilter::Cubic,
    },
];

fn ease(precision: Precision) -> EaseConfig {
    EaseConfig {
        lambda: 2.0,
        precision,
        items_max: 100,
    }
}

fn matrix(rows: &[(u32, u32, f32)]) -> InteractionMatrix {
    let mut log = InteractionSummary::new();
    for &(customer, item, weight) in rows {
        log.push(customer, item, weight).unwrap();
    }
    log.matrix()
}

/// Who took what: few and many, weights of all sizes, 0 among them.
fn rows() -> impl Strategy<Value = Vec<(u32, u32, f32)>> {
    let weight = prop_oneof![Just(1.0_f32), Just(0.0), 0.001_f32..1e4, Just(f32::MAX)];
    vec((0_u32..12, 0_u32..15, weight), 1..120)
}

fn models(matrix: &InteractionMatrix) -> Vec<Box<dyn Explainer>> {
    let mut models: Vec<Box<dyn Explainer>> = Vec::new();
    for similarity in SIMILARITIES {
        for neighbours in [1, 4, 100] {
            models.push(Box::new(
                ItemKnn::fit(matrix, similarity, neighbours).unwrap(),
            ));
        }
    }
    for precision in [Precision::Single, Precision::Double] {
        models.push(Box::new(Ease::fit(matrix, &ease(precision)).unwrap()));
    }
    models.push(Box::new(content(matrix)));
    models.push(Box::new(Rp3Beta::fit(matrix, &RP3).unwrap()));
    models.push(Box::new(Slim::fit(matrix, &SLIM).unwrap().model));
    for config in TURBO {
        models.push(Box::new(TurboCf::fit(matrix, &config).unwrap()));
    }
    models
}

/// Three features of each item, one of them without any, and an item that nobody took.
fn content(matrix: &InteractionMatrix) -> ContentCosine {
    let feature = |at: u32| {
        if at < 3 {
            0.0
        } else {
            f64::from(at * 7 % 11) - 4.0
        }
    };
    let features = (0..3 * (matrix.columns() + 1)).map(feature).collect();
    ContentCosine::new(matrix, 3, features).unwrap()
}

fn is_read_back<M: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(model: &M) {
    let saved = serde_json::to_string(model).unwrap();
    assert_eq!(&serde_json::from_str::<M>(&saved).unwrap(), model);
    let newer = saved.replacen(r#""format":2"#, r#""format":3"#, 1);
    let error = serde_json::from_str::<M>(&newer).unwrap_err().to_string();
    assert!(error.starts_with("format version 3 is unknown"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_model_keeps_the_laws(rows in rows()) {
        let matrix = matrix(&rows);
        let basket: Vec<(u32, f32)> = (0..matrix.columns()).step_by(3).map(|item| (item, 0.5)).collect();
        let queries = [
            Query::Customer(0),
            Query::Customer(matrix.rows() - 1),
            Query::Basket(&[]),
            Query::Basket(&basket),
            Query::Item(0),
        ];
        for (number, model) in models(&matrix).iter().enumerate() {
            let kept = laws::check(&**model, &queries);
            prop_assert!(kept.is_ok(), "model {number}: {kept:?}");
            let kept = laws::check_reasons(&**model, &queries);
            prop_assert!(kept.is_ok(), "model {number}: {kept:?}");
        }
    }

    #[test]
    fn a_basket_of_what_a_customer_took_is_answered_as_the_customer(rows in rows()) {
        let matrix = matrix(&rows);
        let (items, weights) = matrix.row(0);
        let basket: Vec<(u32, f32)> = items.iter().copied().zip(weights.iter().copied()).collect();
        let (mut scratch, mut known, mut new) = (Scratch::new(), Vec::new(), Vec::new());
        for model in models(&matrix) {
            let mut best = |query: &Query<'_>, out: &mut Vec<Scored>| {
                recommend(&*model, query, 5, &Unseen(&matrix), &mut scratch, out)
            };
            best(&Query::Customer(0), &mut known).unwrap();
            best(&Query::Basket(&basket), &mut new).unwrap();
            prop_assert_eq!(&known, &new);
        }
    }

    #[test]
    fn a_model_is_read_back_as_it_was(rows in rows()) {
        let matrix = matrix(&rows);
        for similarity in SIMILARITIES {
            is_read_back(&ItemKnn::fit(&matrix, similarity, 3).unwrap());
        }
        is_read_back(&content(&matrix));
        is_read_back(&Popularity::of(&matrix));
        is_read_back(&Ease::fit(&matrix, &ease(Precision::Single)).unwrap());
        is_read_back(&Rp3Beta::fit(&matrix, &RP3).unwrap());
        is_read_back(&Slim::fit(&matrix, &SLIM).unwrap().model);
        is_read_back(&TurboCf::fit(&matrix, &TURBO[0]).unwrap());
    }

    #[test]
    fn fewer_neighbours_are_the_most_similar_of_more(rows in rows(), most in 1_u32..8) {
        let matrix = matrix(&rows);
        for similarity in SIMILARITIES {
            let all = ItemKnn::fit(&matrix, similarity, u32::MAX).unwrap();
            let few = ItemKnn::fit(&matrix, similarity, most).unwrap();
            for item in 0..matrix.columns() {
                let mut best: Vec<(u32, f64)> = all.neighbours(item).collect();
                best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                best.truncate(most as usize);
                best.sort_by_key(|&(item, _)| item);
                prop_assert_eq!(few.neighbours(item).collect::<Vec<_>>(), best);
            }
        }
    }
}

#[test]
fn nothing_is_a_model_without_items() {
    let nothing = InteractionSummary::new().matrix();
    for model in models(&nothing) {
        laws::check(&*model, &[Query::Basket(&[])]).unwrap();
        // Content knows an item that nobody took.
        assert!(model.items() <= 1);
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let matrix = matrix(&[(0, 2, 1.0)]);
    let config = ease(Precision::Single);
    let fit = |config| Ease::fit(&matrix, &config).unwrap_err().to_string();
    for (lambda, value) in [(0.0, "0"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let error = fit(EaseConfig { lambda, ..config });
        assert!(
            error.starts_with(&format!("the setting `lambda` is {value};")),
            "{error}"
        );
    }
    let error = fit(EaseConfig {
        items_max: 2,
        ..config
    });
    assert!(
        error.starts_with("the setting `items_max` is 2 and there are 3 items"),
        "{error}"
    );
    for (k1, b, message) in [
        (-1.0, 0.5, "the setting `k1` is -1;"),
        (f64::NAN, 0.5, "the setting `k1` is NaN;"),
        (1.0, 1.5, "the setting `b` is 1.5;"),
    ] {
        let error = ItemKnn::fit(&matrix, ItemSimilarity::Bm25 { k1, b }, 5).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let error = ItemKnn::fit(&matrix, ItemSimilarity::Cosine, 0).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the setting `neighbours` is 0"),
        "{error}"
    );
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let rows: Vec<(u32, u32, f32)> = (0..40_000_u32)
        .map(|row| {
            (
                row.wrapping_mul(2_654_435_761) >> 22,
                row.wrapping_mul(40_503) % 1_300,
                (row % 7) as f32 * 0.3,
            )
        })
        .collect();
    let matrix = matrix(&rows);
    let config = EaseConfig {
        items_max: 1_300,
        ..ease(Precision::Single)
    };
    let slim = SlimConfig {
        candidates: Some(20),
        ..SLIM
    };
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            (
                ItemKnn::fit(&matrix, SIMILARITIES[2], 50).unwrap(),
                Ease::fit(&matrix, &config).unwrap(),
                Rp3Beta::fit(&matrix, &RP3).unwrap(),
                Slim::fit(&matrix, &slim).unwrap(),
                TurboCf::fit(&matrix, &TURBO[1]).unwrap(),
            )
        })
    };
    let one = fit(1);
    for threads in [2, 8] {
        assert!(fit(threads) == one, "{threads} threads");
    }
}

/// Fewer customers than items, so that single precision takes the shorter way, and more.
#[test]
fn the_shorter_way_of_ease_leads_to_the_same_weights() {
    let config = |precision| EaseConfig {
        items_max: 150,
        ..ease(precision)
    };
    for customers in [0, 1, 40, 300] {
        let rows = (0..customers).flat_map(|customer| {
            let taken = move |item: &u32| (customer * 31 + item * 17 + customer * item) % 29 < 3;
            let row = (0..150).filter(taken).chain([customer % 150, 149]);
            row.map(move |item| (customer, item, 1.0))
        });
        let matrix = matrix(&rows.collect::<Vec<_>>());
        let fit = |precision, threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let fit = || Ease::fit(&matrix, &config(precision)).unwrap();
            pool.unwrap().install(fit)
        };
        let (single, double) = (fit(Precision::Single, 1), fit(Precision::Double, 1));
        for item in 0..matrix.columns() {
            assert_eq!(single.weight(item, item), Some(0.0));
            for other in 0..matrix.columns() {
                let weights = [&single, &double].map(|model| model.weight(item, other).unwrap());
                let off = (weights[0] - weights[1]).abs();
                assert!(off < 1e-4, "{customers} customers: {weights:?}");
            }
        }
        for threads in [2, 8] {
            assert!(fit(Precision::Single, threads) == single);
            assert!(fit(Precision::Double, threads) == double);
        }
        for precision in [Precision::Single, Precision::Double] {
            if matrix.is_empty() {
                continue;
            }
            let stopped = Ease::fit_until(&matrix, &config(precision), &|| true).unwrap_err();
            assert_eq!(stopped, Error::Fit(FitError::Cancelled { iterations: 0 }));
        }
    }
}

#[test]
fn popularity_knows_what_it_reads_and_what_it_has_no_room_for() {
    let saved = serde_json::to_value(Popularity::of(&matrix(&[(0, 1, 1.0)]))).unwrap();
    for (score, message) in [
        (json!((-2.5_f64).to_bits()), "the field `scores[1]` is -2.5"),
        (json!(f64::NAN.to_bits()), "the field `scores[1]` is NaN"),
        (json!(2.5_f64.to_bits()), "the field `checksum` is"),
        (json!(null), "invalid type: null"),
    ] {
        let mut saved = saved.clone();
        saved["scores"][1] = score;
        let error = serde_json::from_value::<Popularity>(saved).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let columns = InteractionColumns {
        items: u32::MAX,
        ..InteractionColumns::default()
    };
    let log = Interactions::from_columns(columns).unwrap();
    let error = Popularity::decayed(&log, Timestamp::EPOCH, 1).unwrap_err();
    assert!(error.to_string().contains("table of items"), "{error}");
    let error = Popularity::decayed(&log, Timestamp::EPOCH, 0).unwrap_err();
    let message = "the setting `half_life_s` is 0";
    assert!(error.to_string().starts_with(message), "{error}");
}

#[test]
fn features_that_cannot_be_are_named() {
    let matrix = matrix(&[(0, 1, 1.0)]);
    for (width, features, message) in [
        (
            2,
            vec![1.0; 3],
            "the field `features` is 3 numbers, 2 for each item",
        ),
        (
            0,
            vec![1.0],
            "the field `features` is 1 numbers, 0 for each item",
        ),
        (1, vec![1.0, f64::NAN], "the field `features` is NaN"),
        (1, vec![1.0], "the field `features` is of 1 items"),
    ] {
        let error = ContentCosine::new(&matrix, width, features).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    // Neither the smallest nor the largest numbers lose their direction.
    let model = ContentCosine::new(&matrix, 2, vec![1e300, 1e300, 1e-300, 1e-300]).unwrap();
    assert!((model.similarity(0, 1).unwrap() - 1.0).abs() < 1e-12);
    let mut saved = serde_json::to_value(&model).unwrap();
    saved["directions"][0] = 0.9_f64.to_bits().into();
    let error = serde_json::from_value::<ContentCosine>(saved).unwrap_err();
    assert!(
        error.to_string().starts_with("the field `directions`"),
        "{error}"
    );
}

#[test]
fn a_damaged_model_is_refused() {
    let matrix = matrix(&[(0, 0, 1.0), (0, 1, 1.0), (1, 1, 1.0)]);
    let model = ItemKnn::fit(&matrix, ItemSimilarity::Cosine, 2).unwrap();
    let saved = serde_json::to_string(&model).unwrap();
    for (from, to, message) in [
        (
            r#""ends":[2,4]"#,
            r#""ends":[2,5]"#,
            "the field `weights.ends`",
        ),
        (
            r#""ends":[2,4]"#,
            r#""ends":[4]"#,
            "the field `weights.ends`",
        ),
        (
            r#""item":[0,1,0,1]"#,
            r#""item":[0,2,0,1]"#,
            "the field `weights.item`",
        ),
        (
            r#""item":[0,1,0,1]"#,
            r#""item":[1,0,0,1]"#,
            "the field `weights.item`",
        ),
    ] {
        assert!(saved.contains(from), "{saved}");
        let error = serde_json::from_str::<ItemKnn>(&saved.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let model = Ease::fit(&matrix, &ease(Precision::Single)).unwrap();
    let saved = serde_json::to_string(&model).unwrap();
    let error =
        serde_json::from_str::<Ease>(&saved.replacen(r#""single":["#, r#""single":[1.0,"#, 1));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("the field `weights` is of length 5")
    );
    let error =
        serde_json::from_str::<Ease>(&saved.replacen(r#""items_max":100"#, r#""items_max":1"#, 1));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("the setting `items_max`")
    );
}
