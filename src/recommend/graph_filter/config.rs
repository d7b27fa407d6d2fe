//! How a graph filter is made.

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// The highest power of P̃ in a filter: each costs a pass over all interactions a query.
const DEGREE_MAX: u64 = 32;
const RANK_MAX: usize = 4_096;

/// How [`GraphFilter`](super::GraphFilter) filters a customer's row.
///
/// | settings | filter | choose it for |
/// |---|---|---|
/// | [`gf_cf`](Self::gf_cf) | one step of blurring and 0.3 of a low pass of rank 256 | fast queries |
/// | [`blurring_sharpening`](Self::blurring_sharpening) | the same with 0.2 of rank 448, then sharpened | better lists, for ten times the time of a query |
///
/// Both were found by their authors on *gowalla* (30,000 customers, 41,000 places); small catalogues want lower ranks.
/// Choose weight, rank and time on held-out data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFilterConfig {
    /// The heat equation, dr/dt = r P̃ − r, by Euler's method: it carries a row to the items of like customers. With
    /// one step of time 1 it is r P̃.
    pub blurring: Blurring,
    /// What is added to the blurred row: the part of the customer's row that the leading singular vectors span.
    pub low_pass: Option<LowPass>,
    /// What is done with the sum.
    pub sharpening: Option<Sharpening>,
}

/// Blurring by Euler's method.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blurring {
    /// At least 1.
    pub steps: u32,
    /// Of all steps together: positive, at most 2 a step.
    pub time: f64,
}

/// The ideal low pass r D_I^−½ Ū Ūᵀ D_I^½.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LowPass {
    /// What it counts against the blurred row: positive.
    pub weight: f64,
    /// How many singular vectors Ū has: 1 to 4,096; fewer where the matrix has fewer.
    pub rank: usize,
    /// Of the random vectors that the singular vectors are sought from. Another seed changes them by no more than the
    /// tolerance, but where the last singular value is a multiple one.
    pub seed: u64,
}

/// The sharpening process dr/dt = −r P̃: it takes away what everybody near has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharpening {
    /// How it is solved.
    pub method: OdeMethod,
    /// At least 1.
    pub steps: u32,
    /// Of all steps together: positive, at most 10 a step.
    pub time: f64,
}

/// How an ordinary differential equation is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OdeMethod {
    /// One application of P̃ a step.
    Euler,
    /// The classical one of fourth order: four applications a step.
    RungeKutta4,
}

impl GraphFilterConfig {
    /// The settings of GF-CF (Shen et al. 2021): blurred once, and 0.3 of a low pass of rank 256.
    pub fn gf_cf(seed: u64) -> Self {
        Self {
            blurring: Blurring {
                steps: 1,
                time: 1.0,
            },
            low_pass: Some(LowPass {
                weight: 0.3,
                rank: 256,
                seed,
            }),
            sharpening: None,
        }
    }

    /// The settings of the blurring–sharpening process model (Choi et al. 2023): blurred once, 0.2 of a low pass of rank
    /// 448, sharpened by one Runge–Kutta step of time 2.5.
    pub fn blurring_sharpening(seed: u64) -> Self {
        Self {
            blurring: Blurring {
                steps: 1,
                time: 1.0,
            },
            low_pass: Some(LowPass {
                weight: 0.2,
                rank: 448,
                seed,
            }),
            sharpening: Some(Sharpening {
                method: OdeMethod::RungeKutta4,
                steps: 1,
                time: 2.5,
            }),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Blurring { steps, time } = self.blurring;
        let names = ("blurring.steps", "blurring.time");
        check_time(names, steps, time, (2.0, "positive and at most 2 a step"))?;
        if let Some(LowPass { weight, rank, .. }) = self.low_pass {
            if !(weight.is_finite() && weight > 0.0) {
                let expected = "finite and positive; without a low pass, `None`";
                return Err(out_of_range("low_pass.weight", weight, expected));
            }
            if !(1..=RANK_MAX).contains(&rank) {
                return Err(out_of_range("low_pass.rank", rank, "from 1 to 4096"));
            }
        }
        let mut degree = u64::from(steps);
        if let Some(Sharpening {
            method,
            steps,
            time,
        }) = self.sharpening
        {
            let names = ("sharpening.steps", "sharpening.time");
            check_time(names, steps, time, (10.0, "positive and at most 10 a step"))?;
            degree += method.order() as u64 * u64::from(steps);
        }
        if degree > DEGREE_MAX {
            let expected = "so few that P̃ is applied at most 32 times in all";
            return Err(out_of_range("steps", degree, expected));
        }
        Ok(())
    }

    /// The coefficients by which powers of P̃ are added up: those of the row, and those of its low pass.
    pub(super) fn polynomials(&self) -> (Vec<f64>, Vec<f64>) {
        let Blurring { steps, time } = self.blurring;
        let step = time / f64::from(steps);
        let blurred = power(&[1.0 - step, step], steps);
        let sharpened = match self.sharpening {
            None => vec![1.0],
            Some(Sharpening {
                method,
                steps,
                time,
            }) => {
                // For a linear equation a method of order n is the Taylor series of exp(−step P̃) up to the power n.
                let step = time / f64::from(steps);
                let mut term = 1.0;
                let mut series = vec![1.0];
                for n in 1..=method.order() {
                    term *= -step / n as f64;
                    series.push(term);
                }
                power(&series, steps)
            }
        };
        (times(&blurred, &sharpened), sharpened)
    }
}

impl OdeMethod {
    fn order(self) -> usize {
        match self {
            Self::Euler => 1,
            Self::RungeKutta4 => 4,
        }
    }
}

fn check_time(
    (steps_name, time_name): (&'static str, &'static str),
    steps: u32,
    time: f64,
    (most, expected): (f64, &'static str),
) -> Result<(), ConfigError> {
    if steps == 0 {
        return Err(out_of_range(steps_name, 0, "at least 1"));
    }
    if time > 0.0 && time <= most * f64::from(steps) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        setting: time_name,
        value: time.to_string(),
        expected,
    })
}

fn out_of_range(
    setting: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> ConfigError {
    ConfigError::OutOfRange {
        setting,
        value: value.to_string(),
        expected,
    }
}

/// The product of two polynomials.
fn times(left: &[f64], right: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; left.len() + right.len() - 1];
    for (at, l) in left.iter().enumerate() {
        for (place, r) in product.iter_mut().skip(at).zip(right) {
            *place += l * r;
        }
    }
    product
}

fn power(base: &[f64], exponent: u32) -> Vec<f64> {
    (0..exponent).fold(vec![1.0], |product, _| times(&product, base))
}
