//! Recommendation: fits of the models that score by the items taken, on the sets in `DIR/recommend/SET/{train,test}.csv.gz`.

use std::time::Instant;

use serde_json::{Value, json};
use tenure::Error;
use tenure::recommend::{
    Ease, EaseConfig, GraphFilter, GraphFilterConfig, ItemKnn, ItemSimilarity, PolynomialFilter,
    Precision, Query, QueryError, Rp3Beta, Rp3BetaConfig, Scorer, Scratch, Slim, SlimConfig,
    TurboCf, TurboCfConfig, Unseen, recommend,
};
use tenure::summary::InteractionMatrix;

use super::Setting;
use super::measure::{Measured, best_of, cpu_s};
use super::recommend::{quality, read};

pub fn ease(setting: &Setting, set: &str) -> Result<Measured, String> {
    let config = EaseConfig {
        lambda: 200.0,
        precision: Precision::Single,
        items_max: 20_000,
    };
    fit(setting, set, |train| Ease::fit(train, &config))
}

pub fn bm25(setting: &Setting, set: &str) -> Result<Measured, String> {
    let similarity = ItemSimilarity::Bm25 { k1: 1.2, b: 0.75 };
    fit(setting, set, |train| ItemKnn::fit(train, similarity, 100))
}

pub fn rp3beta(setting: &Setting, set: &str) -> Result<Measured, String> {
    let config = Rp3BetaConfig {
        alpha: 1.0,
        beta: 0.4,
        neighbours: if set == "ml100k" { 100 } else { 200 },
        normalized: false,
    };
    fit(setting, set, |train| Rp3Beta::fit(train, &config))
}

pub fn slim(setting: &Setting, set: &str) -> Result<Measured, String> {
    let config = SlimConfig {
        lambda1: 1.0,
        lambda2: 100.0,
        candidates: (set != "ml100k").then_some(100),
        tolerance: 0.01,
        sweeps_max: 100,
    };
    fit(setting, set, |train| Ok(Slim::fit(train, &config)?.model))
}

pub fn turbo_cf(setting: &Setting, set: &str) -> Result<Measured, String> {
    let config = TurboCfConfig {
        alpha: 0.6,
        power: 0.7,
        filter: PolynomialFilter::Linear,
    };
    fit(setting, set, |train| TurboCf::fit(train, &config))
}

pub fn gfcf(setting: &Setting, set: &str) -> Result<Measured, String> {
    graph_filter(setting, set, GraphFilterConfig::gf_cf(1))
}

pub fn blurring_sharpening(setting: &Setting, set: &str) -> Result<Measured, String> {
    graph_filter(setting, set, GraphFilterConfig::blurring_sharpening(1))
}

fn graph_filter(
    setting: &Setting,
    set: &str,
    mut config: GraphFilterConfig,
) -> Result<Measured, String> {
    // A catalogue of some thousand items has fewer tastes.
    if let (Some(low_pass), "ml100k") = (&mut config.low_pass, set) {
        low_pass.rank = 64;
    }
    fit(setting, set, |train| {
        let fit = GraphFilter::fit(train, &config)?;
        assert!(fit.report.converged, "residual {}", fit.report.residual);
        Ok(fit.model)
    })
}

/// Customers who ask by themselves, one after the other.
const ASKING: usize = 200;

/// The time of the fit; quality, customers a second of lists of ten, and how long one customer waits for them.
fn fit<M: Scorer>(
    setting: &Setting,
    set: &str,
    fit: impl Fn(&InteractionMatrix) -> Result<M, Error>,
) -> Result<Measured, String> {
    let (train, test) = (read(setting, set, "train")?, read(setting, set, "test")?);
    best_of(
        setting.repeat,
        train.len(),
        || (),
        |()| fit(&train),
        |model| {
            let (wall, cpu) = (Instant::now(), cpu_s());
            let lists = model.lists(0..train.rows(), 10, &Unseen(&train));
            let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_s() - cpu);
            let mut check = quality(&model, &train, &test);
            if let (Value::Object(check), Ok(lists)) = (&mut check, lists) {
                let rate = |seconds: f64| json!((f64::from(lists.customers()) / seconds).round());
                check.insert("top10/s".to_owned(), rate(wall));
                check.insert("top10/cpu_s".to_owned(), rate(cpu));
            }
            if let (Value::Object(check), Ok(cpu)) = (&mut check, query_cpu_s(&model, &train)) {
                check.insert("query_cpu_us".to_owned(), json!((cpu * 1e6).round()));
            }
            check
        },
    )
}

/// The median CPU time of a query for ten items.
fn query_cpu_s(model: &dyn Scorer, train: &InteractionMatrix) -> Result<f64, QueryError> {
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    let step = (train.rows() as usize).div_ceil(ASKING).max(1);
    let mut times = Vec::new();
    for customer in (0..train.rows()).step_by(step) {
        let start = cpu_s();
        let query = Query::Customer(customer);
        recommend(model, &query, 10, &Unseen(train), &mut scratch, &mut list)?;
        times.push(cpu_s() - start);
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(0.0))
}
