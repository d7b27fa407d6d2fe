//! Data whose likelihood has no maximum in the interior: the fit says so, and promptly.

#[path = "common/counted.rs"]
mod counted;

use tenure::lifetime::{BgNbd, FitOptions, FitStatus, Fitted, GammaGamma, Limit, PurchaseModel};
use tenure::summary::{Histories, HistoryColumns, TimeUnit};

use counted::histories;

fn drift<M>(fitted: &Fitted<M>) -> Vec<(&str, Limit)> {
    let FitStatus::Boundary { drift } = &fitted.report.status else {
        panic!("{:?}", fitted.report);
    };
    let named = drift.iter().map(|d| (d.parameter.as_ref(), d.limit));
    named.collect()
}

fn fit(rows: &[(u32, f64, f64, usize)]) -> Fitted<BgNbd> {
    let histories = histories(rows);
    let fitted = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
    assert!(fitted.report.iterations < 200);
    assert!(fitted.report.covariance.is_none());
    for history in histories.iter() {
        let expected = fitted.expected_purchases(&history, 52.0);
        assert!(expected.is_finite() && expected >= 0.0, "{expected}");
        let alive = fitted.probability_alive(&history);
        assert!((0.0..=1.0).contains(&alive), "{alive}");
    }
    fitted
}

#[test]
fn nobody_repeats() {
    let fitted = fit(&[(0, 0.0, 39.0, 50), (0, 0.0, 30.0, 10)]);
    assert_eq!(drift(&fitted), [("r", Limit::Zero)]);
    assert!(fitted.report.log_likelihood.abs() < 1e-6);
}

#[test]
fn nobody_leaves() {
    // Rates differ, but everyone bought shortly before the end.
    let rows = [
        (0, 0.0, 2.0, 30),
        (1, 38.0, 39.0, 20),
        (4, 38.0, 39.0, 20),
        (12, 38.5, 39.0, 20),
        (40, 38.9, 39.0, 10),
    ];
    let fitted = fit(&rows);
    // The readiness to leave goes to 0 by a → 0 or by b → ∞: the likelihood is the same.
    assert!(
        drift(&fitted)
            .iter()
            .all(|(name, _)| ["a", "b"].contains(name))
    );
    let history = histories(&rows).get(60).unwrap();
    assert!(fitted.probability_alive(&history) > 1.0 - 1e-4);
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
    let fitted = fit(&rows);
    let drift = drift(&fitted);
    assert!(drift.contains(&("r", Limit::Infinity)), "{drift:?}");
    assert!(drift.contains(&("alpha", Limit::Infinity)), "{drift:?}");
}

#[test]
fn everybody_leaves_after_the_first_repeat_purchase() {
    let rows = [
        (1, 1.0, 39.0, 30),
        (1, 3.0, 39.0, 30),
        (0, 0.0, 10.0, 5),
        (1, 0.5, 30.0, 9),
    ];
    let fitted = fit(&rows);
    let drift = drift(&fitted);
    assert!(!drift.is_empty(), "{drift:?}");
    let history = histories(&rows).get(0).unwrap();
    assert!(fitted.probability_alive(&history) < 1e-3);
}

#[test]
fn all_customers_are_equally_ready_to_leave() {
    // Numbers of purchases before leaving as of one coin with p = 1/2, long before the end.
    let rows: Vec<_> = (1..=10)
        .map(|x| (x, 0.02 * f64::from(x), 1000.0, 1 << (10 - x)))
        .collect();
    let fitted = fit(&rows);
    let drift = drift(&fitted);
    assert!(drift.contains(&("a", Limit::Infinity)), "{drift:?}");
    assert!(drift.contains(&("b", Limit::Infinity)), "{drift:?}");
    let share = fitted.a() / (fitted.a() + fitted.b());
    assert!((share - 0.5).abs() < 0.05, "{share}");
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
    let error = BgNbd::fit(&histories(&[]), &options).unwrap_err();
    assert_eq!(error.to_string(), "0 customers, but at least 1 are needed");
    let error = BgNbd::fit(&histories(&[(0, 0.0, 0.0, 3)]), &options).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the purchase rate cannot be determined"),
        "{error}"
    );
}

#[test]
fn every_customer_spends_the_same() {
    let columns = HistoryColumns {
        frequency: vec![1, 2, 3, 4],
        recency: vec![1.0; 4],
        age: vec![2.0; 4],
        mean_spend: vec![20.0; 4],
        ..HistoryColumns::default()
    };
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    let fitted = GammaGamma::fit(&histories, &FitOptions::default()).unwrap();
    assert!(!drift(&fitted).is_empty());
    let mean = fitted.population_mean().unwrap();
    assert!((mean - 20.0).abs() < 0.1, "{mean}");
}
