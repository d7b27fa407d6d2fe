//! Fits to data simulated from the model, with penalties and constraints.

use tenure::lifetime::{
    CovariateOptions, DynamicCovariates, DynamicParetoNbd, Effect, FitOptions, FitStatus, ParetoNbd,
};
use tenure::summary::{PathHistories, TimeUnit};

use super::{at, close, example, simulated};

const BOTH: DynamicCovariates<'_> = DynamicCovariates {
    trans: &["season", "mailing"],
    life: &["season", "mailing"],
};

#[test]
fn known_parameters_are_found_again() {
    let (purchases, paths) = simulated(1_500, 5);
    let data = PathHistories::new(&purchases, &paths, at(104.0), TimeUnit::Week).unwrap();
    let fit = DynamicParetoNbd::fit(&data, &BOTH, &FitOptions::default()).unwrap();
    assert_eq!(fit.report.status, FitStatus::Interior);
    let truth = [
        ("r", 2.0),
        ("alpha", 8.0),
        ("s", 1.0),
        ("beta", 30.0),
        ("trans.season", 0.7),
        ("trans.mailing", 0.4),
        ("life.season", 0.5),
        ("life.mailing", -1.0),
    ];
    for (estimate, (name, value)) in fit.report.parameters.iter().zip(truth) {
        assert_eq!(estimate.name, name);
        let error = estimate.standard_error.unwrap();
        let off = (estimate.value - value) / error;
        assert!(
            off.abs() < 3.0,
            "{name}: {} is {off} errors off",
            estimate.value
        );
        assert!(error < 0.6 * value.abs(), "{name}: {error}");
    }
    let plain = ParetoNbd::fit(data.histories(), &FitOptions::default()).unwrap();
    let test = fit.report.likelihood_ratio(&plain.report).unwrap();
    assert!(test.degrees == 4 && test.p_value < 1e-20);
    let recomputed = fit.log_likelihood_of(&data).unwrap();
    close(fit.report.log_likelihood, recomputed, 1e-12);

    let saved = serde_json::to_string(&fit).unwrap();
    let loaded: tenure::lifetime::Fitted<DynamicParetoNbd> = serde_json::from_str(&saved).unwrap();
    assert_eq!(loaded, fit);

    // Begun where it ended, with another number of threads.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    let values = fit.report.parameters.iter().map(|e| e.value).collect();
    let options = FitOptions {
        start: Some(values),
        ..FitOptions::default()
    };
    let again = pool
        .install(|| DynamicParetoNbd::fit(&data, &BOTH, &options))
        .unwrap();
    assert!(again.report.iterations <= 2, "{}", again.report.iterations);
    let values = pool.install(|| fit.log_likelihood_of(&data)).unwrap();
    assert_eq!(values.to_bits(), recomputed.to_bits());

    let weeks = fit.tracking(&data, 1.0, 103).unwrap();
    // The season shows: weeks 20 to 25 against those before.
    let sum = |from: usize| -> f64 { weeks[from..from + 6].iter().map(|w| w.incremental).sum() };
    assert!(sum(20) > 1.5 * sum(14) && sum(26) < 0.7 * sum(20));
    let happened = purchases.repeat_purchases_by_period(7, at(104.0)).unwrap();
    let total: u64 = happened.iter().sum();
    close(weeks[102].cumulative, total as f64, 0.05);
    let first = data
        .first_purchase(0)
        .unwrap()
        .min(data.first_purchase(1).unwrap());
    assert!(
        fit.expected_purchases_of_new(&data, 0, first, 50.0)
            .unwrap()
            > 1.0
    );
}

#[test]
fn a_penalty_draws_coefficients_towards_zero() {
    let (purchases, paths) = simulated(150, 9);
    let data = PathHistories::new(&purchases, &paths, at(104.0), TimeUnit::Week).unwrap();
    let season = DynamicCovariates {
        trans: &["season"],
        life: &[],
    };
    let fit = |penalty| {
        let options = FitOptions {
            penalty,
            ..FitOptions::default()
        };
        DynamicParetoNbd::fit(&data, &season, &options).unwrap()
    };
    let (free, held) = (fit(0.0), fit(1_000.0));
    let of = |fit: &DynamicParetoNbd| fit.trans()[0].coefficient;
    assert!(of(&held).abs() < 0.8 * of(&free).abs() && of(&free) > 0.3);
    assert!(held.report.log_likelihood < free.report.log_likelihood);
    close(
        held.log_likelihood_of(&data).unwrap(),
        held.report.log_likelihood,
        1e-12,
    );
}

#[test]
fn coefficients_can_be_held_equal_or_near_nothing() {
    let (purchases, paths) = simulated(600, 9);
    let data = PathHistories::new(&purchases, &paths, at(104.0), TimeUnit::Week).unwrap();
    let fit = |options: CovariateOptions| DynamicParetoNbd::fit_with(&data, &options).unwrap();
    let of_both = |equal: &[&str]| CovariateOptions {
        equal: equal.iter().map(|&name| name.into()).collect(),
        ..CovariateOptions::default()
    };
    let free = fit(of_both(&[]));
    let plain = DynamicParetoNbd::fit(&data, &BOTH, &FitOptions::default()).unwrap();
    assert_eq!(free, plain);
    let equal = fit(of_both(&["season"]));
    let names: Vec<_> = equal
        .report
        .parameters
        .iter()
        .map(|e| e.name.as_ref())
        .collect();
    assert_eq!(
        names[4..],
        ["trans.mailing", "life.mailing", "constr.season"]
    );
    let both = equal.report.value("constr.season").unwrap();
    assert_eq!(
        (equal.trans()[0].coefficient, equal.life()[0].coefficient),
        (both, both)
    );
    let test = free.report.likelihood_ratio(&equal.report).unwrap();
    assert!(test.degrees == 1 && test.statistic > 0.0, "{test:?}");
    // The best of all equal ones: to either side the likelihood falls, by the information that the standard error is
    // the inverse of if the others followed, and more as they stay.
    let error = equal.report.parameters[6].standard_error.unwrap();
    for by in [-0.5 * error, 0.5 * error] {
        let moved = |effects: &[Effect]| -> Vec<Effect> {
            let mut effects = effects.to_vec();
            effects[0].coefficient += by;
            effects
        };
        let (trans, life) = (moved(equal.trans()), moved(equal.life()));
        let moved = DynamicParetoNbd::new(*equal.base(), trans, life).unwrap();
        let fall = equal.report.log_likelihood - moved.log_likelihood_of(&data).unwrap();
        assert!((0.1..10.0).contains(&fall), "{fall}");
    }
    let held = fit(CovariateOptions {
        lifetime_penalty: 1e8,
        ..CovariateOptions::default()
    });
    assert!(
        held.life()
            .iter()
            .all(|effect| effect.coefficient.abs() < 1e-5)
    );
    assert!(held.trans()[0].coefficient > 0.3);
    for equal in [&["weather"][..], &["season", "season"]] {
        let error = DynamicParetoNbd::fit_with(&data, &of_both(equal)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a covariate of both processes, once"),
            "{error}"
        );
    }
    let negative = CovariateOptions {
        transaction_penalty: -1.0,
        ..CovariateOptions::default()
    };
    assert!(DynamicParetoNbd::fit_with(&data, &negative).is_err());
}

#[test]
fn without_repeat_purchases_the_fit_says_so() {
    let (_, paths) = example();
    let purchases = super::purchases(&[vec![0.5], vec![3.0]]);
    let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
    let season = DynamicCovariates {
        trans: &["season"],
        life: &["season"],
    };
    let fit = DynamicParetoNbd::fit(&data, &season, &FitOptions::default()).unwrap();
    assert!(matches!(fit.report.status, FitStatus::Boundary { .. }));
    assert!(
        fit.expected_purchases(&data, 10.0)
            .unwrap()
            .iter()
            .all(|&e| (0.0..1e-6).contains(&e))
    );
}
