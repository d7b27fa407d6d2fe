//! Actual against predicted purchases over time, and by what customers did before.

use super::{bare, capital, compared, duration, figure, shown};
use crate::report::bar_chart::{GroupedBars, Measure};
use crate::report::data::{HoldoutFit, HoldoutGroup, Section, Tracking, TrackingPoint};
use crate::report::line_chart::{Line, LineChart, Mark};
use crate::report::markup::Markup;
use crate::report::page::{self, Place, Words};
use crate::report::svg::Key;
use crate::report::table::{Column, Table};
use crate::report::{number, scale};

pub(in crate::report) const PLACE: Place = Place {
    id: "tracking",
    title: "Actual against predicted",
};
pub(in crate::report) const HOLDOUT: Place = Place {
    id: "holdout",
    title: "Does the past tell them apart?",
};

/// Points that the lines and their table show.
const POINTS_MAX: usize = 160;

/// Writes the tracking plot.
pub(in crate::report) fn write(m: &mut Markup, section: &Section<Tracking>) -> Option<Place> {
    let missing = |tracking: &Tracking| {
        tracking
            .points
            .is_empty()
            .then_some("There is no time after the first purchases to look at.")
    };
    shown(m, PLACE, section, missing, |m, tracking| {
        let words = Words {
            finding: finding(tracking),
            how: "Both lines add up repeat purchases from the first day on. The model saw the purchases up to the \
                  dotted mark; in the shaded part it speaks about days that it has not seen."
                .to_owned(),
        };
        page::section(m, PLACE, true, &words, |m| {
            let (kept, _) = scale::thin(tracking.points.len(), POINTS_MAX);
            let points: Vec<&TrackingPoint> = kept
                .iter()
                .filter_map(|&i| tracking.points.get(i))
                .collect();
            let title = format!("{} since the first day", capital(tracking.step.many()));
            let actual = points
                .iter()
                .filter_map(|p| Some((p.at, p.actual? as f64)))
                .collect();
            let chart = LineChart {
                x_title: title.clone(),
                y_title: "Repeat purchases so far".to_owned(),
                percent: false,
                lines: vec![
                    Line {
                        name: "Actual",
                        class: "s-actual",
                        points: actual,
                    },
                    Line {
                        name: "Model",
                        class: "s-model",
                        points: points.iter().map(|p| (p.at, p.expected)).collect(),
                    },
                ],
                mark: Some(Mark {
                    at: tracking.calibration_end,
                    before: "calibration",
                    after: "hold-out",
                }),
                notes: Vec::new(),
            };
            let table = Table {
                caption: format!(
                    "Cumulative repeat purchases; the calibration ended at {} {}",
                    tracking.step.one(),
                    bare(tracking.calibration_end)
                ),
                columns: vec![
                    Column::numbers(title),
                    Column::numbers("Actual"),
                    Column::numbers("Model"),
                ],
                rows: points
                    .iter()
                    .map(|p| {
                        vec![
                            bare(p.at),
                            p.actual.map_or_else(|| "–".to_owned(), number::count),
                            number::decimal(p.expected, 1),
                        ]
                    })
                    .collect(),
            };
            figure(m, PLACE.id, &words.finding, &chart, &table);
        });
    })
}

/// What happened after the calibration, or within it if nothing is known after it.
fn finding(tracking: &Tracking) -> String {
    let known = || {
        tracking
            .points
            .iter()
            .filter_map(|p| Some((p.at, p.actual? as f64, p.expected)))
    };
    let Some((end, actual, expected)) = known().next_back() else {
        return "What the model expects; nothing has been observed yet.".to_owned();
    };
    let seen = known()
        .take_while(|p| p.0 <= tracking.calibration_end)
        .last();
    match seen {
        Some((at, before, expected_before)) if at < end => {
            let (made, said) = (actual - before, expected - expected_before);
            format!(
                "In the {} after the calibration, customers made {} repeat purchases; the model expected {}: {}.",
                duration(end - at, tracking.step),
                number::decimal(made, 0),
                number::decimal(said, 0),
                compared(said, made)
            )
        }
        _ => format!(
            "Within {}, customers made {} repeat purchases; the model says {}: {}.",
            duration(end, tracking.step),
            number::decimal(actual, 0),
            number::decimal(expected, 0),
            compared(expected, actual)
        ),
    }
}

/// Writes the hold-out purchases by frequency.
pub(in crate::report) fn write_holdout(
    m: &mut Markup,
    section: &Section<HoldoutFit>,
) -> Option<Place> {
    let missing = |fit: &HoldoutFit| {
        let none = fit.groups.iter().all(|group| group.customers == 0);
        none.then_some("There is no customer to predict.")
    };
    shown(m, HOLDOUT, section, missing, |m, fit| {
        let words = Words {
            finding: holdout_finding(fit),
            how: format!(
                "Customers are grouped by their repeat purchases in the calibration; the bars are what each of \
                 them bought in the {} after it. Where the pairs are equally high, the model knows whom to expect.",
                fit.length
            ),
        };
        page::section(m, HOLDOUT, true, &words, |m| {
            let chart = GroupedBars {
                x_title: "Repeat purchases in the calibration".to_owned(),
                y_title: "Purchases of a customer in the hold-out".to_owned(),
                measure: Measure::Mean,
                keys: vec![
                    Key {
                        class: "b-actual",
                        name: "Actual".to_owned(),
                    },
                    Key {
                        class: "b-model",
                        name: "Model".to_owned(),
                    },
                ],
                groups: fit
                    .groups
                    .iter()
                    .map(|group| (group.frequency.clone(), vec![group.actual, group.expected]))
                    .collect(),
                line: None,
            };
            figure(m, HOLDOUT.id, &words.finding, &chart, &holdout_table(fit));
        });
    })
}

fn holdout_table(fit: &HoldoutFit) -> Table {
    Table {
        caption: format!(
            "Mean purchases of a customer in the hold-out ({})",
            fit.length
        ),
        columns: vec![
            Column::words("Repeat purchases before"),
            Column::numbers("Customers"),
            Column::numbers("Actual"),
            Column::numbers("Model"),
        ],
        rows: fit
            .groups
            .iter()
            .map(|group| {
                vec![
                    group.frequency.clone(),
                    number::count(group.customers),
                    number::decimal(group.actual, 2),
                    number::decimal(group.expected, 2),
                ]
            })
            .collect(),
    }
}

fn holdout_finding(fit: &HoldoutFit) -> String {
    let sum = |of: fn(&HoldoutGroup) -> f64| -> f64 {
        fit.groups
            .iter()
            .map(|group| group.customers as f64 * of(group))
            .sum()
    };
    let (actual, expected) = (sum(|group| group.actual), sum(|group| group.expected));
    let mut text = format!(
        "Given what each customer had done, the model expected {} purchases in {}; there were {}.",
        number::decimal(expected, 0),
        fit.length,
        number::decimal(actual, 0)
    );
    if let (Some(first), Some(last)) = (fit.groups.first(), fit.groups.last())
        && fit.groups.len() > 1
    {
        text.push_str(&format!(
            " Customers with {} repeat purchases before made {} each, those with {} made {}.",
            first.frequency,
            number::decimal(first.actual, 2),
            last.frequency,
            number::decimal(last.actual, 2)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::Step;

    fn tracking(points: &[(f64, Option<u64>, f64)], calibration_end: f64) -> Tracking {
        Tracking {
            step: Step::Week,
            calibration_end,
            points: points
                .iter()
                .map(|&(at, actual, expected)| TrackingPoint {
                    at,
                    actual,
                    expected,
                })
                .collect(),
        }
    }

    #[test]
    fn the_finding_compares_what_the_model_had_not_seen() {
        let points = [
            (0.0, Some(0), 0.0),
            (10.0, Some(100), 110.0),
            (20.0, Some(180), 170.0),
            (30.0, None, 220.0),
        ];
        assert_eq!(
            finding(&tracking(&points, 10.0)),
            "In the 10 weeks after the calibration, customers made 80 repeat purchases; \
             the model expected 60: 25.0% fewer."
        );
        assert_eq!(
            finding(&tracking(&points, 20.0)),
            "Within 20 weeks, customers made 180 repeat purchases; the model says 170: 5.6% fewer."
        );
        assert_eq!(
            finding(&tracking(&[(1.0, None, 5.0)], 0.0)),
            "What the model expects; nothing has been observed yet."
        );
    }
}
