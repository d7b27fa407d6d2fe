//! Keeping count: checked, failed, not supported, without data.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// How many of the largest relative errors are shown.
const WORST_SHOWN: usize = 5;
/// Probabilities below this are as good as 0.
const ABSOLUTE_FLOOR: f64 = 1e-300;

/// The count of one golden file.
pub struct Tally {
    file: String,
    checked: usize,
    failed: Vec<String>,
    /// Numbers by (entry, quantity).
    unsupported: BTreeMap<(String, String), usize>,
    /// Those of `unsupported` that belong to a model which the crate says it has.
    claimed: Vec<String>,
    /// Numbers by (entry, data file).
    without_data: BTreeMap<(String, String), usize>,
    worst: Vec<(f64, String)>,
}

impl Tally {
    pub fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            checked: 0,
            failed: Vec::new(),
            unsupported: BTreeMap::new(),
            claimed: Vec::new(),
            without_data: BTreeMap::new(),
            worst: Vec::new(),
        }
    }

    /// Compares one number relatively. A golden `null` means "not finite": any non-finite answer will do.
    pub fn close(&mut self, entry: &str, quantity: &str, actual: f64, expected: &Value, rel: f64) {
        let scale = expected.as_f64().unwrap_or(0.0).abs();
        self.within(entry, quantity, actual, expected, rel * scale, scale);
    }

    /// Compares one number with an absolute bound; `scale` turns the error into the relative one that is shown.
    pub fn within(
        &mut self,
        entry: &str,
        quantity: &str,
        actual: f64,
        expected: &Value,
        bound: f64,
        scale: f64,
    ) {
        self.checked += 1;
        let place = format!("{entry}: {quantity}");
        let Some(expected) = expected.as_f64() else {
            if !expected.is_null() || actual.is_finite() {
                self.failed
                    .push(format!("{place}: got {actual:e}, expected {expected}"));
            }
            return;
        };
        let error = (actual - expected).abs();
        if error.is_nan() || error > bound.max(ABSOLUTE_FLOOR) {
            self.failed
                .push(format!("{place}: got {actual:e}, expected {expected:e}"));
        }
        if error > 0.0 && scale > ABSOLUTE_FLOOR {
            self.worst.push((error / scale, place));
            self.worst.sort_by(|a, b| b.0.total_cmp(&a.0));
            self.worst.truncate(WORST_SHOWN);
        }
    }

    /// Compares anything else for equality: text, whole numbers, lists of them. Counts every leaf.
    pub fn equal(
        &mut self,
        entry: &str,
        quantity: &str,
        actual: impl Into<Value>,
        expected: &Value,
    ) {
        let actual = actual.into();
        self.checked += leaves(expected);
        if !same(&actual, expected) {
            self.failed.push(format!(
                "{entry}: {quantity}: got {actual}, expected {expected}"
            ));
        }
    }

    /// Compares a list of numbers relatively, element by element.
    pub fn list(
        &mut self,
        entry: &str,
        quantity: &str,
        actual: &[f64],
        expected: &Value,
        rel: f64,
    ) {
        let expected = expected.as_array().map_or(&[][..], Vec::as_slice);
        if actual.len() != expected.len() {
            let (have, want) = (actual.len(), expected.len());
            self.checked += want;
            self.failed.push(format!(
                "{entry}: {quantity}: {have} numbers, expected {want}"
            ));
            return;
        }
        for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
            self.close(entry, &format!("{quantity}[{i}]"), *actual, expected, rel);
        }
    }

    /// Names a quantity as not supported; `claimed` when the crate says that it has the model.
    pub fn unsupported(&mut self, entry: &str, quantity: &str, value: &Value, claimed: bool) {
        let numbers = leaves(value);
        *self
            .unsupported
            .entry((entry.to_owned(), quantity.to_owned()))
            .or_default() += numbers;
        if claimed {
            self.claimed
                .push(format!("{entry}: {quantity} is not supported"));
        }
    }

    /// Names every quantity of a section as not supported.
    pub fn unsupported_tree(&mut self, entry: &str, value: &Value) {
        match value {
            Value::Object(quantities) => {
                for (quantity, value) in quantities {
                    if !ABOUT.contains(&quantity.as_str()) && leaves(value) > 0 {
                        self.unsupported(entry, quantity, value, false);
                    }
                }
            }
            other => self.unsupported(entry, "(all)", other, false),
        }
    }

    /// Counts the numbers of an entry whose data file is not here.
    pub fn without_data(&mut self, entry: &str, file: &str, value: &Value) {
        *self
            .without_data
            .entry((entry.to_owned(), file.to_owned()))
            .or_default() += leaves(value);
    }

    /// Everything that must fail the test.
    pub fn complaints(self, shipped: bool, need_data: bool) -> Vec<String> {
        let mut all: Vec<String> = self.failed;
        if shipped {
            all.extend(self.claimed);
        }
        if need_data {
            all.extend(
                self.without_data
                    .keys()
                    .map(|(entry, file)| format!("{entry}: no {file}")),
            );
        }
        all.iter()
            .map(|complaint| format!("{}: {complaint}", self.file))
            .collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unsupported: usize = self.unsupported.values().sum();
        let without_data: usize = self.without_data.values().sum();
        writeln!(
            f,
            "{}: {} checked, {} failed, {unsupported} unsupported, {without_data} without data",
            self.file,
            self.checked,
            self.failed.len(),
        )?;
        for (error, place) in &self.worst {
            writeln!(f, "    relative error {error:.1e} in {place}")?;
        }
        for ((entry, quantity), numbers) in &self.unsupported {
            writeln!(
                f,
                "    not supported: {entry}: {quantity} ({numbers} numbers)"
            )?;
        }
        for ((entry, file), numbers) in &self.without_data {
            writeln!(
                f,
                "    without data: {entry} needs {file} ({numbers} numbers)"
            )?;
        }
        Ok(())
    }
}

/// Keys that describe an entry and hold nothing to check.
pub const ABOUT: &[&str] = &["note", "formula", "tolerance", "source", "data", "columns"];

/// How many values a tree holds.
fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(leaves).sum(),
        Value::Object(entries) => entries.values().map(leaves).sum(),
        _ => 1,
    }
}

/// Equality that does not tell 3 from 3.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
