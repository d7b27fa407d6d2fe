//! Graph filters: the laws, and the same scores from dense matrices and differential equations solved step by step.

use std::sync::atomic::{AtomicU32, Ordering};

use nalgebra::{DMatrix, DVector};
use proptest::collection::vec;
use proptest::prelude::*;
use tenure::recommend::{
    Blurring, GraphFilter, GraphFilterConfig, LowPass, OdeMethod, PolynomialFilter, Query, Scorer,
    Scratch, Sharpening, TurboCf, TurboCfConfig, Unseen, laws, recommend,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

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

/// Thirty customers, forty items, no pattern.
fn mixed() -> InteractionMatrix {
    let row = |n: u32| {
        let mixed = n.wrapping_mul(2_654_435_761);
        (mixed >> 8) % 30
    };
    let rows: Vec<(u32, u32, f32)> = (0..300)
        .map(|n| (row(n), row(n + 1_000) * row(n + 2_000) % 40, 1.0))
        .collect();
    matrix(&rows)
}

fn configs() -> Vec<GraphFilterConfig> {
    let euler = Sharpening {
        method: OdeMethod::Euler,
        steps: 2,
        time: 1.2,
    };
    let plain = GraphFilterConfig {
        blurring: Blurring {
            steps: 3,
            time: 2.0,
        },
        low_pass: None,
        sharpening: None,
    };
    let low_pass = Some(LowPass {
        weight: 0.4,
        rank: 6,
        seed: 5,
    });
    vec![
        GraphFilterConfig::gf_cf(1),
        GraphFilterConfig::blurring_sharpening(1),
        plain,
        GraphFilterConfig {
            low_pass,
            sharpening: Some(euler),
            ..plain
        },
    ]
}

fn models(matrix: &InteractionMatrix) -> Vec<GraphFilter> {
    let fit = |config| GraphFilter::fit(matrix, config).unwrap().model;
    configs().iter().map(fit).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_filter_keeps_the_laws(rows in rows()) {
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
            let kept = laws::check(model, &queries);
            prop_assert!(kept.is_ok(), "model {number}: {kept:?}");
            let kept = laws::check_reasons(model, &queries);
            prop_assert!(kept.is_ok(), "model {number}: {kept:?}");
        }
    }

    #[test]
    fn a_model_is_read_back_as_it_was(rows in rows()) {
        for model in models(&matrix(&rows)) {
            let saved = serde_json::to_string(&model).unwrap();
            prop_assert_eq!(&serde_json::from_str::<GraphFilter>(&saved).unwrap(), &model);
        }
    }

    #[test]
    fn lists_for_all_are_those_of_each(rows in rows(), k in 0_usize..20) {
        let matrix = matrix(&rows);
        for model in models(&matrix) {
            let all = model.lists(1..matrix.rows(), k, &Unseen(&matrix)).unwrap();
            let (mut scratch, mut best) = (Scratch::new(), Vec::new());
            for customer in 1..matrix.rows() {
                let query = Query::Customer(customer);
                recommend(&model, &query, k, &Unseen(&matrix), &mut scratch, &mut best).unwrap();
                prop_assert_eq!(all.get(customer - 1), &best[..]);
            }
        }
    }
}

/// The filter as its authors write it: dense matrices, and the equations solved by their method.
fn reference(matrix: &InteractionMatrix, config: &GraphFilterConfig) -> DMatrix<f64> {
    let (users, items) = (matrix.rows() as usize, matrix.columns() as usize);
    let mut r = DMatrix::<f64>::zeros(users, items);
    for (user, (columns, _)) in matrix.iter().enumerate() {
        columns
            .iter()
            .for_each(|&item| r[(user, item as usize)] = 1.0);
    }
    let inverse_root = |sum: f64| if sum > 0.0 { 1.0 / sum.sqrt() } else { 0.0 };
    let of_users = DVector::from_fn(users, |u, _| inverse_root(r.row(u).sum()));
    let of_items = DVector::from_fn(items, |i, _| inverse_root(r.column(i).sum()));
    let normal = DMatrix::from_fn(users, items, |u, i| r[(u, i)] * of_users[u] * of_items[i]);
    let p = normal.transpose() * &normal;
    let step = config.blurring.time / f64::from(config.blurring.steps);
    let mut out = r.clone();
    for _ in 0..config.blurring.steps {
        out = &out + (&out * &p - &out) * step;
    }
    if let Some(low_pass) = config.low_pass {
        let mut svd = normal.svd(false, true);
        svd.sort_by_singular_values();
        let v = svd.v_t.unwrap();
        let kept = (0..v.nrows().min(low_pass.rank)).filter(|&j| svd.singular_values[j] > 1e-6);
        for j in kept {
            let v = v.row(j).transpose();
            let along = &r * of_items.component_mul(&v);
            let back = v.zip_map(&of_items, |v, d| if d > 0.0 { v / d } else { 0.0 });
            out += along * back.transpose() * low_pass.weight;
        }
    }
    if let Some(Sharpening {
        method,
        steps,
        time,
    }) = config.sharpening
    {
        let h = time / f64::from(steps);
        let slope = |r: &DMatrix<f64>| -(r * &p);
        for _ in 0..steps {
            let k1 = slope(&out);
            out += match method {
                OdeMethod::Euler => k1 * h,
                _ => {
                    let k2 = slope(&(&out + &k1 * (h / 2.0)));
                    let k3 = slope(&(&out + &k2 * (h / 2.0)));
                    let k4 = slope(&(&out + &k3 * h));
                    (k1 + (k2 + k3) * 2.0 + k4) * (h / 6.0)
                }
            };
        }
    }
    out
}

#[test]
fn the_scores_are_those_of_dense_matrices() {
    let matrix = mixed();
    for (number, config) in configs().iter().enumerate() {
        let fit = GraphFilter::fit(&matrix, config).unwrap();
        assert!(fit.report.converged, "{:?}", fit.report);
        let expected = reference(&matrix, config);
        let mut scratch = Scratch::new();
        for customer in 0..matrix.rows() {
            let query = Query::Customer(customer);
            let check = |first: u32, scores: &[f32]| {
                for (item, &score) in (first as usize..).zip(scores) {
                    let expected = expected[(customer as usize, item)];
                    // The singular vectors are good to 1e-4 of their length.
                    let near = (f64::from(score) - expected).abs() < 2e-4;
                    assert!(
                        near,
                        "model {number}, {customer}, {item}: {score}, not {expected}"
                    );
                }
            };
            let mut check = check;
            fit.model.scan(&query, &mut scratch, &mut check).unwrap();
        }
    }
}

#[test]
fn without_a_low_pass_the_scores_are_exact() {
    let matrix = mixed();
    let config = configs()[2];
    let expected = reference(&matrix, &config);
    let model = GraphFilter::fit(&matrix, &config).unwrap().model;
    let all: Vec<u32> = (0..matrix.columns()).collect();
    let mut out = vec![0.0; all.len()];
    for customer in 0..matrix.rows() {
        let query = Query::Customer(customer);
        model
            .score(&query, &all, &mut Scratch::new(), &mut out)
            .unwrap();
        for (item, &score) in out.iter().enumerate() {
            let expected = expected[(customer as usize, item)];
            assert!(
                (f64::from(score) - expected).abs() <= 1e-7,
                "{score}, not {expected}"
            );
        }
    }
}

#[test]
fn turbo_cf_has_the_scores_of_dense_matrices() {
    let matrix = mixed();
    let (users, items) = (matrix.rows() as usize, matrix.columns() as usize);
    let mut r = DMatrix::<f64>::zeros(users, items);
    for (user, (columns, _)) in matrix.iter().enumerate() {
        columns
            .iter()
            .for_each(|&item| r[(user, item as usize)] = 1.0);
    }
    let (alpha, power) = (0.6, 0.7);
    let normal = DMatrix::from_fn(users, items, |u, i| {
        let (row, column) = (r.row(u).sum().max(1.0), r.column(i).sum().max(1.0));
        r[(u, i)] * row.powf(-alpha) * column.powf(alpha - 1.0)
    });
    let p = (normal.transpose() * normal).map(|x: f64| if x > 0.0 { x.powf(power) } else { 0.0 });
    let p2 = &p * &p;
    let p3 = &p2 * &p;
    for (filter, polynomial) in [
        (PolynomialFilter::Linear, p.clone()),
        (PolynomialFilter::Quadratic, &p * 2.0 - &p2),
        (
            PolynomialFilter::Cubic,
            &p + (-p3 + &p2 * 10.0 - &p * 29.0) * 0.01,
        ),
    ] {
        let expected = &r * polynomial;
        let config = TurboCfConfig {
            alpha,
            power,
            filter,
        };
        let model = TurboCf::fit(&matrix, &config).unwrap();
        let all: Vec<u32> = (0..matrix.columns()).collect();
        let mut out = vec![0.0; all.len()];
        for user in 0..users {
            let query = Query::Customer(user as u32);
            model
                .score(&query, &all, &mut Scratch::new(), &mut out)
                .unwrap();
            for (item, &score) in out.iter().enumerate() {
                let expected = expected[(user, item)];
                let near = (f64::from(score) - expected).abs() <= 1e-6 * expected.abs().max(1.0);
                assert!(near, "{filter:?}: {score}, not {expected}");
            }
        }
    }
    for (alpha, power, message) in [
        (1.5, 1.0, "the setting `alpha` is 1.5;"),
        (0.5, 0.0, "the setting `power` is 0;"),
        (f64::NAN, 1.0, "the setting `alpha` is NaN;"),
    ] {
        let filter = PolynomialFilter::Linear;
        let config = TurboCfConfig {
            alpha,
            power,
            filter,
        };
        let error = TurboCf::fit(&matrix, &config).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let rows: Vec<(u32, u32, f32)> = (0..8_000_u32)
        .map(|row| {
            (
                row.wrapping_mul(2_654_435_761) >> 21,
                row.wrapping_mul(40_503) % 300,
                1.0,
            )
        })
        .collect();
    let matrix = matrix(&rows);
    let mut config = GraphFilterConfig::blurring_sharpening(3);
    config.low_pass = Some(LowPass {
        weight: 0.2,
        rank: 10,
        seed: 3,
    });
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let fit = GraphFilter::fit(&matrix, &config).unwrap();
            let lists = fit.model.lists(0..matrix.rows(), 10, &Unseen(&matrix));
            (fit, lists)
        })
    };
    let one = fit(1);
    for threads in [2, 8] {
        assert!(fit(threads) == one, "{threads} threads");
    }
}

/// Lists are made for some tens of customers together, in the same memory for the next ones.
#[test]
fn each_of_a_hundred_customers_has_a_list_of_their_own() {
    let taken = |customer: u32| (0..40).filter(move |item| (customer * 7 + item * item) % 13 < 3);
    let rows = (0..100).flat_map(|customer| taken(customer).map(move |item| (customer, item, 1.0)));
    let matrix = matrix(&rows.collect::<Vec<_>>());
    for model in models(&matrix) {
        let all = model.lists(0..100, 6, &Unseen(&matrix)).unwrap();
        let (mut scratch, mut best) = (Scratch::new(), Vec::new());
        for customer in 0..100 {
            let query = Query::Customer(customer);
            recommend(&model, &query, 6, &Unseen(&matrix), &mut scratch, &mut best).unwrap();
            assert_eq!(all.get(customer), &best[..], "customer {customer}");
        }
    }
}

#[test]
fn an_item_that_nobody_took_scores_nothing_and_a_filter_that_leaves_nothing_gives_none() {
    let matrix = matrix(&[(0, 0, 1.0), (1, 2, 1.0), (1, 0, 1.0)]);
    for model in models(&matrix) {
        let mut out = [9.0];
        let query = Query::Customer(0);
        model
            .score(&query, &[1], &mut Scratch::new(), &mut out)
            .unwrap();
        assert_eq!(out, [0.0]);
        let mut best = Vec::new();
        recommend(
            &model,
            &query,
            3,
            &|_: u32| false,
            &mut Scratch::new(),
            &mut best,
        )
        .unwrap();
        assert!(best.is_empty());
    }
}

#[test]
fn nothing_is_a_model_without_items() {
    let nothing = InteractionSummary::new().matrix();
    for model in models(&nothing) {
        laws::check(&model, &[Query::Basket(&[])]).unwrap();
        assert_eq!(model.items(), 0);
        assert_eq!(
            model.lists(0..0, 3, &Unseen(&nothing)).unwrap().customers(),
            0
        );
    }
}

#[test]
fn a_fit_stops_when_it_is_told_to() {
    let matrix = mixed();
    let config = GraphFilterConfig::blurring_sharpening(1);
    let asked = AtomicU32::new(0);
    GraphFilter::fit_until(&matrix, &config, &|| {
        asked.fetch_add(1, Ordering::Relaxed);
        false
    })
    .unwrap();
    // Wherever it is stopped, it has no model.
    for stop in 0..asked.load(Ordering::Relaxed).min(60) {
        let left = AtomicU32::new(stop);
        let fit = GraphFilter::fit_until(&matrix, &config, &|| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_err()
        });
        let error = fit.unwrap_err().to_string();
        assert_eq!(error, "the fit was stopped after 0 whole iterations");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let matrix = matrix(&[(0, 0, 1.0)]);
    let good = GraphFilterConfig::blurring_sharpening(1);
    let low_pass = good.low_pass.unwrap();
    let sharpening = good.sharpening.unwrap();
    let blurring = |steps, time| GraphFilterConfig {
        blurring: Blurring { steps, time },
        ..good
    };
    let weight = |weight| GraphFilterConfig {
        low_pass: Some(LowPass { weight, ..low_pass }),
        ..good
    };
    let rank = |rank| GraphFilterConfig {
        low_pass: Some(LowPass { rank, ..low_pass }),
        ..good
    };
    let sharpening = |steps, time| GraphFilterConfig {
        sharpening: Some(Sharpening {
            steps,
            time,
            ..sharpening
        }),
        ..good
    };
    for (config, message) in [
        (blurring(0, 1.0), "the setting `blurring.steps` is 0;"),
        (blurring(1, 2.5), "the setting `blurring.time` is 2.5;"),
        (blurring(1, f64::NAN), "the setting `blurring.time` is NaN;"),
        (blurring(40, 1.0), "the setting `steps` is 44;"),
        (weight(0.0), "the setting `low_pass.weight` is 0;"),
        (
            weight(f64::INFINITY),
            "the setting `low_pass.weight` is inf;",
        ),
        (rank(0), "the setting `low_pass.rank` is 0;"),
        (rank(5_000), "the setting `low_pass.rank` is 5000;"),
        (sharpening(0, 1.0), "the setting `sharpening.steps` is 0;"),
        (sharpening(1, -1.0), "the setting `sharpening.time` is -1;"),
    ] {
        let error = GraphFilter::fit(&matrix, &config).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn a_damaged_model_is_refused() {
    let matrix = matrix(&[(0, 0, 1.0), (0, 1, 1.0), (1, 1, 1.0)]);
    let model = GraphFilter::fit(&matrix, &GraphFilterConfig::gf_cf(1))
        .unwrap()
        .model;
    let saved = serde_json::to_string(&model).unwrap();
    for (from, to, message) in [
        (
            r#""rank":2,"left""#,
            r#""rank":1,"left""#,
            "the field `left` is 4 numbers",
        ),
        (r#""rank":256"#, r#""rank":1"#, "the field `rank` is 2"),
        (
            r#""left":["#,
            r#""left":[1.0,"#,
            "the field `left` is 5 numbers",
        ),
        (
            r#""right":["#,
            r#""right":[1.0,"#,
            "the field `right` is 5 numbers",
        ),
        (
            r#""steps":1"#,
            r#""steps":0"#,
            "the setting `blurring.steps`",
        ),
        (
            r#""format":2"#,
            r#""format":3"#,
            "format version 3 is unknown",
        ),
    ] {
        assert!(saved.contains(from), "{saved}");
        let error = serde_json::from_str::<GraphFilter>(&saved.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
}
