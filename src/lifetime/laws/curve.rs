//! The laws of retention curves.

use thiserror::Error;

use super::super::RetentionCurve;

/// A law that a retention curve breaks, where, and how.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{law}: after {renewals} renewals, {found}")]
pub struct CurveViolation {
    /// The law.
    pub law: &'static str,
    /// After how many renewals it is broken.
    pub renewals: u32,
    /// What the curve answered.
    pub found: String,
}

/// Below this share of survivors, quotients of two shares have no digits left.
const NOBODY: f64 = 1e-290;
/// What the sums of a residual lifetime may be apart.
const ROUNDING: f64 = 1e-9;
const RATES: [f64; 3] = [0.01, 0.1, 2.0];
const HORIZONS: [u32; 5] = [0, 1, 2, 12, 60];

/// Checks a retention curve up to the largest number of renewals:
///
/// * all have survived 0 renewals, survival is a probability and does not rise;
/// * the retention rate is a probability, and survival is the one before times the rate;
/// * the residual lifetime is the next retention rate for a horizon of 1, nothing for 0, does not
///   fall as the horizon grows, and does not exceed it;
/// * the discounted residual lifetime is finite, and that of today is the next retention rate
///   times (1 + that after the renewal, discounted once).
///
/// # Errors
/// The first [`CurveViolation`] found.
pub fn check_curve(curve: &dyn RetentionCurve) -> Result<(), CurveViolation> {
    let all = curve.survival(0);
    require(all == 1.0, "all have survived 0 renewals", 0, || {
        format!("the share is {all}")
    })?;
    let mut before = 1.0;
    for t in (0..=60).chain([100, 365, 1000, 1_000_000, u32::MAX - 1, u32::MAX]) {
        let survival = curve.survival(t);
        require(
            (0.0..=1.0).contains(&survival),
            "survival lies between 0 and 1",
            t,
            || format!("it is {survival}"),
        )?;
        require(
            survival <= before * (1.0 + 1e-12),
            "survival does not rise",
            t,
            || format!("it rose from {before} to {survival}"),
        )?;
        before = survival;
        check_retention(curve, t)?;
    }
    for tenure in [0, 1, 2, 5, 12, 60, 1000] {
        check_residual(curve, tenure)?;
        check_discounted(curve, tenure)?;
    }
    Ok(())
}

fn check_retention(curve: &dyn RetentionCurve, t: u32) -> Result<(), CurveViolation> {
    let rate = curve.retention_rate(t);
    require(
        (0.0..=1.0).contains(&rate),
        "the retention rate lies between 0 and 1",
        t,
        || format!("it is {rate}"),
    )?;
    let Some(before) = t.checked_sub(1) else {
        return Ok(());
    };
    let (before, after) = (curve.survival(before), curve.survival(t));
    require(
        before < NOBODY || (before * rate - after).abs() <= ROUNDING * before,
        "survival is the one before times the retention rate",
        t,
        || format!("survival goes from {before} to {after} at a rate of {rate}"),
    )
}

fn check_residual(curve: &dyn RetentionCurve, tenure: u32) -> Result<(), CurveViolation> {
    let next = curve.retention_rate(tenure + 1);
    let mut before = 0.0;
    for horizon in HORIZONS {
        let residual = curve.residual_lifetime(tenure, horizon);
        let most = f64::from(horizon) * (1.0 + ROUNDING);
        require(
            (before * (1.0 - ROUNDING)..=most).contains(&residual),
            "the residual lifetime grows with the horizon and does not exceed it",
            tenure,
            || format!("it is {residual} over {horizon} periods, {before} over fewer"),
        )?;
        require(
            horizon != 1 || curve.survival(tenure) < NOBODY || (residual - next).abs() <= ROUNDING,
            "the residual lifetime over one period is the next retention rate",
            tenure,
            || format!("it is {residual}, the rate {next}"),
        )?;
        before = residual;
    }
    Ok(())
}

fn check_discounted(curve: &dyn RetentionCurve, tenure: u32) -> Result<(), CurveViolation> {
    let next = curve.retention_rate(tenure + 1);
    let survivors = curve.survival(tenure + 1);
    for rate in RATES {
        let now = curve.discounted_residual_lifetime(tenure, rate);
        let after = curve.discounted_residual_lifetime(tenure + 1, rate);
        require(
            now.is_finite() && now >= 0.0,
            "the discounted residual lifetime is finite and not negative",
            tenure,
            || format!("at a rate of {rate} it is {now}"),
        )?;
        let expected = next * (1.0 + after / (1.0 + rate));
        require(
            survivors < NOBODY || (now - expected).abs() <= ROUNDING * expected,
            "the discounted residual lifetime follows from that after the next renewal",
            tenure,
            || format!("at a rate of {rate} it is {now}, which should be {expected}"),
        )?;
    }
    Ok(())
}

fn require(
    holds: bool,
    law: &'static str,
    renewals: u32,
    found: impl FnOnce() -> String,
) -> Result<(), CurveViolation> {
    if holds {
        return Ok(());
    }
    Err(CurveViolation {
        law,
        renewals,
        found: found(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Listed(Vec<f64>);

    impl RetentionCurve for Listed {
        fn survival(&self, t: u32) -> f64 {
            self.0
                .get(t as usize)
                .or(self.0.last())
                .copied()
                .unwrap_or(1.0)
        }
    }

    #[test]
    fn a_curve_from_a_list_keeps_the_laws() {
        check_curve(&Listed(vec![1.0, 0.8, 0.7, 0.65])).unwrap();
        check_curve(&Listed(vec![1.0, 0.5, 0.0])).unwrap();
    }

    #[test]
    fn broken_laws_are_named() {
        let broken = |survival: Vec<f64>| check_curve(&Listed(survival)).unwrap_err();
        assert_eq!(broken(vec![0.9]).law, "all have survived 0 renewals");
        let rising = broken(vec![1.0, 0.6, 0.7]);
        assert_eq!(
            rising.to_string(),
            "survival does not rise: after 2 renewals, it rose from 0.6 to 0.7"
        );
        assert_eq!(broken(vec![1.0, -0.1]).law, "survival lies between 0 and 1");
    }
}
