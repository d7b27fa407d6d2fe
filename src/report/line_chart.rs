//! Lines over time, each with its name at its end.

use super::markup::{self, Markup};
use super::number;
use super::scale::{self, Scale, Ticks};
use super::svg::{self, Anchor, Area, Chart, Room};

/// Lines over a common axis from 0.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LineChart {
    pub(super) x_title: String,
    pub(super) y_title: String,
    /// Whether the numbers are shares, written as percentages, or counts.
    pub(super) percent: bool,
    pub(super) lines: Vec<Line>,
    /// A place on the axis that parts before from after.
    pub(super) mark: Option<Mark>,
    /// Points to point out, with their texts.
    pub(super) notes: Vec<(f64, f64, String)>,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A place on the axis that parts before from after.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) at: f64,
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

const TOP: f64 = 44.0;
const BOTTOM: f64 = 46.0;

/// The axes and where they are.
struct Frame {
    plot: Area,
    x_ticks: Ticks,
    y_ticks: Ticks,
    x: Scale,
    y: Scale,
}

impl LineChart {
    fn frame(&self, room: Room) -> Frame {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x_most = points().map(|p| p.0).fold(0.0, f64::max);
        let y_most = points().map(|p| p.1).fold(0.0, f64::max);
        let x_most = if x_most > 0.0 { x_most } else { 1.0 };
        let step_min = if self.percent { 0.0 } else { 1.0 };
        let y_ticks = scale::ticks_around(0.0, y_most, 5, step_min);
        let x_ticks =
            scale::ticks_within(0.0, x_most, if room == Room::Wide { 10 } else { 5 }, 0.0);
        let widest = y_ticks
            .values
            .iter()
            .map(|&tick| svg::text_width(&self.tick(tick, y_ticks.places), room.letter()))
            .fold(0.0, f64::max);
        let names = self
            .lines
            .iter()
            .map(|line| svg::text_width(line.name, room.letter()))
            .fold(0.0, f64::max);
        let left = widest + 10.0;
        let plot = Area {
            x: left,
            y: TOP,
            width: room.width() - left - names - 14.0,
            height: self.height(room) - TOP - BOTTOM,
        };
        Frame {
            x: Scale::new((0.0, x_most), (plot.x, plot.x + plot.width)),
            y: Scale::new(y_ticks.ends(), (plot.y + plot.height, plot.y)),
            plot,
            x_ticks,
            y_ticks,
        }
    }

    fn tick(&self, value: f64, places: usize) -> String {
        if self.percent {
            number::percent(value, places.saturating_sub(2))
        } else {
            number::short(value, places)
        }
    }

    fn draw_axes(&self, m: &mut Markup, frame: &Frame) {
        let plot = frame.plot;
        let floor = plot.y + plot.height;
        svg::label(m, (0.0, 14.0), Anchor::Start, "muted", &self.y_title);
        for &tick in &frame.y_ticks.values {
            let y = frame.y.place(tick);
            let class = if tick == 0.0 { "axis" } else { "grid" };
            svg::line(m, (plot.x, y), (plot.x + plot.width, y), class);
            let text = self.tick(tick, frame.y_ticks.places);
            svg::label(m, (plot.x - 8.0, y + 4.5), Anchor::End, "muted num", &text);
        }
        for &tick in &frame.x_ticks.values {
            let x = frame.x.place(tick);
            svg::line(m, (x, floor), (x, floor + 5.0), "axis");
            let text = number::short(tick, frame.x_ticks.places);
            svg::label(m, (x, floor + 19.0), Anchor::Middle, "muted num", &text);
        }
        let middle = plot.x + plot.width / 2.0;
        svg::label(
            m,
            (middle, floor + 39.0),
            Anchor::Middle,
            "muted",
            &self.x_title,
        );
    }

    fn draw_mark(&self, m: &mut Markup, room: Room, frame: &Frame, mark: &Mark) {
        let plot = frame.plot;
        let end = plot.x + plot.width;
        let x = frame.x.place(mark.at).clamp(plot.x, end);
        let shade = Area {
            x,
            y: plot.y - 16.0,
            width: end - x,
            height: plot.height + 16.0,
        };
        svg::rect(m, shade, "shade", "");
        svg::line(m, (x, plot.y - 16.0), (x, plot.y + plot.height), "mark");
        for (text, room_for_it, place, anchor) in [
            (mark.before, x - plot.x, x - 7.0, Anchor::End),
            (mark.after, end - x, x + 7.0, Anchor::Start),
        ] {
            if svg::text_width(text, room.letter()) + 10.0 < room_for_it {
                svg::label(m, (place, plot.y - 5.0), anchor, "muted", text);
            }
        }
    }

    /// Names the lines at their ends, pushed apart where the ends meet.
    fn draw_names(&self, m: &mut Markup, frame: &Frame) {
        let mut ends: Vec<(f64, f64, &Line)> = self
            .lines
            .iter()
            .filter_map(|line| line.points.last().map(|last| (last, line)))
            .map(|(&(x, y), line)| (frame.x.place(x), frame.y.place(y), line))
            .collect();
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut above = f64::NEG_INFINITY;
        for (x, y, line) in ends {
            let at = (y + 4.5).max(above + 16.0);
            above = at;
            let class = format!("name {}", line.class);
            svg::label(m, (x + 8.0, at), Anchor::Start, &class, line.name);
        }
    }
}

impl Chart for LineChart {
    fn height(&self, room: Room) -> f64 {
        match room {
            Room::Wide => 380.0,
            Room::Narrow => 300.0,
        }
    }

    fn draw(&self, m: &mut Markup, room: Room, _id: &str) {
        let frame = self.frame(room);
        if let Some(mark) = &self.mark {
            self.draw_mark(m, room, &frame, mark);
        }
        self.draw_axes(m, &frame);
        for line in &self.lines {
            let places = line
                .points
                .iter()
                .map(|&(x, y)| (frame.x.place(x), frame.y.place(y)));
            m.el("path")
                .a("d", &path(places))
                .a("class", &format!("line {}", line.class))
                .empty();
        }
        for (x, y, text) in &self.notes {
            let (x, y) = (frame.x.place(*x), frame.y.place(*y));
            m.el("circle")
                .n("cx", x)
                .n("cy", y)
                .n("r", 4.5)
                .a("class", "dot")
                .empty();
            // A note near the right end stands on the left of its point, below the line.
            let anchor = if x > frame.plot.x + frame.plot.width * 0.6 {
                Anchor::End
            } else {
                Anchor::Start
            };
            let aside = if anchor == Anchor::End { 2.0 } else { 10.0 };
            svg::label(m, (x + aside, y + 24.0), anchor, "note", text);
        }
        self.draw_names(m, &frame);
    }
}

fn path(places: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (i, (x, y)) in places.enumerate() {
        d.push(if i == 0 { 'M' } else { 'L' });
        d.push_str(&markup::coordinate(x));
        d.push(' ');
        d.push_str(&markup::coordinate(y));
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> LineChart {
        LineChart {
            x_title: "Weeks".to_owned(),
            y_title: "Purchases".to_owned(),
            percent: false,
            lines: vec![
                Line {
                    name: "Actual",
                    class: "s-actual",
                    points: vec![(0.0, 0.0), (5.0, 50.0), (10.0, 100.0)],
                },
                Line {
                    name: "Model",
                    class: "s-model",
                    points: vec![(0.0, 0.0), (10.0, 98.0)],
                },
            ],
            mark: Some(Mark {
                at: 5.0,
                before: "calibration",
                after: "hold-out",
            }),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_line_runs_from_corner_to_corner() {
        let chart = chart();
        let plot = chart.frame(Room::Wide).plot;
        let (left, right) = (plot.x, plot.x + plot.width);
        let mut m = Markup::new();
        chart.draw(&mut m, Room::Wide, "t");
        // The plot is 44 to 334 high and the axis goes to 100.
        let path = format!(
            "d=\"M{} 334L{} 189L{} 44\" class=\"line s-actual\"",
            markup::coordinate(left),
            markup::coordinate((left + right) / 2.0),
            markup::coordinate(right),
        );
        let drawn = m.into_string();
        assert!(drawn.contains(&path), "{path} not in {drawn}");
        assert!(right < 760.0 - svg::text_width("Actual", 13.0));
    }

    #[test]
    fn names_at_the_ends_do_not_overlap() {
        let chart = chart();
        let mut m = Markup::new();
        chart.draw_names(&mut m, &chart.frame(Room::Wide));
        let drawn = m.into_string();
        let heights: Vec<f64> = drawn
            .split(" y=\"")
            .skip(1)
            .map(|part| part.split_once('"').unwrap().0.parse().unwrap())
            .collect();
        assert!(heights[1] - heights[0] >= 16.0, "{drawn}");
    }

    #[test]
    fn a_lone_point_is_drawn() {
        let mut chart = chart();
        for line in &mut chart.lines {
            line.points = vec![(0.0, 0.0)];
        }
        let mut m = Markup::new();
        chart.draw(&mut m, Room::Narrow, "t");
        assert!(!m.into_string().contains("NaN"));
    }
}
