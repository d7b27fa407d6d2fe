//! Tables: the numbers behind a chart, for those who cannot see it and those who want to copy them.

use super::markup::Markup;

/// A table whose first column names the rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    name: String,
    numeric: bool,
}

impl Column {
    /// A column of words, set to the left.
    pub(super) fn words(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            numeric: false,
        }
    }

    /// A column of numbers, set to the right.
    pub(super) fn numbers(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            numeric: true,
        }
    }

    fn class(&self) -> &'static str {
        if self.numeric { "num" } else { "word" }
    }
}

impl Table {
    /// Writes the table in a frame that scrolls by itself when it is wider than the page.
    pub(super) fn write(&self, m: &mut Markup) {
        m.el("div")
            .a("class", "scroll")
            .a("role", "region")
            .a("aria-label", &self.caption)
            .a("tabindex", "0")
            .with(|m| {
                m.el("table").with(|m| {
                    // The inner element stays in view when the table scrolls.
                    m.el("caption").with(|m| m.el("span").text(&self.caption));
                    self.write_head(m);
                    self.write_body(m);
                });
            });
    }

    /// Writes the table behind a line that opens it.
    pub(super) fn write_folded(&self, m: &mut Markup) {
        m.el("details").with(|m| {
            m.el("summary").with(|m| {
                m.text("Show the numbers");
                m.el("span")
                    .a("class", "aloud")
                    .text(&format!(": {}", self.caption));
            });
            self.write(m);
        });
    }

    /// Writes the table so that a phone shows each row as a card.
    ///
    /// The roles are spelled out because a browser forgets them when the style sheet takes a table apart.
    pub(super) fn write_as_cards(&self, m: &mut Markup) {
        m.el("table")
            .a("class", "cards")
            .a("role", "table")
            .with(|m| {
                m.el("caption").text(&self.caption);
                m.el("thead").a("role", "rowgroup").with(|m| {
                    m.el("tr").a("role", "row").with(|m| {
                        for column in &self.columns {
                            m.el("th")
                                .a("scope", "col")
                                .a("role", "columnheader")
                                .a("class", column.class())
                                .text(&column.name);
                        }
                    });
                });
                m.el("tbody").a("role", "rowgroup").with(|m| {
                    for row in &self.rows {
                        m.el("tr").a("role", "row").with(|m| {
                            for (i, (column, text)) in self.columns.iter().zip(row).enumerate() {
                                let cell = if i == 0 {
                                    m.el("th").a("scope", "row").a("role", "rowheader")
                                } else {
                                    m.el("td").a("role", "cell")
                                };
                                cell.a("class", column.class())
                                    .a("data-label", &column.name)
                                    .text(text);
                            }
                        });
                    }
                });
            });
    }

    fn write_head(&self, m: &mut Markup) {
        m.el("thead").with(|m| {
            m.el("tr").with(|m| {
                for column in &self.columns {
                    m.el("th")
                        .a("scope", "col")
                        .a("class", column.class())
                        .text(&column.name);
                }
            });
        });
    }

    fn write_body(&self, m: &mut Markup) {
        m.el("tbody").with(|m| {
            for row in &self.rows {
                m.el("tr").with(|m| {
                    for (i, (column, text)) in self.columns.iter().zip(row).enumerate() {
                        let cell = if i == 0 {
                            m.el("th").a("scope", "row")
                        } else {
                            m.el("td")
                        };
                        cell.a("class", column.class()).text(text);
                    }
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_table() {
        let table = Table {
            caption: "Stages".to_owned(),
            columns: vec![Column::words("Stage"), Column::numbers("Customers")],
            rows: vec![vec!["<new>".to_owned(), "1,200".to_owned()]],
        };
        let mut m = Markup::new();
        table.write(&mut m);
        assert_eq!(
            m.into_string(),
            "<div class=\"scroll\" role=\"region\" aria-label=\"Stages\" tabindex=\"0\">\
             <table><caption><span>Stages</span></caption><thead><tr><th scope=\"col\" class=\"word\">Stage</th>\
             <th scope=\"col\" class=\"num\">Customers</th></tr></thead>\
             <tbody><tr><th scope=\"row\" class=\"word\">&lt;new&gt;</th>\
             <td class=\"num\">1,200</td></tr></tbody></table></div>"
        );
    }
}
