//! From several starts to one end, and what to make of it.

use nalgebra::DVector;

use crate::error::FitError;
use crate::numeric::optimise::{Evaluation, Limits, Optimum, Status, minimise};

/// Where the best of some searches ended.
pub(in crate::lifetime) struct End {
    pub(in crate::lifetime) optimum: Optimum,
    /// Where it began.
    from: DVector<f64>,
    /// Steps of all searches together.
    pub(in crate::lifetime) iterations: u32,
}

/// How a search ended.
pub(in crate::lifetime) enum Verdict {
    Interior,
    /// The parameters go on for ever in this direction.
    RanAway(DVector<f64>),
    Unfinished {
        /// The largest slope left.
        slope: f64,
    },
}

/// Minimises from each start in turn until a search converges, and keeps the best end.
///
/// # Errors
/// [`FitError::NotConverged`] when the objective is not finite at any start.
pub(in crate::lifetime) fn search(
    starts: impl Iterator<Item = DVector<f64>>,
    limits: &Limits,
    objective: &mut dyn FnMut(&DVector<f64>) -> Evaluation,
) -> Result<End, FitError> {
    let mut best: Option<End> = None;
    let mut iterations = 0;
    for from in starts {
        let Some(optimum) = minimise(from.as_slice(), limits, &mut *objective) else {
            continue;
        };
        iterations += optimum.iterations;
        let converged = optimum.status == Status::Converged;
        if best
            .as_ref()
            .is_none_or(|b| optimum.value < b.optimum.value)
        {
            best = Some(End {
                optimum,
                from,
                iterations,
            });
        }
        if converged {
            break;
        }
    }
    let end = best.ok_or(FitError::NotConverged {
        reason: "the likelihood is not finite at any start",
        iterations: 0,
    })?;
    Ok(End { iterations, ..end })
}

impl End {
    pub(in crate::lifetime) fn verdict(&self) -> Verdict {
        // Parameters that were found move by a few units of their logarithm; those that run away
        // move until the search gives up.
        const RUN_AWAY: f64 = 8.0;
        let optimum = &self.optimum;
        let moved = &optimum.x - &self.from;
        match &optimum.status {
            Status::Converged => Verdict::Interior,
            Status::DivergedAlong(step) if moved.amax() < RUN_AWAY => {
                Verdict::RanAway(step.clone())
            }
            _ if moved.amax() >= RUN_AWAY => Verdict::RanAway(moved),
            _ => {
                let scaled = optimum
                    .gradient
                    .zip_map(&optimum.x, |g, x| g.abs() * x.abs().max(1.0));
                let slope = scaled.amax() / optimum.value.abs().max(1.0);
                Verdict::Unfinished { slope }
            }
        }
    }
}
