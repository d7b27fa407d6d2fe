//! Sections of `recommend.json` whose models score by the items taken.

use serde_json::Value;
use tenure::recommend::{
    ContentCosine, Ease, EaseConfig, Explainer, ItemKnn, ItemSimilarity, Mmr, Precision, Query,
    Scorer,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

use super::tally::Tally;

/// Every neighbour is kept.
const ALL: u32 = u32::MAX;

pub fn item_knn(json: &Value, section: &Value, tally: &mut Tally) {
    let rel = tolerance(json);
    let matrix = interactions(json);
    let number = |name: &str| section[name].as_f64().expect("a number");
    let (k1, b) = (number("k1"), number("b"));
    let few = number("K") as u32;
    for (name, similarity) in [
        ("cosine", ItemSimilarity::Cosine),
        ("tfidf", ItemSimilarity::TfIdf),
        ("bm25", ItemSimilarity::Bm25 { k1, b }),
    ] {
        let entry = format!("item_knn.{name}");
        let expected = &section[name];
        let fit = |most| ItemKnn::fit(&matrix, similarity, most).expect("a model");
        let model = fit(ALL);
        let truncated = fit(few);
        for item in 0..matrix.columns() {
            let mut row = vec![0.0; matrix.columns() as usize];
            for (other, similarity) in model.neighbours(item) {
                row[other as usize] = similarity;
            }
            let place = format!("similarity[{item}]");
            tally.list(
                &entry,
                &place,
                &row,
                &expected["similarity"][item as usize],
                rel,
            );
        }
        for customer in 0..matrix.rows() {
            let mut check = |quantity: &str, scores: Vec<f64>| {
                let expected = &expected[quantity][customer as usize];
                let place = format!("{quantity}[{customer}]");
                tally.list(&entry, &place, &scores, expected, rel);
            };
            check("scores", scores(&model, customer, |_, _| true));
            check(
                "scores_no_self",
                scores(&model, customer, |from, to| from != to),
            );
            check("scores_topK", scores(&truncated, customer, |_, _| true));
        }
    }
}

pub fn ease(json: &Value, section: &Value, tally: &mut Tally) {
    let rel = tolerance(json);
    let matrix = interactions(json);
    let model = ease_model(json);
    for from in 0..matrix.columns() {
        let row = (0..matrix.columns()).map(|to| model.weight(from, to).expect("known items"));
        let row: Vec<f64> = row.collect();
        let expected = &section["B"][from as usize];
        tally.list("ease", &format!("B[{from}]"), &row, expected, rel);
    }
    for customer in 0..matrix.rows() {
        let expected = &section["scores"][customer as usize];
        let place = format!("scores[{customer}]");
        let scores = scores(&model, customer, |_, _| true);
        tally.list("ease", &place, &scores, expected, rel);
    }
    let expected = &section["explain_user0"];
    let target = expected["target"].as_u64().expect("an item") as u32;
    let why = model
        .explain(&Query::Customer(0), target)
        .expect("a known item");
    let mut contributions = vec![0.0; matrix.columns() as usize];
    for reason in &why.contributions {
        contributions[reason.item as usize] = reason.amount;
    }
    let entry = "ease.explain_user0";
    tally.list(
        entry,
        "contributions",
        &contributions,
        &expected["contributions"],
        rel,
    );
    tally.close(entry, "score", why.score, &expected["score"], rel);
}

pub fn content(json: &Value, section: &Value, tally: &mut Tally) {
    let rel = tolerance(json);
    let model = content_model(json);
    for left in 0..model.items() {
        let row = (0..model.items()).map(|right| model.similarity(left, right).expect("known"));
        let expected = &section["cosine"][left as usize];
        let place = format!("cosine[{left}]");
        tally.list("content", &place, &row.collect::<Vec<_>>(), expected, rel);
    }
    for (customer, expected) in (0..).zip(section["content_scores"].as_array().expect("rows")) {
        let place = format!("content_scores[{customer}]");
        let scores = scores(&model, customer, |_, _| true);
        tally.list("content", &place, &scores, expected, rel);
    }
}

pub fn mmr(json: &Value, section: &Value, tally: &mut Tally) {
    let content = content_model(json);
    let cosine = |left, right| content.similarity(left, right).expect("known items");
    let lambda = section["lambda"].as_f64().expect("a number");
    let n = section["n"].as_u64().expect("a count") as usize;
    let relevance = scores(&ease_model(json), 0, |_, _| true);
    let candidates: Vec<(u32, f64)> = (0..).zip(relevance).collect();
    let mmr = Mmr::new(lambda, cosine).expect("a reranker");
    let chosen = mmr.choose(&candidates, n);
    let order: Vec<usize> = chosen.iter().map(|&(place, _)| place).collect();
    let values: Vec<f64> = chosen.iter().map(|&(_, value)| value).collect();
    tally.equal("mmr", "order", order, &section["order"]);
    let expected = &section["values"];
    tally.list("mmr", "values", &values, expected, tolerance(json));
}

fn ease_model(json: &Value) -> Ease {
    let matrix = interactions(json);
    let config = EaseConfig {
        lambda: json["ease"]["lambda"].as_f64().expect("a number"),
        precision: Precision::Double,
        items_max: matrix.columns(),
    };
    Ease::fit(&matrix, &config).expect("a model")
}

/// Features are written as text.
fn content_model(json: &Value) -> ContentCosine {
    let rows = json["content"]["features"].as_array().expect("rows");
    let rows = rows.iter().map(|row| row.as_array().expect("features"));
    let width = rows.clone().map(Vec::len).max().expect("a row");
    let features = rows
        .flatten()
        .map(|feature| feature.as_str().expect("text"));
    let features = features.map(|feature| feature.parse().expect("a number"));
    ContentCosine::new(&interactions(json), width as u32, features.collect()).expect("a model")
}

/// A customer's score of each item, from the contributions that count.
fn scores(model: &impl Explainer, customer: u32, counts: impl Fn(u32, u32) -> bool) -> Vec<f64> {
    let score = |item| {
        let why = model
            .explain(&Query::Customer(customer), item)
            .expect("known");
        let reasons = why.contributions.iter();
        let reasons = reasons.filter(|reason| counts(reason.item, item));
        reasons.map(|reason| reason.amount).sum()
    };
    (0..model.items()).map(score).collect()
}

fn tolerance(json: &Value) -> f64 {
    json["tolerance"].as_f64().expect("a tolerance")
}

fn interactions(json: &Value) -> InteractionMatrix {
    let mut summary = InteractionSummary::new();
    let rows = json["interactions"].as_array().expect("rows");
    for (customer, row) in (0..).zip(rows) {
        for (item, weight) in (0..).zip(row.as_array().expect("weights")) {
            let weight = weight.as_f64().expect("a weight") as f32;
            if weight > 0.0 {
                summary.push(customer, item, weight).expect("a weight");
            }
        }
    }
    summary.matrix()
}
