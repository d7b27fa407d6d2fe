//! Models behind a pointer: chosen when the program runs.

use std::sync::Arc;

use super::{Explainer, Explanation, Query, QueryError, Scorer, Scratch};

macro_rules! forwards {
    ($($pointer:ty),+) => {$(
        /// The model that is pointed to.
        impl<S: Scorer + ?Sized> Scorer for $pointer {
            fn items(&self) -> u32 {
                (**self).items()
            }

            fn score(
                &self,
                query: &Query<'_>,
                items: &[u32],
                scratch: &mut Scratch,
                out: &mut [f32],
            ) -> Result<(), QueryError> {
                (**self).score(query, items, scratch, out)
            }

            fn scan(
                &self,
                query: &Query<'_>,
                scratch: &mut Scratch,
                visit: &mut dyn FnMut(u32, &[f32]),
            ) -> Result<(), QueryError> {
                (**self).scan(query, scratch, visit)
            }
        }

        impl<S: Explainer + ?Sized> Explainer for $pointer {
            fn explain(&self, query: &Query<'_>, item: u32) -> Result<Explanation, QueryError> {
                (**self).explain(query, item)
            }
        }
    )+};
}

forwards!(&S, Box<S>, Arc<S>);
