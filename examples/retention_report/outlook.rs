//! What the models say from the last day of the log on, fitted on all of it.

use tenure::event::Timestamp;
use tenure::lifetime::interval::{Interval, Posterior, ValueIntervals};
use tenure::lifetime::{
    BgNbd, CustomerValue, Discount, FitOptions, Fitted, GammaGamma, Horizon, PurchaseModel,
};
use tenure::summary::{Histories, Purchases, TimeUnit};

use super::args::Args;
use super::progress::step;

/// Draws for the intervals, and how many distinct histories make them too dear.
const DRAWS: u32 = 400;
const DRAWS_OF_MANY: u32 = 100;
const MANY_DISTINCT: usize = 20_000;
/// The probability that an interval holds.
pub const LEVEL: f64 = 0.9;

/// Answers for each customer, row by row of the histories.
pub struct Outlook {
    pub histories: Histories,
    pub purchases: Fitted<BgNbd>,
    pub alive: Vec<f64>,
    /// Expected purchases over the horizon.
    pub expected: Vec<f64>,
    /// The expected value, or why there is none.
    pub value: Result<Value, String>,
}

/// What each customer is expected to be worth over the horizon, in major units.
pub struct Value {
    pub spend: Fitted<GammaGamma>,
    pub of: Vec<f64>,
    /// 90% intervals of it, or why there are none.
    pub intervals: Result<Intervals, String>,
}

/// Credible intervals of the expected values.
pub struct Intervals {
    pub of: Vec<Interval>,
    pub draws: u32,
    pub seed: u64,
    /// Effective sample sizes of the purchase and of the spend model's draws, with the proposals they came from.
    pub effective: [(f64, usize); 2],
}

impl Outlook {
    pub fn new(purchases: &Purchases, as_of: Timestamp, args: &Args) -> Result<Self, String> {
        Self::fit(purchases, as_of, args).map_err(|error| error.to_string())
    }

    fn fit(purchases: &Purchases, as_of: Timestamp, args: &Args) -> Result<Self, tenure::Error> {
        let histories = purchases.histories(as_of, TimeUnit::Week)?;
        let fitted = step("Fitting purchases", || {
            BgNbd::fit(&histories, &FitOptions::default())
        })?;
        let mut alive = vec![0.0; histories.len()];
        fitted.probability_alive_batch(&histories, &mut alive)?;
        let mut expected = vec![0.0; histories.len()];
        let weeks = f64::from(args.horizon_months) * TimeUnit::Month.days() / TimeUnit::Week.days();
        fitted.expected_purchases_batch(&histories, weeks, &mut expected)?;
        let value = Value::new(&histories, &fitted, args).map_err(|error| error.to_string());
        Ok(Self {
            histories,
            purchases: fitted,
            alive,
            expected,
            value,
        })
    }
}

impl Value {
    fn new(
        histories: &Histories,
        purchases: &Fitted<BgNbd>,
        args: &Args,
    ) -> Result<Self, tenure::Error> {
        let spend = GammaGamma::fit(histories, &FitOptions::default())?;
        let discount = Discount::annual(args.discount_annual)?;
        let horizon = Horizon::months(args.horizon_months);
        let of = CustomerValue::new(&purchases.model, &spend.model, discount)
            .over(histories, horizon)?;
        let intervals = step("Drawing intervals", || {
            Intervals::new(histories, purchases, &spend, (discount, horizon), args)
        });
        Ok(Self {
            spend,
            of,
            intervals,
        })
    }
}

impl Intervals {
    fn new(
        histories: &Histories,
        purchases: &Fitted<BgNbd>,
        spend: &Fitted<GammaGamma>,
        (discount, horizon): (Discount, Horizon),
        args: &Args,
    ) -> Result<Self, String> {
        let distinct = histories.distinct();
        let usual = if distinct.len() > MANY_DISTINCT {
            DRAWS_OF_MANY
        } else {
            DRAWS
        };
        let draws = args.draws.unwrap_or(usual);
        if draws == 0 {
            return Err("not asked for (--draws 0)".to_owned());
        }
        let draw = || -> Result<Self, tenure::Error> {
            let purchases: Posterior<_> = purchases.posterior(&distinct, draws, args.seed)?;
            let spend: Posterior<_> =
                spend.posterior(histories, draws, args.seed.wrapping_add(1))?;
            let of = ValueIntervals {
                purchases: &purchases,
                spend: &spend,
                discount,
                margin: 1.0,
                horizon,
                level: LEVEL,
            }
            .over(histories)?;
            let effective = [
                (purchases.effective_sample_size(), purchases.proposals()),
                (spend.effective_sample_size(), spend.proposals()),
            ];
            Ok(Self {
                of,
                draws,
                seed: args.seed,
                effective,
            })
        };
        draw().map_err(|error| error.to_string())
    }
}
