//! Why a query has no answer.

use thiserror::Error;

use crate::error::ConfigError;

/// A query that the model cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The model does not know the customer.
    #[error(
        "customer {customer} is unknown to the model, which knows {customers}; ask with a basket"
    )]
    UnknownCustomer {
        /// The customer that was asked about.
        customer: u32,
        /// How many the model knows: their numbers are below it.
        customers: u32,
    },
    /// The model does not know the item.
    #[error("item {item} is unknown to the model, which knows {items}")]
    UnknownItem {
        /// The item that was asked about.
        item: u32,
        /// How many the model knows: their numbers are below it.
        items: u32,
    },
    /// A weight in a basket is negative, NaN or infinite.
    #[error("the weight of item {item} in the basket must be a finite number that is not negative")]
    Weight {
        /// The item.
        item: u32,
    },
    /// The weight of a buyer of an item is negative, NaN or infinite.
    #[error("the weight of buyer {customer} must be a finite number that is not negative")]
    BuyerWeight {
        /// The customer.
        customer: u32,
    },
    /// The model has no answer for this kind of query.
    #[error("the model cannot be asked for {query}")]
    Unsupported {
        /// The kind: "a customer", "a basket", "an item".
        query: &'static str,
    },
    /// The weights of a basket are so large that the model's numbers overflow.
    #[error("the weights of the basket are too large for a finite answer")]
    NotDetermined,
    /// The output has not one place for each item.
    #[error("{places} places for the scores of {items} items")]
    Places {
        /// Places in the output.
        places: usize,
        /// Items to be scored.
        items: usize,
    },
}

/// A setting that cannot be used.
pub(super) fn out_of_range(
    setting: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> ConfigError {
    ConfigError::OutOfRange {
        setting,
        value: value.to_string(),
        expected,
    }
}
