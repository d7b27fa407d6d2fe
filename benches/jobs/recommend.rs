//! Recommendation: fits of factor models and lists for everybody, on the sets in `DIR/recommend/SET/{train,test}.csv.gz`.

use std::fs::File;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tenure::Error;
use tenure::recommend::{Als, AlsConfig, Solver, Unseen, Weighting};
use tenure::summary::{InteractionMatrix, InteractionSummary};

use super::Setting;
use super::measure::{Measured, best_of};

pub const CHOLESKY: Solver = Solver::Cholesky;
pub const CG: Solver = Solver::ConjugateGradient { steps: 3 };

/// Fifteen iterations with the settings that were found on a part of the training rows.
pub fn als(
    setting: &Setting,
    set: &str,
    factors: usize,
    solver: Solver,
) -> Result<Measured, String> {
    let (train, test) = (read(setting, set, "train")?, read(setting, set, "test")?);
    let config = AlsConfig {
        solver,
        ..AlsConfig::new(weighting(set, &train)?, factors, 1)
    };
    best_of(
        setting.repeat,
        train.len(),
        || (),
        |()| Als::fit(&train, &config),
        |fit| quality(&fit.model, &train, &test),
    )
}

/// The ten best unseen items of every customer, from 64 factors.
pub fn top10(setting: &Setting, set: &str) -> Result<Measured, String> {
    let train = read(setting, set, "train")?;
    let config = AlsConfig::new(weighting(set, &train)?, 64, 1);
    let model = Als::fit(&train, &config).map_err(|e| e.to_string())?.model;
    best_of(
        setting.repeat,
        train.rows() as usize,
        || (),
        |()| Ok::<_, Error>(model.recommend_all(10, &Unseen(&train))),
        |lists| {
            let scored = || lists.iter().flatten();
            let sum: u64 = scored().map(|scored| u64::from(scored.item)).sum();
            json!({"items": scored().count(), "sum": sum})
        },
    )
}

fn weighting(set: &str, train: &InteractionMatrix) -> Result<Weighting, String> {
    let rendle = |alpha0, lambda, nu| Weighting::rendle_scaled(train, alpha0, lambda, nu);
    match set {
        "ml100k" => Ok(rendle(0.1, 0.03, 0.5)),
        "gowalla" => Ok(rendle(0.01, 0.01, 1.0)),
        _ => Err(format!("no settings for {set}")),
    }
}

fn read(setting: &Setting, set: &str, part: &str) -> Result<InteractionMatrix, String> {
    let path = setting
        .data
        .join("recommend")
        .join(set)
        .join(format!("{part}.csv.gz"));
    let file = File::open(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut log = InteractionSummary::new();
    for row in csv::Reader::from_reader(GzDecoder::new(file)).records() {
        let row = row.map_err(|e| e.to_string())?;
        let field = |at| row.get(at).ok_or("a row without user, item, weight");
        let number = |at| field(at)?.parse().map_err(|_| "a number that is none");
        log.push(number(0)?, number(1)?, 1.0)
            .map_err(|e| e.to_string())?;
    }
    Ok(log.matrix())
}

/// Means over the customers who took something in the test part; ideal lists are as long as the cut allows.
fn quality(model: &Als, train: &InteractionMatrix, test: &InteractionMatrix) -> Value {
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let (mut recall20, mut ndcg10, mut ndcg100, mut map10) = (0.0, 0.0, 0.0, 0.0);
    let mut customers = 0.0;
    let lists = model.recommend_all(100, &Unseen(train));
    for (list, (truth, _)) in lists.iter().zip(test.iter()) {
        if truth.is_empty() {
            continue;
        }
        customers += 1.0;
        let hits: Vec<usize> = (0..list.len())
            .filter(|&rank| truth.binary_search(&list[rank].item).is_ok())
            .collect();
        let within = |k: usize| hits.iter().copied().filter(move |&rank| rank < k);
        let ndcg = |k: usize| {
            let ideal: f64 = (0..k.min(truth.len())).map(gain).sum();
            within(k).map(gain).sum::<f64>() / ideal
        };
        recall20 += within(20).count() as f64 / truth.len() as f64;
        ndcg10 += ndcg(10);
        ndcg100 += ndcg(100);
        let precisions = within(10)
            .enumerate()
            .map(|(before, rank)| (before + 1) as f64 / (rank + 1) as f64);
        map10 += precisions.sum::<f64>() / truth.len().min(10) as f64;
    }
    let mean = |sum: f64| (sum / customers * 1e5).round() / 1e5;
    json!({
        "recall@20": mean(recall20), "ndcg@10": mean(ndcg10), "ndcg@100": mean(ndcg100), "map@10": mean(map10),
    })
}
