//! Static covariates: what is put in comes out, and neither scale nor order matters.

#[path = "../common/any_history.rs"]
mod any_history;
mod bound;
mod boundary;
#[path = "../common/counted.rs"]
mod counted;
#[path = "../conformance/data.rs"]
mod data;
mod gompertz;
mod options;
#[path = "../common/sizes.rs"]
mod sizes;

use tenure::event::Zone;
use tenure::lifetime::{
    BgNbd, ContractCovariateOptions, CovariateOptions, FitOptions, FitReport, FitStatus, Fitted,
    MbgCnbd, ParetoNbd, PurchaseModel, Regularity, RetentionCurve, Sbg, WithCovariates,
};
use tenure::simulate::{PurchaseProcess, Retailer, RetailerConfig};
use tenure::summary::{
    Covariates, Grain, Histories, History, HistoryColumns, PurchaseOptions, PurchaseSummary,
    Refunds, Subscription, TimeUnit,
};

const WEEK_S: i64 = 7 * 86_400;

/// Customers of several shops as if of one, with the number of the shop.
fn shops(
    processes: &[PurchaseProcess],
    customers: u64,
    weeks: i64,
    seed: u64,
) -> (Histories, Vec<usize>) {
    let mut columns = HistoryColumns::default();
    let mut of_shop = Vec::new();
    for (shop, &purchase) in processes.iter().enumerate() {
        let config = RetailerConfig {
            purchase,
            ..RetailerConfig::cdnow_like(customers, seed + shop as u64)
        };
        let end = config.start.saturating_add_s(weeks * WEEK_S);
        let log = Retailer::new(config).unwrap().transactions().unwrap();
        let options = PurchaseOptions {
            grain: Grain::Instant,
            zone: Zone::UTC,
            refunds: Refunds::Ignore,
        };
        let purchases = PurchaseSummary::collect(&log, &options).unwrap();
        let purchases = purchases.into_purchases().unwrap();
        let histories = purchases.histories(end, TimeUnit::Week).unwrap();
        for history in histories.iter() {
            columns.frequency.push(history.frequency);
            columns.recency.push(history.recency);
            columns.age.push(history.age);
            columns.log_gaps.push(history.log_gaps);
            of_shop.push(shop);
        }
    }
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    (histories, of_shop)
}

fn covariates(columns: &[(&str, Vec<f64>)]) -> Covariates {
    Covariates::from_columns(vec![], columns.to_vec()).unwrap()
}

/// Four shops that differ in two covariates of 0 and 1, with the effects .5 and −.3 on buying, −.6 and .4
/// on leaving.
fn pareto_shops(customers: u64, weeks: i64) -> (Histories, Covariates) {
    let kinds = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
    let processes = kinds.map(|[a, b]: [f64; 2]| {
        let alpha = 5.0 * (-(0.5 * a - 0.3 * b)).exp();
        let beta = 20.0 * (-(-0.6 * a + 0.4 * b)).exp();
        PurchaseProcess::pareto_nbd(0.8, alpha, 1.2, beta)
    });
    let (histories, shop) = shops(&processes, customers, weeks, 71);
    let column = |k: usize| shop.iter().map(|&shop| kinds[shop][k]).collect();
    let covariates = covariates(&[("online", column(0)), ("abroad", column(1))]);
    (histories, covariates)
}

fn check_recovered(report: &FitReport, truth: &[(&str, f64)]) {
    assert_eq!(report.status, FitStatus::Interior, "{report:?}");
    assert_eq!(report.parameters.len(), truth.len());
    for (estimate, (name, truth)) in report.parameters.iter().zip(truth) {
        assert_eq!(estimate.name, *name);
        let error = estimate.standard_error.unwrap();
        let off = (estimate.value - truth) / error;
        assert!(off.abs() < 4.0, "{estimate:?} is {off} errors off {truth}");
        assert!(error < 0.35 * truth.abs(), "{estimate:?}");
    }
}

#[test]
fn effects_of_simulated_shops_are_recovered() {
    let (histories, covariates) = pareto_shops(5_000, 52);
    let options = CovariateOptions::default();
    let fitted = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &options).unwrap();
    let truth = [
        ("r", 0.8),
        ("alpha", 5.0),
        ("s", 1.2),
        ("beta", 20.0),
        ("trans.online", 0.5),
        ("trans.abroad", -0.3),
        ("life.online", -0.6),
        ("life.abroad", 0.4),
    ];
    check_recovered(&fitted.report, &truth);
    let again = fitted.log_likelihood_of(&histories, &covariates).unwrap();
    assert!((again / fitted.report.log_likelihood - 1.0).abs() < 1e-12);

    // Each covariate explains something, and less than both.
    let without = ParetoNbd::fit(&histories, &FitOptions::default()).unwrap();
    let one = CovariateOptions {
        transaction: Some(vec!["online".into()]),
        lifetime: Some(vec!["online".into()]),
        ..CovariateOptions::default()
    };
    let one = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &one).unwrap();
    let test = fitted.report.likelihood_ratio(&one.report).unwrap();
    assert!(test.degrees == 2 && test.p_value < 1e-6, "{test:?}");
    let test = one.report.likelihood_ratio(&without.report).unwrap();
    assert!(test.degrees == 2 && test.p_value < 1e-6, "{test:?}");
    assert!(fitted.report.bic() < one.report.bic() && one.report.aic() < without.report.aic());
}

#[test]
fn effects_on_the_bg_family_are_recovered() {
    let kinds = [0.0, 1.0, 2.0];
    let of = |make: &dyn Fn(f64, f64, f64) -> PurchaseProcess| {
        kinds.map(|z: f64| {
            make(
                6.0 * (-0.4 * z).exp(),
                0.6 * (0.7 * z).exp(),
                1.0 * (0.7 * z).exp(),
            )
        })
    };
    let names = ["r", "alpha", "a", "b", "trans.size", "life.size"];
    let truth = names.into_iter().zip([1.5, 6.0, 0.6, 1.0, 0.4, 0.7]);
    let truth: Vec<_> = truth.collect();
    let options = CovariateOptions::default();
    let column = |shop: &[usize]| vec![("size", shop.iter().map(|&s| kinds[s]).collect())];

    let processes = of(&|alpha, a, b| PurchaseProcess::bg_nbd(1.5, alpha, a, b));
    let (histories, shop) = shops(&processes, 3_000, 60, 5);
    let sizes = covariates(&column(&shop));
    let fitted = WithCovariates::<BgNbd>::fit(&histories, &sizes, &options).unwrap();
    check_recovered(&fitted.report, &truth);

    let processes = of(&|alpha, a, b| PurchaseProcess::mbg_cnbd(2, 1.5, alpha, a, b));
    let (histories, shop) = shops(&processes, 2_500, 60, 15);
    let sizes = covariates(&column(&shop));
    let best = Regularity::ByLikelihood;
    let fitted =
        WithCovariates::<MbgCnbd>::fit_regular(&histories, &sizes, best, &options).unwrap();
    assert_eq!(fitted.base().k(), 2);
    check_recovered(&fitted.report, &truth);
    let again = fitted.log_likelihood_of(&histories, &sizes).unwrap();
    assert!((again / fitted.report.log_likelihood - 1.0).abs() < 1e-12);
    let without = MbgCnbd::fit(&histories, best, &FitOptions::default()).unwrap();
    let test = fitted.report.likelihood_ratio(&without.report).unwrap();
    assert!(test.p_value < 1e-6, "{test:?}");
}

#[test]
fn a_continuous_covariate_makes_a_group_of_each_customer() {
    let (histories, known) = pareto_shops(400, 52);
    // What is known, and what has nothing to do with it.
    let noise = (0..histories.len()).map(|i| (i as f64 * 0.618_033_988_749_894_9).fract());
    let online = known.column("online").unwrap();
    let columns = [("online", online.to_vec()), ("noise", noise.collect())];
    let both = covariates(&columns);
    let options = CovariateOptions::default();
    let fitted = WithCovariates::<ParetoNbd>::fit(&histories, &both, &options).unwrap();
    assert!(fitted.report.distinct == histories.len());
    let alone = covariates(&columns[..1]);
    let without = WithCovariates::<ParetoNbd>::fit(&histories, &alone, &options).unwrap();
    let test = fitted.report.likelihood_ratio(&without.report).unwrap();
    assert!(test.degrees == 2 && test.p_value > 0.001, "{test:?}");
    let bound = fitted.bind(&both).unwrap();
    let mut batch = vec![0.0; histories.len()];
    bound
        .expected_purchases_batch(&histories, 26.0, &mut batch)
        .unwrap();
    assert!(batch.iter().all(|e| e.is_finite() && *e > 0.0));
}

#[test]
fn neither_scale_nor_origin_nor_order_matters() {
    let (histories, known) = pareto_shops(500, 52);
    let options = CovariateOptions::default();
    let fit = |histories: &Histories, columns: &[(&str, Vec<f64>)]| {
        let covariates = covariates(columns);
        WithCovariates::<ParetoNbd>::fit(histories, &covariates, &options).unwrap()
    };
    let [online, abroad] = ["online", "abroad"].map(|name| known.column(name).unwrap().to_vec());
    let plain = fit(
        &histories,
        &[("online", online.clone()), ("abroad", abroad.clone())],
    );
    let moved = online.iter().map(|z| 1000.0 * z + 2.0e4).collect();
    let other = fit(&histories, &[("online", moved), ("abroad", abroad.clone())]);
    let value = |fitted: &Fitted<WithCovariates<ParetoNbd>>, name: &str| {
        let estimate = fitted
            .report
            .parameters
            .iter()
            .find(|e| e.name == name)
            .unwrap();
        (estimate.value, estimate.standard_error.unwrap())
    };
    let close = |a: f64, b: f64, tolerance: f64| (a / b - 1.0).abs() < tolerance;
    for (name, unit) in [
        ("trans.online", 1000.0),
        ("life.online", 1000.0),
        ("life.abroad", 1.0),
    ] {
        let ((here, error), (there, its)) = (value(&plain, name), value(&other, name));
        assert!(close(here, there * unit, 1e-6), "{name}: {here} {there}");
        assert!(close(error, its * unit, 1e-5), "{name}: {error} {its}");
    }
    assert!(close(
        plain.report.log_likelihood,
        other.report.log_likelihood,
        1e-12
    ));
    let here = plain.at(&[("online", 1.0), ("abroad", 0.0)]).unwrap();
    let there = other.at(&[("online", 21_000.0), ("abroad", 0.0)]).unwrap();
    assert!(close(here.alpha(), there.alpha(), 1e-6) && close(here.beta(), there.beta(), 1e-6));

    // The rows backwards, and the columns the other way round.
    let backwards: Vec<u32> = (0..histories.len() as u32).rev().collect();
    let mirrored = histories.select(&backwards);
    let known = known.aligned_with(&mirrored).unwrap();
    let other = WithCovariates::<ParetoNbd>::fit(&mirrored, &known, &options).unwrap();
    for estimate in &plain.report.parameters {
        let there = other.report.value(&estimate.name).unwrap();
        assert!(close(estimate.value, there, 1e-7), "{estimate:?} {there}");
    }
}

#[test]
fn posteriors_are_as_wide_as_the_standard_errors_say() {
    let (histories, covariates) = pareto_shops(700, 40);
    let options = CovariateOptions {
        equal: vec!["abroad".into()],
        ..CovariateOptions::default()
    };
    let fitted = WithCovariates::<BgNbd>::fit(&histories, &covariates, &options).unwrap();
    let posterior = fitted.posterior(&histories, &covariates, 150, 4).unwrap();
    assert!(posterior.effective_sample_size() > 100.0);
    let place = fitted
        .report
        .parameters
        .iter()
        .position(|e| e.name == "trans.online")
        .unwrap();
    let estimate = &fitted.report.parameters[place];
    let online = posterior
        .interval(0.9, |model| model.transaction()[0].value)
        .unwrap();
    let (lower, upper) = estimate.interval(0.9).unwrap().unwrap();
    let width = (online.upper - online.lower) / (upper - lower);
    assert!((0.75..1.3).contains(&width), "{width}");
    assert!(
        posterior
            .draws()
            .iter()
            .all(|model| model.transaction()[1] == model.lifetime()[1])
    );

    let segment = posterior.at(&[("online", 1.0), ("abroad", 0.0)]).unwrap();
    let new = History::new(0, 0.0, 0.0).unwrap();
    let interval = segment
        .interval(0.9, |model| model.expected_purchases(&new, 52.0))
        .unwrap();
    let best = fitted.at(&[("online", 1.0), ("abroad", 0.0)]).unwrap();
    let best = best.expected_purchases(&new, 52.0);
    assert!(interval.lower < best && best < interval.upper);

    let few: Vec<u32> = (0..histories.len() as u32).step_by(97).collect();
    let few = histories.select(&few);
    let of_few = covariates.aligned_with(&few).unwrap();
    let alive =
        |model: &BgNbd, part: &Histories, out: &mut [f64]| model.probability_alive_batch(part, out);
    let intervals = posterior.intervals_with(&few, &of_few, 0.9, alive).unwrap();
    let mut points = vec![0.0; few.len()];
    let bound = fitted.bind(&of_few).unwrap();
    bound.probability_alive_batch(&few, &mut points).unwrap();
    for (interval, point) in intervals.iter().zip(points) {
        assert!(
            interval.lower <= point && point <= interval.upper,
            "{interval:?} {point}"
        );
    }
    assert!(
        posterior
            .intervals_with(&few, &covariates, 0.9, alive)
            .is_err()
    );
}

#[test]
fn contracts_with_covariates() {
    // The exact shares of two plans that differ by the covariates' effects.
    let truth = [
        Sbg::new(0.8, 4.0).unwrap(),
        Sbg::new(0.8 * 1.5, 4.0 / 1.25).unwrap(),
    ];
    let (mut contracts, mut plan) = (Vec::new(), Vec::new());
    for (number, curve) in [0.0, 1.0].into_iter().zip(&truth) {
        let left = |t: u32| (20_000.0 * curve.survival(t)).round() as u32;
        for t in 1..=8 {
            for _ in left(t)..left(t - 1) {
                contracts.push(Subscription {
                    periods: t,
                    active: false,
                });
                plan.push(number);
            }
        }
        for _ in 0..left(8) {
            contracts.push(Subscription {
                periods: 8,
                active: true,
            });
            plan.push(number);
        }
    }
    let plan = covariates(&[("plan", plan)]);
    let options = ContractCovariateOptions::default();
    let fitted = WithCovariates::<Sbg>::fit(&contracts, &plan, &options).unwrap();
    // Minus the logarithms of what α and β are multiplied by.
    let effects = [("alpha.plan", -(1.5f64.ln())), ("beta.plan", 1.25f64.ln())];
    check_recovered(
        &fitted.report,
        &[&[("alpha", 0.8), ("beta", 4.0)][..], &effects].concat(),
    );
    let own = fitted.at(&[("plan", 1.0)]).unwrap();
    assert!((own.survival(5) - truth[1].survival(5)).abs() < 1e-3);
    let again = fitted.log_likelihood_of(&contracts, &plan).unwrap();
    assert!((again / fitted.report.log_likelihood - 1.0).abs() < 1e-12);
    assert_eq!(fitted.alpha()[0].covariate, "plan");
    let posterior = fitted.posterior(&contracts, &plan, 200, 9).unwrap();
    let segment = posterior.at(&[("plan", 1.0)]).unwrap();
    let interval = segment.interval(0.99, |curve| curve.survival(5)).unwrap();
    assert!(interval.lower < own.survival(5) && own.survival(5) < interval.upper);
    let saved = serde_json::to_string(&*fitted).unwrap();
    let loaded: WithCovariates<Sbg> = serde_json::from_str(&saved).unwrap();
    assert_eq!(loaded, *fitted);
    let error = WithCovariates::<Sbg>::fit(&contracts[1..], &plan, &options).unwrap_err();
    assert!(error.to_string().ends_with("as in `contracts`"), "{error}");
}
