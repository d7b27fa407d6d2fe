//! A whole report to look at and to test.

use tenure::report::*;

use crate::cdnow;

pub fn dollars() -> Currency {
    Currency {
        symbol: "$".to_owned(),
        decimals: 2,
    }
}

fn headline(label: &str, figure: Figure, note: &str) -> Headline {
    Headline {
        label: label.to_owned(),
        figure,
        note: note.to_owned(),
    }
}

fn fact(name: &str, text: &str) -> Fact {
    Fact {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

/// A report without any section.
pub fn bare() -> ReportData {
    ReportData::empty(
        "CDNOW",
        "1997-01-01",
        "1998-06-30",
        dollars(),
        "Nobody asked for it.",
    )
}

/// The report on the CDNOW sample.
pub fn cdnow() -> ReportData {
    ReportData {
        summary: "Half of this music shop's customers never came back. A few of the others carry it: a tenth of \
                  all customers holds more than half of what the next year will bring."
            .to_owned(),
        headlines: headlines(),
        cohorts: Section::Shown(cohorts()),
        repeat_curve: Section::Shown(RepeatCurve {
            step: Step::Week,
            customers: 2357,
            points: cdnow::REPEAT
                .iter()
                .enumerate()
                .map(|(i, &share)| RepeatPoint {
                    elapsed: i as f64,
                    share,
                })
                .collect(),
        }),
        tracking: Section::Shown(Tracking {
            step: Step::Week,
            calibration_end: 39.0,
            points: cdnow::TRACKING
                .iter()
                .enumerate()
                .map(|(i, &(actual, expected))| TrackingPoint {
                    at: i as f64,
                    actual: Some(actual),
                    expected,
                })
                .collect(),
        }),
        holdout: Section::Shown(holdout()),
        frequency_fit: Section::Shown(FrequencyFit {
            model: "BG/NBD".to_owned(),
            groups: cdnow::FREQUENCY
                .iter()
                .map(|&(frequency, actual, expected)| FrequencyGroup {
                    frequency: frequency.to_owned(),
                    actual,
                    expected,
                })
                .collect(),
        }),
        alive: Section::Shown(alive()),
        deciles: Section::Shown(deciles()),
        segments: Section::Shown(segments()),
        stages: Section::Shown(stages()),
        save: Section::Shown(save()),
        methods: methods(),
        provenance: vec![
            fact("Transactions", "6,919 rows of cdnow_sample_elog.csv, 2,357 customers"),
            fact("Calibration", "1997-01-01 to 1997-09-30, by calendar day"),
            fact("Hold-out", "1997-10-01 to 1998-06-30"),
        ],
        ..bare()
    }
}

fn headlines() -> Vec<Headline> {
    vec![
        headline(
            "Customers",
            Figure::Count(2357),
            "first bought from January to March 1997",
        ),
        headline(
            "Revenue",
            Figure::Money(244_091.94),
            "in 18 months, 6,696 purchases",
        ),
        headline(
            "Repeat rate",
            Figure::Share(0.4964),
            "bought on at least two days",
        ),
        headline(
            "Time between purchases",
            Figure::Number {
                value: 10.4,
                decimals: 1,
                unit: "weeks".to_owned(),
            },
            "mean of all repeat purchases",
        ),
        headline(
            "Expected purchases",
            Figure::Number {
                value: 2101.0,
                decimals: 0,
                unit: String::new(),
            },
            "over the next 12 months; 1,653 were expected of the last 39 weeks, 1,882 came",
        ),
        headline(
            "Value at risk",
            Figure::Money(9_480.2),
            "of customers with P(alive) below one half",
        ),
    ]
}

fn cohorts() -> CohortMatrix {
    CohortMatrix {
        step: Step::Month,
        cohorts: cdnow::COHORTS
            .iter()
            .map(|&(name, customers, cells)| Cohort {
                name: name.to_owned(),
                customers,
                cells: cells
                    .iter()
                    .enumerate()
                    .map(|(j, &active)| CohortCell {
                        active,
                        complete: j + 1 < cells.len(),
                    })
                    .collect(),
            })
            .collect(),
    }
}

fn holdout() -> HoldoutFit {
    HoldoutFit {
        length: "39 weeks".to_owned(),
        groups: cdnow::HOLDOUT
            .iter()
            .map(|&(frequency, customers, actual, expected)| HoldoutGroup {
                frequency: frequency.to_owned(),
                customers,
                actual,
                expected,
            })
            .collect(),
    }
}

fn alive() -> AliveGrid {
    AliveGrid {
        step: Step::Week,
        age: 39.0,
        recencies: (0..14).map(|i| f64::from(i) * 3.0).collect(),
        rows: (0..)
            .zip(cdnow::ALIVE)
            .map(|(frequency, row)| AliveRow {
                frequency,
                probabilities: row.iter().map(|&p| (p >= 0.0).then_some(p)).collect(),
            })
            .collect(),
    }
}

fn deciles() -> ValueDeciles {
    ValueDeciles {
        meaning: "expected revenue over the next 12 months".to_owned(),
        groups: (1..)
            .zip(cdnow::DECILES)
            .map(|(i, (customers, value))| ValueGroup {
                name: i.to_string(),
                customers,
                value,
            })
            .collect(),
    }
}

fn segments() -> SegmentMap {
    SegmentMap {
        size: TileSize::Revenue,
        segments: cdnow::SEGMENTS
            .iter()
            .map(|&(name, customers, revenue, alive)| Segment {
                name: name.to_owned(),
                customers,
                revenue,
                alive,
            })
            .collect(),
    }
}

fn stages() -> Vec<Stage> {
    [
        ("New", 0, "first purchase in the last 30 days"),
        ("Active", 402, "silent for no longer than the usual gap"),
        ("At risk", 193, "silent for up to twice the usual gap"),
        ("Dormant", 351, "silent for up to four times the usual gap"),
        ("Lost", 1366, "silent for longer than that"),
        ("Resurrected", 45, "back after having been dormant or lost"),
    ]
    .map(|(name, customers, rule)| Stage {
        name: name.to_owned(),
        rule: rule.to_owned(),
        customers,
    })
    .into()
}

fn save() -> SaveList {
    SaveList {
        horizon: "12 months".to_owned(),
        rule: "These customers lose the shop most, were they to leave: their value times the probability that they \
               are leaving is highest."
            .to_owned(),
        customers: cdnow::SAVE
            .iter()
            .map(|&(customer, repeats, silent, gap, segment, alive, purchases, value)| CustomerToSave {
                customer: format!("C-{customer:0>5}"),
                stage: if silent > 2.0 * gap { "Dormant" } else { "At risk" }.to_owned(),
                segment: segment.to_owned(),
                alive,
                purchases,
                value,
                interval: Some((value * 0.32, value * 1.85)),
                reason: format!(
                    "Bought again {repeats} times, about every {gap:.1} weeks; silent for {silent:.0} weeks."
                ),
            })
            .collect(),
    }
}

fn methods() -> Vec<Method> {
    let parameter = |name: &str, value, standard_error| Parameter {
        name: name.to_owned(),
        value,
        standard_error,
    };
    vec![
        Method {
            name: "BG/NBD".to_owned(),
            about: "While customers are alive they buy at random with a rate of their own; after any purchase they may \
                    leave for good. Fader, Hardie and Lee (2005)."
                .to_owned(),
            parameters: vec![
                parameter("r", 0.242_595, Some(0.012_557)),
                parameter("α", 4.413_602, Some(0.378_223)),
                parameter("a", 0.792_922, Some(0.185_750)),
                parameter("b", 2.425_907, Some(0.705_387)),
            ],
            facts: vec![
                fact("Log-likelihood", "−9,582.43"),
                fact("Fit", "interior maximum after 9 iterations"),
            ],
        },
        Method {
            name: "Gamma-Gamma".to_owned(),
            about: "Each purchase of a customer varies around a mean of their own, which does not depend on how often \
                    they buy. Fader, Hardie and Lee (2005b)."
                .to_owned(),
            parameters: vec![
                parameter("p", 6.2496, Some(1.1895)),
                parameter("q", 3.7442, Some(0.2899)),
                parameter("v", 15.4435, None),
            ],
            facts: vec![fact("Customers", "946 with repeat purchases")],
        },
    ]
}

/// Cohorts of a shop that lives on: `cohorts` of them, each watched to the end.
pub fn triangle(step: Step, cohorts: usize) -> CohortMatrix {
    CohortMatrix {
        step,
        cohorts: (0..cohorts)
            .map(|i| {
                let customers = 800 + (i as u64 * 7919) % 450;
                Cohort {
                    name: format!("{}-{:02}", 2020 + i / 12, i % 12 + 1),
                    customers,
                    cells: (0..cohorts - i)
                        .map(|j| CohortCell {
                            active: if j == 0 {
                                customers
                            } else {
                                let season = 100 + ((i + j) as u64 % 12 / 10) * 45;
                                customers * season * (24 + (i as u64 * 31) % 9)
                                    / (10_000 + 900 * j as u64)
                            },
                            complete: i + j + 1 < cohorts,
                        })
                        .collect(),
                }
            })
            .collect(),
    }
}
