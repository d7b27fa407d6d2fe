//! Static covariates: what is put in comes out, the laws of coefficients, data without a best model.

#[path = "common/any_history.rs"]
mod any_history;
#[path = "common/counted.rs"]
mod counted;
#[path = "conformance/data.rs"]
mod data;
#[path = "common/sizes.rs"]
mod sizes;

use std::time::Instant;

use proptest::prelude::*;
use tenure::Error;
use tenure::event::Zone;
use tenure::lifetime::{
    BgNbd, Bound, Coefficient, ContractCovariateOptions, CovariateOptions, CustomerValue, Discount,
    FitOptions, FitReport, FitStatus, Fitted, Horizon, Limit, MbgCnbd, MbgNbd, Nbd, ParetoNbd,
    PurchaseDistribution, PurchaseModel, Regularity, RetentionCurve, Sbg, Support, UnitSpend,
    WithCovariates, forecast, laws,
};
use tenure::simulate::{PurchaseProcess, Retailer, RetailerConfig};
use tenure::summary::{
    Covariates, Grain, Histories, History, HistoryColumns, PurchaseOptions, PurchaseSummary,
    Refunds, Subscription, TimeUnit,
};

use any_history::any_history;
use counted::histories;
use sizes::any_size;

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

fn drift(report: &FitReport) -> Vec<(&str, Limit)> {
    assert!(report.covariance.is_none());
    let FitStatus::Boundary { drift } = &report.status else {
        panic!("{report:?}");
    };
    let named = drift.iter().map(|d| (d.parameter.as_ref(), d.limit));
    named.collect()
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
    let begin = Instant::now();
    let fitted = WithCovariates::<ParetoNbd>::fit(&histories, &both, &options).unwrap();
    eprintln!("{:?} {:?}", begin.elapsed(), fitted.report);
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
fn nobody_of_one_channel_repeats() {
    let with_repeats = [
        (0, 0.0, 38.0, 120),
        (1, 3.0, 38.0, 20),
        (1, 9.0, 38.0, 20),
        (1, 20.0, 38.0, 20),
        (1, 33.0, 38.0, 20),
        (2, 18.0, 38.0, 20),
        (2, 10.0, 38.0, 20),
        (3, 35.0, 38.0, 20),
        (6, 32.0, 38.0, 20),
        (11, 37.0, 38.0, 20),
    ];
    let without = [(0, 0.0, 39.0, 40), (0, 0.0, 25.0, 10)];
    let histories = histories(&[&with_repeats[..], &without].concat());
    let channel = (0..350).map(|i| if i < 300 { 0.0 } else { 1.0 }).collect();
    let channel = covariates(&[("channel", channel)]);
    let options = CovariateOptions {
        lifetime: Some(vec![]),
        ..CovariateOptions::default()
    };
    let begin = Instant::now();
    let fitted = WithCovariates::<BgNbd>::fit(&histories, &channel, &options).unwrap();
    assert!(begin.elapsed().as_secs_f64() < 1.0);
    assert_eq!(
        drift(&fitted.report),
        [("trans.channel", Limit::NegativeInfinity)]
    );
    let bound = fitted.bind(&channel).unwrap();
    let mut expected = vec![0.0; 350];
    bound
        .expected_purchases_batch(&histories, 52.0, &mut expected)
        .unwrap();
    assert!(expected[..300].iter().all(|e| *e > 1e-3) && expected[300..].iter().all(|e| *e < 1e-3));

    let nobody = counted::histories(&without);
    let channel = covariates(&[("channel", (0..50).map(|i| f64::from(i % 2)).collect())]);
    let fitted = WithCovariates::<BgNbd>::fit(&nobody, &channel, &options).unwrap();
    assert_eq!(drift(&fitted.report), [("r", Limit::Zero)]);
    assert_eq!(fitted.transaction()[0].value, 0.0);
}

/// In one channel all are equally ready to leave, so that a and b go to infinity there, and in the other
/// not.
#[test]
fn one_channel_is_equally_ready_to_leave() {
    // Some buy ten times as fast as others, all of them long before the end.
    let kind = |x: u32, customers: usize| {
        let at = |pace: f64| (x, pace * f64::from(x), 1000.0, customers);
        [at(0.2), at(2.0)]
    };
    // Of one channel hardly anybody stays much longer than others.
    let alike = [kind(1, 100), kind(2, 100), kind(3, 40), kind(4, 5)].concat();
    let unlike = [kind(1, 100), kind(2, 20), kind(30, 10), kind(90, 10)].concat();
    let n: usize = alike.iter().map(|row| row.3).sum();
    let histories = histories(&[alike, unlike].concat());
    let channel = (0..histories.len())
        .map(|i| if i < n { 0.0 } else { 1.0 })
        .collect();
    let channel = covariates(&[("channel", channel)]);
    let begin = Instant::now();
    let options = CovariateOptions::default();
    let fitted = WithCovariates::<BgNbd>::fit(&histories, &channel, &options).unwrap();
    eprintln!("{:?} {:?}", begin.elapsed(), fitted.report);
    assert!(begin.elapsed().as_secs_f64() < 1.0);
    let drift = drift(&fitted.report);
    for parameter in ["a", "b"] {
        assert!(drift.contains(&(parameter, Limit::Infinity)), "{drift:?}");
    }
    let share = fitted.base().a() / (fitted.base().a() + fitted.base().b());
    assert!((0.2..0.8).contains(&share), "{share}");
}

/// Data that cannot be shipped: read where they are.
#[test]
fn apparel_has_no_best_bg_nbd() {
    let Some(folder) = std::env::var_os("TENURE_DATA_DIR") else {
        return;
    };
    let Some(table) = data::DataFolder::new(folder.into()).table("apparel_cbs_104w.csv") else {
        return;
    };
    let numbers = |name: &str| table.numbers(&[name]).unwrap().1;
    let weeks = |name: &str| numbers(name).iter().map(|days| days / 7.0).collect();
    let columns = HistoryColumns {
        frequency: numbers("x").iter().map(|&x| x as u32).collect(),
        recency: weeks("t_x_days"),
        age: weeks("T_days"),
        ..HistoryColumns::default()
    };
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    let names = ["Gender", "Channel"];
    let covariates = covariates(&names.map(|name| (name, numbers(name))));
    let options = CovariateOptions::default();
    let begin = Instant::now();
    let fitted = WithCovariates::<BgNbd>::fit(&histories, &covariates, &options).unwrap();
    eprintln!("{:?} {:?}", begin.elapsed(), fitted.report);
    assert!(begin.elapsed().as_secs_f64() < 1.0);
    let drift = drift(&fitted.report);
    for parameter in ["a", "b"] {
        assert!(drift.contains(&(parameter, Limit::Infinity)), "{drift:?}");
    }
    let log_likelihood = fitted.report.log_likelihood;
    assert!(
        (-5839.8621..-5839.8620).contains(&log_likelihood),
        "{log_likelihood}"
    );

    let begin = Instant::now();
    let fitted = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &options).unwrap();
    eprintln!("{:?} {:?}", begin.elapsed(), fitted.report);
    assert_eq!(fitted.report.status, FitStatus::Interior);
    // The closed form with ₂F₁ at these parameters, with 30 digits, in mpmath.
    let by_mpmath = -5_821.062_685_868_87;
    assert!((fitted.report.log_likelihood / by_mpmath - 1.0).abs() < 1e-13);
    // A search that goes on to the last digit finds the same.
    let sharp = CovariateOptions {
        search: FitOptions {
            tolerance: 1e-14,
            ..FitOptions::default()
        },
        ..options
    };
    let sharp = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &sharp).unwrap();
    for (here, there) in fitted
        .report
        .parameters
        .iter()
        .zip(&sharp.report.parameters)
    {
        assert!(
            (here.value / there.value - 1.0).abs() < 1e-7,
            "{here:?} {there:?}"
        );
    }
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
