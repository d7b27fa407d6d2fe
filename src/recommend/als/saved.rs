//! The form in which a model is kept.

use serde::{Deserialize, Serialize};

use super::config::FACTORS_MAX;
use super::{Als, Weighting};
use crate::error::{DataError, Error};
use crate::numeric::lanes::padded;

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
        let items = (0..model.items.rows()).flat_map(|item| model.items.row(item));
        let mut saved = Self {
            format: FORMAT,
            weighting: model.weighting,
            factors: model.factors,
            items: items.collect(),
            customers: model.customers,
            checksum: 0,
        };
        saved.checksum = saved.sum();
        saved
    }
}

impl TryFrom<Saved> for Als {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let wrong = |field: &str, value: String, expected| DataError::Field {
            field: field.to_owned(),
            value,
            expected,
        };
        if saved.format != FORMAT {
            let value = saved.format.to_string();
            return Err(wrong("format", value, "1, the only one that this version reads").into());
        }
        saved.weighting.check()?;
        if !(1..=FACTORS_MAX).contains(&saved.factors) {
            let value = saved.factors.to_string();
            return Err(wrong("factors", value, "from 1 to 1024").into());
        }
        for (field, numbers) in [("customers", &saved.customers), ("items", &saved.items)] {
            let whole = numbers.len().is_multiple_of(saved.factors);
            if !whole || numbers.len() / saved.factors > u32::MAX as usize {
                let value = format!("{} numbers", numbers.len());
                return Err(wrong(field, value, "whole rows of `factors` numbers").into());
            }
            if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
                let value = numbers.get(at).map_or_else(String::new, f32::to_string);
                return Err(wrong(&format!("{field}[{at}]"), value, "finite").into());
            }
        }
        let sum = saved.sum();
        if saved.checksum != sum {
            let value = saved.checksum.to_string();
            return Err(wrong("checksum", value, "the checksum of the numbers").into());
        }
        let rows = |numbers: &[f32]| {
            let width = padded(saved.factors);
            let mut rows = vec![0.0; numbers.len() / saved.factors * width];
            let places = rows.chunks_exact_mut(width);
            for (place, row) in places.zip(numbers.chunks_exact(saved.factors)) {
                for (place, &number) in place.iter_mut().zip(row) {
                    *place = number;
                }
            }
            rows
        };
        let (customers, items) = (rows(&saved.customers), rows(&saved.items));
        Ok(Self::assemble(
            saved.weighting,
            saved.factors,
            &customers,
            &items,
        ))
    }
}

impl Saved {
    /// FNV-1a over the sizes and the bits of the numbers: for accidents, not against forgery.
    fn sum(&self) -> u64 {
        let sizes = [self.factors, self.customers.len(), self.items.len()];
        let numbers = self.customers.iter().chain(&self.items);
        let words = sizes.into_iter().map(|size| size as u64);
        let words = words.chain(numbers.map(|number| u64::from(number.to_bits())));
        words.fold(0xcbf2_9ce4_8422_2325, |sum, word| {
            (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}
