//! The likelihood of customers with covariates: a base model for each group of equal covariates.
//!
//! In a group all parameters are shifted by the same amount in their logarithms, linearly in the
//! coefficients. So the base model's gradient g and Hessian H, in its log-parameters, give those in the
//! coefficients: with ∂lnθ/∂γ = z · load for a coefficient, the slope is z (load·g), the curvatures
//! are z H load and z z′ load·H load′.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::base::Base;
use crate::numeric::optimise::Evaluation;
use crate::numeric::reduce::sum_chunks;

/// Customers by their covariates.
pub(super) struct Groups<M: Base> {
    /// One for each group.
    pub(super) data: Vec<M::Data>,
    /// The covariates of the groups, one group after the other.
    pub(super) values: Vec<f64>,
}

/// A coefficient that is searched for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Free {
    /// As it stands in the report.
    pub(super) name: String,
    /// The place of its covariate among the groups' values.
    pub(super) column: usize,
    /// On which sides it acts: both when they are held equal.
    pub(super) sides: [bool; 2],
}

impl Free {
    /// What γ·z adds to the logarithms of the base's parameters.
    pub(super) fn loads<M: Base>(&self) -> DVector<f64> {
        let mut loads = DVector::zeros(M::NAMES.len());
        for (side, acts) in M::SIDES.iter().zip(self.sides) {
            for &(at, load) in side.loads {
                if acts {
                    loads[at] += load;
                }
            }
        }
        loads
    }
}

/// What a likelihood with covariates is made of besides the customers.
pub(super) struct Shape<M: Base> {
    pub(super) form: M,
    pub(super) columns: usize,
    pub(super) free: Vec<Free>,
    /// The loads of the coefficients, one column each.
    loads: DMatrix<f64>,
}

impl<M: Base> Shape<M> {
    pub(super) fn new(form: M, columns: usize, free: Vec<Free>) -> Self {
        let mut loads = DMatrix::zeros(M::NAMES.len(), free.len());
        for (j, coefficient) in free.iter().enumerate() {
            loads.set_column(j, &coefficient.loads::<M>());
        }
        Self {
            form,
            columns,
            free,
            loads,
        }
    }

    pub(super) fn loads(&self) -> &DMatrix<f64> {
        &self.loads
    }

    /// The base model for one group: `logs` are the logarithms of the base's parameters.
    fn of_group(&self, logs: &[f64], coefficients: &[f64], values: &[f64]) -> M {
        let mut parameters = self.form.parameters();
        for (i, (parameter, log)) in parameters.as_mut().iter_mut().zip(logs).enumerate() {
            let terms = self.free.iter().zip(coefficients).enumerate();
            let shift: f64 = terms
                .map(|(j, (free, gamma))| {
                    let z = values.get(free.column).copied().unwrap_or_default();
                    self.loads[(i, j)] * gamma * z
                })
                .sum();
            *parameter = (log + shift).exp();
        }
        self.form.with_parameters(parameters)
    }

    /// The log-likelihood at the logarithms of the base's parameters followed by the coefficients,
    /// with its derivatives in both; `values` may be other than the groups' own, such as standardised.
    pub(super) fn evaluate(&self, data: &[M::Data], values: &[f64], at: &[f64]) -> Evaluation {
        let (logs, coefficients) = at.split_at(M::NAMES.len().min(at.len()));
        sum_chunks(
            data.len(),
            |range| self.of_some(range, data, values, logs, coefficients),
            |mut left, right| {
                left.value += right.value;
                left.gradient += right.gradient;
                left.hessian += right.hessian;
                left
            },
        )
    }

    fn of_some(
        &self,
        range: Range<usize>,
        data: &[M::Data],
        values: &[f64],
        logs: &[f64],
        coefficients: &[f64],
    ) -> Evaluation {
        let (n, p) = self.loads.shape();
        let mut sum = Evaluation {
            value: 0.0,
            gradient: DVector::zeros(n + p),
            hessian: DMatrix::zeros(n + p, n + p),
        };
        let mut z = DVector::zeros(p);
        for group in range {
            let values = &values[group * self.columns..(group + 1) * self.columns];
            let here = self
                .of_group(logs, coefficients, values)
                .evaluate(&data[group]);
            for (z, free) in z.iter_mut().zip(&self.free) {
                *z = values.get(free.column).copied().unwrap_or_default();
            }
            sum.value += here.value;
            for i in 0..n {
                sum.gradient[i] += here.gradient[i];
                for k in 0..n {
                    sum.hessian[(i, k)] += here.hessian[(i, k)];
                }
            }
            for j in 0..p {
                let load = self.loads.column(j);
                sum.gradient[n + j] += z[j] * load.dot(&here.gradient);
                for i in 0..n {
                    let cross: f64 = (0..n).map(|k| here.hessian[(i, k)] * load[k]).sum();
                    sum.hessian[(i, n + j)] += z[j] * cross;
                    for l in 0..p {
                        sum.hessian[(n + l, n + j)] += z[l] * z[j] * self.loads[(i, l)] * cross;
                    }
                }
            }
        }
        for j in 0..p {
            for i in 0..n {
                sum.hessian[(n + j, i)] = sum.hessian[(i, n + j)];
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::base::PurchaseBase;
    use super::*;
    use crate::lifetime::{BgNbd, MbgCnbd, Nbd, ParetoNbd, Sbg};
    use crate::numeric::optimise::assert_derivatives;
    use crate::summary::{Histories, HistoryColumns, RenewalSummary, TimeUnit};
    use proptest::prelude::*;

    /// Two covariates of three groups.
    const VALUES: [f64; 6] = [0.0, 1.5, 1.0, -0.5, -2.0, 0.25];

    fn customers() -> [Histories; 3] {
        let rows = [
            vec![(0, 0.0, 38.9), (2, 30.4, 38.9), (7, 29.4, 38.9)],
            vec![
                (1, 1.7, 38.9),
                (1, 38.4, 38.9),
                (0, 0.0, 27.0),
                (0, 0.0, 27.0),
            ],
            vec![(40, 10.0, 30.0)],
        ];
        rows.map(|rows| {
            let columns = HistoryColumns {
                frequency: rows.iter().map(|row| row.0).collect(),
                recency: rows.iter().map(|row| row.1).collect(),
                age: rows.iter().map(|row| row.2).collect(),
                ..HistoryColumns::default()
            };
            Histories::from_columns(TimeUnit::Week, columns).unwrap()
        })
    }

    /// The first covariate acts on both sides, each with its coefficient, the second with one
    /// coefficient on both.
    fn shape<M: Base>(form: M) -> Shape<M> {
        let free = [(0, [true, false]), (0, [false, true]), (1, [true, true])];
        let free = free.map(|(column, sides)| Free {
            name: String::new(),
            column,
            sides,
        });
        Shape::new(form, 2, free.to_vec())
    }

    fn check<M: PurchaseBase, const N: usize>(form: M, at: [f64; N]) {
        let data = customers().map(|part| form.arrange(&part.distinct()).unwrap());
        let shape = shape(form);
        assert_derivatives(at, |at| shape.evaluate(&data, &VALUES, &at));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn derivatives_are_those_of_the_value(
            [ln_r, ln_alpha, three, four] in [-1.0..1.0f64, -1.0..4.0f64, -1.0..1.0f64, -1.0..3.0f64],
            [one, two, both] in [-0.7..0.7f64, -0.7..0.7f64, -0.7..0.7f64],
        ) {
            let at = [ln_r, ln_alpha, three, four, one, two, both];
            check(ParetoNbd::new(1.0, 1.0, 1.0, 1.0).unwrap(), at);
            check(BgNbd::new(1.0, 1.0, 1.0, 1.0).unwrap(), at);
            check(MbgCnbd::new(3, 1.0, 1.0, 1.0, 1.0).unwrap(), at);
            check(Nbd::new(1.0, 1.0).unwrap(), [ln_r, ln_alpha, one, two, both]);
            let cohorts = [&[100, 63, 46][..], &[50, 40, 35, 31], &[7, 6]];
            let data = cohorts.map(|cohort| RenewalSummary::from_cohorts([cohort]).unwrap());
            let shape = shape(Sbg::new(1.0, 1.0).unwrap());
            let at = [three, four, one, two, both];
            assert_derivatives(at, |at| shape.evaluate(&data, &VALUES, &at));
        }
    }

    #[test]
    fn the_value_is_the_sum_over_customers_with_their_own_models() {
        let form = ParetoNbd::new(0.8, 6.0, 0.9, 20.0).unwrap();
        let data = customers().map(|part| form.arrange(&part.distinct()).unwrap());
        let logs = [0.8f64, 6.0, 0.9, 20.0].map(f64::ln);
        let at: Vec<f64> = logs.into_iter().chain([0.3, -0.4, 0.2]).collect();
        let found = shape(form).evaluate(&data, &VALUES, &at).value;
        let mut expected = 0.0;
        for (part, z) in customers().iter().zip(VALUES.chunks(2)) {
            let alpha = 6.0 / (0.3 * z[0] + 0.2 * z[1]).exp();
            let beta = 20.0 / (-0.4 * z[0] + 0.2 * z[1]).exp();
            let own = ParetoNbd::new(0.8, alpha, 0.9, beta).unwrap();
            expected += part.iter().map(|h| own.log_likelihood(&h)).sum::<f64>();
        }
        assert!(
            (found - expected).abs() < 1e-11 * expected.abs(),
            "{found} {expected}"
        );
    }
}
