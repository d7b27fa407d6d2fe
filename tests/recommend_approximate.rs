//! Lists from a graph of the items: nearly the best, and under every rule as long as the exact ones.

use std::sync::{Arc, LazyLock};

use tenure::error::{Error, FitError};
use tenure::recommend::{
    Allowed, Als, AlsConfig, Approximate, ApproximateConfig, Bpr, BprConfig, Cap, FactorModel,
    ItemFilter, ItemGroups, Query, QueryError, Scored, Scorer, Scratch, Solver, Unseen, Weighting,
    recommend_capped,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

#[path = "common/recommenders.rs"]
#[allow(
    dead_code,
    reason = "the models that have no factors are for other tests"
)]
mod recommenders;

use recommenders::with_threads;

const ITEMS: u32 = 9_000;
const CUSTOMERS: u32 = 400;

/// Thirty kinds of items, of which each customer likes two; the last customer took nothing.
fn shop() -> InteractionMatrix {
    let mut log = InteractionSummary::new();
    for row in 0..60_000_u32 {
        let customer = row % (CUSTOMERS - 1);
        let kind = if (row / CUSTOMERS).is_multiple_of(2) {
            customer % 30
        } else {
            customer / 30
        };
        let rank = row.wrapping_mul(2_654_435_761) >> 8;
        log.push(customer, rank % (ITEMS / 30) * 30 + kind % 30, 1.0)
            .unwrap();
    }
    log.push(CUSTOMERS - 1, ITEMS - 1, 0.0).unwrap();
    log.matrix()
}

fn als(matrix: &InteractionMatrix) -> Als {
    let weighting = Weighting::Rendle {
        alpha0: 0.01,
        lambda: 0.02,
        nu: 1.0,
    };
    let config = AlsConfig {
        iterations: 3,
        solver: Solver::ConjugateGradient { steps: 3 },
        ..AlsConfig::new(weighting, 7, 1)
    };
    Als::fit(matrix, &config).unwrap().model
}

/// Quickly made; a toy is not refused.
const SMALL: ApproximateConfig = ApproximateConfig {
    links: 8,
    breadth: 64,
    candidates: 128,
    items_min: 0,
};

/// Made once for all tests.
static SHOP: LazyLock<(InteractionMatrix, Approximate<Arc<Als>>)> = LazyLock::new(|| {
    let matrix = shop();
    let model = Arc::new(als(&matrix));
    (matrix, Approximate::new(model, &SMALL).unwrap())
});

type Rules<'a> = (usize, &'a dyn ItemFilter, &'a [Cap<'a>]);

fn exact(model: &Als, query: &Query<'_>, (k, filter, caps): Rules<'_>) -> Vec<Scored> {
    let mut list = Vec::new();
    recommend_capped(
        model,
        query,
        k,
        filter,
        caps,
        &mut Scratch::new(),
        &mut list,
    )
    .unwrap();
    list
}

fn near<M: FactorModel>(
    search: &Approximate<M>,
    query: &Query<'_>,
    (k, filter, caps): Rules<'_>,
) -> Vec<Scored> {
    let (mut scratch, mut list) = (
        Scratch::new(),
        vec![Scored {
            item: 1,
            score: 1.0,
        }],
    );
    search
        .recommend(query, k, filter, caps, &mut scratch, &mut list)
        .unwrap();
    list
}

/// The share of the first list that is in the second.
fn recall(exact: &[Scored], near: &[Scored]) -> f64 {
    let held = |scored: &&Scored| near.iter().any(|other| other.item == scored.item);
    exact.iter().filter(held).count() as f64 / exact.len() as f64
}

#[test]
fn nearly_the_best_are_found_and_their_scores_are_exact() {
    let (matrix, search) = &*SHOP;
    let model = search.model();
    let unseen = Unseen(matrix);
    let (mut sum, mut baskets) = (0.0, 0.0);
    for customer in 0..100 {
        let rules: Rules<'_> = (10, &unseen, &[]);
        let query = Query::Customer(customer);
        let list = near(search, &query, rules);
        assert!(
            list.windows(2)
                .all(|pair| Scored::best_first(&pair[0], &pair[1]).is_lt())
        );
        sum += recall(&exact(model, &query, rules), &list);
        for scored in &list {
            let mut score = [0.0];
            let asked = model.score(&query, &[scored.item], &mut Scratch::new(), &mut score);
            asked.unwrap();
            assert!((score[0] - scored.score).abs() <= 1e-6 * score[0].abs());
        }
        let (items, weights) = matrix.row(customer);
        let basket: Vec<(u32, f32)> = items
            .iter()
            .copied()
            .zip(weights.iter().copied())
            .take(20)
            .collect();
        let query = Query::Basket(&basket);
        baskets += recall(&exact(model, &query, rules), &near(search, &query, rules));
    }
    // All but the ties of a graph in which an item has 16 links at most.
    assert!(sum > 95.0 && baskets > 95.0, "{sum} % and {baskets} %");
}

#[test]
fn a_list_is_as_long_as_the_rules_allow() {
    let (matrix, search) = &*SHOP;
    let model = search.model();
    let brands = ItemGroups::of((0..ITEMS).map(|item| Some(item % 30))).unwrap();
    let (one, none) = (
        [Cap {
            groups: &brands,
            most: 1,
        }],
        [Cap {
            groups: &brands,
            most: 0,
        }],
    );
    let (few, no) = (|item: u32| item % 900 == 7, |_: u32| false);
    let unseen = Unseen(matrix);
    let rules: [Rules<'_>; 8] = [
        (10, &few, &[]),
        (10, &no, &[]),
        (0, &Allowed, &[]),
        (25, &unseen, &one),
        (40, &Allowed, &one),
        (40, &few, &one),
        (5, &Allowed, &none),
        (usize::MAX, &few, &[]),
    ];
    for customer in (0..CUSTOMERS).step_by(57) {
        let query = Query::Customer(customer);
        for (case, rules) in rules.into_iter().enumerate() {
            let (exact, near) = (exact(model, &query, rules), near(search, &query, rules));
            assert_eq!(near.len(), exact.len(), "customer {customer}, case {case}");
            assert!(
                near.iter()
                    .all(|scored| rules.1.allows(&query, scored.item))
            );
            let mut groups: Vec<u32> = near
                .iter()
                .filter_map(|scored| brands.group(scored.item))
                .collect();
            groups.sort_unstable();
            let most = rules.2.first().map_or(usize::MAX, |cap| cap.most as usize);
            assert!(
                groups
                    .chunk_by(|a, b| a == b)
                    .all(|same| same.len() <= most)
            );
            if [0, 5].contains(&case) {
                // So few are left that all were looked at.
                assert_eq!(near, exact);
            }
        }
    }
}

#[test]
fn what_the_graph_does_not_know_is_answered_exactly() {
    let (_, search) = &*SHOP;
    let model = search.model();
    let rules: Rules<'_> = (10, &Allowed, &[]);
    for query in [
        Query::Item(4),
        Query::Customer(CUSTOMERS - 1),
        Query::Basket(&[]),
    ] {
        assert_eq!(
            near(search, &query, rules),
            exact(model, &query, rules),
            "{query:?}"
        );
    }
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    let mut refused = |query: Query<'_>| {
        let asked = search.recommend(&query, 3, &Allowed, &[], &mut scratch, &mut list);
        asked.unwrap_err()
    };
    let unknown = refused(Query::Customer(CUSTOMERS));
    assert!(matches!(unknown, QueryError::UnknownCustomer { .. }));
    let unknown = refused(Query::Basket(&[(ITEMS, 1.0)]));
    assert!(matches!(unknown, QueryError::UnknownItem { .. }));
}

#[test]
fn the_graph_is_the_same_at_any_number_of_threads() {
    let matrix = shop();
    let config = BprConfig {
        epochs: 1,
        ..BprConfig::new(4, 1)
    };
    let model = Bpr::fit(&matrix, &config).unwrap().model;
    let lists = |threads| {
        let search = with_threads(threads, || Approximate::new(&model, &SMALL).unwrap());
        let list = |customer| near(&search, &Query::Customer(customer), (10, &Allowed, &[]));
        (0..60).map(list).collect::<Vec<_>>()
    };
    let alone = lists(1);
    assert_eq!(lists(2), alone);
    assert_eq!(lists(8), alone);
}

#[test]
fn small_catalogues_and_settings_that_mean_nothing_are_refused() {
    let mut log = InteractionSummary::new();
    (0..5).for_each(|item| log.push(item, item, 1.0).unwrap());
    let model = als(&log.matrix());
    let refused = |config| Approximate::new(&model, &config).unwrap_err().to_string();
    let error = refused(ApproximateConfig::default());
    let expected = "the field `items` is 5; it must be at least `items_min`";
    assert!(error.starts_with(expected), "{error}");
    for (config, message) in [
        (
            ApproximateConfig { links: 1, ..SMALL },
            "the setting `links` is 1;",
        ),
        (
            ApproximateConfig {
                links: 257,
                ..SMALL
            },
            "the setting `links` is 257;",
        ),
        (
            ApproximateConfig {
                breadth: 7,
                ..SMALL
            },
            "the setting `breadth` is 7;",
        ),
        (
            ApproximateConfig {
                candidates: 0,
                ..SMALL
            },
            "the setting `candidates` is 0;",
        ),
    ] {
        let error = refused(config);
        assert!(error.starts_with(message), "{error}");
    }
    let stopped = Approximate::new_until(&model, &SMALL, &|| true).unwrap_err();
    assert!(matches!(stopped, Error::Fit(FitError::Cancelled { .. })));
}
