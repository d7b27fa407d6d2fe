//! Items that the fit did not know, from their buyers.

use super::Als;
use super::fold_in::{Rows, System};
use crate::numeric::lanes::padded;
use crate::numeric::reduce::sum_chunks;
use crate::recommend::{Query, QueryError, Scorer};

/// Factors for items, the customers' factors fixed: the half step of the fit, for one new or changed item at a time.
///
/// Made by [`Als::buyers`]; it holds what all items have in common.
///
/// ```
/// use tenure::recommend::{Als, AlsConfig, Query, Scorer, Scratch, Weighting};
/// use tenure::summary::InteractionSummary;
///
/// // Customers of even number take even items, the others odd ones.
/// let mut log = InteractionSummary::new();
/// for customer in 0..20 {
///     (customer % 2..12).step_by(2).try_for_each(|item| log.push(customer, item, 1.0))?;
/// }
/// let weighting = Weighting::Rendle { alpha0: 0.1, lambda: 0.01, nu: 1.0 };
/// let model = Als::fit(&log.matrix(), &AlsConfig::new(weighting, 4, 7))?.model;
///
/// // A new item is bought by customers 1 and 3; it is number 12 of the new model.
/// let model = model.with_items(&[&[(1, 1.0), (3, 1.0)]])?;
/// let mut scores = [0.0; 2];
/// model.score(&Query::Item(12), &[5, 6], &mut Scratch::new(), &mut scores)?;
/// assert!(scores[0] > 0.9 && scores[1] < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Buyers<'a> {
    model: &'a Als,
    /// XᵀX of the customers.
    gram: Vec<f64>,
}

impl Als {
    /// What is needed to find the factors of items from their buyers, without another fit.
    ///
    /// # Cost
    /// Customers · d² operations.
    pub fn buyers(&self) -> Buyers<'_> {
        let d = self.factors();
        let gram = sum_chunks(
            self.customers() as usize,
            |range| {
                let mut gram = vec![0.0; d * d];
                for customer in range {
                    let x = self.customer(customer as u32).unwrap_or_default();
                    for (row, &left) in gram.chunks_exact_mut(d).zip(x) {
                        for (sum, &right) in row.iter_mut().zip(x) {
                            *sum += f64::from(left) * f64::from(right);
                        }
                    }
                }
                gram
            },
            |mut left, right| {
                left.iter_mut()
                    .zip(right)
                    .for_each(|(left, right)| *left += right);
                left
            },
        );
        Buyers { model: self, gram }
    }

    /// The same model with more items, each given by its buyers and their weights, each customer once; the new items have the
    /// numbers from [`items`](crate::recommend::Scorer::items) on. Customers keep their factors.
    ///
    /// # Cost
    /// That of [`buyers`](Self::buyers) once, a copy of the model, and for each new item of n buyers n · d² + d³ operations.
    ///
    /// # Errors
    /// [`QueryError`] for an unknown customer, for a weight that is none, and for weights so large that there is no
    /// finite answer.
    pub fn with_items(&self, items: &[&[(u32, f32)]]) -> Result<Self, QueryError> {
        let buyers = self.buyers();
        let width = padded(self.factors());
        let known = Scorer::items(self);
        let mut rows = Vec::with_capacity((known as usize + items.len()) * width);
        let mut push = |row: &mut dyn Iterator<Item = f32>| {
            let end = rows.len() + width;
            rows.extend(row);
            rows.resize(end, 0.0);
        };
        for item in 0..known {
            push(&mut self.item(item).into_iter().flatten());
        }
        for item in items {
            push(&mut buyers.factors(item)?.into_iter());
        }
        let mut customers = Vec::with_capacity(self.customers() as usize * width);
        for customer in 0..self.customers() {
            let end = customers.len() + width;
            customers.extend_from_slice(self.customer(customer).unwrap_or_default());
            customers.resize(end, 0.0);
        }
        Ok(Self::assemble(
            self.weighting,
            self.factors(),
            &customers,
            &rows,
        ))
    }
}

impl Buyers<'_> {
    /// The factors of an item that these customers took, each once, with these weights.
    ///
    /// # Errors
    /// As [`Als::with_items`].
    pub fn factors(&self, buyers: &[(u32, f32)]) -> Result<Vec<f32>, QueryError> {
        let customers = self.model.customers();
        for &(customer, weight) in buyers {
            Query::Customer(customer).check(customers, 0)?;
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(QueryError::BuyerWeight { customer });
            }
        }
        let (mut a, mut b) = (self.gram.clone(), vec![0.0; self.model.factors()]);
        let system = System {
            weighting: self.model.weighting,
            items: self.model,
        };
        system.fold(buyers, &mut a, &mut b)?;
        Ok(b.iter().map(|&number| number as f32).collect())
    }
}

/// The customers' factors, on whose side an item is solved.
impl Rows for Als {
    fn count(&self) -> u32 {
        self.customers()
    }

    fn numbers(&self, customer: u32) -> impl Iterator<Item = f64> + Clone {
        let numbers = self.customer(customer).unwrap_or_default();
        numbers.iter().map(|&number| f64::from(number))
    }
}
