//! Whole points.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of loyalty points: whole, signed where a correction or a debt may be negative.
///
/// A type of its own, so that points and minor units of money cannot be mixed up. Arithmetic is
/// checked: what leaves 64 bits is `None`, and a command that would do so is refused.
///
/// ```
/// use tenure::loyalty::Points;
///
/// assert_eq!(Points(30).checked_add(Points(12)), Some(Points(42)));
/// assert_eq!(Points(i64::MAX).checked_add(Points(1)), None);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Points(pub i64);

impl Points {
    /// No points.
    pub const ZERO: Points = Points(0);

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or `None` beyond 64 bits.
    #[must_use]
    pub fn checked_add(self, other: Points) -> Option<Points> {
        self.0.checked_add(other.0).map(Points)
    }

    /// The difference, or `None` beyond 64 bits.
    #[must_use]
    pub fn checked_sub(self, other: Points) -> Option<Points> {
        self.0.checked_sub(other.0).map(Points)
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
