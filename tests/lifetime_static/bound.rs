//! Customers with their covariates: single, bound, saved.

use proptest::prelude::*;
use tenure::lifetime::{
    Bound, Coefficient, CovariateOptions, CustomerValue, Discount, Fitted, FuturePurchases,
    Horizon, MbgNbd, ParetoNbd, PurchaseDistribution, PurchaseModel, Support, UnitSpend,
    WithCovariates, forecast, laws,
};
use tenure::summary::{History, TimeUnit};

use super::any_history::any_history;
use super::sizes::any_size;
use super::{covariates, pareto_shops};

fn with(base: ParetoNbd, buying: f64, leaving: f64) -> WithCovariates<ParetoNbd> {
    let coefficient = |value| {
        vec![Coefficient {
            covariate: "z".into(),
            value,
        }]
    };
    WithCovariates::<ParetoNbd>::new(base, coefficient(buying), coefficient(leaving)).unwrap()
}

fn base() -> ParetoNbd {
    ParetoNbd::new(0.8, 5.0, 1.2, 20.0).unwrap()
}

#[test]
fn a_customer_is_asked_for_by_name() {
    let model = with(base(), 0.5, -0.25);
    let own = model.at(&[("z", 2.0)]).unwrap();
    assert!((own.alpha() - 5.0 / 1.0f64.exp()).abs() < 1e-12);
    assert!((own.beta() - 20.0 * 0.5f64.exp()).abs() < 1e-12);
    let error = |given: &[(&str, f64)]| model.at(given).unwrap_err().to_string();
    let missing = "no column `z` (it holds the covariate); the columns are: ";
    assert_eq!(error(&[]), missing);
    assert!(error(&[("z", 1.0), ("y", 2.0)]).contains("`covariates` is y"));
    assert!(error(&[("z", f64::NAN)]).contains("finite numbers"));
    let far = "the setting `alpha` is 0; it must be a positive finite number";
    assert_eq!(error(&[("z", 1e5)]), far);
}

#[test]
fn without_effects_it_is_the_base_model() {
    let (histories, known) = pareto_shops(50, 52);
    let z = covariates(&[("z", known.column("online").unwrap().to_vec())]);
    let model = with(base(), 0.0, 0.0);
    let bound = model.bind(&z).unwrap();
    let (mut here, mut there) = (vec![0.0; histories.len()], vec![1.0; histories.len()]);
    bound
        .expected_purchases_batch(&histories, 30.0, &mut here)
        .unwrap();
    base()
        .expected_purchases_batch(&histories, 30.0, &mut there)
        .unwrap();
    assert_eq!(here, there);
    bound
        .probability_alive_batch(&histories, &mut here)
        .unwrap();
    base()
        .probability_alive_batch(&histories, &mut there)
        .unwrap();
    assert_eq!(here, there);
    let (one, other) = (
        model.log_likelihood_of(&histories, &z).unwrap(),
        base().log_likelihood_of(&histories.distinct()),
    );
    assert!((one / other - 1.0).abs() < 1e-12);
    let none = WithCovariates::<ParetoNbd>::new(base(), vec![], vec![]).unwrap();
    assert_eq!(none.at(&[]).unwrap(), base());
}

#[test]
fn purchases_to_come_are_those_of_each_customers_own_model() {
    let (histories, _) = pareto_shops(12, 52);
    let n = histories.len();
    let z: Vec<f64> = (0..n).map(|i| (i % 5) as f64 - 2.0).collect();
    let model = with(base(), 0.5, -0.25);
    let bound = model.bind(&covariates(&[("z", z.clone())])).unwrap();
    let counts: Vec<u32> = (0..).take(n).map(|i| i % 4).collect();
    let mut found = vec![f64::NAN; n];
    bound
        .count_probabilities_batch(&histories, 20.0, &counts, &mut found)
        .unwrap();
    for (i, history) in histories.iter().enumerate() {
        let own = model.at(&[("z", z[i])]).unwrap();
        let mut expected = [0.0; 4];
        own.future_purchase_probabilities(&history, 20.0, &mut expected);
        assert!((found[i] - expected[i % 4]).abs() < 1e-12, "{i}");
    }
    let compare = |found: &[f64], single: &dyn Fn(&ParetoNbd, &History) -> f64| {
        for (i, (history, found)) in histories.iter().zip(found).enumerate() {
            let own = model.at(&[("z", z[i])]).unwrap();
            assert_eq!(*found, single(&own, &history), "{i}");
        }
    };
    let found = &mut found;
    bound
        .probability_alive_after_batch(&histories, 9.0, found)
        .unwrap();
    compare(found, &|own, history| {
        own.probability_alive_after(history, 9.0)
    });
    bound
        .probability_of_purchase_batch(&histories, 9.0, found)
        .unwrap();
    compare(found, &|own, history| {
        own.probability_of_purchase(history, 9.0)
    });
    bound
        .time_to_purchase_batch(&histories, 0.2, found)
        .unwrap();
    compare(found, &|own, history| {
        own.time_to_purchase(history, 0.2).unwrap_or(f64::INFINITY)
    });
    bound
        .mean_time_to_purchase_batch(&histories, found)
        .unwrap();
    compare(found, &|own, history| own.mean_time_to_purchase(history));
    bound
        .discounted_residual_purchases_batch(&histories, 0.01, found)
        .unwrap();
    compare(found, &|own, history| {
        own.discounted_residual_purchases(history, 0.01)
    });
    // Somebody of whom no more is known than the history keeps the laws of any model.
    laws::check_future(&bound).unwrap();
}

#[test]
fn bound_customers_are_answered_by_their_own_models() {
    let (histories, known) = pareto_shops(40, 52);
    let n = histories.len();
    // Two rows in three share a value, the others have their own.
    let z: Vec<f64> = (0..n)
        .map(|i| if i % 3 == 0 { i as f64 / n as f64 } else { 1.0 })
        .collect();
    let z = covariates(&[
        ("z", z),
        ("other", known.column("online").unwrap().to_vec()),
    ]);
    let model = with(base(), 0.5, -0.25);
    let bound = model.bind(&z).unwrap();
    let spread = Horizon::months(12);
    let value = CustomerValue::new(&bound, &UnitSpend, Discount::none());
    let values = value.over(&histories, spread).unwrap();
    let each = bound
        .each(&histories, |model, part| {
            CustomerValue::new(model, &UnitSpend, Discount::none()).over(part, spread)
        })
        .unwrap();
    let mut alive = vec![0.0; n];
    bound
        .probability_alive_batch(&histories, &mut alive)
        .unwrap();
    let mut total = 0.0;
    for row in 0..n {
        let history = histories.get(row).unwrap();
        let own = model.at(&[("z", z.value(row, "z").unwrap())]).unwrap();
        assert_eq!(alive[row], own.probability_alive(&history));
        let worth = CustomerValue::new(&own, &UnitSpend, Discount::none());
        let worth = worth.of(&history, TimeUnit::Week, spread).unwrap();
        assert!((values[row] / worth - 1.0).abs() < 1e-12);
        assert!((each[row] / worth - 1.0).abs() < 1e-12);
        total += own.expected_purchases(&history, 10.0);
    }
    let found = forecast::expected_total(&bound, &histories, 10.0).unwrap();
    assert!((found / total - 1.0).abs() < 1e-12);
    // Of others nothing is known.
    let reversed: Vec<u32> = (0..n as u32).rev().collect();
    let others = histories.select(&reversed);
    let error = bound
        .probability_alive_batch(&others, &mut alive)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("row 1, column `customer`: found `0`"),
        "{error}"
    );
    assert!(value.over(&others, spread).is_err());
}

/// Two kinds of customers, three of one to one of the other.
fn mixed() -> (Bound<ParetoNbd>, [ParetoNbd; 2]) {
    let model = with(base(), 1.5, 1.0);
    let z = covariates(&[("z", vec![0.0, 1.0, 0.0, 0.0])]);
    let kinds = [0.0, 1.0].map(|z| model.at(&[("z", z)]).unwrap());
    (model.bind(&z).unwrap(), kinds)
}

#[test]
fn one_of_unknown_covariates_is_any_of_those_bound() {
    let (bound, [common, rare]) = mixed();
    let new = History::new(0, 0.0, 0.0).unwrap();
    let mean =
        0.75 * common.expected_purchases(&new, 8.0) + 0.25 * rare.expected_purchases(&new, 8.0);
    assert!((bound.expected_purchases(&new, 8.0) / mean - 1.0).abs() < 1e-12);
    let mut probabilities = [0.0; 400];
    bound.purchase_probabilities(8.0, &mut probabilities);
    let summed: f64 = (0..)
        .zip(probabilities)
        .map(|(n, p)| f64::from(n) * p)
        .sum();
    assert!((summed / mean - 1.0).abs() < 1e-6, "{summed} {mean}");
    // Who has bought this often is of the kind that buys.
    let often = History::new(60, 30.0, 30.0).unwrap();
    let far = bound.expected_purchases(&often, 8.0) / rare.expected_purchases(&often, 8.0);
    assert!((far - 1.0).abs() < 1e-2, "{far}");
    // P(x, alive) / P(x), over both kinds.
    let history = History::new(2, 10.0, 20.0).unwrap();
    let weighted = |answer: &dyn Fn(&ParetoNbd) -> f64| {
        let of = |model: &ParetoNbd| model.log_likelihood(&history).exp() * answer(model);
        0.75 * of(&common) + 0.25 * of(&rare)
    };
    let alive = weighted(&|model| model.probability_alive(&history)) / weighted(&|_| 1.0);
    assert!((bound.probability_alive(&history) / alive - 1.0).abs() < 1e-12);
}

#[test]
fn models_of_customers_keep_the_laws() {
    let (bound, kinds) = mixed();
    for kind in &kinds {
        laws::check(kind).unwrap();
    }
    // It refuses histories that are not those of its customers.
    let violation = laws::check(&bound).unwrap_err();
    assert_eq!(
        violation.law,
        "batch methods give the bits of the single ones"
    );
}

proptest! {
    #[test]
    fn answers_are_finite_and_probabilities_are_probabilities(
        sizes in [any_size(), any_size(), any_size(), any_size()],
        history in any_history(),
        gamma in [-3.0..3.0f64, -3.0..3.0f64],
        z in [-4.0..4.0f64, -1.0..1.0f64],
        horizon in any_size(),
    ) {
        let [r, alpha, a, b] = sizes;
        let base = MbgNbd::new(r, alpha, a, b).unwrap();
        let [buying, leaving] = gamma.map(|value| {
            vec![Coefficient { covariate: "z".into(), value }]
        });
        let model = WithCovariates::<MbgNbd>::new(base, buying, leaving).unwrap();
        let table = covariates(&[("z", z.to_vec())]);
        let bound = model.bind(&table).unwrap();
        let alive = bound.probability_alive(&history);
        prop_assert!((0.0..=1.0).contains(&alive), "{alive}");
        let expected = bound.expected_purchases(&history, horizon);
        prop_assert!(expected.is_finite() && expected >= 0.0, "{expected}");
        let mut probabilities = [f64::NAN; 20];
        bound.purchase_probabilities(horizon, &mut probabilities);
        prop_assert!(probabilities.iter().all(|p| (0.0..=1.0 + 1e-12).contains(p)));
    }
}

#[test]
fn what_is_saved_is_what_is_loaded() {
    let model = with(base(), 0.5, -0.25);
    let saved = serde_json::to_string(&model).unwrap();
    assert_eq!(
        saved,
        r#"{"format":1,"base":{"format":1,"r":0.8,"alpha":5.0,"s":1.2,"beta":20.0},"coefficients":[{"covariate":"trans.z","value":0.5},{"covariate":"life.z","value":-0.25}]}"#
    );
    let load = |text: &str| serde_json::from_str::<WithCovariates<ParetoNbd>>(text);
    assert_eq!(load(&saved).unwrap(), model);
    for (from, to) in [
        ("life.z", "trans.z"),
        ("life.z", "death.z"),
        ("life.z", "z"),
        ("0.5", "1e999"),
        (r#"{"format":1,"base""#, r#"{"format":2,"base""#),
        ("1.2", "0.0"),
    ] {
        assert!(load(&saved.replace(from, to)).is_err(), "{to}");
    }
    let (histories, covariates) = pareto_shops(100, 52);
    let options = CovariateOptions::default();
    let fitted = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &options).unwrap();
    let saved = serde_json::to_string(&fitted).unwrap();
    let loaded: Fitted<WithCovariates<ParetoNbd>> = serde_json::from_str(&saved).unwrap();
    assert_eq!(loaded, fitted);
    assert_eq!(loaded.report.parameters[4].support, Support::Real);
}
