//! Pareto/NBD with time-varying covariates: against Pareto/NBD where it is a special case, against its
//! definition, on data simulated from it, and at its limits.

mod counts;
mod coverage;
mod fit;
mod posterior;
mod refusals;
mod table;

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tenure::event::{Decimals, Timestamp, Transactions, Zone};
use tenure::lifetime::{
    CustomerValue, Discount, DynamicParetoNbd, Effect, FuturePurchases, GammaGamma, Horizon,
    ParetoNbd, PurchaseModel, Schedule, UnitSpend, forecast,
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
    // The expectation of 0.4 to the power of the number of purchases.
    let mut generated = vec![0.0; alive.len()];
    for (n, power) in (0..45).zip(std::iter::successors(Some(1.0), |p| Some(0.4 * p))) {
        let of_n = model.count_probabilities(&data, 9.5, &vec![n; alive.len()]);
        for (sum, p) in generated.iter_mut().zip(of_n.unwrap()) {
            *sum += power * p;
        }
    }
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

        let (mut density, mut stayed, mut ahead, mut thinned) = (0.0, 0.0, 0.0, 0.0);
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
                // There without a purchase that a coin of 0.6 would have kept, and left so.
                let (mut unseen, mut left_unseen) = (1.0, 0.0);
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
                        let both = 0.6 * buys + leaves;
                        left_unseen += unseen * leaves * -(-both * length).exp_m1() / both;
                        unseen *= (-both * length).exp();
                    }
                    if to == 30.0 {
                        density += weight * (left + there);
                        stayed += weight * there;
                        (unseen, left_unseen) = (there, left);
                    }
                    from = to;
                }
                if first == 30.0 {
                    density += weight;
                    stayed += weight;
                }
                ahead += weight * purchases_ahead;
                thinned += weight * (unseen + left_unseen);
            }
        }
        close(alive[row], stayed / density, 1e-9);
        close(expected[row], ahead / density, 1e-9);
        close(generated[row], thinned / density, 1e-9);
        likelihood += density.ln();
    }
    close(model.log_likelihood_of(&data).unwrap(), likelihood, 1e-9);
}

fn weeks(second: i64) -> f64 {
    (second - at(0.0).unix_s()) as f64 / WEEK_S
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

/// Customers of the model itself: a season for all, mailings for each.
fn simulated(customers: usize, seed: u64) -> (Purchases, CovariatePaths) {
    simulated_with(0.25, customers, seed)
}

/// The same with mailings in some share of the weeks.
fn simulated_with(mailed: f64, customers: usize, seed: u64) -> (Purchases, CovariatePaths) {
    const WEEKS: usize = 104;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let season: Vec<f64> = (0..WEEKS)
        .map(|w| if w % 26 >= 20 { 1.0 } else { 0.0 })
        .collect();
    let mut mailings = Vec::with_capacity(customers * WEEKS);
    mailings
        .extend((0..customers * WEEKS).map(|_| f64::from(u8::from(rng.random::<f64>() < mailed))));
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
