//! Sections of `recommend.json` about the quality of lists.

use serde_json::Value;
use tenure::recommend::evaluate::{Evaluation, Exposure, ListMetrics, Metric, diversity};
use tenure::recommend::{Allowed, Query, QueryError, Scorer, Scratch};
use tenure::summary::{InteractionMatrix, InteractionSummary};

use super::tally::Tally;

/// Scores that give each customer the list that the file says.
struct Said {
    items: u32,
    lists: Vec<Vec<u32>>,
}

impl Scorer for Said {
    fn items(&self) -> u32 {
        self.items
    }

    fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        _: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        let Query::Customer(customer) = *query else {
            return Err(QueryError::Unsupported {
                query: "no customer",
            });
        };
        let list = &self.lists[customer as usize];
        for (place, item) in out.iter_mut().zip(items) {
            let rank = list.iter().position(|shown| shown == item);
            *place = -(rank.unwrap_or(list.len()) as f32);
        }
        Ok(())
    }
}

pub fn metrics(json: &Value, section: &Value, tally: &mut Tally) {
    let rel = json["tolerance"].as_f64().expect("a tolerance");
    let said = said(section);
    let truth = truth(section);
    let cuts: Vec<usize> = {
        let mean = section["mean"].as_object().expect("a map");
        mean.keys().map(|cut| cut.parse().expect("a cut")).collect()
    };
    let quality = Evaluation::new(&truth, &Allowed, &cuts)
        .of(&said)
        .expect("a quality");
    for (&cut, expected) in cuts
        .iter()
        .zip(section["mean"].as_object().into_iter().flatten())
    {
        let mean = quality.mean(cut).expect("a known cut");
        each(&mean, &format!("mean[{cut}]"), expected.1, rel, tally);
    }
    for (customer, list) in (0..).zip(&said.lists) {
        let expected = &section["per_user"][format!("u{customer}")];
        for (cut, expected) in expected.as_object().into_iter().flatten() {
            let place = format!("per_user[{customer}][{cut}]");
            let cut: usize = cut.parse().expect("a cut");
            let mut taken = numbers(&section["truth"][format!("u{customer}")]);
            taken.sort_unstable();
            let alone = ListMetrics::of(list, &taken, cut).expect("some truth");
            each(&alone, &place, expected, rel, tally);
            let at = quality
                .customers()
                .binary_search(&customer)
                .expect("a customer with truth");
            for metric in Metric::ALL {
                let value = quality.values(metric, cut).expect("a known cut")[at];
                assert_eq!(value, alone.get(metric), "{place}");
            }
        }
    }
}

pub fn beyond_accuracy(json: &Value, section: &Value, tally: &mut Tally) {
    let rel = json["tolerance"].as_f64().expect("a tolerance");
    let entry = "beyond_accuracy";
    let (said, truth) = (said(&json["metrics"]), truth(&json["metrics"]));
    let cut = whole(&section["k"]);
    let quality = Evaluation::new(&truth, &Allowed, &[cut])
        .of(&said)
        .expect("a quality");
    let shown: &Exposure = quality.exposure(cut).expect("a known cut");
    let takers = numbers(&section["popularity"]);
    let novelty = shown
        .novelty_of(&takers, whole(&section["n_users"]) as u32)
        .expect("a number");
    for (name, actual) in [
        ("catalog_coverage", shown.coverage()),
        ("novelty", novelty),
        ("gini", shown.gini()),
        ("entropy", shown.entropy()),
    ] {
        tally.close(entry, name, actual, &section[name], rel);
    }
    let cosine = |a: u32, b: u32| {
        let found = &json["content"]["cosine"][a as usize][b as usize];
        found.as_f64().expect("a cosine")
    };
    let lists = section["ild_lists"].as_array().into_iter().flatten();
    let found: Vec<f64> = lists
        .map(|list| diversity(numbers(list).into_iter(), &cosine).expect("two items"))
        .collect();
    tally.list(entry, "ild", &found, &section["ild"], rel);
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    tally.close(entry, "ild_mean", mean, &section["ild_mean"], rel);
}

fn each(found: &ListMetrics, place: &str, expected: &Value, rel: f64, tally: &mut Tally) {
    for metric in Metric::ALL {
        let name = metric.name();
        tally.close(
            "metrics",
            &format!("{place}.{name}"),
            found.get(metric),
            &expected[name],
            rel,
        );
    }
}

fn said(section: &Value) -> Said {
    let lists = (0..).map_while(|customer| section["rankings"].get(format!("u{customer}")));
    Said {
        items: whole(&section["n_items"]) as u32,
        lists: lists.map(numbers).collect(),
    }
}

fn truth(section: &Value) -> InteractionMatrix {
    let mut truth = InteractionSummary::new();
    for customer in 0..section["truth"]
        .as_object()
        .map_or(0, |all| all.len() as u32)
    {
        // A weight of 0 was seen, not taken: it sizes the matrix.
        truth.push(customer, 0, 0.0).expect("a row");
        for item in numbers(&section["truth"][format!("u{customer}")]) {
            truth.push(customer, item, 1.0).expect("a row");
        }
    }
    truth.matrix()
}

fn numbers(list: &Value) -> Vec<u32> {
    let list = list.as_array().into_iter().flatten();
    list.map(|number| whole(number) as u32).collect()
}

fn whole(number: &Value) -> usize {
    number.as_u64().expect("a whole number") as usize
}
