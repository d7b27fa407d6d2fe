//! Stretches of periods that are compared with each other.

use std::ops::Range;

use crate::error::ConfigError;

/// The earlier and the later stretch must hold a period each and must not overlap.
pub(super) fn check_pair(before: &Range<i64>, after: &Range<i64>) -> Result<(), ConfigError> {
    let bad = |setting, range: &Range<i64>, expected| {
        let value = format!("{range:?}");
        Err(ConfigError::OutOfRange {
            setting,
            value,
            expected,
        })
    };
    if before.is_empty() {
        return bad(
            "before",
            before,
            "a range of at least one period, the end excluded",
        );
    }
    if after.is_empty() {
        return bad(
            "after",
            after,
            "a range of at least one period, the end excluded",
        );
    }
    if after.start < before.end {
        return bad(
            "after",
            after,
            "a range that begins at or after the end of `before`",
        );
    }
    Ok(())
}

/// An observation cut into windows of equal length, one after the other.
pub(super) struct Windows {
    observed: Range<i64>,
    length: i64,
    count: usize,
}

/// As many windows as the days of 20,000 years.
const WINDOWS_MAX: u64 = 1 << 23;

impl Windows {
    /// What is left at the end and fills no window is left out.
    pub(super) fn new(observed: Range<i64>, length: u32) -> Result<Self, ConfigError> {
        let bad = |setting, value: String, expected| {
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        if length == 0 {
            return bad("length", length.to_string(), "at least 1 period");
        }
        let periods = observed.end.abs_diff(observed.start);
        let count = periods / u64::from(length);
        if observed.is_empty() || count > WINDOWS_MAX {
            let expected = "a range of 1 to 2^23 windows, the end excluded";
            return bad("observed", format!("{observed:?}"), expected);
        }
        Ok(Self {
            observed,
            length: length.into(),
            count: count as usize,
        })
    }

    /// How many pairs of neighbours there are.
    pub(super) fn pairs(&self) -> usize {
        self.count.saturating_sub(1)
    }

    /// The window that holds a period.
    pub(super) fn of(&self, period: i64) -> Option<usize> {
        if !self.observed.contains(&period) {
            return None;
        }
        let window = period.abs_diff(self.observed.start) / self.length.unsigned_abs();
        usize::try_from(window)
            .ok()
            .filter(|&window| window < self.count)
    }
}
