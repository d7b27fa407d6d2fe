//! The retention report: the order of its sections.

use std::io::{self, Write};

use super::check;
use super::data::ReportData;
use super::markup::Markup;
use super::page::{self, Place};
use super::section::{
    alive, cohorts, frequency, headlines, methods, repeat, save, segments, tracking, value,
};
use crate::error::DataError;

/// A report whose data have been checked; it can be written as a page.
///
/// ```
/// use tenure::report::{Currency, Figure, Headline, ReportData, RetentionReport};
///
/// let dollars = Currency { symbol: "$".to_owned(), decimals: 2 };
/// let mut data = ReportData::empty("A shop", "1997-01-01", "1998-06-30", dollars, "Not part of this page.");
/// data.headlines.push(Headline {
///     label: "Customers".to_owned(),
///     figure: Figure::Count(23_570),
///     note: "first bought in the first quarter of 1997".to_owned(),
/// });
/// let page = RetentionReport::new(data)?.to_html();
/// assert!(page.contains("23,570"));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionReport {
    data: ReportData,
}

impl RetentionReport {
    /// Checks the data.
    ///
    /// # Errors
    /// [`DataError::Field`] with the way to the first field that is not finite, out of its range, of another
    /// length than its neighbours or out of order.
    pub fn new(data: ReportData) -> Result<Self, DataError> {
        check::report(&data)?;
        Ok(Self { data })
    }

    /// What the report shows.
    pub fn data(&self) -> &ReportData {
        &self.data
    }

    /// The page: one self-contained HTML document, the same for the same data.
    pub fn to_html(&self) -> String {
        let data = &self.data;
        page::page(&format!("{}: customer retention", data.title), |m| {
            self.write_header(m);
            // The sections come first: the list of contents names only those that are there.
            let mut sections = Markup::new();
            let places = self.write_sections(&mut sections);
            page::contents(m, &places);
            m.el("main")
                .a("id", "content")
                .with(|m| m.append(&sections));
            methods::write_provenance(m, data);
        })
    }

    /// Writes the page.
    ///
    /// # Errors
    /// Whatever the writer fails with.
    pub fn write_html(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(self.to_html().as_bytes())
    }

    fn write_header(&self, m: &mut Markup) {
        let data = &self.data;
        m.el("header").with(|m| {
            m.el("p").a("class", "kicker").text("Customer retention");
            m.el("h1").text(&data.title);
            m.el("p")
                .a("class", "period")
                .text(&format!("{} to {}", data.first_day, data.as_of));
            if !data.summary.is_empty() {
                m.el("p").a("class", "lede").text(&data.summary);
            }
            headlines::write(m, &data.headlines, &data.currency);
        });
    }

    fn write_sections(&self, m: &mut Markup) -> Vec<Place> {
        let data = &self.data;
        [
            cohorts::write(m, &data.cohorts),
            repeat::write(m, &data.repeat_curve),
            tracking::write(m, &data.tracking),
            tracking::write_holdout(m, &data.holdout),
            frequency::write(m, &data.frequency_fit),
            alive::write(m, &data.alive),
            value::write(m, &data.deciles, &data.currency),
            segments::write(m, &data.segments, &data.currency),
            segments::write_stages(m, &data.stages),
            save::write(m, &data.save, &data.currency),
            methods::write(m, &data.methods),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
