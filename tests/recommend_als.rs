//! ALS: what a fit must do whatever the numbers are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tenure::error::{Error, FitError};
use tenure::recommend::{
    Als, AlsConfig, AlsFit, FoldIn, ItemFilter, Query, QueryError, Scorer, Scratch, Solver, Unseen,
    Weighting, laws, recommend,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

const HU_KOREN: Weighting = Weighting::HuKoren {
    alpha: 8.0,
    lambda: 0.7,
};
const RENDLE: Weighting = Weighting::Rendle {
    alpha0: 0.1,
    lambda: 0.02,
    nu: 0.8,
};

fn matrix(rows: &[(u32, u32, f32)]) -> InteractionMatrix {
    let mut log = InteractionSummary::new();
    for &(customer, item, weight) in rows {
        log.push(customer, item, weight).unwrap();
    }
    log.matrix()
}

/// Customers who like one of three kinds of items, with some noise; rows of 1 to about 90 entries.
fn tastes(customers: u32, items: u32) -> InteractionMatrix {
    let mut rows = Vec::new();
    for customer in 0..customers {
        for item in 0..items {
            let mixed = (customer * 7_919 + item * 104_729).wrapping_mul(2_654_435_761) >> 16;
            let like = if customer % 3 == item % 3 {
                20_000
            } else {
                1_500
            };
            if mixed % 65_536 < like * (1 + customer % 3) {
                rows.push((customer, item, 1.0 + (mixed % 4) as f32));
            }
        }
    }
    matrix(&rows)
}

fn basket(matrix: &InteractionMatrix, customer: u32) -> Vec<(u32, f32)> {
    let (items, weights) = matrix.row(customer);
    items.iter().copied().zip(weights.iter().copied()).collect()
}

fn scores(model: &Als, query: &Query<'_>) -> Vec<f32> {
    let mut all = Vec::new();
    let mut append = |_: u32, scores: &[f32]| all.extend_from_slice(scores);
    model.scan(query, &mut Scratch::new(), &mut append).unwrap();
    all
}

fn largest(numbers: &[f32]) -> f32 {
    numbers
        .iter()
        .fold(0.0, |most: f32, number| most.max(number.abs()))
}

#[test]
fn an_exact_fit_goes_downhill_and_the_conjugate_gradient_follows_it() {
    let matrix = tastes(90, 80);
    for weighting in [HU_KOREN, RENDLE] {
        for factors in [3, 30] {
            let exact = AlsConfig::new(weighting, factors, 5);
            let exact_fit = Als::fit(&matrix, &exact).unwrap();
            let objective = &exact_fit.report.objective;
            assert_eq!(objective.len(), 15);
            for pair in objective.windows(2) {
                assert!(
                    pair[1] <= pair[0] * (1.0 + 1e-5),
                    "{weighting:?}, {factors}: {objective:?}"
                );
            }
            let solver = Solver::ConjugateGradient { steps: 3 };
            let fit = Als::fit(&matrix, &AlsConfig { solver, ..exact }).unwrap();
            let (near, best) = (fit.report.objective[14], objective[14]);
            assert!(
                (near / best - 1.0).abs() < 0.05,
                "{weighting:?}, {factors}: {near} for {best}"
            );
        }
    }
}

/// The objective by its definition: every pair of customer and item.
#[test]
fn the_objective_is_the_one_that_is_documented() {
    let matrix = tastes(40, 30);
    for (weighting, solver) in [
        (HU_KOREN, Solver::Cholesky),
        (RENDLE, Solver::Cholesky),
        (HU_KOREN, Solver::ConjugateGradient { steps: 2 }),
        (RENDLE, Solver::ConjugateGradient { steps: 2 }),
    ] {
        let config = AlsConfig {
            solver,
            ..AlsConfig::new(weighting, 5, 1)
        };
        let fit = Als::fit(&matrix, &config).unwrap();
        let lambda = |n: usize, others: u32| match weighting {
            Weighting::HuKoren { lambda, .. } => lambda,
            Weighting::Rendle { alpha0, lambda, nu } => {
                lambda * (n as f64 + alpha0 * f64::from(others)).powf(nu)
            }
        };
        let mut expected = 0.0;
        for customer in 0..matrix.rows() {
            let (taken, weights) = matrix.row(customer);
            for (item, score) in (0..).zip(scores(&fit.model, &Query::Customer(customer))) {
                let score = f64::from(score);
                let weight = taken
                    .iter()
                    .position(|&t| t == item)
                    .map(|at| f64::from(weights[at]));
                expected += match (weighting, weight) {
                    (Weighting::HuKoren { alpha, .. }, Some(r)) => {
                        alpha * r * (1.0 - score).powi(2)
                    }
                    (Weighting::HuKoren { .. }, None) => score * score,
                    (Weighting::Rendle { alpha0, .. }, Some(_)) => {
                        alpha0 * score * score + (1.0 - score).powi(2)
                    }
                    (Weighting::Rendle { alpha0, .. }, None) => alpha0 * score * score,
                };
            }
            let square: f64 = fit
                .model
                .customer(customer)
                .unwrap()
                .iter()
                .map(|&x| f64::from(x).powi(2))
                .sum();
            expected += lambda(taken.len(), matrix.columns()) * square;
        }
        let by_item = matrix.transposed();
        for item in 0..by_item.rows() {
            let square: f64 = fit
                .model
                .item(item)
                .unwrap()
                .map(|y| f64::from(y).powi(2))
                .sum();
            expected += lambda(by_item.row(item).0.len(), by_item.columns()) * square;
        }
        let objective = fit.report.objective[14];
        assert!(
            (objective / expected - 1.0).abs() < 1e-4,
            "{weighting:?}, {solver:?}: {objective} for {expected}"
        );
    }
}

#[test]
fn folding_in_is_the_refit_of_the_row_and_contributions_sum_to_the_score() {
    // Rows shorter and longer than the factors: both forms of the system.
    let matrix = tastes(120, 150);
    for weighting in [HU_KOREN, RENDLE] {
        for factors in [8, 33] {
            let model = Als::fit(&matrix, &AlsConfig::new(weighting, factors, 2))
                .unwrap()
                .model;
            let rows: Vec<f64> = (0..matrix.columns())
                .flat_map(|item| model.item(item).unwrap())
                .map(f64::from)
                .collect();
            let fixed = FoldIn::new(weighting, factors, rows).unwrap();
            for customer in (0..matrix.rows()).step_by(11) {
                let basket = basket(&matrix, customer);
                let fitted = model.customer(customer).unwrap();
                let folded = model.fold_in(&basket).unwrap();
                let exact = fixed.factors(&basket).unwrap();
                for ((&fitted_x, folded_x), exact_x) in fitted.iter().zip(folded).zip(exact) {
                    let bound = 1e-3 * largest(fitted);
                    assert!(
                        (fitted_x - folded_x).abs() < bound,
                        "{weighting:?}, {factors}, {customer}"
                    );
                    assert!((f64::from(fitted_x) - exact_x).abs() < f64::from(bound));
                }
                let all = scores(&model, &Query::Basket(&basket));
                for item in [0, 17, 149] {
                    let parts = model.explain(&basket, item).unwrap();
                    let sum: f64 = parts.contributions.iter().map(|part| part.amount).sum();
                    let error = (sum - f64::from(all[item as usize])).abs();
                    assert!(error < 1e-5 * f64::from(largest(&all)).max(1.0), "{sum}");
                }
            }
        }
    }
}

#[test]
fn a_model_keeps_the_laws_of_scorers_and_survives_its_saved_form() {
    let matrix = tastes(60, 300);
    let model = Als::fit(&matrix, &AlsConfig::new(RENDLE, 20, 3))
        .unwrap()
        .model;
    let basket = [(3, 1.0), (299, 2.5)];
    let queries = [
        Query::Customer(0),
        Query::Customer(59),
        Query::Basket(&basket),
        Query::Basket(&[]),
        Query::Item(7),
    ];
    laws::check(&model, &queries).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    let read: Als = serde_json::from_str(&text).unwrap();
    assert_eq!(read, model);
    for query in &queries {
        assert_eq!(scores(&read, query), scores(&model, query));
    }
    let itself = scores(&model, &Query::Item(7))[7];
    assert!((itself - 1.0).abs() < 1e-5, "{itself}");
    assert_eq!(
        model.explain(&basket, 300).unwrap_err(),
        QueryError::UnknownItem {
            item: 300,
            items: 300
        }
    );
    assert!(
        scores(&model, &Query::Basket(&[]))
            .iter()
            .all(|&score| score == 0.0)
    );
}

#[test]
fn a_damaged_saved_model_is_refused() {
    let model = Als::fit(&tastes(9, 9), &AlsConfig::new(HU_KOREN, 2, 3))
        .unwrap()
        .model;
    let good = serde_json::to_value(&model).unwrap();
    let refuse = |change: &dyn Fn(&mut serde_json::Value), part: &str| {
        let mut bad = good.clone();
        change(&mut bad);
        let error = serde_json::from_value::<Als>(bad).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refuse(&|json| json["format"] = 3.into(), "format");
    refuse(&|json| json["factors"] = 0.into(), "factors");
    refuse(&|json| json["factors"] = u64::MAX.into(), "factors");
    refuse(&|json| json["factors"] = 4.into(), "numbers");
    refuse(&|json| json["items"][3] = 0.25.into(), "checksum");
    refuse(
        &|json| json["customers"] = Vec::<f32>::new().into(),
        "checksum",
    );
    refuse(&|json| json["items"][3] = 1e39.into(), "items[3]");
    refuse(
        &|json| json["weighting"]["HuKoren"]["alpha"] = 0.into(),
        "alpha",
    );
    refuse(&|json| json["more"] = 0.into(), "more");
    let text = good.to_string();
    assert!(serde_json::from_str::<Als>(&text[..text.len() / 2]).is_err());
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let matrix = tastes(700, 130);
    for solver in [
        Solver::Cholesky,
        Solver::ConjugateGradient { steps: 3 },
        Solver::Subspace { block: 16 },
    ] {
        let config = AlsConfig {
            solver,
            iterations: 3,
            ..AlsConfig::new(RENDLE, 12, 9)
        };
        let fit = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| Als::fit(&matrix, &config).unwrap())
        };
        let alone = fit(1);
        assert_eq!(fit(2), alone);
        assert_eq!(fit(8), alone);
    }
}

#[test]
fn a_fit_stops_when_it_is_told_to() {
    let matrix = tastes(600, 600);
    let config = AlsConfig {
        iterations: u32::MAX,
        ..AlsConfig::new(HU_KOREN, 48, 1)
    };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let fit = scope.spawn(|| {
            Als::fit_until(&matrix, &config, &|| stop.load(Ordering::Relaxed)).unwrap_err()
        });
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        // How soon that is, `recommend_every_model` measures.
        let error = fit.join().unwrap();
        assert!(
            matches!(error, Error::Fit(FitError::Cancelled { .. })),
            "{error}"
        );
    });
}

#[test]
fn lists_for_all_are_the_lists_of_each() {
    // More items than a panel, vectors of very different lengths, and ties: items of the same buyers.
    let mut rows = Vec::new();
    for customer in 0..600_u32 {
        for item in 0..420 {
            if (customer * 31 + item / 2 * 17) % (item / 2 + 2) < 2
                && !(item + customer).is_multiple_of(7)
            {
                rows.push((customer, item, 1.0));
            }
        }
    }
    let matrix = matrix(&rows);
    let model = Als::fit(
        &matrix,
        &AlsConfig {
            iterations: 2,
            ..AlsConfig::new(RENDLE, 9, 1)
        },
    )
    .unwrap()
    .model;
    let few = |item: u32| item % 70 == 3;
    let (mut scratch, mut best) = (Scratch::new(), Vec::new());
    for k in [0, 1, 10, 500] {
        let filters: [&dyn ItemFilter; 3] = [&Unseen(&matrix), &few, &|_| false];
        for filter in filters {
            let lists = model.recommend_all(k, filter);
            assert_eq!(lists.customers(), model.customers());
            for (customer, list) in (0..).zip(lists.iter()) {
                recommend(
                    &model,
                    &Query::Customer(customer),
                    k,
                    filter,
                    &mut scratch,
                    &mut best,
                )
                .unwrap();
                assert_eq!(list, best, "customer {customer}, {k} items");
            }
        }
    }
    assert!(model.recommend_all(3, &few).get(600).is_empty());
}

/// Blocks of 16 of 24 factors: rows of both kinds, a last block that is not full, both weightings.
#[test]
fn subspaces_have_the_fixed_point_of_all_factors_at_once() {
    let matrix = tastes(40, 70);
    for weighting in [HU_KOREN, RENDLE] {
        let fit = |solver, iterations| {
            let config = AlsConfig {
                solver,
                iterations,
                ..AlsConfig::new(weighting, 24, 1)
            };
            Als::fit(&matrix, &config).unwrap()
        };
        let exact = fit(Solver::Cholesky, 60);
        let blocks = fit(Solver::Subspace { block: 16 }, 60);
        let falls = |pair: &[f64]| pair[1] <= pair[0] * (1.0 + 1e-6);
        assert!(blocks.report.objective.windows(2).all(falls));
        let last = |fit: &AlsFit| *fit.report.objective.last().unwrap();
        let apart = last(&blocks) / last(&exact) - 1.0;
        // There are many fixed points; that of the blocks is no worse.
        assert!(apart < 0.01, "{weighting:?}: {apart}");
        // At a fixed point, a row that is solved to the end moves no more.
        for customer in 0..matrix.rows() {
            let fitted = blocks.model.customer(customer).unwrap();
            let folded = blocks.model.fold_in(&basket(&matrix, customer)).unwrap();
            let largest = fitted.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            for (fitted, folded) in fitted.iter().zip(folded) {
                assert!((fitted - folded).abs() < 0.05 * largest, "{customer}");
            }
        }
    }
}

#[test]
fn settings_and_data_that_cannot_be_used_are_named() {
    let one = matrix(&[(0, 0, 1.0)]);
    let refuse = |weighting, factors, change: &dyn Fn(&mut AlsConfig), part: &str| {
        let mut config = AlsConfig::new(weighting, factors, 1);
        change(&mut config);
        let error = Als::fit(&one, &config).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let as_is = |_: &mut AlsConfig| {};
    refuse(
        Weighting::HuKoren {
            alpha: 0.0,
            lambda: 1.0,
        },
        2,
        &as_is,
        "`alpha` is 0",
    );
    refuse(
        Weighting::HuKoren {
            alpha: 1.0,
            lambda: f64::NAN,
        },
        2,
        &as_is,
        "`lambda` is NaN",
    );
    refuse(
        Weighting::Rendle {
            alpha0: -1.0,
            lambda: 1.0,
            nu: 1.0,
        },
        2,
        &as_is,
        "`alpha0` is -1",
    );
    refuse(
        Weighting::Rendle {
            alpha0: 1.0,
            lambda: 1.0,
            nu: 1.5,
        },
        2,
        &as_is,
        "`nu` is 1.5",
    );
    refuse(RENDLE, 0, &as_is, "`factors` is 0");
    refuse(RENDLE, 1_025, &as_is, "`factors` is 1025");
    refuse(
        RENDLE,
        2,
        &|config| config.iterations = 0,
        "`iterations` is 0",
    );
    refuse(
        RENDLE,
        2,
        &|config| config.solver = Solver::ConjugateGradient { steps: 0 },
        "`steps` is 0",
    );
    refuse(
        RENDLE,
        2,
        &|config| config.solver = Solver::Subspace { block: 0 },
        "`block` is 0",
    );
    let nothing = Als::fit(&matrix(&[]), &AlsConfig::new(RENDLE, 2, 1)).unwrap_err();
    assert!(nothing.to_string().contains("no interactions"), "{nothing}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// One customer, one item, empty rows, weights of 0 and of 10^38: finite, or an error that says so.
    #[test]
    fn whatever_is_taken_scores_are_finite(
        rows in vec((0_u32..6, 0_u32..7, prop_oneof![Just(0.0_f32), Just(1.0), Just(1e-30), Just(3e38), 0.0_f32..9.0]), 1..25),
        hu_koren: bool, solver in 0..3, factors in 1_usize..20,
    ) {
        let matrix = matrix(&rows);
        let weighting = if hu_koren { HU_KOREN } else { RENDLE };
        let solver = match solver {
            0 => Solver::Cholesky,
            1 => Solver::ConjugateGradient { steps: 3 },
            _ => Solver::Subspace { block: 1 },
        };
        let config = AlsConfig { solver, iterations: 4, ..AlsConfig::new(weighting, factors, 1) };
        match Als::fit(&matrix, &config) {
            Ok(fit) => {
                prop_assert!(fit.report.objective.iter().all(|value| value.is_finite()));
                for customer in 0..matrix.rows() {
                    prop_assert!(scores(&fit.model, &Query::Customer(customer)).iter().all(|s| s.is_finite()));
                }
                let queries = [Query::Item(0), Query::Basket(&[(0, 2.0)])];
                laws::check(&fit.model, &queries).unwrap();
            }
            Err(error) => {
                let said = matches!(error, Error::Fit(FitError::NotIdentified { .. }));
                prop_assert!(said && rows.iter().any(|row| row.2 > 1e9), "{}", error);
            }
        }
    }
}
