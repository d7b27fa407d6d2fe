//! The check at the border: after it, every number on the page is finite and in its range.

use super::data::{
    AliveGrid, CohortMatrix, Figure, FrequencyFit, HoldoutFit, RepeatCurve, ReportData, SaveList,
    Section, SegmentMap, Tracking, ValueDeciles,
};
use crate::error::DataError;

/// The largest number on a page, either way: sums of thousands of them stay exact enough and finite.
const SIZE_MAX: f64 = 1e15;
/// The largest count on a page.
const COUNT_MAX: u64 = 1_000_000_000_000;

const ANY: &str = "a finite number of at most 10^15 in size";
const NOT_NEGATIVE: &str = "a finite number from 0 to 10^15";
const SHARE: &str = "from 0 to 1";
const COUNT: &str = "at most 10^12";

/// Checks everything.
pub(super) fn report(data: &ReportData) -> Result<(), DataError> {
    places(data.currency.decimals, || "currency.decimals".to_owned())?;
    for (i, headline) in data.headlines.iter().enumerate() {
        figure(&headline.figure, |part| format!("headlines[{i}].{part}"))?;
    }
    shown(&data.cohorts, cohorts)?;
    shown(&data.repeat_curve, repeat_curve)?;
    shown(&data.tracking, tracking)?;
    shown(&data.holdout, holdout)?;
    shown(&data.frequency_fit, frequency_fit)?;
    shown(&data.alive, alive)?;
    shown(&data.deciles, deciles)?;
    shown(&data.segments, segments)?;
    shown(&data.stages, |stages| {
        for (i, stage) in stages.iter().enumerate() {
            count(stage.customers, || format!("stages[{i}].customers"))?;
        }
        Ok(())
    })?;
    shown(&data.save, save)?;
    for (i, method) in data.methods.iter().enumerate() {
        for (j, parameter) in method.parameters.iter().enumerate() {
            let field = |part: &str| format!("methods[{i}].parameters[{j}].{part}");
            any(parameter.value, || field("value"))?;
            if let Some(error) = parameter.standard_error {
                not_negative(error, || field("standard_error"))?;
            }
        }
    }
    Ok(())
}

fn shown<T>(
    section: &Section<T>,
    check: impl FnOnce(&T) -> Result<(), DataError>,
) -> Result<(), DataError> {
    match section {
        Section::Shown(data) => check(data),
        Section::LeftOut(_) => Ok(()),
    }
}

fn figure(figure: &Figure, field: impl Fn(&str) -> String) -> Result<(), DataError> {
    match figure {
        Figure::Count(value) => count(*value, || field("count")),
        Figure::Money(value) => any(*value, || field("money")),
        Figure::Share(value) => share(*value, || field("share")),
        Figure::Number {
            value, decimals, ..
        } => {
            any(*value, || field("value"))?;
            places(*decimals, || field("decimals"))
        }
    }
}

fn repeat_curve(curve: &RepeatCurve) -> Result<(), DataError> {
    count(curve.customers, || "repeat_curve.customers".to_owned())?;
    let mut before = 0.0;
    for (i, point) in curve.points.iter().enumerate() {
        let field = |part: &str| format!("repeat_curve.points[{i}].{part}");
        not_negative(point.elapsed, || field("elapsed"))?;
        ascending(&mut before, point.elapsed, || field("elapsed"))?;
        share(point.share, || field("share"))?;
    }
    Ok(())
}

fn holdout(fit: &HoldoutFit) -> Result<(), DataError> {
    for (i, group) in fit.groups.iter().enumerate() {
        let field = |part: &str| format!("holdout.groups[{i}].{part}");
        count(group.customers, || field("customers"))?;
        not_negative(group.actual, || field("actual"))?;
        not_negative(group.expected, || field("expected"))?;
    }
    Ok(())
}

fn frequency_fit(fit: &FrequencyFit) -> Result<(), DataError> {
    for (i, group) in fit.groups.iter().enumerate() {
        let field = |part: &str| format!("frequency_fit.groups[{i}].{part}");
        count(group.actual, || field("actual"))?;
        not_negative(group.expected, || field("expected"))?;
    }
    Ok(())
}

fn cohorts(matrix: &CohortMatrix) -> Result<(), DataError> {
    for (i, cohort) in matrix.cohorts.iter().enumerate() {
        let field = || format!("cohorts[{i}].customers");
        count(cohort.customers, field)?;
        if cohort.customers == 0 {
            return Err(wrong(
                field(),
                &0,
                "at least 1: a cohort without customers is none",
            ));
        }
        for (j, cell) in cohort.cells.iter().enumerate() {
            if cell.active > cohort.customers {
                return Err(wrong(
                    format!("cohorts[{i}].cells[{j}].active"),
                    &cell.active,
                    "at most the cohort's customers",
                ));
            }
        }
    }
    Ok(())
}

fn tracking(tracking: &Tracking) -> Result<(), DataError> {
    not_negative(tracking.calibration_end, || {
        "tracking.calibration_end".to_owned()
    })?;
    let mut before = 0.0;
    for (i, point) in tracking.points.iter().enumerate() {
        let field = |part: &str| format!("tracking.points[{i}].{part}");
        not_negative(point.at, || field("at"))?;
        ascending(&mut before, point.at, || field("at"))?;
        if let Some(actual) = point.actual {
            count(actual, || field("actual"))?;
        }
        not_negative(point.expected, || field("expected"))?;
    }
    Ok(())
}

fn alive(grid: &AliveGrid) -> Result<(), DataError> {
    not_negative(grid.age, || "alive.age".to_owned())?;
    for (i, recency) in grid.recencies.iter().enumerate() {
        not_negative(*recency, || format!("alive.recencies[{i}]"))?;
    }
    for (i, row) in grid.rows.iter().enumerate() {
        if row.probabilities.len() != grid.recencies.len() {
            return Err(wrong(
                format!("alive.rows[{i}].probabilities.len()"),
                &row.probabilities.len(),
                "as many as there are recencies",
            ));
        }
        for (j, probability) in row.probabilities.iter().enumerate() {
            if let Some(probability) = probability {
                share(*probability, || {
                    format!("alive.rows[{i}].probabilities[{j}]")
                })?;
            }
        }
    }
    Ok(())
}

fn deciles(deciles: &ValueDeciles) -> Result<(), DataError> {
    for (i, group) in deciles.groups.iter().enumerate() {
        let field = |part: &str| format!("deciles.groups[{i}].{part}");
        count(group.customers, || field("customers"))?;
        any(group.value, || field("value"))?;
    }
    Ok(())
}

fn segments(map: &SegmentMap) -> Result<(), DataError> {
    for (i, segment) in map.segments.iter().enumerate() {
        let field = |part: &str| format!("segments[{i}].{part}");
        count(segment.customers, || field("customers"))?;
        any(segment.revenue, || field("revenue"))?;
        share(segment.alive, || field("alive"))?;
    }
    Ok(())
}

fn save(list: &SaveList) -> Result<(), DataError> {
    for (i, customer) in list.customers.iter().enumerate() {
        let field = |part: &str| format!("save.customers[{i}].{part}");
        share(customer.alive, || field("alive"))?;
        not_negative(customer.purchases, || field("purchases"))?;
        any(customer.value, || field("value"))?;
        if let Some((low, high)) = customer.interval {
            any(low, || field("interval.0"))?;
            any(high, || field("interval.1"))?;
            if low > high {
                return Err(wrong(
                    field("interval.1"),
                    &high,
                    "at least the interval's lower end",
                ));
            }
        }
    }
    Ok(())
}

fn any(value: f64, field: impl FnOnce() -> String) -> Result<(), DataError> {
    within(value, -SIZE_MAX, SIZE_MAX, field, ANY)
}

fn not_negative(value: f64, field: impl FnOnce() -> String) -> Result<(), DataError> {
    within(value, 0.0, SIZE_MAX, field, NOT_NEGATIVE)
}

fn share(value: f64, field: impl FnOnce() -> String) -> Result<(), DataError> {
    within(value, 0.0, 1.0, field, SHARE)
}

fn within(
    value: f64,
    low: f64,
    high: f64,
    field: impl FnOnce() -> String,
    expected: &'static str,
) -> Result<(), DataError> {
    // NaN lies in no range.
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(wrong(field(), &value, expected))
    }
}

fn count(value: u64, field: impl FnOnce() -> String) -> Result<(), DataError> {
    if value <= COUNT_MAX {
        Ok(())
    } else {
        Err(wrong(field(), &value, COUNT))
    }
}

fn places(value: u8, field: impl FnOnce() -> String) -> Result<(), DataError> {
    if value <= 9 {
        Ok(())
    } else {
        Err(wrong(field(), &value, "from 0 to 9"))
    }
}

fn ascending(
    before: &mut f64,
    value: f64,
    field: impl FnOnce() -> String,
) -> Result<(), DataError> {
    if value < *before {
        return Err(wrong(field(), &value, "at least the one before it"));
    }
    *before = value;
    Ok(())
}

fn wrong(field: String, value: &dyn std::fmt::Display, expected: &'static str) -> DataError {
    DataError::Field {
        field,
        value: value.to_string(),
        expected,
    }
}
