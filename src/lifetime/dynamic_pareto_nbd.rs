//! Pareto/NBD with covariates that change in time: season, campaigns, prices.

mod answers;
mod counts;
mod design;
mod fit;
mod intervals;
mod likelihood;
mod posterior;

use serde::{Deserialize, Serialize};

use self::design::{Columns, Design, Rates};
use self::fit::Request;
use self::likelihood::Point;
use super::fit::Format;
use super::rates::Counts;
use super::{CovariateOptions, FitOptions, Fitted, ParetoNbd};
use crate::error::{ConfigError, Error};
use crate::summary::PathHistories;

/// The Pareto/NBD model with time-varying covariates of Bachmann, Meierer and Näf (2021).
///
/// What question: [`ParetoNbd`]'s, where the calendar moves the rates. A customer buys more before
/// Christmas than after it, and a campaign brings purchases or keeps customers; a model that does not
/// know takes a quiet season for departures, and a busy one for habit.
///
/// While alive, a customer buys at the rate λ exp(γ · z(t)), with γ the `trans` coefficients, and leaves
/// at the rate μ exp(γ · z(t)), with γ the `life` coefficients. The covariates z are constant within
/// calendar periods ([`CovariatePaths`](crate::summary::CovariatePaths)); λ ~ Gamma(r, rate α) and
/// μ ~ Gamma(s, rate β) differ between customers as in Pareto/NBD, and so far as the covariates do not
/// change in time this is Pareto/NBD with α exp(−γ · z) and β exp(−γ · z).
///
/// ```
/// use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
/// use tenure::lifetime::{DynamicParetoNbd, Effect, ParetoNbd};
/// use tenure::summary::{
///     CovariatePaths, Grain, PathHistories, PathValues, PeriodGrid, PurchaseOptions,
///     PurchaseSummary, Refunds, TimeUnit,
/// };
///
/// let day = |month, day| Timestamp::from_civil(2005, month, day).unwrap();
/// let (log, _) = Transactions::from_rows(Decimals::TWO, [
///     ("ann", day(1, 3), 2933), ("ann", day(2, 10), 2973), ("bob", day(1, 8), 1496),
/// ])?;
/// let grain = Grain::Period(Period::Day);
/// let options = PurchaseOptions { grain, zone: Zone::UTC, refunds: Refunds::Ignore };
/// let purchases = PurchaseSummary::collect(&log, &options)?.into_purchases()?;
///
/// // 20 weeks, of which those from the tenth on are high season for everybody.
/// let weeks = PeriodGrid::weeks(day(1, 2), 20)?;
/// let season = (0..20).map(|week| if week < 9 { 0.0 } else { 1.0 }).collect();
/// let season = ("season".to_owned(), PathValues::Shared(season));
/// let paths = CovariatePaths::from_columns(weeks, log.customers(), vec![season])?;
///
/// let data = PathHistories::new(&purchases, &paths, day(3, 6), TimeUnit::Week)?;
/// let plain = ParetoNbd::new(0.55, 10.6, 0.61, 11.7)?;
/// let effect = Effect { name: "season".to_owned(), coefficient: 0.7 };
/// let model = DynamicParetoNbd::new(plain, vec![effect], Vec::new())?;
/// // All that follows is in season, in which e^0.7 = 2.01 times as much is bought.
/// let expected = model.expected_purchases(&data, 10.0)?;
/// let without = DynamicParetoNbd::new(plain, Vec::new(), Vec::new())?;
/// let out_of_season = without.expected_purchases(&data, 10.0)?;
/// assert!((expected[0] / out_of_season[0] - 2.01).abs() < 0.01);
/// assert!(model.expected_purchases(&data, 12.0).is_err()); // the season is known for 11 weeks
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # When to choose it
///
/// Where covariates change within the observation, or will change after it; for the season of the year
/// at least two years of data, or the fit cannot tell it from customers who fade away. Covariates
/// that never change need no paths: where there are no others,
/// [`WithCovariates`](super::WithCovariates) costs less. To predict, the covariates of the time to come must be known: seasons are,
/// campaigns as far as they are planned, the weather is not.
///
/// # What it assumes
///
/// That the covariates are not a consequence of the purchases (a mailing sent to those who buy much is
/// one), that they multiply the rates of all customers alike, and else what [`ParetoNbd`] assumes.
///
/// # What it costs
///
/// Segments, the times in which a customer's covariates do not change, make the cost of a fit: each
/// one after the last purchase takes five to seven points of an integration in each of some ten steps. 600
/// customers with two years of weeks take a small part of a second; a thousand draws from their posterior
/// and the intervals of all of them over the next four years some 2.5 CPU seconds.
///
/// # How it is computed
///
/// Count time from the first purchase and let the two clocks be A(t) = ∫ exp(γ · z) du, at which
/// purchases come at rate λ, and B(t) likewise, at which μ ends the life. Given λ and μ, the density of a
/// history is that of leaving at some time y after the last purchase, or of still being there,
///
/// λˣ exp(Σ γ · z(tⱼ)) { ∫ from t_x to T of μ b(y) exp(−λ A(y) − μ B(y)) dy + exp(−λ A(T) − μ B(T)) }
///
/// with b = dB/dy (the paper's appendix A.1), and over λ and μ
///
/// Γ(r + x) / Γ(r) αʳ βˢ exp(Σ γ · z(tⱼ)) {
/// ∫ s b(y) (α + A(y))^−(r + x) (β + B(y))^−(s + 1) dy + (α + A(T))^−(r + x) (β + B(T))^−s }.
///
/// Between two changes of the covariates both clocks run evenly, at rates a and b, and the integral over
/// such a segment is the probability that the first of two Pareto times, of shapes s and r + x and scales
/// (β + B)/b and (α + A)/a, ends before the other and before the end of the segment. The paper writes it
/// as a difference of two hypergeometric functions, which loses its digits where the segment is
/// short; here it is one integral of a positive function, by Gauss–Legendre panels to 1e-13. Differentiated
/// under the integral, its logarithm is in each parameter a constant plus a multiple of a logarithm
/// or a share of a clock, so that gradient and Hessian are second moments of four numbers, exact as
/// the likelihood is.
///
/// A customer alive at T has λ ~ Gamma(r + x, α + A(T)) and μ ~ Gamma(s, β + B(T)). So the expected
/// purchases of the horizon are P(alive) (r + x) / (α + A(T)) ∫ a(t) (1 + (B(t) − B(T)) / (β + B(T)))^−s dt,
/// segment by segment in closed form. How many there will be is a negative binomial number over the time
/// on the clock A until the customer leaves: another integral of a positive function for each segment
/// ([`count_probabilities`](Self::count_probabilities)).
///
/// # How sure it is, and how good
///
/// [`Fitted::posterior`] draws plausible parameters, of which [`Posterior`](super::interval::Posterior) has
/// the intervals of each customer and of all. [`compare`](super::compare) tries the model beside the others on
/// a hold-out, as a [`Candidate::Dynamic`](super::compare::Candidate::Dynamic).
///
/// Source: Bachmann, Meierer and Näf (2021), The Role of Time-Varying Contextual Factors in Latent
/// Attrition Models for Customer Base Analysis, *Marketing Science* 40(4), 783–809.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct DynamicParetoNbd {
    base: ParetoNbd,
    trans: Vec<Effect>,
    life: Vec<Effect>,
}

/// What a covariate does to a rate: a unit more of it multiplies the rate by exp(`coefficient`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// The covariate's name in the [`CovariatePaths`](crate::summary::CovariatePaths).
    pub name: String,
    /// γ, any finite number.
    pub coefficient: f64,
}

/// Which covariates work on which rate, by their names in the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DynamicCovariates<'a> {
    /// On the rate of purchases.
    pub trans: &'a [&'a str],
    /// On the rate of leaving.
    pub life: &'a [&'a str],
}

impl DynamicParetoNbd {
    /// A model with given parameters: those of a customer whose covariates are all 0, and the effects of
    /// the covariates on the rate of purchases (`trans`) and on that of leaving (`life`).
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a coefficient that is not finite and for a name given twice.
    pub fn new(
        base: ParetoNbd,
        trans: Vec<Effect>,
        life: Vec<Effect>,
    ) -> Result<Self, ConfigError> {
        check("trans", &trans)?;
        check("life", &life)?;
        Ok(Self { base, trans, life })
    }

    /// The model of customers whose covariates are all 0.
    pub fn base(&self) -> &ParetoNbd {
        &self.base
    }

    /// The effects on the rate of purchases.
    pub fn trans(&self) -> &[Effect] {
        &self.trans
    }

    /// The effects on the rate of leaving.
    pub fn life(&self) -> &[Effect] {
        &self.life
    }

    /// Fits by maximum likelihood.
    ///
    /// Begins at the plain Pareto/NBD fit and coefficients of 0. The parameters of the report are `r`,
    /// `alpha`, `s`, `beta`, then `trans.NAME` and `life.NAME`; [`FitOptions::start`] has their order.
    /// [`FitOptions::penalty`] adds ½ · penalty · γ² for each coefficient to that on the logarithms of
    /// the others. A coefficient that has no finite best value (nobody leaves in season, say) is no
    /// error: see [`FitStatus::Boundary`](super::FitStatus::Boundary).
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for options out of range and for a name that the paths do not have;
    /// [`FitError::Covariate`](crate::error::FitError::Covariate) without a penalty for a covariate that
    /// does not vary or follows from those before it, whose coefficient the data could not tell; else
    /// [`FitError`](crate::error::FitError) as [`ParetoNbd::fit_distinct`].
    pub fn fit(
        data: &PathHistories<'_>,
        covariates: &DynamicCovariates<'_>,
        options: &FitOptions,
    ) -> Result<Fitted<Self>, Error> {
        let request = Request {
            trans: covariates.trans,
            life: covariates.life,
            equal: &[],
            penalties: [options.penalty; 2],
            search: options,
        };
        fit::fit(data, &request)
    }

    /// Fits by maximum likelihood, with the options of static covariates: penalties of their own for the
    /// coefficients of buying and of leaving, and coefficients held equal, which the report calls
    /// `constr.NAME`, after the others. Without names all covariates of the paths act. The penalty of the search is
    /// on the logarithms of `r`, `alpha`, `s` and `beta` only.
    ///
    /// ```
    /// # use tenure::error::Error;
    /// use tenure::lifetime::{CovariateOptions, DynamicParetoNbd};
    /// # use tenure::summary::PathHistories;
    /// # fn of(data: &PathHistories<'_>) -> Result<(), Error> {
    /// // The season acts on buying and leaving alike.
    /// let options = CovariateOptions {
    ///     transaction: Some(vec!["season".into(), "mailing".into()]),
    ///     lifetime: Some(vec!["season".into()]),
    ///     equal: vec!["season".into()],
    ///     ..CovariateOptions::default()
    /// };
    /// let fitted = DynamicParetoNbd::fit_with(data, &options)?;
    /// assert_eq!(fitted.trans()[0].coefficient, fitted.life()[0].coefficient);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit); [`ConfigError::OutOfRange`] also for a penalty that is negative or not finite, and for
    /// a name held equal that is not in both.
    pub fn fit_with(
        data: &PathHistories<'_>,
        options: &CovariateOptions,
    ) -> Result<Fitted<Self>, Error> {
        options.check_penalties()?;
        let all = data.paths().names();
        let names = |side: &Option<Vec<String>>| -> Vec<String> {
            side.clone().unwrap_or_else(|| all.to_vec())
        };
        let sides = [names(&options.transaction), names(&options.lifetime)];
        let [trans, life] = sides
            .each_ref()
            .map(|names| -> Vec<&str> { names.iter().map(String::as_str).collect() });
        let request = Request {
            trans: &trans,
            life: &life,
            equal: &options.equal,
            penalties: [options.transaction_penalty, options.lifetime_penalty],
            search: &options.search,
        };
        fit::fit(data, &request)
    }

    /// The log-likelihood of all customers.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] when the paths lack a covariate of the model, and when |γ · z| is
    /// beyond 200 somewhere; [`FitError`](crate::error::FitError) without customers, or when nobody was
    /// observed for any time.
    pub fn log_likelihood_of(&self, data: &PathHistories<'_>) -> Result<f64, Error> {
        let design = Design::new(data, &self.columns(data)?)?;
        let counts = Counts::new(&data.histories().distinct())?;
        let coefficients = self.coefficients();
        let rates = coefficients.rates(&design)?;
        let point = self.point(&coefficients);
        Ok(likelihood::value(&design, &counts, &rates, &point))
    }

    fn columns(&self, data: &PathHistories<'_>) -> Result<Columns, ConfigError> {
        Columns::find(data.paths(), names(&self.trans), names(&self.life))
    }

    fn coefficients(&self) -> Coefficients {
        let of = |effects: &[Effect]| effects.iter().map(|effect| effect.coefficient).collect();
        Coefficients {
            trans: of(&self.trans),
            life: of(&self.life),
        }
    }

    fn point<'c>(&self, coefficients: &'c Coefficients) -> Point<'c> {
        Point {
            r: self.base.r(),
            alpha: self.base.alpha(),
            s: self.base.s(),
            beta: self.base.beta(),
            trans: &coefficients.trans,
            life: &coefficients.life,
        }
    }
}

/// The coefficients of a model without their names.
struct Coefficients {
    trans: Vec<f64>,
    life: Vec<f64>,
}

impl Coefficients {
    /// The factors of each level of the covariates.
    fn rates(&self, design: &Design) -> Result<Vec<Rates>, ConfigError> {
        let rates = design.rates(&self.trans, &self.life);
        rates.ok_or_else(|| beyond_sense("in the observation or the horizon".to_owned()))
    }
}

fn names(effects: &[Effect]) -> impl Iterator<Item = &str> {
    effects.iter().map(|effect| effect.name.as_str())
}

fn check(setting: &'static str, effects: &[Effect]) -> Result<(), ConfigError> {
    for (i, Effect { name, coefficient }) in effects.iter().enumerate() {
        let bad = |value, expected| {
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        if !coefficient.is_finite() {
            let value = format!("{coefficient} for `{name}`");
            return bad(value, "finite coefficients");
        }
        if effects.iter().skip(i + 1).any(|other| other.name == *name) {
            return bad(format!("`{name}` twice"), "one effect for each covariate");
        }
    }
    Ok(())
}

fn beyond_sense(place: String) -> ConfigError {
    ConfigError::OutOfRange {
        setting: "coefficients",
        value: format!("such that |γ · z| exceeds 200 {place}"),
        expected: "such that rates differ by a factor of at most e^200 from those without covariates",
    }
}

/// The parameters as they stand in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<1>,
    r: f64,
    alpha: f64,
    s: f64,
    beta: f64,
    trans: Vec<Effect>,
    life: Vec<Effect>,
}

impl TryFrom<Saved> for DynamicParetoNbd {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        let base = ParetoNbd::new(saved.r, saved.alpha, saved.s, saved.beta)?;
        Self::new(base, saved.trans, saved.life)
    }
}

impl From<DynamicParetoNbd> for Saved {
    fn from(model: DynamicParetoNbd) -> Self {
        Self {
            format: Format,
            r: model.base.r(),
            alpha: model.base.alpha(),
            s: model.base.s(),
            beta: model.base.beta(),
            trans: model.trans,
            life: model.life,
        }
    }
}
