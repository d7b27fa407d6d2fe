//! The few numbers to see first.

use crate::report::data::{Currency, Figure, Headline};
use crate::report::markup::Markup;
use crate::report::number;

/// Writes the numbers as cards.
pub(in crate::report) fn write(m: &mut Markup, headlines: &[Headline], currency: &Currency) {
    if headlines.is_empty() {
        return;
    }
    m.el("section")
        .a("class", "headlines")
        .a("aria-labelledby", "headlines-heading")
        .with(|m| {
            m.el("h2")
                .a("id", "headlines-heading")
                .a("class", "aloud")
                .text("Headline numbers");
            let columns = if headlines.len().is_multiple_of(4) {
                "tiles four"
            } else {
                "tiles three"
            };
            m.el("dl").a("class", columns).with(|m| {
                for headline in headlines {
                    m.el("div").with(|m| {
                        m.el("dt").text(&headline.label);
                        m.el("dd")
                            .a("class", "big")
                            .with(|m| figure(m, &headline.figure, currency));
                        if !headline.note.is_empty() {
                            m.el("dd").a("class", "small").text(&headline.note);
                        }
                    });
                }
            });
        });
}

fn figure(m: &mut Markup, figure: &Figure, currency: &Currency) {
    match figure {
        Figure::Count(value) => m.text(&number::count(*value)),
        Figure::Money(value) => m.text(&number::round_money(*value, currency)),
        Figure::Share(value) => m.text(&number::percent(*value, 1)),
        Figure::Number {
            value,
            decimals,
            unit,
        } => {
            m.text(&number::decimal(*value, usize::from(*decimals)));
            if !unit.is_empty() {
                m.el("span").a("class", "unit").text(&format!(" {unit}"));
            }
        }
    }
}
