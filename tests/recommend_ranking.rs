//! BPR and WARP: what a training must do whatever the numbers are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tenure::error::{Error, FitError};
use tenure::recommend::{
    Bpr, BprConfig, Negatives, Query, Scorer, Scratch, Unseen, Warp, WarpConfig, laws, recommend,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

fn matrix(rows: impl IntoIterator<Item = (u32, u32, f32)>) -> InteractionMatrix {
    let mut log = InteractionSummary::new();
    for (customer, item, weight) in rows {
        log.push(customer, item, weight).unwrap();
    }
    log.matrix()
}

/// Customers of three tastes; each takes most of their third of the items, and few of the others.
fn tastes(customers: u32, items: u32) -> InteractionMatrix {
    let all = (0..customers).flat_map(|customer| (0..items).map(move |item| (customer, item)));
    matrix(all.filter_map(|(customer, item)| {
        let mixed = (customer * 7_919 + item * 104_729).wrapping_mul(2_654_435_761) >> 16;
        let like = if customer % 3 == item % 3 {
            26_000
        } else {
            1_500
        };
        (mixed % 65_536 < like).then_some((customer, item, 1.0))
    }))
}

fn bpr(epochs: u32, negatives: Negatives) -> BprConfig {
    BprConfig {
        epochs,
        negatives,
        ..BprConfig::new(4, 5)
    }
}

fn warp(epochs: u32) -> WarpConfig {
    WarpConfig {
        epochs,
        length_max: 1.0,
        ..WarpConfig::new(4, 5)
    }
}

fn scores(model: &dyn Scorer, query: &Query<'_>) -> Vec<f32> {
    let mut scores = Vec::new();
    model
        .scan(query, &mut Scratch::new(), &mut |_, block| {
            scores.extend_from_slice(block)
        })
        .unwrap();
    scores
}

/// The share of the best five unseen items that are of the customer's own taste.
fn own_taste(model: &dyn Scorer, matrix: &InteractionMatrix, query: &Query<'_>, taste: u32) -> f64 {
    let (mut scratch, mut best) = (Scratch::new(), Vec::new());
    recommend(model, query, 5, &Unseen(matrix), &mut scratch, &mut best).unwrap();
    let own = best.iter().filter(|scored| scored.item % 3 == taste);
    own.count() as f64 / best.len() as f64
}

#[test]
fn a_taste_is_learnt_and_a_new_customer_has_it_too() {
    let matrix = tastes(90, 90);
    let models: [Box<dyn Scorer>; 3] = [
        Box::new(
            Bpr::fit(&matrix, &bpr(60, Negatives::Uniform))
                .unwrap()
                .model,
        ),
        Box::new(
            Bpr::fit(&matrix, &bpr(60, Negatives::ByPopularity))
                .unwrap()
                .model,
        ),
        Box::new(Warp::fit(&matrix, &warp(40)).unwrap().model),
    ];
    for (number, model) in models.iter().enumerate() {
        let (mut known, mut new) = (0.0, 0.0);
        for customer in 0..60 {
            let (items, weights) = matrix.row(customer);
            let basket: Vec<(u32, f32)> =
                items.iter().copied().zip(weights.iter().copied()).collect();
            let taste = customer % 3;
            known += own_taste(&**model, &matrix, &Query::Customer(customer), taste) / 60.0;
            new += own_taste(&**model, &matrix, &Query::Basket(&basket), taste) / 60.0;
        }
        // A third by chance.
        assert!(known > 0.8 && new > 0.8, "model {number}: {known}, {new}");
    }
}

#[test]
fn the_report_shows_what_was_learnt() {
    let matrix = tastes(90, 90);
    let report = Bpr::fit(&matrix, &bpr(40, Negatives::Uniform))
        .unwrap()
        .report;
    assert_eq!((report.loss.len(), report.ordered.len()), (40, 40));
    // Before anything is learnt a pair is a coin: ln 2.
    assert!(
        (report.loss[0] - 2_f64.ln()).abs() < 0.1,
        "{}",
        report.loss[0]
    );
    assert!(report.loss[39] < 0.5 * report.loss[0], "{:?}", report.loss);
    assert!(
        report.ordered[0] < 0.75 && report.ordered[39] > 0.9,
        "{:?}",
        report.ordered
    );
    let report = Warp::fit(&matrix, &warp(40)).unwrap().report;
    assert!(report.loss[39] < 0.7 * report.loss[0], "{:?}", report.loss);
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    // Several groups of customers and items.
    let matrix = tastes(300, 330);
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            (
                Bpr::fit(&matrix, &bpr(3, Negatives::ByPopularity)).unwrap(),
                Warp::fit(&matrix, &warp(3)).unwrap(),
            )
        })
    };
    let alone = fit(1);
    assert_eq!(fit(2), alone);
    assert_eq!(fit(8), alone);
}

#[test]
fn another_seed_is_another_model_and_the_same_seed_the_same() {
    let matrix = tastes(80, 80);
    let with = |seed| {
        let config = BprConfig {
            seed,
            ..bpr(2, Negatives::Uniform)
        };
        Bpr::fit(&matrix, &config).unwrap().model
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn a_training_stops_when_it_is_told_to() {
    let matrix = tastes(600, 600);
    let config = bpr(u32::MAX, Negatives::Uniform);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let fit = scope.spawn(|| {
            Bpr::fit_until(&matrix, &config, &|| stop.load(Ordering::Relaxed)).unwrap_err()
        });
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        // How soon that is, `recommend_every_model` measures.
        let error = fit.join().unwrap();
        assert!(
            matches!(error, Error::Fit(FitError::Cancelled { .. })),
            "{error}"
        );
    });
}

#[test]
fn models_keep_the_laws_and_survive_their_saved_form() {
    let matrix = tastes(60, 300);
    let bpr = Bpr::fit(&matrix, &bpr(3, Negatives::ByPopularity))
        .unwrap()
        .model;
    let warp = Warp::fit(&matrix, &warp(3)).unwrap().model;
    let basket = [(3, 1.0), (299, 2.5), (7, 0.0)];
    let queries = [
        Query::Customer(0),
        Query::Customer(59),
        Query::Basket(&basket),
        Query::Basket(&[]),
        Query::Item(7),
    ];
    laws::check(&bpr, &queries).unwrap();
    laws::check(&warp, &queries).unwrap();
    let text = serde_json::to_string(&bpr).unwrap();
    assert_eq!(serde_json::from_str::<Bpr>(&text).unwrap(), bpr);
    let read: Warp = serde_json::from_str(&serde_json::to_string(&warp).unwrap()).unwrap();
    assert_eq!(read, warp);
    for query in &queries {
        assert_eq!(scores(&read, query), scores(&warp, query));
    }
    let itself = scores(&warp, &Query::Item(7))[7];
    assert!((itself - 1.0).abs() < 1e-5, "{itself}");
    // Of an empty basket the biases are known, nothing else.
    let biases = (0..300).map(|item| bpr.item(item).unwrap().last().unwrap());
    assert!(scores(&bpr, &Query::Basket(&[])).into_iter().eq(biases));
}

#[test]
fn a_damaged_saved_model_is_refused() {
    let model = Bpr::fit(&tastes(9, 9), &bpr(1, Negatives::ByPopularity))
        .unwrap()
        .model;
    let good = serde_json::to_value(&model).unwrap();
    let refuse = |change: &dyn Fn(&mut serde_json::Value), part: &str| {
        let mut bad = good.clone();
        change(&mut bad);
        let error = serde_json::from_value::<Bpr>(bad).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refuse(&|json| json["format"] = 3.into(), "format");
    refuse(&|json| json["plan"]["factors"] = 0.into(), "factors");
    refuse(&|json| json["plan"]["factors"] = 1_024.into(), "numbers");
    refuse(&|json| json["plan"]["epochs"] = 0.into(), "epochs");
    refuse(&|json| json["items"][3] = 0.25.into(), "checksum");
    refuse(&|json| json["items"][3] = 1e30.into(), "items[3]");
    refuse(&|json| json["customers"][4] = 2.into(), "customers");
    refuse(&|json| json["taken"] = Vec::<u64>::new().into(), "taken");
    refuse(&|json| json["taken"][0] = u64::MAX.into(), "taken");
    refuse(&|json| json["more"] = 0.into(), "more");
}

#[test]
fn settings_and_data_that_cannot_be_used_are_named() {
    let one = matrix([(0, 0, 1.0)]);
    let base = bpr(1, Negatives::Uniform);
    let refuse = |config: BprConfig, part: &str| {
        let error = Bpr::fit(&one, &config).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refuse(BprConfig { factors: 0, ..base }, "`factors` is 0");
    refuse(
        BprConfig {
            factors: 1_025,
            ..base
        },
        "`factors` is 1025",
    );
    refuse(BprConfig { epochs: 0, ..base }, "`epochs` is 0");
    refuse(
        BprConfig {
            learning_rate: f32::NAN,
            ..base
        },
        "`learning_rate` is NaN",
    );
    refuse(
        BprConfig {
            regularization: -1.0,
            ..base
        },
        "`regularization` is -1",
    );
    let refuse = |config: WarpConfig, part: &str| {
        let error = Warp::fit(&one, &config).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refuse(
        WarpConfig {
            trials: 0,
            ..warp(1)
        },
        "`trials` is 0",
    );
    refuse(
        WarpConfig {
            length_max: 0.0,
            ..warp(1)
        },
        "`length_max` is 0",
    );
    for nothing in [matrix([]), matrix([(4, 4, 0.0)])] {
        let error = Bpr::fit(&nothing, &base).unwrap_err();
        assert!(error.to_string().contains("no interactions"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// One customer, one item, everybody everything, weights of 0: finite, or an error that says so.
    #[test]
    fn whatever_is_taken_scores_are_finite(
        rows in vec((0_u32..6, 0_u32..7, prop_oneof![Just(0.0_f32), Just(1.0), Just(3e38)]), 1..40),
        factors in 1_usize..20, rate in prop_oneof![Just(0.05_f32), Just(1.0)],
    ) {
        let matrix = matrix(rows);
        let config = BprConfig { factors, learning_rate: rate, ..bpr(5, Negatives::ByPopularity) };
        let queries = [Query::Item(0), Query::Basket(&[(0, 2.0)]), Query::Customer(0)];
        let model = Bpr::fit(&matrix, &config);
        prop_assert!(matches!(model, Ok(_) | Err(Error::Data(_))));
        if let Ok(fit) = model {
            laws::check(&fit.model, &queries).unwrap();
        }
        let config = WarpConfig { factors, learning_rate: rate, ..warp(5) };
        if let Ok(fit) = Warp::fit(&matrix, &config) {
            laws::check(&fit.model, &queries).unwrap();
        }
    }
}
