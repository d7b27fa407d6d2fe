//! Saved models: read back, of older formats, rounded, and damaged.

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenure::event::{Interactions, Timestamp};
use tenure::recommend::{
    Als, AlsConfig, Bpr, BprConfig, Compactness, ContentCosine, Ease, EaseConfig, GraphFilter,
    GraphFilterConfig, ItemKnn, ItemSimilarity, Negatives, PolynomialFilter, Popularity, Precision,
    Quantised, Query, QueryError, Rp3Beta, Rp3BetaConfig, Scorer, Scratch, SessionKnn,
    SessionKnnConfig, Slim, SlimConfig, TurboCf, TurboCfConfig, Warp, WarpConfig, Weighting, laws,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

fn matrix() -> InteractionMatrix {
    let mut log = InteractionSummary::new();
    for customer in 0..9_u32 {
        for item in (0..11).filter(|item| (customer * 5 + item * 3) % 7 < 3) {
            log.push(customer, item, 1.0).unwrap();
        }
    }
    log.matrix()
}

fn als(factors: usize) -> Als {
    let weighting = Weighting::Rendle {
        alpha0: 0.1,
        lambda: 0.02,
        nu: 1.0,
    };
    let fit = Als::fit(&matrix(), &AlsConfig::new(weighting, factors, 1));
    fit.unwrap().model
}

fn bpr() -> Bpr {
    let config = BprConfig {
        epochs: 3,
        negatives: Negatives::ByPopularity,
        ..BprConfig::new(3, 1)
    };
    Bpr::fit(&matrix(), &config).unwrap().model
}

fn warp() -> Warp {
    let config = WarpConfig {
        epochs: 3,
        ..WarpConfig::new(3, 1)
    };
    Warp::fit(&matrix(), &config).unwrap().model
}

fn scores(model: &dyn Scorer, query: &Query<'_>) -> Vec<f32> {
    let mut scores = Vec::new();
    let mut show = |_, block: &[f32]| scores.extend_from_slice(block);
    model.scan(query, &mut Scratch::new(), &mut show).unwrap();
    scores
}

#[test]
fn rounded_scores_are_near_and_keep_the_laws() {
    let (als, bpr, warp) = (als(5), bpr(), warp());
    for (compactness, near) in [(Compactness::I8, 0.015), (Compactness::F16, 0.001)] {
        let pairs: [(&dyn Scorer, Quantised); 3] = [
            (&als, Quantised::from_als(&als, compactness)),
            (&bpr, Quantised::from_bpr(&bpr, compactness)),
            (&warp, Quantised::from_warp(&warp, compactness)),
        ];
        for (model, small) in pairs {
            let queries = [Query::Customer(0), Query::Customer(8), Query::Item(3)];
            laws::check(&small, &queries).unwrap();
            for query in &queries {
                let (exact, rounded) = (scores(model, query), scores(&small, query));
                let largest = exact.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                for (exact, rounded) in exact.iter().zip(rounded) {
                    assert!(
                        (exact - rounded).abs() <= near * largest,
                        "{exact}, {rounded}"
                    );
                }
            }
            let text = serde_json::to_string(&small).unwrap();
            assert_eq!(serde_json::from_str::<Quantised>(&text).unwrap(), small);
            let basket = Query::Basket(&[]);
            let error = small.score(&basket, &[0], &mut Scratch::new(), &mut [0.0]);
            assert_eq!(
                error.unwrap_err(),
                QueryError::Unsupported { query: "a basket" }
            );
        }
    }
    let bytes = |compactness| Quantised::from_als(&als, compactness).bytes();
    assert!(bytes(Compactness::I8) < bytes(Compactness::F16));
}

#[test]
fn models_that_were_saved_before_are_still_read() {
    let als = include_str!("saved/als.json");
    let als: Als = serde_json::from_str(als).unwrap();
    assert_eq!(scores(&als, &Query::Customer(1)), [-0.25, -1.0, 0.0]);
    let bpr = include_str!("saved/bpr.json");
    let bpr: Bpr = serde_json::from_str(bpr).unwrap();
    assert_eq!(scores(&bpr, &Query::Customer(0)), [0.625, 0.0]);
    let warp = include_str!("saved/warp.json");
    let warp: Warp = serde_json::from_str(warp).unwrap();
    assert_eq!(scores(&warp, &Query::Customer(0)), [0.625, 0.0]);
    let small = include_str!("saved/quantised.json");
    let small: Quantised = serde_json::from_str(small).unwrap();
    // 127 · 0.5 times 127 · 0.25 and −127 · 1.
    assert_eq!(scores(&small, &Query::Customer(0)), [2_016.125, -8_064.5]);
}

/// What the checksum of the first format was made of.
#[test]
fn a_number_that_was_changed_in_an_older_file_is_found() {
    fn refused<M: DeserializeOwned>(saved: &str, field: &str) {
        let mut saved: Value = serde_json::from_str(saved).unwrap();
        assert_eq!(saved["format"], 1);
        saved[field][0] = 1.into();
        let error = serde_json::from_value::<M>(saved).err().unwrap();
        assert!(
            error.to_string().starts_with("the field `checksum`"),
            "{error}"
        );
    }
    refused::<Als>(include_str!("saved/als.json"), "items");
    refused::<Bpr>(include_str!("saved/bpr.json"), "items");
    refused::<Warp>(include_str!("saved/warp.json"), "items");
    refused::<Quantised>(include_str!("saved/quantised.json"), "items");
}

#[test]
fn every_model_is_read_back_and_no_damage_passes_for_it() {
    let matrix = matrix();
    sound(&Popularity::of(&matrix), 2);
    for similarity in [
        ItemSimilarity::Cosine,
        ItemSimilarity::Bm25 { k1: 1.2, b: 0.75 },
    ] {
        sound(&ItemKnn::fit(&matrix, similarity, 4).unwrap(), 2);
    }
    for precision in [Precision::Single, Precision::Double] {
        let config = EaseConfig {
            lambda: 1.5,
            precision,
            items_max: 20,
        };
        sound(&Ease::fit(&matrix, &config).unwrap(), 2);
    }
    let features = (0..22).map(|feature| f64::from(feature) - 7.3).collect();
    sound(&ContentCosine::new(&matrix, 2, features).unwrap(), 2);
    let rows = (0..9_u32).map(|row| {
        let time = Timestamp::from_unix_s(i64::from(row)).unwrap();
        (row % 3, row * 5 % 7, 1.0, time)
    });
    let sessions = SessionKnnConfig {
        latest: 3,
        neighbours: 2,
        idf_weighting: 1.0,
    };
    let log = Interactions::from_rows(rows).unwrap().0;
    sound(&SessionKnn::fit(&log, &sessions).unwrap(), 2);
    for config in [
        GraphFilterConfig::gf_cf(1),
        GraphFilterConfig::blurring_sharpening(1),
    ] {
        sound(&GraphFilter::fit(&matrix, &config).unwrap().model, 2);
    }
    let turbo = TurboCfConfig {
        alpha: 0.6,
        power: 0.7,
        filter: PolynomialFilter::Cubic,
    };
    sound(&TurboCf::fit(&matrix, &turbo).unwrap(), 2);
    let rp3 = Rp3BetaConfig {
        alpha: 1.0,
        beta: 0.4,
        neighbours: 3,
        normalized: true,
    };
    sound(&Rp3Beta::fit(&matrix, &rp3).unwrap(), 2);
    let slim = SlimConfig {
        lambda1: 0.1,
        lambda2: 0.5,
        candidates: Some(5),
        tolerance: 1e-3,
        sweeps_max: 50,
    };
    sound(&Slim::fit(&matrix, &slim).unwrap().model, 2);
    sound(&als(2), 1);
    sound(&bpr(), 1);
    sound(&warp(), 1);
    for compactness in [Compactness::I8, Compactness::F16] {
        sound(&Quantised::from_als(&als(1), compactness), 1);
    }
}

/// Read back it is the same; with another digit, another length of a list, cut or of an unknown version it is refused. Formats
/// from `first` to 2 are read.
fn sound<M: Scorer + DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(
    model: &M,
    first: u32,
) {
    let text = serde_json::to_string(model).unwrap();
    let read = |text: &str| serde_json::from_str::<M>(text);
    assert_eq!(&read(&text).unwrap(), model);
    for format in (0..5).filter(|format| *format != 2) {
        assert!(text.starts_with(r#"{"format":2,"#), "{text}");
        let other = text.replacen("2", &format.to_string(), 1);
        let error = read(&other).unwrap_err().to_string();
        let expected = if format < first || format > 2 {
            format!("format version {format} is unknown; this version of the crate reads version")
        } else {
            "the field `checksum` is".to_owned()
        };
        assert!(error.starts_with(&expected), "{error}");
    }
    for end in 0..text.len() {
        assert!(read(&text[..end]).is_err(), "cut at {end}");
    }
    for (at, digit) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        let other = if digit == '9' {
            '8'
        } else {
            (digit as u8 + 1) as char
        };
        let damaged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        // More digits than a number has bits: the same number.
        if let Ok(same) = read(&damaged) {
            assert_eq!(&same, model, "{other} at {at} of {text}");
        }
    }
    let whole = serde_json::to_value(model).unwrap();
    for path in lists(&whole, "") {
        for longer in [false, true] {
            let mut damaged = whole.clone();
            let list = damaged
                .pointer_mut(&path)
                .and_then(Value::as_array_mut)
                .unwrap();
            let Some(last) = list.pop() else {
                continue;
            };
            if longer {
                list.extend([last.clone(), last]);
            }
            assert!(
                serde_json::from_value::<M>(damaged).is_err(),
                "{path}, longer: {longer}"
            );
        }
    }
}

/// Where lists stand in something saved.
fn lists(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Array(_) => vec![at.to_owned()],
        Value::Object(fields) => {
            let fields = fields.iter();
            fields
                .flat_map(|(name, value)| lists(value, &format!("{at}/{name}")))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A parser that is not exact in its last digit, as many are, loses no model.
#[test]
fn a_setting_may_lose_its_last_digit() {
    let config = EaseConfig {
        lambda: 1.1,
        precision: Precision::Double,
        items_max: 20,
    };
    let model = Ease::fit(&matrix(), &config).unwrap();
    let mut saved = serde_json::to_value(&model).unwrap();
    saved["config"]["lambda"] = 1.1_f64.next_up().into();
    let read: Ease = serde_json::from_value(saved).unwrap();
    assert_eq!(
        scores(&read, &Query::Customer(0)),
        scores(&model, &Query::Customer(0))
    );
}

/// Every text is refused, or is a model that keeps the laws.
fn read<M: Scorer + DeserializeOwned + Serialize>(text: &str) {
    if let Ok(model) = serde_json::from_str::<M>(text) {
        let queries = (0..model.items().min(2)).map(Query::Item);
        laws::check(&model, &queries.collect::<Vec<_>>()).unwrap();
        serde_json::to_string(&model).unwrap();
    }
}

fn survives_damage<M: Scorer + DeserializeOwned + Serialize>(model: &M, salt: u64) {
    let text = serde_json::to_string(model).unwrap();
    for end in 0..text.len() {
        assert!(
            serde_json::from_str::<M>(&text[..end]).is_err(),
            "cut at {end}"
        );
    }
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1 << ((at as u64 + salt) % 7);
        if let Ok(text) = String::from_utf8(bytes) {
            read::<M>(&text);
        }
    }
}

#[test]
fn a_cut_or_flipped_model_is_refused_or_answers() {
    for salt in 0..3 {
        survives_damage(&als(2), salt);
        survives_damage(&bpr(), salt);
        survives_damage(&warp(), salt);
    }
    let mut small = serde_json::to_value(Quantised::from_als(&als(1), Compactness::F16)).unwrap();
    survives_damage(
        &serde_json::from_value::<Quantised>(small.clone()).unwrap(),
        0,
    );
    for (field, value) in [("width", u64::MAX), ("likeness", 1 << 40), ("width", 0)] {
        let before = small[field].take();
        small[field] = value.into();
        let error = serde_json::from_value::<Quantised>(small.clone()).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
        small[field] = before;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// A number somewhere in the text becomes another: an absurd size, a NaN by another name, nothing.
    #[test]
    fn a_number_replaced_is_refused_or_a_model(
        at in 0_usize..400, number in prop_oneof![
            Just("18446744073709551615"), Just("-1"), Just("1e39"), Just("0"), Just("null"), Just("4294967296"),
            Just("[]"), Just("1e-46"),
        ], which in 0..4,
    ) {
        let text = match which {
            0 => serde_json::to_string(&als(2)),
            1 => serde_json::to_string(&bpr()),
            2 => serde_json::to_string(&warp()),
            _ => serde_json::to_string(&Quantised::from_warp(&warp(), Compactness::I8)),
        }.unwrap();
        let numeric = |c: char| c.is_ascii_digit() || "+-.e".contains(c);
        let starts: Vec<usize> = text.char_indices().filter(|&(i, c)| {
            numeric(c) && c != 'e' && text[..i].ends_with([':', ',', '['])
        }).map(|(i, _)| i).collect();
        let begin = starts[at % starts.len()];
        let end = begin + text[begin..].find(|c| !numeric(c)).unwrap_or(0);
        let damaged = format!("{}{number}{}", &text[..begin], &text[end..]);
        match which {
            0 => read::<Als>(&damaged),
            1 => read::<Bpr>(&damaged),
            2 => read::<Warp>(&damaged),
            _ => read::<Quantised>(&damaged),
        }
    }
}
