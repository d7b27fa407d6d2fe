//! Lognormal spend and the independence of spend and frequency: laws, simulated truth, CDNOW.

#[path = "common/cdnow.rs"]
mod cdnow;
#[path = "common/sizes.rs"]
mod sizes;

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};
use tenure::event::Zone;
use tenure::lifetime::{
    Dependence, FitOptions, FitStatus, GammaGamma, LognormalSpend, SpendIndependence, SpendModel,
    laws,
};
use tenure::simulate::{Retailer, RetailerConfig};
use tenure::summary::{
    Grain, Histories, History, HistoryColumns, PurchaseOptions, PurchaseSummary, Refunds, TimeUnit,
};

use sizes::any_size;

fn any_model() -> impl Strategy<Value = LognormalSpend> {
    [any_size(), any_size(), any_size()]
        .prop_map(|[median, tau, sigma]| LognormalSpend::new(median, tau, sigma).unwrap())
}

fn with_spend(x: u32, mean_spend: f64) -> History {
    let history = History::new(x, 0.0, 1.0).unwrap();
    history.with_mean_spend(mean_spend).unwrap()
}

proptest! {
    #[test]
    fn every_model_keeps_the_laws(model in any_model(), x in 0u32..100_000, m in any_size()) {
        if let Err(violation) = laws::check_spend(&model) {
            prop_assert!(false, "{violation} ({model:?})");
        }
        let history = with_spend(x, m);
        let spend = model.expected_spend(&history);
        prop_assert!(spend.is_finite() && spend >= 0.0, "{spend}");
        prop_assert!(model.log_likelihood(&history).is_finite());
    }

    #[test]
    fn who_spent_more_is_expected_to(model in any_model(), x in 1u32..100, m in any_size()) {
        let less = model.expected_spend(&with_spend(x, m));
        prop_assert!(model.expected_spend(&with_spend(x, 2.0 * m)) >= less);
    }

    #[test]
    fn another_currency_changes_no_answer(
        median in any_size(), tau in 0.01..3.0f64, sigma in 0.01..3.0f64, x in 1u32..100, m in any_size(), unit in any_size(),
    ) {
        let here = LognormalSpend::new(median, tau, sigma).unwrap();
        let there = LognormalSpend::new(median * unit, tau, sigma).unwrap();
        let (spend, moved) = (here.expected_spend(&with_spend(x, m)), there.expected_spend(&with_spend(x, m * unit)));
        prop_assert!((moved / unit / spend - 1.0).abs() < 1e-10, "{spend} {moved}");
        let (density, moved) = (here.log_likelihood(&with_spend(x, m)), there.log_likelihood(&with_spend(x, m * unit)));
        prop_assert!((moved + unit.ln() - density).abs() < 1e-9 * (1.0 + density.abs()), "{density} {moved}");
    }

    /// The density of the mean spend sums to 1, the mean spend has the mean of all customers whatever x
    /// is, and the expectations average to it.
    #[test]
    fn expectations_average_to_the_mean_of_all(
        median in 1.0..100.0f64, tau in 0.1..1.2f64, sigma in 0.1..1.2f64, x in 1u32..40,
    ) {
        let model = LognormalSpend::new(median, tau, sigma).unwrap();
        let [mut total, mut mean, mut expected] = [0.0; 3];
        // The trapezium rule in ln m, which for such a hill is exact.
        let step = 0.01;
        for i in -2500..=2500 {
            let m = median * (f64::from(i) * step).exp();
            let history = with_spend(x, m);
            let share = model.log_likelihood(&history).exp() * m * step;
            total += share;
            mean += share * m;
            expected += share * model.expected_spend(&history);
        }
        let of_all = model.population_mean();
        prop_assert!((total - 1.0).abs() < 1e-9, "{total}");
        prop_assert!((mean / of_all - 1.0).abs() < 1e-9, "{mean} {of_all}");
        prop_assert!((expected / of_all - 1.0).abs() < 1e-9, "{expected} {of_all}");
    }
}

/// Customers whose amounts are lognormal with σ = .7 around means of median 30 and τ = .6, which may grow
/// with the number of purchases; and their means.
fn shop(customers: usize, by_frequency: f64, seed: u64) -> (Histories, Vec<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = move || Normal::standard().inverse_cdf(1.0 - rng.random::<f64>());
    let mut columns = HistoryColumns::default();
    let mut means = Vec::new();
    for _ in 0..customers {
        let x = normal().abs().mul_add(4.0, 0.5) as u32;
        let mean = (30f64.ln() + 0.6 * normal() + by_frequency * f64::from(x.max(1)).ln()).exp();
        let amounts = (0..x).map(|_| mean * (0.7 * normal() - 0.5 * 0.49).exp());
        let total: f64 = amounts.sum();
        columns.frequency.push(x);
        columns.recency.push(0.0);
        columns.age.push(39.0);
        columns.mean_spend.push(total / f64::from(x.max(1)));
        means.push(mean);
    }
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    (histories, means)
}

#[test]
fn parameters_of_a_simulated_shop_are_recovered() {
    let (histories, means) = shop(6_000, 0.0, 5);
    let fitted = LognormalSpend::fit(&histories, &FitOptions::default()).unwrap();
    assert_eq!(fitted.report.status, FitStatus::Interior);
    for (estimate, truth) in fitted.report.parameters.iter().zip([30.0, 0.6, 0.7]) {
        let error = estimate.standard_error.unwrap();
        let off = (estimate.value - truth) / error;
        assert!(off.abs() < 4.0, "{estimate:?} is {off} errors off {truth}");
        assert!(error < 0.1 * truth, "{estimate:?}");
    }
    let each: f64 = histories.iter().map(|h| fitted.log_likelihood(&h)).sum();
    assert!((each / fitted.report.log_likelihood - 1.0).abs() < 1e-11);

    // Amounts of this kind are better known to it than to Gamma-Gamma.
    let gamma = GammaGamma::fit(&histories, &FitOptions::default()).unwrap();
    assert!(fitted.report.log_likelihood > gamma.report.log_likelihood + 10.0);
    let miss = |model: &dyn SpendModel| {
        let customers = histories.iter().zip(&means);
        let off =
            customers.map(|(history, mean)| (model.expected_spend(&history) / mean).ln().abs());
        off.sum::<f64>()
    };
    assert!(
        miss(&*fitted) < miss(&*gamma),
        "{} {}",
        miss(&*fitted),
        miss(&*gamma)
    );

    let posterior = fitted.posterior(&histories, 400, 5).unwrap();
    let interval = posterior.interval(0.9, LognormalSpend::tau).unwrap();
    let error = fitted.report.parameters[1].standard_error.unwrap();
    let width = (interval.upper - interval.lower) / (2.0 * 1.645 * error);
    assert!((0.85..1.15).contains(&width), "{width}");
}

#[test]
fn what_cannot_be_is_not_loaded() {
    let model = LognormalSpend::new(30.0, 0.6, 0.7).unwrap();
    let saved = serde_json::to_string(&model).unwrap();
    assert_eq!(saved, r#"{"format":1,"median":30.0,"tau":0.6,"sigma":0.7}"#);
    assert_eq!(
        serde_json::from_str::<LognormalSpend>(&saved).unwrap(),
        model
    );
    for broken in [
        saved.replace("0.6", "-0.6"),
        saved.replace("\"format\":1", "\"format\":2"),
        saved.replace("tau", "t"),
    ] {
        assert!(
            serde_json::from_str::<LognormalSpend>(&broken).is_err(),
            "{broken}"
        );
    }
}

#[test]
fn cdnow() {
    let histories = cdnow::calibration(&cdnow::purchases());
    let lognormal = LognormalSpend::fit(&histories, &FitOptions::default()).unwrap();
    let gamma = GammaGamma::fit(&histories, &FitOptions::default()).unwrap();
    let means = [
        lognormal.population_mean(),
        gamma.population_mean().unwrap(),
    ];
    assert!((means[0] / means[1] - 1.0).abs() < 0.02, "{means:?}");
    // Here amounts are better told by Gamma-Gamma.
    let gain = gamma.report.log_likelihood - lognormal.report.log_likelihood;
    assert!((11.0..12.0).contains(&gain), "{gain}");

    // Fader, Hardie and Lee (2005): 946 customers, a correlation of .11.
    let check = SpendIndependence::of(&histories, 0.95).unwrap();
    assert_eq!(check.customers, 946);
    assert!((check.pearson.estimate - 0.11).abs() < 0.005, "{check:?}");
    assert!(
        check.pearson.lower < 0.0 && check.spearman.lower > 0.1,
        "{check:?}"
    );
    assert!(
        (0.10..0.11).contains(&check.total_spend_excess),
        "{check:?}"
    );
    assert_eq!(check.dependence, Dependence::Relevant);
}

/// Spend is drawn without a look at the rate: nine of Pearson's intervals in ten hold 0. Those of Spearman
/// do not, but hardly one lies beyond what skewed amounts do to it.
#[test]
fn independent_spend_is_hardly_ever_found_dependent() {
    let (mut outside, mut beyond, mut seen) = (0, 0, 0);
    for seed in 0..60 {
        let log = Retailer::new(RetailerConfig::cdnow_like(1_500, seed)).unwrap();
        let log = log.transactions().unwrap();
        let options = PurchaseOptions {
            grain: Grain::Instant,
            zone: Zone::UTC,
            refunds: Refunds::Ignore,
        };
        let summary = PurchaseSummary::collect(&log, &options).unwrap();
        let purchases = summary.into_purchases().unwrap();
        let end = log.end().unwrap();
        let histories = purchases.histories(end, TimeUnit::Week).unwrap();
        let check = SpendIndependence::of(&histories, 0.9).unwrap();
        assert_ne!(check.dependence, Dependence::Relevant, "{check:?}");
        let pearson = check.pearson;
        let holds = pearson.lower <= 0.0 && pearson.upper >= 0.0;
        assert_eq!(holds, pearson.p_value >= 0.1, "{pearson:?}");
        outside += i32::from(!holds);
        beyond += i32::from(check.spearman.lower > 0.1);
        seen += i32::from(check.dependence != Dependence::NotSeen);
    }
    assert!((1..=15).contains(&outside), "{outside}");
    assert!(beyond <= 3 && seen <= outside + beyond, "{beyond} {seen}");
}

#[test]
fn dependent_spend_is_found() {
    let (histories, _) = shop(2_000, 0.4, 11);
    let check = SpendIndependence::of(&histories, 0.95).unwrap();
    assert_eq!(check.dependence, Dependence::Relevant);
    for correlation in [check.pearson, check.spearman] {
        assert!(
            correlation.lower > 0.15 && correlation.p_value < 1e-6,
            "{check:?}"
        );
    }
    assert!((0.05..0.5).contains(&check.total_spend_excess), "{check:?}");
    let (histories, _) = shop(2_000, -0.4, 12);
    let check = SpendIndependence::of(&histories, 0.95).unwrap();
    assert!(
        check.pearson.upper < -0.15 && check.total_spend_excess < -0.05,
        "{check:?}"
    );
    let saved = serde_json::to_string(&check).unwrap();
    assert_eq!(
        serde_json::from_str::<SpendIndependence>(&saved).unwrap(),
        check
    );
}

/// Five customers by hand: sums of squares 5.2 and 1080, of products 66; of the ranks (1, 2.5, 4, 5, 2.5 and
/// 1.5, 3.5, 3.5, 5, 1.5) 9.5 and 9, of products 8. Student's t with three degrees has a closed form.
#[test]
fn a_table_worked_by_hand() {
    let columns = HistoryColumns {
        frequency: vec![1, 2, 3, 4, 2, 0],
        recency: vec![0.0; 6],
        age: vec![1.0; 6],
        mean_spend: vec![20.0, 30.0, 30.0, 60.0, 20.0, 0.0],
        ..HistoryColumns::default()
    };
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    let check = SpendIndependence::of(&histories, 0.95).unwrap();
    assert_eq!(check.customers, 5);
    for (actual, expected) in [
        (check.pearson.estimate, 66.0 / 5616f64.sqrt()),
        (check.spearman.estimate, 8.0 / 85.5f64.sqrt()),
        (check.spearman.p_value, 0.058_207_290_703),
        // 450 were spent, where 12 purchases of 32 apiece would have been 384.
        (check.total_spend_excess, 450.0 / 384.0 - 1.0),
    ] {
        assert!(
            (actual - expected).abs() < 1e-9,
            "{actual} {expected} {check:?}"
        );
    }
}

#[test]
fn what_cannot_be_correlated_is_an_error() {
    let check = |frequency: &[u32], spend: &[f64], level: f64| {
        let columns = HistoryColumns {
            frequency: frequency.to_vec(),
            recency: vec![0.0; frequency.len()],
            age: vec![1.0; frequency.len()],
            mean_spend: spend.to_vec(),
            ..HistoryColumns::default()
        };
        let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
        SpendIndependence::of(&histories, level)
    };
    let error =
        |frequency: &[u32], spend: &[f64]| check(frequency, spend, 0.9).unwrap_err().to_string();
    assert!(error(&[1, 2, 3, 0], &[1.0, 2.0, 3.0, 0.0]).starts_with("3 customers"));
    assert!(error(&[2; 5], &[1.0, 2.0, 3.0, 4.0, 5.0]).ends_with("number of repeat purchases"));
    assert!(error(&[1, 2, 3, 4], &[7.1; 4]).ends_with("same mean spend"));
    assert!(check(&[1, 2, 3, 4], &[1.0, 2.0, 3.0, 5.0], 1.0).is_err());
    let perfect = check(&[1, 2, 3, 4], &[1e300, 2e300, 3e300, 4e300], 0.9).unwrap();
    assert_eq!(perfect.pearson.p_value, 0.0);
    assert_eq!(perfect.dependence, Dependence::Relevant);
}
