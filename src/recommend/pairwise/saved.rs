//! The form in which a model is kept.

use serde::{Deserialize, Serialize};

use super::{LARGEST, Pairwise, Plan};
use crate::error::Error;
use crate::recommend::saved::{Format, Sealed, check_rows, checksum, sealed, words, wrong};

/// What is written; checked when it is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    format: Format<2, 1>,
    plan: Plan,
    /// By rows of `factors + 1`.
    customers: Vec<f32>,
    items: Vec<f32>,
    /// How often each item was taken, where items are drawn by it.
    taken: Vec<u64>,
    checksum: u64,
}

sealed!(Saved, before: sum_of_numbers);

impl From<Pairwise> for Saved {
    fn from(model: Pairwise) -> Self {
        let items = model.latent.items();
        let mut before = 0;
        let taken = model.passed.iter().map(|&passed| {
            let taken = passed - before;
            before = passed;
            taken
        });
        let saved = Self {
            format: Format::LATEST,
            plan: model.plan,
            customers: model.latent.rows().to_vec(),
            items: (0..items.rows()).flat_map(|item| items.row(item)).collect(),
            taken: taken.collect(),
            checksum: 0,
        };
        saved.sealed()
    }
}

impl TryFrom<Saved> for Pairwise {
    type Error = Error;

    fn try_from(mut saved: Saved) -> Result<Self, Error> {
        saved.plan.check()?;
        let width = saved.plan.factors + 1;
        for (field, numbers) in [("customers", &saved.customers), ("items", &saved.items)] {
            check_rows(field, numbers, width, (LARGEST, "from −1e15 to 1e15"))?;
        }
        let ones = saved.customers.chunks_exact(width).map(<[f32]>::last);
        if let Some(last) = ones.flatten().find(|&&last| last != 1.0) {
            return Err(wrong("customers", last, "1 at the end of each row").into());
        }
        let by_popularity = saved.plan.rule.by_popularity();
        let counts = saved.items.len() / width * usize::from(by_popularity);
        let mut taken = saved.taken.iter();
        let most = taken.try_fold(0_u64, |sum, &count| sum.checked_add(count));
        let drawn = most.is_some_and(|most| most <= u64::from(u32::MAX));
        if saved.taken.len() != counts || !drawn {
            let expected = "a count for each item, 2³² in all, where items are drawn by popularity";
            let found = format!("{} counts", saved.taken.len());
            return Err(wrong("taken", found, expected).into());
        }
        saved.check_seal()?;
        Ok(Self::of(
            saved.plan,
            saved.customers,
            &saved.items,
            &saved.taken,
        ))
    }
}

impl Saved {
    /// Of version 1.
    fn sum_of_numbers(&self) -> u64 {
        let sizes = [self.customers.len(), self.items.len()];
        let sizes = sizes.into_iter().map(|size| size as u64);
        let numbers = words(&self.customers).chain(words(&self.items));
        checksum(sizes.chain(numbers).chain(self.taken.iter().copied()))
    }
}
