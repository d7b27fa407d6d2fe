//! What can go wrong, in three kinds, each naming the value, its place and what would be right.
//!
//! * [`ConfigError`]: a setting of yours cannot be used;
//! * [`DataError`]: a fact of yours cannot be used;
//! * [`FitError`]: the numbers do not determine a model.
//!
//! [`Error`](enum@Error) holds any of the three, for code that passes them all on with `?`.

use thiserror::Error;

/// Any error of the crate.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A fact cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The numbers do not determine a model.
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting lies outside its range.
    #[error("the setting `{setting}` is {value}; it must be {expected}")]
    OutOfRange {
        /// The setting's name, as its field or argument is spelled.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// Two settings exclude each other.
    #[error("the setting `{setting}` cannot be used together with `{other}`: {reason}")]
    Conflict {
        /// The setting that cannot be used.
        setting: &'static str,
        /// The setting that it meets.
        other: &'static str,
        /// Why the two exclude each other.
        reason: &'static str,
    },
    /// A rule of a list of rules contradicts itself or the others.
    #[error("rule {position} `{name}`: the {setting} is {value}; it must be {expected}")]
    Rule {
        /// The rule's position in its list, counted from 1.
        position: usize,
        /// The rule's name.
        name: String,
        /// What of the rule cannot be used.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A time zone's name is not in the time-zone database.
    #[error("unknown time zone `{name}`; give an IANA name such as `Europe/Paris` or `UTC`")]
    UnknownZone {
        /// What was given.
        name: String,
    },
}

/// A fact that cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A value is not what its column holds.
    #[error("row {row}, column `{column}`: found `{value}`, expected {expected}")]
    Value {
        /// The row, counted from 1 (for a file: the line on which the record begins).
        row: u64,
        /// The column's name.
        column: String,
        /// What was found, shortened when it is long.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A field of a struct that you filled is not what it holds.
    #[error("the field `{field}` is {value}; it must be {expected}")]
    Field {
        /// The way to the field: `cohorts[3].customers`.
        field: String,
        /// What was found.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A table has no column of that name.
    #[error(
        "no column `{column}` (it holds the {role}); the columns are: {}",
        available.join(", ")
    )]
    MissingColumn {
        /// The name that was asked for.
        column: String,
        /// What the column is for.
        role: &'static str,
        /// The columns that there are.
        available: Vec<String>,
    },
    /// Two columns of a table bear one name, so that the name does not say which is meant.
    #[error("the column `{column}` stands {times} times in the header; it must stand once")]
    AmbiguousColumn {
        /// The name.
        column: String,
        /// How often it stands in the header.
        times: usize,
    },
    /// A row has more or fewer fields than the header.
    #[error("row {row}: {found} fields, expected {expected} as in the header")]
    Fields {
        /// The row, as in [`DataError::Value`].
        row: u64,
        /// How many fields it has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// Columns that belong together differ in length.
    #[error("column `{column}` has {found} rows, expected {expected} as in `{reference}`")]
    Length {
        /// The column that differs.
        column: &'static str,
        /// Its length.
        found: usize,
        /// The column that it is compared with.
        reference: &'static str,
        /// The length of that column.
        expected: usize,
    },
    /// As [`DataError::Length`], of a column that has its name from you.
    #[error("column `{column}` has {found} rows, expected {expected} as in the columns before it")]
    ColumnLength {
        /// The column that differs.
        column: String,
        /// Its length.
        found: usize,
        /// The length of the columns before it.
        expected: usize,
    },
    /// Something is not known of somebody who is in the data.
    #[error("no {what} of `{key}`")]
    UnknownKey {
        /// What is missing.
        what: &'static str,
        /// Whose.
        key: String,
    },
    /// There is nothing to work on.
    #[error("no {what}: {expected}")]
    Empty {
        /// What is missing.
        what: &'static str,
        /// What is needed.
        expected: &'static str,
    },
    /// More distinct keys than a dense `u32` index can number.
    #[error("more than {limit} distinct {what}; they are numbered with 32 bits")]
    TooMany {
        /// What is numbered.
        what: &'static str,
        /// The most there can be.
        limit: u64,
    },
    /// A sum of whole numbers left its range.
    #[error("the sum of {what} of customer {customer} leaves the range of 64 bits")]
    Overflow {
        /// What was added up.
        what: &'static str,
        /// The customer's dense index.
        customer: u32,
    },
    /// A table would outgrow its documented bound.
    #[error("the {what} would need {bytes} bytes, more than the bound of {limit}; {instead}")]
    TooLarge {
        /// Which table.
        what: &'static str,
        /// The bytes that it would need.
        bytes: u64,
        /// The bound.
        limit: u64,
        /// What to change.
        instead: &'static str,
    },
    /// A customer's covariate is not known in a period in which it is needed.
    #[error(
        "customer {customer}, period {period} (from {from}): no value of `{column}`; it is needed \
         from the first purchase to the end"
    )]
    Uncovered {
        /// The customer's dense index.
        customer: u32,
        /// The covariate's name.
        column: String,
        /// The period's number, counted from 0.
        period: u32,
        /// The first instant of the period.
        from: String,
    },
    /// Two summaries that were made under different settings cannot be merged.
    #[error("summaries with different `{setting}` cannot be merged: {left} and {right}")]
    Mismatch {
        /// The setting that differs.
        setting: &'static str,
        /// Its value on the left.
        left: String,
        /// Its value on the right.
        right: String,
    },
    /// A reader failed.
    #[error("reading failed after row {row}: {message}")]
    Read {
        /// The last row that was read whole.
        row: u64,
        /// What the reader said.
        message: String,
    },
}

/// The numbers do not determine a model.
///
/// A likelihood whose supremum lies on the boundary is no error: the fit then says so in its
/// status. These are the cases in which there is no model to return.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FitError {
    /// Too few observations that carry information.
    #[error("{have} {what}, but at least {need} are needed")]
    TooFew {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// A customer's numbers contradict each other.
    #[error("customer {row}: {field} is {value}; it must be {expected}")]
    History {
        /// The position in the input, counted from 0.
        row: usize,
        /// The field.
        field: &'static str,
        /// What was given.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// The data hold nothing that would tell one parameter value from another.
    #[error("{parameter} cannot be determined: {reason}")]
    NotIdentified {
        /// The parameter or the group of parameters.
        parameter: &'static str,
        /// What is missing.
        reason: &'static str,
    },
    /// The data do not tell the effect of a covariate from that of others.
    #[error("the effect of the covariate `{column}` cannot be determined: {reason}")]
    Covariate {
        /// The covariate.
        column: String,
        /// What is missing.
        reason: &'static str,
    },
    /// The optimiser could not go on and has no answer to vouch for.
    #[error("the likelihood could not be maximised: {reason} after {iterations} iterations")]
    NotConverged {
        /// What happened.
        reason: &'static str,
        /// Iterations done.
        iterations: usize,
    },
    /// The caller stopped the fit.
    #[error("the fit was stopped after {iterations} whole iterations")]
    Cancelled {
        /// Iterations done.
        iterations: usize,
    },
}
