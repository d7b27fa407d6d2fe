//! The form in which a model is kept.

use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::low_pass::Factors;
use super::{GraphFilter, GraphFilterConfig};
use crate::error::Error;
use crate::recommend::saved::{Format, Sealed, sealed, wrong};
use crate::summary::InteractionMatrix;

/// What is written; checked when it is read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    format: Format<2>,
    config: GraphFilterConfig,
    seen: InteractionMatrix,
    rank: usize,
    /// By rows of `rank`, a row for each item.
    left: Vec<f32>,
    right: Vec<f32>,
    checksum: u64,
}

sealed!(Saved);

impl From<GraphFilter> for Saved {
    fn from(model: GraphFilter) -> Self {
        let right = &model.factors.right;
        let rows = (0..right.rows()).flat_map(|item| right.row(item));
        let saved = Self {
            format: Format::LATEST,
            config: model.config,
            rank: model.factors.rank,
            right: rows.collect(),
            seen: model.seen,
            left: model.factors.left,
            checksum: 0,
        };
        saved.sealed()
    }
}

impl TryFrom<Saved> for GraphFilter {
    type Error = Error;

    fn try_from(mut saved: Saved) -> Result<Self, Error> {
        saved.config.check()?;
        let most = saved.config.low_pass.map_or(0, |low_pass| low_pass.rank);
        if saved.rank > most {
            let expected = "at most the rank of the configuration";
            return Err(wrong("rank", saved.rank, expected).into());
        }
        let items = saved.seen.columns() as usize;
        for (field, numbers) in [("left", &saved.left), ("right", &saved.right)] {
            if Some(numbers.len()) != items.checked_mul(saved.rank) {
                let value = format!("{} numbers", numbers.len());
                return Err(wrong(field, value, "`rank` numbers for each item").into());
            }
            if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
                return Err(wrong(field, number, "finite numbers").into());
            }
        }
        saved.check_seal()?;
        let graph = Graph::new(&saved.seen);
        let factors = Factors::new(saved.rank, saved.left, items, &saved.right);
        Ok(Self::assemble(saved.config, saved.seen, graph, factors))
    }
}
