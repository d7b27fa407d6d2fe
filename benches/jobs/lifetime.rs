//! Jobs on a million customers: fitting BG/NBD, Pareto/NBD and Gamma-Gamma, and answering for everybody.

use std::path::Path;

use serde_json::{Value, json};
use tenure::Error;
use tenure::event::Timestamp;
use tenure::lifetime::interval::PosteriorOptions;
use tenure::lifetime::{
    BgNbd, CustomerValue, Discount, FitOptions, FitReport, Fitted, GammaGamma, GompertzGammaNbd,
    Horizon, ParetoNbd, PurchaseModel,
};
use tenure::simulate::{Retailer, RetailerConfig};
use tenure::summary::{Histories, HistoryColumns, TimeUnit};

use super::Setting;
use super::measure::{Measured, best_of};

const FILE: &str = "sim1m.csv";
/// Weeks ahead, as in the rival's benchmark.
const AHEAD: f64 = 39.0;

pub fn bg_nbd_fit(setting: &Setting) -> Result<Measured, String> {
    fit(setting, read(&setting.data)?, BgNbd::fit)
}

pub fn pareto_nbd_fit(setting: &Setting) -> Result<Measured, String> {
    fit(setting, read(&setting.data)?, ParetoNbd::fit)
}

pub fn gompertz_nbd_fit(setting: &Setting) -> Result<Measured, String> {
    fit(setting, read(&setting.data)?, GompertzGammaNbd::fit)
}

/// The same for CDNOW's sample, whose customers let lifetimes be as in Pareto/NBD.
pub fn gompertz_nbd_fit_cdnow(setting: &Setting) -> Result<Measured, String> {
    fit(setting, cdnow()?, GompertzGammaNbd::fit)
}

/// The same for all of CDNOW's 23,570 customers.
pub fn gompertz_nbd_fit_cdnow_all(setting: &Setting) -> Result<Measured, String> {
    fit(setting, cdnow_all()?, GompertzGammaNbd::fit)
}

pub fn gamma_gamma_fit(setting: &Setting) -> Result<Measured, String> {
    fit(setting, read(&setting.data)?, GammaGamma::fit)
}

/// Checking the columns, collapsing them to distinct histories, and the fit.
fn fit<M>(
    setting: &Setting,
    columns: HistoryColumns,
    fit: impl Fn(&Histories, &FitOptions) -> Result<Fitted<M>, Error>,
) -> Result<Measured, String> {
    best_of(
        setting.repeat,
        columns.frequency.len(),
        || columns.clone(),
        |columns| {
            let histories = Histories::from_columns(TimeUnit::Week, columns)?;
            fit(&histories, &FitOptions::default())
        },
        |fit| report(&fit.report),
    )
}

pub fn bg_nbd_predict(setting: &Setting) -> Result<Measured, String> {
    predict(setting, &bg_nbd()?)
}

pub fn pareto_nbd_predict(setting: &Setting) -> Result<Measured, String> {
    let model = ParetoNbd::new(0.553, 10.578, 0.606, 11.669).map_err(|e| e.to_string())?;
    predict(setting, &model)
}

/// P(alive) and the expected purchases of everybody.
fn predict(setting: &Setting, model: &dyn PurchaseModel) -> Result<Measured, String> {
    let histories = histories(&setting.data)?;
    let predict = |()| -> Result<_, Error> {
        let mut alive = vec![0.0; histories.len()];
        let mut purchases = vec![0.0; histories.len()];
        model.probability_alive_batch(&histories, &mut alive)?;
        model.expected_purchases_batch(&histories, AHEAD, &mut purchases)?;
        Ok((alive, purchases))
    };
    best_of(
        setting.repeat,
        histories.len(),
        || (),
        predict,
        |(alive, purchases)| json!({"alive": alive.iter().sum::<f64>(), "purchases": purchases.iter().sum::<f64>()}),
    )
}

pub fn bg_nbd_value(setting: &Setting) -> Result<Measured, String> {
    let histories = histories(&setting.data)?;
    let purchases = bg_nbd()?;
    let spend = GammaGamma::new(6.25, 3.74, 15.44).map_err(|e| e.to_string())?;
    let value = |()| -> Result<_, Error> {
        let discount = Discount::per_step(0.01)?;
        let horizon = Horizon::steps(12, 4.345);
        CustomerValue::new(&purchases, &spend, discount).over(&histories, horizon)
    };
    best_of(
        setting.repeat,
        histories.len(),
        || (),
        value,
        |value| json!({"value": value.iter().sum::<f64>()}),
    )
}

/// 4,000 draws of the posterior for CDNOW's customers, with intervals of P(alive) and of the expected purchases
/// of each and of all.
pub fn bg_nbd_posterior(setting: &Setting) -> Result<Measured, String> {
    let histories = Histories::from_columns(TimeUnit::Week, cdnow()?).map_err(|e| e.to_string())?;
    let fitted = BgNbd::fit(&histories, &FitOptions::default()).map_err(|e| e.to_string())?;
    let draw = |()| -> Result<_, Error> {
        let posterior =
            fitted.posterior_with(&histories.distinct(), &PosteriorOptions::new(4_000, 1))?;
        let both = posterior.prospects(&histories, AHEAD, 0.9)?;
        Ok((
            *posterior.diagnosis(),
            both.alive.total,
            both.purchases.total,
        ))
    };
    best_of(
        setting.repeat,
        histories.len(),
        || (),
        draw,
        |(diagnosis, alive, purchases)| {
            json!({
                "diagnosis": format!("{diagnosis:?}"), "reliable": diagnosis.is_reliable(),
                "alive": [alive.lower, alive.mean, alive.upper],
                "purchases": [purchases.lower, purchases.mean, purchases.upper],
            })
        },
    )
}

/// The 2,357 customers of CDNOW's sample, which come with the crate.
fn cdnow() -> Result<HistoryColumns, String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/lifetime/cdnow_sample_summary_with_spend.csv"
    );
    shipped(path, 1.0)
}

/// All of CDNOW's customers, likewise; their times are in days.
fn cdnow_all() -> Result<HistoryColumns, String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/lifetime/cdnow_master_cbs.csv"
    );
    shipped(path, 7.0)
}

/// x, t_x and T in the second to the fourth column, so many units of time a week.
fn shipped(path: &str, week: f64) -> Result<HistoryColumns, String> {
    let mut reader = csv::Reader::from_path(path).map_err(|e| format!("{path}: {e}"))?;
    let mut columns = HistoryColumns::default();
    for row in reader.records() {
        let row = row.map_err(|e| format!("{path}: {e}"))?;
        let number = |i: usize| {
            let text = row.get(i).ok_or(format!("{path}: a row is short"))?;
            text.parse::<f64>()
                .map_err(|e| format!("{path}: {text}: {e}"))
        };
        columns.frequency.push(number(1)? as u32);
        columns.recency.push(number(2)? / week);
        columns.age.push(number(3)? / week);
    }
    Ok(columns)
}

/// Collapsing and fitting 10,000 to 10,000,000 customers, to see with what each grows; the job's time is the
/// sum.
pub fn bg_nbd_growth(setting: &Setting) -> Result<Measured, String> {
    const SIZES: [u64; 7] = [
        10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000,
    ];
    let mut parts = Vec::new();
    let mut whole = Measured::default();
    for customers in SIZES {
        let histories = simulated(customers)?;
        let n = histories.len();
        let collapsed = best_of(
            setting.repeat,
            n,
            || (),
            |()| Ok(histories.distinct()),
            |distinct| json!(distinct.len()),
        )?;
        let distinct = histories.distinct();
        let fitted = best_of(
            setting.repeat,
            n,
            || (),
            |()| BgNbd::fit_distinct(&distinct, &FitOptions::default()),
            |fit| json!(fit.report.log_likelihood),
        )?;
        parts.push(json!({
            "n": n, "distinct": collapsed.check, "collapse_cpu_s": collapsed.cpu_s, "fit_cpu_s": fitted.cpu_s,
            "ll": fitted.check,
        }));
        whole.wall_s += collapsed.wall_s + fitted.wall_s;
        whole.cpu_s += collapsed.cpu_s + fitted.cpu_s;
        whole.n += n;
        whole.peak_rss_mb = fitted.peak_rss_mb;
    }
    whole.check = json!(parts);
    Ok(whole)
}

/// Histories of customers like CDNOW's, observed for 39 weeks.
fn simulated(customers: u64) -> Result<Histories, String> {
    const OBSERVED_S: i64 = 273 * 86_400;
    let shop = Retailer::new(RetailerConfig {
        days: 273,
        ..RetailerConfig::cdnow_like(customers, 1)
    })
    .map_err(|e| e.to_string())?;
    let end = shop.config().start.saturating_add_s(OBSERVED_S);
    let day = |time: Timestamp| time.unix_s().div_euclid(86_400);
    let mut columns = HistoryColumns::default();
    for customer in shop.customers() {
        let first = day(customer.first());
        let (mut repeats, mut last) = (0, first);
        for purchase in customer.purchases() {
            if day(purchase.time) > last {
                (repeats, last) = (repeats + 1, day(purchase.time));
            }
        }
        columns.frequency.push(repeats);
        columns.recency.push((last - first) as f64 / 7.0);
        columns.age.push((day(end) - first) as f64 / 7.0);
    }
    Histories::from_columns(TimeUnit::Week, columns).map_err(|e| e.to_string())
}

/// The parameters with which the rival answers.
fn bg_nbd() -> Result<BgNbd, String> {
    BgNbd::new(0.2426, 4.4136, 0.7929, 2.4259).map_err(|e| e.to_string())
}

fn report(report: &FitReport) -> Value {
    let parameters: serde_json::Map<String, Value> = report
        .parameters
        .iter()
        .map(|parameter| (parameter.name.to_string(), json!(parameter.value)))
        .collect();
    json!({
        "params": parameters, "ll": report.log_likelihood, "iterations": report.iterations,
        "distinct": report.distinct, "status": format!("{:?}", report.status),
    })
}

fn histories(folder: &Path) -> Result<Histories, String> {
    Histories::from_columns(TimeUnit::Week, read(folder)?).map_err(|e| e.to_string())
}

/// Columns x, t_x_days, T_days, mean_repeat_spend; times become weeks.
fn read(folder: &Path) -> Result<HistoryColumns, String> {
    let path = folder.join(FILE);
    let missing = |e| {
        format!(
            "{}: {e}; benches/README.md says how to make it",
            path.display()
        )
    };
    let mut reader = csv::Reader::from_path(&path).map_err(missing)?;
    let mut columns = HistoryColumns::default();
    for row in reader.records() {
        let row = row.map_err(|e| format!("{}: {e}", path.display()))?;
        let number = |i: usize| {
            let text = row.get(i).ok_or(format!("{FILE}: a row is short"))?;
            text.parse::<f64>()
                .map_err(|e| format!("{FILE}: {text}: {e}"))
        };
        columns.frequency.push(number(0)? as u32);
        columns.recency.push(number(1)? / 7.0);
        columns.age.push(number(2)? / 7.0);
        columns.mean_spend.push(number(3)?);
    }
    Ok(columns)
}
