//! The models behind the numbers, and where the numbers come from.

use crate::report::data::{Fact, Method, ReportData};
use crate::report::markup::Markup;
use crate::report::number;
use crate::report::page::{self, Place, Words};
use crate::report::table::{Column, Table};

pub(in crate::report) const PLACE: Place = Place {
    id: "methods",
    title: "How this was computed",
};

/// Writes the models, if there are any.
pub(in crate::report) fn write(m: &mut Markup, methods: &[Method]) -> Option<Place> {
    if methods.is_empty() {
        return None;
    }
    let words = Words {
        finding: String::new(),
        how: "Parameters are maximum-likelihood estimates unless a text says otherwise. A standard error tells how \
              much an estimate would vary between samples of this size."
            .to_owned(),
    };
    page::section(m, PLACE, false, &words, |m| {
        m.el("div").a("class", "methods").with(|m| {
            for method in methods {
                m.el("div").with(|m| {
                    m.el("h3").text(&method.name);
                    if !method.about.is_empty() {
                        m.el("p").text(&method.about);
                    }
                    if !method.parameters.is_empty() {
                        parameters(method).write(m);
                    }
                    facts(m, &method.facts);
                });
            }
        });
    });
    Some(PLACE)
}

fn parameters(method: &Method) -> Table {
    Table {
        caption: format!("Parameters of {}", method.name),
        columns: vec![
            Column::words("Parameter"),
            Column::numbers("Estimate"),
            Column::numbers("Standard error"),
        ],
        rows: method
            .parameters
            .iter()
            .map(|parameter| {
                vec![
                    parameter.name.clone(),
                    precise(parameter.value),
                    parameter
                        .standard_error
                        .map_or_else(|| "–".to_owned(), precise),
                ]
            })
            .collect(),
    }
}

/// An estimate to four decimals, or in powers of ten where those would show nothing.
fn precise(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(0.001..1e9).contains(&size) {
        format!("{value:.3e}").replace('-', "−")
    } else {
        number::decimal(value, if size < 1000.0 { 4 } else { 1 })
    }
}

/// Writes where the numbers come from.
pub(in crate::report) fn write_provenance(m: &mut Markup, data: &ReportData) {
    m.verbatim("\n");
    m.el("footer").with(|m| {
        m.el("h2").text("Provenance");
        let mut all = data.provenance.clone();
        all.push(Fact {
            name: "As of".to_owned(),
            text: data.as_of.clone(),
        });
        all.push(Fact {
            name: "Made with".to_owned(),
            text: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        });
        facts(m, &all);
    });
}

fn facts(m: &mut Markup, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    m.el("dl").a("class", "facts").with(|m| {
        for fact in facts {
            m.el("div").with(|m| {
                m.el("dt").text(&fact.name);
                m.el("dd").text(&fact.text);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_precise_at_any_size() {
        assert_eq!(precise(0.242_595), "0.2426");
        assert_eq!(precise(-1234.56), "−1,234.6");
        assert_eq!(precise(0.0), "0.0000");
        assert_eq!(precise(1.25e-7), "1.250e−7");
        assert_eq!(precise(2.5e12), "2.500e12");
    }
}
