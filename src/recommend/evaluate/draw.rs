//! Random numbers that stay the same between versions of the crate.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Draws the settings of a candidate.
#[derive(Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// One of many streams of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number from `low` to `high`, each as likely: for shares and exponents.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        let share = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * share
    }

    /// A number from `low` to `high`, both positive, each order of magnitude as likely: for what is multiplied or divided, as
    /// regularisation is. `low` when a bound is not positive.
    pub fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        let exponent = self.uniform(libm::log(low), libm::log(high));
        if low > 0.0 && exponent.is_finite() {
            libm::exp(exponent).clamp(low, high.max(low))
        } else {
            low
        }
    }

    /// A whole number from `low` to `high`, both included; `low` when `high` is below it.
    pub fn integer(&mut self, low: u32, high: u32) -> u32 {
        let more = u64::from(high.saturating_sub(low)) + 1;
        low + self.below(more as usize) as u32
    }

    /// One of some choices; `None` of none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len()))
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`, off the uniform by less than n / 2⁶⁴.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let product = u128::from(self.bits()) * n as u128;
        (product >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_bounds_and_reach_them() {
        let mut draw = Draw::new(3, 0);
        let mut seen = [0; 4];
        for _ in 0..4_000 {
            assert!((-1.0..2.0).contains(&draw.uniform(-1.0, 2.0)));
            assert!((1e-4..=1e3).contains(&draw.log_uniform(1e-4, 1e3)));
            seen[draw.integer(7, 10) as usize - 7] += 1;
        }
        assert!(
            seen.iter().all(|count| (850..1_150).contains(count)),
            "{seen:?}"
        );
        let below_one = (0..1_000).filter(|_| draw.log_uniform(0.01, 100.0) < 1.0);
        assert!((400..600).contains(&below_one.count()));
    }

    #[test]
    fn bounds_that_make_no_range_give_the_lower_one() {
        let mut draw = Draw::new(3, 0);
        assert_eq!(draw.log_uniform(0.0, 1.0), 0.0);
        assert_eq!(draw.log_uniform(-1.0, 1.0), -1.0);
        assert_eq!(draw.log_uniform(2.0, f64::INFINITY), 2.0);
        assert_eq!(draw.log_uniform(2.0, 1.0), 2.0);
        assert_eq!((draw.integer(5, 5), draw.integer(5, 2)), (5, 5));
        assert_eq!((draw.pick::<u8>(&[]), draw.pick(&[1])), (None, Some(&1)));
        let full = draw.integer(0, u32::MAX);
        assert_ne!(full, draw.integer(0, u32::MAX));
    }

    #[test]
    fn streams_of_a_seed_differ() {
        let bits = |seed, stream| Draw::new(seed, stream).bits();
        assert_eq!(bits(1, 2), bits(1, 2));
        assert!(bits(1, 2) != bits(1, 3) && bits(1, 2) != bits(2, 2));
    }
}
