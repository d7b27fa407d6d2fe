//! The customers most worth saving.

use super::shown;
use crate::report::data::{Currency, SaveList, Section};
use crate::report::markup::Markup;
use crate::report::number;
use crate::report::page::{self, Place, Words};
use crate::report::table::{Column, Table};

pub(in crate::report) const PLACE: Place = Place {
    id: "save",
    title: "Most worth saving",
};

/// Customers that a page lists; more are read from a file.
const CUSTOMERS_MAX: usize = 100;

/// Writes the section.
pub(in crate::report) fn write(
    m: &mut Markup,
    section: &Section<SaveList>,
    currency: &Currency,
) -> Option<Place> {
    let missing = |list: &SaveList| {
        list.customers
            .is_empty()
            .then_some("No customer is both valuable and about to leave.")
    };
    shown(m, PLACE, section, missing, |m, list| {
        let mut how = format!(
            "P(alive) is the probability that the customer will ever buy again; purchases and value are expected \
             over the next {}.",
            list.horizon
        );
        if list.customers.len() > CUSTOMERS_MAX {
            how.push_str(&format!(
                " Shown are the first {CUSTOMERS_MAX} of {}.",
                number::count(list.customers.len() as u64)
            ));
        }
        let words = Words {
            finding: list.rule.clone(),
            how,
        };
        page::section(m, PLACE, false, &words, |m| {
            m.el("figure")
                .with(|m| table(list, currency).write_as_cards(m));
        });
    })
}

fn table(list: &SaveList, currency: &Currency) -> Table {
    Table {
        caption: format!(
            "Customers most worth saving, over the next {}",
            list.horizon
        ),
        columns: vec![
            Column::words("Customer"),
            Column::words("Stage"),
            Column::words("Segment"),
            Column::numbers("P(alive)"),
            Column::numbers("Purchases"),
            Column::numbers("Value"),
            Column::numbers("90% interval"),
            Column::words("Why"),
        ],
        rows: list
            .customers
            .iter()
            .take(CUSTOMERS_MAX)
            .map(|customer| {
                vec![
                    shortened(&customer.customer),
                    customer.stage.clone(),
                    customer.segment.clone(),
                    number::percent(customer.alive, 0),
                    number::decimal(customer.purchases, 1),
                    amount(customer.value, currency),
                    customer.interval.map_or_else(
                        || "–".to_owned(),
                        |(low, high)| {
                            format!("{} to {}", amount(low, currency), amount(high, currency))
                        },
                    ),
                    customer.reason.clone(),
                ]
            })
            .collect(),
    }
}

/// A key of at most 64 characters: a longer one would push the rest of the row out of sight.
fn shortened(key: &str) -> String {
    match key.char_indices().nth(64) {
        Some((end, _)) => key.get(..end).unwrap_or(key).to_owned() + "…",
        None => key.to_owned(),
    }
}

/// An amount that leaves room for the others of its row.
fn amount(value: f64, currency: &Currency) -> String {
    if value.abs() < 1e6 {
        number::round_money(value, currency)
    } else {
        number::short_money(value, 0, currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_between_characters() {
        assert_eq!(shortened("C-00111"), "C-00111");
        assert_eq!(shortened(&"é".repeat(64)), "é".repeat(64));
        assert_eq!(shortened(&"é".repeat(65)), "é".repeat(64) + "…");
    }

    #[test]
    fn large_amounts_are_short() {
        let dollars = Currency {
            symbol: "$".to_owned(),
            decimals: 2,
        };
        assert_eq!(amount(327.341, &dollars), "$327.34");
        assert_eq!(amount(-2_500_000.0, &dollars), "−$2.5M");
    }
}
