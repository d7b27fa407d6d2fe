//! How many purchases a customer will make: their distribution.
//!
//! Who is alive at T has λ ~ Gamma(r + x, α + A(T)) and μ ~ Gamma(s, β + B(T)). By the clock of the
//! purchases a customer who has come to the reading a since T has made a negative binomial number of
//! them, so that
//!
//! P(n) = (1 − P(alive)) \[n = 0\] + P(alive) { NB(n; a(t)) S(t) + ∫ from 0 to t of NB(n; a(u)) f(u) du },
//!
//! with S the probability to stay and f the density of leaving: positive terms, one integral for each
//! segment of the covariates.

use std::sync::LazyLock;

use super::DynamicParetoNbd;
use super::answers::longest_covered;
use super::design::{Design, Rates};
use super::likelihood::{at, standing};
use crate::error::Error;
use crate::lifetime::future::check_counts;
use crate::numeric::gamma::{ln_gamma, ln_gamma_ratio};
use crate::numeric::quadrature::GaussLegendre;
use crate::summary::PathHistories;

static RULE: LazyLock<GaussLegendre> = LazyLock::new(|| GaussLegendre::new(16));

/// Between a panel and its halves, as a share of the panel.
const AGREE: f64 = 1e-12;
/// The rounding of an exponent, as a share of its terms.
const ROUNDING: f64 = 1e-15;
/// What cannot reach this share of the sum is nothing.
const NOTHING: f64 = 1e-17;
/// No segment needs as many: a bound for parameters beyond all sense.
const MOST_PANELS: u32 = 1_000;

impl DynamicParetoNbd {
    /// The probability of each row's number of purchases: P(X(T, T + t) = `counts`\[i\] | history i) for the
    /// horizon t after the end of the observation. Zero where it is below the smallest number there is.
    ///
    /// Exact up to rounding, by one integral for each time in which the customer's covariates stay the same.
    ///
    /// # Errors
    /// [`DataError::Length`](crate::error::DataError::Length) unless there is one count for each row; else as
    /// [`expected_purchases`](Self::expected_purchases).
    pub fn count_probabilities(
        &self,
        data: &PathHistories<'_>,
        horizon: f64,
        counts: &[u32],
    ) -> Result<Vec<f64>, Error> {
        check_counts(data.histories(), counts)?;
        let horizon = longest_covered(data, &[horizon])?;
        let rows = 0..data.histories().len();
        let design = Design::of_rows(data, &self.columns(data)?, rows, horizon)?;
        let coefficients = self.coefficients();
        let rates = coefficients.rates(&design)?;
        let point = self.point(&coefficients);
        let rows = design.rows.iter().zip(counts).map(|(row, &count)| {
            let standing = standing(&design, row, &rates, &point);
            let n = f64::from(count);
            let shape = point.r + row.purchases;
            let ahead = Ahead {
                n,
                ln_choices: ln_gamma_ratio(shape, n) - ln_gamma(n + 1.0),
                shape,
                buy_clock: standing.buy_clock,
                s: point.s,
                leave_clock: standing.leave_clock,
            };
            let segments = design.ahead(row).iter();
            let segments = segments.map(|segment| (segment.length, at(&rates, segment.level)));
            let gone = if count == 0 {
                1.0 - standing.alive
            } else {
                0.0
            };
            (gone + standing.alive * ahead.probability(segments, horizon)).min(1.0)
        });
        Ok(rows.collect())
    }
}

/// n purchases to come of a customer who is alive at T.
struct Ahead {
    n: f64,
    /// ln of Γ(r + x + n) / (Γ(r + x) n!).
    ln_choices: f64,
    shape: f64,
    buy_clock: f64,
    s: f64,
    leave_clock: f64,
}

impl Ahead {
    /// Along the segments to come, up to a horizon.
    fn probability(&self, segments: impl Iterator<Item = (f64, Rates)>, horizon: f64) -> f64 {
        let (mut begun, mut bought, mut left, mut sum) = (0.0, 0.0, 0.0, 0.0);
        for (length, rates) in segments {
            let length = length.min(horizon - begun);
            let of_buying = (self.buy_clock + bought) / rates.buy;
            let of_leaving = (self.leave_clock + left) / rates.leave;
            let stretch = Stretch {
                ahead: self,
                rates,
                bought,
                left,
                scale: of_buying.min(of_leaving).max(f64::MIN_POSITIVE),
            };
            sum += stretch.integral(length, sum);
            begun += length;
            bought += rates.buy * length;
            left += rates.leave * length;
        }
        sum + (self.ln_count(bought, bought) - self.s * (left / self.leave_clock).ln_1p()).exp()
    }

    /// ln of NB(n; a), its falling term at one reading and its rising one at another.
    fn ln_count(&self, early: f64, late: f64) -> f64 {
        let none = self.ln_choices - self.shape * (early / self.buy_clock).ln_1p();
        match self.n > 0.0 {
            true => none - self.n * (self.buy_clock / late).ln_1p(),
            false => none,
        }
    }
}

/// A segment, in w with time = scale (eʷ − 1): by it no logarithm of a clock changes faster than w.
struct Stretch<'a> {
    ahead: &'a Ahead,
    rates: Rates,
    /// The clocks since T at its start.
    bought: f64,
    left: f64,
    scale: f64,
}

impl Stretch<'_> {
    /// The probability to leave in it with n purchases made. Panels are halved until both halves together
    /// say what the whole says, but those that are nothing beside the `sum` of the others.
    fn integral(&self, length: f64, sum: f64) -> f64 {
        let end = (length / self.scale).min(f64::MAX).ln_1p();
        let noise = AGREE.max(ROUNDING * self.size(0.5 * end));
        let mut panels = vec![(0.0, end, self.panel(0.0, end))];
        let (mut found, mut halved) = (0.0, 0);
        while let Some((from, to, whole)) = panels.pop() {
            let middle = from + 0.5 * (to - from);
            let (left, right) = (self.panel(from, middle), self.panel(middle, to));
            let both = left + right;
            let agree = both > 0.0 && (both - whole).abs() <= noise * both;
            let most = (to - from) * self.ln_density(from, to).exp();
            if !agree && most > NOTHING * (sum + found) && halved < MOST_PANELS {
                halved += 1;
                panels.push((from, middle, left));
                panels.push((middle, to, right));
            } else {
                found += both;
            }
        }
        found
    }

    fn panel(&self, from: f64, to: f64) -> f64 {
        RULE.integrate(from, to, |w| self.ln_density(w, w).exp())
    }

    /// The clocks since T, and the time since the start beside the scale.
    fn clocks(&self, w: f64) -> (f64, f64, f64) {
        let time = self.scale * w.exp_m1();
        let (bought, left) = (self.rates.buy * time, self.rates.leave * time);
        (self.bought + bought, self.left + left, self.scale + time)
    }

    /// ln of s b (β + B)^−(s + 1) β^s NB(n; a), per unit of w: what falls taken early, what rises late. At two
    /// places it is a bound of what lies in between.
    fn ln_density(&self, early: f64, late: f64) -> f64 {
        let Ahead { s, leave_clock, .. } = *self.ahead;
        let ((early, left, _), (late, _, stretch)) = (self.clocks(early), self.clocks(late));
        let hazard = s * (self.rates.leave * stretch / (leave_clock + left));
        hazard.ln() - s * (left / leave_clock).ln_1p() + self.ahead.ln_count(early, late)
    }

    /// The sizes of its terms at one place.
    fn size(&self, w: f64) -> f64 {
        let (bought, left, _) = self.clocks(w);
        let ahead = self.ahead;
        let of_leaving = ahead.s * (left / ahead.leave_clock).ln_1p();
        let of_silence = ahead.shape * (bought / ahead.buy_clock).ln_1p();
        of_leaving + of_silence + 2.0 * ahead.ln_choices.abs()
    }
}
