//! What a fit minimises, and how.

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::recommend::error::out_of_range;
use crate::recommend::latent::FACTORS_MAX;
use crate::summary::InteractionMatrix;

/// What an interaction weighs against the absence of one, and how factors are kept small.
///
/// Both minimise Σ over customers and items of weight · (score − target)², with target 1 for what was taken and 0 for what
/// was not, plus Σ λ |factors|².
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Weighting {
    /// Hu, Koren and Volinsky 2008, with the confidence of the library *implicit*: what was taken with weight r has the weight
    /// α r, what was not has 1.
    HuKoren {
        /// Positive; 1 to 100 in practice. Below 1/r, to have taken says less than not to have.
        alpha: f64,
        /// λ, positive, the same for every customer and item.
        lambda: f64,
    },
    /// iALS with the regularisation of Rendle, Krichene, Zhang and Koren 2022 (*Revisiting the performance of iALS*): α₀ everywhere,
    /// and 1 more for what was taken. Entries count once, whatever their weight; those of weight 0 not at all.
    Rendle {
        /// Positive; 0.003 to 1 in practice.
        alpha0: f64,
        /// Positive; a customer of n items has λ (n + α₀ · all items)^ν, an item likewise.
        lambda: f64,
        /// From 0 (all alike) to 1 (by frequency).
        nu: f64,
    },
}

/// One entry's part of the objective: w s² − 2 l s + c of its score s, beyond the weight of what was not taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) quadratic: f64,
    pub(super) linear: f64,
    pub(super) constant: f64,
}

impl Weighting {
    /// [`Weighting::Rendle`] whose λ is given as λ* of the paper's eq. 8: that of ν = 1 with as much regularisation in all,
    /// so that one λ* can be compared between values of ν.
    pub fn rendle_scaled(matrix: &InteractionMatrix, alpha0: f64, lambda: f64, nu: f64) -> Self {
        let sum = |nu: f64| {
            let side = |matrix: &InteractionMatrix| {
                let rows = matrix.iter().map(|(_, weights)| {
                    let taken = weights.iter().filter(|&&weight| weight > 0.0).count();
                    libm::pow(taken as f64 + alpha0 * f64::from(matrix.columns()), nu)
                });
                rows.sum::<f64>()
            };
            side(matrix) + side(&matrix.transposed())
        };
        Self::Rendle {
            alpha0,
            lambda: lambda * sum(1.0) / sum(nu),
            nu,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let positive = |setting, value: f64| {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            Err(out_of_range(setting, value, "finite and positive"))
        };
        match *self {
            Self::HuKoren { alpha, lambda } => {
                positive("alpha", alpha)?;
                positive("lambda", lambda)
            }
            Self::Rendle { alpha0, lambda, nu } => {
                positive("alpha0", alpha0)?;
                positive("lambda", lambda)?;
                if (0.0..=1.0).contains(&nu) {
                    return Ok(());
                }
                Err(out_of_range("nu", nu, "from 0 to 1"))
            }
        }
    }

    pub(super) fn unobserved(&self) -> f64 {
        match *self {
            Self::HuKoren { .. } => 1.0,
            Self::Rendle { alpha0, .. } => alpha0,
        }
    }

    pub(super) fn entry(&self, weight: f32) -> Option<Entry> {
        match *self {
            Self::HuKoren { alpha, .. } => {
                let confidence = alpha * f64::from(weight);
                Some(Entry {
                    quadratic: confidence - 1.0,
                    linear: confidence,
                    constant: confidence,
                })
            }
            Self::Rendle { .. } => (weight > 0.0).then_some(Entry {
                quadratic: 1.0,
                linear: 1.0,
                constant: 1.0,
            }),
        }
    }

    pub(super) fn row_regularization(&self, entries: usize, others: u32) -> f64 {
        match *self {
            Self::HuKoren { lambda, .. } => lambda,
            Self::Rendle { alpha0, lambda, nu } => {
                lambda * libm::pow(entries as f64 + alpha0 * f64::from(others), nu)
            }
        }
    }
}

/// How a row's system is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Solver {
    /// To the end: by the Cholesky factor of as many equations as the row has entries or the model has factors,
    /// whichever are fewer. The objective falls in every iteration.
    Cholesky,
    /// Some steps of the conjugate gradient from the solution of the iteration before (Takács, Pilászy and Tikk
    /// 2011), preconditioned by what all rows share.
    ConjugateGradient {
        /// At least 1; 3 is common.
        steps: u32,
    },
    /// iALS++ (Rendle, Krichene, Zhang and Koren 2021): some factors at a time, the others as they are, each block once an
    /// iteration; rows of few entries to the end at once. For many factors: n · d · block operations a row instead
    /// of n · d², the same fixed point as [`Cholesky`](Self::Cholesky), and an objective that falls in every iteration.
    Subspace {
        /// Factors that are solved together, at least 1; rounded up to a multiple of 16. 64 or 128 for 256 and more factors.
        block: u32,
    },
}

/// How an [`Als`](super::Als) model is fitted.
///
/// | field | range | [`new`](Self::new) |
/// |---|---|---|
/// | `weighting` | see [`Weighting`] | yours |
/// | `factors` | 1 to 1,024 | yours |
/// | `seed` | any | yours |
/// | `iterations` | at least 1 | 15 |
/// | `solver` | see [`Solver`] | [`Solver::Cholesky`] |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlsConfig {
    /// What an interaction weighs.
    pub weighting: Weighting,
    /// Length of the vectors: 64 for small catalogues, 128 and more for large ones.
    pub factors: usize,
    /// Of the customers' first factors.
    pub seed: u64,
    /// How often both sides are solved.
    pub iterations: u32,
    /// How.
    pub solver: Solver,
}

impl AlsConfig {
    /// Fifteen iterations, each row solved to the end.
    pub fn new(weighting: Weighting, factors: usize, seed: u64) -> Self {
        Self {
            weighting,
            factors,
            seed,
            iterations: 15,
            solver: Solver::Cholesky,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.weighting.check()?;
        if !(1..=FACTORS_MAX).contains(&self.factors) {
            return Err(out_of_range("factors", self.factors, "from 1 to 1024"));
        }
        if self.iterations == 0 {
            return Err(out_of_range("iterations", 0, "at least 1"));
        }
        match self.solver {
            Solver::ConjugateGradient { steps: 0 } => Err(out_of_range("steps", 0, "at least 1")),
            Solver::Subspace { block: 0 } => Err(out_of_range("block", 0, "at least 1")),
            _ => Ok(()),
        }
    }
}
