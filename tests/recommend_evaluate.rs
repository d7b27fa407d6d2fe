//! What holds for every hold-out and every evaluation, whatever the data.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use tenure::event::{InteractionColumns, Interactions, Timestamp};
use tenure::recommend::evaluate::{
    Bootstrap, Comparison, EvaluateError, Evaluation, HoldOut, IntervalKind, Metric, Repeats,
};
use tenure::recommend::{
    Als, AlsConfig, Ease, EaseConfig, ItemKnn, ItemSimilarity, Popularity, Precision, Query,
    Scorer, Scratch, Unseen, Weighting, recommend,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

type Row = (u32, u32, f32, i64);

const CUSTOMERS: u32 = 14;
const ITEMS: u32 = 11;

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let weight = prop_oneof![Just(1.0_f32), Just(0.0), Just(2.5)];
    vec((0..CUSTOMERS, 0..ITEMS, weight, 0_i64..12), 0..90)
}

fn log(rows: &[Row]) -> Interactions {
    let mut columns = InteractionColumns {
        customers: CUSTOMERS,
        items: ITEMS,
        ..InteractionColumns::default()
    };
    for &(customer, item, weight, time) in rows {
        columns.customer.push(customer);
        columns.item.push(item);
        columns.weight.push(weight);
        columns.time.push(Timestamp::EPOCH.saturating_add_s(time));
    }
    Interactions::from_columns(columns).unwrap()
}

fn rows_of(log: &Interactions) -> Vec<Row> {
    let columns = log.clone().into_columns();
    let pairs = columns.customer.into_iter().zip(columns.item);
    let facts = columns.weight.into_iter().zip(columns.time);
    let mut rows: Vec<Row> = pairs
        .zip(facts)
        .map(|((customer, item), (weight, time))| (customer, item, weight, time.unix_s()))
        .collect();
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
    rows
}

fn pairs(log: &Interactions) -> BTreeSet<(u32, u32)> {
    let pairs = log.customer().iter().zip(log.item());
    pairs.map(|(&customer, &item)| (customer, item)).collect()
}

fn hold_outs() -> Vec<HoldOut> {
    let time = Timestamp::EPOCH.saturating_add_s(6);
    vec![
        HoldOut::Pairs {
            share: 0.3,
            seed: 5,
        },
        HoldOut::Last { pairs: 1 },
        HoldOut::Last { pairs: 3 },
        HoldOut::From {
            time,
            repeats: Repeats::Keep,
        },
        HoldOut::From {
            time,
            repeats: Repeats::Drop,
        },
        HoldOut::ColdCustomers {
            share: 0.4,
            given: 0.7,
            seed: 5,
        },
        HoldOut::ColdItems {
            share: 0.4,
            seed: 5,
        },
    ]
}

proptest! {
    #[test]
    fn parts_share_no_pair_and_lose_no_row_and_the_order_of_the_rows_does_not_matter(rows in rows()) {
        let whole = log(&rows);
        let backwards = log(&rows.iter().rev().copied().collect::<Vec<_>>());
        for hold_out in hold_outs() {
            let split = hold_out.split(&whole).unwrap();
            let other = hold_out.split(&backwards).unwrap();
            let mut together = Vec::new();
            for (part, same) in [(&split.train, &other.train), (&split.given, &other.given), (&split.test, &other.test)] {
                prop_assert_eq!((part.customers(), part.items()), (CUSTOMERS, ITEMS));
                prop_assert_eq!(rows_of(part), rows_of(same));
                together.extend(rows_of(part));
            }
            let keeps_repeats = matches!(hold_out, HoldOut::From { repeats: Repeats::Keep, .. });
            let drops_repeats = matches!(hold_out, HoldOut::From { repeats: Repeats::Drop, .. });
            let (train, given, test) = (pairs(&split.train), pairs(&split.given), pairs(&split.test));
            if !keeps_repeats {
                prop_assert!(train.is_disjoint(&test), "{hold_out:?}");
            }
            prop_assert!(given.is_disjoint(&test) && given.is_disjoint(&train));
            together.sort_by(|a, b| a.partial_cmp(b).unwrap());
            if drops_repeats {
                // Only later rows of pairs that training has are gone.
                let mut gone = rows_of(&whole);
                gone.retain(|row| !together.contains(row));
                prop_assert!(gone.iter().all(|row| row.3 >= 6 && train.contains(&(row.0, row.1))));
            } else {
                prop_assert_eq!(together, rows_of(&whole), "{:?}", hold_out);
            }
        }
    }

    #[test]
    fn nothing_of_the_future_or_of_the_cold_is_seen(rows in rows()) {
        let whole = log(&rows);
        for hold_out in hold_outs() {
            let split = hold_out.split(&whole).unwrap();
            let (train, test) = (rows_of(&split.train), rows_of(&split.test));
            let numbers = |rows: &[Row], of: fn(&Row) -> u32| rows.iter().map(of).collect::<BTreeSet<_>>();
            match hold_out {
                HoldOut::From { .. } => {
                    prop_assert!(train.iter().all(|row| row.3 < 6) && test.iter().all(|row| row.3 >= 6));
                }
                HoldOut::ColdCustomers { .. } => {
                    let cold = numbers(&test, |row| row.0);
                    prop_assert!(numbers(&train, |row| row.0).is_disjoint(&cold));
                }
                HoldOut::ColdItems { .. } => {
                    prop_assert!(numbers(&train, |row| row.1).is_disjoint(&numbers(&test, |row| row.1)));
                }
                HoldOut::Last { pairs } => {
                    let mut last: BTreeMap<(u32, u32), i64> = BTreeMap::new();
                    for row in &rows {
                        let time = last.entry((row.0, row.1)).or_insert(row.3);
                        *time = row.3.max(*time);
                    }
                    for customer in 0..CUSTOMERS {
                        let times = |rows: &[Row]| -> BTreeSet<(i64, u32)> {
                            let own = rows.iter().filter(|row| row.0 == customer);
                            own.map(|row| (last[&(customer, row.1)], row.1)).collect()
                        };
                        let (kept, held) = (times(&train), times(&test));
                        let all = kept.len() + held.len();
                        prop_assert_eq!(held.len(), all.saturating_sub(1).min(pairs as usize));
                        if let (Some(kept), Some(held)) = (kept.last(), held.first()) {
                            prop_assert!(kept < held);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_matrix_is_split_as_its_log(rows in rows()) {
        let whole = log(&rows);
        let matrix = InteractionSummary::collect(&whole).unwrap().matrix();
        for hold_out in hold_outs() {
            let by_log = hold_out.split(&whole).unwrap().matrices().unwrap();
            match hold_out {
                HoldOut::Last { .. } | HoldOut::From { .. } => {
                    prop_assert!(hold_out.split_matrix(&matrix).is_err());
                }
                _ => prop_assert_eq!(hold_out.split_matrix(&matrix).unwrap(), by_log),
            }
        }
    }

    #[test]
    fn an_evaluation_is_that_of_the_lists_one_by_one(rows in rows(), held in rows()) {
        let (train, test) = (log(&rows), log(&held));
        let matrix = |log| InteractionSummary::collect(log).unwrap().matrix();
        let (train, test) = (matrix(&train), matrix(&test));
        let model = Popularity::of(&train);
        let unseen = Unseen(&train);
        let evaluation = Evaluation { auc: true, ..Evaluation::new(&test, &unseen, &[1, 4, 30]) };
        let wanted: Vec<u32> = (0..CUSTOMERS).filter(|&c| !taken(&test, c).is_empty()).collect();
        if wanted.is_empty() {
            prop_assert!(matches!(evaluation.of(&model), Err(EvaluateError::Data(_))));
            return Ok(());
        }
        let quality = evaluation.of(&model).unwrap();
        prop_assert_eq!(quality.customers(), &wanted[..]);
        let ranks = |customer| {
            let (mut scratch, mut list) = (Scratch::new(), Vec::new());
            recommend(&model, &Query::Customer(customer), 30, &unseen, &mut scratch, &mut list).unwrap();
            let taken = taken(&test, customer);
            let at = list.iter().map(|scored| taken.contains(&scored.item)).collect::<Vec<_>>();
            (at, taken.len(), list)
        };
        for cut in [1_usize, 4, 30] {
            let values = |metric| quality.values(metric, cut).unwrap();
            for (at, &customer) in wanted.iter().enumerate() {
                let (hits, taken, _) = ranks(customer);
                let found = hits.iter().take(cut).filter(|hit| **hit).count() as f64;
                prop_assert_eq!(values(Metric::Precision)[at], found / cut as f64);
                prop_assert_eq!(values(Metric::Recall)[at], found / taken as f64);
                prop_assert_eq!(values(Metric::Hit)[at] > 0.0, found > 0.0);
                for metric in Metric::ALL {
                    prop_assert!((0.0..=1.0 + 1e-12).contains(&values(metric)[at]));
                }
            }
        }
        // The area by counting pairs.
        for (at, &customer) in wanted.iter().enumerate() {
            let (hits, _, list) = ranks(customer);
            let (mut above, mut all) = (0.0, 0.0);
            for (hit, scored) in hits.iter().zip(&list).filter(|(hit, _)| **hit) {
                for (_, other) in hits.iter().zip(&list).filter(|(other, _)| *other != hit) {
                    all += 1.0;
                    above += match scored.score.partial_cmp(&other.score).unwrap() {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            prop_assert_eq!(quality.auc()[at], (all > 0.0).then(|| above / all));
        }
    }

    #[test]
    fn a_basket_gets_the_figures_of_the_customer_who_has_it(rows in rows(), held in rows()) {
        let (train, test) = (log(&rows), log(&held));
        let matrix = |log| InteractionSummary::collect(log).unwrap().matrix();
        let (train, test) = (matrix(&train), matrix(&test));
        let model = ItemKnn::fit(&train, ItemSimilarity::Cosine, 5).unwrap();
        let unseen = Unseen(&train);
        let known = Evaluation { auc: true, ..Evaluation::new(&test, &unseen, &[2, 5]) };
        let given = Evaluation { given: Some(&train), ..known };
        match (known.of(&model), given.of(&model)) {
            (Ok(known), Ok(given)) => {
                prop_assert_eq!(known.mean(5).unwrap(), given.mean(5).unwrap());
                prop_assert_eq!(known.auc(), given.auc());
            }
            (known, given) => prop_assert!(known.is_err() && given.is_err()),
        }
    }
}

fn taken(test: &InteractionMatrix, customer: u32) -> BTreeSet<u32> {
    let (items, weights) = test.row(customer);
    let taken = items.iter().zip(weights).filter(|(_, w)| **w > 0.0);
    taken.map(|(&item, _)| item).collect()
}

/// Customers of two tastes; every fourth pair is held out.
fn shop(customers: u32) -> (InteractionMatrix, InteractionMatrix) {
    let mut whole = InteractionSummary::new();
    for customer in 0..customers {
        for step in 0..9 {
            let item = (customer * 7 + step * (3 + customer % 2) * 2) % 40 + customer % 2;
            whole.push(customer, item, 1.0).unwrap();
        }
    }
    let hold_out = HoldOut::Pairs {
        share: 0.25,
        seed: 3,
    };
    let split = hold_out.split_matrix(&whole.matrix()).unwrap();
    (split.train, split.test)
}

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(work)
}

fn als(train: &InteractionMatrix) -> Als {
    let weighting = Weighting::Rendle {
        alpha0: 0.1,
        lambda: 0.01,
        nu: 1.0,
    };
    let config = AlsConfig {
        iterations: 2,
        ..AlsConfig::new(weighting, 4, 1)
    };
    Als::fit(train, &config).unwrap().model
}

/// More customers than a block and several chunks, so that their seams are crossed.
#[test]
fn the_same_bits_at_any_number_of_threads_and_from_lists_made_before() {
    let (train, test) = shop(9_000);
    let model = als(&train);
    let unseen = Unseen(&train);
    let evaluation = Evaluation {
        auc: true,
        ..Evaluation::new(&test, &unseen, &[3, 10])
    };
    let bootstrap = Bootstrap {
        resamples: 1_200,
        confidence: 0.9,
        seed: 4,
    };
    let run = || {
        let quality = evaluation.of(&model).unwrap();
        let values = quality.values(Metric::Ndcg, 10).unwrap();
        let interval = bootstrap.mean(&values[..200], IntervalKind::Bca).unwrap();
        (quality, interval)
    };
    let alone = with_threads(1, run);
    for threads in [2, 8] {
        assert_eq!(with_threads(threads, run), alone, "{threads} threads");
    }
    let without = Evaluation {
        auc: false,
        ..evaluation
    };
    let (quality, lists) = (
        without.of(&model).unwrap(),
        model.recommend_all(10, &unseen),
    );
    assert_eq!(without.of_lists(&lists).unwrap(), quality);
    let fewer = model.lists(0..10, 10, &unseen).unwrap();
    assert!(matches!(
        without.of_lists(&fewer),
        Err(EvaluateError::Data(_))
    ));
}

#[test]
fn lists_of_a_range_are_those_of_one_query_each() {
    let (train, _) = shop(700);
    let ease = EaseConfig {
        lambda: 5.0,
        precision: Precision::Double,
        items_max: 100,
    };
    let models: [Box<dyn Scorer>; 3] = [
        Box::new(als(&train)),
        Box::new(Ease::fit(&train, &ease).unwrap()),
        Box::new(Popularity::of(&train)),
    ];
    let unseen = Unseen(&train);
    for model in &models {
        let lists = model.lists(90..690, 7, &unseen).unwrap();
        assert_eq!(lists.customers(), 600);
        let (mut scratch, mut list) = (Scratch::new(), Vec::new());
        for (customer, of_range) in (90..).zip(lists.iter()) {
            let query = Query::Customer(customer);
            recommend(&**model, &query, 7, &unseen, &mut scratch, &mut list).unwrap();
            assert!(
                list.iter()
                    .map(|s| s.item)
                    .eq(of_range.iter().map(|s| s.item))
            );
        }
        assert_eq!(model.lists(5..5, 7, &unseen).unwrap().customers(), 0);
    }
    assert!(models[0].lists(690..701, 7, &unseen).is_err());
    assert!(models[1].lists(690..701, 7, &unseen).is_err());
}

#[test]
fn settings_that_mean_nothing_are_refused_by_name() {
    let (train, test) = shop(30);
    let (model, unseen) = (Popularity::of(&train), Unseen(&train));
    for cuts in [&[][..], &[0], &[5, 5], &[10, 5]] {
        let error = Evaluation::new(&test, &unseen, cuts)
            .of(&model)
            .unwrap_err();
        assert!(
            error.to_string().starts_with("the setting `cuts` is ["),
            "{error}"
        );
    }
    let quality = Evaluation::new(&test, &unseen, &[5]).of(&model).unwrap();
    let error = quality.values(Metric::Ndcg, 6).unwrap_err().to_string();
    assert_eq!(
        error,
        "the setting `cut` is 6; it must be one of the cuts of the evaluation"
    );
    let none = Evaluation::new(&train.filtered(|_, _| false), &unseen, &[5]).of(&model);
    assert!(
        none.unwrap_err()
            .to_string()
            .starts_with("no customers who took something")
    );
    let nobody = InteractionSummary::new().matrix();
    assert!(Evaluation::new(&nobody, &unseen, &[5]).of(&model).is_err());
    let stranger = Evaluation::new(&test, &unseen, &[5]).of(&als(&shop(20).0));
    assert!(
        matches!(stranger, Err(EvaluateError::Query(_))),
        "{stranger:?}"
    );

    let log = log(&[(0, 0, 1.0, 0)]);
    for (hold_out, setting) in [
        (
            HoldOut::Pairs {
                share: 0.0,
                seed: 1,
            },
            "share",
        ),
        (
            HoldOut::Pairs {
                share: f64::NAN,
                seed: 1,
            },
            "share",
        ),
        (
            HoldOut::ColdItems {
                share: 1.0,
                seed: 1,
            },
            "share",
        ),
        (
            HoldOut::ColdCustomers {
                share: 0.5,
                given: 1.0,
                seed: 1,
            },
            "given",
        ),
        (HoldOut::Last { pairs: 0 }, "pairs"),
    ] {
        let error = hold_out.split(&log).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("the setting `{setting}` is ")),
            "{error}"
        );
    }

    let bootstrap = Bootstrap {
        resamples: 10,
        confidence: 0.9,
        seed: 1,
    };
    for (bootstrap, values, start) in [
        (
            Bootstrap {
                resamples: 0,
                ..bootstrap
            },
            &[1.0][..],
            "the setting `resamples` is 0",
        ),
        (
            Bootstrap {
                confidence: 1.0,
                ..bootstrap
            },
            &[1.0],
            "the setting `confidence` is 1",
        ),
        (bootstrap, &[], "no values"),
        (bootstrap, &[1.0, f64::NAN], "the field `values[1]` is NaN"),
    ] {
        let error = bootstrap
            .mean(values, IntervalKind::Percentile)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(start), "{error}");
    }
    assert!(Comparison::of(&[1.0], &[1.0, 2.0], &bootstrap).is_err());
}

#[test]
fn customers_without_a_basket_and_without_truth_are_not_shown_anything() {
    let (train, test) = shop(50);
    let model = Popularity::of(&train);
    let unseen = Unseen(&train);
    let few = test.filtered(|customer, _| customer < 3);
    let none = train.filtered(|_, _| false);
    let evaluation = Evaluation {
        given: Some(&none),
        ..Evaluation::new(&few, &unseen, &[5])
    };
    let quality = evaluation.of(&model).unwrap();
    assert_eq!(
        quality.exposure(5).unwrap().counts().iter().sum::<u64>(),
        3 * 5
    );
    let all = Evaluation::new(&few, &unseen, &[5]).of(&model).unwrap();
    assert_eq!(
        all.exposure(5).unwrap().counts().iter().sum::<u64>(),
        50 * 5
    );
    assert_eq!(all.customers(), [0, 1, 2]);
}

#[test]
fn intervals_hold_as_often_as_they_say() {
    let bootstrap = Bootstrap {
        resamples: 200,
        confidence: 0.8,
        seed: 9,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut held = [0, 0];
    for _ in 0..200 {
        // Values of mean 1.2, far from normal.
        let values: Vec<f64> = (0..50)
            .map(|_| [0.0, 0.0, 1.0, 1.0, 4.0][(rng.next_u64() % 5) as usize])
            .collect();
        for (held, kind) in held
            .iter_mut()
            .zip([IntervalKind::Percentile, IntervalKind::Bca])
        {
            let interval = bootstrap.mean(&values, kind).unwrap();
            assert!(interval.low <= interval.estimate && interval.estimate <= interval.high);
            *held += usize::from((interval.low..=interval.high).contains(&1.2));
        }
    }
    // 160 of 200 are due; six is a standard deviation.
    assert!(
        held.iter().all(|held| (140..=180).contains(held)),
        "{held:?} of 200"
    );
}

#[test]
fn a_comparison_tells_a_difference_from_none() {
    let bootstrap = Bootstrap {
        resamples: 2_000,
        confidence: 0.95,
        seed: 2,
    };
    let noise = |i: usize| (i as f64 * 0.618_033_988_749_894_9).fract() - 0.5;
    let left: Vec<f64> = (0..500).map(noise).collect();
    let same = Comparison::of(&left, &left, &bootstrap).unwrap();
    assert_eq!(
        (same.permutation_p, same.sign_p, same.same),
        (1.0, 1.0, 500)
    );
    assert_eq!((same.difference.low, same.difference.high), (0.0, 0.0));

    // Noise of another kind, and a lead of a tenth.
    let right: Vec<f64> = (0..500).map(|i| noise(i * i + 7)).collect();
    let none = Comparison::of(&left, &right, &bootstrap).unwrap();
    assert!(none.permutation_p > 0.05 && none.difference.low < 0.0 && none.difference.high > 0.0);
    let ahead: Vec<f64> = right.iter().map(|value| value + 0.1).collect();
    let lead = Comparison::of(&ahead, &left, &bootstrap).unwrap();
    assert!(
        lead.permutation_p < 0.001 && lead.difference.low > 0.0,
        "{lead:?}"
    );
    let behind = Comparison::of(&left, &ahead, &bootstrap).unwrap();
    assert_eq!((behind.better, behind.worse), (lead.worse, lead.better));
    assert_eq!(behind.sign_p, lead.sign_p);
}

/// All 2^8 ways to toss the coins can be counted.
#[test]
fn the_permutation_test_finds_the_exact_share() {
    let differences = [0.9, -0.2, 0.4, 0.3, -0.1, 0.5, 0.0, 0.7];
    let observed: f64 = differences.iter().sum();
    let far = (0..256_u32).filter(|coins| {
        let signed = differences.iter().enumerate();
        let sum: f64 = signed
            .map(|(i, d)| if coins >> i & 1 == 1 { *d } else { -d })
            .sum();
        sum.abs() >= observed - 1e-9
    });
    let exact = far.count() as f64 / 256.0;
    let bootstrap = Bootstrap {
        resamples: 40_000,
        confidence: 0.95,
        seed: 6,
    };
    let found = Comparison::of(&differences, &[0.0; 8], &bootstrap)
        .unwrap()
        .permutation_p;
    assert!((found - exact).abs() < 0.005, "{found} is not {exact}");
}
