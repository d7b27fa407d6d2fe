//! The No-U-Turn sampler.
//!
//! Hoffman and Gelman (2014), The No-U-Turn Sampler, *Journal of Machine Learning Research* 15(47), with
//! draws chosen among all states of a trajectory by their weight and the criterion of Betancourt (2017), A
//! Conceptual Introduction to Hamiltonian Monte Carlo, appendix A. The chains walk in coordinates in which
//! the posterior is nearly standard normal: those of the Laplace approximation at first, of the draws of
//! the warm-up later.

mod trajectory;
mod warm_up;

use nalgebra::DVector;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use self::trajectory::{State, Step, step};
use self::warm_up::WarmUp;
use super::density::{Density, Laplace, Target};
use super::{Chains, Diagnosis, Posterior, PosteriorOptions, normal};
use crate::error::{Error, FitError};
use crate::numeric::chains::{effective_sample_size, split_r_hat};

/// Steps of a chain that its comparison with the others needs.
const FEWEST_STEPS: usize = 250;
/// Chains begin further apart than the posterior is wide.
const APART: f64 = 2.0;

pub(super) fn draw<T: Target>(
    density: &Density<T>,
    laplace: &Laplace,
    options: &PosteriorOptions,
    Chains { chains, warm_up }: Chains,
) -> Result<Posterior<T::Model>, Error> {
    let draws = options.draws as usize;
    let steps = draws.div_ceil(chains as usize).max(FEWEST_STEPS);
    let mut walked = Vec::with_capacity(chains as usize);
    for number in 0..chains {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        // The first stream is that of the weighted proposals.
        rng.set_stream(u64::from(number) + 1);
        walked.push(walk(density, laplace, warm_up, steps, &mut rng)?);
    }
    let (mut worst, mut least) = (1.0_f64, f64::INFINITY);
    for dimension in 0..laplace.centre.len() {
        let of_chain = |chain: &Chain<T::Model>| chain.logs.iter().map(|x| x[dimension]).collect();
        let chains: Vec<Vec<f64>> = walked.iter().map(of_chain).collect();
        worst = worst.max(split_r_hat(&chains));
        least = least.min(effective_sample_size(&chains));
    }
    let total = steps * walked.len();
    // Of more steps than draws every so-many-th, the chains in turn.
    let spread = (0..draws).map(|i| i * total / draws);
    let chosen = spread.filter_map(|i| walked[i % walked.len()].models.get(i / walked.len()));
    Ok(Posterior {
        draws: chosen.cloned().collect(),
        diagnosis: Diagnosis::Chains {
            split_r_hat: worst,
            effective_sample_size: least,
            steps: total,
            divergences: walked.iter().map(|chain| chain.divergences).sum(),
            chains,
        },
    })
}

/// What one chain saw after its warm-up.
struct Chain<M> {
    models: Vec<M>,
    logs: Vec<DVector<f64>>,
    divergences: usize,
}

fn walk<T: Target>(
    density: &Density<T>,
    laplace: &Laplace,
    warm_up: u32,
    steps: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Chain<T::Model>, FitError> {
    let mut state = start(density, laplace, rng).ok_or(FitError::NotConverged {
        reason: "the likelihood is not finite anywhere around the maximum",
        iterations: 0,
    })?;
    let mut learning = WarmUp::new(laplace, warm_up);
    for _ in 0..warm_up {
        let Step { to, acceptance, .. } =
            step(density, learning.scale(), learning.length(), state, rng);
        learning.learn(&to.logs, acceptance);
        state = to;
    }
    let length = learning.settled();
    let mut chain = Chain {
        models: Vec::with_capacity(steps),
        logs: Vec::with_capacity(steps),
        divergences: 0,
    };
    for _ in 0..steps {
        let Step { to, diverged, .. } = step(density, learning.scale(), length, state, rng);
        chain.models.push(to.model.clone());
        chain.logs.push(to.logs.clone());
        chain.divergences += usize::from(diverged);
        state = to;
    }
    Ok(chain)
}

/// A place around the maximum, as far from it as it takes for the density not to be 0.
fn start<T: Target>(
    density: &Density<T>,
    laplace: &Laplace,
    rng: &mut ChaCha8Rng,
) -> Option<State<T::Model>> {
    let mut z = DVector::from_fn(laplace.centre.len(), |_, _| APART * normal(rng));
    for _ in 0..8 {
        if let Some(state) = State::new(density, laplace.place(&z)) {
            return Some(state);
        }
        z *= 0.5;
    }
    None
}
