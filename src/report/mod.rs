//! One page that shows how a shop keeps its customers.
//!
//! The question: *what do I show to somebody who will never run this code?* A [`RetentionReport`] is one
//! HTML file without script, font or picture from elsewhere. It can be mailed, printed, read on a phone, in
//! light and dark, and aloud: each chart has a table behind it with the same numbers.
//!
//! ```
//! use tenure::report::{Currency, RepeatCurve, RepeatPoint, ReportData, RetentionReport, Section, Step};
//!
//! let euros = Currency { symbol: "€".to_owned(), decimals: 2 };
//! let mut data = ReportData::empty("Our shop", "2024-01-01", "2024-12-31", euros, "Not asked for.");
//! data.repeat_curve = Section::Shown(RepeatCurve {
//!     step: Step::Week,
//!     customers: 1200,
//!     points: vec![
//!         RepeatPoint { elapsed: 0.0, share: 0.0 },
//!         RepeatPoint { elapsed: 39.0, share: 0.4 },
//!     ],
//! });
//! let page = RetentionReport::new(data)?.to_html();
//! assert!(page.contains("Of 100 customers who bought once, 40 bought again within 39 weeks."));
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! The report computes nothing but sums, shares and sentences. [`ReportData`] is plain data: fill it from this
//! crate's models or from your own, and leave out with a reason what you do not have ([`Section`]).
//! The data are serde types, so another
//! program can supply them. [`RetentionReport::new`] checks every number once, so that no page ever shows `NaN`; the error names the
//! field. Nothing reads a clock: the day as of which the page speaks is in the data, and the same data give the
//! same bytes.
//!
//! What is too much for a page is taken together, and the page says so: beyond 36 cohorts or periods neighbours
//! share a row or a column, lines keep about 160 points, and the first 100 customers are listed. A page on CDNOW is
//! about 170 kB; its cost is that of writing it.
//!
//! Where it comes from: the tracking and conditional-expectation plots are those by which Fader, Hardie and Lee
//! ("Counting Your Customers the Easy Way", 2005, figures 2 and 3) judge the BG/NBD model; the tiles are a squarified
//! treemap (Bruls, Huizing and van Wijk, 2000). Colours keep the contrasts of WCAG 2.2 level AA in both schemes and
//! never stand alone: lines are dashed, bars hollow, and shades are numbered.

mod bar_chart;
mod check;
mod data;
mod heat_map;
mod line_chart;
mod markup;
mod number;
mod page;
mod retention_report;
mod scale;
mod section;
mod svg;
mod table;
mod tiles;

pub use data::{
    AliveGrid, AliveRow, Cohort, CohortCell, CohortMatrix, Currency, CustomerToSave, Fact, Figure,
    FrequencyFit, FrequencyGroup, Headline, HoldoutFit, HoldoutGroup, Method, Parameter,
    RepeatCurve, RepeatPoint, ReportData, SaveList, Section, Segment, SegmentMap, Stage, Step,
    TileSize, Tracking, TrackingPoint, ValueDeciles, ValueGroup,
};
pub use retention_report::RetentionReport;
