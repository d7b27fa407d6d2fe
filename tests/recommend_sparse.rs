//! RP3β against the walk written out, and SLIM against the conditions of its optimum.

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use tenure::recommend::{Rp3Beta, Rp3BetaConfig, Slim, SlimConfig};
use tenure::summary::{InteractionMatrix, InteractionSummary};

const RP3: Rp3BetaConfig = Rp3BetaConfig {
    alpha: 0.8,
    beta: 0.4,
    neighbours: 1_000,
    normalized: false,
};
const SLIM: SlimConfig = SlimConfig {
    lambda1: 0.4,
    lambda2: 0.7,
    candidates: None,
    tolerance: 1e-9,
    sweeps_max: 10_000,
};

fn matrix(rows: &[(u32, u32, f32)]) -> InteractionMatrix {
    let mut log = InteractionSummary::new();
    for &(customer, item, weight) in rows {
        log.push(customer, item, weight).unwrap();
    }
    log.matrix()
}

fn rows() -> impl Strategy<Value = Vec<(u32, u32, f32)>> {
    let weight = prop_oneof![3 => Just(1.0_f32), 1 => Just(0.0), 1 => 0.001_f32..1e4];
    vec((0_u32..14, 0_u32..11, weight), 1..120)
}

/// Who took what, dense: a row for each customer.
fn dense(matrix: &InteractionMatrix) -> Vec<Vec<f64>> {
    let row = |(items, weights): (&[u32], &[f32])| {
        let mut row = vec![0.0; matrix.columns() as usize];
        for (&item, &weight) in items.iter().zip(weights) {
            row[item as usize] = if weight > 0.0 { 1.0 } else { 0.0 };
        }
        row
    };
    matrix.iter().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_weight_is_the_chance_of_the_walk(rows in rows(), beta in 0.0_f64..1.0) {
        let matrix = matrix(&rows);
        let x = dense(&matrix);
        let model = Rp3Beta::fit(&matrix, &Rp3BetaConfig { alpha: 1.0, beta, ..RP3 }).unwrap();
        let items = matrix.columns() as usize;
        let of_item = |i: usize| x.iter().map(|row| row[i]).sum::<f64>();
        for from in 0..items {
            // A walker at the item, then at one of its customers, then at one of their items.
            let mut chances = vec![0.0; items];
            for row in x.iter().filter(|row| row[from] > 0.0) {
                let here = 1.0 / of_item(from);
                for to in (0..items).filter(|&to| row[to] > 0.0) {
                    chances[to] += here / row.iter().sum::<f64>();
                }
            }
            let total: f64 = chances.iter().sum();
            prop_assert!(of_item(from) == 0.0 || (total - 1.0).abs() < 1e-12);
            chances[from] = 0.0;
            let mut found = vec![0.0; items];
            model.neighbours(from as u32).for_each(|(to, weight)| found[to as usize] = weight);
            for to in 0..items {
                let expected = if chances[to] > 0.0 { chances[to] / of_item(to).powf(beta) } else { 0.0 };
                prop_assert!((found[to] - expected).abs() < 1e-12, "{from} to {to}");
            }
        }
    }

    #[test]
    fn fewer_neighbours_are_the_heaviest_of_more(rows in rows(), most in 1_u32..6) {
        let matrix = matrix(&rows);
        let all = Rp3Beta::fit(&matrix, &RP3).unwrap();
        let few = Rp3Beta::fit(&matrix, &Rp3BetaConfig { neighbours: most, ..RP3 }).unwrap();
        let config = Rp3BetaConfig { neighbours: most, normalized: true, ..RP3 };
        let normalized = Rp3Beta::fit(&matrix, &config).unwrap();
        for item in 0..matrix.columns() {
            let mut best: Vec<(u32, f64)> = all.neighbours(item).collect();
            best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            best.truncate(most as usize);
            best.sort_by_key(|&(item, _)| item);
            prop_assert_eq!(few.neighbours(item).collect::<Vec<_>>(), best);
            let sum: f64 = normalized.neighbours(item).map(|(_, weight)| weight).sum();
            prop_assert!(few.neighbours(item).len() == 0 || (sum - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_column_of_slim_keeps_the_conditions_of_its_optimum(rows in rows(), lambda1 in 0.0_f64..3.0, lambda2 in 0.01_f64..5.0) {
        let matrix = matrix(&rows);
        let x = dense(&matrix);
        let fit = Slim::fit(&matrix, &SlimConfig { lambda1, lambda2, ..SLIM }).unwrap();
        prop_assert_eq!(fit.report.unconverged, 0);
        let items = matrix.columns();
        for to in 0..items {
            let weights: Vec<f64> = (0..items).map(|from| fit.model.weight(from, to).unwrap()).collect();
            prop_assert_eq!(weights[to as usize], 0.0);
            let left = x.iter().map(|row| {
                row[to as usize] - row.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>()
            });
            let left: Vec<f64> = left.collect();
            for from in (0..items as usize).filter(|&from| from != to as usize) {
                let along: f64 = x.iter().zip(&left).map(|(row, left)| row[from] * left).sum();
                let gradient = -along + lambda2 * weights[from] + lambda1;
                prop_assert!(weights[from] >= 0.0);
                let kept = if weights[from] > 0.0 { gradient.abs() < 1e-8 } else { gradient > -1e-8 };
                prop_assert!(kept, "{from} to {to}: weight {}, gradient {gradient}", weights[from]);
            }
        }
    }

    #[test]
    fn candidates_are_those_with_most_customers_in_common(rows in rows(), most in 1_u32..6) {
        let matrix = matrix(&rows);
        let x = dense(&matrix);
        let config = SlimConfig { candidates: Some(most), ..SLIM };
        let model = Slim::fit(&matrix, &config).unwrap().model;
        for to in 0..matrix.columns() as usize {
            let common = |from: usize| x.iter().map(|row| row[from] * row[to]).sum::<f64>();
            let mut others: Vec<usize> = (0..matrix.columns() as usize).filter(|&i| i != to).collect();
            others.sort_by(|&a, &b| common(b).total_cmp(&common(a)).then(a.cmp(&b)));
            for &out in others.iter().skip(most as usize) {
                prop_assert_eq!(model.weight(out as u32, to as u32), Some(0.0));
            }
        }
    }
}

#[test]
fn two_items_have_the_weights_that_algebra_gives() {
    // Three customers have item 0, four item 1, two both.
    let matrix = matrix(&[
        (0, 0, 1.0),
        (0, 1, 2.0),
        (1, 0, 1.0),
        (1, 1, 1.0),
        (2, 0, 9.0),
        (3, 1, 1.0),
        (4, 1, 1.0),
    ]);
    let model = Slim::fit(&matrix, &SLIM).unwrap().model;
    assert!((model.weight(0, 1).unwrap() - 1.6 / 3.7).abs() < 1e-9);
    assert!((model.weight(1, 0).unwrap() - 1.6 / 4.7).abs() < 1e-9);
    assert_eq!(model.weight(0, 2), None);
}

#[test]
fn a_fit_that_stops_early_says_so() {
    let rows: Vec<(u32, u32, f32)> = (0..400_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 26, n * n % 23, 1.0))
        .collect();
    let matrix = matrix(&rows);
    let config = SlimConfig {
        lambda1: 0.01,
        lambda2: 0.01,
        sweeps_max: 1,
        ..SLIM
    };
    let report = Slim::fit(&matrix, &config).unwrap().report;
    assert!(report.unconverged > 0 && report.violation > 1e-9 && report.sweeps == 1);
    let config = SlimConfig {
        sweeps_max: 10_000,
        ..config
    };
    let report = Slim::fit(&matrix, &config).unwrap().report;
    assert!(report.unconverged == 0 && report.violation <= 1e-9 && report.sweeps > 1);
}

#[test]
fn a_fit_stops_when_it_is_told_to() {
    let matrix = matrix(&[
        (0, 0, 1.0),
        (0, 1, 1.0),
        (1, 0, 1.0),
        (1, 1, 1.0),
        (2, 2, 1.0),
    ]);
    for stop in 0..4 {
        let left = AtomicU32::new(stop);
        let cancelled = || {
            let take = |left: u32| left.checked_sub(1);
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_err()
        };
        let error = Slim::fit_until(&matrix, &SLIM, &cancelled).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the fit was stopped after 0 whole iterations"
        );
    }
    assert!(Rp3Beta::fit_until(&matrix, &RP3, &|| true).is_err());
}

#[test]
fn settings_out_of_range_are_named() {
    let matrix = matrix(&[(0, 0, 1.0)]);
    for (config, message) in [
        (
            Rp3BetaConfig { alpha: -1.0, ..RP3 },
            "the setting `alpha` is -1;",
        ),
        (
            Rp3BetaConfig {
                beta: f64::NAN,
                ..RP3
            },
            "the setting `beta` is NaN;",
        ),
        (
            Rp3BetaConfig {
                neighbours: 0,
                ..RP3
            },
            "the setting `neighbours` is 0;",
        ),
    ] {
        let error = Rp3Beta::fit(&matrix, &config).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    for (config, message) in [
        (
            SlimConfig {
                lambda1: -1.0,
                ..SLIM
            },
            "the setting `lambda1` is -1;",
        ),
        (
            SlimConfig {
                lambda2: f64::INFINITY,
                ..SLIM
            },
            "the setting `lambda2` is inf;",
        ),
        (
            SlimConfig {
                candidates: Some(0),
                ..SLIM
            },
            "the setting `candidates` is 0;",
        ),
        (
            SlimConfig {
                tolerance: 0.0,
                ..SLIM
            },
            "the setting `tolerance` is 0;",
        ),
        (
            SlimConfig {
                sweeps_max: 0,
                ..SLIM
            },
            "the setting `sweeps_max` is 0;",
        ),
    ] {
        let error = Slim::fit(&matrix, &config).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
