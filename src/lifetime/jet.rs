//! A number with its first and second derivatives in a few parameters.

use std::ops::{AddAssign, Sub};

use nalgebra::{DMatrix, DVector};

use crate::numeric::optimise::Evaluation;

/// A value, its gradient and its Hessian in N parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jet<const N: usize> {
    pub(super) value: f64,
    pub(super) slope: [f64; N],
    pub(super) curve: [[f64; N]; N],
}

impl<const N: usize> Jet<N> {
    pub(super) const ZERO: Self = Self {
        value: 0.0,
        slope: [0.0; N],
        curve: [[0.0; N]; N],
    };

    /// f of this number, from f, f′ and f″ at the value.
    pub(super) fn map(self, [value, first, second]: [f64; 3]) -> Self {
        let mut of = Self {
            value,
            ..Self::ZERO
        };
        for i in 0..N {
            of.slope[i] = first * self.slope[i];
            for j in 0..N {
                of.curve[i][j] = first * self.curve[i][j] + second * self.slope[i] * self.slope[j];
            }
        }
        of
    }

    /// Adds a multiple.
    pub(super) fn add(&mut self, weight: f64, term: &Self) {
        self.value += weight * term.value;
        for i in 0..N {
            self.slope[i] += weight * term.slope[i];
            for j in 0..N {
                self.curve[i][j] += weight * term.curve[i][j];
            }
        }
    }

    /// The same with derivatives in the logarithms of the parameters, which are now at `at`:
    /// ∂/∂ln θ = θ ∂/∂θ.
    pub(super) fn in_logarithms(&self, at: &[f64; N]) -> Evaluation {
        let slope = DVector::from_fn(N, |i, _| at[i] * self.slope[i]);
        let curve = DMatrix::from_fn(N, N, |i, j| {
            let twice = at[i] * at[j] * self.curve[i][j];
            if i == j { twice + slope[i] } else { twice }
        });
        Evaluation {
            value: self.value,
            gradient: slope,
            hessian: curve,
        }
    }
}

impl<const N: usize> AddAssign for Jet<N> {
    fn add_assign(&mut self, other: Self) {
        self.add(1.0, &other);
    }
}

impl<const N: usize> Sub for Jet<N> {
    type Output = Self;

    fn sub(mut self, other: Self) -> Self {
        self.add(-1.0, &other);
        self
    }
}

/// Fails unless gradient and Hessian are the central differences of value and gradient.
#[cfg(test)]
#[track_caller]
pub(super) fn derivatives_agree<const N: usize>(
    at: [f64; N],
    evaluate: impl Fn(&[f64; N]) -> Evaluation,
) {
    const STEP: f64 = 1e-4;
    let here = evaluate(&at);
    let scale = 1.0 + here.value.abs();
    for i in 0..N {
        let moved = |by: f64| {
            let mut moved = at;
            moved[i] += by;
            evaluate(&moved)
        };
        let (up, down) = (moved(STEP), moved(-STEP));
        let slope = (up.value - down.value) / (2.0 * STEP);
        let found = here.gradient[i];
        assert!((found - slope).abs() < 1e-6 * scale, "{i}: {found} {slope}");
        let slopes = (up.gradient - down.gradient) / (2.0 * STEP);
        for j in 0..N {
            let (found, slope) = (here.hessian[(i, j)], slopes[j]);
            assert!(
                (found - slope).abs() < 1e-6 * scale,
                "{i} {j}: {found} {slope}"
            );
        }
    }
}
