//! The form in which a model is kept.

use serde::{Deserialize, Serialize};

use super::{Als, Weighting};
use crate::error::Error;
use crate::numeric::lanes::padded;
use crate::recommend::latent::FACTORS_MAX;
use crate::recommend::saved::{Format, Sealed, check_rows, checksum, sealed, words, wrong};

/// What is written; checked when it is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    format: Format<2, 1>,
    weighting: Weighting,
    factors: usize,
    /// By rows of `factors`.
    customers: Vec<f32>,
    items: Vec<f32>,
    checksum: u64,
}

sealed!(Saved, before: sum_of_numbers);

impl From<Als> for Saved {
    fn from(model: Als) -> Self {
        let items = model.latent.items();
        let saved = Self {
            format: Format::LATEST,
            weighting: model.weighting,
            factors: model.latent.width(),
            customers: model.latent.rows().to_vec(),
            items: (0..items.rows()).flat_map(|item| items.row(item)).collect(),
            checksum: 0,
        };
        saved.sealed()
    }
}

impl TryFrom<Saved> for Als {
    type Error = Error;

    fn try_from(mut saved: Saved) -> Result<Self, Error> {
        saved.weighting.check()?;
        if !(1..=FACTORS_MAX).contains(&saved.factors) {
            return Err(wrong("factors", saved.factors, "from 1 to 1024").into());
        }
        for (field, numbers) in [("customers", &saved.customers), ("items", &saved.items)] {
            check_rows(field, numbers, saved.factors, (f32::MAX, "finite"))?;
        }
        saved.check_seal()?;
        let width = padded(saved.factors);
        let mut items = vec![0.0; saved.items.len() / saved.factors * width];
        let rows = saved.items.chunks_exact(saved.factors);
        for (place, row) in items.chunks_exact_mut(width).zip(rows) {
            for (place, &number) in place.iter_mut().zip(row) {
                *place = number;
            }
        }
        Ok(Self::of(
            saved.weighting,
            saved.factors,
            saved.customers,
            &items,
        ))
    }
}

impl Saved {
    /// Of version 1.
    fn sum_of_numbers(&self) -> u64 {
        let sizes = [self.factors, self.customers.len(), self.items.len()];
        let sizes = sizes.into_iter().map(|size| size as u64);
        checksum(
            sizes
                .chain(words(&self.customers))
                .chain(words(&self.items)),
        )
    }
}
