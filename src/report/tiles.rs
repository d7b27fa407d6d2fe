//! Tiles: areas in proportion to numbers (a squarified treemap).
//!
//! Source: Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000): rows are filled as long as that makes
//! their tiles more square.

use super::heat_map::{SHADES, shade};
use super::markup::Markup;
use super::svg::{self, Anchor, Area, Chart, Room};

/// Tiles with texts, coloured by a share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tiles {
    /// The tiles, largest first.
    pub(super) tiles: Vec<Tile>,
    /// What a shade means.
    pub(super) legend: String,
}

/// A tile.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tile {
    /// Its area in proportion to the others; above 0.
    pub(super) size: f64,
    /// The share that its colour shows.
    pub(super) share: f64,
    /// Its texts: the name first.
    pub(super) texts: Vec<String>,
}

const LEGEND: f64 = 44.0;

impl Chart for Tiles {
    fn height(&self, room: Room) -> f64 {
        let tiles = match room {
            Room::Wide => 400.0,
            Room::Narrow => 440.0,
        };
        tiles + LEGEND
    }

    fn draw(&self, m: &mut Markup, room: Room, _id: &str) {
        let whole = Area {
            x: 0.0,
            y: 0.0,
            width: room.width(),
            height: self.height(room) - LEGEND,
        };
        let sizes: Vec<f64> = self.tiles.iter().map(|tile| tile.size).collect();
        for (tile, area) in self.tiles.iter().zip(squarify(&sizes, whole)) {
            m.el("g")
                .a("class", shade(tile.share, 1.0))
                .with(|m| draw_tile(m, tile, area, room));
        }
        let top = whole.height + 14.0;
        let swatch = 22.0;
        for (i, class) in SHADES.iter().enumerate() {
            let area = Area {
                x: i as f64 * swatch,
                y: top,
                width: swatch,
                height: 10.0,
            };
            m.el("g")
                .a("class", class)
                .with(|m| svg::rect(m, area, "cell", ""));
        }
        let end = SHADES.len() as f64 * swatch;
        svg::label(m, (0.0, top + 25.0), Anchor::Start, "muted num", "0%");
        svg::label(m, (end, top + 25.0), Anchor::End, "muted num", "100%");
        svg::label(
            m,
            (end + 12.0, top + 10.0),
            Anchor::Start,
            "muted",
            &self.legend,
        );
    }
}

fn draw_tile(m: &mut Markup, tile: &Tile, area: Area, room: Room) {
    let inner = Area {
        x: area.x + 1.5,
        y: area.y + 1.5,
        width: (area.width - 3.0).max(0.5),
        height: (area.height - 3.0).max(0.5),
    };
    let tip = if room == Room::Wide {
        tile.texts.join(", ")
    } else {
        String::new()
    };
    svg::rect(m, inner, "cell", &tip);
    let line = room.letter() + 5.0;
    for (i, text) in tile.texts.iter().enumerate() {
        let y = inner.y + 8.0 + room.letter() + i as f64 * line;
        if y + 5.0 > inner.y + inner.height {
            return;
        }
        // Bold letters are wider; a cut number would be a wrong number.
        let letter = room.letter() * if i == 0 { 1.08 } else { 1.0 };
        let width = inner.width - 16.0;
        let text = if i == 0 {
            svg::fitted(text, width, letter)
        } else {
            (svg::text_width(text, letter) <= width).then(|| text.clone())
        };
        let class = if i == 0 { "strong" } else { "num" };
        match text {
            Some(text) => svg::label(m, (inner.x + 9.0, y), Anchor::Start, class, &text),
            None => return,
        }
    }
}

/// Areas within `whole` in proportion to `sizes` (descending, above 0), near to squares.
fn squarify(sizes: &[f64], whole: Area) -> Vec<Area> {
    let total: f64 = sizes.iter().sum();
    let scale = whole.width * whole.height / total.max(f64::MIN_POSITIVE);
    let areas: Vec<f64> = sizes.iter().map(|size| size * scale).collect();
    let mut placed = Vec::with_capacity(sizes.len());
    let mut rest = areas.as_slice();
    let mut room = whole;
    while !rest.is_empty() {
        let side = room.width.min(room.height).max(f64::MIN_POSITIVE);
        let mut taken = 1;
        while taken < rest.len()
            && worst_ratio(rest.get(..=taken), side) <= worst_ratio(rest.get(..taken), side)
        {
            taken += 1;
        }
        let (row, left) = rest.split_at(taken);
        room = place_row(row, room, &mut placed);
        rest = left;
    }
    placed
}

/// The most oblong tile of a row along a side.
fn worst_ratio(row: Option<&[f64]>, side: f64) -> f64 {
    let row = row.unwrap_or_default();
    let sum: f64 = row.iter().sum();
    let most = row.iter().copied().fold(0.0, f64::max);
    let least = row.iter().copied().fold(f64::INFINITY, f64::min);
    let square = (side / sum) * (side / sum);
    (square * most).max(1.0 / (square * least))
}

/// Places a row along the shorter side and returns the room that is left.
fn place_row(row: &[f64], room: Area, placed: &mut Vec<Area>) -> Area {
    let sum: f64 = row.iter().sum();
    let upright = room.width >= room.height;
    let side = if upright { room.height } else { room.width };
    // Where tiny tiles follow huge ones, rounding has left them less room than their area.
    let most = if upright { room.width } else { room.height };
    let depth = (sum / side.max(f64::MIN_POSITIVE)).min(most);
    let mut along = 0.0;
    for area in row {
        let length = side * area / sum;
        placed.push(if upright {
            Area {
                x: room.x,
                y: room.y + along,
                width: depth,
                height: length,
            }
        } else {
            Area {
                x: room.x + along,
                y: room.y,
                width: length,
                height: depth,
            }
        });
        along += length;
    }
    if upright {
        Area {
            x: room.x + depth,
            width: (room.width - depth).max(0.0),
            ..room
        }
    } else {
        Area {
            y: room.y + depth,
            height: (room.height - depth).max(0.0),
            ..room
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: Area = Area {
        x: 0.0,
        y: 0.0,
        width: 600.0,
        height: 400.0,
    };

    /// The example of the paper: 6, 6, 4, 3, 2, 2, 1 in a rectangle of 6 × 4.
    #[test]
    fn the_example_of_the_paper() {
        let whole = Area {
            x: 0.0,
            y: 0.0,
            width: 6.0,
            height: 4.0,
        };
        let placed = squarify(&[6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0], whole);
        let expected = [
            (0.0, 0.0, 3.0, 2.0),
            (0.0, 2.0, 3.0, 2.0),
            (3.0, 0.0, 12.0 / 7.0, 7.0 / 3.0),
            (3.0 + 12.0 / 7.0, 0.0, 9.0 / 7.0, 7.0 / 3.0),
        ];
        for (found, (x, y, width, height)) in placed.iter().zip(expected) {
            for (a, b) in [
                (found.x, x),
                (found.y, y),
                (found.width, width),
                (found.height, height),
            ] {
                assert!((a - b).abs() < 1e-12, "{placed:?}");
            }
        }
    }

    /// Rounding left the two small ones no room, and a division by it threw them out of the drawing.
    #[test]
    fn specks_beside_a_giant_stay_inside() {
        for area in squarify(&[751_837_128.886_173_1, 1.0, 0.001], WHOLE) {
            assert!(
                area.x >= 0.0 && area.x + area.width <= 600.0 + 1e-6,
                "{area:?}"
            );
            assert!(
                area.y >= 0.0 && area.y + area.height <= 400.0 + 1e-6,
                "{area:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn tiles_fill_the_whole_in_proportion(
            mut sizes in prop::collection::vec(prop_oneof![0.001..1.0_f64, 1.0..1e9_f64], 1..40),
        ) {
            sizes.sort_by(|a, b| b.total_cmp(a));
            let placed = squarify(&sizes, WHOLE);
            prop_assert_eq!(placed.len(), sizes.len());
            let total: f64 = sizes.iter().sum();
            for (area, size) in placed.iter().zip(&sizes) {
                let share = area.width * area.height / (WHOLE.width * WHOLE.height);
                prop_assert!((share - size / total).abs() < 1e-9, "{placed:?}");
                prop_assert!(area.x >= 0.0 && area.x + area.width <= WHOLE.width + 1e-6);
                prop_assert!(area.y >= 0.0 && area.y + area.height <= WHOLE.height + 1e-6);
            }
            for (i, a) in placed.iter().enumerate() {
                for b in placed.iter().skip(i + 1) {
                    let wide = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
                    let high = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
                    prop_assert!(wide < 1e-6 || high < 1e-6, "{a:?} {b:?}");
                }
            }
        }
    }
}
