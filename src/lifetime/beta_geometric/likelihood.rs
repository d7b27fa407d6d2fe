//! The likelihood of all customers, with its derivatives.
//!
//! With R = r + k x, c tosses survived and L = ln((α + T) / (α + t_x)) its logarithm is
//!
//! lnΓ(R) − lnΓ(r) + lnB(a, b+c) − lnB(a, b) − r ln(1 + T/α) − k x ln(α + T) + ln(S + eᵘ),
//! u = ln a − ln(b + c − 1) + R L, the exponential for c > 0 only.
//!
//! The first two terms depend on x, the next two on T and on sums of x; only the last needs each
//! distinct history, and where S = 1 (k = 1) of those only one exponential, because L is a
//! difference of two tabulated logarithms.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::stages::Stages;
use super::{BetaGeometric, Form};
use crate::numeric::beta::ln_beta_ratio;
use crate::numeric::elementary::{exp_all, ln_1p, ln_1p_all};
use crate::numeric::gamma::{digamma_diff, ln_gamma_ratio, trigamma_diff};
use crate::numeric::lanes::Level;
use crate::numeric::optimise::Evaluation;
use crate::numeric::reduce::sum_chunks;
use crate::summary::{DistinctHistories, Numbering};

/// The data, arranged by what each term depends on.
pub struct Likelihood {
    form: Form,
    frequencies: Vec<Frequency>,
    pub(super) ages: Vec<Age>,
    /// The distinct recencies of `rows`.
    pub(super) recencies: Vec<f64>,
    /// The distinct histories with a last term, ascending in x.
    pub(super) rows: Vec<Row>,
}

/// Customers with the same number of repeat purchases.
struct Frequency {
    purchases: u32,
    customers: f64,
}

/// Customers with the same age.
pub(super) struct Age {
    pub(super) age: f64,
    customers: f64,
    /// Stages of their purchases.
    stages: f64,
}

/// One distinct history.
pub(super) struct Row {
    pub(super) purchases: u32,
    pub(super) customers: f64,
    pub(super) age: u32,
    pub(super) recency: u32,
}

/// What a time y contributes at a given α: ln(1 + y/α), y/(α + y) and the latter's slope in ln α,
/// negated. Differences of these keep their digits however large α is.
pub(super) struct Tabulated {
    pub(super) ln: f64,
    pub(super) part: f64,
    pub(super) slope: f64,
}

impl Tabulated {
    fn new(time: f64, alpha: f64) -> Self {
        let part = time / (alpha + time);
        Self {
            ln: (time / alpha).ln_1p(),
            part,
            slope: part * (1.0 - part),
        }
    }
}

impl Likelihood {
    pub(in crate::lifetime) fn new(histories: &DistinctHistories, form: Form) -> Self {
        let mut frequencies: Vec<Frequency> = Vec::new();
        let mut ages: Vec<Age> = Vec::new();
        let mut rows = Vec::new();
        let (mut of_age, mut of_recency) = (Numbering::new(), Numbering::new());
        for (history, count) in histories.iter() {
            let (purchases, customers) = (history.frequency, f64::from(count));
            match frequencies.last_mut() {
                Some(last) if last.purchases == purchases => last.customers += customers,
                _ => frequencies.push(Frequency {
                    purchases,
                    customers,
                }),
            }
            let age = of_age.number(history.age.to_bits());
            let stages = form.stages(purchases) * customers;
            match ages.get_mut(age as usize) {
                Some(known) => {
                    known.customers += customers;
                    known.stages += stages;
                }
                None => ages.push(Age {
                    age: history.age,
                    customers,
                    stages,
                }),
            }
            if form.tosses(purchases) > 0.0 || form.k > 1 {
                rows.push(Row {
                    purchases,
                    customers,
                    age,
                    recency: of_recency.number(history.recency.to_bits()),
                });
            }
        }
        let recencies = of_recency.into_keys();
        Self {
            form,
            frequencies,
            ages,
            recencies: recencies.into_iter().map(f64::from_bits).collect(),
            rows,
        }
    }

    /// Σ T over the customers.
    pub(super) fn total_age(&self) -> f64 {
        self.ages.iter().map(|a| a.age * a.customers).sum()
    }

    /// The units of r, α, a and b: α is measured by the mean age.
    pub(in crate::lifetime) fn units(&self) -> [f64; 4] {
        let customers: f64 = self.ages.iter().map(|a| a.customers).sum();
        [1.0, self.total_age() / customers, 1.0, 1.0]
    }

    /// Σ x and Σ x² over the customers.
    pub(super) fn repeats(&self) -> (f64, f64) {
        self.frequencies
            .iter()
            .fold((0.0, 0.0), |(sum, squares), f| {
                let x = f64::from(f.purchases);
                (sum + x * f.customers, squares + x * x * f.customers)
            })
    }

    /// The log-likelihood up to what does not depend on the parameters: the times between
    /// purchases, (k − 1) Σ ln gap − Σ x lnΓ(k).
    pub(in crate::lifetime) fn value(&self, model: &BetaGeometric) -> f64 {
        debug_assert_eq!(model.form, self.form);
        let &BetaGeometric { r, alpha, a, b, .. } = model;
        let of_frequencies = self.frequencies.iter().map(|of| {
            let (stages, tosses) = (
                self.form.stages(of.purchases),
                self.form.tosses(of.purchases),
            );
            of.customers * (ln_gamma_ratio(r, stages) + ln_beta_ratio(a, b, tosses))
        });
        let ln_alpha = alpha.ln();
        let level = Level::detect();
        let logarithms = |mut ratios: Vec<f64>| {
            ln_1p_all(level, &mut ratios);
            ratios
        };
        let ages = logarithms(self.ages.iter().map(|at| at.age / alpha).collect());
        let recencies = logarithms(self.recencies.iter().map(|time| time / alpha).collect());
        let of_ages = self.ages.iter().zip(&ages);
        let value = of_ages.fold(of_frequencies.sum(), |value: f64, (at, ln)| {
            value - (r * at.customers * ln + at.stages * (ln_alpha + ln))
        });
        let of_rows = sum_chunks(
            self.rows.len(),
            |range| self.value_of_rows(range, model, &ages, &recencies),
            |left, right| left + right,
        );
        value + of_rows
    }

    /// Σ ln(S + eᵘ) of some rows.
    fn value_of_rows(
        &self,
        range: Range<usize>,
        model: &BetaGeometric,
        ages: &[f64],
        recencies: &[f64],
    ) -> f64 {
        let k = self.form.k;
        let mut value = 0.0;
        let rows = &self.rows[range];
        // u, or −∞ where nobody can have left.
        let mut odds = Vec::with_capacity(rows.len());
        for same_x in rows.chunk_by(|left, right| left.purchases == right.purchases) {
            let purchases = same_x[0].purchases;
            let tosses = self.form.tosses(purchases);
            let exponent = model.r + self.form.stages(purchases);
            let ln_odds = match tosses > 0.0 {
                true => model.a.ln() - (model.b + (tosses - 1.0)).ln(),
                false => f64::NEG_INFINITY,
            };
            for at in same_x {
                let mut u =
                    ln_odds + exponent * (ages[at.age as usize] - recencies[at.recency as usize]);
                if k > 1 {
                    let end = self.ages[at.age as usize].age;
                    let silence = end - self.recencies[at.recency as usize];
                    let ln_stages =
                        Stages::new(k, exponent, silence / (model.alpha + end)).ln_total;
                    value += at.customers * ln_stages;
                    u -= ln_stages;
                }
                odds.push(u);
            }
        }
        let mut powers = odds.clone();
        exp_all(Level::detect(), &mut powers);
        let mut product = LnProduct::default();
        for (at, (u, power)) in rows.iter().zip(odds.into_iter().zip(powers)) {
            product.times_one_plus_exp(u, power, at.customers);
        }
        value + product.ln()
    }

    /// As [`value`](Self::value), with the derivatives in ln r, ln α, ln a, ln b.
    pub(in crate::lifetime) fn evaluate(&self, model: &BetaGeometric) -> Evaluation {
        debug_assert_eq!(model.form, self.form);
        let mut sums = self.of_frequencies(model);
        let ages: Vec<Tabulated> = self.tabulate_ages(model, &mut sums);
        let tabulated = |&time: &f64| Tabulated::new(time, model.alpha);
        let recencies: Vec<Tabulated> = self.recencies.iter().map(tabulated).collect();
        let of_rows = sum_chunks(
            self.rows.len(),
            |range| {
                if self.form.k == 1 {
                    self.of_rows(range, model, &ages, &recencies)
                } else {
                    self.of_rows_in_stages(range, model, &ages, &recencies)
                }
            },
            Sums::plus,
        );
        sums.plus(of_rows).evaluation()
    }

    fn of_frequencies(&self, &BetaGeometric { r, a, b, .. }: &BetaGeometric) -> Sums {
        let mut sums = Sums::default();
        for &Frequency {
            purchases,
            customers: n,
        } in &self.frequencies
        {
            let (stages, tosses) = (self.form.stages(purchases), self.form.tosses(purchases));
            if tosses == 0.0 {
                continue;
            }
            let value = ln_gamma_ratio(r, stages) + ln_beta_ratio(a, b, tosses);
            let (rate, rate_curve) = (digamma_diff(r, stages), trigamma_diff(r, stages));
            let (both, both_curve) = (digamma_diff(a + b, tosses), trigamma_diff(a + b, tosses));
            let (stay, stay_curve) = (digamma_diff(b, tosses), trigamma_diff(b, tosses));
            sums.value += n * value;
            sums.slope[0] += n * r * rate;
            sums.slope[2] -= n * a * both;
            sums.slope[3] += n * b * (stay - both);
            sums.curve.rr += n * r * (rate + r * rate_curve);
            sums.curve.aa -= n * a * (both + a * both_curve);
            sums.curve.ab -= n * a * b * both_curve;
            sums.curve.bb += n * b * ((stay - both) + b * (stay_curve - both_curve));
        }
        sums
    }

    /// Adds the terms that depend on T and hands back the table for the rest.
    fn tabulate_ages(
        &self,
        &BetaGeometric { r, alpha, .. }: &BetaGeometric,
        sums: &mut Sums,
    ) -> Vec<Tabulated> {
        let ln_alpha = alpha.ln();
        let ages = self.ages.iter().map(|at| {
            let table = Tabulated::new(at.age, alpha);
            let (n, stages) = (at.customers, at.stages);
            sums.value -= r * n * table.ln + stages * (ln_alpha + table.ln);
            sums.slope[0] -= r * n * table.ln;
            sums.slope[1] += r * n * table.part - stages * (1.0 - table.part);
            sums.curve.rr -= r * n * table.ln;
            sums.curve.r_alpha += r * n * table.part;
            sums.curve.alpha_alpha -= (r * n + stages) * table.slope;
            table
        });
        ages.collect()
    }

    /// ln(1 + eᵘ) of some rows. Sums over equal x stay in the quantities that differ within
    /// (L, and the differences of the table's parts and slopes) and are expanded at the end.
    fn of_rows(
        &self,
        range: Range<usize>,
        &BetaGeometric { r, a, b, .. }: &BetaGeometric,
        ages: &[Tabulated],
        recencies: &[Tabulated],
    ) -> Sums {
        let mut sums = Sums::default();
        for same_x in self.rows[range].chunk_by(|left, right| left.purchases == right.purchases) {
            let purchases = same_x[0].purchases;
            let stays = b + (self.form.tosses(purchases) - 1.0);
            let ln_odds = a.ln() - stays.ln();
            let exponent = r + f64::from(purchases);
            let mut left = Within::default();
            let mut spread = Spread::default();
            for at in same_x {
                let (age, recency) = (&ages[at.age as usize], &recencies[at.recency as usize]);
                let ln = age.ln - recency.ln;
                let part = recency.part - age.part;
                let u = ln_odds + exponent * ln;
                let e = (-u.abs()).exp();
                let inverse = 1.0 / (1.0 + e);
                let chance = if u > 0.0 { inverse } else { e * inverse };
                sums.value += at.customers * (u.max(0.0) + e.ln_1p());
                left.add(at.customers * chance, ln, part, age.slope - recency.slope);
                spread.add(at.customers * e * inverse * inverse, ln, part);
            }
            sums.add_rows(r, exponent, b / stays, &left, &spread);
        }
        sums
    }
}

/// Σ n ln(1 + eᵘ) with few logarithms: of a product, as long as that is a number.
struct LnProduct {
    sum: f64,
    product: f64,
}

impl Default for LnProduct {
    fn default() -> Self {
        Self {
            sum: 0.0,
            product: 1.0,
        }
    }
}

impl LnProduct {
    /// With eᵘ.
    fn times_one_plus_exp(&mut self, u: f64, power: f64, customers: f64) {
        const LARGE: f64 = 1e200;
        // Their exponential leaves room below the largest number.
        const LARGEST: f64 = 200.0;
        if u > LARGEST {
            self.sum += customers * (u + (-u).exp().ln_1p());
            return;
        }
        if customers > 1.0 {
            self.sum += customers * ln_1p(power);
            return;
        }
        self.product *= 1.0 + power;
        if self.product > LARGE {
            self.sum += self.product.ln();
            self.product = 1.0;
        }
    }

    fn ln(&self) -> f64 {
        self.sum + self.product.ln()
    }
}

/// Σ σ(u) times what u's first and second derivatives are made of.
#[derive(Default)]
struct Within {
    all: f64,
    ln: f64,
    part: f64,
    slope: f64,
}

impl Within {
    fn add(&mut self, weight: f64, ln: f64, part: f64, slope: f64) {
        self.all += weight;
        self.ln += weight * ln;
        self.part += weight * part;
        self.slope += weight * slope;
    }
}

/// Σ σ′(u) times the products of what u's first derivatives are made of.
#[derive(Default)]
struct Spread {
    all: f64,
    ln: f64,
    part: f64,
    ln_ln: f64,
    ln_part: f64,
    part_part: f64,
}

impl Spread {
    fn add(&mut self, weight: f64, ln: f64, part: f64) {
        self.all += weight;
        self.ln += weight * ln;
        self.part += weight * part;
        self.ln_ln += weight * ln * ln;
        self.ln_part += weight * ln * part;
        self.part_part += weight * part * part;
    }
}

/// The log-likelihood and its derivatives in ln r, ln α, ln a, ln b.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) value: f64,
    pub(super) slope: [f64; 4],
    pub(super) curve: Curve,
}

/// The second derivatives.
#[derive(Default)]
pub(super) struct Curve {
    pub(super) rr: f64,
    pub(super) r_alpha: f64,
    pub(super) r_a: f64,
    pub(super) r_b: f64,
    pub(super) alpha_alpha: f64,
    pub(super) alpha_a: f64,
    pub(super) alpha_b: f64,
    pub(super) aa: f64,
    pub(super) ab: f64,
    pub(super) bb: f64,
}

impl Sums {
    /// ∂u/∂ln r = r L, ∂u/∂ln α = R (t_x/(α + t_x) − T/(α + T)), ∂u/∂ln a = 1,
    /// ∂u/∂ln b = −b / (b + c − 1).
    fn add_rows(&mut self, r: f64, exponent: f64, b: f64, left: &Within, spread: &Spread) {
        self.slope[0] += r * left.ln;
        self.slope[1] += exponent * left.part;
        self.slope[2] += left.all;
        self.slope[3] -= b * left.all;
        let curve = &mut self.curve;
        curve.rr += r * left.ln + r * r * spread.ln_ln;
        curve.r_alpha += r * left.part + r * exponent * spread.ln_part;
        curve.r_a += r * spread.ln;
        curve.r_b -= r * b * spread.ln;
        curve.alpha_alpha += exponent * (left.slope + exponent * spread.part_part);
        curve.alpha_a += exponent * spread.part;
        curve.alpha_b -= exponent * b * spread.part;
        curve.aa += spread.all;
        curve.ab -= b * spread.all;
        curve.bb += b * b * spread.all - b * (1.0 - b) * left.all;
    }

    fn plus(mut self, other: Self) -> Self {
        self.value += other.value;
        for (sum, term) in self.slope.iter_mut().zip(other.slope) {
            *sum += term;
        }
        let (to, from) = (&mut self.curve, other.curve);
        to.rr += from.rr;
        to.r_alpha += from.r_alpha;
        to.r_a += from.r_a;
        to.r_b += from.r_b;
        to.alpha_alpha += from.alpha_alpha;
        to.alpha_a += from.alpha_a;
        to.alpha_b += from.alpha_b;
        to.aa += from.aa;
        to.ab += from.ab;
        to.bb += from.bb;
        self
    }

    fn evaluation(self) -> Evaluation {
        let c = self.curve;
        let rows = [
            [c.rr, c.r_alpha, c.r_a, c.r_b],
            [c.r_alpha, c.alpha_alpha, c.alpha_a, c.alpha_b],
            [c.r_a, c.alpha_a, c.aa, c.ab],
            [c.r_b, c.alpha_b, c.ab, c.bb],
        ];
        Evaluation {
            value: self.value,
            gradient: DVector::from_column_slice(&self.slope),
            hessian: DMatrix::from_row_slice(4, 4, rows.as_flattened()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::optimise::assert_derivatives;
    use crate::summary::{Histories, HistoryColumns, TimeUnit};
    use proptest::prelude::*;

    fn data(form: Form) -> Likelihood {
        let rows = [
            (0, 0.0, 38.9, 3),
            (0, 0.0, 27.0, 2),
            (1, 1.7, 38.9, 1),
            (1, 38.4, 38.9, 2),
            (2, 30.4, 38.9, 1),
            (2, 27.0, 27.0, 1),
            (7, 29.4, 38.9, 1),
            (40, 10.0, 30.0, 1),
        ];
        let mut columns = HistoryColumns::default();
        for (x, recency, age, count) in rows {
            for _ in 0..count {
                columns.frequency.push(x);
                columns.recency.push(recency);
                columns.age.push(age);
            }
        }
        let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
        Likelihood::new(&histories.distinct(), form)
    }

    proptest! {
        #[test]
        fn the_value_is_that_beside_the_derivatives(
            k in 1u32..=12,
            at_first in 0u32..=1,
            logs in [-9.0..9.0f64, -9.0..9.0f64, -9.0..9.0f64, -9.0..9.0f64],
        ) {
            let form = Form { k, at_first };
            let data = data(form);
            let model = BetaGeometric::new(form, logs.map(f64::exp));
            let (value, expected) = (data.value(&model), data.evaluate(&model).value);
            prop_assert!((value - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{value} {expected}");
        }

        #[test]
        fn derivatives_are_those_of_the_value(
            k in 1u32..=12,
            at_first in 0u32..=1,
            logs in [-2.0..2.0f64, -1.0..4.0f64, -3.0..3.0f64, -3.0..3.0f64],
        ) {
            let form = Form { k, at_first };
            let data = data(form);
            assert_derivatives(logs, |logs| {
                data.evaluate(&BetaGeometric::new(form, logs.map(f64::exp)))
            });
        }
    }
}
