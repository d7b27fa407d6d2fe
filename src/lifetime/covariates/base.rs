//! What a model must tell for covariates to act on it.

use std::fmt::Debug;

use crate::error::{ConfigError, Error};
use crate::lifetime::fit::{FitOptions, Fitted, positive};
use crate::lifetime::{PurchaseDistribution, PurchaseModel};
use crate::numeric::optimise::Evaluation;
use crate::summary::{DistinctHistories, Histories, History};

/// A model on whose log-parameters covariates act linearly: ln θ_i = ln θ + load · γ·z_i.
pub trait Base: Copy + Debug + Send + Sync {
    /// `[f64; N]`.
    type Parameters: Copy + AsRef<[f64]> + AsMut<[f64]>;

    /// The customers of a group, arranged for the likelihood.
    type Data: Send + Sync;

    /// The parameters' names, in the order of the fit's report.
    const NAMES: &'static [&'static str];

    /// Which of them are times.
    const TIMES: &'static [usize];

    /// The two processes that covariates act on, in the order of the report.
    const SIDES: [Side; 2];

    fn parameters(&self) -> Self::Parameters;

    /// The same model with other parameters, which are not checked.
    fn with_parameters(&self, parameters: Self::Parameters) -> Self;

    /// The log-likelihood with its derivatives in the logarithms of the parameters.
    fn evaluate(&self, data: &Self::Data) -> Evaluation;

    /// The model of somebody whose γ·z are these, for the two sides.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] when a parameter is then no positive finite number.
    fn moved(&self, [first, second]: [f64; 2]) -> Result<Self, ConfigError> {
        let mut parameters = self.parameters();
        let [one, other] = Self::SIDES;
        for (side, by) in [(one, first), (other, second)] {
            for &(at, load) in side.loads {
                if let Some(parameter) = parameters.as_mut().get_mut(at) {
                    *parameter *= (load * by).exp();
                }
            }
        }
        for (name, &value) in Self::NAMES.iter().zip(parameters.as_ref()) {
            positive(name, value)?;
        }
        Ok(self.with_parameters(parameters))
    }
}

/// A process that covariates act on.
#[derive(Debug, Clone, Copy)]
pub struct Side {
    /// What the names of its coefficients begin with.
    pub prefix: &'static str,
    /// Parameters by their place, and what γ·z adds to their logarithms; none where the model has no
    /// such process.
    pub loads: &'static [(usize, f64)],
}

impl Side {
    pub const fn new(prefix: &'static str, loads: &'static [(usize, f64)]) -> Self {
        Self { prefix, loads }
    }
}

/// A model of purchases as a base.
pub trait PurchaseBase: Base + PurchaseModel + PurchaseDistribution {
    /// What is chosen before a fit: [`Regularity`](crate::lifetime::Regularity), or nothing.
    type Choice: Copy;

    /// Fits without covariates.
    fn fit_without(
        histories: &Histories,
        choice: Self::Choice,
        options: &FitOptions,
    ) -> Result<Fitted<Self>, Error>;

    /// What the likelihood needs to know of some customers, for this model's form.
    fn arrange(&self, histories: &DistinctHistories) -> Result<Self::Data, Error>;

    /// The log-likelihood of one history.
    fn ln_likelihood_of_one(&self, history: &History) -> f64;

    /// What [`Base::evaluate`] leaves out because no parameter changes it.
    fn constant(&self, _: &Histories) -> f64 {
        0.0
    }
}
