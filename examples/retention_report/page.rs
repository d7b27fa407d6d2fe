//! From the analysis to what the page shows.

use tenure::event::Period;
use tenure::lifetime::{FitReport, PurchaseModel};
use tenure::report::{
    AliveGrid, AliveRow, Cohort, CohortCell, CohortMatrix, Currency, CustomerToSave, Fact, Figure,
    FrequencyFit, FrequencyGroup, Headline, HoldoutFit, HoldoutGroup, Method, Parameter,
    RepeatCurve, RepeatPoint, ReportData, SaveList, Section, Segment, SegmentMap,
    Stage as ShownStage, Step, TileColour, TileSize, Tracking, TrackingPoint, ValueDeciles,
    ValueGroup,
};
use tenure::retention::Cell;
use tenure::segment::{Lifecycle, LifecycleRule, Stage};
use tenure::summary::History;

use super::analysis::Analysis;
use super::calibration::{Calibration, LAST_CLASS};
use super::fits::status;
use super::outlook::{Outlook, Value};

const CUSTOMERS_TO_SAVE: usize = 20;
const DECILES: usize = 10;
/// P(alive) is shown for this many repeat purchases at most, and at this many recencies.
const ALIVE_FREQUENCIES: u32 = 12;
const ALIVE_RECENCIES: u32 = 20;

/// Everything on the page.
pub fn data(analysis: &Analysis) -> ReportData {
    let (first, last) = (
        Period::Day.label(analysis.first_day),
        Period::Day.label(analysis.last_day),
    );
    let currency = Currency {
        symbol: analysis.currency.clone(),
        decimals: analysis.decimals.places(),
    };
    let mut page = ReportData::empty(
        &analysis.name,
        &first,
        &last,
        currency,
        "Not part of this page.",
    );
    page.summary = summary(analysis);
    page.headlines = headlines(analysis);
    page.cohorts = Section::Shown(cohorts(analysis));
    page.repeat_curve = Section::Shown(repeat_curve(analysis));
    page.segments = Section::Shown(segments(analysis));
    page.stages = match &analysis.people.stages {
        Ok(stages) => Section::Shown(shown_stages(analysis, &stages.lifecycle)),
        Err(why) => left_out("Lifecycle stages need repeat purchases", why),
    };
    match &analysis.calibration {
        Ok(calibration) => {
            page.tracking = Section::Shown(tracking(calibration));
            page.holdout = Section::Shown(holdout(calibration));
            page.frequency_fit = Section::Shown(frequency_fit(calibration));
        }
        Err(why) => {
            page.tracking = left_out("The model was not tried on a hold-out", why);
            page.holdout = left_out("The model was not tried on a hold-out", why);
            page.frequency_fit = left_out("The model was not tried on a hold-out", why);
        }
    }
    match &analysis.outlook {
        Ok(outlook) => {
            page.alive = Section::Shown(alive(outlook));
            page.deciles = match &outlook.value {
                Ok(value) => Section::Shown(deciles(analysis, value)),
                Err(why) => left_out("No value could be predicted", why),
            };
            page.save = Section::Shown(save(analysis));
        }
        Err(why) => {
            page.alive = left_out("No purchase model could be fitted", why);
            page.deciles = left_out("No purchase model could be fitted", why);
            page.save = left_out("No purchase model could be fitted", why);
        }
    }
    page.methods = methods(analysis);
    page.provenance = provenance(analysis);
    page
}

fn left_out<T>(what: &str, why: &str) -> Section<T> {
    Section::LeftOut(format!("{what}: {why}."))
}

fn summary(analysis: &Analysis) -> String {
    let Ok(outlook) = &analysis.outlook else {
        return String::new();
    };
    let Ok(value) = &outlook.value else {
        return String::new();
    };
    let mut values = value.of.clone();
    values.sort_by(|a, b| b.total_cmp(a));
    let total: f64 = values.iter().sum();
    if total <= 0.0 {
        return String::new();
    }
    let top = values.len().div_ceil(DECILES);
    let top: f64 = values.iter().take(top).sum();
    let risky: f64 = at_risk_rows(analysis)
        .filter_map(|row| value.of.get(row))
        .sum();
    format!(
        "One customer in ten holds {:.0}% of the value expected over the next {} months; {:.0}% of it is with customers who are \
         silent for longer than is usual for them.",
        top / total * 100.0,
        analysis.horizon_months,
        risky / total * 100.0,
    )
}

fn headlines(analysis: &Analysis) -> Vec<Headline> {
    let card = |label: &str, figure, note: &str| Headline {
        label: label.to_owned(),
        figure,
        note: note.to_owned(),
    };
    let revenue = analysis.revenue_minor() as f64 / analysis.decimals.minor_per_major() as f64;
    let mut cards = vec![
        card(
            "Customers",
            Figure::Count(analysis.people.features.len() as u64),
            "with at least one purchase",
        ),
        card(
            "Revenue",
            Figure::Money(revenue),
            "in all, refunds taken off",
        ),
    ];
    if let Some(rate) = analysis.repeat_rate.rate() {
        cards.push(card(
            "Repeat rate",
            Figure::Share(rate),
            "of customers bought on a second day",
        ));
    }
    let Ok(outlook) = &analysis.outlook else {
        return cards;
    };
    let months = analysis.horizon_months;
    let expected: f64 = outlook.expected.iter().sum();
    let figure = Figure::Number {
        value: expected,
        decimals: 0,
        unit: String::new(),
    };
    cards.push(card(
        "Expected purchases",
        figure,
        &format!("over the next {months} months"),
    ));
    if let Ok(value) = &outlook.value {
        let total: f64 = value.of.iter().sum();
        let risky: f64 = at_risk_rows(analysis)
            .filter_map(|row| value.of.get(row))
            .sum();
        let note = format!("over {months} months, discounted");
        cards.push(card("Expected value", Figure::Money(total), &note));
        cards.push(card(
            "Value at risk",
            Figure::Money(risky),
            "of it with customers at risk or dormant",
        ));
    }
    cards
}

fn cohorts(analysis: &Analysis) -> CohortMatrix {
    let matrix = &analysis.cohorts;
    let step = if matrix.period() == Period::Month {
        Step::Month
    } else {
        Step::Week
    };
    let cohorts = matrix.rows().map(|(cohort, cells)| Cohort {
        name: matrix.period().label(cohort.period),
        customers: cohort.size.into(),
        cells: cells
            .take_while(|cell| !matches!(cell, Cell::Unobserved { .. }))
            .map(|cell| CohortCell {
                active: cell.active().into(),
                complete: cell.is_complete(),
            })
            .collect(),
    });
    CohortMatrix {
        step,
        cohorts: cohorts.collect(),
    }
}

fn repeat_curve(analysis: &Analysis) -> RepeatCurve {
    let points = (0_u32..)
        .zip(&analysis.repeat_curve)
        .map_while(|(week, point)| {
            Some(RepeatPoint {
                elapsed: week.into(),
                share: point.share?,
            })
        });
    RepeatCurve {
        step: Step::Week,
        customers: analysis.people.features.len() as u64,
        points: points.collect(),
    }
}

fn tracking(calibration: &Calibration) -> Tracking {
    let points = calibration.tracking.iter().map(|week| TrackingPoint {
        at: week.week.into(),
        actual: Some(week.actual),
        expected: week.expected,
    });
    let weeks = calibration.tracking.len() as f64;
    Tracking {
        step: Step::Week,
        calibration_end: (weeks - calibration.holdout_weeks).max(0.0),
        points: points.collect(),
    }
}

fn holdout(calibration: &Calibration) -> HoldoutFit {
    let groups = (0..)
        .zip(&calibration.classes)
        .filter(|(_, class)| class.customers > 0);
    let groups = groups.map(|(frequency, class)| HoldoutGroup {
        frequency: class_name(frequency),
        customers: class.customers,
        actual: class.actual as f64 / class.customers as f64,
        expected: class.expected / class.customers as f64,
    });
    HoldoutFit {
        length: format!("{:.0} weeks", calibration.holdout_weeks),
        groups: groups.collect(),
    }
}

fn frequency_fit(calibration: &Calibration) -> FrequencyFit {
    let groups = calibration
        .frequency_fit
        .iter()
        .map(|class| FrequencyGroup {
            frequency: class_name(class.purchases),
            actual: class.actual.into(),
            expected: class.expected,
        });
    FrequencyFit {
        model: "BG/NBD".to_owned(),
        groups: groups.collect(),
    }
}

fn class_name(frequency: u32) -> String {
    let more = if frequency == LAST_CLASS { "+" } else { "" };
    format!("{frequency}{more}")
}

/// P(alive) of customers as old as the oldest.
fn alive(outlook: &Outlook) -> AliveGrid {
    let oldest = outlook.histories.age().iter().copied().fold(1.0, f64::max);
    let age = oldest.floor();
    let most = outlook
        .histories
        .frequency()
        .iter()
        .copied()
        .max()
        .unwrap_or(0);
    let step = (age / f64::from(ALIVE_RECENCIES)).ceil();
    let steps = (0..=ALIVE_RECENCIES)
        .map(|i| step * f64::from(i))
        .take_while(|&t| t < age);
    let recencies: Vec<f64> = steps.chain([age]).collect();
    let rows = (0..=most.clamp(1, ALIVE_FREQUENCIES)).map(|frequency| AliveRow {
        frequency,
        probabilities: recencies
            .iter()
            .map(|&recency| {
                let possible = (frequency == 0) == (recency == 0.0);
                let history = History::new(frequency, recency, age)
                    .ok()
                    .filter(|_| possible)?;
                Some(outlook.purchases.probability_alive(&history))
            })
            .collect(),
    });
    AliveGrid {
        step: Step::Week,
        age,
        rows: rows.collect(),
        recencies,
    }
}

fn deciles(analysis: &Analysis, value: &Value) -> ValueDeciles {
    let mut values = value.of.clone();
    values.sort_by(|a, b| b.total_cmp(a));
    let groups = DECILES.min(values.len());
    let bound = |group: usize| values.len() * group / groups.max(1);
    let groups = (0..groups).map(|group| {
        let members = values
            .get(bound(group)..bound(group + 1))
            .unwrap_or_default();
        ValueGroup {
            name: (group + 1).to_string(),
            customers: members.len() as u64,
            value: members.iter().sum(),
        }
    });
    let (months, rate) = (analysis.horizon_months, analysis.discount_annual * 100.0);
    ValueDeciles {
        meaning: format!(
            "expected revenue over the next {months} months, discounted at {rate:.0}% a year"
        ),
        groups: groups.collect(),
    }
}

fn segments(analysis: &Analysis) -> SegmentMap {
    let people = &analysis.people;
    let sums = |answers: Option<&[f64]>| {
        let mut sums = vec![0.0; people.table.rows().len()];
        for (segment, answer) in people.segments.iter().zip(answers.unwrap_or_default()) {
            if let Some(sum) = sums.get_mut(segment.index()) {
                *sum += answer;
            }
        }
        sums
    };
    let outlook = analysis.outlook.as_ref().ok();
    let value = outlook.and_then(|outlook| outlook.value.as_ref().ok());
    let alive = sums(outlook.map(|outlook| outlook.alive.as_slice()));
    let worth = sums(value.map(|value| value.of.as_slice()));
    let rows = people.table.rows().iter().zip(alive.into_iter().zip(worth));
    let rows = rows.filter(|(row, _)| row.customers > 0);
    let segments = rows.map(|(row, (alive, worth))| Segment {
        name: row.name.clone(),
        customers: row.customers,
        revenue: analysis.decimals.to_major(row.revenue_minor),
        alive: (alive / row.customers as f64).min(1.0),
        value: worth / row.customers as f64,
    });
    SegmentMap {
        size: TileSize::Customers,
        // P(alive) of one-time buyers is 1 under the BG/NBD: their value says more.
        colour: if value.is_some() {
            TileColour::Value
        } else {
            TileColour::Alive
        },
        segments: segments.collect(),
    }
}

/// How many customers are in each stage.
pub fn stage_counts(analysis: &Analysis) -> Vec<(Stage, u64)> {
    let Ok(stages) = &analysis.people.stages else {
        return Vec::new();
    };
    let count = |stage: &Stage| stages.of.iter().filter(|of| *of == stage).count() as u64;
    Stage::ALL
        .iter()
        .map(|stage| (*stage, count(stage)))
        .collect()
}

fn shown_stages(analysis: &Analysis, lifecycle: &Lifecycle) -> Vec<ShownStage> {
    let rule = |stage: Stage| match lifecycle.rule() {
        LifecycleRule::Rhythm(rhythm) => {
            let times = rhythm.multiples;
            match stage {
                Stage::New => "one purchase so far, not long ago".to_owned(),
                Stage::Active => "buying at the usual pace".to_owned(),
                Stage::AtRisk => format!("silent for {} times the usual gap", times.at_risk),
                Stage::Dormant => format!("silent for {} times the usual gap", times.dormant),
                Stage::Lost => format!("silent for {} times the usual gap", times.lost),
                Stage::Resurrected => "back after a silence that looked like the end".to_owned(),
            }
        }
        LifecycleRule::Windows(_) => String::new(),
    };
    let counts = stage_counts(analysis);
    let shown = counts.into_iter().map(|(stage, customers)| ShownStage {
        name: in_words(stage).to_owned(),
        rule: rule(stage),
        customers,
    });
    shown.collect()
}

fn in_words(stage: Stage) -> &'static str {
    match stage {
        Stage::AtRisk => "At risk",
        other => other.name(),
    }
}

/// Rows of customers who are at risk or dormant.
fn at_risk_rows(analysis: &Analysis) -> impl Iterator<Item = usize> + '_ {
    let rows = 0..analysis.people.features.len();
    rows.filter(|&row| {
        matches!(
            analysis.people.stage(row),
            Some(Stage::AtRisk | Stage::Dormant)
        )
    })
}

/// The customers at risk or dormant from whom most is expected still.
pub fn to_save(analysis: &Analysis, most: usize) -> Vec<CustomerToSave> {
    let Ok(outlook) = &analysis.outlook else {
        return Vec::new();
    };
    let value = outlook.value.as_ref().ok();
    let worth = |row: usize| {
        let values = value.map_or(outlook.expected.as_slice(), |value| value.of.as_slice());
        values.get(row).copied().unwrap_or(0.0)
    };
    let mut rows: Vec<usize> = at_risk_rows(analysis).collect();
    rows.sort_by(|&a, &b| worth(b).total_cmp(&worth(a)).then(a.cmp(&b)));
    rows.truncate(most);
    rows.into_iter()
        .filter_map(|row| customer_to_save(analysis, outlook, row))
        .collect()
}

fn customer_to_save(analysis: &Analysis, outlook: &Outlook, row: usize) -> Option<CustomerToSave> {
    let values = analysis.people.features.get(row)?;
    let stages = analysis.people.stages.as_ref().ok()?;
    let value = outlook.value.as_ref().ok();
    let intervals = value.and_then(|value| value.intervals.as_ref().ok());
    let interval = intervals.and_then(|intervals| intervals.of.get(row));
    let why = stages.why(&analysis.purchases, values.customer, analysis.as_of())?;
    let spent = analysis.decimals.display(values.monetary_minor);
    Some(CustomerToSave {
        customer: analysis.key(values.customer).to_owned(),
        stage: in_words(analysis.people.stage(row)?).to_owned(),
        segment: analysis.people.segment(row).to_owned(),
        alive: *outlook.alive.get(row)?,
        purchases: *outlook.expected.get(row)?,
        value: value
            .and_then(|value| value.of.get(row).copied())
            .unwrap_or(0.0),
        interval: interval.map(|interval| (interval.lower, interval.upper)),
        reason: format!(
            "{why}; {}{spent} spent on {} days so far.",
            analysis.currency, values.frequency
        ),
    })
}

fn save(analysis: &Analysis) -> SaveList {
    SaveList {
        horizon: format!("{} months", analysis.horizon_months),
        rule: "Customers at risk or dormant by their own rhythm, those first from whom most is still expected."
            .to_owned(),
        customers: to_save(analysis, CUSTOMERS_TO_SAVE),
    }
}

fn methods(analysis: &Analysis) -> Vec<Method> {
    let purchase = "How often customers buy and when they leave, each at a rate of their own: Fader, Hardie and Lee (2005). A customer can \
                    leave only after a repeat purchase: one-time buyers count as alive, with few purchases expected of them.";
    let spend = "What a purchase is worth, each customer around a mean of their own: Fader and Hardie (2013).";
    let mut methods = Vec::new();
    if let Ok(calibration) = &analysis.calibration {
        let upto = Period::Day.label(i32::try_from(calibration.end_day).unwrap_or(0));
        methods.push(method(
            &format!("BG/NBD up to {upto}"),
            purchase,
            &calibration.purchases.report,
        ));
        if let Ok(model) = &calibration.spend {
            methods.push(method(
                &format!("Gamma-Gamma up to {upto}"),
                spend,
                &model.report,
            ));
        }
    }
    if let Ok(outlook) = &analysis.outlook {
        methods.push(method(
            "BG/NBD on everything",
            purchase,
            &outlook.purchases.report,
        ));
        if let Ok(value) = &outlook.value {
            let mut spend = method("Gamma-Gamma on everything", spend, &value.spend.report);
            spend.facts.push(match &value.intervals {
                Ok(intervals) => fact(
                    "Intervals",
                    &format!(
                        "90% credible intervals of the expected value from {} posterior draws of both models, seed {}; effective \
                         sample sizes {:.0} of {} and {:.0} of {} proposals. They hold the doubt about the parameters, not the luck of \
                         a single customer.",
                        intervals.draws,
                        intervals.seed,
                        intervals.effective[0].0,
                        intervals.effective[0].1,
                        intervals.effective[1].0,
                        intervals.effective[1].1,
                    ),
                ),
                Err(why) => fact("Intervals", &format!("None: {why}.")),
            });
            methods.push(spend);
        }
    }
    methods.push(Method {
        name: "RFM".to_owned(),
        about: "Recency, frequency and money in five bins each at the quantiles of these customers; the first rule that holds names the \
                segment."
            .to_owned(),
        parameters: Vec::new(),
        facts: Vec::new(),
    });
    if let Ok(stages) = &analysis.people.stages
        && let LifecycleRule::Rhythm(rhythm) = stages.lifecycle.rule()
    {
        methods.push(Method {
            name: "Lifecycle by rhythm".to_owned(),
            about: "Silence measured by each customer's own usual gap between purchases, drawn toward that of all where few purchases \
                    are known (Bühlmann 1967)."
                .to_owned(),
            parameters: Vec::new(),
            facts: vec![
                fact("Usual gap of all", &format!("{:.0} days", rhythm.usual_gap_days)),
                fact("Weight of it", &format!("{:.2} gaps", rhythm.weight)),
            ],
        });
    }
    methods
}

fn method(name: &str, about: &str, report: &FitReport) -> Method {
    let parameters = report.parameters.iter().map(|estimate| Parameter {
        name: estimate.name.to_string(),
        value: estimate.value,
        standard_error: estimate.standard_error,
    });
    Method {
        name: name.to_owned(),
        about: about.to_owned(),
        parameters: parameters.collect(),
        facts: vec![
            fact("Log-likelihood", &format!("{:.6}", report.log_likelihood)),
            fact(
                "Customers",
                &format!(
                    "{} with {} distinct histories",
                    report.customers, report.distinct
                ),
            ),
            fact(
                "Fit",
                &format!("{} in {} steps", status(&report.status), report.iterations),
            ),
        ],
    }
}

fn provenance(analysis: &Analysis) -> Vec<Fact> {
    let mut facts = vec![
        fact("Transactions", &analysis.source),
        fact(
            "Purchases",
            &format!("{}: all rows of a day are one", analysis.purchases.len()),
        ),
        fact("Refunds", "taken off the purchases before them"),
        fact("Days begin in", &analysis.zone.to_string()),
    ];
    if analysis.rejected > 0 {
        facts.push(fact("Bad rows left out", &analysis.rejected.to_string()));
    }
    let unmatched = analysis.purchases.unmatched_refunds();
    if unmatched.customers > 0 {
        let text = format!(
            "of {} customers exceed what they had bought before",
            unmatched.customers
        );
        facts.push(fact("Refunds", &text));
    }
    facts
}

fn fact(name: &str, text: &str) -> Fact {
    Fact {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}
