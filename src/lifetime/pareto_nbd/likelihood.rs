//! The Pareto/NBD likelihood of all customers, with its derivatives.
//!
//! A customer alive at t_x fell silent in one of two ways: leaving came before the next purchase, or
//! the next purchase would have come first, but only after T. So the likelihood is the sum of two
//! terms, each of a frequency and *one* time (Fader and Hardie 2005, the last two lines before
//! equation 12),
//!
//! Γ(r + x) / Γ(r) · { W(x, t_x) E\[μ / (λ + μ)\] + W(x, T) E\[λ / (λ + μ)\] },
//! W(x, t) = αʳ βˢ / ((α + t)^(r + x) (β + t)^s),
//!
//! with rates as of a customer alive at t with x purchases. The distinct (x, t_x) and (x, T) are far
//! fewer than the distinct histories where times are whole days; of those each takes one
//! exponential and sums.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::ParetoNbd;
use crate::lifetime::rates::Counts;
use crate::numeric::optimise::Evaluation;
use crate::numeric::pareto_race::{LnProbability, Lomax, ln_race};
use crate::numeric::reduce::{map_into, sum_chunks};
use crate::summary::{DistinctHistories, Numbering};

/// The data, arranged by what each term depends on.
pub struct Likelihood {
    counts: Counts,
    /// The distinct (x, t_x) and (x, T).
    at_last: Vec<Place>,
    at_end: Vec<Place>,
    rows: Vec<Row>,
}

/// A number of purchases and a time.
type Place = (u32, f64);

/// One distinct history.
struct Row {
    customers: f64,
    last: u32,
    end: u32,
}

impl Likelihood {
    pub(super) fn new(histories: &DistinctHistories, counts: Counts) -> Self {
        let (mut of_last, mut of_end) = (Numbering::new(), Numbering::new());
        let rows = histories.iter().map(|(history, count)| {
            let x = history.frequency;
            Row {
                customers: f64::from(count),
                last: of_last.number((x, history.recency.to_bits())),
                end: of_end.number((x, history.age.to_bits())),
            }
        });
        let rows = rows.collect();
        let places = |numbering: Numbering<(u32, u64)>| {
            let keys = numbering.into_keys().into_iter();
            keys.map(|(x, time)| (x, f64::from_bits(time))).collect()
        };
        Self {
            counts,
            at_last: places(of_last),
            at_end: places(of_end),
            rows,
        }
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The log-likelihood.
    pub(super) fn value(&self, model: &ParetoNbd) -> f64 {
        self.evaluate(model).value
    }

    /// The log-likelihood with its derivatives in ln r, ln α, ln s, ln β.
    pub(super) fn evaluate(&self, model: &ParetoNbd) -> Evaluation {
        let left = tabulate(&self.at_last, |place| {
            Term::new(model, place, |(left, _)| left)
        });
        let stayed = tabulate(&self.at_end, |place| {
            Term::new(model, place, |(_, bought)| bought)
        });
        let mut sum = sum_chunks(
            self.rows.len(),
            |range| self.of_rows(range, &left, &stayed),
            Term::plus,
        );
        let [value, slope, curve] = self.counts.rising(model.r);
        sum.value += value;
        sum.slope[0] += slope;
        sum.curve[0] += curve;
        sum.evaluation()
    }

    /// ln(e^A + e^B) of some rows, where A and B are the two terms.
    fn of_rows(&self, range: Range<usize>, left: &[Term], stayed: &[Term]) -> Term {
        let mut sum = Term::default();
        for row in &self.rows[range] {
            let (left, stayed) = (&left[row.last as usize], &stayed[row.end as usize]);
            let u = left.value - stayed.value;
            let e = (-u.abs()).exp();
            let inverse = 1.0 / (1.0 + e);
            let (likely, other) = (inverse, e * inverse);
            let (to_left, to_stayed) = if u > 0.0 {
                (likely, other)
            } else {
                (other, likely)
            };
            let n = row.customers;
            sum.value += n * (left.value.max(stayed.value) + e.ln_1p());
            let (first, second, spread) = (n * to_left, n * to_stayed, n * likely * other);
            let apart: [f64; 4] = std::array::from_fn(|i| left.slope[i] - stayed.slope[i]);
            for (i, slope) in sum.slope.iter_mut().enumerate() {
                *slope += first * left.slope[i] + second * stayed.slope[i];
            }
            for (k, (i, j)) in PAIRS.into_iter().enumerate() {
                sum.curve[k] +=
                    first * left.curve[k] + second * stayed.curve[k] + spread * apart[i] * apart[j];
            }
        }
        sum
    }
}

fn tabulate(places: &[Place], term: impl Fn(&Place) -> Term + Sync) -> Vec<Term> {
    let mut table = vec![Term::default(); places.len()];
    map_into(places, &mut table, term);
    table
}

/// The pairs of parameters whose second derivatives a [`Term`] holds.
const PAIRS: [(usize, usize); 10] = [
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (1, 1),
    (1, 2),
    (1, 3),
    (2, 2),
    (2, 3),
    (3, 3),
];

/// A number with its derivatives in ln r, ln α, ln s, ln β.
#[derive(Clone, Default)]
struct Term {
    value: f64,
    slope: [f64; 4],
    curve: [f64; 10],
}

impl Term {
    /// ln W(x, t) + ln E\[·\], the latter chosen from the two of the race between leaving and buying.
    fn new(
        &ParetoNbd { r, alpha, s, beta }: &ParetoNbd,
        &(frequency, t): &Place,
        choose: impl Fn((LnProbability, LnProbability)) -> LnProbability,
    ) -> Self {
        let x = f64::from(frequency);
        let leaves = Lomax {
            shape: s,
            scale: beta + t,
        };
        let buys = Lomax {
            shape: r + x,
            scale: alpha + t,
        };
        let p = choose(ln_race(leaves, buys));
        // l = ln((β + t) / (α + t)) has these slopes in ln α (negated) and ln β.
        let (by_alpha, by_beta) = (alpha / (alpha + t), beta / (beta + t));
        let (rest_alpha, rest_beta) = (t / (alpha + t), t / (beta + t));
        let (spread_alpha, spread_beta) = (by_alpha * rest_alpha, by_beta * rest_beta);
        let (ln_alpha, ln_beta) = ((t / alpha).ln_1p(), (t / beta).ln_1p());
        let of_r = r * (p.b - ln_alpha);
        let of_s = s * (p.a - ln_beta);
        Self {
            value: p.ln - r * ln_alpha - x * (alpha + t).ln() - s * ln_beta,
            slope: [
                of_r,
                r * rest_alpha - x * by_alpha - p.l * by_alpha,
                of_s,
                s * rest_beta + p.l * by_beta,
            ],
            curve: [
                of_r + r * r * p.bb,
                r * (rest_alpha - p.bl * by_alpha),
                r * s * p.ab,
                r * p.bl * by_beta,
                p.ll * by_alpha * by_alpha - (r + x + p.l) * spread_alpha,
                -s * p.al * by_alpha,
                -p.ll * by_alpha * by_beta,
                of_s + s * s * p.aa,
                s * (rest_beta + p.al * by_beta),
                p.ll * by_beta * by_beta - (s - p.l) * spread_beta,
            ],
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.value += other.value;
        for (sum, term) in self.slope.iter_mut().zip(other.slope) {
            *sum += term;
        }
        for (sum, term) in self.curve.iter_mut().zip(other.curve) {
            *sum += term;
        }
        self
    }

    fn evaluation(&self) -> Evaluation {
        let mut hessian = DMatrix::zeros(4, 4);
        for ((i, j), &entry) in PAIRS.into_iter().zip(&self.curve) {
            hessian[(i, j)] = entry;
            hessian[(j, i)] = entry;
        }
        Evaluation {
            value: self.value,
            gradient: DVector::from_column_slice(&self.slope),
            hessian,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::optimise::assert_derivatives;
    use crate::numeric::quadrature::half_line;
    use crate::summary::{Histories, History, HistoryColumns, TimeUnit};
    use proptest::prelude::*;

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

    fn data() -> Likelihood {
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

    fn at(logs: &[f64; 4]) -> ParetoNbd {
        ParetoNbd::from_valid(logs.map(f64::exp))
    }

    fn log_sizes() -> impl Strategy<Value = [f64; 4]> {
        [-2.0..2.0f64, -2.0..6.0f64, -3.0..4.0f64, -2.0..7.0f64]
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_the_value(logs in log_sizes()) {
            let data = data();
            assert_derivatives(logs, |logs| data.evaluate(&at(&logs)));
        }

        /// By the integral over the moment of leaving (Fader and Hardie 2005, section 3), for equal scales.
        #[test]
        fn sum_over_customers_and_by_the_definition(r in 0.1..5.0f64, s in 0.1..5.0f64, scale in 1.0..50.0f64) {
            let model = ParetoNbd::from_valid([r, scale, s, scale]);
            let (mut listed, mut defined) = (0.0, 0.0);
            for (x, recency, age, count) in ROWS {
                let history = History::new(x, recency, age).unwrap();
                let (n, count) = (f64::from(x), count as f64);
                listed += count * model.log_likelihood(&history);
                let gammas = libm::lgamma(r + n) - libm::lgamma(r);
                let density = |t: f64| {
                    let stays = (scale / (scale + t)).powf(s);
                    let buys = -(r + n) * (scale + t).ln() + r * scale.ln();
                    (stays, (gammas + buys).exp())
                };
                let (stays, buys) = density(age);
                let left = half_line(1e-13, |odds| {
                    let t = recency + (age - recency) * odds / (1.0 + odds);
                    let (stays, buys) = density(t);
                    let stretch = (age - recency) / ((1.0 + odds) * (1.0 + odds));
                    buys * stays * s / (scale + t) * stretch
                });
                defined += count * (buys * stays + left.value).ln();
            }
            prop_assert!((listed - defined).abs() < 1e-9 * (1.0 + defined.abs()), "{listed} {defined}");
            let counted = data().value(&model);
            prop_assert!((listed - counted).abs() < 1e-12 * (1.0 + counted.abs()), "{listed} {counted}");
        }
    }
}
