//! Whether Markov chains agree, and how many independent draws theirs are worth.
//!
//! Gelman, Carlin, Stern, Dunson, Vehtari and Rubin, *Bayesian Data Analysis*, third edition, sections
//! 11.4 and 11.5, and Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-Normalization, Folding,
//! and Localization: An Improved R̂, *Bayesian Analysis* 16(2): split chains, without the ranks.

/// Fewer draws of a chain tell nothing.
const SHORTEST: usize = 8;

/// Split-R̂: how much wider all chains together are than each half chain; 1 when they agree. Infinite for
/// chains of fewer than 8 draws or without any spread.
///
/// The chains are of equal length.
pub(crate) fn split_r_hat(chains: &[Vec<f64>]) -> f64 {
    let Some(Halves {
        n, within, between, ..
    }) = Halves::new(chains)
    else {
        return f64::INFINITY;
    };
    ((n - 1.0) / n + between / within).sqrt()
}

/// The effective sample size for the mean: how many independent draws would tell it as well. 0 where
/// [`split_r_hat`] is infinite.
pub(crate) fn effective_sample_size(chains: &[Vec<f64>]) -> f64 {
    let Some(halves) = Halves::new(chains) else {
        return 0.0;
    };
    let total = halves.n * halves.chains.len() as f64;
    let spread = halves.within * (halves.n - 1.0) / halves.n + halves.between;
    let correlation = |lag: usize| 1.0 - (halves.within - halves.covariance(lag)) / spread;
    // Sums of neighbours are positive and fall for a reversible chain (Geyer 1992): what does not is
    // noise.
    let length = halves.n as usize;
    let (mut even, mut odd) = (1.0, correlation(1));
    let mut before = even + odd;
    let mut sum = 0.0;
    let mut lag = 1;
    loop {
        let pair = (even + odd).min(before);
        if pair <= 0.0 || lag + 3 >= length {
            // The last even lag on its own still helps, when it is positive.
            sum += even.max(0.0);
            break;
        }
        sum += 2.0 * pair;
        before = pair;
        (even, odd) = (correlation(lag + 1), correlation(lag + 2));
        lag += 2;
    }
    // As in Stan: never more than n log10 n.
    total / (sum - 1.0).max(1.0 / total.log10())
}

/// Chains cut in the middle.
struct Halves<'a> {
    chains: Vec<&'a [f64]>,
    means: Vec<f64>,
    /// Draws of each.
    n: f64,
    /// The mean variance within.
    within: f64,
    /// The variance of the means.
    between: f64,
}

impl<'a> Halves<'a> {
    fn new(chains: &'a [Vec<f64>]) -> Option<Self> {
        let length = chains.first()?.len() / 2;
        if 2 * length < SHORTEST {
            return None;
        }
        let halves = chains.iter().flat_map(|chain| {
            let end = chain.len();
            [chain.get(..length), chain.get(end - length.min(end)..)]
        });
        let chains: Vec<&[f64]> = halves.flatten().collect();
        let n = length as f64;
        let means: Vec<f64> = chains.iter().map(|c| c.iter().sum::<f64>() / n).collect();
        let count = chains.len() as f64;
        let mean = means.iter().sum::<f64>() / count;
        let between = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let mut halves = Self {
            chains,
            means,
            n,
            within: 0.0,
            between,
        };
        halves.within = halves.covariance(0) * n / (n - 1.0);
        (halves.within > 0.0 && halves.within.is_finite()).then_some(halves)
    }

    /// The mean autocovariance at a lag, each sum divided by n.
    fn covariance(&self, lag: usize) -> f64 {
        let of_chain = |(chain, mean): (&&[f64], &f64)| {
            let pairs = chain.iter().zip(chain.iter().skip(lag));
            pairs.map(|(l, r)| (l - mean) * (r - mean)).sum::<f64>() / self.n
        };
        let sums = self.chains.iter().zip(&self.means).map(of_chain);
        sums.sum::<f64>() / self.chains.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::close;

    /// An autoregression on evenly filled numbers; each chain is shifted from the one before.
    fn chains(pull: f64, shift: f64, length: u32, count: u32) -> Vec<Vec<f64>> {
        let chain = |number: u32| {
            let mut x = 0.0;
            let steps = (0..length).map(|i| f64::from(number * length + i) + 0.5);
            let shifted = steps.map(|j| {
                let even = [
                    0.618_033_988_749_894_9,
                    0.754_877_666_246_692_7,
                    0.569_840_290_998_053_2,
                ];
                let noise: f64 = even.iter().map(|step| (j * step).fract()).sum();
                x = pull * x + noise - 1.5;
                x + shift * f64::from(number)
            });
            shifted.collect()
        };
        (0..count).map(chain).collect()
    }

    /// By `arviz.rhat(method="split")` and `arviz.ess(method="mean")` of ArviZ 0.19.
    #[test]
    fn as_computed_elsewhere() {
        for (pull, shift, length, count, r_hat, effective) in [
            (
                0.0,
                0.0,
                500,
                4,
                0.998_016_577_424_533_4,
                6_103.226_283_337_839,
            ),
            (
                0.8,
                0.0,
                1000,
                4,
                0.999_167_026_453_859_6,
                691.755_927_601_140_6,
            ),
            (
                -0.5,
                0.0,
                400,
                2,
                0.997_509_052_309_506_9,
                2_322.471_989_593_555,
            ),
            (
                0.5,
                0.3,
                251,
                3,
                1.157_611_331_926_712_5,
                29.604_710_963_878_72,
            ),
        ] {
            let chains = chains(pull, shift, length, count);
            close(split_r_hat(&chains), r_hat, 1e-9, 0.0);
            close(effective_sample_size(&chains), effective, 1e-9, 0.0);
        }
    }

    #[test]
    fn short_and_stuck_chains_agree_on_nothing() {
        for chains in [
            vec![],
            vec![vec![1.0, 2.0, 3.0]; 4],
            vec![vec![1.0; 100]; 4],
        ] {
            assert_eq!(split_r_hat(&chains), f64::INFINITY);
            assert_eq!(effective_sample_size(&chains), 0.0);
        }
    }
}
