//! The likelihood of all customers, with its derivatives.
//!
//! It is the sum of two terms, each of a frequency and *one* time (for Pareto/NBD: Fader and Hardie 2005,
//! the last two lines before equation 12),
//!
//! Γ(r + x) / Γ(r) · { W(x, t_x) P(left first at t_x) + W(x, T) P(bought first at T) },
//! W(x, t) = αʳ / (α + t)^(r + x) · S(t),
//!
//! with rates as of a customer alive at t with x purchases. The distinct (x, t_x) and (x, T) are far
//! fewer than the distinct histories where times are whole days; of those each takes one
//! exponential and sums.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use crate::lifetime::rates::Counts;
use crate::numeric::optimise::Evaluation;
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
pub(in crate::lifetime) type Place = (u32, f64);

/// One distinct history.
struct Row {
    customers: f64,
    last: u32,
    end: u32,
}

impl Likelihood {
    pub(in crate::lifetime) fn new(histories: &DistinctHistories, counts: Counts) -> Self {
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

    pub(in crate::lifetime) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The log-likelihood with its derivatives in the logarithms of N parameters, the first of which is
    /// `r`; `left` and `stayed` are the logarithms of the two terms at a place.
    pub(in crate::lifetime) fn evaluate<const N: usize, const P: usize>(
        &self,
        r: f64,
        left: impl Fn(&Place) -> Term<N, P> + Sync,
        stayed: impl Fn(&Place) -> Term<N, P> + Sync,
    ) -> Evaluation {
        let left = tabulate(&self.at_last, left);
        let stayed = tabulate(&self.at_end, stayed);
        let mut sum = sum_chunks(
            self.rows.len(),
            |range| self.of_rows(range, &left, &stayed),
            Term::plus,
        );
        let [value, slope, curve] = self.counts.rising(r);
        sum.value += value;
        sum.slope[0] += slope;
        sum.curve[0] += curve;
        sum.evaluation()
    }

    /// ln(e^A + e^B) of some rows, where A and B are the two terms.
    fn of_rows<const N: usize, const P: usize>(
        &self,
        range: Range<usize>,
        left: &[Term<N, P>],
        stayed: &[Term<N, P>],
    ) -> Term<N, P> {
        let mut sum = Term::ZERO;
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
            let apart: [f64; N] = std::array::from_fn(|i| left.slope[i] - stayed.slope[i]);
            for (i, slope) in sum.slope.iter_mut().enumerate() {
                *slope += first * left.slope[i] + second * stayed.slope[i];
            }
            for (k, &(i, j)) in Term::<N, P>::PAIRS.iter().enumerate() {
                sum.curve[k] +=
                    first * left.curve[k] + second * stayed.curve[k] + spread * apart[i] * apart[j];
            }
        }
        sum
    }
}

fn tabulate<const N: usize, const P: usize>(
    places: &[Place],
    term: impl Fn(&Place) -> Term<N, P> + Sync,
) -> Vec<Term<N, P>> {
    let mut table = vec![Term::ZERO; places.len()];
    map_into(places, &mut table, term);
    table
}

/// A number with its derivatives in the logarithms of N parameters; the second ones are of the P pairs in
/// the order of [`PAIRS`](Self::PAIRS).
#[derive(Clone)]
pub(in crate::lifetime) struct Term<const N: usize, const P: usize> {
    pub(in crate::lifetime) value: f64,
    pub(in crate::lifetime) slope: [f64; N],
    pub(in crate::lifetime) curve: [f64; P],
}

impl<const N: usize, const P: usize> Term<N, P> {
    const ZERO: Self = Self {
        value: 0.0,
        slope: [0.0; N],
        curve: [0.0; P],
    };

    /// (0, 0), (0, 1), … (0, N − 1), (1, 1), …
    pub(in crate::lifetime) const PAIRS: [(usize, usize); P] = {
        assert!(P == N * (N + 1) / 2);
        let mut pairs = [(0, 0); P];
        let (mut k, mut i, mut j) = (0, 0, 0);
        while k < P {
            pairs[k] = (i, j);
            k += 1;
            j += 1;
            if j == N {
                i += 1;
                j = i;
            }
        }
        pairs
    };

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
        let mut hessian = DMatrix::zeros(N, N);
        for ((i, j), &entry) in Self::PAIRS.into_iter().zip(&self.curve) {
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
