//! What a customer will do next.
//!
//! Who is alive at T after x purchases, j stages of the next one passed, buys on at a rate
//! λ ~ Gamma(R + j, α + T) and leaves after each purchase with p ~ Beta(a, b + c): a new customer of the
//! same family who does not leave right away.

use super::{BetaGeometric, Form};
use crate::lifetime::future::NextAtRandom;
use crate::numeric::hypergeometric::ln_hyp2f1;
use crate::numeric::regular_before_dropout::expected_before_dropout_by_stage;
use crate::summary::History;

impl BetaGeometric {
    pub(in crate::lifetime) fn probability_alive_after(
        &self,
        history: &History,
        delay: f64,
    ) -> f64 {
        let alive = self.probability_alive(history);
        // NaN is no time either: max() prefers the number.
        let w = (delay.max(0.0) / (self.alpha + history.age)).min(f64::MAX);
        let exponent = self.r + self.form.stages(history.frequency);
        let stay = self.b + self.form.tosses(history.frequency);
        if self.form.k == 1 {
            // Leaving has the rate λ p: E[exp(−λ p t)] = E[(1 + p w)^−R].
            let stays = ln_hyp2f1(exponent, self.a, self.a + stay, -w);
            return alive * stays.min(0.0).exp();
        }
        // Leaving follows each purchase with probability p: P(left) = E[p X], which is the mean of p times
        // E[X] with p's distribution weighted by p.
        let mut purchases = [0.0; super::MOST_STAGES as usize];
        let by_stage = &mut purchases[..self.form.k as usize];
        expected_before_dropout_by_stage(exponent, self.a + 1.0, stay, w, by_stage);
        let left = self.a / (self.a + stay) * self.stages(history).mean(&purchases);
        alive * (1.0 - left).max(0.0)
    }

    pub(in crate::lifetime) fn future_purchase_probabilities(
        &self,
        history: &History,
        t: f64,
        out: &mut [f64],
    ) {
        out.fill(0.0);
        let alive = self.probability_alive(history);
        for (passed, share, next) in self.on_the_way(history) {
            next.add_purchase_probabilities(passed, t, alive * share, out);
        }
        if let Some(none) = out.first_mut() {
            *none = (*none + (1.0 - alive)).min(1.0);
        }
    }

    pub(in crate::lifetime) fn probability_of_purchase(&self, history: &History, t: f64) -> f64 {
        if self.form.k == 1 {
            return self.probability_alive(history) * self.next_at_random(history).probability(t);
        }
        let mut none = [1.0];
        self.future_purchase_probabilities(history, t, &mut none);
        (1.0 - none[0]).max(0.0)
    }

    /// The next stage of a customer who is alive and has passed none.
    fn next_at_random(&self, history: &History) -> NextAtRandom {
        NextAtRandom {
            shape: self.r + self.form.stages(history.frequency),
            unit: self.alpha + history.age,
        }
    }

    /// The mean over the stages of (k − j) (α + T) / (R + j − 1).
    pub(in crate::lifetime) fn mean_time_to_purchase(&self, history: &History) -> f64 {
        self.on_the_way(history)
            .fold(0.0, |sum, (passed, share, next)| {
                let of_stage = NextAtRandom {
                    shape: next.r,
                    unit: next.alpha,
                };
                sum + share * of_stage.mean(f64::from(self.form.k - passed))
            })
    }

    /// The stages of the next purchase that a customer who is alive may have passed, with their
    /// probabilities and what the customer is like then.
    fn on_the_way(&self, history: &History) -> impl Iterator<Item = (u32, f64, Self)> {
        let form = Form {
            k: self.form.k,
            at_first: 0,
        };
        let exponent = self.r + self.form.stages(history.frequency);
        let alpha = self.alpha + history.age;
        let stay = self.b + self.form.tosses(history.frequency);
        let leave = self.a;
        let shares = *self.stages(history).shares();
        let stages = (0..form.k).zip(shares).filter(|(_, share)| *share > 0.0);
        stages.map(move |(passed, share)| {
            let next = Self::new(form, [exponent + f64::from(passed), alpha, leave, stay]);
            (passed, share, next)
        })
    }
}
