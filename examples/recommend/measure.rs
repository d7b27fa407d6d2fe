//! Fitting models and judging their lists.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use tenure::recommend::evaluate::{
    Bootstrap, Comparison, Evaluation, Interval, IntervalKind, ItemCosine, Quality,
};

use super::args::{Args, Task};
use super::input::Data;
use super::models::{BASELINES, Fitted, MODELS, Model, Settings};
use super::progress;

/// A list of this length is made for every customer to see how long it takes.
const SERVED: usize = 10;

/// A model, how long it took and how good it is.
pub struct Judged {
    pub model: &'static Model,
    pub settings: Settings,
    pub outcome: Result<Figures, Box<dyn Error>>,
}

pub struct Figures {
    pub quality: Quality,
    /// Of the chosen metric at the first cut.
    pub interval: Interval,
    /// The same by how many items a customer had taken.
    pub segments: BTreeMap<Segment, (usize, Interval)>,
    /// By cut.
    pub novelty: Vec<f64>,
    pub fit: Seconds,
    /// Of a list for everybody.
    pub serve: Option<(u32, Seconds)>,
    pub peak_memory_mb: Option<u64>,
}

/// A third of the customers, by what they took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    Light,
    Medium,
    Heavy,
}

#[derive(Clone, Copy)]
pub struct Seconds {
    pub wall: f64,
    /// Of all threads.
    pub cpu: f64,
}

/// The models that were asked for, and the baselines.
pub fn all(data: &Data, args: &Args) -> Result<Vec<Judged>, Box<dyn Error>> {
    let items = data.matrices.train.columns();
    let chosen = |model: &&Model| match &args.task {
        Task::One(one) => one.name == model.name,
        _ if args.models.is_empty() => model.items_max >= items,
        _ => args.models.iter().any(|one| one.name == model.name),
    };
    let models = MODELS.iter().enumerate();
    let models = models.filter(|(at, model)| *at < BASELINES || chosen(model));
    let mut judged = Vec::new();
    for (_, model) in models {
        let settings = Settings::of(model, &args.settings);
        let outcome = match one(data, model, &settings, args) {
            // The one that was asked for; in a comparison the others still have something to say.
            Err(error) if matches!(args.task, Task::One(asked) if asked.name == model.name) => {
                return Err(error);
            }
            outcome => outcome,
        };
        judged.push(Judged {
            model,
            settings,
            outcome,
        });
    }
    if judged.iter().all(|one| one.outcome.is_err()) {
        // Nobody has a list: that is the data's fault, not a model's.
        let errors = judged.into_iter().filter_map(|one| one.outcome.err());
        return Err(errors.last().unwrap_or_else(|| "no model".into()));
    }
    Ok(judged)
}

fn one(
    data: &Data,
    model: &'static Model,
    settings: &Settings,
    args: &Args,
) -> Result<Figures, Box<dyn Error>> {
    let (fitted, fit) =
        timed(|| progress::step(model.about, || (model.fit)(&data.training(), settings)));
    let fitted = fitted?;
    let filter = data.filter();
    let cosine = args
        .all_metrics
        .then(|| ItemCosine::new(&data.matrices.train));
    let similarity = cosine
        .as_ref()
        .map(|cosine| |left, right| cosine.of(left, right));
    let evaluation = Evaluation {
        given: data.given(),
        auc: args.all_metrics,
        similarity: similarity
            .as_ref()
            .map(|f| f as &(dyn Fn(u32, u32) -> f64 + Sync)),
        ..Evaluation::new(&data.matrices.test, &*filter, &args.cuts)
    };
    let quality = progress::step("Judging", || evaluation.of(fitted.scorer()))?;
    let first = args.cuts.first().copied().unwrap_or(0);
    let bootstrap = bootstrap(args);
    let interval = bootstrap.mean(&quality.values(args.metric, first)?, IntervalKind::Bca)?;
    let novelty = args.cuts.iter().map(|&cut| {
        let shown = quality.exposure(cut)?;
        Ok(shown.novelty(&data.matrices.train)?)
    });
    Ok(Figures {
        interval,
        segments: segments(data, &quality, args)?,
        novelty: novelty.collect::<Result<_, tenure::Error>>()?,
        fit,
        serve: serve(data, &fitted)?,
        peak_memory_mb: progress::peak_memory_mb(),
        quality,
    })
}

pub fn bootstrap(args: &Args) -> Bootstrap {
    Bootstrap {
        resamples: 1_000,
        confidence: 0.95,
        seed: args.seed,
    }
}

/// Left against right, by the chosen metric at the first cut.
pub fn compare(left: &Figures, right: &Figures, args: &Args) -> Result<Comparison, Box<dyn Error>> {
    let first = args.cuts.first().copied().unwrap_or(0);
    let values = |figures: &Figures| figures.quality.values(args.metric, first);
    Ok(Comparison::of(
        &values(left)?,
        &values(right)?,
        &bootstrap(args),
    )?)
}

fn segments(
    data: &Data,
    quality: &Quality,
    args: &Args,
) -> Result<BTreeMap<Segment, (usize, Interval)>, Box<dyn Error>> {
    let history = data.given().unwrap_or(&data.matrices.train);
    let taken = |customer: u32| history.row(customer).0.len();
    let mut all: Vec<usize> = quality
        .customers()
        .iter()
        .map(|&customer| taken(customer))
        .collect();
    all.sort_unstable();
    let third = |thirds: usize| all.get(all.len() * thirds / 3).copied().unwrap_or(0);
    let (some, many) = (third(1), third(2));
    let first = args.cuts.first().copied().unwrap_or(0);
    let segments = quality.by_segment(args.metric, first, |customer| match taken(customer) {
        few if few < some => Segment::Light,
        few if few < many => Segment::Medium,
        _ => Segment::Heavy,
    })?;
    let intervals = segments.into_iter().map(|(segment, values)| {
        let interval = bootstrap(args).mean(&values, IntervalKind::Bca)?;
        Ok((segment, (values.len(), interval)))
    });
    intervals.collect()
}

/// How long a list for everybody takes; unknown for customers who come with a basket.
fn serve(data: &Data, fitted: &Fitted) -> Result<Option<(u32, Seconds)>, Box<dyn Error>> {
    if data.given().is_some() {
        return Ok(None);
    }
    let (customers, filter) = (data.matrices.train.rows(), data.filter());
    let (lists, seconds) = timed(|| fitted.scorer().lists(0..customers, SERVED, &*filter));
    lists?;
    Ok(Some((customers, seconds)))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Seconds) {
    let (wall, cpu) = (Instant::now(), cpu_s());
    let result = work();
    let seconds = Seconds {
        wall: wall.elapsed().as_secs_f64(),
        cpu: cpu_s() - cpu,
    };
    (result, seconds)
}

/// User and system time of the process so far.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
