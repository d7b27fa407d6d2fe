//! Fitting, and asking what was fitted.

use std::error::Error;
use std::time::Instant;

use tenure::lifetime::compare::{self, Comparison};
use tenure::lifetime::{
    CovariateOptions, CustomerValue, Discount, Family, FitOptions, FitReport, Fitted,
    FuturePurchases, GammaGamma, Horizon, LognormalSpend, SpendIndependence, SpendModel, UnitSpend,
};
use tenure::summary::{Histories, TimeUnit};

use super::args::{Args, Source, SpendChoice};
use super::input::Shop;
use super::progress::step;

/// A fitted model of purchases, one of spend where there are amounts, and their answers row by row.
pub struct Valuation {
    pub family: Family,
    pub purchases: Fitted<Box<dyn FuturePurchases>>,
    pub seconds: f64,
    /// The spend model, or why there is none: then the value counts purchases.
    pub spend: Result<Spend, String>,
    /// Whether spend goes with frequency, where the data can tell.
    pub independence: Option<SpendIndependence>,
    pub alive: Vec<f64>,
    pub expected: Vec<f64>,
    pub value: Vec<f64>,
    /// Row by row, when customers are to be listed and each is answered for by the same model.
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
        let options = FitOptions::default();
        let histories = &shop.histories;
        let start = Instant::now();
        let purchases = step("Fitting", || match &shop.covariates {
            None => family.fit(histories, &options),
            Some(covariates) => {
                family.fit_with_covariates(histories, covariates, &CovariateOptions::default())
            }
        })?;
        let seconds = start.elapsed().as_secs_f64();
        let spend = match shop.has_spend {
            true => spend(args.spend, histories, &options).map_err(|error| error.to_string()),
            false => Err("no amounts".to_owned()),
        };
        let independence = match shop.has_spend {
            true => SpendIndependence::of(histories, 0.95).ok(),
            false => None,
        };
        let model = &*purchases.model;
        let mut alive = vec![0.0; histories.len()];
        model.probability_alive_batch(histories, &mut alive)?;
        let ahead = f64::from(args.horizon_months) * TimeUnit::Month.days() / args.unit.days();
        let mut expected = vec![0.0; histories.len()];
        model.expected_purchases_batch(histories, ahead, &mut expected)?;
        let discount = Discount::annual(args.discount_annual)?;
        let horizon = Horizon::months(args.horizon_months);
        let value = match &spend {
            Ok(spend) => CustomerValue::new(model, &*spend.model, discount),
            Err(_) => CustomerValue::new(model, &UnitSpend, discount),
        }
        .over(histories, horizon)?;
        let score = match &shop.holdout {
            Some(after) => Some(compare::score_distribution(
                model,
                histories,
                &after.purchases,
                after.length,
            )?),
            None => None,
        };
        let next = match args.customers_out.is_some() && shop.covariates.is_none() {
            true => Some(next(model, histories)),
            false => None,
        };
        Ok(Self {
            family,
            seconds,
            spend,
            independence,
            next,
            purchases,
            alive,
            expected,
            value,
            score,
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

/// All models, ranked by the hold-out.
pub fn compare(shop: &Shop, args: &Args) -> Result<Comparison, Box<dyn Error>> {
    let missing = match &args.source {
        Source::Summary(_) => "compare needs a hold-out: give the column x_hold and --holdout-days",
        _ => "compare needs a hold-out: give a --calibration-end before the log's end",
    };
    let after = shop.holdout.as_ref().ok_or(missing)?;
    let options = FitOptions::default();
    Ok(step("Fitting all models", || {
        compare::compare(
            Family::ALL,
            &shop.histories,
            &after.purchases,
            after.length,
            &options,
        )
    })?)
}
