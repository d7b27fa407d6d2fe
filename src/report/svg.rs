//! What all charts share: two drawings of each, one for wide pages and one for phones.
//!
//! A drawing that is merely shrunk to a phone's width has letters of six pixels. So each chart draws itself
//! twice, and the style sheet shows one; the other is hidden from eyes and screen readers alike.

use super::markup::Markup;

/// How much room a drawing has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// A column of a page.
    Wide,
    /// A phone.
    Narrow,
}

impl Room {
    /// The width of the drawing in its own units, about a pixel each.
    pub(super) const fn width(self) -> f64 {
        match self {
            Room::Wide => 760.0,
            Room::Narrow => 340.0,
        }
    }

    /// The height of letters; the style sheet says the same.
    pub(super) const fn letter(self) -> f64 {
        match self {
            Room::Wide => 13.0,
            Room::Narrow => 12.0,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Room::Wide => "wide",
            Room::Narrow => "narrow",
        }
    }
}

/// A picture of numbers.
pub(super) trait Chart {
    /// How high the drawing is.
    fn height(&self, room: Room) -> f64;

    /// Draws it; `id` is unlike that of any other drawing on the page.
    fn draw(&self, m: &mut Markup, room: Room, id: &str);
}

/// Writes both drawings of a chart with what a screen reader says of them.
pub(super) fn chart(m: &mut Markup, id: &str, title: &str, description: &str, chart: &dyn Chart) {
    for room in [Room::Wide, Room::Narrow] {
        let id = format!("{id}-{}", room.class());
        let (title_id, description_id) = (format!("{id}-t"), format!("{id}-d"));
        let (width, height) = (room.width(), chart.height(room).ceil());
        m.el("svg")
            .a("xmlns", "http://www.w3.org/2000/svg")
            .a("class", room.class())
            .a("viewBox", &format!("0 0 {width} {height}"))
            .n("width", width)
            .n("height", height)
            .a("role", "img")
            .a("aria-labelledby", &title_id)
            .a("aria-describedby", &description_id)
            .with(|m| {
                m.el("title").a("id", &title_id).text(title);
                m.el("desc").a("id", &description_id).text(description);
                chart.draw(m, room, &id);
            });
    }
}

/// Where a text stands relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Writes a text into a drawing, its baseline at `y`.
pub(super) fn label(m: &mut Markup, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
    let mut element = m.el("text").n("x", x).n("y", y);
    element = match anchor {
        Anchor::Start => element,
        Anchor::Middle => element.a("text-anchor", "middle"),
        Anchor::End => element.a("text-anchor", "end"),
    };
    if !class.is_empty() {
        element = element.a("class", class);
    }
    element.text(text);
}

/// Writes a straight line.
pub(super) fn line(m: &mut Markup, from: (f64, f64), to: (f64, f64), class: &str) {
    m.el("line")
        .n("x1", from.0)
        .n("y1", from.1)
        .n("x2", to.0)
        .n("y2", to.1)
        .a("class", class)
        .empty();
}

/// A rectangle of a drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Writes a rectangle; `tip` appears when a pointer rests on it.
pub(super) fn rect(m: &mut Markup, area: Area, class: &str, tip: &str) {
    let element = m
        .el("rect")
        .n("x", area.x)
        .n("y", area.y)
        .n("width", area.width)
        .n("height", area.height)
        .a("class", class);
    if tip.is_empty() {
        element.empty();
    } else {
        element.with(|m| m.el("title").text(tip));
    }
}

/// About how wide a text is in letters of the given height.
///
/// Fonts differ; this errs on the wide side for Latin, and takes East Asian signs as squares.
pub(super) fn text_width(text: &str, letter: f64) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|c| match c {
            '.' | ',' | ' ' | '\'' | 'i' | 'l' | 'j' | 'f' | 't' | 'I' | '(' | ')' | '-' => 0.34,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.9,
            c if c.is_ascii_uppercase() => 0.7,
            c if c.is_ascii_digit() => 0.64,
            c if c < '\u{1100}' => 0.58,
            _ => 1.05,
        })
        .sum();
    ems * letter
}

/// The text, cut with an ellipsis where it does not fit; `None` if nothing of use would stay.
pub(super) fn fitted(text: &str, width: f64, letter: f64) -> Option<String> {
    if text_width(text, letter) <= width {
        return Some(text.to_owned());
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if text_width(&kept, letter) + letter > width {
            kept.pop();
            break;
        }
    }
    let kept = kept.trim_end();
    (kept.chars().count() >= 3).then(|| format!("{kept}…"))
}

/// A colour's meaning.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    /// The class of the swatch.
    pub(super) class: &'static str,
    /// What it stands for.
    pub(super) name: String,
}

/// The class of a key whose swatch is a piece of a line.
pub(super) const LINE_KEY: &str = "b-line";

/// Writes swatches with their meanings in a row from `x`; `y` is the baseline.
pub(super) fn keys(m: &mut Markup, keys: &[Key], (mut x, y): (f64, f64), room: Room) {
    for key in keys {
        let swatch = Area {
            x,
            y: y - 10.0,
            width: 12.0,
            height: 12.0,
        };
        if key.class == LINE_KEY {
            line(m, (x - 2.0, y - 4.0), (x + 14.0, y - 4.0), "line s-model");
        } else {
            rect(m, swatch, key.class, "");
        }
        let name = fitted(&key.name, 0.3 * room.width(), room.letter()).unwrap_or_default();
        label(m, (x + 18.0, y), Anchor::Start, "", &name);
        x += 18.0 + text_width(&name, room.letter()) + 20.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_tiny_places_stay_empty() {
        assert_eq!(fitted("At risk", 200.0, 13.0).as_deref(), Some("At risk"));
        let cut = fitted("Customers who have been silent", 90.0, 13.0).unwrap();
        assert!(cut.starts_with("Cust") && cut.ends_with('…'), "{cut}");
        assert!(text_width(&cut, 13.0) <= 95.0);
        assert_eq!(fitted("Champions", 12.0, 13.0), None);
    }
}
