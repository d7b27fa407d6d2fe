//! The beta-geometric family: customers toss a coin after purchases, and leave when it falls wrong.
//!
//! BG/NBD, MBG/NBD, BG/CNBD-k and MBG/CNBD-k are one process with two settings, its [`Form`]. A
//! customer passes through stages at a rate λ ~ Gamma(r, rate α), and every k-th stage is a
//! purchase: the times between purchases are Erlang-k. After a purchase the customer leaves with a
//! probability p ~ Beta(a, b).
//!
//! With R = r + k x, c tosses survived (x, and one more where the first purchase has one too),
//! z = (T − t_x) / (α + T) and S = Σ_{j<k} (R)_j / j! zʲ, the likelihood of a history is
//!
//! Γ(R) / Γ(r) · α^r / (α + T)^R · B(a, b + c) / B(a, b) · [S + a / (b + c − 1) · ((α + T) / (α +
//! t_x))^R]
//!
//! times Π gap^(k − 1) / Γ(k)^x, without the second term in brackets when c = 0: Reutterer, Platzer
//! and Schröder (2020), of which k = 1 is equation 6 of Fader, Hardie and Lee (2005) and of
//! Batislam, Denizel and Filiztekin (2007). In the brackets the first term is "still alive", where
//! j stages of the next purchase have passed with weight (R)_j / j! zʲ, the second "left after the
//! last".

mod fit;
mod future;
mod likelihood;
mod models;
mod pairs;
mod regular;
mod stages;
mod standing;

pub use fit::Regularity;
pub(super) use fit::{choose, maximise, of_gaps};
pub(super) use likelihood::Likelihood;
pub(super) use models::{
    Given, Saved, SavedRegular, beta_geometric_answers, beta_geometric_model,
    regular_beta_geometric_model,
};
use stages::MOST_STAGES;

use self::pairs::Pairs;
use self::stages::Stages;
use self::standing::{OfFrequency, probabilities_alive};
use super::{Schedule, check_places};
use crate::error::DataError;
use crate::numeric::before_dropout::{BeforeDropout, expected_before_dropout};
use crate::numeric::beta::ln_beta_ratio;
use crate::numeric::gamma::{ln_gamma, ln_gamma_ratio};
use crate::numeric::hypergeometric::ln_hyp2f1;
use crate::numeric::regular_before_dropout::{
    BeforeDropoutByStage, expected_before_dropout_by_stage,
};
use crate::summary::{Histories, History};

/// Which member of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Stages to a purchase: from 1 to [`MOST_STAGES`].
    pub(super) k: u32,
    /// Tosses before the first repeat purchase: 1 when a customer may leave right after the first
    /// purchase, or 0.
    pub(super) at_first: u32,
}

impl Form {
    /// Tosses that a customer of `frequency` repeat purchases survived, if alive.
    fn tosses(self, frequency: u32) -> f64 {
        f64::from(frequency) + f64::from(self.at_first)
    }

    /// Stages of `frequency` repeat purchases.
    fn stages(self, frequency: u32) -> f64 {
        f64::from(self.k) * f64::from(frequency)
    }
}

/// A member of the family with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BetaGeometric {
    pub(super) form: Form,
    pub(super) r: f64,
    pub(super) alpha: f64,
    pub(super) a: f64,
    pub(super) b: f64,
}

/// A number for each stage of the next purchase; those from k on are 0.
type ByStage = [f64; MOST_STAGES as usize];

impl BetaGeometric {
    pub(super) fn new(form: Form, [r, alpha, a, b]: [f64; 4]) -> Self {
        Self {
            form,
            r,
            alpha,
            a,
            b,
        }
    }

    pub(super) fn parameters(&self) -> [f64; 4] {
        [self.r, self.alpha, self.a, self.b]
    }

    pub(super) fn log_likelihood(&self, history: &History) -> f64 {
        let Form { k, .. } = self.form;
        let stages = self.form.stages(history.frequency);
        let tosses = self.form.tosses(history.frequency);
        let age = history.age;
        let mut never_left = ln_gamma_ratio(self.r, stages) + ln_beta_ratio(self.a, self.b, tosses)
            - self.r * (age / self.alpha).ln_1p()
            - stages * (self.alpha + age).ln();
        if k > 1 {
            never_left += self.stages(history).ln_total + f64::from(k - 1) * history.log_gaps
                - f64::from(history.frequency) * ln_gamma(f64::from(k));
        }
        never_left + softplus(self.log_odds_left(history))
    }

    /// 1 / (1 + a / (b + c − 1) · ((α + T) / (α + t_x))^R / S).
    pub(super) fn probability_alive(&self, history: &History) -> f64 {
        OfFrequency::new(self, history.frequency)
            .standing(self, history)
            .0
    }

    pub(super) fn probability_alive_batch(
        &self,
        histories: &Histories,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        if self.form.k == 1 {
            probabilities_alive(self, histories, out);
            return Ok(());
        }
        let mut alike = OfFrequency::new(self, 0);
        for (place, history) in out.iter_mut().zip(histories.iter()) {
            if history.frequency != alike.frequency {
                alike = OfFrequency::new(self, history.frequency);
            }
            *place = alike.standing(self, &history).0;
        }
        Ok(())
    }

    pub(super) fn expected_purchases(&self, history: &History, horizon: f64) -> f64 {
        let w = self.reach(history.age, horizon);
        let if_alive = self.expected_if_alive(history.frequency, w);
        let alike = OfFrequency::new(self, history.frequency);
        self.of_standing(&alike, history, &if_alive).1
    }

    pub(super) fn scheduled_purchases(&self, history: &History, schedule: &Schedule) -> f64 {
        let mut purchases = self.purchases_if_alive(history.frequency);
        let if_alive = self.scheduled_if_alive(&mut purchases, history.age, schedule);
        let alike = OfFrequency::new(self, history.frequency);
        self.of_standing(&alike, history, &if_alive).1
    }

    pub(super) fn expected_purchases_batch(
        &self,
        histories: &Histories,
        horizon: f64,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        self.each_if_alive(histories, None, out, |purchases, age| {
            purchases.at(self.reach(age, horizon))
        });
        Ok(())
    }

    pub(super) fn alive_and_purchases_batch(
        &self,
        histories: &Histories,
        horizon: f64,
        alive: &mut [f64],
        purchases: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, alive)?;
        check_places(histories, purchases)?;
        self.each_if_alive(histories, Some(alive), purchases, |purchases, age| {
            purchases.at(self.reach(age, horizon))
        });
        Ok(())
    }

    pub(super) fn scheduled_purchases_batch(
        &self,
        histories: &Histories,
        schedule: &Schedule,
        out: &mut [f64],
    ) -> Result<(), DataError> {
        check_places(histories, out)?;
        self.each_if_alive(histories, None, out, |purchases, age| {
            self.scheduled_if_alive(purchases, age, schedule)
        });
        Ok(())
    }

    pub(super) fn purchase_probabilities(&self, t: f64, out: &mut [f64]) {
        out.fill(0.0);
        self.add_purchase_probabilities(0, t, 1.0, out);
    }

    /// Adds a `share` of the probabilities of a customer who has passed some stages of the first purchase:
    /// either alive throughout, or left after the n-th.
    fn add_purchase_probabilities(&self, passed: u32, t: f64, share: f64, out: &mut [f64]) {
        let (counts, mut at_least) = self.counts_without_dropout(passed, t.max(0.0), out.len());
        let before = f64::from(self.form.at_first);
        for (n, (place, &count)) in out.iter_mut().zip(&counts).enumerate().rev() {
            at_least += count;
            let tosses = n as f64 + before;
            let stays = ln_beta_ratio(self.a, self.b, tosses).exp();
            let mut here = stays * count;
            if tosses > 0.0 {
                here += stays * self.a / (self.b + (tosses - 1.0)) * at_least;
            }
            *place += share * here;
        }
    }

    /// ln of P(left) / P(alive); −∞ for a customer who cannot have left.
    fn log_odds_left(&self, history: &History) -> f64 {
        let ln_stages = match self.form.k {
            1 => 0.0,
            _ => self.stages(history).ln_total,
        };
        OfFrequency::new(self, history.frequency).log_odds_left(self, history, ln_stages)
    }

    /// How far a customer who is alive may have come on the way to the next purchase.
    fn stages(&self, history: &History) -> Stages {
        let exponent = self.r + self.form.stages(history.frequency);
        let silence = (history.age - history.recency) / (self.alpha + history.age);
        Stages::new(self.form.k, exponent, silence)
    }

    /// The horizon in units of α + T.
    fn reach(&self, age: f64, horizon: f64) -> f64 {
        // NaN is no time either: max() prefers the number.
        (horizon.max(0.0) / (self.alpha + age)).min(f64::MAX)
    }

    /// Expected purchases of a customer known to be alive at T and to have passed so many stages
    /// of the next purchase; depends on the history through x and, in w, T only.
    fn expected_if_alive(&self, frequency: u32, w: f64) -> ByStage {
        let exponent = self.r + self.form.stages(frequency);
        let stay = self.b + self.form.tosses(frequency);
        let mut by_stage = ByStage::default();
        if self.form.k == 1 {
            by_stage[0] = expected_before_dropout(exponent, self.a, stay, w);
        } else {
            let stages = &mut by_stage[..self.form.k as usize];
            expected_before_dropout_by_stage(exponent, self.a, stay, w, stages);
        }
        by_stage
    }

    /// [`expected_if_alive`](Self::expected_if_alive) for many ages or horizons.
    fn purchases_if_alive(&self, frequency: u32) -> PurchasesIfAlive {
        let exponent = self.r + self.form.stages(frequency);
        let stay = self.b + self.form.tosses(frequency);
        match self.form.k {
            1 => PurchasesIfAlive::AtRandom(BeforeDropout::new(exponent, self.a, stay)),
            k => PurchasesIfAlive::InStages(
                k as usize,
                BeforeDropoutByStage::new(exponent, self.a, stay, k as usize),
            ),
        }
    }

    fn scheduled_if_alive(
        &self,
        purchases: &mut PurchasesIfAlive,
        age: f64,
        schedule: &Schedule,
    ) -> ByStage {
        let mut by_stage = ByStage::default();
        for (horizon, weight) in schedule.iter() {
            let expected = purchases.at(self.reach(age, horizon));
            for (sum, expected) in by_stage.iter_mut().zip(expected) {
                *sum += weight * expected;
            }
        }
        by_stage
    }

    /// P(alive), and what is expected of a customer who may be alive, at any stage.
    fn of_standing(
        &self,
        alike: &OfFrequency,
        history: &History,
        if_alive: &ByStage,
    ) -> (f64, f64) {
        match alike.standing(self, history) {
            (alive, None) => (alive, alive * if_alive[0]),
            (alive, Some(stages)) => (alive, alive * stages.mean(if_alive)),
        }
    }

    /// What is expected of each row, and by the way its P(alive); what depends on x and T is computed once for
    /// each (x, T). There is a place for each row.
    fn each_if_alive(
        &self,
        histories: &Histories,
        mut alive: Option<&mut [f64]>,
        out: &mut [f64],
        if_alive: impl Fn(&mut PurchasesIfAlive, f64) -> ByStage,
    ) {
        let stages = self.form.k as usize;
        let pairs = Pairs::of(histories);
        let mut known: Vec<f64> = Vec::with_capacity(pairs.distinct.len() * stages);
        for same_x in pairs.distinct.chunk_by(|left, right| left.0 == right.0) {
            let mut purchases = self.purchases_if_alive(same_x[0].0);
            for &(_, age) in same_x {
                known.extend_from_slice(&if_alive(&mut purchases, age)[..stages]);
            }
        }
        if stages == 1 {
            probabilities_alive(self, histories, out);
            if let Some(alive) = alive {
                alive.copy_from_slice(out);
            }
            for (place, &number) in out.iter_mut().zip(&pairs.of_row) {
                *place *= known[number as usize];
            }
            return;
        }
        let mut alike = OfFrequency::new(self, 0);
        let rows = histories.iter().zip(&pairs.of_row);
        for (row, (place, (history, &number))) in out.iter_mut().zip(rows).enumerate() {
            if history.frequency != alike.frequency {
                alike = OfFrequency::new(self, history.frequency);
            }
            let start = number as usize * stages;
            let mut expected = ByStage::default();
            expected[..stages].copy_from_slice(&known[start..start + stages]);
            let (probability, purchases) = self.of_standing(&alike, &history, &expected);
            *place = purchases;
            if let Some(alive) = &mut alive {
                alive[row] = probability;
            }
        }
    }

    /// P(N = n) for n < `places` and P(N ≥ `places`), N the purchases in a time t if nobody left: a
    /// negative binomial number of stages, k of them a purchase, `passed` fewer for the first.
    fn counts_without_dropout(&self, passed: u32, t: f64, places: usize) -> (Vec<f64>, f64) {
        let ln_z = t.ln() - (self.alpha + t).ln();
        let mut ln_stage = -self.r * (t / self.alpha).ln_1p();
        let mut counts = vec![0.0; places];
        let mut n = 0.0;
        let mut missing = self.form.k - passed;
        for count in &mut counts {
            for _ in 0..missing {
                *count += ln_stage.exp();
                ln_stage += ((self.r + n) / (n + 1.0)).ln() + ln_z;
                n += 1.0;
            }
            missing = self.form.k;
        }
        if places == 0 || t == 0.0 {
            return (counts, if places == 0 { 1.0 } else { 0.0 });
        }
        // What the others leave is exact to some 1e-15: good for a tail that is not small. A small
        // one would lose its digits in the difference: Σ_{j ≥ n} P(N = j) = P(N = n) (1 + t/α)
        // ₂F₁(1, 1 − r; n + 1; −t/α).
        const SMALL: f64 = 1e-3;
        const ROUNDING: f64 = 1e-14;
        let left = (1.0 - counts.iter().sum::<f64>()).max(0.0);
        if left > SMALL {
            return (counts, left);
        }
        let ratio = (t / self.alpha).min(f64::MAX);
        let tail = ratio.ln_1p() + ln_hyp2f1(1.0, 1.0 - self.r, n + 1.0, -ratio);
        let beyond = (ln_stage + tail).exp();
        (counts, beyond.min(left + ROUNDING))
    }
}

/// Expected purchases of customers with the same number of repeat purchases who are known to be alive.
enum PurchasesIfAlive {
    AtRandom(BeforeDropout),
    /// With k.
    InStages(usize, BeforeDropoutByStage),
}

impl PurchasesIfAlive {
    fn at(&mut self, w: f64) -> ByStage {
        let mut by_stage = ByStage::default();
        match self {
            Self::AtRandom(purchases) => by_stage[0] = purchases.at(w),
            Self::InStages(k, purchases) => purchases.at(w, &mut by_stage[..*k]),
        }
        by_stage
    }
}

/// ln(1 + eˣ), for x of any size.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
