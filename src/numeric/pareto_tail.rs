//! The tail of importance weights: its shape k̂, and weights smoothed by it.
//!
//! The largest of many importance weights follow a generalised Pareto distribution whose shape k
//! tells how many moments the weights have: below 1/2 a variance, below 1 a mean. Fitting it says
//! whether an average over the weights can be trusted, and replacing the largest weights by what the
//! fit expects of them steadies it: Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto Smoothed
//! Importance Sampling, *Journal of Machine Learning Research* 25(72), algorithm 1. The fit is that of
//! Zhang and Stephens (2009), A New and Efficient Estimation Method for the Generalized Pareto
//! Distribution, *Technometrics* 51(3), with the paper's weak prior on k (its appendix G).

/// Fewer exceedances tell nothing of a shape.
const FEWEST: usize = 5;

/// Smooths the largest of the weights, given and handed back as logarithms with a maximum of 0, and
/// estimates the shape k̂ of their tail.
///
/// The tail are the min(n/5, 3√n) largest. k̂ is infinite when there are too few to tell, and minus
/// infinity when they are all the same, which is no tail.
pub(crate) fn smooth(ln_weights: &mut [f64]) -> f64 {
    let n = ln_weights.len();
    let most = (0.2 * n as f64).min(3.0 * (n as f64).sqrt()).ceil() as usize;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&left, &right| ln_weights[left].total_cmp(&ln_weights[right]));
    let Some(&at_cutoff) = n.checked_sub(most + 1).and_then(|i| order.get(i)) else {
        return f64::INFINITY;
    };
    if n > FEWEST && ln_weights[at_cutoff] == ln_weights[order[n - 1]] {
        return f64::NEG_INFINITY;
    }
    let cutoff = libm::exp(ln_weights[at_cutoff].max(f64::MIN_POSITIVE.ln()));
    let above = order.iter().map(|&i| libm::exp(ln_weights[i]) - cutoff);
    let excesses: Vec<f64> = above.filter(|excess| *excess > 0.0).collect();
    if excesses.len() < FEWEST {
        return f64::INFINITY;
    }
    let fit = GeneralisedPareto::fit(&excesses);
    if !fit.shape.is_finite() {
        return f64::INFINITY;
    }
    let count = excesses.len() as f64;
    let mut rank = 0.5;
    for &i in &order[n - excesses.len()..] {
        ln_weights[i] = libm::log(fit.quantile(rank / count) + cutoff).min(0.0);
        rank += 1.0;
    }
    fit.shape
}

/// P(Y > y) = (1 + k y / σ)^(−1/k).
struct GeneralisedPareto {
    /// k.
    shape: f64,
    /// σ.
    scale: f64,
}

impl GeneralisedPareto {
    /// From positive numbers in ascending order.
    fn fit(ascending: &[f64]) -> Self {
        const PRIOR_WEIGHT: f64 = 10.0;
        const PRIOR_SHAPE: f64 = 0.5;
        let n = ascending.len() as f64;
        let candidates = 30 + n.sqrt() as u32;
        let quartile = ascending[((n / 4.0 + 0.5) as usize).max(1) - 1];
        let largest = ascending[ascending.len() - 1];
        // θ = −k / σ, over which the profile likelihood is averaged.
        let theta = |i: u32| {
            let spread = 1.0 - (f64::from(candidates) / (f64::from(i) + 0.5)).sqrt();
            1.0 / largest + spread / (3.0 * quartile)
        };
        let shape = |theta: f64| {
            let logs = ascending.iter().map(|y| libm::log1p(-theta * y));
            logs.sum::<f64>() / n
        };
        let profile: Vec<(f64, f64)> = (0..candidates)
            .map(|i| {
                let theta = theta(i);
                let k = shape(theta);
                (theta, n * (libm::log(-theta / k) - k - 1.0))
            })
            .collect();
        let best = profile
            .iter()
            .map(|(_, ln)| *ln)
            .fold(f64::NEG_INFINITY, f64::max);
        let (mut all, mut mean) = (0.0, 0.0);
        for (theta, ln) in profile {
            let weight = libm::exp(ln - best);
            all += weight;
            mean += weight * theta;
        }
        let theta = mean / all;
        let k = shape(theta);
        Self {
            shape: (n * k + PRIOR_WEIGHT * PRIOR_SHAPE) / (n + PRIOR_WEIGHT),
            scale: -k / theta,
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        let log = libm::log1p(-share);
        if self.shape == 0.0 {
            return -self.scale * log;
        }
        self.scale * libm::expm1(-self.shape * log) / self.shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::close;
    use proptest::prelude::*;

    /// ln(1 + quantile) of a generalised Pareto distribution at n places that fill (0, 1) evenly.
    fn ln_weights(n: u32, shape: f64) -> Vec<f64> {
        let place = |i: u32| ((f64::from(i) + 0.5) * 0.618_033_988_749_894_9).fract();
        let quantile = |i| ((1.0 - place(i)).powf(-shape) - 1.0) / shape;
        (0..n).map(|i| f64::ln_1p(quantile(i))).collect()
    }

    fn smoothed(n: u32, shape: f64) -> (f64, Vec<f64>) {
        let mut weights = ln_weights(n, shape);
        let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        weights.iter_mut().for_each(|w| *w -= largest);
        let k = smooth(&mut weights);
        (k, weights.iter().map(|w| w.exp()).collect())
    }

    /// k̂, (Σ w)² / Σ w² and the largest share by `arviz.psislw` of ArviZ 0.19 on these weights.
    #[test]
    fn shapes_and_weights_as_computed_elsewhere() {
        for (n, shape, k) in [
            (400, -0.3, -0.166_615_406_137_594_7),
            (1000, 0.2, 0.279_620_279_046_506_9),
            (8000, 0.05, 0.055_982_924_970_715_89),
        ] {
            close(smoothed(n, shape).0, k, 1e-9, 0.0);
        }
        // ArviZ smooths where k̂ is above 1/3 only.
        for (n, shape, k, effective, ln_largest) in [
            (
                1000,
                0.5,
                0.544_009_569_756_833_3,
                281.121_797_768_154_1,
                -3.397_105_404_378_04,
            ),
            (
                4000,
                0.9,
                0.837_342_174_997_402_3,
                85.080_463_786_882_86,
                -2.491_784_200_762_406,
            ),
            (
                100,
                0.7,
                0.604_588_812_535_588_6,
                27.580_642_719_629_314,
                -1.980_250_138_293_727_4,
            ),
        ] {
            let (found, weights) = smoothed(n, shape);
            let total: f64 = weights.iter().sum();
            let squares: f64 = weights.iter().map(|w| w * w).sum();
            let largest = weights.iter().copied().fold(0.0, f64::max);
            close(found, k, 1e-9, 0.0);
            close(total * total / squares, effective, 1e-9, 0.0);
            close((largest / total).ln(), ln_largest, 1e-9, 0.0);
        }
    }

    #[test]
    fn equal_weights_have_no_tail_and_few_tell_nothing() {
        let mut equal = vec![0.0; 100];
        assert_eq!(smooth(&mut equal), f64::NEG_INFINITY);
        assert_eq!(equal, [0.0; 100]);
        for n in [0, 1, 5, 20] {
            let mut few = ln_weights(n, 0.5);
            assert_eq!(smooth(&mut few), f64::INFINITY);
            assert_eq!(few, ln_weights(n, 0.5));
        }
    }

    proptest! {
        #[test]
        fn order_and_body_stay(
            weights in proptest::collection::vec(prop_oneof![-800.0..0.0f64, Just(f64::NEG_INFINITY)], 1..300),
        ) {
            let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assume!(largest.is_finite());
            let before: Vec<f64> = weights.iter().map(|w| w - largest).collect();
            let mut after = before.clone();
            prop_assert!(!smooth(&mut after).is_nan());
            let moved = before.iter().zip(&after).filter(|(b, a)| b != a).count();
            prop_assert!(moved <= (before.len() as f64 / 5.0).ceil() as usize);
            prop_assert!(after.iter().all(|w| *w <= 0.0));
            for (i, left) in before.iter().enumerate() {
                for (j, right) in before.iter().enumerate() {
                    prop_assert!(left >= right || after[i] <= after[j] + 1e-9);
                }
            }
        }
    }
}
