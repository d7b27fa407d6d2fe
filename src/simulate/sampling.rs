//! Random numbers that are the same on every machine.
//!
//! Only operations whose result IEEE 754 fixes to the last bit are used (+ − × ÷ √), and `libm` for
//! logarithm, exponential and power: those of `std` may be the platform's own and differ in the
//! last place.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// What a stream of a customer is for: each part has a stream of its own, so that a setting of one
/// part leaves the others as they were.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Character = 0,
    Times = 1,
    Amounts = 2,
    Taste = 3,
    Items = 4,
    Response = 5,
    Assignment = 6,
}

/// Streams per customer: the parts, and room for one more.
const PARTS: u64 = 8;

/// The most customers whose streams can be told apart, with room to spare.
pub(super) const CUSTOMERS_MAX: u64 = 1 << 48;

/// The key that a seed stands for; drawn once, since the expansion costs more than a stream.
pub(super) fn key(seed: u64) -> [u8; 32] {
    ChaCha8Rng::seed_from_u64(seed).get_seed()
}

/// The random numbers of one part of one customer.
#[derive(Debug)]
pub(super) struct Stream(ChaCha8Rng);

impl Stream {
    pub(super) fn open(key: [u8; 32], customer: u64, part: Part) -> Self {
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(customer * PARTS + part as u64);
        Self(rng)
    }

    /// Uniform over the odd multiples of 2⁻⁵³ in (0, 1): never 0, never 1.
    pub(super) fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 52) as f64;
        ((self.0.next_u64() >> 12) as f64 + 0.5) * STEP
    }

    /// Exponential with mean 1, by inversion; positive.
    pub(super) fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Standard normal, by the polar method (Marsaglia and Bray 1964).
    pub(super) fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                return x * (-2.0 * libm::log(s) / s).sqrt();
            }
        }
    }

    /// Gamma with the given shape and rate 1; 0 where the variate underflows.
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        if shape >= 1.0 {
            return self.gamma_from_one(shape);
        }
        self.gamma_from_one(shape + 1.0) * libm::exp(libm::log(self.uniform()) / shape)
    }

    /// The logarithm of a gamma variate, which does not underflow for small shapes.
    pub(super) fn ln_gamma(&mut self, shape: f64) -> f64 {
        if shape >= 1.0 {
            return libm::log(self.gamma_from_one(shape));
        }
        libm::log(self.gamma_from_one(shape + 1.0)) + libm::log(self.uniform()) / shape
    }

    /// Beta, as X / (X + Y) of two gamma variates, taken over their logarithms so that two small
    /// shapes do not give 0 / 0.
    pub(super) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let ln_x = self.ln_gamma(a);
        let ln_y = self.ln_gamma(b);
        1.0 / (1.0 + libm::exp(ln_y - ln_x))
    }

    /// How many trials up to and including the first success, by inversion; at least 1.
    pub(super) fn geometric(&mut self, success: f64) -> u64 {
        let failures = libm::log(self.uniform()) / libm::log1p(-success);
        // A cast from float to integer cuts the fraction and saturates: ∞ (no success ever) too.
        (failures as u64).saturating_add(1)
    }

    /// Gamma with shape ≥ 1 and rate 1 (Marsaglia and Tsang 2000).
    fn gamma_from_one(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let u = self.uniform();
            let squared = x * x;
            if u < 1.0 - 0.0331 * squared * squared
                || libm::log(u) < 0.5 * squared + d * (1.0 - v + libm::log(v))
            {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Beta, ContinuousCDF, Exp, Gamma, Normal, Uniform};

    fn stream(customer: u64) -> Stream {
        Stream::open(key(20_240_501), customer, Part::Character)
    }

    /// √n times the largest distance between the sample's distribution and `cdf`; above 1.95 it
    /// would happen once in a thousand seeds (Kolmogorov's distribution), and the seed is fixed.
    fn distance(mut draw: impl FnMut() -> f64, cdf: impl Fn(f64) -> f64) -> f64 {
        let n = 20_000;
        let mut sample: Vec<f64> = (0..n).map(|_| draw()).collect();
        sample.sort_by(f64::total_cmp);
        let steps = (0..n).zip(&sample).map(|(i, &x)| {
            let (below, f) = (f64::from(i) / f64::from(n), cdf(x));
            (f - below).max(below + 1.0 / f64::from(n) - f)
        });
        f64::from(n).sqrt() * steps.fold(0.0, f64::max)
    }

    #[test]
    fn samples_follow_their_distributions() {
        let mut s = stream(1);
        let uniform = Uniform::new(0.0, 1.0).unwrap();
        assert!(distance(|| s.uniform(), |x| uniform.cdf(x)) < 1.95);
        let exponential = Exp::new(1.0).unwrap();
        assert!(distance(|| s.exponential(), |x| exponential.cdf(x)) < 1.95);
        let normal = Normal::new(0.0, 1.0).unwrap();
        assert!(distance(|| s.normal(), |x| normal.cdf(x)) < 1.95);
        for shape in [0.05, 0.243, 1.0, 3.7442, 250.0] {
            let gamma = Gamma::new(shape, 1.0).unwrap();
            assert!(
                distance(|| s.gamma(shape), |x| gamma.cdf(x)) < 1.95,
                "{shape}"
            );
            let by_logarithm = distance(|| libm::exp(s.ln_gamma(shape)), |x| gamma.cdf(x));
            assert!(by_logarithm < 1.95, "{shape}");
        }
        for (a, b) in [(0.793, 2.426), (0.4, 0.2), (5.0, 1.0), (40.0, 60.0)] {
            let beta = Beta::new(a, b).unwrap();
            assert!(
                distance(|| s.beta(a, b), |x| beta.cdf(x)) < 1.95,
                "{a}, {b}"
            );
        }
    }

    #[test]
    fn the_distance_tells_a_wrong_distribution() {
        let mut s = stream(2);
        let wrong = Gamma::new(1.05, 1.0).unwrap();
        assert!(distance(|| s.gamma(1.0), |x| wrong.cdf(x)) > 1.95);
    }

    #[test]
    fn trials_up_to_a_success_are_geometric() {
        let mut s = stream(3);
        let (n, success) = (40_000, 0.3);
        let draws: Vec<u64> = (0..n).map(|_| s.geometric(success)).collect();
        let share = |k| draws.iter().filter(|&&d| d == k).count() as f64 / f64::from(n);
        assert!(draws.iter().all(|&d| d >= 1));
        for (k, expected) in [(1, 0.3), (2, 0.21), (3, 0.147)] {
            assert!((share(k) - expected).abs() < 0.008, "{k}: {}", share(k));
        }
        assert_eq!((s.geometric(1.0), s.geometric(0.0) > 1 << 60), (1, true));
    }

    #[test]
    fn extreme_shapes_give_numbers() {
        let mut s = stream(4);
        for _ in 0..1_000 {
            let (gamma, beta) = (s.gamma(1e-6), s.beta(1e-6, 1e-6));
            assert!(gamma.is_finite() && gamma >= 0.0);
            assert!((0.0..=1.0).contains(&beta));
            assert!((s.gamma(1e6) / 1e6 - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn the_streams_are_pinned_to_the_bit() {
        let mut s = stream(7);
        let drawn = [
            s.uniform(),
            s.exponential(),
            s.normal(),
            s.gamma(0.243),
            s.gamma(6.25),
            s.ln_gamma(0.01),
            s.beta(0.793, 2.426),
        ];
        let expected = [
            4606166172428667655,
            4607071706667113480,
            13827888999733739220,
            4598711337038531483,
            4611865698969433534,
            13845829829900059426,
            4598885638275446150,
        ];
        assert_eq!(drawn.map(f64::to_bits), expected);
        let other = Stream::open(key(20_240_501), 7, Part::Times).uniform();
        assert_ne!(drawn[0], other);
    }
}
