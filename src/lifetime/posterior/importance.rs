//! Proposals around the maximum, weighted by what the posterior says of them.

use nalgebra::DVector;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::density::{Density, Laplace, Target};
use super::{Diagnosis, Posterior, PosteriorOptions, normal};
use crate::error::{Error, FitError};
use crate::numeric::pareto_tail;
use crate::numeric::reduce::map_into;

const PROPOSALS_PER_DRAW: usize = 2;

/// Degrees of freedom of the proposals' t distribution.
const DEGREES: u32 = 8;

pub(super) fn draw<T: Target>(
    density: &Density<T>,
    laplace: &Laplace,
    options: &PosteriorOptions,
) -> Result<Posterior<T::Model>, Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let many = PROPOSALS_PER_DRAW * options.draws as usize;
    let proposals: Vec<Proposal> = (0..many)
        .map(|_| Proposal::new(laplace, &mut rng))
        .collect();
    let mut weighted = vec![(f64::NEG_INFINITY, None); many];
    map_into(&proposals, &mut weighted, |proposal| {
        match density.value_at(proposal.logs.as_slice()) {
            Some((model, ln)) => (ln - proposal.ln_density, Some(model)),
            None => (f64::NEG_INFINITY, None),
        }
    });
    let largest = weighted
        .iter()
        .map(|w| w.0)
        .fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return Err(FitError::NotConverged {
            reason: "the likelihood is not finite anywhere around the maximum",
            iterations: many,
        }
        .into());
    }
    let mut weights: Vec<f64> = weighted.iter().map(|w| w.0 - largest).collect();
    let pareto_k = pareto_tail::smooth(&mut weights);
    for weight in &mut weights {
        *weight = libm::exp(*weight);
    }
    let total: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    let models = weighted.iter().zip(&weights);
    let possible = models.filter_map(|((_, model), weight)| Some((model.clone()?, *weight)));
    Ok(Posterior {
        draws: resample(possible, total, options.draws, rng.random()),
        diagnosis: Diagnosis::Importance {
            pareto_k,
            effective_sample_size: total * total / squares,
            proposals: many,
        },
    })
}

/// A draw of the t distribution.
struct Proposal {
    logs: DVector<f64>,
    /// Up to a constant.
    ln_density: f64,
}

impl Proposal {
    fn new(laplace: &Laplace, rng: &mut ChaCha8Rng) -> Self {
        let dimensions = laplace.centre.len();
        let mut z = DVector::from_fn(dimensions, |_, _| normal(rng));
        let chi_squared: f64 = (0..DEGREES).map(|_| normal(rng).powi(2)).sum();
        let degrees = f64::from(DEGREES);
        z *= (degrees / chi_squared).sqrt();
        let power = 0.5 * (degrees + dimensions as f64);
        Self {
            ln_density: -power * libm::log1p(z.norm_squared() / degrees),
            logs: laplace.place(&z),
        }
    }
}

/// Systematic resampling: equally spaced ticks on the running sum of the weights, the first at
/// `offset` (0 to 1) of a step.
fn resample<M: Clone>(
    weighted: impl Iterator<Item = (M, f64)>,
    total: f64,
    draws: u32,
    offset: f64,
) -> Vec<M> {
    let step = total / f64::from(draws);
    let mut drawn = Vec::with_capacity(draws as usize);
    let mut reached = 0.0;
    let mut tick = 0;
    let mut last = None;
    for (model, weight) in weighted.filter(|(_, weight)| *weight > 0.0) {
        reached += weight;
        while tick < draws && (f64::from(tick) + offset) * step < reached {
            drawn.push(model.clone());
            tick += 1;
        }
        last = Some(model);
    }
    // A tick that rounding put on the very end belongs to the last proposal.
    if let Some(last) = last {
        drawn.resize(draws as usize, last);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_drawn_in_proportion_to_its_weight() {
        let weighted = [(0, 1.0), (1, 0.0), (2, 2.5), (3, 0.5)];
        let drawn = resample(weighted.into_iter(), 4.0, 8, 0.5);
        assert_eq!(drawn, [0, 0, 2, 2, 2, 2, 2, 3]);
    }

    #[test]
    fn as_many_are_drawn_as_were_asked_for() {
        for offset in [0.0, 1.0 - f64::EPSILON / 2.0] {
            let weighted = [(0, 0.1), (1, 0.2), (2, 0.0)];
            let drawn = resample(weighted.into_iter(), 0.1 + 0.2, 1, offset);
            assert_eq!(drawn.len(), 1);
            assert_ne!(drawn, [2]);
        }
    }
}
