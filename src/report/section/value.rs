//! Where the value is.

use super::{figure, shown, total};
use crate::report::bar_chart::{GroupedBars, Measure};
use crate::report::data::{Currency, Section, ValueDeciles};
use crate::report::markup::Markup;
use crate::report::number;
use crate::report::page::{self, Place, Words};
use crate::report::svg::Key;
use crate::report::table::{Column, Table};

pub(in crate::report) const PLACE: Place = Place {
    id: "value",
    title: "Where the value is",
};

/// Writes the section.
pub(in crate::report) fn write(
    m: &mut Markup,
    section: &Section<ValueDeciles>,
    currency: &Currency,
) -> Option<Place> {
    let missing = |deciles: &ValueDeciles| {
        deciles
            .groups
            .is_empty()
            .then_some("There is no customer to value.")
    };
    shown(m, PLACE, section, missing, |m, deciles| {
        let shares = Shares::of(deciles);
        let words = Words {
            finding: finding(deciles, shares.as_ref(), currency),
            how: format!(
                "Customers stand in line by value, the most valuable first, and are cut into groups of equal size. \
                 Value means {}.",
                deciles.meaning
            ),
        };
        page::section(m, PLACE, true, &words, |m| {
            let chart = chart(deciles, shares.as_ref(), currency);
            let table = table(deciles, shares.as_ref(), currency);
            figure(m, PLACE.id, &words.finding, &chart, &table);
        });
    })
}

/// Each group's share of the whole value, and the share of it and all groups before it.
struct Shares {
    single: Vec<f64>,
    cumulative: Vec<f64>,
}

impl Shares {
    /// `None` where shares make no sense: nothing to share, or a group that takes away.
    fn of(deciles: &ValueDeciles) -> Option<Self> {
        let sum: f64 = deciles.groups.iter().map(|group| group.value).sum();
        if sum <= 0.0 || deciles.groups.iter().any(|group| group.value < 0.0) {
            return None;
        }
        let mut before = 0.0;
        let cumulative = deciles
            .groups
            .iter()
            .map(|group| {
                before += group.value;
                (before / sum).min(1.0)
            })
            .collect();
        Some(Self {
            single: deciles
                .groups
                .iter()
                .map(|group| group.value / sum)
                .collect(),
            cumulative,
        })
    }
}

fn finding(deciles: &ValueDeciles, shares: Option<&Shares>, currency: &Currency) -> String {
    let Some(first) = deciles.groups.first() else {
        return String::new();
    };
    let customers = total(deciles.groups.iter().map(|group| group.customers));
    let sum: f64 = deciles.groups.iter().map(|group| group.value).sum();
    let all = format!(
        "{} customers are worth {} together",
        number::count(customers),
        number::round_money(sum, currency)
    );
    let Some(shares) = shares else {
        return format!(
            "{all}; shares are not shown because a group is worth less than nothing or all are worth nothing."
        );
    };
    let share = shares.single.first().copied().unwrap_or(0.0);
    let part = first.customers as f64 / customers.max(1) as f64;
    let mut text = format!(
        "{all}. The most valuable {} of them hold {} of it",
        number::percent(part, 0),
        number::percent(share, 1)
    );
    let half = shares.cumulative.iter().position(|&share| share >= 0.5);
    if let Some(half) = half.filter(|&half| half > 0) {
        let upto = total(
            deciles
                .groups
                .iter()
                .take(half + 1)
                .map(|group| group.customers),
        );
        text.push_str(&format!(
            ", and half of it is with {} of them",
            number::percent(upto as f64 / customers.max(1) as f64, 0)
        ));
    }
    text.push('.');
    text
}

fn chart(deciles: &ValueDeciles, shares: Option<&Shares>, currency: &Currency) -> GroupedBars {
    let numbers: Vec<f64> = match shares {
        Some(shares) => shares.single.clone(),
        None => deciles.groups.iter().map(|group| group.value).collect(),
    };
    GroupedBars {
        x_title: "Groups of customers, most valuable first".to_owned(),
        y_title: if shares.is_some() {
            "Share of all value"
        } else {
            "Value"
        }
        .to_owned(),
        measure: match shares {
            Some(_) => Measure::Share,
            None => Measure::Money(currency.clone()),
        },
        keys: vec![Key {
            class: "b-actual",
            name: "This group".to_owned(),
        }],
        groups: deciles
            .groups
            .iter()
            .zip(numbers)
            .map(|(group, number)| (group.name.clone(), vec![number]))
            .collect(),
        line: shares.map(|shares| ("With all before it".to_owned(), shares.cumulative.clone())),
    }
}

fn table(deciles: &ValueDeciles, shares: Option<&Shares>, currency: &Currency) -> Table {
    let mut columns = vec![
        Column::words("Group"),
        Column::numbers("Customers"),
        Column::numbers("Value"),
        Column::numbers("Value each"),
    ];
    if shares.is_some() {
        columns.push(Column::numbers("Share"));
        columns.push(Column::numbers("Cumulative share"));
    }
    let rows = deciles
        .groups
        .iter()
        .enumerate()
        .map(|(i, group)| {
            let each = if group.customers == 0 {
                "–".to_owned()
            } else {
                number::money(group.value / group.customers as f64, currency)
            };
            let mut row = vec![
                group.name.clone(),
                number::count(group.customers),
                number::round_money(group.value, currency),
                each,
            ];
            for part in shares
                .iter()
                .flat_map(|shares| [&shares.single, &shares.cumulative])
            {
                row.push(
                    part.get(i)
                        .map_or_else(String::new, |&share| number::percent(share, 1)),
                );
            }
            row
        })
        .collect();
    Table {
        caption: format!("Value by group of customers: {}", deciles.meaning),
        columns,
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::ValueGroup;

    fn deciles(values: &[f64]) -> ValueDeciles {
        ValueDeciles {
            meaning: "expected revenue over a year".to_owned(),
            groups: values
                .iter()
                .enumerate()
                .map(|(i, &value)| ValueGroup {
                    name: (i + 1).to_string(),
                    customers: 10,
                    value,
                })
                .collect(),
        }
    }

    fn dollars() -> Currency {
        Currency {
            symbol: "$".to_owned(),
            decimals: 2,
        }
    }

    #[test]
    fn shares_add_up() {
        let deciles = deciles(&[400.0, 300.0, 200.0, 100.0]);
        let shares = Shares::of(&deciles).unwrap();
        assert_eq!(
            finding(&deciles, Some(&shares), &dollars()),
            "40 customers are worth $1,000 together. The most valuable 25% of them hold 40.0% of it, and half of it \
             is with 50% of them."
        );
        let table = table(&deciles, Some(&shares), &dollars());
        assert_eq!(
            table.rows[1],
            ["2", "10", "$300.00", "$30.00", "30.0%", "70.0%"]
        );
    }

    #[test]
    fn negative_and_empty_value_is_shown_as_money() {
        for values in [&[100.0, -50.0][..], &[0.0, 0.0][..]] {
            let deciles = deciles(values);
            assert!(Shares::of(&deciles).is_none());
            let chart = chart(&deciles, None, &dollars());
            assert_eq!(chart.groups[1].1, [values[1]]);
            assert_eq!(table(&deciles, None, &dollars()).columns.len(), 4);
        }
    }
}
