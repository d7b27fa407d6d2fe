//! Models ranked by what they predict.

#[path = "common/cdnow.rs"]
mod cdnow;

use approx::assert_relative_eq;
use cdnow::{calibration, day, purchases};
use tenure::error::{DataError, Error, FitError};
use tenure::lifetime::compare::{compare, score, score_distribution};
use tenure::lifetime::{Family, FitOptions, FuturePurchases, Nbd, PurchaseModel};
use tenure::summary::{Histories, History, HistoryColumns, Holdout, TimeUnit};

const WEEKS: f64 = 39.0;

fn cdnow() -> (Histories, Holdout) {
    let purchases = purchases();
    let histories = calibration(&purchases);
    let holdout = purchases.holdout(&histories, day(1997, 9, 30), day(1998, 6, 30));
    (histories, holdout.unwrap())
}

#[test]
fn on_cdnow_pareto_nbd_predicts_best_and_nobody_foresees_the_total() {
    let (histories, holdout) = cdnow();
    let table = compare(
        Family::ALL,
        &histories,
        &holdout,
        WEEKS,
        &FitOptions::default(),
    )
    .unwrap();
    assert!(table.failed.is_empty());
    let of = |family| {
        let found = table.ranked.iter().find(|c| c.candidate.family() == family);
        found.unwrap().score
    };
    // Measured with other programs: Pareto/NBD .7545, its total 11.5% low; BG/NBD expects 1,653.4.
    let pareto = of(Family::ParetoNbd);
    // GG/NBD ends at the limit that is Pareto/NBD, and is first or second by its rounding.
    let gompertz = of(Family::GompertzGammaNbd);
    assert_relative_eq!(gompertz.mae, pareto.mae, epsilon = 1e-6);
    assert!(
        table.ranked[..2]
            .iter()
            .any(|c| c.candidate.family() == Family::ParetoNbd)
    );
    assert_relative_eq!(pareto.mae, 0.7545, epsilon = 5e-5);
    assert_relative_eq!(pareto.total_error(), -0.115, epsilon = 5e-4);
    assert_relative_eq!(of(Family::BgNbd).expected, 1653.4, epsilon = 0.05);
    assert!(table.ranked.iter().all(|c| c.score.actual == 1882.0));
    assert!(
        table
            .ranked
            .is_sorted_by(|left, right| left.score.mae <= right.score.mae)
    );
    // Nobody leaves, says NBD, and is far off.
    assert_eq!(table.ranked.last().unwrap().candidate.family(), Family::Nbd);
    // So it is by the log score, which every family has.
    let surprise = |family| of(family).log_score.unwrap();
    for &family in Family::ALL {
        assert!((0.1..3.0).contains(&surprise(family)), "{family}");
        assert!(surprise(family) <= surprise(Family::Nbd), "{family}");
    }
    // GG/NBD finds nothing here that Pareto/NBD has not.
    let limit = surprise(Family::GompertzGammaNbd);
    assert_relative_eq!(limit, surprise(Family::ParetoNbd), epsilon = 1e-6);
}

#[test]
fn a_model_that_cannot_be_fitted_is_named_and_does_not_stop_the_others() {
    let nobody_observed = Histories::from_columns(
        TimeUnit::Week,
        HistoryColumns {
            frequency: vec![0; 3],
            recency: vec![0.0; 3],
            age: vec![0.0; 3],
            ..HistoryColumns::default()
        },
    )
    .unwrap();
    let holdout = Holdout {
        purchases: vec![0; 3],
        spend_minor: vec![0; 3],
    };
    let families = [Family::BgNbd, Family::ParetoNbd];
    let table = compare(
        &families,
        &nobody_observed,
        &holdout,
        1.0,
        &FitOptions::default(),
    )
    .unwrap();
    assert!(table.ranked.is_empty());
    let failed: Vec<Family> = table.failed.iter().map(|(c, _)| c.family()).collect();
    assert_eq!(failed, families);
    for (_, error) in &table.failed {
        assert!(
            matches!(error, Error::Fit(FitError::NotIdentified { .. })),
            "{error}"
        );
    }
}

/// Everybody buys as often as last year.
struct Habit;

impl PurchaseModel for Habit {
    fn probability_alive(&self, _: &History) -> f64 {
        1.0
    }
    fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
        f64::from(history.frequency) / history.age * horizon
    }
}

#[test]
fn a_model_of_ones_own_is_scored_by_hand_made_numbers() {
    let columns = HistoryColumns {
        frequency: vec![2, 0, 1],
        recency: vec![5.0, 0.0, 10.0],
        age: vec![10.0; 3],
        ..HistoryColumns::default()
    };
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    let holdout = Holdout {
        purchases: vec![0, 1, 1],
        spend_minor: vec![0; 3],
    };
    // Expected 1, 0 and 0.5: off by 1, 1 and 0.5.
    let found = score(&Habit, &histories, &holdout, 5.0).unwrap();
    assert_relative_eq!(found.mae, 2.5 / 3.0);
    assert_relative_eq!(found.rmse, 0.75_f64.sqrt());
    assert_eq!((found.expected, found.actual), (1.5, 2.0));
    assert_relative_eq!(found.total_error(), -0.25);

    let short = Holdout {
        purchases: vec![0, 1],
        spend_minor: vec![0; 2],
    };
    let error = score(&Habit, &histories, &short, 5.0).unwrap_err();
    let expected = DataError::Length {
        column: "holdout.purchases",
        found: 2,
        reference: "calibration",
        expected: 3,
    };
    assert_eq!(error, expected);
}

#[test]
fn the_log_score_is_that_of_the_likelihood_of_counts() {
    // From nothing known of anybody the hold-out is that of new customers: P(0) = 2⁻¹, P(1) = 2⁻² for
    // r = 1 and α as long as the hold-out.
    let columns = HistoryColumns {
        frequency: vec![0; 3],
        recency: vec![0.0; 3],
        age: vec![0.0; 3],
        ..HistoryColumns::default()
    };
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    let model = Nbd::new(1.0, 5.0).unwrap();
    let holdout = |purchases| Holdout {
        purchases,
        spend_minor: vec![0; 3],
    };
    let found = score_distribution(&model, &histories, &holdout(vec![1, 0, 3]), 5.0).unwrap();
    assert_relative_eq!(
        found.log_score.unwrap(),
        7.0 / 3.0 * 2f64.ln(),
        epsilon = 1e-12
    );
    let plain = score(&model, &histories, &holdout(vec![1, 0, 3]), 5.0).unwrap();
    assert_eq!(plain.log_score, None);
    assert_eq!((plain.mae, plain.rmse), (found.mae, found.rmse));

    // What cannot be is as surprising as anything: there is no infinity.
    let nothing = score_distribution(&model, &histories, &holdout(vec![1, 0, 3]), 0.0).unwrap();
    let most = nothing.log_score.unwrap();
    assert!((470.0..475.0).contains(&most), "{most}");

    let mut places = [0.0; 3];
    let error = model
        .count_probabilities_batch(&histories, 5.0, &[1, 0], &mut places)
        .unwrap_err();
    let expected = DataError::Length {
        column: "counts",
        found: 2,
        reference: "histories",
        expected: 3,
    };
    assert_eq!(error, expected);
}
