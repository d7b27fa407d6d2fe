//! Fitting, and asking what was fitted.

use std::error::Error;
use std::time::Instant;

use tenure::lifetime::compare::{self, Comparison};
use tenure::lifetime::{
    CustomerValue, Discount, Family, FitOptions, Fitted, GammaGamma, Horizon, PurchaseModel,
    UnitSpend,
};
use tenure::summary::TimeUnit;

use super::args::{Args, Source};
use super::input::Shop;
use super::progress::step;

/// A fitted model of purchases, one of spend where there are amounts, and their answers row by row.
pub struct Valuation {
    pub family: Family,
    pub purchases: Fitted<Box<dyn PurchaseModel>>,
    pub seconds: f64,
    /// The spend model, or why there is none: then the value counts purchases.
    pub spend: Result<Fitted<GammaGamma>, String>,
    pub alive: Vec<f64>,
    pub expected: Vec<f64>,
    pub value: Vec<f64>,
    /// What the hold-out had, and what the model expected of it.
    pub score: Option<compare::Score>,
}

impl Valuation {
    pub fn new(shop: &Shop, family: Family, args: &Args) -> Result<Self, Box<dyn Error>> {
        let options = FitOptions::default();
        let histories = &shop.histories;
        let start = Instant::now();
        let purchases = step("Fitting", || family.fit(histories, &options))?;
        let seconds = start.elapsed().as_secs_f64();
        let spend = match shop.has_spend {
            true => GammaGamma::fit(histories, &options).map_err(|error| error.to_string()),
            false => Err("no amounts".to_owned()),
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
            Ok(spend) => CustomerValue::new(model, &spend.model, discount),
            Err(_) => CustomerValue::new(model, &UnitSpend, discount),
        }
        .over(histories, horizon)?;
        let score = match &shop.holdout {
            Some(after) => Some(compare::score(
                model,
                histories,
                &after.purchases,
                after.length,
            )?),
            None => None,
        };
        Ok(Self {
            family,
            purchases,
            seconds,
            spend,
            alive,
            expected,
            value,
            score,
        })
    }
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
