//! Pareto/NBD and NBD: the laws over twelve orders of magnitude, data without a best model, simulated
//! truth.

#[path = "common/any_history.rs"]
mod any_history;
#[path = "common/counted.rs"]
mod counted;
#[path = "common/sizes.rs"]
mod sizes;

use proptest::prelude::*;
use tenure::event::{Timestamp, Zone};
use tenure::lifetime::{
    CustomerValue, Discount, FitOptions, FitReport, FitStatus, FuturePurchases, Horizon, Limit,
    Nbd, ParetoNbd, PurchaseDistribution, PurchaseModel, UnitSpend, laws,
};
use tenure::simulate::{PurchaseProcess, Retailer, RetailerConfig};
use tenure::summary::{
    Grain, History, PurchaseOptions, PurchaseSummary, Purchases, Refunds, TimeUnit,
};

use any_history::any_history;
use counted::histories;
use sizes::any_size;

fn any_model() -> impl Strategy<Value = ParetoNbd> {
    [any_size(), any_size(), any_size(), any_size()]
        .prop_map(|[r, alpha, s, beta]| ParetoNbd::new(r, alpha, s, beta).unwrap())
}

fn new_customer() -> History {
    History::new(0, 0.0, 0.0).unwrap()
}

proptest! {
    #[test]
    fn answers_are_finite_and_probabilities_are_probabilities(
        model in any_model(), history in any_history(), horizon in any_size(),
    ) {
        let alive = model.probability_alive(&history);
        prop_assert!((0.0..=1.0).contains(&alive), "P(alive) {alive}");
        let later = model.probability_alive_after(&history, horizon);
        prop_assert!((0.0..=alive).contains(&later), "P(alive) {later} after {horizon}");
        let expected = model.expected_purchases(&history, horizon);
        prop_assert!(expected.is_finite() && expected >= 0.0, "expected {expected}");
        // Buying at the posterior mean rate while alive: more than for as long as the customer is
        // there at the end, less than for the whole time.
        let rate = (model.r() + f64::from(history.frequency)) / (model.alpha() + history.age);
        prop_assert!(expected <= alive * rate * horizon * (1.0 + 1e-9), "expected {expected}");
        prop_assert!(expected >= later * rate * horizon * (1.0 - 1e-9), "expected {expected}");
        let log_likelihood = model.log_likelihood(&history);
        prop_assert!(log_likelihood.is_finite(), "log-likelihood {log_likelihood}");
    }

    #[test]
    fn who_bought_this_moment_is_alive(model in any_model(), x in 1u32..100_000, age in any_size()) {
        let alive = model.probability_alive(&History::new(x, age, age).unwrap());
        prop_assert!((alive - 1.0).abs() < 1e-12, "{alive}");
    }

    /// Over the moment of the last purchase, the densities are those of the count: a customer who
    /// bought once did so somewhere in (0, T).
    #[test]
    fn likelihoods_of_one_purchase_sum_to_its_probability(
        r in 0.2..3.0f64, alpha in 0.5..20.0f64, s in 0.2..3.0f64, beta in 0.5..20.0f64, age in 1.0..50.0f64,
    ) {
        let model = ParetoNbd::new(r, alpha, s, beta).unwrap();
        let likelihood = |t: f64| model.log_likelihood(&History::new(1, t.min(age), age).unwrap()).exp();
        // Simpson, in steps small beside alpha and beta.
        let steps = 8000;
        let sum: f64 = (0..=steps)
            .map(|i| {
                let weight = if i == 0 || i == steps { 1.0 } else if i % 2 == 1 { 4.0 } else { 2.0 };
                weight * likelihood(age * f64::from(i) / f64::from(steps))
            })
            .sum();
        let integral = sum * age / f64::from(steps) / 3.0;
        let mut probabilities = [0.0; 2];
        model.purchase_probabilities(age, &mut probabilities);
        prop_assert!((integral / probabilities[1] - 1.0).abs() < 1e-6, "{integral} {probabilities:?}");
        let none = model.log_likelihood(&History::new(0, 0.0, age).unwrap()).exp();
        prop_assert!((none / probabilities[0] - 1.0).abs() < 1e-11, "{none} {probabilities:?}");
    }

    #[test]
    fn no_purchase_is_as_likely_as_the_likelihood_says(model in any_model(), t in any_size()) {
        let mut probabilities = vec![f64::NAN; 60];
        model.purchase_probabilities(t, &mut probabilities);
        for (n, p) in probabilities.iter().enumerate() {
            prop_assert!((0.0..=1.0 + 1e-12).contains(p), "P({n}) = {p}");
        }
        let total: f64 = probabilities.iter().sum();
        prop_assert!(total <= 1.0 + 1e-9, "{total}");
        let none = model.log_likelihood(&History::new(0, 0.0, t).unwrap()).exp();
        prop_assert!((probabilities[0] - none).abs() <= 1e-9 * none, "{} {none}", probabilities[0]);
    }

    #[test]
    fn discounted_residual_purchases_are_the_discounted_flow(
        model in any_model(), history in any_history(), rate in 1e-4..1.0f64,
    ) {
        let residual = model.discounted_residual_purchases(&history, rate);
        prop_assert!(residual.is_finite() && residual >= 0.0, "{residual}");
        let undiscounted = model.expected_purchases(&history, 1e-3 / rate);
        prop_assert!(residual >= undiscounted * (-1.001e-3f64).exp() * (1.0 - 1e-6));
        let steady = model.probability_alive(&history) * (model.r() + f64::from(history.frequency))
            / (model.alpha() + history.age) / rate;
        prop_assert!(residual <= steady * (1.0 + 1e-9), "{residual} {steady}");
    }

    #[test]
    fn another_unit_of_time_changes_no_answer(
        model in any_model(), history in any_history(), unit in any_size(), horizon in 0.1..1000.0f64,
    ) {
        let x = f64::from(history.frequency);
        let there = ParetoNbd::new(model.r(), model.alpha() * unit, model.s(), model.beta() * unit).unwrap();
        let scaled = History::new(history.frequency, history.recency * unit, history.age * unit).unwrap();
        let here = model.log_likelihood(&history);
        let moved = there.log_likelihood(&scaled) + x * unit.ln();
        prop_assert!((here - moved).abs() <= 1e-11 * (1.0 + here.abs() + x * 40.0), "{here} {moved}");
        let (here, moved) = (model.probability_alive(&history), there.probability_alive(&scaled));
        prop_assert!((here - moved).abs() <= 1e-9, "{here} {moved}");
        let here = model.expected_purchases(&history, horizon);
        let moved = there.expected_purchases(&scaled, horizon * unit);
        prop_assert!((here - moved).abs() <= 1e-8 * here + 1e-12, "{here} {moved}");
    }

    #[test]
    fn leaving_can_be_so_slow_that_nobody_does(
        r in any_size(), alpha in any_size(), history in any_history(), horizon in 0.1..100.0f64,
    ) {
        let pareto = ParetoNbd::new(r, alpha, 1e-9, 1e9).unwrap();
        let nbd = Nbd::new(r, alpha).unwrap();
        // With a long enough silence even the rarest leaving explains it best.
        prop_assume!(pareto.probability_alive(&history) > 1.0 - 1e-7);
        let (here, there) = (
            pareto.expected_purchases(&history, horizon),
            nbd.expected_purchases(&history, horizon),
        );
        prop_assert!((here / there - 1.0).abs() < 1e-6, "{here} {there}");
        let (mut here, mut there) = ([0.0; 30], [0.0; 30]);
        pareto.purchase_probabilities(horizon, &mut here);
        nbd.purchase_probabilities(horizon, &mut there);
        for (here, there) in here.into_iter().zip(there) {
            prop_assert!((here - there).abs() < 1e-6, "{here} {there}");
        }
    }

    #[test]
    fn answers_of_nbd(r in any_size(), alpha in any_size(), history in any_history(), t in any_size()) {
        let model = Nbd::new(r, alpha).unwrap();
        prop_assert!(model.log_likelihood(&history).is_finite());
        let mut probabilities = vec![f64::NAN; 40];
        model.purchase_probabilities(t, &mut probabilities);
        for (n, p) in (0..).zip(probabilities) {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&p), "P({n}) = {p}");
            let likelihood = model.log_likelihood(&History::new(n, 0.0, t).unwrap()).exp();
            prop_assert!((likelihood - p).abs() <= 1e-9 * p, "{p} {likelihood}");
        }
        let by_rate = model.discounted_residual_purchases(&history, 0.01);
        let value = CustomerValue::new(&model, &UnitSpend, Discount::none())
            .of(&history, TimeUnit::Week, Horizon::of(100, TimeUnit::Week)).unwrap();
        prop_assert!((value / by_rate - 1.0).abs() < 1e-9, "{value} {by_rate}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_model_keeps_the_laws(model in any_model()) {
        let nbd = Nbd::new(model.r(), model.alpha()).unwrap();
        for model in [&model as &dyn PurchaseModel, &nbd] {
            if let Err(violation) = laws::check(model) {
                prop_assert!(false, "{violation}");
            }
        }
    }

    #[test]
    fn a_distribution_has_the_expected_mean(
        r in 0.1..3.0f64, s in 0.3..5.0f64, beta in 0.1..5.0f64, t in 0.1..5.0f64,
    ) {
        let model = ParetoNbd::new(r, 1.0, s, beta).unwrap();
        let mut probabilities = vec![0.0; 1000];
        model.purchase_probabilities(t, &mut probabilities);
        let mean: f64 = probabilities.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let expected = model.expected_purchases(&new_customer(), t);
        prop_assert!((mean - expected).abs() < 1e-9 * (1.0 + expected), "{mean} {expected}");
        let total: f64 = probabilities.iter().sum();
        prop_assert!((total - 1.0).abs() < 1e-10, "{total}");
    }
}

fn drift(report: &FitReport) -> Vec<(&str, Limit)> {
    assert!(report.covariance.is_none());
    let FitStatus::Boundary { drift } = &report.status else {
        panic!("{report:?}");
    };
    let named = drift.iter().map(|d| (d.parameter.as_ref(), d.limit));
    named.collect()
}

/// Fits both models, promptly, and answers for everybody.
fn fit(rows: &[(u32, f64, f64, usize)]) -> (FitReport, FitReport) {
    let histories = histories(rows);
    let pareto = ParetoNbd::fit(&histories, &FitOptions::default()).unwrap();
    let nbd = Nbd::fit(&histories, &FitOptions::default()).unwrap();
    assert!(pareto.report.iterations.max(nbd.report.iterations) < 200);
    for history in histories.iter() {
        for model in [&*pareto as &dyn PurchaseModel, &*nbd] {
            let expected = model.expected_purchases(&history, 52.0);
            assert!(expected.is_finite() && expected >= 0.0, "{expected}");
            let alive = model.probability_alive(&history);
            assert!((0.0..=1.0).contains(&alive), "{alive}");
        }
    }
    (pareto.report, nbd.report)
}

#[test]
fn nobody_repeats() {
    let (pareto, nbd) = fit(&[(0, 0.0, 39.0, 50), (0, 0.0, 30.0, 10)]);
    for report in [pareto, nbd] {
        assert_eq!(drift(&report), [("r", Limit::Zero)]);
        assert!(report.log_likelihood.abs() < 1e-6);
    }
}

#[test]
fn nobody_leaves() {
    let rows = [
        (0, 0.0, 2.0, 30),
        (1, 38.0, 39.0, 20),
        (4, 38.0, 39.0, 20),
        (12, 38.5, 39.0, 20),
        (40, 38.9, 39.0, 10),
    ];
    let (pareto, nbd) = fit(&rows);
    assert!(
        drift(&pareto)
            .iter()
            .all(|(name, _)| ["s", "beta"].contains(name))
    );
    assert_eq!(nbd.status, FitStatus::Interior);
}

#[test]
fn all_customers_buy_at_one_rate() {
    let rows = [
        (4, 36.0, 39.0, 40),
        (4, 30.0, 39.0, 20),
        (4, 20.0, 39.0, 10),
        (3, 10.0, 39.0, 10),
        (5, 38.0, 39.0, 20),
    ];
    let (pareto, nbd) = fit(&rows);
    for report in [pareto, nbd] {
        let drift = drift(&report);
        assert!(drift.contains(&("r", Limit::Infinity)), "{drift:?}");
        assert!(drift.contains(&("alpha", Limit::Infinity)), "{drift:?}");
    }
}

#[test]
fn one_customer() {
    fit(&[(3, 20.0, 39.0, 1)]);
    fit(&[(0, 0.0, 39.0, 1)]);
    fit(&[(1, 0.0, 0.1, 1)]);
}

#[test]
fn no_customers_and_no_time_are_errors() {
    let options = FitOptions::default();
    let errors = |rows: &[(u32, f64, f64, usize)]| {
        let histories = histories(rows);
        [
            ParetoNbd::fit(&histories, &options)
                .unwrap_err()
                .to_string(),
            Nbd::fit(&histories, &options).unwrap_err().to_string(),
        ]
    };
    for error in errors(&[]) {
        assert_eq!(error, "0 customers, but at least 1 are needed");
    }
    for error in errors(&[(0, 0.0, 0.0, 3)]) {
        assert!(
            error.starts_with("the purchase rate cannot be determined"),
            "{error}"
        );
    }
    let in_no_time = histories(&[(1, 0.0, 0.0, 1), (2, 1.0, 2.0, 5)]);
    let error = Nbd::fit(&in_no_time, &options).unwrap_err().to_string();
    assert!(error.contains("T = 0"), "{error}");
    assert!(ParetoNbd::fit(&in_no_time, &options).is_ok());
}

#[test]
fn what_cannot_be_is_not_loaded() {
    let model = ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap();
    let saved = serde_json::to_string(&model).unwrap();
    assert_eq!(
        saved,
        r#"{"format":1,"r":0.553,"alpha":10.578,"s":0.606,"beta":11.669}"#
    );
    assert_eq!(serde_json::from_str::<ParetoNbd>(&saved).unwrap(), model);
    for broken in [
        saved.replace("0.606", "0.0"),
        saved.replace("\"format\":1", "\"format\":2"),
        saved.replace("\"s\"", "\"a\""),
    ] {
        assert!(
            serde_json::from_str::<ParetoNbd>(&broken).is_err(),
            "{broken}"
        );
    }
    let nbd = Nbd::new(0.385, 12.072).unwrap();
    let saved = serde_json::to_string(&nbd).unwrap();
    assert_eq!(serde_json::from_str::<Nbd>(&saved).unwrap(), nbd);
    assert!(serde_json::from_str::<Nbd>(&saved.replace("12.072", "-1.0")).is_err());
}

const WEEK_S: i64 = 7 * 86_400;
/// Weeks that a shop is observed before the hold-out of the same length.
const OBSERVED: i64 = 39;

fn shop(purchase: PurchaseProcess, customers: u64, seed: u64) -> (Purchases, Timestamp) {
    let config = RetailerConfig {
        purchase,
        ..RetailerConfig::cdnow_like(customers, seed)
    };
    let end = config.start.saturating_add_s(OBSERVED * WEEK_S);
    let log = Retailer::new(config).unwrap().transactions().unwrap();
    let options = PurchaseOptions {
        grain: Grain::Instant,
        zone: Zone::UTC,
        refunds: Refunds::Ignore,
    };
    let summary = PurchaseSummary::collect(&log, &options).unwrap();
    (summary.into_purchases().unwrap(), end)
}

fn check_recovered(report: &FitReport, truth: &[f64]) {
    assert_eq!(report.status, FitStatus::Interior);
    for (estimate, truth) in report.parameters.iter().zip(truth) {
        let error = estimate.standard_error.unwrap();
        let off = (estimate.value - truth) / error;
        assert!(off.abs() < 4.0, "{estimate:?} is {off} errors off {truth}");
        assert!(error < 0.35 * truth, "{estimate:?}");
    }
}

#[test]
fn parameters_of_simulated_shops_are_recovered() {
    let options = FitOptions::default();
    let truth = [0.8, 5.0, 1.2, 20.0];
    let process = PurchaseProcess::pareto_nbd(0.8, 5.0, 1.2, 20.0);
    let (purchases, end) = shop(process, 40_000, 21);
    let histories = purchases.histories(end, TimeUnit::Week).unwrap();
    let fitted = ParetoNbd::fit(&histories, &options).unwrap();
    check_recovered(&fitted.report, &truth);
    let each: f64 = histories.iter().map(|h| fitted.log_likelihood(&h)).sum();
    assert!((each / fitted.report.log_likelihood - 1.0).abs() < 1e-11);

    // Those who buy in the hold-out are those who were said to be alive.
    let until = end.saturating_add_s(OBSERVED * WEEK_S);
    let actual = purchases.holdout(&histories, end, until).unwrap().purchases;
    let mut alive = vec![0.0; histories.len()];
    let mut expected = vec![0.0; histories.len()];
    let [r, alpha, s, beta] = truth;
    let model = ParetoNbd::new(r, alpha, s, beta).unwrap();
    model
        .probability_alive_batch(&histories, &mut alive)
        .unwrap();
    model
        .expected_purchases_batch(&histories, OBSERVED as f64, &mut expected)
        .unwrap();
    for (from, to) in [(0.0, 0.4), (0.4, 0.8), (0.8, 1.0)] {
        let group = || {
            alive
                .iter()
                .enumerate()
                .filter(|(_, p)| (from..=to).contains(*p))
        };
        let expected: f64 = group().map(|(row, _)| expected[row]).sum();
        let bought: f64 = group().map(|(row, _)| f64::from(actual[row])).sum();
        assert!(
            (bought / expected - 1.0).abs() < 0.06,
            "{from}: {bought} {expected}"
        );
    }

    let process = PurchaseProcess::nbd(0.5, 6.0);
    let (purchases, end) = shop(process, 6_000, 4);
    let histories = purchases.histories(end, TimeUnit::Week).unwrap();
    let fitted = Nbd::fit(&histories, &options).unwrap();
    check_recovered(&fitted.report, &[0.5, 6.0]);
    let each: f64 = histories.iter().map(|h| fitted.log_likelihood(&h)).sum();
    assert!((each / fitted.report.log_likelihood - 1.0).abs() < 1e-11);
}

#[test]
fn posteriors_are_as_wide_as_the_standard_errors_say() {
    let process = PurchaseProcess::pareto_nbd(0.8, 5.0, 1.2, 20.0);
    let (purchases, end) = shop(process, 3_000, 9);
    let histories = purchases.histories(end, TimeUnit::Day).unwrap();
    let distinct = histories.distinct();
    let pareto = ParetoNbd::fit(&histories, &FitOptions::default()).unwrap();
    let posterior = pareto.posterior(&distinct, 100, 5).unwrap();
    let r = posterior.interval(0.9, ParetoNbd::r).unwrap();
    let nbd = Nbd::fit(&histories, &FitOptions::default()).unwrap();
    let posterior = nbd.posterior(&distinct, 400, 5).unwrap();
    let alpha = posterior.interval(0.9, Nbd::alpha).unwrap();
    let places = [
        (r, &pareto.report.parameters[0]),
        (alpha, &nbd.report.parameters[1]),
    ];
    for (interval, estimate) in places {
        let width =
            (interval.upper - interval.lower) / (2.0 * 1.645 * estimate.standard_error.unwrap());
        assert!((0.8..1.2).contains(&width), "{width}");
    }
}
