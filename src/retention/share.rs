//! A share that keeps its counts.

use serde::{Deserialize, Serialize};

/// So many of so many: a rate whose counts stay exact and visible.
///
/// ```
/// use tenure::retention::Share;
///
/// let repeat = Share { part: 8, whole: 9 };
/// assert_eq!(repeat.rate(), Some(8.0 / 9.0));
/// assert_eq!(Share { part: 0, whole: 0 }.rate(), None); // of nobody there is no rate
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Share {
    /// How many of the whole.
    pub part: u64,
    /// The whole.
    pub whole: u64,
}

impl Share {
    /// `part / whole`, or `None` when the whole is 0. (The nearest `f64`; exact counts to 2⁵³.)
    pub fn rate(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }

    /// The share of the others: `whole − part` of `whole`.
    #[must_use]
    pub fn complement(self) -> Self {
        Self {
            part: self.whole.saturating_sub(self.part),
            whole: self.whole,
        }
    }
}
