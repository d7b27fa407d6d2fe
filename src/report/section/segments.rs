//! Segments and lifecycle stages.

use super::{figure, shown, total};
use crate::report::bar_chart::LyingBars;
use crate::report::data::{Currency, Section, Segment, SegmentMap, Stage, TileColour, TileSize};
use crate::report::markup::Markup;
use crate::report::number;
use crate::report::page::{self, Place, Words};
use crate::report::table::{Column, Table};
use crate::report::tiles::{Tile, Tiles};

pub(in crate::report) const PLACE: Place = Place {
    id: "segments",
    title: "The segments",
};
pub(in crate::report) const STAGES: Place = Place {
    id: "stages",
    title: "Where they stand",
};

/// Writes the segment map.
pub(in crate::report) fn write(
    m: &mut Markup,
    section: &Section<SegmentMap>,
    currency: &Currency,
) -> Option<Place> {
    let missing = |map: &SegmentMap| {
        let sized = map
            .segments
            .iter()
            .any(|segment| size(segment, map.size) > 0.0);
        (!sized).then_some("There is no segment with anything in it.")
    };
    shown(m, PLACE, section, missing, |m, map| {
        let mut segments: Vec<&Segment> = map.segments.iter().collect();
        // A stable sort: equal segments keep the caller's order.
        segments.sort_by(|a, b| size(b, map.size).total_cmp(&size(a, map.size)));
        let values = segments.iter().map(|segment| segment.value);
        let dearest = values.fold(0.0, f64::max);
        let words = Words {
            finding: finding(&segments, map, currency),
            how: format!(
                "The area of a tile is the {}; the stronger its colour, the {}.",
                match map.size {
                    TileSize::Customers => "number of customers",
                    TileSize::Revenue => "revenue so far",
                },
                match map.colour {
                    TileColour::Alive => "more likely its customers will ever buy again",
                    TileColour::Value => "more one of its customers is expected to be worth",
                }
            ),
        };
        page::section(m, PLACE, true, &words, |m| {
            let chart = Tiles {
                tiles: segments
                    .iter()
                    .filter(|segment| size(segment, map.size) > 0.0)
                    .map(|segment| Tile {
                        size: size(segment, map.size),
                        share: match map.colour {
                            TileColour::Alive => segment.alive,
                            TileColour::Value => segment.value / dearest.max(f64::MIN_POSITIVE),
                        },
                        texts: vec![
                            segment.name.clone(),
                            match map.size {
                                TileSize::Customers => {
                                    format!("{} customers", number::count(segment.customers))
                                }
                                TileSize::Revenue => number::round_money(segment.revenue, currency),
                            },
                            match map.colour {
                                TileColour::Alive => {
                                    format!("P(alive) {}", number::percent(segment.alive, 0))
                                }
                                TileColour::Value => {
                                    format!("{} each", number::round_money(segment.value, currency))
                                }
                            },
                        ],
                    })
                    .collect(),
                legend: match map.colour {
                    TileColour::Alive => "mean P(alive)".to_owned(),
                    TileColour::Value => "expected value each".to_owned(),
                },
                most: match map.colour {
                    TileColour::Alive => "100%".to_owned(),
                    TileColour::Value => number::round_money(dearest, currency),
                },
            };
            figure(
                m,
                PLACE.id,
                &words.finding,
                &chart,
                &table(&segments, currency),
            );
        });
    })
}

fn size(segment: &Segment, by: TileSize) -> f64 {
    match by {
        TileSize::Customers => segment.customers as f64,
        TileSize::Revenue => segment.revenue,
    }
}

fn finding(segments: &[&Segment], map: &SegmentMap, currency: &Currency) -> String {
    let by = map.size;
    let Some(largest) = segments.first() else {
        return String::new();
    };
    let all: f64 = segments
        .iter()
        .map(|segment| size(segment, by).max(0.0))
        .sum();
    format!(
        "The largest of {} segments, {}, holds {} of the {}; its customers are {}.",
        number::count(segments.len() as u64),
        largest.name,
        number::percent(size(largest, by) / all, 1),
        match by {
            TileSize::Customers => "customers",
            TileSize::Revenue => "revenue",
        },
        match map.colour {
            TileColour::Alive => format!(
                "still there with a probability of {}",
                number::percent(largest.alive, 0)
            ),
            TileColour::Value => format!(
                "expected to be worth {} each",
                number::round_money(largest.value, currency)
            ),
        }
    )
}

fn table(segments: &[&Segment], currency: &Currency) -> Table {
    let customers = total(segments.iter().map(|segment| segment.customers)).max(1) as f64;
    Table {
        caption: "Segments, largest first".to_owned(),
        columns: vec![
            Column::words("Segment"),
            Column::numbers("Customers"),
            Column::numbers("Share of customers"),
            Column::numbers("Revenue so far"),
            Column::numbers("Mean P(alive)"),
            Column::numbers("Mean expected value"),
        ],
        rows: segments
            .iter()
            .map(|segment| {
                vec![
                    segment.name.clone(),
                    number::count(segment.customers),
                    number::percent(segment.customers as f64 / customers, 1),
                    number::round_money(segment.revenue, currency),
                    number::percent(segment.alive, 1),
                    number::money(segment.value, currency),
                ]
            })
            .collect(),
    }
}

/// Writes the lifecycle stages.
pub(in crate::report) fn write_stages(
    m: &mut Markup,
    section: &Section<Vec<Stage>>,
) -> Option<Place> {
    let missing = |stages: &Vec<Stage>| {
        let none = stages.iter().all(|stage| stage.customers == 0);
        none.then_some("There is no customer in any stage.")
    };
    shown(m, STAGES, section, missing, |m, stages| {
        let customers = total(stages.iter().map(|stage| stage.customers)).max(1) as f64;
        let share = |stage: &Stage| number::percent(stage.customers as f64 / customers, 1);
        let largest = stages.iter().rev().max_by_key(|stage| stage.customers);
        let words = Words {
            finding: largest.map_or_else(String::new, |stage| {
                format!(
                    "Most customers are in the stage “{}”: {} of them, {}.",
                    stage.name,
                    number::count(stage.customers),
                    share(stage)
                )
            }),
            how: "Each customer is in one stage, on the last day of the data. The rules are in the table."
                .to_owned(),
        };
        page::section(m, STAGES, true, &words, |m| {
            let chart = LyingBars {
                bars: stages
                    .iter()
                    .map(|stage| {
                        let text = format!("{} ({})", number::count(stage.customers), share(stage));
                        (stage.name.clone(), stage.customers as f64, text)
                    })
                    .collect(),
            };
            let table = Table {
                caption: "Customers by lifecycle stage".to_owned(),
                columns: vec![
                    Column::words("Stage"),
                    Column::numbers("Customers"),
                    Column::numbers("Share"),
                    Column::words("Rule"),
                ],
                rows: stages
                    .iter()
                    .map(|stage| {
                        vec![
                            stage.name.clone(),
                            number::count(stage.customers),
                            share(stage),
                            stage.rule.clone(),
                        ]
                    })
                    .collect(),
            };
            figure(m, STAGES.id, &words.finding, &chart, &table);
        });
    })
}
