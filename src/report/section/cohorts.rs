//! The cohort heat map.

use super::{capital, figure, of_a_hundred, shown, total};
use crate::report::data::{CohortMatrix, Section, Step};
use crate::report::heat_map::{HeatCell, HeatMap, HeatRow};
use crate::report::markup::Markup;
use crate::report::page::{self, Place, Words};
use crate::report::table::{Column, Table};
use crate::report::{number, scale};

pub(in crate::report) const PLACE: Place = Place {
    id: "cohorts",
    title: "Who comes back",
};

/// Rows and columns that stay legible.
const BANDS_MAX: usize = 36;

/// Writes the section.
pub(in crate::report) fn write(m: &mut Markup, section: &Section<CohortMatrix>) -> Option<Place> {
    let missing = |matrix: &CohortMatrix| {
        let cells = matrix.cohorts.iter().any(|cohort| !cohort.cells.is_empty());
        (!cells).then_some("There is no cohort in the data.")
    };
    shown(m, PLACE, section, missing, |m, matrix| {
        let bands = Bands::of(matrix);
        let words = Words {
            finding: finding(matrix),
            how: how(matrix, &bands),
        };
        page::section(m, PLACE, true, &words, |m| {
            let chart = heat_map(&bands, matrix.step);
            let description = format!(
                "{} rows of customers by the {step} of their first purchase; each cell is the share of them \
                 who were active so many {steps} later. {}",
                number::count(bands.rows.len() as u64),
                words.finding,
                step = matrix.step.one(),
                steps = matrix.step.many(),
            );
            figure(
                m,
                PLACE.id,
                &description,
                &chart,
                &table(&bands, matrix.step),
            );
        });
    })
}

/// A matrix small enough to read: neighbouring cohorts and periods are taken together where there are
/// too many.
struct Bands {
    /// How many cohorts make a row.
    height: usize,
    /// How many periods make a column; the first purchase's own period stands alone.
    width: usize,
    columns: Vec<String>,
    rows: Vec<Band>,
}

struct Band {
    name: String,
    customers: u64,
    cells: Vec<Option<Cell>>,
}

#[derive(Default)]
struct Cell {
    /// Customers observed, counted once for each period of the column.
    observed: u64,
    active: u64,
    complete: bool,
}

impl Cell {
    fn share(&self) -> f64 {
        self.active as f64 / self.observed.max(1) as f64
    }
}

impl Bands {
    fn of(matrix: &CohortMatrix) -> Self {
        let periods = matrix
            .cohorts
            .iter()
            .map(|cohort| cohort.cells.len())
            .max()
            .unwrap_or(0);
        let height = matrix.cohorts.len().div_ceil(BANDS_MAX).max(1);
        let width = periods.saturating_sub(1).div_ceil(BANDS_MAX - 1).max(1);
        // Which periods a column holds.
        let spans: Vec<std::ops::Range<usize>> = std::iter::once(0..1)
            .chain(
                (1..periods)
                    .step_by(width)
                    .map(|first| first..(first + width).min(periods)),
            )
            .collect();
        let rows = matrix
            .cohorts
            .chunks(height)
            .map(|cohorts| {
                let first = cohorts.first().map_or("", |cohort| &cohort.name);
                let last = cohorts.last().map_or("", |cohort| &cohort.name);
                Band {
                    name: if cohorts.len() > 1 {
                        format!("{first} – {last}")
                    } else {
                        first.to_owned()
                    },
                    customers: total(cohorts.iter().map(|cohort| cohort.customers)),
                    cells: spans
                        .iter()
                        .map(|span| {
                            let mut cell = Cell {
                                complete: true,
                                ..Cell::default()
                            };
                            for cohort in cohorts {
                                for period in span.clone() {
                                    match cohort.cells.get(period) {
                                        Some(found) => {
                                            cell.observed =
                                                cell.observed.saturating_add(cohort.customers);
                                            cell.active = cell.active.saturating_add(found.active);
                                            cell.complete &= found.complete;
                                        }
                                        None => cell.complete = false,
                                    }
                                }
                            }
                            (cell.observed > 0).then_some(cell)
                        })
                        .collect(),
                }
            })
            .collect();
        let columns = spans
            .iter()
            .map(|span| match span.len() {
                1 => span.start.to_string(),
                _ => format!("{}–{}", span.start, span.end - 1),
            })
            .collect();
        Self {
            height,
            width,
            columns,
            rows,
        }
    }
}

/// The mean share after one period, and after as many as half of the cohorts have lived.
fn finding(matrix: &CohortMatrix) -> String {
    let step = matrix.step;
    let mean = |offset: usize| {
        let (mut observed, mut active, mut cohorts) = (0_u64, 0_u64, 0_usize);
        for cohort in &matrix.cohorts {
            if let Some(cell) = cohort.cells.get(offset).filter(|cell| cell.complete) {
                observed = observed.saturating_add(cohort.customers);
                active = active.saturating_add(cell.active);
                cohorts += 1;
            }
        }
        (observed > 0).then(|| (active as f64 / observed as f64, cohorts))
    };
    let Some((next, _)) = mean(1) else {
        return format!(
            "No cohort has yet been observed for a whole {} after its first.",
            step.one()
        );
    };
    let mut text = format!(
        "{} were active in the {} after their first purchase",
        of_a_hundred(next, "customers"),
        step.one()
    );
    let periods = matrix
        .cohorts
        .iter()
        .map(|cohort| cohort.cells.len())
        .max()
        .unwrap_or(0);
    let half = matrix.cohorts.len().div_ceil(2);
    let late = (2..periods).rev().find_map(|offset| {
        mean(offset)
            .filter(|found| found.1 >= half)
            .map(|found| (offset, found.0))
    });
    if let Some((offset, share)) = late {
        text.push_str(&format!(
            ", {} in {} {offset}",
            of_a_hundred(share, "customers").replace(" customers", ""),
            step.one()
        ));
    }
    text.push('.');
    text
}

fn how(matrix: &CohortMatrix, bands: &Bands) -> String {
    let (one, many) = (matrix.step.one(), matrix.step.many());
    let mut text = format!(
        "Each row is the customers who first bought in one {one}; each cell is the share of them, in percent, \
         who bought again that many {many} later. Hatched cells are not over yet and can still grow."
    );
    if bands.height > 1 {
        text.push_str(&format!(
            " There are {} cohorts, so {} neighbours share a row.",
            number::count(matrix.cohorts.len() as u64),
            bands.height
        ));
    }
    if bands.width > 1 {
        text.push_str(&format!(
            " {} {many} share a column, which shows the mean share active in one of them.",
            bands.width
        ));
    }
    text
}

fn heat_map(bands: &Bands, step: Step) -> HeatMap {
    let highest = bands
        .rows
        .iter()
        .flat_map(|row| row.cells.iter().skip(1).flatten())
        .map(Cell::share)
        .fold(0.0, f64::max);
    let rows = bands
        .rows
        .iter()
        .map(|row| HeatRow {
            name: row.name.clone(),
            side: number::count(row.customers),
            cells: row
                .cells
                .iter()
                .zip(&bands.columns)
                .enumerate()
                .map(|(i, (cell, column))| {
                    cell.as_ref().map(|cell| HeatCell {
                        share: cell.share(),
                        hatched: !cell.complete,
                        given: i == 0,
                        tip: format!("{}, {} {column}: {}", row.name, step.one(), cell_text(cell)),
                    })
                })
                .collect(),
        })
        .collect();
    HeatMap {
        column_title: format!("{} since the first purchase", capital(step.many())),
        columns: bands.columns.clone(),
        row_title: "First bought".to_owned(),
        rows,
        side_title: "Customers".to_owned(),
        top: scale::ticks_around(0.0, highest, 5, 0.0).ends().1.min(1.0),
        legend: "of the cohort active".to_owned(),
        hatch: "not over yet".to_owned(),
    }
}

fn table(bands: &Bands, step: Step) -> Table {
    let mut columns = vec![Column::words("First bought"), Column::numbers("Customers")];
    columns.extend(
        bands
            .columns
            .iter()
            .map(|column| Column::numbers(format!("{} {column}", capital(step.one())))),
    );
    let rows = bands
        .rows
        .iter()
        .map(|row| {
            let mut texts = vec![row.name.clone(), number::count(row.customers)];
            texts.extend(row.cells.iter().map(|cell| match cell {
                Some(cell) => cell_text(cell),
                None => "–".to_owned(),
            }));
            texts
        })
        .collect();
    Table {
        caption: format!(
            "Share of each cohort active, by {} since the first purchase; “so far” marks what is not over yet",
            step.many()
        ),
        columns,
        rows,
    }
}

fn cell_text(cell: &Cell) -> String {
    let share = number::percent(cell.share(), 1);
    if cell.complete {
        share
    } else {
        format!("{share} so far")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::{Cohort, CohortCell};

    fn matrix(cohorts: usize) -> CohortMatrix {
        CohortMatrix {
            step: Step::Week,
            cohorts: (0..cohorts)
                .map(|i| Cohort {
                    name: format!("w{i}"),
                    customers: 100,
                    cells: (0..cohorts - i)
                        .map(|j| CohortCell {
                            active: if j == 0 { 100 } else { 20 },
                            complete: j + 1 < cohorts - i,
                        })
                        .collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn two_hundred_cohorts_become_a_legible_map() {
        let matrix = matrix(200);
        let bands = Bands::of(&matrix);
        assert_eq!((bands.height, bands.width), (6, 6));
        assert!(bands.rows.len() <= BANDS_MAX && bands.columns.len() <= BANDS_MAX);
        let first = &bands.rows[0];
        assert_eq!((first.name.as_str(), first.customers), ("w0 – w5", 600));
        let shares: Vec<f64> = first.cells.iter().flatten().map(Cell::share).collect();
        assert_eq!(shares[0], 1.0);
        assert!(shares[1..].iter().all(|share| (share - 0.2).abs() < 1e-12));
        assert_eq!(bands.columns[1], "1–6");
        assert!(how(&matrix, &bands).contains("200 cohorts, so 6 neighbours share a row"));
    }

    #[test]
    fn a_cell_is_complete_only_if_all_of_it_is() {
        let bands = Bands::of(&matrix(3));
        let complete: Vec<Vec<bool>> = bands
            .rows
            .iter()
            .map(|row| {
                row.cells
                    .iter()
                    .flatten()
                    .map(|cell| cell.complete)
                    .collect()
            })
            .collect();
        assert_eq!(
            complete,
            [vec![true, true, false], vec![true, false], vec![false]]
        );
        let table = table(&bands, Step::Week);
        assert_eq!(table.rows[1], ["w1", "100", "100.0%", "20.0% so far", "–"]);
    }

    #[test]
    fn the_finding_counts_complete_cells_only() {
        let mut matrix = matrix(6);
        matrix.cohorts[0].cells[1].active = 60;
        matrix.cohorts[4].cells[1].active = 100; // not over: does not count
        assert_eq!(
            finding(&matrix),
            "30 of 100 customers were active in the week after their first purchase, 20 of 100 in week 2."
        );
    }
}
