//! The retention report as a reader, a strict parser and a careless caller meet it.
//!
//! With `TENURE_REPORT_OUT` set to a folder, the pages are also written there to be looked at.

mod cdnow;
mod demo;

use std::collections::HashSet;

use roxmltree::{Document, Node, ParsingOptions};
use tenure::error::DataError;
use tenure::report::*;

fn html(data: ReportData) -> String {
    RetentionReport::new(data).unwrap().to_html()
}

/// Every page is well-formed XML as well; the parser refuses an unclosed element or a bare `&`.
fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(page, options).unwrap()
}

fn elements<'a, 'i>(root: Node<'a, 'i>, tag: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    root.descendants()
        .filter(move |node| node.has_tag_name_local(tag))
}

trait LocalName {
    fn has_tag_name_local(&self, tag: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    /// SVG and HTML names live in different name spaces; the tests do not care.
    fn has_tag_name_local(&self, tag: &str) -> bool {
        self.is_element() && self.tag_name().name() == tag
    }
}

fn text(node: Node) -> String {
    node.descendants()
        .filter_map(|node| node.text().filter(|_| node.is_text()))
        .collect()
}

/// The rows of the table in the section of that id, the head first.
fn table(page: &Document, id: &str) -> Vec<Vec<String>> {
    let section = elements(page.root(), "section")
        .find(|node| node.attribute("id") == Some(id))
        .unwrap();
    let table = elements(section, "table").next().unwrap();
    elements(table, "tr")
        .map(|row| row.children().filter(Node::is_element).map(text).collect())
        .collect()
}

fn stress() -> ReportData {
    ReportData {
        cohorts: Section::Shown(demo::triangle(Step::Month, 24)),
        ..demo::cdnow()
    }
}

fn many_cohorts() -> ReportData {
    ReportData {
        cohorts: Section::Shown(demo::triangle(Step::Week, 200)),
        ..demo::bare()
    }
}

/// Texts that try to become markup.
fn hostile() -> ReportData {
    let evil = "<script>alert('x')</script>\"&\u{0}\u{202E}]]>-->";
    let mut data = demo::cdnow();
    data.title = evil.to_owned();
    data.summary = evil.to_owned();
    data.first_day = evil.to_owned();
    data.as_of = evil.to_owned();
    data.currency.symbol = "<b>".to_owned();
    for headline in &mut data.headlines {
        headline.label = evil.to_owned();
        headline.note = evil.to_owned();
    }
    if let Section::Shown(matrix) = &mut data.cohorts {
        matrix
            .cohorts
            .iter_mut()
            .for_each(|cohort| cohort.name = evil.to_owned());
    }
    if let Section::Shown(fit) = &mut data.frequency_fit {
        fit.model = evil.to_owned();
        fit.groups
            .iter_mut()
            .for_each(|group| group.frequency = evil.to_owned());
    }
    if let Section::Shown(fit) = &mut data.holdout {
        fit.length = evil.to_owned();
        fit.groups
            .iter_mut()
            .for_each(|group| group.frequency = evil.to_owned());
    }
    if let Section::Shown(deciles) = &mut data.deciles {
        deciles.meaning = evil.to_owned();
        deciles
            .groups
            .iter_mut()
            .for_each(|group| group.name = evil.to_owned());
    }
    if let Section::Shown(map) = &mut data.segments {
        map.segments
            .iter_mut()
            .for_each(|segment| segment.name = evil.to_owned());
    }
    if let Section::Shown(stages) = &mut data.stages {
        for stage in stages {
            stage.name = evil.to_owned();
            stage.rule = evil.to_owned();
        }
    }
    if let Section::Shown(list) = &mut data.save {
        list.horizon = evil.to_owned();
        list.rule = evil.to_owned();
        for customer in &mut list.customers {
            customer.customer = evil.to_owned() + &"x".repeat(500);
            customer.stage = evil.to_owned();
            customer.segment = evil.to_owned();
            customer.reason = evil.to_owned();
        }
    }
    for method in &mut data.methods {
        method.name = evil.to_owned();
        method.about = evil.to_owned();
    }
    data.provenance[0].text = evil.to_owned();
    data
}

/// Nothing, one, the largest and the most negative of everything.
fn extremes() -> Vec<ReportData> {
    let huge = 1e15;
    let empty = ReportData {
        cohorts: Section::Shown(demo::triangle(Step::Week, 0)),
        stages: Section::Shown(Vec::new()),
        deciles: Section::Shown(ValueDeciles {
            meaning: "nothing".to_owned(),
            groups: Vec::new(),
        }),
        segments: Section::Shown(SegmentMap {
            size: TileSize::Customers,
            segments: Vec::new(),
        }),
        repeat_curve: Section::Shown(RepeatCurve {
            step: Step::Day,
            customers: 0,
            points: Vec::new(),
        }),
        alive: Section::Shown(AliveGrid {
            step: Step::Day,
            age: 0.0,
            recencies: Vec::new(),
            rows: Vec::new(),
        }),
        ..demo::bare()
    };
    let one = ReportData {
        cohorts: Section::Shown(demo::triangle(Step::Year, 1)),
        ..demo::bare()
    };
    let mut zero = demo::cdnow();
    let mut large = demo::cdnow();
    for (data, count, number) in [(&mut zero, 0, 0.0), (&mut large, 1_000_000_000_000, huge)] {
        if let Section::Shown(tracking) = &mut data.tracking {
            for point in &mut tracking.points {
                point.actual = Some(count);
                point.expected = number;
            }
        }
        if let Section::Shown(fit) = &mut data.frequency_fit {
            for group in &mut fit.groups {
                group.actual = count;
                group.expected = number;
            }
        }
        if let Section::Shown(fit) = &mut data.holdout {
            for group in &mut fit.groups {
                group.customers = count;
                group.actual = number;
                group.expected = 0.0;
            }
        }
        if let Section::Shown(deciles) = &mut data.deciles {
            for group in &mut deciles.groups {
                group.customers = count;
                group.value = number;
            }
        }
        if let Section::Shown(map) = &mut data.segments {
            for segment in &mut map.segments {
                segment.revenue = number;
                segment.customers = count;
            }
        }
        if let Section::Shown(stages) = &mut data.stages {
            stages.iter_mut().for_each(|stage| stage.customers = count);
        }
        if let Section::Shown(list) = &mut data.save {
            for customer in &mut list.customers {
                customer.value = number;
                customer.interval = Some((-number, number));
            }
        }
    }
    let mut negative = demo::cdnow();
    if let Section::Shown(deciles) = &mut negative.deciles {
        deciles.groups.last_mut().unwrap().value = -huge;
    }
    if let Section::Shown(map) = &mut negative.segments {
        map.segments[0].revenue = -12.5;
    }
    vec![empty, one, zero, large, negative]
}

fn all_pages() -> Vec<String> {
    let data = [
        demo::cdnow(),
        stress(),
        many_cohorts(),
        hostile(),
        demo::bare(),
    ];
    data.into_iter().chain(extremes()).map(html).collect()
}

#[test]
fn every_page_is_well_formed_and_self_contained() {
    for page in all_pages() {
        let document = parse(&page);
        let root = document.root();
        for tag in ["script", "link", "img", "iframe", "object", "foreignObject"] {
            assert_eq!(elements(root, tag).count(), 0, "{tag}");
        }
        for address in page.match_indices("http") {
            let before = &page[address.0.saturating_sub(7)..address.0];
            assert_eq!(before, "xmlns=\"", "an address outside a name space");
        }
        assert!(!page.contains("url(h") && !page.contains("@import"));
        for node in root.descendants() {
            for attribute in node.attributes() {
                assert!(!attribute.name().starts_with("on"), "{}", attribute.name());
                if matches!(attribute.name(), "href" | "src") {
                    assert!(attribute.value().starts_with('#'), "{}", attribute.value());
                }
            }
        }
    }
}

/// No number that is none, in words or in drawings; no negative length.
#[test]
fn every_number_is_one() {
    for page in all_pages() {
        let document = parse(&page);
        for bad in ["NaN", "inf,", "inf<", "inf\"", "-inf"] {
            assert!(!page.contains(bad), "{bad}");
        }
        for node in document.root().descendants() {
            for name in [
                "x", "y", "width", "height", "x1", "x2", "y1", "y2", "cx", "cy", "r",
            ] {
                if let Some(value) = node.attribute(name) {
                    let value: f64 = value.parse().unwrap();
                    assert!(value.is_finite(), "{name}");
                    assert!(
                        !matches!(name, "width" | "height" | "r") || value >= 0.0,
                        "{name} {value}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_screen_reader_finds_its_way() {
    for page in all_pages() {
        let document = parse(&page);
        let root = document.root();
        let mut ids = HashSet::new();
        for node in root.descendants() {
            if let Some(id) = node.attribute("id") {
                assert!(ids.insert(id), "the id {id} stands twice");
            }
        }
        for node in root.descendants() {
            for name in ["aria-labelledby", "aria-describedby"] {
                if let Some(id) = node.attribute(name) {
                    assert!(ids.contains(id), "{id}");
                }
            }
            if let Some(place) = node
                .attribute("href")
                .and_then(|href| href.strip_prefix('#'))
            {
                assert!(ids.contains(place), "{place}");
            }
        }
        for tag in ["header", "main", "footer", "h1"] {
            assert_eq!(elements(root, tag).count(), 1, "{tag}");
        }
        for svg in elements(root, "svg") {
            assert_eq!(svg.attribute("role"), Some("img"));
            let named: Vec<&str> = svg
                .children()
                .filter(Node::is_element)
                .take(2)
                .map(|node| node.tag_name().name())
                .collect();
            assert_eq!(named, ["title", "desc"]);
        }
        for figure in elements(root, "figure") {
            let table = elements(figure, "table")
                .next()
                .expect("a table in every figure");
            assert!(elements(table, "caption").next().is_some());
            let columns = elements(table, "th")
                .filter(|th| th.attribute("scope") == Some("col"))
                .count();
            for row in elements(table, "tr") {
                assert_eq!(row.children().filter(Node::is_element).count(), columns);
            }
            let drawings = elements(figure, "svg").count();
            assert!(
                drawings == 0 || drawings == 2,
                "one for wide pages and one for phones"
            );
        }
    }
}

#[test]
fn data_never_become_markup() {
    let page = html(hostile());
    assert!(!page.contains("<script"));
    assert!(!page.contains("<b>"));
    let document = parse(&page);
    let heading = elements(document.root(), "h1").next().unwrap();
    assert_eq!(
        text(heading),
        "<script>alert('x')</script>\"&\u{FFFD}\u{FFFD}]]>-->"
    );
}

/// The numbers that a chart draws stand in the table behind it.
#[test]
fn tables_hold_what_charts_show() {
    let page = html(demo::cdnow());
    let document = parse(&page);
    let cohorts = table(&document, "cohorts");
    assert_eq!(cohorts.len(), 4);
    let expected = format!(
        "{:.1}%",
        100.0 * cdnow::COHORTS[1].2[3] as f64 / cdnow::COHORTS[1].1 as f64
    );
    assert_eq!(cohorts[2][2 + 3], expected);
    assert!(cohorts[1].last().unwrap().ends_with("so far"));
    assert_eq!(cohorts[3].last().unwrap(), "–");

    let tracking = table(&document, "tracking");
    assert_eq!(tracking.len(), 1 + cdnow::TRACKING.len());
    assert_eq!(tracking.last().unwrap()[..2], ["78", "4,339"]);

    let holdout = table(&document, "holdout");
    assert_eq!(holdout[8], ["7+", "64", "6.36", "6.16"]);
    let frequency = table(&document, "frequency");
    assert_eq!(frequency[1][..2], ["0", "1,411"]);
    let stages = table(&document, "stages");
    assert_eq!(stages[5][..3], ["Lost", "1,366", "58.0%"]);
    let save = table(&document, "save");
    assert_eq!(save.len(), 1 + cdnow::SAVE.len());

    // The bars name the same numbers that the table holds.
    let section = elements(document.root(), "section")
        .find(|node| node.attribute("id") == Some("holdout"))
        .unwrap();
    let drawing = elements(section, "svg").next().unwrap();
    let drawn: HashSet<String> = elements(drawing, "text").map(text).collect();
    for row in &holdout[1..] {
        assert!(
            drawn.contains(&row[2]) && drawn.contains(&row[3]),
            "{row:?}"
        );
    }
}

/// What is not over yet is hatched in both drawings, and nothing else is.
#[test]
fn incomplete_cells_are_hatched() {
    for (data, incomplete) in [(demo::cdnow(), 3), (stress(), 24)] {
        let page = html(data);
        let document = parse(&page);
        let section = elements(document.root(), "section")
            .find(|node| node.attribute("id") == Some("cohorts"))
            .unwrap();
        for drawing in elements(section, "svg") {
            let hatched =
                elements(drawing, "rect").filter(|rect| rect.attribute("class") == Some("hatch"));
            assert_eq!(hatched.count(), incomplete);
        }
        let so_far = table(&document, "cohorts")
            .concat()
            .iter()
            .filter(|text| text.ends_with("so far"))
            .count();
        assert_eq!(so_far, incomplete);
    }
}

#[test]
fn long_lines_are_thinned_in_the_drawing_and_in_the_table() {
    let mut data = demo::bare();
    data.repeat_curve = Section::Shown(RepeatCurve {
        step: Step::Day,
        customers: 10,
        points: (0..5000)
            .map(|i| RepeatPoint {
                elapsed: f64::from(i),
                share: f64::from(i) / 10_000.0,
            })
            .collect(),
    });
    let page = html(data);
    let rows = table(&parse(&page), "repeat");
    assert!((100..=162).contains(&rows.len()), "{}", rows.len());
    assert_eq!(rows.last().unwrap()[0], "4,999");
}

#[test]
fn the_same_data_give_the_same_bytes() {
    assert_eq!(html(demo::cdnow()), html(demo::cdnow()));
    let mut written = Vec::new();
    let report = RetentionReport::new(demo::cdnow()).unwrap();
    report.write_html(&mut written).unwrap();
    assert_eq!(written, report.to_html().into_bytes());
    assert_eq!(report.data(), &demo::cdnow());
}

#[test]
fn the_data_survive_json() {
    let text = serde_json::to_string(&demo::cdnow()).unwrap();
    let data: ReportData = serde_json::from_str(&text).unwrap();
    assert_eq!(data, demo::cdnow());
}

#[test]
fn a_section_that_is_left_out_says_why() {
    let page = html(demo::bare());
    let document = parse(&page);
    assert_eq!(page.matches("Left out. Nobody asked for it.").count(), 10);
    assert_eq!(elements(document.root(), "svg").count(), 0);
    assert_eq!(
        elements(document.root(), "nav").count(),
        0,
        "nothing to go to"
    );
    let empty = html(extremes().remove(0));
    for why in [
        "There is no cohort in the data.",
        "There is no customer in any stage.",
        "There is no customer to value.",
        "There is no segment with anything in it.",
        "There is no customer whose second purchase could be waited for.",
        "There is no combination of recency and frequency to show.",
    ] {
        assert!(empty.contains(why), "{why}");
    }
}

/// Changes a shown section.
fn change<T>(section: &mut Section<T>, change: impl FnOnce(&mut T)) {
    match section {
        Section::Shown(data) => change(data),
        Section::LeftOut(why) => panic!("left out: {why}"),
    }
}

#[test]
fn a_number_that_is_none_is_refused_by_name() {
    type Spoil = fn(&mut ReportData);
    let cases: [(&str, Spoil); 20] = [
        ("headlines[1].money", |d| {
            d.headlines[1].figure = Figure::Money(f64::NAN)
        }),
        ("headlines[2].share", |d| {
            d.headlines[2].figure = Figure::Share(1.5)
        }),
        ("headlines[0].count", |d| {
            d.headlines[0].figure = Figure::Count(u64::MAX)
        }),
        ("currency.decimals", |d| d.currency.decimals = 200),
        ("cohorts[1].customers", |d| {
            change(&mut d.cohorts, |m| m.cohorts[1].customers = 0)
        }),
        ("cohorts[2].cells[3].active", |d| {
            change(&mut d.cohorts, |m| m.cohorts[2].cells[3].active = 1 << 40)
        }),
        ("repeat_curve.points[4].share", |d| {
            change(&mut d.repeat_curve, |c| c.points[4].share = -0.1)
        }),
        ("repeat_curve.points[5].elapsed", |d| {
            change(&mut d.repeat_curve, |c| c.points[5].elapsed = 0.5)
        }),
        ("tracking.calibration_end", |d| {
            change(&mut d.tracking, |t| t.calibration_end = f64::INFINITY)
        }),
        ("tracking.points[7].expected", |d| {
            change(&mut d.tracking, |t| t.points[7].expected = f64::NAN)
        }),
        ("tracking.points[7].at", |d| {
            change(&mut d.tracking, |t| t.points[7].at = -1.0)
        }),
        ("holdout.groups[2].actual", |d| {
            change(&mut d.holdout, |h| h.groups[2].actual = f64::NAN)
        }),
        ("frequency_fit.groups[0].expected", |d| {
            change(&mut d.frequency_fit, |f| f.groups[0].expected = 1e300)
        }),
        ("alive.rows[1].probabilities.len()", |d| {
            change(&mut d.alive, |a| a.rows[1].probabilities.truncate(3));
        }),
        ("alive.rows[2].probabilities[0]", |d| {
            change(&mut d.alive, |a| {
                a.rows[2].probabilities[0] = Some(f64::NAN)
            });
        }),
        ("deciles.groups[9].value", |d| {
            change(&mut d.deciles, |v| v.groups[9].value = f64::NEG_INFINITY)
        }),
        ("segments[3].alive", |d| {
            change(&mut d.segments, |s| s.segments[3].alive = 2.0)
        }),
        ("save.customers[0].interval.0", |d| {
            change(&mut d.save, |s| {
                s.customers[0].interval = Some((f64::NAN, 1.0))
            });
        }),
        ("save.customers[1].interval.1", |d| {
            change(&mut d.save, |s| s.customers[1].interval = Some((2.0, 1.0)));
        }),
        ("methods[0].parameters[2].standard_error", |d| {
            d.methods[0].parameters[2].standard_error = Some(f64::NAN);
        }),
    ];
    for (name, spoil) in cases {
        let mut data = demo::cdnow();
        spoil(&mut data);
        match RetentionReport::new(data) {
            Err(DataError::Field { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn pages_to_look_at() {
    let Some(folder) = std::env::var_os("TENURE_REPORT_OUT") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let mut pages = vec![
        ("cdnow", demo::cdnow()),
        ("stress", stress()),
        ("many", many_cohorts()),
        ("hostile", hostile()),
    ];
    pages.extend(
        ["empty", "one", "zero", "large", "negative"]
            .into_iter()
            .zip(extremes()),
    );
    for (name, data) in pages {
        std::fs::write(folder.join(format!("{name}.html")), html(data)).unwrap();
    }
}
