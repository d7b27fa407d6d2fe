//! What a report shows, as plain data that the caller fills.

use serde::{Deserialize, Serialize};

/// Everything on the page.
///
/// Nothing here is computed by the report but sums, shares and sentences; where the numbers come from is
/// the caller's business. Numbers must be finite and at most 10¹⁵ in size, counts at most 10¹². Shares and
/// probabilities lie in `0..=1`. [`RetentionReport::new`](super::RetentionReport::new) checks all of it
/// once and names the field that is wrong.
///
/// Texts are plain text, never markup: whatever a customer is called, it is shown and not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportData {
    /// Whose customers these are: the heading of the page.
    pub title: String,
    /// One or two sentences that say what matters most; may be empty.
    pub summary: String,
    /// The first day of the facts, as it should be read (`1997-01-01`).
    pub first_day: String,
    /// The last day of the facts: the day as of which everything is said.
    pub as_of: String,
    /// The currency of all amounts.
    pub currency: Currency,
    /// The few numbers to see first; six fit well.
    pub headlines: Vec<Headline>,
    /// Who came back, by the time of the first purchase.
    pub cohorts: Section<CohortMatrix>,
    /// How soon a second purchase follows the first.
    pub repeat_curve: Section<RepeatCurve>,
    /// Purchases over time, actual against predicted.
    pub tracking: Section<Tracking>,
    /// Hold-out purchases by the number of purchases before, actual against predicted.
    pub holdout: Section<HoldoutFit>,
    /// How many customers bought how often, actual against predicted.
    pub frequency_fit: Section<FrequencyFit>,
    /// P(alive) over recency and frequency.
    pub alive: Section<AliveGrid>,
    /// Where the value is: customers in equal groups by value.
    pub deciles: Section<ValueDeciles>,
    /// The segments, their size and their health.
    pub segments: Section<SegmentMap>,
    /// The lifecycle stages and how many customers are in each.
    pub stages: Section<Vec<Stage>>,
    /// The customers most worth saving, most worthy first.
    pub save: Section<SaveList>,
    /// The models behind the numbers.
    pub methods: Vec<Method>,
    /// Where the numbers come from: files, settings, versions, seeds. The crate's own version is added.
    pub provenance: Vec<Fact>,
}

impl ReportData {
    /// A report on the facts from `first_day` to `as_of` in which every section is left out, to be filled.
    ///
    /// `why` is the sentence that stands in place of each section that stays left out.
    pub fn empty(title: &str, first_day: &str, as_of: &str, currency: Currency, why: &str) -> Self {
        Self {
            title: title.to_owned(),
            summary: String::new(),
            first_day: first_day.to_owned(),
            as_of: as_of.to_owned(),
            currency,
            headlines: Vec::new(),
            cohorts: Section::LeftOut(why.to_owned()),
            repeat_curve: Section::LeftOut(why.to_owned()),
            tracking: Section::LeftOut(why.to_owned()),
            holdout: Section::LeftOut(why.to_owned()),
            frequency_fit: Section::LeftOut(why.to_owned()),
            alive: Section::LeftOut(why.to_owned()),
            deciles: Section::LeftOut(why.to_owned()),
            segments: Section::LeftOut(why.to_owned()),
            stages: Section::LeftOut(why.to_owned()),
            save: Section::LeftOut(why.to_owned()),
            methods: Vec::new(),
            provenance: Vec::new(),
        }
    }
}

/// A part of the page, or the reason why it is not there.
///
/// A shown section whose data are empty is left out as well, with a sentence that says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Section<T> {
    /// It is on the page.
    Shown(T),
    /// It is not, for this reason: a whole sentence.
    LeftOut(String),
}

/// A currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Currency {
    /// What stands before an amount: `$`, `€`, `CHF`; may be empty.
    pub symbol: String,
    /// Decimals of an amount, 0 to 9.
    pub decimals: u8,
}

/// The unit of the time axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Step {
    /// Days.
    Day,
    /// Weeks.
    Week,
    /// Months.
    Month,
    /// Quarters of a year.
    Quarter,
    /// Years.
    Year,
}

impl Step {
    /// One of it: `week`.
    pub const fn one(self) -> &'static str {
        match self {
            Step::Day => "day",
            Step::Week => "week",
            Step::Month => "month",
            Step::Quarter => "quarter",
            Step::Year => "year",
        }
    }

    /// Several of it: `weeks`.
    pub const fn many(self) -> &'static str {
        match self {
            Step::Day => "days",
            Step::Week => "weeks",
            Step::Month => "months",
            Step::Quarter => "quarters",
            Step::Year => "years",
        }
    }
}

/// A number on a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// What it is: `Customers`.
    pub label: String,
    /// How much it is.
    pub figure: Figure,
    /// What to know about it, half a sentence; may be empty.
    pub note: String,
}

/// A number and how it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Figure {
    /// A whole number.
    Count(u64),
    /// An amount in major units of the report's currency.
    Money(f64),
    /// A share in `0..=1`, written as a percentage.
    Share(f64),
    /// Any other number.
    Number {
        /// The number.
        value: f64,
        /// How many decimals are shown, 0 to 9.
        decimals: u8,
        /// Its unit, written after it; may be empty.
        unit: String,
    },
}

/// Customers by the time of their first purchase, and how many of them were active later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CohortMatrix {
    /// The length of a period.
    pub step: Step,
    /// The cohorts, oldest first.
    pub cohorts: Vec<Cohort>,
}

/// The customers who began in one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// The period as it should be read: `1997-01`, `January 1997`.
    pub name: String,
    /// How many customers; at least 1.
    pub customers: u64,
    /// The customers active 0, 1, 2 … periods after the first. Ends where observation ends.
    pub cells: Vec<CohortCell>,
}

/// One cohort in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortCell {
    /// How many of the cohort were active; at most all of them.
    pub active: u64,
    /// Whether the period was observed to its end for the whole cohort.
    pub complete: bool,
}

/// The share of customers who bought again, by the time since their first purchase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatCurve {
    /// The unit of time.
    pub step: Step,
    /// How many customers the curve is drawn from.
    pub customers: u64,
    /// The curve, by ascending time.
    pub points: Vec<RepeatPoint>,
}

/// A point of the repeat-purchase curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RepeatPoint {
    /// Time since the first purchase, in steps; at least 0.
    pub elapsed: f64,
    /// The share of customers who bought again by then.
    pub share: f64,
}

/// Cumulative repeat purchases of all customers over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tracking {
    /// The unit of time.
    pub step: Step,
    /// When the data the model was fitted to end, in steps since the first day.
    pub calibration_end: f64,
    /// The two lines, by ascending time.
    pub points: Vec<TrackingPoint>,
}

/// A point of the tracking plot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackingPoint {
    /// Steps since the first day; at least 0.
    pub at: f64,
    /// Repeat purchases until then; `None` where the future begins.
    pub actual: Option<u64>,
    /// What the model expects; at least 0.
    pub expected: f64,
}

/// Purchases in the hold-out period by the number of repeat purchases before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldoutFit {
    /// How long the hold-out lasted, as it should be read: `39 weeks`.
    pub length: String,
    /// The groups, by ascending frequency.
    pub groups: Vec<HoldoutGroup>,
}

/// Customers with one number of repeat purchases in the calibration period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldoutGroup {
    /// The number, as it should be read: `0`, `1`, … `7+`.
    pub frequency: String,
    /// How many customers.
    pub customers: u64,
    /// Mean purchases of a customer in the hold-out; at least 0.
    pub actual: f64,
    /// What the model expected of them, a customer; at least 0.
    pub expected: f64,
}

/// How many customers made how many repeat purchases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrequencyFit {
    /// The model that expects, by name.
    pub model: String,
    /// The numbers of repeat purchases, ascending.
    pub groups: Vec<FrequencyGroup>,
}

/// Customers with one number of repeat purchases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrequencyGroup {
    /// The number, as it should be read: `0`, `1`, … `7+`.
    pub frequency: String,
    /// How many customers there are.
    pub actual: u64,
    /// How many the model expects; at least 0.
    pub expected: f64,
}

/// P(alive) of customers who are equally old, by when and how often they bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AliveGrid {
    /// The unit of time.
    pub step: Step,
    /// How long ago these customers made their first purchase, in steps.
    pub age: f64,
    /// The columns: the time from the first purchase to the latest (recency, t_x), ascending.
    pub recencies: Vec<f64>,
    /// The rows, by ascending frequency.
    pub rows: Vec<AliveRow>,
}

/// P(alive) of customers with one number of repeat purchases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AliveRow {
    /// The number of repeat purchases.
    pub frequency: u32,
    /// P(alive) by recency; `None` where no customer can be (bought again, but at time 0).
    pub probabilities: Vec<Option<f64>>,
}

/// Customers in groups of equal size, the most valuable first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueDeciles {
    /// What value means here: `expected revenue over the next 12 months, discounted at 10% a year`.
    pub meaning: String,
    /// The groups.
    pub groups: Vec<ValueGroup>,
}

/// A group of customers and what they are worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueGroup {
    /// Its name: `1`, or `Top 10%`.
    pub name: String,
    /// How many customers.
    pub customers: u64,
    /// What they are worth together, in major units; may be negative after refunds.
    pub value: f64,
}

/// The segments as tiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentMap {
    /// What the size of a tile shows.
    pub size: TileSize,
    /// The segments, in any order.
    pub segments: Vec<Segment>,
}

/// What the size of a tile shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TileSize {
    /// The number of customers.
    Customers,
    /// The segment's revenue; a segment without any has no tile, but a row in the table.
    Revenue,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// How many customers are in it.
    pub customers: u64,
    /// What they have paid so far, in major units.
    pub revenue: f64,
    /// Their mean P(alive): the colour of the tile.
    pub alive: f64,
}

/// A lifecycle stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name: `At risk`.
    pub name: String,
    /// Who is in it, half a sentence: `silent for more than twice the usual gap`.
    pub rule: String,
    /// How many customers are in it.
    pub customers: u64,
}

/// The customers most worth saving.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SaveList {
    /// The time over which purchases and value are expected, as it should be read: `12 months`.
    pub horizon: String,
    /// How they were chosen, a whole sentence.
    pub rule: String,
    /// The customers, most worthy first; twenty or so are read.
    pub customers: Vec<CustomerToSave>,
}

/// A customer worth saving.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerToSave {
    /// Your key.
    pub customer: String,
    /// The lifecycle stage.
    pub stage: String,
    /// The segment.
    pub segment: String,
    /// P(alive).
    pub alive: f64,
    /// Expected purchases over the horizon; at least 0.
    pub purchases: f64,
    /// Expected value over the horizon, in major units.
    pub value: f64,
    /// A 90% interval around it: low and high, in this order; `None` if there is none.
    pub interval: Option<(f64, f64)>,
    /// Why, a whole sentence.
    pub reason: String,
}

/// A model, or a rule, behind numbers of the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Its name: `BG/NBD`.
    pub name: String,
    /// What it does and where it comes from, in sentences.
    pub about: String,
    /// Its fitted parameters; may be empty.
    pub parameters: Vec<Parameter>,
    /// What else to know: log-likelihood, customers, how the fit ended.
    pub facts: Vec<Fact>,
}

/// A fitted parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name or symbol.
    pub name: String,
    /// Its estimate.
    pub value: f64,
    /// Its standard error; `None` on a boundary or where it was not asked for.
    pub standard_error: Option<f64>,
}

/// Something to know, as a name and a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is: `Transactions`.
    pub name: String,
    /// The text: `6,919 rows from cdnow.csv`.
    pub text: String,
}
