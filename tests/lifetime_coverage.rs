//! Do 90% intervals hold the truth 90% of the time?
//!
//! Shops are simulated whose BG/NBD parameters are known; each is fitted, and intervals come from its
//! posterior. Covered is the answer under the true parameters given the customer's history: P(alive), the
//! expected purchases of the next 39 weeks, and the sum of these over the shop. Not covered, and not
//! meant to be, are the purchases themselves.
//!
//! Customers of one shop share the error of its parameters, so that a shop is one trial: coverage over n shops
//! has a standard error of up to √(0.9 · 0.1 / n), 2.1 points for 200 shops and 0.55 for 3,000. Much of that is luck that can be
//! told from the truth alone: the slope of the likelihood at the true parameters says how far from them a shop's
//! maximum will lie, before anything is fitted. Each shop's coverage is therefore compared with that of intervals
//! made from this slope and the information expected of a shop, whose own mean is known from many
//! more shops (they need no fit): a control variate. It takes luck away and adds nothing else, as these intervals
//! know nothing of the posterior's. Both figures are printed with their standard errors.
//!
//! The studies: `cargo test --release --test lifetime_coverage -- --ignored --nocapture`.

use std::ops::{Range, RangeInclusive};

use nalgebra::{Matrix4, Vector4};
use tenure::lifetime::interval::{Interval, PosteriorOptions};
use tenure::lifetime::{BgNbd, FitOptions, PurchaseModel};
use tenure::simulate::{PurchaseProcess, Retailer, RetailerConfig};
use tenure::summary::{Histories, HistoryColumns, TimeUnit};

const LEVEL: f64 = 0.9;
const AHEAD: f64 = 39.0;

fn truth() -> BgNbd {
    BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap()
}

/// A shop's histories. Each customer is observed for a whole number of days, so that those without a repeat
/// purchase share their histories; the times of purchases stay exact.
fn shop(customers: u64, seed: u64) -> Histories {
    const DAY_S: i64 = 86_400;
    let retailer = Retailer::new(RetailerConfig {
        days: 39 * 7,
        purchase: PurchaseProcess::bg_nbd(0.243, 4.414, 0.793, 2.426),
        ..RetailerConfig::cdnow_like(customers, seed)
    })
    .unwrap();
    let end = retailer.end().unix_s();
    let weeks = |seconds: i64| seconds as f64 / (7 * DAY_S) as f64;
    let mut columns = HistoryColumns::default();
    for customer in retailer.customers() {
        let first = customer.first().unix_s();
        let age = (end - first) / DAY_S * DAY_S;
        let since = customer
            .purchases()
            .map(|purchase| purchase.time.unix_s() - first);
        let (x, last) = since
            .skip(1)
            .take_while(|&since| since <= age)
            .fold((0, 0), |(x, _), since| (x + 1, since));
        columns.frequency.push(x);
        columns.recency.push(weeks(last));
        columns.age.push(weeks(age));
    }
    Histories::from_columns(TimeUnit::Week, columns).unwrap()
}

const WHAT: [&str; 5] = [
    "P(alive) of repeat buyers",
    "expected purchases of all",
    "expected purchases of repeat buyers",
    "number alive in the shop",
    "expected purchases of the shop",
];

/// For each of [`WHAT`]: the share of customers, or of the one sum, whose interval held the truth.
type Shares = [f64; 5];

fn share(intervals: &[Interval], truths: &[f64], counts: impl Fn(usize) -> bool) -> f64 {
    let mut held = 0.0;
    let mut all = 0.0;
    for (row, (interval, truth)) in intervals.iter().zip(truths).enumerate() {
        if counts(row) {
            all += 1.0;
            held += f64::from(u8::from(holds(interval, *truth)));
        }
    }
    held / all
}

fn holds(interval: &Interval, truth: f64) -> bool {
    (interval.lower..=interval.upper).contains(&truth)
}

/// P(alive) and expected purchases.
fn answers(model: &BgNbd, histories: &Histories) -> [Vec<f64>; 2] {
    let mut alive = vec![0.0; histories.len()];
    let mut purchases = alive.clone();
    model
        .alive_and_purchases_batch(histories, AHEAD, &mut alive, &mut purchases)
        .unwrap();
    [alive, purchases]
}

/// Coverage of one shop, and whether its posterior's diagnosis is well.
fn coverage(histories: &Histories, draws: u32, seed: u64) -> (Shares, bool) {
    let distinct = histories.distinct();
    let fitted = BgNbd::fit_distinct(&distinct, &FitOptions::default()).unwrap();
    let posterior = fitted
        .posterior_with(&distinct, &PosteriorOptions::new(draws, seed))
        .unwrap();
    let [alive, purchases] = answers(&truth(), histories);
    let intervals = posterior.prospects(histories, AHEAD, LEVEL).unwrap();
    // Who never bought again is alive by definition: nothing to cover.
    let repeats = |row: usize| histories.frequency()[row] > 0;
    let of_total =
        |interval, truths: &[f64]| f64::from(u8::from(holds(interval, truths.iter().sum())));
    let shares = [
        share(&intervals.alive.customers, &alive, repeats),
        share(&intervals.purchases.customers, &purchases, |_| true),
        share(&intervals.purchases.customers, &purchases, repeats),
        of_total(&intervals.alive.total, &alive),
        of_total(&intervals.purchases.total, &purchases),
    ];
    (shares, posterior.diagnosis().is_reliable())
}

/// Slopes in the logarithms of the parameters at the truth.
fn slopes(answers: impl Fn(&BgNbd) -> Vec<f64>) -> Vec<Vector4<f64>> {
    const STEP: f64 = 1e-4;
    let moved = |i: usize, by: f64| {
        let truth = truth();
        let mut parameters = [truth.r(), truth.alpha(), truth.a(), truth.b()];
        parameters[i] *= by.exp();
        let [r, alpha, a, b] = parameters;
        answers(&BgNbd::new(r, alpha, a, b).unwrap())
    };
    let sides: [_; 4] = std::array::from_fn(|i| (moved(i, STEP), moved(i, -STEP)));
    let slope = |row: usize, i: usize| (sides[i].0[row] - sides[i].1[row]) / (2.0 * STEP);
    let rows = 0..sides[0].0.len();
    rows.map(|row| Vector4::from_fn(|i, _| slope(row, i)))
        .collect()
}

/// Intervals from the slope of the likelihood at the truth.
struct Controls {
    /// For each of [`WHAT`] and each customer of a typical shop (or the one sum): which multiple of the slope
    /// is standard normal.
    multiples: [Vec<Vector4<f64>>; 5],
}

impl Controls {
    /// For shops of so many customers.
    fn new(customers: u64) -> Self {
        const MANY: u64 = 20_000;
        const TYPICAL: u64 = 500;
        let many = shop(MANY, 1);
        let each = slopes(|model| many.iter().map(|h| model.log_likelihood(&h)).collect());
        let squares: Matrix4<f64> = each.iter().map(|slope| slope * slope.transpose()).sum();
        let variance = (squares * (customers as f64 / MANY as f64))
            .try_inverse()
            .unwrap();
        let multiple = |slope: &Vector4<f64>| {
            let towards = variance * slope;
            towards / slope.dot(&towards).sqrt()
        };
        let typical = shop(TYPICAL, 2);
        let [alive, purchases] = [0, 1].map(|which| {
            let answers = |model: &BgNbd| answers(model, &typical)[which].clone();
            slopes(answers)
        });
        let repeats = |slopes: &[Vector4<f64>]| -> Vec<_> {
            let rows = slopes.iter().zip(typical.frequency());
            rows.filter(|(_, x)| **x > 0)
                .map(|(slope, _)| multiple(slope))
                .collect()
        };
        let of_sum = |slopes: &[Vector4<f64>]| vec![multiple(&slopes.iter().sum())];
        Self {
            multiples: [
                repeats(&alive),
                purchases.iter().map(multiple).collect(),
                repeats(&purchases),
                of_sum(&alive),
                of_sum(&purchases),
            ],
        }
    }

    /// Which shares of the intervals hold the truth.
    fn shares(&self, histories: &Histories) -> Shares {
        // The 95% point of a standard normal.
        const END: f64 = 1.644_853_626_951_472_7;
        let distinct = histories.distinct();
        let slope = slopes(|model| vec![model.log_likelihood_of(&distinct)])[0];
        self.multiples.each_ref().map(|multiples| {
            let within = multiples.iter().filter(|m| m.dot(&slope).abs() <= END);
            within.count() as f64 / multiples.len() as f64
        })
    }
}

/// A mean and its standard error.
#[derive(Debug, Clone, Copy)]
struct Mean {
    mean: f64,
    error: f64,
}

impl Mean {
    fn of(values: impl ExactSizeIterator<Item = f64> + Clone) -> Self {
        let n = values.len() as f64;
        let mean = values.clone().sum::<f64>() / n;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            error: (squares / (n - 1.0) / n).sqrt(),
        }
    }
}

/// Coverage as counted, and with the luck taken away that the control tells.
struct Study {
    shops: usize,
    counted: [Mean; 5],
    adjusted: [Mean; 5],
    reliable: f64,
}

impl Study {
    /// `controls` is how many other shops tell the controls' mean.
    fn new(shops: Range<u64>, controls: u64, customers: u64, draws: u32) -> Self {
        let control = Controls::new(customers);
        let means: Vec<Shares> = (0..controls)
            .map(|seed| control.shares(&shop(customers, 1_000_000 + seed)))
            .collect();
        let mut reliable = 0.0;
        let trials: Vec<(Shares, Shares)> = shops
            .map(|seed| {
                let histories = shop(customers, 1_000 + seed);
                let (shares, is_reliable) = coverage(&histories, draws, seed);
                reliable += f64::from(u8::from(is_reliable));
                (shares, control.shares(&histories))
            })
            .collect();
        let counted: [Mean; 5] = std::array::from_fn(|k| Mean::of(trials.iter().map(|t| t.0[k])));
        let adjusted = std::array::from_fn(|k| {
            let expected = Mean::of(means.iter().map(|shares| shares[k]));
            let here = Mean::of(trials.iter().map(|t| t.1[k])).mean;
            let (mut both, mut squares) = (0.0, 0.0);
            for (shares, controls) in &trials {
                let away = controls[k] - here;
                both += (shares[k] - counted[k].mean) * away;
                squares += away * away;
            }
            let slope = both / squares;
            let rest = Mean::of(trials.iter().map(|t| t.0[k] - slope * t.1[k]));
            Mean {
                mean: rest.mean + slope * expected.mean,
                error: rest.error.hypot(slope * expected.error),
            }
        });
        Self {
            shops: trials.len(),
            reliable: reliable / trials.len() as f64,
            counted,
            adjusted,
        }
    }

    fn print(&self) {
        let point = |mean: Mean| format!("{:.1}% ± {:.1}", 100.0 * mean.mean, 100.0 * mean.error);
        eprintln!(
            "{} shops, {:.1}% reliable",
            self.shops,
            100.0 * self.reliable
        );
        for ((what, counted), adjusted) in WHAT.iter().zip(self.counted).zip(self.adjusted) {
            eprintln!(
                "{what}: {} counted, {} adjusted",
                point(counted),
                point(adjusted)
            );
        }
    }

    /// Fails where coverage is more than three standard errors from the level.
    fn check(&self) {
        self.print();
        let error = (LEVEL * (1.0 - LEVEL) / self.shops as f64).sqrt();
        for (k, what) in WHAT.iter().enumerate() {
            let (counted, adjusted) = (self.counted[k], self.adjusted[k]);
            let distance = (counted.mean - LEVEL).abs();
            assert!(distance <= 3.0 * error, "{what}: {counted:?}");
            let distance = (adjusted.mean - LEVEL).abs();
            assert!(distance <= 3.0 * adjusted.error, "{what}: {adjusted:?}");
        }
    }
}

/// What is promised of 90% intervals.
const PROMISED: RangeInclusive<f64> = 0.88..=0.92;

#[test]
fn a_few_small_shops_are_covered() {
    Study::new(0..20, 100, 500, 300).check();
}

/// Counted, 200 shops cannot show the promise: coverage of exactly 90% would often count as 87% or 93%.
#[test]
#[ignore = "takes minutes without optimisation"]
fn two_hundred_shops_are_covered() {
    let study = Study::new(0..200, 2_000, 2_000, 1_000);
    study.check();
    for (what, adjusted) in WHAT.iter().zip(study.adjusted) {
        assert!(PROMISED.contains(&adjusted.mean), "{what}: {adjusted:?}");
    }
}

#[test]
#[ignore = "takes half an hour without optimisation"]
fn three_thousand_shops_are_covered() {
    let study = Study::new(0..3_000, 5_000, 2_000, 1_000);
    study.check();
    for (what, counted) in WHAT.iter().zip(study.counted) {
        assert!(PROMISED.contains(&counted.mean), "{what}: {counted:?}");
    }
    // As near as its own error lets one see.
    for (what, adjusted) in WHAT.iter().zip(study.adjusted) {
        assert!((adjusted.mean - LEVEL).abs() < 0.01, "{what}: {adjusted:?}");
    }
}
