//! Plausible parameters, drawn around a fit.

use nalgebra::DMatrix;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::{FitReport, Fitted, Support};
use crate::error::{ConfigError, Error, FitError};
use crate::numeric::reduce::map_into;

/// Plausible parameter sets of a model, all of equal weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior<M> {
    draws: Vec<M>,
    effective_sample_size: f64,
    proposals: usize,
}

impl<M> Posterior<M> {
    /// A posterior without doubt: one parameter set. For combining a model that is given with
    /// one that is estimated.
    pub fn certain(model: M) -> Self {
        Self {
            draws: vec![model],
            effective_sample_size: 1.0,
            proposals: 1,
        }
    }

    /// The posterior of what can be made of each parameter set.
    pub(super) fn try_map<N, E>(
        &self,
        make: impl FnMut(&M) -> Result<N, E>,
    ) -> Result<Posterior<N>, E> {
        Ok(Posterior {
            draws: self.draws.iter().map(make).collect::<Result<_, _>>()?,
            effective_sample_size: self.effective_sample_size,
            proposals: self.proposals,
        })
    }

    /// The parameter sets.
    pub fn draws(&self) -> &[M] {
        &self.draws
    }

    /// How many independent draws the weighted proposals were worth: (Σ w)² / Σ w², between 1 and
    /// [`proposals`](Self::proposals). Below a tenth of them, do not trust the ends of an interval.
    pub fn effective_sample_size(&self) -> f64 {
        self.effective_sample_size
    }

    /// How many parameter sets were proposed.
    pub fn proposals(&self) -> usize {
        self.proposals
    }
}

/// A model that is nothing but its parameters, all positive.
pub(super) trait Parameters: Sized + Copy + Send + Sync {
    /// The model of these parameters, in the order of the fit's report; `None` when one is not
    /// positive and finite.
    fn from_parameters(parameters: &[f64]) -> Option<Self>;
}

const PROPOSALS_PER_DRAW: usize = 2;

/// Degrees of freedom of the proposals' t distribution.
const DEGREES: u32 = 8;

/// Draws from the posterior around a fit, with the exact log-likelihood of the same data.
pub(super) fn draw<M: Parameters>(
    fitted: &Fitted<M>,
    draws: u32,
    seed: u64,
    log_likelihood: impl Fn(&M) -> f64 + Sync,
) -> Result<Posterior<M>, Error> {
    draw_models(fitted, draws, seed, M::from_parameters, log_likelihood)
}

/// As [`draw`], for a model that is more than its parameters: `model` makes it of them, in the order
/// of the fit's report, or nothing when one is not positive and finite. The log-likelihood may leave
/// out a constant.
pub(super) fn draw_models<M: Clone + Send + Sync>(
    fitted: &Fitted<M>,
    draws: u32,
    seed: u64,
    model: impl Fn(&[f64]) -> Option<M>,
    log_likelihood: impl Fn(&M) -> f64 + Sync,
) -> Result<Posterior<M>, Error> {
    if draws == 0 {
        return Err(ConfigError::OutOfRange {
            setting: "draws",
            value: "0".to_owned(),
            expected: "at least 1",
        }
        .into());
    }
    let scale = log_scale(&fitted.report).ok_or(FitError::NotIdentified {
        parameter: "the posterior",
        reason: "the likelihood has no maximum in the interior, see the fit's status",
    })?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let many = PROPOSALS_PER_DRAW * draws as usize;
    let proposals: Vec<Proposal<M>> = (0..many)
        .filter_map(|_| propose(&fitted.report, &scale, &model, &mut rng))
        .collect();
    let mut weights = vec![f64::NEG_INFINITY; proposals.len()];
    map_into(&proposals, &mut weights, |proposal| {
        let gain = log_likelihood(&proposal.model) - fitted.report.log_likelihood;
        if gain.is_finite() {
            gain - proposal.ln_density
        } else {
            f64::NEG_INFINITY
        }
    });
    let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return Err(FitError::NotConverged {
            reason: "the likelihood is not finite anywhere around the maximum",
            iterations: many,
        }
        .into());
    }
    for weight in &mut weights {
        *weight = libm::exp(*weight - largest);
    }
    let total: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    Ok(Posterior {
        draws: resample(&proposals, &weights, draws, rng.random()),
        effective_sample_size: total * total / squares,
        proposals: many,
    })
}

struct Proposal<M> {
    model: M,
    /// Up to a constant.
    ln_density: f64,
}

/// The Cholesky factor of the covariance, of positive parameters in their logarithms.
fn log_scale(report: &FitReport) -> Option<DMatrix<f64>> {
    let covariance = report.covariance.as_ref()?;
    let units = report.parameters.iter().map(|e| match e.support {
        Support::Positive => e.value,
        Support::Real => 1.0,
    });
    let units: Vec<f64> = units.collect();
    let mut of_logs = DMatrix::zeros(units.len(), units.len());
    for (i, (row, left)) in covariance.iter().zip(&units).enumerate() {
        for (j, (entry, right)) in row.iter().zip(&units).enumerate() {
            of_logs[(i, j)] = entry / (left * right);
        }
    }
    Some(of_logs.cholesky()?.unpack())
}

fn propose<M>(
    report: &FitReport,
    scale: &DMatrix<f64>,
    model: impl Fn(&[f64]) -> Option<M>,
    rng: &mut ChaCha8Rng,
) -> Option<Proposal<M>> {
    let normals: Vec<f64> = report.parameters.iter().map(|_| normal(rng)).collect();
    let chi_squared: f64 = (0..DEGREES).map(|_| normal(rng).powi(2)).sum();
    let degrees = f64::from(DEGREES);
    let stretch = (degrees / chi_squared).sqrt();
    let distance = stretch * stretch * normals.iter().map(|z| z * z).sum::<f64>();
    let estimates = report.parameters.iter().zip(scale.row_iter());
    let parameters: Vec<f64> = estimates
        .map(|(estimate, row)| {
            let step: f64 = row.iter().zip(&normals).map(|(l, z)| l * z).sum();
            match estimate.support {
                Support::Positive => estimate.value * libm::exp(stretch * step),
                Support::Real => estimate.value + stretch * step,
            }
        })
        .collect();
    let power = 0.5 * (degrees + normals.len() as f64);
    Some(Proposal {
        model: model(&parameters)?,
        ln_density: -power * libm::log1p(distance / degrees),
    })
}

/// Systematic resampling: equally spaced ticks on the running sum of the weights, the first at
/// `offset` (0 to 1) of a step.
fn resample<M: Clone>(
    proposals: &[Proposal<M>],
    weights: &[f64],
    draws: u32,
    offset: f64,
) -> Vec<M> {
    let step = weights.iter().sum::<f64>() / f64::from(draws);
    let mut drawn = Vec::with_capacity(draws as usize);
    let mut reached = 0.0;
    let mut tick = 0;
    let possible = proposals.iter().zip(weights).filter(|(_, w)| **w > 0.0);
    for (proposal, weight) in possible.clone() {
        reached += weight;
        while tick < draws && (f64::from(tick) + offset) * step < reached {
            drawn.push(proposal.model.clone());
            tick += 1;
        }
    }
    // A tick that rounding put on the very end belongs to the last proposal.
    if let Some((last, _)) = possible.last() {
        drawn.resize(draws as usize, last.model.clone());
    }
    drawn
}

/// A standard normal number by Box and Muller's method, with functions that give the same bits on
/// every machine.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - rng.random::<f64>())).sqrt();
    radius * libm::cos(std::f64::consts::TAU * rng.random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::FitStatus;
    use crate::lifetime::fit::Maximum;

    #[derive(Clone, Copy)]
    struct Scale(f64);

    impl Parameters for Scale {
        fn from_parameters(parameters: &[f64]) -> Option<Self> {
            parameters.first().map(|&scale| Self(scale))
        }
    }

    #[test]
    fn draws_follow_the_likelihood_and_not_the_proposal() {
        let maximum = Maximum {
            parameters: [3.0],
            log_likelihood: -7.0,
            covariance: Some(DMatrix::from_element(1, 1, 0.25 * 9.0)),
            status: FitStatus::Interior,
            iterations: 1,
        };
        let report = FitReport::new(["scale"], &maximum, 10, 10);
        let model = Scale(3.0);
        // ln θ is normal around ln 3 with a standard deviation of 1/2.
        let standard = |&Scale(scale): &Scale| (scale / 3.0).ln() / 0.5;
        let posterior = draw(&Fitted { model, report }, 20_000, 1, |model| {
            -7.0 - 0.5 * standard(model).powi(2)
        })
        .unwrap();
        let moment = |k: i32| {
            let powers = posterior
                .draws()
                .iter()
                .map(|model| standard(model).powi(k));
            powers.sum::<f64>() / 20_000.0
        };
        assert!(moment(1).abs() < 0.02, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.03, "{}", moment(2));
        // The t distribution itself has 4.5 here.
        assert!((moment(4) - 3.0).abs() < 0.2, "{}", moment(4));
    }

    fn proposals(models: &[u8]) -> Vec<Proposal<u8>> {
        let with = |&model| Proposal {
            model,
            ln_density: 0.0,
        };
        models.iter().map(with).collect()
    }

    #[test]
    fn each_is_drawn_in_proportion_to_its_weight() {
        let weights = [1.0, 0.0, 2.5, 0.5];
        let drawn = resample(&proposals(&[0, 1, 2, 3]), &weights, 8, 0.5);
        assert_eq!(drawn, [0, 0, 2, 2, 2, 2, 2, 3]);
    }

    #[test]
    fn as_many_are_drawn_as_were_asked_for() {
        for offset in [0.0, 1.0 - f64::EPSILON / 2.0] {
            let drawn = resample(&proposals(&[0, 1, 2]), &[0.1, 0.2, 0.0], 1, offset);
            assert_eq!(drawn.len(), 1);
            assert_ne!(drawn, [2]);
        }
    }

    #[test]
    fn normals_have_the_moments_of_a_normal() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let draws: Vec<f64> = (0..100_000).map(|_| normal(&mut rng)).collect();
        let moment = |k: i32| draws.iter().map(|z| z.powi(k)).sum::<f64>() / 1e5;
        assert!(moment(1).abs() < 0.01, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.015, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.12, "{}", moment(4));
    }
}
