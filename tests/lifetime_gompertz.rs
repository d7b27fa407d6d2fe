//! GG/NBD: the laws over twelve orders of magnitude, data without a best model, simulated truth.

#[path = "common/any_history.rs"]
mod any_history;
#[path = "common/cdnow.rs"]
mod cdnow;
#[path = "common/counted.rs"]
mod counted;
#[path = "common/sizes.rs"]
mod sizes;

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tenure::lifetime::{
    FitOptions, FitStatus, FuturePurchases, GompertzGammaNbd, Limit, ParetoNbd,
    PurchaseDistribution, PurchaseModel, laws,
};
use tenure::summary::{Histories, History, HistoryColumns, TimeUnit};

use any_history::any_history;
use counted::histories;
use sizes::any_size;

fn any_model() -> impl Strategy<Value = GompertzGammaNbd> {
    let sizes = [any_size(), any_size(), any_size(), any_size(), any_size()];
    sizes.prop_map(|[r, alpha, b, s, beta]| GompertzGammaNbd::new(r, alpha, b, s, beta).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

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

    #[test]
    fn no_purchase_is_as_likely_as_the_likelihood_says(model in any_model(), t in any_size()) {
        let mut probabilities = vec![f64::NAN; 12];
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
        let there = GompertzGammaNbd::new(
            model.r(), model.alpha() * unit, model.b() / unit, model.s(), model.beta(),
        ).unwrap();
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

    /// A hazard that hardly grows at a level that starts high: Pareto/NBD.
    #[test]
    fn with_small_b_and_beta_it_is_pareto_nbd(
        r in 0.1..5.0f64, alpha in 1.0..50.0f64, s in 0.1..5.0f64, beta in 1.0..50.0f64,
        x in 0u32..30, last in 0.0..=1.0f64, age in 1.0..100.0f64,
    ) {
        let small = 1e-9;
        let gompertz = GompertzGammaNbd::new(r, alpha, small, s, small * beta).unwrap();
        let pareto = ParetoNbd::new(r, alpha, s, beta).unwrap();
        let history = History::new(x, if x == 0 { 0.0 } else { last * age }, age).unwrap();
        let close = |left: f64, right: f64| (left - right).abs() < 1e-6 * (1.0 + left.abs());
        prop_assert!(close(gompertz.log_likelihood(&history), pareto.log_likelihood(&history)));
        prop_assert!(close(gompertz.probability_alive(&history), pareto.probability_alive(&history)));
        prop_assert!(close(
            gompertz.expected_purchases(&history, 39.0), pareto.expected_purchases(&history, 39.0),
        ));
        let (mut of_gompertz, mut of_pareto) = ([0.0; 8], [0.0; 8]);
        gompertz.purchase_probabilities(age, &mut of_gompertz);
        pareto.purchase_probabilities(age, &mut of_pareto);
        prop_assert!(of_gompertz.into_iter().zip(of_pareto).all(|(left, right)| close(left, right)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn every_model_keeps_the_laws(model in any_model()) {
        if let Err(violation) = laws::check(&model) {
            prop_assert!(false, "{violation} ({model:?})");
        }
    }

    #[test]
    fn a_distribution_has_the_expected_mean(
        r in 0.1..3.0f64, b in 0.1..3.0f64, s in 0.3..5.0f64, beta in 0.1..100.0f64, t in 0.1..5.0f64,
    ) {
        let model = GompertzGammaNbd::new(r, 1.0, b, s, beta).unwrap();
        let mut probabilities = vec![0.0; 600];
        model.purchase_probabilities(t, &mut probabilities);
        let mean: f64 = probabilities.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let expected = model.expected_purchases(&History::new(0, 0.0, 0.0).unwrap(), t);
        prop_assert!((mean - expected).abs() < 1e-9 * (1.0 + expected), "{mean} {expected}");
        let total: f64 = probabilities.iter().sum();
        prop_assert!((total - 1.0).abs() < 1e-10, "{total}");
    }
}

#[test]
fn what_comes_next_keeps_the_laws() {
    for [r, alpha, b, s, beta] in [
        [0.5531, 10.5758, 0.01, 0.6068, 0.12],
        [2.0, 6.0, 0.15, 1.0, 20.0],
        [0.1, 30.0, 0.002, 3.0, 0.5],
    ] {
        let model = GompertzGammaNbd::new(r, alpha, b, s, beta).unwrap();
        laws::check_future(&model).unwrap();
    }
}

/// Among 4,000 customers who follow the model, as many buy on, and as many are there later, as it says.
#[test]
fn simulated_customers_do_what_is_expected_of_them() {
    let model = GompertzGammaNbd::new(2.0, 6.0, 0.15, 1.0, 20.0).unwrap();
    let (seen, more) = shop_with_future(4_000, [6.0, 0.15, 20.0], 11, 12.0);
    let (mut none, mut early, mut spread) = (0.0, 0.0, 0.0);
    let (mut without, mut soon) = (0.0, 0.0);
    for (history, (purchases, next)) in seen.iter().zip(more) {
        let mut counts = [0.0];
        model.future_purchase_probabilities(&history, 12.0, &mut counts);
        let by = model.probability_of_purchase(&history, 3.0);
        none += counts[0];
        early += by;
        spread += by * (1.0 - by);
        without += f64::from(u8::from(purchases == 0));
        soon += f64::from(u8::from(next <= 3.0));
    }
    let slack = 4.0 * f64::sqrt(spread);
    assert!(
        (soon - early).abs() < slack,
        "{soon}, expected {early} to {slack}"
    );
    assert!(
        (without - none).abs() < 2.0 * slack,
        "{without}, expected {none}"
    );
}

/// A shop whose customers follow the model with r = 2 and s = 1, observed for 30 to 60 weeks by the half week.
fn shop(customers: u32, parameters: [f64; 3], seed: u64) -> Histories {
    shop_with_future(customers, parameters, seed, 0.0).0
}

/// The same, with the purchases of each in the `ahead` weeks after, and the time to the first of them.
fn shop_with_future(
    customers: u32,
    [alpha, b, beta]: [f64; 3],
    seed: u64,
    ahead: f64,
) -> (Histories, Vec<(u32, f64)>) {
    let mut future = Vec::new();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut exponential = move || -(1.0 - rng.random::<f64>()).ln();
    let mut columns = HistoryColumns::default();
    for customer in 0..customers {
        let age = 30.0 + f64::from(customer % 6) * 6.0;
        let rate = (exponential() + exponential()) / alpha;
        let level = exponential() / beta;
        let leaves = (exponential() / level).ln_1p() / b;
        let end = leaves.min(age + ahead);
        let (mut more, mut first) = (0, f64::INFINITY);
        let mut now = 0.0;
        let (mut x, mut recency) = (0, 0.0);
        loop {
            now += exponential() / rate;
            if now > end {
                break;
            }
            if now <= age {
                (x, recency) = (x + 1, now);
            } else {
                more += 1;
                first = first.min(now - age);
            }
        }
        columns.frequency.push(x);
        columns.recency.push((recency * 2.0).round() / 2.0);
        columns.age.push(age);
        future.push((more, first));
    }
    (
        Histories::from_columns(TimeUnit::Week, columns).unwrap(),
        future,
    )
}

#[test]
fn parameters_of_a_simulated_shop_are_recovered() {
    let truth = [2.0, 6.0, 0.15, 1.0, 20.0];
    let histories = shop(2_500, [6.0, 0.15, 20.0], 3);
    let fitted = GompertzGammaNbd::fit(&histories, &FitOptions::default()).unwrap();
    assert_eq!(fitted.report.status, FitStatus::Interior);
    for (estimate, truth) in fitted.report.parameters.iter().zip(truth) {
        let error = estimate.standard_error.unwrap();
        let off = (estimate.value - truth) / error;
        assert!(off.abs() < 4.0, "{estimate:?} is {off} errors off {truth}");
        assert!(error < 0.5 * truth, "{estimate:?}");
    }
    // Those lifetimes have a mode, which Pareto/NBD does not know.
    let pareto = ParetoNbd::fit(&histories, &FitOptions::default()).unwrap();
    let gain = fitted.report.log_likelihood - pareto.report.log_likelihood;
    assert!(gain > 20.0, "{gain}");
    let each: f64 = histories.iter().map(|h| fitted.log_likelihood(&h)).sum();
    assert!((each / fitted.report.log_likelihood - 1.0).abs() < 1e-11);

    let posterior = fitted.posterior(&histories.distinct(), 20, 5).unwrap();
    assert!(posterior.effective_sample_size() > 20.0);
    let interval = posterior.interval(0.9, GompertzGammaNbd::b).unwrap();
    let error = fitted.report.parameters[2].standard_error.unwrap();
    let width = (interval.upper - interval.lower) / (2.0 * 1.645 * error);
    assert!((0.5..1.7).contains(&width), "{width}");
}

/// Its customers want nothing that Pareto/NBD has not.
#[test]
fn cdnow_is_a_limit() {
    let histories = cdnow::calibration(&cdnow::purchases());
    let fitted = GompertzGammaNbd::fit(&histories, &FitOptions::default()).unwrap();
    let pareto = ParetoNbd::fit(&histories, &FitOptions::default()).unwrap();
    let gain = fitted.report.log_likelihood - pareto.report.log_likelihood;
    assert!(gain.abs() < 1e-6, "{gain}");
    let FitStatus::Boundary { drift } = &fitted.report.status else {
        panic!("{:?}", fitted.report);
    };
    let drift: Vec<_> = drift
        .iter()
        .map(|d| (d.parameter.as_ref(), d.limit))
        .collect();
    assert_eq!(drift, [("b", Limit::Zero), ("beta", Limit::Zero)]);
    let scale = fitted.beta() / fitted.b();
    assert!((scale / pareto.beta() - 1.0).abs() < 1e-4, "{scale}");
}

fn drift(rows: &[(u32, f64, f64, usize)]) -> Vec<(String, Limit)> {
    let histories = histories(rows);
    let fitted = GompertzGammaNbd::fit(&histories, &FitOptions::default()).unwrap();
    for history in histories.iter() {
        let expected = fitted.expected_purchases(&history, 52.0);
        assert!(expected.is_finite() && expected >= 0.0, "{expected}");
        assert!((0.0..=1.0).contains(&fitted.probability_alive(&history)));
    }
    match &fitted.report.status {
        FitStatus::Boundary { drift } => {
            assert!(fitted.report.covariance.is_none());
            let named = drift.iter().map(|d| (d.parameter.to_string(), d.limit));
            named.collect()
        }
        status => panic!("{status:?} {:?}", fitted.report),
    }
}

#[test]
fn data_without_a_best_model_say_so() {
    let nobody_repeats = drift(&[(0, 0.0, 39.0, 50), (0, 0.0, 30.0, 10)]);
    assert_eq!(nobody_repeats, [("r".to_owned(), Limit::Zero)]);
    let nobody_leaves = drift(&[
        (0, 0.0, 2.0, 30),
        (1, 38.0, 39.0, 20),
        (4, 38.0, 39.0, 20),
        (12, 38.5, 39.0, 20),
        (40, 38.9, 39.0, 10),
    ]);
    let of_leaving = |(name, _): &(String, Limit)| ["b", "s", "beta"].contains(&name.as_str());
    assert!(nobody_leaves.iter().all(of_leaving), "{nobody_leaves:?}");
    drift(&[(3, 20.0, 39.0, 1)]);
}

#[test]
fn what_cannot_be_is_not_loaded() {
    let model = GompertzGammaNbd::new(0.55, 10.5, 0.01, 0.6, 0.12).unwrap();
    let saved = serde_json::to_string(&model).unwrap();
    assert_eq!(
        saved,
        r#"{"format":1,"r":0.55,"alpha":10.5,"b":0.01,"s":0.6,"beta":0.12}"#
    );
    let loaded = serde_json::from_str::<GompertzGammaNbd>(&saved);
    assert_eq!(loaded.unwrap(), model);
    for broken in [
        saved.replace("0.6", "0.0"),
        saved.replace("\"format\":1", "\"format\":2"),
        saved.replace("\"s\"", "\"a\""),
    ] {
        let loaded = serde_json::from_str::<GompertzGammaNbd>(&broken);
        assert!(loaded.is_err(), "{broken}");
    }
}
