//! P(alive) over recency and frequency.

use super::{bare, capital, duration, figure, shown};
use crate::report::data::{AliveGrid, Section};
use crate::report::heat_map::{HeatCell, HeatMap, HeatRow};
use crate::report::markup::Markup;
use crate::report::number;
use crate::report::page::{self, Place, Words};
use crate::report::table::{Column, Table};

pub(in crate::report) const PLACE: Place = Place {
    id: "alive",
    title: "Who is still a customer",
};

/// Writes the section.
pub(in crate::report) fn write(m: &mut Markup, section: &Section<AliveGrid>) -> Option<Place> {
    let missing = |grid: &AliveGrid| {
        let some = grid
            .rows
            .iter()
            .flat_map(|row| &row.probabilities)
            .any(Option::is_some);
        (!some).then_some("There is no combination of recency and frequency to show.")
    };
    shown(m, PLACE, section, missing, |m, grid| {
        let words = Words {
            finding: finding(grid),
            how: format!(
                "P(alive) is the model's probability, in percent, that a customer will ever buy again. All cells are \
                 customers who first bought {} ago; further right, the latest purchase is more recent, further up, \
                 there were more of them. Silence says more about a frequent buyer than about a rare one.",
                duration(grid.age, grid.step)
            ),
        };
        page::section(m, PLACE, true, &words, |m| {
            figure(m, PLACE.id, &words.finding, &heat_map(grid), &table(grid));
        });
    })
}

/// What the same number of purchases means when they are long ago, and when they are not.
fn finding(grid: &AliveGrid) -> String {
    let most = grid.rows.iter().max_by_key(|row| row.frequency);
    let Some(row) = most else {
        return String::new();
    };
    let mut known = grid
        .recencies
        .iter()
        .zip(&row.probabilities)
        .filter_map(|(&recency, p)| Some((recency, (*p)?)));
    let (Some(early), Some(late)) = (known.next(), known.next_back()) else {
        return String::new();
    };
    let ago = |recency: f64| {
        if recency >= grid.age {
            "just now".to_owned()
        } else {
            duration(grid.age - recency, grid.step) + " ago"
        }
    };
    let probability = |p: f64| {
        if p > 0.0 && p < 0.001 {
            "less than 0.1%".to_owned()
        } else {
            number::percent(p, 1)
        }
    };
    format!(
        "A customer with {} repeat purchases, the latest {}, is still one with a probability of {}; if it was {}, \
         {}.",
        row.frequency,
        ago(late.0),
        probability(late.1),
        ago(early.0),
        probability(early.1)
    )
}

fn heat_map(grid: &AliveGrid) -> HeatMap {
    HeatMap {
        column_title: format!("Latest purchase, in {} after the first", grid.step.many()),
        columns: grid
            .recencies
            .iter()
            .map(|&recency| bare(recency))
            .collect(),
        row_title: "Repeats".to_owned(),
        rows: grid
            .rows
            .iter()
            .rev()
            .map(|row| HeatRow {
                name: row.frequency.to_string(),
                side: String::new(),
                cells: row
                    .probabilities
                    .iter()
                    .zip(&grid.recencies)
                    .map(|(p, &recency)| {
                        p.map(|p| HeatCell {
                            share: p,
                            hatched: false,
                            given: false,
                            tip: format!(
                                "{} repeat purchases, the latest {} after the first: {}",
                                row.frequency,
                                duration(recency, grid.step),
                                number::percent(p, 1)
                            ),
                        })
                    })
                    .collect(),
            })
            .collect(),
        side_title: String::new(),
        top: 1.0,
        legend: "P(alive)".to_owned(),
        hatch: String::new(),
    }
}

fn table(grid: &AliveGrid) -> Table {
    let mut columns = vec![Column::words("Repeat purchases")];
    columns.extend(grid.recencies.iter().map(|&recency| {
        Column::numbers(format!("{} {}", capital(grid.step.one()), bare(recency)))
    }));
    Table {
        caption: format!(
            "P(alive) of customers who first bought {} ago, by repeat purchases and by the time of the latest",
            duration(grid.age, grid.step)
        ),
        columns,
        rows: grid
            .rows
            .iter()
            .map(|row| {
                let mut texts = vec![row.frequency.to_string()];
                texts.extend(row.probabilities.iter().map(|p| match p {
                    Some(p) => number::percent(*p, 1),
                    None => "–".to_owned(),
                }));
                texts
            })
            .collect(),
    }
}
