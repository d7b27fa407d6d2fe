//! Minimising a smooth function of a few parameters with its gradient and Hessian.
//!
//! Newton's method in a trust region, each step solved exactly from the eigenvalues of the
//! Hessian (Moré and Sorensen 1983; Conn, Gould and Toint, *Trust-Region Methods*, 2000,
//! algorithm 7.3.4). Indefinite and singular Hessians need no special care by the caller. A model
//! passes unconstrained parameters, usually logarithms, and hears how the search ended: a
//! likelihood without an interior maximum sends them to infinity, which is an answer and not a
//! failure of the search.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// The function at one point.
#[derive(Clone, Debug)]
pub struct Evaluation {
    pub(crate) value: f64,
    pub(crate) gradient: DVector<f64>,
    pub(crate) hessian: DMatrix<f64>,
}

/// Fails unless gradient and Hessian are those of the value, by central differences.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_derivatives<const N: usize>(
    at: [f64; N],
    evaluate: impl Fn([f64; N]) -> Evaluation,
) {
    const STEP: f64 = 1e-4;
    let here = evaluate(at);
    let scale = 1.0 + here.value.abs();
    for i in 0..N {
        let moved = |by: f64| {
            let mut at = at;
            at[i] += by;
            evaluate(at)
        };
        let (up, down) = (moved(STEP), moved(-STEP));
        let slope = (up.value - down.value) / (2.0 * STEP);
        assert!(
            (here.gradient[i] - slope).abs() < 1e-6 * scale,
            "{i}: {slope}"
        );
        let slopes = (up.gradient - down.gradient) / (2.0 * STEP);
        for j in 0..N {
            let difference = (here.hessian[(i, j)] - slopes[j]).abs();
            assert!(difference < 1e-6 * scale, "{i} {j}: {}", slopes[j]);
        }
    }
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Steps, rejected ones included.
    pub(crate) iterations: u32,
    /// On the largest |gᵢ| · max(|xᵢ|, 1) / max(|f|, 1).
    pub(crate) gradient: f64,
    /// A parameter beyond ±`bound` has run away.
    pub(crate) bound: f64,
    /// A parameter by its place that has run away already where it is below this.
    pub(crate) floor: Option<(usize, f64)>,
}

impl Limits {
    /// For logarithms of parameters that are naturally within a few orders of magnitude of one.
    pub(crate) const LOG_PARAMETERS: Self = Self {
        iterations: 500,
        gradient: 1e-10,
        bound: 25.0,
        floor: None,
    };
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Status {
    /// A minimum in the interior: flat to the tolerance, not curved downwards, and the next Newton
    /// step would not move.
    Converged,
    /// No step improves the value by more than its rounding, yet the gradient is not flat.
    Stalled,
    /// The infimum is approached as the parameters go off along this unit vector.
    DivergedAlong(DVector<f64>),
    /// The iterations ran out.
    IterationLimit,
}

/// Where a search ended. All numbers are finite.
#[derive(Clone, Debug)]
pub(crate) struct Optimum {
    pub(crate) x: DVector<f64>,
    pub(crate) value: f64,
    pub(crate) gradient: DVector<f64>,
    pub(crate) hessian: DMatrix<f64>,
    pub(crate) iterations: u32,
    pub(crate) status: Status,
}

/// Minimises `objective` from `start`; `None` when the objective is not finite there.
///
/// A value, gradient or Hessian that is not finite at a trial point rejects the step. Between
/// points whose values differ by less than rounding, the flatter one is the better.
pub(crate) fn minimise(
    start: &[f64],
    limits: &Limits,
    mut objective: impl FnMut(&DVector<f64>) -> Evaluation,
) -> Option<Optimum> {
    let x = DVector::from_column_slice(start);
    let first = objective(&x);
    if !is_finite(&first) {
        return None;
    }
    let mut search = Search::new(x, first);
    let mut iterations = 0;
    let status = loop {
        if let Some(status) = search.verdict(limits) {
            break status;
        }
        if iterations == limits.iterations {
            break Status::IterationLimit;
        }
        iterations += 1;
        let step = search.trust_region_step();
        let trial = &search.x + &step;
        if trial == search.x {
            break search.verdict_at_rest(limits);
        }
        let evaluation = objective(&trial);
        search.accept_or_shrink(trial, &step, evaluation);
    };
    let Evaluation {
        value,
        gradient,
        hessian,
    } = search.here;
    Some(Optimum {
        x: search.x,
        value,
        gradient,
        hessian,
        iterations,
        status,
    })
}

const FIRST_RADIUS: f64 = 1.0;
const LARGEST_RADIUS: f64 = 1e10;
/// Of |f|: a difference in value below this is rounding, since values are sums over many customers.
const VALUE_NOISE: f64 = 1e-13;
/// Of max(|x|, 1): a Newton step below this does not move.
const REST: f64 = 1e-6;
/// A step at least this long along a direction without gain is on its way to infinity.
const DRIFT: f64 = 1e-2;
/// Of the largest curvature: a negative curvature smaller than this is rounding.
const ROUNDING_CURVATURE: f64 = 1e-8;
/// What the flatness tolerance is relaxed to where rounding of the value ends the search.
const NOISE_GRADIENT: f64 = 1e-6;

struct Search {
    x: DVector<f64>,
    here: Evaluation,
    axes: SymmetricEigen<f64, nalgebra::Dyn>,
    radius: f64,
    last_step: Option<DVector<f64>>,
}

impl Search {
    fn new(x: DVector<f64>, here: Evaluation) -> Self {
        let axes = SymmetricEigen::new(here.hessian.clone());
        Self {
            x,
            here,
            axes,
            radius: FIRST_RADIUS,
            last_step: None,
        }
    }

    fn verdict(&self, limits: &Limits) -> Option<Status> {
        let below = |(place, floor)| self.x.get(place).is_some_and(|&x| x < floor);
        if (self.x.amax() > limits.bound || limits.floor.is_some_and(below))
            && let Some(step) = &self.last_step
        {
            return Some(Status::DivergedAlong(step.normalize()));
        }
        if self.scaled_gradient(&self.here.gradient) > limits.gradient {
            return None;
        }
        let curvature = &self.axes.eigenvalues;
        if curvature.min() < -ROUNDING_CURVATURE * curvature.amax() {
            return None;
        }
        if let Some(step) = &self.last_step
            && self.drifts(step)
        {
            return Some(Status::DivergedAlong(step.normalize()));
        }
        (self.newton_step_length() <= REST * self.x.amax().max(1.0)).then_some(Status::Converged)
    }

    /// Whether the last step went far along a direction in which the way on is just as far, but the
    /// gain to be had there is lost in the rounding of the value.
    fn drifts(&self, step: &DVector<f64>) -> bool {
        let noise = VALUE_NOISE * self.here.value.abs().max(1.0);
        let came = self.axes.eigenvectors.tr_mul(step);
        let slopes = self.slopes();
        let axes = came.iter().zip(&slopes).zip(&self.axes.eigenvalues);
        axes.filter(|((came, _), _)| came.abs() > DRIFT)
            .any(|((_, &slope), &curvature)| {
                let ahead = if slope == 0.0 {
                    0.0
                } else {
                    (slope / curvature).abs()
                };
                let gain = 0.5 * slope.abs() * ahead;
                (slope == 0.0 && curvature == 0.0) || (ahead > DRIFT && gain <= noise)
            })
    }

    /// The verdict where the step is too small to change x.
    fn verdict_at_rest(&self, limits: &Limits) -> Status {
        let gradient = self.scaled_gradient(&self.here.gradient);
        if gradient <= limits.gradient.max(NOISE_GRADIENT) && self.axes.eigenvalues.min() > 0.0 {
            Status::Converged
        } else {
            Status::Stalled
        }
    }

    fn scaled_gradient(&self, gradient: &DVector<f64>) -> f64 {
        let scale = self.here.value.abs().max(1.0);
        gradient
            .zip_map(&self.x, |g, x| g.abs() * x.abs().max(1.0))
            .amax()
            / scale
    }

    /// Length of the step to the minimum of the quadratic model, ignoring the trust region and the
    /// directions in which both slope and curvature vanish.
    fn newton_step_length(&self) -> f64 {
        self.slopes()
            .zip_map(
                &self.axes.eigenvalues,
                |g, c| if g == 0.0 { 0.0 } else { g / c },
            )
            .norm()
    }

    /// The gradient along the eigenvectors of the Hessian.
    fn slopes(&self) -> DVector<f64> {
        self.axes.eigenvectors.tr_mul(&self.here.gradient)
    }

    /// Minimises the quadratic model over |s| ≤ radius: s = −(Λ + μ)⁻¹ g along the eigenvectors,
    /// with the smallest μ ≥ 0 that makes Λ + μ positive semidefinite and |s| ≤ radius.
    fn trust_region_step(&self) -> DVector<f64> {
        let slopes = self.slopes();
        let curvature = &self.axes.eigenvalues;
        let step_at = |shift: f64| {
            slopes.zip_map(
                curvature,
                |g, c| if g == 0.0 { 0.0 } else { -g / (c + shift) },
            )
        };
        let lowest = curvature.min();
        let newton = step_at(0.0);
        if lowest > 0.0 && newton.norm() <= self.radius {
            return &self.axes.eigenvectors * newton;
        }
        // |s(μ)| falls from its value at −lowest to slope/radius below the radius.
        let mut low = (-lowest).max(0.0);
        let mut high = low + slopes.norm() / self.radius;
        let mut step = step_at(high);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            let trial = step_at(middle);
            if trial.norm() > self.radius {
                low = middle;
            } else {
                high = middle;
                step = trial;
                if step.norm() >= 0.9 * self.radius {
                    break;
                }
            }
        }
        // Where the gradient has no part along the lowest curvature, the rest of the radius is
        // spent on that direction, either way round.
        if lowest < 0.0 && step.norm() < 0.9 * self.radius {
            let spare = (self.radius.powi(2) - step.norm_squared()).sqrt();
            let towards = if slopes[curvature.imin()] > 0.0 {
                -spare
            } else {
                spare
            };
            step[curvature.imin()] += towards;
        }
        &self.axes.eigenvectors * step
    }

    fn accept_or_shrink(&mut self, trial: DVector<f64>, step: &DVector<f64>, there: Evaluation) {
        let predicted =
            -(self.here.gradient.dot(step) + 0.5 * step.dot(&(&self.here.hessian * step)));
        let length = step.norm();
        if !is_finite(&there) {
            self.radius = 0.25 * length;
            return;
        }
        let noise = VALUE_NOISE * self.here.value.abs().max(there.value.abs());
        let actual = self.here.value - there.value;
        let agreement = if actual.abs() <= noise && predicted <= noise {
            let flatter = there.gradient.norm() < self.here.gradient.norm();
            if flatter { 1.0 } else { 0.0 }
        } else {
            actual / predicted
        };
        if agreement < 0.25 {
            self.radius = 0.25 * length;
        } else if agreement > 0.75 && length > 0.8 * self.radius {
            self.radius = (2.0 * self.radius).min(LARGEST_RADIUS);
        }
        if agreement > 1e-4 {
            self.axes = SymmetricEigen::new(there.hessian.clone());
            self.x = trial;
            self.here = there;
            self.last_step = Some(step.clone());
        }
    }
}

fn is_finite(evaluation: &Evaluation) -> bool {
    evaluation.value.is_finite()
        && evaluation.gradient.iter().all(|g| g.is_finite())
        && evaluation.hessian.iter().all(|h| h.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::close;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        bound: 1e6,
        ..Limits::LOG_PARAMETERS
    };

    fn rosenbrock(x: &DVector<f64>) -> Evaluation {
        let (a, b) = (x[0], x[1]);
        let valley = b - a * a;
        Evaluation {
            value: (1.0 - a).powi(2) + 100.0 * valley * valley,
            gradient: DVector::from_vec(vec![
                -2.0 * (1.0 - a) - 400.0 * a * valley,
                200.0 * valley,
            ]),
            hessian: DMatrix::from_row_slice(
                2,
                2,
                &[
                    2.0 - 400.0 * (b - 3.0 * a * a),
                    -400.0 * a,
                    -400.0 * a,
                    200.0,
                ],
            ),
        }
    }

    /// (f, f′, f″) of one coordinate.
    type Part = fn(f64) -> (f64, f64, f64);

    /// A sum of functions of one coordinate each.
    fn separable(x: &DVector<f64>, parts: &[Part]) -> Evaluation {
        let at: Vec<_> = x.iter().zip(parts).map(|(&x, part)| part(x)).collect();
        Evaluation {
            value: at.iter().map(|p| p.0).sum(),
            gradient: DVector::from_iterator(x.len(), at.iter().map(|p| p.1)),
            hessian: DMatrix::from_diagonal(&DVector::from_iterator(
                x.len(),
                at.iter().map(|p| p.2),
            )),
        }
    }

    #[test]
    fn rosenbrock_from_the_classical_start() {
        let optimum = minimise(&[-1.2, 1.0], &LIMITS, rosenbrock).unwrap();
        assert_eq!(optimum.status, Status::Converged);
        close(optimum.x[0], 1.0, 1e-9, 0.0);
        close(optimum.x[1], 1.0, 1e-9, 0.0);
        assert!(optimum.iterations < 40, "{}", optimum.iterations);
        let there = rosenbrock(&optimum.x);
        assert_eq!(
            (there.gradient, there.hessian),
            (optimum.gradient, optimum.hessian)
        );
    }

    #[test]
    fn quartic_with_a_singular_hessian_at_its_minimum() {
        let quartic = |x: f64| (x.powi(4), 4.0 * x.powi(3), 12.0 * x * x);
        let square = |x: f64| ((x - 2.0).powi(2), 2.0 * (x - 2.0), 2.0);
        let optimum =
            minimise(&[3.0, -1.0], &LIMITS, |x| separable(x, &[quartic, square])).unwrap();
        assert_eq!(optimum.status, Status::Converged);
        close(optimum.x[0], 0.0, 0.0, 1e-4);
        close(optimum.x[1], 2.0, 1e-9, 0.0);
    }

    #[test]
    fn log_barrier_rejects_steps_outside() {
        // −ln x − ln (1 − x) + 10 x, infinite or NaN outside (0, 1).
        let barrier = |x: f64| {
            let (p, q) = (1.0 / x, 1.0 / (1.0 - x));
            (
                -x.ln() - (1.0 - x).ln() + 10.0 * x,
                q - p + 10.0,
                p * p + q * q,
            )
        };
        let optimum = minimise(&[0.999], &LIMITS, |x| separable(x, &[barrier])).unwrap();
        assert_eq!(optimum.status, Status::Converged);
        close(optimum.x[0], 0.6 - 0.26f64.sqrt(), 1e-9, 0.0);
    }

    #[test]
    fn infimum_at_infinity_names_the_direction() {
        let away = |x: f64| (7.0 + (-x).exp(), -(-x).exp(), (-x).exp());
        let square = |x: f64| ((x - 2.0).powi(2), 2.0 * (x - 2.0), 2.0);
        let limits = Limits::LOG_PARAMETERS;
        let optimum = minimise(&[0.0, 0.0], &limits, |x| separable(x, &[away, square])).unwrap();
        let Status::DivergedAlong(direction) = optimum.status else {
            panic!("{:?}", optimum.status);
        };
        close(direction[0], 1.0, 1e-6, 0.0);
        close(optimum.x[1], 2.0, 1e-6, 0.0);
    }

    #[test]
    fn infimum_at_infinity_that_underflows_on_the_way() {
        let cliff = |x: f64| {
            let (e, f) = (x.exp(), (-x.exp()).exp());
            (f, -e * f, e * (e - 1.0) * f)
        };
        let optimum =
            minimise(&[1.0], &Limits::LOG_PARAMETERS, |x| separable(x, &[cliff])).unwrap();
        assert_eq!(
            optimum.status,
            Status::DivergedAlong(DVector::from_vec(vec![1.0]))
        );
    }

    #[test]
    fn unbounded_below_diverges() {
        let slope = |x: f64| (-x, -1.0, 0.0);
        let optimum =
            minimise(&[0.0], &Limits::LOG_PARAMETERS, |x| separable(x, &[slope])).unwrap();
        assert_eq!(
            optimum.status,
            Status::DivergedAlong(DVector::from_vec(vec![1.0]))
        );
    }

    #[test]
    fn leaves_a_saddle() {
        let double_well = |x: f64| {
            (
                x.powi(4) - 2.0 * x * x,
                4.0 * x.powi(3) - 4.0 * x,
                12.0 * x * x - 4.0,
            )
        };
        let square = |x: f64| (x * x, 2.0 * x, 2.0);
        let optimum = minimise(&[0.0, 0.0], &LIMITS, |x| {
            separable(x, &[double_well, square])
        })
        .unwrap();
        assert_eq!(optimum.status, Status::Converged);
        close(optimum.x[0].abs(), 1.0, 1e-9, 0.0);
        close(optimum.value, -1.0, 1e-12, 0.0);
    }

    #[test]
    fn badly_scaled_bowl() {
        let steep = |x: f64| (1e8 * (x - 1e-3).powi(2), 2e8 * (x - 1e-3), 2e8);
        let shallow = |x: f64| (1e-4 * (x - 1e4).powi(2), 2e-4 * (x - 1e4), 2e-4);
        let optimum = minimise(&[5.0, -5.0], &LIMITS, |x| separable(x, &[steep, shallow])).unwrap();
        assert_eq!(optimum.status, Status::Converged);
        close(optimum.x[0], 1e-3, 1e-9, 0.0);
        close(optimum.x[1], 1e4, 1e-6, 0.0);
    }

    #[test]
    fn rounding_of_the_value_does_not_stop_the_gradient() {
        // Beside 1e9 the value loses x² below 1e-7, and the second start is closer than that.
        let high = |x: f64| {
            let off = x - 0.3;
            let value = 1e9 + off.powi(2) + off.powi(4);
            (value, 2.0 * off + 4.0 * off.powi(3), 2.0 + 12.0 * off * off)
        };
        let limits = Limits {
            gradient: 1e-18,
            ..LIMITS
        };
        for start in [9.0, 0.3001] {
            let optimum = minimise(&[start], &limits, |x| separable(x, &[high])).unwrap();
            assert_eq!(optimum.status, Status::Converged);
            close(optimum.x[0], 0.3, 1e-9, 0.0);
        }
    }

    #[test]
    fn a_gradient_that_contradicts_the_value_stalls() {
        let liar = |x: f64| (x.abs(), -1.0, 1.0);
        let optimum = minimise(&[0.5], &LIMITS, |x| separable(x, &[liar])).unwrap();
        assert_eq!(optimum.status, Status::Stalled);
        assert!(optimum.x[0].is_finite());
    }

    #[test]
    fn nothing_finite_around_the_start_stalls() {
        let island = |x: f64| {
            if x == 1.0 {
                (0.0, 1.0, 1.0)
            } else {
                (f64::NAN, 0.0, 0.0)
            }
        };
        let optimum = minimise(&[1.0], &LIMITS, |x| separable(x, &[island])).unwrap();
        assert_eq!(optimum.status, Status::Stalled);
        assert_eq!(optimum.x[0], 1.0);
    }

    #[test]
    fn an_infinite_start_is_refused() {
        let nowhere = |_: f64| (f64::INFINITY, 0.0, 1.0);
        assert!(minimise(&[1.0], &LIMITS, |x| separable(x, &[nowhere])).is_none());
    }

    #[test]
    fn iteration_limit_is_kept() {
        let limits = Limits {
            iterations: 3,
            ..LIMITS
        };
        let optimum = minimise(&[-1.2, 1.0], &limits, rosenbrock).unwrap();
        assert_eq!(optimum.status, Status::IterationLimit);
        assert_eq!(optimum.iterations, 3);
    }

    proptest! {
        #[test]
        fn rosenbrock_from_anywhere(a in -20.0f64..20.0, b in -20.0f64..20.0) {
            let optimum = minimise(&[a, b], &LIMITS, rosenbrock).unwrap();
            prop_assert_eq!(&optimum.status, &Status::Converged);
            close(optimum.x[0], 1.0, 1e-7, 0.0);
        }

        #[test]
        fn a_convex_quadratic_in_four_dimensions(
            entries in proptest::collection::vec(-1.0f64..1.0, 16),
            target in proptest::collection::vec(-50.0f64..50.0, 4),
        ) {
            let root = DMatrix::from_vec(4, 4, entries);
            let curvature = &root * root.transpose() + DMatrix::identity(4, 4) * 0.01;
            let target = DVector::from_vec(target);
            let optimum = minimise(&[0.0; 4], &LIMITS, |x| {
                let away = x - &target;
                let gradient = &curvature * &away;
                Evaluation { value: 0.5 * away.dot(&gradient), gradient, hessian: curvature.clone() }
            })
            .unwrap();
            prop_assert_eq!(&optimum.status, &Status::Converged);
            prop_assert!((&optimum.x - &target).norm() < 1e-6);
        }
    }
}
