//! The GG/NBD likelihood with its derivatives.

use super::GompertzGammaNbd;
use crate::lifetime::random_lifetime::{Likelihood, Place, Term};
use crate::numeric::gompertz_race::{GompertzGamma, LnOutcome};
use crate::numeric::optimise::Evaluation;
use crate::numeric::pareto_race::Lomax;

impl GompertzGammaNbd {
    /// The log-likelihood with its derivatives in ln r, ln α, ln b, ln s, ln β.
    pub(super) fn evaluate(&self, data: &Likelihood) -> Evaluation {
        data.evaluate(
            self.r,
            |place| self.term(place, GompertzGamma::ln_ends_first),
            |place| self.term(place, GompertzGamma::ln_outlasts),
        )
    }

    /// ln W(x, t) plus the logarithm of the probability of what comes first.
    fn term(
        &self,
        &(frequency, t): &Place,
        outcome: impl Fn(&GompertzGamma, Lomax) -> LnOutcome,
    ) -> Term<5, 15> {
        let &Self {
            r,
            alpha,
            b,
            s,
            beta,
        } = self;
        let x = f64::from(frequency);
        let (left, next) = self.race(frequency, t);
        let p = outcome(&left, next);
        let (of_alpha, rest_alpha) = (alpha / (alpha + t), t / (alpha + t));
        let ln_alpha = (t / alpha).ln_1p();
        let ln_growth = self.life().ln_growth(b * t);
        // ln B and ln G at t have these slopes in ln b and ln β; those of ln B change by these.
        let (time, faded) = (b * t, (-b * t).exp());
        let of_beta = beta * faded / left.scale;
        let of_b = time * faded * (1.0 - beta) / left.scale;
        let growth_b = time / left.scale;
        let growth_beta = of_beta - 1.0;
        // How a, ln σ, s and ln B change with the logarithms of the parameters.
        let inner = [
            [r, 0.0, 0.0, 0.0, 0.0],
            [0.0, of_alpha, 1.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, s, 0.0],
            [0.0, 0.0, of_b, 0.0, of_beta],
        ];
        let mut slope = [
            -r * ln_alpha,
            r * rest_alpha - x * of_alpha,
            -s * growth_b,
            -s * ln_growth,
            -s * growth_beta,
        ];
        for (i, slope) in slope.iter_mut().enumerate() {
            *slope += inner
                .iter()
                .zip(p.slope)
                .map(|(of, p)| of[i] * p)
                .sum::<f64>();
        }
        let bent = |i: usize, j: usize| match (i, j) {
            (0, 0) => r * (p.slope[0] - ln_alpha),
            (0, 1) => r * rest_alpha,
            (1, 1) => (p.slope[1] - r - x) * of_alpha * rest_alpha,
            (2, 2) => p.slope[3] * of_b * (1.0 - time - of_b) - s * growth_b * (1.0 - of_b),
            (2, 3) => -s * growth_b,
            (2, 4) => -p.slope[3] * of_beta * (time + of_b) + s * growth_b * of_beta,
            (3, 3) => s * (p.slope[2] - ln_growth),
            (3, 4) => -s * growth_beta,
            (4, 4) => (p.slope[3] - s) * of_beta * (1.0 - of_beta),
            _ => 0.0,
        };
        let curve = Term::<5, 15>::PAIRS.map(|(i, j)| {
            let through = inner.iter().zip(&p.curve).map(|(of, row)| {
                let across = inner.iter().zip(row).map(|(of, p)| of[j] * p);
                of[i] * across.sum::<f64>()
            });
            bent(i, j) + through.sum::<f64>()
        });
        Term {
            value: p.ln - r * ln_alpha - x * (alpha + t).ln() - s * ln_growth,
            slope,
            curve,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::random_lifetime::examples::{assert_by_definition, data};
    use crate::numeric::optimise::assert_derivatives;
    use proptest::prelude::*;

    fn log_sizes() -> impl Strategy<Value = [f64; 5]> {
        [
            -2.0..2.0f64,
            -2.0..6.0f64,
            -8.0..0.0f64,
            -3.0..4.0f64,
            -4.0..6.0f64,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn derivatives_are_those_of_the_value(logs in log_sizes()) {
            let data = data();
            assert_derivatives(logs, |logs| {
                GompertzGammaNbd::from_valid(logs.map(f64::exp)).evaluate(&data)
            });
        }

        /// By the integral over the moment of leaving (Bemmaor and Glady 2012, equation 7).
        #[test]
        fn sum_over_customers_and_by_the_definition(
            r in 0.1..5.0f64, alpha in 1.0..50.0f64, b in 0.005..0.3f64, s in 0.1..5.0f64, beta in 0.05..20.0f64,
        ) {
            let model = GompertzGammaNbd::from_valid([r, alpha, b, s, beta]);
            let counted = model.evaluate(&data()).value;
            let below = |t: f64| beta - 1.0 + (b * t).exp();
            let stays = |t: f64| (beta / below(t)).powf(s);
            assert_by_definition(&model, counted, stays, |t| s * b * (b * t).exp() / below(t));
        }
    }
}
