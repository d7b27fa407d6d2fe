//! The retention report: the order of its sections.

use std::io::{self, Write};

use super::check;
use super::data::ReportData;
use super::markup::Markup;
use super::page;
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
            let places = [
                cohorts::PLACE,
                repeat::PLACE,
                tracking::PLACE,
                tracking::HOLDOUT,
                frequency::PLACE,
                alive::PLACE,
                value::PLACE,
                segments::PLACE,
                segments::STAGES,
                save::PLACE,
            ];
            let methods = (!data.methods.is_empty()).then_some(methods::PLACE);
            let all: Vec<_> = places.into_iter().chain(methods).collect();
            page::contents(m, &all);
            m.el("main")
                .a("id", "content")
                .with(|m| self.write_sections(m));
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

    fn write_sections(&self, m: &mut Markup) {
        let data = &self.data;
        cohorts::write(m, &data.cohorts);
        repeat::write(m, &data.repeat_curve);
        tracking::write(m, &data.tracking);
        tracking::write_holdout(m, &data.holdout);
        frequency::write(m, &data.frequency_fit);
        alive::write(m, &data.alive);
        value::write(m, &data.deciles, &data.currency);
        segments::write(m, &data.segments, &data.currency);
        segments::write_stages(m, &data.stages);
        save::write(m, &data.save, &data.currency);
        if !data.methods.is_empty() {
            methods::write(m, &data.methods);
        }
    }
}
