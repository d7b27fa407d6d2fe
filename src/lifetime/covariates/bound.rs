//! A model together with the covariates of the customers it is asked about.

use super::base::PurchaseBase;
use crate::error::DataError;
use crate::lifetime::{PurchaseDistribution, PurchaseModel, Schedule, check_places};
use crate::summary::{CovariateGroup, Histories, History, check_aligned};

/// A model with covariates, bound to the customers of a table: made by
/// [`WithCovariates::bind`](super::WithCovariates::bind).
///
/// It can be used wherever a [`PurchaseModel`] is. Asked in batch about the histories of its customers, it
/// answers each row by the model of that row's customer; about other histories it answers with an
/// error, since it would mistake one customer for another.
///
/// A single [`History`] does not say whose it is. It is taken as that of a customer drawn at random from
/// those bound: of the groups of equal covariates, each counts by its number of customers times the
/// likelihood of the history in it (Bayes' rule). This is what a tracking curve of all customers
/// ([`forecast::tracking`](crate::lifetime::forecast::tracking)) or the fit to the counts wants; it costs
/// one answer for each group. Of the [laws](crate::lifetime::laws) one does not hold, therefore: a batch
/// knows more than single questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound<M> {
    customer: Vec<u32>,
    groups: Vec<Group<M>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Group<M> {
    model: M,
    rows: Vec<u32>,
}

impl<M> Bound<M> {
    pub(super) fn new(customer: &[u32], groups: Vec<CovariateGroup>, models: Vec<M>) -> Self {
        let groups = groups.into_iter().zip(models);
        Self {
            customer: customer.to_vec(),
            groups: groups
                .map(|(group, model)| Group {
                    model,
                    rows: group.rows,
                })
                .collect(),
        }
    }

    /// The model of each group of customers with equal covariates, and the group's rows.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&M, &[u32])> {
        self.groups
            .iter()
            .map(|group| (&group.model, group.rows.as_slice()))
    }

    /// Answers for all rows, by asking each group's model about the group's histories.
    ///
    /// For whatever the traits do not cover: `answer` gives one number for each row of its part.
    ///
    /// # Errors
    /// [`DataError`] for histories of other customers than those bound; whatever error `answer` gives.
    pub fn each<E: From<DataError>>(
        &self,
        histories: &Histories,
        mut answer: impl FnMut(&M, &Histories) -> Result<Vec<f64>, E>,
    ) -> Result<Vec<f64>, E> {
        check_aligned(&self.customer, histories)?;
        let mut all = vec![0.0; histories.len()];
        for (model, rows) in self.groups() {
            let part = histories.select(rows);
            let answers = answer(model, &part)?;
            check_places(&part, &answers)?;
            put(&mut all, rows, &answers);
        }
        Ok(all)
    }
}

fn put(all: &mut [f64], rows: &[u32], answers: &[f64]) {
    for (&row, &answer) in rows.iter().zip(answers) {
        if let Some(place) = all.get_mut(row as usize) {
            *place = answer;
        }
    }
}

impl<M: PurchaseBase> Bound<M> {
    fn batch(
        &self,
        histories: &Histories,
        out: &mut [f64],
        single: impl Fn(&M, &History) -> f64,
        many: impl Fn(&M, &Histories, &mut [f64]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        check_aligned(&self.customer, histories)?;
        let mut answers = Vec::new();
        for (model, rows) in self.groups() {
            // A continuous covariate makes groups of one.
            if let &[row] = rows {
                if let Some(history) = histories.get(row as usize) {
                    put(out, rows, &[single(model, &history)]);
                }
                continue;
            }
            answers.clear();
            answers.resize(rows.len(), 0.0);
            many(model, &histories.select(rows), &mut answers)?;
            put(out, rows, &answers);
        }
        Ok(())
    }

    /// The mean of an answer over the groups, weighted by how probable each is for this history.
    fn mean(&self, history: &History, answer: impl Fn(&M) -> f64) -> f64 {
        let ln_weights: Vec<f64> = self
            .groups
            .iter()
            .map(|group| {
                let ln = group.model.ln_likelihood_of_one(history);
                (group.rows.len() as f64).ln() + ln
            })
            .collect();
        let largest = ln_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut total) = (0.0, 0.0);
        for (group, ln_weight) in self.groups.iter().zip(&ln_weights) {
            // Where no group explains the history, each counts by its customers.
            let weight = if largest == f64::NEG_INFINITY {
                group.rows.len() as f64
            } else {
                (ln_weight - largest).exp()
            };
            if weight > 0.0 {
                sum += weight * answer(&group.model);
                total += weight;
            }
        }
        if total > 0.0 { sum / total } else { 0.0 }
    }
}

impl<M: PurchaseBase> PurchaseModel for Bound<M> {
    fn probability_alive(&self, history: &History) -> f64 {
        let mean = self.mean(history, |model| model.probability_alive(history));
        mean.min(1.0)
    }

    fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
        self.mean(history, |model| model.expected_purchases(history, horizon))
    }

    fn scheduled_purchases(&self, history: &History, schedule: &Schedule) -> f64 {
        self.mean(history, |model| {
            model.scheduled_purchases(history, schedule)
        })
    }

    fn discounted_residual_purchases(&self, history: &History, rate: f64) -> f64 {
        self.mean(history, |model| {
            model.discounted_residual_purchases(history, rate)
        })
    }

    fn probability_alive_batch(
        &self,
        histories: &Histories,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.batch(
            histories,
            out,
            |model, history| model.probability_alive(history),
            |model, part, out| model.probability_alive_batch(part, out),
        )
    }

    fn expected_purchases_batch(
        &self,
        histories: &Histories,
        horizon: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.batch(
            histories,
            out,
            |model, history| model.expected_purchases(history, horizon),
            |model, part, out| model.expected_purchases_batch(part, horizon, out),
        )
    }

    fn scheduled_purchases_batch(
        &self,
        histories: &Histories,
        schedule: &Schedule,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.batch(
            histories,
            out,
            |model, history| model.scheduled_purchases(history, schedule),
            |model, part, out| model.scheduled_purchases_batch(part, schedule, out),
        )
    }
}

impl<M: PurchaseBase> PurchaseDistribution for Bound<M> {
    /// Of a customer drawn at random from those bound.
    fn purchase_probabilities(&self, t: f64, out: &mut [f64]) {
        out.fill(0.0);
        let mut of_group = vec![0.0; out.len()];
        let customers = self.customer.len() as f64;
        for (model, rows) in self.groups() {
            model.purchase_probabilities(t, &mut of_group);
            let share = rows.len() as f64 / customers;
            for (sum, probability) in out.iter_mut().zip(&of_group) {
                *sum += share * probability;
            }
        }
    }
}
