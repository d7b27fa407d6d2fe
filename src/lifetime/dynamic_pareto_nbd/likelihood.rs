//! The likelihood with time-varying covariates, and its derivatives.
//!
//! Each integral of a segment is a race of the two times of Pareto/NBD up to a limit, and its
//! derivatives are moments of it: within a segment both clocks run evenly, so that the logarithm of
//! what is integrated is, but for a constant, linear in each parameter's own coordinate of the race.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::design::{Design, Rates, Row};
use crate::lifetime::rates::Counts;
use crate::numeric::optimise::Evaluation;
use crate::numeric::pareto_race::{Lomax, RaceMoments, race_until};
use crate::numeric::reduce::sum_chunks;

/// A point of the parameter space.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point<'p> {
    pub(super) r: f64,
    pub(super) alpha: f64,
    pub(super) s: f64,
    pub(super) beta: f64,
    pub(super) trans: &'p [f64],
    pub(super) life: &'p [f64],
}

/// Of one customer: the probability to be alive at the end, the logarithm of the density of the
/// silence since the last purchase, and the clocks at the end (α + A, β + B).
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) alive: f64,
    pub(super) buy_clock: f64,
    pub(super) leave_clock: f64,
    ln_silence: f64,
}

/// Where a customer stands at the end, given the factors of each level.
pub(super) fn standing(design: &Design, row: &Row, rates: &[Rates], point: &Point<'_>) -> Standing {
    let (mut buy, mut leave) = (0.0, 0.0);
    for segment in design.before(row) {
        let factors = at(rates, segment.level);
        buy += factors.buy * segment.length;
        leave += factors.leave * segment.length;
    }
    let start = Start::new(row, point, buy, leave);
    let mut left = 0.0;
    for segment in design.after(row) {
        let factors = at(rates, segment.level);
        let stayed = start.stayed(buy, leave);
        let (leaves, buys) = start.race(point, factors, buy, leave);
        left += stayed * race_until::<false>(leaves, buys, segment.length).whole;
        buy += factors.buy * segment.length;
        leave += factors.leave * segment.length;
    }
    let stayed = start.stayed(buy, leave);
    let silent = (left + stayed).max(f64::MIN_POSITIVE);
    Standing {
        alive: (stayed / silent).min(1.0),
        buy_clock: point.alpha + buy,
        leave_clock: point.beta + leave,
        ln_silence: start.ln_alive + silent.ln(),
    }
}

/// The log-likelihood of all customers.
pub(super) fn value(design: &Design, counts: &Counts, rates: &[Rates], point: &Point<'_>) -> f64 {
    let of_rows = |range: Range<usize>| {
        let rows = design.rows.get(range).unwrap_or_default();
        let each = rows.iter().map(|row| standing(design, row, rates, point));
        each.fold(0.0, |sum, standing| sum + standing.ln_silence)
    };
    let silences = sum_chunks(design.rows.len(), of_rows, |left, right| left + right);
    let [rising, ..] = counts.rising(point.r);
    silences + rising + dot(point.trans, &design.sums)
}

/// The log-likelihood with its derivatives in ln r, ln α, ln s, ln β and the coefficients, those of the
/// purchases first.
pub(super) fn evaluate(design: &Design, counts: &Counts, point: &Point<'_>) -> Evaluation {
    let parameters = 4 + design.trans + design.life;
    let Some(rates) = design.rates(point.trans, point.life) else {
        return Evaluation {
            value: f64::NAN,
            gradient: DVector::zeros(parameters),
            hessian: DMatrix::zeros(parameters, parameters),
        };
    };
    let of_rows = |range: Range<usize>| {
        let mut sums = Sums::new(parameters);
        let mut work = Work::new(design);
        for row in design.rows.get(range).unwrap_or_default() {
            work.add_row(design, row, &rates, point, &mut sums);
        }
        sums
    };
    let mut sums = sum_chunks(design.rows.len(), of_rows, Sums::plus);
    let [value, slope, curve] = counts.rising(point.r);
    sums.value += value + dot(point.trans, &design.sums);
    sums.gradient[0] += slope;
    sums.hessian[(0, 0)] += curve;
    for (i, sum) in design.sums.iter().enumerate() {
        sums.gradient[4 + i] += sum;
    }
    sums.hessian.fill_upper_triangle_with_lower_triangle();
    Evaluation {
        value: sums.value,
        gradient: sums.gradient,
        hessian: sums.hessian,
    }
}

pub(super) fn at(rates: &[Rates], level: u32) -> Rates {
    let none = Rates {
        buy: 1.0,
        leave: 1.0,
    };
    rates.get(level as usize).copied().unwrap_or(none)
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

/// A customer at the last purchase.
struct Start {
    purchases: f64,
    r: f64,
    s: f64,
    buy: f64,
    leave: f64,
    buy_clock: f64,
    leave_clock: f64,
    /// −r ln(1 + A/α) − x ln(α + A) − s ln(1 + B/β).
    ln_alive: f64,
}

impl Start {
    fn new(row: &Row, point: &Point<'_>, buy: f64, leave: f64) -> Self {
        let purchases = row.purchases;
        let Point {
            r, alpha, s, beta, ..
        } = *point;
        let ln_alive = -r * (buy / alpha).ln_1p()
            - purchases * (alpha + buy).ln()
            - s * (leave / beta).ln_1p();
        Self {
            purchases,
            r,
            s,
            buy,
            leave,
            buy_clock: alpha + buy,
            leave_clock: beta + leave,
            ln_alive,
        }
    }

    /// The probability to have stayed and not bought until the clocks have come so far.
    fn stayed(&self, buy: f64, leave: f64) -> f64 {
        let not_bought = ((buy - self.buy) / self.buy_clock).ln_1p();
        let not_left = ((leave - self.leave) / self.leave_clock).ln_1p();
        (-(self.r + self.purchases) * not_bought - self.s * not_left).exp()
    }

    /// Leaving and the next purchase, in calendar time, as if the factors lasted.
    fn race(&self, point: &Point<'_>, factors: Rates, buy: f64, leave: f64) -> (Lomax, Lomax) {
        let leaves = Lomax {
            shape: self.s,
            scale: (point.beta + leave) / factors.leave,
        };
        let buys = Lomax {
            shape: self.r + self.purchases,
            scale: (point.alpha + buy) / factors.buy,
        };
        (leaves, buys)
    }
}

/// Sums over customers.
struct Sums {
    value: f64,
    gradient: DVector<f64>,
    /// The lower triangle.
    hessian: DMatrix<f64>,
}

impl Sums {
    fn new(parameters: usize) -> Self {
        Self {
            value: 0.0,
            gradient: DVector::zeros(parameters),
            hessian: DMatrix::zeros(parameters, parameters),
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.value += other.value;
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self
    }
}

/// A clock's reading α + A with its derivatives in ln α and the coefficients.
struct Clock {
    offset: f64,
    elapsed: f64,
    first: Vec<f64>,
    /// Row by row, whole.
    second: Vec<f64>,
}

impl Clock {
    fn new(covariates: usize) -> Self {
        let width = 1 + covariates;
        Self {
            offset: 0.0,
            elapsed: 0.0,
            first: vec![0.0; width],
            second: vec![0.0; width * width],
        }
    }

    fn reset(&mut self, offset: f64) {
        (self.offset, self.elapsed) = (offset, 0.0);
        self.first.fill(0.0);
        self.second.fill(0.0);
        self.first[0] = offset;
        self.second[0] = offset;
    }

    fn reading(&self) -> f64 {
        self.offset + self.elapsed
    }

    fn advance(&mut self, by: f64, covariates: &[f64]) {
        self.elapsed += by;
        let width = self.first.len();
        for (i, left) in (1..).zip(covariates) {
            self.first[i] += by * left;
            for (j, right) in (1..).zip(covariates) {
                self.second[i * width + j] += by * left * right;
            }
        }
    }
}

/// What one side of the race, buying or leaving, puts into the derivatives of a piece.
struct Side<'c> {
    clock: &'c Clock,
    /// r or s, and the power to which the reading stands.
    shape: f64,
    power: f64,
    /// The covariates of the segment, of a piece in which the customer leaves also those that make
    /// its density.
    covariates: Option<&'c [f64]>,
    of_density: bool,
    /// The places of the shape, of the offset, and of the first coefficient among the parameters.
    places: (usize, usize, usize),
    /// The coordinates of the race: ln(P′/P) and P/P′.
    coordinates: (usize, usize),
}

/// A parameter's part of a logarithm: constant + slope · coordinate.
#[derive(Clone, Copy, Default)]
struct Linear {
    constant: f64,
    slope: f64,
    coordinate: usize,
}

/// What is needed to add one customer, made once for many.
struct Work {
    buy: Clock,
    leave: Clock,
    linear: Vec<Linear>,
    /// Of one customer, relative to the density at the last purchase.
    whole: f64,
    gradient: DVector<f64>,
    hessian: DMatrix<f64>,
}

impl Work {
    fn new(design: &Design) -> Self {
        let parameters = 4 + design.trans + design.life;
        Self {
            buy: Clock::new(design.trans),
            leave: Clock::new(design.life),
            linear: vec![Linear::default(); parameters],
            whole: 0.0,
            gradient: DVector::zeros(parameters),
            hessian: DMatrix::zeros(parameters, parameters),
        }
    }

    fn add_row(
        &mut self,
        design: &Design,
        row: &Row,
        rates: &[Rates],
        point: &Point<'_>,
        sums: &mut Sums,
    ) {
        self.whole = 0.0;
        self.gradient.fill(0.0);
        self.hessian.fill(0.0);
        self.buy.reset(point.alpha);
        self.leave.reset(point.beta);
        for segment in design.before(row) {
            self.advance(design, segment.level, segment.length, rates);
        }
        let start = Start::new(row, point, self.buy.elapsed, self.leave.elapsed);
        for segment in design.after(row) {
            let (buy, leave) = (self.buy.elapsed, self.leave.elapsed);
            let (leaves, buys) = start.race(point, at(rates, segment.level), buy, leave);
            let left = race_until::<true>(leaves, buys, segment.length);
            let covariates = Some(design.level(segment.level));
            self.add_piece(&start, start.stayed(buy, leave), &left, covariates);
            self.advance(design, segment.level, segment.length, rates);
        }
        let stayed = start.stayed(self.buy.elapsed, self.leave.elapsed);
        self.add_piece(
            &start,
            stayed,
            &RaceMoments::at(1.0, [0.0, 1.0, 0.0, 1.0]),
            None,
        );

        let whole = self.whole.max(f64::MIN_POSITIVE);
        self.gradient /= whole;
        self.hessian /= whole;
        sums.value += start.ln_alive + whole.ln();
        sums.gradient += &self.gradient;
        for j in 0..self.gradient.len() {
            for i in j..self.gradient.len() {
                sums.hessian[(i, j)] += self.hessian[(i, j)] - self.gradient[i] * self.gradient[j];
            }
        }
    }

    fn advance(&mut self, design: &Design, level: u32, length: f64, rates: &[Rates]) {
        let (trans, life) = design.level(level);
        let factors = at(rates, level);
        self.buy.advance(factors.buy * length, trans);
        self.leave.advance(factors.leave * length, life);
    }

    /// Adds the customers who leave in a segment (or, without covariates, those who stay to the end).
    fn add_piece(
        &mut self,
        start: &Start,
        weight: f64,
        moments: &RaceMoments,
        covariates: Option<(&[f64], &[f64])>,
    ) {
        let leaves = covariates.is_some();
        let buy = Side {
            clock: &self.buy,
            shape: start.r,
            power: start.r + start.purchases,
            covariates: covariates.map(|(trans, _)| trans),
            of_density: false,
            places: (0, 1, 4),
            coordinates: (2, 3),
        };
        let leave = Side {
            clock: &self.leave,
            shape: start.s,
            power: if leaves { start.s + 1.0 } else { start.s },
            covariates: covariates.map(|(_, life)| life),
            of_density: leaves,
            places: (2, 3, 3 + self.buy.first.len()),
            coordinates: (0, 1),
        };
        self.whole += weight * moments.whole;
        for side in [&buy, &leave] {
            side.fill(&mut self.linear);
            side.add_curvature(weight, moments, &mut self.hessian);
        }
        for (j, right) in self.linear.iter().enumerate() {
            let mean = moments.means[right.coordinate];
            self.gradient[j] += weight * (right.constant * moments.whole + right.slope * mean);
            for (i, left) in self.linear.iter().enumerate().skip(j) {
                let product = left.constant * right.constant * moments.whole
                    + left.constant * right.slope * mean
                    + left.slope * right.constant * moments.means[left.coordinate]
                    + left.slope * right.slope * moments.product(left.coordinate, right.coordinate);
                self.hessian[(i, j)] += weight * product;
            }
        }
    }
}

impl Side<'_> {
    /// The covariate of the clock's parameter number `j`, the offset's being 0.
    fn covariate(&self, j: usize) -> f64 {
        let values = self.covariates.unwrap_or_default();
        let value = j.checked_sub(1).and_then(|i| values.get(i));
        value.copied().unwrap_or_default()
    }

    fn place(&self, j: usize) -> usize {
        match j.checked_sub(1) {
            None => self.places.1,
            Some(i) => self.places.2 + i,
        }
    }

    /// The share of the clock's derivative in its reading, less the covariate: what the coordinate
    /// P/P′ is multiplied with.
    fn excess(&self, j: usize) -> f64 {
        self.clock.first[j] / self.clock.reading() - self.covariate(j)
    }

    /// The logarithm of a piece is shape · ln offset − power · ln P′, and of the density of leaving
    /// ln shape + γ · z.
    fn fill(&self, linear: &mut [Linear]) {
        let ln_reading = (self.clock.elapsed / self.clock.offset).ln_1p();
        let (by_log, by_share) = self.coordinates;
        linear[self.places.0] = Linear {
            constant: f64::from(u8::from(self.of_density)) - self.shape * ln_reading,
            slope: -self.shape,
            coordinate: by_log,
        };
        for j in 0..self.clock.first.len() {
            let covariate = self.covariate(j);
            let own = match j {
                0 => self.shape,
                _ if self.of_density => covariate,
                _ => 0.0,
            };
            linear[self.place(j)] = Linear {
                constant: own - self.power * covariate,
                slope: -self.power * self.excess(j),
                coordinate: by_share,
            };
        }
    }

    /// The second derivatives of the logarithm itself.
    fn add_curvature(&self, weight: f64, moments: &RaceMoments, hessian: &mut DMatrix<f64>) {
        let (by_log, by_share) = self.coordinates;
        let (whole, log) = (moments.whole, moments.means[by_log]);
        let share = moments.means[by_share];
        let square = moments.product(by_share, by_share);
        let reading = self.clock.reading();
        let ln_reading = (self.clock.elapsed / self.clock.offset).ln_1p();
        let shape = self.places.0;
        hessian[(shape, shape)] -= weight * self.shape * (ln_reading * whole + log);
        let width = self.clock.first.len();
        for j in 0..width {
            let (covariate, excess) = (self.covariate(j), self.excess(j));
            let own = if j == 0 { whole } else { 0.0 };
            let crossed = self.shape * (own - covariate * whole - excess * share);
            let place = self.place(j);
            hessian[(place.max(shape), place.min(shape))] += weight * crossed;
            for i in j..width {
                let other = self.covariate(i);
                let (first, second) = (&self.clock.first, &self.clock.second);
                let bent = (second[i * width + j] - other * first[j] - covariate * first[i])
                    / reading
                    + other * covariate;
                let curvature = bent * share - self.excess(i) * excess * square;
                let there = self.place(i);
                hessian[(there.max(place), there.min(place))] -= weight * self.power * curvature;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Decimals, Timestamp, Transactions, Zone};
    use crate::lifetime::dynamic_pareto_nbd::design::Columns;
    use crate::numeric::optimise::assert_derivatives;
    use crate::summary::{
        CovariatePaths, Grain, PathHistories, PathValues, PeriodGrid, PurchaseOptions,
        PurchaseSummary, Refunds, TimeUnit,
    };
    use proptest::prelude::*;

    /// Two covariates of buying and two of leaving, one of them both, over 40 weeks.
    fn design() -> (Design, Counts) {
        let start = Timestamp::from_civil(2005, 1, 2).unwrap();
        let at = |weeks: f64| start.saturating_add_s((weeks * 604_800.0) as i64);
        let rows = [
            ("a", vec![0.3, 2.0, 7.9, 8.1, 20.5]),
            ("b", vec![0.0]),
            ("c", vec![5.25, 6.0, 6.5, 7.0, 7.5, 9.0]),
            ("d", vec![1.5, 29.99]),
            ("e", vec![12.0, 30.0]),
            ("f", vec![0.1, 0.2, 0.3, 0.4]),
        ];
        let rows = rows
            .into_iter()
            .flat_map(|(key, times)| times.into_iter().map(move |time| (key, at(time), 1)));
        let (log, _) = Transactions::from_rows(Decimals::TWO, rows).unwrap();
        let options = PurchaseOptions {
            grain: Grain::Instant,
            zone: Zone::UTC,
            refunds: Refunds::Ignore,
        };
        let summary = PurchaseSummary::collect(&log, &options).unwrap();
        let weeks = PeriodGrid::weeks(start, 40).unwrap();
        let wave = |every: f64| move |i: u32| (f64::from(i) * every).sin();
        let columns = vec![
            (
                "season".to_owned(),
                PathValues::Shared((0..40).map(|i| f64::from(i % 13 / 9)).collect()),
            ),
            (
                "price".to_owned(),
                PathValues::Varying((0..240).map(wave(0.7)).collect()),
            ),
            (
                "place".to_owned(),
                PathValues::Constant((0..6).map(wave(1.3)).collect()),
            ),
        ];
        let paths = CovariatePaths::from_columns(weeks, 6, columns).unwrap();
        let purchases = summary.purchases().unwrap();
        let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
        let columns = Columns {
            trans: vec![0, 1],
            life: vec![2, 0],
        };
        let counts = Counts::new(&data.histories().distinct()).unwrap();
        (Design::new(&data, &columns).unwrap(), counts)
    }

    fn at(parameters: [f64; 8]) -> Evaluation {
        let (design, counts) = design();
        let [r, alpha, s, beta, trans @ .., life, season] = parameters;
        let life = [life, season];
        let point = Point {
            r: r.exp(),
            alpha: alpha.exp(),
            s: s.exp(),
            beta: beta.exp(),
            trans: &trans,
            life: &life,
        };
        let evaluation = evaluate(&design, &counts, &point);
        let rates = design.rates(&trans, &life).unwrap();
        let alone = value(&design, &counts, &rates, &point);
        let size = 1.0 + alone.abs();
        assert!((evaluation.value - alone).abs() < 1e-12 * size, "{alone}");
        evaluation
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        assert_derivatives([0.1, 1.5, -0.6, 2.0, 0.8, -0.4, 1.2, -0.9], at);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn derivatives_are_those_of_the_value_anywhere(
            logs in prop::array::uniform4(-3.0..3.0f64),
            coefficients in prop::array::uniform4(-2.0..2.0f64),
        ) {
            let ([r, alpha, s, beta], [a, b, c, d]) = (logs, coefficients);
            assert_derivatives([r, alpha, s, beta, a, b, c, d], at);
        }
    }
}
