//! A writer of markup that cannot write bad markup.
//!
//! Elements close themselves, text and attribute values are always escaped, and numbers are written
//! the same way on every machine. What it writes is HTML5 and well-formed XML at once, so that a strict
//! parser can check the page.

/// Markup under construction.
#[derive(Debug, Default)]
pub(super) struct Markup {
    out: String,
}

/// An element whose start tag is still open for attributes.
#[must_use = "an element is written by `empty`, `text` or `with`"]
pub(super) struct Element<'m> {
    markup: &'m mut Markup,
    tag: &'static str,
}

impl Markup {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Begins an element.
    pub(super) fn el(&mut self, tag: &'static str) -> Element<'_> {
        self.out.push('<');
        self.out.push_str(tag);
        Element { markup: self, tag }
    }

    /// Writes text.
    pub(super) fn text(&mut self, text: &str) {
        escape_into(&mut self.out, text);
    }

    /// Writes a part of the page that is no data: the document type, the style sheet.
    pub(super) fn verbatim(&mut self, text: &'static str) {
        self.out.push_str(text);
    }

    /// Adds markup that was written apart.
    pub(super) fn append(&mut self, other: &Markup) {
        self.out.push_str(&other.out);
    }

    pub(super) fn into_string(self) -> String {
        self.out
    }
}

impl Element<'_> {
    /// Adds an attribute.
    pub(super) fn a(self, name: &'static str, value: &str) -> Self {
        let out = &mut self.markup.out;
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape_into(out, value);
        out.push('"');
        self
    }

    /// Adds an attribute that holds a length or a place in the drawing.
    pub(super) fn n(self, name: &'static str, value: f64) -> Self {
        let text = coordinate(value);
        self.a(name, &text)
    }

    /// Ends the element without content.
    pub(super) fn empty(self) {
        // Only HTML's void elements and SVG's shapes come here; both parsers read the short form of those.
        self.markup.out.push_str("/>");
    }

    /// Ends the element with text in it.
    pub(super) fn text(self, text: &str) {
        self.with(|m| m.text(text));
    }

    /// Ends the element with what `body` writes in it.
    pub(super) fn with(self, body: impl FnOnce(&mut Markup)) {
        self.markup.out.push('>');
        body(self.markup);
        self.markup.out.push_str("</");
        self.markup.out.push_str(self.tag);
        self.markup.out.push('>');
    }
}

/// A place in a drawing with at most two decimals and no more digits than it needs.
pub(super) fn coordinate(value: f64) -> String {
    let mut text = format!("{value:.2}");
    let kept = text.trim_end_matches('0').trim_end_matches('.').len();
    text.truncate(kept);
    if text == "-0" { "0".to_owned() } else { text }
}

/// Appends `text` so that no character of it is read as markup.
///
/// Characters that neither XML nor HTML can hold, and those that turn the direction of text, become
/// U+FFFD.
fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            // These turn the direction of everything after them, the page's own words included.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => out.push('\u{FFFD}'),
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_close_and_data_stay_data() {
        let mut m = Markup::new();
        m.el("p").a("title", "\"a\" & 'b'").with(|m| {
            m.el("br").empty();
            m.el("b").text("<script>alert(1)</script>");
            m.text("\u{0}\u{8}\u{85}\u{FFFF}\u{202E}é😀\n");
        });
        assert_eq!(
            m.into_string(),
            "<p title=\"&quot;a&quot; &amp; &#39;b&#39;\"><br/>\
             <b>&lt;script&gt;alert(1)&lt;/script&gt;</b>\
             \u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}é😀\n</p>"
        );
    }

    #[test]
    fn coordinates_are_short() {
        let cases = [
            (0.0, "0"),
            (-0.001, "0"),
            (12.0, "12"),
            (100.0, "100"),
            (12.3456, "12.35"),
            (-3.5, "-3.5"),
        ];
        for (value, text) in cases {
            assert_eq!(coordinate(value), text);
        }
    }
}
