//! The repeat-purchase curve.

use super::{bare, capital, duration, figure, of_a_hundred, shown};
use crate::report::data::{RepeatCurve, RepeatPoint, Section};
use crate::report::line_chart::{Line, LineChart};
use crate::report::markup::Markup;
use crate::report::page::{self, Place, Words};
use crate::report::table::{Column, Table};
use crate::report::{number, scale};

pub(in crate::report) const PLACE: Place = Place {
    id: "repeat",
    title: "How soon they come back",
};

/// Points that a line and its table show.
const POINTS_MAX: usize = 160;

/// Writes the section.
pub(in crate::report) fn write(m: &mut Markup, section: &Section<RepeatCurve>) -> Option<Place> {
    let missing = |curve: &RepeatCurve| {
        curve
            .points
            .is_empty()
            .then_some("There is no customer whose second purchase could be waited for.")
    };
    shown(m, PLACE, section, missing, |m, curve| {
        let words = Words {
            finding: finding(curve),
            how: format!(
                "The line is the share of {} customers who have bought again by then. Where it flattens, \
                 waiting longer brings few of them back.",
                number::count(curve.customers)
            ),
        };
        page::section(m, PLACE, true, &words, |m| {
            let (kept, _) = scale::thin(curve.points.len(), POINTS_MAX);
            let points: Vec<&RepeatPoint> =
                kept.iter().filter_map(|&i| curve.points.get(i)).collect();
            let title = format!("{} since the first purchase", capital(curve.step.many()));
            let chart = LineChart {
                x_title: title.clone(),
                y_title: "Customers who bought again".to_owned(),
                percent: true,
                lines: vec![Line {
                    name: "",
                    class: "s-actual",
                    points: points.iter().map(|p| (p.elapsed, p.share)).collect(),
                }],
                mark: None,
                notes: notes(curve),
            };
            let table = Table {
                caption:
                    "Share of customers who bought again, by the time since their first purchase"
                        .to_owned(),
                columns: vec![Column::numbers(title), Column::numbers("Bought again")],
                rows: points
                    .iter()
                    .map(|p| vec![bare(p.elapsed), number::percent(p.share, 1)])
                    .collect(),
            };
            figure(m, PLACE.id, &words.finding, &chart, &table);
        });
    })
}

/// The first point at which half of those who ever came back had done so.
fn halfway(curve: &RepeatCurve) -> Option<&RepeatPoint> {
    let last = curve.points.last()?;
    let half = curve.points.iter().find(|p| p.share >= last.share / 2.0)?;
    (last.share > 0.0 && half.elapsed > 0.0 && half.elapsed < last.elapsed).then_some(half)
}

fn finding(curve: &RepeatCurve) -> String {
    let Some(last) = curve.points.last() else {
        return String::new();
    };
    let share = of_a_hundred(last.share, "customers who bought once");
    let mut text = match share.split_once(" of 100 ") {
        Some((share, who)) => format!("Of 100 {who}, {share}"),
        None => share,
    };
    text.push_str(&format!(
        " bought again within {}.",
        duration(last.elapsed, curve.step)
    ));
    if let Some(half) = halfway(curve) {
        text.push_str(&format!(
            " Half of those who came back did so within {}.",
            duration(half.elapsed, curve.step)
        ));
    }
    text
}

fn notes(curve: &RepeatCurve) -> Vec<(f64, f64, String)> {
    let halfway = halfway(curve).map(|p| {
        let text = format!(
            "{} by {} {}",
            number::percent(p.share, 1),
            curve.step.one(),
            bare(p.elapsed)
        );
        (p.elapsed, p.share, text)
    });
    let last = curve
        .points
        .last()
        .map(|p| (p.elapsed, p.share, number::percent(p.share, 1)));
    halfway.into_iter().chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::Step;

    fn curve(shares: &[f64]) -> RepeatCurve {
        RepeatCurve {
            step: Step::Week,
            customers: 500,
            points: shares
                .iter()
                .enumerate()
                .map(|(i, &share)| RepeatPoint {
                    elapsed: i as f64,
                    share,
                })
                .collect(),
        }
    }

    #[test]
    fn the_finding_tells_the_curve() {
        assert_eq!(
            finding(&curve(&[0.0, 0.1, 0.2, 0.35, 0.4])),
            "Of 100 customers who bought once, 40 bought again within 4 weeks. \
             Half of those who came back did so within 2 weeks."
        );
        assert_eq!(
            finding(&curve(&[0.0, 0.0])),
            "Of 100 customers who bought once, 0 bought again within 1 week."
        );
        assert_eq!(
            finding(&curve(&[0.0, 0.001])),
            "0.10% of customers who bought once bought again within 1 week."
        );
    }
}
