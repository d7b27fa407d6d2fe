//! Summaries: what must be remembered of the facts.

mod history;

pub use history::{Histories, History, HistoryColumns, TimeUnit};
