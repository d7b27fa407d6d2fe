//! `segment.json`, section `retention`: an explicit event log and what is said of it.

use std::ops::RangeInclusive;

use serde_json::{Value, json};
use tenure::event::{DAY_S, Decimals, Events, Ids, Period, Timestamp, Transactions, Zone};
use tenure::retention::{
    Activity, CohortMatrix, Measure, PeriodChurn, RepeatPurchases, Rolling, Share,
};
use tenure::summary::{
    ActivitySummary, Grain, PurchaseOptions, PurchaseSummary, Purchases, Refunds,
};

use super::tally::{ABOUT, Tally};

const RATES_REL: f64 = 1e-12;
/// Keys of the section that are given, not computed.
const GIVEN: &[&str] = &["events", "last_day"];

pub fn evaluate(section: &Value, tally: &mut Tally) {
    let log = Log::new(section);
    for (quantity, expected) in section.as_object().into_iter().flatten() {
        if !ABOUT.contains(&quantity.as_str()) && !GIVEN.contains(&quantity.as_str()) {
            log.check(quantity, expected, tally);
        }
    }
}

struct Log {
    log: Transactions,
    activity: ActivitySummary,
    last_day: i32,
}

impl Log {
    fn new(section: &Value) -> Self {
        let rows = section["events"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|event| {
                let seconds = event[1].as_i64().expect("seconds since day 0");
                let time = Timestamp::from_unix_s(seconds).expect("an instant");
                (event[0].as_str().expect("a user").to_owned(), time, 0)
            });
        let (log, _): (_, Ids<String>) =
            Transactions::from_rows(Decimals::ZERO, rows).expect("a valid log");
        let activity = ActivitySummary::collect(&Events::from(&log), Period::Day, &Zone::UTC);
        let last_day = section["last_day"].as_i64().expect("the last day") as i32;
        Self {
            activity: activity.expect("a small log"),
            log,
            last_day,
        }
    }

    fn check(&self, quantity: &str, expected: &Value, tally: &mut Tally) {
        let observed =
            Activity::new(&self.activity, 0..self.last_day + 1).expect("a range of days");
        let number = |tally: &mut Tally, actual: Option<f64>, expected: &Value| {
            tally.close(
                "retention",
                quantity,
                actual.unwrap_or(f64::NAN),
                expected,
                RATES_REL,
            );
        };
        match quantity {
            "calendar" | "rolling_24h" => self.check_cohorts(quantity, expected, tally),
            "lifecycle" => {
                let days = observed.lifecycle();
                let actual: Vec<Value> = days
                    .iter()
                    .map(|day| {
                        json!({"day": day.period, "new": day.new, "returning": day.returning,
                            "resurrecting": day.resurrecting, "dormant": day.dormant})
                    })
                    .collect();
                tally.equal("retention", quantity, actual, expected);
            }
            "dau" => tally.equal("retention", quantity, observed.active(), expected),
            "stickiness_users_by_days_active" => {
                tally.equal(
                    "retention",
                    quantity,
                    observed.customers_by_active_periods(),
                    expected,
                );
            }
            "quick_ratio_total" => number(tally, observed.quick_ratio(), &expected["value"]),
            "repeat_rate" => {
                let purchases = self.purchases(Grain::Instant);
                number(
                    tally,
                    self.repeat(&purchases).rate().rate(),
                    &expected["value"],
                );
            }
            "repeat_rate_distinct_days" => {
                let purchases = self.purchases(Grain::Period(Period::Day));
                number(tally, self.repeat(&purchases).rate().rate(), expected);
            }
            "median_gap_seconds_type7" => {
                let purchases = self.purchases(Grain::Instant);
                number(tally, self.repeat(&purchases).median_gap_s(), expected);
            }
            "mean_events_per_user" => {
                let purchases = self.purchases(Grain::Instant);
                number(tally, self.repeat(&purchases).mean_purchases(), expected);
            }
            "period_churn" => self.check_churn(expected, tally),
            _ => match trailing_window(quantity) {
                Some(Trailing::Actives(window)) => {
                    let actual = observed.trailing(window).expect("a window");
                    tally.equal("retention", quantity, actual, expected);
                }
                Some(Trailing::Stickiness(window)) => {
                    number(
                        tally,
                        observed.stickiness(window).expect("a window"),
                        expected,
                    );
                }
                None => tally.unsupported("retention", quantity, expected, true),
            },
        }
    }

    fn check_cohorts(&self, entry: &str, expected: &Value, tally: &mut Tally) {
        let entry = format!("retention.{entry}");
        let n_day = self.matrix(
            &entry,
            &Measure::NPeriod {
                offsets: columns(&expected["n_day_counts"]),
            },
        );
        for (quantity, expected_value) in expected.as_object().into_iter().flatten() {
            let actual = match quantity.as_str() {
                "cohort_first_day" => {
                    json!(n_day.cohorts().iter().map(|c| c.period).collect::<Vec<_>>())
                }
                "size" => json!(n_day.cohorts().iter().map(|c| c.size).collect::<Vec<_>>()),
                "n_day_counts" => counts(&n_day),
                "complete" => complete(&n_day),
                "unbounded_counts" => {
                    let offsets = columns(expected_value);
                    counts(&self.matrix(&entry, &Measure::Unbounded { offsets }))
                }
                "bracket_ranges_inclusive" => continue, // given
                "bracket_counts" => {
                    let ranges = ranges(&expected["bracket_ranges_inclusive"]);
                    counts(&self.matrix(&entry, &Measure::Brackets(&ranges)))
                }
                "weighted_average_n_day_complete_cells" => {
                    let actual = rates(&n_day.averages());
                    tally.list(&entry, quantity, &actual, expected_value, RATES_REL);
                    continue;
                }
                "weighted_average_unbounded_complete_cells" => {
                    let offsets = columns(expected_value);
                    let unbounded = self.matrix(&entry, &Measure::Unbounded { offsets });
                    let actual = rates(&unbounded.averages());
                    tally.list(&entry, quantity, &actual, expected_value, RATES_REL);
                    continue;
                }
                _ => {
                    tally.unsupported(&entry, quantity, expected_value, true);
                    continue;
                }
            };
            tally.equal(&entry, quantity, actual, expected_value);
        }
    }

    fn matrix(&self, entry: &str, measure: &Measure<'_>) -> CohortMatrix {
        let until = self.until();
        if entry.ends_with("calendar") {
            return CohortMatrix::calendar(&self.activity, measure, until).expect("a measure");
        }
        let clock = Rolling {
            period: Period::Day,
            zone: Zone::UTC,
            length_s: DAY_S,
        };
        let events = Events::from(&self.log);
        CohortMatrix::rolling(&events, &clock, measure, until).expect("a measure")
    }

    /// Period 1 ends where the note says (`period 1 = days 0..4`); period 2 is the rest.
    fn check_churn(&self, expected: &Value, tally: &mut Tally) {
        let days = days_in(expected["note"].as_str().unwrap_or_default());
        let &[from_1, to_1, from_2, to_2] = days.as_slice() else {
            return tally.unsupported("retention", "period_churn", expected, true);
        };
        let churn = PeriodChurn::between(&self.activity, from_1..to_1 + 1, from_2..to_2 + 1)
            .expect("two periods in order");
        for (quantity, expected) in expected.as_object().into_iter().flatten() {
            let actual = match quantity.as_str() {
                "note" => continue,
                "p1" => f64::from(churn.before),
                "p2" => f64::from(churn.after),
                "retained" => f64::from(churn.retained),
                "churn_rate" => churn.churn().rate().unwrap_or(f64::NAN),
                other => {
                    tally.unsupported("retention.period_churn", other, expected, true);
                    continue;
                }
            };
            tally.close(
                "retention.period_churn",
                quantity,
                actual,
                expected,
                RATES_REL,
            );
        }
    }

    fn purchases(&self, grain: Grain) -> Purchases {
        let options = PurchaseOptions {
            grain,
            zone: Zone::UTC,
            refunds: Refunds::Ignore,
        };
        let summary = PurchaseSummary::collect(&self.log, &options).expect("a small log");
        summary.into_purchases().expect("sums in range")
    }

    fn repeat<'a>(&self, purchases: &'a Purchases) -> RepeatPurchases<'a> {
        RepeatPurchases::new(purchases, self.until())
    }

    fn until(&self) -> Timestamp {
        let end = i64::from(self.last_day + 1) * DAY_S;
        Timestamp::from_unix_s(end).expect("an instant")
    }
}

enum Trailing {
    Actives(u32),
    Stickiness(u32),
}

/// Reads `wau_trailing7` and `stickiness_dau_over_wau_mean_full_windows` (a week).
fn trailing_window(quantity: &str) -> Option<Trailing> {
    if quantity == "stickiness_dau_over_wau_mean_full_windows" {
        return Some(Trailing::Stickiness(7));
    }
    let (_, window) = quantity.split_once("_trailing")?;
    window.parse().ok().map(Trailing::Actives)
}

fn columns(expected: &Value) -> u32 {
    let first = &expected[0];
    let width = first.as_array().or(expected.as_array()).map_or(0, Vec::len);
    u32::try_from(width).expect("few columns")
}

fn counts(matrix: &CohortMatrix) -> Value {
    json!(
        matrix
            .rows()
            .map(|(_, cells)| cells.map(|c| c.active()).collect())
            .collect::<Vec<Vec<u32>>>()
    )
}

fn complete(matrix: &CohortMatrix) -> Value {
    json!(
        matrix
            .rows()
            .map(|(_, cells)| cells.map(|c| c.is_complete()).collect())
            .collect::<Vec<Vec<bool>>>()
    )
}

fn rates(averages: &[Share]) -> Vec<f64> {
    averages
        .iter()
        .map(|share| share.rate().unwrap_or(f64::NAN))
        .collect()
}

fn ranges(value: &Value) -> Vec<RangeInclusive<u32>> {
    let bounds = |range: &Value| -> Option<RangeInclusive<u32>> {
        Some(range[0].as_u64()? as u32..=range[1].as_u64()? as u32)
    };
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(bounds)
        .collect()
}

/// The numbers in `days 0..4`, `days 5..9` of a note, in order.
fn days_in(note: &str) -> Vec<i32> {
    let ranges = note.split("days ").skip(1).filter_map(|rest| {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (from, to) = rest[..end].trim_end_matches('.').split_once("..")?;
        Some([from.parse().ok()?, to.parse().ok()?])
    });
    ranges.flatten().collect()
}
