//! Tables for the terminal, and JSON.

use std::error::Error;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Map, Value as Json, json};
use tenure::recommend::evaluate::{Interval, Metric};

use super::args::{Args, Task};
use super::input::Data;
use super::measure::{self, Figures, Judged};
use super::models::Settings;
use super::tune::Tuned;

pub fn judged(data: &Data, judged: &[Judged], args: &Args) -> Result<(), Box<dyn Error>> {
    let lead = lead(judged, args)?;
    if args.json {
        let models: Result<Vec<Json>, _> = judged.iter().map(|one| model_json(one, args)).collect();
        println!(
            "{:#}",
            json!({"data": data_json(data), "models": models?, "lead": lead.map(|lead| lead.json)})
        );
        return Ok(());
    }
    introduce(data);
    println!("{}", table_of(judged, args)?);
    println!(
        "R: recall (of all that was taken), N: NDCG, cover: share of the items in a first {}; seconds of the fit, \
         lists a second",
        args.cuts.first().copied().unwrap_or(0),
    );
    for one in judged {
        if let Err(why) = &one.outcome {
            println!("{}: {why}", one.model.name);
        }
    }
    if let Task::One(model) = args.task {
        let figures = judged.iter().filter(|one| one.model.name == model.name);
        figures
            .filter_map(|one| one.outcome.as_ref().ok())
            .try_for_each(|one| details(one, args))?;
    }
    if let Some(lead) = lead {
        println!("{}", lead.text);
    }
    Ok(())
}

pub fn tuned(data: &Data, tuned: &[Tuned], args: &Args) -> Result<(), Box<dyn Error>> {
    if args.json {
        let models = tuned.iter().map(tuned_json);
        println!(
            "{:#}",
            json!({"data": data_json(data), "models": models.collect::<Vec<_>>()})
        );
        return Ok(());
    }
    introduce(data);
    let cut = args.cuts.first().copied().unwrap_or(0);
    let mut table = table(&[
        "model",
        "trials",
        &format!("{}@{cut}", args.metric.name()),
        "settings",
    ]);
    for Tuned { model, found } in tuned {
        let best = found.best();
        let score = best.and_then(|best| best.outcome.as_ref().ok());
        table.add_row([
            model.name.to_owned(),
            found.trials.len().to_string(),
            score.map_or("–".to_owned(), |score| format!("{score:.4}")),
            best.map_or_else(String::new, |best| options(model.name, &best.candidate)),
        ]);
    }
    println!("{table}");
    println!("Judged by a fifth of the training data; the test part was not looked at.");
    Ok(())
}

/// As they are typed.
fn options(model: &str, settings: &Settings) -> String {
    let options = settings.iter().map(|(name, value)| {
        // Four digits say enough of a setting.
        let value = format!("{value:.4e}").parse().unwrap_or(value);
        format!("--set {model}.{name}={value}")
    });
    options.collect::<Vec<_>>().join(" ")
}

struct Lead {
    text: String,
    json: Json,
}

/// The best model against the next one.
fn lead(judged: &[Judged], args: &Args) -> Result<Option<Lead>, Box<dyn Error>> {
    let scored = judged
        .iter()
        .filter_map(|one| Some((one.model.name, one.outcome.as_ref().ok()?)));
    let mut ranked: Vec<(&str, &Figures)> = scored.collect();
    ranked.sort_by(|left, right| {
        right
            .1
            .interval
            .estimate
            .total_cmp(&left.1.interval.estimate)
    });
    let [(best, left), (next, right), ..] = ranked[..] else {
        return Ok(None);
    };
    let found = measure::compare(left, right, args)?;
    let metric = format!(
        "{}@{}",
        args.metric.name(),
        args.cuts.first().copied().unwrap_or(0)
    );
    let text = format!(
        "{metric}: {best} leads {next} by {}; better for {} customers, worse for {}; p = {:.4} by permutation",
        interval(&found.difference),
        found.better,
        found.worse,
        found.permutation_p,
    );
    let json = json!({"metric": metric, "best": best, "next": next, "comparison": found});
    Ok(Some(Lead { text, json }))
}

fn table_of(judged: &[Judged], args: &Args) -> Result<Table, Box<dyn Error>> {
    let mut columns = vec!["model".to_owned()];
    for cut in &args.cuts {
        columns.extend([format!("R@{cut}"), format!("N@{cut}")]);
    }
    columns.extend(["cover", "fit s", "CPU s", "lists/s", "peak MB"].map(str::to_owned));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = table(&columns);
    for one in judged {
        let Ok(figures) = &one.outcome else {
            table.add_row([one.model.name, "–"]);
            continue;
        };
        let mut row = vec![one.model.name.to_owned()];
        for &cut in &args.cuts {
            let mean = figures.quality.mean(cut)?;
            row.extend([mean.recall, mean.ndcg].map(|value| format!("{value:.4}")));
        }
        let first = args.cuts.first().copied().unwrap_or(0);
        row.push(format!(
            "{:.3}",
            figures.quality.exposure(first)?.coverage()
        ));
        row.extend([figures.fit.wall, figures.fit.cpu].map(|seconds| format!("{seconds:.2}")));
        row.push(
            figures
                .serve
                .map_or("–".to_owned(), |(customers, seconds)| {
                    format!("{:.0}", f64::from(customers) / seconds.wall)
                }),
        );
        row.push(
            figures
                .peak_memory_mb
                .map_or("–".to_owned(), |mb| mb.to_string()),
        );
        table.add_row(row);
    }
    Ok(table)
}

/// What there is besides the table's row.
fn details(figures: &Figures, args: &Args) -> Result<(), Box<dyn Error>> {
    let mut table = table(&["", "@k", "value"]);
    for (&cut, novelty) in args.cuts.iter().zip(&figures.novelty) {
        let mean = figures.quality.mean(cut)?;
        let shown = figures.quality.exposure(cut)?;
        let mut add = |name: &str, value: f64| {
            table.add_row([name.to_owned(), cut.to_string(), format!("{value:.4}")]);
        };
        Metric::ALL
            .iter()
            .for_each(|metric| add(metric.name(), mean.get(*metric)));
        add("coverage", shown.coverage());
        add("Gini index", shown.gini());
        add("novelty, bits", *novelty);
        if let Some(diversity) = figures.quality.diversity(cut)? {
            add("diversity", diversity);
        }
    }
    println!("{table}");
    if let Some(auc) = figures.quality.mean_auc() {
        println!("AUC {auc:.4}");
    }
    let name = args.metric.name();
    println!("{name} at the first k: {}", interval(&figures.interval));
    for (segment, (customers, found)) in &figures.segments {
        println!("    {segment:?} buyers ({customers}): {}", interval(found));
    }
    Ok(())
}

fn interval(interval: &Interval) -> String {
    let Interval {
        estimate,
        low,
        high,
    } = interval;
    format!("{estimate:.4} (95%: {low:.4} to {high:.4})")
}

fn introduce(data: &Data) {
    let parts = &data.matrices;
    println!(
        "{}: {} customers, {} items, {} pairs to learn from, {} held out",
        data.name,
        parts.train.rows(),
        parts.train.columns(),
        parts.train.len(),
        parts.test.len(),
    );
}

fn data_json(data: &Data) -> Json {
    let parts = &data.matrices;
    json!({
        "name": data.name,
        "customers": parts.train.rows(),
        "items": parts.train.columns(),
        "train": parts.train.len(),
        "given": parts.given.len(),
        "test": parts.test.len(),
    })
}

fn settings_json(settings: &Settings) -> Map<String, Json> {
    settings
        .iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect()
}

fn model_json(one: &Judged, args: &Args) -> Result<Json, Box<dyn Error>> {
    let head = json!({"model": one.model.name, "settings": settings_json(&one.settings)});
    let mut json = match head {
        Json::Object(map) => map,
        _ => Map::new(),
    };
    let figures = match &one.outcome {
        Ok(figures) => figures,
        Err(why) => {
            json.insert("error".to_owned(), json!(why.to_string()));
            return Ok(Json::Object(json));
        }
    };
    let mut metrics = Map::new();
    for (&cut, novelty) in args.cuts.iter().zip(&figures.novelty) {
        let shown = figures.quality.exposure(cut)?;
        let mut at = json!(figures.quality.mean(cut)?);
        at["coverage"] = json!(shown.coverage());
        at["gini"] = json!(shown.gini());
        at["entropy"] = json!(shown.entropy());
        at["novelty"] = json!(novelty);
        if let Some(diversity) = figures.quality.diversity(cut)? {
            at["diversity"] = json!(diversity);
        }
        metrics.insert(cut.to_string(), at);
    }
    let segments = figures
        .segments
        .iter()
        .map(|(segment, (customers, found))| {
            let name = format!("{segment:?}").to_lowercase();
            (name, json!({"customers": customers, "interval": found}))
        });
    let rate = |of: fn(&measure::Seconds) -> f64| {
        figures
            .serve
            .map(|(customers, seconds)| f64::from(customers) / of(&seconds))
    };
    for (name, value) in [
        ("metrics", json!(metrics)),
        ("customers", json!(figures.quality.customers().len())),
        ("auc", json!(figures.quality.mean_auc())),
        ("interval", json!(figures.interval)),
        ("segments", json!(segments.collect::<Map<_, _>>())),
        ("fit_wall_s", json!(figures.fit.wall)),
        ("fit_cpu_s", json!(figures.fit.cpu)),
        ("users_per_s", json!(rate(|seconds| seconds.wall))),
        ("users_per_cpu_s", json!(rate(|seconds| seconds.cpu))),
        ("peak_memory_mb", json!(figures.peak_memory_mb)),
    ] {
        json.insert(name.to_owned(), value);
    }
    Ok(Json::Object(json))
}

fn tuned_json(tuned: &Tuned) -> Json {
    let trials = tuned.found.trials.iter().map(|trial| {
        json!({
            "settings": settings_json(&trial.candidate),
            "budget": trial.budget,
            "score": trial.outcome.as_ref().ok(),
            "error": trial.outcome.as_ref().err().map(|error| error.to_string()),
        })
    });
    let best = tuned.found.best();
    json!({
        "model": tuned.model.name,
        "best": best.map(|best| settings_json(&best.candidate)),
        "score": best.and_then(|best| best.outcome.as_ref().ok()),
        "trials": trials.collect::<Vec<_>>(),
    })
}

fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header(columns);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
