//! The form in which a model is kept.

use serde::{Deserialize, Serialize};

use super::{Als, Weighting};
use crate::error::Error;
use crate::numeric::lanes::padded;
use crate::recommend::latent::FACTORS_MAX;
use crate::recommend::saved::{check_rows, checksum, words, wrong};

const FORMAT: u32 = 1;

/// What is written; checked when it is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    format: u32,
    weighting: Weighting,
    factors: usize,
    /// By rows of `factors`.
    customers: Vec<f32>,
    items: Vec<f32>,
    checksum: u64,
}

impl From<Als> for Saved {
    fn from(model: Als) -> Self {
        let items = model.latent.items();
        let mut saved = Self {
            format: FORMAT,
            weighting: model.weighting,
            factors: model.latent.width(),
            customers: model.latent.rows().to_vec(),
            items: (0..items.rows()).flat_map(|item| items.row(item)).collect(),
            checksum: 0,
        };
        saved.checksum = saved.sum();
        saved
    }
}

impl TryFrom<Saved> for Als {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        if saved.format != FORMAT {
            let expected = "1, the only one that this version reads";
            return Err(wrong("format", saved.format, expected).into());
        }
        saved.weighting.check()?;
        if !(1..=FACTORS_MAX).contains(&saved.factors) {
            return Err(wrong("factors", saved.factors, "from 1 to 1024").into());
        }
        for (field, numbers) in [("customers", &saved.customers), ("items", &saved.items)] {
            check_rows(field, numbers, saved.factors, (f32::MAX, "finite"))?;
        }
        if saved.checksum != saved.sum() {
            let expected = "the checksum of the numbers";
            return Err(wrong("checksum", saved.checksum, expected).into());
        }
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
    fn sum(&self) -> u64 {
        let sizes = [self.factors, self.customers.len(), self.items.len()];
        let sizes = sizes.into_iter().map(|size| size as u64);
        checksum(
            sizes
                .chain(words(&self.customers))
                .chain(words(&self.items)),
        )
    }
}
