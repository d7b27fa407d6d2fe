//! Pareto/NBD with time-varying covariates: against Pareto/NBD where it is a special case, against its
//! definition, on data simulated from it, and at its limits.

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tenure::Error;
use tenure::event::{Decimals, Timestamp, Transactions, Zone};
use tenure::lifetime::{
    CovariateOptions, CustomerValue, Discount, DynamicCovariates, DynamicParetoNbd, Effect,
    FitOptions, FitStatus, FuturePurchases, GammaGamma, Horizon, ParetoNbd, PurchaseModel,
    Schedule, UnitSpend, forecast,
};
use tenure::summary::{
    CovariatePaths, Grain, PathHistories, PathValues, PeriodGrid, PurchaseOptions, PurchaseSummary,
    Purchases, Refunds, TimeUnit,
};

const WEEK_S: f64 = 604_800.0;

fn at(weeks: f64) -> Timestamp {
    let start = Timestamp::from_civil(2005, 1, 2).unwrap();
    start.saturating_add_s((weeks * WEEK_S).round() as i64)
}

/// The purchases of customers 0, 1, … at their times in weeks.
fn purchases(times: &[Vec<f64>]) -> Purchases {
    let rows = (0..).zip(times).flat_map(|(customer, times): (u32, _)| {
        times.iter().map(move |&time| (customer, at(time), 1_000))
    });
    let (log, _) = Transactions::from_rows(Decimals::TWO, rows).unwrap();
    let options = PurchaseOptions {
        grain: Grain::Instant,
        zone: Zone::UTC,
        refunds: Refunds::Ignore,
    };
    let summary = PurchaseSummary::collect(&log, &options).unwrap();
    summary.into_purchases().unwrap()
}

fn paths(weeks: u32, columns: Vec<(&str, PathValues)>) -> CovariatePaths {
    let grid = PeriodGrid::weeks(at(0.0), weeks).unwrap();
    let customers = columns.iter().map(|(_, values)| match values {
        PathValues::Shared(_) => 1,
        PathValues::Constant(values) => values.len(),
        PathValues::Varying(values) => values.len() / weeks as usize,
    });
    let customers = customers.max().unwrap() as u32;
    let columns = columns
        .into_iter()
        .map(|(name, values)| (name.to_owned(), values));
    CovariatePaths::from_columns(grid, customers, columns.collect()).unwrap()
}

fn effects(effects: &[(&str, f64)]) -> Vec<Effect> {
    let effect = |&(name, coefficient): &(&str, f64)| Effect {
        name: name.to_owned(),
        coefficient,
    };
    effects.iter().map(effect).collect()
}

fn wave(i: usize) -> f64 {
    (1.7 * i as f64).sin()
}

/// A few customers over 30 weeks, with covariates for 45.
fn example() -> (Purchases, CovariatePaths) {
    let times = [
        vec![0.3, 2.0, 7.9, 8.1, 20.5],
        vec![0.0],
        vec![5.25, 6.0, 6.5, 7.0, 7.5, 9.0],
        vec![1.5, 29.99],
        vec![12.0, 30.0],
        vec![30.0],
    ];
    let season = (0..45)
        .map(|i| if i % 13 > 8 { 1.0 } else { 0.0 })
        .collect();
    let columns = vec![
        ("season", PathValues::Shared(season)),
        (
            "price",
            PathValues::Varying((0..6 * 45).map(wave).collect()),
        ),
        ("place", PathValues::Constant((0..6).map(wave).collect())),
    ];
    (purchases(&times), paths(45, columns))
}

fn close(left: f64, right: f64, relative: f64) {
    let error = (left - right).abs();
    assert!(
        error <= relative * right.abs().max(1e-300),
        "{left:e} is not {right:e}"
    );
}

fn all_close(left: &[f64], right: &[f64], relative: f64) {
    assert_eq!(left.len(), right.len());
    left.iter()
        .zip(right)
        .for_each(|(&l, &r)| close(l, r, relative));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn without_effects_every_answer_is_that_of_pareto_nbd(
        logs in prop::array::uniform4(-4.0..4.0f64),
        horizon in 0.01..15.0f64,
    ) {
        let [r, alpha, s, beta] = logs.map(f64::exp);
        let plain = ParetoNbd::new(r, alpha, s, beta).unwrap();
        let none = [("season", 0.0), ("price", 0.0), ("place", 0.0)];
        let model = DynamicParetoNbd::new(plain, effects(&none), effects(&none)).unwrap();
        let (purchases, paths) = example();
        let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
        let histories = data.histories();

        let mut expected = vec![0.0; histories.len()];
        plain.probability_alive_batch(histories, &mut expected).unwrap();
        all_close(&model.probability_alive(&data).unwrap(), &expected, 1e-9);
        plain.expected_purchases_batch(histories, horizon, &mut expected).unwrap();
        all_close(&model.expected_purchases(&data, horizon).unwrap(), &expected, 1e-9);
        let total: f64 = expected.iter().sum();
        close(model.expected_total(&data, horizon).unwrap(), total, 1e-9);
        let later = model.probability_alive_after(&data, horizon).unwrap();
        for (history, later) in histories.iter().zip(later) {
            close(later, plain.probability_alive_after(&history, horizon), 1e-9);
        }
        let schedule = Schedule::new([(horizon, 0.5), (0.3 * horizon, 2.0)]).unwrap();
        plain.scheduled_purchases_batch(histories, &schedule, &mut expected).unwrap();
        all_close(&model.scheduled_purchases(&data, &schedule).unwrap(), &expected, 1e-9);
        let (discount, ahead) = (Discount::annual(0.2).unwrap(), Horizon::weeks(12));
        let value = CustomerValue::new(&plain, &UnitSpend, discount).over(histories, ahead).unwrap();
        let values = model.value_over(&data, &UnitSpend, discount, ahead).unwrap();
        all_close(&values, &value, 1e-9);
        let likelihood = plain.log_likelihood_of(&histories.distinct());
        close(model.log_likelihood_of(&data).unwrap(), likelihood, 1e-9);
        let firsts = forecast::first_purchases(histories);
        let curve = forecast::tracking(&plain, &firsts, 0.7, 60).unwrap();
        let tracked = model.tracking(&data, 0.7, 60).unwrap();
        for (tracked, point) in tracked.iter().zip(curve) {
            close(tracked.time, point.time, 1e-12);
            close(tracked.cumulative, point.cumulative, 1e-9);
        }
    }

    #[test]
    fn constant_covariates_change_the_scales(
        logs in prop::array::uniform4(-3.0..3.0f64),
        trans in -2.0..2.0f64,
        life in -2.0..2.0f64,
        horizon in 0.01..15.0f64,
    ) {
        let [r, alpha, s, beta] = logs.map(f64::exp);
        let plain = ParetoNbd::new(r, alpha, s, beta).unwrap();
        let (on_trans, on_life) = (effects(&[("place", trans)]), effects(&[("place", life)]));
        let model = DynamicParetoNbd::new(plain, on_trans, on_life).unwrap();
        let (purchases, paths) = example();
        let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
        let alive = model.probability_alive(&data).unwrap();
        let expected = model.expected_purchases(&data, horizon).unwrap();
        let mut likelihood = 0.0;
        for (i, history) in data.histories().iter().enumerate() {
            let (of_trans, of_life) = ((-trans * wave(i)).exp(), (-life * wave(i)).exp());
            let own = ParetoNbd::new(r, alpha * of_trans, s, beta * of_life).unwrap();
            close(alive[i], own.probability_alive(&history), 1e-9);
            close(expected[i], own.expected_purchases(&history, horizon), 1e-9);
            likelihood += own.log_likelihood(&history);
        }
        close(model.log_likelihood_of(&data).unwrap(), likelihood, 1e-9);
    }

    #[test]
    fn answers_stay_in_their_bounds(
        logs in prop::array::uniform4(-13.8..13.8f64),
        coefficients in prop::array::uniform4(-150.0..150.0f64),
    ) {
        let [r, alpha, s, beta] = logs.map(f64::exp);
        let [a, b, c, d] = coefficients;
        let plain = ParetoNbd::new(r, alpha, s, beta).unwrap();
        let trans = effects(&[("season", a), ("price", 0.3 * b)]);
        let life = effects(&[("season", c), ("place", 0.3 * d)]);
        let model = DynamicParetoNbd::new(plain, trans, life).unwrap();
        let (purchases, paths) = example();
        let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
        let alive = model.probability_alive(&data).unwrap();
        prop_assert!(alive.iter().all(|p| (0.0..=1.0).contains(p)), "{alive:?}");
        let later = model.probability_alive_after(&data, 9.0).unwrap();
        prop_assert!(later.iter().zip(&alive).all(|(l, a)| (0.0..=*a).contains(l)), "{later:?}");
        let soon = model.expected_purchases(&data, 4.0).unwrap();
        let expected = model.expected_purchases(&data, 15.0).unwrap();
        for (soon, expected) in soon.iter().zip(expected) {
            prop_assert!(*soon >= 0.0 && expected.is_finite() && expected >= *soon);
        }
        prop_assert!(model.log_likelihood_of(&data).unwrap().is_finite());
    }
}

/// From the definition: λ and μ on a fine grid of their logarithms (where the trapezoid rule is exact to
/// many digits), and the density of the history given both in elementary functions.
#[test]
fn the_definition_is_met() {
    let (r, alpha, s, beta) = (1.3_f64, 6.0_f64, 0.9_f64, 11.0_f64);
    let (season_trans, price_trans, season_life, price_life) = (0.8, -0.5, -1.1, 0.6);
    let plain = ParetoNbd::new(r, alpha, s, beta).unwrap();
    let trans = effects(&[("season", season_trans), ("price", price_trans)]);
    let life = effects(&[("price", price_life), ("season", season_life)]);
    let model = DynamicParetoNbd::new(plain, trans, life).unwrap();
    let (purchases, paths) = example();
    let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
    let alive = model.probability_alive(&data).unwrap();
    let expected = model.expected_purchases(&data, 9.5).unwrap();
    let mut likelihood = 0.0;
    for row in 0..data.histories().len() {
        let customer = data.histories().customer()[row];
        let factors = |week: u32| {
            let season = paths.value("season", customer, week).unwrap();
            let price = paths.value("price", customer, week).unwrap();
            let buys = (season_trans * season + price_trans * price).exp();
            (buys, (season_life * season + price_life * price).exp())
        };
        let times: Vec<f64> = purchases
            .of(customer)
            .iter()
            .map(|p| weeks(p.period))
            .collect();
        let (first, last) = (times[0], *times.last().unwrap());
        let bought: f64 = times[1..].iter().map(|&t| factors(t as u32).0).product();
        let repeats = times.len() as i32 - 1;

        let (mut density, mut stayed, mut ahead) = (0.0, 0.0, 0.0);
        let grid = |shape: f64, rate: f64| {
            (-140..=32).map(move |i| {
                let ln = 0.25 * f64::from(i);
                let log_density = shape * (ln + rate.ln()) - rate * ln.exp() - libm::lgamma(shape);
                (ln.exp(), 0.25 * log_density.exp())
            })
        };
        for (lambda, weight) in grid(r, alpha) {
            for (mu, other) in grid(s, beta) {
                let weight = weight * other * lambda.powi(repeats) * bought;
                // Week by week: the chance to be silent and there, and to have left by then.
                let (mut there, mut left) = (1.0, 0.0);
                let mut purchases_ahead = 0.0;
                let mut from = first;
                while from < 39.5 {
                    let week = from as u32;
                    let cuts = [f64::from(week + 1), last, 30.0, 39.5];
                    let to = cuts
                        .into_iter()
                        .filter(|&t| t > from)
                        .fold(f64::MAX, f64::min);
                    let (buys, leaves) = factors(week);
                    let (buys, leaves) = (lambda * buys, mu * leaves);
                    let length = to - from;
                    if to <= 30.0 {
                        if from >= last {
                            let both = buys + leaves;
                            left += there * leaves * -(-both * length).exp_m1() / both;
                        }
                        there *= (-(buys + leaves) * length).exp();
                    } else {
                        purchases_ahead += there * buys * -(-leaves * length).exp_m1() / leaves;
                        there *= (-leaves * length).exp();
                    }
                    if to == 30.0 {
                        density += weight * (left + there);
                        stayed += weight * there;
                    }
                    from = to;
                }
                if first == 30.0 {
                    density += weight;
                    stayed += weight;
                }
                ahead += weight * purchases_ahead;
            }
        }
        close(alive[row], stayed / density, 1e-9);
        close(expected[row], ahead / density, 1e-9);
        likelihood += density.ln();
    }
    close(model.log_likelihood_of(&data).unwrap(), likelihood, 1e-9);
}

fn weeks(second: i64) -> f64 {
    (second - at(0.0).unix_s()) as f64 / WEEK_S
}

/// Customers of the model itself: a season for all, mailings for each.
fn simulated(customers: usize, seed: u64) -> (Purchases, CovariatePaths) {
    const WEEKS: usize = 104;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let season: Vec<f64> = (0..WEEKS)
        .map(|w| if w % 26 >= 20 { 1.0 } else { 0.0 })
        .collect();
    let mut mailings = Vec::with_capacity(customers * WEEKS);
    mailings
        .extend((0..customers * WEEKS).map(|_| f64::from(u8::from(rng.random::<f64>() < 0.25))));
    let mut all = Vec::with_capacity(customers);
    for customer in 0..customers {
        // Gamma(2, rate 8) and Gamma(1, rate 30).
        let uniform = |rng: &mut ChaCha8Rng| -(1.0 - rng.random::<f64>()).ln();
        let lambda = (uniform(&mut rng) + uniform(&mut rng)) / 8.0;
        let mu = uniform(&mut rng) / 30.0;
        let first = 13.0 * rng.random::<f64>();
        let mut times = vec![first];
        let (mut to_buy, mut to_leave) = (uniform(&mut rng), uniform(&mut rng));
        let mut now = first;
        while now < WEEKS as f64 {
            let week = now as usize;
            let (season, mailing) = (season[week], mailings[customer * WEEKS + week]);
            let buys = lambda * (0.7 * season + 0.4 * mailing).exp();
            let leaves = mu * (0.5 * season - 1.0 * mailing).exp();
            let left = week as f64 + 1.0 - now;
            let step = left.min(to_buy / buys).min(to_leave / leaves);
            to_buy -= step * buys;
            to_leave -= step * leaves;
            now = if step == left {
                week as f64 + 1.0
            } else {
                now + step
            };
            if to_leave <= 1e-12 {
                break;
            }
            if to_buy <= 1e-12 {
                times.push(now);
                to_buy = uniform(&mut rng);
            }
        }
        all.push(times);
    }
    let columns = vec![
        ("season", PathValues::Shared(season)),
        ("mailing", PathValues::Varying(mailings)),
    ];
    (purchases(&all), paths(WEEKS as u32, columns))
}

const BOTH: DynamicCovariates<'_> = DynamicCovariates {
    trans: &["season", "mailing"],
    life: &["season", "mailing"],
};

#[test]
fn known_parameters_are_found_again() {
    let (purchases, paths) = simulated(1_500, 5);
    let data = PathHistories::new(&purchases, &paths, at(104.0), TimeUnit::Week).unwrap();
    let fit = DynamicParetoNbd::fit(&data, &BOTH, &FitOptions::default()).unwrap();
    assert_eq!(fit.report.status, FitStatus::Interior);
    let truth = [
        ("r", 2.0),
        ("alpha", 8.0),
        ("s", 1.0),
        ("beta", 30.0),
        ("trans.season", 0.7),
        ("trans.mailing", 0.4),
        ("life.season", 0.5),
        ("life.mailing", -1.0),
    ];
    for (estimate, (name, value)) in fit.report.parameters.iter().zip(truth) {
        assert_eq!(estimate.name, name);
        let error = estimate.standard_error.unwrap();
        let off = (estimate.value - value) / error;
        assert!(
            off.abs() < 3.0,
            "{name}: {} is {off} errors off",
            estimate.value
        );
        assert!(error < 0.6 * value.abs(), "{name}: {error}");
    }
    let plain = ParetoNbd::fit(data.histories(), &FitOptions::default()).unwrap();
    let test = fit.report.likelihood_ratio(&plain.report).unwrap();
    assert!(test.degrees == 4 && test.p_value < 1e-20);
    let recomputed = fit.log_likelihood_of(&data).unwrap();
    close(fit.report.log_likelihood, recomputed, 1e-12);

    let saved = serde_json::to_string(&fit).unwrap();
    let loaded: tenure::lifetime::Fitted<DynamicParetoNbd> = serde_json::from_str(&saved).unwrap();
    assert_eq!(loaded, fit);

    // Begun where it ended, with another number of threads.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    let values = fit.report.parameters.iter().map(|e| e.value).collect();
    let options = FitOptions {
        start: Some(values),
        ..FitOptions::default()
    };
    let again = pool
        .install(|| DynamicParetoNbd::fit(&data, &BOTH, &options))
        .unwrap();
    assert!(again.report.iterations <= 2, "{}", again.report.iterations);
    let values = pool.install(|| fit.log_likelihood_of(&data)).unwrap();
    assert_eq!(values.to_bits(), recomputed.to_bits());

    let weeks = fit.tracking(&data, 1.0, 103).unwrap();
    // The season shows: weeks 20 to 25 against those before.
    let sum = |from: usize| -> f64 { weeks[from..from + 6].iter().map(|w| w.incremental).sum() };
    assert!(sum(20) > 1.5 * sum(14) && sum(26) < 0.7 * sum(20));
    let happened = purchases.repeat_purchases_by_period(7, at(104.0)).unwrap();
    let total: u64 = happened.iter().sum();
    close(weeks[102].cumulative, total as f64, 0.05);
    let first = data
        .first_purchase(0)
        .unwrap()
        .min(data.first_purchase(1).unwrap());
    assert!(
        fit.expected_purchases_of_new(&data, 0, first, 50.0)
            .unwrap()
            > 1.0
    );
}

#[test]
fn a_penalty_draws_coefficients_towards_zero() {
    let (purchases, paths) = simulated(150, 9);
    let data = PathHistories::new(&purchases, &paths, at(104.0), TimeUnit::Week).unwrap();
    let season = DynamicCovariates {
        trans: &["season"],
        life: &[],
    };
    let fit = |penalty| {
        let options = FitOptions {
            penalty,
            ..FitOptions::default()
        };
        DynamicParetoNbd::fit(&data, &season, &options).unwrap()
    };
    let (free, held) = (fit(0.0), fit(1_000.0));
    let of = |fit: &DynamicParetoNbd| fit.trans()[0].coefficient;
    assert!(of(&held).abs() < 0.8 * of(&free).abs() && of(&free) > 0.3);
    assert!(held.report.log_likelihood < free.report.log_likelihood);
    close(
        held.log_likelihood_of(&data).unwrap(),
        held.report.log_likelihood,
        1e-12,
    );
}

#[test]
fn coefficients_can_be_held_equal_or_near_nothing() {
    let (purchases, paths) = simulated(200, 9);
    let data = PathHistories::new(&purchases, &paths, at(104.0), TimeUnit::Week).unwrap();
    let fit = |options: CovariateOptions| DynamicParetoNbd::fit_with(&data, &options).unwrap();
    let of_both = |equal: &[&str]| CovariateOptions {
        equal: equal.iter().map(|&name| name.into()).collect(),
        ..CovariateOptions::default()
    };
    let free = fit(of_both(&[]));
    let plain = DynamicParetoNbd::fit(&data, &BOTH, &FitOptions::default()).unwrap();
    assert_eq!(free, plain);
    let equal = fit(of_both(&["season"]));
    let names: Vec<_> = equal
        .report
        .parameters
        .iter()
        .map(|e| e.name.as_ref())
        .collect();
    assert_eq!(
        names[4..],
        ["trans.mailing", "life.mailing", "constr.season"]
    );
    let both = equal.report.value("constr.season").unwrap();
    assert_eq!(
        (equal.trans()[0].coefficient, equal.life()[0].coefficient),
        (both, both)
    );
    let test = free.report.likelihood_ratio(&equal.report).unwrap();
    assert!(test.degrees == 1 && test.statistic > 0.0, "{test:?}");
    // The best of all equal ones: to either side the likelihood falls, by the information that the standard error is
    // the inverse of if the others followed, and more as they stay.
    let error = equal.report.parameters[6].standard_error.unwrap();
    for by in [-0.5 * error, 0.5 * error] {
        let moved = |effects: &[Effect]| -> Vec<Effect> {
            let mut effects = effects.to_vec();
            effects[0].coefficient += by;
            effects
        };
        let (trans, life) = (moved(equal.trans()), moved(equal.life()));
        let moved = DynamicParetoNbd::new(*equal.base(), trans, life).unwrap();
        let fall = equal.report.log_likelihood - moved.log_likelihood_of(&data).unwrap();
        assert!((0.1..10.0).contains(&fall), "{fall}");
    }
    let held = fit(CovariateOptions {
        lifetime_penalty: 1e8,
        ..CovariateOptions::default()
    });
    assert!(
        held.life()
            .iter()
            .all(|effect| effect.coefficient.abs() < 1e-5)
    );
    assert!(held.trans()[0].coefficient > 0.3);
    for equal in [&["weather"][..], &["season", "season"]] {
        let error = DynamicParetoNbd::fit_with(&data, &of_both(equal)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a covariate of both processes, once"),
            "{error}"
        );
    }
    let negative = CovariateOptions {
        transaction_penalty: -1.0,
        ..CovariateOptions::default()
    };
    assert!(DynamicParetoNbd::fit_with(&data, &negative).is_err());
}

#[test]
fn without_repeat_purchases_the_fit_says_so() {
    let (_, paths) = example();
    let purchases = purchases(&[vec![0.5], vec![3.0]]);
    let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
    let season = DynamicCovariates {
        trans: &["season"],
        life: &["season"],
    };
    let fit = DynamicParetoNbd::fit(&data, &season, &FitOptions::default()).unwrap();
    assert!(matches!(fit.report.status, FitStatus::Boundary { .. }));
    assert!(
        fit.expected_purchases(&data, 10.0)
            .unwrap()
            .iter()
            .all(|&e| (0.0..1e-6).contains(&e))
    );
}

#[test]
fn what_cannot_be_is_named() {
    let (purchases, paths) = example();
    let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
    let plain = ParetoNbd::new(1.0, 5.0, 1.0, 5.0).unwrap();
    let with = |name, coefficient| {
        DynamicParetoNbd::new(plain, effects(&[(name, coefficient)]), Vec::new())
    };
    let says = |error: Error, message: &str| {
        let error = error.to_string();
        assert!(error.contains(message), "{error}");
    };
    says(
        with("season", f64::NAN).unwrap_err().into(),
        "NaN for `season`",
    );
    says(
        with("sun", 1.0)
            .unwrap()
            .probability_alive(&data)
            .unwrap_err(),
        "`trans` is `sun`",
    );
    says(
        with("season", 201.0)
            .unwrap()
            .probability_alive(&data)
            .unwrap_err(),
        "exceeds 200",
    );
    let twice = effects(&[("season", 1.0), ("season", 2.0)]);
    says(
        DynamicParetoNbd::new(plain, Vec::new(), twice)
            .unwrap_err()
            .into(),
        "`season` twice",
    );
    let model = with("season", 1.0).unwrap();
    let late = model.expected_purchases(&data, 15.5).unwrap_err();
    says(late, "`horizon` is 15.5 weeks from 2005-07-31");
    assert_eq!(data.covered(), 15.0);
    assert_eq!(model.expected_purchases(&data, 0.0).unwrap(), [0.0; 6]);
    assert_eq!(model.expected_purchases(&data, f64::NAN).unwrap(), [0.0; 6]);
    says(model.tracking(&data, 0.0, 3).unwrap_err(), "`step` is 0");
    says(
        model.tracking(&data, 1.0, 46).unwrap_err(),
        "`horizon` is 46 weeks",
    );

    let fit = |trans, life| {
        let covariates = DynamicCovariates { trans, life };
        DynamicParetoNbd::fit(&data, &covariates, &FitOptions::default())
    };
    says(fit(&["sun"], &[]).unwrap_err(), "`trans` is `sun`");
    says(
        fit(&[], &["season", "season"]).unwrap_err(),
        "`life` is `season`",
    );
    let flat = self::paths(
        45,
        vec![
            ("a", PathValues::Constant(vec![2.0; 6])),
            (
                "b",
                PathValues::Shared((0..45).map(|w| f64::from(w % 2)).collect()),
            ),
            (
                "c",
                PathValues::Shared((0..45).map(|w| 3.0 - f64::from(w % 2)).collect()),
            ),
        ],
    );
    let flat = PathHistories::new(&purchases, &flat, at(30.0), TimeUnit::Week).unwrap();
    for (names, name) in [(["a", "b"], "`a`"), (["b", "c"], "`c`")] {
        let covariates = DynamicCovariates {
            trans: &names,
            life: &[],
        };
        let error = DynamicParetoNbd::fit(&flat, &covariates, &FitOptions::default());
        says(error.unwrap_err(), name);
    }

    // Known until the end, and not beyond.
    let mut season = vec![1.0; 45];
    season[33] = f64::NAN;
    let gap = self::paths(
        45,
        vec![
            ("season", PathValues::Shared(season)),
            ("place", PathValues::Constant(vec![0.0; 6])),
        ],
    );
    let gap = PathHistories::new(&purchases, &gap, at(30.0), TimeUnit::Week).unwrap();
    assert!(model.expected_purchases(&gap, 3.0).is_ok());
    says(
        model.expected_purchases(&gap, 3.5).unwrap_err(),
        "period 33 (from 2005-08-21",
    );
}

#[test]
fn values_are_purchases_times_spend() {
    let (purchases, paths) = example();
    let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
    let plain = ParetoNbd::new(1.0, 5.0, 1.0, 5.0).unwrap();
    let model = DynamicParetoNbd::new(plain, effects(&[("season", 0.5)]), Vec::new()).unwrap();
    let (discount, horizon) = (Discount::annual(0.1).unwrap(), Horizon::weeks(13));
    let purchases = model
        .discounted_purchases(&data, discount, horizon)
        .unwrap();
    let undiscounted = model.expected_purchases(&data, 13.0).unwrap();
    assert!(
        purchases
            .iter()
            .zip(&undiscounted)
            .all(|(d, u)| d < u && *d > 0.97 * u)
    );
    let spend = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    let values = model.value_over(&data, &spend, discount, horizon).unwrap();
    // Without a purchase to judge by, the mean of all: v p / (q − 1).
    close(values[1], purchases[1] * 15.44 * 6.25 / 2.74, 1e-12);
}

#[test]
fn what_cannot_be_is_not_loaded() {
    let file = r#"{"format":1,"r":1.0,"alpha":2.0,"s":1.0,"beta":3.0,"trans":[{"name":"a","coefficient":0.5}],"life":[]}"#;
    let model: DynamicParetoNbd = serde_json::from_str(file).unwrap();
    assert_eq!(serde_json::to_string(&model).unwrap(), file);
    assert_eq!(
        (model.base().alpha(), model.trans()[0].coefficient),
        (2.0, 0.5)
    );
    for (from, to) in [
        ("\"format\":1", "\"format\":2"),
        ("\"r\":1.0", "\"r\":-1.0"),
        (
            "\"life\":[]",
            "\"life\":[{\"name\":\"a\",\"coefficient\":0.5},{\"name\":\"a\",\"coefficient\":1}]",
        ),
        ("\"s\":1.0", "\"s\":1.0,\"k\":2"),
    ] {
        assert!(serde_json::from_str::<DynamicParetoNbd>(&file.replace(from, to)).is_err());
    }
}
