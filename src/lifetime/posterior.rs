//! Plausible parameters, drawn from their posterior, and how far the draws can be trusted.

mod density;
mod importance;
mod nuts;
mod options;

pub(super) use density::Target;
pub use options::{Chains, PosteriorOptions, Prior, Sampler};

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use self::density::{Density, Laplace};
use super::Fitted;
use crate::error::{Error, FitError};

/// Plausible parameter sets of a model, all of equal weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior<M> {
    draws: Vec<M>,
    diagnosis: Diagnosis,
}

/// How the draws of a posterior were made, and what that says of their worth.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Diagnosis {
    /// Nothing was drawn: the parameters are taken as known.
    Certain,
    /// Weighted proposals around the maximum.
    Importance {
        /// k̂, the shape of the tail of the weights (Vehtari et al. 2024). Below 1/2 the weights have a
        /// variance and all is well; up to 0.7 the answers are good with a few thousand draws; above
        /// that they are not to be trusted, and above 1 the weights have not even a mean. Infinite for
        /// fewer than some 13 draws, which do not tell.
        pareto_k: f64,
        /// (Σ w)² / Σ w²: how many independent draws the proposals are worth.
        effective_sample_size: f64,
        /// How many parameter sets were proposed.
        proposals: usize,
    },
    /// Markov chains that walked the posterior.
    Chains {
        /// How much wider all chains together are than each half chain, for the parameter where it is worst
        /// (in logarithms): 1 when the chains agree, and above 1.01 they do not.
        split_r_hat: f64,
        /// How many independent draws the chains are worth, for the parameter where it is least.
        effective_sample_size: f64,
        /// Steps of all chains together after the warm-up.
        steps: usize,
        /// Steps among them that met a place too steep to follow, in whose neighbourhood the draws may
        /// be missing.
        divergences: usize,
        /// How many chains.
        chains: u32,
    },
}

/// A k̂ above this makes the weights useless at any number of proposals.
const LARGEST_PARETO_K: f64 = 0.7;
/// The share of the proposals that the effective sample size must reach.
const LEAST_SHARE: f64 = 0.1;
const LARGEST_R_HAT: f64 = 1.01;
const LEAST_PER_CHAIN: f64 = 100.0;
/// Of the steps that may diverge.
const MOST_DIVERGENT: f64 = 0.01;

impl Diagnosis {
    /// Whether the ends of an interval can be trusted.
    ///
    /// For weighted proposals: k̂ is at most min(1 − 1 / log₁₀ S, 0.7), S the number of proposals (Vehtari
    /// et al. 2024, section 3.2.4), and the effective sample size at least a tenth of S. For chains: split-R̂
    /// is at most 1.01, the effective sample size at least 100 for each chain (Vehtari et al. 2021), and
    /// hardly a step (1%) diverged.
    pub fn is_reliable(&self) -> bool {
        match *self {
            Self::Certain => true,
            Self::Importance {
                pareto_k,
                effective_sample_size,
                proposals,
            } => {
                let proposals = proposals as f64;
                pareto_k <= LARGEST_PARETO_K.min(1.0 - 1.0 / proposals.log10())
                    && effective_sample_size >= LEAST_SHARE * proposals
            }
            Self::Chains {
                split_r_hat,
                effective_sample_size,
                steps,
                divergences,
                chains,
            } => {
                split_r_hat <= LARGEST_R_HAT
                    && effective_sample_size >= LEAST_PER_CHAIN * f64::from(chains)
                    && divergences as f64 <= MOST_DIVERGENT * steps as f64
            }
        }
    }
}

impl<M> Posterior<M> {
    /// A posterior without doubt: one parameter set. For combining a model that is given with
    /// one that is estimated.
    pub fn certain(model: M) -> Self {
        Self {
            draws: vec![model],
            diagnosis: Diagnosis::Certain,
        }
    }

    /// The posterior of what can be made of each parameter set.
    pub(super) fn try_map<N, E>(
        &self,
        make: impl FnMut(&M) -> Result<N, E>,
    ) -> Result<Posterior<N>, E> {
        Ok(Posterior {
            draws: self.draws.iter().map(make).collect::<Result<_, _>>()?,
            diagnosis: self.diagnosis,
        })
    }

    /// The parameter sets.
    pub fn draws(&self) -> &[M] {
        &self.draws
    }

    /// How the draws were made, and what they are worth.
    pub fn diagnosis(&self) -> &Diagnosis {
        &self.diagnosis
    }

    /// How many independent draws these are worth, of [`proposals`](Self::proposals): see
    /// [`Diagnosis`].
    pub fn effective_sample_size(&self) -> f64 {
        match self.diagnosis {
            Diagnosis::Certain => 1.0,
            Diagnosis::Importance {
                effective_sample_size,
                ..
            }
            | Diagnosis::Chains {
                effective_sample_size,
                ..
            } => effective_sample_size,
        }
    }

    /// How many parameter sets were proposed, or steps made by the chains.
    pub fn proposals(&self) -> usize {
        match self.diagnosis {
            Diagnosis::Certain => 1,
            Diagnosis::Importance { proposals, .. } => proposals,
            Diagnosis::Chains { steps, .. } => steps,
        }
    }

    /// The shape k̂ of the tail of the importance weights; `None` where there are none.
    pub fn pareto_k(&self) -> Option<f64> {
        match self.diagnosis {
            Diagnosis::Importance { pareto_k, .. } => Some(pareto_k),
            _ => None,
        }
    }
}

/// Draws from the posterior, given the same data that the model was fitted to.
pub(super) fn draw<T: Target>(
    fitted: &Fitted<T::Model>,
    options: &PosteriorOptions,
    target: &T,
) -> Result<Posterior<T::Model>, Error> {
    options.check()?;
    let density = Density::new(target, options.prior);
    let laplace = match options.prior {
        Prior::Flat => Laplace::of_fit(&fitted.report).ok_or(FitError::NotIdentified {
            parameter: "the posterior",
            reason: "the likelihood has no maximum in the interior, see the fit's status: it needs a proper prior, \
                     `Prior::LogNormal`",
        })?,
        Prior::LogNormal { .. } => density.maximise(&fitted.report)?,
    };
    if let Sampler::Nuts(chains) = options.sampler {
        return nuts::draw(&density, &laplace, options, chains);
    }
    let weighted = importance::draw(&density, &laplace, options)?;
    let enough = weighted.diagnosis.is_reliable();
    match (options.sampler, options.prior) {
        (Sampler::Automatic, Prior::LogNormal { .. }) if !enough => {
            nuts::draw(&density, &laplace, options, Chains::default())
        }
        _ => Ok(weighted),
    }
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
    use crate::lifetime::fit::Maximum;
    use crate::lifetime::{FitReport, FitStatus};
    use crate::numeric::optimise::Evaluation;
    use nalgebra::{DMatrix, DVector};
    use rand::SeedableRng;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Pair(f64, f64);

    /// A likelihood in x = ln(first / 3), y = ln(second): x normal with the deviation 1/2, and y with a
    /// deviation of `width`, around `bend` (x² − 1/4).
    struct Banana {
        bend: f64,
        width: f64,
    }

    impl Target for Banana {
        type Model = Pair;

        fn model(&self, parameters: &[f64]) -> Option<Pair> {
            Some(Pair(parameters[0], parameters[1]))
        }

        fn evaluate(&self, &Pair(first, second): &Pair) -> Evaluation {
            let (x, y) = ((first / 3.0).ln(), second.ln());
            let across = (y - self.bend * (x * x - 0.25)) / (self.width * self.width);
            let slope = 2.0 * self.bend * x;
            let precision = 1.0 / (self.width * self.width);
            let curve = precision * slope * slope - 2.0 * self.bend * across;
            let rows = [
                -4.0 - curve,
                precision * slope,
                precision * slope,
                -precision,
            ];
            Evaluation {
                value: -2.0 * x * x - 0.5 * across * across * self.width * self.width,
                gradient: DVector::from_column_slice(&[-4.0 * x + slope * across, -across]),
                hessian: DMatrix::from_row_slice(2, 2, &rows),
            }
        }

        fn units(&self) -> Vec<f64> {
            vec![3.0, 1.0]
        }
    }

    /// As if fitted at x = 0.
    fn fitted(banana: &Banana) -> Fitted<Pair> {
        let second = (-0.25 * banana.bend).exp();
        let spread = (banana.width * second).powi(2);
        let maximum = Maximum {
            parameters: [3.0, second],
            log_likelihood: 0.0,
            covariance: Some(DMatrix::from_diagonal(&DVector::from_column_slice(&[
                0.25 * 9.0,
                spread,
            ]))),
            status: FitStatus::Interior,
            iterations: 1,
        };
        Fitted {
            model: Pair(3.0, second),
            report: FitReport::new(["first", "second"], &maximum, 10, 10),
        }
    }

    /// Means of powers of x / (1/2) and of y's distance from the bend, in deviations.
    fn moments(banana: &Banana, draws: &[Pair], k: i32) -> [f64; 2] {
        let mut sums = [0.0; 2];
        for &Pair(first, second) in draws {
            let x = (first / 3.0).ln();
            let y = second.ln() - banana.bend * (x * x - 0.25);
            sums[0] += (2.0 * x).powi(k);
            sums[1] += (y / banana.width).powi(k);
        }
        sums.map(|sum| sum / draws.len() as f64)
    }

    fn are_standard_normal(banana: &Banana, draws: &[Pair], slack: f64) {
        for (k, expected, error) in [(1, 0.0, 0.02), (2, 1.0, 0.03), (3, 0.0, 0.1), (4, 3.0, 0.2)] {
            for found in moments(banana, draws, k) {
                assert!((found - expected).abs() < slack * error, "{k}: {found}");
            }
        }
    }

    #[test]
    fn derivatives_of_the_banana_are_right() {
        let banana = Banana {
            bend: 1.5,
            width: 0.3,
        };
        crate::numeric::optimise::assert_derivatives([1.3, 0.4], |[x, y]| {
            banana.evaluate(&Pair(x.exp(), y.exp()))
        });
    }

    #[test]
    fn weighted_draws_follow_the_likelihood_and_not_the_proposal() {
        let normal = Banana {
            bend: 0.0,
            width: 0.5,
        };
        let options = PosteriorOptions::around_maximum(20_000, 1);
        let posterior = draw(&fitted(&normal), &options, &normal).unwrap();
        // The fourth moment of the t distribution itself is 4.5.
        are_standard_normal(&normal, posterior.draws(), 1.0);
        assert!(
            posterior.diagnosis().is_reliable(),
            "{:?}",
            posterior.diagnosis()
        );
        assert!(posterior.pareto_k().unwrap() < 0.3);
    }

    /// Wide enough not to matter.
    const VAGUE: Prior = Prior::LogNormal { spread: 1e3 };

    fn options(draws: u32, sampler: Sampler) -> PosteriorOptions {
        PosteriorOptions {
            prior: VAGUE,
            sampler,
            ..PosteriorOptions::new(draws, 5)
        }
    }

    #[test]
    fn chains_follow_a_bent_likelihood() {
        for (bend, width) in [(0.0, 0.5), (0.8, 0.5)] {
            let banana = Banana { bend, width };
            let options = options(8_000, Sampler::Nuts(Chains::default()));
            let posterior = draw(&fitted(&banana), &options, &banana).unwrap();
            assert_eq!(posterior.draws().len(), 8_000);
            are_standard_normal(&banana, posterior.draws(), 3.0);
            assert!(
                posterior.diagnosis().is_reliable(),
                "{:?}",
                posterior.diagnosis()
            );
            assert!(posterior.effective_sample_size() > 2_000.0);
        }
    }

    /// A sharp peak on wide slopes: −h √(1 + x²) of both logarithms.
    struct Tent(f64);

    impl Target for Tent {
        type Model = Pair;

        fn model(&self, parameters: &[f64]) -> Option<Pair> {
            Some(Pair(parameters[0].ln(), parameters[1].ln()))
        }

        fn evaluate(&self, &Pair(x, y): &Pair) -> Evaluation {
            let Self(h) = *self;
            let (of_x, of_y) = ((1.0 + x * x).sqrt(), (1.0 + y * y).sqrt());
            let curves = [-h / of_x.powi(3), -h / of_y.powi(3)];
            Evaluation {
                value: -h * (of_x + of_y),
                gradient: DVector::from_column_slice(&[-h * x / of_x, -h * y / of_y]),
                hessian: DMatrix::from_diagonal(&DVector::from_column_slice(&curves)),
            }
        }

        fn units(&self) -> Vec<f64> {
            vec![1.0; 2]
        }
    }

    #[test]
    fn where_weights_do_not_suffice_chains_walk() {
        let tent = Tent(0.05);
        let fitted = fitted(&Banana {
            bend: 0.0,
            width: 0.5,
        });
        let weighted = draw(&fitted, &options(2_000, Sampler::Importance), &tent).unwrap();
        assert!(
            !weighted.diagnosis().is_reliable(),
            "{:?}",
            weighted.diagnosis()
        );
        let walked = draw(&fitted, &options(2_000, Sampler::Automatic), &tent).unwrap();
        assert!(walked.diagnosis().is_reliable(), "{:?}", walked.diagnosis());
        assert!(matches!(walked.diagnosis(), Diagnosis::Chains { .. }));
        assert!(walked.pareto_k().is_none());
        // K₂(h) / (h K₁(h)), modified Bessel functions.
        let squares = walked.draws().iter().map(|&Pair(x, y)| x * x + y * y);
        let moment = squares.sum::<f64>() / 4_000.0;
        assert!((moment / 803.131 - 1.0).abs() < 0.15, "{moment}");
        // Under a flat prior chains might have no end to walk to.
        let flat = PosteriorOptions {
            prior: Prior::Flat,
            ..options(2_000, Sampler::Automatic)
        };
        let posterior = draw(&fitted, &flat, &tent).unwrap();
        assert!(!posterior.diagnosis().is_reliable());
        assert!(posterior.pareto_k().is_some());
    }

    #[test]
    fn chains_that_do_not_agree_say_so() {
        let banana = Banana {
            bend: 3.0,
            width: 0.1,
        };
        let posterior = draw(
            &fitted(&banana),
            &options(2_000, Sampler::Automatic),
            &banana,
        );
        let posterior = posterior.unwrap();
        assert!(matches!(posterior.diagnosis(), Diagnosis::Chains { .. }));
        assert!(!posterior.diagnosis().is_reliable());
    }

    #[test]
    fn few_draws_are_taken_from_all_chains() {
        let banana = Banana {
            bend: 1.0,
            width: 0.5,
        };
        let options = options(10, Sampler::Nuts(Chains::default()));
        let posterior = draw(&fitted(&banana), &options, &banana).unwrap();
        assert_eq!((posterior.draws().len(), posterior.proposals()), (10, 1000));
        let mut distinct = posterior.draws().to_vec();
        distinct.sort_by(|left, right| left.0.total_cmp(&right.0));
        distinct.dedup();
        assert!(distinct.len() >= 8);
    }

    #[test]
    fn a_prior_is_part_of_the_posterior() {
        // ln(first / 3) has the precision 4 from the likelihood and 12 from the prior.
        let banana = Banana {
            bend: 0.0,
            width: 0.5,
        };
        for sampler in [Sampler::Importance, Sampler::Nuts(Chains::default())] {
            let options = PosteriorOptions {
                prior: Prior::LogNormal {
                    spread: 12.0_f64.powf(-0.5),
                },
                ..options(8_000, sampler)
            };
            let posterior = draw(&fitted(&banana), &options, &banana).unwrap();
            for moment in moments(&banana, posterior.draws(), 2) {
                assert!((moment - 0.25).abs() < 0.02, "{moment}");
            }
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let banana = Banana {
            bend: 0.0,
            width: 0.5,
        };
        let nuts = |chains, warm_up| Sampler::Nuts(Chains { chains, warm_up });
        let given = options(10, Sampler::Automatic);
        let spread = Prior::LogNormal { spread: 0.0 };
        for (options, setting) in [
            (PosteriorOptions { draws: 0, ..given }, "`draws`"),
            (
                PosteriorOptions {
                    prior: spread,
                    ..given
                },
                "`spread`",
            ),
            (options(10, nuts(1, 500)), "`chains`"),
            (options(10, nuts(4, 50)), "`warm_up`"),
            (
                PosteriorOptions {
                    prior: Prior::Flat,
                    ..options(10, nuts(4, 500))
                },
                "`prior`",
            ),
        ] {
            let error = draw(&fitted(&banana), &options, &banana).unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error}");
            assert!(error.to_string().contains(setting), "{error}");
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
