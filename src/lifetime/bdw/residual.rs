//! The discounted residual lifetime of BdW: Σ_{k ≥ 1} S(n + k) / S(n) · (1 + d)^(1 − k).
//!
//! There is no closed form. At a yearly rate the sum has some hundred terms; at a daily one it
//! would have a million, so where the terms have become smooth the rest is an integral, corrected
//! by Gregory's formula (the Euler–Maclaurin formula with differences in place of derivatives).

use super::Bdw;
use crate::numeric::quadrature::half_line;

/// A share of the sum below which the rest is nothing.
const NOTHING: f64 = 1e-16;
/// Terms that fall by less than this from one to the next are smooth enough for [`WEIGHTS`].
const SMOOTH: f64 = 0.98;
/// The rest is not taken before this term.
const FIRST_SMOOTH: f64 = 64.0;
/// Nor while t^c, which scales like c / t, still bends within a few periods.
const PERIODS_PER_C: f64 = 20.0;
/// At most so many terms are added one by one.
const MOST_TERMS: f64 = 1e5;

/// Gregory's coefficients: Σ_{j ≥ 0} f(j) = ∫ f over (0, ∞) + Σ_i wᵢ Δⁱ f(0).
const WEIGHTS: [f64; 7] = [
    1.0 / 2.0,
    -1.0 / 12.0,
    1.0 / 24.0,
    -19.0 / 720.0,
    3.0 / 160.0,
    -863.0 / 60_480.0,
    275.0 / 24_192.0,
];

/// NaN for a rate that is not positive.
pub(super) fn discounted(model: &Bdw, tenure: f64, rate: f64) -> f64 {
    if rate.is_nan() || rate <= 0.0 {
        return f64::NAN;
    }
    let force = rate.ln_1p();
    let term = |ahead: f64| (model.ln_conditional(tenure, ahead) - force * (ahead - 1.0)).exp();
    let first_smooth = FIRST_SMOOTH.max(PERIODS_PER_C * model.c);
    let (mut sum, mut before, mut ahead) = (0.0, 0.0, 1.0);
    loop {
        let here = term(ahead);
        let smooth = ahead >= first_smooth && here > SMOOTH * before;
        if smooth || ahead >= MOST_TERMS {
            return sum + rest(|beyond| term(ahead + beyond), force);
        }
        sum += here;
        // Survival does not rise: the rest is at most a geometric series.
        if here <= NOTHING * rate * sum {
            return sum;
        }
        before = here;
        ahead += 1.0;
    }
}

/// Σ_{j ≥ 0} f(j) of a smooth function that falls at least as exp(−`force` · j).
fn rest(f: impl Fn(f64) -> f64, force: f64) -> f64 {
    let integral = half_line(1e-13, |x| if x < 745.0 { f(x / force) } else { 0.0 });
    let mut differences = [0.0; WEIGHTS.len()];
    let mut j = 0.0;
    for place in &mut differences {
        *place = f(j);
        j += 1.0;
    }
    let mut sum = integral.value / force;
    let mut remaining = differences.len();
    for weight in WEIGHTS {
        sum += weight * differences[0];
        remaining -= 1;
        for i in 0..remaining {
            differences[i] = differences[i + 1] - differences[i];
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::{RetentionCurve, Sbg};
    use proptest::prelude::*;

    #[test]
    fn the_rest_of_a_geometric_series() {
        for ratio in [0.98, 0.99, 0.9999f64] {
            let sum = rest(|j| ratio.powf(j), -ratio.ln());
            let expected = 1.0 / (1.0 - ratio);
            assert!((sum / expected - 1.0).abs() < 1e-12, "{ratio}: {sum}");
        }
    }

    proptest! {
        #[test]
        fn without_change_it_is_that_of_sbg(
            alpha in -3.0..3.0f64, beta in -3.0..3.0f64, rate in -9.0..1.0f64, tenure in 0u32..50,
        ) {
            let [alpha, beta, rate] = [alpha, beta, rate].map(|power| 10f64.powf(power));
            let found = Bdw::new(alpha, beta, 1.0).unwrap().discounted_residual_lifetime(tenure, rate);
            let expected = Sbg::new(alpha, beta).unwrap().discounted_residual_lifetime(tenure, rate);
            prop_assert!((found / expected - 1.0).abs() < 1e-10, "{found} {expected}");
        }

        #[test]
        fn the_long_sum_agrees_with_its_terms(
            alpha in 0.01..3.0f64, beta in 0.1..10.0f64, c in 0.2..4.0f64, tenure in 0u32..20,
        ) {
            let model = Bdw::new(alpha, beta, c).unwrap();
            let rate = 0.004;
            let found = model.discounted_residual_lifetime(tenure, rate);
            let survived = f64::from(tenure);
            let terms = (0..12_000).map(|k| {
                let k = f64::from(k);
                (model.ln_conditional(survived, k + 1.0) - k * f64::ln_1p(rate)).exp()
            });
            let expected: f64 = terms.sum();
            prop_assert!((found / expected - 1.0).abs() < 1e-11, "{found} {expected}");
        }
    }
}
