//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use tenure::recommend::evaluate::Metric;

use super::models::{self, MODELS, Model};

const HELP: &str = "\
recommend: what each customer wants next

    recommend [OPTIONS]                                  on a simulated grocer
    recommend --transactions FILE [COLUMNS] [OPTIONS]    on a log, part of which is held out
    recommend --train FILE --test FILE [OPTIONS]         on a log that is split already

Files are CSV with a header, and may be compressed (.csv.gz). COLUMNS, by their names in the header:
    --user COL        the customer's key                                   [user]
    --item COL        the item's key                                       [item]
    --weight COL      how much a row counts, not negative                  [weight where there is one, else 1]
    --time COL        when it was: seconds since 1970, or 2006-12-31, or a date-time
                                                                           [ts where there is one]
OPTIONS:
    --model NAME      a model, `compare` to fit them all, `tune` to search for their settings   [compare]
    --models A,B      of `compare` and `tune`: only these, and the baselines
    --set PARAM=X     a setting of every model that has it; --set MODEL.PARAM=X of one; --PARAM X is the same
    --k 10,20,100     lengths of the lists that are judged                 [10,20,100]
    --hold-out KIND   what is held out of a log that is not split: `time` (its last rows), `last` (each
                      customer's last item), `pairs` (at random), `customers` (whole ones: their lists are
                      made from a basket of four fifths of what they took)   [time where there are times, else pairs]
    --share X         how much of it, but for `last`                       [0.2]
    --repeats         lists may show again what a customer took before, and are judged by it
    --candidates N    of `tune`: settings that are tried for each model    [16]
    --metric NAME     of `tune` and of the last line of `compare`: precision, recall, recall_truncated, hit,
                      ndcg, map, mrr, at the first k                       [ndcg]
    --all-metrics     AUC and diversity, too, which take longer
    --explain USER    the list of one customer, with the reasons           (with --model NAME)
    --seed N          of everything that is random                         [1]
    --customers N     of the simulated grocer                              [400]
    --json            one JSON object instead of tables

MODELS and their PARAMs with the defaults:
";

/// What was asked for.
pub struct Args {
    pub source: Source,
    pub columns: Columns,
    pub task: Task,
    /// Of `compare` and `tune`; all when empty.
    pub models: Vec<&'static Model>,
    pub settings: Vec<(String, f64)>,
    pub cuts: Vec<usize>,
    pub hold_out: Option<Kind>,
    pub share: f64,
    pub repeats: bool,
    pub candidates: u32,
    pub metric: Metric,
    pub explain: Option<String>,
    pub seed: u64,
    pub all_metrics: bool,
    pub json: bool,
}

pub enum Source {
    Simulated { customers: u64 },
    Transactions(PathBuf),
    Parts { train: PathBuf, test: PathBuf },
}

/// Names of columns; `None` for those that may be missing.
#[derive(Default)]
pub struct Columns {
    pub user: Option<String>,
    pub item: Option<String>,
    pub weight: Option<String>,
    pub time: Option<String>,
}

pub enum Task {
    One(&'static Model),
    Compare,
    Tune,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Time,
    Last,
    Pairs,
    Customers,
}

pub fn help() -> String {
    let mut help = HELP.to_owned();
    for model in MODELS {
        let parameters = model
            .parameters
            .iter()
            .map(|parameter| format!(" {}={}", parameter.name, parameter.default));
        let parameters: String = parameters.collect();
        help += &format!("    {:<14} {:<26}{parameters}\n", model.name, model.about);
    }
    help
}

impl Args {
    /// `None` when help was asked for.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self {
            source: Source::Simulated { customers: 400 },
            columns: Columns::default(),
            task: Task::Compare,
            models: Vec::new(),
            settings: Vec::new(),
            cuts: vec![10, 20, 100],
            hold_out: None,
            share: 0.2,
            repeats: false,
            candidates: 16,
            metric: Metric::Ndcg,
            explain: None,
            seed: 1,
            all_metrics: false,
            json: false,
        };
        let (mut transactions, mut train, mut test, mut customers) = (None, None, None, None);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => args.json = true,
                "--all-metrics" => args.all_metrics = true,
                "--repeats" => args.repeats = true,
                "--transactions" => transactions = Some(PathBuf::from(value()?)),
                "--train" => train = Some(PathBuf::from(value()?)),
                "--test" => test = Some(PathBuf::from(value()?)),
                "--user" => args.columns.user = Some(value()?),
                "--item" => args.columns.item = Some(value()?),
                "--weight" => args.columns.weight = Some(value()?),
                "--time" => args.columns.time = Some(value()?),
                "--model" => args.task = task(&value()?)?,
                "--models" => args.models = list(&value()?)?,
                "--set" => args.settings.push(setting(&value()?)?),
                "--k" => args.cuts = cuts(&value()?)?,
                "--hold-out" => args.hold_out = Some(kind(&value()?)?),
                "--share" => args.share = read(&word, &value()?)?,
                "--candidates" => args.candidates = read(&word, &value()?)?,
                "--metric" => args.metric = metric(&value()?)?,
                "--explain" => args.explain = Some(value()?),
                "--seed" => args.seed = read(&word, &value()?)?,
                "--customers" => customers = Some(read(&word, &value()?)?),
                other => match other.strip_prefix("--").map(|name| name.replace('-', "_")) {
                    Some(name) if models::knows(&name) => {
                        args.settings.push((name, read(&word, &value()?)?));
                    }
                    _ => return Err(format!("unknown option {other}")),
                },
            }
        }
        args.source = source(transactions, train, test, customers, &args)?;
        args.check()?;
        Ok(Some(args))
    }

    fn check(&self) -> Result<(), String> {
        if !(self.share > 0.0 && self.share < 1.0) {
            return Err(format!("--share {} is not above 0 and below 1", self.share));
        }
        if self.candidates == 0 {
            return Err("--candidates is at least 1".to_owned());
        }
        if self.explain.is_some() && !matches!(self.task, Task::One(_)) {
            return Err("--explain needs one model: --model NAME".to_owned());
        }
        if matches!(self.task, Task::One(_)) && !self.models.is_empty() {
            return Err("--models goes with --model compare or tune".to_owned());
        }
        Ok(())
    }
}

fn source(
    transactions: Option<PathBuf>,
    train: Option<PathBuf>,
    test: Option<PathBuf>,
    customers: Option<u64>,
    args: &Args,
) -> Result<Source, String> {
    let Columns {
        user,
        item,
        weight,
        time,
    } = &args.columns;
    let named = [user, item, weight, time].iter().any(|name| name.is_some());
    if customers.is_some() && (transactions.is_some() || train.is_some() || test.is_some()) {
        return Err("--customers sizes the simulated shop and goes with no file".to_owned());
    }
    match (transactions, train, test) {
        (Some(path), None, None) => Ok(Source::Transactions(path)),
        (None, Some(_), Some(_)) if args.hold_out.is_some() => {
            Err("--hold-out goes with a log that is not split: --transactions".to_owned())
        }
        (None, Some(train), Some(test)) => Ok(Source::Parts { train, test }),
        (None, None, None) if named => {
            Err("--user, --item, --weight and --time go with a file".to_owned())
        }
        (None, None, None) => Ok(Source::Simulated {
            customers: customers.unwrap_or(400),
        }),
        (None, ..) => Err("--train and --test go together".to_owned()),
        _ => Err("--transactions goes without --train and --test".to_owned()),
    }
}

fn task(name: &str) -> Result<Task, String> {
    match name {
        "compare" => Ok(Task::Compare),
        "tune" => Ok(Task::Tune),
        name => Ok(Task::One(model(name)?)),
    }
}

fn model(name: &str) -> Result<&'static Model, String> {
    models::find(name).ok_or_else(|| {
        let names: Vec<_> = MODELS.iter().map(|model| model.name).collect();
        format!("no model is called {name}; there are {}", names.join(", "))
    })
}

fn list(names: &str) -> Result<Vec<&'static Model>, String> {
    names.split(',').map(model).collect()
}

fn setting(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("--set {text}: PARAM=X is needed"))?;
    if !models::knows(name) {
        return Err(format!("--set {text}: no model has a setting {name}"));
    }
    Ok((name.to_owned(), read("--set", value)?))
}

fn cuts(text: &str) -> Result<Vec<usize>, String> {
    let cuts: Result<Vec<usize>, String> = text.split(',').map(|cut| read("--k", cut)).collect();
    let cuts = cuts?;
    let ascend = cuts.is_sorted_by(|left, right| left < right);
    match ascend && cuts.first().is_some_and(|&first| first > 0) {
        true => Ok(cuts),
        false => Err(format!("--k {text}: lengths ascend from 1, as 10,20,100")),
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    match name {
        "time" => Ok(Kind::Time),
        "last" => Ok(Kind::Last),
        "pairs" => Ok(Kind::Pairs),
        "customers" => Ok(Kind::Customers),
        _ => Err(format!(
            "--hold-out {name}: there are time, last, pairs and customers"
        )),
    }
}

fn metric(name: &str) -> Result<Metric, String> {
    let all = Metric::ALL;
    let found = all.into_iter().find(|metric| metric.name() == name);
    found.ok_or_else(|| {
        let names: Vec<_> = all.into_iter().map(|metric| metric.name()).collect();
        format!("no metric is called {name}; there are {}", names.join(", "))
    })
}

fn read<T: FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{option}: `{text}` is no number that it could be"))
}
