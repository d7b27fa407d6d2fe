//! Fitting, and asking what was fitted.

use std::error::Error;
use std::time::Instant;

use tenure::lifetime::compare::{self, Candidate, Comparison, Contender, Model};
use tenure::lifetime::{
    CovariateOptions, CustomerValue, Discount, DynamicParetoNbd, Family, FitOptions, FitReport,
    Fitted, FuturePurchases, GammaGamma, Horizon, LognormalSpend, SpendIndependence, SpendModel,
    UnitSpend,
};
use tenure::summary::{Histories, PathHistories, TimeUnit};

use super::args::{Args, Source, SpendChoice};
use super::input::{After, Shop};
use super::progress::step;

/// A fitted model of purchases, one of spend where there are amounts, and their answers row by row.
pub struct Valuation {
    /// The model's names, for people and for programs.
    pub title: String,
    pub name: String,
    pub purchases: Answers,
    pub seconds: f64,
    /// The spend model, or why there is none: then the value counts purchases.
    pub spend: Result<Spend, String>,
    /// Whether spend goes with frequency, where the data can tell.
    pub independence: Option<SpendIndependence>,
}

/// How a model of purchases was fitted, and what it answers row by row.
pub struct Answers {
    pub report: FitReport,
    pub alive: Vec<f64>,
    pub expected: Vec<f64>,
    pub value: Vec<f64>,
    /// When customers are to be listed and each is answered for by the same model.
    pub next: Option<Vec<Next>>,
    /// What the hold-out had, and what the model expected of it.
    pub score: Option<compare::Score>,
}

/// A fitted model of spend.
pub struct Spend {
    pub name: &'static str,
    pub model: Box<dyn SpendModel>,
    pub report: FitReport,
}

/// A customer's next purchase.
pub struct Next {
    /// P(any purchase).
    pub ever: f64,
    /// The time by which half of those who buy again have done so.
    pub median: Option<f64>,
}

impl Valuation {
    pub fn new(shop: &Shop, family: Family, args: &Args) -> Result<Self, Box<dyn Error>> {
        let histories = &shop.histories;
        let spend = match shop.has_spend {
            true => spend(args.spend, histories, &FitOptions::default())
                .map_err(|error| error.to_string()),
            false => Err("no amounts".to_owned()),
        };
        let independence = match shop.has_spend {
            true => SpendIndependence::of(histories, 0.95).ok(),
            false => None,
        };
        let question = Question {
            shop,
            args,
            spend: match &spend {
                Ok(spend) => &*spend.model,
                Err(_) => &UnitSpend,
            },
            ahead: f64::from(args.horizon_months) * TimeUnit::Month.days() / args.unit.days(),
            discount: Discount::annual(args.discount_annual)?,
            horizon: Horizon::months(args.horizon_months),
        };
        let start = Instant::now();
        let (title, name, seconds, purchases) = match &shop.calendar {
            None => {
                let fitted = step("Fitting", || match &shop.covariates {
                    None => family.fit(histories, &FitOptions::default()),
                    Some(covariates) => {
                        let options = CovariateOptions::default();
                        family.fit_with_covariates(histories, covariates, &options)
                    }
                })?;
                let seconds = start.elapsed().as_secs_f64();
                let name = family.name().to_owned();
                let answers = question.by_histories(fitted)?;
                (family.to_string(), name, seconds, answers)
            }
            Some(calendar) => {
                let data = calendar.histories()?;
                let fitted = step("Fitting", || {
                    DynamicParetoNbd::fit_with(&data, &calendar.acting)
                })?;
                let seconds = start.elapsed().as_secs_f64();
                let candidate = Candidate::Dynamic(&data, &calendar.acting);
                let answers = question.by_paths(&fitted, &data)?;
                (candidate.to_string(), candidate.name(), seconds, answers)
            }
        };
        Ok(Self {
            title,
            name,
            purchases,
            seconds,
            spend,
            independence,
        })
    }
}

/// What a model is asked.
struct Question<'a> {
    shop: &'a Shop,
    args: &'a Args,
    spend: &'a dyn SpendModel,
    /// The horizon in the unit of the histories.
    ahead: f64,
    discount: Discount,
    horizon: Horizon,
}

impl Question<'_> {
    fn by_histories(
        &self,
        fitted: Fitted<Box<dyn FuturePurchases>>,
    ) -> Result<Answers, Box<dyn Error>> {
        let (shop, model) = (self.shop, &*fitted.model);
        let histories = &shop.histories;
        let mut alive = vec![0.0; histories.len()];
        model.probability_alive_batch(histories, &mut alive)?;
        let mut expected = vec![0.0; histories.len()];
        model.expected_purchases_batch(histories, self.ahead, &mut expected)?;
        let value = CustomerValue::new(model, self.spend, self.discount);
        let score = |after: &After| {
            compare::score_distribution(model, histories, &after.purchases, after.length)
        };
        let listed = self.args.customers_out.is_some() && shop.covariates.is_none();
        Ok(Answers {
            alive,
            expected,
            value: value.over(histories, self.horizon)?,
            next: listed.then(|| next(model, histories)),
            score: shop.holdout.as_ref().map(score).transpose()?,
            report: fitted.report,
        })
    }

    fn by_paths(
        &self,
        fitted: &Fitted<DynamicParetoNbd>,
        data: &PathHistories<'_>,
    ) -> Result<Answers, Box<dyn Error>> {
        let score =
            |after: &After| compare::score_dynamic(fitted, data, &after.purchases, after.length);
        Ok(Answers {
            alive: fitted.probability_alive(data)?,
            expected: fitted.expected_purchases(data, self.ahead)?,
            value: fitted.value_over(data, self.spend, self.discount, self.horizon)?,
            next: None,
            score: self.shop.holdout.as_ref().map(score).transpose()?,
            report: fitted.report.clone(),
        })
    }
}

fn spend(
    choice: SpendChoice,
    histories: &Histories,
    options: &FitOptions,
) -> Result<Spend, tenure::Error> {
    Ok(match choice {
        SpendChoice::GammaGamma => {
            let fitted = GammaGamma::fit(histories, options)?;
            Spend {
                name: "Gamma-Gamma",
                model: Box::new(fitted.model),
                report: fitted.report,
            }
        }
        SpendChoice::Lognormal => {
            let fitted = LognormalSpend::fit(histories, options)?;
            Spend {
                name: "lognormal",
                model: Box::new(fitted.model),
                report: fitted.report,
            }
        }
    })
}

fn next(model: &dyn FuturePurchases, histories: &Histories) -> Vec<Next> {
    let rows = histories.iter().map(|history| {
        let ever = model.probability_of_any_purchase(&history);
        Next {
            ever,
            median: model.time_to_purchase(&history, 0.5 * ever),
        }
    });
    rows.collect()
}

/// All models, and again with covariates where there are some: `all` says that each of them acts.
pub fn candidates<'s>(
    shop: &'s Shop,
    data: Option<&'s PathHistories<'s>>,
    all: &'s CovariateOptions,
) -> Vec<Candidate<'s>> {
    let families = || Family::ALL.iter().copied();
    let mut candidates: Vec<Candidate<'_>> = families().map(Candidate::Plain).collect();
    if let Some(covariates) = &shop.covariates {
        candidates.extend(families().map(|family| Candidate::Static(family, covariates, all)));
    }
    if let (Some(data), Some(calendar)) = (data, &shop.calendar) {
        candidates.push(Candidate::Dynamic(data, &calendar.acting));
    }
    candidates
}

/// All candidates, ranked by the hold-out.
pub fn compare<'s>(
    shop: &Shop,
    candidates: &[Candidate<'s>],
    args: &Args,
) -> Result<Comparison<'s>, Box<dyn Error>> {
    let missing = match &args.source {
        Source::Summary(_) => "compare needs a hold-out: give the column x_hold and --holdout-days",
        _ => "compare needs a hold-out: give a --calibration-end before the log's end",
    };
    let after = shop.holdout.as_ref().ok_or(missing)?;
    let options = FitOptions::default();
    Ok(step("Fitting all models", || {
        compare::compare(
            candidates,
            &shop.histories,
            &after.purchases,
            after.length,
            &options,
        )
    })?)
}

/// What a model said of the hold-out, row by row.
pub struct Prediction {
    pub alive: Vec<f64>,
    pub expected: Vec<f64>,
    /// P(as many purchases as there were).
    pub of_actual: Vec<f64>,
}

impl Prediction {
    pub fn of(
        contender: &Contender<'_>,
        shop: &Shop,
        after: &After,
    ) -> Result<Self, Box<dyn Error>> {
        let (ahead, counts) = (after.length, &after.purchases.purchases);
        let model = match (&contender.fitted.model, contender.candidate) {
            (Model::Histories(model), _) => model,
            (Model::Paths(model), Candidate::Dynamic(data, _)) => {
                return Ok(Self {
                    alive: model.probability_alive(data)?,
                    expected: model.expected_purchases(data, ahead)?,
                    of_actual: model.count_probabilities(data, ahead, counts)?,
                });
            }
            (Model::Paths(_), other) => {
                return Err(format!("{other} has no paths through the calendar").into());
            }
        };
        let histories = &shop.histories;
        let none = || vec![0.0; histories.len()];
        let (mut alive, mut expected, mut of_actual) = (none(), none(), none());
        model.probability_alive_batch(histories, &mut alive)?;
        model.expected_purchases_batch(histories, ahead, &mut expected)?;
        model.count_probabilities_batch(histories, ahead, counts, &mut of_actual)?;
        Ok(Self {
            alive,
            expected,
            of_actual,
        })
    }
}
