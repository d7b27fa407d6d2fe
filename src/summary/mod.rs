//! Summaries: what must be remembered of the facts.

mod distinct;
mod history;
mod numbering;

pub use distinct::DistinctHistories;
pub use history::{Histories, History, HistoryColumns, TimeUnit};
pub(crate) use numbering::Numbering;
