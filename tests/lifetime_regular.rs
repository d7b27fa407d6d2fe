//! MBG/NBD and the regular models: laws over twelve orders of magnitude, the truth of simulated
//! shops, data without a maximum in the interior.

#[path = "common/sizes.rs"]
mod sizes;

use proptest::prelude::*;
use tenure::Error;
use tenure::event::{DAY_S, Timestamp, Zone};
use tenure::lifetime::{
    BgCnbd, BgNbd, FitOptions, FitReport, FitStatus, Limit, MbgCnbd, MbgNbd, PurchaseDistribution,
    PurchaseModel, Regularity, laws,
};
use tenure::simulate::{Dropout, PurchaseProcess, Retailer, RetailerConfig};
use tenure::summary::{
    Grain, Histories, History, HistoryColumns, PurchaseOptions, PurchaseSummary, Purchases,
    Refunds, TimeUnit,
};

use sizes::any_size;

/// A model of the family with any k, and what the trait does not ask.
trait Member: PurchaseDistribution {
    fn log_likelihood(&self, history: &History) -> f64;
}

impl Member for BgCnbd {
    fn log_likelihood(&self, history: &History) -> f64 {
        self.log_likelihood(history)
    }
}

impl Member for MbgCnbd {
    fn log_likelihood(&self, history: &History) -> f64 {
        self.log_likelihood(history)
    }
}

/// Which member, and with which parameters.
#[derive(Debug, Clone, Copy)]
struct Choice {
    at_first: bool,
    k: u32,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

impl Choice {
    fn model(self) -> Box<dyn Member> {
        let Self {
            k, r, alpha, a, b, ..
        } = self;
        if self.at_first {
            Box::new(MbgCnbd::new(k, r, alpha, a, b).unwrap())
        } else {
            Box::new(BgCnbd::new(k, r, alpha, a, b).unwrap())
        }
    }
}

fn any_choice() -> impl Strategy<Value = Choice> {
    let sizes = [any_size(), any_size(), any_size(), any_size()];
    (any::<bool>(), 1u32..=12, sizes).prop_map(|(at_first, k, [r, alpha, a, b])| Choice {
        at_first,
        k,
        r,
        alpha,
        a,
        b,
    })
}

fn any_history() -> impl Strategy<Value = History> {
    let frequency = prop_oneof![0u32..5, 0u32..100, 0u32..100_000];
    (frequency, 0.0..=1.0f64, any_size(), -3.0..0.0f64).prop_map(|(x, share, age, spread)| {
        let recency = if x == 0 { 0.0 } else { share.max(1e-9) * age };
        let n = f64::from(x);
        let mut history = History::new(x, recency, age).unwrap();
        // At most that of equal gaps.
        history.log_gaps = if x == 0 {
            0.0
        } else {
            n * (recency / n).ln() + n * spread
        };
        history
    })
}

proptest! {
    #[test]
    fn answers_are_finite_and_probabilities_are_probabilities(
        choice in any_choice(),
        history in any_history(),
        horizon in any_size(),
    ) {
        let model = choice.model();
        let alive = model.probability_alive(&history);
        prop_assert!((0.0..=1.0).contains(&alive), "P(alive) {alive}");
        let expected = model.expected_purchases(&history, horizon);
        prop_assert!(expected.is_finite() && expected >= 0.0, "expected {expected}");
        // Nobody who is alive is expected to pass more stages than at the mean rate, or to have
        // passed more than k − 1 of the next purchase.
        let k = f64::from(choice.k);
        let passed = choice.r + k * f64::from(history.frequency) + k - 1.0;
        let most = (passed / (choice.alpha + history.age) * horizon + (k - 1.0)) / k;
        prop_assert!(expected <= alive * most * (1.0 + 1e-9), "expected {expected}");
        let log_likelihood = model.log_likelihood(&history);
        prop_assert!(log_likelihood.is_finite(), "log-likelihood {log_likelihood}");
    }

    #[test]
    fn purchase_probabilities_are_a_distribution(choice in any_choice(), t in any_size()) {
        let mut probabilities = vec![f64::NAN; 60];
        choice.model().purchase_probabilities(t, &mut probabilities);
        for (n, p) in probabilities.iter().enumerate() {
            prop_assert!((0.0..=1.0 + 1e-12).contains(p), "P({n}) = {p}");
        }
        let total: f64 = probabilities.iter().sum();
        prop_assert!(total <= 1.0 + 1e-9, "{total}");
    }

    #[test]
    fn a_distribution_has_the_expected_mean(
        at_first in any::<bool>(), k in 1u32..=12,
        r in 0.1..3.0f64, a in 0.3..5.0f64, b in 0.3..5.0f64, t in 0.1..5.0f64,
    ) {
        let model = Choice { at_first, k, r, alpha: 1.0, a, b }.model();
        let mut probabilities = vec![0.0; 1000];
        model.purchase_probabilities(t, &mut probabilities);
        let mean: f64 = probabilities.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let expected = model.expected_purchases(&History::new(0, 0.0, 0.0).unwrap(), t);
        prop_assert!((mean - expected).abs() < 1e-9 * (1.0 + expected), "{mean} {expected}");
        let total: f64 = probabilities.iter().sum();
        prop_assert!((total - 1.0).abs() < 1e-10, "{total}");
    }

    /// The likelihood of no purchase at all is the probability of none.
    #[test]
    fn a_history_without_purchases_is_as_likely_as_none(choice in any_choice(), t in any_size()) {
        let model = choice.model();
        let mut none = [0.0];
        model.purchase_probabilities(t, &mut none);
        let likelihood = model.log_likelihood(&History::new(0, 0.0, t).unwrap()).exp();
        prop_assert!((none[0] - likelihood).abs() < 1e-9, "{none:?} {likelihood}");
    }

    #[test]
    fn another_unit_of_time_changes_no_answer(
        choice in any_choice(),
        history in any_history(),
        unit in any_size(),
        horizon in 0.1..1000.0f64,
    ) {
        let x = f64::from(history.frequency);
        let (model, there) = (choice.model(), Choice { alpha: choice.alpha * unit, ..choice }.model());
        let mut scaled = History::new(history.frequency, history.recency * unit, history.age * unit).unwrap();
        scaled.log_gaps = history.log_gaps + x * unit.ln();
        let here = model.log_likelihood(&history);
        let moved = there.log_likelihood(&scaled) + x * unit.ln();
        let size = 1.0 + here.abs() + f64::from(choice.k) * x * 60.0;
        prop_assert!((here - moved).abs() <= 1e-11 * size, "{here} {moved}");
        let (here, moved) = (model.probability_alive(&history), there.probability_alive(&scaled));
        prop_assert!((here - moved).abs() <= 1e-8, "{here} {moved}");
        let here = model.expected_purchases(&history, horizon);
        let moved = there.expected_purchases(&scaled, horizon * unit);
        prop_assert!((here - moved).abs() <= 1e-7 * here + 1e-12, "{here} {moved}");
    }

    #[test]
    fn a_single_stage_is_random_buying(choice in any_choice(), history in any_history(), horizon in any_size()) {
        let Choice { r, alpha, a, b, .. } = choice;
        let single = Choice { k: 1, ..choice }.model();
        let (log_likelihood, random): (f64, Box<dyn PurchaseModel>) = if choice.at_first {
            let model = MbgNbd::new(r, alpha, a, b).unwrap();
            (model.log_likelihood(&history), Box::new(model))
        } else {
            let model = BgNbd::new(r, alpha, a, b).unwrap();
            (model.log_likelihood(&history), Box::new(model))
        };
        prop_assert_eq!(single.log_likelihood(&history), log_likelihood);
        prop_assert_eq!(single.probability_alive(&history), random.probability_alive(&history));
        prop_assert_eq!(single.expected_purchases(&history, horizon), random.expected_purchases(&history, horizon));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn every_member_keeps_the_laws(choice in any_choice()) {
        if let Err(violation) = laws::check(&*choice.model()) {
            prop_assert!(false, "{violation} ({choice:?})");
        }
    }

    #[test]
    fn discounted_residual_purchases_are_finite(
        choice in any_choice(), history in any_history(), rate in 1e-4..1.0f64,
    ) {
        let model = choice.model();
        let residual = model.discounted_residual_purchases(&history, rate);
        prop_assert!(residual.is_finite() && residual >= 0.0, "{residual}");
        let undiscounted = model.expected_purchases(&history, 1e-3 / rate);
        prop_assert!(residual >= undiscounted * (-1.001e-3f64).exp() * (1.0 - 1e-6));
    }
}

/// Weeks that a shop is observed before the hold-out.
const OBSERVED: i64 = 39;

fn shop(purchase: PurchaseProcess, customers: u64, seed: u64) -> (Purchases, Timestamp) {
    let config = RetailerConfig {
        purchase,
        ..RetailerConfig::cdnow_like(customers, seed)
    };
    let end = config.start.saturating_add_s(OBSERVED * 7 * DAY_S);
    let log = Retailer::new(config).unwrap().transactions().unwrap();
    let options = PurchaseOptions {
        grain: Grain::Instant,
        zone: Zone::UTC,
        refunds: Refunds::Ignore,
    };
    let summary = PurchaseSummary::collect(&log, &options).unwrap();
    (summary.into_purchases().unwrap(), end)
}

fn check_recovered(report: &FitReport, truth: [f64; 4]) {
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

    let (purchases, end) = shop(PurchaseProcess::mbg_nbd(0.8, 5.0, 0.8, 1.8), 12_000, 3);
    let histories = purchases.histories(end, TimeUnit::Week).unwrap();
    let random = MbgNbd::fit(&histories, &options).unwrap();
    check_recovered(&random.report, [0.8, 5.0, 0.8, 1.8]);
    let chosen = MbgCnbd::fit(&histories, Regularity::ByLikelihood, &options).unwrap();
    assert_eq!(chosen.k(), 1);
    assert!((chosen.report.log_likelihood - random.report.log_likelihood).abs() < 1e-7);

    let process = PurchaseProcess::mbg_cnbd(3, 1.2, 2.0, 0.7, 2.5);
    let (purchases, end) = shop(process, 6_000, 4);
    let histories = purchases.histories(end, TimeUnit::Week).unwrap();
    let regular = MbgCnbd::fit(&histories, Regularity::ByLikelihood, &options).unwrap();
    assert_eq!(regular.k(), 3);
    check_recovered(&regular.report, [1.2, 2.0, 0.7, 2.5]);
    let each: f64 = histories.iter().map(|h| regular.log_likelihood(&h)).sum();
    assert!((each / regular.report.log_likelihood - 1.0).abs() < 1e-11);
    assert!((regular.log_likelihood_of(&histories) / each - 1.0).abs() < 1e-11);

    let process = PurchaseProcess {
        k: 2,
        dropout: Dropout::AfterRepeatPurchase { a: 0.9, b: 2.5 },
        ..PurchaseProcess::nbd(0.9, 2.0)
    };
    let (purchases, end) = shop(process, 8_000, 5);
    let histories = purchases.histories(end, TimeUnit::Week).unwrap();
    let regular = BgCnbd::fit(&histories, Regularity::ByLikelihood, &options).unwrap();
    assert_eq!(regular.k(), 2);
    check_recovered(&regular.report, [0.9, 2.0, 0.9, 2.5]);
}

/// What the model expects of customers with a silence of a given length is what the simulated ones
/// do, over a short and over a long time: the stages that have passed count.
#[test]
fn simulated_customers_buy_as_expected() {
    let process = PurchaseProcess::mbg_cnbd(4, 2.0, 2.0, 0.7, 4.0);
    let (purchases, end) = shop(process, 60_000, 6);
    let histories = purchases.histories(end, TimeUnit::Week).unwrap();
    let model = MbgCnbd::new(4, 2.0, 2.0, 0.7, 4.0).unwrap();
    for weeks in [1, 4, 39] {
        let until = end.saturating_add_s(weeks * 7 * DAY_S);
        let actual = purchases.holdout(&histories, end, until).unwrap().purchases;
        let mut expected = vec![0.0; histories.len()];
        model
            .expected_purchases_batch(&histories, weeks as f64, &mut expected)
            .unwrap();
        let mut groups = [(0.0, 0.0, 0.0); 6];
        for (row, history) in histories.iter().enumerate() {
            let silence = history.age - history.recency;
            let group = match history.frequency {
                0 => 5,
                _ => [0.5, 1.5, 4.0, 10.0]
                    .iter()
                    .filter(|&&s| silence > s)
                    .count(),
            };
            let bought = f64::from(actual[row]);
            groups[group].0 += expected[row];
            groups[group].1 += bought;
            groups[group].2 += bought * bought;
        }
        for (group, (expected, actual, squares)) in groups.into_iter().enumerate() {
            let off = (actual - expected) / (squares + 1.0f64).sqrt();
            assert!(
                off.abs() < 4.0,
                "{weeks} weeks, group {group}: {expected} {actual}"
            );
        }
    }
}

#[test]
fn a_posterior_is_as_wide_as_the_standard_errors_say() {
    let process = PurchaseProcess::mbg_cnbd(2, 1.2, 2.0, 0.7, 2.5);
    let (purchases, end) = shop(process, 4_000, 8);
    let histories = purchases.histories(end, TimeUnit::Week).unwrap();
    let fitted = MbgCnbd::fit(&histories, Regularity::Fixed(2), &FitOptions::default()).unwrap();
    let posterior = fitted.posterior(&histories.distinct(), 200, 42).unwrap();
    assert!(posterior.draws().iter().all(|model| model.k() == 2));
    let share = posterior.effective_sample_size() / posterior.proposals() as f64;
    assert!((0.3..=1.0).contains(&share), "{share}");
    let r = posterior.interval(0.9, MbgCnbd::r).unwrap();
    let estimate = &fitted.report.parameters[0];
    let width = (r.upper - r.lower) / (2.0 * 1.645 * estimate.standard_error.unwrap());
    assert!((0.8..1.2).contains(&width), "{width}");
}

fn histories(rows: &[(u32, f64, f64, f64, usize)]) -> Histories {
    let mut columns = HistoryColumns::default();
    for &(x, recency, age, log_gaps, customers) in rows {
        for _ in 0..customers {
            columns.frequency.push(x);
            columns.recency.push(recency);
            columns.age.push(age);
            columns.log_gaps.push(log_gaps);
        }
    }
    Histories::from_columns(TimeUnit::Week, columns).unwrap()
}

#[test]
fn nobody_repeats() {
    let rows = [(0, 0.0, 39.0, 0.0, 50), (0, 0.0, 30.0, 0.0, 10)];
    let options = FitOptions::default();
    let random = MbgNbd::fit(&histories(&rows), &options).unwrap();
    let regular = BgCnbd::fit(&histories(&rows), Regularity::ByLikelihood, &options).unwrap();
    assert_eq!(regular.k(), 1);
    for report in [&random.report, &regular.report] {
        let FitStatus::Boundary { drift } = &report.status else {
            panic!("{report:?}");
        };
        assert_eq!(drift[0].parameter, "r");
        assert_eq!(drift[0].limit, Limit::Zero);
        assert!(report.log_likelihood.abs() < 1e-6);
    }
}

/// No optimum in the interior: the fit ends promptly and its model answers.
#[test]
fn data_without_a_maximum_in_the_interior() {
    let all = [
        // Nobody leaves.
        vec![
            (1, 38.0, 39.0, 38f64.ln(), 20),
            (4, 38.0, 39.0, 9.0, 20),
            (12, 38.5, 39.0, 13.9, 20),
            (40, 38.9, 39.0, -1.2, 10),
        ],
        // All buy like clockwork, every three weeks.
        vec![
            (13, 39.0, 40.0, 13.0 * 3f64.ln(), 50),
            (12, 36.0, 37.0, 12.0 * 3f64.ln(), 30),
        ],
        // Everybody leaves after the first repeat purchase.
        vec![
            (1, 1.0, 39.0, 0.0, 30),
            (1, 3.0, 39.0, 3f64.ln(), 30),
            (0, 0.0, 10.0, 0.0, 5),
        ],
        vec![(3, 20.0, 39.0, 5.0, 1)],
    ];
    for rows in all {
        let histories = histories(&rows);
        let options = FitOptions::default();
        let random = MbgNbd::fit(&histories, &options).unwrap();
        let regular = MbgCnbd::fit(&histories, Regularity::ByLikelihood, &options).unwrap();
        assert!(random.report.iterations < 200 && regular.report.iterations < 200);
        assert_ne!(random.report.status, FitStatus::Interior);
        assert!(regular.report.log_likelihood >= random.report.log_likelihood - 1e-6);
        for history in histories.iter() {
            for model in [&*random as &dyn PurchaseModel, &*regular] {
                let expected = model.expected_purchases(&history, 52.0);
                assert!(expected.is_finite() && expected >= 0.0, "{expected}");
                let alive = model.probability_alive(&history);
                assert!((0.0..=1.0).contains(&alive), "{alive}");
            }
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_named() {
    let options = FitOptions::default();
    let rows = [(3, 20.0, 39.0, 0.0, 9), (0, 0.0, 39.0, 0.0, 9)];
    let fit = |histories: &Histories, regularity| {
        let fitted = MbgCnbd::fit(histories, regularity, &options);
        fitted
            .map(|_| ())
            .map_err(|e| (matches!(e, Error::Config(_)), e.to_string()))
    };
    let gapless = histories(&rows);
    let (_, error) = fit(&gapless, Regularity::ByLikelihood).unwrap_err();
    assert_eq!(
        error,
        "the regularity k cannot be determined: the histories hold no times between purchases \
         (`log_gaps`)"
    );
    assert!(fit(&gapless, Regularity::Fixed(2)).is_ok());
    for k in [0, 13] {
        let (config, error) = fit(&gapless, Regularity::Fixed(k)).unwrap_err();
        assert!(config);
        assert_eq!(
            error,
            format!("the setting `k` is {k}; it must be from 1 to 12")
        );
        assert!(BgCnbd::new(k, 1.0, 1.0, 1.0, 1.0).is_err());
    }
    let (_, error) = fit(&histories(&[]), Regularity::ByLikelihood).unwrap_err();
    assert_eq!(error, "0 customers, but at least 1 are needed");
}

#[test]
fn what_is_saved_is_what_is_loaded() {
    let model = MbgCnbd::new(4, 0.5, 4.0, 0.8, 2.4).unwrap();
    let saved = serde_json::to_string(&model).unwrap();
    assert_eq!(
        saved,
        r#"{"format":1,"k":4,"r":0.5,"alpha":4.0,"a":0.8,"b":2.4}"#
    );
    assert_eq!(serde_json::from_str::<MbgCnbd>(&saved).unwrap(), model);
    assert!(serde_json::from_str::<MbgNbd>(&saved).is_err());
    let bad = saved.replace("\"k\":4", "\"k\":40");
    let error = serde_json::from_str::<BgCnbd>(&bad)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the setting `k` is 40; it must be from 1 to 12"),
        "{error}"
    );
}
