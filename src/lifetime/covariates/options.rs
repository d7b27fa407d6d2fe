//! Which covariates act on what, and how their coefficients are held.

use super::base::Base;
use super::groups::Free;
use crate::error::{ConfigError, Error, FitError};
use crate::lifetime::FitOptions;
use crate::summary::Covariates;

/// How to fit a model of purchases with covariates.
///
/// | field | default | range |
/// |---|---|---|
/// | `search` | [`FitOptions::default`] | |
/// | `transaction`, `lifetime` | all columns | names of columns |
/// | `transaction_penalty`, `lifetime_penalty` | 0 | from 0 |
/// | `equal` | none | names that stand in both |
///
/// ```
/// use tenure::lifetime::CovariateOptions;
///
/// // The channel acts on buying and leaving alike, the age on buying only.
/// let options = CovariateOptions {
///     lifetime: Some(vec!["channel".into()]),
///     equal: vec!["channel".into()],
///     ..CovariateOptions::default()
/// };
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CovariateOptions {
    /// How to search. A start has the base model's parameters, at covariates of 0, and then the
    /// coefficients in the order of the report.
    pub search: FitOptions,
    /// The covariates of buying; all columns when `None`.
    pub transaction: Option<Vec<String>>,
    /// The covariates of leaving; all columns when `None` (none for [`Nbd`](crate::lifetime::Nbd)).
    pub lifetime: Option<Vec<String>>,
    /// λ of the penalty ½ λ γ² that each coefficient of buying subtracts from the log-likelihood. It holds
    /// coefficients near 0, and tells collinear columns apart.
    pub transaction_penalty: f64,
    /// The same for each coefficient of leaving.
    pub lifetime_penalty: f64,
    /// Covariates whose two coefficients are held equal: one parameter, called `constr.NAME`, penalised
    /// by both weights.
    pub equal: Vec<String>,
}

/// How to fit [`Sbg`](crate::lifetime::Sbg) with covariates.
///
/// The fields mean what they mean in [`CovariateOptions`], of the covariates of the parameter α and of
/// those of β.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContractCovariateOptions {
    /// How to search.
    pub search: FitOptions,
    /// The covariates of α; all columns when `None`.
    pub alpha: Option<Vec<String>>,
    /// The covariates of β; all columns when `None`.
    pub beta: Option<Vec<String>>,
    /// λ of the penalty ½ λ γ² of each coefficient of α.
    pub alpha_penalty: f64,
    /// The same for each coefficient of β.
    pub beta_penalty: f64,
    /// Covariates whose two coefficients are held equal: they then change how much customers differ,
    /// but not how many leave at first.
    pub equal: Vec<String>,
}

/// The options of either kind, made one.
pub(super) struct Plan<'a> {
    pub(super) search: &'a FitOptions,
    sides: [(&'static str, &'a Option<Vec<String>>); 2],
    penalties: [(&'static str, f64); 2],
    equal: &'a [String],
}

impl<'a> From<&'a CovariateOptions> for Plan<'a> {
    fn from(options: &'a CovariateOptions) -> Self {
        Self {
            search: &options.search,
            sides: [
                ("transaction", &options.transaction),
                ("lifetime", &options.lifetime),
            ],
            penalties: [
                ("transaction_penalty", options.transaction_penalty),
                ("lifetime_penalty", options.lifetime_penalty),
            ],
            equal: &options.equal,
        }
    }
}

impl<'a> From<&'a ContractCovariateOptions> for Plan<'a> {
    fn from(options: &'a ContractCovariateOptions) -> Self {
        Self {
            search: &options.search,
            sides: [("alpha", &options.alpha), ("beta", &options.beta)],
            penalties: [
                ("alpha_penalty", options.alpha_penalty),
                ("beta_penalty", options.beta_penalty),
            ],
            equal: &options.equal,
        }
    }
}

/// What is to be searched for.
pub(super) struct Coefficients {
    /// The columns that are used.
    pub(super) columns: Vec<String>,
    pub(super) free: Vec<Free>,
    /// λ of each.
    pub(super) penalties: Vec<f64>,
}

/// The prefix of coefficients that are held equal, as CLVTools calls them.
pub(in crate::lifetime) const EQUAL: &str = "constr";

impl CovariateOptions {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a penalty that is negative or not finite.
    pub(in crate::lifetime) fn check_penalties(&self) -> Result<(), ConfigError> {
        Plan::from(self).check_penalties()
    }
}

impl Plan<'_> {
    /// The coefficients of a model, after checks of the options and of what the columns can tell.
    pub(super) fn coefficients<M: Base>(
        &self,
        covariates: &Covariates,
    ) -> Result<Coefficients, Error> {
        self.check_penalties()?;
        let sides = [
            self.side::<M>(0, covariates)?,
            self.side::<M>(1, covariates)?,
        ];
        for name in self.equal {
            if !sides.iter().all(|side| side.contains(name)) {
                let expected = "a covariate of both processes";
                return Err(out_of_range("equal", name.clone(), expected));
            }
        }
        let columns: Vec<String> = covariates
            .names()
            .iter()
            .filter(|name| sides.iter().any(|side| side.contains(name)))
            .cloned()
            .collect();
        let mut coefficients = Coefficients {
            columns,
            free: Vec::new(),
            penalties: Vec::new(),
        };
        let [(_, one), (_, other)] = self.penalties;
        let free = |name: &&String| !self.equal.contains(name);
        for name in sides[0].iter().filter(free) {
            coefficients.add(M::SIDES[0].prefix, name, [true, false], one);
        }
        for name in sides[1].iter().filter(free) {
            coefficients.add(M::SIDES[1].prefix, name, [false, true], other);
        }
        for name in self.equal {
            coefficients.add(EQUAL, name, [true, true], one + other);
        }
        for (side, (_, penalty)) in sides.iter().zip(self.penalties) {
            check_told_apart(covariates, side, penalty > 0.0)?;
        }
        Ok(coefficients)
    }

    fn check_penalties(&self) -> Result<(), ConfigError> {
        for (setting, penalty) in self.penalties {
            if !(penalty >= 0.0 && penalty.is_finite()) {
                return Err(ConfigError::OutOfRange {
                    setting,
                    value: penalty.to_string(),
                    expected: "a finite number that is not negative",
                });
            }
        }
        Ok(())
    }

    fn side<M: Base>(&self, side: usize, covariates: &Covariates) -> Result<Vec<String>, Error> {
        let (setting, names) = self.sides[side];
        let acts = !M::SIDES[side].loads.is_empty();
        let Some(names) = names else {
            let all = if acts { covariates.names() } else { &[] };
            return Ok(all.to_vec());
        };
        if let Some(name) = names.first()
            && !acts
        {
            let expected = "empty for a model without that process";
            return Err(out_of_range(setting, name.clone(), expected));
        }
        for (i, name) in names.iter().enumerate() {
            covariates.column(name)?;
            if names.iter().take(i).any(|before| before == name) {
                return Err(out_of_range(setting, name.clone(), "each name once"));
            }
        }
        Ok(names.clone())
    }
}

impl Coefficients {
    fn add(&mut self, prefix: &str, name: &str, sides: [bool; 2], penalty: f64) {
        let column = self.columns.iter().position(|column| column == name);
        self.free.push(Free {
            name: format!("{prefix}.{name}"),
            column: column.unwrap_or_default(),
            sides,
        });
        self.penalties.push(penalty);
    }
}

fn out_of_range(setting: &'static str, value: String, expected: &'static str) -> Error {
    ConfigError::OutOfRange {
        setting,
        value,
        expected,
    }
    .into()
}

/// Refuses a column that does not vary, and, unless a penalty tells them apart, one that the columns
/// before it make up.
fn check_told_apart(
    covariates: &Covariates,
    names: &[String],
    penalised: bool,
) -> Result<(), Error> {
    // Of a column's spread: what is left of it beside the others may be rounding below this.
    const ROUNDING: f64 = 1e-7;
    let refuse = |column: &String, reason| {
        let column = column.clone();
        Err(FitError::Covariate { column, reason }.into())
    };
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for name in names {
        let column = covariates.column(name)?;
        let Some(scale) = Scale::of(column) else {
            return refuse(name, "it has the same value for all customers");
        };
        let mut rest: Vec<f64> = column.iter().map(|&z| scale.standard(z)).collect();
        let before = norm(&rest);
        // Twice is enough for orthogonality to rounding.
        for _ in 0..2 {
            for axis in &basis {
                let along: f64 = axis.iter().zip(&rest).map(|(a, b)| a * b).sum();
                for (rest, axis) in rest.iter_mut().zip(axis) {
                    *rest -= along * axis;
                }
            }
        }
        let left = norm(&rest);
        if left <= ROUNDING * before {
            if penalised {
                continue;
            }
            return refuse(name, "it is a sum of multiples of the covariates before it");
        }
        rest.iter_mut().for_each(|r| *r /= left);
        basis.push(rest);
    }
    Ok(())
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// Where a column lies and how widely it scatters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) middle: f64,
    pub(super) spread: f64,
}

impl Scale {
    /// `None` for a column without variation.
    pub(super) fn of(column: &[f64]) -> Option<Self> {
        let n = column.len() as f64;
        let lowest = column.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Of halves, so that nothing overflows.
        let range = 2.0 * (0.5 * highest - 0.5 * lowest);
        let wide = lowest < highest && range.is_finite();
        let middle = column.iter().map(|z| z / n).sum::<f64>();
        let squares = column
            .iter()
            .map(|z| ((z - middle) / range).powi(2))
            .sum::<f64>();
        // A rare value has a small deviation, but its coefficient is as large as others.
        let spread = range * (squares / n).sqrt().max(0.1);
        // A difference that the numbers hardly resolve is none.
        let resolved = range > 1e-12 * lowest.abs().max(highest.abs());
        (wide && resolved && spread > 0.0).then_some(Self { middle, spread })
    }

    pub(super) fn standard(self, z: f64) -> f64 {
        (z - self.middle) / self.spread
    }
}
