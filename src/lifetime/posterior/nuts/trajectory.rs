//! One step of a chain: a trajectory that doubles until it turns back.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::super::density::{At, Density, Target};
use super::normal;

/// Doublings of a trajectory.
const DEEPEST: u32 = 10;
/// An error of the energy that only a lost trajectory has.
const LOST: f64 = 1000.0;

/// A place where the density is not 0.
#[derive(Clone)]
pub(super) struct State<M> {
    pub(super) model: M,
    pub(super) logs: DVector<f64>,
    ln: f64,
    slope: DVector<f64>,
}

impl<M: Clone> State<M> {
    pub(super) fn new<T: Target<Model = M>>(
        density: &Density<T>,
        logs: DVector<f64>,
    ) -> Option<Self> {
        let At { model, ln, slope } = density.at(logs.as_slice())?;
        Some(Self {
            model,
            logs,
            ln,
            slope,
        })
    }
}

pub(super) struct Step<M> {
    pub(super) to: State<M>,
    /// The mean probability of accepting the states of the trajectory.
    pub(super) acceptance: f64,
    pub(super) diverged: bool,
}

/// From a state with steps of a `length`, in coordinates of which `scale` is the Cholesky factor of the
/// covariance.
pub(super) fn step<T: Target>(
    density: &Density<T>,
    scale: &DMatrix<f64>,
    length: f64,
    from: State<T::Model>,
    rng: &mut ChaCha8Rng,
) -> Step<T::Model> {
    let momentum = DVector::from_fn(from.logs.len(), |_, _| normal(rng));
    let mut walker = Walker {
        density,
        scale,
        length,
        energy: 0.5 * momentum.norm_squared() - from.ln,
        acceptances: 0.0,
        states: 0.0,
        diverged: false,
    };
    let mut path = Path::at(Point {
        state: from,
        momentum,
    });
    for depth in 0..DEEPEST {
        let forward = rng.random::<bool>();
        let Some(more) = walker.extend(&path, forward, depth, rng) else {
            break;
        };
        // The farther half is preferred: chains move on.
        let farther = libm::exp((more.ln_weight - path.ln_weight).min(0.0));
        let chosen = if rng.random::<f64>() < farther {
            more.chosen.clone()
        } else {
            path.chosen.clone()
        };
        let (joined, turned) = path.join(more, forward);
        path = joined;
        path.chosen = chosen;
        if turned {
            break;
        }
    }
    Step {
        to: path.chosen,
        acceptance: walker.acceptances / walker.states.max(1.0),
        diverged: walker.diverged,
    }
}

#[derive(Clone)]
struct Point<M> {
    state: State<M>,
    momentum: DVector<f64>,
}

/// A part of a trajectory.
struct Path<M> {
    first: Point<M>,
    last: Point<M>,
    chosen: State<M>,
    /// Sum of the momenta.
    moved: DVector<f64>,
    /// ln Σ exp(energy at the start − energy).
    ln_weight: f64,
}

impl<M: Clone> Path<M> {
    fn at(point: Point<M>) -> Self {
        Self {
            chosen: point.state.clone(),
            moved: point.momentum.clone(),
            ln_weight: 0.0,
            first: point.clone(),
            last: point,
        }
    }

    /// With what follows in one of the directions, and whether the whole turns back. The chosen state
    /// stays that of `self`.
    fn join(self, more: Self, forward: bool) -> (Self, bool) {
        let ln_weight = ln_add(self.ln_weight, more.ln_weight);
        let chosen = self.chosen.clone();
        let (early, late) = if forward { (self, more) } else { (more, self) };
        let moved = &early.moved + &late.moved;
        // Also across the seam, where a turn could hide.
        let turned = turns(&early.first, &late.last, &moved)
            || turns(
                &early.first,
                &late.first,
                &(&early.moved + &late.first.momentum),
            )
            || turns(
                &early.last,
                &late.last,
                &(&early.last.momentum + &late.moved),
            );
        let joined = Self {
            first: early.first,
            last: late.last,
            chosen,
            moved,
            ln_weight,
        };
        (joined, turned)
    }
}

fn turns<M>(first: &Point<M>, last: &Point<M>, moved: &DVector<f64>) -> bool {
    first.momentum.dot(moved) <= 0.0 || last.momentum.dot(moved) <= 0.0
}

struct Walker<'a, T> {
    density: &'a Density<'a, T>,
    scale: &'a DMatrix<f64>,
    length: f64,
    /// At the start.
    energy: f64,
    acceptances: f64,
    states: f64,
    diverged: bool,
}

impl<T: Target> Walker<'_, T> {
    /// 2^`depth` states on from an end of the path; `None` where they turn back or get lost.
    fn extend(
        &mut self,
        path: &Path<T::Model>,
        forward: bool,
        depth: u32,
        rng: &mut ChaCha8Rng,
    ) -> Option<Path<T::Model>> {
        let end = if forward { &path.last } else { &path.first };
        if depth == 0 {
            return self.leap(end, forward);
        }
        let near = self.extend(path, forward, depth - 1, rng)?;
        let far = self.extend(&near, forward, depth - 1, rng)?;
        let share = libm::exp(far.ln_weight - ln_add(near.ln_weight, far.ln_weight));
        let chosen = (rng.random::<f64>() < share).then(|| far.chosen.clone());
        let (mut joined, turned) = near.join(far, forward);
        if let Some(chosen) = chosen {
            joined.chosen = chosen;
        }
        (!turned).then_some(joined)
    }

    /// One leapfrog step.
    fn leap(&mut self, from: &Point<T::Model>, forward: bool) -> Option<Path<T::Model>> {
        let length = if forward { self.length } else { -self.length };
        let half = 0.5 * length;
        let mut momentum = &from.momentum + self.scale.tr_mul(&from.state.slope) * half;
        let logs = &from.state.logs + self.scale * &momentum * length;
        self.states += 1.0;
        let Some(state) = State::new(self.density, logs) else {
            self.diverged = true;
            return None;
        };
        momentum += self.scale.tr_mul(&state.slope) * half;
        let gain = self.energy - (0.5 * momentum.norm_squared() - state.ln);
        if gain.is_nan() || gain < -LOST {
            self.diverged = true;
            return None;
        }
        self.acceptances += libm::exp(gain.min(0.0));
        let mut path = Path::at(Point { state, momentum });
        path.ln_weight = gain;
        Some(path)
    }
}

/// ln(eˣ + eʸ).
fn ln_add(x: f64, y: f64) -> f64 {
    x.max(y) + libm::log1p(libm::exp(-(x - y).abs()))
}
