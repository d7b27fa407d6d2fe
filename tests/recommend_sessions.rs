//! Sessions like a visit: compared with the definition, read off plainly.

use proptest::collection::vec;
use proptest::prelude::*;
use tenure::event::{InteractionColumns, Interactions, Timestamp};
use tenure::recommend::{Query, QueryError, Scorer, Scratch, SessionKnn, SessionKnnConfig, laws};

const ITEMS: u32 = 12;

/// Of each session its items, in order, and its time.
type Sessions = Vec<(Vec<u32>, i64)>;

fn log(sessions: &Sessions) -> Interactions {
    let mut columns = InteractionColumns {
        customers: sessions.len() as u32,
        items: ITEMS,
        ..InteractionColumns::default()
    };
    for (number, (items, time)) in (0..).zip(sessions) {
        for (before, &item) in (0..).zip(items.iter().rev()) {
            columns.customer.push(number);
            columns.item.push(item);
            columns.weight.push(0.5);
            columns
                .time
                .push(Timestamp::from_unix_s(time - before).unwrap());
        }
    }
    Interactions::from_columns(columns).unwrap()
}

/// Every session is looked at for every item of the visit.
fn plainly(sessions: &Sessions, config: &SessionKnnConfig, visit: &[u32]) -> Vec<f64> {
    let mut by_age: Vec<usize> = (0..sessions.len())
        .filter(|&s| !sessions[s].0.is_empty())
        .collect();
    by_age.sort_by_key(|&s| std::cmp::Reverse((sessions[s].1, s)));
    let mut similarity = vec![0.0; sessions.len()];
    for (at, item) in visit.iter().rev().enumerate() {
        let holding = by_age.iter().filter(|&&s| sessions[s].0.contains(item));
        for &s in holding.take(config.latest as usize) {
            similarity[s] += (visit.len() - at) as f64 / visit.len() as f64;
        }
    }
    let mut near: Vec<usize> = by_age
        .into_iter()
        .filter(|&s| similarity[s] > 0.0)
        .collect();
    near.truncate(config.latest as usize);
    // Stable: of equal ones the later stays before.
    near.sort_by(|&a, &b| {
        let close = (similarity[a] - similarity[b]).abs() < 1e-9;
        if close {
            std::cmp::Ordering::Equal
        } else {
            similarity[b].total_cmp(&similarity[a])
        }
    });
    near.truncate(config.neighbours as usize);

    let events = |item: u32| {
        sessions
            .iter()
            .flat_map(|(items, _)| items)
            .filter(|&&other| other == item)
            .count() as f64
    };
    let all: f64 = (0..ITEMS).map(events).sum();
    let mut scores = vec![0.0; ITEMS as usize];
    for s in near {
        let nearest = visit
            .iter()
            .rev()
            .position(|item| sessions[s].0.contains(item))
            .unwrap();
        let weight = (1.0 - 0.1 * (nearest + 1) as f64).max(0.0);
        for item in (0..ITEMS).filter(|item| sessions[s].0.contains(item)) {
            let idf = config.idf_weighting * (all / events(item)).ln();
            scores[item as usize] += weight * similarity[s] * if idf > 0.0 { idf } else { 1.0 };
        }
    }
    if let Some(&last) = visit.last() {
        scores[last as usize] = 0.0;
    }
    scores
}

fn config() -> impl Strategy<Value = SessionKnnConfig> {
    (1..8_u32, 1..6_u32, prop_oneof![Just(0.0), 0.1..3.0]).prop_map(
        |(latest, neighbours, idf_weighting)| SessionKnnConfig {
            latest,
            neighbours,
            idf_weighting,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn scores_are_those_of_the_definition(
        sessions in vec((vec(0..ITEMS, 0..6), 0..4_i64), 0..20),
        config in config(),
        visit in Just((0..ITEMS).collect::<Vec<u32>>()).prop_shuffle(),
        length in 0..ITEMS as usize,
    ) {
        // An hour apart, or at the same time.
        let sessions: Sessions = sessions.into_iter().map(|(items, time)| (items, time * 3_600)).collect();
        let visit = &visit[..length];
        let model = SessionKnn::fit(&log(&sessions), &config).unwrap();
        let basket: Vec<(u32, f32)> = visit.iter().map(|&item| (item, 3.0)).collect();
        let queries = [Query::Basket(&basket), Query::Item(0)];
        prop_assert_eq!(laws::check(&model, &queries), Ok(()));
        prop_assert_eq!(laws::check_reasons(&model, &queries), Ok(()));
        let plainly = plainly(&sessions, &config, visit);
        let mut scores = vec![0.0; ITEMS as usize];
        let items: Vec<u32> = (0..ITEMS).collect();
        model.score(&queries[0], &items, &mut Scratch::new(), &mut scores).unwrap();
        for (item, (score, expected)) in scores.iter().zip(&plainly).enumerate() {
            let near = (f64::from(*score) - expected).abs() <= 1e-5 * expected.abs();
            prop_assert!(near, "item {}: {} instead of {}", item, score, expected);
        }
        let saved = serde_json::to_string(&model).unwrap();
        prop_assert_eq!(serde_json::from_str::<SessionKnn>(&saved).unwrap(), model);
    }
}

#[test]
fn as_similar_is_as_similar_however_it_adds_up() {
    // 3/6 + 2/6 of a visit of six, and 5/6: the later session comes first.
    let sessions = vec![(vec![6, 10], 9), (vec![8], 0)];
    let config = SessionKnnConfig {
        latest: 3,
        neighbours: 1,
        idf_weighting: 0.0,
    };
    let model = SessionKnn::fit(&log(&sessions), &config).unwrap();
    let visit = [5, 10, 6, 2, 8, 4].map(|item| (item, 1.0));
    let near = model.neighbours(&Query::Basket(&visit)).unwrap();
    assert_eq!(near.len(), 1);
    assert_eq!(near[0].similarity, 5.0 / 6.0);
    let mut score = [0.0];
    model
        .score(
            &Query::Basket(&visit),
            &[6],
            &mut Scratch::new(),
            &mut score,
        )
        .unwrap();
    assert!(score[0] > 0.0);
}

fn small() -> SessionKnn {
    let config = SessionKnnConfig {
        latest: 5,
        neighbours: 5,
        idf_weighting: 1.0,
    };
    SessionKnn::fit(&log(&vec![(vec![0, 1], 0), (vec![1, 2], 9)]), &config).unwrap()
}

#[test]
fn what_the_model_does_not_know_is_refused() {
    let model = small();
    let score =
        |query: &Query<'_>, item: u32| model.score(query, &[item], &mut Scratch::new(), &mut [0.0]);
    let customers = QueryError::UnknownCustomer {
        customer: 0,
        customers: 0,
    };
    assert_eq!(score(&Query::Customer(0), 0), Err(customers));
    let unknown = QueryError::UnknownItem {
        item: ITEMS,
        items: ITEMS,
    };
    assert_eq!(score(&Query::Item(ITEMS), 0), Err(unknown.clone()));
    assert_eq!(
        score(&Query::Basket(&[(ITEMS, 1.0)]), 0),
        Err(unknown.clone())
    );
    assert_eq!(score(&Query::Item(0), ITEMS), Err(unknown));
    assert_eq!(
        score(&Query::Basket(&[(0, f32::NAN)]), 0),
        Err(QueryError::Weight { item: 0 })
    );
}

#[test]
fn what_weighs_nothing_was_not_visited() {
    let model = small();
    let neighbours = |visit: &[(u32, f32)]| model.neighbours(&Query::Basket(visit)).unwrap();
    assert_eq!(neighbours(&[(0, 1.0), (2, 0.0)]), neighbours(&[(0, 0.1)]));
    assert_eq!(neighbours(&[(2, 0.0)]), []);
}

#[test]
fn settings_out_of_range_and_damaged_files_are_named() {
    let good = *small().config();
    for (config, message) in [
        (
            SessionKnnConfig { latest: 0, ..good },
            "the setting `latest` is 0",
        ),
        (
            SessionKnnConfig {
                neighbours: 0,
                ..good
            },
            "the setting `neighbours` is 0",
        ),
        (
            SessionKnnConfig {
                idf_weighting: -0.5,
                ..good
            },
            "the setting `idf_weighting` is -0.5",
        ),
        (
            SessionKnnConfig {
                idf_weighting: f64::NAN,
                ..good
            },
            "the setting `idf_weighting` is NaN",
        ),
    ] {
        let error = SessionKnn::fit(&log(&Vec::new()), &config).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let saved = serde_json::to_string(&small()).unwrap();
    for (from, to, message) in [
        (
            r#""format":2"#,
            r#""format":3"#,
            "format version 3 is unknown",
        ),
        (
            r#""ends":[2,4]"#,
            r#""ends":[2,3]"#,
            "the field `sessions.ends`",
        ),
        (
            r#""ends":[2,4]"#,
            r#""ends":[5,4]"#,
            "the field `sessions.ends`",
        ),
        (
            r#""numbers":[0,1,1,2]"#,
            r#""numbers":[0,1,1,12]"#,
            "the field `sessions.numbers`",
        ),
        (
            r#""numbers":[0,1,1,2]"#,
            r#""numbers":[1,1,1,2]"#,
            "the field `sessions.numbers`",
        ),
        (r#""number":[0,1]"#, r#""number":[0]"#, "the field `number`"),
        (r#""latest":5"#, r#""latest":0"#, "the setting `latest`"),
    ] {
        assert!(saved.contains(from), "{saved}");
        let error = serde_json::from_str::<SessionKnn>(&saved.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
}
