//! The page around the sections: its head, its landmarks and its look.

use super::markup::Markup;

/// The look. No font, picture or script comes from elsewhere; both colour schemes are in it.
const STYLE: &str = include_str!("page.css");

/// A place on the page that the list of contents points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
}

/// Writes the page: what `body` writes stands in it.
pub(super) fn page(title: &str, body: impl FnOnce(&mut Markup)) -> String {
    let mut m = Markup::new();
    m.verbatim("<!DOCTYPE html>\n");
    m.el("html")
        .a("xmlns", "http://www.w3.org/1999/xhtml")
        .a("lang", "en")
        .with(|m| {
            m.el("head").with(|m| {
                m.el("meta").a("charset", "utf-8").empty();
                m.el("meta")
                    .a("name", "viewport")
                    .a("content", "width=device-width, initial-scale=1")
                    .empty();
                m.el("title").text(title);
                m.el("style").with(|m| m.verbatim(STYLE));
            });
            m.el("body").with(|m| {
                m.el("a")
                    .a("class", "skip")
                    .a("href", "#content")
                    .text("Skip to the report");
                body(m);
            });
        });
    m.verbatim("\n");
    m.into_string()
}

/// Writes the list of contents.
pub(super) fn contents(m: &mut Markup, places: &[Place]) {
    if places.is_empty() {
        return;
    }
    m.el("nav").a("aria-label", "Contents").with(|m| {
        m.el("ol").with(|m| {
            for place in places {
                m.el("li").with(|m| {
                    m.el("a")
                        .a("href", &format!("#{}", place.id))
                        .text(place.title);
                });
            }
        });
    });
}

/// What a section says in words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Words {
    /// What the data say; empty if they say nothing in one sentence.
    pub(super) finding: String,
    /// How to read the picture.
    pub(super) how: String,
}

/// Writes a section: its heading and words, beside or above what `body` writes.
pub(super) fn section(
    m: &mut Markup,
    place: Place,
    split: bool,
    words: &Words,
    body: impl FnOnce(&mut Markup),
) {
    m.verbatim("\n");
    let heading = format!("{}-heading", place.id);
    m.el("section")
        .a("id", place.id)
        .a("class", if split { "split" } else { "whole" })
        .a("aria-labelledby", &heading)
        .with(|m| {
            m.el("div").a("class", "intro").with(|m| {
                m.el("h2").a("id", &heading).text(place.title);
                for (class, text) in [("finding", &words.finding), ("how", &words.how)] {
                    if !text.is_empty() {
                        m.el("p").a("class", class).text(text);
                    }
                }
            });
            body(m);
        });
}

/// Writes the heading of a section that is not there, and why.
pub(super) fn left_out(m: &mut Markup, place: Place, why: &str) {
    m.verbatim("\n");
    let heading = format!("{}-heading", place.id);
    m.el("section")
        .a("id", place.id)
        .a("class", "absent")
        .a("aria-labelledby", &heading)
        .with(|m| {
            m.el("div").a("class", "intro").with(|m| {
                m.el("h2").a("id", &heading).text(place.title);
                m.el("p")
                    .a("class", "left-out")
                    .text(&format!("Left out. {why}"));
            });
        });
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The custom properties of the light and of the dark scheme.
    fn schemes() -> [HashMap<&'static str, &'static str>; 2] {
        let (light, dark) = STYLE
            .split_once("@media screen and (prefers-color-scheme: dark)")
            .unwrap();
        let dark = dark.split_once("\n}\n").unwrap().0;
        [light, dark].map(|text| {
            text.split(';')
                .filter_map(|part| part.rsplit_once("--")?.1.split_once(": "))
                .filter(|(_, value)| value.starts_with('#'))
                .collect()
        })
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let channel = |i: usize| {
            let value = u8::from_str_radix(&colour[i..i + 2], 16).unwrap();
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2.2 level AA: 4.5 for text, 3 for the parts of a picture that carry meaning.
    #[test]
    fn colours_contrast_in_both_schemes() {
        for scheme in schemes() {
            let texts = [
                ("ink", "paper"),
                ("ink", "card"),
                ("muted", "paper"),
                ("muted", "card"),
                ("muted", "shade"),
                ("accent", "paper"),
                ("accent", "card"),
                ("actual", "paper"),
                ("model", "paper"),
                ("given-ink", "given"),
            ];
            for (text, ground) in texts {
                let found = contrast(scheme[text], scheme[ground]);
                assert!(found >= 4.5, "{text} on {ground}: {found}");
            }
            for i in 0..7 {
                let (text, ground) = (format!("t{i}"), format!("q{i}"));
                let found = contrast(scheme[text.as_str()], scheme[ground.as_str()]);
                assert!(found >= 4.5, "{text} on {ground}: {found}");
            }
            // A shade further is always further from the paper: the scale reads without hue.
            let paper = luminance(scheme["paper"]);
            let away = |i: usize| (luminance(scheme[format!("q{i}").as_str()]) - paper).abs();
            assert!((1..7).all(|i| away(i) > away(i - 1)));
        }
    }
}
