//! Named jobs, each next to what a user would use instead; see `benches/README.md`.
//!
//! `cargo bench --bench jobs -- [NAME ...] [--list] [--repeat R] [--threads N] [--data DIR]` prints one line of JSON
//! a job: `{"job", "wall_s", "cpu_s", "threads", "peak_rss_mb", "n", "check"}`. The best of R repeats by CPU time
//! counts; making the data is not timed; `check` lets anyone see that the same work was done.

#[path = "jobs/events.rs"]
mod events;
#[path = "jobs/lifetime.rs"]
mod lifetime;
#[path = "jobs/loyalty.rs"]
mod loyalty;
#[path = "jobs/loyalty_journal.rs"]
mod loyalty_journal;
#[cfg(feature = "postgres")]
#[path = "jobs/loyalty_postgres.rs"]
mod loyalty_postgres;
#[path = "jobs/loyalty_soak.rs"]
mod loyalty_soak;
#[path = "jobs/measure.rs"]
mod measure;
#[path = "jobs/raw_log.rs"]
mod raw_log;
#[cfg(feature = "postgres")]
#[path = "jobs/raw_postgres.rs"]
mod raw_postgres;
#[path = "jobs/recommend.rs"]
mod recommend;
#[cfg(feature = "approximate")]
#[path = "jobs/recommend_approximate.rs"]
mod recommend_approximate;
#[path = "jobs/recommend_items.rs"]
mod recommend_items;
#[path = "jobs/scratch.rs"]
mod scratch;
#[path = "jobs/splitmix.rs"]
mod splitmix;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use measure::Measured;

/// What a job needs to know.
pub struct Setting {
    pub repeat: u32,
    pub data: PathBuf,
}

type Job = fn(&Setting) -> Result<Measured, String>;

const JOBS: &[(&str, Job)] = &[
    ("lifetime.bg_nbd.fit", lifetime::bg_nbd_fit),
    ("lifetime.pareto_nbd.fit", lifetime::pareto_nbd_fit),
    ("lifetime.gompertz_nbd.fit", lifetime::gompertz_nbd_fit),
    (
        "lifetime.gompertz_nbd.fit:cdnow",
        lifetime::gompertz_nbd_fit_cdnow,
    ),
    (
        "lifetime.gompertz_nbd.fit:cdnow_all",
        lifetime::gompertz_nbd_fit_cdnow_all,
    ),
    ("lifetime.gamma_gamma.fit", lifetime::gamma_gamma_fit),
    ("lifetime.bg_nbd.predict", lifetime::bg_nbd_predict),
    ("lifetime.pareto_nbd.predict", lifetime::pareto_nbd_predict),
    ("lifetime.bg_nbd.value", lifetime::bg_nbd_value),
    ("lifetime.bg_nbd.growth", lifetime::bg_nbd_growth),
    ("lifetime.bg_nbd.posterior", lifetime::bg_nbd_posterior),
    ("segment.rfm", events::rfm),
    ("retention.weekly", events::weekly_retention),
    ("loyalty.memory", loyalty::memory),
    ("loyalty.memory.b1000", loyalty::memory_b1000),
    ("loyalty.journal.b1", loyalty_journal::b1),
    ("loyalty.journal.b1000", loyalty_journal::b1000),
    ("loyalty.journal.b8189", loyalty_journal::b8189),
    ("loyalty.journal.t64", loyalty_journal::t64),
    ("loyalty.journal.open", loyalty_journal::open),
    ("loyalty.soak", loyalty_soak::soak),
    #[cfg(feature = "postgres")]
    ("loyalty.postgres.b1000", loyalty_postgres::b1000),
    #[cfg(feature = "postgres")]
    ("loyalty.postgres.c16", loyalty_postgres::c16),
    ("recommend.als64.fit:ml100k", |setting| {
        recommend::als(setting, "ml100k", 64, recommend::CHOLESKY)
    }),
    ("recommend.als64_cg.fit:ml100k", |setting| {
        recommend::als(setting, "ml100k", 64, recommend::CG)
    }),
    ("recommend.als128.fit:ml100k", |setting| {
        recommend::als(setting, "ml100k", 128, recommend::CHOLESKY)
    }),
    ("recommend.als128_cg.fit:ml100k", |setting| {
        recommend::als(setting, "ml100k", 128, recommend::CG)
    }),
    ("recommend.als256.fit:ml100k", |setting| {
        recommend::als(setting, "ml100k", 256, recommend::CHOLESKY)
    }),
    ("recommend.als256_pp.fit:ml100k", |setting| {
        recommend::als(setting, "ml100k", 256, recommend::SUBSPACES)
    }),
    ("recommend.bpr64.fit:ml100k", |setting| {
        recommend::bpr(setting, "ml100k")
    }),
    ("recommend.warp64.fit:ml100k", |setting| {
        recommend::warp(setting, "ml100k")
    }),
    ("recommend.quantised:ml100k", |setting| {
        recommend::quantised(setting, "ml100k")
    }),
    ("recommend.quantised:gowalla", |setting| {
        recommend::quantised(setting, "gowalla")
    }),
    ("recommend.top10:ml100k", |setting| {
        recommend::top10(setting, "ml100k")
    }),
    ("recommend.als64.fit:gowalla", |setting| {
        recommend::als(setting, "gowalla", 64, recommend::CHOLESKY)
    }),
    ("recommend.als64_cg.fit:gowalla", |setting| {
        recommend::als(setting, "gowalla", 64, recommend::CG)
    }),
    ("recommend.als128.fit:gowalla", |setting| {
        recommend::als(setting, "gowalla", 128, recommend::CHOLESKY)
    }),
    ("recommend.als128_cg.fit:gowalla", |setting| {
        recommend::als(setting, "gowalla", 128, recommend::CG)
    }),
    ("recommend.bpr64.fit:gowalla", |setting| {
        recommend::bpr(setting, "gowalla")
    }),
    ("recommend.warp64.fit:gowalla", |setting| {
        recommend::warp(setting, "gowalla")
    }),
    ("recommend.top10:gowalla", |setting| {
        recommend::top10(setting, "gowalla")
    }),
    #[cfg(feature = "approximate")]
    ("recommend.approximate:1m", |setting| {
        recommend_approximate::search(setting, 1_000_000)
    }),
    #[cfg(feature = "approximate")]
    ("recommend.approximate:2m", |setting| {
        recommend_approximate::search(setting, 2_000_000)
    }),
    ("recommend.rp3beta.fit:ml100k", |setting| {
        recommend_items::rp3beta(setting, "ml100k")
    }),
    ("recommend.rp3beta.fit:gowalla", |setting| {
        recommend_items::rp3beta(setting, "gowalla")
    }),
    ("recommend.slim.fit:ml100k", |setting| {
        recommend_items::slim(setting, "ml100k")
    }),
    ("recommend.slim.fit:gowalla", |setting| {
        recommend_items::slim(setting, "gowalla")
    }),
    ("recommend.turbo_cf.fit:ml100k", |setting| {
        recommend_items::turbo_cf(setting, "ml100k")
    }),
    ("recommend.turbo_cf.fit:gowalla", |setting| {
        recommend_items::turbo_cf(setting, "gowalla")
    }),
    ("recommend.gfcf.fit:ml100k", |setting| {
        recommend_items::gfcf(setting, "ml100k")
    }),
    ("recommend.gfcf.fit:gowalla", |setting| {
        recommend_items::gfcf(setting, "gowalla")
    }),
    ("recommend.blurring_sharpening.fit:ml100k", |setting| {
        recommend_items::blurring_sharpening(setting, "ml100k")
    }),
    ("recommend.blurring_sharpening.fit:gowalla", |setting| {
        recommend_items::blurring_sharpening(setting, "gowalla")
    }),
    ("recommend.ease.fit:ml100k", |setting| {
        recommend_items::ease(setting, "ml100k")
    }),
    ("recommend.bm25.fit:ml100k", |setting| {
        recommend_items::bm25(setting, "ml100k")
    }),
    ("recommend.bm25.fit:gowalla", |setting| {
        recommend_items::bm25(setting, "gowalla")
    }),
];

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let mut names = Vec::new();
    let mut setting = Setting {
        repeat: 3,
        data: PathBuf::from("."),
    };
    let mut threads = 1;
    while let Some(arg) = args.next() {
        let mut value = |what: &str| args.next().ok_or(format!("{arg} needs {what}"));
        match arg.as_str() {
            "--bench" => {} // cargo says so to every bench
            "--list" => {
                JOBS.iter().for_each(|(name, _)| println!("{name}"));
                return Ok(());
            }
            "--repeat" => setting.repeat = number(&value("a count")?)?.max(1),
            "--threads" => threads = number(&value("a count")?)?.max(1),
            "--data" => setting.data = value("a folder")?.into(),
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            name => names.push(name.to_owned()),
        }
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| JOBS.iter().all(|(job, _)| job != name))
    {
        return Err(format!("unknown job {unknown}; --list names them"));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads as usize)
        .build_global()
        .map_err(|e| e.to_string())?;
    for (name, job) in JOBS {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            let Measured {
                wall_s,
                cpu_s,
                peak_rss_mb,
                n,
                check,
            } = job(&setting)?;
            let line = json!({
                "job": name, "wall_s": wall_s, "cpu_s": cpu_s, "threads": threads,
                "peak_rss_mb": peak_rss_mb, "n": n, "check": check,
            });
            println!("{line}");
        }
    }
    Ok(())
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|e| format!("{text}: {e}"))
}
