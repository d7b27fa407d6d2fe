//! Which settings are best? Candidates drawn at random and judged on a part of the training data.
//!
//! You say how a candidate is drawn and how it is scored; [`Validation`] holds a part of the training data out to score by, so
//! that the test part is never seen. A search says after each trial how far it is.
//!
//! ```
//! use std::ops::ControlFlow;
//! use tenure::recommend::evaluate::search::{Schedule, Search, Validation};
//! use tenure::recommend::evaluate::{EvaluateError, HoldOut, Metric};
//! use tenure::recommend::{Als, AlsConfig, Weighting};
//! use tenure::simulate::{Retailer, RetailerConfig};
//! use tenure::summary::InteractionSummary;
//!
//! let log = Retailer::new(RetailerConfig::grocery_like(60, 7))?.interactions()?;
//! let train = InteractionSummary::collect(&log)?.matrix();
//! let hold_out = HoldOut::Pairs { share: 0.2, seed: 1 };
//! let validation = Validation::new(&train, &hold_out, Metric::Ndcg, 10)?;
//!
//! // Eight candidates get one iteration, the better four of them two, the best two all four.
//! let search = Search { candidates: 8, seed: 3, schedule: Schedule::Halving { first: 1, budget: 4, keep_one_in: 2 } };
//! let found = search.run(
//!     |draw| Weighting::Rendle {
//!         alpha0: draw.log_uniform(0.01, 1.0),
//!         lambda: draw.log_uniform(0.001, 0.1),
//!         nu: draw.uniform(0.0, 1.0),
//!     },
//!     |weighting, iterations| {
//!         let config = AlsConfig { iterations, ..AlsConfig::new(*weighting, 4, 1) };
//!         let fit = Als::fit(validation.train(), &config)?;
//!         Ok::<_, Box<dyn std::error::Error>>(validation.score(&fit.model)?)
//!     },
//!     |progress| {
//!         println!("{} of {}: {:?}", progress.done, progress.total, progress.trial.candidate);
//!         ControlFlow::Continue(())
//!     },
//! )?;
//! assert_eq!((found.trials.len(), found.best().unwrap().budget), (8 + 4 + 2, 4));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which to choose
//!
//! [`Schedule::Random`] when each trial is cheap or the order of candidates changes with the budget;
//! [`Schedule::Halving`] otherwise: it tries several times as many candidates in the same time.
//!
//! # Where it comes from
//!
//! Bergstra and Bengio (2012), *Random search for hyper-parameter optimization*; Jamieson and Talwalkar (2016), *Non-stochastic best
//! arm identification and hyperparameter optimization*.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

pub use super::draw::Draw;
use super::{EvaluateError, Evaluation, HoldOut, Metric, Split};
use crate::error::ConfigError;
use crate::recommend::{Scorer, Unseen};
use crate::summary::InteractionMatrix;

/// A search among candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// How many are drawn, at least 1. More candidates leave the first ones as they were.
    pub candidates: u32,
    /// Another seed draws others.
    pub seed: u64,
    /// What each gets.
    pub schedule: Schedule,
}

/// What each candidate of a search gets: a budget, which is for you to interpret, as iterations or as a share of the customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// All the same.
    Random {
        /// At least 1.
        budget: u32,
    },
    /// Successive halving: all get a little, the better ones of them more, and so on.
    Halving {
        /// What all get at first, at least 1.
        first: u32,
        /// What the last ones get, at least `first`.
        budget: u32,
        /// Of how many candidates one goes on, at least 2; the budget grows as fast as their number falls.
        keep_one_in: u32,
    },
}

/// One candidate, tried with one budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial<C, E> {
    /// The candidate.
    pub candidate: C,
    /// Its number, in the order in which candidates were drawn.
    pub number: u32,
    /// What it got.
    pub budget: u32,
    /// Its score, larger is better; or why it has none. A failure ends no search.
    pub outcome: Result<f64, E>,
}

impl<C, E> Trial<C, E> {
    /// The score, if it is a number.
    fn score(&self) -> Option<f64> {
        let score = self.outcome.as_ref().ok()?;
        (!score.is_nan()).then_some(*score)
    }
}

/// How far a search is.
#[derive(Debug)]
pub struct Progress<'a, C, E> {
    /// Trials that are done.
    pub done: u32,
    /// Trials in all.
    pub total: u32,
    /// The one that was done last.
    pub trial: &'a Trial<C, E>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<C, E> {
    /// All trials, in their order.
    pub trials: Vec<Trial<C, E>>,
    /// Whether all was done, or the search was stopped before.
    pub complete: bool,
}

impl<C, E> Found<C, E> {
    /// The best of the trials that had the largest budget of all that have a score; of equals the first. `None` when none has a score.
    pub fn best(&self) -> Option<&Trial<C, E>> {
        let scored = || self.trials.iter().filter(|trial| trial.score().is_some());
        let budget = scored().map(|trial| trial.budget).max()?;
        scored()
            .filter(|trial| trial.budget == budget)
            .reduce(|best, next| {
                if next.score() > best.score() {
                    next
                } else {
                    best
                }
            })
    }
}

impl Search {
    /// Searches. `draw` makes a candidate, `score` fits it with a budget and says how good it is, and `progress` is told of
    /// each trial; it can stop the search.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no candidates, or a schedule that gives nothing or does not shrink.
    pub fn run<C: Clone, E>(
        &self,
        mut draw: impl FnMut(&mut Draw) -> C,
        mut score: impl FnMut(&C, u32) -> Result<f64, E>,
        mut progress: impl FnMut(&Progress<'_, C, E>) -> ControlFlow<()>,
    ) -> Result<Found<C, E>, ConfigError> {
        let rounds = self.rounds()?;
        let total = rounds.iter().map(|round| round.candidates).sum();
        let mut candidates: Vec<(u32, C)> = (0..self.candidates)
            .map(|number| (number, draw(&mut Draw::new(self.seed, u64::from(number)))))
            .collect();
        let mut trials: Vec<Trial<C, E>> = Vec::new();
        for round in rounds {
            candidates.truncate(round.candidates as usize);
            let first = trials.len();
            for (number, candidate) in candidates.drain(..) {
                let trial = Trial {
                    outcome: score(&candidate, round.budget),
                    candidate,
                    number,
                    budget: round.budget,
                };
                trials.push(trial);
                let told = trials.last().map(|trial| {
                    progress(&Progress {
                        done: trials.len() as u32,
                        total,
                        trial,
                    })
                });
                if told.is_some_and(|told| told.is_break()) && (trials.len() as u32) < total {
                    return Ok(Found {
                        trials,
                        complete: false,
                    });
                }
            }
            let mut ranked: Vec<_> = trials.iter().skip(first).collect();
            // Best first; failures last. Of equals the one drawn first.
            let key = |trial: &Trial<C, E>| trial.score().unwrap_or(f64::NEG_INFINITY);
            ranked.sort_by(|left, right| {
                let by_score = key(right).total_cmp(&key(left));
                by_score.then(left.number.cmp(&right.number))
            });
            let ranked = ranked
                .into_iter()
                .map(|trial| (trial.number, trial.candidate.clone()));
            candidates = ranked.collect();
        }
        Ok(Found {
            trials,
            complete: true,
        })
    }

    fn rounds(&self) -> Result<Vec<Round>, ConfigError> {
        at_least("candidates", self.candidates, 1, "at least 1")?;
        let mut candidates = self.candidates;
        match self.schedule {
            Schedule::Random { budget } => {
                at_least("budget", budget, 1, "at least 1")?;
                Ok(vec![Round { candidates, budget }])
            }
            Schedule::Halving {
                first,
                budget: most,
                keep_one_in,
            } => {
                at_least("first", first, 1, "at least 1")?;
                at_least("budget", most, first, "at least `first`")?;
                at_least("keep_one_in", keep_one_in, 2, "at least 2")?;
                let mut budget = first;
                let mut rounds = Vec::new();
                while budget < most {
                    rounds.push(Round { candidates, budget });
                    candidates = candidates.div_ceil(keep_one_in);
                    budget = budget.saturating_mul(keep_one_in).min(most);
                }
                rounds.push(Round { candidates, budget });
                Ok(rounds)
            }
        }
    }
}

struct Round {
    candidates: u32,
    budget: u32,
}

fn at_least(
    setting: &'static str,
    value: u32,
    least: u32,
    expected: &'static str,
) -> Result<(), ConfigError> {
    if value >= least {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        setting,
        value: value.to_string(),
        expected,
    })
}

/// A part of the training data, held out once more to choose settings by.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    split: Split<InteractionMatrix>,
    metric: Metric,
    cut: usize,
}

impl Validation {
    /// Holds a part of the training matrix out.
    ///
    /// # Errors
    /// As [`HoldOut::split_matrix`].
    pub fn new(
        train: &InteractionMatrix,
        hold_out: &HoldOut,
        metric: Metric,
        cut: usize,
    ) -> Result<Self, ConfigError> {
        Ok(Self::of_split(hold_out.split_matrix(train)?, metric, cut))
    }

    /// Of a training log that was split already, by its times.
    pub fn of_split(split: Split<InteractionMatrix>, metric: Metric, cut: usize) -> Self {
        Self { split, metric, cut }
    }

    /// What candidates are fitted with.
    pub fn train(&self) -> &InteractionMatrix {
        &self.split.train
    }

    /// The mean metric of a model's lists of unseen items.
    ///
    /// # Errors
    /// As [`Evaluation::of`].
    pub fn score(&self, model: &dyn Scorer) -> Result<f64, EvaluateError> {
        let unseen = Unseen(&self.split.train);
        let cuts = [self.cut];
        let evaluation = Evaluation {
            given: Some(&self.split.given).filter(|given| !given.is_empty()),
            ..Evaluation::new(&self.split.test, &unseen, &cuts)
        };
        Ok(evaluation.of(model)?.mean(self.cut)?.get(self.metric))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// Candidates are numbers; the score says how near they are to 0.3, and more so with more budget.
    fn run(search: Search, mut each: impl FnMut(u32) -> ControlFlow<()>) -> Found<f64, Infallible> {
        let found = search.run(
            |draw| draw.uniform(0.0, 1.0),
            |candidate, budget| Ok(-(candidate - 0.3).abs() - 1.0 / f64::from(budget)),
            |progress| each(progress.done),
        );
        found.unwrap()
    }

    fn go_on(_: u32) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn halving_gives_more_to_fewer_and_keeps_the_best() {
        let schedule = Schedule::Halving {
            first: 2,
            budget: 15,
            keep_one_in: 3,
        };
        let search = Search {
            candidates: 20,
            seed: 1,
            schedule,
        };
        let found = run(search, go_on);
        let budgets: Vec<u32> = found.trials.iter().map(|trial| trial.budget).collect();
        let wanted = [vec![2; 20], vec![6; 7], vec![15; 3]].concat();
        assert_eq!(budgets, wanted);
        let nearest = found.trials.iter().take(20).min_by(|left, right| {
            (left.candidate - 0.3)
                .abs()
                .total_cmp(&(right.candidate - 0.3).abs())
        });
        let best = found.best().unwrap();
        assert_eq!((best.number, best.budget), (nearest.unwrap().number, 15));
        assert_eq!(run(search, go_on), found);
    }

    #[test]
    fn more_candidates_leave_the_first_as_they_were() {
        let search = |candidates| {
            let schedule = Schedule::Random { budget: 1 };
            run(
                Search {
                    candidates,
                    seed: 8,
                    schedule,
                },
                go_on,
            )
            .trials
        };
        assert_eq!(search(9)[..4], search(4));
        assert_ne!(search(2)[0].candidate, search(2)[1].candidate);
    }

    #[test]
    fn failures_are_kept_and_never_win() {
        let schedule = Schedule::Halving {
            first: 1,
            budget: 2,
            keep_one_in: 2,
        };
        let search = Search {
            candidates: 5,
            seed: 1,
            schedule,
        };
        let mut next = 0;
        let found = search.run(
            |_| {
                next += 1;
                next
            },
            |&candidate, _| match candidate {
                1 => Err("no model"),
                2 => Ok(f64::NAN),
                4 => Ok(-7.0),
                _ => Ok(-8.0),
            },
            |_| ControlFlow::Continue(()),
        );
        let found = found.unwrap();
        let second: Vec<i32> = found
            .trials
            .iter()
            .skip(5)
            .map(|trial| trial.candidate)
            .collect();
        assert_eq!(second, [4, 3, 5]);
        assert_eq!(found.best().map(|trial| trial.candidate), Some(4));
        let hopeless = search.run(
            |_| (),
            |(), _| Err::<f64, _>(()),
            |_| ControlFlow::Continue(()),
        );
        assert_eq!(hopeless.unwrap().best(), None);
    }

    #[test]
    fn a_stopped_search_has_what_was_done() {
        let schedule = Schedule::Random { budget: 1 };
        let search = Search {
            candidates: 6,
            seed: 1,
            schedule,
        };
        let stop_at = |last| {
            move |done| match done == last {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let found = run(search, stop_at(2));
        assert_eq!((found.trials.len(), found.complete), (2, false));
        assert!(run(search, stop_at(6)).complete);
    }

    #[test]
    fn a_schedule_that_gives_nothing_is_refused() {
        let halving = |first, budget, keep_one_in| Schedule::Halving {
            first,
            budget,
            keep_one_in,
        };
        for (candidates, schedule, setting) in [
            (0, Schedule::Random { budget: 1 }, "candidates"),
            (1, Schedule::Random { budget: 0 }, "budget"),
            (1, halving(0, 1, 2), "first"),
            (1, halving(3, 2, 2), "budget"),
            (1, halving(1, 2, 1), "keep_one_in"),
        ] {
            let search = Search {
                candidates,
                seed: 1,
                schedule,
            };
            let found = search.run(
                |_| (),
                |(), _| Ok::<_, ()>(0.0),
                |_| ControlFlow::Continue(()),
            );
            let error = found.unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("the setting `{setting}` is ")),
                "{error}"
            );
        }
    }
}
