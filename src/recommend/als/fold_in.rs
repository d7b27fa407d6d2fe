//! Factors for a basket, the items' factors fixed, and where a score comes from; in `f64`.

use super::{Entry, Weighting};
use crate::error::{ConfigError, DataError, Error};
use crate::numeric::cholesky::solve_f64;
use crate::recommend::{Contribution, Explanation, Query, QueryError};

/// A weighting and items' factors of `f64`, from anywhere: one half step of ALS on its own.
///
/// [`Als`](super::Als) does the same with the factors that it has.
///
/// ```
/// use tenure::recommend::{FoldIn, Weighting};
///
/// let weighting = Weighting::Rendle { alpha0: 0.1, lambda: 0.05, nu: 1.0 };
/// // Two items, of two factors each.
/// let items = FoldIn::new(weighting, 2, vec![0.3, -0.2, 0.5, 0.1])?;
/// let basket = [(1, 1.0)];
/// let customer = items.factors(&basket)?;
/// let score = 0.3 * customer[0] - 0.2 * customer[1];
/// let because = items.explain(&basket, 0)?;
/// assert!((because.contributions[0].amount - score).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FoldIn {
    weighting: Weighting,
    items: Matrix,
    gram: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq)]
struct Matrix {
    width: usize,
    numbers: Vec<f64>,
}

impl Rows for Matrix {
    fn count(&self) -> u32 {
        (self.numbers.len() / self.width) as u32
    }

    fn numbers(&self, row: u32) -> impl Iterator<Item = f64> + Clone {
        let begin = row as usize * self.width;
        let row = self.numbers.get(begin..begin + self.width);
        row.unwrap_or_default().iter().copied()
    }
}

impl FoldIn {
    /// Items' factors by rows of `factors` numbers.
    ///
    /// # Errors
    /// [`ConfigError`] for a weighting that cannot be used or `factors` = 0; [`DataError::Field`] for numbers that are not
    /// whole rows, or not finite.
    pub fn new(weighting: Weighting, factors: usize, items: Vec<f64>) -> Result<Self, Error> {
        weighting.check()?;
        if factors == 0 {
            return Err(ConfigError::OutOfRange {
                setting: "factors",
                value: "0".to_owned(),
                expected: "at least 1",
            }
            .into());
        }
        if !items.len().is_multiple_of(factors) {
            return Err(DataError::Field {
                field: "items".to_owned(),
                value: format!("{} numbers", items.len()),
                expected: "whole rows of `factors` numbers",
            }
            .into());
        }
        if let Some(at) = items.iter().position(|number| !number.is_finite()) {
            return Err(DataError::Field {
                field: format!("items[{at}]"),
                value: items.get(at).map_or_else(String::new, f64::to_string),
                expected: "finite",
            }
            .into());
        }
        let mut gram = vec![0.0; factors * factors];
        for row in items.chunks_exact(factors) {
            for (numbers, a) in gram.chunks_exact_mut(factors).zip(row) {
                for (number, b) in numbers.iter_mut().zip(row) {
                    *number += a * b;
                }
            }
        }
        let items = Matrix {
            width: factors,
            numbers: items,
        };
        Ok(Self {
            weighting,
            items,
            gram,
        })
    }

    /// The factors of a customer who took this.
    ///
    /// # Errors
    /// [`QueryError`] for an unknown item, for a weight that is none, and for weights so large that there is no finite
    /// answer.
    pub fn factors(&self, basket: &[(u32, f32)]) -> Result<Vec<f64>, QueryError> {
        let (mut a, mut b) = (self.gram.clone(), vec![0.0; self.items.width]);
        self.system().fold(basket, &mut a, &mut b)?;
        Ok(b)
    }

    /// What each item of the basket adds to the score of `item`, in the basket's order.
    ///
    /// # Errors
    /// As [`factors`](Self::factors).
    pub fn explain(&self, basket: &[(u32, f32)], item: u32) -> Result<Explanation, QueryError> {
        let (mut a, mut b) = (self.gram.clone(), vec![0.0; self.items.width]);
        self.system().explain(basket, item, &mut a, &mut b)
    }

    fn system(&self) -> System<'_, Matrix> {
        System {
            weighting: self.weighting,
            items: &self.items,
        }
    }
}

/// Items' factors, wherever they are kept.
pub(super) trait Rows {
    fn count(&self) -> u32;

    /// A row's numbers; none for one that is not there.
    fn numbers(&self, row: u32) -> impl Iterator<Item = f64> + Clone;
}

/// The equations of a basket.
pub(super) struct System<'a, R> {
    pub(super) weighting: Weighting,
    pub(super) items: &'a R,
}

impl<R: Rows> System<'_, R> {
    /// `a` holds the items' Gram matrix, `b` zeros; `b` becomes the customer's factors.
    pub(super) fn fold(
        &self,
        basket: &[(u32, f32)],
        a: &mut [f64],
        b: &mut [f64],
    ) -> Result<(), QueryError> {
        self.build(basket, a, b)?;
        solved(a, b)
    }

    /// Hu, Koren and Volinsky 2008, section 5: item j adds y_tᵀ A⁻¹ y_j · l_j to the score of t.
    pub(super) fn explain(
        &self,
        basket: &[(u32, f32)],
        item: u32,
        a: &mut [f64],
        b: &mut [f64],
    ) -> Result<Explanation, QueryError> {
        Query::Item(item).check(0, self.items.count())?;
        self.build(basket, a, b)?;
        for (b, y) in b.iter_mut().zip(self.items.numbers(item)) {
            *b = y;
        }
        solved(a, b)?;
        let contributions = basket.iter().map(|&(item, weight)| {
            let linear = self
                .weighting
                .entry(weight)
                .map_or(0.0, |entry| entry.linear);
            let product: f64 = self.items.numbers(item).zip(&*b).map(|(y, z)| y * z).sum();
            Contribution {
                item,
                amount: linear * product,
            }
        });
        Ok(Explanation::of(contributions.collect()))
    }

    fn build(&self, basket: &[(u32, f32)], a: &mut [f64], b: &mut [f64]) -> Result<(), QueryError> {
        Query::Basket(basket).check(0, self.items.count())?;
        let entries = || {
            let entry = |&(item, weight)| Some((item, self.weighting.entry(weight)?));
            basket.iter().filter_map(entry)
        };
        for number in &mut *a {
            *number *= self.weighting.unobserved();
        }
        let lambda = self
            .weighting
            .row_regularization(entries().count(), self.items.count());
        for at in a.iter_mut().step_by(b.len() + 1) {
            *at += lambda;
        }
        for (item, entry) in entries() {
            add_entry(a, b, &entry, self.items.numbers(item));
        }
        Ok(())
    }
}

fn solved(a: &mut [f64], b: &mut [f64]) -> Result<(), QueryError> {
    if solve_f64(a, b) && b.iter().all(|number| number.is_finite()) {
        return Ok(());
    }
    Err(QueryError::NotDetermined)
}

/// Adds w y yᵀ to `a` and l y to `b`.
pub(super) fn add_entry(
    a: &mut [f64],
    b: &mut [f64],
    entry: &Entry,
    y: impl Iterator<Item = f64> + Clone,
) {
    for (row, left) in a.chunks_exact_mut(b.len().max(1)).zip(y.clone()) {
        let left = entry.quadratic * left;
        for (number, right) in row.iter_mut().zip(y.clone()) {
            *number += left * right;
        }
    }
    for (number, y) in b.iter_mut().zip(y) {
        *number += entry.linear * y;
    }
}
