//! The lists of a model against what was taken.

use std::collections::BTreeMap;
use std::ops::Range;

use thiserror::Error;

use super::beyond::{Exposure, diversity};
use super::metrics::{Gains, ListMetrics, Metric, at_cuts, auc};
use crate::error::{ConfigError, DataError};
use crate::numeric::reduce::sum_chunks;
use crate::recommend::lists::{self, TopLists};
use crate::recommend::way::Rules;
use crate::recommend::{ItemFilter, Query, QueryError, Scored, Scorer, Scratch};
use crate::summary::InteractionMatrix;

/// Customers whose lists are in memory together.
const BLOCK: u32 = 8_192;

/// How models are judged.
///
/// ```
/// use tenure::recommend::evaluate::{Evaluation, Metric};
/// use tenure::recommend::{Popularity, Unseen};
/// use tenure::summary::InteractionSummary;
///
/// let (mut train, mut test) = (InteractionSummary::new(), InteractionSummary::new());
/// for (customer, item) in [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2)] {
///     train.push(customer, item, 1.0)?;
/// }
/// test.push(0, 1, 1.0)?;
/// test.push(1, 2, 1.0)?;
/// let (train, test) = (train.matrix(), test.matrix());
///
/// let unseen = Unseen(&train);
/// let quality = Evaluation::new(&test, &unseen, &[1]).of(&Popularity::of(&train))?;
/// assert_eq!(quality.mean(1)?.hit, 1.0);
/// // The same by where the customers are from.
/// let by_town = quality.by_segment(Metric::Hit, 1, |customer| ["north", "south"][customer as usize % 2])?;
/// assert_eq!(by_town["south"], [1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Evaluation<'a> {
    /// What was taken: customers without an entry of positive weight are in no metric, but their lists count for the [`Exposure`].
    pub test: &'a InteractionMatrix,
    /// What may be shown, usually [`Unseen`](crate::recommend::Unseen) items.
    pub filter: &'a dyn ItemFilter,
    /// For customers whom the model does not know: their baskets, asked as [`Query::Basket`]. Those who have neither
    /// a basket nor something in `test` get no list. `None` asks for customers by their numbers.
    pub given: Option<&'a InteractionMatrix>,
    /// Lengths of the lists that are judged, in ascending order: 10, 20, 100.
    pub cuts: &'a [usize],
    /// Whether the area under the ROC curve is computed, too: one more look at every score.
    pub auc: bool,
    /// How alike two items are, from −1 to 1, for the [`diversity`] of lists; none is computed without.
    pub similarity: Option<&'a (dyn Fn(u32, u32) -> f64 + Sync)>,
}

/// Why there is no evaluation.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is nothing to judge by.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model has no answer for a customer of the test.
    #[error("the model has no list for the customers of the test: {0}")]
    Query(#[from] QueryError),
}

impl<'a> Evaluation<'a> {
    /// Of known customers, without areas and diversity.
    pub fn new(test: &'a InteractionMatrix, filter: &'a dyn ItemFilter, cuts: &'a [usize]) -> Self {
        Self {
            test,
            filter,
            given: None,
            cuts,
            auc: false,
            similarity: None,
        }
    }

    /// Judges a model, with the same bits at any number of threads.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for cuts that do not ascend from 1, [`DataError::Empty`] when nobody took anything,
    /// [`QueryError`] when the model does not know a customer.
    pub fn of(&self, scorer: &dyn Scorer) -> Result<Quality, EvaluateError> {
        let mut judge = Judge::new(self, scorer.items())?;
        let most = self.cuts.last().copied().unwrap_or(0);
        let customers = self.customers();
        let mut first = 0;
        while first < customers {
            let block = first..customers.min(first + BLOCK);
            let lists = match self.given {
                None => scorer.lists(block.clone(), most, self.filter)?,
                Some(_) => lists::by_query(
                    scorer,
                    block.clone(),
                    Rules::new(most, scorer.items(), self.filter, &[]),
                    |customer, basket| self.query(customer, basket),
                )?,
            };
            for (customer, list) in block.clone().zip(lists.iter()) {
                judge.list(customer, list);
            }
            if self.auc {
                judge.quality.auc.extend(self.areas(scorer, block.clone())?);
            }
            first = block.end;
        }
        judge.finish()
    }

    /// Judges lists that are there already: one for each customer of the test, from number 0 on, each as long as the
    /// longest cut while there were items. [`auc`](Self::auc) is not computed, for lists have not all scores.
    ///
    /// # Errors
    /// As [`of`](Self::of), and [`DataError::Length`] when there are not as many lists as customers.
    pub fn of_lists(&self, lists: &TopLists) -> Result<Quality, EvaluateError> {
        let (found, expected) = (lists.customers(), self.customers());
        if found != expected {
            return Err(DataError::Length {
                column: "lists",
                found: found as usize,
                reference: "test",
                expected: expected as usize,
            }
            .into());
        }
        let items = lists
            .iter()
            .flatten()
            .map(|scored| scored.item.saturating_add(1));
        let items = items.max().unwrap_or(0).max(self.test.columns());
        let mut judge = Judge::new(self, items)?;
        for (customer, list) in (0..).zip(lists.iter()) {
            judge.list(customer, list);
        }
        judge.finish()
    }

    fn customers(&self) -> u32 {
        self.test
            .rows()
            .max(self.given.map_or(0, InteractionMatrix::rows))
    }

    /// Items that a customer took, ascending.
    fn truth<'t>(&'t self, customer: u32, space: &'t mut Vec<u32>) -> &'t [u32] {
        let (items, weights) = self.test.row(customer);
        if weights.iter().all(|&weight| weight > 0.0) {
            return items;
        }
        space.clear();
        let taken = items.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        space.extend(taken.map(|(&item, _)| item));
        space
    }

    /// `None` for a customer who gets no list.
    fn query<'b>(&self, customer: u32, basket: &'b mut Vec<(u32, f32)>) -> Option<Query<'b>> {
        let Some(given) = self.given else {
            return Some(Query::Customer(customer));
        };
        let (items, weights) = given.row(customer);
        if items.is_empty() && self.test.row(customer).0.is_empty() {
            return None;
        }
        basket.clear();
        basket.extend(items.iter().copied().zip(weights.iter().copied()));
        Some(Query::Basket(basket))
    }

    /// The area of each customer of a block who took something.
    fn areas(
        &self,
        scorer: &dyn Scorer,
        customers: Range<u32>,
    ) -> Result<Vec<Option<f64>>, QueryError> {
        sum_chunks(
            customers.len(),
            |chunk| {
                let (mut scratch, mut basket, mut space) = (Scratch::new(), Vec::new(), Vec::new());
                let (mut taken, mut others) = (Vec::new(), Vec::new());
                let mut areas = Vec::new();
                for customer in chunk {
                    let customer = customers.start + customer as u32;
                    let truth = self.truth(customer, &mut space);
                    let query = self.query(customer, &mut basket);
                    let (Some(query), false) = (query, truth.is_empty()) else {
                        continue;
                    };
                    taken.clear();
                    others.clear();
                    scorer.scan(&query, &mut scratch, &mut |first, scores| {
                        for (item, &score) in (first..).zip(scores) {
                            if !self.filter.allows(&query, item) {
                                continue;
                            }
                            match truth.binary_search(&item) {
                                Ok(_) => taken.push(score),
                                Err(_) => others.push(score),
                            }
                        }
                    })?;
                    areas.push(auc(&mut taken, others.iter().copied()));
                }
                Ok(areas)
            },
            |left, right| {
                let mut areas = left?;
                areas.extend(right?);
                Ok(areas)
            },
        )
    }
}

/// What came out of an [`Evaluation`]: customer by customer, so that intervals, segments and comparisons follow from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    cuts: Vec<usize>,
    /// Who took something.
    customers: Vec<u32>,
    /// For each of them, one for each cut.
    metrics: Vec<ListMetrics>,
    auc: Vec<Option<f64>>,
    exposures: Vec<Exposure>,
    /// For each cut, sum and number of the lists that have pairs.
    diversities: Vec<(f64, u64)>,
}

impl Quality {
    /// The cuts, ascending.
    pub fn cuts(&self) -> &[usize] {
        &self.cuts
    }

    /// The customers who took something, in the order of their numbers: that of all values here.
    pub fn customers(&self) -> &[u32] {
        &self.customers
    }

    /// Means over the customers who took something.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a cut that was not asked for.
    pub fn mean(&self, cut: usize) -> Result<ListMetrics, ConfigError> {
        Ok(ListMetrics::mean(self.at(cut)?))
    }

    /// One metric of each customer.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a cut that was not asked for.
    pub fn values(&self, metric: Metric, cut: usize) -> Result<Vec<f64>, ConfigError> {
        Ok(self.at(cut)?.map(|metrics| metrics.get(metric)).collect())
    }

    /// The same, by the segment of each customer, in their order.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a cut that was not asked for.
    pub fn by_segment<L: Ord>(
        &self,
        metric: Metric,
        cut: usize,
        label: impl Fn(u32) -> L,
    ) -> Result<BTreeMap<L, Vec<f64>>, ConfigError> {
        let mut segments = BTreeMap::new();
        for (&customer, metrics) in self.customers.iter().zip(self.at(cut)?) {
            let values: &mut Vec<f64> = segments.entry(label(customer)).or_default();
            values.push(metrics.get(metric));
        }
        Ok(segments)
    }

    /// Areas under the ROC curve, over the items that the filter allows; `None` for a customer who took all of them or none.
    /// Empty when they were not asked for.
    pub fn auc(&self) -> &[Option<f64>] {
        &self.auc
    }

    /// Their mean; `None` when there are none.
    pub fn mean_auc(&self) -> Option<f64> {
        let known = || self.auc.iter().flatten();
        let count = known().count();
        (count > 0).then(|| known().sum::<f64>() / count as f64)
    }

    /// How often each item was shown.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a cut that was not asked for.
    pub fn exposure(&self, cut: usize) -> Result<&Exposure, ConfigError> {
        let at = self.place(cut)?;
        self.exposures.get(at).ok_or_else(|| unknown_cut(cut))
    }

    /// The mean [`diversity`] of the lists of at least two items; `None` when there are none, or no similarity was given.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a cut that was not asked for.
    pub fn diversity(&self, cut: usize) -> Result<Option<f64>, ConfigError> {
        let at = self.place(cut)?;
        let found = self.diversities.get(at);
        Ok(found.and_then(|&(sum, lists)| (lists > 0).then(|| sum / lists as f64)))
    }

    fn at(&self, cut: usize) -> Result<impl ExactSizeIterator<Item = &ListMetrics>, ConfigError> {
        let at = self.place(cut)?;
        let metrics = self.metrics.iter().skip(at);
        Ok(metrics.step_by(self.cuts.len().max(1)))
    }

    fn place(&self, cut: usize) -> Result<usize, ConfigError> {
        self.cuts.binary_search(&cut).map_err(|_| unknown_cut(cut))
    }
}

fn unknown_cut(cut: usize) -> ConfigError {
    ConfigError::OutOfRange {
        setting: "cut",
        value: cut.to_string(),
        expected: "one of the cuts of the evaluation",
    }
}

/// A [`Quality`] in the making.
struct Judge<'a> {
    evaluation: &'a Evaluation<'a>,
    gains: Gains,
    quality: Quality,
    truth: Vec<u32>,
}

impl<'a> Judge<'a> {
    fn new(evaluation: &'a Evaluation<'a>, items: u32) -> Result<Self, ConfigError> {
        let cuts = evaluation.cuts;
        let ascending = cuts.is_sorted_by(|left, right| left < right);
        if !ascending || cuts.first().is_none_or(|&first| first == 0) {
            return Err(ConfigError::OutOfRange {
                setting: "cuts",
                value: format!("{cuts:?}"),
                expected: "at least one, from 1 on, each larger than the one before",
            });
        }
        let items = items.max(evaluation.test.columns());
        let longest = cuts.last().copied().unwrap_or(0).min(items as usize);
        Ok(Self {
            evaluation,
            gains: Gains::new(longest),
            quality: Quality {
                cuts: cuts.to_vec(),
                customers: Vec::new(),
                metrics: Vec::new(),
                auc: Vec::new(),
                exposures: vec![Exposure::new(items); cuts.len()],
                diversities: vec![(0.0, 0); cuts.len()],
            },
            truth: Vec::new(),
        })
    }

    fn list(&mut self, customer: u32, list: &[Scored]) {
        let Quality {
            cuts,
            customers,
            metrics,
            exposures,
            diversities,
            ..
        } = &mut self.quality;
        let shown = list.iter().map(|scored| scored.item);
        for (&cut, exposure) in cuts.iter().zip(exposures) {
            exposure.add(shown.clone().take(cut));
        }
        if let Some(similarity) = self.evaluation.similarity {
            for (&cut, (sum, lists)) in cuts.iter().zip(diversities) {
                let list = list.get(..cut).unwrap_or(list);
                if let Some(found) = diversity(list.iter().map(|scored| scored.item), similarity) {
                    *sum += found;
                    *lists += 1;
                }
            }
        }
        let truth = self.evaluation.truth(customer, &mut self.truth);
        if !truth.is_empty() {
            customers.push(customer);
            at_cuts(shown, truth, cuts, &self.gains, |found| metrics.push(found));
        }
    }

    fn finish(self) -> Result<Quality, EvaluateError> {
        if self.quality.customers.is_empty() {
            return Err(DataError::Empty {
                what: "customers who took something in the test",
                expected: "a larger test part",
            }
            .into());
        }
        Ok(self.quality)
    }
}
