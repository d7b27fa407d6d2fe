//! Sizes over twelve orders of magnitude.

use proptest::prelude::*;

/// From 1e-6 to 1e6.
pub fn any_size() -> impl Strategy<Value = f64> {
    (-6.0..6.0f64).prop_map(|power| 10f64.powf(power))
}
