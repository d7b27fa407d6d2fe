//! A simulated catalogue of a million items and more: lists from a graph of the items against lists from all of them.

use std::time::Instant;

use serde_json::{Value, json};
use tenure::recommend::{
    Als, AlsConfig, Approximate, ApproximateConfig, Query, Scored, Scorer, Scratch, Solver, Unseen,
    Weighting, recommend,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

use super::Setting;
use super::measure::{Measured, cpu_s, peak_rss_mb};
use super::splitmix::uniform;

/// How many customers are asked for.
const ASKED: u32 = 400;
const K: usize = 10;

/// Making the graph is what is timed; `check` has what the lists miss, and what they cost.
pub fn search(_: &Setting, items: u32) -> Result<Measured, String> {
    let matrix = simulated(items)?;
    let weighting = Weighting::Rendle {
        alpha0: 0.001,
        lambda: 0.01,
        nu: 1.0,
    };
    let config = AlsConfig {
        iterations: 4,
        solver: Solver::ConjugateGradient { steps: 3 },
        ..AlsConfig::new(weighting, 64, 1)
    };
    let model = Als::fit(&matrix, &config).map_err(|e| e.to_string())?.model;
    let (wall, cpu) = (Instant::now(), cpu_s());
    let graph = Approximate::new(&model, &ApproximateConfig::default());
    let mut graph = graph.map_err(|e| e.to_string())?;
    let (wall_s, made_s) = (wall.elapsed().as_secs_f64(), cpu_s() - cpu);

    let unseen = Unseen(&matrix);
    let mut scratch = Scratch::new();
    let every = model.customers() / ASKED;
    let customers = || (0..ASKED).map(|asked| asked * every);
    let all = |ask: &mut dyn FnMut(&Query<'_>, &mut Vec<Scored>)| {
        let begin = cpu_s();
        let lists: Vec<Vec<Scored>> = customers()
            .map(|customer| {
                let mut list = Vec::new();
                ask(&Query::Customer(customer), &mut list);
                list
            })
            .collect();
        (lists, f64::from(ASKED) / (cpu_s() - begin))
    };
    let (exact, exact_per_s) = all(&mut |query, list| {
        let done = recommend(&model, query, K, &unseen, &mut scratch, list);
        done.unwrap_or_default();
    });
    let begin = cpu_s();
    let batch = model.lists(0..ASKED * 10, K, &unseen);
    let batch = batch.map_err(|e| e.to_string())?.customers();
    let batch_per_s = f64::from(batch) / (cpu_s() - begin);
    let mut found = Vec::new();
    for candidates in [64, 128, 256, 512, 1024] {
        graph.set_candidates(candidates);
        let (lists, per_s) = all(&mut |query, list| {
            let done = graph.recommend(query, K, &unseen, &[], &mut scratch, list);
            done.unwrap_or_default();
        });
        found.push(json!({
            "candidates": candidates, "recall@10": recall(&exact, &lists), "queries_per_cpu_s": per_s.round(),
        }));
    }
    Ok(Measured {
        wall_s,
        cpu_s: made_s,
        peak_rss_mb: peak_rss_mb(),
        n: items as usize,
        check: json!({
            "exact_queries_per_cpu_s": (exact_per_s * 10.0).round() / 10.0,
            "exact_lists_per_cpu_s": batch_per_s.round(),
            "found": found,
        }),
    })
}

/// The share of the exact lists that was found.
fn recall(exact: &[Vec<Scored>], lists: &[Vec<Scored>]) -> Value {
    let (mut found, mut due) = (0, 0);
    for (exact, list) in exact.iter().zip(lists) {
        due += exact.len();
        let hit = |item| list.iter().any(|other| other.item == item);
        found += exact.iter().filter(|scored| hit(scored.item)).count();
    }
    json!((f64::from(found as u32) / f64::from(due as u32) * 1e4).round() / 1e4)
}

/// Customers of five of some thousand kinds of items, of each kind more often the first ones; 7.5 rows an item.
fn simulated(items: u32) -> Result<InteractionMatrix, String> {
    const EACH: u32 = 50;
    const KIND: u32 = 250;
    let (kinds, customers) = (u64::from(items / KIND), items / 100 * 15);
    let mut drawn = 0;
    let mut unit = || {
        drawn += 1;
        uniform(7, drawn)
    };
    let mut log = InteractionSummary::new();
    for customer in 0..customers {
        let liked: [u64; 5] = std::array::from_fn(|_| (unit() * kinds as f64) as u64);
        for _ in 0..EACH {
            let kind = liked[(unit() * 5.0) as usize];
            let rank = (unit().powi(2) * f64::from(KIND)) as u64;
            let item = (rank * kinds + kind) as u32;
            log.push(customer, item, 1.0).map_err(|e| e.to_string())?;
        }
    }
    Ok(log.matrix())
}
