//! Static covariates: customers whose parameters depend on what is known of them.

mod base;
mod bound;
mod contracts;
mod groups;
mod options;
mod purchases;
mod search;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

pub use self::bound::Bound;
pub use self::options::{ContractCovariateOptions, CovariateOptions};

pub(super) use self::base::{Base, PurchaseBase, Side};
use self::groups::{Free, Shape};
pub(super) use self::options::EQUAL;
use super::Sbg;
use super::fit::{Fitted, Format};
use super::posterior::Posterior;
use crate::error::{ConfigError, DataError, Error};
use crate::summary::Covariates;

/// A model whose customers differ in a way that is known: by channel, region, age.
///
/// To each process belong coefficients γ, one for each of its covariates z. A covariate that makes
/// customers buy more often has a positive coefficient of buying, one that makes them leave sooner a
/// positive coefficient of leaving:
///
/// | model | buying | leaving |
/// |---|---|---|
/// | [`Nbd`](super::Nbd) | α_i = α exp(−γ·z) | |
/// | [`ParetoNbd`](super::ParetoNbd), [`GompertzGammaNbd`](super::GompertzGammaNbd) | α_i = α exp(−γ·z) | β_i = β exp(−γ·z) |
/// | [`BgNbd`](super::BgNbd), [`MbgNbd`](super::MbgNbd), [`BgCnbd`](super::BgCnbd), [`MbgCnbd`](super::MbgCnbd) | α_i = α exp(−γ·z) | a_i = a exp(γ·z), b_i = b exp(γ·z) |
///
/// So the mean rate of buying, r / α, and that of leaving, s / β, are multiplied by exp(γ) for each
/// unit of the covariate. In the BG family the coefficient of leaving does not move the mean readiness
/// a / (a + b): it says how alike in it the customers are. The base model is that of a customer whose
/// covariates are all 0. ([`Sbg`] has another convention, see its `fit`.)
///
/// ```
/// use tenure::lifetime::{CovariateOptions, CustomerValue, Discount, Horizon, ParetoNbd};
/// use tenure::lifetime::{PurchaseModel, UnitSpend, WithCovariates};
/// use tenure::summary::{Covariates, Histories, HistoryColumns, TimeUnit};
/// # let columns = HistoryColumns {
/// #     frequency: [0, 0, 0, 1, 0, 0, 1, 2, 1, 1, 4, 2, 3, 9, 11].repeat(20),
/// #     recency: [0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 3.0, 19.0, 20.0, 33.0, 18.0, 10.0, 35.0, 32.0, 37.0].repeat(20),
/// #     age: vec![38.0; 300],
/// #     ..HistoryColumns::default()
/// # };
/// # let online = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0].repeat(20);
///
/// let histories = Histories::from_columns(TimeUnit::Week, columns)?;
/// let covariates = Covariates::from_columns(vec![], [("online", online)])?;
/// let options = CovariateOptions::default();
/// let fitted = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &options)?;
/// assert!(fitted.report.value("trans.online").unwrap() > 0.0);
///
/// // One customer's own model is a ParetoNbd.
/// let online = fitted.at(&[("online", 1.0)])?;
/// assert!(online.alpha() < fitted.base().alpha());
///
/// // All customers: each row answered by the model of the row's customer.
/// let bound = fitted.bind(&covariates)?;
/// let value = CustomerValue::new(&bound, &UnitSpend, Discount::annual(0.10)?);
/// let a_year_ahead = value.over(&histories, Horizon::months(12))?;
/// assert_eq!(a_year_ahead.len(), histories.len());
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # What to do with it
///
/// * **Is it worth it?** [`FitReport::likelihood_ratio`](super::FitReport::likelihood_ratio) against the
///   fit without covariates, or with fewer; AIC and BIC count the coefficients.
/// * **New customers** of a segment: [`at`](Self::at) their covariates.
/// * **Known customers**: [`bind`](Self::bind).
/// * **How sure**: standard errors in the report; [`Fitted::posterior`] and
///   [`Posterior::at`] for intervals of answers.
///
/// # What it assumes
///
/// That a covariate was known before the purchases and does not change; what is only learnt from the
/// purchases (their number, the last channel) explains them too well. Effects multiply. What the
/// covariates do not explain stays Gamma- or Beta-distributed as in the base model.
///
/// # What it costs
///
/// As a fit of the base model to each group of equal covariates: a few categories cost hardly more than
/// none, a continuous covariate makes a group of each customer, some 10 to 100 µs a customer in all.
/// Rounding a covariate (an age to years) before the fit makes groups again.
///
/// Nothing depends on the scale or the origin of a covariate: the search standardises them.
///
/// # Where it comes from
///
/// Fader and Hardie (2007), Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models;
/// the conventions (one coefficient for a and b, names and constraints) are those of the R package CLVTools
/// (Bachmann, Meierer, Näf 2021, The Role of Time-Varying Contextual Factors in Latent Attrition
/// Models for Customer Base Analysis, *Marketing Science* 40(4)). Its regularisation weights divide the
/// log-likelihood by the number of customers n: its λ is a penalty of 2 n λ here.
///
/// [`BgBb`](super::BgBb) has no customary form with covariates, and none here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "Saved<M>",
    into = "Saved<M>",
    bound(
        serialize = "M: Base + Serialize",
        deserialize = "M: Base + Deserialize<'de>"
    )
)]
pub struct WithCovariates<M> {
    base: M,
    sides: [Vec<Coefficient>; 2],
}

/// The effect of one covariate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficient {
    /// The covariate.
    pub covariate: String,
    /// γ: for each unit of the covariate the rate is multiplied by exp(γ).
    pub value: f64,
}

impl<M> WithCovariates<M> {
    /// The model of a customer whose covariates are all 0.
    pub fn base(&self) -> &M {
        &self.base
    }
}

impl<M: PurchaseBase> WithCovariates<M> {
    /// A model with given coefficients of buying and leaving.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a coefficient that is not finite, for a covariate that comes twice
    /// in one list, and for coefficients of leaving of a model that nobody leaves.
    pub fn new(
        base: M,
        transaction: Vec<Coefficient>,
        lifetime: Vec<Coefficient>,
    ) -> Result<Self, ConfigError> {
        Self::of_sides(base, [transaction, lifetime])
    }

    /// The coefficients of buying.
    pub fn transaction(&self) -> &[Coefficient] {
        &self.sides[0]
    }

    /// The coefficients of leaving.
    pub fn lifetime(&self) -> &[Coefficient] {
        &self.sides[1]
    }
}

impl WithCovariates<Sbg> {
    /// A model with given coefficients of α and β: α_i = α exp(−γ·z), β_i = β exp(−γ·z).
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a coefficient that is not finite, and for a covariate that comes
    /// twice in one list.
    pub fn new(
        base: Sbg,
        alpha: Vec<Coefficient>,
        beta: Vec<Coefficient>,
    ) -> Result<Self, ConfigError> {
        Self::of_sides(base, [alpha, beta])
    }

    /// The coefficients of α.
    pub fn alpha(&self) -> &[Coefficient] {
        &self.sides[0]
    }

    /// The coefficients of β.
    pub fn beta(&self) -> &[Coefficient] {
        &self.sides[1]
    }
}

impl<M: Base> WithCovariates<M> {
    /// The model of a customer with these covariates, by name.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`] when a covariate of the model is not among them;
    /// [`ConfigError::OutOfRange`] for one that the model does not have, and for values so large that a
    /// parameter leaves the range of numbers.
    pub fn at(&self, covariates: &[(&str, f64)]) -> Result<M, Error> {
        let known = self.columns();
        for (name, value) in covariates {
            if !known.iter().any(|column| column == name) {
                return Err(ConfigError::OutOfRange {
                    setting: "covariates",
                    value: (*name).to_owned(),
                    expected: "covariates of the model",
                }
                .into());
            }
            if !value.is_finite() {
                return Err(ConfigError::OutOfRange {
                    setting: "covariates",
                    value: value.to_string(),
                    expected: "finite numbers",
                }
                .into());
            }
        }
        let values = known.iter().map(|column| {
            let given = covariates.iter().find(|(name, _)| column == name);
            given
                .map(|(_, value)| *value)
                .ok_or_else(|| DataError::MissingColumn {
                    column: column.clone(),
                    role: "covariate",
                    available: covariates
                        .iter()
                        .map(|(name, _)| (*name).to_owned())
                        .collect(),
                })
        });
        let values = values.collect::<Result<Vec<f64>, _>>()?;
        Ok(self.at_values(&known, &values)?)
    }

    /// Each row's model: the covariates are given, the purchases are asked for.
    ///
    /// # Errors
    /// [`Error::Data`] when a covariate of the model is no column; [`Error::Config`] for values so large
    /// that a parameter leaves the range of numbers.
    pub fn bind(&self, covariates: &Covariates) -> Result<Bound<M>, Error> {
        let columns = self.columns();
        let groups = covariates.groups(&columns)?;
        let models = groups
            .iter()
            .map(|group| self.at_values(&columns, &group.values));
        let models = models.collect::<Result<Vec<M>, _>>()?;
        Ok(Bound::new(covariates.customer(), groups, models))
    }

    fn of_sides(base: M, sides: [Vec<Coefficient>; 2]) -> Result<Self, ConfigError> {
        for (side, coefficients) in M::SIDES.iter().zip(&sides) {
            let wrong = |setting, value: String, expected| {
                Err(ConfigError::OutOfRange {
                    setting,
                    value,
                    expected,
                })
            };
            for (i, Coefficient { covariate, value }) in coefficients.iter().enumerate() {
                let mut before = coefficients.iter().take(i);
                if side.loads.is_empty() {
                    let expected = "absent in a model that has no such process";
                    return wrong(
                        "coefficients",
                        format!("{}.{covariate}", side.prefix),
                        expected,
                    );
                }
                if !value.is_finite() {
                    return wrong("coefficients", value.to_string(), "finite numbers");
                }
                if covariate.is_empty() || before.any(|other| other.covariate == *covariate) {
                    let expected = "names that are not empty, each once";
                    return wrong("coefficients", covariate.clone(), expected);
                }
            }
        }
        Ok(Self { base, sides })
    }

    /// The covariates, each once.
    fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        for Coefficient { covariate, .. } in self.sides.iter().flatten() {
            if !columns.contains(covariate) {
                columns.push(covariate.clone());
            }
        }
        columns
    }

    /// The model at the values of [`columns`](Self::columns).
    fn at_values(&self, columns: &[String], values: &[f64]) -> Result<M, ConfigError> {
        self.base.moved(self.sides.each_ref().map(|side| {
            let terms = side.iter().filter_map(|coefficient| {
                let place = columns.iter().position(|c| *c == coefficient.covariate)?;
                Some(coefficient.value * values.get(place)?)
            });
            terms.sum()
        }))
    }

    /// Each coefficient as one that is free.
    fn free(&self, columns: &[String]) -> Vec<Free> {
        let sides = self.sides.iter().zip([[true, false], [false, true]]);
        let coefficients = sides.flat_map(|(side, acts)| side.iter().map(move |c| (c, acts)));
        coefficients
            .filter_map(|(Coefficient { covariate, .. }, sides)| {
                Some(Free {
                    name: covariate.clone(),
                    column: columns.iter().position(|column| column == covariate)?,
                    sides,
                })
            })
            .collect()
    }

    /// The value of a free coefficient.
    fn value_of(&self, columns: &[String], free: &Free) -> f64 {
        let name = columns.get(free.column);
        let sides = self.sides.iter().zip(free.sides);
        let mut acting = sides.filter(|(_, acts)| *acts).flat_map(|(side, _)| side);
        let found = acting.find(|coefficient| Some(&coefficient.covariate) == name);
        found.map_or(0.0, |coefficient| coefficient.value)
    }

    /// From the base's parameters and the free coefficients, one after the other.
    fn of_values(form: &M, columns: &[String], free: &[Free], values: &[f64]) -> Self {
        let mut parameters = form.parameters();
        for (parameter, value) in parameters.as_mut().iter_mut().zip(values) {
            *parameter = *value;
        }
        let mut sides = [Vec::new(), Vec::new()];
        for (free, &value) in free.iter().zip(values.iter().skip(M::NAMES.len())) {
            for (side, acts) in sides.iter_mut().zip(free.sides) {
                if let Some(covariate) = columns.get(free.column)
                    && acts
                {
                    side.push(Coefficient {
                        covariate: covariate.clone(),
                        value,
                    });
                }
            }
        }
        Self {
            base: form.with_parameters(parameters),
            sides,
        }
    }
}

impl<M: Base> Fitted<WithCovariates<M>> {
    /// The coefficients as the report has them: those that were held equal are one.
    fn shape(&self) -> (Vec<String>, Shape<M>) {
        let columns = self.columns();
        let estimates = self.report.parameters.iter().skip(M::NAMES.len());
        let free = estimates.filter_map(|estimate| {
            let (prefix, covariate) = estimate.name.split_once('.')?;
            let acts = M::SIDES.map(|side| side.prefix == prefix);
            Some(Free {
                name: estimate.name.to_string(),
                column: columns.iter().position(|column| column == covariate)?,
                sides: if acts == [false; 2] { [true; 2] } else { acts },
            })
        });
        let free = free.collect();
        let shape = Shape::new(self.base, columns.len(), free);
        (columns, shape)
    }
}

impl<M: Base> Posterior<WithCovariates<M>> {
    /// The posterior of the model of a customer with these covariates.
    ///
    /// # Errors
    /// As [`WithCovariates::at`].
    pub fn at(&self, covariates: &[(&str, f64)]) -> Result<Posterior<M>, Error> {
        self.try_map(|model| model.at(covariates))
    }
}

/// A model as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<M> {
    format: Format<1>,
    base: M,
    /// By what their names begin with in a report: `trans.NAME`.
    coefficients: Vec<Coefficient>,
}

impl<M: Base> TryFrom<Saved<M>> for WithCovariates<M> {
    type Error = ConfigError;

    fn try_from(saved: Saved<M>) -> Result<Self, ConfigError> {
        let mut sides = [Vec::new(), Vec::new()];
        for Coefficient { covariate, value } in saved.coefficients {
            let (prefix, name) = covariate.split_once('.').unwrap_or_default();
            let mut named = sides.iter_mut().zip(M::SIDES);
            match named.find(|(_, side)| side.prefix == prefix) {
                Some((side, _)) => side.push(Coefficient {
                    covariate: name.to_owned(),
                    value,
                }),
                None => {
                    return Err(ConfigError::OutOfRange {
                        setting: "coefficients",
                        value: covariate,
                        expected: "named by the process and the covariate, as `trans.online`",
                    });
                }
            }
        }
        Self::of_sides(saved.base, sides)
    }
}

impl<M: Base> From<WithCovariates<M>> for Saved<M> {
    fn from(model: WithCovariates<M>) -> Self {
        let sides = model.sides.into_iter().zip(M::SIDES);
        let named = sides.flat_map(|(coefficients, side)| {
            coefficients
                .into_iter()
                .map(move |Coefficient { covariate, value }| Coefficient {
                    covariate: format!("{}.{covariate}", side.prefix),
                    value,
                })
        });
        Self {
            format: Format,
            coefficients: named.collect(),
            base: model.base,
        }
    }
}
