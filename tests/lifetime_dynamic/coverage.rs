//! Do 90% intervals hold the truth 90% of the time? As `lifetime_coverage`, which says what is covered and how exact
//! such a study is, for shops with a season.
//!
//! The study: `cargo test --release --test lifetime_dynamic -- --ignored --nocapture`.

use tenure::lifetime::interval::{Interval, Portfolio, PosteriorOptions};
use tenure::lifetime::{DynamicCovariates, DynamicParetoNbd, FitOptions, ParetoNbd};
use tenure::summary::{PathHistories, TimeUnit};

use super::{at, effects, simulated_with};

const LEVEL: f64 = 0.9;
/// Six of the 14 weeks after the observation are in season.
const OBSERVED: f64 = 90.0;
const AHEAD: f64 = 14.0;
const SEASON: DynamicCovariates<'_> = DynamicCovariates {
    trans: &["season"],
    life: &["season"],
};

/// How often the intervals of the customers, and of their sum, hold the truth.
fn held(portfolio: &Portfolio, truths: &[f64]) -> [f64; 2] {
    let holds = |interval: &Interval, truth: f64| {
        f64::from(u8::from((interval.lower..=interval.upper).contains(&truth)))
    };
    let pairs = portfolio.customers.iter().zip(truths);
    let customers: f64 = pairs.map(|(interval, &truth)| holds(interval, truth)).sum();
    let of_all = holds(&portfolio.total, truths.iter().sum());
    [customers / truths.len() as f64, of_all]
}

#[test]
#[ignore = "takes minutes without optimisation"]
fn two_hundred_shops_are_covered() {
    let truth = ParetoNbd::new(2.0, 8.0, 1.0, 30.0).unwrap();
    let (on_trans, on_life) = (effects(&[("season", 0.7)]), effects(&[("season", 0.5)]));
    let truth = DynamicParetoNbd::new(truth, on_trans, on_life).unwrap();
    const SHOPS: u32 = 200;
    let (mut shares, mut reliable) = ([0.0; 4], 0.0);
    for seed in 0..u64::from(SHOPS) {
        let (purchases, paths) = simulated_with(0.0, 600, 1_000 + seed);
        let end = at(OBSERVED);
        let data = PathHistories::new(&purchases, &paths, end, TimeUnit::Week).unwrap();
        let fit = DynamicParetoNbd::fit(&data, &SEASON, &FitOptions::default()).unwrap();
        let options = PosteriorOptions::new(400, seed);
        let posterior = fit.posterior_with(&data, &options).unwrap();
        let found = posterior.prospects(&data, AHEAD, LEVEL).unwrap();
        let alive = held(&found.alive, &truth.probability_alive(&data).unwrap());
        let expected = truth.expected_purchases(&data, AHEAD).unwrap();
        let purchases = held(&found.purchases, &expected);
        let all = alive.into_iter().chain(purchases);
        shares
            .iter_mut()
            .zip(all)
            .for_each(|(sum, share)| *sum += share);
        reliable += f64::from(u8::from(posterior.diagnosis().is_reliable()));
    }
    let shops = f64::from(SHOPS);
    let error = (LEVEL * (1.0 - LEVEL) / shops).sqrt();
    eprintln!("reliable: {:.1}%", 100.0 * reliable / shops);
    let names = [
        "P(alive)",
        "number alive",
        "expected purchases",
        "their sum",
    ];
    for (what, share) in names.into_iter().zip(shares.map(|sum| sum / shops)) {
        eprintln!("{what}: {:.1}% of {SHOPS} shops", 100.0 * share);
        assert!((share - LEVEL).abs() <= 3.0 * error, "{what}: {share}");
    }
}
