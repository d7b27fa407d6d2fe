//! How many customers bought how often, actual against expected.

use super::{figure, shown};
use crate::report::bar_chart::{GroupedBars, Measure};
use crate::report::data::{FrequencyFit, Section};
use crate::report::markup::Markup;
use crate::report::number;
use crate::report::page::{self, Place, Words};
use crate::report::svg::Key;
use crate::report::table::{Column, Table};

pub(in crate::report) const PLACE: Place = Place {
    id: "frequency",
    title: "Does the model fit?",
};

/// Writes the section.
pub(in crate::report) fn write(m: &mut Markup, section: &Section<FrequencyFit>) -> Option<Place> {
    let missing = |fit: &FrequencyFit| {
        let none = fit.groups.iter().all(|group| group.actual == 0);
        none.then_some("There is no customer to count.")
    };
    shown(m, PLACE, section, missing, |m, fit| {
        let words = Words {
            finding: finding(fit),
            how: "Pairs of equal height mean that the model has understood how unlike customers are. It has only a \
                  few parameters, so it cannot simply learn these numbers by heart."
                .to_owned(),
        };
        page::section(m, PLACE, true, &words, |m| {
            let chart = GroupedBars {
                x_title: "Repeat purchases in the calibration".to_owned(),
                y_title: "Customers".to_owned(),
                measure: Measure::Count,
                keys: vec![
                    Key {
                        class: "b-actual",
                        name: "Actual".to_owned(),
                    },
                    Key {
                        class: "b-model",
                        name: fit.model.clone(),
                    },
                ],
                groups: fit
                    .groups
                    .iter()
                    .map(|group| {
                        (
                            group.frequency.clone(),
                            vec![group.actual as f64, group.expected],
                        )
                    })
                    .collect(),
                line: None,
            };
            let table = Table {
                caption: "Customers by their number of repeat purchases".to_owned(),
                columns: vec![
                    Column::words("Repeat purchases"),
                    Column::numbers("Actual"),
                    Column::numbers(fit.model.clone()),
                ],
                rows: fit
                    .groups
                    .iter()
                    .map(|group| {
                        vec![
                            group.frequency.clone(),
                            number::count(group.actual),
                            number::decimal(group.expected, 1),
                        ]
                    })
                    .collect(),
            };
            figure(m, PLACE.id, &words.finding, &chart, &table);
        });
    })
}

/// The first group, and the group that the model misses by most.
fn finding(fit: &FrequencyFit) -> String {
    let Some(first) = fit.groups.first() else {
        return String::new();
    };
    let mut text = format!(
        "{} customers made {} repeat purchases; the model expects {}.",
        number::count(first.actual),
        first.frequency,
        number::decimal(first.expected, 0)
    );
    let worst = fit.groups.iter().max_by(|a, b| {
        let missed = |group: &&crate::report::data::FrequencyGroup| {
            (group.actual as f64 - group.expected).abs()
        };
        missed(a).total_cmp(&missed(b))
    });
    if let Some(worst) = worst {
        text.push_str(&format!(
            " It is furthest off at {}: {} customers, {} expected.",
            worst.frequency,
            number::count(worst.actual),
            number::decimal(worst.expected, 0)
        ));
    }
    text
}
