//! Coefficients held equal or near nothing, and what the options and the data must be.

use tenure::Error;
use tenure::lifetime::{
    CovariateOptions, FitOptions, FitStatus, Fitted, Nbd, ParetoNbd, WithCovariates,
};

use super::{covariates, pareto_shops};

#[test]
fn coefficients_can_be_held_equal_or_near_nothing() {
    let (histories, covariates) = pareto_shops(1_000, 52);
    let fit = |options: CovariateOptions| {
        WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &options).unwrap()
    };
    let free = fit(CovariateOptions::default());
    let equal = fit(CovariateOptions {
        equal: vec!["abroad".into()],
        ..CovariateOptions::default()
    });
    let names: Vec<&str> = equal
        .report
        .parameters
        .iter()
        .map(|e| e.name.as_ref())
        .collect();
    let coefficients = ["trans.online", "life.online", "constr.abroad"];
    assert_eq!(names[4..], coefficients);
    assert_eq!(equal.transaction()[1], equal.lifetime()[1]);
    let (one, other) = (equal.report.log_likelihood, free.report.log_likelihood);
    assert!(one < other);
    // Between the two that are free.
    let value = |name: &str| free.report.value(name).unwrap();
    let both = equal.report.value("constr.abroad").unwrap();
    assert!(
        value("trans.abroad") < both && both < value("life.abroad"),
        "{both}"
    );
    assert_eq!(
        free.report.likelihood_ratio(&equal.report).unwrap().degrees,
        1
    );

    let held = fit(CovariateOptions {
        transaction_penalty: 1e10,
        lifetime_penalty: 300.0,
        ..CovariateOptions::default()
    });
    assert!(held.transaction().iter().all(|c| c.value.abs() < 1e-6));
    let pairs = held.lifetime().iter().zip(free.lifetime());
    assert!(
        pairs
            .clone()
            .all(|(held, free)| held.value.abs() < free.value.abs())
    );
    let again = held.log_likelihood_of(&histories, &covariates).unwrap();
    assert!((again / held.report.log_likelihood - 1.0).abs() < 1e-12);
    // At the maximum the slope of the likelihood is the pull of the penalty, λ γ.
    let slope = |by: f64| {
        let mut lifetime = held.lifetime().to_vec();
        lifetime[0].value += by;
        let base = *held.base();
        let moved = WithCovariates::<ParetoNbd>::new(base, held.transaction().to_vec(), lifetime);
        moved
            .unwrap()
            .log_likelihood_of(&histories, &covariates)
            .unwrap()
    };
    let pull = (slope(1e-4) - slope(-1e-4)) / 2e-4;
    let expected = 300.0 * held.lifetime()[0].value;
    assert!((pull / expected - 1.0).abs() < 1e-4, "{pull} {expected}");
}

#[test]
fn a_start_at_the_answer_takes_hardly_a_step() {
    let (histories, covariates) = pareto_shops(500, 52);
    let mut options = CovariateOptions::default();
    let first = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &options).unwrap();
    options.search.start = Some(first.report.parameters.iter().map(|e| e.value).collect());
    let again = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &options).unwrap();
    let without = ParetoNbd::fit(&histories, &FitOptions::default()).unwrap();
    let steps = |fitted: &Fitted<_>| fitted.report.iterations - without.report.iterations;
    assert!(
        steps(&again) <= 1 && steps(&first) > 2,
        "{} {}",
        steps(&again),
        steps(&first)
    );
    let close = (again.base().r() / first.base().r() - 1.0).abs();
    assert!(close < 1e-9, "{close}");
}

#[test]
fn what_cannot_be_told_or_found_is_named() {
    let (histories, known) = pareto_shops(100, 52);
    let n = histories.len();
    let online = known.column("online").unwrap().to_vec();
    let twice: Vec<f64> = online.iter().map(|z| 2.0 - 3.0 * z).collect();
    let table = covariates(&[("online", online), ("twice", twice), ("same", vec![7.0; n])]);
    let fit = |names: &[&str], change: &dyn Fn(&mut CovariateOptions)| {
        let names = || names.iter().map(|name| (*name).to_owned()).collect();
        let mut options = CovariateOptions {
            transaction: Some(names()),
            lifetime: Some(names()),
            ..CovariateOptions::default()
        };
        change(&mut options);
        WithCovariates::<ParetoNbd>::fit(&histories, &table, &options)
    };
    let nothing = |_: &mut CovariateOptions| ();
    let error = |result: Result<_, Error>| result.map(|_| ()).unwrap_err().to_string();
    let same = "the effect of the covariate `same` cannot be determined: it has the same value";
    assert!(error(fit(&["online", "same"], &nothing)).starts_with(same));
    let sum = "the effect of the covariate `twice` cannot be determined: it is a sum of multiples";
    assert!(error(fit(&["online", "twice"], &nothing)).starts_with(sum));
    // Unless a penalty shares the effect out.
    let shared = fit(&["online", "twice"], &|options| {
        options.transaction_penalty = 1.0;
        options.lifetime_penalty = 1.0;
    });
    let shared = shared.unwrap();
    assert_eq!(shared.report.status, FitStatus::Interior);
    let [online, twice] = [0, 1].map(|i| shared.transaction()[i].value);
    assert!((twice / online + 3.0).abs() < 1e-4, "{twice} {online}");

    let unknown = "no column `size` (it holds the covariate); the columns are: online, twice, same";
    assert_eq!(error(fit(&["size"], &nothing)), unknown);
    assert!(error(fit(&["online", "online"], &nothing)).contains("each name once"));
    let equal = |options: &mut CovariateOptions| options.equal = vec!["twice".into()];
    assert!(error(fit(&["online"], &equal)).contains("a covariate of both processes"));
    let negative = |options: &mut CovariateOptions| options.lifetime_penalty = -1.0;
    assert!(error(fit(&["online"], &negative)).contains("`lifetime_penalty` is -1"));
    let start = |options: &mut CovariateOptions| options.search.start = Some(vec![1.0; 5]);
    assert!(error(fit(&["online"], &start)).contains("`start`"));

    let options = CovariateOptions::default();
    let shorter = histories.select(&[0, 1]);
    let rows = WithCovariates::<ParetoNbd>::fit(&shorter, &known, &options);
    assert!(error(rows).starts_with("column `covariates` has 400 rows, expected 2"));
    let options = CovariateOptions {
        lifetime: Some(vec!["online".into()]),
        ..CovariateOptions::default()
    };
    let nobody_leaves = WithCovariates::<Nbd>::fit(&histories, &known, &options);
    let error = nobody_leaves.unwrap_err().to_string();
    assert!(error.contains("`lifetime` is online"), "{error}");
}
