//! A model together with the covariates of the customers it is asked about.

use super::base::PurchaseBase;
use crate::error::DataError;
use crate::lifetime::future::check_counts;
use crate::lifetime::{
    FuturePurchases, PurchaseDistribution, PurchaseModel, Schedule, check_places,
};
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
        let weighted = self.weights(history);
        weighted.fold(0.0, |sum, (weight, model)| sum + weight * answer(model))
    }

    /// How probable each group is for this history, of those that are at all.
    fn weights(&self, history: &History) -> impl Iterator<Item = (f64, &M)> {
        let ln_weights: Vec<f64> = self
            .groups
            .iter()
            .map(|group| {
                let ln = group.model.ln_likelihood_of_one(history);
                (group.rows.len() as f64).ln() + ln
            })
            .collect();
        let largest = ln_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let groups = self.groups.iter().zip(ln_weights);
        let weights: Vec<f64> = groups
            .map(|(group, ln_weight)| {
                // Where no group explains the history, each counts by its customers.
                if largest == f64::NEG_INFINITY {
                    group.rows.len() as f64
                } else {
                    (ln_weight - largest).exp()
                }
            })
            .collect();
        let total: f64 = weights.iter().sum();
        let groups = self.groups.iter().zip(weights);
        groups
            .filter(|(_, weight)| *weight > 0.0)
            .map(move |(group, weight)| (weight / total, &group.model))
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

    fn discounted_residual_purchases_batch(
        &self,
        histories: &Histories,
        rate: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.batch(
            histories,
            out,
            |model, history| model.discounted_residual_purchases(history, rate),
            |model, part, out| model.discounted_residual_purchases_batch(part, rate, out),
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

/// Single histories are taken as [`Bound`] says.
impl<M: PurchaseBase + FuturePurchases> FuturePurchases for Bound<M> {
    fn probability_alive_after(&self, history: &History, delay: f64) -> f64 {
        let mean = self.mean(history, |model| {
            model.probability_alive_after(history, delay)
        });
        mean.min(1.0)
    }

    fn future_purchase_probabilities(&self, history: &History, t: f64, out: &mut [f64]) {
        out.fill(0.0);
        let mut of_group = vec![0.0; out.len()];
        for (weight, model) in self.weights(history) {
            model.future_purchase_probabilities(history, t, &mut of_group);
            for (sum, probability) in out.iter_mut().zip(&of_group) {
                *sum += weight * probability;
            }
        }
        for place in out {
            *place = place.min(1.0);
        }
    }

    /// Each row by the model of the row's customer.
    fn count_probabilities_batch(
        &self,
        histories: &Histories,
        t: f64,
        counts: &[u32],
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        check_counts(histories, counts)?;
        check_aligned(&self.customer, histories)?;
        for (model, rows) in self.groups() {
            let places = rows.iter().filter_map(|&row| counts.get(row as usize));
            let of_group: Vec<u32> = places.copied().collect();
            let mut answers = vec![0.0; rows.len()];
            let part = histories.select(rows);
            model.count_probabilities_batch(&part, t, &of_group, &mut answers)?;
            put(out, rows, &answers);
        }
        Ok(())
    }

    fn mean_time_to_purchase(&self, history: &History) -> f64 {
        let (mut sum, mut ever) = (0.0, 0.0);
        for (weight, model) in self.weights(history) {
            let buys = weight * model.probability_of_any_purchase(history);
            if buys > 0.0 {
                sum += buys * model.mean_time_to_purchase(history);
                ever += buys;
            }
        }
        if ever == 0.0 {
            // So improbable that no number says how much: as if all groups bought alike.
            return self.mean(history, |model| model.mean_time_to_purchase(history));
        }
        sum / ever
    }

    fn probability_of_purchase(&self, history: &History, t: f64) -> f64 {
        let mean = self.mean(history, |model| model.probability_of_purchase(history, t));
        mean.min(1.0)
    }

    fn probability_of_any_purchase(&self, history: &History) -> f64 {
        let mean = self.mean(history, |model| model.probability_of_any_purchase(history));
        mean.min(1.0)
    }

    fn probability_alive_after_batch(
        &self,
        histories: &Histories,
        delay: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.batch(
            histories,
            out,
            |model, history| model.probability_alive_after(history, delay),
            |model, part, out| model.probability_alive_after_batch(part, delay, out),
        )
    }

    fn probability_of_purchase_batch(
        &self,
        histories: &Histories,
        t: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.batch(
            histories,
            out,
            |model, history| model.probability_of_purchase(history, t),
            |model, part, out| model.probability_of_purchase_batch(part, t, out),
        )
    }

    fn time_to_purchase_batch(
        &self,
        histories: &Histories,
        probability: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.batch(
            histories,
            out,
            |model, history| {
                model
                    .time_to_purchase(history, probability)
                    .unwrap_or(f64::INFINITY)
            },
            |model, part, out| model.time_to_purchase_batch(part, probability, out),
        )
    }

    fn mean_time_to_purchase_batch(
        &self,
        histories: &Histories,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        self.batch(
            histories,
            out,
            |model, history| model.mean_time_to_purchase(history),
            |model, part, out| model.mean_time_to_purchase_batch(part, out),
        )
    }
}
