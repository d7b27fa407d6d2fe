//! A heat map: shares as shades of one colour, light for little.

use super::markup::Markup;
use super::number;
use super::svg::{self, Anchor, Area, Chart, Room};

/// Shades of the scale.
pub(super) const SHADES: [&str; 7] = ["q0", "q1", "q2", "q3", "q4", "q5", "q6"];

/// The shade of a share on a scale from 0 to `top`.
pub(super) fn shade(share: f64, top: f64) -> &'static str {
    let position = if top > 0.0 { share / top } else { 0.0 };
    let index = (position * SHADES.len() as f64).clamp(0.0, 6.0) as usize;
    SHADES.get(index).copied().unwrap_or("q6")
}

/// Rows and columns of shares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HeatMap {
    /// What the columns are.
    pub(super) column_title: String,
    pub(super) columns: Vec<String>,
    /// What the rows are.
    pub(super) row_title: String,
    pub(super) rows: Vec<HeatRow>,
    /// What the number beside a row's name is; empty if there is none.
    pub(super) side_title: String,
    /// The share that has the deepest shade.
    pub(super) top: f64,
    /// What a shade means.
    pub(super) legend: String,
    /// What hatching means.
    pub(super) hatch: String,
}

/// A row of the map.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HeatRow {
    pub(super) name: String,
    pub(super) side: String,
    pub(super) cells: Vec<Option<HeatCell>>,
}

/// A cell of the map.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HeatCell {
    pub(super) share: f64,
    /// What is being drawn with care: not final.
    pub(super) hatched: bool,
    /// True by definition and off the scale: drawn in grey.
    pub(super) given: bool,
    pub(super) tip: String,
}

const GAP: f64 = 2.0;
const HEAD: f64 = 46.0;
const LEGEND: f64 = 54.0;

/// Where the cells are.
struct Layout {
    /// Width of the rows' names.
    name: f64,
    /// Where the cells begin.
    left: f64,
    cell: (f64, f64),
}

impl HeatMap {
    fn layout(&self, room: Room) -> Layout {
        let widest = |texts: &mut dyn Iterator<Item = &str>| {
            texts
                .map(|text| svg::text_width(text, room.letter()))
                .fold(0.0, f64::max)
        };
        let most = if room == Room::Wide { 150.0 } else { 76.0 };
        let names = &mut self.rows.iter().map(|row| row.name.as_str());
        let name = widest(names)
            .max(svg::text_width(&self.row_title, room.letter()))
            .min(most);
        let side = if self.side_title.is_empty() || room == Room::Narrow {
            0.0
        } else {
            let sides = &mut self.rows.iter().map(|row| row.side.as_str());
            widest(sides).max(svg::text_width(&self.side_title, room.letter())) + 14.0
        };
        let left = name + side + 12.0;
        let columns = self.columns.len().max(1) as f64;
        let width = ((room.width() - left) / columns).min(64.0);
        // A few rows may be high; many must not make the map longer than a screen or two.
        let least = match self.rows.len() {
            0..=12 => 26.0,
            13..=26 => 20.0,
            _ => 15.0,
        };
        let height = (width * 0.72).clamp(least, 30.0);
        Layout {
            name,
            left,
            cell: (width, height),
        }
    }

    fn draw_columns(&self, m: &mut Markup, room: Room, layout: &Layout) {
        let widest = self
            .columns
            .iter()
            .map(|column| svg::text_width(column, room.letter()))
            .fold(0.0, f64::max);
        let every = ((widest + 6.0) / layout.cell.0).ceil().max(1.0) as usize;
        // The title stands over the cells, or ends with them where they are too narrow for it.
        let title = svg::text_width(&self.column_title, room.letter());
        if layout.left + title <= room.width() {
            svg::label(
                m,
                (layout.left + GAP, 14.0),
                Anchor::Start,
                "muted",
                &self.column_title,
            );
        } else {
            svg::label(
                m,
                (room.width(), 14.0),
                Anchor::End,
                "muted",
                &self.column_title,
            );
        }
        for (j, column) in self.columns.iter().enumerate().step_by(every) {
            let x = layout.left + (j as f64 + 0.5) * layout.cell.0;
            svg::label(m, (x, HEAD - 10.0), Anchor::Middle, "", column);
        }
    }

    fn draw_row(&self, m: &mut Markup, room: Room, layout: &Layout, id: &str, i: usize) {
        let Some(row) = self.rows.get(i) else { return };
        let (width, height) = layout.cell;
        let top = HEAD + i as f64 * height;
        let baseline = top + height / 2.0 + 4.5;
        // Rows lower than letters are named alternately.
        let every = (room.letter() / height).ceil().max(1.0) as usize;
        if i.is_multiple_of(every) {
            if let Some(name) = svg::fitted(&row.name, layout.name, room.letter()) {
                svg::label(m, (0.0, baseline), Anchor::Start, "", &name);
            }
            if room == Room::Wide && !self.side_title.is_empty() {
                svg::label(
                    m,
                    (layout.left - 10.0, baseline),
                    Anchor::End,
                    "muted num",
                    &row.side,
                );
            }
        }
        for (j, cell) in row.cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let area = Area {
                x: layout.left + j as f64 * width + GAP / 2.0,
                y: top + GAP / 2.0,
                width: (width - GAP).max(1.0),
                height: height - GAP,
            };
            let class = if cell.given {
                "given"
            } else {
                shade(cell.share, self.top)
            };
            let tip = if room == Room::Wide { &cell.tip } else { "" };
            m.el("g").a("class", class).with(|m| {
                svg::rect(m, area, "cell", tip);
                if cell.hatched {
                    m.el("rect")
                        .n("x", area.x)
                        .n("y", area.y)
                        .n("width", area.width)
                        .n("height", area.height)
                        .a("class", "hatch")
                        .a("fill", &format!("url(#{id}-h)"))
                        .empty();
                }
                if let Some(text) =
                    cell_text(cell.share, area.width, area.height, room.letter() - 1.0)
                {
                    let place = (area.x + area.width / 2.0, baseline);
                    svg::label(m, place, Anchor::Middle, "num cell-text", &text);
                }
            });
        }
    }

    fn draw_legend(&self, m: &mut Markup, room: Room, y: f64) {
        let swatch = 22.0;
        for (i, class) in SHADES.iter().enumerate() {
            let area = Area {
                x: i as f64 * swatch,
                y,
                width: swatch,
                height: 10.0,
            };
            m.el("g")
                .a("class", class)
                .with(|m| svg::rect(m, area, "cell", ""));
        }
        let end = SHADES.len() as f64 * swatch;
        let text = y + 25.0;
        svg::label(m, (0.0, text), Anchor::Start, "muted num", "0%");
        let top = number::percent(self.top, usize::from(self.top < 0.02));
        svg::label(m, (end, text), Anchor::End, "muted num", &top);
        svg::label(
            m,
            (end + 12.0, y + 10.0),
            Anchor::Start,
            "muted",
            &self.legend,
        );
        if self
            .rows
            .iter()
            .flat_map(|row| &row.cells)
            .flatten()
            .any(|cell| cell.hatched)
        {
            let x = if room == Room::Wide {
                end + 12.0 + svg::text_width(&self.legend, room.letter()) + 24.0
            } else {
                end + 12.0
            };
            let y = if room == Room::Wide { y } else { y + 16.0 };
            let area = Area {
                x,
                y: y - 1.0,
                width: swatch,
                height: 12.0,
            };
            m.el("g").a("class", "q1").with(|m| {
                svg::rect(m, area, "cell", "");
                svg::rect(m, area, "hatch hatch-key", "");
                let mut at = area.x + 3.0;
                while at < area.x + swatch - 4.0 {
                    svg::line(
                        m,
                        (at, area.y + 11.0),
                        (at + 5.0, area.y + 1.0),
                        "hatch-line",
                    );
                    at += 5.0;
                }
            });
            svg::label(
                m,
                (x + swatch + 8.0, y + 10.0),
                Anchor::Start,
                "muted",
                &self.hatch,
            );
        }
    }
}

impl Chart for HeatMap {
    fn height(&self, room: Room) -> f64 {
        HEAD + self.rows.len() as f64 * self.layout(room).cell.1 + LEGEND
    }

    fn draw(&self, m: &mut Markup, room: Room, id: &str) {
        let layout = self.layout(room);
        m.el("defs").with(|m| {
            m.el("pattern")
                .a("id", &format!("{id}-h"))
                .a("width", "6")
                .a("height", "6")
                .a("patternUnits", "userSpaceOnUse")
                .a("patternTransform", "rotate(45)")
                .with(|m| {
                    // A pattern does not inherit the shade of its cell: one of the two lines shows on any.
                    svg::line(m, (1.0, 0.0), (1.0, 6.0), "hatch-dark");
                    svg::line(m, (2.5, 0.0), (2.5, 6.0), "hatch-pale");
                });
        });
        if layout.name > 0.0 {
            svg::label(
                m,
                (0.0, HEAD - 10.0),
                Anchor::Start,
                "muted",
                &self.row_title,
            );
        }
        if room == Room::Wide && !self.side_title.is_empty() {
            svg::label(
                m,
                (layout.left - 10.0, HEAD - 10.0),
                Anchor::End,
                "muted",
                &self.side_title,
            );
        }
        self.draw_columns(m, room, &layout);
        for i in 0..self.rows.len() {
            self.draw_row(m, room, &layout, id, i);
        }
        self.draw_legend(
            m,
            room,
            HEAD + self.rows.len() as f64 * layout.cell.1 + 20.0,
        );
    }
}

/// The share as it fits into a cell, without the sign of percent; `None` where nothing fits.
///
/// Decimals depend on the cell alone, so that all cells of a map have as many.
fn cell_text(share: f64, width: f64, height: f64, letter: f64) -> Option<String> {
    let fits = |text: &str| svg::text_width(text, letter) + 4.0 <= width;
    let places = usize::from(fits("88.8") && share < 0.9995);
    let text = number::decimal(share * 100.0, places);
    (height > letter + 4.0 && fits(&text)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_cover_the_scale() {
        assert_eq!(shade(0.0, 0.5), "q0");
        assert_eq!(shade(0.5, 0.5), "q6");
        assert_eq!(shade(0.9, 0.5), "q6");
        assert_eq!(shade(0.25, 0.5), "q3");
        assert_eq!(shade(0.3, 0.0), "q0");
    }

    #[test]
    fn narrow_cells_stay_without_numbers() {
        assert_eq!(cell_text(0.1234, 50.0, 26.0, 12.0).as_deref(), Some("12.3"));
        assert_eq!(cell_text(0.1234, 26.0, 26.0, 12.0).as_deref(), Some("12"));
        assert_eq!(cell_text(0.1234, 12.0, 26.0, 12.0), None);
        assert_eq!(cell_text(0.1234, 50.0, 12.0, 12.0), None);
        assert_eq!(cell_text(1.0, 50.0, 26.0, 12.0).as_deref(), Some("100"));
    }
}
