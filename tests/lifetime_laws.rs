//! The laws of lifetime models, over twelve orders of magnitude of parameters.

#[path = "common/any_history.rs"]
mod any_history;
#[path = "common/sizes.rs"]
mod sizes;

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tenure::lifetime::interval::{Posterior, ValueIntervals};
use tenure::lifetime::{
    BgNbd, CustomerValue, Discount, FitOptions, FuturePurchases, GammaGamma, Horizon, MbgNbd,
    PurchaseDistribution, PurchaseModel, Schedule, SpendModel, UnitSpend, forecast, laws,
};
use tenure::summary::{Histories, History, HistoryColumns, TimeUnit};

use any_history::any_history;
use sizes::any_size;

fn any_model() -> impl Strategy<Value = BgNbd> {
    [any_size(), any_size(), any_size(), any_size()]
        .prop_map(|[r, alpha, a, b]| BgNbd::new(r, alpha, a, b).unwrap())
}

proptest! {
    #[test]
    fn answers_are_finite_and_probabilities_are_probabilities(
        model in any_model(),
        history in any_history(),
        horizon in any_size(),
    ) {
        let alive = model.probability_alive(&history);
        prop_assert!((0.0..=1.0).contains(&alive), "P(alive) {alive}");
        let expected = model.expected_purchases(&history, horizon);
        prop_assert!(expected.is_finite() && expected >= 0.0, "expected {expected}");
        // While alive nobody is expected to buy more than at the posterior mean rate.
        let rate = (model.r() + f64::from(history.frequency)) / (model.alpha() + history.age);
        prop_assert!(expected <= alive * rate * horizon * (1.0 + 1e-9), "expected {expected}");
        let log_likelihood = model.log_likelihood(&history);
        prop_assert!(log_likelihood.is_finite(), "log-likelihood {log_likelihood}");
    }

    #[test]
    fn discounted_residual_purchases_are_finite(
        model in any_model(),
        history in any_history(),
        rate in 1e-4..1.0f64,
    ) {
        let residual = model.discounted_residual_purchases(&history, rate);
        prop_assert!(residual.is_finite() && residual >= 0.0, "{residual}");
        let undiscounted = model.expected_purchases(&history, 1e-3 / rate);
        prop_assert!(residual >= undiscounted * (-1.001e-3f64).exp() * (1.0 - 1e-6));
    }

    #[test]
    fn purchase_probabilities_are_a_distribution(model in any_model(), t in any_size()) {
        let mut probabilities = vec![f64::NAN; 60];
        model.purchase_probabilities(t, &mut probabilities);
        for (n, p) in probabilities.iter().enumerate() {
            prop_assert!((0.0..=1.0 + 1e-12).contains(p), "P({n}) = {p}");
        }
        let total: f64 = probabilities.iter().sum();
        prop_assert!(total <= 1.0 + 1e-9, "{total}");
    }

    #[test]
    fn a_distribution_has_the_expected_mean(
        r in 0.1..3.0f64, a in 0.3..5.0f64, b in 0.3..5.0f64, t in 0.1..5.0f64,
    ) {
        let model = BgNbd::new(r, 1.0, a, b).unwrap();
        let mut probabilities = vec![0.0; 2000];
        model.purchase_probabilities(t, &mut probabilities);
        let mean: f64 = probabilities.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let expected = model.expected_purchases(&History::new(0, 0.0, 0.0).unwrap(), t);
        prop_assert!((mean - expected).abs() < 1e-9 * (1.0 + expected), "{mean} {expected}");
        let total: f64 = probabilities.iter().sum();
        prop_assert!((total - 1.0).abs() < 1e-10, "{total}");
    }

    #[test]
    fn another_unit_of_time_changes_no_answer(
        model in any_model(),
        history in any_history(),
        unit in any_size(),
        horizon in 0.1..1000.0f64,
    ) {
        let x = f64::from(history.frequency);
        let there = BgNbd::new(model.r(), model.alpha() * unit, model.a(), model.b()).unwrap();
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
    fn spend_lies_between_the_own_mean_and_that_of_all(
        p in any_size(), q in 1.001..1e6f64, v in any_size(), x in 1u32..1000, m in any_size(),
    ) {
        let model = GammaGamma::new(p, q, v).unwrap();
        let all = model.population_mean().unwrap();
        let history = History::new(x, 1.0, 2.0).unwrap().with_mean_spend(m).unwrap();
        let spend = model.expected_spend(&history);
        prop_assert!(spend >= all.min(m) * (1.0 - 1e-9) && spend <= all.max(m) * (1.0 + 1e-9));
        prop_assert!(model.log_likelihood(&history).is_finite());
    }

    #[test]
    fn a_schedule_without_discount_is_its_last_horizon(model in any_model(), history in any_history()) {
        let value = CustomerValue::new(&model, &UnitSpend, Discount::none());
        let value = value.of(&history, TimeUnit::Day, Horizon::of(7, TimeUnit::Day)).unwrap();
        let expected = model.expected_purchases(&history, 7.0);
        prop_assert_eq!(value.to_bits(), expected.to_bits());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_bg_nbd_keeps_the_laws(model in any_model()) {
        if let Err(violation) = laws::check(&model) {
            prop_assert!(false, "{violation} ({model:?})");
        }
    }
}

#[test]
fn a_tail_of_a_trillion_terms_takes_no_time() {
    // Summed term by term, the tail of this count would take 37 · t / α terms.
    let model = BgNbd::new(1e-6, 1e-6, 1.0, 1.0).unwrap();
    let mut probabilities = [0.0; 3];
    model.purchase_probabilities(1e6, &mut probabilities);
    assert!(
        probabilities[0] > 0.9999 && probabilities[2] > 0.0,
        "{probabilities:?}"
    );
}

#[test]
fn the_laws_are_broken_by_models_that_break_them() {
    struct Broken(fn(&History, f64) -> f64, fn(&History) -> f64);
    impl PurchaseModel for Broken {
        fn probability_alive(&self, history: &History) -> f64 {
            self.1(history)
        }
        fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
            self.0(history, horizon)
        }
    }
    for (model, law) in [
        (Broken(|_, h| h, |_| 1.5), "P(alive) lies between 0 and 1"),
        (
            Broken(|_, h| h, |_| f64::NAN),
            "P(alive) lies between 0 and 1",
        ),
        (
            Broken(|_, h| h, |h| h.age / (1.0 + h.age)),
            "P(alive) does not rise while a silence lasts",
        ),
        (Broken(|_, h| h + 1.0, |_| 1.0), "no purchases in no time"),
        (
            Broken(|_, h| -h, |_| 1.0),
            "expected purchases are finite and not negative",
        ),
        (
            Broken(|_, h| h * (-h).exp(), |_| 1.0),
            "expected purchases do not fall as the horizon grows",
        ),
    ] {
        assert_eq!(laws::check(&model).unwrap_err().law, law);
    }
    struct Infinite;
    impl SpendModel for Infinite {
        fn expected_spend(&self, _: &History) -> f64 {
            f64::INFINITY
        }
    }
    assert!(laws::check_spend(&Infinite).is_err());
}

#[test]
fn a_batch_that_differs_from_the_single_answers_is_found() {
    struct Rounded(BgNbd);
    impl PurchaseModel for Rounded {
        fn probability_alive(&self, history: &History) -> f64 {
            self.0.probability_alive(history)
        }
        fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
            self.0.expected_purchases(history, horizon)
        }
        fn scheduled_purchases_batch(
            &self,
            histories: &Histories,
            schedule: &Schedule,
            out: &mut [f64],
        ) -> Result<(), tenure::error::DataError> {
            self.0.scheduled_purchases_batch(histories, schedule, out)?;
            out[30] *= 1.0 + f64::EPSILON;
            Ok(())
        }
    }
    let violation = laws::check(&Rounded(cdnow())).unwrap_err();
    assert_eq!(
        violation.law,
        "batch methods give the bits of the single ones"
    );
    assert!(
        violation.to_string().contains("the schedule is"),
        "{violation}"
    );
}

fn cdnow() -> BgNbd {
    BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap()
}

/// A shop whose customers follow BG/NBD and Gamma-Gamma, observed from staggered first purchases.
fn shop(customers: usize, seed: u64) -> Histories {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut columns = HistoryColumns::default();
    for _ in 0..customers {
        let age = 39.0 - (rng.random::<f64>() * 12.0 * 7.0).floor() / 7.0;
        let rate = gamma(&mut rng, 0.5) / 5.0;
        let (leave, stay) = (gamma(&mut rng, 0.8), gamma(&mut rng, 2.4));
        let leave = leave / (leave + stay);
        let (mut x, mut recency) = (0, 0.0);
        loop {
            let next = recency - (1.0 - rng.random::<f64>()).ln() / rate;
            if next > age {
                break;
            }
            (x, recency) = (x + 1, next);
            if rng.random::<f64>() < leave {
                break;
            }
        }
        columns.frequency.push(x);
        columns.recency.push(recency);
        columns.age.push(age);
        let scale = gamma(&mut rng, 3.7) / 15.0;
        let n = f64::from(x.max(1));
        let spend = gamma(&mut rng, 6.2 * n) / scale / n;
        columns.mean_spend.push(if x == 0 { 0.0 } else { spend });
    }
    Histories::from_columns(TimeUnit::Week, columns).unwrap()
}

/// Marsaglia and Tsang (2000).
fn gamma(rng: &mut ChaCha8Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = (1.0 - rng.random::<f64>()).powf(1.0 / shape);
        return gamma(rng, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    loop {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let z = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
        let v = (1.0 + z / (9.0 * d).sqrt()).powi(3);
        let u = 1.0 - rng.random::<f64>();
        if v > 0.0 && u.ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[test]
fn parameters_of_a_simulated_shop_are_recovered() {
    let histories = shop(30_000, 7);
    let bg_nbd = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
    let spend = GammaGamma::fit(&histories, &FitOptions::default()).unwrap();
    let truth = [("r", 0.5), ("alpha", 5.0), ("a", 0.8), ("b", 2.4)];
    let of_spend = [("p", 6.2), ("q", 3.7), ("v", 15.0)];
    let fits = [(&bg_nbd.report, &truth[..]), (&spend.report, &of_spend[..])];
    for (report, truth) in fits {
        for (estimate, (name, value)) in report.parameters.iter().zip(truth) {
            assert_eq!(estimate.name, *name);
            let off = (estimate.value - value) / estimate.standard_error.unwrap();
            assert!(
                off.abs() < 4.0,
                "{name}: {} is {off} errors off",
                estimate.value
            );
            assert!(
                estimate.standard_error.unwrap() < 0.3 * value,
                "{estimate:?}"
            );
        }
    }
}

#[test]
fn customers_counted_or_listed_are_the_same() {
    let listed = shop(500, 11);
    let twice: Vec<usize> = (0..500).chain(0..500).collect();
    let columns = HistoryColumns {
        frequency: twice.iter().map(|&i| listed.frequency()[i]).collect(),
        recency: twice.iter().map(|&i| listed.recency()[i]).collect(),
        age: twice.iter().map(|&i| listed.age()[i]).collect(),
        ..HistoryColumns::default()
    };
    let doubled = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    let one = BgNbd::fit(&listed, &FitOptions::default()).unwrap();
    let two = BgNbd::fit(&doubled, &FitOptions::default()).unwrap();
    assert_eq!(one.report.distinct, two.report.distinct);
    let ratio = two.report.log_likelihood / one.report.log_likelihood;
    assert!((ratio - 2.0).abs() < 1e-12, "{ratio}");
    for (one, two) in one.report.parameters.iter().zip(&two.report.parameters) {
        assert!((one.value / two.value - 1.0).abs() < 1e-6);
        let shrunk = one.standard_error.unwrap() / two.standard_error.unwrap();
        assert!((shrunk - 2f64.sqrt()).abs() < 1e-5, "{shrunk}");
    }
    // The sum over distinct histories is the sum over customers.
    let each: f64 = listed.iter().map(|h| one.log_likelihood(&h)).sum();
    assert!((each / one.report.log_likelihood - 1.0).abs() < 1e-12);
}

#[test]
fn a_tracking_curve_counts_everyone_from_the_first_purchase() {
    let model = cdnow();
    let curve = forecast::tracking(&model, &[0.0, 0.0, 12.0], 6.0, 4).unwrap();
    let new = |t| model.expected_purchases(&History::new(0, 0.0, 0.0).unwrap(), t);
    let expected = [2.0 * new(6.0), 2.0 * new(12.0), 2.0 * new(18.0) + new(6.0)];
    for (point, expected) in curve.iter().zip(expected) {
        assert!(
            (point.cumulative - expected).abs() < 1e-12,
            "{point:?} {expected}"
        );
    }
    let steps: f64 = curve.iter().map(|p| p.incremental).sum();
    assert!((steps - curve[3].cumulative).abs() < 1e-12);
    assert!(forecast::tracking(&model, &[0.0], 0.0, 4).is_err());
    assert!(forecast::tracking(&model, &[f64::NAN], 1.0, 4).is_err());
}

#[test]
fn discounts_of_one_rate_agree_whatever_their_unit() {
    let model = cdnow();
    let history = History::new(7, 29.43, 38.86).unwrap();
    let value = |discount, horizon| {
        CustomerValue::new(&model, &UnitSpend, discount)
            .of(&history, TimeUnit::Week, horizon)
            .unwrap()
    };
    let annual = value(Discount::annual(0.10).unwrap(), Horizon::months(12));
    let monthly = 1.1f64.powf(1.0 / 12.0) - 1.0;
    let per_step = value(Discount::per_step(monthly).unwrap(), Horizon::months(12));
    let in_weeks = value(
        Discount::annual(0.10).unwrap(),
        Horizon::steps(12, TimeUnit::Month.days() / 7.0),
    );
    assert!((annual / per_step - 1.0).abs() < 1e-12);
    assert!((annual / in_weeks - 1.0).abs() < 1e-12);
    assert!(annual < value(Discount::none(), Horizon::months(12)));
    assert!(Discount::annual(-0.1).is_err());
    assert!(
        Horizon::months(0)
            .schedule(TimeUnit::Week, Discount::none())
            .is_err()
    );
    assert!(
        Horizon::steps(3, -1.0)
            .schedule(TimeUnit::Week, Discount::none())
            .is_err()
    );
    assert!(serde_json::from_str::<Discount>(r#"{"Annual":-0.5}"#).is_err());
    assert!(serde_json::from_str::<Discount>(r#"{"Annual":0.5}"#).is_ok());
}

#[test]
fn a_posterior_is_as_wide_as_the_standard_errors_say() {
    let histories = shop(20_000, 5);
    let distinct = histories.distinct();
    let fitted = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
    let posterior = fitted.posterior(&distinct, 600, 42).unwrap();
    assert_eq!(posterior.draws().len(), 600);
    // 20,000 customers: nearly normal, so nearly every proposal counts.
    let share = posterior.effective_sample_size() / posterior.proposals() as f64;
    assert!((0.5..=1.0).contains(&share), "{share}");
    let r = posterior.interval(0.9, BgNbd::r).unwrap();
    let estimate = &fitted.report.parameters[0];
    let width = (r.upper - r.lower) / (2.0 * 1.645 * estimate.standard_error.unwrap());
    assert!((0.9..1.1).contains(&width), "{width}");
    assert!((r.mean - estimate.value).abs() < 0.3 * estimate.standard_error.unwrap());
    assert_eq!(posterior, fitted.posterior(&distinct, 600, 42).unwrap());
    assert_ne!(posterior, fitted.posterior(&distinct, 600, 43).unwrap());
    assert!(fitted.posterior(&distinct, 0, 1).is_err());
    assert!(posterior.interval(1.0, BgNbd::r).is_err());
}

#[test]
fn value_intervals_are_those_of_the_products() {
    let histories = shop(400, 9);
    let purchases = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
    let spend = GammaGamma::fit(&histories, &FitOptions::default()).unwrap();
    let purchase_draws = purchases.posterior(&histories.distinct(), 100, 1).unwrap();
    let spend_draws = spend.posterior(&histories, 100, 2).unwrap();
    let discount = Discount::annual(0.10).unwrap();
    let horizon = Horizon::months(12);
    let intervals = ValueIntervals {
        purchases: &purchase_draws,
        spend: &spend_draws,
        discount,
        margin: 0.5,
        horizon,
        level: 0.9,
    }
    .over(&histories)
    .unwrap();
    for (row, interval) in intervals.iter().enumerate() {
        let history = histories.get(row).unwrap();
        let pairs = purchase_draws.draws().iter().zip(spend_draws.draws());
        let mut values: Vec<f64> = pairs
            .map(|(purchases, spend)| {
                let value = CustomerValue::new(purchases, spend, discount)
                    .margin(0.5)
                    .unwrap();
                value.of(&history, histories.unit(), horizon).unwrap()
            })
            .collect();
        values.sort_by(f64::total_cmp);
        // 5% of 100 draws: between the fifth and the sixth.
        assert!(
            values[4] <= interval.lower && interval.lower <= values[5],
            "{row}"
        );
        assert!(
            values[94] <= interval.upper && interval.upper <= values[95],
            "{row}"
        );
        let mean = values.iter().sum::<f64>() / 100.0;
        assert!((interval.mean / mean - 1.0).abs() < 1e-12);
    }
    let of_all = ValueIntervals {
        purchases: &purchase_draws,
        spend: &spend_draws,
        discount,
        margin: 0.5,
        horizon,
        level: 0.9,
    }
    .portfolio(&histories)
    .unwrap();
    assert_eq!(of_all.customers, intervals);
    let sum_under = |(purchases, spend): (&BgNbd, &GammaGamma)| -> f64 {
        let value = CustomerValue::new(purchases, spend, discount);
        let values = value.margin(0.5).unwrap().over(&histories, horizon);
        values.unwrap().iter().sum()
    };
    let pairs = purchase_draws.draws().iter().zip(spend_draws.draws());
    let mut sums: Vec<f64> = pairs.map(sum_under).collect();
    sums.sort_by(f64::total_cmp);
    assert!(sums[4] <= of_all.total.lower && of_all.total.lower <= sums[5]);
    assert!(sums[94] <= of_all.total.upper && of_all.total.upper <= sums[95]);
    let certain = ValueIntervals {
        purchases: &Posterior::certain(*purchases),
        spend: &Posterior::certain(*spend),
        discount,
        margin: 1.0,
        horizon,
        level: 0.9,
    };
    let values = CustomerValue::new(&*purchases, &*spend, discount).over(&histories, horizon);
    for (interval, value) in certain
        .over(&histories)
        .unwrap()
        .iter()
        .zip(values.unwrap())
    {
        assert!((interval.lower - value).abs() <= 1e-12 * value);
        assert_eq!(interval.lower, interval.upper);
    }
}

#[test]
fn a_tail_that_holds_nearly_everything_is_no_more_than_everything() {
    // So many purchases are expected that t / (alpha + t) is 1 to eight digits.
    let model = BgNbd::new(1.0, 2.187e-6, 27.479, 1.0).unwrap();
    let mut probabilities = vec![0.0; 60];
    model.purchase_probabilities(731.777, &mut probabilities);
    let total: f64 = probabilities.iter().sum();
    assert!(total <= 1.0 + 1e-12, "{total}");
}

#[test]
fn alive_later_is_as_integrated_elsewhere() {
    let bg = BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap();
    let mbg = MbgNbd::new(0.525, 6.183, 0.891, 1.614).unwrap();
    // mpmath 1.3, 30 digits: P(alive) times the integral of (1 + p t / (alpha + T))^-(r + x) over the beta law of p.
    for (x, t_x, age, delay, of_bg, of_mbg) in [
        (
            0,
            0.0,
            38.86,
            10.0,
            0.986_940_691_568_883_1,
            0.378_935_858_162_052_1,
        ),
        (
            0,
            0.0,
            38.86,
            1000.0,
            0.689_739_857_890_455,
            0.179_902_051_866_703_2,
        ),
        (
            2,
            30.43,
            38.86,
            10.0,
            0.674_850_842_011_787_6,
            0.648_591_093_229_226_6,
        ),
        (
            2,
            30.43,
            38.86,
            1000.0,
            0.129_376_479_765_489_8,
            0.097_781_519_040_627_3,
        ),
        (
            26,
            30.86,
            31.0,
            10.0,
            0.810_009_317_629_911_6,
            0.796_234_066_009_078_4,
        ),
        (
            26,
            30.86,
            31.0,
            1000.0,
            0.072_543_638_867_541_04,
            0.054_676_519_465_652_9,
        ),
    ] {
        let history = History::new(x, t_x, age).unwrap();
        for (actual, expected) in [
            (bg.probability_alive_after(&history, delay), of_bg),
            (mbg.probability_alive_after(&history, delay), of_mbg),
        ] {
            assert!(
                (actual / expected - 1.0).abs() < 1e-12,
                "{x}, {delay}: {actual} {expected}"
            );
        }
        assert_eq!(
            bg.probability_alive_after(&history, 0.0),
            bg.probability_alive(&history)
        );
    }
}

proptest! {
    #[test]
    fn fewer_are_alive_later(model in any_model(), history in any_history(), delay in any_size()) {
        let (now, later, still_later) = (
            model.probability_alive(&history),
            model.probability_alive_after(&history, delay),
            model.probability_alive_after(&history, 10.0 * delay),
        );
        prop_assert!((0.0..=now).contains(&later), "{now} {later}");
        prop_assert!(still_later <= later * (1.0 + 1e-9), "{later} {still_later}");
    }
}
