//! The sections of the page: each turns its data into sentences, a chart and a table.

pub(super) mod alive;
pub(super) mod cohorts;
pub(super) mod frequency;
pub(super) mod headlines;
pub(super) mod methods;
pub(super) mod repeat;
pub(super) mod save;
pub(super) mod segments;
pub(super) mod tracking;
pub(super) mod value;

use super::data::{Section, Step};
use super::markup::Markup;
use super::page::{self, Place};
use super::{number, svg, table::Table};

/// Writes a section, or why it is not there: `missing` says what an empty one lacks.
///
/// Returns the section's place if it is there.
fn shown<T>(
    m: &mut Markup,
    place: Place,
    section: &Section<T>,
    missing: impl FnOnce(&T) -> Option<&'static str>,
    body: impl FnOnce(&mut Markup, &T),
) -> Option<Place> {
    let why = match section {
        Section::LeftOut(why) => why.as_str(),
        Section::Shown(data) => match missing(data) {
            Some(why) => why,
            None => {
                body(m, data);
                return Some(place);
            }
        },
    };
    page::left_out(m, place, why);
    None
}

/// Writes a chart and the table behind it.
fn figure(m: &mut Markup, id: &str, description: &str, chart: &dyn svg::Chart, table: &Table) {
    m.el("figure").with(|m| {
        svg::chart(m, id, &table.caption, description, chart);
        table.write_folded(m);
    });
}

/// A sum of counts, which stays at the largest count rather than leave the range.
fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// The word with a capital letter.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

/// A length of time: `1 week`, `39 weeks`, `2.5 months`.
fn duration(length: f64, step: Step) -> String {
    let text = bare(length);
    let unit = if text == "1" { step.one() } else { step.many() };
    format!("{text} {unit}")
}

/// A number with at most two decimals, and none for a whole one.
fn bare(value: f64) -> String {
    let text = number::decimal(value, 2);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share in words: `40 of 100 customers`, or a percentage where that would be none or all of them.
fn of_a_hundred(share: f64, who: &str) -> String {
    let text = number::decimal(share * 100.0, 0);
    if (share > 0.0 && text == "0") || (share < 1.0 && text == "100") {
        format!("{} of {who}", number::percent(share, 2))
    } else {
        format!("{text} of 100 {who}")
    }
}

/// How a number compares with another: `12.2% fewer`.
fn compared(found: f64, with: f64) -> String {
    if with == 0.0 {
        return "with none to compare".to_owned();
    }
    let change = found / with - 1.0;
    let size = number::percent(change.abs(), 1);
    if size == "0.0%" {
        "the same to a tenth of a percent".to_owned()
    } else if change < 0.0 {
        format!("{size} fewer")
    } else {
        format!("{size} more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_with_their_numbers() {
        assert_eq!(duration(1.0, Step::Week), "1 week");
        assert_eq!(duration(39.0, Step::Week), "39 weeks");
        assert_eq!(duration(2.5, Step::Month), "2.5 months");
        assert_eq!(duration(100.0, Step::Day), "100 days");
        assert_eq!(of_a_hundred(0.401, "customers"), "40 of 100 customers");
        assert_eq!(of_a_hundred(0.001, "customers"), "0.10% of customers");
        assert_eq!(of_a_hundred(0.0, "customers"), "0 of 100 customers");
        assert_eq!(compared(1653.4, 1882.0), "12.1% fewer");
        assert_eq!(compared(2.0, 1.0), "100.0% more");
        assert_eq!(compared(1.0, 0.0), "with none to compare");
    }
}
