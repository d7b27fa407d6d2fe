//! The expected number of purchases before dropout as a quotient of two power series, whose
//! coefficients many times share.
//!
//! With M events in the time, M ~ NegativeBinomial of the shape A, the probability of n of them is
//! (1 − z)^A q_n zⁿ with q_n = (A)_n / n! and z = w / (1 + w). So for the numbers of purchases M_n that n
//! events lead to
//!
//! K = Σ q_n M_n zⁿ / Σ q_n zⁿ,
//!
//! where neither q_n nor M_n depends on the time: customers who differ only in their age, and the
//! horizons of one customer, need the coefficients once. Dividing by the second sum spares (1 − z)^A,
//! and with it the rounding of a large exponent. All terms are positive.

/// Terms that are summed abreast.
const ABREAST: usize = 8;
/// Coefficients of shapes and numbers of terms up to these are far from overflowing.
const LARGEST_SHAPE: f64 = 128.0;
const MOST_TERMS: f64 = 512.0;
/// A share of the sum below which a term may be the last.
const TAIL: f64 = 1e-15;
/// The share of the sum that the terms left out may reach.
const BOUND: f64 = 1e-13;

/// Whether the series may be taken for a shape A and about so many terms.
pub(super) fn suits(shape: f64, terms: f64) -> bool {
    shape <= LARGEST_SHAPE && terms <= MOST_TERMS
}

/// The coefficients q_n and q_n M_n of the next terms.
#[derive(Debug, Clone, Copy)]
struct Block {
    counts: [f64; ABREAST],
    purchases: [f64; ABREAST],
}

/// Makes the coefficients one after the other.
#[derive(Debug, Clone)]
pub(super) struct Coefficients {
    shape: f64,
    leave: f64,
    stay: f64,
    /// Events to a purchase.
    stages: usize,
    /// Events of the next purchase that have happened.
    stage: usize,
    n: f64,
    count: f64,
    made: f64,
    survived: f64,
    purchases: f64,
}

impl Coefficients {
    /// For A = `shape`, dropout with probability p ~ Beta(`leave`, `stay`) after each purchase, and a purchase
    /// at every event number `stages`, of which `passed` have happened.
    pub(super) fn new(shape: f64, leave: f64, stay: f64, stages: usize, passed: usize) -> Self {
        Self {
            shape,
            leave,
            stay,
            stages,
            stage: passed,
            n: 0.0,
            count: 1.0,
            made: 0.0,
            survived: 1.0,
            purchases: 0.0,
        }
    }

    fn next(&mut self) -> Block {
        let mut block = Block {
            counts: [0.0; ABREAST],
            purchases: [0.0; ABREAST],
        };
        for (count, purchases) in block.counts.iter_mut().zip(&mut block.purchases) {
            let next = self.n + 1.0;
            self.count *= (self.shape + self.n) / next;
            self.n = next;
            self.stage += 1;
            if self.stage == self.stages {
                self.stage = 0;
                self.purchases += self.survived;
                self.survived *= (self.stay + self.made) / (self.leave + self.stay + self.made);
                self.made += 1.0;
            }
            *count = self.count;
            *purchases = self.count * self.purchases;
        }
        block
    }

    /// K at one z.
    pub(super) fn once(mut self, z: f64) -> f64 {
        let (shape, stages) = (self.shape, self.stages);
        sum(shape, stages, z, |_| self.next())
    }
}

/// The coefficients that some time has asked for, kept for the next.
#[derive(Debug, Clone)]
pub(super) struct Series {
    rest: Coefficients,
    known: Vec<Block>,
}

impl Series {
    pub(super) fn new(coefficients: Coefficients) -> Self {
        Self {
            rest: coefficients,
            known: Vec::new(),
        }
    }

    /// K at z: the bits of [`Coefficients::once`].
    pub(super) fn at(&mut self, z: f64) -> f64 {
        let Self { rest, known } = self;
        let (shape, stages) = (rest.shape, rest.stages);
        sum(shape, stages, z, |number| match known.get(number) {
            Some(block) => *block,
            None => {
                let block = rest.next();
                known.push(block);
                block
            }
        })
    }
}

/// Σ q_n M_n zⁿ / Σ q_n zⁿ, from the blocks of coefficients by their number.
fn sum(shape: f64, stages: usize, z: f64, mut block: impl FnMut(usize) -> Block) -> f64 {
    let mut powers = [z; ABREAST];
    for i in 1..ABREAST {
        powers[i] = powers[i - 1] * z;
    }
    let step = powers[ABREAST - 1];
    let mut total = [0.0; ABREAST];
    let mut sums = [0.0; ABREAST];
    let mut number = 0;
    loop {
        let Block { counts, purchases } = block(number);
        let mut term = 0.0;
        for i in 0..ABREAST {
            term = purchases[i] * powers[i];
            total[i] += counts[i] * powers[i];
            sums[i] += term;
            powers[i] *= step;
        }
        number += 1;
        let events = number * ABREAST;
        // From here on P falls by at most the larger of its next quotient and its limit z, and
        // M grows by at most 1/n a step: the rest is below 2 term / (1 − quotient)².
        if term <= TAIL * sums[0] && events >= stages {
            let next = events as f64 + 1.0;
            let gap = next - z * (shape + (next - 1.0)).max(next);
            let sum: f64 = sums.iter().sum();
            if gap > 0.0 && 2.0 * term * next * next <= BOUND * sum * gap * gap {
                return sum / (1.0 + total.iter().sum::<f64>());
            }
        }
    }
}
