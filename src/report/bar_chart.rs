//! Bars: groups side by side for comparing two answers, or lying down for long names.

use super::data::Currency;
use super::markup::Markup;
use super::number;
use super::scale::{self, Scale};
use super::svg::{self, Anchor, Area, Chart, Key, Room};

/// How a bar's number is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Measure {
    Count,
    Mean,
    Share,
    Money(Currency),
}

impl Measure {
    fn tick(&self, value: f64, places: usize) -> String {
        match self {
            Measure::Count | Measure::Mean => number::short(value, places),
            Measure::Share => number::percent(value, places.saturating_sub(2)),
            Measure::Money(currency) => number::short_money(value, places, currency),
        }
    }

    fn bar(&self, value: f64) -> String {
        match self {
            Measure::Count if value.abs() < 100_000.0 => number::decimal(value, 0),
            Measure::Count => number::short(value, 0),
            Measure::Mean => number::decimal(value, 2),
            Measure::Share => number::percent(value, usize::from(value.abs() < 0.0995)),
            Measure::Money(currency) => number::short_money(value, 0, currency),
        }
    }
}

/// Groups of bars on a common axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupedBars {
    pub(super) x_title: String,
    pub(super) y_title: String,
    pub(super) measure: Measure,
    /// What each bar of a group is: its class and name. One key draws no legend.
    pub(super) keys: Vec<Key>,
    /// A group's name and its numbers, in the order of the keys.
    pub(super) groups: Vec<(String, Vec<f64>)>,
    /// A line over the bars: its name, and a number for each group.
    pub(super) line: Option<(String, Vec<f64>)>,
}

const BOTTOM: f64 = 46.0;
/// The longest name of a group that is written out.
const NAME_MAX: f64 = 72.0;

impl GroupedBars {
    fn top(&self) -> f64 {
        if self.keys.len() > 1 || self.line.is_some() {
            66.0
        } else {
            40.0
        }
    }

    fn draw_legend(&self, m: &mut Markup, room: Room) {
        if self.keys.len() > 1 || self.line.is_some() {
            let mut all = self.keys.clone();
            if let Some((name, _)) = &self.line {
                all.push(Key {
                    class: svg::LINE_KEY,
                    name: name.clone(),
                });
            }
            svg::keys(m, &all, (0.0, 38.0), room);
        }
    }

    /// Draws a group's bars with their numbers where those fit.
    fn draw_group(&self, m: &mut Markup, slot: Area, y: &Scale, room: Room, index: usize) {
        let Some((name, values)) = self.groups.get(index) else {
            return;
        };
        let width = self.bar_width(slot.width);
        let left = slot.x + (slot.width - width * self.keys.len() as f64) / 2.0;
        let named = self.names_fit(width, room);
        let floor = y.place(0.0);
        for (i, (key, &value)) in self.keys.iter().zip(values).enumerate() {
            let end = y.place(value);
            let area = Area {
                x: left + i as f64 * width + 1.0,
                y: end.min(floor),
                width: (width - 2.0).max(0.5),
                height: (end - floor).abs(),
            };
            let text = self.measure.bar(value);
            let tip = if room == Room::Wide {
                format!("{name}: {} {text}", key.name)
            } else {
                String::new()
            };
            svg::rect(m, area, key.class, &tip);
            if named && self.clear_of_line(index, value) {
                let at = if value < 0.0 { end + 15.0 } else { end - 5.0 };
                let place = (area.x + area.width / 2.0, at);
                svg::label(m, place, Anchor::Middle, "num small", &text);
            }
        }
    }

    fn bar_width(&self, slot: f64) -> f64 {
        (slot * 0.86 / self.keys.len().max(1) as f64).min(58.0)
    }

    /// Whether every bar has room for its number: all of them are named or none.
    fn names_fit(&self, width: f64, room: Room) -> bool {
        self.groups
            .iter()
            .flat_map(|(_, values)| values)
            .all(|&value| svg::text_width(&self.measure.bar(value), room.letter() - 1.0) <= width)
    }

    /// Whether the number on a bar stays clear of the line's point above it.
    fn clear_of_line(&self, index: usize, value: f64) -> bool {
        match &self.line {
            None => true,
            Some((_, line)) => {
                let most = line.iter().copied().fold(0.0, f64::max);
                line.get(index)
                    .is_none_or(|&at| (at - value).abs() > most * 0.1)
            }
        }
    }

    fn draw_line(&self, m: &mut Markup, plot: Area, y: &Scale, room: Room) {
        let Some((_, values)) = &self.line else {
            return;
        };
        let slot = plot.width / self.groups.len().max(1) as f64;
        let places: Vec<(f64, f64)> = values
            .iter()
            .enumerate()
            .map(|(i, &value)| (plot.x + (i as f64 + 0.5) * slot, y.place(value)))
            .collect();
        for pair in places.windows(2) {
            if let [from, to] = *pair {
                svg::line(m, from, to, "line s-model");
            }
        }
        for (&(x, at), &value) in places.iter().zip(values) {
            m.el("circle")
                .n("cx", x)
                .n("cy", at)
                .n("r", 3.5)
                .a("class", "dot s-model")
                .empty();
            let text = self.measure.bar(value);
            if svg::text_width(&text, room.letter()) < slot {
                svg::label(m, (x, at - 9.0), Anchor::Middle, "num small", &text);
            }
        }
    }
}

impl Chart for GroupedBars {
    fn height(&self, room: Room) -> f64 {
        match room {
            Room::Wide => 360.0,
            Room::Narrow => 290.0,
        }
    }

    fn draw(&self, m: &mut Markup, room: Room, _id: &str) {
        let line = self.line.iter().flat_map(|(_, values)| values);
        let values = || self.groups.iter().flat_map(|(_, values)| values);
        let high = values().chain(line).copied().fold(0.0, f64::max);
        let low = values().copied().fold(0.0, f64::min);
        let step_min = if self.measure == Measure::Count {
            1.0
        } else {
            0.0
        };
        let ticks = scale::ticks_around(low, high, 5, step_min);
        let left = ticks
            .values
            .iter()
            .map(|&tick| svg::text_width(&self.measure.tick(tick, ticks.places), room.letter()))
            .fold(0.0, f64::max)
            + 10.0;
        let plot = Area {
            x: left,
            y: self.top(),
            width: room.width() - left,
            height: self.height(room) - self.top() - BOTTOM,
        };
        let y = Scale::new(ticks.ends(), (plot.y + plot.height, plot.y));
        svg::label(m, (0.0, 14.0), Anchor::Start, "muted", &self.y_title);
        self.draw_legend(m, room);
        for &tick in &ticks.values {
            let at = y.place(tick);
            let class = if tick == 0.0 { "axis" } else { "grid" };
            svg::line(m, (plot.x, at), (plot.x + plot.width, at), class);
            let text = self.measure.tick(tick, ticks.places);
            svg::label(m, (plot.x - 8.0, at + 4.5), Anchor::End, "muted num", &text);
        }
        let width = plot.width / self.groups.len().max(1) as f64;
        let widest = self
            .groups
            .iter()
            .map(|(name, _)| svg::text_width(name, room.letter()))
            .fold(0.0, f64::max)
            .min(NAME_MAX);
        let every = ((widest + 4.0) / width).ceil().clamp(1.0, 1000.0) as usize;
        for (i, (name, _)) in self.groups.iter().enumerate() {
            let slot = Area {
                x: plot.x + i as f64 * width,
                width,
                ..plot
            };
            self.draw_group(m, slot, &y, room, i);
            if i.is_multiple_of(every) {
                let place = (slot.x + width / 2.0, plot.y + plot.height + 19.0);
                if let Some(name) = svg::fitted(name, NAME_MAX, room.letter()) {
                    svg::label(m, place, Anchor::Middle, "num", &name);
                }
            }
        }
        self.draw_line(m, plot, &y, room);
        let middle = (plot.x + plot.width / 2.0, plot.y + plot.height + 39.0);
        svg::label(m, middle, Anchor::Middle, "muted", &self.x_title);
    }
}

/// Bars that lie down, each with its name before it and its number behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LyingBars {
    /// A bar's name, its length (at least 0) and the text behind it.
    pub(super) bars: Vec<(String, f64, String)>,
}

impl LyingBars {
    const fn pitch(room: Room) -> f64 {
        match room {
            Room::Wide => 36.0,
            Room::Narrow => 46.0,
        }
    }
}

impl Chart for LyingBars {
    fn height(&self, room: Room) -> f64 {
        self.bars.len() as f64 * Self::pitch(room)
    }

    fn draw(&self, m: &mut Markup, room: Room, _id: &str) {
        let widest = |texts: &mut dyn Iterator<Item = &str>| {
            texts
                .map(|text| svg::text_width(text, room.letter()))
                .fold(0.0, f64::max)
        };
        let names = widest(&mut self.bars.iter().map(|bar| bar.0.as_str())).min(200.0);
        let texts = widest(&mut self.bars.iter().map(|bar| bar.2.as_str()));
        // On a phone the name stands above its bar.
        let left = if room == Room::Wide {
            names + 16.0
        } else {
            0.0
        };
        let most = self.bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        let length = Scale::new((0.0, most), (0.0, room.width() - left - texts - 12.0));
        for (i, (name, value, text)) in self.bars.iter().enumerate() {
            let top = i as f64 * Self::pitch(room);
            let (bar_top, bar_height) = if room == Room::Wide {
                (top + 6.0, 22.0)
            } else {
                (top + 20.0, 16.0)
            };
            let middle = bar_top + bar_height / 2.0 + 4.5;
            let fits = if room == Room::Wide {
                names
            } else {
                room.width()
            };
            if let Some(name) = svg::fitted(name, fits, room.letter()) {
                if room == Room::Wide {
                    svg::label(m, (names, middle), Anchor::End, "", &name);
                } else {
                    svg::label(m, (0.0, top + 13.0), Anchor::Start, "", &name);
                }
            }
            let width = if *value > 0.0 {
                length.place(*value).max(1.5)
            } else {
                0.0
            };
            let area = Area {
                x: left,
                y: bar_top,
                width,
                height: bar_height,
            };
            svg::rect(m, area, "b-actual", "");
            svg::label(m, (left + width + 8.0, middle), Anchor::Start, "num", text);
        }
        if room == Room::Wide {
            let floor = self.height(room);
            svg::line(m, (left, 0.0), (left, floor), "axis");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_zero_in_the_order_of_their_groups() {
        let bars = GroupedBars {
            x_title: "x".to_owned(),
            y_title: "y".to_owned(),
            measure: Measure::Count,
            keys: vec![Key {
                class: "b-actual",
                name: "Actual".to_owned(),
            }],
            groups: vec![("a".to_owned(), vec![100.0]), ("b".to_owned(), vec![50.0])],
            line: None,
        };
        let mut m = Markup::new();
        bars.draw(&mut m, Room::Wide, "t");
        let drawn = m.into_string();
        // The plot runs from 40 to 314; 100 is the top of the axis and 50 its middle.
        assert!(
            drawn.contains("y=\"40\" width=\"56\" height=\"274\" class=\"b-actual\""),
            "{drawn}"
        );
        assert!(
            drawn.contains("y=\"177\" width=\"56\" height=\"137\" class=\"b-actual\""),
            "{drawn}"
        );
    }

    #[test]
    fn a_stage_without_customers_has_no_bar() {
        let bars = LyingBars {
            bars: vec![("New".to_owned(), 0.0, "0".to_owned())],
        };
        let mut m = Markup::new();
        bars.draw(&mut m, Room::Narrow, "t");
        assert_eq!(
            m.into_string(),
            "<text x=\"0\" y=\"13\">New</text>\
             <rect x=\"0\" y=\"20\" width=\"0\" height=\"16\" class=\"b-actual\"/>\
             <text x=\"8\" y=\"32.5\" class=\"num\">0</text>"
        );
    }
}
