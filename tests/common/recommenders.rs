//! Every kind of model of `recommend`, so that what must hold for all of them is said once.

use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tenure::error::Error;
use tenure::event::{Interactions, Timestamp};
use tenure::recommend::{
    Als, AlsConfig, Bpr, BprConfig, Compactness, ContentCosine, Ease, EaseConfig, GraphFilter,
    GraphFilterConfig, ItemKnn, ItemSimilarity, LowPass, Negatives, PolynomialFilter, Popularity,
    Precision, Quantised, Rp3Beta, Rp3BetaConfig, Scorer, SessionKnn, SessionKnnConfig, Slim,
    SlimConfig, Solver, TurboCf, TurboCfConfig, Warp, WarpConfig, Weighting,
};
use tenure::summary::{InteractionMatrix, InteractionSummary};

/// Whether a fit is to stop.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// What models are fitted with.
pub struct Data {
    pub log: Interactions,
    pub matrix: InteractionMatrix,
}

impl Data {
    /// Of customers, items and weights, each row a second after the one before.
    pub fn new(rows: impl IntoIterator<Item = (u32, u32, f32)>) -> Self {
        let rows = (0..).zip(rows).map(|(at, (customer, item, weight))| {
            let time = Timestamp::from_unix_s(at).unwrap();
            (customer, item, weight, time)
        });
        // The log numbers customers and items in the order in which they come.
        let (log, _, _) = Interactions::from_rows(rows).unwrap();
        let matrix = InteractionSummary::collect(&log).unwrap().matrix();
        Self { log, matrix }
    }
}

/// A model, and what writes it.
pub struct Fitted {
    pub scorer: Arc<dyn Scorer>,
    save: Box<dyn Fn() -> String + Send + Sync>,
}

impl Fitted {
    /// Its saved form.
    pub fn saved(&self) -> String {
        (self.save)()
    }
}

type Fit = Box<dyn Fn(&Data, Stop<'_>) -> Result<Fitted, Error> + Send + Sync>;
type Read = fn(&str) -> Result<Fitted, String>;

/// A kind of model.
pub struct Kind {
    pub name: &'static str,
    pub fit: Fit,
    pub read: Read,
    /// Whether a fit can be stopped; the others take one pass over the data.
    pub stops: bool,
}

fn fitted<M: Scorer + Serialize + 'static>(model: M) -> Fitted {
    let model = Arc::new(model);
    Fitted {
        scorer: model.clone(),
        save: Box::new(move || serde_json::to_string(&*model).unwrap()),
    }
}

fn kind<M: Scorer + Serialize + DeserializeOwned + Debug + PartialEq + 'static>(
    name: &'static str,
    stops: bool,
    fit: impl Fn(&Data, Stop<'_>) -> Result<M, Error> + Send + Sync + 'static,
) -> Kind {
    Kind {
        name,
        stops,
        fit: Box::new(move |data, stop| fit(data, stop).map(fitted)),
        read: |text| {
            let model = serde_json::from_str::<M>(text);
            model.map(fitted).map_err(|error| error.to_string())
        },
    }
}

/// All kinds, with models of a few factors that are fitted in a few passes.
pub fn kinds() -> Vec<Kind> {
    let mut kinds = item_kinds();
    kinds.extend(factor_kinds(4, 3));
    kinds.extend(graph_kinds(6));
    kinds
}

/// Models whose weights are between items, or of items alone.
pub fn item_kinds() -> Vec<Kind> {
    let knn = |similarity| {
        move |data: &Data, stop: Stop<'_>| ItemKnn::fit_until(&data.matrix, similarity, 20, stop)
    };
    let ease = |precision| {
        let config = EaseConfig {
            lambda: 2.7,
            precision,
            items_max: 6_000,
        };
        move |data: &Data, stop: Stop<'_>| Ease::fit_until(&data.matrix, &config, stop)
    };
    let bm25 = ItemSimilarity::Bm25 { k1: 1.2, b: 0.5 };
    vec![
        kind("popularity", false, |data, _| {
            Ok(Popularity::of(&data.matrix))
        }),
        kind("knn_cosine", true, knn(ItemSimilarity::Cosine)),
        kind("knn_bm25", true, knn(bm25)),
        kind("content", false, |data, _| {
            let features = (0..2 * data.matrix.columns()).map(|at| f64::from(at * 7 % 11) - 4.0);
            Ok(ContentCosine::new(&data.matrix, 2, features.collect())?)
        }),
        kind("sessions", false, |data, _| {
            let config = SessionKnnConfig {
                latest: 50,
                neighbours: 9,
                idf_weighting: 1.0,
            };
            SessionKnn::fit(&data.log, &config)
        }),
        kind("rp3_beta", true, |data, stop| {
            let config = Rp3BetaConfig {
                alpha: 0.8,
                beta: 0.4,
                neighbours: 20,
                normalized: true,
            };
            Rp3Beta::fit_until(&data.matrix, &config, stop)
        }),
        kind("slim", true, |data, stop| {
            let config = SlimConfig {
                lambda1: 0.3,
                lambda2: 0.5,
                candidates: Some(40),
                tolerance: 1e-6,
                sweeps_max: 50,
            };
            Ok(Slim::fit_until(&data.matrix, &config, stop)?.model)
        }),
        kind("ease_single", true, ease(Precision::Single)),
        kind("ease_double", true, ease(Precision::Double)),
    ]
}

/// Models of factors.
pub fn factor_kinds(factors: usize, passes: u32) -> Vec<Kind> {
    const HU_KOREN: Weighting = Weighting::HuKoren {
        alpha: 8.0,
        lambda: 0.7,
    };
    const RENDLE: Weighting = Weighting::Rendle {
        alpha0: 0.1,
        lambda: 0.02,
        nu: 0.8,
    };
    let als = move |weighting, solver| AlsConfig {
        iterations: passes,
        solver,
        ..AlsConfig::new(weighting, factors, 1)
    };
    let fit = move |weighting, solver| {
        move |data: &Data, stop: Stop<'_>| {
            Ok(Als::fit_until(&data.matrix, &als(weighting, solver), stop)?.model)
        }
    };
    let rounded = move |compactness| {
        move |data: &Data, stop: Stop<'_>| {
            let exact = Als::fit_until(&data.matrix, &als(RENDLE, Solver::Cholesky), stop)?;
            Ok(Quantised::from_als(&exact.model, compactness))
        }
    };
    let bpr = move |negatives| BprConfig {
        epochs: passes,
        negatives,
        ..BprConfig::new(factors, 1)
    };
    vec![
        kind("als_exact", true, fit(HU_KOREN, Solver::Cholesky)),
        kind(
            "als_gradient",
            true,
            fit(HU_KOREN, Solver::ConjugateGradient { steps: 3 }),
        ),
        kind("ials_exact", true, fit(RENDLE, Solver::Cholesky)),
        kind(
            "ials_blocks",
            true,
            fit(RENDLE, Solver::Subspace { block: 16 }),
        ),
        kind("quantised_i8", true, rounded(Compactness::I8)),
        kind("quantised_f16", true, rounded(Compactness::F16)),
        kind("bpr", true, move |data, stop| {
            Ok(Bpr::fit_until(&data.matrix, &bpr(Negatives::ByPopularity), stop)?.model)
        }),
        kind("warp", true, move |data, stop| {
            let config = WarpConfig {
                epochs: passes,
                ..WarpConfig::new(factors, 1)
            };
            Ok(Warp::fit_until(&data.matrix, &config, stop)?.model)
        }),
    ]
}

/// Filters of the graph of who took what.
pub fn graph_kinds(rank: usize) -> Vec<Kind> {
    let low_pass = |config: Option<LowPass>| config.map(|low_pass| LowPass { rank, ..low_pass });
    let filter = move |config: GraphFilterConfig| {
        let config = GraphFilterConfig {
            low_pass: low_pass(config.low_pass),
            ..config
        };
        move |data: &Data, stop: Stop<'_>| {
            Ok(GraphFilter::fit_until(&data.matrix, &config, stop)?.model)
        }
    };
    vec![
        kind("gf_cf", true, filter(GraphFilterConfig::gf_cf(1))),
        kind(
            "blurring_sharpening",
            true,
            filter(GraphFilterConfig::blurring_sharpening(1)),
        ),
        kind("turbo_cf", true, |data, stop| {
            let config = TurboCfConfig {
                alpha: 0.5,
                power: 1.0,
                filter: PolynomialFilter::Quadratic,
            };
            TurboCf::fit_until(&data.matrix, &config, stop)
        }),
    ]
}

/// Runs with so many threads.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(work)
}
