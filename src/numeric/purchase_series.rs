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
#![allow(
    unsafe_code,
    reason = "calls of functions compiled for what the level has; compared with the portable form"
)]

use super::lanes::{Level, at_level};

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

    #[inline(always)]
    fn next(&mut self) -> Block {
        // The quotients of neighbours first, which need not wait for each other.
        let mut growth = [0.0; ABREAST];
        let mut stays = [0.0; ABREAST];
        for (i, (growth, stays)) in growth.iter_mut().zip(&mut stays).enumerate() {
            let (n, made) = (self.n + i as f64, self.made + i as f64);
            *growth = (self.shape + n) / (n + 1.0);
            *stays = (self.stay + made) / (self.leave + self.stay + made);
        }
        let mut stays = stays.into_iter();
        let mut counts = [0.0; ABREAST];
        let mut purchases = [0.0; ABREAST];
        for i in 0..ABREAST {
            self.count *= growth[i];
            self.stage += 1;
            if self.stage == self.stages {
                self.stage = 0;
                self.purchases += self.survived;
                self.survived *= stays.next().unwrap_or_default();
                self.made += 1.0;
            }
            counts[i] = self.count;
            purchases[i] = self.count * self.purchases;
        }
        self.n += ABREAST as f64;
        Block { counts, purchases }
    }

    /// K at one z.
    pub(super) fn once(self, z: f64) -> f64 {
        self.once_at(Level::detect(), z)
    }

    fn once_at(self, level: Level, z: f64) -> f64 {
        let coefficients = self;
        at_level!(level, sum_once(coefficients: Coefficients, z: f64) -> f64)
    }
}

/// The coefficients that some time has asked for, kept for the next.
#[derive(Debug, Clone)]
pub(super) struct Series {
    level: Level,
    rest: Coefficients,
    known: Vec<Block>,
}

impl Series {
    pub(super) fn new(coefficients: Coefficients) -> Self {
        Self::at_level(Level::detect(), coefficients)
    }

    fn at_level(level: Level, coefficients: Coefficients) -> Self {
        Self {
            level,
            rest: coefficients,
            known: Vec::new(),
        }
    }

    /// K at z: the bits of [`Coefficients::once`].
    pub(super) fn at(&mut self, z: f64) -> f64 {
        let series = self;
        at_level!(series.level, sum_known(series: &mut Series, z: f64) -> f64)
    }
}

#[inline(always)]
fn sum_once(mut coefficients: Coefficients, z: f64) -> f64 {
    let mut sum = Sum::new(z, coefficients.shape, coefficients.stages);
    loop {
        if let Some(quotient) = sum.add(&coefficients.next()) {
            return quotient;
        }
    }
}

#[inline(always)]
fn sum_known(series: &mut Series, z: f64) -> f64 {
    let Series { rest, known, .. } = series;
    let mut sum = Sum::new(z, rest.shape, rest.stages);
    for block in &*known {
        if let Some(quotient) = sum.add(block) {
            return quotient;
        }
    }
    loop {
        let block = rest.next();
        known.push(block);
        if let Some(quotient) = sum.add(&block) {
            return quotient;
        }
    }
}

/// Σ q_n M_n zⁿ / Σ q_n zⁿ, as far as its blocks of coefficients were added.
struct Sum {
    z: f64,
    shape: f64,
    stages: f64,
    events: f64,
    /// Those of z that the next block is for.
    powers: [f64; ABREAST],
    step: f64,
    counts: [f64; ABREAST],
    purchases: [f64; ABREAST],
}

impl Sum {
    #[inline(always)]
    fn new(z: f64, shape: f64, stages: usize) -> Self {
        // Products of few factors in a row, which wait the least for each other.
        let square = z * z;
        let (cube, fourth) = (square * z, square * square);
        let upper = [z, square, cube, fourth].map(|power| power * fourth);
        let [fifth, sixth, seventh, eighth] = upper;
        let powers = [z, square, cube, fourth, fifth, sixth, seventh, eighth];
        Self {
            z,
            shape,
            stages: stages as f64,
            events: 0.0,
            powers,
            step: eighth,
            counts: [0.0; ABREAST],
            purchases: [0.0; ABREAST],
        }
    }

    /// The quotient, once the terms left out do not matter.
    #[inline(always)]
    fn add(&mut self, block: &Block) -> Option<f64> {
        let mut term = 0.0;
        for i in 0..ABREAST {
            term = block.purchases[i] * self.powers[i];
            self.counts[i] += block.counts[i] * self.powers[i];
            self.purchases[i] += term;
            self.powers[i] *= self.step;
        }
        self.events += ABREAST as f64;
        // From here on P falls by at most the larger of its next quotient and its limit z, and
        // M grows by at most 1/n a step: the rest is below 2 term / (1 − quotient)².
        if term <= TAIL * self.purchases[0] && self.events >= self.stages {
            let next = self.events + 1.0;
            let gap = next - self.z * (self.shape + (next - 1.0)).max(next);
            let sum: f64 = self.purchases.iter().sum();
            if gap > 0.0 && 2.0 * term * next * next <= BOUND * sum * gap * gap {
                return Some(sum / (1.0 + self.counts.iter().sum::<f64>()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_level_has_the_bits_of_the_portable_one(
            shape in 1e-3..100.0_f64,
            leave in 1e-3..100.0_f64,
            stay in 1e-3..100.0_f64,
            stages in 1_usize..=12,
            times in proptest::collection::vec(0.0..0.8_f64, 1..5),
        ) {
            let coefficients = || Coefficients::new(shape, leave, stay, stages, stages / 2);
            for level in Level::available() {
                let mut series = Series::at_level(level, coefficients());
                for &z in &times {
                    let portable = coefficients().once_at(Level::Portable, z).to_bits();
                    prop_assert_eq!(coefficients().once_at(level, z).to_bits(), portable);
                    prop_assert_eq!(series.at(z).to_bits(), portable);
                }
            }
        }
    }
}
