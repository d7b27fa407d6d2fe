//! What one step does: an item that the customer did not take is set behind one that was.

use serde::{Deserialize, Serialize};

use crate::numeric::lanes::Level;
use crate::numeric::triple::product;

/// From where items are drawn that a customer did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negatives {
    /// Each with the same chance, as in the paper.
    Uniform,
    /// Each as often as it was taken, as the library *implicit* does: what is popular has to prove itself.
    ByPopularity,
}

/// How a model's step is made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recommend) enum Rule {
    Bpr {
        regularization: f32,
        negatives: Negatives,
    },
    Warp {
        trials: u32,
        length_max: f32,
    },
}

/// A step that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Push {
    /// The step's length, in units of the learning rate.
    pub(super) weight: f32,
    pub(super) loss: f32,
}

/// What steps say, added up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moved {
    pub(super) steps: f64,
    pub(super) loss: f64,
    /// Pairs whose order was right before the step.
    pub(super) ordered: f64,
}

impl Moved {
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.steps += other.steps;
        self.loss += other.loss;
        self.ordered += other.ordered;
        self
    }
}

impl Rule {
    pub(super) fn by_popularity(&self) -> bool {
        let popular = Negatives::ByPopularity;
        matches!(self, Self::Bpr { negatives, .. } if *negatives == popular)
    }

    /// How many items are drawn at most until one asks for a step.
    pub(super) fn trials(&self) -> u32 {
        match *self {
            Self::Bpr { .. } => 1,
            Self::Warp { trials, .. } => trials,
        }
    }

    /// What is left of a number beside the step.
    pub(super) fn keep(&self, rate: f32) -> f32 {
        match *self {
            Self::Bpr { regularization, .. } => 1.0 - rate * regularization,
            Self::Warp { .. } => 1.0,
        }
    }

    /// Whether the `trial`th item drawn, `ahead` of which the item taken scores, asks for a step, when the customer
    /// did not take `others` items.
    ///
    /// BPR (Rendle et al. 2009, figure 4): always; ascends ln σ(ahead) − λ/2 |parameters|². WARP (Weston, Bengio and Usunier
    /// 2011, algorithm 1): when it is within the margin of 1; the fewer draws, the worse the rank and the larger the step.
    pub(super) fn judge(&self, ahead: f32, trial: u32, others: usize) -> Option<Push> {
        match *self {
            Self::Bpr { .. } => Some(Push {
                weight: 1.0 / (1.0 + libm::expf(ahead)),
                // ln(1 + e^−z) without overflow.
                loss: libm::log1pf(libm::expf(-ahead.abs())) + (-ahead).max(0.0),
            }),
            Self::Warp { .. } => (ahead < 1.0).then(|| {
                let rank = others.saturating_sub(1) / trial.max(1) as usize;
                let weight = harmonic(rank.max(1));
                let loss = weight * (1.0 - ahead);
                Push { weight, loss }
            }),
        }
    }

    /// Cuts vectors that are longer than the rule allows.
    pub(super) fn bound(&self, level: Level, vectors: [&mut [f32]; 3]) {
        if let Self::Warp { length_max, .. } = *self {
            for vector in vectors {
                cut(level, vector, length_max);
            }
        }
    }
}

/// Σ 1/k for k = 1 ..= n.
fn harmonic(n: usize) -> f32 {
    if n <= 16 {
        return (1..=n).map(|k| 1.0 / k as f32).sum();
    }
    let n = n as f64;
    const EULER: f64 = 0.577_215_664_901_532_9;
    (libm::log(n) + EULER + 1.0 / (2.0 * n) - 1.0 / (12.0 * n * n)) as f32
}

fn cut(level: Level, vector: &mut [f32], length_max: f32) {
    let square = product(level, vector, vector);
    if square > length_max * length_max {
        let scale = length_max / square.sqrt();
        for number in vector {
            *number *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmonic_numbers_are_sums() {
        let mut sum = 0.0;
        for n in 1..=2_000 {
            sum += 1.0 / n as f64;
            assert!((f64::from(harmonic(n)) - sum).abs() < 2e-6, "{n}");
        }
    }

    #[test]
    fn a_long_vector_is_cut_and_a_short_one_left() {
        let mut long = [3.0; 16];
        cut(Level::detect(), &mut long, 2.0);
        assert!(long.iter().all(|&number| (number - 0.5).abs() < 1e-6));
        let mut short = [0.25; 16];
        cut(Level::detect(), &mut short, 2.0);
        assert_eq!(short, [0.25; 16]);
    }
}
