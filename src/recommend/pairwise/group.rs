//! Items whose numbers one thread may change, and a step among them.

use rand::rngs::ChaCha8Rng;

use super::rule::{Moved, Rule};
use super::strata::below;
use crate::numeric::lanes::Level;
use crate::numeric::triple::{draw, product};

/// Draws until an item is found that was not taken, at most.
pub(super) const DRAWS_MAX: u32 = 64;

/// A group of items in an epoch.
pub(super) struct Items {
    pub(super) numbers: Vec<u32>,
    pub(super) rows: Vec<f32>,
    pub(super) biases: Vec<f32>,
    /// Each item as often as it was taken, where the rule draws so.
    pub(super) tickets: Vec<u32>,
}

impl Items {
    /// One step for a customer's vector and an item that was taken, at its place; `others` items were not taken.
    pub(super) fn step(
        &mut self,
        (rule, level, rate): (&Rule, Level, f32),
        x: &mut [f32],
        near: usize,
        (taken, others): (&impl Fn(u32) -> bool, usize),
        rng: &mut ChaCha8Rng,
    ) -> Moved {
        let score = self.score(level, x, near);
        for trial in 1..=rule.trials() {
            let Some(far) = self.draw(taken, rng) else {
                return Moved::default();
            };
            let ahead = score - self.score(level, x, far);
            let Some(push) = rule.judge(ahead, trial, others) else {
                continue;
            };
            let (step, keep) = (rate * push.weight, rule.keep(rate));
            let width = x.len();
            let range = |at: usize| at * width..(at + 1) * width;
            if let Ok([i, j]) = self.rows.get_disjoint_mut([range(near), range(far)]) {
                draw(level, x, i, j, step, keep);
                rule.bound(level, [x, i, j]);
            }
            for (at, by) in [(near, step), (far, -step)] {
                if let Some(bias) = self.biases.get_mut(at) {
                    *bias = keep * *bias + by;
                }
            }
            return Moved {
                steps: 1.0,
                loss: f64::from(push.loss),
                ordered: f64::from(u8::from(ahead > 0.0)),
            };
        }
        Moved {
            steps: 1.0,
            loss: 0.0,
            ordered: 1.0,
        }
    }

    fn score(&self, level: Level, x: &[f32], at: usize) -> f32 {
        let row = self.rows.get(at * x.len()..(at + 1) * x.len());
        let product = row.map_or(0.0, |row| product(level, x, row));
        product + self.biases.get(at).copied().unwrap_or(0.0)
    }

    /// A place whose item was not taken; `None` when luck does not find one.
    fn draw(&self, taken: &impl Fn(u32) -> bool, rng: &mut ChaCha8Rng) -> Option<usize> {
        for _ in 0..DRAWS_MAX {
            let at = if self.tickets.is_empty() {
                below(rng, self.numbers.len())
            } else {
                let ticket = self.tickets.get(below(rng, self.tickets.len()));
                ticket.map_or(0, |&at| at as usize)
            };
            if self.numbers.get(at).is_some_and(|&item| !taken(item)) {
                return Some(at);
            }
        }
        None
    }
}
