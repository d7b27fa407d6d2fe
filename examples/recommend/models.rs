//! The models, a line each, and their settings.

use tenure::Error;
use tenure::event::Interactions;
use tenure::recommend::{
    Als, AlsConfig, Bpr, BprConfig, Contribution, Ease, EaseConfig, Explainer, GraphFilter,
    GraphFilterConfig, ItemKnn, ItemSimilarity, PolynomialFilter, Popularity, Precision, Query,
    QueryError, Rp3Beta, Rp3BetaConfig, Scorer, Slim, SlimConfig, Solver, TurboCf, TurboCfConfig,
    Warp, WarpConfig, Weighting,
};
use tenure::summary::InteractionMatrix;

/// What models are fitted with.
pub struct Training<'a> {
    pub log: &'a Interactions,
    pub matrix: &'a InteractionMatrix,
    pub seed: u64,
}

/// A model that can be asked for by name.
pub struct Model {
    pub name: &'static str,
    pub about: &'static str,
    pub parameters: &'static [Parameter],
    /// The parameter that a search gives more of to fewer candidates.
    pub budget: Option<&'static str>,
    /// Fitted whatever the number of items; others are left out of a comparison beyond so many.
    pub items_max: u32,
    pub fit: fn(&Training<'_>, &Settings) -> Result<Fitted, Error>,
}

/// One number that a model is told.
pub struct Parameter {
    pub name: &'static str,
    pub default: f64,
    pub range: Range,
}

/// Where a search looks.
pub enum Range {
    Linear(f64, f64),
    Log(f64, f64),
    Whole(u32, u32),
    /// As it is.
    Fixed,
}

/// A fitted model.
pub enum Fitted {
    Plain(Box<dyn Scorer>),
    Explained(Box<dyn Explainer>),
    Als(Box<Als>),
}

const ANY: u32 = u32::MAX;
const DAY_S: f64 = 86_400.0;

const fn of(name: &'static str, default: f64, range: Range) -> Parameter {
    Parameter {
        name,
        default,
        range,
    }
}

/// Baselines first: they are in every table.
pub const BASELINES: usize = 2;

#[rustfmt::skip]
pub const MODELS: &[Model] = &[
    Model { name: "popularity", about: "what most customers took", parameters: &[], budget: None, items_max: ANY, fit: popularity },
    Model { name: "recency", about: "what was taken of late", parameters: &[of("half_life_days", 30.0, Range::Log(1.0, 365.0))], budget: None, items_max: ANY, fit: recency },
    Model { name: "knn_cosine", about: "item neighbours, cosine", parameters: &[of("neighbours", 100.0, Range::Whole(5, 500))], budget: None, items_max: ANY, fit: knn_cosine },
    Model { name: "knn_tfidf", about: "item neighbours, TF-IDF", parameters: &[of("neighbours", 100.0, Range::Whole(5, 500))], budget: None, items_max: ANY, fit: knn_tfidf },
    Model { name: "knn_bm25", about: "item neighbours, BM25", parameters: &[of("neighbours", 100.0, Range::Whole(5, 500)), of("k1", 1.2, Range::Log(0.1, 100.0)), of("b", 0.75, Range::Linear(0.0, 1.0))], budget: None, items_max: ANY, fit: knn_bm25 },
    Model { name: "ease", about: "EASE", parameters: &[of("lambda", 200.0, Range::Log(1.0, 3_000.0))], budget: None, items_max: 12_000, fit: ease },
    Model { name: "gf_cf", about: "graph filter, GF-CF", parameters: &[of("weight", 0.3, Range::Log(0.03, 3.0)), of("rank", 256.0, Range::Whole(16, 448))], budget: None, items_max: ANY, fit: gf_cf },
    Model { name: "bspm", about: "blurring and sharpening", parameters: &[of("weight", 0.2, Range::Log(0.03, 3.0)), of("rank", 448.0, Range::Whole(16, 448)), of("sharpening", 2.5, Range::Linear(0.2, 3.0))], budget: None, items_max: ANY, fit: bspm },
    Model { name: "turbo_cf", about: "graph filter, Turbo-CF", parameters: &[of("alpha", 0.6, Range::Linear(0.3, 0.7)), of("power", 0.7, Range::Linear(0.5, 1.5))], budget: None, items_max: 12_000, fit: turbo_cf },
    Model { name: "rp3_beta", about: "walks of three steps, RP3β", parameters: &[of("alpha", 1.0, Range::Linear(0.5, 1.5)), of("beta", 0.4, Range::Linear(0.0, 1.0)), of("neighbours", 100.0, Range::Whole(20, 500))], budget: None, items_max: ANY, fit: rp3_beta },
    Model { name: "slim", about: "SLIM, elastic net", parameters: &[of("lambda1", 1.0, Range::Log(0.1, 20.0)), of("lambda2", 100.0, Range::Log(1.0, 1_000.0))], budget: None, items_max: 12_000, fit: slim },
    Model { name: "bpr", about: "BPR, pairs of items", parameters: &[of("factors", 64.0, Range::Fixed), of("epochs", 100.0, Range::Fixed), of("learning_rate", 0.05, Range::Log(0.005, 0.2)), of("regularization", 0.02, Range::Log(0.0005, 0.1))], budget: Some("epochs"), items_max: ANY, fit: bpr },
    Model { name: "warp", about: "WARP, top of the list", parameters: &[of("factors", 64.0, Range::Fixed), of("epochs", 50.0, Range::Fixed), of("learning_rate", 0.02, Range::Log(0.002, 0.1)), of("length_max", 1.5, Range::Log(0.5, 5.0))], budget: Some("epochs"), items_max: ANY, fit: warp },
    Model { name: "als", about: "ALS, Hu and Koren", parameters: &[of("factors", 64.0, Range::Fixed), of("iterations", 15.0, Range::Fixed), of("alpha", 10.0, Range::Log(1.0, 200.0)), of("lambda", 75.0, Range::Log(1.0, 500.0))], budget: Some("iterations"), items_max: ANY, fit: als },
    Model { name: "ials", about: "ALS, Rendle", parameters: &[of("factors", 64.0, Range::Fixed), of("iterations", 15.0, Range::Fixed), of("alpha0", 0.1, Range::Log(0.003, 1.0)), of("lambda", 0.01, Range::Log(0.001, 0.3)), of("nu", 1.0, Range::Linear(0.0, 1.0))], budget: Some("iterations"), items_max: ANY, fit: ials },
    Model { name: "ials_pp", about: "ALS, Rendle, by blocks", parameters: &[of("factors", 128.0, Range::Fixed), of("iterations", 15.0, Range::Fixed), of("block", 64.0, Range::Fixed), of("alpha0", 0.1, Range::Log(0.003, 1.0)), of("lambda", 0.01, Range::Log(0.001, 0.3)), of("nu", 1.0, Range::Linear(0.0, 1.0))], budget: Some("iterations"), items_max: ANY, fit: ials_pp },
];

fn popularity(data: &Training<'_>, _: &Settings) -> Result<Fitted, Error> {
    Ok(Fitted::Plain(Box::new(Popularity::of(data.matrix))))
}

fn recency(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let half_life_s = settings.get("half_life_days") * DAY_S;
    let now = data.log.time().iter().max().copied();
    let now = now.unwrap_or(tenure::event::Timestamp::EPOCH);
    let model = Popularity::decayed(data.log, now, half_life_s as u32)?;
    Ok(Fitted::Plain(Box::new(model)))
}

fn knn_cosine(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    knn(data, settings, ItemSimilarity::Cosine)
}

fn knn_tfidf(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    knn(data, settings, ItemSimilarity::TfIdf)
}

fn knn_bm25(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let (k1, b) = (settings.get("k1"), settings.get("b"));
    knn(data, settings, ItemSimilarity::Bm25 { k1, b })
}

fn knn(
    data: &Training<'_>,
    settings: &Settings,
    similarity: ItemSimilarity,
) -> Result<Fitted, Error> {
    let neighbours = settings.get("neighbours") as u32;
    let model = ItemKnn::fit(data.matrix, similarity, neighbours)?;
    Ok(Fitted::Explained(Box::new(model)))
}

fn ease(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let config = EaseConfig {
        lambda: settings.get("lambda"),
        precision: Precision::Single,
        items_max: 45_000,
    };
    Ok(Fitted::Explained(Box::new(Ease::fit(
        data.matrix,
        &config,
    )?)))
}

fn gf_cf(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    graph_filter(data, settings, GraphFilterConfig::gf_cf(data.seed))
}

fn bspm(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let mut config = GraphFilterConfig::blurring_sharpening(data.seed);
    if let Some(sharpening) = &mut config.sharpening {
        sharpening.time = settings.get("sharpening");
    }
    graph_filter(data, settings, config)
}

fn graph_filter(
    data: &Training<'_>,
    settings: &Settings,
    mut config: GraphFilterConfig,
) -> Result<Fitted, Error> {
    if let Some(low_pass) = &mut config.low_pass {
        low_pass.weight = settings.get("weight");
        low_pass.rank = settings.get("rank") as usize;
    }
    let model = GraphFilter::fit(data.matrix, &config)?.model;
    Ok(Fitted::Explained(Box::new(model)))
}

fn turbo_cf(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let config = TurboCfConfig {
        alpha: settings.get("alpha"),
        power: settings.get("power"),
        filter: PolynomialFilter::Linear,
    };
    let model = TurboCf::fit(data.matrix, &config)?;
    Ok(Fitted::Explained(Box::new(model)))
}

fn rp3_beta(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let config = Rp3BetaConfig {
        alpha: settings.get("alpha"),
        beta: settings.get("beta"),
        neighbours: settings.get("neighbours") as u32,
        normalized: false,
    };
    let model = Rp3Beta::fit(data.matrix, &config)?;
    Ok(Fitted::Explained(Box::new(model)))
}

fn slim(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let config = SlimConfig {
        lambda1: settings.get("lambda1"),
        lambda2: settings.get("lambda2"),
        candidates: Some(1_000),
        tolerance: 0.01,
        sweeps_max: 100,
    };
    let model = Slim::fit(data.matrix, &config)?.model;
    Ok(Fitted::Explained(Box::new(model)))
}

fn bpr(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let config = BprConfig {
        epochs: settings.get("epochs") as u32,
        learning_rate: settings.get("learning_rate") as f32,
        regularization: settings.get("regularization") as f32,
        ..BprConfig::new(settings.get("factors") as usize, data.seed)
    };
    let model = Bpr::fit(data.matrix, &config)?.model;
    Ok(Fitted::Plain(Box::new(model)))
}

fn warp(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let config = WarpConfig {
        epochs: settings.get("epochs") as u32,
        learning_rate: settings.get("learning_rate") as f32,
        length_max: settings.get("length_max") as f32,
        ..WarpConfig::new(settings.get("factors") as usize, data.seed)
    };
    let model = Warp::fit(data.matrix, &config)?.model;
    Ok(Fitted::Plain(Box::new(model)))
}

fn als(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let (alpha, lambda) = (settings.get("alpha"), settings.get("lambda"));
    let weighting = Weighting::HuKoren { alpha, lambda };
    factors(data, settings, weighting, Solver::Cholesky)
}

fn ials(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    factors(data, settings, rendle(data, settings), Solver::Cholesky)
}

fn ials_pp(data: &Training<'_>, settings: &Settings) -> Result<Fitted, Error> {
    let block = settings.get("block") as u32;
    let solver = Solver::Subspace { block };
    factors(data, settings, rendle(data, settings), solver)
}

fn rendle(data: &Training<'_>, settings: &Settings) -> Weighting {
    let number = |name| settings.get(name);
    Weighting::rendle_scaled(
        data.matrix,
        number("alpha0"),
        number("lambda"),
        number("nu"),
    )
}

fn factors(
    data: &Training<'_>,
    settings: &Settings,
    weighting: Weighting,
    solver: Solver,
) -> Result<Fitted, Error> {
    let config = AlsConfig {
        iterations: settings.get("iterations") as u32,
        solver,
        ..AlsConfig::new(weighting, settings.get("factors") as usize, data.seed)
    };
    Ok(Fitted::Als(Box::new(Als::fit(data.matrix, &config)?.model)))
}

impl Fitted {
    pub fn scorer(&self) -> &dyn Scorer {
        match self {
            Self::Plain(model) => &**model,
            Self::Explained(model) => &**model,
            Self::Als(model) => &**model,
        }
    }

    /// The items that speak most for another; none of a model that has no reasons.
    pub fn reasons(
        &self,
        matrix: &InteractionMatrix,
        customer: u32,
        item: u32,
    ) -> Result<Vec<Contribution>, QueryError> {
        const MOST: usize = 3;
        let explanation = match self {
            Self::Plain(_) => return Ok(Vec::new()),
            Self::Explained(model) => model.explain(&Query::Customer(customer), item)?,
            Self::Als(model) => {
                let (items, weights) = matrix.row(customer);
                let basket: Vec<_> = items.iter().copied().zip(weights.iter().copied()).collect();
                model.explain(&basket, item)?
            }
        };
        Ok(explanation.reasons(MOST))
    }
}

/// What a model is told.
#[derive(Clone)]
pub struct Settings(Vec<(&'static str, f64)>);

impl Settings {
    /// The defaults of a model, and what was asked for: `model.parameter` or, of every model that has it, `parameter`.
    pub fn of(model: &Model, asked: &[(String, f64)]) -> Self {
        let settings = model.parameters.iter().map(|parameter| {
            let full = format!("{}.{}", model.name, parameter.name);
            let last = |wanted: &str| asked.iter().rev().find(|(name, _)| name == wanted);
            let found = last(&full).or_else(|| last(parameter.name));
            (
                parameter.name,
                found.map_or(parameter.default, |(_, value)| *value),
            )
        });
        Self(settings.collect())
    }

    pub fn get(&self, name: &str) -> f64 {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or(0.0, |(_, value)| *value)
    }

    pub fn set(&mut self, name: &str, value: f64) {
        if let Some((_, old)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            *old = value;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.0.iter().copied()
    }
}

/// Whether some model has the parameter `parameter`, or the model its `model.parameter`.
pub fn knows(name: &str) -> bool {
    match name.split_once('.') {
        Some((model, parameter)) => find(model)
            .is_some_and(|model| model.parameters.iter().any(|known| known.name == parameter)),
        None => {
            let mut all = MODELS.iter().flat_map(|model| model.parameters);
            all.any(|known| known.name == name)
        }
    }
}

pub fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}
