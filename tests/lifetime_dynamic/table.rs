//! In one table with the other models.

use tenure::lifetime::compare::{Candidate, Comparison, Model, Score, compare, score_dynamic};
use tenure::lifetime::{CovariateOptions, Family, FitOptions};
use tenure::summary::{Covariates, Histories, Holdout, PathHistories, PathValues, TimeUnit};

use super::{at, close, paths, simulated};

fn table<'a>(
    candidates: &[Candidate<'a>],
    calibration: &Histories,
    holdout: &Holdout,
    horizon: f64,
) -> Comparison<'a> {
    let options = FitOptions::default();
    compare(candidates, calibration, holdout, horizon, &options).unwrap()
}

fn score_of(table: &Comparison<'_>, name: &str) -> Score {
    let row = table.ranked.iter().find(|row| row.candidate.name() == name);
    row.unwrap().score
}

#[test]
fn who_knows_the_season_predicts_best() {
    let (purchases, paths) = simulated(500, 3);
    let end = at(72.0);
    let data = PathHistories::new(&purchases, &paths, end, TimeUnit::Week).unwrap();
    let calibration = data.histories();
    // 26 weeks with six of season; the last purchase may be at their very end.
    let holdout = purchases.holdout(calibration, end, at(98.0)).unwrap();
    let options = CovariateOptions::default();
    let mut candidates = vec![Family::BgNbd.into(), Family::ParetoNbd.into()];
    candidates.push(Candidate::Dynamic(&data, &options));
    let found = table(&candidates, calibration, &holdout, 26.0);
    assert!(found.failed.is_empty());
    let names: Vec<String> = found
        .ranked
        .iter()
        .map(|row| row.candidate.to_string())
        .collect();
    assert_eq!(names[0], "Pareto/NBD dynamic");
    let (dynamic, plain) = (
        score_of(&found, "pareto_nbd_dynamic"),
        score_of(&found, "pareto_nbd"),
    );
    assert_eq!(dynamic.actual, plain.actual);
    assert!(dynamic.log_score.unwrap() < plain.log_score.unwrap());
    assert!(dynamic.total_error().abs() < 0.15, "{dynamic:?}");
    let Model::Paths(model) = &found.ranked[0].fitted.model else {
        panic!("of histories");
    };
    assert_eq!(
        score_dynamic(model, &data, &holdout, 26.0).unwrap(),
        dynamic
    );
    assert!(matches!(found.ranked[1].fitted.model, Model::Histories(_)));
}

#[test]
fn what_does_not_change_scores_as_the_static_model() {
    let (purchases, _) = simulated(300, 3);
    let group: Vec<f64> = (0..300).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
    let paths = paths(104, vec![("group", PathValues::Constant(group.clone()))]);
    let data = PathHistories::new(&purchases, &paths, at(72.0), TimeUnit::Week).unwrap();
    let calibration = data.histories();
    let customers = calibration.customer();
    let group = customers.iter().map(|&customer| group[customer as usize]);
    let fixed = Covariates::from_columns(customers.to_vec(), [("group", group.collect())]).unwrap();
    let holdout = purchases.holdout(calibration, at(72.0), at(98.0)).unwrap();
    let options = CovariateOptions::default();
    let candidates = [
        Candidate::Static(Family::ParetoNbd, &fixed, &options),
        Candidate::Dynamic(&data, &options),
    ];
    let found = table(&candidates, calibration, &holdout, 26.0);
    let (left, right) = (
        score_of(&found, "pareto_nbd_dynamic"),
        score_of(&found, "pareto_nbd_static"),
    );
    close(left.mae, right.mae, 1e-6);
    close(left.rmse, right.rmse, 1e-6);
    close(left.expected, right.expected, 1e-6);
    close(left.log_score.unwrap(), right.log_score.unwrap(), 1e-6);
}

#[test]
fn paths_that_do_not_suit_are_named_and_do_not_stop_the_others() {
    let (purchases, paths) = simulated(60, 3);
    let of = |end, unit| PathHistories::new(&purchases, &paths, end, unit).unwrap();
    let data = of(at(72.0), TimeUnit::Week);
    let (later, in_days) = (of(at(73.0), TimeUnit::Week), of(at(72.0), TimeUnit::Day));
    let (fewer, _) = simulated(59, 3);
    let fewer = PathHistories::new(&fewer, &paths, at(72.0), TimeUnit::Week).unwrap();
    let calibration = data.histories();
    let holdout = purchases.holdout(calibration, at(72.0), at(104.0)).unwrap();
    let options = CovariateOptions {
        transaction: Some(vec!["season".into()]),
        lifetime: Some(Vec::new()),
        ..CovariateOptions::default()
    };
    for (data, horizon, message) in [
        (&data, 40.0, "`horizon` is 40 weeks"),
        (
            &later,
            32.0,
            "the customer and history of the same row of the calibration",
        ),
        (&in_days, 32.0, "`paths` is in days"),
        (&fewer, 32.0, "column `paths` has 59 rows, expected 60"),
    ] {
        let candidates = [
            Candidate::Plain(Family::Nbd),
            Candidate::Dynamic(data, &options),
        ];
        let found = table(&candidates, calibration, &holdout, horizon);
        assert_eq!(found.ranked.len(), 1);
        let error = found.failed[0].1.to_string();
        assert!(error.contains(message), "{error}");
    }
}
