//! Special functions, optimisers and deterministic loops that the models share.

#![cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the models that are fitted with these come in a later change"
    )
)]

pub(crate) mod before_dropout;
pub(crate) mod beta;
pub(crate) mod chains;
pub(crate) mod cholesky;
pub(crate) mod compact;
pub(crate) mod eigen;
pub(crate) mod elementary;
mod euler_integral;
pub(crate) mod gamma;
pub(crate) mod gathered;
pub(crate) mod gompertz_race;
pub(crate) mod hypergeometric;
pub(crate) mod incomplete;
pub(crate) mod inverse;
pub(crate) mod lanes;
pub(crate) mod optimise;
pub(crate) mod pareto_race;
pub(crate) mod pareto_tail;
mod purchase_series;
pub(crate) mod quadrature;
pub(crate) mod reduce;
pub(crate) mod regular_before_dropout;
pub(crate) mod subspace;
pub(crate) mod threshold;
pub(crate) mod tiles;
pub(crate) mod triple;

/// Fails unless the values agree to the relative tolerance or the absolute floor.
#[cfg(test)]
#[track_caller]
fn close(actual: f64, expected: f64, relative: f64, absolute: f64) {
    let error = (actual - expected).abs();
    assert!(
        error <= (relative * expected.abs()).max(absolute),
        "{actual:e} is not {expected:e}: relative error {:e}",
        error / expected.abs()
    );
}
