//! How many stages of the next purchase a customer has passed, given that there was no purchase.

/// The most stages to a purchase: the largest regularity k.
pub(super) const MOST_STAGES: u32 = 12;

/// R z beyond this leaves nothing for any stage but the last.
const LAST_STAGE_ONLY: f64 = 1e20;

/// The terms (R)_j / j! zʲ of j < k as shares of their sum.
pub(super) struct Stages {
    shares: [f64; MOST_STAGES as usize],
    /// ln of the sum.
    pub(super) ln_total: f64,
}

impl Stages {
    /// For R = `exponent` > 0 and 0 ≤ z = `silence` < 1.
    pub(super) fn new(k: u32, exponent: f64, silence: f64) -> Self {
        let mut shares = [0.0; MOST_STAGES as usize];
        let mut j = 0.0;
        if exponent * silence > LAST_STAGE_ONLY {
            let mut ln_total = 0.0;
            for _ in 1..k {
                ln_total += ((exponent + j) / (j + 1.0)).ln() + silence.ln();
                j += 1.0;
            }
            shares[k as usize - 1] = 1.0;
            return Self { shares, ln_total };
        }
        let (mut term, mut total) = (1.0, 0.0);
        for share in shares.iter_mut().take(k as usize) {
            *share = term;
            total += term;
            term *= (exponent + j) * silence / (j + 1.0);
            j += 1.0;
        }
        for share in &mut shares {
            *share /= total;
        }
        Self {
            shares,
            ln_total: total.ln(),
        }
    }

    /// The shares of the stages 0, 1, ….
    pub(super) fn shares(&self) -> &[f64; MOST_STAGES as usize] {
        &self.shares
    }

    /// The mean of a number that depends on the stage.
    pub(super) fn mean(&self, by_stage: &[f64; MOST_STAGES as usize]) -> f64 {
        let terms = self.shares.iter().zip(by_stage);
        terms.map(|(share, value)| share * value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_single_stage_is_certain() {
        let stages = Stages::new(1, 3.5, 0.4);
        assert_eq!((stages.shares()[0], stages.ln_total), (1.0, 0.0));
    }

    #[test]
    fn without_silence_no_stage_has_passed() {
        let stages = Stages::new(12, 1e6, 0.0);
        assert_eq!((stages.shares()[0], stages.ln_total), (1.0, 0.0));
    }

    proptest! {
        /// With all stages the sum would be (1 − z)^(−R), by the binomial series.
        #[test]
        fn many_stages_are_all(exponent in 1e-6..2.0f64, silence in 0.0..0.03f64) {
            let stages = Stages::new(12, exponent, silence);
            let all = -exponent * (-silence).ln_1p();
            prop_assert!((stages.ln_total - all).abs() < 1e-15 + 1e-13 * all, "{all}");
        }

        #[test]
        fn nothing_jumps_where_only_the_last_stage_counts(k in 2u32..=12, silence in 0.01..0.99f64) {
            let exponent = |side: f64| LAST_STAGE_ONLY / silence * (1.0 + side * 1e-12);
            let below = Stages::new(k, exponent(-1.0), silence);
            let above = Stages::new(k, exponent(1.0), silence);
            prop_assert!((below.ln_total / above.ln_total - 1.0).abs() < 1e-12);
            let difference = below.shares()[k as usize - 1] - above.shares()[k as usize - 1];
            prop_assert!(difference.abs() < 1e-12);
        }
    }
}
