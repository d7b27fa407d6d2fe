//! Items that are alike by what they are, not by who took them.

use serde::{Deserialize, Serialize};

use super::item_weights::{ItemWeights, Linear, finite};
use super::saved::{Format, Sealed, bits, sealed, wrong};
use super::{Explainer, Explanation, Query, QueryError, Scorer, Scratch, check_places};
use crate::error::{DataError, Error};
use crate::summary::InteractionMatrix;

/// Items like those that were taken: score(t) = Σ cos(j, t) over the items j taken, by the items' features.
///
/// Features are numbers of your choosing, as many for each item: 1 for each category, brand or word that it has, a
/// weight, an embedding. They know items that nobody has taken yet. How much of an item was taken does not count.
///
/// ```
/// use tenure::recommend::{ContentCosine, Query, Scratch, Unseen, recommend};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// log.push(0, 0, 1.0)?;
/// // Of three items, the first and the last are red, the second is green; nobody took the last two.
/// let model = ContentCosine::new(&log.matrix(), 2, vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0])?;
/// let (mut scratch, mut best) = (Scratch::new(), Vec::new());
/// recommend(&model, &Query::Customer(0), 1, &Unseen(&log.matrix()), &mut scratch, &mut best)?;
/// assert_eq!(best[0].item, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// 8 bytes a feature. A query adds up the features of the items taken, and multiplies the sum with those of each item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct ContentCosine {
    linear: Linear<Directions>,
}

impl ContentCosine {
    /// With the features of all items, item after item, `features_per_item` of each. An item whose features are
    /// all 0 is like none, not even like itself.
    ///
    /// # Errors
    /// [`DataError::Field`] for a feature that is not finite, for a number of features that is no multiple of
    /// `features_per_item`, and for fewer items than the matrix has.
    pub fn new(
        matrix: &InteractionMatrix,
        features_per_item: u32,
        features: Vec<f64>,
    ) -> Result<Self, DataError> {
        let directions = Directions::new(features_per_item, features)?;
        Self::of(matrix.clone(), directions)
    }

    /// The cosine of two items' features; `None` when one of them is unknown.
    pub fn similarity(&self, left: u32, right: u32) -> Option<f64> {
        let known = left.max(right) < self.items();
        known.then(|| self.linear.weights.weight(left, right))
    }

    fn of(seen: InteractionMatrix, weights: Directions) -> Result<Self, DataError> {
        if weights.items() < seen.columns() {
            return Err(DataError::Field {
                field: "features".to_owned(),
                value: format!("of {} items", weights.items()),
                expected: "of at least as many items as the matrix has",
            });
        }
        Ok(Self {
            linear: Linear {
                seen,
                weights,
                binary: true,
            },
        })
    }
}

impl Scorer for ContentCosine {
    fn items(&self) -> u32 {
        self.linear.weights.items()
    }

    fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        check_places(items, out)?;
        let taste = self.taste(query, scratch)?;
        for (place, &item) in out.iter_mut().zip(items) {
            Query::Item(item).check(0, self.items())?;
            *place = self.linear.weights.product(item, taste);
        }
        Ok(())
    }

    fn scan(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        let taste = self.taste(query, scratch)?;
        let mut scores = [0.0; 256];
        for first in (0..self.items()).step_by(scores.len()) {
            let mut known = 0;
            for (score, item) in scores.iter_mut().zip(first..self.items()) {
                *score = self.linear.weights.product(item, taste);
                known += 1;
            }
            visit(first, scores.get(..known).unwrap_or_default());
        }
        Ok(())
    }
}

impl ContentCosine {
    /// The sum of the directions of what was taken: its product with an item's is the item's score.
    fn taste<'a>(
        &self,
        query: &Query<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<&'a [f64], QueryError> {
        self.linear.check(query)?;
        let directions = &self.linear.weights;
        let (_, taste) = scratch.zeros_and_doubles(0, directions.per_item as usize);
        self.linear.each_taken(query, |item, by| {
            for (sum, value) in taste.iter_mut().zip(directions.of(item)) {
                *sum += f64::from(by) * value;
            }
        });
        Ok(taste)
    }
}

impl Explainer for ContentCosine {
    fn explain(&self, query: &Query<'_>, item: u32) -> Result<Explanation, QueryError> {
        self.linear.explain(query, item)
    }
}

/// The features of the items, each item's of length 1 (or all 0).
#[derive(Debug, Clone, PartialEq)]
struct Directions {
    per_item: u32,
    items: u32,
    unit: Vec<f64>,
}

impl Directions {
    fn new(per_item: u32, mut features: Vec<f64>) -> Result<Self, DataError> {
        let wrong = |value: String, expected| {
            Err(DataError::Field {
                field: "features".to_owned(),
                value,
                expected,
            })
        };
        let width = per_item as usize;
        let items = u32::try_from(features.len().checked_div(width).unwrap_or(0));
        let Some(items) = items.ok().filter(|_| features.len().is_multiple_of(width)) else {
            let found = format!("{} numbers, {per_item} for each item", features.len());
            return wrong(found, "as many for each of at most 2^32 - 1 items");
        };
        if let Some(bad) = features.iter().find(|feature| !feature.is_finite()) {
            return wrong(bad.to_string(), "finite numbers");
        }
        for item in features.chunks_exact_mut(width.max(1)) {
            // First by the largest, so that no square leaves the range.
            let largest = item
                .iter()
                .fold(0.0_f64, |most, value| most.max(value.abs()));
            if largest > 0.0 {
                item.iter_mut().for_each(|value| *value /= largest);
                let norm = item.iter().map(|value| value * value).sum::<f64>().sqrt();
                item.iter_mut().for_each(|value| *value /= norm);
            }
        }
        Ok(Self {
            per_item,
            items,
            unit: features,
        })
    }

    /// With the sum of some items' directions.
    fn product(&self, item: u32, taste: &[f64]) -> f32 {
        let products = self.of(item).iter().zip(taste).map(|(a, b)| a * b);
        finite(products.sum::<f64>() as f32)
    }

    fn of(&self, item: u32) -> &[f64] {
        let width = self.per_item as usize;
        let start = item as usize * width;
        self.unit.get(start..start + width).unwrap_or_default()
    }
}

impl ItemWeights for Directions {
    fn items(&self) -> u32 {
        self.items
    }

    fn add_row(&self, from: u32, by: f32, sums: &mut [f32]) {
        for (sum, to) in sums.iter_mut().zip(0..) {
            *sum += by * self.weight(from, to) as f32;
        }
    }

    fn weight(&self, from: u32, to: u32) -> f64 {
        let products = self.of(from).iter().zip(self.of(to));
        products.map(|(left, right)| left * right).sum()
    }
}

/// The model as it is saved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<2>,
    seen: InteractionMatrix,
    features_per_item: u32,
    #[serde(with = "bits")]
    directions: Vec<f64>,
    checksum: u64,
}

sealed!(Saved);

impl From<ContentCosine> for Saved {
    fn from(model: ContentCosine) -> Self {
        let Linear { seen, weights, .. } = model.linear;
        let saved = Self {
            format: Format::LATEST,
            seen,
            features_per_item: weights.per_item,
            directions: weights.unit,
            checksum: 0,
        };
        saved.sealed()
    }
}

impl TryFrom<Saved> for ContentCosine {
    type Error = Error;

    fn try_from(mut saved: Saved) -> Result<Self, Error> {
        // Once more to length 1, which changes nothing but last digits of a sound file: those are kept.
        let checked = Directions::new(saved.features_per_item, saved.directions.clone())?;
        let same = |(kept, checked): (&f64, &f64)| (kept - checked).abs() <= 1e-12;
        if !saved.directions.iter().zip(&checked.unit).all(same) {
            let expected = "of length 1 for each item, or all 0";
            return Err(wrong("directions", "of another length", expected).into());
        }
        saved.check_seal()?;
        let directions = Directions {
            unit: saved.directions,
            ..checked
        };
        Ok(Self::of(saved.seen, directions)?)
    }
}
