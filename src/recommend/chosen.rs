//! Models behind a pointer: chosen when the program runs.

use std::ops::Range;
use std::sync::Arc;

use super::{
    Cap, Explainer, Explanation, ItemFilter, Query, QueryError, Scorer, Scratch, TopLists,
};

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

            fn lists(
                &self,
                customers: Range<u32>,
                k: usize,
                filter: &dyn ItemFilter,
            ) -> Result<TopLists, QueryError> {
                (**self).lists(customers, k, filter)
            }

            fn lists_capped(
                &self,
                customers: Range<u32>,
                k: usize,
                filter: &dyn ItemFilter,
                caps: &[Cap<'_>],
            ) -> Result<TopLists, QueryError> {
                (**self).lists_capped(customers, k, filter, caps)
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
