//! The Pareto/NBD likelihood with its derivatives.

use super::ParetoNbd;
use crate::lifetime::random_lifetime::{Likelihood, Place, RandomLifetime, Term};
use crate::numeric::optimise::Evaluation;
use crate::numeric::pareto_race::{LnProbability, Lomax, ln_race};

impl ParetoNbd {
    /// The log-likelihood with its derivatives in ln r, ln α, ln s, ln β.
    pub(super) fn evaluate(&self, data: &Likelihood) -> Evaluation {
        data.evaluate(
            self.r,
            |place| self.term(place, |(left, _)| left),
            |place| self.term(place, |(_, bought)| bought),
        )
    }

    /// ln W(x, t) + ln E\[·\], the latter chosen from the two of the race between leaving and buying.
    fn term(
        &self,
        &(frequency, t): &Place,
        choose: impl Fn((LnProbability, LnProbability)) -> LnProbability,
    ) -> Term<4, 10> {
        let &Self { r, alpha, s, beta } = self;
        let x = f64::from(frequency);
        let leaves = Lomax {
            shape: s,
            scale: beta + t,
        };
        let p = choose(ln_race(leaves, self.next_purchase(frequency, t)));
        // l = ln((β + t) / (α + t)) has these slopes in ln α (negated) and ln β.
        let (by_alpha, by_beta) = (alpha / (alpha + t), beta / (beta + t));
        let (rest_alpha, rest_beta) = (t / (alpha + t), t / (beta + t));
        let (spread_alpha, spread_beta) = (by_alpha * rest_alpha, by_beta * rest_beta);
        let (ln_alpha, ln_beta) = ((t / alpha).ln_1p(), (t / beta).ln_1p());
        let of_r = r * (p.b - ln_alpha);
        let of_s = s * (p.a - ln_beta);
        Term {
            value: p.ln - r * ln_alpha - x * (alpha + t).ln() - s * ln_beta,
            slope: [
                of_r,
                r * rest_alpha - x * by_alpha - p.l * by_alpha,
                of_s,
                s * rest_beta + p.l * by_beta,
            ],
            curve: [
                of_r + r * r * p.bb,
                r * (rest_alpha - p.bl * by_alpha),
                r * s * p.ab,
                r * p.bl * by_beta,
                p.ll * by_alpha * by_alpha - (r + x + p.l) * spread_alpha,
                -s * p.al * by_alpha,
                -p.ll * by_alpha * by_beta,
                of_s + s * s * p.aa,
                s * (rest_beta + p.al * by_beta),
                p.ll * by_beta * by_beta - (s - p.l) * spread_beta,
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::random_lifetime::examples::{assert_by_definition, data};
    use crate::numeric::optimise::assert_derivatives;
    use proptest::prelude::*;

    fn log_sizes() -> impl Strategy<Value = [f64; 4]> {
        [-2.0..2.0f64, -2.0..6.0f64, -3.0..4.0f64, -2.0..7.0f64]
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_the_value(logs in log_sizes()) {
            let data = data();
            assert_derivatives(logs, |logs| ParetoNbd::from_valid(logs.map(f64::exp)).evaluate(&data));
        }

        /// By the integral over the moment of leaving (Fader and Hardie 2005, section 3), for equal scales.
        #[test]
        fn sum_over_customers_and_by_the_definition(r in 0.1..5.0f64, s in 0.1..5.0f64, scale in 1.0..50.0f64) {
            let model = ParetoNbd::from_valid([r, scale, s, scale]);
            let counted = model.evaluate(&data()).value;
            let stays = |t: f64| (scale / (scale + t)).powf(s);
            assert_by_definition(&model, counted, stays, |t| s / (scale + t));
        }
    }
}
