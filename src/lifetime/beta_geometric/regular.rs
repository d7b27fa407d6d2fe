//! The last term of the likelihood where a purchase takes several stages, k > 1.
//!
//! ln(S + eᵘ) = ln S + ln(1 + e^(u − ln S)) with S = Σ_{j<k} (R)_j / j! zʲ, z = (T − t_x) / (α +
//! T). The terms of S as shares of it are a distribution over the stages j; with h_j = Σ_{i<j} 1/(R
//! + i), g_j = Σ_{i<j} 1/(R + i)² and q = α / (α + T) the derivatives of ln S are its moments:
//!
//! ∂/∂R = E h, ∂/∂ln α = −q E j, ∂²/∂R² = E(h² − g) − (E h)², ∂²/∂R ∂ln α = −q cov(j, h),
//! ∂²/∂(ln α)² = q² var(j) − q (1 − q) E j.

use std::ops::Range;

use super::BetaGeometric;
use super::likelihood::{Likelihood, Row, Sums, Tabulated};
use super::stages::{MOST_STAGES, Stages};

impl Likelihood {
    pub(super) fn of_rows_in_stages(
        &self,
        range: Range<usize>,
        model: &BetaGeometric,
        ages: &[Tabulated],
        recencies: &[Tabulated],
    ) -> Sums {
        let mut sums = Sums::default();
        for same_x in self.rows[range].chunk_by(|left, right| left.purchases == right.purchases) {
            let purchases = same_x[0].purchases;
            let exponent = model.r + model.form.stages(purchases);
            let tosses = model.form.tosses(purchases);
            let harmonics = Harmonics::new(model.form.k, exponent);
            for at in same_x {
                let (age, recency) = (&ages[at.age as usize], &recencies[at.recency as usize]);
                let alive = self.alive(at, model, exponent, age, &harmonics);
                sums.add_alive(at.customers, &alive);
                if tosses > 0.0 {
                    let left = Derived {
                        value: model.a.ln() - (model.b + (tosses - 1.0)).ln()
                            + exponent * (age.ln - recency.ln),
                        r: model.r * (age.ln - recency.ln),
                        alpha: exponent * (recency.part - age.part),
                        rr: model.r * (age.ln - recency.ln),
                        r_alpha: model.r * (recency.part - age.part),
                        alpha_alpha: exponent * (age.slope - recency.slope),
                    };
                    let b = model.b / (model.b + (tosses - 1.0));
                    sums.add_left(at.customers, &left.less(&alive), b);
                }
            }
        }
        sums
    }

    /// ln S with its derivatives.
    fn alive(
        &self,
        at: &Row,
        model: &BetaGeometric,
        exponent: f64,
        age: &Tabulated,
        harmonics: &Harmonics,
    ) -> Derived {
        let (ages, recencies) = (&self.ages, &self.recencies);
        let (end, last) = (ages[at.age as usize].age, recencies[at.recency as usize]);
        let stages = Stages::new(model.form.k, exponent, (end - last) / (model.alpha + end));
        let moments = harmonics.moments(stages.shares());
        let (r, q) = (model.r, 1.0 - age.part);
        Derived {
            value: stages.ln_total,
            r: r * moments.h,
            alpha: -q * moments.j,
            rr: r * (moments.h + r * (moments.hh - moments.h * moments.h)),
            r_alpha: -r * q * (moments.jh - moments.j * moments.h),
            alpha_alpha: q * (q * (moments.jj - moments.j * moments.j) - age.part * moments.j),
        }
    }
}

/// A quantity with its derivatives in ln r and ln α.
struct Derived {
    value: f64,
    r: f64,
    alpha: f64,
    rr: f64,
    r_alpha: f64,
    alpha_alpha: f64,
}

impl Derived {
    fn less(&self, other: &Self) -> Self {
        Self {
            value: self.value - other.value,
            r: self.r - other.r,
            alpha: self.alpha - other.alpha,
            rr: self.rr - other.rr,
            r_alpha: self.r_alpha - other.r_alpha,
            alpha_alpha: self.alpha_alpha - other.alpha_alpha,
        }
    }
}

impl Sums {
    fn add_alive(&mut self, customers: f64, alive: &Derived) {
        self.value += customers * alive.value;
        self.slope[0] += customers * alive.r;
        self.slope[1] += customers * alive.alpha;
        self.curve.rr += customers * alive.rr;
        self.curve.r_alpha += customers * alive.r_alpha;
        self.curve.alpha_alpha += customers * alive.alpha_alpha;
    }

    /// ln(1 + eᵘ), where besides ∂u/∂ln a = 1 and ∂u/∂ln b = −`b`.
    fn add_left(&mut self, customers: f64, u: &Derived, b: f64) {
        let e = (-u.value.abs()).exp();
        let inverse = 1.0 / (1.0 + e);
        let chance = customers * if u.value > 0.0 { inverse } else { e * inverse };
        let spread = customers * e * inverse * inverse;
        self.value += customers * (u.value.max(0.0) + e.ln_1p());
        self.slope[0] += chance * u.r;
        self.slope[1] += chance * u.alpha;
        self.slope[2] += chance;
        self.slope[3] -= chance * b;
        let curve = &mut self.curve;
        curve.rr += chance * u.rr + spread * u.r * u.r;
        curve.r_alpha += chance * u.r_alpha + spread * u.r * u.alpha;
        curve.r_a += spread * u.r;
        curve.r_b -= spread * u.r * b;
        curve.alpha_alpha += chance * u.alpha_alpha + spread * u.alpha * u.alpha;
        curve.alpha_a += spread * u.alpha;
        curve.alpha_b -= spread * u.alpha * b;
        curve.aa += spread;
        curve.ab -= spread * b;
        curve.bb += spread * b * b - chance * b * (1.0 - b);
    }
}

/// h_j and h_j² − g_j of each stage.
struct Harmonics([(f64, f64); MOST_STAGES as usize]);

/// Means of j, j², h, h² − g and j h over the stages.
#[derive(Default)]
struct Moments {
    j: f64,
    jj: f64,
    h: f64,
    hh: f64,
    jh: f64,
}

impl Harmonics {
    fn new(k: u32, exponent: f64) -> Self {
        let mut of_stage = [(0.0, 0.0); MOST_STAGES as usize];
        let (mut h, mut g) = (0.0, 0.0);
        for (j, place) in (0..k).zip(&mut of_stage) {
            *place = (h, h * h - g);
            let step = 1.0 / (exponent + f64::from(j));
            h += step;
            g += step * step;
        }
        Self(of_stage)
    }

    fn moments(&self, shares: &[f64; MOST_STAGES as usize]) -> Moments {
        let mut moments = Moments::default();
        let mut j = 0.0;
        for (&share, &(h, hh)) in shares.iter().zip(&self.0) {
            moments.j += share * j;
            moments.jj += share * j * j;
            moments.h += share * h;
            moments.hh += share * hh;
            moments.jh += share * j * h;
            j += 1.0;
        }
        moments
    }
}
