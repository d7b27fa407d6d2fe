//! Recommendation: fits of factor models and lists for everybody, on the sets in `DIR/recommend/SET/{train,test}.csv.gz`.

use std::fs::File;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tenure::Error;
use tenure::recommend::evaluate::Evaluation;
use tenure::recommend::{
    Als, AlsConfig, Bpr, BprConfig, Compactness, Quantised, Scored, Scorer, Solver, TopLists,
    Unseen, Warp, WarpConfig, Weighting,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

use super::Setting;
use super::measure::{Measured, best_of};

pub const CHOLESKY: Solver = Solver::Cholesky;
pub const CG: Solver = Solver::ConjugateGradient { steps: 3 };
pub const SUBSPACES: Solver = Solver::Subspace { block: 64 };

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

/// A hundred epochs at 64 factors, with the settings of [`BprConfig::new`].
pub fn bpr(setting: &Setting, set: &str) -> Result<Measured, String> {
    let (train, test) = (read(setting, set, "train")?, read(setting, set, "test")?);
    best_of(
        setting.repeat,
        train.len(),
        || (),
        |()| Bpr::fit(&train, &BprConfig::new(64, 1)),
        |fit| quality(&fit.model, &train, &test),
    )
}

/// Fifty epochs at 64 factors, with the settings of [`WarpConfig::new`].
pub fn warp(setting: &Setting, set: &str) -> Result<Measured, String> {
    let (train, test) = (read(setting, set, "train")?, read(setting, set, "test")?);
    best_of(
        setting.repeat,
        train.len(),
        || (),
        |()| Warp::fit(&train, &WarpConfig::new(64, 1)),
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

/// Rounding 64 factors to a byte and to half precision: what the lists of the first customers lose, and the memory.
pub fn quantised(setting: &Setting, set: &str) -> Result<Measured, String> {
    const ASKED: u32 = 2_000;
    let (train, test) = (read(setting, set, "train")?, read(setting, set, "test")?);
    let config = AlsConfig::new(weighting(set, &train)?, 64, 1);
    let model = Als::fit(&train, &config).map_err(|e| e.to_string())?.model;
    let unseen = Unseen(&train);
    let asked = 0..train.rows().min(ASKED);
    let lists = |model: &dyn Scorer| model.lists(asked.clone(), 10, &unseen);
    let exact = lists(&model).map_err(|e| e.to_string())?;
    let bytes = 4 * 64 * (model.customers() as usize + model.items() as usize);
    best_of(
        setting.repeat,
        train.rows() as usize,
        || (),
        |()| {
            let of = |compactness| Quantised::from_als(&model, compactness);
            Ok::<_, Error>([Compactness::I8, Compactness::F16].map(of))
        },
        |[byte, half]| {
            let lost = |small: &Quantised| match lists(small) {
                Ok(rounded) => json!({
                    "same_of_ten": agreement(&exact, &rounded),
                    "memory": (small.bytes() as f64 / bytes as f64 * 1e3).round() / 1e3,
                    "quality": quality(small, &train, &test),
                }),
                Err(error) => json!({"error": error.to_string()}),
            };
            json!({"exact": quality(&model, &train, &test), "i8": lost(&byte), "f16": lost(&half)})
        },
    )
}

/// The share of the first lists that is in the second.
pub fn agreement(exact: &TopLists, other: &TopLists) -> f64 {
    let pairs = || exact.iter().zip(other.iter());
    let held = |item: u32, list: &[Scored]| list.iter().any(|scored| scored.item == item);
    let same = pairs().flat_map(|(exact, list)| exact.iter().filter(|one| held(one.item, list)));
    let due: usize = exact.iter().map(<[Scored]>::len).sum();
    (same.count() as f64 / due as f64 * 1e4).round() / 1e4
}

fn weighting(set: &str, train: &InteractionMatrix) -> Result<Weighting, String> {
    let rendle = |alpha0, lambda, nu| Weighting::rendle_scaled(train, alpha0, lambda, nu);
    match set {
        "ml100k" => Ok(rendle(0.1, 0.03, 0.5)),
        "gowalla" => Ok(rendle(0.01, 0.01, 1.0)),
        _ => Err(format!("no settings for {set}")),
    }
}

pub fn read(setting: &Setting, set: &str, part: &str) -> Result<InteractionMatrix, String> {
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

/// Means over the customers who took something in the test part.
pub fn quality(model: &dyn Scorer, train: &InteractionMatrix, test: &InteractionMatrix) -> Value {
    let unseen = Unseen(train);
    let found = Evaluation::new(test, &unseen, &[10, 20, 100]).of(model);
    let means = found.and_then(|found| Ok([found.mean(10)?, found.mean(20)?, found.mean(100)?]));
    let round = |mean: f64| (mean * 1e5).round() / 1e5;
    match means {
        Ok([at10, at20, at100]) => json!({
            "recall@20": round(at20.recall),
            "ndcg@10": round(at10.ndcg),
            "ndcg@20": round(at20.ndcg),
            "ndcg@100": round(at100.ndcg),
            "map@10": round(at10.map),
        }),
        Err(error) => json!({"error": error.to_string()}),
    }
}
