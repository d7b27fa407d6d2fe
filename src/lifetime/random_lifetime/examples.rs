//! Customers for the tests of the likelihoods.

use super::{Likelihood, RandomLifetime};
use crate::lifetime::rates::Counts;
use crate::numeric::quadrature::half_line;
use crate::summary::{Histories, History, HistoryColumns, TimeUnit};

/// x, t_x, T and the number of customers.
const ROWS: [(u32, f64, f64, usize); 9] = [
    (0, 0.0, 38.9, 3),
    (0, 0.0, 27.0, 2),
    (1, 1.7, 38.9, 1),
    (1, 38.4, 38.9, 2),
    (2, 30.4, 38.9, 1),
    (2, 27.0, 27.0, 1),
    (7, 29.4, 38.9, 1),
    (40, 10.0, 30.0, 1),
    (40, 29.9, 30.0, 1),
];

pub(in crate::lifetime) fn data() -> Likelihood {
    let mut columns = HistoryColumns::default();
    for (x, recency, age, count) in ROWS {
        for _ in 0..count {
            columns.frequency.push(x);
            columns.recency.push(recency);
            columns.age.push(age);
        }
    }
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    let distinct = histories.distinct();
    Likelihood::new(&distinct, Counts::new(&distinct).unwrap())
}

/// Fails unless the log-likelihood of [`data`], customer by customer and `counted`, is the one by the
/// integral over the moment of leaving, given the probability to stay and the hazard of leaving.
#[track_caller]
pub(in crate::lifetime) fn assert_by_definition(
    model: &impl RandomLifetime,
    counted: f64,
    stays: impl Fn(f64) -> f64,
    hazard: impl Fn(f64) -> f64,
) {
    let (r, alpha) = model.purchase_rates();
    let (mut listed, mut defined) = (0.0, 0.0);
    for (x, recency, age, count) in ROWS {
        let history = History::new(x, recency, age).unwrap();
        let (n, count) = (f64::from(x), count as f64);
        listed += count * model.ln_likelihood(&history);
        let gammas = libm::lgamma(r + n) - libm::lgamma(r);
        let buys = |t: f64| (gammas - (r + n) * (alpha + t).ln() + r * alpha.ln()).exp();
        let left = half_line(1e-13, |odds| {
            let t = recency + (age - recency) * odds / (1.0 + odds);
            let stretch = (age - recency) / ((1.0 + odds) * (1.0 + odds));
            buys(t) * stays(t) * hazard(t) * stretch
        });
        defined += count * (buys(age) * stays(age) + left.value).ln();
    }
    let agrees =
        |other: f64, tolerance: f64| (listed - other).abs() < tolerance * (1.0 + other.abs());
    assert!(agrees(defined, 1e-9), "{listed} {defined}");
    assert!(agrees(counted, 1e-12), "{listed} {counted}");
}
