//! Searching for settings, by a part of the training data: the test part is never seen.

use std::error::Error;
use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};
use tenure::recommend::evaluate::search::{Draw, Found, Progress, Schedule, Search, Validation};
use tenure::recommend::evaluate::{EvaluateError, HoldOut};

use super::args::Args;
use super::input::Data;
use super::models::{MODELS, Model, Range, Settings, Training};

/// Held out of the training data.
const SHARE: f64 = 0.2;
/// A model that is fitted step by step shows what it is worth after a fifth of its iterations; a third of the candidates go on.
const FIRST_SHARE: f64 = 0.2;
const KEEP_ONE_IN: u32 = 3;

/// What was found for one model.
pub struct Tuned {
    pub model: &'static Model,
    pub found: Found<Settings, Box<dyn Error>>,
}

pub fn all(data: &Data, args: &Args) -> Result<Vec<Tuned>, Box<dyn Error>> {
    let items = data.matrices.train.columns();
    let wanted = |model: &&Model| match args.models.is_empty() {
        true => !model.parameters.is_empty() && model.items_max >= items,
        false => args.models.iter().any(|one| one.name == model.name),
    };
    let mut tuned = Vec::new();
    for model in MODELS.iter().filter(wanted) {
        let found = one(data, model, args)?;
        tuned.push(Tuned { model, found });
    }
    Ok(tuned)
}

fn one(
    data: &Data,
    model: &'static Model,
    args: &Args,
) -> Result<Found<Settings, Box<dyn Error>>, Box<dyn Error>> {
    let cut = args.cuts.first().copied().unwrap_or(0);
    let hold_out = HoldOut::Pairs {
        share: SHARE,
        seed: args.seed,
    };
    let split = hold_out.split(&data.train)?;
    let log = &split.train;
    let validation = Validation::of_split(split.matrices()?, args.metric, cut);
    let defaults = Settings::of(model, &args.settings);
    let whole = model.budget.map_or(1, |name| defaults.get(name) as u32);
    let search = Search {
        candidates: args.candidates,
        seed: args.seed,
        schedule: match model.budget {
            None => Schedule::Random { budget: 1 },
            Some(_) => Schedule::Halving {
                first: ((f64::from(whole) * FIRST_SHARE) as u32).max(1),
                budget: whole.max(1),
                keep_one_in: KEEP_ONE_IN,
            },
        },
    };
    let bar = bar(model);
    let found = search.run(
        |draw| candidate(model, &defaults, args, draw),
        |settings, budget| {
            let mut settings = settings.clone();
            if let Some(name) = model.budget {
                settings.set(name, f64::from(budget));
            }
            let training = Training {
                log,
                matrix: validation.train(),
                seed: args.seed,
            };
            let fitted = (model.fit)(&training, &settings)?;
            let score: Result<f64, EvaluateError> = validation.score(fitted.scorer());
            Ok(score?)
        },
        |progress: &Progress<'_, Settings, Box<dyn Error>>| {
            bar.set_length(u64::from(progress.total));
            bar.set_position(u64::from(progress.done));
            ControlFlow::Continue(())
        },
    )?;
    bar.finish_and_clear();
    Ok(found)
}

/// Settings that were asked for stay as they are.
fn candidate(model: &Model, defaults: &Settings, args: &Args, draw: &mut Draw) -> Settings {
    let mut settings = defaults.clone();
    for parameter in model.parameters {
        let value = match parameter.range {
            Range::Linear(low, high) => draw.uniform(low, high),
            Range::Log(low, high) => draw.log_uniform(low, high),
            Range::Whole(low, high) => f64::from(draw.integer(low, high)),
            Range::Fixed => continue,
        };
        let full = format!("{}.{}", model.name, parameter.name);
        let asked = |name: &str| args.settings.iter().any(|(known, _)| known == name);
        if !asked(parameter.name) && !asked(&full) {
            settings.set(parameter.name, value);
        }
    }
    settings
}

fn bar(model: &Model) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(model.name);
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos} of {len} tried, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
