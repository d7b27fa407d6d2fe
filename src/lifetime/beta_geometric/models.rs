//! What the public models of the family have in common besides their process.

use serde::{Deserialize, Serialize};

use super::Likelihood;
use crate::lifetime::fit::Format;

/// The data of a posterior, and the model whose form its draws have.
pub(in crate::lifetime) struct Given<M> {
    pub(in crate::lifetime) likelihood: Likelihood,
    pub(in crate::lifetime) model: M,
}

/// The parameters of a model with k = 1 as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lifetime) struct Saved {
    format: Format<1>,
    pub(in crate::lifetime) r: f64,
    pub(in crate::lifetime) alpha: f64,
    pub(in crate::lifetime) a: f64,
    pub(in crate::lifetime) b: f64,
}

impl Saved {
    pub(in crate::lifetime) fn new([r, alpha, a, b]: [f64; 4]) -> Self {
        Self {
            format: Format,
            r,
            alpha,
            a,
            b,
        }
    }
}

/// The parameters of a model with any k as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lifetime) struct SavedRegular {
    format: Format<1>,
    pub(in crate::lifetime) k: u32,
    pub(in crate::lifetime) r: f64,
    pub(in crate::lifetime) alpha: f64,
    pub(in crate::lifetime) a: f64,
    pub(in crate::lifetime) b: f64,
}

impl SavedRegular {
    pub(in crate::lifetime) fn new(k: u32, [r, alpha, a, b]: [f64; 4]) -> Self {
        Self {
            format: Format,
            k,
            r,
            alpha,
            a,
            b,
        }
    }
}

/// Makes a model of a struct with the fields `r`, `alpha`, `a` and `b`: all but its documentation.
macro_rules! beta_geometric_model {
    ($Model:ident, at_first = $at_first:literal) => {
        const FORM: $crate::lifetime::beta_geometric::Form =
            $crate::lifetime::beta_geometric::Form {
                k: 1,
                at_first: $at_first,
            };

        impl $Model {
            /// A model with given parameters; `alpha` is a time, in the unit of the histories.
            ///
            /// # Errors
            /// [`ConfigError::OutOfRange`](crate::error::ConfigError::OutOfRange) for a parameter
            /// that is not positive and finite.
            pub fn new(
                r: f64,
                alpha: f64,
                a: f64,
                b: f64,
            ) -> Result<Self, $crate::error::ConfigError> {
                use $crate::lifetime::fit::positive;
                Ok(Self {
                    r: positive("r", r)?,
                    alpha: positive("alpha", alpha)?,
                    a: positive("a", a)?,
                    b: positive("b", b)?,
                })
            }

            /// Fits by maximum likelihood.
            ///
            /// # Errors
            /// As [`fit_distinct`](Self::fit_distinct).
            pub fn fit(
                histories: &$crate::summary::Histories,
                options: &$crate::lifetime::FitOptions,
            ) -> Result<$crate::lifetime::Fitted<Self>, $crate::Error> {
                Self::fit_distinct(&histories.distinct(), options)
            }

            /// Fits by maximum likelihood to histories that are already counted.
            ///
            /// Data without a best model in the interior (nobody repeats, nobody leaves, all
            /// customers alike) are no error: see
            /// [`FitStatus::Boundary`](crate::lifetime::FitStatus::Boundary).
            ///
            /// # Errors
            /// [`Error::Config`](crate::Error::Config) for options out of range;
            /// [`FitError::TooFew`](crate::error::FitError::TooFew) without customers;
            /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) when nobody was
            /// observed for any time.
            pub fn fit_distinct(
                histories: &$crate::summary::DistinctHistories,
                options: &$crate::lifetime::FitOptions,
            ) -> Result<$crate::lifetime::Fitted<Self>, $crate::Error> {
                use $crate::lifetime::beta_geometric::maximise;
                let (process, report) = maximise(histories, FORM, options)?;
                let model = Self::of(process);
                Ok($crate::lifetime::Fitted { model, report })
            }

            /// The log-likelihood of all customers: the sum of
            /// [`log_likelihood`](Self::log_likelihood) over the distinct histories times their
            /// counts.
            pub fn log_likelihood_of(&self, histories: &$crate::summary::DistinctHistories) -> f64 {
                use $crate::lifetime::beta_geometric::Likelihood;
                Likelihood::new(histories, FORM).value(&self.process())
            }

            fn process(&self) -> $crate::lifetime::beta_geometric::BetaGeometric {
                use $crate::lifetime::beta_geometric::BetaGeometric;
                BetaGeometric::new(FORM, [self.r, self.alpha, self.a, self.b])
            }

            fn of(process: $crate::lifetime::beta_geometric::BetaGeometric) -> Self {
                let [r, alpha, a, b] = process.parameters();
                Self { r, alpha, a, b }
            }

            fn with(&self, [r, alpha, a, b]: [f64; 4]) -> Result<Self, $crate::error::ConfigError> {
                Self::new(r, alpha, a, b)
            }

            fn fit_choice(
                histories: &$crate::summary::Histories,
                (): (),
                options: &$crate::lifetime::FitOptions,
            ) -> Result<$crate::lifetime::Fitted<Self>, $crate::Error> {
                Self::fit(histories, options)
            }

            /// Nothing: a purchase is one stage.
            fn of_gaps(&self, _: &$crate::summary::Histories) -> f64 {
                0.0
            }
        }

        impl TryFrom<$crate::lifetime::beta_geometric::Saved> for $Model {
            type Error = $crate::error::ConfigError;

            fn try_from(
                saved: $crate::lifetime::beta_geometric::Saved,
            ) -> Result<Self, $crate::error::ConfigError> {
                Self::new(saved.r, saved.alpha, saved.a, saved.b)
            }
        }

        impl From<$Model> for $crate::lifetime::beta_geometric::Saved {
            fn from(model: $Model) -> Self {
                Self::new([model.r, model.alpha, model.a, model.b])
            }
        }

        $crate::lifetime::beta_geometric::beta_geometric_answers!($Model, ());
    };
}

/// As [`beta_geometric_model`], of a struct that has the field `k` before the others.
macro_rules! regular_beta_geometric_model {
    ($Model:ident, at_first = $at_first:literal) => {
        impl $Model {
            /// A model with given parameters; `alpha` is a time, in the unit of the histories.
            ///
            /// # Errors
            /// [`ConfigError::OutOfRange`](crate::error::ConfigError::OutOfRange) unless `k` is
            /// from 1 to 12 and the other parameters are positive and finite.
            pub fn new(
                k: u32,
                r: f64,
                alpha: f64,
                a: f64,
                b: f64,
            ) -> Result<Self, $crate::error::ConfigError> {
                use $crate::lifetime::fit::positive;
                Ok(Self {
                    k: $crate::lifetime::Regularity::check(k)?,
                    r: positive("r", r)?,
                    alpha: positive("alpha", alpha)?,
                    a: positive("a", a)?,
                    b: positive("b", b)?,
                })
            }

            /// Regularity: stages to a purchase.
            pub fn k(&self) -> u32 {
                self.k
            }

            /// Fits by maximum likelihood, with a given k or the one that fits best.
            ///
            /// The report's parameters are r, α, a and b, and so are those of a start in the
            /// options, which for
            /// [`Regularity::ByLikelihood`](crate::lifetime::Regularity::ByLikelihood) is one for k
            /// = 1. Standard errors are those for k as it is. A log-likelihood without
            /// [`log_gaps`](crate::summary::History::log_gaps) lacks a constant, and cannot be
            /// compared with that for another k.
            ///
            /// Data without a best model in the interior (nobody repeats, nobody leaves, all
            /// customers alike) are no error: see
            /// [`FitStatus::Boundary`](crate::lifetime::FitStatus::Boundary).
            ///
            /// # Errors
            /// [`Error::Config`](crate::Error::Config) for options or a k out of range;
            /// [`FitError::TooFew`](crate::error::FitError::TooFew) without customers;
            /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) when nobody was
            /// observed for any time, or when k is to be found without times between purchases.
            pub fn fit(
                histories: &$crate::summary::Histories,
                regularity: $crate::lifetime::Regularity,
                options: &$crate::lifetime::FitOptions,
            ) -> Result<$crate::lifetime::Fitted<Self>, $crate::Error> {
                use $crate::lifetime::beta_geometric::choose;
                let (process, report) = choose(histories, $at_first, regularity, options)?;
                let model = Self::of(process);
                Ok($crate::lifetime::Fitted { model, report })
            }

            /// The log-likelihood of all customers: the sum of
            /// [`log_likelihood`](Self::log_likelihood) over the rows.
            pub fn log_likelihood_of(&self, histories: &$crate::summary::Histories) -> f64 {
                use $crate::lifetime::beta_geometric::{Likelihood, of_gaps};
                let process = self.process();
                let data = Likelihood::new(&histories.distinct(), process.form);
                data.value(&process) + of_gaps(histories, self.k)
            }

            fn process(&self) -> $crate::lifetime::beta_geometric::BetaGeometric {
                use $crate::lifetime::beta_geometric::{BetaGeometric, Form};
                let form = Form {
                    k: self.k,
                    at_first: $at_first,
                };
                BetaGeometric::new(form, [self.r, self.alpha, self.a, self.b])
            }

            fn of(process: $crate::lifetime::beta_geometric::BetaGeometric) -> Self {
                let [r, alpha, a, b] = process.parameters();
                let k = process.form.k;
                Self { k, r, alpha, a, b }
            }

            fn with(&self, [r, alpha, a, b]: [f64; 4]) -> Result<Self, $crate::error::ConfigError> {
                Self::new(self.k, r, alpha, a, b)
            }

            fn fit_choice(
                histories: &$crate::summary::Histories,
                regularity: $crate::lifetime::Regularity,
                options: &$crate::lifetime::FitOptions,
            ) -> Result<$crate::lifetime::Fitted<Self>, $crate::Error> {
                Self::fit(histories, regularity, options)
            }

            fn of_gaps(&self, histories: &$crate::summary::Histories) -> f64 {
                $crate::lifetime::beta_geometric::of_gaps(histories, self.k)
            }
        }

        impl TryFrom<$crate::lifetime::beta_geometric::SavedRegular> for $Model {
            type Error = $crate::error::ConfigError;

            fn try_from(
                saved: $crate::lifetime::beta_geometric::SavedRegular,
            ) -> Result<Self, $crate::error::ConfigError> {
                Self::new(saved.k, saved.r, saved.alpha, saved.a, saved.b)
            }
        }

        impl From<$Model> for $crate::lifetime::beta_geometric::SavedRegular {
            fn from(model: $Model) -> Self {
                Self::new(model.k, [model.r, model.alpha, model.a, model.b])
            }
        }

        $crate::lifetime::beta_geometric::beta_geometric_answers!(
            $Model,
            $crate::lifetime::Regularity
        );
    };
}

/// What both have in common.
macro_rules! beta_geometric_answers {
    ($Model:ident, $Choice:ty) => {
        impl $Model {
            /// Shape of the rates: the smaller, the more customers differ.
            pub fn r(&self) -> f64 {
                self.r
            }

            /// Rate parameter of the rates, a time: the mean rate is r / α.
            pub fn alpha(&self) -> f64 {
                self.alpha
            }

            /// First parameter of the readiness to leave, whose mean is a / (a + b).
            pub fn a(&self) -> f64 {
                self.a
            }

            /// Second parameter of the readiness to leave.
            pub fn b(&self) -> f64 {
                self.b
            }

            /// The log-likelihood of one customer's history.
            pub fn log_likelihood(&self, history: &$crate::summary::History) -> f64 {
                self.process().log_likelihood(history)
            }
        }

        impl $crate::lifetime::Fitted<$Model> {
            /// Draws from the posterior of the parameters under a flat prior in their logarithms, around
            /// the maximum, given the histories that the model was fitted to; see
            /// [`interval`](crate::lifetime::interval).
            ///
            /// # Errors
            /// [`Error::Config`](crate::Error::Config) for 0 draws;
            /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that
            /// ended on the boundary, which has no covariance: see
            /// [`posterior_with`](Self::posterior_with).
            pub fn posterior(
                &self,
                histories: &$crate::summary::DistinctHistories,
                draws: u32,
                seed: u64,
            ) -> Result<$crate::lifetime::interval::Posterior<$Model>, $crate::Error> {
                use $crate::lifetime::interval::PosteriorOptions;
                self.posterior_with(histories, &PosteriorOptions::around_maximum(draws, seed))
            }

            /// Draws from the posterior of the parameters under a stated prior, given the histories that
            /// the model was fitted to; with a proper prior also where the fit ended on the
            /// boundary.
            ///
            /// # Errors
            /// [`Error::Config`](crate::Error::Config) for options out of range;
            /// [`FitError::NotIdentified`](crate::error::FitError::NotIdentified) for a fit that ended on
            /// the boundary when the prior is flat.
            pub fn posterior_with(
                &self,
                histories: &$crate::summary::DistinctHistories,
                options: &$crate::lifetime::interval::PosteriorOptions,
            ) -> Result<$crate::lifetime::interval::Posterior<$Model>, $crate::Error> {
                use $crate::lifetime::beta_geometric::{Given, Likelihood};
                let likelihood = Likelihood::new(histories, self.model.process().form);
                let model = self.model;
                $crate::lifetime::posterior::draw(self, options, &Given { likelihood, model })
            }
        }

        impl $crate::lifetime::posterior::Target
            for $crate::lifetime::beta_geometric::Given<$Model>
        {
            type Model = $Model;

            fn model(&self, parameters: &[f64]) -> Option<$Model> {
                self.model.with(parameters.try_into().ok()?).ok()
            }

            fn evaluate(&self, model: &$Model) -> $crate::numeric::optimise::Evaluation {
                self.likelihood.evaluate(&model.process())
            }

            fn value(&self, model: &$Model) -> f64 {
                self.likelihood.value(&model.process())
            }

            fn units(&self) -> Vec<f64> {
                self.likelihood.units().to_vec()
            }
        }

        impl $crate::lifetime::covariates::Base for $Model {
            type Parameters = [f64; 4];
            type Data = $crate::lifetime::beta_geometric::Likelihood;

            const NAMES: &'static [&'static str] = &["r", "alpha", "a", "b"];
            const TIMES: &'static [usize] = &[1];
            const SIDES: [$crate::lifetime::covariates::Side; 2] = [
                $crate::lifetime::covariates::Side::new("trans", &[(1, -1.0)]),
                $crate::lifetime::covariates::Side::new("life", &[(2, 1.0), (3, 1.0)]),
            ];

            fn parameters(&self) -> [f64; 4] {
                self.process().parameters()
            }

            fn with_parameters(&self, parameters: [f64; 4]) -> Self {
                use $crate::lifetime::beta_geometric::BetaGeometric;
                Self::of(BetaGeometric::new(self.process().form, parameters))
            }

            fn evaluate(&self, data: &Self::Data) -> $crate::numeric::optimise::Evaluation {
                data.evaluate(&self.process())
            }
        }

        impl $crate::lifetime::covariates::PurchaseBase for $Model {
            type Choice = $Choice;

            fn fit_without(
                histories: &$crate::summary::Histories,
                choice: $Choice,
                options: &$crate::lifetime::FitOptions,
            ) -> Result<$crate::lifetime::Fitted<Self>, $crate::Error> {
                Self::fit_choice(histories, choice, options)
            }

            fn arrange(
                &self,
                histories: &$crate::summary::DistinctHistories,
            ) -> Result<Self::Data, $crate::Error> {
                use $crate::lifetime::beta_geometric::Likelihood;
                Ok(Likelihood::new(histories, self.process().form))
            }

            fn ln_likelihood_of_one(&self, history: &$crate::summary::History) -> f64 {
                self.log_likelihood(history)
            }

            fn constant(&self, histories: &$crate::summary::Histories) -> f64 {
                self.of_gaps(histories)
            }
        }

        impl $crate::lifetime::PurchaseModel for $Model {
            fn probability_alive(&self, history: &$crate::summary::History) -> f64 {
                self.process().probability_alive(history)
            }

            fn expected_purchases(&self, history: &$crate::summary::History, horizon: f64) -> f64 {
                self.process().expected_purchases(history, horizon)
            }

            fn scheduled_purchases(
                &self,
                history: &$crate::summary::History,
                schedule: &$crate::lifetime::Schedule,
            ) -> f64 {
                self.process().scheduled_purchases(history, schedule)
            }

            fn probability_alive_batch(
                &self,
                histories: &$crate::summary::Histories,
                out: &mut [f64],
            ) -> Result<(), $crate::error::DataError> {
                self.process().probability_alive_batch(histories, out)
            }

            fn expected_purchases_batch(
                &self,
                histories: &$crate::summary::Histories,
                horizon: f64,
                out: &mut [f64],
            ) -> Result<(), $crate::error::DataError> {
                self.process()
                    .expected_purchases_batch(histories, horizon, out)
            }

            fn alive_and_purchases_batch(
                &self,
                histories: &$crate::summary::Histories,
                horizon: f64,
                alive: &mut [f64],
                purchases: &mut [f64],
            ) -> Result<(), $crate::error::DataError> {
                self.process()
                    .alive_and_purchases_batch(histories, horizon, alive, purchases)
            }

            fn scheduled_purchases_batch(
                &self,
                histories: &$crate::summary::Histories,
                schedule: &$crate::lifetime::Schedule,
                out: &mut [f64],
            ) -> Result<(), $crate::error::DataError> {
                self.process()
                    .scheduled_purchases_batch(histories, schedule, out)
            }
        }

        impl $crate::lifetime::FuturePurchases for $Model {
            /// Exact; for k > 1 to about 1e-11, as the difference of 1 and the probability of having
            /// left.
            fn probability_alive_after(
                &self,
                history: &$crate::summary::History,
                delay: f64,
            ) -> f64 {
                self.process().probability_alive_after(history, delay)
            }

            fn future_purchase_probabilities(
                &self,
                history: &$crate::summary::History,
                t: f64,
                out: &mut [f64],
            ) {
                self.process()
                    .future_purchase_probabilities(history, t, out);
            }

            fn mean_time_to_purchase(&self, history: &$crate::summary::History) -> f64 {
                self.process().mean_time_to_purchase(history)
            }

            fn probability_of_purchase(&self, history: &$crate::summary::History, t: f64) -> f64 {
                self.process().probability_of_purchase(history, t)
            }

            /// P(alive): who is alive leaves after the next purchase at the earliest.
            fn probability_of_any_purchase(&self, history: &$crate::summary::History) -> f64 {
                $crate::lifetime::PurchaseModel::probability_alive(self, history)
            }
        }

        impl $crate::lifetime::PurchaseDistribution for $Model {
            fn purchase_probabilities(&self, t: f64, out: &mut [f64]) {
                self.process().purchase_probabilities(t, out);
            }
        }
    };
}

pub(in crate::lifetime) use {
    beta_geometric_answers, beta_geometric_model, regular_beta_geometric_model,
};
